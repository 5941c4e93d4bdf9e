//! `habitus demo`: a day of generated gateway traffic with known attacks, through the very same pipeline.

use super::replay::{Job, run_job, write_summary};
use super::{Ended, Failure, Setting};
use crate::cli::{Demo, OutputFormat};
use crate::figures::{counted, grouped};
use crate::render::{self, plain};
use crate::summary::Summary;
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use ingest::source::discover;
use serde::Serialize;
use simulate::{Attack, Scenario, Truth};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use store::Store;

/// Seconds after an attack's last call in which a finding still belongs to it.
const GRACE_S: f64 = 300.0;

/// A finding as the comparison needs it.
#[derive(Clone, Debug)]
struct Found {
    id: String,
    principal: String,
    detector: String,
    detected_at_s: f64,
    window_start_s: f64,
    sentence: String,
}

/// What became of one attack.
#[derive(Clone, Debug, Serialize)]
struct Outcome {
    attack: &'static str,
    strength: String,
    detector: &'static str,
    principal: String,
    found: bool,
    by: Vec<String>,
    seconds_to_detect: Option<f64>,
    story: String,
    sentence: Option<String>,
}

/// Generates, detects, and compares with the truth, which the pipeline never sees.
pub(crate) fn run(setting: &Setting, args: &Demo) -> Result<Ended, Failure> {
    if setting.server.is_some() {
        return Err("demo makes up traffic, which has no place among real findings: give it a \
                    directory as --store"
            .into());
    }
    let scenario = Scenario { seed: args.seed, ..Scenario::default() };
    let log = setting.store.join("demo").join(format!("kong-seed{}.ndjson.zst", args.seed));
    crate::note(&format!("generating a day of Kong logs into {}", log.display()));
    let truth = generate(&scenario, &log)?;
    let inputs = discover(&[log.to_string_lossy().into_owned()])?.inputs;
    let job = Job { inputs, declared: None, sort: false, work: &args.work, what: "demo" };
    let summary = run_job(setting, job)?;
    if let Some(path) = &args.work.summary {
        write_summary(&summary, path)?;
    }
    let found = setting.runtime.block_on(findings(&setting.store))?;
    let inside = |it: &Found| it.window_start_s >= scenario.start_s as f64 - 1.0;
    let found: Vec<_> = found.into_iter().filter(inside).collect();
    let outcomes: Vec<_> = truth.attacks.iter().map(|attack| outcome(attack, &found)).collect();
    let others = others(&truth, &found);
    if setting.output == OutputFormat::Table {
        print_tables(&summary, &outcomes, &others, &log)?;
    } else {
        let report = serde_json::json!({ "summary": summary, "attacks": outcomes,
            "other_findings": others.iter().map(|it| &it.sentence).collect::<Vec<_>>() });
        writeln!(std::io::stdout().lock(), "{report}")?;
    }
    Ok(Ended::Done)
}

/// Writes the scenario as a compressed log, and yields what is true of it.
fn generate(scenario: &Scenario, path: &Path) -> Result<Truth, Failure> {
    let cannot = |error: std::io::Error| {
        format!("cannot write {}: {error}; name another directory with --store", path.display())
    };
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(cannot)?;
    }
    let file = File::create(path).map_err(cannot)?;
    let mut out = zstd::Encoder::new(BufWriter::new(file), 1).map_err(cannot)?;
    let (mut line, mut failed) = (Vec::new(), None);
    let truth = simulate::generate(scenario, &mut |record| {
        line.clear();
        simulate::kong::write(record, &mut line);
        if failed.is_none() {
            failed = out.write_all(&line).err();
        }
    });
    if let Some(error) = failed {
        return Err(cannot(error).into());
    }
    out.finish().and_then(|mut out| out.flush()).map_err(cannot)?;
    Ok(truth)
}

async fn findings(dir: &Path) -> Result<Vec<Found>, Failure> {
    let sql = "SELECT finding_id, principal_id, detector, detected_at, window_start, sentence \
               FROM findings_current ORDER BY detected_at, finding_id";
    let (_, batches) = Store::open(dir).await?.query(sql).await?;
    let mut found = Vec::new();
    for batch in &batches {
        found.extend((0..batch.num_rows()).map(|row| found_in(batch, row)));
    }
    Ok(found)
}

fn found_in(batch: &RecordBatch, row: usize) -> Found {
    let text = |index: usize| {
        let column = arrow::compute::cast(batch.column(index), &arrow::datatypes::DataType::Utf8);
        column.map(|column| column.as_string::<i32>().value(row).to_owned()).unwrap_or_default()
    };
    let seconds = |index: usize| {
        let times = batch.column(index).as_primitive_opt::<TimestampMicrosecondType>();
        times.filter(|times| !times.is_null(row)).map_or(0.0, |times| times.value(row) as f64 / 1e6)
    };
    Found {
        id: text(0),
        principal: text(1),
        detector: text(2),
        detected_at_s: seconds(3),
        window_start_s: seconds(4),
        sentence: text(5),
    }
}

fn belongs(attack: &Attack, found: &Found) -> bool {
    found.principal == attack.principal
        && found.detected_at_s >= attack.start_s
        && (found.detected_at_s <= attack.end_s + GRACE_S || found.window_start_s < attack.end_s)
}

fn outcome(attack: &Attack, found: &[Found]) -> Outcome {
    let mine: Vec<_> = found.iter().filter(|it| belongs(attack, it)).collect();
    let first = mine.iter().min_by(|a, b| a.detected_at_s.total_cmp(&b.detected_at_s));
    let best = mine.iter().find(|it| it.detector == attack.detector).or(first);
    let by: BTreeSet<_> = mine.iter().map(|it| it.detector.clone()).collect();
    Outcome {
        attack: attack.name,
        strength: format!("{:?}", attack.strength).to_lowercase(),
        detector: attack.detector,
        principal: attack.principal.clone(),
        found: first.is_some(),
        by: by.into_iter().collect(),
        seconds_to_detect: first.map(|it| it.detected_at_s - attack.start_s),
        story: attack.story.clone(),
        sentence: best.map(|it| it.sentence.clone()),
    }
}

fn others<'a>(truth: &Truth, found: &'a [Found]) -> Vec<&'a Found> {
    found.iter().filter(|it| !truth.attacks.iter().any(|attack| belongs(attack, it))).collect()
}

fn print_tables(
    summary: &Summary,
    outcomes: &[Outcome],
    others: &[&Found],
    log: &Path,
) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} of {} in one day, read and judged in {:.1} s ({} a second)\n",
        counted(summary.events, "call", "calls"),
        counted(summary.identities, "identity", "identities"),
        summary.seconds,
        grouped(&format!("{:.0}", summary.events_per_second)),
    )?;
    let mut table = render::new_table();
    table.set_header(["attack", "found", "after", "by", "what happened"]);
    for it in outcomes {
        let after = it.seconds_to_detect.map_or_else(String::new, duration);
        let found = if it.found { "yes" } else { "MISSED" };
        let attack = format!("{} ({})", it.attack, it.strength);
        table.add_row([attack, found.to_owned(), after, it.by.join(", "), plain(&it.story)]);
    }
    writeln!(out, "{table}")?;
    let caught = outcomes.iter().filter(|it| it.found).count();
    writeln!(
        out,
        "\n{caught} of {} found; {}",
        counted(outcomes.len() as u64, "attack", "attacks"),
        counted(others.len() as u64, "other finding", "other findings"),
    )?;
    for other in others {
        writeln!(out, "  {}  {}", other.id.get(..8).unwrap_or(""), plain(&other.sentence))?;
    }
    if let Some(sentence) = outcomes.iter().find_map(|it| it.sentence.as_ref()) {
        writeln!(out, "\nThe first one, in words:\n  {}", plain(sentence))?;
    }
    writeln!(out, "\nTry next:")?;
    for query in [
        "habitus query \"SELECT severity, detector, count(*) AS n FROM findings_current GROUP BY 1, 2 \
         ORDER BY n DESC\"",
        "habitus query \"SELECT principal_id, round(max(surprise), 1) AS surprise FROM signals WHERE \
         detector = 'not_itself' GROUP BY 1 ORDER BY 2 DESC LIMIT 10\"",
        "habitus query \"SELECT window_start, requests, round(bytes_out / 1e6, 1) AS mb_out, \
         endpoints_distinct FROM windows ORDER BY bytes_out DESC LIMIT 10\"",
    ] {
        writeln!(out, "  {query}")?;
    }
    Ok(writeln!(out, "\nThe log is {}; `habitus findings` lists all findings.", log.display())?)
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

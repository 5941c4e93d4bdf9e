//! `habitus demo`: a day of generated gateway traffic with known attacks, through the very same pipeline.

use super::replay::write_summary;
use super::trial::{Trial, generate, judge};
use super::{Ended, Failure, Setting};
use crate::cli::{Demo, OutputFormat};
use crate::figures::{counted, grouped};
use crate::render::{self, plain};
use simulate::Scenario;
use std::io::Write as _;
use std::path::Path;

/// Generates, detects, and compares with the truth, which the pipeline never sees.
pub(crate) fn run(setting: &Setting, args: &Demo) -> Result<Ended, Failure> {
    if setting.server.is_some() {
        return Err("demo makes up traffic, which has no place among real findings: give it a \
                    directory as --store"
            .into());
    }
    let scenario = Scenario { seed: args.seed, ..Scenario::default() };
    let path = setting.store.join("demo").join(format!("kong-seed{}.ndjson.zst", args.seed));
    crate::note(&format!("generating a day of Kong logs into {}", path.display()));
    let (log, truth) = generate(&scenario, simulate::kong::write, &path)?;
    let trial = judge(setting, &args.work, "demo", log, truth)?;
    if let Some(path) = &args.work.summary {
        write_summary(&trial.summary, path)?;
    }
    let (summary, outcomes) = (&trial.summary, &trial.outcomes);
    let others = &trial.others.findings;
    if setting.output == OutputFormat::Table {
        print_tables(&trial, &path, &setting.store_argument())?;
    } else {
        let report = serde_json::json!({ "summary": summary, "attacks": outcomes,
            "other_findings": others.iter().map(|it| &it.sentence).collect::<Vec<_>>() });
        writeln!(std::io::stdout().lock(), "{report}")?;
    }
    Ok(Ended::Done)
}

fn print_tables(trial: &Trial, log: &Path, store: &str) -> Result<(), Failure> {
    let (summary, outcomes, others) = (&trial.summary, &trial.outcomes, &trial.others.findings);
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
    render::keep_words(&mut table, 0, outcomes.iter().map(|it| &*it.attack));
    // Each but the last has a comma after it.
    let by: Vec<_> = outcomes.iter().map(|it| it.by.join(", ")).collect();
    render::keep_words(&mut table, 3, by.iter().map(String::as_str));
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
        writeln!(out, "  {query}{store}")?;
    }
    Ok(writeln!(
        out,
        "\nThe log is {}; `habitus findings{store}` lists all findings.",
        log.display()
    )?)
}

/// A length of time in words.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

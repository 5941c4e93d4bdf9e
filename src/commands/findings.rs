//! `habitus findings`: the findings, the most severe first.

use super::{Ended, Failure, Setting, identity, query, span_conditions, where_all};
use crate::cli::{Findings, OutputFormat};
use crate::render::{self, plain};
use arrow::array::RecordBatch;
use model::{Origin, Severity};
use std::io::Write as _;
use store::Store;

/// Lists findings.
pub(crate) fn run(setting: &Setting, args: &Findings) -> Result<Ended, Failure> {
    setting.directory_only("findings")?;
    let mut conditions = conditions(args)?;
    let store = setting.runtime.block_on(Store::open(&setting.store))?;
    if let Some(typed) = &args.identity {
        let id = identity::resolve(setting, &store, typed)?;
        conditions.push(format!("principal_id = {}", store::quote(&id)));
    }
    let sql = sql(setting.output, &conditions, args.limit);
    if setting.output != OutputFormat::Table {
        return query::print(setting, &sql);
    }
    let (found, any) = setting.runtime.block_on(async {
        let found = store.query(&sql).await?;
        let any = store.query("SELECT finding_id FROM findings LIMIT 1").await?;
        Ok::<_, store::StoreError>((found, any))
    })?;
    let mut out = std::io::stdout().lock();
    if is_empty(&found.1) {
        let why = if is_empty(&any.1) {
            format!(": the store in {} holds none", setting.store.display())
        } else {
            asked(args)
        };
        writeln!(out, "no findings{}", plain(&why))?;
    } else {
        render::rows(&mut out, setting.output, &found.0, &found.1)?;
    }
    Ok(Ended::Done)
}

fn is_empty(batches: &[RecordBatch]) -> bool {
    batches.iter().all(|batch| batch.num_rows() == 0)
}

/// What was asked for, as conditions of SQL; not the identity, which only the store can tell.
fn conditions(args: &Findings) -> Result<Vec<String>, Failure> {
    let mut conditions = span_conditions(&args.span, "detected_at")?;
    if let Some(name) = &args.severity {
        let least = Severity::from_name(&name.to_ascii_lowercase()).ok_or_else(|| {
            let known: Vec<_> = Severity::ALL.iter().map(|it| it.as_str()).collect();
            format!(
                "no severity is called `{name}`; from low to high they are {}",
                known.join(", ")
            )
        })?;
        let severe = Severity::ALL.iter().filter(|it| **it >= least);
        let severe: Vec<_> = severe.map(|it| store::quote(it.as_str())).collect();
        conditions.push(format!("severity IN ({})", severe.join(", ")));
    }
    if let Some(name) = &args.detector {
        let detector = Origin::from_name(name).ok_or_else(|| {
            let known: Vec<_> = Origin::all().map(Origin::as_str).collect();
            format!("no detector is called `{name}`; the detectors are {}", known.join(", "))
        })?;
        conditions.push(format!("detector = {}", store::quote(detector.as_str())));
    }
    Ok(conditions)
}

/// The same in words, as the end of a sentence.
fn asked(args: &Findings) -> String {
    let said = [
        ("since", &args.span.since),
        ("until", &args.span.until),
        ("of a severity of at least", &args.severity),
        ("of the detector", &args.detector),
        ("about the identity", &args.identity),
    ];
    let said = said.into_iter().filter_map(|(what, value)| Some((what, value.as_ref()?)));
    said.map(|(what, value)| format!(" {what} {value}")).collect::<Vec<_>>().join(",")
}

/// The query behind the list: few columns for a terminal, all of them for programs.
pub(crate) fn sql(output: OutputFormat, conditions: &[String], limit: u32) -> String {
    let columns = match output {
        OutputFormat::Table => {
            "substr(finding_id, 1, 8) AS id, to_char(detected_at, '%Y-%m-%d %H:%M:%S') AS detected_at, \
             severity, detector, sentence"
        }
        _ => "*",
    };
    format!(
        "SELECT {columns} FROM findings_current{} ORDER BY CASE severity WHEN 'critical' THEN 0 \
         WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END, score DESC, \
         detected_at, finding_id LIMIT {limit}",
        where_all(conditions),
    )
}

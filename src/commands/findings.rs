//! `habitus findings`: the findings, the most severe first.

use super::{Ended, Failure, Setting, query, span_conditions, where_all};
use crate::cli::{Findings, OutputFormat};
use model::Detector;

/// Lists findings.
pub(crate) fn run(setting: &Setting, args: &Findings) -> Result<Ended, Failure> {
    let mut conditions = span_conditions(&args.span, "detected_at")?;
    if let Some(name) = &args.detector {
        let detector = Detector::from_name(name).ok_or_else(|| {
            let known: Vec<_> = Detector::ALL.iter().map(|it| it.as_str()).collect();
            format!("no detector is called `{name}`; the detectors are {}", known.join(", "))
        })?;
        conditions.push(format!("detector = {}", store::quote(detector.as_str())));
    }
    if let Some(identity) = &args.identity {
        conditions.push(format!("principal_id = {}", store::quote(identity)));
    }
    query::print(setting, &sql(setting.output, &conditions, args.limit))
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

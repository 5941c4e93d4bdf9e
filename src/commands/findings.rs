//! `habitus findings`: the findings, the most severe first.

use super::{Ended, Failure, Setting, identity, span_us};
use crate::cli::{Findings, OutputFormat};
use crate::render::{self, plain};
use arrow::array::RecordBatch;
use model::{Origin, Severity};
use std::io::Write as _;
use store::{Answer, Question, Reader, Value};

/// Which findings are asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// From this microsecond on, and before that one.
    pub(crate) span_us: (i64, i64),
    /// The place of the least severity, from 1.
    pub(crate) severity_min: i64,
    /// The detector; empty for any.
    pub(crate) detector: String,
    /// The identity; empty for any.
    pub(crate) principal_id: String,
    /// At most so many.
    pub(crate) rows_max: i64,
}

impl Wanted {
    /// All within a span.
    pub(crate) fn within(span_us: (i64, i64), rows_max: i64) -> Self {
        let any = String::new;
        Self { span_us, severity_min: 1, detector: any(), principal_id: any(), rows_max }
    }

    /// The findings: few columns for a terminal, all of them for programs.
    pub(crate) fn ask(self, setting: &Setting, reader: &Reader) -> Result<Answer, Failure> {
        let question = match setting.output {
            OutputFormat::Table => Question::FindingsShort,
            _ => Question::Findings,
        };
        let values = vec![
            ("since_us", self.span_us.0.into()),
            ("until_us", self.span_us.1.into()),
            ("severity_min", self.severity_min.into()),
            ("detector", Value::Text(self.detector)),
            ("principal_id", Value::Text(self.principal_id)),
            ("rows_max", self.rows_max.into()),
        ];
        Ok(setting.runtime.block_on(reader.ask(question, values))?)
    }
}

/// Lists findings.
pub(crate) fn run(setting: &Setting, args: &Findings) -> Result<Ended, Failure> {
    let mut wanted = wanted(args)?;
    let reader = setting.reader()?;
    if let Some(typed) = &args.identity {
        wanted.principal_id = identity::resolve(setting, &reader, typed)?.id;
    }
    let (schema, found) = wanted.ask(setting, &reader)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if setting.output == OutputFormat::Table && is_empty(&found) {
        let any = reader.ask(Question::AnyFinding, Vec::new());
        let why = if is_empty(&setting.runtime.block_on(any)?.1) {
            format!(": the store in {reader} holds none")
        } else {
            asked(args)
        };
        writeln!(out, "no findings{}", plain(&why))?;
    } else {
        render::rows(&mut out, setting.output, &schema, &found)?;
    }
    out.flush()?;
    Ok(Ended::Done)
}

fn is_empty(batches: &[RecordBatch]) -> bool {
    batches.iter().all(|batch| batch.num_rows() == 0)
}

/// What was asked for; not the identity, which only the store can tell.
fn wanted(args: &Findings) -> Result<Wanted, Failure> {
    let mut wanted = Wanted::within(span_us(&args.span)?, i64::from(args.limit));
    if let Some(name) = &args.severity {
        let least = Severity::from_name(&name.to_ascii_lowercase()).ok_or_else(|| {
            let known: Vec<_> = Severity::ALL.iter().map(|it| it.as_str()).collect();
            format!(
                "no severity is called `{name}`; from low to high they are {}",
                known.join(", ")
            )
        })?;
        let place = (1..).zip(Severity::ALL).find(|(_, it)| **it == least);
        wanted.severity_min = place.map_or(1, |(place, _)| place);
    }
    if let Some(name) = &args.detector {
        let detector = Origin::from_name(name).ok_or_else(|| {
            let known: Vec<_> = Origin::all().map(Origin::as_str).collect();
            format!("no detector is called `{name}`; the detectors are {}", known.join(", "))
        })?;
        detector.as_str().clone_into(&mut wanted.detector);
    }
    Ok(wanted)
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

//! A trial: a log with a truth, through the very same pipeline as any other, and compared afterwards.

use super::replay::{Job, run_job};
use super::{Failure, Setting, instant};
use crate::cli::Work;
use crate::evaluation::{Answer, Others, Outcome};
use crate::summary::Summary;
use crate::truth::Truth;
use ingest::format::FormatId;
use ingest::source::{Input, discover};
use model::Time;
use model::time::{NS_PER_D, NS_PER_H, NS_PER_S};
use simulate::{Record, Scenario};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// Appends a record as a line.
pub(crate) type WriteLine = fn(&Record, &mut Vec<u8>);

/// What came out of a trial.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) truth: Truth,
    pub(crate) summary: Summary,
    pub(crate) outcomes: Vec<Outcome>,
    /// How many findings each detector made.
    pub(crate) answer: Answer,
    pub(crate) others: Others,
    /// How long the log is, in days of event time.
    pub(crate) days: f64,
}

/// The log of a trial.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) inputs: Vec<Input>,
    pub(crate) declared: Option<FormatId>,
    pub(crate) sort: bool,
}

/// Writes the scenario as a compressed log, and yields what is true of it.
pub(crate) fn generate(
    scenario: &Scenario,
    write: WriteLine,
    path: &Path,
) -> Result<(Log, Truth), Failure> {
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
        write(record, &mut line);
        if failed.is_none() {
            failed = out.write_all(&line).err();
        }
    });
    if let Some(error) = failed {
        return Err(cannot(error).into());
    }
    out.finish().and_then(|mut out| out.flush()).map_err(cannot)?;
    let start = Time::from_ns(scenario.start_s * NS_PER_S);
    let end = start.plus(i64::from(scenario.hours) * NS_PER_H);
    let truth = Truth::of(&truth, scenario.seed, (start, end));
    let inputs = discover(&[path.to_string_lossy().into_owned()])?.inputs;
    Ok((Log { inputs, declared: None, sort: false }, truth))
}

/// Runs a log through detection into the setting's store, and compares what was found with the truth,
/// which the pipeline never sees.
pub(crate) fn judge(
    setting: &Setting,
    work: &Work,
    what: &'static str,
    log: Log,
    truth: Truth,
) -> Result<Trial, Failure> {
    let Log { inputs, declared, sort } = log;
    let summary = run_job(setting, Job { inputs, declared, sort, work, what })?;
    let mut answer = setting.runtime.block_on(Answer::of(&setting.store))?;
    let of = |time: &Option<String>| time.as_deref().and_then(instant);
    let (first, last) = (of(&summary.first_time), of(&summary.last_time));
    if let Some(first) = first {
        // The store may hold other runs.
        let hour_s = first.floor(NS_PER_H).ns() as f64 / NS_PER_S as f64;
        answer.found.retain(|it| it.window_end_s > hour_s);
    }
    let length_ns = first.zip(last).map_or(0, |(first, last)| last.since(first));
    Ok(Trial {
        outcomes: truth.attacks.iter().map(|it| Outcome::of(it, &answer.found)).collect(),
        others: Others::of(&truth, &answer.found),
        days: length_ns as f64 / NS_PER_D as f64,
        truth,
        summary,
        answer,
    })
}

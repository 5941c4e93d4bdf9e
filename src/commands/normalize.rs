//! `habitus normalize`: access logs as canonical events, one JSON object per line.

use super::{Ended, Failure, Setting, declared_format, replay};
use crate::cli::Normalize;
use crate::inputs::{Inputs, Reading};
use crate::pipeline::{Pipeline, lateness_ns};
use crate::progress::Progress;
use crate::summary::Summary;
use detect::Tally;
use ingest::endpoint::Templates;
use std::io::{BufWriter, Write as _};

/// Prints the events of logs in the order of event time.
pub(crate) fn run(setting: &Setting, args: &Normalize) -> Result<Ended, Failure> {
    let started = setting.now();
    let threads = args.work.threads.map_or(setting.processors, usize::from);
    let (found, mut problems) = replay::find(&args.logs)?;
    let key = replay::key_of(setting, &args.work)?;
    let parser = setting.config.ingest.check(key)?;
    let declared = declared_format(&args.logs)?;
    let total = found.iter().map(|input| input.bytes).sum::<Option<u64>>();
    let progress = Progress::over(total, "normalize");
    let mut inputs = Inputs::open(found, &Reading { parser: &parser, declared });
    let pipeline = Pipeline {
        reading: Reading { parser: &parser, declared },
        templates: Templates::new(setting.config.endpoints),
        lateness_ns: (!args.logs.sort).then(|| lateness_ns(setting.config.replay.lateness_seconds)),
        threads,
    };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut line = Vec::new();
    let mut write = |batch: &model::EventBatch, event: &model::Event, endpoint: &str| {
        line.clear();
        ingest::ndjson::write(batch, event, endpoint, &mut line);
        out.write_all(&line)
    };
    let passed = pipeline.normalize(&mut inputs, &mut write, &progress)?;
    out.flush()?;
    progress.done();
    let seconds = (setting.now() - started).as_secs_f64();
    let mut summary = Summary::of(&passed, &inputs, Tally::default(), seconds, threads);
    problems.append(&mut summary.problems);
    summary.problems = problems;
    if let Some(path) = &args.work.summary {
        replay::write_summary(&summary, path)?;
    }
    replay::report_rejects(&summary, &passed, &inputs);
    if summary.events == 0 && !summary.problems.is_empty() {
        return Err("no input could be read".into());
    }
    Ok(if summary.problems.is_empty() { Ended::Done } else { Ended::Partly })
}

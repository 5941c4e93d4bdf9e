//! `habitus replay`: access logs in, explained findings out, queryable with SQL.

use super::findings::Wanted;
use super::{Ended, Failure, NS_PER_US, Setting, back_test, declared_format, instant};
use crate::cli::{Logs, OutputFormat, Replay, Work};
use crate::figures::counted;
use crate::inputs::{Inputs, Reading};
use crate::keeper::{Keeper, dead_letters};
use crate::pipeline::{Passed, Pipeline, lateness_ns};
use crate::progress::Progress;
use crate::render;
use crate::summary::Summary;
use detect::{Engine, Tally};
use ingest::endpoint::Templates;
use ingest::format::FormatId;
use ingest::source::{Input, discover};
use model::tables::Table;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;
use store::{Health, RunId, Store};

/// Findings that are shown at the end of a replay.
const SHOWN_MAX: i64 = 20;

/// A run of the main job.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    /// The inputs.
    pub(crate) inputs: Vec<Input>,
    /// The format that they are declared to have.
    pub(crate) declared: Option<FormatId>,
    /// Whether everything is sorted first.
    pub(crate) sort: bool,
    /// How work is done.
    pub(crate) work: &'a Work,
    /// What the progress bar is called.
    pub(crate) what: &'static str,
}

/// Replays logs, and prints what was found.
pub(crate) fn run(setting: &Setting, args: &Replay) -> Result<Ended, Failure> {
    if args.back_test {
        return back_test::run(setting, args);
    }
    let (inputs, mut problems) = find(&args.logs)?;
    let declared = declared_format(&args.logs)?;
    let job = Job { inputs, declared, sort: args.logs.sort, work: &args.work, what: "replay" };
    let mut summary = run_job(setting, job)?;
    problems.append(&mut summary.problems);
    summary.problems = problems;
    if let Some(path) = &args.work.summary {
        write_summary(&summary, path)?;
    }
    report(&summary);
    let is_table = setting.output == OutputFormat::Table;
    let rows_max = if is_table { SHOWN_MAX } else { i64::from(u32::MAX) };
    let wanted = Wanted::of_run(covered_us(&summary), &summary.found, rows_max);
    let (schema, found) = wanted.ask(setting, &setting.reader()?)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    render::rows(&mut out, setting.output, &schema, &found)?;
    if is_table {
        let store = setting.store_argument();
        let shown: usize = found.iter().map(arrow::array::RecordBatch::num_rows).sum();
        if summary.findings as usize > shown {
            let all = summary.findings;
            writeln!(
                out,
                "{shown} of {all} findings: `habitus findings{store}` lists all of them"
            )?;
        }
        if shown > 0 {
            writeln!(out, "habitus explain ID{store}   shows everything that a finding rests on")?;
        }
    }
    out.flush()?;
    drop(out);
    if summary.events == 0 && !summary.problems.is_empty() {
        return Err("no input could be read".into());
    }
    Ok(if summary.problems.is_empty() { Ended::Done } else { Ended::Partly })
}

/// The event time of a run in microseconds, the end exclusive; nothing of a run without events.
fn covered_us(summary: &Summary) -> (i64, i64) {
    let us = |time: &Option<String>| {
        time.as_deref().and_then(instant).map(|time| time.ns().div_euclid(NS_PER_US))
    };
    let (first, last) = (us(&summary.first_time), us(&summary.last_time));
    (first.unwrap_or(i64::MIN), last.map_or(i64::MAX, |last| last + 1))
}

/// The inputs that the command line names, and those of them that cannot be read.
pub(crate) fn find(logs: &Logs) -> Result<(Vec<Input>, Vec<String>), Failure> {
    let found = discover(&logs.files)?;
    Ok((found.inputs, found.problems.iter().map(ToString::to_string).collect()))
}

/// What went through detection, before anything is made of it.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The inputs, read to their ends.
    pub(crate) inputs: Inputs,
    /// What went through.
    pub(crate) passed: Passed,
    tally: Tally,
    threads: usize,
    started: Instant,
}

impl Ran {
    /// What happened until now, and what is worth a note.
    pub(crate) fn summary(&self, setting: &Setting) -> Summary {
        let Self { inputs, passed, tally, threads, started, .. } = self;
        let seconds = (setting.now() - *started).as_secs_f64();
        let mut summary = Summary::of(passed, inputs, *tally, seconds, *threads);
        summary.findings = passed.findings;
        if passed.unwatched > 0 {
            summary.notes.push(format!(
                "{} addresses with failed authentications were more than are watched for a success after them",
                passed.unwatched,
            ));
        }
        if tally.unnoted > 0 {
            summary.notes.push(format!(
                "{} notes of addresses, endpoints, hosts, readers of objects and identities with agents were beyond \
                 what is watched at once: unauthenticated_success, exposure_change, inventory, key_fanout, \
                 foreign_object and delegation know less than the log says",
                tally.unnoted,
            ));
        }
        summary
    }
}

/// Runs inputs through detection into the store.
pub(crate) fn run_job(setting: &Setting, job: Job<'_>) -> Result<Summary, Failure> {
    let store = create_store(setting, job.work)?;
    let server = setting.server()?;
    if let Some(client) = &server {
        setting.runtime.block_on(store::clickhouse::verify(client))?;
    }
    let how = (job.declared, job.sort);
    let (ran, mut keeper) = pass(setting, job, store.key(), |inputs, threads| {
        let run = run_id(setting, how, inputs)?;
        let (names, runtime) = (inputs.names().to_vec(), setting.runtime.clone());
        Ok(match server {
            Some(client) => Keeper::replaying(client, &setting.store, runtime, names),
            None => Keeper::new(store.writer(&run), runtime, threads, names),
        })
    })?;
    let health = Health::rows(&ran.passed.intake.replayed(ran.inputs.names()))?;
    keeper.rows(Table::PipelineHealth, health)?;
    let found = keeper.take_found();
    // A run that failed leaves the store as it was: dropping the keeper forgets what it staged.
    let set_aside = keeper.commit()?;
    let mut summary = Summary { found, ..ran.summary(setting) };
    if set_aside > 0 {
        summary.problems.push(format!(
            "the server refused {set_aside} rows, which are in {}",
            dead_letters(&setting.store).display(),
        ));
    }
    samples(&ran.passed, &ran.inputs);
    Ok(summary)
}

/// Runs inputs through detection, with the key of fingerprints, into the keeper that `keep` makes of the
/// opened inputs and the number of threads.
pub(crate) fn pass(
    setting: &Setting,
    job: Job<'_>,
    key: [u8; 32],
    keep: impl FnOnce(&Inputs, usize) -> Result<Keeper, Failure>,
) -> Result<(Ran, Keeper), Failure> {
    let started = setting.now();
    let threads = job.work.threads.map_or(setting.processors, usize::from);
    let plan = setting.config.detect.check()?;
    let parser = setting.config.ingest.check(key)?;
    let total = job.inputs.iter().map(|input| input.bytes).sum::<Option<u64>>();
    let progress = Progress::over(total, job.what);
    let mut inputs = Inputs::open(job.inputs, &Reading { parser: &parser, declared: job.declared });
    let mut keeper = keep(&inputs, threads)?;
    let pipeline = Pipeline {
        reading: Reading { parser: &parser, declared: job.declared },
        templates: Templates::new(setting.config.endpoints),
        lateness_ns: (!job.sort).then(|| lateness_ns(setting.config.replay.lateness_seconds)),
        threads,
    };
    let (passed, tally) =
        pipeline.detect(&mut inputs, Engine::new(plan), &mut keeper, &progress)?;
    progress.done();
    Ok((Ran { inputs, passed, tally, threads, started }, keeper))
}

fn create_store(setting: &Setting, work: &Work) -> Result<Store, Failure> {
    let key = work.key_file.as_deref().map(read_key).transpose()?;
    Ok(setting.runtime.block_on(Store::create(&setting.store, key, setting.fresh_key))?)
}

/// The key of fingerprints: from the key file, else the store's, else one for this run alone.
pub(crate) fn key_of(setting: &Setting, work: &Work) -> Result<[u8; 32], Failure> {
    if let Some(path) = &work.key_file {
        return read_key(path);
    }
    let store = setting.runtime.block_on(Store::open(&setting.store));
    Ok(store.map_or(setting.fresh_key, |store| store.key()))
}

/// The key that the store's findings were made with.
pub(crate) fn key_of_store(setting: &Setting, work: &Work) -> Result<[u8; 32], Failure> {
    if let Some(path) = &work.key_file {
        return read_key(path);
    }
    match setting.runtime.block_on(Store::open(&setting.store)) {
        Ok(store) => Ok(store.key()),
        Err(error) => Err(format!(
            "the key of fingerprints that the findings were made with stands in {}, which cannot be \
             opened ({error}): compare where they were made, or name the key with --key-file",
            setting.store.display(),
        )
        .into()),
    }
}

/// The run's id: the same for the same inputs under the same configuration, so that a replay
/// replaces what it wrote before.
fn run_id(
    setting: &Setting,
    (declared, sort): (Option<FormatId>, bool),
    inputs: &Inputs,
) -> Result<RunId, Failure> {
    let config = setting.config.to_toml();
    let said = format!("{declared:?} {sort} {} {config}", inputs.identity());
    Ok(RunId::new(&detect::short_hash(&said))?)
}

pub(crate) fn read_key(path: &Path) -> Result<[u8; 32], Failure> {
    let bad =
        |why: &str| format!("the key file {} {why}: write 64 hexadecimal digits", path.display());
    let text =
        std::fs::read_to_string(path).map_err(|error| bad(&format!("cannot be read ({error})")))?;
    let text = text.trim();
    if text.len() != 64 || !text.is_ascii() {
        return Err(bad("does not hold 64 digits").into());
    }
    let mut key = [0; 32];
    for (byte, at) in key.iter_mut().zip((0..64).step_by(2)) {
        let digits = text.get(at..at + 2).unwrap_or("");
        *byte = u8::from_str_radix(digits, 16).map_err(|_| bad("holds something else"))?;
    }
    Ok(key)
}

/// Writes the summary where the command line says.
pub(crate) fn write_summary(summary: &Summary, path: &Path) -> Result<(), Failure> {
    summary.write(path).map_err(|error| {
        format!("cannot write the summary to {}: {error}; name another file", path.display()).into()
    })
}

/// Says on standard error what went through.
pub(crate) fn report(summary: &Summary) {
    let mut lines = vec![format!(
        "{} in {:.1} s ({:.0} per second, {}): {}, {}, {}",
        counted(summary.events, "event", "events"),
        summary.seconds,
        summary.events_per_second,
        counted(summary.threads as u64, "thread", "threads"),
        counted(summary.identities, "identity", "identities"),
        counted(summary.windows, "window", "windows"),
        counted(summary.findings, "finding", "findings"),
    )];
    if summary.rejected > 0 {
        let reasons: Vec<_> = summary
            .rejected_by_reason
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        lines.push(format!("rejected {} records: {}", summary.rejected, reasons.join(", ")));
    }
    if summary.late_not_scored > 0 {
        lines.push(format!(
            "{} events came after their hour had closed and are in no window: run with --sort",
            summary.late_not_scored,
        ));
    }
    lines.extend(summary.notes.iter().chain(&summary.problems).cloned());
    for line in lines {
        crate::note(&render::plain(&line));
    }
}

/// Says on standard error what could not be read.
pub(crate) fn report_rejects(summary: &Summary, passed: &Passed, inputs: &Inputs) {
    samples(passed, inputs);
    if summary.rejected > 0 {
        crate::note(&format!("{} of {} records rejected", summary.rejected, summary.records));
    }
    for problem in summary.notes.iter().chain(&summary.problems) {
        crate::note(&render::plain(problem));
    }
}

/// Shows the first rejected records of each reason on standard error.
pub(crate) fn samples(passed: &Passed, inputs: &Inputs) {
    for sample in passed.rejects.samples().iter().take(5) {
        crate::note(&render::plain(&format!(
            "rejected: {} line {}: {} ({}): {}",
            inputs.name(sample.position.source).unwrap_or("input"),
            sample.position.line,
            sample.reason,
            sample.reason.cure(),
            sample.excerpt,
        )));
    }
}

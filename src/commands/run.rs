//! `habitus run`: the service.

use super::{Ended, Failure, Setting};
use crate::cli::{Run, Stage};
use crate::keeper::{Keeper, process_mark};
use crate::live::checkpoint::Checkpoints;
use crate::live::control::Control;
use crate::live::dead_letters::DeadLetters;
use crate::live::feed::Feed;
use crate::live::files::Files;
use crate::live::forget::Requests;
use crate::live::objects;
use crate::live::{Done, Live, Parts};
use crate::normalizer::{self, Normalizer};
use crate::operation::probe::checkpoint_place;
use crate::operation::recorder::{Recorder, Recording};
use crate::operation::reload::Reload;
use crate::operation::server::{self, Served};
use crate::operation::{self, Operation, log};
use crate::outlets::Outlets;
use crate::response;
use connect::Producer;
use ingest::format::FormatId;
use ingest::source::kafka::Source;
use model::Time;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// Runs until it is told to stop.
pub(crate) fn run(setting: &Setting, args: &Run) -> Result<Ended, Failure> {
    let started = setting.now();
    let config = &setting.config;
    log::write_as(config.run.log_format);
    let threads = args.work.threads.map_or(setting.processors, usize::from);
    let plan = config.detect.check()?;
    let format = match config.run.format.as_str() {
        "" => None,
        name => Some(FormatId::from_name(name).ok_or_else(|| {
            format!("run.format: no format is called `{name}`; see `habitus formats`")
        })?),
    };
    let (stop, reload) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    stop_on_signals(&setting.runtime, Arc::clone(&stop))?;
    reload_on_signals(&setting.runtime, Arc::clone(&reload))?;
    end_in_time(Arc::clone(&stop));
    let operation = Arc::new(Operation::new(moment, wall()));
    let served = server::serve(&setting.runtime, &config.run.listen, &operation)?;
    let recording = watch_store(setting, &operation)?;
    let job = Job { started, plan, format, threads, stop, reload, operation, served };
    let ended = match args.stage {
        Some(Stage::Normalize) => normalize(setting, args, job),
        stage => detect(setting, args, job, stage.is_some()),
    };
    if let Some(recording) = recording {
        recording.end(&setting.runtime);
    }
    ended
}

/// Asks a server now and then whether it answers, and writes the metrics there.
fn watch_store(
    setting: &Setting,
    operation: &Arc<Operation>,
) -> Result<Option<Recording>, Failure> {
    let Some(client) = setting.server()? else { return Ok(None) };
    operation::watch_store(&setting.runtime, client.clone(), Arc::clone(operation));
    let recorder = Recorder {
        client,
        operation: Arc::clone(operation),
        app: setting.config.source.group_id.clone(),
        worker: process_mark(&setting.fresh_key),
        wall,
    };
    Ok(Some(recorder.begin(&setting.runtime)))
}

/// How long the service may take to stop, and how often it is looked whether it is to.
const STOP_MAX: Duration = Duration::from_millis(8_500);
const STOP_LOOK: Duration = Duration::from_millis(100);

/// What both stages need.
struct Job {
    started: Instant,
    plan: detect::Plan,
    format: Option<FormatId>,
    threads: usize,
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
    operation: Arc<Operation>,
    /// Said once nothing can be wrong with the configuration any more.
    served: Served,
}

/// The first stage alone.
fn normalize(setting: &Setting, args: &Run, job: Job) -> Result<Ended, Failure> {
    let config = &setting.config;
    if args.work.key_file.is_none() {
        log::warn(
            "no --key-file: fingerprints are made with this store's own key, and differ from those of \
             other processes; give all of both stages the same file",
        );
    }
    let (_, key) = Keeper::key(setting, &args.work)?;
    let parser = config.ingest.check(key)?.keeping_rejects();
    let events_topic = config.source.events();
    crate::note(&format!(
        "reading {} as group {}, events go to {events_topic}",
        config.source.topics.join(", "),
        config.source.first_stage(),
    ));
    job.served.say();
    let normalizer = Normalizer::new(normalizer::Parts {
        source: config.source.clone(),
        client: config.kafka.client()?,
        events_topic,
        dead_letter_topic: config.run.dead_letter_topic.clone(),
        poison_share_max: config.run.poison_share_max,
        format: job.format,
        parser: &parser,
        threads: job.threads,
        id: transactional_id(&config.source.group_id, &setting.fresh_key),
        stop: job.stop,
        operation: job.operation,
        wall,
    });
    let done = normalizer.run(moment)?;
    crate::note(&format!(
        "stopped after {:.1} s: {} events in {} transactions, {} rejected",
        (setting.now() - job.started).as_secs_f64(),
        done.events,
        done.transactions,
        done.rejected,
    ));
    let Some(path) = &args.work.summary else { return Ok(Ended::Done) };
    let summary = serde_json::json!({
        "stage": "normalize",
        "events": done.events,
        "rejected": done.rejected,
        "dead_letters": done.dead_letters,
        "ahead": done.ahead,
        "transactions": done.transactions,
        "seconds": (setting.now() - job.started).as_secs_f64(),
    });
    write_summary(&summary, path)?;
    Ok(Ended::Done)
}

/// A name that no other process has; from it nobody learns the randomness.
fn transactional_id(group: &str, randomness: &[u8; 32]) -> String {
    let mark = blake3::Hash::from(blake3::derive_key("habitus transactional id", randomness));
    format!("{group}-normalize-{}", mark.to_hex().get(..16).unwrap_or_default())
}

/// The second stage, which reads the first one's events, or both stages in one.
fn detect(setting: &Setting, args: &Run, job: Job, is_second: bool) -> Result<Ended, Failure> {
    let config = &setting.config;
    let mut settings = config.source.clone();
    if is_second {
        settings.events_topic = settings.events();
        settings.group_id = settings.second_stage();
    }
    let group = settings.group_id.clone();
    let (keeper, key, home) = Keeper::open(setting, &args.work, &group)?;
    let objects = objects::open(&config.run.checkpoints, &home, &setting.environment)?;
    let checkpoints = Checkpoints::new(Arc::clone(&objects), &group);
    let requests = Requests::new(Arc::clone(&objects), &group);
    let control = Control::new(objects, &group);
    let parser = config.ingest.check(key)?.keeping_rejects();
    let feed_of = response::open(setting, &job.operation, &job.stop, (moment, wall))?;
    let outlets = Outlets::open(setting, &home, wall)?.waking(feed_of);
    let (source, named) = if is_second {
        let events = Feed::Topics(Source::open_events(&settings, &config.kafka.client()?)?);
        (events, settings.events_topic.clone())
    } else {
        feed(setting, &args.source, &checkpoint_place(&config.run.checkpoints, &home))?
    };
    let dead_letters = match config.run.dead_letter_topic.as_str() {
        "" => None,
        topic => Some(Producer::open(&config.kafka.client()?, topic, "run.dead_letter_topic")?),
    };
    let dead_letters = DeadLetters::new(dead_letters);
    crate::note(&format!(
        "reading {named} as group {}, findings go to {}",
        group,
        setting.server.clone().unwrap_or_else(|| setting.store.display().to_string()),
    ));
    job.served.say();
    let Job { started, plan, format, threads, stop, reload, operation, .. } = job;
    let live = Live::new(Parts {
        settings: config.run.clone(),
        format,
        parser: &parser,
        plan,
        endpoints: config.endpoints,
        source,
        keeper: keeper.with_outlets(outlets),
        checkpoints,
        dead_letters,
        requests,
        control,
        key,
        app: config.source.group_id.clone(),
        worker: process_mark(&setting.fresh_key),
        runtime: setting.runtime.clone(),
        threads,
        stop,
        operation,
        reload: Reload::new(setting.config_path.clone(), config.clone(), reload),
        wall,
    });
    let done = live.run(moment)?;
    say_done(setting, args, &done, started)
}

/// Says what the service did, and writes the summary where it is wished.
fn say_done(
    setting: &Setting,
    args: &Run,
    done: &Done,
    started: Instant,
) -> Result<Ended, Failure> {
    let seconds = (setting.now() - started).as_secs_f64();
    crate::note(&format!(
        "stopped after {seconds:.1} s: {} events, {} findings, {} epochs",
        done.passed.events, done.passed.findings, done.epochs,
    ));
    if done.ahead > 0 {
        crate::note(&format!("{} events had a time too far ahead and were left out", done.ahead));
    }
    if let Some(path) = &args.work.summary {
        let stage = if args.stage.is_some() { "detect" } else { "both" };
        write_summary(&summary(done, stage, seconds), path)?;
    }
    Ok(Ended::Done)
}

/// The files that the command line or the configuration names, or else the topics; and their names.
fn feed(setting: &Setting, named: &[String], home: &Path) -> Result<(Feed, String), Failure> {
    let config = &setting.config;
    let source = &config.source;
    let files = if named.is_empty() { &source.files } else { named };
    if files.is_empty() {
        let topics = Feed::Topics(Source::open(source, &config.kafka.client()?)?);
        let names = topics.names().join(", ");
        return Ok((topics, names));
    }
    if named.is_empty() && !source.topics.is_empty() {
        return Err("source.topics and source.files are both given: leave one of them out".into());
    }
    let feed = Files::open(files, source.start, &source.group_id, home, moment)?;
    Ok((Feed::Files(feed), files.join(", ")))
}

fn summary(done: &Done, stage: &str, seconds: f64) -> serde_json::Value {
    let latency = &done.latency;
    serde_json::json!({
        "stage": stage,
        "events": done.passed.events,
        "records": done.passed.records,
        "rejected": done.passed.rejects.total(),
        "dead_letters": done.dead_letters,
        "findings": done.passed.findings,
        "late_not_scored": done.passed.late_not_scored,
        "ahead": done.ahead,
        "epochs": done.epochs,
        "finding_latency_ms": {
            "count": latency.len(),
            "p50": latency.value_at_quantile(0.5),
            "p99": latency.value_at_quantile(0.99),
            "max": latency.max(),
        },
        "spent_seconds": done.spent,
        "outlets": done.outlets,
        "seconds": seconds,
    })
}

fn write_summary(summary: &serde_json::Value, path: &Path) -> Result<(), Failure> {
    std::fs::write(path, format!("{summary}\n"))
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

/// SIGHUP reads the configuration again.
fn reload_on_signals(runtime: &Handle, reload: Arc<AtomicBool>) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let _inside = runtime.enter();
    let mut hangup = signal(SignalKind::hangup())?;
    drop(runtime.spawn(async move {
        while hangup.recv().await.is_some() {
            reload.store(true, Ordering::Relaxed);
        }
    }));
    Ok(())
}

/// Ends the process when whoever it waits for takes too long after it was told to stop. What is not
/// committed then is judged again by the next start, as after any crash.
#[expect(clippy::exit, reason = "whoever would return waits for somebody who does not answer")]
fn end_in_time(stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(STOP_LOOK);
        }
        std::thread::sleep(STOP_MAX);
        log::warn(
            "somebody does not answer: ending without a commit; the next start goes on from the last",
        );
        std::process::exit(0);
    });
}

/// The first SIGINT or SIGTERM ends the epoch and the service; a second one ends it at once.
pub(super) fn stop_on_signals(runtime: &Handle, stop: Arc<AtomicBool>) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let _inside = runtime.enter();
    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    drop(runtime.spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop.swap(true, Ordering::Relaxed) {
                // Whatever was not committed is judged again by the next start.
                std::process::abort();
            }
        }
    }));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a service lives by the clock, and only from here")]
fn moment() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a service lives by the clock, and only from here")]
pub(crate) fn wall() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time::from_ns(since.map_or(0, |since| since.as_nanos() as i64))
}

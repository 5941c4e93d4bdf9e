//! `habitus run`: the service.

use super::{Ended, Failure, Setting};
use crate::cli::Run;
use crate::keeper::Keeper;
use crate::live::checkpoint::Checkpoints;
use crate::live::objects;
use crate::live::{Done, Live, Parts};
use ingest::format::FormatId;
use ingest::source::kafka::Source;
use model::Time;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use tokio::runtime::Handle;

/// Runs until it is told to stop.
pub(crate) fn run(setting: &Setting, args: &Run) -> Result<Ended, Failure> {
    let started = setting.now();
    let config = &setting.config;
    let threads = args.work.threads.map_or(setting.processors, usize::from);
    let plan = config.detect.check()?;
    let format = match config.run.format.as_str() {
        "" => None,
        name => Some(FormatId::from_name(name).ok_or_else(|| {
            format!("run.format: no format is called `{name}`; see `habitus formats`")
        })?),
    };
    let client = config.kafka.client()?;
    let (keeper, key, home) = Keeper::open(setting, &args.work, &config.source.group_id)?;
    let objects = objects::open(&config.run.checkpoints, &home, &setting.environment)?;
    let checkpoints = Checkpoints::new(objects, &config.source.group_id);
    let parser = config.ingest.check(key)?;
    let source = Source::open(&config.source, &client)?;
    let names = source.partitions().iter();
    let names: Vec<String> = names.map(|it| format!("{}/{}", it.topic, it.number)).collect();
    crate::note(&format!(
        "reading {} as group {}, findings go to {}",
        names.join(", "),
        config.source.group_id,
        setting.server.clone().unwrap_or_else(|| setting.store.display().to_string()),
    ));
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_signals(&setting.runtime, Arc::clone(&stop))?;
    let live = Live::new(Parts {
        settings: config.run.clone(),
        format,
        parser: &parser,
        plan,
        endpoints: config.endpoints,
        source,
        keeper: keeper.with_inputs(names),
        checkpoints,
        runtime: setting.runtime.clone(),
        threads,
        stop,
        wall,
    });
    let done = live.run(moment)?;
    crate::note(&format!(
        "stopped after {:.1} s: {} events, {} findings, {} epochs",
        (setting.now() - started).as_secs_f64(),
        done.passed.events,
        done.passed.findings,
        done.epochs,
    ));
    if done.ahead > 0 {
        crate::note(&format!("{} events had a time too far ahead and were left out", done.ahead));
    }
    if let Some(path) = &args.work.summary {
        let seconds = (setting.now() - started).as_secs_f64();
        write_summary(&done, seconds, path)?;
    }
    Ok(Ended::Done)
}

fn write_summary(done: &Done, seconds: f64, path: &Path) -> Result<(), Failure> {
    let summary = serde_json::json!({
        "events": done.passed.events,
        "records": done.passed.records,
        "rejected": done.passed.rejects.total(),
        "findings": done.passed.findings,
        "late_not_scored": done.passed.late_not_scored,
        "ahead": done.ahead,
        "epochs": done.epochs,
        "seconds": seconds,
    });
    std::fs::write(path, format!("{summary}\n"))
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

/// The first SIGINT or SIGTERM ends the epoch and the service; a second one ends it at once.
fn stop_on_signals(runtime: &Handle, stop: Arc<AtomicBool>) -> Result<(), Failure> {
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
fn wall() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time::from_ns(since.map_or(0, |since| since.as_nanos() as i64))
}

//! `habitus run`: the service.

use super::{Ended, Failure, Setting};
use crate::cli::Run;
use crate::keeper::Keeper;
use crate::live::checkpoint::Checkpoints;
use crate::live::forget::Requests;
use crate::live::{Done, Live, Parts};
use ingest::format::FormatId;
use ingest::source::kafka::Source;
use model::Time;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use std::path::{Path, PathBuf};
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
    let (keeper, key) = Keeper::open(setting, &args.work, &config.source.group_id)?;
    let directory = checkpoints_in(setting);
    std::fs::create_dir_all(&directory)
        .map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
    let objects: Arc<dyn ObjectStore> = Arc::new(LocalFileSystem::new_with_prefix(&directory)?);
    let checkpoints = Checkpoints::new(Arc::clone(&objects), &config.source.group_id);
    let requests = Requests::new(objects, &config.source.group_id);
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
        requests,
        key,
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

/// Where the service's checkpoints are.
pub(crate) fn checkpoints_in(setting: &Setting) -> PathBuf {
    match setting.config.run.checkpoints.as_str() {
        "" => setting.store.join("checkpoints"),
        named => PathBuf::from(named),
    }
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
pub(crate) fn wall() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time::from_ns(since.map_or(0, |since| since.as_nanos() as i64))
}

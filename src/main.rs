//! The binary: reads the command line, the environment and the clock, and composes the crates.

mod back_test;
mod cli;
mod columns;
mod commands;
mod config;
mod coverage;
mod detection;
mod evaluation;
mod inputs;
mod intake;
mod keeper;
mod live;
mod normalizer;
mod operation;
mod order;
mod outlets;
mod pipeline;
mod privileges;
mod progress;
mod ranking;
mod render;
mod response;
mod summary;
mod truth;
mod upkeep;
mod workers;

use clap::Parser as _;
use cli::{Cli, Command};
use commands::{Ended, Failure, Setting};
use config::Config;
use model::figures;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

/// Batches of events are large, and one follows the other: the system's allocator would have their memory
/// mapped anew each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    small_pages();
    let cli = Cli::parse();
    match run(&cli) {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        // Some input could not be read: the rest was, and the exit code says that not all is well. Or
        // nothing failed but a check.
        Ok(Ended::Partly | Ended::Differs) => ExitCode::from(1),
        // Neither what fails in any command nor what a wrong command line gives.
        Ok(Ended::Short) => ExitCode::from(3),
        Err(error) if is_closed_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => {
            operation::log::error(&full(error.as_ref()));
            ExitCode::from(1)
        }
    }
}

/// Keeps Linux from giving memory in pages of 2 MiB, which the allocator asks for: each is cleared as a whole
/// when its first byte is written, and clearing them was a seventh of a replay's time and a sixth of its memory.
fn small_pages() {
    #[cfg(target_os = "linux")]
    if rustix::thread::disable_transparent_huge_pages(true).is_err() {
        // An older kernel knows no such switch, and all is as it was: slower, and not wrong.
    }
}

fn run(cli: &Cli) -> Result<Ended, Failure> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors)
        .enable_all()
        .build()?;
    let config = Config::load(cli.config.as_deref())?;
    // Once, before anything is read: what was declared stays for as long as the program runs.
    ingest::format::declare(&config.format)?;
    let is_server = cli.store.to_string_lossy().contains("://");
    let setting = Setting {
        config,
        config_path: cli.config.clone(),
        store: if is_server { PathBuf::from(cli::STORE) } else { cli.store.clone() },
        server: is_server.then(|| cli.store.to_string_lossy().into_owned()),
        output: render::format_or_default(cli.output),
        runtime: runtime.handle().clone(),
        fresh_key: entropy()?,
        processors,
        environment: live::objects::Environment::of(std::env::vars_os()),
    };
    match &cli.command {
        Command::Demo(args) => commands::demo::run(&setting, args),
        Command::Evaluate(args) => commands::evaluate::run(&setting, args),
        Command::Replay(args) => commands::replay::run(&setting, args),
        Command::Normalize(args) => commands::normalize::run(&setting, args),
        Command::Formats(args) => commands::formats::run(&setting, args, cli.output),
        Command::Coverage(args) => commands::coverage::run(&setting, args),
        Command::Findings(args) => commands::findings::run(&setting, args),
        Command::Incidents(args) => commands::incidents::run(&setting, args),
        Command::Explain(args) => commands::explain::run(&setting, args),
        Command::Query(args) => commands::query::run(&setting, args),
        Command::Identity(args) => commands::identity::run(&setting, args),
        Command::Privileges(args) => commands::privileges::run(&setting, args),
        Command::Report(args) => commands::report::run(&setting, args),
        Command::Baseline(args) => commands::baseline::run(&setting, args),
        Command::ChangeWindow(args) => commands::change_window::run(&setting, args),
        Command::Feedback(args) => commands::feedback::run(&setting, args),
        Command::Forget(args) => commands::forget::run(&setting, args),
        Command::Check(args) => commands::check::run(&setting, args),
        Command::Run(args) => commands::run::run(&setting, args),
        Command::Compact => commands::compact::run(&setting),
        Command::Reshard(args) => commands::reshard::run(&setting, args),
        Command::Migrate(args) => commands::migrate::run(&setting, args),
        Command::Simulate(args) => commands::simulate::run(&setting, args),
        Command::Serve(args) => commands::serve::run(&setting, args),
        Command::Answer => commands::answer::run(&setting),
        Command::Health(args) => commands::health::run(&setting, args),
    }
}

/// Stops here when `HABITUS_HOLD_AT` names this point, until the file `HABITUS_HOLD_UNTIL` is there, if
/// that is set: a crash test kills the process there, or lets it go on when it should no longer.
#[expect(clippy::disallowed_methods, reason = "only tests set it, and main reads the environment")]
fn hold(point: &str) {
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var("HABITUS_HOLD_AT") else { return };
    let (at, time) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if at == point && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == time.parse().unwrap_or(1) {
        note(&format!("held at {point}"));
        let release = std::env::var_os("HABITUS_HOLD_UNTIL").map(PathBuf::from);
        while !release.as_ref().is_some_and(|path| path.exists()) {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// 32 bytes from the system's source of randomness.
fn entropy() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        format!("the system has no randomness for a key: {error}; give --key-file")
    })?;
    Ok(bytes)
}

/// An error with all that caused it, on one line.
fn full(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text.replace('\n', " ")
}

/// Somebody who reads our output, such as `head`, has seen enough.
fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        // Its source is what is behind the error of the system, and not that error.
        let json = || error.downcast_ref::<serde_json::Error>()?.io_error_kind();
        if io.or_else(json) == Some(std::io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Says a line on standard error.
fn note(line: &str) {
    operation::log::info(line, &[]);
}

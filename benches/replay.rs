//! The speed of `replay` as a ratio to parsing alone, measured in one run on one log.
//!
//! `cargo bench` generates an NDJSON access log (1 000 000 events, 20 000 identities, about 280 bytes
//! a line) and compares, on one CPU each: parsing every line into a borrowed struct and nothing else;
//! the whole of `habitus replay --threads 1`; and the same with two threads on two CPUs. Then it
//! compares the memory of 100 000 identities with that of one. Sizes are set by the arguments after
//! `--`: `events=N identities=N hours=N memory_identities=N`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on has failed, and prints what it measured"
)]

use serde::Deserialize;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// What one line says: the plainest typed parse that borrows its texts.
#[derive(Deserialize)]
#[expect(dead_code, reason = "the fields are parsed, which is all that is measured")]
struct Line<'a> {
    time: &'a str,
    client_address: &'a str,
    consumer: &'a str,
    method: &'a str,
    path: &'a str,
    status: u16,
    bytes_in: u64,
    bytes_out: u64,
    latency_ms: f64,
    user_agent: &'a str,
    request_id: &'a str,
}

/// Rounds of everything: a machine is seldom as quick in one minute as in the next.
const ROUNDS: usize = 5;

/// Sizes, from the command line.
struct Sizes {
    events: u64,
    identities: u32,
    hours: u32,
    memory_identities: u32,
}

fn main() {
    let sizes = sizes();
    let dir = std::env::temp_dir().join(format!("habitus-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory for the log");
    let log = dir.join("access.ndjson");
    let bytes = generate(&log, sizes.identities, sizes.events, sizes.hours);
    println!(
        "{} events, {} identities, {} hours, {:.0} bytes a line",
        sizes.events,
        sizes.identities,
        sizes.hours,
        bytes as f64 / sizes.events as f64,
    );
    let rounds: Vec<[f64; 3]> = (0..ROUNDS)
        .map(|_| [parse_only(&log, sizes.events), replay(&dir, &log, 1), replay(&dir, &log, 2)])
        .collect();
    let middle = |of: fn(&[f64; 3]) -> f64| spread(rounds.iter().map(of).collect());
    println!("events per second, the middle of {ROUNDS} rounds (lowest to highest):");
    println!("parse only           {}", middle(|round| round[0]));
    println!("replay --threads 1   {}", middle(|round| round[1]));
    println!("replay --threads 2   {}", middle(|round| round[2]));
    println!("one thread ÷ parse only  {} (wanted: 0.2)", middle(|round| round[1] / round[0]));
    println!("two threads ÷ one        {} (wanted: 1.7)", middle(|round| round[2] / round[1]));
    memory(&dir, sizes.memory_identities);
    std::fs::remove_dir_all(&dir).expect("the directory goes");
}

fn sizes() -> Sizes {
    let mut sizes =
        Sizes { events: 1_000_000, identities: 20_000, hours: 6, memory_identities: 100_000 };
    for argument in std::env::args().skip(1) {
        let Some((name, value)) = argument.split_once('=') else { continue };
        let value: u64 = value.parse().expect("a number after =");
        match name {
            "events" => sizes.events = value,
            "identities" => sizes.identities = value as u32,
            "hours" => sizes.hours = value as u32,
            "memory_identities" => sizes.memory_identities = value as u32,
            _ => panic!("no size is called {name}"),
        }
    }
    sizes
}

fn generate(path: &Path, identities: u32, events: u64, hours: u32) -> u64 {
    let mut out = BufWriter::new(std::fs::File::create(path).expect("a log file"));
    let (mut line, mut bytes) = (Vec::new(), 0);
    simulate::benchmark((identities, events), (1_772_409_600, hours), 7, &mut |record| {
        line.clear();
        simulate::ndjson::write(record, &mut line);
        bytes += line.len() as u64;
        out.write_all(&line).expect("the log is written");
    });
    out.flush().expect("the log is written");
    bytes
}

/// The middle of some values, with the lowest and the highest.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let [lowest, middle, highest] = [0, values.len() / 2, values.len() - 1].map(|at| values[at]);
    let digits = if middle < 100.0 { 3 } else { 0 };
    format!("{middle:.digits$} ({lowest:.digits$} to {highest:.digits$})")
}

/// Events per second of parsing alone: one pass over the log in memory.
fn parse_only(log: &Path, events: u64) -> f64 {
    let text = std::fs::read_to_string(log).expect("the log is read");
    let started = now();
    let mut sum = 0_u64;
    for line in text.lines() {
        let line: Line<'_> = sonic_rs::from_str(line).expect("a line of the log");
        sum = sum.wrapping_add(line.bytes_out).wrapping_add(line.path.len() as u64);
    }
    std::hint::black_box(sum);
    events as f64 / started.elapsed().as_secs_f64()
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// Events per second of the whole of `replay`, into a fresh store.
fn replay(dir: &Path, log: &Path, threads: u32) -> f64 {
    summary(dir, log, threads, "events_per_second")
}

/// Runs `replay` with as many CPUs as threads, and yields a number of its summary.
fn summary(dir: &Path, log: &Path, threads: u32, field: &str) -> f64 {
    let (store, summary): (PathBuf, _) = (dir.join("store"), dir.join("summary.json"));
    if store.exists() {
        std::fs::remove_dir_all(&store).expect("a fresh store");
    }
    let cpus = (0..threads).map(|cpu| cpu.to_string()).collect::<Vec<_>>().join(",");
    let done = Command::new("taskset")
        .args(["-c", &cpus, env!("CARGO_BIN_EXE_habitus"), "replay"])
        .arg(log)
        .args(["--threads", &threads.to_string(), "--output", "ndjson"])
        .arg("--store")
        .arg(&store)
        .arg("--summary")
        .arg(&summary)
        .output()
        .expect("taskset (util-linux) runs habitus");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read_to_string(&summary).expect("a summary");
    let value: serde_json::Value = serde_json::from_str(&text).expect("a summary is JSON");
    value.get(field).and_then(serde_json::Value::as_f64).expect("the summary has the number")
}

/// Bytes per identity: what `identities` take beyond what one takes, for ten events each.
fn memory(dir: &Path, identities: u32) {
    let events = u64::from(identities) * 10;
    let [many, one] = [identities, 1].map(|count| {
        let log = dir.join("memory.ndjson");
        generate(&log, count, events, 6);
        let peak = summary(dir, &log, 1, "peak_rss_bytes");
        let seen = summary(dir, &log, 1, "identities");
        (peak, seen)
    });
    println!(
        "memory              {:>10.0} bytes for each of {} identities (wanted: at most 2048)",
        (many.0 - one.0) / many.1,
        many.1,
    );
}

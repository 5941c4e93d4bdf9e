//! `replay` and `normalize` as people use them: several inputs, globs, what a summary holds.

use crate::habitus::{Place, count};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use std::io::Write as _;
use std::process::{Command, Stdio};

fn line(consumer: &str, minute: u32) -> String {
    format!(
        "{{\"time\":\"2026-04-14T{:02}:{:02}:00Z\",\"consumer\":\"{consumer}\",\"method\":\"GET\",\
         \"path\":\"/orders/{minute}\",\"status\":200,\"bytes_out\":1200,\"ip\":\"192.0.2.7\"}}\n",
        9 + minute / 60,
        minute % 60,
    )
}

fn gzip(text: &str) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap()
}

#[test]
fn files_globs_and_directories_are_merged_by_time() {
    let place = Place::new();
    let half = |odd: u32| {
        (0..120).filter(|it| it % 2 == odd).map(|it| line("acme", it)).collect::<String>()
    };
    std::fs::create_dir(place.path("logs")).unwrap();
    place.write("logs/even.ndjson", half(0));
    place.write("logs/odd.ndjson.gz", gzip(&half(1)));
    let (dir, glob) = (place.path("logs"), place.path("logs/*"));
    let mut windows = Vec::new();
    for (store, input) in [("a", dir.to_str().unwrap()), ("b", glob.to_str().unwrap())] {
        let said = place.run_in(store, &["replay", input, "--output", "ndjson"]);
        assert_eq!(said.code, 0, "{}", said.err);
        windows.push(place.query(store, "SELECT window_start, requests FROM windows"));
    }
    assert_eq!(windows[0], windows[1]);
    assert_eq!(
        windows[0],
        "window_start,requests\n2026-04-14T09:00:00Z,60\n2026-04-14T10:00:00Z,60\n"
    );
}

#[test]
fn a_summary_says_what_happened() {
    let place = Place::new();
    let file = place
        .write("log.ndjson", (0..90).map(|it| line("acme", it)).collect::<String>() + "oops\n");
    let (_, summary) = place.replay(&[&file], &["--threads", "1"]);
    assert_eq!(count(&summary, "events"), 90);
    assert_eq!(count(&summary, "rejected"), 1);
    assert_eq!(count(&summary, "identities"), 1);
    assert_eq!(count(&summary, "windows"), 2);
    assert_eq!(count(&summary, "findings"), 0);
    assert_eq!(count(&summary, "threads"), 1);
    assert!(count(&summary, "peak_rss_bytes") > 1_000_000);
    for number in ["seconds", "events_per_second"] {
        assert!(summary[number].as_f64().is_some_and(|it| it > 0.0), "{summary}");
    }
    assert_eq!(summary["rejected_by_reason"].as_object().map(serde_json::Map::len), Some(1));
}

#[test]
fn whoever_reads_no_further_is_no_trouble() {
    let place = Place::new();
    let file = place.write("log.ndjson", (0..90).map(|it| line("acme", it)).collect::<String>());
    for command in [&["coverage"][..], &["formats", "explain"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_habitus"))
            .args(command)
            .args([file.as_str(), "--output", "json"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let said = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success() && err.is_empty(), "{command:?}: {err}");
    }
}

#[test]
fn what_normalize_writes_is_read_back_as_the_same_events() {
    let place = Place::new();
    let file = place.write("log.ndjson", (0..90).map(|it| line("acme", it)).collect::<String>());
    let first = place.run(&["normalize", &file]);
    assert_eq!(first.code, 0, "{}", first.err);
    let again = place.write("canonical.ndjson", &first.out);
    let second = place.run(&["normalize", "--format", "canonical", &again]);
    let events = |text: &str| -> Vec<Value> {
        let parse = |line: &str| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            // Where an event was read from is no part of what it is.
            event
                .as_object_mut()
                .unwrap()
                .retain(|key, _| !matches!(key.as_str(), "observed_time"));
            event
        };
        text.lines().map(parse).collect()
    };
    assert_eq!(events(&first.out).len(), 90);
    assert_eq!(events(&first.out), events(&second.out));
}

#[test]
fn an_unsorted_log_needs_sort_and_says_so() {
    let place = Place::new();
    // More than is read in one round, the latest first.
    let minutes = (0..800).rev().flat_map(|minute| std::iter::repeat_n(minute, 60));
    let file = place.write("log.ndjson", minutes.map(|it| line("acme", it)).collect::<String>());
    let (_, summary) = place.replay(&[&file], &["--sort"]);
    assert_eq!(count(&summary, "late_not_scored"), 0);
    assert_eq!(place.query("store", "SELECT sum(requests) AS n FROM windows"), "n\n48000\n");
    let said = place.run_in("unsorted", &["replay", &file]);
    assert!(said.err.contains("run with --sort"), "{}", said.err);
}

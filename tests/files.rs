//! The service over files that grow, are rotated and removed: what a replay of all lines finds.

use crate::habitus::{Place, is_full};
use crate::live::{BEFORE_THE_END, check_revisions, log, log_of, replayed};
use crate::service::{PATIENCE, Service, findings};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

const CONFIG: &str = "[run]\nepoch_seconds = 1\nepoch_events = 2000\n";

/// A place with a directory of logs and a configuration.
fn place() -> Place {
    let place = Place::new();
    place.write("habitus.toml", CONFIG);
    fs::create_dir(place.path("logs")).unwrap();
    place
}

/// Starts the service over `pattern`, with its standard error to be read.
/// How often it is looked whether something happened.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Starts the service on the files of a pattern.
fn start(place: &Place, pattern: &str, hold: Option<&str>) -> Service {
    Service::start_with(place, "store", hold, &["--source", pattern])
}

fn append(place: &Place, name: &str, lines: &[String]) {
    let file = OpenOptions::new().create(true).append(true).open(place.path(name));
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

/// Bytes that were read of all files, as the committed place has it, and whether all of them are
/// judged; files that begin alike are one, which was copied or packed.
fn committed(place: &Place) -> (i64, bool) {
    let entries = fs::read_dir(place.path("store/checkpoints")).into_iter().flatten().flatten();
    let mut paths = entries.map(|it| it.path());
    let Some(path) = paths.find(|it| it.extension().is_some_and(|it| it == "json")) else {
        return (0, false);
    };
    let text: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let slots = text["files"]["slots"].as_array().unwrap().iter();
    let offsets = text["offsets"].as_array().unwrap();
    let is_judged = slots.clone().zip(offsets).all(|(slot, offset)| {
        slot["phase"] == "free" || offset.is_null() || *offset == slot["known"]["position"]
    });
    let slots = slots.filter(|it| it["phase"] != "free").map(|it| &it["known"]);
    let known = slots.chain(text["files"]["seen"].as_array().unwrap());
    let mut files: BTreeMap<String, i64> = BTreeMap::new();
    for one in known {
        let read = files.entry(one["head"]["hash"].to_string()).or_default();
        *read = (*read).max(one["position"].as_i64().unwrap());
    }
    (files.values().sum(), is_judged)
}

/// Waits until so many bytes are committed.
fn wait_until_read(place: &Place, bytes: i64) {
    let looks = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
    for look in 0.. {
        let (sum, is_judged) = committed(place);
        if sum >= bytes && is_judged {
            assert_eq!(sum, bytes);
            return;
        }
        assert!(look < looks, "{sum} of {bytes} bytes are committed");
        std::thread::sleep(LOOK_EVERY);
    }
}

fn bytes(lines: &[String]) -> i64 {
    lines.iter().map(|line| line.len() as i64 + 1).sum()
}

/// The lines in parts, cut where the second changes.
fn parts(lines: &[String], count: usize) -> Vec<&[String]> {
    let second = |line: &String| line.split('"').nth(3).map(str::to_owned);
    let mut parts = Vec::new();
    let mut rest = lines;
    for part in (1..count).rev() {
        let mut at = rest.len() / (part + 1);
        while at < rest.len() && second(&rest[at - 1]) == second(&rest[at]) {
            at += 1;
        }
        let (first, more) = rest.split_at(at);
        parts.push(first);
        rest = more;
    }
    parts.push(rest);
    parts
}

#[test]
fn a_file_that_grows_and_is_rotated_gives_what_a_replay_gives() {
    let (place, lines) = (place(), log(9));
    let parts = parts(&lines, 6);
    let service = start(&place, "logs/a.log*", None);
    let mut read = 0;
    for (number, part) in parts.iter().enumerate() {
        append(&place, "logs/a.log", part);
        read += bytes(part);
        wait_until_read(&place, read);
        let (log, old) = (place.path("logs/a.log"), place.path(&format!("logs/a.log.{number}")));
        match number {
            0 => fs::rename(&log, &old).unwrap(),
            1 => {
                fs::copy(&log, &old).unwrap();
                OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
            }
            2 => {
                fs::rename(&log, &old).unwrap();
                assert!(Command::new("gzip").arg(&old).status().unwrap().success());
            }
            3 => fs::remove_file(&log).unwrap(),
            _ => {}
        }
    }
    service.stop();
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
    check_revisions(&place, "store");
    // Evidence names the file, and the byte where the line begins.
    let evidence = place.query("store", "SELECT evidence FROM findings_current LIMIT 1");
    assert!(evidence.contains("logs/a.log"), "{evidence}");
    // The next start has nothing to do.
    let mut service = start(&place, "logs/a.log*", None);
    service.wait_for("taking up checkpoint");
    std::thread::sleep(Duration::from_secs(3));
    service.stop();
    let summary: Value =
        serde_json::from_str(&fs::read_to_string(place.path("run.json")).unwrap()).unwrap();
    assert_eq!(summary["events"], 0, "{summary}");
}

#[test]
fn crash_over_files_at_named_points_changes_nothing() {
    let (place, lines) = (place(), log(9));
    append(&place, "logs/a.log", &lines);
    for point in ["stored", "checkpointed", "replacing", "committed"] {
        let mut service = start(&place, "logs/*.log", Some(point));
        service.wait_for(&format!("held at {point}"));
        service.kill();
    }
    let service = start(&place, "logs/*.log", None);
    wait_until_read(&place, bytes(&lines));
    service.stop();
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
    check_revisions(&place, "store");
}

#[test]
fn crash_over_files_at_any_moment_changes_nothing() {
    let (place, lines) = (place(), log(9));
    let kills = if is_full() { 50 } else { 5 };
    let parts = parts(&lines, kills);
    for (number, part) in (0_u64..).zip(&parts) {
        append(&place, "logs/a.log", part);
        let service = start(&place, "logs/a.log*", None);
        std::thread::sleep(Duration::from_millis(300 + number * 7_919 % 2_500));
        service.kill();
        if number % 2 == 0 {
            // While nobody reads, the file is rotated.
            let old = place.path(&format!("logs/a.log.{number}"));
            fs::rename(place.path("logs/a.log"), old).unwrap();
            append(&place, "logs/a.log", &[]);
        }
    }
    let service = start(&place, "logs/a.log*", None);
    wait_until_read(&place, bytes(&lines));
    service.stop();
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
    check_revisions(&place, "store");
}

#[test]
fn files_of_many_days_are_read_in_the_order_of_time() {
    let (place, lines) = (place(), log(9));
    let parts = parts(&lines, 4);
    // The latest has the first name, and one is packed.
    for (name, part) in ["logs/d.log", "logs/c.log", "logs/b.log", "logs/a.log"].iter().zip(&parts)
    {
        append(&place, name, part);
    }
    assert!(Command::new("gzip").arg(place.path("logs/c.log")).status().unwrap().success());
    let service = start(&place, "logs/*", None);
    wait_until_read(&place, bytes(&lines));
    service.stop();
    let summary: Value =
        serde_json::from_str(&fs::read_to_string(place.path("run.json")).unwrap()).unwrap();
    assert_eq!(summary["events"], lines.len());
    // An archive is looked at when it rests, a moment after the files beside it were.
    let found = place.query("store", "SELECT sum(requests) FROM windows");
    assert!(found.lines().count() == 2, "{found}");
}

#[test]
fn a_second_process_is_refused() {
    let place = place();
    append(&place, "logs/a.log", &log_of(1, 9));
    let mut service = start(&place, "logs/a.log", None);
    service.wait_for("leading");
    let said = place.run(&["run", "--source", "logs/a.log"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("another habitus follows files as group habitus"), "{}", said.err);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    service.kill();
}

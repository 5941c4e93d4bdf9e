//! Back-tests: what another configuration would find, beside what a store has, which stays as it is.

use crate::habitus::{Place, Said, root, text};
use crate::services;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Eleven days of a real site and an account of it, with findings of four detectors on two days.
const LOG: &str = "tests/corpus/dormant/attack/real_small_site_an_account_comes_back.log.gz";

fn log() -> String {
    root().join(LOG).to_str().unwrap().to_owned()
}

/// A place whose store has the log.
fn replayed() -> (Place, Vec<Value>) {
    let place = Place::new();
    let (findings, _) = place.replay(&[&log()], &[]);
    assert!(findings.len() >= 3, "{findings:#?}");
    (place, findings)
}

/// Every file below a directory with its bytes.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Back-tests the log with more arguments: every finding that was compared, and what the command said.
/// The store is the same afterwards, to the byte.
#[track_caller]
fn back_test(place: &Place, more: &[&str]) -> (Vec<Value>, Said) {
    let before = files(&place.path("store"));
    let summary = place.path("summary.json");
    let args = ["replay", "--back-test", "--output", "ndjson", "--summary"];
    let args = [&args[..], &[summary.to_str().unwrap()], more].concat();
    let said = place.run(&args);
    assert_eq!(files(&place.path("store")), before, "the store changed");
    (said.rows(), said)
}

fn of_change<'a>(rows: &'a [Value], change: &str) -> Vec<&'a Value> {
    rows.iter().filter(|it| text(it, "change") == change).collect()
}

/// A count of the summary.
fn count(place: &Place, field: &str) -> u64 {
    let summary = place.summary();
    summary["back_test"][field].as_u64().unwrap_or_else(|| panic!("{field} in {summary}"))
}

#[test]
fn under_the_same_configuration_nothing_appears_and_nothing_disappears() {
    let (place, findings) = replayed();
    for threads in ["1", "2"] {
        let (rows, said) = back_test(&place, &[&log(), "--threads", threads, "--require-same"]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert_eq!(of_change(&rows, "same").len(), findings.len(), "{rows:#?}");
        assert_eq!(rows.len(), findings.len());
        assert!(
            said.err.contains("under the same [detect]: nothing of it changed"),
            "{}",
            said.err
        );
        assert!(said.err.contains("this run judged from 2015-01-"), "{}", said.err);
    }
    let days = &place.summary()["back_test"]["days"];
    let day = |it| text(it, "window_start").split('T').next().unwrap();
    let dates: BTreeSet<_> = findings.iter().map(day).collect();
    assert!(dates.len() >= 2 && days.as_array().unwrap().len() == dates.len(), "{days}");
    for day in days.as_array().unwrap() {
        let is_of_day = |it: &&Value| text(it, "window_start").starts_with(text(day, "day"));
        assert_eq!(day["same"], findings.iter().filter(is_of_day).count(), "{day}");
        assert_eq!(day["would_appear"], 0);
    }
}

#[test]
fn without_a_detector_its_findings_disappear_on_their_days_and_no_others() {
    let (place, findings) = replayed();
    let off = place.write("off.toml", "[detect]\ndisabled = [\"write_burst\"]\n");
    let (rows, said) = back_test(&place, &[&log(), "--config", &off, "--require-same"]);
    assert_eq!(said.code, 1, "something differs: {}", said.err);
    let gone = of_change(&rows, "disappears");
    let of_it: Vec<_> =
        findings.iter().filter(|it| text(it, "detector") == "write_burst").collect();
    assert_eq!(gone.len(), of_it.len(), "{gone:#?}");
    for (gone, found) in gone.iter().zip(&of_it) {
        for field in ["finding_id", "detector", "sentence", "window_start", "detected_at"] {
            assert_eq!(gone[field], found[field]);
        }
        assert_eq!(text(gone, "day"), text(found, "window_start").split('T').next().unwrap());
        assert_eq!(gone["severity"], Value::Null, "nobody gives it one now");
    }
    assert!(of_change(&rows, "appears").is_empty(), "{rows:#?}");
    assert_eq!(count(&place, "would_disappear"), of_it.len() as u64);
    let changed = "the defaults say of [detect]; what changed: detect.disabled: [] -> \
                   [\"write_burst\"]";
    assert!(said.err.contains(changed), "{}", said.err);
    let (_, said) = back_test(&place, &[&log(), "--config", &off]);
    assert_eq!(said.code, 0, "nobody required anything: {}", said.err);
}

#[test]
fn a_larger_budget_makes_more_appear_and_none_disappear() {
    let place = Place::new();
    let small = place.write(
        "habitus.toml",
        "[detect]\nfindings_per_day = 0.2\nwindows_per_finding_min = 1000000.0\n",
    );
    let large = place.write("large.toml", "[detect]\nfindings_per_day = 50.0\n");
    let (few, _) = place.replay(&[&log()], &["--config", &small]);
    let (rows, said) = back_test(&place, &[&log(), "--config", &large]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(of_change(&rows, "disappears").is_empty(), "{rows:#?}");
    assert_eq!(of_change(&rows, "same").len(), few.len());
    let more = of_change(&rows, "appears");
    assert!(!more.is_empty(), "{rows:#?}");
    assert_eq!(more[0]["severity_stored"], Value::Null);
    // The configuration of the directory is the one that is in force.
    assert!(said.err.contains("what habitus.toml says of [detect]"), "{}", said.err);
    assert!(said.err.contains("detect.findings_per_day: 0.2 -> 50.0"), "{}", said.err);
    let table =
        place.run(&["replay", &log(), "--back-test", "--config", &large, "--output", "table"]);
    let total = format!("{} would appear, 0 would disappear, {} stay", more.len(), few.len());
    assert!(table.out.contains(&total), "{}", table.out);
    for it in more {
        assert!(table.out.contains(text(it, "sentence").split(' ').next().unwrap()));
        assert!(table.out.contains(text(it, "day")), "{}", table.out);
    }
}

#[test]
fn a_period_bounds_what_is_compared_and_not_what_is_learned() {
    let (place, findings) = replayed();
    let (since, until) = ("2015-01-24", "2015-01-29");
    let (rows, said) =
        back_test(&place, &[&log(), "--since", since, "--until", until, "--require-same"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let is_within = |it: &&Value| (since..until).contains(&text(it, "window_start"));
    let within = findings.iter().filter(is_within).count();
    assert!(within > 0 && within < findings.len());
    assert_eq!(rows.len(), within, "{rows:#?}");
    let said = place.run(&["replay", &log(), "--back-test", "--since", until, "--until", since]);
    assert!(said.code == 1 && said.err.contains("no time lies between"), "{}", said.err);
    let said = place.run(&["replay", &log(), "--since", since]);
    assert_eq!(said.code, 2, "a replay takes the whole of a log: {}", said.err);
}

#[test]
fn what_only_one_side_saw_is_counted_and_not_compared() {
    let (place, findings) = replayed();
    let bytes = crate::samples::unpacked(Path::new(&log()));
    let lines: Vec<_> = std::str::from_utf8(&bytes).unwrap().lines().collect();
    let is_late = |line: &&&str| !(18..24).any(|day| line.contains(&format!("[{day}/Jan")));
    let late: String = lines.iter().filter(is_late).flat_map(|line| [line, "\n"]).collect();
    let part = place.write("part.log", &late);
    let (rows, said) = back_test(&place, &[&part]);
    assert_eq!(said.code, 0, "{}", said.err);
    let early = findings.iter().filter(|it| text(it, "window_start") < "2015-01-24").count() as u64;
    assert!(early > 0);
    assert_eq!(count(&place, "stored_not_compared"), early);
    assert!(rows.iter().all(|it| text(it, "window_start") >= "2015-01-24"), "{rows:#?}");
    assert!(said.err.contains("this log has not or not whole"), "{}", said.err);
    assert!(said.err.contains("the store's baselines began before this log"), "{}", said.err);
    // The other way round: a store that saw less than the log.
    let less = Place::new();
    let part = less.write("part.log", &late);
    less.replay(&[&part], &[]);
    let (rows, said) = back_test(&less, &[&log()]);
    assert!(rows.iter().all(|it| text(it, "window_start") >= "2015-01-24"), "{rows:#?}");
    assert!(count(&less, "run_not_compared") > 0, "{}", said.err);
}

#[test]
fn a_back_test_needs_a_store_with_windows_and_its_key() {
    let place = Place::new();
    let said = place.run(&["replay", &log(), "--back-test"]);
    assert!(said.code == 1 && said.err.contains("store"), "{}", said.err);
    assert!(!place.path("store").exists(), "nothing is made");
    let empty = place.write("empty.ndjson", "");
    place.run(&["replay", &empty]);
    let said = place.run(&["replay", &log(), "--back-test"]);
    assert!(said.code == 1 && said.err.contains("nothing to compare with"), "{}", said.err);
    let (place, _) = replayed();
    let empty = place.write("empty.ndjson", "");
    let said = place.run(&["replay", &empty, "--back-test"]);
    assert!(said.code == 1 && said.err.contains("no events to compare"), "{}", said.err);
}

#[test]
fn a_back_test_says_the_same_of_a_server() {
    const TEST: &str = "a_back_test_says_the_same_of_a_server";
    let Some(server) = services::clickhouse(TEST) else { return };
    let (place, url) = (Place::new(), crate::reads::database(server, "back_test"));
    let key = place.write("key.txt", "cd".repeat(32));
    let (findings, _) = place.replay(&[&log()], &["--key-file", &key]);
    for args in [&["migrate"][..], &["replay", &log(), "--key-file", &key]] {
        let said = place.run_at(&url, args);
        assert_eq!(said.code, 0, "{}", said.err);
    }
    let off = place.write("off.toml", "[detect]\ndisabled = [\"machine_speed\"]\n");
    let log = log();
    let args = ["replay", &log, "--back-test", "--key-file", &key, "--config", &off];
    for format in ["json", "ndjson", "csv", "table"] {
        let args = [&args[..], &["--output", format]].concat();
        let (here, there) = (place.run(&args), place.run_at(&url, &args));
        assert_eq!((here.code, there.code), (0, 0), "{}\n{}", here.err, there.err);
        assert_eq!(here.out, there.out, "{format}");
        assert!(here.out.contains("disappears"), "{}", here.out);
    }
    let after = place.run_at(&url, &["findings", "--limit", "1000", "--output", "ndjson"]);
    assert_eq!(after.rows().len(), findings.len(), "the server's are as they were");
}

//! The same input gives the same bytes: with one thread and with two, and when it is read again.

use crate::habitus::{Place, text};
use crate::samples::sample;
use model::tables::Table;
use simulate::Scenario;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A reduced demo: a day of Kong's log with attacks in it.
fn demo(place: &Place) -> String {
    let scenario = Scenario { seed: 5, people: 30, services: 8, agents: 8, ..Scenario::default() };
    let mut bytes = Vec::new();
    simulate::generate(&scenario, &mut |record| simulate::kong::write(record, &mut bytes));
    place.write("demo.ndjson", bytes)
}

/// Every Parquet file below a directory, with its bytes, in order.
fn parquet(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == "parquet") {
                let name = path.strip_prefix(dir).unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[track_caller]
fn check_threads(place: &Place, file: &str) {
    let key = place.write("key", "5a".repeat(32));
    for (store, threads) in [("one", "1"), ("two", "2")] {
        let said = place.run_in(
            store,
            &["replay", file, "--threads", threads, "--key-file", &key, "--output", "ndjson"],
        );
        assert_eq!(said.code, 0, "{}", said.err);
    }
    // What people do to a store is no part of a replay.
    for table in Table::ALL.into_iter().filter(|it| !it.is_by_people()) {
        let sql = format!("SELECT * FROM {}", table.as_str());
        let [one, two] = ["one", "two"].map(|store| place.query(store, &sql));
        assert!(one.lines().count() > 1, "{} is empty", table.as_str());
        assert_eq!(one, two, "{} differs", table.as_str());
    }
    let [one, two] = ["one", "two"].map(|store| parquet(&place.path(store)));
    assert_eq!(one.keys().collect::<Vec<_>>(), two.keys().collect::<Vec<_>>());
    for (path, bytes) in &one {
        assert!(two[path] == *bytes, "{} differs", path.display());
    }
}

#[test]
fn a_generated_day_gives_the_same_bytes_with_one_thread_and_with_two() {
    let place = Place::new();
    let file = demo(&place);
    check_threads(&place, &file);
}

#[test]
fn a_real_site_gives_the_same_bytes_with_one_thread_and_with_two() {
    const TEST: &str = "a_real_site_gives_the_same_bytes_with_one_thread_and_with_two";
    let Some(path) = sample(TEST, "logs/apache_semicomplete.log.gz") else { return };
    check_threads(&Place::new(), path.to_str().unwrap());
}

#[test]
fn a_second_replay_keeps_each_finding_once_and_the_highest_revision_wins() {
    let place = Place::new();
    let file = demo(&place);
    let (first, _) = place.replay(&[&file], &[]);
    let (second, _) = place.replay(&[&file], &[]);
    assert!(!first.is_empty());
    assert_eq!(first, second);
    let mut ids: Vec<_> = second.iter().map(|finding| text(finding, "finding_id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), second.len());
    let lower = place.query(
        "store",
        "SELECT count(*) FROM findings_current AS c JOIN findings AS f ON f.finding_id = c.finding_id \
         WHERE f.revision > c.revision",
    );
    assert_eq!(lower, "count(*)\n0\n");
    let windows = place.query(
        "store",
        "SELECT count(*) = count(DISTINCT (principal_id, window_start)) AS once FROM windows",
    );
    assert_eq!(windows, "once\ntrue\n");
}

//! Bad input: said on one clear line, counted in the summary, and nothing else lost.

use crate::habitus::{Place, Said, count, is_full};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

/// An ordinary line of a generic JSON log, `second` seconds into an hour.
fn line(second: u32) -> String {
    format!(
        "{{\"time\":\"2026-04-14T09:{:02}:{:02}Z\",\"consumer\":\"acme\",\"method\":\"GET\",\
         \"path\":\"/orders\",\"status\":200,\"ip\":\"192.0.2.7\"}}\n",
        second / 60,
        second % 60,
    )
}

fn lines(seconds: std::ops::Range<u32>) -> String {
    seconds.map(line).collect()
}

/// Replays files; what was said, and the summary.
fn replay(place: &Place, files: &[&str]) -> (Said, serde_json::Value) {
    let summary = place.path("summary.json");
    let args = [&["replay", "--output", "ndjson", "--summary", summary.to_str().unwrap()], files];
    let said = place.run(&args.concat());
    assert!(!said.err.contains("panicked"), "{}", said.err);
    (said, place.summary())
}

/// A file of 50 good lines with something bad among them: one rejected, and the line is named.
#[track_caller]
fn check_one_bad(bad: &[u8], reason: &str) {
    let place = Place::new();
    let bytes = [lines(0..25).as_bytes(), bad, b"\n", lines(25..50).as_bytes()].concat();
    let file = place.write("mixed.ndjson", bytes);
    let (said, summary) = replay(&place, &[&file]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!((count(&summary, "events"), count(&summary, "rejected")), (50, 1), "{}", said.err);
    assert_eq!(summary["rejected_by_reason"][reason], 1, "{summary}");
    let named: Vec<_> = said.err.lines().filter(|it| it.contains("line 26")).collect();
    assert_eq!(named.len(), 1, "{}", said.err);
}

/// An input that cannot be read beside one that can: exit 1, the file is named, the other is read.
#[track_caller]
fn check_unreadable(place: &Place, bad: &str, words: &str, events: u64) {
    let good = place.write("good.ndjson", lines(0..50));
    let (said, summary) = replay(place, &[&good, bad]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert_eq!(count(&summary, "events"), events, "{}", said.err);
    let problems = summary["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1, "{summary}");
    let said: Vec<_> = said.err.lines().filter(|line| line.contains(words)).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    let name = bad.rsplit('/').next().unwrap();
    assert!(said[0].contains(name), "{said:?}");
}

#[test]
fn times_out_of_range_are_rejected_with_their_line() {
    for year in ["1970", "2200"] {
        check_one_bad(line(7).replace("2026", year).trim().as_bytes(), "time_out_of_range");
    }
}

#[test]
fn a_broken_line_is_rejected_with_its_line() {
    check_one_bad(b"{\"time\":\"2026-04-14T09:", "malformed_json");
}

#[test]
fn invalid_utf8_is_mended_and_not_lost() {
    let place = Place::new();
    let bad = line(7).replace("/orders", "/\u{1}").into_bytes();
    let bad: Vec<u8> = bad.into_iter().map(|byte| if byte == 1 { 0xff } else { byte }).collect();
    let file = place.write("mixed.ndjson", [lines(0..25).into_bytes(), bad].concat());
    let (said, summary) = replay(&place, &[&file]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!((count(&summary, "events"), count(&summary, "records")), (26, 26), "{summary}");
}

#[test]
fn a_giant_line_is_rejected_and_the_rest_read() {
    let bytes = if is_full() { 100_000_000 } else { 5_000_000 };
    check_one_bad(&vec![b'x'; bytes], "line_too_long");
}

#[test]
fn binary_garbage_is_refused_by_name() {
    let place = Place::new();
    let mut state = 1_u64;
    let garbage: Vec<u8> = (0..200_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let bad = place.write("garbage.bin", garbage);
    check_unreadable(&place, &bad, "garbage.bin", 50);
}

#[test]
fn a_truncated_gzip_is_read_to_where_it_ends() {
    let place = Place::new();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(lines(50..3_500).as_bytes()).unwrap();
    let bytes = gzip.finish().unwrap();
    let bad = place.write("cut.ndjson.gz", &bytes[..bytes.len() / 2]);
    let good = place.write("good.ndjson", lines(0..50));
    let (said, summary) = replay(&place, &[&good, &bad]);
    assert_eq!(said.code, 1, "{}", said.err);
    let events = count(&summary, "events");
    assert!((500..3_500).contains(&events), "{events}");
    assert!(said.err.lines().any(|it| it.contains("cut.ndjson.gz")), "{}", said.err);
}

#[test]
fn an_empty_file_is_noted_and_no_failure() {
    let place = Place::new();
    let (empty, good) = (place.write("empty.log", ""), place.write("good.ndjson", lines(0..50)));
    let (said, summary) = replay(&place, &[&good, &empty]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(count(&summary, "events"), 50);
    assert!(said.err.lines().any(|it| it.contains("empty.log")), "{}", said.err);
}

#[cfg(unix)]
#[test]
fn a_directory_without_permission_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let dir = place.path("closed");
    std::fs::create_dir(&dir).unwrap();
    place.write("closed/inside.ndjson", lines(50..60));
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o000)).unwrap();
    let is_open = std::fs::read_dir(&dir).is_ok();
    if is_open {
        println!("skipped: a_directory_without_permission_is_named: this user may read everything");
    } else {
        check_unreadable(&place, dir.to_str().unwrap(), "closed", 50);
    }
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).unwrap();
}

/// A command that must fail: exit code, and one line on standard error with these words.
#[track_caller]
fn check_refused(place: &Place, args: &[&str], code: i32, words: &str) {
    let said = place.run(args);
    assert_eq!(said.code, code, "{args:?}: {}{}", said.out, said.err);
    assert!(said.err.contains(words), "{args:?}: {}", said.err);
    assert!(said.out.is_empty(), "{}", said.out);
    if code == 1 {
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    }
}

#[test]
fn what_makes_no_sense_is_refused_on_one_line() {
    let place = Place::new();
    let good = place.write("good.ndjson", lines(0..50));
    let config = place.write("wrong.toml", "[detect]\nfindings_per_dya = 3\n");
    check_refused(&place, &["replay", "--format", "nginks", &good], 1, "`nginks`");
    check_refused(&place, &["replay", "--config", &config, &good], 1, "`findings_per_dya`");
    check_refused(&place, &["replay", "--config", "none.toml", &good], 1, "none.toml");
    check_refused(&place, &["replay", &good, "missing.log"], 1, "missing.log");
    check_refused(&place, &["replay"], 2, "FILE");
    check_refused(&place, &["replya"], 2, "replya");
    check_refused(&place, &["findings"], 1, "store");
    place.write("store", "a file");
    check_refused(&place, &["replay", &good], 1, "store");
}

#[test]
fn a_query_may_only_read() {
    let place = Place::new();
    let good = place.write("good.ndjson", lines(0..50));
    place.replay(&[&good], &[]);
    let out = place.path("out.csv");
    for (sql, words) in [
        ("SELEKT 1", "SELEKT"),
        ("SELECT nothing FROM findings", "nothing"),
        ("SELECT * FROM nowhere", "nowhere"),
        (&format!("COPY findings TO '{}'", out.display()), ""),
        ("INSERT INTO findings SELECT * FROM findings", ""),
        ("DROP TABLE findings", ""),
        ("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'", ""),
        ("SET datafusion.execution.batch_size = 1", ""),
    ] {
        check_refused(&place, &["query", sql], 1, words);
    }
    assert!(!out.exists());
}

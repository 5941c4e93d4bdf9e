//! A flood of made-up identities: memory stays within its budget, every call is counted, those who were
//! there before are judged as without it, and whoever comes back gets a place.

use crate::habitus::{Place, count, is_full, text};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};

/// Sizes of a run.
struct Size {
    established: u64,
    attacked: u64,
    flood: u64,
    state_bytes_max: u64,
    /// What the process may hold at most; 0 where that says nothing.
    peak_rss_max: u64,
}

const ORDINARY: Size = Size {
    established: 300,
    attacked: 20,
    flood: 120_000,
    state_bytes_max: 12 << 20,
    peak_rss_max: 0,
};
/// The sizes of the specification, under the budget of the defaults.
const FULL: Size = Size {
    established: 1_000,
    attacked: 100,
    flood: 10_000_000,
    state_bytes_max: 1 << 30,
    peak_rss_max: 1 << 30,
};

/// The first hour of the log, from its day's midnight, and the hours of a working day.
const WORK_H: std::ops::Range<u64> = 8..18;
/// The flood lasts for a day: from the third day's tenth hour to the fourth's.
const FLOOD_H: std::ops::Range<u64> = (2 * 24 + 10)..(3 * 24 + 10);
/// Who comes for the first time in the flood's night, and how often.
const RETURNER: (&str, u64) = ("nightly-backup", 60);

/// A call: second of the log, who, path.
type Call = (u64, String, String);

/// Numbers without a pattern (`SplitMix64`).
fn scatter(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The calls of an hour by those who are established, and the sweeps of some of them.
fn ordinary(size: &Size, hour: u64) -> Vec<Call> {
    let mut calls = Vec::new();
    let start = hour * 3_600;
    if WORK_H.contains(&(hour % 24)) {
        for who in 0..size.established {
            for turn in 0..6 {
                let dice = scatter(hour << 32 | who << 8 | turn);
                let object = who * 40 + dice % 12;
                let path = match turn % 3 {
                    0 => "/orders".to_owned(),
                    1 => format!("/orders/{object}"),
                    _ => format!("/customers/{object}"),
                };
                calls.push((start + dice % 3_500, format!("user-{who}"), path));
            }
        }
    }
    // One in so many of them sweeps, in the hours of the flood and after it.
    for attacker in (0..size.attacked).filter(|it| hour == sweep_h(*it)) {
        for call in 0..150 {
            let second = start + 600 + call * 2 + attacker % 7;
            calls.push((second, attacked(size, attacker), format!("/orders/{}", 500_000 + call)));
        }
    }
    calls
}

fn attacked(size: &Size, attacker: u64) -> String {
    format!("user-{}", attacker * (size.established / size.attacked))
}

fn sweep_h(attacker: u64) -> u64 {
    FLOOD_H.start + 1 + attacker % 5 + if attacker.is_multiple_of(2) { 24 } else { 0 }
}

/// The same and the flood, in order; the flood's are spread evenly over its hours.
fn write_log(size: &Size, is_flooded: bool, out: &mut impl Write) -> std::io::Result<()> {
    let mut next = 0;
    let hours = FLOOD_H.end - FLOOD_H.start;
    for hour in 0..(FLOOD_H.end + 7) {
        let mut calls = ordinary(size, hour);
        if hour == FLOOD_H.start + 16 {
            let each =
                (0..RETURNER.1).map(|it| (hour * 3_600 + 900 + it * 30, RETURNER.0.to_owned()));
            calls.extend(each.map(|(second, who)| (second, who, "/backup".to_owned())));
        }
        calls.sort();
        let mut calls = calls.into_iter().peekable();
        for second in hour * 3_600..(hour + 1) * 3_600 {
            while let Some((at, who, path)) = calls.next_if(|call| call.0 <= second) {
                write_call(out, at, &who, &path)?;
            }
            if is_flooded && FLOOD_H.contains(&hour) {
                let until = (second - FLOOD_H.start * 3_600 + 1) * size.flood / (hours * 3_600);
                for number in next..until {
                    let (who, path) = (scatter(number), scatter(!number));
                    write_call(out, second, &format!("x-{who:016x}"), &format!("/{path:x}"))?;
                }
                next = until;
            }
        }
    }
    out.flush()
}

fn write_call(out: &mut impl Write, second: u64, who: &str, path: &str) -> std::io::Result<()> {
    let (day, hour, minute) = (second / 86_400 + 2, second / 3_600 % 24, second / 60 % 60);
    writeln!(
        out,
        "{{\"time\":\"2026-03-{day:02}T{hour:02}:{minute:02}:{:02}Z\",\"consumer\":\"{who}\",\
         \"method\":\"GET\",\"path\":\"{path}\",\"status\":200,\"bytes_out\":900,\"ip\":\"192.0.2.7\"}}",
        second % 60,
    )
}

/// Replays a log that is written while it is read; the findings and the summary.
fn replay(place: &Place, size: &Size, is_flooded: bool, more: &[&str]) -> (Vec<Value>, Value) {
    let config = format!("[detect]\nstate_bytes_max = {}\n", size.state_bytes_max);
    let config = place.write("habitus.toml", config);
    let mut child = Command::new(env!("CARGO_BIN_EXE_habitus"))
        .args(["replay", "-", "--output", "ndjson", "--config", &config])
        .args(more)
        .args(["--summary", place.path("summary.json").to_str().unwrap()])
        .args(["--store", place.path("store").to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = BufWriter::with_capacity(1 << 20, child.stdin.take().unwrap());
    let output = std::thread::scope(|scope| {
        scope.spawn(move || write_log(size, is_flooded, &mut input).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), place.summary())
}

fn swept(findings: &[Value]) -> BTreeSet<&str> {
    let sweeps = findings.iter().filter(|it| text(it, "detector") == "object_enumeration");
    sweeps.filter_map(|it| it["principal_id"].as_str()).collect()
}

fn of_explosion(findings: &[Value]) -> Vec<&Value> {
    findings.iter().filter(|it| text(it, "detector") == "identity_explosion").collect()
}

#[test]
fn a_flood_of_identities_hides_nobody_and_is_one_finding() {
    let size = if is_full() { FULL } else { ORDINARY };
    let (clean_place, place) = (Place::new(), Place::new());
    let (clean, clean_summary) = replay(&clean_place, &size, false, &[]);
    let (flooded, summary) = replay(&place, &size, true, &[]);
    println!("clean: {clean_summary}\nflooded: {summary}");
    assert_eq!(count(&clean_summary, "identities_overflowed_calls"), 0);
    assert_eq!(count(&clean_summary, "identities"), size.established + 1);
    assert!(of_explosion(&clean).is_empty());

    // Whoever was there before is judged as without the flood.
    let meant: BTreeSet<String> = (0..size.attacked).map(|it| attacked(&size, it)).collect();
    let recall = |findings: &[Value]| {
        let found = swept(findings).into_iter().filter(|who| meant.contains(*who)).count();
        100.0 * found as f64 / size.attacked as f64
    };
    let (before, after) = (recall(&clean), recall(&flooded));
    assert!(before >= 90.0, "{before} of 100 are found without a flood");
    assert!((before - after).abs() <= 1.0, "{before} and {after} of 100 are found");
    let others = |findings: &[Value]| findings.len() - swept(findings).len();
    println!("others: {} and {}", others(&clean), others(&flooded));

    // It is one finding, which was revised.
    let said = of_explosion(&flooded);
    assert_eq!(said.len(), 1, "{said:#?}");
    println!("{}\n{}", text(said[0], "sentence"), text(said[0], "counterfactual"));
    let rows = place.query(
        "store",
        "SELECT count(DISTINCT finding_id), count(*) >= 3, count(DISTINCT revision) = count(*) \
         FROM findings WHERE detector = 'identity_explosion'",
    );
    assert_eq!(rows.lines().last(), Some("1,true,true"), "{rows}");

    check_counters(&place, &size, &summary, said[0]);
}

/// Every call is in one window, and every refusal is counted.
#[track_caller]
fn check_counters(place: &Place, size: &Size, summary: &Value, said: &Value) {
    let calls = count(summary, "identities_overflowed_calls");
    let sums = place.query(
        "store",
        "SELECT sum(requests), sum(CASE WHEN principal_id LIKE '{overflow-%' THEN requests ELSE 0 END) \
         FROM windows",
    );
    let expected = format!("{},{calls}", count(summary, "events"));
    assert_eq!(sums.lines().last(), Some(&*expected));
    // A place was given to each of those, or its calls were refused: all but the returner call once.
    let evicted = count(summary, "identities_evicted");
    let kept = place.query(
        "store",
        "SELECT count(*), sum(CASE WHEN principal_id LIKE 'user-%' THEN 1 ELSE 0 END) \
         FROM identities WHERE principal_id NOT LIKE '{overflow-%'",
    );
    let kept: Vec<u64> =
        kept.lines().last().unwrap().split(',').map(|it| it.parse().unwrap()).collect();
    assert_eq!(kept[1], size.established, "nobody who was there lost the place");
    let admitted = kept[0] - size.established + evicted;
    let back = place.query(
        "store",
        &format!("SELECT requests FROM identities WHERE principal_id = '{}'", RETURNER.0),
    );
    let back: u64 = back.lines().last().unwrap().parse().unwrap_or(0);
    assert!(back >= RETURNER.1 - 5, "whoever came back has a place from call {} on", 60 - back);
    assert_eq!(calls, size.flood - (admitted - 1) + RETURNER.1 - back, "{summary}");
    assert!(evicted >= 1, "somebody made room");
    let about = count(summary, "identities_overflowed_about") as f64;
    assert!((about / calls as f64 - 1.0).abs() < 0.02, "{about} of {calls}");
    // The finding says it as of its last revision, after which it grew by less than a quarter.
    let sentence = text(said, "sentence").replace('\u{202f}', "");
    let said = sentence.split(" calls by about ").next().and_then(|it| it.rsplit(' ').next());
    let said: u64 = said.unwrap().parse().unwrap();
    assert!(said <= calls && said as f64 > 0.8 * calls as f64 - 1.0, "{sentence}");
    // Identities have what is left beside the process, at least half.
    let beside = (320 << 20).min(size.state_bytes_max / 2);
    assert!(count(summary, "state_bytes") <= size.state_bytes_max - beside, "{summary}");
    if size.peak_rss_max > 0 {
        let peak = count(summary, "peak_rss_bytes");
        assert!(peak <= size.peak_rss_max, "{} MiB", peak >> 20);
    }
}

#[test]
fn a_flood_gives_the_same_rows_with_any_number_of_threads() {
    let size =
        Size { established: 60, attacked: 10, flood: 20_000, state_bytes_max: 2 << 20, ..ORDINARY };
    let tables = |threads: &str| {
        let place = Place::new();
        let (findings, _) = replay(&place, &size, true, &["--threads", threads]);
        let rows = |sql: &str| place.query("store", sql);
        let windows = rows("SELECT * FROM windows");
        let identities = rows("SELECT * FROM identities");
        (findings, rows("SELECT * FROM findings"), windows, identities)
    };
    let (one, three) = (tables("1"), tables("3"));
    assert!(!of_explosion(&one.0).is_empty() && one.3.contains(RETURNER.0));
    assert!(one == three, "the rows differ");
}

//! The service against a real broker: what a replay finds, killed as often as one likes.

#[cfg(feature = "cloud")]
mod bucket;
mod state;

use crate::habitus::{Place, is_full};
use crate::service::{Service, findings, wait_for_group, wait_until_read};
use crate::services::{self, Kafka, Record};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Before and after what is found is in the store, the checkpoint is written and the offsets are
/// committed.
const POINTS: [&str; 5] = ["inserting", "inserted", "stored", "checkpointed", "committed"];

/// Before the last hour of [`log`], which ends with the log in a replay only.
pub(crate) const BEFORE_THE_END: &str = "2026-04-03 23:00:00";

/// Three days of twenty consumers, each `calls` times an hour or so, with a sweep by one of them on
/// the last day.
pub(crate) fn log(calls: u32) -> Vec<String> {
    log_of(3, calls)
}

/// The same of so many days.
pub(crate) fn log_of(days: u32, calls: u32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut call = |second: u32, who: &str, path: &str| {
        lines.push((
            second,
            format!(
                "{{\"time\":\"2026-04-{:02}T{:02}:{:02}:{:02}Z\",\"consumer\":\"{who}\",\
                 \"method\":\"GET\",\"path\":\"{path}\",\"status\":200,\"bytes_out\":900,\
                 \"ip\":\"192.0.2.7\"}}",
                1 + second / 86_400,
                second / 3_600 % 24,
                second / 60 % 60,
                second % 60,
            ),
        ));
    };
    for hour in 0..days * 24 {
        for turn in 0..calls {
            for who in 0..20 {
                let path = format!("/orders/{}", 1_000 + who * 10 + turn % 5);
                let second = hour * 3_600 + (turn * 3_593 + who * 97) % 3_600;
                call(second, &format!("shop-{who}"), &path);
            }
        }
    }
    for object in 0..600 {
        let second = (days * 24 - 3) * 3_600 + object * 2;
        call(second, "shop-7", &format!("/orders/{}", 50_000 + object));
    }
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

/// A topic with the lines dealt out over three partitions, in order within each.
pub(crate) fn topic(kafka: &Kafka, lines: &[String]) -> String {
    let name = services::unique("live");
    kafka.create_topic(&name, 3, &[]);
    deal(kafka, &name, lines, 0);
    name
}

/// Deals out lines over three partitions; `first` lines went before.
pub(crate) fn deal(kafka: &Kafka, topic: &str, lines: &[String], first: usize) {
    let records = (first..).zip(lines).map(|(number, line)| Record {
        payload: line.as_bytes(),
        partition: Some((number % 3) as i32),
        ..Record::default()
    });
    kafka.produce(topic, records);
}

/// Gives a place's configuration a group of its own; its name.
pub(crate) fn regroup(place: &Place, topic: &str) -> String {
    let group = services::unique("group");
    let text = std::fs::read_to_string(place.path("habitus.toml")).unwrap();
    let (old, new) = (format!("group_id = \"{topic}\""), format!("group_id = \"{group}\""));
    assert!(text.contains(&old));
    place.write("habitus.toml", text.replacen(&old, &new, 1));
    group
}

/// Writes a configuration of short epochs; `more` goes into `[run]`.
pub(crate) fn configure(place: &Place, kafka: &Kafka, topic: &str, more: &str) {
    let text = format!(
        "[source]\ntopics = [\"{topic}\"]\ngroup_id = \"{topic}\"\nsession_timeout_ms = 3000\n\
         [kafka]\nbootstrap_servers = [\"{}\"]\n[run]\nepoch_seconds = 1\nepoch_events = 2000\n\
         {more}\n",
        kafka.bootstrap,
    );
    place.write("habitus.toml", text);
}

/// No revision of a finding was written with two payloads.
pub(crate) fn check_revisions(place: &Place, store: &str) {
    let sql = "SELECT finding_id, revision FROM findings GROUP BY 1, 2 HAVING count(DISTINCT \
               concat_ws('|', severity, sentence, counterfactual, contributors, CAST(score AS VARCHAR), \
               CAST(surprise AS VARCHAR), CAST(observed AS VARCHAR), CAST(detected_at AS VARCHAR))) > 1";
    let twice = place.query(store, sql);
    assert!(twice.lines().count() <= 1, "{twice}");
}

/// The same of a server, asked without FINAL: rows that it keeps twice for now are looked at both.
#[track_caller]
pub(crate) fn check_revisions_on(server: &services::ClickHouse, store: &str) {
    let database = store.rsplit('/').next().unwrap();
    let payload =
        "severity, sentence, counterfactual, contributors, score, surprise, observed, detected_at";
    let twice = server.query(&format!(
        "SELECT finding_id, revision FROM {database}.findings GROUP BY finding_id, revision \
         HAVING uniqExact(tuple({payload})) > 1 SETTINGS final = 0"
    ));
    assert_eq!(twice, "");
    let rows = server.query(&format!("SELECT count() FROM {database}.findings SETTINGS final = 0"));
    assert_ne!(rows, "0", "there are findings to look at");
}

/// What an undisturbed replay of the same lines finds.
pub(crate) fn replayed(lines: &[String]) -> BTreeSet<String> {
    let place = Place::new();
    let file = place.write("log.ndjson", lines.join("\n") + "\n");
    place.replay(&[&file], &[]);
    let found = findings(&place, "store", BEFORE_THE_END);
    assert!(found.iter().any(|it| it.contains("shop-7")), "{found:#?}");
    found
}

/// A later time of passing a point in the full tier, whose log takes more epochs.
fn held_at(point: &str) -> String {
    if is_full() { format!("{point}:3") } else { format!("{point}:1") }
}

/// The calls of a log for each consumer and hour: 200 000 events in all in the full tier.
fn calls() -> u32 {
    if is_full() { 140 } else { 9 }
}

#[test]
fn a_topic_gives_what_a_replay_of_it_gives() {
    const TEST: &str = "a_topic_gives_what_a_replay_of_it_gives";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = log(calls());
    let (place, topic) = (Place::new(), topic(kafka, &lines));
    configure(&place, kafka, &topic, "");
    let service = Service::start(&place, "store", None);
    wait_until_read(kafka, &topic, lines.len() as i64);
    let took = service.stop();
    assert!(took < Duration::from_secs(10), "it ended after {took:?}");
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
    // The next start has nothing to do.
    let mut service = Service::start(&place, "store", None);
    service.wait_for("taking up checkpoint");
    std::thread::sleep(Duration::from_secs(2));
    service.stop();
    let text = std::fs::read_to_string(place.path("run.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(summary["events"], 0, "{summary}");
}

#[test]
fn crash_at_named_points_changes_nothing() {
    const TEST: &str = "crash_at_named_points_changes_nothing";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = log(calls());
    let (place, topic) = (Place::new(), topic(kafka, &lines));
    configure(&place, kafka, &topic, "");
    for point in POINTS {
        let mut service = Service::start(&place, "store", Some(&held_at(point)));
        service.wait_for(&format!("held at {point}"));
        service.kill();
    }
    let service = Service::start(&place, "store", None);
    wait_until_read(kafka, &topic, lines.len() as i64);
    service.stop();
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
    check_revisions(&place, "store");
}

/// Deals out the lines, a part at a time, and kills the service at a moment of each;
/// then lets it come to the end.
fn crash_often(kafka: &Kafka, (place, store): (&Place, &str), topic: &str, lines: &[String]) {
    let kills = if is_full() { 50 } else { 4 };
    let mut sent = 0;
    for (number, part) in (0..).zip(lines.chunks(lines.len() / kills + 1)) {
        deal(kafka, topic, part, sent);
        sent += part.len();
        let mut service = Service::start(place, store, None);
        // The one before keeps its place in the group until its session has ended.
        service.wait_for("leading");
        std::thread::sleep(Duration::from_millis(number * 7_919 % 1_500));
        service.kill();
    }
    let service = Service::start(place, store, None);
    wait_until_read(kafka, topic, lines.len() as i64);
    service.stop();
}

/// An empty topic of three partitions.
fn empty_topic(kafka: &Kafka) -> String {
    let name = services::unique("live");
    kafka.create_topic(&name, 3, &[]);
    name
}

#[test]
fn crash_at_any_moment_changes_nothing() {
    const TEST: &str = "crash_at_any_moment_changes_nothing";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = log(calls());
    let (place, topic) = (Place::new(), empty_topic(kafka));
    configure(&place, kafka, &topic, "");
    crash_often(kafka, (&place, "store"), &topic, &lines);
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
    check_revisions(&place, "store");
}

#[test]
fn crash_at_any_moment_changes_nothing_on_a_server() {
    const TEST: &str = "crash_at_any_moment_changes_nothing_on_a_server";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(server) = services::clickhouse(TEST) else { return };
    let lines = log(calls());
    let (place, topic) = (Place::new(), topic(kafka, &lines));
    configure(&place, kafka, &topic, "");
    let (calm, torn) = (store(&place, server, "calm"), store(&place, server, "torn"));
    // Another group's undisturbed run over the same topic.
    let other = Place::new();
    configure(&other, kafka, &topic, "");
    let group = regroup(&other, &topic);
    let service = Service::start(&other, &calm, None);
    wait_for_group(kafka, &group, &topic, lines.len() as i64);
    service.stop();
    let found = findings(&other, &calm, BEFORE_THE_END);
    assert!(found.iter().any(|it| it.contains("shop-7")), "{found:#?}");
    let check = |place: &Place, torn: &str| {
        assert_eq!(findings(place, torn, BEFORE_THE_END), found);
        check_revisions_on(server, torn);
        // What counts rows counts none twice.
        let daily = "SELECT principal_id, day, findings FROM identity_risk ORDER BY ALL";
        assert_eq!(place.query(torn, daily), other.query(&calm, daily));
    };
    for point in POINTS {
        // Findings are inserted as they are found, which is not often.
        let at = if point.starts_with("insert") { format!("{point}:1") } else { held_at(point) };
        let mut service = Service::start(&place, &torn, Some(&at));
        service.wait_for(&format!("held at {point}"));
        service.kill();
    }
    let service = Service::start(&place, &torn, None);
    wait_until_read(kafka, &topic, lines.len() as i64);
    service.stop();
    check(&place, &torn);
    // The same records once more, a part at a time.
    let (place, topic) = (Place::new(), empty_topic(kafka));
    configure(&place, kafka, &topic, "");
    let torn = store(&place, server, "torn_often");
    crash_often(kafka, (&place, &torn), &topic, &lines);
    check(&place, &torn);
}

/// A database of its own with the tables; the store's URL.
pub(crate) fn store(place: &Place, server: &services::ClickHouse, name: &str) -> String {
    let database = server.database(name);
    let host = server.url.trim_start_matches("http://");
    let store = format!("clickhouse://{host}/{database}");
    let said = place.run_in(&store, &["migrate"]);
    assert_eq!(said.code, 0, "{}", said.err);
    // What is there twice stays so, for whoever looks.
    server.query(&format!("SYSTEM STOP MERGES {database}.findings"));
    store
}

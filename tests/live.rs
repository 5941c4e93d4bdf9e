//! The service against a real broker: what a replay finds, killed as often as one likes.

#[cfg(feature = "cloud")]
mod bucket;
mod state;

use crate::habitus::{Place, is_full};
use crate::services::{self, Kafka, Record};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long the service may take for anything.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Days of twenty consumers, with a sweep by one of them on the last day; lines with their seconds.
fn log(days: u32) -> Vec<String> {
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
        for turn in 0..60 {
            for who in 0..20 {
                if (turn + who) % 7 == 0 {
                    let path = format!("/orders/{}", 1_000 + who * 10 + turn % 5);
                    call(hour * 3_600 + turn * 60 + who, &format!("shop-{who}"), &path);
                }
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
fn topic(kafka: &Kafka, lines: &[String]) -> String {
    let name = services::unique("live");
    kafka.create_topic(&name, 3, &[]);
    let records = (0..).zip(lines).map(|(number, line): (i32, &String)| Record {
        payload: line.as_bytes(),
        partition: Some(number % 3),
        ..Record::default()
    });
    kafka.produce(&name, records);
    name
}

fn configure(place: &Place, kafka: &Kafka, topic: &str) {
    let text = format!(
        "[source]\ntopics = [\"{topic}\"]\ngroup_id = \"{topic}\"\nsession_timeout_ms = 6000\n\
         [kafka]\nbootstrap_servers = [\"{}\"]\n[run]\nepoch_seconds = 1\nepoch_events = 2000\n",
        kafka.bootstrap,
    );
    place.write("habitus.toml", text);
}

/// Starts the service, with its standard error to be read.
fn start(place: &Place, hold: Option<&str>) -> Child {
    let hold = hold.map(|point| ("HABITUS_HOLD_AT".to_owned(), point.to_owned()));
    start_with(place, hold.as_slice())
}

/// Starts the service with more in its environment.
fn start_with(place: &Place, environment: &[(String, String)]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_habitus"));
    command
        .arg("run")
        .arg("--config")
        .arg(place.path("habitus.toml"))
        .arg("--store")
        .arg(place.path("store"))
        .arg("--summary")
        .arg(place.path("run.json"))
        .current_dir(place.path("."))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stderr(Stdio::piped())
        .stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Reads the service's words until it says `wanted`.
fn wait_for(child: &mut Child, wanted: &str) {
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        said += &line;
        said.push('\n');
        if line.contains(wanted) {
            return;
        }
    }
    panic!("the service ended without saying `{wanted}`: {said}");
}

/// Waits until all of a topic is committed.
fn wait_until_read(kafka: &Kafka, topic: &str, records: i64) {
    let looks = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
    for look in 0.. {
        let committed = kafka.committed(topic, topic);
        let sum: i64 = committed.iter().filter_map(|it| it.offset).sum();
        if sum >= records {
            return;
        }
        assert!(look < looks, "{sum} of {records} records are committed");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Ends the service as an operator does.
fn stop(child: &mut Child) {
    let done = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
    // Ten seconds at most.
    for _ in 0..100 {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the service did not end within 10 s");
}

/// The last revision of each finding, without what depends on where it was read.
fn findings(place: &Place) -> BTreeSet<String> {
    let said = place.run(&[
        "query",
        "SELECT finding_id, sentence, severity, detected_at, surprise, score FROM findings_current \
         WHERE window_start < TIMESTAMP '2026-04-03T23:00:00Z'",
        "--output",
        "ndjson",
    ]);
    assert_eq!(said.code, 0, "{}", said.err);
    said.rows().iter().map(Value::to_string).collect()
}

/// No revision of a finding was written with two payloads.
fn check_revisions(place: &Place) {
    let twice = place.query(
        "store",
        "SELECT finding_id, revision FROM findings GROUP BY 1, 2 \
         HAVING count(DISTINCT concat(sentence, cast(score AS VARCHAR))) > 1",
    );
    assert_eq!(twice.lines().count(), 1, "{twice}");
}

/// What an undisturbed replay of the same lines finds.
fn replayed(lines: &[String]) -> BTreeSet<String> {
    let place = Place::new();
    let file = place.write("log.ndjson", lines.join("\n") + "\n");
    place.replay(&[&file], &[]);
    let found = findings(&place);
    assert!(found.iter().any(|it| it.contains("shop-7")), "{found:#?}");
    found
}

#[test]
fn a_topic_gives_what_a_replay_of_it_gives() {
    const TEST: &str = "a_topic_gives_what_a_replay_of_it_gives";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = log(3);
    let (place, topic) = (Place::new(), topic(kafka, &lines));
    configure(&place, kafka, &topic);
    let mut child = start(&place, None);
    wait_until_read(kafka, &topic, lines.len() as i64);
    stop(&mut child);
    assert_eq!(findings(&place), replayed(&lines));
    // The next start has nothing to do.
    let mut child = start(&place, None);
    wait_for(&mut child, "taking up checkpoint");
    std::thread::sleep(Duration::from_secs(2));
    stop(&mut child);
    let text = std::fs::read_to_string(place.path("run.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(summary["events"], 0, "{summary}");
}

#[test]
fn crash_at_named_points_changes_nothing() {
    const TEST: &str = "crash_at_named_points_changes_nothing";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = log(3);
    let (place, topic) = (Place::new(), topic(kafka, &lines));
    configure(&place, kafka, &topic);
    for point in ["stored", "checkpointed", "committed"] {
        let mut child = start(&place, Some(point));
        wait_for(&mut child, &format!("held at {point}"));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut child = start(&place, None);
    wait_until_read(kafka, &topic, lines.len() as i64);
    stop(&mut child);
    assert_eq!(findings(&place), replayed(&lines));
    check_revisions(&place);
}

#[test]
fn crash_at_any_moment_changes_nothing() {
    const TEST: &str = "crash_at_any_moment_changes_nothing";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = log(3);
    let (place, topic) = (Place::new(), topic(kafka, &lines));
    configure(&place, kafka, &topic);
    let kills = if is_full() { 50 } else { 4 };
    for number in 0..kills {
        let mut child = start(&place, None);
        std::thread::sleep(Duration::from_millis(300 + number * 7_919 % 2_500));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut child = start(&place, None);
    wait_until_read(kafka, &topic, lines.len() as i64);
    stop(&mut child);
    assert_eq!(findings(&place), replayed(&lines));
    check_revisions(&place);
}

//! The two stages apart: many processes make events, one judges them, and the findings are those of one process.

use crate::habitus::{Place, is_full};
use crate::live::{BEFORE_THE_END, check_revisions, configure, log, replayed, topic};
use crate::service::{PATIENCE, Service, committed, findings};
use crate::services::{self, Kafka};
use rdkafka::message::Message as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Waits until the first stage has read so much, and the second all that came of it.
#[track_caller]
fn wait_for_both(kafka: &Kafka, topic: &str, records: i64, all: &mut [Service]) {
    let (first, second) = (format!("{topic}-normalize"), format!("{topic}-detect"));
    let events = format!("{topic}.events");
    // A transaction that a killed process left open ends after its time.
    let is_made = || committed(kafka, &first, topic) >= records && !kafka.is_open(&events);
    wait("all records are events", all, is_made);
    let mut lasts = BTreeMap::new();
    for record in kafka.read_all(&events) {
        lasts.insert(record.partition(), record.offset() + 1);
    }
    wait("all events are judged", all, || {
        let stands = kafka.committed(&second, &events);
        lasts.iter().all(|(partition, last)| {
            stands.iter().any(|it| it.partition == *partition && it.offset >= Some(*last))
        })
    });
}

/// Looks until it is so.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a test does not wait for ever")]
fn wait(what: &str, all: &mut [Service], is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let said: Vec<String> = all.iter_mut().map(Service::said).collect();
    panic!("not so after {PATIENCE:?}: {what}; they said\n{}", said.join("\n--\n"));
}

fn two_stages(test: &str, kills: u64) {
    let Some(kafka) = services::kafka(test) else { return };
    let lines = log(if is_full() { 140 } else { 9 });
    let topic = topic(kafka, &lines);
    kafka.create_topic(&format!("{topic}.events"), 4, &[]);
    let place = Place::new();
    configure(&place, kafka, &topic, "");
    let key = place.write("key", "00".repeat(32));
    let start = |store: &str, stage: &str| {
        Service::start_with(&place, store, None, &["--stage", stage, "--key-file", &key])
    };
    let second = start("store", "detect");
    for number in 0..kills {
        let first = start("first", "normalize");
        std::thread::sleep(Duration::from_millis(900 + number * 7_919 % 1_500));
        first.kill();
    }
    let mut all = Vec::from(["first", "other"].map(|store| start(store, "normalize")));
    all.push(second);
    wait_for_both(kafka, &topic, lines.len() as i64, &mut all);
    for stage in all {
        stage.stop();
    }
    // Each event is there once.
    let marks: Vec<Vec<u8>> = kafka.values(&format!("{topic}.events"));
    let events: Vec<&Vec<u8>> = marks.iter().filter(|it| it.first() == Some(&0xE1)).collect();
    assert_eq!(events.len(), lines.len());
    assert_eq!(events.iter().collect::<BTreeSet<_>>().len(), lines.len());
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
    check_revisions(&place, "store");
}

#[test]
fn two_stages_find_what_one_process_finds() {
    two_stages("two_stages_find_what_one_process_finds", 0);
}

#[test]
fn crash_of_the_first_stage_changes_nothing() {
    let kills = if is_full() { 20 } else { 3 };
    two_stages("crash_of_the_first_stage_changes_nothing", kills);
}

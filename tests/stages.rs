//! The two stages apart: many processes make events, one judges them, and the findings are those of one process.

use crate::habitus::{Place, is_full};
use crate::live::{BEFORE_THE_END, check_revisions, configure, log, replayed, topic};
use crate::service::{PATIENCE, Service, committed, findings};
use crate::services::{self, Kafka};
use std::collections::BTreeSet;
use std::time::Duration;

/// Waits until the first stage has read so much, and the second all that came of it.
#[track_caller]
fn wait_for_both(kafka: &Kafka, topic: &str, records: i64, all: &mut [Service]) {
    let (first, second) = (format!("{topic}-normalize"), format!("{topic}-detect"));
    let events = format!("{topic}.events");
    for _ in 0..PATIENCE.as_millis() / 200 {
        let read = committed(kafka, &first, topic);
        if read >= records && committed(kafka, &second, &events) + SPARE >= kafka.ends(&events) {
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let said: Vec<String> = all.iter_mut().map(Service::said).collect();
    panic!(
        "{} of {records} records are events, {} of {} events are judged; they said\n{}",
        committed(kafka, &first, topic),
        committed(kafka, &second, &events),
        kafka.ends(&events),
        said.join("\n--\n"),
    );
}

/// Offsets at the end of the events' four partitions that nobody is given: the ends of transactions.
const SPARE: i64 = 4;

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

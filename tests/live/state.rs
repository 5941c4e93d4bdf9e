//! What becomes of the service's state: checkpoints that are lost, records that are gone, topics that
//! grow, groups that are resharded.

use super::*;
use crate::service::PATIENCE;
use crate::services::Committed;

/// How often it is looked whether something happened.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The lines in three topic partitions, read to their end by the service; the place and the topic.
fn read_first(kafka: &Kafka, lines: &[String]) -> (Place, String) {
    let (place, topic) = (Place::new(), topic(kafka, lines));
    configure(&place, kafka, &topic, "");
    run_until(&place, kafka, &topic, lines.len() as i64);
    (place, topic)
}

/// Runs the service until so many records are committed, and ends it.
fn run_until(place: &Place, kafka: &Kafka, topic: &str, records: i64) {
    let mut service = Service::start(place, "store", None);
    service.wait_for("leading");
    wait_until_read(kafka, topic, records);
    service.stop();
}

/// More records for the three partitions of a topic.
fn produce(kafka: &Kafka, topic: &str, lines: &[String]) {
    let records = (0..).zip(lines).map(|(number, line): (i32, &String)| Record {
        payload: line.as_bytes(),
        partition: Some(number % 3),
        ..Record::default()
    });
    kafka.produce(topic, records);
}

/// The files of the checkpoints, the latest last.
fn checkpoints(place: &Place, group: &str) -> Vec<std::path::PathBuf> {
    let dir = place.path("store/checkpoints/state").join(group);
    let mut files: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Starts the service and waits for what it says; then it goes on until all is read.
fn say_and_read(place: &Place, kafka: &Kafka, topic: &str, wanted: &str, records: i64) {
    let mut service = Service::start(place, "store", None);
    service.wait_for(wanted);
    wait_until_read(kafka, topic, records);
    service.stop();
}

/// What the service said of itself: detector and sentence.
fn notices(place: &Place) -> Vec<(String, String)> {
    let said = place.run(&[
        "query",
        "SELECT detector, sentence FROM findings_current WHERE detector LIKE '%_lost'",
        "--output",
        "ndjson",
    ]);
    assert_eq!(said.code, 0, "{}", said.err);
    let text = |row: &Value, column: &str| row[column].as_str().unwrap().to_owned();
    said.rows().iter().map(|row| (text(row, "detector"), text(row, "sentence"))).collect()
}

#[test]
fn a_lost_checkpoint_is_replaced_by_an_older_one_and_a_replay() {
    const TEST: &str = "a_lost_checkpoint_is_replaced_by_an_older_one_and_a_replay";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = log(9);
    let (first, rest) = lines.split_at(lines.len() / 2);
    let (place, topic) = read_first(kafka, first);
    let files = checkpoints(&place, &topic);
    assert!(files.len() >= 2, "{files:?}");
    std::fs::remove_file(files.last().unwrap()).unwrap();
    produce(kafka, &topic, rest);
    say_and_read(&place, kafka, &topic, "taking up checkpoint", lines.len() as i64);
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
    check_revisions(&place, "store");
    assert_eq!(notices(&place), []);
}

#[test]
fn without_any_checkpoint_it_starts_cold_and_says_so_once() {
    const TEST: &str = "without_any_checkpoint_it_starts_cold_and_says_so_once";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = log(9);
    let (place, topic) = read_first(kafka, &lines);
    for file in checkpoints(&place, &topic) {
        std::fs::write(file, b"rubbish").unwrap();
    }
    let mut service = Service::start(&place, "store", None);
    service.wait_for("has lost its baselines");
    // Until it has committed anew: then the offsets name a checkpoint that is there.
    let is_anew = |it: &Committed| {
        let key = it.metadata.split('|').nth(1).unwrap().to_owned();
        let file = place.path("store/checkpoints").join(key);
        it.offset.is_some_and(|offset| offset >= lines.len() as i64 / 3)
            && std::fs::read(file).is_ok_and(|bytes| bytes != b"rubbish")
    };
    let looks = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
    let committed = || kafka.committed(&topic, &topic);
    assert!((0..looks).any(|_| {
        std::thread::sleep(LOOK_EVERY);
        committed().iter().all(is_anew)
    }));
    service.stop();
    // Once, however often it starts afterwards.
    run_until(&place, kafka, &topic, lines.len() as i64);
    let said = notices(&place);
    assert_eq!(said.len(), 1, "{said:?}");
    let (detector, sentence) = &said[0];
    assert_eq!(detector, "baseline_lost");
    for part in ["is damaged", "an unknown number of identities", "/0 at 0", "older checkpoint"] {
        assert!(sentence.contains(part), "{sentence}");
    }
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
}

#[test]
fn records_that_are_gone_are_said() {
    const TEST: &str = "records_that_are_gone_are_said";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = log(9);
    let (first, rest) = lines.split_at(lines.len() / 2);
    let (place, topic) = read_first(kafka, first);
    let older = checkpoints(&place, &topic);
    let older = older.into_iter().map(|file| (std::fs::read(&file).unwrap(), file));
    let older: Vec<_> = older.collect();
    // The state is whole, but forty records of a partition were removed before they were read.
    produce(kafka, &topic, rest);
    let next = kafka.committed(&topic, &topic)[1].offset.unwrap();
    kafka.delete_records(&topic, 1, next + 40);
    say_and_read(&place, kafka, &topic, "records were removed", lines.len() as i64);
    let said = notices(&place);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(said[0].0, "records_lost");
    assert!(said[0].1.starts_with("40 records were removed"), "{said:?}");
    // Now only those of the first run are there, as from a copy, and what follows them is not.
    for file in checkpoints(&place, &topic) {
        std::fs::remove_file(file).unwrap();
    }
    for (bytes, file) in &older {
        std::fs::write(file, bytes).unwrap();
    }
    let files = checkpoints(&place, &topic);
    for partition in 0..3 {
        kafka.delete_records(&topic, partition, -1);
    }
    let mut service = Service::start(&place, "store", None);
    service.wait_for("has lost its baselines");
    // Nothing comes any more, and it is kept all the same.
    let looks = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
    assert!((0..looks).any(|_| {
        std::thread::sleep(LOOK_EVERY);
        checkpoints(&place, &topic).iter().any(|file| !files.contains(file))
    }));
    service.stop();
    let said = notices(&place);
    let lost = said.iter().find(|(detector, _)| detector == "baseline_lost").unwrap();
    for part in ["is missing", "were removed from the topics", "the history of 20 identities"] {
        assert!(lost.1.contains(part), "{}", lost.1);
    }
}

#[test]
fn a_topic_that_grows_is_followed_without_a_restart() {
    const TEST: &str = "a_topic_that_grows_is_followed_without_a_restart";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = log(9);
    let (first, rest) = lines.split_at(lines.len() / 2);
    let (place, topic) = (Place::new(), topic(kafka, first));
    configure(&place, kafka, &topic, "");
    let service = Service::start(&place, "store", None);
    wait_until_read(kafka, &topic, first.len() as i64);
    kafka.grow_topic(&topic, 5);
    let records = (0..).zip(rest).map(|(number, line): (i32, &String)| Record {
        payload: line.as_bytes(),
        partition: Some(3 + number % 2),
        ..Record::default()
    });
    kafka.produce(&topic, records);
    wait_until_read(kafka, &topic, lines.len() as i64);
    service.stop();
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
    check_revisions(&place, "store");
}

#[test]
fn a_topic_that_was_made_anew_is_an_error_and_reshard_the_cure() {
    const TEST: &str = "a_topic_that_was_made_anew_is_an_error_and_reshard_the_cure";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = log(9);
    let (first, rest) = lines.split_at(lines.len() / 2);
    let (place, old) = read_first(kafka, first);
    // The old topic ends before what was read of it: as if it were another.
    let new = services::unique("resharded");
    kafka.create_topic(&new, 2, &[]);
    let text = std::fs::read_to_string(place.path("habitus.toml")).unwrap();
    let topics = |group: &str| {
        text.replace(&format!("topics = [\"{old}\"]"), &format!("topics = [\"{new}\"]"))
            .replace(&format!("group_id = \"{old}\""), &format!("group_id = \"{group}\""))
    };
    let config = place.write("habitus.toml", topics(&new));
    let reshard = |from: &str, to: &str| {
        let start = ["--start", "earliest", "--config", &config];
        place.run(&[&["reshard", "--from-group", from, "--to-group", to], &start[..]].concat())
    };
    let same = reshard(&old, &old);
    assert!(
        same.code == 1 && same.err.contains("name a group that has read nothing"),
        "{}",
        same.err
    );
    let none = reshard("nobody", &new);
    assert!(none.code == 1 && none.err.contains("group nobody has no checkpoint"), "{}", none.err);
    let done = reshard(&old, &new);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("the habits of 20 identities"), "{}", done.out);
    assert!(done.out.contains(&format!("{new}/1 begins at offset 0")), "{}", done.out);
    let again = reshard(&old, &new);
    assert!(again.code == 1 && again.err.contains("has read before"), "{}", again.err);
    let records = (0..).zip(rest).map(|(number, line): (i32, &String)| Record {
        payload: line.as_bytes(),
        partition: Some(number % 2),
        ..Record::default()
    });
    kafka.produce(&new, records);
    run_until(&place, kafka, &new, rest.len() as i64);
    assert_eq!(findings(&place, "store", BEFORE_THE_END), replayed(&lines));
    check_revisions(&place, "store");
}

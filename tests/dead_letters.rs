//! Records that are no events: each is a dead letter, and too many of them stop the commits.

use crate::habitus::Place;
use crate::live::{configure, log};
use crate::service::{Service, committed, wait_until_read};
use crate::services::{self, Kafka, Record};
use rdkafka::message::{Headers as _, Message as _, OwnedMessage};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

/// What stands in the batch that is damaged, and nowhere else.
const MARK: &[u8] = b"damage-me";

fn header(letter: &OwnedMessage, name: &str) -> String {
    let headers = letter.headers().unwrap();
    let found = headers.iter().find(|it| it.key == name).unwrap();
    String::from_utf8(found.value.unwrap().to_vec()).unwrap()
}

/// Damages the one batch of a partition that holds the mark, where the broker keeps it.
fn damage(data: &Path, topic: &str) {
    let path = data.join(format!("{topic}-0/00000000000000000000.log"));
    let mut file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let at = bytes.windows(MARK.len()).position(|it| it == MARK).unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(b"DAMAGE-ME").unwrap();
}

/// Produces lines in turn to three partitions, every hundredth followed by a malformed one; how
/// many malformed ones there are.
fn produce(kafka: &Kafka, topic: &str, lines: &[String], first: i32) -> BTreeSet<String> {
    let mut bad = BTreeSet::new();
    let mut records: Vec<(Vec<u8>, i32)> = Vec::new();
    for (number, line) in (first..).zip(lines) {
        records.push((line.clone().into_bytes(), number % 3));
        if number % 100 == 50 {
            let text = format!("{{\"broken\":{number}, \"password\":\"c4n4ry\"");
            bad.insert(format!("{{\"broken\":{number}, "));
            records.push((text.into_bytes(), number / 100 % 3));
        }
    }
    let records = records.iter().map(|(payload, partition)| Record {
        payload,
        partition: Some(*partition),
        ..Record::default()
    });
    kafka.produce(topic, records);
    bad
}

#[test]
fn every_record_that_is_no_event_is_one_dead_letter() {
    const TEST: &str = "every_record_that_is_no_event_is_one_dead_letter";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(data) = &kafka.data else {
        services::skip(TEST, "the records of somebody else's broker cannot be damaged");
        return;
    };
    let (topic, letters) = (services::unique("poison"), services::unique("letters"));
    kafka.create_topic(&topic, 3, &[]);
    kafka.create_topic(&letters, 1, &[]);
    let lines = log(9);
    let (before, after) = lines.split_at(lines.len() / 2);
    let mut bad = produce(kafka, &topic, before, 0);
    let empty = Record { partition: Some(1), ..Record::default() };
    kafka.produce(&topic, [empty]);
    let marked = Record { payload: MARK, partition: Some(0), ..Record::default() };
    kafka.produce(&topic, [marked; 5]);
    bad.extend(produce(kafka, &topic, after, before.len() as i32));
    damage(data, &topic);
    let place = Place::new();
    configure(&place, kafka, &topic, &format!("dead_letter_topic = \"{letters}\""));
    let service = Service::start(&place, "store", None);
    let all = (lines.len() + bad.len() + 1 + 5) as i64;
    let still = wait_until_read(kafka, &topic, all);
    service.stop();
    assert!(still < Duration::from_secs(5), "nothing moved for {still:?}");
    let text = std::fs::read_to_string(place.path("run.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let (mut places, mut lost) = (BTreeSet::new(), 0);
    for letter in kafka.read_all(&letters) {
        let value = String::from_utf8_lossy(letter.payload().unwrap_or_default()).into_owned();
        assert!(!value.contains("c4n4ry"), "{value}");
        let error = header(&letter, "habitus.error");
        *found.entry(error.clone()).or_default() += 1;
        assert_eq!(header(&letter, "habitus.topic"), topic);
        let at = (header(&letter, "habitus.partition"), header(&letter, "habitus.offset"));
        assert!(places.insert(at), "{value} came twice");
        match error.as_str() {
            "malformed_json" => {
                let known = bad.iter().find(|it| value.contains(it.as_str())).cloned();
                assert!(known.is_some_and(|it| bad.remove(&it)), "{value}");
            }
            "damaged_batch" => {
                let mut numbers = value.split(' ').filter_map(|it| it.parse::<i64>().ok());
                let (first, last) = (numbers.next().unwrap(), numbers.next().unwrap());
                lost += last - first + 1;
            }
            // The rest of the marked records, if the producer made several batches of them.
            _ => {}
        }
    }
    assert!(bad.is_empty(), "without a letter: {bad:?}");
    assert_eq!((found.get("no_value"), found.get("damaged_batch")), (Some(&1), Some(&1)));
    let others = found.get("unknown_format").copied().unwrap_or(0);
    assert_eq!(lost + others as i64, 5, "each marked record is lost or a letter: {found:?}");
    let letters: u64 = found.values().sum();
    assert_eq!(summary["dead_letters"], letters, "{summary}");
    assert_eq!(summary["rejected"], letters, "{summary}");
    assert_eq!(summary["events"], lines.len() as u64, "{summary}");
}

#[test]
fn too_much_poison_stops_the_commits_until_it_is_set_right() {
    const TEST: &str = "too_much_poison_stops_the_commits_until_it_is_set_right";
    let Some(kafka) = services::kafka(TEST) else { return };
    let topic = services::unique("mostly-poison");
    kafka.create_topic(&topic, 1, &[]);
    let lines = log(1);
    let poison = Record { payload: b"{\"what\":\"is this\"}", ..Record::default() };
    let good = lines.iter().map(|line| Record { payload: line.as_bytes(), ..Record::default() });
    kafka.produce(&topic, good.chain(std::iter::repeat_n(poison, 1_000)));
    let place = Place::new();
    configure(&place, kafka, &topic, "epoch_events = 100000");
    let said = place.path("habitus.toml");
    let text = std::fs::read_to_string(&said).unwrap().replacen("epoch_events = 2000\n", "", 1);
    place.write("habitus.toml", &text);
    let mut service = Service::start(&place, "store", None);
    let line = service.wait_for("run.poison_share_max");
    assert!(line.contains("are no events") && line.contains("run.format"), "{line}");
    let stood = committed(kafka, &topic, &topic);
    assert!(stood <= lines.len() as i64, "{stood} records are committed");
    assert!(service.is_running());
    service.stop();
    assert_eq!(committed(kafka, &topic, &topic), stood);
    // Whoever allows it goes on where it stopped, and nothing is missing.
    place.write("habitus.toml", text.replacen("[run]", "[run]\npoison_share_max = 1.0", 1));
    let service = Service::start(&place, "store", None);
    wait_until_read(kafka, &topic, lines.len() as i64 + 1_000);
    service.stop();
}

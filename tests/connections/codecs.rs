//! What brokers hand out: every codec, and records that nobody would write on purpose.

use super::{LOOK_EVERY, PATIENCE, output, start, wait};
use crate::habitus::Place;
use crate::services::{self, Kafka, Record};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;
use std::process::Command;

fn line(number: usize) -> String {
    format!(
        "{{\"time\":\"2026-04-01T00:{:02}:{:02}Z\",\"consumer\":\"shop-{}\",\"method\":\"GET\",\
         \"path\":\"/orders/{number}\",\"status\":200,\"bytes_out\":{},\"ip\":\"192.0.2.7\"}}",
        number / 60 % 60,
        number % 60,
        number % 7,
        900 + number
    )
}

/// Reads a topic up to an offset with the service; its summary, and the identities that it knows.
fn read(kafka: &Kafka, topic: &str, upto: i64) -> Value {
    let place = Place::new();
    let text = format!(
        "[source]\ntopics = [\"{topic}\"]\ngroup_id = \"{topic}\"\n[run]\nepoch_seconds = 1\n\
         [kafka]\nbootstrap_servers = [\"{}\"]\n",
        kafka.bootstrap
    );
    place.write("habitus.toml", text);
    let summary = place.path("summary.json");
    let mut child = start(&place, &["run", "--summary", summary.to_str().unwrap()]);
    for look in 0.. {
        let committed = kafka.committed(topic, topic);
        if committed.iter().filter_map(|it| it.offset).sum::<i64>() >= upto {
            break;
        }
        let is_over = look > PATIENCE.as_millis() / LOOK_EVERY.as_millis();
        if is_over || child.try_wait().unwrap().is_some() {
            Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
            wait(&mut child, PATIENCE);
            panic!("{topic} is committed to {committed:?}: {}", output(&mut child).1);
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let done = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
    let code = wait(&mut child, PATIENCE);
    assert_eq!(code, 0, "{}", output(&mut child).1);
    place.summary()
}

#[test]
fn a_topic_is_read_in_every_codec() {
    let Some(kafka) = services::kafka("a_topic_is_read_in_every_codec") else { return };
    let lines: Vec<_> = (0..2_000).map(line).collect();
    let read = |codec: &str| {
        let topic = services::unique(&format!("codec_{codec}"));
        // The broker itself writes the topic in this codec, whatever the producer sends.
        kafka.create_topic(&topic, 1, &[("compression.type", codec)]);
        let record = |line| Record { payload: str::as_bytes(line), ..Record::default() };
        kafka.produce(&topic, lines.iter().map(|it| record(it)));
        let mut summary = read(kafka, &topic, lines.len() as i64);
        // How long it took and in how many parts is the only difference.
        for field in ["seconds", "spent_seconds", "epochs"] {
            summary.as_object_mut().unwrap().remove(field);
        }
        summary
    };
    let plain = read("uncompressed");
    assert_eq!((&plain["events"], &plain["rejected"]), (&2_000.into(), &0.into()), "{plain}");
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        assert_eq!(read(codec), plain, "{codec}");
    }
}

/// Sends with a producer's settings, and waits until the broker has all.
fn send(producer: &BaseProducer, record: BaseRecord<'_, [u8], [u8]>) {
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

#[test]
fn records_that_nobody_would_write_are_bounded_and_counted() {
    const TEST: &str = "records_that_nobody_would_write_are_bounded_and_counted";
    let Some(kafka) = services::kafka(TEST) else { return };
    let topic = services::unique("hostile");
    kafka.create_topic(&topic, 1, &[("max.message.bytes", "12000000")]);
    let mut config = kafka.client();
    config.set("message.max.bytes", "12000000");
    let producer: BaseProducer = config.create().unwrap();
    let good: Vec<_> = (0..6).map(line).collect();
    let to = || BaseRecord::<[u8], [u8]>::to(&topic);
    // A key and headers are read by nobody, however long they are.
    let key = vec![b'k'; 2 << 20];
    send(&producer, to().key(&key).payload(good[0].as_bytes()));
    let value = vec![b'h'; 1_024];
    let headers = (0..2_000).fold(OwnedHeaders::new(), |headers, number| {
        headers.insert(Header { key: &format!("header-{number}"), value: Some(&value) })
    });
    send(&producer, to().headers(headers).payload(good[1].as_bytes()));
    // A tombstone, and a record of nothing.
    send(&producer, to().key(b"gone"));
    send(&producer, to().payload(b""));
    // Ten megabytes of one line, of line ends, and of bytes that are no text.
    let huge = vec![b'x'; 10 << 20];
    send(&producer, to().payload(&huge));
    let ends = vec![b'\n'; 10 << 20];
    send(&producer, to().payload(&ends));
    let bytes: Vec<u8> = (0..60_000).map(|at| (at % 251) as u8 | 0x80).collect();
    send(&producer, to().payload(&bytes));
    // One transaction that is committed and one that is not: what ends them takes an offset too.
    let id = services::unique("hostile");
    let transactional: BaseProducer = kafka.client().set("transactional.id", &id).create().unwrap();
    transactional.init_transactions(PATIENCE).unwrap();
    transactional.begin_transaction().unwrap();
    send(&transactional, to().payload(good[2].as_bytes()));
    transactional.commit_transaction(PATIENCE).unwrap();
    transactional.begin_transaction().unwrap();
    send(&transactional, to().payload(good[3].as_bytes()));
    transactional.abort_transaction(PATIENCE).unwrap();
    // The end of a transaction is written after it was promised.
    let ends = || producer.client().fetch_watermarks(&topic, 0, PATIENCE).unwrap().1;
    for _ in 0..PATIENCE.as_millis() / LOOK_EVERY.as_millis() {
        if ends() == 11 {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    assert_eq!(ends(), 11);
    send(&producer, to().payload(good[4].as_bytes()));
    let summary = read(kafka, &topic, 12);
    assert_eq!(summary["events"], 4, "{summary}");
    // The tombstone, nothing, one long line, the line ends, and what is no text.
    assert_eq!(summary["rejected"], 5, "{summary}");
}

//! How fast the service is against the bare client, and how soon a finding is stored: both in one run.

use crate::habitus::{Place, is_full};
use crate::live::{configure, store};
use crate::service::{PATIENCE, Service, committed};
use crate::services::{self, Kafka, Record};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime};

/// The least share of the bare client's rate that the service keeps up, in a release build.
const RATIO_MIN: f64 = 0.35;
/// The longest time from an event to its stored finding, for 99 in 100, in a release build.
const P99_MS_MAX: u64 = 2_000;
/// Identities that make up the load.
const CALLERS: u64 = 2_000;

/// A call, 280 bytes as a line.
fn line(ms: u64, who: &str, path: &str) -> String {
    let time = rfc3339(ms);
    let mut line = format!(
        "{{\"time\":\"{time}\",\"consumer\":\"{who}\",\"method\":\"GET\",\"path\":\"{path}\",\
         \"status\":200,\"bytes_out\":900,\"ip\":\"192.0.2.7\",\"user_agent\":\""
    );
    while line.len() < 278 {
        line.push('x');
    }
    line + "\"}"
}

/// Milliseconds since 1970 as a time; of the civil calendar only what three days need.
fn rfc3339(ms: u64) -> String {
    let days = i64::try_from(ms / 86_400_000).unwrap() + 719_468;
    let era = days / 146_097;
    let of_era = days - era * 146_097;
    let year_of = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of + year_of / 4 - year_of / 100);
    let month_of = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_of + 2) / 5 + 1;
    let month = if month_of < 10 { month_of + 3 } else { month_of - 9 };
    let year = year_of + era * 400 + i64::from(month <= 2);
    let (second, milli) = (ms / 1_000 % 86_400, ms % 1_000);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Records a second that the bare client reads.
#[expect(clippy::disallowed_methods, reason = "a rate is measured")]
fn bare_rate(kafka: &Kafka, topic: &str, records: u64) -> f64 {
    let mut config = kafka.client();
    config.set("group.id", "bare").set("enable.auto.commit", "false");
    config.set("check.crcs", "true").set("fetch.queue.backoff.ms", "50");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    for partition in 0..3 {
        list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&list).unwrap();
    let first = consumer.poll(PATIENCE).unwrap().unwrap();
    drop(first);
    let started = Instant::now();
    for _ in 1..records {
        consumer.poll(PATIENCE).unwrap().unwrap();
    }
    records as f64 / started.elapsed().as_secs_f64()
}

/// Records a second that the service reads, judges, stores and commits: from its first commit to the
/// last one that did not wait for an epoch to end with nothing left to read.
#[expect(clippy::disallowed_methods, reason = "a rate is measured")]
fn service_rate(kafka: &Kafka, topic: &str, records: u64) -> f64 {
    let started = Instant::now();
    let mut commits: Vec<(Duration, i64)> = vec![(Duration::ZERO, 0)];
    loop {
        let (at, sum) = (started.elapsed(), committed(kafka, topic, topic));
        if commits.last().is_none_or(|last| sum > last.1) {
            commits.push((at, sum));
        }
        if sum >= records as i64 {
            break;
        }
        assert!(at < PATIENCE, "{sum} of {records} records are committed");
        // Asking is work for the broker, which is on the same cores.
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("commits: {commits:?}");
    let (first, last) = match &commits[..] {
        [_, first, .., last, _] => (first, last),
        all => (&all[0], &all[all.len() - 1]),
    };
    (last.1 - first.1) as f64 / last.0.saturating_sub(first.0).as_secs_f64()
}

#[expect(clippy::disallowed_methods, reason = "the time of live events is the clock's")]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

fn summary(place: &Place) -> Value {
    serde_json::from_str(&std::fs::read_to_string(place.path("run.json")).unwrap()).unwrap()
}

/// Produces lines in turn to three partitions.
fn produce(kafka: &Kafka, topic: &str, lines: &[String]) {
    let records = (0..).zip(lines).map(|(number, line): (i32, &String)| Record {
        payload: line.as_bytes(),
        partition: Some(number % 3),
        ..Record::default()
    });
    kafka.produce(topic, records);
}

/// Fills a topic with six hours of traffic that end an hour ago.
fn history(kafka: &Kafka, topic: &str, records: u64) {
    let start = now_ms() - 7 * 3_600_000;
    let each = 6 * 3_600_000 / records;
    let mut lines = Vec::new();
    for number in 0..records {
        let who = number * 7_919 % CALLERS;
        let path = format!("/orders/{}", 1_000 + who * 10 + number % 5);
        lines.push(line(start + number * each, &format!("shop-{who}"), &path));
        if lines.len() == 100_000 {
            produce(kafka, topic, &lines);
            lines.clear();
        }
    }
    produce(kafka, topic, &lines);
}

/// A rate for some seconds, with a sweep by another identity every second; all at their time. How
/// many records that were, and how many a second they became.
#[expect(clippy::disallowed_methods, reason = "live traffic comes at its time")]
fn live(kafka: &Kafka, topic: &str, rate: f64, seconds: u64) -> (u64, f64) {
    const TICK_MS: u64 = 100;
    let mut config = kafka.client();
    config.set("enable.idempotence", "true").set("linger.ms", "5");
    let producer: BaseProducer = config.create().unwrap();
    let (started, mut sent) = (Instant::now(), 0);
    let per_tick = (rate * TICK_MS as f64 / 1_000.0) as u64;
    for tick in 0..seconds * 1_000 / TICK_MS {
        let due = Duration::from_millis(tick * TICK_MS);
        std::thread::sleep(due.saturating_sub(started.elapsed()));
        let ms = now_ms();
        let mut lines: Vec<String> = (0..per_tick)
            .map(|number| {
                let who = (tick * per_tick + number) * 7_919 % CALLERS;
                let path = format!("/orders/{}", 1_000 + who * 10 + number % 5);
                line(ms, &format!("shop-{who}"), &path)
            })
            .collect();
        let thief = format!("shop-{}", tick / 10 * 13 % CALLERS);
        for object in 0..20 {
            lines.push(line(ms, &thief, &format!("/orders/{}", 900_000 + tick * 20 + object)));
        }
        for (number, line) in (0..).zip(&lines) {
            let record = || BaseRecord::<[u8], [u8]>::to(topic).payload(line.as_bytes());
            while producer.send(record().partition(number % 3)).is_err() {
                producer.poll(Duration::from_millis(1));
            }
        }
        producer.poll(Duration::ZERO);
        sent += lines.len() as u64;
    }
    producer.flush(PATIENCE).unwrap();
    (sent, sent as f64 / started.elapsed().as_secs_f64())
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a rate is measured")]
fn the_service_keeps_up_and_says_it_soon() {
    const TEST: &str = "the_service_keeps_up_and_says_it_soon";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(server) = services::clickhouse(TEST) else { return };
    let records: u64 = if is_full() { 3_000_000 } else { 60_000 };
    let topic = services::unique("speed");
    kafka.create_topic(&topic, 3, &[("compression.type", "uncompressed")]);
    history(kafka, &topic, records);
    let place = Place::new();
    configure(&place, kafka, &topic, "");
    let text = std::fs::read_to_string(place.path("habitus.toml")).unwrap();
    let text = text.replace("epoch_seconds = 1\nepoch_events = 2000\n", "");
    place.write("habitus.toml", text);
    let store = store(&place, server, "speed");
    let bare = bare_rate(kafka, &topic, records);
    let mut service = Service::start(&place, &store, None);
    service.wait_for("leading");
    let rate = service_rate(kafka, &topic, records);
    service.stop();
    // The machine may have become quicker or slower meanwhile.
    let bare = f64::midpoint(bare, bare_rate(kafka, &topic, records));
    println!("{TEST}: while it catches up, spent {}", summary(&place)["spent_seconds"]);
    let ratio = rate / bare;
    let mut service = Service::start(&place, &store, None);
    service.wait_for("leading");
    let seconds = if is_full() { 60 } else { 5 };
    let (sent, load) = live(kafka, &topic, rate / 2.0, seconds);
    let started = Instant::now();
    while committed(kafka, &topic, &topic) < (records + sent) as i64 {
        assert!(started.elapsed() < PATIENCE, "{}", service.said());
        std::thread::sleep(Duration::from_millis(100));
    }
    service.stop();
    let summary = summary(&place);
    let latency = &summary["finding_latency_ms"];
    println!(
        "{TEST}: {records} records, bare {bare:.0}/s, service {rate:.0}/s, ratio {ratio:.2}, spent \
         {}, latency at {load:.0}/s {latency}",
        summary["spent_seconds"],
    );
    assert_eq!(summary["events"], sent, "{summary}");
    assert!(latency["count"].as_u64().unwrap() >= 3, "{summary}");
    if is_full() {
        assert!(ratio >= RATIO_MIN, "{ratio:.2} of the bare client's rate");
        assert!(latency["p99"].as_u64().unwrap() <= P99_MS_MAX, "{latency}");
    }
}

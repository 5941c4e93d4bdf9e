//! Several processes of one group: whoever leads, the findings are those of one.

use crate::habitus::{Place, is_full};
use crate::live::{
    BEFORE_THE_END, check_revisions, check_revisions_on, configure, deal, log, regroup, store,
};
use crate::service::{Service, findings, wait_for_group, wait_until_read};
use crate::services::{self, Kafka};
use std::collections::BTreeSet;
use std::time::Duration;

/// What one process finds that nobody disturbs.
fn calm(
    kafka: &Kafka,
    server: &services::ClickHouse,
    topic: &str,
    records: usize,
) -> BTreeSet<String> {
    let place = Place::new();
    configure(&place, kafka, topic, "");
    let group = regroup(&place, topic);
    let calm = store(&place, server, "calm");
    let service = Service::start(&place, &calm, None);
    wait_for_group(kafka, &group, topic, records as i64);
    service.stop();
    let found = findings(&place, &calm, BEFORE_THE_END);
    assert!(found.iter().any(|it| it.contains("shop-7")), "{found:#?}");
    found
}

/// Processes come, sleep, wake, die and go; `point` is where the first one falls asleep: it has
/// findings in hand that nothing is committed of.
fn storm(kafka: &Kafka, server: &services::ClickHouse, is_on_server: bool) {
    let lines = log(if is_full() { 140 } else { 9 });
    let topic = services::unique("storm");
    kafka.create_topic(&topic, 3, &[]);
    let place = Place::new();
    configure(&place, kafka, &topic, "");
    let (store, point) = if is_on_server {
        (store(&place, server, "storm"), "stored")
    } else {
        ("store".to_owned(), "inserting")
    };
    let parts: Vec<&[String]> = lines.chunks(lines.len() / 5 + 1).collect();
    let mut sent = 0;
    let mut send = |number: usize| {
        deal(kafka, &topic, parts[number], sent);
        sent += parts[number].len();
        sent as i64
    };
    let start = || Service::start(&place, &store, None);
    let release = place.path("release");
    let mut first = Service::start_held(&place, &store, point, &release);
    first.wait_for("leading");
    send(0);
    // The leader falls asleep past its session; another takes over from its last commit.
    first.wait_for("held at");
    first.freeze();
    let mut second = start();
    second.wait_for("leading");
    let all = send(1);
    wait_until_read(kafka, &topic, all);
    // Awake again, it goes on with what it had in hand; whatever it does changes nothing.
    let before = kafka.committed(&topic, &topic);
    std::fs::write(&release, "").unwrap();
    first.thaw();
    first.wait_for("another process");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(kafka.committed(&topic, &topic), before, "a commit of the dead");
    // The new leader is killed in the middle, and one more joins.
    let mut third = start();
    send(2);
    std::thread::sleep(Duration::from_millis(300));
    second.kill();
    let all = send(3);
    wait_until_read(kafka, &topic, all);
    // Whoever leads now goes in order; the other leads on.
    assert!(first.is_running() && third.is_running());
    first.stop();
    third.wait_for("leading");
    let all = send(4);
    wait_until_read(kafka, &topic, all);
    third.stop();
    assert_eq!(findings(&place, &store, BEFORE_THE_END), calm(kafka, server, &topic, lines.len()));
    if is_on_server {
        check_revisions_on(server, &store);
    } else {
        check_revisions(&place, &store);
    }
}

#[test]
fn workers_that_come_and_go_and_sleep_change_nothing() {
    const TEST: &str = "workers_that_come_and_go_and_sleep_change_nothing";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(server) = services::clickhouse(TEST) else { return };
    storm(kafka, server, true);
}

#[test]
fn workers_that_come_and_go_and_sleep_change_nothing_in_a_directory() {
    const TEST: &str = "workers_that_come_and_go_and_sleep_change_nothing_in_a_directory";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(server) = services::clickhouse(TEST) else { return };
    storm(kafka, server, false);
}

#[test]
fn one_two_and_three_workers_find_the_same() {
    const TEST: &str = "one_two_and_three_workers_find_the_same";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(server) = services::clickhouse(TEST) else { return };
    let lines = log(9);
    let topic = crate::live::topic(kafka, &lines);
    let alone = calm(kafka, server, &topic, lines.len());
    for workers in 2..=3 {
        let place = Place::new();
        configure(&place, kafka, &topic, "");
        let group = regroup(&place, &topic);
        let store = store(&place, server, "several");
        let all: Vec<Service> =
            (0..workers).map(|_| Service::start(&place, &store, None)).collect();
        wait_for_group(kafka, &group, &topic, lines.len() as i64);
        for service in all {
            service.stop();
        }
        assert_eq!(findings(&place, &store, BEFORE_THE_END), alone, "{workers} workers");
    }
}

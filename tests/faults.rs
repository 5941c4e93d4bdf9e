//! A ClickHouse that is killed, hangs, fails and forgets to answer: nothing is lost, nothing is there twice.

use crate::habitus::{Place, is_full};
use crate::live::{BEFORE_THE_END, check_revisions_on, configure, deal, log, regroup, store};
use crate::service::{PATIENCE, Service, findings, wait_for_group, wait_until_read};
use crate::services::{self, ClickHouse, Fault};
use std::time::Duration;

/// Memory that the service may have while its store is away: what it has read and not judged,
/// what it found, what the client holds ahead, its own state.
const RSS_KIB_MAX: u64 = 700 * 1024;

/// Waits until so many requests have met the fault that was ordered last.
#[track_caller]
fn wait_for_faults(server: &ClickHouse, wanted: u64) {
    for _ in 0..PATIENCE.as_millis() / 50 {
        if server.faults() >= wanted {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{} of {wanted} requests met the fault", server.faults());
}

/// The most memory that a process had, in KiB.
fn peak_rss_kib(id: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn server_troubles_lose_nothing_and_double_nothing() {
    const TEST: &str = "server_troubles_lose_nothing_and_double_nothing";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(mut server) = ClickHouse::start_own(TEST) else { return };
    let lines = log(if is_full() { 140 } else { 9 });
    let topic = services::unique("faults");
    kafka.create_topic(&topic, 3, &[]);
    let place = Place::new();
    configure(&place, kafka, &topic, "");
    let torn = store(&place, &server, "torn");
    let mut service = Service::start(&place, &torn, None);
    let faults = [
        Fault::Status500(0),
        Fault::Status500(241),
        Fault::CommitThenClose,
        Fault::Refuse,
        Fault::Delay(Duration::from_millis(700)),
        Fault::Hang,
    ];
    let parts: Vec<&[String]> = lines.chunks(lines.len() / (faults.len() + 1) + 1).collect();
    let mut sent = 0;
    for (fault, part) in faults.into_iter().zip(&parts) {
        let is_hanging = matches!(fault, Fault::Hang);
        server.fault(if is_hanging { 1 } else { 3 }, fault, "INSERT");
        deal(kafka, &topic, part, sent);
        sent += part.len();
        wait_for_faults(&server, if is_hanging { 1 } else { 3 });
        if is_hanging {
            std::thread::sleep(Duration::from_secs(2));
            // A new order lets go of whoever hangs.
            server.fault(0, Fault::Refuse, "INSERT");
        }
        wait_until_read(kafka, &topic, sent as i64);
    }
    // An outage, and all that is left comes meanwhile.
    server.kill();
    deal(kafka, &topic, parts.last().unwrap(), sent);
    service.wait_for("waiting: ");
    std::thread::sleep(Duration::from_secs(if is_full() { 60 } else { 5 }));
    let rss = peak_rss_kib(service.id());
    assert!(rss < RSS_KIB_MAX, "{rss} KiB while the server was away");
    server.restart();
    service.wait_for("going on");
    wait_until_read(kafka, &topic, lines.len() as i64);
    service.stop();
    println!("{TEST}: {} events, at most {rss} KiB", lines.len());
    let other = Place::new();
    configure(&other, kafka, &topic, "");
    let group = regroup(&other, &topic);
    let calm = store(&other, &server, "calm");
    let service = Service::start(&other, &calm, None);
    wait_for_group(kafka, &group, &topic, lines.len() as i64);
    service.stop();
    let found = findings(&other, &calm, BEFORE_THE_END);
    assert!(found.iter().any(|it| it.contains("shop-7")), "{found:#?}");
    assert_eq!(findings(&place, &torn, BEFORE_THE_END), found);
    check_revisions_on(&server, &torn);
    let rows = "SELECT principal_id, day, findings FROM identity_risk ORDER BY ALL";
    assert_eq!(place.query(&torn, rows), other.query(&calm, rows));
    let windows = "SELECT count(), sum(requests) FROM windows FINAL WHERE window_start < '2026-04-03 23:00:00'";
    assert_eq!(place.query(&torn, windows), other.query(&calm, windows));
}

#[test]
fn it_ends_in_time_while_its_store_hangs() {
    const TEST: &str = "it_ends_in_time_while_its_store_hangs";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(mut server) = ClickHouse::start_own(TEST) else { return };
    let lines = log(3);
    let topic = crate::live::topic(kafka, &lines);
    let place = Place::new();
    configure(&place, kafka, &topic, "");
    let torn = store(&place, &server, "hung");
    server.fault(100, Fault::Hang, "INSERT");
    let service = Service::start(&place, &torn, None);
    wait_for_faults(&server, 1);
    let took = service.stop();
    assert!(took < Duration::from_secs(10), "it ended after {took:?}");
    // What the server did not take is there after the next start.
    server.fault(0, Fault::Refuse, "INSERT");
    let service = Service::start(&place, &torn, None);
    wait_until_read(kafka, &topic, lines.len() as i64);
    service.stop();
    let found = findings(&place, &torn, BEFORE_THE_END);
    assert!(found.iter().any(|it| it.contains("shop-7")), "{found:#?}");
}

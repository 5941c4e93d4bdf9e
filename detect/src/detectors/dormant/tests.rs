//! Identities that sleep and wake, driven through the whole of detection.

use crate::{Engine, Item, Settings};
use model::limit::PARTITIONS;
use model::time::NS_PER_H;
use model::{
    Detector, EndpointId, EndpointSource, Endpoints, Event, EventBatch, Finding, Int,
    PrincipalTrust, PrincipalType, Text, Time,
};
use std::collections::BTreeSet;

/// 2026-03-01T08:00:00Z.
const START: Time = Time::from_ns(1_772_352_000 * 1_000_000_000);
/// Hours of a day in which anybody calls, and the time between them: nobody is silent for 8 hours.
const HOURS: i64 = 4;
const STEP_H: i64 = 24 / HOURS;
const IDENTITIES: u64 = 25;
const SLEEPER: u64 = 99;
/// The endpoint that only one of them uses.
const ADMIN: u32 = 3;

fn call(batch: &mut EventBatch, who: u64, at: Time, endpoint: u32) {
    let mut event = Event::at(at);
    event.principal_type = PrincipalType::ApiKey;
    event.principal_trust = PrincipalTrust::Verified;
    event.principal_hash = (who + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    event.endpoint_id = EndpointId(endpoint);
    event.set_int(Int::HttpResponseStatusCode, 200);
    batch.set_text(&mut event, Text::PrincipalId, &format!("key-{who}"));
    let method = if endpoint == ADMIN { "POST" } else { "GET" };
    batch.set_text(&mut event, Text::HttpRequestMethod, method);
    batch.events.push(event);
}

/// The ids of what is found by this detector, where everybody works on all days but those that have
/// no log, and the sleeper does what `sleeper` says of a day and an hour.
fn run(
    days: i64,
    is_logged: impl Fn(i64) -> bool,
    sleeper: impl Fn(i64, i64) -> Option<u32>,
) -> Vec<Finding> {
    let mut endpoints = Endpoints::default();
    for name in ["GET /orders", "GET /prices", "GET /stock", "POST /admin/users/{int}/roles"] {
        endpoints.push(name, EndpointSource::Lexical);
    }
    let settings =
        Settings { windows_per_finding_min: 100.0, findings_per_day: 1e6, ..Settings::default() };
    let mut engine = Engine::new(settings.check().unwrap());
    let mut found = Vec::new();
    for (day, hour) in (0..days).flat_map(|day| (0..HOURS).map(move |hour| (day, hour))) {
        if !is_logged(day) {
            continue;
        }
        let start = START.plus((24 * day + STEP_H * hour) * NS_PER_H);
        let mut batch = EventBatch::default();
        for who in 0..IDENTITIES {
            let endpoint = if who == 0 { ADMIN } else { (who % 3) as u32 };
            call(&mut batch, who, start.plus(1 + who as i64), endpoint);
        }
        if let Some(endpoint) = sleeper(day, hour) {
            call(&mut batch, SLEEPER, start.plus(NS_PER_H / 2), endpoint);
        }
        let mut items: Vec<Vec<Item<'_>>> = vec![Vec::new(); PARTITIONS];
        for event in &batch.events {
            items[event.partition()].push(Item::Call(&batch, event));
        }
        engine.open(start);
        engine.tasks(&endpoints, &items, true).into_iter().for_each(crate::Task::run);
        found.extend(engine.exchange(&endpoints, false).unwrap().findings);
    }
    found.retain(|it| it.detector == Detector::Dormant.into());
    found
}

/// The days on which something was found, as distinct findings.
#[track_caller]
fn check(found: &[Finding], expected: &[i64]) {
    let ids: BTreeSet<_> = found.iter().map(|it| (it.window_start, it.id)).collect();
    let days: Vec<_> = ids.iter().map(|(at, _)| at.since(START) / NS_PER_H / 24).collect();
    assert_eq!(days, expected, "{found:#?}");
}

/// It reads on its days, and administers on the others that are its.
fn reads_or_administers(reads: &[i64], administers: &[i64], day: i64) -> Option<u32> {
    let is_reading = reads.contains(&day).then_some(0);
    is_reading.or(administers.contains(&day).then_some(ADMIN))
}

#[test]
fn an_awakening_is_said_once_and_does_not_become_a_habit() {
    let own: Vec<_> = (0..4).collect();
    let found = run(26, |_| true, |day, _| reads_or_administers(&own, &[13, 24], day));
    // The second time the endpoint is not new to it, and the silence not long enough for more.
    check(&found, &[13]);
    assert!(found[0].sentence.contains("was silent for 9 d"), "{}", found[0].sentence);
    assert_eq!(found[0].unit, "days silent");
}

#[test]
fn whoever_reads_again_after_a_silence_is_quiet() {
    let own: Vec<_> = (0..4).chain([13, 14]).collect();
    check(&run(15, |_| true, |day, _| reads_or_administers(&own, &[], day)), &[]);
}

#[test]
fn what_nobody_logged_nobody_kept_silent() {
    let own: Vec<_> = (0..4).collect();
    let is_logged = |day| !(4..13).contains(&day);
    check(&run(15, is_logged, |day, _| reads_or_administers(&own, &[13], day)), &[]);
}

#[test]
fn the_second_hour_counts_and_the_second_day_does_not() {
    let own: Vec<_> = (0..4).collect();
    let at = |day: i64, hour: i64| match (day, hour) {
        (13, 0) => Some(0),
        (13, 2) => Some(ADMIN),
        _ => reads_or_administers(&own, &[], day),
    };
    check(&run(15, |_| true, at), &[13]);
    let at = |day: i64, hour: i64| match (day, hour) {
        (13, _) => Some(0),
        (14, 2) => Some(ADMIN),
        _ => reads_or_administers(&own, &[], day),
    };
    check(&run(15, |_| true, at), &[]);
}

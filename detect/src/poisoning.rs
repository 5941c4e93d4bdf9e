//! Whoever raises its volume a little each day does not bring its baseline along; and what that takes.

use crate::{Engine, Item, Settings, Task};
use model::limit::PARTITIONS;
use model::time::{NS_PER_D, NS_PER_H, NS_PER_S};
use model::{
    Detector, EndpointId, EndpointSource, Endpoints, Event, EventBatch, Finding, Int, Origin,
    PrincipalTrust, PrincipalType, Text, Time,
};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore as _, SeedableRng as _};

/// 2026-01-05T00:00:00Z, a Monday.
const START: Time = Time::from_ns(1_767_571_200 * NS_PER_S);
const IDENTITIES: u64 = 24;
/// Days before the growth, days of it, and by how much a day.
const BEFORE: i64 = 14;
const GROWING: i64 = 60;
const GROWTH: f64 = 1.05;
/// Working hours, and calls in each.
const HOURS: [i64; 2] = [9, 17];
const CALLS: i64 = 6;
/// A call's bytes in the middle, and how they vary between days, hours and calls (of their logarithm).
const BYTES: f64 = 700_000.0;
const VARY: [f64; 3] = [0.05, 0.15, 0.3];
/// How much more than it has come to be the last hour takes.
const TAKEN: f64 = 4.0;
/// The one that poisons.
const ATTACKER: u64 = 3;

/// What was found of one seed.
#[derive(Debug, Default)]
struct Told {
    /// The day of growth on which the drift was told first, from 1.
    drift_day: Option<i64>,
    /// The last hour's egress was.
    is_theft: bool,
    /// Findings about others.
    others: usize,
}

/// A standard normal number (Box and Muller, Annals of Mathematical Statistics 29, 1958).
fn normal(random: &mut Xoshiro256PlusPlus) -> f64 {
    let mut unit = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let (a, b) = (1.0 - unit(), unit());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

fn call(batch: &mut EventBatch, at: Time, identity: u64, bytes: f64) {
    let mut event = Event::at(at);
    event.principal_type = PrincipalType::Consumer;
    event.principal_trust = PrincipalTrust::Verified;
    event.principal_source = "kong.consumer.id";
    event.principal_hash = (identity + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    event.endpoint_id = EndpointId(0);
    event.endpoint_source = EndpointSource::Lexical;
    event.set_int(Int::HttpResponseStatusCode, 200);
    event.set_int(Int::HttpResponseBodySize, bytes as i64);
    batch.set_text(&mut event, Text::PrincipalId, &format!("app-{identity}"));
    batch.set_text(&mut event, Text::HttpRequestMethod, "GET");
    batch.set_text(&mut event, Text::UrlPath, "/reports");
    batch.events.push(event);
}

/// All calls of an hour in which the attacker's are `factor` times what they were.
fn hour(random: &mut Xoshiro256PlusPlus, days: &[f64], start: Time, factor: f64) -> EventBatch {
    let mut batch = EventBatch::default();
    for (identity, of_day) in (0..).zip(days) {
        let of_hour = of_day + VARY[1] * normal(random);
        for number in 0..CALLS {
            let more = if identity == ATTACKER { factor } else { 1.0 };
            let bytes = BYTES * more * (of_hour + VARY[2] * normal(random)).exp();
            let at = start.plus(number * 9 * 60 * NS_PER_S + identity as i64 * 11 * NS_PER_S);
            call(&mut batch, at, identity, bytes);
        }
    }
    batch.events.sort_by_key(|event| event.time);
    batch
}

fn run(seed: u64, learns_all: bool) -> Told {
    let mut plan = Settings::default().check().unwrap();
    plan.learns_all = learns_all;
    let mut engine = Engine::new(plan);
    let mut endpoints = Endpoints::default();
    endpoints.push("GET /reports", EndpointSource::Lexical);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut told = Told::default();
    for day in 0..=BEFORE + GROWING {
        let grown = GROWTH.powi((day - BEFORE).clamp(0, GROWING) as i32);
        let days: Vec<_> = (0..IDENTITIES).map(|_| VARY[0] * normal(&mut random)).collect();
        for of_day in HOURS[0]..HOURS[1] {
            let is_last = day == BEFORE + GROWING && of_day == HOURS[1] - 1;
            let start = START.plus(day * NS_PER_D + of_day * NS_PER_H);
            let factor = if is_last { grown * TAKEN } else { grown };
            let batch = hour(&mut random, &days, start, factor);
            let mut items: Vec<Vec<Item<'_>>> = vec![Vec::new(); PARTITIONS];
            for event in &batch.events {
                items[event.partition()].push(Item::Call(&batch, event));
            }
            engine.open(start);
            engine.tick(start, &endpoints);
            engine.tasks(&endpoints, &items, true).into_iter().for_each(Task::run);
            if day == BEFORE + GROWING && is_last {
                engine.end_day(&endpoints);
            }
            let output = engine.exchange(&endpoints, is_last).unwrap();
            output.findings.iter().for_each(|it| told.take(it, day - BEFORE + 1, is_last));
        }
    }
    told
}

impl Told {
    fn take(&mut self, finding: &Finding, day: i64, is_last: bool) {
        if finding.principal_id.as_deref() != Some(&*format!("app-{ATTACKER}")) {
            self.others += usize::from(finding.is_first);
            return;
        }
        match finding.detector {
            Origin::Detector(Detector::SlowDrip) => {
                self.drift_day.get_or_insert(day);
            }
            // Findings of hours before do not tell that the last one was the theft.
            Origin::Detector(Detector::EgressSpike) => self.is_theft |= is_last,
            Origin::Detector(_) | Origin::Notice(_) => {}
        }
    }

    /// Whether the drift was told before its twentieth day, and the theft was.
    fn is_found(&self) -> bool {
        self.is_theft && self.drift_day.is_some_and(|day| day < 20)
    }
}

/// How many of so many seeds are found, and the middle day of the drift.
fn found(seeds: u64, learns_all: bool) -> (usize, Vec<Told>) {
    let all: Vec<_> = (1..=seeds).map(|seed| run(seed, learns_all)).collect();
    (all.iter().filter(|told| told.is_found()).count(), all)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's size is no configuration")]
fn a_baseline_cannot_be_poisoned_and_without_the_gates_it_can() {
    let is_full = std::env::var("HABITUS_TESTS_FULL").is_ok_and(|it| it == "1");
    let seeds = if is_full { 50 } else { 1 };
    let (with, told) = found(seeds, false);
    let (without, open) = found(seeds, true);
    let days = |all: &[Told]| all.iter().map(|it| it.drift_day.unwrap_or(99)).collect::<Vec<_>>();
    let thefts = |all: &[Told]| all.iter().filter(|it| it.is_theft).count();
    let said = format!(
        "with the gates {with} of {seeds} (thefts {}, drift on days {:?}, others {:?}), without {without} \
         (thefts {}, drift on days {:?})",
        thefts(&told),
        days(&told),
        told.iter().map(|it| it.others).sum::<usize>(),
        thefts(&open),
        days(&open),
    );
    assert!(with * 10 >= seeds as usize * 9, "{said}");
    assert!(without * 10 < seeds as usize * 9, "the gates are worth nothing: {said}");
}

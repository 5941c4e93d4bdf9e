//! Flat traffic for measuring speed: many identities, many events, little thought per event.

use crate::calendar::{NS_PER_H, NS_PER_S};
use crate::digits::{push_number, push_padded, text, uuid};
use crate::endpoints::HOST;
use crate::prng::{Rng, exp, ln, mix, mix_wide};
use crate::record::{Caller, Consumer, Record, Route};
use std::sync::Arc;

/// The most identities.
const IDENTITIES_MAX: u32 = 1_000_000;
/// The most events.
const EVENTS_MAX: u64 = 10_000_000_000;
/// How fast activity falls with an identity's rank: the nth makes 1/n^0.8 of the first's calls.
const ZIPF: f64 = 0.8;
/// How many endpoints one identity uses.
const HABITS: u64 = 8;

const RESOURCES: [&str; 20] = [
    "accounts",
    "addresses",
    "baskets",
    "brands",
    "carriers",
    "categories",
    "contacts",
    "coupons",
    "customers",
    "deliveries",
    "invoices",
    "messages",
    "offers",
    "orders",
    "payments",
    "products",
    "refunds",
    "reviews",
    "suppliers",
    "tickets",
];
/// Six operations of each resource make 120 endpoints.
const OPERATIONS: [(&str, Shape); 6] = [
    ("GET", Shape::List),
    ("GET", Shape::Number),
    ("GET", Shape::Uuid),
    ("POST", Shape::List),
    ("PUT", Shape::Number),
    ("GET", Shape::Nested),
];

static ROUTE: Route = Route { name: "shop", path: "/v1", service: "shop" };

#[derive(Clone, Copy)]
enum Shape {
    List,
    Number,
    Uuid,
    Nested,
}

/// Generates `events` calls of about `identities` identities over `hours`, in time order.
///
/// The pairs are (identities, events) and (start in seconds since the epoch, hours). Identities are
/// active by a power law; each has its habits among 120 endpoints. The same arguments give the same
/// records. At most 1 000 000 identities and 10 000 000 000 events; zero identities give none.
pub fn benchmark(
    (identities, events): (u32, u64),
    (start_s, hours): (i64, u32),
    seed: u64,
    sink: &mut dyn FnMut(&Record),
) {
    let mut rng = Rng::new(seed, 0xbe9c);
    let identities = identities.min(IDENTITIES_MAX);
    let events = events.min(EVENTS_MAX);
    let callers: Vec<Arc<Caller>> = (0..identities).map(|number| caller(seed, number)).collect();
    let Some(first) = callers.first() else { return };
    let activity = Activity::new(identities);
    let start_ns = start_s.clamp(0, 4_102_444_800) * NS_PER_S;
    let step_ns = i64::from(hours) * NS_PER_H / events.max(1) as i64;
    let mut record = blank(first, start_ns);
    for number in 0..events {
        let who = activity.draw(&mut rng);
        if let Some(caller) = callers.get(who) {
            record.caller = Arc::clone(caller);
        }
        let jitter_ns = rng.below(step_ns.max(1).unsigned_abs()) as i64;
        record.time_ns = start_ns + number as i64 * step_ns + jitter_ns;
        record.request_id = mix_wide(seed, number);
        fill(&mut record, who as u64, &mut rng);
        sink(&record);
    }
}

/// The record's endpoint, object, outcome and sizes.
fn fill(record: &mut Record, who: u64, rng: &mut Rng) {
    let habit = rng.below(HABITS).min(rng.below(HABITS));
    let endpoint = (mix(who * HABITS + habit) % 120) as usize;
    let resource = RESOURCES[endpoint / OPERATIONS.len()];
    let (method, shape) = OPERATIONS[endpoint % OPERATIONS.len()];
    // Everybody has some objects of their own, and now and then meets one of somebody else.
    let owner = if rng.chance(0.9) { who } else { rng.below(100_000) };
    let object = mix(owner * 16 + rng.below(16)) % 9_000_000 + 1_000;
    record.method = method;
    record.path.clear();
    record.path.push_str("/v1/");
    record.path.push_str(resource);
    if !matches!(shape, Shape::List) {
        record.path.push('/');
    }
    match shape {
        Shape::List => {}
        Shape::Number => push_number(&mut record.path, object),
        Shape::Uuid => record.path.push_str(text(&uuid(mix_wide(endpoint as u64, object)))),
        Shape::Nested => {
            push_number(&mut record.path, object);
            record.path.push_str("/history");
        }
    }
    let roll = rng.below(1_000);
    record.status = match roll {
        0..4 => 500,
        4..16 => 404,
        16..20 => 403,
        20..24 => 400,
        _ => 200,
    };
    record.bytes_out = 300 + rng.below(400) + 400 * (mix(endpoint as u64) % 32);
    record.bytes_in = 200 + rng.below(500);
    record.latency_ms = 2 + rng.below(90) as u32;
}

fn blank(caller: &Arc<Caller>, time_ns: i64) -> Record {
    Record {
        time_ns,
        method: "GET",
        host: HOST,
        template: "",
        path: String::with_capacity(80),
        query: String::new(),
        status: 200,
        bytes_out: 0,
        bytes_in: 0,
        latency_ms: 0,
        caller: Arc::clone(caller),
        route: &ROUTE,
        request_id: 0,
        mcp: None,
        context: None,
    }
}

fn caller(seed: u64, number: u32) -> Arc<Caller> {
    let key = mix(seed ^ u64::from(number));
    let new_id = |kind| text(&uuid(mix_wide(kind, key))).to_owned();
    let mut username = String::from("client-");
    push_padded(&mut username, u64::from(number), 6);
    let [a, b, c] = [number >> 16 & 0xff, number >> 8 & 0xff, number & 0xff];
    Arc::new(Caller {
        claims: None,
        consumer: Some(Consumer { id: new_id(1), username, custom_id: new_id(2) }),
        credential_id: None,
        client_address: format!("10.{a}.{b}.{c}"),
        user_agent: format!("shop-client/{}.{} (linux)", key % 5, key / 5 % 20),
    })
}

/// How active each identity is: cumulative weights of a power law.
struct Activity {
    cumulative: Vec<f64>,
    total: f64,
}

impl Activity {
    fn new(identities: u32) -> Self {
        let mut total = 0.0;
        let cumulative = (1..=identities)
            .map(|rank| {
                total += exp(-ZIPF * ln(f64::from(rank)));
                total
            })
            .collect();
        Self { cumulative, total }
    }

    fn draw(&self, rng: &mut Rng) -> usize {
        let place = rng.unit() * self.total;
        let rank = self.cumulative.partition_point(|sum| *sum <= place);
        rank.min(self.cumulative.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn the_traffic_is_ordered_bounded_and_skewed() {
        let (mut last_ns, mut calls) = (0, BTreeMap::new());
        let mut endpoints = BTreeSet::new();
        benchmark((1_000, 50_000), (1_772_409_600, 24), 3, &mut |record| {
            assert!(last_ns <= record.time_ns);
            last_ns = record.time_ns;
            *calls.entry(record.caller.principal().to_owned()).or_insert(0_u32) += 1;
            let resource = record.path.split('/').nth(2).unwrap_or("").to_owned();
            endpoints.insert((record.method, resource));
        });
        assert!(last_ns < (1_772_409_600 + 86_400) * NS_PER_S);
        assert_eq!(calls.values().sum::<u32>(), 50_000);
        assert!(calls.len() > 950, "{}", calls.len());
        assert!(calls.values().max() > Some(&1_000));
        assert_eq!(endpoints.len(), 60);
    }

    #[test]
    fn the_same_arguments_give_the_same_records() {
        let run = |seed| {
            let mut records = Vec::new();
            benchmark((50, 500), (0, 1), seed, &mut |record| records.push(record.clone()));
            records
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
        benchmark((0, 10), (0, 1), 1, &mut |_| panic!("nobody calls"));
    }
}

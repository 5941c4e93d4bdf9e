//! The attacks: each takes a victim from the cast, and adds its calls to the traffic.

mod agent_hijack;
mod bulk_export;
mod credential_stuffing;
mod invoice_walk;
mod many_shifts;
mod operation_probing;
mod oversized_answers;
mod role_grant;
mod runaway_session;
mod stolen_key;
mod takeover;
mod withdrawn_key;

use crate::actor::Actor;
use crate::calendar::{NS_PER_H, NS_PER_MIN, NS_PER_S, ns};
use crate::cast::Cast;
use crate::change::Change;
use crate::prng::Rng;
use crate::record::Record;
use crate::scenario::Span;
use crate::truth::{Attack, Strength};

/// The most calls of one attack: it is planned whole, so this bounds the memory that it takes.
pub(crate) const RAID_RECORDS_MAX: usize = 50_000;
/// The most attacks of a scenario.
const RAIDS: usize = 12;

/// An attack and its calls.
#[derive(Debug)]
pub(crate) struct Raid {
    pub(crate) attack: Attack,
    pub(crate) actors: Vec<Actor>,
    pub(crate) changes: Vec<Change>,
}

/// Where attacks are planned.
struct Stage<'a> {
    cast: &'a mut Cast,
    rng: Rng,
    span: Span,
}

/// What is said of an attack beside its calls.
pub(crate) struct Plot {
    pub(crate) name: &'static str,
    pub(crate) detector: &'static str,
    pub(crate) also: &'static [&'static str],
    pub(crate) principal: String,
    pub(crate) story: String,
    pub(crate) strength: Strength,
}

/// Every attack that finds its victim and fits into the span.
pub(crate) fn plan(seed: u64, cast: &mut Cast, span: Span) -> Vec<Raid> {
    let plans: [fn(&mut Stage<'_>) -> Option<Raid>; RAIDS] = [
        stolen_key::plan,
        bulk_export::plan,
        role_grant::plan,
        runaway_session::plan,
        credential_stuffing::plan,
        operation_probing::plan,
        takeover::plan,
        invoice_walk::plan,
        withdrawn_key::plan,
        oversized_answers::plan,
        many_shifts::plan,
        agent_hijack::plan,
    ];
    // Attacks need the first half of the day as their victims' baseline.
    if span.day_ns < span.start_ns {
        return Vec::new();
    }
    let mut raids = Vec::with_capacity(RAIDS);
    for (stream, plan) in (0xbad0_0000_u64..).zip(plans) {
        let mut stage = Stage { cast: &mut *cast, rng: Rng::new(seed, stream), span };
        raids.extend(plan(&mut stage));
    }
    raids
}

impl Stage<'_> {
    /// That time of the last day.
    const fn at(&self, hour: i64, minute: i64) -> i64 {
        self.span.day_ns + hour * NS_PER_H + minute * NS_PER_MIN
    }

    /// Times of `count` calls from `start_ns` on, with `gap_s` seconds between two at the median.
    fn times(&mut self, start_ns: i64, count: usize, gap_s: f64) -> Vec<i64> {
        let mut now_ns = start_ns;
        let count = count.min(RAID_RECORDS_MAX);
        (0..count)
            .map(|_| {
                let time_ns = now_ns;
                now_ns += ns(self.rng.log_normal(gap_s, 0.2)) + 1_000;
                time_ns
            })
            .collect()
    }
}

impl Raid {
    /// The attack made of these calls, which are in time order; `None` without any.
    pub(crate) fn new(plot: Plot, mut records: Vec<Record>) -> Option<Self> {
        records.truncate(RAID_RECORDS_MAX);
        let (first, last) = (records.first()?, records.last()?);
        let seconds = |time_ns: i64| time_ns as f64 / NS_PER_S as f64;
        let attack = Attack {
            name: plot.name.to_owned(),
            detector: plot.detector,
            also: plot.also,
            principal: plot.principal,
            others: Vec::new(),
            start_s: seconds(first.time_ns),
            end_s: seconds(last.time_ns) + f64::from(last.latency_ms) / 1_000.0,
            story: plot.story,
            strength: plot.strength,
        };
        Some(Self { attack, actors: vec![Actor::Planned(records)], changes: Vec::new() })
    }
}

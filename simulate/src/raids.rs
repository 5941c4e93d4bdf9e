//! One attack for each detector, loud, moderate or weak, spread over the days of a scenario.
//!
//! An attack is what an attacker does. How much of it is measured by what its victim does on ordinary
//! days, and not by what anybody looks for: a loud one is twelve times the victim's busiest hour or
//! minute, a moderate one five times, a weak one twice. Below a number that would be worth an
//! attacker's while nobody begins. Loud is also fast, as a program is that does not mind to be seen,
//! and weak is slow. Attacks without a quantity differ in how bold they are.

mod doors;
mod flood;
mod little;
mod order;
mod slow;
mod things;
mod volume;

use crate::actor::Actor;
use crate::attacks::{Plot, RAID_RECORDS_MAX, Raid};
use crate::calendar::{NS_PER_D, NS_PER_H, NS_PER_MIN, is_weekend, ns};
use crate::cast::Cast;
use crate::habits::Habits;
use crate::people::Person;
use crate::prng::Rng;
use crate::record::Record;
use crate::scenario::Span;
use crate::truth::Strength;

/// How often the victim's busiest ordinary hour: loud, moderate, weak.
const TIMES: [u64; 3] = [12, 5, 2];
/// At most one identity in so many is attacked, so that most of a company is ordinary.
const VICTIM_SHARE: usize = 6;
/// No attack begins in the last hours of the traffic.
const LAST_HOURS: i64 = 6;

/// How an attack is planned.
type Plan = fn(&mut Stage<'_>) -> Option<Raid>;

/// A kind of attack, and how many days of its world must come before it.
#[derive(Clone, Copy)]
struct Kind {
    plan: Plan,
    days: i64,
    /// How many days it lasts, beside the one on which it begins.
    lasts: i64,
}

const fn kind(plan: Plan, days: i64) -> Kind {
    Kind { plan, days, lasts: 0 }
}

const fn lasting(plan: Plan, days: i64, lasts: i64) -> Kind {
    Kind { plan, days, lasts }
}

/// In the order of the catalogue of detectors, but for those below.
const KINDS: [Kind; 26] = [
    kind(volume::object_enumeration, 1),
    kind(volume::egress_spike, 1),
    kind(doors::first_seen_endpoint, 1),
    kind(things::foreign_object, 3),
    kind(doors::unauthenticated_success, 1),
    kind(doors::new_network, 1),
    kind(volume::auth_failures, 1),
    kind(volume::denied_probing, 1),
    kind(things::secret_harvesting, 1),
    kind(things::tool_drift, 1),
    kind(things::toxic_flow, 1),
    kind(volume::machine_speed, 1),
    lasting(slow::slow_drip, 6, 7),
    kind(order::sequence, 1),
    kind(order::delegation, 1),
    kind(order::injection, 1),
    kind(slow::exposure_change, 3),
    kind(volume::write_burst, 1),
    kind(order::runaway_loop, 1),
    kind(doors::dormant, 10),
    kind(doors::inventory, 8),
    kind(doors::key_fanout, 2),
    kind(slow::cadence, 7),
    kind(order::agent_graph, 1),
    kind(slow::joint_outlier, 1),
    kind(slow::not_itself, 1),
];

/// What comes beside the others, whatever those are, each by chances of its own. A week must come before it:
/// whoever floods a site on its first days floods one that nobody knows yet, and what is a little too much is
/// known as late.
const BESIDE: [(Kind, u64); 2] = [
    (kind(flood::identity_explosion, 8), 0xbadf_0000),
    (kind(little::coincidence, 8), 0xbadc_0000),
];

/// Where one attack is planned.
pub(crate) struct Stage<'a> {
    pub(crate) cast: &'a mut Cast,
    pub(crate) rng: Rng,
    pub(crate) span: Span,
    pub(crate) start_ns: i64,
    pub(crate) strength: Strength,
}

/// As many attacks as there is time and are victims for, all kinds before any comes again.
pub(crate) fn spread(seed: u64, cast: &mut Cast, span: Span) -> Vec<Raid> {
    let mut rng = Rng::new(seed, 0xbadd_0000);
    let attacks_max = cast.size() / VICTIM_SHARE;
    let mut raids = Vec::new();
    for round in 0..Strength::ALL.len() {
        for (number, kind) in KINDS.iter().enumerate() {
            let strength = Strength::ALL[(number + round + seed as usize % 3) % 3];
            let stream = 0xbae0_0000 + (number * Strength::ALL.len() + round) as u64;
            let Some(start_ns) = moment(*kind, span, &mut rng) else { continue };
            if raids.len() >= attacks_max {
                return raids;
            }
            let rng = Rng::new(seed, stream);
            let mut stage = Stage { cast: &mut *cast, rng, span, start_ns, strength };
            raids.extend((kind.plan)(&mut stage));
        }
    }
    raids.extend(beside(seed, cast, span));
    raids
}

/// One of each strength of what comes beside the others, which are the same without them.
fn beside(seed: u64, cast: &mut Cast, span: Span) -> Vec<Raid> {
    let mut raids = Vec::new();
    for (kind, first) in BESIDE {
        for (stream, strength) in (first..).zip(Strength::ALL) {
            let mut rng = Rng::new(seed, stream);
            let Some(start_ns) = moment(kind, span, &mut rng) else { continue };
            let mut stage = Stage { cast: &mut *cast, rng, span, start_ns, strength };
            raids.extend((kind.plan)(&mut stage));
        }
    }
    raids
}

/// When an attack begins: on a working day in working hours, once its world is old enough; `None` if
/// the traffic ends before.
fn moment(kind: Kind, span: Span, rng: &mut Rng) -> Option<i64> {
    let last = span.days() - 1 - kind.lasts;
    if last < kind.days {
        return None;
    }
    let day_of = |day: i64| (span.start_ns + day * NS_PER_D).div_euclid(NS_PER_D);
    let mut day = rng.between(kind.days as u64, last as u64) as i64;
    for _ in 0..span.days() {
        if !is_weekend(day_of(day)) && day_of(day) != span.holiday {
            break;
        }
        day = if day < last { day + 1 } else { kind.days };
    }
    let minute = rng.between(8 * 60 + 15, 15 * 60 + 30) as i64;
    let midnight_ns = day_of(day) * NS_PER_D;
    let start_ns = midnight_ns + minute * NS_PER_MIN + rng.below(60) as i64 * NS_PER_MIN / 60;
    (start_ns < span.end_ns - LAST_HOURS * NS_PER_H).then_some(start_ns)
}

impl Stage<'_> {
    /// One of three, by strength.
    fn pick<T>(&self, [loud, moderate, weak]: [T; 3]) -> T {
        match self.strength {
            Strength::Loud => loud,
            Strength::Moderate => moderate,
            Strength::Weak => weak,
        }
    }

    /// How much it is, beside what is ordinary, and at least what is worth an attacker's while.
    fn much(&self, ordinary: u64, least: [u64; 3]) -> u64 {
        (ordinary * self.pick(TIMES)).max(self.pick(least))
    }

    /// The same as a number of calls.
    fn many(&self, ordinary: u64, least: [u64; 3]) -> usize {
        (self.much(ordinary, least) as usize).min(RAID_RECORDS_MAX)
    }

    /// Times of `count` calls from the start on, with `gap_s` seconds between two at the median.
    pub(crate) fn times(&mut self, count: usize, gap_s: f64) -> Vec<i64> {
        self.times_from(self.start_ns, count, gap_s)
    }

    pub(crate) fn times_from(&mut self, start_ns: i64, count: usize, gap_s: f64) -> Vec<i64> {
        let mut now_ns = start_ns;
        (0..count.min(RAID_RECORDS_MAX))
            .map(|_| {
                let time_ns = now_ns;
                now_ns += ns(self.rng.log_normal(gap_s, 0.2)) + 1_000;
                time_ns
            })
            .collect()
    }

    /// The attack that these calls make, which are in time order.
    pub(crate) fn raid(
        &self,
        detector: &'static str,
        principal: &str,
        story: String,
        records: Vec<Record>,
    ) -> Option<Raid> {
        let principal = principal.to_owned();
        let strength = self.strength;
        let plot = Plot { name: detector, detector, also: &[], principal, story, strength };
        let mut raid = Raid::new(plot, records)?;
        raid.attack.name = format!("{detector}_{}", strength.as_str());
        Some(raid)
    }
}

/// What a person does on ordinary days.
pub(crate) fn habits_of(person: &Person) -> Habits {
    Habits::of(&[Actor::Person(Box::new(person.clone()))])
}

/// Whether somebody works in Europe's hours, and has been here from the first day on to the last.
pub(crate) fn is_settled(person: &Person, span: Span) -> bool {
    (0..=60).contains(&person.zone_min) && person.stays(span)
}

//! Key fan-out: one address from which many different identities call, more than ever did.

use super::{About, UPPER_SURPRISE, Words, later};
use crate::engine::Context;
use crate::explain::{clock, counted, number, span, whose};
use crate::open_window::{DISTINCT_MAX, Distinct};
use crate::partition::text_hash;
use crate::snapshot::plain;
use crate::statistics::moments::Sums;
use crate::statistics::{Moments, Predictive};
use crate::watch::{Arrival, At, Closed, Raised, Subject, Told};
use model::mention::Mentions;
use model::time::NS_PER_D;
use model::{Contributor, Detector, Evidence, Finding, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "distinct identities",
    danger: 0.7,
    owasp: &["API2:2023"],
    attack: &["T1110.003", "T1090"],
};

/// Fewer identities in an hour than this are never a finding: people share addresses.
const IDENTITIES_MIN: usize = 10;
/// Addresses that are told apart in an hour, and whose habits are kept.
const ADDRESSES_MAX: usize = 65_536;
/// Address-hours, and hours of a log, from which on it is known how many identities addresses have: of
/// an office that opens in the morning the night says nothing.
const HOURS_MIN: f64 = 100.0;
const LOGGED_H_MIN: u32 = 48;
/// Growth from which on what goes on is said again.
const GROWTH: f64 = 1.25;
/// Days without a second identity after which an address's habit is dropped.
const KEPT_DAYS: i64 = 60;
/// Occasions after which so many identities are a habit of the address.
const OCCASIONS_MIN: u8 = 3;

/// An address that one identity called from so far.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Single {
    identity: u64,
    #[serde(with = "plain")]
    first: Time,
}

/// An address in the open hour that two identities called from at least.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Hour {
    place: Place,
    #[serde(with = "plain")]
    identities: Distinct,
    /// The first few of their names, but for the first's, like the evidence: most addresses have one.
    names: Vec<Box<str>>,
    #[serde(with = "plain")]
    first: Time,
    #[serde(with = "plain")]
    last: Time,
    #[serde(with = "plain")]
    evidence: Vec<Evidence>,
    raised: Raised,
    /// Identities at which it is looked at next.
    tripwire: u32,
}

/// What an address usually has: kept of those that ever had two identities in an hour.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Habit {
    place: Place,
    per_hour: Moments,
    most: u32,
    #[serde(with = "plain")]
    first_seen: Time,
    #[serde(with = "plain")]
    last_seen: Time,
    occasions: u8,
    /// The last hour with a finding, and how many identities there were when it was said last: hours
    /// that only go on add nothing, or what creeps would never be said.
    raised_hour: i32,
    said: u32,
}

impl Habit {
    /// Whether an hour only goes on with what was said of the one before.
    fn goes_on(&self, now: Time, count: usize) -> bool {
        self.raised_hour >= now.hour_number() - 1 && (count as f64) < GROWTH * f64::from(self.said)
    }
}

/// The tenant and the address.
type Place = (Box<str>, Box<str>);

/// Every address from which identities called in this hour, by the hash of its place: nearly all have
/// one, and take little room.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    singles: BTreeMap<u64, Single>,
    hours: BTreeMap<u64, Hour>,
    missed: u64,
    /// What changed since the last export: these addresses, or all.
    touched: BTreeSet<u64>,
    is_all_touched: bool,
}

/// What changed of the addresses; hours are borrowed on the way out, owned on the way in.
#[derive(Deserialize, Serialize)]
pub(crate) struct Change<One> {
    is_all: bool,
    singles: Vec<(u64, Single)>,
    hours: Vec<(u64, One)>,
    missed: u64,
}

/// What is read.
pub(crate) type ReadChange = Change<Hour>;

/// What is known of the addresses from which several identities call.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Addresses {
    habits: BTreeMap<u64, Habit>,
    /// Identities per address and hour, over all addresses.
    everyone: Sums,
    aged_day: Option<i64>,
    missed: u64,
}

impl Sources {
    /// All addresses, or those that changed since [`Sources::settle`].
    pub(crate) fn change(&self, is_whole: bool) -> Change<&Hour> {
        let is_all = is_whole || self.is_all_touched;
        let (singles, hours) = if is_all {
            let singles = self.singles.iter().map(|(id, single)| (*id, *single));
            (singles.collect(), self.hours.iter().map(|(id, hour)| (*id, hour)).collect())
        } else {
            let singles = self.touched.iter().filter_map(|id| Some((*id, *self.singles.get(id)?)));
            let hours = self.touched.iter().filter_map(|id| Some((*id, self.hours.get(id)?)));
            (singles.collect(), hours.collect())
        };
        Change { is_all, singles, hours, missed: self.missed }
    }

    pub(crate) fn take_in(&mut self, change: ReadChange) {
        if change.is_all {
            self.singles.clear();
            self.hours.clear();
        }
        self.singles.extend(change.singles);
        for (id, hour) in change.hours {
            self.singles.remove(&id);
            self.hours.insert(id, hour);
        }
        self.missed = change.missed;
    }

    /// Everything so far was exported.
    pub(crate) fn settle(&mut self) {
        self.touched.clear();
        self.is_all_touched = false;
    }

    /// Takes in arrivals, in the order of the events.
    pub(crate) fn take(&mut self, arrivals: Vec<Arrival>) {
        for it in arrivals {
            let place = (it.tenant.unwrap_or_default(), it.address);
            let id = id_of(&place);
            self.touched.insert(id);
            if let Some(hour) = self.hours.get_mut(&id) {
                hour.add(&place, it.principal, (it.at, it.name, it.evidence));
            } else if let Some(single) = self.singles.get(&id).copied() {
                if single.identity != it.principal {
                    self.singles.remove(&id);
                    let mut hour = Hour::of(place.clone(), single);
                    hour.add(&place, it.principal, (it.at, it.name, it.evidence));
                    self.hours.insert(id, hour);
                }
            } else if self.singles.len() + self.hours.len() < ADDRESSES_MAX {
                self.singles.insert(id, Single { identity: it.principal, first: it.at });
            } else {
                self.missed += 1;
            }
        }
    }

    /// Raises what may be raised while the hour is open.
    pub(crate) fn look(&mut self, at: &At<'_>, known: &Addresses, findings: &mut Vec<Finding>) {
        let context = at.context;
        for (id, hour) in &mut self.hours {
            let count = hour.identities.len();
            if count < hour.tripwire as usize {
                continue;
            }
            self.touched.insert(*id);
            hour.tripwire = later(count as u32);
            let habit = known.habits.get(id);
            let Some((told, law)) = read(context, &known.everyone, hour, habit) else { continue };
            let goes_on = habit.is_some_and(|habit| habit.goes_on(context.hour, count));
            if told.may_raise(context) && !goes_on && hour.raised.is_due(count as u64) {
                let is_first = hour.raised.said_at == 0;
                hour.raised.said_at = count as u64;
                let revision = (count as u64, is_first);
                findings.push(finding(context, &told, hour, (law, habit), revision));
            }
        }
    }

    /// Judges the hour whole, and learns from it.
    pub(crate) fn close(
        &mut self,
        at: &At<'_>,
        known: &mut Addresses,
        findings: &mut Vec<Finding>,
        closed: &mut Closed,
    ) {
        let context = at.context;
        known.age(context.hour);
        let everyone = known.everyone;
        (self.is_all_touched, self.touched) = (true, BTreeSet::new());
        let mut judged = 0;
        for id in std::mem::take(&mut self.singles).into_keys() {
            // Whoever comes in a flood is no measure of ordinary addresses.
            judged += u64::from(!context.is_flooded && is_known(context, &everyone));
            known.learn_single(id);
        }
        for (id, mut hour) in std::mem::take(&mut self.hours) {
            let count = hour.identities.len();
            let habit = known.habits.get(&id);
            let read = read(context, &everyone, &hour, habit);
            judged += u64::from(read.is_some());
            let (mut is_odd, mut is_said) = (false, false);
            if let Some((mut told, law)) = read {
                is_odd = told.may_raise(context) && count >= IDENTITIES_MIN;
                let goes_on = habit.is_some_and(|habit| habit.goes_on(context.hour, count));
                is_said = is_odd && !goes_on;
                if is_said {
                    let is_first = hour.raised.said_at == 0;
                    hour.raised.said_at = count as u64;
                    let revision = (count as u64 + 1, is_first);
                    findings.push(finding(context, &told, &hour, (law, habit), revision));
                }
                told.is_raised = is_odd;
                closed.said.push(told);
            }
            known.learn(id, hour.place, context.hour, (count as u32, is_odd, is_said));
        }
        closed.judged.push((Detector::KeyFanout, judged));
    }

    /// Arrivals from addresses beyond the limit.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    /// All of it, to be changed.
    pub(crate) fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        self.is_all_touched = true;
        self.hours.values_mut().flat_map(|hour| &mut hour.evidence)
    }

    pub(crate) fn forget(&mut self, mentions: &Mentions, hashes: &[u64]) {
        self.is_all_touched = true;
        self.singles.retain(|_, single| !hashes.contains(&single.identity));
        self.hours.retain(|_, hour| !mentions.are_in(&hour.place.1));
        for hour in self.hours.values_mut() {
            hour.identities.remove(hashes);
            hour.names.retain(|name| !mentions.are_in(name));
        }
    }
}

impl Hour {
    fn of(place: Place, single: Single) -> Self {
        let mut identities = Distinct::default();
        identities.add(single.identity, DISTINCT_MAX);
        Self {
            place,
            identities,
            names: Vec::new(),
            first: single.first,
            last: single.first,
            evidence: Vec::new(),
            raised: Raised::default(),
            tripwire: IDENTITIES_MIN as u32,
        }
    }

    /// Adds an identity, unless two places have one hash.
    fn add(&mut self, place: &Place, identity: u64, seen: (Time, Box<str>, Evidence)) {
        const NAMES_KEPT_MAX: usize = 5;
        if self.place != *place || !self.identities.add(identity, DISTINCT_MAX) {
            return;
        }
        let (at, name, evidence) = seen;
        self.last = self.last.max(at);
        if self.names.len() < NAMES_KEPT_MAX {
            self.names.push(name);
        }
        if self.evidence.len() < Finding::EVIDENCE_MAX {
            self.evidence.push(evidence);
        }
    }
}

impl Addresses {
    /// Hours of addresses beyond the limit, of which nothing is known.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    /// Learns an hour of an address with one identity.
    fn learn_single(&mut self, id: u64) {
        self.everyone.add(1.0, 1.0);
        if let Some(habit) = self.habits.get_mut(&id) {
            habit.per_hour.add(1.0, 1.0);
        }
    }

    /// Learns an hour of an address; one that raised a finding only at the third occasion.
    fn learn(
        &mut self,
        id: u64,
        place: Place,
        now: Time,
        (count, is_odd, is_said): (u32, bool, bool),
    ) {
        if !is_odd {
            self.everyone.add(f64::from(count), 1.0);
        }
        if !self.habits.contains_key(&id) && !self.has_room() {
            return;
        }
        let habit = self.habits.entry(id).or_insert_with(|| Habit {
            place,
            per_hour: Moments::default(),
            most: 0,
            first_seen: now,
            last_seen: now,
            occasions: 0,
            raised_hour: i32::MIN,
            said: 0,
        });
        habit.last_seen = now;
        if is_odd {
            if is_said {
                habit.said = count;
            }
            habit.raised_hour = now.hour_number();
            habit.occasions = habit.occasions.saturating_add(1);
            if habit.occasions < OCCASIONS_MIN {
                return;
            }
        }
        habit.per_hour.add(f64::from(count), 1.0);
        habit.most = habit.most.max(count);
    }

    fn has_room(&mut self) -> bool {
        let has_room = self.habits.len() < ADDRESSES_MAX;
        self.missed += u64::from(!has_room);
        has_room
    }

    /// Forgets by the days that passed.
    fn age(&mut self, now: Time) {
        let today = now.ns().div_euclid(NS_PER_D);
        let days = today - self.aged_day.replace(today).unwrap_or(today);
        if days <= 0 {
            return;
        }
        let factor = crate::identity::forgetting(days as f32);
        self.everyone.decay(f64::from(factor));
        self.habits.retain(|_, habit| {
            habit.per_hour.decay(factor);
            now.since(habit.last_seen) < KEPT_DAYS * NS_PER_D
        });
    }

    pub(crate) fn forget(&mut self, mentions: &Mentions) {
        self.habits.retain(|_, habit| !mentions.are_in(&habit.place.1));
    }
}

/// Whether it is known how many identities addresses have.
fn is_known(context: &Context<'_>, everyone: &Sums) -> bool {
    everyone.n >= HOURS_MIN
        && context.logged_h >= LOGGED_H_MIN
        && context.plan.is_enabled(Detector::KeyFanout)
}

fn id_of((tenant, address): &Place) -> u64 {
    let tenant = if tenant.is_empty() { 0 } else { text_hash(tenant) };
    text_hash(address) ^ tenant.rotate_left(17)
}

fn read(
    context: &Context<'_>,
    everyone: &Sums,
    hour: &Hour,
    habit: Option<&Habit>,
) -> Option<(Told, Predictive)> {
    let (tenant, address) = &hour.place;
    if !is_known(context, everyone) {
        return None;
    }
    let own = habit.map_or_else(Moments::default, |habit| habit.per_hour);
    let law = Predictive::of(&own, everyone)?;
    let count = hour.identities.len() as f64;
    let mut surprise = law.surprise(count);
    if habit.is_some_and(|habit| count <= f64::from(habit.most)) {
        surprise = crate::statistics::tail::seen_before(surprise, f64::from(own.n));
    }
    let bits = if address.contains(':') { 128 } else { 32 };
    let told = Told {
        detector: Detector::KeyFanout,
        subject: Subject {
            tenant: tenant.clone(),
            address: Some(address.clone()),
            entity: format!("{address}/{bits}"),
        },
        start: context.hour,
        observed: count,
        expected: law.mean,
        surprise,
        upper: law.quantile(UPPER_SURPRISE),
        since: habit.map_or(context.hour, |habit| habit.first_seen),
        history_n: own.n as u64,
        peers_n: everyone.n as u64,
        is_raised: false,
        goes_on: false,
    };
    Some((told, law))
}

fn finding(
    context: &Context<'_>,
    told: &Told,
    hour: &Hour,
    (law, habit): (Predictive, Option<&Habit>),
    revision: (u64, bool),
) -> Finding {
    let address = told.subject.address.as_deref().unwrap_or_default();
    let count = hour.identities.len();
    let cut = context.calibration.surprise_at(told.detector, context.cut_of(told.detector));
    let least = law.quantile(cut).max(IDENTITIES_MIN as f64);
    let at_least = if count >= DISTINCT_MAX { "at least " } else { "" };
    let names = hour.names.join(", ");
    let others = if count > hour.names.len() { " and others" } else { "" };
    let before = match habit {
        Some(habit) if habit.per_hour.n > 0.0 => format!(
            "its most in an hour so far is {}, over {}",
            number(f64::from(habit.most)),
            span(told.start.since(habit.first_seen)),
        ),
        _ => "it had one at most before, or was never seen".to_owned(),
    };
    let share = 1.0 / count.max(1) as f64;
    let contributor = |name: &str| Contributor { name: name.to_owned(), observed: 1.0, share };
    let words = Words {
        sentence: format!(
            "{at_least}{} called from address {address} {} ({names}{others}); {before}; {} are \
             expected in an hour and 99.9 % stay under {}, going by {} of all addresses.",
            counted(count as u64, "identity"),
            clock(hour.first, hour.last),
            number(told.expected),
            number(told.upper),
            counted(told.peers_n, "active hour"),
        ),
        counterfactual: format!(
            "would not be reported at {} identities in the hour or fewer",
            number(least - 1.0),
        ),
        contributors: hour.names.iter().map(|name| contributor(name)).collect(),
        evidence_sql: format!(
            "SELECT window_start, observed, expected, surprise FROM signals WHERE detector = 'key_fanout' \
             AND {} AND window_start <= TIMESTAMP '{}' ORDER BY window_start DESC LIMIT 48",
            whose(told.tenant(), address),
            told.start,
        ),
        danger: ABOUT.danger,
    };
    told.finding(context, words, (hour.last, &hour.evidence), revision)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::NS_PER_H;

    #[test]
    fn an_hour_that_raised_is_learned_at_the_third_occasion() {
        let (mut addresses, now) = (Addresses::default(), Time::from_ns(0));
        let place: Place = (Box::default(), "192.0.2.1".into());
        for occasion in 1..=OCCASIONS_MIN {
            addresses.learn(7, place.clone(), now, (40, true, true));
            assert_eq!(addresses.habits[&7].most > 0, occasion == OCCASIONS_MIN, "{occasion}");
        }
        assert!(addresses.everyone.n <= 0.0, "an attack is not what everyone does");
    }

    #[test]
    fn what_creeps_is_said_again_once_it_has_grown_by_a_quarter() {
        let (mut addresses, hour) = (Addresses::default(), |at: i64| Time::from_ns(at * NS_PER_H));
        let place: Place = (Box::default(), "192.0.2.1".into());
        addresses.learn(7, place.clone(), hour(100), (40, true, true));
        assert!(addresses.habits[&7].goes_on(hour(101), 49));
        addresses.learn(7, place, hour(101), (49, true, false));
        assert!(!addresses.habits[&7].goes_on(hour(102), 50), "silent hours do not raise the bar");
    }

    #[test]
    fn an_address_with_one_identity_takes_little_room_until_a_second_comes() {
        let arrival = |principal: u64| Arrival {
            at: Time::from_ns(0),
            order: principal,
            tenant: None,
            address: "192.0.2.1".into(),
            principal,
            name: format!("k-{principal}").into(),
            evidence: Evidence::at(Time::from_ns(0)),
        };
        let mut sources = Sources::default();
        sources.take(vec![arrival(1), arrival(1)]);
        assert!(sources.hours.is_empty() && sources.singles.len() == 1);
        sources.settle();
        sources.take(vec![arrival(2)]);
        let change = sources.change(false);
        assert!(change.singles.is_empty() && change.hours.len() == 1 && !change.is_all);
        let bytes = postcard::to_allocvec(&change).unwrap();
        let mut again = Sources::default();
        again.take(vec![arrival(1)]);
        again.take_in(postcard::from_bytes(&bytes).unwrap());
        assert!(
            again.singles.is_empty() && again.hours.values().all(|it| it.identities.len() == 2)
        );
    }
}

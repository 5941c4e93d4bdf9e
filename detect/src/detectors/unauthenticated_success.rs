//! Unauthenticated success: calls without an identity that an endpoint answers, which always wanted one.

use super::{About, UPPER_SURPRISE, Words};
use crate::engine::Context;
use crate::explain::{clock, counted, number, quote, span};
use crate::population::EndpointHabit;
use crate::statistics::Predictive;
use crate::statistics::moments::smallest;
use crate::watch::{At, Closed, Opening, Place, Raised, Subject, Told};
use model::{Detector, EndpointId, Evidence, Finding, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "calls without credentials answered 2xx",
    danger: 0.85,
    owasp: &["API2:2023", "API8:2023", "API9:2023"],
    attack: &["T1190"],
};

/// The share of an endpoint's successes that must have had an identity, and of how many: with fewer
/// the law is wide by itself.
const GUARDED_SHARE_MIN: f64 = 0.995;
const ANSWERED_MIN: u64 = 500;
/// Fewer openings than this are never a finding: a record may lack its identity for other reasons.
const CALLS_MIN: u64 = 2;
/// Hours in a row with a finding after which an endpoint counts as open on purpose.
const HOURS_MAX: u16 = 24;
/// Growth, per hour, from which on what goes on is said again.
const GROWTH: f64 = 1.25;
/// Endpoints, in their tenants, whose openings are kept of an hour, and that are remembered.
const PLACES_MAX: usize = 16_384;

/// Whether an endpoint's successes have nearly all had an identity.
pub(crate) fn is_guarded(habit: &EndpointHabit) -> bool {
    let named = habit.answered_named as f64;
    habit.answered >= ANSWERED_MIN && named >= GUARDED_SHARE_MIN * habit.answered as f64
}

/// An endpoint's open hour.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Hour {
    opening: Opening,
    raised: Raised,
}

/// An endpoint that was found open.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Past {
    last_hour: i32,
    hours: u16,
    /// How many there were when it was said last: hours that only go on add nothing, or what creeps
    /// would never be said.
    said: u64,
}

/// Every endpoint that answered without credentials in this hour.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Openings {
    hours: BTreeMap<Place, Hour>,
    missed: u64,
}

/// The endpoints that were found open lately.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Opened(BTreeMap<Place, Past>);

impl Openings {
    /// Takes in what partitions noted.
    pub(crate) fn take(&mut self, openings: BTreeMap<Place, Opening>) {
        for (place, opening) in openings {
            let has_room = self.hours.len() < PLACES_MAX;
            match self.hours.entry(place) {
                Entry::Occupied(mut hour) => hour.get_mut().opening.absorb(opening),
                Entry::Vacant(free) if has_room => {
                    free.insert(Hour { opening, raised: Raised::default() });
                }
                Entry::Vacant(_) => self.missed += opening.calls,
            }
        }
    }

    /// Raises what may be raised while the hour is open.
    pub(crate) fn look(&mut self, at: &At<'_>, opened: &Opened, findings: &mut Vec<Finding>) {
        let context = at.context;
        for (place, hour) in &mut self.hours {
            let calls = hour.opening.calls;
            if calls < CALLS_MIN || !hour.raised.is_due(calls) {
                continue;
            }
            let Some((told, before)) = read(at, place, &hour.opening) else { continue };
            let is_quiet = goes_on(opened.0.get(place), context.hour, calls);
            if is_quiet || !told.may_raise(context) {
                continue;
            }
            let is_first = hour.raised.said_at == 0;
            hour.raised.said_at = calls;
            findings.push(finding(context, &told, &hour.opening, before, (calls, is_first)));
        }
    }

    /// Judges the hour whole, and remembers what was open.
    pub(crate) fn close(
        &mut self,
        at: &At<'_>,
        opened: &mut Opened,
        findings: &mut Vec<Finding>,
        closed: &mut Closed,
    ) {
        let context = at.context;
        if !context.plan.is_enabled(Detector::UnauthenticatedSuccess) {
            self.hours.clear();
            return;
        }
        let called = |index: usize| (at.answered)(EndpointId(index as u32)) > 0;
        let endpoints = context.population.endpoints.iter().enumerate();
        let guarded = endpoints.filter(|(index, habit)| is_guarded(habit) && called(*index));
        closed.judged.push((Detector::UnauthenticatedSuccess, guarded.count() as u64));
        for (place, mut hour) in std::mem::take(&mut self.hours) {
            let calls = hour.opening.calls;
            let endpoint = context.endpoints.resolve(EndpointId(place.1));
            let Some((mut told, before)) = read(at, &place, &hour.opening) else {
                closed.believed.push((endpoint, calls));
                continue;
            };
            let is_odd = told.may_raise(context) && calls >= CALLS_MIN;
            let is_said = is_odd && !goes_on(opened.0.get(&place), context.hour, calls);
            if is_said {
                let is_first = hour.raised.said_at == 0;
                hour.raised.said_at = calls;
                // What was said by the last call of the hour is said again as the whole of it.
                findings.push(finding(
                    context,
                    &told,
                    &hour.opening,
                    before,
                    (calls + 1, is_first),
                ));
            }
            told.is_raised = is_odd;
            closed.said.push(told);
            if !is_odd || opened.is_meant(place, context.hour, is_said.then_some(calls)) {
                closed.believed.push((endpoint, calls));
            }
        }
        let hour = context.hour.hour_number();
        opened.0.retain(|_, past| past.last_hour >= hour - 1);
    }

    /// Calls beyond the limit.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    pub(crate) fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        self.hours.values_mut().flat_map(|hour| &mut hour.opening.evidence)
    }

    pub(crate) fn forget(&mut self, hashes: &[u64]) {
        self.hours.values_mut().for_each(|hour| hour.opening.addresses.remove(hashes));
    }
}

impl Opened {
    /// Notes an hour with a finding, and how many calls were said, if any were; whether the endpoint has
    /// been open for so long that it is meant.
    fn is_meant(&mut self, place: Place, now: Time, said: Option<u64>) -> bool {
        if self.0.len() >= PLACES_MAX && !self.0.contains_key(&place) {
            return false;
        }
        let hour = now.hour_number();
        let past = self.0.entry(place);
        let past = past.or_insert(Past { last_hour: hour - 1, hours: 0, said: 0 });
        past.hours = if past.last_hour == hour - 1 { past.hours.saturating_add(1) } else { 1 };
        past.last_hour = hour;
        past.said = said.unwrap_or(past.said);
        past.hours >= HOURS_MAX
    }
}

/// Whether an hour only goes on with what was said of the one before.
fn goes_on(past: Option<&Past>, now: Time, calls: u64) -> bool {
    past.is_some_and(|past| {
        past.last_hour == now.hour_number() - 1 && (calls as f64) < GROWTH * past.said as f64
    })
}

/// How many there are, under the law of a Gamma distributed rate per success (Gelman et al., Bayesian
/// Data Analysis, 3rd ed., §2.6): half a call is imagined, so that never is not impossible.
///
/// With it, the successes without an identity that it rests on.
fn read(at: &At<'_>, (tenant, endpoint): &Place, opening: &Opening) -> Option<(Told, u64)> {
    let context = at.context;
    let endpoint = context.endpoints.resolve(EndpointId(*endpoint));
    let habit = context.population.endpoint(endpoint).filter(|habit| is_guarded(habit))?;
    let now = ((at.answered)(endpoint) + opening.calls) as f64;
    let law = law(habit, now);
    let subject = Subject {
        tenant: tenant.clone(),
        address: None,
        entity: context.endpoints.name(endpoint).to_owned(),
    };
    let told = Told {
        detector: Detector::UnauthenticatedSuccess,
        subject,
        start: context.hour,
        observed: opening.calls as f64,
        expected: law.mean,
        surprise: law.surprise(opening.calls as f64),
        upper: law.quantile(UPPER_SURPRISE),
        since: habit.first_seen,
        history_n: habit.answered,
        peers_n: 0,
        is_raised: false,
        goes_on: false,
    };
    let before = habit.answered.saturating_sub(habit.answered_named);
    context.plan.is_enabled(told.detector).then_some((told, before))
}

fn law(habit: &EndpointHabit, now: f64) -> Predictive {
    law_of(habit.answered, habit.answered.saturating_sub(habit.answered_named), now)
}

/// The same by the successes before, and those of them without an identity.
fn law_of(answered: u64, unnamed: u64, now: f64) -> Predictive {
    let open = unnamed as f64 + 0.5;
    let mean = now * open / (answered as f64 + 1.0);
    Predictive { mean, variance: mean + mean * mean / open }
}

fn finding(
    context: &Context<'_>,
    told: &Told,
    opening: &Opening,
    before: u64,
    revision: (u64, bool),
) -> Finding {
    let entity = &told.subject.entity;
    let cut = context.calibration.surprise_at(told.detector, context.cut_of(told.detector));
    // Had fewer come without, fewer would have been answered; and they may have been the first of the hour.
    let law = |calls| law_of(told.history_n, before, calls);
    let least = smallest(|calls| law(calls).surprise(calls) >= cut).max(CALLS_MIN as f64);
    let more = if opening.is_full() { "at least " } else { "" };
    let words = Words {
        sentence: format!(
            "{entity} answered {} without credentials with success {}, from {more}{}; {} of the {} \
             before, over {}, were without, so {} would be expected this hour and 99.9 % of hours \
             like it stay under {}.",
            counted(opening.calls, "call"),
            clock(opening.first, opening.last),
            counted(opening.addresses.len() as u64, "address"),
            number(before as f64),
            number(told.history_n as f64),
            span(told.start.since(told.since)),
            number(told.expected),
            number(told.upper),
        ),
        counterfactual: format!(
            "would not be reported at {} such calls in the hour or fewer",
            number(least - 1.0),
        ),
        contributors: Vec::new(),
        evidence_sql: format!(
            "SELECT window_start, entity, observed, expected, surprise FROM signals \
             WHERE detector = 'unauthenticated_success' AND tenant_id = {} AND entity = {} \
             AND window_start <= TIMESTAMP '{}' ORDER BY window_start DESC LIMIT 48",
            quote(told.tenant()),
            quote(entity),
            told.start,
        ),
        danger: ABOUT.danger,
    };
    told.finding(context, words, (opening.first, &opening.evidence), revision)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn habit(answered: u64, answered_named: u64) -> EndpointHabit {
        EndpointHabit { answered, answered_named, ..EndpointHabit::default() }
    }

    #[test]
    fn an_endpoint_is_guarded_once_enough_was_answered_with_identities_alone() {
        assert!(is_guarded(&habit(500, 500)) && is_guarded(&habit(10_000, 9_960)));
        assert!(!is_guarded(&habit(499, 499)), "too few");
        assert!(!is_guarded(&habit(10_000, 9_940)), "too many without");
    }

    #[test]
    fn more_of_them_are_odder_and_some_are_expected_where_some_were_before() {
        let never = law(&habit(100_000, 100_000), 500.0);
        assert!(never.surprise(2.0) < never.surprise(3.0));
        assert!(never.surprise(40.0) > 20.0, "{}", never.surprise(40.0));
        let sometimes = law(&habit(100_000, 99_700), 500.0);
        assert!(sometimes.surprise(3.0) < 2.0, "{}", sometimes.surprise(3.0));
    }

    #[test]
    fn what_goes_on_is_quiet_until_it_grows() {
        let now = Time::from_ns(100 * model::time::NS_PER_H);
        let past = Past { last_hour: 99, hours: 1, said: 100 };
        assert!(goes_on(Some(&past), now, 120) && !goes_on(Some(&past), now, 130));
        assert!(!goes_on(Some(&Past { last_hour: 98, ..past }), now, 1) && !goes_on(None, now, 1));
    }

    #[test]
    fn hours_that_were_not_said_do_not_hide_the_growth() {
        let hour = |at: i64| Time::from_ns(at * model::time::NS_PER_H);
        let (place, mut opened): (Place, _) = ((Box::default(), 7), Opened::default());
        opened.is_meant(place.clone(), hour(100), Some(100));
        opened.is_meant(place.clone(), hour(101), None);
        let past = opened.0.get(&place);
        assert!(goes_on(past, hour(102), 124) && !goes_on(past, hour(102), 125));
    }
}

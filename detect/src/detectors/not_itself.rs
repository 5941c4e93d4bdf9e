//! Not itself (take-over): the calls are likelier from anyone else than from this identity.
//!
//! The statistic is the mean over the window's calls of ln p(endpoint | the others) − ln p(endpoint |
//! this identity). Times the effective number of calls it is a log likelihood ratio, and by Markov's
//! inequality the chance of a ratio of at least r, were it the identity, is at most 1/r: the
//! surprise is the ratio's log10. Calls come in runs, so n of them weigh as n / (1 + (n − 1) ρ)
//! independent ones (the design effect of Kish, Survey Sampling, 1965, §8.2). Hours in a row that look
//! like somebody else's add up: the product of likelihood ratios is one, and half of what the hours
//! before say is carried on, because they are of one task.

use super::{About, Law, Reading, View, Words, whose};
use crate::explain::{history, number, percent, subject};
use crate::identity::Identity;
use crate::open_window::OpenWindow;
use crate::population::Population;
use model::{Contributor, Detector, EndpointId, Time};
use std::f64::consts::LN_10;

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "times likelier from others, per call",
    danger: 0.8,
    owasp: &["API2:2023", "ASI10"],
    attack: &["T1078", "T1550"],
};

/// Calls between two looks at an open window.
pub(crate) const CALLS_PER_LOOK: u32 = 100;
/// Correlation of calls within a window.
const RUN_CORRELATION: f64 = 0.1;
/// Windows of one's own before a finding may be raised.
const LEARNED_MIN: u32 = 3;
/// The same before hours in a row add up: a young profile lacks much, hour after hour.
const RUN_LEARNED_MIN: u32 = 10;
/// Calls in the window before a finding may be raised.
const CALLS_MIN: u32 = 20;
/// How steeply learning falls off as a window looks like somebody else's.
const GATE: f64 = 5.0;

/// ln p(endpoint | others) − ln p(endpoint | identity), and −log2 p(endpoint | identity), of one call.
///
/// The identity's own calls are smoothed towards everyone's mix with the weight of the number of its
/// distinct endpoints (Witten and Bell, IEEE Trans. Inf. Theory 37, 1991): an identity that uses
/// many endpoints is given more leave to use another.
pub(crate) fn of_call(
    population: &Population,
    identity: &Identity,
    endpoint: EndpointId,
) -> (f64, f64) {
    let own = identity.profile.calls(endpoint);
    let total = identity.profile.total;
    let escape = identity.profile.used() as f64 + ESCAPE_MIN;
    let everyone = population.share(endpoint, 0.0, 0.0);
    let others = population.share(endpoint, own, total);
    let itself = (own + escape * everyone) / (total + escape);
    ((others / itself).ln(), -itself.log2())
}

/// The same of an endpoint's first call in an hour. One that is new to everybody is likelier from others
/// than from anyone: that is the endpoint's novelty, and says nothing of who calls.
pub(crate) fn first_look(
    population: &Population,
    identity: &Identity,
    (endpoint, now): (EndpointId, Time),
) -> (f64, f64) {
    let (log_ratio, bits) = of_call(population, identity, endpoint);
    if population.is_released(endpoint, now) {
        (log_ratio.min(0.0), 0.0)
    } else {
        (log_ratio, bits)
    }
}

/// Weight of everyone's mix for an identity without endpoints of its own, in calls.
const ESCAPE_MIN: f64 = 10.0;

/// A closed hour is one of a run that looks like somebody else's, or ends it.
pub(crate) fn note(identity: &mut Identity, open: &OpenWindow) {
    let hour = open.start.hour_number();
    for said in open.told_of(Detector::NotItself) {
        identity.estranged.say(hour, said.magnitude, open.calls);
    }
    if identity.learned >= RUN_LEARNED_MIN && open.calls > 0 {
        let is_said = open.told_of(Detector::NotItself).next().is_some();
        identity.estranged.add(hour, of_hour(open), is_said);
    }
}

/// The share (0 to 1) of a window's calls to learn: little from calls that look like somebody else's.
pub(crate) fn gate(identity: &Identity, open: &OpenWindow) -> f64 {
    if identity.learned < LEARNED_MIN || open.calls == 0 {
        return 1.0;
    }
    let mean = open.log_ratio / f64::from(open.calls);
    1.0 / (1.0 + (GATE * mean).min(50.0).exp())
}

/// The endpoint that makes an hour look most like somebody else's, and its calls.
pub(crate) fn strangest(
    population: &Population,
    identity: &Identity,
    open: &OpenWindow,
) -> Option<(EndpointId, u32)> {
    let ratio = |endpoint| of_call(population, identity, endpoint).0;
    let each = open.endpoints.iter();
    let each = each.map(|seen| (f64::from(seen.calls) * ratio(seen.endpoint), seen));
    let most = each.max_by(|(a, x), (b, y)| a.total_cmp(b).then(y.endpoint.cmp(&x.endpoint)))?;
    Some((most.1.endpoint, most.1.calls))
}

/// How many independent calls so many of an hour weigh.
fn effective(calls: f64) -> f64 {
    calls / (1.0 + (calls - 1.0) * RUN_CORRELATION)
}

/// What an hour's calls alone say, as surprise; below 0 where they are likelier from the identity itself.
pub(crate) fn of_hour(open: &OpenWindow) -> f64 {
    let calls = f64::from(open.calls.max(1));
    open.log_ratio / calls * effective(calls) / LN_10
}

/// What the hours before said, where they look like somebody else's too, and how many there were.
fn carried(view: &View<'_>) -> (f64, u16) {
    view.identity.estranged.before(view.open.start.hour_number())
}

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    let calls = f64::from(view.open.calls);
    if calls == 0.0 || view.population.mix_total <= 0.0 {
        return None;
    }
    let mean = view.open.log_ratio / calls;
    let alone = of_hour(view.open);
    // An hour of its own is no part of a run, whatever came before.
    let before = if alone > 0.0 { carried(view).0 } else { 0.0 };
    Some(Reading {
        detector: Detector::NotItself,
        entity: None,
        start: view.open.start,
        end: view.open.end(),
        observed: mean.exp(),
        expected: 1.0,
        surprise: alone + before,
        law: Law::Ratio { unit: LN_10 / effective(calls), before },
    })
}

pub(crate) fn may_raise(view: &View<'_>) -> bool {
    view.identity.learned >= LEARNED_MIN && view.open.calls >= CALLS_MIN
}

pub(crate) const fn trip(view: &View<'_>, open: &mut OpenWindow) {
    if view.identity.learned >= LEARNED_MIN {
        open.itself_tripwire = CALLS_PER_LOOK;
    }
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let profile = &view.identity.profile;
    let mut parts: Vec<_> = view
        .open
        .endpoints
        .iter()
        .map(|seen| {
            let (ratio, _) = of_call(view.population, view.identity, seen.endpoint);
            (f64::from(seen.calls) * ratio, seen)
        })
        .filter(|(part, _)| *part > 0.0)
        .collect();
    parts.sort_by(|(a, x), (b, y)| b.total_cmp(a).then(x.endpoint.cmp(&y.endpoint)));
    let total: f64 = parts.iter().map(|(part, _)| part).sum();
    let never: u32 = view
        .open
        .endpoints
        .iter()
        .filter(|seen| profile.calls(seen.endpoint) < 0.5)
        .map(|seen| seen.calls)
        .sum();
    let mut usual: Vec<_> = profile.known().iter().filter(|it| it.calls() >= 1.5).collect();
    usual.sort_by(|a, b| b.calls().total_cmp(&a.calls()).then(a.endpoint.cmp(&b.endpoint)));
    usual.truncate(6);
    let used = usual
        .iter()
        .filter(|known| view.open.endpoints.iter().any(|seen| seen.endpoint == known.endpoint))
        .count();
    let calls = f64::from(view.open.calls);
    let before = match carried(view).1 {
        0 => String::new(),
        1 => "; so were those of the active hour before".to_owned(),
        hours => format!("; so were those of the {hours} active hours before"),
    };
    Words {
        sentence: format!(
            "{}'s last {} calls are, call for call, {} times likelier from anyone else than from it \
             (expected: at most 1): {} ({}) go to endpoints that are not among its habits, and it used {used} of \
             its {} most usual ones{before}; {}.",
            subject(view.identity),
            number(calls),
            number(reading.observed),
            number(f64::from(never)),
            percent(f64::from(never) / calls),
            usual.len(),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} times likelier from others or less",
            number(reading.law.value_at(cut)),
        ),
        contributors: parts
            .iter()
            .take(model::Finding::CONTRIBUTORS_MAX)
            .map(|(part, seen)| Contributor {
                name: view.endpoints.name(seen.endpoint).to_owned(),
                observed: f64::from(seen.calls),
                share: part / total,
            })
            .collect(),
        evidence_sql: format!(
            "SELECT window_start, observed, surprise, score FROM signals \
             WHERE detector = 'not_itself' AND {} AND window_start <= TIMESTAMP '{}' \
             ORDER BY window_start DESC LIMIT 48",
            whose(view),
            view.open.start,
        ),
        danger: ABOUT.danger,
    }
}

//! Object enumeration (BOLA sweep): many different objects of one endpoint, successfully, in an hour.

use super::newcomer;
use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, later, whose};
use crate::explain::{history, number, own_most, percent, quote, subject};
use crate::open_window::{DISTINCT_MAX, OpenWindow};
use crate::statistics::Moments;
use crate::statistics::tail::seen_before;
use model::{Contributor, Detector};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "distinct objects",
    danger: 0.9,
    owasp: &["API1:2023", "API6:2023", "ASI02"],
    attack: &["T1087", "T1213", "T1595.003"],
};

/// Fewer distinct objects in an hour than this are never a finding.
const OBJECTS_MIN: f64 = 20.0;

pub(crate) fn read(view: &View<'_>, out: &mut Vec<Reading>) {
    for set in &view.open.objects {
        let habit = view.identity.objects_at(set.endpoint);
        let own = habit.map_or_else(Moments::default, |it| it.per_hour);
        let Some(law) = view.population.objects(&own, set.endpoint) else { continue };
        let observed = set.objects.len() as f64;
        let mut surprise = law.surprise(observed);
        if habit.is_some_and(|habit| set.objects.len() as u32 <= habit.most) {
            surprise = seen_before(surprise, f64::from(own.n));
        }
        out.push(Reading {
            detector: Detector::ObjectEnumeration,
            entity: Some(set.endpoint),
            start: view.open.start,
            end: view.open.end(),
            observed,
            expected: law.mean,
            surprise,
            law: Law::Count(law, 1.0),
        });
    }
}

pub(crate) fn may_raise(reading: &Reading) -> bool {
    reading.observed >= OBJECTS_MIN
}

pub(crate) fn raise_tripwire(open: &mut OpenWindow) {
    for set in &mut open.objects {
        if set.objects.len() as u32 >= set.tripwire {
            set.tripwire = later(set.objects.len() as u32);
        }
    }
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let endpoint = reading.entity.unwrap_or_default();
    let name = view.endpoints.name(endpoint);
    let set = view.open.objects.iter().find(|set| set.endpoint == endpoint);
    let habit = view.identity.objects_at(endpoint);
    let at_least = if reading.observed >= DISTINCT_MAX as f64 { "at least " } else { "" };
    let adjacency = set
        .and_then(super::super::open_window::ObjectSet::consecutive_share)
        .map_or_else(String::new, |share| format!(", {} consecutive", percent(share)));
    let own = match (habit, view.identity.withheld) {
        (Some(habit), _) => {
            own_most(view.identity, "its own most in an hour", &number(f64::from(habit.most)))
        }
        (None, _) if view.identity.is_full_of_objects() => "its reads here are not kept".to_owned(),
        (None, 0) => "it never read any here before".to_owned(),
        (None, _) => "none that it read here before was learned".to_owned(),
    };
    let readers = view.population.everyone.users_of(endpoint);
    Words {
        sentence: format!(
            "{} read {at_least}{} different objects of {name} in the hour from {}, up to {}{adjacency}; \
             {} are expected in an active hour, 99.9 % of such hours stay under {}, {own}, and {} \
             identities use it; {} calls were answered with success; {}.",
            subject(view.identity),
            number(reading.observed),
            view.open.start,
            set.map_or(view.open.last, |set| set.last),
            number(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            number(f64::from(readers)),
            number(f64::from(set.map_or(0, |set| set.answered))),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} different objects in the hour or fewer",
            number(newcomer::least(view, reading, cut).max(OBJECTS_MIN) - 1.0),
        ),
        contributors: vec![Contributor {
            name: name.to_owned(),
            observed: reading.observed,
            share: 1.0,
        }],
        evidence_sql: format!(
            "SELECT window_start, entity, observed, expected, surprise FROM signals \
             WHERE detector = 'object_enumeration' AND {} AND entity = {} \
             AND window_start <= TIMESTAMP '{}' ORDER BY window_start DESC LIMIT 48",
            whose(view),
            quote(name),
            view.open.start,
        ),
        danger: ABOUT.danger,
    }
}

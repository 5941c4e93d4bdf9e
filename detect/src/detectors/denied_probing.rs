//! Denied probing: refused on many different operations, and perhaps accepted on one afterwards.

use super::{About, Law, Reading, View, Words, by_endpoint, peers_of, windows_sql};
use crate::explain::{history, number, span, subject};
use crate::open_window::OpenWindow;
use crate::population::Measure;
use crate::statistics::tail::seen_before;
use model::Detector;

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "distinct operations refused",
    danger: 0.6,
    owasp: &["API5:2023", "ASI03", "ASI10"],
    attack: &["T1595", "T1526"],
};

/// Fewer distinct refusals in an hour than this are never a finding.
const REFUSED_MIN: u32 = 8;

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    let observed = view.open.denied.len() as f64;
    if observed == 0.0 {
        return None;
    }
    let law = view.population.predictive(view.identity, Measure::DeniedPerHour)?;
    let most = view.identity.most.get(Measure::DeniedPerHour as usize).copied().unwrap_or(0);
    let mut surprise = law.surprise(observed);
    if observed <= f64::from(most) {
        surprise = seen_before(surprise, f64::from(view.identity.learned));
    }
    Some(Reading {
        detector: Detector::DeniedProbing,
        entity: None,
        start: view.open.start,
        end: view.open.end(),
        observed,
        expected: law.mean,
        surprise,
        law: Law::Count(law, 1.0),
    })
}

pub(crate) fn may_raise(reading: &Reading) -> bool {
    reading.observed >= f64::from(REFUSED_MIN)
}

pub(crate) fn trip(view: &View<'_>, open: &mut OpenWindow) {
    let law = view.population.predictive(view.identity, Measure::DeniedPerHour);
    open.denied_tripwire =
        law.map_or(u32::MAX, |law| REFUSED_MIN.max(law.three_sigma().ceil() as u32));
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let accepted = view
        .open
        .novel
        .iter()
        .find(|novel| novel.at >= view.open.denied_first && (200..300).contains(&novel.status));
    let outcome = accepted.map_or_else(
        || ", and nothing new was accepted since".to_owned(),
        |novel| {
            format!(", then accepted for the first time on {}", view.endpoints.name(novel.endpoint))
        },
    );
    let most = view.identity.most.get(Measure::DeniedPerHour as usize).copied().unwrap_or(0);
    Words {
        sentence: format!(
            "{} was refused (403 or 404) on {} different operations in {}{outcome}; {} are expected in \
             an active hour, 99.9 % stay under {}, its own most is {}; {}.",
            subject(view.identity),
            number(reading.observed),
            span(view.open.denied_last.since(view.open.denied_first)),
            number(reading.expected),
            number(reading.law.value_at(3.0).unwrap_or(reading.expected)),
            number(f64::from(most)),
            history(view.identity, peers_of(view)),
        ),
        counterfactual: format!(
            "would be ordinary at {} different operations refused in the hour or fewer",
            number(reading.law.value_at(cut).unwrap_or(reading.observed) - 1.0),
        ),
        contributors: by_endpoint(view, |calls| f64::from(calls.refused)),
        evidence_sql: windows_sql(
            view,
            "endpoints_denied_distinct, status_403, status_404, requests",
        ),
        danger: if accepted.is_some() { 0.85 } else { ABOUT.danger },
    }
}

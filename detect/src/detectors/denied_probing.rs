//! Denied probing: refused on many different operations, and perhaps accepted on one afterwards.

use super::{
    About, Reading, UPPER_SURPRISE, View, Words, by_endpoint, hourly, most, tripwire, windows_sql,
};
use crate::explain::{as_far_as_kept, history, number, own_most, span, subject};
use crate::open_window::{DISTINCT_MAX, NOVEL_MAX, OpenWindow};
use crate::population::Measure;
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
    let count = view.open.denied.len() as u32;
    hourly(view, Detector::DeniedProbing, Measure::DeniedPerHour, count)
}

pub(crate) fn may_raise(reading: &Reading) -> bool {
    reading.observed >= f64::from(REFUSED_MIN)
}

pub(crate) fn trip(view: &View<'_>, open: &mut OpenWindow) {
    open.denied_tripwire = tripwire(view, Measure::DeniedPerHour, REFUSED_MIN);
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let open = view.open;
    let accepted = open
        .novel
        .iter()
        .find(|novel| novel.at >= open.denied_first && (200..300).contains(&novel.status));
    let is_known = view.identity.learned > 0 && open.novel_accepted as usize <= NOVEL_MAX;
    let outcome = match accepted {
        Some(novel) => {
            let (name, kept) = (view.endpoints.name(novel.endpoint), as_far_as_kept(view.identity));
            format!(", then accepted for the first time on {name}{kept}")
        }
        None if is_known => format!(", and nothing new was accepted by {}", open.last),
        None => String::new(),
    };
    let at_least = if open.denied.len() >= DISTINCT_MAX { "at least " } else { "" };
    let most = number(f64::from(most(view, Measure::DeniedPerHour)));
    Words {
        sentence: format!(
            "{} was refused (403 or 404) on {at_least}{} different operations in {}{outcome}; {} are expected in \
             an active hour, 99.9 % stay under {}, {}; {}.",
            subject(view.identity),
            number(reading.observed),
            span(view.open.denied_last.since(view.open.denied_first)),
            number(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            own_most(view.identity, "its own most", &most),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} different operations refused in the hour or fewer",
            number(reading.law.value_at(cut).max(f64::from(REFUSED_MIN)) - 1.0),
        ),
        contributors: by_endpoint(view, |calls| f64::from(calls.refused)),
        evidence_sql: windows_sql(
            view,
            "endpoints_denied_distinct, status_403, status_404, requests",
        ),
        danger: if accepted.is_some() { 0.85 } else { ABOUT.danger },
    }
}

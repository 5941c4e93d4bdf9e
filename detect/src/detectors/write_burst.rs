//! Write burst: many different objects changed or deleted in an hour.

use super::newcomer;
use super::{
    About, Law, Reading, UPPER_SURPRISE, View, Words, by_endpoint, hourly, later, most, tripwire,
    windows_sql,
};
use crate::explain::{history, number, own_most, span, subject};
use crate::open_window::{DISTINCT_MAX, OpenWindow, SPAN_NS};
use crate::population::Measure;
use crate::statistics::tail::seen_before;
use model::Detector;

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "distinct objects changed or deleted",
    danger: 0.65,
    owasp: &["API5:2023", "LLM06:2025", "ASI02", "ASI08"],
    attack: &["T1485", "T1531", "AML.T0101"],
};

/// What cannot be undone is worse.
const DANGER_DELETED: f64 = 0.9;
/// Fewer distinct objects in an hour than this are never a finding.
const OBJECTS_MIN: u32 = 20;
/// The share of deletions from which on it is one.
const DELETED_SHARE: f64 = 0.5;

/// Whether a method changes an object that is there, or removes it. POST makes new ones.
pub(crate) const fn is_change(method: &str) -> bool {
    matches!(method.as_bytes(), b"PUT" | b"PATCH" | b"DELETE")
}

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    let count = view.open.changes.objects.len() as u32;
    hourly(view, Detector::WriteBurst, Measure::ChangedPerHour, count)
}

/// How many calls of every five minutes made, changed or deleted anything, by the law of a whole hour: rows
/// to rank by. Here a POST counts too: where nobody ever writes, one is odd, though it destroys nothing.
pub(crate) fn read_spans(view: &View<'_>, out: &mut Vec<Reading>) {
    let measure = Measure::WritesPerHour;
    let Some(law) = view.population.predictive(view.identity, measure) else { return };
    for (start, pace) in view.open.paces.active(view.open.start).filter(|(_, it)| it.writes > 0) {
        let mut surprise = law.surprise(f64::from(pace.writes));
        if pace.writes <= most(view, measure) {
            surprise = seen_before(surprise, f64::from(view.identity.learned));
        }
        out.push(Reading {
            detector: Detector::WriteBurst,
            entity: None,
            start,
            end: start.plus(SPAN_NS),
            observed: f64::from(pace.writes),
            expected: law.mean,
            surprise,
            law: Law::Count(law, 1.0),
        });
    }
}

pub(crate) fn may_raise(reading: &Reading) -> bool {
    reading.observed >= f64::from(OBJECTS_MIN)
}

pub(crate) fn trip(view: &View<'_>, open: &mut OpenWindow) {
    open.changes.tripwire = tripwire(view, Measure::ChangedPerHour, OBJECTS_MIN);
}

pub(crate) fn raise_tripwire(open: &mut OpenWindow) {
    open.changes.tripwire = later(open.changes.objects.len() as u32);
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let changes = &view.open.changes;
    let deleted = changes.deleted.len();
    let at_least = if changes.objects.len() >= DISTINCT_MAX { "at least " } else { "" };
    let how = match deleted {
        0 => "none of them deleted".to_owned(),
        count if count == changes.objects.len() => "all of them deleted".to_owned(),
        count => format!("{} of them deleted", number(count as f64)),
    };
    let most = number(f64::from(most(view, Measure::ChangedPerHour)));
    let is_deletion = deleted as f64 >= DELETED_SHARE * changes.objects.len() as f64;
    Words {
        sentence: format!(
            "{} changed or deleted {at_least}{} different objects in {}, {how}; {} are expected in an active hour, \
             99.9 % stay under {}, {}; {}.",
            subject(view.identity),
            number(reading.observed),
            span(changes.last.since(changes.first)),
            number(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            own_most(view.identity, "its own most", &most),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} different objects changed or deleted in the hour or fewer",
            number(newcomer::least(view, reading, cut).max(f64::from(OBJECTS_MIN)) - 1.0),
        ),
        contributors: by_endpoint(view, |calls| f64::from(calls.changed)),
        evidence_sql: windows_sql(
            view,
            "objects_changed_distinct, objects_deleted_distinct, write_share, requests",
        ),
        danger: if is_deletion { DANGER_DELETED } else { ABOUT.danger },
    }
}

//! Joint outlier: together unusual, though no single feature need be; the hardest to explain, so last.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, ranked_sql};
use crate::explain::{history, number, odds, percent, subject};
use crate::models::features;
use crate::statistics::tail::seen_before;
use model::{Contributor, Detector};
use ndarray::ArrayView1;

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "squared standard deviations",
    danger: 0.4,
    owasp: &["API6:2023", "ASI10"],
    attack: &["T1078"],
};

/// Fewer calls in the hour than this have no shape to speak of.
const CALLS_MIN: u32 = 10;
/// Columns of `windows` that its query shows beside the distance.
const FEATURES_SHOWN: [&str; 12] = [
    "requests",
    "status_401",
    "status_403",
    "status_404",
    "endpoints_distinct",
    "endpoints_new",
    "objects_distinct",
    "networks_distinct",
    "user_agents_distinct",
    "bytes_in",
    "bytes_out",
    "write_share",
];

pub(crate) fn could_read(view: &View<'_>) -> bool {
    view.open.calls >= CALLS_MIN && view.models.joint(view.identity.group).is_some()
}

/// Whether any window was judged by a model before this hour: what is rare under a new model is not
/// known until one hour of it is over. Nor may it where it is the models that are odd.
pub(crate) fn may_raise(view: &View<'_>) -> bool {
    view.calibration.judged(Detector::JointOutlier) > 0.0 && !view.population.misfits.are_silent()
}

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    if !could_read(view) {
        return None;
    }
    let model = view.models.joint(view.identity.group)?;
    let vector = features::of(view.open).map(f64::from);
    let joint = model.judge(ArrayView1::from(&vector));
    // As odd as it has been before is its own way of being.
    let mut surprise = joint.surprise;
    if surprise <= f64::from(view.identity.joint_most) {
        surprise = seen_before(surprise, f64::from(view.identity.learned));
    }
    Some(Reading {
        detector: Detector::JointOutlier,
        entity: None,
        start: view.open.start,
        end: view.open.end(),
        observed: joint.parts.iter().sum(),
        expected: joint.ordinary,
        surprise,
        law: Law::Bound(joint.upper),
    })
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading) -> Words {
    let vector = features::of(view.open).map(f64::from);
    let joint =
        view.models.joint(view.identity.group).map(|model| model.judge(ArrayView1::from(&vector)));
    let from = joint.as_ref().map_or("", |joint| joint.from);
    let parts = joint.map(|joint| joint.parts).unwrap_or_default();
    // A feature may also speak against: shares are of what speaks for it.
    let total: f64 = parts.iter().map(|part| part.max(0.0)).sum();
    let mut named: Vec<_> = parts.iter().zip(features::NAMES).zip(vector).collect();
    named.sort_by(|((a, x), _), ((b, y), _)| b.total_cmp(a).then(x.cmp(y)));
    let contributors: Vec<_> = named
        .iter()
        .take(model::Finding::CONTRIBUTORS_MAX)
        .map(|((part, name), _)| Contributor {
            name: (*name).to_owned(),
            observed: **part,
            share: part.max(0.0) / total.max(1e-9),
        })
        .collect();
    let listed: Vec<_> = contributors
        .iter()
        .take(3)
        .map(|part| format!("{} ({})", part.name, percent(part.share)))
        .collect();
    let score = view.calibration.score(Detector::JointOutlier, reading.surprise);
    Words {
        sentence: format!(
            "{}'s hour from {} is unusual as a whole ({}): its distance from {from} is {} squared standard \
             deviations where {} is usual and 99.9 % stay under {}; most of it is {}; {} calls were made; {}.",
            subject(view.identity),
            view.open.start,
            odds(score, view.calibration.judged(Detector::JointOutlier)),
            number(reading.observed),
            number(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            listed.join(", "),
            number(f64::from(view.open.calls)),
            history(view),
        ),
        counterfactual: format!(
            "would not stand out at a distance of {} or less",
            number(reading.law.value_at(UPPER_SURPRISE)),
        ),
        contributors,
        evidence_sql: ranked_sql(view, Detector::JointOutlier, &FEATURES_SHOWN),
        danger: ABOUT.danger,
    }
}

//! Coincidence: several odd things in one hour, none of which would be told alone, and seldom seen together.
//!
//! The score of a reading says among how many windows of ordinary traffic it is seen once, whatever its
//! detector: the logarithms of scores may be added. Those of detectors that count the same calls rise together,
//! so that detectors are put into families, and each family has one part, its oddest. What a hundred windows show
//! once is no part: the product is truncated (Zaykin, Zhivotovsky, Westfall and Weir, Genet. Epidemiol. 22,
//! 2002). For the rest it has Fisher's tail (Statistical Methods for Research Workers, 4th ed., 1932, §21.1), as
//! if the parts could be anything from none on; and the choice of the families that have one is paid for. No
//! bound is claimed: parts have a least size, which makes the sum rarer than that; but each is the oddest of
//! several readings, which is not paid for, and families are not quite independent, which make it more frequent.
//! What is left of both the calibration of its own sees, as it sees what is wrong with every other law; until it
//! has seen a hundred windows nothing is raised.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, dormant, newcomer, whose};
use crate::alarm;
use crate::engine::Context;
use crate::explain::{history, number, odds, one_in, quote, subject};
use crate::open_window::{OpenWindow, Raised};
use crate::partition::is_signal;
use crate::statistics::tail::all_together;
use model::time::NS_PER_S;
use model::{Contributor, Detector};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "orders of magnitude",
    danger: 0.5,
    owasp: &["ASI10"],
    attack: &["T1078"],
};

/// The least of a part, as log10 of its score: seen once in a hundred windows.
const PART_MIN: f64 = 2.0;
/// Fewer parts than this come together with nothing.
const PARTS_MIN: usize = 2;
/// Windows that must have been judged: before, nobody knows what comes together.
const JUDGED_MIN: f64 = 100.0;

/// Detectors that rise with the same calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Family {
    /// How much.
    Volume,
    /// From where, and after how long.
    Place,
    /// What, and in which order.
    Deed,
    /// What was refused.
    Refusal,
    /// What only agents do.
    Agent,
}

impl Family {
    /// Whether the features of an hour that `joint_outlier` adds up tell of it. They say how many networks
    /// there were, and not that one is new; and nothing of silences and of agents.
    const fn is_in_features(self) -> bool {
        matches!(self, Self::Volume | Self::Deed | Self::Refusal)
    }
}

/// How many families there are.
const FAMILIES: usize = Family::Agent as usize + 1;

/// The family of a detector that may be a part.
///
/// None has what is of days alone, or of no identity; what adds up the same features already (`joint_outlier`,
/// and this one); and `injection`, whose rows in `signals` are of five minutes.
const fn family(detector: Detector) -> Option<Family> {
    match detector {
        Detector::ObjectEnumeration
        | Detector::EgressSpike
        | Detector::ForeignObject
        | Detector::SecretHarvesting
        | Detector::MachineSpeed
        | Detector::WriteBurst => Some(Family::Volume),
        Detector::NewNetwork | Detector::Dormant => Some(Family::Place),
        Detector::FirstSeenEndpoint
        | Detector::ToolDrift
        | Detector::ToxicFlow
        | Detector::Sequence
        | Detector::NotItself => Some(Family::Deed),
        Detector::AuthFailures | Detector::DeniedProbing => Some(Family::Refusal),
        Detector::Delegation | Detector::RunawayLoop => Some(Family::Agent),
        Detector::SlowDrip
        | Detector::Cadence
        | Detector::UnauthenticatedSuccess
        | Detector::ExposureChange
        | Detector::Inventory
        | Detector::KeyFanout
        | Detector::AgentGraph
        | Detector::IdentityExplosion
        | Detector::Injection
        | Detector::JointOutlier
        | Detector::Coincidence => None,
    }
}

/// The readings of a closed hour that come together, in the order of [`Detector::ALL`]: of each family the oddest
/// that could be told, were it rarer.
pub(crate) fn parts(context: &Context<'_>, view: &View<'_>, readings: &[Reading]) -> Vec<Reading> {
    let may_count = readings.iter().filter(|it| may_count(view, it));
    of_families(&view.open.raised, may_count.map(|it| (size_of_part(context, it), it)))
}

/// The oddest of each family, of readings with their sizes. What was raised takes its family out: what was
/// told is not told twice, and what goes on in silence is a habit, as is whatever rises with it. It hides no
/// other family, or a little noise of one kind would hide all the rest. Only `joint_outlier` hides all, where
/// it told of the hour and adds up the same already.
fn of_families<'a>(
    raised: &[Raised],
    sized: impl Iterator<Item = (f64, &'a Reading)>,
) -> Vec<Reading> {
    let mut oddest: [Option<(f64, &Reading)>; FAMILIES] = [None; FAMILIES];
    for (size, reading) in sized.filter(|(size, _)| *size >= PART_MIN) {
        let Some(family) = family(reading.detector) else { continue };
        if raised.iter().any(|it| self::family(it.detector) == Some(family)) {
            continue;
        }
        let Some(place) = oddest.get_mut(family as usize) else { continue };
        if place.is_none_or(|(most, _)| size > most) {
            *place = Some((size, reading));
        }
    }
    // What comes back is decided by what is called: other work has other sizes, and is one odd thing.
    let [volume, _, deed, ..] = &mut oddest;
    if let (Some((size, bytes)), Some((other, _))) = (*volume, *deed)
        && bytes.detector == Detector::EgressSpike
    {
        *(if size > other { deed } else { volume }) = None;
    }
    let mut parts: Vec<Reading> = oddest.into_iter().flatten().map(|(_, it)| *it).collect();
    let is_told = |it: &Raised| it.detector == Detector::JointOutlier && !it.is_silent;
    let is_summed = |it: &Reading| family(it.detector).is_some_and(Family::is_in_features);
    if raised.iter().any(is_told) && parts.iter().all(is_summed) {
        return Vec::new();
    }
    // A sum of floats depends on the order.
    parts.sort_by_key(|it| it.detector);
    parts
}

/// Whether a reading may be a part at all: it is of the hour and of no more than that, it has a row to show,
/// its detector may speak about it, its floor holds, and it is no newcomer's that only looks odd because there
/// is little to compare it with.
fn may_count(view: &View<'_>, reading: &Reading) -> bool {
    // What others' objects of a week say is no oddity of each of its hours.
    let is_of_hour = reading.start >= view.open.start && reading.end <= view.open.end();
    family(reading.detector).is_some()
        && is_of_hour
        && is_signal(reading, false)
        && !newcomer::is_no_measure(view, reading.detector)
        && (reading.detector != Detector::Dormant || dormant::may_be_part(view.identity))
        && alarm::may_raise(view, reading)
}

/// How odd a part is, as log10 of its score, at least 0. At its own cut there is an end to it, so that one thing
/// alone is never a coincidence.
fn size_of_part(context: &Context<'_>, reading: &Reading) -> f64 {
    let score = context.calibration.score(reading.detector, reading.surprise);
    score.min(context.cut_of(reading.detector)).max(1.0).log10()
}

/// What the parts of a closed hour say together.
pub(crate) fn read(context: &Context<'_>, view: &View<'_>, parts: &[Reading]) -> Option<Reading> {
    if parts.len() < PARTS_MIN || !view.plan.is_enabled(Detector::Coincidence) {
        return None;
    }
    let sum: f64 = parts.iter().map(|it| size_of_part(context, it)).sum();
    let count = parts.len() as u32;
    Some(Reading {
        detector: Detector::Coincidence,
        entity: None,
        start: view.open.start,
        end: view.open.end(),
        observed: sum,
        expected: 0.0,
        surprise: surprise_of(sum, count),
        law: Law::Bound(sum_at(UPPER_SURPRISE, count)),
    })
}

/// Whether so many windows were judged that it may be said what is seldom seen together.
pub(crate) fn may_raise(view: &View<'_>) -> bool {
    view.calibration.judged(Detector::Coincidence) >= JUDGED_MIN
}

/// What a reading is made of: the parts of a coincidence, else itself.
pub(crate) fn made_of<'a>(open: &'a OpenWindow, reading: &'a Reading) -> &'a [Reading] {
    if reading.detector == Detector::Coincidence {
        &open.coincident
    } else {
        std::slice::from_ref(reading)
    }
}

/// Surprise of `count` parts whose sizes add up to `sum`, for any choice of so many families. At least 0, and
/// growing in `sum`.
fn surprise_of(sum: f64, count: u32) -> f64 {
    let choices: f64 =
        (0..count).map(|i| (FAMILIES as f64 - f64::from(i)) / f64::from(i + 1)).product();
    (all_together(sum, count) - choices.max(1.0).log10()).max(0.0)
}

/// The least sum of `count` parts with that surprise.
fn sum_at(surprise: f64, count: u32) -> f64 {
    // Fisher's terms and the choice take less than this away, however large a sum is.
    const TAKEN_MAX: f64 = 100.0;
    let (mut low, mut high) = (0.0, surprise.max(0.0) + TAKEN_MAX);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if surprise_of(middle, count) < surprise { low = middle } else { high = middle }
    }
    high
}

/// What a part is called: its detector, and its endpoint if it is of one.
fn name_of(view: &View<'_>, part: &Reading) -> String {
    let detector = part.detector.as_str();
    match part.entity {
        Some(endpoint) => format!("{detector} at {}", view.endpoints.name(endpoint)),
        None => detector.to_owned(),
    }
}

/// A part in words, with what `signals` has of it.
fn words_of(view: &View<'_>, part: &Reading) -> String {
    format!(
        "{} about 1 in {} windows ({} {}, {} expected)",
        name_of(view, part),
        one_in(view.calibration.score(part.detector, part.surprise)),
        number(part.observed),
        super::unit(part, view),
        number(part.expected),
    )
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let parts = &view.open.coincident;
    let mut sizes: Vec<_> = parts
        .iter()
        .map(|it| (view.calibration.score(it.detector, it.surprise).max(1.0).log10(), it))
        .collect();
    sizes.sort_by(|(a, x), (b, y)| b.total_cmp(a).then(x.detector.cmp(&y.detector)));
    let total: f64 = sizes.iter().map(|(size, _)| size).sum();
    let listed: Vec<_> = sizes.iter().map(|(_, part)| words_of(view, part)).collect();
    let score = view.calibration.score(Detector::Coincidence, reading.surprise);
    Words {
        sentence: format!(
            "{}'s hour from {} is odd in {} ways at once, none of which would be reported alone ({}): {}; \
             together that is {:.1} orders of magnitude, where 99.9 % of hours stay under {:.1}; {}.",
            subject(view.identity),
            view.open.start,
            parts.len(),
            odds(score, view.calibration.judged(Detector::Coincidence)),
            listed.join("; "),
            reading.observed,
            reading.law.value_at(UPPER_SURPRISE),
            history(view),
        ),
        counterfactual: counterfactual(view, &sizes, cut),
        contributors: sizes
            .iter()
            .take(model::Finding::CONTRIBUTORS_MAX)
            .map(|(size, part)| Contributor {
                name: name_of(view, part),
                observed: *size,
                share: size / total.max(1e-9),
            })
            .collect(),
        evidence_sql: sql(view),
        danger: ABOUT.danger,
    }
}

/// What would have been too little; and without which one part, if any is so large.
fn counterfactual(view: &View<'_>, sizes: &[(f64, &Reading)], cut: f64) -> String {
    let count = sizes.len() as u32;
    // Rounded down: at this, and not above it, nothing is said.
    let most = (sum_at(cut, count) * 10.0).floor() / 10.0;
    let rest: f64 = sizes.iter().skip(1).map(|(size, _)| size).sum();
    let is_enough = sizes.len() > PARTS_MIN && surprise_of(rest, count - 1) >= cut;
    let without = match sizes.first() {
        _ if sizes.len() == PARTS_MIN => ", nor with one of them alone".to_owned(),
        Some((_, largest)) if !is_enough => format!(", nor without its {}", name_of(view, largest)),
        _ => String::new(),
    };
    format!("would not be reported at {most:.1} orders of magnitude together or less{without}")
}

/// A query that shows the parts: a row each, whose `magnitude` adds up to what was observed.
fn sql(view: &View<'_>) -> String {
    let rows: Vec<_> = view
        .open
        .coincident
        .iter()
        .map(|part| {
            format!(
                "(detector = '{}' AND entity = {} AND window_start = TIMESTAMP '{}' AND window_seconds = {})",
                part.detector.as_str(),
                quote(super::entity(view, part)),
                part.start,
                part.end.since(part.start) / NS_PER_S,
            )
        })
        .collect();
    format!(
        "SELECT detector, entity, window_start, window_seconds, observed, expected, surprise, score, \
         log10(score) AS magnitude FROM signals WHERE {} AND ({}) ORDER BY score DESC, detector",
        whose(view),
        rows.join(" OR "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::bare;
    use crate::identity::Identity;
    use crate::population::Population;
    use model::time::NS_PER_D;
    use model::{FindingId, PrincipalType, Time};

    fn reading(detector: Detector) -> Reading {
        let (start, end) = (Time::from_ns(0), Time::from_ns(3_600 * NS_PER_S));
        let law = Law::Bound(1.0);
        Reading {
            detector,
            entity: None,
            start,
            end,
            observed: 7_200.0,
            expected: 0.0,
            surprise: 3.0,
            law,
        }
    }

    fn raised(detector: Detector, is_silent: bool) -> Raised {
        Raised {
            detector,
            entity: None,
            new_tool: None,
            id: FindingId([0; 16]),
            detected_at: Time::from_ns(0),
            evidence: Vec::new(),
            surprise: 9.0,
            magnitude: 1.0,
            is_silent,
            notes: 0,
        }
    }

    #[test]
    fn each_family_has_its_oddest_unless_it_was_told_or_is_a_habit() {
        use Detector::{
            Cadence, EgressSpike, JointOutlier, MachineSpeed, NewNetwork, Sequence, WriteBurst,
        };
        let sizes = [
            (NewNetwork, 3.0),
            (MachineSpeed, 2.5),
            (WriteBurst, 2.75),
            (Sequence, 2.0),
            (Cadence, 9.0),
        ];
        let readings = sizes.map(|(detector, size)| (size, reading(detector)));
        let parts = |raised: &[Raised]| -> Vec<Detector> {
            let sized = readings.iter().map(|(size, it)| (*size, it));
            of_families(raised, sized).iter().map(|it| it.detector).collect()
        };
        let mut expected = vec![NewNetwork, WriteBurst, Sequence];
        expected.sort();
        assert_eq!(parts(&[]), expected);
        assert_eq!(parts(&[raised(Cadence, false)]), expected, "that is of other windows");
        expected.retain(|it| *it != WriteBurst);
        assert_eq!(parts(&[raised(EgressSpike, true)]), expected, "volume is a habit");
        assert_eq!(parts(&[raised(EgressSpike, false)]), expected, "volume was told");
        expected.retain(|it| *it != NewNetwork);
        let both = [raised(EgressSpike, false), raised(NewNetwork, true)];
        assert_eq!(parts(&both), expected, "what is left comes together with nothing");
        let joint = [raised(JointOutlier, false), raised(NewNetwork, true)];
        assert_eq!(parts(&joint), [], "it was told as one thing");
        assert_eq!(parts(&joint[..1]).len(), 3, "which says nothing of where it came from");
        let habits = [raised(JointOutlier, true), raised(NewNetwork, true)];
        assert_eq!(parts(&habits).len(), 2, "a habit hides nothing");
        let little = [(1.9, reading(NewNetwork))];
        assert!(of_families(&[], little.iter().map(|(size, it)| (*size, it))).is_empty());
    }

    #[test]
    fn other_work_with_its_other_sizes_is_one_odd_thing() {
        use Detector::{EgressSpike, NewNetwork, NotItself, WriteBurst};
        let parts = |sizes: &[(Detector, f64)]| -> Vec<Detector> {
            let readings: Vec<_> = sizes.iter().map(|(it, size)| (*size, reading(*it))).collect();
            let sized = readings.iter().map(|(size, it)| (*size, it));
            of_families(&[], sized).iter().map(|it| it.detector).collect()
        };
        assert_eq!(parts(&[(EgressSpike, 3.0), (NotItself, 2.5)]), [EgressSpike]);
        assert_eq!(parts(&[(EgressSpike, 2.5), (NotItself, 3.0)]), [NotItself]);
        assert_eq!(parts(&[(EgressSpike, 2.5), (NewNetwork, 3.0)]).len(), 2);
        assert_eq!(parts(&[(WriteBurst, 2.5), (NotItself, 3.0)]).len(), 2);
        assert_eq!(parts(&[(EgressSpike, 2.5), (NotItself, 3.0), (NewNetwork, 2.5)]).len(), 2);
    }

    #[test]
    fn what_is_of_days_is_no_part_of_one_of_their_hours() {
        let open = OpenWindow::new();
        let identity = Identity::new("it", 1, PrincipalType::User, open.start);
        let may_count = |reading: &Reading| {
            bare::within((open.start, 0), &Population::default(), |context| {
                may_count(&context.view(&identity, &open), reading)
            })
        };
        let hour = reading(Detector::ForeignObject);
        assert!(may_count(&hour));
        for days in [1, 7] {
            let (start, end) = (Time::from_ns((1 - days) * NS_PER_D), Time::from_ns(NS_PER_D));
            assert!(!may_count(&Reading { start, end, ..hour }), "{days} d");
        }
        let minute = Time::from_ns(60 * NS_PER_S);
        assert!(may_count(&Reading { end: minute, ..reading(Detector::MachineSpeed) }));
    }

    #[test]
    fn it_is_a_habit_where_each_part_may_be_one() {
        let mut open = OpenWindow::new();
        open.coincident = vec![reading(Detector::NewNetwork), reading(Detector::MachineSpeed)];
        let raised = raised(Detector::Coincidence, false);
        let habits = alarm::recurring(&open, &raised);
        let of: Vec<_> = habits.iter().map(|it| (it.detector, it.may_recur())).collect();
        assert_eq!(of, [(Detector::NewNetwork, false), (Detector::MachineSpeed, true)]);
        assert!(habits.iter().all(|it| (it.magnitude - 2.0).abs() < 1e-9), "{habits:?}");
        assert!(habits.iter().all(|it| it.is_part), "none was told by itself");
        let together = reading(Detector::Coincidence);
        assert_eq!(made_of(&open, &together).len(), 2);
        assert_eq!(made_of(&open, &reading(Detector::Sequence)).len(), 1);
    }

    #[test]
    fn parts_together_are_as_odd_as_fishers_tail_less_the_choice_of_families() {
        // 7.3 − log10(1 + 16.808 87) − log10 10, and 12.8 − log10(1 + 29.473 09 + 434.331 53) − log10 10.
        assert!((surprise_of(7.3, 2) - 5.049_36).abs() < 1e-4, "{}", surprise_of(7.3, 2));
        assert!((surprise_of(12.8, 3) - 9.132_73).abs() < 1e-4, "{}", surprise_of(12.8, 3));
        // 8 − log10(1 + 18.420 68 + 169.660 74 + 1 041.755 44) − log10 5.
        assert!((surprise_of(8.0, 4) - 4.210_78).abs() < 1e-3, "{}", surprise_of(8.0, 4));
        assert!(surprise_of(0.0, 2) < 1e-12, "nothing is no surprise");
    }

    #[test]
    fn two_things_that_a_hundred_windows_show_are_seen_together_in_a_hundred() {
        assert!((surprise_of(2.0 * PART_MIN, 2) - 1.991).abs() < 1e-2);
    }

    #[test]
    fn more_is_odder_and_a_further_part_is_too() {
        for count in 2..=FAMILIES as u32 {
            let sums = (0..400).map(|i| surprise_of(f64::from(i) * 0.05, count));
            let sums: Vec<_> = sums.collect();
            assert!(sums.windows(2).all(|pair| pair[0] <= pair[1]), "{sums:?}");
        }
        for count in 2..FAMILIES as u32 {
            let sum = 4.0 * f64::from(count);
            assert!(surprise_of(sum + 4.0, count + 1) > surprise_of(sum, count));
        }
    }

    #[test]
    fn the_sum_of_a_surprise_is_found_again() {
        for (surprise, count) in [(3.0, 2), (6.5, 3), (9.0, 5)] {
            let sum = sum_at(surprise, count);
            assert!((surprise_of(sum, count) - surprise).abs() < 1e-6, "{sum}");
        }
        assert!(sum_at(1e6, 5).is_finite());
    }

    #[test]
    fn every_family_has_a_place() {
        let places = Detector::ALL.iter().filter_map(|it| family(*it));
        assert!(places.clone().all(|it| (it as usize) < FAMILIES));
        assert_eq!(places.clone().filter(|it| *it == Family::Agent).count(), 2);
        assert_eq!(places.count(), 17);
        assert_eq!(family(Detector::Coincidence), None);
    }
}

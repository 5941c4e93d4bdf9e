//! Whoever has not lived a whole day yet: what it did so far says nothing of the hours of the day that are
//! still to come, its first night's job above all. So the detectors that compare it with itself must find
//! it odd among its peers as well before anything is said, by the law of an identity without a history.

use super::{Law, Reading, View, egress_spike, machine_speed};
use crate::engine::Context;
use crate::open_window::OpenWindow;
use crate::population::Measure;
use crate::statistics::{Moments, Predictive};
use model::Detector;

/// Hours with a log before which there is nobody who is not new: then all are judged alike.
const LOGGED_H_MIN: u32 = 24;
/// The hours of a day.
const LIVED_H_MIN: i32 = 24;

/// Whether the day's hours did not all go by since the identity's first call, in a log that knows others.
pub(crate) fn is_newcomer(view: &View<'_>) -> bool {
    let lived_h = view.open.start.hour_number() - view.identity.first_seen.hour_number();
    view.logged_h >= LOGGED_H_MIN && lived_h < LIVED_H_MIN
}

/// Whether a detector compares an identity with what it did at other hours.
const fn compares_hours(detector: Detector) -> bool {
    matches!(
        detector,
        Detector::EgressSpike
            | Detector::MachineSpeed
            | Detector::WriteBurst
            | Detector::ObjectEnumeration
            | Detector::NotItself
    )
}

/// Whether an hour is of a log's first day, and nothing was raised of it but that it is unlike the hours
/// before: then it is learned all the same. What comes once a day is unlike them on every first day, and
/// whoever is not believed then is not believed on the next ones either.
pub(crate) fn is_beginning(context: &Context<'_>, open: &OpenWindow) -> bool {
    let mut raised = open.raised.iter();
    context.logged_h < LOGGED_H_MIN
        && !open.raised.is_empty()
        && raised.all(|it| compares_hours(it.detector))
}

/// Whether a rare reading is no measure of what is rare: it may only be rare so far.
pub(crate) fn is_no_measure(view: &View<'_>, detector: Detector) -> bool {
    compares_hours(detector) && is_newcomer(view)
}

/// Whether a reading may be said of an identity that is no newcomer, or is odd among its peers as well.
/// `cut` is the surprise from which on its detector raises.
pub(crate) fn may_raise(view: &View<'_>, reading: &Reading, cut: impl FnOnce() -> f64) -> bool {
    if !is_no_measure(view, reading.detector) {
        return true;
    }
    let least = match reading.detector {
        Detector::EgressSpike => egress_spike::among_peers(view, cut()),
        Detector::MachineSpeed => machine_speed::among_peers(view, reading, cut()),
        Detector::WriteBurst => counted(view, Measure::ChangedPerHour, (1.0, cut())),
        Detector::ObjectEnumeration => objects(view, reading, cut()),
        // There is no self yet that it could be unlike.
        _ => f64::INFINITY,
    };
    reading.observed >= least
}

/// The count from which on one of `n` windows has the surprise `cut` among the peers of a newcomer; 0 for
/// everybody else, whom it does not concern.
pub(crate) fn counted(view: &View<'_>, measure: Measure, (n, cut): (f64, f64)) -> f64 {
    if !is_newcomer(view) {
        return 0.0;
    }
    let peers = view.population.peers(view.identity).counts.get(measure as usize);
    let law = peers.and_then(|peers| Predictive::of(&Moments::default(), peers));
    law.map_or(0.0, |law| Law::Count(law, n).value_at(cut))
}

/// The same of distinct objects at a reading's endpoint.
pub(crate) fn objects(view: &View<'_>, reading: &Reading, cut: f64) -> f64 {
    if !is_newcomer(view) {
        return 0.0;
    }
    let law = view.population.objects(&Moments::default(), reading.entity.unwrap_or_default());
    law.map_or(0.0, |law| Law::Count(law, 1.0).value_at(cut))
}

//! Whoever has not lived a whole day yet: what it did so far says nothing of the hours of the day that are
//! still to come, its first night's job above all. So the detectors that compare it with itself must find
//! it odd among its peers as well before anything is said, by the law of an identity without a history.

use super::{Law, Reading, View, egress_spike, machine_speed};
use crate::alarm;
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
/// before, in one way or in several that came together: then it is learned all the same. What comes once a
/// day is unlike them on every first day, and whoever is not believed then is not believed on the next ones
/// either.
pub(crate) fn is_beginning(context: &Context<'_>, open: &OpenWindow) -> bool {
    let mut told = open.raised.iter().flat_map(|raised| alarm::recurring(open, raised));
    context.logged_h < LOGGED_H_MIN
        && !open.raised.is_empty()
        && told.all(|it| compares_hours(it.detector))
}

/// Whether a rare reading is no measure of what is rare: it may only be rare so far.
pub(crate) fn is_no_measure(view: &View<'_>, detector: Detector) -> bool {
    compares_hours(detector) && is_newcomer(view)
}

/// Whether a reading may be said: of an identity that is no newcomer, or odd among its peers as well. `cut` is
/// the surprise from which on its detector raises.
pub(crate) fn may_raise(view: &View<'_>, reading: &Reading, cut: impl FnOnce() -> f64) -> bool {
    least_among_peers(view, reading, cut).is_none_or(|least| reading.observed >= least)
}

/// The value from which on a reading is reported, its detector's floor aside.
pub(crate) fn least(view: &View<'_>, reading: &Reading, cut: f64) -> f64 {
    larger(reading.law.value_at(cut), least_among_peers(view, reading, || cut))
}

/// The larger of what an identity's own law asks for and what its peers' does, if anything.
pub(crate) fn larger(own: f64, among_peers: Option<f64>) -> f64 {
    among_peers.map_or(own, |among_peers| own.max(among_peers))
}

/// The value from which on a newcomer's reading has the surprise `cut` among its peers; `None` where that is
/// not asked, or nothing is known of them.
fn least_among_peers(view: &View<'_>, reading: &Reading, cut: impl FnOnce() -> f64) -> Option<f64> {
    if !is_no_measure(view, reading.detector) {
        return None;
    }
    match reading.detector {
        Detector::EgressSpike => egress_spike::among_peers(view, cut()),
        Detector::MachineSpeed => machine_speed::among_peers(view, reading, cut()),
        Detector::WriteBurst => counted(view, Measure::ChangedPerHour, (1.0, cut())),
        Detector::ObjectEnumeration => objects(view, reading, cut()),
        // There is no self yet that it could be unlike.
        _ => Some(f64::INFINITY),
    }
}

/// The count from which on the largest of `n` windows has the surprise `cut` among an identity's peers.
pub(crate) fn counted(view: &View<'_>, measure: Measure, (n, cut): (f64, f64)) -> Option<f64> {
    let peers = view.population.peers(view.identity).counts.get(measure as usize)?;
    let law = Predictive::of(&Moments::default(), peers)?;
    Some(Law::Count(law, n).value_at(cut))
}

/// The same of distinct objects at a reading's endpoint.
fn objects(view: &View<'_>, reading: &Reading, cut: f64) -> Option<f64> {
    let endpoint = reading.entity.unwrap_or_default();
    let law = view.population.objects(&Moments::default(), endpoint)?;
    Some(Law::Count(law, 1.0).value_at(cut))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::bare;
    use crate::identity::Identity;
    use crate::open_window::Raised;
    use crate::population::Population;
    use model::time::{NS_PER_D, NS_PER_H};
    use model::{FindingId, PrincipalType, Time};

    const CUT: f64 = 4.0;
    const HOUR: Time = Time::from_ns(20_000 * NS_PER_D);

    /// What `ask` says so many hours after an identity came, and the log began. Its peers change up to
    /// nine objects an hour, and nothing else is known of them.
    fn after<T>(lived_h: i64, logged_h: u32, ask: impl FnOnce(&Context<'_>, &View<'_>) -> T) -> T {
        let mut population = Population::default();
        let changed = &mut population.everyone.counts[Measure::ChangedPerHour as usize];
        (0..1_000).for_each(|step| changed.add(f64::from(step % 10), 1.0));
        let identity = Identity::new("new", 1, PrincipalType::User, HOUR.plus(-lived_h * NS_PER_H));
        let mut open = OpenWindow::new();
        open.start = HOUR;
        bare::within((HOUR, logged_h), &population, |context| {
            ask(context, &context.view(&identity, &open))
        })
    }

    /// A reading whose own law reports it from `own` on.
    fn reading(detector: Detector, observed: f64, own: f64) -> Reading {
        Reading {
            detector,
            entity: None,
            start: HOUR,
            end: HOUR.plus(NS_PER_H),
            observed,
            expected: 1.0,
            surprise: CUT,
            law: Law::Bound(own),
        }
    }

    fn is_said(lived_h: i64, detector: Detector, observed: f64) -> bool {
        let reading = reading(detector, observed, 1.0);
        after(lived_h, 48, |_, view| may_raise(view, &reading, || CUT))
    }

    #[test]
    fn whoever_has_not_lived_a_day_is_new_to_a_log_that_has() {
        for (lived_h, logged_h, is_new) in [
            (0, 24, true),
            (23, 24, true),
            (23, 900, true),
            (24, 24, false),
            (24, 900, false),
            (0, 23, false),
            (23, 23, false),
        ] {
            let newcomer = after(lived_h, logged_h, |_, view| is_newcomer(view));
            assert_eq!(newcomer, is_new, "{lived_h} h after its first, {logged_h} h of log");
        }
    }

    #[test]
    fn what_a_newcomer_does_is_said_once_it_is_odd_among_its_peers() {
        let burst = Detector::WriteBurst;
        let mut counts = (1_u8..200).map(f64::from);
        let limit = counts.find(|count| is_said(23, burst, *count)).unwrap();
        let law = after(23, 48, |_, view| {
            let changed = &view.population.everyone.counts[Measure::ChangedPerHour as usize];
            Predictive::of(&Moments::default(), changed).unwrap()
        });
        assert!(law.surprise(limit) >= CUT && law.surprise(limit - 1.0) < CUT, "{limit}: {law:?}");
        assert!(is_said(24, burst, limit - 1.0), "whoever has lived a day is judged by itself");
        let least = |lived_h, own| {
            let reading = reading(burst, 1e9, own);
            after(lived_h, 48, |_, view| least(view, &reading, CUT))
        };
        for (lived_h, own, expected) in [(23, 2.0, limit), (23, 1e6, 1e6), (24, 2.0, 2.0)] {
            let least = least(lived_h, own);
            assert!((least - expected).abs() < 1e-9, "{least} in place of {expected}");
        }
    }

    #[test]
    fn only_what_compares_hours_asks_the_peers() {
        assert!(!is_said(23, Detector::NotItself, 1e9), "there is no self yet");
        assert!(is_said(24, Detector::NotItself, 2.0));
        assert!(is_said(23, Detector::Injection, 2.0), "one hour is enough to tell");
        assert!(is_said(23, Detector::ObjectEnumeration, 2.0), "no peer ever read an object");
        let is_no_measure =
            |lived_h, detector| after(lived_h, 48, |_, view| is_no_measure(view, detector));
        assert!(is_no_measure(23, Detector::EgressSpike));
        assert!(!is_no_measure(24, Detector::EgressSpike));
        assert!(!is_no_measure(23, Detector::Injection));
    }

    #[test]
    fn the_first_day_of_a_log_is_learned_unless_more_was_raised_of_it_than_that_it_changes() {
        let learned = |logged_h, detectors: &[Detector], parts: &[Detector]| {
            let raised = |detector: &Detector| Raised {
                detector: *detector,
                entity: None,
                new_tool: None,
                id: FindingId([0; 16]),
                detected_at: HOUR,
                evidence: Vec::new(),
                surprise: CUT,
                magnitude: 1.0,
                is_silent: false,
                notes: 0,
            };
            let mut open = OpenWindow::new();
            open.raised = detectors.iter().map(raised).collect();
            open.coincident = parts.iter().map(|part| reading(*part, 9.0, 1.0)).collect();
            after(0, logged_h, |context, _| is_beginning(context, &open))
        };
        let is_learned = |logged_h, detectors: &[Detector]| learned(logged_h, detectors, &[]);
        let changes = [Detector::EgressSpike, Detector::NotItself];
        assert!(is_learned(23, &changes));
        assert!(!is_learned(24, &changes), "the second day");
        assert!(!is_learned(23, &[Detector::EgressSpike, Detector::Injection]));
        assert!(!is_learned(23, &[]), "it is learned anyhow");
        let together = [Detector::Coincidence];
        assert!(learned(23, &together, &changes), "it is what its parts are");
        assert!(!learned(23, &together, &[Detector::EgressSpike, Detector::NewNetwork]));
    }
}

//! What an identity was found at again and again: a deviation of volume or order may turn out to be a habit.

use crate::snapshot::plain;
use model::{Detector, EndpointId, Endpoints};
use serde::{Deserialize, Serialize};

/// Findings that may turn out to be a habit: those of volume and of order, and whether they are of an
/// endpoint. Hours that look like somebody else's are of the endpoint that makes them so.
const RECURRING: [(Detector, bool); 13] = [
    (Detector::ObjectEnumeration, true),
    (Detector::EgressSpike, false),
    (Detector::ForeignObject, true),
    (Detector::SecretHarvesting, false),
    (Detector::MachineSpeed, false),
    (Detector::Delegation, false),
    (Detector::Delegation, true),
    (Detector::Sequence, false),
    (Detector::Sequence, true),
    (Detector::WriteBurst, false),
    (Detector::RunawayLoop, false),
    (Detector::JointOutlier, false),
    (Detector::NotItself, true),
];
/// Occasions, of each of which somebody was told, after which a deviation of volume is a habit and is learned.
const OCCASIONS_MIN: u8 = 3;
/// Hours between two occasions on which somebody looks like somebody else: a night's job lasts one
/// night, and who took over an identity for a night has had one occasion.
pub(super) const NIGHT_H: i32 = 12;

/// Kinds of findings that an identity keeps occasions of: a detector's at one endpoint are one kind.
const KINDS_MAX: usize = 16;
/// Hours after which an occasion no longer counts towards a habit: 60 days.
const OCCASIONS_KEPT_H: i32 = 60 * 24;
/// Hours in which a deviation of volume or order that comes back goes on with what was said: a break at
/// work, or a job's next part.
const PAUSE_H: i32 = 6;
/// Growth of the magnitude from which on a finding is not the one before.
pub(super) const GROWTH: f64 = 1.25;

/// What was raised, as far as a habit of it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recurring {
    pub(crate) detector: Detector,
    pub(crate) endpoint: Option<EndpointId>,
    /// How much of it: the observed value per second of its window, whatever its law became.
    pub(crate) magnitude: f64,
    /// Nobody was told, because it only went on.
    pub(crate) is_silent: bool,
    /// It was a part of what came together, and did not pass its detector's own cut.
    pub(crate) is_part: bool,
}

impl Recurring {
    /// How much of it was said: by itself, and as a part.
    const fn said(self) -> (f32, f32) {
        let said = if self.is_silent { 0.0 } else { self.magnitude as f32 };
        if self.is_part { (0.0, said) } else { (said, 0.0) }
    }

    /// Hours after the last one in which it goes on.
    fn pause_h(self) -> i32 {
        if self.may_recur() { PAUSE_H } else { 1 }
    }

    /// Whether such findings can become a habit at all.
    pub(crate) fn may_recur(self) -> bool {
        RECURRING.contains(&(self.detector, self.endpoint.is_some()))
    }
}

/// One kind of finding of an identity.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Occasions {
    #[serde(with = "plain")]
    detector: Detector,
    /// The endpoint, where such findings are of one: another one is another matter.
    #[serde(with = "plain")]
    endpoint: Option<EndpointId>,
    count: u8,
    last_hour: i32,
    /// The largest magnitude that was raised before.
    magnitude: f32,
    /// The magnitude when it was said last, by itself and as a part of what came together, of an occasion
    /// that lasts: silent hours add nothing, or what creeps would never be said.
    said: f32,
    said_as_part: f32,
}

/// How often detectors of volume and order raised a finding, on occasions that are not one another's next hour.
///
/// Without this, a legitimate monthly export or a burst of an agent's skill would be a finding for
/// ever, because windows with findings are not learned. Its price is written in the docs: whoever
/// raises the same alarm on three separate occasions is believed on the fourth.
///
/// At most [`KINDS_MAX`]; most identities have none.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Recurrence(Vec<Occasions>);

impl Recurrence {
    /// Whether a finding only goes on with what was said of the hours before.
    ///
    /// A condition that lasts is one finding, until it has grown by a quarter since it was said. What was
    /// only said as a part says nothing of what passes its own cut: that has its own severity and evidence.
    pub(crate) fn goes_on(&self, raised: Recurring, hour: i32) -> bool {
        self.0.iter().any(|it| {
            let said = if raised.is_part { it.said.max(it.said_as_part) } else { it.said };
            it.is_of(raised)
                && (it.last_hour + 1..=it.last_hour + raised.pause_h()).contains(&hour)
                && raised.magnitude < GROWTH * f64::from(said)
        })
    }

    /// Follows the folds of the learned templates.
    pub(super) fn follow(&mut self, endpoints: &Endpoints) {
        for it in &mut self.0 {
            it.endpoint = it.endpoint.map(|endpoint| endpoints.resolve(endpoint));
        }
    }

    /// Notes the findings of an hour; `true` if all have become a habit: raised on several
    /// occasions before, and not much more than then.
    pub(crate) fn note(&mut self, raised: impl Iterator<Item = Recurring>, hour: i32) -> bool {
        let mut all = true;
        for one in raised {
            if !one.may_recur() {
                all = false;
                continue;
            }
            let (said, said_as_part) = one.said();
            let now = Occasions {
                detector: one.detector,
                endpoint: one.endpoint,
                count: 1,
                last_hour: hour,
                magnitude: one.magnitude as f32,
                said,
                said_as_part,
            };
            let Some(before) = self.0.iter_mut().find(|it| it.is_of(one)) else {
                self.keep(now);
                all = false;
                continue;
            };
            if hour > before.last_hour.saturating_add(OCCASIONS_KEPT_H) {
                *before = now;
                all = false;
                continue;
            }
            let apart = if one.detector == Detector::NotItself { NIGHT_H } else { one.pause_h() };
            if hour > before.last_hour.saturating_add(apart) {
                before.count = before.count.saturating_add(1);
            }
            let is_alike = one.magnitude < GROWTH * f64::from(before.magnitude);
            all &= before.count >= OCCASIONS_MIN && is_alike;
            before.magnitude = before.magnitude.max(now.magnitude);
            if hour > before.last_hour.saturating_add(one.pause_h()) {
                (before.said, before.said_as_part) = (said, said_as_part);
            } else if one.is_part && !one.is_silent {
                before.said_as_part = said_as_part;
            } else if !one.is_silent {
                before.said = said;
            }
            before.last_hour = hour;
        }
        all
    }

    /// Keeps a kind that is new; in the place of the one that is longest past, where there is no room.
    fn keep(&mut self, now: Occasions) {
        if self.0.len() < KINDS_MAX {
            self.0.push(now);
        } else if let Some(oldest) = self.0.iter_mut().min_by_key(|it| it.last_hour) {
            *oldest = now;
        }
    }

    /// Bytes beside the struct itself.
    pub(super) fn bytes(&self) -> usize {
        self.0.len() * size_of::<Occasions>()
    }
}

impl Occasions {
    /// Whether it is of a finding's kind.
    fn is_of(&self, raised: Recurring) -> bool {
        self.detector == raised.detector && self.endpoint == raised.endpoint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_occasion_makes_a_habit_and_one_long_one_does_not() {
        let of = |detector, magnitude| Recurring {
            detector,
            endpoint: None,
            magnitude,
            is_silent: false,
            is_part: false,
        };
        let speed = || std::iter::once(of(Detector::MachineSpeed, 9.0));
        let mut recurrence = Recurrence::default();
        assert!((100..120).all(|hour| !recurrence.note(speed(), hour)), "one long occasion");
        assert!(recurrence.goes_on(of(Detector::MachineSpeed, 10.0), 120), "one finding is enough");
        assert!(!recurrence.goes_on(of(Detector::MachineSpeed, 20.0), 120), "it has grown");
        assert!(recurrence.goes_on(of(Detector::MachineSpeed, 9.0), 125), "a pause");
        assert!(!recurrence.goes_on(of(Detector::MachineSpeed, 9.0), 126), "it had stopped");
        assert!(!recurrence.note(speed(), 130));
        assert!(recurrence.note(speed(), 140));
        let louder = std::iter::once(of(Detector::MachineSpeed, 90.0));
        assert!(!recurrence.note(louder, 145), "much more of it is not the same");
        assert!(!recurrence.note(std::iter::once(of(Detector::NewNetwork, 9.0)), 150));
    }

    #[test]
    fn what_creeps_is_said_again_once_it_has_grown_by_a_quarter() {
        let of = |magnitude, is_silent| Recurring {
            detector: Detector::EgressSpike,
            endpoint: None,
            magnitude,
            is_silent,
            is_part: false,
        };
        let (mut recurrence, mut magnitude) = (Recurrence::default(), 100.0);
        let mut said = 0;
        for hour in 100..120 {
            let is_silent = recurrence.goes_on(of(magnitude, false), hour);
            said += u32::from(!is_silent);
            recurrence.note(std::iter::once(of(magnitude, is_silent)), hour);
            magnitude *= 1.24;
        }
        assert_eq!(said, 10, "at first, and in every second hour");
    }

    #[test]
    fn what_was_said_as_a_part_does_not_hush_what_passes_its_own_cut() {
        let of = |magnitude, is_part| Recurring {
            detector: Detector::ObjectEnumeration,
            endpoint: Some(EndpointId(1)),
            magnitude,
            is_silent: false,
            is_part,
        };
        let mut recurrence = Recurrence::default();
        recurrence.note(std::iter::once(of(40.0, true)), 100);
        assert!(recurrence.goes_on(of(45.0, true), 101), "as a part it was said");
        assert!(!recurrence.goes_on(of(45.0, false), 101), "by itself it was not");
        recurrence.note(std::iter::once(of(45.0, false)), 101);
        assert!(
            recurrence.goes_on(of(50.0, false), 102) && recurrence.goes_on(of(50.0, true), 102)
        );
        // Of another occasion nothing was said by itself.
        recurrence.note(std::iter::once(of(45.0, true)), 110);
        assert!(!recurrence.goes_on(of(45.0, false), 111));
        let silent = Recurring { is_silent: true, ..of(45.0, true) };
        recurrence.note(std::iter::once(silent), 111);
        assert!(
            recurrence.goes_on(of(50.0, true), 112) && !recurrence.goes_on(of(50.0, false), 112)
        );
    }

    #[test]
    fn a_job_of_the_night_is_a_habit_after_three_nights() {
        let of = |endpoint, magnitude| Recurring {
            detector: Detector::NotItself,
            endpoint: Some(EndpointId(endpoint)),
            magnitude,
            is_silent: false,
            is_part: false,
        };
        let mut recurrence = Recurrence::default();
        let mut night = |endpoint, hours: &[i32]| {
            let each = hours
                .iter()
                .map(|&hour| recurrence.note(std::iter::once(of(endpoint, 400.0)), hour));
            each.collect::<Vec<_>>()
        };
        assert_eq!(night(1, &[1, 3, 5, 7, 9, 11]), [false; 6], "one night, however long");
        assert_eq!(night(1, &[26, 27]), [false; 2]);
        assert_eq!(night(2, &[28]), [false], "another job");
        assert_eq!(night(1, &[49, 50]), [true; 2]);
        assert_eq!(night(2, &[52, 76]), [false, true]);
    }

    #[test]
    fn the_kinds_that_are_kept_are_bounded() {
        let mut recurrence = Recurrence::default();
        for endpoint in 0..1_000 {
            let endpoint = Some(EndpointId(endpoint));
            let detector = Detector::ObjectEnumeration;
            let sweep =
                Recurring { detector, endpoint, magnitude: 1.0, is_silent: false, is_part: false };
            recurrence.note(std::iter::once(sweep), endpoint.map_or(0, |it| it.0 as i32));
        }
        assert_eq!(recurrence.0.len(), KINDS_MAX);
    }

    #[test]
    fn a_habit_at_one_endpoint_says_nothing_of_another() {
        let sweep = |endpoint| {
            let (detector, endpoint) = (Detector::ObjectEnumeration, Some(EndpointId(endpoint)));
            Recurring { detector, endpoint, magnitude: 30.0, is_silent: false, is_part: false }
        };
        let mut recurrence = Recurrence::default();
        for hour in [10, 20, 30] {
            recurrence.note(std::iter::once(sweep(1)), hour);
        }
        assert!(recurrence.goes_on(sweep(1), 31) && !recurrence.goes_on(sweep(2), 31));
        assert!(recurrence.note(std::iter::once(sweep(1)), 40));
        assert!(!recurrence.note(std::iter::once(sweep(2)), 50));
    }

    #[test]
    fn an_order_a_skipped_step_and_a_sweep_are_three_matters() {
        let of = |detector, endpoint| Recurring {
            detector,
            endpoint,
            magnitude: 1.0,
            is_silent: false,
            is_part: false,
        };
        let (here, mut recurrence) = (Some(EndpointId(1)), Recurrence::default());
        for hour in [10, 20, 30] {
            recurrence.note(std::iter::once(of(Detector::Sequence, here)), hour);
            recurrence.note(std::iter::once(of(Detector::ObjectEnumeration, here)), hour);
        }
        let mut note = |one, hour| recurrence.note(std::iter::once(one), hour);
        assert!(!note(of(Detector::Sequence, None), 40));
        assert!(note(of(Detector::Sequence, here), 50));
        assert!(!note(of(Detector::Sequence, Some(EndpointId(2))), 60));
        assert!(note(of(Detector::ObjectEnumeration, here), 70), "the sweep's endpoint is its own");
    }
}

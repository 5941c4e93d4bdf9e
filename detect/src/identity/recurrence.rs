//! What an identity was found at again and again: a deviation of volume may turn out to be a habit.

use crate::snapshot::plain;
use model::{Detector, EndpointId, Endpoints};
use serde::{Deserialize, Serialize};

/// Volume detectors whose findings may turn out to be a habit.
const RECURRING: [Detector; 7] = [
    Detector::ObjectEnumeration,
    Detector::EgressSpike,
    Detector::SecretHarvesting,
    Detector::MachineSpeed,
    Detector::WriteBurst,
    Detector::RunawayLoop,
    Detector::JointOutlier,
];
/// Occasions, hours apart, after which a deviation of volume is a habit and is learned.
const OCCASIONS_MIN: u8 = 3;

/// Hours after which an occasion no longer counts towards a habit: 60 days.
const OCCASIONS_KEPT_H: i32 = 60 * 24;
/// Growth of the magnitude from which on a finding is not the one before.
const GROWTH: f64 = 1.25;

/// What was raised, as far as a habit of it goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recurring {
    pub(crate) detector: Detector,
    pub(crate) endpoint: Option<EndpointId>,
    /// How much of it: the observed value per second of its window, whatever its law became.
    pub(crate) magnitude: f64,
}

/// How often volume detectors raised a finding, on occasions that are not one another's next hour.
///
/// Without this, a legitimate monthly export or a burst of an agent's skill would be a finding for
/// ever, because windows with findings are not learned. Its price is written in the docs: whoever
/// raises the same alarm on three separate occasions is believed on the fourth.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Recurrence {
    occasions: [u8; RECURRING.len()],
    last_hour: [i32; RECURRING.len()],
    /// The largest magnitude that was raised before, of the same endpoint.
    magnitude: [f32; RECURRING.len()],
    /// The endpoint of the last object enumeration: another one is another matter.
    #[serde(with = "plain")]
    endpoint: Option<EndpointId>,
}

impl Recurrence {
    /// Whether a finding only goes on with what was said of the hour before.
    ///
    /// A condition that lasts is one finding, until it has grown by a quarter.
    pub(crate) fn goes_on(&self, raised: Recurring, hour: i32) -> bool {
        let Some(index) = self.slot(raised) else { return false };
        let (last, said) = (self.last_hour.get(index), self.magnitude.get(index));
        last.is_some_and(|last| hour == *last + 1)
            && said.is_some_and(|said| raised.magnitude < GROWTH * f64::from(*said))
    }

    /// Follows the folds of the learned templates.
    pub(super) fn follow(&mut self, endpoints: &Endpoints) {
        self.endpoint = self.endpoint.map(|it| endpoints.resolve(it));
    }

    /// The place of what was raised before; none for another detector, or another endpoint.
    fn slot(&self, raised: Recurring) -> Option<usize> {
        let index = RECURRING.iter().position(|it| *it == raised.detector)?;
        (raised.endpoint.is_none() || raised.endpoint == self.endpoint).then_some(index)
    }

    /// Notes the findings of an hour; `true` if all have become a habit: raised on several
    /// occasions before, and not much more than then.
    pub(crate) fn note(&mut self, raised: impl Iterator<Item = Recurring>, hour: i32) -> bool {
        let mut all = true;
        for one in raised {
            let Some(index) = RECURRING.iter().position(|it| *it == one.detector) else {
                all = false;
                continue;
            };
            let is_same = self.slot(one).is_some();
            if one.endpoint.is_some() {
                self.endpoint = one.endpoint;
            }
            let (Some(occasions), Some(last), Some(most)) = (
                self.occasions.get_mut(index),
                self.last_hour.get_mut(index),
                self.magnitude.get_mut(index),
            ) else {
                continue;
            };
            let magnitude = one.magnitude as f32;
            if !is_same || hour > last.saturating_add(OCCASIONS_KEPT_H) {
                (*occasions, *most) = (1, magnitude);
            } else {
                if hour > *last + 1 {
                    *occasions = occasions.saturating_add(1);
                }
                let is_alike = one.magnitude < GROWTH * f64::from(*most);
                all &= *occasions >= OCCASIONS_MIN && is_alike;
                *most = most.max(magnitude);
                *last = hour;
                continue;
            }
            *last = hour;
            all = false;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_third_occasion_makes_a_habit_and_one_long_one_does_not() {
        let of = |detector, magnitude| Recurring { detector, endpoint: None, magnitude };
        let speed = || std::iter::once(of(Detector::MachineSpeed, 9.0));
        let mut recurrence = Recurrence::default();
        assert!((100..120).all(|hour| !recurrence.note(speed(), hour)), "one long occasion");
        assert!(recurrence.goes_on(of(Detector::MachineSpeed, 10.0), 120), "one finding is enough");
        assert!(!recurrence.goes_on(of(Detector::MachineSpeed, 20.0), 120), "it has grown");
        assert!(!recurrence.goes_on(of(Detector::MachineSpeed, 9.0), 121), "it had stopped");
        assert!(!recurrence.note(speed(), 130));
        assert!(recurrence.note(speed(), 140));
        let louder = std::iter::once(of(Detector::MachineSpeed, 90.0));
        assert!(!recurrence.note(louder, 145), "much more of it is not the same");
        assert!(!recurrence.note(std::iter::once(of(Detector::NotItself, 9.0)), 150));
    }

    #[test]
    fn a_habit_at_one_endpoint_says_nothing_of_another() {
        let sweep = |endpoint| {
            let (detector, endpoint) = (Detector::ObjectEnumeration, Some(EndpointId(endpoint)));
            Recurring { detector, endpoint, magnitude: 30.0 }
        };
        let mut recurrence = Recurrence::default();
        for hour in [10, 20, 30] {
            recurrence.note(std::iter::once(sweep(1)), hour);
        }
        assert!(recurrence.goes_on(sweep(1), 31) && !recurrence.goes_on(sweep(2), 31));
        assert!(recurrence.note(std::iter::once(sweep(1)), 40));
        assert!(!recurrence.note(std::iter::once(sweep(2)), 50));
    }
}

//! What was rare about an identity lately: what goes on for days is one occasion, however many hours it has.
//!
//! A tail that is fitted to peaks over a threshold says how often something rare happens only if peaks that
//! belong together count once (runs declustering: Coles, An Introduction to Statistical Modeling of Extreme
//! Values, 2001, §5.3.2). Else one job that is odd each night is the measure of everybody's nights. But what
//! comes back after a pause would be a finding each time until it is a habit, and counts as often.

use crate::snapshot::plain;
use model::Detector;
use serde::{Deserialize, Serialize};

/// Hours without anything rare after which an occasion is over: a job of the night comes back in less.
const RUN_H: i32 = 30;
/// How often an occasion counts that goes on with pauses: as often as it may be said before it is a habit.
const TIMES_MAX: u8 = 3;
/// How much odder, in surprise, it must have become to count once more: ten times.
const ODDER: f32 = 1.0;

/// One detector's occasion.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Occasion {
    #[serde(with = "plain")]
    detector: Detector,
    hour: i32,
    /// The oddest that counted.
    most: f32,
    /// How often it counted.
    times: u8,
}

/// The occasions that are not over, at most one of each detector.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct RareOccasions(Vec<Occasion>);

impl RareOccasions {
    /// Whether a rare surprise is an occasion of its own, or an old one that has become odder by far.
    pub(crate) fn counts(&mut self, detector: Detector, surprise: f32, hour: i32) -> bool {
        self.0.retain(|it| hour <= it.hour.saturating_add(RUN_H));
        let Some(known) = self.0.iter_mut().find(|it| it.detector == detector) else {
            self.0.push(Occasion { detector, hour, most: surprise, times: 1 });
            return true;
        };
        let is_back = hour > known.hour.saturating_add(1) && known.times < TIMES_MAX;
        known.hour = hour;
        let is_odder = surprise > known.most + ODDER;
        if is_odder {
            known.most = surprise;
        }
        if is_odder || is_back {
            known.times = known.times.saturating_add(1);
        }
        is_odder || is_back
    }

    /// Bytes beside the struct itself.
    pub(super) fn bytes(&self) -> usize {
        self.0.len() * size_of::<Occasion>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nights_of_one_job_are_three_times_one_occasion() {
        let mut occasions = RareOccasions::default();
        let mut counts = |surprise, hour| occasions.counts(Detector::NotItself, surprise, hour);
        assert!(counts(12.0, 100) && !counts(12.5, 101));
        for night in 1..5 {
            assert_eq!(counts(12.5, 100 + night * 24), night < 3, "night {night}");
            assert!(!counts(11.0, 101 + night * 24));
        }
        assert!(counts(14.0, 220), "ten times as odd");
        assert!(!counts(14.5, 221));
        assert!(counts(12.0, 221 + 31), "it had stopped");
        assert!(occasions.counts(Detector::EgressSpike, 5.0, 252), "another detector's");
        assert_eq!(occasions.0.len(), 2);
        assert!(occasions.counts(Detector::EgressSpike, 5.0, 400));
        assert_eq!(occasions.0.len(), 1, "what is over is forgotten");
    }
}

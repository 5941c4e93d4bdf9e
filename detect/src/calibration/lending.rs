//! What ordinary traffic leaves of the budget, which the detectors may spend: their cuts come down.
//!
//! The budget is divided as if each detector's law were exact and used its part up. Fitted tails are
//! raised by their standard errors and most detectors seldom find anything, so that a cut of each for
//! itself leaves most of it unused. How much is used is seen from findings just beyond the cut: of what
//! chance brings, with a tail that falls as the score says, nine in ten are within ten times it. What is
//! rarer is no chance; a day of attacks is no reason to look away on the next, so that the day in the middle
//! counts; and what a detector finds of many in the same hour, a thief with forty keys, is one occasion. They
//! are counted beyond the cuts that nothing was lent to. How many more come below those is only supposed, as
//! the score says; the cuts come down to a fifth at most.

use model::Detector;
use serde::{Deserialize, Serialize};

/// Findings with a score of up to so many times the cut are what chance brings.
const CHANCE: f64 = 10.0;
/// Cuts come down to this part at least.
const LENT_MAX: f64 = 5.0;
/// Days that are looked back at beside today, and the fewest of them with a log that say anything.
const DAYS_MAX: i64 = 7;
const DAYS_MIN: usize = 2;

/// Findings of late that chance may have brought.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Lending {
    /// Days since the epoch, in order, and how many each had; the last one is not over.
    days: Vec<(i64, u32)>,
    /// The hour since the epoch that was counted last, and a bit for each detector that was.
    hour: i64,
    counted: u32,
}

const _: () = assert!(Detector::ALL.len() <= u32::BITS as usize, "a bit for each detector");

impl Lending {
    /// Goes on to an hour since the epoch.
    pub(super) fn pass(&mut self, hour: i64) {
        let today = hour.div_euclid(24);
        if self.days.last().is_none_or(|(day, _)| *day < today) {
            self.days.push((today, 0));
        }
        self.days.retain(|(day, _)| *day >= today - DAYS_MAX);
        if self.hour != hour {
            (self.hour, self.counted) = (hour, 0);
        }
    }

    /// Takes in a detector's finding with that score over its cut to which nothing was lent.
    pub(super) fn note(&mut self, detector: Detector, over_cut: f64) {
        let bit = 1 << detector as u32;
        let is_chance = (1.0..CHANCE).contains(&over_cut) && self.counted & bit == 0;
        if let Some((_, found)) = self.days.last_mut().filter(|_| is_chance) {
            *found = found.saturating_add(1);
            self.counted |= bit;
        }
    }

    /// By what cuts may be divided so that `budget` findings a day are not exceeded; 1 to [`LENT_MAX`].
    pub(super) fn factor(&self, budget: f64) -> f64 {
        let Some((_, over)) = self.days.split_last().filter(|(_, over)| over.len() >= DAYS_MIN)
        else {
            return 1.0;
        };
        let mut found: Vec<_> = over.iter().map(|(_, found)| f64::from(*found)).collect();
        found.sort_by(f64::total_cmp);
        let at = |index: usize| found.get(index).copied().unwrap_or_default();
        let middle = f64::midpoint(at((found.len() - 1) / 2), at(found.len() / 2));
        let used = middle / (1.0 - 1.0 / CHANCE);
        (budget / used.max(budget / LENT_MAX)).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A week with so many findings on each day, one in an hour.
    fn week(a_day: i64, over_cut: f64) -> Lending {
        let mut lending = Lending::default();
        for day in 0..8 {
            lending.pass(24 * day);
            for hour in 0..a_day {
                lending.pass(24 * day + hour);
                // Of one detector it is one occasion.
                lending.note(Detector::EgressSpike, over_cut);
                lending.note(Detector::EgressSpike, over_cut);
            }
        }
        lending
    }

    #[test]
    fn what_is_not_used_is_lent_up_to_a_limit() {
        assert!((week(0, 1.0).factor(10.0) - LENT_MAX).abs() < 1e-9);
        assert!((week(4, 2.0).factor(10.0) - 10.0 / (4.0 / 0.9)).abs() < 1e-9);
        assert!((week(4, 0.5).factor(10.0) - LENT_MAX).abs() < 1e-9, "below the full cut");
        assert!((week(20, 2.0).factor(10.0) - 1.0).abs() < 1e-9, "more than all is used");
    }

    #[test]
    fn an_attack_is_no_reason_to_look_away() {
        assert!((week(20, 1e6).factor(10.0) - LENT_MAX).abs() < 1e-9);
        let mut days = week(4, 2.0);
        let before = days.factor(10.0);
        for hour in 0..24 {
            days.pass(24 * 8 + hour);
            for detector in Detector::ALL {
                days.note(*detector, 2.0);
            }
        }
        days.pass(24 * 9);
        assert!((days.factor(10.0) - before).abs() < 1e-9, "one day of many");
    }

    #[test]
    fn nothing_is_lent_before_anything_is_known_and_no_longer_than_a_week() {
        let mut lending = Lending::default();
        for day in 0..2 {
            lending.pass(24 * day);
            assert!((lending.factor(10.0) - 1.0).abs() < 1e-9, "day {day}");
        }
        for day in 2..40 {
            lending.pass(24 * day);
        }
        assert_eq!(lending.days.len(), 8);
        assert!((lending.factor(10.0) - LENT_MAX).abs() < 1e-9);
    }
}

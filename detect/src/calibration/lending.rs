//! What ordinary traffic leaves of the budget, which the detectors may spend: their cuts come down.
//!
//! The budget is divided as if each detector's law were exact and used its part up. Fitted tails are
//! raised by their standard errors and most detectors seldom find anything, so that a cut of each for
//! itself leaves most of it unused. How much is used is seen from findings just beyond the cut: of what
//! chance brings, with a tail that falls as the score says, nine in ten are within ten times it. What is
//! rarer is no chance, and a day of attacks is no reason to look away on the next. They are counted beyond
//! the cuts as lent: the more is lent the more there are, so that it settles halfway, at the square root of
//! what would use all of it up.

use serde::{Deserialize, Serialize};

/// Findings with a score of up to so many times the cut are what chance brings.
const CHANCE: f64 = 10.0;
/// Cuts come down to this part at least.
const LENT_MAX: f64 = 3.0;
/// Days that are looked back at beside today, and the fewest of them with a log that say anything.
const DAYS_MAX: i64 = 7;
const DAYS_MIN: usize = 2;

/// Findings of late that chance may have brought.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Lending {
    /// Days since the epoch, in order, and how many each had; the last one is not over.
    days: Vec<(i64, u32)>,
}

impl Lending {
    /// Goes on to a day since the epoch; one that is not later is the day as it stands.
    pub(super) fn pass(&mut self, today: i64) {
        if self.days.last().is_none_or(|(day, _)| *day < today) {
            self.days.push((today, 0));
        }
        self.days.retain(|(day, _)| *day >= today - DAYS_MAX);
    }

    /// Takes in a finding with that score over its detector's cut.
    pub(super) fn note(&mut self, over_cut: f64) {
        if let Some((_, found)) = self.days.last_mut().filter(|_| over_cut < CHANCE) {
            *found = found.saturating_add(1);
        }
    }

    /// By what cuts may be divided so that `budget` findings a day are not exceeded; 1 to [`LENT_MAX`].
    pub(super) fn factor(&self, budget: f64) -> f64 {
        let over = self.days.len().saturating_sub(1);
        if over < DAYS_MIN {
            return 1.0;
        }
        // The day that is not over counts what it had, and is no day yet.
        let found: f64 = self.days.iter().map(|(_, found)| f64::from(*found)).sum();
        let used = found / over as f64 / (1.0 - 1.0 / CHANCE);
        (budget / used.max(budget / LENT_MAX)).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn week(a_day: u32, over_cut: f64) -> Lending {
        let mut lending = Lending::default();
        for day in 0..8 {
            lending.pass(day);
            for _ in 0..a_day {
                lending.note(over_cut);
            }
        }
        lending
    }

    #[test]
    fn what_is_not_used_is_lent_up_to_a_limit() {
        assert!((week(0, 1.0).factor(10.0) - LENT_MAX).abs() < 1e-9);
        // Eight days' findings of seven days, of which nine in ten are seen.
        let used = 5.0 * 8.0 / 7.0 / 0.9;
        assert!((week(5, 2.0).factor(10.0) - 10.0 / used).abs() < 1e-9);
        assert!((week(20, 2.0).factor(10.0) - 1.0).abs() < 1e-9, "more than all is used");
    }

    #[test]
    fn an_attack_is_no_reason_to_look_away() {
        assert!((week(50, 1e6).factor(10.0) - LENT_MAX).abs() < 1e-9);
    }

    #[test]
    fn nothing_is_lent_before_anything_is_known_and_no_longer_than_a_week() {
        let mut lending = Lending::default();
        for day in 0..2 {
            lending.pass(day);
            lending.pass(day);
            assert!((lending.factor(10.0) - 1.0).abs() < 1e-9, "day {day}");
        }
        (0..40).for_each(|_| lending.note(1.0));
        for day in 2..12 {
            lending.pass(day);
        }
        assert_eq!(lending.days.len(), 8);
        assert!((lending.factor(10.0) - LENT_MAX).abs() < 1e-9);
    }
}

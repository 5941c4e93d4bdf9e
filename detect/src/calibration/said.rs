//! What a detector said lately: a bound on how rare it may call something, whatever its fitted tail says.
//!
//! A tail is fitted to windows of which those that raised count as just at the cut, because an attack must
//! not become what is ordinary. So a detector whose extremes are more frequent than its tail supposes would
//! go on beyond the budget for ever. What it said of so many windows, each as odd as this or odder, is
//! counted instead: less two standard errors of that count, so that few say nothing, and whoever wants to
//! hide behind alarms must raise as many as the whole budget.
//!
//! An attack may exceed the budget: what is far beyond all that is ordinary is not held, whoever else does
//! the same with forty other keys, and holds back nobody who is less odd.

use serde::{Deserialize, Serialize};

/// Raised windows that are remembered of a detector; the oldest make room.
const KEPT_MAX: usize = 512;
/// Days after which they are forgotten: the budget is the mean of a week, and what newcomers raised while
/// little was known of them must not silence a detector for longer.
const KEPT_DAYS: i64 = 7;
/// Fewer than this say nothing.
const SAID_MIN: f64 = 8.0;
/// So many that are far beyond what is ordinary are told in a week: a change of everybody's must end, too.
const FAR_MAX: usize = 256;
/// Times the surprise of one window in a thousand from which on it is far beyond what is ordinary: with the
/// heaviest tail that is ever fitted, of shape ½, ten times as odd is a hundred times as rare.
const FAR: f64 = 10.0;
/// What one window in a thousand is at least held for: its surprise if the model were true.
const RARE_MIN: f64 = 3.0;

/// The surprises of windows that raised a finding, with their days, in the order in which they came; and
/// how many windows were judged on those days.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Said {
    raised: Vec<(i64, f32)>,
    judged: Vec<(i64, f64)>,
    today: i64,
}

impl Said {
    /// Adds one of a day.
    pub(super) fn add(&mut self, day: i64, surprise: f32) {
        if self.raised.len() >= KEPT_MAX {
            self.raised.remove(0);
        }
        self.raised.push((day, surprise));
    }

    /// Counts windows that were judged today.
    pub(super) fn judge(&mut self, windows: f64) {
        match self.judged.last_mut() {
            Some((day, sum)) if *day == self.today => *sum += windows,
            _ => self.judged.push((self.today, windows)),
        }
    }

    /// Forgets what is too old.
    pub(super) fn age(&mut self, today: i64) {
        if self.today != today {
            self.today = today;
            self.raised.retain(|(day, _)| *day > today - KEPT_DAYS);
            self.judged.retain(|(day, _)| *day > today - KEPT_DAYS);
        }
    }

    /// Whether a surprise is far beyond what is ordinary, and few such were said; `rare_from` is the surprise of
    /// one window in a thousand.
    pub(super) fn is_far(&self, surprise: f64, rare_from: f64) -> bool {
        is_beyond(surprise, rare_from) && self.has_room(rare_from)
    }

    fn has_room(&self, rare_from: f64) -> bool {
        let far = self.raised.iter().filter(|(_, said)| is_beyond(f64::from(*said), rare_from));
        far.count() < FAR_MAX
    }

    /// A score of a surprise, held to what it may be among so many windows that were judged.
    pub(super) fn hold(&self, score: f64, surprise: f64, rare_from: f64) -> f64 {
        let judged = self.judged.iter().map(|(_, windows)| windows).sum();
        // Nearly all windows score less than any bound, and there are many: those are not counted for.
        if score <= bound(self.raised.len(), judged) {
            return score;
        }
        let counts_far = !self.has_room(rare_from);
        let said = self.raised.iter().map(|(_, said)| f64::from(*said));
        let as_odd = said
            .filter(|said| *said >= surprise && (counts_far || !is_beyond(*said, rare_from)))
            .count();
        score.min(bound(as_odd, judged))
    }
}

/// Whether a surprise is far beyond what is ordinary, however many such were said.
pub(super) fn is_beyond(surprise: f64, rare_from: f64) -> bool {
    surprise >= FAR * rare_from.max(RARE_MIN)
}

/// The highest score that a surprise may have of which so many as odd were said: the more, the lower.
fn bound(as_odd: usize, judged: f64) -> f64 {
    let as_odd = as_odd as f64;
    if as_odd < SAID_MIN {
        return f64::INFINITY;
    }
    (judged / (as_odd - 2.0 * as_odd.sqrt())).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_too_often_is_not_called_rare() {
        let mut said = Said::default();
        said.age(1);
        said.judge(7e6);
        for surprise in 0..7_u8 {
            said.add(1, 10.0 + f32::from(surprise));
        }
        assert!(said.hold(f64::INFINITY, 5.0, 3.0).is_infinite(), "seven say nothing");
        said.age(5);
        said.judge(1e6);
        for _ in 0..93 {
            said.add(5, 10.0);
        }
        // A hundred less twenty.
        assert!((said.hold(f64::INFINITY, 9.0, 3.0) - 1e5).abs() < 1.0);
        assert!(
            said.hold(f64::INFINITY, 10.5, 3.0).is_infinite(),
            "what is odder than those is as odd as it was"
        );
        // Not above the bound, a score stays what it is.
        for score in [1.0, 9e4] {
            assert!((said.hold(score, 9.0, 3.0) - score).abs() < 1e-9);
        }
        assert!((said.hold(1e9, 9.0, 3.0) - 1e5).abs() < 1.0);
        // A week later the first day is over, and what it judged with it.
        said.age(8);
        let bound = 1e6 / (93.0 - 2.0 * 93.0_f64.sqrt());
        assert!((said.hold(1e9, 9.0, 3.0) - bound).abs() < 1.0);
        said.age(12);
        assert!(said.hold(1e9, 9.0, 3.0) >= 1e9, "nothing was said lately");
    }

    #[test]
    fn what_is_far_beyond_the_ordinary_is_told_however_many_do_it() {
        let mut said = Said::default();
        said.age(1);
        said.judge(26_000.0);
        (0..50).for_each(|_| said.add(1, 158.0));
        assert!(said.is_far(158.0, 3.9));
        assert!(!said.is_far(38.0, 3.9), "odd, and no odder than others could be");
        assert!(!said.is_far(29.0, 0.0), "where nothing is ever read little is odd already");
        let of_a_thief = said.hold(1e6, 38.0, 3.9);
        assert!((of_a_thief - 1e6).abs() < 1e-9, "decoys hold back nobody: {of_a_thief}");
        (0..KEPT_MAX).for_each(|_| said.add(1, 20.0));
        (0..FAR_MAX - 1).for_each(|_| said.add(1, 158.0));
        assert!(said.is_far(158.0, 3.9), "what is ordinarily odd does not count");
        said.add(1, 158.0);
        assert!(!said.is_far(158.0, 3.9), "a change of everybody's comes to its end");
        assert!(said.hold(1e6, 158.0, 3.9) < 200.0);
    }

    #[test]
    fn so_many_are_remembered() {
        let mut said = Said::default();
        for _ in 0..2 * KEPT_MAX {
            said.add(0, 20.0);
        }
        assert_eq!(said.raised.len(), KEPT_MAX);
    }
}

//! How large an endpoint's answers are, over all who call it.

use crate::statistics::moments::Sums;
use model::Time;
use serde::{Deserialize, Serialize};

/// What must be known of an endpoint before a change can be told: answers, hours with some, and time.
const ANSWERS_MIN: f64 = 500.0;
const HOURS_MIN: f64 = 20.0;
const HISTORY_H_MIN: i64 = 48;
/// The least spread of ln(1 + bytes): what is always the same may differ by a tenth.
const SPREAD_MIN: f64 = 0.1;

/// ln(1 + bytes) of an endpoint's answers: one observation of each caller and minute.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct SizeHabit {
    /// Over observations.
    pub(crate) answers: Sums,
    /// Over the means of hours.
    pub(crate) hours: Sums,
    /// When the first of them was.
    #[serde(with = "crate::snapshot::plain")]
    pub(crate) since: Time,
}

/// The law of a mean over callers: Student's, with centre, scale per one caller, and scale of hours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SizeLaw {
    pub(crate) centre: f64,
    /// The variance between callers, and between hours.
    between: f64,
    hours: f64,
    pub(crate) freedom: f64,
}

impl SizeHabit {
    /// Takes in an hour's observations.
    pub(crate) fn learn(&mut self, hour: Time, answers: &Sums) {
        if answers.n <= 0.0 {
            return;
        }
        if self.answers.n <= 0.0 {
            self.since = hour;
        }
        self.answers.absorb(answers);
        self.hours.add(answers.sum / answers.n, 1.0);
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        if other.answers.n > 0.0 && (self.answers.n <= 0.0 || other.since < self.since) {
            self.since = other.since;
        }
        self.answers.absorb(&other.answers);
        self.hours.absorb(&other.hours);
    }

    pub(crate) fn decay(&mut self, factor: f64) {
        self.answers.decay(factor);
        self.hours.decay(factor);
    }

    /// What is ordinary as of `now`; `None` while too little is known.
    pub(crate) fn law(&self, now: Time) -> Option<SizeLaw> {
        let is_known = self.answers.n >= ANSWERS_MIN
            && self.hours.n >= HOURS_MIN
            && now.since(self.since) >= HISTORY_H_MIN * model::time::NS_PER_H;
        let variance = |sums: &Sums| {
            let mean = sums.sum / sums.n;
            (sums.squares / sums.n - mean * mean).max(SPREAD_MIN * SPREAD_MIN)
        };
        is_known.then(|| SizeLaw {
            centre: self.answers.sum / self.answers.n,
            between: variance(&self.answers),
            hours: variance(&self.hours),
            freedom: (self.hours.n - 1.0).min(30.0),
        })
    }
}

impl SizeLaw {
    /// The standard deviation of the mean of `callers` in a stretch of one hour.
    ///
    /// Callers differ by one variance and hours by another (a random effects model: Gelman et al.,
    /// Bayesian Data Analysis, 3rd ed., §5.4); the hours' own means have some of the first in them, so
    /// this errs on the wide side.
    pub(crate) fn scale(&self, callers: f64) -> f64 {
        let inexact = 1.0 / (self.freedom + 1.0);
        (self.between / callers.max(1.0) + self.hours * (1.0 + inexact)).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::NS_PER_H;

    #[test]
    fn there_is_a_law_after_two_days_and_five_hundred_answers() {
        let mut habit = SizeHabit::default();
        let at = |hour: i64| Time::from_ns(hour * NS_PER_H);
        for hour in 0..48 {
            assert!(habit.law(at(hour)).is_none(), "{hour}");
            let mut answers = Sums::default();
            for answer in 0..20 {
                answers.add(7.0 + f64::from(answer % 3) - 1.0, 1.0);
            }
            habit.learn(at(hour), &answers);
        }
        let law = habit.law(at(48)).unwrap();
        assert!((law.centre - 6.95).abs() < 0.01, "{}", law.centre);
        assert!(law.scale(40.0) < law.scale(5.0) && law.scale(1e9) >= SPREAD_MIN);
    }
}

//! A run of hours that look like somebody else's: what one of them alone does not show.

use super::recurrence::{GROWTH, NIGHT_H};
use serde::{Deserialize, Serialize};

/// Hours without a call after which a run is over.
const GAP_MAX_H: i32 = 2;
/// How much of what the hours before said counts in the next: they are of one task, or of one intruder.
const CARRIED: f32 = 0.5;
/// So many times the calls are not what was said before.
const CALLS_GROWTH: u32 = 2;
/// What a run can say at most, as surprise.
const SUM_MAX: f32 = 100.0;

/// What the hours of a run say together.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Estranged {
    /// The last hour of it.
    hour: i32,
    /// How many there were.
    hours: u16,
    sum: f32,
    /// Somebody was told of it: from then on each hour speaks for itself.
    is_said: bool,
    /// The last hour of which somebody was told, how much of it there was, and in how many calls.
    said_hour: i32,
    said: f32,
    said_calls: u32,
}

impl Estranged {
    /// Takes in the surprise of an hour's calls, above 0 where they are likelier from somebody else, and
    /// whether somebody was told of it.
    pub(crate) fn add(&mut self, hour: i32, surprise: f64, is_said: bool) {
        // A run ends with an hour that is its own, however odd those before it were.
        if surprise <= 0.0 {
            (self.hour, self.hours, self.sum, self.is_said) = (hour, 0, 0.0, false);
            return;
        }
        let before = if self.is_near(hour) { *self } else { Self::default() };
        let sum = CARRIED * before.sum + surprise as f32;
        *self = Self {
            hour,
            hours: before.hours.saturating_add(1),
            sum: sum.min(SUM_MAX),
            is_said: before.is_said || is_said,
            ..*self
        };
    }

    /// Takes note that somebody was told of an hour: how much of it, and in how many calls.
    pub(crate) fn say(&mut self, hour: i32, magnitude: f64, calls: u32) {
        (self.said_hour, self.said, self.said_calls) = (hour, magnitude as f32, calls);
    }

    /// Whether an hour with so much of it only goes on with what was said of the same night, whichever
    /// endpoint shows it most; many more calls are no going on.
    pub(crate) fn goes_on(&self, hour: i32, magnitude: f64, calls: u32) -> bool {
        (1..=NIGHT_H).contains(&hour.saturating_sub(self.said_hour))
            && magnitude < GROWTH * f64::from(self.said)
            && calls < self.said_calls.saturating_mul(CALLS_GROWTH)
    }

    fn is_near(&self, hour: i32) -> bool {
        hour > self.hour && hour.saturating_sub(self.hour) <= GAP_MAX_H + 1
    }

    /// What the run that goes on in this hour said until now, as surprise, and its hours; 0 for none.
    pub(crate) fn before(&self, hour: i32) -> (f64, u16) {
        let is_open = self.is_near(hour) && !self.is_said;
        if is_open { (f64::from(CARRIED * self.sum), self.hours) } else { (0.0, 0) }
    }

    /// Whether it is within its limits.
    pub(crate) fn is_sound(&self) -> bool {
        (0.0..=SUM_MAX).contains(&self.sum) && self.said >= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hours: &[(i32, f64)], at: i32, expected: (f64, u16)) {
        let mut run = Estranged::default();
        for (hour, surprise) in hours {
            run.add(*hour, *surprise, false);
        }
        assert_eq!(run.before(at), expected);
        assert!(run.is_sound());
    }

    #[test]
    fn a_night_is_told_once_unless_it_grows() {
        let mut run = Estranged::default();
        assert!(!run.goes_on(1_000, 0.1, 1), "nothing was said");
        run.say(1_000, 8.0, 40);
        run.add(1_002, -1.0, false);
        assert!(run.goes_on(1_012, 9.9, 79), "an hour of its own between");
        assert!(!run.goes_on(1_012, 10.1, 40) && !run.goes_on(1_012, 8.0, 80), "it has grown");
        assert!(!run.goes_on(1_013, 1.0, 1), "another night, whatever went on in silence");
    }

    #[test]
    fn a_run_that_was_said_is_not_said_again_for_what_came_before() {
        let mut run = Estranged::default();
        run.add(10, 4.0, false);
        run.add(11, 4.0, true);
        run.add(12, 4.0, false);
        assert_eq!(run.before(13), (0.0, 0));
        run.add(13, -1.0, false);
        run.add(14, 4.0, false);
        assert_eq!(run.before(15), (2.0, 1), "the next run");
    }

    #[test]
    fn a_run_adds_up_until_an_hour_is_its_own() {
        check(&[], 1, (0.0, 0));
        check(&[(10, 4.0)], 11, (2.0, 1));
        check(&[(10, 4.0), (11, 4.0)], 12, (3.0, 2));
        // A night between two hours ends it.
        check(&[(10, 4.0)], 13, (2.0, 1));
        check(&[(10, 4.0)], 14, (0.0, 0));
        check(&[(10, 4.0), (11, -0.1)], 12, (0.0, 0));
        check(&[(10, -8.0), (11, 4.0)], 12, (2.0, 1));
        check(&[(10, 1e9)], 11, (50.0, 1));
    }
}

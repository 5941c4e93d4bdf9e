//! A run of hours that look like somebody else's: what one of them alone does not show.

use serde::{Deserialize, Serialize};

/// Hours without a call after which a run is over.
const GAP_MAX_H: i32 = 2;
/// How much of what the hours before said counts in the next: they are of one task, or of one intruder.
const CARRIED: f32 = 0.5;
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
}

impl Estranged {
    /// Takes in the surprise of an hour's calls: above 0 where they are likelier from somebody else.
    pub(crate) fn add(&mut self, hour: i32, surprise: f64) {
        let (carried, hours) = self.before(hour);
        let sum = (carried as f32 + surprise as f32).min(SUM_MAX);
        // A run ends with an hour that is its own, however odd those before it were.
        *self = if surprise > 0.0 && sum > 0.0 {
            Self { hour, hours: hours.saturating_add(1), sum }
        } else {
            Self { hour, ..Self::default() }
        };
    }

    /// What the run that goes on in this hour said until now, as surprise, and its hours; 0 for none.
    pub(crate) fn before(&self, hour: i32) -> (f64, u16) {
        let is_near = hour > self.hour && hour.saturating_sub(self.hour) <= GAP_MAX_H + 1;
        if is_near { (f64::from(CARRIED * self.sum), self.hours) } else { (0.0, 0) }
    }

    /// Whether it is within its limits.
    pub(crate) fn is_sound(&self) -> bool {
        (0.0..=SUM_MAX).contains(&self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hours: &[(i32, f64)], at: i32, expected: (f64, u16)) {
        let mut run = Estranged::default();
        for (hour, surprise) in hours {
            run.add(*hour, *surprise);
        }
        assert_eq!(run.before(at), expected);
        assert!(run.is_sound());
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

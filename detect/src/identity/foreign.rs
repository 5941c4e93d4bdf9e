//! How many objects of others an identity read in the last days.

use serde::{Deserialize, Serialize};

/// Days that are kept, the open one among them.
pub(crate) const DAYS: usize = 7;

/// Objects of others, and active hours, of the last days.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Foreign {
    day: i32,
    objects: [u16; DAYS],
    hours: [u8; DAYS],
}

impl Foreign {
    /// Adds an hour of a day.
    pub(crate) fn add(&mut self, day: i32, objects: u32) {
        self.turn(day);
        if let (Some(sum), Some(hours)) = (self.objects.first_mut(), self.hours.first_mut()) {
            *sum = sum.saturating_add(u16::try_from(objects).unwrap_or(u16::MAX));
            *hours = hours.saturating_add(1);
        }
    }

    /// Objects and active hours of the last `days` days up to `day`, which is one of them.
    pub(crate) fn last(&self, day: i32, days: usize) -> (u32, u32) {
        let mut now = *self;
        now.turn(day);
        let objects = now.objects.iter().take(days).map(|it| u32::from(*it)).sum();
        (objects, now.hours.iter().take(days).map(|it| u32::from(*it)).sum())
    }

    /// Whether all of it is too old to matter.
    pub(crate) fn is_over(&self, day: i32) -> bool {
        self.last(day, DAYS).0 == 0
    }

    fn turn(&mut self, day: i32) {
        let passed = usize::try_from(day.saturating_sub(self.day)).unwrap_or(0);
        if passed > 0 {
            self.objects.rotate_right(passed.min(DAYS) % DAYS);
            self.hours.rotate_right(passed.min(DAYS) % DAYS);
            self.objects.iter_mut().take(passed).for_each(|it| *it = 0);
            self.hours.iter_mut().take(passed).for_each(|it| *it = 0);
            self.day = day;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_pass_and_are_dropped_after_a_week() {
        let mut foreign = Foreign::default();
        foreign.add(100, 14);
        foreign.add(100, 1);
        foreign.add(102, 5);
        assert_eq!(foreign.last(102, 1), (5, 1));
        assert_eq!(foreign.last(102, DAYS), (20, 3));
        assert_eq!(foreign.last(106, DAYS), (20, 3));
        assert_eq!(foreign.last(107, DAYS), (5, 1));
        assert!(!foreign.is_over(108) && foreign.is_over(109));
    }
}

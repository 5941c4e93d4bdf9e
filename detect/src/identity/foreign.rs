//! How many objects of others an identity read in the last days.

use serde::{Deserialize, Serialize};

/// Days that are kept, the open one among them.
pub(crate) const DAYS: usize = 7;
/// Growth from which on what was said is said again.
const GROWTH: f64 = 1.25;
/// Objects of those days that are told apart; further ones are not counted.
const SEEN_MAX: usize = 128;

/// An object of somebody else that was read lately.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Seen {
    mark: u32,
    /// When it was read last, in days since 1970.
    day: u16,
}

/// Objects of others, and active hours, of the last days.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Foreign {
    day: i32,
    /// What the hours had, summed: an object that was read in two counts twice, as in the law of hours.
    objects: [u16; DAYS],
    hours: [u8; DAYS],
    /// The day on which it was said last how many there are, and that number; 0 for never.
    said_day: i32,
    said: u32,
    /// The objects themselves, sorted: what stays foreign, since its hour was not learned, may be read again.
    seen: Vec<Seen>,
}

impl Foreign {
    /// Adds an hour of a day: how many objects it had, and their marks, each once.
    pub(crate) fn add(&mut self, day: i32, objects: u32, marks: &[u32]) {
        self.turn(day);
        for mark in marks {
            self.see(*mark, day as u16);
        }
        if let (Some(sum), Some(hours)) = (self.objects.first_mut(), self.hours.first_mut()) {
            *sum = sum.saturating_add(u16::try_from(objects).unwrap_or(u16::MAX));
            *hours = hours.saturating_add(1);
        }
    }

    fn see(&mut self, mark: u32, day: u16) {
        match self.seen.binary_search_by_key(&mark, |it| it.mark) {
            Ok(index) => {
                if let Some(seen) = self.seen.get_mut(index) {
                    seen.day = day;
                }
            }
            Err(index) if self.seen.len() < SEEN_MAX => {
                if self.seen.len() == self.seen.capacity() {
                    self.seen.reserve_exact((self.seen.len() / 4).max(2));
                }
                self.seen.insert(index, Seen { mark, day });
            }
            Err(_) => {}
        }
    }

    /// Objects, summed over hours, and active hours of the last `days` days up to `day`, which is one of them.
    pub(crate) fn last(&self, day: i32, days: usize) -> (u32, u32) {
        let kept = days.saturating_sub(self.passed(day));
        let objects = self.objects.iter().take(kept).map(|it| u32::from(*it)).sum();
        (objects, self.hours.iter().take(kept).map(|it| u32::from(*it)).sum())
    }

    /// Different objects of the last `days` days up to `day` that are not among the marks of an hour, which
    /// are sorted.
    pub(crate) fn beside(&self, day: i32, days: usize, hour: &[u32]) -> u32 {
        let is_of = |it: &&Seen| {
            let age = day.saturating_sub(i32::from(it.day));
            (0..days as i32).contains(&age) && hour.binary_search(&it.mark).is_err()
        };
        self.seen.iter().filter(is_of).count() as u32
    }

    /// Notes that somebody was told of a day's hour.
    pub(crate) fn say(&mut self, day: i32) {
        (self.said_day, self.said) = (day, self.beside(day, DAYS, &[]));
    }

    /// Notes that somebody was told of so many of a day's hour, and nothing of the days before it: what they
    /// add up to is still to be said.
    pub(crate) fn say_hour(&mut self, day: i32, objects: u32) {
        if !self.is_said(day, f64::from(objects)) {
            (self.said_day, self.said) = (day, objects);
        }
    }

    /// Whether so many were said in the last days, or nearly: what adds up is one finding, until it has
    /// grown by a quarter.
    pub(crate) fn is_said(&self, day: i32, count: f64) -> bool {
        let is_lately = day.saturating_sub(self.said_day) < DAYS as i32;
        self.said > 0 && is_lately && count < GROWTH * f64::from(self.said)
    }

    /// Whether there may be more objects than are told apart.
    pub(crate) fn is_full(&self) -> bool {
        self.seen.len() >= SEEN_MAX
    }

    /// Whether all of it is too old to matter.
    pub(crate) fn is_over(&self, day: i32) -> bool {
        self.last(day, DAYS).0 == 0
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.seen.len() * size_of::<Seen>()
    }

    /// Days since the last hour that was added.
    fn passed(&self, day: i32) -> usize {
        usize::try_from(day.saturating_sub(self.day)).unwrap_or(0)
    }

    fn turn(&mut self, day: i32) {
        let passed = self.passed(day);
        if passed > 0 {
            self.seen.retain(|it| day.saturating_sub(i32::from(it.day)) < DAYS as i32);
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
        foreign.add(100, 14, &[]);
        foreign.add(100, 1, &[]);
        foreign.add(102, 5, &[]);
        assert_eq!(foreign.last(102, 1), (5, 1));
        assert_eq!(foreign.last(102, DAYS), (20, 3));
        assert_eq!(foreign.last(106, DAYS), (20, 3));
        assert_eq!(foreign.last(107, DAYS), (5, 1));
        assert!(!foreign.is_over(108) && foreign.is_over(109));
    }

    #[test]
    fn what_was_said_is_said_again_when_it_has_grown() {
        let mut foreign = Foreign::default();
        foreign.add(100, 5, &[1, 2, 3, 4, 5]);
        assert!(!foreign.is_said(100, 5.0));
        foreign.say(100);
        assert!(foreign.is_said(100, 6.0) && !foreign.is_said(100, 7.0));
        assert!(foreign.is_said(106, 6.0) && !foreign.is_said(107, 6.0));
    }

    #[test]
    fn of_an_hour_that_was_said_the_days_before_are_still_to_be_said() {
        let mut foreign = Foreign::default();
        foreign.add(100, 8, &[1, 2, 3, 4, 5, 6, 7, 8]);
        foreign.add(101, 4, &[9, 10, 11, 12]);
        foreign.say_hour(101, 4);
        assert!(foreign.is_said(101, 4.0) && !foreign.is_said(101, 12.0));
        foreign.say(101);
        foreign.say_hour(102, 4);
        assert!(foreign.is_said(102, 12.0), "what was said of more goes on");
    }

    #[test]
    fn an_object_that_is_read_again_counts_once() {
        let mut foreign = Foreign::default();
        foreign.add(100, 5, &[1, 2, 3, 4, 5]);
        foreign.add(101, 5, &[1, 2, 3, 4, 5]);
        assert_eq!(foreign.last(101, DAYS), (10, 2));
        assert_eq!((foreign.beside(101, DAYS, &[]), foreign.beside(101, 1, &[])), (5, 5));
        assert_eq!(
            foreign.beside(101, DAYS, &[1, 2, 3, 4, 5]),
            0,
            "the hour's own count by themselves"
        );
        foreign.add(102, 2, &[5, 6]);
        assert_eq!((foreign.beside(102, DAYS, &[]), foreign.beside(102, 1, &[])), (6, 2));
        foreign.add(108, 1, &[9]);
        assert_eq!(foreign.beside(108, DAYS, &[]), 3, "those of a week ago are gone");
        let many: Vec<u32> = (0..1_000).collect();
        foreign.add(108, 1_000, &many);
        assert!(foreign.is_full() && foreign.bytes() <= size_of::<Foreign>() + 8 * SEEN_MAX);
    }
}

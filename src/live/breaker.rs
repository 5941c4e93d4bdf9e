//! The breaker: when most of what comes is no event, something is set up wrongly, and nothing is committed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How far back is looked.
const WINDOW: Duration = Duration::from_mins(1);
/// Records that must have come before their share says anything.
const RECORDS_MIN: u64 = 100;
/// Parts of the window that are told apart.
const PARTS: u32 = 60;

/// Records and rejects of the last minute.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// The largest share of rejects that is borne, from 0 to 1.
    share_max: f64,
    /// When a part began, its records and its rejects.
    parts: VecDeque<(Instant, u64, u64)>,
}

impl Breaker {
    pub(crate) fn new(share_max: f64) -> Self {
        Self { share_max, parts: VecDeque::new() }
    }

    /// Counts records; the share of rejects and how many records it is of, if it is too large.
    pub(crate) fn see(&mut self, now: Instant, records: u64, rejects: u64) -> Option<(f64, u64)> {
        while self.parts.front().is_some_and(|part| now.saturating_duration_since(part.0) > WINDOW)
        {
            self.parts.pop_front();
        }
        match self.parts.back_mut() {
            Some(part) if now.saturating_duration_since(part.0) < WINDOW / PARTS => {
                part.1 += records;
                part.2 += rejects;
            }
            _ => self.parts.push_back((now, records, rejects)),
        }
        let all: u64 = self.parts.iter().map(|part| part.1).sum();
        let rejected: u64 = self.parts.iter().map(|part| part.2).sum();
        let share = rejected as f64 / all.max(1) as f64;
        (all >= RECORDS_MIN && share > self.share_max).then_some((share, all))
    }

    /// Forgets what came.
    pub(crate) fn reset(&mut self) {
        self.parts.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant can only be had from the clock")]
    fn it_opens_above_the_share_and_looks_back_a_minute() {
        let start = Instant::now();
        let at = |second: u64| start + Duration::from_secs(second);
        let mut breaker = Breaker::new(0.2);
        assert_eq!(breaker.see(at(0), 99, 99), None, "too few");
        assert_eq!(breaker.see(at(1), 396, 0), None, "exactly a fifth of 495 is borne");
        assert_eq!(breaker.see(at(2), 5, 5), Some((104.0 / 500.0, 500)));
        assert_eq!(breaker.see(at(62), 100, 0), None, "the first minute is forgotten");
        assert_eq!(breaker.see(at(63), 100, 60), Some((0.3, 200)));
        breaker.reset();
        assert_eq!(breaker.see(at(64), 50, 50), None);
        for second in 100..10_000 {
            breaker.see(at(second), 1, 0);
        }
        assert!(breaker.parts.len() <= PARTS as usize + 2);
    }
}

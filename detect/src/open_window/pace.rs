//! How the calls of an hour lie in it: five minutes at a time, for rows to rank by.

use super::{SPAN_NS, SPANS};
use model::Time;
use serde::{Deserialize, Serialize};

/// Five minutes of an hour.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Pace {
    pub(crate) calls: u32,
    /// Calls by POST, PUT, PATCH or DELETE among them.
    pub(crate) writes: u32,
}

/// An hour, five minutes at a time.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Paces([Pace; SPANS]);

impl Paces {
    /// Adds a call at `now`, in an hour from `start` on.
    pub(super) fn add(&mut self, start: Time, now: Time) {
        if let Some(pace) = self.at(start, now) {
            pace.calls = pace.calls.saturating_add(1);
        }
    }

    /// Says that the call that was just added is a write.
    pub(crate) fn add_write(&mut self, start: Time, now: Time) {
        if let Some(pace) = self.at(start, now) {
            pace.writes = pace.writes.saturating_add(1);
        }
    }

    /// A little of it: read before it is needed.
    pub(crate) fn glance(&self) -> u64 {
        let [first, .., last] = &self.0;
        u64::from(first.calls ^ last.calls)
    }

    fn at(&mut self, start: Time, now: Time) -> Option<&mut Pace> {
        self.0.get_mut(usize::try_from(now.since(start) / SPAN_NS).ok()?)
    }

    /// Those that had any call, each with its beginning.
    pub(crate) fn active(&self, start: Time) -> impl Iterator<Item = (Time, Pace)> + '_ {
        let starts = (0..).map(move |index| start.plus(index * SPAN_NS));
        starts.zip(self.0).filter(|(_, pace)| pace.calls > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::{NS_PER_H, NS_PER_MIN};

    #[test]
    fn calls_fall_into_their_five_minutes() {
        let start = Time::from_ns(7 * NS_PER_H);
        let mut paces = Paces::default();
        for minute in [0, 4, 5, 59, 60] {
            paces.add(start, start.plus(minute * NS_PER_MIN));
        }
        paces.add_write(start, start.plus(59 * NS_PER_MIN));
        let active: Vec<_> = paces.active(start).collect();
        let at = |minute| start.plus(minute * NS_PER_MIN);
        assert_eq!(
            active,
            [
                (at(0), Pace { calls: 2, writes: 0 }),
                (at(5), Pace { calls: 1, writes: 0 }),
                (at(55), Pace { calls: 1, writes: 1 }),
            ]
        );
    }
}

//! How many identities come for the first time in an hour: what is known of it, and its law.

use crate::snapshot::plain;
use model::Time;
use model::time::NS_PER_D;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Fewer new identities in an hour are never a finding, unless there is no room; ...
pub(super) const IDENTITIES_MIN: u64 = 500;
/// ... nor fewer times as many as are allowed: a launch brings ten times as many, and sometimes more.
const TIMES_MIN: f64 = 20.0;
/// Days that are remembered.
const DAYS_MAX: i32 = 60;
/// Hours from which on it is known how many are ordinary.
const HOURS_MIN: u64 = 100;
/// The index of the tail beyond the largest hour so far: ten times as many is a hundred times as rare.
const TAIL: f64 = 2.0;
/// A share of the identities that are known, one in so many, may always come in an hour: a department,
/// a partner; and so many of them, where few are known.
const MEMBERS: f64 = 50.0;
const FEW: f64 = 10.0;
/// An hour is learned as so many times what was allowed before its day, at most: a flood that stays just
/// below the cut for a day does not make the next one ordinary.
const STEP: f64 = 2.0;
/// Days with too many after which that many are a habit.
const OCCASIONS_MIN: usize = 3;

/// The hours of one UTC day.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Day {
    hours: u64,
    total: u64,
    most: u64,
}

/// How many came in the hours of the last days.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct KnownNewcomers {
    days: BTreeMap<i32, Day>,
    /// Days of which something was said.
    odd: BTreeSet<i32>,
}

/// What is usual, in short.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct Usual {
    pub(super) hours: u64,
    /// New identities of an hour, in the mean and at most.
    pub(super) mean: f64,
    pub(super) most: u64,
    /// Since when; `None` if nothing is known.
    #[serde(with = "plain")]
    pub(super) since: Option<Time>,
    /// What an hour may have that is nothing yet.
    allowed: f64,
}

impl KnownNewcomers {
    /// Learns an hour, of which this is usual; one with too many only once that is a habit.
    pub(super) fn learn(&mut self, day: i32, count: u64, is_odd: bool, usual: &Usual) {
        if is_odd {
            self.odd.insert(day);
        }
        let is_kept = |it: &i32| day - *it < DAYS_MAX;
        self.odd.retain(is_kept);
        self.days.retain(|it, _| is_kept(it));
        let is_habit = self.odd.len() >= OCCASIONS_MIN;
        if !is_odd || is_habit {
            let is_free = is_habit || !usual.is_enough();
            let count = if is_free { count } else { count.min((STEP * usual.allowed) as u64) };
            let day = self.days.entry(day).or_default();
            day.hours += 1;
            day.total += count;
            day.most = day.most.max(count);
        }
    }

    /// What is usual before a day, among so many identities that are known.
    pub(super) fn usual(&self, today: i32, members: u32) -> Usual {
        let days = self.days.range(..today);
        let (hours, total, most) = days.fold((0, 0, 0), |(hours, total, most), (_, day)| {
            (hours + day.hours, total + day.total, day.most.max(most))
        });
        let first = self.days.keys().next();
        Usual {
            hours,
            mean: total as f64 / hours.max(1) as f64,
            most,
            since: first.map(|day| Time::from_ns(i64::from(*day) * NS_PER_D)),
            allowed: (most as f64).max(f64::from(members) / MEMBERS).max(FEW),
        }
    }
}

impl Usual {
    pub(super) const fn is_enough(&self) -> bool {
        self.hours >= HOURS_MIN
    }

    /// −log10 of the chance that an hour has as many; 0 for what is allowed.
    pub(super) fn surprise(&self, count: f64) -> f64 {
        if count <= self.allowed {
            0.0
        } else {
            self.record() + TAIL * (count / self.allowed).log10()
        }
    }

    /// The fewest that are a finding, whatever their surprise.
    pub(super) fn floor(&self) -> u64 {
        IDENTITIES_MIN.max((TIMES_MIN * self.allowed).ceil() as u64)
    }

    /// The count with that surprise; never below what is allowed.
    pub(super) fn value_at(&self, surprise: f64) -> f64 {
        self.allowed * 10_f64.powf(((surprise - self.record()) / TAIL).max(0.0))
    }

    /// The fewest with at least that surprise, which is above 0.
    pub(super) fn least(&self, surprise: f64) -> u64 {
        self.value_at(surprise).ceil().max(self.allowed.floor() + 1.0) as u64
    }

    /// How odd it is that an hour is the largest of all.
    fn record(&self) -> f64 {
        (self.hours as f64 + 1.0).log10()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Usual = Usual { hours: 0, mean: 0.0, most: 0, since: None, allowed: FEW };

    fn usual(hours: u64, most: u64, members: u32) -> Usual {
        let mut known = KnownNewcomers::default();
        for hour in 0..hours {
            let count = if hour == 7 { most } else { most / 5 };
            known.learn((hour / 24) as i32, count, false, &NOTHING);
        }
        known.usual(i32::MAX, members)
    }

    #[test]
    fn an_hour_is_the_odder_the_longer_none_was_as_large_and_the_larger_it_is() {
        let week = usual(168, 40, 100);
        assert_eq!(week.most, 40);
        assert!(week.surprise(40.0) == 0.0 && week.surprise(41.0) > 2.2);
        assert!(week.surprise(400.0) < 4.5, "ten times is a launch: {}", week.surprise(400.0));
        assert!(week.surprise(40_000.0) > 8.0, "{}", week.surprise(40_000.0));
        let month = usual(720, 40, 100);
        assert!(month.surprise(400.0) > week.surprise(400.0));
        let large = usual(168, 40, 100_000);
        assert!(large.surprise(2_000.0) == 0.0, "a fiftieth of those that are known may come");
    }

    #[test]
    fn the_fewest_with_a_surprise_have_it_and_one_less_has_not() {
        for (hours, most) in [(168, 40), (1_440, 3), (100, 900)] {
            let usual = usual(hours, most, 100);
            for surprise in [0.5, 2.0, 4.0, 5.5] {
                let least = usual.least(surprise);
                assert!(usual.surprise(least as f64) >= surprise - 1e-9, "{hours} {surprise}");
                assert!(usual.surprise(least as f64 - 1.0) < surprise, "{hours} {surprise}");
            }
        }
    }

    #[test]
    fn what_was_too_many_is_learned_on_the_third_day_and_old_days_go() {
        let mut known = KnownNewcomers::default();
        let most = |known: &KnownNewcomers| known.usual(i32::MAX, 0).most;
        known.learn(1, 50, false, &NOTHING);
        for day in [2, 2, 3] {
            known.learn(day, 9_000, true, &NOTHING);
            assert_eq!(most(&known), 50);
        }
        known.learn(4, 9_000, true, &NOTHING);
        assert_eq!((most(&known), known.usual(4, 0).most), (9_000, 50));
        known.learn(4 + DAYS_MAX, 1, false, &NOTHING);
        assert_eq!((most(&known), known.usual(i32::MAX, 0).hours), (1, 1));
    }

    #[test]
    fn a_day_makes_twice_as_many_ordinary_at_most() {
        let mut known = KnownNewcomers::default();
        (0..120).for_each(|hour| known.learn(hour / 24, 40, false, &NOTHING));
        for (day, most) in [(5, 80), (6, 160), (7, 200)] {
            for _ in 0..3 {
                let usual = known.usual(day, 0);
                known.learn(day, 200, false, &usual);
            }
            assert_eq!(known.usual(day + 1, 0).most, most);
        }
    }
}

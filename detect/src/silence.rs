//! Silences: how long an identity is quiet between its active hours, kept in a few bytes.

use crate::statistics::moments::PRIOR_WINDOWS;
use serde::{Deserialize, Serialize};

/// Lengths that are told apart: below 8 hours, then octaves, the last from 4 096 hours (170 days) on.
pub(crate) const OCTAVES: usize = 11;
/// Hours below which all silences are alike.
const SHORT_H: u32 = 8;
/// Hours after which a silence is long, whoever keeps it: 30 days.
const LONG_H: u32 = 30 * 24;
/// Hours that a silence must last to be long for anyone: 7 days.
const LONG_MIN_H: u32 = 7 * 24;
/// How fast silences beyond the longest get rarer, as a power of their length: slower than any clock
/// that waits at random, and fast enough for a mean to exist.
const TAIL: f64 = 1.5;
/// A silence is long that is so many times as long as 99 % of one's own.
const LONG_FACTOR: u32 = 20;

/// The octave of a silence.
const fn octave_of(hours: u32) -> usize {
    let octave = (hours / SHORT_H).checked_ilog2();
    match octave {
        Some(octave) if (octave as usize) < OCTAVES - 2 => octave as usize + 1,
        Some(_) => OCTAVES - 1,
        None => 0,
    }
}

/// The hours that all silences of an octave stay under; of the last, what it begins with twice.
const fn bound_of(octave: usize) -> u32 {
    SHORT_H << octave
}

/// An identity's silences, by octave: counts that are halved when one is full, but never to nothing.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Silences([u8; OCTAVES]);

impl Silences {
    pub(crate) fn add(&mut self, hours: u32) {
        let octave = octave_of(hours);
        if self.0.get(octave) == Some(&u8::MAX) {
            self.0 = self.0.map(|count| count.div_ceil(2));
        }
        if let Some(count) = self.0.get_mut(octave) {
            *count += 1;
        }
    }

    /// The hours that a share of them stay under.
    pub(crate) fn under(&self, share: f64) -> u32 {
        let total: u32 = self.0.iter().map(|count| u32::from(*count)).sum();
        let mut seen = 0;
        for (octave, count) in self.0.iter().enumerate() {
            seen += u32::from(*count);
            if f64::from(seen) >= share * f64::from(total) {
                return bound_of(octave);
            }
        }
        bound_of(OCTAVES - 1)
    }

    /// The hours that all of them stay under; the last octave has no such bound.
    pub(crate) fn all_under(&self) -> u32 {
        bound_of(self.0.iter().rposition(|count| *count > 0).unwrap_or(0))
    }

    /// From how many hours on a silence is long for one that keeps these.
    pub(crate) fn long_from(&self) -> u32 {
        let by_own = self.under(0.99).saturating_mul(LONG_FACTOR);
        let longest =
            if self.0.last().is_some_and(|count| *count > 0) { u32::MAX } else { self.all_under() };
        by_own.clamp(LONG_MIN_H, LONG_H).max(longest)
    }

    /// Surprise of a silence of at least `hours`: of its own kind and, with the weight of a few, of
    /// everybody's.
    pub(crate) fn surprise(&self, everyone: &AllSilences, hours: u32) -> f64 {
        let own = tail(&self.0.map(u64::from), hours);
        let all = tail(&everyone.0, hours);
        let (n, prior) = (own.1, if all.1 > 0.0 { PRIOR_WINDOWS } else { 0.0 });
        if n + prior < 1.0 {
            return 0.0;
        }
        -((n * own.0 + prior * all.0) / (n + prior)).log10()
    }
}

/// The chance of a silence of at least `hours`, above 0, and how many silences say so.
///
/// By the rule of succession, and beyond the longest one by a tail of power [`TAIL`].
fn tail(counts: &[u64; OCTAVES], hours: u32) -> (f64, f64) {
    let octave = octave_of(hours);
    let n = counts.iter().sum::<u64>() as f64;
    let longer = counts.iter().skip(octave).sum::<u64>() as f64;
    let share = ((longer + 1.0) / (n + 1.0)).min(1.0);
    let last = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
    let bound = f64::from(bound_of(last));
    let is_beyond = longer == 0.0 || octave == OCTAVES - 1;
    (
        if is_beyond {
            share * (bound / f64::from(hours.max(1))).min(1.0).powf(TAIL)
        } else {
            share
        },
        n,
    )
}

/// Everybody's silences, by octave.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct AllSilences([u64; OCTAVES]);

impl AllSilences {
    pub(crate) fn add(&mut self, hours: u32) {
        if let Some(count) = self.0.get_mut(octave_of(hours)) {
            *count = count.saturating_add(1);
        }
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        for (own, theirs) in self.0.iter_mut().zip(other.0) {
            *own = own.saturating_add(theirs);
        }
    }
}

/// An identity's silences, and whether it has just come back from one.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Silence {
    /// Its silences between active hours that were learned.
    pub(crate) kept: Silences,
    /// Something was said of this awakening, or of its first day.
    pub(crate) is_said: bool,
    /// It was said as a part of what came together.
    pub(crate) is_part: bool,
    /// Not all of what it did since it came back was learned.
    pub(crate) is_withheld: bool,
    /// Hours with a log in the silence that it came back from; 0 once that is among the kept.
    slept_h: u16,
    /// Hours with a log before its last active hour.
    logged_h: u32,
    /// The hour in which it came back, of the Unix time, and the one in which it was active before.
    pub(crate) woke_h: i32,
    pub(crate) from_h: i32,
}

impl Silence {
    pub(crate) fn new() -> Self {
        Self {
            kept: Silences::default(),
            is_said: false,
            is_part: false,
            is_withheld: false,
            slept_h: 0,
            logged_h: 0,
            woke_h: i32::MIN,
            from_h: i32::MIN,
        }
    }

    /// An hour in which it is active begins, `logged_h` hours into the log: the hours with a log since
    /// the one before.
    pub(crate) const fn next(&mut self, logged_h: u32) -> u32 {
        let hours = logged_h.saturating_sub(self.logged_h);
        self.logged_h = logged_h;
        hours
    }

    /// The awakening as it stands, after silences that are kept of another state.
    pub(crate) const fn after(self, kept: Silences) -> Self {
        Self { kept, ..self }
    }

    /// It comes back in an hour, after so many with a log since the one in which it was active before.
    pub(crate) fn wake(&mut self, (from_h, woke_h): (i32, i32), slept_h: u32) {
        self.is_said = false;
        self.is_part = false;
        self.is_withheld = false;
        self.from_h = from_h;
        self.woke_h = woke_h;
        self.slept_h = u16::try_from(slept_h).unwrap_or(u16::MAX);
    }

    /// Whoever came back from a silence and was ordinary may be as silent again.
    pub(crate) fn settle(&mut self) {
        if self.slept_h > 0 && !self.is_said && !self.is_withheld {
            self.kept.add(self.slept_h());
        }
        self.slept_h = 0;
    }

    /// Hours with a log in the silence that it came back from.
    pub(crate) const fn slept_h(&self) -> u32 {
        self.slept_h as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(silences: &[(u32, u32)]) -> Silences {
        let mut kept = Silences::default();
        for (hours, count) in silences {
            (0..*count).for_each(|_| kept.add(*hours));
        }
        kept
    }

    #[test]
    fn an_octave_holds_what_stays_under_its_bound() {
        for hours in [0, 1, 7, 8, 15, 16, 100, 4_095, 4_096, 8_191] {
            let octave = octave_of(hours);
            assert!(hours < bound_of(octave), "{hours}");
            assert!(octave == 0 || hours >= bound_of(octave - 1), "{hours}");
        }
        assert_eq!(octave_of(u32::MAX), OCTAVES - 1);
    }

    #[test]
    fn long_is_what_is_long_for_oneself() {
        let person = of(&[(1, 300), (16, 50), (64, 12)]);
        assert_eq!(person.long_from(), LONG_H, "weekends are usual");
        assert_eq!(of(&[(1, 250)]).long_from(), LONG_MIN_H, "it was never silent");
        assert_eq!(of(&[(1, 20), (744, 4)]).long_from(), 1_024, "a monthly job");
        assert_eq!(of(&[(5_000, 1)]).long_from(), u32::MAX);
    }

    #[test]
    fn a_rare_silence_is_not_forgotten_when_counts_are_halved() {
        let kept = of(&[(400, 1), (1, 2_000)]);
        assert_eq!(kept.all_under(), 512);
        assert!(kept.under(0.5) == 8 && kept.0.iter().all(|count| *count < u8::MAX));
    }

    #[test]
    fn everybody_who_comes_seldom_makes_silence_ordinary() {
        let own = of(&[(1, 4)]);
        let busy = AllSilences([5_000, 300, 200, 90, 0, 0, 0, 0, 0, 0, 0]);
        let seldom = AllSilences([50, 50, 50, 50, 50, 50, 50, 400, 50, 50, 50]);
        assert!(own.surprise(&busy, 1_500) > own.surprise(&seldom, 1_500) + 0.3);
    }

    #[test]
    fn a_silence_is_a_habit_only_once_it_went_well() {
        let mut silence = Silence::new();
        silence.wake((0, 1_000), 900);
        assert_eq!(silence.kept, Silences::default());
        silence.settle();
        assert_eq!(silence.kept, of(&[(900, 1)]));
        silence.wake((1_000, 4_000), 3_000);
        silence.is_said = true;
        silence.settle();
        assert_eq!(silence.kept, of(&[(900, 1)]));
    }

    proptest! {
        #[test]
        fn longer_is_odder_and_finite(
            own in prop::collection::vec(0_u32..6_000, 0..60),
            everyone in prop::array::uniform11(0_u64..500),
            hours in 1_u32..20_000,
        ) {
            let mut kept = Silences::default();
            for hours in &own {
                kept.add(*hours);
            }
            let everyone = AllSilences(everyone);
            let (a, b) = (kept.surprise(&everyone, hours), kept.surprise(&everyone, hours + 1));
            prop_assert!(a.is_finite() && a > -1e-9 && b >= a - 1e-9, "{a} {b}");
        }
    }
}

//! Slow drift: the days of an identity against the days that it was first known by.
//!
//! The reference does not forget and takes in no day while the days add up to something: whoever grows a
//! little each day cannot bring it along. Days are summed from where a CUSUM (Page, Biometrika 41, 1954)
//! last stood at zero, one for small and one for large growth, and the sum is judged as what it is: so many
//! days, against a mean that is itself known from so many.

mod news;
mod trend;
mod volume;

pub(crate) use news::News;
pub(crate) use trend::{Grown, Growth, Trend};
pub(crate) use volume::Volume;

use crate::statistics::tail::{largest_of, negative_binomial, student};
use serde::{Deserialize, Serialize};

/// Standard deviations by which a day must exceed the reference to add anything: the second sum begins
/// where growth is well under way, so that its slow beginning does not thin it.
const ALLOWANCES: [f64; 2] = [0.5, 1.5];
/// A day counts for no less and no more standard deviations than these: one large day is a spike.
pub(crate) const Z_MIN: f64 = -2.0;
pub(crate) const Z_MAX: f64 = 4.0;
/// From so many standard deviations of their sum on, days are no part of the reference. Fewer would leave
/// out every ordinary streak, and a reference that was low at first could never rise.
const SUSPECT: f64 = 2.5;
/// Fewer days in a row than this are no drift.
pub(crate) const RUN_DAYS_MIN: u16 = 5;
/// Days that may add up: a growth that has been told for so long, and that nobody has put an end to, is
/// what is usual from then on.
const RUN_DAYS_MAX: u16 = 90;
/// Days of reference before anything is judged.
const DAYS_MIN: u16 = 5;
/// Standard deviations that a day counts for at most in the reference, in a spread and in everyone's growth.
const HELD: f64 = 2.5;
/// By how much of it everyone's growth differs between identities.
const GROWTH_SPREAD: f64 = 0.2;

/// The days that add up.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Run {
    cusum: f32,
    pub(crate) days: u16,
    /// What they add up to, each day held to its limits, and what was expected of them.
    pub(crate) sum: f32,
    pub(crate) expected: f32,
    /// The first of them.
    pub(crate) from: i32,
}

impl Run {
    /// The run with one more day.
    fn with(self, day: i32, z: f64, allowance: f64, (sum, expected): (f64, f64)) -> Self {
        let z = z.clamp(Z_MIN, Z_MAX);
        let cusum = (f64::from(self.cusum) + z - allowance).max(0.0) as f32;
        if cusum <= 0.0 {
            return Self::default();
        }
        let before = if self.days == 0 { Self { from: day, ..Self::default() } } else { self };
        Self {
            cusum,
            days: before.days.saturating_add(1),
            sum: before.sum + sum as f32,
            expected: before.expected + expected as f32,
            from: before.from,
        }
    }
}

/// One run for each of [`ALLOWANCES`].
type Runs = [Run; ALLOWANCES.len()];

/// Each run with one more day.
fn with(runs: &Runs, day: i32, z: f64, sum_and_expected: (f64, f64)) -> Runs {
    let mut next = *runs;
    for (run, allowance) in next.iter_mut().zip(ALLOWANCES) {
        *run = run.with(day, z, allowance, sum_and_expected);
    }
    next
}

/// Whether days add up for so long that they are the reference.
fn run_over(runs: &Runs) -> bool {
    runs.iter().any(|run| run.days > RUN_DAYS_MAX)
}

/// Whether days add up.
fn run_on(runs: &Runs) -> bool {
    runs.iter().any(|run| run.cusum > 0.0)
}

/// Runs that are looked at, from as many days on: what the oddest of them must be judged by.
fn looks(days: f64) -> f64 {
    ALLOWANCES.len() as f64 * days.max(1.0)
}

fn odder(best: Drifted, next: Drifted) -> Drifted {
    if next.surprise > best.surprise { next } else { best }
}

/// How far the days have drifted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Drifted {
    pub(crate) run: Run,
    /// How often what was expected, and the law that says how odd that is.
    pub(crate) ratio: f64,
    pub(crate) surprise: f64,
    pub(crate) law: Law,
    /// Days of reference.
    pub(crate) reference: u16,
    /// The day itself is above what is usual for it.
    pub(crate) is_above: bool,
}

/// How odd a ratio would be over the same days.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Law {
    /// Student's, of the mean of ln(ratio).
    Volume { scale: f64, freedom: f64, looks: f64 },
    /// Negative binomial, of the sum.
    Objects { mean: f64, variance: f64, looks: f64 },
}

impl Law {
    pub(crate) fn surprise(self, ratio: f64) -> f64 {
        match self {
            Self::Volume { scale, freedom, looks } => {
                largest_of(student(ratio.max(1e-9).ln() / scale, freedom), looks)
            }
            Self::Objects { mean, variance, looks } => {
                let sum = (ratio * mean).round();
                let one = if sum <= mean { 0.0 } else { negative_binomial(sum, mean, variance) };
                largest_of(one, looks)
            }
        }
    }

    /// The largest ratio with less than a surprise, to a thousandth.
    pub(crate) fn ratio_below(self, surprise: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1.0);
        while self.surprise(high) < surprise && high < 1e9 {
            high *= 2.0;
        }
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if self.surprise(middle) < surprise { low = middle } else { high = middle }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::trend::Common;
    use super::*;

    /// A number from −1 to 1 for each day.
    fn noise(day: i32) -> f64 {
        let mut key = (day as u32).wrapping_mul(0x9e37_79b9);
        key = (key ^ (key >> 15)).wrapping_mul(0x85eb_ca6b);
        f64::from(key ^ (key >> 13)) / f64::from(u32::MAX) * 2.0 - 1.0
    }

    /// The first day, from 0, on which bytes are odd, and the largest surprise of all.
    fn bytes_over(days: i32, of: impl Fn(i32) -> f64) -> (Option<i32>, f64) {
        let (mut bytes, trend, mut most, mut first) =
            (Volume::default(), Common::default(), 0.0_f64, None);
        for day in 0..days {
            let read = bytes.read(20_000 + day, of(day), &trend);
            let surprise = read.map_or(0.0, |it| it.surprise);
            assert!(surprise.is_finite());
            most = most.max(surprise);
            if surprise > 8.0 && first.is_none() {
                first = Some(day);
            }
            bytes.learn(20_000 + day, of(day), Some(false), (&trend, &mut Grown::default()));
        }
        (first, most)
    }

    #[test]
    fn five_percent_more_a_day_is_seen_within_twenty_days() {
        let usual = |day: i32| 5e7 * (0.25 * noise(day)).exp();
        let (found, _) = bytes_over(60, |day| usual(day) * 1.05_f64.powi((day - 20).max(0)));
        assert!(found.is_some_and(|day| (20..40).contains(&day)), "{found:?}");
        let (found, most) = bytes_over(200, usual);
        assert!(found.is_none() && most < 4.0, "{most}");
    }

    #[test]
    fn weekends_holidays_and_a_single_large_day_are_nothing() {
        let (_, most) = bytes_over(120, |day| {
            let is_rest = day % 7 >= 5 || (60..74).contains(&day);
            let usual = if is_rest { 2e6 } else { 8e7 };
            let spike = if day == 50 { 100.0 } else { 1.0 };
            usual * spike * (0.25 * noise(day)).exp()
        });
        assert!(most < 5.0, "{most}");
    }

    #[test]
    fn a_loud_weekday_is_suspect_once_at_most() {
        for loud in 0..7 {
            let (mut bytes, common, mut suspect) = (Volume::default(), Common::default(), 0);
            for day in 0..90 {
                let times = if day % 7 == loud { 20.0 } else { 1.0 };
                let of = 5e7 * times * (0.05 * noise(day)).exp();
                bytes.learn(20_000 + day, of, Some(false), (&common, &mut Grown::default()));
                suspect += i32::from(bytes.is_suspect(bytes.scale(&common)));
            }
            assert!(suspect <= 9, "{suspect} of 90 days");
        }
    }

    #[test]
    fn what_everybody_grows_by_is_nothing() {
        let (mut all, mut trend, mut most) =
            (vec![Volume::default(); 30], Trend::default(), 0.0_f64);
        for day in 0..300_i32 {
            let mut growth = Growth::default();
            for (index, bytes) in all.iter_mut().enumerate() {
                let noise = noise(day * 31 + index as i32);
                let of = 5e7 * (0.25 * noise).exp() * 1.03_f64.powi((day - 20).clamp(0, 70));
                // Less than that is below the detector's floor.
                let read = bytes.read(day, of, &trend.bytes).filter(|it| it.ratio >= 1.25);
                most = most.max(read.map_or(0.0, |it| it.surprise));
                bytes.learn(day, of, Some(false), (&trend.bytes, &mut growth.bytes));
            }
            trend.absorb(&growth);
        }
        assert!(most < 6.0, "{most}");
        let grown = 70.0 * 1.03_f64.ln();
        assert!((trend.bytes.growth - grown).abs() < 0.3, "{trend:?} of {grown}");
    }

    /// The first day on which new objects are odd, and the largest surprise of all.
    fn news_over(days: i32, of: impl Fn(i32) -> f64) -> (Option<i32>, f64) {
        let (mut news, trend, mut most, mut first) =
            (News::default(), Common::default(), 0.0_f64, None);
        for day in 0..days {
            let today = (of(day), 1.0);
            let surprise = news.read(day, today, &trend).map_or(0.0, |it| it.surprise);
            assert!(surprise.is_finite());
            most = most.max(surprise);
            if surprise > 6.0 && first.is_none() {
                first = Some(day);
            }
            news.learn(day, today, Some(false), (&trend, &mut Grown::default()));
        }
        (first, most)
    }

    #[test]
    fn fourteen_foreign_objects_a_day_are_seen() {
        let usual = |day: i32| (4.0 + 4.0 * noise(day)).round();
        let (found, _) = news_over(50, |day| usual(day) + if day >= 20 { 14.0 } else { 0.0 });
        assert!(found.is_some_and(|day| (20..30).contains(&day)), "{found:?}");
        let (found, most) = news_over(200, usual);
        assert!(found.is_none() && most < 4.0, "{most}");
    }

    #[test]
    fn a_ratio_below_a_surprise_is_the_largest() {
        for law in [
            Law::Volume { scale: 0.1, freedom: 20.0, looks: 8.0 },
            Law::Objects { mean: 40.0, variance: 90.0, looks: 8.0 },
        ] {
            let ratio = law.ratio_below(6.0);
            assert!(law.surprise(ratio) < 6.0 && law.surprise(ratio + 0.03) >= 6.0, "{ratio}");
        }
    }
}

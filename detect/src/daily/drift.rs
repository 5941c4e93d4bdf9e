//! Slow drift: the days of an identity against the days that it was first known by.
//!
//! The reference does not forget and takes in no day while the days add up to something: whoever grows a
//! little each day cannot bring it along. Days are summed from where a CUSUM (Page, Biometrika 41, 1954)
//! last stood at zero, one for small and one for large growth, and the sum is judged as what it is: so many
//! days, against a mean that is itself known from so many.

use crate::statistics::Moments;
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
/// New objects of a day that count in full, however few are usual.
const NEWS_HELD_MIN: f64 = 20.0;
/// Days that may add up: a growth that has been told for so long, and that nobody has put an end to, is
/// what is usual from then on.
const RUN_DAYS_MAX: u16 = 90;
/// Days of reference before anything is judged.
const DAYS_MIN: u16 = 5;
/// Days at first on which all that an identity reads is new to us, and says nothing.
const WARM_DAYS: u8 = 3;
/// Days of all kinds that weigh at most as much as those of a weekday of its own.
const WEEKDAY_PRIOR_MAX: f64 = 30.0;
/// What everyone's spread of ln(bytes) weighs beside an identity's own, in days, and that spread before it
/// is known.
const SPREAD_PRIOR: f64 = 0.5;
const SPREAD_UNKNOWN: f64 = 0.25;
/// The same of new objects, in squares of what is usual.
const NEWS_SPREAD_PRIOR: f64 = 5.0;
const NEWS_SPREAD_UNKNOWN: f64 = 1.0;
/// No identity is so regular that less than this is a deviation: 10 %.
const SCALE_MIN: f64 = 0.1;
/// Standard deviations that a day counts for at most in the reference, in a spread and in everyone's growth.
const HELD: f64 = 2.5;
/// Times its usual new objects that an identity counts for at most in everyone's growth.
const GROWTH_MAX: f64 = 3.0;
/// By how much of it everyone's growth differs between identities.
const GROWTH_SPREAD: f64 = 0.2;
/// Days of different identities from which on there is anything that everyone does.
const EVERYONE_MIN: f64 = 8.0;

/// What everyone's days have in common, as of the last day that ended.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Trend {
    /// Growth of ln(bytes) over the references.
    pub(crate) bytes: f64,
    /// New objects as a multiple of the references', less 1.
    pub(crate) objects: f64,
    /// Both as they were measured: what may be chance is left out above.
    bytes_measured: f64,
    objects_measured: f64,
    /// Days and squared deviations of ln(bytes): how much a day varies at all.
    within_days: f64,
    within: f64,
    /// The same of new objects, as multiples of what is usual.
    news_days: f64,
    news_within: f64,
}

/// What the days that ended add to the trend.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Growth {
    days: f64,
    bytes: f64,
    squares: f64,
    object_days: f64,
    objects: f64,
    object_squares: f64,
}

/// Identities that grow as everyone did the day before, in the mean of everyone's.
const TREND_PRIOR: f64 = 2.0;
/// What a day weighs in everyone's growth, the days before it the rest.
const TREND_NOW: f64 = 2.0 / 3.0;
/// Standard errors of one day's mean that growth must exceed; with the days before it that is two.
const TREND_ERRORS: f64 = 1.5;

impl Trend {
    /// Takes in the days of one date: a third of the trend is of before.
    pub(crate) fn absorb(&mut self, growth: &Growth) {
        if growth.days >= EVERYONE_MIN {
            let prior = TREND_PRIOR * self.bytes_measured;
            let now = (growth.bytes + prior) / (growth.days + TREND_PRIOR);
            self.bytes_measured += TREND_NOW * (now - self.bytes_measured);
            self.bytes = beyond_chance(self.bytes_measured, self.spread() / growth.days);
        }
        self.within_days += growth.days;
        self.within += growth.squares;
        self.news_days += growth.object_days;
        self.news_within += growth.object_squares;
        if growth.object_days >= EVERYONE_MIN {
            let prior = TREND_PRIOR * self.objects_measured;
            let now = (growth.objects + prior) / (growth.object_days + TREND_PRIOR);
            self.objects_measured += TREND_NOW * (now - self.objects_measured);
            let variance = self.news_spread() / growth.object_days;
            self.objects = beyond_chance(self.objects_measured, variance);
        }
    }

    fn spread(&self) -> f64 {
        (self.within + EVERYONE_MIN * SPREAD_UNKNOWN) / (self.within_days + EVERYONE_MIN)
    }

    fn news_spread(&self) -> f64 {
        let prior = EVERYONE_MIN * NEWS_SPREAD_UNKNOWN;
        (self.news_within + prior) / (self.news_days + EVERYONE_MIN)
    }
}

/// A mean without what chance may add, which would blur the days of those that are steady.
fn beyond_chance(mean: f64, variance: f64) -> f64 {
    mean.signum() * (mean.abs() - TREND_ERRORS * variance.sqrt()).max(0.0)
}

impl Growth {
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.days += other.days;
        self.bytes += other.bytes;
        self.squares += other.squares;
        self.object_days += other.object_days;
        self.objects += other.objects;
        self.object_squares += other.object_squares;
    }
}

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
    Bytes { scale: f64, freedom: f64, looks: f64 },
    /// Negative binomial, of the sum.
    Objects { mean: f64, variance: f64, looks: f64 },
}

impl Law {
    pub(crate) fn surprise(self, ratio: f64) -> f64 {
        match self {
            Self::Bytes { scale, freedom, looks } => {
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

/// Bytes out per day, as logarithms.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Bytes {
    days: u16,
    sum: f32,
    weekday_days: [u8; 7],
    weekday_sum: [f32; 7],
    within_days: u16,
    within: f32,
    runs: Runs,
}

impl Bytes {
    /// The bytes that are usual for a day of that kind, everyone's growth in them.
    pub(crate) fn usual(&self, day: i32, trend: &Trend) -> Option<f64> {
        Some((self.centre(day, trend)? + trend.bytes).exp_m1())
    }

    /// What a day of that kind is expected to have: its weekday's, drawn to all days' the more, the less
    /// weekdays differ. Of a weekday that it never had nothing is known.
    fn centre(&self, day: i32, trend: &Trend) -> Option<f64> {
        let all = (self.days > 0).then(|| f64::from(self.sum) / f64::from(self.days))?;
        let weekday = day.rem_euclid(7) as usize;
        let days = f64::from(*self.weekday_days.get(weekday)?);
        let sum = f64::from(*self.weekday_sum.get(weekday)?);
        let prior = self.weekday_prior(all, trend);
        (days > 0.0).then(|| (sum + prior * all) / (days + prior))
    }

    /// Days that all days weigh as beside those of one weekday: the variance within weekdays over that
    /// between them, the normal model's own weight (Gelman et al., Bayesian Data Analysis, §5.4).
    fn weekday_prior(&self, all: f64, trend: &Trend) -> f64 {
        let within = self.scale(trend).powi(2);
        // Weekdays that do not differ have one variance each, but for one of them.
        let (mut days, mut squares) = (0.0, within);
        for (of_weekday, sum) in self.weekday_days.iter().zip(&self.weekday_sum) {
            if *of_weekday > 0 {
                let n = f64::from(*of_weekday);
                days += n;
                squares += n * (f64::from(*sum) / n - all).powi(2) - within;
            }
        }
        let between = squares / f64::max(days, 1.0);
        if between > 0.0 { (within / between).min(WEEKDAY_PRIOR_MAX) } else { WEEKDAY_PRIOR_MAX }
    }

    pub(crate) fn scale(&self, trend: &Trend) -> f64 {
        let prior = SPREAD_PRIOR * trend.spread();
        let variance =
            (f64::from(self.within) + prior) / (f64::from(self.within_days) + SPREAD_PRIOR);
        variance.sqrt().max(SCALE_MIN)
    }

    /// By how much ln(bytes) is above what is usual for such a day.
    fn residual(&self, day: i32, bytes: f64, trend: &Trend) -> Option<f64> {
        Some(bytes.ln_1p() - self.centre(day, trend)? - trend.bytes)
    }

    /// The runs with a day of so much more.
    fn next(&self, day: i32, residual: f64, scale: f64) -> Runs {
        let held = residual.clamp(Z_MIN * scale, Z_MAX * scale);
        with(&self.runs, day, residual / scale, (held, 0.0))
    }

    /// Whether days add up.
    pub(crate) fn runs(&self) -> bool {
        run_on(&self.runs)
    }

    /// Whether they add up to so much that they are no measure of others.
    pub(crate) fn is_suspect(&self, scale: f64) -> bool {
        let reference = f64::from(self.days.max(1));
        self.runs.iter().filter(|run| run.days > 0).any(|run| {
            let days = f64::from(run.days);
            let error = scale * (1.0 / days + 1.0 / reference).sqrt();
            f64::from(run.sum) / days >= SUSPECT * error
        })
    }

    pub(crate) fn read(&self, day: i32, bytes: f64, trend: &Trend) -> Option<Drifted> {
        let residual = self.residual(day, bytes, trend).filter(|_| self.days >= DAYS_MIN)?;
        let (scale, reference) = (self.scale(trend), f64::from(self.days));
        let shared = GROWTH_SPREAD * trend.bytes.abs();
        let is_above = residual > 0.0;
        let drifted = |run: Run| {
            let days = f64::from(run.days.max(1));
            let law = Law::Bytes {
                // The mean of the days, against a mean that is known from as many as the reference has.
                scale: (scale.powi(2) * (1.0 / days + 1.0 / reference) + shared.powi(2)).sqrt(),
                freedom: (2.0 * reference + 10.0).min(60.0),
                looks: looks(days),
            };
            let ratio = (f64::from(run.sum) / days).exp();
            let surprise = if run.sum > 0.0 { law.surprise(ratio) } else { 0.0 };
            Drifted { run, ratio, surprise, law, reference: self.days, is_above }
        };
        self.next(day, residual, scale).into_iter().map(drifted).reduce(odder)
    }

    /// Ends a day; a day that is withheld is no part of the reference, nor are days that add up to
    /// something. With `None` all are.
    pub(crate) fn learn(
        &mut self,
        day: i32,
        bytes: f64,
        is_withheld: Option<bool>,
        (trend, growth): (&Trend, &mut Growth),
    ) {
        let scale = self.scale(trend);
        let residual = self.residual(day, bytes, trend);
        let held = residual.map(|it| it.clamp(-HELD * scale, HELD * scale));
        if let (Some(residual), Some(held)) = (residual.filter(|_| self.days >= DAYS_MIN), held) {
            growth.days += 1.0;
            growth.bytes += trend.bytes + held;
            growth.squares += held.powi(2);
            self.runs = self.next(day, residual, scale);
        }
        if run_over(&self.runs) {
            *self = Self::default();
            return;
        }
        if is_withheld.is_some_and(|it| it || self.is_suspect(scale)) {
            return;
        }
        if let Some(held) = held {
            self.within_days = self.within_days.saturating_add(1);
            self.within += held.powi(2) as f32;
        }
        // What everyone grew by is not this one's.
        let at = match (self.centre(day, trend), held) {
            (Some(centre), Some(held)) => centre + held,
            _ => bytes.ln_1p() - trend.bytes,
        };
        self.days = self.days.saturating_add(1);
        self.sum += at as f32;
        let weekday = day.rem_euclid(7) as usize;
        if let (Some(days), Some(sum)) =
            (self.weekday_days.get_mut(weekday), self.weekday_sum.get_mut(weekday))
            && *days < u8::MAX
        {
            *days += 1;
            *sum += at as f32;
        }
    }
}

/// Objects per day that were never read before.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct News {
    warm: u8,
    reference: Moments,
    runs: Runs,
}

impl News {
    /// With nothing known but that it is not new itself.
    pub(crate) fn anew() -> Self {
        Self { warm: WARM_DAYS, ..Self::default() }
    }

    /// Mean and variance of a day, everyone's growth in it; counts go by so many.
    fn law(&self, step: f64, trend: &Trend) -> (f64, f64) {
        let n = f64::from(self.reference.n).max(1.0);
        let growth = 1.0 + trend.objects.max(0.0);
        // One object more: who never reads a new one may read one.
        let mean = (f64::from(self.reference.sum) + 1.0) / n;
        let own = (f64::from(self.reference.squares) / n - mean * mean).max(0.0);
        let everyone = trend.news_spread() * (mean + 1.0).powi(2);
        let variance = (n * own + NEWS_SPREAD_PRIOR * everyone) / (n + NEWS_SPREAD_PRIOR);
        (mean * growth, variance.max(mean * step) * growth * growth)
    }

    fn next(&self, day: i32, (news, step): (f64, f64), trend: &Trend) -> Runs {
        let (mean, variance) = self.law(step, trend);
        let (z, most) = ((news - mean) / variance.sqrt(), mean + Z_MAX * variance.sqrt());
        // Small counts may be many deviations away and are still small.
        with(&self.runs, day, z, (news.min(most + NEWS_HELD_MIN), mean))
    }

    /// Whether days add up.
    pub(crate) fn runs(&self) -> bool {
        run_on(&self.runs)
    }

    /// Whether they add up to so much that they are no measure of others.
    pub(crate) fn is_suspect(&self, step: f64, trend: &Trend) -> bool {
        let (_, variance) = self.law(step, trend);
        let reference = f64::from(self.reference.n).max(1.0);
        self.runs.iter().filter(|run| run.days > 0).any(|run| {
            let days = f64::from(run.days);
            let error = (variance * days * (1.0 + days / reference)).sqrt();
            f64::from(run.sum - run.expected) >= SUSPECT * error
        })
    }

    /// How far the days with this one have drifted: so many new objects, in steps of so many.
    pub(crate) fn read(&self, day: i32, news: (f64, f64), trend: &Trend) -> Option<Drifted> {
        let reference = self.reference.n as u16;
        if reference < DAYS_MIN {
            return None;
        }
        let (usual, variance) = self.law(news.1, trend);
        let is_above = news.0 > usual;
        let shared = GROWTH_SPREAD * trend.objects.max(0.0) / (1.0 + trend.objects.max(0.0));
        let drifted = |run: Run| {
            let (days, mean) = (f64::from(run.days), f64::from(run.expected).max(1e-6));
            let variance = variance * days * (1.0 + days / f64::from(reference));
            let variance = variance + (shared * mean).powi(2);
            let law = Law::Objects { mean, variance, looks: looks(days) };
            let ratio = if run.days == 0 { 0.0 } else { f64::from(run.sum) / mean };
            let surprise = if ratio > 1.0 { law.surprise(ratio) } else { 0.0 };
            Drifted { run, ratio, surprise, law, reference, is_above }
        };
        self.next(day, news, trend).into_iter().map(drifted).reduce(odder)
    }

    pub(crate) fn learn(
        &mut self,
        day: i32,
        (mut news, step): (f64, f64),
        is_withheld: Option<bool>,
        (trend, growth): (&Trend, &mut Growth),
    ) {
        if self.warm < WARM_DAYS {
            self.warm += 1;
            return;
        }
        if self.reference.n >= f32::from(DAYS_MIN) {
            let (mean, variance) = self.law(step, trend);
            self.runs = self.next(day, (news, step), trend);
            growth.object_days += 1.0;
            // Everybody counts the same, however much they read.
            let usual = mean / (1.0 + trend.objects.max(0.0));
            growth.objects += ((news + 1.0) / (usual + 1.0)).min(GROWTH_MAX) - 1.0;
            growth.object_squares += ((news - mean) / (mean + 1.0)).clamp(-HELD, HELD).powi(2);
            news = news.min(mean + HELD * variance.sqrt());
        }
        if run_over(&self.runs) {
            *self = Self::anew();
            return;
        }
        if !is_withheld.is_some_and(|it| it || self.is_suspect(step, trend)) {
            self.reference.add(news / (1.0 + trend.objects.max(0.0)), 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
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
            (Bytes::default(), Trend::default(), 0.0_f64, None);
        for day in 0..days {
            let read = bytes.read(20_000 + day, of(day), &trend);
            let surprise = read.map_or(0.0, |it| it.surprise);
            assert!(surprise.is_finite());
            most = most.max(surprise);
            if surprise > 8.0 && first.is_none() {
                first = Some(day);
            }
            bytes.learn(20_000 + day, of(day), Some(false), (&trend, &mut Growth::default()));
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
    fn what_everybody_grows_by_is_nothing() {
        let (mut all, mut trend, mut most) =
            (vec![Bytes::default(); 30], Trend::default(), 0.0_f64);
        for day in 0..300_i32 {
            let mut growth = Growth::default();
            for (index, bytes) in all.iter_mut().enumerate() {
                let noise = noise(day * 31 + index as i32);
                let of = 5e7 * (0.25 * noise).exp() * 1.03_f64.powi((day - 20).clamp(0, 70));
                // Less than that is below the detector's floor.
                let read = bytes.read(day, of, &trend).filter(|it| it.ratio >= 1.3);
                most = most.max(read.map_or(0.0, |it| it.surprise));
                bytes.learn(day, of, Some(false), (&trend, &mut growth));
            }
            trend.absorb(&growth);
        }
        assert!(most < 6.0, "{most}");
        let grown = 70.0 * 1.03_f64.ln();
        assert!((trend.bytes - grown).abs() < 0.3, "{} of {grown}", trend.bytes);
    }

    /// The first day on which new objects are odd, and the largest surprise of all.
    fn news_over(days: i32, of: impl Fn(i32) -> f64) -> (Option<i32>, f64) {
        let (mut news, trend, mut most, mut first) =
            (News::default(), Trend::default(), 0.0_f64, None);
        for day in 0..days {
            let today = (of(day), 1.0);
            let surprise = news.read(day, today, &trend).map_or(0.0, |it| it.surprise);
            assert!(surprise.is_finite());
            most = most.max(surprise);
            if surprise > 6.0 && first.is_none() {
                first = Some(day);
            }
            news.learn(day, today, Some(false), (&trend, &mut Growth::default()));
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
            Law::Bytes { scale: 0.1, freedom: 20.0, looks: 8.0 },
            Law::Objects { mean: 40.0, variance: 90.0, looks: 8.0 },
        ] {
            let ratio = law.ratio_below(6.0);
            assert!(law.surprise(ratio) < 6.0 && law.surprise(ratio + 0.03) >= 6.0, "{ratio}");
        }
    }
}

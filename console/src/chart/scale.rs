//! Axes: where a value stands, which values are named beside it, and how.

use crate::words;
use model::Time;
use model::figures;
use model::time::NS_PER_S;
use std::ops::Range;

/// From this ratio of the largest to the smallest value on, a scale is logarithmic.
const LINEAR_RATIO_MAX: f64 = 1_000.0;
/// Decades that a logarithmic scale has at most: smaller values stand at its edge.
const DECADES_MAX: i32 = 9;
/// Steps of a linear scale that are aimed at.
const STEPS: f64 = 4.0;
/// Decades that are named at most.
const DECADES_NAMED_MAX: i32 = 5;
/// Values beyond this are drawn as if they were this large.
const VALUE_MAX: f64 = 1e300;
/// Values nearer to zero than this are zero.
const VALUE_MIN: f64 = 1e-300;
/// From this size on, a value at an axis has a letter for its thousands.
const LONG: f64 = 10_000.0;
/// Seconds of a minute.
const MIN_S: i64 = 60;
/// Seconds of an hour.
const H_S: i64 = 3_600;
/// Seconds of a day.
const D_S: i64 = 86_400;
/// Steps of time between two names on an axis; beyond the last it is doubled.
const TIME_STEPS_S: [i64; 13] = [
    MIN_S,
    5 * MIN_S,
    15 * MIN_S,
    H_S,
    3 * H_S,
    6 * H_S,
    12 * H_S,
    D_S,
    2 * D_S,
    7 * D_S,
    14 * D_S,
    28 * D_S,
    91 * D_S,
];
/// Times that are named on an axis at most.
const TIMES_NAMED_MAX: i64 = 4;
/// Seconds around 1970 that a time can be written of.
const TIME_S_MAX: i64 = 9_000_000_000;

/// A scale of values, from its least end to its greatest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) is_logarithmic: bool,
    least: f64,
    most: f64,
    step: f64,
}

impl Scale {
    /// The scale that shows all of some values, from zero where they are not negative.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.filter(|it| it.is_finite()).map(bounded).collect();
        let most = values.iter().copied().fold(0.0, f64::max);
        let least = values.iter().copied().fold(0.0, f64::min);
        let positive = values.iter().copied().filter(|it| *it > 0.0).fold(f64::INFINITY, f64::min);
        if least >= 0.0 && most > LINEAR_RATIO_MAX * positive {
            return Self::logarithmic(positive, most);
        }
        let span = most - least;
        if span <= 0.0 {
            return Self { is_logarithmic: false, least: 0.0, most: 1.0, step: 1.0 };
        }
        let step = round_step(span / STEPS);
        Self {
            is_logarithmic: false,
            least: (least / step).floor() * step,
            most: (most / step).ceil() * step,
            step,
        }
    }

    /// A scale of shares, from nothing to all.
    pub(super) const fn of_shares() -> Self {
        Self { is_logarithmic: false, least: 0.0, most: 1.0, step: 0.25 }
    }

    fn logarithmic(positive: f64, most: f64) -> Self {
        let high = most.log10().ceil();
        let low = positive.log10().floor().max(high - f64::from(DECADES_MAX));
        Self { is_logarithmic: true, least: low, most: high, step: 1.0 }
    }

    /// Where a value stands between the ends of the range; what is beyond stands at its end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = if value.is_finite() { bounded(value) } else { 0.0 };
        let at = match (self.is_logarithmic, value > 0.0) {
            (false, _) => value,
            (true, true) => value.log10(),
            (true, false) => self.least,
        };
        at.clamp(self.least, self.most)
    }

    /// The range of what `at` gives.
    pub(super) fn range(&self) -> Range<f64> {
        self.least..self.most
    }

    /// The values that are named.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let steps = ((self.most - self.least) / self.step).round().clamp(0.0, 32.0) as i32;
        if !self.is_logarithmic {
            return (0..=steps).map(|it| self.least + f64::from(it) * self.step).collect();
        }
        let every = (steps + DECADES_NAMED_MAX - 1) / DECADES_NAMED_MAX;
        let named = (0..=steps).step_by(every.max(1) as usize);
        named.map(|it| 10_f64.powf(self.least + f64::from(it))).collect()
    }
}

/// A value that arithmetic cannot leave the range of.
fn bounded(value: f64) -> f64 {
    if value.abs() < VALUE_MIN { 0.0 } else { value.clamp(-VALUE_MAX, VALUE_MAX) }
}

/// The next 1, 2 or 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let round = [1.0, 2.0, 5.0].into_iter().find(|it| step <= it * power * (1.0 + 1e-9));
    round.unwrap_or(10.0) * power
}

/// A value with its unit, as a person reads it; what is no number is unknown.
pub(super) fn value(value: f64, unit: &str) -> String {
    match unit {
        _ if !value.is_finite() => "unknown".to_owned(),
        // As in the table beside the chart.
        "share" => words::percent(value),
        _ => words::measured(value, unit),
    }
}

/// A value as it stands at an axis: short, and without its unit but for bytes and shares.
pub(super) fn tick(value: f64, unit: &str) -> String {
    let letters = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match unit {
        "bytes" => figures::bytes(value),
        "share" => words::percent(value),
        _ if (LONG..1e15).contains(&value) => {
            let (size, letter) =
                letters.into_iter().find(|(size, _)| value >= *size).unwrap_or((1.0, ""));
            format!("{} {letter}", figures::significant(value / size, 3))
        }
        _ => figures::significant(value, 3),
    }
}

/// The times that are named between two, and how: days as dates, shorter steps with the hour.
pub(super) fn times(from: i64, to: i64) -> Vec<(i64, String)> {
    let span = to.saturating_sub(from).max(1);
    let mut step = TIME_STEPS_S.into_iter().find(|it| span / it < TIMES_NAMED_MAX);
    let mut longest = 182 * D_S;
    while step.is_none() {
        step = (span / longest < TIMES_NAMED_MAX).then_some(longest);
        longest = longest.saturating_mul(2);
    }
    let step = step.unwrap_or(D_S);
    let first = from.div_euclid(step).saturating_add(i64::from(from.rem_euclid(step) > 0));
    let named = (0..=TIMES_NAMED_MAX).map(|it| first.saturating_add(it).saturating_mul(step));
    let is_short = step < D_S;
    named.filter(|it| *it <= to).map(|it| (it, time_tick(it, is_short))).collect()
}

fn time_tick(at: i64, is_short: bool) -> String {
    let text = time(at);
    let part = if is_short { text.get(5..16) } else { text.get(..10) };
    part.unwrap_or(&text).to_owned()
}

/// A time in UTC to the minute: `2026-03-02 14:05`.
pub(super) fn time(at: i64) -> String {
    let at = clamped(at);
    let text = Time::from_ns(at.saturating_mul(NS_PER_S)).to_string().replacen('T', " ", 1);
    text.get(..16).unwrap_or(&text).to_owned()
}

/// The same without the time of day.
pub(super) fn date(at: i64) -> String {
    let text = time(at);
    text.get(..10).unwrap_or(&text).to_owned()
}

/// A time that can be written.
pub(super) fn clamped(at: i64) -> i64 {
    at.clamp(-TIME_S_MAX, TIME_S_MAX)
}

//! What everyone's days have in common: what everybody grows by is nobody's drift.

use serde::{Deserialize, Serialize};

/// A spread of ln(volume) before it is known, and that of new objects in squares of what is usual.
const SPREAD_UNKNOWN: f64 = 0.25;
const NEWS_SPREAD_UNKNOWN: f64 = 1.0;
/// Days of different identities from which on there is anything that everyone does.
const EVERYONE_MIN: f64 = 8.0;
/// Identities that grow as everyone did the day before, in the mean of everyone's.
const TREND_PRIOR: f64 = 2.0;
/// What a day weighs in everyone's growth, the days before it the rest.
const TREND_NOW: f64 = 2.0 / 3.0;
/// Standard errors of one day's mean that growth must exceed; with the days before it that is two.
const TREND_ERRORS: f64 = 1.5;

/// Everyone's growth over the references in one thing, as of the last day that ended, and how much a day
/// varies at all.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Common {
    /// Of volumes in ln(volume); of new objects as a multiple, less 1.
    pub(crate) growth: f64,
    /// As it was measured: what may be chance is left out above.
    measured: f64,
    /// Days and their squared deviations.
    days: f64,
    squares: f64,
}

/// What everyone's days have in common.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Trend {
    pub(crate) bytes: Common,
    /// Calls at one endpoint.
    pub(crate) calls: Common,
    pub(crate) objects: Common,
}

/// What the days that ended add in one thing.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Grown {
    days: f64,
    sum: f64,
    squares: f64,
}

/// What the days that ended add to the trend.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Growth {
    pub(crate) bytes: Grown,
    pub(crate) calls: Grown,
    pub(crate) objects: Grown,
}

impl Trend {
    /// Takes in the days of one date: a third of the trend is of before.
    pub(crate) fn absorb(&mut self, growth: &Growth) {
        self.bytes.absorb(&growth.bytes, Common::spread);
        self.calls.absorb(&growth.calls, Common::spread);
        self.objects.absorb(&growth.objects, Common::news_spread);
    }
}

impl Common {
    fn absorb(&mut self, grown: &Grown, spread: fn(&Self) -> f64) {
        self.days += grown.days;
        self.squares += grown.squares;
        if grown.days >= EVERYONE_MIN {
            let prior = TREND_PRIOR * self.measured;
            let now = (grown.sum + prior) / (grown.days + TREND_PRIOR);
            self.measured += TREND_NOW * (now - self.measured);
            self.growth = beyond_chance(self.measured, spread(self) / grown.days);
        }
    }

    /// The variance of a day's ln(volume) within one identity.
    pub(super) fn spread(&self) -> f64 {
        (self.squares + EVERYONE_MIN * SPREAD_UNKNOWN) / (self.days + EVERYONE_MIN)
    }

    /// The same of new objects, in squares of what is usual.
    pub(super) fn news_spread(&self) -> f64 {
        (self.squares + EVERYONE_MIN * NEWS_SPREAD_UNKNOWN) / (self.days + EVERYONE_MIN)
    }
}

/// A mean without what chance may add, which would blur the days of those that are steady.
fn beyond_chance(mean: f64, variance: f64) -> f64 {
    mean.signum() * (mean.abs() - TREND_ERRORS * variance.sqrt()).max(0.0)
}

impl Growth {
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.bytes.absorb(&other.bytes);
        self.calls.absorb(&other.calls);
        self.objects.absorb(&other.objects);
    }
}

impl Grown {
    /// Adds a day of one identity: its growth over its reference, and how far it was from what was expected.
    pub(super) fn add(&mut self, growth: f64, deviation: f64) {
        self.days += 1.0;
        self.sum += growth;
        self.squares += deviation.powi(2);
    }

    /// Adds the days of one identity's endpoints, which are one day of its own.
    pub(crate) fn add_mean(&mut self, each: &Self) {
        if each.days > 0.0 {
            self.add(each.sum / each.days, (each.squares / each.days).sqrt());
        }
    }

    fn absorb(&mut self, other: &Self) {
        self.days += other.days;
        self.sum += other.sum;
        self.squares += other.squares;
    }
}

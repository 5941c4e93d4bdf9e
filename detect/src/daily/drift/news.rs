//! New objects of an identity's days against the days that it was first known by.

use super::trend::{Common, Grown};
use super::{
    DAYS_MIN, Drifted, GROWTH_SPREAD, HELD, Law, Run, Runs, SUSPECT, Z_MAX, looks, odder, run_on,
    run_over, with,
};
use crate::statistics::Moments;
use serde::{Deserialize, Serialize};

/// New objects of a day that count in full, however few are usual.
const NEWS_HELD_MIN: f64 = 20.0;
/// Days at first on which all that an identity reads is new to us, and says nothing.
const WARM_DAYS: u8 = 3;
/// What everyone's spread of new objects weighs beside an identity's own, in days.
const NEWS_SPREAD_PRIOR: f64 = 5.0;
/// Times its usual new objects that an identity counts for at most in everyone's growth.
const GROWTH_MAX: f64 = 3.0;

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
    fn law(&self, step: f64, common: &Common) -> (f64, f64) {
        let n = f64::from(self.reference.n).max(1.0);
        let growth = 1.0 + common.growth.max(0.0);
        // One object more: who never reads a new one may read one.
        let mean = (f64::from(self.reference.sum) + 1.0) / n;
        let own = (f64::from(self.reference.squares) / n - mean * mean).max(0.0);
        let everyone = common.news_spread() * (mean + 1.0).powi(2);
        let variance = (n * own + NEWS_SPREAD_PRIOR * everyone) / (n + NEWS_SPREAD_PRIOR);
        (mean * growth, variance.max(mean * step) * growth * growth)
    }

    fn next(&self, day: i32, (news, step): (f64, f64), common: &Common) -> Runs {
        let (mean, variance) = self.law(step, common);
        let (z, most) = ((news - mean) / variance.sqrt(), mean + Z_MAX * variance.sqrt());
        // Small counts may be many deviations away and are still small.
        with(&self.runs, day, z, (news.min(most + NEWS_HELD_MIN), mean))
    }

    /// Whether days add up.
    pub(crate) fn runs(&self) -> bool {
        run_on(&self.runs)
    }

    /// Whether they add up to so much that they are no measure of others.
    pub(crate) fn is_suspect(&self, step: f64, common: &Common) -> bool {
        let (_, variance) = self.law(step, common);
        let reference = f64::from(self.reference.n).max(1.0);
        self.runs.iter().filter(|run| run.days > 0).any(|run| {
            let days = f64::from(run.days);
            let error = (variance * days * (1.0 + days / reference)).sqrt();
            f64::from(run.sum - run.expected) >= SUSPECT * error
        })
    }

    /// Whether a day is above what is usual for it, as far as that is known: so many new objects, in steps of
    /// so many.
    pub(crate) fn is_above(&self, news: (f64, f64), common: &Common) -> bool {
        self.reference.n as u16 >= DAYS_MIN && news.0 > self.law(news.1, common).0
    }

    /// How far the days with this one have drifted: so many new objects, in steps of so many.
    pub(crate) fn read(&self, day: i32, news: (f64, f64), common: &Common) -> Option<Drifted> {
        let reference = self.reference.n as u16;
        if reference < DAYS_MIN {
            return None;
        }
        let (usual, variance) = self.law(news.1, common);
        let is_above = news.0 > usual;
        let shared = GROWTH_SPREAD * common.growth.max(0.0) / (1.0 + common.growth.max(0.0));
        let drifted = |run: Run| {
            let (days, mean) = (f64::from(run.days), f64::from(run.expected).max(1e-6));
            let variance = variance * days * (1.0 + days / f64::from(reference));
            let variance = variance + (shared * mean).powi(2);
            let law = Law::Objects { mean, variance, looks: looks(days) };
            let ratio = if run.days == 0 { 0.0 } else { f64::from(run.sum) / mean };
            let surprise = if ratio > 1.0 { law.surprise(ratio) } else { 0.0 };
            Drifted { run, ratio, surprise, law, reference, is_above }
        };
        self.next(day, news, common).into_iter().map(drifted).reduce(odder)
    }

    pub(crate) fn learn(
        &mut self,
        day: i32,
        (mut news, step): (f64, f64),
        is_withheld: Option<bool>,
        (common, grown): (&Common, &mut Grown),
    ) {
        if self.warm < WARM_DAYS {
            self.warm += 1;
            return;
        }
        if self.reference.n >= f32::from(DAYS_MIN) {
            let (mean, variance) = self.law(step, common);
            self.runs = self.next(day, (news, step), common);
            // Everybody counts the same, however much they read.
            let usual = mean / (1.0 + common.growth.max(0.0));
            let grew = ((news + 1.0) / (usual + 1.0)).min(GROWTH_MAX) - 1.0;
            grown.add(grew, ((news - mean) / (mean + 1.0)).clamp(-HELD, HELD));
            news = news.min(mean + HELD * variance.sqrt());
        }
        if run_over(&self.runs) {
            *self = Self::anew();
            return;
        }
        if !is_withheld.is_some_and(|it| it || self.is_suspect(step, common)) {
            self.reference.add(news / (1.0 + common.growth.max(0.0)), 1.0);
        }
    }
}

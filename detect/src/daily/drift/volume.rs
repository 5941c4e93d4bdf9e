//! A volume of an identity's days against the days that it was first known by.

use super::trend::{Common, Grown};
use super::{
    DAYS_MIN, Drifted, GROWTH_SPREAD, HELD, Law, RUN_DAYS_MIN, Run, Runs, SUSPECT, Z_MAX, Z_MIN,
    looks, odder, run_on, run_over, with,
};
use serde::{Deserialize, Serialize};

/// Days of all kinds that weigh at most as much as those of a weekday of its own.
const WEEKDAY_PRIOR_MAX: f64 = 30.0;
/// What everyone's spread of ln(volume) weighs beside an identity's own, in days.
const SPREAD_PRIOR: f64 = 0.5;
/// No identity is so regular that less than this is a deviation: 10 %.
const SCALE_MIN: f64 = 0.1;

/// A volume per day, as logarithms: bytes out, or calls at an endpoint.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Volume {
    days: u16,
    sum: f32,
    weekday_days: [u8; 7],
    weekday_sum: [f32; 7],
    within_days: u16,
    within: f32,
    runs: Runs,
}

impl Volume {
    /// The volume that is usual for a day of that kind, everyone's growth in them.
    pub(crate) fn usual(&self, day: i32, common: &Common) -> Option<f64> {
        Some((self.centre(day, common)? + common.growth).exp_m1())
    }

    /// What a day of that kind is expected to have: its weekday's, drawn to all days' the more, the less
    /// weekdays differ. Of a weekday that it never had something is known where weekdays do not differ.
    fn centre(&self, day: i32, common: &Common) -> Option<f64> {
        let all = (self.days > 0).then(|| f64::from(self.sum) / f64::from(self.days))?;
        let weekday = day.rem_euclid(7) as usize;
        let days = f64::from(*self.weekday_days.get(weekday)?);
        let sum = f64::from(*self.weekday_sum.get(weekday)?);
        let prior = self.weekday_prior(all, common);
        let is_known = days > 0.0 || prior >= WEEKDAY_PRIOR_MAX;
        is_known.then(|| (sum + prior * all) / (days + prior))
    }

    /// Days that all days weigh as beside those of one weekday: the variance within weekdays over that
    /// between them, the normal model's own weight (Gelman et al., Bayesian Data Analysis, §5.4).
    fn weekday_prior(&self, all: f64, common: &Common) -> f64 {
        let within = self.scale(common).powi(2);
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

    pub(crate) fn scale(&self, common: &Common) -> f64 {
        let prior = SPREAD_PRIOR * common.spread();
        let variance =
            (f64::from(self.within) + prior) / (f64::from(self.within_days) + SPREAD_PRIOR);
        variance.sqrt().max(SCALE_MIN)
    }

    /// By how much ln(volume) is above what is usual for such a day.
    fn residual(&self, day: i32, volume: f64, common: &Common) -> Option<f64> {
        Some(volume.ln_1p() - self.centre(day, common)? - common.growth)
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

    /// Whether as many days add up as a finding takes.
    pub(crate) fn runs_long(&self) -> bool {
        self.runs.iter().any(|run| run.days >= RUN_DAYS_MIN)
    }

    /// Whether days are known.
    pub(crate) const fn is_known(&self) -> bool {
        self.days > 1
    }

    /// Whether enough days are known to read others by them.
    pub(crate) const fn is_measured(&self) -> bool {
        self.days >= DAYS_MIN
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

    /// Whether a day is above what is usual for it, as far as that is known.
    pub(crate) fn is_above(&self, day: i32, volume: f64, common: &Common) -> bool {
        self.is_measured() && self.residual(day, volume, common).is_some_and(|it| it > 0.0)
    }

    pub(crate) fn read(&self, day: i32, volume: f64, common: &Common) -> Option<Drifted> {
        let residual = self.residual(day, volume, common).filter(|_| self.is_measured())?;
        let (scale, reference) = (self.scale(common), f64::from(self.days));
        let shared = GROWTH_SPREAD * common.growth.abs();
        let is_above = residual > 0.0;
        let drifted = |run: Run| {
            let days = f64::from(run.days.max(1));
            let law = Law::Volume {
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
        volume: f64,
        is_withheld: Option<bool>,
        (common, grown): (&Common, &mut Grown),
    ) {
        let scale = self.scale(common);
        let was_suspect = self.is_suspect(scale);
        let residual = self.residual(day, volume, common);
        let held = residual.map(|it| it.clamp(-HELD * scale, HELD * scale));
        if let (Some(residual), Some(held)) = (residual.filter(|_| self.is_measured()), held) {
            grown.add(common.growth + held, held);
            self.runs = self.next(day, residual, scale);
        }
        if run_over(&self.runs) {
            *self = Self::default();
            return;
        }
        let weekday = day.rem_euclid(7) as usize;
        let is_known = self.weekday_days.get(weekday).is_some_and(|days| *days > 0);
        // The first Sunday may be as loud as all Sundays are: it alone is no reason to leave it out.
        let is_suspect = if is_known { self.is_suspect(scale) } else { was_suspect };
        if is_withheld.is_some_and(|it| it || is_suspect) {
            return;
        }
        // A first weekend that is no such day at all says nothing of how days vary.
        let is_such = is_known || residual.is_some_and(|it| it.abs() < HELD * scale);
        if let Some(held) = held.filter(|_| is_such) {
            self.within_days = self.within_days.saturating_add(1);
            self.within += held.powi(2) as f32;
        }
        // What everyone grew by is not this one's.
        let own = volume.ln_1p() - common.growth;
        let at = match (self.centre(day, common), held) {
            (Some(centre), Some(held)) if is_known => centre + held,
            _ => own,
        };
        self.days = self.days.saturating_add(1);
        self.sum += at as f32;
        if let (Some(days), Some(sum)) =
            (self.weekday_days.get_mut(weekday), self.weekday_sum.get_mut(weekday))
            && *days < u8::MAX
        {
            *days += 1;
            *sum += at as f32;
        }
    }
}

//! How often a surprise is exceeded: counted where there are many, and a tail fitted to the rest.

use super::UNITS;
use crate::snapshot::plain;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The largest share of windows that the tail is fitted to, and the exceedances that are enough: among many
/// windows a higher threshold says more of what is rarest, which is all that findings are about.
const TAIL_SHARE_MAX: f64 = 0.02;
const EXCEEDANCES: f64 = 1_000.0;
/// Exceedances from which on there are twenty beyond the rarer of the two quantiles.
const FAR_MIN: f64 = 16.0 * 20.0;
/// The scale of a tail before there are exceedances.
const SCALE_UNSEEN: f64 = 2.0 / std::f64::consts::LN_10;
/// How many windows that doubt weighs as much as.
pub(super) const DOUBT_WINDOWS: f64 = 100.0;
/// Exceedances that the prior scale weighs as much as.
const SCALE_PRIOR: f64 = 25.0;
/// Exceedances that the prior shape weighs as much as, and that shape.
const SHAPE_PRIOR: (f64, f64) = (50.0, 0.1);
/// Fewest windows for an empirical threshold.
const WINDOWS_MIN: u64 = 100;
/// Standard errors by which a fitted scale is raised.
const CONFIDENCE: f64 = 2.0;
/// Points at which the empirical part is kept.
const KNOTS: usize = 48;

/// What the sample says about how often a surprise is exceeded.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Law {
    /// Windows that it rests on.
    pub(super) n: f64,
    /// The share of windows above the threshold.
    tail: f64,
    threshold: f64,
    scale: f64,
    shape: f64,
    /// −log10 of the share above k/KNOTS of the threshold.
    #[serde(with = "plain")]
    knots: [f64; KNOTS + 1],
}

impl Law {
    /// The law of so many windows.
    pub(super) fn of(windows: &Histogram<u64>) -> Self {
        let n = windows.len();
        let at = |share: f64| (windows.value_at_quantile(1.0 - share) as f64 - 1.0) / UNITS;
        let scale_prior = SCALE_UNSEEN;
        if n < WINDOWS_MIN {
            return Self {
                n: 0.0,
                tail: TAIL_SHARE_MAX,
                threshold: 0.0,
                scale: scale_prior,
                shape: SHAPE_PRIOR.1,
                knots: [0.0; KNOTS + 1],
            };
        }
        let tail = (EXCEEDANCES / n as f64).min(TAIL_SHARE_MAX);
        let (threshold, exceedances) = (at(tail), n as f64 * tail);
        let (quarter, sixteenth) = (at(tail / 4.0) - threshold, at(tail / 16.0) - threshold);
        // x(t) = σ/ξ (t^−ξ − 1): the ratio of the two quantiles is 4^ξ + 1.
        let raw_shape = if quarter > 0.0 {
            ((sixteenth / quarter - 1.0).max(1e-3)).ln() / 4_f64.ln()
        } else {
            0.0
        };
        let (weight, prior) = SHAPE_PRIOR;
        let shape =
            ((exceedances * raw_shape + weight * prior) / (exceedances + weight)).clamp(0.02, 0.5);
        // Where the shape is not the sample's own the tail goes through the rarer of the two, if an attack
        // could not move that either.
        let (at, part) = if exceedances >= FAR_MIN { (sixteenth, 16_f64) } else { (quarter, 4.0) };
        let raw_scale = at * shape / (part.powf(shape) - 1.0);
        let scale =
            (exceedances * raw_scale + SCALE_PRIOR * scale_prior) / (exceedances + SCALE_PRIOR);
        // A scale estimated from k exceedances is known to within 1/√k: take its upper end, so that
        // a small sample is never the reason for an alarm.
        let scale = scale * (1.0 + CONFIDENCE / exceedances.sqrt());
        let mut knots = [0.0; KNOTS + 1];
        for (index, knot) in knots.iter_mut().enumerate() {
            let surprise = threshold * index as f64 / KNOTS as f64;
            let above = n - windows.count_between(0, (surprise * UNITS) as u64);
            *knot = -(above.max(1) as f64 / n as f64).log10();
        }
        Self { n: n as f64, tail, threshold, scale: scale.max(0.05), shape, knots }
    }

    /// One over the share of windows that are as odd, those that only `doubt` speaks for among them.
    pub(super) fn score(&self, surprise: f64, doubt: f64) -> f64 {
        let doubted = 10_f64.powf(-surprise.max(0.0) / doubt);
        let seen = if self.n == 0.0 {
            1.0
        } else if surprise <= self.threshold {
            let place = (surprise / self.threshold.max(1e-9)).clamp(0.0, 1.0) * KNOTS as f64;
            let (index, part) = (place as usize, place.fract());
            let low = self.knots.get(index).copied().unwrap_or(0.0);
            let high = self.knots.get(index + 1).copied().unwrap_or(low);
            10_f64.powf(-(low + part * (high - low)))
        } else {
            let excess = (surprise - self.threshold) / self.scale;
            self.tail * (1.0 + self.shape * excess).powf(-1.0 / self.shape)
        };
        let share = (DOUBT_WINDOWS * doubted + self.n * seen) / (DOUBT_WINDOWS + self.n);
        1.0 / share.clamp(1e-300, 1.0)
    }
}

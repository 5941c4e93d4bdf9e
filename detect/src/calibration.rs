//! One scale for all detectors: how many windows of ordinary traffic one must look at to see this once.
//!
//! Raw surprises of different detectors are not comparable: each model is wrong in its own way.
//! Each detector keeps the surprises of recent windows. Below their 98th percentile, or where there are
//! many windows a higher one, the share that was higher is counted; above it a generalised Pareto tail is
//! fitted (peaks over threshold: Coles, An Introduction to Statistical Modeling of Extreme Values, 2001,
//! ch. 4). The tail's two parameters come from two of its own quantiles (elemental percentiles: Castillo
//! and Hadi, JASA 92, 1997), which an attack in the sample cannot move unless it is a large part of the tail.

mod law;
mod lending;
mod said;
mod shared;

use crate::snapshot::plain::{self, Plain};
use hdrhistogram::Histogram;
use law::{DOUBT_WINDOWS, Law};
use lending::Lending;
use model::time::{NS_PER_D, NS_PER_H};
use model::{Detector, Time};
use said::Said;
use serde::{Deserialize, Serialize};
pub(crate) use shared::{Shared, occasions};

/// Histogram units in one unit of surprise.
const UNITS: f64 = 1_000.0;
/// The largest surprise that the histogram tells apart.
const SURPRISE_MAX: f64 = 1e6;
/// Before there are windows, a surprise s is believed as 10^(−s/doubt). A fitted law is too narrow as a
/// rule, so that half of its surprise is believed; a share that was counted, and a likelihood ratio
/// that bounds itself, are believed more.
const fn doubt(detector: Detector) -> f64 {
    match detector {
        Detector::FirstSeenEndpoint
        | Detector::NewNetwork
        | Detector::Inventory
        | Detector::ToxicFlow
        | Detector::ToolDrift
        | Detector::AgentGraph
        | Detector::IdentityExplosion
        | Detector::NotItself => 1.25,
        _ => 2.0,
    }
}
/// Event time after which a sample makes room for the next.
const PERIOD_NS: i64 = 30 * NS_PER_D;
/// A law is fitted again when its sample has grown by this factor.
const REFIT_GROWTH: f64 = 1.02;
/// Beyond this a score says nothing more.
const SCORE_MAX: f64 = 1e300;
/// Windows of ordinary traffic among which a surprise is one of a kind: from there on what goes on is
/// one occasion.
const RARE_SCORE: f64 = 1_000.0;
/// The part of a log's first day that is kept of it, and the windows that are kept of it at least.
const FIRST_DAY_KEPT: f64 = 0.1;
const FIRST_DAY_MIN: f64 = 5_000.0;

/// The surprises of one detector's recent windows: those in which it had anything to read.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Sample {
    #[serde(with = "plain")]
    windows: Histogram<u64>,
    /// The same of the period before, so that 30 to 60 days are remembered.
    #[serde(with = "plain")]
    before: Histogram<u64>,
    law: Law,
    /// Windows in which it could have had something to read: of those that the histograms stand for, and all.
    judged: f64,
    judged_all: f64,
    /// The share of those in which it had.
    share: f64,
    /// The smallest surprise with [`RARE_SCORE`].
    rare_from: f32,
    /// What was raised of late.
    said: Said,
    /// The parts of windows that raised and are no whole one yet ([`Calibration::learn_raised`]).
    owed: f64,
}

/// The calibration of every detector of one tenant.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Calibration {
    samples: [Sample; Detector::ALL.len()],
    period: i64,
    lending: Lending,
}

impl Calibration {
    pub(crate) fn new() -> Self {
        let samples = std::array::from_fn(|_| Sample::new());
        Self { samples, period: i64::MIN, lending: Lending::default() }
    }

    /// Takes in the surprises of closed windows; they count from the next [`Calibration::fit`] on.
    pub(crate) fn learn(&mut self, detector: Detector, surprises: &[f32]) {
        let Some(sample) = self.samples.get_mut(detector as usize) else { return };
        for surprise in surprises {
            let units = (f64::from(*surprise).clamp(0.0, SURPRISE_MAX) * UNITS) as u64;
            sample.windows.saturating_record(units + 1);
        }
    }

    /// Takes in one thing that raised a finding beyond that cut: as at its cut, and no more often than what is at
    /// the cut is seen. Where fewer windows were judged than that, a whole one would make the cut itself
    /// frequent, and one attack would hide the next. What is far beyond the ordinary says nothing about it.
    pub(crate) fn learn_raised(&mut self, (detector, cut): (Detector, f64), surprise: f64) {
        let most = self.surprise_at(detector, cut);
        let Some(sample) = self.samples.get_mut(detector as usize) else { return };
        sample.owed += (sample.judged / cut).clamp(0.0, 1.0);
        if sample.owed >= 1.0 {
            sample.owed -= 1.0;
            self.learn(detector, &[surprise.min(most).max(0.0) as f32]);
        }
    }

    /// Goes on to an hour, before what was raised in it is counted.
    pub(crate) fn pass(&mut self, now: Time) {
        self.lending.pass(now.ns().div_euclid(NS_PER_H));
    }

    /// Takes in the surprises of windows that raised a finding beyond that cut.
    pub(crate) fn note_said(
        &mut self,
        (detector, cut): (Detector, f64),
        surprises: &[f32],
        now: Time,
    ) {
        let day = now.ns().div_euclid(NS_PER_D);
        for surprise in surprises {
            self.lending.note(detector, self.score(detector, f64::from(*surprise)) / cut);
        }
        let Some(sample) = self.samples.get_mut(detector as usize) else { return };
        for surprise in surprises {
            sample.said.add(day, *surprise);
        }
    }

    /// Takes in a finding about something that is no identity, as part of what is used of the budget.
    pub(crate) fn note_raised(&mut self, (detector, cut): (Detector, f64), surprise: f64) {
        self.lending.note(detector, self.score(detector, surprise) / cut);
    }

    /// By what the cuts of a budget of findings a day may be divided, because it is not used up.
    pub(crate) fn lent(&self, budget: f64) -> f64 {
        self.lending.factor(budget)
    }

    /// Takes in how many more windows a detector could have read something in.
    pub(crate) fn judge(&mut self, detector: Detector, windows: u64) {
        if let Some(sample) = self.samples.get_mut(detector as usize) {
            sample.judged += windows as f64;
            sample.judged_all += windows as f64;
            sample.said.judge(windows as f64);
        }
    }

    /// Forgets what is older than one to two periods of 30 days of event time.
    pub(crate) fn age(&mut self, now: Time) {
        let period = now.ns().div_euclid(PERIOD_NS);
        if self.period != i64::MIN && period > self.period {
            for sample in &mut self.samples {
                let emptied = std::mem::replace(&mut sample.before, sample.windows.clone());
                drop(emptied);
                sample.windows.reset();
                sample.judged /= 2.0;
                sample.judged_all /= 2.0;
            }
        }
        self.period = period;
        for sample in &mut self.samples {
            sample.said.age(now.ns().div_euclid(NS_PER_D));
        }
    }

    /// Ends a log's first day: whatever anybody did was new then, and seldom once more. It goes on as what a
    /// part of its windows say, so that it is no measure of the days to come.
    pub(crate) fn end_first_day(&mut self) {
        for sample in &mut self.samples {
            let n = (sample.windows.len() + sample.before.len()) as f64;
            let kept = (FIRST_DAY_KEPT * n).max(FIRST_DAY_MIN) / n.max(1.0);
            if kept < 1.0 {
                sample.windows = thinned(&sample.windows, kept);
                sample.before = thinned(&sample.before, kept);
                sample.judged *= kept;
            }
        }
    }

    /// Fits every detector's law to what was learned.
    pub(crate) fn fit(&mut self) {
        for sample in &mut self.samples {
            let seen = sample.windows.len() + sample.before.len();
            let read = seen as f64 + DOUBT_WINDOWS;
            sample.share = (read / (sample.judged + DOUBT_WINDOWS)).min(1.0);
            // A law moves little with a few more windows, and fitting one walks the histogram.
            if seen as f64 >= sample.law.n * REFIT_GROWTH || (seen as f64) < sample.law.n {
                let mut both = sample.before.clone();
                // The two have the same bounds, so that adding cannot fail.
                if both.add(&sample.windows).is_ok() {
                    sample.law = Law::of(&both);
                }
            }
        }
        for detector in Detector::ALL {
            // By its law alone: what was said of late moves nothing that it is measured by itself.
            let rare_from = self.surprise_by_law(*detector, RARE_SCORE) as f32;
            if let Some(sample) = self.samples.get_mut(*detector as usize) {
                sample.rare_from = rare_from;
            }
        }
    }

    /// Whether a surprise is one in a thousand windows or rarer.
    pub(crate) fn is_rare(&self, detector: Detector, surprise: f32) -> bool {
        self.samples.get(detector as usize).is_some_and(|it| surprise >= it.rare_from)
    }

    /// Whether a surprise is far beyond what is ordinary, and few such were said lately: an attack may exceed
    /// the budget. What is watched beside identities is told by its own rules.
    pub(crate) fn is_far(&self, detector: Detector, surprise: f64) -> bool {
        !detector.is_beside_identities()
            && self.samples.get(detector as usize).is_some_and(|it| it.is_far(surprise))
    }

    /// Whether a surprise that is far beyond what is ordinary stays below a cut only because so many like it
    /// were said.
    pub(crate) fn is_held_back(&self, detector: Detector, surprise: f64, cut: f64) -> bool {
        let is_beyond = |it: &Sample| said::is_beyond(surprise, f64::from(it.rare_from));
        self.samples.get(detector as usize).is_some_and(is_beyond)
            && self.by_law(detector, surprise) >= cut
            && self.score(detector, surprise) < cut
    }

    /// How many windows of ordinary traffic one must look at to see `surprise` once; at least 1.
    pub(crate) fn score(&self, detector: Detector, surprise: f64) -> f64 {
        let by_law = self.by_law(detector, surprise);
        let sample = self.samples.get(detector as usize);
        let held = sample.map_or(1.0, |sample| {
            let rare_from = f64::from(sample.rare_from);
            let is_free = !detector.is_beside_identities() && sample.is_far(surprise);
            if is_free { by_law } else { sample.said.hold(by_law, surprise, rare_from) }
        });
        held.min(SCORE_MAX)
    }

    /// The same as the fitted law has it, whatever was said of late.
    fn by_law(&self, detector: Detector, surprise: f64) -> f64 {
        let sample = self.samples.get(detector as usize);
        sample.map_or(1.0, |it| it.law.score(surprise, doubt(detector)) / it.share)
    }

    /// Windows that a detector judged so far, older ones decayed: what a score can rest on.
    pub(crate) fn judged(&self, detector: Detector) -> f64 {
        self.samples.get(detector as usize).map_or(0.0, |sample| sample.judged_all)
    }

    /// The smallest surprise with at least `score` by the fitted law, whatever was said of late.
    pub(crate) fn surprise_by_law(&self, detector: Detector, score: f64) -> f64 {
        smallest(|surprise| self.by_law(detector, surprise), score)
    }

    /// The smallest surprise with at least `score`.
    pub(crate) fn surprise_at(&self, detector: Detector, score: f64) -> f64 {
        smallest(|surprise| self.score(detector, surprise), score)
    }
}

/// The smallest surprise of which a score is at least so much.
fn smallest(of: impl Fn(f64) -> f64, score: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while of(high) < score && high < SURPRISE_MAX {
        high *= 2.0;
    }
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if of(middle) < score { low = middle } else { high = middle }
    }
    high
}

impl Sample {
    fn new() -> Self {
        let windows = no_windows();
        let law = Law::of(&windows);
        // Nothing is rare before there is anything to compare it with.
        let rare_from = f32::INFINITY;
        let said = Said::default();
        let before = windows.clone();
        Self {
            windows,
            before,
            law,
            judged: 0.0,
            judged_all: 0.0,
            share: 1.0,
            rare_from,
            said,
            owed: 0.0,
        }
    }

    /// Whether a surprise is far beyond what is ordinary, and few such were said lately.
    fn is_far(&self, surprise: f64) -> bool {
        self.said.is_far(surprise, f64::from(self.rare_from))
    }
}

/// A part of the windows, from the oddest down, so that each part of a tail keeps its share.
fn thinned(windows: &Histogram<u64>, kept: f64) -> Histogram<u64> {
    let (mut left, mut owed) = (no_windows(), 0.5);
    let mut each = windows.to_plain();
    each.reverse();
    for (value, count) in each {
        owed += kept * count as f64;
        let whole = owed.floor();
        owed -= whole;
        if whole >= 1.0 {
            left.saturating_record_n(value, whole as u64);
        }
    }
    left
}

/// A histogram of 1 to 1e9 units at two digits: 22 KiB.
fn no_windows() -> Histogram<u64> {
    let windows = Histogram::new_with_bounds(1, (SURPRISE_MAX * UNITS) as u64, 2);
    windows.unwrap_or_else(|_| unreachable_bounds())
}

/// The lowest value of every bucket that has any, in order, and how many it has.
impl Plain for Histogram<u64> {
    type As = Vec<(u64, u64)>;

    fn to_plain(&self) -> Self::As {
        let filled = self.iter_recorded();
        filled
            .map(|it| (self.lowest_equivalent(it.value_iterated_to()), it.count_at_value()))
            .collect()
    }

    fn from_plain(filled: Self::As) -> Option<Self> {
        let mut windows = no_windows();
        if !filled.is_sorted_by(|(a, _), (b, _)| a < b) {
            return None;
        }
        let mut total = 0_u64;
        for (value, count) in filled {
            total = total.checked_add(count)?;
            windows.record_n(value, count).ok()?;
        }
        Some(windows)
    }
}

#[expect(clippy::panic, reason = "the bounds are constants, and a test builds them")]
fn unreachable_bounds() -> Histogram<u64> {
    panic!("the histogram's constant bounds are legal")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(n: u32, scale: f64) -> Vec<f32> {
        // The quantiles of an exponential law, in place of draws from it.
        (0..n).map(|i| (-scale * (1.0 - (f64::from(i) + 0.5) / f64::from(n)).ln()) as f32).collect()
    }

    fn calibrated(surprises: &[f32]) -> Calibration {
        let mut calibration = Calibration::new();
        calibration.learn(Detector::EgressSpike, surprises);
        calibration.judge(Detector::EgressSpike, surprises.len() as u64);
        calibration.fit();
        calibration
    }

    #[test]
    fn one_alarm_among_few_windows_does_not_hide_the_next() {
        const ODD: f64 = 20.0;
        let (detector, cut) = (Detector::EgressSpike, 10_000.0);
        let surprises = exponential(300, 1.0 / std::f64::consts::LN_10);
        let mut calibration = calibrated(&surprises);
        let before = calibration.score(detector, ODD);
        assert!(before >= cut, "{before}");
        let mut whole = calibrated(&surprises);
        whole.learn(detector, &[whole.surprise_at(detector, cut) as f32]);
        whole.learn(detector, &exponential(10, 0.1));
        whole.fit();
        for _ in 0..33 {
            calibration.learn_raised((detector, cut), ODD);
        }
        calibration.learn(detector, &exponential(10, 0.1));
        calibration.fit();
        let after = calibration.score(detector, ODD);
        assert!(after > 0.9 * before, "{before} became {after}: 33 of 300 windows are none yet");
        assert!(whole.score(detector, ODD) < after);
        // Of many windows each is one.
        let mut many = calibrated(&exponential(20_000, 0.4));
        let seen = |it: &Calibration| it.samples[detector as usize].windows.len();
        many.learn_raised((detector, cut), ODD);
        assert_eq!(seen(&many), 20_001);
    }

    #[test]
    fn what_is_far_beyond_the_ordinary_is_no_measure_and_holds_back_nobody() {
        let (detector, now) = (Detector::EgressSpike, Time::default());
        let mut calibration = calibrated(&exponential(20_000, 1.0));
        assert!(calibration.is_far(detector, 158.0) && !calibration.is_far(detector, 40.0));
        let of_a_thief = calibration.score(detector, 40.0);
        assert!(of_a_thief > 1e5, "{of_a_thief}");
        calibration.note_said((detector, 1e4), &[158.0; 100], now);
        assert!(calibration.score(detector, 158.0) > 1e5);
        assert!(calibration.score(detector, 40.0) >= of_a_thief, "decoys hold back nobody");
        calibration.note_said((detector, 1e4), &[158.0; 200], now);
        assert!(!calibration.is_far(detector, 158.0), "a change of everybody's");
        assert!(calibration.is_held_back(detector, 158.0, 1e4));
        assert!(!calibration.is_held_back(detector, 5.0, 1e4), "what is ordinary is learned");
        let beside = Detector::UnauthenticatedSuccess;
        calibration.learn(beside, &exponential(20_000, 1.0));
        calibration.judge(beside, 20_000);
        calibration.fit();
        assert!(!calibration.is_far(beside, 158.0), "it is told by its own rules");
    }

    #[test]
    fn an_honest_model_is_believed() {
        let calibration = calibrated(&exponential(50_000, 1.0 / std::f64::consts::LN_10));
        for surprise in [1.0, 2.0, 3.0, 4.0] {
            let score = calibration.score(Detector::EgressSpike, surprise).log10();
            assert!((score - surprise).abs() < 0.5, "{surprise} became {score}");
        }
    }

    #[test]
    fn an_overconfident_model_is_scaled_back() {
        let calibration = calibrated(&exponential(50_000, 5.0));
        let score = calibration.score(Detector::EgressSpike, 20.0);
        assert!((20.0..300.0).contains(&score), "{score}");
    }

    #[test]
    fn an_attack_in_the_sample_does_not_hide_itself() {
        let mut surprises = exponential(20_000, 0.5);
        let clean = calibrated(&surprises).score(Detector::EgressSpike, 30.0);
        surprises.extend([30.0; 12]);
        let dirty = calibrated(&surprises).score(Detector::EgressSpike, 30.0);
        assert!(clean > 1e5 && dirty > 1e4, "{clean} fell to {dirty}");
    }

    #[test]
    fn what_seldom_has_anything_to_read_is_rarer_for_it() {
        let surprises = exponential(5_000, 0.5);
        let mut seldom = Calibration::new();
        seldom.learn(Detector::EgressSpike, &surprises);
        seldom.judge(Detector::EgressSpike, 500_000);
        seldom.fit();
        let often = calibrated(&surprises).score(Detector::EgressSpike, 3.0);
        let ratio = seldom.score(Detector::EgressSpike, 3.0) / often;
        assert!((50.0..150.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_higher_surprise_has_no_lower_score() {
        let calibration = calibrated(&exponential(5_000, 1.3));
        let scores: Vec<_> = (0..400)
            .map(|i| calibration.score(Detector::EgressSpike, f64::from(i) * 0.1))
            .collect();
        assert!(scores.windows(2).all(|pair| pair[0] <= pair[1] * 1.000_001), "{scores:?}");
    }

    #[test]
    fn the_surprise_of_a_score_is_found_again() {
        let calibration = calibrated(&exponential(5_000, 1.3));
        let surprise = calibration.surprise_at(Detector::EgressSpike, 1e4);
        let score = calibration.score(Detector::EgressSpike, surprise);
        assert!((score / 1e4 - 1.0).abs() < 0.01, "{score}");
    }

    #[test]
    fn a_first_day_is_no_measure_of_the_days_to_come() {
        let detector = Detector::EgressSpike;
        let mut calibration = calibrated(&exponential(50_000, 1.5));
        let before = calibration.score(detector, 5.0);
        calibration.end_first_day();
        calibration.fit();
        let after = calibration.score(detector, 5.0);
        assert!((0.6..1.1).contains(&(after / before)), "as odd as it was: {before}, {after}");
        assert!((calibration.judged(detector) - 50_000.0).abs() < 1.0, "what was judged was");
        calibration.learn(detector, &exponential(50_000, 0.4));
        calibration.judge(detector, 50_000);
        calibration.fit();
        let mut both = calibrated(&exponential(50_000, 1.5));
        both.learn(detector, &exponential(50_000, 0.4));
        both.judge(detector, 50_000);
        both.fit();
        let ratio = calibration.score(detector, 5.0) / both.score(detector, 5.0);
        assert!(ratio > 3.0, "{ratio}");
        // What is too little to say anything is kept whole.
        let mut few = calibrated(&exponential(4_000, 1.5));
        few.end_first_day();
        assert!((few.judged(detector) - 4_000.0).abs() < 1e-9);
    }

    #[test]
    fn a_histogram_that_was_written_and_read_has_the_same_quantiles() {
        let mut windows = no_windows();
        let mut value = 1_u64;
        for step in 0..4_000_u64 {
            value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
            windows.saturating_record((value >> 20) >> (value % 44));
        }
        windows.saturating_record(u64::MAX);
        let back = Histogram::from_plain(windows.to_plain()).unwrap();
        assert_eq!(back, windows);
        assert_eq!(back.to_plain(), windows.to_plain());
        for step in 0..=10_000 {
            let quantile = f64::from(step) / 10_000.0;
            assert_eq!(back.value_at_quantile(quantile), windows.value_at_quantile(quantile));
        }
        assert_eq!(Histogram::from_plain(vec![(7, 1), (7, 1)]), None);
        assert_eq!(Histogram::from_plain(vec![(u64::MAX, 1)]), None);
        assert_eq!(Histogram::from_plain(vec![(7, u64::MAX), (9, 1)]), None);
    }

    #[test]
    fn before_any_window_a_model_is_doubted() {
        let calibration = Calibration::new();
        assert!(calibration.score(Detector::EgressSpike, 4.0) < 1_000.0);
        assert!(calibration.score(Detector::EgressSpike, 9.0) > 1e4);
    }
}

//! Sizes: a sparse log-binned histogram with a decayed and an undecayed view.

use crate::snapshot::plain::Plain;
use serde::{Deserialize, Serialize};

/// Bins per unit of ln(1 + x): a bin is 13 % wide.
const BINS_PER_UNIT: f64 = 8.0;
/// ln(1 + x) of the largest size that is told apart (e³⁶ bytes are 4 exabytes).
const UNITS_MAX: f64 = 36.0;
/// A quantile above the median at which the spread is measured, and where a standard normal law has it.
type Upper = (f64, f64);
const UPPER: Upper = (0.9, 1.281_6);
const UPPER_FAR: Upper = (0.975, 1.96);
/// The far quantile with fewer windows above it is what those few say, and they may be an attacker's.
const ABOVE_MIN: f64 = 3.0;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Bin {
    at: u16,
    fast: f32,
    slow: f32,
}

/// A histogram of ln(1 + x), sparse and sorted; at most 289 bins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sketch {
    bins: Vec<Bin>,
}

/// The middle of ln(1 + x), and its spread upwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The median of ln(1 + x).
    pub median: f64,
    /// The standard deviation of a normal law that reaches as far above the median as the sizes do.
    pub upper: f64,
    /// The weight that it rests on, in windows.
    pub n: f64,
}

/// Which view of a sketch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum View {
    /// Decayed: what has been usual lately.
    Fast,
    /// Undecayed: what has been usual at all, so that slow drift cannot launder itself.
    Slow,
}

impl Sketch {
    /// The first bin: read before it is needed.
    pub(crate) fn glance(&self) -> u64 {
        self.bins.first().map_or(0, |bin| u64::from(bin.at))
    }

    /// Adds one size of at least 0, weighed by `weight` (0 to 1).
    pub fn add(&mut self, size: f64, weight: f64) {
        let at = bin_of(size);
        let weight = weight as f32;
        match self.bins.binary_search_by_key(&at, |bin| bin.at) {
            Ok(index) => {
                if let Some(bin) = self.bins.get_mut(index) {
                    bin.fast += weight;
                    bin.slow += weight;
                }
            }
            Err(index) => self.insert(index, Bin { at, fast: weight, slow: weight }),
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for bin in &other.bins {
            match self.bins.binary_search_by_key(&bin.at, |own| own.at) {
                Ok(index) => {
                    if let Some(own) = self.bins.get_mut(index) {
                        own.fast += bin.fast;
                        own.slow += bin.slow;
                    }
                }
                Err(index) => self.insert(index, *bin),
            }
        }
    }

    fn insert(&mut self, index: usize, bin: Bin) {
        if self.bins.len() == self.bins.capacity() {
            // Doubling would waste half of a small sketch, and there are many of those.
            self.bins.reserve_exact((self.bins.len() / 4).max(2));
        }
        self.bins.insert(index, bin);
    }

    /// Forgets a part of the decayed view: its weights times `factor` (0 to 1).
    pub fn decay(&mut self, factor: f32) {
        for bin in &mut self.bins {
            bin.fast *= factor;
        }
    }

    /// The size at `quantile` (0 to 1) of a view; 0 without any.
    pub fn quantile(&self, view: View, quantile: f64) -> f64 {
        let total = self.weight(view);
        let mut before = 0.0;
        for bin in &self.bins {
            let weight = bin.weight(view);
            if weight > 0.0 && before + weight >= quantile * total {
                let within = ((quantile * total - before) / weight).clamp(0.0, 1.0);
                return ((f64::from(bin.at) + within) / BINS_PER_UNIT).exp_m1();
            }
            before += weight;
        }
        0.0
    }

    /// The undecayed weight at `size` and above, one bin (13 %) of slack included, in windows.
    pub fn weight_from(&self, size: f64) -> f64 {
        let from = bin_of(size).saturating_sub(1);
        self.bins.iter().filter(|bin| bin.at >= from).map(|bin| f64::from(bin.slow)).sum()
    }

    /// The total weight of a view, in windows.
    pub fn weight(&self, view: View) -> f64 {
        self.bins.iter().map(|bin| bin.weight(view)).sum()
    }

    /// Median and upper spread of ln(1 + x), `None` without any weight.
    ///
    /// Sizes are skewed, and quiet hours are much quieter than busy ones are busy: a spread of both sides
    /// (the median absolute deviation) would call a night's silence a reason to expect a flood. So the side
    /// that is judged is measured alone, at the quantiles of which the law must be right, and the wider
    /// one counts (quantile estimates of scale: Mosteller, Ann. Math. Stat. 17, 1946). The far one counts
    /// only with some windows above it, so that a few large hours in a row do not make room for the next.
    pub fn spread(&self, view: View) -> Option<Spread> {
        let n = self.weight(view);
        if n <= 0.0 {
            return None;
        }
        let at = |quantile| self.quantile(view, quantile).ln_1p();
        let median = at(0.5);
        let scale = |(quantile, deviations): Upper| (at(quantile) - median) / deviations;
        let is_far_known = n * (1.0 - UPPER_FAR.0) >= ABOVE_MIN - 1e-6;
        let upper = scale(UPPER).max(if is_far_known { scale(UPPER_FAR) } else { 0.0 });
        Some(Spread { median, upper, n })
    }

    /// Bytes of memory behind this sketch, what is kept free for more of it left out.
    pub fn heap_bytes(&self) -> usize {
        self.bins.len() * size_of::<Bin>()
    }

    /// Empties the sketch and keeps its memory.
    pub fn clear(&mut self) {
        self.bins.clear();
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }
}

impl Bin {
    fn weight(&self, view: View) -> f64 {
        f64::from(match view {
            View::Fast => self.fast,
            View::Slow => self.slow,
        })
    }
}

/// The bins, in order.
impl Plain for Sketch {
    type As = Vec<Bin>;

    fn to_plain(&self) -> Self::As {
        self.bins.clone()
    }

    fn from_plain(bins: Self::As) -> Option<Self> {
        let is_last = |bin: &Bin| bin.at <= (UNITS_MAX * BINS_PER_UNIT) as u16;
        let is_sound = bins.is_sorted_by(|a, b| a.at < b.at) && bins.last().is_none_or(is_last);
        is_sound.then_some(Self { bins })
    }
}

fn bin_of(size: f64) -> u16 {
    (size.max(0.0).ln_1p().min(UNITS_MAX) * BINS_PER_UNIT) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sketch_of(sizes: &[f64]) -> Sketch {
        let mut sketch = Sketch::default();
        for size in sizes {
            sketch.add(*size, 1.0);
        }
        sketch
    }

    proptest! {
        #[test]
        fn median_and_upper_spread_are_within_a_bin_of_the_exact_ones(
            sizes in proptest::collection::vec(0.0_f64..1e9, 3..200),
        ) {
            let spread = sketch_of(&sizes).spread(View::Slow).unwrap();
            let mut logs: Vec<f64> = sizes.iter().map(|size| size.ln_1p()).collect();
            logs.sort_by(f64::total_cmp);
            let at = |quantile: f64| logs[(quantile * logs.len() as f64).ceil() as usize - 1];
            let median = at(0.5);
            prop_assert!((spread.median - median).abs() <= 0.15, "{} against {median}", spread.median);
            let n = sizes.len() as f64;
            let scale = |quantile, deviations| (at(quantile) - median) / deviations;
            let far = if n < 120.0 { 0.0 } else { scale(0.975, 1.96) };
            let upper = scale(0.9, 1.281_6).max(far);
            prop_assert!((spread.upper - upper).abs() <= 0.3, "{} against {upper}", spread.upper);
        }

        #[test]
        fn merging_is_adding(a in proptest::collection::vec(0.0_f64..1e6, 0..50), b in proptest::collection::vec(0.0_f64..1e6, 0..50)) {
            let mut merged = sketch_of(&a);
            merged.merge(&sketch_of(&b));
            prop_assert_eq!(merged, sketch_of(&[a, b].concat()));
        }
    }

    #[test]
    fn quiet_hours_do_not_widen_what_is_expected_of_busy_ones() {
        let busy: Vec<f64> = (0..70).map(|step| 1e6 * (1.0 + f64::from(step) / 100.0)).collect();
        let quiet: Vec<f64> = (0..50).map(|step| 1e3 * f64::from(step + 1)).collect();
        let spread = sketch_of(&[busy, quiet].concat()).spread(View::Slow).unwrap();
        assert!(spread.upper < 0.5, "{spread:?}");
    }

    #[test]
    fn large_hours_in_a_row_make_no_room_for_a_larger_one() {
        let usual: Vec<f64> =
            (0..54).map(|step| 1e6 * (1.0 + f64::from(step % 5) / 20.0)).collect();
        let upper = |sizes: &[f64]| sketch_of(sizes).spread(View::Slow).unwrap().upper;
        let before = upper(&usual);
        let after = upper(&[&usual[..], &[3e6, 7e6, 28e6]].concat());
        assert!(after < before + 0.1, "{before} grew to {after}");
    }

    #[test]
    fn what_is_decayed_stays_in_the_slow_view() {
        let mut sketch = sketch_of(&[1_000.0; 10]);
        sketch.decay(0.0);
        sketch.add(1e6, 1.0);
        assert!(sketch.quantile(View::Fast, 0.5) > 9e5);
        assert!(sketch.quantile(View::Slow, 0.5) < 1_200.0);
    }
}

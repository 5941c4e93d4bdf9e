//! How many windows detectors judge in a day: the budget of findings is a share of those.

use model::time::NS_PER_D;
use serde::{Deserialize, Serialize};

/// Time after which what was judged counts by 1/e: a site that grew or shrank has another cut within
/// weeks. Up to then all of the log counts alike.
const MEMORY_NS: i64 = 30 * NS_PER_D;

/// The windows that detectors judged, each detector's counted, and the time with a log that they are of.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct Judged {
    windows: f64,
    ns: i64,
}

impl Judged {
    pub(super) fn add(&mut self, windows: u64) {
        self.windows += windows as f64;
    }

    /// So much time with a log passed. Beyond [`MEMORY_NS`] as much is forgotten as came.
    pub(super) fn pass(&mut self, ns: i64) {
        self.ns = self.ns.saturating_add(ns.max(0));
        if self.ns > MEMORY_NS {
            self.windows *= MEMORY_NS as f64 / self.ns as f64;
            self.ns = MEMORY_NS;
        }
    }

    /// Windows in a day; the first day counts as a whole one from its beginning.
    pub(super) fn per_day(self) -> f64 {
        self.windows / (self.ns as f64 / NS_PER_D as f64).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::NS_PER_H;

    fn after(days: i64, windows: u64, judged: &mut Judged) -> f64 {
        for _ in 0..days * 24 {
            judged.add(windows);
            judged.pass(NS_PER_H);
        }
        judged.per_day()
    }

    #[test]
    fn at_first_it_is_the_plain_mean() {
        let mut judged = Judged::default();
        judged.add(700);
        assert!((judged.per_day() - 700.0).abs() < 1e-9, "less than a day counts as one");
        let mut judged = Judged::default();
        assert!((after(10, 100, &mut judged) - 2_400.0).abs() < 1e-9);
        assert!((after(10, 300, &mut judged) - 4_800.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_long_past_is_forgotten() {
        let mut judged = Judged::default();
        after(300, 100, &mut judged);
        let month = after(30, 200, &mut judged);
        let shift = 1.0 - (-1.0_f64).exp();
        assert!((month / (2_400.0 * (1.0 + shift)) - 1.0).abs() < 0.01, "{month}");
        let year = after(365, 200, &mut judged);
        assert!((year / 4_800.0 - 1.0).abs() < 0.01, "{year}");
    }
}

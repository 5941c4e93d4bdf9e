//! Counts: an identity's own sums, narrowed from what is ordinary for its peers.

use super::tail::negative_binomial;
use serde::{Deserialize, Serialize};

/// How many windows of one's own weigh as much as all that is known of the peers.
pub(crate) const PRIOR_WINDOWS: f64 = 5.0;

/// Sufficient statistics of a count per window: how many windows, their sum and sum of squares.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Moments {
    /// Windows, decayed.
    pub n: f32,
    /// Sum of the counts.
    pub sum: f32,
    /// Sum of the squared counts.
    pub squares: f32,
}

impl Moments {
    /// Adds one window with `count`, weighed by `weight` (0 to 1).
    pub fn add(&mut self, count: f64, weight: f64) {
        self.n += weight as f32;
        self.sum += (weight * count) as f32;
        self.squares += (weight * count * count) as f32;
    }

    /// Adds a window of `of` trials, `part` of which came out: their chance, and its square, as far as they
    /// tell without bias, which is part / of, and part (part − 1) / (of (of − 1)). Fewer than two say nothing.
    pub fn add_share(&mut self, part: f64, of: f64) {
        if of < 2.0 {
            return;
        }
        self.n += 1.0;
        self.sum += (part / of) as f32;
        self.squares += (part * (part - 1.0) / (of * (of - 1.0))) as f32;
    }

    /// Adds all of `other`, weighed by `weight`.
    pub fn merge(&mut self, other: &Self, weight: f64) {
        self.n += other.n * weight as f32;
        self.sum += other.sum * weight as f32;
        self.squares += other.squares * weight as f32;
    }

    /// Forgets a part: all sums times `factor` (0 to 1).
    pub fn decay(&mut self, factor: f32) {
        self.n *= factor;
        self.sum *= factor;
        self.squares *= factor;
    }

    /// The mean, 0 without any window.
    pub fn mean(&self) -> f64 {
        if self.n > 0.0 { f64::from(self.sum) / f64::from(self.n) } else { 0.0 }
    }
}

/// The same sums over many identities, where 32 bits would lose the small additions.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Sums {
    /// Windows.
    pub n: f64,
    /// Sum of the counts.
    pub sum: f64,
    /// Sum of the squared counts.
    pub squares: f64,
}

impl Sums {
    /// Adds all of `other`, weighed by `weight`; a negative weight takes it away again.
    pub fn merge(&mut self, other: &Moments, weight: f64) {
        self.n += f64::from(other.n) * weight;
        self.sum += f64::from(other.sum) * weight;
        self.squares += f64::from(other.squares) * weight;
    }

    /// Forgets a part: all sums times `factor` (0 to 1).
    pub fn decay(&mut self, factor: f64) {
        self.n *= factor;
        self.sum *= factor;
        self.squares *= factor;
    }

    /// Adds one window with `count`, weighed by `weight` (0 to 1).
    pub fn add(&mut self, count: f64, weight: f64) {
        self.n += weight;
        self.sum += weight * count;
        self.squares += weight * count * count;
    }

    /// Adds all of `other`.
    pub fn absorb(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.squares += other.squares;
    }
}

/// Windows of one's own that weigh as much as the peers in a law of shares; the peers weigh less the more
/// there are, because identities differ more than the windows of one.
const PRIOR_SHARES: f64 = 5.0;
/// A window is worth so many trials at most, where windows do not differ.
const TRIALS_PER_WINDOW: f64 = 4.0;
/// The least that a chance is spread: by so many trials.
const CONCENTRATION_MIN: f64 = 0.5;

/// The Beta law (a, b) of a chance, from the shares of one's own windows and of the peers' (see
/// [`Moments::add_share`]): its mean and variance are theirs (the method of moments: Johnson, Kotz and
/// Balakrishnan, Continuous Univariate Distributions, vol. 2, 2nd ed., §25.4). There must be a window of either.
pub fn beta_of(own: &Moments, peers: Option<&Sums>) -> (f64, f64) {
    let windows = f64::from(own.n);
    let prior = peers.map_or(0.0, |_| PRIOR_SHARES / (1.0 + windows / PRIOR_SHARES));
    let (mean, square) = peers.map_or((0.0, 0.0), |it| (it.sum / it.n, it.squares / it.n));
    let n = windows + prior;
    let share = (f64::from(own.sum) + prior * mean) / n;
    let square = (f64::from(own.squares) + prior * square) / n;
    // Half a window of each kind keeps the chance from 0 and from 1, however short the history.
    let q = (share * n + 0.5) / (n + 1.0);
    let spread = square - share * share;
    let most = TRIALS_PER_WINDOW * (n + 1.0);
    let alike = if spread > 0.0 { q * (1.0 - q) / spread - 1.0 } else { most };
    let alike = alike.clamp(CONCENTRATION_MIN, most);
    (q * alike, (1.0 - q) * alike)
}

/// What the next window's count should be: mean and variance of a negative binomial law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predictive {
    /// The expected count.
    pub mean: f64,
    /// Its variance.
    pub variance: f64,
}

impl Predictive {
    /// What `own` windows say, with the `peers`' windows as the prior.
    ///
    /// First and second moments are pooled with the weight of [`PRIOR_WINDOWS`] for the peers: an
    /// identity without history is judged by the whole spread of its peers, one with history by
    /// its own. `None` when there is nothing to go by.
    pub fn of(own: &Moments, peers: &Sums) -> Option<Self> {
        let (own_n, own_sum, own_squares) =
            (f64::from(own.n), f64::from(own.sum), f64::from(own.squares));
        let prior = if peers.n > 0.0 { PRIOR_WINDOWS } else { 0.0 };
        let n = own_n + prior;
        if n < 1.0 {
            return None;
        }
        let peer_mean = if peers.n > 0.0 { peers.sum / peers.n } else { 0.0 };
        let peer_square = if peers.n > 0.0 { peers.squares / peers.n } else { 0.0 };
        let mean = ((own_sum + prior * peer_mean) / n).max(1e-6);
        let square = (own_squares + prior * peer_square) / n;
        // The uncertainty of the mean itself adds to the spread of what comes next.
        let spread = (square - mean * mean).max(mean);
        Some(Self { mean, variance: spread * (1.0 + 1.0 / n) })
    }

    /// Surprise of a count of at least `count`.
    ///
    /// At or below the mean it is called 0: nobody asks how unsurprising a thing is, and most are.
    pub fn surprise(&self, count: f64) -> f64 {
        if count <= self.mean {
            return 0.0;
        }
        negative_binomial(count, self.mean, self.variance)
    }

    /// A count that is cheap to compute and never the scene of a finding: mean + 3 sigma.
    pub fn three_sigma(&self) -> f64 {
        self.mean + 3.0 * self.variance.sqrt()
    }

    /// The smallest count whose surprise is at least `surprise`, at most 2⁴⁰.
    pub fn quantile(&self, surprise: f64) -> f64 {
        smallest(|count| self.surprise(count) >= surprise)
    }
}

/// The smallest whole number from 1 to 2⁴⁰ for which `holds`; 2⁴⁰ if it holds for none.
///
/// `holds` must not turn false again once it is true.
pub fn smallest(holds: impl Fn(f64) -> bool) -> f64 {
    const LARGEST: u64 = 1 << 40;
    let mut above = 1_u64;
    while above < LARGEST && !holds(above as f64) {
        above *= 2;
    }
    let mut below = above / 2;
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        if holds(middle as f64) { above = middle } else { below = middle }
    }
    above as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers_of(mean: f64, windows: u32) -> Sums {
        let mut sums = Sums::default();
        for window in 0..windows {
            sums.add(mean + f64::from(window % 3) - 1.0, 1.0);
        }
        sums
    }

    #[test]
    fn a_newcomer_is_judged_by_its_peers() {
        let law = Predictive::of(&Moments::default(), &peers_of(10.0, 300)).unwrap();
        assert!((law.mean - 10.0).abs() < 0.1);
        assert!(law.surprise(12.0) < 1.0);
        assert!(law.surprise(100.0) > 8.0);
    }

    #[test]
    fn own_history_wins_over_peers() {
        let mut own = Moments::default();
        for _ in 0..200 {
            own.add(100.0, 1.0);
        }
        let law = Predictive::of(&own, &peers_of(10.0, 300)).unwrap();
        assert!(law.mean > 95.0);
        assert!(law.surprise(100.0) < 1.0);
    }

    #[test]
    fn without_anything_to_go_by_there_is_no_law() {
        assert_eq!(Predictive::of(&Moments::default(), &Sums::default()), None);
    }

    #[test]
    fn a_chance_has_the_mean_and_the_spread_of_its_windows() {
        let windows = |shares: [f64; 2]| {
            let mut own = Moments::default();
            for share in shares.into_iter().cycle().take(1_000) {
                own.add_share(1_000.0 * share, 1_000.0);
            }
            own
        };
        let mean_of = |(a, b): (f64, f64)| a / (a + b);
        let (a, b) = beta_of(&windows([0.2, 0.4]), None);
        let mean = mean_of((a, b));
        let deviation = (mean * (1.0 - mean) / (a + b + 1.0)).sqrt();
        assert!((mean - 0.3).abs() < 0.001 && (deviation - 0.1).abs() < 0.005, "{a} {b}");
        let (a, b) = beta_of(&windows([0.3, 0.3]), None);
        assert!(a + b > 1_000.0, "windows that do not differ: {a} {b}");
        let peers = Sums { n: 100.0, sum: 30.0, squares: 10.0 };
        let newcomer = mean_of(beta_of(&Moments::default(), Some(&peers)));
        assert!((0.25..0.4).contains(&newcomer), "{newcomer}");
        let known = mean_of(beta_of(&windows([0.8, 1.0]), Some(&peers)));
        assert!(known > 0.89, "{known}");
    }

    #[test]
    fn the_quantile_is_the_smallest_count_that_is_odd_enough() {
        let law = Predictive { mean: 7.0, variance: 30.0 };
        let upper = law.quantile(3.0);
        assert!(law.surprise(upper) >= 3.0 && law.surprise(upper - 1.0) < 3.0);
    }
}

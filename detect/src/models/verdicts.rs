//! What analysts' verdicts say of other findings: FTRL-Proximal, which only orders what is shown.
//!
//! The learner is that of `McMahan` et al., "Ad click prediction: a view from the trenches" (KDD 2013,
//! algorithm 1): logistic regression, each coordinate with a rate of its own, one verdict after the
//! other in the order in which they were given. It learns from a few dozen rows in a millisecond, so
//! that it is made again at every question and never kept.

use linfa::traits::{FitWith as _, Predict as _};
use linfa::{Dataset, DatasetBase};
use linfa_ftrl::{Ftrl, FtrlParams};
use model::Time;
use model::time::NS_PER_H;
use ndarray::{Array1, Array2};
use rand_xoshiro::rand_core::{Error, RngCore};
use std::fmt;

/// Verdicts from which on something is learned; of both kinds.
pub const VERDICTS_MIN: usize = 20;
/// Verdicts that are learned from, the latest.
pub const VERDICTS_MAX: usize = 5_000;

/// The rate of learning (α), which the paper leaves to the data: with this one 20 verdicts order what
/// they speak of, and one alone moves little.
const ALPHA: f64 = 0.2;
/// What slows the first steps (β); the authors say that 1 is usually good enough.
const BETA: f64 = 1.0;
/// What keeps a feature out that one or two verdicts speak of alone (λ1).
const L1: f64 = 0.1;
/// What keeps weights small (λ2).
const L2: f64 = 1.0;
/// Places that names are hashed to; a few hundred names of a store's verdicts rarely meet.
const PLACES: usize = 1_024;
/// Places before those: what every finding has, and its numbers.
const NUMBERS: usize = 4;
/// Hours of a part of the day.
const HOURS: i64 = 6;

/// What is known of a finding when it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The name of its detector.
    pub detector: &'a str,
    /// The name of its severity.
    pub severity: &'a str,
    /// The kind of its identity, empty without one.
    pub principal_type: &'a str,
    /// Its identity, empty without one.
    pub principal_id: &'a str,
    /// Its entity.
    pub entity: &'a str,
    /// What its baseline rested on.
    pub baseline_state: &'a str,
    /// Windows of ordinary traffic that one must look at to see it once.
    pub score: f64,
    /// −log10 p.
    pub surprise: f64,
    /// Days of history.
    pub history_days: f64,
    /// When it was raised.
    pub detected_at: Time,
}

impl Shown<'_> {
    /// The finding as a row of features: numbers from 0 to 1, and 1 where a name falls.
    fn features(&self) -> Vec<f64> {
        let mut row = vec![0.0; NUMBERS + PLACES];
        let numbers = [
            1.0,
            squashed(self.score.max(0.0).ln_1p(), 10.0),
            squashed(self.surprise, 10.0),
            squashed(self.history_days, 7.0),
        ];
        for (slot, number) in row.iter_mut().zip(numbers) {
            *slot = number;
        }
        let part_of_day = self.detected_at.ns().div_euclid(HOURS * NS_PER_H).rem_euclid(24 / HOURS);
        let names: [&[&str]; 8] = [
            &["detector", self.detector],
            &["severity", self.severity],
            &["principal_type", self.principal_type],
            &["principal", self.principal_id],
            &["entity", self.entity],
            &["detector of entity", self.detector, self.entity],
            &["baseline", self.baseline_state],
            &["part of day", ["night", "morning", "afternoon", "evening"][part_of_day as usize]],
        ];
        for name in names {
            if let Some(slot) = row.get_mut(NUMBERS + place(name)) {
                *slot = 1.0;
            }
        }
        row
    }
}

/// Where a name falls: the same in every build and on every machine.
fn place(name: &[&str]) -> usize {
    let mut hasher = blake3::Hasher::new();
    for part in name {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes = [0; 8];
    bytes.copy_from_slice(hasher.finalize().as_bytes().get(..8).unwrap_or(&[0; 8]));
    (u64::from_le_bytes(bytes) % PLACES as u64) as usize
}

/// A number that has no upper end, between 0 and 1, and ½ at `half`.
fn squashed(number: f64, half: f64) -> f64 {
    if number.is_finite() && number > 0.0 { number / (number + half) } else { 0.0 }
}

/// What was learned from verdicts.
pub struct Judge(Ftrl<f64>);

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Judge").finish_non_exhaustive()
    }
}

impl Judge {
    /// Learns from verdicts in the order in which they were given, `true` for malicious; nothing
    /// from fewer than [`VERDICTS_MIN`], or if all say the same.
    pub fn learned(verdicts: &[(Shown<'_>, bool)]) -> Option<Self> {
        let malicious = verdicts.iter().filter(|(_, it)| *it).count();
        if verdicts.len() < VERDICTS_MIN || malicious == 0 || malicious == verdicts.len() {
            return None;
        }
        let params = FtrlParams::new(ALPHA, BETA, L1, L2, FromZero);
        let mut model = None;
        for (shown, is_malicious) in verdicts {
            let row = Array2::from_shape_vec((1, NUMBERS + PLACES), shown.features()).ok()?;
            let one = Dataset::new(row, Array1::from_vec(vec![*is_malicious]));
            model = Some(params.fit_with(model.take(), &one).ok()?);
        }
        model.map(Self)
    }

    /// How likely it is that an analyst would call it malicious, from 0 to 1.
    pub fn likely(&self, shown: &Shown<'_>) -> f64 {
        let row = Array2::from_shape_vec((1, NUMBERS + PLACES), shown.features());
        let Ok(row) = row else { return 0.5 };
        let likely = self.0.predict(&DatasetBase::from(row));
        likely.first().map_or(0.5, |it| f64::from(**it))
    }
}

/// In place of chance: every weight starts at zero, as in the paper, and so nothing hangs on a seed.
#[derive(Clone, Debug)]
struct FromZero;

impl RngCore for FromZero {
    fn next_u32(&mut self) -> u32 {
        0
    }

    fn next_u64(&mut self) -> u64 {
        0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<'a>(detector: &'a str, entity: &'a str) -> Shown<'a> {
        Shown {
            detector,
            severity: "high",
            principal_type: "consumer",
            principal_id: "ann",
            entity,
            baseline_state: "active",
            score: 5_000.0,
            surprise: 6.0,
            history_days: 9.0,
            detected_at: Time::from_ns(1_772_359_200_000_000_000),
        }
    }

    /// Verdicts in turn: an export is benign, the keys are malicious.
    fn verdicts(count: usize) -> Vec<(Shown<'static>, bool)> {
        let of = |index: usize| match index % 2 {
            0 => (shown("egress_spike", "GET /export"), false),
            _ => (shown("secret_harvesting", "GET /keys/{id}"), true),
        };
        (0..count).map(of).collect()
    }

    #[test]
    fn nothing_is_learned_from_few_verdicts_or_from_one_kind() {
        assert!(Judge::learned(&verdicts(VERDICTS_MIN - 1)).is_none());
        assert!(Judge::learned(&verdicts(VERDICTS_MIN)).is_some());
        for kind in [true, false] {
            let all: Vec<_> = verdicts(50).into_iter().map(|(shown, _)| (shown, kind)).collect();
            assert!(Judge::learned(&all).is_none());
        }
    }

    #[test]
    fn what_was_called_malicious_is_likelier_than_what_was_not() {
        let judge = Judge::learned(&verdicts(VERDICTS_MIN)).unwrap();
        let benign = judge.likely(&shown("egress_spike", "GET /export"));
        let malicious = judge.likely(&shown("secret_harvesting", "GET /keys/{id}"));
        let unknown = judge.likely(&shown("machine_speed", "GET /orders"));
        println!("benign {benign:.3}, unknown {unknown:.3}, malicious {malicious:.3}");
        assert!(benign < 0.35 && malicious > 0.65, "{benign} {malicious}");
        assert!(benign < unknown && unknown < malicious, "{benign} {unknown} {malicious}");
        // One part in common says something too.
        let kin = judge.likely(&shown("secret_harvesting", "GET /tokens/{id}"));
        assert!(unknown < kin && kin < malicious, "{unknown} {kin} {malicious}");
    }

    #[test]
    fn the_same_verdicts_give_the_same_numbers_and_hostile_ones_finite() {
        let mut verdicts = verdicts(60);
        let hostile = Shown {
            score: f64::NAN,
            surprise: f64::INFINITY,
            history_days: -1.0,
            detected_at: Time::from_ns(i64::MIN),
            ..shown("", "\u{0}'--")
        };
        verdicts.push((hostile, true));
        let [one, two] = [&verdicts, &verdicts.clone()].map(|it| Judge::learned(it).unwrap());
        for shown in [hostile, shown("egress_spike", "GET /export")] {
            let likely = one.likely(&shown);
            assert!((0.0..=1.0).contains(&likely), "{likely}");
            assert_eq!(likely.to_bits(), two.likely(&shown).to_bits());
        }
    }

    /// Algorithm 1 of the paper, coordinate by coordinate.
    #[test]
    fn weights_are_those_of_the_paper() {
        let verdicts = verdicts(40);
        let len = NUMBERS + PLACES;
        let (mut z, mut n) = (vec![0.0_f64; len], vec![0.0_f64; len]);
        let weights = |z: &[f64], n: &[f64]| -> Vec<f64> {
            let each = z.iter().zip(n).map(|(z, n)| {
                let shrunk = z.signum().mul_add(-L1, *z);
                if z.abs() <= L1 { 0.0 } else { -shrunk / ((BETA + n.sqrt()) / ALPHA + L2) }
            });
            each.collect()
        };
        let likely = |row: &[f64], w: &[f64]| {
            let sum: f64 = row.iter().zip(w).map(|(x, w)| x * w).sum();
            1.0 / (1.0 + (-sum).exp())
        };
        for (shown, is_malicious) in &verdicts {
            let row = shown.features();
            let w = weights(&z, &n);
            let missed = likely(&row, &w) - f64::from(u8::from(*is_malicious));
            for (index, x) in row.iter().enumerate() {
                let g = missed * x;
                let sigma = ((n[index] + g * g).sqrt() - n[index].sqrt()) / ALPHA;
                z[index] += g - sigma * w[index];
                n[index] += g * g;
            }
        }
        let judge = Judge::learned(&verdicts).unwrap();
        for (shown, _) in &verdicts {
            let expected = likely(&shown.features(), &weights(&z, &n));
            let got = judge.likely(shown);
            assert!((expected - got).abs() < 1e-5, "{expected} {got}");
        }
    }
}

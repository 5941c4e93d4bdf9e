//! How many different things were seen, in little room: the `HyperLogLog` sketch.
//!
//! Flajolet, Fusy, Gandouet and Meunier (Analysis of Algorithms, 2007), read with the estimator of Ertl (arXiv
//! 1702.01284, 2017), which needs no corrections at either end.

use serde::{Deserialize, Serialize};

/// Bits of a hash that choose the register: 4 096 of them, and a standard error of 1.6 %.
const INDEX_BITS: u32 = 12;
const REGISTERS: usize = 1 << INDEX_BITS;
/// The most that a register can say: the first one among the other bits, or none.
const RANK_MAX: usize = (u64::BITS - INDEX_BITS) as usize + 1;

/// A sketch of hashes; 4 KiB.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Cardinality {
    registers: Vec<u8>,
}

impl Cardinality {
    pub(crate) fn new() -> Self {
        Self { registers: vec![0; REGISTERS] }
    }

    pub(crate) fn add(&mut self, hash: u64) {
        let hash = scatter(hash);
        let rest = (hash << INDEX_BITS) | (1 << (INDEX_BITS - 1));
        let rank = (rest.leading_zeros() + 1) as u8;
        if let Some(register) = self.registers.get_mut((hash >> (u64::BITS - INDEX_BITS)) as usize)
        {
            *register = (*register).max(rank);
        }
    }

    /// About how many different hashes were added.
    pub(crate) fn estimate(&self) -> f64 {
        let mut counts = [0_u32; RANK_MAX + 1];
        for register in &self.registers {
            if let Some(count) = counts.get_mut(usize::from(*register)) {
                *count += 1;
            }
        }
        let all = REGISTERS as f64;
        let (first, last) = (f64::from(counts[0]), f64::from(counts[RANK_MAX]));
        let mut sum = all * tau(1.0 - last / all);
        for count in counts.iter().take(RANK_MAX).skip(1).rev() {
            sum = 0.5 * (sum + f64::from(*count));
        }
        sum += all * sigma(first / all);
        all * all / (2.0 * std::f64::consts::LN_2 * sum)
    }

    /// Whether it is as one can be; what was read back may not be.
    pub(crate) fn is_sound(&self) -> bool {
        self.registers.len() == REGISTERS
            && self.registers.iter().all(|rank| usize::from(*rank) <= RANK_MAX)
    }
}

/// Bits without a pattern: identities of one partition have the same first bits of their hashes.
///
/// `SplitMix64`'s finaliser (Steele, Lea and Flood, OOPSLA 2014).
pub(crate) const fn scatter(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// What the empty registers add; infinite where all are.
fn sigma(mut share: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, share);
    loop {
        share *= share;
        let before = sum;
        sum += share * weight;
        weight += weight;
        if sum <= before {
            return sum;
        }
    }
}

/// What the full registers add.
fn tau(mut share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - share);
    loop {
        share = share.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - share) * (1.0 - share) * weight;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_within_four_standard_errors_of_the_truth() {
        let mut sketch = Cardinality::new();
        assert!(sketch.estimate().abs() < 1e-9, "nothing was added");
        let mut added = 0_u64;
        for truth in [1, 10, 300, 4_096, 9_000, 14_000, 200_000, 1_000_000] {
            while added < truth {
                // All of one partition, as identities are, and each twice.
                let hash = (3 << 60) | (added.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4);
                sketch.add(hash);
                sketch.add(hash);
                added += 1;
            }
            let error = sketch.estimate() / truth as f64 - 1.0;
            assert!(error.abs() < 4.0 * 1.04 / 64.0, "{truth}: {error}");
        }
        assert!(sketch.is_sound());
        assert!(!Cardinality { registers: vec![60; REGISTERS] }.is_sound());
    }
}

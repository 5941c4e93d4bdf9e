//! Quantiles of times in little memory: counts by half octave.

use crate::snapshot::plain::Plain;

/// A histogram over 32 octaves, two bins each.
#[derive(Clone, Debug)]
pub struct Octaves {
    bins: [u16; 64],
    base: u32,
}

impl Octaves {
    /// Empty; values below 2^`base` fall into the first bin, values from 2^(`base` + 32) into the last.
    pub const fn from_octave(base: u32) -> Self {
        Self { bins: [0; 64], base }
    }

    /// Adds one value.
    pub fn add(&mut self, value: u64) {
        let octave = (value | 1).ilog2().clamp(self.base, self.base + 31);
        let half = if octave == 0 { 0 } else { (value >> (octave - 1)) & 1 };
        let index = ((octave - self.base) * 2) as usize + half as usize;
        if let Some(bin) = self.bins.get_mut(index) {
            *bin = bin.saturating_add(1);
        }
    }

    /// The value at `quantile` (0 to 1), to within a bin; `None` without any.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let total: u64 = self.bins.iter().map(|bin| u64::from(*bin)).sum();
        if total == 0 {
            return None;
        }
        let wanted = (quantile * total as f64).max(1.0);
        let mut before = 0_u64;
        for (index, bin) in self.bins.iter().enumerate() {
            before += u64::from(*bin);
            if before as f64 >= wanted {
                let octave = self.base + index as u32 / 2;
                // The middle of the bin, on the log scale.
                let low = (octave as f64).exp2() * if index % 2 == 0 { 1.0 } else { 1.5 };
                return Some(low * 1.2);
            }
        }
        None
    }

    /// A little of each half of it: read before it is needed.
    pub(crate) fn glance(&self) -> u64 {
        u64::from(self.bins[8] ^ self.bins[56])
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.bins = [0; 64];
    }
}

/// The base, and the filled bins with their places.
impl Plain for Octaves {
    type As = (u32, Vec<(u8, u16)>);

    fn to_plain(&self) -> Self::As {
        let filled = self.bins.iter().enumerate().filter(|(_, bin)| **bin > 0);
        (self.base, filled.map(|(index, bin)| (index as u8, *bin)).collect())
    }

    fn from_plain((base, filled): Self::As) -> Option<Self> {
        // The highest octave of 64 bits is the last that there is.
        let mut octaves = (base <= 32).then(|| Self::from_octave(base))?;
        for (index, count) in filled {
            *octaves.bins.get_mut(usize::from(index))? = count;
        }
        Some(octaves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_its_bin() {
        let mut octaves = Octaves::from_octave(10);
        for value in 1..=1_000_u64 {
            octaves.add(value * 1_000);
        }
        let median = octaves.quantile(0.5).unwrap();
        assert!((400_000.0..700_000.0).contains(&median), "{median}");
        assert_eq!(Octaves::from_octave(10).quantile(0.5), None);
    }
}

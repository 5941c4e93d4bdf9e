//! The one source of chance: `xoshiro256**` seeded by `SplitMix64`, and the distributions drawn from it.
//!
//! After D. Blackman and S. Vigna, "Scrambled linear pseudorandom number generators" (2021); the
//! seeding is the one they recommend. The logarithm and the exponential are computed here from
//! additions and multiplications, because the standard library's may differ between platforms.

/// A generator; the same seed and stream give the same numbers everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The generator of one stream of `seed`; different streams are independent.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut mixer = seed ^ mix(stream);
        let state = std::array::from_fn(|_| {
            mixer = mixer.wrapping_add(GOLDEN);
            finish(mixer)
        });
        Self { state }
    }

    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number of 0 to `n` − 1; 0 when `n` is 0.
    ///
    /// Multiply and shift: the bias is below n / 2^64, far from visible here.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// A number in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A standard normal number, between −6 and 6: the sum of twelve uniform ones, less six.
    pub(crate) fn normal(&mut self) -> f64 {
        const PART_BITS: u32 = 21;
        const MASK: u64 = (1 << PART_BITS) - 1;
        let mut sum = 0;
        for _ in 0..4 {
            let bits = self.bits();
            sum += (bits & MASK) + (bits >> PART_BITS & MASK) + (bits >> (2 * PART_BITS) & MASK);
        }
        sum as f64 / (MASK + 1) as f64 - 6.0
    }

    /// A log-normal number with that median; `sigma` is the deviation of its logarithm.
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp(sigma * self.normal())
    }

    /// A waiting time with that mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * ln(1.0 - self.unit())
    }

    /// The position of a value drawn by weight; 0 when all weights are zero.
    pub(crate) fn weighted(&mut self, weights: impl Iterator<Item = f64> + Clone) -> usize {
        let mut left = self.unit() * weights.clone().sum::<f64>();
        for (index, weight) in weights.enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        0
    }

    /// One of the values, `None` of an empty slice.
    pub(crate) fn pick<'a, T>(&mut self, values: &'a [T]) -> Option<&'a T> {
        values.get(self.below(values.len() as u64) as usize)
    }
}

/// 2^64 divided by the golden ratio: the step of `SplitMix64`.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One step of `SplitMix64`: a fixed 64-bit hash of a number.
pub(crate) const fn mix(value: u64) -> u64 {
    finish(value.wrapping_add(GOLDEN))
}

const fn finish(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// 128 bits, a fixed hash of two numbers.
pub(crate) const fn mix_wide(kind: u64, number: u64) -> u128 {
    let high = mix(kind ^ mix(number));
    ((high as u128) << 64) | mix(high ^ number) as u128
}

/// e to the power of `x`, for −700 < x < 700.
pub(crate) fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let power = (x / std::f64::consts::LN_2).round();
    let rest = x - power * std::f64::consts::LN_2;
    let mut sum = 1.0;
    for n in (1..=14).rev() {
        sum = 1.0 + sum * rest / f64::from(n);
    }
    sum * f64::from_bits(((power as i64 + 1023) as u64) << 52)
}

/// The natural logarithm of `x` > 0; subnormal numbers count as the smallest normal one.
pub(crate) fn ln(x: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = x.max(f64::MIN_POSITIVE).to_bits();
    let mut power = (bits >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & MANTISSA) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        power += 1;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let mut series = 0.0;
    for n in (0..11).rev() {
        series = series * s * s + 1.0 / f64::from(2 * n + 1);
    }
    2.0 * s * series + power as f64 * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(n: u32, mut draw: impl FnMut() -> f64) -> f64 {
        (0..n).map(|_| draw()).sum::<f64>() / f64::from(n)
    }

    #[test]
    fn the_generator_gives_the_numbers_of_its_definition() {
        // The first output for the state 1, 2, 3, 4 is 11520 in the authors' reference; then 0.
        let mut rng = Rng { state: [1, 2, 3, 4] };
        assert_eq!([rng.bits(), rng.bits(), rng.bits()], [11_520, 0, 1_509_978_240]);
        // SplitMix64 of seed 0 starts with this number in its authors' reference.
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn logarithm_and_exponential_agree_with_the_standard_library() {
        for x in [1e-12, 0.3, 0.999, 1.0, 1.5, 2.0, 1e9] {
            assert!((ln(x) - f64::ln(x)).abs() <= 1e-12 * f64::ln(x).abs().max(1.0), "ln {x}");
        }
        for x in [-30.0, -1.0, 0.0, 0.5, 1.0, 20.0] {
            assert!((exp(x) / f64::exp(x) - 1.0).abs() < 1e-13, "exp {x}");
        }
    }

    #[test]
    fn the_distributions_have_their_means() {
        let mut rng = Rng::new(7, 1);
        assert!((mean(20_000, || rng.unit()) - 0.5).abs() < 0.01);
        assert!(mean(20_000, || rng.normal()).abs() < 0.03);
        assert!((mean(20_000, || rng.exponential(3.0)) - 3.0).abs() < 0.1);
        assert!((mean(20_000, || rng.below(10) as f64) - 4.5).abs() < 0.1);
        let weights = [0.0, 1.0, 3.0];
        assert!(
            (mean(20_000, || rng.weighted(weights.iter().copied()) as f64) - 1.75).abs() < 0.02
        );
    }

    #[test]
    fn streams_of_one_seed_differ() {
        assert_ne!(Rng::new(1, 1).bits(), Rng::new(1, 2).bits());
        assert_ne!(Rng::new(1, 1).bits(), Rng::new(2, 1).bits());
    }
}

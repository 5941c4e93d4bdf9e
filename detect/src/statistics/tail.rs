//! Upper tail probabilities, said as surprise: −log10 of the probability.

use super::gamma::{ln_beta_regularized, ln_gamma};
use std::f64::consts::LN_10;

/// Surprise of a count of at least `count` under a negative binomial law.
///
/// `mean` is above zero, `variance` any number: at or below the mean the law is all but Poisson.
/// The law is the predictive of a Poisson count whose rate is Gamma distributed (Gelman et al.,
/// Bayesian Data Analysis, 3rd ed., §2.6), with size r = mean² / (variance − mean):
/// P(X ≥ k) = I_{1−p}(k, r), p = r / (r + mean) (Abramowitz & Stegun 26.5.26). At least 0, finite.
pub fn negative_binomial(count: f64, mean: f64, variance: f64) -> f64 {
    // Beyond this size the law cannot be told from Poisson's.
    const SIZE_MAX: f64 = 1e5;
    if count < 0.5 {
        return 0.0;
    }
    let mean = mean.max(1e-6);
    let excess = variance - mean;
    let size = if excess > mean * mean / SIZE_MAX { mean * mean / excess } else { SIZE_MAX };
    -ln_beta_regularized(count, size, mean / (size + mean)) / LN_10
}

/// Surprise of a value of at least `t` under Student's law with `freedom` degrees of freedom.
///
/// P(T ≥ t) = ½ I_{ν/(ν+t²)}(ν/2, ½) for t ≥ 0 (Abramowitz & Stegun 26.7.1). Finite, and
/// strictly growing in `t`.
pub fn student(t: f64, freedom: f64) -> f64 {
    let ln_both = ln_beta_regularized(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    if t >= 0.0 {
        (std::f64::consts::LN_2 - ln_both) / LN_10
    } else {
        -(1.0 - 0.5 * ln_both.exp()).log10()
    }
}

/// Surprise of a run of at least `calls` steps, each of which comes with one chance that is Beta(a, b)
/// distributed: E[qᵏ] = B(a + k, b) / B(a, b) (Johnson, Kemp and Kotz, Univariate Discrete
/// Distributions, 3rd ed., §6.2.3). Finite, and growing in `calls`; `a` and `b` are above zero.
pub fn run(calls: f64, a: f64, b: f64) -> f64 {
    let ln_beta = |a: f64| ln_gamma(a) - ln_gamma(a + b);
    (ln_beta(a) - ln_beta(a + calls.max(0.0))) / LN_10
}

/// Surprise of at least `count` of `n` when each is one with probability `p`.
///
/// P(X ≥ k) = `I_p`(k, n − k + 1) (Abramowitz & Stegun 26.5.24). Finite for p above 0.
pub fn binomial(count: f64, n: f64, p: f64) -> f64 {
    if count < 0.5 {
        return 0.0;
    }
    (-ln_beta_regularized(count, n - count + 1.0, p.clamp(1e-300, 1.0)) / LN_10).max(0.0)
}

/// Surprise of at least `count` of `n` when each is one with the same chance, which is Beta(a, b) distributed:
/// P(X = j) = C(n, j) B(a + j, b + n − j) / B(a, b) (Johnson, Kemp and Kotz, Univariate Discrete
/// Distributions, 3rd ed., §6.2.2), summed from `count` on. Whole numbers, `a` and `b` above zero; finite,
/// and infinite where `count` is above `n`.
pub fn beta_binomial(count: f64, n: f64, (a, b): (f64, f64)) -> f64 {
    if count < 0.5 {
        return 0.0;
    }
    if count > n {
        return f64::INFINITY;
    }
    let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    let ln_choose = ln_gamma(n + 1.0) - ln_gamma(count + 1.0) - ln_gamma(n - count + 1.0);
    let ln_first = ln_choose + ln_beta(a + count, b + n - count) - ln_beta(a, b);
    // Each further term by the one before it, as a part of the first.
    let (mut sum, mut term, mut j) = (1.0, 1.0, count);
    while j < n {
        term *= (n - j) / (j + 1.0) * (a + j) / (b + n - j - 1.0);
        sum += term;
        j += 1.0;
    }
    (-(ln_first + sum.ln()) / LN_10).max(0.0)
}

/// Surprise of two independent things together: P(UV ≤ x) = x (1 − ln x) (Fisher, Statistical Methods
/// for Research Workers, 4th ed., 1932, §21.1).
pub fn together(one: f64, other: f64) -> f64 {
    let sum = one.max(0.0) + other.max(0.0);
    sum - (sum * LN_10).ln_1p() / LN_10
}

/// Surprise of `count` independent things whose surprises add up to `sum`: P(Σ ≥ s) = 10^−s Σᵢ (s ln 10)ⁱ / i!,
/// i from 0 to count − 1, which is the tail of a χ² law with twice as many degrees of freedom (Fisher,
/// Statistical Methods for Research Workers, 4th ed., 1932, §21.1). At least 0, finite, and growing in `sum`.
pub fn all_together(sum: f64, count: u32) -> f64 {
    let sum = sum.max(0.0);
    let (mut term, mut terms) = (1.0, 1.0);
    for i in 1..count {
        term *= sum * LN_10 / f64::from(i);
        terms += term;
    }
    (sum - terms.log10()).max(0.0)
}

/// Surprise of what was seen before: no more than once in all of `windows`.
///
/// A law that is too narrow for an identity's own past is corrected by that past.
pub fn seen_before(surprise: f64, windows: f64) -> f64 {
    surprise.min((windows.max(0.0) + 1.0).log10())
}

/// Surprise of the largest of `n` values when a single one has `surprise`: 1 − (1 − p)ⁿ.
pub fn largest_of(surprise: f64, n: f64) -> f64 {
    if n <= 1.0 {
        return surprise;
    }
    let p = 10_f64.powf(-surprise).min(1.0);
    if p * n < 1e-6 {
        return surprise - n.log10();
    }
    let any = -((n * (-p).ln_1p()).exp_m1());
    -any.max(f64::MIN_POSITIVE).log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use statrs::distribution::{
        Binomial, ChiSquared, ContinuousCDF, DiscreteCDF, NegativeBinomial, StudentsT,
    };

    proptest! {
        #[test]
        fn negative_binomial_agrees_with_the_reference(
            count in 1_u64..400, mean in 0.1_f64..200.0, over in 1.05_f64..30.0,
        ) {
            let variance = mean * over;
            let size = mean * mean / (variance - mean);
            let law = NegativeBinomial::new(size, size / (size + mean)).unwrap();
            let reference = law.sf(count - 1);
            let ours = 10_f64.powf(-negative_binomial(count as f64, mean, variance));
            prop_assert!((ours - reference).abs() <= 1e-7, "{ours} against {reference}");
        }

        #[test]
        fn student_agrees_with_the_reference(t in -30.0_f64..30.0, freedom in 1.0_f64..60.0) {
            let reference = StudentsT::new(0.0, 1.0, freedom).unwrap().sf(t);
            let ours = 10_f64.powf(-student(t, freedom));
            prop_assert!((ours - reference).abs() <= 1e-7, "{ours} against {reference}");
        }

        #[test]
        fn a_run_agrees_with_its_product(calls in 0_u32..300, a in 0.01_f64..200.0, b in 0.5_f64..200.0) {
            let step = |i: u32| ((a + f64::from(i)) / (a + b + f64::from(i))).log10();
            let reference: f64 = -(0..calls).map(step).sum::<f64>();
            let ours = run(f64::from(calls), a, b);
            prop_assert!((ours - reference).abs() < 1e-7, "{ours} against {reference}");
            prop_assert!(run(f64::from(calls) + 1.0, a, b) > ours);
        }

        #[test]
        fn binomial_agrees_with_the_reference(n in 1_u64..300, share in 0.0_f64..1.0, p in 0.001_f64..0.999) {
            let count = ((n as f64 * share) as u64).max(1);
            let reference = Binomial::new(p, n).unwrap().sf(count - 1);
            let ours = 10_f64.powf(-binomial(count as f64, n as f64, p));
            prop_assert!((ours - reference).abs() <= 1e-7, "{ours} against {reference}");
        }

        #[test]
        fn beta_binomial_is_the_sum_of_its_law(
            n in 1_u32..120, share in 0.0_f64..1.0, a in 0.05_f64..40.0, b in 0.05_f64..400.0,
        ) {
            // The same by the chances of a draw after the other: Pólya's urn.
            let mut law = vec![1.0];
            for drawn in 0..n {
                let mut next = vec![0.0; law.len() + 1];
                for (hits, chance) in law.iter().enumerate() {
                    let hit = (a + hits as f64) / (a + b + f64::from(drawn));
                    next[hits] += chance * (1.0 - hit);
                    next[hits + 1] += chance * hit;
                }
                law = next;
            }
            let count = ((f64::from(n) * share) as usize).max(1);
            let reference: f64 = law[count..].iter().sum();
            let ours = 10_f64.powf(-beta_binomial(count as f64, f64::from(n), (a, b)));
            prop_assert!((ours - reference).abs() <= 1e-7, "{ours} against {reference}");
        }

        #[test]
        fn two_things_together_follow_chi_square(one in 0.0_f64..20.0, other in 0.0_f64..20.0) {
            let reference = ChiSquared::new(4.0).unwrap().sf(2.0 * LN_10 * (one + other));
            let ours = 10_f64.powf(-together(one, other));
            prop_assert!((ours - reference).abs() <= 1e-9, "{ours} against {reference}");
            prop_assert!(together(one, other + 0.1) > together(one, other));
        }

        #[test]
        fn many_things_together_follow_chi_square(sum in 0.0_f64..20.0, count in 1_u32..6) {
            let law = ChiSquared::new(2.0 * f64::from(count)).unwrap();
            let reference = law.sf(2.0 * LN_10 * sum);
            let ours = 10_f64.powf(-all_together(sum, count));
            prop_assert!((ours - reference).abs() <= 1e-9, "{ours} against {reference}");
            prop_assert!((all_together(sum, 2) - together(sum, 0.0)).abs() < 1e-9);
        }

        #[test]
        fn more_is_odder(count in 1_u32..100_000, mean in 0.01_f64..1e4, over in 1.0_f64..100.0) {
            let at = |count: u32| negative_binomial(f64::from(count), mean, mean * over);
            prop_assert!(at(count + 1) >= at(count));
            prop_assert!(at(count).is_finite());
        }
    }

    #[test]
    fn a_tail_too_small_for_a_float_still_has_a_surprise() {
        let surprise = negative_binomial(1e6, 1.0, 1.5);
        assert!(surprise > 1e5 && surprise.is_finite(), "{surprise}");
        assert!(student(1e9, 30.0) > student(1e8, 30.0));
    }

    #[test]
    fn what_comes_together_is_as_odd_as_fisher_says() {
        // 0.01 (1 + 4.605 17), 0.001 (1 + 6.907 76 + 23.858 6), and one thing alone.
        assert!((all_together(2.0, 2) - 1.251_41).abs() < 1e-5);
        assert!((all_together(3.0, 3) - 1.498_03).abs() < 1e-5);
        assert!((all_together(3.0, 1) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_largest_of_many_is_less_surprising() {
        assert!((largest_of(6.0, 100.0) - 4.0).abs() < 1e-3);
        assert!(largest_of(-0.5, 50.0) < 1e-9, "what is certain is no surprise");
        assert!((largest_of(std::f64::consts::LOG10_2, 2.0) - 0.124_94).abs() < 1e-3);
    }
}

//! How broad identities are: how many endpoints each of them uses.

use crate::statistics::Predictive;
use serde::{Deserialize, Serialize};

/// Identities that are older than a day, by how many endpoints they ever used.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Breadths(Vec<u32>);

impl Breadths {
    /// Counts identities; `None` if there are none.
    pub(crate) fn of(breadths: impl Iterator<Item = usize>) -> Option<Self> {
        let mut counts = Vec::new();
        for breadth in breadths {
            super::grow(&mut counts, breadth + 1);
            if let Some(count) = counts.get_mut(breadth) {
                *count += 1;
            }
        }
        (!counts.is_empty()).then_some(Self(counts))
    }

    pub(crate) fn identities(&self) -> u32 {
        self.0.iter().sum()
    }

    /// The smallest number of endpoints that a share of them do not go beyond.
    pub(crate) fn within(&self, share: f64) -> u32 {
        let (all, mut seen) = (f64::from(self.identities()), 0);
        let mut counts = self.0.iter().map(|count| {
            seen += count;
            f64::from(seen)
        });
        counts.position(|seen| seen >= share * all).unwrap_or(0) as u32
    }

    /// The law of one more of them; `None` below so many.
    pub(crate) fn law(&self, identities_min: u32) -> Option<Predictive> {
        let n = f64::from(self.identities());
        if n < f64::from(identities_min) {
            return None;
        }
        let sum = |power: i32| {
            let each = self.0.iter().enumerate();
            each.map(|(breadth, count)| f64::from(*count) * (breadth as f64).powi(power))
                .sum::<f64>()
        };
        let mean = (sum(1) / n).max(1e-6);
        let spread = (sum(2) / n - mean * mean).max(mean);
        Some(Predictive { mean, variance: spread * (1.0 + 1.0 / n) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_them_does_not_go_beyond() {
        let breadths = Breadths::of((0..100).map(|index| if index < 98 { 4 } else { 30 })).unwrap();
        assert_eq!(
            (breadths.identities(), breadths.within(0.5), breadths.within(0.99)),
            (100, 4, 30)
        );
        assert_eq!(breadths.within(0.98), 4);
        assert_eq!(Breadths::of(std::iter::empty()), None);
    }

    #[test]
    fn a_few_say_nothing_and_many_say_what_is_broad() {
        let law = |n: usize| Breadths::of((0..n).map(|index| 4 + index % 3)).unwrap().law(20);
        assert_eq!(law(19), None);
        let law = law(30).unwrap();
        assert!((law.mean - 5.0).abs() < 0.1 && law.surprise(40.0) > 8.0, "{law:?}");
    }
}

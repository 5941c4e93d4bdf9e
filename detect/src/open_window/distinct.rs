//! A bounded set of distinct values, by their hashes.

use super::{DISTINCT_MAX, KEEP_MAX};
use crate::snapshot::plain::Plain;

/// A bounded set of 64-bit hashes, sorted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Distinct(Vec<u64>);

impl Distinct {
    /// Adds `hash`; `true` if it is new. At `max` values the set is full and nothing is new.
    pub(crate) fn add(&mut self, hash: u64, max: usize) -> bool {
        match self.0.binary_search(&hash) {
            Err(index) if self.0.len() < max => {
                self.0.insert(index, hash);
                true
            }
            _ => false,
        }
    }

    /// Takes values out.
    pub(crate) fn remove(&mut self, hashes: &[u64]) {
        self.0.retain(|hash| !hashes.contains(hash));
    }

    /// The least of them: read before it is needed.
    pub(crate) fn glance(&self) -> u64 {
        self.0.first().copied().unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The hashes, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }

    /// Empties the set and keeps a little of its memory.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
        self.0.shrink_to(KEEP_MAX);
    }
}

/// The hashes, in order.
impl Plain for Distinct {
    type As = Vec<u64>;

    fn to_plain(&self) -> Self::As {
        self.0.clone()
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        let is_sound = plain.len() <= DISTINCT_MAX && plain.is_sorted_by(|a, b| a < b);
        is_sound.then_some(Self(plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_set_takes_nothing_more() {
        let mut set = Distinct::default();
        assert!(set.add(3, 2) && !set.add(3, 2) && set.add(9, 2) && !set.add(5, 2));
        assert_eq!(set.len(), 2);
    }

    #[test]
    fn a_set_out_of_order_is_refused() {
        assert_eq!(Distinct::from_plain(vec![3, 9]).map(|set| set.len()), Some(2));
        assert!(Distinct::from_plain(vec![9, 3]).is_none());
        assert!(Distinct::from_plain(vec![3, 3]).is_none());
    }
}

//! Those for whom an agent acted in the hour: told apart up to a limit, and counted also once they are
//! forgotten.

use super::DISTINCT_MAX;
use super::distinct::Distinct;
use crate::snapshot::plain;
use serde::{Deserialize, Serialize};

/// Those for whom an agent acted, by their hashes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Subjects {
    #[serde(with = "plain")]
    known: Distinct,
    /// How many more were forgotten since.
    forgotten: u32,
}

impl Subjects {
    /// Adds somebody; `true` if it is new. Where there are too many nobody is.
    pub(super) fn add(&mut self, subject: u64) -> bool {
        self.known.add(subject, DISTINCT_MAX)
    }

    /// Those who were not forgotten, in order.
    pub(crate) fn hashes(&self) -> impl Iterator<Item = u64> {
        self.known.iter()
    }

    /// How many were not forgotten.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// How many there were, also those who were forgotten since.
    pub(crate) fn served(&self) -> u32 {
        self.known.len() as u32 + self.forgotten
    }

    /// Forgets somebody by the hashes that it had; that there was somebody stays true.
    pub(super) fn forget(&mut self, hashes: &[u64]) {
        let served = self.served();
        self.known.remove(hashes);
        self.forgotten = served - self.known.len() as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_how_many_stays_true_when_they_are_forgotten() {
        let mut subjects = Subjects::default();
        for subject in [7, 8, 9] {
            assert!(subjects.add(subject) && !subjects.add(subject));
        }
        subjects.forget(&[7]);
        assert_eq!((subjects.served(), subjects.hashes().collect::<Vec<_>>()), (3, vec![8, 9]));
        subjects.forget(&[7, 8, 9]);
        assert_eq!((subjects.served(), subjects.len()), (3, 0));
    }
}

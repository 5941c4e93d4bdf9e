//! The objects that an identity has read at any time: a fair, bounded part of them.
//!
//! What is kept is chosen by the object's own fingerprint, so that an object that is looked for is looked
//! for again each time: distinct sampling (P. Gibbons, VLDB 2001). While there are few, all are kept.

use serde::{Deserialize, Serialize};

/// Fingerprints that are kept of one identity; beyond it only those of every second object are, and so on.
const SEEN_MAX: usize = 512;
/// Halvings at most: one in 65 536 is kept.
const LEVEL_MAX: u8 = 16;

/// The objects that were read before.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Seen {
    /// Sorted.
    marks: Vec<u32>,
    level: u8,
}

impl Seen {
    /// Adds an object; how many new ones it stands for: 0 if it was seen before, or is none of those kept.
    pub(crate) fn add(&mut self, object: u64) -> u32 {
        let mark = mark_of(object);
        if !self.keeps(mark) {
            return 0;
        }
        let Err(index) = self.marks.binary_search(&mark) else { return 0 };
        let stands_for = 1 << self.level;
        if self.marks.len() >= SEEN_MAX && self.level < LEVEL_MAX {
            self.level += 1;
            let level = self.level;
            self.marks.retain(|mark| mark.trailing_zeros() >= u32::from(level));
            if !self.keeps(mark) {
                return stands_for;
            }
            let index = self.marks.partition_point(|it| *it < mark);
            self.marks.insert(index, mark);
        } else if self.marks.len() < SEEN_MAX {
            if self.marks.len() == self.marks.capacity() {
                self.marks.reserve_exact((self.marks.len() / 4).max(8));
            }
            self.marks.insert(index, mark);
        }
        stands_for
    }

    fn keeps(&self, mark: u32) -> bool {
        mark.trailing_zeros() >= u32::from(self.level)
    }

    /// Objects seen so far, about.
    pub(crate) fn count(&self) -> f64 {
        self.marks.len() as f64 * self.step()
    }

    /// Whether counts are of a part of the objects.
    pub(crate) const fn is_part(&self) -> bool {
        self.level > 0
    }

    /// How many objects a new one stands for.
    pub(crate) fn step(&self) -> f64 {
        f64::from(1_u32 << self.level)
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.level <= LEVEL_MAX
            && self.marks.len() <= SEEN_MAX
            && self.marks.is_sorted_by(|a, b| a < b)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.marks.len() * size_of::<u32>()
    }
}

/// 32 bits of an object's fingerprint, all of them fair.
const fn mark_of(object: u64) -> u32 {
    let mut key = object;
    key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((key ^ (key >> 31)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_new_once() {
        let mut seen = Seen::default();
        let first: u32 = (0..500).map(|object| seen.add(object)).sum();
        let again: u32 = (0..500).map(|object| seen.add(object)).sum();
        assert_eq!((first, again), (500, 0));
        assert!(!seen.is_part() && seen.is_sound());
    }

    #[test]
    fn of_very_many_a_fair_part_is_kept() {
        let mut seen = Seen::default();
        let first: u32 = (0..200_000).map(|object| seen.add(object)).sum();
        assert!((180_000..220_000).contains(&first), "{first}");
        let again: u32 = (0..200_000).map(|object| seen.add(object)).sum();
        assert_eq!(again, 0);
        let more: u32 = (200_000..240_000).map(|object| seen.add(object)).sum();
        assert!((30_000..50_000).contains(&more), "{more}");
        assert!(seen.is_part() && seen.is_sound() && seen.heap_bytes() <= 4 * SEEN_MAX);
        assert!((220_000.0..260_000.0).contains(&seen.count()), "{}", seen.count());
    }
}

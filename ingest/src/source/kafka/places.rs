//! The places of partitions in the list of all, found for each record without a copy of its topic.

use super::Partition;
use std::collections::BTreeMap;

/// Topics, and in each the place of every partition.
#[derive(Debug)]
pub(super) struct Places(BTreeMap<String, BTreeMap<i32, u32>>);

impl Places {
    /// The places of a list.
    pub(super) fn of(partitions: &[Partition]) -> Self {
        let mut places: BTreeMap<String, BTreeMap<i32, u32>> = BTreeMap::new();
        for (place, it) in (0..).zip(partitions) {
            places.entry(it.topic.clone()).or_default().insert(it.number, place);
        }
        Self(places)
    }

    /// The place of a partition that is in the list.
    pub(super) fn get(&self, topic: &str, number: i32) -> Option<u32> {
        self.0.get(topic)?.get(&number).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_has_its_place_and_no_other_has_one() {
        let partition = |topic: &str, number| Partition { topic: topic.to_owned(), number };
        let places = Places::of(&[partition("b", 0), partition("a", 1), partition("b", 7)]);
        assert_eq!(places.get("a", 1), Some(1));
        assert_eq!(places.get("b", 7), Some(2));
        assert_eq!((places.get("a", 0), places.get("c", 0)), (None, None));
    }
}

//! Closed hours that stand for all of a partition's, which the joint models are fitted to.

use crate::models::features::FEATURES;
use model::Time;
use serde::{Deserialize, Serialize};

/// Feature vectors that one partition keeps for the joint model.
const VECTORS_MAX: usize = 256;

/// The hours with the smallest keys of all that were closed: a fair sample of them, the same one whenever it
/// is drawn, because a key is a hash of who and when (bottom-k sampling; Cohen and Kaplan, *PODC* 2007).
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Sample(Vec<Sampled>);

/// The feature vector of an hour.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Sampled {
    #[serde(with = "postcard::fixint::le")]
    key: u64,
    /// The identity.
    pub(crate) slot: u32,
    /// Its features then.
    pub(crate) vector: [f32; FEATURES],
}

impl Sample {
    /// Takes the hour of an identity if it is drawn, and only then asks for its features.
    pub(super) fn offer(
        &mut self,
        (slot, hash, start): (u32, u64, Time),
        features: impl FnOnce() -> [f32; FEATURES],
    ) {
        let key = key(hash, start);
        let at = self.0.partition_point(|it| it.key < key);
        if at < VECTORS_MAX {
            self.0.insert(at, Sampled { key, slot, vector: features() });
            self.0.truncate(VECTORS_MAX);
        }
    }

    /// The hours, by their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Sampled> {
        self.0.iter()
    }

    /// Forgets the hours of an identity; those behind it move up.
    pub(crate) fn take_out(&mut self, slot: u32) {
        self.0.retain(|it| it.slot != slot);
        self.0.iter_mut().filter(|it| it.slot > slot).for_each(|it| it.slot -= 1);
    }

    /// Whether it is what a partition of so many identities can have drawn; puts it in order.
    pub(super) fn settle(&mut self, identities: usize) -> bool {
        self.0.sort_unstable_by_key(|it| it.key);
        self.0.len() <= VECTORS_MAX && self.0.iter().all(|it| (it.slot as usize) < identities)
    }
}

fn key(hash: u64, start: Time) -> u64 {
    let hour = start.hour_number();
    // SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): fair, whatever the inputs.
    let mut key = hash ^ (hour as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Sample, VECTORS_MAX, key};
    use crate::models::features::FEATURES;
    use model::Time;
    use model::time::NS_PER_H;

    #[test]
    fn the_smallest_keys_stay_whatever_order_they_come_in() {
        let hours: Vec<u64> = (0..3_000).collect();
        let drawn = |hours: &mut dyn Iterator<Item = &u64>| {
            let (mut sample, mut asked) = (Sample::default(), 0);
            for hour in hours {
                let start = Time::default().plus(*hour as i64 * NS_PER_H);
                sample.offer((*hour as u32, 7, start), || {
                    asked += 1;
                    [*hour as f32; FEATURES]
                });
            }
            let slots: Vec<u32> = sample.iter().map(|it| it.slot).collect();
            (slots, asked)
        };
        let (forwards, asked) = drawn(&mut hours.iter());
        let (backwards, _) = drawn(&mut hours.iter().rev());
        assert_eq!(forwards, backwards);
        let mut keys: Vec<(u64, u32)> = hours
            .iter()
            .map(|hour| (key(7, Time::default().plus(*hour as i64 * NS_PER_H)), *hour as u32))
            .collect();
        keys.sort_unstable();
        keys.truncate(VECTORS_MAX);
        assert_eq!(forwards, keys.iter().map(|(_, slot)| *slot).collect::<Vec<_>>());
        // 256 and, of those after them, 256 ÷ n each: about 256 × (1 + ln(3 000 ÷ 256)).
        assert!((600..1_200).contains(&asked), "{asked} feature vectors for 256");
    }

    #[test]
    fn who_is_forgotten_leaves_no_hour_and_the_others_keep_theirs() {
        let mut sample = Sample::default();
        for slot in 0..5 {
            sample.offer((slot, u64::from(slot), Time::default()), || [slot as f32; FEATURES]);
        }
        sample.take_out(2);
        let mut left: Vec<_> = sample.iter().map(|it| (it.slot, it.vector[0] as u32)).collect();
        left.sort_unstable();
        assert_eq!(left, [(0, 0), (1, 1), (2, 3), (3, 4)]);
        assert!(sample.settle(4) && !sample.settle(3));
    }
}

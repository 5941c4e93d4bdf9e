//! Who comes again and again, in little room: a count-min sketch that forgets.
//!
//! Cormode and Muthukrishnan (J. Algorithms 55, 2005), with the conservative update of Estan and
//! Varghese (ACM TOCS 21, 2003) and the halving of `TinyLFU` (Einziger, Friedman and Manes, ACM
//! TOS 13, 2017), so that a flood of many that come once does not look like one that comes often.

use super::distinct::scatter;
use serde::{Deserialize, Serialize};

/// Rows of counters, and counters of a row: 64 KiB in all.
const ROWS: usize = 4;
const WIDTH: usize = 1 << 14;

/// How often each of very many was seen lately: never less than the truth since the last halving, and
/// seldom more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Again {
    counters: Vec<u8>,
    /// Sightings since the counters were halved.
    fresh: u32,
}

impl Again {
    pub(crate) fn new() -> Self {
        Self { counters: vec![0; ROWS * WIDTH], fresh: 0 }
    }

    /// Counts one more sighting; how many there are by now, 255 at most.
    pub(crate) fn see(&mut self, hash: u64) -> u8 {
        if self.fresh as usize >= WIDTH {
            self.counters.iter_mut().for_each(|counter| *counter /= 2);
            self.fresh = 0;
        }
        self.fresh += 1;
        let places = places(hash);
        let least = places.iter().filter_map(|place| self.counters.get(*place).copied()).min();
        let now = least.unwrap_or(0).saturating_add(1);
        for place in places {
            if let Some(counter) = self.counters.get_mut(place) {
                *counter = (*counter).max(now);
            }
        }
        now
    }

    /// Whether it is as one can be; what was read back may not be.
    pub(crate) fn is_sound(&self) -> bool {
        self.counters.len() == ROWS * WIDTH
    }
}

/// A counter of each row: four different parts of the bits.
fn places(hash: u64) -> [usize; ROWS] {
    let bits = scatter(hash);
    std::array::from_fn(|row| row * WIDTH + (bits >> (row * 14)) as usize % WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_three_times_is_told_from_a_flood_that_comes_once() {
        let mut again = Again::new();
        let (mut mistaken, mut last) = (0, 0);
        for stranger in 0..100_000_u64 {
            let seen = again.see((5 << 60) | (stranger.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4));
            mistaken += u32::from(seen >= 3);
            if stranger % 2_000 == 0 {
                last = again.see(42);
            }
        }
        assert!(mistaken < 1_000, "{mistaken} of 100 000 were seen once");
        assert!(last >= 3, "the regular was forgotten: {last}");
        assert!(again.is_sound());
    }
}

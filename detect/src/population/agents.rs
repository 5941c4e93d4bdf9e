//! How agents act for others, over all of them.

use crate::delegation::DEPTH_MAX;
use crate::statistics::moments::Sums;
use serde::{Deserialize, Serialize};

/// Agents that act for others, as sums.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Agents {
    /// Distinct subjects, per agent and hour.
    pub(crate) subjects: Sums,
    /// The share, per agent and hour, of what it did for others that those do not do themselves.
    pub(crate) beyond: Sums,
    /// Agents by the most actors in a chain that was learned of them.
    by_depth: [i64; DEPTH_MAX as usize + 1],
}

impl Agents {
    /// Moves an agent from one depth to another; a new one comes from none.
    pub(crate) fn deepen(&mut self, from: Option<u8>, to: Option<u8>) {
        for (depth, change) in [(from, -1), (to, 1)] {
            if let Some(count) = depth.and_then(|it| self.by_depth.get_mut(usize::from(it))) {
                *count += change;
            }
        }
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.subjects.absorb(&other.subjects);
        self.beyond.absorb(&other.beyond);
        self.by_depth.iter_mut().zip(&other.by_depth).for_each(|(own, theirs)| *own += theirs);
    }

    pub(crate) fn decay(&mut self, factor: f64) {
        self.subjects.decay(factor);
        self.beyond.decay(factor);
    }

    /// How many agents there are, and those of them with a chain as deep.
    pub(crate) fn as_deep(&self, depth: u8) -> (u32, u32) {
        let sum = |counts: Option<&[i64]>| counts.unwrap_or_default().iter().sum::<i64>();
        let deep = sum(self.by_depth.get(usize::from(depth)..));
        let whole = |count: i64| u32::try_from(count.max(0)).unwrap_or(u32::MAX);
        (whole(sum(Some(&self.by_depth))), whole(deep))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_counted_once_however_deep_they_get() {
        let (mut all, mut part) = (Agents::default(), Agents::default());
        part.deepen(None, Some(1));
        part.deepen(None, Some(1));
        all.absorb(&part);
        let mut part = Agents::default();
        part.deepen(Some(1), Some(3));
        all.absorb(&part);
        assert_eq!((all.as_deep(1), all.as_deep(2), all.as_deep(4)), ((2, 2), (2, 1), (2, 0)));
        all.deepen(Some(3), None);
        assert_eq!(all.as_deep(1), (1, 1));
    }
}

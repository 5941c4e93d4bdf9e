//! A new network that many meet in the same hour is one occasion: a new office, or a thief with forty keys.
//!
//! Peaks that have one cause count once (runs declustering: Coles, An Introduction to Statistical
//! Modeling of Extreme Values, 2001, §5.3.2); in the time of one identity, `identity::RareOccasions` sees
//! to that, and here what the same hour brings to many. Else one fan-out of a stolen list of keys is the
//! measure of what a new network is, for a month.

use crate::snapshot::plain;
use model::Detector;
use serde::{Deserialize, Serialize};

/// A rare reading, and what it is shared by.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Shared {
    #[serde(with = "plain")]
    pub(crate) detector: Detector,
    /// The network that it is about.
    pub(crate) key: u32,
    pub(crate) surprise: f32,
    /// The surprise of a finding of it; 0 if nothing was said.
    pub(crate) said: f32,
}

/// The oddest of each occasion, ordered by detector and key, whatever the order they came in.
pub(crate) fn occasions(mut all: Vec<Shared>) -> Vec<Shared> {
    all.sort_unstable_by(|a, b| {
        let what = |it: &Shared| (it.detector as usize, it.key);
        what(a).cmp(&what(b)).then(b.surprise.total_cmp(&a.surprise))
    });
    all.dedup_by(|next, kept| {
        let is_same = (next.detector as usize, next.key) == (kept.detector as usize, kept.key);
        if is_same {
            kept.said = kept.said.max(next.said);
        }
        is_same
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_meet_counts_once_and_as_its_oddest() {
        let of = |detector, key, surprise| Shared { detector, key, surprise, said: 0.0 };
        let mut all: Vec<_> = (0_u8..40)
            .map(|step| of(Detector::NewNetwork, 7, 6.0 + f32::from(step) / 100.0))
            .collect();
        all.push(of(Detector::KeyFanout, 7, 3.0));
        all.insert(3, of(Detector::NewNetwork, 8, 9.0));
        all.insert(9, Shared { said: 6.0, ..of(Detector::NewNetwork, 7, 5.0) });
        let kept = |all: Vec<Shared>| {
            let kept = occasions(all);
            kept.iter().map(|it| (it.detector, it.key, it.surprise, it.said)).collect::<Vec<_>>()
        };
        let forwards = kept(all.clone());
        all.reverse();
        assert_eq!(forwards, kept(all));
        assert_eq!(forwards.len(), 3);
        assert!(forwards.contains(&(Detector::NewNetwork, 7, 6.39, 6.0)), "{forwards:?}");
    }
}

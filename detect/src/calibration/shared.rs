//! A new network that many meet in the same hour is one occasion: a new office, or a thief with forty keys.
//!
//! Peaks that have one cause count once (runs declustering: Coles, An Introduction to Statistical
//! Modeling of Extreme Values, 2001, §5.3.2); in the time of one identity, `identity::RareOccasions` sees
//! to that, and here what the same hour brings to many. Else one fan-out of a stolen list of keys is the
//! measure of what a new network is, for a month.

use serde::{Deserialize, Serialize};

/// A rare reading of [`model::Detector::NewNetwork`].
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Shared {
    /// The hash of the network.
    pub(crate) network: u32,
    pub(crate) surprise: f32,
    /// The surprise of the finding of it, if one was said.
    pub(crate) said: Option<f32>,
}

/// The oddest of each network, ordered by network, whatever the order they came in.
pub(crate) fn occasions(mut all: Vec<Shared>) -> Vec<Shared> {
    all.sort_unstable_by(|a, b| a.network.cmp(&b.network).then(b.surprise.total_cmp(&a.surprise)));
    all.dedup_by(|next, kept| {
        let is_same = next.network == kept.network;
        if is_same {
            kept.said = kept.said.into_iter().chain(next.said).reduce(f32::max);
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
        let of = |network, surprise| Shared { network, surprise, said: None };
        let mut all: Vec<_> = (0_u8..40).map(|step| of(7, 6.0 + f32::from(step) / 100.0)).collect();
        all.insert(3, of(8, 9.0));
        all.insert(9, Shared { said: Some(6.0), ..of(7, 5.0) });
        all.insert(20, Shared { said: Some(4.0), ..of(7, 4.0) });
        let kept = |all: Vec<Shared>| {
            let kept = occasions(all);
            kept.iter().map(|it| (it.network, it.surprise, it.said)).collect::<Vec<_>>()
        };
        let forwards = kept(all.clone());
        all.reverse();
        assert_eq!(forwards, kept(all));
        assert_eq!(forwards, [(7, 6.39, Some(6.0)), (8, 9.0, None)]);
    }
}

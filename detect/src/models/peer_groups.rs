//! Peer groups: identities that use the same endpoints in the same measure, by linfa's k-means.

use crate::identity::Identity;
use crate::statistics::sketch::View;
use linfa::DatasetBase;
use linfa::metrics::SilhouetteScore;
use linfa::traits::{Fit, Predict};
use linfa_clustering::KMeans;
use ndarray::{Array1, Array2};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;

/// Dimensions that an identity's endpoint mix is hashed to.
const MIX_DIMENSIONS: usize = 32;
/// Dimensions of a profile vector.
pub(crate) const DIMENSIONS: usize = MIX_DIMENSIONS + 2;
/// Identities that the groups are drawn from.
pub(crate) const IDENTITIES_MAX: usize = 2_000;
/// Fewest identities worth grouping.
const IDENTITIES_MIN: usize = 40;
/// Most groups.
const GROUPS_MAX: usize = 8;
/// Identities that the number of groups is chosen on: the silhouette takes quadratic time.
const SILHOUETTE_MAX: usize = 400;
/// Windows of its own before an identity is put into a group.
const LEARNED_MIN: u32 = 3;

/// Centres of the groups, in the space of profile vectors.
#[derive(Clone, Debug)]
pub(crate) struct PeerGroups {
    centres: Array2<f64>,
}

/// An identity's profile vector: square roots of endpoint shares (Hellinger), hashed, and volumes.
///
/// `None` before there is enough history.
pub(crate) fn vector(identity: &Identity) -> Option<[f64; DIMENSIONS]> {
    if identity.learned < LEARNED_MIN || identity.profile.total <= 0.0 {
        return None;
    }
    let mut vector = [0.0; DIMENSIONS];
    for known in identity.profile.known() {
        // Fibonacci hashing spreads consecutive numbers.
        let hash = u64::from(known.endpoint.0).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if let Some(slot) = vector.get_mut((hash >> 59) as usize % MIX_DIMENSIONS) {
            *slot += f64::from(known.calls()) / identity.profile.total;
        }
    }
    for slot in vector.iter_mut().take(MIX_DIMENSIONS) {
        *slot = slot.max(0.0).sqrt();
    }
    // Volumes count less than the mix: a tenfold volume is as far as a fifth of another mix.
    let per_hour = identity.profile.total / f64::from(identity.learned);
    vector[MIX_DIMENSIONS] = 0.1 * per_hour.ln_1p();
    vector[MIX_DIMENSIONS + 1] = 0.05 * identity.bytes.quantile(View::Fast, 0.5).ln_1p();
    Some(vector)
}

impl PeerGroups {
    /// Draws groups from profile vectors, their number chosen by the silhouette; `None` if there
    /// are too few identities or no number of groups is better than one.
    pub(crate) fn fit(vectors: &[[f64; DIMENSIONS]], seed: u64) -> Option<Self> {
        if vectors.len() < IDENTITIES_MIN {
            return None;
        }
        let all = matrix(vectors);
        let few = matrix(vectors.get(..vectors.len().min(SILHOUETTE_MAX))?);
        let mut best: Option<(f64, Array2<f64>)> = None;
        for count in 2..=GROUPS_MAX.min(vectors.len() / 10) {
            let rng = Xoshiro256Plus::seed_from_u64(seed);
            let fitted = KMeans::params_with_rng(count, rng)
                .n_runs(2)
                .max_n_iterations(50)
                .tolerance(1e-3)
                .fit(&DatasetBase::from(all.clone()));
            let Ok(model) = fitted else { continue };
            let labelled = model.predict(DatasetBase::from(few.clone()));
            let Ok(score) = labelled.silhouette_score() else { continue };
            if score.is_finite() && best.as_ref().is_none_or(|(highest, _)| score > *highest) {
                best = Some((score, model.centroids().clone()));
            }
        }
        best.filter(|(score, _)| *score > 0.1).map(|(_, centres)| Self { centres })
    }

    /// The group whose centre is nearest.
    pub(crate) fn nearest(&self, vector: &[f64; DIMENSIONS]) -> u8 {
        let vector = Array1::from_iter(vector.iter().copied());
        let distance = |centre: ndarray::ArrayView1<'_, f64>| {
            let away = &centre - &vector;
            away.dot(&away)
        };
        let nearest = self
            .centres
            .rows()
            .into_iter()
            .map(distance)
            .enumerate()
            .min_by(|(_, a), (_, b)| a.total_cmp(b));
        nearest.map_or(0, |(index, _)| index as u8)
    }

    /// How many groups there are.
    pub(crate) fn len(&self) -> usize {
        self.centres.nrows()
    }
}

fn matrix(vectors: &[[f64; DIMENSIONS]]) -> Array2<f64> {
    Array2::from_shape_fn((vectors.len(), DIMENSIONS), |(row, column)| {
        vectors.get(row).and_then(|vector| vector.get(column)).copied().unwrap_or(0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ways_of_working_are_two_groups() {
        let vectors: Vec<[f64; DIMENSIONS]> = (0..100)
            .map(|index| {
                let mut vector = [0.0; DIMENSIONS];
                vector[if index % 2 == 0 { 3 } else { 17 }] = 0.95 + f64::from(index) * 1e-4;
                vector[5] = 0.1 + f64::from(index % 7) * 0.01;
                vector
            })
            .collect();
        let groups = PeerGroups::fit(&vectors, 7).unwrap();
        assert_eq!(groups.len(), 2);
        assert_ne!(groups.nearest(&vectors[0]), groups.nearest(&vectors[1]));
        assert_eq!(groups.nearest(&vectors[0]), groups.nearest(&vectors[2]));
    }

    #[test]
    fn a_handful_is_not_grouped() {
        assert!(PeerGroups::fit(&[[0.5; DIMENSIONS]; 10], 7).is_none());
    }
}

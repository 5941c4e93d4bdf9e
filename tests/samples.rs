//! Samples outside the repository: real logs and labelled streams, where the machine has them.

use crate::habitus::root;
use flate2::read::GzDecoder;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The path of a sample; without it, a line says that `test` is skipped.
pub(crate) fn sample(test: &str, name: &str) -> Option<PathBuf> {
    let path = root().join("../shared/samples").join(name);
    if path.exists() {
        return Some(path);
    }
    crate::services::skip(test, &format!("there is no {}", path.display()));
    None
}

/// The bytes of a gzip file, unpacked.
pub(crate) fn unpacked(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The area under the ROC curve: the chance that a positive is scored above a negative.
pub(crate) fn auc(scored: &[(f64, bool)]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = sorted.iter().filter(|(_, label)| *label).count() as f64;
    let negatives = sorted.len() as f64 - positives;
    let (mut ranks, mut index) = (0.0, 0);
    while index < sorted.len() {
        let tied = sorted.iter().skip(index).take_while(|it| it.0 <= sorted[index].0).count();
        let middle = index as f64 + f64::midpoint(tied as f64, 1.0);
        let here = sorted.iter().skip(index).take(tied).filter(|(_, label)| *label).count();
        ranks += middle * here as f64;
        index += tied;
    }
    (ranks - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}

/// The mean of the precision at each positive, ties counted against it.
pub(crate) fn average_precision(scored: &[(f64, bool)]) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let places = (1..).zip(&sorted).filter(|(_, (_, label))| *label).map(|(place, _)| place);
    let precisions: Vec<_> = (1..)
        .zip(places)
        .map(|(hits, place): (u32, u32)| f64::from(hits) / f64::from(place))
        .collect();
    precisions.iter().sum::<f64>() / precisions.len() as f64
}

/// The largest share of positives found while at most `alarms` of the negatives are flagged.
pub(crate) fn hit_rate(scored: &[(f64, bool)], alarms: f64) -> f64 {
    let mut sorted = scored.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = sorted.iter().filter(|(_, label)| *label).count() as f64;
    let negatives = sorted.len() as f64 - positives;
    let (mut hits, mut falses, mut best) = (0.0, 0.0, 0.0);
    for (index, (score, label)) in sorted.iter().enumerate() {
        if *label {
            hits += 1.0;
        } else {
            falses += 1.0;
        }
        let is_cut = sorted.get(index + 1).is_none_or(|next| next.0 < *score);
        if is_cut && falses <= alarms * negatives {
            best = hits / positives;
        }
    }
    best
}

#[test]
fn a_perfect_ranking_has_an_area_of_one_and_ties_count_half() {
    let is = |got: f64, wanted: f64| assert!((got - wanted).abs() < 1e-12, "{got}, not {wanted}");
    is(auc(&[(1.0, false), (2.0, true), (3.0, true)]), 1.0);
    is(auc(&[(1.0, false), (1.0, true)]), 0.5);
    is(average_precision(&[(3.0, true), (2.0, false), (1.0, true)]), f64::midpoint(1.0, 2.0 / 3.0));
    is(average_precision(&[(1.0, true), (1.0, false)]), 0.5);
    is(hit_rate(&[(3.0, true), (2.0, false), (1.0, true)], 0.0), 0.5);
}

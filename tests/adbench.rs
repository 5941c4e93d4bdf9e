//! The joint model on ADBench's feature vectors: its ranking against other detectors' on the same rows.

use crate::habitus::is_full;
use crate::samples::{auc, sample, unpacked};
use detect::models::joint::JointModel;
use ndarray::{Array2, ArrayView1};

/// Rows that the ordinary tier fits at most; the full tier takes all.
const ROWS_MAX: usize = 6_000;
/// How far below a reference the model may rank.
const SLACK: f64 = 0.03;

/// Isolation forest, ECOD, COPOD and PCA with PyOD's defaults, as `samples/README.md` has them.
const REFERENCES: [(&str, [f64; 4]); 7] = [
    ("http", [0.999, 0.979, 0.992, 0.996]),
    ("smtp", [0.900, 0.880, 0.912, f64::NAN]),
    ("mammography", [0.864, 0.906, 0.905, 0.894]),
    ("annthyroid", [0.812, 0.789, 0.776, 0.674]),
    ("satimage-2", [0.992, 0.965, 0.975, 0.977]),
    ("shuttle", [0.998, 0.993, 0.995, 0.990]),
    ("cardio", [0.933, 0.935, 0.922, 0.950]),
];

/// Feature vectors, one a row, with their labels.
fn read(name: &str) -> Option<(Array2<f64>, Vec<bool>)> {
    let path = sample("adbench", &format!("adbench/{name}.csv.gz"))?;
    let text = String::from_utf8(unpacked(&path)).unwrap();
    let rows: Vec<Vec<f64>> = text
        .lines()
        .filter_map(|line| line.split(',').map(|field| field.trim().parse().ok()).collect())
        .collect();
    let step = if is_full() { 1 } else { rows.len().div_ceil(ROWS_MAX) };
    let rows: Vec<_> = rows.iter().step_by(step).collect();
    let columns = rows[0].len() - 1;
    let vectors = Array2::from_shape_fn((rows.len(), columns), |(row, column)| rows[row][column]);
    Some((vectors, rows.iter().map(|row| row[columns] > 0.5).collect()))
}

#[test]
fn the_joint_model_ranks_as_well_as_other_detectors_do() {
    let mut short = Vec::new();
    for (name, references) in REFERENCES {
        let Some((vectors, labels)) = read(name) else { return };
        let model = JointModel::fit(&vectors, 0.0, 7).unwrap();
        let energy = |row: ArrayView1<'_, f64>| model.energy(row);
        let scored: Vec<_> = vectors.rows().into_iter().map(energy).zip(labels).collect();
        let got = auc(&scored);
        let lowest = references.into_iter().fold(f64::INFINITY, f64::min);
        let best = references.into_iter().fold(0.0, f64::max);
        println!("adbench: {name}: {got:.3}, the references have {lowest:.3} to {best:.3}");
        if got < lowest - SLACK {
            short.push(format!("{name}: {got:.3} against {lowest:.3} to {best:.3}"));
        }
    }
    assert!(short.is_empty(), "{short:?}");
}

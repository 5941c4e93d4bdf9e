//! The joint law of feature vectors: PCA, a Gaussian mixture on the leading components, and the
//! error of the reconstruction from them.
//!
//! The law is that of a mixture of probabilistic PCA (Tipping and Bishop, Neural Computation 11,
//! 1999) with shared axes: density(x) = mixture(leading components of x) · N(rest of x; 0, σ²). linfa
//! keeps its mixture's density private, so it is computed here from weights, means and precisions.
//!
//! Beside it stands a plainer statistic: the squared distance from the mean in standard deviations,
//! which is the reconstruction error of a PCA that keeps no component. It sees what is far out in many
//! directions; the density sees what lies between the clouds. The larger surprise counts.
//!
//! The axes are the eigenvectors of the covariance, by linfa's dense solver. linfa-reduction's `Pca`
//! gives the same axes (a test compares them), but its iterative solver (LOBPCG) is made for few
//! components of large matrices: on two dozen features, some of them constant or collinear, it
//! meets NaN and panics.

mod shape;

use crate::snapshot::plain;
use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_clustering::GaussianMixtureModel;
use linfa_linalg::eigh::{EigSort, Eigh};
use ndarray::{Array1, Array2, ArrayView1, Axis};
use rand_xoshiro::Xoshiro256Plus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

/// Share of the variance that the leading components keep.
const VARIANCE_KEPT: f64 = 0.9;
/// Most leading components.
const COMPONENTS_MAX: usize = 8;
/// Most Gaussians in the mixture.
const MIXTURE_MAX: usize = 4;
/// Fewest vectors that a model is fitted to.
pub const VECTORS_MIN: usize = 100;
/// A feature further out than this many scales says no more than this.
const SCALES_MAX: f64 = 20.0;
/// A Gaussian of the mixture with less than this share of the vectors is left out when scoring: it may
/// have been fitted to the outliers themselves.
const SHARE_MIN: f64 = 0.1;
/// Added to each variance of the mixture, so that a constant feature is no singularity.
const REGULARIZATION: f64 = 1e-3;

/// Why a model could not be fitted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FitError {
    /// Too few vectors.
    #[error("{got} vectors are too few to fit a joint model, {VECTORS_MIN} are needed")]
    TooFew {
        /// How many there were.
        got: usize,
    },
    /// All vectors are the same.
    #[error("no feature varies, so there is nothing to fit")]
    Constant,
    /// linfa could not decompose or fit.
    #[error("linfa could not fit the {what}: {why}")]
    Linfa {
        /// Which model.
        what: &'static str,
        /// Its words.
        why: String,
    },
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Gaussian {
    ln_weight: f64,
    #[serde(with = "plain")]
    mean: Array1<f64>,
    #[serde(with = "plain")]
    precision: Array2<f64>,
    /// ½ ln |precision| − (k/2) ln 2π.
    ln_norm: f64,
}

/// A fitted joint law.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct JointModel {
    #[serde(with = "plain")]
    centre: Array1<f64>,
    #[serde(with = "plain")]
    scale: Array1<f64>,
    #[serde(with = "plain")]
    mean: Array1<f64>,
    /// Leading components, one a row.
    #[serde(with = "plain")]
    axes: Array2<f64>,
    mixture: Vec<Gaussian>,
    /// Variance of each left-out direction.
    rest_variance: f64,
    rest_dimensions: f64,
    /// Mean and standard deviation of each feature, for the distance.
    #[serde(with = "plain")]
    plain_mean: Array1<f64>,
    #[serde(with = "plain")]
    plain_scale: Array1<f64>,
    density: Quantiles,
    distance: Quantiles,
    /// Squared distance from the likeliest Gaussian.
    away: Quantiles,
}

/// The middle and the 95th percentile of a statistic over the fitted vectors.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct Quantiles {
    middle: f64,
    upper: f64,
}

impl Quantiles {
    fn of(mut values: Vec<f64>) -> Self {
        /// Less between the two quantiles than this would make everything odd.
        const BETWEEN_MIN: f64 = 0.5;
        values.sort_by(f64::total_cmp);
        let last = values.len().saturating_sub(1) as f64;
        let at = |share: f64| values.get((share * last) as usize).copied().unwrap_or(0.0);
        let middle = at(0.5);
        Self { middle, upper: at(0.95).max(middle + BETWEEN_MIN) }
    }

    /// An exponential tail through both.
    fn surprise(self, value: f64) -> f64 {
        std::f64::consts::LOG10_2 + (value - self.middle) / (self.upper - self.middle)
    }

    /// The value that has a surprise: the inverse of [`Quantiles::surprise`].
    fn value_at(self, surprise: f64) -> f64 {
        self.middle + (surprise - std::f64::consts::LOG10_2) * (self.upper - self.middle)
    }
}

/// What the model says of one vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Joint {
    /// −ln of the density; higher is odder.
    pub energy: f64,
    /// Squared distance from the mean, in standard deviations.
    pub distance: f64,
    /// −log10 of the share of the fitted vectors that are as odd, extended beyond them; may be
    /// below 0 for the most ordinary.
    pub surprise: f64,
    /// What the parts are a distance from.
    pub from: &'static str,
    /// Each feature's part of a squared distance, in standard deviations: from the mean where that is
    /// the odder statistic, else from the likeliest Gaussian of the mixture. A feature that draws
    /// the vector nearer has a part below 0; the sum is the distance.
    pub parts: Vec<f64>,
    /// The median of that distance over the fitted vectors.
    pub ordinary: f64,
    /// What 99.9 % of the fitted vectors' distances stay under.
    pub upper: f64,
}

impl JointModel {
    /// Fits the law to `vectors`, one a row, with a fixed seed.
    ///
    /// No feature's scale is less than `scale_min`, in the feature's own unit; 0 leaves them as
    /// they are.
    pub fn fit(vectors: &Array2<f64>, scale_min: f64, seed: u64) -> Result<Self, FitError> {
        let (rows, columns) = vectors.dim();
        if rows < VECTORS_MIN {
            return Err(FitError::TooFew { got: rows });
        }
        let (centre, scale) = robust_scale(vectors, scale_min);
        let scaled = Array2::from_shape_fn((rows, columns), |(row, column)| {
            scaled_value(vectors[[row, column]], centre[column], scale[column])
        });
        let mean = scaled.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(columns));
        let (variances, axes) = principal_axes(&scaled, &mean)?;
        if variances.sum() <= 0.0 {
            return Err(FitError::Constant);
        }
        let kept = leading(&variances, columns);
        let axes = axes.slice_axis(Axis(0), ndarray::Slice::from(..kept)).to_owned();
        let rest: f64 = variances.iter().skip(kept).sum();
        let rest_dimensions = (columns - kept) as f64;
        let rest_variance = (rest / rest_dimensions.max(1.0)).max(REGULARIZATION);
        let leading = (&scaled - &mean).dot(&axes.t());
        let mixture = fit_mixture(&leading, seed)?;
        let mut model = Self {
            centre,
            scale,
            mean,
            axes,
            mixture,
            rest_variance,
            rest_dimensions,
            plain_mean: vectors.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(columns)),
            plain_scale: vectors.std_axis(Axis(0), 0.0).mapv(|deviation| {
                let scale = deviation.max(scale_min);
                if scale > 1e-9 { scale } else { 1.0 }
            }),
            density: Quantiles::default(),
            distance: Quantiles::default(),
            away: Quantiles::default(),
        };
        let rows = || vectors.rows().into_iter();
        model.density = Quantiles::of(rows().map(|row| model.energy(row)).collect());
        model.distance = Quantiles::of(rows().map(|row| model.distance(row)).collect());
        model.away = Quantiles::of(rows().map(|row| model.parts_away(row).sum()).collect());
        Ok(model)
    }

    fn scaled(&self, vector: ArrayView1<'_, f64>) -> Array1<f64> {
        let scaled = vector
            .iter()
            .zip(&self.centre)
            .zip(&self.scale)
            .map(|((value, centre), scale)| scaled_value(*value, *centre, *scale));
        &scaled.collect::<Array1<f64>>() - &self.mean
    }

    fn plain(&self, vector: ArrayView1<'_, f64>) -> Array1<f64> {
        let each = vector.iter().zip(&self.plain_mean).zip(&self.plain_scale);
        each.map(|((value, mean), scale)| scaled_value(*value, *mean, *scale)).collect()
    }

    /// Squared distance of a vector from the mean, in standard deviations.
    pub fn distance(&self, vector: ArrayView1<'_, f64>) -> f64 {
        self.plain(vector).iter().map(|away| away * away).sum()
    }

    /// −ln of the density of a vector.
    pub fn energy(&self, vector: ArrayView1<'_, f64>) -> f64 {
        let scaled = self.scaled(vector);
        let leading = self.axes.dot(&scaled);
        self.rest_energy(&scaled, &leading) + self.mixture_energy(&leading).0
    }

    /// −ln of the Gaussian density of what the leading components leave out.
    fn rest_energy(&self, scaled: &Array1<f64>, leading: &Array1<f64>) -> f64 {
        let error = (scaled.dot(scaled) - leading.dot(leading)).max(0.0);
        let ln_norm = (2.0 * std::f64::consts::PI * self.rest_variance).ln();
        0.5 * (error / self.rest_variance + self.rest_dimensions * ln_norm)
    }

    /// −ln of the mixture's density (log-sum-exp), and its likeliest Gaussian.
    fn mixture_energy(&self, leading: &Array1<f64>) -> (f64, Option<&Gaussian>) {
        let ln_density = |gaussian: &Gaussian| {
            let away = leading - &gaussian.mean;
            gaussian.ln_weight + gaussian.ln_norm - 0.5 * away.dot(&gaussian.precision.dot(&away))
        };
        let likeliest = self
            .mixture
            .iter()
            .map(|gaussian| (ln_density(gaussian), gaussian))
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        let Some((highest, gaussian)) = likeliest else { return (0.0, None) };
        let sum: f64 = self.mixture.iter().map(|it| (ln_density(it) - highest).exp()).sum();
        (-(highest + sum.ln()), Some(gaussian))
    }

    /// What the model says of one vector, each feature's part included.
    pub fn judge(&self, vector: ArrayView1<'_, f64>) -> Joint {
        /// The surprise of what 99.9 % stay under.
        const UPPER_SURPRISE: f64 = 3.0;
        let energy = self.energy(vector);
        let plain = self.plain(vector);
        let distance = plain.dot(&plain);
        let (dense, far) = (self.density.surprise(energy), self.distance.surprise(distance));
        let (from, parts, law) = if dense >= far {
            ("the nearest usual kind of hour", self.parts_away(vector), self.away)
        } else {
            ("the mean hour", &plain * &plain, self.distance)
        };
        // The larger of two looks.
        let surprise = dense.max(far) - std::f64::consts::LOG10_2;
        let (ordinary, upper) = (law.middle, law.value_at(UPPER_SURPRISE));
        Joint { energy, distance, surprise, from, parts: parts.to_vec(), ordinary, upper }
    }

    /// Each feature's part of the squared Mahalanobis distance from the likeliest Gaussian, what the
    /// leading components leave out included.
    fn parts_away(&self, vector: ArrayView1<'_, f64>) -> Array1<f64> {
        let scaled = self.scaled(vector);
        let leading = self.axes.dot(&scaled);
        let rest = &scaled - &self.axes.t().dot(&leading);
        let outside = &rest * &rest / self.rest_variance;
        let (_, likeliest) = self.mixture_energy(&leading);
        likeliest.map_or(outside.clone(), |gaussian| {
            let away = &leading - &gaussian.mean;
            let along = self.axes.t().dot(&away);
            outside + along * self.axes.t().dot(&gaussian.precision.dot(&away))
        })
    }
}

/// Variances, largest first, and the axes that they lie along, one a row.
fn principal_axes(
    scaled: &Array2<f64>,
    mean: &Array1<f64>,
) -> Result<(Array1<f64>, Array2<f64>), FitError> {
    let centred = scaled - mean;
    let covariance = centred.t().dot(&centred) / (scaled.nrows() as f64 - 1.0).max(1.0);
    let failed = |error: linfa_linalg::LinalgError| FitError::Linfa {
        what: "principal axes",
        why: error.to_string(),
    };
    let (variances, vectors) = covariance.eigh().map_err(failed)?.sort_eig_desc();
    Ok((variances.mapv(|variance| variance.max(0.0)), vectors.reversed_axes()))
}

/// How many components keep [`VARIANCE_KEPT`] of the variance.
fn leading(variances: &Array1<f64>, columns: usize) -> usize {
    let total: f64 = variances.sum();
    let mut sum = 0.0;
    let enough = variances.iter().position(|variance| {
        sum += variance;
        sum >= VARIANCE_KEPT * total
    });
    enough
        .map_or(columns, |index| index + 1)
        .min(COMPONENTS_MAX)
        .min(columns.saturating_sub(1))
        .max(1)
}

fn fit_mixture(leading: &Array2<f64>, seed: u64) -> Result<Vec<Gaussian>, FitError> {
    let dataset = DatasetBase::from(leading.clone());
    let mut best: Option<(f64, GaussianMixtureModel<f64>)> = None;
    let mut why = String::new();
    for count in 1..=MIXTURE_MAX {
        let rng = Xoshiro256Plus::seed_from_u64(seed);
        let fitted = GaussianMixtureModel::params_with_rng(count, rng)
            .n_runs(2)
            .tolerance(1e-3)
            .reg_covariance(REGULARIZATION)
            .fit(&dataset);
        match fitted {
            Ok(model) => {
                let bic = bic(&gaussians(&model), leading);
                if best.as_ref().is_none_or(|(lowest, _)| bic < *lowest) {
                    best = Some((bic, model));
                }
            }
            Err(error) => why = error.to_string(),
        }
    }
    match best {
        Some((_, model)) => {
            let mut kept = gaussians(&model);
            kept.retain(|gaussian| gaussian.ln_weight >= SHARE_MIN.ln());
            Ok(kept)
        }
        None => Err(FitError::Linfa { what: "Gaussian mixture", why }),
    }
}

/// Bayesian information criterion of a mixture (Schwarz, Ann. Statist. 6, 1978); lower is better.
fn bic(mixture: &[Gaussian], leading: &Array2<f64>) -> f64 {
    let (rows, k) = (leading.nrows() as f64, leading.ncols() as f64);
    let ln_likelihood: f64 = leading
        .rows()
        .into_iter()
        .map(|row| {
            let terms = mixture.iter().map(|gaussian| {
                let away = &row - &gaussian.mean;
                let square = away.dot(&gaussian.precision.dot(&away));
                gaussian.ln_weight + gaussian.ln_norm - 0.5 * square
            });
            let terms: Vec<f64> = terms.collect();
            let highest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            highest + terms.iter().map(|term| (term - highest).exp()).sum::<f64>().ln()
        })
        .sum();
    let per_gaussian = 1.0 + k + k * (k + 1.0) / 2.0;
    let parameters = mixture.len() as f64 * per_gaussian - 1.0;
    parameters * rows.ln() - 2.0 * ln_likelihood
}

fn gaussians(model: &GaussianMixtureModel<f64>) -> Vec<Gaussian> {
    let k = model.means().ncols() as f64;
    let each =
        model.weights().iter().zip(model.means().rows()).zip(model.precisions().outer_iter());
    each.map(|((weight, mean), precision)| Gaussian {
        ln_weight: weight.max(1e-300).ln(),
        mean: mean.to_owned(),
        ln_norm: 0.5 * ln_determinant(precision.to_owned())
            - 0.5 * k * (2.0 * std::f64::consts::PI).ln(),
        precision: precision.to_owned(),
    })
    .collect()
}

/// ln of the determinant of a symmetric positive definite matrix, by Gaussian elimination.
fn ln_determinant(mut matrix: Array2<f64>) -> f64 {
    let n = matrix.nrows();
    let mut ln = 0.0;
    for pivot in 0..n {
        let head = matrix[[pivot, pivot]].max(1e-300);
        ln += head.ln();
        for row in pivot + 1..n {
            let factor = matrix[[row, pivot]] / head;
            for column in pivot..n {
                matrix[[row, column]] -= factor * matrix[[pivot, column]];
            }
        }
    }
    ln
}

/// Median and scaled MAD of each column; where the MAD is nothing, the standard deviation stands in.
fn robust_scale(vectors: &Array2<f64>, scale_min: f64) -> (Array1<f64>, Array1<f64>) {
    let columns = vectors.ncols();
    let (mut centre, mut scale) = (Array1::zeros(columns), Array1::ones(columns));
    for (index, column) in vectors.columns().into_iter().enumerate() {
        let mut values = column.to_vec();
        let median = median_of(&mut values);
        let mut away: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
        let mad = median_of(&mut away) * 1.482_6;
        let deviation = column.std(0.0);
        centre[index] = median;
        scale[index] = match (mad > 1e-9, deviation > 1e-9) {
            // A feature that is mostly constant has a tiny MAD: its rare values must not dwarf the rest.
            (true, _) => mad.max(deviation / 4.0),
            (false, true) => deviation,
            (false, false) => 1.0,
        }
        .max(scale_min);
    }
    (centre, scale)
}

fn median_of(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn scaled_value(value: f64, centre: f64, scale: f64) -> f64 {
    ((value - centre) / scale).clamp(-SCALES_MAX, SCALES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cloud along a line in five dimensions, from quantiles instead of draws.
    fn cloud(rows: usize) -> Array2<f64> {
        Array2::from_shape_fn((rows, 5), |(row, column)| {
            let along = ((row * 37 % rows) as f64 / rows as f64 - 0.5) * 6.0;
            let noise = ((row * (column + 3) * 7919 % 1009) as f64 / 1009.0 - 0.5) * 0.4;
            along * [1.0, 0.8, -0.5, 0.0, 0.3][column] + noise
        })
    }

    #[test]
    fn what_lies_off_the_cloud_is_odder_than_what_lies_on_it() {
        let vectors = cloud(400);
        let model = JointModel::fit(&vectors, 0.0, 7).unwrap();
        let ordinary = model.judge(vectors.row(17));
        let mut off = vectors.row(17).to_owned();
        off[3] += 5.0;
        let odd = model.judge(off.view());
        assert!(odd.surprise > 3.0 + ordinary.surprise, "{odd:?} against {ordinary:?}");
        let largest = odd.parts.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        assert_eq!(largest, 3, "the shifted feature is named: {:?}", odd.parts);
    }

    #[test]
    fn a_fit_is_the_same_every_time() {
        let vectors = cloud(300);
        let [a, b] = [(); 2].map(|()| JointModel::fit(&vectors, 0.0, 7).unwrap());
        assert_eq!(a.judge(vectors.row(3)), b.judge(vectors.row(3)));
    }

    #[test]
    fn the_mixture_density_integrates_to_one() {
        let model = JointModel::fit(&cloud(400), 0.0, 7).unwrap();
        let one = Array2::from_shape_fn((400, 1), |(row, _)| {
            model.axes.dot(&model.scaled(cloud(400).row(row)))[0]
        });
        let mixture = fit_mixture(&one, 7).unwrap();
        let (low, step) = (-60.0, 0.01);
        let sum: f64 = (0..12_000)
            .map(|i| {
                let x = low + f64::from(i) * step;
                mixture
                    .iter()
                    .map(|it| {
                        let away = x - it.mean[0];
                        (it.ln_weight + it.ln_norm - 0.5 * away * away * it.precision[[0, 0]]).exp()
                    })
                    .sum::<f64>()
                    * step
            })
            .sum();
        assert!((sum - 1.0).abs() < 1e-3, "{sum}");
    }

    #[test]
    fn the_axes_are_those_of_linfa_reduction_where_it_converges() {
        let vectors = cloud(400);
        let mean = vectors.mean_axis(Axis(0)).unwrap();
        let (_, axes) = principal_axes(&vectors, &mean).unwrap();
        let reference = linfa_reduction::Pca::params(1).fit(&DatasetBase::from(vectors)).unwrap();
        let cosine = axes.row(0).dot(&reference.components().row(0)).abs();
        assert!(cosine > 0.999_9, "{cosine}");
    }

    #[test]
    fn constant_and_collinear_features_are_no_obstacle() {
        let vectors = Array2::from_shape_fn((300, 22), |(row, column)| match column {
            0..8 => (row % 17) as f64 * (column + 1) as f64,
            8..12 => (row * 31 % 101) as f64,
            _ => 0.0,
        });
        let model = JointModel::fit(&vectors, 0.0, 7).unwrap();
        assert!(model.judge(vectors.row(5)).surprise.is_finite());
    }

    #[test]
    fn too_little_and_too_plain_is_refused() {
        assert_eq!(JointModel::fit(&cloud(50), 0.0, 7).unwrap_err(), FitError::TooFew { got: 50 });
        assert_eq!(
            JointModel::fit(&Array2::zeros((200, 5)), 0.0, 7).unwrap_err(),
            FitError::Constant
        );
    }
}

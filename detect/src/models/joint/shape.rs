//! Whether the parts of a joint law that was read back fit each other: linear algebra panics otherwise.

use super::JointModel;

impl JointModel {
    /// Whether the law is of vectors with that many `features`.
    pub(crate) fn fits(&self, features: usize) -> bool {
        let vectors = [&self.centre, &self.scale, &self.mean, &self.plain_mean, &self.plain_scale];
        let kept = self.axes.nrows();
        vectors.iter().all(|vector| vector.len() == features)
            && self.axes.ncols() == features
            && self.mixture.iter().all(|gaussian| {
                gaussian.mean.len() == kept && gaussian.precision.dim() == (kept, kept)
            })
    }
}

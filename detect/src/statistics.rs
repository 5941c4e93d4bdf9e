//! The statistics that all detectors share.

pub(crate) mod again;
pub(crate) mod distinct;
pub mod gamma;
pub mod moments;
pub mod octaves;
pub mod sketch;
pub mod tail;

pub(crate) use again::Again;
pub(crate) use distinct::Cardinality;
pub use moments::{Moments, Predictive};
pub use octaves::Octaves;
pub use sketch::Sketch;

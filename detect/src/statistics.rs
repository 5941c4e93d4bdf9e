//! The statistics that all detectors share.

pub mod gamma;
pub mod moments;
pub mod octaves;
pub mod sketch;
pub mod tail;

pub use moments::{Moments, Predictive};
pub use octaves::Octaves;
pub use sketch::Sketch;

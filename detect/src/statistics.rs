//! The statistics that all detectors share.

pub mod gamma;
pub mod moments;
pub mod sketch;
pub mod tail;

pub use moments::{Moments, Predictive};
pub use sketch::Sketch;

//! What the service did, and where its time went.

use crate::pipeline::Passed;
use hdrhistogram::Histogram;

/// Where the time went.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub(crate) struct Spent {
    /// Waiting for records and taking them.
    pub(super) read: f64,
    /// Parsing.
    pub(super) parse: f64,
    /// Judging.
    pub(super) judge: f64,
    /// Waiting for the store.
    pub(super) store: f64,
    /// Ending epochs: checkpoints and commits.
    pub(super) seal: f64,
}

/// What the service did.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) passed: Passed,
    pub(crate) epochs: u64,
    pub(crate) ahead: u64,
    pub(crate) dead_letters: u64,
    /// Milliseconds from the time of an event that raised a finding to the store's answer, of events
    /// that were not old when they came.
    pub(crate) latency: Histogram<u64>,
    pub(crate) spent: Spent,
    pub(crate) outlets: crate::outlets::Counts,
}

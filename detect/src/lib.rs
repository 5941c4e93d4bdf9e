//! From events to findings: windows, baselines, detectors, models, calibration.
//!
//! This crate does no I/O, reads no clock and holds no unseeded randomness: the same events in the
//! same order give the same findings, to the byte, whatever threads run the partitions.

mod alarm;
mod calibration;
mod classes;
mod control;
mod daily;
mod delegation;
mod detectors;
pub mod engine;
mod explain;
mod identity;
mod incidents;
pub mod models;
mod open_window;
pub mod partition;
#[cfg(test)]
mod poisoning;
mod population;
mod router;
mod rows;
mod scope;
pub mod settings;
mod silence;
mod snapshot;
pub mod statistics;
mod watch;

pub use classes::Classes;
pub use control::{CHANGE_WINDOWS_MAX, ChangeWindow, Order, REASON_BYTES_MAX};
pub use engine::{Engine, Extent, Gone, Output, StatePart, Tally, Task};
pub use partition::Item;
pub use router::{Heard, Note, Router};
pub use scope::{PATTERN_BYTES_MAX, PATTERNS_MAX, Scope};
pub use settings::{Announcement, OfDetector, Plan, Settings, SettingsError};
pub use snapshot::{STATE_VERSION, SnapshotError};

/// The first 16 hexadecimal digits of a text's BLAKE3 hash: a name for a configuration or a run.
pub fn short_hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().chars().take(16).collect()
}

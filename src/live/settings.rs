//! Settings of the service.

use crate::operation;
use crate::operation::log::LogFormat;

/// Settings of the service.
#[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The format of all records; empty to recognise it from each.
    pub(crate) format: String,
    /// How far behind the latest event another may come and still be in order, in milliseconds. A
    /// finding is raised so much later.
    pub(crate) lateness_ms: u32,
    /// Seconds after which an epoch ends.
    pub(crate) epoch_seconds: u32,
    /// Events after which an epoch ends.
    pub(crate) epoch_events: u64,
    /// Where checkpoints are: a directory, or `file`, `s3`, `gs` or `az` and a place there; empty for
    /// `checkpoints` in the store's directory.
    pub(crate) checkpoints: String,
    /// The topic for records that are no events; empty to count them only.
    pub(crate) dead_letter_topic: String,
    /// The share of rejected records in a minute above which nothing is committed; 1 for never.
    pub(crate) poison_share_max: f64,
    /// Where metrics and health are served over HTTP; port 0 is any free one, empty is nowhere.
    pub(crate) listen: String,
    /// How lines on standard error are written.
    pub(crate) log_format: LogFormat,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            format: String::new(),
            lateness_ms: 1_000,
            epoch_seconds: 5,
            epoch_events: 500_000,
            checkpoints: String::new(),
            dead_letter_topic: String::new(),
            poison_share_max: 0.2,
            listen: operation::server::DEFAULT.to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

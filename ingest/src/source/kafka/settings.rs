//! What is read, and in whose name.

use serde::{Deserialize, Serialize};

/// Where a group that has committed nothing begins.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// With the oldest record that is kept.
    #[default]
    Earliest,
    /// With the next record that is written.
    Latest,
}

/// Which topics are read, and in whose name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Topics of access logs.
    pub topics: Vec<String>,
    /// Files and globs that are followed instead of topics.
    pub files: Vec<String>,
    /// The consumer group: processes of one group share the work of one reader, and stand by for it.
    pub group_id: String,
    /// Where a group that has committed nothing begins.
    pub start: Start,
    /// The topic of events between the two stages; empty for the group's name with `.events`.
    pub events_topic: String,
    /// After how long without a sign a leader is replaced, in milliseconds.
    pub session_timeout_ms: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            files: Vec::new(),
            group_id: "habitus".to_owned(),
            start: Start::Earliest,
            events_topic: String::new(),
            session_timeout_ms: 10_000,
        }
    }
}

impl Settings {
    /// The topic of events between the two stages.
    pub fn events(&self) -> String {
        match self.events_topic.as_str() {
            "" => format!("{}.events", self.group_id),
            topic => topic.to_owned(),
        }
    }

    /// The group of the first of two stages.
    pub fn first_stage(&self) -> String {
        format!("{}-normalize", self.group_id)
    }

    /// The group of the second of two stages.
    pub fn second_stage(&self) -> String {
        format!("{}-detect", self.group_id)
    }
}

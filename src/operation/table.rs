//! Every metric: its name, kind, unit, labels and what it counts. What does not stand here does not exist.

use crate::operation::health::State;
use ingest::reject::Reject;
use model::tables::Table;
use model::{Detector, Severity};

/// What a metric's values do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Only grows, as long as the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts how often something took how long.
    Histogram,
}

/// What a value is of; seconds are kept as nanoseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unit {
    Count,
    Seconds,
    Bytes,
}

/// One thing that values are told apart by: a closed set, or the partitions that the configuration
/// names. Nothing that a caller of an API wrote is ever among them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dimension {
    /// The labels `topic` and `partition`.
    Place,
    Table,
    Reason,
    Detector,
    Severity,
    Result,
    State,
    Version,
}

/// Partitions that are told apart; further ones share the last series, which is called `other`.
pub(crate) const PLACES_MAX: usize = 1_024;
/// The upper bounds of a histogram's buckets, in milliseconds.
pub(crate) const BUCKETS_MS: [i64; 13] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000];
/// What became of a commit or a reload.
pub(crate) const RESULTS: [&str; 3] = ["done", "refused", "failed"];
/// The place of the table `metrics` among the values of [`Dimension::Table`], after those of [`Table::ALL`].
pub(crate) const OF_METRICS: usize = Table::ALL.len();

impl Dimension {
    /// How many values there are.
    pub(crate) fn len(self) -> usize {
        if self == Self::Place { PLACES_MAX } else { self.values().len() }
    }

    /// The label's name; that of [`Dimension::Place`] is the second of two.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Place => "partition",
            Self::Table => "table",
            Self::Reason => "reason",
            Self::Detector => "detector",
            Self::Severity => "severity",
            Self::Result => "result",
            Self::State => "state",
            Self::Version => "version",
        }
    }

    /// The values of a closed set; none of places.
    pub(crate) fn values(self) -> Vec<&'static str> {
        match self {
            Self::Place => Vec::new(),
            Self::Table => Table::ALL.iter().map(|it| it.as_str()).chain(["metrics"]).collect(),
            Self::Reason => Reject::ALL.iter().map(|it| it.as_str()).collect(),
            Self::Detector => Detector::ALL.iter().map(|it| it.as_str()).collect(),
            Self::Severity => Severity::ALL.iter().map(|it| it.as_str()).collect(),
            Self::Result => RESULTS.to_vec(),
            Self::State => State::ALL.iter().map(|it| it.as_str()).collect(),
            Self::Version => vec![env!("CARGO_PKG_VERSION")],
        }
    }
}

macro_rules! metrics {
    ($($variant:ident $name:literal $kind:ident $unit:ident [$($dimension:ident)*] $help:literal;)+) => {
        /// A metric.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Metric { $($variant),+ }

        impl Metric {
            /// Every metric, in the order in which they are written.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name, which ends in its unit, and a counter's in `_total`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            pub(crate) const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind),+ }
            }

            pub(crate) const fn unit(self) -> Unit {
                match self { $(Self::$variant => Unit::$unit),+ }
            }

            /// What its values are told apart by.
            pub(crate) const fn dimensions(self) -> &'static [Dimension] {
                match self { $(Self::$variant => &[$(Dimension::$dimension),*]),+ }
            }

            /// One sentence about it.
            pub(crate) const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help),+ }
            }
        }
    };
}

metrics! {
    BuildInfo "habitus_build_info" Gauge Count [Version] "Is 1; the label says which version runs.";
    ProcessStart "process_start_time_seconds" Gauge Seconds [] "When the process started, in Unix time.";
    ResidentBytes "process_resident_memory_bytes" Gauge Bytes [] "Memory that the process holds, where the system says it.";
    State "habitus_state" Gauge Count [State] "Is 1 for what the service does now, and 0 for all else.";
    IsLeader "habitus_is_leader" Gauge Count [] "Is 1 while this process reads the partitions, and 0 while it stands by.";
    Rebalances "habitus_rebalances_total" Counter Count [] "Assignments of the consumer group to this process.";
    Complaints "habitus_source_complaints_total" Counter Count [] "Complaints of the Kafka client that passed by themselves.";
    Records "habitus_source_records_total" Counter Count [Place] "Records read.";
    ReadBytes "habitus_source_read_bytes_total" Counter Bytes [Place] "Bytes of records read.";
    Lag "habitus_source_lag_records" Gauge Count [Place] "Records that the broker has and that are not read yet; as old as the client's last look, two seconds.";
    Events "habitus_events_total" Counter Count [] "Events that the records held.";
    Rejects "habitus_rejects_total" Counter Count [Reason] "Records that held no event, by why.";
    Ahead "habitus_events_ahead_total" Counter Count [] "Events left out because their time is more than five minutes ahead of the clock.";
    Late "habitus_events_late_total" Counter Count [] "Events that came after later ones were judged.";
    LateNotScored "habitus_events_late_not_scored_total" Counter Count [] "Late events whose hour was over: they are in no window.";
    WatermarkDelay "habitus_watermark_delay_seconds" Gauge Seconds [] "How far behind the clock the time is up to which events were judged.";
    Held "habitus_held_events" Gauge Count [] "Events that wait until nothing earlier can come.";
    Waiting "habitus_waiting_parcels" Gauge Count [] "Parcels of rows and findings that the store does not have yet.";
    Findings "habitus_findings_total" Counter Count [Detector Severity] "Findings, each counted once with the severity of its first revision.";
    Revisions "habitus_finding_revisions_total" Counter Count [Detector Severity] "Revisions of findings, the first included.";
    Windows "habitus_windows_total" Counter Count [] "Windows that were closed and judged.";
    Identities "habitus_identities" Gauge Count [] "Identities with a state.";
    StateBytes "habitus_identity_state_bytes" Gauge Bytes [] "What the state of identities takes in memory, estimated.";
    OverflowedCalls "habitus_overflowed_calls_total" Counter Count [] "Calls of identities beyond detect.state_bytes_max, judged together as one.";
    OverflowedIdentities "habitus_overflowed_identities" Gauge Count [] "About how many identities made those calls.";
    EvictedIdentities "habitus_evicted_identities_total" Counter Count [] "Identities that came once and made room for somebody who came back.";
    Unnoted "habitus_unnoted_total" Counter Count [] "Notes of addresses, endpoints, hosts, readers of objects and identities with agents beyond what is watched at once.";
    Epochs "habitus_epochs_total" Counter Count [] "Epochs that ended with a commit.";
    EpochSeconds "habitus_epoch_duration_seconds" Histogram Seconds [] "From the end of one epoch to the end of the next.";
    SealSeconds "habitus_epoch_end_duration_seconds" Histogram Seconds [] "What the end of an epoch takes: the store, the checkpoint, the commit.";
    CheckpointSeconds "habitus_checkpoint_duration_seconds" Histogram Seconds [] "What writing a checkpoint takes.";
    CheckpointBytes "habitus_checkpoint_bytes" Gauge Bytes [] "Bytes of the last checkpoint that was written.";
    Commits "habitus_commits_total" Counter Count [Result] "Commits of offsets, by what became of them.";
    StoreInserts "habitus_store_inserts_total" Counter Count [Table] "Inserts that the store took.";
    StoreRows "habitus_store_rows_total" Counter Count [Table] "Rows that the store took.";
    StoreRetries "habitus_store_retries_total" Counter Count [Table] "Tries of an insert that failed and were followed by another.";
    StoreFailures "habitus_store_failures_total" Counter Count [Table] "Inserts that the store did not take at any try; they are kept and tried again, those of metrics left out.";
    DeadLetters "habitus_dead_letters_total" Counter Count [Table] "Rows that the store refused, set aside in a file.";
    Reloads "habitus_reloads_total" Counter Count [Result] "Configurations that were read again, by what became of them.";
    DenyEntries "habitus_deny_entries" Gauge Count [] "Entries of the deny feed.";
    DenyLeftOut "habitus_deny_left_out" Gauge Count [] "What the deny feed has no room for.";
    DenyFailures "habitus_deny_failures_total" Counter Count [] "Times that the store was not read for the deny feed, or its topic did not take it.";
    HttpRefused "habitus_http_refused_total" Counter Count [] "Connections to this server that were closed at once because too many were open.";
}

impl Metric {
    /// The row of `docs/metrics.md`.
    #[cfg(test)]
    pub(crate) fn row(self) -> String {
        let kind = match self.kind() {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let unit = match self.unit() {
            Unit::Count => "",
            Unit::Seconds => "seconds",
            Unit::Bytes => "bytes",
        };
        let label = |it: &Dimension| match it {
            Dimension::Place => "`topic`, `partition`".to_owned(),
            it => format!("`{}`", it.label()),
        };
        let labels: Vec<_> = self.dimensions().iter().map(label).collect();
        format!("| `{}` | {kind} | {unit} | {} | {} |", self.name(), labels.join(", "), self.help())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_follow_the_conventions_and_are_unique() {
        let names: BTreeSet<_> = Metric::ALL.iter().map(|it| it.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        for metric in Metric::ALL {
            let name = metric.name();
            assert!(name.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'), "{name}");
            assert!(name.starts_with("habitus_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind() == Kind::Counter, "{name}");
            let stem = name.trim_end_matches("_total");
            assert_eq!(stem.ends_with("_seconds"), metric.unit() == Unit::Seconds, "{name}");
            assert_eq!(stem.ends_with("_bytes"), metric.unit() == Unit::Bytes, "{name}");
            assert!(metric.help().ends_with('.'), "{name}");
            if metric.kind() == Kind::Histogram {
                assert!(metric.dimensions().is_empty(), "{name}");
            }
            let places = metric.dimensions().iter().filter(|it| **it == Dimension::Place);
            assert!(places.count() == 0 || metric.dimensions().len() == 1, "{name}");
        }
    }

    #[test]
    fn the_document_has_exactly_these_metrics() {
        let text = include_str!("../../docs/metrics.md");
        let (_, text) = text.split_once("## Every metric").unwrap();
        let (text, _) = text.split_once("\n## ").unwrap();
        let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| `")).collect();
        let expected: Vec<_> = Metric::ALL.iter().map(|it| it.row()).collect();
        assert_eq!(rows, expected, "the table should be\n{}", expected.join("\n"));
    }
}

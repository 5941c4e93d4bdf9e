//! The tables that detection writes and analysts read: one Arrow schema each, the same in every store.

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// A table of the store.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Table {
    /// What was found, every revision.
    Findings,
    /// Findings that belong together.
    Incidents,
    /// One detector's scored output for one entity and window.
    Signals,
    /// The features of one identity in one closed hour.
    Windows,
    /// The latest state of each identity.
    Identities,
    /// The latest state of each endpoint.
    Endpoints,
    /// What people did to the store, without what it was about.
    Audit,
    /// What people said of findings.
    Feedback,
    /// What an identity did at one endpoint on one UTC day.
    Operations,
    /// How much of each input was read and judged.
    PipelineHealth,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 10] = [
        Self::Findings,
        Self::Incidents,
        Self::Signals,
        Self::Windows,
        Self::Identities,
        Self::Endpoints,
        Self::Audit,
        Self::Feedback,
        Self::Operations,
        Self::PipelineHealth,
    ];

    /// The table's name in SQL, and the name of its directory.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Findings => "findings",
            Self::Incidents => "incidents",
            Self::Signals => "signals",
            Self::Windows => "windows",
            Self::Identities => "identities",
            Self::Endpoints => "endpoints",
            Self::Audit => "audit",
            Self::Feedback => "feedback",
            Self::Operations => "operations",
            Self::PipelineHealth => "pipeline_health",
        }
    }

    /// The table's columns.
    pub fn schema(self) -> SchemaRef {
        Arc::new(Schema::new(match self {
            Self::Findings => findings(),
            Self::Incidents => incidents(),
            Self::Signals => signals(),
            Self::Windows => windows(),
            Self::Identities => identities(),
            Self::Endpoints => endpoints(),
            Self::Audit => audit(),
            Self::Feedback => feedback(),
            Self::Operations => operations(),
            Self::PipelineHealth => pipeline_health(),
        }))
    }

    /// Whether its rows come from people, and not from logs.
    pub const fn is_by_people(self) -> bool {
        matches!(self, Self::Audit | Self::Feedback)
    }
}

/// The type of every time column: microseconds since the epoch, UTC.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

fn text_or_null(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn time(name: &str) -> Field {
    Field::new(name, time_type(), false)
}

fn time_or_null(name: &str) -> Field {
    Field::new(name, time_type(), true)
}

fn count(name: &str) -> Field {
    Field::new(name, DataType::Int64, false)
}

fn number(name: &str) -> Field {
    Field::new(name, DataType::Float64, false)
}

fn number_or_null(name: &str) -> Field {
    Field::new(name, DataType::Float64, true)
}

fn findings() -> Vec<Field> {
    vec![
        text("finding_id"),
        count("revision"),
        text("tenant_id"),
        text_or_null("principal_id"),
        text_or_null("principal_type"),
        text_or_null("principal_source"),
        text("entity"),
        text("detector"),
        count("detector_version"),
        time("window_start"),
        time("window_end"),
        count("window_seconds"),
        time("detected_at"),
        text("severity"),
        number("score"),
        number("surprise"),
        number("observed"),
        number("expected"),
        number("upper"),
        text("unit"),
        number("history_days"),
        count("history_n"),
        count("peers_n"),
        text("sentence"),
        text("counterfactual"),
        text("contributors"),
        text("evidence"),
        text("evidence_sql"),
        text("owasp"),
        text("attack"),
        text("baseline_state"),
        text("model_version"),
        text_or_null("incident_id"),
        text("config_hash"),
        number("risk_score"),
    ]
}

fn incidents() -> Vec<Field> {
    vec![
        text("incident_id"),
        count("revision"),
        text("tenant_id"),
        text("status"),
        text_or_null("merged_into"),
        time("first_detected_at"),
        time("last_detected_at"),
        text("severity"),
        number("score"),
        count("findings"),
        count("identities"),
        text("detectors"),
        text("connected_by"),
        text("sentence"),
    ]
}

fn signals() -> Vec<Field> {
    vec![
        text("tenant_id"),
        text_or_null("principal_id"),
        text("entity"),
        text("detector"),
        time("window_start"),
        time("window_end"),
        count("window_seconds"),
        number("observed"),
        number("expected"),
        number("surprise"),
        number("score"),
    ]
}

fn windows() -> Vec<Field> {
    vec![
        text("tenant_id"),
        text("principal_id"),
        time("window_start"),
        time("window_end"),
        count("window_seconds"),
        count("requests"),
        count("status_2xx"),
        count("status_3xx"),
        count("status_401"),
        count("status_403"),
        count("status_404"),
        count("status_4xx_other"),
        count("status_5xx"),
        count("status_unknown"),
        count("endpoints_distinct"),
        count("endpoints_new"),
        count("endpoints_denied_distinct"),
        count("objects_distinct"),
        count("objects_foreign"),
        count("objects_new"),
        count("objects_changed_distinct"),
        count("objects_deleted_distinct"),
        count("secrets_read_distinct"),
        count("calls_repeated_max"),
        count("acted_requests"),
        count("subjects_distinct"),
        count("subjects_new"),
        count("chain_actors_max"),
        count("tools_distinct"),
        count("tools_new"),
        count("injection_requests"),
        count("injection_answered"),
        count("networks_distinct"),
        count("networks_new"),
        count("user_agents_distinct"),
        number("bytes_in"),
        number("bytes_out"),
        count("responses_with_size"),
        number("write_share"),
        count("requests_per_10s_max"),
        count("requests_per_min_max"),
        count("steps_skipped_max"),
        number_or_null("step_bits_max"),
        number_or_null("duration_p50_ms"),
        number_or_null("duration_p95_ms"),
        number_or_null("gap_p05_s"),
        number_or_null("gap_p50_s"),
        number_or_null("gap_p95_s"),
        number("surprisal_mean_bits"),
    ]
}

fn identities() -> Vec<Field> {
    vec![
        text("tenant_id"),
        text("principal_id"),
        text_or_null("principal_name"),
        text("principal_type"),
        text("principal_source"),
        text("baseline_state"),
        time("first_seen"),
        time("last_seen"),
        time("stated_at"),
        count("requests"),
        count("active_hours"),
        count("endpoints_known"),
        number("endpoints_new_rate"),
        text("endpoints_usual"),
        number("requests_per_hour_mean"),
        number("bytes_out_per_hour_median"),
        count("peer_group"),
        count("peers"),
        count("windows_learned"),
        count("windows_withheld"),
        number("risk"),
        text("risk_findings"),
        count("state_bytes"),
    ]
}

fn endpoints() -> Vec<Field> {
    vec![
        text("endpoint"),
        text("endpoint_source"),
        time("first_seen"),
        time("last_seen"),
        count("requests"),
        count("identities"),
        number("authenticated_share"),
        count("answered"),
        count("answered_unauthenticated"),
        number_or_null("objects_per_hour_p99"),
    ]
}

fn audit() -> Vec<Field> {
    vec![
        time("at"),
        text("action"),
        text("fingerprint"),
        text("actor"),
        count("rows_removed"),
        count("rows_changed"),
        text("tables"),
        text("result"),
    ]
}

fn feedback() -> Vec<Field> {
    vec![
        text("feedback_id"),
        time("given_at"),
        text("given_by"),
        text("finding_id"),
        text("tenant_id"),
        text("verdict"),
        text("reason"),
        text("scope"),
        text_or_null("detector"),
        text_or_null("principal_id"),
        text_or_null("entity"),
        time_or_null("until"),
        text_or_null("withdraws"),
    ]
}

fn operations() -> Vec<Field> {
    vec![
        text("tenant_id"),
        text("principal_id"),
        time("day_start"),
        text("endpoint"),
        text("endpoint_source"),
        count("requests"),
        count("requests_accepted"),
        count("requests_in_findings"),
    ]
}

fn pipeline_health() -> Vec<Field> {
    vec![
        time("at"),
        text("app"),
        text("worker"),
        text("topic"),
        count("partition"),
        count("offset"),
        time("watermark"),
        count("events"),
        count("findings"),
        count("late"),
        count("rejected"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_table_has_a_column_twice() {
        for table in Table::ALL {
            let schema = table.schema();
            let names: BTreeSet<_> = schema.fields().iter().map(|field| field.name()).collect();
            assert_eq!(names.len(), schema.fields().len(), "{}", table.as_str());
        }
    }
}

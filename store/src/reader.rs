//! The reader: what the commands ask, of a directory or of a server, with the same rows as the answer.
//!
//! Each question is a text per engine, side by side in `store/questions/`. What a person typed is
//! only ever a parameter of it, which the engine takes as a value.

use crate::clickhouse::Client;
use crate::directory::{Mark, Store};
use crate::error::StoreError;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use std::fmt;

/// A question of a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Question {
    /// Findings with all columns: `since_us`, `until_us` (microseconds, exclusive), `severity_min`
    /// (1 to 5), `detector`, `principal_id` (each empty for any), `with_suppressed` (1 for all,
    /// 0 without those that feedback suppresses), `rows_max`, `skip`.
    Findings,
    /// The same without the last, with the latest names of their identities, `principal_name`.
    FindingsNamed,
    /// How many of them feedback suppresses: those of [`Self::Findings`] without the last three.
    Suppressed,
    /// Incidents with the identities of their findings: `since_us`, `until_us`, `severity_min`,
    /// `rows_max`.
    Incidents,
    /// Any finding; no parameter.
    AnyFinding,
    /// Up to two findings whose id begins with `prefix`, with what was said of them, of which finding
    /// (`verdict_finding_id`), and the name of the identity.
    Finding,
    /// The identities that `typed` may mean: its text, `lower` (in small letters), `start` (the
    /// beginning of that), `rows_max`. Columns `principal_id`, `name`, `fit`.
    Candidates,
    /// The state of `principal_id`, a row for each tenant.
    Profile,
    /// What happened to `principal_id`, the latest first: `since_us`, `until_us`, `rows_max`.
    Timeline,
    /// Feedback, the latest first, whose id or whose finding's begins with `prefix`: `rows_max`.
    Feedback,
    /// Findings as far as they are compared with those of another run, with what people say of them:
    /// those whose window begins from `since_us` on and before `until_us`; `rows_max`.
    Compared,
    /// The first and the last hour that the store has windows of, by tenant: `rows_max`.
    Extents,
    /// Findings of which somebody said what they are, the latest said first: `rows_max`.
    Verdicts,
    /// From when to when operations of `tenant_id` are known: `n`, `first_us`, `last_us`.
    OperationDays,
    /// What `principal_id` of `tenant_id` did at which endpoint on which day: `since_us`, `until_us`,
    /// `rows_max`.
    Operations,
    /// Critical findings since `since_us`, the latest first: `rows_max`. Columns `finding_id`,
    /// `tenant_id`, `principal_id`, `principal_type`, `entity`, `detector`, `detected_us`, `sentence`
    /// (cut), `evidence` (of failed authentication only), `is_suppressed`.
    Critical,
    /// How many peers use which endpoint: those in `peer_group`, or where it is −1 those of
    /// `principal_type`; the row without an endpoint counts them all. `tenant_id`, `principal_id`,
    /// `since_us`, `until_us`. Columns `endpoint`, `endpoint_source`, `first_us` and `last_us` (the
    /// days on which some peer used it), `peers`.
    PeerOperations,
    /// A page of findings as a list shows them, with the names of identities: `since_us`, `until_us`,
    /// `severity_min`, `detector`,
    /// `identity` (a part of an id or a name in small letters; empty for any), `verdict` (empty for
    /// those that lists show, `any`, `none`, `benign`, `malicious`), `rows_max`, `skip`.
    FindingsPage,
    /// How many they are on all pages: the same without the last two. Columns `n`, `severe`, `suppressed`
    /// (by feedback, whatever `verdict` is).
    FindingsTotal,
    /// The incidents whose ids begin with `prefix`, up to two.
    Incident,
    /// The findings of one and those of the incidents that were merged into it: `incident_id`, `rows_max`.
    IncidentFindings,
    /// Identities whose id or name has `text` (in small letters) in it, the riskiest first: `rows_max`,
    /// `skip`.
    IdentitiesByRisk,
    /// What is ordinary for `principal_id` of `tenant_id`: its row of `identity_profile`.
    Habits,
    /// The hours of `principal_id` of `tenant_id`, the latest first: `rows_max`.
    Hours,
    /// The findings of `principal_id` of `tenant_id`, the latest first: `rows_max`.
    IdentityFindings,
    /// Where identities are taken from: `rows_max`. Columns `principal_source`, `identities`, `requests`.
    CoverageSources,
    /// What hours since `since_us` say, in one row: how many calls, and in how many hours.
    CoverageHours,
    /// What each detector read and raised since `since_us`: `rows_max`. Columns `detector`, `signals`,
    /// `findings`, `last_us`.
    CoverageDetectors,
    /// How many findings there are of each UTC day and severity, in the order of time: `since_us`,
    /// `until_us`, `severity_min`, `principal_id` (empty for any), `rows_max`. Columns `day` (its number
    /// from 1970 on), `severity`, `findings`, `suppressed` (by feedback, which `findings` leaves out),
    /// `first_at`, `last_at` (of those that `findings` counts; NULL without one).
    FindingsByDay,
    /// Identities with findings that feedback does not suppress, the riskiest first: the same. Columns
    /// `tenant_id`, `principal_id`, `principal_name`, `principal_type`, `findings`, `place` (of the
    /// highest severity, from 1), `risk` (in the latest state), `last_at`, `identities` (how many).
    IdentitiesFound,
    /// How many findings `feedback_id` covers: `n`.
    Covered,
}

/// Takes the texts of a question from the two files of its name; behind those of a name before it, which
/// several questions share.
macro_rules! texts {
    ($shared:literal, $name:literal) => {
        (
            concat!(
                include_str!(concat!("../questions/parquet/", $shared, ".sql")),
                include_str!(concat!("../questions/parquet/", $name, ".sql")),
            ),
            concat!(
                include_str!(concat!("../questions/clickhouse/", $shared, ".sql")),
                include_str!(concat!("../questions/clickhouse/", $name, ".sql")),
            ),
        )
    };
    ($name:literal) => {
        (
            include_str!(concat!("../questions/parquet/", $name, ".sql")),
            include_str!(concat!("../questions/clickhouse/", $name, ".sql")),
        )
    };
}

impl Question {
    /// Every question.
    pub const ALL: [Self; 31] = [
        Self::Findings,
        Self::FindingsNamed,
        Self::Suppressed,
        Self::Incidents,
        Self::AnyFinding,
        Self::Finding,
        Self::Candidates,
        Self::Profile,
        Self::Timeline,
        Self::Feedback,
        Self::Compared,
        Self::Extents,
        Self::Verdicts,
        Self::OperationDays,
        Self::Operations,
        Self::Critical,
        Self::PeerOperations,
        Self::FindingsPage,
        Self::FindingsTotal,
        Self::Incident,
        Self::IncidentFindings,
        Self::IdentitiesByRisk,
        Self::Habits,
        Self::Hours,
        Self::IdentityFindings,
        Self::CoverageSources,
        Self::CoverageHours,
        Self::CoverageDetectors,
        Self::FindingsByDay,
        Self::IdentitiesFound,
        Self::Covered,
    ];

    /// The text for a directory, and the one for a server.
    pub(crate) const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Findings => texts!("findings"),
            Self::FindingsNamed => texts!("findings_named"),
            Self::Suppressed => texts!("suppressed"),
            Self::Incidents => texts!("incidents"),
            Self::AnyFinding => texts!("any_finding"),
            Self::Finding => texts!("finding"),
            Self::Candidates => texts!("candidates"),
            Self::Profile => texts!("profile"),
            Self::Timeline => texts!("timeline"),
            Self::Feedback => texts!("feedback"),
            Self::Compared => texts!("compared"),
            Self::Extents => texts!("extents"),
            Self::Verdicts => texts!("verdicts"),
            Self::OperationDays => texts!("operation_days"),
            Self::Operations => texts!("operations"),
            Self::Critical => texts!("critical"),
            Self::PeerOperations => texts!("peer_operations"),
            Self::FindingsPage => texts!("findings_meant", "findings_page"),
            Self::FindingsTotal => texts!("findings_meant", "findings_total"),
            Self::Incident => texts!("incident"),
            Self::IncidentFindings => texts!("incident_findings"),
            Self::IdentitiesByRisk => texts!("identities_by_risk"),
            Self::Habits => texts!("habits"),
            Self::Hours => texts!("hours"),
            Self::IdentityFindings => texts!("identity_findings"),
            Self::CoverageSources => texts!("coverage_sources"),
            Self::CoverageHours => texts!("coverage_hours"),
            Self::CoverageDetectors => texts!("coverage_detectors"),
            Self::FindingsByDay => texts!("findings_by_day"),
            Self::IdentitiesFound => texts!("identities_found"),
            Self::Covered => texts!("covered"),
        }
    }
}

/// The value of a parameter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// A text, whatever is in it.
    Text(String),
    /// A whole number.
    Int(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

/// Parameters by their names, each of which its question has.
pub type Values = Vec<(&'static str, Value)>;

/// An answer: the columns, and the rows in batches.
pub type Answer = (SchemaRef, Vec<RecordBatch>);

/// Reads a store, whichever it is.
#[derive(Clone, Debug)]
pub enum Reader {
    /// A directory of Parquet.
    Directory(Store),
    /// A ClickHouse server.
    Server(Client),
}

impl Reader {
    /// Answers a question of a command. The values must be those that the question names.
    pub async fn ask(&self, question: Question, values: Values) -> Result<Answer, StoreError> {
        let (parquet, clickhouse) = question.texts();
        match self {
            Self::Directory(store) => store.query_with(parquet, values).await,
            Self::Server(client) => client.query_with(clickhouse, &values).await,
        }
    }

    /// What changes with every commit to a directory; nothing of a server, which cannot say it
    /// cheaply. What a question answers may change without it where it asks for the time.
    pub fn mark(&self) -> Option<Mark> {
        match self {
            Self::Directory(store) => store.mark(),
            Self::Server(_) => None,
        }
    }

    /// Answers a question in SQL, in the engine's own dialect.
    pub async fn query(&self, sql: &str) -> Result<Answer, StoreError> {
        match self {
            Self::Directory(store) => store.query(sql).await,
            Self::Server(client) => client.query(sql).await,
        }
    }
}

/// Where the store is: the directory, or the server and its database.
impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(store) => write!(f, "{}", store.dir().display()),
            Self::Server(client) => write!(f, "{}", client.settings()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    /// The names of a text's parameters, which stand behind `before`.
    fn parameters(text: &str, before: char) -> BTreeSet<&str> {
        let ends = |c: char| !(c.is_ascii_lowercase() || c == '_');
        let parts = text.split(before).skip(1);
        parts.map(|part| part.split(ends).next().unwrap_or_default()).collect()
    }

    #[test]
    fn both_engines_are_asked_with_the_same_parameters() {
        for question in Question::ALL {
            let (parquet, clickhouse) = question.texts();
            assert_eq!(parameters(parquet, '$'), parameters(clickhouse, '{'), "{question:?}");
        }
    }

    #[test]
    fn every_file_is_a_question_but_what_two_share() {
        for folder in ["parquet", "clickhouse"] {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("questions").join(folder);
            assert_eq!(fs::read_dir(dir).unwrap().count(), Question::ALL.len() + 1, "{folder}");
        }
    }
}

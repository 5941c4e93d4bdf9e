//! Feedback: what people say of findings, written as rows beside them and never into them.
//!
//! A row is never changed: who takes something back writes another. What holds at a moment is a
//! question to these rows, so that the past can be asked too; the views `feedback_in_force` and
//! `findings_current` ask it.

use crate::directory::{Store, in_background};
use crate::error::StoreError;
use crate::forget::audit::{Entry, entries};
use crate::layout::RunId;
use crate::publish;
use crate::reader::Reader;
use crate::writer::Writer;
use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use model::tables::Table;
use model::{FindingId, Time};
use std::sync::Arc;

/// Nanoseconds in one microsecond, the unit of the time columns.
const NS_PER_US: i64 = 1_000;
/// Characters of the name of a run.
const RUN_CHARS: usize = 32;
/// What the audit calls it.
const ACTION: &str = "feedback";

/// What somebody says of a finding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It was meant to be: what its scope covers is left out of lists.
    Benign,
    /// It was an attack, or might have been; nothing is left out.
    Malicious,
    /// An earlier row no longer holds.
    Withdrawn,
}

impl Verdict {
    /// The name under which it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Benign => "benign",
            Self::Malicious => "malicious",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Which findings somebody speaks of, past and future ones of the same tenant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// This one.
    Finding,
    /// Those of its detector about its identity and its entity.
    Pattern,
    /// Those of its detector about its identity.
    Identity,
    /// Those of its detector about its entity.
    Entity,
    /// Those of its detector.
    Detector,
}

impl Scope {
    /// Every scope, the narrowest first: the order in which they count.
    pub const ALL: [Self; 5] =
        [Self::Finding, Self::Pattern, Self::Identity, Self::Entity, Self::Detector];

    /// The name under which it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Pattern => "pattern",
            Self::Identity => "identity",
            Self::Entity => "entity",
            Self::Detector => "detector",
        }
    }

    /// The scope of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }

    /// Whether the identity is part of it.
    pub const fn has_principal(self) -> bool {
        matches!(self, Self::Finding | Self::Pattern | Self::Identity)
    }

    /// Whether the entity is part of it.
    pub const fn has_entity(self) -> bool {
        matches!(self, Self::Finding | Self::Pattern | Self::Entity)
    }
}

/// One row: who said what of which findings, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Feedback {
    /// When, to the microsecond.
    pub given_at: Time,
    /// Who said it.
    pub given_by: String,
    /// The finding that was looked at.
    pub finding_id: String,
    /// Its tenant.
    pub tenant_id: String,
    /// What it is.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// What else it is said of.
    pub scope: Scope,
    /// The detector of the finding.
    pub detector: String,
    /// The identity, where it is part of the scope and the finding has one.
    pub principal_id: Option<String>,
    /// The entity, where it is part of the scope.
    pub entity: Option<String>,
    /// Until when it holds; for good without it.
    pub until: Option<Time>,
    /// The id of the row that no longer holds.
    pub withdraws: Option<String>,
}

impl Feedback {
    /// A UUID that follows from what the row says and when.
    pub fn id(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let optional = |text: &Option<String>| text.clone().map_or_else(String::new, |it| it + ".");
        for part in [
            "habitus feedback".to_owned(),
            us(self.given_at).to_string(),
            self.given_by.clone(),
            self.finding_id.clone(),
            self.tenant_id.clone(),
            self.verdict.as_str().to_owned(),
            self.reason.clone(),
            self.scope.as_str().to_owned(),
            self.detector.clone(),
            optional(&self.principal_id),
            optional(&self.entity),
            self.until.map_or_else(String::new, |it| us(it).to_string()),
            optional(&self.withdraws),
        ] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(hasher.finalize().as_bytes().get(..16).unwrap_or(&[0; 16]));
        // Version 8 and the variant of RFC 9562: made by a rule of our own.
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        FindingId(bytes).to_string()
    }
}

/// Microseconds since the epoch.
pub(crate) const fn us(time: Time) -> i64 {
    time.ns().div_euclid(NS_PER_US)
}

/// The rows of the table `feedback`.
pub(crate) fn rows(feedback: &[Feedback]) -> Result<RecordBatch, StoreError> {
    let text = |of: fn(&Feedback) -> String| -> ArrayRef {
        Arc::new(feedback.iter().map(|it| Some(of(it))).collect::<StringArray>())
    };
    let text_or_null = |of: fn(&Feedback) -> Option<String>| -> ArrayRef {
        Arc::new(feedback.iter().map(of).collect::<StringArray>())
    };
    let time = |of: fn(&Feedback) -> Option<Time>| -> ArrayRef {
        let values = feedback.iter().map(|it| of(it).map(us));
        Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let columns = vec![
        text(Feedback::id),
        time(|it| Some(it.given_at)),
        text(|it| it.given_by.clone()),
        text(|it| it.finding_id.clone()),
        text(|it| it.tenant_id.clone()),
        text(|it| it.verdict.as_str().to_owned()),
        text(|it| it.reason.clone()),
        text(|it| it.scope.as_str().to_owned()),
        text_or_null(|it| Some(it.detector.clone())),
        text_or_null(|it| it.principal_id.clone()),
        text_or_null(|it| it.entity.clone()),
        time(|it| it.until),
        text_or_null(|it| it.withdraws.clone()),
    ];
    let table = Table::Feedback;
    RecordBatch::try_new(table.schema(), columns)
        .map_err(|error| StoreError::Schema { table, what: error.to_string() })
}

/// The rows of the table `audit` about them.
pub(crate) fn audited(feedback: &[Feedback]) -> Result<RecordBatch, StoreError> {
    let each = feedback.iter().map(|it| Entry {
        at: it.given_at,
        action: ACTION,
        // The row says itself what it is about, for as long as it is there.
        fingerprint: it.id(),
        actor: it.given_by.clone(),
        rows_removed: 0,
        rows_changed: 0,
        tables: "{\"feedback\":{\"added\":1}}".to_owned(),
        result: "done",
    });
    entries(&each.collect::<Vec<_>>())
}

impl Store {
    /// Writes feedback, with a row of `audit` each, all of it visible at once.
    ///
    /// Waits half a minute for a writer: a service commits every few seconds.
    pub async fn give(&self, feedback: &[Feedback]) -> Result<(), StoreError> {
        let lock = self.wait_to_write().await?;
        let dir = self.dir().to_owned();
        in_background({
            let dir = dir.clone();
            move || publish::clear(&dir)
        })
        .await?;
        let ids: Vec<_> = feedback.iter().map(Feedback::id).collect();
        let name = blake3::hash(ids.join(" ").as_bytes()).to_hex();
        let run = RunId::new(&name.chars().take(RUN_CHARS).collect::<String>())?;
        let mut writer = Writer::under(&dir, &run, lock);
        writer.write(Table::Feedback, rows(feedback)?).await?;
        writer.write(Table::Audit, audited(feedback)?).await?;
        writer.commit().await.map(drop)
    }
}

impl Reader {
    /// Writes feedback where it is read.
    pub async fn give(&self, feedback: &[Feedback]) -> Result<(), StoreError> {
        match self {
            Self::Directory(store) => store.give(feedback).await,
            Self::Server(client) => client.give(feedback).await,
        }
    }
}

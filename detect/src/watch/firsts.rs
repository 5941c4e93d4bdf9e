//! Identities that come for the first time, as one partition notes them in a minute.

use crate::alarm;
use crate::snapshot::plain;
use model::{Event, EventBatch, Evidence, PrincipalType, Time};
use serde::{Deserialize, Serialize};

/// First calls that a partition keeps as evidence of one minute.
const SHOWN_MAX: usize = 3;
/// Kinds of principals.
pub(crate) const KINDS: usize = PrincipalType::ALL.len();

/// Who came for the first time since the last minute's end.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Firsts {
    /// Those that were given a place, by kind.
    pub(crate) kinds: [u64; KINDS],
    /// Calls beyond the budget.
    pub(crate) beyond: u64,
    /// When the first and the last of all these came.
    #[serde(with = "plain")]
    pub(crate) first: Option<Time>,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    #[serde(with = "plain")]
    pub(crate) evidence: Vec<Evidence>,
    /// What is beyond the budget, once the minute is over and if anything was.
    pub(crate) spill: Option<Spill>,
}

/// What one partition counts beyond its budget.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Spill {
    #[serde(with = "plain")]
    pub(crate) since: Time,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    pub(crate) calls: u64,
    /// About how many made them.
    pub(crate) identities: u64,
}

impl Firsts {
    pub(crate) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Notes somebody who got a place.
    pub(crate) fn add(&mut self, kind: PrincipalType, (batch, event): (&EventBatch, &Event)) {
        if let Some(count) = self.kinds.get_mut(kind as usize) {
            *count += 1;
        }
        self.show(batch, event);
    }

    /// Notes a call beyond the budget.
    pub(crate) fn add_beyond(&mut self, (batch, event): (&EventBatch, &Event)) {
        self.beyond += 1;
        self.show(batch, event);
    }

    fn show(&mut self, batch: &EventBatch, event: &Event) {
        let first = self.first.unwrap_or(event.time);
        self.last = if self.first.is_some() { self.last.max(event.time) } else { event.time };
        self.first = Some(first.min(event.time));
        if self.evidence.len() < SHOWN_MAX {
            self.evidence.push(alarm::evidence_of(batch, event));
        }
    }
}

//! The router: which partition an event belongs to, and who else must hear of it.

use crate::delegation;
use crate::snapshot::{self, SnapshotError, Subject, plain};
use hashbrown::HashMap;
use model::time::NS_PER_H;
use model::{Event, EventBatch, PrincipalTrust, PrincipalType, Text, Time};
use serde::{Deserialize, Serialize};

/// Addresses with recent failures that are watched for a success.
const WATCHED_MAX: usize = 65_536;
/// Event time between two clean-ups of a full table.
const CLEAR_EVERY_NS: i64 = model::time::NS_PER_MIN;

/// Sees every event in order and remembers which addresses failed to authenticate.
#[derive(Debug, Default)]
pub struct Router {
    /// Address → hash of the principal that its failures are charged to, and the last failure.
    watched: HashMap<Box<str>, (u64, Time)>,
    cleared: Time,
    unwatched: u64,
}

/// For another partition than an event's own: somebody authenticated from an address that failed before,
/// or an agent acted for somebody else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Note {
    /// The partition that owns the state of the address, or of the agent.
    pub partition: usize,
    /// The hash of the principal that the failures were charged to, or of the agent.
    pub source: u64,
}

impl Router {
    /// Looks at one event; a note says that the failures of its address were followed by success.
    pub fn see(&mut self, batch: &EventBatch, event: &Event) -> Option<Note> {
        let failed = event.principal_trust == PrincipalTrust::Claimed
            || matches!(event.status(), Some(401 | 407));
        if !failed && self.watched.is_empty() {
            return None;
        }
        let address = batch.text(event, Text::ClientAddress)?;
        if failed {
            // Only failures that are charged to the address: its successes come under other names.
            if event.principal_type == PrincipalType::Ip {
                self.watch(address, event);
            }
            return None;
        }
        let named = event.principal_type.is_named();
        let (source, last) = *self.watched.get(address)?;
        let recent = event.time.since(last) < NS_PER_H;
        let succeeded = matches!(event.status(), Some(200..=299));
        (named && recent && succeeded).then(|| Note { partition: partition_of(source), source })
    }

    /// The note for the partition of whoever acts, of a call on somebody else's behalf.
    pub fn actor(batch: &EventBatch, event: &Event) -> Option<Note> {
        let actor = delegation::actor_of(batch, event)?;
        let tenant = batch.text(event, Text::TenantId).unwrap_or_default();
        let source = delegation::hash_of(tenant, actor);
        Some(Note { partition: partition_of(source), source })
    }

    /// Failures whose address was not watched, because too many were.
    pub const fn unwatched(&self) -> u64 {
        self.unwatched
    }

    /// Forgets the addresses that are charged to a principal, by its id or the hashes that it had.
    pub fn forget(&mut self, principal: &str, hashes: &[u64]) {
        self.watched
            .retain(|address, (source, _)| &**address != principal && !hashes.contains(source));
    }

    /// The whole state as bytes: a [`Router::import`] of them goes on as this router would.
    ///
    /// # Errors
    ///
    /// The format refused the state: a defect of this crate.
    pub fn export(&self) -> Result<Vec<u8>, SnapshotError> {
        let each = self.watched.iter();
        let mut watched: Vec<_> = each
            .map(|(address, (source, last))| Watched { address, source: *source, last: *last })
            .collect();
        watched.sort_unstable_by_key(|it| it.address);
        let state = State { watched, cleared: self.cleared, unwatched: self.unwatched };
        snapshot::pack(Subject::Router, &state)
    }

    /// The router that [`Router::export`] wrote.
    ///
    /// # Errors
    ///
    /// The bytes are of something else, of another [`crate::STATE_VERSION`], or damaged.
    pub fn import(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let state: State<'_> = snapshot::unpack(Subject::Router, bytes)?;
        let is_sorted = state.watched.is_sorted_by(|a, b| a.address < b.address);
        if !is_sorted || state.watched.len() > WATCHED_MAX {
            return Err(Subject::Router.corrupt("the watched addresses are not in order"));
        }
        let watched = state.watched.into_iter().map(|it| (it.address.into(), (it.source, it.last)));
        Ok(Self { watched: watched.collect(), cleared: state.cleared, unwatched: state.unwatched })
    }

    fn watch(&mut self, address: &str, event: &Event) {
        let entry = (event.principal_hash, event.time);
        if let Some(watched) = self.watched.get_mut(address) {
            *watched = entry;
            return;
        }
        // The full table is walked once in a while, not at each of an attacker's addresses.
        if self.watched.len() >= WATCHED_MAX && event.time.since(self.cleared) >= CLEAR_EVERY_NS {
            self.cleared = event.time;
            self.watched.retain(|_, (_, last)| event.time.since(*last) < NS_PER_H);
        }
        if self.watched.len() < WATCHED_MAX {
            self.watched.insert(address.into(), entry);
        } else {
            self.unwatched += 1;
        }
    }
}

/// What is written of a router.
#[derive(Deserialize, Serialize)]
struct State<'a> {
    #[serde(borrow)]
    watched: Vec<Watched<'a>>,
    #[serde(with = "plain")]
    cleared: Time,
    unwatched: u64,
}

/// An address, whom its failures are charged to, and the last of them.
#[derive(Deserialize, Serialize)]
struct Watched<'a> {
    address: &'a str,
    #[serde(with = "postcard::fixint::le")]
    source: u64,
    #[serde(with = "plain")]
    last: Time,
}

pub(crate) const fn partition_of(principal_hash: u64) -> usize {
    (principal_hash >> 60) as usize % model::limit::PARTITIONS
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Int;

    fn event(batch: &mut EventBatch, second: i64, kind: PrincipalType, status: i64) -> Event {
        let mut event = Event::at(Time::from_ns(second * 1_000_000_000));
        batch.set_text(&mut event, Text::ClientAddress, "203.0.113.9");
        event.principal_type = kind;
        event.principal_hash = if kind == PrincipalType::Ip { 9 << 60 } else { 2 << 60 };
        event.set_int(Int::HttpResponseStatusCode, status);
        event
    }

    #[test]
    fn a_success_after_failures_reaches_the_address() {
        let (mut router, mut batch) = (Router::default(), EventBatch::default());
        let early = event(&mut batch, 0, PrincipalType::Consumer, 200);
        let failed = event(&mut batch, 1, PrincipalType::Ip, 401);
        let success = event(&mut batch, 2, PrincipalType::Consumer, 200);
        assert_eq!(router.see(&batch, &early), None);
        assert_eq!(router.see(&batch, &failed), None);
        assert_eq!(router.see(&batch, &success), Some(Note { partition: 9, source: 9 << 60 }));
        assert!(router.see(&batch, &success).is_some(), "every success within the hour counts");
    }

    #[test]
    fn an_hour_later_it_is_forgotten() {
        let (mut router, mut batch) = (Router::default(), EventBatch::default());
        let failed = event(&mut batch, 1, PrincipalType::Ip, 401);
        let success = event(&mut batch, 3_700, PrincipalType::Consumer, 200);
        router.see(&batch, &failed);
        assert_eq!(router.see(&batch, &success), None);
    }
}

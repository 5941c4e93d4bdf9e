//! The router: which partition an event belongs to, and who else must hear of it.

use crate::delegation;
use crate::partition::Item;
use crate::snapshot::{self, SnapshotError, Subject, plain};
use hashbrown::HashMap;
use model::time::NS_PER_H;
use model::{Event, EventBatch, PrincipalTrust, PrincipalType, Text, Time};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::Ipv6Addr;

/// Places with recent failures that are watched for a success; who failed longest ago makes room.
const WATCHED_MAX: usize = 65_536;
/// Parts the address of a place from its tenant.
const PARTS: char = '\0';

/// Sees every event in order and remembers which addresses failed to authenticate.
#[derive(Debug, Default)]
pub struct Router {
    /// Whom a place's failures are charged to. A place is an address, or an IPv6 network, in its tenant.
    watched: HashMap<Box<str>, Failing>,
    /// Each place once, with a time at which it had failed: in this order they make room.
    queue: VecDeque<(Time, Box<str>)>,
    unwatched: u64,
    /// The place that is looked at: its memory is used again.
    place: String,
}

/// Whose failures are followed at a place.
#[derive(Clone, Copy, Debug)]
struct Failing {
    /// The hash of the principal that they are charged to.
    source: u64,
    /// By how many it failed more often than the others there.
    lead: u32,
    /// Its last one.
    last: Time,
}

impl Failing {
    /// Adds a failure; who is not followed now. Of several in one network that is the one with most
    /// failures, by a majority vote (Boyer and Moore, 1981): a few of others hide nobody.
    fn add(&mut self, source: u64, at: Time) -> Option<u64> {
        let before = *self;
        if source == self.source {
            *self = Self { lead: self.lead.saturating_add(1), last: at, ..before };
            return None;
        }
        if is_over(before.last, at) {
            *self = Self { source, lead: 1, last: at };
            return None;
        }
        if before.lead > 1 {
            self.lead -= 1;
            return Some(source);
        }
        *self = Self { source, lead: 1, last: at };
        Some(before.source)
    }
}

/// Whether a failure is too long ago for a success to have to do with it.
const fn is_over(last: Time, now: Time) -> bool {
    now.since(last) >= NS_PER_H
}

/// For another partition than an event's own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Note {
    /// The partition that owns the state of the address, or of the agent.
    pub partition: usize,
    /// The hash of the principal that failures were charged to, or of the agent.
    pub source: u64,
    /// What it says.
    pub heard: Heard,
}

/// What a partition hears of one of its identities.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Heard {
    /// Somebody authenticated from an address that failed before.
    Success,
    /// A success after failures may not be seen: more failed than are watched.
    Unwatched,
    /// An agent acted for somebody else.
    Acted,
}

impl Note {
    const fn of(source: u64, heard: Heard) -> Self {
        Self { partition: partition_of(source), source, heard }
    }

    /// What its partition is told, of the event that it was made of.
    pub const fn item<'a>(&self, batch: &'a EventBatch, event: &'a Event) -> Item<'a> {
        match self.heard {
            Heard::Success => Item::SuccessAfterFailure(self.source, batch, event),
            Heard::Unwatched => Item::Unwatched(self.source),
            Heard::Acted => Item::Acted(self.source, batch, event),
        }
    }
}

impl Router {
    /// Looks at one event; a note says that the failures of its address were followed by success, or
    /// that failures are not watched for one any more.
    pub fn see(&mut self, batch: &EventBatch, event: &Event) -> Option<Note> {
        let failed = event.principal_trust == PrincipalTrust::Claimed
            || matches!(event.status(), Some(401 | 407));
        if !failed && self.watched.is_empty() {
            return None;
        }
        let address = batch.text(event, Text::ClientAddress)?;
        let tenant = batch.text(event, Text::TenantId).unwrap_or_default();
        if failed {
            // Only failures that are charged to the address: its successes come under other names.
            if event.principal_type != PrincipalType::Ip {
                return None;
            }
            name_place(tenant, address, &mut self.place);
            let gone = self.watch(event.principal_hash, event.time)?;
            return Some(Note::of(gone, Heard::Unwatched));
        }
        let succeeded = matches!(event.status(), Some(200..=299));
        if !succeeded || !event.principal_type.is_named() {
            return None;
        }
        name_place(tenant, address, &mut self.place);
        let failing = self.watched.get(&*self.place)?;
        let is_recent = !is_over(failing.last, event.time);
        is_recent.then(|| Note::of(failing.source, Heard::Success))
    }

    /// The note for the partition of whoever acts, of a call on somebody else's behalf.
    pub fn actor(batch: &EventBatch, event: &Event) -> Option<Note> {
        let actor = delegation::actor_of(batch, event)?;
        let tenant = batch.text(event, Text::TenantId).unwrap_or_default();
        Some(Note::of(delegation::hash_of(tenant, actor), Heard::Acted))
    }

    /// Addresses whose recent failures are watched no more, because too many others failed.
    pub const fn unwatched(&self) -> u64 {
        self.unwatched
    }

    /// Forgets the addresses that are charged to a principal, by its id or the hashes that it had.
    pub fn forget(&mut self, principal: &str, hashes: &[u64]) {
        let network = network_of(principal).map(|it| format!("{it}/64"));
        let address = network.as_deref().unwrap_or(principal);
        self.watched.retain(|place, failing| {
            place.split(PARTS).next() != Some(address) && !hashes.contains(&failing.source)
        });
        let watched = &self.watched;
        self.queue.retain(|(_, place)| watched.contains_key(place));
    }

    /// The whole state as bytes: a [`Router::import`] of them goes on as this router would.
    ///
    /// # Errors
    ///
    /// The format refused the state: a defect of this crate.
    pub fn export(&self) -> Result<Vec<u8>, SnapshotError> {
        let each = self.queue.iter().filter_map(|(queued, place)| {
            let Failing { source, lead, last } = *self.watched.get(place)?;
            Some(Watched { place, source, lead, last, queued: *queued })
        });
        let state = State { watched: each.collect(), unwatched: self.unwatched };
        snapshot::pack(Subject::Router, &state)
    }

    /// The router that [`Router::export`] wrote.
    ///
    /// # Errors
    ///
    /// The bytes are of something else, of another [`crate::STATE_VERSION`], or damaged.
    pub fn import(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let state: State<'_> = snapshot::unpack(Subject::Router, bytes)?;
        if state.watched.len() > WATCHED_MAX {
            return Err(Subject::Router.corrupt("too many places are watched"));
        }
        let mut router = Self { unwatched: state.unwatched, ..Self::default() };
        for Watched { place, source, lead, last, queued } in state.watched {
            router.queue.push_back((queued, place.into()));
            if router.watched.insert(place.into(), Failing { source, lead, last }).is_some() {
                return Err(Subject::Router.corrupt("a place is watched twice"));
            }
        }
        Ok(router)
    }

    /// Watches the place that was named for a success after a failure; who is not followed now.
    fn watch(&mut self, source: u64, at: Time) -> Option<u64> {
        if let Some(failing) = self.watched.get_mut(&*self.place) {
            return failing.add(source, at);
        }
        let gone = self.make_room(at);
        self.watched.insert(self.place.as_str().into(), Failing { source, lead: 1, last: at });
        self.queue.push_back((at, self.place.as_str().into()));
        gone
    }

    /// Makes room for one place more: what is over goes, and of a full table who failed longest ago.
    ///
    /// A place that failed again since it was queued goes to the end, so that each failure moves one
    /// place at most.
    fn make_room(&mut self, now: Time) -> Option<u64> {
        while let Some((queued, place)) = self.queue.pop_front() {
            let is_full = self.watched.len() >= WATCHED_MAX;
            if !is_full && !is_over(queued, now) {
                self.queue.push_front((queued, place));
                return None;
            }
            let Some(failing) = self.watched.get(&place).copied() else { continue };
            if failing.last > queued {
                self.queue.push_back((failing.last, place));
                continue;
            }
            self.watched.remove(&place);
            if !is_over(failing.last, now) {
                self.unwatched += 1;
                return Some(failing.source);
            }
        }
        None
    }
}

/// Names the place of an address: of IPv6 its network, because whoever has one address has 2⁶⁴.
fn name_place(tenant: &str, address: &str, place: &mut String) {
    place.clear();
    match network_of(address) {
        Some(network) => {
            // Writing to a string cannot fail.
            let _infallible = write!(place, "{network}/64");
        }
        None => place.push_str(address),
    }
    place.push(PARTS);
    place.push_str(tenant);
}

/// The /64 of an IPv6 address; none of any other.
fn network_of(address: &str) -> Option<Ipv6Addr> {
    // Most are IPv4.
    if !address.contains(':') {
        return None;
    }
    let address: Ipv6Addr = address.parse().ok()?;
    Some(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
}

/// What is written of a router.
#[derive(Deserialize, Serialize)]
struct State<'a> {
    /// In the order in which they make room.
    #[serde(borrow)]
    watched: Vec<Watched<'a>>,
    unwatched: u64,
}

/// A place, and whose failures are followed there.
#[derive(Deserialize, Serialize)]
struct Watched<'a> {
    place: &'a str,
    #[serde(with = "postcard::fixint::le")]
    source: u64,
    lead: u32,
    #[serde(with = "plain")]
    last: Time,
    #[serde(with = "plain")]
    queued: Time,
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
        let note = Note { partition: 9, source: 9 << 60, heard: Heard::Success };
        assert_eq!(router.see(&batch, &success), Some(note));
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

    #[test]
    fn of_two_tenants_each_has_addresses_of_its_own() {
        let (mut router, mut batch) = (Router::default(), EventBatch::default());
        let mut failed = event(&mut batch, 1, PrincipalType::Ip, 401);
        let mut success = event(&mut batch, 2, PrincipalType::Consumer, 200);
        batch.set_text(&mut failed, Text::TenantId, "a");
        batch.set_text(&mut success, Text::TenantId, "b");
        assert_eq!(router.see(&batch, &failed), None);
        assert_eq!(router.see(&batch, &success), None);
        batch.set_text(&mut success, Text::TenantId, "a");
        assert!(router.see(&batch, &success).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_place_that_a_few_failures_of_others_do_not_take() {
        let (mut router, mut batch) = (Router::default(), EventBatch::default());
        let mut failed = |batch: &mut EventBatch, host: u64, second: i64| {
            let mut failed = event(batch, second, PrincipalType::Ip, 401);
            batch.set_text(&mut failed, Text::ClientAddress, &format!("2001:db8::{host:x}"));
            failed.principal_hash = host;
            router.see(batch, &failed)
        };
        for second in 0..5 {
            assert_eq!(failed(&mut batch, 1, second), None);
        }
        for host in 2..6 {
            let note = Note::of(host, Heard::Unwatched);
            assert_eq!(failed(&mut batch, host, 10), Some(note), "one of them is followed");
        }
        let mut success = event(&mut batch, 20, PrincipalType::Consumer, 200);
        batch.set_text(&mut success, Text::ClientAddress, "2001:db8::ffff");
        assert_eq!(router.see(&batch, &success), Some(Note::of(1, Heard::Success)));
        assert_eq!(router.watched.len(), 1);
    }

    #[test]
    fn of_too_many_addresses_who_failed_longest_ago_makes_room_and_is_told() {
        let mut router = Router::default();
        let fails = |router: &mut Router, host: u32, ns: i64| {
            let mut batch = EventBatch::default();
            let mut failed = event(&mut batch, 0, PrincipalType::Ip, 401);
            let address = std::net::Ipv4Addr::from_bits(host).to_string();
            batch.set_text(&mut failed, Text::ClientAddress, &address);
            (failed.time, failed.principal_hash) = (Time::from_ns(ns), u64::from(host));
            router.see(&batch, &failed)
        };
        for host in 0..WATCHED_MAX as u32 {
            assert_eq!(fails(&mut router, host, i64::from(host)), None);
        }
        let now = WATCHED_MAX as i64;
        assert_eq!(fails(&mut router, 0, now), None, "it failed again, and stays");
        for (host, gone) in [(WATCHED_MAX as u32, 1), (WATCHED_MAX as u32 + 1, 2)] {
            assert_eq!(fails(&mut router, host, now), Some(Note::of(gone, Heard::Unwatched)));
        }
        assert_eq!((router.unwatched(), router.watched.len()), (2, WATCHED_MAX));
        let read = Router::import(&router.export().unwrap()).unwrap();
        assert_eq!((read.queue, read.unwatched), (router.queue, 2));
    }
}

//! Sensitive reads of the hour, and calls out that came after them: made only once there is one.

use super::secrets::agent_of;
use super::{Agent, Call, Crossed, OpenWindow};
use crate::classes::{Class, Marks};
use crate::identity::Identity;
use crate::partition::text_hash;
use crate::snapshot::plain;
use model::mention::Mentions;
use model::time::NS_PER_MIN;
use model::{Detector, EndpointId, Event, EventBatch, Finding, Int, PrincipalTrust, Text, Time};
use serde::{Deserialize, Serialize};

/// How long after a sensitive read a call out belongs to it.
pub(crate) const REACH_NS: i64 = 30 * NS_PER_MIN;
/// Bytes of a session's id that are kept.
const SESSION_BYTES_MAX: usize = 64;
/// Pairs of session and endpoint whose last read is kept in an hour: with one for all, a read in another
/// session would hide where a call out leads back to.
const READS_MAX: usize = 8;
/// Sessions whose last read is kept into the next hour, with the identity.
const CARRIED_MAX: usize = 4;

/// The last sensitive read of an endpoint in a session: what a call out may belong to.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct LastRead {
    #[serde(with = "plain")]
    pub(crate) at: Time,
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    /// The session's hash, 0 where the log has none.
    pub(crate) session: u64,
    /// How many such reads the hour had so far, this one among them; 0 for one of the hour before.
    pub(crate) reads: u32,
}

/// The calls out to one endpoint that came after sensitive reads.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Sent {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    pub(crate) calls: u32,
    pub(crate) bytes: u64,
    #[serde(with = "plain")]
    pub(crate) first: Time,
    /// The read before the first of them.
    pub(crate) read: LastRead,
    /// There may have been more such reads: one made room for others.
    pub(crate) is_part: bool,
    pub(crate) session: Option<Box<str>>,
    pub(crate) agent: Agent,
    /// The identity never called it before this hour.
    pub(crate) is_new: bool,
    pub(crate) samples: Vec<Call>,
}

/// The hour's sensitive reads and what was sent out after them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Flows {
    last: Vec<LastRead>,
    /// Some made room for others.
    is_part: bool,
    /// All sensitive reads.
    pub(crate) reads: u32,
    /// The oddest is kept: an endpoint that is new to the identity before one that is not.
    pub(crate) sent: Option<Sent>,
    pub(crate) calls: u32,
}

impl Flows {
    /// Looks at one call of an identity, whose endpoint has these marks.
    pub(crate) fn see(
        identity: &Identity,
        open: &mut OpenWindow,
        (batch, event): (&EventBatch, &Event),
        (endpoint, now): (EndpointId, Time),
        (marks, is_secret): (Marks, bool),
        crossed: &mut Crossed,
    ) {
        let is_read = is_secret || (marks.has(Class::Sensitive) && marks.reads());
        let is_out = marks.has(Class::Egress) && !marks.reads();
        let is_answered = matches!(event.status(), Some(200..=399) | None)
            && event.principal_trust != PrincipalTrust::Claimed;
        if !(is_read || is_out) || !is_answered {
            return;
        }
        let before = identity.flowing.as_ref().map(|it| &*it.last).unwrap_or_default();
        if is_out && !is_read && open.flows.is_none() && before.is_empty() {
            return;
        }
        let session = batch.text(event, Text::SessionId).filter(|it| it.len() <= SESSION_BYTES_MAX);
        let session_hash = session.map_or(0, text_hash);
        let flows = open.flows.get_or_insert_default();
        if is_read {
            flows.add_read(now, endpoint, session_hash);
            return;
        }
        let Some(read) = flows.read_before(before, session_hash, now) else { return };
        flows.calls = flows.calls.saturating_add(1);
        let is_new = identity.profile.calls(endpoint) <= 0.0;
        let call = Call::of(batch, event, endpoint, now);
        let bytes = event.int(Int::HttpRequestBodySize).or(event.int(Int::HttpRequestSize));
        let bytes = bytes.and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
        match &mut flows.sent {
            Some(sent) if sent.endpoint == endpoint => {
                sent.calls = sent.calls.saturating_add(1);
                sent.bytes = sent.bytes.saturating_add(bytes);
                if sent.samples.len() < Finding::EVIDENCE_MAX {
                    sent.samples.push(call);
                }
            }
            Some(sent) if sent.is_new || !is_new => {}
            sent => {
                *sent = Some(Sent {
                    endpoint,
                    calls: 1,
                    bytes,
                    first: now,
                    read,
                    is_part: flows.is_part,
                    session: session.map(Into::into),
                    agent: agent_of(batch, event),
                    is_new,
                    samples: vec![call],
                });
                crossed.add(Detector::ToxicFlow);
            }
        }
    }

    /// Adds a sensitive read; the one longest past makes room.
    fn add_read(&mut self, now: Time, endpoint: EndpointId, session: u64) {
        self.reads = self.reads.saturating_add(1);
        let is_same = |it: &LastRead| it.session == session && it.endpoint == endpoint;
        if let Some(read) = self.last.iter_mut().find(|it| is_same(it)) {
            read.at = now;
            read.reads = read.reads.saturating_add(1);
            return;
        }
        if self.last.len() >= READS_MAX {
            let oldest = self.last.iter().enumerate().min_by_key(|(index, it)| (it.at, *index));
            if let Some(index) = oldest.map(|(index, _)| index) {
                self.last.remove(index);
                self.is_part = true;
            }
        }
        self.last.push(LastRead { at: now, endpoint, session, reads: 1 });
    }

    /// The last read that a call out belongs to, of this hour or those `before`: in the same session, where
    /// both name one.
    fn read_before(&self, before: &[LastRead], session: u64, now: Time) -> Option<LastRead> {
        let in_reach = |read: &&LastRead| {
            let is_same = read.session == session || read.session == 0 || session == 0;
            is_same && now.since(read.at) <= REACH_NS
        };
        before.iter().chain(&self.last).filter(in_reach).max_by_key(|read| read.at).copied()
    }

    /// The reads that a call out of the next hour may belong to: the last one of each session.
    pub(crate) fn carried(&self, end: Time) -> Box<[LastRead]> {
        let mut reads: Vec<_> = self.last.iter().collect();
        reads.retain(|read| end.since(read.at) <= REACH_NS);
        reads.sort_by_key(|read| std::cmp::Reverse(read.at));
        let mut carried: Vec<LastRead> = Vec::new();
        for read in reads {
            if carried.len() < CARRIED_MAX && carried.iter().all(|it| it.session != read.session) {
                carried.push(LastRead { reads: 0, ..*read });
            }
        }
        carried.into_boxed_slice()
    }

    /// Forgets names of somebody who is forgotten.
    pub(super) fn forget(&mut self, mentions: &Mentions) {
        let Some(sent) = &mut self.sent else { return };
        if matches!(&sent.agent, Agent::One(name) if mentions.are_in(name)) {
            sent.agent = Agent::Unknown;
        }
        if sent.session.as_ref().is_some_and(|session| mentions.are_in(session)) {
            sent.session = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Time {
        Time::from_ns(minute * NS_PER_MIN)
    }

    #[test]
    fn a_read_in_another_session_hides_none() {
        let (secret, other) = (EndpointId(1), EndpointId(2));
        let mut flows = Flows::default();
        flows.add_read(at(0), secret, 7);
        flows.add_read(at(1), secret, 7);
        flows.add_read(at(2), other, 8);
        let read = flows.read_before(&[], 7, at(20)).unwrap();
        assert_eq!((read.endpoint, read.reads, read.at), (secret, 2, at(1)));
        let read = flows.read_before(&[], 0, at(20)).unwrap();
        assert_eq!(
            (read.endpoint, read.reads),
            (other, 1),
            "without a session the last one counts"
        );
        assert!(flows.read_before(&[], 9, at(20)).is_none() && !flows.is_part);
        assert!(flows.read_before(&[], 7, at(32)).is_none(), "too long past");
    }

    #[test]
    fn what_is_carried_into_the_next_hour_is_the_last_of_each_session() {
        let mut flows = Flows::default();
        flows.add_read(at(20), EndpointId(1), 1);
        for (minute, session) in [(40, 2), (41, 3), (42, 2), (43, 4), (44, 5), (45, 6)] {
            flows.add_read(at(minute), EndpointId(minute as u32), session);
        }
        let carried = flows.carried(at(60));
        let sessions: Vec<_> = carried.iter().map(|it| (it.session, it.at, it.reads)).collect();
        assert_eq!(sessions, [(6, at(45), 0), (5, at(44), 0), (4, at(43), 0), (2, at(42), 0)]);
        let next = Flows::default();
        assert!(next.read_before(&carried, 2, at(61)).is_some_and(|it| it.at == at(42)));
    }

    #[test]
    fn the_reads_that_are_kept_are_bounded() {
        let mut flows = Flows::default();
        for session in 1..=20 {
            flows.add_read(at(session as i64), EndpointId(1), session);
        }
        assert!(flows.last.len() == READS_MAX && flows.is_part && flows.reads == 20);
        assert!(flows.read_before(&[], 12, at(21)).is_none());
        assert!(flows.read_before(&[], 13, at(21)).is_some());
    }
}

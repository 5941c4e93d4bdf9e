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

/// The last sensitive read: what a call out may belong to.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct LastRead {
    #[serde(with = "plain")]
    pub(crate) at: Time,
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    /// The session's hash, 0 where the log has none.
    pub(crate) session: u64,
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
    /// The read before the first of them, and how long before.
    pub(crate) read: LastRead,
    pub(crate) reads: u32,
    pub(crate) session: Option<Box<str>>,
    pub(crate) agent: Agent,
    /// The identity never called it before this hour.
    pub(crate) is_new: bool,
    pub(crate) samples: Vec<Call>,
}

/// The hour's sensitive reads and what was sent out after them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Flows {
    pub(crate) last: Option<LastRead>,
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
        let before = identity.flowing.as_ref().and_then(|it| it.last);
        if is_out && !is_read && open.flows.is_none() && before.is_none() {
            return;
        }
        let session = batch.text(event, Text::SessionId).filter(|it| it.len() <= SESSION_BYTES_MAX);
        let session_hash = session.map_or(0, text_hash);
        let flows = open.flows.get_or_insert_default();
        if is_read {
            flows.reads = flows.reads.saturating_add(1);
            flows.last = Some(LastRead { at: now, endpoint, session: session_hash });
            return;
        }
        let in_reach = |read: &LastRead| {
            let is_same = read.session == session_hash || read.session == 0 || session_hash == 0;
            is_same && now.since(read.at) <= REACH_NS
        };
        let Some(read) = flows.last.or(before).filter(in_reach) else { return };
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
                    reads: flows.reads,
                    session: session.map(Into::into),
                    agent: agent_of(batch, event),
                    is_new,
                    samples: vec![call],
                });
                crossed.add(Detector::ToxicFlow);
            }
        }
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

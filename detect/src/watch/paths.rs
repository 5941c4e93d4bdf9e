//! Through which agents calls went, and whom the last of them called, as a partition notes it in a minute.

use super::notes::tenant;
use crate::alarm;
use crate::delegation;
use crate::partition::text_hash;
use crate::snapshot::plain::{self, Source};
use model::mention::Mentions;
use model::{Event, EventBatch, Evidence, Finding, Int, PrincipalTrust, PrincipalType, Text, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Paths that a partition keeps of one minute, and errors on them.
const PATHS_MAX: usize = 1_024;
const FAILURES_MAX: usize = 1_024;
/// An agent, or a server, of a longer name is none.
const NODE_BYTES_MAX: usize = 256;

/// Agents of which each called the next, and whom the last of them called.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Path {
    pub(crate) tenant: Box<str>,
    /// At least one, the one that called first.
    pub(crate) agents: Vec<Box<str>>,
    /// `None` where the log does not say.
    pub(crate) callee: Option<Box<str>>,
    /// What kind of identity the one agent is, if the calls are charged to it.
    #[serde(with = "plain")]
    pub(crate) kind: PrincipalType,
    #[serde(with = "plain")]
    pub(crate) source: Source,
    pub(crate) calls: u64,
    /// Those that were not answered with an error or a refusal.
    pub(crate) answered: u64,
    /// Those that ended in an error.
    pub(crate) errors: u64,
    #[serde(with = "plain")]
    pub(crate) first: Time,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    /// The first call.
    #[serde(with = "plain")]
    pub(crate) evidence: Evidence,
}

/// A call that ended in an error, of something that has more calls than this one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Failure {
    #[serde(with = "plain")]
    pub(crate) at: Time,
    /// The event's content hash: the tie-break of equal times.
    pub(crate) order: u64,
    /// The trace, as a hash; else what the first agent of the chain does for one identity.
    pub(crate) thread: u64,
    pub(crate) is_trace: bool,
    /// The path's number.
    pub(crate) path: u64,
    /// Of the first few.
    #[serde(with = "plain")]
    pub(crate) evidence: Vec<Evidence>,
}

/// What agents called in a minute.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Paths {
    pub(crate) all: BTreeMap<u64, Path>,
    pub(crate) failures: Vec<Failure>,
    /// Calls, and errors, beyond the limits.
    pub(crate) missed: u64,
}

impl Paths {
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty() && self.missed == 0
    }

    /// Looks at one call; at all others than agents' it looks no further.
    #[inline]
    pub(crate) fn see(&mut self, batch: &EventBatch, event: &Event) {
        let is_by_agent =
            [Text::AgentId, Text::ActorChain, Text::ToolName, Text::McpServer, Text::McpMethodName];
        if is_by_agent.into_iter().any(|column| event.has_text(column)) {
            self.add(batch, event);
        }
    }

    fn add(&mut self, batch: &EventBatch, event: &Event) {
        let is_refused = matches!(event.status(), Some(401 | 407));
        // Nobody's agent is blamed for a name that was refused, or for a caller without any.
        if is_refused
            || event.principal_trust == PrincipalTrust::Claimed
            || !event.principal_type.is_given()
        {
            return;
        }
        let Some(id) = id_of(batch, event) else { return };
        let is_error = is_error(event);
        let is_answered = !is_error && event.status().is_none_or(|status| status < 400);
        if !self.all.contains_key(&id) {
            if self.all.len() >= PATHS_MAX {
                self.missed += 1;
                return;
            }
            let Some(path) = Path::of(batch, event) else { return };
            self.all.insert(id, path);
        }
        let Some(path) = self.all.get_mut(&id) else { return };
        path.calls += 1;
        path.answered += u64::from(is_answered);
        path.errors += u64::from(is_error);
        path.first = path.first.min(event.time);
        path.last = path.last.max(event.time);
        if is_error && let Some((thread, is_trace)) = thread_of(batch, event) {
            self.fail((batch, event), id, (thread, is_trace));
        }
    }

    fn fail(
        &mut self,
        (batch, event): (&EventBatch, &Event),
        path: u64,
        (thread, is_trace): (u64, bool),
    ) {
        if self.failures.len() >= FAILURES_MAX {
            self.missed += 1;
            return;
        }
        let is_shown = self.failures.len() < Finding::EVIDENCE_MAX;
        self.failures.push(Failure {
            at: event.time,
            order: event.content_hash,
            thread,
            is_trace,
            path,
            evidence: if is_shown { vec![alarm::evidence_of(batch, event)] } else { Vec::new() },
        });
    }

    /// All evidence, to be changed.
    pub(crate) fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        let failures = self.failures.iter_mut().flat_map(|it| &mut it.evidence);
        self.all.values_mut().map(|it| &mut it.evidence).chain(failures)
    }

    pub(crate) fn forget(&mut self, mentions: &Mentions) {
        self.all.retain(|_, path| !path.names().any(|name| mentions.are_in(name)));
        let all = &self.all;
        self.failures.retain(|it| all.contains_key(&it.path));
    }
}

impl Path {
    fn of(batch: &EventBatch, event: &Event) -> Option<Self> {
        let text = |column| batch.text(event, column);
        let is_node = |name: &&str| name.len() <= NODE_BYTES_MAX;
        let chain = delegation::actors(text(Text::ActorChain).unwrap_or_default());
        let depth_max = usize::from(delegation::DEPTH_MAX);
        let mut agents: Vec<&str> = chain.filter(is_node).take(depth_max).collect();
        if let Some(agent) = text(Text::AgentId).filter(is_node)
            && !agents.contains(&agent)
        {
            agents.insert(0, agent);
        }
        let is_itself = agents.is_empty();
        if is_itself {
            agents.extend(text(Text::PrincipalId).filter(is_node));
        }
        agents.dedup();
        let callee = callee_of(batch, event);
        if agents.is_empty() || (agents.len() == 1 && callee.is_none()) {
            return None;
        }
        let service = (PrincipalType::Service, "actor");
        let own = (event.principal_type, event.principal_source);
        let is_own = agents.first() == text(Text::PrincipalId).as_ref() && agents.len() == 1;
        let (kind, source) = if is_itself || is_own { own } else { service };
        Some(Self {
            tenant: tenant(batch, event).unwrap_or_default(),
            agents: agents.into_iter().map(Into::into).collect(),
            callee: callee.map(Into::into),
            kind,
            source,
            calls: 0,
            answered: 0,
            errors: 0,
            first: event.time,
            last: event.time,
            evidence: alarm::evidence_of(batch, event),
        })
    }

    /// The agents, and whom the last of them called.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.agents.iter().chain(&self.callee).map(|name| &**name)
    }
}

/// Whom the last agent called: the MCP server, else the service behind the gateway, else the host.
fn callee_of<'a>(batch: &'a EventBatch, event: &Event) -> Option<&'a str> {
    let columns = [Text::McpServer, Text::GatewayService, Text::ServerAddress];
    let name = columns.into_iter().find_map(|column| batch.text(event, column));
    name.filter(|name| name.len() <= NODE_BYTES_MAX)
}

/// A path's number, without reading its names one by one; `None` where it has no step.
fn id_of(batch: &EventBatch, event: &Event) -> Option<u64> {
    let (agent, chain) = (batch.text(event, Text::AgentId), batch.text(event, Text::ActorChain));
    let callee = callee_of(batch, event);
    if callee.is_none() && chain.is_none() {
        return None;
    }
    let hash = |text: Option<&str>| text.map_or(0, text_hash);
    let who = if agent.is_some() || chain.is_some() {
        mix(hash(agent), hash(chain))
    } else if event.principal_type == PrincipalType::User {
        // A person with a tool is no agent.
        return None;
    } else {
        event.principal_hash
    };
    Some(mix(mix(who, hash(callee)), hash(batch.text(event, Text::TenantId))))
}

/// What ties a call to others: its trace, else what the first agent of a chain does for one identity.
fn thread_of(batch: &EventBatch, event: &Event) -> Option<(u64, bool)> {
    if let Some(trace) = batch.text(event, Text::TraceId) {
        return Some((text_hash(trace), true));
    }
    let agent = delegation::actors(batch.text(event, Text::ActorChain)?).next();
    let agent = batch.text(event, Text::AgentId).or(agent)?;
    Some((mix(event.principal_hash, text_hash(agent)), false))
}

/// Whether a call failed: not one that was refused or asked for what is not there, nor one that came too
/// often, since those say something of the caller.
fn is_error(event: &Event) -> bool {
    let is_rpc_error = event.int(Int::RpcErrorCode).is_some_and(|code| code != 0);
    let status = event.status().unwrap_or(0);
    is_rpc_error || (status >= 400 && !matches!(status, 401 | 403 | 404 | 407 | 429))
}

const fn mix(sum: u64, value: u64) -> u64 {
    // A multiplier without a pattern in its bits: 2⁶⁴ over the golden ratio.
    (sum.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(texts: &[(Text, &str)], kind: PrincipalType, expected: &[&str]) {
        let (mut batch, mut event) = (EventBatch::default(), Event::at(Time::from_ns(0)));
        event.principal_type = kind;
        event.principal_trust = PrincipalTrust::Verified;
        for (column, text) in texts {
            batch.set_text(&mut event, *column, text);
        }
        let mut paths = Paths::default();
        paths.see(&batch, &event);
        let names: Vec<_> = paths.all.values().flat_map(Path::names).collect();
        assert_eq!(names, expected, "{texts:?}");
        event.principal_trust = PrincipalTrust::Claimed;
        let mut paths = Paths::default();
        paths.see(&batch, &event);
        assert!(paths.is_empty(), "a name that was refused has no path");
    }

    #[test]
    fn a_path_goes_from_agent_to_agent_and_to_whom_the_last_one_called() {
        use PrincipalType::{Ip, Service, User};
        let user = (Text::PrincipalId, "u-1");
        let server = (Text::McpServer, "crm");
        let chain = (Text::ActorChain, "planner, buyer");
        check(&[user, (Text::AgentId, "planner"), server], User, &["planner", "crm"]);
        check(&[user, chain, server], User, &["planner", "buyer", "crm"]);
        check(&[user, chain], User, &["planner", "buyer"]);
        check(
            &[user, (Text::AgentId, "desk"), chain, server],
            User,
            &["desk", "planner", "buyer", "crm"],
        );
        check(&[(Text::PrincipalId, "bot"), server], Service, &["bot", "crm"]);
        check(&[user, server], User, &[]);
        check(&[user, server, chain], Ip, &[]);
        check(&[user, (Text::AgentId, "planner")], User, &[]);
        check(&[user, (Text::ServerAddress, "api.example.com")], Service, &[]);
    }

    #[test]
    fn what_one_path_does_is_one_note_up_to_a_limit() {
        let (mut batch, mut event) = (EventBatch::default(), Event::at(Time::from_ns(0)));
        event.principal_type = PrincipalType::Service;
        batch.set_text(&mut event, Text::PrincipalId, "bot");
        let mut paths = Paths::default();
        for server in 0..PATHS_MAX + 7 {
            batch.set_text(&mut event, Text::McpServer, &format!("server-{server}"));
            paths.see(&batch, &event);
            paths.see(&batch, &event);
        }
        assert_eq!((paths.all.len(), paths.missed), (PATHS_MAX, 14));
        assert!(paths.all.values().all(|it| it.calls == 2 && it.answered == 2));
    }

    #[test]
    fn an_error_is_no_refusal_and_has_a_thread() {
        let (mut batch, mut event) = (EventBatch::default(), Event::at(Time::from_ns(0)));
        event.principal_type = PrincipalType::Service;
        batch.set_text(&mut event, Text::PrincipalId, "bot");
        batch.set_text(&mut event, Text::McpServer, "crm");
        let mut paths = Paths::default();
        for status in [200, 403, 404, 429, 400, 503] {
            event.set_int(Int::HttpResponseStatusCode, status);
            paths.see(&batch, &event);
        }
        let path = paths.all.values().next().unwrap();
        assert_eq!((path.calls, path.answered, path.errors), (6, 1, 2));
        assert!(paths.failures.is_empty(), "nothing ties them to others");
        batch.set_text(&mut event, Text::TraceId, "4bf92f3577b34da6");
        paths.see(&batch, &event);
        assert!(paths.failures.len() == 1 && paths.failures[0].is_trace);
    }
}

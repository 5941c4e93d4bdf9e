//! What is said about an identity: a finding, with everything that a reader needs to judge it.

use crate::event::Position;
use crate::identity::{PrincipalType, closed_set};
use crate::time::Time;
use std::fmt;

closed_set! {
    /// The detectors, in the order of the catalogue.
    Detector {
        /// An identity reads many different objects of one endpoint (BOLA sweep).
        ObjectEnumeration => "object_enumeration",
        /// More bytes leave than this identity ever receives.
        EgressSpike => "egress_spike",
        /// An endpoint that neither the identity nor its peers use.
        FirstSeenEndpoint => "first_seen_endpoint",
        /// Objects that one other identity alone has read.
        ForeignObject => "foreign_object",
        /// An endpoint that always wants an identity answers callers without one.
        UnauthenticatedSuccess => "unauthenticated_success",
        /// A credential is used from a network that it never came from.
        NewNetwork => "new_network",
        /// Failed authentication, and success after it.
        AuthFailures => "auth_failures",
        /// Refusals on many different operations.
        DeniedProbing => "denied_probing",
        /// Many different secrets are read.
        SecretHarvesting => "secret_harvesting",
        /// A tool's requests change, its name comes from elsewhere, or another takes its place.
        ToolDrift => "tool_drift",
        /// Something sensitive is read, and soon after something is sent out.
        ToxicFlow => "toxic_flow",
        /// Calls at a speed that the identity never had.
        MachineSpeed => "machine_speed",
        /// A little more each day, for many days.
        SlowDrip => "slow_drip",
        /// Steps from endpoint to endpoint in an order that others do not take.
        Sequence => "sequence",
        /// An agent acts for many, or for many whom it never acted for.
        Delegation => "delegation",
        /// Request targets with signs of injection, and what was answered.
        Injection => "injection",
        /// An endpoint's answers grow for everybody.
        ExposureChange => "exposure_change",
        /// Many different objects are changed or deleted.
        WriteBurst => "write_burst",
        /// An agent's session repeats itself and learns nothing new.
        RunawayLoop => "runaway_loop",
        /// Busy after a long silence, or broad from the first day.
        Dormant => "dormant",
        /// Endpoints and hosts that never answered before.
        Inventory => "inventory",
        /// Many different identities call from one address.
        KeyFanout => "key_fanout",
        /// A steady beat of calls, from somebody who never called like a clock.
        Cadence => "cadence",
        /// An agent calls whom it never called, or errors go from one agent to others.
        AgentGraph => "agent_graph",
        /// Far more identities come for the first time than ever did, or than there is room for.
        IdentityExplosion => "identity_explosion",
        /// Together unusual, though no single feature is.
        JointOutlier => "joint_outlier",
        /// The calls are likelier from anyone else than from this identity.
        NotItself => "not_itself",
        /// Several things in one hour, none of which would be told alone.
        Coincidence => "coincidence",
    }
}

impl Detector {
    /// Whether it watches endpoints, addresses and what else many identities share, and not one identity.
    pub const fn is_beside_identities(self) -> bool {
        matches!(
            self,
            Self::UnauthenticatedSuccess
                | Self::ExposureChange
                | Self::Inventory
                | Self::KeyFanout
                | Self::AgentGraph
                | Self::IdentityExplosion
        )
    }

    /// Whether its entity names somebody or something that calls (an agent, a session, a network, a
    /// tool) instead of an endpoint, which says only what exists.
    pub const fn names_somebody(self) -> bool {
        matches!(
            self,
            Self::NewNetwork
                | Self::ToolDrift
                | Self::Delegation
                | Self::RunawayLoop
                | Self::KeyFanout
                | Self::AgentGraph
        )
    }
}

closed_set! {
    /// What the pipeline says of itself, in the order of the catalogue.
    Notice {
        /// What was learned of the identities is gone: their habits are learned anew.
        BaselineLost => "baseline_lost",
        /// Records were removed from a topic before they were read.
        RecordsLost => "records_lost",
    }
}

/// Who raised a finding; its name is the one in the column `detector`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Origin {
    /// A detector, of an identity.
    Detector(Detector),
    /// The pipeline, of itself.
    Notice(Notice),
}

impl Origin {
    /// Every value: the detectors, then the notices.
    pub fn all() -> impl Iterator<Item = Self> {
        let detectors = Detector::ALL.iter().copied().map(Self::Detector);
        detectors.chain(Notice::ALL.iter().copied().map(Self::Notice))
    }

    /// The name under which this value is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Detector(detector) => detector.as_str(),
            Self::Notice(notice) => notice.as_str(),
        }
    }

    /// The value of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|it| it.as_str() == name)
    }

    /// Whether its entity is no endpoint: see [`Detector::names_somebody`].
    pub const fn names_somebody(self) -> bool {
        match self {
            Self::Detector(detector) => detector.names_somebody(),
            Self::Notice(_) => false,
        }
    }
}

impl From<Detector> for Origin {
    fn from(detector: Detector) -> Self {
        Self::Detector(detector)
    }
}

closed_set! {
    /// How much a finding matters: confidence times danger.
    Severity {
        /// Worth knowing.
        Info => "info",
        /// Worth a look this week.
        Low => "low",
        /// Worth a look today.
        Medium => "medium",
        /// Worth a look now.
        High => "high",
        /// Somebody should be woken.
        Critical => "critical",
    }
}

/// A finding's id: a UUID made from what the finding means, never from when or how it was computed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FindingId(pub [u8; 16]);

/// The usual hyphenated form of a UUID.
impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// One part of what was observed, and how much of it that part is.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributor {
    /// What it is: an endpoint, a claimed name, a feature.
    pub name: String,
    /// Its own observed value, in the finding's unit.
    pub observed: f64,
    /// Its share of the whole, 0 to 1.
    pub share: f64,
}

closed_set! {
    /// What findings may share, so that they belong to one incident.
    LinkKind {
        /// Who acted, or an agent that acted for somebody.
        Identity => "identity",
        /// What was shown to be let in.
        Credential => "credential",
        /// The session.
        Session => "session",
        /// The trace of one request through several services.
        Trace => "trace",
        /// The object that was read or changed.
        Object => "object",
    }
}

/// What an event may share with others: fixed hashes, 0 where the log says nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Links(pub [u64; LinkKind::ALL.len()]);

impl Links {
    /// What there is, by kind.
    pub fn iter(&self) -> impl Iterator<Item = (LinkKind, u64)> {
        LinkKind::ALL.iter().copied().zip(self.0).filter(|(_, key)| *key != 0)
    }
}

/// One event that the finding rests on: bounded, and redacted at ingest.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The event's time.
    pub time: Time,
    /// `METHOD path`, as logged after redaction.
    pub request: String,
    /// The response status.
    pub status: Option<u16>,
    /// Bytes sent to the caller.
    pub bytes_out: Option<u64>,
    /// The client's address.
    pub client_address: Option<String>,
    /// The AI agent that made the call, where the log names one: its id, else its name.
    pub agent: Option<String>,
    /// What it may share with the events of other findings.
    pub links: Links,
    /// The event's input and line.
    pub position: Position,
    /// The name of that input, where whoever read it knows one.
    pub input: Option<String>,
}

impl Evidence {
    /// An event of which only the time is known.
    #[must_use]
    pub fn at(time: Time) -> Self {
        Self {
            time,
            request: String::new(),
            status: None,
            bytes_out: None,
            client_address: None,
            agent: None,
            links: Links::default(),
            position: Position::default(),
            input: None,
        }
    }
}

/// One deviation, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The id: the same for every revision and every replay.
    pub id: FindingId,
    /// The revision: how much of the identity had been seen, so that a later one is higher.
    pub revision: u64,
    /// Whether nothing was said under this id before; later revisions are updates.
    pub is_first: bool,
    /// The tenant.
    pub tenant_id: String,
    /// The identity, `None` if the finding concerns none.
    pub principal_id: Option<String>,
    /// What kind of thing the identity is.
    pub principal_type: Option<PrincipalType>,
    /// The rule that resolved the identity.
    pub principal_source: Option<&'static str>,
    /// The entity: `METHOD template`, a network, `credential:…`, `caller→callee`, or empty for the identity as a whole.
    pub entity: String,
    /// The detector, or that the pipeline says it of itself.
    pub detector: Origin,
    /// The detector's version: moves when its statistic does.
    pub detector_version: u32,
    /// The window's start (inclusive).
    pub window_start: Time,
    /// The window's end (exclusive).
    pub window_end: Time,
    /// Event time of the event that fired it.
    pub detected_at: Time,
    /// How much it matters.
    pub severity: Severity,
    /// What it weighs in the risk of its identity, 0 to 100: confidence times danger.
    pub risk_score: f64,
    /// How many windows of ordinary traffic one must look at to see this once; at least 0.
    pub score: f64,
    /// −log10 of the probability of something at least this odd; finite.
    pub surprise: f64,
    /// What was observed, in `unit`.
    pub observed: f64,
    /// What was expected, in `unit`.
    pub expected: f64,
    /// What 99.9 % of ordinary windows stay under, in `unit`.
    pub upper: f64,
    /// The unit of the three.
    pub unit: &'static str,
    /// Days of the identity's own history that this rests on.
    pub history_days: f64,
    /// Calls of the identity's own history that this rests on.
    pub history_n: u64,
    /// Peers that this rests on.
    pub peers_n: u64,
    /// The finding in one sentence, with its numbers.
    pub sentence: String,
    /// What would have been ordinary.
    pub counterfactual: String,
    /// The largest contributors, five at most.
    pub contributors: Vec<Contributor>,
    /// Sample events, five at most.
    pub evidence: Vec<Evidence>,
    /// A query over the store that shows the observed value.
    pub evidence_sql: String,
    /// OWASP ids (API Top 10 2023, LLM Top 10 2025, Agentic 2026).
    pub owasp: &'static [&'static str],
    /// MITRE ATT&CK and ATLAS ids.
    pub attack: &'static [&'static str],
    /// The state of the identity's baseline: `prior`, `young`, `active`.
    pub baseline_state: &'static str,
    /// The version of the models that took part, empty if none did.
    pub model_version: String,
    /// The incident, if the finding belongs to one.
    pub incident_id: Option<FindingId>,
    /// A hash of the configuration that detection ran under.
    pub config_hash: String,
}

impl Finding {
    /// Most contributors that a finding names.
    pub const CONTRIBUTORS_MAX: usize = 5;
    /// Most sample events that a finding keeps.
    pub const EVIDENCE_MAX: usize = 5;

    /// The window's length in whole seconds.
    pub const fn window_seconds(&self) -> i64 {
        self.window_end.since(self.window_start) / crate::time::NS_PER_S
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_a_uuid() {
        let id = FindingId([
            0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
            0xcd, 0xef,
        ]);
        assert_eq!(id.to_string(), "01234567-89ab-cdef-0123-456789abcdef");
    }

    #[test]
    fn a_detector_is_found_by_its_name() {
        for detector in Detector::ALL {
            assert_eq!(Detector::from_name(detector.as_str()), Some(*detector));
        }
        assert_eq!(Detector::from_name("egress"), None);
    }

    #[test]
    fn whoever_raises_a_finding_is_found_by_one_name() {
        let names: std::collections::BTreeSet<_> = Origin::all().map(Origin::as_str).collect();
        assert_eq!(names.len(), Detector::ALL.len() + Notice::ALL.len());
        for origin in Origin::all() {
            assert_eq!(Origin::from_name(origin.as_str()), Some(origin));
        }
        assert_eq!(Origin::from_name("baseline"), None);
    }
}

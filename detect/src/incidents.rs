//! Incidents: findings that belong together, because they share somebody or something within hours.
//!
//! A finding gets its incident when it is raised, by what was known where the last minute of event
//! time ended; what its minute taught is put together where that one ends, in a fixed order. So it
//! depends neither on threads nor on how the events came in. Two incidents that turn out to be one are
//! merged into the older, which later findings carry.

mod risk;

pub(crate) use risk::Risks;

use crate::alarm::id_of_text;
use crate::partition::text_hash;
use crate::rows::Rows;
use crate::snapshot::plain;
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use model::mention::FORGOTTEN;
use model::tables::Table;
use model::time::{NS_PER_H, NS_PER_MIN};
use model::{Detector, Finding, FindingId, LinkKind, Origin, Severity, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An incident is open for so long after its last finding.
pub(crate) const OPEN_NS: i64 = 6 * NS_PER_H;
/// Incidents that are open at once, and what connects findings with them.
const OPEN_MAX: usize = 4_096;
const LINKS_MAX: usize = 65_536;
/// Findings and identities of one incident that are told apart.
const TOLD_APART_MAX: usize = 1_024;

/// What findings may share: the kind, and a fixed hash.
type Link = (u8, u64);

/// One finding, as far as incidents go.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Raised {
    #[serde(with = "plain")]
    at: Time,
    #[serde(with = "plain")]
    id: FindingId,
    revision: u64,
    #[serde(with = "plain")]
    incident: FindingId,
    tenant: String,
    /// The identity's key, if it concerns one.
    identity: Option<u64>,
    #[serde(with = "plain")]
    detector: Detector,
    #[serde(with = "plain")]
    severity: Severity,
    score: f64,
    risk: f64,
    links: Vec<Link>,
}

/// An open incident.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Incident {
    pub(crate) tenant: String,
    #[serde(with = "plain")]
    pub(crate) first: Time,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    #[serde(with = "plain")]
    pub(crate) severity: Severity,
    pub(crate) score: f64,
    #[serde(with = "plain")]
    findings: Told<FindingId>,
    #[serde(with = "plain")]
    identities: Told<u64>,
    /// Each detector's findings, by its place in the catalogue.
    detectors: BTreeSet<u8>,
    /// What connected its findings, by kind.
    connected: BTreeSet<u8>,
    pub(crate) revision: u64,
    #[serde(with = "plain")]
    pub(crate) status: Status,
}

/// Things that are told apart, up to a limit.
#[derive(Clone, Debug)]
pub(crate) struct Told<T>(BTreeSet<T>);

impl<T: Ord + Copy> Told<T> {
    const fn new() -> Self {
        Self(BTreeSet::new())
    }

    fn add(&mut self, it: T) {
        if self.0.len() < TOLD_APART_MAX {
            self.0.insert(it);
        }
    }
}

impl plain::Plain for Told<FindingId> {
    type As = Vec<[u8; 16]>;

    fn to_plain(&self) -> Self::As {
        self.0.iter().map(|it| it.0).collect()
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        Some(Self(plain.into_iter().map(FindingId).collect()))
    }
}

impl plain::Plain for Told<u64> {
    type As = Vec<u64>;

    fn to_plain(&self) -> Self::As {
        self.0.iter().copied().collect()
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        Some(Self(plain.into_iter().collect()))
    }
}

/// What became of an incident.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    Open,
    Closed,
    /// It is part of an older one.
    Merged(FindingId),
}

impl Status {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Merged(_) => "merged",
        }
    }
}

/// Only open incidents are kept.
impl plain::Plain for Status {
    type As = ();

    fn to_plain(&self) {}

    fn from_plain((): ()) -> Option<Self> {
        Some(Self::Open)
    }
}

/// Which incident something belongs to, and until when it was seen.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Place {
    #[serde(with = "plain")]
    incident: FindingId,
    #[serde(with = "plain")]
    last: Time,
    /// The finding that was seen last: a later revision of it shares nothing with another.
    #[serde(with = "plain")]
    finding: FindingId,
}

/// All incidents that are open, and the risk of identities.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Incidents {
    #[serde(with = "by_id")]
    open: BTreeMap<FindingId, Incident>,
    links: BTreeMap<Link, Place>,
    /// Raised since the last minute's end.
    pending: Vec<Raised>,
    /// Findings with an incident that is not kept, or with links that are not.
    missed: u64,
    pub(crate) risks: Risks,
    #[serde(with = "plain")]
    rows: Rows,
    /// It changed since the last export; no part of the state.
    #[serde(skip)]
    pub(crate) is_touched: bool,
}

/// Maps by id, as lists.
mod by_id {
    use super::{FindingId, Incident};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<FindingId, Incident>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        map.iter().map(|(id, it)| (id.0, it)).collect::<Vec<_>>().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<FindingId, Incident>, D::Error> {
        let all = Vec::<([u8; 16], Incident)>::deserialize(from)?;
        Ok(all.into_iter().map(|(id, it)| (FindingId(id), it)).collect())
    }
}

impl Incidents {
    pub(crate) fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            links: BTreeMap::new(),
            pending: Vec::new(),
            missed: 0,
            risks: Risks::default(),
            rows: Rows::of(Table::Incidents),
            is_touched: false,
        }
    }

    /// Findings of which not all is known that connects them, beyond the limits.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed + self.risks.missed()
    }

    /// Gives a finding that was just raised its incident.
    pub(crate) fn assign(&mut self, finding: &mut Finding) {
        let Origin::Detector(detector) = finding.detector else { return };
        self.is_touched = true;
        let (identity, links) = links_of(finding);
        let at = finding.detected_at;
        let places = links.iter().filter_map(|link| self.links.get(link));
        let near = places.filter(|place| at.since(place.last) <= OPEN_NS);
        let known = near.min_by_key(|place| {
            (self.open.get(&place.incident).map(|it| it.first), place.incident)
        });
        let incident = known.map_or_else(|| new_id(finding), |place| place.incident);
        finding.incident_id = Some(incident);
        self.pending.push(Raised {
            at,
            id: finding.id,
            revision: finding.revision,
            incident,
            tenant: finding.tenant_id.clone(),
            identity,
            detector,
            severity: finding.severity,
            score: finding.score,
            risk: finding.risk_score,
            links,
        });
    }

    /// Puts together what a minute raised.
    pub(crate) fn fold(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return;
        }
        self.is_touched = true;
        pending.sort_by_key(|it| (it.at, it.id, it.revision));
        let mut changed = BTreeSet::new();
        let mut merged: BTreeMap<FindingId, FindingId> = BTreeMap::new();
        for it in pending {
            if let Some(identity) = it.identity {
                self.risks.add(identity, it.id, it.risk, it.at);
            }
            let mut id = it.incident;
            while let Some(into) = merged.get(&id) {
                id = *into;
            }
            if self.open.len() >= OPEN_MAX && !self.open.contains_key(&id) {
                self.missed += 1;
                continue;
            }
            self.open.entry(id).or_insert_with(|| Incident::of(&it)).take(&it);
            for link in &it.links {
                let other = self.links.get(link).copied();
                let near = other.filter(|place| it.at.since(place.last) <= OPEN_NS);
                if let Some(place) = near
                    && place.incident != id
                    && let Some(survivor) = self.merge(id, place.incident)
                {
                    let gone = if survivor == id { place.incident } else { id };
                    merged.insert(gone, survivor);
                    changed.remove(&gone);
                    id = survivor;
                }
                let is_shared = near.is_some_and(|place| place.finding != it.id);
                if let Some(incident) = self.open.get_mut(&id).filter(|_| is_shared) {
                    incident.connected.insert(link.0);
                }
                if self.links.len() < LINKS_MAX || other.is_some() {
                    let last = near.map_or(it.at, |place| place.last.max(it.at));
                    self.links.insert(*link, Place { incident: id, last, finding: it.id });
                } else {
                    self.missed += 1;
                }
            }
            changed.insert(id);
        }
        for id in changed {
            if let Some(incident) = self.open.get_mut(&id) {
                incident.revision += 1;
                self.rows.push_incident(id, incident);
            }
        }
    }

    /// Makes one of two incidents, if both are open: the older, which is returned.
    fn merge(&mut self, one: FindingId, other: FindingId) -> Option<FindingId> {
        let (a, b) = (self.open.get(&one)?, self.open.get(&other)?);
        let is_first = (a.first, one) < (b.first, other);
        let (survivor, gone) = if is_first { (one, other) } else { (other, one) };
        let mut ended = self.open.remove(&gone)?;
        ended.revision += 1;
        ended.status = Status::Merged(survivor);
        self.rows.push_incident(gone, &ended);
        self.open.get_mut(&survivor)?.absorb(ended);
        let places = self.links.values_mut().filter(|place| place.incident == gone);
        places.for_each(|place| place.incident = survivor);
        Some(survivor)
    }

    /// Closes what nothing was added to for long, at an hour's end.
    pub(crate) fn close(&mut self, now: Time) {
        let links = self.links.len();
        self.is_touched |= !self.open.is_empty();
        let is_over = |last: Time| now.since(last) > OPEN_NS;
        for (id, mut incident) in self.open.extract_if(.., |_, it| is_over(it.last)) {
            incident.revision += 1;
            incident.status = Status::Closed;
            self.rows.push_incident(id, &incident);
        }
        self.links.retain(|_, place| !is_over(place.last));
        // Also without an open incident.
        self.is_touched |= self.risks.age(now) || self.links.len() < links;
    }

    /// Whether an identity has an incident that was open at a time.
    pub(crate) fn has_open(&self, tenant: &str, name: &str, at: Time) -> bool {
        if self.links.is_empty() {
            return false;
        }
        let place = self.links.get(&(LinkKind::Identity as u8, key_of(tenant, name)));
        place.is_some_and(|place| at.since(place.last) <= OPEN_NS)
    }

    /// Rows of incidents that changed; `None` without any.
    pub(crate) fn rows(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.rows.len() == 0 {
            return Ok(None);
        }
        self.is_touched = true;
        self.rows.finish().map(Some)
    }

    /// Whether the rows are of the right table.
    pub(crate) fn is_sound(&self) -> bool {
        self.rows.is_of(Table::Incidents)
    }

    /// Takes an identity out: what it shared connects nothing any more.
    pub(crate) fn forget(&mut self, tenant: &str, name: &str) {
        self.is_touched = true;
        let key = key_of(tenant, name);
        self.links.remove(&(LinkKind::Identity as u8, key));
        self.risks.forget(key);
        self.open.values_mut().for_each(|it| _ = it.identities.0.remove(&key));
        self.pending.retain(|it| it.identity != Some(key));
    }
}

impl Incident {
    fn of(it: &Raised) -> Self {
        Self {
            tenant: it.tenant.clone(),
            first: it.at,
            last: it.at,
            severity: it.severity,
            score: it.score,
            findings: Told::new(),
            identities: Told::new(),
            detectors: BTreeSet::new(),
            connected: BTreeSet::new(),
            revision: 0,
            status: Status::Open,
        }
    }

    fn take(&mut self, it: &Raised) {
        self.first = self.first.min(it.at);
        self.last = self.last.max(it.at);
        self.severity = self.severity.max(it.severity);
        self.score = self.score.max(it.score);
        self.findings.add(it.id);
        if let Some(identity) = it.identity {
            self.identities.add(identity);
        }
        self.detectors.insert(it.detector as u8);
    }

    fn absorb(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.severity = self.severity.max(other.severity);
        self.score = self.score.max(other.score);
        other.findings.0.into_iter().for_each(|id| self.findings.add(id));
        other.identities.0.into_iter().for_each(|id| self.identities.add(id));
        self.detectors.extend(other.detectors);
        self.connected.extend(other.connected);
    }

    pub(crate) fn findings(&self) -> usize {
        self.findings.0.len()
    }

    pub(crate) fn identities(&self) -> usize {
        self.identities.0.len()
    }

    /// The names of its detectors, in the order of the catalogue.
    pub(crate) fn detectors(&self) -> impl Iterator<Item = &'static str> {
        let all = self.detectors.iter().filter_map(|index| Detector::ALL.get(usize::from(*index)));
        all.map(|it| it.as_str())
    }

    /// What connected its findings.
    pub(crate) fn connected(&self) -> impl Iterator<Item = &'static str> {
        let all = self.connected.iter().filter_map(|index| LinkKind::ALL.get(usize::from(*index)));
        all.map(|it| it.as_str())
    }
}

/// The key of an identity.
pub(crate) fn key_of(tenant: &str, name: &str) -> u64 {
    text_hash(name) ^ text_hash(tenant).rotate_left(17)
}

/// The finding's identity, and all that may connect it with others: of its own, and of its evidence.
fn links_of(finding: &Finding) -> (Option<u64>, Vec<Link>) {
    let identity = finding.principal_id.as_deref();
    let identity = identity.map(|id| key_of(&finding.tenant_id, id));
    let mut links: BTreeSet<Link> = BTreeSet::new();
    links.extend(identity.map(|key| (LinkKind::Identity as u8, key)));
    // Of these the events of several identities are the evidence: each of them is part of it. The
    // callers of an endpoint that changed are not.
    let names_others = matches!(
        finding.detector,
        Origin::Detector(Detector::AuthFailures | Detector::KeyFanout | Detector::Delegation)
    );
    // An object connects if it is private, or was swept; that everybody reads it says nothing.
    let names_objects = matches!(
        finding.detector,
        Origin::Detector(
            Detector::ForeignObject | Detector::ObjectEnumeration | Detector::SecretHarvesting
        )
    );
    for evidence in &finding.evidence {
        for (kind, key) in evidence.links.iter() {
            let counts = match kind {
                LinkKind::Identity => names_others,
                LinkKind::Object => names_objects,
                LinkKind::Credential | LinkKind::Session | LinkKind::Trace => true,
            };
            if counts {
                links.insert((kind as u8, key));
            }
        }
        // Those who were forgotten are not all one.
        if let Some(agent) = evidence.agent.as_deref().filter(|it| *it != FORGOTTEN) {
            links.insert((LinkKind::Identity as u8, key_of(&finding.tenant_id, agent)));
        }
    }
    (identity, links.into_iter().collect())
}

/// The id of an incident that begins: of whom or what, in which minute.
fn new_id(finding: &Finding) -> FindingId {
    let about = finding.principal_id.as_deref().unwrap_or(&finding.entity);
    id_of_text(["incident", &finding.tenant_id, about], finding.detected_at.floor(NS_PER_MIN))
}

#[cfg(test)]
pub(crate) mod tests;

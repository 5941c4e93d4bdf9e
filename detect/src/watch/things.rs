//! Endpoints and hosts that answer for the first time, as one partition notes them in a minute.

use super::notes::{ADDRESSES_MAX, tenant};
use crate::alarm;
use crate::open_window::Distinct;
use crate::population::{Population, SETTLED_H};
use crate::snapshot::plain;
use model::{EndpointId, Event, EventBatch, Evidence, Finding, Text, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// New endpoints and hosts that a partition keeps of one minute, and known hosts.
const THINGS_MAX: usize = 256;
const HOSTS_MAX: usize = 64;

/// Where something is new: tenant, host (empty if only the endpoint is) and endpoint.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Spot {
    pub(crate) tenant: Box<str>,
    pub(crate) host: Box<str>,
    pub(crate) endpoint: u32,
}

/// Calls answered 2xx by an endpoint, or at a host, that never had answered any.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Thing {
    pub(crate) calls: u64,
    /// Those of them without an identity.
    pub(crate) unnamed: u64,
    #[serde(with = "plain")]
    pub(crate) first: Time,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    #[serde(with = "plain")]
    pub(crate) callers: Distinct,
    /// The host's hash, if it is new.
    pub(crate) new_host: Option<u64>,
    pub(crate) is_endpoint_new: bool,
    pub(crate) is_mcp: bool,
    #[serde(with = "plain")]
    pub(crate) evidence: Vec<Evidence>,
}

impl Thing {
    pub(crate) fn at(first: Time) -> Self {
        Self {
            calls: 0,
            unnamed: 0,
            first,
            last: first,
            callers: Distinct::default(),
            new_host: None,
            is_endpoint_new: false,
            is_mcp: false,
            evidence: Vec::new(),
        }
    }

    /// Adds what another partition, or a later minute, has of the same.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.calls += other.calls;
        self.unnamed += other.unnamed;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        for caller in other.callers.iter() {
            self.callers.add(caller, ADDRESSES_MAX);
        }
        self.new_host = self.new_host.or(other.new_host);
        self.is_endpoint_new |= other.is_endpoint_new;
        self.is_mcp |= other.is_mcp;
        self.evidence.extend(other.evidence);
        self.evidence.sort_by(|a, b| (a.time, &a.request).cmp(&(b.time, &b.request)));
        self.evidence.truncate(Finding::EVIDENCE_MAX);
    }

    /// Whether there may be more callers than these.
    pub(crate) fn is_full(&self) -> bool {
        self.callers.len() >= ADDRESSES_MAX
    }
}

/// A host, and whether it answered before this hour.
#[derive(Clone, Debug)]
struct Host {
    name: Box<str>,
    hash: u64,
    is_known: bool,
}

/// What is new, and which known hosts were called.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Stock {
    pub(crate) things: BTreeMap<Spot, Thing>,
    pub(crate) hosts: Vec<u64>,
    /// The last host: most calls are to the same.
    #[serde(skip)]
    host: Option<Host>,
    pub(crate) missed: u64,
}

impl Stock {
    pub(crate) fn is_empty(&self) -> bool {
        self.things.is_empty() && self.hosts.is_empty() && self.missed == 0
    }

    /// Looks whether a call that was answered 2xx is the first of its endpoint or host, `logged_h`
    /// hours of log after the start: until new things are counted everything is new, and only hosts are noted.
    pub(crate) fn take(
        &mut self,
        (population, logged_h): (&Population, u32),
        (batch, event): (&EventBatch, &Event),
        endpoint: EndpointId,
    ) {
        if !matches!(event.status(), Some(200..=299)) {
            return;
        }
        if logged_h < SETTLED_H {
            self.take_host(population, batch, event);
            return;
        }
        let is_endpoint_new = population.endpoint(endpoint).is_none_or(|habit| habit.answered == 0);
        let host = batch.text(event, Text::ServerAddress).or(batch.text(event, Text::McpServer));
        let new_host = host.and_then(|host| self.new_host(population, host));
        if !is_endpoint_new && new_host.is_none() {
            return;
        }
        let spot = Spot {
            tenant: tenant(batch, event).unwrap_or_default(),
            host: host.filter(|_| new_host.is_some()).unwrap_or_default().into(),
            endpoint: endpoint.0,
        };
        if self.things.len() >= THINGS_MAX && !self.things.contains_key(&spot) {
            self.missed += 1;
            return;
        }
        let thing = self.things.entry(spot).or_insert_with(|| Thing::at(event.time));
        thing.calls += 1;
        thing.unnamed += u64::from(!event.principal_type.is_named());
        thing.last = thing.last.max(event.time);
        thing.callers.add(event.principal_hash, ADDRESSES_MAX);
        thing.new_host = new_host;
        thing.is_endpoint_new = is_endpoint_new;
        thing.is_mcp |= event.has_text(Text::McpMethodName);
        if thing.evidence.len() < Finding::EVIDENCE_MAX {
            thing.evidence.push(alarm::evidence_of(batch, event));
        }
    }

    /// Notes the host of a call, known or not.
    fn take_host(&mut self, population: &Population, batch: &EventBatch, event: &Event) {
        let host = batch.text(event, Text::ServerAddress).or(batch.text(event, Text::McpServer));
        let Some(name) = host else { return };
        if self.host.as_ref().is_some_and(|host| &*host.name == name) {
            return;
        }
        let hash = crate::partition::text_hash(name);
        let is_known = population.inventory.is_known(hash);
        self.host = Some(Host { name: name.into(), hash, is_known });
        if self.hosts.contains(&hash) {
            return;
        }
        if self.hosts.len() < HOSTS_MAX {
            self.hosts.push(hash);
        } else {
            self.missed += u64::from(!is_known);
        }
    }

    /// The hash of a host that was never called before this hour.
    fn new_host(&mut self, population: &Population, name: &str) -> Option<u64> {
        if self.host.as_ref().is_none_or(|host| &*host.name != name) {
            let hash = crate::partition::text_hash(name);
            let is_known = population.inventory.is_known(hash);
            if is_known && self.hosts.len() < HOSTS_MAX && !self.hosts.contains(&hash) {
                self.hosts.push(hash);
            }
            self.host = Some(Host { name: name.into(), hash, is_known });
        }
        self.host.as_ref().filter(|host| !host.is_known).map(|host| host.hash)
    }

    pub(crate) fn forget(&mut self, hashes: &[u64]) {
        self.things.values_mut().for_each(|thing| thing.callers.remove(hashes));
    }
}

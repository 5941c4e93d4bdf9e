//! What a partition notes in a minute of event time, for what is watched beside identities.

use super::firsts::Firsts;
use super::paths::Paths;
use super::things::Stock;
use crate::alarm;
use crate::open_window::{Distinct, OpenWindow};
use crate::population::SizeHabit;
use crate::snapshot::plain;
use model::mention::Mentions;
use model::{EndpointId, Event, EventBatch, Evidence, Finding, PrincipalTrust, Text, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Arrivals that a partition keeps of one minute.
const ARRIVALS_MAX: usize = 4_096;
/// Endpoints, in their tenants, whose openings a partition keeps of one minute.
const OPENINGS_MAX: usize = 1_024;
/// Sizes that a partition keeps of one endpoint and minute.
const SIZES_MAX: u8 = 8;
/// Endpoints whose sizes are watched.
const SIZED_ENDPOINTS_MAX: usize = 65_536;
/// A size is shown as evidence if it is above the middle by this much, in ln(1 + bytes).
const SHOWN_MIN: f64 = 0.4;
/// Addresses that are told apart of one opening.
pub(super) const ADDRESSES_MAX: usize = 256;

/// An identity came from an address, for the first time in its hour.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Arrival {
    #[serde(with = "plain")]
    pub(crate) at: Time,
    /// The event's content hash: the tie-break of equal times.
    pub(crate) order: u64,
    pub(crate) tenant: Option<Box<str>>,
    pub(crate) address: Box<str>,
    pub(crate) principal: u64,
    pub(crate) name: Box<str>,
    #[serde(with = "plain")]
    pub(crate) evidence: Evidence,
}

/// Calls without an identity that were answered 2xx where nearly none ever was.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Opening {
    pub(crate) calls: u64,
    #[serde(with = "plain")]
    pub(crate) first: Time,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    #[serde(with = "plain")]
    pub(crate) addresses: Distinct,
    #[serde(with = "plain")]
    pub(crate) evidence: Vec<Evidence>,
}

impl Opening {
    /// Adds what another partition, or a later minute, has of the same.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.calls += other.calls;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        for address in other.addresses.iter() {
            self.addresses.add(address, ADDRESSES_MAX);
        }
        self.evidence.extend(other.evidence);
        self.evidence.sort_by(|a, b| (a.time, &a.request).cmp(&(b.time, &b.request)));
        self.evidence.truncate(Finding::EVIDENCE_MAX);
    }

    /// Whether more addresses than these may have called.
    pub(crate) fn is_full(&self) -> bool {
        self.addresses.len() >= ADDRESSES_MAX
    }
}

/// The tenant and the endpoint of an opening.
pub(crate) type Place = (Box<str>, u32);

/// An identity's first answer with a size from an endpoint in a minute.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Seen {
    pub(crate) endpoint: u32,
    #[serde(with = "plain")]
    pub(crate) at: Time,
    pub(crate) principal: u64,
    /// ln(1 + bytes).
    pub(crate) size: f32,
    /// Of one that is larger than usual, for the first few.
    #[serde(with = "plain")]
    pub(crate) evidence: Vec<Evidence>,
}

/// What one partition noted since the last minute's end.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Notes {
    pub(crate) openings: BTreeMap<Place, Opening>,
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) stock: Stock,
    pub(crate) paths: Paths,
    pub(crate) seen: Vec<Seen>,
    pub(crate) firsts: Firsts,
    /// How many of those each endpoint has, by its number.
    sized: Vec<u8>,
    /// Notes beyond the limits.
    pub(crate) missed: u64,
}

impl Notes {
    pub(crate) fn is_empty(&self) -> bool {
        self.openings.is_empty()
            && self.arrivals.is_empty()
            && self.stock.is_empty()
            && self.paths.is_empty()
            && self.seen.is_empty()
            && self.firsts.is_empty()
            && self.missed == 0
    }

    /// Looks at one call of an identity whose hour is `open`; `is_opening` says that it had none, and
    /// was answered 2xx by an endpoint that has nearly always wanted one.
    pub(crate) fn see(
        &mut self,
        is_opening: bool,
        (batch, event): (&EventBatch, &Event),
        endpoint: EndpointId,
        open: &mut OpenWindow,
    ) {
        if is_opening {
            self.open(endpoint, batch, event);
        }
        if !event.principal_type.is_named() {
            return;
        }
        let is_refused = matches!(event.status(), Some(401 | 407));
        if is_refused || event.principal_trust == PrincipalTrust::Claimed {
            return;
        }
        if let Some(address) = batch.text(event, Text::ClientAddress)
            && open.add_address(crate::partition::text_hash(address))
        {
            self.arrive(address, batch, event);
        }
    }

    /// Takes an identity's names and hashes out.
    pub(crate) fn forget(&mut self, mentions: &Mentions, hashes: &[u64]) {
        self.arrivals.retain(|it| !hashes.contains(&it.principal) && !mentions.are_in(&it.address));
        self.stock.forget(hashes);
        self.paths.forget(mentions);
        self.seen.retain(|it| !hashes.contains(&it.principal));
        self.openings.values_mut().for_each(|opening| opening.addresses.remove(hashes));
        self.evidence_mut().for_each(|it| crate::engine::scrub_evidence(it, mentions));
    }

    pub(crate) fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        let openings = self.openings.values_mut().flat_map(|it| &mut it.evidence);
        let sizes = self.seen.iter_mut().flat_map(|it| &mut it.evidence);
        let arrivals = self.arrivals.iter_mut().map(|it| &mut it.evidence);
        let things = self.stock.things.values_mut().flat_map(|it| &mut it.evidence);
        let paths = self.paths.evidence_mut();
        let firsts = &mut self.firsts.evidence;
        openings.chain(sizes).chain(arrivals).chain(things).chain(paths).chain(firsts)
    }

    fn open(&mut self, endpoint: EndpointId, batch: &EventBatch, event: &Event) {
        let place = (tenant(batch, event).unwrap_or_default(), endpoint.0);
        if self.openings.len() >= OPENINGS_MAX && !self.openings.contains_key(&place) {
            self.missed += 1;
            return;
        }
        let opening = self.openings.entry(place).or_insert_with(|| Opening {
            calls: 0,
            first: event.time,
            last: event.time,
            addresses: Distinct::default(),
            evidence: Vec::new(),
        });
        opening.calls += 1;
        opening.last = opening.last.max(event.time);
        opening.addresses.add(event.principal_hash, ADDRESSES_MAX);
        if opening.evidence.len() < Finding::EVIDENCE_MAX {
            opening.evidence.push(alarm::evidence_of(batch, event));
        }
    }

    /// Notes the size of an answer; `habit` is what is known of the endpoint's sizes.
    pub(crate) fn size(
        &mut self,
        (batch, event): (&EventBatch, &Event),
        endpoint: EndpointId,
        habit: Option<&SizeHabit>,
    ) {
        let index = endpoint.0 as usize;
        if index >= SIZED_ENDPOINTS_MAX {
            self.missed += 1;
            return;
        }
        if self.sized.len() <= index {
            self.sized.resize(index + 1, 0);
        }
        let Some(sized) = self.sized.get_mut(index).filter(|sized| **sized < SIZES_MAX) else {
            // A sample of the minute, whoever came first.
            return;
        };
        *sized += 1;
        let size = (event.bytes_out().unwrap_or(0) as f64).ln_1p();
        let is_large = habit.is_some_and(|habit| {
            *sized as usize <= Finding::EVIDENCE_MAX
                && size * habit.answers.n > habit.answers.sum + SHOWN_MIN * habit.answers.n
        });
        self.seen.push(Seen {
            endpoint: endpoint.0,
            at: event.time,
            principal: event.principal_hash,
            size: size as f32,
            evidence: if is_large { vec![alarm::evidence_of(batch, event)] } else { Vec::new() },
        });
    }

    fn arrive(&mut self, address: &str, batch: &EventBatch, event: &Event) {
        if self.arrivals.len() >= ARRIVALS_MAX {
            self.missed += 1;
            return;
        }
        let name = batch.text(event, Text::PrincipalName);
        let name = name.or(batch.text(event, Text::PrincipalId)).unwrap_or_default();
        self.arrivals.push(Arrival {
            at: event.time,
            order: event.content_hash,
            tenant: tenant(batch, event),
            address: address.into(),
            principal: event.principal_hash,
            name: name.into(),
            evidence: alarm::evidence_of(batch, event),
        });
    }
}

/// The tenant, `None` for the default one.
pub(super) fn tenant(batch: &EventBatch, event: &Event) -> Option<Box<str>> {
    let tenant = batch.text(event, Text::TenantId).filter(|tenant| *tenant != "default");
    tenant.map(Into::into)
}

//! What an agent did in the hour for those whom it acts for, and they never do themselves.

use super::distinct::Distinct;
use super::subjects::Subjects;
use super::{Crossed, DISTINCT_MAX};
use crate::alarm;
use crate::detectors::delegation;
use crate::engine::scrub_evidence;
use crate::population::Population;
use crate::snapshot::plain;
use model::mention::Mentions;
use model::{Detector, EndpointId, Event, EventBatch, Evidence, Finding, Time};
use serde::{Deserialize, Serialize};

/// Endpoints that are told apart by how many they were called for; of more it is known how many in all.
const ENDPOINTS_MAX: usize = 64;

/// Pairs of somebody and an endpoint that was called for it, and answered other than with an error.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Beyond {
    #[serde(with = "plain")]
    pairs: Distinct,
    /// Those of them of which it is known whether the one calls the endpoint itself.
    pub(crate) compared: u32,
    /// Those of them where it does not.
    pub(crate) count: u32,
    /// The same by endpoint, in the order in which they came.
    pub(crate) endpoints: Vec<Outside>,
    /// For whom.
    pub(crate) subjects: Subjects,
    /// The fewest days for which that is known of any of them.
    pub(crate) days: u16,
    /// The first of those calls.
    #[serde(with = "plain")]
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) tripwire: u32,
}

/// An endpoint that was called for some who do not call it themselves.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Outside {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    pub(crate) subjects: u32,
}

impl Default for Beyond {
    fn default() -> Self {
        Self {
            pairs: Distinct::default(),
            compared: 0,
            count: 0,
            endpoints: Vec::new(),
            subjects: Subjects::default(),
            days: 0,
            evidence: Vec::new(),
            tripwire: delegation::BEYOND_MIN,
        }
    }
}

impl Beyond {
    /// Adds a call on somebody's behalf; whether it is the first of its kind that the one never makes itself.
    ///
    /// What is new to everybody is the endpoint's novelty, and says nothing of who calls.
    pub(crate) fn add(
        &mut self,
        population: &Population,
        (batch, event): (&EventBatch, &Event),
        (endpoint, now): (EndpointId, Time),
        crossed: &mut Crossed,
    ) -> bool {
        if event.status().is_some_and(|status| status >= 400) {
            return false;
        }
        let subject = event.principal_hash;
        if !self.pairs.add(pair_of(subject, endpoint), DISTINCT_MAX)
            || population.is_new(endpoint, now)
        {
            return false;
        }
        let days = population.itself.days_without(subject, endpoint, now.day_number());
        let Some(days) = days else { return false };
        self.compared += 1;
        if days == 0 {
            return false;
        }
        self.days = if self.count == 0 { days } else { self.days.min(days) };
        self.count += 1;
        self.subjects.add(subject);
        let known = self.endpoints.iter().position(|it| it.endpoint == endpoint);
        if let Some(known) = known.and_then(|place| self.endpoints.get_mut(place)) {
            known.subjects += 1;
        } else if self.endpoints.len() < ENDPOINTS_MAX {
            self.endpoints.push(Outside { endpoint, subjects: 1 });
        }
        if self.evidence.len() < Finding::EVIDENCE_MAX {
            self.evidence.push(alarm::evidence_of(batch, event));
        }
        if self.count >= self.tripwire {
            crossed.add(Detector::Delegation);
        }
        true
    }

    /// Whether pairs may be left out, because there were too many.
    pub(crate) fn is_full(&self) -> bool {
        self.pairs.len() >= DISTINCT_MAX
    }

    /// Forgets somebody it acted for; that there was somebody stays true.
    pub(super) fn forget(&mut self, mentions: &Mentions, hashes: &[u64]) {
        self.subjects.forget(hashes);
        self.evidence.iter_mut().for_each(|it| scrub_evidence(it, mentions));
    }
}

/// A hash of somebody and an endpoint.
fn pair_of(subject: u64, endpoint: EndpointId) -> u64 {
    // SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014): the pairs of one are spread.
    let mut key = subject ^ u64::from(endpoint.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

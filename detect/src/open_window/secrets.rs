//! The secrets that were read in the hour: made only once there is one.

use super::distinct::Distinct;
use super::{Call, Crossed, DISTINCT_MAX, OpenWindow};
use crate::classes::Class;
use crate::detectors::secret_harvesting;
use crate::engine::Context;
use crate::identity::Identity;
use crate::partition::text_hash;
use crate::snapshot::plain;
use model::mention::Mentions;
use model::{
    Detector, EndpointId, EndpointSource, Event, EventBatch, Finding, PrincipalTrust, Text, Time,
};
use serde::{Deserialize, Serialize};

/// Endpoints whose secrets are counted apart in one hour.
const PLACES_MAX: usize = 64;
/// Bytes of an agent's name that are kept.
const AGENT_BYTES_MAX: usize = 128;

/// What was read of the class `secret`, as far as the answers say that it was.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Secrets {
    #[serde(with = "plain")]
    pub(crate) resources: Distinct,
    pub(crate) places: Vec<Place>,
    #[serde(with = "plain")]
    pub(crate) first: Time,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    pub(crate) agent: Agent,
    /// The first reads of different secrets.
    pub(crate) samples: Vec<Call>,
    pub(crate) tripwire: u32,
}

/// How many different secrets were first read at an endpoint.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Place {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    pub(crate) secrets: u32,
}

/// Which AI agent read them, as far as the log says.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Agent {
    /// Every read names this one.
    One(Box<str>),
    /// None is named, or not one of all.
    Unknown,
}

impl Secrets {
    /// Whether a call read a secret: its endpoint or its resource is one, it reads, and its answer
    /// does not say that it failed.
    pub(crate) fn is_read(
        context: &Context<'_>,
        batch: &EventBatch,
        event: &Event,
        endpoint: EndpointId,
    ) -> bool {
        let marks = context.classes.of(endpoint);
        let is_resource = event.has_text(Text::ResourceUri);
        if !marks.reads() || !(marks.has(Class::Secret) || is_resource) {
            return false;
        }
        let is_answered = matches!(event.status(), Some(200..=299) | None)
            && event.principal_trust != PrincipalTrust::Claimed;
        let is_secret = |uri| context.plan.patterns.of_resource(uri).has(Class::Secret);
        is_answered
            && (marks.has(Class::Secret)
                || batch.text(event, Text::ResourceUri).is_some_and(is_secret))
    }

    /// Adds a call that read a secret.
    pub(crate) fn add(
        (context, identity): (&Context<'_>, &Identity),
        open: &mut OpenWindow,
        (batch, event): (&EventBatch, &Event),
        (endpoint, now): (EndpointId, Time),
        crossed: &mut Crossed,
    ) {
        if open.secrets.is_none() {
            let tripwire = secret_harvesting::trip(&context.view(identity, open));
            open.secrets = Some(Box::new(Self {
                resources: Distinct::default(),
                places: Vec::new(),
                first: now,
                last: now,
                agent: agent_of(batch, event),
                samples: Vec::new(),
                tripwire,
            }));
        }
        let Some(secrets) = &mut open.secrets else { return };
        secrets.last = now;
        if secrets.agent != Agent::Unknown && secrets.agent != agent_of(batch, event) {
            secrets.agent = Agent::Unknown;
        }
        if !secrets.resources.add(resource_of(batch, event), DISTINCT_MAX) {
            return;
        }
        if let Some(place) = secrets.places.iter_mut().find(|place| place.endpoint == endpoint) {
            place.secrets += 1;
        } else if secrets.places.len() < PLACES_MAX {
            secrets.places.push(Place { endpoint, secrets: 1 });
        }
        if secrets.samples.len() < Finding::EVIDENCE_MAX {
            secrets.samples.push(Call::of(batch, event, endpoint, now));
        }
        if secrets.resources.len() >= secrets.tripwire as usize {
            crossed.add(Detector::SecretHarvesting);
        }
    }

    /// Forgets the agent's name, if it is somebody's who is forgotten.
    pub(super) fn forget(&mut self, mentions: &Mentions) {
        if matches!(&self.agent, Agent::One(name) if mentions.are_in(name)) {
            self.agent = Agent::Unknown;
        }
    }
}

pub(super) fn agent_of(batch: &EventBatch, event: &Event) -> Agent {
    let name = batch.text(event, Text::AgentId).or(batch.text(event, Text::AgentName));
    match name.filter(|name| name.len() <= AGENT_BYTES_MAX) {
        Some(name) => Agent::One(name.into()),
        None => Agent::Unknown,
    }
}

/// What tells one secret from another: the resource's URI, else the path with what was taken out of
/// it, else the operation. The query does not: pages of one list are one.
fn resource_of(batch: &EventBatch, event: &Event) -> u64 {
    if let Some(uri) = batch.text(event, Text::ResourceUri) {
        return text_hash(uri);
    }
    let path = batch.text(event, Text::UrlPath).map_or(0, text_hash);
    let is_operation =
        matches!(event.endpoint_source, EndpointSource::Rpc | EndpointSource::Operation);
    let operation = if is_operation { event.endpoint_hash } else { 0 };
    path ^ event.object.unwrap_or(0) ^ operation
}

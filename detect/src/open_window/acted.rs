//! For whom an agent acted in the hour: made only once it did.

use super::subjects::Subjects;
use super::{Beyond, Crossed};
use crate::delegation::depth_of;
use crate::detectors::delegation;
use crate::identity::Acting;
use crate::snapshot::plain;
use model::mention::Mentions;
use model::{Detector, Event, EventBatch, Finding, Text, Time};
use serde::{Deserialize, Serialize};

/// Bytes that are kept of a subject's name.
const NAME_BYTES_MAX: usize = 64;

/// The calls that an agent made on behalf of others.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Acted {
    pub(crate) calls: u32,
    pub(crate) subjects: Subjects,
    /// Subjects that the agent never acted for before, as far as that is kept.
    pub(crate) new: u32,
    /// The first of those, and how many calls it made for each.
    pub(crate) first_new: Vec<Served>,
    /// Most actors in a chain, and that chain.
    pub(crate) depth: u8,
    pub(crate) chain: Option<Box<str>>,
    /// What those whom it acted for do not do themselves.
    pub(crate) beyond: Beyond,
    #[serde(with = "plain")]
    pub(crate) first: Time,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    pub(crate) tripwire: u32,
}

/// A subject of the hour.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Served {
    #[serde(with = "postcard::fixint::le")]
    hash: u64,
    pub(crate) name: Box<str>,
    pub(crate) calls: u32,
}

impl Acted {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            calls: 0,
            subjects: Subjects::default(),
            new: 0,
            first_new: Vec::new(),
            depth: 0,
            chain: None,
            beyond: Beyond::default(),
            first: now,
            last: now,
            tripwire: delegation::SUBJECTS_MIN,
        }
    }

    /// Adds a call on somebody's behalf.
    pub(crate) fn add(
        &mut self,
        acting: Option<&Acting>,
        (batch, event): (&EventBatch, &Event),
        now: Time,
        crossed: &mut Crossed,
    ) {
        self.calls += 1;
        self.last = self.last.max(now);
        let depth = depth_of(batch, event);
        if depth > self.depth {
            self.depth = depth;
            self.chain = batch.text(event, Text::ActorChain).map(|chain| cut(chain).into());
        }
        let subject = event.principal_hash;
        if let Some(served) = self.first_new.iter_mut().find(|it| it.hash == subject) {
            served.calls += 1;
        }
        if !self.subjects.add(subject) {
            return;
        }
        if acting.is_none_or(|acting| !acting.knows(subject)) {
            self.new += 1;
            if self.first_new.len() < Finding::CONTRIBUTORS_MAX {
                let name = batch.text(event, Text::PrincipalId).unwrap_or_default();
                self.first_new.push(Served { hash: subject, name: cut(name).into(), calls: 1 });
            }
        }
        if self.subjects.len() >= self.tripwire as usize {
            crossed.add(Detector::Delegation);
        }
    }

    /// Forgets somebody it acted for, or who is in a chain; that there was somebody stays true.
    pub(super) fn forget(&mut self, mentions: &Mentions, hashes: &[u64]) {
        self.subjects.forget(hashes);
        self.beyond.forget(mentions, hashes);
        self.first_new.retain(|it| !hashes.contains(&it.hash) && !mentions.are_in(&it.name));
        if let Some(without) = self.chain.as_deref().and_then(|chain| mentions.replaced(chain)) {
            self.chain = Some(without.into());
        }
    }
}

fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(NAME_BYTES_MAX.min(name.len()))).unwrap_or("")
}

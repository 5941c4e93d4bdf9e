//! What the members of a peer group, or everyone, have in common.

use super::{Measure, grow};
use crate::snapshot::plain;
use crate::statistics::Sketch;
use crate::statistics::moments::Sums;
use model::EndpointId;
use serde::{Deserialize, Serialize};

/// The sums over the members of a group.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Group {
    pub(crate) members: u32,
    /// Those of them that have sessions of an agent.
    pub(crate) agents: u32,
    pub(crate) counts: [Sums; Measure::COUNT],
    #[serde(with = "plain")]
    pub(crate) bytes: Sketch,
    /// Squared distances of an hour's ln(1 + bytes) from its identity's own median.
    pub(crate) bytes_within: Sums,
    /// Members that use each endpoint, by the endpoint's number.
    pub(crate) users: Vec<i32>,
}

impl Group {
    pub(super) fn absorb(&mut self, other: &Self) {
        self.members += other.members;
        self.agents += other.agents;
        for (own, theirs) in self.counts.iter_mut().zip(&other.counts) {
            own.absorb(theirs);
        }
        self.bytes.merge(&other.bytes);
        self.bytes_within.absorb(&other.bytes_within);
        grow(&mut self.users, other.users.len());
        for (own, theirs) in self.users.iter_mut().zip(&other.users) {
            *own += theirs;
        }
    }

    pub(super) fn clear(&mut self) {
        self.members = 0;
        self.agents = 0;
        self.counts = [Sums::default(); Measure::COUNT];
        self.bytes.clear();
        self.bytes_within = Sums::default();
        self.users.clear();
    }

    /// Adds members that use an endpoint, or takes away those that no longer do.
    pub(crate) fn add_users(&mut self, endpoint: EndpointId, members: i32) {
        let index = endpoint.0 as usize;
        grow(&mut self.users, index + 1);
        if let Some(users) = self.users.get_mut(index) {
            *users += members;
        }
    }

    /// How many members use an endpoint.
    pub(crate) fn users_of(&self, endpoint: EndpointId) -> u32 {
        let users = self.users.get(endpoint.0 as usize).copied().unwrap_or(0);
        u32::try_from(users).unwrap_or(0).min(self.members)
    }
}

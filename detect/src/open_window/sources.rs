//! Where the calls of the open hour came from, and who else they spoke of.

use super::{CLAIMED_MAX, OpenWindow, SOURCES_MAX};
use model::Event;
use model::time::{NS_PER_H, NS_PER_MIN};

/// No minute of an hour.
pub(super) const NO_MINUTE: u8 = u8::MAX;

impl OpenWindow {
    /// The minute of the hour in which a call was answered 2xx with a size.
    pub(super) fn sized_minute(&self, event: &Event) -> Option<u8> {
        let is_sized = matches!(event.status(), Some(200..=299)) && event.bytes_out().is_some();
        let into = || event.time.since(self.start).clamp(0, NS_PER_H - 1);
        is_sized.then(|| (into() / NS_PER_MIN) as u8)
    }

    /// Adds the source's network and user agent, as hashes; whether the hour did not have the agent yet.
    pub(crate) fn add_source(&mut self, network: Option<u64>, user_agent: Option<u64>) -> bool {
        if let Some(network) = network {
            self.networks.add(network, SOURCES_MAX);
        }
        user_agent.is_some_and(|agent| self.user_agents.add(agent, SOURCES_MAX))
    }

    /// Adds the address of a call; `true` if it is new in this hour.
    pub(crate) fn add_address(&mut self, address: u64) -> bool {
        self.addresses.add(address, SOURCES_MAX)
    }

    /// Adds a name that failed authentication claimed.
    pub(crate) fn add_claimed(&mut self, hash: u64, name: &str) {
        const NAMES_KEPT_MAX: usize = 5;
        if self.claimed.add(hash, CLAIMED_MAX) && self.claimed_names.len() < NAMES_KEPT_MAX {
            self.claimed_names.push(name.into());
        }
    }

    /// Adds somebody who authenticated after failures.
    pub(crate) fn add_success(&mut self, hash: u64, name: &str) {
        const NAMES_KEPT_MAX: usize = 5;
        self.successes_after = self.successes_after.saturating_add(1);
        if self.succeeded.add(hash, CLAIMED_MAX) && self.succeeded_names.len() < NAMES_KEPT_MAX {
            self.succeeded_names.push(name.into());
        }
    }
}

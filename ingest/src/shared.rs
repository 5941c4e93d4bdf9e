//! Identities that many callers share: a name that carries a good part of a log from many networks says
//! little about anybody, whatever it is called.

use model::{Event, EventBatch, Text};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

/// The share of a log's events from which on an identity may be shared.
const SHARE_MIN: f64 = 0.1;
/// The networks from which on it may.
const NETWORKS_MIN: usize = 16;
/// Networks of one identity that are told apart.
const NETWORKS_MAX: usize = 64;
/// Identities that are counted: the first ones, of which those that carry a tenth of a log are.
const IDENTITIES_MAX: usize = 8_192;

/// Counts whose identity calls are, and from how many networks.
#[derive(Debug, Default)]
pub struct Shares {
    events: u64,
    held: HashMap<Box<str>, Held>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Held {
    events: u64,
    networks: HashSet<u64>,
}

/// An identity that many share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shared {
    /// The principal.
    pub principal: String,
    /// Its events.
    pub events: u64,
    /// Networks (/24, /64) that they came from, at most 64.
    pub networks: usize,
}

impl Shares {
    /// Counts an event.
    pub fn add(&mut self, batch: &EventBatch, event: &Event) {
        self.events += 1;
        let Some(principal) = batch.text(event, Text::PrincipalId) else { return };
        if !event.principal_type.is_named() {
            return;
        }
        if !self.held.contains_key(principal) {
            if self.held.len() == IDENTITIES_MAX {
                return;
            }
            self.held.insert(principal.into(), Held::default());
        }
        let Some(held) = self.held.get_mut(principal) else { return };
        held.events += 1;
        if let Some(network) = batch.text(event, Text::ClientNet)
            && held.networks.len() < NETWORKS_MAX
        {
            held.networks.insert(self.hasher.hash_one(network));
        }
    }

    /// The identities that many share, those with the most events first.
    pub fn shared(&self) -> Vec<Shared> {
        let is_shared = |held: &Held| {
            held.networks.len() >= NETWORKS_MIN
                && held.events as f64 >= self.events as f64 * SHARE_MIN
        };
        let shared = self.held.iter().filter(|(_, held)| is_shared(held));
        let mut all: Vec<_> = shared
            .map(|(principal, held)| Shared {
                principal: principal.to_string(),
                events: held.events,
                networks: held.networks.len(),
            })
            .collect();
        all.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.principal.cmp(&b.principal)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::check::parse;

    fn line(user: &str, network: usize) -> String {
        format!(
            r#"{{"time":"2026-03-10T03:36:59Z","status":200,"user":"{user}","ip":"10.0.{network}.7"}}"#
        )
    }

    fn shared(lines: impl Iterator<Item = String>) -> Vec<String> {
        let parsed = parse(lines.collect::<Vec<_>>().join("\n").as_bytes(), None);
        let mut shares = Shares::default();
        for event in &parsed.batch.events {
            shares.add(&parsed.batch, event);
        }
        shares.shared().into_iter().map(|it| it.principal).collect()
    }

    #[test]
    fn a_name_that_many_networks_use_is_shared() {
        let others = |at| (0..80).map(move |it| line(&format!("u{it}"), at));
        assert_eq!(shared((0..20).map(|it| line("master", it)).chain(others(1))), ["master"]);
        // Few networks, or a small part of the log, are somebody's own.
        assert!(shared((0..20).map(|_| line("busy", 1)).chain(others(1))).is_empty());
        let many = (0..20).map(|it| line("nomad", it)).chain((0..4).flat_map(others));
        assert!(shared(many).is_empty());
    }
}

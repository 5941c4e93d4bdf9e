//! Where calls come from, on their way through a partition: noted, learned.

use super::text_hash;
use crate::detectors::new_network;
use crate::engine::Context;
use crate::identity::Identity;
use crate::open_window::{Call, Crossed, NewOrigin, OpenWindow, Whence, family, family_key};
use crate::population::{Contribution, Novelty};
use model::{EndpointId, Event, EventBatch, Text, Time};

/// Notes where a call of an identity that is no address comes from; `network` is the hash of its
/// network, and `is_new_agent` says whether the hour had its user agent before.
pub(super) fn add(
    identity: &Identity,
    open: &mut OpenWindow,
    (batch, event): (&EventBatch, &Event),
    (endpoint, now): (EndpointId, Time),
    (network, is_new_agent): (Option<u64>, bool),
    crossed: &mut Crossed,
) {
    if !new_network::is_movable(identity) {
        return;
    }
    let text = |column| batch.text(event, column);
    let (Some(hash), Some(network)) = (network, text(Text::ClientNet)) else { return };
    let credential = text(Text::CredentialId);
    let from = Whence { credential: credential.map_or(0, text_hash), hash, network, at: now };
    let agent = || text(Text::UserAgentOriginal).map(family);
    let mut origins = open.origins.take().unwrap_or_default();
    if is_new_agent && let Some(family) = agent() {
        origins.add_family(family_key(family));
    }
    if !origins.is_again(&from) {
        let new = |key| {
            let networks = &identity.networks;
            let is_new = networks.has_history(from.of())
                && !networks.knows(from.of(), key)
                && new_network::has_history(identity, open, now);
            is_new.then(|| {
                let sample = Call::of(batch, event, endpoint, now);
                let mut new = NewOrigin::of(&from, credential, agent(), sample);
                new.is_new_family =
                    new.family.is_some() && !networks.may_know_agent(new.family_key);
                new
            })
        };
        origins.add(&from, new, crossed);
    }
    open.origins = Some(origins);
}

/// Learns where an identity was used in a closed hour, or only notes it: then it is new no more.
pub(super) fn learn(
    context: &Context<'_>,
    contribution: &mut Contribution,
    (identity, open): (&mut Identity, &OpenWindow),
    is_learned: bool,
) {
    let Some(origins) = &open.origins else { return };
    let day = open.start.day_number() as u16;
    let networks = &mut identity.networks;
    let sources = &mut contribution.sources;
    if !is_learned {
        origins.all.iter().for_each(|origin| networks.mark(origin.of, origin.network, day));
        origins.families.iter().for_each(|family| networks.mark_agent(*family, day));
        return;
    }
    if !networks.is_used() {
        sources.add_member();
    }
    let all = origins.all.iter();
    let novel: Vec<_> = all
        .filter(|it| networks.is_learned(it.of) && !networks.knows(it.of, it.network))
        .map(|origin| origin.network)
        .collect();
    if !novel.is_empty() {
        let known = &context.population.sources;
        sources.add_novel(Novelty {
            is_foreign: novel
                .iter()
                .any(|key| known.network_users(*key) == 0 && !networks.knows_near(*key)),
            has_program: origins.families.iter().any(|family| !networks.may_know_agent(*family)),
            has_overlap: origins.has_overlap,
        });
        networks.novel += 1.0;
    }
    networks.overlaps += f32::from(u8::from(origins.has_overlap));
    for origin in &origins.all {
        let learned = networks.learn(origin.of, origin.network, day);
        sources.add_network(origin.network, i32::from(learned.is_new));
        if let Some(dropped) = learned.dropped {
            sources.add_network(dropped, -1);
        }
    }
    for family in &origins.families {
        let learned = networks.learn_agent(*family, day);
        sources.add_agent(*family, i32::from(learned.is_new));
        if let Some(dropped) = learned.dropped {
            sources.add_agent(dropped, -1);
        }
    }
}

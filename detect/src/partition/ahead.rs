//! The memory that the next calls need is asked for together, before the first of them is counted.
//!
//! There are more identities than a processor's cache has room for, so that nearly everything a call
//! touches has to be fetched from memory: its identity, that one's open hour, and their lists, each of
//! which is known only when the one before it is there. Call by call these waits add up. Of several
//! calls at once the processor fetches level by level side by side, so that they share each wait. What is
//! read here is thrown away; nothing depends on it.

use super::{Item, Partition};
use crate::identity::Identity;
use model::{Event, EventBatch, Text};
use std::hint::black_box;

/// Calls whose memory is asked for together: it must fit beside the rest into the first cache levels.
pub(super) const TOGETHER: usize = 8;

impl Partition {
    /// Asks for what the calls among some items will touch, at most [`TOGETHER`] of them.
    pub(super) fn ask_for(&self, items: &[Item<'_>]) {
        let mut slots = [None; TOGETHER];
        let mut read = 0;
        for (slot, item) in slots.iter_mut().zip(items) {
            if let Item::Call(batch, event) = item {
                read ^= of_event(batch, event);
                *slot = self.slot_of_hash(event.principal_hash);
            }
        }
        black_box(read);
        self.read(&slots, of_call);
        self.read(&slots, |it| of_name(it) ^ of_day(it) ^ of_open(it));
        self.read(&slots, |it| of_days_lists(it) ^ of_open_lists(it));
    }

    /// Asks for what closing the hours of some identities will touch, at most [`TOGETHER`] of them.
    pub(super) fn ask_for_closing(&self, closing: &[u32]) {
        let mut slots = [None; TOGETHER];
        for (slot, one) in slots.iter_mut().zip(closing) {
            *slot = Some(*one);
        }
        self.read(&slots, |it| of_call(it) ^ of_habits(it));
        self.read(&slots, |it| of_habits_lists(it) ^ of_day(it) ^ of_open(it));
        self.read(&slots, |it| of_days_lists(it) ^ of_open_lists(it));
    }

    fn read(&self, slots: &[Option<u32>; TOGETHER], of: impl Fn(&Identity) -> u64) {
        let all = slots.iter().flatten().filter_map(|slot| self.identities.get(*slot as usize));
        black_box(all.fold(0, |read, identity| read ^ of(identity)));
    }

    /// Who has this hash, as a guess: the name is compared when the call is counted.
    fn slot_of_hash(&self, hash: u64) -> Option<u32> {
        let same = |slot: &u32| {
            self.identities.get(*slot as usize).is_some_and(|identity| identity.hash == hash)
        };
        self.index.find(hash, same).copied()
    }
}

/// A little of each line of an event, and of its texts, which lie apart from it.
fn of_event(batch: &EventBatch, event: &Event) -> u64 {
    let texts = [Text::PrincipalId, Text::UserAgentOriginal].into_iter();
    let texts = texts.filter_map(|column| batch.text(event, column)?.bytes().next());
    event.content_hash
        ^ event.endpoint_hash
        ^ event.time.ns() as u64
        ^ event.object.unwrap_or_default()
        ^ event.bytes_out().unwrap_or_default()
        ^ u64::from(texts.fold(0, |read, byte| read ^ byte))
}

/// What every call touches of its identity.
fn of_call(identity: &Identity) -> u64 {
    let lists = identity.name.len() ^ identity.profile.known().len();
    identity.calls
        ^ u64::from(identity.learned)
        ^ identity.last_seen.ns() as u64
        ^ lists as u64
        ^ u64::from(identity.is_frozen || identity.daily.is_some() || identity.open.is_some())
}

fn of_name(identity: &Identity) -> u64 {
    u64::from(identity.name.as_bytes().first().copied().unwrap_or_default())
}

/// The rest of what is kept of an identity between its hours.
fn of_habits(identity: &Identity) -> u64 {
    let counts = identity.counts.iter().fold(0, |read, it| read ^ it.n.to_bits());
    let most = identity.most.iter().fold(0, |read, it| read ^ it);
    identity.withheld_calls ^ u64::from(counts ^ most ^ identity.joint_most.to_bits())
}

fn of_habits_lists(identity: &Identity) -> u64 {
    let endpoint = identity.profile.known().first().map_or(0, |it| it.endpoint.0);
    let objects = identity.objects.first().map_or(0, |it| it.most);
    u64::from(endpoint ^ objects) ^ identity.bytes.glance() ^ identity.networks.glance()
}

fn of_day(identity: &Identity) -> u64 {
    identity.daily.as_ref().map_or(0, |daily| daily.rhythm.glance())
}

fn of_days_lists(identity: &Identity) -> u64 {
    identity.daily.as_ref().map_or(0, |daily| daily.rhythm.glance_lists())
}

/// A little of each part of an open hour.
fn of_open(identity: &Identity) -> u64 {
    let Some(open) = &identity.open else { return 0 };
    let speeds = open.speeds.iter().fold(0, |read, it| read ^ it.calls);
    let tripwires = open.itself_tripwire ^ open.changes.tripwire ^ open.denied_tripwire;
    let counts = open.calls ^ open.sized ^ open.statuses.s2xx ^ open.failures ^ open.novel_seen;
    let lists = open.endpoints.len() ^ open.objects.len() ^ open.raised.len() ^ open.samples.len();
    u64::from(speeds ^ tripwires ^ counts)
        ^ lists as u64
        ^ open.bytes_out.to_bits()
        ^ open.log_ratio.to_bits()
        ^ open.last.ns() as u64
        ^ open.denied_last.ns() as u64
        ^ open.durations.glance()
        ^ open.gaps.glance()
        ^ open.paces.glance()
        ^ u64::from(open.origins.is_some())
}

/// The beginnings of an open hour's lists.
fn of_open_lists(identity: &Identity) -> u64 {
    let Some(open) = &identity.open else { return 0 };
    let endpoint = open.endpoints.first().map_or(0, |it| it.calls);
    let objects = open.objects.first().map_or(0, |it| u64::from(it.answered) ^ it.objects.glance());
    objects
        ^ u64::from(endpoint)
        ^ open.origins.as_ref().map_or(0, |it| it.glance())
        ^ open.networks.glance()
        ^ open.user_agents.glance()
        ^ open.steps.glance()
}

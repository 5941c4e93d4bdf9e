//! Who gets a place of their own: newcomers while there is room, and later whoever comes back.
//!
//! Past the budget all others share one identity of their partition. Somebody of them who is seen
//! again gets the place of one who came once, long ago, and was never found at anything; nobody else
//! ever loses a place. So a flood of names shuts out neither those who were there before it nor those
//! who come back after it.

use super::{OPEN_BYTES, Partition};
use crate::engine::Context;
use crate::identity::Identity;
use crate::incidents;
use crate::population::Contribution;
use crate::router::partition_of;
use crate::snapshot::plain;
use crate::statistics::{Again, Cardinality};
use crate::watch::Spill;
use model::time::{NS_PER_D, NS_PER_H};
use model::{Event, EventBatch, PrincipalType, Text, Time};
use serde::{Deserialize, Serialize};

/// The share of the budget, one in so many parts, that is kept for those who come back.
const RESERVE: usize = 8;
/// The share of the budget, one in so many parts, that open hours take before newcomers wait.
const OPEN_SHARE: usize = 2;
/// Sightings from which on somebody beyond the budget gets the place of one who came once.
const AGAIN_MIN: u8 = 3;
/// Event time after which whoever came once may lose the place.
const GONE_AFTER_NS: i64 = 6 * NS_PER_H;
/// Places that are looked at for such a one at a time.
const LOOKS_MAX: usize = 64;
/// Learned hours from which on an identity is established: its hours are opened whatever they take.
const ESTABLISHED_MIN: u32 = 3;
/// Without a call beyond the budget for so long, what was counted of them is over.
const OVER_NS: i64 = NS_PER_D;

/// What is counted of those that there is no room for.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Beyond {
    #[serde(with = "plain")]
    since: Time,
    #[serde(with = "plain")]
    last: Time,
    calls: u64,
    who: Cardinality,
    again: Again,
}

/// The room of a partition, and who found none.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Admission {
    /// Calls beyond the budget, ever; exact.
    pub(crate) overflowed_calls: u64,
    /// Identities that made room, ever; exact.
    pub(crate) evicted: u64,
    /// About how many made the calls that are over.
    before: u64,
    /// Where the next one is looked for who may make room.
    hand: u32,
    /// The most hours that were open at once: what they took is not given back to the system.
    open_most: u64,
    beyond: Option<Box<Beyond>>,
    /// It changed since the last export; no part of the state.
    #[serde(skip)]
    pub(super) is_touched: bool,
}

impl Admission {
    /// About how many identities made the calls beyond the budget.
    pub(crate) fn overflowed(&self) -> u64 {
        self.before + self.beyond.as_ref().map_or(0, |beyond| beyond.identities())
    }

    /// What is beyond the budget lately.
    pub(super) fn spill(&self) -> Option<Spill> {
        let beyond = self.beyond.as_ref()?;
        Some(Spill {
            since: beyond.since,
            last: beyond.last,
            calls: beyond.calls,
            identities: beyond.identities(),
        })
    }

    /// Notes how many hours were open when they were closed.
    pub(super) fn note_open(&mut self, hours: usize) {
        if hours as u64 > self.open_most {
            self.open_most = hours as u64;
            self.is_touched = true;
        }
    }

    /// Whether it is as one can be; what was read back may not be.
    pub(super) fn is_sound(&self) -> bool {
        self.beyond.as_ref().is_none_or(|it| it.who.is_sound() && it.again.is_sound())
    }

    /// Notes that somebody came for whom there is no room; how often that was by now.
    fn see(&mut self, hash: u64, at: Time) -> u8 {
        self.is_touched = true;
        if self.beyond.as_ref().is_some_and(|it| at.since(it.last) >= OVER_NS) {
            self.before = self.overflowed();
            self.beyond = None;
        }
        let beyond = self.beyond.get_or_insert_with(|| {
            let (who, again) = (Cardinality::new(), Again::new());
            Box::new(Beyond { since: at, last: at, calls: 0, who, again })
        });
        beyond.again.see(hash)
    }

    /// Counts a call that no place was found for.
    fn refuse(&mut self, hash: u64, at: Time) {
        self.overflowed_calls += 1;
        if let Some(beyond) = &mut self.beyond {
            beyond.last = beyond.last.max(at);
            beyond.calls += 1;
            beyond.who.add(hash);
        }
    }
}

impl Beyond {
    fn identities(&self) -> u64 {
        // One more than there were calls would be odd to read.
        (self.who.estimate().round() as u64).min(self.calls)
    }
}

impl Partition {
    /// Makes room for somebody new, or counts them with all that there is no room for.
    pub(super) fn admit(
        &mut self,
        context: &Context<'_>,
        hash: u64,
        who: (&str, PrincipalType, &'static str),
        (batch, event): (&EventBatch, &Event),
    ) -> u32 {
        let bytes_max = context.plan.partition_bytes_max();
        let has_room = self.bytes() < bytes_max - bytes_max / RESERVE
            && self.active.len() * OPEN_BYTES < bytes_max / OPEN_SHARE;
        let slot = if has_room {
            self.add(hash, who, event.time)
        } else {
            let seen = self.admission.see(hash, event.time);
            let is_back = seen >= AGAIN_MIN && self.bytes() < bytes_max;
            let room = is_back.then(|| self.make_room(context, event.time)).flatten();
            let Some(slot) = room else { return self.share(hash, who, (batch, event)) };
            self.replace(slot, hash, who, event.time);
            slot
        };
        self.notes.firsts.add(who.1, (batch, event));
        let tenant = batch.text(event, Text::TenantId).filter(|tenant| *tenant != "default");
        if let Some(identity) = self.identities.get_mut(slot as usize) {
            identity.tenant = tenant.map(Into::into);
        }
        slot
    }

    /// The place of a call by somebody who has one: the shared one, if an hour of somebody who is not
    /// established would begin beyond the budget.
    pub(super) fn keep(
        &mut self,
        context: &Context<'_>,
        (slot, who): (u32, (&str, PrincipalType, &'static str)),
        (batch, event): (&EventBatch, &Event),
    ) -> u32 {
        if self.may_open(context, slot) {
            return slot;
        }
        self.admission.see(event.principal_hash, event.time);
        self.share(event.principal_hash, who, (batch, event))
    }

    /// Whether somebody who has a place may have an open hour: beyond the budget none begins of those
    /// who are not established.
    pub(super) fn may_open(&self, context: &Context<'_>, slot: u32) -> bool {
        let identity = self.identities.get(slot as usize);
        let is_settled = identity.is_none_or(|identity| {
            identity.open.is_some() || identity.learned >= ESTABLISHED_MIN || identity.is_overflow()
        });
        is_settled || self.bytes() < context.plan.partition_bytes_max()
    }

    /// Bytes that identities take, and their open hours at the most so far.
    fn bytes(&self) -> usize {
        let open = self.active.len().max(self.admission.open_most as usize);
        self.state_bytes.saturating_add(open.saturating_mul(OPEN_BYTES))
    }

    /// The place that all share for whom there is no room.
    fn share(
        &mut self,
        hash: u64,
        (_, kind, source): (&str, PrincipalType, &'static str),
        (batch, event): (&EventBatch, &Event),
    ) -> u32 {
        self.touched.note();
        self.admission.refuse(hash, event.time);
        self.notes.firsts.add_beyond((batch, event));
        // Named by its partition: two partitions must not say the same of different callers.
        let name = format!("{{overflow-{:02}}}", partition_of(hash));
        self.find(0, &name).unwrap_or_else(|| self.add(0, (&name, kind, source), event.time))
    }

    pub(super) fn find(&self, hash: u64, name: &str) -> Option<u32> {
        let same = |slot: &u32| {
            self.identities
                .get(*slot as usize)
                .is_some_and(|identity| identity.hash == hash && &*identity.name == name)
        };
        self.index.find(hash, same).copied()
    }

    fn add(
        &mut self,
        hash: u64,
        (name, kind, source): (&str, PrincipalType, &'static str),
        at: Time,
    ) -> u32 {
        let slot = self.identities.len() as u32;
        let mut identity = Identity::new(name, hash, kind, at);
        identity.source = source;
        self.state_bytes += identity.state_bytes();
        self.identities.push(identity);
        self.enter(hash, slot);
        slot
    }

    /// Gives a place to somebody else.
    fn replace(
        &mut self,
        slot: u32,
        hash: u64,
        (name, kind, source): (&str, PrincipalType, &'static str),
        at: Time,
    ) {
        let Some(place) = self.identities.get_mut(slot as usize) else { return };
        let mut identity = Identity::new(name, hash, kind, at);
        identity.source = source;
        self.state_bytes += identity.state_bytes();
        let gone = std::mem::replace(place, identity);
        self.state_bytes = self.state_bytes.saturating_sub(gone.state_bytes());
        if let Ok(entry) = self.index.find_entry(gone.hash, |it| *it == slot) {
            entry.remove();
        }
        self.enter(hash, slot);
        take_back(&mut self.contribution, &gone);
        self.touched.add(slot);
        self.admission.evicted += 1;
    }

    fn enter(&mut self, hash: u64, slot: u32) {
        let identities = &self.identities;
        self.index.insert_unique(hash, slot, |slot| {
            identities.get(*slot as usize).map_or(0, |identity| identity.hash)
        });
    }

    /// The place of one who came once and may make room; a few places are looked at, and the next time
    /// those behind them.
    fn make_room(&mut self, context: &Context<'_>, now: Time) -> Option<u32> {
        for _ in 0..LOOKS_MAX.min(self.identities.len()) {
            let slot = self.admission.hand;
            let identity = self.identities.get(slot as usize);
            self.admission.hand = if identity.is_none() { 0 } else { slot + 1 };
            if identity.is_some_and(|it| came_once(context, it, now)) {
                return Some(slot);
            }
        }
        None
    }
}

/// Takes back what an identity without a group counts for as one: it made room for another.
fn take_back(contribution: &mut Contribution, identity: &Identity) {
    contribution.left += u32::from(identity.learned > 0);
    for known in identity.profile.known().iter().filter(|known| known.is_used()) {
        contribution.everyone.add_users(known.endpoint, -1);
    }
    let networks = &identity.networks;
    if networks.is_used() {
        contribution.sources.count(networks.networks(), networks.agents(), -1);
    }
}

/// Whether an identity came once, a while ago, and was never found at anything.
fn came_once(context: &Context<'_>, identity: &Identity, now: Time) -> bool {
    identity.calls <= 1
        && identity.open.is_none()
        && !identity.is_frozen
        && !identity.is_overflow()
        && now.since(identity.last_seen) >= GONE_AFTER_NS
        && identity.group.is_none()
        // Whoever acts for others does not count calls.
        && identity.acting.is_none()
        && identity.tools.is_none()
        && identity.daily.is_none()
        && {
            let key = incidents::key_of(identity.tenant(), &identity.name);
            context.incidents.risks.of(key, now).1.is_empty()
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_beyond_the_budget_are_counted_exactly_and_their_callers_about() {
        let mut admission = Admission::default();
        let at = |second: i64| Time::from_ns(second * 1_000_000_000);
        for call in 0..30_000_u64 {
            let hash = (call % 10_000).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4;
            admission.see(hash, at(0));
            admission.refuse(hash, at(0));
        }
        let spill = admission.spill().unwrap();
        assert_eq!((admission.overflowed_calls, spill.calls), (30_000, 30_000));
        assert!((9_500..10_500).contains(&spill.identities), "{}", spill.identities);
        let day_later = 86_400;
        admission.see(1, at(day_later));
        admission.refuse(1, at(day_later));
        let spill = admission.spill().unwrap();
        assert_eq!((spill.calls, spill.identities, spill.since), (1, 1, at(day_later)));
        assert_eq!(admission.overflowed_calls, 30_001);
        assert!(admission.overflowed() > 9_500 && admission.is_sound());
    }
}

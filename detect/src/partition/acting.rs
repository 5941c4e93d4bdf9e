//! Calls on behalf of others, on their way through the partition of whoever acts.

use super::{Partition, take_open, tools};
use crate::alarm::{self, Alarm};
use crate::delegation;
use crate::engine::Context;
use crate::identity::{Acting, Far, Identity};
use crate::open_window::{Acted, Crossed, OpenWindow};
use crate::population::{Begun, Contribution};
use crate::statistics::Moments;
use model::{Event, EventBatch, PrincipalType};

impl Partition {
    /// Takes a call that one of its identities made for somebody else, who may be of another partition.
    ///
    /// It is the other's call, and counted there: here it is only noted for whom it was.
    pub(super) fn acted(
        &mut self,
        context: &Context<'_>,
        actor: u64,
        (batch, event): (&EventBatch, &Event),
    ) {
        let Some(name) = delegation::actor_of(batch, event) else { return };
        let who = (name, PrincipalType::Service, "actor");
        let slot = match self.find(actor, name) {
            // Naming agents in calls opens no more hours than calls of their own would.
            Some(slot) if !self.may_open(context, slot) => return,
            Some(slot) => slot,
            None => self.admit(context, actor, who, (batch, event)),
        };
        // Also the shared place: it may have just been made.
        self.touched.add(slot);
        let Some(identity) = self.identities.get_mut(slot as usize) else { return };
        if identity.is_overflow() {
            return;
        }
        let mut open = take_open(context, (identity, slot), &mut self.active, || self.spare.pop());
        let now = event.time.max(open.start);
        identity.last_seen = identity.last_seen.max(now);
        if open.calls == 0 {
            open.last = open.last.max(now);
        }
        identity.heard += 1;
        let endpoint = context.endpoints.resolve(event.endpoint_id);
        let at = (endpoint, now);
        let mut crossed = Crossed::default();
        let acted = open.acted.get_or_insert_with(|| Box::new(Acted::new(now)));
        acted.add(identity.acting.as_deref(), (batch, event), now, &mut crossed);
        let is_beyond = acted.beyond.add(context.population, (batch, event), at, &mut crossed);
        tools::add(identity, &mut open, (batch, event), at, &mut crossed);
        if !open.raised.is_empty() {
            alarm::add_acted(&mut open, (batch, event), is_beyond);
        }
        if !crossed.is_empty() {
            let alarm = Alarm { batch, event, endpoint, now };
            alarm::sound(context, identity, &mut open, crossed, Some(&alarm), &mut self.findings);
        }
        identity.open = Some(open);
    }
}

/// Learns for whom an agent acted in a closed hour, or only notes it: then they are new no more.
pub(super) fn learn(
    contribution: &mut Contribution,
    identity: &mut Identity,
    open: &OpenWindow,
    is_learned: bool,
) {
    let Some(acted) = &open.acted else { return };
    let day = open.start.day_number() as u16;
    let acting = identity.acting.get_or_insert_with(|| Box::new(Acting::new(acted.first)));
    if !is_learned {
        acted.subjects.hashes().for_each(|subject| _ = acting.note(subject, day, false));
        return;
    }
    let before = (acting.hours > 0).then_some(acting.deepest);
    acting.deepest = acting.deepest.max(acted.depth);
    let agents = &mut contribution.agents;
    agents.deepen(before, Some(acting.deepest));
    acting.hours += 1;
    acting.calls += u64::from(acted.calls);
    let count = acted.subjects.len();
    acting.per_hour.add(count as f64, 1.0);
    acting.most = acting.most.max(count as u32);
    agents.subjects.add(count as f64, 1.0);
    acting.learn(acted.subjects.hashes(), day);
    let (beyond, compared) = (f64::from(acted.beyond.count), f64::from(acted.beyond.compared));
    let mut share = Moments::default();
    share.add_share(beyond, compared);
    acting.beyond.merge(&share, 1.0);
    agents.beyond.merge(&share, 1.0);
    acting.learn_far(Far { count: acted.beyond.count, compared: acted.beyond.compared, day });
}

/// Notes what somebody for whom agents act called itself in a closed hour, whatever became of the hour: that
/// it did so is no matter of belief.
pub(super) fn note_own(
    context: &Context<'_>,
    contribution: &mut Contribution,
    (identity, open): (&Identity, &OpenWindow),
) {
    let known = &context.population.itself;
    let (subject, today) = (identity.hash, open.start.day_number());
    let is_followed = known.follows(subject);
    if identity.is_overflow() || !(is_followed || open.is_served) {
        return;
    }
    let calls = &mut contribution.own;
    if !is_followed {
        let begun = Begun {
            subject,
            since: identity.first_seen.day_number(),
            days: identity.days,
            today,
            is_partial: identity.profile.is_partial(),
        };
        let before = identity.profile.known().iter();
        let before = before.map(|it| context.endpoints.resolve(it.endpoint));
        if !calls.begin(begun, before) {
            return;
        }
    }
    if !known.has_seen(subject, today) {
        calls.see(subject, today);
    }
    if open.is_full() {
        calls.lose(subject);
        return;
    }
    let own = open.endpoints.iter().filter(|seen| seen.is_own);
    let own = own.map(|seen| context.endpoints.resolve(seen.endpoint));
    calls.add(subject, own.filter(|it| !known.has(subject, *it, today)), today);
}

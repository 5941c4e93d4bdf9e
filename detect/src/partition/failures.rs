//! What a source hears of the successes that follow its failures, which come under other names.

use super::Partition;
use crate::alarm;
use crate::engine::Context;
use crate::open_window::{Crossed, OpenWindow};
use model::{Detector, Event, EventBatch, Text};

impl Partition {
    /// Takes a success after failures that were charged to one of its identities.
    pub(super) fn success_after_failure(
        &mut self,
        context: &Context<'_>,
        source: u64,
        (batch, event): (&EventBatch, &Event),
    ) {
        let Some((slot, mut open)) = self.take_failing(source) else { return };
        let Some(identity) = self.identities.get_mut(slot as usize) else { return };
        if open.failures > 0 {
            let name = batch.text(event, Text::PrincipalName);
            let name = name.or(batch.text(event, Text::PrincipalId)).unwrap_or_default();
            open.add_success(event.principal_hash, name);
            open.notes += 1;
            identity.heard += 1;
            open.last = open.last.max(event.time);
            alarm::add_success(&mut open, batch, event);
            // Whoever alternates failures and successes gets a revision now and then, not at each.
            if open.notes.is_power_of_two() {
                let mut crossed = Crossed::default();
                crossed.add(Detector::AuthFailures);
                alarm::sound(context, identity, &mut open, crossed, None, &mut self.findings);
            }
        }
        identity.open = Some(open);
    }

    /// Notes that further successes after its failures are not seen.
    pub(super) fn unwatched(&mut self, source: u64) {
        let Some((slot, mut open)) = self.take_failing(source) else { return };
        open.is_unwatched = true;
        if let Some(identity) = self.identities.get_mut(slot as usize) {
            identity.open = Some(open);
        }
    }

    /// The open hour of the identity that failures are charged to, to be put back.
    fn take_failing(&mut self, source: u64) -> Option<(u32, Box<OpenWindow>)> {
        let same = |slot: &u32| {
            self.identities.get(*slot as usize).is_some_and(|identity| identity.hash == source)
        };
        // Of two identities with one hash, the first: the index has no order of its own.
        let slot = self.index.iter_hash(source).copied().filter(same).min()?;
        let open = self.identities.get_mut(slot as usize)?.open.take()?;
        self.touched.add(slot);
        Some((slot, open))
    }
}

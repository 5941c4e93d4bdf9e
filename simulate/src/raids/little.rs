//! A little too much of several things at once: what is done by whoever wants no alarm to sound.

use super::{Stage, habits_of, is_settled};
use crate::attacks::Raid;
use crate::calendar::NS_PER_S;
use crate::endpoints as api;
use crate::endpoints::REFUSED;
use crate::objects::{CUSTOMER_FIRST, CUSTOMERS, Focus};
use crate::prng::Rng;
use crate::roles::Role;

/// Somebody has a person's token, and uses it from elsewhere with the same program: some changes, some refusals,
/// as much as busy hours have, or not much more.
pub(super) fn coincidence(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let rng = Rng::new(stage.rng.bits(), 7);
    let address = format!("193.32.{}.{}", stage.rng.below(250), 1 + stage.rng.below(250));
    let victim = stage.cast.any_person(&mut stage.rng, |it| {
        matches!(it.role, Role::Merchandise | Role::Warehouse | Role::Care) && is_settled(it, span)
    })?;
    let habits = habits_of(victim);
    let endpoint = match victim.role {
        Role::Merchandise => &api::PRODUCT_END,
        Role::Warehouse => &api::SHIPMENT_PATCH,
        _ => &api::ORDER_PATCH,
    };
    let program = victim.client.caller.user_agent.clone();
    let mut thief = victim.client.stolen(&address, &program, rng);
    let writes = stage.many(habits.writes_per_hour, [120, 50, 24]);
    let refusals = stage.pick([24, 14, 9]);
    let first = CUSTOMER_FIRST + stage.rng.below(CUSTOMERS / 2);
    let start = stage.rng.below(REFUSED.len() as u64) as usize;
    let mut records = Vec::with_capacity(writes + refusals);
    let times = stage.times(writes, stage.pick([4.0, 20.0, 45.0]));
    for (nth, time_ns) in (0_u64..).zip(times) {
        let focus = Focus::on(first + nth, &mut stage.rng);
        let focus = Focus { product: 100 + nth, ..focus };
        records.push(thief.call_with(time_ns, endpoint, &focus, 200));
        // A refusal after each of the first changes.
        if (nth as usize) < refusals {
            let refused = REFUSED[(start + nth as usize) % REFUSED.len()];
            records.push(thief.call_with(time_ns + NS_PER_S, refused, &focus, 403));
        }
    }
    let refusals = refusals.min(writes);
    let story = format!(
        "a person's token makes {writes} changes and is refused {refusals} times, from {address}; its busiest \
         ordinary hour changes {}",
        habits.writes_per_hour
    );
    stage.raid("coincidence", thief.caller.principal(), story, records)
}

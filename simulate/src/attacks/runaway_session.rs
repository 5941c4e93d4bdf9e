//! A person's session calls faster than any hand: the same endpoints, at a machine's speed.

use super::{Plot, Raid, Stage};
use crate::endpoints::{Endpoint, NOTICES, SEARCH, TICKETS};
use crate::roles::Role;
use crate::truth::Strength;

const CALLS: usize = 5_700;

pub(super) fn plan(stage: &mut Stage<'_>) -> Option<Raid> {
    let victim =
        stage.cast.person(|it| it.role == Role::Care && it.zone_min == 60 && it.uses(&SEARCH))?;
    let (mut client, portfolio) = (victim.client.clone(), victim.portfolio.clone());
    let usual: [&'static Endpoint; 3] = [&SEARCH, &TICKETS, &NOTICES];
    let mut records = Vec::with_capacity(CALLS);
    for time_ns in stage.times(stage.at(14, 50), CALLS, 0.031) {
        let focus = portfolio.focus(&mut stage.rng);
        let endpoint = usual[stage.rng.below(usual.len() as u64) as usize];
        records.push(client.call_with(time_ns, endpoint, &focus, 200));
    }
    let plot = Plot {
        name: "session_at_machine_speed",
        detector: "machine_speed",
        also: &["egress_spike", "joint_outlier", "not_itself", "sequence"],
        principal: client.caller.principal().to_owned(),
        story: "a care worker's session makes 1,900 calls a minute for three minutes".to_owned(),
        strength: Strength::Loud,
    };
    Raid::new(plot, records)
}

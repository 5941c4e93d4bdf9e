//! Somebody else works with a person's token, at a person's speed.

use super::{Plot, Raid, Stage};
use crate::calendar::NS_PER_H;
use crate::client::Client;
use crate::people::Person;
use crate::roles::Role;
use crate::truth::Strength;
use std::collections::VecDeque;
use std::sync::Arc;

pub(super) fn plan(stage: &mut Stage<'_>) -> Option<Raid> {
    let (start_ns, span) = (stage.at(17, 30), stage.span);
    let victim = stage.cast.person(|it| it.role == Role::Warehouse && it.zone_min == 60)?;
    victim.leaves_ns = start_ns;
    // The same address and program: nothing but the habits gives the intruder away.
    let client = Client::acting_as(Arc::clone(&victim.client.caller), stage.rng.clone());
    let principal = client.caller.principal().to_owned();
    let mut intruder = Person::working(client, Role::Accounts, 60, span)
        .at_hours(start_ns, start_ns + 2 * NS_PER_H);
    let mut records = VecDeque::new();
    while intruder.plan(&mut records) {}
    let plot = Plot {
        name: "token_in_other_hands",
        detector: "not_itself",
        also: &["joint_outlier", "first_seen_endpoint", "object_enumeration"],
        principal,
        story: "a warehouse worker's token does an accountant's work for two hours, at a person's speed"
            .to_owned(),
        strength: Strength::Moderate,
    };
    Raid::new(plot, records.into())
}

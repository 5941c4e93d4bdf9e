//! A stolen key walks through the customers by number: the plain case of object enumeration.

use super::{Plot, Raid, Stage};
use crate::endpoints::CUSTOMER;
use crate::objects::{CUSTOMER_FIRST, CUSTOMERS, Focus};
use crate::roles::Role;
use crate::truth::Strength;

const READS: usize = 800;

pub(super) fn plan(stage: &mut Stage<'_>) -> Option<Raid> {
    let rng = stage.rng.clone();
    let victim = stage
        .cast
        .person(|it| it.role == Role::Sales && it.zone_min == 60 && it.uses(&CUSTOMER))?;
    let mut thief = victim.client.stolen("192.0.2.44", "python-requests/2.32", rng);
    let times = stage.times(stage.at(12, 40), READS, 0.73);
    let mut customer = CUSTOMER_FIRST + stage.rng.below(CUSTOMERS / 2);
    let mut records = Vec::with_capacity(READS);
    for time_ns in times {
        customer += 1 + u64::from(stage.rng.chance(0.03));
        let focus = Focus::on(customer, &mut stage.rng);
        let status = if stage.rng.chance(0.004) { 404 } else { 200 };
        records.push(thief.call_with(time_ns, &CUSTOMER, &focus, status));
    }
    let plot = Plot {
        name: "stolen_key_walks_customers",
        detector: "object_enumeration",
        also: &["machine_speed", "not_itself", "egress_spike", "joint_outlier"],
        principal: thief.caller.principal().to_owned(),
        story: format!(
            "the stolen key of a sales representative reads {READS} customers in a row within ten minutes"
        ),
        strength: Strength::Loud,
    };
    Raid::new(plot, records)
}

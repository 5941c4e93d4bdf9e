//! A reporting service grants roles: one new endpoint, and a dangerous one.

use super::{Plot, Raid, Stage};
use crate::endpoints::ROLES_NEW;
use crate::objects::{Focus, any_customer};
use crate::truth::Strength;

const CALLS: usize = 3;

pub(super) fn plan(stage: &mut Stage<'_>) -> Option<Raid> {
    let mut client = stage.cast.service("svc-report")?.client.clone();
    let mut records = Vec::with_capacity(CALLS);
    for time_ns in stage.times(stage.at(14, 20), CALLS, 25.0) {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(client.call_with(time_ns, &ROLES_NEW, &focus, 201));
    }
    let plot = Plot {
        name: "report_service_grants_roles",
        detector: "first_seen_endpoint",
        also: &["not_itself", "joint_outlier"],
        principal: client.caller.principal().to_owned(),
        story: format!(
            "svc-report, which only reads reports, calls POST /admin/users/{{id}}/roles {CALLS} times"
        ),
        strength: Strength::Moderate,
    };
    Raid::new(plot, records)
}

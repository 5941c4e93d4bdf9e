//! An agent tries what it may do, is refused everywhere, and once is not.

use super::{Plot, Raid, Stage};
use crate::agents::Skill;
use crate::calendar::ns;
use crate::endpoints as api;
use crate::endpoints::REFUSED;
use crate::objects::{Focus, any_customer};
use crate::truth::Strength;

pub(super) fn plan(stage: &mut Stage<'_>) -> Option<Raid> {
    let agent = stage.cast.agent(|it| it.skill == Skill::Research)?;
    let mut client = agent.client.clone();
    let times = stage.times(stage.at(16, 15), REFUSED.len(), 11.0);
    let end_ns = times.last()? + ns(14.0);
    let mut records = Vec::with_capacity(REFUSED.len() + 1);
    let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
    for (time_ns, endpoint) in times.into_iter().zip(REFUSED) {
        records.push(client.call_with(time_ns, endpoint, &focus, 403));
    }
    records.push(client.call_with(end_ns, &api::USER_PUT, &focus, 200));
    let plot = Plot {
        name: "agent_probes_operations",
        detector: "denied_probing",
        also: &["first_seen_endpoint", "not_itself", "joint_outlier"],
        principal: client.caller.principal().to_owned(),
        story: format!(
            "a research agent is refused on {} different operations in six minutes, then changes a user",
            REFUSED.len()
        ),
        strength: Strength::Loud,
    };
    Raid::new(plot, records)
}

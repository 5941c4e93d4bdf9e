//! An agent reads the invoices of strangers one by one: enumeration of ids that nobody can guess.

use super::{Plot, Raid, Stage};
use crate::agents::Skill;
use crate::endpoints::INVOICE;
use crate::objects::{Focus, any_customer};
use crate::truth::Strength;

const READS: usize = 150;

pub(super) fn plan(stage: &mut Stage<'_>) -> Option<Raid> {
    let agent = stage.cast.agent(|it| it.skill == Skill::Finance)?;
    let mut client = agent.client.clone();
    let mut records = Vec::with_capacity(READS);
    for time_ns in stage.times(stage.at(18, 10), READS, 7.8) {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        let status = if stage.rng.chance(0.03) { 404 } else { 200 };
        records.push(client.call_with(time_ns, &INVOICE, &focus, status));
    }
    let plot = Plot {
        name: "agent_walks_invoices",
        detector: "object_enumeration",
        also: &["machine_speed", "not_itself", "egress_spike", "joint_outlier"],
        principal: client.caller.principal().to_owned(),
        story: format!("a finance agent reads {READS} invoices of other customers in 20 minutes"),
        strength: Strength::Moderate,
    };
    Raid::new(plot, records)
}

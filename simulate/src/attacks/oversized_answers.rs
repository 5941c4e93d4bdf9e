//! An agent's usual tool answers with far more than ever: egress without more calls.

use super::{Plot, Raid, Stage};
use crate::agents::Skill;
use crate::client::Client;
use crate::tools::RUN_QUERY;
use crate::truth::Strength;

const CALLS: usize = 36;

pub(super) fn plan(stage: &mut Stage<'_>) -> Option<Raid> {
    let agent = stage.cast.agent(|it| it.skill == Skill::Finance)?;
    let mut client = Client { size: 150.0, ..agent.client.clone() };
    let times = stage.times(stage.at(20, 30), CALLS, 20.0);
    let records: Vec<_> =
        times.into_iter().map(|time_ns| client.call_tool(time_ns, Some(&RUN_QUERY))).collect();
    let bytes: u64 = records.iter().map(|record| record.bytes_out).sum();
    let plot = Plot {
        name: "agent_queries_answer_too_much",
        detector: "egress_spike",
        also: &["joint_outlier", "not_itself"],
        principal: client.caller.principal().to_owned(),
        story: format!(
            "a finance agent's queries return {:.0} MB in twelve minutes, 150 times as much a call as usual",
            bytes as f64 / 1e6
        ),
        strength: Strength::Moderate,
    };
    Raid::new(plot, records)
}

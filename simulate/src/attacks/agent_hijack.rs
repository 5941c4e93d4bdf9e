//! An agent that was talked into it uses the tools of other agents.

use super::{Plot, Raid, Stage};
use crate::agents::Skill;
use crate::tools::{FETCH_PAGE, READ_FILE, RUN_QUERY, SEARCH_DOCS, Tool, WRITE_FILE};
use crate::truth::Strength;

const CALLS: usize = 160;

pub(super) fn plan(stage: &mut Stage<'_>) -> Option<Raid> {
    let agent = stage.cast.agent(|it| it.skill == Skill::Care && it.is_night)?;
    let mut client = agent.client.clone();
    let tools: [&'static Tool; 5] =
        [&SEARCH_DOCS, &READ_FILE, &RUN_QUERY, &WRITE_FILE, &FETCH_PAGE];
    let mut records = Vec::with_capacity(CALLS);
    for time_ns in stage.times(stage.at(22, 2), CALLS, 20.0) {
        let tool = tools[stage.rng.below(tools.len() as u64) as usize];
        records.push(client.call_tool(time_ns, Some(tool)));
    }
    let plot = Plot {
        name: "agent_uses_others_tools",
        detector: "not_itself",
        also: &["first_seen_endpoint", "joint_outlier", "egress_spike"],
        principal: client.caller.principal().to_owned(),
        story: format!(
            "a care agent makes {CALLS} calls of research tools in under an hour, none of them its own"
        ),
        strength: Strength::Moderate,
    };
    Raid::new(plot, records)
}

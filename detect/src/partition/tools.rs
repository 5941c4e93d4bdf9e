//! Calls of tools, on their way through a partition: noted, learned.

use crate::identity::{Identity, ToolKey};
use crate::open_window::{Crossed, OpenWindow};
use crate::population::Contribution;
use model::{Detector, EndpointId, Event, EventBatch, Text, Time};

/// Notes a call of a tool by whoever made it.
pub(super) fn add(
    identity: &Identity,
    open: &mut OpenWindow,
    (batch, event): (&EventBatch, &Event),
    at: (EndpointId, Time),
    crossed: &mut Crossed,
) {
    if event.has_text(Text::ToolName) {
        let tools = open.tools.get_or_insert_default();
        tools.add(identity.tools.as_deref(), (batch, event), at, crossed);
    }
}

/// Learns the tools of a closed hour, or only notes them: then they are new no more.
pub(super) fn learn(
    contribution: &mut Contribution,
    identity: &mut Identity,
    open: &OpenWindow,
    is_learned: bool,
) {
    let Some(tools) = &open.tools else { return };
    let day = open.start.day_number() as u16;
    let users = &mut contribution.tools;
    let known = identity.tools.get_or_insert_default();
    if is_learned {
        users.add_agent(i64::from(known.hours <= 0.0));
        let told = known.learn(tools.used(), day, |key, change| users.add(key.both(), change));
        if let (true, is_shadow) = told {
            users.add_novel(is_shadow);
        }
    } else {
        let is_said = open.told_of(Detector::ToolDrift).next().is_some();
        for used in tools.used() {
            let tell = |key: ToolKey, change| users.add(key.both(), change);
            let known = known.note(used, day, false, tell);
            let (Some(known), Some(size), true) = (known, used.size, is_said) else { continue };
            let off = |size: f64| (size - known.sizes.mean()).abs();
            if known.said <= 0.0 || off(size) > off(f64::from(known.said)) {
                known.said = size as f32;
            }
        }
    }
}

//! Which tools an agent used in the hour, and how large their requests were.

use super::{Call, Crossed};
use crate::identity::{KnownTools, ToolKey, Used};
use crate::partition::text_hash;
use model::mention::Mentions;
use model::{Detector, EndpointId, Event, EventBatch, Int, Text, Time};
use serde::{Deserialize, Serialize};

/// Tools that are told apart in one hour.
const TOOLS_MAX: usize = 64;
/// Bytes that are kept of a server's and of a tool's name.
const NAME_BYTES_MAX: usize = 64;
/// Calls of a tool in an hour before the size of its requests is looked at.
pub(crate) const CALLS_MIN: u32 = 4;
/// Learned hours with tools from which on a tool is new to an agent, and not only to the log.
pub(crate) const HOURS_MIN: f32 = 10.0;

/// The tools of one hour.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Tools {
    pub(crate) all: Vec<ToolUse>,
    /// Calls of any tool.
    pub(crate) calls: u32,
}

/// A tool in one hour.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct ToolUse {
    pub(crate) key: ToolKey,
    /// `server/tool`.
    pub(crate) name: Box<str>,
    pub(crate) calls: u32,
    /// Requests with a size, and the sum of ln(1 + bytes) over them.
    pub(crate) sized: u32,
    sum: f64,
    /// Any call was answered other than with an error.
    is_answered: bool,
    /// The agent has a history of tools, and this one is not among those kept.
    pub(crate) is_new: bool,
    pub(crate) sample: Call,
}

impl Tools {
    /// Adds a call of a tool.
    pub(crate) fn add(
        &mut self,
        known: Option<&KnownTools>,
        (batch, event): (&EventBatch, &Event),
        (endpoint, now): (EndpointId, Time),
        crossed: &mut Crossed,
    ) {
        let text = |column| batch.text(event, column);
        let Some(tool) = text(Text::ToolName) else { return };
        let server = text(Text::McpServer).or_else(|| text(Text::ServerAddress)).unwrap_or("-");
        let key = ToolKey { server: text_hash(server) as u32, tool: text_hash(tool) as u32 };
        self.calls = self.calls.saturating_add(1);
        let index = match self.all.iter().position(|it| it.key == key) {
            Some(index) => index,
            None if self.all.len() < TOOLS_MAX => {
                let is_new = known.is_some_and(|it| it.hours >= HOURS_MIN && it.get(key).is_none());
                self.all.push(ToolUse {
                    key,
                    name: format!("{}/{}", cut(server), cut(tool)).into(),
                    calls: 0,
                    sized: 0,
                    sum: 0.0,
                    is_answered: false,
                    is_new,
                    sample: Call::of(batch, event, endpoint, now),
                });
                self.all.len() - 1
            }
            None => return,
        };
        let Some(used) = self.all.get_mut(index) else { return };
        used.calls += 1;
        let is_rpc_error = event.int(Int::RpcErrorCode).is_some_and(|code| code != 0);
        used.is_answered |= !is_rpc_error && event.status().is_none_or(|status| status < 400);
        if let Some(bytes) = event.bytes_in().filter(|bytes| *bytes > 0) {
            used.sized += 1;
            used.sum += (bytes as f64).ln_1p();
        }
        // Now and then: what it says changes slowly.
        let is_due = used.is_new || used.calls >= CALLS_MIN;
        if is_due && known.is_some() && used.calls.is_power_of_two() {
            crossed.add(Detector::ToolDrift);
        }
    }

    /// What the hour had of each tool.
    pub(crate) fn used(&self) -> impl Iterator<Item = Used<'_>> {
        self.all.iter().map(|it| Used {
            key: it.key,
            name: &it.name,
            calls: it.calls,
            size: it.size(),
            is_answered: it.is_answered,
        })
    }

    /// Tools that are new to the agent.
    pub(crate) fn new_ones(&self) -> usize {
        self.all.iter().filter(|it| it.is_new).count()
    }

    /// The first call of each tool.
    pub(crate) fn samples(&self) -> Vec<Call> {
        self.all.iter().map(|it| it.sample).collect()
    }

    /// Forgets somebody who is named in a tool's name.
    pub(super) fn forget(&mut self, mentions: &Mentions) {
        for used in &mut self.all {
            if let Some(without) = mentions.replaced(&used.name) {
                used.name = without.into();
            }
        }
    }
}

impl ToolUse {
    /// The mean of ln(1 + bytes) over the requests that have a size.
    pub(crate) fn size(&self) -> Option<f64> {
        (self.sized > 0).then(|| self.sum / f64::from(self.sized))
    }
}

fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(NAME_BYTES_MAX.min(name.len()))).unwrap_or("")
}

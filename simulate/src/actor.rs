//! Everything that makes calls, as a stream of them in time order.

use crate::agents::Agent;
use crate::demand::Demand;
use crate::people::Person;
use crate::record::Record;
use crate::rounds::Rounds;
use crate::world::Assistant;
use std::collections::VecDeque;

/// A stream of calls.
#[derive(Clone, Debug)]
pub(crate) enum Actor {
    /// A person at work.
    Person(Box<Person>),
    /// An agent in its sessions.
    Agent(Box<Agent>),
    /// An agent that acts for people.
    Assistant(Box<Assistant>),
    /// Something that comes back on a schedule.
    Rounds(Box<Rounds>),
    /// Something that follows the demand of the hour.
    Demand(Box<Demand>),
    /// Calls that were planned beforehand, in time order.
    Planned(Vec<Record>),
}

impl Actor {
    /// Makes it end at a time, if it comes back on a schedule or follows demand.
    pub(crate) const fn ends(&mut self, end_ns: i64) {
        match self {
            Self::Rounds(rounds) => rounds.ends(end_ns),
            Self::Demand(demand) => demand.ends(end_ns),
            Self::Person(_) | Self::Agent(_) | Self::Assistant(_) | Self::Planned(_) => {}
        }
    }

    /// Appends the next few calls, none earlier than those before; false when there are no more.
    pub(crate) fn plan(&mut self, out: &mut VecDeque<Record>) -> bool {
        match self {
            Self::Person(person) => person.plan(out),
            Self::Agent(agent) => agent.plan(out),
            Self::Assistant(assistant) => assistant.plan(out),
            Self::Rounds(rounds) => rounds.plan(out),
            Self::Demand(demand) => demand.plan(out),
            Self::Planned(records) => {
                out.extend(records.drain(..));
                false
            }
        }
    }
}

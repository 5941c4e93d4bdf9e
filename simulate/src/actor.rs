//! Everything that makes calls, as a stream of them in time order.

use crate::agents::Agent;
use crate::demand::Demand;
use crate::people::Person;
use crate::record::Record;
use crate::rounds::Rounds;
use std::collections::VecDeque;

/// A stream of calls.
#[derive(Debug)]
pub(crate) enum Actor {
    /// A person at work.
    Person(Box<Person>),
    /// An agent in its sessions.
    Agent(Box<Agent>),
    /// Something that comes back on a schedule.
    Rounds(Box<Rounds>),
    /// Something that follows the demand of the hour.
    Demand(Box<Demand>),
    /// Calls that were planned beforehand, in time order.
    Planned(Vec<Record>),
}

impl Actor {
    /// Appends the next few calls, none earlier than those before; false when there are no more.
    pub(crate) fn plan(&mut self, out: &mut VecDeque<Record>) -> bool {
        match self {
            Self::Person(person) => person.plan(out),
            Self::Agent(agent) => agent.plan(out),
            Self::Rounds(rounds) => rounds.plan(out),
            Self::Demand(demand) => demand.plan(out),
            Self::Planned(records) => {
                out.extend(records.drain(..));
                false
            }
        }
    }
}

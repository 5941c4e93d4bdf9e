//! Everybody who calls the API in a scenario, and the benign twins among them.

use crate::actor::Actor;
use crate::agents::{Agent, Skill};
use crate::client::Client;
use crate::people::Person;
use crate::prng::Rng;
use crate::rounds::{Rounds, Schedule, Work};
use crate::scenario::{Scenario, Span};
use crate::services::Service;
use crate::strangers;
use crate::truth::Twin;
use crate::world::{self, Assistant};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Everybody, by kind.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) people: Vec<Person>,
    pub(crate) services: Vec<Service>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) assistants: Vec<Assistant>,
    others: Vec<Actor>,
    pub(crate) twins: Vec<Twin>,
    /// The principals that already have a part in an attack or as a twin.
    taken: BTreeSet<String>,
}

impl Cast {
    /// The cast of a scenario.
    pub(crate) fn new(scenario: &Scenario, span: Span) -> Self {
        let seed = scenario.seed;
        let mut cast = Self {
            people: (0..scenario.people).map(|number| Person::new(seed, number, span)).collect(),
            services: (0..scenario.services)
                .map(|number| Service::new(seed, number, span))
                .collect(),
            agents: (0..scenario.agents).map(|number| Agent::new(seed, number, span)).collect(),
            assistants: Vec::new(),
            others: strangers::all(seed, span),
            twins: Vec::new(),
            taken: BTreeSet::new(),
        };
        if span.whole {
            cast.assistants = world::assistants(scenario, span, &cast.people);
            cast.others.extend(world::strangers(scenario, span));
        }
        cast.name_twins();
        cast.add_skill_runs(span);
        cast
    }

    /// Takes a person for a part; each is taken once.
    pub(crate) fn person(&mut self, fits: impl Fn(&Person) -> bool) -> Option<&mut Person> {
        let taken = &mut self.taken;
        self.people
            .iter_mut()
            .find(|it| fits(it) && taken.insert(it.client.caller.principal().to_owned()))
    }

    /// Takes the service of that name for a part.
    pub(crate) fn service(&mut self, name: &str) -> Option<&mut Service> {
        let taken = &mut self.taken;
        self.services
            .iter_mut()
            .find(|it| it.name == name && taken.insert(it.client.caller.principal().to_owned()))
    }

    /// Takes an agent for a part.
    pub(crate) fn agent(&mut self, fits: impl Fn(&Agent) -> bool) -> Option<&mut Agent> {
        let taken = &mut self.taken;
        self.agents
            .iter_mut()
            .find(|it| fits(it) && taken.insert(it.client.caller.principal().to_owned()))
    }

    /// Takes any of the people that fits, without preference for the first.
    pub(crate) fn any_person(
        &mut self,
        rng: &mut Rng,
        fits: impl Fn(&Person) -> bool,
    ) -> Option<&mut Person> {
        let place = free(&self.people, rng, &mut self.taken, fits, |it| &it.client)?;
        self.people.get_mut(place)
    }

    /// Takes any service that fits.
    pub(crate) fn any_service(
        &mut self,
        rng: &mut Rng,
        fits: impl Fn(&Service) -> bool,
    ) -> Option<&mut Service> {
        let place = free(&self.services, rng, &mut self.taken, fits, |it| &it.client)?;
        self.services.get_mut(place)
    }

    /// Takes any agent that fits.
    pub(crate) fn any_agent(
        &mut self,
        rng: &mut Rng,
        fits: impl Fn(&Agent) -> bool,
    ) -> Option<&mut Agent> {
        let place = free(&self.agents, rng, &mut self.taken, fits, |it| &it.client)?;
        self.agents.get_mut(place)
    }

    /// Takes any assistant.
    pub(crate) fn any_assistant(&mut self, rng: &mut Rng) -> Option<&mut Assistant> {
        let count = self.assistants.len() as u64;
        let start = rng.below(count);
        let mut places = (0..count).map(|nth| ((start + nth) % count.max(1)) as usize);
        let taken = &mut self.taken;
        let assistants = &self.assistants;
        let place = places
            .find(|it| assistants.get(*it).is_some_and(|it| taken.insert(it.agent.clone())))?;
        self.assistants.get_mut(place)
    }

    /// How many have a name of their own.
    pub(crate) const fn size(&self) -> usize {
        self.people.len() + self.services.len() + self.agents.len()
    }

    /// Everybody as streams of calls, and the twins.
    pub(crate) fn into_actors(self) -> (Vec<Actor>, Vec<Twin>) {
        let mut actors: Vec<Actor> =
            self.people.into_iter().map(|it| Actor::Person(Box::new(it))).collect();
        actors.extend(self.services.into_iter().flat_map(|it| it.actors));
        actors.extend(self.agents.into_iter().map(|it| Actor::Agent(Box::new(it))));
        actors.extend(self.assistants.into_iter().map(|it| Actor::Assistant(Box::new(it))));
        actors.extend(self.others);
        (actors, self.twins)
    }

    fn name_twins(&mut self) {
        for (name, service, detector, story) in [
            (
                "regular_export",
                "billing-sync",
                "egress_spike",
                "billing-sync fetches about 1.4 GB from /v1/export within minutes, every four hours",
            ),
            (
                "partner_paging",
                "mobile-partner",
                "object_enumeration",
                "mobile-partner reads 160 to 180 pages of the product list every hour",
            ),
            (
                "retry_storm",
                "returns-relay",
                "denied_probing",
                "returns-relay repeats a call that fails with 503 for four minutes",
            ),
        ] {
            if let Some(service) = self.service(service) {
                let principal = service.client.caller.principal().to_owned();
                self.twins.push(Twin { name, detector, principal, story: story.to_owned() });
            }
        }
    }

    /// An agent that bursts to 500 tool calls a minute in its skill runs, several times a day.
    fn add_skill_runs(&mut self, span: Span) {
        let Some(agent) = self.agent(|agent| agent.skill == Skill::Logistics) else { return };
        let caller = Arc::clone(&agent.client.caller);
        let principal = caller.principal().to_owned();
        let schedule = Schedule {
            first_s: 5_400.0,
            every_s: 9_000.0,
            jitter_s: 300.0,
            calls: (950, 1_050),
            gap_s: 0.12,
        };
        let work = Work::Tools(const { &[&crate::tools::CHECK_STOCK, &crate::tools::PLAN_ROUTE] });
        let client = agent.client.clone();
        self.others.push(Actor::Rounds(Box::new(Rounds::new(client, work, schedule, span))));
        let story =
            "an agent calls tools 500 times a minute for two minutes, every two and a half hours";
        self.twins.push(Twin {
            name: "skill_run",
            detector: "machine_speed",
            principal,
            story: story.to_owned(),
        });
    }
}

/// Where somebody stands who fits and has no part yet, which is taken with that.
fn free<T>(
    all: &[T],
    rng: &mut Rng,
    taken: &mut BTreeSet<String>,
    fits: impl Fn(&T) -> bool,
    client: impl Fn(&T) -> &Client,
) -> Option<usize> {
    let count = all.len() as u64;
    let start = rng.below(count);
    (0..count).map(|nth| ((start + nth) % count) as usize).find(|place| {
        all.get(*place)
            .is_some_and(|it| fits(it) && taken.insert(client(it).caller.principal().to_owned()))
    })
}

//! Who else calls a whole company: partners, assistants that act for people, agents that call each other, scanners.

use crate::actor::Actor;
use crate::calendar::{demand, ns};
use crate::client::{Client, Sort, new_id};
use crate::demand::Demand;
use crate::digits::{hex, text};
use crate::endpoints as api;
use crate::endpoints::Endpoint;
use crate::objects::Focus;
use crate::people::Person;
use crate::prng::{Rng, mix_wide};
use crate::record::{Caller, Context, Record};
use crate::rounds::{Rounds, Schedule, Work};
use crate::scenario::{Scenario, Span};
use crate::tools::{self, Tool};
use std::collections::VecDeque;
use std::sync::Arc;

/// The addresses from which the Internet is scanned, each now and then.
const SCANNERS: u64 = 30;
/// People whom one assistant knows.
const SUBJECTS: u64 = 8;
/// The share of an assistant's sessions for somebody new.
const NEW_SUBJECT: f64 = 0.02;

/// An agent that acts for people, alone or through another agent.
#[derive(Clone, Debug)]
pub(crate) struct Assistant {
    /// The agent's id.
    pub(crate) agent: String,
    /// Who acts, the one that calls first.
    pub(crate) chain: String,
    pub(crate) address: String,
    /// Whom it acts for.
    pub(crate) subjects: Vec<Arc<Caller>>,
    pub(crate) rng: Rng,
    everyone: Arc<[Arc<Caller>]>,
    sessions_per_hour: f64,
    span: Span,
    now_ns: i64,
}

/// The tools of assistants.
static TOOLS: [&Tool; 5] = [
    &tools::SUMMARIZE,
    &tools::SEARCH_DOCS,
    &tools::TRANSLATE,
    &tools::LIST_ORDERS,
    &tools::GET_ORDER,
];
/// What assistants call beside their tools.
static DIRECT: [&Endpoint; 3] = [&api::NOTICES, &api::CUSTOMER, &api::ORDER];

/// The assistants of a company: one for ten people.
pub(crate) fn assistants(scenario: &Scenario, span: Span, people: &[Person]) -> Vec<Assistant> {
    let everyone: Arc<[Arc<Caller>]> =
        people.iter().map(|it| Arc::clone(&it.client.caller)).collect();
    if everyone.is_empty() {
        return Vec::new();
    }
    let one = |number: u32| {
        let mut rng = Rng::new(scenario.seed, 0xac00_0000 + u64::from(number));
        let own = |kind| new_id(kind, scenario.seed ^ (0xac00_0000 + u64::from(number)));
        let (agent, planner) = (own(11), new_id(12, scenario.seed ^ u64::from(number / 4)));
        // Every third is called by a planner, which four of them share.
        let chain = if number % 3 == 2 { format!("{agent}>{planner}") } else { agent.clone() };
        let subjects = (0..SUBJECTS).filter_map(|_| rng.pick(&everyone).cloned()).collect();
        Assistant {
            agent,
            chain,
            address: format!("10.40.{}.{}", number / 200, 10 + number % 200),
            subjects,
            everyone: Arc::clone(&everyone),
            sessions_per_hour: 3.0 + 3.0 * rng.unit(),
            rng,
            span,
            now_ns: span.start_ns,
        }
    };
    (0..scenario.people.div_ceil(10)).map(one).collect()
}

impl Assistant {
    /// A client that acts for somebody, in a session of its own.
    pub(crate) fn acting_for(&mut self, subject: &Caller, chain: String) -> Client {
        let caller = Caller {
            consumer: subject.consumer.clone(),
            claims: None,
            credential_id: Some(self.agent.clone()),
            client_address: self.address.clone(),
            user_agent: "desk-assistant/3.1 mcp-client/0.9".to_owned(),
        };
        let mut client =
            Client::acting_as(Arc::new(caller), Rng::new(self.rng.bits(), self.rng.bits()));
        client.context = Some(Arc::new(Context {
            session: text(&hex(mix_wide(9, self.rng.bits()))).to_owned(),
            agent: self.agent.clone(),
            actor_chain: chain,
            trace_id: mix_wide(10, self.rng.bits()),
        }));
        client
    }

    /// One session.
    pub(crate) fn plan(&mut self, out: &mut VecDeque<Record>) -> bool {
        let per_s = (self.sessions_per_hour * demand(self.now_ns)).max(0.01) / 3_600.0;
        self.now_ns += ns(self.rng.exponential(1.0 / per_s));
        let known = self.rng.pick(&self.subjects).cloned();
        let subject = if self.rng.chance(NEW_SUBJECT) { None } else { known };
        let Some(subject) = subject.or_else(|| self.rng.pick(&self.everyone).cloned()) else {
            return false;
        };
        let mut client = self.acting_for(&subject, self.chain.clone());
        let focus = Focus::on(crate::objects::any_customer(&mut self.rng), &mut self.rng);
        for nth in 0..self.rng.between(3, 10) {
            if self.now_ns >= self.span.end_ns {
                return false;
            }
            let record = if nth == 0 {
                client.call_tool(self.now_ns, None)
            } else if self.rng.chance(0.25) {
                let endpoint = self.rng.pick(&DIRECT).copied().unwrap_or(&api::ME);
                client.call(self.now_ns, endpoint, &focus)
            } else {
                client.call_tool(self.now_ns, self.rng.pick(&TOOLS).copied())
            };
            out.push_back(record);
            self.now_ns += ns(self.rng.log_normal(2.5, 0.7)) + 1_000;
        }
        self.now_ns < self.span.end_ns
    }
}

/// Partners and scanners.
pub(crate) fn strangers(scenario: &Scenario, span: Span) -> Vec<Actor> {
    let mut actors = Vec::new();
    for number in 0..scenario.services.div_ceil(12) {
        partner(scenario.seed, number, span, &mut actors);
    }
    for number in 0..SCANNERS {
        let mut rng = Rng::new(scenario.seed, 0x5ca0_0000 + number);
        let address = format!("198.51.100.{}", 160 + number);
        let client = Client::nobody(scenario.seed, address, "Mozilla/5.0 zgrab/0.x".to_owned());
        let schedule = Schedule {
            first_s: 43_200.0 * rng.unit(),
            every_s: 43_200.0,
            jitter_s: 21_600.0,
            calls: (1, 5),
            gap_s: 1.5,
        };
        actors.push(Actor::Rounds(Box::new(Rounds::new(client, Work::Scan, schedule, span))));
    }
    actors
}

/// A partner of the company: a catalogue each night, orders by day.
fn partner(seed: u64, number: u32, span: Span, actors: &mut Vec<Actor>) {
    let name = format!("partner-{number:02}");
    let address = format!("203.0.113.{}", 180 + number % 60);
    let program = format!("partner-sdk/4.{}", number % 3);
    let client = Client::consumer((seed, Sort::Service), &name, address, program);
    let night = Schedule {
        first_s: 7_200.0 + 600.0 * f64::from(number % 6),
        every_s: 86_400.0,
        jitter_s: 300.0,
        calls: (120, 140),
        gap_s: 0.7,
    };
    let pages = Rounds::new(client.clone(), Work::Pages(&api::PRODUCTS), night, span);
    actors.push(Actor::Rounds(Box::new(pages)));
    let mix =
        vec![(&api::PRICES, 3.0), (&api::STOCK, 3.0), (&api::ORDER_NEW, 0.6), (&api::ORDER, 1.2)];
    actors.push(Actor::Demand(Box::new(Demand::new(client, mix, 90.0, span))));
}

//! AI agents: sessions of tool calls, some started by people's work, some going on all night.

use crate::calendar::{NS_PER_D, demand, ns};
use crate::client::{Client, Sort};
use crate::digits::{hex, push_padded, text};
use crate::endpoints as api;
use crate::endpoints::Endpoint;
use crate::objects::Portfolio;
use crate::prng::{Rng, mix, mix_wide};
use crate::record::{Context, Record};
use crate::scenario::Span;
use crate::tools::{self, Tool};
use std::collections::VecDeque;
use std::sync::Arc;

/// What an agent is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Skill {
    Care,
    Finance,
    Logistics,
    Sales,
    Research,
}

impl Skill {
    const ALL: [Self; 5] =
        [Self::Care, Self::Finance, Self::Logistics, Self::Sales, Self::Research];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Care => "care",
            Self::Finance => "finance",
            Self::Logistics => "logistics",
            Self::Sales => "sales",
            Self::Research => "research",
        }
    }

    /// The tools of the skill, in the order of a usual session.
    pub(crate) const fn tools(self) -> &'static [&'static Tool] {
        match self {
            Self::Care => &tools::CARE,
            Self::Finance => &tools::FINANCE,
            Self::Logistics => &tools::LOGISTICS,
            Self::Sales => &tools::SALES,
            Self::Research => &tools::RESEARCH,
        }
    }

    /// What agents with the skill call without a tool.
    pub(crate) const fn endpoints(self) -> &'static [&'static Endpoint] {
        match self {
            Self::Care => {
                const { &[&api::TICKETS, &api::TICKET, &api::CUSTOMER, &api::TICKET_PATCH] }
            }
            Self::Finance => const { &[&api::INVOICES, &api::INVOICE, &api::PAYMENT] },
            Self::Logistics => const { &[&api::SHIPMENTS, &api::SHIPMENT, &api::STOCK] },
            Self::Sales => const { &[&api::CUSTOMER, &api::PRODUCT, &api::PRICES, &api::QUOTES] },
            Self::Research => const { &[&api::SEARCH, &api::PRODUCTS, &api::REPORT] },
        }
    }
}

/// An agent.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) client: Client,
    pub(crate) skill: Skill,
    pub(crate) portfolio: Portfolio,
    /// Whether it works all night.
    pub(crate) is_night: bool,
    /// The tools this agent uses at all, with how often.
    tools: Vec<(&'static Tool, f64)>,
    /// The share of calls without a tool.
    direct: f64,
    /// Sessions in an hour of full demand.
    sessions_per_hour: f64,
    /// What tells its sessions from those of others.
    salt: u64,
    span: Span,
    now_ns: i64,
}

impl Agent {
    /// The agent of that number; the skills take turns.
    pub(crate) fn new(seed: u64, number: u32, span: Span) -> Self {
        let mut rng = Rng::new(seed, 0xa000_0000 + u64::from(number));
        let skill = Skill::ALL[number as usize % Skill::ALL.len()];
        let mut name = format!("agent-{}-", skill.as_str());
        push_padded(&mut name, u64::from(number), 2);
        let address = format!("10.30.{}.{}", number / 200, 10 + number % 200);
        let user_agent = format!("{}-agent/1.{} mcp-client/0.9", skill.as_str(), rng.below(4));
        let client = Client::consumer((seed, Sort::Agent), &name, address, user_agent);
        let mut tools = Vec::new();
        for (index, tool) in skill.tools().iter().enumerate() {
            if index == 0 || rng.chance(0.85) {
                tools.push((*tool, rng.log_normal(1.0, 0.5)));
            }
        }
        // One in four works through the night, whatever its skill.
        let is_night = number / Skill::ALL.len() as u32 % 4 == 3;
        Self {
            client,
            skill,
            portfolio: Portfolio::new(60, 0.04, &mut rng),
            is_night,
            tools,
            direct: 0.15 + 0.15 * rng.unit(),
            sessions_per_hour: 3.0 + 3.0 * rng.unit(),
            salt: mix(seed ^ mix(u64::from(number))),
            span,
            now_ns: span.start_ns,
        }
    }

    /// Whether the agent uses this tool.
    pub(crate) fn has(&self, tool: &Tool) -> bool {
        self.tools.iter().any(|(it, _)| std::ptr::eq(*it, tool))
    }

    /// One session.
    pub(crate) fn plan(&mut self, out: &mut VecDeque<Record>) -> bool {
        let rng = &mut self.client.rng;
        let is_peak = self.span.peak == self.now_ns.div_euclid(NS_PER_D);
        let busy = if is_peak { 3.0 } else { 1.0 };
        let rhythm = if self.is_night { busy } else { busy * demand(self.now_ns) };
        let per_s = (self.sessions_per_hour * rhythm).max(0.01) / 3_600.0;
        self.now_ns += ns(rng.exponential(1.0 / per_s));
        let calls = rng.between(4, 18);
        let focus = self.portfolio.focus(rng);
        if self.span.whole {
            self.client.context = Some(self.session());
        }
        let mut place = 0;
        for nth in 0..calls {
            if self.now_ns >= self.span.end_ns {
                return false;
            }
            let record = if nth == 0 {
                self.client.call_tool(self.now_ns, None)
            } else if self.client.rng.chance(self.direct) {
                let endpoints = self.skill.endpoints();
                let nth = self.client.rng.below(endpoints.len() as u64) as usize;
                let known = endpoints.get(nth).filter(|endpoint| !endpoint.deployed);
                self.client.call(self.now_ns, known.copied().unwrap_or(&api::ME), &focus)
            } else {
                place = self.next_tool(place);
                self.client.call_tool(self.now_ns, self.tools.get(place).map(|(tool, _)| *tool))
            };
            self.now_ns += ns(self.client.rng.log_normal(2.2, 0.7)) + 1_000;
            out.push_back(record);
        }
        true
    }

    /// A session of its own.
    pub(crate) fn session(&self) -> Arc<Context> {
        // Made beside the agent's own chance, so that sessions change nothing that it does.
        let agent = self.client.caller.principal();
        let id = mix_wide(self.now_ns.unsigned_abs(), self.salt);
        Arc::new(Context {
            session: text(&hex(id)).to_owned(),
            agent: agent.to_owned(),
            actor_chain: String::new(),
            trace_id: mix_wide(7, id as u64),
        })
    }

    /// Often the tool that follows in the list, else any by preference.
    fn next_tool(&mut self, place: usize) -> usize {
        if self.client.rng.chance(0.45) {
            (place + 1) % self.tools.len().max(1)
        } else {
            self.client.rng.weighted(self.tools.iter().map(|(_, weight)| *weight))
        }
    }
}

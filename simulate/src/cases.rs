//! Scenarios A to K: what users said goes wrong elsewhere, each in traffic that is otherwise ordinary.

use crate::actor::Actor;
use crate::attacks::Raid;
use crate::calendar::{NS_PER_D, NS_PER_H, NS_PER_MIN, NS_PER_S};
use crate::cast::Cast;
use crate::change::{Change, What};
use crate::client::{Client, Sort};
use crate::demand::Demand;
use crate::endpoints as api;
use crate::objects::{CUSTOMER_FIRST, Focus, any_customer};
use crate::prng::Rng;
use crate::raids::{Stage, habits_of, is_settled};
use crate::record::{Caller, Record};
use crate::roles::Role;
use crate::scenario::Span;
use crate::tools;
use crate::truth::{Strength, Twin};
use std::sync::Arc;

/// A scenario by its letter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Case {
    /// One address makes nearly all of the hour's refused logins.
    A,
    /// Customers are walked through, 8 000 in ten minutes.
    B,
    /// The same spread over the days: fourteen documents a day that are somebody else's.
    B2,
    /// 2.3 GB of exports in four minutes.
    C,
    /// An agent bursts to 500 tool calls a minute in its skill runs: quiet from the fourth on.
    D,
    /// A release brings twelve endpoints that everybody uses: at most one finding.
    E,
    /// An agent that is new misbehaves in its first hour, and is judged by its peers.
    F,
    /// A key is copied to a second network.
    G,
    /// A tool gets another name, and its requests grow.
    H,
    /// Somebody takes five percent more each day.
    I,
    /// A day on which everybody does three times as much: no storm.
    J,
    /// Passwords are tried under somebody's name, whose habits must not change.
    K,
}

impl Case {
    /// Every scenario.
    pub const ALL: [Self; 12] = [
        Self::A,
        Self::B,
        Self::B2,
        Self::C,
        Self::D,
        Self::E,
        Self::F,
        Self::G,
        Self::H,
        Self::I,
        Self::J,
        Self::K,
    ];

    /// Its letter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::B2 => "b2",
            Self::C => "c",
            Self::D => "d",
            Self::E => "e",
            Self::F => "f",
            Self::G => "g",
            Self::H => "h",
            Self::I => "i",
            Self::J => "j",
            Self::K => "k",
        }
    }

    /// The scenario of that letter, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// What a case adds to everybody, and its attack if it has one.
pub(crate) fn plan(case: Case, seed: u64, cast: &mut Cast, span: Span) -> Option<Raid> {
    let rng = Rng::new(seed, 0xca5e_0000 + case as u64);
    let start_ns = span.end_ns - NS_PER_D + 13 * NS_PER_H;
    let mut stage = Stage { cast, rng, span, start_ns, strength: Strength::Loud };
    match case {
        Case::A => refused_logins(&mut stage),
        Case::B => walk(&mut stage),
        Case::B2 => few_a_day(&mut stage),
        Case::C => export(&mut stage),
        // The skill runs are among the twins of any day; the peak is one of the calendar.
        Case::D | Case::J => None,
        Case::E => {
            release(stage.cast, span);
            None
        }
        Case::F => newcomer(&mut stage),
        Case::G => copied_key(&mut stage),
        Case::H => renamed_tool(&mut stage),
        Case::I => more_each_day(&mut stage),
        Case::K => claimed_name(&mut stage),
    }
}

fn refused_logins(stage: &mut Stage<'_>) -> Option<Raid> {
    const ADDRESS: &str = "192.0.2.77";
    let mut guesser = Client::nobody(1, ADDRESS.to_owned(), "okhttp/4.12.0".to_owned());
    let records = stage
        .times(3_000, 1.1)
        .into_iter()
        .map(|time_ns| {
            let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
            guesser.call_with(time_ns, &api::TOKEN, &focus, 401)
        })
        .collect();
    let story = format!("{ADDRESS} makes nearly all of the hour's refused logins");
    stage.raid("auth_failures", ADDRESS, story, records)
}

fn walk(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage.cast.any_person(&mut stage.rng, |it| {
        it.role == Role::Sales && it.uses(&api::CUSTOMER) && is_settled(it, span)
    })?;
    let mut client = victim.client.clone();
    let mut records = Vec::new();
    for (customer, time_ns) in (CUSTOMER_FIRST..).zip(stage.times(8_000, 0.073)) {
        let focus = Focus::on(customer, &mut stage.rng);
        records.push(client.call_with(time_ns, &api::CUSTOMER, &focus, 200));
    }
    let story =
        "a salesperson's session reads 8 000 customers in a row within ten minutes".to_owned();
    stage.raid("object_enumeration", client.caller.principal(), story, records)
}

fn few_a_day(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage.cast.any_person(&mut stage.rng, |it| {
        !matches!(it.role, Role::Admin | Role::Shopper) && is_settled(it, span)
    })?;
    let victim = victim.client.clone();
    let mut client = Client { rng: Rng::new(stage.rng.bits(), 2), ..victim };
    let own = client.caller.principal();
    let others = stage.cast.people.iter().filter(|it| it.client.caller.principal() != own);
    let documents: Vec<_> = others.flat_map(|it| (0..4).map(|nth| it.document(nth))).collect();
    let mut records = Vec::new();
    for day in 7..span.days() {
        let start_ns = span.start_ns + day * NS_PER_D + 9 * NS_PER_H;
        for time_ns in stage.times_from(start_ns, 14, 1_800.0) {
            let document = *stage.rng.pick(&documents)?;
            let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
            let focus = Focus { document, ..focus };
            records.push(client.call_with(time_ns, &api::DOCUMENT, &focus, 200));
        }
    }
    let story = "a person reads fourteen documents of colleagues a day, for weeks".to_owned();
    let mut raid = stage.raid("foreign_object", client.caller.principal(), story, records)?;
    raid.attack.strength = Strength::Weak;
    Some(raid)
}

fn export(stage: &mut Stage<'_>) -> Option<Raid> {
    let service = stage.cast.service("ledger-sync")?;
    let mut client = Client { size: 16.0, ..service.client.clone() };
    let mut records = Vec::new();
    for (page, time_ns) in (1..).zip(stage.times(120, 1.95)) {
        let focus = Focus { page, ..Focus::on(any_customer(&mut stage.rng), &mut stage.rng) };
        records.push(client.call_with(time_ns, &api::EXPORT, &focus, 200));
    }
    let story = "ledger-sync takes 2.3 GB from /v1/export in four minutes".to_owned();
    stage.raid("egress_spike", client.caller.principal(), story, records)
}

fn release(cast: &mut Cast, span: Span) {
    for person in &mut cast.people {
        person.learns(&crate::roles::RELEASE);
    }
    for service in &mut cast.services {
        let mix = api::RELEASE.iter().map(|it| (it, 1.0)).collect();
        let demand = Demand::new(service.client.clone(), mix, 24.0, span);
        service.actors.push(Actor::Demand(Box::new(demand)));
    }
}

fn newcomer(stage: &mut Stage<'_>) -> Option<Raid> {
    let seed = stage.rng.bits();
    let address = "10.30.9.250".to_owned();
    let program = "finance-agent/1.9 mcp-client/0.9".to_owned();
    let mut client = Client::consumer((seed, Sort::Agent), "agent-finance-new", address, program);
    let mut records: Vec<Record> = Vec::new();
    for (nth, time_ns) in stage.times(1_500, 0.2).into_iter().enumerate() {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(match nth {
            0 => client.call_tool(time_ns, None),
            1..20 => client.call_tool(time_ns, Some(&tools::GET_INVOICE)),
            _ => client.call_with(time_ns, &api::CUSTOMER, &focus, 200),
        });
    }
    let story = "an agent that nobody saw before reads 1 500 customers in its first five minutes"
        .to_owned();
    stage.raid("object_enumeration", client.caller.principal(), story, records)
}

fn copied_key(stage: &mut Stage<'_>) -> Option<Raid> {
    let service = stage.cast.any_service(&mut stage.rng, |it| it.reads.len() > 1)?;
    let read = service.reads.first().copied()?;
    let rng = Rng::new(7, 7);
    let mut thief = service.client.stolen("203.0.113.250", "python-requests/2.32", rng);
    let mut records = Vec::new();
    for time_ns in stage.times(30, 6.0) {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(thief.call_with(time_ns, read, &focus, 200));
    }
    let story = "a service's key is used from a second network, by another program, while it works"
        .to_owned();
    stage.raid("new_network", thief.caller.principal(), story, records)
}

fn renamed_tool(stage: &mut Stage<'_>) -> Option<Raid> {
    let agents: Vec<_> = stage
        .cast
        .agents
        .iter()
        .filter(|it| it.has(&tools::SEND_EMAIL) || it.has(&tools::UPDATE_TICKET))
        .map(|it| it.client.caller.principal().to_owned())
        .collect();
    let (from_ns, until_ns) = (stage.start_ns, stage.span.end_ns);
    // One agent looks first.
    let agent = stage.cast.any_agent(&mut stage.rng, |it| it.has(&tools::SEND_EMAIL))?;
    let mut client = Client { context: Some(agent.session()), ..agent.client.clone() };
    let records = vec![
        client.call_tool(from_ns, None),
        client.call_tool(until_ns - NS_PER_MIN, Some(&tools::SEND_EMAIL)),
    ];
    let story = format!(
        "send_email has another name, and requests of update_ticket grow eightfold, for {} agents",
        agents.len()
    );
    let mut raid = stage.raid("tool_drift", client.caller.principal(), story, records)?;
    raid.attack.others = agents;
    for what in [
        What::Renamed(tools::SEND_EMAIL.name, tools::SEND_EMAIL_V2.name),
        What::Asks(tools::UPDATE_TICKET.name, 8.0),
    ] {
        raid.changes.push(Change { from_ns, until_ns, what });
    }
    Some(raid)
}

fn more_each_day(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage
        .cast
        .any_person(&mut stage.rng, |it| it.role == Role::Care && is_settled(it, span))?;
    let habits = habits_of(victim);
    let mut client = Client { rng: Rng::new(3, 3), ..victim.client.clone() };
    let (mut records, mut share) = (Vec::new(), 0.0);
    for day in 7..span.days() {
        share = (1.0 + share) * 1.05 - 1.0;
        let more = (habits.objects_per_day as f64 * share) as usize;
        let start_ns = span.start_ns + day * NS_PER_D + 8 * NS_PER_H;
        for time_ns in stage.times_from(start_ns, more, 8.0 * 3_600.0 / more.max(1) as f64) {
            let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
            records.push(client.call_with(time_ns, &api::CUSTOMER, &focus, 200));
        }
    }
    records.sort_by_key(|it| it.time_ns);
    records.retain(|it| it.time_ns < span.end_ns);
    let story = "a person takes five percent more each day".to_owned();
    let mut raid = stage.raid("slow_drip", client.caller.principal(), story, records)?;
    raid.attack.strength = Strength::Weak;
    Some(raid)
}

fn claimed_name(stage: &mut Stage<'_>) -> Option<Raid> {
    const ADDRESS: &str = "192.0.2.78";
    let span = stage.span;
    let victim = stage
        .cast
        .any_person(&mut stage.rng, |it| it.role == Role::Sales && is_settled(it, span))?;
    let principal = victim.client.caller.principal().to_owned();
    let caller = Caller {
        consumer: None,
        credential_id: None,
        claims: Some(principal.clone()),
        client_address: ADDRESS.to_owned(),
        user_agent: "okhttp/4.12.0".to_owned(),
    };
    let mut guesser = Client::acting_as(Arc::new(caller), Rng::new(9, 9));
    guesser.stranger = Arc::clone(&guesser.caller);
    let mut records = Vec::new();
    for time_ns in stage.times(2_000, 1.0) {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(guesser.call_with(time_ns - NS_PER_S / 9, &api::TOKEN, &focus, 401));
    }
    let story = format!("{ADDRESS} tries passwords under one person's name");
    let raid = stage.raid("auth_failures", ADDRESS, story, records);
    let story = "somebody tries passwords under this person's name".to_owned();
    let detector = "not_itself";
    stage.cast.twins.push(Twin { name: "claimed_victim", detector, principal, story });
    raid
}

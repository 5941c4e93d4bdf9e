//! Attacks in what follows what: steps left out, loops, injections, who acts for whom and through whom.

use super::{Stage, is_settled};
use crate::attacks::Raid;
use crate::calendar::NS_PER_S;
use crate::client::{Client, new_id};
use crate::endpoints as api;
use crate::objects::{Focus, any_customer};
use crate::prng::Rng;
use crate::roles::Role;
use crate::tools;
use std::collections::BTreeSet;

/// What is tried in a search.
const PROBES: [&str; 6] = [
    "1%27%20OR%20%271%27%3D%271",
    "x%27%20UNION%20SELECT%20password%20FROM%20users--",
    "1%27%3B%20DROP%20TABLE%20users--",
    "%3Cscript%20src%3D%2F%2Fevil.example%3E%3C%2Fscript%3E",
    "..%2F..%2F..%2F..%2Fetc%2Fpasswd",
    "1%27%20AND%20SLEEP(5)--%20",
];

/// A customer of the shop confirms without ever asking for the price.
pub(super) fn sequence(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage.cast.any_person(&mut stage.rng, |it| {
        it.role == Role::Shopper && it.uses(&api::CART_CONFIRM) && is_settled(it, span)
    })?;
    let mut client = victim.client.clone();
    let count = stage.pick([40, 15, 6]);
    let mut records = Vec::with_capacity(2 * count);
    for time_ns in stage.times(count, stage.pick([2.0, 25.0, 90.0])) {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(client.call_with(time_ns, &api::CART_NEW, &focus, 201));
        records.push(client.call_with(time_ns + NS_PER_S, &api::CART_CONFIRM, &focus, 200));
    }
    records.sort_by_key(|it| it.time_ns);
    let story =
        format!("a customer confirms {count} checkouts without the step that sets the price");
    stage.raid("sequence", client.caller.principal(), story, records)
}

/// An assistant acts for people who never used it.
pub(super) fn delegation(stage: &mut Stage<'_>) -> Option<Raid> {
    let assistant = stage.cast.any_assistant(&mut stage.rng)?;
    let (mut assistant, chain) = (assistant.clone(), assistant.chain.clone());
    // In a small company there are not so many.
    let people = stage.cast.people.len();
    let count = stage.pick([60, 25, 10]).min(people / 3);
    let start = stage.rng.below(people as u64) as usize;
    let (mut records, mut subjects) = (Vec::new(), BTreeSet::new());
    for (nth, time_ns) in stage.times(count, stage.pick([1.0, 40.0, 120.0])).into_iter().enumerate()
    {
        let subject = stage.cast.people.get((start + nth) % people.max(1))?;
        let mut client = assistant.acting_for(&subject.client.caller, chain.clone());
        subjects.insert(client.caller.principal().to_owned());
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(client.call_with(time_ns, &api::NOTICES, &focus, 200));
        records.push(client.call_with(time_ns + NS_PER_S, &api::CUSTOMER, &focus, 200));
    }
    let story =
        format!("an assistant acts for {count} people, whom it never acted for; it knows eight");
    let mut raid = stage.raid("delegation", &assistant.agent, story, records)?;
    raid.attack.others = subjects.into_iter().collect();
    raid.attack.others.push(assistant.address);
    Some(raid)
}

/// Somebody puts more into a search than words.
pub(super) fn injection(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage
        .cast
        .any_person(&mut stage.rng, |it| it.uses(&api::SEARCH) && is_settled(it, span))?;
    let mut client = victim.client.clone();
    let (tries, gap_s) = stage.pick([(60, 0.5), (20, 10.0), (8, 60.0)]);
    let mut records = Vec::with_capacity(tries);
    for (nth, time_ns) in stage.times(tries, gap_s).into_iter().enumerate() {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        let fails = stage.rng.chance(stage.pick([0.5, 0.3, 0.0]));
        let status = if fails { 500 } else { 200 };
        let mut record = client.call_with(time_ns, &api::SEARCH, &focus, status);
        record.query = format!("q={}&page=1", PROBES[nth % PROBES.len()]);
        // What the loud one gets out is many times an ordinary answer.
        if status == 200 && nth % 15 == 14 {
            record.bytes_out *= stage.pick([90, 12, 1]);
        }
        records.push(record);
    }
    let story = format!("{tries} searches hold SQL, scripts and paths; some are answered");
    let mut raid = stage.raid("injection", client.caller.principal(), story, records)?;
    raid.attack.others.push("GET /v1/search".to_owned());
    Some(raid)
}

/// An agent's session calls one tool again and again, and learns nothing.
pub(super) fn runaway_loop(stage: &mut Stage<'_>) -> Option<Raid> {
    let agent = stage.cast.any_agent(&mut stage.rng, |_| true)?;
    let tool = agent.skill.tools().first().copied()?;
    let mut client = Client { context: Some(agent.session()), ..agent.client.clone() };
    let calls = stage.pick([240, 80, 30]);
    let mut records = Vec::with_capacity(calls);
    for time_ns in stage.times(calls, stage.pick([0.4, 2.5, 5.0])) {
        let mut record = client.call_tool(time_ns, Some(tool));
        // The same question, and the same answer.
        (record.bytes_in, record.bytes_out) = (1_204, u64::from(tool.bytes));
        records.push(record);
    }
    let story =
        format!("an agent's session calls {} {calls} times with the same answer", tool.name);
    stage.raid("runaway_loop", client.caller.principal(), story, records)
}

/// Agents call an agent that none of them ever called, and its errors spread.
pub(super) fn agent_graph(stage: &mut Stage<'_>) -> Option<Raid> {
    let assistant = stage.cast.any_assistant(&mut stage.rng)?.clone();
    let subject = assistant.subjects.first()?;
    let payments = new_id(13, stage.rng.bits());
    let mut caller = assistant.clone();
    caller.agent.clone_from(&payments);
    caller.rng = Rng::new(stage.rng.bits(), 3);
    let chain = match stage.pick([0, 1, 2]) {
        0 => format!("{payments}>{}>{payments}>{}", assistant.agent, assistant.chain),
        _ => format!("{payments}>{}", assistant.chain),
    };
    let mut client = caller.acting_for(subject, chain);
    let calls = stage.pick([420, 60, 12]);
    let mut records = Vec::with_capacity(calls);
    for (nth, time_ns) in stage.times(calls, stage.pick([0.3, 2.0, 20.0])).into_iter().enumerate() {
        let mut record = client.call_tool(time_ns, Some(&tools::TRANSFER));
        // First five in a hundred fail, at the end nearly all.
        let share = stage.pick([0.95, 0.6, 0.2]) * nth as f64 / calls as f64;
        if stage.rng.chance(0.05 + share) {
            (record.status, record.bytes_out) = (500, 380);
        }
        records.push(record);
    }
    let story = format!(
        "an assistant calls a payments agent that nobody ever called; {calls} calls, more and more of which fail"
    );
    let mut raid = stage.raid("agent_graph", &payments, story, records)?;
    raid.attack.others = vec![assistant.agent.clone(), client.caller.principal().to_owned()];
    Some(raid)
}

//! Attacks on things: what belongs to somebody else, secrets, tools, what must stay inside.

use super::{Stage, habits_of, is_settled};
use crate::agents::Skill;
use crate::attacks::Raid;
use crate::calendar::NS_PER_S;
use crate::client::Client;
use crate::endpoints as api;
use crate::objects::{Focus, any_customer};
use crate::roles::Role;
use crate::tools;

/// A person reads the documents of colleagues.
pub(super) fn foreign_object(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage.cast.any_person(&mut stage.rng, |it| {
        !matches!(it.role, Role::Admin | Role::Shopper) && is_settled(it, span)
    })?;
    let mut client = victim.client.clone();
    let reads = stage.pick([60, 24, 9]);
    let mut records = Vec::with_capacity(reads);
    for (nth, time_ns) in (0..).zip(stage.times(reads, stage.pick([0.5, 20.0, 60.0]))) {
        // Four of each.
        let owner = stage.cast.people.iter().cycle().nth(nth / 4 * 3 + 5)?;
        let document = owner.document(nth as u64 % 4);
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        let focus = Focus { document, ..focus };
        records.push(client.call_with(time_ns, &api::DOCUMENT, &focus, 200));
    }
    let story =
        format!("a person reads {reads} documents of colleagues; everybody reads their own");
    stage.raid("foreign_object", client.caller.principal(), story, records)
}

/// A service's key reads the secrets of others.
pub(super) fn secret_harvesting(stage: &mut Stage<'_>) -> Option<Raid> {
    let service = stage.cast.any_service(&mut stage.rng, |it| {
        it.name.contains("-sync") || it.name.contains("-relay")
    })?;
    let mut client = service.client.clone();
    let reads = stage.pick([60, 24, 10]);
    let mut records = Vec::with_capacity(reads);
    for (nth, time_ns) in (0..).zip(stage.times(reads, stage.pick([0.4, 15.0, 60.0]))) {
        let on = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        let focus = Focus { user: nth, word: crate::objects::WORDS[(nth / 4 % 16) as usize], ..on };
        records.push(client.call_with(time_ns, &api::SECRET, &focus, 200));
    }
    let story =
        format!("a service's key reads {reads} different secrets; services read their own three");
    stage.raid("secret_harvesting", client.caller.principal(), story, records)
}

/// A tool does more than its name says: its requests grow, or its name comes from elsewhere.
pub(super) fn tool_drift(stage: &mut Stage<'_>) -> Option<Raid> {
    let agent = stage.cast.any_agent(&mut stage.rng, |it| {
        matches!(it.skill, Skill::Care | Skill::Sales | Skill::Finance)
            && it.has(&tools::SEND_EMAIL)
    })?;
    let client = Client { context: Some(agent.session()), ..agent.client.clone() };
    let (tool, sent, calls) = stage.pick([
        (&tools::FOREIGN_EMAIL, 8.0, 14),
        (&tools::SEND_EMAIL, 8.0, 14),
        (&tools::SEND_EMAIL, 3.0, 10),
    ]);
    let mut client = Client { sent, ..client };
    let times = stage.times(calls, stage.pick([1.5, 12.0, 40.0]));
    let records = times.into_iter().map(|at| client.call_tool(at, Some(tool))).collect();
    let story = format!(
        "send_email of {} is called {calls} times with {sent} times as much as usual in it",
        tool.server
    );
    let mut raid = stage.raid("tool_drift", client.caller.principal(), story, records)?;
    raid.attack.others.push(format!("{}/{}", tool.server, tool.name));
    Some(raid)
}

/// Somebody reads about the staff, and sends it somewhere.
pub(super) fn toxic_flow(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage
        .cast
        .any_person(&mut stage.rng, |it| it.role == Role::Staff && is_settled(it, span))?;
    let (mut client, habits) = (victim.client.clone(), habits_of(victim));
    let reads = stage.many(habits.objects_per_hour, [80, 30, 8]);
    let mut records = Vec::with_capacity(reads + 1);
    for time_ns in stage.times(reads, stage.pick([0.1, 4.0, 20.0])) {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(client.call_with(time_ns, &api::EMPLOYEE, &focus, 200));
    }
    let end_ns = records.last()?.time_ns;
    let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
    for nth in 0..stage.pick([6, 2, 1]) {
        let time_ns = end_ns + (41 + 20 * nth) * NS_PER_S;
        let mut sent = client.call_with(time_ns, &api::WEBHOOK, &focus, 200);
        sent.bytes_in = 1_200_000;
        records.push(sent);
    }
    let story = format!(
        "a person reads {reads} employees, then sends 1.2 MB to a webhook that it never called"
    );
    stage.raid("toxic_flow", client.caller.principal(), story, records)
}

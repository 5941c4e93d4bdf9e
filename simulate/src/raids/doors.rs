//! Attacks through a door that was never used: endpoints, networks, hosts, old keys, no key at all.

use super::{Stage, is_settled};
use crate::attacks::Raid;
use crate::calendar::{NS_PER_D, NS_PER_MIN, NS_PER_S};
use crate::client::Client;
use crate::endpoints as api;
use crate::endpoints::Endpoint;
use crate::objects::{Focus, any_customer};
use crate::prng::Rng;
use crate::record::Record;
use crate::roles::Role;

/// Somebody uses what only others use: grants roles, reads keys, or looks into payments.
pub(super) fn first_seen_endpoint(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage.cast.any_person(&mut stage.rng, |it| {
        matches!(it.role, Role::Warehouse | Role::Merchandise)
            && !it.uses(&api::PAYMENT)
            && is_settled(it, span)
    })?;
    let mut client = victim.client.clone();
    let calls: &[&'static Endpoint] = match stage.pick([0, 1, 2]) {
        0 => &[&api::KEYS, &api::KEY_NEW, &api::ROLES_NEW],
        1 => &[&api::KEYS],
        _ => &[&api::PAYROLL],
    };
    let mut records = Vec::with_capacity(calls.len());
    let times = stage.times(calls.len(), stage.pick([2.0, 25.0, 25.0]));
    for (endpoint, time_ns) in calls.iter().zip(times) {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(client.call_with(time_ns, endpoint, &focus, 200));
    }
    let names: Vec<_> = calls.iter().map(|it| format!("{} {}", it.method, it.path)).collect();
    let story = format!(
        "a {} worker calls {}",
        victim_role(stage, client.caller.principal()),
        names.join(", ")
    );
    stage.raid("first_seen_endpoint", client.caller.principal(), story, records)
}

fn victim_role(stage: &Stage<'_>, principal: &str) -> &'static str {
    let mut people = stage.cast.people.iter();
    people
        .find(|it| it.client.caller.principal() == principal)
        .map_or("some", |it| it.role.as_str())
}

/// An endpoint that checks who calls stops doing so, and somebody knows.
pub(super) fn unauthenticated_success(stage: &mut Stage<'_>) -> Option<Raid> {
    let endpoint = stage.pick([&api::CUSTOMER, &api::PRODUCT, &api::ORDER]);
    let calls = stage.pick([400, 40, 6]);
    let address = format!("192.0.2.{}", 20 + stage.rng.below(200));
    let program = "python-requests/2.32".to_owned();
    let mut client = Client::nobody(stage.rng.bits(), address.clone(), program);
    let mut records = Vec::with_capacity(calls);
    for time_ns in stage.times(calls, stage.pick([0.6, 5.0, 40.0])) {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(client.call_with(time_ns, endpoint, &focus, 200));
    }
    let name = format!("{} {}", endpoint.method, endpoint.path);
    let story = format!("{name} answers {calls} calls without credentials");
    let mut raid = stage.raid("unauthenticated_success", &address, story, records)?;
    raid.attack.others.push(name);
    Some(raid)
}

/// A credential is used from elsewhere, while its owner works.
pub(super) fn new_network(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let (calls, gap_s) = stage.pick([(40, 2.0), (30, 30.0), (12, 90.0)]);
    let rng = Rng::new(stage.rng.bits(), 1);
    let address = format!("185.220.{}.{}", stage.rng.below(250), 1 + stage.rng.below(250));
    let victim = stage.cast.any_person(&mut stage.rng, |it| {
        !matches!(it.role, Role::Shopper) && is_settled(it, span)
    })?;
    // The weak one looks like the owner's own program.
    let own = victim.client.caller.user_agent.clone();
    let steps = victim.role.tasks().first().map_or(&[] as &[_], |task| task.steps);
    let (client, portfolio) = (victim.client.clone(), victim.portfolio.clone());
    let program = stage.pick(["python-requests/2.32", "curl/8.9.1", &own]);
    let mut thief = client.stolen(&address, program, rng);
    let mut records = Vec::with_capacity(calls);
    for time_ns in stage.times(calls, gap_s) {
        let focus = portfolio.focus(&mut stage.rng);
        let endpoint = stage.rng.pick(steps).copied().unwrap_or(&api::ME);
        records.push(thief.call_with(time_ns, endpoint, &focus, 200));
    }
    let story = format!(
        "a person's credential makes {calls} calls from {address} with {program}, while it is in use"
    );
    stage.raid("new_network", thief.caller.principal(), story, records)
}

/// A key that was not used for days is used again.
pub(super) fn dormant(stage: &mut Stage<'_>) -> Option<Raid> {
    let service = stage.cast.any_service(&mut stage.rng, |it| {
        !it.reads.is_empty() && it.client.renewed.is_none() && !it.name.contains("-audit")
    })?;
    // It was in use on the first day alone.
    for actor in &mut service.actors {
        actor.ends(stage.span.start_ns + NS_PER_D);
    }
    let (mut client, reads) = (service.client.clone(), service.reads);
    let plan: Vec<&'static Endpoint> = match stage.pick([0, 1, 2]) {
        0 => vec![&api::KEYS, &api::KEY_NEW, &api::ROLES_NEW, &api::USER_NEW, &api::AUDIT],
        1 => vec![&api::KEYS, &api::AUDIT],
        _ => reads.iter().copied().cycle().take(1_200).collect(),
    };
    let mut records = Vec::with_capacity(plan.len());
    let times = stage.times(plan.len(), stage.pick([2.0, 30.0, 0.9]));
    for (endpoint, time_ns) in plan.iter().zip(times) {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(client.call_with(time_ns, endpoint, &focus, 200));
    }
    let days = (stage.start_ns - stage.span.start_ns) / NS_PER_D - 1;
    let story = format!("a service's key, silent for {days} days, makes {} calls", plan.len());
    stage.raid("dormant", client.caller.principal(), story, records)
}

/// Something answers that nobody knew of.
pub(super) fn inventory(stage: &mut Stage<'_>) -> Option<Raid> {
    let address = format!("192.0.2.{}", 20 + stage.rng.below(200));
    let program = "Mozilla/5.0 (compatible; explorer/0.1)".to_owned();
    let mut client = Client::nobody(stage.rng.bits(), address.clone(), program);
    // Each strength has its own: what one of them called is new no more when the next one comes.
    let calls: [&[&'static Endpoint]; 3] =
        [&[&api::OLD_KEYS, &api::DEBUG_DUMP], &[&api::OLD_USERS], &[&api::METRICS]];
    let (calls, host) = (stage.pick(calls), stage.pick(["dev7.shop.example", "", ""]));
    let mut records: Vec<Record> = Vec::new();
    for time_ns in stage.times(stage.pick([30, 12, 3]), stage.pick([1.0, 4.0, 20.0])) {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        let endpoint = calls[records.len() % calls.len()];
        let mut record = client.call_with(time_ns, endpoint, &focus, 200);
        if !host.is_empty() {
            record.host = host;
        }
        records.push(record);
    }
    let names: Vec<_> = calls.iter().map(|it| format!("{} {}", it.method, it.path)).collect();
    let story = format!("{} answers, though nobody ever called it", names.join(", "));
    let mut raid = stage.raid("inventory", &address, story, records)?;
    raid.attack.others = names;
    Some(raid)
}

/// One address uses the credentials of many.
pub(super) fn key_fanout(stage: &mut Stage<'_>) -> Option<Raid> {
    let (keys, gap_s) = stage.pick([(58, 0.8), (28, 20.0), (14, 90.0)]);
    // In a small company there are not so many to lose.
    let keys = keys.min(stage.cast.size() as u64 / 8);
    let address = format!("192.0.2.{}", 20 + stage.rng.below(200));
    let (mut records, mut victims) = (Vec::new(), Vec::new());
    let start = stage.rng.below(stage.cast.people.len() as u64) as usize;
    for (nth, time_ns) in stage.times(keys as usize, gap_s).into_iter().enumerate() {
        let place = (start + nth) % stage.cast.people.len().max(1);
        let person = stage.cast.people.get(place)?;
        let mut thief = person.client.stolen(&address, "python-requests/2.32", stage.rng.clone());
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(thief.call_with(time_ns, &api::ME, &focus, 200));
        records.push(thief.call_with(time_ns + NS_PER_S / 2, &api::NOTICES, &focus, 200));
        victims.push(thief.caller.principal().to_owned());
    }
    let minutes = gap_s * keys as f64 / (NS_PER_MIN / NS_PER_S) as f64;
    let story =
        format!("{address} uses the credentials of {keys} people within {minutes:.0} minutes");
    let mut raid = stage.raid("key_fanout", &address, story, records)?;
    raid.attack.others = victims;
    Some(raid)
}

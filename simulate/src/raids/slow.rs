//! Attacks that show in days, in everybody's answers, or in nothing alone.

use super::{Stage, is_settled};
use crate::attacks::Raid;
use crate::calendar::{NS_PER_D, NS_PER_H, NS_PER_MIN, ns};
use crate::change::{Change, What};
use crate::client::Client;
use crate::endpoints as api;
use crate::endpoints::Endpoint;
use crate::habits::Habits;
use crate::objects::{Focus, any_customer};
use crate::people::Person;
use crate::prng::Rng;
use crate::roles::Role;
use std::collections::VecDeque;
use std::sync::Arc;

/// A service's key takes a little more each day than the service needs.
pub(super) fn slow_drip(stage: &mut Stage<'_>) -> Option<Raid> {
    let service = stage.cast.any_service(&mut stage.rng, |it| {
        it.name.contains("-sync") && it.reads.iter().any(|it| it.path.contains('{'))
    })?;
    let habits = Habits::of(&service.actors);
    let endpoint = service.reads.iter().copied().find(|it| it.path.contains('{'))?;
    let mut client = Client { rng: Rng::new(stage.rng.bits(), 5), ..service.client.clone() };
    let share = stage.pick([1.0, 0.6, 0.4]);
    let per_day = ((habits.objects_per_day as f64 * share) as usize).clamp(20, 1_200);
    let days = (stage.span.end_ns - stage.start_ns) / NS_PER_D;
    let mut records = Vec::new();
    for day in 0..days {
        let start_ns = stage.start_ns + day * NS_PER_D;
        // All day long, so that no hour has much more.
        for time_ns in stage.times_from(start_ns, per_day, 23.0 * 3_600.0 / per_day as f64) {
            if time_ns >= stage.span.end_ns {
                break;
            }
            let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
            records.push(client.call_with(time_ns, endpoint, &focus, 200));
        }
    }
    let story = format!(
        "a service's key reads {per_day} more objects a day for {days} days; the service reads {}",
        habits.objects_per_day
    );
    stage.raid("slow_drip", client.caller.principal(), story, records)
}

/// A release makes an endpoint answer with more than it should, to everybody.
pub(super) fn exposure_change(stage: &mut Stage<'_>) -> Option<Raid> {
    let endpoint: &'static Endpoint = stage.pick([&api::CUSTOMER, &api::SHIPMENT, &api::ORDER]);
    let times = stage.pick([9.0, 4.0, 1.8]);
    let (from_ns, until_ns) = (stage.start_ns, stage.start_ns + 4 * NS_PER_H);
    let what = What::Grows(endpoint.method, endpoint.path, times);
    let name = format!("{} {}", endpoint.method, endpoint.path);
    // Somebody looks at the new release once; everybody else calls as always.
    let address = format!("192.0.2.{}", 20 + stage.rng.below(200));
    let mut client = Client::nobody(stage.rng.bits(), address, "deploy-check/1.0".to_owned());
    let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
    let first = client.call_with(from_ns, &api::HEALTH, &focus, 200);
    let last = client.call_with(until_ns - NS_PER_MIN, &api::HEALTH, &focus, 200);
    let story = format!("{name} answers with {times} times as many bytes, to everybody");
    let mut raid = stage.raid("exposure_change", &name, story, vec![first, last])?;
    raid.changes.push(Change { from_ns, until_ns, what });
    Some(raid)
}

/// A person's token begins to call like a clock.
pub(super) fn cadence(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage.cast.any_person(&mut stage.rng, |it| {
        !matches!(it.role, Role::Admin | Role::Shopper) && is_settled(it, span)
    })?;
    let mut client = victim.client.clone();
    let (every_s, hours) = stage.pick([(30, 22), (60, 14), (180, 8)]);
    let midnight_ns = stage.start_ns.div_euclid(NS_PER_D) * NS_PER_D;
    let start_ns = midnight_ns + NS_PER_H;
    let jitter_s = stage.pick([0.1, 0.5, 3.0]);
    let mut records = Vec::new();
    for nth in 0..hours * 3_600 / every_s {
        let late_ns = ns(jitter_s * stage.rng.unit());
        let time_ns = start_ns + nth * every_s * 1_000_000_000 + late_ns;
        if time_ns >= span.end_ns {
            break;
        }
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(client.call_with(time_ns, &api::NOTICES, &focus, 200));
    }
    let story = format!("a person's token makes a call each {every_s} s for {hours} hours");
    stage.raid("cadence", client.caller.principal(), story, records)
}

/// Everything of a service shifts a little.
pub(super) fn joint_outlier(stage: &mut Stage<'_>) -> Option<Raid> {
    let service = stage.cast.any_service(&mut stage.rng, |it| {
        it.name.contains("-cache") || it.name.contains("-relay")
    })?;
    let (program, reads) = (service.client.caller.user_agent.clone(), service.reads);
    let rng = Rng::new(stage.rng.bits(), 6);
    let stolen = service.client.stolen("10.20.77.9", &program, rng);
    let size = stage.pick([6.0, 3.0, 1.7]);
    let mut client = Client { size, ..stolen };
    let calls = stage.pick([600, 300, 150]);
    let (missing, wrong) = stage.pick([(0.25, 0.15), (0.12, 0.08), (0.06, 0.04)]);
    let mut records = Vec::with_capacity(calls);
    for time_ns in stage.times(calls, 3_000.0 / calls as f64) {
        let writes = stage.rng.chance(stage.pick([0.4, 0.25, 0.12]));
        let endpoint = if writes { &api::ORDER_PATCH } else { *stage.rng.pick(reads)? };
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        let status = match stage.rng.unit() {
            roll if roll < missing => 404,
            roll if roll < missing + wrong => 400,
            _ => 200,
        };
        records.push(client.call_with(time_ns, endpoint, &focus, status));
    }
    let story = format!(
        "a service has more errors, more writes, {size} times as large answers and a second address"
    );
    stage.raid("joint_outlier", client.caller.principal(), story, records)
}

/// Somebody else works with a person's token: the same address and program, other habits.
pub(super) fn not_itself(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let roles = [
        (Role::Warehouse, Role::Accounts),
        (Role::Merchandise, Role::Care),
        (Role::Care, Role::Sales),
    ];
    let (role, other) = stage.pick(roles);
    let (start_ns, length_ns) = (stage.start_ns, stage.pick([180, 90, 50]) * NS_PER_MIN);
    let victim =
        stage.cast.any_person(&mut stage.rng, |it| it.role == role && is_settled(it, span))?;
    let rng = Rng::new(stage.rng.bits(), 8);
    let client = Client::acting_as(Arc::clone(&victim.client.caller), rng);
    let principal = client.caller.principal().to_owned();
    let mut intruder =
        Person::working(client, other, 60, span).at_hours(start_ns, start_ns + length_ns);
    // Its owner is not at work meanwhile.
    victim.is_away((start_ns, start_ns + length_ns));
    let mut records = VecDeque::new();
    while intruder.plan(&mut records) {}
    let story = format!(
        "a {} worker's token does the work of {} for {} minutes",
        role.as_str(),
        other.as_str(),
        length_ns / NS_PER_MIN
    );
    stage.raid("not_itself", &principal, story, records.into())
}

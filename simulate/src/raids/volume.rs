//! Attacks that are too much of something: objects, bytes, calls, failures, refusals, writes.

use super::{Stage, habits_of, is_settled};
use crate::attacks::Raid;
use crate::calendar::NS_PER_MIN;
use crate::client::Client;
use crate::endpoints as api;
use crate::endpoints::REFUSED;
use crate::habits::Habits;
use crate::objects::{CUSTOMER_FIRST, CUSTOMERS, Focus, any_customer};
use crate::prng::Rng;
use crate::roles::Role;

/// A person's session reads one customer after the other.
pub(super) fn object_enumeration(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage.cast.any_person(&mut stage.rng, |it| {
        matches!(it.role, Role::Care | Role::Sales)
            && it.uses(&api::CUSTOMER)
            && is_settled(it, span)
    })?;
    let (mut client, habits) = (victim.client.clone(), habits_of(victim));
    let reads = stage.many(habits.objects_per_hour, [600, 150, 40]);
    let first = CUSTOMER_FIRST + stage.rng.below(CUSTOMERS / 2);
    let gap_s = stage.pick([0.1, 2.0, 12.0]);
    let mut records = Vec::with_capacity(reads);
    for (customer, time_ns) in (first..).zip(stage.times(reads, gap_s)) {
        let focus = Focus::on(customer, &mut stage.rng);
        let status = if stage.rng.chance(0.03) { 404 } else { 200 };
        records.push(client.call_with(time_ns, &api::CUSTOMER, &focus, status));
    }
    let story = format!(
        "a person's session reads {reads} customers in a row; its busiest ordinary hour has {} objects",
        habits.objects_per_hour
    );
    stage.raid("object_enumeration", client.caller.principal(), story, records)
}

/// A service's key takes much more than its service ever does, from the endpoints that it always reads.
pub(super) fn egress_spike(stage: &mut Stage<'_>) -> Option<Raid> {
    let service = stage.cast.any_service(&mut stage.rng, |it| !it.reads.is_empty())?;
    let habits = Habits::of(&service.actors);
    let largest = service.reads.iter().max_by_key(|it| it.bytes).copied()?;
    let (client, reads) = (service.client.clone(), 60);
    let bytes = stage.much(habits.bytes_per_hour, [40_000_000, 10_000_000, 4_000_000]);
    let size = bytes as f64 / f64::from(largest.bytes) / reads as f64;
    let mut client = Client { size, ..client };
    let mut records = Vec::with_capacity(reads);
    for (page, time_ns) in (1..).zip(stage.times(reads, stage.pick([0.8, 8.0, 30.0]))) {
        let focus = Focus { page, ..Focus::on(any_customer(&mut stage.rng), &mut stage.rng) };
        records.push(client.call_with(time_ns, largest, &focus, 200));
    }
    let story = format!(
        "a service's key takes {:.0} MB from {}; its busiest ordinary hour has {:.1} MB",
        bytes as f64 / 1e6,
        largest.path,
        habits.bytes_per_hour as f64 / 1e6
    );
    stage.raid("egress_spike", client.caller.principal(), story, records)
}

/// An address tries passwords; the louder ones get in somewhere.
pub(super) fn auth_failures(stage: &mut Stage<'_>) -> Option<Raid> {
    let address = format!("192.0.2.{}", 20 + stage.rng.below(200));
    let program = "okhttp/4.12.0";
    let mut guesser = Client::nobody(stage.rng.bits(), address.clone(), program.to_owned());
    let failures = stage.pick([1_500, 200, 40]);
    let mut records = Vec::with_capacity(failures);
    for time_ns in stage.times(failures, stage.pick([0.2, 2.0, 30.0])) {
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        records.push(guesser.call_with(time_ns, &api::TOKEN, &focus, 401));
    }
    let end_ns = records.last()?.time_ns;
    let mut entered = Vec::new();
    for nth in 1..=stage.pick([2, 1, 0]) {
        let rng = Rng::new(stage.rng.bits(), 0);
        let Some(victim) = stage.cast.any_person(&mut stage.rng, |_| true) else { break };
        let mut thief = victim.client.stolen(&address, program, rng);
        let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
        let time_ns = end_ns + nth * NS_PER_MIN / 4;
        records.push(thief.call_with(time_ns, &api::TOKEN, &focus, 200));
        records.push(thief.call_with(time_ns + NS_PER_MIN / 30, &api::ME, &focus, 200));
        entered.push(thief.caller.principal().to_owned());
    }
    let story = format!(
        "{address} fails {failures} times at POST /v1/token and gets in {} times; others mistype once in a while",
        entered.len()
    );
    let mut raid = stage.raid("auth_failures", &address, story, records)?;
    raid.attack.others = entered;
    Some(raid)
}

/// A person's session tries what it may do.
pub(super) fn denied_probing(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage
        .cast
        .any_person(&mut stage.rng, |it| it.role != Role::Admin && is_settled(it, span))?;
    let mut client = victim.client.clone();
    let tries = stage.pick([31, 18, 10]);
    let start = stage.rng.below(REFUSED.len() as u64) as usize;
    let focus = Focus::on(any_customer(&mut stage.rng), &mut stage.rng);
    let mut records = Vec::with_capacity(tries);
    for (nth, time_ns) in stage.times(tries, stage.pick([0.4, 11.0, 60.0])).into_iter().enumerate()
    {
        let endpoint = REFUSED[(start + nth) % REFUSED.len()];
        records.push(client.call_with(time_ns, endpoint, &focus, 403));
    }
    let story = format!(
        "a person's session is refused on {tries} different operations, one after the other"
    );
    stage.raid("denied_probing", client.caller.principal(), story, records)
}

/// A person's session calls faster than any hand, what it always calls.
pub(super) fn machine_speed(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage.cast.any_person(&mut stage.rng, |it| {
        !matches!(it.role, Role::Admin | Role::Shopper) && is_settled(it, span)
    })?;
    let habits = habits_of(victim);
    let (mut client, portfolio) = (victim.client.clone(), victim.portfolio.clone());
    let steps = victim.role.tasks().first().map_or(&[] as &[_], |task| task.steps);
    let per_min = stage.much(habits.calls_per_min, [300, 100, 40]);
    let calls = per_min as usize * 3;
    let mut records = Vec::with_capacity(calls);
    for time_ns in stage.times(calls, 60.0 / per_min as f64) {
        let focus = portfolio.focus(&mut stage.rng);
        let endpoint = stage.rng.pick(steps).copied().unwrap_or(&api::ME);
        records.push(client.call_with(time_ns, endpoint, &focus, 200));
    }
    let story = format!(
        "a person's session makes {per_min} calls a minute for three minutes; its busiest ordinary minute has {}",
        habits.calls_per_min
    );
    stage.raid("machine_speed", client.caller.principal(), story, records)
}

/// Somebody who changes products deletes them, one after the other.
pub(super) fn write_burst(stage: &mut Stage<'_>) -> Option<Raid> {
    let span = stage.span;
    let victim = stage.cast.any_person(&mut stage.rng, |it| {
        matches!(it.role, Role::Merchandise | Role::Warehouse | Role::Care) && is_settled(it, span)
    })?;
    let (mut client, habits) = (victim.client.clone(), habits_of(victim));
    let endpoint = match victim.role {
        Role::Merchandise => &api::PRODUCT_END,
        Role::Warehouse => &api::SHIPMENT_PATCH,
        _ => &api::ORDER_END,
    };
    let writes = stage.many(habits.writes_per_hour, [300, 80, 30]);
    let first = CUSTOMER_FIRST + stage.rng.below(CUSTOMERS / 2);
    let mut records = Vec::with_capacity(writes);
    for (nth, time_ns) in (0..).zip(stage.times(writes, stage.pick([0.2, 2.0, 15.0]))) {
        let focus = Focus::on(first + nth, &mut stage.rng);
        records.push(client.call_with(
            time_ns,
            endpoint,
            &Focus { product: 100 + nth, ..focus },
            200,
        ));
    }
    let story = format!(
        "a person's session makes {writes} calls of {} {}; its busiest ordinary hour changes {}",
        endpoint.method, endpoint.path, habits.writes_per_hour
    );
    stage.raid("write_burst", client.caller.principal(), story, records)
}

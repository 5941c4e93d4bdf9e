//! What is counted beyond the budget, and who made room, survives an interruption.

use super::stream::{at, call_of, endpoints, mixed};
use crate::{Engine, Extent, Item, Plan, Router, Settings, StatePart, Tally};
use model::limit::PARTITIONS;
use model::{EventBatch, Text};

/// Hours of the flood; whoever comes back does so in the last of them.
const HOURS: u64 = 16;
const BACK_FROM_H: u64 = 10;
/// Identities of a third of an hour that come once, and those that come again and again.
const ONCE: u64 = 200;
const BACK: u64 = 6;

fn plan() -> Plan {
    Settings { state_bytes_max: 1 << 20, ..Settings::default() }.check().unwrap()
}

/// A third of an hour.
fn events(hour: u64, third: u64) -> EventBatch {
    let mut batch = EventBatch::default();
    let from_ms = third * 1_200_000;
    for number in 0..ONCE {
        let who = 1_000 + (hour * 3 + third) * ONCE + number;
        let endpoint = (mixed(who) % 8) as u32;
        call_of(&mut batch, at(hour, from_ms + number * 5_000), who, endpoint, who, (200, 900));
    }
    for call in (0..BACK * 5).filter(|_| hour >= BACK_FROM_H) {
        call_of(
            &mut batch,
            at(hour, from_ms + 10_000 + call * 30_000),
            call % BACK,
            3,
            1,
            (200, 900),
        );
    }
    batch.events.sort_by_key(|event| event.time);
    batch
}

/// The engine as it is read back: of the whole state the first time, and then of that and all changes.
fn read_back(
    engine: &mut Engine,
    whole: &mut Vec<Vec<u8>>,
    changes: &mut Vec<Vec<Vec<u8>>>,
) -> Engine {
    let extent = if whole.is_empty() { Extent::Whole } else { Extent::Changes };
    let parts = engine.parts(extent).into_iter().map(StatePart::write);
    let parts: Vec<Vec<u8>> = parts.collect::<Result<_, _>>().unwrap();
    match extent {
        Extent::Whole => *whole = parts,
        Extent::Changes => changes.push(parts),
    }
    engine.settle();
    let again = Engine::restore(plan(), whole.as_slice(), changes.as_slice()).unwrap();
    assert!(again.export().unwrap() == engine.export().unwrap(), "after {}", changes.len());
    again
}

/// The state, the findings and the counts at the end; the engine is written and read back in between.
fn drive(is_interrupted: &dyn Fn(u64) -> bool) -> (Vec<u8>, Vec<String>, Tally) {
    let endpoints = endpoints();
    let mut engine = Engine::new(plan());
    let (mut whole, mut changes, mut said) = (Vec::new(), Vec::new(), Vec::new());
    for hour in 0..HOURS {
        engine.open(at(hour, 0));
        for third in 0..3 {
            let batch = events(hour, third);
            engine.tick(batch.events[0].time, &endpoints);
            let mut items: Vec<Vec<Item<'_>>> = vec![Vec::new(); PARTITIONS];
            for event in &batch.events {
                items[event.partition()].push(Item::Call(&batch, event));
            }
            let closes = third == 2;
            engine.tasks(&endpoints, &items, closes).into_iter().for_each(crate::Task::run);
            if is_interrupted(hour * 3 + third) {
                engine = read_back(&mut engine, &mut whole, &mut changes);
            }
            if closes {
                let output = engine.exchange(&endpoints, hour + 1 == HOURS).unwrap();
                said.extend(output.findings.iter().map(|it| format!("{it:?}")));
            }
        }
    }
    (engine.export().unwrap(), said, engine.tally())
}

#[test]
fn a_flood_that_is_interrupted_is_counted_as_one_that_is_not() {
    let through = drive(&|_| false);
    let tally = through.2;
    assert!(tally.overflowed_calls > 2_000, "{tally:?}");
    assert!((1..=BACK).contains(&tally.evicted_identities), "{tally:?}");
    assert!(through.1.iter().any(|it| it.contains("IdentityExplosion")), "{:?}", through.1);
    for every in [1, 4] {
        let broken = drive(&|step| step % every == 0);
        assert_eq!((&broken.1, broken.2), (&through.1, tally));
        assert!(broken.0 == through.0, "the states differ");
    }
}

#[test]
fn agents_beyond_the_budget_are_part_of_what_changed() {
    const AGENTS: u64 = 60;
    let endpoints = endpoints();
    let mut engine = Engine::new(plan());
    engine.open(at(0, 0));
    let (mut whole, mut changes) = (Vec::new(), Vec::new());
    for part in 0..12 {
        let mut batch = EventBatch::default();
        for agent in part * AGENTS..(part + 1) * AGENTS {
            call_of(&mut batch, at(0, agent * 1_000), 1, 3, 1, (200, 900));
            let mut event = batch.events.pop().unwrap();
            batch.set_text(&mut event, Text::AgentId, &format!("agent-{agent}"));
            batch.events.push(event);
        }
        let mut items: Vec<Vec<Item<'_>>> = vec![Vec::new(); PARTITIONS];
        for event in &batch.events {
            let note = Router::actor(&batch, event).unwrap();
            items[note.partition].push(note.item(&batch, event));
        }
        engine.tasks(&endpoints, &items, false).into_iter().for_each(crate::Task::run);
        engine = read_back(&mut engine, &mut whole, &mut changes);
    }
    assert!(engine.tally().overflowed_calls > 0, "{:?}", engine.tally());
}

//! Detection that is interrupted gives what it would have given, and damage gives errors.

mod chain;
mod flood;
mod forgetting;
mod stream;

use super::*;
use crate::{Engine, Router};
use stream::{Left, Run, events, mixed, plan};

fn run(batch: &model::EventBatch, part: usize, is_interrupted: &dyn Fn(usize) -> bool) -> Left {
    let mut run = Run::new(batch, is_interrupted);
    run.through(part);
    run.finish()
}

fn check_same(through: &Left, broken: &Left) {
    assert_eq!(through.steps, broken.steps);
    for (ours, theirs) in broken.findings.iter().zip(&through.findings) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(broken.findings.len(), through.findings.len());
    assert!(broken.rows == through.rows, "rows differ");
    assert!(broken.state == through.state, "the states at the end differ");
}

#[test]
fn the_stream_has_all_that_a_state_may_hold() {
    let batch = events(30);
    let mut run = Run::new(&batch, &|_| false);
    run.through(211);
    let last = format!("{:?}", run.engine);
    assert!(last.contains("by_group: [Some("), "a group has a joint law of its own");
    let left = run.finish();
    for detector in
        ["ObjectEnumeration", "EgressSpike", "AuthFailures", "FirstSeenEndpoint", "NotItself"]
    {
        let of = |it: &&String| it.contains(&format!("detector: Detector({detector}),"));
        let revisions = left.findings.iter().filter(of).count();
        assert!(revisions > 0, "{detector} has found nothing");
    }
    let model = left.findings.iter().find(|it| it.contains("model_version: \"linfa-0.8/2\""));
    assert!(model.is_some(), "the models were fitted after twelve hours and at midnight");
}

#[test]
fn an_interruption_at_every_step_changes_nothing() {
    let batch = events(30);
    let through = run(&batch, 211, &|_| false);
    check_same(&through, &run(&batch, 211, &|_| true));
    // Imports that follow one another might hide what only a longer way shows.
    check_same(&through, &run(&batch, 211, &|step| step % 7 == 3));
}

#[test]
fn an_interruption_at_any_one_step_changes_nothing() {
    let batch = events(30);
    let through = run(&batch, 997, &|_| false);
    for choice in 0..10 {
        let at = mixed(choice) as usize % through.steps;
        check_same(&through, &run(&batch, 997, &|step| step == at));
    }
}

#[test]
fn interruptions_between_the_calls_of_an_attack_change_nothing() {
    let mut batch = events(28);
    // From shortly before the address guesses until after it succeeds.
    let from = batch.events.partition_point(|event| event.time < stream::at(27, 890_000));
    let until = batch.events.partition_point(|event| event.time < stream::at(27, 1_310_000));
    let late = batch.events.len() - from;
    batch.events.truncate(until + 20);
    // Three steps a part, and some hours' starts.
    let step_of = |event: usize| 3 * event;
    assert!(late > 300, "the attack is in it");
    let through = run(&batch, 1, &|_| false);
    let broken = run(&batch, 1, &|step| step >= step_of(from) && step % 5 == 0);
    check_same(&through, &broken);
}

#[test]
fn the_same_state_is_the_same_bytes() {
    let batch = events(3);
    let mut run = Run::new(&batch, &|_| false);
    run.through(500);
    let bytes = run.engine.export().unwrap();
    assert_eq!(run.engine.export().unwrap(), bytes);
    assert_eq!(Engine::import(plan(), &bytes).unwrap().export().unwrap(), bytes);
    let empty = Engine::new(plan()).export().unwrap();
    assert_eq!(Engine::import(plan(), &empty).unwrap().export().unwrap(), empty);
}

#[test]
fn damage_is_an_error_and_no_panic() {
    let batch = events(2);
    let mut run = Run::new(&batch, &|_| false);
    run.through(300);
    let bytes = run.engine.export().unwrap();
    for len in (0..bytes.len()).step_by(61).chain([bytes.len() - 1]) {
        let error = Engine::import(plan(), &bytes[..len]).unwrap_err();
        assert!(!matches!(error, SnapshotError::Version { .. }), "{error}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(Engine::import(plan(), &longer), Err(SnapshotError::Corrupt { .. })));
    for choice in 0..1_200 {
        let bit = mixed(choice) as usize % (bytes.len() * 8);
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        // What is within its bounds is taken; that the bytes are the ones written, their keeper sees to.
        if let Ok(engine) = Engine::import(plan(), &flipped) {
            assert!(engine.export().is_ok());
        }
    }
}

#[test]
fn a_length_that_the_bytes_do_not_bear_out_is_refused() {
    let header = Engine::new(plan()).export().unwrap()[..HEADER_BYTES].to_vec();
    for filler in [0xff, 0x7f, 0xfe, 0x01] {
        for len in [16, 200, 5_000] {
            let made_up = [header.clone(), vec![filler; len]].concat();
            assert!(Engine::import(plan(), &made_up).is_err(), "{len} bytes {filler:#x}");
        }
    }
}

#[test]
fn another_version_says_so_with_the_cure() {
    let mut bytes = Engine::new(plan()).export().unwrap();
    bytes[HEADER_BYTES - 2] += 1;
    let error = Engine::import(plan(), &bytes).unwrap_err();
    assert_eq!(error, SnapshotError::Version { what: "engine", found: STATE_VERSION + 1 });
    let said = error.to_string();
    for part in [
        &format!("version {}", STATE_VERSION + 1),
        &format!("reads version {STATE_VERSION}"),
        "start cold",
        "run the version",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_snapshot_of_something_else_is_refused() {
    let router = Router::default().export().unwrap();
    let error = Engine::import(plan(), &router).unwrap_err();
    assert_eq!(error, SnapshotError::Foreign { what: "engine" });
    assert_eq!(Router::import(&[]).unwrap_err(), SnapshotError::Foreign { what: "router" });
}

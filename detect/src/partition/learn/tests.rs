//! What an hour leaves behind that was told as a part of what comes together: the next hour knows of it.

use super::*;
use crate::detectors::{Law, Reading};
use crate::engine::bare;
use crate::open_window::{Crossed, Raised};
use crate::population::Population;
use model::time::NS_PER_D;
use model::{EndpointId, Event, EventBatch, FindingId, Int, PrincipalType, Text, Time};

const HOUR: Time = Time::from_ns(20_000 * NS_PER_D);

fn identity() -> Identity {
    let mut identity = Identity::new("it", 1, PrincipalType::Service, HOUR);
    identity.learned = 50;
    identity
}

/// An hour of which a coincidence with this part was raised, if any was.
fn hour(part: Option<Detector>) -> OpenWindow {
    let mut open = OpenWindow::new();
    (open.start, open.last, open.calls) = (HOUR, HOUR, 40);
    let end = open.end();
    open.coincident.extend(part.map(|detector| Reading {
        detector,
        entity: None,
        start: HOUR,
        end,
        observed: 4.0,
        expected: 1.0,
        surprise: 3.0,
        law: Law::Bound(2.0),
    }));
    open.raised.extend(part.map(|_| Raised {
        detector: Detector::Coincidence,
        entity: None,
        new_tool: None,
        id: FindingId([0; 16]),
        detected_at: HOUR,
        evidence: Vec::new(),
        surprise: 5.0,
        magnitude: 1.0,
        is_silent: false,
        notes: 0,
    }));
    open
}

#[test]
fn an_hour_that_looks_like_somebody_elses_is_not_carried_on_once_it_was_a_part() {
    let carried = |part| {
        let (mut identity, mut open) = (identity(), hour(part));
        open.log_ratio = 80.0;
        not_itself::note(&mut identity, &open);
        identity.estranged.before(HOUR.hour_number() + 1).1
    };
    assert_eq!(carried(None), 1);
    assert_eq!(carried(Some(Detector::NewNetwork)), 1, "it was no part");
    assert_eq!(carried(Some(Detector::NotItself)), 0);
}

#[test]
fn an_awakening_is_a_part_once_and_may_still_be_told_by_itself() {
    let left = |part| {
        let (mut identity, open) = (identity(), hour(part));
        dormant::learn(&mut Contribution::default(), &mut identity, &open, false);
        (dormant::may_be_part(&identity), identity.silence.is_said)
    };
    assert_eq!(left(Some(Detector::NewNetwork)), (true, false));
    assert_eq!(left(Some(Detector::Dormant)), (false, false));
    let mut identity = identity();
    dormant::learn(
        &mut Contribution::default(),
        &mut identity,
        &hour(Some(Detector::Dormant)),
        false,
    );
    let hour = HOUR.hour_number();
    identity.silence.wake((hour, hour + 900), 900);
    assert!(dormant::may_be_part(&identity), "the next awakening is another");
}

#[test]
fn others_objects_that_were_a_part_are_not_said_again_by_the_days() {
    let is_said = |part, count| {
        let (mut identity, mut open) = (identity(), hour(part));
        open.foreign = 4;
        bare::within((HOUR, 900), &Population::default(), |context| {
            learn_foreign(context, &mut identity, &open);
        });
        identity.foreign.is_some_and(|it| it.is_said(HOUR.day_number() + 1, count))
    };
    assert!(!is_said(Some(Detector::EgressSpike), 4.0));
    assert!(is_said(Some(Detector::ForeignObject), 4.0));
    assert!(!is_said(Some(Detector::ForeignObject), 5.0), "they have grown by a quarter");
}

#[test]
fn a_size_of_a_tools_requests_that_was_a_part_is_told_again_once_it_is_farther_off() {
    let said = |part| {
        let (mut identity, mut open) = (identity(), hour(part));
        let mut batch = EventBatch::default();
        let mut event = Event::at(HOUR);
        batch.set_text(&mut event, Text::ToolName, "search");
        event.set_int(Int::HttpRequestBodySize, 4_000);
        let at = (EndpointId(0), HOUR);
        tools::add(&identity, &mut open, (&batch, &event), at, &mut Crossed::default());
        tools::learn(&mut Contribution::default(), &mut identity, &open, false);
        let known = identity.tools.unwrap();
        f64::from(known.known()[0].said)
    };
    assert!(said(Some(Detector::NewNetwork)) < 1e-9);
    assert!((said(Some(Detector::ToolDrift)) - 4_001_f64.ln()).abs() < 1e-5);
}

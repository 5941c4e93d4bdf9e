//! What belongs together, and what it weighs.

use super::*;
use model::time::NS_PER_S;
use model::{Evidence, Links};

fn at(minute: i64) -> Time {
    Time::from_ns(1_772_359_200 * NS_PER_S + minute * NS_PER_MIN)
}

/// A finding of somebody, seen with a credential (0 for none).
pub(crate) fn found(number: u8, who: &str, minute: i64, credential: u64) -> Finding {
    let evidence = Evidence {
        request: "GET /a".into(),
        status: Some(200),
        links: Links([0, credential, 0, 0, 0]),
        ..Evidence::at(at(minute))
    };
    Finding {
        id: FindingId([number; 16]),
        revision: 1,
        is_first: true,
        tenant_id: "default".into(),
        principal_id: Some(who.to_owned()),
        principal_type: None,
        principal_source: None,
        entity: String::new(),
        detector: Detector::EgressSpike.into(),
        detector_version: 1,
        window_start: at(0),
        window_end: at(60),
        detected_at: at(minute),
        severity: Severity::High,
        risk_score: 50.0,
        score: 1e5,
        surprise: 9.0,
        observed: 1.0,
        expected: 1.0,
        upper: 1.0,
        unit: "bytes",
        history_days: 1.0,
        history_n: 1,
        peers_n: 1,
        sentence: String::new(),
        counterfactual: String::new(),
        contributors: Vec::new(),
        evidence: vec![evidence],
        evidence_sql: String::new(),
        owasp: &[],
        attack: &[],
        baseline_state: "active",
        model_version: String::new(),
        incident_id: None,
        config_hash: String::new(),
    }
}

/// Raises findings of one minute; their incidents.
fn raise(incidents: &mut Incidents, all: Vec<Finding>) -> Vec<FindingId> {
    let mut ids = Vec::new();
    for mut finding in all {
        incidents.assign(&mut finding);
        ids.extend(finding.incident_id);
    }
    incidents.fold();
    ids
}

#[test]
fn findings_of_one_identity_within_six_hours_are_one_incident() {
    let mut incidents = Incidents::new();
    let first = raise(&mut incidents, vec![found(1, "a", 0, 0), found(2, "b", 0, 0)]);
    assert_ne!(first[0], first[1]);
    let later = raise(&mut incidents, vec![found(3, "a", 300, 0)]);
    assert_eq!(later[0], first[0]);
    // Six hours after the last one, not after the first.
    let latest = raise(&mut incidents, vec![found(4, "a", 600, 0), found(5, "b", 600, 0)]);
    assert_eq!(latest[0], first[0]);
    assert_ne!(latest[1], first[1]);
    assert_eq!(incidents.open[&first[0]].findings(), 3);
    assert!(incidents.has_open("default", "a", at(960)));
    assert!(!incidents.has_open("default", "a", at(961)));
    assert!(!incidents.has_open("other", "a", at(600)));
}

#[test]
fn a_shared_credential_makes_one_of_two_and_the_older_stays() {
    let mut incidents = Incidents::new();
    let a = raise(&mut incidents, vec![found(1, "a", 0, 0)])[0];
    let b = raise(&mut incidents, vec![found(2, "b", 10, 7)])[0];
    assert_ne!(a, b);
    let joined = raise(&mut incidents, vec![found(3, "a", 20, 7)]);
    assert_eq!(joined, [a], "the oldest of those that it may belong to");
    assert_eq!(incidents.open.keys().collect::<Vec<_>>(), [&a]);
    let incident = &incidents.open[&a];
    assert_eq!((incident.findings(), incident.identities()), (3, 2));
    assert_eq!(incident.connected().collect::<Vec<_>>(), ["identity", "credential"]);
    assert_eq!(raise(&mut incidents, vec![found(4, "b", 30, 0)]), [a]);
    let rows = incidents.rows().unwrap().unwrap();
    assert_eq!(rows.num_rows(), 5, "two begun, one merged, and the other twice more");
}

#[test]
fn how_a_minute_is_cut_changes_nothing() {
    let all = || vec![found(3, "c", 5, 9), found(1, "a", 5, 9), found(2, "b", 5, 0)];
    let (mut one, mut other) = (Incidents::new(), Incidents::new());
    let ids = raise(&mut one, all());
    let mut back = all();
    back.reverse();
    let mut again = raise(&mut other, back);
    again.reverse();
    assert_eq!(ids, again);
    assert_eq!(one.rows().unwrap(), other.rows().unwrap());
}

#[test]
fn an_incident_ends_and_what_it_shared_connects_no_more() {
    let mut incidents = Incidents::new();
    raise(&mut incidents, vec![found(1, "a", 0, 7)]);
    incidents.rows().unwrap();
    incidents.close(at(360));
    assert!(incidents.rows().unwrap().is_none());
    incidents.close(at(361));
    assert_eq!(incidents.rows().unwrap().map(|rows| rows.num_rows()), Some(1));
    assert!(incidents.open.is_empty() && incidents.links.is_empty());
}

#[test]
fn a_flood_of_identities_is_bounded_and_counted() {
    let mut incidents = Incidents::new();
    let all = (0..OPEN_MAX + 10).map(|index| found(1, &format!("u{index}"), 0, 0)).collect();
    raise(&mut incidents, all);
    assert_eq!((incidents.open.len(), incidents.missed()), (OPEN_MAX, 10));
}

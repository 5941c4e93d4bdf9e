//! Incidents and risk: each says what its findings say, and connects what shares something.

use crate::habitus::{Place, count, root, text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The incident that a finding's own goes on in, if that was merged.
fn resolved<'a>(incidents: &'a BTreeMap<String, Value>, id: &'a str) -> &'a str {
    let mut id = id;
    while let Some(into) = incidents.get(id).and_then(|it| it["merged_into"].as_str()) {
        id = into;
    }
    id
}

#[test]
fn incidents_hold_what_their_findings_say() {
    let place = Place::new();
    let said = place.run(&["demo", "--output", "json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let query = |sql: &str| place.run(&["query", sql, "--output", "ndjson"]).rows();
    let findings = query("SELECT * FROM findings_current");
    let incidents: BTreeMap<_, _> = query("SELECT * FROM incidents_current")
        .into_iter()
        .map(|it| (text(&it, "incident_id").to_owned(), it))
        .collect();
    assert!(findings.len() >= 10 && incidents.len() >= 5);
    let mut of: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for finding in &findings {
        of.entry(resolved(&incidents, text(finding, "incident_id"))).or_default().push(finding);
    }
    for (id, incident) in &incidents {
        if text(incident, "status") == "merged" {
            continue;
        }
        let mine = of.get(id.as_str()).unwrap_or_else(|| panic!("{incident} has no findings"));
        assert_eq!(count(incident, "findings"), mine.len() as u64, "{incident}");
        let distinct = |column: &str| {
            let all = mine.iter().filter_map(|it| it[column].as_str());
            all.collect::<BTreeSet<_>>()
        };
        assert_eq!(count(incident, "identities"), distinct("principal_id").len() as u64);
        let detectors: BTreeSet<_> = text(incident, "detectors").split(", ").collect();
        assert_eq!(detectors, distinct("detector"));
        let times = distinct("detected_at");
        // An earlier revision may have been raised by another event.
        assert!(incident["first_detected_at"].as_str() <= times.first().copied(), "{incident}");
        let connected = text(incident, "connected_by");
        assert_eq!(connected.is_empty(), mine.len() == 1, "{incident}");
        assert!(incident["last_detected_at"].as_str() >= times.last().copied());
        let scores = mine.iter().filter_map(|it| it["score"].as_f64());
        assert!(incident["score"].as_f64() >= scores.reduce(f64::max), "{incident}");
    }
    let listed = place.run(&["incidents", "--output", "ndjson"]).rows();
    let open = incidents.values().filter(|it| text(it, "status") != "merged");
    assert_eq!(listed.len(), open.count());
    for it in &listed {
        let mine = &of[text(it, "incident_id")];
        let who: BTreeSet<_> = mine.iter().filter_map(|it| it["principal_id"].as_str()).collect();
        let named: BTreeSet<_> =
            text(it, "principals").split(", ").filter(|it| !it.is_empty()).collect();
        assert_eq!(named, who, "{it}");
    }
}

#[test]
fn the_risk_of_an_identity_is_that_of_its_findings() {
    let place = Place::new();
    let file = root().join("tests/corpus/object_enumeration/attack/scattered_invoices.ndjson.gz");
    place.replay(&[file.to_str().unwrap()], &[]);
    let query = |sql: &str| place.run(&["query", sql, "--output", "ndjson"]).rows();
    let sql = "SELECT principal_id, risk, risk_findings FROM identities WHERE risk > 0";
    let risky = query(sql);
    assert!(!risky.is_empty());
    let last = "(SELECT date_trunc('minute', max(last_seen)) FROM identities)";
    for identity in &risky {
        let who = text(identity, "principal_id");
        // The heaviest revision of each finding counts, and the half-life runs from when it was found.
        let weights = query(&format!(
            "SELECT max(risk_score) * power(2.0, -(CAST({last} AS BIGINT) - \
             CAST(min(detected_at) AS BIGINT)) / 604800000000.0) AS weight \
             FROM findings WHERE principal_id = '{who}' GROUP BY finding_id ORDER BY weight DESC"
        ));
        let weights = weights
            .iter()
            .zip(1..)
            .map(|(it, place)| it["weight"].as_f64().unwrap() / f64::from(place).powf(1.5));
        let expected: f64 = weights.sum();
        let risk = identity["risk"].as_f64().unwrap();
        assert!((risk - expected).abs() < 0.02 * expected, "{who}: {risk}, not {expected}");
        assert!(text(identity, "risk_findings").contains('%'));
    }
}

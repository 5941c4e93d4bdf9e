//! The mapping: one real finding of each detector as it leaves, and hostile texts.

use super::*;
use crate::inputs::{Inputs, Reading};
use crate::keeper::Keeper;
use crate::pipeline::Pipeline;
use crate::progress::Progress;
use ingest::endpoint::Templates;
use model::{Contributor, Detector, FindingId, Links, Position};
use std::path::{Path, PathBuf};
use store::{RunId, Store};

/// Bytes of a whole event, whatever its texts hold: half of what a broker takes by default.
const EVENT_BYTES_MAX: usize = 512 * 1024;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The attacks of a detector's corpus, in the order of their names.
fn corpus(detector: Detector) -> Vec<PathBuf> {
    let dir = root().join("tests/corpus").join(detector.as_str()).join("attack");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    files
}

/// All that is found in a log, every revision in its order.
fn found(log: &Path) -> Vec<Finding> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = runtime.block_on(Store::create(dir.path(), None, [7; 32])).unwrap();
    let parser = ingest::parse::Settings::default().check([7; 32]).unwrap();
    let inputs = ingest::source::discover(&[log.to_str().unwrap()]).unwrap().inputs;
    let mut inputs = Inputs::open(inputs, &Reading { parser: &parser, declared: None });
    let names = inputs.names().iter().map(|it| it.replace(root().to_str().unwrap(), "ROOT"));
    let names = names.collect();
    let writer = store.writer(&RunId::new("test").unwrap());
    let mut keeper = Keeper::new(writer, runtime.handle().clone(), 1, names);
    let pipeline = Pipeline {
        reading: Reading { parser: &parser, declared: None },
        templates: Templates::new(ingest::endpoint::Settings::default()),
        lateness_ns: Some(30 * NS_PER_S),
        threads: 1,
    };
    let plan = detect::Settings::default().check().unwrap();
    let progress = Progress::over(None, "");
    pipeline.detect(&mut inputs, detect::Engine::new(plan), &mut keeper, &progress).unwrap();
    keeper.seen
}

/// Compares an event with `tests/snapshots/ocsf`, or writes it.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "tests are configured by the environment")]
fn check(name: &str, finding: &Finding) {
    let value: Value = serde_json::from_str(&Event::of(finding).body).unwrap();
    let said = serde_json::to_string_pretty(&value).unwrap() + "\n";
    let path = root().join("tests/snapshots/ocsf").join(format!("{name}.json"));
    if std::env::var("HABITUS_UPDATE_SNAPSHOTS").is_ok_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, said).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == said,
        "{name} has changed; if that is right, run again with HABITUS_UPDATE_SNAPSHOTS=1\n{said}"
    );
}

#[test]
fn outlets_write_a_finding_of_every_detector() {
    for detector in Detector::ALL {
        let findings = corpus(*detector)
            .iter()
            .map(|log| found(log))
            .find(|findings| findings.iter().any(|it| it.detector == (*detector).into()));
        let findings = findings.unwrap_or_else(|| panic!("no log has {detector}"));
        let first = findings.iter().find(|it| it.detector == (*detector).into()).unwrap();
        check(detector.as_str(), first);
        // A finding is created once, and every later revision updates it.
        let mut created = BTreeSet::new();
        for it in &findings {
            assert_eq!(created.insert(it.id), it.is_first, "{} {}", it.id, it.revision);
        }
        for id in first.attack {
            assert!(catalogue::technique(id).is_some(), "{id} has no name");
        }
    }
}

fn hostile(text: &str) -> Finding {
    let start = Time::from_ns(1_772_359_200_000_000_000);
    let evidence = Evidence {
        time: start.plus(5 * NS_PER_S),
        request: format!("GET /{text}"),
        status: Some(200),
        bytes_out: None,
        client_address: Some(text.to_owned()),
        agent: Some(text.to_owned()),
        links: Links::default(),
        position: Position { source: 0, line: 3 },
        input: Some(text.to_owned()),
    };
    let contributor = Contributor { name: text.to_owned(), observed: 3.0, share: 1.0 };
    Finding {
        id: FindingId([1; 16]),
        revision: 12,
        is_first: false,
        tenant_id: text.to_owned(),
        principal_id: Some(text.to_owned()),
        principal_type: Some(PrincipalType::Client),
        principal_source: Some("oauth.client"),
        entity: format!("GET /{text}"),
        detector: Detector::EgressSpike.into(),
        detector_version: 1,
        window_start: start,
        window_end: start.plus(3_600 * NS_PER_S),
        detected_at: start.plus(NS_PER_S),
        severity: Severity::Critical,
        risk_score: 42.5,
        score: 1e9,
        surprise: 12.0,
        observed: 1.0 / 3.0,
        expected: 0.0,
        upper: f64::INFINITY,
        unit: "bytes",
        history_days: 1.0,
        history_n: 2,
        peers_n: 3,
        sentence: text.to_owned(),
        counterfactual: text.to_owned(),
        contributors: vec![contributor; 9],
        evidence: vec![evidence; 9],
        evidence_sql: text.to_owned(),
        owasp: &["API4:2023"],
        attack: &["T1110.001", "AML.T0086"],
        baseline_state: "active",
        model_version: text.to_owned(),
        incident_id: Some(FindingId([2; 16])),
        config_hash: text.to_owned(),
    }
}

#[test]
fn outlets_tell_an_agent_and_an_update() {
    let mut finding = hostile("agent-7");
    for evidence in &mut finding.evidence {
        evidence.client_address = Some("2001:db8::7".to_owned());
    }
    check("agent", &finding);
}

#[test]
fn outlets_bound_every_text() {
    // Six bytes each in JSON.
    let text = "\u{1}\n\"".repeat(100_000);
    let event = Event::of(&hostile(&text));
    assert!(event.body.len() < EVENT_BYTES_MAX, "{}", event.body.len());
    assert!(!event.body.contains('\n'));
    let value: Value = serde_json::from_str(&event.body).unwrap();
    assert_eq!(value["metadata"]["is_truncated"], true);
    assert_eq!(value["evidences"].as_array().unwrap().len(), Finding::EVIDENCE_MAX);
    assert_eq!(value["metadata"]["uid"], format!("{}_12", event.id));
    assert_eq!(value["unmapped"]["upper"], Value::Null, "JSON has no infinity");
    let short = Event::of(&hostile("x"));
    let value: Value = serde_json::from_str(&short.body).unwrap();
    assert_eq!(value["metadata"].get("is_truncated"), None);
}

#[test]
fn outlets_give_one_payload_to_one_revision() {
    assert_eq!(Event::of(&hostile("x")), Event::of(&hostile("x")));
}

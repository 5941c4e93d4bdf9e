//! The deny feed: whom it names, how it is told over HTTP and to a compacted topic of the real broker.

use crate::habitus::{Place, Said};
use crate::operation::service::{Service, configure, until};
use crate::services::{self, Kafka, Record};
use model::{Detector, Evidence, Finding, FindingId, PrincipalType, Severity, Time};
use rdkafka::message::Message as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use store::{RunId, Store};

/// Nanoseconds in a second.
const NS_PER_S: i64 = 1_000_000_000;

#[expect(clippy::disallowed_methods, reason = "the feed lives by the clock on the wall")]
fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time::from_ns(i64::try_from(since.as_nanos()).unwrap())
}

/// A critical finding, so many seconds ago.
fn finding(number: u8, who: &str, kind: PrincipalType, seconds_ago: i64) -> Finding {
    let at = now().plus(-seconds_ago * NS_PER_S);
    Finding {
        id: FindingId([number; 16]),
        revision: 1,
        is_first: true,
        tenant_id: "default".into(),
        principal_id: Some(who.into()),
        principal_type: Some(kind),
        principal_source: Some("kong.consumer.id"),
        entity: String::new(),
        detector: Detector::EgressSpike.into(),
        detector_version: 1,
        window_start: at,
        window_end: at.plus(3_600 * NS_PER_S),
        detected_at: at,
        risk_score: 90.0,
        severity: Severity::Critical,
        score: 1e6,
        surprise: 9.5,
        observed: 812.0,
        expected: 6.0,
        upper: 31.0,
        unit: "objects",
        history_days: 61.0,
        history_n: 9_000,
        peers_n: 37,
        sentence: format!("{who} took \"too\" much"),
        counterfactual: String::new(),
        contributors: Vec::new(),
        evidence: Vec::new(),
        evidence_sql: "SELECT 1".into(),
        owasp: &[],
        attack: &[],
        baseline_state: "active",
        model_version: String::new(),
        incident_id: None,
        config_hash: "c0ffee".into(),
    }
}

/// A place whose store has these findings.
async fn filled(findings: &[Finding]) -> Place {
    let place = Place::new();
    let store = Store::create(&place.path("store"), None, [7; 32]).await.unwrap();
    let mut writer = store.writer(&RunId::new("a").unwrap());
    writer.findings(findings).await.unwrap();
    writer.commit().await.unwrap();
    place
}

#[track_caller]
fn ok(said: Said) -> Said {
    assert_eq!(said.code, 0, "{}", said.err);
    said
}

/// Who is denied over HTTP: kind and value.
fn served(service: &Service) -> Result<Vec<(String, String)>, String> {
    let (status, body) = service.get("/deny");
    if status != 200 {
        return Err(format!("{status}: {body}"));
    }
    let list: Value = serde_json::from_str(&body).unwrap();
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let entries = list["entries"].as_array().unwrap();
    Ok(entries.iter().map(|it| (text(it, "kind"), text(it, "value"))).collect())
}

/// The last record of each key of a topic; none of a tombstone.
fn told(kafka: &Kafka, topic: &str) -> BTreeMap<String, Option<Value>> {
    let of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut told = BTreeMap::new();
    for record in kafka.read_all(topic) {
        let value = record.payload().map(|it| serde_json::from_slice(it).unwrap());
        told.insert(of(record.key().unwrap()), value);
    }
    told
}

fn named(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|(kind, value)| ((*kind).to_owned(), (*value).to_owned())).collect()
}

#[track_caller]
fn wait_for(service: &Service, names: &[(&str, &str)]) {
    until("the feed names them", || match served(service) {
        Ok(found) if found == named(names) => Ok(()),
        other => Err(format!("{other:?}: {}", service.said())),
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_deny_feed_is_told_and_taken_back() {
    const TEST: &str = "the_deny_feed_is_told_and_taken_back";
    let Some(kafka) = services::kafka(TEST) else { return };
    let (source, topic) = (services::unique("deny_source"), services::unique("deny"));
    kafka.create_topic(&source, 1, &[]);
    kafka.create_topic(&topic, 2, &[("cleanup.policy", "compact")]);
    let mut failed = finding(2, "victim", PrincipalType::Consumer, 20);
    failed.detector = Detector::AuthFailures.into();
    let refused = |address: &str, status| Evidence {
        request: "GET /login".into(),
        status: Some(status),
        client_address: Some(address.into()),
        ..Evidence::at(failed.detected_at)
    };
    failed.evidence = vec![refused("203.0.113.9", 401), refused("198.51.100.1", 200)];
    let mut mild = finding(5, "mild", PrincipalType::User, 20);
    mild.severity = Severity::High;
    let place = filled(&[
        finding(1, "app-7", PrincipalType::Consumer, 20),
        failed,
        finding(3, "stale", PrincipalType::User, 7_200),
        // Over within a minute and a half, however slow it is here.
        finding(4, "192.0.2.1", PrincipalType::Ip, 3_510),
        mild,
    ])
    .await;
    let more = format!("[response.deny]\ntopic = \"{topic}\"\nhttp = true\n");
    configure(&place, kafka, &source, &more);
    let service = Service::start(&place, &[]);
    let (app, victim_at) = (("identity", "app-7"), ("source", "203.0.113.9"));
    wait_for(&service, &[app, ("source", "192.0.2.1"), victim_at]);
    let key = |kind: &str, value: &str| json!([kind, "default", value]).to_string();
    until("the topic has them", || {
        let told = told(kafka, &topic);
        let is_there = |kind, value| told.get(&key(kind, value)).is_some_and(Option::is_some);
        let is_gone = told.get(&key("identity", "stale")) == Some(&None);
        let all = is_there("identity", "app-7") && is_there("source", "203.0.113.9") && is_gone;
        all.then_some(()).ok_or_else(|| format!("{told:?}: {}", service.said()))
    });
    let entry = told(kafka, &topic)[&key("identity", "app-7")].clone().unwrap();
    assert_eq!(entry["reason"], "app-7 took \"too\" much");
    assert_eq!(entry["finding_id"], FindingId([1; 16]).to_string());
    assert!(!told(kafka, &topic).keys().any(|key| key.contains("victim")), "nobody is framed");

    // The same list has the same mark, and is not sent twice.
    let head = service.exchange(b"GET /deny HTTP/1.1\r\n\r\n");
    let mark = head.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().trim().to_owned();
    let asked = format!("GET /deny HTTP/1.1\r\nIf-None-Match: {mark}\r\n\r\n");
    let again = service.exchange(asked.as_bytes());
    assert!(again.starts_with("HTTP/1.1 304 ") && again.ends_with("\r\n\r\n"), "{again}");
    let put = service.exchange(b"POST /deny HTTP/1.1\r\n\r\n");
    assert!(put.starts_with("HTTP/1.1 405 "), "{put}");

    // What somebody calls benign is taken back, and so is what is over.
    let id = FindingId([1; 16]).to_string();
    ok(place.run(&["feedback", &id, "benign", "--reason", "known"]));
    until("what is benign is gone", || {
        let told = told(kafka, &topic);
        let is_gone = told.get(&key("identity", "app-7")) == Some(&None);
        is_gone.then_some(()).ok_or_else(|| format!("{told:?}"))
    });
    wait_for(&service, &[victim_at]);
    until("what is over is gone", || {
        let told = told(kafka, &topic);
        let is_gone = told.get(&key("source", "192.0.2.1")) == Some(&None);
        is_gone.then_some(()).ok_or_else(|| format!("{told:?}"))
    });
    let metrics = service.metrics();
    assert_eq!(metrics.sum("habitus_deny_entries"), 1);
    service.stop();

    // Another start says the same, from the store alone.
    let service = Service::start(&place, &[]);
    wait_for(&service, &[victim_at]);
    service.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_store_no_longer_has_is_taken_back_by_whoever_leads() {
    const TEST: &str = "what_the_store_no_longer_has_is_taken_back_by_whoever_leads";
    let Some(kafka) = services::kafka(TEST) else { return };
    let (source, topic) = (services::unique("deny_left_source"), services::unique("deny_left"));
    kafka.create_topic(&source, 1, &[]);
    kafka.create_topic(&topic, 2, &[("cleanup.policy", "compact")]);
    let key = |value: &str| json!(["identity", "default", value]).to_string();
    let (forgotten, open, other) = (key("forgotten"), key("app-7"), "somebody else's");
    let keys = [forgotten.as_str(), open.as_str(), other];
    kafka.produce(
        &topic,
        keys.map(|key| Record { key: Some(key.as_bytes()), payload: b"{}", ..Record::default() }),
    );
    let place = filled(&[finding(1, "app-7", PrincipalType::Consumer, 20)]).await;
    configure(&place, kafka, &source, &format!("[response.deny]\ntopic = \"{topic}\"\n"));
    let service = Service::start(&place, &[]);
    until("the topic has what the store has", || {
        let told = told(kafka, &topic);
        let is_taken_back = told[&forgotten].is_none();
        let is_told = told[&open].as_ref().is_some_and(|it| it["kind"] == "identity");
        (is_taken_back && is_told).then_some(()).ok_or_else(|| format!("{told:?}"))
    });
    assert_eq!(told(kafka, &topic)[other], Some(json!({})), "it is none of ours");
    service.stop();
}

#[test]
fn the_deny_feed_is_off_unless_it_is_wished() {
    const TEST: &str = "the_deny_feed_is_off_unless_it_is_wished";
    let Some(kafka) = services::kafka(TEST) else { return };
    let source = services::unique("deny_off");
    kafka.create_topic(&source, 1, &[]);
    let place = Place::new();
    configure(&place, kafka, &source, "");
    let service = Service::start(&place, &[]);
    let (status, body) = service.get("/deny");
    assert_eq!(status, 404);
    assert!(!body.contains("/deny"), "{body}");
    service.stop();
    configure(&place, kafka, &source, "[response.deny]\ntopic = \"not_there_at_all\"\n");
    let said = place.run(&["run", "--config", place.path("habitus.toml").to_str().unwrap()]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("response.deny.topic"), "{}", said.err);
    configure(&place, kafka, &source, "[response.deny]\nexpire_seconds = 5\n");
    let said = place.run(&["check", "--config", place.path("habitus.toml").to_str().unwrap()]);
    assert!(said.err.contains("must be 60 to 2592000"), "{}", said.err);
}

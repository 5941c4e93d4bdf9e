//! `habitus feedback`: what was said is kept, what is benign is left out of lists, and the rest is put
//! in order; in a directory and on a server alike.

use crate::habitus::{Place, Said, text};
use crate::reads::database;
use crate::services;
use model::{
    Contributor, Detector, Evidence, Finding, FindingId, Position, PrincipalType, Severity, Time,
};
use serde_json::Value;
use store::{Feedback, RunId, Scope, Store, Verdict};

/// 2026-03-01T10:00:00Z in nanoseconds.
const START_NS: i64 = 1_772_359_200_000_000_000;
/// The day after.
const SAID_NS: i64 = START_NS + 86_400_000_000_000;

/// A finding of one of two kinds: a job that exports, and somebody who reads keys.
fn finding(number: u32) -> Finding {
    let (detector, entity) = match number % 2 {
        0 => (Detector::EgressSpike, "GET /export"),
        _ => (Detector::SecretHarvesting, "GET /keys/{id}"),
    };
    let start = Time::from_ns(START_NS + 3_600_000_000_000 * i64::from(number));
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
    Finding {
        id: FindingId(id),
        revision: 1,
        is_first: true,
        tenant_id: "default".into(),
        principal_id: Some(format!("svc-{}", number % 7)),
        principal_type: Some(PrincipalType::Service),
        principal_source: Some("kong.consumer.id"),
        entity: entity.into(),
        detector: detector.into(),
        detector_version: 1,
        window_start: start,
        window_end: start.plus(3_600_000_000_000),
        detected_at: start.plus(1_000_000_000),
        risk_score: 40.0,
        severity: if number.is_multiple_of(2) { Severity::High } else { Severity::Low },
        score: 1000.0 + f64::from(number),
        surprise: 9.5,
        observed: 812.0,
        expected: 6.0,
        upper: 31.0,
        unit: "objects",
        history_days: 61.0,
        history_n: 9_000,
        peers_n: 37,
        sentence: format!("svc-{} did {number}", number % 7),
        counterfactual: "would not be reported at 31".into(),
        contributors: vec![Contributor { name: entity.into(), observed: 812.0, share: 1.0 }],
        evidence: vec![Evidence {
            time: start,
            request: entity.into(),
            status: Some(200),
            bytes_out: Some(4096),
            client_address: None,
            agent: None,
            links: model::Links::default(),
            position: Position { source: 0, line: 17 },
            input: Some("access.log".to_owned()),
        }],
        evidence_sql: "SELECT 1".into(),
        owasp: &["API1:2023"],
        attack: &["T1087"],
        baseline_state: "active",
        model_version: String::new(),
        incident_id: None,
        config_hash: "c0ffee".into(),
    }
}

/// What is said of a finding: that exports are benign, and keys are not.
fn verdict(number: u32) -> Feedback {
    let of = finding(number);
    Feedback {
        given_at: Time::from_ns(SAID_NS + i64::from(number) * 1_000),
        given_by: "ops".to_owned(),
        finding_id: of.id.to_string(),
        tenant_id: of.tenant_id,
        verdict: if number.is_multiple_of(2) { Verdict::Benign } else { Verdict::Malicious },
        reason: "looked at it".to_owned(),
        scope: Scope::Finding,
        detector: of.detector.as_str().to_owned(),
        principal_id: of.principal_id,
        entity: Some(of.entity),
        until: None,
        withdraws: None,
    }
}

/// A place whose store has so many findings.
async fn filled(count: u32) -> (Place, Store) {
    let place = Place::new();
    let store = Store::create(&place.path("store"), None, [7; 32]).await.unwrap();
    let mut writer = store.writer(&RunId::new("a").unwrap());
    writer.findings(&(0..count).map(finding).collect::<Vec<_>>()).await.unwrap();
    writer.commit().await.unwrap();
    (place, store)
}

#[track_caller]
fn ok(said: Said) -> Said {
    assert_eq!(said.code, 0, "{}", said.err);
    said
}

fn ids(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| text(row, "finding_id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feedback_of_twenty_puts_findings_in_order_and_hides_none() {
    let (place, store) = filled(26).await;
    let listed = ["findings", "--all", "--output", "ndjson"];
    let before = ok(place.run(&listed)).rows();
    assert!(before.iter().all(|row| row.get("likely").is_none()));
    assert_eq!(text(&before[0], "detector"), "egress_spike", "the most severe are first");
    store.give(&(0..19).map(verdict).collect::<Vec<_>>()).await.unwrap();
    let nineteen = ok(place.run(&listed)).rows();
    assert_eq!(ids(&nineteen), ids(&before), "19 change nothing");
    store.give(&[verdict(19)]).await.unwrap();
    let twenty = ok(place.run(&listed)).rows();
    assert_ne!(ids(&twenty), ids(&before));
    let detectors: Vec<_> = twenty.iter().map(|row| text(row, "detector")).collect();
    assert!(detectors[..13].iter().all(|it| *it == "secret_harvesting"), "{detectors:?}");
    let likely: Vec<_> = twenty.iter().map(|row| row["likely"].as_f64().unwrap()).collect();
    assert!(
        likely.is_sorted_by(|a, b| a >= b) && likely[0] > 0.5 && likely[25] < 0.5,
        "{likely:?}"
    );
    let sorted = |rows: &[Value]| {
        let mut ids = ids(rows);
        ids.sort_unstable();
        ids
    };
    assert_eq!(sorted(&twenty), sorted(&before), "none is hidden");
    assert_eq!(ok(place.run(&listed)).rows(), twenty, "and it stays so");
    // A limit cuts the list where it would have without any verdict.
    let few = ok(place.run(&["findings", "--all", "--limit", "15", "--output", "ndjson"])).rows();
    assert_eq!(sorted(&few), sorted(&before[..15]));
    let table = ok(place.run(&["findings", "--all", "--limit", "15", "--output", "table"])).out;
    let first = text(&few[0], "finding_id").get(..8).unwrap();
    assert!(table.contains(" likely ") && table.contains(" verdict "), "{table}");
    assert!(table.find(first).unwrap() < table.find("did 0").unwrap(), "{table}");
    // What is taken back no longer counts.
    let taken = finding(0).id.to_string();
    ok(place.run(&["feedback", &taken, "withdraw", "--reason", "mistaken"]));
    assert_eq!(ids(&ok(place.run(&listed)).rows()), ids(&before));
}

#[test]
fn feedback_refuses_what_makes_no_sense() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (place, _) = runtime.block_on(filled(2));
    let id = finding(1).id.to_string();
    let long = "x".repeat(501);
    for (args, code, words) in [
        (&["feedback", &id, "benign"][..], 2, "--reason"),
        (&["feedback", &id, "harmless", "--reason", "x"], 2, "possible values"),
        (&["feedback", &id, "benign", "--reason", ""], 1, "--reason is empty"),
        (&["feedback", &id, "benign", "--reason", &long], 1, "at most 500"),
        (&["feedback", &id, "benign", "--reason", "a\u{1b}[2J"], 1, "control characters"),
        (&["feedback", &id, "benign", "--reason", "x", "--by", "a\nb"], 1, "--by holds control"),
        (&["feedback", &id, "benign", "--reason", "x", "--until", "2020-01-01"], 1, "is over"),
        (&["feedback", &id, "benign", "--reason", "x", "--until", "soon"], 1, "neither a time"),
        (&["feedback", &id, "malicious", "--reason", "x", "--until", "3d"], 1, "is for benign"),
        (&["feedback", "ffffffff", "benign", "--reason", "x"], 1, "no finding begins with"),
        (&["feedback", "x' OR 1=1", "benign", "--reason", "x"], 1, "is no finding id"),
        (&["feedback", &id, "withdraw", "--reason", "x"], 1, "nothing that was said"),
        (
            &["feedback", &id, "withdraw", "--reason", "x", "--scope", "entity"],
            1,
            "neither --scope",
        ),
        (&["feedback", &id], 1, "give benign, malicious or withdraw"),
    ] {
        let said = place.run(args);
        assert!(said.code == code && said.err.contains(words), "{args:?}: {}", said.err);
    }
    assert_eq!(place.query("store", "SELECT count(*) AS n FROM feedback"), "n\n0\n");
    assert_eq!(ok(place.run(&["feedback", "--output", "table"])).out, "0 rows\n");
}

/// Says what a security engineer would in a week, with a store of any kind; what was shown each time.
fn week(run: &dyn Fn(&[&str]) -> Said) -> Vec<String> {
    let mut shown = Vec::new();
    let mut see = |args: &[&str]| {
        let said = ok(run(args));
        shown.push(format!("{args:?}\n{}{}", said.out, said.err));
        said
    };
    let all = see(&["findings", "--output", "ndjson"]).rows();
    let of = |number: u32| finding(number).id.to_string();
    let give = |id: &str, more: &[&str]| ok(run(&[&["feedback", id][..], more].concat()));
    let job =
        &["benign", "--by", "ann o'hara", "--reason", "nightly \\ 'export' {x:Y} $z", "--scope"];
    let given = give(of(0).get(..8).unwrap(), &[&job[..], &["entity", "--until", "30d"]].concat());
    assert!(given.err.contains("3 findings so far"), "{}", given.err);
    let left = see(&["findings", "--output", "ndjson"]);
    assert!(left.err.contains("3 findings suppressed by feedback: --all shows them"));
    assert!(left.rows().iter().all(|row| text(row, "detector") == "secret_harvesting"));
    let none = see(&["findings", "--detector", "egress_spike", "--output", "table"]);
    assert_eq!(none.out, "no findings but suppressed ones\n");
    let with = ok(run(&["findings", "--all", "--output", "ndjson"])).rows();
    assert_eq!(ids(&with), ids(&all));
    let hidden = with.iter().find(|row| text(row, "finding_id") == of(2)).unwrap();
    assert_eq!(text(hidden, "verdict"), "benign");
    assert!(text(hidden, "suppressed_until") > text(hidden, "detected_at"));
    let page = ok(run(&["explain", &of(2), "--output", "table"])).out;
    for words in ["benign, by ann o'hara at 20", "entity, suppressed until 20", "{x:Y} $z"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // It was said of one, and is taken back under that or under its own id.
    let back = run(&["feedback", &of(2), "withdraw", "--reason", "x"]);
    assert!(back.code == 1 && back.err.contains("was said of another finding"), "{}", back.err);
    let said = ok(run(&["feedback", "--output", "ndjson"])).rows();
    assert!(back.err.contains(text(&said[0], "feedback_id")), "{}", back.err);
    // One of them was no job after all.
    give(&of(2), &["malicious", "--reason", "from a new network", "--by", "bob"]);
    let left = see(&["findings", "--detector", "egress_spike", "--output", "ndjson"]);
    assert_eq!(ids(&left.rows()), [of(2)]);
    let listed = ok(run(&["feedback", "list", "--output", "ndjson"])).rows();
    let what: Vec<_> = listed
        .iter()
        .map(|row| (text(row, "verdict"), text(row, "state"), row["suppresses"].as_i64().unwrap()))
        .collect();
    assert_eq!(what, [("malicious", "in force", 0), ("benign", "in force", 2)]);
    // The first is given again for good, and all of it is taken back in the end.
    give(&of(0), &[&job[..], &["entity"]].concat());
    let listed = ok(run(&["feedback", "--output", "ndjson"])).rows();
    let state = |row: &Value| text(row, "state").to_owned();
    assert_eq!(listed.iter().map(state).collect::<Vec<_>>(), ["in force", "in force", "replaced"]);
    let back = give(&of(0), &["withdraw", "--reason", "the job moved", "--by", "bob"]);
    assert!(back.err.contains("2 rows of feedback withdrawn"), "{}", back.err);
    let listed = ok(run(&["feedback", "--output", "ndjson"])).rows();
    assert_eq!(
        listed.iter().map(state).collect::<Vec<_>>(),
        ["withdrawn", "in force", "withdrawn"]
    );
    assert_eq!(text(&listed[0], "withdrawn_reason"), "the job moved");
    let again = see(&["findings", "--output", "ndjson"]).rows();
    assert_eq!(ids(&again), ids(&all));
    let sql = "SELECT action, actor, result, count(*) AS n FROM audit GROUP BY 1, 2, 3 ORDER BY 2";
    let audit = see(&["query", sql, "--output", "csv"]).out;
    assert!(audit.contains("feedback,bob,done,3") && audit.contains("o'hara,done,2"), "{audit}");
    let raw =
        "SELECT verdict, scope, detector, entity, reason FROM feedback ORDER BY given_at, 5, 3";
    see(&["query", raw, "--output", "ndjson"]);
    shown
}

#[test]
fn feedback_says_the_same_in_a_directory_and_on_a_server() {
    const TEST: &str = "feedback_says_the_same_in_a_directory_and_on_a_server";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (place, _) = runtime.block_on(filled(6));
    let here = week(&|args| place.run(args));
    let Some(server) = services::clickhouse(TEST) else { return };
    let url = database(server, "feedback");
    ok(place.run_at(&url, &["migrate"]));
    let name = url.rsplit('/').next().unwrap();
    for number in 0..6 {
        insert(server, name, &finding(number));
    }
    let there = week(&|args| place.run_at(&url, args));
    for (here, there) in here.iter().zip(&there) {
        // Nobody has an id there, where nobody is the empty text.
        assert!(volatile(here) == volatile(there), "{here}\n---\n{there}");
    }
    // The identity goes out of what was said, and the rest stays.
    let key = place.write("key.txt", "07".repeat(32));
    for store in [place.path("store").to_str().unwrap(), &url] {
        let run = |args: &[&str]| ok(place.run_at(store, args));
        run(&[
            "feedback",
            &finding(3).id.to_string(),
            "benign",
            "--scope",
            "pattern",
            "--reason",
            "x",
        ]);
        run(&["feedback", &finding(1).id.to_string(), "benign", "--reason", "as svc-3 said"]);
        run(&["forget", "svc-3", "--yes", "--key-file", &key]);
        let left = run(&["query", "SELECT * FROM feedback", "--output", "ndjson"]).out;
        assert!(!left.contains("svc-3") && left.contains("as [forgotten] said"), "{left}");
        assert_eq!(run(&["feedback", "--output", "ndjson"]).rows().len(), 4, "{left}");
    }
}

/// What was shown, without what depends on the moment.
fn volatile(shown: &str) -> String {
    let mut out = String::new();
    for line in shown.lines() {
        let mut row = line.to_owned();
        for key in ["feedback_id", "suppressed_by", "suppressed_until"] {
            let start = format!("\"{key}\":\"");
            if let Some((before, rest)) = row.split_once(&start) {
                let after = rest.split_once('"').map_or("", |it| it.1);
                row = format!("{before}{start}{after}");
            }
        }
        out += &row;
        out.push('\n');
    }
    out
}

/// Writes a finding as a service would.
fn insert(server: &services::ClickHouse, database: &str, it: &Finding) {
    let us = |time: Time| time.ns() / 1_000;
    let time = |time: Time| format!("fromUnixTimestamp64Micro({}, 'UTC')", us(time));
    let of = it.contributors.first().unwrap();
    let event = it.evidence.first().unwrap();
    server.query(&format!(
        "INSERT INTO {database}.findings SELECT '{}', 1, 'default', '{}', 'service', \
         'kong.consumer.id', '{}', '{}', 1, {}, {}, 3600, {}, '{}', {}, 9.5, 812, 6, 31, 'objects', \
         61, 9000, 37, '{}', '{}', '[{{\"name\":\"{}\",\"observed\":812.0,\"share\":1.0}}]', \
         '[{{\"time\":\"{}\",\"request\":\"{}\",\"status\":200,\"bytes_out\":4096,\
         \"client_address\":null,\"input\":\"access.log\",\"line\":17}}]', 'SELECT 1', 'API1:2023', \
         'T1087', 'active', '', NULL, 'c0ffee', 40",
        it.id,
        it.principal_id.as_deref().unwrap(),
        it.entity,
        it.detector.as_str(),
        time(it.window_start),
        time(it.window_end),
        time(it.detected_at),
        it.severity.as_str(),
        it.score,
        it.sentence,
        it.counterfactual,
        of.name,
        event.time,
        event.request,
    ));
}

//! The views for readers: each sum is the one that the documents tell.

use super::questions::row;
use super::sample::{finding, rows};
use super::{answer, run, store};
use crate::Store;
use arrow::array::RecordBatch;
use model::tables::Table;
use model::time::{NS_PER_D, NS_PER_H};
use model::{Detector, Finding, Severity};

/// The views that readers get, and what each is ordered by.
const VIEWS: [(&str, &str); 5] = [
    ("identity_risk", "tenant_id, principal_id, day"),
    ("identity_profile", "tenant_id, principal_id"),
    ("endpoint_inventory", "endpoint"),
    ("peer_group", "tenant_id, peer_group, principal_type"),
    ("detector_quality", "tenant_id, detector, day"),
];

/// A finding of somebody at 10:00 of the day so many days after 2026-03-01, detected hours later.
fn found(number: u32, who: &str, day: i64, hours: i64, risk: f64) -> Finding {
    let of = finding(number, 1);
    let start = of.window_start.plus(day * NS_PER_D);
    Finding {
        principal_id: Some(who.to_owned()),
        window_start: start,
        window_end: start.plus(NS_PER_H),
        detected_at: start.plus(hours * NS_PER_H),
        risk_score: risk,
        sentence: format!("finding {number}"),
        ..of
    }
}

/// What findings come to, by weight and by days before the day's end, the heaviest first.
fn risk(findings: &[(f64, f64)]) -> f64 {
    let weights = findings.iter().map(|(risk, days)| risk * (-days / 7.0).exp2());
    (1_i32..).zip(weights).map(|(place, weight)| weight / f64::from(place).powf(1.5)).sum()
}

async fn filled(store: &Store, name: &str, findings: &[Finding]) {
    let mut writer = store.writer(&run(name));
    writer.findings(findings).await.unwrap();
    writer.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_is_as_risky_as_the_four_weeks_up_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let higher = Finding { revision: 2, score: 5_000.0, ..found(2, "ann", 0, 8, 50.0) };
    let mut findings = vec![
        found(1, "ann", 0, 2, 80.0),
        found(2, "ann", 0, 8, 90.0),
        Finding { severity: Severity::Critical, ..higher },
        found(3, "ann", 7, 2, 20.0),
        found(4, "ann", 28, 2, 10.0),
    ];
    findings.extend((10..30).map(|number| found(number, "bob", 3, 2, 30.0)));
    let nobodys = Finding { principal_id: None, ..found(50, "", 0, 2, 70.0) };
    findings.push(nobodys);
    // Of seven days that began on the first, and found at noon of the last.
    findings.push(found(60, "eve", 0, 6 * 24 + 2, 40.0));
    filled(&store, "a", &findings).await;
    // A second run that wrote the same changes nothing.
    filled(&store, "b", &findings).await;
    let sql = "SELECT principal_id, day, findings, score_max, severity_max, sentence \
               FROM identity_risk ORDER BY principal_id, day";
    assert_eq!(
        answer(&store, sql).await,
        "ann 2026-03-01 2 5000.0 critical finding 2\n\
         ann 2026-03-08 1 1003.0 high finding 3\n\
         ann 2026-03-29 1 1004.0 high finding 4\n\
         bob 2026-03-04 20 1029.0 high finding 29\n\
         eve 2026-03-07 1 1060.0 high finding 60\n\
         NULL 2026-03-01 1 1050.0 high finding 50"
    );
    let sql = "SELECT risk FROM identity_risk ORDER BY principal_id, day";
    let risks: Vec<f64> =
        answer(&store, sql).await.lines().map(|line| line.parse().unwrap()).collect();
    let expected = [
        // The highest revision weighs, and 10:00 with two hours is half a day before the end.
        risk(&[(80.0, 0.5), (50.0, 0.25)]),
        risk(&[(80.0, 7.5), (50.0, 7.25), (20.0, 0.5)]),
        // Four weeks after the first two, which no longer count.
        risk(&[(10.0, 0.5), (20.0, 21.5)]),
        // The sixteen heaviest of twenty.
        risk(&[(30.0, 0.5); 16]),
        risk(&[(40.0, 0.5)]),
        risk(&[(70.0, 0.5)]),
    ];
    assert_eq!(risks.len(), expected.len());
    for (is, expected) in risks.iter().zip(expected) {
        assert!((is - expected).abs() < 1e-9 * expected, "{risks:?}: {expected}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_have_columns_and_no_rows_where_there_is_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    for (view, order) in VIEWS {
        let (schema, batches) =
            store.query(&format!("SELECT * FROM {view} ORDER BY {order}")).await.unwrap();
        assert!(schema.fields().len() > 7, "{view}");
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 0, "{view}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_of_the_same_hours_changes_no_view() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let mut before: Vec<String> = Vec::new();
    for name in ["a", "b"] {
        let mut writer = store.writer(&run(name));
        writer.findings(&[found(1, "value 0 of column 1", 0, 2, 80.0)]).await.unwrap();
        for table in [Table::Windows, Table::Signals, Table::Identities, Table::Endpoints] {
            writer.write(table, rows(table, 0, 2_001)).await.unwrap();
        }
        writer.commit().await.unwrap();
        let mut now = Vec::new();
        for (view, order) in VIEWS {
            let said = answer(&store, &format!("SELECT * FROM {view} ORDER BY {order}")).await;
            assert!(!said.is_empty(), "{view}");
            now.push(said);
        }
        if name == "b" {
            assert!(now == before, "{now:?}\n---\n{before:?}");
        }
        before = now;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ordinary_is_said_in_hours_and_quantiles() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let mut writer = store.writer(&run("a"));
    let who = [("tenant_id", "default"), ("principal_id", "ann")];
    writer.write(Table::Identities, row(Table::Identities, &who)).await.unwrap();
    let idle = [("tenant_id", "default"), ("principal_id", "idle")];
    writer.write(Table::Identities, row(Table::Identities, &idle)).await.unwrap();
    // Every hour from 8 to 10 and 22, thirteen days, and once at night.
    let hours = (1..=13).flat_map(|day| [8, 9, 10, 22].map(|hour| (day, hour)));
    for (number, (day, hour)) in (0..).zip(hours.chain([(14, 3)])) {
        let start = format!("2026-03-{day:02}T{hour:02}:00:00Z");
        let requests = i32::to_string(&number);
        let values = [
            ("window_start", start.as_str()),
            ("window_seconds", "3600"),
            ("requests", requests.as_str()),
            ("networks_new", "1"),
        ];
        let values = [&who[..], &values].concat();
        writer.write(Table::Windows, row(Table::Windows, &values)).await.unwrap();
    }
    writer.commit().await.unwrap();
    let sql = "SELECT principal_id, hours_usual, requests_p05, requests_p50, requests_p95, \
               networks_new FROM identity_profile ORDER BY principal_id";
    // Of 53 hours one is less than a fiftieth; the numbers are 0 to 52.
    let said = answer(&store, sql).await;
    let (ann, idle) = said.split_once('\n').unwrap();
    assert!(ann.starts_with("ann 8-10, 22 ") && ann.ends_with(" 53"), "{ann}");
    assert_eq!(idle, "idle  NULL NULL NULL NULL");
    let numbers: Vec<f64> =
        ann.split(' ').skip(3).take(3).map(|number| number.parse().unwrap()).collect();
    for (is, expected) in numbers.iter().zip([2.6, 26.0, 49.4]) {
        assert!((is - expected).abs() < 1e-9, "{ann}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_names_its_riskiest_and_a_name_ends_no_text() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let mut writer = store.writer(&run("a"));
    let names = ["a\"],[\"b", "back\\slash\\", "tab\tand\nline\r", "\u{1b}[2J", "o'brien", "last"];
    for (number, name) in (0..).zip(names) {
        let risk = f64::to_string(&(100.0 - f64::from(number)));
        let values = [
            ("tenant_id", "default"),
            ("principal_id", name),
            ("peer_group", "3"),
            ("principal_type", "user"),
            ("risk", risk.as_str()),
        ];
        writer.write(Table::Identities, row(Table::Identities, &values)).await.unwrap();
    }
    writer.commit().await.unwrap();
    let sql = "SELECT identities, risk_max FROM peer_group";
    assert_eq!(answer(&store, sql).await, "6 100.0");
    let said = answer(&store, "SELECT principals FROM peer_group").await;
    let read: Vec<String> = serde_json::from_str(&said).unwrap();
    let mut expected: Vec<_> = names.iter().take(5).map(|it| (*it).to_owned()).collect();
    expected[3] = "\u{fffd}[2J".to_owned();
    assert_eq!(read, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_detector_is_counted_by_day_with_and_without_findings() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let mut writer = store.writer(&run("a"));
    let low = |number, who: &str| Finding {
        severity: Severity::Low,
        detector: Detector::NewNetwork.into(),
        ..found(number, who, 0, 2, 1.0)
    };
    writer.findings(&[found(1, "ann", 0, 2, 80.0), low(2, "ann"), low(3, "bob")]).await.unwrap();
    for (entity, surprise) in [("a", "2"), ("b", "4")] {
        let values = [
            ("tenant_id", "default"),
            ("detector", "cadence"),
            ("entity", entity),
            ("surprise", surprise),
            ("window_start", "2026-03-05T00:00:00Z"),
        ];
        writer.write(Table::Signals, row(Table::Signals, &values)).await.unwrap();
    }
    writer.commit().await.unwrap();
    let sql = "SELECT detector, day, findings, identities, severe, benign, malicious, suppressed, \
               unjudged, score_median, score_max, signals FROM detector_quality ORDER BY detector";
    assert_eq!(
        answer(&store, sql).await,
        "cadence 2026-03-05 0 0 0 0 0 0 0 NULL NULL 2\n\
         egress_spike 2026-03-01 1 1 1 0 0 0 1 1001.0 1001.0 0\n\
         new_network 2026-03-01 2 2 0 0 0 0 2 1002.5 1003.0 0"
    );
    let sql = "SELECT surprise_p99 FROM detector_quality WHERE detector = 'cadence'";
    let p99: f64 = answer(&store, sql).await.parse().unwrap();
    assert!((p99 - 3.98).abs() < 1e-9, "{p99}");
}

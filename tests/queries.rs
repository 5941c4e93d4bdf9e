//! The worked queries of `docs/queries.md`, and the views: a directory and a server give the same.

use crate::habitus::{Place, Said, root, text};
use crate::reads::database;
use crate::services;
use serde_json::Value;

/// Two days with an attack for each detector, of sixty callers or so: every question has an answer.
const SIMULATED: [&str; 14] = [
    "simulate",
    "--people",
    "40",
    "--services",
    "12",
    "--agents",
    "10",
    "--days",
    "2",
    "--seed",
    "7",
    "--attacks",
    "all",
    "--format=canonical",
];
/// Queries that the document has at least.
const QUERIES_MIN: usize = 10;
/// How far two engines' numbers may be apart: they add them up in orders of their own.
const RELATIVE_MAX: f64 = 1e-6;

/// Every view, and what its rows are ordered by; nobody is NULL or the empty text.
const VIEWS: [(&str, &str); 10] = [
    ("findings_latest", "finding_id"),
    ("findings_current", "finding_id"),
    ("feedback_in_force", "feedback_id"),
    ("incidents_current", "incident_id"),
    (
        "identity_timeline",
        "at, tenant_id, principal_id, kind DESC, detector, entity, headline, requests",
    ),
    ("identity_risk", "tenant_id, coalesce(principal_id, ''), day"),
    ("identity_profile", "tenant_id, principal_id"),
    ("endpoint_inventory", "endpoint"),
    ("peer_group", "tenant_id, peer_group, principal_type"),
    ("detector_quality", "tenant_id, detector, day"),
];
/// What of a row follows from the machine's clock.
const OF_THE_CLOCK: [&str; 3] = ["feedback_id", "suppressed_by", "given_at"];

/// A chapter whose columns are those of a table and more; it tells of the others alone.
const OF_ANOTHER: &str = "findings_current";
/// A chapter of what a directory has not.
const OF_SERVERS: &str = "metrics";

/// A query of the document: under which heading it stands, and its text for each engine.
struct Worked {
    heading: String,
    parquet: String,
    clickhouse: String,
}

/// The queries of the document, in its order.
fn worked() -> Vec<Worked> {
    let text = std::fs::read_to_string(root().join("docs/queries.md")).unwrap();
    let chapters = text.split("\n## ").skip(1);
    chapters.map(Worked::of).collect()
}

impl Worked {
    #[track_caller]
    fn of(chapter: &str) -> Self {
        let heading = chapter.lines().next().unwrap().to_owned();
        let block = |fence: &str| {
            let (_, rest) = chapter.split_once(&format!("\n```{fence}\n"))?;
            Some(rest.split_once("\n```").unwrap().0.to_owned())
        };
        let of = |engine: &str| {
            let own = block(&format!("sql {engine}"));
            own.or_else(|| block("sql")).unwrap_or_else(|| panic!("{heading} has no SQL: {engine}"))
        };
        let (parquet, clickhouse) = (of("parquet"), of("clickhouse"));
        Self { heading, parquet, clickhouse }
    }
}

/// What an answer consists of.
struct Answer {
    columns: Vec<String>,
    rows: Vec<Value>,
}

#[track_caller]
fn ok(said: Said) -> Said {
    assert_eq!(said.code, 0, "{}", said.err);
    said
}

#[track_caller]
fn ask(place: &Place, store: &str, sql: &str) -> Answer {
    let ask = |format: &str| {
        let said = place.run_in(store, &["query", sql, "--output", format]);
        assert_eq!(said.code, 0, "{store}: {sql}\n{}", said.err);
        said
    };
    let columns = ask("csv").out.lines().next().unwrap_or_default().to_owned();
    Answer { columns: columns.split(',').map(str::to_owned).collect(), rows: ask("ndjson").rows() }
}

/// Whether two cells say the same; nobody is NULL here and the empty text there.
fn is_same(column: &str, here: &Value, there: &Value) -> bool {
    if column == "principal_id" {
        return here.as_str().unwrap_or_default() == there.as_str().unwrap_or_default();
    }
    match (here.as_f64(), there.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= RELATIVE_MAX * a.abs().max(b.abs()),
        _ => here == there,
    }
}

#[track_caller]
fn check(what: &str, here: &Answer, there: &Answer) {
    assert_eq!(here.columns, there.columns, "{what}");
    for (number, (a, b)) in here.rows.iter().zip(&there.rows).enumerate() {
        for column in here.columns.iter().filter(|it| !OF_THE_CLOCK.contains(&it.as_str())) {
            let cells = (&a[column.as_str()], &b[column.as_str()]);
            assert!(is_same(column, cells.0, cells.1), "{what}, {number}, {column}: {cells:?}");
        }
    }
    assert_eq!(here.rows.len(), there.rows.len(), "{what}");
}

/// Says of three findings what they are, with scopes that overlap.
fn judge(place: &Place, url: &str) {
    let sql = "SELECT finding_id, detector FROM findings_current WHERE principal_id <> '' \
               ORDER BY detector, score DESC, finding_id";
    let rows = ask(place, "store", sql).rows;
    let first = &rows[0];
    let other = rows.iter().find(|it| it["detector"] != first["detector"]).unwrap();
    let last = rows.last().unwrap();
    for store in ["store", url] {
        for (row, verdict, scope) in [
            (first, "benign", "detector"),
            (first, "malicious", "finding"),
            (other, "benign", "pattern"),
            (last, "malicious", "identity"),
        ] {
            let id = text(row, "finding_id");
            let args = ["feedback", id, verdict, "--scope", scope, "--reason", "looked at it"];
            ok(place.run_in(store, &args));
        }
    }
}

#[test]
fn worked_queries_and_views_say_the_same_on_both_engines() {
    const TEST: &str = "worked_queries_and_views_say_the_same_on_both_engines";
    let Some(server) = services::clickhouse(TEST) else { return };
    let (place, url) = (Place::new(), database(server, "queries"));
    let key = place.write("key.txt", "ef".repeat(32));
    let log = place.path("log.ndjson");
    let log = log.to_str().unwrap();
    ok(place.run(&[&SIMULATED[..], &["--out", log]].concat()));
    ok(place.run_at(&url, &["migrate"]));
    let replay = ["replay", log, "--key-file", &key, "--output", "ndjson"];
    let found = ok(place.run(&replay)).rows();
    assert_eq!(ok(place.run_at(&url, &replay)).rows(), found);
    judge(&place, &url);
    let queries = worked();
    assert!(queries.len() >= QUERIES_MIN, "{} queries", queries.len());
    for query in &queries {
        let here = ask(&place, "store", &query.parquet);
        let there = ask(&place, &url, &query.clickhouse);
        assert!(!here.rows.is_empty(), "{} has no answer", query.heading);
        check(&query.heading, &here, &there);
    }
    for (view, order) in VIEWS {
        // Their ids follow from when they were said: the scopes tell them apart.
        let order = if view == "feedback_in_force" { "scope, detector" } else { order };
        let sql = format!("SELECT * FROM {view} ORDER BY {order}");
        let (here, there) = (ask(&place, "store", &sql), ask(&place, &url, &sql));
        assert!(!here.rows.is_empty(), "{view} has no rows");
        check(view, &here, &there);
        let documented = std::fs::read_to_string(root().join("docs/tables.md")).unwrap();
        assert!(documented.contains(&format!("\n## {view}\n")), "{view} is not documented");
    }
    let sql = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine = 'View' \
               ORDER BY name";
    let there = ask(&place, &url, sql).rows;
    let mut named = VIEWS.map(|(view, _)| view);
    named.sort_unstable();
    assert_eq!(there.iter().map(|it| text(it, "name")).collect::<Vec<_>>(), named);
    // What was said is counted.
    let sql = "SELECT sum(benign) AS called_benign, sum(malicious) AS called_malicious, \
               sum(suppressed) AS left_out, sum(findings) - sum(unjudged) AS judged \
               FROM detector_quality";
    let counts = ask(&place, &url, sql).rows.remove(0);
    let count = |name: &str| counts[name].as_i64().unwrap();
    assert!(count("called_benign") >= 1 && count("called_malicious") >= 1, "{counts}");
    assert_eq!(count("called_benign"), count("left_out"), "{counts}");
    assert_eq!(count("judged"), count("called_benign") + count("called_malicious"), "{counts}");
    // A replay that comes again changes no view.
    let profile = "SELECT * FROM identity_profile ORDER BY tenant_id, principal_id";
    let risk = "SELECT * FROM identity_risk ORDER BY tenant_id, principal_id, day";
    let before = [ask(&place, &url, profile), ask(&place, &url, risk)];
    ok(place.run_at(&url, &replay));
    for (sql, before) in [profile, risk].into_iter().zip(&before) {
        check("replayed", &ask(&place, &url, sql), before);
    }
}

/// The tables and views of `docs/tables.md` that have a list of columns, with it.
fn documented() -> Vec<(String, Vec<String>)> {
    let text = std::fs::read_to_string(root().join("docs/tables.md")).unwrap();
    let columns = |chapter: &str| -> Vec<String> {
        let rows = chapter.lines().filter_map(|line| line.strip_prefix("| `"));
        let cells = rows.map(|row| row.split('|').next().unwrap_or_default());
        let named = cells.flat_map(|cell| cell.split('`').step_by(2));
        named.map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
    };
    let chapters = text.split("\n## ").skip(1);
    let named = chapters.map(|it| (it.lines().next().unwrap_or_default().to_owned(), columns(it)));
    named.filter(|(_, columns)| !columns.is_empty()).collect()
}

#[test]
fn every_column_is_documented_and_every_documented_column_is_there() {
    let place = Place::new();
    let line = "{\"time\":\"2026-04-14T09:00:00Z\",\"consumer\":\"acme\",\"method\":\"GET\",\
                \"path\":\"/orders\",\"status\":200}\n";
    let log = place.write("log.ndjson", line);
    place.replay(&[&log], &[]);
    let documented = documented();
    assert!(documented.len() >= 17, "{documented:?}");
    for (name, columns) in documented.iter().filter(|(name, _)| name != OF_SERVERS) {
        let sql = format!("SELECT * FROM {name} LIMIT 1");
        let mut there = ask(&place, "store", &sql).columns;
        if name == OF_ANOTHER {
            there.retain(|it| columns.contains(it));
        }
        let mut told = columns.clone();
        there.sort();
        told.sort();
        assert_eq!(there, told, "{name}");
    }
}

/// What findings come to, by weight and by days before the day's end, the heaviest first.
fn risk(findings: &[(f64, f64)]) -> f64 {
    let weights = findings.iter().map(|(risk, days)| risk * (-days / 7.0).exp2());
    (1_i32..).zip(weights).map(|(place, weight)| weight / f64::from(place).powf(1.5)).sum()
}

#[test]
fn a_server_sums_up_the_risk_of_a_day_as_the_document_tells() {
    const TEST: &str = "a_server_sums_up_the_risk_of_a_day_as_the_document_tells";
    let Some(server) = services::clickhouse(TEST) else { return };
    let (place, url) = (Place::new(), database(server, "risk"));
    ok(place.run_at(&url, &["migrate"]));
    let database = url.rsplit('/').next().unwrap();
    let insert = |id: &str, revision: u32, who: &str, day: &str, hour: u32, risk: f64| {
        server.query(&format!(
            "INSERT INTO {database}.findings (finding_id, revision, tenant_id, principal_id, \
             detector, window_start, window_end, window_seconds, detected_at, severity, score, \
             sentence, risk_score) SETTINGS insert_deduplicate = 0 VALUES ('{id}', {revision}, \
             'default', '{who}', 'egress_spike', '{day} 10:00:00', '{day} 11:00:00', 3600, \
             '{day} {hour}:00:00', 'high', {revision}, '{id}', {risk})"
        ));
    };
    // Written twice, as by a replay.
    for _ in 0..2 {
        insert("a", 1, "ann", "2026-03-01", 12, 80.0);
        insert("b", 1, "ann", "2026-03-01", 18, 90.0);
        insert("b", 2, "ann", "2026-03-01", 18, 50.0);
        insert("c", 1, "ann", "2026-03-08", 12, 20.0);
        insert("d", 1, "ann", "2026-03-29", 12, 10.0);
        insert("e", 1, "", "2026-03-01", 12, 70.0);
    }
    for number in 0..20 {
        insert(&format!("f{number}"), 1, "bob", "2026-03-04", 12, 30.0);
    }
    // Of seven days, and found on the last of them.
    insert("g", 1, "eve", "2026-03-07", 12, 40.0);
    server.query(&format!(
        "INSERT INTO {database}.findings SELECT * REPLACE('h' AS finding_id, 'mia' AS principal_id, \
         'h' AS sentence, window_start - INTERVAL 6 DAY AS window_start) \
         FROM (SELECT * FROM {database}.findings WHERE finding_id = 'g')"
    ));
    let sql = "SELECT principal_id, day, findings, sentence, risk FROM identity_risk \
               ORDER BY principal_id, day";
    let said = ask(&place, &url, sql).rows;
    let expected = [
        ("", "2026-03-01", 1, "e", risk(&[(70.0, 0.5)])),
        ("ann", "2026-03-01", 2, "b", risk(&[(80.0, 0.5), (50.0, 0.25)])),
        ("ann", "2026-03-08", 1, "c", risk(&[(80.0, 7.5), (50.0, 7.25), (20.0, 0.5)])),
        ("ann", "2026-03-29", 1, "d", risk(&[(10.0, 0.5), (20.0, 21.5)])),
        ("bob", "2026-03-04", 20, "f9", risk(&[(30.0, 0.5); 16])),
        ("eve", "2026-03-07", 1, "g", risk(&[(40.0, 0.5)])),
        ("mia", "2026-03-07", 1, "h", risk(&[(40.0, 0.5)])),
    ];
    assert_eq!(said.len(), expected.len(), "{said:?}");
    for (row, (who, day, findings, sentence, risk)) in said.iter().zip(expected) {
        assert_eq!((text(row, "principal_id"), text(row, "day")), (who, day), "{row}");
        assert_eq!((row["findings"].as_i64(), text(row, "sentence")), (Some(findings), sentence));
        assert!((row["risk"].as_f64().unwrap() - risk).abs() < 1e-9 * risk, "{row}: {risk}");
    }
}

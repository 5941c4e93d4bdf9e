//! Questions: the views, refusals, and errors that say what is wrong.

use super::sample::{finding, rows};
use super::{answer, run, store, write};
use crate::{Store, quote};
use model::Time;
use model::tables::Table;
use std::fs;

/// A store with a finding in two revisions, another in one, and four hours of identities.
async fn filled(dir: &std::path::Path) -> Store {
    let store = store(dir).await;
    let mut writer = store.writer(&run("a"));
    writer.findings(&[finding(1, 1), finding(1, 3), finding(2, 1)]).await.unwrap();
    writer.write(Table::Windows, rows(Table::Windows, 0, 2_000)).await.unwrap();
    writer.commit().await.unwrap();
    store
}

#[track_caller]
fn check(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    assert!(!error.contains('\n') && !error.contains("habitus.public"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_names_what_is_wrong_and_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let tables = "findings, incidents, signals, windows, identities, endpoints, audit, feedback, operations, \
                  pipeline_health, findings_latest, feedback_in_force, findings_current, incidents_current, \
                  identity_timeline, identity_risk, identity_profile, endpoint_inventory, peer_group, \
                  detector_quality";
    for (sql, part) in [
        ("SELECT scor FROM findings", "no column scor; near it are findings.score"),
        ("SELECT 1 / 0", "ivide by zero"),
        (
            "SELEC 1",
            "at line 1, column 1 (expected an SQL statement, found SELEC): begin with SELECT",
        ),
        ("SELECT 1\nFROM findings GROUP", "cannot be read at line 2, column 15"),
        ("SELECT (1", "cannot be read at its end"),
        ("SELECT nofunction(1)", "nofunction"),
        ("", "SQL"),
        ("SELECT 1; SELECT 2", "the second from line 1, column 11 on: ask one statement at a time"),
        ("SELECT CAST(sentence AS BIGINT) FROM findings", "finding 1 in revision 1"),
        ("SELECT CAST(concat(chr(27), '[2J') AS BIGINT)", "[2J"),
        (&format!("SELECT '{}'", "x".repeat(70_000)), "bytes"),
    ] {
        let error = store.query(sql).await.unwrap_err().to_string();
        check(&error, &[part]);
        assert!(!error.contains('\u{1b}') && !error.contains("tables"), "{error:?}");
    }
    for name in ["finding", "'/etc/passwd'"] {
        let error = store.query(&format!("SELECT * FROM {name}")).await.unwrap_err().to_string();
        check(&error, &[name.trim_matches('\''), tables]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_changes_anything_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let before = super::batching::files(dir.path());
    let out = tempfile::tempdir().unwrap();
    let target = quote(out.path().join("out.parquet").to_str().unwrap());
    for sql in [
        format!("COPY findings TO {target}"),
        format!("COPY (SELECT 1) TO {target} STORED AS PARQUET"),
        format!("EXPLAIN ANALYZE COPY findings TO {target}"),
        format!("EXPLAIN COPY findings TO {target}"),
        "CREATE EXTERNAL TABLE p STORED AS CSV LOCATION '/etc/passwd'".to_owned(),
        "CREATE TABLE t AS SELECT 1".to_owned(),
        "CREATE VIEW findings_now AS SELECT 1".to_owned(),
        "CREATE FUNCTION f() RETURNS INT RETURN 1".to_owned(),
        "DROP TABLE findings".to_owned(),
        "DROP VIEW findings_current".to_owned(),
        "INSERT INTO signals SELECT * FROM signals".to_owned(),
        "EXPLAIN ANALYZE INSERT INTO signals SELECT * FROM signals".to_owned(),
        "DELETE FROM findings".to_owned(),
        "UPDATE findings SET score = 0".to_owned(),
        "TRUNCATE findings".to_owned(),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        "RESET datafusion.execution.batch_size".to_owned(),
        "PREPARE p AS SELECT 1".to_owned(),
        "BEGIN".to_owned(),
        "SELECT 1 AS one INTO t".to_owned(),
    ] {
        let error = store.query(&sql).await.unwrap_err().to_string();
        assert!(error.contains("a store is only read"), "{sql}: {error}");
    }
    assert!(super::batching::files(dir.path()) == before);
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_question_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    for sql in [
        "SELECT 1",
        "WITH a AS (SELECT count(*) AS n FROM windows) SELECT n FROM a",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "VALUES (1), (2)",
        "EXPLAIN SELECT * FROM findings_current",
        "EXPLAIN ANALYZE SELECT count(*) FROM windows",
        "SHOW TABLES",
        "SHOW COLUMNS FROM findings",
        "DESCRIBE findings",
        "SELECT table_name FROM information_schema.tables",
        "SELECT date_trunc('day', window_start), sum(requests) FROM windows GROUP BY 1 ORDER BY 1;",
        "SELECT * FROM windows WHERE window_start >= '2026-03-01T11:00:00Z' LIMIT 3",
    ] {
        assert!(!answer(&store, sql).await.is_empty(), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quoted_identity_is_found_and_a_hostile_one_finds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    for (name, expected) in [
        ("o'brien", "2"),
        ("' OR '1'='1", "0"),
        ("'; DROP TABLE findings; --", "0"),
        ("\\' OR 1=1 --", "0"),
        ("\0", "0"),
        ("a\u{2019}b /* */ -- $1 {{x}}", "0"),
    ] {
        let sql =
            format!("SELECT count(*) FROM findings_current WHERE principal_id = {}", quote(name));
        assert_eq!(answer(&store, &sql).await, expected, "{name:?}");
        let sql = format!("SELECT {} = arrow_cast({}, 'Utf8')", quote(name), quote(name));
        assert_eq!(answer(&store, &sql).await, "true", "{name:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_literal_that_two_dialects_read_alike_is_what_it_stands_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    // As the queries that show evidence have it; `tests/reads.rs` asks a server the same.
    let sql = r"SELECT replace('a\\''b\\\\', '\\', substr('\\', 1, 1))";
    assert_eq!(answer(&store, sql).await, r"a\'b\\");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_current_finding_is_the_highest_revision_with_all_columns() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let (schema, _) = store.query("SELECT * FROM findings_current").await.unwrap();
    let of_findings = Table::Findings.schema();
    let (shared, said) = schema.fields().split_at(of_findings.fields().len());
    assert_eq!(shared, &of_findings.fields()[..]);
    let said: Vec<_> = said.iter().map(|it| it.name().as_str()).collect();
    assert_eq!(said, ["feedback_id", "verdict", "suppressed_by", "suppressed_until"]);
    let (latest, _) = store.query("SELECT * FROM findings_latest").await.unwrap();
    assert_eq!(latest.fields(), of_findings.fields());
    let sql = "SELECT sentence FROM findings_current ORDER BY sentence";
    assert_eq!(answer(&store, sql).await, "finding 1 in revision 3\nfinding 2 in revision 1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_revisions_of_two_runs_are_settled_in_the_same_way() {
    for runs in [["a", "b"], ["b", "a"]] {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path()).await;
        for (name, hash) in runs.into_iter().zip(["1111", "2222"]) {
            let mut writer = store.writer(&run(name));
            let mut finding = finding(1, 1);
            finding.config_hash = hash.into();
            writer.findings(&[finding]).await.unwrap();
            writer.commit().await.unwrap();
        }
        assert_eq!(answer(&store, "SELECT config_hash FROM findings_current").await, "1111");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timeline_tells_hours_and_findings_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let mut found = finding(1, 1);
    found.principal_id = Some("value 0 of column 1".into());
    found.detected_at = Time::from_ns(1_772_359_200_000_000_000 + 5_400_000_000_000);
    for name in ["a", "b"] {
        let mut writer = store.writer(&run(name));
        writer.findings(std::slice::from_ref(&found)).await.unwrap();
        writer.write(Table::Windows, rows(Table::Windows, 0, 2_001)).await.unwrap();
        writer.commit().await.unwrap();
    }
    let all = "SELECT * FROM identity_timeline";
    let (schema, _) = store.query(all).await.unwrap();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let expected =
        "at tenant_id principal_id kind detector entity headline requests bytes_out score";
    assert_eq!(names.join(" "), expected);
    assert_eq!(super::count(&store, "identity_timeline").await, 2_002, "two runs, each hour once");
    let one = "SELECT at, kind, detector, headline FROM identity_timeline \
               WHERE principal_id = 'value 0 of column 1'";
    assert_eq!(
        answer(&store, one).await,
        "2026-03-01T10:00:00Z window NULL 0 requests to 0 endpoints, 0 of them new\n\
         2026-03-01T11:30:00Z finding egress_spike finding 1 in revision 1\n\
         2026-03-01T14:00:00Z window NULL 333 requests to 133 endpoints, 125 of them new"
    );
    let times = answer(&store, "SELECT at FROM identity_timeline").await;
    assert!(times.lines().is_sorted());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_answer_whose_batches_share_memory_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    // Aggregation hands out slices of one large buffer.
    let sql = "SELECT DISTINCT concat('value ', value) FROM generate_series(1, 600000) AS t(value)";
    let asked = tokio::spawn(async move { store.query(sql).await });
    let (_, batches) = asked.await.unwrap().unwrap();
    let rows: usize = batches.iter().map(arrow::array::RecordBatch::num_rows).sum();
    assert_eq!(rows, 600_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_large_an_answer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    write(&store, &run("a"), 1, 1).await.unwrap();
    let sql = "SELECT value, repeat('x', 1000) FROM generate_series(1, 100000000) AS t(value)";
    let error = store.query(sql).await.unwrap_err().to_string();
    assert!(error.contains("add a WHERE or a LIMIT"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_expression_does_not_overflow_a_stack() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let depth = 400;
    let sql = format!("SELECT max(requests{}) FROM windows", "+1".repeat(depth));
    assert_eq!(answer(&store, &sql).await, (333 + depth).to_string());
    let sql = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let error = store.query(&sql).await.unwrap_err().to_string();
    check(&error, &["recursion limit exceeded"]);
}

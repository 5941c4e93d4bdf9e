//! The conformance kit of the server's store: it runs where `CLICKHOUSE_URL` names a server.
//!
//! Each test makes a database of its own, so that tests do not see each other's rows.

use crate::clickhouse::migration::MIGRATIONS;
use crate::clickhouse::{
    Client, Plaintext, Sample, SampleKind, Sampled, Settings, Sink, migrate, quote, verify,
};
use crate::error::StoreError;
use crate::health::Health;
use crate::tests::sample::{finding, rows};
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use model::Time;
use model::tables::{Table, time_type};
use std::time::Duration;
use tempfile::TempDir;

/// 2026-03-01T10:00:00Z in nanoseconds, where the samples start.
const START_NS: i64 = 1_772_359_200_000_000_000;

/// A client in an empty database, or nothing where there is no server.
async fn client(name: &str) -> Option<Client> {
    #[expect(clippy::disallowed_methods, reason = "only whoever runs the tests knows the server")]
    let Ok(url) = std::env::var("CLICKHOUSE_URL") else {
        println!("skipped: CLICKHOUSE_URL names no server");
        return None;
    };
    let (server, _) = url.split_once('?').unwrap_or((&url, ""));
    let (scheme, rest) = server.split_once("://").unwrap();
    let host = rest.split('/').next().unwrap();
    let of = |database: &str| {
        let url = format!("{scheme}://{host}/{database}");
        Client::new(Settings::parse(&url, Plaintext::Allowed).unwrap()).unwrap()
    };
    let database = format!("test_{name}");
    of("default").execute(&format!("DROP DATABASE IF EXISTS {database} SYNC")).await.unwrap();
    Some(of(&database))
}

/// A client whose tables are there, and a sink into them.
async fn migrated(name: &str) -> Option<(Client, Sink, TempDir)> {
    let client = client(name).await?;
    migrate(&client, None).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let sink = Sink::new(client.clone(), &dir.path().join("dead.ndjson"));
    Some((client, sink, dir))
}

/// The answer as one line per row.
async fn answer(client: &Client, sql: &str) -> String {
    let (_, batches) = client.query(sql).await.unwrap();
    lines(&batches)
}

fn lines(batches: &[RecordBatch]) -> String {
    let options = FormatOptions::default().with_null("NULL");
    let mut lines = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| {
                ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string()
            });
            lines.push(cells.collect::<Vec<_>>().join(" "));
        }
    }
    lines.join("\n")
}

async fn count(client: &Client, table: &str) -> usize {
    answer(client, &format!("SELECT count() FROM {table}")).await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_are_applied_once_and_checked() {
    let Some(client) = client("migrations").await else { return };
    client.ping().await.unwrap();
    let error = verify(&client).await.unwrap_err();
    assert!(matches!(error, StoreError::SchemaOld { found: 0, .. }), "{error}");
    let applied = migrate(&client, None).await.unwrap();
    assert_eq!(applied.len(), MIGRATIONS.len());
    assert_eq!(applied[1].name, "0002_findings");
    verify(&client).await.unwrap();
    assert_eq!(migrate(&client, None).await.unwrap(), []);

    client
        .execute(&format!(
            "ALTER TABLE schema_migrations DELETE WHERE version = {} SETTINGS mutations_sync = 2",
            MIGRATIONS.len()
        ))
        .await
        .unwrap();
    let error = verify(&client).await.unwrap_err().to_string();
    assert!(
        error.contains(&format!("version {}", MIGRATIONS.len() - 1))
            && error.contains("habitus migrate"),
        "{error}"
    );
    assert_eq!(migrate(&client, None).await.unwrap().len(), 1, "a half-done migration is repeated");

    let record = |version: u32, checksum: &str| {
        format!(
            "INSERT INTO schema_migrations (version, name, checksum, applied_at) \
             VALUES ({version}, 'x', '{checksum}', now64(3) + 5)"
        )
    };
    client.execute(&record(3, "c0ffee")).await.unwrap();
    for error in [verify(&client).await.unwrap_err(), migrate(&client, None).await.unwrap_err()] {
        assert!(error.to_string().contains("0003_signals"), "{error}");
    }
    client.execute(&record(1_000, "c0ffee")).await.unwrap();
    for error in [verify(&client).await.unwrap_err(), migrate(&client, None).await.unwrap_err()] {
        assert!(matches!(error, StoreError::SchemaNew { found: 1_000, .. }), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_come_back_as_they_went_in() {
    let Some((client, sink, _dir)) = migrated("round_trip").await else { return };
    for table in Table::ALL {
        let name = table.as_str();
        let (schema, batches) = client.query(&format!("SELECT * FROM {name}")).await.unwrap();
        assert_eq!(lines(&batches), "", "an empty store can be asked");
        for (given, wanted) in schema.fields().iter().zip(table.schema().fields()) {
            assert_eq!(given.name(), wanted.name());
            assert_eq!(given.data_type(), wanted.data_type(), "{name}.{}", given.name());
        }
    }
    let batch = rows(Table::Windows, 0, 700);
    sink.insert(Table::Windows, &batch).await.unwrap();
    let key = "tenant_id, principal_id, window_start";
    let read = answer(&client, &format!("SELECT * FROM windows ORDER BY {key}")).await;
    let mut wanted: Vec<_> = lines(&[batch]).lines().map(str::to_owned).collect();
    let mut read: Vec<_> = read.lines().map(str::to_owned).collect();
    wanted.sort_unstable();
    read.sort_unstable();
    assert_eq!(read.len(), 700);
    assert!(wanted == read, "{} or {}", wanted[0], read[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finding_comes_back_as_it_went_in() {
    let Some((client, sink, _dir)) = migrated("finding").await else { return };
    let mut found = finding(1, 7);
    found.sentence = "\\ ' \" \0 \u{1F511} \n{x:Y}?".to_owned();
    found.detected_at = found.detected_at.plus(123_456_000);
    sink.findings(std::slice::from_ref(&found)).await.unwrap();
    let wanted = crate::finding::rows(std::slice::from_ref(&found)).unwrap();
    for view in ["findings", "findings_latest"] {
        let (schema, read) = client.query(&format!("SELECT * FROM {view}")).await.unwrap();
        assert_eq!(lines(&read), lines(std::slice::from_ref(&wanted)), "{view}");
        let types: Vec<_> = schema.fields().iter().map(|it| it.data_type().clone()).collect();
        let wanted: Vec<_> =
            Table::Findings.schema().fields().iter().map(|it| it.data_type().clone()).collect();
        assert_eq!(types, wanted, "{view}");
    }
    let sql = format!("SELECT count() FROM findings WHERE sentence = {}", quote(&found.sentence));
    assert_eq!(answer(&client, &sql).await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_kept_once_however_it_is_cut() {
    let Some((client, sink, _dir)) = migrated("replay").await else { return };
    for table in [Table::Signals, Table::Windows, Table::Identities, Table::Endpoints] {
        let batch = rows(table, 0, 3_000);
        sink.insert(table, &batch).await.unwrap();
        let before = count(&client, table.as_str()).await;
        // In one piece, as before: its token is known. In others: its rows are.
        sink.insert(table, &batch).await.unwrap();
        sink.insert(table, &batch.slice(0, 1_777)).await.unwrap();
        sink.insert(table, &batch.slice(1_777, 1_223)).await.unwrap();
        assert_eq!(count(&client, table.as_str()).await, before, "{}", table.as_str());
    }
    assert_eq!(sink.counts().dead_letters, 0);
    let raw = "SELECT sum(rows) FROM system.parts \
               WHERE active AND database = currentDatabase() AND table = 'windows'";
    let parts: usize = answer(&client, raw).await.parse().unwrap();
    assert!(parts <= 6_000, "the repeated insert left no rows: {parts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_the_server_cannot_take_are_set_aside() {
    let Some((client, sink, dir)) = migrated("dead_letters").await else { return };
    // Their severities are none.
    sink.insert(Table::Findings, &rows(Table::Findings, 0, 3)).await.unwrap();
    sink.findings(&[finding(1, 1)]).await.unwrap();
    assert_eq!((sink.counts().dead_letters, sink.counts().rows), (3, 1));
    assert_eq!(count(&client, "findings").await, 1);
    let text = std::fs::read_to_string(dir.path().join("dead.ndjson")).unwrap();
    println!("{}", text.lines().next().unwrap());
    assert_eq!(text.lines().count(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_ten_years_ago_is_kept() {
    let Some((client, sink, _dir)) = migrated("old").await else { return };
    let mut old = finding(1, 1);
    old.window_start = old.window_start.plus(-3_650 * model::time::NS_PER_D);
    sink.findings(&[old]).await.unwrap();
    client.execute("OPTIMIZE TABLE findings FINAL").await.unwrap();
    assert_eq!(count(&client, "findings").await, 1);
    assert_eq!(count(&client, "findings_daily").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_highest_revision_wins_and_rollups_stay_right() {
    let Some((client, sink, _dir)) = migrated("revisions").await else { return };
    let of = |revision| (1..=3).map(|number| finding(number, revision)).collect::<Vec<_>>();
    for findings in [of(1), of(3), of(2), of(2)] {
        sink.findings(&findings).await.unwrap();
    }
    let sql = "SELECT sentence FROM findings_current ORDER BY sentence";
    let expected = "finding 1 in revision 3\nfinding 2 in revision 3\nfinding 3 in revision 3";
    assert_eq!(answer(&client, sql).await, expected);
    let sql =
        "SELECT principal_id, day, findings, score_max, severity_max, sentence FROM identity_risk";
    let expected = "o'brien 2026-03-01 3 1003.0 high finding 3 in revision 3";
    assert_eq!(answer(&client, sql).await, expected);
    let sql = "SELECT count() FROM findings_current WHERE severity >= 'medium'";
    assert_eq!(answer(&client, sql).await, "3", "severities are ordered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_state_does_not_replace_a_later_one() {
    let Some((client, sink, _dir)) = migrated("states").await else { return };
    // Row 2000 is the identity of row 0 again, four hours later.
    let sql = "SELECT count(), uniqExact(tenant_id, principal_id) FROM identities";
    for table in [Table::Identities, Table::Endpoints] {
        for (from, to) in [(0, 4_000), (0, 1_000)] {
            sink.insert(table, &rows(table, from, to)).await.unwrap();
        }
    }
    let counts = answer(&client, sql).await;
    let (all, distinct) = counts.split_once(' ').unwrap();
    assert_eq!(all, distinct);
    let sql = "SELECT min(last_seen) FROM identities";
    assert_eq!(answer(&client, sql).await, "2026-03-01T14:00:00Z");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timeline_tells_hours_and_findings_in_order() {
    let Some((client, sink, _dir)) = migrated("timeline").await else { return };
    let mut found = finding(1, 1);
    found.principal_id = Some("value 0 of column 1".into());
    found.detected_at = Time::from_ns(START_NS + 5_400_000_000_000);
    let mut nobodys = finding(2, 1);
    nobodys.principal_id = None;
    sink.findings(&[found, nobodys]).await.unwrap();
    sink.insert(Table::Windows, &rows(Table::Windows, 0, 2_001)).await.unwrap();
    let (schema, _) = client.query("SELECT * FROM identity_timeline").await.unwrap();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let expected =
        "at tenant_id principal_id kind detector entity headline requests bytes_out score";
    assert_eq!(names.join(" "), expected);
    assert_eq!(schema.field(0).data_type(), &time_type());
    let one = "SELECT at, kind, detector, headline FROM identity_timeline \
               WHERE principal_id = 'value 0 of column 1'";
    assert_eq!(
        answer(&client, one).await,
        "2026-03-01T10:00:00Z window NULL 0 requests to 0 endpoints, 0 of them new\n\
         2026-03-01T11:30:00Z finding egress_spike finding 1 in revision 1\n\
         2026-03-01T14:00:00Z window NULL 333 requests to 133 endpoints, 125 of them new"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_are_answered_and_changes_refused() {
    let Some((client, sink, _dir)) = migrated("questions").await else { return };
    sink.findings(&[finding(1, 1)]).await.unwrap();
    for sql in [
        "SELECT 1;",
        "SELECT severity, 'a?b' FROM findings -- the end",
        "WITH a AS (SELECT count() AS n FROM windows) SELECT n FROM a",
        "EXPLAIN SELECT * FROM findings_current",
        "SHOW TABLES",
        "DESCRIBE findings",
        "SELECT count() FROM findings WHERE window_start <= TIMESTAMP '2026-03-01T10:00:00Z'",
    ] {
        assert!(!answer(&client, sql).await.is_empty(), "{sql}");
    }
    let sql = "SELECT severity, CAST(NULL, 'Nullable(Enum8(''a'' = 1))') AS e FROM findings";
    assert_eq!(answer(&client, sql).await, "high NULL");
    for sql in [
        "DROP TABLE findings",
        "INSERT INTO signals SELECT * FROM signals",
        "CREATE TABLE t (x Int8) ENGINE = Memory",
        "ALTER TABLE findings DELETE WHERE 1",
        "TRUNCATE TABLE findings",
        "INSERT INTO FUNCTION file('habitus.csv') SELECT 1",
        "WITH 1 AS x INSERT INTO FUNCTION file('habitus.csv') SELECT x",
        "KILL QUERY WHERE 1",
    ] {
        let error = client.query(sql).await.unwrap_err().to_string();
        assert!(error.contains("a store is only read"), "{sql}: {error}");
    }
    for (sql, words) in [
        ("SELEC 1", "Syntax error"),
        ("SELECT nope FROM findings", "nope"),
        ("SELECT * FROM nope", "findings_current"),
        ("SELECT number FROM numbers(100000000)", "add a WHERE or a LIMIT"),
    ] {
        let error = client.query(sql).await.unwrap_err().to_string();
        assert!(error.contains(words), "{sql}: {error}");
        assert!(!error.contains("Code:") && !error.contains('\n'), "{error}");
        println!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_written_and_many_rows_are_quick() {
    let Some((client, sink, _dir)) = migrated("health").await else { return };
    let health = Health {
        at: Time::from_ns(START_NS),
        app: "habitus".into(),
        worker: "w1".into(),
        topic: "events".into(),
        partition: 3,
        offset: 17,
        watermark: Time::from_ns(START_NS),
        events: 10,
        findings: 1,
        late: 0,
        rejected: 2,
    };
    let health = Health::rows(&[health.clone(), health]).unwrap();
    sink.insert(Table::PipelineHealth, &health).await.unwrap();
    let sql = "SELECT partition, offset, events, rejected FROM pipeline_health";
    assert_eq!(answer(&client, sql).await, "3 17 10 2");
    let batch = rows(Table::Signals, 0, 100_000);
    let started = tokio::time::Instant::now();
    sink.insert(Table::Signals, &batch).await.unwrap();
    println!("100000 signals in {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_mins(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_are_written_in_the_servers_language() {
    let Some((client, _, _dir)) = migrated("roles").await else { return };
    for cluster in [None, Some("main")] {
        for statement in crate::clickhouse::roles::texts("db", cluster, &["acme"]).unwrap() {
            answer(&client, &format!("SELECT formatQuery({})", quote(&statement))).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_come_back_with_their_labels_and_give_a_rate() {
    let Some((client, _, _dir)) = migrated("metrics").await else { return };
    let sample = |topic: &str, value: f64| Sample {
        name: "habitus_source_records_total".to_owned(),
        labels: vec![("topic", topic.to_owned()), ("partition", "0".to_owned())],
        kind: SampleKind::Counter,
        value,
    };
    let hostile = "it's \\ {x:Y}";
    // The second process counts from the start again.
    for (worker, second, value) in
        [("w1", 0, 5.0), ("w1", 15, 35.0), ("w2", 30, 0.0), ("w2", 45, 10.0)]
    {
        let at = Time::from_ns(START_NS + second * 1_000_000_000);
        let of = Sampled { at, app: "habitus", worker };
        let samples = [sample("logs", value), sample(hostile, 1.5)];
        assert_eq!(client.keep_samples(of, &samples).await.unwrap(), 2);
    }
    let more = "SELECT topic, sum(more) FROM (SELECT labels['topic'] AS topic, \
                value - lagInFrame(value, 1, value) OVER (PARTITION BY worker, toString(labels) ORDER BY at \
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS more FROM metrics \
                WHERE app = 'habitus' AND name = 'habitus_source_records_total') \
                GROUP BY topic ORDER BY topic";
    assert_eq!(answer(&client, more).await, format!("{hostile} 0.0\nlogs 40.0"));
    let sql = "SELECT DISTINCT kind, labels['partition'], mapKeys(labels)[1] FROM metrics";
    assert_eq!(answer(&client, sql).await, "counter 0 topic");
}

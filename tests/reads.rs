//! The commands that read: the same rows in a directory and on a server give the same bytes.

use crate::habitus::{Place, Said, text};
use crate::services::{self, ClickHouse};
use arrow::array::{ArrayRef, AsArray as _, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use model::tables::Table;
use std::path::PathBuf;
use std::sync::Arc;
use store::clickhouse::{Client, Plaintext, Settings, Sink};
use store::{Question, Reader, RunId, Store, Value};

/// A day with attacks, replayed into a directory and into a server with one key.
pub(crate) struct Both {
    pub(crate) place: Place,
    pub(crate) url: String,
    findings: Vec<serde_json::Value>,
}

/// The address of a new database for the program.
pub(crate) fn database(server: &ClickHouse, name: &str) -> String {
    let host = server.url.strip_prefix("http://").unwrap().trim_end_matches('/');
    format!("clickhouse://{host}/{}", server.database(name))
}

/// A demo's day in both, in `store` of the place and at the URL.
pub(crate) fn both(server: &ClickHouse, name: &str) -> Both {
    let place = Place::new();
    let key = place.write("key.txt", "ab".repeat(32));
    let url = database(server, name);
    ok(place.run(&["demo", "--key-file", &key, "--output", "json"]));
    let log = place.path("store/demo/kong-seed1.ndjson.zst");
    let log = log.to_str().unwrap().to_owned();
    ok(place.run_at(&url, &["migrate"]));
    // The run is the same as the demo's, so its rows are.
    let replay = ["replay", &log, "--key-file", &key, "--output", "ndjson"];
    let there = ok(place.run_at(&url, &replay));
    let findings = ok(place.run(&["findings", "--limit", "10000", "--output", "ndjson"]));
    assert_eq!(there.out, findings.out, "a replay shows what it found, wherever it keeps it");
    let findings = findings.rows();
    assert!(findings.len() > 10, "{}", findings.len());
    Both { place, url, findings }
}

#[track_caller]
fn ok(said: Said) -> Said {
    assert_eq!(said.code, 0, "{}", said.err);
    said
}

impl Both {
    /// Compares a command's outputs in every format.
    #[track_caller]
    fn check(&self, args: &[&str]) -> String {
        let mut last = String::new();
        for format in ["json", "ndjson", "csv", "table"] {
            let args = [args, &["--output", format]].concat();
            let here = self.place.run(&args);
            let there = self.place.run_at(&self.url, &args);
            assert_eq!((here.code, &here.err), (there.code, &there.err), "{args:?}");
            // An empty store says where it is.
            let place = self.place.path("store");
            let place = place.to_str().unwrap();
            let stable = |out: &str| out.replace(place, "STORE").replace(&self.url, "STORE");
            let (here, there) = (stable(&here.out), stable(&there.out));
            assert!(here == there, "{args:?}\n{here}\n---\n{there}");
            last = here;
        }
        last
    }
}

#[test]
fn reads_are_the_same_from_a_directory_and_from_a_server() {
    const TEST: &str = "reads_are_the_same_from_a_directory_and_from_a_server";
    let Some(server) = services::clickhouse(TEST) else { return };
    let both = both(server, "reads");
    assert!(both.check(&["findings"]).contains("rows"));
    both.check(&["findings", "--severity", "high"]);
    both.check(&["findings", "--severity", "info", "--limit", "3"]);
    both.check(&["findings", "--detector", "auth_failures"]);
    let at = text(&both.findings[0], "detected_at");
    both.check(&["findings", "--since", at]);
    both.check(&["findings", "--until", at, "--severity", "low"]);
    assert!(both.check(&["findings", "--until", "2001-01-01"]).starts_with("no findings until"));
    let mut who: Vec<_> = both.findings.iter().map(|it| text(it, "principal_id")).collect();
    who.sort_unstable();
    who.dedup();
    for who in who.iter().take(4) {
        assert!(both.check(&["identity", who]).contains("principal_id"), "{who}");
        both.check(&["findings", "--identity", who]);
    }
    both.check(&["identity", who[0], "--since", at]);
    for finding in both.findings.iter().take(4) {
        let id = text(finding, "finding_id");
        assert!(both.check(&["explain", id.get(..8).unwrap()]).contains("To see for yourself"));
    }
    let report = ["report", "--out", "-"];
    let (here, there) = (both.place.run(&report), both.place.run_at(&both.url, &report));
    assert!(ok(here).out == ok(there).out, "two reports of the same rows differ");
    both.check(&[
        "query",
        "SELECT detector, entity, round(score, 3) AS score FROM findings_current \
                           ORDER BY score DESC, detector, entity LIMIT 7",
    ]);
}

#[test]
fn a_replay_says_of_each_input_what_was_read_of_it_in_both_stores() {
    const TEST: &str = "a_replay_says_of_each_input_what_was_read_of_it_in_both_stores";
    let Some(server) = services::clickhouse(TEST) else { return };
    let (place, url) = (Place::new(), database(server, "inputs"));
    let line = |minute: u32| {
        serde_json::json!({"time": format!("2026-04-14T09:{minute:02}:00Z"), "consumer": "jo",
            "method": "GET", "path": "/orders", "status": 200})
        .to_string()
            + "\n"
    };
    let all = place.write("all.ndjson", (0..30).map(line).collect::<String>());
    let some = place.write("some.ndjson", (0..9).map(line).collect::<String>() + "{\"broken\n");
    let key = place.write("key.txt", "cd".repeat(32));
    let replay = ["replay", &all, &some, "--key-file", &key, "--output", "ndjson"];
    ok(place.run(&replay));
    ok(place.run_at(&url, &["migrate"]));
    ok(place.run_at(&url, &replay));
    // Once more, which changes nothing.
    ok(place.run(&replay));
    ok(place.run_at(&url, &replay));
    let both = Both { place, url, findings: Vec::new() };
    let sql = "SELECT at, app, worker, topic, partition, \"offset\", watermark, events, findings, late, \
               rejected FROM pipeline_health ORDER BY topic";
    both.check(&["query", sql]);
    let rows = ok(both.place.run(&["query", sql, "--output", "ndjson"])).rows();
    for (row, (input, offset, events, rejected, minute)) in
        rows.iter().zip([(&all, 30, 30, 0, 29), (&some, 10, 9, 1, 8)])
    {
        assert_eq!((text(row, "topic"), text(row, "app")), (input.as_str(), "replay"));
        for (column, expected) in [("offset", offset), ("events", events), ("rejected", rejected)] {
            assert_eq!(row[column], expected, "{column} of {row}");
        }
        let last = format!("2026-04-14T09:{minute:02}:00");
        assert!(text(row, "at").starts_with(&last), "{row}");
        assert_eq!(row["at"], row["watermark"]);
        assert_eq!(text(row, "worker"), "");
    }
    assert_eq!(rows.len(), 2);
}

#[test]
fn reads_take_whatever_is_typed_as_a_text() {
    const TEST: &str = "reads_take_whatever_is_typed_as_a_text";
    let Some(server) = services::clickhouse(TEST) else { return };
    let (place, url) = (Place::new(), database(server, "typed"));
    let line = |who: &str, minute: u32| {
        serde_json::json!({"time": format!("2026-04-14T09:{minute:02}:00Z"), "consumer": who,
            "method": "GET", "path": "/orders", "status": 200})
        .to_string()
    };
    let names = ["o'brien", "back\\slash", "a\\' OR 1=1 --", "tab\tnew\\n", "percent%_", "{x:Y}$z"];
    let lines = (0..).zip(names).map(|(minute, who)| line(who, minute) + "\n");
    let log = place.write("log.ndjson", lines.collect::<String>());
    let key = place.write("key.txt", "cd".repeat(32));
    ok(place.run(&["replay", &log, "--key-file", &key]));
    ok(place.run_at(&url, &["migrate"]));
    ok(place.run_at(&url, &["replay", &log, "--key-file", &key]));
    let known =
        ok(place.run(&["query", "SELECT principal_id FROM identities", "--output", "ndjson"]));
    let known: Vec<_> =
        known.rows().iter().map(|row| text(row, "principal_id").to_owned()).collect();
    assert_eq!(known.len(), names.len(), "{known:?}");
    let both = Both { place, url, findings: Vec::new() };
    for who in &known {
        let shown = both.check(&["identity", who]);
        assert!(shown.contains("1 requests to 1 endpoints"), "{who:?}: {shown}");
        both.check(&["findings", "--identity", who]);
    }
    // As the queries that show evidence have these names.
    for (who, literal) in [
        ("back\\slash", r"replace('back\\slash', '\\', substr('\\', 1, 1))"),
        ("a\\' OR 1=1 --", r"replace('a\\'' OR 1=1 --', '\\', substr('\\', 1, 1))"),
    ] {
        let sql = format!("SELECT principal_id FROM identities WHERE principal_id = {literal}");
        assert!(both.check(&["query", &sql]).contains(who), "{who}");
    }
    for typed in ["' OR ''='", "\\", "\\' OR 1 --", "%", "nobody", "o'b", ""] {
        both.check(&["findings", "--identity", typed]);
        both.check(&["identity", typed]);
    }
    for typed in ["0000", "ffff' OR '1'='1", "%%%%"] {
        both.check(&["explain", typed]);
    }
}

#[test]
fn reads_and_replays_need_the_tables_and_say_so() {
    const TEST: &str = "reads_and_replays_need_the_tables_and_say_so";
    let Some(server) = services::clickhouse(TEST) else { return };
    let (place, url) = (Place::new(), database(server, "bare"));
    let log = place.write("log.ndjson", "{}\n");
    let said = place.run_at(&url, &["replay", &log]);
    assert!(said.code == 1 && said.err.contains("habitus migrate"), "{}", said.err);
    let said = place.run_at(&url, &["demo"]);
    assert!(said.code == 1 && said.err.contains("give it a directory"), "{}", said.err);
    let store: PathBuf = place.path("habitus-data");
    assert!(!store.join("demo").exists(), "nothing was made up");
}

/// An hour of an identity, in which all else is nothing.
fn hour(who: &str, requests: &str, tools: &str) -> RecordBatch {
    let schema = Table::Windows.schema();
    let columns = schema.fields().iter().map(|field| -> ArrayRef {
        let text = match (field.name().as_str(), field.data_type()) {
            ("principal_id", _) => who,
            ("requests", _) => requests,
            ("tools_distinct", _) => tools,
            (_, DataType::Timestamp(_, _)) => "2026-03-02T10:00:00Z",
            _ => "0",
        };
        cast(&StringArray::from(vec![text]), field.data_type()).unwrap()
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

/// What the hours of a store say, the columns of these names in a line.
async fn said_of_hours(reader: &Reader, names: &[&str]) -> String {
    let since = vec![("since_us", Value::Int(0))];
    let (_, batches) = reader.ask(Question::CoverageHours, since).await.unwrap();
    let row = batches.iter().find(|it| it.num_rows() == 1).unwrap();
    let cell = |name: &&str| {
        let column = cast(row.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
        column.as_string::<i32>().value(0).to_owned()
    };
    names.iter().map(cell).collect::<Vec<_>>().join(" | ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_hour_that_two_runs_saw_happened_once_with_the_higher_numbers() {
    const TEST: &str = "an_hour_that_two_runs_saw_happened_once_with_the_higher_numbers";
    let names = ["hours", "requests", "with_tools"];
    // Of one identity the run that saw more calls is the first, of the other the last.
    let runs = [
        ("a", [hour("peer", "10", "0"), hour("other", "8", "2")]),
        ("b", [hour("peer", "8", "2"), hour("other", "10", "0")]),
    ];
    let place = Place::new();
    let store = Store::create(&place.path("store"), None, [7; 32]).await.unwrap();
    for (name, hours) in &runs {
        let mut writer = store.writer(&RunId::new(name).unwrap());
        for hour in hours {
            writer.write(Table::Windows, hour.clone()).await.unwrap();
        }
        writer.commit().await.unwrap();
    }
    let here = said_of_hours(&Reader::Directory(store), &names).await;
    assert_eq!(here, "2 | 20 | 2");

    let Some(server) = services::clickhouse(TEST) else { return };
    let url = database(server, "hours");
    let client = Client::new(Settings::parse(&url, Plaintext::Allowed).unwrap()).unwrap();
    store::clickhouse::migrate(&client, None).await.unwrap();
    // Until they are merged the server has the rows of both runs.
    server.query(&format!("SYSTEM STOP MERGES {}.windows", client.settings().database()));
    let sink = Sink::new(client.clone(), &place.path("dead-letters"));
    for hour in runs.iter().flat_map(|(_, hours)| hours) {
        sink.insert(Table::Windows, hour).await.unwrap();
    }
    assert_eq!(said_of_hours(&Reader::Server(client), &names).await, here);
}

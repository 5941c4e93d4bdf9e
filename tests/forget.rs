//! `habitus forget`: nothing names who was forgotten, in a directory, on a server, in a service.

mod service;

use crate::habitus::{Place, text};
use crate::reads::database;
use crate::services::{self, ClickHouse};
use serde_json::Value;

/// The tables of a directory.
const TABLES: [&str; 6] =
    ["findings", "signals", "windows", "identities", "identity_timeline", "audit"];

/// A call of somebody, as generic JSON.
fn call(who: &str, minute: u32, path: &str, status: u16) -> String {
    serde_json::json!({
        "time": format!("2026-04-14T{:02}:{:02}:00Z", 9 + minute / 60, minute % 60),
        "consumer": who, "method": "GET", "path": path, "status": status, "bytes_out": 900,
        "ip": "192.0.2.7",
    })
    .to_string()
        + "\n"
}

fn log() -> String {
    let each = (0..180).flat_map(|minute| {
        ["zoe-77", "zoe-771", "max-1"].map(|who| call(who, minute, "/orders", 200))
    });
    each.collect()
}

/// Everything that the directory says when it is asked, and all of its bytes.
fn everything(place: &Place) -> String {
    let mut all = String::new();
    for table in TABLES {
        all += &place.query("store", &format!("SELECT * FROM {table}"));
    }
    let mut open = vec![place.path("store")];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                all += &path.to_string_lossy();
                all += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
            }
        }
    }
    all
}

/// Whether a text has the name as a word of its own.
pub(crate) fn names(all: &str, who: &str) -> bool {
    let joins = |c: char| c.is_ascii_alphanumeric() || c == '-';
    all.match_indices(who).any(|(at, _)| {
        let before = all.get(..at).unwrap().chars().next_back();
        let after = all.get(at + who.len()..).unwrap().chars().next();
        !before.is_some_and(joins) && !after.is_some_and(joins)
    })
}

fn removed(rows: &[Value], table: &str) -> i64 {
    rows.iter().find(|row| text(row, "table") == table).unwrap()["removed"].as_i64().unwrap()
}

#[test]
fn forget_leaves_no_byte_in_a_directory() {
    let place = Place::new();
    let file = place.write("log.ndjson", log());
    place.replay(&[&file], &[]);
    let letter = "{\"table\":\"windows\",\"row\":{\"principal_id\":\"zoe-77\"}}\n";
    place.write("store/dead-letters.ndjson", letter);
    std::fs::create_dir(place.path("store/webhook")).unwrap();
    let about = "{\"unmapped\":{\"principal_id\":\"zoe-77\"}}";
    let naming = "{\"message\":\"went on as zoe-77\",\"unmapped\":{\"principal_id\":\"max-1\"}}";
    for (number, body) in [about, naming].iter().enumerate() {
        let name = format!("store/webhook/{number:020}.f{number}_1.json");
        place.write(&name, format!("7\n{body}\n"));
    }
    let given_up = format!("{{\"outlet\":\"webhook\",\"why\":\"410\",\"event\":{about}}}\n");
    place.write("store/outlet-dead-letters.ndjson", given_up);
    assert!(names(&everything(&place), "zoe-77"));
    let dry = place.run(&["forget", "zoe-77", "--dry-run", "--output", "ndjson"]);
    assert_eq!(dry.code, 0, "{}", dry.err);
    assert_eq!(removed(&dry.rows(), "windows"), 3);
    assert_eq!(removed(&dry.rows(), "outlets"), 2);
    assert!(names(&everything(&place), "zoe-77"), "counting changes nothing");
    let done = place.run(&["forget", "zoe-77", "--yes", "--output", "ndjson"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert_eq!(done.rows(), dry.rows(), "what was counted was removed");
    assert_eq!(removed(&done.rows(), "identities"), 1);
    assert_eq!(removed(&done.rows(), "dead letters"), 1);
    let left = everything(&place);
    assert!(!names(&left, "zoe-77") && names(&left, "zoe-771") && names(&left, "max-1"));
    let audit = place.query("store", "SELECT action, rows_removed, result FROM audit");
    assert!(audit.starts_with("action,rows_removed,result\nforget,"), "{audit}");
    assert!(audit.ends_with(",done\n"), "{audit}");
}

#[test]
fn forget_refuses_who_is_not_one() {
    let place = Place::new();
    let file = place.write("log.ndjson", log());
    place.replay(&[&file], &[]);
    for (args, words) in [
        (&["forget", "zoe", "--yes"][..], "fits more than one identity"),
        (&["forget", "nobody", "--yes"], "no identity is called `nobody`"),
        (&["forget", "zoe-77"], "--yes"),
    ] {
        let said = place.run(args);
        assert!(said.code == 1 && said.err.contains(words), "{args:?}: {}", said.err);
    }
    assert!(names(&everything(&place), "zoe-77"));
}

#[test]
fn forget_takes_a_name_out_of_findings_about_others() {
    const TEST: &str = "forget_takes_a_name_out_of_findings_about_others";
    let place = Place::new();
    let key = place.write("key.txt", "ab".repeat(32));
    let said = place.run(&["demo", "--key-file", &key, "--output", "json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let sql = "SELECT sentence FROM findings_current WHERE detector = 'auth_failures' \
               AND sentence LIKE '% followed, as %'";
    let found = place.run(&["query", sql, "--output", "ndjson"]).rows();
    let sentence = text(&found[0], "sentence");
    let name = sentence.split(" followed, as ").nth(1).unwrap();
    let name = name.split([',', ';', '.']).next().unwrap().trim_end_matches(" and others").trim();
    let log = place.path("store/demo/kong-seed1.ndjson.zst");
    let held = place.path("log.ndjson.zst");
    // The log is not the store's: it stays with whoever keeps logs.
    std::fs::rename(&log, &held).unwrap();
    let done = place.run(&["forget", name, "--yes", "--output", "ndjson"]);
    assert_eq!(done.code, 0, "{name}: {}", done.err);
    let changed = done.rows()[0]["changed"].as_i64().unwrap();
    assert!(changed > 0, "{:?}", done.rows());
    assert!(!names(&everything(&place), name), "{name}");
    let found = place.run(&["query", sql, "--output", "ndjson"]).rows();
    assert!(text(&found[0], "sentence").contains("as [forgotten]"), "{found:?}");

    let Some(server) = services::clickhouse(TEST) else { return };
    let url = database(server, "forget");
    let run = |args: &[&str]| {
        let said = place.run_at(&url, args);
        assert_eq!(said.code, 0, "{args:?}: {}", said.err);
        said
    };
    run(&["migrate"]);
    run(&["replay", held.to_str().unwrap(), "--key-file", &key, "--output", "ndjson"]);
    let database = url.rsplit('/').next().unwrap();
    assert!(holding(server, database, name) > 0);
    let more = ["--key-file", &key, "--output", "ndjson"];
    let dry = run(&[&["forget", name, "--dry-run"][..], &more].concat());
    let there = run(&[&["forget", name, "--yes"][..], &more].concat());
    assert_eq!(there.rows(), dry.rows());
    assert_eq!(removed(&there.rows(), "windows"), removed(&done.rows(), "windows"));
    assert_eq!(holding(server, database, name), 0, "no table names {name}");
    let sql = "SELECT actor != '' AS a, result, rows_removed > 0 AS b FROM audit";
    assert_eq!(run(&["query", sql, "--output", "csv"]).out, "a,result,b\n1,done,1\n");
    let daily =
        "SELECT count() AS n FROM identity_risk WHERE position(sentence, '[forgotten]') > 0";
    assert_ne!(run(&["query", daily, "--output", "csv"]).out, "n\n0\n", "days were summed up anew");
    // What is left reads the same from both.
    let listed = ["findings", "--limit", "1000", "--output", "ndjson"];
    let here = place.run(&listed).out;
    let there = run(&listed).out.replace(held.to_str().unwrap(), log.to_str().unwrap());
    assert!(here == there, "{here}\n---\n{there}");
}

/// In how many text columns of a database a name stands, states of sums included.
fn holding(server: &ClickHouse, database: &str, name: &str) -> usize {
    let columns = server.query(&format!(
        "SELECT table, name FROM system.columns WHERE database = '{database}' \
         AND (type LIKE '%String%') AND table NOT IN ('schema_migrations') \
         AND table IN (SELECT name FROM system.tables WHERE database = '{database}' \
         AND engine LIKE '%MergeTree')"
    ));
    let mut holding = 0;
    for line in columns.lines() {
        let (table, column) = line.split_once('\t').unwrap();
        let sql = format!(
            "SELECT count() FROM {database}.{table} \
             WHERE position(toString({column}), '{name}') > 0"
        );
        // A state is looked at as what it comes to.
        let of_state = sql.replace(
            &format!("toString({column})"),
            &format!("toString(finalizeAggregation({column}))"),
        );
        let count = server.try_query(&sql).or_else(|_| server.try_query(&of_state)).unwrap();
        holding += usize::from(count != "0");
    }
    holding
}

//! Whole outputs of the commands, compared with `tests/snapshots/`; `HABITUS_UPDATE_SNAPSHOTS=1` writes them.

use crate::habitus::{Place, Said, root, text, variable};

/// Replaces what depends on the machine or the moment.
fn stable(place: &Place, said: &str) -> String {
    let said = said.replace(place.path("").to_str().unwrap().trim_end_matches('/'), "PLACE");
    said.replace(root().to_str().unwrap(), "ROOT")
}

/// Compares an output with the snapshot `name`, or writes it.
#[track_caller]
fn check(name: &str, output: &str) {
    let path = root().join("tests/snapshots").join(name);
    if variable("HABITUS_UPDATE_SNAPSHOTS") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, output).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == output,
        "{name} has changed; if that is right, run again with HABITUS_UPDATE_SNAPSHOTS=1\n{output}"
    );
}

#[track_caller]
fn ok(said: Said) -> String {
    assert_eq!(said.code, 0, "{}", said.err);
    said.out
}

#[test]
fn the_help_of_every_command() {
    let place = Place::new();
    let commands = [
        "demo",
        "evaluate",
        "replay",
        "normalize",
        "formats",
        "coverage",
        "findings",
        "incidents",
        "explain",
        "query",
        "identity",
        "privileges",
        "report",
        "migrate",
        "feedback",
        "baseline",
        "change-window",
        "forget",
        "simulate",
        "health",
        "check",
    ];
    let help = |args: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_habitus"));
        let output = command.args(args).arg("--help").env("COLUMNS", "100").output().unwrap();
        assert!(output.status.success(), "{args:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let mut all = help(&[]);
    for command in commands {
        let said = help(&[command]);
        all = format!("{all}\n==== habitus {command} --help ====\n{said}");
    }
    check("help.txt", &stable(&place, &all));
}

#[test]
fn the_formats() {
    let place = Place::new();
    check("formats.txt", &ok(place.run(&["formats", "--output", "table"])));
    let kong = root().join("tests/corpus/object_enumeration/attack/scattered_invoices.ndjson.gz");
    let kong = kong.to_str().unwrap();
    let said = ok(place.run(&["formats", "explain", kong]));
    for part in [
        "kong: Kong gateway logs",
        "why: it has latencies, started_at, request\n",
        "  latencies.request -> duration_ns [milliseconds] = ",
        "  request.uri -> url_path, url_query = /",
        " in 200 of 200 records\n",
        "not in another format:\n",
        "it is text, and the record is JSON\n",
    ] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    let said = place.run(&["formats", "explain", kong, "--format", "kong", "--output", "json"]);
    let rows = said.rows();
    assert_eq!((rows.len(), said.code), (1, 0), "{}", said.err);
    assert_eq!(rows[0]["format"], "kong");
    assert_eq!(rows[0]["why"], "it was named");
    assert_eq!(rows[0]["records"], 200);
    let fields = rows[0]["fields"].as_array().unwrap();
    assert!(fields.iter().any(|it| it["field"] == "consumer.id" && it["value"] != ""));
}

#[test]
fn what_a_replay_found_reads_the_same_every_time() {
    let place = Place::new();
    let file = root().join("tests/corpus/object_enumeration/attack/scattered_invoices.ndjson.gz");
    let key = place.write("key", "5a".repeat(32));
    let (findings, _) = place.replay(&[file.to_str().unwrap()], &["--key-file", &key]);
    let sweep = findings.iter().find(|it| text(it, "detector") == "object_enumeration").unwrap();
    let id = text(sweep, "finding_id").get(..8).unwrap().to_owned();
    for (output, name) in
        [("table", "findings.txt"), ("csv", "findings.csv"), ("json", "findings.json")]
    {
        let said = place.run(&["findings", "--detector", "object_enumeration", "--output", output]);
        check(name, &stable(&place, &ok(said)));
    }
    let said = ok(place.run(&["explain", &id, "--output", "table"]));
    check("explain.txt", &stable(&place, &said));
    check("identity.txt", &ok(place.run(&["identity", "fin-07", "--output", "table"])));
    let sql = "SELECT principal_id, sum(requests) AS requests FROM windows GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5";
    for output in ["table", "csv", "json", "ndjson"] {
        check(&format!("query.{output}"), &ok(place.run(&["query", sql, "--output", output])));
    }
    let said = ok(place.run(&["check", file.to_str().unwrap()]));
    check("check.txt", &stable(&place, &said));
}

#[test]
fn filters_of_findings_hold() {
    let place = Place::new();
    let file = root().join("tests/corpus/auth_failures/attack/password_spraying.log.gz");
    place.replay(&[file.to_str().unwrap()], &[]);
    let count = |more: &[&str]| {
        let args = [&["findings", "--output", "ndjson"], more].concat();
        place.run(&args).rows().len()
    };
    assert!(count(&["--identity", "203.0.113.77"]) >= 1);
    assert_eq!(count(&["--identity", "nobody"]), 0);
    assert!(count(&["--detector", "auth_failures", "--since", "2026-04-16"]) >= 1);
    assert_eq!(count(&["--until", "2026-04-14"]), 0);
    assert_eq!(count(&["--limit", "1"]), 1);
    let said = place.run(&["findings", "--since", "yesterday"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("--since"), "{}", said.err);
}

#[test]
fn the_demo_finds_every_loud_attack_and_little_else() {
    let place = Place::new();
    let said = place.run(&["demo", "--output", "ndjson"]);
    let report = &said.rows()[0];
    for attack in report["attacks"].as_array().unwrap() {
        let (name, detector) = (text(attack, "attack"), text(attack, "detector"));
        let by: Vec<_> = attack["by"].as_array().unwrap().iter().map(|it| it.as_str()).collect();
        let is_found = by.contains(&Some(detector));
        println!("demo: {name}: {}", if is_found { "found" } else { "missed" });
        assert!(
            is_found || text(attack, "strength") != "loud",
            "{name} is missed: found by {by:?}"
        );
    }
    let others = report["other_findings"].as_array().unwrap();
    assert!(others.len() <= 10, "{others:#?}");
    assert_eq!(report["summary"]["rejected"], 0);
}

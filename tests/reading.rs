//! Reading results and looking at inputs: what a person types, and what is said to that.

use crate::habitus::{Place, Said, root, text};
use crate::samples::unpacked;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

/// Ordinary lines of a generic JSON log, one a second.
fn lines(seconds: std::ops::Range<u32>) -> String {
    let line = |second: u32| {
        format!(
            "{{\"time\":\"2026-04-14T{:02}:{:02}:{:02}Z\",\"consumer\":\"acme\",\"method\":\"GET\",\
             \"path\":\"/orders\",\"status\":200,\"ip\":\"192.0.2.7\"}}\n",
            9 + second / 3_600,
            second / 60 % 60,
            second % 60,
        )
    };
    seconds.map(line).collect()
}

/// A sweep over invoices by the consumer that people call `fin-07`, in a store.
fn with_a_finding() -> Place {
    let place = Place::new();
    let log = root().join("tests/corpus/object_enumeration/attack/scattered_invoices.ndjson.gz");
    let log = String::from_utf8(unpacked(&log)).unwrap();
    let log = log.replace("\"id\":\"fin-07\"", "\"id\":\"6108eb7c-fin\"");
    let file = place.write("gateway.ndjson", log);
    place.replay(&[&file], &[]);
    place
}

/// A command that ends with this code and says these words, in one line on standard error if it failed.
#[track_caller]
fn check(said: &Said, code: i32, words: &str) {
    assert_eq!(said.code, code, "{}{}", said.out, said.err);
    assert!(!said.err.contains("os error"), "{}", said.err);
    let all = format!("{}{}", said.out, said.err);
    assert!(all.contains(words), "{words}: {all}");
    if code == 1 {
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    }
}

#[test]
fn exit_codes_are_those_of_the_readme() {
    let place = Place::new();
    let log = place.write("good.ndjson", lines(0..50));
    place.replay(&[&log], &[]);
    check(&place.run(&["--help"]), 0, "Usage");
    check(&place.run(&["check", &log]), 0, "ok, generic_json");
    let misspelt: [&[&str]; 6] = [
        &["findings", "--no-such-option"],
        &["findings", "--limit", "many"],
        &["findings", "--limit", "0"],
        &["findings", "--output", "xml"],
        &["explain"],
        &["no-such-command"],
    ];
    for wrong in misspelt {
        check(&place.run(wrong), 2, "");
    }
    let refused: [(&[&str], &str); 11] = [
        (&["findings", "--severity", "loud"], "info, low, medium, high, critical"),
        (&["findings", "--detector", "none"], "object_enumeration"),
        (&["findings", "--since", "yesterday"], "--since is `yesterday`, which is no time"),
        (&["findings", "--since", "2026-03-02T25:00"], "which is no time"),
        (&["findings", "--since", "2026-03-02", "--until", "2026-03-01"], "no time lies between"),
        (&["findings", "--identity", "nobody"], "no identity is called `nobody`"),
        (&["explain", "00000000"], "00000000"),
        (&["identity", "nobody"], "nobody"),
        (&["query", "SELECT nothing FROM findings"], "nothing"),
        (&["check", "missing.log"], "missing.log"),
        (&["formats", "explain", "missing.log"], "missing.log"),
    ];
    for (failed, words) in refused {
        check(&place.run(failed), 1, words);
    }
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for code in ["| 0 | done |", "| 1 | failed", "| 2 | a wrong command line"] {
        assert!(readme.contains(code), "README.md lacks `{code}`");
    }
}

#[test]
fn findings_that_are_not_there_are_not_a_table() {
    let place = Place::new();
    let log = place.write("good.ndjson", lines(0..50));
    place.replay(&[&log], &[]);
    let list = |place: &Place, more: &[&str]| {
        place.run(&[&["findings", "--output", "table"], more].concat())
    };
    check(&list(&place, &["--severity", "high"]), 0, "no findings: the store in ");
    let place = with_a_finding();
    let said = list(&place, &["--until", "2026-01-01", "--identity", "fin-07"]);
    let words = "no findings until 2026-01-01, about the identity fin-07\n";
    check(&said, 0, words);
    assert_eq!(said.out, words);
}

#[test]
fn findings_are_filtered_and_ordered_by_severity() {
    const LEVELS: [&str; 5] = ["critical", "high", "medium", "low", "info"];
    let place = with_a_finding();
    let all = place.run(&["findings", "--output", "ndjson"]).rows();
    let rank = |it: &serde_json::Value| {
        LEVELS.iter().position(|level| *level == text(it, "severity")).unwrap()
    };
    let keys: Vec<_> = all.iter().map(|it| (rank(it), -it["score"].as_f64().unwrap())).collect();
    assert!(!keys.is_empty() && keys.is_sorted(), "{keys:?}");
    for (least, level) in LEVELS.iter().enumerate() {
        let said = place.run(&["findings", "--output", "ndjson", "--severity", level]);
        let expected = all.iter().filter(|it| rank(it) <= least).count();
        assert_eq!(said.rows().len(), expected, "{level}");
    }
    let said = place.run(&["findings", "--output", "ndjson", "--severity", "LOW"]);
    assert_eq!(said.rows().len(), all.iter().filter(|it| rank(it) <= 3).count());
}

#[test]
fn findings_of_an_identity_and_a_span_are_those_of_all_that_fit() {
    let place = with_a_finding();
    let list = |more: &[&str]| {
        let said = place.run(&[&["findings", "--output", "ndjson"], more].concat());
        check(&said, 0, "");
        said.rows()
    };
    let all = list(&[]);
    let of_it: Vec<_> =
        all.iter().filter(|it| text(it, "principal_id") == "6108eb7c-fin").cloned().collect();
    assert!(!of_it.is_empty());
    for typed in ["6108eb7c-fin", "6108eb", "fin-07"] {
        assert_eq!(list(&["--identity", typed]), of_it, "{typed}");
    }
    for (typed, words) in [("stock-", "more than one identity"), ("STOCK-0", "near it are stock-")]
    {
        let said = place.run(&["findings", "--identity", typed]);
        check(&said, 1, words);
        assert_eq!(said.err, place.run(&["identity", typed]).err);
    }
    let since = |time: &str| all.iter().filter(|it| text(it, "detected_at") >= time).count();
    for (typed, time) in [
        ("2026-04-16T14", "2026-04-16T14:00:00"),
        ("2026-04-16 14:30", "2026-04-16T14:30:00"),
        ("2026-04-16T14:30+02:00", "2026-04-16T12:30:00"),
    ] {
        assert_eq!(list(&["--since", typed]).len(), since(time), "{typed}");
    }
}

#[test]
fn findings_are_read_to_their_end_and_many_columns_below_each_other() {
    let place = with_a_finding();
    let one = &["--detector", "object_enumeration", "--limit", "1"];
    let rows = place.run(&[&["findings", "--output", "ndjson"], &one[..]].concat()).rows();
    let said = place.run(&[&["findings", "--output", "table"], &one[..]].concat());
    check(&said, 0, "\n1 row\n");
    // A table breaks the sentence, but leaves nothing of it out.
    let words: Vec<_> = said.out.split_whitespace().collect();
    for word in text(&rows[0], "sentence").split_whitespace() {
        assert!(words.contains(&word), "{word}: {}", said.out);
    }
    let said = place.run(&["query", "SELECT * FROM windows LIMIT 2", "--output", "table"]);
    check(&said, 0, "\nrow 2\n");
    assert!(said.out.starts_with("row 1\n") && said.out.ends_with("\n2 rows\n"), "{}", said.out);
    let said = place.run(&["query", "EXPLAIN SELECT requests FROM windows", "--output", "table"]);
    check(&said, 0, "TableScan: windows");
    assert!(!said.out.contains('\u{fffd}'), "{}", said.out);
}

#[test]
fn a_question_that_fails_is_told_of_what_is_wrong_alone() {
    let place = with_a_finding();
    let ask = |sql: &str, words: &str| {
        let said = place.run(&["query", sql]);
        check(&said, 1, words);
        said.err.contains("there are the tables")
    };
    assert!(ask("SELECT * FROM finding", "table 'finding' not found"));
    for (sql, words) in [
        ("SELECT 1 / 0", "ivide by zero"),
        ("", "SQL"),
        ("SELECT TIMESTAMP '2026-13-01'", "2026-13-01"),
        (
            "SELECT scor FROM findings",
            "no column scor; near it are findings.score, findings.risk_score\n",
        ),
        ("SELECT nothing FROM findings", "no column nothing; DESCRIBE"),
    ] {
        assert!(!ask(sql, words), "{sql}");
    }
}

#[test]
fn an_identity_is_found_by_its_id_its_name_and_a_beginning() {
    let place = with_a_finding();
    for typed in ["6108eb7c-fin", "6108eb", "fin-07"] {
        let said = place.run(&["identity", typed, "--output", "table"]);
        check(&said, 0, "principal_id  6108eb7c-fin\n");
        let said = place.run(&["identity", typed, "--output", "ndjson"]);
        assert_eq!(text(&said.rows()[0], "principal_id"), "6108eb7c-fin");
    }
    let said = place.run(&["identity", "6108eb7c-fin", "--output", "table"]);
    assert!(!said.out.contains("peer_group  -1"), "{}", said.out);
    for output in ["table", "ndjson"] {
        let said = place.run(&["identity", "stock-", "--output", output]);
        check(&said, 1, "fits more than one identity: ");
        assert!(said.out.is_empty(), "{}", said.out);
        let said = place.run(&["identity", "STOCK-0", "--output", output]);
        check(&said, 1, "no identity is called `STOCK-0`; near it are stock-");
        let said = place.run(&["identity", "zzz", "--output", output]);
        check(&said, 1, "no identity is called `zzz`; `habitus query");
    }
}

#[test]
fn an_explanation_is_for_people() {
    let place = with_a_finding();
    let findings =
        place.run(&["findings", "--detector", "object_enumeration", "--output", "ndjson"]);
    let rows = findings.rows();
    let id = text(&rows[0], "finding_id").get(..8).unwrap();
    let said = place.run(&["explain", id, "--output", "table"]);
    check(&said, 0, "99.9 % stay under  ");
    for words in
        ["     first raised  2026-04-16T", "about once in ", "; severity = confidence from "]
    {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    let long = |word: &str| {
        let digits = word.rsplit('.').next().unwrap_or("");
        word.contains('.') && digits.len() > 4 && digits.bytes().all(|it| it.is_ascii_digit())
    };
    let raw: Vec<_> = said.out.split_whitespace().filter(|it| long(it)).collect();
    assert!(raw.is_empty(), "{raw:?}");
    assert!(said.out.contains("gateway.ndjson:"), "{}", said.out);
    assert!(said.out.contains(" kB  GET /invoices/"), "{}", said.out);
}

#[test]
fn a_directory_is_no_file_to_explain() {
    let place = Place::new();
    std::fs::create_dir(place.path("logs")).unwrap();
    check(&place.run(&["formats", "explain", "logs"]), 1, "`logs` is a directory: name one file");
    for command in ["check", "replay", "normalize"] {
        check(&place.run(&[command, "logs"]), 1, "`logs` is a directory that holds no files");
    }
    place.write("logs/a.ndjson", lines(0..50));
    place.write("logs/b.ndjson", lines(50..99));
    check(&place.run(&["formats", "explain", "logs"]), 1, "`logs` is a directory: name one file");
    check(&place.run(&["formats", "explain", "logs/*"]), 1, "stands for 2 files: name one");
    check(&place.run(&["check", "logs"]), 0, "b.ndjson: ok, generic_json, 49 records, 49 events");
}

#[test]
fn an_explained_format_says_what_is_not_of_it() {
    let place = Place::new();
    let other = "192.0.2.7 - - [14/Apr/2026:09:36:59 +0000] \"GET / HTTP/1.1\" 200 5\n";
    let file = place.write(
        "mixed.ndjson",
        lines(0..9) + "{\"time\":\"2026-04-14T09:\n" + other + &lines(9..20),
    );
    let said = place.run(&["formats", "explain", &file]);
    check(&said, 0, "not of this format, of the first 22 records:\n");
    assert!(said.out.contains("\n  1 malformed_json ("), "{}", said.out);
    assert!(said.out.contains("the first in line 10"), "{}", said.out);
    assert!(said.out.contains("\n  1 in the format clf, "), "{}", said.out);
    let clean = place.write("clean.ndjson", lines(0..20));
    assert!(!place.run(&["formats", "explain", &clean]).out.contains("not of this format"));
}

#[test]
fn a_check_reads_an_input_to_its_end() {
    let place = Place::new();
    let late = place.write("late.ndjson", lines(0..4_000) + "oops\n");
    let said = place.run(&["check", &late]);
    check(&said, 0, "ok, generic_json, 4\u{202f}001 records, 4\u{202f}000 events\n");
    let rejected: Vec<_> = said.out.lines().filter(|it| it.contains("rejected 1 ")).collect();
    assert!(rejected.len() == 1 && rejected[0].contains("line 4001: oops"), "{}", said.out);
}

#[test]
fn a_check_reports_every_input_whatever_is_wrong_with_others() {
    let place = Place::new();
    place.write("users", "root:x:0:0:root:/root:/bin/sh\n");
    place.write("good.ndjson", lines(0..1));
    let said = place.run(&["check", "users", "nope.log", "good.ndjson", "good.ndjson"]);
    check(&said, 1, "2 of the checks failed");
    for words in ["users: ", "`nope.log` matches no file", "ok, generic_json, 1 record, 1 event\n"]
    {
        assert_eq!(said.out.matches(words).count(), 1, "{words}: {}", said.out);
    }
}

#[test]
fn a_check_fails_where_an_input_is_cut_or_no_text() {
    let place = Place::new();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(lines(0..9_000).as_bytes()).unwrap();
    let bytes = gzip.finish().unwrap();
    let cut = place.write("cut.ndjson.gz", &bytes[..bytes.len() / 2]);
    let said = place.run(&["check", &cut]);
    check(&said, 1, "cut.ndjson.gz: not read to its end, generic_json, ");
    assert!(said.out.contains("ends in the middle"), "{}", said.out);
    let good = lines(0..4_000);
    let binary = [good.as_bytes(), &[0; 64], b"\n", good.as_bytes()].concat();
    let binary = place.write("binary.ndjson", binary);
    check(&place.run(&["check", &binary]), 1, "holds binary data, from line 4001 on");
    let zip = place.write("log.zip", b"PK\x03\x04 and so on");
    check(&place.run(&["check", &zip]), 1, "is a zip archive");
    check(&place.run(&["formats", "explain", &zip]), 1, "is a zip archive");
    let empty = place.write("empty.log", "");
    check(&place.run(&["check", &empty]), 0, "is empty");
}

//! The rules of this repository that a compiler does not know.

use crate::habitus::root;
use std::path::{Path, PathBuf};

/// Lines of a source file at most.
const LINES_MAX: usize = 600;
/// Names that say nothing.
const BANNED_STEMS: [&str; 6] = ["util", "utils", "helper", "helpers", "types", "manager"];

/// Every source file of the workspace.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<_> = [
        "src",
        "connect",
        "console",
        "dashboards",
        "model",
        "ingest",
        "detect",
        "store",
        "simulate",
        "tests",
        "benches",
    ]
    .iter()
    .map(|dir| root().join(dir))
    .filter(|dir| dir.exists())
    .collect();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                open.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 50, "{}", found.len());
    found
}

/// Fails with the files that break a rule.
#[track_caller]
fn check(rule: impl Fn(&Path, &str) -> Option<String>) {
    let broken: Vec<_> = sources()
        .iter()
        .filter_map(|path| {
            let why = rule(path, &std::fs::read_to_string(path).unwrap())?;
            Some(format!("{}: {why}", path.strip_prefix(root()).unwrap().display()))
        })
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The names of the crates that a crate depends on.
fn dependencies(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let table = manifest.get("dependencies").and_then(toml::Value::as_table);
    table.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    check(|_, text| (!text.starts_with("//! ")).then(|| "does not open with `//! `".to_owned()));
}

#[test]
fn no_file_is_long() {
    check(|_, text| {
        let lines = text.lines().count();
        (lines > LINES_MAX).then(|| format!("{lines} lines"))
    });
}

#[test]
fn names_say_something() {
    check(|path, _| {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let bad = BANNED_STEMS.contains(&stem) || stem == "mod";
        bad.then(|| "is a name that says nothing".to_owned())
    });
}

#[test]
fn nothing_is_put_off() {
    // In two parts, so that this file does not name them itself.
    let marks =
        [("TO", "DO"), ("FIX", "ME"), ("todo", "!("), ("unimplemented", "!("), ("#[ign", "ore")];
    check(|_, text| {
        let mark = marks.iter().map(|(a, b)| format!("{a}{b}")).find(|mark| text.contains(mark));
        mark.map(|mark| format!("holds {mark}"))
    });
}

#[test]
fn detect_does_no_io() {
    let dependencies = dependencies("detect");
    for banned in ["tokio", "rdkafka", "clickhouse", "datafusion", "tracing", "object_store"] {
        let has = dependencies.iter().any(|it| it == banned);
        assert!(!has, "`detect` must stay pure, but depends on `{banned}`");
    }
}

#[test]
fn siblings_do_not_know_each_other() {
    let siblings = ["detect", "ingest", "simulate", "store"];
    for name in ["detect", "ingest", "simulate", "store", "model"] {
        for other in dependencies(name) {
            assert!(!siblings.contains(&other.as_str()), "`{name}` depends on `{other}`");
        }
    }
}

#[test]
fn the_quick_start_is_two_commands() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    for command in ["cargo run -- demo", "cargo test --workspace"] {
        assert!(readme.contains(command), "README.md lacks `{command}`");
    }
}

#[test]
fn every_detector_has_its_corpora() {
    for detector in model::Detector::ALL {
        for kind in ["attack", "benign"] {
            let dir = root().join("tests/corpus").join(detector.as_str()).join(kind);
            let files = std::fs::read_dir(&dir).map_or(0, Iterator::count);
            assert!(files >= 3, "{} has {files} files", dir.display());
        }
    }
}

#[test]
fn the_reference_configuration_is_accepted_and_has_every_setting() {
    let text = std::fs::read_to_string(root().join("habitus.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let defaults: toml::Table =
        toml::to_string(&detect::Settings::default()).unwrap().parse().unwrap();
    let detect = table["detect"].as_table().unwrap();
    for setting in defaults.keys() {
        assert!(detect.contains_key(setting), "habitus.toml lacks detect.{setting}");
    }
    assert_eq!(detect["classes"], defaults["classes"]);
    let sections: Vec<_> = table.keys().map(String::as_str).collect();
    assert_eq!(
        sections,
        [
            "clickhouse",
            "detect",
            "endpoints",
            "ingest",
            "kafka",
            "keep",
            "outlets",
            "replay",
            "response",
            "run",
            "source"
        ]
    );
}

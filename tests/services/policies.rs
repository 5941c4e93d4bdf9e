//! Those who enforce: OPA itself, and Envoy's own definitions of its filter, built from their Go modules.

use super::install;
use crate::habitus::root;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The version of OPA.
const OPA: &str = "v1.9.0";
/// The version of Envoy's definitions, as `go.mod` has it.
const ENVOY: &str = "v1.35.0";

/// OPA; nothing where `test` is to be skipped.
pub(crate) fn opa(test: &str) -> Option<&'static PathBuf> {
    static HOME: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let home = HOME.get_or_init(|| {
        install::installed("opa-1.9.0", |home| {
            let bin = format!("GOBIN={}/bin", home.display());
            let module = format!("github.com/open-policy-agent/opa@{OPA}");
            install::run(&["env", &bin, "go", "install", &module])
        })
    });
    super::admit(test, "opa", home.as_ref().map(|home| (home, OPA)))
}

/// What reads Envoy's filter; nothing where `test` is to be skipped.
pub(crate) fn envoy(test: &str) -> Option<&'static PathBuf> {
    static HOME: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let home = HOME.get_or_init(|| {
        let from = root().join("tests/services/envoy_rbac");
        // Another program is another folder.
        let text = std::fs::read_to_string(from.join("main.go")).map_err(|it| it.to_string())?;
        let mark = blake3::hash(text.as_bytes()).to_hex();
        let name = format!("envoy-rbac-1.35.0-{}", mark.as_str().get(..8).unwrap());
        install::installed(&name, |home| {
            for file in ["main.go", "go.mod"] {
                std::fs::copy(from.join(file), home.join(file)).map_err(|it| it.to_string())?;
            }
            let home = home.to_str().unwrap();
            install::run(&["go", "-C", home, "mod", "tidy"])?;
            install::run(&["go", "-C", home, "build", "-o", "rbac", "."])
        })
    });
    super::admit(test, "envoy", home.as_ref().map(|home| (home, ENVOY)))
}

/// What a policy in Rego says to each input; it must be without a complaint of OPA's.
#[track_caller]
pub(crate) fn rego(opa: &Path, policy: &Path, inputs: &[Value]) -> Vec<bool> {
    let opa = opa.join("bin/opa");
    let checked = Command::new(&opa).args(["check", "--strict"]).arg(policy).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let text = std::fs::read_to_string(policy).unwrap();
    let package = text.lines().find_map(|line| line.strip_prefix("package ")).unwrap();
    let query =
        format!("[said | some one in input; said := data.{package}.allow with input as one]");
    let said = talk(
        Command::new(&opa)
            .args(["eval", "--format", "raw", "--stdin-input", "--data"])
            .arg(policy)
            .arg(query),
        &json!(inputs),
    );
    serde_json::from_str(&said).unwrap()
}

/// Which requests Envoy's filter lets pass: headers, and metadata by filter.
#[track_caller]
pub(crate) fn rbac(envoy: &Path, filter: &str, requests: &[Value]) -> Vec<bool> {
    let said = talk(
        &mut Command::new(envoy.join("rbac")),
        &json!({"Filter": filter, "Requests": requests}),
    );
    serde_json::from_str(&said).unwrap()
}

#[track_caller]
fn talk(command: &mut Command, input: &Value) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

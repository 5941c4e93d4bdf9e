//! Runs the binary in a directory of its own, and reads what it printed.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A directory with a store, a configuration perhaps, and whatever inputs a test writes into it.
pub(crate) struct Place {
    dir: TempDir,
}

/// What one run of the binary said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: TempDir::new().unwrap() }
    }

    /// The path of `name` in this place.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file, and gives its path as an argument.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Runs the binary here, with the store in `store`.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.run_in("store", args)
    }

    /// A store's argument: a directory of this place, or a URL.
    pub(crate) fn store(&self, store: &str) -> PathBuf {
        if store.contains("://") { store.into() } else { self.path(store) }
    }

    /// Runs the binary here, with the store in another directory or on a server.
    pub(crate) fn run_in(&self, store: &str, args: &[&str]) -> Said {
        self.run_at(self.store(store).to_str().unwrap(), args)
    }

    /// Runs the binary here, with the store at a path or a URL.
    pub(crate) fn run_at(&self, store: &str, args: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_habitus"))
            .args(args)
            .arg("--store")
            .arg(store)
            .current_dir(self.dir.path())
            .env_remove("COLUMNS")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said::of(&output)
    }

    /// Runs the binary here, on a server.
    pub(crate) fn run_on(&self, url: &str, args: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_habitus"))
            .args(args)
            .args(["--store", url])
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said::of(&output)
    }

    /// Replays files with more arguments; the findings, a JSON object each, and the summary.
    pub(crate) fn replay(&self, files: &[&str], more: &[&str]) -> (Vec<Value>, Value) {
        let summary = self.path("summary.json");
        let args = [
            &["replay", "--output", "ndjson", "--summary", summary.to_str().unwrap()],
            files,
            more,
        ];
        let said = self.run(&args.concat());
        assert_eq!(said.code, 0, "{files:?}: {}", said.err);
        (said.rows(), self.summary())
    }

    /// The summary that the last replay wrote.
    pub(crate) fn summary(&self) -> Value {
        let text = std::fs::read_to_string(self.path("summary.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// The rows of a query, as CSV.
    pub(crate) fn query(&self, store: &str, sql: &str) -> String {
        let said = self.run_in(store, &["query", sql, "--output", "csv"]);
        assert_eq!(said.code, 0, "{sql}: {}", said.err);
        said.out
    }
}

impl Said {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The printed objects, one a line.
    pub(crate) fn rows(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A text field of a finding.
#[track_caller]
pub(crate) fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row.get(field).and_then(Value::as_str).unwrap_or_else(|| panic!("{field} in {row}"))
}

/// A whole number of a summary.
#[track_caller]
pub(crate) fn count(summary: &Value, field: &str) -> u64 {
    summary.get(field).and_then(Value::as_u64).unwrap_or_else(|| panic!("{field} in {summary}"))
}

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Whether the full tier is asked for: the sizes of the specification, in a release build.
pub(crate) fn is_full() -> bool {
    variable("HABITUS_TESTS_FULL")
}

/// Whether an environment variable is set to 1.
#[expect(clippy::disallowed_methods, reason = "tests are configured by the environment")]
pub(crate) fn variable(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| value == "1")
}

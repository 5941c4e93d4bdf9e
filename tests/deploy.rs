//! The deployment's files against each other, against the command line, and against their linters.

mod broker;
mod compose;
mod dockerfile;
mod linters;
mod passwords;
mod stack;
mod unit;
pub(crate) mod yaml;

use crate::habitus::root;
use std::process::{Command, Stdio};

/// Where the binary is in the image and on a machine.
const BINARY: &str = "/usr/local/bin/habitus";

/// A file of the repository.
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A text with one thing in it that is changed, which must be there.
#[track_caller]
fn changed(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "`{from}` is not there to be changed");
    text.replacen(from, to, 1)
}

/// Whether the command line understands these words, as far as it does before it does anything.
fn understands(words: &[&str]) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_habitus"));
    let said = command.args(words).arg("--help").stdin(Stdio::null()).output().unwrap();
    if said.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&said.stderr);
    Err(format!("habitus does not understand `{}`: {}", words.join(" "), why.trim()))
}

/// Whether the words are the binary's path and then a command line of it.
fn is_command(words: &[&str]) -> Result<(), String> {
    match words {
        [BINARY, rest @ ..] => understands(rest),
        [first, ..] => Err(format!("{first} is not {BINARY}")),
        [] => Err("no command".to_owned()),
    }
}

#[test]
fn a_command_line_is_understood_or_not() {
    assert_eq!(understands(&["run", "--config", "x", "--store", "y"]), Ok(()));
    assert!(understands(&["run", "--confg", "x"]).unwrap_err().contains("--confg"));
    assert!(understands(&["runs"]).unwrap_err().contains("runs"));
    assert!(is_command(&["/bin/habitus", "run"]).is_err());
}

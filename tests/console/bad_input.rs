//! What a console or a report cannot be made of is said on one clear line.

use super::made;
use crate::habitus::Place;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Looks at a program that is to end by itself, and the time between two.
const LOOKS_MAX: usize = 1200;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs the program, which must end with exit code 1 and one line that holds these words.
#[track_caller]
fn refused(place: &Place, args: &[&str], words: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_habitus"));
    command.args(args).current_dir(place.path(".")).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut looks = 0;
    while child.try_wait().unwrap().is_none() {
        looks += 1;
        if looks > LOOKS_MAX {
            child.kill().unwrap();
            panic!("{args:?} goes on");
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let said = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert_eq!(said.status.code(), Some(1), "{args:?}: {out}{err}");
    assert!(out.is_empty(), "{args:?}: {out}");
    assert_eq!(err.lines().count(), 1, "{args:?}: {err}");
    for word in words {
        assert!(err.contains(word), "{args:?} does not say {word}: {err}");
    }
}

/// A place with a store of one finding.
fn filled() -> Place {
    let place = Place::new();
    made::write(&place.path("store"), "one", 1, made::finding);
    place
}

/// Serves and reports a store, both of which must be refused.
#[track_caller]
fn neither(place: &Place, store: &str, words: &[&str]) {
    refused(place, &["serve", "--listen", "127.0.0.1:0", "--store", store], words);
    refused(place, &["report", "--out", "report.html", "--store", store], words);
    assert!(!place.path("report.html").exists(), "half a report is worse than none");
}

#[test]
fn a_store_that_is_none_is_said_on_one_line() {
    let place = Place::new();
    neither(&place, "nowhere", &["no store in", "nowhere", "habitus replay"]);
    std::fs::create_dir(place.path("empty")).unwrap();
    neither(&place, "empty", &["no store in", "empty"]);
    place.write("file", "text");
    neither(&place, "file", &["file", "is not a directory"]);
    neither(&place, "clickhouse://nobody@127.0.0.1:1/habitus", &["did not answer"]);
    neither(&place, "postgres://nobody@127.0.0.1:1/habitus", &["clickhouse://"]);
}

#[test]
fn a_store_of_a_newer_version_is_said_on_one_line() {
    let place = filled();
    let manifest = place.path("store/habitus-store.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let newer = text.replacen("\"version\": 1", "\"version\": 99", 1);
    assert_ne!(text, newer);
    std::fs::write(&manifest, newer).unwrap();
    neither(&place, "store", &["version 99", "update habitus"]);
    std::fs::write(&manifest, "{").unwrap();
    neither(&place, "store", &["habitus-store.json", "is damaged"]);
}

#[test]
fn an_address_that_cannot_be_had_is_said_on_one_line() {
    let place = filled();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let serve = |listen: &str, words: &[&str]| {
        refused(&place, &["serve", "--listen", listen, "--store", "store"], words);
    };
    serve(&address, &[&address, "name another address", "--listen"]);
    serve("8484", &["cannot listen on 8484"]);
    // Others could ask it, so it wants to know them.
    serve("0.0.0.0:0", &["--token-file"]);
    serve("[::]:0", &["--token-file"]);
    serve("192.0.2.1:0", &["--token-file"]);
    let short = place.write("short", "abc\n");
    for (file, words) in
        [("nowhere-token", "nowhere-token"), (&short, "the token has 3 characters")]
    {
        let args = ["serve", "--listen", "127.0.0.1:0", "--store", "store", "--token-file", file];
        refused(&place, &args, &[words]);
    }
}

#[test]
fn a_report_that_cannot_be_written_is_said_on_one_line() {
    let place = filled();
    let out = "nowhere/report.html";
    refused(&place, &["report", "--out", out, "--store", "store"], &[out]);
    refused(&place, &["report", "--out", "store", "--store", "store"], &["store"]);
}

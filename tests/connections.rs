//! Connections: every way into Kafka and ClickHouse, and what is said when there is none.

mod clickhouse;
mod codecs;
mod kafka;
mod recipes;

use crate::habitus::Place;
use crate::services;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a command may take to say what is wrong: the 10 s in which an answer must come, and as
/// long again as other tests may keep the processors busy.
const SAID_WITHIN: Duration = Duration::from_secs(30);
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a command said that could not do its work.
struct Refused {
    line: String,
}

/// The clock on the wall.
#[expect(clippy::disallowed_methods, reason = "tests measure how long a command takes")]
fn clock() -> Instant {
    Instant::now()
}

/// Starts a command, with its output to be read.
fn start(place: &Place, args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_habitus"))
        .args(args)
        .arg("--config")
        .arg(place.path("habitus.toml"))
        .current_dir(place.path("."))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until a process ends.
#[track_caller]
fn wait(child: &mut Child, limit: Duration) -> i32 {
    let started = clock();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if started.elapsed() > limit {
            child.kill().unwrap();
            let (_, err) = output(child);
            panic!("it did not end within {limit:?}, and said {err}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What an ended process has written on standard output and standard error.
fn output(child: &mut Child) -> (String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (out, err)
}

/// Runs a command that must end with code 1 and one line in time, with these words and no secret.
#[track_caller]
fn refused(place: &Place, args: &[&str], words: &[&str]) -> Refused {
    let started = clock();
    let mut child = start(place, args);
    let code = wait(&mut child, PATIENCE);
    let took = started.elapsed();
    let (out, err) = output(&mut child);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert_eq!(err.lines().count(), 1, "not one line:\n{err}");
    let line = err.trim_end().to_owned();
    assert!(line.contains("error: "), "{line}");
    for word in words {
        assert!(line.contains(word), "`{word}` is not said in: {line}");
    }
    assert!(!line.contains(services::PASSWORD), "{line}");
    assert!(took < SAID_WITHIN, "it took {took:?} to say: {line}");
    Refused { line }
}

/// A port where nobody listens. It stays one: it is that of a connection, which is never ended, so
/// that no other test is given it.
fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = stream.local_addr().unwrap().port();
    std::mem::forget((stream, listener));
    port
}

/// A port where something answers that speaks neither protocol: with these words, or with nothing.
fn other_service(words: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Whoever hung up meanwhile has heard enough.
            stream.write_all(words).ok();
            held.push(stream);
        }
    });
    port
}

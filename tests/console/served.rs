//! `habitus serve` as a process that ends with its test, and requests to it without a browser.

use crate::services::Watched;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Looks at a starting console, and the time between two.
const LOOKS_MAX: usize = 600;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long an answer may take: a debug build is slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// A console that runs.
pub(crate) struct Served {
    /// `http://127.0.0.1:port`.
    pub(crate) origin: String,
    /// Its directory, with the store in `store`; it goes with the process.
    pub(crate) dir: PathBuf,
    _process: Watched,
}

/// An answer over plain HTTP.
#[derive(Debug)]
pub(crate) struct Plain {
    pub(crate) status: u16,
    /// The lines of the head after the first.
    head: Vec<String>,
    pub(crate) body: String,
}

impl Served {
    /// Serves a copy of the store in a directory, so that nobody else sees what is done to it.
    #[track_caller]
    pub(crate) fn copy_of(store: &Path, more: &[&str]) -> Self {
        let dir = directory();
        copy(store, &dir.join("store"));
        let store = dir.join("store");
        Self::start(dir, store.to_str().unwrap(), more)
    }

    /// Serves a store at an address or a path.
    #[track_caller]
    pub(crate) fn on(store: &str, more: &[&str]) -> Self {
        Self::start(directory(), store, more)
    }

    #[track_caller]
    fn start(dir: PathBuf, store: &str, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_habitus"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--store", store]).args(more);
        let process = Watched::start(&dir, &mut command).unwrap();
        for _ in 0..LOOKS_MAX {
            let said = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
            if let Some(origin) = said_origin(&said) {
                return Self { origin, dir, _process: process };
            }
            if process.has_ended() {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("the console does not start; it says\n{}", process.log());
    }

    /// The address of a page.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// The directory of its store.
    pub(crate) fn store(&self) -> PathBuf {
        self.dir.join("store")
    }

    /// `host:port`.
    pub(crate) fn host(&self) -> &str {
        self.origin.strip_prefix("http://").unwrap()
    }

    /// Asks for a page as a browser does.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Plain {
        self.ask("GET", path, &[("Host", self.host())], "")
    }

    /// Sends a form; of the headers only its length and type are said here.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], form: &str) -> Plain {
        let length = form.len().to_string();
        let own =
            [("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", &length)];
        self.ask("POST", path, &[headers, &own].concat(), form)
    }

    /// Sends any request, with these headers and no others but the one that ends the connection.
    #[track_caller]
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Plain {
        let mut stream = TcpStream::connect(self.host()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let line = |(name, value): &(&str, &str)| format!("{name}: {value}\r\n");
        let headers = headers.iter().map(line).collect::<Vec<_>>().concat();
        let text = format!("{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n{body}");
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        Plain::of(&String::from_utf8_lossy(&answer))
    }
}

impl Plain {
    #[track_caller]
    fn of(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        let mut lines = head.lines();
        let first = lines.next().unwrap();
        let status = first.split(' ').nth(1).and_then(|it| it.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{first:?}"));
        Self { status, head: lines.map(ToOwned::to_owned).collect(), body: body.to_owned() }
    }

    /// The values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let pairs = self.head.iter().filter_map(|line| line.split_once(':'));
        let named = pairs.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }

    /// Where the link with a mark leads, if there is one.
    #[track_caller]
    pub(crate) fn link(&self, mark: &str) -> Option<String> {
        let mark = format!("data-testid=\"{mark}\"");
        let tag = self
            .body
            .split("<a")
            .filter_map(|it| it.split_once('>'))
            .find(|it| it.0.contains(&mark));
        let (_, rest) = tag?.0.split_once("href=\"").unwrap();
        Some(rest.split('"').next().unwrap().replace("&amp;", "&"))
    }

    /// What the form on the page says in a hidden field.
    #[track_caller]
    pub(crate) fn hidden(&self, name: &str) -> String {
        let field = self.body.split("<input").find(|it| it.contains(&format!("name=\"{name}\"")));
        let field = field.unwrap_or_else(|| panic!("no field {name} in {}", self.body));
        let value = field.split_once("value=\"").and_then(|(_, rest)| rest.split_once('"'));
        value.map_or_else(|| panic!("{field}"), |(value, _)| value.to_owned())
    }
}

/// A directory that whoever watches the process removes.
fn directory() -> PathBuf {
    tempfile::Builder::new().prefix("habitus-console-").tempdir().unwrap().keep()
}

/// The address in what the console says first.
fn said_origin(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("http://")?;
    let host: String =
        rest.chars().take_while(|it| it.is_ascii_digit() || matches!(it, '.' | ':')).collect();
    // The line may not be whole yet, and a full stop may stand behind the port.
    let is_whole = rest.len() > host.len();
    let host = host.trim_end_matches(['.', ':']);
    (is_whole && host.contains(':')).then(|| format!("http://{host}"))
}

/// Copies a directory with all that is in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            // The log that a demonstration leaves is large, and no part of the store.
            if entry.file_name() != "demo" {
                copy(&entry.path(), &target);
            }
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A text as a part of an address.
pub(crate) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one =
        |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}

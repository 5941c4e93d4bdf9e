//! The ClickHouse engine of the Python package `chdb` behind a small HTTP front, which also fails as ordered.

use super::watchdog::Watched;
use super::{install, unique};
use crate::habitus::root;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The engine, 26.9 of ClickHouse, and what unpacks compressed inserts; chdb's own dependencies
/// (pandas, Arrow) are for results as data frames, which no test asks for.
const PACKAGES: [&str; 3] = ["chdb==4.4.*", "chdb-core==26.9.*", "lz4==4.4.*"];
/// Looks at a starting front, and the time between two.
const LOOKS_MAX: usize = 1200;
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a request of the tests' own may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that answers.
#[derive(Debug)]
pub(crate) struct ClickHouse {
    /// `http://host:port`.
    pub(crate) url: String,
    /// What it calls itself.
    pub(crate) version: String,
    /// The ports that are encrypted, in the order of their certificates.
    pub(crate) tls_ports: Vec<u16>,
    front: Option<Front>,
}

/// A front that this process has started.
#[derive(Debug)]
struct Front {
    dir: PathBuf,
    process: Option<Watched>,
    certificates: Vec<PathBuf>,
}

/// What a server does wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Answers as a server does that refuses: an exception's code, and its whole text.
    Says(u32, &'static str),
    /// Waits, then does what is asked.
    Delay(Duration),
    /// Answers 500 without doing anything, with the code of an exception where it is not 0.
    Status500(u32),
    /// Does what is asked, and closes the connection instead of answering.
    CommitThenClose,
    /// Neither does anything nor answers, for a minute at most or until the next order.
    Hang,
    /// Resets the connection without doing anything.
    Refuse,
}

impl ClickHouse {
    /// Uses a server that somebody else has started.
    pub(super) fn connect(url: String) -> Result<Self, String> {
        let mut server = Self { url, version: String::new(), tls_ports: Vec::new(), front: None };
        server.version = server.try_query("SELECT version()").map_err(|reason| {
            format!("{} does not answer: start it, or unset CLICKHOUSE_URL ({reason})", server.url)
        })?;
        Ok(server)
    }

    /// Installs it where it is missing, and starts it on a directory of its own.
    pub(super) fn start() -> Result<Self, String> {
        Self::start_with(&[])
    }

    /// The same, with an encrypted port for each file of a certificate and its key.
    pub(super) fn start_with(certificates: &[PathBuf]) -> Result<Self, String> {
        let dir = tempfile::Builder::new().prefix("habitus-clickhouse-").tempdir();
        let dir = dir.map_err(|err| format!("no temporary directory: {err}"))?;
        let python = python()?;
        // From here on the front removes the directory.
        let certificates = certificates.to_vec();
        let mut front = Front { dir: dir.keep(), process: None, certificates };
        let ports = front.run(&python, 0)?;
        let (port, tls_ports) = ports.split_first().ok_or("the front says no port")?;
        let mut server = Self::connect(format!("http://127.0.0.1:{port}"))?;
        server.tls_ports = tls_ports.to_vec();
        server.front = Some(front);
        Ok(server)
    }

    /// Does `fault` to the next requests whose statement holds `matching`; the order replaces the
    /// one before, and whoever hangs is let go.
    #[track_caller]
    pub(crate) fn fault(&mut self, next: u32, fault: Fault, matching: &str) {
        let mut order = json!({"next": next, "matching": matching});
        let (kind, more) = match fault {
            Fault::Says(code, text) => {
                order["text"] = json!(text);
                ("says", Some(("code", json!(code))))
            }
            Fault::Delay(time) => ("delay", Some(("ms", json!(time.as_millis() as u64)))),
            Fault::Status500(0) => ("500", None),
            Fault::Status500(code) => ("500", Some(("code", json!(code)))),
            Fault::CommitThenClose => ("commit_then_close", None),
            Fault::Hang => ("hang", None),
            Fault::Refuse => ("refuse", None),
        };
        order["kind"] = json!(kind);
        if let Some((name, value)) = more {
            order[name] = value;
        }
        self.request("POST", "/fault", &order.to_string()).unwrap();
    }

    /// How many requests have met the fault that was ordered last.
    #[track_caller]
    pub(crate) fn faults(&self) -> u64 {
        let state: Value =
            serde_json::from_str(&self.request("GET", "/fault", "").unwrap()).unwrap();
        state["made"].as_u64().unwrap()
    }

    /// Kills the server as `kill -9` does; its data stay.
    #[track_caller]
    pub(crate) fn kill(&mut self) {
        self.front.as_mut().unwrap().process.take().unwrap().kill();
    }

    /// Starts the server again, after `kill`, on the same port and the same data.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        let port = self.url.rsplit(':').next().unwrap().parse().unwrap();
        self.front.as_mut().unwrap().run(&python().unwrap(), port).unwrap();
    }

    /// Makes an empty database of which nobody else knows; its name.
    #[track_caller]
    pub(crate) fn database(&self, name: &str) -> String {
        let name = unique(name);
        self.query(&format!("CREATE DATABASE {name}"));
        name
    }

    /// The answer to a statement, in tab-separated lines, without the last line's end.
    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> String {
        self.try_query(sql).unwrap_or_else(|reason| panic!("{sql}: {reason}"))
    }

    /// As `query`; where the server refuses, its text, which begins with `Code: `.
    pub(crate) fn try_query(&self, sql: &str) -> Result<String, String> {
        self.request("POST", "/", sql)
    }

    /// The answer in `format` to a statement that looks in `database` for what it names.
    pub(crate) fn try_query_in(
        &self,
        database: &str,
        format: &str,
        sql: &str,
    ) -> Result<String, String> {
        self.request("POST", &format!("/?database={database}&default_format={format}"), sql)
    }

    /// Blocks until one request is answered: also tests without a runtime use it.
    fn request(&self, method: &str, path: &str, body: &str) -> Result<String, String> {
        let host = self.url.strip_prefix("http://").ok_or("its URL is not http://host:port")?;
        let host = host.trim_end_matches('/');
        // A server answers the older protocol in one piece, and closes.
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let exchange = || {
            let mut stream = TcpStream::connect_timeout(&address(host)?, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(head.as_bytes())?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(answer)
        };
        let answer = exchange().map_err(|err: std::io::Error| err.to_string())?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) =
            answer.split_once("\r\n\r\n").ok_or("the server closed the connection")?;
        let is_good = head.split(' ').nth(1) == Some("200");
        let body = body.trim_end_matches('\n').to_owned();
        if is_good { Ok(body) } else { Err(body) }
    }
}

impl Front {
    /// Starts the front on this directory and waits until it answers; its port, where 0 takes a
    /// free one, and those that are encrypted.
    fn run(&mut self, python: &Path, port: u16) -> Result<Vec<u16>, String> {
        let said = self.dir.join("port");
        if said.exists() {
            std::fs::remove_file(&said).map_err(|err| err.to_string())?;
        }
        let mut command = Command::new(python);
        command.env("TZ", "UTC").arg(root().join("tests/services/clickhouse_front.py"));
        command.arg("--data").arg(self.dir.join("data")).arg("--port-file").arg(&said);
        command.arg("--port").arg(port.to_string());
        for certificate in &self.certificates {
            command.arg("--tls").arg(certificate);
        }
        let process = Watched::start(&self.dir, &mut command)?;
        for _ in 0..LOOKS_MAX {
            if let Ok(text) = std::fs::read_to_string(&said) {
                self.process = Some(process);
                let ports = text.split(' ').map(str::parse).collect::<Result<_, _>>();
                return ports.map_err(|_| format!("{text:?} are no ports"));
            }
            if process.has_ended() {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err(format!("the front does not start; it says\n{}", process.log()))
    }
}

impl Drop for Front {
    /// Removes the data, also of a server that was killed and not started again.
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
        if let Err(err) = std::fs::remove_dir_all(&self.dir) {
            println!("{} stays: {err}", self.dir.display());
        }
    }
}

/// The interpreter that has the engine.
fn python() -> Result<PathBuf, String> {
    let home = install::installed("clickhouse-chdb-4.4", |home| {
        let home = home.to_str().unwrap();
        install::run(&["python3", "-m", "venv", home])?;
        let python = format!("{home}/bin/python");
        let pip = [&python, "-m", "pip", "install", "--quiet", "--no-deps"];
        install::run(&[&pip[..], &PACKAGES].concat())
    })?;
    Ok(home.join("bin/python"))
}

fn address(host: &str) -> std::io::Result<SocketAddr> {
    host.to_socket_addrs()?.next().ok_or_else(|| std::io::Error::other("no such host"))
}

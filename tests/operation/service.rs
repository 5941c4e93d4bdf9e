//! A service that runs, and what it says over HTTP and on standard error.

use crate::habitus::Place;
use crate::services::Kafka;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long the service may take for anything.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);
/// How often it is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A running service.
pub(crate) struct Service {
    child: Child,
    said: PathBuf,
    address: String,
}

/// The metrics at a moment.
pub(crate) struct Metrics {
    pub(crate) text: String,
}

/// Writes a configuration with a port of the system's choice, epochs of a second, and `more`, whose
/// sections may be those that are here already.
pub(crate) fn configure(place: &Place, kafka: &Kafka, topic: &str, more: &str) {
    let mut sections = vec![
        format!(
            "[source]\ntopics = [\"{topic}\"]\ngroup_id = \"{topic}\"\nsession_timeout_ms = 6000\n"
        ),
        format!("[kafka]\nbootstrap_servers = [\"{}\"]\n", kafka.bootstrap),
        "[run]\nepoch_seconds = 1\nlisten = \"127.0.0.1:0\"\n".to_owned(),
    ];
    for part in more.split_inclusive('\n').fold(Vec::<String>::new(), |mut parts, line| {
        if line.starts_with('[') {
            parts.push(String::new());
        }
        if let Some(last) = parts.last_mut() {
            last.push_str(line);
        }
        parts
    }) {
        let (head, lines) = part.split_once('\n').unwrap();
        match sections.iter_mut().find(|it| it.lines().next() == Some(head)) {
            Some(section) => section.push_str(lines),
            None => sections.push(part),
        }
    }
    place.write("habitus.toml", sections.concat());
}

/// Looks until something is so; what it says meanwhile is shown if it never is.
#[track_caller]
pub(crate) fn until(what: &str, mut look: impl FnMut() -> Result<(), String>) {
    let looks = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
    let mut last = String::new();
    for _ in 0..looks {
        match look() {
            Ok(()) => return,
            Err(said) => last = said,
        }
        std::thread::sleep(LOOK_EVERY);
    }
    panic!("{what}: it is not so: {last}");
}

impl Service {
    /// Starts a service and waits until it says where its server is.
    #[track_caller]
    pub(crate) fn start(place: &Place, more: &[&str]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let said = place.path(&format!("said-{number}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_habitus"));
        command.args(["run", "--config"]).arg(place.path("habitus.toml"));
        if !more.contains(&"--store") {
            command.arg("--store").arg(place.path("store"));
        }
        command.args(more).current_dir(place.path("."));
        command.stderr(File::create(&said).unwrap()).stdout(Stdio::null());
        let child = command.spawn().unwrap();
        let mut service = Self { child, said, address: String::new() };
        let mark = "metrics and health are at http://";
        until("the service says where its server is", || {
            let said = service.said();
            let at = said.split_once(mark).map(|(_, rest)| rest);
            let address = at.and_then(|rest| rest.split_once('\n')).map(|(at, _)| at.to_owned());
            address.map(|address| service.address = address).ok_or(said)
        });
        service
    }

    /// What it said on standard error so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.said).unwrap()
    }

    #[track_caller]
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes, and reads until the service closes; nothing where it resets.
    pub(crate) fn exchange(&self, request: &[u8]) -> String {
        self.try_exchange(request).unwrap_or_default()
    }

    pub(crate) fn try_exchange(&self, request: &[u8]) -> std::io::Result<String> {
        let mut stream = self.connect();
        // The answer may come before all is sent.
        stream.write_all(request).ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// The status and the body of an answer.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let answer = self.try_exchange(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    #[track_caller]
    pub(crate) fn metrics(&self) -> Metrics {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200, "{text}");
        Metrics { text }
    }

    /// How many descriptors it holds.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(done.unwrap().success());
    }

    /// Ends it as an operator does, which takes ten seconds at most.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.signal("-TERM");
        for _ in 0..100 {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}: {}", self.said());
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the service did not end within 10 s: {}", self.said());
    }
}

impl Drop for Service {
    /// A test that failed leaves no service behind.
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Metrics {
    /// The values of all series whose name and labels begin so, rounded.
    pub(crate) fn values(&self, name: &str) -> Vec<i64> {
        let is_of = |line: &&str| {
            line.strip_prefix(name)
                .is_some_and(|rest| name.contains('{') || rest.starts_with(['{', ' ']))
        };
        let lines = self.text.lines().filter(is_of);
        let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        lines.map(|line| value(line).round() as i64).collect()
    }

    /// Their sum.
    pub(crate) fn sum(&self, name: &str) -> i64 {
        self.values(name).iter().sum()
    }
}

//! The running service in a test: started, listened to, stopped, killed, held still.

use crate::habitus::Place;
use crate::services::Kafka;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);
/// Lines that wait to be listened to.
const LINES_MAX: usize = 10_000;
/// How often the broker is looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One process of the service, killed when it is dropped.
pub(crate) struct Service {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Service {
    /// Starts one with the place's configuration; `store` is a directory of the place or a URL, and
    /// at `hold` it stands still.
    pub(crate) fn start(place: &Place, store: &str, hold: Option<&str>) -> Self {
        Self::start_with(place, store, hold, &[])
    }

    /// The same, until there is a file `release`.
    pub(crate) fn start_held(place: &Place, store: &str, point: &str, release: &Path) -> Self {
        let mut command = Self::command(place, store, Some(point), &[]);
        command.env("HABITUS_HOLD_UNTIL", release);
        Self::spawn(command)
    }

    /// The same with more arguments.
    pub(crate) fn start_with(
        place: &Place,
        store: &str,
        hold: Option<&str>,
        more: &[&str],
    ) -> Self {
        Self::spawn(Self::command(place, store, hold, more))
    }

    /// The same with the store in `store` and more in its environment.
    #[cfg(feature = "cloud")]
    pub(crate) fn start_in(place: &Place, environment: &[(String, String)]) -> Self {
        let mut command = Self::command(place, "store", None, &[]);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self::spawn(command)
    }

    fn command(place: &Place, store: &str, hold: Option<&str>, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_habitus"));
        command.arg("run").arg("--config").arg(place.path("habitus.toml"));
        command.arg("--store").arg(place.store(store));
        command.arg("--summary").arg(place.path("run.json")).args(more);
        command.current_dir(place.path(".")).stderr(Stdio::piped()).stdout(Stdio::null());
        if let Some(point) = hold {
            command.env("HABITUS_HOLD_AT", point);
        }
        command
    }

    /// Starts any command of the program that stays, and listens to what it says.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (sender, lines) = sync_channel(LINES_MAX);
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, said: Vec::new() }
    }

    /// Waits until it says `wanted`, and gives that line.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, wanted: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("the service did not say `{wanted}`, but\n{}", self.said.join("\n"));
            };
            self.said.push(line.clone());
            if line.contains(wanted) {
                return line;
            }
        }
    }

    /// All that it has said.
    pub(crate) fn said(&mut self) -> String {
        self.said.extend(self.lines.try_iter());
        self.said.join("\n")
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(done.unwrap().success());
    }

    /// Ends it as an operator does; how long that took.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "the time to the end is what is promised")]
    pub(crate) fn stop(mut self) -> Duration {
        let started = Instant::now();
        self.signal("-TERM");
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}: {}", self.said());
                return started.elapsed();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the service did not end: {}", self.said());
    }

    /// Ends it as a power failure does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Holds it still.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    /// Waits until it ends by itself; its exit code and all that it has said.
    pub(crate) fn ended(mut self) -> (Option<i32>, String) {
        self.said.extend(self.lines.iter());
        (self.child.wait().unwrap().code(), self.said.join("\n"))
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The offsets that a group has committed, summed over a topic's partitions.
pub(crate) fn committed(kafka: &Kafka, group: &str, topic: &str) -> i64 {
    kafka.committed(group, topic).iter().filter_map(|it| it.offset).sum()
}

/// Waits until the group with the topic's name has committed so many offsets of it; the longest time
/// without any progress.
#[track_caller]
pub(crate) fn wait_until_read(kafka: &Kafka, topic: &str, records: i64) -> Duration {
    wait_for_group(kafka, topic, topic, records)
}

/// The same for any group.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "how long it stands still is what is promised")]
pub(crate) fn wait_for_group(kafka: &Kafka, group: &str, topic: &str, records: i64) -> Duration {
    let started = Instant::now();
    let (mut last, mut moved, mut longest) = (0, None, Duration::ZERO);
    loop {
        let sum = committed(kafka, group, topic);
        if sum > last {
            longest = longest.max(moved.map_or(Duration::ZERO, |it: Instant| it.elapsed()));
            (last, moved) = (sum, Some(Instant::now()));
        }
        if sum >= records {
            return longest;
        }
        assert!(started.elapsed() < PATIENCE, "{sum} of {records} records are committed");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The last revision of each finding before `until`, without what depends on where it was read.
pub(crate) fn findings(place: &Place, store: &str, until: &str) -> BTreeSet<String> {
    let sql = format!(
        "SELECT finding_id, sentence, severity, detected_at, surprise, score FROM findings_current \
         WHERE window_start < '{until}'"
    );
    let said = place.run_in(store, &["query", &sql, "--output", "ndjson"]);
    assert_eq!(said.code, 0, "{}", said.err);
    said.rows().iter().map(Value::to_string).collect()
}

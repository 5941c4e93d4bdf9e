//! A child process that ends with the test process, however that ends.

use super::install;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A shell that starts the service, says its process id, and kills it as soon as its own standard
/// input ends: the system closes that pipe even where the test process is killed.
const SCRIPT: &str = r#"
dir=$1; log=$2; shift 2
"$@" </dev/null >>"$log" 2>&1 &
pid=$!
echo "$pid"
read -r word
kill -9 "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
[ "$word" = keep ] || rm -rf -- "$dir"
"#;

/// A running service.
#[derive(Debug)]
pub(crate) struct Watched {
    shell: Child,
    pid: u32,
    log: PathBuf,
}

impl Watched {
    /// Starts a service that keeps what it has in `dir`, which goes with it, and logs there too.
    pub(crate) fn start(dir: &Path, command: &mut Command) -> Result<Self, String> {
        let log = dir.join("log");
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "watchdog"]).arg(dir).arg(&log);
        shell.arg(command.get_program()).args(command.get_args());
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // A group of its own: what a terminal sends to the tests must not kill the watchdog first.
        shell.process_group(0);
        // Whoever reads the output of the tests must not wait for the watchdog.
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.spawn().map_err(|err| format!("sh cannot be started: {err}"))?;
        let mut line = String::new();
        let said = shell.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
        match (said, line.trim().parse()) {
            (Some(Ok(_)), Ok(pid)) => Ok(Self { shell, pid, log }),
            _ => Err(format!("the watchdog's shell gave no process id but {line:?}")),
        }
    }

    /// Kills the service at once, as `kill -9` does, and keeps its directory.
    pub(crate) fn kill(mut self) {
        self.shell.stdin.take().unwrap().write_all(b"keep\n").unwrap();
        self.shell.wait().unwrap();
    }

    /// Sends it a signal, such as `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let (signal, pid) = (format!("-{name}"), self.pid.to_string());
        assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
    }

    /// Whether the service has ended by itself; no answer where the system has no `/proc`.
    pub(crate) fn has_ended(&self) -> bool {
        // Nobody has waited for it yet, so it is still there as a zombie.
        std::fs::read_to_string(format!("/proc/{}/stat", self.pid))
            .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
    }

    /// The last lines that the service has written.
    pub(crate) fn log(&self) -> String {
        install::tail(&std::fs::read_to_string(&self.log).unwrap_or_default())
    }
}

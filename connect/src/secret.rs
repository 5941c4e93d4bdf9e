//! Secrets: read from a file or a command, never from the command line, and never printed.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// Bytes of a secret; a larger one is a mistake.
const SECRET_BYTES_MAX: usize = 64 * 1024;
/// How long a command may take to print a secret.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(8);
/// Looks at a command that has closed its output, and the time between two.
const ENDED_LOOKS_MAX: u32 = 100;
const ENDED_LOOK_EVERY: Duration = Duration::from_millis(10);

/// A secret's text. It has no `Display`, and its `Debug` says nothing of it.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

/// Where a secret comes from: one of the two.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecretSource {
    /// A file that holds it; a newline at the end does not count.
    pub file: Option<PathBuf>,
    /// A program and its arguments that print it.
    pub command: Vec<String>,
}

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Neither or both of the two ways are given.
    #[error("{what}: name either a file or a command that prints it")]
    Unclear {
        /// Which secret.
        what: &'static str,
    },
    /// The file cannot be read.
    #[error("{what}: cannot read {path}: {source}")]
    File {
        /// Which secret.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The command did not print it.
    #[error("{what}: the command `{program}` {why}")]
    Command {
        /// Which secret.
        what: &'static str,
        /// The program.
        program: String,
        /// What went wrong.
        why: String,
    },
    /// It is empty, too large or not text.
    #[error("{what} is empty, longer than {SECRET_BYTES_MAX} bytes, or not UTF-8")]
    Malformed {
        /// Which secret.
        what: &'static str,
    },
}

impl Secret {
    /// A secret of a known text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Three stars, whatever it holds.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl SecretSource {
    /// Whether no source is named.
    pub const fn is_none(&self) -> bool {
        self.file.is_none() && self.command.is_empty()
    }

    /// Reads the secret; `what` is named in errors.
    pub fn read(&self, what: &'static str) -> Result<Secret, SecretError> {
        let bytes = match (&self.file, self.command.as_slice()) {
            (Some(path), []) => from_file(what, path)?,
            (None, [program, arguments @ ..]) => from_command(what, program, arguments)?,
            _ => return Err(SecretError::Unclear { what }),
        };
        let text = String::from_utf8(bytes).map_err(|_| SecretError::Malformed { what })?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() || text.len() > SECRET_BYTES_MAX {
            return Err(SecretError::Malformed { what });
        }
        Ok(Secret::new(text))
    }
}

fn from_file(what: &'static str, path: &Path) -> Result<Vec<u8>, SecretError> {
    let failed = |source| SecretError::File { what, path: path.into(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    all_of(file).map_err(failed)
}

/// All of it, and no more of what is too long than shows that it is.
fn all_of(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(SECRET_BYTES_MAX as u64 + 2).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn from_command(
    what: &'static str,
    program: &str,
    arguments: &[String],
) -> Result<Vec<u8>, SecretError> {
    let failed = |why: String| SecretError::Command { what, program: program.to_owned(), why };
    // What it says on standard error may hold the secret: nobody is shown that.
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let Some(out) = child.stdout.take() else {
        return Err(failed("has no standard output".to_owned()));
    };
    let (send, printed) = sync_channel(1);
    // Whoever no longer waits for it has said so.
    std::thread::spawn(move || send.send(all_of(out)).ok());
    let printed = printed.recv_timeout(COMMAND_TIMEOUT);
    let is_cut = printed.as_ref().is_ok_and(|it| is_too_long(it.as_deref().unwrap_or_default()));
    let ended = if printed.is_ok() && !is_cut { ended(&mut child) } else { None };
    if ended.is_none() {
        // It has ended perhaps; then there is nothing to kill.
        child.kill().ok();
        child.wait().ok();
    }
    match (printed, ended) {
        (Ok(Ok(bytes)), _) if is_cut => Ok(bytes),
        (Ok(Ok(bytes)), Some(status)) if status.success() => Ok(bytes),
        (Ok(Ok(_)), Some(status)) => Err(failed(format!("failed ({status}): run it by hand"))),
        (Ok(Err(error)), _) => Err(failed(format!("failed: {error}"))),
        (Err(_), _) | (_, None) => {
            Err(failed(format!("took longer than {} s", COMMAND_TIMEOUT.as_secs())))
        }
    }
}

/// How a command ended that has closed its output, if it does so soon.
fn ended(child: &mut Child) -> Option<ExitStatus> {
    for _ in 0..ENDED_LOOKS_MAX {
        if let Some(status) = child.try_wait().ok()? {
            return Some(status);
        }
        std::thread::sleep(ENDED_LOOK_EVERY);
    }
    None
}

const fn is_too_long(bytes: &[u8]) -> bool {
    // A line's end does not count.
    bytes.len() > SECRET_BYTES_MAX + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_and_never_printed() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("password");
        std::fs::write(&path, "tiger\n").unwrap();
        let source = SecretSource { file: Some(path), command: Vec::new() };
        let secret = source.read("the password").unwrap();
        assert_eq!(secret.expose(), "tiger");
        assert_eq!(format!("{secret:?}"), "***");
        let command = vec!["printf".to_owned(), "lion".to_owned()];
        let source = SecretSource { file: None, command };
        assert_eq!(source.read("the password").unwrap().expose(), "lion");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check = |source: SecretSource, words: &str| {
            let error = source.read("kafka.sasl_password").unwrap_err().to_string();
            assert!(error.starts_with("kafka.sasl_password") && error.contains(words), "{error}");
            assert!(!error.contains("tiger"), "{error}");
        };
        check(SecretSource::default(), "either a file or a command");
        check(SecretSource { file: Some("/no/such".into()), command: Vec::new() }, "/no/such");
        let command = vec!["false".to_owned()];
        check(SecretSource { file: None, command }, "failed");
        let command = ["sh", "-c", "echo tiger >&2; exit 3"].map(str::to_owned).to_vec();
        check(SecretSource { file: None, command }, "exit status: 3");
        let command = ["yes", "tiger"].map(str::to_owned).to_vec();
        check(SecretSource { file: None, command }, "longer than 65536 bytes");
        let command = ["sleep", "60"].map(str::to_owned).to_vec();
        check(SecretSource { file: None, command }, "took longer than 8 s");
    }
}

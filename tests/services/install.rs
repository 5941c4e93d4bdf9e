//! Installs services into the user's cache folder, once for all test processes.

use super::{chosen, is_offline};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Lines of a failed command's output that are shown.
const TAIL_LINES_MAX: usize = 12;

/// The folder `name` of the services, filled by `fill` where nobody has done so yet.
///
/// `fill` works in a folder beside it, which takes the name only when it is complete. It never
/// runs when offline.
pub(crate) fn installed(
    name: &str,
    fill: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let services = services()?;
    let (ready, partial) = (services.join(name), services.join(format!("{name}.partial")));
    if ready.exists() {
        return Ok(ready);
    }
    if is_offline() {
        return Err(
            "it is not installed, and HABITUS_TESTS_OFFLINE=1 forbids to fetch it".to_owned()
        );
    }
    let at = |path: &Path, err| format!("{}: {err}", path.display());
    std::fs::create_dir_all(&services).map_err(|err| at(&services, err))?;
    let lock = services.join(format!("{name}.lock"));
    // Closing the file gives the lock back, also where this process is killed.
    let held = File::create(&lock).map_err(|err| at(&lock, err))?;
    held.lock().map_err(|err| at(&lock, err))?;
    if ready.exists() {
        return Ok(ready);
    }
    if partial.exists() {
        std::fs::remove_dir_all(&partial).map_err(|err| at(&partial, err))?;
    }
    std::fs::create_dir(&partial).map_err(|err| at(&partial, err))?;
    fill(&partial)?;
    std::fs::rename(&partial, &ready).map_err(|err| at(&partial, err))?;
    Ok(ready)
}

/// `${XDG_CACHE_HOME:-~/.cache}/habitus/services`.
fn services() -> Result<PathBuf, String> {
    let home = || chosen("HOME").map(|home| Path::new(&home).join(".cache"));
    chosen("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home)
        .map(|cache| cache.join("habitus/services"))
        .ok_or_else(|| "neither XDG_CACHE_HOME nor HOME is set: set one".to_owned())
}

/// Runs a command to its end; where it fails, the error holds the command as one would type it.
pub(crate) fn run(command: &[&str]) -> Result<(), String> {
    let typed: Vec<_> = command.iter().map(|word| quoted(word)).collect();
    let cure = format!("run this until it succeeds, then the tests again: {}", typed.join(" "));
    let ended = Command::new(command[0]).args(&command[1..]).stdin(Stdio::null()).output();
    match ended {
        Ok(ended) if ended.status.success() => Ok(()),
        Ok(ended) => {
            let said = [ended.stdout, ended.stderr].concat();
            let said = tail(&String::from_utf8_lossy(&said));
            Err(format!("{} failed ({}); {cure}\n{said}", command[0], ended.status))
        }
        Err(err) => Err(format!(
            "{} cannot be started ({err}): apt-get install {}; {cure}",
            command[0],
            package(command[0])
        )),
    }
}

/// The Debian package that has a program.
fn package(program: &str) -> &str {
    match program {
        "mvn" => "maven",
        "python3" => "python3-venv",
        other => other,
    }
}

/// The last lines of a text.
pub(super) fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES_MAX)..].join("\n")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./=:".contains(it);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{word}'") }
}

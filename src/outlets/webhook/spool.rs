//! The spool: events that wait for the endpoint, a file each, oldest first.

use super::super::ocsf::Event;
use super::WebhookError;
use model::Time;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use store::{Erased, Forgetting, forget_text};

/// The ending of a file that is complete, and of one that is being written.
const READY: &str = "json";
const PARTIAL: &str = "partial";
/// The file whose lock lets one process send.
const LOCK: &str = "lock";

/// A directory of events, which processes may share.
#[derive(Clone, Debug)]
pub(super) struct Spool {
    dir: PathBuf,
}

/// An event as it waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Letter {
    /// The same at every try: the finding's id and revision.
    pub(super) id: String,
    /// When it was put here, by the clock on the wall.
    pub(super) since: Time,
    pub(super) body: String,
}

/// The name under which an event is told apart from all others.
fn id_of(event: &Event) -> String {
    format!("{}_{}", event.id, event.revision)
}

/// The id in a file's name: what stands behind its number.
fn id_in(name: &str) -> Option<&str> {
    name.split_once('.')?.1.strip_suffix(".json")
}

/// The events that do not wait already.
pub(super) fn without(names: &[String], events: Vec<Event>) -> Vec<Event> {
    let mut there: BTreeSet<String> =
        names.iter().filter_map(|name| id_in(name)).map(str::to_owned).collect();
    events.into_iter().filter(|event| there.insert(id_of(event))).collect()
}

impl Spool {
    /// Makes the directory, readable by its owner only: it holds identities.
    pub(super) fn open(dir: &Path) -> Result<Self, WebhookError> {
        let spool = Self { dir: dir.to_owned() };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir).map_err(|error| spool.failed(error))?;
        Ok(spool)
    }

    fn failed(&self, source: io::Error) -> WebhookError {
        WebhookError::Spool { path: self.dir.clone(), source }
    }

    /// The names of all that wait, oldest first.
    pub(super) fn names(&self) -> Result<Vec<String>, WebhookError> {
        let names = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in fs::read_dir(&self.dir)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                if id_in(&name).is_some() {
                    names.push(name);
                }
            }
            names.sort();
            Ok(names)
        };
        names().map_err(|error| self.failed(error))
    }

    /// Adds events behind all others; when this returns, they are on the disk.
    pub(super) fn put(&self, events: &[Event], now: Time) -> Result<(), WebhookError> {
        if events.is_empty() {
            return Ok(());
        }
        let names = self.names()?;
        let last = names.last().and_then(|it| it.split_once('.')?.0.parse::<u64>().ok());
        let put = || -> io::Result<()> {
            for (number, event) in (last.map_or(0, |last| last + 1)..).zip(events) {
                self.write(&format!("{number:020}.{}.", id_of(event)), now, &event.body)?;
            }
            File::open(&self.dir)?.sync_all()
        };
        put().map_err(|error| self.failed(error))
    }

    /// The event in a file; nothing if the file is gone, and its text if that is no event.
    pub(super) fn get(&self, name: &str) -> Result<Option<Result<Letter, String>>, WebhookError> {
        let text = match fs::read(self.dir.join(name)) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let letter = text.split_once('\n').and_then(|(since, body)| {
            let since = Time::from_ns(since.parse().ok()?);
            let body = body.strip_suffix('\n')?.to_owned();
            let is_event = serde_json::from_str::<serde_json::Value>(&body).is_ok();
            is_event.then(|| Letter { id: id_in(name).unwrap_or(name).to_owned(), since, body })
        });
        Ok(Some(letter.ok_or(text)))
    }

    /// Forgets somebody in all that waits; `is_dry` only counts. What is sent meanwhile is sent.
    pub(super) fn forget(
        &self,
        who: &Forgetting,
        is_dry: bool,
        sum: &mut Erased,
    ) -> Result<(), WebhookError> {
        let mentions = who.mentions();
        for name in self.names()? {
            let Some(Ok(letter)) = self.get(&name)? else { continue };
            match forget_text(&letter.body, who, &mentions, sum) {
                Some(Cow::Owned(body)) if !is_dry => {
                    let stem = name.strip_suffix(READY).unwrap_or(&name);
                    self.write(stem, letter.since, &body).map_err(|error| self.failed(error))?;
                }
                None if !is_dry => self.remove(&name)?,
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    /// Writes a file whole or not at all.
    fn write(&self, stem: &str, since: Time, body: &str) -> io::Result<()> {
        let partial = self.dir.join(format!("{stem}{PARTIAL}"));
        let mut file = private(&partial)?;
        file.write_all(format!("{}\n{body}\n", since.ns()).as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, self.dir.join(format!("{stem}{READY}")))
    }

    /// Removes an event that is done with.
    pub(super) fn remove(&self, name: &str) -> Result<(), WebhookError> {
        match fs::remove_file(self.dir.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(error)),
            _ => Ok(()),
        }
    }

    /// The right to send, for as long as the file is held; nothing while another process has it.
    pub(super) fn lock(&self) -> Result<Option<File>, WebhookError> {
        let file = private(&self.dir.join(LOCK)).map_err(|error| self.failed(error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(self.failed(error)),
        }
    }
}

/// A file that only its owner can read.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Severity;

    fn event(id: &str, revision: u64) -> Event {
        let body = format!("{{\"id\":\"{id}\"}}");
        Event { id: id.to_owned(), revision, severity: Severity::High, body }
    }

    #[test]
    fn events_come_back_in_order_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(&dir.path().join("webhook")).unwrap();
        let now = Time::from_ns(7);
        spool.put(&[event("b", 1), event("a", 1)], now).unwrap();
        spool.put(&[event("a", 2)], now).unwrap();
        let names = spool.names().unwrap();
        let ids: Vec<_> = names.iter().filter_map(|name| id_in(name)).collect();
        assert_eq!(ids, ["b_1", "a_1", "a_2"]);
        let left = without(&names, vec![event("a", 2), event("c", 1), event("c", 1)]);
        assert_eq!(left, [event("c", 1)]);
        let letter = spool.get(&names[0]).unwrap().unwrap().unwrap();
        assert_eq!((letter.id.as_str(), letter.since), ("b_1", now));
        assert_eq!(letter.body, "{\"id\":\"b\"}");
        spool.remove(&names[0]).unwrap();
        spool.remove(&names[0]).unwrap();
        assert_eq!(spool.get(&names[0]).unwrap(), None);
        assert_eq!(spool.names().unwrap().len(), 2);
    }

    #[test]
    fn a_damaged_file_is_given_as_it_is_and_a_half_written_one_is_not_seen() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        fs::write(dir.path().join("00000000000000000000.x_1.json"), "7\n{\"to").unwrap();
        fs::write(dir.path().join("00000000000000000001.y_1.partial"), "7\n{}\n").unwrap();
        let names = spool.names().unwrap();
        assert_eq!(names.len(), 1);
        assert_eq!(spool.get(&names[0]).unwrap(), Some(Err("7\n{\"to".to_owned())));
    }

    #[test]
    fn one_process_sends() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let held = spool.lock().unwrap();
        assert!(held.is_some());
        assert!(spool.lock().unwrap().is_none());
        drop(held);
        assert!(spool.lock().unwrap().is_some());
    }
}

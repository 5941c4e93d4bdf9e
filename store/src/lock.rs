//! Locks between processes, released by the system even when a process dies.
//!
//! One writer at a time holds [`Lock::writer`]. Readers hold [`Lock::reader`] together; a commit
//! removes files only while it has [`Lock::no_readers`], and otherwise leaves them to the next one.

use crate::error::StoreError;
use crate::layout;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// How long a service waits for another writer, such as a compaction that replaces the manifest.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How often it looks.
const TRY_EVERY: Duration = Duration::from_millis(20);

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// The writer's lock, or an error if somebody else writes.
    pub(crate) fn writer(dir: &Path) -> Result<Self, StoreError> {
        let busy = || StoreError::Busy(dir.to_owned());
        Self::exclusive(dir, layout::LOCK)?.ok_or_else(busy)
    }

    /// The writer's lock; another writer is waited for 5 s at most.
    pub(crate) fn patient_writer(dir: &Path) -> Result<Self, StoreError> {
        let mut waited = Duration::ZERO;
        loop {
            match Self::writer(dir) {
                Err(StoreError::Busy(_)) if waited < WAIT_MAX => {
                    std::thread::sleep(TRY_EVERY);
                    waited += TRY_EVERY;
                }
                lock => return lock,
            }
        }
    }

    /// The writer's lock, after whoever creates the same store right now.
    pub(crate) fn creator(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(layout::LOCK);
        let lock = || {
            let file = open_for_writing(&path)?;
            file.lock()?;
            Ok(Self { _file: file })
        };
        lock().map_err(StoreError::io("locking", &path))
    }

    /// A reader's lock, which any number may hold; waits only while a commit removes files.
    pub(crate) fn reader(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(layout::READERS);
        let lock = || {
            let file = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => open_for_writing(&path),
                opened => opened,
            }?;
            file.lock_shared()?;
            Ok(Self { _file: file })
        };
        lock().map_err(StoreError::io("locking", &path))
    }

    /// Says that nobody reads, and keeps it so; `None` while somebody does.
    pub(crate) fn no_readers(dir: &Path) -> Result<Option<Self>, StoreError> {
        Self::exclusive(dir, layout::READERS)
    }

    fn exclusive(dir: &Path, name: &str) -> Result<Option<Self>, StoreError> {
        let path = dir.join(name);
        let file = open_for_writing(&path).map_err(StoreError::io("locking", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(StoreError::io("locking", &path)(source)),
        }
    }
}

fn open_for_writing(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

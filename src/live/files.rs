//! Followed files as a feed: one process at a time, whose place stands in a file beside the checkpoints.
//!
//! That file is what committed offsets are for topics: it names the checkpoint, and is replaced whole.

use ingest::source::follow::{Follow, PatternError, Registry};
use ingest::source::kafka::{Committed, Next, Start};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The version of [`Place`]; another is refused.
const VERSION: u16 = 1;
/// Bytes of the file: more than all slots and all files at rest take.
const PLACE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Why files cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// What was named cannot be followed.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// Another process follows them.
    #[error(
        "another habitus follows files as group {group} ({}): stop it, or give this one another source.group_id",
        .path.display()
    )]
    Busy {
        /// The group.
        group: String,
        /// The lock.
        path: PathBuf,
    },
    /// The place cannot be read or written.
    #[error("{what} {} failed ({source}): check that the directory is there, writable and has room", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The place is not what was written.
    #[error(
        "{} is damaged ({why}): restore it from a copy, or start anew with another source.group_id",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Where the files of a group stand.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Place {
    version: u16,
    group: String,
    /// The pointer to the checkpoint.
    metadata: String,
    /// Where to read on, by slot.
    offsets: Vec<Option<i64>>,
    files: Registry,
}

/// Files that are followed, and where their place is kept.
#[derive(Debug)]
pub(crate) struct Files {
    follow: Follow,
    group: String,
    path: PathBuf,
    is_leading: bool,
    now: fn() -> Instant,
    /// Held as long as the process lives.
    _lock: File,
}

impl Files {
    /// Takes the lock of a group in the directory of checkpoints; nothing is read yet.
    pub(crate) fn open(
        patterns: &[String],
        start: Start,
        group: &str,
        directory: &Path,
        now: fn() -> Instant,
    ) -> Result<Self, FileError> {
        let follow = Follow::new(patterns, start)?;
        let name = format!("files-{}", detect::short_hash(group));
        let lock = lock(&directory.join(format!("{name}.lock")), group)?;
        let path = directory.join(format!("{name}.json"));
        Ok(Self { follow, group: group.to_owned(), path, is_leading: false, now, _lock: lock })
    }

    pub(crate) const fn follow(&self) -> &Follow {
        &self.follow
    }

    pub(crate) const fn follow_mut(&mut self) -> &mut Follow {
        &mut self.follow
    }

    /// First the place that was committed, then lines.
    pub(crate) fn next(&mut self, wait: Duration) -> Result<Next, FileError> {
        if !self.is_leading {
            self.is_leading = true;
            return Ok(Next::Lead(self.committed()?));
        }
        let fetched = self.follow.next((self.now)());
        if fetched.is_empty() {
            std::thread::sleep(wait);
        }
        Ok(Next::Records(fetched))
    }

    /// [`Next::Lead`] comes again.
    pub(crate) const fn ask_again(&mut self) {
        self.is_leading = false;
    }

    pub(crate) fn begin(&mut self, offsets: &[Option<i64>]) {
        self.follow.begin(offsets, (self.now)());
    }

    /// What the process before left; nothing at the very first start.
    fn committed(&mut self) -> Result<Vec<Committed>, FileError> {
        let failed = |source| FileError::Io { what: "reading", path: self.path.clone(), source };
        let mut text = String::new();
        match File::open(&self.path) {
            Ok(file) => file.take(PLACE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let damaged = |why: String| FileError::Damaged { path: self.path.clone(), why };
        let place: Place =
            serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        if place.version != VERSION {
            return Err(damaged(format!("it has version {}, not {VERSION}", place.version)));
        }
        if place.group != self.group {
            return Err(damaged(format!("it is of group {}", place.group)));
        }
        self.follow.resume(place.files, (self.now)());
        let slots = self.follow.partitions().len();
        if place.offsets.len() != slots {
            return Err(damaged(format!("{} offsets of {slots} files", place.offsets.len())));
        }
        let metadata = place.metadata;
        let each = place.offsets.into_iter();
        Ok(each.map(|offset| Committed { offset, metadata: metadata.clone() }).collect())
    }

    /// Replaces the place: a crash leaves the old or the new one.
    pub(crate) fn commit(
        &mut self,
        offsets: &[Option<i64>],
        metadata: &str,
    ) -> Result<(), FileError> {
        let place = Place {
            version: VERSION,
            group: self.group.clone(),
            metadata: metadata.to_owned(),
            offsets: offsets.to_vec(),
            files: self.follow.registry(),
        };
        let write = || {
            let new = self.path.with_extension("json.new");
            let mut file = File::create(&new)?;
            serde_json::to_writer(&mut file, &place)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            crate::hold("replacing");
            fs::rename(&new, &self.path)?;
            File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(|source| FileError::Io { what: "writing", path: self.path.clone(), source })
    }
}

fn lock(path: &Path, group: &str) -> Result<File, FileError> {
    let failed = |source| FileError::Io { what: "locking", path: path.to_owned(), source };
    let options = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = options.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(FileError::Busy { group: group.to_owned(), path: path.to_owned() })
        }
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

//! The store's directory: created once, opened by every command.

use crate::error::StoreError;
use crate::key::Key;
use crate::layout::{self, RunId};
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::query;
use crate::writer::Writer;
use datafusion::execution::runtime_env::RuntimeEnv;
use model::tables::Table;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use std::{fs, io};
use tokio::task::spawn_blocking;

/// What tells one visible state of a directory from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark {
    modified: SystemTime,
    bytes: u64,
}

/// A directory of Parquet files, one run beside the other, read with SQL; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    key: Key,
    runtime: Arc<RuntimeEnv>,
}

impl Store {
    /// Opens the store in `dir`, making the directory and the store if there is none.
    ///
    /// A new store keeps `key` (from a key file), or else `fresh` (32 random bytes that the caller
    /// made), as its fingerprint key. A `key` other than that of an existing store is refused.
    pub async fn create(
        dir: &Path,
        key: Option<[u8; 32]>,
        fresh: [u8; 32],
    ) -> Result<Self, StoreError> {
        let dir = dir.to_owned();
        let key = key.map(Key);
        let (dir, key) = in_background(move || create(&dir, key, Key(fresh))).await?;
        Self::over(dir, key)
    }

    /// Opens the store in `dir`, which must exist.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        let dir = dir.to_owned();
        let (dir, key) = in_background(move || open(&dir)).await?;
        Self::over(dir, key)
    }

    fn over(dir: PathBuf, key: Key) -> Result<Self, StoreError> {
        let runtime = query::runtime(&dir, query::WORK_BYTES_MAX)?;
        Ok(Self { dir, key, runtime })
    }

    /// The key of the store's fingerprints: 32 bytes that must not be shown.
    pub const fn key(&self) -> [u8; 32] {
        self.key.0
    }

    /// The store's directory, as an absolute path.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What changes with every commit; nothing where it cannot be said. Commits within one tick of
    /// the file system's clock may look alike: whoever relies on it looks again after a while.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let manifest = fs::metadata(self.dir.join(layout::MANIFEST)).ok()?;
        Some(Mark { modified: manifest.modified().ok()?, bytes: manifest.len() })
    }

    /// A writer of the run; it takes the store's lock with its first write.
    pub fn writer(&self, run: &RunId) -> Writer {
        Writer::new(&self.dir, run)
    }

    /// The same store, whose queries share other limits.
    pub(crate) fn with_runtime(&self, runtime: Arc<RuntimeEnv>) -> Self {
        Self { runtime, ..self.clone() }
    }

    pub(crate) const fn runtime(&self) -> &Arc<RuntimeEnv> {
        &self.runtime
    }

    /// What is visible now, and a lock that keeps its files where they are.
    pub(crate) async fn visible(&self) -> Result<(Manifest, Lock), StoreError> {
        let dir = self.dir.clone();
        in_background(move || {
            let lock = Lock::reader(&dir)?;
            Ok((Manifest::read(&dir)?.ok_or(StoreError::Missing(dir))?, lock))
        })
        .await
    }
}

fn create(dir: &Path, key: Option<Key>, fresh: Key) -> Result<(PathBuf, Key), StoreError> {
    match fs::metadata(dir) {
        Ok(found) if !found.is_dir() => return Err(StoreError::NotADirectory(dir.to_owned())),
        Ok(_) => {}
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(dir).map_err(StoreError::io("creating", dir))?;
        }
        Err(source) => return Err(StoreError::io("opening", dir)(source)),
    }
    let dir = fs::canonicalize(dir).map_err(StoreError::io("opening", dir))?;
    let stored = match (Manifest::read(&dir)?, Key::read(&dir)?) {
        (Some(_), Some(stored)) => stored,
        _ => complete(&dir, key.unwrap_or(fresh))?,
    };
    match key {
        Some(key) if key != stored => Err(StoreError::OtherKey(dir)),
        _ => Ok((dir, stored)),
    }
}

/// Writes what a new store lacks, the manifest last; yields its key, which may be somebody else's
/// who was quicker.
fn complete(dir: &Path, key: Key) -> Result<Key, StoreError> {
    let _lock = Lock::creator(dir)?;
    let manifest = Manifest::read(dir)?;
    if manifest.is_none() && has_tables(dir) {
        return Err(StoreError::Unlisted { dir: dir.to_owned() });
    }
    let stored = match (Key::read(dir)?, &manifest) {
        (Some(stored), _) => stored,
        (None, None) => {
            key.write(dir)?;
            key
        }
        (None, Some(_)) => return Err(key_lost(dir)),
    };
    // Made here, so that a store on a read-only disk can be read.
    drop(Lock::reader(dir)?);
    if manifest.is_none() {
        Manifest::empty().write(dir)?;
    }
    Ok(stored)
}

fn open(dir: &Path) -> Result<(PathBuf, Key), StoreError> {
    match fs::metadata(dir) {
        Ok(found) if !found.is_dir() => return Err(StoreError::NotADirectory(dir.to_owned())),
        Ok(_) => {}
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            return Err(StoreError::Missing(dir.to_owned()));
        }
        Err(source) => return Err(StoreError::io("opening", dir)(source)),
    }
    let dir = fs::canonicalize(dir).map_err(StoreError::io("opening", dir))?;
    match (Manifest::read(&dir)?, Key::read(&dir)?) {
        (Some(_), Some(key)) => Ok((dir, key)),
        (Some(_), None) => Err(key_lost(&dir)),
        (None, _) if has_tables(&dir) => Err(StoreError::Unlisted { dir }),
        (None, _) => Err(StoreError::Missing(dir)),
    }
}

/// A new key would make fingerprints that match none of those in the tables.
fn key_lost(dir: &Path) -> StoreError {
    StoreError::Damaged { path: dir.join(layout::KEY), what: "missing".into() }
}

fn has_tables(dir: &Path) -> bool {
    Table::ALL.iter().any(|table| layout::table_dir(dir, *table).is_dir())
}

/// Does blocking work on a thread where it holds nobody up.
pub(crate) async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn_blocking(work).await.map_err(|error| StoreError::Stopped(error.to_string()))?
}

//! What can go wrong in the store, each with where it happened and what cures it.

use model::tables::Table;
use std::io;
use std::path::{Path, PathBuf};

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no store in the directory.
    #[error("no store in {}: run `habitus replay` or `habitus demo` first, or name another directory", .0.display())]
    Missing(PathBuf),
    /// The path names something that is not a directory.
    #[error("{} is not a directory: name another path for the store", .0.display())]
    NotADirectory(PathBuf),
    /// There are data files, but nothing says which of them are whole.
    #[error("{} holds tables but no {}: name another directory, or remove this one and replay", .dir.display(), crate::layout::MANIFEST)]
    Unlisted {
        /// The directory.
        dir: PathBuf,
    },
    /// A newer Habitus wrote the store.
    #[error("the store in {} has version {found} and this program reads version {known}: update habitus, or name another directory", .dir.display())]
    Newer {
        /// The store's directory.
        dir: PathBuf,
        /// The version written there.
        found: u64,
        /// The version that this program knows.
        known: u64,
    },
    /// The manifest or the key is not what this program writes.
    #[error("{} is damaged ({what}): restore it from a copy, or remove the store and replay", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The key that was given is not the key of the store.
    #[error("the store in {} was written with another fingerprint key: give the same key file as before, or another directory", .0.display())]
    OtherKey(PathBuf),
    /// Another writer is at work.
    #[error("another habitus is writing to {}: wait until it ends, or name another directory", .0.display())]
    Busy(PathBuf),
    /// The name of a run is not one that can name files.
    #[error("`{0}` is no run id: it takes 1 to {max} of a-z and 0-9", max = crate::layout::RUN_ID_BYTES_MAX)]
    RunId(String),
    /// A batch has other columns than its table.
    #[error("a batch for `{}` differs from the table: {what}; write batches of the table's schema", .table.as_str())]
    Schema {
        /// The table.
        table: Table,
        /// The first difference.
        what: String,
    },
    /// Rows could not be turned into Parquet.
    #[error("rows of `{}` could not be encoded: {what}; replay again, and report it if it happens twice", .table.as_str())]
    Encode {
        /// The table.
        table: Table,
        /// What the encoder said.
        what: String,
    },
    /// An earlier write of this run failed, so the run is incomplete.
    #[error("an earlier write of this run failed: replay it, nothing of it was made visible")]
    Broken,
    /// The file system refused.
    #[error("{action} {} failed ({source}): check that the path is writable and has space left", .path.display())]
    Io {
        /// What was tried: `writing`, `reading`, ….
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The SQL could not be understood or carried out.
    #[error("{what}{}", there_are(.tables))]
    Sql {
        /// What is wrong with it.
        what: String,
        /// The tables and views that can be asked; empty where those are not the matter.
        tables: String,
    },
    /// The SQL would change something.
    #[error(
        "{statement} is not allowed, a store is only read: use SELECT, WITH, EXPLAIN, SHOW or DESCRIBE"
    )]
    ReadOnly {
        /// The statement's first words.
        statement: String,
    },
    /// The answer or the work for it is larger than what may be held.
    #[error(
        "the query needs more than {bytes_max} bytes of memory ({what}): add a WHERE or a LIMIT, or aggregate"
    )]
    TooLarge {
        /// The limit, in bytes.
        bytes_max: usize,
        /// Which limit was hit.
        what: String,
    },
    /// A background task was stopped, because the runtime shut down or the task failed.
    #[error("a background task of the store was stopped ({0}): run the command again")]
    Stopped(String),
}

fn there_are(tables: &str) -> String {
    if tables.is_empty() { String::new() } else { format!("; there are the tables {tables}") }
}

impl StoreError {
    /// Names what was tried on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

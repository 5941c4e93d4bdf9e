//! The names of everything in a store's directory.

use crate::error::StoreError;
use model::tables::Table;
use std::path::{Path, PathBuf};

/// The file that lists what is visible; its replacement is a commit.
pub(crate) const MANIFEST: &str = "habitus-store.json";
/// The manifest while it is written.
pub(crate) const MANIFEST_NEW: &str = "habitus-store.json.new";
/// The fingerprint key, readable by its owner only.
pub(crate) const KEY: &str = "key";
/// The key while it is written.
pub(crate) const KEY_NEW: &str = "key.new";
/// The file whose lock says that somebody writes.
pub(crate) const LOCK: &str = "lock";
/// The file that readers lock together, so that no commit removes a file under them.
pub(crate) const READERS: &str = "readers";
/// Where files grow until they are whole.
pub(crate) const STAGING: &str = ".staging";

/// Where merged runs grow, with a lock of its own.
pub(crate) const COMPACTING: &str = ".compacting";

/// Digits of an epoch in a run's name.
const EPOCH_DIGITS: usize = 12;
/// Digits of a group's hash in a run's name.
const GROUP_DIGITS: usize = 16;
/// Bytes of a run's name.
pub(crate) const RUN_ID_BYTES_MAX: usize = 64;
/// Hexadecimal digits of a file's content hash in its name: enough that no two contents share one.
const HASH_DIGITS: usize = 32;

/// The name of one run: the same input under the same configuration has the same one.
///
/// Committing a run replaces all that was committed under its name before.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RunId(String);

impl RunId {
    /// Takes 1 to 64 of `a-z` and `0-9`, such as a hash in hexadecimal digits.
    pub fn new(name: &str) -> Result<Self, StoreError> {
        let fits = (1..=RUN_ID_BYTES_MAX).contains(&name.len());
        if fits && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            Ok(Self(name.to_owned()))
        } else {
            let shown = name.chars().take(RUN_ID_BYTES_MAX).collect();
            Err(StoreError::RunId(shown))
        }
    }

    /// The run of a service's epoch; an epoch that is judged again writes the same run again.
    pub fn epoch(group: &str, epoch: u64) -> Self {
        let hash = blake3::hash(group.as_bytes()).to_hex();
        let group: String = hash.chars().take(GROUP_DIGITS).collect();
        Self(format!("g{group}e{epoch:012}"))
    }

    /// The run that epochs of a group were merged into; the group is that of a [`Span`].
    pub(crate) fn merged(group: &str, from: u64, to: u64) -> Result<Self, StoreError> {
        Self::new(&format!("g{group}c{from:012}{to:012}"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which epochs of which group a run has, as its name says.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Span {
    pub(crate) group: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Span {
    /// The span that a name says; `None` for the run of a replay.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let (group, rest) = name.strip_prefix('g')?.split_at_checked(GROUP_DIGITS)?;
        let number = |digits: &str| {
            let is_number = digits.len() == EPOCH_DIGITS;
            is_number.then(|| digits.parse::<u64>().ok()).flatten()
        };
        let (from, to) = match (rest.strip_prefix('e'), rest.strip_prefix('c')) {
            (Some(epoch), _) => (number(epoch)?, number(epoch)?),
            (_, Some(both)) => {
                let (from, to) = both.split_at_checked(EPOCH_DIGITS)?;
                (number(from)?, number(to)?)
            }
            _ => return None,
        };
        Some(Self { group: group.to_owned(), from, to })
    }
}

/// The name of a finished file: its run, its number in the run, and the hash of its content.
///
/// The hash keeps a replay with other content from touching files that are visible and being read.
pub(crate) fn file_name(run: &RunId, number: usize, hash: &blake3::Hash) -> String {
    let digits: String = hash.to_hex().chars().take(HASH_DIGITS).collect();
    format!("{}-{number:05}-{digits}.parquet", run.as_str())
}

/// Whether `name` is one that [`file_name`] makes: nothing else in a table's directory is ours.
pub(crate) fn is_file_name(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".parquet") else { return false };
    let mut parts = stem.split('-');
    let (Some(run), Some(number), Some(hash), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    RunId::new(run).is_ok()
        && number.len() >= 5
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && hash.len() == HASH_DIGITS
        && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The directory of a table's visible files.
pub(crate) fn table_dir(dir: &Path, table: Table) -> PathBuf {
    dir.join(table.as_str())
}

/// Where the file of that number grows.
pub(crate) fn staged(dir: &Path, run: &RunId, table: Table, number: usize) -> PathBuf {
    dir.join(STAGING).join(run.as_str()).join(format!("{}-{number:05}.parquet", table.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_name_a_run() {
        assert!(RunId::new("0a1b").is_ok());
        for name in ["", ".", "..", "a/b", "A", "a-b", "ä", "a b", "a\0", &"a".repeat(65)] {
            assert!(RunId::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_file_name_is_known_again_and_no_other() {
        let run = RunId::new("r1").unwrap();
        assert!(is_file_name(&file_name(&run, 7, &blake3::hash(b"x"))));
        assert!(is_file_name(&file_name(&run, 123_456, &blake3::hash(b"x"))));
        for name in ["mine.parquet", "a-00001.parquet", "../r1-00001-00.parquet", "key", "r1-1-x"] {
            assert!(!is_file_name(name), "{name:?}");
        }
    }
}

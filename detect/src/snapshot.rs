//! Snapshots: the whole state of detection as bytes, and back.
//!
//! A snapshot is a mark, what it is of, [`STATE_VERSION`], and the state in postcard's format. Maps
//! are written in a sorted order and floats bit by bit, so that equal states are equal bytes and an
//! import goes on as if nothing had been between. It has no checksum and is not compressed: its
//! keeper sees to both, and vouches for the counts in it. An import refuses what has not the shape
//! of a state (places outside of a list, lists out of order, matrices that do not fit each other).

mod finding;
pub(crate) mod plain;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

/// The version of what is written; it moves whenever the meaning or the order of a byte does.
///
/// The order of every closed set, every detector's place and the fields of all state count.
pub const STATE_VERSION: u16 = 10;

/// What every snapshot starts with.
const MARK: [u8; 7] = *b"HABITUS";
/// Bytes before the state: the mark, what it is of, the version.
const HEADER_BYTES: usize = MARK.len() + 1 + size_of::<u16>();

/// What a snapshot is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    Engine,
    /// What an engine has beside its partitions.
    Centre,
    /// A whole partition.
    Partition,
    /// What changed of a partition.
    Changes,
    Router,
}

impl Subject {
    const fn tag(self) -> u8 {
        match self {
            Self::Engine => b'E',
            Self::Centre => b'C',
            Self::Partition => b'P',
            Self::Changes => b'D',
            Self::Router => b'R',
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Engine | Self::Centre | Self::Partition | Self::Changes => "engine",
            Self::Router => "router",
        }
    }

    /// An error that says what of the state does not hold together.
    pub(crate) fn corrupt(self, why: impl Into<String>) -> SnapshotError {
        SnapshotError::Corrupt { what: self.as_str(), why: why.into() }
    }
}

/// A state that could not be written or read back.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SnapshotError {
    /// The bytes are something else.
    #[error("these bytes are no snapshot of the {what}: give the ones that its export wrote")]
    Foreign {
        /// What was to be read.
        what: &'static str,
    },
    /// Another version wrote it.
    #[error(
        "the snapshot of the {what} has version {found}, but this program reads version \
         {STATE_VERSION}: start cold, or run the version of the program that wrote it"
    )]
    Version {
        /// What was to be read.
        what: &'static str,
        /// The version that it has.
        found: u16,
    },
    /// The bytes are cut, damaged or made up.
    #[error("the snapshot of the {what} is damaged ({why}): use an older one, or start cold")]
    Corrupt {
        /// What was to be read.
        what: &'static str,
        /// What does not hold.
        why: String,
    },
    /// The state cannot be written: a defect of this crate.
    #[error("the state of the {what} cannot be written ({why}): report this")]
    Unwritable {
        /// What was to be written.
        what: &'static str,
        /// What the format refused.
        why: String,
    },
}

/// Writes a state behind its header.
pub(crate) fn pack<T: Serialize>(what: Subject, state: &T) -> Result<Vec<u8>, SnapshotError> {
    let mut bytes = MARK.to_vec();
    bytes.push(what.tag());
    bytes.extend(STATE_VERSION.to_le_bytes());
    postcard::to_extend(state, bytes)
        .map_err(|error| SnapshotError::Unwritable { what: what.as_str(), why: error.to_string() })
}

/// Reads a state, all of the bytes; what it allocates grows with them alone.
pub(crate) fn unpack<'a, T: Deserialize<'a>>(
    what: Subject,
    bytes: &'a [u8],
) -> Result<T, SnapshotError> {
    let foreign = SnapshotError::Foreign { what: what.as_str() };
    let Some((header, body)) = bytes.split_at_checked(HEADER_BYTES) else { return Err(foreign) };
    let version = header.strip_prefix(&MARK).and_then(|rest| rest.strip_prefix(&[what.tag()]));
    let Some([low, high]) = version else { return Err(foreign) };
    let found = u16::from_le_bytes([*low, *high]);
    if found != STATE_VERSION {
        return Err(SnapshotError::Version { what: what.as_str(), found });
    }
    let (state, rest) =
        postcard::take_from_bytes(body).map_err(|error| what.corrupt(error.to_string()))?;
    if rest.is_empty() {
        Ok(state)
    } else {
        Err(what.corrupt(format!("{} bytes too many", rest.len())))
    }
}

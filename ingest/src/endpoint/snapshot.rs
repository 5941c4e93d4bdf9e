//! What a snapshot of the templates starts with, and why one is refused.
//!
//! Behind the mark, what it is of and [`STATE_VERSION`] stands the state in postcard's format, with
//! maps in a sorted order. It has no checksum and is not compressed: its keeper sees to both.

use serde::{Deserialize, Serialize};

/// The version of what is written; it moves whenever the meaning or the order of a byte does.
pub const STATE_VERSION: u16 = 2;

/// What every snapshot of templates starts with.
const MARK: [u8; 7] = *b"HABITUS";
/// Bytes before the state: the mark, what it is of, and the version.
const HEADER_BYTES: usize = MARK.len() + 1 + size_of::<u16>();

/// What a snapshot is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Subject {
    /// All of the templates.
    Whole,
    /// All but how often each was called.
    Shape,
    /// How often each was called.
    Counts,
}

impl Subject {
    const fn tag(self) -> u8 {
        match self {
            Self::Whole => b'T',
            Self::Shape => b'S',
            Self::Counts => b'N',
        }
    }
}

/// Templates that could not be written or read back.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SnapshotError {
    /// The bytes are something else.
    #[error("these bytes are no snapshot of the templates: give the ones that their export wrote")]
    Foreign,
    /// Another version wrote it.
    #[error(
        "the snapshot of the templates has version {found}, but this program reads version \
         {STATE_VERSION}: start cold, or run the version of the program that wrote it"
    )]
    Version {
        /// The version that it has.
        found: u16,
    },
    /// The bytes are cut, damaged or made up.
    #[error("the snapshot of the templates is damaged ({why}): use an older one, or start cold")]
    Corrupt {
        /// What does not hold.
        why: String,
    },
    /// The templates cannot be written: a defect of this crate.
    #[error("the templates cannot be written ({why}): report this")]
    Unwritable {
        /// What the format refused.
        why: String,
    },
}

impl SnapshotError {
    pub(super) fn corrupt(why: impl Into<String>) -> Self {
        Self::Corrupt { why: why.into() }
    }
}

/// Writes a state behind its header.
pub(super) fn pack<T: Serialize>(what: Subject, state: &T) -> Result<Vec<u8>, SnapshotError> {
    let mut bytes = MARK.to_vec();
    bytes.push(what.tag());
    bytes.extend(STATE_VERSION.to_le_bytes());
    postcard::to_extend(state, bytes)
        .map_err(|error| SnapshotError::Unwritable { why: error.to_string() })
}

/// Reads a state, all of the bytes; what it allocates grows with them alone.
pub(super) fn unpack<'a, T: Deserialize<'a>>(
    what: Subject,
    bytes: &'a [u8],
) -> Result<T, SnapshotError> {
    let (header, body) = bytes.split_at_checked(HEADER_BYTES).ok_or(SnapshotError::Foreign)?;
    let version = header.strip_prefix(&MARK).and_then(|rest| rest.strip_prefix(&[what.tag()]));
    let Some([low, high]) = version else { return Err(SnapshotError::Foreign) };
    let found = u16::from_le_bytes([*low, *high]);
    if found != STATE_VERSION {
        return Err(SnapshotError::Version { found });
    }
    let (state, rest) = postcard::take_from_bytes(body)
        .map_err(|error| SnapshotError::corrupt(error.to_string()))?;
    if rest.is_empty() {
        Ok(state)
    } else {
        Err(SnapshotError::corrupt(format!("{} bytes too many", rest.len())))
    }
}

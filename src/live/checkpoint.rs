//! Checkpoints: what was detected so far, kept as immutable objects that committed offsets point to.
//!
//! An object holds the whole state, or what changed since the object before, which it names with its
//! hash. So a chain of one whole object and a few changes is verified from its last link, and the
//! offsets' metadata need only name that one.

mod chain;
mod object;
#[cfg(test)]
mod tests;

pub(crate) use chain::{Checkpoints, Loaded};
pub(crate) use object::{Part, pack};

use serde::{Deserialize, Serialize};

/// The version of objects and pointers; one that is newer or older is refused.
pub(crate) const VERSION: u16 = 2;
/// Objects with changes that follow a whole one, at most.
pub(crate) const CHANGES_MAX: usize = 8;
/// What every pointer starts with; its version follows.
const POINTER: &str = "habitus-v";
/// Bytes of a pointer: a broker takes 4 096 beside an offset.
const POINTER_BYTES_MAX: usize = 4_096;

/// Where one partition stands.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Place {
    pub(crate) topic: String,
    pub(crate) number: i32,
    /// The offset to read on from; `None` if nothing was read yet.
    pub(crate) resume: Option<i64>,
    /// The offset after the last record that was read.
    pub(crate) next: Option<i64>,
    /// Offsets from `resume` to `next` of which events are still to be judged, each with how many
    /// of the record's events were.
    pub(crate) held: Vec<(i64, u32)>,
    /// How far it was read in event time, in nanoseconds.
    pub(crate) front: Option<i64>,
    /// What the first stage said of the partitions that it reads.
    pub(crate) origins: Vec<Origin>,
    /// How many of those there are; 0 where there is no first stage.
    pub(crate) origins_of: u32,
}

/// A partition that the first stage reads.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Origin {
    pub(crate) topic: String,
    pub(crate) number: i32,
    /// How far it was read in event time, in nanoseconds.
    pub(crate) front: Option<i64>,
    /// It had nothing more.
    pub(crate) is_idle: bool,
}

/// What stands before an object's parts: whose it is, and up to where was read.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Head {
    pub(crate) group: String,
    /// Checkpoints so far.
    pub(crate) epoch: u64,
    /// The object whose state this one changes; `None` if this is a whole one.
    pub(crate) base: Option<Pointer>,
    pub(crate) places: Vec<Place>,
    /// The latest time of a released event, in nanoseconds.
    pub(crate) released: Option<i64>,
    /// Identities with habits.
    pub(crate) identities: u64,
}

/// Why a checkpoint could not be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    /// The object store failed.
    #[error("checkpoints in {at}: {why}; check that the place is there, writable and has room")]
    Store {
        /// Where.
        at: String,
        /// Its words.
        why: String,
    },
    /// The object is not there.
    #[error("checkpoint {key} is missing")]
    Missing {
        /// Which.
        key: String,
    },
    /// The object is not what the pointer says.
    #[error("checkpoint {key} is damaged: {why}")]
    Damaged {
        /// Which.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// It was written by another version.
    #[error(
        "checkpoint {key} has version {found}, this program writes {VERSION}: run the version that wrote it, or start anew with another source.group_id"
    )]
    Version {
        /// Which.
        key: String,
        /// Its version.
        found: u16,
    },
    /// It belongs to another group.
    #[error(
        "checkpoint {key} is of group {found}, not of {group}: name that group in source.group_id, or take its state over with `habitus reshard --from-group {found} --to-group {group}`"
    )]
    Foreign {
        /// Which.
        key: String,
        /// Whose it is.
        found: String,
        /// Whose it should be.
        group: String,
    },
    /// The state is larger than what is read back.
    #[error("the state takes {bytes} bytes, more than {max}: lower detect.state_bytes_max")]
    TooLarge {
        /// Its bytes.
        bytes: u64,
        /// The most.
        max: u64,
    },
}

impl CheckpointError {
    /// Whether an older checkpoint may help: this one is gone for good.
    pub(crate) const fn is_loss(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Damaged { .. })
    }
}

/// The name of an object and the hash of its bytes: what is committed beside the offsets.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Pointer {
    pub(crate) key: String,
    pub(crate) hash: String,
}

impl Pointer {
    /// The pointer as offset metadata.
    pub(crate) fn to_metadata(&self) -> String {
        format!("{POINTER}{VERSION}|{}|{}", self.key, self.hash)
    }

    /// A pointer from offset metadata; `None` if it is none.
    ///
    /// # Errors
    ///
    /// Another version wrote it.
    pub(crate) fn from_metadata(metadata: &str) -> Result<Option<Self>, CheckpointError> {
        if metadata.len() > POINTER_BYTES_MAX {
            return Ok(None);
        }
        let mut parts = metadata.split('|');
        let (Some(head), Some(key)) = (parts.next(), parts.next()) else { return Ok(None) };
        let version = head.strip_prefix(POINTER).and_then(|version| version.parse::<u16>().ok());
        let Some(found) = version else { return Ok(None) };
        if found != VERSION {
            return Err(CheckpointError::Version { key: key.to_owned(), found });
        }
        let (hash, rest) = (parts.next(), parts.next());
        Ok(hash
            .filter(|_| rest.is_none())
            .map(|hash| Self { key: key.to_owned(), hash: hash.to_owned() }))
    }
}

/// What an object's name says: its place in the order, where its chain begins, its content's hash.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Name {
    pub(crate) epoch: u64,
    /// The epoch of the whole object that its chain begins with.
    pub(crate) first: u64,
    hash: String,
}

impl Name {
    /// Digits of an epoch, so that names sort as their numbers do.
    const DIGITS: usize = 20;

    fn write(&self) -> String {
        let (epoch, first, hash, digits) = (self.epoch, self.first, &self.hash, Self::DIGITS);
        format!("{epoch:0digits$}-{first:0digits$}-{hash}")
    }

    /// What the last part of an object's path says; `None` if it is not of ours.
    pub(crate) fn read(path: &str) -> Option<Self> {
        let file = path.rsplit('/').next()?;
        let mut parts = file.split('-');
        let mut number = || parts.next()?.parse().ok();
        let (epoch, first) = (number()?, number()?);
        let hash = parts.next()?.to_owned();
        let name = Self { epoch, first, hash };
        (name.first <= name.epoch && name.write() == file).then_some(name)
    }
}

//! One object: a mark, the version, a head, and the parts of a state, each packed by itself.

use super::{CheckpointError, Head, VERSION};
use serde::{Deserialize, Serialize};

/// zstd's level: the state is written every few seconds.
const LEVEL: i32 = 1;
/// Bytes of a state, unpacked: four times the largest that detection keeps.
const STATE_BYTES_MAX: u64 = 4 << 30;
/// Parts of one object; there are twenty.
const PARTS_MAX: usize = 64;
/// What every object starts with.
const MARK: [u8; 8] = *b"HABITUSK";
/// Bytes before the head: the mark, the version, the head's length.
const FRAME_BYTES: usize = MARK.len() + size_of::<u16>() + size_of::<u32>();

/// A part of a state, packed; empty where nothing of it changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    /// Its bytes when it is unpacked.
    len: u64,
    packed: Vec<u8>,
}

/// Packs a part: this is most of the work, and any thread may do it.
pub(crate) fn pack(bytes: &[u8]) -> std::io::Result<Part> {
    if bytes.is_empty() {
        return Ok(Part::default());
    }
    Ok(Part { len: bytes.len() as u64, packed: zstd::bulk::compress(bytes, LEVEL)? })
}

/// The head as it is written, with the lengths of the parts.
#[derive(Deserialize, Serialize)]
struct Front<Head> {
    head: Head,
    /// For each part its bytes unpacked, and packed.
    parts: Vec<(u64, u64)>,
}

/// An object's bytes.
pub(super) fn write(head: &Head, parts: &[Part]) -> Result<Vec<u8>, CheckpointError> {
    let bytes: u64 = parts.iter().map(|part| part.len).sum();
    if bytes > STATE_BYTES_MAX {
        return Err(CheckpointError::TooLarge { bytes, max: STATE_BYTES_MAX });
    }
    let lens = parts.iter().map(|part| (part.len, part.packed.len() as u64)).collect();
    let front = postcard::to_stdvec(&Front { head, parts: lens }).map_err(|error| {
        CheckpointError::Store { at: head.group.clone(), why: error.to_string() }
    })?;
    let packed: usize = parts.iter().map(|part| part.packed.len()).sum();
    let mut object = Vec::with_capacity(FRAME_BYTES + front.len() + packed);
    object.extend(MARK);
    object.extend(VERSION.to_le_bytes());
    object.extend((front.len() as u32).to_le_bytes());
    object.extend(front);
    for part in parts {
        object.extend_from_slice(&part.packed);
    }
    Ok(object)
}

/// The head and the unpacked parts of an object, whose bytes were verified; `key` is named in errors.
pub(super) fn read(key: &str, object: &[u8]) -> Result<(Head, Vec<Vec<u8>>), CheckpointError> {
    let damaged = |why: &str| CheckpointError::Damaged { key: key.to_owned(), why: why.to_owned() };
    let cut = || damaged("it ends too early");
    let rest = object.strip_prefix(&MARK).ok_or_else(|| damaged("it is no checkpoint"))?;
    let (version, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let found = u16::from_le_bytes(*version);
    if found != VERSION {
        return Err(CheckpointError::Version { key: key.to_owned(), found });
    }
    let (len, rest) = rest.split_first_chunk().ok_or_else(cut)?;
    let len = u32::from_le_bytes(*len) as usize;
    let (front, mut rest) = rest.split_at_checked(len).ok_or_else(cut)?;
    let front: Front<Head> =
        postcard::from_bytes(front).map_err(|error| damaged(&error.to_string()))?;
    let total = front.parts.iter().try_fold(0_u64, |sum, (len, _)| sum.checked_add(*len));
    if front.parts.len() > PARTS_MAX || total.is_none_or(|total| total > STATE_BYTES_MAX) {
        return Err(damaged("it says to be larger than any state"));
    }
    let mut parts = Vec::with_capacity(front.parts.len());
    for (len, packed) in front.parts {
        let (part, after) = rest.split_at_checked(packed as usize).ok_or_else(cut)?;
        let bytes = match len {
            0 => Vec::new(),
            len => zstd::bulk::decompress(part, len as usize)
                .map_err(|error| damaged(&error.to_string()))?,
        };
        if bytes.len() as u64 != len {
            return Err(damaged("a part has another length than it says"));
        }
        parts.push(bytes);
        rest = after;
    }
    if rest.is_empty() { Ok((front.head, parts)) } else { Err(damaged("it has bytes too many")) }
}

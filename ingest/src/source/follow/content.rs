//! The bytes of a followed file, as they stand or unpacked, and what tells one file from another.

use crate::source::open::Bytes;
use serde::{Deserialize, Serialize};
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

/// First bytes of a file that it is known by.
pub(super) const HEAD_BYTES: usize = 1024;
/// Fewer first bytes do not tell a copy from a file that only begins alike.
pub(super) const COPY_BYTES_MIN: usize = 64;
/// Bytes before the place that was read to, which a copy must have too.
const BEFORE_BYTES: usize = 1024;
/// Bytes that are read at a time.
const BLOCK_BYTES: usize = 64 * 1024;
/// Hexadecimal digits of a print.
const DIGITS: usize = 32;

/// Where the file system keeps a file; it may give the place to another when the file is gone.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), number: metadata.ino() }
    }
}

/// How large a file is and when it was written last, in nanoseconds: a file that is cut may be as long
/// again when it is next looked at.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Extent {
    pub(super) size: u64,
    written_ns: i64,
}

impl Extent {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let written_ns =
            metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Self { size: metadata.len(), written_ns }
    }
}

/// Some bytes of a file, by where they end, how many they are and what they hash to.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Print {
    pub(super) end: u64,
    pub(super) len: u32,
    hash: String,
}

impl Print {
    pub(super) fn of(end: u64, bytes: &[u8]) -> Self {
        let hash = blake3::hash(bytes).to_hex().chars().take(DIGITS).collect();
        Self { end, len: bytes.len() as u32, hash }
    }

    /// Whether a file that begins with `head` begins with these bytes.
    pub(super) fn begins(&self, head: &[u8]) -> bool {
        head.get(..self.len as usize).is_some_and(|same| Self::of(self.end, same) == *self)
    }
}

/// The bytes of an open file.
pub(super) enum Content {
    /// As they stand.
    Plain(File),
    /// Unpacked, in their order; how many were taken, and of which file.
    Packed(Box<Bytes>, u64, File),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_packed() { "Packed" } else { "Plain" })
    }
}

impl Content {
    /// Opens a file; with it what the file system says of it.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Metadata)> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let bytes = Bytes::of(file.try_clone()?)?;
        let content = if bytes.is_packed() {
            Self::Packed(Box::new(bytes), 0, file)
        } else {
            Self::Plain(file)
        };
        Ok((content, metadata))
    }

    /// The first bytes of the file at `path`, unpacked.
    pub(super) fn head(path: &Path) -> io::Result<Vec<u8>> {
        let (mut content, _) = Self::open(path)?;
        let mut head = vec![0; HEAD_BYTES];
        let mut len = 0;
        while let Some(room) = head.get_mut(len..).filter(|room| !room.is_empty()) {
            match content.read(len as u64, room)? {
                0 => break,
                more => len += more,
            }
        }
        head.truncate(len);
        Ok(head)
    }

    pub(super) const fn is_packed(&self) -> bool {
        matches!(self, Self::Packed(..))
    }

    /// Reads on at `at`; what is packed can only be read in its order.
    pub(super) fn read(&mut self, at: u64, room: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match self {
                Self::Plain(file) => file.read_at(room, at),
                Self::Packed(bytes, taken, _) => {
                    let read = bytes.read(room);
                    *taken += *read.as_ref().unwrap_or(&0) as u64;
                    if bytes.is_bomb(*taken) {
                        return Err(io::Error::new(
                            io::ErrorKind::InvalidData,
                            "it unpacks to far more than any log would",
                        ));
                    }
                    read
                }
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    /// Goes to `at`, and yields the bytes before it that are looked at again; `None` if the file
    /// ends before.
    pub(super) fn go_to(&mut self, at: u64) -> io::Result<Option<Vec<u8>>> {
        let from = at.saturating_sub(BEFORE_BYTES as u64);
        let mut before = vec![0; (at - from) as usize];
        if let Self::Plain(file) = self {
            return match file.read_exact_at(&mut before, from) {
                Ok(()) => Ok(Some(before)),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
                Err(error) => Err(error),
            };
        }
        let mut block = vec![0; BLOCK_BYTES];
        let (mut place, mut last) = (0, Vec::new());
        while place < at {
            let wanted = block.len().min((at - place) as usize);
            let read = self.read(place, block.get_mut(..wanted).unwrap_or_default())?;
            if read == 0 {
                return Ok(None);
            }
            place += read as u64;
            remember(&mut last, block.get(..read).unwrap_or_default());
        }
        Ok(Some(last))
    }

    /// Whether the bytes of a print stand where it says.
    pub(super) fn has(&mut self, print: &Print) -> io::Result<bool> {
        let Some(before) = self.go_to(print.end)? else { return Ok(false) };
        let len = print.len as usize;
        let same = before.len().checked_sub(len).and_then(|from| before.get(from..));
        Ok(same.is_some_and(|same| Print::of(print.end, same) == *print))
    }

    /// The bytes on the disk, and when they were written last.
    pub(super) fn extent(&self) -> io::Result<Extent> {
        let (Self::Plain(file) | Self::Packed(_, _, file)) = self;
        Ok(Extent::of(&file.metadata()?))
    }

    /// The last bytes, by where they end.
    pub(super) fn end(&mut self) -> io::Result<Print> {
        if !self.is_packed() {
            let size = self.extent()?.size;
            let last = self.go_to(size)?.unwrap_or_default();
            return Ok(Print::of(size, &last));
        }
        let mut block = vec![0; BLOCK_BYTES];
        let (mut place, mut last) = (0, Vec::new());
        loop {
            let read = self.read(place, &mut block)?;
            if read == 0 {
                return Ok(Print::of(place, &last));
            }
            place += read as u64;
            remember(&mut last, block.get(..read).unwrap_or_default());
        }
    }

    /// The first bytes again, to see whether they are the same.
    pub(super) fn first(&self, len: usize) -> io::Result<Vec<u8>> {
        let Self::Plain(file) = self else { return Ok(Vec::new()) };
        let mut head = vec![0; len];
        let mut read = 0;
        while let Some(room) = head.get_mut(read..).filter(|room| !room.is_empty()) {
            match file.read_at(room, read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        head.truncate(read);
        Ok(head)
    }
}

/// Keeps the last bytes of what was read.
pub(super) fn remember(last: &mut Vec<u8>, more: &[u8]) {
    if more.len() >= BEFORE_BYTES {
        last.clear();
        last.extend_from_slice(more.get(more.len() - BEFORE_BYTES..).unwrap_or_default());
        return;
    }
    let over = (last.len() + more.len()).saturating_sub(BEFORE_BYTES);
    last.drain(..over);
    last.extend_from_slice(more);
}

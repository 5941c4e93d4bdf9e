//! The lines of one input, in chunks of whole lines.

use super::open::Bytes;
use super::{Damage, Input, Problem, SourceError};
use crate::chunk::Chunk;
use crate::header::Headers;
use memchr::{memchr, memchr_iter, memrchr};
use model::limit::{CONTAINER_BYTES_MAX, LINE_BYTES_MAX};
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read as _};

/// Bytes of a chunk, about.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// Bytes of lines that are looked at to tell an input's format.
pub const SAMPLE_BYTES_MAX: usize = 256 * 1024;
/// Bytes that are decompressed at a time.
const BLOCK_BYTES: usize = 64 * 1024;
/// Lines that may be over-long among those that are waiting; a chunk ends where there are more.
const OVERSIZE_MAX: usize = 4_096;

/// First bytes of what is no text.
const FORMS: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\0", "compressed with xz"),
    (b"\x04\x22\x4d\x18", "compressed with lz4"),
    (b"\x7fELF", "a program"),
];

/// One open input.
pub struct Reader {
    name: String,
    number: u32,
    bytes: Bytes,
    block: Box<[u8]>,
    lines: Lines,
    /// Decompressed bytes read.
    offset: u64,
    is_at_end: bool,
    problem: Option<Problem>,
    /// Happened while sampling; the next chunk reports it.
    error: Option<SourceError>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens an input.
    pub fn open(input: &Input) -> Result<Self, SourceError> {
        Ok(Self {
            name: input.name.clone(),
            number: input.number,
            bytes: Bytes::open(input)?,
            block: vec![0; BLOCK_BYTES].into(),
            lines: Lines::default(),
            offset: 0,
            is_at_end: false,
            problem: None,
            error: None,
        })
    }

    /// The next whole lines, [`SAMPLE_BYTES_MAX`] at most, without taking them.
    pub fn sample(&mut self) -> &[u8] {
        if let Err(error) = self.fill(SAMPLE_BYTES_MAX) {
            self.error = Some(error);
        }
        let whole = self.lines.whole();
        match whole.get(..SAMPLE_BYTES_MAX) {
            // The first line may be a list of many records, which says nothing unless it is whole.
            Some(start) => memrchr(b'\n', start)
                .or_else(|| memchr(b'\n', whole))
                .and_then(|at| whole.get(..=at))
                .unwrap_or(whole),
            None => whole,
        }
    }

    /// The next whole lines, about `bytes_target` bytes of them and at least one; `None` at the
    /// input's end, of which [`Reader::problem`] then says whether it is the true one.
    ///
    /// How the lines are cut into chunks depends on `bytes_target` alone; the lines do not.
    pub fn next(&mut self, bytes_target: usize) -> Result<Option<Chunk>, SourceError> {
        let filled = self.fill(bytes_target.max(1));
        if let Some(mut chunk) = self.lines.take(bytes_target) {
            // Lines before an error are delivered before it is.
            self.error = filled.err().or(self.error.take());
            chunk.source = self.number;
            return Ok(Some(chunk));
        }
        filled?;
        self.error.take().map_or(Ok(None), Err)
    }

    /// Bytes read of the file so far, compressed if it is; up to a buffer ahead of the lines.
    pub fn bytes_read(&self) -> u64 {
        self.bytes.bytes_read()
    }

    /// Why the input ended early, if it did; `None` until then.
    pub const fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// Reads until `wanted` bytes of whole lines are there, or the input ends.
    fn fill(&mut self, wanted: usize) -> Result<(), SourceError> {
        while !self.is_at_end && !self.lines.has(wanted) {
            let is_first = self.offset == 0;
            let (count, error) = self.read_block();
            self.offset += count as u64;
            let mut block = self.block.get(..count).unwrap_or_default();
            if is_first {
                block = block.strip_prefix(b"\xef\xbb\xbf").unwrap_or(block);
                if let Some(damage) = not_text(block) {
                    self.offset = 0;
                    self.end_with(damage);
                    return Ok(());
                }
            }
            self.lines.feed(block);
            if let Some(error) = error {
                return self.stop(error);
            } else if self.bytes.is_bomb(self.offset) {
                self.end_with(Damage::Bomb);
            } else if count < self.block.len() {
                self.is_at_end = true;
                self.lines.end();
                if self.lines.number == 1 {
                    self.end_with(Damage::Empty);
                }
            }
        }
        Ok(())
    }

    /// Reads a whole block; less only at the end, or before the error that comes with it.
    fn read_block(&mut self) -> (usize, Option<io::Error>) {
        let mut count = 0;
        while let Some(room) = self.block.get_mut(count..).filter(|room| !room.is_empty()) {
            match self.bytes.read(room) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (count, Some(error)),
            }
        }
        (count, None)
    }

    fn stop(&mut self, error: io::Error) -> Result<(), SourceError> {
        if self.bytes.has_failed() {
            let (name, offset, line) = (self.name.clone(), self.offset, self.lines.number);
            self.is_at_end = true;
            self.lines.drop_partial();
            return Err(SourceError::Read { name, offset, line, source: error });
        }
        self.end_with(match error.kind() {
            io::ErrorKind::UnexpectedEof => Damage::Truncated,
            _ => Damage::Corrupt,
        });
        Ok(())
    }

    fn end_with(&mut self, damage: Damage) {
        self.is_at_end = true;
        self.lines.drop_partial();
        let (input, offset, line) = (self.name.clone(), self.offset, self.lines.number);
        self.problem = Some(Problem { input, damage, offset, line });
    }
}

/// What an input is that is no UTF-8 text.
pub(super) fn not_text(start: &[u8]) -> Option<Damage> {
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Some(Damage::Utf16);
    }
    if start.starts_with(b"PAR1") {
        return Some(Damage::Parquet);
    }
    let (_, form) = FORMS.iter().find(|(magic, _)| start.starts_with(magic))?;
    Some(Damage::Unsupported(form))
}

/// Lines that wait to be taken.
#[derive(Debug)]
struct Lines {
    /// Lines, each with its `\n`, from `taken` on; from `partial` on one whose end was not read yet.
    text: Vec<u8>,
    taken: usize,
    partial: usize,
    /// Bytes of the line that is being skipped, 0 if none is.
    skipped: u64,
    /// The number of the line that starts at `partial`, from 1.
    number: u64,
    /// The number of the line that starts at `taken`.
    first: u64,
    oversize: VecDeque<(u64, u64)>,
    /// The header lines before `taken`.
    headers: Headers,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            text: Vec::new(),
            taken: 0,
            partial: 0,
            skipped: 0,
            number: 1,
            first: 1,
            oversize: VecDeque::new(),
            headers: Headers::default(),
        }
    }
}

impl Lines {
    fn whole(&self) -> &[u8] {
        self.text.get(self.taken..self.partial).unwrap_or_default()
    }

    fn has(&self, wanted: usize) -> bool {
        self.partial - self.taken >= wanted || self.oversize.len() >= OVERSIZE_MAX
    }

    fn feed(&mut self, block: &[u8]) {
        self.text.drain(..self.taken);
        self.partial -= self.taken;
        self.taken = 0;
        let mut rest = block;
        while let Some(at) = memchr(b'\n', rest) {
            let (piece, after) = rest.split_at(at);
            self.add(piece);
            self.end_line();
            rest = after.get(1..).unwrap_or_default();
        }
        self.add(rest);
    }

    fn add(&mut self, piece: &[u8]) {
        let len = self.text.len() - self.partial + piece.len();
        if self.skipped > 0 {
            self.skipped += piece.len() as u64;
        } else if len > self.bytes_max(piece) + 1 {
            // One more is let in, because it may be the `\r`.
            self.skipped = len as u64;
            self.text.truncate(self.partial);
        } else {
            self.text.extend_from_slice(piece);
        }
    }

    /// How long the line may be that stands at `partial`, or that `piece` begins.
    fn bytes_max(&self, piece: &[u8]) -> usize {
        line_bytes_max(self.text.get(self.partial..).filter(|it| !it.is_empty()).unwrap_or(piece))
    }

    fn end_line(&mut self) {
        if self.text.len() > self.partial && self.text.last() == Some(&b'\r') {
            self.text.pop();
        }
        let len = self.text.len() - self.partial;
        if len > self.bytes_max(b"") {
            self.skipped = len as u64;
            self.text.truncate(self.partial);
        }
        if self.skipped > 0 {
            self.oversize.push_back((self.number, self.skipped));
            self.skipped = 0;
        }
        self.text.push(b'\n');
        self.partial = self.text.len();
        self.number += 1;
    }

    /// Ends the last line, which may lack its `\n`.
    fn end(&mut self) {
        if self.skipped > 0 || self.text.len() > self.partial {
            self.end_line();
        }
    }

    /// Forgets a line whose end cannot be read: half of one could pass for a whole one.
    fn drop_partial(&mut self) {
        self.text.truncate(self.partial);
        self.skipped = 0;
    }

    /// Takes whole lines, about `bytes_target` bytes and at least one line.
    fn take(&mut self, bytes_target: usize) -> Option<Chunk> {
        let whole = self.whole();
        let cut = match whole.get(..bytes_target) {
            Some(start) if whole.len() > bytes_target => memrchr(b'\n', start)
                .or_else(|| memchr(b'\n', whole))
                .map_or(whole.len(), |at| at + 1),
            _ => whole.len(),
        };
        let cut = before_parts(whole, cut);
        let bytes = whole.get(..cut).filter(|bytes| !bytes.is_empty())?.to_vec();
        self.taken += cut;
        let first_line = self.first;
        self.first += memchr_iter(b'\n', &bytes).count() as u64;
        let until = self.oversize.partition_point(|(line, _)| *line < self.first);
        let oversize = self.oversize.drain(..until).collect();
        let header = self.headers.lines();
        self.headers.note(&bytes);
        Some(Chunk { source: 0, first_line, bytes, oversize, header })
    }
}

/// How long a line may be that begins like this: a list of records may be longer than a record.
pub(super) fn line_bytes_max(start: &[u8]) -> usize {
    match start.first() {
        Some(b'{' | b'[') => CONTAINER_BYTES_MAX,
        _ => LINE_BYTES_MAX,
    }
}

/// A place to cut at that does not part a container's line from its end: before the parts of which the
/// last ends at `cut`.
fn before_parts(lines: &[u8], cut: usize) -> usize {
    /// Parts of one line that are looked for.
    const PARTS_MAX: usize = 64;
    let mut end = cut;
    for _ in 0..PARTS_MAX {
        let before = lines.get(..end.saturating_sub(1)).unwrap_or_default();
        let start = memrchr(b'\n', before).map_or(0, |at| at + 1);
        if !is_part(lines.get(start..end).unwrap_or_default()) {
            return end;
        }
        end = start;
        if end == 0 {
            break;
        }
    }
    cut
}

/// Whether a line is `time stdout P …`.
fn is_part(line: &[u8]) -> bool {
    let mut words = line.split(|it| *it == b' ').skip(1);
    matches!(words.next(), Some(b"stdout" | b"stderr"))
        && words.next().is_some_and(|it| it == b"P" || it.starts_with(b"P:"))
}

#[cfg(test)]
mod tests;

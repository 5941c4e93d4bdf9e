//! The lines of one followed file, each with the byte at which it begins.

use super::content::{Content, Extent, HEAD_BYTES, Print, remember};
use crate::header::Headers;
use crate::source::kafka::Fetched;
use crate::source::lines::line_bytes_max;
use memchr::{memchr, memrchr};
use std::io;

/// Bytes that are read at a time.
const BLOCK_BYTES: usize = 64 * 1024;
/// The mark that some programs put before UTF-8 text.
const BOM: &[u8] = b"\xef\xbb\xbf";
/// Bytes before the place where a file is gone on with that are searched for header lines.
const HEADER_SEARCH_BYTES: u64 = 64 * 1024 * 1024;

/// An open file, read up to the end of its last whole line and a little further.
#[derive(Debug)]
pub(super) struct Tail {
    content: Content,
    /// Where the unfinished line begins.
    start: u64,
    /// Where reading goes on.
    at: u64,
    /// What there is of the unfinished line; nothing while one is skipped that is too long.
    line: Vec<u8>,
    is_skipping: bool,
    /// The last bytes before `at`.
    last: Vec<u8>,
    /// What it was when its first bytes were last compared.
    looked: Option<Extent>,
    /// The header lines before `start`.
    headers: Headers,
}

/// How a file changed since it was looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Change {
    /// It is as it was, or longer.
    None,
    /// It was cut, or holds something else now.
    Rewritten,
}

impl Tail {
    /// Goes on in a file at the beginning of a line; `None` if it ends before.
    pub(super) fn open(mut content: Content, start: u64) -> io::Result<Option<Self>> {
        let headers = headers_before(&mut content, start)?;
        let Some(last) = content.go_to(start)? else { return Ok(None) };
        Ok(Some(Self {
            content,
            start,
            at: start,
            line: Vec::new(),
            is_skipping: false,
            last,
            looked: None,
            headers,
        }))
    }

    /// Where the next line to be handed on begins.
    pub(super) const fn position(&self) -> u64 {
        self.start
    }

    /// Bytes that were read of a line whose end is not there yet.
    pub(super) const fn unfinished(&self) -> u64 {
        self.at - self.start
    }

    pub(super) const fn is_packed(&self) -> bool {
        self.content.is_packed()
    }

    /// What the file system says of it now; nothing if it fails.
    pub(super) fn extent(&self) -> Extent {
        self.content.extent().unwrap_or_default()
    }

    /// What a copy of this file has in the same place.
    pub(super) fn print(&self) -> Print {
        Print::of(self.at, &self.last)
    }

    /// Whether this file has those bytes where they say; what is packed cannot be asked.
    pub(super) fn has(&mut self, print: &Print) -> bool {
        !self.is_packed() && print.end <= self.at && self.content.has(print).unwrap_or(false)
    }

    /// Whether this is still the file that it was; `head` grows with a file that was short.
    pub(super) fn look(&mut self, head: &mut Print) -> io::Result<Change> {
        if self.is_packed() {
            return Ok(Change::None);
        }
        let extent = self.content.extent()?;
        if extent.size < self.at {
            return Ok(Change::Rewritten);
        }
        if self.looked == Some(extent) {
            return Ok(Change::None);
        }
        let first = self.content.first(HEAD_BYTES)?;
        if !head.begins(&first) {
            return Ok(Change::Rewritten);
        }
        if (head.len as usize) < first.len() {
            *head = Print::of(0, &first);
        }
        self.looked = Some(extent);
        Ok(Change::None)
    }

    /// Reads on, about `bytes_max` bytes at most; how many it was, and what went wrong then.
    pub(super) fn read(
        &mut self,
        bytes_max: usize,
        into: &mut Fetched,
    ) -> (usize, Option<io::Error>) {
        let mut block = vec![0; BLOCK_BYTES];
        let (mut count, mut wrong) = (0, None);
        while count < bytes_max {
            match self.content.read(self.at, &mut block) {
                Ok(0) => break,
                Ok(read) => {
                    count += read;
                    self.take(block.get(..read).unwrap_or_default(), into);
                }
                Err(error) => {
                    wrong = Some(error);
                    break;
                }
            }
        }
        into.next = self.start as i64;
        (count, wrong)
    }

    /// Takes the unfinished line as it is; says whether there was one.
    pub(super) fn take_rest(&mut self, into: &mut Fetched) -> bool {
        let is_there = self.at > self.start;
        if is_there {
            self.end_line(into);
        }
        into.next = self.start as i64;
        is_there
    }

    fn take(&mut self, block: &[u8], into: &mut Fetched) {
        remember(&mut self.last, block);
        let mut rest = block;
        if self.at == 0 {
            rest = rest.strip_prefix(BOM).unwrap_or(rest);
            self.at += (block.len() - rest.len()) as u64;
        }
        while let Some(end) = memchr(b'\n', rest) {
            let (piece, after) = rest.split_at(end);
            self.add(piece);
            self.at += 1;
            self.end_line(into);
            rest = after.get(1..).unwrap_or_default();
        }
        self.add(rest);
    }

    fn add(&mut self, piece: &[u8]) {
        self.at += piece.len() as u64;
        if self.is_skipping {
            return;
        }
        // A writer that goes on after its file was cut leaves zeros where it had been.
        let text = if self.line.is_empty() {
            let zeros = piece.iter().take_while(|byte| **byte == 0).count();
            piece.get(zeros..).unwrap_or_default()
        } else {
            piece
        };
        // One more is let in, because it may be the `\r`.
        let start = if self.line.is_empty() { text } else { &self.line };
        if self.line.len() + text.len() > line_bytes_max(start) + 1 {
            self.is_skipping = true;
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(text);
        }
    }

    fn end_line(&mut self, into: &mut Fetched) {
        let len = self.at - self.start;
        let line = self.line.trim_ascii();
        let is_long = self.is_skipping || line.len() > line_bytes_max(line);
        if is_long || !line.is_empty() {
            if into.offsets.is_empty() {
                into.chunk.header = self.headers.lines();
            }
            if line.starts_with(b"#") {
                self.headers.note(line);
            }
            if !into.offsets.is_empty() {
                into.chunk.bytes.push(b'\n');
            }
            if is_long {
                into.chunk.oversize.push((into.offsets.len() as u64, len));
            } else {
                into.chunk.bytes.extend_from_slice(line);
            }
            into.offsets.push(self.start as i64);
        }
        self.line.clear();
        self.is_skipping = false;
        self.start = self.at;
    }
}

/// The header lines of a file before a place in it. Only a file that begins with one has any; what is
/// packed is never gone on with but from its beginning.
fn headers_before(content: &mut Content, start: u64) -> io::Result<Headers> {
    let mut headers = Headers::default();
    let mut block = vec![0; BLOCK_BYTES];
    if start == 0 || content.is_packed() {
        return Ok(headers);
    }
    let first = content.first(1)?;
    if first.first() != Some(&b'#') {
        return Ok(headers);
    }
    let mut at = 0;
    let mut rest = Vec::new();
    while at < start {
        let wanted = block.len().min(usize::try_from(start - at).unwrap_or(usize::MAX));
        let read = content.read(at, block.get_mut(..wanted).unwrap_or_default())?;
        if read == 0 {
            break;
        }
        rest.extend_from_slice(block.get(..read).unwrap_or_default());
        let whole = memrchr(b'\n', &rest).map_or(0, |it| it + 1);
        headers.note(rest.get(..whole).unwrap_or_default());
        rest.drain(..whole);
        at += read as u64;
        if at == BLOCK_BYTES as u64 && start > HEADER_SEARCH_BYTES + at {
            (at, rest) = (start - HEADER_SEARCH_BYTES, Vec::new());
        }
    }
    Ok(headers)
}

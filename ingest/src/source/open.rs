//! The bytes of one input, decompressed if its first bytes say so.

use super::{Input, SourceError};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Stdin};

/// Compressed bytes that are read at a time.
const BUFFER_BYTES: usize = 64 * 1024;
/// First bytes that tell how an input is compressed.
const MAGIC_BYTES: usize = 4;
/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// How zstd begins.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Decompressed bytes below which no ratio is too large.
const RATIO_FREE_BYTES: u64 = 64 * 1024 * 1024;
/// Decompressed bytes for each compressed one, at most.
const RATIO_MAX: u64 = 1_000;

/// A file or standard input, and how much of it was read.
#[derive(Debug)]
pub(super) struct Raw {
    handle: Handle,
    bytes_read: u64,
    /// Whether the operating system failed, as opposed to what it delivered.
    has_failed: bool,
}

#[derive(Debug)]
enum Handle {
    File(File),
    Stdin(Stdin),
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = match &mut self.handle {
            Handle::File(file) => file.read(buffer),
            Handle::Stdin(stdin) => stdin.read(buffer),
        };
        match &result {
            Ok(count) => self.bytes_read += *count as u64,
            Err(error) => self.has_failed = error.kind() != io::ErrorKind::Interrupted,
        }
        result
    }
}

/// What was read to look at it, and the rest.
pub(super) type Whole = BufReader<io::Chain<Cursor<Vec<u8>>, Raw>>;

/// The decompressed bytes of one input.
pub(super) enum Bytes {
    Plain(Whole),
    Gzip(MultiGzDecoder<Whole>),
    Zstd(zstd::stream::read::Decoder<'static, Whole>),
}

impl Bytes {
    pub(super) fn open(input: &Input) -> Result<Self, SourceError> {
        let open = || match &input.path {
            Some(path) => Self::of(File::open(path)?),
            None => Self::over(Handle::Stdin(io::stdin())),
        };
        open().map_err(|source| SourceError::Open { name: input.name.clone(), source })
    }

    /// The bytes of an open file, from where it stands.
    pub(super) fn of(file: File) -> io::Result<Self> {
        Self::over(Handle::File(file))
    }

    fn over(handle: Handle) -> io::Result<Self> {
        let mut raw = Raw { handle, bytes_read: 0, has_failed: false };
        let mut head = Vec::with_capacity(MAGIC_BYTES);
        // A pipe may deliver less than is asked for.
        raw.by_ref().take(MAGIC_BYTES as u64).read_to_end(&mut head)?;
        let is_gzip = head.starts_with(&GZIP);
        let is_zstd = head.starts_with(&ZSTD);
        let whole = BufReader::with_capacity(BUFFER_BYTES, Cursor::new(head).chain(raw));
        Ok(match (is_gzip, is_zstd) {
            (true, _) => Self::Gzip(MultiGzDecoder::new(whole)),
            (_, true) => Self::Zstd(zstd::stream::read::Decoder::with_buffer(whole)?),
            _ => Self::Plain(whole),
        })
    }

    /// Whether they are unpacked on the way.
    pub(super) const fn is_packed(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    fn raw(&self) -> &Raw {
        let whole = match self {
            Self::Plain(whole) => whole,
            Self::Gzip(gzip) => gzip.get_ref(),
            Self::Zstd(zstd) => zstd.get_ref(),
        };
        whole.get_ref().get_ref().1
    }

    /// Bytes taken from the file, compressed if it is.
    pub(super) fn bytes_read(&self) -> u64 {
        self.raw().bytes_read
    }

    /// Whether an error was the operating system's and not the data's.
    pub(super) fn has_failed(&self) -> bool {
        self.raw().has_failed
    }

    /// Whether `bytes` is more than a log of this compressed size decompresses to.
    pub(super) fn is_bomb(&self, bytes: u64) -> bool {
        self.is_packed() && bytes > RATIO_FREE_BYTES && bytes / RATIO_MAX > self.bytes_read()
    }
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(whole) => whole.read(buffer),
            Self::Gzip(gzip) => gzip.read(buffer),
            Self::Zstd(zstd) => zstd.read(buffer),
        }
    }
}

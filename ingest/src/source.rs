//! Inputs: files, globs, directories and standard input, read as whole lines.
//!
//! An input that is damaged delivers what stands before the damage and then ends with a
//! [`Problem`]; the other inputs go on. Only this module of the crate does I/O.

mod discover;
pub mod follow;
pub mod kafka;
mod lines;
mod open;

pub use discover::discover;
pub use lines::{CHUNK_BYTES, Reader, SAMPLE_BYTES_MAX};

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Inputs of one run.
pub const INPUTS_MAX: usize = 100_000;

/// One file, or standard input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Input {
    /// Its number, from 0: inputs in the order given, those of one directory or glob sorted.
    pub number: u32,
    /// Its name as given or found; `-` is standard input.
    pub name: String,
    /// Its path, `None` for standard input.
    pub path: Option<PathBuf>,
    /// Its size on disk in bytes, compressed if it is; `None` where that says nothing.
    pub bytes: Option<u64>,
}

/// What the arguments of a command stand for.
#[derive(Debug, Default)]
pub struct Inputs {
    /// What can be read.
    pub inputs: Vec<Input>,
    /// What was found but cannot be read.
    pub problems: Vec<Problem>,
}

/// What is wrong with an input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Damage {
    /// It has no lines: worth a note, not wrong.
    Empty,
    /// A compressed input ends in the middle.
    Truncated,
    /// A compressed input cannot be decompressed any further.
    Corrupt,
    /// It decompresses to far more than any log would.
    Bomb,
    /// Its text is UTF-16.
    Utf16,
    /// It is a Parquet file.
    Parquet,
    /// It is no text but a known binary or compressed form, which is named.
    Unsupported(&'static str),
    /// The operating system refuses it.
    Unreadable(io::ErrorKind),
}

impl Damage {
    /// What to do about it.
    pub const fn cure(self) -> &'static str {
        match self {
            Self::Empty => "nothing to do if no calls were logged",
            Self::Truncated => "copy the file again once it is complete",
            Self::Corrupt => "copy the file again, and test it with `gzip -t` or `zstd -t`",
            Self::Bomb => "decompress it by hand if it is to be trusted",
            Self::Utf16 => "convert it with `iconv -f UTF-16 -t UTF-8`",
            Self::Parquet => "export its rows as NDJSON",
            Self::Unsupported(_) => "decompress it, or compress it with gzip or zstd",
            Self::Unreadable(io::ErrorKind::PermissionDenied) => {
                "give this user permission to read it"
            }
            Self::Unreadable(_) => "check that it exists and can be read",
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::Truncated => f.write_str("is compressed and ends in the middle"),
            Self::Corrupt => f.write_str("is compressed and damaged"),
            Self::Bomb => f.write_str("decompresses to more than 1000 times its size"),
            Self::Utf16 => f.write_str("is UTF-16 text"),
            Self::Parquet => f.write_str("is Parquet, which is not read"),
            Self::Unsupported(form) => write!(f, "is {form}, which is not read"),
            Self::Unreadable(kind) => write!(f, "cannot be read: {kind}"),
        }
    }
}

/// Why an input ended before its end, or was not read at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The input's name.
    pub input: String,
    /// What is wrong.
    pub damage: Damage,
    /// Bytes of text before the damage, decompressed.
    pub offset: u64,
    /// The 1-based line that the damage is in: the first one that was not delivered.
    pub line: u64,
}

impl Problem {
    /// Whether nothing is wrong, and the problem is only worth a note.
    pub const fn is_note(&self) -> bool {
        matches!(self.damage, Damage::Empty)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.input.escape_debug(), self.damage)?;
        if self.offset > 0 && !self.is_note() {
            write!(f, " (after {} bytes of text, in line {})", self.offset, self.line)?;
        }
        write!(f, "; {}", self.damage.cure())
    }
}

/// Why the inputs cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// An argument names nothing that exists.
    #[error(
        "`{}` matches no file; check the path, or quote a glob for habitus to expand",
        argument.escape_debug()
    )]
    NothingMatches {
        /// The argument as given.
        argument: String,
    },
    /// An argument is a directory without a file.
    #[error(
        "`{}` is a directory that holds no files, hidden ones aside; name a file, or another directory",
        argument.escape_debug()
    )]
    NoFiles {
        /// The argument as given.
        argument: String,
    },
    /// An argument is neither a path that exists nor a glob.
    #[error(
        "`{}` is not a glob; escape `[`, `?` and `*` as `[[]`, `[?]` and `[*]`",
        argument.escape_debug()
    )]
    Glob {
        /// The argument as given.
        argument: String,
        /// What is wrong with it, and where.
        #[source]
        source: glob::PatternError,
    },
    /// There are more than [`INPUTS_MAX`] inputs.
    #[error(
        "`{}` makes more than {INPUTS_MAX} inputs; name fewer files, or join them",
        argument.escape_debug()
    )]
    TooMany {
        /// The argument at which the limit was passed.
        argument: String,
    },
    /// An input cannot be opened.
    #[error(
        "cannot open `{}`; check that it exists and that this user may read it",
        name.escape_debug()
    )]
    Open {
        /// The input's name.
        name: String,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// The operating system failed in the middle of an input.
    #[error(
        "cannot read `{}` any further (after {offset} bytes of text, in line {line}); \
         check the disk or the pipe, then run again",
        name.escape_debug()
    )]
    Read {
        /// The input's name.
        name: String,
        /// Bytes of text before the failure, decompressed.
        offset: u64,
        /// The 1-based line in which reading failed.
        line: u64,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
}

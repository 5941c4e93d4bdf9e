//! Where followed files are: what patterns match, and where a file went that is no longer in its place.

use super::content::{COPY_BYTES_MIN, Content, Inode, Print};
use super::slot::Known;
use super::tail::Tail;
use std::fs::{self, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Files that patterns may match.
const FILES_MAX: usize = 10_000;
/// Entries of a directory that are looked at for a file that went elsewhere.
const SIBLINGS_MAX: usize = 10_000;
/// Bytes that are looked at for the end of a line.
const LINE_LOOK_BYTES: u64 = 64 * 1024;

/// Why files cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// Nothing was named.
    #[error("source.files is empty: name at least one file or glob")]
    None,
    /// Standard input.
    #[error("standard input cannot be followed: name files, or give it to `habitus replay`")]
    Stdin,
    /// A glob that is none.
    #[error("`{pattern}` is not a glob ({why}): escape `[`, `?` and `*` as `[[]`, `[?]` and `[*]`")]
    Glob {
        /// As it was given.
        pattern: String,
        /// What is wrong with it, and where.
        why: String,
    },
}

/// Files by their names.
pub(super) type Found = Vec<(PathBuf, Metadata)>;
/// What is wrong with a name.
pub(super) type Problems = Vec<(PathBuf, String)>;

/// Files, directories and globs that are followed.
#[derive(Debug)]
pub(super) struct Patterns(Vec<String>);

impl Patterns {
    pub(super) fn new(patterns: &[String]) -> Result<Self, PatternError> {
        if patterns.is_empty() {
            return Err(PatternError::None);
        }
        for pattern in patterns {
            if pattern == "-" {
                return Err(PatternError::Stdin);
            }
            let glob = glob::Pattern::new(pattern);
            if let (true, Err(error)) = (is_glob(pattern), glob) {
                let (pattern, why) = (pattern.clone(), error.to_string());
                return Err(PatternError::Glob { pattern, why });
            }
        }
        Ok(Self(patterns.to_vec()))
    }

    /// What there is now, sorted within a pattern, and what is wrong with the rest.
    pub(super) fn find(&self) -> (Found, Problems) {
        let (mut found, mut problems) = (Vec::new(), Vec::new());
        for pattern in &self.0 {
            let path = Path::new(pattern);
            match fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => {
                    problems.push((path.into(), format!("is a directory: name `{pattern}/*`")));
                }
                Ok(metadata) => found.push((path.to_owned(), metadata)),
                // A file whose name has a bracket is found above; only then is it a glob.
                Err(_) if is_glob(pattern) => globbed(pattern, &mut found, &mut problems),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    problems.push((path.into(), "is not there yet: it is waited for".to_owned()));
                }
                Err(error) => problems.push((path.into(), format!("cannot be seen: {error}"))),
            }
        }
        if found.len() > FILES_MAX {
            found.truncate(FILES_MAX);
            let all = self.0.join(" ");
            let why = format!("match more than {FILES_MAX} files: the others are not read");
            problems.push((all.into(), why));
        }
        (found, problems)
    }
}

fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

fn globbed(pattern: &str, found: &mut Found, problems: &mut Problems) {
    let options = glob::MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        ..glob::MatchOptions::default()
    };
    let before = found.len();
    // The crate yields paths in alphabetical order.
    for path in glob::glob_with(pattern, options).into_iter().flatten().take(FILES_MAX + 1) {
        match path {
            Ok(path) => match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => found.push((path, metadata)),
                Ok(_) => {}
                // It went between two looks.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => problems.push((path, format!("cannot be seen: {error}"))),
            },
            Err(error) => {
                problems.push((error.path().to_owned(), format!("cannot be seen: {error}")));
            }
        }
    }
    if found.len() == before {
        problems.push((pattern.into(), "matches no file yet: it is waited for".to_owned()));
    }
}

/// Whether a file that begins with `head` begins as one that is known, so far that it may be a copy.
pub(super) fn begins_alike(known: &Known, head: &[u8]) -> bool {
    known.head.len as usize >= COPY_BYTES_MIN && known.head.begins(head)
}

/// Whether a file has the bytes of another at its place.
pub(super) fn is_copy(path: &Path, print: &Print) -> bool {
    let has = || Content::open(path)?.0.has(print);
    print.len > 0 && has().unwrap_or(false)
}

/// Whether a file that begins as a known one also ends where that was read to: gzip says at its end
/// how long its text is.
pub(super) fn ends_alike(path: &Path, known: &Known) -> bool {
    let length = || -> io::Result<Option<u64>> {
        let (content, metadata) = Content::open(path)?;
        if !content.is_packed() {
            return Ok((metadata.len() == known.position).then_some(metadata.len()));
        }
        let mut file = fs::File::open(path)?;
        let mut head = [0; 2];
        file.read_exact(&mut head)?;
        if head != [0x1f, 0x8b] {
            return Ok(None);
        }
        let mut length = [0; 4];
        file.seek(SeekFrom::End(-4))?;
        file.read_exact(&mut length)?;
        // Of more than 4 GiB it says the rest, which is as good to compare with.
        let length = u32::from_le_bytes(length);
        Ok((length == known.position as u32).then_some(known.position))
    };
    known.position > 0 && length().is_ok_and(|it| it.is_some())
}

/// Opens a file that rested where it was read to; `None` if it is another now.
pub(super) fn reopen(path: &Path, known: &Known) -> io::Result<Option<Tail>> {
    open_known(path, known, known.position)
}

fn open_known(path: &Path, known: &Known, from: u64) -> io::Result<Option<Tail>> {
    if !known.head.begins(&Content::head(path)?) {
        return Ok(None);
    }
    let (content, _) = Content::open(path)?;
    Tail::open(content, from)
}

/// Opens the file of a slot again, wherever it is now: in its place, beside it under another name, or
/// as a copy.
pub(super) fn find_again(path: &Path, known: &Known, from: u64) -> Option<(Tail, Inode)> {
    let same = |path: &Path| {
        let inode = Inode::of(&fs::metadata(path).ok()?);
        let tail = (inode == known.inode).then(|| open_known(path, known, from));
        Some((tail?.ok().flatten()?, inode))
    };
    same(path)
        .or_else(|| siblings(path, false).iter().find_map(|it| same(it)))
        .or_else(|| find_copy(path, known, from))
}

/// A copy of a file beside it, packed or not, which has all that was read of it.
pub(super) fn find_copy(path: &Path, known: &Known, from: u64) -> Option<(Tail, Inode)> {
    siblings(path, true).iter().find_map(|it| {
        let metadata = fs::metadata(it).ok()?;
        let inode = Inode::of(&metadata);
        if inode == known.inode || !begins_alike(known, &Content::head(it).ok()?) {
            return None;
        }
        if !is_copy(it, &known.last) {
            return None;
        }
        let (content, _) = Content::open(it).ok()?;
        Some((Tail::open(content, from).ok()??, inode))
    })
}

/// The files in the directory of another, perhaps only those whose names begin as its own.
fn siblings(path: &Path, is_named_alike: bool) -> Vec<PathBuf> {
    let stem = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.split('.').next().unwrap_or_default().to_owned()
    };
    let own = stem(path);
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let entries = entries.take(SIBLINGS_MAX).map(|entry| entry.path());
    let mut found: Vec<_> = entries
        .filter(|it| it.is_file() && (!is_named_alike || stem(it).starts_with(&own)))
        .collect();
    found.sort();
    found
}

/// Where the last line of a file begins that is not whole yet, or the file's end.
pub(super) fn last_line(content: &Content, size: u64) -> io::Result<u64> {
    let Content::Plain(file) = content else { return Ok(size) };
    let from = size.saturating_sub(LINE_LOOK_BYTES);
    let mut end = vec![0; (size - from) as usize];
    file.read_exact_at(&mut end, from)?;
    let newline = end.iter().rposition(|byte| *byte == b'\n');
    Ok(newline.map_or(size, |at| from + at as u64 + 1))
}

//! The dead-letter file: rows that the server will never take, one JSON object a line.

use crate::clickhouse::chunk::Chunk;
use crate::clickhouse::failure::Failure;
use crate::clickhouse::sink::SinkError;
use arrow::error::ArrowError;
use arrow::json::LineDelimitedWriter;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Bytes of the file; what does not fit stops the writer instead of being dropped.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// What a line says before it gives the row.
#[derive(Serialize)]
struct Reason<'a> {
    table: &'a str,
    code: Option<u32>,
    why: &'a str,
    token: &'a str,
}

/// Where refused rows go, and whatever else nobody will take: a file that several writers may share.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    path: PathBuf,
    bytes_max: u64,
}

impl DeadLetters {
    /// The file at `path`, which is made with the first line and holds 1 GiB at most.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), bytes_max: FILE_BYTES_MAX }
    }

    #[cfg(test)]
    pub(crate) fn with_limit(path: &Path, bytes_max: u64) -> Self {
        Self { path: path.to_owned(), bytes_max }
    }

    /// Appends the rows of a chunk; when this returns, they are on the disk.
    pub(crate) fn append(
        &self,
        table: &'static str,
        chunk: &Chunk,
        failure: &Failure,
    ) -> Result<(), SinkError> {
        let text = lines(table, chunk, failure)
            .map_err(|error| SinkError::DeadLetters { path: self.path.clone(), source: error })?;
        match self.write(&text) {
            Ok(true) => Ok(()),
            Ok(false) => Err(SinkError::DeadLettersFull {
                path: self.path.clone(),
                bytes_max: self.bytes_max,
                table,
                what: failure.said.clone(),
            }),
            Err(source) => Err(SinkError::DeadLetters { path: self.path.clone(), source }),
        }
    }

    /// Appends all of the text, whole lines, or nothing; false if the file would grow too large. When
    /// this returns, it is on the disk.
    pub fn write(&self, text: &[u8]) -> io::Result<bool> {
        // Writers in other threads and processes wait; the lock goes when the file is closed.
        let Some(mut file) = locked(&self.path, true)? else { return Ok(false) };
        let length = file.seek(SeekFrom::End(0))?;
        // A crash in the middle of a line: what is left of it becomes a line of its own.
        let torn = length > 0 && last_byte(&mut file, length)? != b'\n';
        if length + u64::from(torn) + text.len() as u64 > self.bytes_max {
            return Ok(false);
        }
        let written = if torn { file.write_all(b"\n") } else { Ok(()) };
        let written = written.and_then(|()| file.write_all(text)).and_then(|()| file.sync_all());
        if written.is_err() {
            // Half of the rows would be there twice after the next try.
            file.set_len(length)?;
        } else if length == 0 {
            sync_directory(&self.path)?;
        }
        written.map(|()| true)
    }
}

/// The file, locked; nothing if it is not there and must not be made.
///
/// Whoever forgets puts another file in its place while others wait for the lock of the old one.
pub(crate) fn locked(path: &Path, makes: bool) -> io::Result<Option<File>> {
    loop {
        let file = match open(path, makes) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !makes => return Ok(None),
            opened => opened?,
        };
        file.lock()?;
        if is_at(&file, path) {
            return Ok(Some(file));
        }
    }
}

/// Whether the path still leads to the file.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let same =
        |(a, b): (std::fs::Metadata, std::fs::Metadata)| (a.dev(), a.ino()) == (b.dev(), b.ino());
    file.metadata().and_then(|ours| Ok((ours, std::fs::metadata(path)?))).is_ok_and(same)
}

/// Where a file that is open cannot be replaced, it is always the same.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> bool {
    true
}

/// Readable by its owner only: it holds identities.
fn open(path: &Path, makes: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(makes).read(true).write(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn last_byte(file: &mut File, length: u64) -> io::Result<u8> {
    let mut last = [0];
    file.seek(SeekFrom::Start(length - 1))?;
    file.read_exact(&mut last)?;
    Ok(last[0])
}

/// Makes the name of a new file as durable as its content.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn lines(table: &'static str, chunk: &Chunk, failure: &Failure) -> io::Result<Vec<u8>> {
    let other = |error: ArrowError| io::Error::other(error.to_string());
    let mut rows = Vec::new();
    let mut writer = LineDelimitedWriter::new(&mut rows);
    writer.write(&chunk.rows).map_err(other)?;
    writer.finish().map_err(other)?;
    drop(writer);
    let (code, why, token) = (failure.code, failure.said.as_str(), chunk.token.as_str());
    let reason = serde_json::to_string(&Reason { table, code, why, token })?;
    let open = reason.trim_end_matches('}');
    let mut text = Vec::new();
    for row in rows.split(|&byte| byte == b'\n').filter(|row| !row.is_empty()) {
        text.extend_from_slice(open.as_bytes());
        text.extend_from_slice(b",\"row\":");
        text.extend_from_slice(row);
        text.extend_from_slice(b"}\n");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::chunk::Target;
    use crate::clickhouse::failure::Remedy;
    use crate::tests::sample::rows;
    use model::tables::Table;
    use std::fs;

    fn chunk(count: usize) -> Chunk {
        let rows = rows(Table::Findings, 0, count);
        Chunk::of(&Target::of(Table::Findings), &rows, &(0..count).collect::<Vec<_>>()).unwrap()
    }

    fn failure() -> Failure {
        Failure { code: Some(27), said: "cannot \"parse\"".into(), remedy: Remedy::SetAside }
    }

    fn read(path: &Path) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_row_is_a_line_that_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead.ndjson");
        let letters = DeadLetters::new(&path);
        letters.append("findings", &chunk(2), &failure()).unwrap();
        letters.append("findings", &chunk(1), &failure()).unwrap();
        let lines = read(&path);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1]["table"], "findings");
        assert_eq!(lines[1]["code"], 27);
        assert_eq!(lines[1]["why"], "cannot \"parse\"");
        assert_eq!(lines[1]["row"]["revision"], 0);
        assert_eq!(lines[1]["row"]["window_start"], "2026-03-01T10:00:00Z");
        assert_eq!(lines[2]["token"], chunk(1).token);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_full_file_is_an_error_and_keeps_what_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead.ndjson");
        let letters = DeadLetters::with_limit(&path, 4_000);
        letters.append("findings", &chunk(2), &failure()).unwrap();
        let before = fs::read(&path).unwrap();
        let error = letters.append("findings", &chunk(9), &failure()).unwrap_err();
        assert!(matches!(error, SinkError::DeadLettersFull { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_torn_line_is_kept_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dead.ndjson");
        fs::write(&path, "{\"table\":\"fin").unwrap();
        DeadLetters::new(&path).append("findings", &chunk(1), &failure()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "{\"table\":\"fin");
        assert!(serde_json::from_str::<serde_json::Value>(lines[1]).is_ok());
    }
}

//! `habitus answer`: one question of the console's SQL box, in a process of its own.
//!
//! What people type may take more memory than there is, or never come to an end where the engine looks
//! whether it should: then this process ends, and the console goes on.

use super::{Ended, Failure, Setting};
use crate::summary::peak_rss_bytes;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use std::ffi::OsString;
use std::io::{self, Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use store::Answer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, Command};

/// The name of the command.
const NAME: &str = "answer";
/// Bytes of a question that are read; a store takes fewer, and says so.
const SQL_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of memory that the process may have: what a store's questions may work with, as much again
/// for an answer and for what the engine does not count.
const MEMORY_BYTES_MAX: u64 = 2 << 30;
/// How often its memory is looked at, and how often in all: longer than anybody waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS_MAX: u32 = 2_000;
/// Bytes of an answer as it is handed over; a store's answers have at most 512 MiB.
const ANSWER_BYTES_MAX: u64 = 600 << 20;
/// Bytes of what is said instead of one.
const SAID_BYTES_MAX: u64 = 64 * 1024;
/// The exit codes with an answer, with a reason why there is none, and without either.
const ANSWERED: i32 = 0;
const REFUSED: i32 = 1;
const GIVEN_UP: i32 = 3;
/// What the name of the directory begins with where the engine puts what does not fit into memory.
const SPILLED: &str = "habitus-answer-";

/// Answers the question on standard input.
pub(crate) fn run(setting: &Setting) -> Result<Ended, Failure> {
    watch()?;
    match answer(setting) {
        Ok(()) => Ok(Ended::Done),
        Err(error) => {
            // In the words of the error alone, which the page shows.
            writeln!(io::stderr(), "{}", crate::full(error.as_ref()))?;
            Ok(Ended::Partly)
        }
    }
}

/// Ends the process once it has too much memory, or nobody can be waiting for it any more.
#[expect(clippy::exit, reason = "whoever would return is held up by the question")]
fn watch() -> io::Result<()> {
    let look = || {
        for _ in 0..LOOKS_MAX {
            thread::sleep(LOOK_EVERY);
            if peak_rss_bytes() > MEMORY_BYTES_MAX {
                break;
            }
        }
        std::process::exit(GIVEN_UP);
    };
    thread::Builder::new().name("watch".to_owned()).spawn(look).map(drop)
}

fn answer(setting: &Setting) -> Result<(), Failure> {
    let mut sql = String::new();
    io::stdin().lock().take(SQL_BYTES_MAX).read_to_string(&mut sql)?;
    let (schema, batches) = setting.runtime.block_on(setting.reader()?.query(&sql))?;
    let out = io::BufWriter::new(io::stdout().lock());
    let mut writer = StreamWriter::try_new(out, &schema)?;
    for batch in &batches {
        writer.write(batch)?;
    }
    writer.into_inner()?.flush()?;
    Ok(())
}

/// Asks a store in a directory in a process of its own, which ends with the future.
pub(super) async fn ask(
    store: PathBuf,
    config: Option<PathBuf>,
    sql: String,
) -> Result<Answer, String> {
    let failed = |error: io::Error| format!("there is no process for the question ({error})");
    // Dropped after the process: nothing of what it put there stays. Where there is no room for it, the
    // engine does without.
    let spilled = tempfile::Builder::new().prefix(SPILLED).tempdir().ok();
    let named = |name: &str, path: PathBuf| {
        let mut argument = OsString::from(name);
        argument.push(path);
        argument
    };
    let mut command = Command::new(program().map_err(failed)?);
    if let Some(dir) = &spilled {
        command.env("TMPDIR", dir.path());
    }
    if let Some(path) = config {
        command.arg(named("--config=", path));
    }
    let mut child = command
        .arg(named("--store=", store))
        .arg(NAME)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(input), Some(output), Some(errors)) = pipes else {
        return Err("the process for the question has no pipes".to_owned());
    };
    // What could not be written, or be read, shows in how the process ends.
    let (_, answer, said, ended) = tokio::join!(
        write(input, &sql),
        read(output, ANSWER_BYTES_MAX),
        read(errors, SAID_BYTES_MAX),
        child.wait(),
    );
    let (answer, said) = (answer.map_err(failed)?, said.map_err(failed)?);
    if answer.len() as u64 >= ANSWER_BYTES_MAX {
        return Err("the answer is too long: add a WHERE or a LIMIT, or aggregate".to_owned());
    }
    match ended.map_err(failed)?.code() {
        Some(ANSWERED) => decoded(answer).map_err(|error| {
            format!("the answer cannot be read ({error}); report this as a defect")
        }),
        Some(REFUSED) => Err(last_line(&said)),
        _ => Err(given_up()),
    }
}

/// The file of this program, also once another stands in its place.
fn program() -> io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() { Ok(running.to_owned()) } else { std::env::current_exe() }
}

/// Writes all of it, and closes the pipe.
async fn write(mut input: ChildStdin, sql: &str) -> io::Result<()> {
    input.write_all(sql.as_bytes()).await
}

/// Reads at most so many bytes, and closes the pipe.
async fn read(from: impl AsyncRead + Unpin, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(bytes_max).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

fn decoded(bytes: Vec<u8>) -> Result<Answer, ArrowError> {
    let reader = StreamReader::try_new(Cursor::new(bytes), None)?;
    let schema = reader.schema();
    Ok((schema, reader.collect::<Result<Vec<_>, _>>()?))
}

/// What the process said last: a thread of the engine that failed may have said something before.
fn last_line(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    said.lines().rfind(|line| !line.trim().is_empty()).map_or_else(given_up, ToOwned::to_owned)
}

fn given_up() -> String {
    format!(
        "the engine gave up: the question may need more than {} GiB of memory; add a WHERE or a LIMIT, \
         or aggregate",
        MEMORY_BYTES_MAX >> 30
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringViewArray};
    use std::sync::Arc;

    #[test]
    fn an_answer_is_handed_over_as_it_is() {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "a text of many letters"]));
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("n", numbers, true),
            ("text", texts, false),
        ])
        .unwrap();
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(&batch).unwrap();
        let (schema, batches) = decoded(writer.into_inner().unwrap()).unwrap();
        assert_eq!((schema, batches), (batch.schema(), vec![batch]));
        assert!(decoded(Vec::new()).is_err(), "no answer is none without rows");
    }

    #[test]
    fn the_last_that_is_said_counts() {
        assert_eq!(
            last_line(b"thread panicked\n  1: x\nthere is no table x\n\n"),
            "there is no table x"
        );
        assert!(last_line(b"\n").contains("memory"));
    }
}

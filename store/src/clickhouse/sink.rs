//! The sink: rows on their way into the server, none lost, none twice.

use crate::clickhouse::chunk::{Chunk, Target, plan};
use crate::clickhouse::client::Client;
use crate::clickhouse::dead_letter::DeadLetters;
use crate::clickhouse::failure::{Failure, Remedy};
use crate::error::StoreError;
use crate::finding;
use arrow::array::RecordBatch;
use model::Finding;
use model::tables::Table;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Findings turned into rows at once: their texts are copied.
const FINDINGS_MAX: usize = 4 * 1024;
/// Milliseconds before each further try of an insert: 12.7 s in all, besides the timeouts.
const PAUSES_MS: [u64; 7] = [100, 200, 400, 800, 1_600, 3_200, 6_400];

/// Why rows did not reach the server. Whoever gets one of these still has the rows, and may try
/// them again: what of them had arrived is not doubled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The rows are not those of the table.
    #[error(transparent)]
    Rows(#[from] StoreError),
    /// The server could not be reached, or was too busy, at every try.
    #[error(
        "{server} took no rows of `{table}` in {tries} tries ({what}): they are kept and tried again; check the server and the way to it"
    )]
    Unavailable {
        /// The server.
        server: String,
        /// The table.
        table: &'static str,
        /// How often it was tried.
        tries: usize,
        /// What was said at the last try.
        what: String,
    },
    /// The server is set up in a way that it takes no rows at all.
    #[error(
        "{server} refuses rows of `{table}` ({what}): check user, roles and disk, and run `habitus migrate`"
    )]
    Refused {
        /// The server.
        server: String,
        /// The table.
        table: &'static str,
        /// What was said.
        what: String,
    },
    /// The server refused the rows themselves, and the file for such rows is full.
    #[error(
        "rows of `{table}` were refused ({what}) and {} has its {bytes_max} bytes: mend the cause, then move the file away", .path.display()
    )]
    DeadLettersFull {
        /// The file.
        path: PathBuf,
        /// Its limit, in bytes.
        bytes_max: u64,
        /// The table.
        table: &'static str,
        /// What was said.
        what: String,
    },
    /// The server refused the rows themselves, and the file for such rows cannot be written.
    #[error("refused rows could not be written to {} ({source}): check that the path is writable and has space left", .path.display())]
    DeadLetters {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a sink did since it was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Rows that the server has.
    pub rows: u64,
    /// Inserts that brought them.
    pub inserts: u64,
    /// Tries that failed and were followed by another.
    pub retries: u64,
    /// Rows in the dead-letter file.
    pub dead_letters: u64,
}

/// Writes rows; any number of tasks may share one.
///
/// An insert is synchronous: when it returns, the server has the rows, or they are in the
/// dead-letter file. It may be cancelled and repeated at any point.
#[derive(Debug)]
pub struct Sink {
    client: Client,
    dead_letters: DeadLetters,
    pauses_ms: &'static [u64],
    rows: AtomicU64,
    inserts: AtomicU64,
    retries: AtomicU64,
    dead: AtomicU64,
}

impl Sink {
    /// A sink into the server's tables; rows that it refuses go to the file `dead_letters`, which
    /// is made with the first of them and holds 1 GiB at most.
    pub fn new(client: Client, dead_letters: &Path) -> Self {
        Self::with(client, DeadLetters::new(dead_letters), &PAUSES_MS)
    }

    pub(crate) fn with(
        client: Client,
        dead_letters: DeadLetters,
        pauses_ms: &'static [u64],
    ) -> Self {
        let [rows, inserts, retries, dead] = [const { AtomicU64::new(0) }; 4];
        Self { client, dead_letters, pauses_ms, rows, inserts, retries, dead }
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        Counts {
            rows: self.rows.load(Ordering::Relaxed),
            inserts: self.inserts.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            dead_letters: self.dead.load(Ordering::Relaxed),
        }
    }

    /// Adds findings, every revision as it comes; texts of more than 16 KiB are cut.
    pub async fn findings(&self, findings: &[Finding]) -> Result<(), SinkError> {
        for some in findings.chunks(FINDINGS_MAX) {
            self.insert(Table::Findings, &finding::rows(some)?).await?;
        }
        Ok(())
    }

    /// Adds rows to a table. The batch's columns must be those of [`Table::schema`].
    pub async fn insert(&self, table: Table, batch: &RecordBatch) -> Result<(), SinkError> {
        let target = Target::of(table);
        for rows in plan(&target, batch)? {
            let chunk = Chunk::of(&target, batch, &rows)?;
            match self.deliver(&target, &chunk).await {
                Ok(()) => {
                    self.rows.fetch_add(rows.len() as u64, Ordering::Relaxed);
                    self.inserts.fetch_add(1, Ordering::Relaxed);
                }
                Err(failure) => self.give_up(target.name, chunk, failure).await?,
            }
        }
        Ok(())
    }

    /// Tries until the server has the chunk, or will not have it: the same bytes and token each time.
    async fn deliver(&self, target: &Target, chunk: &Chunk) -> Result<(), Failure> {
        let mut pauses = self.pauses_ms.iter();
        loop {
            let failure = match send(&self.client, target.name, &chunk.bytes, &chunk.token).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            let pause = (failure.remedy == Remedy::TryAgain).then(|| pauses.next()).flatten();
            let Some(pause) = pause else { return Err(failure) };
            self.retries.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(*pause)).await;
        }
    }

    async fn give_up(
        &self,
        table: &'static str,
        chunk: Chunk,
        failure: Failure,
    ) -> Result<(), SinkError> {
        let server = self.client.settings().to_string();
        match failure.remedy {
            Remedy::TryAgain => {
                let tries = 1 + self.pauses_ms.len();
                Err(SinkError::Unavailable { server, table, tries, what: failure.said })
            }
            Remedy::Stop => Err(SinkError::Refused { server, table, what: failure.said }),
            Remedy::SetAside => {
                let rows = chunk.rows.num_rows() as u64;
                let letters = Arc::new(self.dead_letters.clone());
                spawn_blocking(move || letters.append(table, &chunk, &failure))
                    .await
                    .map_err(|error| StoreError::Stopped(error.to_string()))??;
                self.dead.fetch_add(rows, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}

/// Sends an insert's rows, a stream of Arrow, once; a repeated token is dropped by the server.
pub(crate) async fn send(
    client: &Client,
    table: &str,
    bytes: &[u8],
    token: &str,
) -> Result<(), Failure> {
    let settings = client.settings();
    let sql = format!("INSERT INTO {table} FORMAT ArrowStream");
    let mut insert = client
        .http()
        .insert_formatted_with(sql)
        // Newer servers collect inserts by default, and would answer before they have them.
        .with_setting("async_insert", "0")
        .with_setting("insert_deduplicate", "1")
        .with_setting("insert_deduplication_token", token)
        // A retry must also fill a rollup that the first try did not reach.
        .with_setting("deduplicate_blocks_in_dependent_materialized_views", "1")
        // Nobody is NULL here and the empty text there.
        .with_setting("input_format_null_as_default", "1")
        .with_timeouts(Some(settings.send_timeout), Some(settings.receive_timeout))
        // One burst: a server drops an insert whose bytes come with gaps.
        .buffered_with_capacity(bytes.len());
    insert.write_buffered(bytes);
    Ok(insert.end().await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::stub::{Reply, Request, serve};
    use crate::clickhouse::{Plaintext, Settings};
    use crate::tests::sample::{finding, rows};
    use std::fs;

    const PAUSES: [u64; 3] = [1, 1, 1];
    const TAKEN: Reply = Reply::Says(200, None, "");

    /// What comes of one insert when the server answers so; the sink's file, and what was asked.
    async fn insert(
        dir: &Path,
        replies: &[Reply],
    ) -> (Result<(), SinkError>, Counts, Vec<Request>) {
        let (port, asked) = serve(replies);
        let url = format!("clickhouse://127.0.0.1:{port}/db");
        let mut settings = Settings::parse(&url, Plaintext::Refused).unwrap();
        settings.receive_timeout = Duration::from_millis(500);
        let client = Client::new(settings).unwrap();
        let letters = DeadLetters::with_limit(&dir.join("dead.ndjson"), 1_000_000);
        let sink = Sink::with(client, letters, &PAUSES);
        let outcome = sink.insert(Table::Signals, &rows(Table::Signals, 0, 300)).await;
        (outcome, sink.counts(), asked.try_iter().collect())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_retry_sends_the_same_bytes_and_token() {
        let dir = tempfile::tempdir().unwrap();
        let busy = Reply::Says(500, Some(252), "Code: 252. DB::Exception: Too many parts");
        let proxy = Reply::Says(502, None, "<html>");
        let (outcome, counts, asked) =
            insert(dir.path(), &[busy, Reply::Hangs, proxy, TAKEN]).await;
        outcome.unwrap();
        assert_eq!(counts, Counts { rows: 300, inserts: 1, retries: 3, dead_letters: 0 });
        assert_eq!(asked.len(), 4);
        for request in &asked {
            assert_eq!(request.body, asked[0].body);
            let token = blake3::hash(&request.body).to_hex().to_string();
            assert_eq!(request.parameter("insert_deduplication_token"), Some(token.as_str()));
            assert_eq!(request.parameter("async_insert"), Some("0"));
            assert_eq!(request.parameter("database"), Some("db"));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_silent_server_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let (outcome, counts, _) = insert(dir.path(), &[Reply::Sleeps, TAKEN]).await;
        // The stub is still asleep at the second try, and awake before the last.
        assert!(counts.retries >= 1);
        if let Err(error) = outcome {
            assert!(matches!(error, SinkError::Unavailable { .. }), "{error}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_never_takes_them_leaves_the_rows_with_the_caller() {
        let dir = tempfile::tempdir().unwrap();
        let (outcome, counts, asked) = insert(dir.path(), &[Reply::Hangs; 4]).await;
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("in 4 tries"), "{error}");
        assert_eq!((counts.rows, counts.retries, asked.len()), (0, 3, 4));
        assert!(!dir.path().join("dead.ndjson").exists());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_is_set_up_wrongly_stops_the_sink_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let wrong = Reply::Says(404, Some(60), "Code: 60. DB::Exception: Unknown table signals");
        let (outcome, counts, asked) = insert(dir.path(), &[wrong]).await;
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("habitus migrate"), "{error}");
        assert_eq!((counts, asked.len()), (Counts::default(), 1));
        assert!(!dir.path().join("dead.ndjson").exists());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn refused_rows_are_set_aside_and_counted() {
        let dir = tempfile::tempdir().unwrap();
        let refused = Reply::Says(400, Some(27), "Code: 27. DB::Exception: Cannot parse");
        let (outcome, counts, _) = insert(dir.path(), &[refused]).await;
        outcome.unwrap();
        assert_eq!(counts, Counts { rows: 0, inserts: 0, retries: 0, dead_letters: 300 });
        let text = fs::read_to_string(dir.path().join("dead.ndjson")).unwrap();
        assert_eq!(text.lines().count(), 300);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn findings_of_two_months_are_two_inserts() {
        let (port, asked) = serve(&[TAKEN, TAKEN]);
        let url = format!("clickhouse://127.0.0.1:{port}");
        let client = Client::new(Settings::parse(&url, Plaintext::Refused).unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let sink = Sink::new(client, &dir.path().join("dead.ndjson"));
        let mut findings = [finding(1, 1), finding(2, 1), finding(3, 1)];
        findings[1].window_start = findings[1].window_start.plus(-30 * model::time::NS_PER_D);
        sink.findings(&findings).await.unwrap();
        assert_eq!(sink.counts().inserts, 2);
        assert_eq!(asked.try_iter().count(), 2);
    }
}

//! The keeper: hands rows and findings to the store, and holds them until it has them.

use crate::cli::Work;
use crate::commands::{Failure, Setting};
use arrow::array::RecordBatch;
use detect::Output;
use model::tables::Table;
use model::{Finding, Time};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::clickhouse::{Sink, SinkError};
use store::{RunId, Store, StoreError, Writer};
use tokio::runtime::Handle;

/// How often it is seen whether to stop, while a server is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a server is waited for after that.
const LAST_WAIT: Duration = Duration::from_secs(3);

/// Findings whose delay is measured between two looks; of more the rest is not.
const STORED_MAX: usize = 10_000;

/// What is handed over together.
#[derive(Debug)]
enum Parcel {
    Rows(Table, RecordBatch),
    /// Findings, and the times of the events that raised them for the first time during their hour.
    Findings(Vec<Finding>, Vec<Time>),
}

/// Where it goes.
#[derive(Debug)]
enum To {
    /// One run of a directory, visible at its end.
    Run(Writer),
    /// A directory, a run for each epoch.
    Epochs { store: Store, group: String },
    /// A server.
    Server(Sink),
}

/// Why the store could not be given what was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeeperError {
    /// The directory failed.
    #[error(transparent)]
    Directory(#[from] StoreError),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] SinkError),
    /// It was to stop, and the server did not answer.
    #[error("the store does not answer, and is not waited for any longer")]
    Stopped,
}

impl KeeperError {
    /// Whether it may be tried again: the server cannot be reached, or is too busy.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::Server(SinkError::Unavailable { .. }) | Self::Stopped)
    }
}

/// Holds what was found until the store has it.
#[derive(Debug)]
pub(crate) struct Keeper {
    to: To,
    runtime: Handle,
    /// The inputs' names, by their numbers.
    inputs: Vec<String>,
    /// What the store does not have yet, in the order in which it was found.
    waiting: VecDeque<Parcel>,
    /// The event times at which findings were raised that the store has had since it was last asked.
    stored: Vec<Time>,
}

impl Keeper {
    /// A keeper for one run, whose store works on the calling thread alone when `threads` is one.
    pub(crate) fn new(
        writer: Writer,
        runtime: Handle,
        threads: usize,
        inputs: Vec<String>,
    ) -> Self {
        let writer = if threads <= 1 { writer.alone() } else { writer };
        Self { to: To::Run(writer), runtime, inputs, waiting: VecDeque::new(), stored: Vec::new() }
    }

    /// A keeper for a service, with the key of fingerprints and the directory that is its home.
    pub(crate) fn open(
        setting: &Setting,
        work: &Work,
        group: &str,
    ) -> Result<(Self, [u8; 32], PathBuf), Failure> {
        let home = setting.store.clone();
        let runtime = setting.runtime.clone();
        let (store, key) = Self::key(setting, work)?;
        let to = match setting.server()? {
            Some(client) => {
                setting.runtime.block_on(store::clickhouse::verify(&client))?;
                To::Server(Sink::new(client, &home.join("dead-letters.ndjson")))
            }
            None => To::Epochs { store, group: group.to_owned() },
        };
        let keeper =
            Self { to, runtime, inputs: Vec::new(), waiting: VecDeque::new(), stored: Vec::new() };
        Ok((keeper, key, home))
    }

    /// The key of fingerprints, which is made once and stands in the directory, whoever keeps the
    /// rows; and the directory.
    pub(crate) fn key(setting: &Setting, work: &Work) -> Result<(Store, [u8; 32]), Failure> {
        let key = work.key_file.as_deref().map(crate::commands::replay::read_key).transpose()?;
        let made = Store::create(&setting.store, key, setting.fresh_key);
        let store = setting.runtime.block_on(made)?;
        let key = store.key();
        Ok((store, key))
    }

    /// The same keeper, which knows the inputs' names.
    pub(crate) fn with_inputs(self, inputs: Vec<String>) -> Self {
        Self { inputs, ..self }
    }

    /// Keeps what the engine put out.
    pub(crate) fn keep(&mut self, output: Output) -> Result<(), KeeperError> {
        for rows in output.windows {
            self.rows(Table::Windows, rows)?;
        }
        for rows in output.signals {
            self.rows(Table::Signals, rows)?;
        }
        self.findings(output.findings, Vec::new())
    }

    /// Keeps findings that were raised during their hour; `raised` has the times of the events that
    /// raised the new ones.
    pub(crate) fn findings(
        &mut self,
        mut findings: Vec<Finding>,
        raised: Vec<Time>,
    ) -> Result<(), KeeperError> {
        if findings.is_empty() {
            return Ok(());
        }
        for evidence in findings.iter_mut().flat_map(|finding| &mut finding.evidence) {
            evidence.input = self.inputs.get(evidence.position.source as usize).cloned();
        }
        self.take(Parcel::Findings(findings, raised))
    }

    /// Keeps rows of a table.
    pub(crate) fn rows(&mut self, table: Table, rows: RecordBatch) -> Result<(), KeeperError> {
        self.take(Parcel::Rows(table, rows))
    }

    fn take(&mut self, parcel: Parcel) -> Result<(), KeeperError> {
        match &mut self.to {
            To::Run(writer) => Ok(self.runtime.block_on(write(writer, &parcel))?),
            To::Epochs { .. } | To::Server(_) => {
                self.waiting.push_back(parcel);
                Ok(())
            }
        }
    }

    /// Hands over to a server what waits; what it would not take waits on. Once `stop` is set it is
    /// given a moment more.
    pub(crate) fn deliver(&mut self, stop: &AtomicBool) -> Result<(), KeeperError> {
        let To::Server(sink) = &self.to else { return Ok(()) };
        while let Some(parcel) = self.waiting.front() {
            let has_findings = matches!(parcel, Parcel::Findings(..));
            if has_findings {
                crate::hold("inserting");
            }
            self.runtime.block_on(async {
                let handed = async {
                    match parcel {
                        Parcel::Rows(table, rows) => sink.insert(*table, rows).await,
                        Parcel::Findings(findings, _) => sink.findings(findings).await,
                    }
                };
                tokio::select! {
                    handed = handed => Ok(handed?),
                    () = stopped(stop) => Err(KeeperError::Stopped),
                }
            })?;
            if has_findings {
                crate::hold("inserted");
            }
            note_stored(&mut self.stored, parcel);
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Ends an epoch: a directory makes its rows visible.
    pub(crate) fn seal(&mut self, epoch: u64) -> Result<(), KeeperError> {
        let To::Epochs { store, group } = &self.to else { return Ok(()) };
        if self.waiting.is_empty() {
            return Ok(());
        }
        // An epoch that is judged again after a crash writes the same run again.
        let run = RunId::new(&detect::short_hash(&format!("{group} epoch {epoch}")))?;
        crate::hold("inserting");
        let mut writer = store.writer(&run);
        self.runtime.block_on(async {
            for parcel in &self.waiting {
                write(&mut writer, parcel).await?;
            }
            writer.commit().await
        })?;
        crate::hold("inserted");
        for parcel in &self.waiting {
            note_stored(&mut self.stored, parcel);
        }
        self.waiting.clear();
        Ok(())
    }

    /// Whether findings wait for the end of the epoch.
    pub(crate) fn holds_findings(&self) -> bool {
        self.waiting.iter().any(|parcel| matches!(parcel, Parcel::Findings(..)))
    }

    /// The event times at which the findings were raised that the store has had since the last call.
    pub(crate) fn take_stored(&mut self) -> Vec<Time> {
        std::mem::take(&mut self.stored)
    }

    /// Forgets what waits: it will be found again.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// Makes a run visible at once.
    pub(crate) fn commit(self) -> Result<(), KeeperError> {
        if let To::Run(writer) = self.to {
            self.runtime.block_on(writer.commit())?;
        }
        Ok(())
    }
}

fn note_stored(stored: &mut Vec<Time>, parcel: &Parcel) {
    let Parcel::Findings(_, raised) = parcel else { return };
    let room = STORED_MAX.saturating_sub(stored.len());
    stored.extend(raised.iter().take(room));
}

/// Ends some time after `stop` is set.
async fn stopped(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tokio::time::sleep(LAST_WAIT).await;
}

async fn write(writer: &mut Writer, parcel: &Parcel) -> Result<(), StoreError> {
    match parcel {
        Parcel::Rows(table, rows) => writer.write(*table, rows.clone()).await,
        Parcel::Findings(findings, _) => writer.findings(findings).await,
    }
}

//! The keeper: hands rows and findings to the store, and holds them until it has them.

use crate::cli::Work;
use crate::commands::{Failure, Setting};
use arrow::array::RecordBatch;
use detect::Output;
use model::Finding;
use model::tables::Table;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use store::clickhouse::{Client, Sink, SinkError};
use store::{RunId, Store, StoreError, Writer};
use tokio::runtime::Handle;

/// What is handed over together.
#[derive(Debug)]
enum Parcel {
    Rows(Table, RecordBatch),
    Findings(Vec<Finding>),
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
    /// A server that gets a replay: rows go at once, since nothing is held back for a commit.
    Replayed(Sink),
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
}

impl KeeperError {
    /// Whether it may be tried again: the server cannot be reached, or is too busy.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::Server(SinkError::Unavailable { .. }))
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
        Self { to: To::Run(writer), runtime, inputs, waiting: VecDeque::new() }
    }

    /// A keeper for one run into a server, with the directory of its dead letters.
    pub(crate) fn replaying(
        client: Client,
        home: &Path,
        runtime: Handle,
        inputs: Vec<String>,
    ) -> Self {
        let to = To::Replayed(Sink::new(client, &dead_letters(home)));
        Self { to, runtime, inputs, waiting: VecDeque::new() }
    }

    /// A keeper for a service, with the key of fingerprints.
    pub(crate) fn open(
        setting: &Setting,
        work: &Work,
        group: &str,
    ) -> Result<(Self, [u8; 32]), Failure> {
        let key = work.key_file.as_deref().map(crate::commands::replay::read_key).transpose()?;
        let home = setting.store.clone();
        let runtime = setting.runtime.clone();
        // The key of fingerprints is made once and stands in the directory, whoever keeps the rows.
        let store = setting.runtime.block_on(Store::create(&home, key, setting.fresh_key))?;
        let key = store.key();
        let to = match setting.server()? {
            Some(client) => {
                setting.runtime.block_on(store::clickhouse::verify(&client))?;
                To::Server(Sink::new(client, &dead_letters(&home)))
            }
            None => To::Epochs { store, group: group.to_owned() },
        };
        let keeper = Self { to, runtime, inputs: Vec::new(), waiting: VecDeque::new() };
        Ok((keeper, key))
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
        let mut findings = output.findings;
        if findings.is_empty() {
            return Ok(());
        }
        for evidence in findings.iter_mut().flat_map(|finding| &mut finding.evidence) {
            evidence.input = self.inputs.get(evidence.position.source as usize).cloned();
        }
        self.take(Parcel::Findings(findings))
    }

    /// Keeps rows of a table.
    pub(crate) fn rows(&mut self, table: Table, rows: RecordBatch) -> Result<(), KeeperError> {
        self.take(Parcel::Rows(table, rows))
    }

    fn take(&mut self, parcel: Parcel) -> Result<(), KeeperError> {
        match &mut self.to {
            To::Run(writer) => Ok(self.runtime.block_on(write(writer, &parcel))?),
            To::Replayed(sink) => Ok(self.runtime.block_on(send(sink, &parcel))?),
            To::Epochs { .. } | To::Server(_) => {
                self.waiting.push_back(parcel);
                Ok(())
            }
        }
    }

    /// Hands over to a server what waits; what it would not take waits on.
    pub(crate) fn deliver(&mut self) -> Result<(), KeeperError> {
        let To::Server(sink) = &self.to else { return Ok(()) };
        while let Some(parcel) = self.waiting.front() {
            self.runtime.block_on(send(sink, parcel))?;
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
        let mut writer = store.writer(&run);
        self.runtime.block_on(async {
            for parcel in &self.waiting {
                write(&mut writer, parcel).await?;
            }
            writer.commit().await
        })?;
        self.waiting.clear();
        Ok(())
    }

    /// Forgets what waits: it will be found again.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// Makes a run visible at once; how many of its rows a server has refused.
    pub(crate) fn commit(self) -> Result<u64, KeeperError> {
        match self.to {
            To::Run(writer) => {
                self.runtime.block_on(writer.commit())?;
                Ok(0)
            }
            To::Replayed(sink) | To::Server(sink) => Ok(sink.counts().dead_letters),
            To::Epochs { .. } => Ok(0),
        }
    }
}

/// Where rows go that a server refuses.
pub(crate) fn dead_letters(home: &Path) -> PathBuf {
    home.join("dead-letters.ndjson")
}

async fn send(sink: &Sink, parcel: &Parcel) -> Result<(), SinkError> {
    match parcel {
        Parcel::Rows(table, rows) => sink.insert(*table, rows).await,
        Parcel::Findings(findings) => sink.findings(findings).await,
    }
}

async fn write(writer: &mut Writer, parcel: &Parcel) -> Result<(), StoreError> {
    match parcel {
        Parcel::Rows(table, rows) => writer.write(*table, rows.clone()).await,
        Parcel::Findings(findings) => writer.findings(findings).await,
    }
}

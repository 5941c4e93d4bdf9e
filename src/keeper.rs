//! The keeper: hands rows and findings to the store, and holds them until it has them.

use crate::back_test::{Ledger, LedgerError};
use crate::cli::Work;
use crate::commands::{Failure, Setting};
use crate::outlets::{self, OutletError, Outlets};
use crate::upkeep::Upkeep;
use arrow::array::RecordBatch;
use detect::Output;
use model::tables::Table;
use model::{Finding, FindingId, Time};
use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::clickhouse::{Client, Counts, Sink, SinkError};
use store::{RunId, Store, StoreError, Writer};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};

/// Batches of rows that may wait while more is judged.
const BEHIND_MAX: usize = 16;
/// Findings whose delay is measured between two looks; of more the rest is not.
const STORED_MAX: usize = 10_000;

/// What is handed over together.
#[derive(Debug)]
enum Parcel {
    Rows(Table, RecordBatch),
    /// Findings, and the times of the events that raised them for the first time during their hour.
    Findings(Vec<Finding>, Vec<Time>),
}

/// How much of what waits a delivery brings to a server before it returns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Delivery {
    /// Findings; rows go beside what is done next.
    Findings,
    /// All of it.
    Whole,
}

/// Rows that are being sent.
#[derive(Debug)]
struct Flight {
    handle: JoinHandle<Result<(), SinkError>>,
    /// What the sink had done before.
    before: Counts,
}

/// Where it goes.
#[derive(Debug)]
enum To {
    /// One run of a directory, visible at its end.
    Run(Writer),
    /// A directory, a run for each epoch.
    Epochs { store: Store, group: String, leader: String, upkeep: Upkeep },
    /// A server.
    Server(Arc<Sink>),
    /// Nowhere: held to be compared.
    Held(Ledger),
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
    /// The service is to stop, and the server did not take everything in time.
    #[error(
        "the store did not take what was found within {} s, and the service stops: the next start finds it again",
        GRACE.as_secs()
    )]
    Stopped,
    /// There is more to be compared than can be held.
    #[error(transparent)]
    Held(#[from] LedgerError),
    /// An outlet failed.
    #[error(transparent)]
    Outlet(#[from] OutletError),
}

impl KeeperError {
    /// Whether it may be tried again: the server cannot be reached, or is too busy.
    pub(crate) const fn is_passing(&self) -> bool {
        match self {
            Self::Server(error) => matches!(error, SinkError::Unavailable { .. }),
            Self::Outlet(error) => error.is_passing(),
            Self::Stopped => true,
            Self::Held(_) => false,
            // Somebody else writes to the directory, and may be asleep.
            Self::Directory(error) => matches!(error, StoreError::Busy(_)),
        }
    }

    /// Whether another process writes the epochs of this group now.
    pub(crate) const fn is_deposed(&self) -> bool {
        matches!(self, Self::Directory(StoreError::Deposed { .. }))
    }
}

/// How long a server is still waited for when the service is to stop.
const GRACE: Duration = Duration::from_secs(4);
/// How often it is looked whether the service is to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the store did with what it was given, of one table.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) inserts: u64,
    pub(crate) rows: u64,
    /// Tries that failed and were followed by another.
    pub(crate) retries: u64,
    /// Inserts that failed at every try.
    pub(crate) failures: u64,
    /// Rows that were set aside.
    pub(crate) dead_letters: u64,
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
    /// Rows on their way to a server: the first of what waits.
    flight: Option<Flight>,
    /// Other ways out, for what the store has.
    outlets: Option<Outlets>,
    /// The ids of what a replay found: a service would find ever more.
    found: BTreeSet<FindingId>,
    /// Everything that was ever found.
    #[cfg(test)]
    pub(crate) seen: Vec<Finding>,
    /// The event times at which findings were raised that the store has had since it was last asked.
    stored: Vec<Time>,
    /// By table, in the order of [`Table::ALL`].
    tallies: [Tally; Table::ALL.len()],
}

impl Parcel {
    /// The table that it goes to, and its rows.
    fn of(&self) -> (Table, u64) {
        match self {
            Self::Rows(table, rows) => (*table, rows.num_rows() as u64),
            Self::Findings(findings, _) => (Table::Findings, findings.len() as u64),
        }
    }
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
        Self::to(To::Run(writer), runtime, inputs)
    }

    fn to(to: To, runtime: Handle, inputs: Vec<String>) -> Self {
        Self {
            to,
            runtime,
            inputs,
            waiting: VecDeque::new(),
            flight: None,
            stored: Vec::new(),
            tallies: Default::default(),
            outlets: None,
            found: BTreeSet::new(),
            #[cfg(test)]
            seen: Vec::new(),
        }
    }

    /// A keeper for one run into a server, with the directory of its dead letters.
    pub(crate) fn replaying(
        client: Client,
        home: &Path,
        runtime: Handle,
        inputs: Vec<String>,
    ) -> Self {
        Self::to(To::Replayed(Sink::new(client, &dead_letters(home))), runtime, inputs)
    }

    /// A keeper that holds what is found to be compared, and writes nothing.
    pub(crate) fn holding(ledger: Ledger, runtime: Handle) -> Self {
        Self::to(To::Held(ledger), runtime, Vec::new())
    }

    /// What such a keeper holds; nothing of any other.
    pub(crate) fn held(self) -> Option<Ledger> {
        match self.to {
            To::Held(ledger) => Some(ledger),
            _ => None,
        }
    }

    /// A keeper for a service, with the key of fingerprints.
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
                To::Server(Arc::new(Sink::new(client, &dead_letters(&home))))
            }
            None => To::Epochs {
                store,
                group: group.to_owned(),
                leader: process_mark(&setting.fresh_key),
                upkeep: Upkeep::new(setting.config.keep),
            },
        };
        let keeper = Self::to(to, runtime, Vec::new());
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

    /// Learns what the inputs are called.
    pub(crate) fn name_inputs(&mut self, inputs: Vec<String>) {
        self.inputs = inputs;
    }

    /// The same keeper, with other ways out.
    pub(crate) fn with_outlets(self, outlets: Outlets) -> Self {
        Self { outlets: Some(outlets), ..self }
    }

    /// Keeps what the engine put out.
    pub(crate) fn keep(&mut self, output: Output) -> Result<(), KeeperError> {
        for rows in output.windows {
            self.rows(Table::Windows, rows)?;
        }
        if let Some(rows) = output.incidents {
            self.rows(Table::Incidents, rows)?;
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
        if matches!(self.to, To::Run(_) | To::Replayed(_)) {
            self.found.extend(findings.iter().map(|finding| finding.id));
        }
        #[cfg(test)]
        self.seen.extend_from_slice(&findings);
        self.take(Parcel::Findings(findings, raised))
    }

    /// Keeps rows of a table.
    pub(crate) fn rows(&mut self, table: Table, rows: RecordBatch) -> Result<(), KeeperError> {
        self.take(Parcel::Rows(table, rows))
    }

    fn take(&mut self, parcel: Parcel) -> Result<(), KeeperError> {
        match &mut self.to {
            To::Run(writer) => Ok(self.runtime.block_on(write(writer, &parcel))?),
            To::Replayed(sink) => Ok(self.runtime.block_on(send(sink, &parcel))?),
            To::Held(ledger) => {
                match &parcel {
                    Parcel::Rows(table, rows) => ledger.rows(*table, rows)?,
                    Parcel::Findings(findings, _) => ledger.findings(findings)?,
                }
                Ok(())
            }
            To::Epochs { .. } | To::Server(_) => {
                self.waiting.push_back(parcel);
                Ok(())
            }
        }
    }

    /// What the store did so far, by table in the order of [`Table::ALL`].
    pub(crate) const fn tallies(&self) -> &[Tally] {
        &self.tallies
    }

    /// How many parcels the store does not have yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Hands over to a server what waits, and to the outlets what the store has; what they would not
    /// take waits on. Findings are waited for, and with `how` so are rows. Once `stop` is set the
    /// server is not waited for much longer.
    pub(crate) fn deliver(&mut self, how: Delivery, stop: &AtomicBool) -> Result<(), KeeperError> {
        while let Some(index) = self.next_to_send(how) {
            self.land(stop)?;
            self.send(index, stop)?;
        }
        if self.flight.as_ref().is_some_and(|flight| flight.handle.is_finished()) {
            self.land(stop)?;
        }
        self.take_off();
        match &mut self.outlets {
            Some(outlets) => Ok(outlets.flush()?),
            None => Ok(()),
        }
    }

    /// The place of what is to be sent before anything else is done: findings, or all of it, or what is
    /// more than may wait. Before it, what is on its way must have come down.
    fn next_to_send(&self, how: Delivery) -> Option<usize> {
        if !matches!(self.to, To::Server(_)) || self.waiting.is_empty() {
            return None;
        }
        let findings = self.waiting.iter().position(|it| matches!(it, Parcel::Findings(..)));
        let must = how == Delivery::Whole || self.waiting.len() > BEHIND_MAX;
        // Whatever flies is the first of what waits.
        findings.or_else(|| must.then_some(0))
    }

    /// Sends rows beside everything else: the first of what waits, which stays there meanwhile.
    fn take_off(&mut self) {
        let To::Server(sink) = &self.to else { return };
        let Some(Parcel::Rows(table, rows)) = self.waiting.front() else { return };
        if self.flight.is_none() {
            let (before, table, rows) = (sink.counts(), *table, rows.clone());
            let sink = Arc::clone(sink);
            let handle = self.runtime.spawn(async move { sink.insert(table, &rows).await });
            self.flight = Some(Flight { handle, before });
        }
    }

    /// Waits for what is on its way, if anything is.
    fn land(&mut self, stop: &AtomicBool) -> Result<(), KeeperError> {
        let (To::Server(sink), Some(flight)) = (&self.to, &mut self.flight) else { return Ok(()) };
        let outcome = self.runtime.block_on(async {
            tokio::select! {
                biased;
                outcome = &mut flight.handle => Ok(outcome),
                () = given_up(stop) => Err(KeeperError::Stopped),
            }
        })?;
        let before = flight.before;
        self.flight = None;
        let stopped = |error: JoinError| Err(StoreError::Stopped(error.to_string()).into());
        let outcome = outcome.unwrap_or_else(stopped);
        let after = sink.counts();
        self.note_sent(0, (before, after), outcome)
    }

    /// Sends what waits at a place.
    fn send(&mut self, index: usize, stop: &AtomicBool) -> Result<(), KeeperError> {
        let (To::Server(sink), Some(parcel)) = (&self.to, self.waiting.get(index)) else {
            return Ok(());
        };
        let has_findings = matches!(parcel, Parcel::Findings(..));
        if has_findings {
            crate::hold("inserting");
        }
        let before = sink.counts();
        // An insert that is left half way changes nothing when it is sent again.
        let outcome = self.runtime.block_on(async {
            tokio::select! {
                biased;
                outcome = send(sink, parcel) => Ok(outcome),
                () = given_up(stop) => Err(KeeperError::Stopped),
            }
        })?;
        let after = sink.counts();
        self.note_sent(index, (before, after), outcome)?;
        if has_findings {
            crate::hold("inserted");
        }
        Ok(())
    }

    /// Notes what became of what waits at a place; if the server has it, it waits no more.
    fn note_sent(
        &mut self,
        index: usize,
        (before, after): (Counts, Counts),
        outcome: Result<(), SinkError>,
    ) -> Result<(), KeeperError> {
        let table = self.waiting.get(index).map(|parcel| parcel.of().0);
        if let Some(tally) = table.and_then(|table| self.tallies.get_mut(table as usize)) {
            tally.add(before, after);
            tally.failures += u64::from(outcome.is_err());
        }
        outcome?;
        let Some(parcel) = self.waiting.remove(index) else { return Ok(()) };
        note_stored(&mut self.stored, &parcel);
        if let (Some(outlets), Parcel::Findings(findings, _)) = (&mut self.outlets, parcel) {
            outlets.take(&findings);
        }
        Ok(())
    }

    /// Ends an epoch: a directory makes its rows visible. The outlets have them to deliver then.
    pub(crate) fn seal(&mut self, epoch: u64) -> Result<(), KeeperError> {
        let To::Epochs { store, group, leader, .. } = &self.to else { return Ok(()) };
        if self.waiting.is_empty() {
            return Ok(());
        }
        // An epoch that is judged again after a crash writes the same run again.
        let run = RunId::epoch(group, epoch);
        crate::hold("inserting");
        let mut writer = store.writer(&run).patient().led_by(group, leader);
        self.runtime.block_on(async {
            for parcel in &self.waiting {
                write(&mut writer, parcel).await?;
            }
            writer.commit().await
        })?;
        crate::hold("inserted");
        for parcel in self.waiting.drain(..) {
            note_stored(&mut self.stored, &parcel);
            let (table, rows) = parcel.of();
            if let Some(tally) = self.tallies.get_mut(table as usize) {
                tally.inserts += 1;
                tally.rows += rows;
            }
            if let (Some(outlets), Parcel::Findings(findings, _)) = (&mut self.outlets, parcel) {
                outlets.take(&findings);
            }
        }
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

    /// Makes this process the one that writes epochs; a server needs none to say so, as what is
    /// written there replaces nothing.
    pub(crate) fn lead(&self) -> Result<(), KeeperError> {
        let To::Epochs { store, group, leader, .. } = &self.to else { return Ok(()) };
        Ok(self.runtime.block_on(store.lead(group, leader))?)
    }

    /// The epoch that a service which begins anew goes on from, so that none is written over.
    pub(crate) fn last_epoch(&self) -> Result<u64, KeeperError> {
        let To::Epochs { store, group, .. } = &self.to else { return Ok(0) };
        Ok(self.runtime.block_on(store.last_epoch(group))?)
    }

    /// Looks after a directory between two epochs; the work is done in the background.
    pub(crate) fn tend(&mut self, wall: Time) {
        if let To::Epochs { store, upkeep, .. } = &mut self.to {
            upkeep.turn(store, &self.runtime, wall);
        }
    }

    /// Forgets what waits: it will be found again.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
        if let Some(flight) = self.flight.take() {
            flight.handle.abort();
        }
        if let Some(outlets) = &mut self.outlets {
            outlets.forget();
        }
    }

    /// Ends what runs beside, and says what left by other ways than the store.
    pub(crate) fn close(&mut self) -> outlets::Counts {
        self.outlets.as_mut().map_or_else(outlets::Counts::default, |outlets| {
            outlets.close();
            outlets.counts()
        })
    }

    /// The ids of what a replay has found so far.
    pub(crate) fn take_found(&mut self) -> BTreeSet<FindingId> {
        std::mem::take(&mut self.found)
    }

    /// Makes a run visible at once; how many of its rows a server has refused.
    pub(crate) fn commit(self) -> Result<u64, KeeperError> {
        match self.to {
            To::Run(writer) => {
                self.runtime.block_on(writer.commit())?;
                Ok(0)
            }
            To::Replayed(sink) => Ok(sink.counts().dead_letters),
            To::Server(sink) => Ok(sink.counts().dead_letters),
            To::Epochs { .. } | To::Held(_) => Ok(0),
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
        Parcel::Findings(findings, _) => sink.findings(findings).await,
    }
}

fn note_stored(stored: &mut Vec<Time>, parcel: &Parcel) {
    let Parcel::Findings(_, raised) = parcel else { return };
    let room = STORED_MAX.saturating_sub(stored.len());
    stored.extend(raised.iter().take(room));
}

impl Tally {
    /// Adds what a sink did between two looks at it.
    fn add(&mut self, before: Counts, after: Counts) {
        self.inserts += after.inserts - before.inserts;
        self.rows += after.rows - before.rows;
        self.retries += after.retries - before.retries;
        self.dead_letters += after.dead_letters - before.dead_letters;
    }
}

/// Ends some seconds after the service was told to stop.
async fn given_up(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tokio::time::sleep(GRACE).await;
}

async fn write(writer: &mut Writer, parcel: &Parcel) -> Result<(), StoreError> {
    match parcel {
        Parcel::Rows(table, rows) => writer.write(*table, rows.clone()).await,
        Parcel::Findings(findings, _) => writer.findings(findings).await,
    }
}

/// A name that no other process has; from it nobody learns the randomness.
pub(crate) fn process_mark(randomness: &[u8; 32]) -> String {
    let mark = blake3::Hash::from(blake3::derive_key("habitus leader", randomness));
    mark.to_hex().chars().take(16).collect()
}

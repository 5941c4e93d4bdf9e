//! A writer: the rows of one run, invisible until they are committed together.

use crate::directory::in_background;
use crate::encode::{Encoder, Staged};
use crate::error::StoreError;
use crate::group::Group;
use crate::layout::RunId;
use crate::lock::Lock;
use crate::manifest::Manifest;
use crate::{finding, publish};
use arrow::array::RecordBatch;
use model::Finding;
use model::tables::Table;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::{JoinHandle, spawn_blocking};

/// Findings turned into rows at once: their texts are copied.
const FINDINGS_MAX: usize = 1024;

/// Writes one run.
///
/// Each table holds back the rows of one row group (64 MiB at most) and encodes the one before on
/// another thread, so that writing and computing overlap. Dropping a writer forgets its run; the
/// next writer removes what it had staged.
#[derive(Debug)]
#[must_use = "nothing of a run is visible before it is committed"]
pub struct Writer {
    dir: PathBuf,
    run: RunId,
    /// Taken by the first write, and from then on held until the writer and its tasks are gone.
    lock: Option<Arc<Lock>>,
    stages: [Option<Stage>; Table::ALL.len()],
    state: State,
    is_alone: bool,
    is_patient: bool,
    /// A group and who must lead it when the run is committed.
    pub(crate) leader: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Whole,
    /// A write failed or was cancelled half way: rows are missing.
    Broken,
}

/// What a commit made visible.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Written {
    tables: [Count; Table::ALL.len()],
}

/// Rows, files and bytes of one table or of all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Count {
    /// Rows.
    pub rows: u64,
    /// Files.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
}

impl Written {
    /// What was written of one table.
    pub const fn of(&self, table: Table) -> Count {
        self.tables[table as usize]
    }

    /// What was written of all tables.
    pub fn total(&self) -> Count {
        self.tables.iter().fold(Count::default(), |sum, it| Count {
            rows: sum.rows + it.rows,
            files: sum.files + it.files,
            bytes: sum.bytes + it.bytes,
        })
    }

    fn count(staged: &[Staged]) -> Self {
        let mut written = Self::default();
        for file in staged {
            let count = &mut written.tables[file.table as usize];
            count.rows += file.listed.rows;
            count.files += 1;
            count.bytes += file.listed.bytes;
        }
        written
    }
}

impl Writer {
    pub(crate) fn new(dir: &Path, run: &RunId) -> Self {
        Self {
            dir: dir.to_owned(),
            run: run.clone(),
            lock: None,
            stages: [const { None }; Table::ALL.len()],
            state: State::Whole,
            is_alone: false,
            is_patient: false,
            leader: None,
        }
    }

    /// A writer of one of several runs that are committed together, by whoever holds the lock.
    pub(crate) fn under(dir: &Path, run: &RunId, lock: Arc<Lock>) -> Self {
        Self { lock: Some(lock), ..Self::new(dir, run) }
    }

    /// Encodes on the thread that writes, for whoever wants one thread to do all the work.
    pub fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }

    /// Waits up to 5 s for another writer, such as a compaction.
    pub fn patient(mut self) -> Self {
        self.is_patient = true;
        self
    }

    /// Adds rows to a table. The batch's columns must be those of [`Table::schema`].
    ///
    /// How rows are batched does not matter: the files come out the same. After an error the run is
    /// incomplete, and neither more writes nor a commit are accepted.
    pub async fn write(&mut self, table: Table, batch: RecordBatch) -> Result<(), StoreError> {
        if self.state == State::Broken {
            return Err(StoreError::Broken);
        }
        // Stays so if this future is dropped at an await.
        self.state = State::Broken;
        let mut rest = with_schema(table, &batch)?;
        let stage = self.stage(table).await?;
        while rest.num_rows() > 0 {
            let full = stage.group.fill(&mut rest);
            let full = full.map_err(|e| StoreError::Encode { table, what: e.to_string() })?;
            if let Some(pieces) = full {
                stage.encode(pieces).await?;
            }
        }
        self.state = State::Whole;
        Ok(())
    }

    /// Adds findings, every revision as it comes; texts of more than 16 KiB are cut.
    pub async fn findings(&mut self, findings: &[Finding]) -> Result<(), StoreError> {
        for some in findings.chunks(FINDINGS_MAX) {
            self.write(Table::Findings, finding::rows(some)?).await?;
        }
        Ok(())
    }

    /// Makes the run visible, all tables at once, in place of what it had before.
    ///
    /// When this returns, the run is on the disk and survives a crash of the machine.
    pub async fn commit(mut self) -> Result<Written, StoreError> {
        let staged = self.finish().await?;
        let written = Written::count(&staged);
        let lock = self.lock().await?;
        let (dir, run, leader) = (self.dir.clone(), self.run.clone(), self.leader.take());
        in_background(move || {
            let _held_to_the_last_step = lock;
            if let Some((group, leader)) = leader {
                let manifest = Manifest::read(&dir)?.unwrap_or_else(Manifest::empty);
                if !manifest.is_led_by(&group, &leader) {
                    return Err(StoreError::Deposed { dir, group });
                }
            }
            publish::plan(&dir, &run, &staged)?.iter().try_for_each(|step| step.take(&dir))
        })
        .await?;
        Ok(written)
    }

    /// Encodes what is left; the files are whole and still staged.
    pub(crate) async fn finish(&mut self) -> Result<Vec<Staged>, StoreError> {
        if self.state == State::Broken {
            return Err(StoreError::Broken);
        }
        self.state = State::Broken;
        let mut stages = std::mem::take(&mut self.stages);
        // All tables start their last group before the first is waited for.
        for stage in stages.iter_mut().flatten() {
            let pieces = stage.group.take();
            stage.encode(pieces).await?;
        }
        let mut staged = Vec::new();
        for stage in stages.into_iter().flatten() {
            let encoder = stage.encoding.join().await?;
            staged.extend(in_background(move || encoder.finish()).await?);
        }
        Ok(staged)
    }

    /// Takes the lock now, and removes what a crash left.
    pub(crate) async fn hold(&mut self) -> Result<(), StoreError> {
        self.lock().await.map(drop)
    }

    async fn stage(&mut self, table: Table) -> Result<&mut Stage, StoreError> {
        let lock = self.lock().await?;
        let (dir, run, is_alone) = (&self.dir, &self.run, self.is_alone);
        Ok(self.stages[table as usize].get_or_insert_with(|| {
            let encoder = Encoder::new(dir.clone(), run.clone(), table, lock);
            let encoding = Encoding::Idle(Box::new(encoder));
            Stage { group: Group::of(table), encoding, is_alone }
        }))
    }

    async fn lock(&mut self) -> Result<Arc<Lock>, StoreError> {
        if let Some(lock) = &self.lock {
            return Ok(Arc::clone(lock));
        }
        let (dir, is_patient) = (self.dir.clone(), self.is_patient);
        let lock = in_background(move || {
            let lock = if is_patient { Lock::patient_writer(&dir)? } else { Lock::writer(&dir)? };
            publish::clear(&dir)?;
            Ok(Arc::new(lock))
        });
        Ok(Arc::clone(self.lock.insert(lock.await?)))
    }
}

/// One table on its way: a row group that fills, and one that is encoded meanwhile.
#[derive(Debug)]
struct Stage {
    group: Group,
    encoding: Encoding,
    is_alone: bool,
}

#[derive(Debug)]
enum Encoding {
    Idle(Box<Encoder>),
    Busy(JoinHandle<Result<Box<Encoder>, StoreError>>),
    /// An earlier group failed.
    Lost,
}

impl Stage {
    /// Waits for the group before, and starts this one.
    async fn encode(&mut self, pieces: Vec<RecordBatch>) -> Result<(), StoreError> {
        let before = std::mem::replace(&mut self.encoding, Encoding::Lost);
        let mut encoder = before.join().await?;
        if self.is_alone {
            encoder.append(&pieces)?;
            self.encoding = Encoding::Idle(encoder);
            return Ok(());
        }
        // Encoding is all computation: on an async worker it would hold up every other task.
        self.encoding = Encoding::Busy(spawn_blocking(move || {
            encoder.append(&pieces)?;
            Ok(encoder)
        }));
        Ok(())
    }
}

impl Encoding {
    async fn join(self) -> Result<Box<Encoder>, StoreError> {
        match self {
            Self::Idle(encoder) => Ok(encoder),
            Self::Busy(task) => {
                task.await.map_err(|error| StoreError::Stopped(error.to_string()))?
            }
            Self::Lost => Err(StoreError::Broken),
        }
    }
}

/// The batch under the table's own schema, if its columns are the table's.
fn with_schema(table: Table, batch: &RecordBatch) -> Result<RecordBatch, StoreError> {
    let schema = table.schema();
    let refused = |what: String| StoreError::Schema { table, what };
    let (given, wanted) = (batch.schema(), schema.fields());
    if given.fields().len() != wanted.len() {
        return Err(refused(format!("{} columns, not {}", given.fields().len(), wanted.len())));
    }
    for (given, wanted) in given.fields().iter().zip(wanted) {
        if given.name() != wanted.name() || given.data_type() != wanted.data_type() {
            let (given, wanted) = (column(given), column(wanted));
            return Err(refused(format!("column {given} where {wanted} belongs")));
        }
    }
    let columns = batch.columns().to_vec();
    // This also refuses NULL where the table has none.
    RecordBatch::try_new(schema, columns).map_err(|error| refused(error.to_string()))
}

fn column(field: &arrow::datatypes::Field) -> String {
    format!("`{}` ({})", field.name(), field.data_type())
}

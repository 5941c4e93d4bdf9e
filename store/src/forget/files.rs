//! Forgetting in a directory: the files that hold somebody are written again, and replaced at once.

use crate::directory::{Store, in_background};
use crate::encode::Staged;
use crate::error::StoreError;
use crate::forget::{Erased, Forgetting, audit_row, sorted};
use crate::layout::{self, RunId};
use crate::lock::Lock;
use crate::manifest::{Listed, Manifest};
use crate::publish::{self, Step};
use crate::writer::Writer;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use model::mention::Mentions;
use model::tables::Table;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// How often a writer or a reader is waited for, and the time between.
const TRIES_MAX: u32 = 150;
const PAUSE: Duration = Duration::from_millis(200);

/// Everything that a forgetting does, before it does it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) erased: Vec<Erased>,
    pub(crate) steps: Vec<Step>,
    /// Held to the last step.
    pub(crate) lock: Arc<Lock>,
}

impl Store {
    /// What forgetting would do; nothing is changed.
    pub async fn count_forgotten(&self, who: &Forgetting) -> Result<Vec<Erased>, StoreError> {
        let (manifest, _lock) = self.visible().await?;
        let (dir, who) = (self.dir().to_owned(), who.clone());
        in_background(move || {
            let mentions = who.mentions();
            let mut erased = Vec::new();
            for table in tables() {
                let mut sum = Erased::nothing(table.as_str());
                for file in manifest.files(table) {
                    sum.merge(count(&dir, table, file, &who, &mentions)?);
                }
                erased.push(sum);
            }
            Ok(erased)
        })
        .await
    }

    /// Forgets: every file with rows of it or a text that names it is written again without them,
    /// all of them become visible at once with a row of `audit`, and the old ones are removed.
    ///
    /// Waits half a minute for a writer, and as long for readers of the old files. A crash leaves
    /// the old state or the new one; files of the old one go with the next commit or the next
    /// forgetting.
    pub async fn forget(&self, who: &Forgetting) -> Result<Vec<Erased>, StoreError> {
        let Plan { erased, steps, lock } = self.plan_to_forget(who).await?;
        let dir = self.dir().to_owned();
        in_background(move || {
            let _held_to_the_last_step = lock;
            steps.iter().try_for_each(|step| step.take(&dir))
        })
        .await?;
        self.sweep().await?;
        Ok(erased)
    }

    /// Removes what no manifest names, such as files that a reader or a crash kept.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let lock = self.wait_to_write().await?;
        for _ in 0..TRIES_MAX {
            let dir = self.dir().to_owned();
            if in_background(move || publish::sweep(&dir)).await? {
                drop(lock);
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        Err(StoreError::Readers(self.dir().to_owned()))
    }

    pub(crate) async fn plan_to_forget(&self, who: &Forgetting) -> Result<Plan, StoreError> {
        let lock = self.wait_to_write().await?;
        let dir = self.dir();
        publish::clear(dir)?;
        let old = Manifest::read(dir)?.ok_or_else(|| StoreError::Missing(dir.to_owned()))?;
        let mentions = who.mentions();
        let mut erased: Vec<_> = tables().map(|table| Erased::nothing(table.as_str())).collect();
        let (mut new, mut staged) = (old.clone(), Vec::new());
        for (run, table) in old.parts() {
            let files = old.files_of(&run, table);
            let mut sum = Erased::nothing(table.as_str());
            for file in files {
                sum.merge(count(dir, table, file, who, &mentions)?);
            }
            if let Some(total) = erased.iter_mut().find(|it| it.table == sum.table) {
                total.merge(sum);
            }
            if sum.removed + sum.changed > 0 {
                let mut writer = Writer::under(dir, &run, Arc::clone(&lock));
                for file in files {
                    rewrite(dir, table, file, (who, &mentions), &mut writer).await?;
                }
                let whole = writer.finish().await?;
                new = new.with_table(&run, table, whole.iter().map(|it| it.listed.clone()));
                staged.extend(whole);
            }
        }
        let (run, rows) = self.audited(who, &erased, &lock).await?;
        new = new.with_table(&run, Table::Audit, rows.iter().map(|it| it.listed.clone()));
        staged.extend(rows);
        let steps = publish::steps(dir, new, &staged)?;
        Ok(Plan { erased, steps, lock })
    }

    /// The row of the audit, staged under a run of its own.
    async fn audited(
        &self,
        who: &Forgetting,
        erased: &[Erased],
        lock: &Arc<Lock>,
    ) -> Result<(RunId, Vec<Staged>), StoreError> {
        let row = audit_row(who, &self.key(), erased)?;
        let said = format!("forget {} {}", who.at.ns(), super::fingerprint(&self.key(), &who.id));
        let name = blake3::hash(said.as_bytes()).to_hex().chars().take(16).collect::<String>();
        let run = RunId::new(&name)?;
        let mut writer = Writer::under(self.dir(), &run, Arc::clone(lock));
        writer.write(Table::Audit, row).await?;
        Ok((run, writer.finish().await?))
    }

    /// The writer's lock, after whoever commits right now: a service does so every few seconds.
    pub(crate) async fn wait_to_write(&self) -> Result<Arc<Lock>, StoreError> {
        let mut tries = 0;
        loop {
            let dir = self.dir().to_owned();
            match in_background(move || Lock::writer(&dir)).await {
                Err(StoreError::Busy(_)) if tries < TRIES_MAX => sleep(PAUSE).await,
                lock => return Ok(Arc::new(lock?)),
            }
            tries += 1;
        }
    }
}

impl Erased {
    fn merge(&mut self, other: Self) {
        self.removed += other.removed;
        self.changed += other.changed;
        self.left += other.left;
    }
}

/// The tables that may hold somebody; what inputs are called is the operator's own.
fn tables() -> impl Iterator<Item = Table> {
    let holds = |table: &Table| !matches!(table, Table::Audit | Table::PipelineHealth);
    Table::ALL.into_iter().filter(holds)
}

/// The batches of a file.
fn read(
    dir: &Path,
    table: Table,
    file: &Listed,
) -> Result<impl Iterator<Item = Result<arrow::array::RecordBatch, StoreError>>, StoreError> {
    let path = layout::table_dir(dir, table).join(&file.name);
    let damaged = {
        let path = path.clone();
        move |what: String| StoreError::Damaged { path: path.clone(), what }
    };
    let open = File::open(&path).map_err(StoreError::io("reading", &path))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(open)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|error| damaged(error.to_string()))?;
    Ok(reader.map(move |batch| batch.map_err(|error| damaged(error.to_string()))))
}

fn count(
    dir: &Path,
    table: Table,
    file: &Listed,
    who: &Forgetting,
    mentions: &Mentions,
) -> Result<Erased, StoreError> {
    let mut sum = Erased::nothing(table.as_str());
    for batch in read(dir, table, file)? {
        let sorted = sorted(table, &batch?, who, mentions);
        sum.add(&sorted.map_err(|e| StoreError::Encode { table, what: e.to_string() })?);
    }
    Ok(sum)
}

async fn rewrite(
    dir: &Path,
    table: Table,
    file: &Listed,
    (who, mentions): (&Forgetting, &Mentions),
    writer: &mut Writer,
) -> Result<(), StoreError> {
    for batch in read(dir, table, file)? {
        let sorted = sorted(table, &batch?, who, mentions);
        let sorted = sorted.map_err(|e| StoreError::Encode { table, what: e.to_string() })?;
        writer.write(table, sorted.rows).await?;
    }
    Ok(())
}

//! Compaction: many small runs of a service become few large ones, and what is too old goes.
//!
//! Only runs are merged that no service will write again: those whose epoch lies far behind the
//! latest of their group. The answer of every view stays the same; of a finding the revision stays
//! that `findings_current` shows, of rows that are alike one, of an identity or endpoint the latest
//! state.

use crate::directory::{Store, in_background};
use crate::encode::Staged;
use crate::error::StoreError;
use crate::layout::{self, RunId};
use crate::lock::Lock;
use crate::manifest::{Files, Listed, Manifest};
use crate::writer::Writer;
use crate::{publish, query};
use futures::StreamExt as _;
use model::tables::Table;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Epochs behind a group's latest that a service may still write again: more than the checkpoints
/// that it keeps reach back.
pub const EPOCHS_OPEN: u64 = 64;
/// Runs of about the same size that are merged, once there are so many.
const FAN_IN: usize = 8;
/// Runs that are merged together.
const MERGE_RUNS_MAX: usize = 64;
/// Rows that are merged together; a run that has so many is large enough.
const MERGE_ROWS_MAX: u64 = 1024 * 1024;
/// Bytes of files that are merged together.
const MERGE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Bytes that a merge may work with; a sort beyond it spills to disk.
const WORK_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Rows are merged with those that were written in the same span only, so that they go in time.
const SPAN_S: u64 = 7 * DAY_S;
const DAY_S: u64 = 86_400;
/// Days that rows about the pipeline itself stay, as on a server; nobody asks for older ones.
const HEALTH_DAYS: u32 = 30;

/// How many days rows stay after they were written; 0 for ever.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// Findings.
    pub findings_days: u32,
    /// Signals.
    pub signals_days: u32,
    /// Windows, and operations.
    pub windows_days: u32,
    /// Identities and endpoints, after they were last seen.
    pub states_days: u32,
}

impl Default for Keep {
    fn default() -> Self {
        // As ClickHouse's tables have it.
        Self { findings_days: 400, signals_days: 400, windows_days: 400, states_days: 400 }
    }
}

impl Keep {
    /// Days that the rows of a table stay, 0 for ever.
    pub const fn days(&self, table: Table) -> u32 {
        match table {
            Table::Findings | Table::Incidents => self.findings_days,
            Table::Signals => self.signals_days,
            Table::Windows | Table::Operations => self.windows_days,
            Table::Identities | Table::Endpoints => self.states_days,
            // What people did and said is never too old.
            Table::Audit | Table::Feedback => 0,
            Table::PipelineHealth => HEALTH_DAYS,
        }
    }
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Compacted {
    /// Runs that were merged into one.
    pub merged: usize,
    /// Files that were too old.
    pub expired: usize,
}

impl Compacted {
    /// Whether there was nothing to do.
    pub const fn is_nothing(&self) -> bool {
        self.merged == 0 && self.expired == 0
    }
}

/// What is to be done, worked out from one state of the store.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Runs that become one.
    runs: Vec<RunId>,
    /// The one.
    into: Option<RunId>,
    /// Runs whose states go into it, the latest of each.
    states: Vec<RunId>,
    /// When the newest of their rows was written.
    written: Option<SystemTime>,
    /// Names of files that are too old.
    pub(crate) expired: Vec<String>,
}

impl Store {
    /// Merges some runs into one, and removes what is too old at `now`; nothing if there is no need.
    ///
    /// Rows are written beside the store without its lock, which is then held for as long as it
    /// takes to replace the manifest. With `all` two runs are enough to be merged.
    ///
    /// # Errors
    ///
    /// Somebody else compacts, somebody writes for more than 5 s, or the disk fails. The store is
    /// as it was.
    pub async fn compact(
        &self,
        keep: Keep,
        now: SystemTime,
        all: bool,
    ) -> Result<Compacted, StoreError> {
        let steps = self.prepare(keep, now, all).await?;
        let Some(Prepared { plan, writer, staged }) = steps else {
            return Ok(Compacted::default());
        };
        let done = Compacted { merged: plan.runs.len(), expired: plan.expired.len() };
        let dir = self.dir().to_owned();
        in_background(move || {
            let _lock = Lock::patient_writer(&dir)?;
            publish(&dir, &plan, &staged)?.iter().try_for_each(|step| step.take(&dir))?;
            // Only now may another compaction begin.
            drop(writer);
            Ok(())
        })
        .await?;
        Ok(done)
    }

    /// Everything but the publication.
    pub(crate) async fn prepare(
        &self,
        keep: Keep,
        now: SystemTime,
        all: bool,
    ) -> Result<Option<Prepared>, StoreError> {
        // Held to the end: the files that are merged stay where they are.
        let (manifest, reading) = self.visible().await?;
        let dir = self.dir().to_owned();
        let listed = manifest.clone();
        let fan_in = if all { 2 } else { FAN_IN };
        let plan = in_background(move || plan(&dir, &listed, keep, now, fan_in)).await?;
        let Some(into) = plan.into.clone() else {
            let is_needed = !plan.expired.is_empty();
            let none = Prepared { plan, writer: None, staged: Vec::new() };
            return Ok(is_needed.then_some(none));
        };
        let beside = self.dir().join(layout::COMPACTING);
        fs::create_dir_all(&beside).map_err(StoreError::io("creating", &beside))?;
        let mut writer = Writer::new(&beside, &into).alone();
        writer.hold().await?;
        let small = self.with_runtime(query::runtime(self.dir(), WORK_BYTES_MAX)?);
        let (rows, states) = (manifest.only(&plan.runs), manifest.only(&plan.states));
        let written = plan.written;
        let (writer, staged) = query::on_deep_stacks(async move {
            for table in Table::ALL {
                let from = if is_state(table) { &states } else { &rows };
                if from.files(table).next().is_none() {
                    continue;
                }
                let mut batches = small.stream(from, &merging(table, keep)).await?;
                while let Some(batch) = batches.next().await {
                    writer.write(table, batch.map_err(query::failed)?).await?;
                }
            }
            let staged = writer.finish().await?;
            Ok((writer, staged))
        })
        .await?;
        drop(reading);
        date(&staged, written)?;
        Ok(Some(Prepared { plan, writer: Some(writer), staged }))
    }

    /// The highest epoch of a service's group that the store has rows of; 0 if there is none.
    pub async fn last_epoch(&self, group: &str) -> Result<u64, StoreError> {
        let (manifest, _lock) = self.visible().await?;
        let own = layout::Span::of(RunId::epoch(group, 0).as_str()).map(|it| it.group);
        let spans = manifest.names().filter_map(layout::Span::of);
        let own = spans.filter(|span| Some(&span.group) == own.as_ref());
        Ok(own.map(|span| span.to).max().unwrap_or(0))
    }
}

/// A merged run that is whole and not visible yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    /// Holds the lock of compaction.
    pub(crate) writer: Option<Writer>,
    pub(crate) staged: Vec<Staged>,
}

/// The steps that put the merged run in place of those that it was made of.
pub(crate) fn publish(
    dir: &Path,
    plan: &Plan,
    staged: &[Staged],
) -> Result<Vec<publish::Step>, StoreError> {
    publish::change(dir, staged, |manifest, files| {
        let gone = |run: &RunId| !manifest.has(run);
        if plan.runs.iter().chain(&plan.states).any(gone) {
            // Somebody else merged or replaced them: what was made of them is not used.
            return manifest;
        }
        manifest.compacted(plan, files)
    })
}

impl Manifest {
    /// This manifest after a compaction.
    fn compacted(mut self, plan: &Plan, files: Files) -> Self {
        for run in &plan.runs {
            self.remove(run);
        }
        for run in &plan.states {
            self.retain(run, |table, _| !is_state_name(table));
        }
        if let Some(into) = &plan.into {
            self = self.with_run(into, files);
        }
        if !plan.expired.is_empty() {
            let names: Vec<_> = self.names().map(str::to_owned).collect();
            for name in names.iter().filter_map(|name| RunId::new(name).ok()) {
                self.retain(&name, |_, file| !plan.expired.contains(&file.name));
            }
        }
        self
    }
}

/// What there is to do.
fn plan(
    dir: &Path,
    manifest: &Manifest,
    keep: Keep,
    now: SystemTime,
    fan_in: usize,
) -> Result<Plan, StoreError> {
    let mut plan = Plan { expired: expired(dir, manifest, keep, now)?, ..Plan::default() };
    let mut settled: Vec<(layout::Span, RunId)> = Vec::new();
    for name in manifest.names() {
        if let (Some(span), Ok(run)) = (layout::Span::of(name), RunId::new(name)) {
            settled.push((span, run));
        }
    }
    let latest =
        |group: &str| settled.iter().filter(|it| it.0.group == group).map(|it| it.0.to).max();
    let is_settled =
        |span: &layout::Span| latest(&span.group).is_some_and(|it| span.to + EPOCHS_OPEN <= it);
    let mut settled: Vec<_> = settled.iter().filter(|it| is_settled(&it.0)).cloned().collect();
    settled.sort();
    let mut runs = Vec::new();
    for (span, run) in settled {
        let files = manifest.run(&run);
        let written = written(dir, files)?;
        let (rows, bytes) = sizes(files);
        runs.push(Candidate { span, run, rows, bytes, written });
    }
    let Some(chosen) = choose(&runs, fan_in) else { return Ok(plan) };
    let (Some(first), Some(last)) = (chosen.first(), chosen.last()) else { return Ok(plan) };
    plan.into = Some(RunId::merged(&first.span.group, first.span.from, last.span.to)?);
    plan.written = chosen.iter().filter_map(|it| it.written).max();
    plan.runs = chosen.iter().map(|it| it.run.clone()).collect();
    let same = runs.iter().filter(|it| it.span.group == first.span.group);
    plan.states = same.map(|it| it.run.clone()).collect();
    Ok(plan)
}

/// A run that may be merged.
#[derive(Clone, Debug)]
struct Candidate {
    span: layout::Span,
    run: RunId,
    rows: u64,
    bytes: u64,
    written: Option<SystemTime>,
}

impl Candidate {
    /// Runs of one tier differ by less than eight times in their rows.
    fn tier(&self) -> u32 {
        self.rows.max(1).ilog2() / 3
    }

    fn week(&self) -> Option<u64> {
        let written = self.written?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(written.as_secs() / SPAN_S)
    }
}

/// Neighbours of about the same size, the smallest first.
fn choose(runs: &[Candidate], fan_in: usize) -> Option<&[Candidate]> {
    for tier in 0..=MERGE_ROWS_MAX.ilog2() / 3 {
        let fits = |it: &Candidate| it.tier() <= tier && it.rows < MERGE_ROWS_MAX;
        let mut at = 0;
        while let Some(first) = runs.get(at) {
            let (mut len, mut rows, mut bytes) = (0, 0, 0);
            for it in runs.get(at..).unwrap_or_default() {
                rows += it.rows;
                bytes += it.bytes;
                let is_same = it.span.group == first.span.group && it.week() == first.week();
                let is_much = rows > MERGE_ROWS_MAX || bytes > MERGE_BYTES_MAX;
                if !fits(it) || !is_same || is_much || len >= MERGE_RUNS_MAX {
                    break;
                }
                len += 1;
            }
            if len >= fan_in {
                return runs.get(at..at + len);
            }
            at += len.max(1);
        }
    }
    None
}

/// Rows that are not states, and bytes, of a run.
fn sizes(files: &Files) -> (u64, u64) {
    let each = files.iter().filter(|(table, _)| !is_state_name(table)).flat_map(|(_, it)| it);
    each.fold((0, 0), |(rows, bytes), file| (rows + file.rows, bytes + file.bytes))
}

/// When the newest file of a run was written.
fn written(dir: &Path, files: &Files) -> Result<Option<SystemTime>, StoreError> {
    let mut newest = None;
    for table in Table::ALL {
        for file in files.get(table.as_str()).into_iter().flatten() {
            newest = newest.max(Some(modified(dir, table, file)?));
        }
    }
    Ok(newest)
}

fn modified(dir: &Path, table: Table, file: &Listed) -> Result<SystemTime, StoreError> {
    let path = layout::table_dir(dir, table).join(&file.name);
    let modified = fs::metadata(&path).and_then(|it| it.modified());
    modified.map_err(StoreError::io("reading", &path))
}

/// Files all of whose rows were written too long ago, of any run.
fn expired(
    dir: &Path,
    manifest: &Manifest,
    keep: Keep,
    now: SystemTime,
) -> Result<Vec<String>, StoreError> {
    let mut expired = Vec::new();
    for table in Table::ALL {
        let kept = Duration::from_secs(u64::from(keep.days(table)) * DAY_S);
        if kept.is_zero() {
            continue;
        }
        for file in manifest.files(table) {
            let age = now.duration_since(modified(dir, table, file)?).unwrap_or_default();
            if age > kept {
                expired.push(file.name.clone());
            }
        }
    }
    Ok(expired)
}

/// The merged files are as old as the newest of those that they were made of.
fn date(staged: &[Staged], written: Option<SystemTime>) -> Result<(), StoreError> {
    let Some(written) = written else { return Ok(()) };
    for file in staged.iter().filter(|file| !is_state(file.table)) {
        let set = File::open(&file.path).and_then(|it| it.set_modified(written));
        set.map_err(StoreError::io("dating", &file.path))?;
    }
    Ok(())
}

const fn is_state(table: Table) -> bool {
    matches!(table, Table::Identities | Table::Endpoints)
}

fn is_state_name(table: &str) -> bool {
    Table::ALL.iter().any(|it| is_state(*it) && it.as_str() == table)
}

/// The question whose answer is the merged table, in the order that readers want and whole, so that
/// equal rows leave equal bytes.
fn merging(table: Table, keep: Keep) -> String {
    let first: &[&str] = match table {
        Table::Findings => &["window_start", "tenant_id", "principal_id", "finding_id"],
        Table::Incidents => &["first_detected_at", "tenant_id", "incident_id"],
        Table::Signals => &["window_start", "tenant_id", "principal_id", "detector", "entity"],
        Table::Windows => &["window_start", "tenant_id", "principal_id"],
        Table::Operations => &["day_start", "tenant_id", "principal_id", "endpoint"],
        Table::Identities => &["tenant_id", "principal_id"],
        Table::Endpoints => &["endpoint"],
        Table::PipelineHealth => &["at", "app", "topic", "partition", "offset"],
        Table::Audit | Table::Feedback => &[],
    };
    let schema = table.schema();
    let all = || schema.fields().iter().map(|field| field.name().as_str());
    let order = first.iter().copied().chain(all().filter(|name| !first.contains(name)));
    // In quotes, as `offset` is a word of SQL.
    let quoted = |name: &str| format!("\"{name}\"");
    let columns = all().map(quoted).collect::<Vec<_>>().join(", ");
    let order = order.map(quoted).collect::<Vec<_>>().join(", ");
    let name = table.as_str();
    match table {
        Table::Findings => format!("SELECT {columns} FROM findings_latest ORDER BY {order}"),
        Table::Incidents => format!("SELECT {columns} FROM incidents_current ORDER BY {order}"),
        Table::Signals
        | Table::Windows
        | Table::Audit
        | Table::Feedback
        | Table::Operations
        | Table::PipelineHealth => {
            format!("SELECT DISTINCT {columns} FROM {name} ORDER BY {order}")
        }
        Table::Identities | Table::Endpoints => {
            // A service states again what was not seen since. Of endpoints no row says when; their
            // counts only grow, so that of two states of one instant the later has more of them.
            let times = ["last_seen", "stated_at", "requests"];
            let later: Vec<_> = times
                .into_iter()
                .filter(|it| all().any(|column| column == *it))
                .chain(all().filter(|it| !first.contains(it) && !times.contains(it)))
                .map(|column| format!("{column} DESC"))
                .collect();
            let days = keep.states_days;
            let seen = if days == 0 {
                String::new()
            } else {
                format!(
                    " AND last_seen >= (SELECT max(last_seen) FROM {name}) - INTERVAL '{days} days'"
                )
            };
            format!(
                "SELECT {columns} FROM (SELECT *, row_number() OVER (PARTITION BY {keys} \
                 ORDER BY {later}) AS place FROM {name}) WHERE place = 1{seen} ORDER BY {order}",
                keys = first.join(", "),
                later = later.join(", "),
            )
        }
    }
}

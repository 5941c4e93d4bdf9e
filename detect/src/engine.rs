//! The engine: partitions, what they share, and the exchange between them at hour boundaries.

mod forget;
mod state;

pub use forget::Gone;
pub use state::{Extent, StatePart};

use crate::calibration::Calibration;
use crate::classes::ClassTable;
use crate::detectors::{View, dormant};
use crate::identity::Identity;
use crate::models::features::{self, FEATURES};
use crate::models::joint::JointModel;
use crate::models::peer_groups::{self, PeerGroups};
use crate::models::{Models, joint};
use crate::open_window::OpenWindow;
use crate::partition::{self, Item, Partition};
use crate::population::{Breadths, Population};
use crate::rows::Rows;
use crate::settings::Plan;
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use model::limit::PARTITIONS;
use model::tables::Table;
use model::time::{NS_PER_D, NS_PER_H};
use model::{Detector, Endpoints, Finding, Time};
use ndarray::Array2;

/// Rows that a partition gathers before they leave it.
const ROWS_MIN: usize = 4_096;
/// Seed of every fitted model.
const SEED: u64 = 0x6861_6269_7475_7301;
/// Hours after the start at which models are fitted first; then at the end of every UTC day.
const FIRST_FITS_H: [i64; 1] = [12];

/// What one partition needs of the rest, for one hour.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) endpoints: &'a Endpoints,
    pub(crate) population: &'a Population,
    pub(crate) calibration: &'a Calibration,
    pub(crate) models: &'a Models,
    pub(crate) classes: &'a ClassTable,
    pub(crate) hour: Time,
    /// Hours with a log before this one.
    pub(crate) logged_h: u32,
    pub(crate) cut: f64,
}

impl<'a> Context<'a> {
    pub(crate) fn view<'b>(&self, identity: &'b Identity, open: &'b OpenWindow) -> View<'b>
    where
        'a: 'b,
    {
        partition::view_of(self, identity, open)
    }
}

/// What left the engine: rows and findings, in an order that does not depend on threads.
#[derive(Debug, Default)]
pub struct Output {
    /// Rows of `windows`.
    pub windows: Vec<RecordBatch>,
    /// Rows of `signals`.
    pub signals: Vec<RecordBatch>,
    /// Findings, each revision.
    pub findings: Vec<Finding>,
}

/// What the engine counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Identities with state.
    pub identities: u64,
    /// Windows closed.
    pub windows: u64,
    /// Calls of identities beyond the memory budget, counted under one overflow identity each.
    pub overflowed_calls: u64,
    /// Bytes of state, estimated.
    pub state_bytes: u64,
}

/// A unit of work on one partition, to be run on any thread.
#[derive(Debug)]
pub struct Task<'a> {
    partition: &'a mut Partition,
    context: Context<'a>,
    items: &'a [Item<'a>],
    closes: bool,
}

impl Task<'_> {
    /// Does the work.
    pub fn run(self) {
        self.partition.process(&self.context, self.items);
        if self.closes {
            self.partition.close(&self.context);
        }
    }
}

/// What the open hour rests on, beside the partitions: which are borrowed apart from it.
macro_rules! context {
    ($engine:ident, $endpoints:ident) => {
        Context {
            plan: &$engine.plan,
            endpoints: $endpoints,
            population: &$engine.population,
            calibration: &$engine.calibration,
            models: &$engine.models,
            classes: &$engine.classes,
            hour: $engine.hour.unwrap_or_default(),
            logged_h: $engine.logged_h(),
            cut: $engine.cut,
        }
    };
}

/// All of detection: pure, and the same whatever threads run its tasks.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    partitions: [Partition; PARTITIONS],
    population: Population,
    calibration: Calibration,
    models: Models,
    /// What the endpoints' names say; no part of the state.
    classes: ClassTable,
    hour: Option<Time>,
    started: Option<Time>,
    /// When it was last asked whether a fit is due.
    looked: Option<Time>,
    /// Up to when time was counted, and how much of it.
    counted: Option<Time>,
    elapsed_ns: i64,
    cut: f64,
    windows: u64,
    /// Windows that detectors judged, each detector's counted.
    judged: u64,
    folds_seen: u32,
    /// There was an exchange since the last export; no part of the state.
    is_exchanged: bool,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(plan: Plan) -> Self {
        let cut = plan.windows_per_finding_min;
        Self {
            plan,
            partitions: std::array::from_fn(|_| Partition::new()),
            population: Population::default(),
            calibration: Calibration::new(),
            models: Models::default(),
            classes: ClassTable::default(),
            hour: None,
            started: None,
            looked: None,
            counted: None,
            elapsed_ns: 0,
            cut,
            windows: 0,
            judged: 0,
            folds_seen: 0,
            is_exchanged: false,
        }
    }

    /// Goes on under another plan, as [`Engine::import`] under it would; between tasks.
    pub fn replan(&mut self, plan: Plan) {
        // The cut follows the budget at the hour's end, and the floor at once.
        self.cut = self.cut.max(plan.windows_per_finding_min);
        self.plan = plan;
        self.classes = ClassTable::default();
    }

    /// The hour whose windows are open, `None` before the first.
    pub const fn hour(&self) -> Option<Time> {
        self.hour
    }

    /// Opens the hour that holds `time`; [`Engine::exchange`] must have closed the one before.
    pub fn open(&mut self, time: Time) {
        let hour = time.floor(NS_PER_H);
        self.hour = Some(hour);
        self.started.get_or_insert(hour);
    }

    /// The work on each partition's items of the open hour; `closes` ends the hour.
    ///
    /// `items` has one list per partition. The tasks may run in any order, on any threads.
    pub fn tasks<'a>(
        &'a mut self,
        endpoints: &'a Endpoints,
        items: &'a [Vec<Item<'a>>],
        closes: bool,
    ) -> Vec<Task<'a>> {
        self.classes.follow(&self.plan.patterns, endpoints);
        let context = context!(self, endpoints);
        let each = self.partitions.iter_mut().zip(items);
        each.filter(|(partition, items)| {
            !items.is_empty()
                || (closes && partition.open_windows() > 0)
                || partition.is_day_over(&context)
        })
        .map(|(partition, items)| Task { partition, context, items, closes })
        .collect()
    }

    /// Ends the day that is open, where nothing will come of it any more: after its last hour was closed,
    /// and before the exchange.
    pub fn end_day(&mut self, endpoints: &Endpoints) {
        let context = context!(self, endpoints);
        self.partitions.iter_mut().for_each(|partition| partition.end_day(&context));
    }

    /// Findings raised since the last call, in the order of the partitions.
    pub fn drain_findings(&mut self) -> Vec<Finding> {
        self.partitions.iter_mut().flat_map(Partition::drain_findings).collect()
    }

    /// Exchanges what spans identities, after the hour's tasks closed it; `endpoints` is as of now.
    ///
    /// # Errors
    ///
    /// Arrow refused a batch: a defect of this crate.
    pub fn exchange(&mut self, endpoints: &Endpoints, last: bool) -> Result<Output, ArrowError> {
        let mut output = Output { findings: self.drain_findings(), ..Output::default() };
        self.is_exchanged = true;
        for partition in &mut self.partitions {
            partition.note_exchange();
            self.windows += partition.contribution.windows;
            for (detector, judged) in Detector::ALL.iter().zip(&mut partition.contribution.judged) {
                self.judged += *judged;
                self.calibration.judge(*detector, std::mem::take(judged));
            }
            for (detector, surprises) in
                Detector::ALL.iter().zip(&mut partition.contribution.surprises)
            {
                self.calibration.learn(*detector, surprises);
                surprises.clear();
            }
            for (rows, out) in [
                (&mut partition.windows, &mut output.windows),
                (&mut partition.signals, &mut output.signals),
            ] {
                if rows.len() >= ROWS_MIN || (last && rows.len() > 0) {
                    out.push(rows.finish()?);
                }
            }
        }
        for (table, batches) in
            [(Table::Windows, &mut output.windows), (Table::Signals, &mut output.signals)]
        {
            // A store is better off with one insert than with one of each partition.
            if batches.len() > 1 {
                *batches = vec![concat_batches(&table.schema(), batches.iter())?];
            }
        }
        self.calibration.age(self.hour.unwrap_or_default());
        self.calibration.fit();
        self.population.absorb(self.partitions.iter_mut().map(|it| &mut it.contribution));
        if self.folds_seen != endpoints.folds() {
            self.folds_seen = endpoints.folds();
            self.population.fold(endpoints);
            for partition in &mut self.partitions {
                partition.follow(endpoints);
            }
            let all = self.partitions.iter().flat_map(|partition| &partition.identities);
            self.population.recount(all);
        }
        self.population.age(self.hour.unwrap_or_default());
        let end = self.hour.unwrap_or_default().plus(NS_PER_H);
        self.set_cut(end);
        if self.is_fit_due(end) {
            self.fit(endpoints);
        }
        Ok(output)
    }

    /// Hours with a log before the open one, as [`Engine::set_cut`] counts them.
    fn logged_h(&self) -> u32 {
        let since = |before: Time| self.hour.unwrap_or(before).since(before).clamp(0, NS_PER_D);
        let ns = self.elapsed_ns + self.counted.map_or(0, since);
        u32::try_from(ns / NS_PER_H).unwrap_or(u32::MAX)
    }

    /// The cut that keeps ordinary traffic within the budget, and never below the floor.
    fn set_cut(&mut self, now: Time) {
        // Time in which there was a log: a gap counts for a day at most, so that one old clock does
        // not stretch the budget over years.
        let before = self.counted.replace(now).unwrap_or(now);
        self.elapsed_ns += now.since(before).clamp(0, NS_PER_D);
        let days = (self.elapsed_ns as f64 / NS_PER_D as f64).max(1.0);
        let judged = self.judged as f64 / days;
        self.cut = self.plan.windows_per_finding_min.max(judged / self.plan.findings_per_day);
    }

    /// Whether a boundary was passed since the last look: quiet hours are skipped, so that it is
    /// passed rather than met.
    fn is_fit_due(&mut self, now: Time) -> bool {
        let Some(started) = self.started else { return false };
        let before = self.looked.replace(now).unwrap_or(started);
        let passed = |boundary: Time| before < boundary && boundary <= now;
        FIRST_FITS_H.iter().any(|hours| passed(started.plus(hours * NS_PER_H)))
            || now.floor(NS_PER_D) > before.floor(NS_PER_D)
    }

    /// Draws peer groups and fits joint models, and swaps them in whole.
    fn fit(&mut self, endpoints: &Endpoints) {
        for partition in &mut self.partitions {
            partition.follow(endpoints);
        }
        let mut vectors: Vec<_> =
            self.partitions.iter().flat_map(Partition::profile_vectors).collect();
        vectors.sort_by_key(|(hash, _)| *hash);
        vectors.truncate(peer_groups::IDENTITIES_MAX);
        let vectors: Vec<_> = vectors.into_iter().map(|(_, vector)| vector).collect();
        let groups = PeerGroups::fit(&vectors, SEED);
        self.population.disband();
        for partition in &mut self.partitions {
            partition.regroup(groups.as_ref());
        }
        self.population.absorb(self.partitions.iter_mut().map(|it| &mut it.contribution));
        let day_ago = self.hour.unwrap_or_default().plus(-NS_PER_D);
        let all = self.partitions.iter().flat_map(|partition| &partition.identities);
        let breadths = all.filter_map(|identity| dormant::breadth_of(identity, day_ago));
        self.population.breadths = Breadths::of(breadths);
        let all: Vec<_> = self.partitions.iter().flat_map(Partition::feature_vectors).collect();
        let of = |group: Option<u8>| {
            let rows: Vec<_> = all.iter().filter(|it| group.is_none() || it.0 == group).collect();
            let matrix = Array2::from_shape_fn((rows.len(), FEATURES), |(row, column)| {
                rows.get(row).and_then(|it| it.1.get(column)).map_or(0.0, |it| f64::from(*it))
            });
            if rows.len() < joint::VECTORS_MIN {
                None
            } else {
                JointModel::fit(&matrix, features::SCALE_MIN, SEED).ok()
            }
        };
        let count = groups.as_ref().map_or(0, PeerGroups::len);
        self.models = Models {
            version: self.models.version + 1,
            everyone: of(None),
            by_group: (0..count).map(|group| of(Some(group as u8))).collect(),
        };
    }

    /// What was counted so far.
    pub fn tally(&self) -> Tally {
        let sum = |of: fn(&Partition) -> u64| self.partitions.iter().map(of).sum();
        Tally {
            identities: sum(|it| it.identities.len() as u64),
            windows: self.windows,
            overflowed_calls: sum(|it| it.overflowed_calls),
            state_bytes: sum(|it| it.state_bytes as u64),
        }
    }

    /// The latest state of each identity, as rows of `identities`, in batches.
    ///
    /// # Errors
    ///
    /// Arrow refused a batch: a defect of this crate.
    pub fn identities(&self, endpoints: &Endpoints) -> Result<Vec<RecordBatch>, ArrowError> {
        const ROWS_MAX: usize = 65_536;
        let context = context!(self, endpoints);
        let mut batches = Vec::new();
        let mut rows = Rows::of(Table::Identities);
        for identity in self.partitions.iter().flat_map(|partition| &partition.identities) {
            rows.push_identity(identity, &context);
            if rows.len() >= ROWS_MAX {
                batches.push(rows.finish()?);
            }
        }
        if rows.len() > 0 {
            batches.push(rows.finish()?);
        }
        Ok(batches)
    }

    /// The latest state of each endpoint, as rows of `endpoints`.
    ///
    /// # Errors
    ///
    /// Arrow refused a batch: a defect of this crate.
    pub fn endpoints(&self, endpoints: &Endpoints) -> Result<RecordBatch, ArrowError> {
        let mut rows = Rows::of(Table::Endpoints);
        rows.push_endpoints(endpoints, &self.population);
        rows.finish()
    }
}

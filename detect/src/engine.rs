//! The engine: partitions, what they share, and the exchange between them at hour boundaries.

#[cfg(test)]
pub(crate) mod bare;
mod budget;
mod forget;
mod judged;
mod operations;
mod order;
mod state;

pub use forget::Gone;
pub(crate) use forget::scrub_evidence;
pub use state::{Extent, StatePart};

use crate::calibration::{Calibration, occasions};
use crate::classes::ClassTable;
use crate::control::ChangeWindow;
use crate::detectors::{UPPER_SURPRISE, View, dormant};
use crate::identity::Identity;
use crate::incidents::Incidents;
use crate::models::features::{self, FEATURES};
use crate::models::joint::JointModel;
use crate::models::peer_groups::{self, PeerGroups};
use crate::models::{Models, joint};
use crate::open_window::OpenWindow;
use crate::partition::{self, Item, Partition};
use crate::population::{Breadths, Population};
use crate::rows::{ROWS_MIN, Rows};
use crate::settings::Plan;
use crate::watch::{At, Closed, Notes, Watch};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;
use budget::PerDetector;
use judged::Judged;
use model::limit::PARTITIONS;
use model::tables::Table;
use model::time::{NS_PER_D, NS_PER_H, NS_PER_MIN};
use model::{Detector, EndpointId, Endpoints, Finding, Time};
use ndarray::Array2;

/// Rows of all partitions that leave as one batch; a second copy of more would take much room.
const JOINED_MAX: usize = 65_536;
/// Seed of every fitted model.
const SEED: u64 = 0x6861_6269_7475_7301;
/// Of a score of that much its surprise needs not be that of what 99.9 % of windows stay under.
const LEAST_SCORE: f64 = 1_000.0;
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
    /// As of the last minute's end.
    pub(crate) incidents: &'a Incidents,
    pub(crate) announced: &'a [ChangeWindow],
    pub(crate) hour: Time,
    /// Hours with a log before this one.
    pub(crate) logged_h: u32,
    /// The score from which on each detector raises.
    pub(crate) cuts: &'a PerDetector,
    /// As of the last minute's end: more came for the first time in this hour than ever do.
    pub(crate) is_flooded: bool,
}

impl<'a> Context<'a> {
    /// The score from which on a detector raises.
    pub(crate) fn cut_of(&self, detector: Detector) -> f64 {
        self.cuts.get(detector as usize).copied().unwrap_or(f64::INFINITY)
    }

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
    /// Rows of `incidents`, if any changed.
    pub incidents: Option<RecordBatch>,
}

/// What the engine counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Identities with state.
    pub identities: u64,
    /// Windows closed.
    pub windows: u64,
    /// Calls of identities beyond the memory budget, counted under one overflow identity for each
    /// partition.
    pub overflowed_calls: u64,
    /// About how many identities made those, give or take half of one in a hundred.
    pub overflowed_identities: u64,
    /// Identities that came once and made room for somebody who came back.
    pub evicted_identities: u64,
    /// What should have been noted beside identities' own hours, and was not, beyond one of the limits:
    /// arrivals at an address, openings and sizes of endpoints, new endpoints and hosts, readers of
    /// objects.
    pub unnoted: u64,
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
            incidents: &$engine.incidents,
            announced: &$engine.announced,
            hour: $engine.hour.unwrap_or_default(),
            logged_h: $engine.logged_h(),
            cuts: &$engine.cuts,
            is_flooded: $engine.watch.is_flooded($engine.hour.unwrap_or_default()),
        }
    };
}

/// How many calls with an identity an endpoint has answered 2xx since the hour began.
fn answered(partitions: &[Partition], endpoint: EndpointId) -> u64 {
    let habits = partitions.iter().map(|it| it.contribution.endpoints.get(endpoint.0 as usize));
    habits.flatten().map(|habit| habit.answered_named).sum()
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
    watch: Watch,
    incidents: Incidents,
    /// Changes that were announced to the service.
    announced: Vec<ChangeWindow>,
    /// Findings with their incidents, to be taken out.
    found: Vec<Finding>,
    hour: Option<Time>,
    started: Option<Time>,
    /// The minute of the last event.
    minute: Option<Time>,
    /// When it was last asked whether a fit is due.
    looked: Option<Time>,
    /// Up to when time was counted, and how much of it.
    counted: Option<Time>,
    elapsed_ns: i64,
    /// The score from which on each detector raises; follows from the plan and what was judged.
    cuts: PerDetector,
    /// The same while nothing is lent: what of the budget is used is counted by these.
    full_cuts: PerDetector,
    windows: u64,
    /// Windows that detectors judged.
    judged: Judged,
    folds_seen: u32,
    /// There was an exchange since the last export; no part of the state.
    is_exchanged: bool,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(plan: Plan) -> Self {
        let cuts = budget::cuts(&plan, &PerDetector::default(), 1.0);
        Self {
            plan,
            partitions: std::array::from_fn(|_| Partition::new()),
            population: Population::default(),
            calibration: Calibration::new(),
            models: Models::default(),
            classes: ClassTable::default(),
            watch: Watch::new(),
            incidents: Incidents::new(),
            announced: Vec::new(),
            found: Vec::new(),
            hour: None,
            started: None,
            minute: None,
            looked: None,
            counted: None,
            elapsed_ns: 0,
            cuts,
            full_cuts: cuts,
            windows: 0,
            judged: Judged::default(),
            folds_seen: 0,
            is_exchanged: false,
        }
    }

    /// Goes on under another plan, as [`Engine::import`] under it would; between tasks.
    pub fn replan(&mut self, plan: Plan) {
        self.plan = plan;
        self.divide();
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

    /// Findings raised since the last call, in the order of the partitions; then those of what is
    /// watched beside identities.
    pub fn drain_findings(&mut self) -> Vec<Finding> {
        self.collect_findings();
        std::mem::take(&mut self.found)
    }

    /// Gives what was raised its incidents.
    fn collect_findings(&mut self) {
        let from = self.found.len();
        self.found.extend(self.partitions.iter_mut().flat_map(Partition::drain_findings));
        self.found.extend(self.watch.drain_findings());
        for finding in self.found.iter_mut().skip(from) {
            self.incidents.assign(finding);
        }
    }

    /// Incidents that changed since the last call, as rows; `None` without any.
    ///
    /// # Errors
    ///
    /// Arrow refused a batch: a defect of this crate.
    pub fn drain_incidents(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        self.incidents.rows()
    }

    /// Tells what time it is, between tasks and before those of that minute of event time: what
    /// partitions noted beside their identities is taken in where a minute ends.
    pub fn tick(&mut self, time: Time, endpoints: &Endpoints) {
        let minute = time.floor(NS_PER_MIN);
        if self.minute.replace(minute).is_some_and(|before| before < minute) {
            self.collect_findings();
            self.pulse(endpoints);
            self.collect_findings();
            self.incidents.fold();
        }
    }

    fn pulse(&mut self, endpoints: &Endpoints) {
        if self.partitions.iter().all(|partition| partition.notes.is_empty()) {
            return;
        }
        let notes: Vec<Notes> = self.partitions.iter_mut().map(Partition::take_notes).collect();
        let context = context!(self, endpoints);
        let answered = |endpoint| answered(&self.partitions, endpoint);
        self.watch.pulse(&At { context: &context, answered: &answered }, notes);
    }

    /// Exchanges what spans identities, after the hour's tasks closed it; `endpoints` is as of now.
    ///
    /// # Errors
    ///
    /// Arrow refused a batch: a defect of this crate.
    pub fn exchange(&mut self, endpoints: &Endpoints, last: bool) -> Result<Output, ArrowError> {
        self.calibration.pass(self.hour.unwrap_or_default());
        let closed = self.close_watch(endpoints);
        let mut output = Output { findings: self.drain_findings(), ..Output::default() };
        self.incidents.fold();
        self.incidents.close(self.hour.unwrap_or_default());
        output.incidents = self.incidents.rows()?;
        self.is_exchanged = true;
        self.learn_shared();
        for partition in &mut self.partitions {
            partition.note_exchange();
            self.windows += partition.contribution.windows;
            for (detector, judged) in Detector::ALL.iter().zip(&mut partition.contribution.judged) {
                self.judged.add(*judged);
                self.calibration.judge(*detector, std::mem::take(judged));
            }
            for (detector, surprises) in
                Detector::ALL.iter().zip(&mut partition.contribution.surprises)
            {
                self.calibration.learn(*detector, surprises);
                surprises.clear();
            }
            let now = self.hour.unwrap_or_default();
            let each = Detector::ALL.iter().zip(&self.full_cuts);
            for ((detector, cut), said) in each.zip(&mut partition.contribution.said) {
                self.calibration.note_said((*detector, *cut), said, now);
                said.clear();
            }
            partition.leave(last, &mut output)?;
        }
        let rows = &mut self.watch.signals;
        if rows.len() >= ROWS_MIN || (last && rows.len() > 0) {
            output.signals.push(rows.finish()?);
        }
        for (table, batches) in
            [(Table::Windows, &mut output.windows), (Table::Signals, &mut output.signals)]
        {
            // A store is better off with one insert than with one of each partition, unless it is large.
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            if batches.len() > 1 && rows <= JOINED_MAX {
                *batches = vec![concat_batches(&table.schema(), batches.iter())?];
            }
        }
        self.calibration.age(self.hour.unwrap_or_default());
        self.calibration.fit();
        self.population.absorb(self.partitions.iter_mut().map(|it| &mut it.contribution));
        self.population.learn_watched(self.hour.unwrap_or_default(), closed);
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
        self.set_cuts(end);
        if self.is_fit_due(end) {
            self.fit(endpoints);
        }
        Ok(output)
    }

    /// Takes in the networks that many identities met in the hour, each once for all of them.
    fn learn_shared(&mut self) {
        let detector = Detector::NewNetwork;
        let cut = self.full_cuts.get(detector as usize).copied().unwrap_or(f64::INFINITY);
        let now = self.hour.unwrap_or_default();
        let shared = self.partitions.iter_mut().flat_map(|it| it.contribution.shared.drain(..));
        for it in occasions(shared.collect()) {
            self.calibration.learn(detector, &[it.surprise]);
            self.calibration.note_said((detector, cut), it.said.as_slice(), now);
        }
    }

    /// Hours with a log before the open one, as [`Engine::set_cuts`] counts them.
    fn logged_h(&self) -> u32 {
        let since = |before: Time| self.hour.unwrap_or(before).since(before).clamp(0, NS_PER_D);
        let ns = self.elapsed_ns + self.counted.map_or(0, since);
        u32::try_from(ns / NS_PER_H).unwrap_or(u32::MAX)
    }

    /// Judges the hour of what is watched beside identities.
    fn close_watch(&mut self, endpoints: &Endpoints) -> Closed {
        self.pulse(endpoints);
        let context = context!(self, endpoints);
        let answered = |endpoint| answered(&self.partitions, endpoint);
        let closed = self.watch.close(&At { context: &context, answered: &answered });
        closed.calibrate(&mut self.calibration, (&self.cuts, &self.full_cuts));
        self.judged.add(closed.judged.iter().map(|(_, windows)| windows).sum());
        closed
    }

    /// The cuts that keep ordinary traffic within the budget, and never below the floor.
    fn set_cuts(&mut self, now: Time) {
        // Time in which there was a log: a gap counts for a day at most, so that one old clock does
        // not stretch the budget over years.
        let before = self.counted.replace(now).unwrap_or(now);
        let passed = now.since(before).clamp(0, NS_PER_D);
        let is_first = self.elapsed_ns < NS_PER_D;
        self.elapsed_ns += passed;
        if is_first && self.elapsed_ns >= NS_PER_D {
            self.calibration.end_first_day();
            self.calibration.fit();
        }
        self.judged.pass(passed);
        self.divide();
    }

    fn divide(&mut self) {
        let windows = self.judged.per_day();
        let judged = Detector::ALL.iter().map(|detector| self.calibration.judged(*detector));
        let all: f64 = judged.clone().sum();
        let mut per_day = PerDetector::default();
        for (mean, judged) in per_day.iter_mut().zip(judged) {
            *mean = windows * judged / all.max(1.0);
        }
        let lent = self.calibration.lent(self.plan.findings_per_day);
        let cuts = |lent| {
            let mut cuts = budget::cuts(&self.plan, &per_day, lent);
            for (detector, cut) in Detector::ALL.iter().zip(&mut cuts) {
                // What 99.9 % of ordinary windows stay under is the least that is told.
                let least = self.calibration.score(*detector, UPPER_SURPRISE).min(LEAST_SCORE);
                *cut = cut.max(least.min(self.plan.windows_per_finding_min));
            }
            cuts
        };
        (self.full_cuts, self.cuts) = (cuts(1.0), cuts(lent));
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

    /// Whether enough is known of others to judge a newcomer; before, most detectors only learn.
    pub fn knows_anyone(&self) -> bool {
        self.population.is_ready()
    }

    /// Whether there is a model of all features together.
    pub const fn has_models(&self) -> bool {
        self.models.everyone.is_some()
    }

    /// What was counted so far.
    pub fn tally(&self) -> Tally {
        let sum = |of: fn(&Partition) -> u64| self.partitions.iter().map(of).sum();
        Tally {
            identities: sum(|it| it.identities.len() as u64),
            windows: self.windows,
            overflowed_calls: sum(|it| it.admission.overflowed_calls),
            overflowed_identities: sum(|it| it.admission.overflowed()),
            evicted_identities: sum(|it| it.admission.evicted),
            unnoted: self.watch.missed() + self.population.missed() + self.incidents.missed(),
            state_bytes: sum(|it| it.state_bytes as u64),
        }
    }

    /// The latest state of each identity, as rows of `identities`, in batches that are made one by one:
    /// there may be millions.
    ///
    /// A batch is an error if Arrow refused it: a defect of this crate.
    pub fn identities<'a>(
        &'a self,
        endpoints: &'a Endpoints,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'a {
        const ROWS_MAX: usize = 65_536;
        let context = context!(self, endpoints);
        let now = self.minute.unwrap_or_default();
        // The minute stands still while nobody calls; the hour that ends does not.
        let stated_at = self.hour.map_or(now, |hour| hour.plus(NS_PER_H));
        let mut all = self.partitions.iter().flat_map(|partition| &partition.identities);
        std::iter::from_fn(move || {
            let mut rows = Rows::of(Table::Identities);
            for identity in all.by_ref().take(ROWS_MAX) {
                rows.push_identity(identity, &context, (now, stated_at));
            }
            (rows.len() > 0).then(|| rows.finish())
        })
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

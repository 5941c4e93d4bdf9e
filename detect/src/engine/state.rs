//! The engine's state in parts, whole or only what changed, and back.

use super::Engine;
use super::judged::Judged;
use crate::calibration::Calibration;
use crate::control::ChangeWindow;
use crate::detectors::key_fanout::ReadChange;
use crate::incidents::Incidents;
use crate::models::Models;
use crate::partition::{Delta, Partition};
use crate::population::Population;
use crate::settings::Plan;
use crate::snapshot::{self, SnapshotError, Subject, plain};
use crate::watch::{Known, Watch};
use model::limit::PARTITIONS;
use model::tables::Table;
use model::time::NS_PER_H;
use model::{Finding, Time};
use serde::{Deserialize, Serialize};

/// What is written of an engine beside its partitions: all but its plan.
///
/// What is shared is borrowed on the way out, owned on the way in.
#[derive(Deserialize, Serialize)]
struct Centre<Shared, Watched, Sources, Held> {
    #[serde(with = "plain")]
    hour: Option<Time>,
    #[serde(with = "plain")]
    started: Option<Time>,
    #[serde(with = "plain")]
    minute: Option<Time>,
    #[serde(with = "plain")]
    looked: Option<Time>,
    #[serde(with = "plain")]
    counted: Option<Time>,
    elapsed_ns: i64,
    windows: u64,
    judged: Judged,
    folds_seen: u32,
    /// `None` if there was no exchange.
    shared: Option<Shared>,
    /// `None` if nothing of it changed.
    watch: Option<(Watched, Sources)>,
    /// `None` if nothing of them changed.
    incidents: Option<Held>,
    announced: Vec<ChangeWindow>,
    #[serde(with = "plain")]
    found: Vec<Finding>,
}

type SharedRead = (Population, Calibration, Models, Known);

/// How much of the state a part has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// What changed since the last [`Engine::settle`].
    Changes,
}

/// One part of an engine's state, which any thread may write.
#[derive(Clone, Copy, Debug)]
pub struct StatePart<'a> {
    engine: &'a Engine,
    extent: Extent,
    /// The partition; `None` for what is beside them.
    partition: Option<&'a Partition>,
}

impl StatePart<'_> {
    /// The part as bytes; none if nothing in it changed.
    ///
    /// # Errors
    ///
    /// The format refused the state: a defect of this crate.
    pub fn write(self) -> Result<Vec<u8>, SnapshotError> {
        match (self.partition, self.extent) {
            (None, extent) => self.engine.centre(extent),
            (Some(partition), Extent::Whole) => snapshot::pack(Subject::Partition, partition),
            (Some(partition), Extent::Changes) => match partition.delta() {
                Some(delta) => snapshot::pack(Subject::Changes, &delta),
                None => Ok(Vec::new()),
            },
        }
    }
}

impl Engine {
    /// How many parts a state has.
    pub const PARTS: usize = 1 + PARTITIONS;

    /// The state in parts, in a fixed order: [`Engine::restore`] goes on as this engine would.
    ///
    /// To be called between tasks; it may be in the midst of an hour. The endpoints' table is not
    /// part of it: it must be kept beside, as it is now. Once the parts are where they belong,
    /// [`Engine::settle`] must be called.
    pub fn parts(&self, extent: Extent) -> Vec<StatePart<'_>> {
        let centre = StatePart { engine: self, extent, partition: None };
        let each = self.partitions.iter().map(Some);
        [centre]
            .into_iter()
            .chain(each.map(|partition| StatePart { partition, ..centre }))
            .collect()
    }

    /// From now on only what changes after this is a change.
    pub fn settle(&mut self) {
        self.is_exchanged = false;
        self.watch.settle();
        self.incidents.is_touched = false;
        self.partitions.iter_mut().for_each(Partition::settle);
    }

    /// The engine of a whole state and of the changes that followed it, under a plan of now.
    ///
    /// # Errors
    ///
    /// The bytes are of something else, of another [`crate::STATE_VERSION`], or damaged. What
    /// damage does to a number within its bounds goes unnoticed: the keeper of the bytes must have
    /// verified them.
    pub fn restore<Bytes: AsRef<[u8]>>(
        plan: Plan,
        whole: &[Bytes],
        changes: &[Vec<Bytes>],
    ) -> Result<Self, SnapshotError> {
        let corrupt = |why: &str| Subject::Engine.corrupt(why);
        let mut engine = Self::new(plan);
        for (is_whole, parts) in
            [(true, whole)].into_iter().chain(changes.iter().map(|it| (false, it.as_slice())))
        {
            let Some((centre, partitions)) = parts.split_first() else {
                return Err(corrupt("it has no parts"));
            };
            if partitions.len() != PARTITIONS {
                return Err(corrupt("it is of another number of partitions"));
            }
            engine.take_centre(centre.as_ref(), is_whole)?;
            for (partition, bytes) in engine.partitions.iter_mut().zip(partitions) {
                let bytes = bytes.as_ref();
                if is_whole {
                    *partition = snapshot::unpack(Subject::Partition, bytes)?;
                } else if !bytes.is_empty() {
                    let delta: Delta = snapshot::unpack(Subject::Changes, bytes)?;
                    partition.take_in(delta).map_err(corrupt)?;
                }
            }
        }
        for partition in &mut engine.partitions {
            partition.restore().map_err(corrupt)?;
        }
        engine.check().map_err(corrupt)?;
        // By the plan of now.
        engine.divide();
        engine.settle();
        Ok(engine)
    }

    /// The whole state as bytes: an [`Engine::import`] of them goes on as this engine would.
    ///
    /// # Errors
    ///
    /// The format refused the state: a defect of this crate.
    pub fn export(&self) -> Result<Vec<u8>, SnapshotError> {
        let parts = self.parts(Extent::Whole).into_iter().map(StatePart::write);
        snapshot::pack(Subject::Engine, &parts.collect::<Result<Vec<_>, _>>()?)
    }

    /// The engine that [`Engine::export`] wrote, under a plan of now.
    ///
    /// # Errors
    ///
    /// As [`Engine::restore`].
    pub fn import(plan: Plan, bytes: &[u8]) -> Result<Self, SnapshotError> {
        let parts: Vec<&[u8]> = snapshot::unpack(Subject::Engine, bytes)?;
        Self::restore(plan, &parts, &[])
    }

    /// Forgets which inputs the evidence of open windows came from: from now on there are others.
    pub fn forget_inputs(&mut self) {
        self.watch.forget_inputs();
        let noted = self.partitions.iter_mut().flat_map(|partition| partition.notes.evidence_mut());
        noted.for_each(|evidence| evidence.position.source = u32::MAX);
        let identities = self.partitions.iter_mut().flat_map(|it| &mut it.identities);
        for identity in identities {
            let acted = identity.open.iter_mut().filter_map(|open| open.acted.as_mut());
            for evidence in acted.flat_map(|acted| &mut acted.beyond.evidence) {
                evidence.position.source = u32::MAX;
            }
            let foreign = identity.open.iter_mut().flat_map(|open| &mut open.foreign_read);
            foreign.for_each(|evidence| evidence.position.source = u32::MAX);
            let of_hour = identity.open.iter_mut().flat_map(|open| &mut open.raised);
            let of_day = identity.daily.iter_mut().flat_map(|daily| &mut daily.raised);
            for evidence in of_hour.chain(of_day).flat_map(|raised| &mut raised.evidence) {
                evidence.position.source = u32::MAX;
            }
        }
    }

    fn centre(&self, extent: Extent) -> Result<Vec<u8>, SnapshotError> {
        let is_whole = extent == Extent::Whole;
        let is_shared = is_whole || self.is_exchanged;
        let is_watched = is_whole || self.watch.is_touched;
        let centre = Centre {
            hour: self.hour,
            started: self.started,
            minute: self.minute,
            looked: self.looked,
            counted: self.counted,
            elapsed_ns: self.elapsed_ns,
            windows: self.windows,
            judged: self.judged,
            folds_seen: self.folds_seen,
            shared: is_shared.then_some((
                &self.population,
                &self.calibration,
                &self.models,
                &self.watch.known,
            )),
            incidents: (is_whole || self.incidents.is_touched).then_some(&self.incidents),
            announced: self.announced.clone(),
            found: self.found.clone(),
            watch: is_watched.then(|| (&self.watch, self.watch.sources.change(is_whole))),
        };
        snapshot::pack(Subject::Centre, &centre)
    }

    fn take_centre(&mut self, bytes: &[u8], is_whole: bool) -> Result<(), SnapshotError> {
        let read: Centre<SharedRead, Watch, ReadChange, Incidents> =
            snapshot::unpack(Subject::Centre, bytes)?;
        if is_whole && (read.shared.is_none() || read.watch.is_none() || read.incidents.is_none()) {
            return Err(Subject::Centre.corrupt("it says nothing of what is ordinary"));
        }
        self.hour = read.hour;
        self.started = read.started;
        self.minute = read.minute;
        self.looked = read.looked;
        self.counted = read.counted;
        self.elapsed_ns = read.elapsed_ns;
        self.windows = read.windows;
        self.judged = read.judged;
        self.folds_seen = read.folds_seen;
        (self.found, self.announced) = (read.found, read.announced);
        if let Some(incidents) = read.incidents {
            self.incidents = incidents;
        }
        if let Some((watch, sources)) = read.watch {
            let before = std::mem::replace(&mut self.watch, watch);
            (self.watch.known, self.watch.sources) = (before.known, before.sources);
            self.watch.sources.take_in(sources);
        }
        if let Some((population, calibration, models, known)) = read.shared {
            self.population = population;
            self.calibration = calibration;
            self.models = models;
            self.watch.known = known;
        }
        Ok(())
    }

    /// Whether what was read holds together; the reason if it does not.
    fn check(&self) -> Result<(), &'static str> {
        if !self.watch.signals.is_of(Table::Signals) {
            return Err("rows of what is watched are of another table");
        }
        if !self.incidents.is_sound() {
            return Err("rows of incidents are of another table");
        }
        if !self.models.is_sound() {
            return Err("a joint law is of other features");
        }
        if self.hour.is_some_and(|hour| hour.floor(NS_PER_H) != hour) {
            return Err("the open hour does not start on the hour");
        }
        Ok(())
    }
}

//! The engine's state as a snapshot, and back.

use super::Engine;
use crate::partition::Partition;
use crate::settings::Plan;
use crate::snapshot::{self, SnapshotError, Subject, plain};
use model::Time;
use model::limit::PARTITIONS;
use model::time::NS_PER_H;
use serde::{Deserialize, Serialize};

/// What is written of an engine: all but its plan. The parts are borrowed on the way out, owned on
/// the way in.
#[derive(Deserialize, Serialize)]
struct State<Partitions, Population, Calibration, Models> {
    #[serde(with = "plain")]
    hour: Option<Time>,
    #[serde(with = "plain")]
    started: Option<Time>,
    #[serde(with = "plain")]
    looked: Option<Time>,
    #[serde(with = "plain")]
    counted: Option<Time>,
    elapsed_ns: i64,
    cut: f64,
    windows: u64,
    judged: u64,
    folds_seen: u32,
    population: Population,
    calibration: Calibration,
    models: Models,
    partitions: Partitions,
}

impl Engine {
    /// The whole state as bytes: an [`Engine::import`] of them goes on as this engine would.
    ///
    /// To be called between tasks; it may be in the midst of an hour. The endpoints' table is not
    /// part of it: it must be kept beside, as it is now.
    ///
    /// # Errors
    ///
    /// The format refused the state: a defect of this crate.
    pub fn export(&self) -> Result<Vec<u8>, SnapshotError> {
        let state = State {
            hour: self.hour,
            started: self.started,
            looked: self.looked,
            counted: self.counted,
            elapsed_ns: self.elapsed_ns,
            cut: self.cut,
            windows: self.windows,
            judged: self.judged,
            folds_seen: self.folds_seen,
            population: &self.population,
            calibration: &self.calibration,
            models: &self.models,
            partitions: &self.partitions,
        };
        snapshot::pack(Subject::Engine, &state)
    }

    /// The engine that [`Engine::export`] wrote, under a plan of now.
    ///
    /// # Errors
    ///
    /// The bytes are of something else, of another [`crate::STATE_VERSION`], or damaged. What
    /// damage does to a number within its bounds goes unnoticed: the keeper of the bytes must have
    /// verified them.
    pub fn import(plan: Plan, bytes: &[u8]) -> Result<Self, SnapshotError> {
        let corrupt = |why: &str| Subject::Engine.corrupt(why);
        let state: State<[Partition; PARTITIONS], _, _, crate::models::Models> =
            snapshot::unpack(Subject::Engine, bytes)?;
        let mut partitions = state.partitions;
        for partition in &mut partitions {
            partition.restore().map_err(corrupt)?;
        }
        if !state.models.is_sound() {
            return Err(corrupt("a joint law is of other features"));
        }
        if state.hour.is_some_and(|hour| hour.floor(NS_PER_H) != hour) {
            return Err(corrupt("the open hour does not start on the hour"));
        }
        Ok(Self {
            // The plan of now may ask for more.
            cut: state.cut.max(plan.windows_per_finding_min),
            plan,
            partitions,
            population: state.population,
            calibration: state.calibration,
            models: state.models,
            hour: state.hour,
            started: state.started,
            looked: state.looked,
            counted: state.counted,
            elapsed_ns: state.elapsed_ns,
            windows: state.windows,
            judged: state.judged,
            folds_seen: state.folds_seen,
        })
    }
}

//! A context of which nothing is known but what a test brings along.

use super::Context;
use crate::calibration::Calibration;
use crate::classes::ClassTable;
use crate::incidents::Incidents;
use crate::models::Models;
use crate::population::Population;
use crate::settings::Settings;
use model::{Detector, Endpoints, Time};

/// What `ask` says in an hour with so many hours of log before it, among these others.
pub(crate) fn within<T>(
    (hour, logged_h): (Time, u32),
    population: &Population,
    ask: impl FnOnce(&Context<'_>) -> T,
) -> T {
    let context = Context {
        plan: &Settings::default().check().unwrap(),
        endpoints: &Endpoints::default(),
        population,
        calibration: &Calibration::new(),
        models: &Models::default(),
        classes: &ClassTable::default(),
        incidents: &Incidents::new(),
        announced: &[],
        hour,
        logged_h,
        cuts: &[0.0; Detector::ALL.len()],
        is_flooded: false,
    };
    ask(&context)
}

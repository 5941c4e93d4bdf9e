//! The end of an hour: what was read of it is settled, and then what was read together.

use super::SIGNAL_SURPRISE_MIN;
use crate::alarm;
use crate::detectors::{Reading, coincidence};
use crate::engine::Context;
use crate::identity::Identity;
use crate::open_window::OpenWindow;
use model::{Detector, Finding};

/// Raises what the hour shows, each detector for itself; only then is it known what nobody would tell alone,
/// and what of it comes together. That is one reading more.
pub(super) fn settle(
    context: &Context<'_>,
    identity: &Identity,
    open: &mut OpenWindow,
    readings: &mut Vec<Reading>,
    findings: &mut Vec<Finding>,
) {
    alarm::settle(context, identity, open, readings, findings);
    let parts = coincidence::parts(context, &context.view(identity, open), readings);
    let together = coincidence::read(context, &context.view(identity, open), &parts);
    let Some(together) = together else { return };
    open.coincident = parts;
    alarm::settle(context, identity, open, &[together], findings);
    readings.push(together);
}

/// Whether a reading of an hour has a row in `signals`; one of which something was said always has.
pub(crate) fn is_signal(reading: &Reading, is_said: bool) -> bool {
    let ranks_all = matches!(reading.detector, Detector::NotItself | Detector::JointOutlier);
    // Injection ranks spans instead.
    let is_hourly = reading.detector != Detector::Injection;
    is_hourly && (ranks_all || is_said || reading.surprise >= SIGNAL_SURPRISE_MIN)
}

//! The five minutes of a closed hour as rows of `signals`: what a ranking of short windows reads.

use super::SIGNAL_SURPRISE_MIN;
use crate::detectors::{self, Reading};
use crate::engine::Context;
use crate::identity::Identity;
use crate::open_window::OpenWindow;
use crate::rows::Rows;
use model::Detector;

/// Adds a row for each five minutes of a closed hour in which a detector read anything odd. `readings` are
/// those of the hour, one of which may be of five minutes as well.
pub(super) fn rank(
    context: &Context<'_>,
    (identity, open): (&Identity, &OpenWindow),
    readings: &mut Vec<Reading>,
    signals: &mut Rows,
) {
    let view = context.view(identity, open);
    let of_hour = readings.len();
    detectors::read_spans(&view, readings);
    let (written, spans) = readings.split_at(of_hour);
    for reading in spans {
        let is_written = written.iter().any(|it| {
            (it.detector, it.entity, it.start, it.end)
                == (reading.detector, reading.entity, reading.start, reading.end)
        });
        // Any sign of injection is worth a row.
        let is_odd = reading.surprise >= SIGNAL_SURPRISE_MIN;
        if !is_written && (is_odd || reading.detector == Detector::Injection) {
            let score = context.calibration.score(reading.detector, reading.surprise);
            let entity = detectors::entity(&view, reading);
            signals.push_signal(identity, entity, reading, score);
        }
    }
}

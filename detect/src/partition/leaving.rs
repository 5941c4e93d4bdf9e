//! The rows of an hour that is being closed, cut off while there are more to come.

use super::Partition;
use crate::engine::Output;
use crate::rows::{ROWS_MIN, Rows};
use arrow::array::RecordBatch;
use arrow::error::ArrowError;

/// Batches of [`ROWS_MIN`] rows. A flood closes hundreds of thousands of windows at once: columns that grow
/// to as much by doubling take twice the room, and leave behind as much again.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    windows: Vec<Result<RecordBatch, ArrowError>>,
    signals: Vec<Result<RecordBatch, ArrowError>>,
}

impl Leaving {
    /// Cuts off what is enough for a batch.
    pub(super) fn cut(&mut self, windows: &mut Rows, signals: &mut Rows) {
        for (rows, batches) in [(windows, &mut self.windows), (signals, &mut self.signals)] {
            if rows.len() >= ROWS_MIN {
                batches.push(rows.finish());
            }
        }
    }
}

impl Partition {
    /// Hands over the rows of the hour that was closed; a few wait for the next one, unless it is the last.
    pub(crate) fn leave(&mut self, last: bool, output: &mut Output) -> Result<(), ArrowError> {
        let Leaving { windows, signals } = std::mem::take(&mut self.leaving);
        for (batches, rows, out) in [
            (windows, &mut self.windows, &mut output.windows),
            (signals, &mut self.signals, &mut output.signals),
        ] {
            let is_cut = !batches.is_empty();
            for batch in batches {
                out.push(batch?);
            }
            if rows.len() >= ROWS_MIN || ((last || is_cut) && rows.len() > 0) {
                out.push(rows.finish()?);
            }
        }
        Ok(())
    }
}

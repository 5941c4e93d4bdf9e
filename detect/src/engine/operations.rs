//! The end of a day for what identities did at which endpoint: rows that nothing is judged by.

use super::Engine;
use crate::partition::Partition;
use crate::rows::Rows;
use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use model::tables::Table;
use model::{Endpoints, Time};

/// Rows of one batch: what they take in memory until they are kept.
const ROWS_MAX: usize = 65_536;

impl Engine {
    /// Hands out the rows of `operations` of the days that are over when the hour of `next` opens, or
    /// of all days where nothing follows. To be called between hours: after the last was closed, and
    /// before [`Engine::open`] or [`Engine::end_day`].
    ///
    /// # Errors
    ///
    /// Those of `keep`, or Arrow refused a batch: a defect of this crate.
    pub fn end_operations<E: From<ArrowError>>(
        &mut self,
        next: Option<Time>,
        endpoints: &Endpoints,
        keep: &mut dyn FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let today = next.map_or(i32::MAX, Time::day_number);
        if self.hour.is_none_or(|hour| hour.day_number() >= today) {
            return Ok(());
        }
        let mut rows = Rows::of(Table::Operations);
        for partition in &mut self.partitions {
            partition.end_operations(today, endpoints, &mut rows, keep)?;
        }
        if rows.len() > 0 { keep(rows.finish()?) } else { Ok(()) }
    }
}

impl Partition {
    fn end_operations<E: From<ArrowError>>(
        &mut self,
        today: i32,
        endpoints: &Endpoints,
        rows: &mut Rows,
        keep: &mut dyn FnMut(RecordBatch) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut freed, mut ended) = (0, Vec::new());
        for (slot, identity) in self.identities.iter_mut().enumerate() {
            if identity.operations.as_ref().is_none_or(|it| it.day >= today) {
                continue;
            }
            let Some(mut operations) = identity.operations.take() else { continue };
            freed += operations.bytes();
            ended.push(slot as u32);
            let day = operations.day;
            // What was raised in silence, since it is a habit, is no finding.
            let is_odd = identity.daily.as_ref().is_some_and(|daily| {
                let is_same = daily.is_open && daily.day == day;
                is_same && daily.raised.iter().any(|it| !it.is_silent)
            });
            if is_odd {
                operations.suspect_all();
            }
            let of_day = (operations.start(), operations.others);
            let others = (operations.others > 0).then_some(None);
            for operation in operations.all().iter().map(Some).chain(others) {
                rows.push_operation(identity, of_day, operation, endpoints);
            }
            if rows.len() >= ROWS_MAX {
                keep(rows.finish()?)?;
            }
        }
        self.end_of_operations(&ended, freed);
        Ok(())
    }
}

//! How partitions fare, as rows that go to the store with the epoch that they are of.

use super::{Live, LiveError, Mind};
use crate::intake::{self, Taken};
use ingest::source::kafka::Partition;
use model::Time;
use model::tables::Table;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use store::Health;

/// Rows are at least so far apart: an epoch may be a quarter of a second.
const EVERY: Duration = Duration::from_secs(15);

/// What was said of partitions.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// When anything was said.
    at: Option<Instant>,
    /// By place, the offset that was said last, or at which this process began.
    offsets: Vec<Option<i64>>,
}

impl Told {
    /// Begins anew at offsets that were committed.
    pub(super) fn begin(&mut self, offsets: &[Option<i64>]) {
        self.offsets = summed(offsets);
    }

    /// Whether a place goes on from elsewhere than was said; from now on it is said.
    fn is_moved(&mut self, place: usize, offset: i64) -> bool {
        if self.offsets.len() <= place {
            self.offsets.resize(place + 1, None);
        }
        let said = self.offsets.get_mut(place).map(|said| said.replace(offset));
        said.flatten() != Some(offset)
    }
}

/// Offsets by place: the partitions that share the last one are added up.
fn summed(offsets: &[Option<i64>]) -> Vec<Option<i64>> {
    let mut by_place: Vec<Option<i64>> = Vec::new();
    for (number, offset) in offsets.iter().enumerate() {
        let place = intake::place(number);
        if by_place.len() <= place {
            by_place.resize(place + 1, None);
        }
        if let (Some(sum), Some(offset)) = (by_place.get_mut(place), offset) {
            *sum = Some(sum.unwrap_or(0).saturating_add(*offset));
        }
    }
    by_place
}

impl Live<'_> {
    /// Says how partitions fare that go on from elsewhere than before: at an epoch's end, now and then,
    /// and when the service stops. The rows wait with those of the epoch.
    pub(super) fn tell_health(&mut self, now: Instant) -> Result<(), LiveError> {
        let is_stopping = self.parts.stop.load(Ordering::Relaxed);
        let is_due = |at: Instant| now.saturating_duration_since(at) >= EVERY;
        if !is_stopping && !self.told.at.is_none_or(is_due) {
            return Ok(());
        }
        let Some(mind) = self.mind.as_mut() else { return Ok(()) };
        let offsets = summed(&mind.places.hold(&mind.order));
        let (at, watermark) = ((self.parts.wall)(), watermark(mind, self.upkeep.watermark));
        let others = || Partition { topic: intake::others(), number: 0 };
        let partitions = self.parts.source.partitions().iter().cloned();
        let partitions = intake::by_place(partitions, others);
        let mut rows = Vec::new();
        for (place, (partition, offset)) in partitions.into_iter().zip(offsets).enumerate() {
            // A row that does not move would take the place of the one before.
            let Some(offset) = offset.filter(|it| self.told.is_moved(place, *it)) else { continue };
            let Taken { events, findings, late, rejected, .. } = self.passed.intake.take(place);
            rows.push(Health {
                at,
                app: self.parts.app.clone(),
                worker: self.parts.worker.clone(),
                topic: partition.topic,
                partition: partition.number.unsigned_abs(),
                offset: offset.unsigned_abs(),
                watermark,
                events,
                findings,
                late,
                rejected,
            });
        }
        if rows.is_empty() {
            return Ok(());
        }
        self.told.at = Some(now);
        let rows = Health::rows(&rows).map_err(crate::keeper::KeeperError::from)?;
        Ok(self.parts.keeper.rows(Table::PipelineHealth, rows)?)
    }
}

/// The time up to which events were judged, as far as this process or the checkpoint knows.
fn watermark(mind: &Mind, watermark: Option<Time>) -> Time {
    watermark.or(mind.order.released()).unwrap_or(Time::from_ns(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_told_of_once_it_goes_on_from_elsewhere() {
        let mut told = Told::default();
        told.begin(&[Some(7), None]);
        let moves = [(0, 7), (0, 9), (0, 9), (1, 0), (1, 0), (5, 3)];
        let moved = moves.map(|(place, offset)| told.is_moved(place, offset));
        assert_eq!(moved, [false, true, false, true, false, true]);
    }

    #[test]
    fn partitions_beyond_the_limit_are_added_up() {
        let many = summed(&vec![Some(2); 1_030]);
        assert_eq!((many.len(), many[0], many[1_023]), (1_024, Some(2), Some(14)));
        assert_eq!(summed(&[None, Some(3)]), [None, Some(3)]);
    }
}

//! Batches of records that the broker hands out damaged: where one ends, so that reading goes on after it.

use super::lookout::{Lookout, Seen};
use super::{Fetched, METADATA_WAIT, Partition, Source, SourceError};
use crate::Chunk;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Whether the client says that a batch of records cannot be decoded. It does not say which.
pub(super) fn is_damage(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::BadCompression)
    )
}

impl Lookout {
    /// The offset after a damaged batch that begins at `from`, before the partition's end `high`;
    /// `None` if there is no damage.
    pub(super) fn end_of_damage(
        &self,
        partition: &Partition,
        from: i64,
        high: i64,
    ) -> Result<Option<i64>, KafkaError> {
        if from >= high || !self.is_damaged(partition, from)? {
            return Ok(None);
        }
        // Any offset in the batch brings the whole of it: first far enough, then back to its end.
        let (mut inside, mut step) = (from, 1);
        let mut after = loop {
            let offset = inside.saturating_add(step).min(high);
            if offset >= high || !self.is_damaged(partition, offset)? {
                break offset;
            }
            (inside, step) = (offset, step * 2);
        };
        while after - inside > 1 {
            let middle = inside + (after - inside) / 2;
            if self.is_damaged(partition, middle)? {
                inside = middle;
            } else {
                after = middle;
            }
        }
        Ok(Some(after))
    }

    /// Whether what stands at an offset cannot be decoded.
    fn is_damaged(&self, partition: &Partition, offset: i64) -> Result<bool, KafkaError> {
        Ok(matches!(self.look(partition, offset)?, Seen::Damage))
    }
}

impl Source {
    /// Goes on after batches that cannot be decoded, and says which offsets are lost.
    pub(super) fn skip_damage(&mut self) -> Result<Vec<Fetched>, SourceError> {
        let failed = |error| self.failed("looking for a damaged batch", &error);
        let lookout = Lookout::new(&self.config, self.client.bearer()).map_err(failed)?;
        let (mut skipped, mut ends) = (Vec::new(), Vec::new());
        for (place, partition) in (0..).zip(&self.partitions) {
            let (low, high) = self
                .reader
                .fetch_watermarks(&partition.topic, partition.number, METADATA_WAIT)
                .map_err(failed)?;
            let Some(position) = self.positions.get(place as usize) else { continue };
            let from = position.unwrap_or(low).max(low);
            if let Some(end) = lookout.end_of_damage(partition, from, high).map_err(failed)? {
                ends.push((place as usize, end));
                let chunk = Chunk { source: place, ..Chunk::default() };
                let damaged = Some((from, end));
                skipped.push(Fetched { chunk, next: end, damaged, ..Fetched::default() });
            }
        }
        let mut positions = self.positions.clone();
        for (place, end) in ends {
            if let Some(position) = positions.get_mut(place) {
                *position = Some(end);
            }
        }
        self.begin(&positions)?;
        Ok(skipped)
    }
}

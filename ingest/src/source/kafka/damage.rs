//! Batches of records that the broker hands out damaged: where one ends, so that reading goes on after it.

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::Duration;

use super::{Fetched, METADATA_WAIT, Partition, Source, SourceError, client_error};
use crate::Chunk;
use connect::kafka::Bearer;

/// How long one look at an offset may take; an error comes at once, a record nearly so.
const LOOK_WAIT: Duration = Duration::from_secs(2);

/// Whether the client says that a batch of records cannot be decoded. It does not say which.
pub(super) fn is_damage(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::BadCompression)
    )
}

/// A client that looks at single offsets.
struct Probe {
    consumer: BaseConsumer<Bearer>,
}

impl Probe {
    /// A client with the reader's settings.
    fn new(config: &ClientConfig, bearer: Bearer) -> Result<Self, KafkaError> {
        let consumer = config
            .clone()
            .set("enable.partition.eof", "true")
            .set("fetch.error.backoff.ms", "10")
            .set("fetch.wait.max.ms", "50")
            .create_with_context(bearer)?;
        Ok(Self { consumer })
    }

    /// The offset after a damaged batch that begins at `from`, before the partition's end `high`;
    /// `None` if there is no damage.
    fn end_of_damage(
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
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(offset))?;
        self.consumer.assign(&list)?;
        match self.consumer.poll(LOOK_WAIT) {
            Some(Err(error)) if is_damage(&error) => Ok(true),
            Some(Err(KafkaError::PartitionEOF(_)) | Ok(_)) | None => Ok(false),
            Some(Err(error)) => Err(error),
        }
    }
}

impl Source {
    /// Goes on after batches that cannot be decoded, and says which offsets are lost.
    pub(super) fn skip_damage(&mut self) -> Result<Vec<Fetched>, SourceError> {
        let failed = |error| client_error("looking for a damaged batch", &error);
        let probe = Probe::new(&self.config, self.client.bearer()).map_err(failed)?;
        let mut skipped = Vec::new();
        for (place, partition) in (0..).zip(&self.partitions) {
            let (low, high) = self
                .reader
                .fetch_watermarks(&partition.topic, partition.number, METADATA_WAIT)
                .map_err(failed)?;
            let Some(position) = self.positions.get_mut(place as usize) else { continue };
            let from = position.unwrap_or(low).max(low);
            if let Some(end) = probe.end_of_damage(partition, from, high).map_err(failed)? {
                *position = Some(end);
                let chunk = Chunk { source: place, ..Chunk::default() };
                let damaged = Some((from, end));
                skipped.push(Fetched { chunk, next: end, damaged, ..Fetched::default() });
            }
        }
        let positions = self.positions.clone();
        self.begin(&positions)?;
        Ok(skipped)
    }
}

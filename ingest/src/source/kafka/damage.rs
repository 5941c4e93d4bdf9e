//! Batches of records that the broker hands out damaged: where one ends, so that reading goes on after it.

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::time::Duration;

use super::Partition;

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
pub(super) struct Probe {
    consumer: BaseConsumer,
}

impl Probe {
    /// A client with the reader's settings.
    pub(super) fn new(config: &ClientConfig) -> Result<Self, KafkaError> {
        let consumer = config
            .clone()
            .set("enable.partition.eof", "true")
            .set("fetch.error.backoff.ms", "10")
            .set("fetch.wait.max.ms", "50")
            .create()?;
        Ok(Self { consumer })
    }

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

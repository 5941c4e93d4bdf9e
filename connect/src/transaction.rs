//! A producer whose records and the offsets that they came from are committed together, or not at all.

use crate::kafka::{Bearer, Client};
use crate::producer::{self, ProducerError};
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::fmt;
use std::time::Duration;

/// How long the brokers may take to say what a topic has.
const METADATA_WAIT: Duration = Duration::from_secs(10);
/// How long a step of a transaction may take.
const STEP_WAIT: Duration = Duration::from_secs(15);
/// How long the brokers keep an open transaction of a producer that died, in ms.
const TRANSACTION_TIMEOUT_MS: &str = "30000";
/// How long room in the queue is waited for, between two tries.
const ROOM_WAIT: Duration = Duration::from_millis(20);

/// A producer of transactions.
pub struct Transactions {
    producer: BaseProducer<Bearer>,
    client: Client,
}

impl fmt::Debug for Transactions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transactions").finish_non_exhaustive()
    }
}

/// Where a record goes.
#[derive(Clone, Copy, Debug)]
pub enum To<'a> {
    /// The partition that the key's hash names, as Kafka's own clients compute it.
    Key(&'a [u8]),
    /// This partition.
    Partition(i32),
    /// Any partition.
    Any,
}

impl Transactions {
    /// Connects as the producer `id`, which no other living one may have.
    ///
    /// # Errors
    ///
    /// No broker answers in time, or they do not allow transactions under this id.
    pub fn open(client: &Client, id: &str) -> Result<Self, KafkaError> {
        let producer: BaseProducer<Bearer> = client
            .config
            .clone()
            .set("transactional.id", id)
            .set("transaction.timeout.ms", TRANSACTION_TIMEOUT_MS)
            .set("linger.ms", "5")
            .set("compression.type", "lz4")
            .set("partitioner", "murmur2_random")
            .create_with_context(client.bearer())?;
        client.listen(|wait| producer.poll(wait));
        producer.init_transactions(STEP_WAIT)?;
        Ok(Self { producer, client: client.clone() })
    }

    /// The partitions of a topic that `setting` names.
    ///
    /// # Errors
    ///
    /// No broker answers within 10 s, or the topic is not there.
    pub fn partitions(&self, topic: &str, setting: &'static str) -> Result<i32, ProducerError> {
        let missing =
            |why: String| ProducerError::NoSuchTopic { topic: topic.to_owned(), setting, why };
        let metadata = self
            .producer
            .client()
            .fetch_metadata(Some(topic), METADATA_WAIT)
            .map_err(|error| producer::unreachable(&self.client, &error))?;
        let found = metadata.topics().iter().find(|it| it.name() == topic);
        if let Some(error) = found.and_then(MetadataTopic::error) {
            return Err(missing(format!("{:?}", RDKafkaErrorCode::from(error))));
        }
        let count = found.map_or(0, |it| it.partitions().len());
        if count == 0 {
            return Err(missing("the broker does not know it".to_owned()));
        }
        Ok(i32::try_from(count).unwrap_or(i32::MAX))
    }

    /// Begins a transaction.
    pub fn begin(&self) -> Result<(), KafkaError> {
        // Tokens are renewed when the client is asked for news.
        self.producer.poll(Duration::ZERO);
        self.producer.begin_transaction()
    }

    /// Adds a record to the transaction.
    pub fn send(
        &self,
        topic: &str,
        to: To<'_>,
        value: &[u8],
        headers: &[(&'static str, String)],
    ) -> Result<(), KafkaError> {
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).payload(value);
        if !headers.is_empty() {
            let mut all = OwnedHeaders::new_with_capacity(headers.len());
            for (key, value) in headers {
                all = all.insert(Header { key, value: Some(value.as_str()) });
            }
            record = record.headers(all);
        }
        match to {
            To::Key(key) => record.key = Some(key),
            To::Partition(partition) => record.partition = Some(partition),
            To::Any => {}
        }
        while let Err((error, back)) = self.producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error);
            }
            record = back;
            self.producer.poll(ROOM_WAIT);
        }
        Ok(())
    }

    /// Commits the transaction together with a group's offsets.
    ///
    /// # Errors
    ///
    /// It is not committed: this producer and its consumer are to be made anew.
    pub fn commit(
        &self,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), KafkaError> {
        self.producer.send_offsets_to_transaction(offsets, group, STEP_WAIT)?;
        self.producer.commit_transaction(STEP_WAIT)
    }

    /// Gives up the transaction.
    pub fn abort(&self) -> Result<(), KafkaError> {
        self.producer.abort_transaction(STEP_WAIT)
    }
}

//! A client beside the reader that looks at single offsets.

use super::damage::is_damage;
use super::{ASK_WAIT, Partition};
use connect::kafka::Bearer;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;

/// A client that looks at single offsets.
pub(super) struct Lookout {
    consumer: BaseConsumer<Bearer>,
}

/// What is found from an offset on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    /// A record.
    Record,
    /// A batch that cannot be decoded.
    Damage,
    /// Nothing: records that nobody is given, since their transaction was given up, and the marks of
    /// transactions are nothing too.
    End,
    /// No answer in time.
    Unknown,
}

impl Lookout {
    /// A client with the reader's settings.
    pub(super) fn new(config: &ClientConfig, bearer: Bearer) -> Result<Self, KafkaError> {
        let consumer = config
            .clone()
            .set("enable.partition.eof", "true")
            .set("fetch.error.backoff.ms", "10")
            .set("fetch.wait.max.ms", "50")
            .create_with_context(bearer)?;
        Ok(Self { consumer })
    }

    /// What is there from an offset on.
    pub(super) fn look(&self, partition: &Partition, offset: i64) -> Result<Seen, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(offset))?;
        self.consumer.assign(&list)?;
        match self.consumer.poll(ASK_WAIT) {
            Some(Err(error)) if is_damage(&error) => Ok(Seen::Damage),
            Some(Err(KafkaError::PartitionEOF(_))) => Ok(Seen::End),
            Some(Ok(_)) => Ok(Seen::Record),
            None => Ok(Seen::Unknown),
            Some(Err(error)) => Err(error),
        }
    }
}

/// Where partitions end for whoever reads them. The marks of transactions take offsets too, and so do
/// records of those that were given up, so that a reader's own place says nothing of them.
pub(super) struct Ends {
    config: ClientConfig,
    bearer: Bearer,
    /// Made when it is first needed.
    lookout: Option<Lookout>,
    /// Offsets at the end of each partition between which nothing is given to anybody.
    barren: BTreeMap<Partition, (i64, i64)>,
    /// Sees transactions that are open. Made when it is first needed.
    witness: Option<BaseConsumer<Bearer>>,
}

impl Ends {
    /// Knows nothing yet; `config` is the reader's.
    pub(super) fn new(config: &ClientConfig, bearer: Bearer) -> Self {
        Self {
            config: config.clone(),
            bearer,
            lookout: None,
            barren: BTreeMap::new(),
            witness: None,
        }
    }

    /// Whether no record stands between two offsets at the end of a partition. Where nobody answers
    /// in time one may.
    pub(super) fn is_reached(&mut self, partition: &Partition, next: i64, high: i64) -> bool {
        if next >= high || self.barren.get(partition) == Some(&(next, high)) {
            return true;
        }
        let made = || Lookout::new(&self.config, self.bearer.clone()).ok();
        self.lookout = self.lookout.take().or_else(made);
        let seen = self.lookout.as_ref().map(|it| it.look(partition, next));
        let is_end = matches!(seen, Some(Ok(Seen::End)));
        if is_end {
            self.barren.insert(partition.clone(), (next, high));
        }
        is_end
    }

    /// Whether a transaction is open at the end of a partition, of which `high` is what is committed;
    /// where nobody answers in time one may be.
    pub(super) fn is_open(&mut self, partition: &Partition, high: i64) -> bool {
        let mut config = self.config.clone();
        config.set("isolation.level", "read_uncommitted");
        let made = || config.create_with_context(self.bearer.clone()).ok();
        self.witness = self.witness.take().or_else(made);
        let ask = |it: &BaseConsumer<Bearer>| {
            it.fetch_watermarks(&partition.topic, partition.number, ASK_WAIT).ok()
        };
        self.witness.as_ref().and_then(ask).is_none_or(|(_, end)| end > high)
    }
}

//! A client beside the reader that looks at single offsets.

use super::damage::is_damage;
use super::{ASK_WAIT, Partition};
use connect::kafka::{Bearer, Client};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A transaction that is open for so long is one that hangs: it is not waited for any more.
const OPEN_MAX: Duration = Duration::from_mins(2);

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
        let seen = self.consumer.poll(ASK_WAIT);
        let seen = match seen {
            Some(Err(error)) if is_damage(&error) => Ok(Seen::Damage),
            Some(Err(KafkaError::PartitionEOF(_))) => Ok(Seen::End),
            Some(Ok(_)) => Ok(Seen::Record),
            None => Ok(Seen::Unknown),
            Some(Err(error)) => Err(error),
        };
        // It must not read on into a queue that nobody empties.
        self.consumer.unassign()?;
        seen
    }
}

/// Where partitions end for whoever reads them. The marks of transactions take offsets too, and so do
/// records of those that were given up, so that a reader's own place says nothing of them.
pub(super) struct Ends {
    config: ClientConfig,
    client: Client,
    /// Made when it is first needed.
    lookout: Option<Lookout>,
    /// What was found when each partition was last asked for.
    known: BTreeMap<Partition, Known>,
    /// Sees transactions that are open. Made when it is first needed.
    witness: Option<BaseConsumer<Bearer>>,
}

/// What is known of one partition's end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Known {
    next: i64,
    high: i64,
    /// Nothing is given to anybody between these two.
    is_barren: bool,
    /// Since when a transaction is open behind them.
    open: Option<Instant>,
}

impl Ends {
    /// Knows nothing yet; `config` is the reader's.
    pub(super) fn new(config: &ClientConfig, client: &Client) -> Self {
        let (config, client) = (config.clone(), client.clone());
        Self { config, client, lookout: None, known: BTreeMap::new(), witness: None }
    }

    /// Whether a partition has nothing more: no record between the offset `next` that a reader would
    /// read and the end of what is committed, `high`, and no transaction that is open behind it and
    /// has not been for too long. Where nobody answers in time it may have something.
    pub(super) fn is_reached(&mut self, partition: &Partition, next: i64, high: i64) -> bool {
        let before = self.known.get(partition).copied();
        let same = before.filter(|it| (it.next, it.high) == (next, high));
        let mut known = Known { next, high, is_barren: next >= high, open: None };
        if let Some(same) = same {
            known =
                Known { is_barren: known.is_barren || same.is_barren, open: same.open, ..known };
            // Whoever reads on brings these offsets by himself: only what stands still is looked at.
            if !known.is_barren {
                known.is_barren = self.look(partition, next);
            }
        }
        if known.is_barren {
            known.open = self.is_open(partition, high).then(|| known.open.unwrap_or_else(now));
        }
        self.known.insert(partition.clone(), known);
        let is_hung = |since: Instant| now().saturating_duration_since(since) >= OPEN_MAX;
        known.is_barren && known.open.is_none_or(is_hung)
    }

    fn look(&mut self, partition: &Partition, next: i64) -> bool {
        if self.lookout.is_none() {
            let made = Lookout::new(&self.config, self.client.bearer()).ok();
            if let Some(lookout) = &made {
                self.client.listen(|wait| drop(lookout.consumer.poll(wait)));
            }
            self.lookout = made;
        }
        let seen = self.lookout.as_ref().map(|it| it.look(partition, next));
        matches!(seen, Some(Ok(Seen::End)))
    }

    /// Whether a transaction is open at the end of a partition; where nobody answers one may be.
    fn is_open(&mut self, partition: &Partition, high: i64) -> bool {
        if self.witness.is_none() {
            let mut config = self.config.clone();
            config.set("isolation.level", "read_uncommitted");
            let made: Option<BaseConsumer<Bearer>> =
                config.create_with_context(self.client.bearer()).ok();
            if let Some(witness) = &made {
                self.client.listen(|wait| drop(witness.poll(wait)));
            }
            self.witness = made;
        }
        let Some(witness) = &self.witness else { return true };
        // Tokens are renewed when a client is polled.
        drop(witness.poll(Duration::ZERO));
        let ends = witness.fetch_watermarks(&partition.topic, partition.number, ASK_WAIT);
        ends.ok().is_none_or(|(_, end)| end > high)
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a transaction hangs is no event time")]
fn now() -> Instant {
    Instant::now()
}

//! The topics themselves: which partitions they have, where those begin and end, and how they grow.

use super::{
    BaseConsumer, COMMITTED_TRIES_MAX, Commit, CommitMode, Context, METADATA_WAIT, Offset,
    Partition, RDKafkaErrorCode, Receiver, Source, SourceError, Start, TRY_AGAIN_AFTER, Told,
    TopicPartitionList, client_error, is_refusal,
};
use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer as _, ConsumerContext, DefaultConsumerContext};

/// Where a partition begins and ends: what is kept of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bounds {
    /// The offset of its oldest record, or of its next where it has none.
    pub low: i64,
    /// The offset after its last record.
    pub high: i64,
}

/// A place in a topic that somebody chooses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Begin {
    /// One end of it.
    At(Start),
    /// The first record from so many milliseconds after 1970 on.
    FromMs(i64),
}

impl Source {
    /// Looks whether the topics have grown, and takes the new partitions in behind the others.
    ///
    /// # Errors
    ///
    /// No broker answers, or a topic or a partition is no longer there.
    pub fn look_again(&mut self) -> Result<bool, SourceError> {
        let now = partitions(&self.member, &self.topics, &self.servers, &self.told)?;
        if let Some(gone) = self.partitions.iter().find(|it| !now.contains(it)) {
            let (topic, number) = (gone.topic.clone(), gone.number);
            return Err(SourceError::NoSuchPartition { topic, number });
        }
        let before = self.partitions.len();
        self.partitions.extend(now.into_iter().filter(|it| !self.places.contains_key(it)));
        if self.partitions.len() > before {
            // The reader has a picture of the topics of its own, and knows no other partitions.
            partitions(&self.reader, &self.topics, &self.servers, &self.told)?;
        }
        self.number();
        Ok(self.partitions.len() > before)
    }

    /// Puts the partitions in an order: first these, then all others. Their places are what positions
    /// of events name, so that a topic that grows must not move them.
    pub fn arrange(&mut self, first: &[Partition]) {
        let place = |it: &Partition| first.iter().position(|one| one == it).unwrap_or(first.len());
        self.partitions.sort_by_cached_key(|it| (place(it), it.clone()));
        self.number();
    }

    fn number(&mut self) {
        self.places = (0..).zip(&self.partitions).map(|(place, it)| (it.clone(), place)).collect();
    }

    /// Where each partition begins and ends.
    ///
    /// # Errors
    ///
    /// A broker does not answer.
    pub fn bounds(&self) -> Result<Vec<Bounds>, SourceError> {
        self.partitions.iter().map(|partition| self.bounds_soon(partition)).collect()
    }

    /// A new partition may not have a leader yet; it has in a moment.
    fn bounds_soon(&self, partition: &Partition) -> Result<Bounds, SourceError> {
        let mut tries = 0;
        loop {
            match bounds_of(&self.reader, partition) {
                Err(_) if tries < COMMITTED_TRIES_MAX => tries += 1,
                answer => return answer,
            }
            std::thread::sleep(TRY_AGAIN_AFTER);
        }
    }
}

pub(super) fn bounds_of(
    reader: &BaseConsumer<Context>,
    partition: &Partition,
) -> Result<Bounds, SourceError> {
    let (low, high) = reader
        .fetch_watermarks(&partition.topic, partition.number, METADATA_WAIT)
        .map_err(|error| client_error("asking for a partition's end", &error))?;
    Ok(Bounds { low, high })
}

/// All partitions of the topics, sorted; an error says what the client said of it: why it cannot
/// connect it says in a callback, and else only that it cannot.
pub(super) fn partitions(
    consumer: &BaseConsumer<Context>,
    topics: &[String],
    servers: &str,
    told: &Receiver<Told>,
) -> Result<Vec<Partition>, SourceError> {
    partitions_of(consumer, topics, servers).map_err(|error| {
        let SourceError::Unreachable { servers, why } = error else { return error };
        let said = told.try_iter().filter_map(|told| match told {
            Told::Error(said) => Some(said),
            _ => None,
        });
        SourceError::Unreachable { servers, why: said.last().unwrap_or(why) }
    })
}

/// All partitions of some topics, sorted.
pub(super) fn partitions_of<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topics: &[String],
    servers: &str,
) -> Result<Vec<Partition>, SourceError> {
    let mut all = Vec::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), METADATA_WAIT).map_err(|error| {
            SourceError::Unreachable { servers: servers.to_owned(), why: error.to_string() }
        })?;
        let missing = |why: String| SourceError::NoSuchTopic { topic: topic.clone(), why };
        let found = metadata.topics().iter().find(|it| it.name() == topic);
        let found = found.ok_or_else(|| missing("the broker does not know it".to_owned()))?;
        if let Some(error) = found.error() {
            return Err(missing(format!("{:?}", RDKafkaErrorCode::from(error))));
        }
        let each = found.partitions().iter();
        all.extend(each.map(|it| Partition { topic: topic.clone(), number: it.id() }));
    }
    all.sort();
    Ok(all)
}

/// A group that nobody is in, to be told where to begin.
pub struct Group {
    client: BaseConsumer<DefaultConsumerContext>,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}

impl Group {
    /// A client that speaks of the group without joining it.
    ///
    /// # Errors
    ///
    /// A setting is refused.
    pub fn open(group: &str, client: &ClientConfig) -> Result<Self, SourceError> {
        let client = client
            .clone()
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .create()
            .map_err(|error| client_error("the group's client", &error))?;
        Ok(Self { client })
    }

    /// All partitions of the topics, each with the offset at a place that somebody chose.
    ///
    /// # Errors
    ///
    /// No broker answers, or a topic is not there.
    pub fn places(
        &self,
        topics: &[String],
        begin: Begin,
    ) -> Result<Vec<(Partition, i64)>, SourceError> {
        let mut all = Vec::new();
        for topic in topics {
            let metadata = self
                .client
                .fetch_metadata(Some(topic), METADATA_WAIT)
                .map_err(|error| client_error("asking for the topics", &error))?;
            let found = metadata.topics().iter().find(|it| it.name() == topic);
            let numbers = found
                .map(|it| it.partitions().iter().map(rdkafka::metadata::MetadataPartition::id));
            let numbers: Vec<i32> = numbers.into_iter().flatten().collect();
            if numbers.is_empty() {
                let why = "it has no partitions".to_owned();
                return Err(SourceError::NoSuchTopic { topic: topic.clone(), why });
            }
            for number in numbers {
                let partition = Partition { topic: topic.clone(), number };
                let offset = self.offset(&partition, begin)?;
                all.push((partition, offset));
            }
        }
        all.sort();
        Ok(all)
    }

    fn offset(&self, partition: &Partition, begin: Begin) -> Result<i64, SourceError> {
        let failed = |error| client_error("asking for a partition's offsets", &error);
        let (topic, number) = (&partition.topic, partition.number);
        let (low, high) =
            self.client.fetch_watermarks(topic, number, METADATA_WAIT).map_err(failed)?;
        let at = match begin {
            Begin::At(Start::Earliest) => return Ok(low),
            Begin::At(Start::Latest) => return Ok(high),
            Begin::FromMs(ms) => ms,
        };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, number, Offset::Offset(at)).map_err(failed)?;
        let found = self.client.offsets_for_times(list, METADATA_WAIT).map_err(failed)?;
        let found = found.find_partition(topic, number).map(|it| it.offset());
        // Where all records are older there is none yet.
        Ok(if let Some(Offset::Offset(offset)) = found { offset } else { high })
    }

    /// Whether the group has committed anything for these partitions.
    ///
    /// # Errors
    ///
    /// The coordinator does not answer.
    pub fn has_committed(&self, partitions: &[(Partition, i64)]) -> Result<bool, SourceError> {
        let mut list = TopicPartitionList::new();
        for (partition, _) in partitions {
            list.add_partition(&partition.topic, partition.number);
        }
        let list = self
            .client
            .committed_offsets(list, METADATA_WAIT)
            .map_err(|error| client_error("reading committed offsets", &error))?;
        Ok(list.elements().iter().any(|it| matches!(it.offset(), Offset::Offset(_))))
    }

    /// Commits offsets with `metadata` beside them; refused if the group has members.
    ///
    /// # Errors
    ///
    /// Anything but a refusal.
    pub fn commit(
        &self,
        places: &[(Partition, i64)],
        metadata: &str,
    ) -> Result<Commit, SourceError> {
        let failed = |error| client_error("committing", &error);
        let mut list = TopicPartitionList::new();
        for (partition, offset) in places {
            let mut element = list.add_partition(&partition.topic, partition.number);
            element.set_offset(Offset::Offset(*offset)).map_err(failed)?;
            element.set_metadata(metadata);
        }
        match self.client.commit(&list, CommitMode::Sync) {
            Ok(()) => Ok(Commit::Done),
            Err(error) if is_refusal(&error) => Ok(Commit::Refused),
            Err(error) => Err(failed(error)),
        }
    }
}

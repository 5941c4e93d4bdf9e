//! A group without members, to be told where to begin.

use super::{
    BaseConsumer, Client, Commit, CommitMode, METADATA_WAIT, Offset, Partition, SourceError, Start,
    TopicPartitionList, client_error, is_refusal,
};
use connect::kafka::Bearer;
use rdkafka::consumer::Consumer as _;

/// A place in a topic that somebody chooses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Begin {
    /// One end of it.
    At(Start),
    /// The first record from so many milliseconds after 1970 on.
    FromMs(i64),
}

/// A group that nobody is in, to be told where to begin.
pub struct Group {
    client: BaseConsumer<Bearer>,
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
    pub fn open(group: &str, client: &Client) -> Result<Self, SourceError> {
        let made: BaseConsumer<Bearer> = client
            .config
            .clone()
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .create_with_context(client.bearer())
            .map_err(|error| client_error("making the group's client", &error))?;
        client.listen(|wait| drop(made.poll(wait)));
        Ok(Self { client: made })
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

//! The topics themselves: which partitions they have, where those begin and end, and how they grow.

use super::places::Places;
use super::{
    ASK_WAIT, BaseConsumer, Client, KafkaError, METADATA_WAIT, Partition, Source, SourceError,
    Trouble,
};
use rdkafka::consumer::{Consumer as _, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::MetadataTopic;

/// Where a partition begins and ends: what is kept of it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bounds {
    /// The offset of its oldest record, or of its next where it has none.
    pub low: i64,
    /// The offset after its last record.
    pub high: i64,
}

impl Source {
    /// Looks whether the topics have grown, and takes the new partitions in behind the others.
    ///
    /// # Errors
    ///
    /// No broker answers, or a topic or a partition is no longer there.
    pub fn look_again(&mut self) -> Result<bool, SourceError> {
        let now = partitions_of(&self.member, &self.topics, &self.client)?;
        if let Some(gone) = self.partitions.iter().find(|it| !now.contains(it)) {
            let (topic, number) = (gone.topic.clone(), gone.number);
            return Err(SourceError::NoSuchPartition { topic, number });
        }
        let before = self.partitions.len();
        let is_new = |it: &Partition| self.places.get(&it.topic, it.number).is_none();
        self.partitions.extend(now.into_iter().filter(is_new));
        if self.partitions.len() > before {
            // The reader has a picture of the topics of its own, and knows no other partitions.
            partitions_of(&self.reader, &self.topics, &self.client)?;
        }
        self.number();
        Ok(self.partitions.len() > before)
    }

    /// Fails if a topic is no longer there; where nobody says so, it may be.
    pub(super) fn check_topics(&self) -> Result<(), SourceError> {
        for topic in &self.topics {
            let Ok(metadata) = self.member.fetch_metadata(Some(topic), ASK_WAIT) else { continue };
            let error = metadata.topics().iter().find_map(MetadataTopic::error);
            let error = error.map(RDKafkaErrorCode::from);
            if error == Some(RDKafkaErrorCode::UnknownTopicOrPartition) {
                return Err(SourceError::Gone { why: topic.clone() });
            }
        }
        Ok(())
    }

    /// Puts the partitions in an order: first these, then all others. Their places are what positions
    /// of events name, so that a topic that grows must not move them.
    pub fn arrange(&mut self, first: &[Partition]) {
        let place = |it: &Partition| first.iter().position(|one| one == it).unwrap_or(first.len());
        self.partitions.sort_by_cached_key(|it| (place(it), it.clone()));
        self.number();
    }

    fn number(&mut self) {
        self.places = Places::of(&self.partitions);
    }

    /// Where each partition begins and ends.
    ///
    /// # Errors
    ///
    /// A broker does not answer.
    pub fn bounds(&self) -> Result<Vec<Bounds>, SourceError> {
        let of = |partition: &Partition| {
            let (topic, number) = (&partition.topic, partition.number);
            let bounds = self.reader.fetch_watermarks(topic, number, METADATA_WAIT);
            let bounds = bounds.map_err(|it| self.failed("asking for a partition's end", &it));
            bounds.map(|(low, high)| Bounds { low, high })
        };
        self.partitions.iter().map(of).collect()
    }
}

/// All partitions of some topics, sorted.
pub(super) fn partitions_of<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topics: &[String],
    client: &Client,
) -> Result<Vec<Partition>, SourceError> {
    let mut all = Vec::new();
    for topic in topics {
        let metadata = consumer
            .fetch_metadata(Some(topic), METADATA_WAIT)
            .map_err(|error| SourceError::unreachable(client, Trouble::from_error(&error)))?;
        let missing = |why: String| SourceError::NoSuchTopic { topic: topic.clone(), why };
        let found = metadata.topics().iter().find(|it| it.name() == topic);
        let found = found.ok_or_else(|| missing("the broker does not know it".to_owned()))?;
        match found.error().map(RDKafkaErrorCode::from) {
            None => {}
            // A topic whose leader is being chosen has one in a moment.
            Some(code @ RDKafkaErrorCode::LeaderNotAvailable) => {
                let trouble = Trouble::from_error(&KafkaError::MetadataFetch(code));
                return Err(SourceError::unreachable(client, trouble));
            }
            Some(code) => return Err(missing(format!("{code:?}"))),
        }
        let each = found.partitions().iter();
        all.extend(each.map(|it| Partition { topic: topic.clone(), number: it.id() }));
    }
    all.sort();
    Ok(all)
}

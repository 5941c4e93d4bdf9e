//! Whether topics can be read, asked without joining the group and without leaving a trace.

use super::{COMMITTED_WAIT, METADATA_WAIT};
use super::{Client, Context, Partition, Settings, SourceError, TOLD_MAX, client_error, open};
use rdkafka::consumer::Consumer as _;
use rdkafka::consumer::base_consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

/// How often it is looked whether brokers have let us read, and for how long each time: 10 s in all.
const LOOKS_MAX: u32 = 100;
const LOOK: Duration = Duration::from_millis(100);

/// What was found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Found {
    /// The topics, each with its partitions and the offsets that they hold.
    pub topics: BTreeMap<String, Held>,
    /// Partitions of which the group has committed an offset.
    pub committed: usize,
}

/// What a topic holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Held {
    /// Its partitions.
    pub partitions: usize,
    /// Offsets from the oldest to the newest, which are about as many as records.
    pub records: u64,
}

/// Connects, sees that the topics are there, that they may be read, and that the group may be asked.
///
/// # Errors
///
/// Any of it fails; it takes at most 10 s for each step.
pub fn probe(settings: &Settings, client: &Client) -> Result<Found, SourceError> {
    let mut topics = settings.topics.clone();
    topics.sort();
    topics.dedup();
    if topics.is_empty() {
        return Err(SourceError::NoTopic);
    }
    let (tell, told) = sync_channel(TOLD_MAX);
    let reader: BaseConsumer<Context> = client
        .config
        .clone()
        .set("group.id", &settings.group_id)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .create_with_context(Context::new(tell, client.bearer(), false))
        .map_err(|error| client_error("making the reader", &error))?;
    let partitions = open::partitions(&reader, &topics, client, &told)?;
    let mut found = Found::default();
    let mut list = TopicPartitionList::new();
    for Partition { topic, number } in &partitions {
        let (low, high) = reader
            .fetch_watermarks(topic, *number, METADATA_WAIT)
            .map_err(|error| client_error("asking for a partition's end", &error))?;
        let held = found.topics.entry(topic.clone()).or_default();
        held.partitions += 1;
        held.records += u64::try_from(high - low).unwrap_or(0);
        list.add_partition(topic, *number);
    }
    let committed = reader
        .committed_offsets(list, COMMITTED_WAIT)
        .map_err(|error| client_error("asking what the group has committed", &error))?;
    let offsets = committed.elements().into_iter().map(|it| it.offset());
    found.committed = offsets.filter(|it| matches!(it, Offset::Offset(_))).count();
    // A topic at a time: what is said of an end names the partition's number alone.
    for topic in &topics {
        let mut own = TopicPartitionList::new();
        for partition in partitions.iter().filter(|it| it.topic == *topic) {
            own.add_partition_offset(topic, partition.number, Offset::End)
                .map_err(|error| client_error("assigning partitions", &error))?;
        }
        reader.assign(&own).map_err(|error| client_error("assigning partitions", &error))?;
        read_ends(&reader, own.count())?;
    }
    Ok(found)
}

/// Waits until a broker has answered a read at the end of each partition.
fn read_ends(reader: &BaseConsumer<Context>, partitions: usize) -> Result<(), SourceError> {
    let (mut read, mut said) = (BTreeSet::new(), "no answer came".to_owned());
    for _ in 0..LOOKS_MAX {
        match reader.poll(LOOK) {
            None => {}
            // Somebody writes: a record says as well as the end does that its partition is read.
            Some(Ok(record)) => drop(read.insert(record.partition())),
            Some(Err(KafkaError::PartitionEOF(number))) => drop(read.insert(number)),
            Some(Err(error)) if super::is_fatal(&error) => {
                return Err(client_error("reading", &error));
            }
            Some(Err(error)) => said = error.to_string(),
        }
        if read.len() >= partitions {
            return Ok(());
        }
    }
    Err(SourceError::Client { what: "reading", why: said })
}

//! The keys that are alive in a compacted topic, read from its beginning to the end that it has.

use crate::kafka::{Bearer, Client};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::metadata::MetadataTopic;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long the brokers may take to say what a topic has.
const METADATA_WAIT: Duration = Duration::from_secs(10);
/// How long a record is waited for, between two questions whether to go on.
const RECORD_WAIT: Duration = Duration::from_millis(100);
/// Records that are read: what is not compacted yet is read too.
const RECORDS_MAX: usize = 1_000_000;
/// Keys that are told of.
const KEYS_MAX: usize = 100_000;
/// Bytes of a key; nobody of ours writes longer ones.
const KEY_BYTES_MAX: usize = 16 * 1024;

/// The keys of a topic whose last record has a value.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Keys {
    /// They, as bytes.
    pub live: BTreeSet<Vec<u8>>,
    /// Whether they are all: the topic was read to its end, and had no more than there is room for.
    pub is_whole: bool,
}

impl Keys {
    /// Takes in the next record of a partition; whether there was room for it.
    fn take(&mut self, key: Option<&[u8]>, has_value: bool) -> bool {
        let Some(key) = key.filter(|it| it.len() <= KEY_BYTES_MAX) else { return true };
        if !has_value {
            self.live.remove(key);
        } else if !self.live.contains(key) {
            if self.live.len() >= KEYS_MAX {
                return false;
            }
            self.live.insert(key.to_vec());
        }
        true
    }
}

/// Reads a topic to its end, for as long as `goes_on` says so, without a place in `group`: a name
/// that the brokers' rights may be about.
///
/// # Errors
///
/// Nobody answers, the topic may not be read, or nothing came before reading had to end.
pub fn keys(
    client: &Client,
    topic: &str,
    group: &str,
    goes_on: impl Fn() -> bool,
) -> Result<Keys, KafkaError> {
    let reader: BaseConsumer<Bearer> = client
        .config
        .clone()
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .create_with_context(client.bearer())?;
    client.listen(|wait| drop(reader.poll(wait)));
    let metadata = reader.fetch_metadata(Some(topic), METADATA_WAIT)?;
    let found = metadata.topics().iter().find(|it| it.name() == topic);
    let mut list = TopicPartitionList::new();
    for partition in found.map(MetadataTopic::partitions).unwrap_or_default() {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    reader.assign(&list)?;
    read(&reader, list.count(), goes_on)
}

fn read(
    reader: &BaseConsumer<Bearer>,
    partitions: usize,
    goes_on: impl Fn() -> bool,
) -> Result<Keys, KafkaError> {
    let (mut keys, mut ended) = (Keys::default(), BTreeSet::new());
    let (mut has_room, mut last) = (true, None);
    for _ in 0..RECORDS_MAX {
        if ended.len() >= partitions {
            keys.is_whole = has_room;
            return Ok(keys);
        }
        if !goes_on() {
            break;
        }
        match reader.poll(RECORD_WAIT) {
            None => {}
            Some(Ok(record)) => has_room &= keys.take(record.key(), record.payload().is_some()),
            Some(Err(KafkaError::PartitionEOF(number))) => drop(ended.insert(number)),
            Some(Err(error)) if is_forbidden(&error) => return Err(error),
            Some(Err(error)) => last = Some(error),
        }
    }
    match last {
        Some(error) if keys.live.is_empty() => Err(error),
        _ => Ok(keys),
    }
}

fn is_forbidden(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::TopicAuthorizationFailed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lives_until_its_last_record_has_no_value() {
        let mut keys = Keys::default();
        for (key, has_value) in [("a", true), ("b", true), ("a", false), ("c", false), ("b", true)]
        {
            assert!(keys.take(Some(key.as_bytes()), has_value));
        }
        let long = vec![b'x'; KEY_BYTES_MAX + 1];
        assert!(keys.take(None, true) && keys.take(Some(long.as_slice()), true));
        assert_eq!(keys.live.into_iter().collect::<Vec<_>>(), [b"b".to_vec()]);
    }

    #[test]
    fn more_keys_than_there_is_room_for_are_said() {
        let mut keys = Keys::default();
        let key = |number: usize| number.to_be_bytes();
        let mut take = |number, has_value| keys.take(Some(key(number).as_slice()), has_value);
        assert!((0..KEYS_MAX).all(|number| take(number, true)));
        assert!(!take(KEYS_MAX, true));
        assert!(take(0, true), "what is known needs no room");
        assert!(take(0, false) && take(KEYS_MAX, true));
    }
}

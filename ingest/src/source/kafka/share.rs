//! A share of the topics: the partitions that the group gives to this process, read by several at once.

use super::{
    ASK_WAIT, Client, Context, Ends, Fetched, KafkaError, Partition, Patience, Settings,
    SourceError, Start, TOLD_MAX, Told, client_error, is_passing, open,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// Bytes and records that are handed on together.
const FETCH_BYTES_MAX: usize = 2 * 1024 * 1024;
const FETCH_RECORDS_MAX: usize = 10_000;

/// The share of one process.
pub struct Share {
    consumer: BaseConsumer<Context>,
    told: Receiver<Told>,
    patience: Patience,
    ends: Ends,
    start: Start,
    partitions: Vec<Partition>,
    places: BTreeMap<Partition, u32>,
    /// The next offset of each partition that was read since the last time it was asked for.
    read: BTreeMap<u32, i64>,
}

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Share").field("read", &self.read).finish_non_exhaustive()
    }
}

impl Share {
    /// Connects, sees that the topics are there, and joins the group.
    ///
    /// # Errors
    ///
    /// No broker answers within 10 s, a topic is missing, or a setting is refused.
    pub fn open(settings: &Settings, client: &Client) -> Result<Self, SourceError> {
        let mut topics = settings.topics.clone();
        topics.sort();
        topics.dedup();
        if topics.is_empty() {
            return Err(SourceError::NoTopic);
        }
        let failed = |error| client_error("joining the group", &error);
        let start = match settings.start {
            Start::Earliest => "earliest",
            Start::Latest => "latest",
        };
        let (tell, told) = sync_channel(TOLD_MAX);
        let mut config = client.config.clone();
        config
            .set("group.id", settings.first_stage())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("check.crcs", "true")
            .set("auto.offset.reset", start)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", settings.session_timeout_ms.to_string())
            .set("heartbeat.interval.ms", (settings.session_timeout_ms / 4).max(100).to_string());
        let context = Context::new(tell, client.bearer(), false);
        let consumer: BaseConsumer<Context> =
            config.create_with_context(context).map_err(failed)?;
        let partitions = open::partitions(&consumer, &topics, client, &told)?;
        open::check_group(&consumer, &partitions, client)?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(failed)?;
        let places = (0..).zip(&partitions).map(|(place, it)| (it.clone(), place)).collect();
        let patience = Patience::new(client);
        let (ends, start) = (Ends::new(&config, client.bearer()), settings.start);
        let read = BTreeMap::new();
        Ok(Self { consumer, told, patience, ends, start, partitions, places, read })
    }

    /// All partitions of the topics, sorted.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Records that are there, after `wait` at most for the first.
    ///
    /// # Errors
    ///
    /// The client gave up, or the brokers refuse it for long.
    pub fn fetch(&mut self, wait: Duration) -> Result<Vec<Fetched>, SourceError> {
        let mut fetched: BTreeMap<u32, Fetched> = BTreeMap::new();
        let (mut bytes, mut records) = (0, 0);
        while bytes < FETCH_BYTES_MAX && records < FETCH_RECORDS_MAX {
            let left = if records == 0 { wait } else { Duration::ZERO };
            let polled = self.consumer.poll(left);
            // Another process reads these again from where they were committed last.
            for place in hear(&self.told, &mut self.patience, &self.places) {
                fetched.remove(&place);
                self.read.remove(&place);
            }
            let message = match polled {
                Some(Ok(message)) => message,
                Some(Err(error)) if super::is_fatal(&error) => {
                    return Err(client_error("reading", &error));
                }
                // Nothing came, or the client tries again by itself, and a callback has said why.
                None | Some(Err(_)) => break,
            };
            let partition =
                Partition { topic: message.topic().to_owned(), number: message.partition() };
            let Some(place) = self.places.get(&partition) else { continue };
            let one = fetched.entry(*place).or_default();
            one.chunk.source = *place;
            one.add(message.payload().unwrap_or_default(), message.offset());
            self.read.insert(*place, one.next);
            bytes += message.payload_len();
            records += 1;
        }
        if records > 0 {
            self.patience.reset();
        }
        match self.patience.is_over(&[&self.consumer]) {
            Some(trouble) => Err(trouble),
            None => Ok(fetched.into_values().collect()),
        }
    }

    /// What the client complains of, each thing once a minute at most.
    pub fn complaint(&mut self) -> Option<String> {
        self.patience.complaint()
    }

    /// The partitions that this process has, by their places.
    pub fn assigned(&self) -> Result<Vec<u32>, SourceError> {
        let list =
            self.consumer.assignment().map_err(|it| client_error("asking the group", &it))?;
        let place = |topic: &str, number| {
            self.places.get(&Partition { topic: topic.to_owned(), number }).copied()
        };
        let mut all: Vec<u32> =
            list.elements().iter().filter_map(|it| place(it.topic(), it.partition())).collect();
        all.sort_unstable();
        Ok(all)
    }

    /// Whether a partition has nothing from `next` on, or from where the group has committed where
    /// that is `None`. Where nobody answers it may have something: of a partition whose last reader
    /// died within a transaction nobody is told what is committed before that has timed out.
    ///
    /// # Errors
    ///
    /// A broker says what does not pass.
    pub fn is_at_end(&mut self, place: u32, next: Option<i64>) -> Result<bool, SourceError> {
        let Some(partition) = self.partitions.get(place as usize) else { return Ok(true) };
        if self.patience.is_asked_in_vain() {
            return Ok(false);
        }
        let bounds = || -> Result<(Option<i64>, i64), KafkaError> {
            let next = match next {
                Some(next) => Some(next),
                None => self.committed(partition)?,
            };
            let (low, high) =
                self.consumer.fetch_watermarks(&partition.topic, partition.number, ASK_WAIT)?;
            Ok((next.or((self.start == Start::Earliest).then_some(low)), high))
        };
        match bounds() {
            Ok((Some(next), high)) => Ok(self.ends.is_reached(partition, next, high)),
            // It was silent, so that nothing came behind the end where reading began.
            Ok((None, _)) => Ok(true),
            Err(error) if is_passing(&error) => {
                self.patience.asked_in_vain();
                Ok(false)
            }
            Err(error) => Err(client_error("asking for a partition's end", &error)),
        }
    }

    fn committed(&self, partition: &Partition) -> Result<Option<i64>, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&partition.topic, partition.number);
        let committed = self.consumer.committed_offsets(list, ASK_WAIT)?;
        let found = committed.find_partition(&partition.topic, partition.number);
        Ok(found.and_then(|it| match it.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        }))
    }

    /// The offsets to commit for what was fetched since the last time.
    pub fn take_offsets(&mut self) -> Result<TopicPartitionList, SourceError> {
        let mut list = TopicPartitionList::new();
        for (place, next) in std::mem::take(&mut self.read) {
            let Some(partition) = self.partitions.get(place as usize) else { continue };
            list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(next))
                .map_err(|error| client_error("committing", &error))?;
        }
        Ok(list)
    }

    /// What fences a member that the group has given up.
    pub fn group_metadata(&self) -> Option<ConsumerGroupMetadata> {
        self.consumer.group_metadata()
    }
}

/// Takes in what the callbacks have said; the places that the group has taken away.
fn hear(
    told: &Receiver<Told>,
    patience: &mut Patience,
    places: &BTreeMap<Partition, u32>,
) -> Vec<u32> {
    let mut taken = Vec::new();
    for told in told.try_iter() {
        match told {
            Told::Revoked(partitions) => {
                taken.extend(partitions.iter().filter_map(|it| places.get(it)));
            }
            Told::Trouble(trouble) => patience.take(trouble),
            Told::Assigned(_) | Told::Stands(_) => {}
        }
    }
    taken
}

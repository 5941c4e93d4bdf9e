//! A share of the topics: the partitions that the group gives to this process, read by several at once.

use super::damage::is_damage;
use super::lookout::{Ends, Lookout};
use super::{
    ANSWER_BYTES_MAX, ASK_WAIT, Client, Context, Fetched, KafkaError, METADATA_WAIT,
    PARTITION_BYTES_MAX, Partition, Patience, Places, QUEUED_KBYTES_MAX, RECEIVED_BYTES_MAX,
    Settings, SourceError, Start, TOLD_MAX, Told, client_error, is_passing, open,
};
use crate::Chunk;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerGroupMetadata};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// How often the client asks for the topics anew, in milliseconds.
const METADATA_EVERY_MS: &str = "20000";
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
    places: Places,
    /// The next offset of each partition that was read since the last time it was asked for.
    read: BTreeMap<u32, i64>,
    /// The next offset of each partition that was read and handed over.
    next: BTreeMap<u32, i64>,
    /// Partitions whose first record since they were assigned was where the group had committed.
    begun: BTreeSet<u32>,
    config: ClientConfig,
    client: Client,
    /// The client met a batch that it cannot decode.
    is_suspect: bool,
    has_grown: bool,
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
            .set("receive.message.max.bytes", RECEIVED_BYTES_MAX)
            .set("queued.max.messages.kbytes", QUEUED_KBYTES_MAX)
            .set("fetch.max.bytes", ANSWER_BYTES_MAX)
            .set("max.partition.fetch.bytes", PARTITION_BYTES_MAX)
            .set("fetch.wait.max.ms", "50")
            .set("partition.assignment.strategy", "cooperative-sticky")
            // So soon it is seen that a topic has grown.
            .set("topic.metadata.refresh.interval.ms", METADATA_EVERY_MS)
            .set("session.timeout.ms", settings.session_timeout_ms.to_string())
            .set("heartbeat.interval.ms", (settings.session_timeout_ms / 4).max(100).to_string());
        let context = Context::new(tell, client.bearer(), false);
        let consumer: BaseConsumer<Context> =
            config.create_with_context(context).map_err(failed)?;
        let partitions = open::partitions(&consumer, &topics, client, &told)?;
        open::check_group(&consumer, &partitions, client)?;
        if settings.start == Start::Latest {
            pin(&consumer, &partitions)?;
        }
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(failed)?;
        let places = Places::of(&partitions);
        let patience = Patience::new(client);
        let (ends, start) = (Ends::new(&config, client), settings.start);
        Ok(Self {
            consumer,
            told,
            patience,
            ends,
            start,
            partitions,
            places,
            read: BTreeMap::new(),
            next: BTreeMap::new(),
            begun: BTreeSet::new(),
            config,
            client: client.clone(),
            is_suspect: false,
            has_grown: false,
        })
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
                self.next.remove(&place);
                self.begun.remove(&place);
            }
            let message = match polled {
                Some(Ok(message)) => message,
                Some(Err(error)) if super::is_fatal(&error) => {
                    return Err(client_error("reading", &error));
                }
                Some(Err(error)) if is_damage(&error) => {
                    self.is_suspect = true;
                    break;
                }
                // Nothing came, or the client tries again by itself, and a callback has said why.
                None | Some(Err(_)) => break,
            };
            let Some(place) = self.places.get(message.topic(), message.partition()) else {
                // A topic has grown: nothing of the new partition is passed over.
                self.has_grown = true;
                break;
            };
            if !self.begun.contains(&place) {
                let Some(partition) = self.partitions.get(place as usize) else { continue };
                let begins = begins(&self.consumer, partition, message.offset())?;
                if begins.is_some() {
                    self.begun.insert(place);
                }
                if begins != Some(true) {
                    break;
                }
            }
            let one = fetched.entry(place).or_default();
            one.chunk.source = place;
            one.add(message.payload().unwrap_or_default(), message.offset());
            self.read.insert(place, one.next);
            bytes += message.payload_len();
            records += 1;
        }
        if records > 0 {
            self.patience.reset();
        }
        if records == 0 && self.is_suspect {
            self.is_suspect = false;
            return self.skip_damage();
        }
        match self.patience.is_over(&[&self.consumer]) {
            Some(trouble) => Err(trouble),
            None => Ok(fetched.into_values().collect()),
        }
    }

    /// Goes on after batches that cannot be decoded, and says which offsets are lost.
    fn skip_damage(&mut self) -> Result<Vec<Fetched>, SourceError> {
        let failed = |error| client_error("looking for a damaged batch", &error);
        let mut skipped = Vec::new();
        let lookout = Lookout::new(&self.config, self.client.bearer()).map_err(failed)?;
        for place in self.assigned()? {
            let Some(partition) = self.partitions.get(place as usize) else { continue };
            let (topic, number) = (&partition.topic, partition.number);
            let bounds = self.consumer.fetch_watermarks(topic, number, ASK_WAIT);
            let (low, high) = bounds.map_err(failed)?;
            let from = match self.read.get(&place).or_else(|| self.next.get(&place)) {
                Some(next) => *next,
                None => committed(&self.consumer, partition).map_err(failed)?.unwrap_or(low),
            };
            let from = from.max(low);
            if let Some(end) = lookout.end_of_damage(partition, from, high).map_err(failed)? {
                let offset = Offset::Offset(end);
                self.consumer.seek(topic, number, offset, ASK_WAIT).map_err(failed)?;
                self.read.insert(place, end);
                let chunk = Chunk { source: place, ..Chunk::default() };
                let damaged = Some((from, end));
                skipped.push(Fetched { chunk, next: end, damaged, ..Fetched::default() });
            }
        }
        Ok(skipped)
    }

    /// Whether a topic has more partitions than when it was opened.
    pub const fn has_grown(&self) -> bool {
        self.has_grown
    }

    /// What the client complains of, each thing once a minute at most.
    pub fn complaint(&mut self) -> Option<String> {
        self.patience.complaint()
    }

    /// The partitions that this process has, by their places.
    pub fn assigned(&self) -> Result<Vec<u32>, SourceError> {
        let list =
            self.consumer.assignment().map_err(|it| client_error("asking the group", &it))?;
        let place = |topic: &str, number| self.places.get(topic, number);
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
                None => committed(&self.consumer, partition)?,
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

    /// The offsets to commit for what was fetched since the last time.
    pub fn take_offsets(&mut self) -> Result<TopicPartitionList, SourceError> {
        let mut list = TopicPartitionList::new();
        for (place, next) in std::mem::take(&mut self.read) {
            self.next.insert(place, next);
            let Some(partition) = self.partitions.get(place as usize) else { continue };
            list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(next))
                .map_err(|error| client_error("committing", &error))?;
        }
        Ok(list)
    }

    /// What fences a member that the group has given up; `None` if it has already.
    ///
    /// A member that lost its place forgets its id, and at times its generation: an offset commit of
    /// a transaction without both is fenced by nobody. Whoever has the metadata of after that moment
    /// has also lost the assignment, which is asked for last.
    pub fn group_metadata(&self) -> Option<ConsumerGroupMetadata> {
        let metadata = self.consumer.group_metadata()?;
        (!self.consumer.assignment_lost()).then_some(metadata)
    }
}

/// The next offset that the group has committed for a partition.
fn committed(
    consumer: &BaseConsumer<Context>,
    partition: &Partition,
) -> Result<Option<i64>, KafkaError> {
    let mut list = TopicPartitionList::new();
    list.add_partition(&partition.topic, partition.number);
    let committed = consumer.committed_offsets(list, ASK_WAIT)?;
    let found = committed.find_partition(&partition.topic, partition.number);
    Ok(found.and_then(|it| match it.offset() {
        Offset::Offset(offset) => Some(offset),
        _ => None,
    }))
}

/// Whether the first record since a partition was assigned is where the group has committed: if not,
/// reading goes on there. `None` if nobody says; then the record comes again.
///
/// Where a dead process's transaction is pending, librdkafka 2.12 may begin with `auto.offset.reset`
/// though an offset is committed: the group's word counts.
fn begins(
    consumer: &BaseConsumer<Context>,
    partition: &Partition,
    offset: i64,
) -> Result<Option<bool>, SourceError> {
    let committed = committed(consumer, partition).ok();
    let right = committed.flatten().unwrap_or(offset);
    let is_right = committed.map(|_| right == offset);
    if is_right != Some(true) {
        consumer
            .seek(&partition.topic, partition.number, Offset::Offset(right), ASK_WAIT)
            .map_err(|error| client_error("going where the group is", &error))?;
    }
    Ok(is_right)
}

/// Takes in what the callbacks have said; the places that the group has taken away.
fn hear(told: &Receiver<Told>, patience: &mut Patience, places: &Places) -> Vec<u32> {
    let mut taken = Vec::new();
    for told in told.try_iter() {
        match told {
            Told::Revoked(partitions) => {
                let place = |it: &Partition| places.get(&it.topic, it.number);
                taken.extend(partitions.iter().filter_map(place));
            }
            Told::Trouble(trouble) => patience.take(trouble),
            Told::Assigned(_) | Told::Stands(_) => {}
        }
    }
    taken
}

/// Commits the end of each partition of which nothing is committed yet: what comes before the first
/// record that this process reads must not be behind the end of another start.
fn pin(consumer: &BaseConsumer<Context>, partitions: &[Partition]) -> Result<(), SourceError> {
    let failed = |error| client_error("committing where reading begins", &error);
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&partition.topic, partition.number);
    }
    let committed = consumer.committed_offsets(list, METADATA_WAIT).map_err(failed)?;
    let mut ends = TopicPartitionList::new();
    for it in committed.elements() {
        if !matches!(it.offset(), Offset::Offset(_)) {
            let (topic, number) = (it.topic(), it.partition());
            let bounds = consumer.fetch_watermarks(topic, number, METADATA_WAIT);
            let (_, high) = bounds.map_err(failed)?;
            ends.add_partition_offset(topic, number, Offset::Offset(high)).map_err(failed)?;
        }
    }
    if ends.count() == 0 {
        return Ok(());
    }
    match consumer.commit(&ends, CommitMode::Sync) {
        // A group with members has somebody who did so before.
        Err(error) if super::is_refusal(&error) => Ok(()),
        done => done.map_err(failed),
    }
}

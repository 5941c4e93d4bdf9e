//! Kafka: topics of access logs, read by the one process that leads the group.
//!
//! Gateways do not key their topics by identity, so that one process must see all partitions. The
//! group decides which one: whoever is assigned partition 0 of the first topic leads and reads all
//! partitions with a consumer of its own, outside the group; the others stand by. Offsets are
//! committed by the group's member, so that the coordinator refuses those of a leader that no
//! longer is one.

mod damage;
mod error;
pub mod probe;
mod share;
mod standing;
mod topics;

pub use topics::{Begin, Bounds, Group};

use crate::Chunk;
use damage::Probe;
pub use error::SourceError;
use error::{client_error, is_fatal, is_refusal};

pub use share::Share;

use rdkafka::client::ClientContext;
use rdkafka::consumer::base_consumer::BaseConsumer;
use rdkafka::consumer::{CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::{ClientConfig, Statistics};
use serde::{Deserialize, Serialize};
use standing::{Said, Standing};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// How long a broker may take to say what a topic has.
const METADATA_WAIT: Duration = Duration::from_secs(10);
/// How long the coordinator may take to say what is committed.
const COMMITTED_WAIT: Duration = Duration::from_secs(10);
/// What the client's callbacks may say between two looks at it; it is looked at many times a second.
const TOLD_MAX: usize = 1_024;
/// How often the coordinator is asked again, and after how long.
const COMMITTED_TRIES_MAX: u32 = 10;
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Bytes of records that are handed on together.
const FETCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Records that are handed on together.
const FETCH_RECORDS_MAX: usize = 20_000;
/// Bytes of records that librdkafka holds ahead of us, in kilobytes.
const QUEUED_KBYTES_MAX: &str = "65536";

/// Where a group that has committed nothing begins.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// With the oldest record that is kept.
    #[default]
    Earliest,
    /// With the next record that is written.
    Latest,
}

/// Which topics are read, and in whose name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Topics of access logs.
    pub topics: Vec<String>,
    /// Files and globs that are followed instead of topics.
    pub files: Vec<String>,
    /// The consumer group: processes of one group share the work of one reader, and stand by for it.
    pub group_id: String,
    /// Where a group that has committed nothing begins.
    pub start: Start,
    /// The topic of events between the two stages; empty for the group's name with `.events`.
    pub events_topic: String,
    /// After how long without a sign a leader is replaced, in milliseconds.
    pub session_timeout_ms: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            topics: Vec::new(),
            files: Vec::new(),
            group_id: "habitus".to_owned(),
            start: Start::Earliest,
            events_topic: String::new(),
            session_timeout_ms: 10_000,
        }
    }
}

impl Settings {
    /// The topic of events between the two stages.
    pub fn events(&self) -> String {
        match self.events_topic.as_str() {
            "" => format!("{}.events", self.group_id),
            topic => topic.to_owned(),
        }
    }
}

/// One partition of a topic; its place in the list of all is the source's number in positions.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Partition {
    /// The topic.
    pub topic: String,
    /// The partition's number in it.
    pub number: i32,
}

/// What the group has committed for a partition.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Committed {
    /// The next offset to read; `None` if nothing was committed.
    pub offset: Option<i64>,
    /// What was written beside it.
    pub metadata: String,
}

/// Records of one partition, as lines.
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    /// The lines; [`Chunk::source`] is the partition's place in the list, lines count from 0.
    pub chunk: Chunk,
    /// The offset of each line.
    pub offsets: Vec<i64>,
    /// The offset after the last record.
    pub next: i64,
    /// The offsets of records without a value.
    pub empty: Vec<i64>,
    /// Offsets that are lost, because the broker holds a damaged batch there: the first, and the
    /// first after them.
    pub damaged: Option<(i64, i64)>,
    /// Records of the topic between the stages, with their offsets: no lines, but as
    /// [`crate::wire`] has them.
    pub wire: Vec<(i64, Vec<u8>)>,
}

/// What happened next.
#[derive(Debug)]
pub enum Next {
    /// This process leads now: here is where each partition stands. [`Source::begin`] starts reading.
    Lead(Vec<Committed>),
    /// Another process leads: whatever was not committed is void.
    Lost,
    /// Records; none if nothing came in time.
    Records(Vec<Fetched>),
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Commit {
    /// It is done.
    Done,
    /// The coordinator refused it: this process no longer leads, and what it did since is void.
    Refused,
}

#[derive(Debug)]
enum Told {
    Assigned(Vec<Partition>),
    Revoked,
    Error(String),
    Stands(Said),
}

struct Context {
    tell: SyncSender<Told>,
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        // Whoever no longer listens has stopped reading.
        self.tell.try_send(Told::Error(format!("{error}: {reason}"))).ok();
    }

    fn stats(&self, statistics: Statistics) {
        self.tell.try_send(Told::Stands(Said::from(statistics))).ok();
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(_) = rebalance {
            self.tell.try_send(Told::Revoked).ok();
        }
    }

    fn post_rebalance(&self, member: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            // The member only holds the place; the reader reads.
            if let Err(error) = member.pause(list) {
                self.tell.try_send(Told::Error(format!("cannot pause: {error}"))).ok();
            }
            let each = list.elements().into_iter();
            let assigned =
                each.map(|it| Partition { topic: it.topic().to_owned(), number: it.partition() });
            self.tell.try_send(Told::Assigned(assigned.collect())).ok();
        }
    }
}

/// The topics, as one process of a group sees them.
pub struct Source {
    member: BaseConsumer<Context>,
    reader: BaseConsumer<Context>,
    told: Receiver<Told>,
    topics: Vec<String>,
    /// The brokers, as errors name them.
    servers: String,
    partitions: Vec<Partition>,
    /// Whoever is assigned this one leads.
    leader: Option<Partition>,
    places: BTreeMap<Partition, u32>,
    /// The offset of the next record of each partition, once one was read or it was said.
    positions: Vec<Option<i64>>,
    /// The reader's settings.
    config: ClientConfig,
    /// The client met a batch that it cannot decode.
    is_suspect: bool,
    start: Start,
    /// Its records are not lines but events of the first stage.
    is_wire: bool,
    is_leading: bool,
    /// The client's last complaint.
    complaint: Option<String>,
    standing: Standing,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("partitions", &self.partitions)
            .field("is_leading", &self.is_leading)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Connects, sees that the topics are there, and joins the group.
    ///
    /// # Errors
    ///
    /// No broker answers within 10 s, a topic is missing, or a setting is refused.
    pub fn open(settings: &Settings, client: &ClientConfig) -> Result<Self, SourceError> {
        let mut topics = settings.topics.clone();
        topics.sort();
        topics.dedup();
        if topics.is_empty() {
            return Err(SourceError::NoTopic);
        }
        let (tell, told) = sync_channel(TOLD_MAX);
        let mut config = client.clone();
        config
            .set("group.id", &settings.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("check.crcs", "true")
            .set("statistics.interval.ms", standing::EVERY_MS)
            .set("auto.offset.reset", "error")
            .set("session.timeout.ms", settings.session_timeout_ms.to_string())
            .set("heartbeat.interval.ms", (settings.session_timeout_ms / 4).max(100).to_string());
        let made = |what: &'static str| {
            move |error: KafkaError| SourceError::Client { what, why: error.to_string() }
        };
        // The leader is whoever has the first partition, so that an assignment is all or nothing.
        let member: BaseConsumer<Context> = config
            .clone()
            .set("partition.assignment.strategy", "range")
            // It reads nothing, so that it need not mind where.
            .set("auto.offset.reset", "latest")
            .create_with_context(Context { tell: tell.clone() })
            .map_err(made("the group's member"))?;
        let servers = client.get("bootstrap.servers").unwrap_or_default().to_owned();
        let partitions = topics::partitions(&member, &topics, &servers, &told)?;
        config
            .set("fetch.queue.backoff.ms", "50")
            .set("queued.max.messages.kbytes", QUEUED_KBYTES_MAX)
            .set("fetch.wait.max.ms", "50");
        let reader: BaseConsumer<Context> =
            config.create_with_context(Context { tell }).map_err(made("the reader"))?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        member.subscribe(&names).map_err(made("joining the group"))?;
        let places = (0..).zip(&partitions).map(|(place, it)| (it.clone(), place)).collect();
        let leader = partitions.first().cloned();
        Ok(Self {
            member,
            reader,
            told,
            positions: vec![None; partitions.len()],
            topics,
            servers,
            partitions,
            leader,
            places,
            config,
            is_suspect: false,
            start: settings.start,
            is_wire: false,
            is_leading: false,
            complaint: None,
            standing: Standing::default(),
        })
    }

    /// The topic of events of the first stage, as one process of a group sees it.
    ///
    /// # Errors
    ///
    /// As [`Source::open`].
    pub fn open_events(settings: &Settings, client: &ClientConfig) -> Result<Self, SourceError> {
        let settings = Settings { topics: vec![settings.events()], ..settings.clone() };
        Ok(Self { is_wire: true, ..Self::open(&settings, client)? })
    }

    /// All partitions of the topics, by their places.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// The client's last complaint, once.
    pub fn complaint(&mut self) -> Option<String> {
        self.complaint.take()
    }

    /// Waits at most `wait` for what happens next.
    ///
    /// # Errors
    ///
    /// The coordinator does not say what is committed, or the client gave up.
    pub fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        let idle = if self.is_leading { Duration::ZERO } else { wait };
        if let Some(Err(error)) = self.member.poll(idle) {
            self.complaint = Some(error.to_string());
        }
        if let Some(next) = self.hear()? {
            return Ok(next);
        }
        if !self.is_leading {
            return Ok(Next::Records(Vec::new()));
        }
        if self.is_suspect {
            self.is_suspect = false;
            return self.skip_damage().map(Next::Records);
        }
        self.fetch(wait).map(Next::Records)
    }

    /// What the group decided since the last time, if it concerns who leads.
    fn hear(&mut self) -> Result<Option<Next>, SourceError> {
        while let Ok(told) = self.told.try_recv() {
            match told {
                Told::Error(complaint) => self.complaint = Some(complaint),
                Told::Stands(said) => self.stands(said),
                Told::Assigned(assigned) => {
                    self.standing.assignments += 1;
                    let leads = self.leader.as_ref().is_some_and(|it| assigned.contains(it));
                    if leads && !self.is_leading {
                        self.look_again()?;
                        let committed = self.committed()?;
                        self.is_leading = true;
                        return Ok(Some(Next::Lead(committed)));
                    }
                }
                Told::Revoked if self.is_leading => {
                    self.stop()?;
                    return Ok(Some(Next::Lost));
                }
                Told::Revoked => {}
            }
        }
        Ok(None)
    }

    /// Starts reading each partition from an offset; where there is none, from the start that the
    /// settings name.
    pub fn begin(&mut self, offsets: &[Option<i64>]) -> Result<(), SourceError> {
        self.positions = offsets.to_vec();
        let mut list = TopicPartitionList::new();
        for (partition, offset) in self.partitions.iter().zip(offsets) {
            let offset = match (offset, self.start) {
                (Some(offset), _) => Offset::Offset(*offset),
                (None, Start::Earliest) => Offset::Beginning,
                (None, Start::Latest) => Offset::End,
            };
            list.add_partition_offset(&partition.topic, partition.number, offset)
                .map_err(|error| client_error("assigning partitions", &error))?;
        }
        self.reader.assign(&list).map_err(|error| client_error("assigning partitions", &error))
    }

    /// Stops reading, until [`Source::begin`] is called again.
    pub fn pause(&mut self) -> Result<(), SourceError> {
        self.reader.unassign().map_err(|error| client_error("giving up partitions", &error))
    }

    /// Stops reading, until this process leads again.
    fn stop(&mut self) -> Result<(), SourceError> {
        self.is_leading = false;
        self.pause()
    }

    /// Commits the next offset of each partition, with `metadata` beside them, and waits for it.
    ///
    /// # Errors
    ///
    /// Anything but a refusal: the commit may or may not have been done, and may be tried again.
    pub fn commit(&mut self, next: &[Option<i64>], metadata: &str) -> Result<Commit, SourceError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in self.partitions.iter().zip(next) {
            let Some(offset) = offset else { continue };
            let mut element = list.add_partition(&partition.topic, partition.number);
            element
                .set_offset(Offset::Offset(*offset))
                .map_err(|error| client_error("committing", &error))?;
            element.set_metadata(metadata);
        }
        match self.member.commit(&list, CommitMode::Sync) {
            Ok(()) => Ok(Commit::Done),
            Err(error) if is_refusal(&error) => {
                self.stop()?;
                Ok(Commit::Refused)
            }
            Err(error) => Err(client_error("committing", &error)),
        }
    }

    /// Whether a partition has nothing from `next` on, or nothing at all where that is `None`.
    pub fn is_at_end(&self, place: usize, next: Option<i64>) -> Result<bool, SourceError> {
        let Some(partition) = self.partitions.get(place) else { return Ok(true) };
        let Bounds { low, high } = topics::bounds_of(&self.reader, partition)?;
        if let Some(next) = next.filter(|next| *next > high) {
            let (topic, number) = (partition.topic.clone(), partition.number);
            return Err(SourceError::Cut { topic, number, high, next });
        }
        // The end of a transaction takes an offset too, which nobody is given.
        Ok(next.map_or(low == high, |next| high - next <= 1))
    }

    /// Stays in the group for `wait` without reading; says whether another process leads now.
    pub fn stay(&mut self, wait: Duration) -> Result<Next, SourceError> {
        if let Some(Err(error)) = self.member.poll(wait) {
            self.complaint = Some(error.to_string());
        }
        Ok(self.hear()?.unwrap_or(Next::Records(Vec::new())))
    }

    /// What the group has committed, for each partition.
    ///
    /// # Errors
    ///
    /// The coordinator does not say.
    pub fn committed(&self) -> Result<Vec<Committed>, SourceError> {
        let mut list = TopicPartitionList::new();
        for partition in &self.partitions {
            list.add_partition(&partition.topic, partition.number);
        }
        let mut tries = 0;
        let list = loop {
            match self.member.committed_offsets(list.clone(), COMMITTED_WAIT) {
                Ok(list) => break list,
                // The coordinator may be moving; it is found again in a moment.
                Err(_) if tries < COMMITTED_TRIES_MAX => tries += 1,
                Err(error) => return Err(client_error("reading committed offsets", &error)),
            }
            std::thread::sleep(TRY_AGAIN_AFTER);
        };
        let of = |partition: &Partition| {
            let element = list.find_partition(&partition.topic, partition.number)?;
            let Offset::Offset(offset) = element.offset() else { return None };
            Some(Committed { offset: Some(offset), metadata: element.metadata().to_owned() })
        };
        Ok(self.partitions.iter().map(|it| of(it).unwrap_or_default()).collect())
    }

    /// Records that are there, after `wait` at most for the first.
    fn fetch(&mut self, wait: Duration) -> Result<Vec<Fetched>, SourceError> {
        let mut fetched: BTreeMap<u32, Fetched> = BTreeMap::new();
        let (mut bytes, mut records) = (0, 0);
        while bytes < FETCH_BYTES_MAX && records < FETCH_RECORDS_MAX {
            let left = if records == 0 { wait } else { Duration::ZERO };
            let message = match self.reader.poll(left) {
                None => break,
                Some(Ok(message)) => message,
                Some(Err(error)) if is_fatal(&error) => {
                    return Err(client_error("reading", &error));
                }
                Some(Err(error)) if damage::is_damage(&error) => {
                    self.is_suspect = true;
                    break;
                }
                Some(Err(error)) => {
                    self.complaint = Some(error.to_string());
                    break;
                }
            };
            let partition =
                Partition { topic: message.topic().to_owned(), number: message.partition() };
            let Some(place) = self.places.get(&partition) else { continue };
            let one = fetched.entry(*place).or_default();
            one.chunk.source = *place;
            let payload = message.payload().unwrap_or_default();
            if self.is_wire {
                one.wire.push((message.offset(), payload.to_vec()));
                one.next = message.offset() + 1;
            } else {
                one.add(payload, message.offset());
            }
            if let Some(position) = self.positions.get_mut(*place as usize) {
                *position = Some(one.next);
            }
            bytes += message.payload_len();
            records += 1;
        }
        Ok(fetched.into_values().collect())
    }

    /// Goes on after batches that cannot be decoded, and says which offsets are lost.
    fn skip_damage(&mut self) -> Result<Vec<Fetched>, SourceError> {
        let failed = |error| client_error("looking for a damaged batch", &error);
        let probe = Probe::new(&self.config).map_err(failed)?;
        let mut skipped = Vec::new();
        for (place, partition) in (0..).zip(&self.partitions) {
            let (low, high) = self
                .reader
                .fetch_watermarks(&partition.topic, partition.number, METADATA_WAIT)
                .map_err(failed)?;
            let Some(position) = self.positions.get_mut(place as usize) else { continue };
            let from = position.unwrap_or(low).max(low);
            if let Some(end) = probe.end_of_damage(partition, from, high).map_err(failed)? {
                *position = Some(end);
                let chunk = Chunk { source: place, ..Chunk::default() };
                let damaged = Some((from, end));
                skipped.push(Fetched { chunk, next: end, damaged, ..Fetched::default() });
            }
        }
        let positions = self.positions.clone();
        self.begin(&positions)?;
        Ok(skipped)
    }
}

impl Fetched {
    /// Adds a record: its lines, each with the record's offset.
    pub fn add(&mut self, record: &[u8], offset: i64) {
        self.next = offset + 1;
        let before = self.offsets.len();
        for line in record.split(|byte| *byte == b'\n').filter(|it| !it.trim_ascii().is_empty()) {
            if !self.offsets.is_empty() {
                self.chunk.bytes.push(b'\n');
            }
            if line.len() > model::limit::LINE_BYTES_MAX {
                self.chunk.oversize.push((self.offsets.len() as u64, line.len() as u64));
            } else {
                self.chunk.bytes.extend_from_slice(line);
            }
            self.offsets.push(offset);
        }
        if self.offsets.len() == before {
            self.empty.push(offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_may_hold_several_lines_or_none() {
        let mut fetched = Fetched::default();
        fetched.add(b"{\"a\":1}", 7);
        fetched.add(b"one\r\ntwo\n\n", 8);
        fetched.add(b"", 9);
        fetched.add(&vec![b'x'; model::limit::LINE_BYTES_MAX + 1], 10);
        fetched.add(b"last", 11);
        assert_eq!(fetched.chunk.bytes, b"{\"a\":1}\none\r\ntwo\n\nlast");
        assert_eq!(fetched.offsets, [7, 8, 8, 10, 11]);
        assert_eq!(fetched.chunk.oversize, [(3, model::limit::LINE_BYTES_MAX as u64 + 1)]);
        assert_eq!((fetched.next, fetched.empty), (12, vec![9]));
    }

    #[test]
    fn no_topic_is_said_before_anything_connects() {
        let error = Source::open(&Settings::default(), &ClientConfig::new()).unwrap_err();
        assert!(matches!(error, SourceError::NoTopic));
    }
}

//! Kafka: topics of access logs, read by the one process that leads the group.
//!
//! Gateways do not key their topics by identity, so that one process must see all partitions. The
//! group decides which one: whoever is assigned partition 0 of the first topic leads and reads all
//! partitions with a consumer of its own, outside the group; the others stand by. Offsets are
//! committed by the group's member, so that the coordinator refuses those of a leader that no
//! longer is one.

mod context;
mod damage;
mod error;
mod fetched;
mod group;
mod lookout;
mod open;
mod patience;
mod places;
pub mod probe;
mod settings;
mod share;
mod standing;
mod topics;

pub use error::SourceError;
pub use fetched::Fetched;
pub use group::{Begin, Group};
pub use settings::{Settings, Start};
pub use share::Share;
pub use topics::Bounds;

use connect::kafka::{Client, Trouble};
use context::{Context, Told};
use error::{client_error, is_fatal, is_gone, is_passing, is_refusal};
use lookout::Ends;
use patience::Patience;
use places::Places;
use rdkafka::ClientConfig;
use rdkafka::consumer::base_consumer::BaseConsumer;
use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use standing::Standing;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// How long a broker may take to say where a partition ends, and whether a topic is still there.
const ASK_WAIT: Duration = Duration::from_secs(2);
/// How long a broker may take to say what a topic has.
const METADATA_WAIT: Duration = Duration::from_secs(10);
/// How long the coordinator may take to say what is committed.
const COMMITTED_WAIT: Duration = Duration::from_secs(10);
/// What the client's callbacks may say between two looks at it; it is looked at many times a second.
const TOLD_MAX: usize = 1_024;
/// After how long brokers that did not answer are asked again.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Bytes of records that are handed on together.
const FETCH_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Records that are handed on together: not many more than the processor has at hand.
const FETCH_RECORDS_MAX: usize = 5_000;
/// Bytes of records that librdkafka holds ahead of us, in kilobytes.
const QUEUED_KBYTES_MAX: &str = "65536";
/// Bytes that a broker is asked for at once, of all partitions and of one. A larger record comes
/// alone.
const ANSWER_BYTES_MAX: &str = "16777216";
const PARTITION_BYTES_MAX: &str = "1048576";
/// How long a member may be busy elsewhere, in milliseconds.
const POLL_INTERVAL_MS: &str = "1800000";
/// Bytes of a broker's answer that are taken at all, and of a batch that is unpacked with zstd.
const RECEIVED_BYTES_MAX: &str = "67108864";

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
    /// Nobody answered: it may or may not have been done, and is to be tried again.
    Away,
}

/// What the group wants of this process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    /// Nothing: another process leads.
    StandingBy,
    /// To lead, which it does as soon as it knows from where.
    Called,
    /// To lead, and it does.
    Leading,
}

/// The topics, as one process of a group sees them.
pub struct Source {
    member: BaseConsumer<Context>,
    reader: BaseConsumer<Context>,
    told: Receiver<Told>,
    topics: Vec<String>,
    client: Client,
    partitions: Vec<Partition>,
    /// Whoever is assigned this one leads.
    leader: Option<Partition>,
    places: Places,
    /// The offset of the next record of each partition, once one was read or it was said.
    positions: Vec<Option<i64>>,
    /// The reader's settings.
    config: ClientConfig,
    /// The client met a batch that it cannot decode.
    is_suspect: bool,
    start: Start,
    /// Its records are not lines but events of the first stage.
    is_wire: bool,
    role: Role,
    patience: Patience,
    standing: Standing,
    ends: Ends,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("partitions", &self.partitions)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Connects, sees that the topics are there, and joins the group.
    ///
    /// # Errors
    ///
    /// No broker answers within 10 s or all refuse, a topic is missing, or a setting is refused.
    pub fn open(settings: &Settings, client: &Client) -> Result<Self, SourceError> {
        let mut topics = settings.topics.clone();
        topics.sort();
        topics.dedup();
        if topics.is_empty() {
            return Err(SourceError::NoTopic);
        }
        let (tell, told) = sync_channel(TOLD_MAX);
        let context = |holds_only| Context::new(tell.clone(), client.bearer(), holds_only);
        let mut config = client.config.clone();
        config
            .set("group.id", &settings.group_id)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("check.crcs", "true")
            .set("statistics.interval.ms", standing::EVERY_MS)
            .set("auto.offset.reset", "error")
            .set("receive.message.max.bytes", RECEIVED_BYTES_MAX)
            .set("session.timeout.ms", settings.session_timeout_ms.to_string())
            .set("heartbeat.interval.ms", (settings.session_timeout_ms / 4).max(100).to_string());
        let made = |what| move |error: KafkaError| client_error(what, &error);
        // The leader is whoever has the first partition, so that an assignment is all or nothing.
        let member: BaseConsumer<Context> = config
            .clone()
            .set("partition.assignment.strategy", "range")
            // An insert into a store that hangs takes its time, and another leader would hang too; of a
            // process that is gone the session tells.
            .set("max.poll.interval.ms", POLL_INTERVAL_MS)
            // It reads nothing, so that it need not mind where.
            .set("auto.offset.reset", "latest")
            .create_with_context(context(true))
            .map_err(made("making the group's member"))?;
        let partitions = open::partitions(&member, &topics, client, &told)?;
        open::check_group(&member, &partitions, client)?;
        config
            .set("fetch.queue.backoff.ms", "50")
            .set("queued.max.messages.kbytes", QUEUED_KBYTES_MAX)
            .set("fetch.max.bytes", ANSWER_BYTES_MAX)
            .set("max.partition.fetch.bytes", PARTITION_BYTES_MAX)
            .set("fetch.wait.max.ms", "50");
        let ends = Ends::new(&config, client);
        let reader: BaseConsumer<Context> =
            config.create_with_context(context(false)).map_err(made("making the reader"))?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        member.subscribe(&names).map_err(made("joining the group"))?;
        let places = Places::of(&partitions);
        let leader = partitions.first().cloned();
        Ok(Self {
            member,
            reader,
            told,
            positions: vec![None; partitions.len()],
            topics,
            client: client.clone(),
            partitions,
            leader,
            places,
            config,
            is_suspect: false,
            start: settings.start,
            is_wire: false,
            role: Role::StandingBy,
            patience: Patience::new(client),
            standing: Standing::default(),
            ends,
        })
    }

    /// The topic of events of the first stage, as one process of a group sees it.
    ///
    /// # Errors
    ///
    /// As [`Source::open`].
    pub fn open_events(settings: &Settings, client: &Client) -> Result<Self, SourceError> {
        let settings = Settings { topics: vec![settings.events()], ..settings.clone() };
        Ok(Self { is_wire: true, ..Self::open(&settings, client)? })
    }

    /// All partitions of the topics, by their places.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// What the client complains of, each thing once a minute at most.
    pub fn complaint(&mut self) -> Option<String> {
        self.patience.complaint()
    }

    /// Waits at most `wait` for what happens next.
    ///
    /// # Errors
    ///
    /// The coordinator does not say what is committed, or the client gave up.
    pub fn next(&mut self, wait: Duration) -> Result<Next, SourceError> {
        let idle = if self.role == Role::Leading { Duration::ZERO } else { wait };
        self.poll_member(idle)?;
        if self.role != Role::Leading {
            // It has nothing to read, but tokens to renew and troubles to tell.
            drop(self.reader.poll(Duration::ZERO));
        }
        if let Some(next) = self.hear()? {
            return Ok(next);
        }
        if self.role != Role::Leading {
            return Ok(Next::Records(Vec::new()));
        }
        if self.is_suspect {
            return match self.skip_damage() {
                Err(error) if error.is_passing() => Ok(Next::Records(Vec::new())),
                skipped => {
                    self.is_suspect = false;
                    skipped.map(Next::Records)
                }
            };
        }
        self.fetch(wait).map(Next::Records)
    }

    /// What the group decided since the last time, if it concerns who leads.
    fn hear(&mut self) -> Result<Option<Next>, SourceError> {
        while let Ok(told) = self.told.try_recv() {
            match told {
                Told::Trouble(trouble) => self.patience.take(trouble),
                Told::Stands(said) => self.stands(said),
                Told::Assigned(assigned) => {
                    self.standing.assignments += 1;
                    let leads = self.leader.as_ref().is_some_and(|it| assigned.contains(it));
                    if leads && self.role == Role::StandingBy {
                        self.role = Role::Called;
                    }
                }
                Told::Revoked(_) if self.role != Role::StandingBy => {
                    self.stop()?;
                    self.check_topics()?;
                    return Ok(Some(Next::Lost));
                }
                Told::Revoked(_) => {}
            }
        }
        if self.role != Role::Called {
            return Ok(None);
        }
        let asked = self.look_again().and_then(|_| self.committed());
        match asked {
            Ok(committed) => {
                self.role = Role::Leading;
                Ok(Some(Next::Lead(committed)))
            }
            // Brokers that do not answer are asked again; the group may call somebody else meanwhile.
            Err(error) if error.is_passing() => {
                std::thread::sleep(TRY_AGAIN_AFTER);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What the group called this process to could not be done: [`Next::Lead`] comes again.
    pub fn ask_again(&mut self) {
        if self.role == Role::Leading {
            self.role = Role::Called;
        }
    }

    /// Whether a partition of which nothing was read begins at its end.
    pub fn starts_latest(&self) -> bool {
        self.start == Start::Latest
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
        self.role = Role::StandingBy;
        self.pause()
    }

    /// Commits the next offset of each partition, with `metadata` beside them, and waits for it.
    ///
    /// # Errors
    ///
    /// Anything but a refusal and what passes.
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
            Ok(()) => {
                self.patience.reset();
                Ok(Commit::Done)
            }
            Err(error) if is_refusal(&error) => {
                self.stop()?;
                Ok(Commit::Refused)
            }
            Err(error) if is_passing(&error) => {
                self.patience.take(Trouble::from_error(&error));
                Ok(Commit::Away)
            }
            Err(error) => Err(client_error("committing", &error)),
        }
    }

    /// Whether a partition has nothing from `next` on, or nothing at all where that is `None`. Where
    /// nobody answers it may have something.
    ///
    /// # Errors
    ///
    /// It ends before `next`, or a broker says what does not pass.
    pub fn is_at_end(&mut self, place: usize, next: Option<i64>) -> Result<bool, SourceError> {
        let Some(partition) = self.partitions.get(place) else { return Ok(true) };
        let (topic, number) = (&partition.topic, partition.number);
        if self.patience.is_asked_in_vain() {
            return Ok(false);
        }
        match self.reader.fetch_watermarks(topic, number, ASK_WAIT) {
            Ok((_, high)) if next.is_some_and(|next| next > high) => {
                let (topic, next) = (topic.clone(), next.unwrap_or(high));
                Err(SourceError::Cut { topic, number, high, next })
            }
            // It was silent, so that nothing came behind the end where reading began.
            Ok(_) if next.is_none() && self.start == Start::Latest => Ok(true),
            Ok((low, high)) => Ok(self.ends.is_reached(partition, next.unwrap_or(low), high)),
            Err(error) if is_passing(&error) => {
                self.patience.asked_in_vain();
                self.patience.take(Trouble::from_error(&error));
                Ok(false)
            }
            // A client that is connecting anew knows of no partitions for a moment.
            Err(error) if is_gone(&error) => self.check_topics().map(|()| false),
            Err(error) => Err(client_error("asking for a partition's end", &error)),
        }
    }

    /// Stays in the group for `wait` without reading; says whether another process leads now.
    pub fn stay(&mut self, wait: Duration) -> Result<Next, SourceError> {
        self.poll_member(wait)?;
        Ok(self.hear()?.unwrap_or(Next::Records(Vec::new())))
    }

    /// What an error means of a question to the brokers: whether it passes.
    fn failed(&self, what: &'static str, error: &KafkaError) -> SourceError {
        if is_gone(error)
            && let Err(gone) = self.check_topics()
        {
            return gone;
        }
        if is_passing(error) || is_gone(error) {
            return SourceError::unreachable(&self.client, Trouble::from_error(error));
        }
        client_error(what, error)
    }

    fn poll_member(&mut self, wait: Duration) -> Result<(), SourceError> {
        if let Some(Err(error)) = self.member.poll(wait)
            && is_gone(&error)
        {
            self.check_topics()?;
        }
        // Whatever else it was, a callback has said it too, and why.
        match self.patience.is_over(&[&self.member, &self.reader]) {
            Some(trouble) => Err(trouble),
            None => Ok(()),
        }
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
        let asked = self.member.committed_offsets(list, COMMITTED_WAIT);
        let list = asked.map_err(|error| self.failed("reading committed offsets", &error))?;
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
                Some(Ok(message)) => message,
                Some(Err(error)) if is_fatal(&error) => {
                    return Err(client_error("reading", &error));
                }
                Some(Err(error)) if damage::is_damage(&error) => {
                    self.is_suspect = true;
                    break;
                }
                // An error that passes: a callback has said it too, and why.
                None | Some(Err(_)) => break,
            };
            let found = self.places.get(message.topic(), message.partition());
            let Some(place) = found else { continue };
            let one = fetched.entry(place).or_default();
            one.chunk.source = place;
            let payload = message.payload().unwrap_or_default();
            if self.is_wire {
                one.wire.push((message.offset(), payload.to_vec()));
                one.next = message.offset() + 1;
            } else {
                one.add(payload, message.offset());
            }
            if let Some(position) = self.positions.get_mut(place as usize) {
                *position = Some(one.next);
            }
            bytes += message.payload_len();
            records += 1;
        }
        if records > 0 {
            self.patience.reset();
        }
        Ok(fetched.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_topic_is_said_before_anything_connects() {
        let kafka = connect::kafka::Settings {
            bootstrap_servers: vec!["localhost:9092".to_owned()],
            ..connect::kafka::Settings::default()
        };
        let client = kafka.client().unwrap();
        let error = Source::open(&Settings::default(), &client).unwrap_err();
        assert!(matches!(error, SourceError::NoTopic));
    }
}

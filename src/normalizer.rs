//! The first stage alone: records of any topic become events of one, keyed by identity.
//!
//! Several processes share the partitions. Events, dead letters, how far each partition got, and the
//! offsets that all this came from are one transaction, so that a process that dies anywhere leaves
//! neither a gap nor a double.

use crate::live::breaker::Breaker;
use crate::live::reading::{self, Read};
use crate::live::{AHEAD_MAX_NS, GROWTH_LOOK_EVERY, LiveError, POISON_PAUSE, SILENT_AFTER};
use crate::operation::Operation;
use crate::operation::health::State as Doing;
use crate::operation::metrics::Metric;
use crate::workers;
use connect::kafka::Client;
use connect::{KafkaError, ProducerError, To, Transactions};
use ingest::format::FormatId;
use ingest::parse::Parser;
use ingest::source::kafka::{Fetched, Settings, Share};
use ingest::wire::{self, Front};
use model::{Text, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long records are waited for before anything else is looked after.
const WAIT: Duration = Duration::from_millis(100);
/// Times that it begins anew after a transaction failed, with nothing done in between.
const ATTEMPTS_MAX: u32 = 10;
/// How long is waited before that.
const ATTEMPT_PAUSE: Duration = Duration::from_secs(1);
/// How long brokers that do not answer are left alone.
const BROKER_PAUSE: Duration = Duration::from_secs(5);

/// What the stage is made of.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) source: Settings,
    pub(crate) client: Client,
    /// The topic of events.
    pub(crate) events_topic: String,
    /// The topic of dead letters; empty to count them only.
    pub(crate) dead_letter_topic: String,
    pub(crate) poison_share_max: f64,
    pub(crate) format: Option<FormatId>,
    pub(crate) parser: &'a Parser,
    pub(crate) threads: usize,
    /// A name that no other process has.
    pub(crate) id: String,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) operation: Arc<Operation>,
    pub(crate) wall: fn() -> Time,
}

/// What the stage did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) events: u64,
    pub(crate) rejected: u64,
    pub(crate) dead_letters: u64,
    pub(crate) ahead: u64,
    pub(crate) transactions: u64,
}

/// How far one partition got.
#[derive(Debug)]
struct Stand {
    front: Option<Time>,
    next: Option<i64>,
    heard: Instant,
    is_idle: bool,
}

/// Clients of one life; a failed transaction ends it.
#[derive(Debug)]
struct Life {
    share: Share,
    transactions: Transactions,
    /// Partitions of the events' topic.
    width: i32,
    stands: BTreeMap<u32, Stand>,
    /// When it was last asked how many partitions the topic of events has.
    looked: Instant,
}

/// Why a life ends.
#[derive(Debug)]
enum End {
    /// It was told to.
    Stopped,
    /// A transaction failed: what it held is read again.
    Failed(KafkaError),
    /// Most of what came is no event.
    Poisoned,
    /// A topic has more partitions than before.
    Grown,
}

/// The running stage.
#[derive(Debug)]
pub(crate) struct Normalizer<'a> {
    parts: Parts<'a>,
    breaker: Breaker,
    done: Done,
}

impl<'a> Normalizer<'a> {
    pub(crate) fn new(parts: Parts<'a>) -> Self {
        Self { breaker: Breaker::new(parts.poison_share_max), parts, done: Done::default() }
    }

    /// Runs until it is told to stop.
    pub(crate) fn run(mut self, now: fn() -> Instant) -> Result<Done, LiveError> {
        let mut attempts = 0;
        let mut is_first = true;
        loop {
            let before = self.done.transactions;
            let mut life = match self.begin(now()) {
                Ok(life) => life,
                // Whoever has read once waits for brokers that are away.
                Err(error) if !is_first && error.is_passing() => {
                    crate::operation::log::warn(&format!("waiting: {error}"));
                    if self.waits(BROKER_PAUSE, now) {
                        continue;
                    }
                    return Ok(self.done);
                }
                Err(error) => return Err(error),
            };
            is_first = false;
            let pause = match self.live(&mut life, now)? {
                End::Stopped => return Ok(self.done),
                End::Poisoned => POISON_PAUSE,
                End::Grown => {
                    crate::note("a topic has grown");
                    Duration::ZERO
                }
                End::Failed(error) => {
                    attempts = if self.done.transactions > before { 1 } else { attempts + 1 };
                    if attempts >= ATTEMPTS_MAX {
                        let topic = self.parts.events_topic.clone();
                        let why = error.to_string();
                        return Err(ProducerError::Undelivered { topic, count: 0, why }.into());
                    }
                    crate::note(&format!("a transaction failed, and is begun anew: {error}"));
                    ATTEMPT_PAUSE
                }
            };
            drop(life);
            if !self.waits(pause, now) {
                return Ok(self.done);
            }
        }
    }

    /// Waits; whether it is to go on then.
    fn waits(&self, pause: Duration, now: fn() -> Instant) -> bool {
        let until = now() + pause;
        while now() < until {
            if self.parts.stop.load(Ordering::Relaxed) {
                return false;
            }
            self.parts.operation.health.turn();
            std::thread::sleep(WAIT);
        }
        true
    }

    fn begin(&self, now: Instant) -> Result<Life, LiveError> {
        let parts = &self.parts;
        let share = Share::open(&parts.source, &parts.client)?;
        let refused = |error: KafkaError| ProducerError::Undelivered {
            topic: parts.events_topic.clone(),
            count: 0,
            why: error.to_string(),
        };
        let transactions = Transactions::open(&parts.client, &parts.id).map_err(refused)?;
        let width = transactions.partitions(&parts.events_topic, "source.events_topic")?;
        if !parts.dead_letter_topic.is_empty() {
            transactions.partitions(&parts.dead_letter_topic, "run.dead_letter_topic")?;
        }
        Ok(Life { share, transactions, width, stands: BTreeMap::new(), looked: now })
    }

    fn live(&mut self, life: &mut Life, now: fn() -> Instant) -> Result<End, LiveError> {
        while !self.parts.stop.load(Ordering::Relaxed) {
            self.look_after(life)?;
            let fetched = life.share.fetch(WAIT)?;
            if life.share.has_grown() || life.has_events_grown(now(), &self.parts.events_topic) {
                return Ok(End::Grown);
            }
            if let Some(complaint) = life.share.complaint() {
                self.parts.operation.metrics.add(Metric::Complaints, &[], 1);
                let complaint = crate::render::plain(&complaint);
                crate::operation::log::warn(&format!("Kafka says: {complaint}"));
            }
            let read = self.read(fetched);
            let moment = now();
            let counts = |count: fn(&Read) -> u64| read.iter().map(count).sum::<u64>();
            let records = counts(|it| it.parsed.records);
            let rejects = counts(|it| it.parsed.rejects.harmful());
            if let Some((share, of)) = self.breaker.see(moment, records, rejects) {
                self.breaker.reset();
                let rejects = read.iter().flat_map(|it| it.parsed.rejects.iter());
                let most = rejects.map(|(reason, count)| (count, reason.as_str())).max();
                let most = most.map_or("", |(_, reason)| reason);
                crate::operation::log::warn(&crate::live::poisoned(share, of, most));
                self.parts.operation.health.enter(Doing::HeldBack);
                return Ok(End::Poisoned);
            }
            let fronts = life.fronts(&read, moment)?;
            if read.is_empty() && fronts.is_empty() {
                continue;
            }
            let Some(group) = life.share.group_metadata() else {
                return Ok(End::Failed(KafkaError::Canceled));
            };
            let offsets = life.share.take_offsets()?;
            let sent = self.send(life, &read, &fronts);
            crate::hold("sent");
            if let Err(error) = sent.and_then(|()| life.transactions.commit(&offsets, &group)) {
                // It fails too where the transaction was given up already.
                life.transactions.abort().ok();
                return Ok(End::Failed(error));
            }
            crate::hold("transacted");
            self.count(&read);
        }
        Ok(End::Stopped)
    }

    /// Once a turn: the loop lives, and the metrics are of now.
    fn look_after(&self, life: &Life) -> Result<(), LiveError> {
        let (health, metrics) = (&self.parts.operation.health, &self.parts.operation.metrics);
        health.turn();
        let reads = !life.share.assigned()?.is_empty();
        if reads {
            // Whoever has partitions has heard from the group.
            health.broker_answered();
        }
        health.enter(if reads { Doing::Leading } else { Doing::StandingBy });
        metrics.set(Metric::Events, &[], self.done.events as i64);
        metrics.set(Metric::Ahead, &[], self.done.ahead as i64);
        metrics.set(Metric::Epochs, &[], self.done.transactions as i64);
        Ok(())
    }

    fn read(&self, fetched: Vec<Fetched>) -> Vec<Read> {
        let latest = (self.parts.wall)().plus(AHEAD_MAX_NS);
        let (parser, format) = (self.parts.parser, self.parts.format);
        let read = |one: Fetched| reading::read(parser, format, one, latest);
        let threads = self.parts.threads;
        let parts = fetched.into_iter().flat_map(|one| one.into_parts(threads)).collect();
        workers::run(threads, parts, read)
    }

    /// Adds events, dead letters and fronts to a transaction.
    fn send(&self, life: &Life, read: &[Read], fronts: &[Front]) -> Result<(), KafkaError> {
        let parts = &self.parts;
        life.transactions.begin()?;
        for Read { fetched, parsed, .. } in read {
            for event in &parsed.batch.events {
                let key = parsed.batch.text(event, Text::PrincipalId).unwrap_or("");
                let record = wire::event(&parsed.batch, event);
                let to = To::Key(key.as_bytes());
                life.transactions.send(&parts.events_topic, to, &record, &[])?;
            }
            let partition = life.share.partitions().get(fetched.chunk.source as usize);
            let Some(partition) = partition.filter(|_| !parts.dead_letter_topic.is_empty()) else {
                continue;
            };
            for sample in parsed.rejects.samples() {
                let headers = crate::live::dead_letters::headers(partition, sample);
                let value = sample.excerpt.as_bytes();
                life.transactions.send(&parts.dead_letter_topic, To::Any, value, &headers)?;
            }
        }
        for front in fronts {
            let record = wire::front(front);
            for partition in 0..life.width {
                let to = To::Partition(partition);
                life.transactions.send(&parts.events_topic, to, &record, &[])?;
            }
        }
        Ok(())
    }

    fn count(&mut self, read: &[Read]) {
        self.done.transactions += 1;
        for Read { parsed, ahead, .. } in read {
            self.done.events += parsed.batch.events.len() as u64;
            self.done.rejected += parsed.rejects.total();
            self.done.ahead += ahead;
            if !self.parts.dead_letter_topic.is_empty() {
                self.done.dead_letters += parsed.rejects.samples().len() as u64;
            }
        }
    }
}

impl Life {
    /// Whether the topic of events has more partitions than are told how far reading got.
    fn has_events_grown(&mut self, now: Instant, topic: &str) -> bool {
        if now.saturating_duration_since(self.looked) < GROWTH_LOOK_EVERY {
            return false;
        }
        self.looked = now;
        let width = self.transactions.partitions(topic, "source.events_topic");
        width.is_ok_and(|width| width > self.width)
    }

    /// How far this process's partitions got, where that is news.
    fn fronts(&mut self, read: &[Read], now: Instant) -> Result<Vec<Front>, LiveError> {
        let stand = || Stand { front: None, next: None, heard: now, is_idle: false };
        let mut news = Vec::new();
        for Read { fetched, parsed, .. } in read {
            let place = fetched.chunk.source;
            let stand = self.stands.entry(place).or_insert_with(stand);
            stand.front = stand.front.max(parsed.front());
            stand.next = Some(fetched.next);
            stand.heard = now;
            stand.is_idle = false;
            news.push(place);
        }
        let assigned = self.share.assigned()?;
        self.stands.retain(|place, _| assigned.contains(place));
        for place in assigned {
            let stand = self.stands.entry(place).or_insert_with(stand);
            let is_silent = now.saturating_duration_since(stand.heard) >= SILENT_AFTER;
            if is_silent && !stand.is_idle {
                stand.heard = now;
                stand.is_idle = self.share.is_at_end(place, stand.next)?;
                if stand.is_idle {
                    news.push(place);
                }
            }
        }
        let partitions = self.share.partitions();
        let of = partitions.len() as u32;
        let front = |place: u32| {
            let (partition, stand) = (partitions.get(place as usize)?, self.stands.get(&place)?);
            Some(Front {
                topic: partition.topic.clone(),
                partition: partition.number,
                time_ns: stand.front.map(Time::ns),
                is_idle: stand.is_idle,
                of,
            })
        };
        Ok(news.into_iter().filter_map(front).collect())
    }
}

//! The deny feed: beside detection, on a thread of its own, kept up from what the store holds.
//!
//! Whatever was told before, and by which process, the store alone says whom to deny: so a restart,
//! feedback, forgetting and another process that takes over need nothing of their own.

use super::TOPIC;
use super::deny::{Found, List, entry_text, is_key, key_text};
use crate::columns::{numbers, texts};
use crate::commands::{Failure, Setting};
use crate::operation::health::State;
use crate::operation::metrics::Metric;
use crate::operation::{Operation, log};
use crate::render::plain;
use connect::kafka::Client;
use connect::{Producer, Record, compacted};
use hyper::body::Bytes;
use model::time::{NS_PER_D, NS_PER_S};
use model::{PrincipalType, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use store::{Mark, Question, Reader, Value};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// How often the store is asked where nothing was found: after so long feedback shows.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How often it is asked while something critical is found again and again.
const WAKE_EVERY: Duration = Duration::from_secs(1);
/// How often a directory is asked that is as it was: what was said of a finding may be over.
const ASK_ANYWAY: Duration = Duration::from_mins(1);
/// How often it is looked whether something was found.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Findings that are read; further ones, which are older, are left out.
const FOUND_MAX: usize = 20_000;
/// How long the topic may take to say what lies there when this process begins to lead.
const READ_MAX: Duration = Duration::from_secs(30);
/// How long ago an entry may have expired that a topic is told of when this process begins to lead.
const GONE_NS: i64 = 7 * NS_PER_D;
/// Nanoseconds in one microsecond.
const NS_PER_US: i64 = 1_000;
/// Digits of the mark of a list's content.
const MARK_DIGITS: usize = 32;

/// The list as it is served.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) body: Bytes,
    /// Of its content, in quotes.
    pub(crate) mark: String,
}

/// Where the list is served from; nothing before the store was read.
pub(crate) type Served = watch::Receiver<Option<Arc<Page>>>;

/// Says that something critical was found.
#[derive(Clone, Debug)]
pub(crate) struct Waker(Arc<AtomicBool>);

impl Waker {
    pub(crate) fn wake(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The topic that is told.
#[derive(Debug)]
struct Topic {
    producer: Producer,
    client: Client,
    name: String,
    /// The group that the brokers' right to read it may be about; it commits nothing.
    group: String,
}

/// Keeps the feed up.
#[derive(Debug)]
struct Feed {
    reader: Reader,
    runtime: Handle,
    topic: Option<Topic>,
    expire_ns: i64,
    operation: Arc<Operation>,
    page: watch::Sender<Option<Arc<Page>>>,
    now: fn() -> Instant,
    wall: fn() -> Time,
    /// Set when the service is to stop.
    stop: Arc<AtomicBool>,
    /// It is served over HTTP, by every process.
    is_served: bool,
    /// When the store was asked last, and what it was then.
    seen: Option<(Instant, Mark)>,
    /// What the store said last.
    found: Option<Vec<Found>>,
    /// What may lie in the topic, by the texts of keys; empty where it is not known what is said there.
    told: BTreeMap<String, String>,
    is_leading: bool,
    /// What is wrong, as it was said.
    trouble: Option<String>,
    is_full: bool,
}

/// What reads the time that passes, and the time of day.
type Clocks = (fn() -> Instant, fn() -> Time);

/// Starts the feed, if it is configured.
///
/// # Errors
///
/// The store cannot be opened, or the topic is not there.
pub(crate) fn open(
    setting: &Setting,
    operation: &Arc<Operation>,
    stop: &Arc<AtomicBool>,
    (now, wall): Clocks,
) -> Result<Option<Waker>, Failure> {
    let settings = &setting.config.response.deny;
    if settings.is_off() {
        return Ok(None);
    }
    let topic = match settings.topic.as_str() {
        "" => None,
        name => {
            let client = setting.config.kafka.client()?;
            Some(Topic {
                producer: Producer::open(&client, name, TOPIC)?,
                client,
                name: name.to_owned(),
                group: setting.config.source.group_id.clone(),
            })
        }
    };
    let (page, served) = watch::channel(None);
    if settings.http && operation.deny.set(served).is_err() {
        return Err("the deny feed is served twice; report this as a defect".into());
    }
    let feed = Feed {
        reader: setting.reader()?,
        runtime: setting.runtime.clone(),
        topic,
        expire_ns: i64::from(settings.expire_seconds) * NS_PER_S,
        operation: Arc::clone(operation),
        page,
        now,
        wall,
        stop: Arc::clone(stop),
        is_served: settings.http,
        seen: None,
        found: None,
        told: BTreeMap::new(),
        is_leading: false,
        trouble: None,
        is_full: false,
    };
    let waker = Waker(Arc::new(AtomicBool::new(false)));
    let woken = waker.clone();
    // Its topic may not answer for seconds: nothing of detection waits for that.
    std::thread::Builder::new()
        .name("deny feed".to_owned())
        .spawn(move || feed.run(&woken))
        .map_err(|error| format!("the deny feed cannot be started: {error}"))?;
    Ok(Some(waker))
}

impl Feed {
    fn run(mut self, woken: &Waker) {
        let now = self.now;
        let mut asked: Option<Instant> = None;
        while !self.stop.load(Ordering::Relaxed) {
            let is_woken = woken.0.load(Ordering::Relaxed);
            let since = asked.map(|at| now().saturating_duration_since(at));
            if is_due(since, is_woken) {
                if woken.0.swap(false, Ordering::Relaxed) {
                    self.seen = None;
                }
                asked = Some(now());
                let trouble = self.round().err().map(|error| plain(&error.to_string()));
                self.note(trouble);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Says what is wrong once, and when it is over.
    fn note(&mut self, trouble: Option<String>) {
        if trouble.is_some() {
            self.operation.metrics.add(Metric::DenyFailures, &[], 1);
        }
        if trouble == self.trouble {
            return;
        }
        match &trouble {
            Some(why) => log::warn(&format!("the deny feed: {why}; it is tried again")),
            None => log::info("the deny feed goes on", &[]),
        }
        self.trouble = trouble;
    }

    /// Whether this process tells the topic.
    fn leads(&self) -> bool {
        let state = self.operation.health.state();
        let is_leader = matches!(state, State::Leading | State::WaitingForStore | State::HeldBack);
        self.topic.is_some() && is_leader
    }

    /// Asks the store, and tells what has changed. What it said last goes on to expire where it does
    /// not answer.
    fn round(&mut self) -> Result<(), Failure> {
        let leads = self.leads();
        let begins = leads && !self.is_leading;
        self.is_leading &= leads;
        if !leads && !self.is_served {
            // Nobody hears it: whoever begins to lead asks anew.
            return Ok(());
        }
        let now = (self.wall)();
        let unread = self.read(now, begins).err();
        if let Some(found) = &self.found {
            let us = |ns: i64| ns.div_euclid(NS_PER_US);
            let list = List::of(found, us(now.ns()), us(self.expire_ns));
            self.serve(&list)?;
            // To begin with, it must be known what was over before.
            if leads && (!begins || unread.is_none()) {
                self.tell(&list)?;
            }
        }
        unread.map_or(Ok(()), Err)
    }

    /// Asks the store, unless it is as it was a moment ago.
    fn read(&mut self, now: Time, begins: bool) -> Result<(), Failure> {
        let (moment, mark) = ((self.now)(), self.reader.mark());
        let is_as_it_was = self.seen.is_some_and(|(at, seen)| {
            mark == Some(seen) && moment.saturating_duration_since(at) < ASK_ANYWAY
        });
        if is_as_it_was && !begins {
            return Ok(());
        }
        self.seen = None;
        self.found = Some(self.ask(now, begins)?);
        self.seen = mark.map(|mark| (moment, mark));
        Ok(())
    }

    /// Asks for what may be open; whoever begins to lead asks for what is over since a while too.
    fn ask(&self, now: Time, begins: bool) -> Result<Vec<Found>, Failure> {
        let since = now.plus(-self.expire_ns).plus(if begins { -GONE_NS } else { 0 });
        let values = vec![
            ("since_us", Value::Int(since.ns().div_euclid(NS_PER_US))),
            ("rows_max", Value::Int(FOUND_MAX as i64)),
        ];
        let (_, answer) = self.runtime.block_on(self.reader.ask(Question::Critical, values))?;
        let mut found = Vec::new();
        for batch in &answer {
            let ids = texts(batch, "finding_id")?;
            let (tenants, principals) = (texts(batch, "tenant_id")?, texts(batch, "principal_id")?);
            let (kinds, entities) = (texts(batch, "principal_type")?, texts(batch, "entity")?);
            let (detectors, sentences) = (texts(batch, "detector")?, texts(batch, "sentence")?);
            let evidence = texts(batch, "evidence")?;
            let (at, suppressed) =
                (numbers(batch, "detected_us")?, numbers(batch, "is_suppressed")?);
            found.extend((0..batch.num_rows()).map(|row| Found {
                finding_id: ids.value(row).to_owned(),
                tenant_id: tenants.value(row).to_owned(),
                principal_id: principals.value(row).to_owned(),
                kind: PrincipalType::from_name(kinds.value(row)),
                entity: entities.value(row).to_owned(),
                detector: detectors.value(row).to_owned(),
                detected_us: at.value(row),
                sentence: sentences.value(row).to_owned(),
                evidence: evidence.value(row).to_owned(),
                is_suppressed: suppressed.value(row) != 0,
            }));
        }
        Ok(found)
    }

    /// Puts the list where it is served from.
    fn serve(&mut self, list: &List) -> Result<(), Failure> {
        let metrics = &self.operation.metrics;
        metrics.set(Metric::DenyEntries, &[], list.entries.len() as i64);
        metrics.set(Metric::DenyLeftOut, &[], list.left_out as i64);
        if list.left_out > 0 && !self.is_full {
            log::warn(&format!(
                "the deny feed has {} entries and no room for {} more, which would expire first",
                list.entries.len(),
                list.left_out
            ));
        }
        self.is_full = list.left_out > 0;
        let body = list.json()?;
        let hash = blake3::hash(&body).to_hex();
        let mark = format!("\"{}\"", hash.get(..MARK_DIGITS).unwrap_or_default());
        self.page.send_if_modified(|page| {
            if page.as_ref().is_some_and(|it| it.mark == mark) {
                return false;
            }
            *page = Some(Arc::new(Page { body: Bytes::from(body), mark }));
            true
        });
        Ok(())
    }

    /// Tells the topic what it does not know yet; only the process that leads does.
    fn tell(&mut self, list: &List) -> Result<(), Failure> {
        let Some(topic) = &self.topic else { return Ok(()) };
        if !self.is_leading {
            // Others may have told of these before; nobody else takes them back.
            let there = topic.read(&self.stop, self.now).into_iter();
            let gone = list.gone.iter().map(key_text).collect::<Result<Vec<_>, _>>()?;
            let before = std::mem::take(&mut self.told).into_keys();
            self.told = before.chain(there).chain(gone).map(|key| (key, String::new())).collect();
            self.is_leading = true;
        }
        let mut wanted = BTreeMap::new();
        for (key, entry) in &list.entries {
            wanted.insert(key_text(key)?, entry_text(key, entry)?);
        }
        let records = records(&self.told, &wanted);
        if let Err(error) = if records.is_empty() { Ok(()) } else { topic.producer.send(records) } {
            self.told = doubtful(std::mem::take(&mut self.told), &wanted);
            return Err(error.into());
        }
        self.told = wanted;
        Ok(())
    }
}

impl Topic {
    /// The keys of ours that are alive in it; what cannot be read in time is left to its own end.
    fn read(&self, stop: &AtomicBool, now: fn() -> Instant) -> Vec<String> {
        let began = now();
        let goes_on = || {
            let took = now().saturating_duration_since(began);
            took < READ_MAX && !stop.load(Ordering::Relaxed)
        };
        let (live, why) = match compacted::keys(&self.client, &self.name, &self.group, goes_on) {
            Ok(keys) if keys.is_whole => (keys.live, None),
            Ok(keys) => (keys.live, Some("it holds too much".to_owned())),
            Err(error) => (BTreeSet::new(), Some(plain(&error.to_string()))),
        };
        if let Some(why) = why {
            log::warn(&format!(
                "the deny feed: not all of topic {} was read ({why}): what the store no longer has may \
                 stay there after its time; allow this user to read it as group {}, and let the brokers \
                 compact it",
                self.name, self.group,
            ));
        }
        let keys = live.into_iter().filter_map(|key| String::from_utf8(key).ok());
        keys.filter(|key| is_key(key)).collect()
    }
}

/// Whether the store is to be asked, so long after it was asked last.
fn is_due(since: Option<Duration>, is_woken: bool) -> bool {
    since.is_none_or(|since| since >= if is_woken { WAKE_EVERY } else { ASK_EVERY })
}

/// What brings a topic from what may lie there to what is wanted.
fn records<'a>(
    told: &'a BTreeMap<String, String>,
    wanted: &'a BTreeMap<String, String>,
) -> Vec<Record<'a>> {
    let gone = told.keys().filter(|key| !wanted.contains_key(*key));
    let gone = gone.map(|key| Record {
        key: Some(key.as_bytes()),
        is_tombstone: true,
        ..Record::default()
    });
    let new = wanted.iter().filter(|(key, value)| told.get(*key) != Some(*value));
    let new = new.map(|(key, value)| Record {
        key: Some(key.as_bytes()),
        value: value.as_bytes(),
        headers: vec![("content-type", "application/json".to_owned())],
        ..Record::default()
    });
    gone.chain(new).collect()
}

/// What may lie in a topic that did not take all that was wanted: any of it, so that all of what is new
/// is told again, and whatever is no longer wanted by then is taken back.
fn doubtful(
    mut told: BTreeMap<String, String>,
    wanted: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    for (key, value) in wanted {
        if told.get(key) != Some(value) {
            told.insert(key.clone(), String::new());
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// What is sent: keys with values, and `-` for a tombstone.
    #[track_caller]
    fn check(told: &BTreeMap<String, String>, wanted: &[(&str, &str)], expected: &[(&str, &str)]) {
        let wanted = map(wanted);
        let sent = records(told, &wanted).into_iter().map(|it| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let value = if it.is_tombstone { "-".to_owned() } else { text(it.value) };
            (text(it.key.unwrap()), value)
        });
        assert_eq!(sent.collect::<BTreeMap<_, _>>(), map(expected));
    }

    #[test]
    fn a_topic_is_told_what_is_new_and_what_is_gone() {
        let told = map(&[("a", "1"), ("b", "1"), ("c", "1")]);
        check(&told, &[("a", "1"), ("b", "2"), ("d", "1")], &[("b", "2"), ("c", "-"), ("d", "1")]);
        check(&told, &[("a", "1"), ("b", "1"), ("c", "1")], &[]);
        // Whatever lies there when this process begins to lead is told again, or taken back.
        check(&map(&[("a", ""), ("x", "")]), &[("a", "1")], &[("a", "1"), ("x", "-")]);
    }

    #[test]
    fn the_store_is_asked_once_a_second_at_most() {
        let asked = |ms: u64, is_woken| is_due(Some(Duration::from_millis(ms)), is_woken);
        assert!(is_due(None, false), "at once when it begins");
        assert!(!asked(999, true) && asked(1_000, true));
        assert!(!asked(4_999, false) && asked(5_000, false));
    }

    #[test]
    fn what_a_topic_may_have_taken_is_taken_back_all_the_same() {
        let told = map(&[("a", "1"), ("b", "1"), ("gone", "1")]);
        let told = doubtful(told, &map(&[("a", "1"), ("b", "2"), ("new", "1")]));
        assert_eq!(told, map(&[("a", "1"), ("b", ""), ("gone", "1"), ("new", "")]));
        // Withdrawn before the next try.
        check(&told, &[("a", "1"), ("b", "2")], &[("b", "2"), ("gone", "-"), ("new", "-")]);
    }
}

//! Where each partition stands: what was read, what is judged, and what is still held.

use super::checkpoint::{Origin, Place};
use crate::order::Order;
use ingest::parse::Parsed;
use ingest::source::kafka::{Fetched, Partition};
use ingest::wire::Front;
use model::time::NS_PER_H;
use model::{EventBatch, Time};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long after a partition's last event nothing rests on it any more: the hour that was open, and
/// one more.
const SETTLED_AFTER_NS: i64 = 2 * NS_PER_H;
/// A partition that brought records for so long and no event holds nobody back.
const NO_EVENT_AFTER: Duration = Duration::from_secs(5);
/// Partitions of the first stage that are kept track of: far more than a cluster should have.
const ORIGINS_MAX: usize = 100_000;

/// One partition.
#[derive(Debug)]
struct Stand {
    partition: Partition,
    resume: Option<i64>,
    next: Option<i64>,
    /// After a restart: offsets before `wanted_to` whose events are wanted, with how many of them
    /// were judged; all other records before it were judged whole.
    wanted: BTreeMap<i64, u32>,
    wanted_to: i64,
    held: Vec<(i64, u32)>,
    front: Option<Time>,
    /// What the first stage says of each partition that it reads: how far it got, and whether it has
    /// nothing more.
    origins: BTreeMap<(String, i32), (Option<Time>, bool)>,
    /// How many of those there are.
    origins_of: u32,
    /// The latest time of any of its events.
    latest: Option<Time>,
    /// When it last brought something, or was found to have nothing more.
    heard: Instant,
    /// It had nothing more when it was last looked at, and brought nothing since.
    is_idle: bool,
    /// When it first brought records, since this process reads it.
    brought: Option<Instant>,
}

impl Stand {
    /// Whether it was read for a while and brought records, but never an event: an error log, for
    /// instance.
    fn is_without_events(&self) -> bool {
        let is_long =
            |since: Instant| self.heard.saturating_duration_since(since) >= NO_EVENT_AFTER;
        self.brought.is_some_and(is_long) && self.front.is_none() && self.origins_of == 0
    }

    /// Whether records that were read before a restart were not read again yet: its front is known
    /// from before, and events behind it are still to come.
    fn is_catching_up(&self) -> bool {
        !self.is_idle && self.next.unwrap_or(i64::MIN) < self.wanted_to
    }

    /// Whether the first stage has said here that none of its `of` partitions has anything more.
    fn is_at_rest(&self, of: u32) -> bool {
        self.origins.len() as u32 >= of && self.origins.values().all(|(_, is_idle)| *is_idle)
    }

    /// How far the slowest partition of the first stage got; `None` while not all have said.
    fn slowest(&self) -> Option<Time> {
        if (self.origins.len() as u32) < self.origins_of {
            return None;
        }
        let all = || self.origins.values();
        if all().all(|(_, is_idle)| *is_idle) {
            return all().map(|(front, _)| *front).max().flatten();
        }
        all().filter(|(_, is_idle)| !is_idle).map(|(front, _)| *front).min().flatten()
    }
}

/// All partitions, in the order of their numbers in positions.
#[derive(Debug)]
pub(crate) struct Places {
    stands: Vec<Stand>,
    is_moved: bool,
}

impl Places {
    /// Partitions of which nothing was read.
    pub(crate) fn new(partitions: &[Partition], now: Instant) -> Self {
        let stand = |partition: &Partition| Stand {
            partition: partition.clone(),
            resume: None,
            next: None,
            wanted: BTreeMap::new(),
            wanted_to: i64::MIN,
            held: Vec::new(),
            front: None,
            origins: BTreeMap::new(),
            origins_of: 0,
            latest: None,
            heard: now,
            is_idle: false,
            brought: None,
        };
        Self { stands: partitions.iter().map(stand).collect(), is_moved: false }
    }

    /// Partitions as a checkpoint has them, which come first, and those that are new since.
    pub(crate) fn of(partitions: &[Partition], places: &[Place], now: Instant) -> Self {
        let mut all = Self::new(partitions, now);
        for (stand, place) in all.stands.iter_mut().zip(places) {
            stand.resume = place.resume;
            stand.next = place.resume;
            stand.wanted = place.held.iter().copied().collect();
            stand.wanted_to = place.next.unwrap_or(i64::MIN);
            stand.front = place.front.map(Time::from_ns);
            let origin = |origin: &Origin| {
                let front = origin.front.map(Time::from_ns);
                ((origin.topic.clone(), origin.number), (front, origin.is_idle))
            };
            stand.origins = place.origins.iter().map(origin).collect();
            stand.origins_of = place.origins_of;
        }
        all
    }

    /// Goes on at an offset behind records that are no longer there.
    pub(crate) fn leap(&mut self, place: usize, low: i64) {
        if let Some(stand) = self.stands.get_mut(place) {
            (stand.resume, stand.next) = (Some(low), Some(low));
            stand.wanted = stand.wanted.split_off(&low);
            self.is_moved = true;
        }
    }

    /// Takes in partitions that came since, or that stand where another stood.
    pub(crate) fn follow(&mut self, partitions: &[Partition], now: Instant) {
        let fresh = Self::new(partitions, now);
        for (index, stand) in fresh.stands.into_iter().enumerate() {
            match self.stands.get_mut(index) {
                Some(old) if old.partition == stand.partition => {}
                Some(old) => *old = stand,
                None => self.stands.push(stand),
            }
        }
    }

    /// Partitions that were read further than `slack_ns` of event time beyond the one that is
    /// furthest behind; while one was not read at all, all that were.
    pub(crate) fn ahead(&self, slack_ns: i64) -> Vec<usize> {
        let busy = || self.stands.iter().enumerate().filter(|(_, stand)| !stand.is_idle);
        let is_unread = |stand: &Stand| stand.front.is_none() && stand.next.is_none();
        let waits = busy().any(|(_, stand)| is_unread(stand));
        let Some(lowest) = busy().filter_map(|(_, stand)| stand.front).min() else {
            return Vec::new();
        };
        let is_ahead =
            |stand: &Stand| stand.front.is_some_and(|it| waits || it > lowest.plus(slack_ns));
        busy().filter(|(_, stand)| is_ahead(stand)).map(|(place, _)| place).collect()
    }

    /// Partitions all of whose events were judged, and so long before `hour` that nothing which is
    /// still to be said rests on them.
    pub(crate) fn settled(&self, hour: Option<Time>) -> Vec<usize> {
        let is_settled = |stand: &Stand| {
            let latest = stand.latest.max(stand.front).map(|it| it.plus(SETTLED_AFTER_NS));
            let is_old = latest.is_none_or(|latest| hour.is_some_and(|hour| latest < hour));
            stand.held.is_empty() && is_old
        };
        let each = self.stands.iter().enumerate().filter(|(_, stand)| is_settled(stand));
        each.map(|(place, _)| place).collect()
    }

    /// Begins a partition at an offset that was committed without a checkpoint.
    pub(crate) fn start_at(&mut self, place: usize, offset: Option<i64>) {
        if let Some(stand) = self.stands.get_mut(place) {
            stand.resume = offset;
            stand.next = offset;
        }
    }

    /// Begins a partition of which nothing is known at an offset, which the next commit says.
    pub(crate) fn pin(&mut self, place: usize, offset: Option<i64>) {
        if let Some(stand) = self.stands.get_mut(place)
            && stand.resume.is_none()
        {
            (stand.resume, stand.next) = (offset, offset);
            self.is_moved |= offset.is_some();
        }
    }

    /// The offset of each partition to read from.
    pub(crate) fn resume(&self) -> Vec<Option<i64>> {
        self.stands.iter().map(|stand| stand.resume).collect()
    }

    /// Leaves out of a batch the events that were judged before the restart.
    pub(crate) fn skip(&mut self, fetched: &Fetched, parsed: &mut Parsed) {
        let Some(stand) = self.stands.get(fetched.chunk.source as usize) else { return };
        let firsts = [
            fetched.offsets.first(),
            fetched.empty.first(),
            fetched.protobuf.first(),
            fetched.wire.first().map(|it| &it.0),
        ];
        let first =
            firsts.into_iter().flatten().chain(fetched.damaged.iter().map(|it| &it.0)).min();
        let is_again = first.is_some_and(|first| *first < stand.wanted_to);
        if !is_again {
            return;
        }
        // What was rejected then was dealt with then.
        parsed.rejects.retain(|sample| sample.position.line as i64 >= stand.wanted_to);
        // Of a record with several events those are judged first that come first in the order.
        let mut judged: BTreeMap<i64, u32> = BTreeMap::new();
        let mut order: Vec<usize> = (0..parsed.batch.events.len()).collect();
        let key = |batch: &EventBatch, index: usize| {
            batch.events.get(index).map(|it| (it.position.line, it.time, it.content_hash, index))
        };
        order.sort_by_key(|index| key(&parsed.batch, *index));
        let mut keep = vec![true; parsed.batch.events.len()];
        for index in order {
            let Some(event) = parsed.batch.events.get(index) else { continue };
            let offset = event.position.line as i64;
            if offset >= stand.wanted_to {
                continue;
            }
            let is_wanted = stand.wanted.get(&offset).is_some_and(|done| {
                let seen = judged.entry(offset).or_default();
                *seen += 1;
                *seen > *done
            });
            if let Some(keep) = keep.get_mut(index) {
                *keep = is_wanted;
            }
        }
        let mut keep = keep.into_iter();
        parsed.batch.events.retain(|_| keep.next().unwrap_or(true));
    }

    /// Notes that records of a partition were read.
    pub(crate) fn advance(&mut self, fetched: &Fetched, parsed: &Parsed, now: Instant) {
        if let Some(stand) = self.stands.get_mut(fetched.chunk.source as usize) {
            let latest = parsed.batch.events.iter().map(|event| event.time).max();
            stand.latest = stand.latest.max(latest);
            stand.next = Some(fetched.next);
            if fetched.wire.is_empty() {
                stand.front = stand.front.max(parsed.front());
            }
            stand.heard = now;
            stand.is_idle = false;
            stand.brought = stand.brought.or(Some(now));
            self.is_moved = true;
        }
    }

    /// Notes how far the first stage says that its partitions got.
    pub(crate) fn hear(&mut self, fetched: &Fetched, fronts: Vec<Front>) {
        let Some(stand) = self.stands.get_mut(fetched.chunk.source as usize) else { return };
        for front in fronts {
            stand.origins_of = stand.origins_of.max(front.of);
            if stand.origins.len() >= ORIGINS_MAX {
                continue;
            }
            let origin = stand.origins.entry((front.topic, front.partition)).or_default();
            origin.0 = origin.0.max(front.time_ns.map(Time::from_ns));
            origin.1 = front.is_idle;
        }
        if stand.origins_of > 0 {
            stand.front = stand.slowest();
        }
    }

    /// Partitions that brought nothing for `silence`, and the offset that each would bring next.
    pub(crate) fn silent(&self, now: Instant, silence: Duration) -> Vec<(usize, Option<i64>)> {
        let is_silent = |stand: &Stand| now.saturating_duration_since(stand.heard) >= silence;
        let each = self.stands.iter().enumerate().filter(|(_, stand)| is_silent(stand));
        each.map(|(place, stand)| (place, stand.next)).collect()
    }

    /// Partitions that had nothing more when they were looked at, and the offset that each would
    /// bring next.
    pub(crate) fn idle(&self) -> Vec<(usize, Option<i64>)> {
        let each = self.stands.iter().enumerate().filter(|(_, stand)| stand.is_idle);
        each.map(|(place, stand)| (place, stand.next)).collect()
    }

    /// Notes whether a silent partition has nothing more.
    pub(crate) fn look(&mut self, place: usize, is_idle: bool, now: Instant) {
        if let Some(stand) = self.stands.get_mut(place) {
            stand.is_idle = is_idle;
            stand.heard = now;
        }
    }

    /// The time before which no partition will bring an event, idle ones and those whose records hold
    /// no events left out; `None` while one that is not idle was not read yet, or not as far as before
    /// a restart.
    pub(crate) fn watermark(&self, lateness_ns: i64) -> Option<Time> {
        if self.stands.iter().any(Stand::is_catching_up) {
            return None;
        }
        let is_at_rest = self.is_at_rest();
        let counts = |stand: &&Stand| !(stand.is_without_events() || is_at_rest && stand.is_idle);
        let mut busy = self.stands.iter().filter(counts).peekable();
        if busy.peek().is_none() {
            // All were read to their end a while ago: everything that was read may be judged.
            return self.latest().map(|latest| latest.plus(1));
        }
        let lowest = busy.map(|stand| stand.front).min().flatten();
        lowest.map(|lowest| lowest.plus(-lateness_ns))
    }

    /// Whether the first stage has nothing more, if there is one. Silence of its topic says nothing:
    /// that stage may be the one that is late. It tells each of the topic's partitions the same, so
    /// that one which has not heard yet what another has is about to bring something.
    fn is_at_rest(&self) -> bool {
        let of = self.stands.iter().map(|stand| stand.origins_of).max().unwrap_or(0);
        of == 0 || self.stands.iter().all(|stand| stand.is_at_rest(of))
    }

    /// The latest time of any partition.
    pub(crate) fn latest(&self) -> Option<Time> {
        self.stands.iter().map(|stand| stand.latest.max(stand.front)).max().flatten()
    }

    /// The offset that a partition brings next, once it brought anything.
    pub(crate) fn next(&self, place: usize) -> Option<i64> {
        self.stands.get(place)?.next
    }

    /// Whether a partition had nothing more when it was last looked at.
    pub(crate) fn is_idle_at(&self, place: usize) -> bool {
        self.stands.get(place).is_some_and(|stand| stand.is_idle)
    }

    /// Whether all partitions were read to their end a while ago.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_at_rest() && self.stands.iter().all(|stand| stand.is_idle)
    }

    /// Notes that events were judged: where to read on has moved.
    pub(crate) const fn touch(&mut self) {
        self.is_moved = true;
    }

    /// Whether anything was read or judged since the last commit.
    pub(crate) const fn is_moved(&self) -> bool {
        self.is_moved
    }

    /// Works out from the events that are held where to read on: the offset of each partition.
    pub(crate) fn hold(&mut self, order: &Order) -> Vec<Option<i64>> {
        for stand in &mut self.stands {
            stand.held.clear();
        }
        for ((source, offset), judged) in order.held_records() {
            if let Some(stand) = self.stands.get_mut(source as usize) {
                let before = stand.wanted.get(&(offset as i64)).copied().unwrap_or(0);
                stand.held.push((offset as i64, judged + before));
            }
        }
        for stand in &mut self.stands {
            // What the checkpoint before held and what was not read again yet is still wanted.
            let read_to = stand.next.unwrap_or(i64::MIN);
            let unread = stand.wanted.range(read_to..).map(|(offset, done)| (*offset, *done));
            let unread: Vec<_> = unread.collect();
            stand.held.extend(unread);
            let first = stand.held.iter().map(|(offset, _)| *offset).min();
            stand.resume = first.or_else(|| stand.next.map(|next| next.max(stand.wanted_to)));
        }
        self.resume()
    }

    /// The places as a checkpoint keeps them, after [`Places::hold`].
    pub(crate) fn export(&self) -> Vec<Place> {
        let origin = |(name, at): (&(String, i32), &(Option<Time>, bool))| Origin {
            topic: name.0.clone(),
            number: name.1,
            front: at.0.map(Time::ns),
            is_idle: at.1,
        };
        let each = self.stands.iter();
        each.map(|stand| Place {
            topic: stand.partition.topic.clone(),
            number: stand.partition.number,
            resume: stand.resume,
            next: stand.next.map(|next| next.max(stand.wanted_to)),
            held: stand.held.clone(),
            front: stand.front.map(Time::ns),
            origins: stand.origins.iter().map(origin).collect(),
            origins_of: stand.origins_of,
        })
        .collect()
    }

    /// Everything so far is committed.
    pub(crate) fn settle(&mut self) {
        self.is_moved = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ingest::Chunk;

    const SECOND: i64 = 1_000_000_000;

    /// Two partitions of the topic between the stages, both silent for a while.
    fn two() -> (Places, Instant) {
        #[expect(clippy::disallowed_methods, reason = "only differences matter")]
        let now = Instant::now();
        let partition = |number| Partition { topic: "events".to_owned(), number };
        let mut places = Places::new(&[partition(0), partition(1)], now);
        places.look(0, true, now);
        places.look(1, true, now);
        (places, now)
    }

    /// One of them is told how far each of the first stage's partitions got, and which are idle.
    fn tell(places: &mut Places, source: u32, fronts: &[(i64, bool)]) {
        let chunk = Chunk { source, ..Chunk::default() };
        let fetched = Fetched { chunk, ..Fetched::default() };
        let of = fronts.len() as u32;
        let front = |(partition, (seconds, is_idle)): (i32, &(i64, bool))| Front {
            topic: "logs".to_owned(),
            partition,
            time_ns: Some(seconds * SECOND),
            is_idle: *is_idle,
            of,
        };
        places.hear(&fetched, (0..).zip(fronts).map(front).collect());
    }

    fn watermark(places: &Places) -> Option<i64> {
        places.watermark(0).map(|it| it.ns() / SECOND)
    }

    #[test]
    fn a_partition_that_was_told_less_than_another_is_waited_for() {
        let (mut places, _) = two();
        tell(&mut places, 0, &[(100, false), (90, false)]);
        assert_eq!(watermark(&places), None, "the other was told nothing yet");
        tell(&mut places, 1, &[(100, false), (90, false)]);
        assert_eq!(watermark(&places), Some(90));
    }

    #[test]
    fn a_partition_that_wakes_is_waited_for_by_those_that_were_not_told() {
        let (mut places, _) = two();
        tell(&mut places, 0, &[(100, true), (90, true)]);
        tell(&mut places, 1, &[(100, true), (90, true)]);
        assert!(places.is_idle());
        tell(&mut places, 0, &[(500, false), (90, true)]);
        assert!(!places.is_idle());
        assert_eq!(watermark(&places), Some(100));
        tell(&mut places, 1, &[(500, false), (90, true)]);
        assert_eq!(watermark(&places), Some(500));
    }

    #[test]
    fn a_first_stage_that_has_not_said_all_is_waited_for() {
        let (mut places, _) = two();
        for source in 0..2 {
            tell(&mut places, source, &[(100, true)]);
        }
        assert_eq!(places.watermark(0), Some(Time::from_ns(100 * SECOND + 1)));
        let chunk = Chunk { source: 0, ..Chunk::default() };
        let fetched = Fetched { chunk, ..Fetched::default() };
        let (topic, time_ns) = ("logs".to_owned(), Some(200 * SECOND));
        let front = Front { topic, partition: 0, time_ns, is_idle: true, of: 2 };
        places.hear(&fetched, vec![front]);
        assert_eq!(watermark(&places), None, "its second partition has said nothing");
    }
}

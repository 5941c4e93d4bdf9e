//! Where each partition stands: what was read, what is judged, and what is still held.

use super::checkpoint::Place;
use crate::order::Order;
use ingest::parse::Parsed;
use ingest::source::kafka::{Fetched, Partition};
use model::{Event, EventBatch, Time};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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
    /// The latest time of any of its events.
    latest: Option<Time>,
    /// When it last brought something, or was found to have nothing more.
    heard: Instant,
    /// It had nothing more when it was last looked at, and brought nothing since.
    is_idle: bool,
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
            latest: None,
            heard: now,
            is_idle: false,
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

    /// Begins a partition at an offset that was committed without a checkpoint.
    pub(crate) fn start_at(&mut self, place: usize, offset: Option<i64>) {
        if let Some(stand) = self.stands.get_mut(place) {
            stand.resume = offset;
            stand.next = offset;
        }
    }

    /// The offset of each partition to read from.
    pub(crate) fn resume(&self) -> Vec<Option<i64>> {
        self.stands.iter().map(|stand| stand.resume).collect()
    }

    /// Leaves out of a batch the events that were judged before the restart.
    pub(crate) fn skip(&mut self, fetched: &Fetched, parsed: &mut Parsed) {
        let Some(stand) = self.stands.get(fetched.chunk.source as usize) else { return };
        let is_again = fetched.offsets.first().is_some_and(|first| *first < stand.wanted_to);
        if !is_again {
            return;
        }
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
            stand.front = stand.front.max(parsed.front());
            stand.heard = now;
            stand.is_idle = false;
            self.is_moved = true;
        }
    }

    /// Partitions that brought nothing for `silence`, and the offset that each would bring next.
    pub(crate) fn silent(&self, now: Instant, silence: Duration) -> Vec<(usize, Option<i64>)> {
        let is_silent = |stand: &Stand| now.saturating_duration_since(stand.heard) >= silence;
        let each = self.stands.iter().enumerate().filter(|(_, stand)| is_silent(stand));
        each.map(|(place, stand)| (place, stand.next)).collect()
    }

    /// Notes whether a silent partition has nothing more.
    pub(crate) fn look(&mut self, place: usize, is_idle: bool, now: Instant) {
        if let Some(stand) = self.stands.get_mut(place) {
            stand.is_idle = is_idle;
            stand.heard = now;
        }
    }

    /// The time before which no partition will bring an event, idle ones left out; `None` while one
    /// that is not idle has brought none yet.
    pub(crate) fn watermark(&self, lateness_ns: i64) -> Option<Time> {
        let mut busy = self.stands.iter().filter(|stand| !stand.is_idle).peekable();
        if busy.peek().is_none() {
            // All were read to their end a while ago: everything that was read may be judged.
            return self.latest().map(|latest| latest.plus(1));
        }
        let lowest = busy.map(|stand| stand.front).min().flatten();
        lowest.map(|lowest| lowest.plus(-lateness_ns))
    }

    /// The latest time of any partition.
    pub(crate) fn latest(&self) -> Option<Time> {
        self.stands.iter().map(|stand| stand.latest.max(stand.front)).max().flatten()
    }

    /// Whether all partitions were read to their end a while ago.
    pub(crate) fn is_idle(&self) -> bool {
        self.stands.iter().all(|stand| stand.is_idle)
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
        let each = self.stands.iter();
        each.map(|stand| Place {
            topic: stand.partition.topic.clone(),
            number: stand.partition.number,
            resume: stand.resume,
            next: stand.next.map(|next| next.max(stand.wanted_to)),
            held: stand.held.clone(),
            front: stand.front.map(Time::ns),
        })
        .collect()
    }

    /// Everything so far is committed.
    pub(crate) fn settle(&mut self) {
        self.is_moved = false;
    }
}

/// Puts each event's offset in the place of its line, and takes out the events whose time is after
/// `latest`; how many those were.
pub(crate) fn put_offsets(parsed: &mut Parsed, offsets: &[i64], latest: Time) -> u64 {
    let before = parsed.batch.events.len();
    parsed.batch.events.retain(|event| event.time <= latest);
    let put = |event: &mut Event| {
        let offset = offsets.get(event.position.line as usize).copied().unwrap_or(0);
        event.position.line = offset as u64;
    };
    parsed.batch.events.iter_mut().for_each(put);
    (before - parsed.batch.events.len()) as u64
}

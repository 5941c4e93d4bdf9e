//! The order of event time: events are held until nothing earlier can come, and released sorted.

use model::{EventBatch, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Events that may be held; more means that an input is out of order by more than memory allows.
pub(crate) const HELD_EVENTS_MAX: usize = 20_000_000;

/// Batches behind the newest one after which a batch that is nearly used up is packed.
const PACK_AFTER_BATCHES: usize = 64;
/// The part of a batch's events that may be left when it is packed: one in so many.
const PACK_PART: usize = 8;

/// A held event: its place in the order, and where it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Held {
    /// The event's time.
    pub(crate) time: Time,
    content_hash: u64,
    batch: u64,
    index: u32,
}

#[derive(Debug)]
struct Slot {
    batch: EventBatch,
    left: usize,
}

/// The places of a batch's events, sorted: what any thread can do before the batch is pushed.
pub(crate) fn places(batch: &EventBatch) -> Vec<Held> {
    let each = batch.events.iter().enumerate();
    let mut places: Vec<_> = each
        .map(|(index, event)| Held {
            time: event.time,
            content_hash: event.content_hash,
            batch: 0,
            index: index as u32,
        })
        .collect();
    places.sort_unstable();
    places
}

/// Holds events until they are due.
#[derive(Debug, Default)]
pub(crate) struct Order {
    slots: VecDeque<Slot>,
    first: u64,
    pending: Vec<Held>,
    released: Option<Time>,
    late: u64,
}

impl Order {
    /// Takes in a batch, with its places as [`places`] yields them.
    pub(crate) fn push(&mut self, batch: EventBatch, places: Vec<Held>) {
        let number = self.first + self.slots.len() as u64;
        if let Some(released) = self.released {
            // The places are sorted: those that come too late are the first.
            self.late += places.partition_point(|held| held.time < released) as u64;
        }
        self.pending.extend(places.into_iter().map(|held| Held { batch: number, ..held }));
        self.slots.push_back(Slot { left: batch.events.len(), batch });
    }

    /// Takes out the events before `watermark`, sorted by time and then content; all without one.
    pub(crate) fn release(&mut self, watermark: Option<Time>) -> Vec<Held> {
        self.pending.sort();
        let due = watermark.map_or(self.pending.len(), |watermark| {
            self.pending.partition_point(|held| held.time < watermark)
        });
        let rest = self.pending.split_off(due);
        let due = std::mem::replace(&mut self.pending, rest);
        if let Some(last) = due.last() {
            self.released = self.released.max(Some(last.time));
        }
        due
    }

    /// The batch of a released event and the event's index in it.
    pub(crate) fn batch(&self, held: &Held) -> Option<(&EventBatch, usize)> {
        let slot = self.slots.get((held.batch - self.first) as usize)?;
        Some((&slot.batch, held.index as usize))
    }

    /// The same, to be changed.
    pub(crate) fn batch_mut(&mut self, held: &Held) -> Option<(&mut EventBatch, usize)> {
        let slot = self.slots.get_mut((held.batch - self.first) as usize)?;
        Some((&mut slot.batch, held.index as usize))
    }

    /// Gives up released events, and frees the batches that nobody needs any more.
    pub(crate) fn settle(&mut self, done: &[Held]) {
        for held in done {
            if let Some(slot) = self.slots.get_mut((held.batch - self.first) as usize) {
                slot.left -= 1;
                if slot.left == 0 {
                    // One event far ahead must not keep all later batches in memory.
                    slot.batch = EventBatch::default();
                }
            }
        }
        while self.slots.front().is_some_and(|slot| slot.left == 0) {
            self.slots.pop_front();
            self.first += 1;
        }
        self.pack();
    }

    /// Copies what is left of old batches: a few clocks that run ahead must not keep all of a log in
    /// memory.
    fn pack(&mut self) {
        let old = self.slots.len().saturating_sub(PACK_AFTER_BATCHES);
        let is_worth =
            |slot: &Slot| slot.left > 0 && slot.left * PACK_PART <= slot.batch.events.len();
        let mut packed: BTreeMap<u64, EventBatch> = BTreeMap::new();
        for (number, slot) in (self.first..).zip(self.slots.iter().take(old)) {
            if is_worth(slot) {
                packed.insert(number, EventBatch::default());
            }
        }
        if packed.is_empty() {
            return;
        }
        for held in &mut self.pending {
            let Some(batch) = packed.get_mut(&held.batch) else { continue };
            let slot = self.slots.get((held.batch - self.first) as usize);
            let Some((slot, event)) =
                slot.and_then(|slot| Some((slot, slot.batch.events.get(held.index as usize)?)))
            else {
                continue;
            };
            held.index = batch.events.len() as u32;
            batch.copy_event(&slot.batch, event);
        }
        for (number, batch) in packed {
            if let Some(slot) = self.slots.get_mut((number - self.first) as usize) {
                slot.batch = batch;
            }
        }
    }

    /// An order that goes on after events up to `released` were.
    pub(crate) fn resume(released: Option<Time>) -> Self {
        Self { released, ..Self::default() }
    }

    /// The latest time of a released event.
    pub(crate) const fn released(&self) -> Option<Time> {
        self.released
    }

    /// Records of which events are held, by input and line, each with how many of its events were
    /// released.
    pub(crate) fn held_records(&self) -> BTreeMap<(u32, u64), u32> {
        let mut held: BTreeMap<(u32, u64), u32> = BTreeMap::new();
        let mut batches: BTreeSet<u64> = BTreeSet::new();
        for one in &self.pending {
            let Some((batch, index)) = self.batch(one) else { continue };
            let Some(event) = batch.events.get(index) else { continue };
            *held.entry((event.position.source, event.position.line)).or_default() += 1;
            batches.insert(one.batch);
        }
        // A record of several events was cut in two if fewer are held than it has.
        let mut all: BTreeMap<(u32, u64), u32> = BTreeMap::new();
        for number in batches {
            let Some(slot) = self.slots.get((number - self.first) as usize) else { continue };
            for event in &slot.batch.events {
                let record = (event.position.source, event.position.line);
                if held.contains_key(&record) {
                    *all.entry(record).or_default() += 1;
                }
            }
        }
        let whole = |record, held| all.get(record).copied().unwrap_or(held);
        held.iter().map(|(record, held)| (*record, whole(record, *held) - held)).collect()
    }

    /// How many events are held.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// How many events came after later ones had been released.
    pub(crate) const fn late(&self) -> u64 {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Event;

    fn batch(seconds: &[i64]) -> EventBatch {
        let mut batch = EventBatch::default();
        batch.events = seconds.iter().map(|s| Event::at(Time::from_ns(*s))).collect();
        batch
    }

    fn push(order: &mut Order, seconds: &[i64]) {
        let batch = batch(seconds);
        let places = places(&batch);
        order.push(batch, places);
    }

    fn times(held: &[Held]) -> Vec<i64> {
        held.iter().map(|held| held.time.ns()).collect()
    }

    #[test]
    fn events_are_released_in_order_once_nothing_earlier_can_come() {
        let mut order = Order::default();
        push(&mut order, &[5, 3, 9]);
        let due = order.release(Some(Time::from_ns(5)));
        assert_eq!(times(&due), [3]);
        order.settle(&due);
        push(&mut order, &[4, 6]);
        let due = order.release(None);
        assert_eq!(times(&due), [4, 5, 6, 9]);
        order.settle(&due);
        assert!(order.slots.is_empty() && order.late() == 0);
    }

    #[test]
    fn a_few_events_far_ahead_do_not_keep_their_batches() {
        let mut order = Order::default();
        for round in 0..200_i64 {
            let mut seconds: Vec<i64> = (0..32).map(|it| round * 100 + it).collect();
            seconds.push(1_000_000 - round);
            push(&mut order, &seconds);
            let due = order.release(Some(Time::from_ns(round * 100 + 50)));
            order.settle(&due);
        }
        let held: usize = order.slots.iter().map(|slot| slot.batch.events.len()).sum();
        assert!(held <= 200 + PACK_AFTER_BATCHES * 33, "{held}");
        let due = order.release(None);
        let expected: Vec<i64> = (0..200).rev().map(|round| 1_000_000 - round).collect();
        assert_eq!(times(&due), expected);
        for held in &due {
            let (batch, index) = order.batch(held).unwrap();
            assert_eq!(batch.events[index].time, held.time);
        }
        order.settle(&due);
        assert!(order.slots.is_empty());
    }

    #[test]
    fn a_straggler_is_counted_and_still_released() {
        let mut order = Order::default();
        push(&mut order, &[5, 9]);
        order.release(Some(Time::from_ns(6)));
        push(&mut order, &[2]);
        assert_eq!(order.late(), 1);
        assert_eq!(times(&order.release(None)), [2, 9]);
    }
}

//! All streams as one, in time order; memory grows with the actors, not with the records.

use crate::actor::Actor;
use crate::change::Change;
use crate::prng::mix_wide;
use crate::record::Record;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::ControlFlow;

/// Hands every record to `sink`, by time, until it breaks; equal times come in the actors' order.
pub(crate) fn merge(
    seed: u64,
    actors: Vec<Actor>,
    changes: &[Change],
    sink: &mut dyn FnMut(&Record) -> ControlFlow<()>,
) {
    let mut streams: Vec<Stream> = actors.into_iter().map(Stream::new).collect();
    let mut heads: BinaryHeap<Reverse<(i64, usize)>> = streams
        .iter_mut()
        .enumerate()
        .filter_map(|(index, stream)| stream.head_ns().map(|time_ns| Reverse((time_ns, index))))
        .collect();
    let mut number = 0;
    while let Some(Reverse((_, index))) = heads.pop() {
        let Some(stream) = streams.get_mut(index) else { continue };
        if let Some(mut record) = stream.planned.pop_front() {
            for change in changes {
                change.apply(&mut record);
            }
            record.request_id = mix_wide(seed, number);
            number += 1;
            if sink(&record).is_break() {
                return;
            }
        }
        if let Some(time_ns) = stream.head_ns() {
            heads.push(Reverse((time_ns, index)));
        }
    }
}

/// An actor and the calls that it has already planned.
struct Stream {
    actor: Actor,
    planned: VecDeque<Record>,
    is_done: bool,
}

impl Stream {
    fn new(actor: Actor) -> Self {
        Self { actor, planned: VecDeque::new(), is_done: false }
    }

    /// The time of the next call, `None` when there are no more.
    fn head_ns(&mut self) -> Option<i64> {
        while self.planned.is_empty() && !self.is_done {
            self.is_done = !self.actor.plan(&mut self.planned);
        }
        self.planned.front().map(|record| record.time_ns)
    }
}

//! From which endpoint to which an identity went in the hour, and how odd that was.

use super::{Crossed, OpenWindow};
use crate::partition::text_hash;
use crate::population::Population;
use crate::snapshot::plain;
use crate::statistics::Moments;
use model::time::NS_PER_MIN;
use model::{Detector, EndpointId, Event, EventBatch, Text, Time};
use serde::{Deserialize, Serialize};

/// Steps that are judged together; what is left at the hour's end is, from half as many on.
const BLOCK_STEPS: u32 = 20;
/// After a longer silence a call is a beginning, not a step.
const GAP_NS: i64 = 30 * NS_PER_MIN;
/// Pairs of endpoints that are told apart in one hour; further ones are judged, but not learned.
const HOUR_PAIRS_MAX: usize = 64;
/// Sessions of one identity that are followed at once; the one that is silent longest makes room.
const SESSIONS_MAX: usize = 32;

/// Steps from one endpoint to another.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Pair {
    #[serde(with = "plain")]
    pub(crate) from: EndpointId,
    #[serde(with = "plain")]
    pub(crate) to: EndpointId,
    pub(crate) steps: u32,
    /// −log2 of its chance, below 0 where that is not known; the population stands still while the
    /// window is open.
    bits: f32,
    /// Nearly all come to the endpoint from another one.
    pub(crate) is_skip: bool,
}

/// Steps that were judged together.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Block {
    pub(crate) steps: u32,
    /// Sum of the steps' bits.
    pub(crate) bits: f32,
    #[serde(with = "plain")]
    pub(crate) first: Time,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    /// The oddest step, and its bits.
    #[serde(with = "plain")]
    pub(crate) from: EndpointId,
    #[serde(with = "plain")]
    pub(crate) to: EndpointId,
    pub(crate) odd: f32,
}

impl Block {
    const EMPTY: Self = Self {
        steps: 0,
        bits: 0.0,
        first: Time::from_ns(0),
        last: Time::from_ns(0),
        from: EndpointId(0),
        to: EndpointId(0),
        odd: 0.0,
    };

    /// Bits per step.
    pub(crate) fn mean(&self) -> f64 {
        f64::from(self.bits) / f64::from(self.steps.max(1))
    }
}

/// Where a session was last.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Place {
    #[serde(with = "postcard::fixint::le")]
    session: u64,
    #[serde(with = "plain")]
    endpoint: EndpointId,
    #[serde(with = "plain")]
    at: Time,
}

/// The steps of an hour.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Steps {
    pub(crate) pairs: Vec<Pair>,
    places: Vec<Place>,
    /// Sessions that began, as far as the hour shows.
    pub(crate) sessions: u32,
    block: Block,
    /// The oddest of the blocks that have ended.
    pub(crate) oddest: Option<Block>,
    /// Bits per step of the blocks that have ended.
    pub(crate) blocks: Moments,
    /// Bits per step, and skips of a usual step, from which on the detector is asked.
    pub(crate) bits_tripwire: f32,
    pub(crate) skips_tripwire: u32,
}

impl Steps {
    pub(super) const fn new() -> Self {
        Self {
            pairs: Vec::new(),
            places: Vec::new(),
            sessions: 0,
            block: Block::EMPTY,
            oddest: None,
            blocks: Moments { n: 0.0, sum: 0.0, squares: 0.0 },
            bits_tripwire: f32::INFINITY,
            skips_tripwire: u32::MAX,
        }
    }

    /// Empties it and keeps a little of its memory.
    pub(super) fn recycle(&mut self) -> Self {
        let mut fresh = Self::new();
        fresh.pairs = std::mem::take(&mut self.pairs);
        fresh.places = std::mem::take(&mut self.places);
        fresh.pairs.clear();
        fresh.places.clear();
        fresh.places.shrink_to(1);
        fresh
    }

    /// A little of its lists: read before they are needed.
    pub(crate) fn glance(&self) -> u64 {
        // Three to a line.
        let pairs = self.pairs.iter().step_by(3).take(6);
        let pair = pairs.fold(0, |read, pair| read ^ u64::from(pair.steps));
        pair ^ self.places.first().map_or(0, |place| place.session)
    }

    /// Puts the session of now at an endpoint; where it was before, if that is not long ago.
    fn go_to(&mut self, session: u64, endpoint: EndpointId, at: Time) -> Option<EndpointId> {
        if let Some(place) = self.places.iter_mut().find(|place| place.session == session) {
            let before = std::mem::replace(place, Place { session, endpoint, at });
            let is_step = at.since(before.at) <= GAP_NS;
            self.sessions += u32::from(!is_step);
            return is_step.then_some(before.endpoint);
        }
        self.sessions += 1;
        let place = Place { session, endpoint, at };
        if self.places.len() < SESSIONS_MAX {
            if self.places.len() == self.places.capacity() {
                // Most have one session in an hour, and there are very many hours.
                self.places.reserve_exact((self.places.len() / 2).max(1));
            }
            self.places.push(place);
        } else if let Some(silent) = self.places.iter_mut().min_by_key(|place| place.at) {
            *silent = place;
        }
        None
    }

    /// The pair of a step, counted; looked up once in an hour.
    fn pair(
        &mut self,
        population: &Population,
        (from, to): (EndpointId, EndpointId),
        now: Time,
    ) -> Pair {
        if let Some(pair) = self.pairs.iter_mut().find(|it| it.from == from && it.to == to) {
            pair.steps += 1;
            return *pair;
        }
        // A release gives everybody new steps: they say nothing of who takes them.
        let is_new = population.is_released(from, now) || population.is_released(to, now);
        let bits = population.steps.bits(from, to).filter(|_| !is_new);
        let bits = bits.map_or(-1.0, |bits| bits as f32);
        let usual = population.steps.usual(to);
        let is_skip = usual.is_some_and(|usual| usual.from != from && !is_new);
        let pair = Pair { from, to, steps: 1, bits, is_skip };
        if self.pairs.len() < HOUR_PAIRS_MAX {
            if self.pairs.len() == self.pairs.capacity() {
                self.pairs.reserve_exact((self.pairs.len() / 2).max(4));
            }
            self.pairs.push(pair);
        }
        pair
    }

    fn add(&mut self, pair: Pair, now: Time, crossed: &mut Crossed) {
        if pair.is_skip && pair.steps >= self.skips_tripwire {
            crossed.add(Detector::Sequence);
        }
        if pair.bits < 0.0 {
            return;
        }
        let block = &mut self.block;
        if block.steps == 0 {
            block.first = now;
        }
        block.last = now;
        block.steps += 1;
        block.bits += pair.bits;
        if pair.bits > block.odd {
            (block.from, block.to, block.odd) = (pair.from, pair.to, pair.bits);
        }
        if block.steps >= BLOCK_STEPS && self.end_block() >= self.bits_tripwire {
            crossed.add(Detector::Sequence);
        }
    }

    /// Ends the block of now; its bits per step.
    fn end_block(&mut self) -> f32 {
        let full = std::mem::replace(&mut self.block, Block::EMPTY);
        self.blocks.add(full.mean(), 1.0);
        if self.oddest.is_none_or(|oddest| full.mean() > oddest.mean()) {
            self.oddest = Some(full);
        }
        full.mean() as f32
    }

    /// Ends the hour.
    pub(super) fn close(&mut self) {
        if self.block.steps >= BLOCK_STEPS / 2 {
            self.end_block();
        }
    }

    /// Whether there were more pairs than are told apart.
    pub(crate) const fn is_full(&self) -> bool {
        self.pairs.len() >= HOUR_PAIRS_MAX
    }

    /// Each endpoint that nearly all come to from one other, and how often it was reached from elsewhere.
    pub(crate) fn skips(&self, population: &Population) -> Vec<(EndpointId, u32)> {
        let mut skips: Vec<(EndpointId, u32)> = Vec::new();
        for pair in self.pairs.iter().filter(|it| population.steps.usual(it.to).is_some()) {
            let steps = if pair.is_skip { pair.steps } else { 0 };
            match skips.iter_mut().find(|(to, _)| *to == pair.to) {
                Some((_, sum)) => *sum += steps,
                None => skips.push((pair.to, steps)),
            }
        }
        skips
    }

    /// The most often that the usual step before one endpoint was left out.
    pub(crate) fn skipped_most(&self) -> u32 {
        let of = |to: EndpointId| {
            let each = self.pairs.iter().filter(|it| it.to == to && it.is_skip);
            each.map(|it| it.steps).sum::<u32>()
        };
        self.pairs.iter().filter(|it| it.is_skip).map(|it| of(it.to)).max().unwrap_or(0)
    }
}

impl OpenWindow {
    /// Adds a call as a step of its session, unless it was answered with an error.
    pub(crate) fn add_step(
        &mut self,
        population: &Population,
        (batch, event): (&EventBatch, &Event),
        endpoint: EndpointId,
        now: Time,
        crossed: &mut Crossed,
    ) {
        if event.status().is_some_and(|status| status >= 400) {
            return;
        }
        let session = batch.text(event, Text::SessionId).map_or(0, text_hash);
        let Some(from) = self.steps.go_to(session, endpoint, now) else { return };
        let pair = self.steps.pair(population, (from, endpoint), now);
        self.steps.add(pair, now, crossed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::Contribution;
    use model::Int;
    use model::time::NS_PER_S;

    /// Everybody went 0 → 1 → 2 → 0, so often.
    fn population(rounds: u32) -> Population {
        let mut contribution = Contribution::default();
        for (from, to) in [(0, 1), (1, 2), (2, 0)] {
            contribution.steps.add(EndpointId(from), EndpointId(to), rounds as f32);
        }
        contribution.steps.add_sessions(rounds as f32);
        let mut population = Population::default();
        population.absorb(std::iter::once(&mut contribution));
        population
    }

    /// An hour with these calls: session, endpoint, status and second.
    fn hour(calls: &[(&str, u32, i64, i64)]) -> Steps {
        let (population, mut open) = (population(300), OpenWindow::new());
        for (session, endpoint, status, second) in calls {
            let mut batch = EventBatch::default();
            let mut event = Event::at(Time::from_ns(second * NS_PER_S));
            batch.set_text(&mut event, Text::SessionId, session);
            event.set_int(Int::HttpResponseStatusCode, *status);
            let (endpoint, now) = (EndpointId(*endpoint), event.time);
            open.add_step(&population, (&batch, &event), endpoint, now, &mut Crossed::default());
        }
        open.steps
    }

    #[track_caller]
    fn check(calls: &[(&str, u32, i64, i64)], expected: &[(u32, u32, u32)]) {
        let steps = hour(calls);
        let pairs = steps.pairs.iter().map(|pair| (pair.from.0, pair.to.0, pair.steps));
        assert_eq!(pairs.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn sessions_take_steps_of_their_own() {
        let calls = [("a", 0, 200, 0), ("b", 2, 200, 1), ("a", 1, 200, 2), ("b", 0, 200, 3)];
        check(&calls, &[(0, 1, 1), (2, 0, 1)]);
    }

    #[test]
    fn what_failed_is_no_step() {
        check(&[("a", 0, 200, 0), ("a", 2, 404, 1), ("a", 1, 200, 2)], &[(0, 1, 1)]);
    }

    #[test]
    fn a_long_silence_is_a_new_beginning() {
        let calls = [("a", 0, 200, 0), ("a", 1, 200, 1_801), ("a", 2, 200, 3_601)];
        check(&calls, &[(1, 2, 1)]);
    }

    #[test]
    fn the_step_left_out_is_noticed() {
        let steps = hour(&[("a", 0, 200, 0), ("a", 2, 200, 1), ("a", 0, 200, 2), ("a", 2, 200, 3)]);
        assert_eq!(steps.skips(&population(300)), [(EndpointId(2), 2), (EndpointId(0), 0)]);
        assert_eq!(steps.skipped_most(), 2);
    }

    #[test]
    fn an_odd_order_has_more_bits_than_the_usual_one() {
        let of = |next: u32| {
            let calls: Vec<_> =
                (0..21).map(|nth| ("a", nth * next % 3, 200, i64::from(nth))).collect();
            hour(&calls).oddest.unwrap().mean()
        };
        assert!(of(1) < 0.2 && of(2) > 4.0, "{} and {}", of(1), of(2));
    }

    #[test]
    fn sessions_without_end_make_room_for_each_other() {
        let names: Vec<String> = (0..100).map(|nth| format!("s{nth}")).collect();
        let calls: Vec<_> = names.iter().zip(0..).map(|(name, at)| (&**name, 0, 200, at)).collect();
        let steps = hour(&calls);
        assert_eq!((steps.places.len(), steps.sessions), (SESSIONS_MAX, 100));
    }
}

//! The rhythm of a day: the gaps between calls to one endpoint, or to one server.
//!
//! A beacon calls at a steady gap all day long, among other calls and in bursts of its own. So gaps are kept
//! for each endpoint and for each server, and those much shorter than where the day's time is spent
//! are left out as parts of one occasion. What is left is measured by the middle deviation from the middle
//! gap, which nothing less than half of the gaps can spoil; RITA (Active Countermeasures), which scores
//! beacons by Bowley's skewness, this deviation and the number of connections, was the start of it. Here
//! the three are one probability: that gaps without memory, as long in the middle, were as steady.

use crate::snapshot::plain;
use crate::statistics::gamma::ln_beta_regularized;
use model::mention::Mentions;
use model::time::{NS_PER_D, NS_PER_H, NS_PER_S};
use model::{EndpointId, Endpoints, Event, EventBatch, Text, Time};
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_10;

/// Endpoints and servers whose gaps are kept in a day; those with the fewest occasions of late make room.
const CHANNELS_MAX: usize = 48;
/// Gaps that are kept of each; beyond it a fair half is, then a quarter, and so on.
const GAPS_MAX: usize = 96;
/// Occasions from which on gaps are kept.
const OCCASIONS_MIN: u16 = 4;
/// Bytes of a server's name that are kept.
const SERVER_BYTES_MAX: usize = 64;
/// Calls closer than this are one occasion: a page and its parts, and the clock of most logs.
const GAP_MIN_NS: i64 = NS_PER_S;
/// A longer gap is a pause.
const GAP_MAX_NS: i64 = 3 * NS_PER_H;
/// Fewer gaps than this have no rhythm.
const GAPS_MIN: f64 = 16.0;
/// Units of the logarithm of a gap in milliseconds: a unit is 0.025 %.
const UNITS: f64 = 4_000.0;
/// Gaps below this share of where the day's time is spent belong to one occasion.
const OCCASION_SHARE: f64 = 0.25;
/// Gaps within this share of the middle one cover the time of the beat.
const NEAR_SHARE: f64 = 0.5;
/// How much odder calls to a server must be than those to one endpoint, which say more.
const SERVER_ODDER: f64 = 1.2;
/// The rounding of clocks, in seconds, and of how gaps are kept, that a deviation is never below.
const ROUNDING_S: f64 = 0.3;
const ROUNDING_SHARE: f64 = 0.002;
/// Correlation of the gaps within an hour: an hour of many says little more than one of a few.
const HOUR_CORRELATION: f64 = 0.25;

/// The gaps of a day, by endpoint and by server.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Rhythm {
    channels: Vec<Channel>,
    /// A bit for each hour of the day that had calls.
    pub(crate) hours: u32,
}

/// What calls have in common.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) enum Of {
    Endpoint(#[serde(with = "plain")] EndpointId),
    /// A hash of its name; 0 where the log has none, so that these are all the calls.
    Server(u32),
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Channel {
    of: Of,
    /// The last call, in milliseconds of the day.
    last_ms: u32,
    /// Occasions, and those of late: halved at each hour's end.
    occasions: u16,
    lately: u16,
    /// A bit for each hour of the day that had calls.
    hours: u32,
    gaps: Option<Box<Gaps>>,
}

/// A fair part of the gaps of one channel.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Gaps {
    /// ln(milliseconds) in [`UNITS`], as they came.
    kept: Vec<u16>,
    /// How many there were.
    seen: u32,
    /// One in 2^`level` is kept.
    level: u8,
    server: Option<Box<str>>,
}

/// How steady the calls of one channel are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Steadiness {
    pub(crate) of: Of,
    pub(crate) server: Option<Box<str>>,
    /// The middle gap in seconds, and the middle deviation from it, as measured.
    pub(crate) gap_s: f64,
    pub(crate) deviation_s: f64,
    /// The deviation as a share of the gap, rounding added: 0 is a clock, 0.7 has no memory.
    pub(crate) jitter: f64,
    /// Gaps below this, in seconds, were left out.
    pub(crate) from_s: f64,
    /// Gaps, about; and the hours that those take that are near the middle one.
    pub(crate) gaps: f64,
    pub(crate) hours: f64,
    /// Independent gaps that these weigh as much as.
    pub(crate) effective: f64,
    /// −log10 of the probability that gaps without memory were as steady.
    pub(crate) surprise: f64,
}

impl Rhythm {
    pub(crate) fn add(
        &mut self,
        batch: &EventBatch,
        event: &Event,
        endpoint: EndpointId,
        now: Time,
    ) {
        let ns = now.ns().rem_euclid(NS_PER_D);
        let (ms, hour) = ((ns / 1_000_000) as u32, 1 << (ns / NS_PER_H));
        self.hours |= hour;
        let server = batch.text(event, Text::ServerAddress);
        let name = server.map_or(0, |name| crate::partition::text_hash(name) as u32);
        for (of, server) in [(Of::Endpoint(endpoint), None), (Of::Server(name), server)] {
            if let Some(channel) = self.channel(of, ms) {
                channel.hours |= hour;
                channel.add(ms, server);
            }
        }
    }

    /// The channel of what calls have in common; none at its first, which has no gap.
    fn channel(&mut self, of: Of, ms: u32) -> Option<&mut Channel> {
        if let Some(index) = self.channels.iter().position(|it| it.of == of) {
            return self.channels.get_mut(index);
        }
        let hours = 1 << (i64::from(ms) * 1_000_000 / NS_PER_H);
        let new = Channel { of, last_ms: ms, occasions: 1, lately: 1, hours, gaps: None };
        if self.channels.len() < CHANNELS_MAX {
            if self.channels.len() == self.channels.capacity() {
                self.channels.reserve_exact(2);
            }
            self.channels.push(new);
        } else if let Some(least) =
            self.channels.iter_mut().min_by_key(|it| (it.lately, it.last_ms))
        {
            *least = new;
        }
        None
    }

    /// Where its first channel is: read before it is needed.
    pub(crate) fn glance(&self) -> u64 {
        u64::from(self.hours) ^ self.channels.len() as u64
    }

    /// A little of each of the first channels: read before they are needed.
    pub(crate) fn glance_lists(&self) -> u64 {
        let first = self.channels.iter().take(6);
        first.fold(0, |read, it| read ^ u64::from(it.last_ms) ^ u64::from(it.seen()))
    }

    /// At an hour's end what was often called gives way a little.
    pub(crate) fn close_hour(&mut self, hour: u32) {
        self.hours |= 1 << hour;
        for channel in &mut self.channels {
            channel.lately = channel.lately.div_ceil(2);
        }
    }

    /// The steadiest channel, as the steadiest of all that there are.
    pub(crate) fn steadiest(&self) -> Option<Steadiness> {
        let each = self.channels.iter().filter_map(Channel::steadiness);
        let n = each.clone().count() as f64;
        let rank = |it: &Steadiness| match it.of {
            Of::Endpoint(_) => it.surprise * SERVER_ODDER,
            Of::Server(_) => it.surprise,
        };
        let best = each.reduce(|best, next| if rank(&next) > rank(&best) { next } else { best })?;
        let surprise = crate::statistics::tail::largest_of(best.surprise, n);
        Some(Steadiness { surprise, ..best })
    }

    pub(crate) fn follow(&mut self, endpoints: &Endpoints) {
        for channel in &mut self.channels {
            if let Of::Endpoint(endpoint) = &mut channel.of {
                *endpoint = endpoints.resolve(*endpoint);
            }
        }
        // Of two that became one, the fuller stays.
        self.channels.sort_by_key(|it| (it.of, u32::MAX - it.seen()));
        self.channels.dedup_by_key(|it| it.of);
    }

    /// Forgets somebody who is named in the name of a server.
    pub(crate) fn forget(&mut self, mentions: &Mentions) {
        for gaps in self.channels.iter_mut().filter_map(|it| it.gaps.as_mut()) {
            if gaps.server.as_deref().is_some_and(|it| mentions.are_in(it)) {
                gaps.server = None;
            }
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        let has_room =
            |gaps: &Gaps| gaps.kept.len() <= GAPS_MAX && u32::from(gaps.level) < u32::BITS;
        self.channels.len() <= CHANNELS_MAX
            && self.channels.iter().all(|it| {
                i64::from(it.last_ms) * 1_000_000 < NS_PER_D
                    && it.gaps.as_deref().is_none_or(has_room)
            })
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let of_gaps = |gaps: &Gaps| {
            let server = gaps.server.as_ref().map_or(0, |server| server.len());
            size_of::<Gaps>() + gaps.kept.len() * size_of::<u16>() + server
        };
        let gaps: usize =
            self.channels.iter().filter_map(|it| it.gaps.as_deref()).map(of_gaps).sum();
        self.channels.len() * size_of::<Channel>() + gaps
    }
}

impl Channel {
    fn seen(&self) -> u32 {
        self.gaps.as_ref().map_or(0, |gaps| gaps.seen)
    }

    fn add(&mut self, ms: u32, server: Option<&str>) {
        let gap_ms = ms.saturating_sub(self.last_ms);
        self.last_ms = ms.max(self.last_ms);
        if i64::from(gap_ms) * 1_000_000 < GAP_MIN_NS {
            return;
        }
        self.occasions = self.occasions.saturating_add(1);
        self.lately = self.lately.saturating_add(1);
        if i64::from(gap_ms) * 1_000_000 > GAP_MAX_NS {
            return;
        }
        if let Some(gaps) = &mut self.gaps {
            gaps.add(gap_ms);
        } else if self.occasions >= OCCASIONS_MIN {
            let mut gaps = Gaps { server: server.map(short), ..Gaps::default() };
            gaps.add(gap_ms);
            self.gaps = Some(Box::new(gaps));
        }
    }

    fn steadiness(&self) -> Option<Steadiness> {
        let gaps = self.gaps.as_deref().filter(|gaps| f64::from(gaps.seen) >= GAPS_MIN)?;
        let mut kept = gaps.kept.clone();
        kept.sort_unstable();
        let seconds: Vec<f64> = kept.into_iter().map(seconds_of).collect();
        // Half of the day's time is spent in gaps of at least this length.
        let half = seconds.iter().sum::<f64>() / 2.0;
        let mut spent = 0.0;
        let by_time = seconds.iter().rev().find(|gap| {
            spent += **gap;
            spent >= half
        })?;
        let from_s = by_time * OCCASION_SHARE;
        let long = seconds.get(seconds.partition_point(|gap| *gap < from_s)..)?;
        let scale = f64::from(gaps.seen) / seconds.len() as f64;
        let count = scale * long.len() as f64;
        if count < GAPS_MIN {
            return None;
        }
        let gap_s = *long.get(long.len() / 2)?;
        let mut away: Vec<f64> = long.iter().map(|gap| (gap - gap_s).abs()).collect();
        let middle = away.len() / 2;
        let (_, deviation_s, _) = away.select_nth_unstable_by(middle, f64::total_cmp);
        let deviation_s = *deviation_s;
        let jitter = (deviation_s + ROUNDING_S) / gap_s + ROUNDING_SHARE;
        let near = long.iter().filter(|gap| (*gap - gap_s).abs() <= NEAR_SHARE * gap_s);
        let hours = scale * near.sum::<f64>() / 3_600.0;
        let effective = effective(count, hours.min(f64::from(self.hours.count_ones())));
        Some(Steadiness {
            of: self.of,
            server: gaps.server.clone(),
            gap_s,
            deviation_s,
            jitter,
            from_s,
            gaps: count,
            hours,
            effective,
            surprise: half_within(without_memory(jitter, from_s / gap_s), effective),
        })
    }
}

impl Gaps {
    fn add(&mut self, ms: u32) {
        self.seen = self.seen.saturating_add(1);
        if mixed(self.seen).trailing_zeros() < u32::from(self.level) {
            return;
        }
        if self.kept.len() >= GAPS_MAX {
            // A fair half: every second one would follow a pattern of long and short gaps.
            let mut place = self.seen;
            self.kept.retain(|_| {
                place = place.wrapping_add(1);
                mixed(place) & 1 == 0
            });
            self.level = (self.level + 1).min(31);
        }
        if self.kept.len() < GAPS_MAX {
            self.kept.reserve_exact(usize::from(self.kept.len() == self.kept.capacity()) * 8);
            self.kept.push((f64::from(ms).ln() * UNITS).min(f64::from(u16::MAX)).round() as u16);
        }
    }
}

fn seconds_of(gap: u16) -> f64 {
    (f64::from(gap) / UNITS).exp() / 1_000.0
}

fn short(server: &str) -> Box<str> {
    let end =
        (0..=SERVER_BYTES_MAX.min(server.len())).rev().find(|end| server.is_char_boundary(*end));
    server.get(..end.unwrap_or(0)).unwrap_or_default().into()
}

/// Independent gaps that so many in so many hours weigh as much as (Kish, Survey Sampling, 1965, §8.2).
fn effective(gaps: f64, hours: f64) -> f64 {
    let each = gaps / hours.max(1.0);
    gaps / (1.0 + (each - 1.0).max(0.0) * HOUR_CORRELATION)
}

/// The chance that a gap without memory lies within `jitter` of the middle gap, both as shares of it, when
/// those below `from` are left out: an exponential law that starts there and has its median at 1.
fn without_memory(jitter: f64, from: f64) -> f64 {
    let rest = (1.0 - from).max(0.1);
    let beyond = |gap: f64| (-(gap - from).max(0.0) / rest).exp2();
    beyond(1.0 - jitter) - beyond(1.0 + jitter)
}

/// Surprise of at least half of `n` gaps lying where each lies with `chance`.
pub(crate) fn half_within(chance: f64, n: f64) -> f64 {
    let half = n / 2.0;
    -ln_beta_regularized(half, n - half + 1.0, chance.clamp(1e-300, 1.0)) / LN_10
}

const fn mixed(number: u32) -> u32 {
    // The finaliser of MurmurHash3 (A. Appleby): fair, whatever the inputs.
    let mut key = number;
    key = (key ^ (key >> 16)).wrapping_mul(0x85eb_ca6b);
    key = (key ^ (key >> 13)).wrapping_mul(0xc2b2_ae35);
    key ^ (key >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rhythm of calls at these seconds of a day, to one endpoint.
    fn rhythm_of(seconds: impl Iterator<Item = f64>) -> Rhythm {
        let (batch, mut rhythm) = (EventBatch::default(), Rhythm::default());
        for second in seconds {
            let at = Time::from_ns((second * 1e9) as i64);
            rhythm.add(&batch, &Event::at(at), EndpointId(1), at);
        }
        rhythm
    }

    fn surprise_of(seconds: impl Iterator<Item = f64>) -> f64 {
        rhythm_of(seconds).steadiest().map_or(0.0, |it| it.surprise)
    }

    /// A number from 0 to 1 for each place.
    fn part(place: u32) -> f64 {
        f64::from(mixed(place)) / f64::from(u32::MAX)
    }

    /// Calls whose gaps have no memory.
    fn memoryless(mean_s: f64, until_s: f64) -> Vec<f64> {
        let (mut at, mut all) = (0.0, Vec::new());
        for place in 1.. {
            at += -mean_s * part(place).max(1e-9).ln();
            if at >= until_s {
                break;
            }
            all.push(at);
        }
        all
    }

    #[test]
    fn a_clock_is_odd_and_chance_is_not() {
        let clock = surprise_of((0..280).map(|call| f64::from(call) * 300.0));
        assert!(clock > 40.0 && clock.is_finite(), "{clock}");
        for mean in [60.0, 300.0, 900.0] {
            let chance = surprise_of(memoryless(mean, 86_000.0).into_iter());
            assert!(chance < 2.0, "{mean}: {chance}");
        }
    }

    #[test]
    fn other_calls_and_bursts_do_not_hide_a_beacon() {
        let mut calls: Vec<f64> = (0..280).map(|call| f64::from(call) * 300.0).collect();
        let alone = surprise_of(calls.clone().into_iter());
        calls.extend(memoryless(2_000.0, 86_000.0));
        for burst in 0..5 {
            calls.extend((0..80).map(|call| f64::from(burst) * 9_000.0 + f64::from(call) * 1.3));
        }
        calls.sort_by(f64::total_cmp);
        let among = surprise_of(calls.into_iter());
        assert!(among > 0.3 * alone, "{among} of {alone}");
    }

    #[test]
    fn a_whole_day_is_odder_than_one_hour() {
        let hour = surprise_of((0..280).map(|call| f64::from(call) * 12.0));
        let day = surprise_of((0..280).map(|call| f64::from(call) * 300.0));
        assert!(day > 3.0 * hour, "{hour} and {day}");
    }

    #[test]
    fn a_beat_is_found_among_many_other_endpoints() {
        let (batch, mut rhythm) = (EventBatch::default(), Rhythm::default());
        let mut calls: Vec<_> = (0..280).map(|call| (f64::from(call) * 300.0, 7)).collect();
        let others = memoryless(20.0, 86_000.0).into_iter().enumerate();
        calls.extend(others.map(|(place, at)| (at, 100 + mixed(place as u32) % 300)));
        calls.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (second, endpoint) in calls {
            let at = Time::from_ns((second * 1e9) as i64);
            rhythm.add(&batch, &Event::at(at), EndpointId(endpoint), at);
            rhythm.channels.iter_mut().for_each(|it| assert!(it.seen() < 5_000));
        }
        let found = rhythm.steadiest().unwrap();
        assert_eq!(found.of, Of::Endpoint(EndpointId(7)));
        assert!(rhythm.is_sound() && (found.gap_s - 300.0).abs() < 1.0, "{found:?}");
    }

    proptest! {
        #[test]
        fn less_jitter_and_more_gaps_are_odder(
            jitter in 0.003_f64..0.9, n in 16.0_f64..150.0, less in 0.1_f64..0.95, more in 1.05_f64..4.0,
        ) {
            let at = |jitter: f64, n: f64| half_within(without_memory(jitter, 0.25), n);
            prop_assert!(at(jitter * less, n) > at(jitter, n));
            prop_assert!(at(jitter, n).is_finite());
            // Only what is steadier than chance becomes odder with more of it.
            if without_memory(jitter, 0.25) < 0.4 {
                prop_assert!(at(jitter, n * more) > at(jitter, n));
            }
        }

        #[test]
        fn a_chance_of_half_is_a_binomial_tail(chance in 0.01_f64..0.9, half in 4_u64..60) {
            use statrs::distribution::{Binomial, DiscreteCDF};
            let law = Binomial::new(chance, 2 * half).unwrap();
            let reference = law.sf(half - 1);
            let ours = 10_f64.powf(-half_within(chance, 2.0 * half as f64));
            prop_assert!((ours - reference).abs() <= 1e-7, "{ours} against {reference}");
        }
    }
}

//! The window that is open: what one identity has done in the current hour.
//!
//! The per-event path adds integers and compares them with tripwires; a crossed tripwire is
//! returned as a bit of [`Crossed`], and only then does a detector compute.

mod acted;
mod beyond;
mod call;
mod changes;
mod crossed;
mod distinct;
mod flows;
mod forget;
mod loops;
mod objects;
mod origins;
mod pace;
mod probes;
mod secrets;
mod sources;
mod steps;
mod subjects;
mod tools;

pub(crate) use acted::Acted;
pub(crate) use beyond::{Beyond, Outside};
pub(crate) use call::{Call, First};
pub(crate) use crossed::Crossed;
pub(crate) use flows::{Flows, LastRead};
pub(crate) use forget::forget_in;
pub(crate) use objects::ObjectSet;
pub(crate) use origins::{NewOrigin, Origin, Origins, Whence, family, family_key};
pub(crate) use pace::Paces;
pub(crate) use probes::{Probed, Probes};
pub(crate) use secrets::{Agent, Place, Secrets};
pub(crate) use steps::{Pair, Steps};
pub(crate) use tools::{CALLS_MIN as TOOL_CALLS_MIN, HOURS_MIN as TOOL_HOURS_MIN, ToolUse, Tools};

use crate::detectors::{Reading, dormant::Waking};
use crate::identity::ToolKey;
use crate::snapshot::plain;
use crate::statistics::{Moments, Octaves};
use changes::Changes;
pub(crate) use distinct::Distinct;
use loops::Loops;
use model::time::{NS_PER_H, NS_PER_MIN, NS_PER_S};
use model::{
    Detector, EndpointId, Event, Evidence, FindingId, Int, PrincipalTrust, Time, TimePrecision,
};
use serde::{Deserialize, Serialize};
use sources::NO_MINUTE;

/// The lengths of the sub-windows in which calls are counted.
pub(crate) const SPEED_SPANS_NS: [i64; 3] = [10 * NS_PER_S, NS_PER_MIN, SPAN_NS];
/// The length of the spans of an hour that are ranked, and how many it has.
pub(crate) const SPAN_NS: i64 = 5 * NS_PER_MIN;
const SPANS: usize = 12;
/// Distinct values that are told apart in one set; beyond it a count says "at least".
pub(crate) const DISTINCT_MAX: usize = 8_192;
/// Endpoints whose objects are counted in one hour.
const OBJECT_SETS_MAX: usize = 64;
/// Endpoints that are told apart in one hour.
const HOUR_ENDPOINTS_MAX: usize = 2_048;
/// Networks and user agents that are told apart in one hour.
pub(crate) const SOURCES_MAX: usize = 64;
/// Endpoints that are new to the identity and remembered in one hour.
pub(crate) const NOVEL_MAX: usize = 64;
/// Calls of an hour that are remembered as samples: the first to each of so many endpoints.
const SAMPLES_MAX: usize = 5;
/// Failures at an endpoint from which on a success there is a success after failures.
const FAILED_BEFORE_SUCCESS: u32 = 3;
/// Names that failed authentication claimed and that are remembered in one hour.
pub(crate) const CLAIMED_MAX: usize = 256;

/// Elements of capacity that a recycled window keeps in each list.
const KEEP_MAX: usize = 32;

/// Calls per endpoint in this hour.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct EndpointCalls {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    pub(crate) calls: u32,
    pub(crate) refused: u32,
    /// Refused for want of authentication.
    pub(crate) failed: u32,
    /// Changed or deleted an object.
    pub(crate) changed: u32,
    /// The minute of the hour in which a size was observed last; 255 before.
    pub(crate) sized_minute: u8,
    /// Any call was answered other than with an error.
    pub(crate) is_accepted: bool,
    /// Any call was its own, and no agent's for it.
    pub(crate) is_own: bool,
    pub(crate) bytes_out: f64,
    /// What one call here says of [`crate::detectors::not_itself`]; the baseline stands still while
    /// the window is open.
    pub(crate) log_ratio: f32,
    /// −log2 p(endpoint | identity).
    pub(crate) bits: f32,
}

/// Calls in an aligned sub-window.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Speed {
    pub(crate) start: i64,
    pub(crate) calls: u32,
    pub(crate) tripwire: u32,
    pub(crate) peak: u32,
    pub(crate) peak_start: i64,
    pub(crate) closed: Moments,
}

/// A finding that was raised while the window was open.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Raised {
    #[serde(with = "plain")]
    pub(crate) detector: Detector,
    #[serde(with = "plain")]
    pub(crate) entity: Option<EndpointId>,
    /// The new tool that it is about, which is no endpoint.
    pub(crate) new_tool: Option<ToolKey>,
    #[serde(with = "plain")]
    pub(crate) id: FindingId,
    #[serde(with = "plain")]
    pub(crate) detected_at: Time,
    #[serde(with = "plain")]
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) surprise: f64,
    /// How much of it there was: observed per second of its window.
    pub(crate) magnitude: f64,
    /// It only goes on with what was said of the hour before: withheld from learning, but not said.
    pub(crate) is_silent: bool,
    /// [`OpenWindow::notes`] when it was last said.
    pub(crate) notes: u32,
}

/// Answers by class.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Statuses {
    pub(crate) s2xx: u32,
    pub(crate) s3xx: u32,
    pub(crate) s401: u32,
    pub(crate) s403: u32,
    pub(crate) s404: u32,
    pub(crate) s4xx: u32,
    pub(crate) s5xx: u32,
    pub(crate) unknown: u32,
}

/// One identity's current hour.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct OpenWindow {
    #[serde(with = "plain")]
    pub(crate) start: Time,
    #[serde(with = "plain")]
    pub(crate) first: Time,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    pub(crate) calls: u32,
    pub(crate) writes: u32,
    pub(crate) statuses: Statuses,
    pub(crate) bytes_out: f64,
    pub(crate) bytes_in: f64,
    pub(crate) sized: u32,
    pub(crate) bytes_tripwire: f64,
    pub(crate) endpoints: Vec<EndpointCalls>,
    /// The first accepted calls to endpoints that never accepted one of this identity's.
    pub(crate) novel: Vec<Call>,
    /// How many of those there were.
    pub(crate) novel_accepted: u32,
    /// Endpoints that the identity never called before, refused ones included.
    pub(crate) novel_seen: u32,
    /// Those of them that are not new to everybody, and that few of its peers use.
    pub(crate) novel_alone: u32,
    pub(crate) objects: Vec<ObjectSet>,
    /// Sensitive reads, and calls out after them, if there is one.
    pub(crate) flows: Option<Box<Flows>>,
    /// Distinct objects among them that somebody else alone had read, as of the hour's end.
    pub(crate) foreign: u32,
    /// The first calls that read such objects, an object once.
    #[serde(with = "plain")]
    pub(crate) foreign_read: Vec<Evidence>,
    pub(crate) steps: Steps,
    pub(crate) objects_new: u32,
    pub(crate) changes: Changes,
    pub(crate) secrets: Option<Box<Secrets>>,
    /// What agents repeated; none where nothing of an agent was seen.
    pub(crate) loops: Option<Box<Loops>>,
    /// Made by the first call with signs of injection.
    pub(crate) probes: Option<Box<Probes>>,
    /// Made by the first call of an identity that is no address.
    pub(crate) origins: Option<Box<Origins>>,
    /// Made by the first call that it made on somebody else's behalf.
    pub(crate) acted: Option<Box<Acted>>,
    /// An agent acted for it.
    pub(crate) is_served: bool,
    /// Made by the first call of a tool.
    pub(crate) tools: Option<Box<Tools>>,
    #[serde(with = "plain")]
    pub(crate) denied: Distinct,
    pub(crate) denied_calls: u32,
    #[serde(with = "plain")]
    pub(crate) denied_first: Time,
    #[serde(with = "plain")]
    pub(crate) denied_last: Time,
    pub(crate) denied_tripwire: u32,
    pub(crate) failures: u32,
    pub(crate) failures_tripwire: u32,
    #[serde(with = "plain")]
    pub(crate) failures_first: Time,
    #[serde(with = "plain")]
    pub(crate) failures_last: Time,
    #[serde(with = "plain")]
    pub(crate) claimed: Distinct,
    pub(crate) claimed_names: Vec<Box<str>>,
    pub(crate) successes_after: u32,
    /// Further successes may have followed its failures: not all are watched for one.
    pub(crate) is_unwatched: bool,
    /// Who succeeded: hashes, and the first names.
    #[serde(with = "plain")]
    pub(crate) succeeded: Distinct,
    pub(crate) succeeded_names: Vec<Box<str>>,
    /// Addresses that it came from, as hashes.
    #[serde(with = "plain")]
    addresses: Distinct,
    #[serde(with = "plain")]
    pub(crate) networks: Distinct,
    #[serde(with = "plain")]
    pub(crate) user_agents: Distinct,
    #[serde(with = "plain")]
    pub(crate) durations: Octaves,
    #[serde(with = "plain")]
    pub(crate) gaps: Octaves,
    /// The log has whole seconds, which say nothing of shorter gaps.
    pub(crate) is_coarse: bool,
    pub(crate) speeds: [Speed; 3],
    pub(crate) paces: Paces,
    /// Sum over calls of ln p(endpoint | others) − ln p(endpoint | this identity).
    pub(crate) log_ratio: f64,
    /// Sum over calls of −log2 p(endpoint | this identity).
    pub(crate) surprisal_bits: f64,
    pub(crate) waking: Waking,
    pub(crate) itself_tripwire: u32,
    pub(crate) joint_surprise: f32,
    /// What [`crate::detectors::coincidence`] is made of; of a closed hour alone.
    #[serde(skip)]
    pub(crate) coincident: Vec<Reading>,
    pub(crate) raised: Vec<Raised>,
    /// The first call to each of the hour's first endpoints: evidence of what only the close shows.
    pub(crate) samples: Vec<Call>,
    /// What it was told beside its calls: successes after failures.
    pub(crate) notes: u32,
}

impl OpenWindow {
    pub(crate) fn new() -> Self {
        let start = Time::from_ns(0);
        Self {
            start,
            first: start,
            last: start,
            calls: 0,
            writes: 0,
            statuses: Statuses::default(),
            bytes_out: 0.0,
            bytes_in: 0.0,
            sized: 0,
            bytes_tripwire: f64::INFINITY,
            endpoints: Vec::new(),
            novel: Vec::new(),
            novel_accepted: 0,
            novel_seen: 0,
            novel_alone: 0,
            objects: Vec::new(),
            flows: None,
            foreign: 0,
            foreign_read: Vec::new(),
            steps: Steps::new(),
            objects_new: 0,
            changes: Changes::new(),
            secrets: None,
            loops: None,
            probes: None,
            origins: None,
            acted: None,
            is_served: false,
            tools: None,
            denied: Distinct::default(),
            denied_calls: 0,
            denied_first: start,
            denied_last: start,
            denied_tripwire: u32::MAX,
            failures: 0,
            failures_tripwire: u32::MAX,
            failures_first: start,
            failures_last: start,
            claimed: Distinct::default(),
            claimed_names: Vec::new(),
            successes_after: 0,
            is_unwatched: false,
            succeeded: Distinct::default(),
            succeeded_names: Vec::new(),
            addresses: Distinct::default(),
            networks: Distinct::default(),
            user_agents: Distinct::default(),
            durations: Octaves::from_octave(10),
            gaps: Octaves::from_octave(20),
            is_coarse: false,
            speeds: [Speed::default(); 3],
            paces: Paces::default(),
            log_ratio: 0.0,
            surprisal_bits: 0.0,
            waking: Waking::new(),
            itself_tripwire: u32::MAX,
            joint_surprise: 0.0,
            coincident: Vec::new(),
            raised: Vec::new(),
            samples: Vec::new(),
            notes: 0,
        }
    }

    /// Empties a closed window and keeps its memory for the next identity.
    pub(crate) fn recycle(mut self: Box<Self>) -> Box<Self> {
        let mut fresh = Self::new();
        for list in [
            &mut self.denied,
            &mut self.claimed,
            &mut self.addresses,
            &mut self.networks,
            &mut self.user_agents,
        ] {
            list.clear();
        }
        self.endpoints.clear();
        self.endpoints.shrink_to(KEEP_MAX);
        for calls in [&mut self.novel, &mut self.samples] {
            calls.clear();
            calls.shrink_to(KEEP_MAX);
        }
        self.objects.clear();
        self.objects.shrink_to(KEEP_MAX);
        self.durations.clear();
        self.gaps.clear();
        fresh.endpoints = self.endpoints;
        fresh.novel = self.novel;
        fresh.samples = self.samples;
        fresh.objects = self.objects;
        fresh.denied = self.denied;
        fresh.claimed = self.claimed;
        fresh.addresses = self.addresses;
        fresh.networks = self.networks;
        fresh.user_agents = self.user_agents;
        self.endpoints = Vec::new();
        fresh.steps = self.steps.recycle();
        *self = fresh;
        self
    }

    /// Whether it may have called endpoints that are not told apart.
    pub(crate) const fn is_full(&self) -> bool {
        self.endpoints.len() >= HOUR_ENDPOINTS_MAX
    }

    /// The hour's end (exclusive).
    pub(crate) const fn end(&self) -> Time {
        self.start.plus(NS_PER_H)
    }

    /// What was raised that a detector spoke in: by itself, or as a part of what comes together.
    pub(crate) fn told_of(&self, detector: Detector) -> impl Iterator<Item = &Raised> {
        let is_part = self.coincident.iter().any(|it| it.detector == detector);
        self.raised.iter().filter(move |it| {
            it.detector == detector || (is_part && it.detector == Detector::Coincidence)
        })
    }

    /// Adds one call at `endpoint`, at event time `now` (never before the call before it).
    pub(crate) fn add(&mut self, event: &Event, endpoint: EndpointId, now: Time) -> Crossed {
        let mut crossed = Crossed::default();
        if self.calls == 0 {
            self.first = now;
        } else {
            self.gaps.add(now.since(self.last).max(0) as u64);
        }
        self.is_coarse |= event.time_precision == TimePrecision::S;
        self.last = now;
        self.calls += 1;
        self.add_speed(now, &mut crossed);
        self.paces.add(self.start, now);
        let status = event.status();
        self.add_status(event, status, now, &mut crossed);
        self.add_sizes(event, &mut crossed);
        if let (Some(object), Some(200..=299) | None) = (event.object, status) {
            self.add_object(endpoint, object, event.object_kind, now, &mut crossed);
        }
        if let Some(duration) = event.int(Int::DurationNs) {
            self.durations.add(duration.max(0) as u64);
        }
        crossed
    }

    fn add_speed(&mut self, now: Time, crossed: &mut Crossed) {
        for (speed, span) in self.speeds.iter_mut().zip(SPEED_SPANS_NS) {
            if now.ns() >= speed.start + span || speed.calls == 0 {
                speed.close();
                speed.start = now.floor(span).ns();
            }
            speed.calls += 1;
            if speed.calls > speed.peak {
                speed.peak = speed.calls;
                speed.peak_start = speed.start;
            }
            if speed.calls >= speed.tripwire {
                crossed.add(Detector::MachineSpeed);
            }
        }
    }

    fn add_status(&mut self, event: &Event, status: Option<u16>, now: Time, crossed: &mut Crossed) {
        let statuses = &mut self.statuses;
        match status {
            Some(200..=299) => statuses.s2xx += 1,
            Some(300..=399) => statuses.s3xx += 1,
            Some(401 | 407) => statuses.s401 += 1,
            Some(403) => statuses.s403 += 1,
            Some(404) => statuses.s404 += 1,
            Some(400..=499) => statuses.s4xx += 1,
            Some(500..=599) => statuses.s5xx += 1,
            _ => statuses.unknown += 1,
        }
        if matches!(status, Some(403 | 404)) {
            if self.denied_calls == 0 {
                self.denied_first = now;
            }
            self.denied_last = now;
            self.denied_calls += 1;
            let new = self.denied.add(event.endpoint_hash, DISTINCT_MAX);
            if new && self.denied.len() >= self.denied_tripwire as usize {
                crossed.add(Detector::DeniedProbing);
            }
        }
        if matches!(status, Some(401 | 407)) || event.principal_trust == PrincipalTrust::Claimed {
            if self.failures == 0 {
                self.failures_first = now;
            }
            self.failures_last = now;
            self.failures += 1;
            if self.failures >= self.failures_tripwire {
                crossed.add(Detector::AuthFailures);
            }
        }
    }

    fn add_sizes(&mut self, event: &Event, crossed: &mut Crossed) {
        self.bytes_in += event.bytes_in().unwrap_or(0) as f64;
        let Some(bytes) = event.bytes_out() else { return };
        self.sized += 1;
        self.bytes_out += bytes as f64;
        if self.bytes_out >= self.bytes_tripwire {
            crossed.add(Detector::EgressSpike);
        }
    }

    /// Adds the call to its endpoint's count; `first_look` is asked once per endpoint and hour for
    /// the call's log ratio and bits.
    pub(crate) fn add_endpoint(
        &mut self,
        event: &Event,
        endpoint: EndpointId,
        (is_change, is_own): (bool, bool),
        first_look: impl FnOnce() -> (f64, f64),
    ) -> First {
        let status = event.status();
        let refused = u32::from(matches!(status, Some(401 | 403 | 404 | 407)));
        let bytes_out = event.bytes_out().unwrap_or(0) as f64;
        let changed = u32::from(is_change);
        let is_accepted = status.is_none_or(|status| status < 400);
        let minute = self.sized_minute(event);
        let found = self.endpoints.iter_mut().find(|seen| seen.endpoint == endpoint);
        let (log_ratio, bits, first) = if let Some(seen) = found {
            seen.calls += 1;
            seen.refused += refused;
            seen.changed += changed;
            seen.bytes_out += bytes_out;
            if matches!(status, Some(200..=299)) && seen.failed >= FAILED_BEFORE_SUCCESS {
                self.successes_after += 1;
            }
            seen.failed += u32::from(matches!(status, Some(401 | 407)));
            let is_first = is_accepted && !seen.is_accepted;
            seen.is_accepted |= is_accepted;
            seen.is_own |= is_own;
            let sized = minute.is_some_and(|minute| minute != seen.sized_minute);
            seen.sized_minute = minute.unwrap_or(seen.sized_minute);
            (seen.log_ratio, seen.bits, First { call: false, accepted: is_first, sized })
        } else {
            let (log_ratio, bits) = first_look();
            let (log_ratio, bits) = (log_ratio as f32, bits as f32);
            let room = self.endpoints.len() < HOUR_ENDPOINTS_MAX;
            if room {
                let failed = u32::from(matches!(status, Some(401 | 407)));
                let calls = 1;
                self.endpoints.push(EndpointCalls {
                    endpoint,
                    calls,
                    refused,
                    failed,
                    changed,
                    sized_minute: minute.unwrap_or(NO_MINUTE),
                    is_accepted,
                    is_own,
                    bytes_out,
                    log_ratio,
                    bits,
                });
            }
            (
                log_ratio,
                bits,
                First {
                    call: room,
                    accepted: room && is_accepted,
                    sized: room && minute.is_some(),
                },
            )
        };
        self.log_ratio += f64::from(log_ratio);
        self.surprisal_bits += f64::from(bits);
        first
    }

    /// Remembers a call as a sample of the hour, while there is room.
    pub(crate) fn add_sample(&mut self, call: Call) {
        if self.samples.len() < SAMPLES_MAX {
            if self.samples.len() == self.samples.capacity() {
                // Most hours have an endpoint or two, and there are very many hours.
                self.samples.reserve_exact(2);
            }
            self.samples.push(call);
        }
    }

    /// Closes the sub-windows, and the block of steps, at the hour's end.
    pub(crate) fn close_speeds(&mut self) {
        self.speeds.iter_mut().for_each(Speed::close);
        self.steps.close();
    }
}

impl Speed {
    /// Whether its times are such as events may carry.
    pub(crate) fn is_sound(&self) -> bool {
        let end = Time::END_EVENT.ns();
        [self.start, self.peak_start].into_iter().all(|start| (-end..=end).contains(&start))
    }

    fn close(&mut self) {
        if self.calls > 0 {
            self.closed.add(f64::from(self.calls), 1.0);
            self.calls = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_in_aligned_windows() {
        let mut window = OpenWindow::new();
        for second in [0, 1, 2, 11, 12, 61] {
            let at = Time::from_ns(second * NS_PER_S);
            window.add(&Event::at(at), EndpointId(0), at);
        }
        window.close_speeds();
        assert_eq!(window.speeds.map(|speed| speed.peak), [3, 5, 6]);
        assert_eq!(window.speeds.map(|speed| speed.closed.n as u32), [3, 2, 1]);
    }
}

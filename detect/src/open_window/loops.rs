//! Calls of agents that brought nothing new: the longest run of them in each session of the hour.
//!
//! A call is known by its endpoint, tool, path, query and the size of its request, its answer by the
//! status and size: logs have no arguments and no results. A session forgets all but its last few
//! different answers, so that a run is one call again and again, or a short cycle of calls.

use super::{Call, Crossed, OpenWindow};
use crate::detectors::runaway_loop;
use crate::partition::text_hash;
use crate::snapshot::plain;
use crate::statistics::Moments;
use model::{Detector, EndpointId, Event, EventBatch, Int, Text, Time, TimePrecision};
use serde::{Deserialize, Serialize};

/// Different calls with their answers that a session remembers: a longer cycle is no short one.
const CYCLE_MAX: usize = 16;
/// Sessions of one identity that are followed at once; the one that is silent longest makes room.
const SESSIONS_MAX: usize = 32;
/// Characters of a session's or an agent's name that are kept.
const NAME_CHARS_MAX: usize = 256;

/// A call with its answer, and how often it came in the current run.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Slot {
    #[serde(with = "postcard::fixint::le")]
    pair: u64,
    #[serde(with = "plain")]
    endpoint: EndpointId,
    calls: u32,
}

/// Calls in a row that brought nothing new.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Run {
    pub(crate) calls: u32,
    #[serde(with = "plain")]
    pub(crate) first: Time,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    /// The different ones among them: each one's endpoint and count, [`CYCLE_MAX`] at most.
    pub(crate) parts: Vec<(u32, u32)>,
    /// The first of them.
    pub(crate) sample: Call,
}

/// One session, one agent, or all that an identity does where the log names neither.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Session {
    #[serde(with = "postcard::fixint::le")]
    key: u64,
    /// `session:<id>`, the agent's id or name, or nothing.
    name: Box<str>,
    /// Its calls, and those of them that brought nothing new.
    calls: u32,
    repeats: u32,
    slots: Vec<Slot>,
    /// The slot that is overwritten next.
    next: u8,
    #[serde(with = "postcard::fixint::le")]
    pair: u64,
    #[serde(with = "plain")]
    last: Time,
    /// Calls of the run that goes on, and when it began.
    run: u32,
    #[serde(with = "plain")]
    run_first: Time,
    sample: Option<Call>,
    /// The longest run that has ended.
    longest: Option<Run>,
}

/// The sessions of an hour.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Loops {
    sessions: Vec<Session>,
    /// The shares of the sessions that made room, as [`Loops::shares`] has them.
    gone: Moments,
    /// The longest of those, and whose it is.
    gone_longest: Option<(Box<str>, Run)>,
    /// The call that was added last goes on with the longest run.
    pub(crate) is_repeat: bool,
    /// Calls that did bring something new: each may begin a run.
    pub(crate) news: u32,
    pub(crate) tripwire: u32,
}

impl OpenWindow {
    /// Adds a call to its session's run, if an agent made it: whoever else pays for a few looks at
    /// what the event has.
    pub(crate) fn add_use(
        &mut self,
        batch: &EventBatch,
        event: &Event,
        endpoint: EndpointId,
        now: Time,
        crossed: &mut Crossed,
    ) {
        if let Some(loops) = &mut self.loops {
            loops.is_repeat = false;
        }
        if !is_by_agent(event) {
            return;
        }
        let Some(pair) = pair_of(batch, event) else { return };
        let loops = self.loops.get_or_insert_with(|| Box::new(Loops::new()));
        let call = || Call::of(batch, event, endpoint, now);
        let Some(session) = loops.session(batch, event) else { return };
        let run = session.add((pair, endpoint), now, is_fine(event), call);
        loops.news += u32::from(run == Some(0));
        loops.is_repeat = run.is_some_and(|run| run > 0 && run >= loops.most());
        if run.is_some_and(|run| run >= loops.tripwire) {
            crossed.add(Detector::RunawayLoop);
        }
    }
}

/// Whether a call is an agent's, or uses a tool.
fn is_by_agent(event: &Event) -> bool {
    let has = |column| event.has_text(column);
    has(Text::ToolName)
        || has(Text::AgentId)
        || has(Text::AgentName)
        || (has(Text::SessionId) && (has(Text::RpcSystem) || has(Text::RpcMethod)))
}

/// Whether two calls at one time are one request's, as far as the log's clock tells them apart.
const fn is_fine(event: &Event) -> bool {
    !matches!(event.time_precision, TimePrecision::S)
}

/// What a call and its answer were; `None` where the log does not say enough to know it again, where
/// it is the protocol's own, and where the answer asks for another try.
fn pair_of(batch: &EventBatch, event: &Event) -> Option<u64> {
    let text = |column| batch.text(event, column);
    let is_use = |method: &str| ["/call", "/read", "/get"].iter().any(|it| method.ends_with(it));
    if text(Text::McpMethodName).is_some_and(|method| !is_use(method)) {
        return None;
    }
    let status = event.status().unwrap_or(0);
    if matches!(status, 429 | 502 | 503 | 504) {
        return None;
    }
    let bytes_in = event.bytes_in().or_else(|| positive(event.int(Int::GenAiUsageInputTokens)));
    // What such a call asks for stands in its path and query.
    let is_bare = matches!(text(Text::HttpRequestMethod), Some("GET" | "HEAD" | "DELETE"));
    let bytes_in = bytes_in.or(is_bare.then_some(0))?;
    let bytes_out = event.bytes_out().or_else(|| positive(event.int(Int::GenAiUsageOutputTokens)));
    let bytes_out = bytes_out.or(matches!(status, 204 | 304).then_some(0))?;
    let error = event.int(Int::RpcErrorCode).unwrap_or(0) as u64;
    let texts = [Text::ToolName, Text::ResourceUri, Text::UrlPath, Text::UrlQuery];
    let start = mix(event.endpoint_hash, event.object.unwrap_or(0));
    let call = texts.iter().fold(start, |sum, column| mix(sum, text(*column).map_or(0, text_hash)));
    Some([bytes_in, u64::from(status), bytes_out, error].into_iter().fold(call, mix))
}

fn positive(value: Option<i64>) -> Option<u64> {
    value.and_then(|value| u64::try_from(value).ok())
}

const fn mix(sum: u64, value: u64) -> u64 {
    // A multiplier without a pattern in its bits: 2⁶⁴ over the golden ratio.
    (sum.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Loops {
    const fn new() -> Self {
        Self {
            sessions: Vec::new(),
            gone: Moments { n: 0.0, sum: 0.0, squares: 0.0 },
            gone_longest: None,
            is_repeat: false,
            news: 0,
            tripwire: runaway_loop::CALLS_MIN,
        }
    }

    /// The session of a call; a new one may make another go.
    fn session(&mut self, batch: &EventBatch, event: &Event) -> Option<&mut Session> {
        let session = batch.text(event, Text::SessionId);
        let agent = batch.text(event, Text::AgentId).or(batch.text(event, Text::AgentName));
        let key = match (session, agent) {
            (Some(session), _) => text_hash(session) | 1,
            (None, Some(agent)) => text_hash(agent) & !1,
            (None, None) => 0,
        };
        let found = self.sessions.iter().position(|it| it.key == key);
        let index = found.unwrap_or_else(|| {
            if self.sessions.len() >= SESSIONS_MAX {
                self.make_room();
            }
            let name = session.map(|id| format!("session:{id}"));
            let name = name.or_else(|| agent.map(str::to_owned)).unwrap_or_default();
            let name: String = name.chars().take(NAME_CHARS_MAX).collect();
            self.sessions.push(Session::new(key, name.into()));
            self.sessions.len() - 1
        });
        self.sessions.get_mut(index)
    }

    /// Lets the session go that is silent longest.
    fn make_room(&mut self) {
        let silent = self.sessions.iter().enumerate().min_by_key(|(_, it)| it.last);
        let Some(index) = silent.map(|(index, _)| index) else { return };
        let session = self.sessions.remove(index);
        session.add_share(&mut self.gone);
        if let Some(run) = session.longest_run()
            && self.gone_longest.as_ref().is_none_or(|(_, gone)| run.calls > gone.calls)
        {
            self.gone_longest = Some((session.name, run));
        }
    }

    /// Calls of the longest run.
    pub(crate) fn most(&self) -> u32 {
        let gone = self.gone_longest.as_ref().map_or(0, |(_, run)| run.calls);
        self.sessions.iter().map(Session::most).fold(gone, u32::max)
    }

    /// The longest run and whose it is: the first of equals.
    pub(crate) fn longest(&self) -> Option<(&str, Run)> {
        let gone = self.gone_longest.as_ref().map(|(name, run)| (&**name, run.clone()));
        let most = self.most();
        if gone.as_ref().is_some_and(|(_, run)| run.calls == most) {
            return gone;
        }
        let session = self.sessions.iter().find(|it| it.most() == most)?;
        Some((&session.name, session.longest_run()?))
    }

    /// Whose the longest run is.
    pub(crate) fn longest_name(&self) -> &str {
        self.longest().map_or("", |(name, _)| name)
    }

    /// How likely a call of each session was to bring nothing new, and that chance squared.
    pub(crate) fn shares(&self) -> Moments {
        let mut shares = self.gone;
        self.sessions.iter().for_each(|session| session.add_share(&mut shares));
        shares
    }

    /// The sessions' names, so that a name can be taken out of them.
    pub(super) fn names_mut(&mut self) -> impl Iterator<Item = &mut Box<str>> {
        let gone = self.gone_longest.iter_mut().map(|(name, _)| name);
        self.sessions.iter_mut().map(|session| &mut session.name).chain(gone)
    }

    /// Whether it holds no more than it may; what was read back may.
    pub(crate) fn is_sound(&self) -> bool {
        self.sessions.len() <= SESSIONS_MAX
            && self.sessions.iter().all(|session| {
                session.slots.len() <= CYCLE_MAX && usize::from(session.next) < CYCLE_MAX
            })
    }
}

impl Session {
    const fn new(key: u64, name: Box<str>) -> Self {
        let last = Time::from_ns(0);
        Self {
            key,
            name,
            calls: 0,
            repeats: 0,
            slots: Vec::new(),
            next: 0,
            pair: 0,
            last,
            run: 0,
            run_first: last,
            sample: None,
            longest: None,
        }
    }

    /// Adds a call; how long the run is that it goes on with, 0 if it brought something new, none if
    /// it is of the same request as the call before.
    fn add(
        &mut self,
        (pair, endpoint): (u64, EndpointId),
        now: Time,
        is_fine: bool,
        call: impl FnOnce() -> Call,
    ) -> Option<u32> {
        if is_fine && now == self.last && pair == self.pair {
            // Calls of one request share its sizes.
            return None;
        }
        self.calls += 1;
        self.pair = pair;
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.pair == pair) {
            self.last = now;
            slot.calls += 1;
            if self.run == 0 {
                self.run_first = now;
                self.sample = Some(call());
            }
            self.run += 1;
            self.repeats += 1;
            return Some(self.run);
        }
        self.end_run();
        self.last = now;
        let slot = Slot { pair, endpoint, calls: 0 };
        match self.slots.get_mut(usize::from(self.next)) {
            Some(oldest) => *oldest = slot,
            None => self.slots.push(slot),
        }
        self.next = (self.next + 1) % CYCLE_MAX as u8;
        Some(0)
    }

    fn end_run(&mut self) {
        if self.run == 0 {
            return;
        }
        self.longest = self.longest_run();
        self.run = 0;
        self.slots.iter_mut().for_each(|slot| slot.calls = 0);
    }

    /// Adds the chance that a call after the first is a repeat.
    fn add_share(&self, shares: &mut Moments) {
        shares.add_share(f64::from(self.repeats), f64::from(self.calls) - 1.0);
    }

    /// Calls of its longest run.
    fn most(&self) -> u32 {
        self.longest.as_ref().map_or(0, |run| run.calls).max(self.run)
    }

    fn longest_run(&self) -> Option<Run> {
        if let Some(ended) = self.longest.as_ref().filter(|run| run.calls >= self.run) {
            return Some(ended.clone());
        }
        let slots = self.slots.iter().filter(|slot| slot.calls > 0);
        Some(Run {
            calls: self.run,
            first: self.run_first,
            last: self.last,
            parts: slots.map(|slot| (slot.endpoint.0, slot.calls)).collect(),
            sample: self.sample?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::NS_PER_S;

    /// A tool call: its session, tool, size of the answer and status.
    type One = (&'static str, &'static str, i64, i64);

    /// What is left of a minute with these calls, a second apart.
    fn after(calls: impl IntoIterator<Item = One>) -> OpenWindow {
        let mut open = OpenWindow::new();
        for (second, (session, tool, bytes, status)) in calls.into_iter().enumerate() {
            let (mut batch, now) = (EventBatch::default(), Time::from_ns(second as i64 * NS_PER_S));
            let mut event = Event::at(now);
            batch.set_text(&mut event, Text::SessionId, session);
            batch.set_text(
                &mut event,
                Text::McpMethodName,
                if tool == "ping" { "ping" } else { "tools/call" },
            );
            batch.set_text(&mut event, Text::ToolName, tool);
            event.set_int(Int::HttpRequestBodySize, 100);
            event.set_int(Int::HttpResponseBodySize, bytes);
            event.set_int(Int::HttpResponseStatusCode, status);
            open.add_use(&batch, &event, EndpointId(0), now, &mut Crossed::default());
        }
        open
    }

    #[track_caller]
    fn check(calls: impl IntoIterator<Item = One>, longest: u32, session: &str) {
        let open = after(calls);
        let loops = open.loops.as_ref().unwrap();
        assert_eq!((loops.most(), loops.longest_name()), (longest, session));
    }

    #[test]
    fn a_short_cycle_is_one_run_from_its_second_round_on() {
        let cycle = [("a", "x", 1, 200), ("a", "y", 2, 200), ("a", "z", 3, 200)];
        check(cycle.into_iter().cycle().take(30), 27, "session:a");
    }

    #[test]
    fn a_new_answer_ends_the_run() {
        let calls =
            [("a", "x", 1, 200), ("a", "x", 1, 200), ("a", "x", 2, 200), ("a", "x", 1, 200)];
        check(calls, 1, "session:a");
    }

    #[test]
    fn a_long_cycle_is_no_loop() {
        let calls = (0..200).map(|nth| ("a", "x", nth % (CYCLE_MAX as i64 + 1), 200));
        check(calls, 0, "");
    }

    #[test]
    fn the_protocol_and_an_outage_neither_count_nor_interrupt() {
        let calls =
            [("a", "x", 1, 200), ("a", "x", 1, 200), ("a", "ping", 9, 200), ("a", "x", 7, 503)];
        check(calls.into_iter().chain([("a", "x", 1, 200)]), 2, "session:a");
    }

    #[test]
    fn sessions_do_not_mix_and_the_longest_run_outlives_its_session() {
        let run = [("a", "x", 1, 200); 9];
        let names: Vec<&'static str> =
            (0..100).map(|nth| &*Box::leak(format!("s{nth}").into_boxed_str())).collect();
        let others = names.iter().map(|name| (*name, "x", 1, 200));
        check(run.into_iter().chain(others.clone()), 8, "session:a");
        let open = after(run.into_iter().chain(others));
        let loops = open.loops.unwrap();
        assert_eq!(loops.sessions.len(), SESSIONS_MAX);
        assert_eq!(
            (loops.shares().n, loops.shares().sum),
            (1.0, 1.0),
            "sessions of one call say nothing"
        );
    }

    #[test]
    fn calls_of_one_request_are_one() {
        let now = Time::from_ns(0);
        let mut session = Session::new(1, "a".into());
        let call = || Call::of(&EventBatch::default(), &Event::at(now), EndpointId(0), now);
        let mut add = |is_fine| session.add((7, EndpointId(0)), now, is_fine, call);
        assert_eq!([add(true), add(true), add(false)], [Some(0), None, Some(1)]);
    }

    #[test]
    fn whoever_is_no_agent_has_no_state() {
        let mut open = OpenWindow::new();
        let mut batch = EventBatch::default();
        let mut event = Event::at(Time::from_ns(0));
        batch.set_text(&mut event, Text::SessionId, "a");
        event.set_int(Int::HttpResponseBodySize, 1);
        open.add_use(&batch, &event, EndpointId(0), event.time, &mut Crossed::default());
        assert!(open.loops.is_none());
    }
}

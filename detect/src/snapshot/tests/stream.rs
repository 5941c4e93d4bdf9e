//! Thirty hours of some forty identities, attacks in the last of them, and detection driven through it.

use super::chain::Chain;
use crate::{Engine, Item, Output, Plan, Router, Settings};
use arrow::array::RecordBatch;
use model::limit::PARTITIONS;
use model::time::{NS_PER_H, NS_PER_S};
use model::{
    EndpointId, EndpointSource, Endpoints, Event, EventBatch, Int, Kind, PrincipalTrust,
    PrincipalType, Text, Time,
};

/// 2026-03-01T09:00:00Z: the first fit is due at 21:00, the next at midnight.
const START: Time = Time::from_ns(1_772_355_600 * NS_PER_S);
const IDENTITIES: u64 = 44;
const ENDPOINTS: u32 = 16;
const ADMIN: u32 = ENDPOINTS;
const SECRETS: u32 = ENDPOINTS + 1;

/// The numbers of a fixed mixing function: they look random and are the same every time.
pub(super) fn mixed(seed: u64) -> u64 {
    let mut key = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

pub(super) fn plan() -> Plan {
    Settings::default().check().unwrap()
}

pub(super) fn endpoints() -> Endpoints {
    let mut endpoints = Endpoints::default();
    for number in 0..ENDPOINTS {
        endpoints.push(&format!("GET /v1/things{number}/{{int}}"), EndpointSource::Lexical);
    }
    endpoints.push("POST /admin/users/{int}/roles", EndpointSource::Lexical);
    endpoints.push("GET /v1/secrets/{slug}", EndpointSource::Lexical);
    endpoints
}

/// The events of so many hours, in order.
pub(super) fn events(hours: u64) -> EventBatch {
    let mut batch = EventBatch::default();
    for hour in 0..hours {
        for identity in 0..IDENTITIES {
            ordinary(&mut batch, hour, identity);
        }
        match hour {
            24 => pass_on(&mut batch, 24),
            25 => {
                harvest(&mut batch);
                pass_on(&mut batch, 25);
            }
            26 => sweep(&mut batch),
            27 => guess(&mut batch),
            28 => take_over(&mut batch),
            _ => {}
        }
    }
    batch.events.sort_by_key(|event| event.time);
    batch
}

fn ordinary(batch: &mut EventBatch, hour: u64, identity: u64) {
    let seed = mixed((hour << 32) | identity);
    if seed.is_multiple_of(5) {
        return;
    }
    let calls = 10 + seed % 20 + identity % 7;
    for call in 0..calls {
        let seed = mixed(seed ^ call);
        // Two ways of working: one half of the endpoints, or the other.
        let endpoint = (seed % 8 + 8 * (identity % 2)) as u32;
        let time = at(hour, (seed >> 8) % 3_600_000);
        let status = if seed.is_multiple_of(41) { 404 } else { 200 };
        let bytes = 400 + (seed >> 16) % 4_000;
        call_of(batch, time, identity, endpoint, (seed >> 20) % 9, (status, bytes));
    }
}

/// One identity reads object after object.
fn sweep(batch: &mut EventBatch) {
    for call in 0..600 {
        let time = at(26, 600_000 + call * 500);
        call_of(batch, time, 4, 2, 10_000 + call, (200, 90_000));
    }
}

/// One identity reads secret after secret, as an agent.
fn harvest(batch: &mut EventBatch) {
    for call in 0..30 {
        let mut event = event(batch, at(25, 700_000 + call * 9_000), 8, SECRETS, (200, 300));
        event.object = Some(mixed(call));
        batch.set_text(&mut event, Text::AgentId, "helper");
        batch.events.push(event);
    }
}

/// Two identities have a planner work for them, which has others work for it, with errors that follow.
fn pass_on(batch: &mut EventBatch, hour: u64) {
    let servers = ["stock-mcp", "mail-mcp", "crm-mcp"];
    for call in 0..60 {
        let status = if call % 5 == 3 { 500 } else { 200 };
        let time = at(hour, 1_500_000 + call * 7_000);
        let mut event = event(batch, time, 3 + 6 * (call % 2), 1, (status, 300));
        let chain = ["planner, buyer", "planner, desk"][call as usize / 2 % 2];
        batch.set_text(&mut event, Text::ActorChain, chain);
        batch.set_text(&mut event, Text::McpServer, servers[call as usize % 3]);
        batch.set_text(&mut event, Text::TraceId, &format!("{:032x}", call / 20));
        batch.events.push(event);
    }
}

/// An address fails to authenticate under many names, and then succeeds under one.
fn guess(batch: &mut EventBatch) {
    for call in 0..300 {
        let mut event = event(batch, at(27, 900_000 + call * 900), 100, 3, (401, 120));
        event.principal_type = PrincipalType::Ip;
        event.principal_trust = PrincipalTrust::Claimed;
        event.principal_source = "claimed";
        batch.set_text(&mut event, Text::PrincipalClaimed, &format!("user-{}", call % 40));
        batch.set_text(&mut event, Text::ClientAddress, "203.0.113.9");
        batch.events.push(event);
    }
    let mut event = event(batch, at(27, 1_300_000), 5, 3, (200, 500));
    batch.set_text(&mut event, Text::ClientAddress, "203.0.113.9");
    batch.events.push(event);
}

/// One identity does what only the others do, and what nobody does.
fn take_over(batch: &mut EventBatch) {
    for call in 0..250 {
        let time = at(28, 1_000_000 + call * 4_000);
        call_of(batch, time, 6, 8 + (call % 8) as u32, call % 5, (200, 700));
    }
    for call in 0..30 {
        call_of(batch, at(28, 2_100_000 + call * 1_000), 6, ADMIN, call, (200, 300));
        call_of(batch, at(28, 2_100_500 + call * 1_000), 6, (call % 16) as u32, call, (403, 90));
    }
}

pub(super) fn at(hour: u64, ms: u64) -> Time {
    START.plus(hour as i64 * NS_PER_H + ms as i64 * 1_000_000)
}

pub(super) fn call_of(
    batch: &mut EventBatch,
    time: Time,
    identity: u64,
    endpoint: u32,
    object: u64,
    answer: (i64, u64),
) {
    let mut event = event(batch, time, identity, endpoint, answer);
    (event.object, event.object_kind) = (Some(mixed(object)), Kind::Number(object));
    batch.events.push(event);
}

fn event(
    batch: &mut EventBatch,
    time: Time,
    identity: u64,
    endpoint: u32,
    (status, bytes): (i64, u64),
) -> Event {
    let mut event = Event::at(time);
    event.principal_type = PrincipalType::Consumer;
    event.principal_trust = PrincipalTrust::Verified;
    event.principal_source = "kong.consumer.id";
    event.principal_hash = mixed(identity + 1);
    event.endpoint_id = EndpointId(endpoint);
    event.endpoint_hash = mixed(1_000 + u64::from(endpoint));
    event.endpoint_source = EndpointSource::Lexical;
    event.position.line = batch.events.len() as u64 + 1;
    event.set_int(Int::HttpResponseStatusCode, status);
    event.set_int(Int::HttpResponseBodySize, bytes as i64);
    event.set_int(Int::DurationNs, 1_000_000 + (mixed(time.ns() as u64) % 50_000_000) as i64);
    let tenant = if identity.is_multiple_of(11) { "acme" } else { "default" };
    batch.set_text(&mut event, Text::TenantId, tenant);
    batch.set_text(&mut event, Text::PrincipalId, &format!("app-{identity}"));
    batch.set_text(&mut event, Text::PrincipalName, &format!("App {identity}"));
    batch.set_text(&mut event, Text::HttpRequestMethod, "GET");
    batch.set_text(&mut event, Text::UrlPath, &format!("/v1/things{endpoint}/7"));
    batch.set_text(&mut event, Text::ClientAddress, &format!("198.51.100.{identity}"));
    batch.set_text(&mut event, Text::ClientNet, "198.51.100.0/24");
    batch.set_text(&mut event, Text::UserAgentOriginal, &format!("app/{}", identity % 5));
    event
}

/// All that left detection, and its state at the end.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Left {
    /// Debug prints every float in full.
    pub(super) findings: Vec<String>,
    pub(super) rows: Vec<RecordBatch>,
    pub(super) state: [Vec<u8>; 2],
    /// How often it could have been interrupted.
    pub(super) steps: usize,
}

/// Detection that is interrupted before some of its steps: written, forgotten and read again.
pub(super) struct Run<'a> {
    pub(super) engine: Engine,
    router: Router,
    endpoints: Endpoints,
    batch: &'a EventBatch,
    is_interrupted: &'a dyn Fn(usize) -> bool,
    /// The changes that are written at an interruption, if it is not the whole state.
    pub(super) chain: Option<Chain>,
    left: Left,
}

impl<'a> Run<'a> {
    pub(super) fn new(batch: &'a EventBatch, is_interrupted: &'a dyn Fn(usize) -> bool) -> Self {
        let (engine, router) = (Engine::new(plan()), Router::default());
        let left = Left::default();
        Self { engine, router, endpoints: endpoints(), batch, is_interrupted, chain: None, left }
    }

    fn step(&mut self) {
        if (self.is_interrupted)(self.left.steps) {
            if let Some(chain) = &mut self.chain {
                chain.write(&mut self.engine);
            } else {
                self.engine = Engine::import(plan(), &self.engine.export().unwrap()).unwrap();
            }
            self.router = Router::import(&self.router.export().unwrap()).unwrap();
        }
        self.left.steps += 1;
    }

    /// Takes all events as the pipeline does, in parts of so many; the last hour stays open.
    pub(super) fn through(&mut self, part: usize) {
        for part in self.batch.events.chunks(part) {
            let mut rest = part;
            while let Some(first) = rest.first() {
                if self.engine.hour().is_none() {
                    self.engine.open(first.time);
                }
                let end = self.engine.hour().unwrap().plus(NS_PER_H);
                let (now, later) = rest.split_at(rest.partition_point(|it| it.time < end));
                self.part(now, !later.is_empty(), false);
                if let Some(next) = later.first() {
                    self.end_operations(Some(next.time));
                    self.engine.open(next.time);
                    self.step();
                }
                rest = later;
            }
        }
    }

    fn part(&mut self, events: &[Event], closes: bool, last: bool) {
        self.step();
        let mut items: Vec<Vec<Item<'_>>> = vec![Vec::new(); PARTITIONS];
        for event in events {
            items[event.partition()].push(Item::Call(self.batch, event));
            if let Some(note) = self.router.see(self.batch, event) {
                items[note.partition].push(note.item(self.batch, event));
            }
            if let Some(note) = Router::actor(self.batch, event) {
                items[note.partition].push(note.item(self.batch, event));
            }
        }
        self.engine.tasks(&self.endpoints, &items, closes).into_iter().for_each(crate::Task::run);
        self.step();
        let mut output = Output::default();
        if closes {
            self.fold();
            output = self.engine.exchange(&self.endpoints, last).unwrap();
        } else {
            output.findings = self.engine.drain_findings();
        }
        self.left.findings.extend(output.findings.iter().map(|it| format!("{it:?}")));
        self.left.rows.extend(output.windows.into_iter().chain(output.signals));
        self.step();
    }

    fn end_operations(&mut self, next: Option<Time>) {
        let mut keep = |rows| -> Result<(), arrow::error::ArrowError> {
            self.left.rows.push(rows);
            Ok(())
        };
        self.engine.end_operations(next, &self.endpoints, &mut keep).unwrap();
    }

    /// Two endpoints become one after ten hours.
    fn fold(&mut self) {
        if self.engine.hour() == Some(START.plus(9 * NS_PER_H)) {
            let new = self.endpoints.push("GET /v1/{var}/{int}", EndpointSource::Learned);
            self.endpoints.fold(EndpointId(1), new);
            self.endpoints.fold(EndpointId(3), new);
        }
    }

    /// Closes the last hour.
    pub(super) fn finish(mut self) -> Left {
        self.part(&[], true, true);
        self.end_operations(None);
        self.left.rows.extend(self.engine.identities(&self.endpoints).map(Result::unwrap));
        self.left.rows.push(self.engine.endpoints(&self.endpoints).unwrap());
        self.left.state = [self.engine.export().unwrap(), self.router.export().unwrap()];
        self.left
    }
}

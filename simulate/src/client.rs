//! A client program: who it is to the gateway, and how one call of it comes out.

use crate::digits::{text, uuid};
use crate::endpoints::{Endpoint, HOST, MCP};
use crate::objects::Focus;
use crate::prng::{Rng, mix, mix_wide};
use crate::record::{Caller, Consumer, Context, Mcp, Record};
use crate::tools::Tool;
use std::sync::Arc;

/// Bytes of an error's response, headers included.
const ERROR_BYTES: f64 = 390.0;

/// What kind of consumer a client is; part of its id.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sort {
    Person,
    Service,
    Agent,
}

/// A client with its own chance.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The client when it is authenticated.
    pub(crate) caller: Arc<Caller>,
    /// The same client when it is not.
    pub(crate) stranger: Arc<Caller>,
    pub(crate) rng: Rng,
    /// How large responses are beside those of others: 1 is as large.
    pub(crate) size: f64,
    /// How large requests are beside those of others.
    pub(crate) sent: f64,
    /// The share of calls that are mistakes: objects that are not there, requests that make no sense.
    pub(crate) sloppy: f64,
    /// When its credential is replaced by another, and the caller from then on.
    pub(crate) renewed: Option<(i64, Arc<Caller>)>,
    /// What its calls belong to.
    pub(crate) context: Option<Arc<Context>>,
}

impl Client {
    /// A registered consumer of that name at that address.
    pub(crate) fn consumer(
        (seed, sort): (u64, Sort),
        name: &str,
        address: String,
        user_agent: String,
    ) -> Self {
        let number =
            name.bytes().fold(mix(seed ^ sort as u64), |hash, byte| mix(hash ^ u64::from(byte)));
        let consumer = Consumer {
            id: new_id(1, number),
            username: name.to_owned(),
            custom_id: new_id(2, number),
        };
        let credential_id = Some(new_id(3, number));
        let caller = Caller {
            consumer: Some(consumer),
            claims: None,
            credential_id,
            client_address: address,
            user_agent,
        };
        Self::acting_as(Arc::new(caller), Rng::new(seed, number))
    }

    /// Somebody who never authenticates.
    pub(crate) fn nobody(seed: u64, address: String, user_agent: String) -> Self {
        let number = address.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
        let caller = Caller {
            consumer: None,
            claims: None,
            credential_id: None,
            client_address: address,
            user_agent,
        };
        Self::acting_as(Arc::new(caller), Rng::new(seed, number))
    }

    /// Whoever holds `caller`'s credential.
    pub(crate) fn acting_as(caller: Arc<Caller>, rng: Rng) -> Self {
        let stranger = Arc::new(Caller {
            consumer: None,
            claims: None,
            credential_id: None,
            client_address: caller.client_address.clone(),
            user_agent: caller.user_agent.clone(),
        });
        Self {
            caller,
            stranger,
            rng,
            size: 1.0,
            sent: 1.0,
            sloppy: 0.0,
            renewed: None,
            context: None,
        }
    }

    /// The same credential in other hands: at another address, in another program.
    pub(crate) fn stolen(&self, address: &str, user_agent: &str, rng: Rng) -> Self {
        let caller = Caller {
            client_address: address.to_owned(),
            user_agent: user_agent.to_owned(),
            ..Caller::clone(&self.caller)
        };
        Self::acting_as(Arc::new(caller), rng)
    }

    /// A call that comes out as calls usually do: mostly well.
    pub(crate) fn call(&mut self, time_ns: i64, endpoint: &'static Endpoint, on: &Focus) -> Record {
        let mut status = usual_status(endpoint, &mut self.rng);
        if self.sloppy > 0.0 && self.rng.chance(self.sloppy) {
            status = if endpoint.is_write() { 400 } else { 404 };
        }
        self.call_with(time_ns, endpoint, on, status)
    }

    /// A call with that outcome.
    pub(crate) fn call_with(
        &mut self,
        time_ns: i64,
        endpoint: &'static Endpoint,
        on: &Focus,
        status: u16,
    ) -> Record {
        let rng = &mut self.rng;
        let mut path = String::with_capacity(endpoint.path.len() + 32);
        on.fill(endpoint.path, time_ns, &mut path);
        let mut query = String::new();
        on.fill(endpoint.query, time_ns, &mut query);
        let bytes_out = if status < 300 {
            rng.log_normal(f64::from(endpoint.bytes) * self.size, 0.35)
        } else {
            rng.log_normal(ERROR_BYTES, 0.1)
        };
        let sent = if endpoint.is_write() { 1_150.0 } else { 560.0 };
        let caller = match &self.renewed {
            _ if status == 401 => &self.stranger,
            Some((from_ns, renewed)) if time_ns >= *from_ns => renewed,
            _ => &self.caller,
        };
        Record {
            time_ns,
            method: endpoint.method,
            host: HOST,
            template: endpoint.path,
            path,
            query,
            status,
            bytes_out: bytes_out as u64,
            bytes_in: rng.log_normal(sent * self.sent, 0.2) as u64,
            latency_ms: 1 + rng.log_normal(f64::from(endpoint.ms), 0.5) as u32,
            caller: Arc::clone(caller),
            route: endpoint.route,
            request_id: 0,
            mcp: None,
            context: self.context.clone(),
        }
    }

    /// The call of a tool; `None` lists the tools there are.
    pub(crate) fn call_tool(&mut self, time_ns: i64, tool: Option<&'static Tool>) -> Record {
        let on = Focus::on(0, &mut self.rng);
        let mut record = self.call_with(time_ns, &MCP, &on, 200);
        let (method, bytes, ms) = match tool {
            Some(tool) => ("tools/call", tool.bytes, tool.ms),
            None => ("tools/list", 11_000, 24),
        };
        let server = tool.map_or(crate::tools::SHOP, |tool| tool.server);
        record.mcp = Some(Mcp { method, tool: tool.map(|tool| tool.name), server });
        record.bytes_out = self.rng.log_normal(f64::from(bytes) * self.size, 0.5) as u64;
        record.latency_ms = 1 + self.rng.log_normal(f64::from(ms), 0.5) as u32;
        record
    }
}

/// The id of a credential, an agent or whatever else has one.
pub(crate) fn new_id(kind: u64, number: u64) -> String {
    text(&uuid(mix_wide(kind, number))).to_owned()
}

/// What calls usually end in: a few mistakes of callers, fewer of the servers.
fn usual_status(endpoint: &Endpoint, rng: &mut Rng) -> u16 {
    let roll = rng.unit();
    if roll < 0.0015 {
        return if rng.chance(0.7) { 500 } else { 503 };
    }
    let has_object = endpoint.path.contains('{');
    let is_open = endpoint.route.path == "/";
    match roll {
        r if r < 0.0020 => 429,
        r if r < 0.0025 && !is_open => 403,
        r if r < 0.0090 && has_object => 404,
        r if r < 0.0130 && endpoint.is_write() => 400,
        _ if endpoint.method == "POST" && endpoint.path.ends_with('s') => 201,
        _ => 200,
    }
}

//! One API call as the gateway sees it, before any log format.

use std::sync::Arc;

/// A registered consumer of the gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Consumer {
    /// The gateway's id of it, a UUID.
    pub id: String,
    /// Its name at the gateway.
    pub username: String,
    /// Its id in the company's own directory.
    pub custom_id: String,
}

/// Who makes a call, as far as the gateway can tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The consumer, `None` when the call was not authenticated.
    pub consumer: Option<Consumer>,
    /// The name that it claims, where it is refused; `None` for none.
    pub claims: Option<String>,
    /// The id of the credential (never the credential), `None` when not authenticated.
    pub credential_id: Option<String>,
    /// The client's address, without a port.
    pub client_address: String,
    /// The `User-Agent` header.
    pub user_agent: String,
}

impl Caller {
    /// The principal that detection should name: the consumer's id, else the client's address.
    pub fn principal(&self) -> &str {
        self.consumer.as_ref().map_or(&self.client_address, |consumer| &consumer.id)
    }
}

/// A route of the gateway, and the service behind it.
#[derive(Debug, Eq, PartialEq)]
pub struct Route {
    /// The route's name.
    pub name: &'static str,
    /// The path prefix that it matches.
    pub path: &'static str,
    /// The name of the service that it leads to.
    pub service: &'static str,
}

/// What a call belongs to, where the log can say it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Context {
    /// The session, empty for none.
    pub session: String,
    /// The AI agent that calls, empty if it is none.
    pub agent: String,
    /// Who acts on the principal's behalf, the one that calls first, with `>` between; empty for
    /// nobody.
    pub actor_chain: String,
    /// The trace, 0 for none.
    pub trace_id: u128,
}

/// A call of the Model Context Protocol inside an HTTP request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mcp {
    /// The protocol's method, such as `tools/call`.
    pub method: &'static str,
    /// The tool, `None` for methods that call none.
    pub tool: Option<&'static str>,
    /// The tool server.
    pub server: &'static str,
}

/// One call. Sizes are in bytes on the wire, headers included, as Kong counts them.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When the request started, in nanoseconds since the Unix epoch, UTC.
    pub time_ns: i64,
    /// The HTTP method.
    pub method: &'static str,
    /// The host that was asked for.
    pub host: &'static str,
    /// The path's template, as whoever wrote the API has it; no log says it.
    pub template: &'static str,
    /// The path, without the query.
    pub path: String,
    /// The query without its `?`; empty for none.
    pub query: String,
    /// The response status.
    pub status: u16,
    /// Bytes sent to the client.
    pub bytes_out: u64,
    /// Bytes received from the client.
    pub bytes_in: u64,
    /// Milliseconds from the request's first byte to the response's last.
    pub latency_ms: u32,
    /// Who called.
    pub caller: Arc<Caller>,
    /// The route that matched.
    pub route: &'static Route,
    /// The gateway's id of the request, unique in a run.
    pub request_id: u128,
    /// The protocol call inside, `None` for plain HTTP.
    pub mcp: Option<Mcp>,
    /// What it belongs to, `None` for a call of its own.
    pub context: Option<Arc<Context>>,
}

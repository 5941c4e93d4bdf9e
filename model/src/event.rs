//! The canonical event: one API call, in flat columns with OpenTelemetry's names.

use crate::endpoint::{EndpointId, EndpointSource};
use crate::identity::{PrincipalTrust, PrincipalType, closed_set};
use crate::injection::InjectionClasses;
use crate::time::Time;

macro_rules! columns {
    ($(#[$meta:meta])* $name:ident { $($variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each variant is the column that its name says; the docs are in docs/events.md")]
        pub enum $name { $($variant),+ }

        impl $name {
            /// Every column of this kind, in the canonical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// How many columns of this kind there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The column's name in NDJSON, Arrow, Parquet, ClickHouse and SQL.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

columns! {
    /// The text columns of an event.
    Text {
        HttpRequestMethod => "http_request_method",
        HttpRequestMethodOriginal => "http_request_method_original",
        UrlPath => "url_path",
        UrlQuery => "url_query",
        UrlOriginal => "url_original",
        UrlScheme => "url_scheme",
        ServerAddress => "server_address",
        HttpRoute => "http_route",
        Endpoint => "endpoint",
        UserAgentOriginal => "user_agent_original",
        HttpRequestReferrer => "http_request_referrer",
        NetworkProtocolVersion => "network_protocol_version",
        ClientAddress => "client_address",
        ClientNet => "client_net",
        NetworkPeerAddress => "network_peer_address",
        PrincipalId => "principal_id",
        PrincipalName => "principal_name",
        PrincipalClaimed => "principal_claimed",
        CredentialId => "credential_id",
        ClientAppId => "client_app_id",
        ActorChain => "actor_chain",
        AgentId => "agent_id",
        AgentName => "agent_name",
        TenantId => "tenant_id",
        SessionId => "session_id",
        TlsClientSubject => "tls_client_subject",
        AuthMethod => "auth_method",
        PolicyDecision => "policy_decision",
        PolicyReason => "policy_reason",
        RpcSystem => "rpc_system",
        RpcMethod => "rpc_method",
        McpMethodName => "mcp_method_name",
        McpProtocolVersion => "mcp_protocol_version",
        McpServer => "mcp_server",
        ToolName => "tool_name",
        ResourceUri => "resource_uri",
        GenAiRequestModel => "gen_ai_request_model",
        GenAiProviderName => "gen_ai_provider_name",
        RequestId => "request_id",
        TraceId => "trace_id",
        SpanId => "span_id",
        GatewayRoute => "gateway_route",
        GatewayService => "gateway_service",
        ApiId => "api_id",
        GatewayDirection => "gateway_direction",
        SourceInstance => "source_instance",
    }
}

columns! {
    /// The integer columns of an event.
    Int {
        DurationNs => "duration_ns",
        UpstreamDurationNs => "upstream_duration_ns",
        ServerPort => "server_port",
        HttpResponseStatusCode => "http_response_status_code",
        UpstreamStatusCode => "upstream_status_code",
        HttpRequestSize => "http_request_size",
        HttpResponseSize => "http_response_size",
        HttpRequestBodySize => "http_request_body_size",
        HttpResponseBodySize => "http_response_body_size",
        ClientPort => "client_port",
        RpcErrorCode => "rpc_error_code",
        GenAiUsageInputTokens => "gen_ai_usage_input_tokens",
        GenAiUsageOutputTokens => "gen_ai_usage_output_tokens",
    }
}

closed_set! {
    /// Which instant of a call its time names.
    TimeKind {
        /// The request's start.
        Start => "start",
        /// The response's end.
        End => "end",
        /// The end as logged, less the duration as logged.
        EndMinusDuration => "end_minus_duration",
        /// When somebody received the record.
        Received => "received",
    }
}

closed_set! {
    /// How finely the log gave the time; order inside one unit must not be inferred.
    TimePrecision {
        /// Seconds.
        S => "s",
        /// Milliseconds.
        Ms => "ms",
        /// Microseconds.
        Us => "us",
        /// Nanoseconds.
        Ns => "ns",
    }
}

/// What a parser noticed about a record: a set of bits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ParseFlags(pub u32);

impl ParseFlags {
    /// Fields beyond those that the format names.
    pub const EXTRA_FIELDS: Self = Self(1);
    /// Something was longer than its limit and was cut.
    pub const TRUNCATED: Self = Self(1 << 1);
    /// The request line is not `METHOD target PROTOCOL`.
    pub const BAD_REQUEST_LINE: Self = Self(1 << 2);
    /// Bytes that are not UTF-8 were replaced.
    pub const INVALID_UTF8: Self = Self(1 << 3);
    /// The JSON was broken in a known way and was mended, or a name stood twice in an object: the first
    /// value counts.
    pub const REPAIRED_JSON: Self = Self(1 << 4);
    /// The client left before a response.
    pub const CLIENT_ABORT: Self = Self(1 << 5);
    /// A list stood where one value was wanted; the last one was taken.
    pub const LIST_VALUE: Self = Self(1 << 6);
    /// The time had no zone; UTC was assumed.
    pub const TZ_ASSUMED: Self = Self(1 << 7);
    /// The time came from the envelope.
    pub const TS_FROM_ENVELOPE: Self = Self(1 << 8);
    /// An MCP header and the body disagree.
    pub const HEADER_BODY_MISMATCH: Self = Self(1 << 9);
    /// A credential or secret was replaced by its fingerprint or removed.
    pub const REDACTED: Self = Self(1 << 10);
    /// The path changed when it was normalised (dot segments, doubled slashes, matrix parameters).
    pub const PATH_NORMALIZED: Self = Self(1 << 11);
    /// The principal is one that its producer gives to many callers.
    pub const SHARED_IDENTITY: Self = Self(1 << 12);

    /// This set with `other` added.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Adds `other`.
    pub const fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether all of `other` is set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Where in the input an event came from: exact provenance of every finding.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The input's number: files in the order given.
    pub source: u32,
    /// The 1-based line in that input.
    pub line: u64,
}

/// What kind of value a path parameter is; part of what makes an id guessable.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Kind {
    /// The endpoint has no parameter.
    #[default]
    None,
    /// The parameter is a whole number, kept as it is while its window is open.
    Number(u64),
    /// Anything else: only the fingerprint is known.
    Opaque,
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    offset: u32,
    len: u32,
}

/// One API call. Its texts stand in the batch that holds it ([`EventBatch::text`]).
#[derive(Clone, Debug)]
pub struct Event {
    /// When the request started (or what [`TimeKind`] says).
    pub time: Time,
    /// Which instant `time` is.
    pub time_kind: TimeKind,
    /// How finely the log gave it.
    pub time_precision: TimePrecision,
    /// What kind of thing the principal is.
    pub principal_type: PrincipalType,
    /// How far the log may be believed about the principal.
    pub principal_trust: PrincipalTrust,
    /// The rule that resolved the principal, such as `kong.consumer.id`.
    pub principal_source: &'static str,
    /// A fixed hash of tenant and principal: routing and look-up, never identity.
    pub principal_hash: u64,
    /// Where the endpoint comes from.
    pub endpoint_source: EndpointSource,
    /// The endpoint's number; set by the template stage, which sees events in order.
    pub endpoint_id: EndpointId,
    /// A fixed hash of the endpoint's name, also where it was not learned.
    pub endpoint_hash: u64,
    /// A 64-bit fingerprint of the path parameters, `None` without any.
    pub object: Option<u64>,
    /// The last path parameter's kind.
    pub object_kind: Kind,
    /// A fixed hash of everything that the record said: the tie-break of equal times.
    pub content_hash: u64,
    /// The format that read the record.
    pub source_format: &'static str,
    /// What the parser noticed.
    pub parse_flags: ParseFlags,
    /// The signs of injection that the request target had before anything was taken out of it.
    pub injection_classes: InjectionClasses,
    /// Where the record stands in the input.
    pub position: Position,
    text: [Span; Text::COUNT],
    int: [i64; Int::COUNT],
    int_present: u32,
}

impl Event {
    /// An event at `time` of which nothing else is known.
    pub fn at(time: Time) -> Self {
        Self {
            time,
            time_kind: TimeKind::Start,
            time_precision: TimePrecision::Ns,
            principal_type: PrincipalType::Anonymous,
            principal_trust: PrincipalTrust::Inferred,
            principal_source: "anonymous",
            principal_hash: 0,
            endpoint_source: EndpointSource::Unrouted,
            endpoint_id: EndpointId::default(),
            endpoint_hash: 0,
            object: None,
            object_kind: Kind::None,
            content_hash: 0,
            source_format: "canonical",
            parse_flags: ParseFlags::default(),
            injection_classes: InjectionClasses::default(),
            position: Position::default(),
            text: [Span::default(); Text::COUNT],
            int: [0; Int::COUNT],
            int_present: 0,
        }
    }

    /// The integer of a column, `None` where the log had none.
    pub const fn int(&self, column: Int) -> Option<i64> {
        let bit = 1 << column as u32;
        if self.int_present & bit == 0 { None } else { Some(self.int[column as usize]) }
    }

    /// Sets the integer of a column.
    pub const fn set_int(&mut self, column: Int, value: i64) {
        self.int[column as usize] = value;
        self.int_present |= 1 << column as u32;
    }

    /// Forgets the integer of a column.
    pub const fn clear_int(&mut self, column: Int) {
        self.int_present &= !(1 << column as u32);
    }

    /// The response status, 100 to 599, `None` where no response was logged.
    pub fn status(&self) -> Option<u16> {
        self.int(Int::HttpResponseStatusCode).and_then(|status| u16::try_from(status).ok())
    }

    /// Bytes sent to the caller: the body's where logged, else those on the wire.
    pub fn bytes_out(&self) -> Option<u64> {
        let size = self.int(Int::HttpResponseBodySize).or(self.int(Int::HttpResponseSize));
        size.and_then(|bytes| u64::try_from(bytes).ok())
    }

    /// Bytes received from the caller: the body's where logged, else those on the wire.
    pub fn bytes_in(&self) -> Option<u64> {
        let size = self.int(Int::HttpRequestBodySize).or(self.int(Int::HttpRequestSize));
        size.and_then(|bytes| u64::try_from(bytes).ok())
    }

    /// The partition that owns all state of this event's principal.
    pub const fn partition(&self) -> usize {
        // The high bits: the low ones choose the bucket inside a partition's table.
        (self.principal_hash >> 60) as usize % crate::limit::PARTITIONS
    }

    /// Whether a column has text.
    pub const fn has_text(&self, column: Text) -> bool {
        self.text[column as usize].len > 0
    }
}

/// Events that were read together, with the text that they point into.
#[derive(Clone, Debug, Default)]
pub struct EventBatch {
    arena: String,
    /// The events, in input order.
    pub events: Vec<Event>,
}

impl EventBatch {
    /// An empty batch with room for `events` events and `bytes` bytes of text.
    pub fn with_capacity(events: usize, bytes: usize) -> Self {
        Self { arena: String::with_capacity(bytes), events: Vec::with_capacity(events) }
    }

    /// The text of a column, `None` where the log had none; never the empty string.
    #[inline]
    pub fn text(&self, event: &Event, column: Text) -> Option<&str> {
        let Span { offset, len } = event.text[column as usize];
        if len == 0 { None } else { self.arena.get(offset as usize..(offset + len) as usize) }
    }

    /// Sets the text of a column to `value`; the empty string is no text.
    ///
    /// A batch holds at most 4 GiB of text; beyond that a text is left out.
    pub fn set_text(&mut self, event: &mut Event, column: Text, value: &str) {
        event.text[column as usize] = self.store(value);
    }

    /// Sets the text of a column to what `write` appends to the batch's text.
    pub fn write_text(&mut self, event: &mut Event, column: Text, write: impl FnOnce(&mut String)) {
        let offset = self.arena.len();
        write(&mut self.arena);
        event.text[column as usize] = Span {
            offset: offset as u32,
            len: if u32::try_from(self.arena.len()).is_ok() {
                (self.arena.len() - offset) as u32
            } else {
                0
            },
        };
    }

    /// Makes column `to` the same text as column `from`, without a copy.
    pub const fn alias_text(event: &mut Event, to: Text, from: Text) {
        event.text[to as usize] = event.text[from as usize];
    }

    /// Forgets the text of a column.
    pub const fn clear_text(event: &mut Event, column: Text) {
        event.text[column as usize] = Span { offset: 0, len: 0 };
    }

    fn store(&mut self, value: &str) -> Span {
        let offset = self.arena.len();
        if u32::try_from(offset + value.len()).is_err() {
            return Span::default();
        }
        self.arena.push_str(value);
        Span { offset: offset as u32, len: value.len() as u32 }
    }

    /// The events, to be changed, beside the text that they point into.
    pub fn parts_mut(&mut self) -> (&mut [Event], Texts<'_>) {
        (&mut self.events, Texts(&self.arena))
    }

    /// Bytes of text in this batch.
    pub fn text_bytes(&self) -> usize {
        self.arena.len()
    }

    /// Copies an event of another batch into this one, with its texts.
    pub fn copy_event(&mut self, other: &Self, event: &Event) {
        let mut copy = event.clone();
        for column in Text::ALL {
            let text = other.text(event, *column).unwrap_or_default();
            self.set_text(&mut copy, *column, text);
        }
        self.events.push(copy);
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.events.clear();
    }
}

/// The text of a batch, apart from its events.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a>(&'a str);

impl<'a> Texts<'a> {
    /// The text of a column, `None` where the log had none; never the empty string.
    #[inline]
    pub fn get(self, event: &Event, column: Text) -> Option<&'a str> {
        let Span { offset, len } = event.text[column as usize];
        if len == 0 { None } else { self.0.get(offset as usize..(offset + len) as usize) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_back_and_an_empty_one_is_none() {
        let mut batch = EventBatch::default();
        let mut event = Event::at(Time::from_ns(0));
        batch.set_text(&mut event, Text::UrlPath, "/orders/7");
        batch.set_text(&mut event, Text::UrlQuery, "");
        batch.write_text(&mut event, Text::Endpoint, |out| out.push_str("GET /orders/{int}"));
        assert_eq!(batch.text(&event, Text::UrlPath), Some("/orders/7"));
        assert_eq!(batch.text(&event, Text::UrlQuery), None);
        assert_eq!(batch.text(&event, Text::Endpoint), Some("GET /orders/{int}"));
        assert!(!event.has_text(Text::ClientAddress));
    }

    #[test]
    fn a_copied_event_keeps_its_texts_and_nothing_else_of_its_batch() {
        let mut batch = EventBatch::default();
        let mut event = Event::at(Time::from_ns(7));
        batch.write_text(&mut event, Text::UrlQuery, |out| out.push_str(&"x".repeat(1_000)));
        batch.set_text(&mut event, Text::UrlPath, "/orders/7");
        EventBatch::clear_text(&mut event, Text::UrlQuery);
        let mut copy = EventBatch::default();
        copy.copy_event(&batch, &event);
        assert_eq!(copy.text(&copy.events[0], Text::UrlPath), Some("/orders/7"));
        assert_eq!((copy.text_bytes(), copy.events[0].time), (9, event.time));
    }

    #[test]
    fn an_integer_is_absent_until_it_is_set() {
        let mut event = Event::at(Time::from_ns(0));
        assert_eq!(event.int(Int::DurationNs), None);
        event.set_int(Int::DurationNs, 0);
        assert_eq!(event.int(Int::DurationNs), Some(0));
        event.clear_int(Int::DurationNs);
        assert_eq!(event.int(Int::DurationNs), None);
        const { assert!(Int::COUNT <= 32, "one presence bit each") };
    }
}

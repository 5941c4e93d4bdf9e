//! JSON-RPC messages of MCP and A2A as a proxy logs them: alone, or inside a record with time and user.
//!
//! Arguments, results and message parts are never read.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{CALL_SLOTS, Record, Value};
use super::{Format, Reader, address, request};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "mcp_jsonrpc",
    about: "JSON-RPC messages of MCP and A2A, raw or inside a record with time and caller",
    aliases: &["mcp", "jsonrpc", "a2a"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["jsonrpc", "method"],
            &["jsonrpc", "result"],
            &["jsonrpc", "error"],
            &["request.jsonrpc"],
            &["body.jsonrpc"],
            &["request_body.jsonrpc"],
            &["message.jsonrpc"],
            &["payload.jsonrpc"],
            &["rpc.jsonrpc"],
            &["response.jsonrpc"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    // `finish` refuses what asks for nothing.
    needs_request: false,
    forwarded_only: false,
};

/// The parts of a message that are read, below each of the names that it may stand under.
macro_rules! messages {
    ($($prefix:literal)+) => {
        &[$(
            Field::text(concat!($prefix, ".method"), Text::McpMethodName),
            Field::text(concat!($prefix, ".params.name"), Text::ToolName),
            Field::text(concat!($prefix, ".params.uri"), Text::ResourceUri),
            Field::raw(concat!($prefix, ".params.taskId"), Raw::Aside),
            Field::int(concat!($prefix, ".error.code"), Int::RpcErrorCode),
            Field::text(concat!($prefix, ".params.clientInfo.name"), Text::AgentName),
            Field::text(concat!($prefix, ".params.protocolVersion"), Text::McpProtocolVersion),
            Field::text(
                concat!($prefix, ".params._meta.io.modelcontextprotocol/protocolVersion"),
                Text::McpProtocolVersion
            ),
            Field::text(
                concat!($prefix, ".params._meta.io.modelcontextprotocol/clientInfo.name"),
                Text::AgentName
            ),
            Field::raw(concat!($prefix, ".params._meta.traceparent"), Raw::Traceparent),
        )+]
    };
}

/// The headers that are read, below each of the names that they may stand under.
macro_rules! headers {
    ($($prefix:literal)+) => {
        &[$(
            Field::raw(concat!($prefix, ".mcp-method"), Raw::McpMethodHeader),
            Field::raw(concat!($prefix, ".mcp-name"), Raw::McpNameHeader),
            Field::text(concat!($prefix, ".mcp-protocol-version"), Text::McpProtocolVersion),
            Field::text(concat!($prefix, ".user-agent"), Text::UserAgentOriginal),
            Field::text(concat!($prefix, ".x-request-id"), Text::RequestId),
            Field::raw(concat!($prefix, ".x-forwarded-for"), Raw::Forwarded),
            Field::raw(concat!($prefix, ".traceparent"), Raw::Traceparent),
            Field::raw(concat!($prefix, ".host"), Raw::Host),
        )+]
    };
}

/// A batch has several messages, each a call of its own.
const MESSAGES: &[Field] =
    messages!("request[]" "body[]" "request_body[]" "message[]" "payload[]" "rpc[]");
const HEADERS: &[Field] = headers!("headers" "request_headers" "http_headers" "request.headers");

/// The message where it is the record itself. Its method may be HTTP's where another name holds it.
const OWN: &[Field] = &[
    Field::text("http_method", Text::HttpRequestMethod),
    Field::text("http.method", Text::HttpRequestMethod),
    Field::text("http.request.method", Text::HttpRequestMethod),
    Field::text("method", Text::HttpRequestMethod),
    Field::text("rpc_method", Text::McpMethodName),
    Field::text("mcp_method", Text::McpMethodName),
    Field::text("params.name", Text::ToolName),
    Field::text("params.uri", Text::ResourceUri),
    Field::raw("params.taskId", Raw::Aside),
    Field::int("error.code", Int::RpcErrorCode),
    Field::int("response.error.code", Int::RpcErrorCode),
    Field::int("response_body.error.code", Int::RpcErrorCode),
    Field::text("params.clientInfo.name", Text::AgentName),
    Field::text("params.protocolVersion", Text::McpProtocolVersion),
    Field::text("params._meta.io.modelcontextprotocol/protocolVersion", Text::McpProtocolVersion),
    Field::text("params._meta.io.modelcontextprotocol/clientInfo.name", Text::AgentName),
    Field::raw("params._meta.traceparent", Raw::Traceparent),
];

const REST: &[Field] = &[
    Field::raw("ts", Raw::Time),
    Field::raw("time", Raw::Time),
    Field::raw("timestamp", Raw::Time),
    Field::raw("@timestamp", Raw::Time),
    Field::raw("start_time", Raw::Time),
    Field::raw("started_at", Raw::Time),
    Field::raw("datetime", Raw::Time),
    Field::raw("end_time", Raw::EndTime),
    Field::span("duration_ms", Int::DurationNs, How::Millis),
    Field::span("latency_ms", Int::DurationNs, How::Millis),
    Field::span("elapsed_ms", Int::DurationNs, How::Millis),
    Field::span("durationMs", Int::DurationNs, How::Millis),
    Field::span("latencyMs", Int::DurationNs, How::Millis),
    Field::span("duration_ns", Int::DurationNs, How::Nanos),
    Field::span("duration", Int::DurationNs, How::Guess),
    Field::span("latency", Int::DurationNs, How::Guess),
    Field::int("bytes_in", Int::HttpRequestSize),
    Field::int("request_size", Int::HttpRequestSize),
    Field::int("bytes_out", Int::HttpResponseSize),
    Field::int("response_size", Int::HttpResponseSize),
    Field::raw("path", Raw::Target),
    Field::raw("http_path", Raw::Target),
    Field::raw("http.path", Raw::Target),
    Field::raw("url", Raw::Target),
    Field::raw("uri", Raw::Target),
    Field::raw("host", Raw::Host),
    Field::int("status_code", Int::HttpResponseStatusCode),
    Field::int("http_status", Int::HttpResponseStatusCode),
    Field::int("http.status", Int::HttpResponseStatusCode),
    Field::int("http.status_code", Int::HttpResponseStatusCode),
    Field::int("response_status", Int::HttpResponseStatusCode),
    Field::int("status", Int::HttpResponseStatusCode),
    Field::raw("client_ip", Raw::Client),
    Field::raw("client.ip", Raw::Client),
    Field::raw("client_address", Raw::Client),
    Field::raw("client.address", Raw::Client),
    Field::raw("remote_addr", Raw::Client),
    Field::raw("remote_ip", Raw::Client),
    Field::raw("source_ip", Raw::Client),
    Field::raw("ip", Raw::Client),
    Field::text("user_agent", Text::UserAgentOriginal),
    // Mostly the program's name; `finish` looks.
    Field::text("client_name", Text::AgentName),
    Field::text("client.name", Text::AgentName),
    Field::text("clientInfo.name", Text::AgentName),
    Field::text("client_info.name", Text::AgentName),
    Field::text("client", Text::AgentName),
    Field::text("agent_name", Text::AgentName),
    Field::text("agent.name", Text::AgentName),
    Field::text("agent", Text::AgentName),
    Field::text("agent_id", Text::AgentId),
    Field::text("agent.id", Text::AgentId),
    Field::text("mcp_server", Text::McpServer),
    Field::text("server_name", Text::McpServer),
    Field::text("server.name", Text::McpServer),
    Field::text("server", Text::McpServer),
    Field::text("tenant_id", Text::TenantId),
    Field::text("tenant", Text::TenantId),
    Field::text("request_id", Text::RequestId),
    Field::text("trace_id", Text::TraceId),
    Field::text("span_id", Text::SpanId),
    Field::raw("act.sub", Raw::Actor),
    Field::raw("jwt.act.sub", Raw::Actor),
    Field::raw("iss", Raw::Issuer),
    Field::raw("jwt.iss", Raw::Issuer),
    identity!("mcp_jsonrpc", "jwt.sub", IdSubject, User, Asserted),
    identity!("mcp_jsonrpc", "sub", IdSubject, User, Asserted),
    identity!("mcp_jsonrpc", "subject", IdSubject, User, Asserted),
    identity!("mcp_jsonrpc", "principal_id", IdSubject, User, Asserted),
    identity!("mcp_jsonrpc", "principal", IdSubject, User, Asserted),
    identity!("mcp_jsonrpc", "user_id", IdConsumer, User, Asserted),
    identity!("mcp_jsonrpc", "user.id", IdConsumer, User, Asserted),
    identity!("mcp_jsonrpc", "userId", IdConsumer, User, Asserted),
    identity!("mcp_jsonrpc", "consumer_id", IdConsumer, Consumer, Asserted),
    identity!("mcp_jsonrpc", "consumer", IdConsumer, Consumer, Asserted),
    identity!("mcp_jsonrpc", "api_key", IdCredential, ApiKey, Asserted).secret(),
    identity!("mcp_jsonrpc", "client_id", IdClient, Client, Asserted),
    identity!("mcp_jsonrpc", "user", IdUser, User, Asserted),
    identity!("mcp_jsonrpc", "user.name", IdUser, User, Asserted),
    identity!("mcp_jsonrpc", "username", IdUser, User, Asserted),
    identity!("mcp_jsonrpc", "user.email", IdUser, User, Asserted),
    identity!("mcp_jsonrpc", "user_email", IdUser, User, Asserted),
    identity!("mcp_jsonrpc", "email", IdUser, User, Asserted),
    identity!("mcp_jsonrpc", "session_id", IdSession, Session, Asserted).secret(),
    identity!("mcp_jsonrpc", "sessionId", IdSession, Session, Asserted).secret(),
    identity!("mcp_jsonrpc", "mcp_session_id", IdSession, Session, Asserted).secret(),
    identity!("mcp_jsonrpc", "headers.mcp-session-id", IdSession, Session, Asserted).secret(),
    identity!("mcp_jsonrpc", "request_headers.mcp-session-id", IdSession, Session, Asserted)
        .secret(),
    identity!("mcp_jsonrpc", "request.headers.mcp-session-id", IdSession, Session, Asserted)
        .secret(),
];

/// The messages stand first: a name below `request` is an element's of a batch by that.
static FIELDS: &[Field] = &super::joined::<
    { MESSAGES.len() + HEADERS.len() + OWN.len() + REST.len() },
    4,
>([MESSAGES, HEADERS, OWN, REST]);

static SYSTEM: Field = Field::text("jsonrpc", Text::RpcSystem);

/// Where an error's code stands.
const ERROR: Slot = Slot::Int(Int::RpcErrorCode);
/// The code of the answer to what is no JSON.
const NOT_READ: i64 = -32_700;

/// What MCP's methods begin with.
const MCP: [&str; 13] = [
    "completion/",
    "elicitation/",
    "initialize",
    "logging/",
    "notifications/",
    "ping",
    "prompts/",
    "resources/",
    "roots/",
    "sampling/",
    "server/",
    "subscriptions/",
    "tools/",
];
/// What A2A's methods begin with: with slashes up to 0.3, in one word since.
const A2A: [&str; 13] = [
    "agent/",
    "message/",
    "tasks/",
    "CancelTask",
    "CreateTaskPushNotificationConfig",
    "DeleteTaskPushNotificationConfig",
    "GetExtendedAgentCard",
    "GetTask",
    "ListTask",
    "SendMessage",
    "SendStreamingMessage",
    "SetTaskPushNotificationConfig",
    "SubscribeToTask",
];

/// Tells HTTP's method from the message's, MCP from A2A, and replies from what they reply to.
fn finish(record: &mut Record<'_>) {
    let (verb, method) = (Slot::Text(Text::HttpRequestMethod), Slot::Text(Text::McpMethodName));
    if record.text(verb).is_some_and(|it| request::method(it).is_none()) {
        if !record.has(method) {
            record.copy(verb, method);
        }
        record.forget(verb);
    }
    let (agent, client) = (Slot::Text(Text::AgentName), Slot::Raw(Raw::Client));
    if record.text(agent).is_some_and(address::is_ip) {
        if !record.has(client) {
            record.copy(agent, client);
        }
        record.forget(agent);
    }
    if let Some(name) = record.text(method) {
        let is_task = name.starts_with("tasks/")
            && (record.has(Slot::Raw(Raw::Aside)) || record.has(Slot::Raw(Raw::McpMethodHeader)));
        let begins = |with: &&str| name.starts_with(*with);
        if !is_task && !MCP.iter().any(begins) {
            let system = if A2A.iter().any(begins) { "a2a" } else { "jsonrpc" };
            record.copy(method, Slot::Text(Text::RpcMethod));
            record.forget(method);
            record.put(&SYSTEM, 0, Value::Line(system));
        }
    }
    // Of a batch of replies each has at most an error.
    let had_replies = !record.calls.is_empty();
    record.calls.retain(|call| {
        CALL_SLOTS.iter().zip(call).any(|(slot, filled)| *slot != ERROR && filled.is_some())
    });
    let asks = [
        method,
        Slot::Text(Text::RpcMethod),
        Slot::Raw(Raw::McpMethodHeader),
        Slot::Raw(Raw::Target),
    ];
    let is_answered = record.int(Slot::Int(Int::HttpResponseStatusCode)).is_some();
    if record.calls.is_empty() && !is_answered && !asks.iter().any(|it| record.has(*it)) {
        let reason = of_reply(record, had_replies);
        record.refuse(reason);
    }
}

/// Why a reply without what it replies to is no event: the record of the request counts the call. Only of
/// a message that could not be read there is none.
fn of_reply(record: &Record<'_>, is_batch: bool) -> Reject {
    match record.filled(ERROR).map(|it| it.value) {
        Some(Value::Int(NOT_READ)) if !is_batch => Reject::NoRequest,
        _ => Reject::Repeated,
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let line = format!(r#"{{"ts":"2026-03-10T03:36:59.123Z","user":"alice",{fields}}}"#);
        crate::format::check::check(FormatId::Mcp, &line, expected);
    }

    #[test]
    fn a_request_inside_a_record_is_a_call_of_a_tool() {
        check(
            r#""client":"claude-code","request":{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_issue","arguments":{"name":"c4n4ry"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}},"duration_ms":45,"status":"ok""#,
            &[
                "events=1",
                "endpoint=mcp tools/call create_issue",
                "mcp_protocol_version=2026-07-28",
                "principal_id=alice",
                "agent_name=claude-code",
                "client_address=",
                "duration_ns=45000000",
                "http_response_status_code=",
            ],
        );
    }

    #[test]
    fn a_message_may_be_the_record_itself() {
        check(
            r#""client":"10.0.0.7","jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"file:///a"}"#,
            &[
                "resource_uri=file:///a",
                "client_address=10.0.0.7",
                "agent_name=",
                "endpoint=mcp resources/read",
            ],
        );
        check(
            r#""jsonrpc":"2.0","method":"notifications/initialized""#,
            &["mcp_method_name=notifications/initialized"],
        );
        check(
            r#""jsonrpc":"2.0","id":7,"result":{"content":["c4n4ry"]}"#,
            &["events=0", "reject=repeated"],
        );
        check(
            r#""jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"c4n4ry"}"#,
            &["events=0", "reject=repeated"],
        );
        crate::format::check::check(
            FormatId::Mcp,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
            &["reject=no_time"],
        );
    }

    #[test]
    fn a_reply_alone_is_no_call_of_its_own() {
        let error = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"c4n4ry"}}"#;
        // The record of the request counts the call, wherever the reply stands.
        for name in ["request", "body", "message", "payload", "response"] {
            check(&format!(r#""{name}":{error}"#), &["events=0", "reject=repeated"]);
        }
        check(
            &format!(r#""body":[{error},{{"jsonrpc":"2.0","id":8,"result":{{}}}}]"#),
            &["events=0", "reject=repeated"],
        );
        // With the exchange around it, or the request beside it, it is the outcome of that.
        for around in [
            r#""status":200"#,
            r#""path":"/mcp","method":"POST""#,
            r#""request":{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"drop"}}"#,
        ] {
            check(
                &format!(r#"{around},"response":{error}"#),
                &["events=1", "rpc_error_code=-32602"],
            );
        }
        // Nobody logs the request that could not be read.
        check(
            r#""jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"c4n4ry"}"#,
            &["events=0", "reject=no_request"],
        );
    }

    #[test]
    fn an_error_inside_status_200_is_kept_and_a_header_that_differs_flagged() {
        check(
            r#""method":"POST","path":"/mcp","status":200,"headers":{"mcp-method":"tools/list"},"body":{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop"}},"response":{"jsonrpc":"2.0","error":{"code":-32602}}"#,
            &[
                "http_request_method=POST",
                "http_response_status_code=200",
                "rpc_error_code=-32602",
                "tool_name=drop",
                "parse_flags=512",
            ],
        );
    }

    #[test]
    fn every_message_of_a_batch_is_an_event() {
        check(
            r#""request":[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}},{"jsonrpc":"2.0","id":2,"method":"tools/list"}]"#,
            &["events=2", "tool_name=a"],
        );
        let line = r#"{"ts":"2026-03-10T03:36:59.123Z","status":200,"method":"POST","path":"/mcp","body":[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}]}"#;
        assert_eq!(crate::sniff::record(line.as_bytes()), Some(FormatId::Mcp));
        let empty = line
            .replace(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#, "");
        assert_ne!(crate::sniff::record(empty.as_bytes()), Some(FormatId::Mcp));
    }

    #[test]
    fn a2a_and_other_protocols_are_told_apart() {
        let of = |message: &str, endpoint: &str| {
            check(
                &format!(r#""jsonrpc":"2.0","id":1,{message}"#),
                &[&format!("endpoint={endpoint}")],
            );
        };
        of(
            r#""method":"message/send","params":{"message":{"parts":["c4n4ry"]}}"#,
            "a2a message/send",
        );
        of(r#""method":"tasks/get","params":{"id":"t-1"}"#, "a2a tasks/get");
        of(r#""method":"tasks/get","params":{"taskId":"t-1"}"#, "mcp tasks/get");
        of(r#""method":"SendMessage""#, "a2a SendMessage");
        of(r#""method":"eth_call","params":["0x1"]"#, "jsonrpc eth_call");
    }
}

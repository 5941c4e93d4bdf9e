//! OTLP in JSON: log records and server spans, each an event with its resource's attributes.
//!
//! Attributes have the names of OpenTelemetry's conventions, old and new, and those that gateways give
//! to what they log through it. Names of a record's own fields stand under `record`.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader, gcp_audit};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "otlp",
    about: "OpenTelemetry logs and server spans (OTLP in JSON)",
    aliases: &["otel", "opentelemetry"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["resourceLogs"],
            &["resourceSpans"],
            &["resource_logs"],
            &["resource_spans"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &super::joined::<
    { CALL.len() + MEASURES.len() + AGENTS.len() + IDENTITIES.len() },
    4,
>([CALL, MEASURES, AGENTS, IDENTITIES]);

/// Fields with the same meaning: how they are made, then their names.
macro_rules! fields {
    ($($constructor:ident $arguments:tt: $($name:literal)+;)+) => {
        &[$($(fields!(@ $constructor $arguments $name)),+),+]
    };
    (@ $constructor:ident ($($argument:expr),*) $name:literal) => {
        Field::$constructor($name $(, $argument)*)
    };
}

/// The record's own fields, and what was asked and answered.
const CALL: &[Field] = fields! {
    raw(Raw::Telemetry): "resourceLogs" "resourceSpans";
    raw(Raw::Time): "record.startTimeUnixNano" "record.timeUnixNano" "record.start_time_unix_nano"
        "record.time_unix_nano";
    raw(Raw::EndTime): "record.endTimeUnixNano" "record.end_time_unix_nano";
    raw(Raw::Aside): "record.observedTimeUnixNano" "record.observed_time_unix_nano";
    raw(Raw::AsideToo): "record.kind";
    text(Text::TraceId): "record.traceId" "record.trace_id";
    text(Text::SpanId): "record.spanId" "record.span_id";
    text(Text::GatewayService): "service.name" "resource.service.name" "ServiceName"
        "upstream_cluster";
    text(Text::SourceInstance): "resource.service.instance.id" "resource.host.name";
    text(Text::HttpRequestMethod): "http.request.method" "http.method" "RequestMethod" ":method"
        "method";
    text(Text::HttpRequestMethodOriginal): "http.request.method_original";
    raw(Raw::Target): "http.target" "x-envoy-origin-path" "x-envoy-original-path" "url.path"
        "http.path" "RequestPath" ":path" "path";
    raw(Raw::Url): "url.full" "http.url";
    text(Text::UrlQuery): "url.query";
    text(Text::UrlScheme): "url.scheme" "http.scheme" "RequestScheme";
    text(Text::HttpRoute): "http.route" "url.template";
    raw(Raw::Protocol): "network.protocol.version" "net.protocol.version" "http.flavor"
        "RequestProtocol" "protocol" "http.version";
    raw(Raw::Host): "server.address" "http.host" "http.server_name" "net.host.name" "RequestHost"
        ":authority" "authority" "host";
    int(Int::ServerPort): "server.port" "net.host.port";
    int(Int::HttpResponseStatusCode): "http.response.status_code" "http.status_code"
        "DownstreamStatus" "response_code" "http.status";
    int(Int::UpstreamStatusCode): "OriginStatus" "rpc.grpc.status_code";
    raw(Raw::ResponseFlags): "response_flags";
};

/// How big and how long it was, and where it came from.
const MEASURES: &[Field] = fields! {
    int(Int::HttpRequestSize): "http.request.size";
    int(Int::HttpResponseSize): "http.response.size";
    int(Int::HttpRequestBodySize): "http.request.body.size" "http.request_content_length"
        "RequestContentSize" "bytes_received";
    int(Int::HttpResponseBodySize): "http.response.body.size" "http.response_content_length"
        "DownstreamContentSize" "bytes_sent";
    span(Int::DurationNs, How::Seconds): "http.server.request.duration";
    // Traefik's is in nanoseconds, Envoy's in milliseconds; agentgateway's has its unit.
    raw(Raw::AsideThree): "Duration";
    span(Int::UpstreamDurationNs, How::Nanos): "OriginDuration";
    span(Int::UpstreamDurationNs, How::Millis): "x-envoy-upstream-service-time";
    raw(Raw::Client): "client.address" "http.client_ip" "ClientHost" "src.addr"
        "downstream_remote_address";
    int(Int::ClientPort): "client.port";
    text(Text::NetworkPeerAddress): "network.peer.address" "net.sock.peer.addr" "net.peer.ip";
    raw(Raw::Forwarded): "http.request.header.x-forwarded-for"
        "http.request.header.x_forwarded_for" "x-forwarded-for" "x_forwarded_for";
    text(Text::UserAgentOriginal): "user_agent.original" "http.user_agent"
        "http.request.header.user-agent" "user-agent" "user_agent" "request_User-Agent";
    text(Text::HttpRequestReferrer): "http.request.header.referer" "request_Referer";
    text(Text::RequestId): "http.request.header.x-request-id" "x-request-id" "http.request.id"
        "request_id";
    text(Text::GatewayRoute): "RouterName" "route_name" "route" "kong.route_name";
};

/// Remote procedures, agents, and the calls that they make.
const AGENTS: &[Field] = fields! {
    text(Text::RpcSystem): "rpc.system" "rpc.system.name";
    text(Text::RpcMethod): "rpc.method" "a2a.method";
    text(Text::ApiId): "rpc.service";
    int(Int::RpcErrorCode): "rpc.jsonrpc.error_code" "mcp.error.code" "rpc.response.status_code";
    text(Text::McpMethodName): "mcp.method.name";
    raw(Raw::McpMethodHeader): "http.request.header.mcp-method" "mcp-method";
    raw(Raw::McpNameHeader): "http.request.header.mcp-name" "mcp-name";
    text(Text::McpProtocolVersion): "mcp.protocol.version"
        "http.request.header.mcp-protocol-version" "mcp-protocol-version";
    text(Text::McpServer): "mcp.server" "mcp.target" "mcp.server.name";
    text(Text::ToolName): "gen_ai.tool.name" "mcp.tool.name" "gen_ai.prompt.name";
    text(Text::ResourceUri): "mcp.resource.uri" "mcp.resource.name";
    text(Text::AgentId): "gen_ai.agent.id";
    text(Text::AgentName): "gen_ai.agent.name";
    text(Text::GenAiRequestModel): "gen_ai.request.model" "gen_ai.response.model";
    text(Text::GenAiProviderName): "gen_ai.provider.name" "gen_ai.system";
    int(Int::GenAiUsageInputTokens): "gen_ai.usage.input_tokens" "gen_ai.usage.prompt_tokens";
    int(Int::GenAiUsageOutputTokens): "gen_ai.usage.output_tokens"
        "gen_ai.usage.completion_tokens";
    raw(Raw::Issuer): "jwt.iss";
    raw(Raw::Actor): "jwt.act.sub";
    text(Text::TenantId): "tenant.id" "organization.id";
};

const IDENTITIES: &[Field] = &[
    identity!("otlp", "jwt.sub", IdSubject, User, Verified),
    identity!("otlp", "jwt_sub", IdSubject, User, Verified),
    identity!("otlp", "enduser.id", IdConsumer, User, Asserted),
    identity!("otlp", "user.id", IdConsumer, User, Asserted),
    identity!("otlp", "enduser.pseudo.id", IdConsumer, User, Asserted),
    identity!("otlp", "consumer.id", IdConsumer, Consumer, Asserted),
    identity!("otlp", "http.request.header.x-consumer-id", IdConsumer, Consumer, Asserted),
    identity!("otlp", "http.request.header.x-api-key", IdCredential, ApiKey, Asserted).secret(),
    identity!("otlp", "http.request.header.authorization", IdCredential, ApiKey, Asserted).secret(),
    identity!("otlp", "oauth.client_id", IdClient, Client, Asserted),
    identity!("otlp", "client_id", IdClient, Client, Asserted),
    identity!("otlp", "tls.client.subject", IdCertificate, Mtls, Asserted),
    identity!("otlp", "src.identity", IdCertificate, Mtls, Asserted),
    identity!("otlp", "TLSClientSubject", IdCertificate, Mtls, Asserted),
    identity!("otlp", "user.name", IdUser, User, Asserted),
    identity!("otlp", "ClientUsername", IdUser, User, Asserted),
    identity!("otlp", "user.email", IdUser, User, Asserted),
    identity!("otlp", "session.id", IdSession, Session, Asserted).secret(),
    identity!("otlp", "mcp.session.id", IdSession, Session, Asserted).secret(),
];

static RECEIVED: Field = Field::raw("record.observedTimeUnixNano", Raw::TimeKind);
static TRACE: Field = Field::text("record.traceId", Text::TraceId);
static SPAN: Field = Field::text("record.spanId", Text::SpanId);
static RPC: Field = Field::text("rpc.service, rpc.method", Text::RpcMethod);
static TARGET: Field = Field::raw("rpc.service, rpc.method", Raw::Target);
static METHOD: Field = Field::text("rpc.system", Text::HttpRequestMethod);
static STATUS: Field = Field::int("rpc.grpc.status_code", Int::HttpResponseStatusCode);
static MILLIS: Field = Field::span("duration", Int::DurationNs, How::Millis);
static NANOS: Field = Field::span("Duration", Int::DurationNs, How::Nanos);

const TIME: Slot = Slot::Raw(Raw::Time);
const DURATION: Slot = Slot::Raw(Raw::AsideThree);

/// Refuses spans that no server made, and puts what has several names in its place.
fn finish(record: &mut Record<'_>) {
    if let Some(reason) = refusal(record) {
        return record.refuse(reason);
    }
    grpc(record);
    // A time of 0 is not known; when it was seen is.
    if is_zero(record, TIME) {
        record.forget(TIME);
    }
    let observed = Slot::Raw(Raw::Aside);
    if !record.has(TIME) && record.has(observed) && !is_zero(record, observed) {
        record.copy(observed, TIME);
        record.put_copied(&RECEIVED, 0, "received");
    }
    for (column, field) in [(Text::TraceId, &TRACE), (Text::SpanId, &SPAN)] {
        let id = record.text(Slot::Text(column)).map(str::to_ascii_lowercase);
        if let Some(id) = id {
            record.put_copied(field, 0, &id);
        }
    }
    let (client, peer) = (Slot::Raw(Raw::Client), Slot::Text(Text::NetworkPeerAddress));
    if !record.has(client) {
        record.copy(peer, client);
        record.forget(peer);
    }
    // Only Traefik counts a request's time in nanoseconds, and only it writes this name.
    let is_traefik = record
        .filled(Slot::Int(Int::HttpResponseStatusCode))
        .is_some_and(|it| it.field.name == "DownstreamStatus");
    if let (Some(duration), false) =
        (record.filled(DURATION), record.has(Slot::Int(Int::DurationNs)))
    {
        record.put(if is_traefik { &NANOS } else { &MILLIS }, 0, duration.value);
    }
}

/// A call of gRPC is a POST of `/service/method`, whose status stands in a trailer.
fn grpc(record: &mut Record<'_>) {
    let text = |column| record.text(Slot::Text(column));
    let (Some("grpc"), Some(method)) = (text(Text::RpcSystem), text(Text::RpcMethod)) else {
        return;
    };
    let whole = match text(Text::ApiId) {
        Some(service) if !method.contains('/') => format!("{service}/{method}"),
        _ => method.to_owned(),
    };
    record.put_copied(&RPC, 0, &whole);
    if !record.has(Slot::Raw(Raw::Target)) {
        record.put_copied(&TARGET, 0, &format!("/{whole}"));
        record.put_copied(&METHOD, 0, "POST");
    }
    let old = record.int(Slot::Int(Int::UpstreamStatusCode)).filter(|it| *it <= 16);
    let code = old.or_else(|| code(record));
    // A gateway's own record of a call that it let nobody make.
    record.is_claimed = code == Some(16);
    if let (Some(code), false) = (code, record.has(Slot::Int(Int::HttpResponseStatusCode))) {
        record.put(&STATUS, 0, Value::Int(gcp_audit::status_of(code)));
    }
}

/// The code in `rpc.response.status_code`: a name or a number, as text or not.
fn code(record: &Record<'_>) -> Option<i64> {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let filled = record.filled(Slot::Int(Int::RpcErrorCode))?;
    if filled.field.name != "rpc.response.status_code" {
        return None;
    }
    let code = match filled.value {
        Value::Int(code) => Some(code),
        text => {
            let text = record.text_of(text)?;
            let named = (0..).zip(NAMES).find(|(_, name)| name.eq_ignore_ascii_case(text));
            text.parse().ok().or(named.map(|(code, _)| code))
        }
    };
    code.filter(|it| (0..=16).contains(it))
}

/// Why a span is no event: clients' spans are the same calls seen from the other side, all others are
/// parts of one.
fn refusal(record: &Record<'_>) -> Option<Reject> {
    let is_log =
        record.filled(TIME).is_none_or(|it| !it.field.name.to_ascii_lowercase().contains("start"));
    match record.text(Slot::Raw(Raw::AsideToo)) {
        Some("2" | "SPAN_KIND_SERVER") => None,
        Some("3" | "SPAN_KIND_CLIENT") => Some(Reject::Repeated),
        None if is_log => None,
        Some(_) | None => Some(Reject::NotAccessLog),
    }
}

fn is_zero(record: &Record<'_>, slot: Slot) -> bool {
    match record.filled(slot).map(|it| it.value) {
        Some(Value::Int(number)) => number == 0,
        Some(text) => record.text_of(text) == Some("0"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;
    use model::Text;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Otlp, line, expected);
    }

    fn log(fields: &str) -> String {
        format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"edge"}}}}]}},"scopeLogs":[{{"scope":{{"name":"access"}},"logRecords":[{fields}]}}]}}]}}"#
        )
    }

    #[test]
    fn whole_numbers_are_texts_or_numbers() {
        for quote in ["", "\""] {
            let line = log(&format!(
                r#"{{"timeUnixNano":{quote}1773113819123456789{quote},"traceId":"5B8EFFF798038103D269B633813FC60C","body":{{"stringValue":"c4n4ry"}},"attributes":[{{"key":"http.request.method","value":{{"stringValue":"GET"}}}},{{"key":"url.path","value":{{"stringValue":"/v1/users/42"}}}},{{"key":"url.query","value":{{"stringValue":"q=1&sig=abc"}}}},{{"key":"http.response.status_code","value":{{"intValue":{quote}200{quote}}}}},{{"value":{{"stringValue":"198.51.100.3"}},"key":"client.address"}},{{"key":"http.route","value":{{"stringValue":"/v1/users/{{id}}"}}}},{{"key":"http.response.body.size","value":{{"intValue":{quote}512{quote}}}}},{{"key":"enduser.id","value":{{"stringValue":"u-42"}}}},{{"key":"flag","value":{{"boolValue":true}}}}]}}"#
            ));
            check(
                &line,
                &[
                    "time=2026-03-10T03:36:59.123456789Z",
                    "http_request_method=GET",
                    "url_path=/v1/users/42",
                    "url_query=q=1&sig=REDACTED",
                    "http_response_status_code=200",
                    "http_response_body_size=512",
                    "http_route=/v1/users/{id}",
                    "client_address=198.51.100.3",
                    "principal_id=u-42",
                    "gateway_service=edge",
                    "trace_id=5b8efff798038103d269b633813fc60c",
                ],
            );
        }
    }

    #[test]
    fn a_peer_from_outside_is_the_client_whatever_its_headers_say() {
        let of = |peer: &str, expected: &[&str]| {
            let line = log(&format!(
                r#"{{"timeUnixNano":"1773113819000000000","attributes":[{{"key":"http.response.status_code","value":{{"intValue":"200"}}}},{{"key":"client.address","value":{{"stringValue":"198.51.100.3"}}}},{{"key":"network.peer.address","value":{{"stringValue":"{peer}"}}}}]}}"#
            ));
            check(&line, expected);
        };
        of("203.0.113.9", &["client_address=203.0.113.9", "network_peer_address="]);
        of("10.0.0.1", &["client_address=198.51.100.3", "network_peer_address=10.0.0.1"]);
    }

    #[test]
    fn every_record_is_an_event_and_its_resource_counts_for_all() {
        let one = |path: &str| {
            format!(
                r#"{{"observedTimeUnixNano":"1773113819000000000","timeUnixNano":"0","attributes":[{{"key":"http.method","value":{{"stringValue":"GET"}}}},{{"key":"http.target","value":{{"stringValue":"{path}"}}}},{{"key":"http.request.header.x-forwarded-for","value":{{"arrayValue":{{"values":[{{"stringValue":"198.51.100.9"}},{{"stringValue":"10.0.0.1"}}]}}}}}}]}}"#
            )
        };
        check(
            &log(&format!("{},{{}},{}", one("/a?b=1"), one("/c"))),
            &["events=2", "url_path=/a", "time_kind=received", "gateway_service=edge"],
        );
    }

    #[test]
    fn a_resource_may_stand_behind_its_records() {
        let records = |path: &str| {
            format!(
                r#""scopeLogs":[{{"logRecords":[{{"attributes":[{{"key":"http.method","value":{{"stringValue":"GET"}}}},{{"key":"url.path","value":{{"stringValue":"{path}"}}}}],"timeUnixNano":"1773113819000000000"}}]}}]"#
            )
        };
        let resource = |name: &str| {
            format!(
                r#""resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{name}"}}}}]}}"#
            )
        };
        // The second has its resource before, the third has none.
        let line = format!(
            r#"{{"resourceLogs":[{{{},{}}},{{{},{}}},{{{}}}]}}"#,
            records("/a"),
            resource("caf\\u00e9"),
            resource("two"),
            records("/b"),
            records("/c"),
        );
        let parsed = crate::format::check::parse(line.as_bytes(), Some(FormatId::Otlp));
        let of = |column| {
            let events = parsed.batch.events.iter();
            events.map(|it| parsed.batch.text(it, column).unwrap_or("")).collect::<Vec<_>>()
        };
        assert_eq!(of(Text::GatewayService), ["café", "two", ""]);
        assert_eq!(of(Text::UrlPath), ["/a", "/b", "/c"]);
    }

    #[test]
    fn only_what_a_server_saw_is_an_event() {
        let span = |kind: &str| {
            format!(
                r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"GET","kind":{kind},"startTimeUnixNano":"1773113819000000000","endTimeUnixNano":"1773113819250000000","attributes":[{{"key":"http.method","value":{{"stringValue":"GET"}}}},{{"key":"http.url","value":{{"stringValue":"https://api.example.com/a/7"}}}},{{"key":"http.status_code","value":{{"intValue":"200"}}}},{{"key":"net.peer.ip","value":{{"stringValue":"10.0.0.1"}}}}]}}]}}]}}]}}"#
            )
        };
        for kind in ["2", "\"SPAN_KIND_SERVER\""] {
            check(
                &span(kind),
                &[
                    "events=1",
                    "time=2026-03-10T03:36:59Z",
                    "duration_ns=250000000",
                    "url_path=/a/7",
                    "server_address=api.example.com",
                    "client_address=10.0.0.1",
                    "span_id=eee19b7ec3c1b174",
                ],
            );
        }
        check(&span("3"), &["events=0", "reject=repeated"]);
        check(&span("1"), &["events=0", "reject=not_access_log"]);
    }

    #[test]
    fn a_grpc_call_is_its_service_and_method() {
        check(
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":2,"startTimeUnixNano":"1773113819000000000","endTimeUnixNano":"1773113819250000000","attributes":[{"key":"rpc.system","value":{"stringValue":"grpc"}},{"key":"rpc.service","value":{"stringValue":"shop.Orders"}},{"key":"rpc.method","value":{"stringValue":"Get"}},{"key":"rpc.grpc.status_code","value":{"intValue":"7"}}]}]}]}]}"#,
            &[
                "endpoint=grpc shop.Orders/Get",
                "url_path=/shop.Orders/Get",
                "http_request_method=POST",
                "http_response_status_code=403",
                "upstream_status_code=",
            ],
        );
    }

    #[test]
    fn a_grpc_code_has_a_name_or_digits() {
        let of = |code: &str, expected: &[&str]| {
            let line = format!(
                r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"kind":2,"startTimeUnixNano":"1773113819000000000","endTimeUnixNano":"1773113819250000000","attributes":[{{"key":"rpc.system.name","value":{{"stringValue":"grpc"}}}},{{"key":"rpc.method","value":{{"stringValue":"shop.Orders/Get"}}}},{{"key":"client.address","value":{{"stringValue":"203.0.113.9"}}}},{{"key":"user.id","value":{{"stringValue":"u-1"}}}},{{"key":"rpc.response.status_code","value":{code}}}]}}]}}]}}]}}"#
            );
            check(&line, expected);
        };
        let refused =
            ["http_response_status_code=401", "principal_trust=claimed", "principal_claimed=u-1"];
        of(r#"{"stringValue":"UNAUTHENTICATED"}"#, &refused);
        of(r#"{"stringValue":"16"}"#, &refused);
        of(r#"{"intValue":"16"}"#, &refused);
        of(
            r#"{"stringValue":"OK"}"#,
            &["http_response_status_code=200", "principal_id=u-1", "url_path=/shop.Orders/Get"],
        );
        of(r#"{"stringValue":"PERMISSION_DENIED"}"#, &["http_response_status_code=403"]);
    }

    #[test]
    fn a_tool_call_is_named_and_pairs_in_the_body_count() {
        check(
            &log(
                r#"{"timeUnixNano":"1773113819000000000","body":{"kvlistValue":{"values":[{"key":"mcp.method.name","value":{"stringValue":"tools/call"}},{"key":"gen_ai.tool.name","value":{"stringValue":"drop_table"}},{"key":"jwt","value":{"kvlistValue":{"values":[{"key":"sub","value":{"stringValue":"u-1"}}]}}}]}}}"#,
            ),
            &["endpoint=mcp tools/call drop_table", "principal_id=u-1", "principal_trust=verified"],
        );
    }

    #[test]
    fn a_gateways_own_names_have_its_units() {
        check(
            &log(
                r#"{"timeUnixNano":"1773113819000000000","attributes":[{"key":"DownstreamStatus","value":{"intValue":"200"}},{"key":"Duration","value":{"intValue":"1500000"}},{"key":"RequestPath","value":{"stringValue":"/a"}}]}"#,
            ),
            &["duration_ns=1500000", "url_path=/a"],
        );
        check(
            &log(
                r#"{"timeUnixNano":"1773113819000000000","attributes":[{"key":"response_code","value":{"stringValue":"200"}},{"key":"duration","value":{"stringValue":"15"}}]}"#,
            ),
            &["duration_ns=15000000"],
        );
    }
}

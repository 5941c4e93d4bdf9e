//! Any JSON access log whose field names tell what they are: a table of synonyms, with type checks.
//!
//! A dotted name is also found as objects inside each other.

use super::field::{Field, How, Raw, identity};
use super::record::{Record, Value};
use super::request;
use super::{Format, Reader};
use crate::format::field::Slot;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "generic_json",
    about: "any JSON access log with a time and a status, or a method and a path (ECS, OpenTelemetry names too)",
    aliases: &["json"],
    fields: FIELDS,
    reader: Reader::Json { signatures: &[], finish, mends: true },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

/// Fields with the same meaning: how they are made, then their names.
macro_rules! fields {
    ($($constructor:ident $arguments:tt: $($name:literal)+;)+) => {
        &[$($(fields!(@ $constructor $arguments $name)),+),+]
    };
    (@ $constructor:ident ($($argument:expr),*) $name:literal) => {
        Field::$constructor($name $(, $argument)*)
    };
}

static FIELDS: &[Field] = &super::joined::<
    { CALL.len() + MEASURES.len() + SURROUNDINGS.len() + IDENTITIES.len() },
    4,
>([CALL, MEASURES, SURROUNDINGS, IDENTITIES]);

/// What was asked and answered.
const CALL: &[Field] = fields! {
    raw(Raw::Time): "@timestamp" "time" "timestamp" "ts" "time_iso8601" "started_at" "start_time"
        "request_time_iso" "requestTime" "request_timestamp" "eventTime" "event_time" "datetime"
        "date" "time_local" "logged_at" "created_at" "startTime" "start_timestamp" "received_at" "event.created";
    end(): "finished_at" "end_time" "endTime" "ended_at" "completed_at";
    text(Text::HttpRequestMethod): "http.request.method" "http.method" "http_request_method" "method"
        "http_method" "request.method" "request_method" "httpMethod" "requestMethod" "verb" "req.method"
        "cs_method" "cs-method" "req_method";
    raw(Raw::Target): "url.original" "url_original" "http.target" "raw_path" "request_uri" "request.uri" "requestUri"
        "uri" "url" "request.url" "request_url" "requestUrl" "http.url" "url.full" "url.path" "url_path"
        "request.path" "request_path" "requestPath" "path" "http_path" "http.path" "req.url" "req.path" "target"
        "original_uri" "originalUrl" "original_url" "request_target" "uri_path" "cs-uri-stem" "cs_uri_stem";
    raw(Raw::RequestLine): "request" "request_line" "requestLine";
    text(Text::UrlQuery): "url.query" "url_query" "query" "query_string" "queryString" "request.query" "cs-uri-query" "cs_uri_query";
    text(Text::HttpRoute): "http.route" "http_route" "route_template" "route_pattern" "path_template"
        "request.route" "routeKey" "resourcePath" "matched_route" "url_template" "url.template";
    text(Text::Endpoint): "operation_id" "operationId";
    int(Int::HttpResponseStatusCode): "http.response.status_code" "http.status_code"
        "http_response_status_code" "status_code" "statusCode" "response_code" "responseCode"
        "response.status_code" "response.status" "response_status" "responseStatus" "http_status"
        "http.status" "res.statusCode" "res.status" "httpStatus" "resp_status" "http_code" "sc-status" "sc_status"
        "status" "code";
    int(Int::UpstreamStatusCode): "upstream_status" "upstream_status_code" "backend_status";
    raw(Raw::Protocol): "http.version" "network.protocol.version" "protocol" "http_version";
    raw(Raw::Host): "server.address" "server_address" "http.host" "url.domain" "host" "hostname"
        "authority" ":authority" "domain" "vhost" "request.host" "request.headers.host" "headers.host"
        "req.headers.host" "http_host" "request_host" "cs-host";
    text(Text::UrlScheme): "url.scheme" "http.scheme" "scheme";
};

/// How big and how long it was.
const MEASURES: &[Field] = fields! {
    int(Int::HttpRequestBodySize): "http.request.body.size" "http.request.body.bytes"
        "http.request_content_length" "http_request_body_size" "request_body_size" "request_body_bytes"
        "requestBodySize";
    int(Int::HttpResponseBodySize): "http.response.body.size" "http.response.body.bytes"
        "http.response_content_length" "http_response_body_size" "body_bytes_sent" "response_body_size"
        "response_body_bytes" "responseBodySize" "body_size" "content_length" "contentLength" "responseLength"
        "response_length" "res.contentLength" "body_bytes";
    int(Int::HttpRequestSize): "http.request.size" "http.request.bytes" "http_request_size" "bytes_in"
        "bytesIn" "request_size" "requestSize" "request_bytes" "request_length" "bytes_received"
        "received_bytes" "request.size" "req_bytes" "in_bytes" "bytesReceived" "requestBytes" "cs-bytes"
        "cs_bytes";
    int(Int::HttpResponseSize): "http.response.size" "http.response.bytes" "http_response_size"
        "bytes_out" "bytesOut" "response_size" "responseSize" "response_bytes" "bytes_sent" "sent_bytes"
        "response.size" "resp_bytes" "out_bytes" "bytesSent" "responseBytes" "sc-bytes" "sc_bytes" "bytes" "size";
    span(Int::DurationNs, How::Nanos): "event.duration" "duration_ns" "latency_ns" "elapsed_ns";
    span(Int::DurationNs, How::Micros): "duration_us" "latency_us" "elapsed_us" "response_time_us";
    span(Int::DurationNs, How::Millis): "duration_ms" "latency_ms" "elapsed_ms" "response_time_ms"
        "request_time_ms" "durationMs" "latencyMs" "responseTimeMs" "took_ms" "responseLatency"
        "time_taken_ms" "elapsedMs" "elapsed_time_ms" "duration_millis" "durationMillis" "processing_time_ms"
        "request_duration_ms" "response_ms" "totalTimeMs" "time-taken";
    span(Int::DurationNs, How::Seconds): "duration_s" "latency_s" "duration_seconds" "latency_seconds"
        "elapsed_seconds" "response_time_s";
    span(Int::DurationNs, How::Guess): "request_time" "duration" "latency" "elapsed" "response_time"
        "responseTime" "took" "request_duration" "processing_time" "elapsed_time" "time_taken";
    span(Int::UpstreamDurationNs, How::Millis): "upstream_latency_ms" "upstream_duration_ms"
        "backend_latency_ms" "upstreamLatencyMs" "backendLatency" "backendTime";
    span(Int::UpstreamDurationNs, How::Seconds): "upstream_response_time";
};

/// Where it came from, and what else is known.
const SURROUNDINGS: &[Field] = fields! {
    raw(Raw::Client): "client.address" "client_address" "client.ip" "client_ip" "clientIp" "client_addr"
        "http.client_ip" "remote_addr" "remote_ip" "remoteIp" "remote_address" "remoteAddress" "source.ip"
        "source.address" "source_ip" "sourceIp" "sourceIPAddress" "src_ip" "ip" "ip_address" "peer_ip"
        "net.peer.ip" "network.peer.address" "request.client_ip" "req.remoteAddress" "remoteAddr" "clientAddress" "clientHost"
        "callerIpAddress" "c-ip" "c_ip" "x_real_ip" "x-real-ip" "req.ip" "peer_address" "client" "remote_host";
    int(Int::ClientPort): "client.port" "client_port" "source.port";
    raw(Raw::Forwarded): "x_forwarded_for" "x-forwarded-for" "http_x_forwarded_for" "xff"
        "forwarded_for" "request.headers.x-forwarded-for" "headers.x-forwarded-for"
        "req.headers.x-forwarded-for";
    text(Text::UserAgentOriginal): "user_agent.original" "user_agent_original" "user_agent" "userAgent"
        "user-agent" "http_user_agent" "http.user_agent" "useragent" "ua" "agent"
        "request.headers.user-agent" "headers.user-agent" "request.user_agent" "req.headers.user-agent"
        "cs_user_agent" "http.request.headers.user-agent";
    text(Text::HttpRequestReferrer): "http.request.referrer" "referer" "referrer" "http_referer";
    text(Text::RequestId): "request_id" "requestId" "request-id" "x_request_id" "x-request-id" "req_id"
        "request.id" "correlation_id" "http.request.id" "rid" "headers.x-request-id" "request.headers.x-request-id" "req.id"
        "correlationId" "transaction_id" "transactionId" "x_correlation_id";
    text(Text::TraceId): "trace.id" "trace_id" "traceId";
    text(Text::SpanId): "span.id" "span_id" "spanId";
    raw(Raw::Traceparent): "traceparent" "headers.traceparent" "request.headers.traceparent";
    text(Text::GatewayRoute): "route.name" "route_name" "route.id" "route_id" "route" "gateway_route";
    text(Text::GatewayService): "service.name" "service_name" "service" "gateway_service" "upstream_name";
    text(Text::ApiId): "api_id" "apiId" "api" "api_name";
    text(Text::TenantId): "tenant_id" "tenantId" "tenant" "organization.id" "org_id";
    text(Text::PrincipalName): "principal_name" "display_name" "consumer.name" "user.full_name";
    text(Text::AuthMethod): "auth_method" "auth_type" "auth.method";
    text(Text::PolicyDecision): "policy_decision" "decision";
    text(Text::RpcSystem): "rpc.system" "rpc_system";
    text(Text::RpcMethod): "rpc.method" "rpc_method";
    text(Text::McpMethodName): "mcp.method.name" "mcp_method_name" "mcp_method" "mcp.method";
    raw(Raw::McpMethodHeader): "mcp-method" "headers.mcp-method" "request.headers.mcp-method"
        "request_headers.mcp-method" "req.headers.mcp-method" "http_mcp_method" "x_mcp_method";
    raw(Raw::McpNameHeader): "mcp-name" "headers.mcp-name" "request.headers.mcp-name"
        "request_headers.mcp-name" "req.headers.mcp-name" "http_mcp_name" "x_mcp_name";
    text(Text::McpServer): "mcp.server" "mcp_server";
    text(Text::McpProtocolVersion): "mcp.protocol.version" "mcp_protocol_version";
    text(Text::ToolName): "gen_ai.tool.name" "tool_name" "toolName" "mcp.tool.name" "mcp_tool_name" "tool";
    text(Text::ResourceUri): "mcp.resource.uri" "resource_uri";
    text(Text::AgentId): "gen_ai.agent.id" "agent_id" "agentId" "ai_agent.uid";
    text(Text::AgentName): "gen_ai.agent.name" "agent_name" "ai_agent.name";
    text(Text::GenAiRequestModel): "gen_ai.request.model" "gen_ai_request_model" "llm.request.model"
        "request_model" "llm_model";
    text(Text::GenAiProviderName): "gen_ai.provider.name" "gen_ai.system" "llm_provider";
    int(Int::GenAiUsageInputTokens): "gen_ai.usage.input_tokens" "input_tokens" "prompt_tokens"
        "usage.input_tokens" "usage.prompt_tokens";
    int(Int::GenAiUsageOutputTokens): "gen_ai.usage.output_tokens" "output_tokens" "completion_tokens"
        "usage.output_tokens" "usage.completion_tokens";
    int(Int::RpcErrorCode): "rpc.jsonrpc.error_code" "mcp.error.code" "rpc_error_code";
    raw(Raw::CertificateVerify): "ssl_client_verify" "tls.client_verify" "client_verify";
    text(Text::ActorChain): "actor_chain" "delegation_chain" "delegation_chain.chain";
    raw(Raw::Actor): "act.sub" "jwt.act.sub" "claims.act.sub" "token.act.sub" "acting_as" "impersonator"
        "impersonated_by" "impersonator.sub";
    raw(Raw::EarlierActor): "act.act.sub" "jwt.act.act.sub" "claims.act.act.sub" "token.act.act.sub";
    raw(Raw::EarliestActor): "act.act.act.sub" "jwt.act.act.act.sub" "claims.act.act.act.sub";
    raw(Raw::Issuer): "jwt.iss" "jwt_iss" "claims.iss" "token.iss";
};

/// Who it was, as the log says; nothing of this is known to be verified.
const IDENTITIES: &[Field] = &[
    identity!("generic_json", "jwt.sub", IdSubject, User, Asserted),
    identity!("generic_json", "jwt_sub", IdSubject, User, Asserted),
    identity!("generic_json", "claims.sub", IdSubject, User, Asserted),
    identity!("generic_json", "token.sub", IdSubject, User, Asserted),
    identity!("generic_json", "sub", IdSubject, User, Asserted),
    identity!("generic_json", "subject", IdSubject, User, Asserted),
    identity!("generic_json", "principal_id", IdSubject, User, Asserted),
    identity!("generic_json", "principal", IdSubject, User, Asserted),
    identity!("generic_json", "consumer.id", IdConsumer, Consumer, Asserted),
    identity!("generic_json", "consumer_id", IdConsumer, Consumer, Asserted),
    identity!("generic_json", "consumerId", IdConsumer, Consumer, Asserted),
    identity!("generic_json", "consumer", IdConsumer, Consumer, Asserted),
    identity!("generic_json", "service_account", IdConsumer, Service, Asserted),
    identity!("generic_json", "consumer_username", IdConsumer, Consumer, Asserted),
    identity!("generic_json", "x-consumer-id", IdConsumer, Consumer, Asserted),
    identity!("generic_json", "x_consumer_id", IdConsumer, Consumer, Asserted),
    identity!("generic_json", "customer_id", IdConsumer, Consumer, Asserted),
    identity!("generic_json", "customerId", IdConsumer, Consumer, Asserted),
    identity!("generic_json", "enduser.id", IdConsumer, User, Asserted),
    identity!("generic_json", "user.id", IdConsumer, User, Asserted),
    identity!("generic_json", "user_id", IdConsumer, User, Asserted),
    identity!("generic_json", "userId", IdConsumer, User, Asserted),
    identity!("generic_json", "x-user-id", IdConsumer, User, Asserted),
    identity!("generic_json", "x_user_id", IdConsumer, User, Asserted),
    identity!("generic_json", "uid", IdConsumer, User, Asserted),
    identity!("generic_json", "account_id", IdConsumer, User, Asserted),
    identity!("generic_json", "identity", IdConsumer, User, Asserted),
    identity!("generic_json", "caller", IdConsumer, User, Asserted),
    identity!("generic_json", "actor", IdConsumer, User, Asserted),
    identity!("generic_json", "application_id", IdApplication, Application, Asserted),
    identity!("generic_json", "applicationId", IdApplication, Application, Asserted),
    identity!("generic_json", "application", IdApplication, Application, Asserted),
    identity!("generic_json", "app_id", IdApplication, Application, Asserted),
    identity!("generic_json", "appId", IdApplication, Application, Asserted),
    identity!("generic_json", "credential_id", IdCredential, ApiKey, Asserted),
    identity!("generic_json", "api_key_id", IdCredential, ApiKey, Asserted),
    identity!("generic_json", "apiKeyId", IdCredential, ApiKey, Asserted),
    identity!("generic_json", "key_id", IdCredential, ApiKey, Asserted),
    identity!("generic_json", "api_key", IdCredential, ApiKey, Asserted).secret(),
    identity!("generic_json", "apikey", IdCredential, ApiKey, Asserted).secret(),
    identity!("generic_json", "x-api-key", IdCredential, ApiKey, Asserted).secret(),
    identity!("generic_json", "x_api_key", IdCredential, ApiKey, Asserted).secret(),
    identity!("generic_json", "token", IdCredential, ApiKey, Asserted).secret(),
    identity!("generic_json", "access_token", IdCredential, ApiKey, Asserted).secret(),
    identity!("generic_json", "authorization", IdCredential, ApiKey, Asserted).secret(),
    identity!("generic_json", "headers.x-api-key", IdCredential, ApiKey, Asserted).secret(),
    identity!("generic_json", "headers.authorization", IdCredential, ApiKey, Asserted).secret(),
    identity!("generic_json", "request.headers.x-api-key", IdCredential, ApiKey, Asserted).secret(),
    identity!("generic_json", "request.headers.authorization", IdCredential, ApiKey, Asserted)
        .secret(),
    identity!("generic_json", "client_id", IdClient, Client, Asserted),
    identity!("generic_json", "clientId", IdClient, Client, Asserted),
    identity!("generic_json", "azp", IdClient, Client, Asserted),
    identity!("generic_json", "oauth_client_id", IdClient, Client, Asserted),
    identity!("generic_json", "tls.client.subject", IdCertificate, Mtls, Asserted),
    identity!("generic_json", "tls_client_subject", IdCertificate, Mtls, Asserted),
    identity!("generic_json", "ssl_client_s_dn", IdCertificate, Mtls, Asserted),
    identity!("generic_json", "consumer.username", IdUser, Consumer, Asserted),
    identity!("generic_json", "consumer_name", IdUser, Consumer, Asserted),
    identity!("generic_json", "user.name", IdUser, User, Asserted),
    identity!("generic_json", "user_name", IdUser, User, Asserted),
    identity!("generic_json", "username", IdUser, User, Asserted),
    identity!("generic_json", "user.email", IdUser, User, Asserted),
    identity!("generic_json", "user_email", IdUser, User, Asserted),
    identity!("generic_json", "userEmail", IdUser, User, Asserted),
    identity!("generic_json", "user", IdUser, User, Asserted),
    identity!("generic_json", "remote_user", IdUser, User, Asserted),
    identity!("generic_json", "login", IdUser, User, Asserted),
    identity!("generic_json", "email", IdUser, User, Asserted),
    identity!("generic_json", "session.id", IdSession, Session, Asserted).secret(),
    identity!("generic_json", "session_id", IdSession, Session, Asserted).secret(),
    identity!("generic_json", "sessionId", IdSession, Session, Asserted).secret(),
];

/// What MCP's methods begin with.
const MCP: [&str; 4] = ["notifications/", "prompts/", "resources/", "tools/"];

/// Takes back what a synonym filled with a value of the wrong kind.
fn finish(record: &mut Record<'_>) {
    let method = Slot::Text(Text::HttpRequestMethod);
    if record.text(method).is_some_and(|it| !request::is_method(it)) {
        // A log of tools has MCP's method under the name that others have for HTTP's.
        let tools = Slot::Text(Text::McpMethodName);
        let is_mcp = |it: &str| MCP.iter().any(|begin| it.starts_with(begin));
        if !record.has(tools) && record.text(method).is_some_and(is_mcp) {
            record.copy(method, tools);
        }
        record.forget(method);
    }
    let status = Slot::Int(Int::HttpResponseStatusCode);
    if record.has(status)
        && !record.int(status).is_some_and(|it| it == 0 || (100..600).contains(&it))
    {
        record.forget(status);
    }
    let target = Slot::Raw(Raw::Target);
    if record.text(target).is_some_and(|it| !it.starts_with(['/', '*']) && !it.contains('/')) {
        record.forget(target);
    }
    // A duration in a unit that no name gives: nobody waits ten minutes.
    let duration = Slot::Int(Int::DurationNs);
    if let Some(filled) = record.filled(duration)
        && filled.field.how == How::Guess
    {
        let is_absurd = match filled.value {
            Value::Int(number) => number > 600_000,
            Value::Float(number) => number > 600.0,
            _ => false,
        };
        if is_absurd {
            record.forget(duration);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::GenericJson, line, expected);
    }

    #[test]
    fn flat_dotted_and_nested_names_are_found() {
        let expected = [
            "http_request_method=GET",
            "url_path=/a/7",
            "http_response_status_code=404",
            "client_address=1.2.3.4",
            "endpoint=GET /a/{int}",
        ];
        check(
            r#"{"ts":1773113819.5,"method":"get","path":"/a/7","status":404,"client_ip":"1.2.3.4"}"#,
            &expected,
        );
        check(
            r#"{"@timestamp":"2026-03-10T03:36:59Z","http.request.method":"GET","url.path":"/a/7","http.response.status_code":404,"source.ip":"1.2.3.4"}"#,
            &expected,
        );
        check(
            r#"{"@timestamp":"2026-03-10T03:36:59Z","http":{"request":{"method":"GET"},"response":{"status_code":"404"}},"url":{"path":"/a/7"},"source":{"ip":"1.2.3.4"}}"#,
            &expected,
        );
        check(
            r#"{"Time":"2026-03-10T03:36:59Z","request":{"method":"GET","path":"/a/7"},"response":{"status":404},"client":{"ip":"1.2.3.4"}}"#,
            &expected,
        );
    }

    #[test]
    fn the_unit_of_a_duration_is_in_its_name_or_its_value() {
        let of = |field: &str, ns: &str| {
            let line = format!(r#"{{"time":"2026-03-10T03:36:59Z","status":200,{field}}}"#);
            check(&line, &[&format!("duration_ns={ns}")]);
        };
        of(r#""latency_ms":12.5"#, "12500000");
        of(r#""duration_us":12"#, "12000");
        of(r#""event":{"duration":12}"#, "12");
        of(r#""duration_seconds":0.25"#, "250000000");
        of(r#""latency":12"#, "12000000");
        of(r#""request_time":45"#, "45000000");
        of(r#""request_time":"0.045""#, "45000000");
        of(r#""latency":0.012"#, "12000000");
        of(r#""latency":"0.048180s""#, "48180000");
        of(r#""latency":"512.5µs""#, "512500");
        of(r#""latency":90000000"#, "");
        of(r#""latency_ms":-1"#, "");
    }

    #[test]
    fn who_acts_for_whom_is_one_chain_with_the_caller_first() {
        let of = |fields: &str, chain: &str| {
            check(
                &format!(
                    r#"{{"time":"2026-03-10T03:36:59Z","status":200,"ip":"1.2.3.4",{fields}}}"#
                ),
                &["principal_id=jo", &format!("actor_chain={chain}")],
            );
        };
        of(
            r#""jwt":{"sub":"jo","act":{"sub":"buyer","act":{"sub":"planner","act":{"sub":"desk"}}}}"#,
            "buyer,planner,desk",
        );
        of(r#""sub":"jo","act":{"sub":"anonymous","act":{"sub":"planner"}}"#, "planner");
        of(r#""sub":"jo","act":{"sub":"jo"}"#, "");
        of(r#""user":"jo","delegation_chain":["buyer","planner"]"#, "buyer, planner");
        of(r#""user":"jo","acting_as":"buyer""#, "buyer");
    }

    #[test]
    fn an_identity_is_asserted_and_a_secret_one_is_a_fingerprint() {
        let of = |fields: &str, expected: &[&str]| {
            check(
                &format!(r#"{{"time":"2026-03-10T03:36:59Z","ip":"1.2.3.4",{fields}}}"#),
                expected,
            );
        };
        of(
            r#""status":200,"consumer":"acme","user":"jo""#,
            &[
                "principal_id=acme",
                "principal_type=consumer",
                "principal_source=generic_json.consumer",
            ],
        );
        of(
            r#""status":200,"user_id":12345,"username":"jo""#,
            &["principal_id=12345", "principal_name=jo"],
        );
        of(
            r#""status":200,"user":"anonymous","client_id":"app-1""#,
            &["principal_id=app-1", "principal_type=client", "client_app_id=app-1"],
        );
        of(
            r#""status":401,"user":"jo""#,
            &["principal_id=1.2.3.4", "principal_trust=claimed", "principal_claimed=jo"],
        );
        of(
            r#""status":200,"api_key":"c4n4ry""#,
            &["principal_id=key:8fcacba99bb3a505", "principal_type=api_key"],
        );
        of(r#""status":200,"user":"eyJhbGciOi.J.x""#, &["principal_type=user", "parse_flags=1024"]);
        of(r#""status":200,"email":"jo@example.com""#, &["principal_id=jo@example.com"]);
    }

    #[test]
    fn a_log_of_tools_has_calls_of_them() {
        check(
            r#"{"timestamp":"2026-03-10T03:36:59Z","method":"tools/call","tool":"send","user":"jo","duration_ms":5,"arguments":{"to":"c4n4ry"}}"#,
            &["endpoint=mcp tools/call send", "principal_id=jo", "http_request_method="],
        );
        check(
            r#"{"timestamp":"2026-03-10T03:36:59Z","method":"POST","path":"/mcp","status":200,"mcp-method":"tools/call","mcp-name":"send"}"#,
            &["endpoint=mcp tools/call send", "http_request_method=POST"],
        );
    }

    #[test]
    fn without_a_time_and_a_call_a_record_is_refused() {
        check(r#"{"status":200,"method":"GET","path":"/"}"#, &["reject=no_time"]);
        check(r#"{"time":true,"status":200}"#, &["reject=no_time"]);
        check(
            r#"{"time":"2026-03-10T03:36:59Z","level":"info","msg":"started"}"#,
            &["reject=no_request"],
        );
        check(
            r#"{"time":"2026-03-10T03:36:59Z","status":"active","method":"card","path":"x"}"#,
            &["reject=no_request"],
        );
        check(r#"{"time":99,"status":200}"#, &["reject=time_out_of_range"]);
        check(r#"{"time":"#, &["reject=malformed_json"]);
        check("[]", &["events=0"]);
    }

    #[test]
    fn the_gateway_template_comes_before_our_guess() {
        check(
            r#"{"time":"2026-03-10T03:36:59Z","status":200,"method":"GET","path":"/users/jo/x","http.route":"/users/{name}/x"}"#,
            &[
                "endpoint=GET /users/{name}/x",
                "endpoint_source=route",
                "http_route=/users/{name}/x",
            ],
        );
        check(
            r#"{"time":"2026-03-10T03:36:59Z","status":200,"method":"GET","path":"/users/7","http.route":"/*"}"#,
            &["endpoint=GET /users/{int}", "endpoint_source=lexical"],
        );
    }
}

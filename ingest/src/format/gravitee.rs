//! Gravitee's reporters: JSON of gateways 2 and 3, of 4, and the layout for Elasticsearch.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "gravitee",
    about: "Gravitee gateway metrics of its reporters (JSON and Elasticsearch layouts)",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["proxyResponseTimeMs", "requestId"],
            &["proxyResponseTimeMs", "httpMethod"],
            &["gatewayResponseTimeMs", "requestId"],
            &["gatewayLatencyMs", "requestId"],
            &["entrypointId", "apiId"],
            &["transaction", "gateway", "response-time"],
            &["request-id", "api-id", "gateway"],
            // Bodies and headers, and messages of a subscription: no calls of their own.
            &["clientRequest", "requestId"],
            &["entrypointRequest", "requestId"],
            &["client-request", "gateway"],
            &["entrypoint-request", "gateway"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("type", Raw::Aside),
    Field::raw("timestamp", Raw::Time),
    Field::raw("@timestamp", Raw::Time),
    Field::span("gatewayResponseTimeMs", Int::DurationNs, How::Millis),
    Field::span("proxyResponseTimeMs", Int::DurationNs, How::Millis),
    Field::span("gateway-response-time-ms", Int::DurationNs, How::Millis),
    Field::span("response-time", Int::DurationNs, How::Millis),
    Field::span("endpointResponseTimeMs", Int::UpstreamDurationNs, How::Millis),
    Field::span("apiResponseTimeMs", Int::UpstreamDurationNs, How::Millis),
    Field::span("endpoint-response-time-ms", Int::UpstreamDurationNs, How::Millis),
    Field::span("api-response-time", Int::UpstreamDurationNs, How::Millis),
    Field::text("httpMethod", Text::HttpRequestMethod),
    Field::text("http-method", Text::HttpRequestMethod),
    Field::text("method", Text::HttpRequestMethod),
    Field::raw("uri", Raw::Target),
    Field::text("mappedPath", Text::HttpRoute),
    Field::text("mapped-path", Text::HttpRoute),
    Field::raw("host", Raw::Host),
    Field::int("status", Int::HttpResponseStatusCode),
    // -1 where it is not known.
    Field::int("requestContentLength", Int::HttpRequestBodySize),
    Field::int("request-content-length", Int::HttpRequestBodySize),
    Field::int("responseContentLength", Int::HttpResponseBodySize),
    Field::int("response-content-length", Int::HttpResponseBodySize),
    Field::raw("remoteAddress", Raw::Client),
    Field::raw("remote-address", Raw::Client),
    Field::text("userAgent", Text::UserAgentOriginal),
    Field::text("user-agent", Text::UserAgentOriginal),
    Field::text("requestId", Text::RequestId),
    Field::text("request-id", Text::RequestId),
    Field::text("_id", Text::RequestId),
    Field::text("api", Text::ApiId),
    Field::text("apiId", Text::ApiId),
    Field::text("api-id", Text::ApiId),
    Field::text("apiName", Text::GatewayService),
    Field::text("api-name", Text::GatewayService),
    Field::text("organizationId", Text::TenantId),
    Field::text("org-id", Text::TenantId),
    Field::text("gateway", Text::SourceInstance),
    Field::text("securityType", Text::AuthMethod),
    Field::text("security-type", Text::AuthMethod),
    Field::text("errorKey", Text::PolicyReason),
    Field::text("error-key", Text::PolicyReason),
    Field::text("failure.key", Text::PolicyReason),
    Field::text("additional-metrics.keyword_mcp-proxy_method", Text::McpMethodName),
    Field::text("additional-metrics.keyword_mcp-proxy_tools/call", Text::ToolName),
    Field::text("additional-metrics.keyword_mcp-proxy_prompts/get", Text::ToolName),
    Field::text("additional-metrics.keyword_mcp-proxy_resources/read", Text::ResourceUri),
    Field::text("additional-metrics.keyword_llm-proxy_model", Text::GenAiRequestModel),
    Field::text("additional-metrics.keyword_llm-proxy_provider", Text::GenAiProviderName),
    Field::int("additional-metrics.long_llm-proxy_tokens-sent", Int::GenAiUsageInputTokens),
    Field::int("additional-metrics.long_llm-proxy_tokens-received", Int::GenAiUsageOutputTokens),
    identity!("gravitee", "application", IdApplication, Application, Verified),
    identity!("gravitee", "applicationId", IdApplication, Application, Verified),
    identity!("gravitee", "application-id", IdApplication, Application, Verified),
    // The API key itself.
    identity!("gravitee", "securityToken", IdCredential, ApiKey, Asserted).secret(),
    identity!("gravitee", "security-token", IdCredential, ApiKey, Asserted).secret(),
    identity!("gravitee", "user", IdUser, User, Asserted),
];

/// The methods by the numbers that the Elasticsearch layout has for them.
const METHODS: [&str; 10] =
    ["_OTHER", "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
/// The application of callers without a subscription.
const NOBODY: [&str; 2] = ["1", "-1"];

static METHOD: Field = Field::text("http-method", Text::HttpRequestMethod);

/// Refuses records that are no call of their own, names methods, and forgets the common application.
fn finish(record: &mut Record<'_>) {
    let is_call = record
        .text(Slot::Raw(Raw::Aside))
        .is_none_or(|kind| matches!(kind, "request" | "v4-metrics"));
    if !is_call {
        record.refuse(Reject::NotAccessLog);
    }
    let code = record.text(Slot::Text(Text::HttpRequestMethod));
    let code = code.and_then(|it| it.parse::<usize>().ok());
    if let Some(name) = code.and_then(|it| METHODS.get(it).copied()) {
        record.put(&METHOD, 0, Value::Line(name));
    }
    let application = Slot::Raw(Raw::IdApplication);
    if record.text(application).is_some_and(|it| NOBODY.contains(&it)) {
        record.forget(application);
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Gravitee, line, expected);
    }

    #[test]
    fn the_application_is_the_principal_and_the_key_a_fingerprint() {
        check(
            r#"{"timestamp":1773113819123,"proxyResponseTimeMs":150,"apiResponseTimeMs":144,"requestId":"r-1","api":"a-1","organizationId":"o-1","application":"app-1","remoteAddress":"203.0.113.9","httpMethod":"GET","host":"localhost:8082","uri":"/test?x=1","requestContentLength":0,"responseContentLength":275,"status":200,"endpoint":"https://up.example.com","userAgent":"x","securityType":"API_KEY","securityToken":"c4n4ry"}"#,
            &[
                "duration_ns=150000000",
                "upstream_duration_ns=144000000",
                "principal_id=app-1",
                "principal_type=application",
                "client_app_id=app-1",
                "credential_id=key:8fcacba99bb3a505",
                "http_request_body_size=0",
                "endpoint=GET /test",
                "auth_method=API_KEY",
            ],
        );
    }

    #[test]
    fn the_layout_for_elasticsearch_numbers_methods() {
        check(
            r#"{"type":"v4-metrics","gateway":"gw","@timestamp":"2026-03-10T03:36:59.123Z","request-id":"r-1","api-id":"a-1","application-id":"1","http-method":7,"remote-address":"203.0.113.9","uri":"/t","status":401,"gateway-response-time-ms":144,"endpoint-response-time-ms":-1,"additional-metrics":{"keyword_mcp-proxy_method":"tools/call","keyword_mcp-proxy_tools/call":"send"}}"#,
            &[
                "http_request_method=POST",
                "principal_type=ip",
                "client_app_id=",
                "upstream_duration_ns=",
                "tool_name=send",
                "source_instance=gw",
            ],
        );
        check(
            r#"{"type":"request","gateway":"gw","@timestamp":"2026-03-10T03:36:59.123Z","transaction":"t","method":3,"uri":"/t","status":200,"response-time":12,"remote-address":"203.0.113.9"}"#,
            &["http_request_method=GET", "duration_ns=12000000"],
        );
    }

    #[test]
    fn bodies_and_health_checks_are_no_calls() {
        check(
            r#"{"type":"v4-log","gateway":"gw","@timestamp":"2026-03-10T03:36:59.123Z","request-id":"r-1","api-id":"a-1","entrypoint-request":{"body":"c4n4ry"}}"#,
            &["events=0", "reject=not_access_log"],
        );
        check(
            r#"{"timestamp":1773113819123,"requestId":"r-1","apiId":"a-1","gatewayLatencyMs":0,"operation":"SUBSCRIBE"}"#,
            &["events=0", "reject=no_request"],
        );
    }
}

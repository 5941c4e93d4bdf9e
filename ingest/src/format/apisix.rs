//! Apache APISIX's log plugins in their own layout: `http-logger`, `kafka-logger` and the others.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::Record;
use super::{Format, Reader};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "apisix",
    about: "Apache APISIX logger plugins without a log_format of their own, also as arrays",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        // Kong has `started_at` where APISIX has `start_time`.
        signatures: &[
            &["start_time", "apisix_latency"],
            &["start_time", "upstream_latency", "client_ip", "request"],
            &["start_time", "latency", "request", "response", "server"],
            &["start_time", "client_ip", "request", "response", "route_id"],
            &["start_time", "client_ip", "request", "response", "service_id"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    // Milliseconds; seconds in one release's example. The size of the number says which.
    Field::raw("start_time", Raw::Time),
    Field::span("latency", Int::DurationNs, How::Millis),
    Field::span("upstream_latency", Int::UpstreamDurationNs, How::Millis),
    Field::text("request.method", Text::HttpRequestMethod),
    Field::raw("request.uri", Raw::Target),
    Field::raw("request.url", Raw::Url),
    Field::int("request.size", Int::HttpRequestSize),
    Field::raw("request.headers.host", Raw::Host),
    Field::text("request.headers.user-agent", Text::UserAgentOriginal),
    Field::text("request.headers.referer", Text::HttpRequestReferrer),
    Field::text("request.headers.x-request-id", Text::RequestId),
    Field::raw("request.headers.traceparent", Raw::Traceparent),
    Field::raw("request.headers.x-forwarded-for", Raw::Forwarded),
    Field::raw("request.headers.mcp-method", Raw::McpMethodHeader),
    Field::raw("request.headers.mcp-name", Raw::McpNameHeader),
    Field::text("request.headers.mcp-protocol-version", Text::McpProtocolVersion),
    Field::int("response.status", Int::HttpResponseStatusCode),
    Field::int("response.size", Int::HttpResponseSize),
    Field::text("response.headers.x-request-id", Text::RequestId),
    Field::raw("client_ip", Raw::Client),
    Field::text("route_name", Text::GatewayRoute),
    Field::text("route_id", Text::GatewayRoute),
    Field::text("service_name", Text::GatewayService),
    Field::text("service_id", Text::GatewayService),
    Field::text("server.hostname", Text::SourceInstance),
    Field::text("llm_summary.request_model", Text::GenAiRequestModel),
    Field::text("llm_summary.model", Text::GenAiRequestModel),
    Field::text("llm_summary.provider", Text::GenAiProviderName),
    Field::int("llm_summary.prompt_tokens", Int::GenAiUsageInputTokens),
    Field::int("llm_summary.completion_tokens", Int::GenAiUsageOutputTokens),
    // Only what an authentication plugin found stands here.
    identity!("apisix", "consumer.username", IdConsumer, Consumer, Verified),
];

/// Forgets the service of a call that no route took: the host stands in its place then.
fn finish(record: &mut Record<'_>) {
    if !record.has(Slot::Text(Text::GatewayRoute)) {
        record.forget(Slot::Text(Text::GatewayService));
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"start_time":1773113819123,"client_ip":"203.0.113.9","latency":20.5,"apisix_latency":0.5,"server":{{"hostname":"gw-1","version":"3.9.0"}},"request":{{"method":"POST","uri":"/a/7?x=1","url":"http://api.example.com:9080/a/7?x=1","size":"85","headers":{{"host":"api.example.com:9080","apikey":"c4n4ry","user-agent":"x","mcp-method":"tools/call","mcp-name":"send"}},"body":"c4n4ry"}},"response":{{"status":200,"size":617,"body":"c4n4ry"}},{fields}}}"#
        );
        crate::format::check::check(FormatId::Apisix, &line, expected);
    }

    #[test]
    fn a_call_has_its_consumer_route_and_latencies() {
        check(
            r#""upstream_latency":20,"route_id":"r-1","service_id":"s-1","consumer":{"username":"acme"}"#,
            &[
                "time=2026-03-10T03:36:59.123Z",
                "duration_ns=20500000",
                "upstream_duration_ns=20000000",
                "http_request_size=85",
                "http_response_size=617",
                "url_path=/a/7",
                "server_address=api.example.com",
                "server_port=9080",
                "gateway_route=r-1",
                "gateway_service=s-1",
                "source_instance=gw-1",
                "principal_id=acme",
                "principal_type=consumer",
                "principal_trust=verified",
                "mcp_method_name=tools/call",
                "tool_name=send",
            ],
        );
    }

    #[test]
    fn without_a_route_the_service_is_only_the_host() {
        check(
            r#""service_id":"api.example.com""#,
            &[
                "gateway_route=",
                "gateway_service=",
                "principal_id=203.0.113.9",
                "principal_type=ip",
            ],
        );
    }
}

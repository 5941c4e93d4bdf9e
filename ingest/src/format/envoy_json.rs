//! Envoy's JSON access log, with the names of Envoy Gateway, Istio and Contour.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "envoy_json",
    about: "Envoy, Envoy Gateway and Istio JSON access logs (json_format, typed_json_format)",
    aliases: &["envoy_gateway", "istio_json"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["start_time", ":authority"],
            &["start_time", "response_flags"],
            &["start_time", "response_code", "x-request-id"],
            &["start_time", "x-envoy-origin-path"],
            &["start_time", "x-envoy-upstream-service-time"],
            &["start_time", "downstream_remote_address"],
            &["start_time", "upstream_cluster"],
            // Contour has another name for the time.
            &["@timestamp", "response_flags", "upstream_cluster"],
            &["response_flags", "response_code", "downstream_remote_address"],
            &["response_flags", "response_code", "upstream_host"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: true,
};

static FIELDS: &[Field] = &[
    Field::raw("start_time", Raw::Time),
    Field::raw("@timestamp", Raw::Time),
    Field::raw("timestamp", Raw::Time),
    Field::raw("time", Raw::Time),
    Field::span("duration", Int::DurationNs, How::Millis),
    Field::span("x-envoy-upstream-service-time", Int::UpstreamDurationNs, How::Millis),
    Field::span("x_envoy_upstream_service_time", Int::UpstreamDurationNs, How::Millis),
    Field::span("upstream_service_time", Int::UpstreamDurationNs, How::Millis),
    Field::text("method", Text::HttpRequestMethod),
    Field::text(":method", Text::HttpRequestMethod),
    Field::text("request_method", Text::HttpRequestMethod),
    // The path before the route rewrote it.
    Field::raw("x-envoy-origin-path", Raw::Target),
    Field::raw("x-envoy-original-path", Raw::Target),
    Field::raw("path", Raw::Target),
    Field::raw(":path", Raw::Target),
    Field::raw("request_path", Raw::Target),
    Field::raw("x_envoy_original_path", Raw::Target),
    Field::raw("x_envoy_origin_path", Raw::Target),
    Field::raw("protocol", Raw::Protocol),
    Field::int("response_code", Int::HttpResponseStatusCode),
    Field::raw("response_flags", Raw::ResponseFlags),
    Field::int("bytes_received", Int::HttpRequestBodySize),
    Field::int("bytes_sent", Int::HttpResponseBodySize),
    Field::raw("x-forwarded-for", Raw::Forwarded),
    Field::raw("x_forwarded_for", Raw::Forwarded),
    Field::raw("downstream_remote_address", Raw::Client),
    Field::raw("downstream_remote_address_without_port", Raw::Client),
    Field::raw("downstream_direct_remote_address", Raw::Client),
    Field::text("user-agent", Text::UserAgentOriginal),
    Field::text("user_agent", Text::UserAgentOriginal),
    Field::text("x-request-id", Text::RequestId),
    Field::text("x_request_id", Text::RequestId),
    Field::text("request_id", Text::RequestId),
    Field::raw("traceparent", Raw::Traceparent),
    Field::text("referer", Text::HttpRequestReferrer),
    Field::raw(":authority", Raw::Host),
    Field::raw("authority", Raw::Host),
    Field::raw("requested_server_name", Raw::Host),
    Field::text("route_name", Text::GatewayRoute),
    Field::text("upstream_cluster", Text::GatewayService),
    Field::raw("mcp-method", Raw::McpMethodHeader),
    Field::raw("mcp-name", Raw::McpNameHeader),
    Field::text("mcp-protocol-version", Text::McpProtocolVersion),
    // What filters of Envoy AI Gateway read in the body.
    Field::text("mcp_method", Text::McpMethodName),
    Field::text("mcp_tool_name", Text::ToolName),
    Field::text("mcp_backend", Text::McpServer),
    Field::text("gen_ai.request.model", Text::GenAiRequestModel),
    Field::text("genai_model_name", Text::GenAiRequestModel),
    Field::text("gen_ai.provider.name", Text::GenAiProviderName),
    Field::text("genai_backend_name", Text::GenAiProviderName),
    Field::int("gen_ai.usage.input_tokens", Int::GenAiUsageInputTokens),
    Field::int("genai_tokens_input", Int::GenAiUsageInputTokens),
    Field::int("gen_ai.usage.output_tokens", Int::GenAiUsageOutputTokens),
    Field::int("genai_tokens_output", Int::GenAiUsageOutputTokens),
    identity!("envoy_json", "jwt_sub", IdSubject, User, Verified),
    identity!("envoy_json", "jwt_payload_sub", IdSubject, User, Verified),
    identity!("envoy_json", "jwt.sub", IdSubject, User, Verified),
    identity!("envoy_json", "jwt_payload.sub", IdSubject, User, Verified),
    Field::raw("jwt_iss", Raw::Issuer),
    Field::raw("jwt.iss", Raw::Issuer),
    Field::raw("jwt_payload.iss", Raw::Issuer),
    Field::raw("jwt.act.sub", Raw::Actor),
    Field::raw("jwt_payload.act.sub", Raw::Actor),
    identity!("envoy_json", "jwt_azp", IdClient, Client, Verified),
    identity!("envoy_json", "jwt_client_id", IdClient, Client, Verified),
    identity!("envoy_json", "x-consumer-id", IdConsumer, Consumer, Asserted),
    identity!("envoy_json", "x-user-id", IdUser, User, Asserted),
    identity!("envoy_json", "downstream_peer_subject", IdCertificate, Mtls, Asserted),
    identity!("envoy_json", "downstream_peer_uri_san", IdCertificate, Mtls, Asserted),
    identity!("envoy_json", "source_principal", IdCertificate, Mtls, Asserted),
];

static DIRECTION: Field = Field::text("upstream_cluster", Text::GatewayDirection);

/// In a mesh the cluster's name tells whose proxy logged: the caller's or the callee's.
fn finish(record: &mut Record<'_>) {
    let cluster = record.text(Slot::Text(Text::GatewayService)).unwrap_or("");
    let direction = match cluster.split_once('|') {
        Some(("outbound", _)) => "outbound",
        Some(("inbound", _)) => "inbound",
        _ => return,
    };
    record.put(&DIRECTION, 0, Value::Line(direction));
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;
    use crate::format::check::check;

    #[test]
    fn strings_numbers_and_nulls_are_all_read() {
        check(
            FormatId::EnvoyJson,
            r#"{"start_time":"2026-02-10T08:11:12.345Z","method":"GET","x-envoy-origin-path":"/v1/users/42?a=1","path":"/users/42","protocol":"HTTP/2","response_code":"403","response_flags":null,"bytes_received":"-","bytes_sent":512,"duration":"15","x-forwarded-for":"198.51.100.7:1234, 10.42.0.1",":authority":"api.example.com","downstream_remote_address":"10.42.0.1:54321","jwt_sub":"user-77","jwt_iss":"https://id.example.com"}"#,
            &[
                "url_path=/v1/users/42",
                "http_response_status_code=403",
                "http_request_body_size=",
                "http_response_body_size=512",
                "duration_ns=15000000",
                "client_address=198.51.100.7",
                "network_peer_address=10.42.0.1",
                "principal_id=https://id.example.com|user-77",
                "principal_trust=verified",
                "principal_source=envoy_json.jwt_sub",
            ],
        );
    }

    #[test]
    fn a_caller_does_not_choose_its_address() {
        let of = |list: &str, peer: &str, expected: &str| {
            let line = format!(
                r#"{{"start_time":"2026-02-10T08:11:12Z","response_code":200,"response_flags":"-","x-forwarded-for":"{list}","downstream_remote_address":"{peer}"}}"#
            );
            check(FormatId::EnvoyJson, &line, &[&format!("client_address={expected}")]);
        };
        of("9.9.9.9", "203.0.113.9:5000", "203.0.113.9");
        of("9.9.9.9, 198.51.100.7, 10.0.0.2", "10.0.0.1:5000", "198.51.100.7");
        of("10.1.1.1", "10.0.0.1:5000", "10.1.1.1");
    }

    #[test]
    fn a_mesh_tells_which_proxy_logged() {
        check(
            FormatId::EnvoyJson,
            r#"{"start_time":"2026-02-10T08:11:12.345Z","method":"GET","path":"/status/418","protocol":"HTTP/1.1","response_code":418,"response_flags":"-","bytes_received":0,"bytes_sent":135,"duration":4,"upstream_service_time":"3","x_forwarded_for":null,"user_agent":"curl","request_id":"r-1","authority":"httpbin:8000","upstream_host":"10.44.1.27:80","upstream_cluster":"outbound|8000||httpbin.foo.svc.cluster.local","downstream_remote_address":"10.44.1.23:46520","route_name":"default"}"#,
            &[
                "gateway_direction=outbound",
                "client_address=10.44.1.23",
                "client_port=46520",
                "upstream_duration_ns=3000000",
                "server_address=httpbin",
                "request_id=r-1",
            ],
        );
    }

    #[test]
    fn a_verified_subject_keeps_its_name_when_it_is_refused() {
        check(
            FormatId::EnvoyJson,
            r#"{"start_time":"2026-02-10T08:11:12Z","response_code":401,"jwt_sub":"u","x-forwarded-for":"198.51.100.7"}"#,
            &["principal_id=u", "principal_trust=verified"],
        );
        check(
            FormatId::EnvoyJson,
            r#"{"start_time":"2026-02-10T08:11:12Z","response_code":401,"x-user-id":"u","x-forwarded-for":"198.51.100.7"}"#,
            &["principal_id=198.51.100.7", "principal_trust=claimed", "principal_claimed=u"],
        );
    }
}

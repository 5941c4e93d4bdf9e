//! Envoy's and Envoy Gateway's JSON access log.

use super::field::{Field, How, Raw, identity};
use super::{Format, Reader, nothing};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "envoy_json",
    about: "Envoy and Envoy Gateway JSON access logs (json_format, typed_json_format)",
    aliases: &["envoy_gateway"],
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
        ],
        finish: nothing,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: true,
};

static FIELDS: &[Field] = &[
    Field::raw("start_time", Raw::Time),
    Field::span("duration", Int::DurationNs, How::Millis),
    Field::span("x-envoy-upstream-service-time", Int::UpstreamDurationNs, How::Millis),
    Field::span("upstream_service_time", Int::UpstreamDurationNs, How::Millis),
    Field::text("method", Text::HttpRequestMethod),
    Field::text(":method", Text::HttpRequestMethod),
    // The path before the route rewrote it.
    Field::raw("x-envoy-origin-path", Raw::Target),
    Field::raw("x-envoy-original-path", Raw::Target),
    Field::raw("path", Raw::Target),
    Field::raw(":path", Raw::Target),
    Field::raw("protocol", Raw::Protocol),
    Field::int("response_code", Int::HttpResponseStatusCode),
    Field::raw("response_flags", Raw::ResponseFlags),
    Field::int("bytes_received", Int::HttpRequestBodySize),
    Field::int("bytes_sent", Int::HttpResponseBodySize),
    Field::raw("x-forwarded-for", Raw::Forwarded),
    Field::raw("x_forwarded_for", Raw::Forwarded),
    Field::raw("downstream_remote_address", Raw::Client),
    Field::text("user-agent", Text::UserAgentOriginal),
    Field::text("user_agent", Text::UserAgentOriginal),
    Field::text("x-request-id", Text::RequestId),
    Field::text("request_id", Text::RequestId),
    Field::raw("traceparent", Raw::Traceparent),
    Field::text("referer", Text::HttpRequestReferrer),
    Field::raw(":authority", Raw::Host),
    Field::raw("authority", Raw::Host),
    Field::text("route_name", Text::GatewayRoute),
    Field::text("upstream_cluster", Text::GatewayService),
    Field::text("mcp-method", Text::McpMethodName),
    Field::text("mcp-name", Text::ToolName),
    Field::text("mcp-protocol-version", Text::McpProtocolVersion),
    identity!("envoy_json", "jwt_sub", IdSubject, User, Verified),
    identity!("envoy_json", "jwt_payload_sub", IdSubject, User, Verified),
    Field::raw("jwt_iss", Raw::Issuer),
    identity!("envoy_json", "jwt_azp", IdClient, Client, Verified),
    identity!("envoy_json", "jwt_client_id", IdClient, Client, Verified),
    identity!("envoy_json", "x-consumer-id", IdConsumer, Consumer, Asserted),
    identity!("envoy_json", "x-user-id", IdUser, User, Asserted),
    identity!("envoy_json", "downstream_peer_subject", IdCertificate, Mtls, Asserted),
    identity!("envoy_json", "downstream_peer_uri_san", IdCertificate, Mtls, Asserted),
];

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

//! NGINX with a JSON template: variables by their own names, often all as strings.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "nginx_json",
    about: "NGINX access logs in JSON, with or without escape=json",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["remote_addr", "request"],
            &["remote_addr", "request_uri"],
            &["remote_addr", "status", "request_time"],
            &["remote_addr", "body_bytes_sent"],
            &["remote_addr", "request_method"],
            &["remote_addr", "http_user_agent"],
        ],
        finish,
        mends: true,
    },
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    // Milliseconds before seconds.
    Field::raw("msec", Raw::Time),
    Field::raw("time_iso8601", Raw::Time),
    Field::raw("time", Raw::Time),
    Field::raw("timestamp", Raw::Time),
    Field::raw("@timestamp", Raw::Time),
    Field::raw("time_local", Raw::Time),
    Field::raw("ts", Raw::Time),
    Field::raw("date", Raw::Time),
    Field::span("request_time", Int::DurationNs, How::Seconds),
    // No variable of NGINX: whoever writes it this way may mean milliseconds.
    Field::span("duration", Int::DurationNs, How::Guess),
    Field::span("upstream_response_time", Int::UpstreamDurationNs, How::Seconds),
    Field::text("request_method", Text::HttpRequestMethod),
    Field::text("method", Text::HttpRequestMethod),
    Field::raw("request_uri", Raw::Target),
    Field::raw("request", Raw::RequestLine),
    Field::raw("uri", Raw::Target),
    // The template that ingress-nginx documents has names of its own.
    Field::raw("path", Raw::Target),
    Field::raw("url", Raw::Target),
    Field::raw("server_protocol", Raw::Protocol),
    Field::raw("request_proto", Raw::Protocol),
    Field::raw("protocol", Raw::Protocol),
    Field::text("args", Text::UrlQuery),
    Field::text("query_string", Text::UrlQuery),
    Field::text("request_query", Text::UrlQuery),
    Field::text("scheme", Text::UrlScheme),
    Field::int("status", Int::HttpResponseStatusCode),
    Field::int("response_status", Int::HttpResponseStatusCode),
    Field::int("upstream_status", Int::UpstreamStatusCode),
    Field::int("body_bytes_sent", Int::HttpResponseBodySize),
    Field::int("bytes_sent", Int::HttpResponseSize),
    Field::int("request_length", Int::HttpRequestSize),
    Field::int("content_length", Int::HttpRequestBodySize),
    Field::raw("remote_addr", Raw::Client),
    Field::int("remote_port", Int::ClientPort),
    Field::raw("http_x_forwarded_for", Raw::Forwarded),
    Field::raw("proxy_add_x_forwarded_for", Raw::Forwarded),
    Field::raw("x_forwarded_for", Raw::Forwarded),
    Field::raw("http_x_real_ip", Raw::Forwarded),
    Field::text("http_referer", Text::HttpRequestReferrer),
    Field::text("http_referrer", Text::HttpRequestReferrer),
    Field::text("http_user_agent", Text::UserAgentOriginal),
    Field::text("user_agent", Text::UserAgentOriginal),
    Field::raw("http_host", Raw::Host),
    Field::raw("host", Raw::Host),
    Field::raw("vhost", Raw::Host),
    Field::raw("server_name", Raw::Host),
    Field::int("server_port", Int::ServerPort),
    Field::text("request_id", Text::RequestId),
    Field::text("req_id", Text::RequestId),
    Field::text("http_x_request_id", Text::RequestId),
    Field::raw("http_traceparent", Raw::Traceparent),
    Field::text("proxy_upstream_name", Text::GatewayService),
    Field::text("upstream_name", Text::GatewayService),
    Field::text("ingress_name", Text::GatewayRoute),
    Field::text("service_name", Text::GatewayService),
    Field::text("hostname", Text::SourceInstance),
    Field::raw("http_mcp_method", Raw::McpMethodHeader),
    Field::raw("http_mcp_name", Raw::McpNameHeader),
    Field::text("http_mcp_protocol_version", Text::McpProtocolVersion),
    Field::raw("ssl_client_verify", Raw::CertificateVerify),
    identity!("nginx_json", "jwt_claim_sub", IdSubject, User, Verified),
    Field::raw("jwt_claim_iss", Raw::Issuer),
    Field::raw("jwt_claim_act_sub", Raw::Actor),
    identity!("nginx_json", "http_x_consumer_id", IdConsumer, Consumer, Asserted),
    identity!("nginx_json", "http_x_consumer_username", IdConsumer, Consumer, Asserted),
    identity!("nginx_json", "consumer_id", IdConsumer, Consumer, Asserted),
    identity!("nginx_json", "http_x_api_key", IdCredential, ApiKey, Asserted).secret(),
    identity!("nginx_json", "http_apikey", IdCredential, ApiKey, Asserted).secret(),
    identity!("nginx_json", "jwt_claim_azp", IdClient, Client, Verified),
    identity!("nginx_json", "jwt_claim_client_id", IdClient, Client, Verified),
    identity!("nginx_json", "ssl_client_s_dn", IdCertificate, Mtls, Asserted),
    identity!("nginx_json", "http_x_user_id", IdUser, User, Asserted),
    identity!("nginx_json", "user_id", IdUser, User, Asserted),
    identity!("nginx_json", "remote_user", IdUser, User, Asserted),
];

static KIND: Field = Field::raw("duration", Raw::TimeKind);

/// A duration whose unit is guessed does not move the time.
fn finish(record: &mut Record<'_>) {
    let duration = record.filled(Slot::Int(Int::DurationNs));
    if duration.is_some_and(|it| it.field.how == How::Guess) {
        record.put(&KIND, 0, Value::Line("end"));
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let line = format!(r#"{{"msec":"1773113819.123","remote_addr":"1.2.3.4",{fields}}}"#);
        crate::format::check::check(FormatId::NginxJson, &line, expected);
    }

    #[test]
    fn the_last_try_counts_of_a_list() {
        check(
            r#""request":"GET /a HTTP/1.1","status":"200","request_time":"0.045","upstream_response_time":"0.010, 0.034","upstream_status":"502, 200 : 200, 201""#,
            &[
                "time=2026-03-10T03:36:59.078Z",
                "time_kind=end_minus_duration",
                "upstream_duration_ns=34000000",
                "upstream_status_code=201",
                "parse_flags=64",
            ],
        );
    }

    #[test]
    fn a_duration_that_is_no_variable_has_the_unit_that_it_looks_like() {
        for (duration, ns) in [("45", "45000000"), ("\"0.045\"", "45000000")] {
            check(
                &format!(r#""status":200,"duration":{duration}"#),
                &["time=2026-03-10T03:36:59.123Z", "time_kind=end", &format!("duration_ns={ns}")],
            );
        }
    }

    #[test]
    fn a_certificate_counts_only_when_it_was_verified() {
        let subject = r#""status":200,"ssl_client_s_dn":"CN=svc","#;
        check(
            &format!(r#"{subject}"ssl_client_verify":"SUCCESS""#),
            &["principal_id=CN=svc", "principal_type=mtls", "principal_trust=verified"],
        );
        check(
            &format!(r#"{subject}"ssl_client_verify":"FAILED:expired""#),
            &["principal_id=1.2.3.4", "tls_client_subject=CN=svc"],
        );
    }

    #[test]
    fn a_header_does_not_hide_a_verified_certificate() {
        let of = |verify: &str, expected: &[&str]| {
            check(
                &format!(
                    r#""status":200,"http_x_consumer_id":"admin","ssl_client_s_dn":"CN=svc","ssl_client_verify":"{verify}""#
                ),
                expected,
            );
        };
        of("SUCCESS", &["principal_id=CN=svc", "principal_trust=verified"]);
        of("NONE", &["principal_id=admin", "principal_trust=asserted"]);
    }

    #[test]
    fn an_api_key_is_kept_as_its_fingerprint_only() {
        check(
            r#""status":200,"http_x_api_key":"c4n4ry""#,
            &[
                "principal_id=key:8fcacba99bb3a505",
                "credential_id=key:8fcacba99bb3a505",
                "principal_type=api_key",
            ],
        );
    }

    #[test]
    fn broken_templates_are_mended() {
        check(r#""request":"\x16\x03\x01\xc3\xa9","status":"400","upstream_response_time":,"request_time":}"#.trim_end_matches('}'), &[
            "http_response_status_code=400",
            "parse_flags=20",
        ]);
        check(
            r#""request":"GET /caf\xC3\xA9 HTTP/1.1","status":"200""#,
            &["url_path=/café", "parse_flags=16"],
        );
        check(r#""request":"GET / HTTP/1.1","status":"200",,"#, &["reject=malformed_json"]);
    }
}

//! Caddy's access log: one JSON object per request, of all versions since 2.0.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "caddy",
    about: "Caddy access logs in JSON",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["logger", "ts", "request"],
            &["request", "resp_headers", "duration"],
            &["request", "resp_headers", "status"],
            &["request", "bytes_read", "status"],
            &["request", "common_log"],
        ],
        finish,
        mends: false,
    },
    // Caddy logs when the response is done.
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("logger", Raw::Aside),
    Field::raw("ts", Raw::Time),
    // An encoder may rename it (`time_key`).
    Field::raw("@timestamp", Raw::Time),
    Field::raw("timestamp", Raw::Time),
    Field::raw("time", Raw::Time),
    Field::span("duration", Int::DurationNs, How::Seconds),
    Field::int("status", Int::HttpResponseStatusCode),
    Field::int("size", Int::HttpResponseBodySize),
    Field::int("bytes_read", Int::HttpRequestBodySize),
    Field::text("request.method", Text::HttpRequestMethod),
    Field::raw("request.uri", Raw::Target),
    Field::raw("request.proto", Raw::Protocol),
    Field::raw("request.host", Raw::Host),
    // Behind trusted proxies the client is another one than the peer (2.7 and later).
    Field::raw("request.client_ip", Raw::Client),
    Field::raw("request.remote_ip", Raw::Client),
    // Up to 2.4: with the port.
    Field::raw("request.remote_addr", Raw::Client),
    Field::raw("request.headers.X-Forwarded-For", Raw::Forwarded),
    Field::text("request.headers.User-Agent", Text::UserAgentOriginal),
    Field::text("request.headers.Referer", Text::HttpRequestReferrer),
    Field::text("request.headers.X-Request-Id", Text::RequestId),
    Field::raw("request.headers.Traceparent", Raw::Traceparent),
    Field::raw("request.headers.Mcp-Method", Raw::McpMethodHeader),
    Field::raw("request.headers.Mcp-Name", Raw::McpNameHeader),
    Field::text("request.headers.Mcp-Protocol-Version", Text::McpProtocolVersion),
    Field::text("traceID", Text::TraceId),
    Field::text("spanID", Text::SpanId),
    identity!("caddy", "user_id", IdConsumer, User, Asserted),
    // The mode `request` asks for a certificate and does not verify it.
    identity!("caddy", "request.tls.client_common_name", IdCertificate, Mtls, Asserted),
];

/// A whole number of this many seconds at least is one of nanoseconds: `duration_format nano`.
const SECONDS_MAX: i64 = 3_600;

static NANOSECONDS: Field = Field::span("duration", Int::DurationNs, How::Nanos);

/// Refuses the lines that are about a request beside its access line, and settles the duration's unit.
fn finish(record: &mut Record<'_>) {
    match record.text(Slot::Raw(Raw::Aside)) {
        Some(logger) if logger.starts_with("http.log.error") => record.refuse(Reject::Repeated),
        Some(logger) if logger.starts_with("http.log.") => {}
        Some(logger) if logger.starts_with("http.") => record.refuse(Reject::NotAccessLog),
        _ => {}
    }
    let duration = record.filled(Slot::Int(Int::DurationNs)).map(|it| it.value);
    if let Some(Value::Int(number)) = duration
        && number > SECONDS_MAX
    {
        record.put(&NANOSECONDS, 0, Value::Int(number));
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(fields: &str, request: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"level":"info",{fields},"msg":"handled request","request":{{"proto":"HTTP/2.0","method":"GET","host":"api.example.com:8443","uri":"/a/7?x=1","headers":{{"User-Agent":["curl/8"],"Cookie":["c4n4ry"],"X-Forwarded-For":["198.51.100.7"]}},{request}}},"bytes_read":12,"size":99,"status":200,"resp_headers":{{"Set-Cookie":["c4n4ry"]}}}}"#
        );
        crate::format::check::check(FormatId::Caddy, &line, expected);
    }

    #[test]
    fn headers_are_lists_and_times_are_seconds() {
        check(
            r#""logger":"http.log.access.log0","ts":1773113819.5,"duration":0.25,"user_id":"jo""#,
            r#""remote_ip":"10.0.0.1","remote_port":"4711","client_ip":"203.0.113.9""#,
            &[
                "time=2026-03-10T03:36:59.250Z",
                "time_kind=end_minus_duration",
                "duration_ns=250000000",
                "user_agent_original=curl/8",
                "client_address=203.0.113.9",
                "http_request_body_size=12",
                "http_response_body_size=99",
                "server_address=api.example.com",
                "network_protocol_version=2",
                "principal_id=jo",
                "principal_type=user",
            ],
        );
    }

    #[test]
    fn options_and_old_versions_change_the_types() {
        let duration = |duration: &str, expected: &str| {
            check(
                &format!(
                    r#""logger":"http.log.access","ts":"2026-03-10T03:36:59.5Z","duration":{duration}"#
                ),
                r#""remote_addr":"203.0.113.9:4711""#,
                &[
                    &format!("duration_ns={expected}"),
                    "client_address=203.0.113.9",
                    "client_port=4711",
                ],
            );
        };
        duration("\"1.5ms\"", "1500000");
        duration("\"1m2.5s\"", "62500000000");
        duration("929675", "929675");
        duration("2", "2000000000");
        check(
            r#""logger":"http.log.access","ts":"2026/03/10 03:36:59.500","duration":0"#,
            r#""remote_ip":"203.0.113.9""#,
            &["time=2026-03-10T03:36:59.500Z", "parse_flags=128"],
        );
        check(
            r#""logger":"http.log.access","ts":"10/Mar/2026:03:36:59 +0000","duration":0"#,
            r#""remote_ip":"203.0.113.9""#,
            &["time=2026-03-10T03:36:59Z"],
        );
    }

    #[test]
    fn an_error_line_repeats_a_request_that_has_its_access_line() {
        check(
            r#""logger":"http.log.error.log0","ts":1773113819.5,"duration":0.25"#,
            r#""remote_ip":"203.0.113.9""#,
            &["events=0", "reject=repeated"],
        );
        check(
            r#""logger":"http.handlers.reverse_proxy","ts":1773113819.5,"duration":0.25"#,
            r#""remote_ip":"203.0.113.9""#,
            &["events=0", "reject=not_access_log"],
        );
    }
}

//! CloudFront logs in JSON: standard logging (v2) and real-time logs, by the names of their columns.

use super::field::{Field, How, Raw, Slot};
use super::record::Record;
use super::{Format, Reader, request};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "aws_cloudfront_json",
    about: "Amazon CloudFront standard (v2) and real-time logs in JSON",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        // IIS has `cs-` and `sc-` too; `x-edge-` is CloudFront's alone.
        signatures: &[
            &["x-edge-location", "sc-status"],
            &["x-edge-request-id", "sc-status"],
            &["x-edge-result-type", "cs-method"],
            &["x-edge-request-id", "cs-uri-stem"],
            &["x-edge-response-result-type", "sc-status"],
            &["x_edge_location", "sc_status"],
            &["x_edge_request_id", "sc_status"],
            &["x_edge_request_id", "cs_uri_stem"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("timestamp(ms)", Raw::Time),
    Field::raw("timestamp", Raw::Time),
    Field::raw("date", Raw::Aside),
    Field::raw("time", Raw::AsideToo),
    Field::span("time-taken", Int::DurationNs, How::Seconds),
    Field::span("time_taken", Int::DurationNs, How::Seconds),
    // To the last byte, then to the first.
    Field::span("origin-lbl", Int::UpstreamDurationNs, How::Seconds),
    Field::span("origin_lbl", Int::UpstreamDurationNs, How::Seconds),
    Field::span("origin-fbl", Int::UpstreamDurationNs, How::Seconds),
    Field::span("origin_fbl", Int::UpstreamDurationNs, How::Seconds),
    Field::text("cs-method", Text::HttpRequestMethod),
    Field::text("cs_method", Text::HttpRequestMethod),
    Field::raw("cs-uri-stem", Raw::Target),
    Field::raw("cs_uri_stem", Raw::Target),
    Field::text("cs-uri-query", Text::UrlQuery),
    Field::text("cs_uri_query", Text::UrlQuery),
    Field::raw("cs-protocol-version", Raw::Protocol),
    Field::raw("cs_protocol_version", Raw::Protocol),
    Field::text("cs-protocol", Text::UrlScheme),
    Field::text("cs_protocol", Text::UrlScheme),
    // What the viewer asked for, before the name of the distribution.
    Field::raw("x-host-header", Raw::Host),
    Field::raw("x_host_header", Raw::Host),
    Field::raw("cs(Host)", Raw::Host),
    Field::raw("cs-host", Raw::Host),
    Field::raw("cs_host", Raw::Host),
    Field::int("sc-status", Int::HttpResponseStatusCode),
    Field::int("sc_status", Int::HttpResponseStatusCode),
    Field::int("sc-bytes", Int::HttpResponseSize),
    Field::int("sc_bytes", Int::HttpResponseSize),
    Field::int("cs-bytes", Int::HttpRequestSize),
    Field::int("cs_bytes", Int::HttpRequestSize),
    Field::raw("c-ip", Raw::Client),
    Field::raw("c_ip", Raw::Client),
    Field::int("c-port", Int::ClientPort),
    Field::int("c_port", Int::ClientPort),
    Field::raw("x-forwarded-for", Raw::Forwarded),
    Field::raw("x_forwarded_for", Raw::Forwarded),
    Field::text("cs(User-Agent)", Text::UserAgentOriginal),
    Field::text("cs-user-agent", Text::UserAgentOriginal),
    Field::text("cs_user_agent", Text::UserAgentOriginal),
    Field::text("cs(Referer)", Text::HttpRequestReferrer),
    Field::text("cs-referer", Text::HttpRequestReferrer),
    Field::text("cs_referer", Text::HttpRequestReferrer),
    Field::text("x-edge-request-id", Text::RequestId),
    Field::text("x_edge_request_id", Text::RequestId),
    Field::text("cache-behavior-path-pattern", Text::GatewayRoute),
    Field::text("cache_behavior_path_pattern", Text::GatewayRoute),
    Field::text("distribution-tenant-id", Text::GatewayService),
    Field::text("primary-distribution-id", Text::GatewayService),
    Field::text("DistributionId", Text::GatewayService),
    Field::text("x-edge-location", Text::SourceInstance),
    Field::text("x_edge_location", Text::SourceInstance),
];

static TIME: Field = Field::raw("date, time", Raw::Time);
static AGENT: Field = Field::text("cs(User-Agent)", Text::UserAgentOriginal);

/// Joins date and time of day, which are UTC, and takes the escapes out of the user agent.
fn finish(record: &mut Record<'_>) {
    let part = |raw| record.text(Slot::Raw(raw));
    if let (false, Some(date), Some(time)) =
        (record.has(Slot::Raw(Raw::Time)), part(Raw::Aside), part(Raw::AsideToo))
    {
        let joined = format!("{date}T{time}Z");
        record.put_copied(&TIME, 0, &joined);
    }
    let agent = record.text(Slot::Text(Text::UserAgentOriginal)).filter(|it| it.contains('%'));
    if let Some(agent) = agent.map(request::unescape) {
        record.put_copied(&AGENT, 0, &agent);
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::AwsCloudfrontJson, line, expected);
    }

    #[test]
    fn date_and_time_are_the_end_and_sizes_have_headers() {
        check(
            r#"{"date":"2026-03-10","time":"03:36:59","x-edge-location":"SEA19-C1","sc-bytes":"1045619","c-ip":"192.0.2.183","cs-method":"GET","cs(Host)":"d111111abcdef8.cloudfront.net","cs-uri-stem":"/users/7/p%20q","sc-status":"200","cs(Referer)":"-","cs(User-Agent)":"Mozilla/5.0%20(X11)","cs-uri-query":"token=abc","x-edge-request-id":"R=","x-host-header":"www.example.com","cs-protocol":"https","cs-bytes":"23","time-taken":"0.500","x-forwarded-for":"-","cs-protocol-version":"HTTP/2.0","c-port":"1406"}"#,
            &[
                "time=2026-03-10T03:36:58.500Z",
                "time_kind=end_minus_duration",
                "duration_ns=500000000",
                "url_path=/users/7/p q",
                "url_query=token=REDACTED",
                "url_scheme=https",
                "server_address=www.example.com",
                "http_request_size=23",
                "http_response_size=1045619",
                "user_agent_original=Mozilla/5.0 (X11)",
                "network_protocol_version=2",
                "client_port=1406",
            ],
        );
    }

    #[test]
    fn a_real_time_log_has_an_epoch_and_a_viewer_may_leave() {
        check(
            r#"{"timestamp":"1773113819.123","c-ip":"2001:db8::1","sc-status":"000","cs-method":"GET","cs-uri-stem":"/","x-edge-location":"LHR5","time-taken":"-"}"#,
            &[
                "time=2026-03-10T03:36:59.123Z",
                "time_kind=end",
                "http_response_status_code=",
                "parse_flags=32",
                "client_address=2001:db8::1",
            ],
        );
    }
}

//! Fastly's JSON templates: the recommended log format and the one with timings and sizes.

use super::field::{Field, How, Raw, identity};
use super::{Format, Reader, nothing};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "fastly_json",
    about: "Fastly real-time logs in its JSON templates",
    aliases: &["fastly"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["fastly_server"],
            &["fastly_is_edge"],
            &["fastly_info_state"],
            &["response_state", "response_status"],
            &["time_elapsed", "cache_status", "client_ip"],
            &[
                "client_ip",
                "request_protocol",
                "request_user_agent",
                "response_status",
                "response_body_size",
            ],
        ],
        finish: nothing,
        mends: true,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("timestamp", Raw::Time),
    Field::raw("time_start", Raw::Time),
    Field::raw("time", Raw::Time),
    Field::raw("start_time", Raw::Time),
    Field::end("time_end"),
    // `%{time.elapsed.usec}V` and `%D`.
    Field::span("time_elapsed", Int::DurationNs, How::Micros),
    Field::span("time_elapsed_usec", Int::DurationNs, How::Micros),
    Field::span("elapsed_time", Int::DurationNs, How::Micros),
    Field::span("duration_us", Int::DurationNs, How::Micros),
    Field::text("request_method", Text::HttpRequestMethod),
    Field::text("method", Text::HttpRequestMethod),
    Field::text("request", Text::HttpRequestMethod),
    Field::raw("url", Raw::Target),
    Field::raw("request_url", Raw::Target),
    Field::raw("request_protocol", Raw::Protocol),
    Field::raw("protocol", Raw::Protocol),
    Field::raw("host", Raw::Host),
    Field::raw("request_host", Raw::Host),
    Field::raw("origin_host", Raw::Host),
    Field::int("response_status", Int::HttpResponseStatusCode),
    Field::int("status", Int::HttpResponseStatusCode),
    Field::int("response_body_size", Int::HttpResponseBodySize),
    Field::int("resp_body_size", Int::HttpResponseBodySize),
    Field::int("request_body_size", Int::HttpRequestBodySize),
    Field::int("req_body_size", Int::HttpRequestBodySize),
    Field::raw("client_ip", Raw::Client),
    Field::text("request_user_agent", Text::UserAgentOriginal),
    Field::text("user_agent", Text::UserAgentOriginal),
    Field::text("request_referer", Text::HttpRequestReferrer),
    Field::text("request_id", Text::RequestId),
    Field::text("fastly_server", Text::SourceInstance),
    Field::text("service_id", Text::GatewayService),
    Field::raw("mcp_method", Raw::McpMethodHeader),
    Field::raw("mcp_name", Raw::McpNameHeader),
    identity!("fastly_json", "x_consumer_id", IdConsumer, Consumer, Asserted),
    identity!("fastly_json", "consumer_id", IdConsumer, Consumer, Asserted),
    identity!("fastly_json", "user_id", IdUser, User, Asserted),
    identity!("fastly_json", "user", IdUser, User, Asserted),
];

#[cfg(test)]
mod tests {
    use crate::format::FormatId;
    use crate::format::check::check;

    #[test]
    fn the_recommended_template_is_read() {
        check(
            FormatId::FastlyJson,
            r#"{"timestamp":"2026-03-10T03:36:59+0000","client_ip":"198.51.100.9","geo_country":"france","host":"api.example.com","url":"/v1/a?b=\"c\"","request_method":"GET","request_protocol":"HTTP/2","request_referer":"","request_user_agent":"x","response_state":"PASS","response_status":200,"response_reason":"OK","response_body_size":12,"fastly_server":"cache-cdg-1","fastly_is_edge":true}"#,
            &[
                "time=2026-03-10T03:36:59Z",
                "client_address=198.51.100.9",
                "url_path=/v1/a",
                "http_response_status_code=200",
                "http_response_body_size=12",
                "network_protocol_version=2",
                "source_instance=cache-cdg-1",
            ],
        );
        check(
            FormatId::FastlyJson,
            r#"{"time_start":"2026-03-10T03:36:59Z","time_elapsed":1500,"client_ip":"198.51.100.9","request":"POST","url":"/v1/a","status":"503","cache_status":"MISS","resp_body_size":0,"req_body_size":7}"#,
            &[
                "duration_ns=1500000",
                "http_request_method=POST",
                "http_response_status_code=503",
                "http_request_body_size=7",
            ],
        );
    }

    #[test]
    fn a_template_that_does_not_escape_is_mended_where_it_breaks() {
        check(
            FormatId::FastlyJson,
            r#"{"timestamp":"2026-03-10T03:36:59+0000","client_ip":"198.51.100.9","url":"/v1/a?b="c"","response_status":200}"#,
            &[
                "url_path=/v1/a",
                "url_query=b=\"c\"",
                "http_response_status_code=200",
                "parse_flags=16",
            ],
        );
    }
}

//! AWS load balancer access logs as JSON: the columns of the text by the names that shippers give them.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "aws_alb_json",
    about: "AWS Application and Classic Load Balancer logs that a shipper made JSON",
    aliases: &["aws_alb_parsed"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["elb", "elb_status_code"],
            &["elb", "elbStatusCode"],
            &["elb_status_code", "target_status_code"],
            &["elb_status_code", "received_bytes"],
            &["elbStatusCode", "targetStatusCode"],
            &["elbStatusCode", "receivedBytes"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("request_creation_time", Raw::Time),
    Field::raw("requestCreationTime", Raw::Time),
    // When the load balancer had made the response.
    Field::end("time"),
    Field::end("timestamp"),
    Field::raw("request_processing_time", Raw::Aside),
    Field::raw("requestProcessingTime", Raw::Aside),
    Field::raw("response_processing_time", Raw::AsideToo),
    Field::raw("responseProcessingTime", Raw::AsideToo),
    Field::span("target_processing_time", Int::UpstreamDurationNs, How::Seconds),
    Field::span("targetProcessingTime", Int::UpstreamDurationNs, How::Seconds),
    Field::span("backend_processing_time", Int::UpstreamDurationNs, How::Seconds),
    Field::raw("request", Raw::RequestLine),
    Field::text("request_verb", Text::HttpRequestMethod),
    Field::text("request_method", Text::HttpRequestMethod),
    Field::text("http_method", Text::HttpRequestMethod),
    Field::text("requestHttpMethod", Text::HttpRequestMethod),
    Field::text("requestMethod", Text::HttpRequestMethod),
    Field::raw("request_url", Raw::Target),
    Field::raw("requestUrl", Raw::Target),
    Field::raw("request_uri", Raw::Target),
    Field::raw("request_proto", Raw::Protocol),
    Field::raw("request_protocol", Raw::Protocol),
    Field::raw("request_http_version", Raw::Protocol),
    Field::raw("requestHttpVersion", Raw::Protocol),
    Field::raw("requestProtocol", Raw::Protocol),
    Field::int("elb_status_code", Int::HttpResponseStatusCode),
    Field::int("elbStatusCode", Int::HttpResponseStatusCode),
    Field::int("target_status_code", Int::UpstreamStatusCode),
    Field::int("targetStatusCode", Int::UpstreamStatusCode),
    Field::int("backend_status_code", Int::UpstreamStatusCode),
    Field::int("received_bytes", Int::HttpRequestSize),
    Field::int("receivedBytes", Int::HttpRequestSize),
    Field::int("sent_bytes", Int::HttpResponseSize),
    Field::int("sentBytes", Int::HttpResponseSize),
    Field::raw("client_ip", Raw::Client),
    Field::raw("clientIp", Raw::Client),
    Field::raw("client", Raw::Client),
    Field::raw("client_host", Raw::Client),
    Field::int("client_port", Int::ClientPort),
    Field::int("clientPort", Int::ClientPort),
    Field::text("user_agent", Text::UserAgentOriginal),
    Field::text("userAgent", Text::UserAgentOriginal),
    Field::text("trace_id", Text::RequestId),
    Field::text("traceId", Text::RequestId),
    Field::text("target_group_arn", Text::GatewayService),
    Field::text("targetGroupArn", Text::GatewayService),
    Field::text("matched_rule_priority", Text::GatewayRoute),
    Field::text("matchedRulePriority", Text::GatewayRoute),
    Field::text("error_reason", Text::PolicyReason),
    Field::text("errorReason", Text::PolicyReason),
    Field::text("elb", Text::SourceInstance),
    // Only where a shipper joined the connection log: `Success`, or `Failed:` and why. In the mode
    // `passthrough` nothing is verified.
    Field::raw("tls_verify_status", Raw::CertificateVerify),
    Field::raw("tlsVerifyStatus", Raw::CertificateVerify),
    identity!("aws_alb_json", "leaf_client_cert_subject", IdCertificate, Mtls, Asserted),
    identity!("aws_alb_json", "leafClientCertSubject", IdCertificate, Mtls, Asserted),
];

static DURATION: Field =
    Field::span("request + target + response processing time", Int::DurationNs, How::Seconds);

/// Adds the three processing times up; one of them is -1 where there was no response.
fn finish(record: &mut Record<'_>) {
    let parts = [
        seconds(record, Slot::Raw(Raw::Aside)),
        seconds(record, Slot::Int(Int::UpstreamDurationNs)),
        seconds(record, Slot::Raw(Raw::AsideToo)),
    ];
    if let [Some(request), Some(target), Some(response)] = parts {
        record.put(&DURATION, 0, Value::Float(request + target + response));
    }
}

/// A time in seconds that is not below zero.
fn seconds(record: &Record<'_>, slot: Slot) -> Option<f64> {
    let number = match record.filled(slot)?.value {
        Value::Int(number) => number as f64,
        Value::Float(number) => number,
        text => record.text_of(text)?.parse().ok()?,
    };
    (number >= 0.0).then_some(number)
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::AwsAlbJson, line, expected);
    }

    #[test]
    fn the_names_of_a_table_of_logs_are_read() {
        check(
            r#"{"type":"https","time":"2026-03-10T03:36:59.500000Z","elb":"app/lb/50dc","client_ip":"192.0.2.7","client_port":2817,"target_ip":"10.0.0.1","target_port":80,"request_processing_time":0.0,"target_processing_time":0.048,"response_processing_time":0.002,"elb_status_code":200,"target_status_code":"200","received_bytes":34,"sent_bytes":366,"request_verb":"GET","request_url":"https://www.example.com:443/a/7?x=1","request_proto":"HTTP/1.1","user_agent":"curl/8","trace_id":"Root=1-58337262-36d228ad5d99923122bbe354","request_creation_time":"2026-03-10T03:36:59.450000Z","new_field":"x"}"#,
            &[
                "time=2026-03-10T03:36:59.450Z",
                "time_kind=start",
                "duration_ns=50000000",
                "upstream_duration_ns=48000000",
                "url_path=/a/7",
                "url_query=x=1",
                "server_address=www.example.com",
                "http_request_size=34",
                "http_response_size=366",
                "client_port=2817",
                "principal_type=ip",
            ],
        );
    }

    #[test]
    fn without_a_target_there_is_no_duration() {
        check(
            r#"{"timestamp":"2026-03-10T03:36:59.5Z","elb":"app/lb/50dc","clientIp":"192.0.2.7","requestProcessingTime":-1,"targetProcessingTime":-1,"responseProcessingTime":-1,"elbStatusCode":502,"targetStatusCode":null,"requestHttpMethod":"POST","requestUrl":"http://h:80/a"}"#,
            &[
                "time=2026-03-10T03:36:59.500Z",
                "time_kind=end",
                "duration_ns=",
                "upstream_duration_ns=",
                "upstream_status_code=",
                "http_response_status_code=502",
            ],
        );
    }

    #[test]
    fn a_certificate_counts_as_it_was_verified() {
        let of = |more: &str, expected: &[&str]| {
            let line = format!(
                r#"{{"timestamp":"2026-03-10T03:36:59.5Z","elb":"app/lb/50dc","clientIp":"192.0.2.7","elbStatusCode":200,"leafClientCertSubject":"CN=svc"{more}}}"#
            );
            check(&line, expected);
        };
        of("", &["principal_id=CN=svc", "principal_trust=asserted"]);
        of(r#","tlsVerifyStatus":"Success""#, &["principal_id=CN=svc", "principal_trust=verified"]);
        of(
            r#","tls_verify_status":"Failed:ClientCertUntrusted""#,
            &["principal_id=192.0.2.7", "principal_type=ip"],
        );
    }

    #[test]
    fn a_record_of_nothing_but_the_shippers_own_fields_is_refused() {
        check(
            r#"{"p_log_type":"AWS.ALB","p_any_ip_addresses":["198.51.100.10"]}"#,
            &["reject=no_time"],
        );
    }
}

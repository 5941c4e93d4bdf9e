//! Google Cloud API Gateway and Cloud Endpoints (ESPv2): `LogEntry` whose payload names the caller.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::Record;
use super::{Format, Reader, gcp_http_lb};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "gcp_api_gateway",
    about: "Google Cloud API Gateway and Cloud Endpoints request logs",
    aliases: &["gcp_endpoints"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["httpRequest", "jsonPayload", "jsonPayload.apiMethod"],
            &["httpRequest", "jsonPayload", "jsonPayload.apiConfig"],
            &["httpRequest", "jsonPayload", "jsonPayload.serviceAgent"],
            &["jsonPayload", "jsonPayload.api_method", "jsonPayload.http_response_code"],
            &["jsonPayload", "jsonPayload.producer_project_id", "jsonPayload.http_response_code"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("timestamp", Raw::Time),
    Field::raw("jsonPayload.timestamp", Raw::Time),
    Field::raw("receiveTimestamp", Raw::Aside),
    Field::span("httpRequest.latency", Int::DurationNs, How::Seconds),
    Field::span("jsonPayload.request_latency_in_ms", Int::DurationNs, How::Millis),
    Field::text("httpRequest.requestMethod", Text::HttpRequestMethod),
    Field::text("jsonPayload.http_method", Text::HttpRequestMethod),
    Field::raw("httpRequest.requestUrl", Raw::Target),
    Field::raw("jsonPayload.url", Raw::Target),
    Field::raw("httpRequest.protocol", Raw::Protocol),
    Field::int("httpRequest.status", Int::HttpResponseStatusCode),
    Field::int("jsonPayload.http_response_code", Int::HttpResponseStatusCode),
    Field::int("jsonPayload.http_status_code", Int::HttpResponseStatusCode),
    Field::int("httpRequest.requestSize", Int::HttpRequestSize),
    Field::int("jsonPayload.request_size_in_bytes", Int::HttpRequestSize),
    Field::int("httpRequest.responseSize", Int::HttpResponseSize),
    Field::int("jsonPayload.response_size_in_bytes", Int::HttpResponseSize),
    Field::raw("httpRequest.remoteIp", Raw::Client),
    Field::raw("jsonPayload.client_ip", Raw::Client),
    Field::text("httpRequest.userAgent", Text::UserAgentOriginal),
    Field::text("httpRequest.referer", Text::HttpRequestReferrer),
    Field::raw("trace", Raw::AsideToo),
    Field::text("spanId", Text::SpanId),
    Field::text("insertId", Text::RequestId),
    Field::text("jsonPayload.responseDetails", Text::PolicyReason),
    Field::text("jsonPayload.response_code_detail", Text::PolicyReason),
    Field::text("jsonPayload.apiMethod", Text::GatewayRoute),
    Field::text("jsonPayload.api_method", Text::GatewayRoute),
    Field::text("jsonPayload.api", Text::ApiId),
    Field::text("jsonPayload.api_name", Text::ApiId),
    Field::text("resource.labels.gateway_id", Text::GatewayService),
    Field::text("resource.labels.service", Text::GatewayService),
    identity!("gcp_api_gateway", "jsonPayload.consumerNumber", IdConsumer, Consumer, Verified),
    identity!("gcp_api_gateway", "jsonPayload.consumer_number", IdConsumer, Consumer, Verified),
    identity!("gcp_api_gateway", "jsonPayload.apiKey", IdCredential, ApiKey, Asserted).secret(),
    identity!("gcp_api_gateway", "jsonPayload.api_key", IdCredential, ApiKey, Asserted).secret(),
];

/// A consumer number of 0 is none.
fn finish(record: &mut Record<'_>) {
    gcp_http_lb::finish(record);
    let consumer = Slot::Raw(Raw::IdConsumer);
    if record.text(consumer) == Some("0") {
        record.forget(consumer);
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::GcpApiGateway, line, expected);
    }

    #[test]
    fn the_consumer_is_the_principal_and_its_key_a_fingerprint() {
        check(
            r#"{"httpRequest":{"latency":"0.012s","protocol":"http","remoteIp":"198.51.100.4","requestMethod":"GET","requestSize":"640","requestUrl":"/v1/hello?key=c4n4ry","responseSize":"120","status":200},"jsonPayload":{"api":"1.echo_api","apiConfig":"cfg","apiKey":"c4n4ry","apiMethod":"1.echo_api.Hello","consumerNumber":"123456789","timestamp":1773100000.0},"logName":"projects/p/logs/x","timestamp":"2026-03-10T03:36:59.1Z"}"#,
            &[
                "time=2026-03-10T03:36:59.100Z",
                "duration_ns=12000000",
                "url_path=/v1/hello",
                "url_query=key=REDACTED",
                "principal_id=123456789",
                "principal_type=consumer",
                "credential_id=key:8fcacba99bb3a505",
                "gateway_route=1.echo_api.Hello",
                "network_protocol_version=",
            ],
        );
    }

    #[test]
    fn the_older_proxy_has_all_in_its_payload() {
        check(
            r#"{"insertId":"a","jsonPayload":{"api_key":"c4n4ry","api_method":"1.m","client_ip":"198.51.100.4","http_method":"GET","http_response_code":403,"producer_project_id":"p","request_latency_in_ms":12,"request_size_in_bytes":640,"url":"/v1/hello"},"timestamp":"2026-03-10T03:36:59Z"}"#,
            &[
                "duration_ns=12000000",
                "http_response_status_code=403",
                "principal_id=key:8fcacba99bb3a505",
                "http_request_size=640",
            ],
        );
    }
}

//! Google's API Gateway and Cloud Endpoints: log entries whose payload names the consumer.

use super::field::{Field, How, Raw, identity};
use super::{Format, Reader, nothing};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "gcp_api_gateway",
    about: "Google Cloud API Gateway and Cloud Endpoints log entries",
    aliases: &["gcp_apigw", "cloud_endpoints"],
    fields: FIELDS,
    reader: Reader::Json {
        // Other log entries have `httpRequest` too: what tells is in the payload.
        signatures: &[
            &["logName", "jsonPayload.apiConfig"],
            &["logName", "jsonPayload.consumerNumber"],
            &["logName", "jsonPayload.serviceAgent"],
            &["logName", "jsonPayload.service_agent"],
            &["logName", "jsonPayload.producer_project_id"],
        ],
        finish: nothing,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("timestamp", Raw::Time),
    Field::span("httpRequest.latency", Int::DurationNs, How::Seconds),
    Field::span("jsonPayload.request_latency_in_ms", Int::DurationNs, How::Millis),
    Field::span("jsonPayload.backend_latency_in_ms", Int::UpstreamDurationNs, How::Millis),
    Field::text("httpRequest.requestMethod", Text::HttpRequestMethod),
    Field::text("jsonPayload.http_method", Text::HttpRequestMethod),
    Field::raw("httpRequest.requestUrl", Raw::Target),
    Field::raw("jsonPayload.url", Raw::Target),
    Field::raw("httpRequest.protocol", Raw::Protocol),
    Field::int("httpRequest.status", Int::HttpResponseStatusCode),
    Field::int("jsonPayload.http_status_code", Int::HttpResponseStatusCode),
    Field::int("jsonPayload.http_response_code", Int::HttpResponseStatusCode),
    Field::int("httpRequest.requestSize", Int::HttpRequestSize),
    Field::int("jsonPayload.request_size_in_bytes", Int::HttpRequestSize),
    Field::int("httpRequest.responseSize", Int::HttpResponseSize),
    Field::int("jsonPayload.response_size_in_bytes", Int::HttpResponseSize),
    Field::raw("httpRequest.remoteIp", Raw::Client),
    Field::raw("jsonPayload.client_ip", Raw::Client),
    Field::text("httpRequest.userAgent", Text::UserAgentOriginal),
    Field::text("httpRequest.referer", Text::HttpRequestReferrer),
    Field::text("insertId", Text::RequestId),
    Field::text("spanId", Text::SpanId),
    Field::text("jsonPayload.api", Text::GatewayService),
    Field::text("jsonPayload.api_name", Text::GatewayService),
    Field::text("jsonPayload.apiConfig", Text::ApiId),
    Field::text("jsonPayload.service_config_id", Text::ApiId),
    Field::text("jsonPayload.apiMethod", Text::GatewayRoute),
    Field::text("jsonPayload.api_method", Text::GatewayRoute),
    Field::text("resource.labels.gateway_id", Text::SourceInstance),
    // The project that the API key belongs to.
    identity!("gcp_api_gateway", "jsonPayload.consumerNumber", IdConsumer, Consumer, Verified),
    identity!("gcp_api_gateway", "jsonPayload.consumer_number", IdConsumer, Consumer, Verified),
    identity!("gcp_api_gateway", "jsonPayload.apiKey", IdCredential, ApiKey, Asserted).secret(),
    identity!("gcp_api_gateway", "jsonPayload.api_key", IdCredential, ApiKey, Asserted).secret(),
];

#[cfg(test)]
mod tests {
    use crate::format::FormatId;
    use crate::format::check::check;

    #[test]
    fn the_payload_names_the_consumer_and_its_key_is_a_fingerprint() {
        check(
            FormatId::GcpApiGateway,
            r#"{"httpRequest":{"latency":"0.012s","remoteIp":"198.51.100.4","requestMethod":"GET","requestSize":"640","requestUrl":"/v1/hello?key=c4n4ry","responseSize":"120","status":200},"jsonPayload":{"api":"echo","apiConfig":"cfg","apiKey":"c4n4ry","apiMethod":"1.echo.Hello","consumerNumber":"123456789"},"logName":"projects/p/logs/x","timestamp":"2026-03-10T03:36:59.1Z"}"#,
            &[
                "duration_ns=12000000",
                "url_path=/v1/hello",
                "url_query=key=REDACTED",
                "http_request_size=640",
                "http_response_size=120",
                "client_address=198.51.100.4",
                "principal_id=123456789",
                "principal_type=consumer",
                "credential_id=key:8fcacba99bb3a505",
            ],
        );
    }

    #[test]
    fn endpoints_write_it_all_into_the_payload() {
        check(
            FormatId::GcpApiGateway,
            r#"{"jsonPayload":{"api_method":"1.echo.Hello","api_name":"echo","client_ip":"198.51.100.4","http_method":"POST","http_status_code":403,"producer_project_id":"p","request_latency_in_ms":12,"request_size_in_bytes":640,"url":"/v1/hello","service_agent":"ESPv2/2.43.0"},"logName":"projects/p/logs/x","timestamp":"2026-03-10T03:36:59.1Z"}"#,
            &[
                "duration_ns=12000000",
                "http_request_method=POST",
                "http_response_status_code=403",
                "gateway_route=1.echo.Hello",
            ],
        );
    }
}

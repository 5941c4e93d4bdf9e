//! Azure Application Gateway access logs, v1 and v2.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::Record;
use super::{Format, Reader};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "azure_app_gateway",
    about: "Azure Application Gateway access logs (v1 and v2)",
    aliases: &["azure_application_gateway"],
    fields: FIELDS,
    reader: Reader::Json {
        // The envelope is that of all Azure services; what is inside tells them apart.
        signatures: &[
            &["properties", "properties.clientIP", "properties.httpStatus"],
            &["properties", "properties.httpMethod", "properties.httpStatus"],
            &["TimeGenerated", "ClientIp", "HttpStatus"],
        ],
        finish,
        mends: false,
    },
    // Azure does not say which instant it is.
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("timeStamp", Raw::Time),
    Field::raw("time", Raw::Time),
    Field::raw("TimeGenerated", Raw::Time),
    Field::span("properties.timeTaken", Int::DurationNs, How::Guess),
    Field::span("TimeTaken", Int::DurationNs, How::Guess),
    // v1 has none of these three.
    Field::text("properties.transactionId", Text::RequestId),
    Field::text("TransactionId", Text::RequestId),
    Field::raw("properties.clientResponseTime", Raw::Aside),
    Field::span("properties.serverResponseLatency", Int::UpstreamDurationNs, How::Seconds),
    Field::span("ServerResponseLatency", Int::UpstreamDurationNs, How::Seconds),
    Field::text("properties.httpMethod", Text::HttpRequestMethod),
    Field::text("HttpMethod", Text::HttpRequestMethod),
    // What was asked, before it was rewritten.
    Field::raw("properties.originalRequestUriWithArgs", Raw::Target),
    Field::raw("OriginalRequestUriWithArgs", Raw::Target),
    Field::raw("properties.requestUri", Raw::Target),
    Field::raw("RequestUri", Raw::Target),
    Field::raw("properties.requestQuery", Raw::AsideToo),
    Field::raw("RequestQuery", Raw::AsideToo),
    Field::raw("properties.httpVersion", Raw::Protocol),
    Field::raw("HttpVersion", Raw::Protocol),
    // `host` is the backend's where the gateway replaces it.
    Field::raw("properties.originalHost", Raw::Host),
    Field::raw("OriginalHost", Raw::Host),
    Field::raw("properties.host", Raw::Host),
    Field::raw("Host", Raw::Host),
    Field::int("properties.httpStatus", Int::HttpResponseStatusCode),
    Field::int("HttpStatus", Int::HttpResponseStatusCode),
    Field::int("properties.serverStatus", Int::UpstreamStatusCode),
    Field::int("ServerStatus", Int::UpstreamStatusCode),
    Field::int("properties.receivedBytes", Int::HttpRequestSize),
    Field::int("ReceivedBytes", Int::HttpRequestSize),
    Field::int("properties.sentBytes", Int::HttpResponseSize),
    Field::int("SentBytes", Int::HttpResponseSize),
    Field::raw("properties.clientIP", Raw::Client),
    Field::raw("ClientIp", Raw::Client),
    Field::int("properties.clientPort", Int::ClientPort),
    Field::int("ClientPort", Int::ClientPort),
    Field::text("properties.userAgent", Text::UserAgentOriginal),
    Field::text("UserAgent", Text::UserAgentOriginal),
    Field::raw("properties.sslClientVerify", Raw::CertificateVerify),
    Field::text("ruleName", Text::GatewayRoute),
    Field::text("listenerName", Text::GatewayService),
    Field::text("properties.error_info", Text::PolicyReason),
    Field::text("ErrorInfo", Text::PolicyReason),
    Field::text("properties.instanceId", Text::SourceInstance),
    Field::text("InstanceId", Text::SourceInstance),
    identity!(
        "azure_app_gateway",
        "properties.sslClientCertificateFingerprint",
        IdCertificate,
        Mtls,
        Asserted
    ),
];

static SECONDS: Field = Field::span("properties.timeTaken", Int::DurationNs, How::Seconds);
static QUERY: Field = Field::text("properties.requestQuery", Text::UrlQuery);

/// Seconds in v2, milliseconds in v1, whose query is the gateway's own and not the caller's.
fn finish(record: &mut Record<'_>) {
    let of_v2 =
        [Slot::Raw(Raw::Aside), Slot::Text(Text::RequestId), Slot::Int(Int::UpstreamDurationNs)];
    let is_v2 = of_v2.into_iter().any(|slot| record.has(slot));
    if let (true, Some(taken)) = (is_v2, record.filled(Slot::Int(Int::DurationNs))) {
        record.put(&SECONDS, 0, taken.value);
    }
    let query = record
        .text(Slot::Raw(Raw::AsideToo))
        .filter(|it| !it.contains("X-AzureApplicationGateway-") && !it.contains("SERVER-ROUTED="));
    let target = record.text(Slot::Raw(Raw::Target)).unwrap_or_default();
    if let (Some(query), false) = (query.map(str::to_owned), target.contains('?')) {
        record.put_copied(&QUERY, 0, &query);
    }
    let reason = Slot::Text(Text::PolicyReason);
    if record.text(reason) == Some("ERRORINFO_NO_ERROR") {
        record.forget(reason);
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::AzureAppGateway, line, expected);
    }

    #[test]
    fn the_first_version_has_milliseconds_and_a_query_of_its_own() {
        check(
            r#"{"resourceId":"/S/G","operationName":"ApplicationGatewayAccess","time":"2026-03-10T03:36:59Z","category":"ApplicationGatewayAccessLog","properties":{"instanceId":"IN_0","clientIP":"191.96.249.97","clientPort":46886,"httpMethod":"GET","requestUri":"/setup.php","requestQuery":"X-AzureApplicationGateway-CACHE-HIT=0&SERVER-ROUTED=10.4.0.4&SERVER-STATUS=404","userAgent":"-","httpStatus":404,"httpVersion":"HTTP/1.0","receivedBytes":65,"sentBytes":553,"timeTaken":"205","sslEnabled":"off","host":"www.example.com"}}"#,
            &[
                "time=2026-03-10T03:36:59Z",
                "duration_ns=205000000",
                "url_path=/setup.php",
                "url_query=",
                "client_port=46886",
                "http_request_size=65",
                "http_response_size=553",
                "user_agent_original=",
                "network_protocol_version=1.0",
            ],
        );
    }

    #[test]
    fn the_second_version_has_seconds_also_whole_ones() {
        let line = |taken: &str| {
            format!(
                r#"{{"timeStamp":"2026-03-10T03:36:59+00:00","ruleName":"r","category":"ApplicationGatewayAccessLog","properties":{{"clientIP":"185.42.129.24","clientPort":45057,"httpMethod":"GET","originalRequestUriWithArgs":"/v1/items?a=1","requestUri":"/items","requestQuery":"b=2","httpStatus":200,"timeTaken":{taken},"transactionId":"592d","sslEnabled":"on","sslClientVerify":"SUCCESS","sslClientCertificateFingerprint":"9f86d081","error_info":"ERRORINFO_NO_ERROR","serverStatus":"200","serverResponseLatency":"0.028","originalHost":"api.example.com","host":"x.core.windows.net"}}}}"#
            )
        };
        check(
            &line("0.034"),
            &[
                "duration_ns=34000000",
                "url_path=/v1/items",
                "url_query=a=1",
                "server_address=api.example.com",
                "request_id=592d",
                "upstream_status_code=200",
                "upstream_duration_ns=28000000",
                "gateway_route=r",
                "policy_reason=",
                "principal_id=9f86d081",
                "principal_type=mtls",
                "principal_trust=verified",
            ],
        );
        check(&line("2"), &["duration_ns=2000000000"]);
    }
}

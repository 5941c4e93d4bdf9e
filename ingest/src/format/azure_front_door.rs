//! Azure Front Door access logs: Standard, Premium and classic.

use super::field::{Field, How, Raw, Slot};
use super::record::Record;
use super::{Format, Reader};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "azure_front_door",
    about: "Azure Front Door and CDN access logs",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        // The envelope is that of all Azure services; what is inside tells them apart.
        signatures: &[
            &["properties", "properties.trackingReference", "properties.httpStatusCode"],
            &["properties", "properties.requestUri", "properties.httpStatusCode"],
            &["TimeGenerated", "TrackingReference", "HttpStatusCode"],
        ],
        finish,
        mends: false,
    },
    // When the edge had delivered what was asked for.
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("time", Raw::Time),
    Field::raw("TimeGenerated", Raw::Time),
    Field::raw("category", Raw::Aside),
    Field::span("properties.timeTaken", Int::DurationNs, How::Seconds),
    Field::span("TimeTaken", Int::DurationNs, How::Seconds),
    Field::text("properties.httpMethod", Text::HttpRequestMethod),
    Field::text("HttpMethod", Text::HttpRequestMethod),
    Field::raw("properties.requestUri", Raw::Target),
    Field::raw("RequestUri", Raw::Target),
    Field::raw("properties.httpVersion", Raw::Protocol),
    Field::raw("HttpVersion", Raw::Protocol),
    Field::raw("properties.hostName", Raw::Host),
    Field::raw("HostName", Raw::Host),
    Field::int("properties.httpStatusCode", Int::HttpResponseStatusCode),
    Field::int("HttpStatusCode", Int::HttpResponseStatusCode),
    Field::int("properties.requestBytes", Int::HttpRequestSize),
    Field::int("RequestBytes", Int::HttpRequestSize),
    Field::int("properties.responseBytes", Int::HttpResponseSize),
    Field::int("ResponseBytes", Int::HttpResponseSize),
    // Who connected; `clientIp` is what the caller's `X-Forwarded-For` says, if there is one.
    Field::raw("properties.socketIp", Raw::Client),
    Field::raw("SocketIp", Raw::Client),
    Field::raw("properties.clientIp", Raw::Forwarded),
    Field::raw("ClientIp", Raw::Forwarded),
    Field::int("properties.clientPort", Int::ClientPort),
    Field::int("ClientPort", Int::ClientPort),
    Field::text("properties.userAgent", Text::UserAgentOriginal),
    Field::text("UserAgent", Text::UserAgentOriginal),
    Field::text("properties.referer", Text::HttpRequestReferrer),
    Field::text("properties.referrer", Text::HttpRequestReferrer),
    Field::text("Referer", Text::HttpRequestReferrer),
    Field::text("properties.trackingReference", Text::RequestId),
    Field::text("TrackingReference", Text::RequestId),
    Field::text("properties.routingRuleName", Text::GatewayRoute),
    Field::text("properties.routeName", Text::GatewayRoute),
    Field::text("RouteName", Text::GatewayRoute),
    Field::text("properties.endpoint", Text::GatewayService),
    Field::text("properties.backendHostname", Text::GatewayService),
    Field::text("properties.pop", Text::SourceInstance),
];

static PROTOCOL: Field = Field::raw("properties.httpVersion", Raw::Protocol);

/// Refuses the probes of origins, which nobody called; a version of four parts, such as `2.0.0.0`, is one
/// of two.
fn finish(record: &mut Record<'_>) {
    let category = record.text(Slot::Raw(Raw::Aside)).unwrap_or_default();
    if category.eq_ignore_ascii_case("FrontDoorHealthProbeLog") {
        return record.refuse(Reject::NotAccessLog);
    }
    let protocol = record.text(Slot::Raw(Raw::Protocol));
    let short = protocol.and_then(|it| it.strip_suffix(".0.0")).map(str::to_owned);
    if let Some(short) = short {
        record.put_copied(&PROTOCOL, 0, &short);
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;
    use crate::format::check::check;

    #[test]
    fn a_url_is_whole_and_numbers_are_texts() {
        check(
            FormatId::AzureFrontDoor,
            r#"{"time":"2026-03-10T03:36:59.5000000Z","category":"FrontDoorAccessLog","operationName":"Microsoft.Cdn/Profiles/AccessLog/Write","properties":{"trackingReference":"0abc","httpMethod":"GET","httpVersion":"2.0.0.0","requestUri":"https://www.example.com:443/a/7?sig=abc","requestBytes":"1188","responseBytes":"10354","userAgent":"curl/8","clientIp":"203.0.113.9","clientPort":"6321","socketIp":"203.0.113.9","timeTaken":"0.500","httpStatusCode":"200","pop":"LAX","hostName":"www.example.com"}}"#,
            &[
                "time=2026-03-10T03:36:59Z",
                "time_kind=end_minus_duration",
                "url_path=/a/7",
                "url_query=sig=REDACTED",
                "server_address=www.example.com",
                "server_port=",
                "http_request_size=1188",
                "http_response_size=10354",
                "network_protocol_version=2",
                "client_address=203.0.113.9",
                "client_port=6321",
                "request_id=0abc",
            ],
        );
    }

    #[test]
    fn a_probe_is_no_call() {
        check(
            FormatId::AzureFrontDoor,
            r#"{"time":"2026-03-10T03:36:59Z","category":"FrontDoorHealthProbeLog","properties":{"healthProbeId":"9642","httpVerb":"HEAD","result":"OriginError","httpStatusCode":"400"}}"#,
            &["events=0", "reject=not_access_log"],
        );
    }
}

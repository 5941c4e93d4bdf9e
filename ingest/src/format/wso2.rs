//! WSO2 API Manager's analytics events, of responses and of faults.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::Record;
use super::{Format, Reader};
use crate::identity::is_sentinel;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "wso2",
    about: "WSO2 API Manager analytics events in JSON",
    aliases: &["wso2_apim"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["apiResourceTemplate", "apiMethod"],
            &["proxyResponseCode", "requestTimestamp"],
            &["requestTimestamp", "apiCreatorTenantDomain"],
            &["requestTimestamp", "gatewayType", "correlationId"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

pub(super) static FIELDS: &[Field] = &[
    Field::raw("requestTimestamp", Raw::Time),
    Field::span("responseLatency", Int::DurationNs, How::Millis),
    // Version 3 has other names, and a path.
    Field::span("responseTime", Int::DurationNs, How::Millis),
    Field::span("backendTime", Int::UpstreamDurationNs, How::Millis),
    Field::raw("apiResourcePath", Raw::Target),
    Field::raw("apiHostname", Raw::Host),
    Field::int("responseCode", Int::HttpResponseStatusCode),
    Field::int("responseSize", Int::HttpResponseBodySize),
    Field::text("apiContext", Text::GatewayRoute),
    Field::span("backendLatency", Int::UpstreamDurationNs, How::Millis),
    Field::text("apiMethod", Text::HttpRequestMethod),
    // There is no path in the events of version 4.
    Field::text("apiResourceTemplate", Text::HttpRoute),
    Field::int("proxyResponseCode", Int::HttpResponseStatusCode),
    Field::int("targetResponseCode", Int::UpstreamStatusCode),
    Field::int("properties.responseSize", Int::HttpResponseBodySize),
    Field::int("properties.requestSize", Int::HttpRequestBodySize),
    Field::raw("userIp", Raw::Client),
    Field::text("userAgent", Text::UserAgentOriginal),
    Field::text("correlationId", Text::RequestId),
    Field::text("apiId", Text::ApiId),
    Field::text("apiName", Text::GatewayService),
    Field::text("properties.apiContext", Text::GatewayRoute),
    Field::text("applicationName", Text::PrincipalName),
    Field::text("errorType", Text::PolicyReason),
    Field::text("properties.aiMetadata.model", Text::GenAiRequestModel),
    Field::text("properties.aiMetadata.vendorName", Text::GenAiProviderName),
    Field::int("properties.aiTokenUsage.promptTokens", Int::GenAiUsageInputTokens),
    Field::int("properties.aiTokenUsage.completionTokens", Int::GenAiUsageOutputTokens),
    identity!("wso2", "applicationId", IdApplication, Application, Verified),
    identity!("wso2", "applicationConsumerKey", IdClient, Client, Verified),
    identity!("wso2", "properties.userName", IdUser, User, Verified),
    identity!("wso2", "username", IdUser, User, Verified),
];

/// Forgets what a fault event says of what it does not know.
pub(super) fn finish(record: &mut Record<'_>) {
    for slot in
        [Text::PrincipalName, Text::HttpRoute, Text::HttpRequestMethod, Text::GatewayService]
    {
        let slot = Slot::Text(slot);
        if record.text(slot).is_some_and(is_sentinel) {
            record.forget(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"apiName":"API1","apiCreatorTenantDomain":"carbon.super","apiId":"a-1","correlationId":"c-1","requestTimestamp":"2026-03-10T03:36:59.123Z","userIp":"203.0.113.9","userAgent":"Chrome",{fields}}}"#
        );
        crate::format::check::check(FormatId::Wso2, &line, expected);
    }

    #[test]
    fn a_response_has_a_template_and_an_application() {
        check(
            r#""eventType":"response","apiMethod":"GET","apiResourceTemplate":"/orders/{id}","proxyResponseCode":200,"targetResponseCode":200,"responseLatency":2500,"backendLatency":1866,"applicationId":"app-1","applicationName":"AppUser","properties":{"apiContext":"/api1/2.0.0","userName":"admin@carbon.super"}"#,
            &[
                "duration_ns=2500000000",
                "upstream_duration_ns=1866000000",
                "http_route=/orders/{id}",
                "endpoint=GET /orders/{id}",
                "url_path=",
                "principal_id=app-1",
                "principal_type=application",
                "principal_name=AppUser",
                "gateway_route=/api1/2.0.0",
            ],
        );
    }

    #[test]
    fn version_3_has_a_path() {
        check(
            r#""apiMethod":"GET","apiResourceTemplate":"/orders/{id}","apiResourcePath":"/api1/2.0.0/orders/7","responseCode":200,"responseTime":25,"backendTime":20,"responseSize":12,"username":"jo@carbon.super","applicationId":"3","applicationConsumerKey":"ck-1""#,
            &[
                "url_path=/api1/2.0.0/orders/7",
                "duration_ns=25000000",
                "upstream_duration_ns=20000000",
                "http_response_body_size=12",
                "principal_id=3",
                "principal_name=jo@carbon.super",
                "client_app_id=3",
            ],
        );
    }

    #[test]
    fn a_fault_knows_neither_caller_nor_resource() {
        check(
            r#""eventType":"fault","errorType":"AUTH","errorCode":900901,"proxyResponseCode":401,"targetResponseCode":-1,"applicationId":"UNKNOWN","applicationName":"UNKNOWN","apiMethod":null"#,
            &[
                "http_response_status_code=401",
                "upstream_status_code=",
                "principal_type=ip",
                "principal_name=",
                "policy_reason=AUTH",
            ],
        );
    }
}

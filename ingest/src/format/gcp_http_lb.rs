//! Google Cloud request logs: `LogEntry` with `httpRequest`, of load balancers, Cloud Run and others.

use super::field::{Field, How, Raw, Slot};
use super::record::Record;
use super::{Format, Reader};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "gcp_http_lb",
    about: "Google Cloud HTTP load balancer and other request logs (LogEntry with httpRequest)",
    aliases: &["gcp"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["httpRequest", "logName"],
            &["httpRequest", "insertId"],
            &["httpRequest", "resource", "timestamp"],
            // Some shippers write all names small.
            &["httprequest", "logname"],
            &["httprequest", "insertid"],
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
    Field::raw("receiveTimestamp", Raw::Aside),
    Field::span("httpRequest.latency", Int::DurationNs, How::Seconds),
    Field::text("httpRequest.requestMethod", Text::HttpRequestMethod),
    Field::raw("httpRequest.requestUrl", Raw::Target),
    Field::raw("httpRequest.protocol", Raw::Protocol),
    Field::int("httpRequest.status", Int::HttpResponseStatusCode),
    Field::int("httpRequest.requestSize", Int::HttpRequestSize),
    Field::int("httpRequest.responseSize", Int::HttpResponseSize),
    // The port may stand behind it.
    Field::raw("httpRequest.remoteIp", Raw::Client),
    Field::raw("jsonPayload.remoteIp", Raw::Client),
    Field::text("httpRequest.userAgent", Text::UserAgentOriginal),
    Field::text("httpRequest.referer", Text::HttpRequestReferrer),
    Field::raw("trace", Raw::AsideToo),
    Field::text("spanId", Text::SpanId),
    Field::text("insertId", Text::RequestId),
    Field::text("jsonPayload.enforcedSecurityPolicy.outcome", Text::PolicyDecision),
    Field::text("jsonPayload.statusDetails", Text::PolicyReason),
    Field::text("resource.labels.backend_service_name", Text::GatewayService),
    Field::text("resource.labels.service_name", Text::GatewayService),
    Field::text("resource.labels.url_map_name", Text::GatewayRoute),
    Field::text("resource.labels.forwarding_rule_name", Text::GatewayRoute),
    Field::text("resource.labels.project_id", Text::SourceInstance),
];

static TRACE: Field = Field::text("trace", Text::TraceId);
static DECISION: Field =
    Field::text("jsonPayload.enforcedSecurityPolicy.outcome", Text::PolicyDecision);
static RECEIVED: Field = Field::raw("receiveTimestamp", Raw::TimeKind);

/// Takes the id out of the trace's name, and the time of receipt where there is no other.
fn finish(record: &mut Record<'_>) {
    let trace = record.text(Slot::Raw(Raw::AsideToo)).map(|it| {
        let id = it.rsplit_once('/').map_or(it, |(_, id)| id);
        id.to_owned()
    });
    if let Some(trace) = trace {
        record.put_copied(&TRACE, 0, &trace);
    }
    let decision = match record.text(Slot::Text(Text::PolicyDecision)) {
        Some("ACCEPT") => Some("allow"),
        Some("DENY") => Some("deny"),
        _ => None,
    };
    if let Some(decision) = decision {
        record.put_copied(&DECISION, 0, decision);
    }
    let time = Slot::Raw(Raw::Time);
    if !record.has(time) && record.has(Slot::Raw(Raw::Aside)) {
        record.copy(Slot::Raw(Raw::Aside), time);
        record.put_copied(&RECEIVED, 0, "received");
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::GcpHttpLb, line, expected);
    }

    #[test]
    fn sizes_may_be_texts_and_the_latency_has_its_unit() {
        check(
            r#"{"httpRequest":{"requestMethod":"GET","requestUrl":"https://api.example.com/v1/users/42?key=c4n4ry","requestSize":"201","status":200,"responseSize":"1550","remoteIp":"203.0.113.3:4711","latency":"0.048180s","cacheLookup":true},"insertId":"u94q","jsonPayload":{"statusDetails":"response_sent_by_backend"},"logName":"projects/p/logs/requests","receiveTimestamp":"2026-03-09T23:19:26.392Z","resource":{"labels":{"backend_service_name":"web"},"type":"http_load_balancer"},"spanId":"d75cc31c93528953","timestamp":"2026-03-09T23:19:25.712Z","trace":"projects/p/traces/dd43c6eb7046da54fa3724d2753262e6"}"#,
            &[
                "time=2026-03-09T23:19:25.712Z",
                "duration_ns=48180000",
                "url_path=/v1/users/42",
                "url_query=key=REDACTED",
                "server_address=api.example.com",
                "http_request_size=201",
                "http_response_size=1550",
                "client_address=203.0.113.3",
                "client_port=4711",
                "trace_id=dd43c6eb7046da54fa3724d2753262e6",
                "span_id=d75cc31c93528953",
                "gateway_service=web",
            ],
        );
    }

    #[test]
    fn what_cloud_armor_says_is_the_decision() {
        check(
            r#"{"httprequest":{"remoteIp":"1.2.3.4","requestMethod":"GET","status":403},"insertid":"v","jsonpayload":{"statusDetails":"denied_by_security_policy","enforcedSecurityPolicy":{"outcome":"DENY","matchedFieldValue":"c4n4ry"}},"receivetimestamp":"2026-03-09 23:19:26.392"}"#,
            &[
                "time_kind=received",
                "policy_decision=deny",
                "policy_reason=denied_by_security_policy",
                "http_response_status_code=403",
            ],
        );
    }
}

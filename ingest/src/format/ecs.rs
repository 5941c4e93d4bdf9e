//! The Elastic Common Schema: nested, or with dots in the names.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::Record;
use super::{Format, Reader};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "ecs",
    about: "Elastic Common Schema web and API events",
    aliases: &["elastic_common_schema"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["@timestamp", "http", "url"],
            &["@timestamp", "http", "source"],
            &["@timestamp", "http", "client"],
            &["@timestamp", "http", "event"],
            &["@timestamp", "http", "ecs"],
            &["@timestamp", "http.request.method"],
            &["@timestamp", "http.response.status_code"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("event.start", Raw::Time),
    Field::raw("@timestamp", Raw::Time),
    Field::raw("event.end", Raw::EndTime),
    Field::span("event.duration", Int::DurationNs, How::Nanos),
    Field::text("http.request.method", Text::HttpRequestMethod),
    Field::raw("url.original", Raw::Target),
    Field::raw("url.path", Raw::Target),
    Field::raw("url.full", Raw::Url),
    Field::text("url.query", Text::UrlQuery),
    Field::text("url.scheme", Text::UrlScheme),
    Field::raw("url.domain", Raw::Host),
    Field::raw("destination.domain", Raw::Host),
    Field::raw("server.domain", Raw::Host),
    Field::raw("server.address", Raw::Host),
    Field::int("url.port", Int::ServerPort),
    Field::int("server.port", Int::ServerPort),
    Field::raw("http.version", Raw::Protocol),
    Field::int("http.response.status_code", Int::HttpResponseStatusCode),
    Field::int("http.request.bytes", Int::HttpRequestSize),
    Field::int("http.response.bytes", Int::HttpResponseSize),
    Field::int("http.request.body.bytes", Int::HttpRequestBodySize),
    Field::int("http.response.body.bytes", Int::HttpResponseBodySize),
    Field::raw("client.ip", Raw::Client),
    Field::raw("source.ip", Raw::Client),
    Field::raw("client.address", Raw::Client),
    Field::raw("source.address", Raw::Client),
    Field::int("client.port", Int::ClientPort),
    Field::int("source.port", Int::ClientPort),
    Field::raw("network.forwarded_ip", Raw::Forwarded),
    Field::text("user_agent.original", Text::UserAgentOriginal),
    Field::text("http.request.referrer", Text::HttpRequestReferrer),
    Field::text("http.request.id", Text::RequestId),
    Field::text("transaction.id", Text::RequestId),
    Field::text("event.id", Text::RequestId),
    Field::text("trace.id", Text::TraceId),
    Field::text("span.id", Text::SpanId),
    Field::text("service.name", Text::GatewayService),
    Field::text("rule.name", Text::GatewayRoute),
    Field::text("organization.id", Text::TenantId),
    Field::text("observer.name", Text::SourceInstance),
    Field::text("event.reason", Text::PolicyReason),
    Field::raw("event.type", Raw::Aside),
    // What shows that nobody called: a probe, or a part of a call.
    Field::raw("monitor.id", Raw::AsideToo),
    Field::raw("monitor.type", Raw::AsideToo),
    Field::raw("processor.event", Raw::AsideToo),
    Field::raw("event.kind", Raw::AsideThree),
    Field::text("gen_ai.tool.name", Text::ToolName),
    Field::text("gen_ai.agent.id", Text::AgentId),
    Field::text("gen_ai.agent.name", Text::AgentName),
    Field::text("gen_ai.request.model", Text::GenAiRequestModel),
    Field::text("gen_ai.provider.name", Text::GenAiProviderName),
    Field::text("gen_ai.system", Text::GenAiProviderName),
    Field::int("gen_ai.usage.input_tokens", Int::GenAiUsageInputTokens),
    Field::int("gen_ai.usage.output_tokens", Int::GenAiUsageOutputTokens),
    Field::text("mcp.method.name", Text::McpMethodName),
    identity!("ecs", "user.id", IdConsumer, User, Asserted),
    identity!("ecs", "client.user.id", IdConsumer, User, Asserted),
    identity!("ecs", "source.user.id", IdConsumer, User, Asserted),
    identity!("ecs", "tls.client.subject", IdCertificate, Mtls, Asserted),
    identity!("ecs", "tls.client.x509.subject.distinguished_name", IdCertificate, Mtls, Asserted),
    identity!("ecs", "user.name", IdUser, User, Asserted),
    identity!("ecs", "client.user.name", IdUser, User, Asserted),
    identity!("ecs", "source.user.name", IdUser, User, Asserted),
    identity!("ecs", "user.email", IdUser, User, Asserted),
    identity!("ecs", "session.id", IdSession, Session, Asserted).secret(),
];

static DECISION: Field = Field::text("event.type", Text::PolicyDecision);

/// Refuses what is no call; what was decided stands among the event's types; an end without a start
/// gives no duration.
fn finish(record: &mut Record<'_>) {
    let is_other = record
        .filled(Slot::Raw(Raw::AsideToo))
        .is_some_and(|it| record.text_of(it.value) != Some("transaction"));
    let is_event = matches!(record.text(Slot::Raw(Raw::AsideThree)), None | Some("event"));
    if is_other || !is_event {
        return record.refuse(Reject::NotAccessLog);
    }
    let start = record.filled(Slot::Raw(Raw::Time)).map(|it| it.field.name);
    if start != Some("event.start") {
        record.forget(Slot::Raw(Raw::EndTime));
    }
    let decision = match record.text(Slot::Raw(Raw::Aside)) {
        Some("denied") => "deny",
        Some("allowed") => "allow",
        _ => return,
    };
    record.put_copied(&DECISION, 0, decision);
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Ecs, line, expected);
    }

    #[test]
    fn objects_and_dotted_names_say_the_same() {
        let expected = [
            "time=2026-03-10T03:36:59.123Z",
            "duration_ns=15000000",
            "http_request_method=GET",
            "url_path=/a/7",
            "url_query=x=1",
            "http_response_status_code=404",
            "http_response_body_size=512",
            "http_response_size=700",
            "client_address=203.0.113.9",
            "principal_id=jo",
            "principal_source=ecs.user.name",
            "server_address=api.example.com",
        ];
        check(
            r#"{"@timestamp":"2026-03-10T03:36:59.123Z","ecs":{"version":"8.11.0"},"http":{"request":{"method":"get"},"response":{"status_code":404,"bytes":700,"body":{"bytes":512,"content":"c4n4ry"}},"version":"1.1"},"url":{"original":"/a/7?x=1","path":"/a/7","domain":"api.example.com"},"source":{"address":"203.0.113.9","ip":"203.0.113.9"},"event":{"duration":15000000,"type":["access","denied"]},"user":{"name":"jo"},"message":"c4n4ry"}"#,
            &expected,
        );
        check(
            r#"{"@timestamp":"2026-03-10T03:36:59.123Z","ecs.version":"8.11.0","http.request.method":"GET","http.response.status_code":"404","http.response.bytes":700,"http.response.body.bytes":512,"url.path":"/a/7","url.query":"x=1","url.domain":"api.example.com","client.ip":"203.0.113.9","event.duration":15000000,"user.name":"jo"}"#,
            &expected,
        );
    }

    #[test]
    fn probes_alerts_and_parts_of_calls_are_refused() {
        for more in [
            r#""monitor":{"id":"m-1","type":"http"}"#,
            r#""processor":{"event":"span"}"#,
            r#""event":{"kind":"signal"}"#,
        ] {
            let line = format!(
                r#"{{"@timestamp":"2026-03-10T03:36:59Z","http":{{"response":{{"status_code":200}}}},"url":{{"path":"/"}},{more}}}"#
            );
            check(&line, &["events=0", "reject=not_access_log"]);
        }
    }
}

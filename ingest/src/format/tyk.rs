//! Tyk's analytics records, as its pumps write them to Kafka, files and search engines.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::Record;
use super::{Format, Reader};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "tyk",
    about: "Tyk analytics records of its pumps (Kafka, stdout, Elasticsearch)",
    aliases: &["tyk_pump"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["api_id", "org_id", "oauth_id"],
            &["api_key", "api_id", "org_id", "response_code"],
            &["raw_request", "raw_response", "api_id"],
            &["api_key", "api_id", "raw_path"],
        ],
        finish,
        mends: false,
    },
    // The record is made when the response is done.
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("timestamp", Raw::Time),
    Field::raw("@timestamp", Raw::Time),
    Field::span("request_time_ms", Int::DurationNs, How::Millis),
    Field::span("latency.total", Int::DurationNs, How::Millis),
    Field::span("request_time", Int::DurationNs, How::Millis),
    Field::span("latency.upstream", Int::UpstreamDurationNs, How::Millis),
    Field::text("method", Text::HttpRequestMethod),
    Field::text("http_method", Text::HttpRequestMethod),
    Field::raw("raw_path", Raw::Target),
    Field::raw("request_uri_full", Raw::Target),
    Field::raw("request_uri", Raw::Target),
    // A template where the path is tracked, else the path once more.
    Field::text("path", Text::HttpRoute),
    Field::int("response_code", Int::HttpResponseStatusCode),
    // -1 where the request came in chunks.
    Field::int("content_length", Int::HttpRequestBodySize),
    Field::raw("ip_address", Raw::Client),
    Field::raw("host", Raw::Host),
    Field::text("user_agent", Text::UserAgentOriginal),
    Field::text("trace_id", Text::TraceId),
    Field::text("api_name", Text::GatewayService),
    Field::text("api_id", Text::ApiId),
    Field::text("org_id", Text::TenantId),
    Field::text("alias", Text::PrincipalName),
    Field::text("mcp_stats.jsonrpc_method", Text::McpMethodName),
    Field::text("mcp_stats.primitive_name", Text::ToolName),
    Field::raw("mcp_stats.primitive_type", Raw::Aside),
    // The OAuth client owns the token that stands in `api_key`, so it comes before that. Tyk notes both
    // only when the key was found.
    identity!("tyk", "oauth_id", IdApplication, Client, Verified),
    // A hash, unless `hash_keys` is off: then the key itself.
    identity!("tyk", "api_key", IdCredential, ApiKey, Verified).secret(),
];

/// Keeps a path for a route only where it is a template, and puts resources where they belong.
fn finish(record: &mut Record<'_>) {
    let (target, route) = (Slot::Raw(Raw::Target), Slot::Text(Text::HttpRoute));
    if !record.has(target) {
        record.copy(route, target);
    }
    // A caller can write a brace too: what is the path once more is no template.
    let is_template = |it: &str| it.contains('{') && record.text(target).map(path_of) != Some(it);
    if record.text(route).is_some_and(|it| !is_template(it)) {
        record.forget(route);
    }
    let (tool, resource) = (Slot::Text(Text::ToolName), Slot::Text(Text::ResourceUri));
    if record.text(Slot::Raw(Raw::Aside)).is_some_and(|it| it.starts_with("resource")) {
        record.copy(tool, resource);
        record.forget(tool);
    }
}

/// A target without its query.
fn path_of(target: &str) -> &str {
    target.split_once('?').map_or(target, |(path, _)| path)
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"timestamp":"2026-03-10T03:36:59.123456789Z","method":"GET","response_code":200,"api_name":"Orders","api_id":"a-1","org_id":"o-1","raw_request":"YzRuNHJ5","raw_response":"YzRuNHJ5","request_time_ms":7,"ip_address":"203.0.113.9","host":"gw.example.com","content_length":-1,"user_agent":"x","tags":null,{fields}}}"#
        );
        crate::format::check::check(FormatId::Tyk, &line, expected);
    }

    #[test]
    fn a_raw_key_is_kept_as_its_fingerprint() {
        check(
            r#""path":"/orders/{id}","raw_path":"/orders/981","api_key":"c4n4ry","oauth_id":"","alias":"acme""#,
            &[
                "time=2026-03-10T03:36:59.116456789Z",
                "duration_ns=7000000",
                "url_path=/orders/981",
                "http_route=/orders/{id}",
                "endpoint=GET /orders/{id}",
                "principal_id=key:8fcacba99bb3a505",
                "principal_type=api_key",
                "principal_name=acme",
                "credential_id=key:8fcacba99bb3a505",
                "http_request_body_size=",
                "tenant_id=o-1",
                "api_id=a-1",
            ],
        );
    }

    #[test]
    fn no_key_is_eight_zeros_and_a_client_comes_before_its_token() {
        check(
            r#""path":"/orders/981","raw_path":"/orders/981","api_key":"00000000","oauth_id":"","alias":"""#,
            &["principal_type=ip", "credential_id=", "http_route=", "endpoint=GET /orders/{int}"],
        );
        check(
            r#""path":"/orders/981","api_key":"c4n4ry","oauth_id":"client-42""#,
            &["principal_id=client-42", "principal_type=client", "url_path=/orders/981"],
        );
    }

    #[test]
    fn a_brace_in_the_path_makes_no_template() {
        for raw in [r#","raw_path":"/reset/{c4n4ry?x=1""#, ""] {
            check(
                &format!(r#""path":"/reset/{{c4n4ry","api_key":"k","oauth_id":""{raw}"#),
                &["http_route=", "endpoint_source=lexical"],
            );
        }
        check(
            r#""path":"/users/{id}","raw_path":"/users/{x","api_key":"k","oauth_id":"""#,
            &["http_route=/users/{id}"],
        );
    }

    #[test]
    fn mcp_calls_have_their_primitive() {
        check(
            r#""path":"/mcp","api_key":"k","oauth_id":"","mcp_stats":{"is_mcp":true,"jsonrpc_method":"resources/read","primitive_type":"resource","primitive_name":"file:///a"}"#,
            &[
                "mcp_method_name=resources/read",
                "resource_uri=file:///a",
                "tool_name=",
                "endpoint_source=rpc",
            ],
        );
    }
}

//! Kong's log plugins: `http-log`, `file-log`, `tcp-log`, `kafka-log`, with AI and MCP parts.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{Call, Record, Value};
use super::{Format, Reader};
use crate::identity::is_sentinel;
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "kong",
    about: "Kong gateway logs (http-log, file-log, tcp-log, kafka-log), also as arrays; MCP and A2A calls",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["latencies", "started_at", "request"],
            &["started_at", "request", "response", "client_ip"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("started_at", Raw::Time),
    Field::span("latencies.request", Int::DurationNs, How::Millis),
    Field::span("latencies.proxy", Int::UpstreamDurationNs, How::Millis),
    Field::text("request.method", Text::HttpRequestMethod),
    Field::raw("request.uri", Raw::Target),
    Field::raw("request.url", Raw::Url),
    // Up to 0.14.
    Field::raw("request.request_uri", Raw::Url),
    Field::int("request.size", Int::HttpRequestSize),
    Field::text("request.id", Text::RequestId),
    Field::raw("request.headers.host", Raw::Host),
    Field::text("request.headers.user-agent", Text::UserAgentOriginal),
    Field::text("request.headers.x-request-id", Text::RequestId),
    Field::text("request.headers.referer", Text::HttpRequestReferrer),
    Field::raw("request.headers.x-forwarded-for", Raw::Forwarded),
    // What a proxy before Kong adds.
    Field::raw("request.headers.x-real-ip", Raw::AsideToo),
    Field::raw("request.headers.forwarded", Raw::AsideToo),
    Field::raw("request.headers.via", Raw::AsideToo),
    Field::raw("request.headers.mcp-method", Raw::McpMethodHeader),
    Field::raw("request.headers.mcp-name", Raw::McpNameHeader),
    Field::text("request.headers.mcp-protocol-version", Text::McpProtocolVersion),
    Field::raw("request.headers.traceparent", Raw::Traceparent),
    Field::raw("request.tls.client_verify", Raw::CertificateVerify),
    // What an authentication plugin tells the service of a caller that it let in unknown; it removes the
    // header from requests that it authenticated.
    Field::flag("request.headers.x-anonymous-consumer", Raw::Aside),
    Field::int("response.status", Int::HttpResponseStatusCode),
    Field::int("response.size", Int::HttpResponseSize),
    Field::int("upstream_status", Int::UpstreamStatusCode),
    Field::raw("client_ip", Raw::Client),
    Field::text("route.name", Text::GatewayRoute),
    Field::text("route.id", Text::GatewayRoute),
    Field::text("service.name", Text::GatewayService),
    Field::text("service.id", Text::ApiId),
    Field::text("api.name", Text::GatewayService),
    Field::text("api.id", Text::ApiId),
    Field::text("workspace_name", Text::SourceInstance),
    identity!("kong", "consumer.id", IdConsumer, Consumer, Verified),
    // The audit's `name` may be the caller's group; its `id` is the caller's.
    identity!("kong", "ai.mcp.audit[].consumer.id", IdConsumer, Consumer, Verified),
    Field::text("consumer.username", Text::PrincipalName),
    Field::text("consumer.custom_id", Text::PrincipalName),
    identity!("kong", "authenticated_entity.id", IdCredential, ApiKey, Verified),
    identity!("kong", "ai.mcp.rpc[].mcp_session_id", IdSession, Session, Asserted).secret(),
    identity!("kong", "ai.mcp.mcp_session_id", IdSession, Session, Asserted).secret(),
    Field::text("ai.mcp.mcp_server_id", Text::McpServer),
    Field::text("ai.mcp.protocol_version", Text::McpProtocolVersion),
    Field::text("ai.mcp.rpc[].method", Text::McpMethodName),
    Field::text("ai.mcp.rpc[].tool_name", Text::ToolName),
    Field::int("ai.mcp.rpc[].error", Int::RpcErrorCode),
    Field::int("ai.mcp.rpc[].error.code", Int::RpcErrorCode),
    Field::text("ai.mcp.audit[].primitive", Text::RpcMethod),
    Field::text("ai.mcp.audit[].primitive_name", Text::ToolName),
    Field::text("ai.mcp.audit[].action", Text::PolicyDecision),
    Field::text("ai.mcp.audit[].scope", Text::PolicyReason),
    Field::text("ai.a2a.rpc[].method", Text::McpMethodName),
    Field::int("ai.a2a.rpc[].error", Int::RpcErrorCode),
    Field::int("ai.a2a.rpc[].error.code", Int::RpcErrorCode),
    Field::text("ai.proxy.meta.request_model", Text::GenAiRequestModel),
    Field::text("ai.proxy.meta.provider_name", Text::GenAiProviderName),
    Field::int("ai.proxy.usage.prompt_tokens", Int::GenAiUsageInputTokens),
    Field::int("ai.proxy.usage.prompt_token", Int::GenAiUsageInputTokens),
    Field::int("ai.proxy.usage.completion_tokens", Int::GenAiUsageOutputTokens),
    Field::int("ai.proxy.usage.completion_token", Int::GenAiUsageOutputTokens),
    // Other AI plugins write the same under their own names.
    Field::text("ai.*.meta.request_model", Text::GenAiRequestModel),
    Field::text("ai.*.meta.provider_name", Text::GenAiProviderName),
    Field::int("ai.*.usage.prompt_tokens", Int::GenAiUsageInputTokens),
    Field::int("ai.*.usage.prompt_token", Int::GenAiUsageInputTokens),
    Field::int("ai.*.usage.completion_tokens", Int::GenAiUsageOutputTokens),
    Field::int("ai.*.usage.completion_token", Int::GenAiUsageOutputTokens),
];

/// The places of a call's slots, in the order of `CALL_SLOTS`.
const METHOD: usize = 0;
const TOOL: usize = 1;
const DECISION: usize = 3;
const REASON: usize = 4;
const PRIMITIVE: usize = 5;

/// Where the calls of other agents stand.
const A2A_CALLS: &str = "ai.a2a.";
static A2A: Field = Field::text("ai.a2a", Text::RpcSystem);

/// Joins what was called with what was decided about it, and tells calls of agents from those of tools.
///
/// A denied call has an audit entry only; an allowed one has both, which are one event.
fn finish(record: &mut Record<'_>) {
    nobody(record);
    if record.calls.is_empty() {
        return loopback(record);
    }
    let is_audit = |call: &Call<'_>| call[DECISION].is_some() || call[PRIMITIVE].is_some();
    let (audits, mut calls): (Vec<_>, Vec<_>) = record.calls.drain(..).partition(is_audit);
    for call in &mut calls {
        if call[METHOD].is_some_and(|it| it.field.name.starts_with(A2A_CALLS)) {
            call[PRIMITIVE] = call[METHOD].take();
            record.put(&A2A, 0, Value::Line("a2a"));
        }
    }
    for mut audit in audits {
        // A list filter (no name) says nothing about a call that was made.
        let Some(tool) = audit[TOOL] else { continue };
        // Of several calls of one tool each has a decision of its own.
        let same = |call: &&mut Call<'_>| {
            call[DECISION].is_none() && text(record, call, TOOL) == text(record, &audit, TOOL)
        };
        if let Some(call) = calls.iter_mut().find(same) {
            call[DECISION] = audit[DECISION];
            call[REASON] = audit[REASON];
            continue;
        }
        let method = match text(record, &audit, PRIMITIVE) {
            Some("resource") => "resources/read",
            Some("prompt") => "prompts/get",
            _ => "tools/call",
        };
        audit[PRIMITIVE] = None;
        audit[METHOD] = Some(super::record::Filled { value: Value::Line(method), ..tool });
        calls.push(audit);
    }
    record.calls = calls;
}

/// The consumer that stands for callers without credentials is nobody.
fn nobody(record: &mut Record<'_>) {
    let says = record.text(Slot::Raw(Raw::Aside));
    let name = record.text(Slot::Text(Text::PrincipalName));
    if says.is_some_and(|it| it.eq_ignore_ascii_case("true")) || name.is_some_and(is_sentinel) {
        record.forget(Slot::Raw(Raw::IdConsumer));
        record.forget(Slot::Text(Text::PrincipalName));
    }
}

static DIRECTION: Field = Field::text("client_ip", Text::GatewayDirection);

/// Kong calls itself where it makes a tool of an API: that call has no id in common with the tool's.
fn loopback(record: &mut Record<'_>) {
    let client = record.text(Slot::Raw(Raw::Client)).unwrap_or("");
    if !client.starts_with("127.") && client != "::1" {
        return;
    }
    record.put(&DIRECTION, 0, Value::Line("internal"));
    // What asks is Kong's own client, unless it passes the caller's headers on. Behind a proxy on the same
    // host anybody can use its name: then the record has what the proxy or a plugin knew of the caller.
    let others = [Raw::Forwarded, Raw::AsideToo, Raw::IdConsumer, Raw::IdCredential];
    if others.into_iter().any(|it| record.has(Slot::Raw(it))) {
        return;
    }
    let agent = record.text(Slot::Text(Text::UserAgentOriginal));
    if agent.is_some_and(|it| it.starts_with("lua-resty-http/")) {
        record.refuse(Reject::Repeated);
    }
}

fn text<'r>(record: &'r Record<'_>, call: &'r Call<'_>, place: usize) -> Option<&'r str> {
    record.text_of(call.get(place).copied().flatten()?.value)
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;
    use model::Int;

    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"started_at":1726783839538,"client_ip":"192.168.65.1","request":{{"method":"POST","uri":"/mcp","size":"139","headers":{{"apikey":"c4n4ry","user-agent":"x"}}}},"response":{{"status":200,"size":99}},"latencies":{{"request":173,"proxy":-1}},{fields}}}"#
        );
        crate::format::check::check(FormatId::Kong, &line, expected);
    }

    #[test]
    fn a_consumer_is_the_principal_and_its_credential_stands_beside_it() {
        check(
            r#""consumer":{"id":"c-1","username":"acme","tags":{}},"authenticated_entity":{"id":"k-1"},"upstream_status":"""#,
            &[
                "principal_id=c-1",
                "principal_type=consumer",
                "principal_trust=verified",
                "principal_source=kong.consumer.id",
                "principal_name=acme",
                "credential_id=k-1",
                "http_request_size=139",
                "http_response_size=99",
                "upstream_duration_ns=",
                "upstream_status_code=",
            ],
        );
        check(
            r#""authenticated_entity":{"id":"k-1"}"#,
            &["principal_id=k-1", "principal_type=api_key"],
        );
    }

    #[test]
    fn the_anonymous_consumer_is_nobody() {
        let expected = ["principal_id=192.168.65.1", "principal_type=ip", "principal_name="];
        check(r#""consumer":{"id":"c-0","username":"anonymous"}"#, &expected);
        for word in ["true", "\"true\""] {
            crate::format::check::check(
                FormatId::Kong,
                &format!(
                    r#"{{"started_at":1726783839538,"client_ip":"192.168.65.1","request":{{"method":"GET","uri":"/","headers":{{"x-anonymous-consumer":{word}}}}},"response":{{"status":200}},"latencies":{{"request":1}},"consumer":{{"id":"c-0","username":"guests"}}}}"#
                ),
                &expected,
            );
        }
    }

    #[test]
    fn every_mcp_call_is_an_event_of_its_own() {
        check(
            r#""ai":{"mcp":{"mcp_session_id":"s-1","rpc":[{"method":"tools/call","tool_name":"create_issue","payload":{"request":"c4n4ry"}},{"method":"tools/list","error":-32601}],"audit":[{"primitive":"tool","primitive_name":"create_issue","action":"allow","consumer":{"id":"x"}}]}}"#,
            &[
                "events=2",
                "endpoint=mcp tools/call create_issue",
                "endpoint_source=rpc",
                "rpc_system=mcp",
                "tool_name=create_issue",
                "policy_decision=allow",
                "session_id=key:7c140b4b770326e3",
                "principal_id=x",
                "principal_type=consumer",
            ],
        );
    }

    #[test]
    fn each_call_of_a_tool_has_the_decision_about_it() {
        let of = |rpc: &str, audits: &str, expected: &[&str]| {
            check(&format!(r#""ai":{{"mcp":{{"rpc":[{rpc}],"audit":[{audits}]}}}}"#), expected);
        };
        let (list, call) =
            (r#"{"method":"tools/list"}"#, r#"{"method":"tools/call","tool_name":"a"}"#);
        let audit = |name: &str, action: &str| {
            format!(r#"{{"primitive":"tool","primitive_name":{name},"action":"{action}"}}"#)
        };
        of(
            &format!("{list},{call}"),
            &audit("null", "deny"),
            &["events=2", "endpoint=mcp tools/list", "policy_decision="],
        );
        of(
            &format!("{call},{call}"),
            &format!("{},{}", audit("\"a\"", "allow"), audit("\"a\"", "deny")),
            &["events=2", "endpoint=mcp tools/call a", "policy_decision=allow"],
        );
    }

    #[test]
    fn the_bytes_and_tokens_of_a_record_stand_with_its_first_call() {
        let line = r#"{"started_at":1726783839538,"client_ip":"192.168.65.1","request":{"method":"POST","uri":"/mcp","size":139},"response":{"status":200,"size":99},"latencies":{"request":173},"ai":{"proxy":{"usage":{"prompt_tokens":28}},"mcp":{"rpc":[{"method":"tools/call","tool_name":"a"},{"method":"tools/call","tool_name":"b"}]}}}"#;
        let parsed = crate::format::check::parse(line.as_bytes(), Some(FormatId::Kong));
        let sums = |column: Int| -> Vec<Option<i64>> {
            parsed.batch.events.iter().map(|it| it.int(column)).collect()
        };
        let (bytes, tokens) = (sums(Int::HttpResponseSize), sums(Int::GenAiUsageInputTokens));
        assert_eq!((bytes, tokens), (vec![Some(99), None], vec![Some(28), None]));
        let lasted = sums(Int::DurationNs);
        assert_eq!(lasted, [Some(173_000_000), Some(173_000_000)]);
    }

    #[test]
    fn a_call_of_an_agent_is_no_call_of_a_tool() {
        check(
            r#""ai":{"a2a":{"rpc":[{"method":"message/send","binding":"jsonrpc","latency":5,"task_state":"completed","payload":{"request":"c4n4ry"}}]}}"#,
            &["events=1", "endpoint=a2a message/send", "rpc_system=a2a", "mcp_method_name="],
        );
    }

    #[test]
    fn the_numbers_of_an_ai_plugin_stand_under_its_name() {
        check(
            r#""ai":{"payload":{"request":"c4n4ry"},"ai-request-transformer":{"meta":{"request_model":"command","provider_name":"cohere"},"usage":{"prompt_token":28,"completion_token":20}}}"#,
            &[
                "gen_ai_request_model=command",
                "gen_ai_provider_name=cohere",
                "gen_ai_usage_input_tokens=28",
                "gen_ai_usage_output_tokens=20",
            ],
        );
        check(
            r#""ai":{"other":{"meta":{"request_model":"b"}},"proxy":{"meta":{"request_model":"a"}},"another":{"meta":{"request_model":"c"}}}"#,
            &["gen_ai_request_model=a"],
        );
    }

    #[test]
    fn kongs_own_client_is_known_by_more_than_its_name() {
        let of = |more: &str, expected: &[&str]| {
            let line = format!(
                r#"{{"started_at":1726783839538,"client_ip":"127.0.0.1","request":{{"method":"GET","uri":"/","headers":{{"user-agent":"lua-resty-http/0.17"{more}}}}},"response":{{"status":200}},"latencies":{{"request":1}}}}"#
            );
            crate::format::check::check(FormatId::Kong, &line, expected);
        };
        of("", &["reject=repeated"]);
        of(r#","x-forwarded-for":"9.9.9.9""#, &["events=1", "gateway_direction=internal"]);
        of(r#","via":"1.1 edge""#, &["events=1"]);
    }

    #[test]
    fn a_denied_mcp_call_is_known_from_the_audit_alone() {
        check(
            r#""ai":{"mcp":{"audit":[{"primitive":"tool","primitive_name":"drop_table","action":"deny","scope":"global"},{"primitive":"tool","primitive_name":null,"action":"allow"}]}}"#,
            &[
                "events=1",
                "endpoint=mcp tools/call drop_table",
                "policy_decision=deny",
                "policy_reason=global",
            ],
        );
    }
}

//! agentgateway's request log: `time level request key=value key="value" …`.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "agentgateway",
    about: "agentgateway request logs as text (MCP, A2A, models, HTTP)",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    // The line is written when the response is done.
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

/// The fields of both notations, also by the names of earlier releases.
pub(super) static FIELDS: &[Field] = &[
    Field::raw("time", Raw::Time),
    Field::span("duration", Int::DurationNs, How::Millis),
    Field::raw("src.addr", Raw::Client),
    Field::text("http.method", Text::HttpRequestMethod),
    Field::raw("http.path", Raw::Target),
    Field::raw("http.host", Raw::Host),
    Field::raw("http.version", Raw::Protocol),
    Field::int("http.status", Int::HttpResponseStatusCode),
    Field::int("http.request.body.size", Int::HttpRequestBodySize),
    Field::int("http.response.body.size", Int::HttpResponseBodySize),
    Field::text("trace.id", Text::TraceId),
    Field::text("span.id", Text::SpanId),
    Field::text("user_agent.original", Text::UserAgentOriginal),
    Field::text("gateway", Text::SourceInstance),
    Field::text("route", Text::GatewayRoute),
    // The upstream's address.
    Field::text("endpoint", Text::GatewayService),
    Field::text("reason", Text::PolicyReason),
    Field::text("mcp.method.name", Text::McpMethodName),
    Field::text("mcp.method", Text::McpMethodName),
    Field::text("mcp.target", Text::McpServer),
    Field::text("mcp.protocol.version", Text::McpProtocolVersion),
    Field::raw("mcp.resource.type", Raw::Aside),
    Field::raw("mcp.resource.name", Raw::AsideToo),
    Field::raw("a2a.method", Raw::AsideThree),
    Field::text("gen_ai.tool.name", Text::ToolName),
    Field::text("mcp.tool.name", Text::ToolName),
    Field::text("mcp.tool", Text::ToolName),
    Field::text("mcp.resource.uri", Text::ResourceUri),
    Field::int("mcp.error.code", Int::RpcErrorCode),
    Field::int("a2a.response.error_code", Int::RpcErrorCode),
    Field::text("gen_ai.request.model", Text::GenAiRequestModel),
    Field::text("llm.request.model", Text::GenAiRequestModel),
    Field::text("gen_ai.provider.name", Text::GenAiProviderName),
    Field::text("gen_ai.system", Text::GenAiProviderName),
    Field::text("llm.provider", Text::GenAiProviderName),
    Field::int("gen_ai.usage.input_tokens", Int::GenAiUsageInputTokens),
    Field::int("llm.request.tokens", Int::GenAiUsageInputTokens),
    Field::int("gen_ai.usage.output_tokens", Int::GenAiUsageOutputTokens),
    Field::int("llm.response.tokens", Int::GenAiUsageOutputTokens),
    Field::text("gen_ai.agent.id", Text::AgentId),
    Field::text("gen_ai.agent.name", Text::AgentName),
    Field::raw("jwt.iss", Raw::Issuer),
    Field::raw("jwt.act.sub", Raw::Actor),
    Field::raw("jwt.act.act.sub", Raw::EarlierActor),
    identity!("agentgateway", "jwt.sub", IdSubject, User, Verified),
    identity!("agentgateway", "jwt.azp", IdClient, Client, Verified),
    identity!("agentgateway", "jwt.client_id", IdClient, Client, Verified),
    // The workload on the other end of mutual TLS.
    identity!("agentgateway", "src.identity", IdCertificate, Mtls, Verified),
    identity!("agentgateway", "mcp.session.id", IdSession, Session, Asserted),
];

static A2A: Field = Field::text("a2a.method", Text::RpcSystem);

/// Puts what MCP and A2A call things where they belong, and the workload behind the user that it acts for.
pub(super) fn finish(record: &mut Record<'_>) {
    let (kind, name) = (Slot::Raw(Raw::Aside), Slot::Raw(Raw::AsideToo));
    let (tool, resource) = (Slot::Text(Text::ToolName), Slot::Text(Text::ResourceUri));
    match record.text(kind) {
        Some("resource") if !record.has(resource) => record.copy(name, resource),
        Some("tool" | "prompt") if !record.has(tool) => record.copy(name, tool),
        _ => {}
    }
    let a2a = Slot::Raw(Raw::AsideThree);
    if record.has(a2a) {
        record.copy(a2a, Slot::Text(Text::RpcMethod));
        record.put(&A2A, 0, Value::Line("a2a"));
    }
    let (workload, actor) = (Slot::Raw(Raw::IdCertificate), Slot::Raw(Raw::Actor));
    if record.has(Slot::Raw(Raw::IdSubject)) && !record.has(actor) {
        record.copy(workload, actor);
    }
}

/// Pairs of one line that are looked at.
const PAIRS_MAX: usize = 256;

/// A date, a level and the scope `request`.
fn looks(line: &str) -> bool {
    matches!(
        line.as_bytes(),
        [b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'0'..=b'9', b'-', _, _, b'-', _, _, b'T', ..]
    ) && head(line).is_some_and(|(_, scope, pairs)| scope == "request" && pairs.contains('='))
}

/// Time, scope, pairs.
fn head(line: &str) -> Option<(&str, &str, &str)> {
    let (time, rest) = word(line.trim_ascii())?;
    let (_level, rest) = word(rest)?;
    let (scope, pairs) = word(rest)?;
    Some((time, scope, pairs))
}

fn word(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text.split_once([' ', '\t'])?;
    Some((word, rest.trim_ascii_start()))
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let (time, scope, mut rest) = head(line).ok_or(Reject::UnknownFormat)?;
    if scope != "request" {
        return Err(Reject::NotAccessLog);
    }
    put(record, "time", time);
    for _ in 0..PAIRS_MAX {
        let Some((key, value)) = rest.split_once('=') else { break };
        // What was no pair stands before the key's word.
        let key = key.rsplit([' ', '\t']).next().unwrap_or(key);
        let bare = || value.split_once([' ', '\t']).unwrap_or((value, ""));
        let (value, tail) = value.strip_prefix('"').and_then(quoted).unwrap_or_else(bare);
        put(record, key, value);
        rest = tail;
    }
    finish(record);
    Ok(())
}

/// The inside of a quoted value, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', text.as_bytes().get(from..)?)?;
        if text.as_bytes().get(at) == Some(&b'"') {
            return Some((text.get(..at)?, text.get(at + 1..)?));
        }
        from = at + 2;
    }
}

/// Fills the slot of a key. Of a key that stands twice the first counts: what callers write stands late.
fn put<'a>(record: &mut Record<'a>, key: &str, value: &'a str) {
    let Some(rank) = FIELDS.iter().position(|it| it.name == key) else { return };
    let Some(field) = FIELDS.get(rank) else { return };
    let rank = rank as u16;
    if record.filled(field.slot).is_some_and(|it| it.rank == rank) {
        return;
    }
    if value.contains('\\') {
        record.put_copied(field, rank, &value.replace("\\\"", "\"").replace("\\\\", "\\"));
    } else {
        record.put(field, rank, Value::Line(value));
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(pairs: &str, expected: &[&str]) {
        let line = format!(
            "2026-03-10T03:36:59.123456Z\tinfo\trequest\tgateway=default/gw route=default/mcp src.addr=10.1.2.3:51022 http.method=POST http.host=mcp.example.com http.path=/mcp?token=c4n4ry http.version=HTTP/1.1 http.status=200 {pairs}"
        );
        crate::format::check::check(FormatId::Agentgateway, &line, expected);
    }

    #[test]
    fn an_agent_calls_a_tool_for_a_user() {
        check(
            "src.identity=spiffe://cluster.local/ns/a/sa/planner jwt.sub=alice protocol=mcp mcp.method.name=tools/call mcp.target=github mcp.resource.type=tool gen_ai.tool.name=create_issue mcp.session.id=s-1 duration=41ms",
            &[
                "time=2026-03-10T03:36:59.082456Z",
                "time_kind=end_minus_duration",
                "duration_ns=41000000",
                "principal_id=alice",
                "principal_trust=verified",
                "actor_chain=spiffe://cluster.local/ns/a/sa/planner",
                "session_id=s-1",
                "endpoint=mcp tools/call create_issue",
                "mcp_server=github",
                "client_address=10.1.2.3",
                "url_query=token=REDACTED",
                "http_response_status_code=200",
            ],
        );
    }

    #[test]
    fn an_error_under_status_200_is_kept() {
        check(
            r#"mcp.method.name=tools/call mcp.resource.type=tool mcp.resource.name=drop mcp.error.code=-32602 mcp.error.message="Unknown tool: \"drop\" jwt.sub=eve" jwt.sub=jo jwt.sub=eve duration=1.2ms"#,
            &[
                "tool_name=drop",
                "rpc_error_code=-32602",
                "http_response_status_code=200",
                "duration_ns=1200000",
                "principal_id=jo",
            ],
        );
        check(
            "a2a.method=message/stream a2a.response.outcome=error a2a.response.error_code=-32602 duration=2ms",
            &["endpoint=a2a message/stream", "rpc_system=a2a", "rpc_error_code=-32602"],
        );
    }

    #[test]
    fn other_scopes_are_messages() {
        crate::format::check::check(
            FormatId::Agentgateway,
            "2026-03-10T03:36:59.123456Z\tinfo\tstate_manager\tloaded config from File",
            &["reject=not_access_log"],
        );
    }
}

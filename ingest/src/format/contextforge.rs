//! IBM ContextForge's audit rows: what users and their agents did with tools, resources and prompts.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "contextforge",
    about: "IBM ContextForge MCP gateway audit rows in JSON",
    aliases: &["mcp_context_forge"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["acting_as", "delegation_chain"],
            &["action", "resource_type", "auth_method", "user_id"],
            &["action", "resource_type", "user_email", "success"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    // What was done has a name; there may be no path.
    needs_request: false,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("timestamp", Raw::Time),
    Field::raw("created_at", Raw::Time),
    Field::span("duration_ms", Int::DurationNs, How::Millis),
    Field::text("action", Text::Endpoint),
    Field::raw("resource_type", Raw::Aside),
    Field::raw("resource_name", Raw::AsideToo),
    Field::raw("resource_id", Raw::AsideToo),
    Field::text("request_method", Text::HttpRequestMethod),
    Field::raw("request_path", Raw::Target),
    Field::int("status_code", Int::HttpResponseStatusCode),
    Field::raw("client_ip", Raw::Client),
    Field::text("user_agent", Text::UserAgentOriginal),
    Field::text("correlation_id", Text::RequestId),
    Field::text("request_id", Text::RequestId),
    Field::text("trace_id", Text::TraceId),
    Field::text("auth_method", Text::AuthMethod),
    Field::text("team_id", Text::TenantId),
    Field::text("user_email", Text::PrincipalName),
    Field::flag("success", Raw::AsideThree),
    Field::raw("acting_as", Raw::Actor),
    Field::raw("delegation_chain.chain", Raw::Actor),
    identity!("contextforge", "user_id", IdSubject, User, Verified),
];

static DECISION: Field = Field::text("success", Text::PolicyDecision);
static METHOD: Field = Field::text("resource_type", Text::McpMethodName);

/// Names the use of a tool, resource or prompt as MCP does; what else was done keeps its own name.
fn finish(record: &mut Record<'_>) {
    let (kind, action) = (Slot::Raw(Raw::Aside), Slot::Text(Text::Endpoint));
    let uses = |action: &str| {
        let verbs = ["call", "execute", "get", "invoke", "read", "render", "use"];
        verbs.iter().any(|it| it.eq_ignore_ascii_case(action))
    };
    if !record.has(action) && !super::has_request(record) {
        record.refuse(Reject::UnknownFormat);
    }
    refusal(record);
    if !record.text(action).is_some_and(uses) {
        return;
    }
    let (method, to) = match record.text(kind) {
        Some("tool") => ("tools/call", Text::ToolName),
        Some("resource") => ("resources/read", Text::ResourceUri),
        Some("prompt") => ("prompts/get", Text::ToolName),
        _ => return,
    };
    record.copy(Slot::Raw(Raw::AsideToo), Slot::Text(to));
    record.put(&METHOD, 0, Value::Line(method));
    record.forget(action);
}

/// What did not succeed was denied, unless the status says that the server failed; who could not log in is
/// nobody whose name is known.
fn refusal(record: &mut Record<'_>) {
    let status = record.int(Slot::Int(Int::HttpResponseStatusCode));
    let says = record.text(Slot::Raw(Raw::AsideThree));
    let is_failure = says.is_some_and(|it| it.eq_ignore_ascii_case("false"));
    let is_login = record.text(Slot::Text(Text::Endpoint)).is_some_and(|action| {
        let names = ["authenticate", "authentication", "login", "sign_in", "token_validation"];
        names.iter().any(|it| it.eq_ignore_ascii_case(action))
    });
    record.is_claimed = status == Some(401) || is_failure && is_login;
    if is_failure && status.is_none_or(|it| it < 500) {
        record.put(&DECISION, 0, Value::Line("deny"));
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"timestamp":"2026-03-10T03:36:59.123Z","user_id":"u-1","user_email":"jo@example.com","auth_method":"jwt","client_ip":"203.0.113.9","success":true,{fields}}}"#
        );
        crate::format::check::check(FormatId::Contextforge, &line, expected);
    }

    #[test]
    fn the_use_of_a_tool_is_a_call_and_other_actions_keep_their_names() {
        check(
            r#""action":"execute","resource_type":"tool","resource_name":"send","new_values":{"to":"c4n4ry"}"#,
            &[
                "endpoint=mcp tools/call send",
                "principal_id=u-1",
                "principal_name=jo@example.com",
                "principal_trust=verified",
                "auth_method=jwt",
            ],
        );
        check(
            r#""action":"delete","resource_type":"tool","resource_name":"send""#,
            &["endpoint=delete", "endpoint_source=operation", "tool_name="],
        );
    }

    #[test]
    fn what_did_not_succeed_was_denied_and_a_failed_login_names_nobody() {
        let of = |fields: &str, expected: &[&str]| {
            let line = format!(
                r#"{{"timestamp":"2026-03-10T03:36:59.123Z","user_id":"u-1","user_email":"jo@example.com","auth_method":"jwt","client_ip":"203.0.113.9",{fields}}}"#
            );
            crate::format::check::check(FormatId::Contextforge, &line, expected);
        };
        of(
            r#""success":false,"action":"execute","resource_type":"tool","resource_name":"send""#,
            &["policy_decision=deny", "principal_id=u-1", "endpoint=mcp tools/call send"],
        );
        of(
            r#""success":false,"action":"login","resource_type":"user""#,
            &["principal_id=203.0.113.9", "principal_trust=claimed", "principal_claimed=u-1"],
        );
        of(
            r#""success":false,"action":"read","resource_type":"server","status_code":401"#,
            &["principal_trust=claimed", "policy_decision=deny"],
        );
        of(
            r#""success":false,"action":"read","resource_type":"server","status_code":502"#,
            &["principal_id=u-1", "policy_decision="],
        );
        of(
            r#""success":true,"action":"login","resource_type":"user""#,
            &["principal_id=u-1", "policy_decision="],
        );
    }
}

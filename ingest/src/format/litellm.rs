//! LiteLLM's calls of language models and tools: the standard logging payload, spend logs, older callbacks.
//!
//! Prompts and answers are never read.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "litellm",
    about: "LiteLLM's StandardLoggingPayload, spend logs and older callbacks in JSON",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["call_type", "model_group"],
            &["call_type", "startTime", "endTime"],
            &["call_type", "start_time", "end_time", "model"],
            &["call_type", "litellm_call_id"],
            &["model", "metadata.user_api_key_hash"],
            &["model", "metadata.user_api_key_alias"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    // A call that went well has neither a status nor a path.
    needs_request: false,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("startTime", Raw::Time),
    Field::raw("start_time", Raw::Time),
    Field::raw("endTime", Raw::EndTime),
    Field::raw("end_time", Raw::EndTime),
    // The time to the first token where the answer is streamed: better than nothing.
    Field::span("response_time", Int::DurationNs, How::Seconds),
    Field::text("call_type", Text::Endpoint),
    Field::raw("metadata.user_api_key_request_route", Raw::Target),
    Field::int("error_information.error_code", Int::HttpResponseStatusCode),
    Field::int("metadata.error_information.error_code", Int::HttpResponseStatusCode),
    Field::int("exception_status_code", Int::HttpResponseStatusCode),
    Field::text("id", Text::RequestId),
    Field::text("request_id", Text::RequestId),
    Field::text("litellm_call_id", Text::RequestId),
    Field::text("model", Text::GenAiRequestModel),
    Field::text("custom_llm_provider", Text::GenAiProviderName),
    Field::text("error_information.llm_provider", Text::GenAiProviderName),
    Field::int("prompt_tokens", Int::GenAiUsageInputTokens),
    Field::int("usage.prompt_tokens", Int::GenAiUsageInputTokens),
    Field::int("completion_tokens", Int::GenAiUsageOutputTokens),
    Field::int("usage.completion_tokens", Int::GenAiUsageOutputTokens),
    Field::raw("requester_ip_address", Raw::Client),
    Field::raw("metadata.requester_ip_address", Raw::Client),
    Field::text("user_agent", Text::UserAgentOriginal),
    Field::text("metadata.user_agent", Text::UserAgentOriginal),
    Field::text("metadata.user_api_key_alias", Text::PrincipalName),
    Field::text("metadata.user_api_key_org_id", Text::TenantId),
    Field::text("organization_id", Text::TenantId),
    Field::text("metadata.mcp_tool_call_metadata.name", Text::ToolName),
    Field::text("mcp_tool_call_metadata.name", Text::ToolName),
    Field::text("metadata.mcp_tool_call_metadata.mcp_server_name", Text::McpServer),
    Field::text("mcp_tool_call_metadata.mcp_server_name", Text::McpServer),
    // `server/tool` or `server-tool`.
    Field::text("mcp_namespaced_tool_name", Text::ToolName),
    Field::text("agent_id", Text::AgentId),
    Field::text("metadata.agent_id", Text::AgentId),
    // The SHA-256 of a virtual key, and an id in the proxy's own tables.
    identity!("litellm", "metadata.user_api_key_hash", IdCredential, ApiKey, Verified),
    // A hash as well, or the master key itself.
    identity!("litellm", "metadata.user_api_key", IdCredential, ApiKey, Verified).secret(),
    identity!("litellm", "api_key", IdCredential, ApiKey, Verified).secret(),
    identity!("litellm", "metadata.user_api_key_user_id", IdUser, User, Verified),
    identity!("litellm", "user", IdUser, User, Asserted),
    identity!("litellm", "session_id", IdSession, Session, Asserted).secret(),
];

static TOOL_CALL: Field = Field::text("call_type", Text::McpMethodName);

/// Tells calls of tools from calls of models: both have a type of call.
fn finish(record: &mut Record<'_>) {
    if record.has(Slot::Raw(Raw::EndTime)) {
        record.forget(Slot::Int(Int::DurationNs));
    }
    let operation = Slot::Text(Text::Endpoint);
    let method = match record.text(operation) {
        Some("call_mcp_tool") => "tools/call",
        Some("list_mcp_tools") => "tools/list",
        _ if record.has(Slot::Text(Text::ToolName)) => "tools/call",
        _ => return,
    };
    record.forget(operation);
    record.put(&TOOL_CALL, 0, Value::Line(method));
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    const HASH: &str = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b";

    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"id":"chatcmpl-1","startTime":1773113819.123456,"endTime":1773113820.5,"response_time":0.4,"model":"gpt-4o","model_group":"gpt-4o","messages":[{{"content":"c4n4ry"}}],"response":{{"choices":["c4n4ry"]}},{fields}}}"#
        );
        crate::format::check::check(FormatId::Litellm, &line, expected);
    }

    #[test]
    fn a_virtual_key_is_the_principal_and_the_duration_lies_between_the_times() {
        check(
            &format!(
                r#""call_type":"acompletion","status":"success","prompt_tokens":14,"completion_tokens":21,"metadata":{{"user_api_key_hash":"{HASH}","user_api_key_alias":"ci-bot","user_api_key_user_id":"u-42"}},"requester_ip_address":"10.9.8.7","end_user":"customer-9""#
            ),
            &[
                "duration_ns=1376544000",
                "endpoint=acompletion",
                "endpoint_source=operation",
                &format!("principal_id={HASH}"),
                "principal_type=api_key",
                "principal_trust=verified",
                "principal_name=ci-bot",
                "gen_ai_request_model=gpt-4o",
                "gen_ai_usage_input_tokens=14",
                "client_address=10.9.8.7",
                "http_response_status_code=",
            ],
        );
    }

    #[test]
    fn a_failure_has_its_status_as_text() {
        check(
            r#""call_type":"acompletion","status":"failure","error_information":{"error_code":"429","llm_provider":"openai"}"#,
            &["http_response_status_code=429", "gen_ai_provider_name=openai"],
        );
    }

    #[test]
    fn a_tool_is_called_by_its_name() {
        check(
            r#""call_type":"call_mcp_tool","metadata":{"user_api_key":"c4n4ry","mcp_tool_call_metadata":{"name":"send","mcp_server_name":"mail","arguments":{"to":"c4n4ry"}}}"#,
            &[
                "endpoint=mcp tools/call send",
                "mcp_server=mail",
                "principal_id=key:8fcacba99bb3a505",
            ],
        );
    }

    #[test]
    fn an_older_callback_has_times_as_text() {
        crate::format::check::check(
            FormatId::Litellm,
            r#"{"id":"c-1","call_type":"completion","cache_hit":null,"startTime":"2026-03-10 03:36:59.250000","endTime":"2026-03-10 03:37:00.500000","model":"gpt-4","user":"jo","usage":{"prompt_tokens":3,"completion_tokens":4},"messages":"c4n4ry","response":"c4n4ry"}"#,
            &[
                "time=2026-03-10T03:36:59.250Z",
                "duration_ns=1250000000",
                "principal_id=jo",
                "gen_ai_usage_output_tokens=4",
            ],
        );
    }
}

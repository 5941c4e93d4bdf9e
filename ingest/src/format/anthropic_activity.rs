//! Anthropic's activity feed of an organisation: what its members and keys did.

use super::field::{Field, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use model::{Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "anthropic_activity",
    about: "Anthropic organisation activities (compliance API)",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[&["organization_id", "created_at", "type", "actor.type"]],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    // What was done has a name; there is no path.
    needs_request: false,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("created_at", Raw::Time),
    Field::text("type", Text::Endpoint),
    Field::text("id", Text::RequestId),
    Field::text("organization_id", Text::TenantId),
    Field::raw("actor.ip_address", Raw::Client),
    Field::text("actor.user_agent", Text::UserAgentOriginal),
    Field::text("actor.email_address", Text::PrincipalName),
    Field::text("mcp_server_name", Text::McpServer),
    Field::text("workspace_id", Text::GatewayService),
    identity!("anthropic_activity", "actor.user_id", IdSubject, User, Verified),
    identity!("anthropic_activity", "actor.api_key_id", IdCredential, ApiKey, Verified),
    identity!("anthropic_activity", "actor.admin_api_key_id", IdCredential, ApiKey, Verified),
    identity!("anthropic_activity", "actor.directory_id", IdConsumer, Service, Verified),
    // Somebody who said so and was not asked for a proof yet.
    identity!("anthropic_activity", "actor.unauthenticated_email_address", IdUser, User, Asserted),
];

static DECISION: Field = Field::text("type", Text::PolicyDecision);

/// Who failed to log in is not yet who that name belongs to; an access that failed was denied.
fn finish(record: &mut Record<'_>) {
    let Some(kind) = record.text(Slot::Text(Text::Endpoint)) else { return };
    if !kind.ends_with("_failed") {
        return;
    }
    let is_login = ["login", "sign_in", "sso"].iter().any(|it| kind.contains(it));
    record.is_claimed |= is_login;
    record.put(&DECISION, 0, Value::Line("deny"));
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(kind: &str, actor: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"id":"activity_1","created_at":"2026-03-10T03:36:59Z","organization_id":"org_1","type":"{kind}","mcp_server_name":"Snow","actor":{actor}}}"#
        );
        crate::format::check::check(FormatId::AnthropicActivity, &line, expected);
    }

    #[test]
    fn a_member_or_a_key_is_the_principal() {
        check(
            "mcp_server_created",
            r#"{"type":"user_actor","email_address":"jo@example.com","user_id":"user_1","ip_address":"203.0.113.9","user_agent":"x"}"#,
            &[
                "endpoint=mcp_server_created",
                "principal_id=user_1",
                "principal_name=jo@example.com",
                "tenant_id=org_1",
                "mcp_server=Snow",
                "policy_decision=",
            ],
        );
        check(
            "claude_chat_access_failed",
            r#"{"type":"api_actor","api_key_id":"key_1","ip_address":"203.0.113.9"}"#,
            &["principal_id=key_1", "principal_type=api_key", "policy_decision=deny"],
        );
    }

    #[test]
    fn a_failed_login_counts_for_its_source() {
        check(
            "sso_login_failed",
            r#"{"type":"unauthenticated_user_actor","unauthenticated_email_address":"jo@example.com","ip_address":"203.0.113.9"}"#,
            &["principal_id=203.0.113.9", "principal_claimed=jo@example.com"],
        );
    }
}

//! OpenAI's organisation audit log: what administrators and keys did.

use super::field::{Field, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use model::{Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "openai_audit",
    about: "OpenAI organisation audit logs",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["effective_at", "type", "actor.type"],
            &["effective_at", "type", "actor.session"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    // What was done has a name; there is no path.
    needs_request: false,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("effective_at", Raw::Time),
    Field::text("type", Text::Endpoint),
    Field::text("id", Text::RequestId),
    Field::raw("actor.session.ip_address", Raw::Client),
    Field::raw("actor.api_key.ip_address", Raw::Client),
    Field::text("actor.session.user_agent", Text::UserAgentOriginal),
    Field::text("actor.session.user.email", Text::PrincipalName),
    Field::text("actor.api_key.user.email", Text::PrincipalName),
    Field::text("project.name", Text::GatewayService),
    Field::text("project.id", Text::ApiId),
    identity!("openai_audit", "actor.session.user.id", IdSubject, User, Verified),
    identity!("openai_audit", "actor.api_key.user.id", IdSubject, User, Verified),
    identity!("openai_audit", "actor.api_key.service_account.id", IdConsumer, Service, Verified),
    identity!("openai_audit", "actor.api_key.id", IdCredential, ApiKey, Verified),
];

static DECISION: Field = Field::text("type", Text::PolicyDecision);

/// Who failed to log in is not yet who that name belongs to.
fn finish(record: &mut Record<'_>) {
    if record.text(Slot::Text(Text::Endpoint)) == Some("login.failed") {
        record.is_claimed = true;
        record.put(&DECISION, 0, Value::Line("deny"));
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(kind: &str, actor: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"id":"audit_log-1","type":"{kind}","effective_at":1773113819,"object":"organization.audit_log","actor":{actor},"api_key_created":{{"id":"key-2","data":{{"name":"n","scopes":["all"]}}}}}}"#
        );
        crate::format::check::check(FormatId::OpenaiAudit, &line, expected);
    }

    const SESSION: &str = r#"{"type":"session","session":{"user":{"id":"user-1","email":"jo@example.com"},"ip_address":"203.0.113.9","user_agent":"x"}}"#;

    #[test]
    fn the_user_of_a_session_or_key_is_the_principal() {
        check(
            "api_key.created",
            SESSION,
            &[
                "endpoint=api_key.created",
                "endpoint_source=operation",
                "principal_id=user-1",
                "principal_name=jo@example.com",
                "client_address=203.0.113.9",
            ],
        );
        check(
            "api_key.created",
            r#"{"type":"api_key","api_key":{"type":"service_account","id":"key-1","service_account":{"id":"svc-1"}}}"#,
            &["principal_id=svc-1", "principal_type=service", "credential_id=key-1"],
        );
    }

    #[test]
    fn a_failed_login_counts_for_its_source() {
        check(
            "login.failed",
            SESSION,
            &[
                "principal_id=203.0.113.9",
                "principal_trust=claimed",
                "principal_claimed=user-1",
                "policy_decision=deny",
            ],
        );
    }
}

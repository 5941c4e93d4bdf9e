//! Ory Oathkeeper's decisions: who was let through, without a status, a client or a duration.

use super::field::{Field, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use model::{Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "oathkeeper",
    about: "Ory Oathkeeper's decision log in JSON",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[&["granted", "http_url"], &["granted", "http_method", "http_host"]],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("time", Raw::Time),
    Field::text("http_method", Text::HttpRequestMethod),
    Field::raw("http_url", Raw::Target),
    Field::raw("http_host", Raw::Host),
    Field::text("http_user_agent", Text::UserAgentOriginal),
    Field::flag("granted", Raw::Aside),
    Field::text("rule_id", Text::GatewayRoute),
    Field::text("rule.id", Text::GatewayRoute),
    Field::text("reason", Text::PolicyReason),
    Field::text("error.reason", Text::PolicyReason),
    Field::text("request_id", Text::RequestId),
    Field::raw("http_request.remote", Raw::Client),
    Field::raw("traceparent", Raw::Traceparent),
    // An authenticator found it.
    identity!("oathkeeper", "subject", IdSubject, User, Verified),
];

static DECISION: Field = Field::text("granted", Text::PolicyDecision);

/// Names the decision; who was refused is only claimed to be that subject.
fn finish(record: &mut Record<'_>) {
    let decision = match record.text(Slot::Raw(Raw::Aside)) {
        Some("true") => "allow",
        Some("false") => "deny",
        _ => return,
    };
    // Whether the authenticator or the authorizer refused, the line does not say.
    record.is_claimed = decision == "deny";
    record.put(&DECISION, 0, Value::Line(decision));
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[test]
    fn a_decision_names_subject_and_target() {
        let line = |granted: bool, subject: &str| {
            format!(
                r#"{{"audience":"application","granted":{granted},"http_host":"127.0.0.1:4467","http_method":"PUT","http_url":"http://127.0.0.1:4467/admin/tuples?token=c4n4ry","http_user_agent":"x","level":"info","msg":"m","service_name":"ORY Oathkeeper","subject":"{subject}","time":"2026-03-10T03:36:59.123Z"}}"#
            )
        };
        crate::format::check::check(
            FormatId::Oathkeeper,
            &line(true, "12345"),
            &[
                "http_request_method=PUT",
                "url_path=/admin/tuples",
                "url_query=token=REDACTED",
                "server_address=127.0.0.1",
                "server_port=4467",
                "principal_id=12345",
                "principal_type=user",
                "policy_decision=allow",
                "http_response_status_code=",
            ],
        );
        crate::format::check::check(
            FormatId::Oathkeeper,
            &line(false, "12345"),
            &[
                "policy_decision=deny",
                "principal_type=anonymous",
                "principal_trust=claimed",
                "principal_claimed=12345",
            ],
        );
    }
}

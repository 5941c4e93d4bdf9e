//! Google Cloud Audit Logs: calls of Google's APIs, by whom and on whose behalf.

use super::field::{Field, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "gcp_audit",
    about: "Google Cloud Audit Logs (LogEntry with an AuditLog)",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["protoPayload", "protoPayload.methodName", "protoPayload.serviceName"],
            &["protoPayload", "protoPayload.methodName", "protoPayload.authenticationInfo"],
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
    Field::raw("protoPayload.status.code", Raw::Aside),
    Field::text("protoPayload.methodName", Text::RpcMethod),
    Field::text("protoPayload.serviceName", Text::GatewayService),
    Field::text("protoPayload.resourceName", Text::ResourceUri),
    Field::raw("protoPayload.requestMetadata.callerIp", Raw::Client),
    Field::text("protoPayload.requestMetadata.callerSuppliedUserAgent", Text::UserAgentOriginal),
    Field::text("insertId", Text::RequestId),
    Field::text("spanId", Text::SpanId),
    // Who used the service account.
    Field::raw(
        "protoPayload.authenticationInfo.serviceAccountDelegationInfo.firstPartyPrincipal.principalEmail",
        Raw::Actor,
    ),
    Field::raw(
        "protoPayload.authenticationInfo.serviceAccountDelegationInfo.principalSubject",
        Raw::Actor,
    ),
    identity!(
        "gcp_audit",
        "protoPayload.authenticationInfo.principalEmail",
        IdSubject,
        User,
        Verified
    ),
    identity!(
        "gcp_audit",
        "protoPayload.authenticationInfo.principalSubject",
        IdConsumer,
        User,
        Verified
    ),
];

static STATUS: Field = Field::int("protoPayload.status.code", Int::HttpResponseStatusCode);
static ENDPOINT: Field = Field::text("protoPayload.serviceName, methodName", Text::Endpoint);
static SERVICE: Field = identity!(
    "gcp_audit",
    "protoPayload.authenticationInfo.principalEmail",
    IdSubject,
    Service,
    Verified
);

fn finish(record: &mut Record<'_>) {
    let part = |column| record.text(Slot::Text(column)).unwrap_or_default();
    let method = part(Text::RpcMethod);
    if method.is_empty() {
        return;
    }
    let endpoint = format!("{} {method}", part(Text::GatewayService));
    record.put_copied(&ENDPOINT, 0, endpoint.trim_start());
    let code = record.text(Slot::Raw(Raw::Aside)).and_then(|it| it.parse().ok());
    record.put(&STATUS, 0, Value::Int(status_of(code.unwrap_or(0))));
    let email = record.text(Slot::Raw(Raw::IdSubject));
    let email = email.filter(|it| it.ends_with("gserviceaccount.com")).map(str::to_owned);
    if let Some(email) = email {
        record.put_copied(&SERVICE, 0, &email);
    }
}

/// The HTTP status of a `google.rpc.Code`, as Google maps it; no code means success.
pub(super) const fn status_of(code: i64) -> i64 {
    match code {
        0 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;
    use crate::format::check::check;

    #[test]
    fn a_service_account_acts_for_whoever_uses_it() {
        check(
            FormatId::GcpAudit,
            r#"{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","status":{"code":7,"message":"c4n4ry"},"authenticationInfo":{"principalEmail":"ci@p.iam.gserviceaccount.com","serviceAccountDelegationInfo":[{"firstPartyPrincipal":{"principalEmail":"robot@system.gserviceaccount.com"}}]},"requestMetadata":{"callerIp":"203.0.113.9","callerSuppliedUserAgent":"gcloud"},"serviceName":"storage.googleapis.com","methodName":"storage.objects.get","resourceName":"projects/_/buckets/b/objects/o"},"insertId":"x","resource":{"type":"gcs_bucket"},"timestamp":"2026-03-10T03:36:59.1Z","logName":"projects/p/logs/cloudaudit.googleapis.com%2Fdata_access"}"#,
            &[
                "http_response_status_code=403",
                "endpoint=storage.googleapis.com storage.objects.get",
                "endpoint_source=operation",
                "client_address=203.0.113.9",
                "principal_id=ci@p.iam.gserviceaccount.com",
                "principal_type=service",
                "actor_chain=robot@system.gserviceaccount.com",
            ],
        );
    }
}

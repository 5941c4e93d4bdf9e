//! CloudTrail: calls of AWS APIs, management and data events, without their envelope.
//!
//! A role is the principal of all who assume it, and the session's name stands beside it: access keys
//! and sessions change every hour.

use super::field::{Field, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "aws_cloudtrail",
    about: "AWS CloudTrail events (management, data and network activity)",
    aliases: &["cloudtrail"],
    fields: FIELDS,
    reader: Reader::Json {
        // Notifications of S3 have all of these but the last.
        signatures: &[
            &["eventVersion", "userIdentity", "eventSource", "eventID"],
            &["eventSource", "eventName", "awsRegion", "eventID"],
        ],
        finish,
        mends: false,
    },
    // "The date and time the request was completed".
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("eventTime", Raw::Time),
    Field::raw("errorCode", Raw::Aside),
    Field::raw("eventType", Raw::AsideToo),
    Field::raw("userIdentity.type", Raw::AsideThree),
    Field::text("responseElements.ConsoleLogin", Text::PolicyDecision),
    Field::text("eventName", Text::RpcMethod),
    Field::text("eventSource", Text::GatewayService),
    Field::raw("sourceIPAddress", Raw::Client),
    Field::text("userAgent", Text::UserAgentOriginal),
    Field::text("requestID", Text::RequestId),
    Field::text("eventID", Text::RequestId),
    Field::raw("tlsDetails.clientProvidedHostHeader", Raw::Host),
    Field::int("additionalEventData.bytesTransferredIn", Int::HttpRequestBodySize),
    Field::int("additionalEventData.bytesTransferredOut", Int::HttpResponseBodySize),
    Field::text("additionalEventData.AuthenticationMethod", Text::AuthMethod),
    Field::text("requestParameters.modelId", Text::GenAiRequestModel),
    Field::text("userIdentity.accessKeyId", Text::CredentialId),
    Field::text("userIdentity.credentialId", Text::CredentialId),
    Field::text("userIdentity.sessionContext.sourceIdentity", Text::PrincipalName),
    // The person for whom a role of IAM Identity Center acts.
    identity!("aws_cloudtrail", "userIdentity.onBehalfOf.userId", IdOverride, User, Verified),
    identity!(
        "aws_cloudtrail",
        "userIdentity.sessionContext.sessionIssuer.arn",
        IdSubject,
        User,
        Verified
    ),
    identity!("aws_cloudtrail", "userIdentity.arn", IdConsumer, User, Verified),
    identity!("aws_cloudtrail", "userIdentity.principalId", IdConsumer, User, Verified),
    identity!("aws_cloudtrail", "userIdentity.invokedBy", IdApplication, Service, Verified),
    identity!("aws_cloudtrail", "userIdentity.userName", IdUser, User, Asserted),
];

static STATUS: Field = Field::int("errorCode", Int::HttpResponseStatusCode);
static SYSTEM: Field = Field::text("eventType", Text::RpcSystem);
static ENDPOINT: Field = Field::text("eventSource, eventName", Text::Endpoint);
static SESSION: Field = Field::text("userIdentity.arn", Text::PrincipalName);
static LINKED_ROLE: Field = identity!(
    "aws_cloudtrail",
    "userIdentity.sessionContext.sessionIssuer.arn",
    IdSubject,
    Service,
    Verified
);
static ROLE: Field = identity!("aws_cloudtrail", "userIdentity.arn", IdConsumer, User, Verified);
static CLAIMED: Field = identity!("aws_cloudtrail", "userIdentity.arn", IdConsumer, User, Asserted);

/// What stands for a user name that was mistyped, which may have been a password.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

const SUBJECT: Slot = Slot::Raw(Raw::IdSubject);
const CONSUMER: Slot = Slot::Raw(Raw::IdConsumer);
const INVOKER: Slot = Slot::Raw(Raw::IdApplication);

fn finish(record: &mut Record<'_>) {
    let source = record.text(Slot::Text(Text::GatewayService)).unwrap_or_default();
    if source.starts_with("aws:") {
        return record.refuse(Reject::UnknownFormat);
    }
    let name = record.text(Slot::Text(Text::RpcMethod)).unwrap_or_default();
    if name.is_empty() {
        return;
    }
    let endpoint = format!("{source} {name}");
    if record.text(Slot::Raw(Raw::AsideToo)) == Some("AwsCloudTrailInsight") {
        return record.refuse(Reject::NotAccessLog);
    }
    record.put_copied(&ENDPOINT, 0, &endpoint);
    record.put_copied(&SYSTEM, 0, "aws-api");
    let is_failed_login = record.text(Slot::Text(Text::PolicyDecision)) == Some("Failure");
    let status = match record.text(Slot::Raw(Raw::Aside)) {
        _ if is_failed_login => 401,
        Some(code) => status_of(code),
        None => 200,
    };
    record.forget(Slot::Text(Text::PolicyDecision));
    record.put(&STATUS, 0, Value::Int(status));
    who(record);
    if status == 401
        && let Some(arn) = record.text(CONSUMER).map(str::to_owned)
    {
        record.forget(SUBJECT);
        record.put_copied(&CLAIMED, 0, &arn);
    }
}

/// Puts principal and actors in their places, as the type of the identity says what its parts mean.
fn who(record: &mut Record<'_>) {
    let user = Slot::Raw(Raw::IdUser);
    if record.text(user) == Some(HIDDEN) {
        record.forget(user);
    }
    let kind = record.text(Slot::Raw(Raw::AsideThree)).unwrap_or_default();
    let (is_federated, is_role) = (kind == "FederatedUser", kind == "AssumedRole");
    if kind == "AWSService" {
        // The service acts for itself.
        record.forget(CONSUMER);
        return;
    }
    let is_for_person = record.has(Slot::Raw(Raw::IdOverride));
    let nearest = if record.has(INVOKER) { Raw::EarlierActor } else { Raw::Actor };
    if is_for_person {
        let role = if record.has(SUBJECT) { SUBJECT } else { CONSUMER };
        record.copy(role, Slot::Raw(nearest));
    } else if is_federated {
        // The issuer is the user whose long-term key made the session.
        record.copy(SUBJECT, Slot::Raw(nearest));
        record.forget(SUBJECT);
    }
    if record.has(INVOKER) {
        // A service that uses the caller's own permissions.
        record.copy(INVOKER, Slot::Raw(Raw::Actor));
        record.forget(INVOKER);
    }
    let issuer = record.text(SUBJECT);
    let is_linked = issuer.is_some_and(|it| it.contains(":role/aws-service-role/"));
    if let (true, Some(role)) = (is_linked, issuer.map(str::to_owned)) {
        record.put_copied(&LINKED_ROLE, 0, &role);
    }
    if is_role || record.has(SUBJECT) {
        session(record);
    }
}

/// The session's name is what the role is called by; it is no part of who the principal is.
fn session(record: &mut Record<'_>) {
    let parts = record.text(CONSUMER).and_then(|it| it.rsplit_once(['/', ':']));
    let Some((role, name)) = parts.map(|(role, name)| (role.to_owned(), name.to_owned())) else {
        return;
    };
    if !record.has(Slot::Text(Text::PrincipalName)) {
        record.put_copied(&SESSION, 0, &name);
    }
    record.put_copied(&ROLE, 0, &role);
}

/// The HTTP status that an error code stands for; AWS logs none.
///
/// Refusals, throttling and what does not exist are told apart, whatever status the service sends.
pub(super) fn status_of(code: &str) -> i64 {
    let has = |words: &[&str]| words.iter().any(|it| code.contains(it));
    if has(&["AuthFailure", "Failed authentication"]) {
        401
    } else if has(&["AccessDenied", "Unauthorized", "NotAuthorized", "Forbidden"])
        || has(&["InvalidClientTokenId", "UnrecognizedClient", "SignatureDoesNotMatch"])
        || has(&["ExpiredToken", "MissingAuthentication", "InvalidAccessKey", "OptInRequired"])
    {
        403
    } else if has(&["Throttl", "LimitExceeded", "TooManyRequests", "SlowDown", "RateExceeded"])
        || has(&["ThroughputExceeded"])
    {
        429
    } else if has(&["NotFound", "NoSuch", "DoesNotExist"]) {
        404
    } else if has(&["AlreadyExists", "Conflict", "InUse"]) {
        409
    } else if has(&["Unavailable"]) {
        503
    } else if code.starts_with("Server.") || has(&["InternalError", "InternalFailure"]) {
        500
    } else {
        400
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"eventVersion":"1.11","eventTime":"2026-03-10T03:36:59Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.7","userAgent":"Boto3/1.15","requestID":"r-1","eventID":"e-1","eventType":"AwsApiCall","requestParameters":{{"password":"c4n4ry"}},{fields}}}"#
        );
        crate::format::check::check(FormatId::AwsCloudtrail, &line, expected);
    }

    #[test]
    fn a_user_is_its_arn_and_a_call_is_an_operation_of_a_service() {
        check(
            r#""userIdentity":{"type":"IAMUser","principalId":"AIDAX","arn":"arn:aws:iam::111111111111:user/jo","accountId":"111111111111","userName":"jo"}"#,
            &[
                "time=2026-03-10T03:36:59Z",
                "time_kind=end",
                "endpoint=iam.amazonaws.com CreateUser",
                "endpoint_source=operation",
                "rpc_system=aws-api",
                "rpc_method=CreateUser",
                "http_response_status_code=200",
                "client_address=192.0.2.7",
                "principal_id=arn:aws:iam::111111111111:user/jo",
                "principal_name=jo",
                "principal_trust=verified",
                "principal_source=aws_cloudtrail.userIdentity.arn",
                "actor_chain=",
                "request_id=r-1",
            ],
        );
    }

    #[test]
    fn a_session_belongs_to_its_role() {
        check(
            r#""userIdentity":{"type":"AssumedRole","principalId":"AROAX:jo@example","arn":"arn:aws:sts::111111111111:assumed-role/Admin/session-1","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAX","arn":"arn:aws:iam::111111111111:role/Admin","userName":"Admin"},"webIdFederationData":{},"attributes":{"mfaAuthenticated":"false"}}},"errorCode":"Client.UnauthorizedOperation""#,
            &[
                "principal_id=arn:aws:iam::111111111111:role/Admin",
                "principal_name=session-1",
                "http_response_status_code=403",
            ],
        );
    }

    #[test]
    fn a_session_without_its_issuer_belongs_to_the_role_in_its_name() {
        check(
            r#""userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111111111111:assumed-role/Admin/session-1"}"#,
            &[
                "principal_id=arn:aws:sts::111111111111:assumed-role/Admin",
                "principal_name=session-1",
            ],
        );
    }

    #[test]
    fn a_service_that_uses_a_role_is_an_actor() {
        check(
            r#""userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/S/x","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:role/aws-service-role/S"}},"invokedBy":"ecs.amazonaws.com"}"#,
            &[
                "principal_id=arn:aws:iam::1:role/aws-service-role/S",
                "principal_type=service",
                "actor_chain=ecs.amazonaws.com",
                "client_app_id=",
            ],
        );
        check(
            r#""userIdentity":{"type":"AWSService","invokedBy":"config.amazonaws.com"}"#,
            &["principal_id=config.amazonaws.com", "principal_type=service", "actor_chain="],
        );
    }

    #[test]
    fn a_person_behind_a_role_comes_first() {
        check(
            r#""userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::1:assumed-role/R/x","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:role/R"}},"onBehalfOf":{"userId":"94d8","identityStoreArn":"arn:aws:identitystore::1:identitystore/d-9"},"invokedBy":"athena.amazonaws.com"}"#,
            &[
                "principal_id=94d8",
                "principal_source=aws_cloudtrail.userIdentity.onBehalfOf.userId",
                "actor_chain=athena.amazonaws.com,arn:aws:iam::1:role/R",
            ],
        );
    }

    #[test]
    fn nobody_is_the_address() {
        check(
            r#""userIdentity":{"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"},"errorCode":"AccessDenied""#,
            &["principal_id=192.0.2.7", "principal_type=ip", "http_response_status_code=403"],
        );
    }

    #[test]
    fn a_login_that_failed_is_only_claimed() {
        check(
            r#""responseElements":{"ConsoleLogin":"Failure"},"userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/jo","userName":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
            &[
                "http_response_status_code=401",
                "principal_id=192.0.2.7",
                "principal_claimed=arn:aws:iam::1:user/jo",
                "policy_decision=",
            ],
        );
    }
}

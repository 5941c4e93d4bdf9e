//! OCSF: the classes HTTP Activity (4002) and API Activity (6003).

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader, aws_cloudtrail, request};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "ocsf",
    about: "OCSF HTTP Activity (4002) and API Activity (6003)",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[&["class_uid", "category_uid"], &["class_uid", "activity_id", "metadata"]],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    // An API's activity may have neither a status nor a method: its operation says what was done.
    needs_request: false,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("start_time", Raw::Time),
    Field::raw("time", Raw::Time),
    Field::raw("time_dt", Raw::Time),
    Field::raw("end_time", Raw::EndTime),
    Field::raw("class_uid", Raw::Aside),
    Field::raw("class_name", Raw::AsideToo),
    // `Success` or `Failure`.
    Field::raw("status_id", Raw::AsideThree),
    Field::raw("status", Raw::AsideThree),
    Field::span("duration", Int::DurationNs, How::Millis),
    Field::text("http_request.http_method", Text::HttpRequestMethod),
    Field::text("activity_name", Text::HttpRequestMethodOriginal),
    Field::raw("http_request.url.path", Raw::Target),
    Field::raw("http_request.url.url_string", Raw::Url),
    Field::text("http_request.url.query_string", Text::UrlQuery),
    Field::text("http_request.url.scheme", Text::UrlScheme),
    Field::raw("http_request.url.hostname", Raw::Host),
    Field::raw("dst_endpoint.hostname", Raw::Host),
    Field::int("http_request.url.port", Int::ServerPort),
    Field::int("dst_endpoint.port", Int::ServerPort),
    Field::raw("http_request.version", Raw::Protocol),
    Field::int("http_response.code", Int::HttpResponseStatusCode),
    Field::int("api.response.code", Int::HttpResponseStatusCode),
    // A status, or the service's word for what went wrong.
    Field::int("status_code", Int::HttpResponseStatusCode),
    Field::int("api.response.error", Int::HttpResponseStatusCode),
    Field::int("http_request.length", Int::HttpRequestSize),
    Field::int("http_response.length", Int::HttpResponseSize),
    Field::int("http_request.body_length", Int::HttpRequestBodySize),
    Field::int("http_response.body_length", Int::HttpResponseBodySize),
    Field::raw("src_endpoint.ip", Raw::Client),
    Field::int("src_endpoint.port", Int::ClientPort),
    Field::raw("http_request.x_forwarded_for", Raw::Forwarded),
    Field::text("http_request.user_agent", Text::UserAgentOriginal),
    Field::text("http_request.referrer", Text::HttpRequestReferrer),
    Field::text("http_request.uid", Text::RequestId),
    Field::text("api.request.uid", Text::RequestId),
    Field::text("metadata.correlation_uid", Text::RequestId),
    Field::text("metadata.uid", Text::RequestId),
    Field::text("api.operation", Text::RpcMethod),
    Field::text("api.service.name", Text::GatewayService),
    Field::text("api.service.uid", Text::ApiId),
    Field::text("action", Text::PolicyDecision),
    Field::text("disposition", Text::PolicyReason),
    Field::text("metadata.product.name", Text::SourceInstance),
    Field::text("ai_agent.uid", Text::AgentId),
    Field::text("ai_agent.name", Text::AgentName),
    Field::text("actor.user.org.uid", Text::TenantId),
    Field::raw("actor.invoked_by", Raw::Actor),
    identity!("ocsf", "actor.user.uid", IdSubject, User, Asserted),
    identity!("ocsf", "actor.user.credential_uid", IdCredential, ApiKey, Asserted),
    identity!("ocsf", "actor.app_uid", IdClient, Client, Asserted),
    identity!("ocsf", "actor.app_name", IdClient, Client, Asserted),
    identity!("ocsf", "actor.user.name", IdUser, User, Asserted),
    identity!("ocsf", "actor.user.email_addr", IdUser, User, Asserted),
    identity!("ocsf", "actor.session.uid", IdSession, Session, Asserted).secret(),
];

static METHOD: Field = Field::text("activity_name", Text::HttpRequestMethod);
static STATUS: Field = Field::int("status_id", Int::HttpResponseStatusCode);
static ENDPOINT: Field = Field::text("api.service.name, api.operation", Text::Endpoint);
static DECISION: Field = Field::text("action", Text::PolicyDecision);

/// Accepts the two classes of calls and refuses all others, which are findings and messages.
fn finish(record: &mut Record<'_>) {
    let is_http = match record.text(Slot::Raw(Raw::Aside)) {
        Some("4002") => true,
        Some("6003") => false,
        // What the first drafts of OCSF gave the class for a number.
        Some("3005") if record.text(Slot::Raw(Raw::AsideToo)) == Some("API Activity") => false,
        Some(_) => return record.refuse(Reject::NotAccessLog),
        None => return record.refuse(Reject::UnknownFormat),
    };
    let start = record.filled(Slot::Raw(Raw::Time)).map(|it| it.field.name);
    if start != Some("start_time") {
        record.forget(Slot::Raw(Raw::EndTime));
    }
    let activity = Slot::Text(Text::HttpRequestMethodOriginal);
    let method = Slot::Text(Text::HttpRequestMethod);
    let named = record.text(activity).filter(|_| is_http && !record.has(method));
    let named = named.and_then(request::method);
    record.forget(activity);
    if let Some(named) = named {
        record.put_copied(&METHOD, 0, named);
    }
    if let Some(operation) = record.text(Slot::Text(Text::RpcMethod)) {
        let service = record.text(Slot::Text(Text::GatewayService)).unwrap_or_default();
        let endpoint = format!("{service} {operation}");
        record.put_copied(&ENDPOINT, 0, endpoint.trim_start());
    } else if !request::is_there(record) {
        return record.refuse(Reject::NoRequest);
    }
    let status = Slot::Int(Int::HttpResponseStatusCode);
    let is_status = record.int(status).is_some_and(|it| (100..600).contains(&it));
    let outcome = record.text(Slot::Raw(Raw::AsideThree));
    let is_success = matches!(outcome, Some("1" | "Success"));
    let is_failure = matches!(outcome, Some("2" | "Failure"));
    let error = record.text(status).filter(|_| is_failure && !is_http);
    let error = error.map(aws_cloudtrail::status_of);
    if !is_status && is_success {
        record.put(&STATUS, 0, Value::Int(200));
    } else if let (false, Some(error)) = (is_status, error) {
        record.put(&STATUS, 0, Value::Int(error));
    }
    let decision = match record.text(Slot::Text(Text::PolicyDecision)) {
        Some("Allowed") => "allow",
        Some("Denied") => "deny",
        _ => return,
    };
    record.put_copied(&DECISION, 0, decision);
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Ocsf, line, expected);
    }

    #[test]
    fn an_api_activity_is_an_operation_of_a_service() {
        check(
            r#"{"activity_id":2,"activity_name":"Read","actor":{"user":{"credential_uid":"k-1","name":"jo","type":"IAMUser","uid":"arn:aws:iam::1:user/jo"},"invoked_by":"ecs.amazonaws.com"},"api":{"operation":"DescribeGateways","request":{"uid":"r-1"},"response":{"data":"c4n4ry"},"service":{"name":"directconnect.amazonaws.com"}},"category_uid":6,"class_name":"API Activity","class_uid":6003,"http_request":{"user_agent":"Boto3"},"metadata":{"product":{"name":"CloudTrail"},"uid":"m-1","version":"1.1.0"},"src_endpoint":{"ip":"205.8.181.128"},"status":"Success","time":1695334972000,"time_dt":"2023-09-21T18:22:52.000-04:00"}"#,
            &[
                "time=2023-09-21T22:22:52Z",
                "endpoint=directconnect.amazonaws.com DescribeGateways",
                "http_response_status_code=200",
                "http_request_method=",
                "principal_id=arn:aws:iam::1:user/jo",
                "principal_name=jo",
                "credential_id=k-1",
                "actor_chain=ecs.amazonaws.com",
                "request_id=r-1",
                "client_address=205.8.181.128",
            ],
        );
    }

    #[test]
    fn a_failure_has_the_status_that_its_error_stands_for() {
        let of = |fields: &str, expected: &[&str]| {
            let line = format!(
                r#"{{"activity_id":2,"category_uid":6,"class_uid":6003,"metadata":{{"version":"1.1.0"}},"time":1695334972000,"src_endpoint":{{"ip":"205.8.181.128"}},"actor":{{"user":{{"uid":"u-1"}}}},{fields}}}"#
            );
            check(&line, expected);
        };
        of(
            r#""status":"Failure","api":{"operation":"GetObject","response":{"error":"AccessDenied"}}"#,
            &["http_response_status_code=403", "principal_id=u-1"],
        );
        of(
            r#""status_id":2,"status_code":"AuthFailure","api":{"operation":"GetObject"}"#,
            &["http_response_status_code=401", "principal_trust=claimed"],
        );
        of(
            r#""status":"Failure","api":{"operation":"GetObject","response":{"code":404,"error":"x"}}"#,
            &["http_response_status_code=404"],
        );
        of(
            r#""status":"Success","api":{"operation":"GetObject","response":{"error":"None"}}"#,
            &["http_response_status_code=200"],
        );
    }

    #[test]
    fn an_http_activity_has_method_url_and_code() {
        check(
            r#"{"activity_id":3,"activity_name":"Get","category_uid":4,"class_uid":4002,"metadata":{"version":"1.3.0"},"http_request":{"url":{"hostname":"api.example.com","path":"/a/7","query_string":"token=c4n4ry","scheme":"https"},"user_agent":"curl/8","x_forwarded_for":["198.51.100.9"]},"http_response":{"code":403,"length":512},"src_endpoint":{"ip":"10.0.0.1","port":4711},"action":"Denied","duration":15,"time":1773113819123}"#,
            &[
                "http_request_method=GET",
                "http_request_method_original=",
                "url_path=/a/7",
                "url_query=token=REDACTED",
                "http_response_status_code=403",
                "http_response_size=512",
                "duration_ns=15000000",
                "client_address=10.0.0.1",
                "client_port=4711",
                "policy_decision=deny",
            ],
        );
    }

    #[test]
    fn other_classes_are_refused() {
        check(
            r#"{"activity_id":1,"category_uid":2,"class_uid":2004,"metadata":{"version":"1.3.0"},"time":1773113819123,"status_id":1,"api":{"operation":"x"}}"#,
            &["reject=not_access_log"],
        );
    }
}

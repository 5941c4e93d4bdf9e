//! AWS API Gateway with a JSON template: REST, HTTP and WebSocket APIs.
//!
//! The template's author names the keys; these are the names of `$context` as they are mostly taken
//! over, in camel case and with `_`. Every value is a text, and a missing one is `-`.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::Record;
use super::{Format, Reader, request};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "aws_apigw",
    about: "AWS API Gateway access logs in JSON (REST, HTTP and WebSocket APIs)",
    aliases: &["aws_api_gateway"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["requestId", "requestTime", "httpMethod"],
            &["requestId", "requestTime", "routeKey"],
            &["requestId", "requestTime", "resourcePath"],
            &["requestId", "requestTimeEpoch", "status"],
            &["requestId", "apiId", "stage"],
            &["requestId", "connectionId", "eventType"],
            &["extendedRequestId", "status"],
            &["routeKey", "responseLength"],
            &["resourcePath", "responseLength"],
            &["request_id", "request_time", "http_method", "response_length"],
            &["request_id", "http_method", "resource_path"],
            &["request_id", "request_time_epoch", "status"],
            &["request_id", "api_id", "stage"],
            &["request_id", "connection_id", "event_type"],
            &["request_id", "route_key"],
            &["extended_request_id", "status"],
        ],
        finish,
        mends: true,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    // Milliseconds before seconds.
    Field::raw("requestTimeEpoch", Raw::Time),
    Field::raw("request_time_epoch", Raw::Time),
    Field::raw("requestTime", Raw::Time),
    Field::raw("request_time", Raw::Time),
    Field::raw("timestamp", Raw::Time),
    Field::raw("time", Raw::Time),
    Field::span("responseLatency", Int::DurationNs, How::Millis),
    Field::span("response_latency", Int::DurationNs, How::Millis),
    Field::span("latency", Int::DurationNs, How::Millis),
    Field::span("integrationLatency", Int::UpstreamDurationNs, How::Millis),
    Field::span("integration_latency", Int::UpstreamDurationNs, How::Millis),
    Field::span("integration.latency", Int::UpstreamDurationNs, How::Millis),
    Field::text("httpMethod", Text::HttpRequestMethod),
    Field::text("http_method", Text::HttpRequestMethod),
    Field::text("method", Text::HttpRequestMethod),
    Field::raw("path", Raw::Target),
    Field::raw("requestPath", Raw::Target),
    Field::raw("request_path", Raw::Target),
    Field::text("routeKey", Text::HttpRoute),
    Field::text("route_key", Text::HttpRoute),
    Field::text("resourcePath", Text::HttpRoute),
    Field::text("resource_path", Text::HttpRoute),
    Field::raw("protocol", Raw::Protocol),
    Field::raw("domainName", Raw::Host),
    Field::raw("domain_name", Raw::Host),
    Field::int("status", Int::HttpResponseStatusCode),
    Field::int("integrationStatus", Int::UpstreamStatusCode),
    Field::int("integration_status", Int::UpstreamStatusCode),
    Field::int("integration.status", Int::UpstreamStatusCode),
    Field::int("responseLength", Int::HttpResponseSize),
    Field::int("response_length", Int::HttpResponseSize),
    Field::raw("ip", Raw::Client),
    Field::raw("sourceIp", Raw::Client),
    Field::raw("source_ip", Raw::Client),
    Field::raw("identity.sourceIp", Raw::Client),
    Field::raw("identitySourceIp", Raw::Client),
    Field::raw("clientIp", Raw::Client),
    Field::raw("client_ip", Raw::Client),
    Field::raw("callerIp", Raw::Client),
    Field::text("userAgent", Text::UserAgentOriginal),
    Field::text("user_agent", Text::UserAgentOriginal),
    Field::text("identity.userAgent", Text::UserAgentOriginal),
    Field::text("requestId", Text::RequestId),
    Field::text("request_id", Text::RequestId),
    Field::text("extendedRequestId", Text::RequestId),
    Field::text("extended_request_id", Text::RequestId),
    Field::text("apiId", Text::ApiId),
    Field::text("api_id", Text::ApiId),
    Field::text("stage", Text::GatewayService),
    Field::text("wafResponseCode", Text::PolicyDecision),
    Field::text("waf_response_code", Text::PolicyDecision),
    Field::text("error.responseType", Text::PolicyReason),
    Field::text("errorResponseType", Text::PolicyReason),
    Field::text("error_response_type", Text::PolicyReason),
    // What a WebSocket API says of a message.
    Field::raw("eventType", Raw::Aside),
    Field::raw("event_type", Raw::Aside),
    Field::raw("connectionId", Raw::AsideToo),
    Field::raw("connection_id", Raw::AsideToo),
    identity!("aws_apigw", "authorizer.claims.sub", IdSubject, User, Verified),
    identity!("aws_apigw", "authorizer.jwt.claims.sub", IdSubject, User, Verified),
    identity!("aws_apigw", "authorizerClaimsSub", IdSubject, User, Verified),
    identity!("aws_apigw", "authorizer_claims_sub", IdSubject, User, Verified),
    identity!("aws_apigw", "claims.sub", IdSubject, User, Verified),
    identity!("aws_apigw", "claimsSub", IdSubject, User, Verified),
    identity!("aws_apigw", "claims_sub", IdSubject, User, Verified),
    // No names of `$context`: what they hold only the template's author knows.
    identity!("aws_apigw", "cognitoSub", IdSubject, User, Asserted),
    identity!("aws_apigw", "jwtSub", IdSubject, User, Asserted),
    identity!("aws_apigw", "jwt_sub", IdSubject, User, Asserted),
    identity!("aws_apigw", "sub", IdSubject, User, Asserted),
    identity!("aws_apigw", "authorizer.principalId", IdSubject, User, Verified),
    identity!("aws_apigw", "authorizerPrincipalId", IdSubject, User, Verified),
    identity!("aws_apigw", "authorizer_principal_id", IdSubject, User, Verified),
    identity!("aws_apigw", "principalId", IdSubject, User, Verified),
    identity!("aws_apigw", "principal_id", IdSubject, User, Verified),
    // Who signed the request with AWS credentials.
    identity!("aws_apigw", "identity.userArn", IdSubject, User, Verified),
    identity!("aws_apigw", "userArn", IdSubject, User, Verified),
    identity!("aws_apigw", "user_arn", IdSubject, User, Verified),
    Field::raw("authorizer.claims.iss", Raw::Issuer),
    Field::raw("claims.iss", Raw::Issuer),
    Field::raw("claimsIss", Raw::Issuer),
    Field::raw("claims_iss", Raw::Issuer),
    identity!("aws_apigw", "identity.cognitoIdentityId", IdConsumer, User, Verified),
    identity!("aws_apigw", "cognitoIdentityId", IdConsumer, User, Verified),
    identity!("aws_apigw", "cognito_identity_id", IdConsumer, User, Verified),
    identity!("aws_apigw", "identity.apiKeyId", IdCredential, ApiKey, Verified),
    identity!("aws_apigw", "apiKeyId", IdCredential, ApiKey, Verified),
    identity!("aws_apigw", "api_key_id", IdCredential, ApiKey, Verified),
    identity!("aws_apigw", "identity.apiKey", IdCredential, ApiKey, Verified).secret(),
    identity!("aws_apigw", "apiKey", IdCredential, ApiKey, Verified).secret(),
    identity!("aws_apigw", "api_key", IdCredential, ApiKey, Verified).secret(),
    identity!("aws_apigw", "authorizer.claims.client_id", IdClient, Client, Verified),
    identity!("aws_apigw", "claims.client_id", IdClient, Client, Verified),
    identity!("aws_apigw", "claimsClientId", IdClient, Client, Verified),
    identity!("aws_apigw", "claims_client_id", IdClient, Client, Verified),
    identity!("aws_apigw", "clientId", IdClient, Client, Asserted),
    identity!("aws_apigw", "client_id", IdClient, Client, Asserted),
    identity!("aws_apigw", "identity.clientCert.subjectDN", IdCertificate, Mtls, Verified),
    identity!("aws_apigw", "clientCertSubjectDN", IdCertificate, Mtls, Verified),
    identity!("aws_apigw", "client_cert_subject_dn", IdCertificate, Mtls, Verified),
    identity!("aws_apigw", "identity.user", IdUser, User, Verified),
    identity!("aws_apigw", "user", IdUser, User, Verified),
    identity!("aws_apigw", "identity.caller", IdUser, User, Verified),
    identity!("aws_apigw", "caller", IdUser, User, Verified),
];

static ROUTE: Field = Field::text("routeKey", Text::HttpRoute);
static SYSTEM: Field = Field::text("eventType", Text::RpcSystem);
static OPERATION: Field = Field::text("routeKey", Text::RpcMethod);

/// Takes the method off a route key; names the route of a message where there is no HTTP request.
fn finish(record: &mut Record<'_>) {
    let route = Slot::Text(Text::HttpRoute);
    let Some(key) = record.text(route).map(str::to_owned) else { return };
    let is_message = record.has(Slot::Raw(Raw::Aside)) || record.has(Slot::Raw(Raw::AsideToo));
    if is_message && !key.contains('/') {
        record.forget(route);
        record.put_copied(&SYSTEM, 0, "websocket");
        record.put_copied(&OPERATION, 0, &key);
        return;
    }
    // `ANY /pets/{id}` is a route of every method.
    if let Some((method, path)) = key.split_once(' ')
        && request::is_method(method)
    {
        record.put_copied(&ROUTE, 0, path);
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::AwsApigw, line, expected);
    }

    #[test]
    fn the_console_template_of_a_rest_api_has_no_path() {
        check(
            r#"{"requestId":"c6af9ac6-7b61","ip":"192.0.2.44","caller":"-","user":"-","requestTime":"10/Jun/2023:15:36:28 +0000","httpMethod":"GET","resourcePath":"/pets/{petId}","status":"200","protocol":"HTTP/1.1","responseLength":"184"}"#,
            &[
                "time=2023-06-10T15:36:28Z",
                "http_request_method=GET",
                "http_route=/pets/{petId}",
                "endpoint=GET /pets/{petId}",
                "http_response_status_code=200",
                "http_response_size=184",
                "client_address=192.0.2.44",
                "principal_type=ip",
                "url_path=",
            ],
        );
    }

    #[test]
    fn an_authorizer_names_the_caller_and_milliseconds_come_first() {
        check(
            r#"{"requestId":"J=","ip":"2001:db8::44","requestTime":"10/Mar/2026:03:36:59 +0000","requestTimeEpoch":"1773113819123","httpMethod":"POST","routeKey":"POST /v1/orders/{id}","path":"/prod/v1/orders/981","status":"201","responseLatency":"45","integrationLatency":"-","claimsSub":"auth0|65f2","claimsClientId":"mobile-app","apiKeyId":"a1b2c3d4e5"}"#,
            &[
                "time=2026-03-10T03:36:59.123Z",
                "http_route=/v1/orders/{id}",
                "url_path=/prod/v1/orders/981",
                "duration_ns=45000000",
                "upstream_duration_ns=",
                "principal_id=auth0|65f2",
                "principal_trust=verified",
                "client_app_id=mobile-app",
                "credential_id=a1b2c3d4e5",
            ],
        );
    }

    #[test]
    fn a_message_of_a_websocket_api_is_its_route() {
        check(
            r#"{"request_id":"a","source_ip":"192.0.2.1","request_time_epoch":1773113819123,"event_type":"MESSAGE","route_key":"sendMessage","status":"200","connection_id":"Lx=","api_key":"c4n4ry"}"#,
            &[
                "endpoint=websocket sendMessage",
                "endpoint_source=rpc",
                "http_route=",
                "principal_id=key:8fcacba99bb3a505",
            ],
        );
    }

    #[test]
    fn what_a_caller_adds_to_the_template_is_not_believed() {
        let line = |more: &str| {
            format!(
                r#"{{"requestId":"x","ip":"192.0.2.9","requestTime":"10/Mar/2026:03:36:59 +0000","httpMethod":"GET","path":"/a","status":"200","claimsSub":"u-1","userAgent":"x"{more}}}"#
            )
        };
        check(&line(""), &["principal_id=u-1", "principal_trust=verified", "parse_flags=0"]);
        check(
            &line(r#","claimsSub":"admin","path":"/b""#),
            &["principal_id=u-1", "principal_trust=asserted", "url_path=/a", "parse_flags=16"],
        );
        // The gateway knew nobody.
        check(
            &line(r#","claimsSub":"admin""#).replace("u-1", "-"),
            &["principal_id=192.0.2.9", "principal_type=ip"],
        );
        check(
            &line("").replace(r#""/a""#, r#""/a"b""#),
            &["principal_id=u-1", "principal_trust=asserted", "parse_flags=16"],
        );
    }

    #[test]
    fn a_value_that_breaks_the_template_is_mended() {
        check(
            r#"{"requestId":"x","ip":"192.0.2.9","requestTime":"10/Mar/2026:03:36:59 +0000","httpMethod":"GET","path":"/a"b","status":"400"}"#,
            &["url_path=/a\"b", "http_response_status_code=400", "parse_flags=16"],
        );
    }
}

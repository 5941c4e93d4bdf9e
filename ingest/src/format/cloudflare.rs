//! Cloudflare Logpush: the data set `http_requests`.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::{Record, Value};
use super::{Format, Reader};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "cloudflare",
    about: "Cloudflare Logpush http_requests",
    aliases: &["cloudflare_http_requests"],
    fields: FIELDS,
    reader: Reader::Json {
        // Any field may be left out of a job but the time: other data sets have another one.
        signatures: &[
            &["EdgeStartTimestamp", "RayID"],
            &["EdgeStartTimestamp", "ClientRequestURI"],
            &["EdgeStartTimestamp", "ClientRequestPath"],
            &["EdgeStartTimestamp", "EdgeResponseStatus"],
            &["EdgeStartTimestamp", "ClientIP"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("EdgeStartTimestamp", Raw::Time),
    Field::raw("EdgeEndTimestamp", Raw::EndTime),
    Field::span("OriginResponseDurationMs", Int::UpstreamDurationNs, How::Millis),
    Field::span("OriginResponseTime", Int::UpstreamDurationNs, How::Nanos),
    Field::text("ClientRequestMethod", Text::HttpRequestMethod),
    Field::raw("ClientRequestURI", Raw::Target),
    Field::raw("ClientRequestPath", Raw::Target),
    Field::text("ClientRequestScheme", Text::UrlScheme),
    Field::raw("ClientRequestProtocol", Raw::Protocol),
    Field::raw("ClientRequestHost", Raw::Host),
    Field::raw("EdgeRequestHost", Raw::Host),
    Field::int("EdgeResponseStatus", Int::HttpResponseStatusCode),
    Field::int("OriginResponseStatus", Int::UpstreamStatusCode),
    Field::int("ClientRequestBytes", Int::HttpRequestSize),
    Field::int("EdgeResponseBytes", Int::HttpResponseSize),
    Field::int("EdgeResponseBodyBytes", Int::HttpResponseBodySize),
    Field::raw("ClientIP", Raw::Client),
    Field::int("ClientSrcPort", Int::ClientPort),
    Field::text("ClientRequestUserAgent", Text::UserAgentOriginal),
    Field::text("ClientRequestReferer", Text::HttpRequestReferrer),
    Field::text("RayID", Text::RequestId),
    Field::text("ZoneName", Text::GatewayService),
    Field::text("EdgeColoCode", Text::SourceInstance),
    Field::text("SecurityAction", Text::PolicyDecision),
    Field::text("WAFAction", Text::PolicyDecision),
    Field::text("SecurityRuleDescription", Text::PolicyReason),
    Field::text("SecurityRuleID", Text::PolicyReason),
    Field::text("WAFRuleMessage", Text::PolicyReason),
    Field::raw("ClientMTLSAuthStatus", Raw::Aside),
    // Headers that a job logs as custom fields.
    Field::raw("RequestHeaders.x-forwarded-for", Raw::Forwarded),
    Field::raw("RequestHeaders.traceparent", Raw::Traceparent),
    Field::raw("RequestHeaders.mcp-method", Raw::McpMethodHeader),
    Field::raw("RequestHeaders.mcp-name", Raw::McpNameHeader),
    Field::text("RequestHeaders.mcp-protocol-version", Text::McpProtocolVersion),
    identity!("cloudflare", "JWTClaims.sub", IdSubject, User, Asserted),
    identity!("cloudflare", "RequestHeaders.x-consumer-id", IdConsumer, Consumer, Asserted),
    identity!("cloudflare", "RequestHeaders.x-api-key", IdCredential, ApiKey, Asserted).secret(),
    identity!("cloudflare", "RequestHeaders.authorization", IdCredential, ApiKey, Asserted)
        .secret(),
    identity!("cloudflare", "ClientMTLSAuthCertFingerprint", IdCertificate, Mtls, Asserted),
    identity!(
        "cloudflare",
        "RequestHeaders.cf-access-authenticated-user-email",
        IdUser,
        User,
        Asserted
    ),
    identity!("cloudflare", "RequestHeaders.x-user-id", IdUser, User, Asserted),
];

static VERIFY: Field = Field::raw("ClientMTLSAuthStatus", Raw::CertificateVerify);

/// Takes back what stands for nothing; a certificate counts where it was found good.
fn finish(record: &mut Record<'_>) {
    let verify = record.text(Slot::Raw(Raw::Aside));
    if let Some(verify) = verify.map(|it| if it == "ok" { "SUCCESS" } else { "FAILED" }) {
        record.put_copied(&VERIFY, 0, verify);
    }
    let decision = Slot::Text(Text::PolicyDecision);
    if matches!(record.text(decision), Some("unknown" | "none")) {
        record.forget(decision);
    }
    // Nothing was asked of the origin.
    let upstream = Slot::Int(Int::UpstreamDurationNs);
    if record.filled(upstream).is_some_and(|it| matches!(it.value, Value::Int(0))) {
        record.forget(upstream);
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"ClientIP":"2001:db8::9","ClientRequestHost":"api.example.com","ClientRequestMethod":"POST","EdgeResponseStatus":401,"RayID":"72d8",{fields}}}"#
        );
        crate::format::check::check(FormatId::Cloudflare, &line, expected);
    }

    #[test]
    fn seconds_give_no_duration_and_nanoseconds_do() {
        check(
            r#""EdgeStartTimestamp":"2026-03-10T03:36:59Z","EdgeEndTimestamp":"2026-03-10T03:37:00Z","ClientRequestURI":"/v1/login?token=abc","ClientRequestBytes":2407,"EdgeResponseBytes":279,"OriginResponseDurationMs":30,"OriginResponseStatus":0"#,
            &[
                "time=2026-03-10T03:36:59Z",
                "duration_ns=",
                "upstream_duration_ns=30000000",
                "upstream_status_code=",
                "url_path=/v1/login",
                "url_query=token=REDACTED",
                "http_request_size=2407",
                "http_response_size=279",
                "client_address=2001:db8::9",
                "principal_type=ip",
            ],
        );
        check(
            r#""EdgeStartTimestamp":1658281671671000000,"EdgeEndTimestamp":1658281702371000000,"OriginResponseTime":0"#,
            &["time=2022-07-20T01:47:51.671Z", "duration_ns=30700000000", "upstream_duration_ns="],
        );
        check(
            r#""EdgeStartTimestamp":1658281671,"EdgeEndTimestamp":1658281702"#,
            &["time=2022-07-20T01:47:51Z", "duration_ns="],
        );
    }

    #[test]
    fn a_certificate_is_an_identity_only_if_it_was_checked() {
        let cert = r#""EdgeStartTimestamp":1658281671,"ClientMTLSAuthCertFingerprint":"9f86d081","ClientMTLSAuthStatus""#;
        check(&format!(r#"{cert}:"ok""#), &["principal_id=9f86d081", "principal_type=mtls"]);
        check(&format!(r#"{cert}:"expired""#), &["principal_type=ip"]);
    }
}

//! Traefik's access log in JSON, of all major versions.

use super::field::{Field, How, Raw, Slot, identity};
use super::record::Record;
use super::{Format, Reader, address};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "traefik_json",
    about: "Traefik access logs in JSON",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["DownstreamStatus", "RequestPath"],
            &["DownstreamStatus", "Duration"],
            &["RequestMethod", "RequestPath", "ClientAddr"],
            &["RequestMethod", "RequestPath", "ClientHost"],
            &["RequestMethod", "RequestPath", "RouterName"],
            &["RequestMethod", "RequestPath", "StartUTC"],
        ],
        finish,
        mends: false,
    },
    time_kind: TimeKind::Start,
    needs_request: true,
    // Traefik drops `X-Forwarded-For` of peers that it does not trust, but `insecure` trusts all: behind a
    // public proxy `trusted_proxies` must name it here too.
    forwarded_only: true,
};

static FIELDS: &[Field] = &[
    Field::raw("StartUTC", Raw::Time),
    Field::raw("StartLocal", Raw::Time),
    // When the line was written.
    Field::end("time"),
    Field::span("Duration", Int::DurationNs, How::Nanos),
    Field::span("OriginDuration", Int::UpstreamDurationNs, How::Nanos),
    Field::text("RequestMethod", Text::HttpRequestMethod),
    Field::raw("RequestPath", Raw::Target),
    Field::raw("RequestLine", Raw::RequestLine),
    Field::raw("RequestProtocol", Raw::Protocol),
    Field::text("RequestScheme", Text::UrlScheme),
    Field::raw("RequestAddr", Raw::Host),
    Field::raw("RequestHost", Raw::Host),
    Field::int("RequestPort", Int::ServerPort),
    Field::int("RequestContentSize", Int::HttpRequestBodySize),
    Field::int("DownstreamStatus", Int::HttpResponseStatusCode),
    Field::int("DownstreamContentSize", Int::HttpResponseBodySize),
    Field::int("OriginStatus", Int::UpstreamStatusCode),
    Field::raw("ClientAddr", Raw::Client),
    // The host of `ClientAddr`, or the whole of `X-Forwarded-For` where there is one.
    Field::raw("ClientHost", Raw::Forwarded),
    Field::int("ClientPort", Int::ClientPort),
    Field::text("RouterName", Text::GatewayRoute),
    Field::text("FrontendName", Text::GatewayRoute),
    Field::text("ServiceName", Text::GatewayService),
    Field::text("BackendName", Text::GatewayService),
    Field::text("request_User-Agent", Text::UserAgentOriginal),
    Field::text("request_Referer", Text::HttpRequestReferrer),
    Field::text("request_X-Request-Id", Text::RequestId),
    Field::raw("request_Traceparent", Raw::Traceparent),
    Field::raw("request_Mcp-Method", Raw::McpMethodHeader),
    Field::raw("request_Mcp-Name", Raw::McpNameHeader),
    Field::text("request_Mcp-Protocol-Version", Text::McpProtocolVersion),
    Field::text("TraceId", Text::TraceId),
    Field::text("trace_id", Text::TraceId),
    Field::text("SpanId", Text::SpanId),
    Field::text("span_id", Text::SpanId),
    // The certificate may be unverified, as `clientAuthType` says; the user name was at least asked for,
    // and comes before it for that.
    identity!("traefik_json", "ClientUsername", IdConsumer, User, Asserted),
    identity!("traefik_json", "request_X-Consumer-Id", IdConsumer, Consumer, Asserted),
    identity!("traefik_json", "TLSClientSubject", IdCertificate, Mtls, Asserted),
    identity!("traefik_json", "request_X-User-Id", IdUser, User, Asserted),
    identity!("traefik_json", "request_X-Forwarded-User", IdUser, User, Asserted),
];

/// Tells whether `ClientHost` names the peer or a client behind proxies.
fn finish(record: &mut Record<'_>) {
    let forwarded = Slot::Raw(Raw::Forwarded);
    let is_peer = {
        let peer = record.text(Slot::Raw(Raw::Client)).and_then(address::parse);
        let host = record.text(forwarded).and_then(address::parse);
        peer.zip(host).is_some_and(|(peer, host)| peer.host == host.host)
    };
    if is_peer {
        record.forget(forwarded);
    } else if record.has(forwarded) && record.has(Slot::Raw(Raw::Client)) {
        // The port is the peer's.
        record.forget(Slot::Int(Int::ClientPort));
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(fields: &str, expected: &[&str]) {
        let line = format!(
            r#"{{"StartUTC":"2026-03-10T03:36:59.123456789Z","DownstreamStatus":200,"Duration":1500000,"RequestMethod":"GET","RequestPath":"/a/7?token=c4n4ry",{fields}}}"#
        );
        crate::format::check::check(FormatId::TraefikJson, &line, expected);
    }

    #[test]
    fn durations_are_nanoseconds_and_a_user_comes_before_the_certificate() {
        check(
            r#""ClientAddr":"10.0.0.1:4711","ClientHost":"10.0.0.1","ClientPort":"4711","ClientUsername":"jo","TLSClientSubject":"CN=svc","OriginStatus":0,"RequestAddr":"api.example.com:8443","RouterName":"api@docker""#,
            &[
                "duration_ns=1500000",
                "url_query=token=REDACTED",
                "client_address=10.0.0.1",
                "client_port=4711",
                "network_peer_address=",
                "principal_id=jo",
                "principal_type=user",
                "tls_client_subject=CN=svc",
                "upstream_status_code=",
                "server_address=api.example.com",
                "server_port=8443",
                "gateway_route=api@docker",
            ],
        );
    }

    #[test]
    fn the_client_host_may_be_a_forwarded_list() {
        check(
            r#""ClientAddr":"10.0.0.1:4711","ClientHost":"192.168.1.100,10.0.0.50","ClientPort":"4711","ClientUsername":"-""#,
            &[
                "client_address=192.168.1.100",
                "client_port=",
                "network_peer_address=10.0.0.1",
                "principal_type=ip",
            ],
        );
    }

    #[test]
    fn the_first_version_has_frontends_and_dropped_fields_are_absent() {
        crate::format::check::check(
            FormatId::TraefikJson,
            r#"{"ClientHost":"192.0.2.7","DownstreamStatus":404,"Duration":2000000,"FrontendName":"f","BackendName":"b","RequestMethod":"GET","RequestPath":"/x","time":"2026-03-10T03:36:59Z","level":"info","msg":""}"#,
            &[
                "time=2026-03-10T03:36:58.998Z",
                "time_kind=end_minus_duration",
                "client_address=192.0.2.7",
                "gateway_route=f",
                "gateway_service=b",
            ],
        );
    }
}

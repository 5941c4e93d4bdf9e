//! Akamai DataStream 2 in JSON: all values are texts, and some are URL-encoded.

use super::field::{Field, How, Raw, Slot};
use super::record::{Record, Value};
use super::{Format, Reader, request};
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "akamai",
    about: "Akamai DataStream 2 in JSON",
    aliases: &["akamai_datastream"],
    fields: FIELDS,
    reader: Reader::Json {
        signatures: &[
            &["reqTimeSec", "statusCode"],
            &["reqTimeSec", "reqMethod"],
            &["reqTimeSec", "reqPath"],
            &["reqTimeSec", "cliIP"],
        ],
        finish,
        mends: false,
    },
    // When the edge server accepted the request.
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("reqTimeSec", Raw::Time),
    // To the request's last byte, from there to the answer's first, and from there to its last.
    Field::raw("reqEndTimeMSec", Raw::Aside),
    Field::raw("turnAroundTimeMSec", Raw::AsideToo),
    Field::raw("transferTimeMSec", Raw::AsideThree),
    Field::text("reqMethod", Text::HttpRequestMethod),
    Field::raw("reqPath", Raw::Target),
    Field::text("queryStr", Text::UrlQuery),
    Field::raw("reqHost", Raw::Host),
    Field::int("reqPort", Int::ServerPort),
    Field::raw("proto", Raw::Protocol),
    Field::int("statusCode", Int::HttpResponseStatusCode),
    Field::int("bytes", Int::HttpResponseBodySize),
    Field::int("totalBytes", Int::HttpResponseSize),
    Field::raw("cliIP", Raw::Client),
    Field::raw("xForwardedFor", Raw::Forwarded),
    Field::text("UA", Text::UserAgentOriginal),
    Field::text("referer", Text::HttpRequestReferrer),
    Field::text("reqId", Text::RequestId),
    Field::text("cp", Text::GatewayService),
    Field::text("securityRules", Text::PolicyReason),
    Field::text("streamId", Text::SourceInstance),
];

static DURATION: Field = Field::span(
    "reqEndTimeMSec + turnAroundTimeMSec + transferTimeMSec",
    Int::DurationNs,
    How::Millis,
);
static TARGET: Field = Field::raw("reqPath", Raw::Target);
static SCHEME: Field = Field::text("proto", Text::UrlScheme);
static AGENT: Field = Field::text("UA", Text::UserAgentOriginal);
static REFERRER: Field = Field::text("referer", Text::HttpRequestReferrer);
static FORWARDED: Field = Field::raw("xForwardedFor", Raw::Forwarded);

/// Takes out escapes, and puts what has several meanings where it belongs.
pub(super) fn finish(record: &mut Record<'_>) {
    for (slot, field) in [
        (Slot::Text(Text::UserAgentOriginal), &AGENT),
        (Slot::Text(Text::HttpRequestReferrer), &REFERRER),
        (Slot::Raw(Raw::Forwarded), &FORWARDED),
    ] {
        let escaped = record.text(slot).filter(|it| it.contains(['%', '+']));
        if let Some(plain) = escaped.map(|it| request::unescape(&it.replace('+', " "))) {
            record.put_copied(field, 0, &plain);
        }
    }
    // Some streams leave the first slash out.
    let path = record.text(Slot::Raw(Raw::Target)).filter(|it| !it.starts_with(['/', '*']));
    if let Some(path) = path.filter(|it| !it.contains("://")).map(|it| format!("/{it}")) {
        record.put_copied(&TARGET, 0, &path);
    }
    let protocol = Slot::Raw(Raw::Protocol);
    let scheme = record.text(protocol).filter(|it| !it.contains('/'));
    if let Some(scheme) = scheme.map(str::to_ascii_lowercase) {
        record.forget(protocol);
        record.put_copied(&SCHEME, 0, &scheme);
    }
    let ms = |raw| record.text(Slot::Raw(raw))?.parse::<f64>().ok().filter(|it| *it >= 0.0);
    if let (Some(turn), Some(transfer)) = (ms(Raw::AsideToo), ms(Raw::AsideThree)) {
        let whole = ms(Raw::Aside).unwrap_or(0.0) + turn + transfer;
        record.put(&DURATION, 0, Value::Float(whole));
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Akamai, line, expected);
    }

    #[test]
    fn texts_are_numbers_and_escapes_are_taken_out() {
        check(
            r#"{"version":1,"streamId":"7050","cp":"123456","reqId":"1239f220","reqTimeSec":"1773113819.123","bytes":"4995","cliIP":"128.147.28.68","statusCode":"206","proto":"HTTPS","reqHost":"api.example.com","reqMethod":"GET","reqPath":"path1/file.ext","reqPort":"443","queryStr":"param=value&token=c4n4ry","totalBytes":"5100","UA":"Mozilla%2F5.0+%28Macintosh%29","turnAroundTimeMSec":"11","transferTimeMSec":"125","reqEndTimeMSec":"3","xForwardedFor":"-","cookie":"c4n4ry"}"#,
            &[
                "time=2026-03-10T03:36:59.123Z",
                "time_kind=start",
                "duration_ns=139000000",
                "url_path=/path1/file.ext",
                "url_query=param=value&token=REDACTED",
                "url_scheme=https",
                "network_protocol_version=",
                "server_port=443",
                "http_response_status_code=206",
                "http_response_size=5100",
                "http_response_body_size=4995",
                "user_agent_original=Mozilla/5.0 (Macintosh)",
                "principal_type=ip",
            ],
        );
    }

    #[test]
    fn what_is_not_there_is_absent() {
        check(
            r#"{"reqTimeSec":"1573840000","cliIP":"2001:db8::1","statusCode":"200","reqMethod":"POST","reqPath":"-","UA":"-"}"#,
            &["time=2019-11-15T17:46:40Z", "url_path=", "duration_ns=", "user_agent_original="],
        );
    }
}

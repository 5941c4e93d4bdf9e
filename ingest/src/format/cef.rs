//! The Common Event Format, in which firewalls and gateways send requests to a SIEM.
//!
//! Most events in it are no requests: only what names a URL, a method or a status is read.

use super::field::{Field, Raw, Slot, identity};
use super::line::{is_number, split_at_mark};
use super::record::{Record, Value};
use super::{Format, Reader, siem};
use crate::reject::Reject;
use memchr::{memchr_iter, memrchr};
use model::{Int, Text, TimeKind};
use std::sync::LazyLock;

pub(super) static FORMAT: Format = Format {
    name: "cef",
    about: "Common Event Format, for events that are requests",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    time_kind: TimeKind::Start,
    needs_request: false,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("start", Raw::Time),
    Field::end("end"),
    // When the device wrote the event.
    Field::end("rt"),
    Field::end("deviceReceiptTime"),
    Field::raw("request", Raw::Target),
    Field::raw("requestUrl", Raw::Target),
    Field::text("qstr", Text::UrlQuery),
    Field::text("requestMethod", Text::HttpRequestMethod),
    Field::text("requestClientApplication", Text::UserAgentOriginal),
    Field::text("requestContext", Text::HttpRequestReferrer),
    Field::raw("src", Raw::Client),
    Field::raw("sourceAddress", Raw::Client),
    Field::raw("c6a2", Raw::Client),
    Field::int("spt", Int::ClientPort),
    Field::int("sourcePort", Int::ClientPort),
    Field::raw("dhost", Raw::Host),
    Field::raw("destinationHostName", Raw::Host),
    Field::raw("sourceServiceName", Raw::Host),
    Field::int("dpt", Int::ServerPort),
    Field::int("destinationPort", Int::ServerPort),
    identity!("cef", "suser", IdUser, User, Asserted),
    identity!("cef", "sourceUserName", IdUser, User, Asserted),
    identity!("cef", "suid", IdUser, User, Asserted),
    identity!("cef", "sourceUserId", IdUser, User, Asserted),
    // Both count from the source's side.
    Field::int("in", Int::HttpRequestSize),
    Field::int("bytesIn", Int::HttpRequestSize),
    Field::int("out", Int::HttpResponseSize),
    Field::int("bytesOut", Int::HttpResponseSize),
    Field::int("outcome", Int::HttpResponseStatusCode),
    Field::int("eventOutcome", Int::HttpResponseStatusCode),
    Field::int("status (by its label)", Int::HttpResponseStatusCode),
    Field::raw("xff", Raw::Forwarded),
    Field::raw("forwarded list (by its label)", Raw::Forwarded),
    Field::text("act", Text::PolicyDecision),
    Field::text("deviceAction", Text::PolicyDecision),
    Field::text("reason", Text::PolicyReason),
    Field::text("externalId", Text::RequestId),
    Field::text("app", Text::UrlScheme),
    Field::text("dvchost", Text::SourceInstance),
    Field::text("destinationServiceName", Text::GatewayService),
];
static KEYS: LazyLock<siem::Keys> = LazyLock::new(|| siem::Keys::as_written(FIELDS));
/// Pairs that are looked at; a line has hardly more than fifty.
const PAIRS_MAX: usize = 256;
/// Pairs that most lines have at most.
const PAIRS_USUAL: usize = 32;
/// Fields of a header: version, vendor, product, its version, signature, name, severity.
const HEADER_FIELDS: usize = 7;

fn looks(line: &str) -> bool {
    header(line).is_some()
}

/// The extension of a line: what follows the seven fields of its header.
fn header(line: &str) -> Option<&str> {
    let rest = match siem::after_marker(line, "CEF:") {
        Some(rest) => rest.trim_ascii_start(),
        // A relay may have taken the name for syslog's tag and have dropped it.
        None => line.trim_ascii().strip_prefix("0|").map(|_| line.trim_ascii())?,
    };
    let (version, _) = rest.split_once('|')?;
    if !is_number(version) {
        return None;
    }
    let bytes = rest.as_bytes();
    let is_escaped = |at: usize| at > 0 && bytes.get(at - 1) == Some(&b'\\');
    let at = memchr_iter(b'|', bytes).filter(|at| !is_escaped(*at)).nth(HEADER_FIELDS - 1)?;
    rest.get(at + 1..)
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let extension = header(line).ok_or(Reject::UnknownFormat)?;
    let mut pairs = Vec::with_capacity(PAIRS_USUAL);
    pairs.extend(Pairs::new(extension).take(PAIRS_MAX));
    for (key, value) in pairs.iter().copied() {
        let Some(custom) = key.strip_suffix("Label") else {
            put(key, value, record);
            continue;
        };
        if let Some((_, custom)) = pairs.iter().copied().find(|(key, _)| *key == custom) {
            labelled(value, custom, record);
        }
    }
    if !is_request(record) {
        return Err(Reject::NoRequest);
    }
    let has_label = pairs.iter().any(|(key, _)| *key == "cn1Label");
    if let Some((_, status)) = pairs.iter().copied().find(|(key, _)| *key == "cn1" && !has_label) {
        // Imperva gives its status no label.
        labelled("status", status, record);
    }
    Ok(())
}

/// Whether a record names a URL, a method or a status.
pub(super) fn is_request(record: &Record<'_>) -> bool {
    record.has(Slot::Raw(Raw::Target))
        || record.has(Slot::Text(Text::HttpRequestMethod))
        || record.has(Slot::Int(Int::HttpResponseStatusCode))
}

fn put<'a>(key: &str, value: &'a str, record: &mut Record<'a>) {
    let Some(rank) = KEYS.rank_as_written(key) else { return };
    let Some(field) = FIELDS.get(usize::from(rank)) else { return };
    if field.slot == Slot::Raw(Raw::Target)
        && !value.starts_with('/')
        && split_at_mark(value, "://").is_none()
        && let Some((host, _)) = split_at_mark(value, "/")
    {
        // Some write `shop.example/a` for a URL.
        put("dhost", host, record);
        return put(key, value.get(host.len()..).unwrap_or(""), record);
    }
    match field.slot {
        Slot::Raw(Raw::Time) => siem::put_time(record, field, rank, value),
        Slot::Text(Text::PolicyDecision) => {
            record.put(field, rank, Value::Line(siem::decision(value)));
        }
        Slot::Int(Int::HttpResponseStatusCode) if !siem::is_http_status(value) => {}
        Slot::Text(Text::UrlScheme) => record.put(field, rank, Value::Line(scheme(value))),
        _ if record.has_backslash && value.contains('\\') => {
            record.put_copied(field, rank, &unescape(value));
        }
        _ => record.put(field, rank, Value::Line(value)),
    }
}

/// The application's protocol, where it is HTTP.
fn scheme(text: &str) -> &'static str {
    match text.get(..5) {
        Some(head) if head.eq_ignore_ascii_case("https") => "https",
        _ if text.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("http")) => "http",
        _ => "",
    }
}

/// A custom field, whose label says what it is.
fn labelled<'a>(label: &str, value: &'a str, record: &mut Record<'a>) {
    let letters =
        || label.bytes().filter(u8::is_ascii_alphanumeric).map(|it| it.to_ascii_lowercase());
    let is = |names: &[&str]| names.iter().any(|it| letters().eq(it.bytes()));
    let name = if is(&["status", "statuscode", "httpstatus", "httpstatuscode", "responsecode"])
        || is(&["httpresponsecode", "responsestatus", "httpresponsestatus", "rspcode"])
    {
        "status (by its label)"
    } else if is(&["xforwardedfor", "xff", "xforwardedforheadervalue"]) {
        "forwarded list (by its label)"
    } else {
        return;
    };
    if name.starts_with("forwarded") || siem::is_http_status(value) {
        put(name, value, record);
    }
}

/// The pairs of an extension: `key=value key=value`, where values hold spaces.
#[derive(Debug)]
struct Pairs<'a> {
    /// What follows the equals sign of the pair that is next.
    rest: &'a str,
    key: &'a str,
}

impl<'a> Pairs<'a> {
    fn new(extension: &'a str) -> Self {
        let extension = extension.trim_ascii();
        let (key, rest) = extension.split_once('=').unwrap_or(("", ""));
        Self { rest, key: if is_key(key) { key } else { "" } }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.key.is_empty() {
            return None;
        }
        let (rest, bytes) = (self.rest, self.rest.as_bytes());
        let mut from = 0;
        for at in memchr_iter(b'=', bytes) {
            // A key stands behind a space; where there is none, the sign is part of the value.
            let before = rest.get(from..at).unwrap_or("");
            let space = memrchr(b' ', before.as_bytes());
            let key = space.and_then(|it| before.get(it + 1..)).filter(|it| is_key(it));
            if let (Some(key), Some(space)) = (key, space) {
                let value = rest.get(..from + space).unwrap_or("");
                let pair = (self.key, value.trim_ascii());
                (self.key, self.rest) = (key, rest.get(at + 1..).unwrap_or(""));
                return Some(pair);
            }
            from = at + 1;
        }
        let pair = (self.key, rest.trim_ascii());
        self.key = "";
        Some(pair)
    }
}

fn is_key(text: &str) -> bool {
    let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'_' | b'.' | b'-');
    !text.is_empty() && text.bytes().all(is_part)
}

/// Resolves `\=`, `\|` and `\\`.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('\\') {
        out.push_str(plain);
        let escaped = after.strip_prefix(['=', '|', '\\']);
        if let Some(kept) = escaped {
            out.push_str(after.get(..after.len() - kept.len()).unwrap_or(""));
        } else {
            out.push('\\');
        }
        rest = escaped.unwrap_or(after);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Cef, line, expected);
    }

    #[test]
    fn a_request_fills_its_columns() {
        let line = r"CEF:0|ACME|WAF \| Gateway|1.0|100|HTTP request|5|start=1773113819123 src=203.0.113.9 spt=4711 suser=jo requestMethod=GET request=https://shop.example:8443/orders/7?a\=b requestClientApplication=curl/8 (x=y) in=210 out=512 act=Blocked reason=sql injection cn1=403 cn1Label=HTTP Response Code cs1Label=X-Forwarded-For cs1=198.51.100.7 app=HTTPS";
        let expected = [
            "time=2026-03-10T03:36:59.123Z",
            "time_kind=start",
            "client_address=203.0.113.9",
            "client_port=4711",
            "principal_id=jo",
            "principal_source=cef.suser",
            "endpoint=GET /orders/{int}",
            "url_query=a=b",
            "url_scheme=https",
            "server_address=shop.example",
            "server_port=8443",
            "user_agent_original=curl/8 (x=y)",
            "http_request_size=210",
            "http_response_size=512",
            "http_response_status_code=403",
            "policy_decision=deny",
            "policy_reason=sql injection",
        ];
        check(line, &expected);
        check(&format!("<134>Mar 10 03:36:59 waf {line}"), &expected);
        check(&line.replace("CEF:", "CEF: "), &expected);
        check(&line.replace("CEF:", ""), &expected);
    }

    #[test]
    fn a_time_may_be_the_end_or_the_devices() {
        check(
            "CEF:0|a|b|1|2|c|3|rt=Mar 10 2026 03:36:59 UTC requestMethod=GET request=/a outcome=200",
            &["time=2026-03-10T03:36:59Z", "time_kind=end", "http_response_status_code=200"],
        );
        check(
            "CEF:0|a|b|1|2|c|3|end=1773113819123 request=/a outcome=failure",
            &["time_kind=end", "url_path=/a", "http_response_status_code="],
        );
    }

    #[test]
    fn what_is_no_request_is_refused() {
        check(
            "CEF:0|CyberArk|PTA|12.6|1|Suspected theft|8|suser=a@b.example shost=b.example src=1.1.1.1",
            &["reject=no_request"],
        );
        check("CEF:0|a|b|1|2|c|3|request=/a", &["reject=no_time"]);
        for line in ["CEF:0|Check Point|VPN-1|Log|https|", "0|not|this", "CEF:zero|||||||"] {
            check(line, &["reject=unknown_format"]);
        }
    }

    #[test]
    fn a_site_may_stand_before_the_path_and_a_status_without_a_label() {
        check(
            r"CEF:0|Incapsula|SIEMintegration|1|1|Normal|0|src=203.0.113.9 xff=198.51.100.7 start=1773113819123 request=shop.example/a/7 requestMethod=GET qstr=p\=%2fetc cn1=200 in=54 act=REQ_BLOCKED_RULE",
            &[
                "server_address=shop.example",
                "url_path=/a/7",
                "url_query=p=%2fetc",
                "http_response_status_code=200",
                "policy_decision=deny",
                "client_address=203.0.113.9",
            ],
        );
    }

    #[test]
    fn pairs_end_where_a_key_begins() {
        let pairs: Vec<_> = Pairs::new("msg=status=ok why c=d e f = g h=").collect();
        assert_eq!(pairs, [("msg", "status=ok why"), ("c", "d e f = g"), ("h", "")]);
        assert_eq!(Pairs::new("none").count(), 0);
    }
}

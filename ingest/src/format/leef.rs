//! The Log Event Extended Format of QRadar, versions 1.0 and 2.0.
//!
//! Most events in it are no requests: only what names a URL, a method or a status is read.

use super::field::{Field, Raw, Slot, identity};
use super::line::split_at_mark;
use super::record::{Record, Value};
use super::{Format, Reader, cef, siem};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};
use std::sync::LazyLock;

pub(super) static FORMAT: Format = Format {
    name: "leef",
    about: "Log Event Extended Format 1.0 and 2.0, for events that are requests",
    aliases: &[],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    // When the device wrote the event.
    time_kind: TimeKind::End,
    needs_request: false,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("devTime", Raw::Time),
    Field::raw("url", Raw::Target),
    Field::raw("request", Raw::Target),
    Field::text("method", Text::HttpRequestMethod),
    Field::text("requestMethod", Text::HttpRequestMethod),
    Field::text("httpMethod", Text::HttpRequestMethod),
    Field::int("status", Int::HttpResponseStatusCode),
    Field::int("statusCode", Int::HttpResponseStatusCode),
    Field::int("httpStatus", Int::HttpResponseStatusCode),
    Field::int("responseCode", Int::HttpResponseStatusCode),
    Field::text("userAgent", Text::UserAgentOriginal),
    Field::text("requestClientApplication", Text::UserAgentOriginal),
    Field::text("referer", Text::HttpRequestReferrer),
    Field::raw("src", Raw::Client),
    Field::raw("identSrc", Raw::Client),
    Field::int("srcPort", Int::ClientPort),
    Field::int("dstPort", Int::ServerPort),
    Field::raw("host", Raw::Host),
    Field::raw("dstHostName", Raw::Host),
    identity!("leef", "usrName", IdUser, User, Asserted),
    identity!("leef", "accountName", IdUser, User, Asserted),
    Field::int("srcBytes", Int::HttpRequestSize),
    Field::int("dstBytes", Int::HttpResponseSize),
    Field::raw("xForwardedFor", Raw::Forwarded),
    Field::text("action", Text::PolicyDecision),
    Field::text("act", Text::PolicyDecision),
    Field::text("reason", Text::PolicyReason),
    Field::text("policy", Text::GatewayRoute),
    Field::text("requestId", Text::RequestId),
];

static KEYS: LazyLock<siem::Keys> = LazyLock::new(|| siem::Keys::of(FIELDS));

fn looks(line: &str) -> bool {
    header(line).is_some()
}

/// The attributes of a line, and what stands between them.
fn header(line: &str) -> Option<(&str, char)> {
    let rest = siem::after_marker(line, "LEEF:")?;
    let (version, mut attributes) = split_at_mark(rest, "|")?;
    let version = version.trim_ascii();
    // Vendor, product, its version, event.
    for _ in 0..4 {
        (_, attributes) = split_at_mark(attributes, "|")?;
    }
    let mut delimiter = '\t';
    if version.starts_with('2') {
        // The second version names the delimiter: a character, its number, or nothing for a tab.
        let (named, after) = match attributes.strip_prefix("||") {
            Some(after) => ("|", after),
            None => split_at_mark(attributes, "|")?,
        };
        attributes = after;
        delimiter = character(named)?;
    } else if !version.starts_with('1') {
        return None;
    }
    Some((attributes, delimiter))
}

/// `^`, `x5E`, `0x5E`, or nothing for a tab.
fn character(text: &str) -> Option<char> {
    let number = text.strip_prefix("0x").or_else(|| text.strip_prefix('x'));
    if let Some(number) = number.filter(|it| !it.is_empty()) {
        return u32::from_str_radix(number, 16).ok().and_then(char::from_u32);
    }
    let mut characters = text.chars();
    let first = characters.next().unwrap_or('\t');
    characters.next().is_none().then_some(first)
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let (attributes, delimiter) = header(line).ok_or(Reject::UnknownFormat)?;
    let (mut buffer, mut rest) = ([0; 4], Some(attributes));
    let delimiter: &str = delimiter.encode_utf8(&mut buffer);
    while let Some(text) = rest {
        let (pair, behind) = match split_at_mark(text, delimiter) {
            Some((pair, behind)) => (pair, Some(behind)),
            None => (text, None),
        };
        rest = behind;
        if let Some((key, value)) = split_at_mark(pair.trim_ascii(), "=") {
            put(key, value.trim_ascii(), record);
        }
    }
    if cef::is_request(record) { Ok(()) } else { Err(Reject::NoRequest) }
}

fn put<'a>(key: &str, value: &'a str, record: &mut Record<'a>) {
    let Some(rank) = KEYS.rank(key) else { return };
    let Some(field) = FIELDS.get(usize::from(rank)) else { return };
    match field.slot {
        Slot::Raw(Raw::Time) => siem::put_time(record, field, rank, value),
        Slot::Text(Text::PolicyDecision) => {
            record.put(field, rank, Value::Line(siem::decision(value)));
        }
        Slot::Int(Int::HttpResponseStatusCode) if !siem::is_http_status(value) => {}
        _ if record.has_backslash && value.contains('\\') => {
            record.put_copied(field, rank, &cef::unescape(value));
        }
        _ => record.put(field, rank, Value::Line(value)),
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Leef, line, expected);
    }

    const EXPECTED: [&str; 9] = [
        "time=2026-03-10T03:36:59.123Z",
        "time_kind=end",
        "client_address=203.0.113.9",
        "principal_id=jo",
        "principal_source=leef.usrName",
        "endpoint=GET /orders/{int}",
        "url_query=a=b",
        "http_response_status_code=403",
        "policy_decision=deny",
    ];

    #[test]
    fn both_versions_and_every_delimiter_are_read() {
        let pairs = [
            "devTime=Mar 10 2026 03:36:59.123 UTC",
            "src=203.0.113.9",
            "usrName=jo",
            "method=GET",
            r"url=https://shop.example/orders/7?a\=b",
            "status=403",
            "action=blocked",
        ];
        check(&format!("LEEF:1.0|ACME|Gateway|1.0|access|{}", pairs.join("\t")), &EXPECTED);
        for (named, between) in [("^", "^"), ("x5E", "^"), ("0x7c", "|"), ("|", "|"), ("", "\t")] {
            let line = format!("LEEF:2.0|ACME|Gateway|1.0|access|{named}|{}", pairs.join(between));
            check(&line, &EXPECTED);
            check(&format!("<13>1 2026-03-10T03:36:59Z h - - - - {line}"), &EXPECTED);
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        check(
            "LEEF:1.0|Microsoft|MSExchange|4.0 SP1|15345|src=10.0.0.1\tusrName=joe\tdevTime=Mar 10 2026 03:36:59",
            &["reject=no_request"],
        );
        check("LEEF:1.0|a|b|c|d|url=/a", &["reject=no_time"]);
        for line in ["LEEF:3.0|a|b|c|d|url=/a", "LEEF:2.0|a|b|c|d|ab|url=/a", "LEEF:1.0|a"] {
            check(line, &["reject=unknown_format"]);
        }
    }
}

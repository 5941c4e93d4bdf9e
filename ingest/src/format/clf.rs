//! The common log format of NGINX and Apache: common, combined, with a virtual host, with a tail.
//!
//! Callers choose the bytes of the user, request, referrer and user agent, so the columns are found
//! from what callers cannot write: an unescaped quote, the date before it, the status after it.

use super::field::{Field, How, Raw, identity};
use super::record::{Record, Value};
use super::{Format, Reader, address};
use crate::reject::Reject;
use model::{Int, ParseFlags, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "clf",
    about: "NGINX and Apache access logs: common, combined, vhost_combined, ingress-nginx",
    aliases: &["nginx", "apache", "combined", "common"],
    fields: FIELDS,
    // Any line that is nothing else may be of this kind.
    reader: Reader::Text { looks: |_| true, scan },
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

/// The place of each field in [`FIELDS`].
#[derive(Clone, Copy)]
enum At {
    Host,
    Client,
    User,
    Time,
    Request,
    Status,
    Size,
    Referrer,
    UserAgent,
    Forwarded,
    RequestLength,
    RequestTime,
    UpstreamName,
    UpstreamTime,
    UpstreamStatus,
    RequestId,
}

static FIELDS: &[Field] = &[
    Field::raw("vhost", Raw::Host),
    Field::raw("remote_addr", Raw::Client),
    identity!("clf", "remote_user", IdUser, User, Asserted),
    Field::raw("time_local", Raw::Time),
    Field::raw("request", Raw::RequestLine),
    Field::int("status", Int::HttpResponseStatusCode),
    Field::int("body_bytes_sent", Int::HttpResponseBodySize),
    Field::text("http_referer", Text::HttpRequestReferrer),
    Field::text("http_user_agent", Text::UserAgentOriginal),
    Field::raw("http_x_forwarded_for", Raw::Forwarded),
    Field::int("request_length", Int::HttpRequestSize),
    Field::span("request_time", Int::DurationNs, How::Seconds),
    Field::text("proxy_upstream_name", Text::GatewayService),
    Field::span("upstream_response_time", Int::UpstreamDurationNs, How::Seconds),
    Field::int("upstream_status", Int::UpstreamStatusCode),
    Field::text("req_id", Text::RequestId),
];

fn put<'a>(record: &mut Record<'a>, at: At, text: &'a str) {
    let Some(field) = FIELDS.get(at as usize) else { return };
    if text.contains('\\') {
        record.put_copied(field, 0, &unescape(text));
    } else {
        record.put(field, 0, Value::Line(text));
    }
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let line = line.trim_ascii();
    let unknown = if is_message(line) { Reject::NotAccessLog } else { Reject::UnknownFormat };
    let (prefix, rest) = line.split_once('"').ok_or(unknown)?;
    let prefix = prefix.strip_suffix("] ").ok_or(unknown)?;
    let open = memchr::memrchr(b'[', prefix.as_bytes()).ok_or(unknown)?;
    let (callers, date) = prefix.split_at(open);
    put(record, At::Time, date.strip_prefix('[').unwrap_or(date));
    columns(callers.trim_ascii_end(), record).ok_or(unknown)?;
    let (request, tail) = request(rest).ok_or(unknown)?;
    put(record, At::Request, request);
    if matches!(request, "" | "-") {
        record.flags.insert(ParseFlags::BAD_REQUEST_LINE);
    }
    let (status, tail) = word(tail);
    put(record, At::Status, status);
    let (size, tail) = word(tail);
    put(record, At::Size, size);
    let (referrer, tail) = quoted(tail);
    put(record, At::Referrer, referrer);
    let (user_agent, tail) = quoted(tail);
    put(record, At::UserAgent, user_agent);
    if !tail.is_empty() {
        record.flags.insert(ParseFlags::EXTRA_FIELDS);
        extra(tail, record);
    }
    Ok(())
}

/// Whether a line is an error or application message rather than an access.
fn is_message(line: &str) -> bool {
    match line.as_bytes() {
        // `[time] "` begins an access of another format.
        [b'[', ..] => !line.contains("] \""),
        [b'0'..=b'9', _, _, _, b'/' | b'-', _, _, b'/' | b'-', ..] => line.contains(" ["),
        _ => false,
    }
}

/// The columns before the date: virtual host, client, ident, user.
fn columns<'a>(text: &'a str, record: &mut Record<'a>) -> Option<()> {
    let (first, rest) = word(text);
    let (second, after_second) = word(rest);
    let is_ip = |text: &str| address::parse(text).is_some_and(|it| it.ip.is_some());
    let names_host = !is_ip(first)
        && (is_ip(second)
            || (second != "-"
                && word(after_second).0 == "-"
                && !word(word(after_second).1).0.is_empty()));
    let (client, rest) = if names_host {
        put(record, At::Host, first);
        (second, after_second)
    } else {
        (first, rest)
    };
    // What is not a host at all makes the line something else.
    if client != "-" && address::parse(client).is_none() {
        return None;
    }
    put(record, At::Client, client);
    // The ident column is almost always `-`; where there is one column only, it is the user's.
    let (ident, user) = word(rest);
    put(record, At::User, if user.is_empty() { ident } else { user });
    Some(())
}

/// The request, and what follows its closing quote: a space and the status.
fn request(text: &str) -> Option<(&str, &str)> {
    let ends = |at: usize| {
        let tail = text.get(at + 1..)?.strip_prefix(' ')?;
        let (status, _) = word(tail);
        let is_status =
            status == "-" || (status.len() == 3 && status.bytes().all(|it| it.is_ascii_digit()));
        is_status.then(|| Some((text.get(..at)?, tail))).flatten()
    };
    quotes(text).find_map(ends)
}

/// The places of the quotes that no backslash escapes.
fn quotes(text: &str) -> impl Iterator<Item = usize> + '_ {
    let bytes = text.as_bytes();
    memchr::memchr_iter(b'"', bytes).filter(move |at| {
        let before = bytes.get(..*at).unwrap_or_default();
        before.iter().rev().take_while(|it| **it == b'\\').count() % 2 == 0
    })
}

/// The first word and the rest.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_ascii_start();
    match memchr::memchr(b' ', text.as_bytes()) {
        Some(at) => {
            (text.get(..at).unwrap_or(""), text.get(at + 1..).unwrap_or("").trim_ascii_start())
        }
        None => (text, ""),
    }
}

/// The first value in quotes (or `-` without) and the rest; nothing where there is none.
fn quoted(text: &str) -> (&str, &str) {
    let Some(inner) = text.strip_prefix('"') else {
        return match word(text) {
            ("-", rest) => ("", rest),
            _ => ("", text),
        };
    };
    let closes = |at: &usize| matches!(inner.as_bytes().get(at + 1), None | Some(b' '));
    match quotes(inner).find(closes) {
        Some(at) => {
            (inner.get(..at).unwrap_or(""), inner.get(at + 1..).unwrap_or("").trim_ascii_start())
        }
        // The closing quote was cut off.
        None => (inner, ""),
    }
}

/// What follows the user agent: a forwarded list, or the fields of ingress-nginx.
fn extra<'a>(tail: &'a str, record: &mut Record<'a>) {
    if tail.starts_with('"') {
        let (list, rest) = quoted(tail);
        if rest.is_empty() && address::first(list).is_some_and(|it| it.ip.is_some()) {
            put(record, At::Forwarded, list);
        }
        return;
    }
    let (length, rest) = word(tail);
    let (time, rest) = word(rest);
    // Anything else (such as Apache's `%D`) has no certain meaning.
    if !rest.starts_with('[') || length.parse::<u64>().is_err() || time.parse::<f64>().is_err() {
        return;
    }
    put(record, At::RequestLength, length);
    put(record, At::RequestTime, time);
    let (name, rest) = word(rest);
    put(record, At::UpstreamName, name.trim_matches(['[', ']']));
    let (_alternative, rest) = word(rest);
    // Address, length, time and status are lists when an upstream was tried again.
    let mut values = [""; 5];
    let mut filled = 0_usize;
    for part in rest.split_ascii_whitespace() {
        if part == ":" {
            filled = filled.saturating_sub(1);
        } else {
            if let Some(value) = values.get_mut(filled) {
                *value = part.trim_end_matches(',');
            }
            filled += usize::from(!part.ends_with(','));
        }
    }
    let [_address, _length, time, status, id] = values;
    put(record, At::UpstreamTime, time);
    put(record, At::UpstreamStatus, status);
    put(record, At::RequestId, id);
}

/// Resolves `\"`, `\\` and `\xHH`; control characters stay escaped.
fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let (kept, length) = match bytes.get(index + 1..) {
            Some([next @ (b'"' | b'\\'), ..]) if byte == b'\\' => (*next, 2),
            Some([b'x', high, low, ..])
                if byte == b'\\' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                match crate::json::hex(*high) << 4 | crate::json::hex(*low) {
                    0..0x20 | 0x7f => (byte, 1),
                    other => (other, 4),
                }
            }
            _ => (byte, 1),
        };
        out.push(kept);
        index += length;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    const DATE: &str = "[10/Mar/2026:03:36:59 +0100]";

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Clf, &line.replace("[D]", DATE), expected);
    }

    #[test]
    fn common_and_combined_lines_fill_their_columns() {
        check(
            r#"203.0.113.9 - - [D] "GET /orders/7?page=2 HTTP/1.1" 200 612 "https://a.example/x?token=t" "curl/8""#,
            &[
                "time=2026-03-10T02:36:59Z",
                "time_kind=end",
                "time_precision=s",
                "client_address=203.0.113.9",
                "client_net=203.0.113.0/24",
                "http_request_method=GET",
                "url_path=/orders/7",
                "url_query=page=2",
                "endpoint=GET /orders/{int}",
                "endpoint_source=lexical",
                "network_protocol_version=1.1",
                "http_response_status_code=200",
                "http_response_body_size=612",
                "http_request_referrer=https://a.example/x?token=REDACTED",
                "user_agent_original=curl/8",
                "principal_id=203.0.113.9",
                "principal_type=ip",
                "principal_trust=inferred",
                "parse_flags=1024",
            ],
        );
        check(
            r#"::ffff:203.0.113.9 - jo [D] "GET / HTTP/2.0" 204 -"#,
            &[
                "client_address=203.0.113.9",
                "principal_id=jo",
                "principal_type=user",
                "principal_trust=asserted",
                "principal_source=clf.remote_user",
                "network_protocol_version=2",
                "http_response_body_size=",
                "parse_flags=0",
            ],
        );
    }

    #[test]
    fn columns_may_be_missing_added_or_hold_spaces() {
        let request = r#"[D] "GET / HTTP/1.1" 200 5"#;
        check(&format!("1.2.3.4 - john doe {request}"), &["principal_id=john doe"]);
        check(&format!("1.2.3.4 - {request}"), &["client_address=1.2.3.4", "principal_type=ip"]);
        check(
            &format!("a.example:443 1.2.3.4 - jo {request}"),
            &[
                "server_address=a.example",
                "server_port=443",
                "client_address=1.2.3.4",
                "principal_id=jo",
            ],
        );
        check(
            &format!("host.example.com - - {request}"),
            &["client_address=host.example.com", "client_net=", "principal_id=host.example.com"],
        );
    }

    #[test]
    fn a_request_that_is_garbage_is_an_event_all_the_same() {
        for request in ["", "-", "hello", r"\x16\x03\x01\x02", "quit\\x22 200 5", "GET"] {
            check(
                &format!(r#"1.2.3.4 - - [D] "{request}" 400 157 "-" "-""#),
                &[
                    "http_response_status_code=400",
                    "http_response_body_size=157",
                    "http_request_method=",
                    "url_path=",
                    "endpoint=- -",
                    "parse_flags=4",
                ],
            );
        }
    }

    #[test]
    fn hostile_bytes_do_not_shift_columns() {
        check(
            r#"1.2.3.4 - x[10/Oct/2020:00:00:00_+0000] [D] "GET /a] \"b\" 200 5 HTTP/1.1" 404 9 "x\" 200 \"" "\"y\" 301 1""#,
            &[
                "time=2026-03-10T02:36:59Z",
                "http_response_status_code=404",
                "http_response_body_size=9",
                "http_request_referrer=x\" 200 \"",
                "user_agent_original=\"y\" 301 1",
                "client_address=1.2.3.4",
            ],
        );
    }

    #[test]
    fn the_fields_of_ingress_nginx_are_read_and_other_tails_are_flagged() {
        let line = r#"1.2.3.4 - - [D] "GET / HTTP/2.0" 200 7 "-" "x" "#;
        check(
            &format!(
                "{line}462 0.050 [shop-9000] [] 10.0.0.1:1, 10.0.0.2:1 0, 9 0.001, 0.049 502, 200 abc"
            ),
            &[
                "http_request_size=462",
                "duration_ns=50000000",
                "time=2026-03-10T02:36:58.950Z",
                "time_kind=end_minus_duration",
                "gateway_service=shop-9000",
                "upstream_duration_ns=49000000",
                "upstream_status_code=200",
                "request_id=abc",
                "parse_flags=1",
            ],
        );
        check(&format!("{line}1234"), &["duration_ns=", "parse_flags=1"]);
        check(
            &format!(r#"{line}"198.51.100.7, 10.0.0.1""#),
            &["client_address=1.2.3.4", "parse_flags=1"],
        );
    }

    #[test]
    fn refused_names_are_only_claimed() {
        for status in [401, 407] {
            check(
                &format!(r#"1.2.3.4 - admin [D] "GET / HTTP/1.1" {status} 5"#),
                &[
                    "principal_id=1.2.3.4",
                    "principal_type=ip",
                    "principal_trust=claimed",
                    "principal_source=claimed",
                    "principal_claimed=admin",
                ],
            );
        }
        check(
            r#"1.2.3.4 - admin [D] "GET / HTTP/1.1" 403 5"#,
            &["principal_id=admin", "principal_claimed="],
        );
    }

    #[test]
    fn what_is_no_access_is_rejected_with_the_reason() {
        check(
            "2026/03/10 13:02:31 [error] 31#31: *1 open() \"/x\" failed, client: 1.2.3.4",
            &["reject=not_access_log"],
        );
        check(
            "[Mon Aug 31 09:30:48.958285 2015] [core:error] [pid 1] message",
            &["reject=not_access_log"],
        );
        check("not a line of any log", &["reject=unknown_format"]);
        check(r#"1.2.3.4 - - [yesterday] "GET / HTTP/1.1" 200 5"#, &["reject=no_time"]);
        check(
            r#"1.2.3.4 - - [10/Mar/1999:03:36:59 +0100] "GET / HTTP/1.1" 200 5"#,
            &["reject=time_out_of_range"],
        );
        check(r#"- - - [D] "-" - -"#, &["reject=no_request"]);
    }
}

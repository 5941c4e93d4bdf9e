//! Traefik's text line: the combined format and behind it the request's number, router, server, time.
//!
//! Traefik escapes quotes in the user agent and referrer only: user and path are raw, so all but the
//! client is found from the right, where the path holds no space.

use super::field::{Field, How, Raw, Slot, identity};
use super::line::{
    Line, is_date, is_number, is_status, put_escaped, split_at_last_mark, split_at_mark,
};
use super::record::{Record, Value};
use super::{Format, Reader, address};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "traefik",
    about: "Traefik's access log in its common format",
    aliases: &["traefik_clf"],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("ClientHost", Raw::Client),
    identity!("traefik", "ClientUsername", IdUser, User, Asserted),
    Field::raw("StartUTC", Raw::Time),
    Field::raw("Request", Raw::RequestLine),
    Field::int("DownstreamStatus", Int::HttpResponseStatusCode),
    Field::int("DownstreamContentSize", Int::HttpResponseBodySize),
    Field::text("request_Referer", Text::HttpRequestReferrer),
    Field::text("request_User-Agent", Text::UserAgentOriginal),
    Field::text("RouterName", Text::GatewayRoute),
    Field::text("ServiceURL", Text::GatewayService),
    Field::span("Duration", Int::DurationNs, How::Millis),
];

/// Ends with `"url" 12ms` or `- 12ms`, and with a count before the router.
fn looks(line: &str) -> bool {
    tail(line).is_some()
}

/// What stands behind the user agent: router, server, milliseconds; and the line before them.
fn tail(line: &str) -> Option<(Line<'_>, [&str; 3])> {
    let mut line = Line(line.trim_ascii());
    let duration = line.last_word()?;
    duration.strip_suffix("ms").filter(|it| is_number(it))?;
    let url = line.last_value()?;
    let router = line.last_value()?;
    line.last_word().filter(|it| is_number(it) || *it == "-")?;
    // The user agent stands before the count.
    line.0.ends_with(['"', '-']).then_some((line, [router, url, duration]))
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    columns(line, record).ok_or(Reject::UnknownFormat)
}

fn columns<'a>(line: &'a str, record: &mut Record<'a>) -> Option<()> {
    let (mut line, [router, url, duration]) = tail(line)?;
    let user_agent = line.last_value()?;
    let referrer = line.last_value()?;
    let size = line.last_word().filter(|it| is_number(it) || *it == "-")?;
    let status = line.last_word().filter(|it| is_status(it) || matches!(*it, "0" | "-"))?;
    // `"GET /a HTTP/1.1"`: of three words, of which none holds a space.
    let before = line.0.strip_suffix('"')?;
    let mut words = before.rsplitn(3, ' ');
    let (_protocol, _path) = (words.next()?, words.next()?);
    let open = memchr::memrchr(b'"', words.next()?.as_bytes())?;
    let request = before.get(open + 1..)?;
    let head = before.get(..open)?.strip_suffix("] ")?;
    let (callers, date) = split_at_last_mark(head, " [")?;
    if !is_date(date) && date != "-" {
        return None;
    }
    // The user is the caller's text: what names the client is the first word.
    let (client, user) = split_at_mark(callers, " - ")?;
    if client != "-" {
        address::first(client)?;
    }
    let client = client.split(',').next().unwrap_or(client);
    let texts =
        [client, user, date, request, status, size, referrer, user_agent, router, url, duration];
    for (rank, (field, text)) in (0..).zip(FIELDS.iter().zip(texts)) {
        // In a user name or a path, a backslash is a backslash.
        if matches!(field.slot, Slot::Text(_)) {
            put_escaped(record, field, rank, text);
        } else {
            record.put(field, rank, Value::Line(text));
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    const DATE: &str = "[10/Mar/2026:03:36:59 +0000]";

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Traefik, &line.replace("[D]", DATE), expected);
    }

    #[test]
    fn a_line_fills_its_columns() {
        check(
            r#"203.0.113.9 - jo [D] "GET /orders/7?a=b HTTP/1.1" 200 12 "https://a.example/" "foo \" bar" 9 "orders@docker" "http://10.0.0.2:80" 123ms"#,
            &[
                "time=2026-03-10T03:36:59Z",
                "time_kind=start",
                "client_address=203.0.113.9",
                "principal_id=jo",
                "principal_source=traefik.ClientUsername",
                "endpoint=GET /orders/{int}",
                "url_query=a=b",
                "http_response_status_code=200",
                "http_response_body_size=12",
                "http_request_referrer=https://a.example/",
                "user_agent_original=foo \" bar",
                "gateway_route=orders@docker",
                "gateway_service=http://10.0.0.2:80",
                "duration_ns=123000000",
                "parse_flags=0",
            ],
        );
    }

    #[test]
    fn what_is_missing_is_absent() {
        check(
            r#"Host - - [D] "GET /a HTTP/2.0" - - "-" "-" 0 "-" - 1ms"#,
            &[
                "client_address=Host",
                "http_response_status_code=",
                "user_agent_original=",
                "gateway_route=",
                "http_request_method=GET",
            ],
        );
        check(
            r#"192.0.2.1,10.0.0.5 - - [D] "GET /a HTTP/2.0" 0 0 "-" "-" 1 "a b -> c" "http://u" 0ms"#,
            &["client_address=192.0.2.1", "gateway_route=a b -> c", "parse_flags=32"],
        );
        for line in [r#"- - u [-] "- - -" - - "r" "a" - "-" "-" 0ms"#, "bad"] {
            let reason = if line == "bad" { "unknown_format" } else { "no_time" };
            check(line, &[&format!("reject={reason}")]);
        }
    }

    #[test]
    fn hostile_bytes_do_not_shift_columns() {
        check(
            r#"203.0.113.9 - x [01/Jan/2020:00:00:00 +0000] "GET / HTTP/1.1" 200 1 [D] "GET /a?"b"]c"404 HTTP/1.1" 403 9 "r\" 1 \"" "\" 200 5 \"-\" 7ms" 3 "r" "u" 5ms"#,
            &[
                "time=2026-03-10T03:36:59Z",
                "client_address=203.0.113.9",
                "http_response_status_code=403",
                "http_response_body_size=9",
                "duration_ns=5000000",
                "url_path=/a",
            ],
        );
        assert!(!super::looks(r#"1.2.3.4 - - [D] "GET / HTTP/1.1" 200 5 "-" "curl/8 1ms""#));
    }
}

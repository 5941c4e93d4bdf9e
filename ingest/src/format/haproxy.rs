//! HAProxy's lines of `option httplog` and `option httpslog`.
//!
//! HAProxy escapes quotes in the request and braces in captured headers, but captured cookies are the
//! caller's bytes: the request is found from the right, all else from the left.

use super::field::{Field, How, Raw};
use super::line::{
    Line, PREFIX_BYTES_MAX, fill, is_date, is_number, is_status, is_syslogs, split_port,
};
use super::record::Record;
use super::{Format, Reader};
use crate::reject::Reject;
use model::{Int, ParseFlags, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "haproxy",
    about: "HAProxy's HTTP and HTTPS logs",
    aliases: &["haproxy_http"],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    // The request's first byte, or before 1.7 the connection; in the host's own zone.
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("client_ip", Raw::Client),
    Field::int("client_port", Int::ClientPort),
    Field::raw("request_date", Raw::Time),
    Field::text("frontend_name", Text::GatewayRoute),
    Field::text("frontend_name (~)", Text::UrlScheme),
    Field::text("backend_name", Text::GatewayService),
    Field::span("Tr", Int::UpstreamDurationNs, How::Millis),
    Field::span("Ta", Int::DurationNs, How::Millis),
    Field::int("status_code", Int::HttpResponseStatusCode),
    // With the headers.
    Field::int("bytes_read", Int::HttpResponseSize),
    Field::raw("http_request", Raw::RequestLine),
];
/// The program's name that syslog puts before the line.
const PROGRAM: &str = "haproxy[";

/// What follows the prefix that syslog put before a line. A line that needs none is tried first, for
/// a caller may write the program's name too.
fn message(line: &str) -> Option<&str> {
    let head = line.get(..line.floor_char_boundary(PREFIX_BYTES_MAX)).unwrap_or(line);
    let at = memchr::memmem::find(head.as_bytes(), PROGRAM.as_bytes())?;
    line.get(..at).filter(|prefix| is_syslogs(prefix))?;
    line.get(at..)?.split_once("]: ").map(|(_, message)| message.trim_ascii())
}

fn looks(line: &str) -> bool {
    begins(line) || message(line).is_some_and(begins)
}

/// `client:port [date] ` with a date that has milliseconds and no zone.
fn begins(line: &str) -> bool {
    let mut line = Line(line);
    let client = line.word();
    if client == Some("Connect") {
        return line.0.starts_with("from ") && line.0.ends_with(')');
    }
    client.is_some_and(|it| !split_port(it).1.is_empty())
        && line.bracketed().is_some_and(is_accept_date)
}

fn is_accept_date(text: &str) -> bool {
    is_date(text) && text.as_bytes().get(20) == Some(&b'.') && !text.contains(' ')
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let found = columns(line.trim_ascii(), record);
    let found = found.or_else(|| columns(message(line)?, record));
    found.unwrap_or(Err(Reject::UnknownFormat))
}

fn columns<'a>(line: &'a str, record: &mut Record<'a>) -> Option<Result<(), Reject>> {
    if line.starts_with("Connect from ") {
        // What HAProxy writes without `option httplog`.
        return Some(Err(Reject::NotAccessLog));
    }
    let mut line = Line(line);
    let (client, port) = split_port(line.word()?);
    let date = line.bracketed().filter(|it| is_accept_date(it))?;
    let frontend = line.word()?;
    let Some((backend, _server)) = line.word()?.split_once('/') else {
        // `frontend/1: SSL handshake failure` and the like.
        return Some(Err(Reject::NotAccessLog));
    };
    let mut times = line.word().filter(|it| is_times(it))?.split('/');
    let times: [&str; 5] = std::array::from_fn(|_| times.next().unwrap_or(""));
    let [_request, _queue, _connect, response, total] = times;
    if total.is_empty() {
        // Three times are a TCP connection's.
        return Some(Err(Reject::NotAccessLog));
    }
    let status = line.word().filter(|it| is_status(it) || matches!(*it, "-1" | "0" | "-"))?;
    let size = line.word()?.trim_start_matches('+');
    if !is_number(size) {
        return None;
    }
    let request = request(line.0, record);
    let (name, scheme) = match frontend.strip_suffix('~') {
        Some(name) => (name, "https"),
        None => (frontend, ""),
    };
    let backend = if backend == name { "" } else { backend };
    fill(
        record,
        FIELDS,
        &[
            client,
            port,
            date,
            name,
            scheme,
            backend,
            response,
            // A plus sign says that more was to come when the line was written.
            total.trim_start_matches('+'),
            status,
            size,
            request,
        ],
    );
    Some(Ok(()))
}

/// Numbers between slashes, of which -1 stands for a time that there was not.
fn is_times(text: &str) -> bool {
    text.contains('/')
        && text.split('/').all(|it| is_number(it.trim_start_matches(['-', '+'])) && it.len() <= 20)
}

/// The request: the last text in quotes that the queues or captured headers stand before.
fn request<'a>(text: &'a str, record: &mut Record<'a>) -> &'a str {
    let opens = |at: &usize| {
        let before = text.get(..*at).and_then(|it| it.strip_suffix(' ')).unwrap_or("");
        before.ends_with('}') || before.rsplit(' ').next().is_some_and(is_queues)
    };
    let at = memchr::memrchr_iter(b'"', text.as_bytes()).find(opens);
    let inner = at.and_then(|it| text.get(it + 1..)).unwrap_or("");
    let Some((request, tail)) = inner.split_once('"') else {
        record.flags.insert(ParseFlags::TRUNCATED);
        return inner;
    };
    // `0/0/0/0/0 shop.example/TLSv1.3/TLS_AES_256_GCM_SHA384`
    let is_tls = |it: &str| it.contains('/') && !it.contains('"');
    let mut tail = tail.split_ascii_whitespace();
    if !tail.by_ref().take(2).all(is_tls) || tail.next().is_some() {
        record.flags.insert(ParseFlags::EXTRA_FIELDS);
    }
    request
}

/// `0/67`
fn is_queues(text: &str) -> bool {
    text.split_once('/').is_some_and(|(server, backend)| is_number(server) && is_number(backend))
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Haproxy, line, expected);
    }

    const HEAD: &str = "203.0.113.9:39759 [10/Mar/2026:03:36:59.633] web~ shop/srv1";

    #[test]
    fn a_line_fills_its_columns_with_and_without_syslog() {
        let line = format!(
            r#"{HEAD} 0/51536/1/48082/99627 200 83285 - - ---- 87/87/87/1/0 0/67 {{77.24.148.74}} "GET /orders/7?a=b HTTP/1.1""#
        );
        let expected = [
            "time=2026-03-10T03:36:59.633Z",
            "time_kind=start",
            "time_precision=ms",
            "client_address=203.0.113.9",
            "client_port=39759",
            "gateway_route=web",
            "gateway_service=shop",
            "url_scheme=https",
            "duration_ns=99627000000",
            "upstream_duration_ns=48082000000",
            "http_response_status_code=200",
            "http_response_size=83285",
            "http_response_body_size=",
            "endpoint=GET /orders/{int}",
            "url_query=a=b",
            // HAProxy names no zone.
            "parse_flags=128",
        ];
        check(&line, &expected);
        check(&format!("Mar 10 03:36:59 localhost haproxy[28029]: {line}"), &expected);
        let tls = format!("{line} 0/0/0/0/0 shop.example/TLSv1.3/TLS_AES_256_GCM_SHA384");
        check(&tls, &expected);
        check(&format!("{line} \"x\" y"), &["http_response_status_code=200"]);
    }

    #[test]
    fn what_never_was_is_absent() {
        check(
            &format!(r#"{HEAD} -1/-1/-1/-1/+6001 408 +212 - - cR-- 100/89/0/0/0 0/0 "<BADREQ>""#),
            &[
                "http_response_status_code=408",
                "duration_ns=6001000000",
                "upstream_duration_ns=",
                "http_response_size=212",
                "http_request_method=",
                "parse_flags=132",
            ],
        );
        let line = format!(r#"{HEAD} 0/0/-1/-1/5 -1 0 - - CC-- 1/1/0/0/0 0/0 "GET / HTTP/1.1""#);
        check(&line, &["http_response_status_code=", "url_path=/"]);
    }

    #[test]
    fn hostile_cookies_and_cut_requests_shift_nothing() {
        check(
            &format!(
                r#"{HEAD} 0/0/1/19/156 200 1015 a="x" ---- b" ---- 1/1/1/1/1 0/0 --VR 8/8/0/0/0 0/0 {{a b|c}} {{d}} "GET /right HTTP/1.1""#
            ),
            &["url_path=/right", "duration_ns=156000000"],
        );
        check(
            &format!(
                r#"{HEAD} 135/0/1/19/156 200 1015 - - --VR 8/8/0/0/0 0/0 "GET /path/that/was/cut"#
            ),
            &["url_path=/path/that/was/cut", "http_request_method=GET", "parse_flags=134"],
        );
    }

    #[test]
    fn connections_and_failures_of_tls_are_no_accesses() {
        for line in [
            "127.0.0.1:40962 [20/Sep/2018:15:44:23.285] main app/<NOSRV> -1/-1/1 212 SC 1/1/0/0/0 0/0",
            "127.0.0.1:40962 [20/Sep/2018:15:44:23.285] main~: SSL handshake failure",
            "Mar 10 03:36:59 h haproxy[1]: Connect from 10.0.1.2:33312 to 10.0.3.31:8012 (www/HTTP)",
        ] {
            check(line, &["reject=not_access_log"]);
        }
        check("1.2.3.4:5 [10/Mar/2026:03:36:59 +0000] x", &["reject=unknown_format"]);
    }
}

//! The access log of Reactor Netty, which Spring Cloud Gateway writes.

use super::field::{Field, How, Raw, identity};
use super::line::{
    Line, fill, is_date, is_number, is_status, split_at_last_mark, split_at_mark, split_port,
};
use super::record::Record;
use super::{Format, Reader};
use crate::reject::Reject;
use model::{Int, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "reactor_netty",
    about: "Reactor Netty's and Spring Cloud Gateway's access log",
    aliases: &["spring_cloud_gateway"],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("remoteAddress", Raw::Client),
    Field::int("remotePort", Int::ClientPort),
    identity!("reactor_netty", "user", IdUser, User, Asserted),
    Field::raw("accessDateTime", Raw::Time),
    Field::raw("request", Raw::RequestLine),
    Field::int("status", Int::HttpResponseStatusCode),
    Field::int("contentLength", Int::HttpResponseBodySize),
    Field::span("duration", Int::DurationNs, How::Millis),
];
/// The logger's name, where the application puts a header before its lines.
const LOGGER: &str = "AccessLog";
/// Bytes in which the header ends.
const HEADER_BYTES_MAX: usize = 256;

/// What follows the header that the application's logger put before a line. A line that needs none is
/// tried first, for a caller may write the logger's name too.
fn message(line: &str) -> Option<&str> {
    let head = line.get(..line.floor_char_boundary(HEADER_BYTES_MAX)).unwrap_or(line);
    let at = memchr::memmem::find(head.as_bytes(), LOGGER.as_bytes())?;
    let after = line.get(at + LOGGER.len()..)?;
    after.trim_ascii_start().strip_prefix([':', '-'])
}

/// What stands behind the request: status, length, and the duration in milliseconds; and the line
/// before them. Before 1.0, a column with the port stood among them.
fn tail(line: &str) -> Option<(Line<'_>, [&str; 3], Option<&str>)> {
    let mut line = Line(line.trim_ascii());
    let mut last = line.last_word()?;
    let has_unit = last == "ms";
    if has_unit {
        last = line.last_word()?;
    }
    let mut columns = ["", "", last];
    columns[1] = line.last_word()?;
    columns[0] = line.last_word()?;
    let mut port = None;
    if !line.0.ends_with('"') {
        // status, length, port, duration
        (port, columns[1], columns[0]) = (Some(columns[1]), columns[0], line.last_word()?);
    }
    let [status, length, duration] = columns;
    let is_it = line.0.ends_with('"')
        && is_number(duration)
        && (is_status(status) || status == "-")
        && (is_number(length) || length == "-")
        && port.is_none_or(is_number);
    let has_port = || {
        let mut words = line.0.splitn(3, ' ');
        !split_port(words.next().unwrap_or("")).1.is_empty() && words.next() == Some("-")
    };
    // Without its unit, the duration is told from other numbers by the client's port only.
    (is_it && (has_unit || has_port())).then_some((line, columns, port))
}

fn looks(line: &str) -> bool {
    tail(line).is_some() || message(line).is_some_and(|it| tail(it).is_some())
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let found = columns(line, record).or_else(|| columns(message(line)?, record));
    found.ok_or(Reject::UnknownFormat)
}

fn columns<'a>(line: &'a str, record: &mut Record<'a>) -> Option<()> {
    let (line, [status, length, duration], local_port) = tail(line)?;
    // The URI is encoded, so it holds neither a space nor a quote.
    let before = line.0.strip_suffix('"')?;
    let (head, request) = before.rsplit_once('"')?;
    let (callers, date) = split_at_last_mark(head.strip_suffix("] ")?, " [")?;
    if !is_date(date) && !super::line::begins_with_time(date, b'T') {
        return None;
    }
    let (client, user) = split_at_mark(callers, " - ")?;
    // What a logger wrote before the line is no host.
    if memchr::memchr(b' ', client.as_bytes()).is_some() {
        return None;
    }
    let (client, port) = match local_port {
        // In the older layout the client stands alone.
        Some(_) => (client, ""),
        None => split_port(client),
    };
    let client = client.trim_start_matches('/');
    super::address::parse(client)?;
    // A time may name its zone twice: `2026-03-10T03:36:59+01:00[Europe/Paris]`.
    let date = date.split_once('[').map_or(date, |(date, _)| date);
    fill(record, FIELDS, &[client, port, user, date, request, status, length, duration]);
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::ReactorNetty, line, expected);
    }

    const LINE: &str = r#"203.0.113.9:54321 - - [10/Mar/2026:03:36:59 +0100] "GET /orders/7?x=1 HTTP/1.1" 200 612 45"#;

    #[test]
    fn a_line_fills_its_columns() {
        let expected = [
            "time=2026-03-10T02:36:59Z",
            "time_kind=start",
            "client_address=203.0.113.9",
            "client_port=54321",
            "endpoint=GET /orders/{int}",
            "url_query=x=1",
            "http_response_status_code=200",
            "http_response_body_size=612",
            "duration_ns=45000000",
            "parse_flags=0",
        ];
        check(LINE, &expected);
        check(&format!("{LINE} ms"), &expected);
        check(
            &format!(
                "2026-03-10 02:36:59.123  INFO 1 --- [or-http-epoll-2] reactor.netty.http.server.AccessLog      : {LINE} ms"
            ),
            &expected,
        );
    }

    #[test]
    fn an_address_of_version_6_and_older_layouts_are_read() {
        check(
            r#"0:0:0:0:0:0:0:1:54321 - jo [10/Mar/2026:03:36:59 +0000] "POST /a HTTP/1.1" 500 - 3 ms"#,
            &[
                "client_address=::1",
                "client_port=54321",
                "http_response_body_size=",
                "duration_ns=3000000",
                "principal_id=jo",
            ],
        );
        check(
            r#"203.0.113.9 - - [10/Mar/2026:03:36:59 +0000] "POST /a HTTP/1.1" 500 7 8080 3 ms"#,
            &["client_address=203.0.113.9", "client_port=", "http_response_body_size=7"],
        );
    }

    #[test]
    fn a_common_line_is_not_of_this_kind() {
        for line in [
            r#"203.0.113.9 - - [10/Mar/2026:03:36:59 +0000] "POST /a HTTP/1.1" 500 7"#,
            r#"203.0.113.9 - - [10/Mar/2026:03:36:59 +0000] "POST /a HTTP/1.1" 500 7 1234"#,
            r#"203.0.113.9 - - [10/Mar/2026:03:36:59 +0000] "POST /a HTTP/1.1" 500 7 "-" "a 5 6 7 ms""#,
        ] {
            assert!(!super::looks(line), "{line}");
        }
    }
}

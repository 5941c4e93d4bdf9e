//! The common log format of NGINX and Apache: common, combined, with a virtual host, with a tail.
//!
//! Callers choose the bytes of the user, request, referrer and user agent, so the columns are found
//! from what callers cannot write: an unescaped quote, the date before it, the status after it.

mod tail;

use super::field::{Field, How, Raw, identity};
use super::line::{Line, is_status, put_escaped, quotes, split_at_last_mark};
use super::record::Record;
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
    Micros,
    BytesIn,
    BytesOut,
    TimeKind,
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
    Field::span("%D", Int::DurationNs, How::Micros),
    Field::int("%I", Int::HttpRequestSize),
    Field::int("%O", Int::HttpResponseSize),
    Field::raw("%t", Raw::TimeKind),
];
/// Bytes in which a date in brackets ends.
const DATE_BYTES_MAX: usize = 64;

fn put<'a>(record: &mut Record<'a>, at: At, text: &'a str) {
    if let Some(field) = FIELDS.get(at as usize) {
        put_escaped(record, field, 0, text);
    }
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let line = line.trim_ascii();
    let unknown = if is_message(line) { Reject::NotAccessLog } else { Reject::UnknownFormat };
    let [callers, date, host, rest] = date(line).ok_or(unknown)?;
    put(record, At::Time, date);
    put(record, At::Host, host);
    columns(callers, record).ok_or(unknown)?;
    let (request, mut tail) = request(rest).ok_or(unknown)?;
    if request.trim_ascii_end() == "- -" {
        // WSO2 writes one line for the request and this one for its response.
        return Err(Reject::Repeated);
    }
    put(record, At::Request, request);
    if matches!(request, "" | "-") {
        record.flags.insert(ParseFlags::BAD_REQUEST_LINE);
    }
    put(record, At::Status, tail.word().unwrap_or(""));
    put(record, At::Size, tail.word().unwrap_or(""));
    put(record, At::Referrer, text(&mut tail));
    put(record, At::UserAgent, text(&mut tail));
    if !tail.0.is_empty() && tail::extra(tail, record).is_none() {
        record.flags.insert(ParseFlags::EXTRA_FIELDS);
    }
    Ok(())
}

/// The columns before the date, the date, a virtual host behind it, and what follows the request's
/// opening quote. Callers can write a quote into the user's column, but not one without a backslash.
fn date(line: &str) -> Option<[&str; 4]> {
    let mut quotes = memchr::memchr_iter(b'"', line.as_bytes());
    let first = quotes.clone().next()?;
    let opens = |at: &usize| line.get(..*at).is_some_and(|it| it.ends_with("] "));
    // Some templates put `$host` between the date and the request.
    let (at, prefix, host) = if let Some(at) = quotes.find(opens) {
        (at, line.get(..at - 2)?, "")
    } else {
        let (prefix, host) = split_at_last_mark(line.get(..first)?, "] ")?;
        (first, prefix, host.trim_ascii())
    };
    if host.contains(' ') || !host.is_empty() && address::parse(host).is_none() {
        return None;
    }
    let near = line.ceil_char_boundary(prefix.len().saturating_sub(DATE_BYTES_MAX));
    let (_, date) = prefix.get(near..)?.rsplit_once('[')?;
    let callers = prefix.get(..prefix.len() - date.len() - 1)?;
    Some([callers.trim_ascii(), date, host, line.get(at + 1..)?])
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

/// The columns before the date: virtual host or forwarded list, client, ident, user.
fn columns<'a>(text: &'a str, record: &mut Record<'a>) -> Option<()> {
    let mut line = Line(text);
    let mut first = line.word()?;
    if first.ends_with(',') {
        // A list whose entries have spaces between them.
        while line.word()?.ends_with(',') {}
        first = text.get(..text.len() - line.0.len())?.trim_ascii_end();
    }
    let mut beyond = line;
    let second = beyond.word().unwrap_or("");
    // Without the ident's column behind it, the second address is the name that a caller gave.
    let has_ident = Line(beyond.0).word() == Some("-");
    let client = if first.contains(',') {
        put(record, At::Forwarded, first);
        if has_ident && ip(second).is_some() {
            line = beyond;
            second
        } else {
            first.split(',').next()?
        }
    } else if has_ident && ip(second).is_some() && ip(first).is_some_and(|it| it.port.is_none()) {
        put(record, At::Forwarded, first);
        line = beyond;
        second
    } else if names_host(first, second, beyond) {
        put(record, At::Host, first);
        line = beyond;
        second
    } else {
        first
    };
    // What is not a host at all makes the line something else.
    if client != "-" && address::parse(client).is_none() {
        return None;
    }
    put(record, At::Client, client);
    // The ident column is almost always `-`; where there is one column only, it is the user's.
    let ident = line.word().unwrap_or("");
    // A bare word may be anything, such as what a collector put before the line.
    if client != "-" && ident != "-" && ip(client).is_none() {
        return None;
    }
    // Until 0.26, ingress-nginx wrote the client once more, in brackets.
    let repeated = line.0.strip_prefix('[').and_then(|it| it.split_once("] - "));
    let user = repeated.map_or(line.0, |(_, user)| user);
    put(record, At::User, if user.is_empty() { ident } else { user });
    Some(())
}

/// The address that a text is, if it is one.
fn ip(text: &str) -> Option<address::Address<'_>> {
    // Most words that are asked about are `-` or a name.
    let may_be = |it: &u8| it.is_ascii_hexdigit() || matches!(it, b'[' | b':' | b'"' | b' ');
    text.as_bytes().first().filter(|it| may_be(it))?;
    address::parse(text).filter(|it| it.ip.is_some())
}

/// Whether the first column is a virtual host, and the second one the client.
fn names_host(first: &str, second: &str, mut beyond: Line<'_>) -> bool {
    let is_client = ip(first).is_some_and(|it| it.port.is_none());
    let has_ident = beyond.word() == Some("-");
    // A port that is not there is a word that somebody put before the line.
    !is_client
        && !first.ends_with(':')
        && (ip(second).is_some() && (first.contains(':') || has_ident)
            || (second != "-" && has_ident && beyond.word().is_some()))
}

/// The request, and what follows its closing quote: a space and the status.
fn request(text: &str) -> Option<(&str, Line<'_>)> {
    let ends = |at: usize| {
        let tail = Line(text.get(at + 1..)?.strip_prefix(' ')?.trim_ascii_start());
        let mut beyond = tail;
        let status = beyond.word()?;
        (status == "-" || is_status(status)).then_some((text.get(..at)?, tail))
    };
    quotes(text).find_map(ends)
}

/// The next value in quotes, or `-` without; nothing where there is none.
fn text<'a>(tail: &mut Line<'a>) -> &'a str {
    if tail.0 == "-" || tail.0.starts_with("- ") {
        tail.word();
        return "";
    }
    tail.quoted().unwrap_or("")
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
            r#"1.2.3.4 - jo [D] a.example "GET / HTTP/1.1" 200 5"#,
            &["server_address=a.example", "client_address=1.2.3.4", "url_path=/"],
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
        check(
            r#"1.2.3.4 - a\"b [D] "GET / HTTP/1.1" 401 9 "-" "-""#,
            &["http_response_status_code=401", "principal_claimed=a\"b"],
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
                "parse_flags=0",
            ],
        );
        let forwarded = format!(r#"{line}"198.51.100.7, 10.0.0.1""#);
        for more in ["", " rt=0.005 uct=\"0.001\" urt=\"0.001, 0.004\"", " 0.005 0.004"] {
            let line = format!("{forwarded}{more}");
            check(&line, &["client_address=1.2.3.4"]);
        }
        check(
            &format!(r#"{line}rt=0.005 uct="0.001" urt="0.001, 0.004""#),
            &["duration_ns=5000000", "upstream_duration_ns=4000000", "parse_flags=64"],
        );
        for unknown in ["a b c", "\"2.75\"", "1 2 3", "x=1 y", "1"] {
            check(&format!("{line}{unknown}"), &["duration_ns=", "parse_flags=1"]);
        }
    }

    #[test]
    fn times_of_tries_and_in_quotes_are_read() {
        let line = r#"1.2.3.4 - - [D] "GET / HTTP/2.0" 200 7 "-" "x""#;
        for more in ["0.050 0.001, 0.049", r#""0.050" "0.049""#, r#""-" "0.050" "0.001, 0.049""#] {
            check(
                &format!("{line} {more}"),
                &["duration_ns=50000000", "upstream_duration_ns=49000000"],
            );
        }
        for more in ["0.050 0.001 0.049", r#""2.75" "x""#, r#""2.75""#, r#""7" "9""#] {
            check(&format!("{line} {more}"), &["duration_ns=", "parse_flags=1"]);
        }
    }

    #[test]
    fn a_size_before_a_time_is_no_time() {
        check(
            r#"1.2.3.4 - - [D] "GET / HTTP/2.0" 200 7 "-" "x" 462 0.050"#,
            &["http_request_size=462", "duration_ns=50000000", "upstream_duration_ns="],
        );
        check(
            r#"1.2.3.4 - - [D] "GET / HTTP/2.0" 200 7 "-" "x" 462 -"#,
            &["http_request_size=", "duration_ns=", "parse_flags=1"],
        );
    }

    #[test]
    fn the_tails_of_apache_are_read() {
        let line = r#"1.2.3.4 - - [D] "GET / HTTP/2.0" 200 7 "-" "x" "#;
        for tail in ["1234", "0/1234"] {
            check(
                &format!("{line}{tail}"),
                &["duration_ns=1234000", "time_kind=start", "time=2026-03-10T02:36:59Z"],
            );
        }
        check(
            &format!("{line}462 900"),
            &["http_request_size=462", "http_response_size=900", "duration_ns=", "parse_flags=0"],
        );
        check(&format!("{line}0.050"), &["duration_ns=50000000", "parse_flags=0"]);
    }

    #[test]
    fn a_forwarded_list_may_stand_first() {
        let request = r#"[D] "GET / HTTP/1.1" 200 5"#;
        for list in ["198.51.100.7", "198.51.100.7, 10.0.0.1", "-"] {
            check(
                &format!("{list} 1.2.3.4 - jo {request}"),
                &["client_address=1.2.3.4", "principal_id=jo", "server_address="],
            );
        }
        check(
            &format!("198.51.100.7, 10.0.0.1 - jo {request}"),
            &["client_address=198.51.100.7", "principal_id=jo"],
        );
        check(
            &format!("1.2.3.4 - [1.2.3.4] - jo {request}"),
            &["client_address=1.2.3.4", "principal_id=jo"],
        );
        check(
            &format!("10.0.0.1:8443 1.2.3.4 - jo {request}"),
            &["client_address=1.2.3.4", "server_address=10.0.0.1", "server_port=8443"],
        );
    }

    #[test]
    fn an_address_for_a_name_is_not_the_client() {
        for name in ["9.9.9.9", "9.9.9.9 admin", "9.9.9.9 x -"] {
            check(
                &format!(r#"1.2.3.4 {name} [D] "GET / HTTP/1.1" 200 5"#),
                &["client_address=1.2.3.4"],
            );
        }
    }

    #[test]
    fn a_word_before_a_line_is_not_the_client() {
        let line = r#"1.2.3.4 - jo [10/Mar/2026:03:36:59 +0100] "GET / HTTP/1.1" 200 5"#;
        check(&format!("collector: {line}"), &["reject=unknown_format"]);
        check(&format!("gw=1 | {line}"), &["reject=unknown_format"]);
        let expected = ["client_address=1.2.3.4", "principal_id=jo"];
        check(&format!("nginx-1  | {line}"), &expected);
        check(&format!("Mar 10 03:36:59 gw-1 {line}"), &expected);
        check(r#"host.example.com 9.9.9.9 [D] "GET / HTTP/1.1" 200 5"#, &["reject=unknown_format"]);
    }

    #[test]
    fn the_second_line_of_a_call_is_not_counted() {
        check(r#"- 127.0.0.1  - [D] "- - " 200 - "-" "-""#, &["reject=repeated"]);
        check(
            r#"- 127.0.0.1 - - [D] "POST /token HTTP/1.1" - 125 "-" "-""#,
            &["client_address=127.0.0.1", "url_path=/token", "http_response_body_size=125"],
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

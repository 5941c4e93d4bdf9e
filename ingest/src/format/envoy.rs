//! Envoy's default text line: `[time] "request" code flags rx tx ms ms "xff" "ua" "id" "host" "peer"`.

use super::field::{Field, How, Raw};
use super::line::{begins_with_time, is_number, split_at_last_mark, split_at_mark};
use super::record::{Record, Value};
use super::{Format, Reader, istio};
use crate::reject::Reject;
use model::{Int, ParseFlags, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "envoy",
    about: "Envoy's default text access log",
    aliases: &["envoy_text"],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: true,
};

static FIELDS: &[Field] = &[
    Field::raw("start_time", Raw::Time),
    Field::raw("request", Raw::RequestLine),
    Field::int("response_code", Int::HttpResponseStatusCode),
    Field::raw("response_flags", Raw::ResponseFlags),
    Field::int("bytes_received", Int::HttpRequestBodySize),
    Field::int("bytes_sent", Int::HttpResponseBodySize),
    Field::span("duration", Int::DurationNs, How::Millis),
    Field::span("x-envoy-upstream-service-time", Int::UpstreamDurationNs, How::Millis),
    Field::raw("x-forwarded-for", Raw::Forwarded),
    Field::text("user-agent", Text::UserAgentOriginal),
    Field::text("x-request-id", Text::RequestId),
    Field::raw(":authority", Raw::Host),
];
/// The numbers between request and quoted fields.
const NUMBERS: usize = 6;
/// Where they begin in [`FIELDS`].
const NUMBERS_AT: usize = 2;
/// What Emissary puts before the line.
const EMISSARY: &str = "ACCESS ";
/// Where the quoted fields begin.
const QUOTED_AT: usize = NUMBERS_AT + NUMBERS;

/// What stands between two texts in quotes.
const BETWEEN: &str = "\" \"";

/// `[2026-…] "` is Envoy's; other lines that begin with a bracket are messages.
fn looks(line: &str) -> bool {
    let line = line.strip_prefix(EMISSARY).unwrap_or(line);
    line.strip_prefix('[').is_some_and(|it| begins_with_time(it, b'T')) && line.contains("] \"")
}

fn put<'a>(record: &mut Record<'a>, at: usize, text: &'a str) {
    if let Some(field) = FIELDS.get(at) {
        record.put(field, 0, Value::Line(text));
    }
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let line = line.trim_ascii();
    let line = line.strip_prefix(EMISSARY).unwrap_or(line);
    let unknown = Reject::UnknownFormat;
    let (time, rest) =
        line.strip_prefix('[').and_then(|it| split_at_mark(it, "] \"")).ok_or(unknown)?;
    let (at, numbers, tail) = split(rest, rest.len()).ok_or(unknown)?;
    // What follows the request decides, not what a caller wrote behind that.
    if istio::split(rest, at).is_some() {
        return Err(unknown);
    }
    let request = rest.get(..at).unwrap_or("");
    if is_connection(request, numbers.first()) {
        return Err(Reject::NotAccessLog);
    }
    put(record, 0, time);
    put(record, 1, request);
    for (index, number) in numbers.into_iter().enumerate() {
        put(record, NUMBERS_AT + index, number);
    }
    let (texts, beyond) = callers(tail).unwrap_or_default();
    if !beyond.is_empty() || texts.last().is_none_or(|it| it.is_empty()) {
        record.flags.insert(ParseFlags::EXTRA_FIELDS);
    }
    for (index, text) in texts.into_iter().enumerate() {
        put(record, QUOTED_AT + index, text);
    }
    Ok(())
}

/// Where the request ends, before the byte `end`; the numbers behind it, and the rest.
///
/// The text is not escaped, but no request line of Envoy's holds a quote, a space and numbers.
pub(super) fn split(text: &str, end: usize) -> Option<(usize, [&str; NUMBERS], &str)> {
    let ends = |at: usize| {
        let tail = text.get(at + 1..)?;
        numbers(tail).map(|(numbers, quoted)| (at, numbers, quoted))
    };
    memchr::memchr_iter(b'"', text.as_bytes().get(..end)?).find_map(ends)
}

/// Whether a line is of a TCP connection: it has neither a request nor a status.
pub(super) fn is_connection(request: &str, code: Option<&&str>) -> bool {
    request.trim_end() == "- - -" && code.is_none_or(|it| matches!(*it, "0" | "-"))
}

/// The forwarded list, the user agent, the request's id, the authority and the upstream's address, and
/// what follows them.
///
/// Callers write the first ones and nothing is escaped: the list, which holds no quote, is found from
/// the left, and what follows the user agent from the right.
pub(super) fn callers(text: &str) -> Option<([&str; 5], &str)> {
    let inner = text.strip_prefix('"')?;
    let end = memchr::memrchr(b'"', inner.as_bytes())?;
    let (inner, bare) = (inner.get(..end)?, inner.get(end + 1..)?.trim_ascii());
    let mut rest = Some(inner);
    let left: [&str; 5] = std::array::from_fn(|_| from_left(&mut rest).unwrap_or(""));
    let [forwarded, .., left_upstream] = left;
    let mut behind = Some(split_at_mark(inner, BETWEEN).map_or("", |(_, behind)| behind));
    let last: [Option<&str>; 3] = std::array::from_fn(|_| from_right(&mut behind));
    let right = [last[0], last[1], last[2], behind];
    if let [Some(upstream), Some(authority), Some(id), Some(user_agent)] = right
        // Columns that the operator added stand behind the upstream's address.
        && (is_address(upstream)
            || matches!(upstream, "-" | "")
                // Without an upstream, the left one may be the caller's: the id tells who wrote.
                && (!is_address(left_upstream) || is_id(id)))
    {
        return Some(([forwarded, user_agent, id, authority, upstream], bare));
    }
    let more = rest.unwrap_or("");
    Some((left, if bare.is_empty() { more } else { bare }))
}

/// Takes the first of the texts that are left; nothing is left of the last one.
fn from_left<'a>(rest: &mut Option<&'a str>) -> Option<&'a str> {
    let text = (*rest)?;
    let found = split_at_mark(text, BETWEEN);
    *rest = found.map(|(_, behind)| behind);
    Some(found.map_or(text, |(first, _)| first))
}

/// Takes the last of them.
fn from_right<'a>(rest: &mut Option<&'a str>) -> Option<&'a str> {
    let text = (*rest)?;
    let found = split_at_last_mark(text, BETWEEN);
    *rest = found.map(|(before, _)| before);
    Some(found.map_or(text, |(_, last)| last))
}

/// Whether a text is an id that Envoy makes for a request.
fn is_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `10.0.2.1:80`, `tcp://10.0.2.1:80`, `[::1]:80`, or a socket's path.
fn is_address(text: &str) -> bool {
    let address = split_at_last_mark(text, "://").map_or(text, |(_, address)| address);
    let address = super::address::parse(address);
    text.starts_with('/') || address.is_some_and(|it| it.ip.is_some() && it.port.is_some())
}

/// ` 204 - 154 0 226 100 ` and the rest: code, flags, bytes in, bytes out, two times.
fn numbers(text: &str) -> Option<([&str; NUMBERS], &str)> {
    let mut rest = text.strip_prefix(' ')?;
    let mut found = [""; NUMBERS];
    for (index, slot) in found.iter_mut().enumerate() {
        let (word, after) = split_at_mark(rest, " ").unwrap_or((rest, ""));
        let is_flags =
            index == 1 && word.bytes().all(|it| it.is_ascii_alphanumeric() || it == b',');
        if !is_number(word) && !is_flags && word != "-" {
            return None;
        }
        (*slot, rest) = (word, after);
    }
    Some((found, rest))
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;
    use crate::format::check::check;

    #[test]
    fn the_default_line_fills_its_columns() {
        check(
            FormatId::Envoy,
            r#"[2026-03-01T00:00:00.002Z] "POST /a/7?x=1 HTTP/2" 201 - 15 30 12 9 "203.0.113.9, 10.0.0.1" "a" b" "id-1" "api.example.com:8443" "10.0.0.2:80""#,
            &[
                "time=2026-03-01T00:00:00.002Z",
                "time_kind=start",
                "time_precision=ms",
                "endpoint=POST /a/{int}",
                "http_response_status_code=201",
                "http_request_body_size=15",
                "http_response_body_size=30",
                "duration_ns=12000000",
                "upstream_duration_ns=9000000",
                "client_address=203.0.113.9",
                "user_agent_original=a\" b",
                "request_id=id-1",
                "server_address=api.example.com",
                "server_port=8443",
            ],
        );
    }

    #[test]
    fn a_client_that_left_has_no_status() {
        check(
            FormatId::Envoy,
            r#"[2026-03-01T00:00:00.002Z] "GET /a\"b HTTP/1.1" 0 DC 0 0 5003 - "[2001:db8::1]:99" "-" "-" "h" "-""#,
            &[
                "http_response_status_code=",
                "parse_flags=32",
                "upstream_duration_ns=",
                "client_address=2001:db8::1",
                "client_net=2001:db8::/64",
            ],
        );
    }

    #[test]
    fn columns_that_the_operator_added_are_flagged() {
        let line = r#"[2026-03-01T00:00:00.002Z] "GET /a HTTP/2" 200 - 0 3 5 4 "203.0.113.9" "ua" "id-1" "h:80" "10.0.0.2:80""#;
        let expected = ["request_id=id-1", "server_address=h", "user_agent_original=ua"];
        for tail in [" \"CN=a, O=b\"", " outbound|80||x 10.0.0.1:1", " \"user-77\" \"-\" extra"] {
            check(FormatId::Envoy, &format!("{line}{tail}"), &expected);
            check(FormatId::Envoy, &format!("{line}{tail}"), &["parse_flags=1"]);
        }
        check(FormatId::Envoy, line, &["parse_flags=0"]);
    }

    #[test]
    fn numbers_in_a_user_agent_make_a_line_of_istios_none_of_envoys() {
        let line = r#"[2026-03-01T00:00:00.002Z] "GET /a HTTP/1.1" 403 - via_upstream - "-" 0 135 4 3 "-" "x" 200 - 1 2 3 4 "9.9.9.9" "ua" "id" "h:80" "1.1.1.1:1" "id-1" "shop:8000" "10.44.1.27:80" outbound|8000||shop 10.44.1.23:1 10.0.45.184:8000 10.44.1.23:46520 - default"#;
        assert_eq!(crate::sniff::record(line.as_bytes()), Some(FormatId::Istio));
        check(FormatId::Envoy, line, &["http_response_status_code=403", "source_format=istio"]);
        let line = r#"[2026-03-01T00:00:00.002Z] "GET /a HTTP/1.1" 403 - 0 3 5 4 "-" "x" 200 - via_upstream - "-" 0 135 4 3 "-" "a" "b" "c" "10.0.0.2:80" outbound|80||x - - 9.9.9.9:1 - -" "id-1" "h" "10.0.0.2:80""#;
        assert_eq!(crate::sniff::record(line.as_bytes()), Some(FormatId::Envoy));
        check(FormatId::Istio, line, &["http_response_status_code=403", "source_format=envoy"]);
    }

    #[test]
    fn an_upstream_in_the_user_agent_of_a_local_reply_shifts_nothing() {
        check(
            FormatId::Envoy,
            r#"[2026-03-01T00:00:00.002Z] "GET /a HTTP/2" 404 NR 0 0 0 - "203.0.113.9" "x" "forged" "evil" "9.9.9.9:80" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "shop:443" "-""#,
            &[
                "request_id=cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2",
                "server_address=shop",
                "user_agent_original=x\" \"forged\" \"evil\" \"9.9.9.9:80",
            ],
        );
    }

    #[test]
    fn a_tcp_connection_is_no_access() {
        check(
            FormatId::Envoy,
            r#"[2026-03-01T00:00:00.002Z] "- - -" 0 - 117 165 1 - "-" "-" "-" "-" "10.0.0.1:9000""#,
            &["reject=not_access_log"],
        );
    }

    #[test]
    fn a_line_without_its_numbers_is_refused() {
        check(
            FormatId::Envoy,
            r#"[2026-03-01T00:00:00.002Z] "GET / HTTP/1.1" ok"#,
            &["reject=unknown_format"],
        );
    }
}

//! Istio's default text line: Envoy's, and why it answered, and cluster, addresses and route behind.

use super::envoy::{callers, is_connection};
use super::field::{Field, How, Raw};
use super::line::{Line, begins_with_time, fill, is_number, split_at_mark};
use super::record::Record;
use super::{Format, Reader, envoy};
use crate::reject::Reject;
use model::{Int, ParseFlags, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "istio",
    about: "Istio's default text access log",
    aliases: &["istio_text"],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
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
    Field::raw("downstream_remote_address", Raw::Client),
    Field::text("upstream_cluster (direction)", Text::GatewayDirection),
    Field::text("upstream_cluster (service)", Text::GatewayService),
    Field::text("route_name", Text::GatewayRoute),
];
/// Bare columns before the transport failure: two since Istio 1.9, none before.
const DETAILS_MAX: usize = 2;
/// Columns in quotes there: the failure, and before Istio 1.9 the status of its mixer.
const REASONS_MAX: usize = 2;
/// Bytes of one of these, and of what is passed over for it.
const REASON_BYTES_MAX: usize = 2_048;
/// Bare columns at the end.
const TAIL_COLUMNS: usize = 6;

/// The time of Envoy, and what stands between the request's flags and its numbers.
fn looks(line: &str) -> bool {
    line.strip_prefix('[').is_some_and(|it| begins_with_time(it, b'T')) && parts(line).is_some()
}

/// Time, request, code to duration, and the rest.
fn parts(line: &str) -> Option<(&str, &str, [&str; 6], &str)> {
    let (time, rest) = split_at_mark(line.strip_prefix('[')?, "] \"")?;
    let (at, numbers, tail) = split(rest, rest.len())?;
    // What follows the request decides, not what a caller wrote behind that.
    if envoy::split(rest, at).is_some() {
        return None;
    }
    Some((time, rest.get(..at)?, numbers, tail))
}

/// Where the request ends, before the byte `end`; the numbers behind it, and the rest.
pub(super) fn split(text: &str, end: usize) -> Option<(usize, [&str; 6], &str)> {
    let ends = |at: usize| {
        let tail = text.get(at + 1..)?.strip_prefix(' ')?;
        numbers(tail).map(|(numbers, tail)| (at, numbers, tail))
    };
    memchr::memchr_iter(b'"', text.as_bytes().get(..end)?).find_map(ends)
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let found = parts(line.trim_ascii()).ok_or(Reject::UnknownFormat)?;
    let (time, request, [code, flags, received, sent, duration, upstream], tail) = found;
    if is_connection(request, Some(&code)) {
        return Err(Reject::NotAccessLog);
    }
    let (texts, beyond) = callers(tail).unwrap_or_default();
    let [forwarded, user_agent, id, authority, _upstream] = texts;
    let mut columns = Line(beyond);
    let mut bare = [""; TAIL_COLUMNS];
    for slot in &mut bare {
        *slot = columns.word().unwrap_or("");
    }
    if !columns.0.is_empty() {
        record.flags.insert(ParseFlags::EXTRA_FIELDS);
    }
    let [cluster, _upstream_local, _downstream_local, remote, _server_name, route] = bare;
    let (direction, service) = of_cluster(cluster);
    fill(
        record,
        FIELDS,
        &[
            time, request, code, flags, received, sent, duration, upstream, forwarded, user_agent,
            id, authority, remote, direction, service, route,
        ],
    );
    Ok(())
}

/// `418 - via_upstream - "-" 0 135 4 4 ` and the rest: code, flags, two sizes, two times.
fn numbers(text: &str) -> Option<([&str; 6], &str)> {
    let mut line = Line(text);
    let code = line.word().filter(|it| is_number(it) || *it == "-")?;
    let flags = line.word().filter(|it| !it.starts_with('"'))?;
    for _ in 0..DETAILS_MAX {
        if !line.0.starts_with('"') {
            line.word()?;
        }
    }
    skip_reason(&mut line)?;
    for _ in 1..REASONS_MAX {
        if line.0.starts_with('"') {
            skip_reason(&mut line)?;
        }
    }
    let mut found = [code, flags, "", "", "", ""];
    for slot in found.iter_mut().skip(2) {
        *slot = line.word().filter(|it| is_number(it) || *it == "-")?;
    }
    line.0.starts_with('"').then_some((found, line.0))
}

/// Takes a reason in quotes. One without an end is not looked for in all of the line, for each quote of
/// a line may look like the end of a request.
fn skip_reason(line: &mut Line<'_>) -> Option<()> {
    let near = line.0.get(..line.0.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or(line.0);
    let mut rest = Line(near);
    rest.quoted()?;
    if rest.0.is_empty() {
        return None;
    }
    line.0 = line.0.get(near.len() - rest.0.len()..)?;
    Some(())
}

/// Which way a call went and to which service: `outbound|8000||httpbin.foo.svc.cluster.local`.
fn of_cluster(cluster: &str) -> (&'static str, &str) {
    let direction = match cluster {
        "PassthroughCluster" | "BlackHoleCluster" => "outbound",
        it if it.starts_with("outbound") => "outbound",
        it if it.starts_with("inbound") || it.starts_with("InboundPassthrough") => "inbound",
        _ => "",
    };
    let service = match cluster.split_once('|') {
        Some(_) => cluster.rsplit_once('|').map_or("", |(_, service)| service),
        None => cluster,
    };
    (direction, service)
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Istio, line, expected);
    }

    const TAIL: &str = r#""-" "a "b" c" "84961386" "shop:8000" "10.44.1.27:80""#;

    #[test]
    fn both_sides_of_a_call_are_told_apart() {
        check(
            &format!(
                r#"[2026-03-01T00:00:00.002Z] "GET /a/7 HTTP/1.1" 418 - via_upstream - "-" 0 135 4 3 {TAIL} outbound|8000||shop.foo.svc.cluster.local 10.44.1.23:37652 10.0.45.184:8000 10.44.1.23:46520 - default"#
            ),
            &[
                "time=2026-03-01T00:00:00.002Z",
                "time_kind=start",
                "endpoint=GET /a/{int}",
                "http_response_status_code=418",
                "http_request_body_size=0",
                "http_response_body_size=135",
                "duration_ns=4000000",
                "upstream_duration_ns=3000000",
                "user_agent_original=a \"b\" c",
                "request_id=84961386",
                "server_address=shop",
                "server_port=8000",
                "client_address=10.44.1.23",
                "client_port=46520",
                "gateway_direction=outbound",
                "gateway_service=shop.foo.svc.cluster.local",
                "gateway_route=default",
                "parse_flags=0",
            ],
        );
        check(
            &format!(
                r#"[2026-03-01T00:00:00.002Z] "GET /a/7 HTTP/1.1" 200 - via_upstream - "-" 0 135 3 1 {TAIL} inbound|8000|| 127.0.0.1:41854 10.44.1.27:80 10.44.1.23:0 outbound_.8000_._.shop default"#
            ),
            &[
                "gateway_direction=inbound",
                "gateway_service=",
                "client_address=10.44.1.23",
                "client_port=",
            ],
        );
    }

    #[test]
    fn older_lines_lack_the_details() {
        for reasons in [r#""-" "-""#, r#""-""#, r#"- "TLS error: 268435581:SSL routines""#] {
            check(
                &format!(
                    r#"[2020-03-01T00:00:00.002Z] "GET /a HTTP/1.1" 503 UF,URX {reasons} 0 91 12 - {TAIL} outbound|80||x - 10.0.0.1:80 10.0.0.2:5 - -"#
                ),
                &["http_response_status_code=503", "duration_ns=12000000", "gateway_service=x"],
            );
        }
    }

    #[test]
    fn a_tcp_connection_is_no_access_and_envoys_line_is_not_istios() {
        check(
            &format!(
                r#"[2020-11-25T21:26:18.409Z] "- - -" 0 - - - "-" 1 2 5 - {TAIL} outbound|9000||db 10.0.0.1:1 10.0.0.2:9000 10.0.0.3:2 - -"#
            ),
            &["reject=not_access_log"],
        );
        let line = r#"[2026-03-01T00:00:00.002Z] "GET / HTTP/2" 204 - 154 0 226 100 "-" "a" "b" "c" "10.0.2.1:80""#;
        assert!(!super::looks(line));
    }
}

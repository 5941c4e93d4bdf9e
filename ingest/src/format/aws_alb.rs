//! The access log of AWS Application Load Balancers.
//!
//! Every few years columns are added at the end, so only the ones up to the target group must be there.

use super::field::{Field, How, Raw};
use super::line::{Line, begins_with_time, fill, is_decimal, is_number, split_port};
use super::record::{Record, Value};
use super::{Format, Reader};
use crate::reject::Reject;
use crate::timestamp;
use model::time::NS_PER_S;
use model::{Int, ParseFlags, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "aws_alb",
    about: "AWS Application Load Balancer access logs",
    aliases: &["alb"],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("request_creation_time", Raw::Time),
    // When the response was generated.
    Field::end("time"),
    Field::text("elb", Text::SourceInstance),
    Field::raw("client:port (address)", Raw::Client),
    Field::int("client:port (port)", Int::ClientPort),
    Field::span("target_processing_time", Int::UpstreamDurationNs, How::Seconds),
    Field::int("elb_status_code", Int::HttpResponseStatusCode),
    Field::int("target_status_code", Int::UpstreamStatusCode),
    // Both sizes count the headers.
    Field::int("received_bytes", Int::HttpRequestSize),
    Field::int("sent_bytes", Int::HttpResponseSize),
    Field::raw("request", Raw::RequestLine),
    Field::raw("request (host)", Raw::Host),
    Field::text("user_agent", Text::UserAgentOriginal),
    Field::text("target_group_arn", Text::GatewayService),
    Field::text("trace_id", Text::RequestId),
    Field::text("trace_id (trace)", Text::TraceId),
    Field::text("actions_executed", Text::PolicyDecision),
    Field::text("actions_executed (last)", Text::PolicyReason),
    SUM,
];
/// The sum of the three processing times: the whole duration.
pub(super) const SUM: Field = Field::span("processing times, summed", Int::DurationNs, How::Nanos);
static DURATION: Field = SUM;
/// Columns behind the actions that are known: up to `request_transform_status` of 2025.
const TAIL_COLUMNS: usize = 10;
/// Quotes from the right among which the user agent's end is looked for: the columns behind it have
/// fewer than thirty.
const QUOTES_MAX: usize = 64;
/// How long before its answer a request can have been made.
const LASTS_NS_MAX: i64 = 3_600 * NS_PER_S;

fn is_kind(text: &str) -> bool {
    matches!(text, "http" | "https" | "h2" | "grpc" | "grpcs" | "ws" | "wss")
}

fn looks(line: &str) -> bool {
    line.split_once(' ')
        .is_some_and(|(kind, rest)| kind == "tls" || is_kind(kind) && begins_with_time(rest, b'T'))
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let line = line.trim_ascii();
    // Network load balancers log connections: `tls 2.0 2018-12-20T02:59:40 net/…`.
    if line.strip_prefix("tls ").is_some_and(|it| begins_with_time(it.get(4..).unwrap_or(""), b'T'))
    {
        return Err(Reject::NotAccessLog);
    }
    columns(line, record).ok_or(Reject::UnknownFormat)
}

fn columns<'a>(line: &'a str, record: &mut Record<'a>) -> Option<()> {
    let mut line = Line(line);
    line.word().filter(|it| is_kind(it))?;
    let time = line.word().filter(|it| begins_with_time(it, b'T'))?;
    let name = line.word()?;
    let (client, port) = split_port(line.word()?);
    let _target = line.word()?;
    let times = [line.word()?, line.word()?, line.word()?];
    if !times.iter().all(|it| is_decimal(it) || *it == "-") {
        return None;
    }
    let (status, target_status) = (line.word()?, line.word()?);
    let (received, sent) = (line.word()?, line.word()?);
    if ![status, target_status, received, sent].iter().all(|it| is_number(it) || *it == "-") {
        return None;
    }
    let request = line.quoted_before_quoted()?;
    let (user_agent, Tail { group, trace, created, actions, beyond }) = behind_request(line.0);
    if beyond > TAIL_COLUMNS {
        record.flags.insert(ParseFlags::EXTRA_FIELDS);
    }
    let created = if is_believable(created, time) { created } else { "" };
    let (request, host) = request_and_host(request, record);
    let root = trace_root(trace);
    put_trace(root, record);
    put_duration(&times, record);
    let (decision, reason) = decision(actions);
    fill(
        record,
        FIELDS,
        &[
            created,
            time,
            name,
            client,
            port,
            times[1],
            status,
            target_status,
            received,
            sent,
            request,
            host,
            user_agent,
            group_name(group),
            root,
            "",
            decision,
            reason,
        ],
    );
    Some(())
}

/// The columns behind the user agent.
#[derive(Clone, Copy, Default)]
struct Tail<'a> {
    group: &'a str,
    trace: &'a str,
    created: &'a str,
    actions: &'a str,
    /// Columns behind the actions.
    beyond: usize,
}

/// The user agent and what stands behind it. A caller may write the like into the user agent, so its end
/// is looked for from the right.
fn behind_request(text: &str) -> (&str, Tail<'_>) {
    let mut ends = memchr::memrchr_iter(b'"', text.as_bytes()).take(QUOTES_MAX);
    let found = ends.find_map(|at| Some((at, tail(text.get(at + 1..)?)?)));
    let user_agent = found.and_then(|(at, _)| text.get(..at)?.strip_prefix('"'));
    if let (Some(user_agent), Some((_, tail))) = (user_agent, found) {
        return (user_agent, tail);
    }
    // Until 2018, less stood there.
    let mut line = Line(text);
    let user_agent = line.quoted().unwrap_or("");
    let (_cipher, _protocol) = (line.word(), line.word());
    let (group, trace) = (line.value().unwrap_or(""), line.value().unwrap_or(""));
    (user_agent, Tail { group, trace, ..Tail::default() })
}

/// ` cipher protocol group "trace" "domain" "certificate" priority created "actions"`, and more.
fn tail(text: &str) -> Option<Tail<'_>> {
    let mut line = Line(text.strip_prefix(' ')?);
    for _ in 0..2 {
        line.word().filter(|it| !it.contains('"'))?;
    }
    let group = line.value().filter(|it| it.starts_with("arn:") || *it == "-")?;
    let (trace, _domain, _certificate) = (line.quoted()?, line.quoted()?, line.quoted()?);
    line.word().filter(|it| is_number(it) || *it == "-")?;
    let created = line.word().filter(|it| begins_with_time(it, b'T'))?;
    let actions = line.value()?;
    let mut beyond = 0;
    while line.value().is_some() {
        beyond += 1;
    }
    Some(Tail { group, trace, created, actions, beyond })
}

/// Whether a request can have been made at `created` whose answer was ready at `time`.
fn is_believable(created: &str, time: &str) -> bool {
    let of = |text| timestamp::text(text).map(|it| it.time);
    let (Some(created), Some(time)) = (of(created), of(time)) else { return false };
    created <= time && time <= created.plus(LASTS_NS_MAX)
}

/// The request, or the host alone where there was none: `- http://a.example:80- -`.
pub(super) fn request_and_host<'a>(
    request: &'a str,
    record: &mut Record<'a>,
) -> (&'a str, &'a str) {
    let Some(rest) = request.strip_prefix("- ") else { return (request, "") };
    record.flags.insert(ParseFlags::BAD_REQUEST_LINE);
    let host = rest.split_once("://").map_or("", |(_, host)| host);
    ("", host.split([' ', '/']).next().unwrap_or("").trim_end_matches('-'))
}

/// Puts the sum of processing times in seconds; one that is negative is not known.
pub(super) fn put_duration(times: &[&str; 3], record: &mut Record<'_>) {
    let seconds = |text: &&str| text.parse::<f64>().ok().filter(|it| *it >= 0.0);
    let total: Option<f64> = times.iter().map(seconds).sum();
    if let Some(total) = total {
        record.put(&DURATION, 0, Value::Int((total * 1e9).round() as i64));
    }
}

/// The root of `Self=…;Root=1-58337262-36d228ad5d99923122bbe354;…`.
fn trace_root(trace: &str) -> &str {
    trace.split(';').find_map(|it| it.trim().strip_prefix("Root=")).unwrap_or("")
}

/// An X-Ray root is a trace's id of 32 digits, with its version before and dashes between.
fn put_trace(root: &str, record: &mut Record<'_>) {
    let mut parts = root.split('-');
    if let (Some("1"), Some(time), Some(random), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
        && (time.len(), random.len()) == (8, 24)
        && time.bytes().chain(random.bytes()).all(|it| it.is_ascii_hexdigit())
        && let Some(field) = FIELDS.iter().find(|it| it.name == "trace_id (trace)")
    {
        record.put_copied(field, 0, &format!("{time}{random}"));
    }
}

/// `my-targets` of `arn:aws:elasticloadbalancing:…:targetgroup/my-targets/73e2d6bc24d8a067`.
fn group_name(arn: &str) -> &str {
    let name = arn.split_once("targetgroup/").map_or("", |(_, name)| name);
    name.split_once('/').map_or(name, |(name, _)| name)
}

/// A request that stopped at the firewall was denied by it.
fn decision(actions: &str) -> (&'static str, &str) {
    match actions.rsplit(',').next() {
        Some(last @ "waf") => ("deny", last),
        _ => ("", ""),
    }
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::AwsAlb, line, expected);
    }

    const HEAD: &str =
        "https 2026-03-10T03:36:59.186641Z app/my-lb/50dc 192.0.2.9:2817 10.0.0.1:80";
    const TAIL: &str = r#"ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2 "Root=1-58337262-36d228ad5d99923122bbe354" "shop.example" "arn:aws:acm:us-east-2:1:certificate/1" 0 2026-03-10T03:36:59.100000Z "waf,forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_dc57"#;

    #[test]
    fn a_line_fills_its_columns() {
        check(
            &format!(
                r#"{HEAD} 0.001 0.048 0.037 200 201 34 366 "GET https://shop.example:443/orders/7?a=b HTTP/1.1" "curl/7.46.0" {TAIL}"#
            ),
            &[
                "time=2026-03-10T03:36:59.100Z",
                "time_kind=start",
                "source_instance=app/my-lb/50dc",
                "client_address=192.0.2.9",
                "client_port=2817",
                "duration_ns=86000000",
                "upstream_duration_ns=48000000",
                "http_response_status_code=200",
                "upstream_status_code=201",
                "http_request_size=34",
                "http_response_size=366",
                "http_response_body_size=",
                "url_scheme=https",
                "server_address=shop.example",
                "server_port=443",
                "endpoint=GET /orders/{int}",
                "url_query=a=b",
                "user_agent_original=curl/7.46.0",
                "gateway_service=my-targets",
                "request_id=1-58337262-36d228ad5d99923122bbe354",
                "trace_id=5833726236d228ad5d99923122bbe354",
                "policy_decision=",
                "parse_flags=0",
            ],
        );
    }

    #[test]
    fn old_and_new_tails_are_read() {
        let line = format!(r#"{HEAD} -1 -1 -1 502 - 34 366 "GET http://h:80/ HTTP/1.1" "-""#);
        let expected = ["http_response_status_code=502", "duration_ns=", "upstream_status_code="];
        for tail in ["", " - - -", &format!(" {TAIL}"), &format!(r#" {TAIL} "-" "-" "-""#)] {
            check(&format!("{line}{tail}"), &expected);
            check(&format!("{line}{tail}"), &["parse_flags=0"]);
        }
        check(&format!(r#"{line} {TAIL} "-" "-" "-" new"#), &["parse_flags=1"]);
    }

    #[test]
    fn what_was_no_request_and_what_the_firewall_denied_are_events() {
        check(
            &format!(
                r#"{HEAD} -1 -1 -1 400 - 0 272 "- http://awseb-1.elb.amazonaws.com:80- -" "-" - - - "-" "-" "-" - 2026-03-10T03:36:58.967000Z "waf" "-" "-""#
            ),
            &[
                "http_response_status_code=400",
                "http_request_method=",
                "url_path=",
                "server_address=awseb-1.elb.amazonaws.com",
                "policy_decision=deny",
                "policy_reason=waf",
                "parse_flags=4",
            ],
        );
    }

    #[test]
    fn an_address_of_version_6_stands_without_brackets() {
        let line = format!(
            r#"{HEAD} 0.001 0.052 0.000 200 200 5 2084 "POST https://h:443/a" b HTTP/1.1" "U \" 1" {TAIL}"#
        );
        let line = line.replace("192.0.2.9:2817", "2001:db8:c529:9dad:6bbc:c529:9dad:6bbc:50599");
        check(
            &line,
            &[
                "client_address=2001:db8:c529:9dad:6bbc:c529:9dad:6bbc",
                "client_port=50599",
                "http_response_size=2084",
                "gateway_service=my-targets",
            ],
        );
    }

    #[test]
    fn a_tail_in_the_user_agent_shifts_nothing() {
        let forged = r#"x" - - arn:aws:elasticloadbalancing:1:1:targetgroup/evil/1 "Root=9" "d" "c" 0 2026-03-10T03:00:00.000000Z "waf" "#;
        for forged in [forged.to_owned(), forged.replace("\" ", "\\\" ")] {
            check(
                &format!(
                    r#"{HEAD} 0.001 0.048 0.037 200 201 34 366 "GET https://h:443/a HTTP/1.1" "{forged}" {TAIL}"#
                ),
                &[
                    "time=2026-03-10T03:36:59.100Z",
                    "gateway_service=my-targets",
                    "request_id=1-58337262-36d228ad5d99923122bbe354",
                    "policy_decision=",
                    "url_path=/a",
                    "parse_flags=0",
                ],
            );
        }
        for created in ["2026-03-10T02:00:00.000000Z", "2026-03-11T03:36:59.100000Z"] {
            let tail = TAIL.replace("2026-03-10T03:36:59.100000Z", created);
            check(
                &format!(r#"{HEAD} -1 -1 -1 502 - 34 366 "GET http://h:80/ HTTP/1.1" "-" {tail}"#),
                &["time=2026-03-10T03:36:59.186641Z", "gateway_service=my-targets"],
            );
        }
    }

    #[test]
    fn other_load_balancers_lines_are_not_of_this_kind() {
        check(
            "tls 2.0 2018-12-20T02:59:40 net/my-lb/c6e7 g3d4 72.21.218.154:51341 172.100.100.185:443 5 2 98 246 - arn - -",
            &["reject=not_access_log"],
        );
        check("http 2026-03-10T03:36:59Z is a time", &["reject=unknown_format"]);
    }
}

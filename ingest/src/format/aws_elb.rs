//! The access log of AWS Classic Load Balancers.

use super::aws_alb::{SUM, put_duration, request_and_host};
use super::field::{Field, How, Raw};
use super::line::{Line, begins_with_time, fill, is_decimal, is_number, split_port};
use super::record::Record;
use super::{Format, Reader};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "aws_elb",
    about: "AWS Classic Load Balancer access logs",
    aliases: &["aws_clb", "elb", "clb"],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    // When the load balancer received the request.
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::raw("time", Raw::Time),
    Field::text("elb", Text::SourceInstance),
    Field::raw("client:port (address)", Raw::Client),
    Field::int("client:port (port)", Int::ClientPort),
    Field::span("backend_processing_time", Int::UpstreamDurationNs, How::Seconds),
    Field::int("elb_status_code", Int::HttpResponseStatusCode),
    Field::int("backend_status_code", Int::UpstreamStatusCode),
    // Other than with Application Load Balancers, the sizes are those of the bodies.
    Field::int("received_bytes", Int::HttpRequestBodySize),
    Field::int("sent_bytes", Int::HttpResponseBodySize),
    Field::raw("request", Raw::RequestLine),
    Field::raw("request (host)", Raw::Host),
    Field::text("user_agent", Text::UserAgentOriginal),
    SUM,
];

/// A time, a name, `client:port`, a backend, and a processing time.
fn looks(line: &str) -> bool {
    if !begins_with_time(line, b'T') {
        return false;
    }
    let mut line = Line(line);
    let (_time, _name, client, _backend) = (line.word(), line.word(), line.word(), line.word());
    client.is_some_and(|it| !split_port(it).1.is_empty()) && line.word().is_some_and(is_decimal)
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    columns(line.trim_ascii(), record).unwrap_or(Err(Reject::UnknownFormat))
}

fn columns<'a>(line: &'a str, record: &mut Record<'a>) -> Option<Result<(), Reject>> {
    let mut line = Line(line);
    let time = line.word().filter(|it| begins_with_time(it, b'T'))?;
    let name = line.word()?;
    let (client, port) = split_port(line.word()?);
    let _backend = line.word()?;
    let times = [line.word()?, line.word()?, line.word()?];
    if port.is_empty() || !times.iter().all(|it| is_decimal(it)) {
        return None;
    }
    let (status, backend_status) = (line.word()?, line.word()?);
    let (received, sent) = (line.word()?, line.word()?);
    if ![status, backend_status, received, sent].iter().all(|it| is_number(it) || *it == "-") {
        return None;
    }
    // The columns from the user agent on were added later.
    let request = line.quoted_before_quoted()?;
    if status == "-" && request.trim_end() == "- - -" {
        // A connection that is not of HTTP.
        return Some(Err(Reject::NotAccessLog));
    }
    let (request, host) = request_and_host(request, record);
    let user_agent = line.quoted().unwrap_or("");
    put_duration(&times, record);
    fill(
        record,
        FIELDS,
        &[
            time,
            name,
            client,
            port,
            times[1],
            status,
            backend_status,
            received,
            sent,
            request,
            host,
            user_agent,
        ],
    );
    Some(Ok(()))
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::AwsElb, line, expected);
    }

    const HEAD: &str = "2026-03-10T03:36:59.945958Z my-lb 192.0.2.9:2817";

    #[test]
    fn lines_with_and_without_a_user_agent_are_read() {
        let line = format!(
            r#"{HEAD} 10.0.0.1:80 0.000073 0.001048 0.000057 200 201 7 29 "GET https://shop.example:443/orders/7 HTTP/1.1""#
        );
        let expected = [
            "time=2026-03-10T03:36:59.945958Z",
            "time_kind=start",
            "source_instance=my-lb",
            "client_address=192.0.2.9",
            "client_port=2817",
            "duration_ns=1178000",
            "upstream_duration_ns=1048000",
            "http_response_status_code=200",
            "upstream_status_code=201",
            "http_request_body_size=7",
            "http_response_body_size=29",
            "server_address=shop.example",
            "endpoint=GET /orders/{int}",
            "parse_flags=0",
        ];
        check(&line, &expected);
        let line = format!(r#"{line} "curl/7.38.0 (#56)" DHE-RSA-AES128-SHA TLSv1.2"#);
        check(&line, &expected);
        check(&line, &["user_agent_original=curl/7.38.0 (#56)"]);
    }

    #[test]
    fn a_request_without_a_backend_has_no_times() {
        check(
            &format!(r#"{HEAD} - -1 -1 -1 408 - 1294336 0 "PUT https://a.example:443/v HTTP/1.1""#),
            &["http_response_status_code=408", "duration_ns=", "http_request_body_size=1294336"],
        );
    }

    #[test]
    fn a_connection_is_no_access() {
        check(
            &format!(
                r#"{HEAD} 10.0.0.1:80 0.001069 0.000028 0.000041 - - 82 305 "- - - " "-" - -"#
            ),
            &["reject=not_access_log"],
        );
        check("2026-03-10T03:36:59Z stdout F message", &["reject=unknown_format"]);
    }
}

//! Akamai DataStream 2 as text, which its operators call structured: columns without names.
//!
//! Whoever makes a stream chooses its columns and their order. Only the order that a stream has from the
//! start is read, of which a long row of columns must be there; what follows them is passed over.

use super::field::{Field, Raw};
use super::line::{fill, is_agent, is_epoch, is_number, is_status};
use super::record::Record;
use super::{Format, Reader, address, akamai, request};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "akamai_text",
    about: "Akamai DataStream 2 as structured text, in its own order",
    aliases: &["akamai_structured"],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    // When the edge server accepted the request.
    time_kind: TimeKind::Start,
    needs_request: true,
    forwarded_only: false,
};

static FIELDS: &[Field] = &[
    Field::text("streamId", Text::SourceInstance),
    Field::text("cp", Text::GatewayService),
    Field::text("reqId", Text::RequestId),
    Field::raw("reqTimeSec", Raw::Time),
    Field::int("bytes", Int::HttpResponseBodySize),
    Field::raw("cliIP", Raw::Client),
    Field::int("statusCode", Int::HttpResponseStatusCode),
    Field::raw("proto", Raw::Protocol),
    Field::raw("reqHost", Raw::Host),
    Field::text("reqMethod", Text::HttpRequestMethod),
    Field::raw("reqPath", Raw::Target),
    Field::int("reqPort", Int::ServerPort),
    Field::text("UA", Text::UserAgentOriginal),
];

/// Columns that tell the format from others: those of [`FIELDS`] up to the path.
const TOLD_BY: usize = 11;

/// The stream's version, and what divides it from the next number.
fn looks(line: &str) -> bool {
    matches!(line.as_bytes(), [b'1'..=b'9', b' ' | b'\t', b'0'..=b'9', ..])
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    columns(line.trim_ascii(), record).ok_or(Reject::UnknownFormat)
}

fn columns<'a>(line: &'a str, record: &mut Record<'a>) -> Option<()> {
    if !looks(line) {
        return None;
    }
    let separator = if line.as_bytes().get(1) == Some(&b'\t') { '\t' } else { ' ' };
    let mut columns = line.split(separator).skip(1);
    let mut told = [""; TOLD_BY];
    for text in &mut told {
        *text = columns.next()?;
    }
    let [stream, cp, id, time, bytes, client, status, scheme, host, method, path] = told;
    let is_ours = is_number(stream)
        && is_number(cp)
        && is_id(id)
        && is_epoch(time)
        && is_number(bytes)
        && address::is_ip(client)
        && is_status(status)
        && matches!(scheme, "HTTP" | "HTTPS")
        && address::parse(host).is_some()
        && request::method(method).is_some();
    if !is_ours {
        return None;
    }
    let (port, agent) = behind(&mut columns);
    fill(
        record,
        FIELDS,
        &[stream, cp, id, time, bytes, client, status, scheme, host, method, path, port, agent],
    );
    akamai::finish(record);
    Some(())
}

/// Port and user agent, which stand around the answer's length and kind, where all that is near them shows
/// that they are these: a length must be no port, and a cookie no agent.
fn behind<'a>(columns: &mut impl Iterator<Item = &'a str>) -> (&'a str, &'a str) {
    let mut next = || columns.next().unwrap_or("");
    let (port, length, kind, agent) = (next(), next(), next(), next());
    let (overhead, version) = (next(), next());
    let is_count = |it: &str| it == "-" || is_number(it);
    let is_tls = |it: &str| it == "-" || it.starts_with("TLS") || it.starts_with("SSL");
    let is_here = is_count(port) && is_count(length) && (kind == "-" || kind.contains('/'));
    let goes_on = || is_count(overhead) && is_tls(version);
    let shows = || is_agent(&request::unescape(&agent.replace('+', " ")));
    if is_here && (goes_on() || shows()) { (port, agent) } else { ("", "") }
}

/// Hexadecimal digits.
fn is_id(column: &str) -> bool {
    !column.is_empty() && column.bytes().all(|it| it.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::FormatId;

    const LINE: &str = "1 12345 123456 1239f220 1773113819.123 4995 203.0.113.9 206 HTTPS api.example.com GET /orders/7 443 5000 text/html Mozilla%2F5.0+%28Macintosh%29 0 TLSv1.3 484 484 232 5100 a=b //BC/%5Ba=23.33.41.20%5D en-US sid=c4n4ry 37334-42356 https%3A%2F%2Fa.example%2Fx 198.51.100.7 3600 3 - 11 125 50 1 23.50.51.173 IN Virginia HERNDON SG";

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        assert_eq!(crate::sniff::record(line.as_bytes()), Some(FormatId::AkamaiText), "{line}");
        crate::format::check::check(FormatId::AkamaiText, line, expected);
    }

    #[test]
    fn the_streams_own_order_is_read() {
        let expected = [
            "time=2026-03-10T03:36:59.123Z",
            "time_kind=start",
            "source_instance=12345",
            "request_id=1239f220",
            "http_response_body_size=4995",
            "client_address=203.0.113.9",
            "http_response_status_code=206",
            "url_scheme=https",
            "server_address=api.example.com",
            "server_port=443",
            "endpoint=GET /orders/{int}",
            "user_agent_original=Mozilla/5.0 (Macintosh)",
            "duration_ns=",
            "url_query=",
        ];
        check(LINE, &expected);
        check(&LINE.replace(' ', "\t"), &expected);
        // Some streams leave the first slash out.
        check(&LINE.replace("/orders/7", "orders/7"), &["url_path=/orders/7"]);
    }

    #[test]
    fn a_column_that_was_left_out_gives_no_other_its_name() {
        for (gone, agent) in [
            ("443 ", ""),
            ("5000 ", ""),
            ("Mozilla%2F5.0+%28Macintosh%29 ", ""),
            ("0 TLSv1.3 ", "Mozilla/5.0 (Macintosh)"),
        ] {
            let line = LINE.replacen(gone, "", 1);
            let port = if agent.is_empty() { "" } else { "443" };
            let (agent, port) =
                (format!("user_agent_original={agent}"), format!("server_port={port}"));
            check(&line, &[&agent, &port, "url_path=/orders/7"]);
        }
    }

    #[test]
    fn another_order_is_refused_with_the_cure() {
        let reason = |line: &str| {
            let parsed = crate::format::check::parse(line.as_bytes(), None);
            assert_eq!(parsed.batch.events.len(), 0, "{line}");
            parsed.rejects.iter().next().map_or("", |(reason, _)| reason.as_str())
        };
        for gone in ["123456 ", "1239f220 ", "4995 ", "HTTPS ", "api.example.com "] {
            assert_eq!(reason(&LINE.replacen(gone, "", 1)), "unnamed_columns", "{gone}");
        }
        assert_eq!(reason("1 2 3 4 5"), "unknown_format");
        for line in ["", "1", "1 2", "1\t12345\t1"] {
            assert_eq!(scan(line, &mut Record::new()), Err(Reject::UnknownFormat), "{line}");
        }
    }
}

//! CloudFront's standard log: columns with tabs between them, which `#Fields` names.

use super::field::{Field, How, Raw};
use super::line::{begins_with_time, is_status, percent_decoded};
use super::record::{Record, Value};
use super::{Columns, Format, Reader, w3c};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "aws_cloudfront",
    about: "Amazon CloudFront standard logs",
    aliases: &["cloudfront"],
    fields: FIELDS,
    reader: Reader::Columns { header, looks, scan },
    // When the response was finished, in UTC.
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

/// The places of the fields in [`FIELDS`] that are not taken over as they are.
const DATE: u16 = 0;
const TIME: u16 = 1;
const USER_AGENT: u16 = 4;
const REFERRER: u16 = 5;

static FIELDS: &[Field] = &[
    Field::raw("date", Raw::Time),
    Field::raw("time", Raw::Time),
    Field::raw("timestamp(ms)", Raw::Time),
    Field::raw("timestamp", Raw::Time),
    Field::text("cs(User-Agent)", Text::UserAgentOriginal),
    Field::text("cs(Referer)", Text::HttpRequestReferrer),
    // Both sizes count the headers.
    Field::int("sc-bytes", Int::HttpResponseSize),
    Field::int("cs-bytes", Int::HttpRequestSize),
    Field::raw("c-ip", Raw::Client),
    Field::int("c-port", Int::ClientPort),
    Field::text("cs-method", Text::HttpRequestMethod),
    // The name that the caller used; `cs(Host)` is the distribution's.
    Field::raw("x-host-header", Raw::Host),
    Field::raw("cs(Host)", Raw::Host),
    Field::raw("cs-uri-stem", Raw::Target),
    Field::text("cs-uri-query", Text::UrlQuery),
    Field::int("sc-status", Int::HttpResponseStatusCode),
    Field::span("time-taken", Int::DurationNs, How::Seconds),
    Field::span("origin-lbl", Int::UpstreamDurationNs, How::Seconds),
    Field::span("origin-fbl", Int::UpstreamDurationNs, How::Seconds),
    Field::raw("x-forwarded-for", Raw::Forwarded),
    Field::text("x-edge-request-id", Text::RequestId),
    Field::text("cs-protocol", Text::UrlScheme),
    Field::raw("cs-protocol-version", Raw::Protocol),
    Field::text("x-edge-location", Text::SourceInstance),
    Field::text("DistributionId", Text::ApiId),
    Field::text("cache-behavior-path-pattern", Text::GatewayRoute),
    Field::int("sc-content-len", Int::HttpResponseBodySize),
];

/// The columns of a file of which only lines without the header arrived; they are always these, in
/// this order, and later ones were added at the end.
const STANDARD: &str = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem \
    sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type \
    x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol \
    ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields \
    c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len \
    sc-range-start sc-range-end";

fn find(name: &str) -> Option<usize> {
    FIELDS.iter().position(|field| field.name.eq_ignore_ascii_case(name))
}

fn header(line: &str, before: Option<&Columns>) -> Option<Columns> {
    let names = w3c::field_names(line)?;
    if names.contains("x-edge-") {
        return Some(Columns::of(names.split_ascii_whitespace(), find));
    }
    // The version's line is like that of every W3C log.
    before.cloned().filter(|_| names.is_empty())
}

/// `2026-03-10`, a tab, `03:36:59`, a tab.
fn looks(line: &str) -> bool {
    begins_with_time(line, b'\t') && line.as_bytes().get(19) == Some(&b'\t')
}

fn scan<'a>(
    line: &'a str,
    columns: Option<&Columns>,
    record: &mut Record<'a>,
) -> Result<(), Reject> {
    let line = line.trim_ascii();
    let columns = columns.filter(|it| !it.fields.is_empty());
    let Some(columns) = columns else {
        let values = || line.split('\t');
        let is_standard =
            looks(line) && values().nth(8).is_some_and(|it| is_status(it) || it == "0");
        if !is_standard {
            return Err(Reject::UnknownFormat);
        }
        for (name, value) in STANDARD.split_ascii_whitespace().zip(values()) {
            if let Some(rank) = find(name) {
                put(record, rank as u16, value);
            }
        }
        put_time(line.get(..10), line.get(11..19), record);
        return Ok(());
    };
    let (mut date, mut time) = (None, None);
    let (mut values, mut filled) = (line.split('\t'), 0);
    for (place, value) in columns.fields.iter().zip(&mut values) {
        filled += 1;
        match *place {
            Some(DATE) => date = Some(value),
            Some(TIME) => time = Some(value),
            Some(rank) => put(record, rank, value),
            None => {}
        }
    }
    if filled < 2 {
        return Err(Reject::UnknownFormat);
    }
    if values.next().is_some() {
        record.flags.insert(model::ParseFlags::EXTRA_FIELDS);
    }
    put_time(date, time, record);
    Ok(())
}

fn put<'a>(record: &mut Record<'a>, rank: u16, value: &'a str) {
    let Some(field) = FIELDS.get(usize::from(rank)) else { return };
    match rank {
        DATE | TIME => {}
        USER_AGENT | REFERRER => match percent_decoded(value) {
            Some(once) => {
                // Escapes were escaped once more until 2014, and still are in some copies.
                let twice = percent_decoded(&once).filter(|_| !once.contains(' '));
                record.put_copied(field, rank, twice.as_deref().unwrap_or(&once));
            }
            None => record.put(field, rank, Value::Line(value)),
        },
        _ => record.put(field, rank, Value::Line(value)),
    }
}

fn put_time(date: Option<&str>, time: Option<&str>, record: &mut Record<'_>) {
    if let (Some(field), Some(date), Some(time)) = (FIELDS.first(), date, time) {
        record.put_copied(field, 0, &format!("{date}T{time}Z"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::FormatId;

    const LINE: &str = "2026-03-10\t03:36:59\tHKG62-C2\t675\t203.0.113.9\tGET\td1.cloudfront.net\t/orders/7\t304\thttps://a.example/x%3Ftoken=t\tMozilla/5.0%20(X11;%20Linux)\ta=b\tsession=secret\tMiss\tY5rIQOuG==\tshop.example\thttps\t536\t0.623\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tMiss\tHTTP/2.0\t-\t-\t12812\t0.623\tMiss\t-\t-\t-\t-";

    #[test]
    fn a_line_without_its_header_has_the_standard_columns() {
        let expected = [
            "time=2026-03-10T03:36:58.377Z",
            "time_kind=end_minus_duration",
            "source_instance=HKG62-C2",
            "http_response_size=675",
            "http_request_size=536",
            "http_response_body_size=",
            "client_address=203.0.113.9",
            "client_port=12812",
            "endpoint=GET /orders/{int}",
            "url_query=a=b",
            "url_scheme=https",
            "server_address=shop.example",
            "http_response_status_code=304",
            "duration_ns=623000000",
            "user_agent_original=Mozilla/5.0 (X11; Linux)",
            "request_id=Y5rIQOuG==",
            "network_protocol_version=2",
            "session_id=",
        ];
        crate::format::check::check(FormatId::AwsCloudfront, LINE, &expected);
        let old: Vec<_> = LINE.split('\t').take(13).collect();
        let old = old.join("\t").replace("%20", "%2520");
        let expected =
            ["user_agent_original=Mozilla/5.0 (X11; Linux)", "http_response_status_code=304"];
        crate::format::check::check(FormatId::AwsCloudfront, &old, &expected);
    }

    #[test]
    fn a_header_names_the_columns() {
        let columns = header("#Fields: date time x-edge-location c-ip sc-status", None)
            .expect("a header of CloudFront's");
        assert_eq!(columns.fields, [Some(0), Some(1), Some(23), Some(8), Some(15)]);
        let mut record = Record::new();
        let line = "2026-03-10\t03:36:59\tHKG\t203.0.113.9\t200\tmore";
        assert_eq!(scan(line, Some(&columns), &mut record), Ok(()));
        assert!(record.flags.contains(model::ParseFlags::EXTRA_FIELDS));
        assert_eq!(header("#Fields: date time c-ip", None), None);
        assert_eq!(header("#Version: 1.0", Some(&columns)), Some(columns));
    }

    #[test]
    fn other_lines_are_refused() {
        for line in ["2026-03-10\t03:36:59\tmessage", "a\tb", ""] {
            assert_eq!(scan(line, None, &mut Record::new()), Err(Reject::UnknownFormat), "{line}");
        }
    }
}

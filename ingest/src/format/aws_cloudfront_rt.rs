//! CloudFront's real-time log: columns with tabs between them and no header. Which of them are there the
//! operator chose, but their order is always that of one list.
//!
//! Most columns can be told by their looks where the order is known. What cannot is passed over: a wrong
//! column is worse than one that is missing.

use super::field::{Field, How, Raw};
use super::line::{
    SECONDS_DIGITS, fill, is_agent, is_decimal, is_epoch, is_number, is_status, percent_decoded,
};
use super::record::{Record, Value};
use super::{Format, Reader, address, request};
use crate::reject::Reject;
use model::{Int, ParseFlags, Text, TimeKind};
use std::iter::Peekable;
use std::str::Split;

pub(super) static FORMAT: Format = Format {
    name: "aws_cloudfront_rt",
    about: "Amazon CloudFront real-time logs as text",
    aliases: &["cloudfront_realtime"],
    fields: FIELDS,
    reader: Reader::Text { looks, scan },
    // When the edge server finished responding.
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

/// The place of each field in [`FIELDS`].
#[derive(Clone, Copy)]
enum At {
    Time,
    Client,
    Status,
    BytesOut,
    Method,
    Scheme,
    Host,
    Target,
    BytesIn,
    Location,
    RequestId,
    OwnHost,
    TimeTaken,
    Protocol,
    Query,
    Forwarded,
    Agent,
    Referrer,
}

static FIELDS: &[Field] = &[
    Field::raw("timestamp", Raw::Time),
    Field::raw("c-ip", Raw::Client),
    Field::int("sc-status", Int::HttpResponseStatusCode),
    // Both sizes count the headers.
    Field::int("sc-bytes", Int::HttpResponseSize),
    Field::text("cs-method", Text::HttpRequestMethod),
    Field::text("cs-protocol", Text::UrlScheme),
    // What the viewer asked for; `x-host-header` is the distribution's.
    Field::raw("cs-host", Raw::Host),
    Field::raw("cs-uri-stem", Raw::Target),
    Field::int("cs-bytes", Int::HttpRequestSize),
    Field::text("x-edge-location", Text::SourceInstance),
    Field::text("x-edge-request-id", Text::RequestId),
    Field::raw("x-host-header", Raw::Host),
    Field::span("time-taken", Int::DurationNs, How::Seconds),
    Field::raw("cs-protocol-version", Raw::Protocol),
    Field::text("cs-uri-query", Text::UrlQuery),
    Field::raw("x-forwarded-for", Raw::Forwarded),
    Field::text("cs-user-agent", Text::UserAgentOriginal),
    Field::text("cs-referer", Text::HttpRequestReferrer),
];

/// Columns that callers write, one after the other: agent, referrer, cookie, query.
const FREE: usize = 4;
/// Columns that tell whether these four are there: they, a result, forwarding, TLS's two, another result.
const NEAR: usize = FREE + 5;
/// Bytes that a request's id has at least.
const ID_BYTES_MIN: usize = 40;
/// The same at most.
const ID_BYTES_MAX: usize = 80;
/// How CloudFront classifies an answer.
const RESULTS: [&str; 8] = [
    "Hit",
    "RefreshHit",
    "OriginShieldHit",
    "Miss",
    "LimitExceeded",
    "CapacityExceeded",
    "Error",
    "Redirect",
];

/// How many fields there are.
const COUNT: usize = At::Referrer as usize + 1;

/// The columns that are left.
type Columns<'a> = Peekable<Split<'a, char>>;
/// The text of each field; that of a column that is not there is empty.
type Texts<'a> = [&'a str; COUNT];
/// The columns from the first on that a caller may have written; empty beyond the last.
type Near<'a> = [&'a str; NEAR];

/// Ten digits, and then a tab or decimals.
fn looks(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.iter().take(SECONDS_DIGITS).all(u8::is_ascii_digit)
        && matches!(bytes.get(SECONDS_DIGITS), Some(b'.' | b'\t'))
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let mut columns = line.trim_ascii().split('\t').peekable();
    let mut texts: Texts<'a> = [""; COUNT];
    head(&mut columns, &mut texts).ok_or(Reject::UnknownFormat)?;
    let signs = middle(&mut columns, &mut texts);
    let is_whole = free(columns, &mut texts, record);
    if !signs.is_own {
        return Err(Reject::UnknownFormat);
    }
    if !signs.is_followed && !is_whole {
        // A host and a decimal with nothing certain behind them may be a later column's.
        (texts[At::OwnHost as usize], texts[At::TimeTaken as usize]) = ("", "");
    }
    let agent = std::mem::take(&mut texts[At::Agent as usize]);
    let referrer = std::mem::take(&mut texts[At::Referrer as usize]);
    fill(record, FIELDS, &texts);
    put_decoded(record, At::Agent, agent);
    put_decoded(record, At::Referrer, referrer);
    Ok(())
}

/// Reads the columns up to the path. Those that tell the format from others must be there: two numbers of
/// which only one was chosen could not be told apart.
fn head<'a>(columns: &mut Columns<'a>, texts: &mut Texts<'a>) -> Option<()> {
    texts[At::Time as usize] = columns.next().filter(|it| is_epoch(it))?;
    texts[At::Client as usize] = columns.next().filter(|it| address::is_ip(it))?;
    // The edge server's address, and the time to the first byte.
    let _edge = columns.next_if(|it| address::is_ip(it));
    let _first_byte = columns.next_if(|it| is_seconds(it) || *it == "-");
    texts[At::Status as usize] = columns.next().filter(|it| is_status(it))?;
    texts[At::BytesOut as usize] = columns.next().filter(|it| is_number(it))?;
    let method = columns.next().filter(|it| !is_scheme(it) && request::is_method(it))?;
    let scheme = columns.next_if(|it| is_scheme(it));
    // A word that is no method of HTTP's may be a host, unless the scheme follows it.
    if scheme.is_none() && request::method(method).is_none() {
        return None;
    }
    texts[At::Method as usize] = method;
    texts[At::Scheme as usize] = scheme.unwrap_or("");
    let is_path = |it: &str| it.starts_with(['/', '*']);
    texts[At::Host as usize] = columns.next_if(|it| !is_path(it)).unwrap_or("");
    texts[At::Target as usize] = columns.next().filter(|it| is_path(it))?;
    Some(())
}

/// What was seen among the columns behind the path.
struct Signs {
    /// Something that only CloudFront writes.
    is_own: bool,
    /// A protocol's or address's version: all before it is certain.
    is_followed: bool,
}

/// Reads the columns between the path and what callers wrote.
fn middle<'a>(columns: &mut Columns<'a>, texts: &mut Texts<'a>) -> Signs {
    let mut take = |at: At, is: fn(&str) -> bool| {
        let found = columns.next_if(|it| is(it));
        texts[at as usize] = found.unwrap_or("");
        found.is_some()
    };
    take(At::BytesIn, is_number);
    let has_location = take(At::Location, is_location);
    let has_id = take(At::RequestId, is_request_id);
    take(At::OwnHost, is_domain);
    take(At::TimeTaken, is_seconds);
    let has_protocol = take(At::Protocol, |it| it.starts_with("HTTP/"));
    let ip_version = columns.next_if(|it| matches!(*it, "IPv4" | "IPv6"));
    Signs {
        is_own: has_location || has_id || ip_version.is_some(),
        is_followed: has_protocol || ip_version.is_some(),
    }
}

/// Reads what callers wrote, if it can be told apart: all four columns are there, or the first of fewer
/// shows what it is. A cookie must be none of them.
fn free<'a>(mut columns: Columns<'a>, texts: &mut Texts<'a>, record: &mut Record<'a>) -> bool {
    if columns.peek().is_none() {
        return false;
    }
    let mut near: Near<'a> = [""; NEAR];
    for (place, column) in near.iter_mut().zip(columns) {
        *place = column;
    }
    let [agent, referrer, _cookie, query, _result, forwarded, ..] = near;
    let is_whole = are_all_free(&near);
    if is_whole {
        texts[At::Agent as usize] = agent;
        texts[At::Referrer as usize] = referrer;
        texts[At::Query as usize] = query;
        if address::first(forwarded).is_some_and(|it| it.ip.is_some()) {
            texts[At::Forwarded as usize] = forwarded;
        }
    } else {
        record.flags.insert(ParseFlags::EXTRA_FIELDS);
        if is_agent(agent) {
            texts[At::Agent as usize] = agent;
        }
    }
    is_whole
}

/// Whether all four columns of callers are there: a result stands behind them, whatever they hold.
///
/// Where one of them is a result too, they may also be fewer, with CloudFront's first result behind them
/// and its second where that of four would be. Then TLS's columns, which stand between the two, do not
/// stand behind the second.
fn are_all_free(near: &Near<'_>) -> bool {
    let is_result = |it: &str| RESULTS.contains(&it);
    let [_, _, _, query, result, _, protocol, cipher, second] = *near;
    if !is_result(result) {
        return false;
    }
    let first = near.iter().position(|it| RESULTS.contains(it)).unwrap_or(FREE);
    // What callers say of forwarding may stand behind the first result, and look like a query.
    let is_query = || first < 2 && is_pair(query);
    let has_tls = protocol.starts_with("TLSv") || protocol.starts_with("SSLv");
    let has_none = protocol == "-" && cipher == "-" && is_result(second);
    first == FREE || has_tls || has_none || is_query()
}

/// `a=b`, but not `text/html;charset=utf-8`.
fn is_pair(column: &str) -> bool {
    column.split_once('=').is_some_and(|(name, _)| !name.contains('/'))
}

fn put_decoded<'a>(record: &mut Record<'a>, at: At, value: &'a str) {
    let Some(field) = FIELDS.get(at as usize) else { return };
    match percent_decoded(value) {
        Some(plain) => record.put_copied(field, at as u16, &plain),
        None => record.put(field, at as u16, Value::Line(value)),
    }
}

fn is_seconds(column: &str) -> bool {
    is_decimal(column) && column.contains('.')
}

fn is_scheme(column: &str) -> bool {
    matches!(column, "http" | "https" | "ws" | "wss")
}

/// A domain in its usual form.
fn is_domain(column: &str) -> bool {
    column.contains('.') && address::parse(column).is_some_and(|it| it.ip.is_none())
}

/// `HKG62-C2`, `LHR5`: an airport and a number.
fn is_location(column: &str) -> bool {
    let Some((airport, number)) = column.split_at_checked(3) else { return false };
    let is_part = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'-';
    airport.bytes().all(|it| it.is_ascii_uppercase())
        && number.starts_with(|it: char| it.is_ascii_digit())
        && number.len() <= 9
        && number.bytes().all(is_part)
}

/// Base64 with its padding.
fn is_request_id(column: &str) -> bool {
    let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'=');
    (ID_BYTES_MIN..=ID_BYTES_MAX).contains(&column.len())
        && column.ends_with("==")
        && column.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::FormatId;
    use crate::format::check::{objects, parse};

    const HEAD: &str = "1773113819.123\t203.0.113.9";
    const ID: &str = "Y5rIQOuGsI2vJN4hR3qLB55Cn4aoogvzPEnHhm5-0NiTtWDfTU5-vw==";

    #[track_caller]
    fn check(columns: &str, expected: &[&str]) {
        let line = format!("{HEAD}\t{columns}").replace("{ID}", ID);
        // Nobody says which format it is.
        let parsed = parse(line.as_bytes(), None);
        let object = objects(&parsed.batch).pop().unwrap_or_default();
        for pair in expected {
            let (name, value) = pair.split_once('=').expect("column=value");
            let shown = match object.get(name) {
                Some(serde_json::Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None if name == "reject" => {
                    parsed.rejects.iter().next().map_or("", |it| it.0.as_str()).to_owned()
                }
                None => String::new(),
            };
            assert_eq!(shown, value, "{name} of {line}");
        }
    }

    #[test]
    fn all_columns_are_read() {
        check(
            "0.045\t201\t675\tPOST\thttps\tshop.example\t/orders/7\t536\tHKG62-C2\t{ID}\td1.cloudfront.net\t0.623\tHTTP/2.0\tIPv4\tMozilla/5.0%20(X11;%20Linux)\thttps://a.example/x%3Ftoken=t\tsession=c4n4ry\ta=b&token=c4n4ry\tMiss\t198.51.100.7\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tMiss\t-\t-\tapplication/json\t42\t-\t-\t12812\tMiss\tDE\tgzip\t*/*\t*\thost:a%0Ax-api-key:c4n4ry\thost%0Ax-api-key\t2",
            &[
                "source_format=aws_cloudfront_rt",
                "time=2026-03-10T03:36:58.500Z",
                "time_kind=end_minus_duration",
                "client_address=203.0.113.9",
                "http_response_status_code=201",
                "http_response_size=675",
                "http_request_size=536",
                "endpoint=POST /orders/{int}",
                "url_scheme=https",
                "server_address=shop.example",
                "source_instance=HKG62-C2",
                "duration_ns=623000000",
                "network_protocol_version=2",
                "user_agent_original=Mozilla/5.0 (X11; Linux)",
                "http_request_referrer=https://a.example/x?token=REDACTED",
                "url_query=a=b&token=REDACTED",
                "session_id=",
            ],
        );
    }

    #[test]
    fn of_a_choice_only_what_is_certain_is_read() {
        // Without what tells it from an origin's first byte, the decimal is no duration; of the columns
        // that callers write only an agent shows what it is.
        check(
            "200\t675\tGET\t/a\tLHR5\t{ID}\t0.623\tcurl/8.5.0\tMiss",
            &[
                "url_path=/a",
                "duration_ns=",
                "user_agent_original=curl/8.5.0",
                "time_kind=end",
                "parse_flags=1",
            ],
        );
        check(
            "2001:db8::1\t-\t000\t0\tPURGE\thttps\t/a?x=y\t90\tLHR5\t0.001\tIPv6\tsid=c4n4ry\tHit",
            &[
                "client_address=203.0.113.9",
                "http_response_status_code=",
                "http_request_method=_OTHER",
                "url_query=x=y",
                "http_request_size=90",
                "duration_ns=1000000",
                "user_agent_original=",
            ],
        );
    }

    #[test]
    fn a_callers_column_that_looks_like_cloudfronts_moves_no_other() {
        let head = "200\t675\tGET\t/a\t5\tLHR5\t{ID}\tHTTP/1.1\tIPv4";
        for written in [
            "curl\tMiss\t-\tid=7\tMiss\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tMiss",
            "curl\t-\tHit\tid=7\tMiss\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tMiss",
            "curl\t-\tHit\tid=7\tError\t-\t-\t-\tError",
            // Another choice, without TLS.
            "curl\tMiss\t-\tid=7\tMiss",
            "curl\tMiss\t-\tid=7\tMiss\t198.51.100.7\tDE",
        ] {
            let line = format!("{head}\t{written}");
            check(&line, &["user_agent_original=curl", "url_query=id=7", "parse_flags=0"]);
        }
        for written in ["Hit\t-\t-\ta=b\tHit\t-", "Hit\tMiss\tHit\ta=b\tMiss\t-\tTLSv1.3\t-"] {
            let line = format!("{head}\t{written}");
            check(&line, &["user_agent_original=Hit", "url_query=a=b", "parse_flags=0"]);
        }
    }

    #[test]
    fn of_fewer_columns_no_result_is_taken_for_a_callers() {
        let head = "200\t675\tGET\t/a\t5\tLHR5\t{ID}\tHTTP/1.1\tIPv4";
        for (written, agent) in [
            // None of the four, one, two and three, before the two results.
            ("Miss\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tMiss\t-\t-\ttext/html\t42", ""),
            ("sid=c4n4ry\tMiss\t-\tTLSv1.3\tMiss\t-\t-", ""),
            (
                "curl/8.5.0\tsid=c4n4ry\tMiss\ta=b\tMiss\t-\t-\ttext/html;charset=utf-8",
                "curl/8.5.0",
            ),
            ("curl/8.5.0\t-\tsid=c4n4ry\tMiss\tMiss", "curl/8.5.0"),
            ("Miss\ttext/html;charset=utf-8\t42\ttext/html;charset=utf-8\tMiss", ""),
            ("Miss", ""),
        ] {
            check(
                &format!("{head}\t{written}"),
                &[
                    &format!("user_agent_original={agent}"),
                    "http_request_referrer=",
                    "url_query=",
                    "parse_flags=1",
                ],
            );
        }
        // Nobody chose any of what is behind the addresses' version.
        check(head, &["parse_flags=0", "url_path=/a"]);
    }

    #[test]
    fn what_may_be_another_log_is_refused_with_the_cure() {
        for columns in [
            // Nothing that only CloudFront writes.
            "200\t675\tGET\thttps\tshop.example\t/a\t12\t0.1",
            // One number of two.
            "200\tGET\t/a\tLHR5",
            "675\tGET\t/a\tLHR5",
            "0.045\t200",
        ] {
            check(columns, &["reject=unnamed_columns", "source_format="]);
        }
        let line = format!("{HEAD}\tup");
        crate::format::check::check(FormatId::AwsCloudfrontRt, &line, &["reject=unknown_format"]);
        for line in ["", "1773113819", "1773113819.123", "1773113819.123\t"] {
            assert_eq!(scan(line, &mut Record::new()), Err(Reject::UnknownFormat), "{line}");
        }
    }

    #[test]
    fn every_column_has_its_field() {
        assert_eq!(FIELDS.len(), COUNT);
        assert_eq!(FIELDS[At::Agent as usize].name, "cs-user-agent");
        assert_eq!(FIELDS[At::Protocol as usize].name, "cs-protocol-version");
        assert_eq!(FIELDS[At::Forwarded as usize].name, "x-forwarded-for");
    }
}

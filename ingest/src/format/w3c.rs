//! The extended log format of the W3C, as IIS writes it: `#Fields` names the columns.

use super::field::{Field, How, Raw, Slot, identity};
use super::line::{Line, begins_with_time, is_status};
use super::record::{Record, Value};
use super::{Columns, Format, Reader, address, request};
use crate::reject::Reject;
use model::{Int, ParseFlags, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "w3c",
    about: "W3C extended logs, as IIS and Azure App Service write them",
    aliases: &["iis", "w3c_iis"],
    fields: FIELDS,
    reader: Reader::Columns { header, looks, scan },
    // When the transaction was completed, in UTC.
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

/// The places of the fields in [`FIELDS`] that are not taken over as they are.
const DATE: u16 = 0;
const TIME: u16 = 1;
const USER_AGENT: u16 = 2;

static FIELDS: &[Field] = &[
    Field::raw("date", Raw::Time),
    Field::raw("time", Raw::Time),
    Field::text("cs(User-Agent)", Text::UserAgentOriginal),
    Field::text("cs(Referer)", Text::HttpRequestReferrer),
    Field::raw("cs-host", Raw::Host),
    Field::raw("cs(Host)", Raw::Host),
    Field::int("s-port", Int::ServerPort),
    Field::int("cs-uri-port", Int::ServerPort),
    Field::text("cs-method", Text::HttpRequestMethod),
    Field::raw("cs-uri-stem", Raw::Target),
    Field::raw("cs-uri-path", Raw::Target),
    Field::raw("cs-uri", Raw::Target),
    Field::text("cs-uri-query", Text::UrlQuery),
    Field::text("cs-uri-scheme", Text::UrlScheme),
    Field::raw("c-ip", Raw::Client),
    Field::int("c-port", Int::ClientPort),
    Field::raw("X-Forwarded-For", Raw::Forwarded),
    Field::raw("cs(X-Forwarded-For)", Raw::Forwarded),
    identity!("w3c", "X-Consumer-Id", IdConsumer, Consumer, Asserted),
    identity!("w3c", "cs(X-Consumer-Id)", IdConsumer, Consumer, Asserted),
    identity!("w3c", "cs-username", IdUser, User, Asserted),
    Field::int("sc-status", Int::HttpResponseStatusCode),
    // Both sizes count the headers.
    Field::int("sc-bytes", Int::HttpResponseSize),
    Field::int("cs-bytes", Int::HttpRequestSize),
    // IIS writes whole milliseconds, others seconds with decimals.
    Field::span("time-taken", Int::DurationNs, How::Guess),
    Field::raw("cs-version", Raw::Protocol),
    Field::text("s-computername", Text::SourceInstance),
    Field::text("s-sitename", Text::GatewayService),
    Field::text("X-Request-ID", Text::RequestId),
    Field::text("cs(X-Request-ID)", Text::RequestId),
    Field::text("Mcp-Method", Text::McpMethodName),
    Field::text("cs(Mcp-Method)", Text::McpMethodName),
    Field::text("Mcp-Name", Text::ToolName),
    Field::text("cs(Mcp-Name)", Text::ToolName),
];

/// What IIS writes unless it is told otherwise, since version 8.5, before it, and in Azure. Such lines
/// are read without their header, as when reading began in the middle of a file. A column for the
/// forwarded list is what most add, at the end.
const DEFAULTS: [&str; 6] = [
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) \
     cs(Referer) sc-status sc-substatus sc-win32-status time-taken",
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) \
     sc-status sc-substatus sc-win32-status time-taken",
    "date time s-sitename cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip \
     cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes \
     cs-bytes time-taken",
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) \
     cs(Referer) sc-status sc-substatus sc-win32-status time-taken X-Forwarded-For",
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) \
     sc-status sc-substatus sc-win32-status time-taken X-Forwarded-For",
    "date time s-sitename cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip \
     cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes \
     cs-bytes time-taken X-Forwarded-For",
];

fn find(name: &str) -> Option<usize> {
    FIELDS.iter().position(|field| field.name.eq_ignore_ascii_case(name))
}

/// The names in a line such as `#Fields: date time`, nothing for the other lines of a header, `None` for
/// what is no header.
pub(super) fn field_names(line: &str) -> Option<&str> {
    let (name, value) = line.trim_ascii().strip_prefix('#')?.split_once(':')?;
    let is = |known: &&str| name.eq_ignore_ascii_case(known);
    if is(&"fields") {
        return Some(value.trim_ascii());
    }
    let others = ["version", "software", "date", "start-date", "end-date", "remark"];
    others.iter().any(is).then_some("")
}

fn header(line: &str, before: Option<&Columns>) -> Option<Columns> {
    let names = field_names(line)?;
    let mut columns = before.cloned().unwrap_or_default();
    if !names.is_empty() {
        columns.fields = Columns::of(names.split_ascii_whitespace(), find).fields;
    }
    let date = line.trim_ascii().strip_prefix("#Date:").map(str::trim_ascii);
    if let Some(date) = date.and_then(|it| it.get(..10)) {
        columns.date = Some(date.into());
    }
    Some(columns)
}

/// `2026-03-10 03:36:59`, and then a server or site, a method and a path.
fn looks(line: &str) -> bool {
    if !begins_with_time(line, b' ') {
        return false;
    }
    let mut line = Line(line.get(20..).unwrap_or(""));
    let (_server, method, path) = (line.word(), line.word(), line.word());
    method.is_some_and(|it| request::method(it) == Some(it))
        && path.is_some_and(|it| it.starts_with('/'))
}

fn scan<'a>(
    line: &'a str,
    columns: Option<&Columns>,
    record: &mut Record<'a>,
) -> Result<(), Reject> {
    let line = line.trim_ascii();
    match columns.filter(|it| !it.fields.is_empty()) {
        Some(columns) => by_header(line, columns, record),
        None if looks(line) => by_default(line, record).ok_or(Reject::UnknownFormat),
        None => Err(Reject::UnknownFormat),
    }
}

/// The values of a line: tabs stand between them, or spaces. Where neither gives `count` values, some are
/// in quotes.
fn values(line: &str, count: usize) -> impl Iterator<Item = &str> {
    let separator = ['\t', ' '].into_iter().find(|it| line.split(*it).count() == count);
    // A caller may write tabs too, but not where the columns begin.
    let begins_with_tab = || line.find(['\t', ' ']).and_then(|at| line.get(at..=at)) == Some("\t");
    let separator = separator.or_else(|| begins_with_tab().then_some('\t'));
    let mut rest = Some(Line(line));
    std::iter::from_fn(move || {
        let line = rest.as_mut()?;
        let Some(separator) = separator else { return line.value() };
        let Some((value, after)) = line.0.split_once(separator) else {
            return rest.take().map(|it| it.0.trim_matches('"'));
        };
        line.0 = after;
        Some(value.trim_matches('"'))
    })
}

fn by_header<'a>(line: &'a str, columns: &Columns, record: &mut Record<'a>) -> Result<(), Reject> {
    let (mut date, mut time) = (columns.date.as_deref(), None);
    let count = columns.fields.len();
    let mut values: Vec<&str> = values(line, count).collect();
    // A line of fewer columns is another file's, or was cut.
    let Some(extra) = values.len().checked_sub(count) else { return Err(Reject::UnknownFormat) };
    if extra > 0 {
        record.flags.insert(ParseFlags::EXTRA_FIELDS);
        // A caller's spaces: what stands behind the user agent is found from the right.
        if let Some(at) = columns.fields.iter().position(|it| *it == Some(USER_AGENT))
            && let Some(field) = FIELDS.get(usize::from(USER_AGENT))
        {
            let words: Vec<&str> = values.splice(at..=at + extra, ["-"]).collect();
            record.put_copied(field, USER_AGENT, &words.join(" "));
        }
        let mut named = columns.fields.iter().zip(&values);
        if !named.all(|(place, value)| name(*place).is_none_or(|name| fits(name, value))) {
            return Err(Reject::UnknownFormat);
        }
    }
    for (place, value) in columns.fields.iter().zip(values) {
        match *place {
            Some(DATE) => date = Some(value),
            Some(TIME) => time = Some(value),
            Some(rank) => put(record, rank, value),
            None => {}
        }
    }
    put_time(date, time, record);
    Ok(())
}

/// The name of the field at a place of the table.
fn name(place: Option<u16>) -> Option<&'static str> {
    Some(FIELDS.get(usize::from(place?))?.name)
}

/// Whether a value can be one of the column's.
fn fits(name: &str, value: &str) -> bool {
    match name {
        "c-ip" => value == "-" || address::is_ip(value),
        "sc-status" => value == "-" || is_status(value),
        _ => true,
    }
}

fn by_default<'a>(line: &'a str, record: &mut Record<'a>) -> Option<()> {
    let count = line.split(' ').count();
    let names = DEFAULTS.iter().find(|names| {
        let names = || names.split_ascii_whitespace();
        names().count() == count
            && names().zip(values(line, count)).all(|(name, value)| match name {
                "s-ip" | "c-ip" => address::is_ip(value),
                "sc-status" => is_status(value),
                "X-Forwarded-For" => {
                    value == "-" || address::first(value).is_some_and(|it| it.ip.is_some())
                }
                _ => true,
            })
    })?;
    for (name, value) in names.split_ascii_whitespace().zip(values(line, count)) {
        if let Some(rank) = find(name) {
            put(record, rank as u16, value);
        }
    }
    put_time(line.get(..10), line.get(11..19), record);
    Some(())
}

fn put<'a>(record: &mut Record<'a>, rank: u16, value: &'a str) {
    let Some(field) = FIELDS.get(usize::from(rank)) else { return };
    match rank {
        DATE | TIME => {}
        // IIS writes a plus sign for each space.
        USER_AGENT if value.contains('+') && !value.contains(' ') => {
            record.put_copied(field, rank, &value.replace('+', " "));
        }
        _ if field.slot == Slot::Raw(Raw::Forwarded) && value.contains('+') => {
            record.put_copied(field, rank, &value.replace('+', " "));
        }
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

    #[test]
    fn lines_without_their_header_are_read_by_the_defaults() {
        let line = r"2026-03-10 03:36:59 10.0.2.10 GET /orders/7 a=b 443 ACME\jo 203.0.113.9 Mozilla/5.0+(Windows+NT+10.0) https://a.example/x 200 0 0 1250";
        crate::format::check::check(
            FormatId::W3c,
            line,
            &[
                "time=2026-03-10T03:36:57.750Z",
                "time_kind=end_minus_duration",
                "time_precision=s",
                "endpoint=GET /orders/{int}",
                "url_query=a=b",
                "server_port=443",
                r"principal_id=ACME\jo",
                "principal_type=user",
                "principal_source=w3c.cs-username",
                "client_address=203.0.113.9",
                "user_agent_original=Mozilla/5.0 (Windows NT 10.0)",
                "http_response_status_code=200",
                "duration_ns=1250000000",
                "parse_flags=0",
            ],
        );
        let old = line.replace(" https://a.example/x", "");
        crate::format::check::check(FormatId::W3c, &old, &["duration_ns=1250000000"]);
        let forwarded = format!("{line} 198.51.100.7,+10.0.0.1");
        crate::format::check::check(
            FormatId::W3c,
            &forwarded,
            &[
                "duration_ns=1250000000",
                "http_response_status_code=200",
                "client_address=203.0.113.9",
            ],
        );
        let shifted = line.replace(" 200 0 0", " 0 0");
        crate::format::check::check(FormatId::W3c, &shifted, &["reject=unknown_format"]);
    }

    #[test]
    fn a_header_names_the_columns_and_the_date() {
        let columns = header("#Date: 2026-03-10 00:00:01", None).expect("a line of a header");
        let columns =
            header("#Fields: time c-ip s-x cs-method cs-uri-stem sc-status", Some(&columns));
        let columns = columns.expect("a line of a header");
        assert_eq!(columns.fields, [Some(1), Some(14), None, Some(8), Some(9), Some(21)]);
        let mut record = Record::new();
        let line = r#"03:36:59 203.0.113.9 "a b" GET /a 200"#;
        assert_eq!(scan(line, Some(&columns), &mut record), Ok(()));
        let text = |raw| record.text(Slot::Raw(raw));
        assert_eq!(text(Raw::Time), Some("2026-03-10T03:36:59Z"));
        assert_eq!((text(Raw::Client), text(Raw::Target)), (Some("203.0.113.9"), Some("/a")));
        let mut record = Record::new();
        assert_eq!(scan("03:36:59", Some(&columns), &mut record), Err(Reject::UnknownFormat));
    }

    #[test]
    fn a_callers_spaces_and_tabs_shift_nothing() {
        let check = |header: &str, line: &str, expected: &[&str]| {
            let lines = format!("#Fields: date time c-ip cs-method cs-uri-stem {header}\n{line}");
            crate::format::check::check(FormatId::W3c, &lines, expected);
        };
        let line = "2026-03-10 03:36:59 203.0.113.9 GET /a";
        for agent in ["x 200 1", "x\t200 1", "x\t200\t1 2 3"] {
            check(
                "cs(User-Agent) sc-status time-taken",
                &format!("{line} {agent} 403 15"),
                &["http_response_status_code=403", "duration_ns=15000000", "url_path=/a"],
            );
        }
        check(
            "cs(User-Agent) sc-status",
            "2026-03-10\t03:36:59\t203.0.113.9\tGET\t/a\tx y\t403",
            &["http_response_status_code=403", "user_agent_original=x y", "parse_flags=0"],
        );
        check("sc-status", &format!("{line} b 200"), &["reject=unknown_format"]);
        check("cs(User-Agent) sc-status", &format!("{line} x 200 1"), &["reject=unknown_format"]);
    }

    #[test]
    fn what_is_no_header_and_no_line_is_refused() {
        assert_eq!(header("# a comment", None), None);
        assert_eq!(header("#fields\tts\tuid", None), None);
        assert!(!looks("2026-03-10 03:36:59 INFO GET request done"));
        assert!(!looks("2026-03-10 03:36:59.123 10.0.0.1 GET /a"));
    }
}

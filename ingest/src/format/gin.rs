//! Gin's access lines, which KrakenD writes too.
//!
//! `[GIN] date - time | status | latency | client | METHOD "path"`

use super::field::{Field, How, Raw};
use super::line::{go_duration, is_status, put_escaped, split_at_mark};
use super::record::{Record, Value};
use super::{Format, Reader, address};
use crate::reject::Reject;
use model::{Int, Text, TimeKind};

pub(super) static FORMAT: Format = Format {
    name: "gin",
    about: "Gin's access lines, as KrakenD writes them",
    aliases: &["krakend"],
    fields: FIELDS,
    reader: Reader::Text { looks: |line| line.starts_with("[GIN"), scan },
    // The line is written when the handlers are done.
    time_kind: TimeKind::End,
    needs_request: true,
    forwarded_only: false,
};

/// The place of each field in [`FIELDS`].
#[derive(Clone, Copy)]
enum At {
    Time,
    Status,
    Latency,
    Client,
    Method,
    Path,
}

static FIELDS: &[Field] = &[
    Field::raw("time", Raw::Time),
    Field::int("status", Int::HttpResponseStatusCode),
    Field::span("latency", Int::DurationNs, How::Nanos),
    Field::raw("client_ip", Raw::Client),
    Field::text("method", Text::HttpRequestMethod),
    Field::raw("path", Raw::Target),
];

fn field(at: At) -> Option<&'static Field> {
    FIELDS.get(at as usize)
}

fn scan<'a>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let line = line.trim_ascii();
    if line.starts_with("[GIN-debug]") {
        return Err(Reject::NotAccessLog);
    }
    let rest = line.strip_prefix("[GIN]").ok_or(Reject::UnknownFormat)?;
    if rest.contains('\u{1b}') {
        // A terminal's colours: what they surround has to be copied.
        let plain = without_colours(rest);
        let columns = columns(&plain).ok_or(Reject::NotAccessLog)?;
        numbers(&columns, record);
        for (at, text) in columns.texts() {
            if let Some(field) = field(at) {
                record.put_copied(field, 0, text);
            }
        }
        return Ok(());
    }
    let columns = columns(rest).ok_or(Reject::NotAccessLog)?;
    numbers(&columns, record);
    for (at, text) in columns.texts() {
        match field(at) {
            Some(field) if matches!(at, At::Path) => put_escaped(record, field, 0, text),
            Some(field) => record.put(field, 0, Value::Line(text)),
            None => {}
        }
    }
    Ok(())
}

/// The columns of one line.
#[derive(Clone, Copy)]
struct Columns<'t> {
    date: &'t str,
    time: &'t str,
    status: &'t str,
    latency_ns: i64,
    client: &'t str,
    method: &'t str,
    path: &'t str,
}

impl<'t> Columns<'t> {
    const fn texts(&self) -> [(At, &'t str); 4] {
        [
            (At::Status, self.status),
            (At::Client, self.client),
            (At::Method, self.method),
            (At::Path, self.path),
        ]
    }
}

/// Splits a line; the path is last, so that its bytes shift nothing.
fn columns(text: &str) -> Option<Columns<'_>> {
    let mut parts = text.splitn(5, '|').map(str::trim);
    let (date, time) = split_at_mark(parts.next()?, " - ")?;
    let status = parts.next().filter(|it| is_status(it))?;
    let latency_ns = go_duration(parts.next()?)?;
    let client = parts.next()?;
    if !client.is_empty() {
        address::parse(client)?;
    }
    let (method, path) = parts.next()?.split_once(' ')?;
    let path = path.trim_start();
    // Before Gin 1.7 the path had no quotes.
    let path = path.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(path);
    Some(Columns { date, time, status, latency_ns, client, method, path })
}

fn numbers(columns: &Columns<'_>, record: &mut Record<'_>) {
    if let Some(field) = field(At::Time) {
        let time = format!("{} {}", columns.date.replace('/', "-"), columns.time.trim());
        record.put_copied(field, 0, &time);
    }
    if let Some(field) = field(At::Latency) {
        record.put(field, 0, Value::Int(columns.latency_ns));
    }
}

/// The text without the escape sequences of colours: `ESC [ 97;42 m`.
fn without_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split('\u{1b}');
    out.push_str(parts.next().unwrap_or(""));
    for part in parts {
        let is_code = |it: char| it == '[' || it == ';' || it.is_ascii_digit();
        let rest = part.trim_start_matches(is_code);
        out.push_str(rest.strip_prefix('m').unwrap_or(part));
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::format::FormatId;

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        crate::format::check::check(FormatId::Gin, line, expected);
    }

    #[test]
    fn a_line_fills_its_columns() {
        check(
            r#"[GIN] 2026/03/10 - 03:36:59 | 200 |     512.345µs |       127.0.0.1 | GET      "/orders/7?a=|""#,
            &[
                // The end less the duration; Gin names no zone.
                "time=2026-03-10T03:36:58.999487655Z",
                "time_kind=end_minus_duration",
                "parse_flags=128",
                "http_response_status_code=200",
                "duration_ns=512345",
                "client_address=127.0.0.1",
                "http_request_method=GET",
                "url_path=/orders/7",
                "url_query=a=|",
            ],
        );
    }

    #[test]
    fn older_lines_long_calls_and_colours_are_read() {
        check(
            "[GIN] 2026/03/10 - 03:36:59 | 404 |  1m2.5s | ::1 | POST     /a",
            &["duration_ns=62500000000", "client_address=::1", "url_path=/a"],
        );
        check(
            "[GIN] 2026/03/10 - 03:36:59 |\u{1b}[97;42m 200 \u{1b}[0m|            0s |       127.0.0.1 |\u{1b}[97;44m GET     \u{1b}[0m \"/b\"",
            &["http_response_status_code=200", "duration_ns=0", "url_path=/b"],
        );
    }

    #[test]
    fn what_gin_says_beside_accesses_is_refused() {
        for line in [
            "[GIN-debug] GET    /ping                     --> main.main.func1 (3 handlers)",
            "[GIN] 2026/03/10 - 03:36:59 | panic recovered: boom",
        ] {
            check(line, &["reject=not_access_log"]);
        }
    }
}

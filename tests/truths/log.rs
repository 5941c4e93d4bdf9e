//! Raw log lines, read anew for the tests: nothing here is shared with the program.

use crate::corpus::Case;
use crate::samples::unpacked;
use chrono::DateTime;
use serde_json::Value;

/// Milliseconds in one hour.
pub(super) const HOUR_MS: i64 = 3_600_000;

/// One call, as the log's line has it; what the line lacks is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// The line's number, from 1.
    pub(super) number: usize,
    pub(super) text: String,
    pub(super) ms: i64,
    /// Whom the line names; empty for nobody.
    pub(super) named: String,
    pub(super) address: String,
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    pub(super) status: u64,
    pub(super) bytes_out: Option<u64>,
    pub(super) agent_id: String,
    /// The agents that it passed through, the first of them first.
    pub(super) chain: Vec<String>,
    pub(super) server: String,
    pub(super) tool: String,
    pub(super) session: String,
}

impl Line {
    /// To whom the call is charged: a refused credential shows nothing but the address.
    pub(super) fn who(&self) -> &str {
        let is_refused = matches!(self.status, 401 | 407);
        if self.named.is_empty() || is_refused { &self.address } else { &self.named }
    }

    /// Whether it was answered with success, as far as the line says.
    pub(super) const fn is_ok(&self) -> bool {
        matches!(self.status, 0 | 200..=299)
    }

    /// The agents that it was made through.
    pub(super) fn agents(&self) -> Vec<&str> {
        let chain = self.chain.iter().map(String::as_str);
        let own = (!self.agent_id.is_empty()).then_some(&*self.agent_id);
        chain.chain(own).collect()
    }

    /// The network: 24 bits of the address.
    pub(super) fn network(&self) -> &str {
        self.address.rsplit_once('.').map_or(&*self.address, |(network, _)| network)
    }

    /// Whether it is a call of the operation that a finding names as `METHOD template`.
    pub(super) fn is_of(&self, entity: &str) -> bool {
        let Some((method, template)) = entity.split_once(' ') else { return false };
        if template == "{unrouted}" {
            return method == self.method;
        }
        let (parts, wanted): (Vec<_>, Vec<_>) =
            (self.path.trim_end_matches('/').split('/').collect(), template.split('/').collect());
        let is_same = |(part, wanted): (&&str, &&str)| {
            wanted.starts_with('{') || part.eq_ignore_ascii_case(wanted)
        };
        let wanted: Vec<_> = if template == "/" { vec![""] } else { wanted };
        method == self.method
            && parts.len() == wanted.len()
            && parts.iter().zip(&wanted).all(is_same)
    }
}

/// The time of an RFC 3339 text in milliseconds.
#[track_caller]
pub(super) fn ms(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

/// The lines of a case, in the order of their times.
pub(super) fn read(case: &Case) -> Vec<Line> {
    let bytes = unpacked(&case.path());
    let text = String::from_utf8(bytes).unwrap();
    let parse = |(index, text): (usize, &str)| {
        let line = if text.starts_with('{') { json(text) } else { clf(text) };
        let line = line.unwrap_or_else(|| panic!("{}: {text}", case.file));
        Line { number: index + 1, text: text.to_owned(), ..line }
    };
    let mut lines: Vec<_> = text.lines().enumerate().map(parse).collect();
    lines.sort_by_key(|it| it.ms);
    lines
}

/// The first of some places in an object that holds anything.
fn first<'a>(row: &'a Value, pointers: &[&str]) -> Option<&'a Value> {
    pointers.iter().find_map(|it| row.pointer(it).filter(|it| !it.is_null()))
}

fn json(text: &str) -> Option<Line> {
    let row: Value = serde_json::from_str(text).ok()?;
    let text = |pointers: &[&str]| {
        first(&row, pointers).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let number = |pointers: &[&str]| first(&row, pointers).and_then(Value::as_u64);
    let ms = match row.get("started_at").and_then(Value::as_i64) {
        Some(ms) => ms,
        None => ms(&text(&["/time", "/ts"])),
    };
    let target = text(&["/url_path", "/path", "/request/uri"]);
    let path = target.split_once('?').map_or(&*target, |it| it.0);
    let chain = text(&["/actor_chain"]);
    let chain = chain.split(['>', ',']).map(str::trim).filter(|it| !it.is_empty());
    Some(Line {
        ms,
        named: text(&["/principal_id", "/user_id", "/consumer/username", "/consumer"]),
        address: text(&["/client_address", "/ip", "/client_ip"]),
        method: text(&["/http_request_method", "/method", "/request/method"]),
        path: path.to_owned(),
        status: number(&["/http_response_status_code", "/status", "/response/status"])
            .unwrap_or_default(),
        bytes_out: number(&["/http_response_body_size", "/bytes_out", "/response/size"]),
        agent_id: text(&["/agent_id", "/agent_name"]),
        chain: chain.map(str::to_owned).collect(),
        server: text(&["/mcp_server"]),
        tool: text(&["/tool_name"]),
        session: text(&["/session_id"]),
        ..Line::default()
    })
}

/// A line of the common or combined format.
fn clf(text: &str) -> Option<Line> {
    let (head, rest) = text.split_once(" [")?;
    let (time, rest) = rest.split_once("] \"")?;
    let (request, rest) = rest.split_once("\" ")?;
    let mut head = head.split(' ');
    let (address, user) = (head.next()?, head.nth(1)?);
    let mut request = request.split(' ');
    let (method, target) = (request.next()?, request.next().unwrap_or_default());
    let path = target.split_once('?').map_or(target, |it| it.0);
    let mut rest = rest.split(' ');
    let (status, bytes) = (rest.next()?.parse().ok()?, rest.next()?);
    Some(Line {
        ms: DateTime::parse_from_str(time, "%d/%b/%Y:%H:%M:%S %z").ok()?.timestamp_millis(),
        named: if user == "-" { String::new() } else { user.to_owned() },
        address: address.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        status,
        bytes_out: bytes.parse().ok(),
        ..Line::default()
    })
}

//! The common and the combined log format: a second's precision, the user's name, no sessions and no tools.

use crate::calendar::{NS_PER_S, date};
use crate::digits::{push_number, push_padded};
use crate::record::Record;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Appends the record as a line of the common format.
pub fn common(record: &Record, out: &mut Vec<u8>) {
    let mut line = String::with_capacity(200);
    push_common(record, &mut line);
    line.push('\n');
    out.extend_from_slice(line.as_bytes());
}

/// Appends the record as a line of the combined format.
pub fn combined(record: &Record, out: &mut Vec<u8>) {
    let mut line = String::with_capacity(240);
    push_common(record, &mut line);
    line.push_str(" \"-\" \"");
    push_quoted(&mut line, &record.caller.user_agent);
    line.push_str("\"\n");
    out.extend_from_slice(line.as_bytes());
}

fn push_common(record: &Record, line: &mut String) {
    let caller = &record.caller;
    let user = caller.consumer.as_ref().map(|it| it.username.as_str());
    line.push_str(&caller.client_address);
    line.push_str(" - ");
    line.push_str(user.or(caller.claims.as_deref()).unwrap_or("-"));
    let (year, month, day) = date(record.time_ns);
    let second = record.time_ns.div_euclid(NS_PER_S).rem_euclid(86_400).unsigned_abs();
    line.push_str(" [");
    push_padded(line, u64::from(day), 2);
    line.push('/');
    line.push_str(MONTHS.get(usize::from(month) - 1).copied().unwrap_or("Jan"));
    line.push('/');
    push_padded(line, year.unsigned_abs(), 4);
    for part in [second / 3_600, second / 60 % 60, second % 60] {
        line.push(':');
        push_padded(line, part, 2);
    }
    line.push_str(" +0000] \"");
    push_request(record, line);
    line.push_str(" HTTP/1.1\" ");
    push_number(line, u64::from(record.status));
    line.push(' ');
    push_number(line, record.bytes_out);
}

/// The method and the target.
pub(crate) fn push_request(record: &Record, line: &mut String) {
    line.push_str(record.method);
    line.push(' ');
    push_target(record, line);
}

/// The path with its query.
pub(crate) fn push_target(record: &Record, line: &mut String) {
    push_quoted(line, &record.path);
    if !record.query.is_empty() {
        line.push('?');
        push_quoted(line, &record.query);
    }
}

/// A text within quotes.
fn push_quoted(line: &mut String, text: &str) {
    for letter in text.chars() {
        if matches!(letter, '"' | '\\') {
            line.push('\\');
        }
        line.push(letter);
    }
}

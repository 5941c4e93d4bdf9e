//! Syslog: the header of RFC 3164 or RFC 5424, also as daemons write it to files, without a priority.

use super::{Envelope, Form, Inside};
use crate::timestamp;
use std::borrow::Cow;

pub(super) static ENVELOPE: Envelope = Envelope { name: "syslog", form: Form::Text(open) };

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn open(line: &str) -> Option<Inside<'_>> {
    let (rest, has_priority) = priority(line)?;
    let message = match rest.strip_prefix("1 ").filter(|_| has_priority) {
        Some(rest) => rfc5424(rest)?,
        None => rfc3164(rest, has_priority)?,
    };
    let message = message.trim_start_matches('\u{feff}').trim_ascii();
    // What was structured already may say so.
    let message = message.strip_prefix("@cee:").unwrap_or(message).trim_ascii();
    Some(Inside::Line(Cow::Borrowed(message)))
}

/// What follows `<134>`, which a length in octets may precede, and whether it is there.
fn priority(line: &str) -> Option<(&str, bool)> {
    let framed = line.trim_start_matches(|it: char| it.is_ascii_digit());
    let framed =
        framed.strip_prefix(' ').filter(|it| framed.len() < line.len() && it.starts_with('<'));
    let Some(rest) = framed.unwrap_or(line).strip_prefix('<') else { return Some((line, false)) };
    let (number, rest) = rest.split_once('>')?;
    let is_number = (1..=3).contains(&number.len()) && number.bytes().all(|it| it.is_ascii_digit());
    is_number.then_some((rest, true))
}

/// `time host app process message-id structured-data message`
fn rfc5424(text: &str) -> Option<&str> {
    let mut rest = text;
    for index in 0..5 {
        let (word, after) = rest.split_once(' ')?;
        if index == 0 && word != "-" {
            timestamp::text(word)?;
        }
        rest = after;
    }
    if let Some(rest) = rest.strip_prefix('-') {
        return rest.strip_prefix(' ');
    }
    // `[id key="a \] b"][id …] message`
    while let Some(inner) = rest.strip_prefix('[') {
        let (mut in_quotes, mut is_escaped) = (false, false);
        let end = inner.bytes().position(|byte| {
            let was_escaped = std::mem::take(&mut is_escaped);
            match byte {
                b'\\' if in_quotes && !was_escaped => is_escaped = true,
                b'"' if !was_escaped => in_quotes = !in_quotes,
                b']' if !in_quotes => return true,
                _ => {}
            }
            false
        })?;
        rest = inner.get(end + 1..)?;
    }
    rest.strip_prefix(' ')
}

/// `time host tag: message`, where host and tag may be missing.
fn rfc3164(text: &str, has_priority: bool) -> Option<&str> {
    let rest = after_time(text)?;
    let (first, after_first) = rest.split_once(' ')?;
    if is_tag(first) {
        return Some(after_first);
    }
    if !is_host(first) {
        // The message itself, where a priority says that all this is syslog.
        return has_priority.then_some(rest);
    }
    let after_first = after_first.trim_ascii_start();
    match after_first.split_once(' ') {
        Some((second, after_second)) if is_tag(second) => Some(after_second),
        _ if has_priority || after_first.starts_with('{') => Some(after_first),
        // An access line that a daemon of the host's wrote without a tag.
        Some((second, _)) if second.parse::<std::net::IpAddr>().is_ok() => Some(after_first),
        _ => None,
    }
}

/// What follows `Mar 10 03:36:59 `, also with a year, or a time in RFC 3339.
fn after_time(text: &str) -> Option<&str> {
    let is_named = text.get(..3).is_some_and(|it| MONTHS.contains(&it));
    if !is_named {
        let (time, rest) = text.split_once(' ')?;
        timestamp::text(time).filter(|_| time.contains('T'))?;
        return Some(rest.trim_ascii_start());
    }
    let mut rest = text.get(3..)?.strip_prefix(' ')?.trim_ascii_start();
    for _ in 0..3 {
        let (word, after) = rest.split_once(' ')?;
        if !word.bytes().all(|it| it.is_ascii_digit() || matches!(it, b':' | b'.')) {
            return None;
        }
        rest = after.trim_ascii_start();
        if word.contains(':') {
            return Some(rest);
        }
    }
    None
}

/// `nginx:`, `haproxy[14389]:`; what begins an event of its own is none.
fn is_tag(word: &str) -> bool {
    let Some(tag) = word.strip_suffix(':') else { return false };
    let is_part = |it: u8| {
        it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.' | b'/' | b'[' | b']' | b'@')
    };
    !tag.is_empty() && tag != "CEF" && tag != "LEEF" && tag.bytes().all(is_part)
}

fn is_host(word: &str) -> bool {
    let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.' | b':');
    !word.is_empty() && !word.contains("EF:") && word.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&str>) {
        let found = match open(line) {
            Some(Inside::Line(line)) => Some(line.into_owned()),
            _ => None,
        };
        assert_eq!(found.as_deref(), expected, "{line}");
    }

    #[test]
    fn headers_of_both_kinds_are_taken_off() {
        check("<134>Mar 10 03:36:59 gw-1 nginx: 1.2.3.4 - -", Some("1.2.3.4 - -"));
        check("<134>Mar  1 03:36:59 nginx[12]: a b", Some("a b"));
        check(
            "Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [x]",
            Some("10.0.1.2:33317 [x]"),
        );
        check("<134>2026-03-10T03:36:59Z cache-1 logs[7]: {\"a\":1}", Some("{\"a\":1}"));
        check("<134>Mar 10 2026 03:36:59 gw-1 {\"a\":1}", Some("{\"a\":1}"));
        check("2026-03-10T03:36:59.123456+00:00 gw-1 kong: {}", Some("{}"));
        check("<165>1 2026-03-10T03:36:59.003Z gw-1 kong 8710 - - a b", Some("a b"));
        check("<165>1 - - - - - [x@1 a=\"b \\\" ] c\"][y] \u{feff}a b", Some("a b"));
        check("83 <165>1 2026-03-10T03:36:59Z gw-1 kong 8710 ID47 - @cee: {}", Some("{}"));
        check("Mar 10 03:36:59 gw-1 1.2.3.4 - - [x]", Some("1.2.3.4 - - [x]"));
        check("<134>Mar 10 03:36:59 gw-1 CEF:0|a|b", Some("CEF:0|a|b"));
    }

    #[test]
    fn what_is_no_header_is_left_alone() {
        for line in [
            "1.2.3.4 - - [10/Mar/2026:03:36:59 +0000] \"GET / HTTP/1.1\" 200 5",
            "2026-03-10 03:36:59 10.0.2.10 GET /",
            "2026-03-10T03:36:59Z info request a=b",
            "Marvellous things happen: a b c",
            "<script> x y z",
            "<134>",
            "",
        ] {
            check(line, None);
        }
    }
}

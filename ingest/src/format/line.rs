//! A scanner of log lines: takes bare, quoted and bracketed columns from both ends.
//!
//! Callers choose the bytes of the request, the referrer and the user agent. What a gateway writes
//! before them is taken from the left and what it writes behind them from the right, so that they
//! cannot shift a column. Every step looks at each byte a bounded number of times.

use super::field::Field;
use super::record::{Record, Value};
use memchr::{memchr, memchr_iter, memrchr, memrchr_iter};

/// Bytes in which a line begins, behind what syslog put before it.
pub(super) const PREFIX_BYTES_MAX: usize = 256;
/// Digits of a time in seconds, from 2001 on.
pub(super) const SECONDS_DIGITS: usize = 10;
/// Words that syslog puts before a line: `<13>1`, a time, host, program, process, message and `-`.
const PREFIX_WORDS_MAX: usize = 7;

/// What is left of a line when columns were taken from its ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a>(pub(super) &'a str);

impl<'a> Line<'a> {
    /// Takes the first word.
    pub(super) fn word(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let (word, rest) = match memchr(b' ', self.0.as_bytes()) {
            Some(at) => (self.0.get(..at)?, self.0.get(at + 1..)?),
            None => (self.0, ""),
        };
        self.0 = rest.trim_ascii_start();
        Some(word)
    }

    /// Takes the first word, without the quotes around it if it has some.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        if self.0.starts_with('"') { self.quoted() } else { self.word() }
    }

    /// Takes the first value in quotes. It ends at the first quote that no backslash escapes and
    /// that a space or the line's end follows; where that one was cut off, it is all that is left.
    pub(super) fn quoted(&mut self) -> Option<&'a str> {
        self.quoted_up_to(|after| matches!(after.first(), None | Some(b' ')))
    }

    /// The same for a value that another one in quotes follows.
    pub(super) fn quoted_before_quoted(&mut self) -> Option<&'a str> {
        self.quoted_up_to(|after| match after {
            [] => true,
            [b' ', after @ ..] => after.trim_ascii_start().first() == Some(&b'"'),
            _ => false,
        })
    }

    /// Takes the first value in quotes, up to the first quote that no backslash escapes and behind
    /// which `ends` finds what must follow.
    pub(super) fn quoted_up_to(&mut self, ends: impl Fn(&[u8]) -> bool) -> Option<&'a str> {
        let inner = self.0.strip_prefix('"')?;
        let closes = |at: &usize| inner.as_bytes().get(at + 1..).is_some_and(&ends);
        let (value, rest) = match quotes(inner).find(closes) {
            Some(at) => (inner.get(..at)?, inner.get(at + 1..)?),
            None => (inner, ""),
        };
        self.0 = rest.trim_ascii_start();
        Some(value)
    }

    /// Takes the first value in brackets.
    pub(super) fn bracketed(&mut self) -> Option<&'a str> {
        let (value, rest) = self.0.strip_prefix('[')?.split_once(']')?;
        self.0 = rest.trim_ascii_start();
        Some(value)
    }

    /// Takes the last word.
    pub(super) fn last_word(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let (rest, word) = match memrchr(b' ', self.0.as_bytes()) {
            Some(at) => (self.0.get(..at)?, self.0.get(at + 1..)?),
            None => ("", self.0),
        };
        self.0 = rest.trim_ascii_end();
        Some(word)
    }

    /// Takes the last word, without the quotes around it if it has some.
    pub(super) fn last_value(&mut self) -> Option<&'a str> {
        if self.0.ends_with('"') { self.last_quoted() } else { self.last_word() }
    }

    /// Takes the last value in quotes. It begins at the last quote that follows a space.
    pub(super) fn last_quoted(&mut self) -> Option<&'a str> {
        let inner = self.0.strip_suffix('"')?;
        let bytes = inner.as_bytes();
        let opens = |at: &usize| match at.checked_sub(1) {
            Some(before) => bytes.get(before) == Some(&b' '),
            None => true,
        };
        let at = memrchr_iter(b'"', bytes).find(opens)?;
        self.0 = inner.get(..at)?.trim_ascii_end();
        inner.get(at + 1..)
    }
}

/// What stands before and behind the first `mark` of a few bytes: by its first byte, which is rare, where
/// `split_once` would prepare a search of each line anew.
pub(super) fn split_at_mark<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let first = *mark.as_bytes().first()?;
    let is_it =
        |at: &usize| text.as_bytes().get(*at..).is_some_and(|it| it.starts_with(mark.as_bytes()));
    let at = match mark.len() {
        1 => memchr(first, text.as_bytes())?,
        _ => memchr_iter(first, text.as_bytes()).find(is_it)?,
    };
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

/// The same of the last one.
pub(super) fn split_at_last_mark<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let first = *mark.as_bytes().first()?;
    let is_it =
        |at: &usize| text.as_bytes().get(*at..).is_some_and(|it| it.starts_with(mark.as_bytes()));
    let at = memrchr_iter(first, text.as_bytes()).find(is_it)?;
    Some((text.get(..at)?, text.get(at + mark.len()..)?))
}

/// The places of the quotes that no backslash escapes.
pub(super) fn quotes(text: &str) -> impl Iterator<Item = usize> + '_ {
    let bytes = text.as_bytes();
    memchr_iter(b'"', bytes).filter(move |at| {
        let before = bytes.get(..*at).unwrap_or_default();
        before.iter().rev().take_while(|it| **it == b'\\').count() % 2 == 0
    })
}

/// Puts each text in the slot of the field that has its place in the table.
pub(super) fn fill<'a>(record: &mut Record<'a>, fields: &'static [Field], texts: &[&'a str]) {
    for (rank, (field, text)) in (0..).zip(fields.iter().zip(texts.iter().copied())) {
        record.put(field, rank, Value::Line(text));
    }
}

/// Puts a text in which a backslash may escape.
pub(super) fn put_escaped<'a>(
    record: &mut Record<'a>,
    field: &'static Field,
    rank: u16,
    text: &'a str,
) {
    if record.has_backslash && memchr(b'\\', text.as_bytes()).is_some() {
        record.put_copied(field, rank, &unescape(text));
    } else {
        record.put(field, rank, Value::Line(text));
    }
}

/// Resolves `\"`, `\\` and `\xHH`; control characters stay escaped.
pub(super) fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let (kept, length) = match bytes.get(index + 1..) {
            Some([next @ (b'"' | b'\\'), ..]) if byte == b'\\' => (*next, 2),
            Some([b'x', high, low, ..])
                if byte == b'\\' && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                match crate::json::hex(*high) << 4 | crate::json::hex(*low) {
                    0..0x20 | 0x7f => (byte, 1),
                    other => (other, 4),
                }
            }
            _ => (byte, 1),
        };
        out.push(kept);
        index += length;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Resolves `%HH` once; control characters and what would not be UTF-8 stay escaped. Without an
/// escape there is nothing to resolve.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    memchr(b'%', bytes)?;
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let (kept, length) = match bytes.get(index..index + 3) {
            Some([b'%', high, low]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                match crate::json::hex(*high) << 4 | crate::json::hex(*low) {
                    0..0x20 | 0x7f => (byte, 1),
                    other => (other, 3),
                }
            }
            _ => (byte, 1),
        };
        out.push(kept);
        index += length;
    }
    Some(String::from_utf8(out).unwrap_or_else(|_| text.to_owned()))
}

/// Whether a text is digits only.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())
}

/// Whether a text is a number with or without a sign and decimals.
pub(super) fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_part = |it: u8| it.is_ascii_digit() || it == b'.';
    digits.starts_with(|it: char| it.is_ascii_digit()) && digits.bytes().all(is_part)
}

/// Whether a text is seconds since 1970, with or without decimals.
pub(super) fn is_epoch(text: &str) -> bool {
    is_since_epoch(text, SECONDS_DIGITS)
}

/// Whether a text is a time since 1970 of so many digits, with or without decimals.
pub(super) fn is_since_epoch(text: &str, digits: usize) -> bool {
    let whole = text.split('.').next().unwrap_or(text);
    whole.len() == digits && is_number(whole) && is_decimal(text)
}

/// Whether a text is three digits: a status.
pub(super) fn is_status(text: &str) -> bool {
    text.len() == 3 && is_number(text)
}

/// Whether a text shows that it is a user agent: a product with its version, as in `Mozilla/5.0 (X11)`.
/// Neither a cookie, which has pairs, nor a kind of media does.
pub(super) fn is_agent(text: &str) -> bool {
    let Some((product, rest)) = text.split_once('/') else { return false };
    let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let ends = matches!(rest.as_bytes().get(digits), None | Some(b'.' | b' ' | b'%'));
    !product.is_empty() && product.bytes().all(is_part) && digits > 0 && ends && !text.contains('=')
}

/// Whether what stands before a line can be syslog's: nothing, a word, or a header that begins with a
/// priority or a time. It holds neither quotes nor brackets, which a line of a caller's would.
pub(super) fn is_syslogs(prefix: &str) -> bool {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words = prefix.split_ascii_whitespace().count();
    let is_header = || {
        prefix.starts_with('<')
            || begins_with_time(prefix, b'T')
            || prefix.split_once(' ').is_some_and(|(first, _)| MONTHS.contains(&first))
    };
    !prefix.contains(['"', '[']) && (words <= 1 || words <= PREFIX_WORDS_MAX && is_header())
}

/// Whether a line begins with `2026-03-10T03:36:59`, where `between` stands in the place of the `T`.
pub(super) fn begins_with_time(line: &str, between: u8) -> bool {
    let is_digit = |at: usize| line.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let is = |at: usize, byte: u8| line.as_bytes().get(at) == Some(&byte);
    [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18].into_iter().all(is_digit)
        && [(4, b'-'), (7, b'-'), (10, between), (13, b':'), (16, b':')]
            .into_iter()
            .all(|(at, byte)| is(at, byte))
}

/// Whether a text is like `10/Mar/2026:03:36:59`, with or without a fraction and a zone.
pub(super) fn is_date(text: &str) -> bool {
    let is = |at: usize, byte: u8| text.as_bytes().get(at) == Some(&byte);
    [(2, b'/'), (6, b'/'), (11, b':'), (14, b':'), (17, b':')]
        .into_iter()
        .all(|(at, byte)| is(at, byte))
}

/// Splits `host:port`, where IPv6 addresses stand without brackets: the last group is the port. No
/// port is the empty text.
pub(super) fn split_port(text: &str) -> (&str, &str) {
    match text.rsplit_once(':') {
        Some((host, port)) if is_number(port) && is_host(host) => {
            (host.trim_matches(['[', ']']), port)
        }
        _ => (text, ""),
    }
}

/// Whether what stands before the last colon can be a whole host: of IPv6 eight groups, or fewer with two
/// colons in a row.
fn is_host(host: &str) -> bool {
    const COLONS: usize = 7;
    let colons = host.bytes().filter(|it| *it == b':').count();
    let is_part = |it: u8| it.is_ascii_hexdigit() || matches!(it, b':' | b'.');
    let is_bare = || (colons == COLONS || host.contains("::")) && host.bytes().all(is_part);
    !host.is_empty() && (colons == 0 || host.ends_with(']') || is_bare())
}

/// A duration as Go prints it (`1m2.5s`, `512.345µs`), in nanoseconds.
pub(super) fn go_duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total = 0_i64;
    loop {
        let is_digit = |it: char| it.is_ascii_digit() || it == '.';
        let (number, after) = rest.split_at(rest.find(|it| !is_digit(it))?);
        let (unit, after) = after.split_at(after.find(is_digit).unwrap_or(after.len()));
        let unit_ns = match unit {
            "h" => 3_600e9,
            "m" => 60e9,
            "s" => 1e9,
            "ms" => 1e6,
            "us" | "µs" | "μs" => 1e3,
            "ns" => 1.0,
            _ => return None,
        };
        let ns = (number.parse::<f64>().ok()? * unit_ns).round();
        total = total.checked_add(ns as i64)?;
        if after.is_empty() {
            return Some(total);
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_taken_from_both_ends() {
        let mut line = Line(r#"a [b c] "d \"e\" f" mid "dle" "g" "" h"#);
        assert_eq!(line.word(), Some("a"));
        assert_eq!(line.bracketed(), Some("b c"));
        assert_eq!(line.quoted(), Some(r#"d \"e\" f"#));
        assert_eq!(line.last_word(), Some("h"));
        assert_eq!(line.last_quoted(), Some(""));
        assert_eq!(line.last_value(), Some("g"));
        assert_eq!(line.0, r#"mid "dle""#);
        assert_eq!(line.last_value(), Some("dle"));
        assert_eq!((line.word(), line.word(), line.last_word()), (Some("mid"), None, None));
    }

    #[test]
    fn a_quote_that_nothing_fitting_follows_is_no_end() {
        let mut line = Line(r#""a" b"  "c" d"#);
        assert_eq!(line.quoted_before_quoted(), Some(r#"a" b"#));
        assert_eq!(line.quoted(), Some("c"));
        let mut cut = Line(r#""a b"#);
        assert_eq!((cut.quoted(), cut.0), (Some("a b"), ""));
        assert_eq!(Line("a").quoted(), None);
        assert_eq!(Line("a\"").last_quoted(), None);
    }

    #[test]
    fn an_agent_is_a_product_with_its_version() {
        for agent in ["Mozilla/5.0 (X11)", "Mozilla/5.0%20(X11)", "curl/8", "okhttp/4.12.0"] {
            assert!(is_agent(agent), "{agent}");
        }
        for other in ["", "-", "a", "/a/1", "video/3gpp", "sid=a/1", "a/1=b", "https://a.example/1"]
        {
            assert!(!is_agent(other), "{other}");
        }
    }

    #[test]
    fn a_port_is_the_last_group() {
        for (text, host, port) in [
            ("1.2.3.4:80", "1.2.3.4", "80"),
            ("0:0:0:0:0:0:0:1:54321", "0:0:0:0:0:0:0:1", "54321"),
            ("fd6d::1:80", "fd6d::1", "80"),
            ("[::1]:80", "::1", "80"),
            ("::1", "::1", ""),
            ("host", "host", ""),
            ("-", "-", ""),
        ] {
            assert_eq!(split_port(text), (host, port), "{text}");
        }
    }

    #[test]
    fn a_duration_of_go_is_read_to_the_nanosecond() {
        assert_eq!(go_duration("512.345µs"), Some(512_345));
        assert_eq!(go_duration("22.597984615s"), Some(22_597_984_615));
        assert_eq!(go_duration("0s"), Some(0));
        assert_eq!(go_duration("1h2m3.5s"), Some(3_723_500_000_000));
        for text in ["", "5", "s", "1.2.3s", "5 ms", "5parsecs"] {
            assert_eq!(go_duration(text), None, "{text}");
        }
    }

    #[test]
    fn escapes_are_resolved_except_control_characters() {
        assert_eq!(unescape(r#"a\"b\\c\x41\x0a\z"#), "a\"b\\cA\\x0a\\z");
        assert_eq!(percent_decoded("a%20b%25c%0a%zz"), Some("a b%c%0a%zz".to_owned()));
        assert_eq!(percent_decoded("a%ff"), Some("a%ff".to_owned()));
        assert_eq!(percent_decoded("a+b"), None);
    }
}

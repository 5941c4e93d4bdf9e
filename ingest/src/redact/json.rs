//! Rejected JSON, whole or broken: its names stay, and of its values numbers, times and methods.

use super::query::is_secret;
use crate::format::is_known_method;
use crate::timestamp;

/// What stands for a value that is not shown.
const HIDDEN: &str = "…";
/// Bytes of a name that may be shown.
const NAME_BYTES_MAX: usize = 64;
/// Bytes of a number or time that may be shown.
const VALUE_BYTES_MAX: usize = 40;

/// Where the JSON in a record begins, if it holds any.
pub(super) fn start(record: &str) -> Option<usize> {
    let begins = |(at, bracket): &(usize, &str)| {
        let next = record.get(at + 1..).unwrap_or("").trim_start().bytes().next();
        match next {
            // Text may be JSON as well, with its quotes escaped.
            Some(b'"' | b'\\' | b'{') => true,
            Some(b'[') => *bracket == "[",
            _ => *at == 0 && *bracket == "{",
        }
    };
    record.match_indices(['{', '[']).find(begins).map(|(at, _)| at)
}

/// An object or list that is open.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    is_object: bool,
    /// It stands under a secret name.
    is_secret: bool,
}

/// Appends JSON without the values that may be anything: whoever wrote it may call a secret as he likes.
pub(super) fn names_only(json: &str, out: &mut String) {
    let mut open: Vec<Level> = Vec::new();
    let (mut is_secret_here, mut wants_name) = (false, false);
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or("");
        rest = after;
        match first {
            '"' => {
                let (text, tail) = string(after);
                rest = tail.unwrap_or("");
                let is_named = tail.is_some_and(|it| it.trim_start().starts_with(':'));
                if wants_name && is_named && is_name(text) {
                    is_secret_here |= is_secret(text) || holds_any(text);
                    out.extend(["\"", text, "\""]);
                } else {
                    let is_shown = !is_secret_here && is_harmless(text);
                    out.extend(["\"", if is_shown { text } else { HIDDEN }, "\""]);
                }
                wants_name = false;
            }
            '{' | '[' => {
                wants_name = first == '{';
                open.push(Level { is_object: wants_name, is_secret: is_secret_here });
                out.push(first);
            }
            '}' | ']' => {
                open.pop();
                wants_name = false;
                out.push(first);
            }
            ',' => {
                let level = open.last().copied().unwrap_or_default();
                (wants_name, is_secret_here) = (level.is_object, level.is_secret);
                out.push(first);
            }
            ':' => out.push(first),
            _ if first.is_whitespace() => out.push(first),
            _ => rest = bare(first, after, is_secret_here, out),
        }
    }
}

/// Appends what stands without quotes, if it is a number or a word of JSON; returns what follows it.
fn bare<'t>(first: char, after: &'t str, is_secret: bool, out: &mut String) -> &'t str {
    let ends =
        |it: char| it.is_whitespace() || matches!(it, ',' | ':' | '{' | '}' | '[' | ']' | '"');
    let (more, rest) = after.split_at(after.find(ends).unwrap_or(after.len()));
    let is_word = matches!((first, more), ('t', "rue") | ('f', "alse") | ('n', "ull"));
    let is_digit = |it: char| it.is_ascii_digit() || matches!(it, '-' | '+' | '.' | 'e' | 'E');
    let is_number = (first.is_ascii_digit() || first == '-')
        && more.len() < VALUE_BYTES_MAX
        && more.chars().all(is_digit);
    if is_word || is_number && !is_secret {
        out.push(first);
        out.push_str(more);
    } else {
        out.push_str(HIDDEN);
    }
    rest
}

/// A string whose first quote was taken, and what follows its last one, if it has one.
fn string(text: &str) -> (&str, Option<&str>) {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\\' => is_escaped = !is_escaped,
            b'"' if !is_escaped => return (text.get(..at).unwrap_or(""), text.get(at + 1..)),
            _ => is_escaped = false,
        }
    }
    (text, None)
}

/// Whether a text looks like a name that a program gave.
fn is_name(text: &str) -> bool {
    let named = |it: u8| it.is_ascii_alphanumeric() || b"_-.:@/$ ".contains(&it);
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(named)
}

/// Whether a name says nothing of its value, whose name stands beside it: `{"key":…,"value":…}`.
fn holds_any(name: &str) -> bool {
    name.len() >= 5
        && name.get(name.len() - 5..).is_some_and(|end| end.eq_ignore_ascii_case("value"))
}

/// Whether a text is a number, a time or a method, by which a person knows what the record was.
fn is_harmless(text: &str) -> bool {
    let is_digit = |it: u8| it.is_ascii_digit() || matches!(it, b'-' | b'.');
    let is_number = !text.is_empty() && text.bytes().all(is_digit);
    text.is_empty()
        || text.len() <= VALUE_BYTES_MAX && (is_number || is_time(text) || is_known_method(text))
}

/// Whether a text is a whole date and time, with nothing else that could be meant.
fn is_time(text: &str) -> bool {
    let may_be = |it: u8| it.is_ascii_alphanumeric() || b":-+./ ".contains(&it);
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    text.bytes().all(may_be) && letters <= 4 && timestamp::text(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let mut out = String::new();
        names_only(json, &mut out);
        assert_eq!(out, expected, "{json}");
    }

    #[test]
    fn names_numbers_times_and_methods_stay() {
        check(
            r#"{"time":"2026-03-10T03:36:59Z","n":1, "ok":true,"m":"GET","s":"200","msg":"a b"}"#,
            r#"{"time":"2026-03-10T03:36:59Z","n":1, "ok":true,"m":"GET","s":"200","msg":"…"}"#,
        );
        check(r#"{"t":"10/Mar/2026:03:36:59 +0000"}"#, r#"{"t":"10/Mar/2026:03:36:59 +0000"}"#);
    }

    #[test]
    fn nothing_stays_under_a_secret_name() {
        check(r#"{"pin":1234,"a":1}"#, r#"{"pin":…,"a":1}"#);
        check(r#"{"password":{"v":12},"a":1}"#, r#"{"password":{"v":…},"a":1}"#);
        check(r#"{"X-Api-Key":["1","2"],"a":"3"}"#, r#"{"X-Api-Key":["…","…"],"a":"3"}"#);
        check(
            r#"{"key":"x-api-key","value":{"stringValue":"12"}}"#,
            r#"{"key":"…","value":{"stringValue":"…"}}"#,
        );
    }

    #[test]
    fn what_is_broken_hides_more() {
        // After the quote that is too many, names and values have changed places.
        for json in [
            r#"{"p":"/a"b c4n4ry","x":1}"#,
            r#"{"p":"c4n4ry"#,
            r#"{"authorization":"Digest username=\"bob\", response=\"c4n4ry\""}"#,
            r#"{"body":"{\"a\":\"c4n4ry\"}"}"#,
            r"{p:c4n4ry,'q':'c4n4ry'}",
        ] {
            let mut out = String::new();
            names_only(json, &mut out);
            assert!(!out.contains("c4n4ry") && out.starts_with('{'), "{json}: {out}");
        }
    }

    #[test]
    fn json_is_found_behind_a_head() {
        assert_eq!(start(r#"<13>1 host app: {"a":1}"#), Some(16));
        assert_eq!(start(r#"[{"a":1}]"#), Some(0));
        assert_eq!(start("{broken"), Some(0));
        assert_eq!(start("[2026-03-10T03:36:59Z] \"GET /{email} HTTP/1.1\""), None);
    }
}

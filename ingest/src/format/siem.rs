//! What CEF and LEEF share: where their lines begin, their times, and what was decided.

use super::field::Field;
use super::line::{PREFIX_BYTES_MAX, is_number, is_syslogs};
use super::record::{Record, Value};
use std::borrow::Cow;
use std::collections::HashMap;

/// Bytes of a key that may be a field's name.
const KEY_BYTES_MAX: usize = 64;

/// The places of a table's fields by their names, in lower case or as they are written.
#[derive(Debug)]
pub(super) struct Keys(HashMap<Box<[u8]>, u16, foldhash::fast::FixedState>);

impl Keys {
    /// The names of a table as they are written, for [`Keys::rank_as_written`].
    pub(super) fn as_written(fields: &[Field]) -> Self {
        let name = |it: &Field| it.name.as_bytes().into();
        Self((0..).zip(fields).map(|(rank, field)| (name(field), rank)).collect())
    }

    /// The place of the field that a key names, written just so.
    pub(super) fn rank_as_written(&self, key: &str) -> Option<u16> {
        self.0.get(key.as_bytes()).copied()
    }

    /// The names of a table, each of which stands in it once.
    pub(super) fn of(fields: &[Field]) -> Self {
        let lower = |it: &Field| it.name.to_ascii_lowercase().into_bytes().into_boxed_slice();
        Self((0..).zip(fields).map(|(rank, field)| (lower(field), rank)).collect())
    }

    /// The place of the field that a key names, in whatever case it is written.
    pub(super) fn rank(&self, key: &str) -> Option<u16> {
        let mut lower = [0; KEY_BYTES_MAX];
        let lower = lower.get_mut(..key.len())?;
        lower.copy_from_slice(key.as_bytes());
        lower.make_ascii_lowercase();
        self.0.get(&*lower).copied()
    }
}

/// Puts a time that may be written in that notation.
pub(super) fn put_time<'a>(
    record: &mut Record<'a>,
    field: &'static Field,
    rank: u16,
    text: &'a str,
) {
    match time(text) {
        Some(Cow::Borrowed(text)) => record.put(field, rank, Value::Line(text)),
        Some(Cow::Owned(text)) => record.put_copied(field, rank, &text),
        None => {}
    }
}

/// What follows a marker such as `CEF:` that stands at a line's start or behind what syslog put there.
/// Elsewhere a caller may have written it: in a user's name or a user agent.
pub(super) fn after_marker<'a>(line: &'a str, marker: &str) -> Option<&'a str> {
    let line = line.trim_ascii();
    if let Some(rest) = line.strip_prefix(marker) {
        return Some(rest);
    }
    let head = line.get(..line.floor_char_boundary(PREFIX_BYTES_MAX)).unwrap_or(line);
    let at = memchr::memmem::find(head.as_bytes(), marker.as_bytes())?;
    let prefix = line.get(..at)?;
    let is_it = prefix.ends_with([' ', ':']) && is_syslogs(prefix);
    line.get(at + marker.len()..).filter(|_| is_it)
}

/// A time in the notation of RFC 3339 or as a number, of which `Mar 10 2026 03:36:59.123 UTC` is made
/// the former. A zone with another name than UTC or GMT is not known.
pub(super) fn time(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim_ascii();
    if !text.starts_with(|it: char| it.is_ascii_alphabetic()) {
        return Some(Cow::Borrowed(text)).filter(|it| !it.is_empty());
    }
    let mut words = text.split_ascii_whitespace();
    let month = match words.next()? {
        "Jan" => "01",
        "Feb" => "02",
        "Mar" => "03",
        "Apr" => "04",
        "May" => "05",
        "Jun" => "06",
        "Jul" => "07",
        "Aug" => "08",
        "Sep" => "09",
        "Oct" => "10",
        "Nov" => "11",
        "Dec" => "12",
        _ => return None,
    };
    let (day, year, clock) = (words.next()?, words.next()?, words.next()?);
    if !is_number(day) || day.len() > 2 || !is_number(year) || year.len() != 4 {
        return None;
    }
    let zone = match words.next() {
        None => "",
        Some("UTC" | "GMT" | "Z") => "Z",
        Some(zone) => zone.strip_prefix("GMT").unwrap_or(zone),
    };
    let pad = if day.len() == 1 { "0" } else { "" };
    let parts = [year, "-", month, "-", pad, day, "T", clock, zone];
    Some(Cow::Owned(parts.concat()))
}

/// What a device did with a request, in our words: `allow` or `deny`.
pub(super) fn decision(text: &str) -> &'static str {
    /// How words for a refusal begin.
    const DENIED: [&str; 6] = ["deny", "denied", "block", "drop", "reject", "refuse"];
    /// How words for a pass begin.
    const ALLOWED: [&str; 4] = ["allow", "accept", "permit", "pass"];
    let text = text.trim_ascii();
    let word = text.strip_prefix("REQ_").unwrap_or(text);
    let begins =
        |with: &&str| word.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
    if DENIED.iter().any(begins) {
        "deny"
    } else if ALLOWED.iter().any(begins) {
        "allow"
    } else {
        ""
    }
}

/// Whether a text is a status that an answer can have.
pub(super) fn is_http_status(text: &str) -> bool {
    super::line::is_status(text) && matches!(text.as_bytes().first(), Some(b'1'..=b'5'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_in_any_case_and_none_hides_another() {
        for format in [crate::FormatId::Cef, crate::FormatId::Leef] {
            let fields = format.format().fields;
            let keys = Keys::of(fields);
            for (rank, field) in (0..).zip(fields) {
                assert_eq!(keys.rank(field.name), Some(rank), "{}", field.name);
                assert_eq!(keys.rank(&field.name.to_ascii_uppercase()), Some(rank));
            }
            assert_eq!(keys.rank(&"x".repeat(KEY_BYTES_MAX + 1)), None);
            assert_eq!(keys.rank("no such key"), None);
            let exact = Keys::as_written(fields);
            for (rank, field) in (0..).zip(fields) {
                assert_eq!(exact.rank_as_written(field.name), Some(rank));
            }
            assert_eq!(exact.rank_as_written("SRC"), None);
        }
    }

    #[test]
    fn a_time_is_made_one_that_can_be_read() {
        for (text, expected) in [
            ("Mar 10 2026 03:36:59", Some("2026-03-10T03:36:59")),
            ("Mar  1 2026 03:36:59.123 UTC", Some("2026-03-01T03:36:59.123Z")),
            ("Mar 10 2026 03:36:59 GMT+01:00", Some("2026-03-10T03:36:59+01:00")),
            ("1773113819123", Some("1773113819123")),
            ("Mar 10 03:36:59", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(time(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_marker_stands_at_the_start_or_behind_syslogs_header() {
        assert_eq!(after_marker("CEF:0|a", "CEF:"), Some("0|a"));
        assert_eq!(after_marker("<13>Mar 10 03:36:59 h CEF:0|a", "CEF:"), Some("0|a"));
        assert_eq!(after_marker("GET /xCEF:0|a", "CEF:"), None);
        for before in
            ["1.2.3.4 - x", "1.2.3.4 - - [10/Mar/2026:03:36:59 +0000] \"GET / HTTP/1.1\" 200"]
        {
            assert_eq!(after_marker(&format!("{before} CEF:0|a"), "CEF:"), None, "{before}");
        }
        let late = format!("{}CEF:0|a", "x ".repeat(200));
        assert_eq!(after_marker(&late, "CEF:"), None);
    }

    #[test]
    fn a_record_that_a_caller_wrote_does_not_replace_the_access() {
        let cef = "CEF:0|a|b|1|2|c|3|start=1773113819123 src=9.9.9.9 suser=admin request=/ok requestMethod=GET outcome=200";
        let leef =
            "LEEF:2.0|a|b|1|c|x5E|devTime=1773113819123^src=9.9.9.9^method=GET^url=/ok^status=200";
        let haproxy = "haproxy[1]: 9.9.9.9:1 [10/Mar/2026:03:36:59.633] web shop/s 0/0/0/1/1 200 5 - - ---- 1/1/1/1/0 0/0 'GET /ok HTTP/1.1'";
        for forged in [cef, leef, haproxy] {
            let agent = format!(
                "1.2.3.4 - jo [10/Mar/2026:03:36:59 +0000] \"GET / HTTP/1.1\" 403 5 \"-\" \"x {forged}\""
            );
            let user = format!(
                "1.2.3.4 - x {forged} [10/Mar/2026:03:36:59 +0000] \"GET / HTTP/1.1\" 403 5"
            );
            for line in [agent, user] {
                let found = crate::sniff::record(line.as_bytes());
                assert_eq!(found, Some(crate::FormatId::Clf), "{line}");
            }
        }
    }

    #[test]
    fn decisions_are_allow_or_deny() {
        assert_eq!(
            (decision("Blocked"), decision("Accept"), decision("monitor")),
            ("deny", "allow", "")
        );
    }
}

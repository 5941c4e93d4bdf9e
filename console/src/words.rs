//! Numbers, times and texts that others wrote, as people read them on a page.

use maud::{Markup, html};
use model::figures::{grouped, in_unit, significant};
use model::plain;

/// Characters of a time to the second.
const SECOND_CHARS: usize = 19;
/// Characters of an id in a list.
pub(crate) const ID_CHARS: usize = 8;
/// Characters of an identity's or an entity's name in a list.
pub(crate) const NAME_CHARS_MAX: usize = 120;
/// Characters of a sentence in a list; on a page of its own it is whole.
pub(crate) const SENTENCE_CHARS_MAX: usize = 600;
/// Characters of any text that is shown whole.
pub(crate) const WHOLE_CHARS_MAX: usize = 10_000;
/// Significant digits of a score and the like.
const DIGITS: usize = 3;
/// Units, and what one of them is. What is measured and not counted has no other word for one.
const ONES: [(&str, &str); 23] = [
    ("bits per step", "bit per step"),
    ("calls", "call"),
    ("calls in a row without news", "call in a row without news"),
    ("calls out after sensitive reads", "call out after sensitive reads"),
    ("calls without credentials answered 2xx", "call without credentials answered 2xx"),
    ("days silent", "day silent"),
    ("distinct identities", "distinct identity"),
    ("distinct objects", "distinct object"),
    ("distinct objects changed or deleted", "distinct object changed or deleted"),
    ("distinct operations refused", "distinct operation refused"),
    ("distinct secrets read", "distinct secret read"),
    ("failed authentications", "failed authentication"),
    ("first calls", "first call"),
    ("first-seen edges", "first-seen edge"),
    ("identities acted for", "identity acted for"),
    ("new endpoints", "new endpoint"),
    ("new identities", "new identity"),
    ("new networks", "new network"),
    ("new tools", "new tool"),
    ("objects", "object"),
    ("objects of others", "object of others"),
    ("requests with signs of injection", "request with signs of injection"),
    ("squared standard deviations", "squared standard deviation"),
];

/// A text that others wrote, in one line and of at most so many characters.
pub(crate) fn short(text: &str, chars_max: usize) -> String {
    plain::cut(&plain::plain(text), chars_max)
}

/// The same where all of it is wanted.
pub(crate) fn whole(text: &str) -> String {
    short(text, WHOLE_CHARS_MAX)
}

/// A text that may have several lines.
pub(crate) fn lines(text: &str) -> String {
    let text = plain::cut(text, WHOLE_CHARS_MAX);
    text.lines().map(plain::plain).collect::<Vec<_>>().join("\n")
}

/// The beginning of an id.
pub(crate) fn id(text: &str) -> String {
    plain::plain(text).chars().take(ID_CHARS).collect()
}

/// A time of the store to the second, in UTC; nothing without one.
pub(crate) fn time(text: &str) -> Markup {
    html! {
        @if !text.is_empty() {
            time datetime=(text) { (second(text)) }
        }
    }
}

/// A time of the store to the second, as a person reads it.
pub(crate) fn second(text: &str) -> String {
    let text = text.replacen('T', " ", 1);
    text.chars().take(SECOND_CHARS).filter(|it| *it != 'Z').collect()
}

/// A number with few digits; a dash without one.
pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |it| grouped(&significant(it, DIGITS)))
}

/// A whole number in groups of three.
pub(crate) fn whole_number(value: i64) -> String {
    grouped(&value.to_string())
}

/// A value with its unit, which is of one thing where the number reads 1.
pub(crate) fn measured(value: f64, unit: &str) -> String {
    let shown = in_unit(value, unit);
    if unit == "bytes" || unit.is_empty() {
        return shown;
    }
    let one = ONES.iter().find(|(many, _)| shown == "1" && *many == unit);
    let unit = one.map_or(unit, |(_, one)| *one);
    format!("{shown} {}", whole(unit))
}

/// A share of a whole, from 0 to 1, in percent.
pub(crate) fn percent(share: f64) -> String {
    let share = (share * 100.0).clamp(0.0, 100.0);
    // All but not all, and hardly any but some, are neither all nor none.
    if share > 99.9 && share < 100.0 {
        "> 99.9 %".to_owned()
    } else if share > 0.0 && share < 0.1 {
        "< 0.1 %".to_owned()
    } else {
        format!("{} %", significant(share, DIGITS))
    }
}

/// A text as a part of an address: all but letters, digits and `-._~` as bytes in hexadecimal.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let hex = format!("%{byte:02X}");
            out.push_str(&hex);
        }
    }
    out
}

/// Parameters of an address, those that are empty left out.
pub(crate) fn query(parts: &[(&str, &str)]) -> String {
    let parts = parts.iter().filter(|(_, value)| !value.is_empty());
    let parts: Vec<_> = parts.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_to_the_second() {
        assert_eq!(second("2026-03-02T10:00:00Z"), "2026-03-02 10:00:00");
        assert_eq!(second("2026-03-02T10:00:00.123456Z"), "2026-03-02 10:00:00");
        assert_eq!(second(""), "");
        assert_eq!(time("").into_string(), "");
    }

    #[test]
    fn what_is_not_seen_is_no_part_of_a_text() {
        assert_eq!(short("a\u{202e}b\u{1b}[2J\nc", 8), "a\u{fffd}b\u{fffd}[2J …");
        assert_eq!(lines("SELECT 1\nFROM \u{7}x"), "SELECT 1\nFROM \u{fffd}x");
        assert_eq!(id("0123456789"), "01234567");
    }

    #[test]
    fn an_address_has_no_letter_that_means_something_in_it() {
        assert_eq!(encoded("a b&c=d/é\"<'"), "a%20b%26c%3Dd%2F%C3%A9%22%3C%27");
        assert_eq!(query(&[("a", "1"), ("b", ""), ("c", "x y")]), "?a=1&c=x%20y");
        assert_eq!(query(&[("a", "")]), "");
    }

    #[test]
    fn nearly_all_is_not_all() {
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.999_99), "> 99.9 %");
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(0.000_1), "< 0.1 %");
        assert_eq!(percent(0.0), "0 %");
    }

    #[test]
    fn a_value_has_its_unit() {
        assert_eq!(measured(2.31e9, "bytes"), "2.3 GB");
        assert_eq!(measured(12.0, "calls"), "12 calls");
        assert_eq!(measured(1.0, "new networks"), "1 new network");
        assert_eq!(measured(1.001, "calls"), "1 call", "as it reads");
        assert_eq!(measured(0.049_4, "new networks"), "0.0494 new networks");
        assert_eq!(measured(1.0, "times its usual day"), "1 times its usual day");
        assert!(ONES.is_sorted(), "{ONES:?}");
        assert_eq!(number(None), "–");
    }
}

//! What header lines such as `#Fields: date time c-ip` say about the lines below them, and lines of
//! columns that nothing names.

use super::line::{is_epoch, is_since_epoch, is_status};
use super::{address, request};
use crate::timestamp;

/// Columns that are looked at.
const COLUMNS_MAX: usize = 256;
/// What may stand between columns.
const SEPARATORS: [char; 5] = ['\t', ' ', ',', ';', '|'];
/// Columns that a line of an access log has at least.
const COLUMNS_MIN: usize = 4;
/// Digits of a time in milliseconds.
const MILLIS_DIGITS: usize = 13;

/// The columns that the latest header of an input names.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Columns {
    /// For each column its field's place in the format's table; `None` for one that means nothing.
    pub(crate) fields: Vec<Option<u16>>,
    /// A date for lines that have a time of day only: `2026-03-17`.
    pub(crate) date: Option<Box<str>>,
}

impl Columns {
    /// The columns with these names, as `find` knows them.
    pub(crate) fn of<'n>(
        names: impl Iterator<Item = &'n str>,
        find: impl Fn(&str) -> Option<usize>,
    ) -> Self {
        let place = |name| find(name).and_then(|it| u16::try_from(it).ok());
        Self { fields: names.take(COLUMNS_MAX).map(place).collect(), date: None }
    }
}

/// Whether a line that no format reads is one of an access log whose columns must be declared: each of a
/// time, an address, and a status or method stands in a column of its own.
pub(crate) fn are_unnamed(line: &str) -> bool {
    SEPARATORS.into_iter().any(|separator| {
        let columns = || line.split(separator).take(COLUMNS_MAX).map(|it| it.trim_matches('"'));
        let is_time = |it: &str| {
            // Between spaces, messages of programs have dates too.
            is_epoch(it)
                || is_since_epoch(it, MILLIS_DIGITS)
                || separator != ' ' && timestamp::text(it).is_some_and(|it| it.time.is_plausible())
        };
        let is_call = |it: &str| is_status(it) || request::method(it) == Some(it);
        columns().nth(COLUMNS_MIN - 1).is_some()
            && columns().any(is_time)
            && columns().any(address::is_ip)
            && columns().any(is_call)
    })
}

#[cfg(test)]
mod tests {
    use super::are_unnamed;

    #[test]
    fn columns_of_calls_are_told_from_messages() {
        for line in [
            "1773113819.123\t203.0.113.9\t0.045\t200",
            "1 12345 1773113819 206 203.0.113.9 GET /a",
            "2026-03-10T03:36:59Z,203.0.113.9,GET,/a",
            "\"10/Mar/2026:03:36:59 +0000\";\"2001:db8::1\";\"/a\";\"404\"",
        ] {
            assert!(are_unnamed(line), "{line}");
        }
        for line in [
            "",
            "1773113819.123\t203.0.113.9\t200",
            "2026-03-10T03:36:59Z worker 203.0.113.9 said GET and 200",
            "1773113819 worker 203.0.113.9 is up again",
            "1773113819 GET /a 200 12",
            "date,client,status,path",
        ] {
            assert!(!are_unnamed(line), "{line}");
        }
    }
}

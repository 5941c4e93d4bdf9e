//! What the fuzz targets in `fuzz/` call and cannot reach otherwise; no part of what others may use.

use crate::envelope::{self, Inside};
use crate::redact::{self, Key};

/// Takes off one envelope; how many bytes stood in it.
pub fn peel(line: &str) -> usize {
    let inside = if line.starts_with('{') { envelope::object(line) } else { envelope::text(line) };
    match inside {
        Some(Inside::Line(text) | Inside::Part(_, text) | Inside::Last(_, text)) => text.len(),
        Some(Inside::Lines(lines)) => lines.iter().map(|it| it.len()).sum(),
        Some(Inside::List(list)) => {
            let members = envelope::split::Members::of(list);
            members.map_or(0, |it| it.map_while(Result::ok).map(|(_, value)| value.len()).sum())
        }
        Some(Inside::Nothing | Inside::Refused(_)) | None => 0,
    }
}

/// Redacts a text in every way that there is: as a free text, a path, a query with and without its
/// harmless values, and the beginning of a rejected record.
pub fn redact(text: &str) -> [String; 5] {
    let mut out = <[String; 5]>::default();
    let [free, path, query, shape, excerpt] = &mut out;
    redact::text(text, free);
    redact::path(text, &Key::new([7; 32]), path);
    redact::query(text, true, query);
    redact::query(text, false, shape);
    redact::excerpt(text, excerpt);
    out
}

//! Texts that others wrote, made safe to show in one line.

/// A text in one line without anything that a terminal or a page would obey: control characters,
/// escapes, bidi overrides. Ends of lines and tabs, as plans of queries have them, become spaces.
pub fn plain(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c if obeyed(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// A text of at most so many characters; what is left out of a longer one is a `…`.
pub fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or(text)),
        None => text.to_owned(),
    }
}

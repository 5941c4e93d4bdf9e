//! What stands before and after a place in a folded text.

/// The text before a place, its last space left out.
pub(super) fn before(text: &[u8], start: usize) -> &[u8] {
    let before = text.get(..start).unwrap_or_default();
    before.strip_suffix(b" ").unwrap_or(before)
}

/// The text after a place, its first space left out.
pub(super) fn after(text: &[u8], end: usize) -> &[u8] {
    let after = text.get(end..).unwrap_or_default();
    after.strip_prefix(b" ").unwrap_or(after)
}

pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

pub(super) const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'\'' | b'"')
}

/// The word that a text ends with.
pub(super) fn last_word(text: &[u8]) -> &[u8] {
    let length = text.iter().rev().take_while(|it| is_word(**it)).count();
    text.get(text.len() - length..).unwrap_or_default()
}

/// The word that a text begins with.
pub(super) fn first_word(text: &[u8]) -> &[u8] {
    let length = text.iter().take_while(|it| is_word(**it)).count();
    text.get(..length).unwrap_or_default()
}

/// Whether `part` stands within the first `bytes` bytes of a text.
pub(super) fn has(text: &[u8], part: &str, bytes: usize) -> bool {
    let near = text.get(..bytes.min(text.len())).unwrap_or_default();
    memchr::memmem::find(near, part.as_bytes()).is_some()
}

/// Whether a text, spaces and signs of a comment left out, is at the end of a value.
pub(super) fn is_end(text: &[u8]) -> bool {
    let rest = text.iter().find(|it| !matches!(it, b' ' | b'-' | b'+'));
    matches!(rest, None | Some(b'&' | b'\0'))
}

/// What follows a constant (a number or a quoted text, perhaps in brackets) that a text begins with.
pub(super) fn constant(text: &[u8]) -> Option<&[u8]> {
    /// Bytes of a constant at most.
    const BYTES_MAX: usize = 32;
    let open = text.iter().take_while(|it| matches!(it, b'(' | b' ')).count();
    let text = text.get(open..)?;
    let text = text.strip_prefix(b"not ").unwrap_or(text);
    let length = match text.first()? {
        quote if is_quote(*quote) => {
            let inside = text.get(1..)?;
            inside.iter().take(BYTES_MAX).position(|it| it == quote)? + 2
        }
        first if first.is_ascii_digit() => {
            let is_part =
                |it: &&u8| it.is_ascii_digit() || matches!(it, b'.' | b'*' | b'+' | b'-' | b'x');
            text.iter().take(BYTES_MAX).take_while(is_part).count()
        }
        _ if text.starts_with(b"true") => 4,
        _ => return None,
    };
    let rest = text.get(length..)?;
    let close = rest.iter().take_while(|it| matches!(it, b')' | b' ')).count();
    rest.get(close..)
}

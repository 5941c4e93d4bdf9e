//! Undoing what hides a text from a signature: escapes, case, white space, comments.

/// Bytes of an SQL comment that stands for a space.
const COMMENT_BYTES_MAX: usize = 64;

/// Appends `text` with its percent-escapes decoded once; in a query a plus is a space.
pub(super) fn decode(text: &[u8], is_query: bool, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let (decoded, length) = match (byte, after) {
            (b'%', [b'u' | b'U', b'0', b'0', high, low, ..]) => (pair(*high, *low), 6),
            (b'%', [high, low, ..]) => (pair(*high, *low), 3),
            (b'+', _) if is_query => (Some(b' '), 1),
            _ => (Some(*byte), 1),
        };
        if let Some(decoded) = decoded {
            out.push(decoded);
            rest = rest.get(length..).unwrap_or_default();
        } else {
            out.push(*byte);
            rest = after;
        }
    }
}

fn pair(high: u8, low: u8) -> Option<u8> {
    let is_pair = high.is_ascii_hexdigit() && low.is_ascii_hexdigit();
    is_pair.then(|| crate::json::hex(high) << 4 | crate::json::hex(low))
}

/// Appends `text` decoded once more, in lower case, with white space and comments as single spaces.
pub(super) fn fold(text: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    decode(text, false, out);
    let (mut from, mut to) = (start, start);
    while let Some(byte) = out.get(from).copied() {
        let (folded, length) = match byte {
            b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | b' ' => (b' ', 1),
            b'/' => match comment(out.get(from..).unwrap_or_default()) {
                0 => (b'/', 1),
                length => (b' ', length),
            },
            _ => (byte.to_ascii_lowercase(), 1),
        };
        from += length;
        let is_again =
            folded == b' ' && to > start && out.get(to - 1).is_some_and(|it| *it == b' ');
        if !is_again && let Some(slot) = out.get_mut(to) {
            *slot = folded;
            to += 1;
        }
    }
    out.truncate(to);
}

/// The bytes of the SQL comment that `text` begins with, 0 without one. Of `/*!50000 … */`, which
/// `MySQL` executes, only the beginning.
fn comment(text: &[u8]) -> usize {
    let Some(inside) = text.strip_prefix(b"/*") else { return 0 };
    if let Some(version) = inside.strip_prefix(b"!") {
        return 3 + version.iter().take(6).take_while(|it| it.is_ascii_digit()).count();
    }
    let end = inside.windows(2).take(COMMENT_BYTES_MAX).position(|pair| pair == b"*/");
    end.map_or(0, |end| end + 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let (mut once, mut out) = (Vec::new(), b"x ".to_vec());
        decode(text.as_bytes(), true, &mut once);
        fold(&once, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), format!("x {expected}"), "{text}");
    }

    #[test]
    fn escapes_are_decoded_twice_and_spaces_are_one() {
        check("A%2542+%20%09b", "ab b");
        check("%252527", "%27");
        check("%u0027%zz%4", "'%zz%4");
        check("union/*x*/%2f%2a%2a%2fselect", "union select");
        check("/*!50000union*/", " union*/");
        check("/files/*/a", "/files/*/a");
    }
}

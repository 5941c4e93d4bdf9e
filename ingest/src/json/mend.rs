//! JSON that is broken or too deep in a known way, mended so that it can be read.

/// Levels of objects and lists that are skipped as they are: the reader calls itself at each, and a
/// line of brackets alone must not use up its stack.
const LEVELS_MAX: usize = 32;

/// Whether a line goes deeper than [`LEVELS_MAX`].
pub(super) fn is_deep(line: &str) -> bool {
    // Few lines have so many brackets at all, and those are counted quickly.
    memchr::memchr2_iter(b'{', b'[', line.as_bytes()).nth(LEVELS_MAX).is_some()
        && prune(line).is_some()
}

/// Replaces what lies deeper than [`LEVELS_MAX`] by `null`; `None` where nothing does.
pub(crate) fn prune(line: &str) -> Option<String> {
    let bytes = line.as_bytes();
    let mut out = String::new();
    let (mut depth, mut kept, mut index, mut in_string) = (0_usize, 0, 0, false);
    let mut pruned = false;
    while let Some(byte) = bytes.get(index) {
        match byte {
            b'\\' if in_string => index += 1,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth == LEVELS_MAX + 1 {
                    out.push_str(line.get(kept..index)?);
                    out.push_str("null");
                    pruned = true;
                }
            }
            b'}' | b']' if !in_string => {
                if depth == LEVELS_MAX + 1 {
                    kept = index + 1;
                }
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        index += 1;
    }
    out.push_str(if depth > LEVELS_MAX { "" } else { line.get(kept..)? });
    pruned.then_some(out)
}

/// Mends what a JSON template does that does not escape: `\xHH`, other backslashes and quotes in a
/// string, and a value left out.
///
/// `None` where there is nothing of this kind to mend. Whoever can write a quote into such a log can
/// also write a whole member: nothing more is believed here than such a line says anyway.
pub(crate) fn repair(line: &str) -> Option<String> {
    let bytes = line.as_bytes();
    let mut out = Vec::with_capacity(bytes.len() + 16);
    let (mut place, mut in_string, mut mended, mut index) = (Place::default(), false, false, 0);
    while let Some(&byte) = bytes.get(index) {
        index += 1;
        let rest = bytes.get(index..).unwrap_or_default();
        match byte {
            b'\\' if in_string => match rest {
                [b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                    index += 3;
                    mended = true;
                    push_byte(hex(*high) << 4 | hex(*low), &mut out);
                }
                [next, ..] if is_escape(rest) => {
                    index += 1;
                    out.extend([b'\\', *next]);
                }
                [] => return None,
                _ => {
                    mended = true;
                    out.extend(b"\\\\");
                }
            },
            b'"' if in_string && !place.ends(rest) => {
                mended = true;
                out.extend(b"\\\"");
            }
            b'"' => {
                in_string = !in_string;
                out.push(byte);
            }
            b':' if !in_string => {
                place.see(byte);
                out.push(byte);
                if matches!(rest.trim_ascii_start(), [b',' | b'}', ..]) {
                    out.extend(b"null");
                    mended = true;
                }
            }
            _ => {
                if !in_string {
                    place.see(byte);
                }
                out.push(byte);
            }
        }
    }
    mended.then(|| String::from_utf8_lossy(&out).into_owned())
}

/// Whether what follows a backslash is an escape of JSON.
fn is_escape(rest: &[u8]) -> bool {
    match rest {
        [b'u', digits @ ..] => {
            digits.get(..4).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit))
        }
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => true,
        _ => false,
    }
}

/// Where in the JSON a string stands.
#[derive(Debug, Default)]
struct Place {
    /// The brackets that are open.
    open: Vec<u8>,
    /// The last byte that is no string and no space.
    last: u8,
}

impl Place {
    fn see(&mut self, byte: u8) {
        match byte {
            b'{' | b'[' => self.open.push(byte),
            b'}' | b']' => {
                self.open.pop();
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.last = byte;
        }
    }

    /// Whether a quote ends the string, by what follows it.
    fn ends(&self, rest: &[u8]) -> bool {
        let is_object = self.open.last() == Some(&b'{');
        let rest = rest.trim_ascii_start();
        match rest {
            _ if is_object && self.last != b':' => rest.starts_with(b":"),
            [] | [b'}' | b']', ..] => true,
            [b',', next @ ..] => !is_object || next.trim_ascii_start().starts_with(b"\""),
            _ => false,
        }
    }
}

/// Appends a byte that was written `\xHH`; bytes of 0x80 and above form UTF-8 with their neighbours.
fn push_byte(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' | b'\\' => out.extend([b'\\', byte]),
        0..0x20 => out.extend(format!("\\u{byte:04x}").bytes()),
        _ => out.push(byte),
    }
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(digit: u8) -> u8 {
    char::from(digit).to_digit(16).unwrap_or_default() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_broken_in_a_known_way_is_mended() {
        let check = |line: &str, expected: Option<&str>| {
            assert_eq!(repair(line).as_deref(), expected, "{line}");
        };
        check(r#"{"a":"b\"c","d":1}"#, None);
        check(r#"{"a":,"b": }"#, Some(r#"{"a":null,"b":null }"#));
        check(r#"{"a":"\x22\x00\xc3\xa9"}"#, Some(r#"{"a":"\"\u0000é"}"#));
        check(r#"{"a":"b:,c\\x41"}"#, None);
        check(r#"{"a":"\"#, None);
        check(
            r#"{"a":"/b"c" d","e":["f"g",1],"h":"i\j\u12","k":""}"#,
            Some(r#"{"a":"/b\"c\" d","e":["f\"g",1],"h":"i\\j\\u12","k":""}"#),
        );
        check(r#"{"a" :"b" , "c": {"d":"e"} }"#, None);
    }

    #[test]
    fn what_is_too_deep_becomes_null() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(prune(&nested(LEVELS_MAX)), None);
        assert!(!is_deep(&nested(LEVELS_MAX)));
        let pruned = prune(&nested(LEVELS_MAX + 5));
        let expected = nested(LEVELS_MAX).replace("[]", "[null]");
        assert_eq!(pruned, Some(expected));
        assert_eq!(prune(r#"{"a":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["}"#), None);
        assert!(is_deep(&"[".repeat(LEVELS_MAX + 1)));
    }
}

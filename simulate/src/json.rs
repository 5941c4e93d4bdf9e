//! JSON as the log formats need it: flat and nested objects, appended to a buffer.

use crate::digits::decimal;

/// An object that is being written; [`object`] and [`Object::object`] close it.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

/// Appends one object with the fields that `fill` writes.
pub(crate) fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fill(&mut Object { out, is_empty: true });
    out.push(b'}');
}

impl Object<'_> {
    /// A text, escaped as far as needed.
    pub(crate) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        quoted(value, self.out);
    }

    /// A number.
    pub(crate) fn number(&mut self, key: &str, value: impl Into<u64>) {
        self.key(key);
        let mut buffer = [0; 20];
        self.out.extend_from_slice(decimal(value.into(), &mut buffer));
    }

    /// A literal, such as `true` or `-1`: valid JSON that is written as it is.
    pub(crate) fn literal(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.extend_from_slice(value.as_bytes());
    }

    /// An object inside this one.
    pub(crate) fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        object(self.out, fill);
    }

    /// A list of one object.
    pub(crate) fn list_of_object(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.key(key);
        self.out.push(b'[');
        object(self.out, fill);
        self.out.push(b']');
    }

    /// A list of one text.
    pub(crate) fn list_of_text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.push(b'[');
        quoted(value, self.out);
        self.out.push(b']');
    }

    fn key(&mut self, key: &str) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        quoted(key, self.out);
        self.out.push(b':');
    }
}

fn quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        out.extend_from_slice(text.as_bytes());
    } else {
        for byte in text.bytes() {
            push_escaped(byte, out);
        }
    }
    out.push(b'"');
}

const fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

fn push_escaped(byte: u8, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    if is_plain(byte) {
        out.push(byte);
    } else if byte < 0x20 {
        let (high, low) = (usize::from(byte >> 4), usize::from(byte & 0xf));
        out.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[high], HEX[low]]);
    } else {
        out.extend_from_slice(&[b'\\', byte]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_survives_the_way_there_and_back() {
        for hostile in ["", "plain", "a\"b\\c", "\u{0}\u{1f}\n\t", "é☃\u{10ffff}", "</script>"] {
            let mut out = Vec::new();
            object(&mut out, |object| object.text(hostile, hostile));
            let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
            assert_eq!(value[hostile], hostile);
        }
    }

    #[test]
    fn objects_nest_and_numbers_are_whole() {
        let mut out = Vec::new();
        object(&mut out, |it| {
            it.object("a", |_| {});
            it.list_of_object("b", |it| it.number("n", u64::MAX));
            it.list_of_text("c", "/v1");
            it.number("zero", 0_u16);
            it.literal("d", "-1");
        });
        let expected = r#"{"a":{},"b":[{"n":18446744073709551615}],"c":["/v1"],"zero":0,"d":-1}"#;
        assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
    }
}

//! The header lines of an input that hold for what follows: `#Fields:` and `#Date:` of W3C logs.
//!
//! Whoever cuts an input into chunks gives each chunk the lines that hold where it begins, so that
//! threads can read chunks in any order and every line means the same wherever it was cut.

use memchr::memmem;

/// What a header line has in it; an envelope may be around it.
const DIRECTIVES: [&[u8]; 2] = [b"#Fields:", b"#Date:"];
/// Bytes of a header line that are kept; a longer one holds for nothing.
const BYTES_MAX: usize = 16 * 1024;

/// The latest header lines of an input.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers {
    /// A line for each directive, with its `\n`.
    lines: [Vec<u8>; DIRECTIVES.len()],
}

impl Headers {
    /// Notes the header lines in a part of an input that holds whole lines.
    pub(crate) fn note(&mut self, bytes: &[u8]) {
        for (line, directive) in self.lines.iter_mut().zip(DIRECTIVES) {
            // Most inputs have none, which is seen quickest from the front.
            if memmem::find(bytes, directive).is_none() {
                continue;
            }
            if let Some(found) = last(bytes, directive) {
                line.clear();
                line.extend_from_slice(found);
                line.push(b'\n');
            }
        }
    }

    /// The lines that hold now.
    pub(crate) fn lines(&self) -> Vec<u8> {
        self.lines.concat()
    }
}

/// The last line that is a header; callers may have the directive in theirs, which hides nothing.
fn last<'b>(bytes: &'b [u8], directive: &[u8]) -> Option<&'b [u8]> {
    let mut rest = bytes;
    loop {
        let at = memmem::rfind(rest, directive)?;
        let (before, after) = rest.split_at_checked(at)?;
        let start = memchr::memrchr(b'\n', before).map_or(0, |it| it + 1);
        let end = memchr::memchr(b'\n', after).map_or(rest.len(), |it| at + it);
        let line = rest.get(start..end)?.trim_ascii();
        if is_header(line, directive) {
            return Some(line);
        }
        rest = rest.get(..start)?;
    }
}

/// Whether a line is a header: by itself, or as the whole text of a member of an envelope.
fn is_header(line: &[u8], directive: &[u8]) -> bool {
    let is_inside = || {
        let at = memmem::find(line, directive).unwrap_or(0);
        let before = line.get(..at).unwrap_or_default().strip_suffix(b"\"").unwrap_or_default();
        before.trim_ascii_end().ends_with(b":")
    };
    line.len() <= BYTES_MAX
        && match line.first() {
            Some(b'#') => line.starts_with(directive),
            Some(b'{') => is_inside(),
            Some(b'<') => true,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_line_of_each_kind_holds() {
        let mut headers = Headers::default();
        headers
            .note(b"#Software: x\n#Date: 2026-03-10\n#Fields: date a\n1 2\n#Fields: date b\n3 4\n");
        assert_eq!(headers.lines(), b"#Fields: date b\n#Date: 2026-03-10\n");
        headers.note(b"5 6\r\n7 #Fields: 8\n");
        assert_eq!(headers.lines(), b"#Fields: date b\n#Date: 2026-03-10\n");
        // What callers write is no header, and hides none.
        headers.note(b"#Fields: date x\n5 \"#Fields:\" {\n{\"a\":\"\\\"#Fields: y\"}\n");
        headers.note(b"6 #Fields: z #Date:\n");
        assert!(headers.lines().starts_with(b"#Fields: date x\n#Date: 2026"));
        headers.note(b"{\"message\":\"#Fields: date c\"}\n5 6");
        assert!(headers.lines().starts_with(b"{\"message\":\"#Fields: date c\"}\n"));
    }
}

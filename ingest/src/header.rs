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
            // Of a line far behind nothing more is asked than that it is the last.
            if let Some(at) = memmem::rfind(bytes, directive)
                && let Some(found) = line_at(bytes, at)
            {
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

/// The line that a place is in, if it is a header: by itself or in an envelope of JSON.
fn line_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let (before, after) = bytes.split_at_checked(at)?;
    let start = memchr::memrchr(b'\n', before).map_or(0, |it| it + 1);
    let end = memchr::memchr(b'\n', after).map_or(bytes.len(), |it| at + it);
    let line = bytes.get(start..end)?.trim_ascii();
    let is_header = line.starts_with(b"#")
        || line.starts_with(b"{") && bytes.get(at - 1) == Some(&b'"')
        || line.starts_with(b"<");
    (is_header && line.len() <= BYTES_MAX).then_some(line)
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
        headers.note(b"{\"message\":\"#Fields: date c\"}\n5 6");
        assert!(headers.lines().starts_with(b"{\"message\":\"#Fields: date c\"}\n"));
    }
}

//! Docker Compose: `name  | line`, as it shows the lines of several containers.

use super::{Envelope, Form, Inside};
use std::borrow::Cow;

pub(super) static ENVELOPE: Envelope = Envelope { name: "compose", form: Form::Text(open) };

/// Bytes in which the name ends.
const NAME_BYTES_MAX: usize = 96;

fn open(line: &str) -> Option<Inside<'_>> {
    let head = line.get(..line.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or(line);
    let (name, _) = head.split_once(" | ")?;
    let rest = line.get(name.len() + 3..)?;
    let name = name.trim_ascii_end();
    let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    let is_name = name.bytes().all(is_part) && name.bytes().any(|it| it.is_ascii_alphabetic());
    is_name.then_some(Inside::Line(Cow::Borrowed(rest)))
}

/// A glance at the first bytes: a word, spaces, a bar.
pub(super) fn may_begin(line: &[u8]) -> bool {
    let mut head = line.iter().take(NAME_BYTES_MAX).skip_while(|it| **it != b' ');
    head.find(|it| **it != b' ') == Some(&b'|')
}

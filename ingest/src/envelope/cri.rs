//! The container runtime interface: `time stdout F line`, long lines in parts with `P`.

use super::{Envelope, Form, Inside};
use crate::timestamp;
use std::borrow::Cow;

pub(super) static ENVELOPE: Envelope = Envelope { name: "cri", form: Form::Text(open) };

fn open(line: &str) -> Option<Inside<'_>> {
    let (time, rest) = line.split_once(' ')?;
    let (stream, rest) = rest.split_once(' ')?;
    let stream = ["stdout", "stderr"].iter().position(|it| *it == stream)?;
    timestamp::text(time)?;
    let (tags, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let text = Cow::Borrowed(text);
    match tags.split(':').next()? {
        "F" => Some(Inside::Last(stream, text)),
        "P" => Some(Inside::Part(stream, text)),
        _ => None,
    }
}

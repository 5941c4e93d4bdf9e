//! Docker's `json-file` driver: `{"log":"…\n","stream":"stdout","time":"…"}`, long lines in parts.

use super::{Envelope, Form, Found, Inside, LOG, STREAM, TIME, lines, string};

/// Docker cuts a line into parts of this many bytes; all but the last lack the end of the line.
const PART_BYTES: usize = 16 * 1024;

pub(super) static ENVELOPE: Envelope =
    Envelope { name: "docker", form: Form::Object { signatures: &[LOG | STREAM | TIME], open } };

fn open<'a>(found: &Found<'a>) -> Option<Inside<'a>> {
    if let Some(part) = found.part(LOG) {
        return Some(part);
    }
    let (text, stream) = (string(found.raw(LOG)?)?, found.stream());
    if text.ends_with('\n') {
        // Where no part came before, this is the whole line.
        return Some(Inside::Last(stream, text));
    }
    Some(if text.len() >= PART_BYTES { Inside::Part(stream, text) } else { lines(text) })
}

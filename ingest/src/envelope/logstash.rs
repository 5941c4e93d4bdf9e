//! Logstash: the line stands in `message`, in `event.original`, or in both.

use super::{AT_VERSION, EVENT, Envelope, Form, Found, Inside, MESSAGE, inside, member};

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "logstash",
    form: Form::Object { signatures: &[AT_VERSION | MESSAGE, AT_VERSION | EVENT], open },
};

fn open<'a>(found: &Found<'a>) -> Option<Inside<'a>> {
    // A filter may have changed the message; the original is as it came.
    let original = found.raw(EVENT).and_then(|it| member(it, "original")).and_then(inside);
    original.or_else(|| found.line(MESSAGE))
}

//! Fluent Bit and Fluentd: the line stands in `log`, or in `message` where a parser of containers' logs
//! put it; the key of the time can be chosen or left out.

use super::{
    DATE, Envelope, Form, Found, Inside, KUBERNETES, LOG, LOGTAG, MESSAGE, STREAM, TAG, string,
};

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "fluent_bit",
    form: Form::Object {
        signatures: &[
            LOG,
            MESSAGE | KUBERNETES,
            MESSAGE | DATE,
            MESSAGE | STREAM,
            MESSAGE | LOGTAG,
            MESSAGE | TAG,
        ],
        open,
    },
};

fn open<'a>(found: &Found<'a>) -> Option<Inside<'a>> {
    // An object `log` is Filebeat's or ECS's, unless it is what was read from a line.
    let is_text = found.raw(LOG).is_some_and(|it| string(it).is_some());
    if let Some(part) = found.part(if is_text { LOG } else { MESSAGE }) {
        return Some(part);
    }
    if is_text { found.line(LOG) } else { found.line(MESSAGE).or_else(|| found.line(LOG)) }
}

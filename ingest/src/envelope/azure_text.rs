//! Azure records with text where others have an object.
//!
//! The line of a Kubernetes cluster's audit log is `properties.log`; the `properties` of older services
//! are JSON in a string.
//! The names are those of every Azure record, so this is tried only for what no format could read.

use super::{
    CALLER_IP, CATEGORY, CORRELATION_ID, DURATION_MS, Envelope, Form, Found, Inside, NAMES,
    PROPERTIES, TIME, inside, member, string,
};
use std::borrow::Cow;

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "azure_text",
    form: Form::Object { signatures: &[CATEGORY | PROPERTIES], open },
};

/// What stands beside the properties and says something.
const BESIDE: [u64; 5] = [TIME, CATEGORY, DURATION_MS, CALLER_IP, CORRELATION_ID];

fn open<'a>(found: &Found<'a>) -> Option<Inside<'a>> {
    let properties = found.raw(PROPERTIES)?;
    if properties.starts_with('{') {
        return inside(member(properties, "log")?);
    }
    let text = string(properties)?;
    if !text.starts_with('{') {
        return None;
    }
    let mut line = String::from("{");
    for mark in BESIDE {
        let name = NAMES.get(mark.trailing_zeros() as usize);
        if let (Some(name), Some(value)) = (name, found.raw(mark)) {
            line.extend(["\"", *name, "\":", value, ","]);
        }
    }
    line.extend(["\"properties\":", &*text, "}"]);
    Some(Inside::Line(Cow::Owned(line)))
}

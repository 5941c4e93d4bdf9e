//! Tyk's stdout pump: the analytics record stands in a field of a log line.

use super::{Envelope, Form, TYK_RECORD};

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "tyk",
    form: Form::Object { signatures: &[TYK_RECORD], open: |found| found.line(TYK_RECORD) },
};

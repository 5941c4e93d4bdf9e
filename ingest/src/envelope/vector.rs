//! Vector: the line stands in `message`, beside the kind of source that it came from.

use super::{Envelope, Form, MESSAGE, SOURCE_TYPE};

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "vector",
    form: Form::Object { signatures: &[SOURCE_TYPE | MESSAGE], open: |found| found.line(MESSAGE) },
};

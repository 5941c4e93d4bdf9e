//! The journal of systemd in JSON: the line stands in `MESSAGE`.

use super::{Envelope, Form, JOURNAL_MESSAGE, JOURNAL_PROGRAM, JOURNAL_TIME};

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "journald",
    form: Form::Object {
        signatures: &[JOURNAL_MESSAGE | JOURNAL_TIME, JOURNAL_MESSAGE | JOURNAL_PROGRAM],
        open: |found| found.line(JOURNAL_MESSAGE),
    },
};

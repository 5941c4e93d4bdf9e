//! CloudTrail's files: `{"Records":[…]}`.

use super::{CLOUDTRAIL_RECORDS, Envelope, Form};

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "cloudtrail",
    form: Form::Object {
        signatures: &[CLOUDTRAIL_RECORDS],
        open: |found| found.list(CLOUDTRAIL_RECORDS),
    },
};

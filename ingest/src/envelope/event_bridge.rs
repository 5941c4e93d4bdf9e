//! Amazon EventBridge: `{"detail-type":"AWS API Call via CloudTrail","detail":{…}}`.

use super::{DETAIL, DETAIL_TYPE, Envelope, Form};

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "event_bridge",
    form: Form::Object { signatures: &[DETAIL | DETAIL_TYPE], open: |found| found.line(DETAIL) },
};

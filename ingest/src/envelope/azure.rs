//! Azure's diagnostic settings through Event Hubs: `{"records":[…]}`.

use super::{AZURE_RECORDS, Envelope, Form};

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "azure",
    form: Form::Object { signatures: &[AZURE_RECORDS], open: |found| found.list(AZURE_RECORDS) },
};

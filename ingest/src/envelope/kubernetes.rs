//! Kubernetes' audit webhook: `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[…]}`.

use super::{API_VERSION, Envelope, Form, ITEMS, KIND};

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "kubernetes",
    form: Form::Object {
        signatures: &[KIND | API_VERSION | ITEMS],
        open: |found| found.list(ITEMS),
    },
};

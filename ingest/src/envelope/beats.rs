//! Filebeat and Elastic Agent: the line stands in `message`, the time is when it was read.

use super::{
    AGENT, AT_METADATA, AT_TIMESTAMP, BEAT, DATA_STREAM, ECS, ELASTIC_AGENT, Envelope, Form, INPUT,
    MESSAGE,
};

/// What every document has.
const ALL: u64 = MESSAGE | AT_TIMESTAMP;

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "beats",
    form: Form::Object {
        signatures: &[
            ALL | AT_METADATA,
            ALL | AGENT,
            ALL | BEAT,
            ALL | ECS,
            ALL | INPUT,
            ALL | ELASTIC_AGENT,
            ALL | DATA_STREAM,
        ],
        open: |found| found.line(MESSAGE),
    },
};

//! Filebeat and Elastic Agent: the line stands in `message`, the time is when it was read.

use super::{
    AGENT, AT_METADATA, AT_TIMESTAMP, BEAT, DATA_STREAM, ECS, ELASTIC_AGENT, Envelope, Form, INPUT,
    JSON, MESSAGE,
};

/// What every document has.
const ALL: u64 = MESSAGE | AT_TIMESTAMP;
/// What one has whose line was JSON and was read on the way.
const READ: u64 = JSON | AT_TIMESTAMP;

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
            READ | AT_METADATA,
            READ | AGENT,
            READ | BEAT,
            READ | INPUT,
        ],
        open: |found| found.line(JSON).or_else(|| found.line(MESSAGE)),
    },
};

//! The framing of a schema registry: a byte 0, four bytes of a schema's number, then the record.
//!
//! Kong's Kafka plugin writes it where a registry is configured. What follows is Avro or JSON by a
//! schema that only the registry knows, so it is recognised and explained, not read.

use super::{Envelope, Form, Inside};
use crate::reject::Reject;

pub(super) static ENVELOPE: Envelope = Envelope { name: "registry", form: Form::Text(open) };

fn open(line: &str) -> Option<Inside<'_>> {
    line.starts_with('\0').then_some(Inside::Refused(Reject::RegistryFraming))
}

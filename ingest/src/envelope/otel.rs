//! OpenTelemetry: a log record whose body is the line, in an OTLP export or by itself.
//!
//! A record that says in its attributes what was asked is an event of its own format and no envelope.

use super::split::Members;
use super::{
    BODY, Envelope, Form, Found, Inside, OBSERVED_TIME_UNIX_NANO, RESOURCE_LOGS, SEVERITY_TEXT,
    TIME_UNIX_NANO, inside, member,
};
use std::borrow::Cow;

pub(super) static ENVELOPE: Envelope = Envelope {
    name: "otel",
    form: Form::Object {
        signatures: &[
            RESOURCE_LOGS,
            BODY | TIME_UNIX_NANO,
            BODY | OBSERVED_TIME_UNIX_NANO,
            BODY | SEVERITY_TEXT,
        ],
        open,
    },
};

/// Names of attributes that say what was asked.
const CALLS: [&[u8]; 4] = [b"\"http.", b"\"url.", b"\"rpc.", b"\"mcp."];

fn open<'a>(found: &Found<'a>) -> Option<Inside<'a>> {
    let Some(resources) = found.raw(RESOURCE_LOGS) else { return body(found.raw(BODY)?) };
    let mut lines = Vec::new();
    for resource in elements(resources) {
        for scope in member(resource, "scopeLogs").into_iter().flat_map(elements) {
            for record in member(scope, "logRecords").into_iter().flat_map(elements) {
                if member(record, "attributes").is_some_and(says_call) {
                    return None;
                }
                match member(record, "body").and_then(body) {
                    Some(Inside::Line(line)) => lines.push(line),
                    Some(Inside::Lines(more)) => lines.extend(more),
                    _ => return None,
                }
            }
        }
    }
    (!lines.is_empty()).then_some(Inside::Lines(lines))
}

/// Whether attributes say what was asked.
fn says_call(attributes: &str) -> bool {
    let attributes = attributes.as_bytes();
    CALLS.iter().any(|name| memchr::memmem::find(attributes, name).is_some())
}

fn elements(list: &str) -> impl Iterator<Item = &str> {
    Members::of(list).into_iter().flatten().map_while(Result::ok).map(|(_, element)| element)
}

/// `"line"` or `{"stringValue":"line"}`; a body of another type is for its format.
fn body(raw: &str) -> Option<Inside<'_>> {
    match inside(raw)? {
        Inside::Line(Cow::Borrowed(object)) if raw.starts_with('{') => {
            inside(member(object, "stringValue")?)
        }
        Inside::List(_) => None,
        found => Some(found),
    }
}

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

/// How names of attributes begin that say what was asked.
const CALLS: [&str; 4] = ["http.", "url.", "rpc.", "mcp."];
/// Bytes of records that are put together in one object, beside those of their resource.
const GROUP_BYTES: usize = 16 * 1024;

fn open<'a>(found: &Found<'a>) -> Option<Inside<'a>> {
    let Some(resources) = found.raw(RESOURCE_LOGS) else { return body(found.raw(BODY)?) };
    let (mut lines, mut has_text) = (Vec::new(), false);
    for resource in elements(resources) {
        let about = member(resource, "resource").unwrap_or("{}");
        for scope in member(resource, "scopeLogs").into_iter().flat_map(elements) {
            let mut group = Group { resource: about, records: String::new() };
            for record in member(scope, "logRecords").into_iter().flat_map(elements) {
                // Each record for itself: one of a batch must not decide what the others are.
                let is_call = member(record, "attributes").is_some_and(says_call);
                match member(record, "body").filter(|_| !is_call).and_then(body) {
                    Some(Inside::Line(line)) => {
                        has_text = true;
                        lines.push(line);
                    }
                    Some(Inside::Lines(more)) => {
                        has_text = true;
                        lines.extend(more);
                    }
                    _ => group.add(record, &mut lines),
                }
            }
            group.end(&mut lines);
        }
    }
    has_text.then_some(Inside::Lines(lines))
}

/// Records of one scope that are for their own format.
struct Group<'a> {
    resource: &'a str,
    records: String,
}

impl Group<'_> {
    fn add(&mut self, record: &str, lines: &mut Vec<Cow<'_, str>>) {
        if !self.records.is_empty() {
            self.records.push(',');
        }
        self.records.push_str(record);
        // Together the objects hardly get longer than twice the batch.
        if self.records.len() > GROUP_BYTES.max(self.resource.len()) {
            self.end(lines);
        }
    }

    /// Makes an export of the records so far.
    fn end(&mut self, lines: &mut Vec<Cow<'_, str>>) {
        if self.records.is_empty() {
            return;
        }
        let Self { resource, records } = self;
        lines.push(Cow::Owned(format!(
            r#"{{"resourceLogs":[{{"resource":{resource},"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#
        )));
        self.records.clear();
    }
}

/// Whether attributes say what was asked: by their names, for a value may hold anything.
fn says_call(attributes: &str) -> bool {
    let mut attributes = Members::of(attributes).into_iter().flatten().map_while(Result::ok);
    attributes.any(|(name, value)| {
        // Some exporters make an object of the list.
        let key = || member(value, "key").and_then(|it| it.strip_prefix('"')).unwrap_or("");
        let key = if name.is_empty() { key() } else { name };
        CALLS.iter().any(|call| key.starts_with(call))
    })
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

//! Canonical events as NDJSON: one line per event, every column that has a value.

use model::{Event, EventBatch, Int, Text};
use std::io::Write as _;

/// Appends an event as one line of JSON, with a line end.
///
/// `endpoint` is the endpoint's name, as it may have been folded since. Read again as
/// [`crate::format::FormatId::Canonical`], the line gives the same event; only its position, its
/// content hash and the object of a redacted path differ.
pub fn write(batch: &EventBatch, event: &Event, endpoint: &str, out: &mut Vec<u8>) {
    out.extend(b"{\"time\":");
    display(event.time, out);
    for (name, value) in [
        ("time_kind", event.time_kind.as_str()),
        ("time_precision", event.time_precision.as_str()),
        ("principal_type", event.principal_type.as_str()),
        ("principal_trust", event.principal_trust.as_str()),
        ("principal_source", event.principal_source),
        ("endpoint_source", event.endpoint_source.as_str()),
        ("source_format", event.source_format),
    ] {
        key(name, out);
        string(value, out);
    }
    for column in Text::ALL.iter().copied() {
        let value = match column {
            Text::Endpoint => Some(endpoint).filter(|it| !it.is_empty()),
            _ => batch.text(event, column),
        };
        if let Some(value) = value {
            key(column.as_str(), out);
            string(value, out);
        }
    }
    for column in Int::ALL.iter().copied() {
        if let Some(value) = event.int(column) {
            key(column.as_str(), out);
            number(value, out);
        }
    }
    if !event.injection_classes.is_empty() {
        key("injection_classes", out);
        display(event.injection_classes, out);
    }
    key("parse_flags", out);
    number(i64::from(event.parse_flags.0), out);
    out.extend(b"}\n");
}

fn key(name: &str, out: &mut Vec<u8>) {
    out.push(b',');
    string(name, out);
    out.push(b':');
}

fn number(value: i64, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _infallible = write!(out, "{value}");
}

fn display(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    let _infallible = write!(out, "\"{value}\"");
}

/// A JSON string; runs of ordinary characters are copied whole.
fn string(value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = value.as_bytes();
    let mut kept = 0;
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(byte, b'"' | b'\\' | 0..0x20 | 0x7f) {
            out.extend(bytes.get(kept..index).unwrap_or_default());
            kept = index + 1;
            match byte {
                b'"' | b'\\' => out.extend([b'\\', *byte]),
                b'\n' => out.extend(b"\\n"),
                b'\t' => out.extend(b"\\t"),
                _ => {
                    let _infallible = write!(out, "\\u{byte:04x}");
                }
            }
        }
    }
    out.extend(bytes.get(kept..).unwrap_or_default());
    out.push(b'"');
}

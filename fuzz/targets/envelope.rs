//! The envelopes: taken off one by one, and as the parser does it.
#![no_main]

use ingest::{Chunk, Settings};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static PARSER: LazyLock<ingest::Parser> =
    LazyLock::new(|| Settings::default().check([7; 32]).expect("the default settings"));

fuzz_target!(|data: &str| {
    for line in data.lines() {
        ingest::fuzz::peel(line.trim());
    }
    // The same inside a shipper's document: what is inside is never believed more.
    let wrapped = format!(
        "{{\"@timestamp\":\"2026-03-10T03:36:59Z\",\"@metadata\":{{}},\"message\":{}}}\n{data}",
        serde_json::Value::from(data),
    );
    let chunk = Chunk { bytes: wrapped.into_bytes(), first_line: 1, ..Chunk::default() };
    let parsed = PARSER.parse(&chunk, None);
    assert_eq!(parsed.records, parsed.batch.events.len() as u64 + parsed.rejects.total());
});

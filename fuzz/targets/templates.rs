//! The templates of paths, by their looks and as they are learned: each line is a path that was called.
#![no_main]

use ingest::endpoint::{self, Templates};
use ingest::{Chunk, FormatId, Settings};
use libfuzzer_sys::fuzz_target;
use model::Text;
use std::sync::LazyLock;

static PARSER: LazyLock<ingest::Parser> =
    LazyLock::new(|| Settings::default().check([7; 32]).expect("the default settings"));

fuzz_target!(|data: &str| {
    let mut lines = String::new();
    for path in data.lines() {
        let path = serde_json::Value::from(format!("/{path}"));
        lines.push_str(&format!(
            "{{\"time\":\"2026-03-10T03:36:59Z\",\"http_request_method\":\"GET\",\
             \"http_response_status_code\":200,\"url_path\":{path}}}\n"
        ));
    }
    let chunk = Chunk { bytes: lines.into_bytes(), first_line: 1, ..Chunk::default() };
    let mut parsed = PARSER.parse(&chunk, Some(FormatId::Canonical));
    let settings = endpoint::Settings { children_max: 4, ..endpoint::Settings::default() };
    let mut templates = Templates::new(settings);
    let names: Vec<String> = parsed
        .batch
        .events
        .iter()
        .map(|it| parsed.batch.text(it, Text::Endpoint).unwrap_or("").to_owned())
        .collect();
    // Twice, so that what was folded meets what folded it.
    for _ in 0..2 {
        for (event, name) in parsed.batch.events.iter_mut().zip(&names) {
            templates.assign(event, name);
            // Every event has an endpoint with a name.
            assert!(!templates.endpoints().name(event.endpoint_id).is_empty());
        }
        templates.apply_folds();
    }
});

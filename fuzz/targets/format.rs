//! One format's parser: the target's name is `format_` and the format's.
#![no_main]

use ingest::{Chunk, FormatId, Settings};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static PARSER: LazyLock<ingest::Parser> =
    LazyLock::new(|| Settings::default().check([7; 32]).expect("the default settings"));

fuzz_target!(|data: &[u8]| {
    let name = env!("CARGO_BIN_NAME").trim_start_matches("format_");
    let format = FormatId::from_name(name).expect("a format of this name");
    let chunk = Chunk { bytes: data.to_vec(), first_line: 1, ..Chunk::default() };
    let parsed = PARSER.parse(&chunk, Some(format));
    // Nothing is lost and nothing counted twice.
    assert_eq!(parsed.records, parsed.batch.events.len() as u64 + parsed.rejects.total());
    for event in &parsed.batch.events {
        assert!(event.time.is_plausible());
    }
});

//! Recognition and its explanation, of whatever comes.
#![no_main]

use ingest::{Settings, explain, sniff};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static PARSER: LazyLock<ingest::Parser> =
    LazyLock::new(|| Settings::default().check([7; 32]).expect("the default settings"));

fuzz_target!(|data: &[u8]| {
    let found = sniff::stream(data);
    let explained = explain::explain(data, &PARSER, None);
    assert_eq!(found.is_ok(), explained.is_ok());
});

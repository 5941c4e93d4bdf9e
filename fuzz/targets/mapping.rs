//! Declared formats: the first line is a template or a delimiter, the others are lines of such a log.
#![no_main]

use ingest::format::{Mapping, Place, verify};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;

fuzz_target!(|data: &str| {
    let (head, pattern) = data.split_once('\n').unwrap_or((data, ""));
    let place = |name: &str| Place { field: vec![name.to_owned()], unit: None };
    let fields = [("time", "a"), ("http_response_status_code", "b")];
    let fields: BTreeMap<String, Place> =
        fields.map(|(column, name)| (column.to_owned(), place(name))).into();
    let mapping = Mapping {
        template: head.to_owned(),
        time_format: pattern.lines().next().unwrap_or("").to_owned(),
        fields,
        ..Mapping::default()
    };
    // It is a format or an error that names a setting; declaring would keep it for good.
    if let Err(error) = verify(&BTreeMap::from([("fuzzed".to_owned(), mapping)])) {
        assert!(error.to_string().starts_with("`format.fuzzed"));
    }
});

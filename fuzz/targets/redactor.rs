//! The redactor: whatever stands around it, a secret does not come through.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// A key as AWS's documentation has it.
const SECRET: &str = "AKIAIOSFODNN7EXAMPLE";

fuzz_target!(|data: &str| {
    for redacted in ingest::fuzz::redact(data) {
        // Replacing makes texts longer, but never without bounds.
        assert!(redacted.len() <= data.len() * 24 + 64);
    }
    for redacted in ingest::fuzz::redact(&format!("{data} {SECRET} {data}")) {
        assert!(!redacted.contains(SECRET), "{redacted}");
    }
});

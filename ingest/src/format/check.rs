//! The check that the tests of all formats go through, and the tests over the shared samples.

use crate::format::FormatId;
use crate::parse::{Parsed, Parser, Settings};
use crate::{Chunk, ndjson};
use model::{EventBatch, Text};
use serde_json::{Map, Value};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A parser for tests.
pub(crate) fn parser(settings: &Settings) -> Parser {
    settings.check([42; 32]).expect("settings that can be used")
}

/// The parsers of most tests: made once, because each has the tables of all formats.
static PARSERS: LazyLock<[Parser; 2]> = LazyLock::new(|| {
    let default = || parser(&Settings::default());
    [default(), default().keeping_rejects()]
});

/// Parses lines with the default settings.
pub(crate) fn parse(lines: &[u8], format: Option<FormatId>) -> Parsed {
    let chunk = Chunk { bytes: lines.to_vec(), first_line: 1, ..Chunk::default() };
    PARSERS[0].parse(&chunk, format)
}

/// The same, with a sample of every reject.
pub(crate) fn parse_keeping(lines: &[u8], format: Option<FormatId>) -> Parsed {
    let chunk = Chunk { bytes: lines.to_vec(), first_line: 1, ..Chunk::default() };
    PARSERS[1].parse(&chunk, format)
}

/// The events of a batch as the objects that `normalize` writes.
pub(crate) fn objects(batch: &EventBatch) -> Vec<Map<String, Value>> {
    let mut out = Vec::new();
    for event in &batch.events {
        ndjson::write(batch, event, batch.text(event, Text::Endpoint).unwrap_or(""), &mut out);
    }
    let lines = out.split(|it| *it == b'\n').filter(|it| !it.is_empty());
    lines.map(|it| serde_json::from_slice(it).expect("NDJSON that can be read")).collect()
}

/// Checks columns of the one event of a line, written `column=value`; `column=` has no value.
/// `reject=reason` expects no event.
#[track_caller]
pub(crate) fn check(format: FormatId, line: &str, expected: &[&str]) {
    let parsed = parse(line.as_bytes(), Some(format));
    let objects = objects(&parsed.batch);
    let shown = |name: &str| {
        let reason = parsed.rejects.iter().next().map(|(reason, _)| reason.to_string());
        match (name, objects.first().and_then(|it| it.get(name))) {
            ("reject", _) => reason.unwrap_or_default(),
            ("events", _) => objects.len().to_string(),
            (_, Some(Value::String(text))) => text.clone(),
            (_, Some(value)) => value.to_string(),
            (_, None) => String::new(),
        }
    };
    for pair in expected {
        let (name, value) = pair.split_once('=').expect("column=value");
        assert_eq!(shown(name), value, "{name} of {line}");
    }
}

fn samples(folder: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/samples").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: there are no samples at {}", path.display());
    None
}

#[test]
fn every_line_of_the_real_logs_is_an_event() {
    let Some(root) = samples("logs") else { return };
    for (name, lines) in [("apache_semicomplete.log.gz", 10_000), ("secrepo.log.gz", 1_219)] {
        let file = std::fs::File::open(root.join(name)).expect("a log");
        let mut bytes = Vec::new();
        flate2::read::MultiGzDecoder::new(file).read_to_end(&mut bytes).expect("a whole log");
        assert_eq!(crate::sniff::stream(&bytes), Ok(FormatId::Clf), "{name}");
        let parsed = parse(&bytes, Some(FormatId::Clf));
        assert_eq!(parsed.rejects.total(), 0, "{name}: {:?}", parsed.rejects);
        assert_eq!(parsed.batch.events.len(), lines, "{name}");
    }
}

#[test]
fn hardly_any_ordinary_target_has_signs_of_injection() {
    let Some(root) = samples("logs") else { return };
    let file = std::fs::File::open(root.join("apache_semicomplete.log.gz")).expect("a log");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("a whole log");
    let targets = text.lines().filter_map(|line| line.split('"').nth(1)?.split(' ').nth(1));
    let targets: Vec<_> = targets.map(|it| it.split_once('?').unwrap_or((it, ""))).collect();
    let mut folded = crate::injection::Folded::default();
    let of = |(path, query): &(&str, &str)| !folded.classes(path, query, None).is_empty();
    let found = targets.iter().copied().filter(of).count();
    println!("{found} of {} targets have signs of injection", targets.len());
    assert!(found <= 5, "{found}");
}

#[test]
fn every_line_of_the_canonical_streams_is_an_event() {
    let Some(root) = samples("labelled") else { return };
    for entry in std::fs::read_dir(root).expect("a folder of samples") {
        let path = entry.expect("an entry").path();
        if path.to_str().is_some_and(|it| it.ends_with(".ndjson.gz")) {
            let file = std::fs::File::open(&path).expect("a stream");
            let mut bytes = Vec::new();
            flate2::read::MultiGzDecoder::new(file)
                .read_to_end(&mut bytes)
                .expect("a whole stream");
            let head = bytes.get(..64 * 1024).unwrap_or(&bytes);
            assert_eq!(crate::sniff::stream(head), Ok(FormatId::Canonical), "{}", path.display());
            let parsed = parse(&bytes, Some(FormatId::Canonical));
            assert_eq!(parsed.rejects.total(), 0, "{}: {:?}", path.display(), parsed.rejects);
        }
    }
}

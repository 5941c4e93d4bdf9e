//! The speed of each format's parser as a ratio to the plainest parse of the same fields.
//!
//! `cargo bench --bench formats` makes a log of 100 000 records for every format, from the repository's
//! own samples (`ingest/samples`) with varied addresses, ids and times, and reads it on one thread in
//! turns: as Habitus does, from lines to redacted events; text also only as far as its format's own work
//! goes, to typed fields that borrow; and as plainly as can be. For JSON that is one pass of
//! `sonic_rs::get_many` to the same fields with their numbers parsed, or a typed parse where the fields
//! stand in lists; for text a split that borrows, at spaces outside of quotes and brackets, with the
//! numbers parsed.
//!
//! Events of JSON and fields of text are held to a bar. What comes after the fields (identity, endpoint,
//! redaction) is the same for all formats and no parse; the events of text are shown beside it.
//! Arguments after `--`: `records=N rounds=N format=NAME`, and `require=1` to fail where a bar is missed.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on has failed, and prints what it measured"
)]

#[path = "formats/telemetry.rs"]
mod telemetry;

use ingest::bench::Fields;
use ingest::{Chunk, FormatId, Parser, Settings, explain};
use serde_json::Value;
use sonic_rs::PointerTree;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The system's allocator gives back the memory of each batch, and has it mapped anew for the next.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a format must reach of the plainest parse.
const RATIO_MIN: f64 = 0.4;
/// How many times slower than the middle of its peers a format may be.
const SLOWER_MAX: f64 = 5.0;
/// Lines of a chunk, as the service hands them on.
const CHUNK_LINES: usize = 1_000;

/// What is asked for on the command line.
struct Wish {
    records: usize,
    rounds: usize,
    format: Option<FormatId>,
    is_required: bool,
}

/// One format's log, and how it is read.
struct Log {
    format: FormatId,
    chunks: Vec<Chunk>,
    plain: Plain,
    records: usize,
}

/// The plainest parse of the same fields.
enum Plain {
    /// The places of the fields in an object, which may stand behind a head of text.
    Json(PointerTree),
    /// Logs and spans of OTLP.
    Telemetry,
    /// The words of a line.
    Text,
}

/// What was measured of a format.
struct Measured {
    format: FormatId,
    /// Events a second.
    per_second: f64,
    /// What the bar is about: events of JSON, fields of text, over those of the plainest parse.
    ratio: f64,
}

/// Records per second in one turn.
struct Turn {
    events: f64,
    fields: Option<f64>,
    plain: f64,
}

fn main() {
    let wish = wish();
    let parser = Settings::default().check([7; 32]).expect("the default settings");
    let formats = FormatId::ALL.iter().copied();
    let mut measured = Vec::new();
    println!(
        "{:22} {:>12} {:>12} {:>12} {:>13} {:>13}",
        "format", "events/s", "fields/s", "plain/s", "events/plain", "fields/plain"
    );
    for format in formats.filter(|it| wish.format.is_none_or(|wished| wished == *it)) {
        let Some(log) = Log::of(format, &parser, wish.records) else {
            println!("{format:22} has no samples");
            continue;
        };
        let result = log.measure(&parser, wish.rounds);
        measured.push(result);
    }
    let missed = misses(&measured);
    for miss in &missed {
        println!("{miss}");
    }
    assert!(missed.is_empty() || !wish.is_required, "{} bars are missed", missed.len());
}

fn wish() -> Wish {
    let mut wish = Wish { records: 100_000, rounds: 5, format: None, is_required: false };
    for argument in std::env::args().skip(1) {
        let Some((name, value)) = argument.split_once('=') else { continue };
        let number = || value.parse::<usize>().expect("a number after =");
        match name {
            "records" => wish.records = number(),
            "rounds" => wish.rounds = number().max(1),
            "require" => wish.is_required = number() > 0,
            "format" => wish.format = Some(FormatId::from_name(value).expect("a format's name")),
            _ => panic!("no setting is called {name}"),
        }
    }
    wish
}

/// The bars that are missed, in words.
fn misses(measured: &[Measured]) -> Vec<String> {
    let mut missed = Vec::new();
    for is_json in [true, false] {
        let peers: Vec<_> = measured.iter().filter(|it| it.format.is_json() == is_json).collect();
        let mut speeds: Vec<f64> = peers.iter().map(|it| it.per_second).collect();
        speeds.sort_by(f64::total_cmp);
        let Some(middle) = speeds.get(speeds.len() / 2) else { continue };
        for it in peers {
            if it.ratio < RATIO_MIN {
                missed.push(format!(
                    "{}: {:.2} of the plain parse, not {RATIO_MIN}",
                    it.format, it.ratio
                ));
            }
            if it.per_second * SLOWER_MAX < *middle {
                let slower = middle / it.per_second;
                missed.push(format!("{}: {slower:.1} times slower than its peers", it.format));
            }
        }
    }
    missed
}

impl Log {
    /// A log of so many records, made from a format's samples; `None` without any.
    fn of(format: FormatId, parser: &Parser, records: usize) -> Option<Self> {
        let (headers, samples) = samples(format, parser);
        if samples.is_empty() {
            return None;
        }
        let is_object = |it: &String| it.contains('{') && it.ends_with('}');
        let plain = if format == FormatId::Otlp {
            Plain::Telemetry
        } else if format.is_json() || samples.iter().all(is_object) {
            Plain::Json(tree(format, parser, &samples))
        } else {
            Plain::Text
        };
        let mut chunks = Vec::new();
        let mut made = 0;
        while made < records {
            let mut bytes = Vec::new();
            for sample in samples.iter().cycle().take(CHUNK_LINES.min(records - made)) {
                varied(sample, made as u64, &mut bytes);
                bytes.push(b'\n');
                made += 1;
            }
            let header = headers.clone().into_bytes();
            chunks.push(Chunk { bytes, header, first_line: 1, ..Chunk::default() });
        }
        // What was varied is still a record of the format.
        let first = parser.parse(chunks.first()?, Some(format));
        if first.rejects.total() > 0 {
            println!(
                "{format:22} {} of the first {CHUNK_LINES} are no events",
                first.rejects.total()
            );
        }
        Some(Self { format, chunks, plain, records })
    }

    /// Reads the log in all ways by turns, prints the middle of each, and gives it.
    fn measure(&self, parser: &Parser, rounds: usize) -> Measured {
        let turn = || Turn {
            events: self.rate(|chunk| self.whole(parser, chunk)),
            fields: self.is_text().then(|| self.rate(|chunk| self.fields(chunk))),
            plain: self.rate(|chunk| self.plain(chunk)),
        };
        let turns: Vec<Turn> = (0..rounds).map(|_| turn()).collect();
        let middle = |of: &dyn Fn(&Turn) -> f64| {
            let mut values: Vec<f64> = turns.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let (per_second, plain) = (middle(&|it| it.events), middle(&|it| it.plain));
        let of_events = middle(&|it| it.events / it.plain);
        let of_fields = self.is_text().then(|| middle(&|it| it.fields.unwrap_or(0.0) / it.plain));
        let fields = middle(&|it| it.fields.unwrap_or(0.0));
        let shown = of_fields.map_or("-".to_owned(), |it| format!("{it:.2}"));
        let ratio = of_fields.unwrap_or(of_events);
        let mark = if ratio < RATIO_MIN { " below the bar" } else { "" };
        println!(
            "{:22} {per_second:12.0} {fields:12.0} {plain:12.0} {of_events:13.2} {shown:>13}{mark}",
            self.format
        );
        Measured { format: self.format, per_second, ratio }
    }

    fn is_text(&self) -> bool {
        !self.format.is_json()
    }

    /// Records per second of reading all chunks.
    fn rate(&self, read: impl Fn(&Chunk) -> usize) -> f64 {
        let started = now();
        let sum: usize = self.chunks.iter().map(read).sum();
        std::hint::black_box(sum);
        self.records as f64 / started.elapsed().as_secs_f64()
    }

    fn whole(&self, parser: &Parser, chunk: &Chunk) -> usize {
        parser.parse(chunk, Some(self.format)).batch.events.len()
    }

    fn fields(&self, chunk: &Chunk) -> usize {
        let mut fields = Fields::new(self.format, text(&chunk.header));
        text(&chunk.bytes).lines().map(|line| fields.read(line)).sum()
    }

    fn plain(&self, chunk: &Chunk) -> usize {
        let lines = text(&chunk.bytes).lines();
        match &self.plain {
            Plain::Json(tree) => lines.map(|line| object(line, tree)).sum(),
            Plain::Telemetry => lines.map(telemetry::read).sum(),
            Plain::Text => lines.map(split).sum(),
        }
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the samples are UTF-8")
}

/// The object in a line.
fn behind_head(line: &str) -> &str {
    line.get(line.find('{').unwrap_or(0)..).unwrap_or("")
}

/// Finds the fields of an object and parses their numbers.
fn object(line: &str, tree: &PointerTree) -> usize {
    let line = behind_head(line);
    // A null where others have an object ends the search: such a line is walked once.
    let Ok(found) = sonic_rs::get_many(line, tree) else {
        return sonic_rs::from_str::<serde::de::IgnoredAny>(line).map_or(0, |_| line.len());
    };
    let mut sum = 0;
    for value in found.iter().flatten() {
        let raw = value.as_raw_str();
        sum += match raw.trim_matches('"').parse::<f64>() {
            Ok(number) => number.to_bits() as usize & 1,
            Err(_) => raw.len(),
        };
    }
    sum
}

/// Splits a line at spaces and tabs that stand outside of quotes and brackets.
fn split(line: &str) -> usize {
    let bytes = line.as_bytes();
    let (mut start, mut sum) = (0, 0);
    let (mut is_quoted, mut is_escaped, mut depth) = (false, false, 0_u32);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'[' if !is_quoted => depth += 1,
            b']' if !is_quoted => depth = depth.saturating_sub(1),
            b' ' | b'\t' if !is_quoted && depth == 0 => {
                sum += value(line.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    sum + value(line.get(start..))
}

fn value(text: Option<&str>) -> usize {
    let text = text.unwrap_or("");
    match text.parse::<f64>() {
        Ok(number) => number.to_bits() as usize & 1,
        Err(_) => text.len(),
    }
}

/// The header lines and the records of a format in the repository's samples.
fn samples(format: FormatId, parser: &Parser) -> (String, Vec<String>) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("ingest/samples").join(format.as_str());
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let is_log = |path: &PathBuf| {
        let name = path.to_string_lossy();
        name.ends_with(".log") || name.ends_with(".raw.jsonl")
    };
    let mut paths: Vec<PathBuf> = entries.map(|it| it.path()).filter(is_log).collect();
    paths.sort();
    let (mut headers, mut lines) = (String::new(), Vec::new());
    for path in paths {
        let bytes = std::fs::read(path).expect("a sample");
        for line in String::from_utf8_lossy(&bytes).lines().map(str::trim) {
            if line.starts_with('#') && headers.len() < 4_096 {
                headers.push_str(line);
                headers.push('\n');
            } else if is_record(line, &headers, format, parser) {
                lines.push(line.to_owned());
            }
        }
    }
    (headers, lines)
}

/// Whether a line alone is one event of a format, and is whole.
fn is_record(line: &str, header: &str, format: FormatId, parser: &Parser) -> bool {
    let chunk = Chunk {
        bytes: line.as_bytes().to_vec(),
        header: header.as_bytes().to_vec(),
        ..Chunk::default()
    };
    let parsed = parser.parse(&chunk, Some(format));
    let is_one = parsed.batch.events.len() == 1 && parsed.rejects.total() == 0;
    let is_of = |it: &model::Event| it.source_format == format.as_str();
    let explained = explain::explain(line.as_bytes(), parser, Some(format));
    // A canonical record says what it was before.
    is_one
        && (format == FormatId::Canonical || parsed.batch.events.iter().all(is_of))
        && explained.is_ok_and(|it| it.envelopes.is_empty())
        && (!format.is_json() || serde_json::from_str::<Value>(line).is_ok_and(|it| it.is_object()))
}

/// The places of the fields that are read of the samples.
fn tree(format: FormatId, parser: &Parser, samples: &[String]) -> PointerTree {
    let mut paths: Vec<Vec<String>> = Vec::new();
    for sample in samples {
        let object: Value = serde_json::from_str(behind_head(sample)).expect("an object");
        let explained = explain::explain(sample.as_bytes(), parser, Some(format));
        for field in explained.expect("a declared format").fields {
            if let Some(path) = place(&object, field.field)
                && !paths.contains(&path)
            {
                paths.push(path);
            }
        }
    }
    let mut tree = PointerTree::new();
    for path in &paths {
        tree.add_path(path.iter().map(String::as_str));
    }
    tree
}

/// Where a dotted name stands in an object: as it is, or inside others.
fn place(object: &Value, name: &str) -> Option<Vec<String>> {
    let members = object.as_object()?;
    let same = |it: &&String, name: &str| it.eq_ignore_ascii_case(name);
    if let Some(key) = members.keys().find(|it| same(it, name)) {
        return Some(vec![key.clone()]);
    }
    for (at, _) in name.match_indices('.') {
        let (head, tail) = (name.get(..at)?, name.get(at + 1..)?);
        let Some((key, inner)) = members.iter().find(|(key, _)| same(key, head)) else { continue };
        if let Some(mut rest) = place(inner, tail) {
            rest.insert(0, key.clone());
            return Some(rest);
        }
    }
    None
}

/// Another record of the same shape: the last part of addresses, the numbers in paths and the ends of
/// long numbers differ.
fn varied(line: &str, number: u64, out: &mut Vec<u8>) {
    let bytes = line.as_bytes();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|it| !it.is_empty()) {
        let digits = rest.iter().take_while(|it| it.is_ascii_digit()).count();
        if digits == 0 {
            out.extend(rest.first());
            at += 1;
            continue;
        }
        let before = bytes.get(..at).unwrap_or_default();
        let after = rest.get(digits).copied();
        if is_last_octet(before) && digits <= 3 && after != Some(b'.') {
            out.extend((number % 250 + 1).to_string().bytes());
        } else if is_in_path(before)
            && digits <= 6
            && matches!(after, Some(b'/' | b'?' | b' ' | b'"'))
        {
            out.extend((number % 900 + 100).to_string().bytes());
        } else if (10..=19).contains(&digits) && !before.ends_with(b".") {
            out.extend(rest.get(..digits - 3).unwrap_or_default());
            out.extend(format!("{:03}", number % 1_000).bytes());
        } else {
            out.extend(rest.get(..digits).unwrap_or_default());
        }
        at += digits;
    }
}

/// Whether three numbers with dots stand before, and nothing that goes on.
fn is_last_octet(before: &[u8]) -> bool {
    let mut rest = before;
    for _ in 0..3 {
        let Some(digits) = rest.strip_suffix(b".") else { return false };
        let count = digits.iter().rev().take_while(|it| it.is_ascii_digit()).count();
        if !(1..=3).contains(&count) {
            return false;
        }
        rest = digits.get(..digits.len() - count).unwrap_or_default();
    }
    !rest.ends_with(b".") && !rest.last().is_some_and(u8::is_ascii_alphanumeric)
}

/// Whether a path's segment begins here: neither a date nor a version of HTTP.
fn is_in_path(before: &[u8]) -> bool {
    before
        .strip_suffix(b"/")
        .is_some_and(|it| it.last().is_some_and(u8::is_ascii_lowercase) && !it.ends_with(b"http"))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}

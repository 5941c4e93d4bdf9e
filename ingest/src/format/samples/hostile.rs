//! Mutations of all samples, canaries in all of their fields, and lines that would take a careless
//! parser quadratic time.

use super::{Sample, own, shared};
use crate::format::check::{objects, parse, parser};
use crate::{Chunk, FormatId, Settings, sniff};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Mutations of each record.
const MUTATIONS: u64 = 40;
/// Records of one sample that are looked at.
const RECORDS_MAX: usize = 40;

/// A small generator of numbers (splitmix64): the same ones in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn all() -> impl Iterator<Item = Sample> {
    shared().into_iter().chain(own())
}

/// Changes a record in one way or another.
fn mutate(line: &mut Vec<u8>, numbers: &mut Numbers) {
    const PIECES: [&[u8]; 14] = [
        b"\"",
        b"\\",
        b" ",
        b"[",
        b"]",
        b"{",
        b"}",
        b"\t",
        b"|",
        b"-",
        b"\xff\xfe",
        b"\\\"",
        b",",
        b"99999999999999999999",
    ];
    let at = numbers.below(line.len() + 1);
    match numbers.below(6) {
        0 => line.truncate(at),
        1 => {
            let end = (at + numbers.below(12)).min(line.len());
            line.drain(at..end);
        }
        2 => {
            let piece = PIECES[numbers.below(PIECES.len())];
            line.splice(at..at, piece.iter().copied());
        }
        3 => {
            let end = (at + numbers.below(60)).min(line.len());
            let piece = line[at..end].to_vec();
            let to = numbers.below(line.len() + 1);
            line.splice(to..to, piece);
        }
        4 => {
            if let Some(byte) = line.get_mut(at) {
                *byte = numbers.next() as u8;
            }
        }
        _ => {
            let piece = PIECES[numbers.below(PIECES.len())].repeat(30);
            line.splice(at..at, piece);
        }
    }
}

#[test]
fn a_changed_record_is_an_event_or_a_reject() {
    let mut numbers = Numbers(5);
    let mut count = 0;
    for sample in all() {
        for number in sample.records().take(RECORDS_MAX).collect::<Vec<_>>() {
            let format = sniff::record(&sample.alone(number));
            for _ in 0..MUTATIONS {
                let mut line = sample.alone(number);
                for _ in 0..=numbers.below(3) {
                    mutate(&mut line, &mut numbers);
                }
                for format in [None, format] {
                    let parsed = parse(&line, format);
                    let events = parsed.batch.events.len() as u64;
                    let shown = String::from_utf8_lossy(&line);
                    assert_eq!(parsed.records, events + parsed.rejects.total(), "{shown}");
                    // What is written is read again.
                    let again: Vec<u8> = objects(&parsed.batch)
                        .into_iter()
                        .flat_map(|it| {
                            Value::Object(it).to_string().into_bytes().into_iter().chain(*b"\n")
                        })
                        .collect();
                    let again = parse(&again, Some(FormatId::Canonical));
                    assert_eq!(again.rejects.total(), 0, "{shown}: {:?}", again.rejects);
                    assert_eq!(again.batch.events.len() as u64, events, "{shown}");
                    count += 1;
                }
            }
        }
    }
    println!("{count} changed records");
}

/// Secrets of which no byte may be kept, whatever field they stand in.
const CANARIES: [&str; 4] = [
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjNG40cnkifQ.c2lnbmF0dXJl",
    "AKIAC4N4RYC4N4RYC4N4",
    "ghp_c4n4ryc4n4ryc4n4ryc4n4ryc4n4ry0000",
    "sk-c4n4ryc4n4ryc4n4ryc4n4ry",
];

/// The line with the canary in the place of each value in turn.
fn planted(line: &str, canary: &str) -> Vec<String> {
    let mut out = Vec::new();
    if let Ok(value) = serde_json::from_str::<Value>(line) {
        plant(&value, &mut |planted: Value| out.push(planted.to_string()), canary);
        return out;
    }
    let is_part = |it: char| it.is_alphanumeric();
    let mut start = None;
    for (at, it) in line.char_indices().chain([(line.len(), ' ')]) {
        match (start, is_part(it)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                let (before, after) = (line.get(..from), line.get(at..));
                out.push([before.unwrap_or(""), canary, after.unwrap_or("")].concat());
                start = None;
            }
            _ => {}
        }
    }
    out
}

/// Calls `each` with the value, one of its leaves replaced, for every leaf.
fn plant(value: &Value, each: &mut dyn FnMut(Value), canary: &str) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                plant(
                    inner,
                    &mut |planted| {
                        let mut copy = members.clone();
                        copy.insert(name.clone(), planted);
                        each(Value::Object(copy));
                    },
                    canary,
                );
            }
        }
        Value::Array(elements) => {
            for (index, inner) in elements.iter().enumerate().take(4) {
                plant(
                    inner,
                    &mut |planted| {
                        let mut copy = elements.clone();
                        copy[index] = planted;
                        each(Value::Array(copy));
                    },
                    canary,
                );
            }
        }
        Value::String(text) => {
            each(Value::from(canary));
            each(Value::from(format!("{text} {canary}")));
        }
        _ => each(Value::from(canary)),
    }
}

#[test]
fn no_canary_in_any_field_of_any_sample_is_kept() {
    let mut count = 0;
    let keeping = parser(&Settings::default()).keeping_rejects();
    for sample in all() {
        for number in sample.records().take(RECORDS_MAX / 4).collect::<Vec<_>>() {
            let Ok(line) = String::from_utf8(sample.alone(number)) else { continue };
            let (head, line) = line.rsplit_once('\n').unwrap_or(("", &line));
            let canary = CANARIES[count % CANARIES.len()];
            let format = sniff::record(&sample.alone(number));
            for planted in planted(line, canary) {
                let bytes = format!("{head}\n{planted}").into_bytes();
                let chunk = Chunk { bytes, ..Chunk::default() };
                let parsed = keeping.parse(&chunk, format);
                let kept = format!("{:?}{:?}", objects(&parsed.batch), parsed.rejects);
                assert!(!kept.contains(canary), "{}:{number}: {planted}: {kept}", sample.name);
                let said = crate::explain::explain(&chunk.bytes, &keeping, None);
                let said =
                    said.map_or_else(|it| format!("{it} {it:?}"), |it| format!("{it} {it:?}"));
                assert!(!said.contains(canary), "{}:{number}: {said}", sample.name);
                count += 1;
            }
        }
    }
    println!("{count} planted canaries");
}

/// How long the quickest of a few readings takes.
#[expect(clippy::disallowed_methods, reason = "what is measured here is time")]
fn quickest(bytes: &[u8], format: Option<FormatId>) -> Duration {
    let time = |_| {
        let start = Instant::now();
        let parsed = parse(bytes, format);
        assert!(parsed.records <= 1 + parsed.batch.events.len() as u64);
        start.elapsed()
    };
    (0..3).map(time).min().unwrap_or_default()
}

/// Lines of a length that are bad for whoever looks back or calls itself.
fn traps(bytes: usize) -> Vec<String> {
    let fill = |unit: &str| unit.repeat(bytes / unit.len());
    let mut traps: Vec<String> = [
        "\"", "\\", "[", "]", "{", "}", "\\\"", "\" ", "\" \"", "] \"", "(", "|", "\\|", "=",
        "\\=", "\t", " - ", "a=", "<", "%", ": ", ",",
    ]
    .iter()
    .map(|it| fill(it))
    .collect();
    let query: String = (0..bytes / 8).fold(String::new(), |all, it| all + &format!("k{it}=1&"));
    let query = query.get(..bytes).unwrap_or(&query);
    let clf = |request: &str, user_agent: &str| {
        format!(
            "1.2.3.4 - - [10/Mar/2026:03:36:59 +0000] \"GET {request} HTTP/1.1\" 200 5 \"-\" \"{user_agent}\""
        )
    };
    traps.push(clf(&format!("/?{query}"), "x"));
    for unit in ["\"", "\\", "\\\"", "\" ", "] \"", "/", "../", "%25", ";a", "@", "eyJ.", "a,"] {
        traps.push(clf(&format!("/{}", fill(unit)), "x"));
        traps.push(clf("/", &fill(unit)));
        let value = Value::from(fill(unit));
        for name in ["path", "user", "query", "x_forwarded_for", "request", "message", "log"] {
            traps.push(format!(
                r#"{{"time":"2026-03-10T03:36:59Z","status":200,"stream":"a",{}:{value}}}"#,
                Value::from(name)
            ));
        }
    }
    for (open, close) in
        [("[", "]"), (r#"{"a":"#, "}"), (r#"{"log":"#, "}"), (r#"[{"records":"#, "}]")]
    {
        let levels = bytes / (open.len() + close.len());
        let nested = open.repeat(levels) + "1" + &close.repeat(levels);
        traps.push(nested.clone());
        traps.push(format!(r#"{{"time":"2026-03-10T03:36:59Z","status":200,"a":{nested}}}"#));
        traps.push(format!(r#"{{"records":{nested}}}"#));
        traps.push(open.repeat(bytes / open.len()));
    }
    traps.push(format!("<1>1 - - - - - {}", fill("[a b=\"\\]\"")));
    traps
}

#[test]
fn no_line_takes_more_than_its_length() {
    const SHORT: usize = 7 * 1024;
    const LONG: usize = 56 * 1024;
    /// Eight times as many bytes may take eight times as long, and as much again for noise and caches;
    /// quadratic work would take 64 times as long.
    const RATIO_MAX: f64 = 28.0;
    for (short, long) in traps(SHORT).iter().zip(traps(LONG)) {
        for format in [None, Some(FormatId::GenericJson)] {
            let (quick, slow) =
                (quickest(short.as_bytes(), format), quickest(long.as_bytes(), format));
            // Below this nothing can be told.
            let floor = Duration::from_micros(200);
            let ratio = slow.as_secs_f64() / quick.max(floor).as_secs_f64();
            let shown = short.get(..80).unwrap_or(short);
            assert!(ratio < RATIO_MAX, "{ratio:.0} times as long: {shown}: {slow:?}");
        }
    }
}

#[test]
fn ten_thousand_query_parameters_are_read_like_any_others() {
    let of = |count: usize| {
        let query: String = (0..count).fold(String::new(), |all, it| all + &format!("k{it}=1&"));
        format!("1.2.3.4 - - [10/Mar/2026:03:36:59 +0000] \"GET /?{query} HTTP/1.1\" 200 5\n")
    };
    let many = of(7_000);
    assert!(many.len() < model::limit::LINE_BYTES_MAX);
    let parsed = parse(many.as_bytes(), None);
    assert_eq!(parsed.batch.events.len(), 1);
    // What is longer than a line may be is said, and not read.
    let object = format!(
        r#"{{"time":"2026-03-10T03:36:59Z","status":200,"querystring":{{{}"z":1}}}}"#,
        (0..5_000).fold(String::new(), |all, it| all + &format!("\"k{it}\":1,"))
    );
    let parsed = parse(object.as_bytes(), None);
    assert_eq!((parsed.batch.events.len(), parsed.rejects.total()), (1, 0));
}

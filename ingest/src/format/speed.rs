//! Measurements of parsing, run by hand: `cargo test --workspace --lib -- --ignored --nocapture speed`.

use super::check::parser;
use crate::Chunk;
use crate::format::FormatId;
use crate::parse::Settings;
use serde::Deserialize;
use std::fmt::Write as _;

/// Lines of one measurement: a chunk of about 256 KiB.
const LINES: usize = 900;
/// Times that the chunk is parsed; the quickest counts.
const ROUNDS: usize = 60;

/// The same record in a struct, as the quickest way to read it at all.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only the reading is measured")]
struct Plain<'a> {
    time: &'a str,
    client_ip: &'a str,
    consumer: &'a str,
    method: &'a str,
    path: &'a str,
    status: u16,
    bytes_in: u64,
    bytes_out: u64,
    latency_ms: f64,
    user_agent: &'a str,
    request_id: &'a str,
}

fn generic() -> String {
    let mut out = String::new();
    for index in 0..LINES {
        writeln!(
            out,
            r#"{{"time":"2026-03-10T03:{:02}:{:02}.{:03}Z","client_ip":"203.0.113.{}","consumer":"svc-orders-{}","method":"GET","path":"/api/v1/orders/{}/items","status":200,"bytes_in":{},"bytes_out":{},"latency_ms":{}.25,"user_agent":"okhttp/4.12.0 (Linux; Android 14; build {})","request_id":"3bbc0252-2d5c-49fe-bd89-{:012}"}}"#,
            index / 60 % 60, index % 60, index, index % 200, index % 40, 1_000 + index * 7,
            300 + index, 1_500 + index, index % 90, index % 5, index
        )
        .expect("writing to a string");
    }
    out
}

fn combined() -> String {
    let mut out = String::new();
    for index in 0..LINES {
        writeln!(
            out,
            r#"203.0.113.{} - svc-{} [10/Mar/2026:03:{:02}:{:02} +0000] "GET /api/v1/orders/{}/items?page=2 HTTP/1.1" 200 {} "https://shop.example.com/cart" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36""#,
            index % 200, index % 40, index / 60 % 60, index % 60, 1_000 + index * 7, 1_500 + index
        )
        .expect("writing to a string");
    }
    out
}

#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn ns_per_line(mut run: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = std::time::Instant::now();
        run();
        best = best.min(start.elapsed().as_nanos() as f64 / LINES as f64);
    }
    best
}

fn report(name: &str, text: &str, format: Option<FormatId>) {
    let parser = parser(&Settings::default());
    let chunk = Chunk { bytes: text.as_bytes().to_vec(), first_line: 1, ..Chunk::default() };
    let ns = ns_per_line(|| {
        let parsed = parser.parse(&chunk, format);
        assert_eq!(std::hint::black_box(parsed).batch.events.len(), LINES);
    });
    println!("{name}: {ns:.0} ns a line of {} bytes", text.len() / LINES);
}

#[test]
#[ignore = "a measurement"]
fn speed_of_each_format() {
    let generic = generic();
    let plain = ns_per_line(|| {
        for line in generic.lines() {
            std::hint::black_box(
                sonic_rs::from_slice::<Plain<'_>>(line.as_bytes()).expect("a record"),
            );
        }
    });
    println!("typed read alone: {plain:.0} ns a line of {} bytes", generic.len() / LINES);
    report("generic_json", &generic, Some(FormatId::GenericJson));
    report("generic_json, found for each record", &generic, None);
    report("clf", &combined(), Some(FormatId::Clf));
}

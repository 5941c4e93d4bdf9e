//! From fetched records to events that carry their offsets; what is none is kept for the dead letters.

use ingest::format::FormatId;
use ingest::parse::{Parsed, Parser};
use ingest::reject::Reject;
use ingest::source::kafka::Fetched;
use ingest::wire::{self, Decoded, Front};
use ingest::{Chunk, reject};
use model::{Event, Position, Time};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What one partition brought.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) fetched: Fetched,
    /// Events and rejects; the line of their positions is the offset.
    pub(crate) parsed: Parsed,
    /// Events whose time was after the latest one that is believed.
    pub(crate) ahead: u64,
    /// What the first stage says of the partitions that it reads.
    pub(crate) fronts: Vec<Front>,
}

/// Reads what one partition brought; events after `latest` are taken out.
pub(crate) fn read(
    parser: &Parser,
    format: Option<FormatId>,
    fetched: Fetched,
    latest: Time,
) -> Read {
    let source = fetched.chunk.source;
    let mut parsed = guarded(&fetched.chunk, |chunk| parser.parse(chunk, format));
    let at = |line: u64| fetched.offsets.get(line as usize).copied().unwrap_or(0) as u64;
    let put = |event: &mut Event| event.position.line = at(event.position.line);
    parsed.batch.events.iter_mut().for_each(put);
    parsed.rejects.put_lines(at);
    let mut fronts = Vec::new();
    for (offset, record) in &fetched.wire {
        let position = Position { source, line: *offset as u64 };
        parsed.records += 1;
        match wire::decode(record, position, &mut parsed.batch) {
            Some(Decoded::Event) => {}
            Some(Decoded::Front(front)) => {
                parsed.records -= 1;
                fronts.push(front);
            }
            None => parsed.rejects.add(Reject::UnknownFormat, position, record),
        }
    }
    let before = parsed.batch.events.len();
    parsed.batch.events.retain(|event| event.time <= latest);
    let ahead = (before - parsed.batch.events.len()) as u64;
    let unread = [(&fetched.empty, Reject::NoValue), (&fetched.protobuf, Reject::OtlpProtobuf)];
    for (offsets, reason) in unread {
        for offset in offsets {
            let position = Position { source, line: *offset as u64 };
            parsed.rejects.add(reason, position, b"");
        }
        parsed.records += offsets.len() as u64;
    }
    if let Some((first, end)) = fetched.damaged {
        let position = Position { source, line: first as u64 };
        let lost = format!("offsets {first} to {} are lost", end - 1);
        parsed.rejects.add(Reject::DamagedBatch, position, lost.as_bytes());
    }
    parsed.records += u64::from(fetched.damaged.is_some());
    Read { fetched, parsed, ahead, fronts }
}

/// Parses a chunk; if that panics, line by line, so that only the line that is to blame is lost.
fn guarded(chunk: &Chunk, parse: impl Fn(&Chunk) -> Parsed) -> Parsed {
    let attempt = |chunk: &Chunk| catch_unwind(AssertUnwindSafe(|| parse(chunk)));
    if let Ok(parsed) = attempt(chunk) {
        return parsed;
    }
    let rejects = reject::Rejects::keeping_all();
    let mut all = Parsed { rejects, ..Parsed::default() };
    for (number, line) in (chunk.first_line..).zip(chunk.bytes.split(|byte| *byte == b'\n')) {
        let position = Position { source: chunk.source, line: number };
        let oversize = chunk.oversize.iter().filter(|(at, _)| *at == number).copied().collect();
        let (source, header) = (chunk.source, chunk.header.clone());
        let one = Chunk { source, first_line: number, bytes: line.to_vec(), oversize, header };
        if let Ok(parsed) = attempt(&one) {
            all.append(parsed);
        } else {
            all.records += 1;
            all.rejects.add(Reject::ParserPanicked, position, line);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser() -> Parser {
        ingest::parse::Settings::default().check([0; 32]).unwrap().keeping_rejects()
    }

    fn line(second: u32) -> String {
        format!(
            "{{\"time\":\"2026-04-01T00:00:{second:02}Z\",\"user\":\"jo\",\"method\":\"GET\",\
             \"path\":\"/a\",\"status\":200}}"
        )
    }

    #[test]
    fn positions_are_offsets_and_nothing_is_uncounted() {
        let mut fetched = Fetched::default();
        fetched.add(line(1).as_bytes(), 40);
        fetched.add(b"", 41);
        fetched.add(b"{broken", 42);
        fetched.add(line(9).as_bytes(), 43);
        fetched.add(line(2).as_bytes(), 44);
        fetched.damaged = Some((45, 48));
        fetched.protobuf.push(48);
        let latest = Time::from_ns(1_775_001_605 * 1_000_000_000);
        let read = read(&parser(), None, fetched, latest);
        let offsets: Vec<u64> =
            read.parsed.batch.events.iter().map(|it| it.position.line).collect();
        assert_eq!((offsets, read.ahead), (vec![40, 44], 1));
        let mut rejects = read.parsed.rejects;
        let said: Vec<_> = rejects
            .take_samples()
            .iter()
            .map(|it| (it.position.line, it.reason.as_str()))
            .collect();
        let expected = [
            (42, "malformed_json"),
            (41, "no_value"),
            (48, "otlp_protobuf"),
            (45, "damaged_batch"),
        ];
        assert_eq!(said, expected);
        assert_eq!(read.parsed.records, 7);
    }

    #[test]
    fn a_record_that_panics_is_alone_in_that() {
        let mut fetched = Fetched::default();
        fetched.add(line(1).as_bytes(), 7);
        fetched.add(b"BOOM", 8);
        fetched.add(line(2).as_bytes(), 9);
        let parser = parser();
        let parsed = guarded(&fetched.chunk, |chunk| {
            assert!(!is_bad(&chunk.bytes), "as ordered");
            parser.parse(chunk, None)
        });
        let lines: Vec<u64> = parsed.batch.events.iter().map(|it| it.position.line).collect();
        assert_eq!(lines, [0, 2]);
        assert_eq!(parsed.rejects.count(Reject::ParserPanicked), 1);
        assert_eq!(parsed.rejects.samples()[0].position.line, 1);
    }

    fn is_bad(bytes: &[u8]) -> bool {
        bytes.windows(4).any(|it| it == b"BOOM")
    }
}

//! Events between two processes: compact records that lose nothing that detection needs.
//!
//! A record is one event, or a *front*: a partition of the topics that were read says how far it got
//! in event time. The first byte is the kind and version.

use crate::FormatId;
use model::{
    EndpointSource, Event, EventBatch, InjectionClasses, Int, Kind, ParseFlags, Position,
    PrincipalTrust, PrincipalType, Text, Time, TimeKind, TimePrecision, principal_source,
};
use serde::{Deserialize, Serialize};

/// The first byte of an event.
const EVENT: u8 = 0xE1;
/// The first byte of a front.
const FRONT: u8 = 0xF1;

/// How far one partition of the topics that were read got.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Front {
    /// The topic.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// All but a few stragglers that come now are later than this, in nanoseconds; `None` if none
    /// came yet.
    pub time_ns: Option<i64>,
    /// It had nothing more when this was written.
    pub is_idle: bool,
    /// How many partitions there are in all.
    pub of: u32,
}

/// What a record is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decoded {
    /// An event, which was added to the batch.
    Event,
    /// A front.
    Front(Front),
}

/// An event as it is written; names stand for what is a closed set, so that sets may grow.
#[derive(Deserialize, Serialize)]
struct Wire<'a> {
    time_ns: i64,
    time_kind: &'a str,
    time_precision: &'a str,
    principal_type: &'a str,
    principal_trust: &'a str,
    principal_source: &'a str,
    principal_hash: u64,
    endpoint_source: &'a str,
    endpoint_hash: u64,
    object: Option<u64>,
    number: Option<u64>,
    is_opaque: bool,
    content_hash: u64,
    source_format: &'a str,
    parse_flags: u32,
    injection_classes: String,
    #[serde(borrow)]
    texts: Vec<(&'a str, &'a str)>,
    ints: Vec<(&'a str, i64)>,
}

/// The record of an event.
pub fn event(batch: &EventBatch, event: &Event) -> Vec<u8> {
    let text = |column: &Text| Some((column.as_str(), batch.text(event, *column)?));
    let int = |column: &Int| Some((column.as_str(), event.int(*column)?));
    let wire = Wire {
        time_ns: event.time.ns(),
        time_kind: event.time_kind.as_str(),
        time_precision: event.time_precision.as_str(),
        principal_type: event.principal_type.as_str(),
        principal_trust: event.principal_trust.as_str(),
        principal_source: event.principal_source,
        principal_hash: event.principal_hash,
        endpoint_source: event.endpoint_source.as_str(),
        endpoint_hash: event.endpoint_hash,
        object: event.object,
        number: if let Kind::Number(number) = event.object_kind { Some(number) } else { None },
        is_opaque: matches!(event.object_kind, Kind::Opaque),
        content_hash: event.content_hash,
        source_format: event.source_format,
        parse_flags: event.parse_flags.0,
        injection_classes: event.injection_classes.to_string(),
        texts: Text::ALL.iter().filter_map(text).collect(),
        ints: Int::ALL.iter().filter_map(int).collect(),
    };
    record(EVENT, &wire)
}

/// The record of a front.
pub fn front(front: &Front) -> Vec<u8> {
    record(FRONT, front)
}

fn record(kind: u8, value: &impl Serialize) -> Vec<u8> {
    // Writing numbers and texts to memory cannot fail.
    postcard::to_extend(value, vec![kind]).unwrap_or_default()
}

/// Reads a record; an event is added to `batch` with its position. `None` if it is neither, or of
/// another version.
pub fn decode(record: &[u8], position: Position, batch: &mut EventBatch) -> Option<Decoded> {
    let (kind, bytes) = record.split_first()?;
    match *kind {
        FRONT => postcard::from_bytes(bytes).ok().map(Decoded::Front),
        EVENT => {
            let wire: Wire<'_> = postcard::from_bytes(bytes).ok()?;
            add(&wire, position, batch).map(|()| Decoded::Event)
        }
        _ => None,
    }
}

fn add(wire: &Wire<'_>, position: Position, batch: &mut EventBatch) -> Option<()> {
    let mut event = Event::at(Time::from_ns(wire.time_ns));
    event.time_kind = TimeKind::from_name(wire.time_kind)?;
    event.time_precision = TimePrecision::from_name(wire.time_precision)?;
    event.principal_type = PrincipalType::from_name(wire.principal_type)?;
    event.principal_trust = PrincipalTrust::from_name(wire.principal_trust)?;
    event.principal_source = principal_source(wire.principal_source)?;
    event.principal_hash = wire.principal_hash;
    event.endpoint_source = EndpointSource::from_name(wire.endpoint_source)?;
    event.endpoint_hash = wire.endpoint_hash;
    event.object = wire.object;
    event.object_kind = match (wire.number, wire.is_opaque) {
        (Some(number), _) => Kind::Number(number),
        (None, true) => Kind::Opaque,
        (None, false) => Kind::None,
    };
    event.content_hash = wire.content_hash;
    // Whoever wrote it may have declared a format that nobody declared here: it is an event all the same.
    event.source_format =
        FormatId::from_name(wire.source_format).map_or("declared", FormatId::as_str);
    event.parse_flags = ParseFlags(wire.parse_flags);
    event.injection_classes = InjectionClasses::from_names(&wire.injection_classes);
    event.position = position;
    for (name, value) in &wire.texts {
        let column = Text::ALL.iter().find(|column| column.as_str() == *name)?;
        if value.len() > model::limit::LINE_BYTES_MAX {
            return None;
        }
        batch.set_text(&mut event, *column, value);
    }
    for (name, value) in &wire.ints {
        let column = Int::ALL.iter().find(|column| column.as_str() == *name)?;
        event.set_int(*column, *value);
    }
    batch.events.push(event);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Chunk;
    use crate::ndjson;
    use proptest::prelude::*;

    fn lines(batch: &EventBatch) -> String {
        let mut out = Vec::new();
        for event in &batch.events {
            ndjson::write(batch, event, batch.text(event, Text::Endpoint).unwrap_or(""), &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let text = br#"{"time":"2026-03-10T03:36:59.123Z","status":403,"method":"GET","path":"/a/7/secret-token-4f9a8b7c6d5e4f3a2b1c?b=c","user":"jo","ip":"10.0.0.1","bytes_out":17}
192.0.2.1 - ada [10/Mar/2026:03:36:59 +0000] "GET /x/77 HTTP/1.1" 200 12 "-" "curl"
{"time":"2026-03-10T03:36:59Z","principal_id":"k1","principal_type":"consumer"}"#;
        let parser = crate::Settings::default().check([1; 32]).unwrap();
        let chunk = Chunk { bytes: text.to_vec(), source: 3, ..Chunk::default() };
        let parsed = parser.parse(&chunk, None);
        assert_eq!(parsed.batch.events.len(), 3, "{:?}", parsed.rejects);
        let mut again = EventBatch::default();
        for one in &parsed.batch.events {
            let record = event(&parsed.batch, one);
            assert_eq!(decode(&record, one.position, &mut again), Some(Decoded::Event));
        }
        assert_eq!(lines(&again), lines(&parsed.batch));
        let rest = |event: &Event| {
            (event.principal_hash, event.endpoint_hash, event.object, event.content_hash)
        };
        for (one, other) in again.events.iter().zip(&parsed.batch.events) {
            assert_eq!((rest(one), one.object_kind), (rest(other), other.object_kind));
            assert_eq!(one.position, other.position);
        }
    }

    #[test]
    fn a_front_is_read_as_it_was_written() {
        let written = Front {
            topic: "logs".to_owned(),
            partition: 2,
            time_ns: Some(-5),
            is_idle: true,
            of: 3,
        };
        let mut batch = EventBatch::default();
        let read = decode(&front(&written), Position::default(), &mut batch);
        assert_eq!((read, batch.events.len()), (Some(Decoded::Front(written)), 0));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_refused_without_harm(
            kind in prop::sample::select(vec![EVENT, FRONT, 0, b'{']),
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut batch = EventBatch::default();
            let record: Vec<u8> = [kind].into_iter().chain(bytes).collect();
            decode(&record, Position::default(), &mut batch);
            prop_assert!(batch.events.len() <= 1);
        }
    }
}

//! Formats that the operator declares: `[format.NAME]` in `habitus.toml`.
//!
//! What a format is stands in tables that live as long as the program; a declared one is put beside
//! them once, at the start, and stays. At most [`DECLARED_MAX`] are kept, so that what is never given
//! back is bounded: a few kilobytes each. A reload declares nothing: it is refused where a mapping
//! changed.

mod check;
mod clock;
mod layout;

pub(crate) use clock::Clock;

use super::field::{Field, How, Raw, Rule, Slot};
use super::record::{Record, Value};
use super::{Format, FormatId, Reader, Scan, nothing};
use crate::reject::Reject;
use check::{Checked, Wanted, check, wrong};
use layout::Layout;
use model::{ParseFlags, PrincipalTrust, PrincipalType, TimeKind};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

/// Formats that may be declared.
pub(crate) const DECLARED_MAX: usize = 16;

/// A declared format: where its columns come from, and how it is recognised.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// What `habitus formats` says of it, in one line.
    pub about: String,
    /// JSON: names at the top of a record; where all are there, the record is of this format. Without
    /// any it is only read where it is named.
    pub signature: Vec<String>,
    /// Text: the whole line, with `<name>` where a value stands.
    pub template: String,
    /// Text: what stands between the columns.
    pub delimiter: String,
    /// Text: the names of the columns that `delimiter` divides, in their order; `_` is passed over.
    pub columns: Vec<String>,
    /// How times are written: empty for what is known anyway (RFC 3339, the common log format, Unix
    /// times by their size), `seconds`, `milliseconds`, `microseconds` or `nanoseconds` since 1970, or
    /// a pattern such as `%d.%m.%Y %H:%M:%S`.
    pub time_format: String,
    /// The offset of times that name none, such as `+02:00`; UTC, and flagged, without it.
    pub time_zone: String,
    /// Which instant the time is.
    pub time_is: TimeIs,
    /// The fields that fill each column.
    pub fields: BTreeMap<String, Place>,
    /// The fields that say who called.
    pub principals: Vec<Principal>,
}

/// Which instant of a call a declared format's time is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeIs {
    /// The request's start.
    #[default]
    Start,
    /// The response's end.
    End,
    /// When somebody received the record.
    Received,
}

/// The fields that fill a column, best first, and the unit of their value.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Place {
    /// The fields' names.
    pub field: Vec<String>,
    /// The unit of a duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
}

/// The unit of a duration.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Seconds, with or without decimals.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
}

/// A field that says who called.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    /// The field's name.
    pub field: String,
    /// What it names; where several fields have a value, the first in the order of [`Is`] counts.
    pub is: Is,
    /// Whether the gateway checked it.
    pub trust: Trust,
    /// The value is a secret: only its fingerprint is kept. A session's always is.
    #[serde(default)]
    pub secret: bool,
}

/// What a principal's field names, in the order of precedence.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Is {
    /// The subject of a token.
    Subject,
    /// A consumer of the gateway.
    Consumer,
    /// A service account or workload.
    Service,
    /// A registered application.
    Application,
    /// An API key or another credential.
    Credential,
    /// An OAuth client.
    Client,
    /// The subject of a client certificate.
    Certificate,
    /// A user name.
    User,
    /// A session.
    Session,
}

/// How far the log may be believed about a principal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// The gateway checked a credential.
    Verified,
    /// The caller said so.
    Asserted,
}

/// What is wrong with a declared format.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MappingError {
    /// The format's name.
    pub name: String,
    /// The setting in it; empty for the format itself.
    pub key: String,
    /// What is wrong.
    pub why: String,
    /// What would be right.
    pub cure: String,
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, key, why, cure } = self;
        let dot = if key.is_empty() { "" } else { "." };
        write!(f, "`format.{name}{dot}{key}` {why}: {cure}")
    }
}

impl std::error::Error for MappingError {}

/// The rules by which principals of declared formats are resolved: a closed set, whatever a field is
/// called, because checkpoints and events between processes name them.
pub(crate) const SOURCES: [&str; 9] = [
    "mapping.application",
    "mapping.certificate",
    "mapping.client",
    "mapping.consumer",
    "mapping.credential",
    "mapping.service",
    "mapping.session",
    "mapping.subject",
    "mapping.user",
];

impl Is {
    /// The slot that it fills and the rule that it is resolved by.
    const fn meaning(self, trust: PrincipalTrust) -> (Raw, Rule) {
        let (raw, kind, source) = match self {
            Self::Subject => (Raw::IdSubject, PrincipalType::User, "mapping.subject"),
            Self::Consumer => (Raw::IdConsumer, PrincipalType::Consumer, "mapping.consumer"),
            Self::Service => (Raw::IdConsumer, PrincipalType::Service, "mapping.service"),
            Self::Application => {
                (Raw::IdApplication, PrincipalType::Application, "mapping.application")
            }
            Self::Credential => (Raw::IdCredential, PrincipalType::ApiKey, "mapping.credential"),
            Self::Client => (Raw::IdClient, PrincipalType::Client, "mapping.client"),
            Self::Certificate => (Raw::IdCertificate, PrincipalType::Mtls, "mapping.certificate"),
            Self::User => (Raw::IdUser, PrincipalType::User, "mapping.user"),
            Self::Session => (Raw::IdSession, PrincipalType::Session, "mapping.session"),
        };
        (raw, Rule { source, kind, trust })
    }
}

impl Trust {
    const fn of_principal(self) -> PrincipalTrust {
        match self {
            Self::Verified => PrincipalTrust::Verified,
            Self::Asserted => PrincipalTrust::Asserted,
        }
    }
}

impl Unit {
    const fn how(self) -> How {
        match self {
            Self::Seconds => How::Seconds,
            Self::Milliseconds => How::Millis,
            Self::Microseconds => How::Micros,
            Self::Nanoseconds => How::Nanos,
        }
    }
}

impl TimeIs {
    const fn kind(self) -> TimeKind {
        match self {
            Self::Start => TimeKind::Start,
            Self::End => TimeKind::End,
            Self::Received => TimeKind::Received,
        }
    }
}

/// A name, a list of names, or a table with a unit.
impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(Written)
    }
}

struct Written;

impl<'de> Visitor<'de> for Written {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a field's name, a list of names, or { field = \"…\", unit = \"milliseconds\" }",
        )
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Place, E> {
        Ok(Place { field: vec![name.to_owned()], unit: None })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Place, A::Error> {
        let mut field = Vec::new();
        while let Some(name) = seq.next_element()? {
            field.push(name);
        }
        Ok(Place { field, unit: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Place, A::Error> {
        /// One name or several.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Names {
            One(String),
            Several(Vec<String>),
        }

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            field: Names,
            unit: Option<Unit>,
        }

        let Table { field, unit } = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
        let field = match field {
            Names::One(name) => vec![name],
            Names::Several(names) => names,
        };
        Ok(Place { field, unit })
    }
}

/// The place of a declared format; only [`declare`] makes one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Declared(u8);

/// A declared format as it is read.
#[derive(Debug)]
struct Entry {
    mapping: Mapping,
    format: Format,
    layout: Option<Layout>,
    /// The fields that each column of the layout fills.
    fields_of: Vec<Vec<u16>>,
}

/// What was declared, in order; a place is filled once and never changes.
static DECLARED: [OnceLock<Entry>; DECLARED_MAX] = [const { OnceLock::new() }; DECLARED_MAX];

/// Says what is wrong with mappings, without declaring anything.
///
/// # Errors
///
/// A mapping cannot be used, or there are too many.
pub fn verify(mappings: &BTreeMap<String, Mapping>) -> Result<(), MappingError> {
    if let Some((name, _)) = mappings.iter().nth(DECLARED_MAX) {
        return Err(too_many(name));
    }
    mappings.iter().try_for_each(|(name, mapping)| check(name, mapping).map(drop))
}

fn too_many(name: &str) -> MappingError {
    let why = format!("is one more than the {DECLARED_MAX} formats that may be declared");
    wrong(name, "", &why, "leave out what is not read")
}

/// Declares formats for as long as the program runs. The same mapping under the same name changes
/// nothing.
///
/// # Errors
///
/// A mapping cannot be used, a name is declared differently already, or there are too many.
pub fn declare(mappings: &BTreeMap<String, Mapping>) -> Result<(), MappingError> {
    for (name, mapping) in mappings {
        let checked = check(name, mapping)?;
        if let Some(entry) = entries().map(|(_, entry)| entry).find(|it| it.format.name == name) {
            if entry.mapping == *mapping {
                continue;
            }
            return Err(wrong(name, "", "is declared differently already", "start again"));
        }
        let mut entry = None;
        for (slot, place) in DECLARED.iter().enumerate() {
            let built = entry.take().unwrap_or_else(|| Entry::new(name, mapping, &checked));
            // A scanner is a plain function, so each place has its own.
            let built = Entry { format: with_scan(built.format, slot), ..built };
            match place.set(built) {
                Ok(()) => {
                    entry = None;
                    break;
                }
                Err(refused) => entry = Some(refused),
            }
        }
        if entry.is_some() {
            return Err(too_many(name));
        }
    }
    Ok(())
}

fn with_scan(format: Format, slot: usize) -> Format {
    let reader = match (format.reader, SCANS.get(slot)) {
        (Reader::Text { .. }, Some((looks, scan))) => Reader::Text { looks: *looks, scan: *scan },
        (reader, _) => reader,
    };
    Format { reader, ..format }
}

fn entries() -> impl Iterator<Item = (Declared, &'static Entry)> {
    (0_u8..).map(Declared).zip(DECLARED.iter().map_while(OnceLock::get))
}

/// The declared formats, in the order of their names.
pub(super) fn all() -> impl Iterator<Item = FormatId> {
    entries().map(|(place, _)| FormatId::Declared(place))
}

impl Declared {
    /// Its place after the formats that are built in.
    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    /// What there is to know about it.
    pub(super) fn format(self) -> &'static Format {
        let entry = DECLARED.get(usize::from(self.0)).and_then(OnceLock::get);
        // A place is only made of what is there.
        entry.map_or(&super::generic_json::FORMAT, |it| &it.format)
    }
}

impl Entry {
    fn new(name: &str, mapping: &Mapping, checked: &Checked) -> Self {
        let clock: Option<&'static Clock> =
            checked.clock.clone().map(|clock| &*Box::leak(Box::new(clock)));
        let field = |wanted: &Wanted| Field {
            name: kept(&wanted.name),
            slot: wanted.slot,
            how: match (wanted.slot, clock) {
                (Slot::Raw(Raw::Time | Raw::EndTime), Some(clock)) => How::Clock(clock),
                _ => wanted.how,
            },
            rule: wanted.rule,
        };
        let fields: &'static [Field] = checked.fields.iter().map(field).collect::<Vec<_>>().leak();
        let layout = checked.layout.clone();
        let fields_of = layout.as_ref().map(|layout| fields_of(layout, fields)).unwrap_or_default();
        let reader = if layout.is_some() {
            Reader::Text { looks: looks::<0>, scan: scan::<0> }
        } else {
            Reader::Json { signatures: signatures(mapping), finish: nothing, mends: true }
        };
        let about = match mapping.about.as_str() {
            "" => "declared in the configuration",
            about => kept(about),
        };
        let has_client = fields.iter().any(|it| it.slot == Slot::Raw(Raw::Client));
        let format = Format {
            name: kept(name),
            about,
            aliases: &[],
            fields,
            reader,
            time_kind: mapping.time_is.kind(),
            needs_request: true,
            forwarded_only: !has_client,
        };
        Self { mapping: mapping.clone(), format, layout, fields_of }
    }

    /// Whether a line has all of the format's values, among them a time and what was asked or answered:
    /// of the operator's own words, no part is known to be like no other log's.
    fn is_like(&'static self, line: &str) -> bool {
        let Some(layout) = &self.layout else { return false };
        let mut record = Record::new();
        layout.split(line, &mut |_, _, _| {}).is_some_and(|it| it.is_whole)
            && self.scan(line, &mut record).is_ok()
            && super::measure::stamp(&record).is_ok()
            && super::request::is_there(&mut record)
    }

    fn scan<'a>(&'static self, line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
        let layout = self.layout.as_ref().ok_or(Reject::UnknownFormat)?;
        let mut put = |column: usize, value: &'a str, is_quoted: bool| {
            for rank in self.fields_of.get(column).into_iter().flatten().copied() {
                let Some(field) = self.format.fields.get(usize::from(rank)) else { continue };
                if is_quoted && value.contains(['\\', '"']) {
                    record.put_copied(field, rank, &layout::unescaped(value));
                } else {
                    record.put(field, rank, Value::Line(value.trim_ascii()));
                }
            }
        };
        let split = layout.split(line, &mut put).ok_or(Reject::UnknownFormat)?;
        if split.has_more {
            record.flags.insert(ParseFlags::EXTRA_FIELDS);
        }
        Ok(())
    }
}

/// The places of the fields that each column fills.
fn fields_of(layout: &Layout, fields: &[Field]) -> Vec<Vec<u16>> {
    let of_column = |column: &str| -> Vec<u16> {
        let filled = (0_u16..).zip(fields).filter(|(_, field)| field.name == column);
        filled.map(|(rank, _)| rank).collect()
    };
    layout.columns().map(of_column).collect()
}

fn signatures(mapping: &Mapping) -> &'static [&'static [&'static str]] {
    if mapping.signature.is_empty() {
        return &[];
    }
    let names: &'static [&'static str] =
        mapping.signature.iter().map(|name| kept(name)).collect::<Vec<_>>().leak();
    vec![names].leak()
}

/// A text for as long as the program runs.
fn kept(text: &str) -> &'static str {
    let text: Box<str> = text.into();
    Box::leak(text)
}

/// Fills a record from a line of the format that is declared at a place.
fn scan<'a, const SLOT: usize>(line: &'a str, record: &mut Record<'a>) -> Result<(), Reject> {
    let entry = DECLARED.get(SLOT).and_then(OnceLock::get).ok_or(Reject::UnknownFormat)?;
    entry.scan(line, record)
}

/// Whether a line is of the format that is declared at a place.
fn looks<const SLOT: usize>(line: &str) -> bool {
    DECLARED.get(SLOT).and_then(OnceLock::get).is_some_and(|it| it.is_like(line))
}

macro_rules! scans {
    ($($slot:literal)+) => { [$((looks::<$slot>, scan::<$slot>)),+] };
}

/// The look at a line, and what reads it.
type Reading = (fn(&str) -> bool, Scan);

/// What reads the lines of each place.
static SCANS: [Reading; DECLARED_MAX] = scans!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);

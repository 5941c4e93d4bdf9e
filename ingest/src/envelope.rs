//! Envelopes that shippers put around records, taken off before a format is looked for.
//!
//! What an envelope says of itself (its time, its host) never becomes the event's: the same record is
//! the same event, whatever carried it.

mod azure;
mod azure_text;
mod beats;
mod cloudtrail;
mod cloudwatch;
mod compose;
mod cri;
mod docker;
mod event_bridge;
mod fluent_bit;
mod gcp_logging;
mod journald;
mod kubernetes;
mod logstash;
mod otel;
mod pubsub;
mod registry;
pub(crate) mod split;
mod syslog;
mod tyk;
mod vector;

use crate::reject::Reject;
use siphasher::sip::SipHasher13;
use split::Members;
use std::borrow::Cow;
use std::hash::Hasher as _;

/// Envelopes inside each other that are taken off.
pub(crate) const DEPTH_MAX: usize = 4;
/// Members of an object that are looked at.
const MEMBERS_MAX: usize = 256;

/// Members that say where a line comes from: the same for all parts of one.
const CARRIERS: [&str; 15] = [
    "attrs",
    "container",
    "container.id",
    "container_id",
    "container_name",
    "docker",
    "file",
    "host",
    "kubernetes",
    "logGroup",
    "logStream",
    "partial_id",
    "resource",
    "source_host",
    "tag",
];

/// Every envelope; where two fit, the earlier one counts.
pub(crate) static ENVELOPES: &[&Envelope] = &[
    &registry::ENVELOPE,
    &syslog::ENVELOPE,
    &cri::ENVELOPE,
    &compose::ENVELOPE,
    &azure::ENVELOPE,
    &cloudtrail::ENVELOPE,
    &event_bridge::ENVELOPE,
    &kubernetes::ENVELOPE,
    &cloudwatch::ENVELOPE,
    &otel::ENVELOPE,
    &tyk::ENVELOPE,
    &vector::ENVELOPE,
    &logstash::ENVELOPE,
    // Filebeat's documents name their agent; Fluent Bit's are what is left.
    &beats::ENVELOPE,
    &journald::ENVELOPE,
    &gcp_logging::ENVELOPE,
    &pubsub::ENVELOPE,
    &docker::ENVELOPE,
    &fluent_bit::ENVELOPE,
    &azure_text::ENVELOPE,
];

/// One kind of envelope.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
}

/// How an envelope is recognised and opened.
#[derive(Debug)]
pub(crate) enum Form {
    /// Something before the line.
    Text(for<'a> fn(&'a str) -> Option<Inside<'a>>),
    /// An object that holds the line, or a list of records, beside what the shipper knows.
    Object {
        /// Sets of names, each with all that must be there.
        signatures: &'static [u64],
        open: for<'a> fn(&Found<'a>) -> Option<Inside<'a>>,
    },
}

/// What is inside an envelope.
#[derive(Debug)]
pub(crate) enum Inside<'a> {
    /// A line, which may be an envelope again.
    Line(Cow<'a, str>),
    /// Several lines.
    Lines(Vec<Cow<'a, str>>),
    /// The raw text of a JSON list of records.
    List(&'a str),
    /// A part of a line that was too long for the shipper; its end comes later on the same stream.
    Part(usize, Cow<'a, str>),
    /// The end of a line whose other parts came before, or a whole line.
    Last(usize, Cow<'a, str>),
    /// It holds no record, and none is missing.
    Nothing,
    /// It cannot be opened.
    Refused(Reject),
}

macro_rules! names {
    ($($mark:ident = $name:literal;)+) => {
        /// The names by which envelopes are recognised; each is a bit.
        pub(crate) const NAMES: &[&str] = &[$($name),+];
        names!(@ 0; $($mark)+);
    };
    (@ $at:expr; $mark:ident $($rest:ident)*) => {
        pub(crate) const $mark: u64 = 1 << $at;
        names!(@ $at + 1; $($rest)*);
    };
    (@ $at:expr;) => {};
}

names! {
    MESSAGE = "message";
    LOG = "log";
    EVENT = "event";
    AT_TIMESTAMP = "@timestamp";
    AT_METADATA = "@metadata";
    AT_VERSION = "@version";
    AGENT = "agent";
    BEAT = "beat";
    ECS = "ecs";
    INPUT = "input";
    ELASTIC_AGENT = "elastic_agent";
    DATA_STREAM = "data_stream";
    SOURCE_TYPE = "source_type";
    STREAM = "stream";
    LOGTAG = "logtag";
    PARTIAL_LAST = "partial_last";
    TIME = "time";
    DATE = "date";
    TAG = "tag";
    KUBERNETES = "kubernetes";
    LOG_EVENTS = "logEvents";
    LOG_GROUP = "logGroup";
    LOG_STREAM = "logStream";
    MESSAGE_TYPE = "messageType";
    AWSLOGS = "awslogs";
    AZURE_RECORDS = "records";
    CLOUDTRAIL_RECORDS = "Records";
    RESOURCE_LOGS = "resourceLogs";
    BODY = "body";
    SEVERITY_TEXT = "severityText";
    TIME_UNIX_NANO = "timeUnixNano";
    OBSERVED_TIME_UNIX_NANO = "observedTimeUnixNano";
    TYK_RECORD = "tyk-analytics-record";
    KIND = "kind";
    API_VERSION = "apiVersion";
    ITEMS = "items";
    DETAIL = "detail";
    DETAIL_TYPE = "detail-type";
    CATEGORY = "category";
    PROPERTIES = "properties";
    DURATION_MS = "durationMs";
    CALLER_IP = "callerIpAddress";
    CORRELATION_ID = "correlationId";
    JSON = "json";
    JOURNAL_MESSAGE = "MESSAGE";
    JOURNAL_TIME = "__REALTIME_TIMESTAMP";
    JOURNAL_PROGRAM = "SYSLOG_IDENTIFIER";
    TEXT_PAYLOAD = "textPayload";
    JSON_PAYLOAD = "jsonPayload";
    LOG_NAME = "logName";
    HTTP_REQUEST = "httpRequest";
    SUBSCRIPTION = "subscription";
    DATA = "data";
    MESSAGE_ID = "messageId";
    INSERT_ID = "insertId";
}

/// The bit of a name; 0 for one that no envelope has.
pub(crate) fn mark(name: &str) -> u64 {
    let mut bits = OF_LENGTH.get(name.len()).copied().unwrap_or_default();
    while bits != 0 {
        if NAMES.get(bits.trailing_zeros() as usize) == Some(&name) {
            return 1 << bits.trailing_zeros();
        }
        bits &= bits - 1;
    }
    0
}

/// The names of each length, a bit each: few names of an object are as long as one of these.
static OF_LENGTH: [u64; 32] = {
    let mut of_length = [0; 32];
    let mut at = 0;
    while at < NAMES.len() {
        of_length[NAMES[at].len()] |= 1 << at;
        at += 1;
    }
    of_length
};

/// Whether an object that has these names is an envelope.
pub(crate) fn is_one(marks: u64) -> bool {
    // Nothing without one of the names of what is inside is an envelope.
    const CONTENT: u64 = MESSAGE
        | LOG
        | EVENT
        | LOG_EVENTS
        | AWSLOGS
        | AZURE_RECORDS
        | CLOUDTRAIL_RECORDS
        | RESOURCE_LOGS
        | BODY
        | TYK_RECORD
        | ITEMS
        | JSON
        | DATA
        | JOURNAL_MESSAGE
        | TEXT_PAYLOAD
        | JSON_PAYLOAD
        | DETAIL;
    // What `gcp_logging` would find out later: an entry with a request of its own is none.
    let has_request = marks & HTTP_REQUEST != 0;
    let marks = if has_request { marks & !(TEXT_PAYLOAD | JSON_PAYLOAD) } else { marks };
    marks & CONTENT != 0 && ENVELOPES.iter().any(|it| it.fits(marks))
}

/// The values of the names that envelopes have, raw.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    marks: u64,
    values: [&'a str; NAMES.len()],
}

impl<'a> Found<'a> {
    /// The raw value of a name.
    fn raw(&self, mark: u64) -> Option<&'a str> {
        self.values.get(mark.trailing_zeros() as usize).copied().filter(|it| !it.is_empty())
    }

    /// The line in a member: a text, or an object that some stage before had read from the text.
    fn line(&self, mark: u64) -> Option<Inside<'a>> {
        inside(self.raw(mark)?)
    }

    /// Which of a container's streams a line is of: the first, unless the other is named.
    fn stream(&self) -> usize {
        usize::from(self.raw(STREAM) == Some("\"stderr\""))
    }

    /// The part of a line in a member, where the container's runtime or driver says that it is one, or the
    /// last.
    fn part(&self, mark: u64) -> Option<Inside<'a>> {
        let is_last = match (self.raw(LOGTAG), self.raw(PARTIAL_LAST)) {
            (Some(tags), _) => match tags.trim_matches('"').split(':').next()? {
                "F" => true,
                "P" => false,
                _ => return None,
            },
            (None, Some(is_last)) => is_last.trim_matches('"') == "true",
            (None, None) => return None,
        };
        let (text, stream) = (string(self.raw(mark)?)?, self.stream());
        Some(if is_last { Inside::Last(stream, text) } else { Inside::Part(stream, text) })
    }

    /// The list in a member.
    fn list(&self, mark: u64) -> Option<Inside<'a>> {
        self.raw(mark).filter(|it| it.starts_with('[')).map(Inside::List)
    }
}

impl Envelope {
    fn fits(&self, marks: u64) -> bool {
        match self.form {
            Form::Text(_) => false,
            Form::Object { signatures, .. } => signatures.iter().any(|it| marks & it == *it),
        }
    }
}

/// Opens what stands before a line, if it begins like that.
pub(crate) fn text(line: &str) -> Option<Inside<'_>> {
    named_text(line).map(|(_, inside)| inside)
}

/// The same, with the envelope's name.
pub(crate) fn named_text(line: &str) -> Option<(&'static str, Inside<'_>)> {
    if !may_begin(line.as_bytes()) {
        return None;
    }
    ENVELOPES.iter().find_map(|it| match it.form {
        Form::Text(open) => Some((it.name, open(line)?)),
        Form::Object { .. } => None,
    })
}

/// A glance at the first bytes, which is all that other lines pay: a frame's zero, a priority, a date
/// with a `T` or a month, a length before a priority, a word before a bar.
fn may_begin(line: &[u8]) -> bool {
    let is_known = match line {
        [0 | b'<', ..] | [b'A'..=b'S', _, _, b' ', ..] => true,
        [b'0'..=b'9', ..] => {
            line.get(4) == Some(&b'-') && line.get(10) == Some(&b'T')
                || line.iter().take(8).any(|it| *it == b'<')
        }
        _ => false,
    };
    is_known || compose::may_begin(line)
}

/// A hash of an object's names in their order.
pub(crate) fn names(line: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    let members = Members::of(line).into_iter().flatten().take(MEMBERS_MAX);
    for (name, _) in members.map_while(Result::ok) {
        hasher.write(name.as_bytes());
        hasher.write(&[0xff]);
    }
    hasher.finish()
}

/// Opens an object; `None` for one that is no envelope.
pub(crate) fn object(line: &str) -> Option<Inside<'_>> {
    named_object(line).map(|(_, inside)| inside)
}

/// The same, with the envelope's name.
pub(crate) fn named_object(line: &str) -> Option<(&'static str, Inside<'_>)> {
    let mut found = Found { marks: 0, values: [""; NAMES.len()] };
    for member in Members::of(line)?.take(MEMBERS_MAX) {
        let (name, value) = member.ok()?;
        let mark = mark(name);
        if let Some(place) = found.values.get_mut(mark.trailing_zeros() as usize) {
            *place = value;
            found.marks |= mark;
        }
    }
    let fits = |it: &&&Envelope| it.fits(found.marks);
    ENVELOPES.iter().filter(fits).find_map(|it| match it.form {
        Form::Text(_) => None,
        Form::Object { open, .. } => Some((it.name, open(&found)?)),
    })
}

/// A hash of what an object says of where its line comes from, which all parts of a line share; 0 where
/// it says nothing.
pub(crate) fn carrier(object: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    let mut says_something = false;
    let members = Members::of(object).into_iter().flatten().take(MEMBERS_MAX);
    for (name, value) in members.map_while(Result::ok) {
        // Filebeat names the file beside a place in it, which differs.
        let value = match name {
            "log" if value.starts_with('{') => member(value, "file"),
            _ => Some(value).filter(|_| CARRIERS.contains(&name)),
        };
        let Some(value) = value else { continue };
        says_something = true;
        for part in [name, value] {
            hasher.write(part.as_bytes());
            hasher.write(&[0xff]);
        }
    }
    if says_something { hasher.finish() } else { 0 }
}

/// The record in a raw value.
pub(crate) fn inside(raw: &str) -> Option<Inside<'_>> {
    match raw.as_bytes().first()? {
        b'"' => string(raw).map(lines),
        b'{' => Some(Inside::Line(Cow::Borrowed(raw))),
        b'[' => Some(Inside::List(raw)),
        _ => None,
    }
}

/// A raw string's text.
fn string(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    sonic_rs::from_str::<String>(raw).ok().map(Cow::Owned)
}

/// A text as one line, or as several.
fn lines(text: Cow<'_, str>) -> Inside<'_> {
    let trimmed = text.trim_ascii();
    if memchr::memchr(b'\n', trimmed.as_bytes()).is_none() || trimmed.starts_with(['{', '[']) {
        return Inside::Line(text);
    }
    let parts = trimmed.split('\n').map(str::trim_ascii).filter(|it| !it.is_empty());
    Inside::Lines(parts.map(|it| Cow::Owned(it.to_owned())).collect())
}

/// The value of a member of a raw object.
fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let members = Members::of(object)?.take(MEMBERS_MAX).map_while(Result::ok);
    members.into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
pub(crate) mod tests;

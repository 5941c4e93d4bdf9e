//! From lines to events: pure, and the same for every thread that does it.

use crate::Chunk;
use crate::format::event::{Origin, Policy, Writer};
use crate::format::record::Record;
use crate::format::{Finish, FormatId, Network, Reader};
use crate::json::{self, Shape, Table};
use crate::redact::Key;
use crate::reject::{Reject, Rejects};
use crate::sniff;
use model::{EventBatch, ParseFlags, Position, Time};
use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher13;
use std::hash::Hasher as _;

/// Trusted proxy networks that may be configured.
pub const TRUSTED_PROXIES_MAX: usize = 256;
/// Bytes of a tenant's name, and of the name of the principal's field.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of text that an event takes, about: to reserve memory once.
const EVENT_TEXT_BYTES: usize = 400;
/// Bytes of a line, about.
const LINE_BYTES: usize = 200;

/// How records become events.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The JSON field that names the principal, before all others; dots go into objects. Empty: the
    /// format's own order.
    pub principal_field: String,
    /// Networks (CIDR) of proxies whose `X-Forwarded-For` is believed; at most 256.
    pub trusted_proxies: Vec<String>,
    /// Whether principals and addresses are replaced by keyed pseudonyms.
    pub pseudonymize: bool,
    /// Whether callers without an identity are told apart by network (/24, /64) and not by address.
    pub group_by_network: bool,
    /// The tenant of events that name none.
    pub tenant_id: String,
    /// Whether the values of harmless query parameters are kept.
    pub keep_query_values: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            principal_field: String::new(),
            trusted_proxies: Vec::new(),
            pseudonymize: false,
            group_by_network: false,
            tenant_id: "default".to_owned(),
            keep_query_values: true,
        }
    }
}

/// Settings that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// A network that cannot be read.
    #[error("`trusted_proxies` holds `{0}`, which is no network: write `10.0.0.0/8` or an address")]
    Network(String),
    /// More networks than allowed.
    #[error("`trusted_proxies` holds {0} networks: {TRUSTED_PROXIES_MAX} are allowed, join some")]
    Networks(usize),
    /// A name of no or of too many bytes.
    #[error("`{field}` is {bytes} bytes long: write 1 to {NAME_BYTES_MAX}")]
    Name {
        /// The setting.
        field: &'static str,
        /// Its length.
        bytes: usize,
    },
}

impl Settings {
    /// Checks these settings, which is the only way to a [`Parser`].
    ///
    /// `key` is the secret key of fingerprints and pseudonyms: with another key, the same API key
    /// is another principal.
    pub fn check(&self, key: [u8; 32]) -> Result<Parser, SettingsError> {
        let Self {
            principal_field,
            trusted_proxies,
            pseudonymize,
            group_by_network,
            tenant_id,
            keep_query_values,
        } = self;
        for (field, bytes, bytes_min) in
            [("principal_field", principal_field.len(), 0), ("tenant_id", tenant_id.len(), 1)]
        {
            if !(bytes_min..=NAME_BYTES_MAX).contains(&bytes) {
                return Err(SettingsError::Name { field, bytes });
            }
        }
        if trusted_proxies.len() > TRUSTED_PROXIES_MAX {
            return Err(SettingsError::Networks(trusted_proxies.len()));
        }
        let network = |text: &String| {
            Network::parse(text).ok_or_else(|| SettingsError::Network(text.clone()))
        };
        let trusted = trusted_proxies.iter().map(network).collect::<Result<_, _>>()?;
        let table = |id: &FormatId| Table::new(id.format().fields, principal_field);
        Ok(Parser {
            policy: Policy {
                key: Key::new(key),
                tenant: tenant_id.clone(),
                trusted,
                pseudonymize: *pseudonymize,
                group_by_network: *group_by_network,
                keep_query_values: *keep_query_values,
            },
            tables: FormatId::ALL.iter().map(table).collect(),
            keeps_rejects: false,
        })
    }
}

/// Turns lines into events. It holds no state: threads share one.
#[derive(Debug)]
pub struct Parser {
    policy: Policy,
    /// The names that each format knows, in the order of [`FormatId::ALL`].
    tables: Vec<Table>,
    keeps_rejects: bool,
}

/// What a chunk holds.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The events, in input order.
    pub batch: EventBatch,
    /// The records that are none.
    pub rejects: Rejects,
    /// How many records there were: lines that are not blank, and elements of arrays.
    pub records: u64,
    /// The earliest and the latest time of an event.
    pub times: Option<(Time, Time)>,
}

impl Parsed {
    /// Adds what a later chunk holds.
    pub fn append(&mut self, later: Self) {
        for event in &later.batch.events {
            self.batch.copy_event(&later.batch, event);
        }
        self.rejects.append(later.rejects);
        self.records += later.records;
        let times = || [self.times, later.times].into_iter().flatten();
        self.times = times().map(|it| it.0).min().zip(times().map(|it| it.1).max());
    }

    /// How far the chunk got in event time, whatever a few hostile clocks say: the time that all but
    /// one event in a hundred, and all but one of a few, do not exceed.
    pub fn front(&self) -> Option<Time> {
        let mut times: Vec<Time> = self.batch.events.iter().map(|it| it.time).collect();
        if times.len() < 2 {
            return times.first().copied();
        }
        let rank = times.len() - 1 - times.len().div_ceil(100);
        let (_, front, _) = times.select_nth_unstable(rank);
        Some(*front)
    }
}

impl Parser {
    /// The same parser, which keeps a redacted sample of every rejected record.
    #[must_use]
    pub fn keeping_rejects(self) -> Self {
        Self { keeps_rejects: true, ..self }
    }

    /// Parses a chunk; every record becomes events or a counted reject.
    ///
    /// `format` is what the input was declared to be or looks like; a record that it rejects is
    /// tried as what the record looks like.
    pub fn parse(&self, chunk: &Chunk, format: Option<FormatId>) -> Parsed {
        let mut run = Run::new(self, chunk);
        for (line, _) in &chunk.oversize {
            run.reject(Reject::LineTooLong, Position { source: chunk.source, line: *line }, b"");
        }
        let mut record = Record::new();
        let whole = std::str::from_utf8(&chunk.bytes).ok();
        let mut start = 0;
        let ends = memchr::memchr_iter(b'\n', &chunk.bytes).chain([chunk.bytes.len()]);
        for (number, end) in (chunk.first_line..).zip(ends) {
            let position = Position { source: chunk.source, line: number };
            let range = start..end;
            start = end + 1;
            match whole {
                Some(text) => {
                    let line = text.get(range).unwrap_or("").trim_ascii();
                    if !line.is_empty() {
                        run.line(line, format, position, &mut record);
                    }
                }
                None => run.bytes(chunk.bytes.get(range).unwrap_or_default(), format, position),
            }
        }
        let times = || run.parsed.batch.events.iter().map(|it| it.time);
        run.parsed.times = times().min().zip(times().max());
        run.parsed
    }

    /// Whether a line is one event or more in a format.
    pub(crate) fn accepts(&self, line: &str, format: FormatId) -> Result<(), Reject> {
        let chunk = Chunk::default();
        let mut run = Run::new(self, &chunk);
        run.read(line, format, Position::default(), &mut Record::new())?;
        match run.parsed.rejects.iter().next() {
            Some((reason, _)) if run.parsed.batch.events.is_empty() => Err(reason),
            _ => Ok(()),
        }
    }

    /// Fills a record as a JSON format does; `None` for text formats and what is malformed.
    pub(crate) fn fill<'a>(
        &self,
        line: &'a str,
        format: FormatId,
        record: &mut Record<'a>,
    ) -> Option<()> {
        match &format.format().reader {
            Reader::Json { finish, .. } => {
                let table = self.tables.get(format as usize)?;
                json::read(line, table, record, &mut |record| finish(record)).ok()
            }
            Reader::Text { scan, .. } => {
                record.clear();
                scan(line, record).ok()
            }
            Reader::Columns { scan, .. } => {
                record.clear();
                scan(line, None, record).ok()
            }
        }
    }
}

/// The parsing of one chunk.
#[derive(Debug)]
struct Run<'p> {
    parser: &'p Parser,
    writer: Writer<'p>,
    parsed: Parsed,
    /// What the last JSON object looked like that nobody had declared.
    alike: Option<(FormatId, Shape<'p>)>,
}

impl<'p> Run<'p> {
    fn new(parser: &'p Parser, chunk: &Chunk) -> Self {
        let events = chunk.bytes.len() / LINE_BYTES + 1;
        let batch = EventBatch::with_capacity(events, events * EVENT_TEXT_BYTES);
        let rejects =
            if parser.keeps_rejects { Rejects::keeping_all() } else { Rejects::default() };
        let parsed = Parsed { batch, rejects, ..Parsed::default() };
        Self { parser, writer: Writer::new(&parser.policy), parsed, alike: None }
    }

    fn reject(&mut self, reason: Reject, position: Position, record: &[u8]) {
        self.parsed.records += 1;
        self.parsed.rejects.add(reason, position, record);
    }

    /// A line of bytes that may not be UTF-8.
    fn bytes(&mut self, bytes: &[u8], format: Option<FormatId>, position: Position) {
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        let first = self.parsed.batch.events.len();
        self.line(&text, format, position, &mut Record::new());
        if matches!(text, std::borrow::Cow::Owned(_)) {
            for event in self.parsed.batch.events.iter_mut().skip(first) {
                event.parse_flags.insert(ParseFlags::INVALID_UTF8);
            }
        }
    }

    fn line<'a>(
        &mut self,
        line: &'a str,
        format: Option<FormatId>,
        position: Position,
        record: &mut Record<'a>,
    ) {
        let reason = match format {
            Some(format) => match self.read(line, format, position, record) {
                Ok(()) => return,
                Err(reason) => Some(reason),
            },
            None if self.read_alike(line, position, record) => return,
            None => None,
        };
        let other = match sniff::look_close(line) {
            Ok((other, names)) if Some(other) != format => {
                let done = self.read(line, other, position, record);
                let table = self.parser.tables.get(other as usize).filter(|_| done.is_ok());
                let shape = names.zip(table).and_then(|(names, table)| Shape::of(names, table));
                self.alike = shape.map(|shape| (other, shape));
                done
            }
            Ok(_) => Err(Reject::UnknownFormat),
            Err(reason) => Err(reason),
        };
        if let Err(of_other) = other {
            self.reject(reason.unwrap_or(of_other), position, line.as_bytes());
        }
    }

    /// Reads a line that has the names of the line before, on which alone rests what it looks like;
    /// `false` if it has not, or is no event: then nothing was kept.
    fn read_alike<'a>(
        &mut self,
        line: &'a str,
        position: Position,
        record: &mut Record<'a>,
    ) -> bool {
        let Some((format, shape)) = self.alike.as_ref().filter(|_| line.starts_with('{')) else {
            return false;
        };
        let (format, parser) = (*format, self.parser);
        let Reader::Json { finish, .. } = &format.format().reader else { return false };
        let Some(table) = parser.tables.get(format as usize) else { return false };
        if json::read_alike(line, table, shape, record).is_err() {
            return false;
        }
        finish(record);
        let first = self.parsed.batch.events.len();
        let origin = Origin { format, position, content_hash: content_hash(line) };
        let is_event = self.write(record, origin).is_ok();
        if !is_event {
            self.take_back(first);
        }
        is_event
    }

    /// Reads a line in a format; on an error nothing was kept.
    fn read<'a>(
        &mut self,
        line: &'a str,
        format: FormatId,
        position: Position,
        record: &mut Record<'a>,
    ) -> Result<(), Reject> {
        let origin = Origin { format, position, content_hash: content_hash(line) };
        match &format.format().reader {
            Reader::Text { scan, .. } => {
                record.clear();
                scan(line, record)?;
                self.write(record, origin)
            }
            Reader::Columns { scan, .. } => {
                record.clear();
                scan(line, None, record)?;
                self.write(record, origin)
            }
            Reader::Json { finish, mends, .. } => match self.json(line, *finish, origin, record) {
                Err(Reject::MalformedJson) => {
                    let pruned = json::prune(line).map(|it| (it, ParseFlags::TRUNCATED));
                    let mend = || json::repair(line).filter(|_| *mends);
                    let mended = pruned.or_else(|| Some((mend()?, ParseFlags::REPAIRED_JSON)));
                    let (mended, flag) = mended.ok_or(Reject::MalformedJson)?;
                    let first = self.parsed.batch.events.len();
                    self.json(&mended, *finish, origin, &mut Record::new())?;
                    for event in self.parsed.batch.events.iter_mut().skip(first) {
                        event.parse_flags.insert(flag);
                    }
                    Ok(())
                }
                result => result,
            },
        }
    }

    fn json<'a>(
        &mut self,
        line: &'a str,
        finish: Finish,
        origin: Origin,
        record: &mut Record<'a>,
    ) -> Result<(), Reject> {
        let parser = self.parser;
        let table = parser.tables.get(origin.format as usize).ok_or(Reject::UnknownFormat)?;
        let first = self.parsed.batch.events.len();
        let (mut elements, mut reasons) = (0_u64, Vec::new());
        let read = json::read(line, table, record, &mut |record| {
            finish(record);
            // The elements of a list are told apart by their place in it.
            let content_hash = origin.content_hash.wrapping_add(elements);
            elements += 1;
            reasons.extend(self.write(record, Origin { content_hash, ..origin }).err());
        });
        reasons.extend(read.err().map(|_| Reject::MalformedJson));
        // An object that is whole may be followed by garbage: then it is not to be believed. Of a
        // list, and of an object with several records, what stood before the break is kept.
        let is_list = line.starts_with('[') || elements > 1;
        if !is_list && !reasons.is_empty() {
            self.take_back(first);
        }
        if self.parsed.batch.events.len() == first {
            return reasons.pop().map_or(Ok(()), Err);
        }
        for reason in reasons {
            self.reject(reason, origin.position, b"");
        }
        Ok(())
    }

    /// Forgets the events from the `first` on.
    fn take_back(&mut self, first: usize) {
        let events = &mut self.parsed.batch.events;
        self.parsed.records -= (events.len() - first) as u64;
        events.truncate(first);
    }

    /// Writes the events of a filled record.
    fn write(&mut self, record: &mut Record<'_>, origin: Origin) -> Result<(), Reject> {
        if record.calls.is_empty() {
            return self.write_one(record, origin);
        }
        let calls = std::mem::take(&mut record.calls);
        for (index, call) in (0_u64..).zip(&calls) {
            record.restore(call);
            let content_hash = origin.content_hash.wrapping_add(index << 32);
            self.write_one(record, Origin { content_hash, ..origin })?;
        }
        Ok(())
    }

    fn write_one(&mut self, record: &mut Record<'_>, origin: Origin) -> Result<(), Reject> {
        self.writer.write(record, origin, &mut self.parsed.batch)?;
        self.parsed.records += 1;
        Ok(())
    }
}

/// A fixed hash of all that a line says.
fn content_hash(line: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(line.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::check::{objects, parser};

    fn parsed(settings: &Settings, line: &str, format: FormatId) -> String {
        let chunk = Chunk { bytes: line.as_bytes().to_vec(), first_line: 7, ..Chunk::default() };
        let parsed = parser(settings).parse(&chunk, Some(format));
        let object = objects(&parsed.batch).pop().unwrap_or_default();
        ["principal_id", "principal_source", "client_address", "tenant_id", "url_query"]
            .map(|name| object.get(name).and_then(|it| it.as_str()).unwrap_or("").to_owned())
            .join(" ")
    }

    const LINE: &str = r#"{"time":"2026-03-10T03:36:59Z","status":200,"path":"/a?b=c","user":"jo","ip":"10.0.0.1","x_forwarded_for":"198.51.100.7, 203.0.113.9","auth":{"who":"svc"}}"#;

    #[test]
    fn settings_change_whom_an_event_is_counted_for() {
        let default = Settings::default();
        let check = |settings: Settings, expected: &str| {
            assert_eq!(parsed(&settings, LINE, FormatId::GenericJson), expected);
        };
        check(default.clone(), "jo generic_json.user 10.0.0.1 default b=c");
        check(
            Settings {
                principal_field: "auth.who".to_owned(),
                tenant_id: "t".to_owned(),
                ..default.clone()
            },
            "svc settings.principal_field 10.0.0.1 t b=c",
        );
        check(
            Settings {
                trusted_proxies: vec!["10.0.0.0/8".to_owned()],
                keep_query_values: false,
                ..default.clone()
            },
            "jo generic_json.user 203.0.113.9 default b={text}",
        );
        let anonymous = LINE.replace("jo", "-");
        let by_network = Settings { group_by_network: true, ..default };
        assert_eq!(
            parsed(&by_network, &anonymous, FormatId::GenericJson),
            "10.0.0.0/24 client_net 10.0.0.1 default b=c"
        );
    }

    #[test]
    fn settings_that_cannot_be_used_are_refused() {
        let refused =
            |settings: Settings| settings.check([0; 32]).map(|_| ()).map_err(|it| it.to_string());
        assert_eq!(
            refused(Settings { trusted_proxies: vec!["ten".to_owned()], ..Settings::default() }),
            Err("`trusted_proxies` holds `ten`, which is no network: write `10.0.0.0/8` or an address".to_owned())
        );
        assert_eq!(
            refused(Settings { tenant_id: String::new(), ..Settings::default() }),
            Err("`tenant_id` is 0 bytes long: write 1 to 128".to_owned())
        );
    }

    #[test]
    fn every_line_has_its_number_and_long_ones_are_counted() {
        let chunk = Chunk {
            source: 3,
            first_line: 10,
            bytes: b"x\n\n1.2.3.4 - - [10/Mar/2026:03:36:59 +0000] \"GET / HTTP/1.1\" 200 5\n"
                .to_vec(),
            oversize: vec![(11, 1_000_000)],
        };
        let parsed = parser(&Settings::default()).parse(&chunk, None);
        assert_eq!(parsed.records, 3);
        assert_eq!(parsed.batch.events[0].position, Position { source: 3, line: 12 });
        let reasons: Vec<_> = parsed.rejects.iter().collect();
        assert_eq!(reasons, [(Reject::UnknownFormat, 1), (Reject::LineTooLong, 1)]);
        assert_eq!(parsed.front(), Some(parsed.batch.events[0].time));
    }

    #[test]
    fn a_line_is_read_the_same_whatever_stood_before_it() {
        let lines = [
            r#"{"time":"2026-03-10T03:36:59Z","status":200,"path":"/a","user":"jo"}"#,
            r#"{"time":"2026-03-10T03:37:00Z","status":404,"path":"/b","user":"al"}"#,
            r#"{"time":"2026-03-10T03:37:01Z","status":404,"path":"/b"}"#,
            r#"{"time":"2026-03-10T03:37:01Z","status":404,"path":"/b","user":"al","x":{"user":"eve"}}"#,
            r#"{"time":"2026-03-10T03:37:01Z","status":404,"user":"al","path":"/b"}"#,
            r#"{"time":"never","status":404,"user":"al","path":"/b"}"#,
            r#"{"time":"2026-03-10T03:37:02Z","status":404,"user":"al","path":"/b"} garbage"#,
            r#"{"time":"2026-03-10T03:37:02Z","status":404,"user":"al","path":"/c"#,
            r#"{"ts":1773113823.5,"uid":"C1","id.orig_h":"10.0.0.1","method":"GET","host":"a.example","uri":"/d","status_code":200}"#,
            r#"{"ts":1773113824.5,"uid":"C2","id.orig_h":"10.0.0.2","method":"GET","host":"a.example","uri":"/e","status_code":200}"#,
            r#"[{"time":"2026-03-10T03:37:03Z","status":200,"path":"/f","user":"jo"}]"#,
            r#"{"time":"2026-03-10T03:37:04Z","status":200,"path":"/\u0067","user":"jo"}"#,
        ];
        let read = |lines: &[&str]| {
            let chunk = Chunk { bytes: lines.join("\n").into_bytes(), ..Chunk::default() };
            let parsed = parser(&Settings::default()).parse(&chunk, None);
            let rejects: Vec<_> = parsed.rejects.iter().collect();
            let mut events = objects(&parsed.batch);
            for event in &mut events {
                event.retain(|name, _| !name.starts_with("source_"));
            }
            (events, rejects, parsed.records)
        };
        let mut alone = (Vec::new(), std::collections::BTreeMap::new(), 0);
        for line in lines {
            let (events, rejects, records) = read(&[line]);
            alone.0.extend(events);
            for (reason, count) in rejects {
                *alone.1.entry(format!("{reason}")).or_insert(0) += count;
            }
            alone.2 += records;
        }
        let together = read(&lines);
        assert_eq!(together.0, alone.0);
        let rejects: std::collections::BTreeMap<_, _> =
            together.1.iter().map(|it| (it.0.to_string(), it.1)).collect();
        assert_eq!((rejects, together.2), (alone.1, alone.2));
    }

    #[test]
    fn a_list_is_kept_up_to_where_it_breaks() {
        let good = r#"{"time":"2026-03-10T03:36:59Z","status":200}"#;
        let count = |text: String| {
            let chunk = Chunk { bytes: text.into_bytes(), ..Chunk::default() };
            let parsed = parser(&Settings::default()).parse(&chunk, Some(FormatId::GenericJson));
            (parsed.batch.events.len(), parsed.rejects.total(), parsed.records)
        };
        assert_eq!(count(format!("[{good},{good}]")), (2, 0, 2));
        assert_eq!(count(format!("[{good},{{\"a\":1}},{good}]")), (2, 1, 3));
        assert_eq!(count(format!("[{good},{{\"a\":")), (1, 1, 2));
        assert_eq!(count(format!("{good} garbage")), (0, 1, 1));
    }
}

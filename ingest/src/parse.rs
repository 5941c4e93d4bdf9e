//! From lines to events: pure, and the same for every thread that does it.

mod level;
mod run;

pub(crate) use run::Watch;

use crate::Chunk;
use crate::format::event::Policy;
use crate::format::record::Record;
use crate::format::{FormatId, Network};
use crate::json::{self, Table};
use crate::redact::Key;
use crate::reject::{Reject, Rejects};
use model::{EventBatch, Position, Time};
use run::{At, Run};
use serde::{Deserialize, Serialize};

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
        let table = |id: FormatId| Table::new(id.format().fields, principal_field);
        let declared = FormatId::known().filter(|it| it.index() >= FormatId::ALL.len());
        Ok(Parser {
            policy: Policy {
                key: Key::new(key),
                tenant: tenant_id.clone(),
                trusted,
                pseudonymize: *pseudonymize,
                group_by_network: *group_by_network,
                keep_query_values: *keep_query_values,
            },
            tables: FormatId::ALL.iter().copied().chain(declared).map(table).collect(),
            keeps_rejects: false,
        })
    }
}

/// Turns lines into events. It holds no state: threads share one.
#[derive(Debug)]
pub struct Parser {
    policy: Policy,
    /// The names that each format knows, in the order of their index.
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
    /// tried as what the record looks like. What is in an envelope is read as if it stood alone.
    pub fn parse(&self, chunk: &Chunk, format: Option<FormatId>) -> Parsed {
        self.parse_watched(chunk, format, None)
    }

    /// The same; `watch` sees every record that a format filled, and what became of it.
    pub(crate) fn parse_watched(
        &self,
        chunk: &Chunk,
        format: Option<FormatId>,
        watch: Option<Watch<'_>>,
    ) -> Parsed {
        let mut run = Run::new(self, chunk, watch);
        for (line, _) in &chunk.oversize {
            run.reject(Reject::LineTooLong, Position { source: chunk.source, line: *line }, b"");
        }
        let mut record = Record::new();
        let whole = std::str::from_utf8(&chunk.bytes).ok();
        let mut position = Position { source: chunk.source, line: chunk.first_line };
        let mut start = 0;
        let ends = memchr::memchr_iter(b'\n', &chunk.bytes).chain([chunk.bytes.len()]);
        for (number, end) in (chunk.first_line..).zip(ends) {
            position.line = number;
            let at = At { format, position, depth: 0, around: None };
            let range = start..end;
            start = end + 1;
            match whole {
                Some(text) => {
                    let line = text.get(range).unwrap_or("").trim_ascii();
                    if !line.is_empty() {
                        run.line(line, at, &mut record);
                    }
                }
                None => run.bytes(chunk.bytes.get(range).unwrap_or_default(), at),
            }
        }
        run.end();
        let times = || run.parsed.batch.events.iter().map(|it| it.time);
        run.parsed.times = times().min().zip(times().max());
        run.parsed
    }

    /// The names of an object that a format does not read, as dotted paths.
    pub(crate) fn unread(&self, line: &str, format: FormatId) -> Vec<String> {
        let table = self.tables.get(format.index());
        table.map(|table| json::unread(line, table)).unwrap_or_default()
    }
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
        // A credential is kept as its fingerprint whoever names it.
        let keyed = LINE.replace(r#""who":"svc""#, r#""api_key":"c4n4ry""#);
        let by_key = Settings { principal_field: "auth.api_key".to_owned(), ..default.clone() };
        assert_eq!(
            parsed(&by_key, &keyed, FormatId::GenericJson),
            "key:8fcacba99bb3a505 settings.principal_field 10.0.0.1 default b=c"
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
            header: Vec::new(),
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

//! Why a record is not an event: a closed set of reasons, counted, with a few redacted samples.

use crate::redact;
use model::Position;
use std::fmt;

/// Samples kept of each reason.
pub const REJECT_SAMPLES_MAX: usize = 5;
/// Bytes of a record shown in a sample.
const EXCERPT_BYTES_MAX: usize = 120;
/// Bytes of a record kept of every rejected one, where all are kept.
pub const KEPT_BYTES_MAX: usize = 4_096;

macro_rules! rejects {
    ($($(#[$doc:meta])* $variant:ident => $name:literal, $cure:literal;)+) => {
        /// Why a record is not an event.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Reject { $($(#[$doc])* $variant),+ }

        impl Reject {
            /// Every reason, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The reason's name in summaries and metrics.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// What a person can do about it.
            pub const fn cure(self) -> &'static str {
                match self { $(Self::$variant => $cure),+ }
            }
        }
    };
}

rejects! {
    /// The line begins like JSON and is not JSON.
    MalformedJson => "malformed_json", "write one JSON object per line";
    /// No known format has this shape.
    UnknownFormat => "unknown_format", "name the format, or log JSON with a time, a status, a method and a path";
    /// The line has the columns of an access log, and nothing says which is which.
    UnnamedColumns => "unnamed_columns", "declare the columns and their order under [format.NAME], as docs/gateways/mapping.md shows; for CloudFront and Akamai their pages have it";
    /// No field holds a time.
    NoTime => "no_time", "add a field `time` in RFC 3339 or as a Unix time";
    /// The time lies outside the years 2000 to 2100.
    TimeOutOfRange => "time_out_of_range", "check the time's unit and the clock that wrote it";
    /// There is a time, but neither a status nor a method and path.
    NoRequest => "no_request", "add the status, or the method and the path";
    /// The line is longer than `LINE_BYTES_MAX`.
    LineTooLong => "line_too_long", "leave request and response bodies out of the log";
    /// The line is an error or application message.
    NotAccessLog => "not_access_log", "send the access log only; nothing is lost";
    /// Another record counts the call.
    Repeated => "repeated", "nothing to do: the call is counted once, by its other record";
    /// A Kafka record is framed by a schema registry.
    RegistryFraming => "registry_framing", "let the gateway write plain JSON: take the schema registry out of its Kafka plugin";
    /// A Kafka record is an export of OpenTelemetry in protobuf.
    OtlpProtobuf => "otlp_protobuf", "let the collector write JSON: set `encoding: otlp_json` in its Kafka exporter";
    /// One line of several that make a record, which others of them lack.
    PartOfLine => "part_of_line", "let the shipper join the parts of long lines";
    /// A Kafka record has no value.
    NoValue => "no_value", "leave tombstones and empty records out of the topic";
    /// The broker holds a batch of records whose bytes are damaged.
    DamagedBatch => "damaged_batch", "check the broker's disks; the offsets say which records are lost";
    /// The parser failed on the record.
    ParserPanicked => "parser_panicked", "report the record as a defect";
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Reject {
    /// Whether nothing is missing because of it, nor anything wrong with the input.
    pub const fn is_harmless(self) -> bool {
        matches!(self, Self::NotAccessLog | Self::Repeated)
    }
}

/// One rejected record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sample {
    /// Where it stands.
    pub position: Position,
    /// Why it was rejected.
    pub reason: Reject,
    /// How it begins, redacted and without control characters.
    pub excerpt: String,
}

/// Rejected records: how many for each reason, and the first few.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rejects {
    counts: [u64; Reject::ALL.len()],
    samples: Vec<Sample>,
    keeps_all: bool,
}

impl Rejects {
    /// Rejects that keep a sample of every record, with up to [`KEPT_BYTES_MAX`] of its bytes.
    pub fn keeping_all() -> Self {
        Self { keeps_all: true, ..Self::default() }
    }

    /// Counts a record, and keeps its redacted beginning while there are few or all are kept.
    pub fn add(&mut self, reason: Reject, position: Position, record: &[u8]) {
        let Some(count) = self.counts.get_mut(reason as usize) else { return };
        *count += 1;
        let bytes_max = if self.keeps_all { KEPT_BYTES_MAX } else { EXCERPT_BYTES_MAX };
        if self.keeps_all || *count <= REJECT_SAMPLES_MAX as u64 {
            self.samples.push(Sample { position, reason, excerpt: excerpt(record, bytes_max) });
        }
    }

    /// Adds the rejects of later input with all of their samples.
    pub fn append(&mut self, later: Self) {
        for (count, more) in self.counts.iter_mut().zip(later.counts) {
            *count += more;
        }
        self.samples.extend(later.samples);
    }

    /// Gives each sample another line.
    pub fn put_lines(&mut self, line: impl Fn(u64) -> u64) {
        for sample in &mut self.samples {
            sample.position.line = line(sample.position.line);
        }
    }

    /// Forgets the samples that `keeps` refuses, and counts only the others; for rejects that keep
    /// all.
    pub fn retain(&mut self, keeps: impl Fn(&Sample) -> bool) {
        let mut all = std::mem::take(self);
        all.samples.retain(keeps);
        all.counts = [0; Reject::ALL.len()];
        for sample in &all.samples {
            if let Some(count) = all.counts.get_mut(sample.reason as usize) {
                *count += 1;
            }
        }
        *self = all;
    }

    /// Takes out the samples.
    pub fn take_samples(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.samples)
    }

    /// Adds the rejects of later input.
    pub fn merge(&mut self, later: &Self) {
        for (count, more) in self.counts.iter_mut().zip(later.counts) {
            *count += more;
        }
        for sample in &later.samples {
            let same = self.samples.iter().filter(|it| it.reason == sample.reason).count();
            if same < REJECT_SAMPLES_MAX {
                self.samples.push(sample.clone());
            }
        }
    }

    /// How many records were rejected.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many records were rejected that should have been events.
    pub fn harmful(&self) -> u64 {
        self.iter().filter(|(reason, _)| !reason.is_harmless()).map(|(_, count)| count).sum()
    }

    /// How many records were rejected for a reason.
    pub fn count(&self, reason: Reject) -> u64 {
        self.counts.get(reason as usize).copied().unwrap_or_default()
    }

    /// The reasons that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (Reject, u64)> + '_ {
        Reject::ALL
            .iter()
            .map(|reason| (*reason, self.count(*reason)))
            .filter(|(_, count)| *count > 0)
    }

    /// The first few rejected records of each reason, as they were rejected: a line in parts when it was
    /// given up.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

/// The redacted beginning of a record.
fn excerpt(record: &[u8], bytes_max: usize) -> String {
    // More than is shown is redacted, so that a secret at the cut is still whole when it is looked for.
    let head = record.get(..bytes_max * 4).unwrap_or(record);
    let text = String::from_utf8_lossy(head);
    let mut clean = String::new();
    redact::excerpt(&text, &mut clean);
    let clean: String =
        clean.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect();
    redact::cut(&clean, bytes_max).0.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_on_after_the_samples_are_full() {
        let mut rejects = Rejects::default();
        for line in 0..20 {
            rejects.add(Reject::NoTime, Position { source: 0, line }, b"{}");
        }
        let mut all = rejects.clone();
        all.merge(&rejects);
        assert_eq!((all.total(), all.count(Reject::NoTime)), (40, 40));
        assert_eq!(all.samples().len(), REJECT_SAMPLES_MAX);
        assert_eq!(all.iter().collect::<Vec<_>>(), [(Reject::NoTime, 40)]);
    }

    #[test]
    fn all_are_kept_where_that_is_wanted() {
        let mut rejects = Rejects::keeping_all();
        for line in 0..20 {
            rejects.add(Reject::NoTime, Position { source: 0, line }, &[b'x'; KEPT_BYTES_MAX + 1]);
        }
        let samples = rejects.take_samples();
        assert_eq!((samples.len(), samples[0].excerpt.len()), (20, KEPT_BYTES_MAX));
        assert_eq!((rejects.total(), rejects.samples().len()), (20, 0));
    }

    #[test]
    fn an_excerpt_shows_no_secret_and_no_control_character() {
        let shown = excerpt(b"GET /x?api_key=c4n4ry-0000&b=1 AKIAIOSFODNN7EXAMPLE \x1b[31m\n", 120);
        assert!(!shown.contains("c4n4ry") && !shown.contains("AKIA"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }

    #[test]
    fn an_excerpt_of_json_shows_no_value_that_may_be_a_secret() {
        for record in [
            r#"{"headers":{"X-Api-Key":["c4n4ry1"],"cookie":"a=c4n4ry; b=c4n4ry"}}"#,
            r#"{"password":{"v":"c4n4ry10"},"mcp-session-id":"c4n4ry","X-Auth-Key":"c4n4ry"}"#,
            r#"{"attributes":[{"key":"x-api-key","value":{"stringValue":"c4n4ry2"}}]}"#,
            r#"{"authorization":"Digest username=\"bob\", response=\"c4n4ry19\""}"#,
            r#"{"messages":[{"content":"c4n4ry"}],"prompt":"c4n4ry","payload":"c4n4ry"}"#,
            r#"<13>1 host app: {"raw_request":"c4n4ry","arguments":{"a":["c4n4ry"]}}"#,
        ] {
            let shown = excerpt(record.as_bytes(), 4096);
            assert!(!shown.contains("c4n4ry"), "{shown}");
        }
        assert_eq!(
            excerpt(br#"{"broken":50, "password":"x"#, 120),
            "{\"broken\":50, \"password\":\"…\""
        );
    }
}

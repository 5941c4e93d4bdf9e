//! What format records are in: recognised by signatures and by trying, refused rather than guessed.

use crate::Chunk;
use crate::format::record::Record;
use crate::format::{FormatId, Reader};
use crate::json;
use crate::parse::{Parsed, Parser, Settings, Watch};
use crate::reject::{Reject, Sample};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::sync::LazyLock;

/// Records of a sample that vote.
pub const VOTES_MAX: usize = 200;
/// Of the records that are not mere messages, the part in percent that must be recognised.
const RECOGNISED_PERCENT_MIN: u64 = 50;

/// A parser with the default settings; its key is not secret, and nothing it makes is kept.
static PARSER: LazyLock<Option<Parser>> = LazyLock::new(|| Settings::default().check([0; 32]).ok());

/// Why a sample is in no format that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Records that were looked at.
    pub records: u64,
    /// Records that some format could read.
    pub recognised: u64,
    /// Why the others could not be read, and how many for each reason.
    pub reasons: Vec<(Reject, u64)>,
    /// The first few of those, redacted.
    pub samples: Vec<Sample>,
    /// The format that comes closest.
    pub closest: Option<FormatId>,
    /// What the records lack for it.
    pub missing: Vec<&'static str>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, recognised, reasons, samples: _, closest, missing } = self;
        if *records == 0 {
            return f.write_str("the input holds no records: give a file with access log lines");
        }
        write!(f, "no format reads this input: {recognised} of {records} records were understood")?;
        for (index, (reason, count)) in reasons.iter().enumerate() {
            write!(f, "{}{reason} {count}", if index == 0 { " (" } else { ", " })?;
        }
        if !reasons.is_empty() {
            f.write_str(")")?;
        }
        if let Some(closest) = closest {
            write!(f, "; the closest format is {closest}")?;
        }
        if !missing.is_empty() {
            write!(f, ", which also needs: {}", missing.join(", "))?;
        }
        if let Some((reason, _)) = reasons.iter().max_by_key(|(_, count)| *count) {
            write!(f, "; {}", reason.cure())?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// What a sample's records are.
#[derive(Debug)]
struct Votes {
    /// Events by format.
    counts: Vec<u64>,
    /// Records that a format filled, and that were no events.
    guesses: Vec<u64>,
    /// What the first of those lack.
    missing: Vec<Vec<&'static str>>,
}

/// What an input is, from a sample of its first bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Recognised {
    /// The format that most of its records have.
    pub format: FormatId,
    /// What to read it as: that format where no other was seen and it takes no other's records for its
    /// own, else nothing, so that each record is recognised by itself.
    pub hint: Option<FormatId>,
}

/// Formats of JSON whose names are so common that they would read others' records as theirs.
pub(crate) const LENIENT: [FormatId; 7] = [
    FormatId::NginxJson,
    FormatId::FastlyJson,
    FormatId::Caddy,
    FormatId::AwsApigw,
    FormatId::Litellm,
    FormatId::EnvoyJson,
    FormatId::Mcp,
];

/// The format of an input, from a sample of its first bytes.
pub fn stream(sample: &[u8]) -> Result<FormatId, Refusal> {
    recognise(sample).map(|it| it.format)
}

/// What an input is, from a sample of its first bytes.
pub fn recognise(sample: &[u8]) -> Result<Recognised, Refusal> {
    let formats = FormatId::known().count();
    let mut votes = Votes {
        counts: vec![0; formats],
        guesses: vec![0; formats],
        missing: vec![Vec::new(); formats],
    };
    let parsed = watch(sample, None, &mut |format, record, done| votes.see(format, record, done));
    votes.decide(&parsed)
}

/// Reads a sample and shows every record that a format filled.
pub(crate) fn watch(sample: &[u8], format: Option<FormatId>, watch: Watch<'_>) -> Parsed {
    let chunk = Chunk { bytes: lines(sample).to_vec(), first_line: 1, ..Chunk::default() };
    let parser = PARSER.as_ref();
    parser.map(|it| it.parse_watched(&chunk, format, Some(watch))).unwrap_or_default()
}

impl Votes {
    fn see(&mut self, format: FormatId, record: &mut Record<'_>, done: Result<(), Reject>) {
        let index = format.index();
        let Err(_) = done else {
            if let Some(count) = self.counts.get_mut(index) {
                *count += 1;
            }
            return;
        };
        let (Some(count), Some(missing)) =
            (self.guesses.get_mut(index), self.missing.get_mut(index))
        else {
            return;
        };
        *count += 1;
        if *count == 1 {
            *missing = what_is_missing(record);
        }
    }

    /// What to read records as of which most have a format.
    fn hint(&self, format: FormatId) -> Option<FormatId> {
        let kinds = self.counts.iter().filter(|it| **it > 0).count();
        (kinds == 1 && !LENIENT.contains(&format)).then_some(format)
    }

    fn decide(mut self, parsed: &Parsed) -> Result<Recognised, Refusal> {
        let recognised: u64 = self.counts.iter().sum();
        // A record of several calls is several events, and one that was understood.
        let called = recognised + parsed.rejects.harmful();
        match best(&self.counts) {
            Some(format) if recognised * 100 >= called * RECOGNISED_PERCENT_MIN => {
                Ok(Recognised { format, hint: self.hint(format) })
            }
            best => {
                let closest = best.or_else(|| self::best(&self.guesses));
                let missing = closest.and_then(|it| self.missing.get_mut(it.index()));
                let missing = missing.map(std::mem::take).unwrap_or_default();
                let (reasons, samples) =
                    (parsed.rejects.iter().collect(), parsed.rejects.samples().to_vec());
                let records = recognised + parsed.rejects.total();
                Err(Refusal { records, recognised, reasons, samples, closest, missing })
            }
        }
    }
}

/// The format with the most votes; of two with as many, the earlier.
fn best(counts: &[u64]) -> Option<FormatId> {
    let most = counts.iter().copied().max().filter(|it| *it > 0)?;
    let index = counts.iter().position(|it| *it == most)?;
    FormatId::known().find(|it| it.index() == index)
}

/// What a record lacks to be an event.
fn what_is_missing(record: &mut Record<'_>) -> Vec<&'static str> {
    use crate::format::field::{Raw, Slot};
    let mut missing = Vec::new();
    if !record.has(Slot::Raw(Raw::Time)) {
        missing.push("a time");
    }
    if !crate::format::has_request(record) {
        missing.push("a status, or a method and a path");
    }
    missing
}

/// The format of one record, if it is an event in it.
pub fn record(line: &[u8]) -> Option<FormatId> {
    let mut found = None;
    watch(line, None, &mut |format, _, done| found = done.ok().map(|()| format).or(found));
    found
}

/// The formats of text that a line looks like, without reading it as them.
pub(crate) fn texts(line: &str) -> impl Iterator<Item = FormatId> {
    FormatId::known().filter(move |id| match &id.format().reader {
        Reader::Json { .. } => false,
        Reader::Text { looks, .. } | Reader::Columns { looks, .. } => looks(line),
    })
}

/// What an object looks like, by its names.
#[derive(Debug)]
pub(crate) struct Look<'a> {
    line: Cow<'a, str>,
    names: Vec<String>,
    /// The names inside its objects, read only for formats that show in them.
    inner: OnceCell<Vec<String>>,
}

impl<'a> Look<'a> {
    /// The look of a line that is JSON, or would be if it were mended.
    pub(crate) fn of(line: &'a str) -> Result<Self, Reject> {
        let (names, line) = match json::names(line) {
            Ok(names) => (names, Cow::Borrowed(line)),
            Err(_) => json::prune(line)
                .or_else(|| json::repair(line))
                .and_then(|mended| Some((json::names(&mended).ok()?, Cow::Owned(mended))))
                .ok_or(Reject::MalformedJson)?,
        };
        Ok(Self { line, names, inner: OnceCell::new() })
    }

    /// The formats whose signatures it has, the generic one last.
    pub(crate) fn formats(&self) -> impl Iterator<Item = FormatId> {
        let is_signed = |id: &FormatId| match &id.format().reader {
            Reader::Json { signatures, .. } => {
                signatures.iter().any(|set| set.iter().all(|name| self.has(name)))
            }
            Reader::Text { .. } | Reader::Columns { .. } => false,
        };
        FormatId::known().filter(is_signed).chain([FormatId::GenericJson])
    }

    /// Whether it has a name, at its top or, where a dot says so, inside an object.
    pub(crate) fn has(&self, name: &str) -> bool {
        let is_there = |name: &str| self.names.iter().any(|it| it == name);
        let inner = || self.inner.get_or_init(|| json::inner_names(&self.line).unwrap_or_default());
        is_there(name)
            || name.split_once('.').is_some_and(|(outer, _)| is_there(outer))
                && inner().iter().any(|it| it == name)
    }

    /// Its names, if nothing else was asked for.
    pub(crate) fn names(self) -> Option<Vec<String>> {
        let is_decided = matches!(self.line, Cow::Borrowed(_)) && self.inner.get().is_none();
        is_decided.then_some(self.names)
    }
}

/// The first lines of a sample; the last one only if it is whole.
pub(crate) fn lines(sample: &[u8]) -> &[u8] {
    let whole = match memchr::memrchr(b'\n', sample) {
        Some(end) => sample.get(..end).unwrap_or(sample),
        None => sample,
    };
    match memchr::memchr_iter(b'\n', whole).nth(VOTES_MAX - 1) {
        Some(end) => whole.get(..end).unwrap_or(whole),
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sample: &str, expected: &str) {
        let shown = match stream(sample.as_bytes()) {
            Ok(format) => format.to_string(),
            Err(refusal) => refusal.to_string(),
        };
        assert_eq!(shown, expected);
    }

    const ACCESS: &str = "1.2.3.4 - - [10/Mar/2026:03:36:59 +0000] \"GET / HTTP/1.1\" 200 5\n";
    const MESSAGE: &str = "2026/03/10 13:02:31 [error] 31#31: *1 open() failed\n";

    #[test]
    fn messages_between_accesses_do_not_matter() {
        check(&format!("{ACCESS}{MESSAGE}{MESSAGE}{MESSAGE}"), "clf");
    }

    #[test]
    fn a_json_line_of_another_kind_is_refused_with_what_it_lacks() {
        check(
            r#"{"level":"info","time":"2026-03-10T03:36:59Z","msg":"started"}"#,
            "no format reads this input: 0 of 1 records were understood (no_request 1); the closest \
             format is generic_json, which also needs: a status, or a method and a path; add the \
             status, or the method and the path",
        );
    }

    #[test]
    fn what_is_mostly_not_understood_is_refused() {
        check(
            &format!("{ACCESS}what\nis\nthis\n"),
            "no format reads this input: 1 of 4 records were understood (unknown_format 3); the \
             closest format is clf; name the format, or log JSON with a time, a status, a method and \
             a path",
        );
        check("", "the input holds no records: give a file with access log lines");
    }

    #[test]
    fn a_record_of_several_calls_is_understood_once() {
        let rpc = [r#"{"method":"tools/call","tool_name":"a"}"#; 5].join(",");
        let line = format!(
            r#"{{"started_at":1773113819123,"client_ip":"1.2.3.4","latencies":{{"request":1}},"request":{{"method":"POST","uri":"/mcp"}},"response":{{"status":200}},"ai":{{"mcp":{{"rpc":[{rpc}]}}}}}}"#
        );
        check(&format!("{line}\n{line}\n"), "kong");
    }

    #[test]
    fn a_line_that_is_cut_by_the_end_of_the_sample_has_no_vote() {
        check(&format!("{ACCESS}1.2.3.4 - - [10/Mar"), "clf");
    }

    #[test]
    fn every_format_has_a_name_of_its_own() {
        for id in FormatId::ALL {
            assert_eq!(FormatId::from_name(id.as_str()), Some(*id));
            assert!(!id.about().is_empty());
        }
        assert_eq!(FormatId::from_name("nginx"), Some(FormatId::Clf));
        assert_eq!(FormatId::from_name("syslog"), None);
    }
}

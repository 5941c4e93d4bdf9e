//! What format records are in: recognised by signatures and by trying, refused rather than guessed.

use crate::format::record::Record;
use crate::format::{FormatId, Reader};
use crate::json;
use crate::parse::{Parser, Settings};
use crate::reject::{Reject, Rejects, Sample};
use model::Position;
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

/// The votes of a sample's records.
#[derive(Debug, Default)]
struct Votes {
    counts: Vec<u64>,
    guesses: Vec<u64>,
    rejects: Rejects,
    records: u64,
}

/// The format of an input, from a sample of its first bytes.
pub fn stream(sample: &[u8]) -> Result<FormatId, Refusal> {
    let formats = FormatId::known().count();
    let mut votes =
        Votes { counts: vec![0; formats], guesses: vec![0; formats], ..Votes::default() };
    for (line, text) in (1..).zip(lines(sample)) {
        votes.records += 1;
        let guess = look(&text);
        if let Some(count) = guess.ok().and_then(|it| votes.guesses.get_mut(it.index())) {
            *count += 1;
        }
        match guess.and_then(|it| accepts(&text, it).map(|()| it)) {
            Ok(format) => {
                if let Some(count) = votes.counts.get_mut(format.index()) {
                    *count += 1;
                }
            }
            Err(reason) => votes.rejects.add(reason, Position { source: 0, line }, text.as_bytes()),
        }
    }
    votes.decide(sample)
}

impl Votes {
    fn decide(self, sample: &[u8]) -> Result<FormatId, Refusal> {
        let recognised: u64 = self.counts.iter().sum();
        let messages = self.rejects.count(Reject::NotAccessLog);
        let best = best(&self.counts);
        match best {
            Some(format)
                if recognised * 100 >= (self.records - messages) * RECOGNISED_PERCENT_MIN =>
            {
                Ok(format)
            }
            best => {
                let closest = best.or_else(|| self::best(&self.guesses));
                let missing = closest.map(|it| missing(sample, it)).unwrap_or_default();
                let Self { rejects, records, .. } = self;
                let (reasons, samples) = (rejects.iter().collect(), rejects.samples().to_vec());
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

/// What the first record of a sample lacks for a format.
fn missing(sample: &[u8], format: FormatId) -> Vec<&'static str> {
    use crate::format::field::{Raw, Slot};
    let Some((parser, text)) = PARSER.as_ref().zip(lines(sample).next()) else { return Vec::new() };
    let mut record = Record::new();
    if parser.fill(&text, format, &mut record).is_none() {
        return Vec::new();
    }
    let mut missing = Vec::new();
    if !record.has(Slot::Raw(Raw::Time)) {
        missing.push("a time");
    }
    if !crate::format::has_request(&mut record) {
        missing.push("a status, or a method and a path");
    }
    missing
}

/// The format of one record, if it is an event in it.
pub fn record(line: &[u8]) -> Option<FormatId> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_ascii();
    let format = look(text).ok()?;
    accepts(text, format).ok().map(|()| format)
}

fn accepts(line: &str, format: FormatId) -> Result<(), Reject> {
    PARSER.as_ref().ok_or(Reject::UnknownFormat)?.accepts(line, format)
}

/// What a line looks like, without reading it as that.
pub(crate) fn look(line: &str) -> Result<FormatId, Reject> {
    look_close(line).map(|(format, _)| format)
}

/// The same, and the names of a line that is whole JSON, on which alone it rests.
pub(crate) fn look_close(line: &str) -> Result<(FormatId, Option<Vec<String>>), Reject> {
    if is_json(line) {
        return look_json(line);
    }
    let looks = |id: &FormatId| match &id.format().reader {
        Reader::Json { .. } => false,
        Reader::Text { looks, .. } | Reader::Columns { looks, .. } => looks(line),
    };
    let found = FormatId::known().find(looks).ok_or(Reject::UnknownFormat)?;
    Ok((found, None))
}

/// JSON begins with `{`, or with `[` and then `{` or `]`.
fn is_json(line: &str) -> bool {
    match line.as_bytes() {
        [b'{', ..] => true,
        [b'[', rest @ ..] => matches!(rest.trim_ascii_start(), [b'{' | b']', ..]),
        _ => false,
    }
}

fn look_json(line: &str) -> Result<(FormatId, Option<Vec<String>>), Reject> {
    let (names, is_whole) = match json::names(line) {
        Ok(names) => (names, true),
        Err(_) => json::prune(line)
            .or_else(|| json::repair(line))
            .and_then(|mended| json::names(&mended).ok())
            .map(|names| (names, false))
            .ok_or(Reject::MalformedJson)?,
    };
    let has = |name: &&str| names.iter().any(|it| it == name);
    let is_signed = |id: &FormatId| match &id.format().reader {
        Reader::Json { signatures, .. } => signatures.iter().any(|set| set.iter().all(has)),
        Reader::Text { .. } | Reader::Columns { .. } => false,
    };
    let format = FormatId::known().find(is_signed).unwrap_or(FormatId::GenericJson);
    Ok((format, is_whole.then_some(names)))
}

/// The lines of a sample that are not blank; the last one only if it is whole.
fn lines(sample: &[u8]) -> impl Iterator<Item = String> + '_ {
    let whole = match memchr::memrchr(b'\n', sample) {
        Some(end) => sample.get(..end).unwrap_or(sample),
        None => sample,
    };
    let lines = whole.split(|it| *it == b'\n').map(<[u8]>::trim_ascii);
    lines
        .filter(|it| !it.is_empty())
        .take(VOTES_MAX)
        .map(|it| String::from_utf8_lossy(it).into_owned())
}

/// A field of the source and the columns that it fills.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mapped {
    /// The field's name in the source.
    pub field: &'static str,
    /// The canonical columns.
    pub column: &'static str,
    /// How its value is read: the unit, or that only a fingerprint is kept. Empty: as it stands.
    pub unit: &'static str,
    /// Records of the sample that had it.
    pub records: u64,
}

/// What `formats explain` prints: the format that a sample would be read in, and its mapping.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// The format.
    pub format: FormatId,
    /// Records that were looked at.
    pub records: u64,
    /// The fields that fill a column, in the order of the columns.
    pub mapping: Vec<Mapped>,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.format, self.format.about())?;
        for Mapped { field, column, unit, records } in &self.mapping {
            write!(f, "  {field} -> {column}")?;
            if !unit.is_empty() {
                write!(f, " [{unit}]")?;
            }
            writeln!(f, " in {records} of {} records", self.records)?;
        }
        Ok(())
    }
}

/// Explains how a sample would be read, or why it would not.
pub fn explain(sample: &[u8]) -> Result<Explanation, Refusal> {
    let format = stream(sample)?;
    let mut seen: Vec<(usize, Mapped)> = Vec::new();
    let mut records = 0;
    for text in lines(sample) {
        let mut record = Record::new();
        let Some(parser) = PARSER.as_ref() else { break };
        if parser.fill(&text, format, &mut record).is_none() {
            continue;
        }
        records += 1;
        let mut bits = record.present();
        while bits != 0 {
            let index = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let Some(field) = record.at(index).map(|it| it.field) else { continue };
            if let Some((_, mapped)) = seen.iter_mut().find(|(_, it)| it.field == field.name) {
                mapped.records += 1;
            } else {
                let (column, unit) = (field.slot.column(), field.how.unit());
                seen.push((index, Mapped { field: field.name, column, unit, records: 1 }));
            }
        }
    }
    seen.sort_by_key(|(index, _)| *index);
    Ok(Explanation { format, records, mapping: seen.into_iter().map(|(_, it)| it).collect() })
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
    fn a_line_that_is_cut_by_the_end_of_the_sample_has_no_vote() {
        check(&format!("{ACCESS}1.2.3.4 - - [10/Mar"), "clf");
    }

    #[test]
    fn an_explanation_names_fields_columns_and_units() {
        let sample =
            r#"{"time":"2026-03-10T03:36:59Z","status":200,"latency_ms":5,"api_key":"k","x":1}"#;
        let explained = explain(sample.as_bytes()).map(|it| it.to_string());
        let expected = "generic_json: any JSON access log with a time and a status, or a method and a \
            path (ECS, OpenTelemetry names too)\n  latency_ms -> duration_ns [milliseconds] in 1 of 1 \
            records\n  status -> http_response_status_code in 1 of 1 records\n  time -> time in 1 of 1 \
            records\n  api_key -> credential_id, principal_id [kept as a fingerprint] in 1 of 1 records\n";
        assert_eq!(explained.as_deref(), Ok(expected));
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

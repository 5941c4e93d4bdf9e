//! How a sample is read and why so: what it is wrapped in, its format, where its fields go, what is
//! not read. Values are shown as the event has them, with nothing in them that redaction takes out.

use crate::Chunk;
use crate::envelope::split::Members;
use crate::envelope::{self, DEPTH_MAX, Inside};
use crate::format::record::Record;
use crate::format::{FormatId, Reader};
use crate::parse::{Parsed, Parser};
use crate::redact;
use crate::reject::Reject;
use crate::sniff::{self, Look, Refusal};
use model::{Event, EventBatch, Int, Text};
use serde::Serialize;
use std::fmt;

/// Characters of a value that are shown.
const VALUE_CHARS_MAX: usize = 120;
/// Names that are not read of which a text shows at most so many.
const UNREAD_SHOWN_MAX: usize = 24;

/// How a sample is read.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The format.
    #[serde(skip)]
    pub id: FormatId,
    /// The format's name.
    pub format: &'static str,
    /// What the format is.
    pub about: &'static str,
    /// Why it is this one.
    pub why: String,
    /// Records of the sample that were read in it.
    pub records: u64,
    /// The line of the record that is shown.
    pub line: u64,
    /// What that record is wrapped in, the outermost first.
    pub envelopes: Vec<&'static str>,
    /// Its fields, in the order of the columns.
    pub fields: Vec<Shown>,
    /// The names of its fields that are not read.
    pub unread: Vec<String>,
    /// The formats that it does not have, each with the reason.
    pub rejected: Vec<Rejected>,
}

/// A field of the record and the columns that it fills.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Shown {
    /// The field's name in the source.
    pub field: &'static str,
    /// The canonical columns.
    pub columns: &'static str,
    /// How its value is read: the unit, or that only a fingerprint is kept. Empty: as it stands.
    pub unit: &'static str,
    /// What the columns hold, redacted; empty where the record shown has no such field, or its value counted
    /// for nothing.
    pub value: String,
    /// Records of the sample that had it.
    pub records: u64,
}

/// A format that the record does not have.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Rejected {
    /// The format's name.
    pub format: &'static str,
    /// Why not.
    pub why: String,
}

/// Explains how a sample would be read with a parser, or why it would not.
///
/// # Errors
///
/// No format was declared, and none reads the sample.
pub fn explain(
    sample: &[u8],
    parser: &Parser,
    declared: Option<FormatId>,
) -> Result<Explanation, Refusal> {
    let id = match declared {
        Some(declared) => declared,
        None => sniff::stream(sample)?,
    };
    let (fields, records, parsed) = fields(sample, parser, id);
    let event = parsed.batch.events.iter().find(|it| is_of(id, it));
    let line = event.map_or(0, |it| it.position.line);
    let text = sniff::lines(sample).split(|it| *it == b'\n').nth((line as usize).saturating_sub(1));
    let text = String::from_utf8_lossy(text.unwrap_or_default()).trim_ascii().to_owned();
    let (envelopes, inner) = peel(&text, parser);
    // A column may hold what the record says elsewhere.
    let shown = |Seen { is_of_first, shown, .. }: Seen| Shown {
        value: event
            .filter(|_| is_of_first)
            .map_or_else(String::new, |it| value(&parsed.batch, it, shown.columns)),
        ..shown
    };
    Ok(Explanation {
        id,
        format: id.as_str(),
        about: id.about(),
        why: if declared.is_some() { "it was named".to_owned() } else { why(id, &inner) },
        records,
        line,
        envelopes,
        fields: fields.into_iter().map(shown).collect(),
        unread: unread(parser, &inner, id),
        rejected: rejected(Some(id), &inner),
    })
}

/// Whether an event was read in a format; a canonical one says what it was before.
fn is_of(id: FormatId, event: &Event) -> bool {
    event.source_format == id.as_str() || id == FormatId::Canonical
}

/// A field that records have.
struct Seen {
    /// The slot that it fills.
    index: usize,
    /// The first record has it, which is the one that is shown.
    is_of_first: bool,
    shown: Shown,
}

/// The fields of the records of a format, how often each occurs, how many records there are, and
/// what the sample holds.
fn fields(sample: &[u8], parser: &Parser, id: FormatId) -> (Vec<Seen>, u64, Parsed) {
    let mut seen: Vec<Seen> = Vec::new();
    let mut records = 0;
    let bytes = sniff::lines(sample).to_vec();
    let chunk = Chunk { bytes, first_line: 1, ..Chunk::default() };
    let mut watch = |of: FormatId, record: &mut Record<'_>, done: Result<(), Reject>| {
        if of != id || done.is_err() {
            return;
        }
        records += 1;
        let mut bits = record.present();
        while bits != 0 {
            let index = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let Some(field) = record.at(index).map(|it| it.field) else { continue };
            let same = |it: &&mut Seen| it.index == index && it.shown.field == field.name;
            if let Some(known) = seen.iter_mut().find(same) {
                known.shown.records += 1;
            } else {
                let (columns, unit) = (field.slot.column(), field.how.unit());
                let value = String::new();
                let shown = Shown { field: field.name, columns, unit, value, records: 1 };
                seen.push(Seen { index, is_of_first: records == 1, shown });
            }
        }
    };
    let parsed = parser.parse_watched(&chunk, Some(id), Some(&mut watch));
    seen.sort_by_key(|it| it.index);
    (seen, records, parsed)
}

/// What columns hold, such as `url_path, url_query` or `client_address (behind trusted proxies)`.
fn value(batch: &EventBatch, event: &Event, columns: &str) -> String {
    let columns = columns.split(" (").next().unwrap_or_default();
    let of = |column: &str| -> Option<String> {
        if let Some(text) = Text::ALL.iter().find(|it| it.as_str() == column) {
            return batch.text(event, *text).map(str::to_owned);
        }
        if let Some(int) = Int::ALL.iter().find(|it| it.as_str() == column) {
            return event.int(*int).map(|it| it.to_string());
        }
        match column {
            "time" => Some(format!("{} ({})", event.time, event.time_kind)),
            "principal_type" => Some(event.principal_type.to_string()),
            "principal_trust" => Some(event.principal_trust.to_string()),
            "parse_flags" => Some(event.parse_flags.0.to_string()),
            _ => None,
        }
    };
    let values: Vec<_> = columns.split(", ").filter_map(of).collect();
    // A field that a column is derived from may hold what the event leaves out: it is never shown.
    values.join(", ").chars().take(VALUE_CHARS_MAX).collect()
}

/// The envelopes of a line and what is inside them.
fn peel(line: &str, parser: &Parser) -> (Vec<&'static str>, String) {
    let mut names = Vec::new();
    let mut stages = vec![line.to_owned()];
    while let Some((name, inner)) = stages.last().and_then(|it| open(it)) {
        if names.len() == DEPTH_MAX {
            break;
        }
        names.push(name);
        stages.push(inner);
    }
    // What looked like an envelope may have been the record.
    while stages.len() > 1 && stages.last().is_some_and(|it| !is_event(parser, it)) {
        stages.pop();
        names.pop();
    }
    (names, stages.pop().unwrap_or_default())
}

fn is_event(parser: &Parser, line: &str) -> bool {
    let chunk = Chunk { bytes: line.as_bytes().to_vec(), ..Chunk::default() };
    !parser.parse(&chunk, None).batch.events.is_empty()
}

/// Takes off one envelope, or takes the first of a list.
fn open(line: &str) -> Option<(&'static str, String)> {
    let line = line.trim_ascii();
    let (name, inside) = match line.as_bytes() {
        [b'{', ..] => envelope::named_object(line)?,
        [b'[', rest @ ..] if matches!(rest.trim_ascii_start(), [b'{', ..]) => {
            ("list", Inside::List(line))
        }
        _ => envelope::named_text(line)?,
    };
    let inner = match inside {
        Inside::Line(text) | Inside::Part(_, text) | Inside::Last(_, text) => text.into_owned(),
        Inside::Lines(lines) => lines.into_iter().next()?.into_owned(),
        Inside::List(list) => match Members::of(list)?.next()?.ok()?.1 {
            element if element.starts_with('{') => element.to_owned(),
            element => match envelope::inside(element)? {
                Inside::Line(text) => text.into_owned(),
                _ => return None,
            },
        },
        Inside::Nothing | Inside::Refused(_) => return None,
    };
    Some((name, inner))
}

/// Why a record has a format.
fn why(id: FormatId, line: &str) -> String {
    match &id.format().reader {
        Reader::Json { signatures, .. } => {
            let look = Look::of(line).ok();
            let set = signatures.iter().find(|set| {
                look.as_ref().is_some_and(|look| set.iter().all(|name| look.has(name)))
            });
            match set {
                Some(set) => format!("it has {}", set.join(", ")),
                None => {
                    "it has no other format's names, and its own say a time and a call".to_owned()
                }
            }
        }
        Reader::Text { .. } => "it has the form of such lines, and its values are read".to_owned(),
        Reader::Columns { .. } => {
            "a header line names its columns, or they are the usual ones".to_owned()
        }
    }
}

/// Why no format reads a sample, by its first record: the formats with the same reason together.
pub fn refused(sample: &[u8], parser: &Parser) -> String {
    let lines = sniff::lines(sample);
    let first = lines.split(|it| *it == b'\n').map(<[u8]>::trim_ascii).find(|it| !it.is_empty());
    let (_, inner) = peel(&String::from_utf8_lossy(first.unwrap_or_default()), parser);
    format!("the first record is in no format:\n{}", by_reason(&rejected(None, &inner)))
}

/// The formats that a record does not have, each with the reason.
fn rejected(id: Option<FormatId>, line: &str) -> Vec<Rejected> {
    let look = Look::of(line).ok().filter(|_| line.starts_with('{'));
    let others = FormatId::known().filter(|it| Some(*it) != id);
    let reason = |other: FormatId| match (&other.format().reader, &look) {
        (Reader::Json { .. }, None) => "it is JSON, and the record is a line of text".to_owned(),
        (Reader::Json { signatures, .. }, Some(look)) => of_names(signatures, look),
        (_, Some(_)) => "it is text, and the record is JSON".to_owned(),
        (Reader::Text { looks, .. } | Reader::Columns { looks, .. }, None) => {
            if looks(line) {
                cannot_be_read(other, line)
            } else {
                "its form is another".to_owned()
            }
        }
    };
    others.map(|it| Rejected { format: it.as_str(), why: reason(it) }).collect()
}

/// Why a record that looks like a format is not read in it.
fn cannot_be_read(other: FormatId, line: &str) -> String {
    let mut reason = None;
    sniff::watch(line.as_bytes(), Some(other), &mut |of, _, done| {
        if of == other && reason.is_none() {
            reason = Some(done);
        }
    });
    match reason {
        Some(Ok(())) => "it could be read so, but another stands before it".to_owned(),
        Some(Err(reason)) => format!("it looks like it, but: {reason}"),
        None => "it looks like it, but its values cannot be told apart".to_owned(),
    }
}

/// What a record lacks for the signature that it comes closest to.
fn of_names(signatures: &[&[&str]], look: &Look<'_>) -> String {
    let missing = |set: &&[&str]| -> Vec<String> {
        set.iter().filter(|name| !look.has(name)).map(|it| (*it).to_owned()).collect()
    };
    match signatures.iter().map(missing).min_by_key(Vec::len) {
        None => "it is read where nothing else is recognised, or where it is named".to_owned(),
        Some(missing) if missing.is_empty() => {
            "it has its names, but another format stands before it or its values are others"
                .to_owned()
        }
        Some(missing) => format!("it lacks {}", missing.join(", ")),
    }
}

/// The names that are not read, of which one may hold what a caller chose.
fn unread(parser: &Parser, line: &str, id: FormatId) -> Vec<String> {
    let clean = |name: &String| {
        let mut clean = String::new();
        redact::excerpt(name, &mut clean);
        redact::cut(&clean, VALUE_CHARS_MAX).0.to_owned()
    };
    parser.unread(line, id).iter().map(clean).collect()
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, about, why, records, line, envelopes, fields, unread, .. } = self;
        writeln!(f, "{format}: {about}")?;
        writeln!(f, "why: {why}")?;
        if !envelopes.is_empty() {
            writeln!(f, "wrapped in: {}", envelopes.join(" > "))?;
        }
        writeln!(f, "the record of line {line}:")?;
        for Shown { field, columns, unit, value, records: with } in fields {
            write!(f, "  {field} -> {columns}")?;
            if !unit.is_empty() {
                write!(f, " [{unit}]")?;
            }
            if !value.is_empty() {
                write!(f, " = {value}")?;
            }
            writeln!(f, " in {with} of {records} records")?;
        }
        if !unread.is_empty() {
            let shown: Vec<_> = unread.iter().take(UNREAD_SHOWN_MAX).map(String::as_str).collect();
            let more = unread.len() - shown.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            writeln!(f, "not read: {}{more}", shown.join(", "))?;
        }
        writeln!(f, "not in another format:")?;
        f.write_str(&by_reason(&self.rejected))
    }
}

/// Formats that a record does not have, those with the same reason in one line.
fn by_reason(rejected: &[Rejected]) -> String {
    let mut out = String::new();
    let mut said: Vec<&str> = Vec::new();
    for Rejected { why, .. } in rejected {
        if said.contains(&why.as_str()) {
            continue;
        }
        said.push(why);
        let same = rejected.iter().filter(|it| it.why == *why);
        let names: Vec<_> = same.map(|it| it.format).collect();
        out.extend(["  ", &*names.join(", "), ": ", why.as_str(), "\n"]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Settings;

    fn explained(sample: &str) -> Explanation {
        let parser = Settings::default().check([7; 32]).expect("a parser");
        explain(sample.as_bytes(), &parser, None).expect("a format")
    }

    #[test]
    fn it_says_where_each_field_goes_and_what_is_not_read() {
        let sample = r#"{"time":"2026-03-10T03:36:59Z","status":200,"latency_ms":5,"path":"/a?token=c4n4ry","api_key":"c4n4ry","x":{"y":1}}"#;
        let it = explained(sample);
        assert_eq!((it.format, it.records, it.line), ("generic_json", 1, 1));
        let shown = |name: &str| it.fields.iter().find(|it| it.field == name).expect("a field");
        assert_eq!(shown("latency_ms").value, "5000000");
        assert_eq!(shown("latency_ms").unit, "milliseconds");
        assert_eq!(shown("path").value, "/a, token=REDACTED");
        assert!(shown("api_key").value.starts_with("key:"), "{:?}", shown("api_key"));
        assert_eq!(it.unread, ["x.*"]);
        let text = it.to_string();
        assert!(!text.contains("c4n4ry"), "{text}");
        let kong = it.rejected.iter().find(|it| it.format == "kong").expect("a reason");
        assert!(kong.why.starts_with("it lacks "), "{}", kong.why);
    }

    #[test]
    fn it_shows_no_value_for_a_field_that_the_record_does_not_have() {
        let first = r#"{"time":"2026-03-10T03:36:59Z","status":200,"method":"GET","path":"/a","ip":"192.0.2.1"}"#;
        let second = first.replace("\"ip\"", "\"user_id\":\"jo\",\"ip\"");
        let it = explained(&format!("{first}\n{second}\n"));
        let shown = |name: &str| it.fields.iter().find(|it| it.field == name).expect("a field");
        assert_eq!((shown("user_id").value.as_str(), shown("user_id").records), ("", 1));
        assert_eq!((shown("ip").value.as_str(), shown("ip").records), ("192.0.2.1", 2));
    }

    #[test]
    fn it_names_what_a_record_is_wrapped_in() {
        let line = r#"192.0.2.1 - jo [10/Mar/2026:03:36:59 +0000] \"GET /a HTTP/1.1\" 200 12"#;
        let it = explained(&format!(
            r#"{{"log":"{line}\n","stream":"stdout","time":"2026-03-10T03:37:00Z"}}"#
        ));
        assert_eq!((it.format, it.envelopes.as_slice()), ("clf", &["docker"][..]));
        let user = it.fields.iter().find(|it| it.field == "remote_user").expect("a field");
        assert_eq!(user.value, "jo");
        let kong = it.rejected.iter().find(|it| it.format == "kong").expect("a reason");
        assert_eq!(kong.why, "it is JSON, and the record is a line of text");
    }

    #[test]
    fn it_refuses_what_no_format_reads() {
        let parser = Settings::default().check([7; 32]).expect("a parser");
        assert!(explain(b"what is this\n", &parser, None).is_err());
        let why = refused(b"\nwhat is this\n", &parser);
        for format in FormatId::known() {
            assert!(why.contains(format.as_str()), "{format}: {why}");
        }
        let declared = explain(b"what is this\n", &parser, Some(FormatId::Clf)).expect("declared");
        assert_eq!((declared.records, declared.fields.len()), (0, 0));
    }
}

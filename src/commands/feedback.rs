//! `habitus feedback`: what people say of findings, and what they said.

use super::findings::{ids, times};
use super::forget::actor;
use super::run::wall;
use super::simulate::length_ns;
use super::{Ended, Failure, NS_PER_US, Setting, explain, instant};
use crate::cli::{self, OutputFormat};
use crate::figures::counted;
use crate::render::{self, plain};
use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use model::Time;
use std::io::Write as _;
use std::sync::Arc;
use store::{Answer, Feedback, Question, Reader, Scope, Value, Verdict};

/// What is typed to see what was said, besides nothing.
const LIST: &str = "list";
/// Characters of a reason, and of a name.
const REASON_CHARS_MAX: usize = 500;
const NAME_CHARS_MAX: usize = 100;
/// Rows of a list, the latest.
const ROWS_MAX: i64 = 10_000;
/// The columns of a list on a terminal.
const SHORT: [&str; 11] = [
    "feedback_id",
    "given_at",
    "given_by",
    "finding_id",
    "verdict",
    "scope",
    "detector",
    "until",
    "state",
    "suppresses",
    "reason",
];

/// Says something of a finding, or lists what was said.
pub(crate) fn run(setting: &Setting, args: &cli::Feedback) -> Result<Ended, Failure> {
    let reader = setting.reader()?;
    if let Reader::Server(client) = &reader {
        setting.runtime.block_on(store::clickhouse::verify(client))?;
    }
    let (typed, verdict) = match (args.id.as_deref(), args.verdict) {
        (None | Some(LIST), None) => return list(setting, &reader),
        (Some(typed), Some(verdict)) => (typed, verdict),
        (Some(typed), None) => {
            return Err(format!(
                "what is `{}`? give benign, malicious or withdraw, and --reason",
                plain(typed)
            )
            .into());
        }
        (None, Some(_)) => return Err("give the id of a finding".into()),
    };
    let by = args.by.clone().unwrap_or_else(actor);
    let said = Said {
        now: moment(),
        by: text("--by", &by, NAME_CHARS_MAX)?,
        reason: text("--reason", args.reason.as_deref().unwrap_or_default(), REASON_CHARS_MAX)?,
    };
    match verdict {
        cli::Verdict::Benign => judge(setting, &reader, typed, args, &said, Verdict::Benign),
        cli::Verdict::Malicious => judge(setting, &reader, typed, args, &said, Verdict::Malicious),
        cli::Verdict::Withdraw => withdraw(setting, &reader, typed, args, &said),
    }
}

/// Who says something now, and why.
struct Said {
    now: Time,
    by: String,
    reason: String,
}

/// What a finding is, as it was typed.
struct What<'a> {
    verdict: Verdict,
    scope: Scope,
    /// Until when, and how the place is called where it was typed.
    until: Option<&'a str>,
    until_name: &'a str,
}

/// Says what a finding is, or takes it back, as the console asks for it: in the name of `by`.
pub(super) fn give(
    setting: &Setting,
    reader: &Reader,
    judgement: &console::Judgement,
    by: &str,
) -> Result<(), Failure> {
    let said = Said {
        now: moment(),
        by: text("the name", by, NAME_CHARS_MAX)?,
        reason: text("the reason", &judgement.reason, REASON_CHARS_MAX)?,
    };
    let verdict = match judgement.verdict.as_str() {
        "benign" => Verdict::Benign,
        "malicious" => Verdict::Malicious,
        "withdraw" => return take_back(setting, reader, &judgement.finding_id, &said).map(drop),
        other => return Err(format!("no verdict is called `{}`", plain(other)).into()),
    };
    let scope = match judgement.scope.as_str() {
        "" => Scope::Finding,
        name => {
            Scope::from_name(name).ok_or_else(|| format!("no scope is called `{}`", plain(name)))?
        }
    };
    let until = Some(judgement.until.as_str()).filter(|it| !it.is_empty());
    let what = What { verdict, scope, until, until_name: "the end" };
    keep(setting, reader, &judgement.finding_id, &said, &what).map(drop)
}

/// Says what a finding is.
fn judge(
    setting: &Setting,
    reader: &Reader,
    typed: &str,
    args: &cli::Feedback,
    said: &Said,
    verdict: Verdict,
) -> Result<Ended, Failure> {
    let until = args.until.as_deref();
    let what = What { verdict, scope: scope(args.scope), until, until_name: "--until" };
    let feedback = keep(setting, reader, typed, said, &what)?;
    let (_, given) = about(setting, reader, &feedback.id())?;
    let covers = suppresses(&given)?;
    print(
        setting,
        (given.first().map_or_else(|| Arc::new(Schema::empty()), RecordBatch::schema), given),
    )?;
    crate::note(&in_words(&feedback, covers));
    Ok(Ended::Done)
}

/// Keeps what somebody says of the finding that was meant.
fn keep(
    setting: &Setting,
    reader: &Reader,
    typed: &str,
    said: &Said,
    what: &What<'_>,
) -> Result<Feedback, Failure> {
    let (verdict, scope) = (what.verdict, what.scope);
    let until = match what.until {
        None => None,
        Some(_) if verdict != Verdict::Benign => {
            return Err(format!(
                "{} is for benign: malicious leaves nothing out that could come back",
                what.until_name
            )
            .into());
        }
        Some(typed) => Some(end(what.until_name, typed, said.now)?),
    };
    let (_, batches) = explain::find(setting, reader, typed)?;
    let found = batches.first().ok_or("the answer has no row")?;
    let cell = |name: &str| cell(found, name, 0);
    let principal_id = cell("principal_id")?;
    let entity = cell("entity")?.unwrap_or_default();
    if scope == Scope::Identity && principal_id.is_none() {
        return Err("the finding is about no identity: take the scope pattern or entity".into());
    }
    if scope == Scope::Entity && entity.is_empty() {
        return Err("the finding has no entity: take the scope pattern or identity".into());
    }
    let feedback = Feedback {
        given_at: said.now,
        given_by: said.by.clone(),
        finding_id: cell("finding_id")?.unwrap_or_default(),
        tenant_id: cell("tenant_id")?.unwrap_or_default(),
        verdict,
        reason: said.reason.clone(),
        scope,
        detector: cell("detector")?.unwrap_or_default(),
        principal_id: principal_id.filter(|_| scope.has_principal()),
        entity: scope.has_entity().then_some(entity),
        until,
        withdraws: None,
    };
    setting.runtime.block_on(reader.give(std::slice::from_ref(&feedback)))?;
    Ok(feedback)
}

/// What was done, as one line.
fn in_words(feedback: &Feedback, covers: u64) -> String {
    let id = feedback.id();
    let id = id.get(..super::findings::ID_CHARS).unwrap_or(&id);
    let finding = &feedback.finding_id;
    let finding = finding.get(..super::findings::ID_CHARS).unwrap_or(finding);
    if feedback.verdict != Verdict::Benign {
        return format!("{id}: {finding} is {}; nothing is left out", feedback.verdict.as_str());
    }
    let until = feedback.until.map_or_else(|| "for good".to_owned(), |it| format!("until {it}"));
    if feedback.scope == Scope::Finding {
        return format!("{id}: {finding} is left out of lists {until}");
    }
    let findings = counted(covers, "finding", "findings");
    format!("{id}: {findings} so far and those to come are left out of lists {until}")
}

/// The wall clock to the microsecond, as rows have it.
fn moment() -> Time {
    Time::from_ns(wall().ns().div_euclid(NS_PER_US) * NS_PER_US)
}

/// Takes back what was said under an id or of a finding.
fn withdraw(
    setting: &Setting,
    reader: &Reader,
    typed: &str,
    args: &cli::Feedback,
    said: &Said,
) -> Result<Ended, Failure> {
    if args.scope.is_some() || args.until.is_some() {
        return Err("withdraw takes neither --scope nor --until: all of it is taken back".into());
    }
    let (prefix, taken) = take_back(setting, reader, typed, said)?;
    print(setting, about(setting, reader, &prefix)?)?;
    let rows = counted(taken, "row of feedback", "rows of feedback");
    crate::note(&format!("{rows} withdrawn"));
    Ok(Ended::Done)
}

/// Takes back all that was said under ids that begin so or of a finding, and still holds or was over:
/// the beginning, and how many rows they are.
fn take_back(
    setting: &Setting,
    reader: &Reader,
    typed: &str,
    said: &Said,
) -> Result<(String, u64), Failure> {
    let prefix = explain::prefix(typed)?;
    let (_, batches) = about(setting, reader, &prefix)?;
    let mut taken = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cell = |name: &str| cell(batch, name, row);
            let need = |name: &str| Ok::<_, Failure>(cell(name)?.unwrap_or_default());
            if need("state")? == "withdrawn" {
                continue;
            }
            taken.push(Feedback {
                given_at: said.now,
                given_by: said.by.clone(),
                finding_id: need("finding_id")?,
                tenant_id: need("tenant_id")?,
                verdict: Verdict::Withdrawn,
                reason: said.reason.clone(),
                scope: Scope::from_name(&need("scope")?).unwrap_or(Scope::Finding),
                detector: need("detector")?,
                principal_id: cell("principal_id")?,
                entity: cell("entity")?,
                until: None,
                withdraws: Some(need("feedback_id")?),
            });
        }
    }
    let mut findings: Vec<_> = taken.iter().map(|it| it.finding_id.as_str()).collect();
    findings.sort_unstable();
    findings.dedup();
    match findings.len() {
        0 => {
            let other = covering(setting, reader, &prefix);
            return Err(other
                .map_or_else(
                    || format!("nothing that was said of `{prefix}` holds; see `habitus feedback`"),
                    |id| {
                        format!(
                            "what holds of `{prefix}` was said of another finding: withdraw `{id}`"
                        )
                    },
                )
                .into());
        }
        1 => {}
        _ => {
            return Err(format!(
                "more than one finding or feedback begins with `{prefix}`: give more of it"
            )
            .into());
        }
    }
    setting.runtime.block_on(reader.give(&taken))?;
    Ok((prefix, taken.len() as u64))
}

/// The feedback that covers the finding whose id begins so, if there is any.
fn covering(setting: &Setting, reader: &Reader, prefix: &str) -> Option<String> {
    let (_, batches) = explain::find(setting, reader, prefix).ok()?;
    cell(batches.first()?, "feedback_id", 0).ok()?
}

/// Lists what was said.
fn list(setting: &Setting, reader: &Reader) -> Result<Ended, Failure> {
    print(setting, about(setting, reader, "")?)?;
    Ok(Ended::Done)
}

/// What was said of findings or under ids that begin so.
fn about(setting: &Setting, reader: &Reader, prefix: &str) -> Result<Answer, Failure> {
    let values = vec![("prefix", prefix.into()), ("rows_max", Value::Int(ROWS_MAX))];
    Ok(setting.runtime.block_on(reader.ask(Question::Feedback, values))?)
}

/// How many findings the rows suppress.
fn suppresses(batches: &[RecordBatch]) -> Result<u64, Failure> {
    let mut sum = 0;
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cell = cell(batch, "suppresses", row)?;
            sum += cell.and_then(|it| it.parse::<u64>().ok()).unwrap_or_default();
        }
    }
    Ok(sum)
}

fn print(setting: &Setting, (schema, batches): Answer) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let (schema, batches) = match setting.output {
        OutputFormat::Table => short(&schema, &batches)?,
        _ => (schema, batches),
    };
    render::rows(&mut out, setting.output, &schema, &batches)?;
    out.flush()?;
    Ok(())
}

/// The same for a terminal: ids cut, and times without fractions.
fn short(schema: &Schema, found: &[RecordBatch]) -> Result<Answer, Failure> {
    let mut fields = Vec::new();
    for name in SHORT {
        let field = schema.field_with_name(name)?;
        let is_cut = name.ends_with("_id") || matches!(name, "given_at" | "until");
        let data_type = if is_cut { DataType::Utf8 } else { field.data_type().clone() };
        let name = name.strip_suffix("_id").unwrap_or(name);
        fields.push(Field::new(if name == "feedback" { "id" } else { name }, data_type, true));
    }
    let schema = Arc::new(Schema::new(fields));
    let mut batches = Vec::new();
    for batch in found {
        let columns = SHORT.iter().map(|name| -> Option<ArrayRef> {
            let column = batch.column_by_name(name)?;
            Some(match *name {
                "feedback_id" | "finding_id" => Arc::new(ids(column.as_string_opt::<i32>()?)),
                "given_at" | "until" => Arc::new(times(column.as_primitive_opt()?)),
                _ => Arc::clone(column),
            })
        });
        let columns = columns.collect::<Option<Vec<_>>>().ok_or("feedback has other columns")?;
        batches.push(RecordBatch::try_new(Arc::clone(&schema), columns)?);
    }
    Ok((schema, batches))
}

/// One value as text, nothing for NULL.
fn cell(batch: &RecordBatch, name: &str, row: usize) -> Result<Option<String>, Failure> {
    let column = batch.column_by_name(name).ok_or_else(|| format!("no column {name}"))?;
    if column.is_null(row) {
        return Ok(None);
    }
    Ok(Some(render::cell(column, row)?))
}

const fn scope(typed: Option<cli::Scope>) -> Scope {
    match typed {
        None | Some(cli::Scope::Finding) => Scope::Finding,
        Some(cli::Scope::Pattern) => Scope::Pattern,
        Some(cli::Scope::Identity) => Scope::Identity,
        Some(cli::Scope::Entity) => Scope::Entity,
        Some(cli::Scope::Detector) => Scope::Detector,
    }
}

/// A text that is kept for others to read: one line, neither empty nor long, and nothing in it that
/// a terminal would obey.
fn text(flag: &str, typed: &str, chars_max: usize) -> Result<String, Failure> {
    let text = typed.trim();
    let chars = text.chars().count();
    if text.is_empty() {
        return Err(format!("{flag} is empty: say it in a few words").into());
    }
    if chars > chars_max {
        return Err(format!("{flag} has {chars} characters, and at most {chars_max}").into());
    }
    if plain(text) != text {
        return Err(format!(
            "{flag} holds control characters, which others' terminals would obey: write one line \
             of plain text"
        )
        .into());
    }
    Ok(text.to_owned())
}

/// The end of a suppression: a time, or a length from now on; `name` is what it is called where it was
/// typed.
fn end(name: &str, typed: &str, now: Time) -> Result<Time, Failure> {
    let until =
        match instant(typed) {
            Some(until) => until,
            None => match length_ns(typed, name) {
                Ok(length) => Time::from_ns(now.ns().checked_add(length).ok_or_else(|| {
                    format!("{name} is `{}`, which is too far away", plain(typed))
                })?),
                Err(_) => {
                    return Err(format!(
                        "{name} is `{}`, which is neither a time nor a length: write 2026-03-02, \
                     2026-03-02T14:00, 12h or 30d",
                        plain(typed)
                    )
                    .into());
                }
            },
        };
    if until <= now {
        return Err(format!("{name} is {until}, which is over: give a later time").into());
    }
    Ok(Time::from_ns(until.ns().div_euclid(NS_PER_US) * NS_PER_US))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-02T10:00:00Z.
    const NOW: Time = Time::from_ns(1_772_445_600_000_000_000);

    #[test]
    fn an_end_is_a_time_or_a_length_and_lies_ahead() {
        for (typed, expected) in [
            ("30d", "2026-04-01T10:00:00Z"),
            ("12h", "2026-03-02T22:00:00Z"),
            ("2026-03-03", "2026-03-03T00:00:00Z"),
            ("2026-03-02T12:30+02:00", "2026-03-02T10:30:00Z"),
        ] {
            assert_eq!(end("--until", typed, NOW).unwrap().to_string(), expected, "{typed}");
        }
        for (typed, words) in [
            ("2026-03-02", "which is over"),
            ("2026-03-02T10:00", "which is over"),
            ("0d", "neither a time nor a length"),
            ("-1d", "neither a time nor a length"),
            ("soon", "neither a time nor a length"),
            ("9223372036854775807s", "neither a time nor a length"),
            ("100000000000h", "neither a time nor a length"),
            ("100000d", "too far away"),
        ] {
            let error = end("--until", typed, NOW).unwrap_err().to_string();
            assert!(error.contains(words), "{typed}: {error}");
        }
    }

    #[test]
    fn a_reason_is_a_line_of_plain_text() {
        assert_eq!(text("--reason", " the nightly export ", 500).unwrap(), "the nightly export");
        assert!(text("--reason", &"é".repeat(500), 500).is_ok());
        for (typed, words) in [
            ("", "is empty"),
            ("  ", "is empty"),
            ("a\nb", "control characters"),
            ("\u{1b}[2J", "control characters"),
            ("a\u{202e}b", "control characters"),
            (&"é".repeat(501), "501 characters"),
        ] {
            let error = text("--reason", typed, 500).unwrap_err().to_string();
            assert!(error.contains(words), "{typed:?}: {error}");
        }
    }
}

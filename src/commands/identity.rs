//! `habitus identity`: what is normal for one identity, and what happened to it.

use super::{Ended, Failure, Setting, span_us};
use crate::cli::{IdentityArgs, OutputFormat};
use crate::render::{self, plain};
use arrow::array::RecordBatch;
use std::io::Write as _;
use store::{Question, Reader, Value};

/// Identities that are named when what was typed fits several of them, or none.
const NAMED_MAX: usize = 5;
/// Rows of a timeline that are shown, the latest.
const TIMELINE_ROWS_MAX: i64 = 40;
/// Characters at the beginning that make an identity one of the near ones.
const NEAR_CHARS: usize = 4;
/// How well a near identity fits; 0 is its id, 1 its name, 2 the beginning of either.
const NEAR: u8 = 3;

/// An identity that what was typed may mean.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: String,
    /// What people call it, empty if the log does not say.
    pub(crate) name: String,
    /// How well it fits, the best first.
    fit: u8,
}

/// Shows one identity.
pub(crate) fn run(setting: &Setting, args: &IdentityArgs) -> Result<Ended, Failure> {
    let (since_us, until_us) = span_us(&args.span)?;
    let reader = setting.reader()?;
    let id = resolve(setting, &reader, &args.id)?.id;
    let principal = ("principal_id", Value::Text(id));
    let profile = reader.ask(Question::Profile, vec![principal.clone()]);
    let (schema, profile) = setting.runtime.block_on(profile)?;
    let mut out = std::io::stdout().lock();
    if setting.output != OutputFormat::Table {
        render::rows(&mut out, setting.output, &schema, &profile)?;
        return Ok(Ended::Done);
    }
    let timeline = vec![
        principal,
        ("since_us", since_us.into()),
        ("until_us", until_us.into()),
        ("rows_max", TIMELINE_ROWS_MAX.into()),
    ];
    let (schema, rows) = setting.runtime.block_on(reader.ask(Question::Timeline, timeline))?;
    if let Some(batch) = profile.iter().find(|batch| batch.num_rows() > 0) {
        write_profile(&mut out, batch)?;
        writeln!(out)?;
    }
    render::rows(&mut out, OutputFormat::Table, &schema, &rows)?;
    Ok(Ended::Done)
}

/// The identity that `typed` means: its id, its name, or a beginning that only it has.
pub(crate) fn resolve(
    setting: &Setting,
    reader: &Reader,
    typed: &str,
) -> Result<Candidate, Failure> {
    chosen(typed, fitting(setting, reader, typed)?)
}

/// The identities that `typed` may mean, the best first.
pub(crate) fn fitting(
    setting: &Setting,
    reader: &Reader,
    typed: &str,
) -> Result<Vec<Candidate>, Failure> {
    let lower = typed.to_lowercase();
    let start: String = lower.chars().take(NEAR_CHARS).collect();
    let values = vec![
        ("typed", typed.into()),
        ("lower", Value::Text(lower)),
        ("start", Value::Text(start)),
        ("rows_max", Value::Int(NAMED_MAX as i64 + 1)),
    ];
    let (_, known) = setting.runtime.block_on(reader.ask(Question::Candidates, values))?;
    candidates(&known)
}

fn candidates(batches: &[RecordBatch]) -> Result<Vec<Candidate>, Failure> {
    let mut found = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let text = |column: usize| render::cell(batch.column(column), row);
            let fit = text(2)?.parse().unwrap_or(NEAR);
            found.push(Candidate { id: text(0)?, name: text(1)?, fit });
        }
    }
    Ok(found)
}

/// The only candidate that fits best.
fn chosen(typed: &str, mut found: Vec<Candidate>) -> Result<Candidate, Failure> {
    let best = found.first().map_or(NEAR, |it| it.fit);
    found.retain(|it| it.fit == best);
    let typed = plain(typed);
    match found.as_slice() {
        [only] if best < NEAR => Ok(only.clone()),
        [] => Err(format!(
            "no identity is called `{typed}`; `habitus query \"SELECT principal_id FROM identities\"` \
             lists them"
        )
        .into()),
        near if best == NEAR => {
            Err(format!("no identity is called `{typed}`; near it are {}", named(near)).into())
        }
        several => Err(format!(
            "`{typed}` fits more than one identity: {}; give more of it, or the whole id",
            named(several)
        )
        .into()),
    }
}

/// The ids of a few candidates, with their names where they have one.
fn named(candidates: &[Candidate]) -> String {
    let few = candidates.iter().take(NAMED_MAX).map(|it| match it.name.as_str() {
        "" => plain(&it.id),
        name => format!("{} ({})", plain(&it.id), plain(name)),
    });
    let few = few.collect::<Vec<_>>().join(", ");
    if candidates.len() > NAMED_MAX { format!("{few} and others") } else { few }
}

fn write_profile(out: &mut dyn std::io::Write, batch: &RecordBatch) -> Result<(), Failure> {
    let schema = batch.schema();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let value = match (field.name().as_str(), render::cell(column, 0)?) {
            ("peer_group", group) if matches!(group.as_str(), "" | "-1") => "none".to_owned(),
            (_, value) => value,
        };
        let head = format!("{:>26}  ", field.name());
        writeln!(out, "{}", render::beside(&head, &plain(&value), render::line_chars()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: &[(&str, &str, u8)], expected: Result<&str, &str>) {
        let found = found.iter().map(|(id, name, fit)| Candidate {
            id: (*id).into(),
            name: (*name).into(),
            fit: *fit,
        });
        match (chosen("ac", found.collect()), expected) {
            (Ok(found), Ok(wanted)) => assert_eq!(found.id, wanted),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (got, wanted) => panic!("{got:?}, not {wanted:?}"),
        }
    }

    #[test]
    fn the_best_fit_is_chosen_if_it_is_the_only_one() {
        check(&[("ac", "", 0), ("ac-2", "", 2), ("ac-3", "", 2)], Ok("ac"));
        check(&[("6108eb7c", "ac", 1), ("ac-2", "", 2)], Ok("6108eb7c"));
        check(&[("acme", "", 2), ("pac", "", 3)], Ok("acme"));
        check(
            &[("ac-2", "", 2), ("6108", "acme", 2)],
            Err("more than one identity: ac-2, 6108 (acme);"),
        );
        check(&[("pac", "", 3)], Err("no identity is called `ac`; near it are pac"));
        check(&[], Err("lists them"));
        check(&[("a", "", 3); NAMED_MAX + 1], Err("and others"));
    }
}

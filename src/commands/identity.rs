//! `habitus identity`: what is normal for one identity, and what happened to it.

use super::{Ended, Failure, Setting, span_conditions};
use crate::cli::{IdentityArgs, OutputFormat};
use crate::render::{self, plain};
use arrow::array::RecordBatch;
use std::io::Write as _;
use store::Store;

/// Identities that are named when what was typed fits several of them, or none.
const NAMED_MAX: usize = 5;
/// Characters at the beginning that make an identity one of the near ones.
const NEAR_CHARS: usize = 4;
/// How well a near identity fits; 0 is its id, 1 its name, 2 the beginning of either.
const NEAR: u8 = 3;

/// An identity that what was typed may mean.
#[derive(Debug)]
struct Candidate {
    id: String,
    /// What people call it, empty if the log does not say.
    name: String,
    /// How well it fits, the best first.
    fit: u8,
}

/// Shows one identity.
pub(crate) fn run(setting: &Setting, args: &IdentityArgs) -> Result<Ended, Failure> {
    setting.directory_only("identity")?;
    let mut conditions = span_conditions(&args.span, "at")?;
    let store = setting.runtime.block_on(Store::open(&setting.store))?;
    let id = resolve(setting, &store, &args.id)?;
    let is_it = format!("principal_id = {}", store::quote(&id));
    let profile =
        format!("SELECT * FROM identities WHERE {is_it} ORDER BY last_seen DESC, tenant_id");
    let (schema, profile) = setting.runtime.block_on(store.query(&profile))?;
    let mut out = std::io::stdout().lock();
    if setting.output != OutputFormat::Table {
        render::rows(&mut out, setting.output, &schema, &profile)?;
        return Ok(Ended::Done);
    }
    conditions.push(is_it);
    let timeline = format!(
        "SELECT to_char(at, '%Y-%m-%d %H:%M') AS at, kind, detector, headline \
         FROM identity_timeline WHERE {} ORDER BY at DESC, kind, detector LIMIT 40",
        conditions.join(" AND "),
    );
    let (schema, rows) = setting.runtime.block_on(store.query(&timeline))?;
    if let Some(batch) = profile.iter().find(|batch| batch.num_rows() > 0) {
        write_profile(&mut out, batch)?;
        writeln!(out)?;
    }
    render::rows(&mut out, OutputFormat::Table, &schema, &rows)?;
    Ok(Ended::Done)
}

/// The id of the identity that `typed` means: its id, its name, or a beginning that only it has.
pub(crate) fn resolve(setting: &Setting, store: &Store, typed: &str) -> Result<String, Failure> {
    let (_, known) = setting.runtime.block_on(store.query(&candidates_sql(typed)))?;
    chosen(typed, candidates(&known)?)
}

/// The identities that `typed` may mean, the best first.
fn candidates_sql(typed: &str) -> String {
    let lower = typed.to_lowercase();
    let start: String = lower.chars().take(NEAR_CHARS).collect();
    let (typed, lower, start) = (store::quote(typed), store::quote(&lower), store::quote(&start));
    format!(
        "WITH known AS (\
         SELECT principal_id, coalesce(principal_name, '') AS name FROM identities), \
         fitted AS (SELECT principal_id, name, CASE \
         WHEN principal_id = {typed} THEN 0 \
         WHEN name = {typed} THEN 1 \
         WHEN starts_with(principal_id, {typed}) OR starts_with(name, {typed}) THEN 2 \
         WHEN contains(lower(principal_id), {lower}) OR contains(lower(name), {lower}) THEN {NEAR} \
         WHEN starts_with(lower(principal_id), {start}) OR starts_with(lower(name), {start}) \
         THEN {NEAR} END AS fit FROM known) \
         SELECT principal_id, max(name) AS name, min(fit) AS fit FROM fitted WHERE fit IS NOT NULL \
         GROUP BY principal_id ORDER BY 3, 1 LIMIT {}",
        NAMED_MAX + 1,
    )
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

/// The id of the only candidate that fits best.
fn chosen(typed: &str, mut found: Vec<Candidate>) -> Result<String, Failure> {
    let best = found.first().map_or(NEAR, |it| it.fit);
    found.retain(|it| it.fit == best);
    let typed = plain(typed);
    match found.as_slice() {
        [only] if best < NEAR => Ok(only.id.clone()),
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
        writeln!(out, "{:>26}  {}", field.name(), plain(&value))?;
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
            (Ok(id), Ok(wanted)) => assert_eq!(id, wanted),
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

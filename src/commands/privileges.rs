//! `habitus privileges`: which operations an identity used of those that its peers use, and what would
//! be enough for it.

use super::{Ended, Failure, Setting, identity, span_us};
use crate::cli::{OutputFormat, Privileges, Suggest};
use crate::columns::{numbers, texts};
use crate::figures::counted;
use crate::privileges::{
    Done, HELD_DAYS, Names, OfDay, Profile, Suggestion, Tells, Whose, date, is_path, profile,
    renamed,
};
use crate::render::{self, plain};
use arrow::array::{Array as _, ArrayRef, Int64Array, RecordBatch, StringArray};
use model::EndpointSource;
use model::time::NS_PER_D;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::Range;
use std::sync::Arc;
use store::{Question, Reader, Value};

/// Days of a profile where no span is given.
const DAYS: i64 = 90;
/// Rows that are read of one identity, an operation and a day each: 90 days of all that one may have.
const ROWS_MAX: usize = 250_000;
/// Operations that the console shows of one identity, the most called first.
const SHOWN_MAX: usize = 200;
/// What the ids begin with that `ingest.pseudonymize` makes.
const PSEUDONYM: &str = "pseudonym:";
/// Microseconds of a day.
const US_PER_D: i64 = NS_PER_D / 1_000;

/// Who is asked about, and who its peers are.
#[derive(Debug)]
struct Asked {
    whose: Whose,
    kind: String,
    /// −1 without one.
    group: i64,
}

/// An operation that peers use.
#[derive(Debug)]
struct Used {
    operation: String,
    source: EndpointSource,
    /// The numbers of the first and the last day on which one of them used it.
    days: (i64, i64),
    peers: u64,
}

/// Which operations how many peers use.
#[derive(Debug, Default)]
struct Peers {
    all: u64,
    by_operation: BTreeMap<String, u64>,
}

impl Peers {
    /// The operations under the names of now.
    fn of(all: u64, used: Vec<Used>, now: &BTreeMap<String, String>) -> Self {
        let mut by_operation: BTreeMap<String, u64> = BTreeMap::new();
        for it in used {
            let name = now.get(&it.operation).cloned().unwrap_or(it.operation);
            // Who used a name that was taken over may use the template as well: at least so many do.
            let most = by_operation.entry(name).or_default();
            *most = it.peers.max(*most);
        }
        Self { all, by_operation }
    }

    /// How many use an operation.
    fn users(&self, operation: &str) -> u64 {
        self.by_operation.get(operation).copied().unwrap_or_default()
    }
}

/// Shows the privileges of one identity.
pub(crate) fn run(setting: &Setting, args: &Privileges) -> Result<Ended, Failure> {
    if args.suggest == Some(Suggest::Envoy) && args.principal.is_none() {
        return Err(
            "Envoy must be told where it finds who calls: give --principal header:NAME or \
                    metadata:FILTER/KEY"
                .into(),
        );
    }
    let typed = span_us(&args.span)?;
    let reader = setting.reader()?;
    let id = identity::resolve(setting, &reader, &args.id)?.id;
    let asked = asked(setting, &reader, &id, args.tenant.as_deref())?;
    if args.suggest.is_some() {
        refuse_pseudonym(&asked.whose.principal_id)?;
    }
    let known = known_days(setting, &reader, &asked)?;
    let days = days_of(typed, &known)?;
    let held = known.end - HELD_DAYS;
    let read = days.start.min(held)..days.end.max(known.end);
    let rows = rows(setting, &reader, &asked, &read)?;
    let (peers, used) = match args.suggest {
        Some(_) => (0, Vec::new()),
        None => used(setting, &reader, &asked, &days)?,
    };
    let now = taken_over(&rows, &used);
    let rows = renamed(rows, &now);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if let Some(suggest) = args.suggest {
        let tells: Tells = match suggest {
            Suggest::Envoy => is_path,
            // Whoever reads these may tell operations by their names.
            Suggest::Json | Suggest::Rego => |_, _| true,
        };
        let made = Suggestion::of(&asked.whose, &rows, &days, &known, tells);
        let text = match (suggest, &args.principal) {
            (Suggest::Json, _) => made.json()?,
            (Suggest::Envoy, Some(who)) => made.envoy(who),
            (Suggest::Rego, _) | (Suggest::Envoy, None) => made.rego(),
        };
        out.write_all(text.as_bytes())?;
        out.flush()?;
        return Ok(Ended::Done);
    }
    let peers = Peers::of(peers, used, &now);
    let done = profile(&rows, &days);
    let sentence = plain(&sentence(&asked, &done, &peers, &days));
    let batch = table(&done, &peers, args.all)?;
    if setting.output == OutputFormat::Table {
        writeln!(out, "{sentence}\n")?;
    }
    render::rows(&mut out, setting.output, &batch.schema(), &[batch])?;
    out.flush()?;
    if setting.output != OutputFormat::Table {
        crate::note(&sentence);
    }
    Ok(Ended::Done)
}

/// The privileges of one identity of one tenant, as the console shows them: of the last days.
pub(super) fn of(
    setting: &Setting,
    reader: &Reader,
    tenant_id: &str,
    principal_id: &str,
) -> Result<console::Privileges, Failure> {
    let asked = asked(setting, reader, principal_id, Some(tenant_id))?;
    let known = known_days(setting, reader, &asked)?;
    let days = days_of((i64::MIN, i64::MAX), &known)?;
    let rows = rows(setting, reader, &asked, &days)?;
    let (peers, used) = used(setting, reader, &asked, &days)?;
    let now = taken_over(&rows, &used);
    let rows = renamed(rows, &now);
    let peers = Peers::of(peers, used, &now);
    let done = profile(&rows, &days);
    let ranked = ranked(&done, &peers, true);
    let operation = |(name, done): &(&str, Option<&Done>)| console::Operation {
        name: (*name).to_owned(),
        days: done.map_or(0, |it| it.days),
        calls: done.map_or(0, |it| it.calls),
        accepted: done.map_or(0, |it| it.accepted),
        last_day: done.map_or_else(String::new, |it| date(it.last_day)),
        peers: peers.users(name),
    };
    Ok(console::Privileges {
        sentence: sentence(&asked, &done, &peers, &days),
        operations: ranked.iter().take(SHOWN_MAX).map(operation).collect(),
        left_out: ranked.len().saturating_sub(SHOWN_MAX) as u64,
    })
}

/// A policy is held at who calls, and nobody calls by a pseudonym: it would bind nobody.
fn refuse_pseudonym(id: &str) -> Result<(), Failure> {
    if !id.starts_with(PSEUDONYM) {
        return Ok(());
    }
    Err(format!(
        "{} is a pseudonym, which no gateway knows, so that a policy for it would bind nobody: replay \
         the log without ingest.pseudonymize into a store of its own, and ask for the policy there",
        plain(id)
    )
    .into())
}

/// The identity of that id, of the tenant that is meant; without one of the only one.
fn asked(
    setting: &Setting,
    reader: &Reader,
    id: &str,
    tenant: Option<&str>,
) -> Result<Asked, Failure> {
    let of = vec![("principal_id", Value::Text(id.to_owned()))];
    let (_, states) = setting.runtime.block_on(reader.ask(Question::Profile, of))?;
    let mut found = Vec::new();
    for batch in &states {
        for row in 0..batch.num_rows() {
            let text = |name: &str| texts(batch, name).map(|it| it.value(row).to_owned());
            let called = texts(batch, "principal_name")?;
            let called = called.is_valid(row).then(|| called.value(row).to_owned());
            found.push(Asked {
                whose: Whose {
                    tenant_id: text("tenant_id")?,
                    principal_id: id.to_owned(),
                    principal_name: called.filter(|it| !it.is_empty()),
                },
                kind: text("principal_type")?,
                group: numbers(batch, "peer_group")?.value(row),
            });
        }
    }
    if found.is_empty() {
        return Err(format!(
            "{} has no state in {reader} yet: it is written where the hour of its calls ends; ask \
             again then",
            plain(id)
        )
        .into());
    }
    let tenants: Vec<_> = found.iter().map(|it| plain(&it.whose.tenant_id)).collect();
    let tenants = tenants.join(", ");
    if let Some(tenant) = tenant {
        found.retain(|it| it.whose.tenant_id == tenant);
    }
    let (shown, last) = (plain(id), found.pop());
    match (last, found.is_empty()) {
        (Some(only), true) => Ok(only),
        (None, _) => {
            Err(format!("{shown} is in no tenant of that name: give --tenant one of {tenants}")
                .into())
        }
        _ => Err(format!("{shown} is in several tenants: give --tenant one of {tenants}").into()),
    }
}

/// The numbers of the days that the store has operations of, in the tenant.
fn known_days(setting: &Setting, reader: &Reader, asked: &Asked) -> Result<Range<i64>, Failure> {
    let of = vec![("tenant_id", Value::Text(asked.whose.tenant_id.clone()))];
    let (_, answer) = setting.runtime.block_on(reader.ask(Question::OperationDays, of))?;
    let batch = answer.iter().find(|it| it.num_rows() > 0);
    let number = |name: &str| -> Result<i64, Failure> {
        batch.map_or(Ok(0), |it| numbers(it, name).map(|it| it.value(0)))
    };
    if number("n")? == 0 {
        return Err(format!(
            "the store in {reader} knows no operations yet: they are written once a UTC day is over, \
             and at the end of a replay"
        )
        .into());
    }
    let day = |us: i64| us.div_euclid(US_PER_D);
    Ok(day(number("first_us")?)..day(number("last_us")?) + 1)
}

/// The days of a profile: those of the span that there is something of, or the last ones.
fn days_of((since, until): (i64, i64), known: &Range<i64>) -> Result<Range<i64>, Failure> {
    let end = if until == i64::MAX {
        known.end
    } else {
        until.div_euclid(US_PER_D) + i64::from(until.rem_euclid(US_PER_D) > 0)
    };
    let end = end.min(known.end);
    let start = if since == i64::MIN { end - DAYS } else { since.div_euclid(US_PER_D) };
    let start = start.max(known.start);
    if start < end {
        return Ok(start..end);
    }
    Err(format!(
        "the store has operations from {} to {} only: give a --since and an --until that take in some \
         of these days",
        date(known.start),
        date(known.end - 1)
    )
    .into())
}

/// What it did on those days.
fn rows(
    setting: &Setting,
    reader: &Reader,
    asked: &Asked,
    days: &Range<i64>,
) -> Result<Vec<OfDay>, Failure> {
    let of = vec![
        ("tenant_id", Value::Text(asked.whose.tenant_id.clone())),
        ("principal_id", Value::Text(asked.whose.principal_id.clone())),
        ("since_us", Value::Int(days.start.saturating_mul(US_PER_D))),
        ("until_us", Value::Int(days.end.saturating_mul(US_PER_D))),
        ("rows_max", Value::Int(ROWS_MAX as i64 + 1)),
    ];
    let (_, answer) = setting.runtime.block_on(reader.ask(Question::Operations, of))?;
    let mut rows = Vec::new();
    for batch in &answer {
        let (names, sources) = (texts(batch, "endpoint")?, texts(batch, "endpoint_source")?);
        let days = numbers(batch, "day_us")?;
        let count = |name| numbers(batch, name);
        let calls = count("requests")?;
        let (accepted, odd) = (count("requests_accepted")?, count("requests_in_findings")?);
        for row in 0..batch.num_rows() {
            let number = |of: &Int64Array| of.value(row).max(0) as u64;
            let source = EndpointSource::from_name(sources.value(row));
            rows.push(OfDay {
                operation: names.value(row).to_owned(),
                source: source.unwrap_or(EndpointSource::Overflow),
                day: days.value(row).div_euclid(US_PER_D),
                calls: number(&calls),
                accepted: number(&accepted),
                in_findings: number(&odd),
            });
        }
    }
    if rows.len() > ROWS_MAX {
        let what =
            format!("it has more than {ROWS_MAX} operations on these days, each day's counted");
        return Err(format!("{what}: give a later --since").into());
    }
    Ok(rows)
}

/// The names of what it and its peers did that a template took over, and the templates.
fn taken_over(rows: &[OfDay], used: &[Used]) -> BTreeMap<String, String> {
    let mut names = Names::default();
    for row in rows {
        names.add(&row.operation, row.source, (row.day, row.day));
    }
    for it in used {
        names.add(&it.operation, it.source, it.days);
    }
    names.taken_over()
}

/// How many peers used anything on those days, and what.
fn used(
    setting: &Setting,
    reader: &Reader,
    asked: &Asked,
    days: &Range<i64>,
) -> Result<(u64, Vec<Used>), Failure> {
    let of = vec![
        ("tenant_id", Value::Text(asked.whose.tenant_id.clone())),
        ("principal_id", Value::Text(asked.whose.principal_id.clone())),
        ("peer_group", Value::Int(asked.group)),
        ("principal_type", Value::Text(asked.kind.clone())),
        ("since_us", Value::Int(days.start.saturating_mul(US_PER_D))),
        ("until_us", Value::Int(days.end.saturating_mul(US_PER_D))),
    ];
    let (_, answer) = setting.runtime.block_on(reader.ask(Question::PeerOperations, of))?;
    let (mut all, mut used) = (0, Vec::new());
    for batch in &answer {
        let (names, counts) = (texts(batch, "endpoint")?, numbers(batch, "peers")?);
        let sources = texts(batch, "endpoint_source")?;
        let (first, last) = (numbers(batch, "first_us")?, numbers(batch, "last_us")?);
        for row in 0..batch.num_rows() {
            let peers = counts.value(row).max(0) as u64;
            if names.value(row).is_empty() {
                all = peers;
                continue;
            }
            let day = |of: &Int64Array| of.value(row).div_euclid(US_PER_D);
            let source = EndpointSource::from_name(sources.value(row));
            used.push(Used {
                operation: names.value(row).to_owned(),
                source: source.unwrap_or(EndpointSource::Overflow),
                days: (day(&first), day(&last)),
                peers,
            });
        }
    }
    Ok((all, used))
}

/// All of it in one sentence.
fn sentence(asked: &Asked, done: &Profile<'_>, peers: &Peers, days: &Range<i64>) -> String {
    let whose = &asked.whose;
    let who = match &whose.principal_name {
        Some(name) => format!("{} ({name})", whose.principal_id),
        None => whose.principal_id.clone(),
    };
    let span = format!(
        "in {}, {} to {}",
        counted(days.end.abs_diff(days.start), "day", "days"),
        date(days.start),
        date(days.end - 1)
    );
    let used = done.iter().filter(|(_, done)| done.is_used());
    let (shared, own): (Vec<_>, Vec<_>) =
        used.partition(|(name, _)| peers.by_operation.contains_key(**name));
    let of_whom = if asked.group >= 0 {
        format!("of its peer group ({})", asked.group)
    } else {
        format!("of its kind ({}), since it has no peer group", asked.kind)
    };
    if peers.all == 0 {
        let used = counted((shared.len() + own.len()) as u64, "operation", "operations");
        return format!("{who} used {used} {span}; nobody else {of_whom} used any");
    }
    let theirs = counted(peers.by_operation.len() as u64, "operation", "operations");
    let others = counted(peers.all, "other", "others");
    let own = match own.len() as u64 {
        0 => String::new(),
        count => {
            format!(", and {} that none of them uses", counted(count, "operation", "operations"))
        }
    };
    let use_ = if peers.all == 1 { "uses" } else { "use" };
    let is_one = peers.by_operation.len() == 1;
    let these = if is_one { "the one operation".to_owned() } else { format!("the {theirs}") };
    format!(
        "{who} used {} of {these} that its peers {use_}{own}, {span}; its peers are the {others} \
         {of_whom} that used any",
        shared.len(),
    )
}

/// The operations that it called, the most called first; and with `all` those that only its peers use.
fn ranked<'a>(
    done: &'a Profile<'_>,
    peers: &'a Peers,
    all: bool,
) -> Vec<(&'a str, Option<&'a Done>)> {
    let mut rows: Vec<_> = done.iter().map(|(name, done)| (*name, Some(done))).collect();
    if all {
        let is_new = |name: &&String| !done.contains_key(name.as_str());
        rows.extend(peers.by_operation.keys().filter(is_new).map(|name| (name.as_str(), None)));
    }
    let calls = |row: &(&str, Option<&Done>)| row.1.map_or(0, |done| done.calls);
    let users = |name: &str| peers.users(name);
    rows.sort_by(|a, b| {
        calls(b).cmp(&calls(a)).then(users(b.0).cmp(&users(a.0))).then(a.0.cmp(b.0))
    });
    rows
}

/// The same as a table.
fn table(done: &Profile<'_>, peers: &Peers, all: bool) -> Result<RecordBatch, Failure> {
    let rows = ranked(done, peers, all);
    let number = |of: fn(&Done) -> u64| -> ArrayRef {
        let each = rows.iter().map(|(_, done)| done.map_or(0, of) as i64);
        Arc::new(Int64Array::from_iter_values(each))
    };
    let names = rows.iter().map(|(name, _)| *name);
    let last = rows.iter().map(|(_, done)| done.map(|it| date(it.last_day)));
    let peers = rows.iter().map(|(name, _)| peers.users(name) as i64);
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("operation", Arc::new(StringArray::from_iter_values(names)) as ArrayRef, false),
        ("days", number(|it| it.days), false),
        ("calls", number(|it| it.calls), false),
        ("accepted", number(|it| it.accepted), false),
        ("in_findings", number(|it| it.in_findings), false),
        ("last_day", Arc::new(last.collect::<StringArray>()), true),
        ("peers", Arc::new(Int64Array::from_iter_values(peers)), false),
    ])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_in_whole_days_and_has_something_in_it() {
        let known = 100..123;
        assert_eq!(days_of((i64::MIN, i64::MAX), &known).unwrap(), 100..123);
        assert_eq!(days_of((i64::MIN, i64::MAX), &(0..123)).unwrap(), 33..123);
        let (since, until) = (101 * US_PER_D + 5, 110 * US_PER_D + 5);
        assert_eq!(days_of((since, until), &known).unwrap(), 101..111);
        // Days that nothing is known of are none of a profile.
        assert_eq!(days_of((0, i64::MAX), &known).unwrap(), 100..123);
        assert_eq!(days_of((-5 * US_PER_D, 900 * US_PER_D), &known).unwrap(), 100..123);
        assert_eq!(days_of((i64::MIN, 900 * US_PER_D), &(0..123)).unwrap(), 33..123);
        for span in [(123 * US_PER_D, i64::MAX), (i64::MIN, 100 * US_PER_D)] {
            let error = days_of(span, &known).unwrap_err().to_string();
            assert!(error.contains("from 1970-04-11 to 1970-05-03"), "{error}");
        }
    }

    #[test]
    fn a_pseudonym_gets_no_policy() {
        assert!(refuse_pseudonym("shop-3").is_ok());
        let error = refuse_pseudonym("pseudonym:5f0c").unwrap_err().to_string();
        assert!(error.contains("would bind nobody") && error.contains("pseudonymize"), "{error}");
    }

    #[test]
    fn the_sentence_says_who_the_peers_are() {
        let rows = vec![
            OfDay {
                operation: "GET /a".into(),
                source: EndpointSource::Lexical,
                day: 10,
                calls: 4,
                accepted: 4,
                in_findings: 0,
            },
            OfDay {
                operation: "GET /own".into(),
                source: EndpointSource::Lexical,
                day: 10,
                calls: 1,
                accepted: 1,
                in_findings: 0,
            },
        ];
        let done = profile(&rows, &(0..20));
        let whose = Whose {
            tenant_id: "default".into(),
            principal_id: "app-7".into(),
            principal_name: None,
        };
        let mut asked = Asked { whose, kind: "consumer".into(), group: 3 };
        let by_operation = ["GET /a", "GET /b", "GET /c"].map(|name| (name.to_owned(), 2));
        let peers = Peers { all: 5, by_operation: by_operation.into() };
        assert_eq!(
            sentence(&asked, &done, &peers, &(0..20)),
            "app-7 used 1 of the 3 operations that its peers use, and 1 operation that none of them \
             uses, in 20 days, 1970-01-01 to 1970-01-20; its peers are the 5 others of its peer \
             group (3) that used any"
        );
        asked.group = -1;
        assert_eq!(
            sentence(&asked, &done, &Peers::default(), &(0..20)),
            "app-7 used 2 operations in 20 days, 1970-01-01 to 1970-01-20; nobody else of its kind \
             (consumer), since it has no peer group used any"
        );
        let all = table(&done, &peers, true).unwrap();
        assert_eq!(all.num_rows(), 4, "two of its own, two of its peers'");
    }
}

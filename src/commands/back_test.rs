//! `habitus replay --back-test`: what another configuration would find, beside what the store has.

use super::findings::{ids, times};
use super::replay::{Job, find, key_of_store, pass, report, samples, write_summary};
use super::{Ended, Failure, Setting, declared_format, span_us};
use crate::back_test::{
    Change, Compared, Comparison, Counts, Extents, FINDINGS_MAX, Ledger, Report, Said, TENANTS_MAX,
    date, extents, stored,
};
use crate::cli::{OutputFormat, Replay, Span};
use crate::config::{Config, DEFAULT_FILE};
use crate::figures::counted;
use crate::keeper::Keeper;
use crate::render::{self, plain};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::error::ArrowError;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use store::{Question, Reader};

/// Findings that a table shows of those that appear or disappear.
const SHOWN_MAX: usize = 50;
/// Settings that are named of those that differ.
const CHANGES_MAX: usize = 50;
/// Characters of a setting's value that are shown.
const VALUE_CHARS_MAX: usize = 120;
/// The parts of a configuration that findings depend on.
const SECTIONS: [&str; 4] = ["ingest", "endpoints", "replay", "detect"];

/// Runs the log under the configuration that was given, and compares with the store, which stays as it is.
pub(crate) fn run(setting: &Setting, args: &Replay) -> Result<Ended, Failure> {
    let span = span_us(&Span { since: args.since.clone(), until: args.until.clone() })?;
    let reader = setting.reader()?;
    let store = hours(setting, &reader)?;
    if store.is_empty() {
        return Err(format!(
            "the store in {reader} holds nothing to compare with: replay the log into it first, without \
             --back-test"
        )
        .into());
    }
    let key = key_of_store(setting, &args.work)?;
    let (inputs, mut problems) = find(&args.logs)?;
    let declared = declared_format(&args.logs)?;
    let job = Job { inputs, declared, sort: args.logs.sort, work: &args.work, what: "back-test" };
    let (ran, keeper) = pass(setting, job, key, |_, _| {
        Ok(Keeper::holding(Ledger::new(span), setting.runtime.clone()))
    })?;
    let mut summary = ran.summary(setting);
    problems.append(&mut summary.problems);
    summary.problems = problems;
    if summary.events == 0 {
        return Err(match summary.problems.first() {
            Some(problem) => format!("no input could be read: {problem}").into(),
            None => "the log has no events to compare: give one that the store has seen".into(),
        });
    }
    samples(&ran.passed, &ran.inputs);
    let (found, log) = keeper.held().map(Ledger::into_parts).unwrap_or_default();
    let said = said(setting, &reader, span)?;
    let compared = Comparison::of((found, &log), (said, &store));
    let mut told = compared.report(&log, &store);
    told.judges_from = ran.passed.judges_from.map(|time| time.to_string());
    told.models_from = ran.passed.models_from.map(|time| time.to_string());
    let (changed, whence) = changes(setting, &compared)?;
    told.changed = changed;
    let is_same = told.counts.is_same();
    report(&summary);
    for note in notes(&told, &whence, &reader) {
        crate::note(&plain(&note));
    }
    print(setting, &compared, &told)?;
    summary.back_test = Some(told);
    if let Some(path) = &args.work.summary {
        write_summary(&summary, path)?;
    }
    Ok(match (summary.problems.is_empty(), is_same || !args.require_same) {
        (false, _) => Ended::Partly,
        (true, false) => Ended::Differs,
        (true, true) => Ended::Done,
    })
}

/// The hours that the store has windows of.
fn hours(setting: &Setting, reader: &Reader) -> Result<Extents, Failure> {
    let values = vec![("rows_max", (TENANTS_MAX as i64 + 1).into())];
    let (_, rows) = setting.runtime.block_on(reader.ask(Question::Extents, values))?;
    Ok(extents(&rows)?)
}

/// What the store says of a span.
fn said(
    setting: &Setting,
    reader: &Reader,
    (since, until): (i64, i64),
) -> Result<Vec<(Said, String)>, Failure> {
    let values = vec![
        ("since_us", since.into()),
        ("until_us", until.into()),
        ("rows_max", (FINDINGS_MAX as i64 + 1).into()),
    ];
    let (_, rows) = setting.runtime.block_on(reader.ask(Question::Compared, values))?;
    Ok(stored(&rows)?)
}

/// What stands between the two: settings that differ from those that the store's findings were made
/// under, if these are at hand; and in words whose they are.
fn changes(
    setting: &Setting,
    compared: &Comparison,
) -> Result<(Option<Vec<String>>, String), Failure> {
    let hash =
        |config: &Config| -> Result<String, Failure> { Ok(config.detect.check()?.config_hash) };
    let now = hash(&setting.config)?;
    let of = match compared.configs.len() {
        0 => return Ok((None, "the store has no findings of that time".to_owned())),
        1 => "the store's findings were made",
        _ => "the store's findings were made under several configurations, some of them",
    };
    // The one that stands in the directory is in force unless it is the one that is tried.
    let stands = setting.config_path.is_some() && Path::new(DEFAULT_FILE).exists();
    let standing = stands.then(|| Config::load(None).ok()).flatten();
    let known = standing.map(|it| (it, "habitus.toml says")).into_iter();
    for (config, name) in known.chain([(Config::default(), "the defaults say")]) {
        let before = hash(&config)?;
        if before != now && compared.configs.contains(&before) {
            let differ = differing(&config, &setting.config);
            return Ok((Some(differ), format!("{of} under what {name} of [detect]")));
        }
    }
    if compared.configs.contains(&now) {
        let one = compared.configs.len() == 1;
        return Ok((one.then(Vec::new), format!("{of} under the same [detect]")));
    }
    Ok((
        None,
        format!(
            "{of} under another [detect], which is neither in {DEFAULT_FILE} nor the defaults: what \
             changed is not known here"
        ),
    ))
}

/// Settings that findings depend on and that differ, as `name: before -> after`.
fn differing(before: &Config, after: &Config) -> Vec<String> {
    let [before, after] = [before, after].map(|config| {
        let mut flat = BTreeMap::new();
        let table: toml::Table = config.to_toml().parse().unwrap_or_default();
        for (name, value) in table.into_iter().filter(|(name, _)| SECTIONS.contains(&&**name)) {
            flatten(name, value, &mut flat);
        }
        flat
    });
    let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let show = |value: Option<&String>| {
        let value = value.map_or("not set", |it| it);
        value.chars().take(VALUE_CHARS_MAX).collect::<String>()
    };
    let differ = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let line =
        |name: &String| format!("{name}: {} -> {}", show(before.get(name)), show(after.get(name)));
    let mut lines: Vec<_> = differ.map(line).collect();
    let more = lines.len().saturating_sub(CHANGES_MAX);
    lines.truncate(CHANGES_MAX);
    if more > 0 {
        lines.push(format!("and {} more", counted(more as u64, "setting", "settings")));
    }
    lines
}

/// A value's parts by their names, joined with dots.
fn flatten(name: String, value: toml::Value, out: &mut BTreeMap<String, String>) {
    if let toml::Value::Table(table) = value {
        for (part, value) in table {
            flatten(format!("{name}.{part}"), value, out);
        }
    } else {
        out.insert(name, value.to_string());
    }
}

/// What one must know to read the result.
fn notes(told: &Report, whence: &str, reader: &Reader) -> Vec<String> {
    let or_never = |time: &Option<String>| time.clone().unwrap_or_else(|| "never".to_owned());
    let between = |from: &Option<String>, until: &Option<String>| match (from, until) {
        (Some(from), Some(until)) => format!("from {from} to {until}"),
        _ => "no hour of it".to_owned(),
    };
    let mut notes = vec![
        format!(
            "the log has windows {}; the store in {reader} has, of the same tenants, {}",
            between(&told.log_from, &told.log_until),
            between(&told.store_from, &told.store_until),
        ),
        format!(
            "warm-up: this run judged from {} on, and had a joint model from {} on",
            or_never(&told.judges_from),
            or_never(&told.models_from),
        ),
    ];
    if told.store_from < told.log_from && told.store_from.is_some() {
        notes.push(
            "the store's baselines began before this log: what differs soon after its beginning may be for \
             want of history, so give the earlier logs too, or a later --since"
                .to_owned(),
        );
    }
    for (count, whose, other) in [
        (told.stored_not_compared, "the store's", "this log"),
        (told.run_not_compared, "this run's", "the store"),
    ] {
        if count > 0 {
            let findings = counted(count, "finding", "findings");
            notes.push(format!(
                "{findings} of {whose} are of hours or days that {other} has not or not whole, and are not \
                 compared"
            ));
        }
    }
    notes.push(match &told.changed {
        Some(changed) if changed.is_empty() => format!("{whence}: nothing of it changed"),
        Some(changed) => format!("{whence}; what changed: {}", changed.join("; ")),
        None => whence.to_owned(),
    });
    notes
}

/// Prints days and what changes on a terminal, and for programs every finding that was compared.
fn print(setting: &Setting, compared: &Comparison, told: &Report) -> Result<(), Failure> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if setting.output == OutputFormat::Table {
        let days = days(told)?;
        render::rows(&mut out, setting.output, &days.schema(), std::slice::from_ref(&days))?;
        let changes: Vec<_> = compared.all.iter().filter(|it| it.change != Change::Same).collect();
        let shown = changes.get(..SHOWN_MAX).unwrap_or(&changes);
        if !changes.is_empty() {
            let rows = short(shown)?;
            render::rows(&mut out, setting.output, &rows.schema(), std::slice::from_ref(&rows))?;
        }
        let counts = told.counts;
        writeln!(
            out,
            "{} would appear, {} would disappear, {} stay, {} of them with another severity",
            counts.would_appear, counts.would_disappear, counts.same, counts.other_severity,
        )?;
        if changes.len() > SHOWN_MAX {
            let more = changes.len() - SHOWN_MAX;
            writeln!(out, "{more} more appear or disappear: --output ndjson has all")?;
        }
    } else {
        let rows = long(&compared.all)?;
        render::rows(&mut out, setting.output, &rows.schema(), std::slice::from_ref(&rows))?;
    }
    Ok(out.flush()?)
}

/// A row for each day, and one for all.
fn days(told: &Report) -> Result<RecordBatch, ArrowError> {
    let total = ("all", told.counts);
    let rows: Vec<_> = told.days.iter().map(|it| (&*it.day, it.counts)).chain([total]).collect();
    let count = |of: fn(&Counts) -> u64| -> ArrayRef {
        Arc::new(rows.iter().map(|(_, it)| of(it) as i64).collect::<Int64Array>())
    };
    let names: StringArray = rows.iter().map(|(day, _)| Some(*day)).collect();
    RecordBatch::try_from_iter([
        ("day", Arc::new(names) as ArrayRef),
        ("same", count(|it| it.same)),
        ("would_appear", count(|it| it.would_appear)),
        ("would_disappear", count(|it| it.would_disappear)),
        ("other_severity", count(|it| it.other_severity)),
    ])
}

/// What changes, with few columns.
fn short(rows: &[&Compared]) -> Result<RecordBatch, ArrowError> {
    let text =
        |of: fn(&Compared) -> Option<&str>| rows.iter().map(|it| of(it)).collect::<StringArray>();
    let at: TimestampMicrosecondArray =
        rows.iter().map(|it| Some(it.said.detected_at_us)).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("change", Arc::new(text(|it| Some(it.change.as_str())))),
        ("id", Arc::new(ids(&text(|it| Some(&it.said.id))))),
        ("detected_at", Arc::new(times(&at))),
        ("severity", Arc::new(text(|it| Some(&it.said.severity)))),
    ];
    // What people said, only where they said anything.
    if rows.iter().any(|it| it.said.verdict.is_some()) {
        columns.push(("verdict", Arc::new(text(|it| it.said.verdict.as_deref()))));
    }
    columns.push(("detector", Arc::new(text(|it| Some(&it.said.detector)))));
    columns.push(("sentence", Arc::new(text(|it| Some(&it.said.sentence)))));
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
}

/// Every finding that was compared, with all that is known of it.
fn long(rows: &[Compared]) -> Result<RecordBatch, ArrowError> {
    let text = |of: fn(&Compared) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringArray>())
    };
    let time = |of: fn(&Compared) -> i64| -> ArrayRef {
        let times = TimestampMicrosecondArray::from_iter_values(rows.iter().map(of));
        Arc::new(times.with_timezone("UTC"))
    };
    let day: StringArray = rows.iter().map(|it| Some(date(it.said.day_us()))).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("day", Arc::new(day)),
        ("change", text(|it| Some(it.change.as_str()))),
        ("finding_id", text(|it| Some(&it.said.id))),
        ("tenant_id", text(|it| Some(&it.said.tenant_id))),
        ("principal_id", text(|it| it.said.principal_id.as_deref())),
        ("detector", text(|it| Some(&it.said.detector))),
        ("entity", text(|it| Some(&it.said.entity))),
        ("window_start", time(|it| it.said.window_start_us)),
        ("window_end", time(|it| it.said.window_end_us)),
        ("detected_at", time(|it| it.said.detected_at_us)),
        ("severity_stored", text(Compared::severity_stored)),
        ("severity", text(|it| it.severity_now.as_deref())),
        ("verdict", text(|it| it.said.verdict.as_deref())),
        ("sentence", text(|it| Some(&it.said.sentence))),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
}

//! `habitus explain`: one finding with everything that it rests on.

use super::{Ended, Failure, Setting, query};
use crate::cli::{Explain, OutputFormat};
use crate::render::plain;
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use store::Store;

/// Characters of an id that a person types at least.
const PREFIX_CHARS_MIN: usize = 4;

/// Explains a finding by its id or the beginning of it.
pub(crate) fn run(setting: &Setting, args: &Explain) -> Result<Ended, Failure> {
    let id = args.id.to_ascii_lowercase();
    let fits =
        id.len() >= PREFIX_CHARS_MIN && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if !fits {
        return Err(format!(
            "`{}` is no finding id: give the first {PREFIX_CHARS_MIN} or more characters that \
             `habitus findings` shows",
            plain(&args.id),
        )
        .into());
    }
    let sql = format!(
        "SELECT * FROM findings_current WHERE finding_id LIKE {} ORDER BY finding_id LIMIT 2",
        store::quote(&format!("{id}%")),
    );
    if setting.output != OutputFormat::Table {
        return query::print(setting, &sql);
    }
    let (_, batches) = setting.runtime.block_on(async {
        let store = Store::open(&setting.store).await?;
        store.query(&sql).await
    })?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let first = batches.iter().find(|batch| batch.num_rows() > 0);
    match (rows, first) {
        (0, _) | (_, None) => {
            Err(format!("no finding begins with `{id}`; see `habitus findings`").into())
        }
        (1, Some(batch)) => {
            std::io::stdout().lock().write_all(page(batch)?.as_bytes())?;
            Ok(Ended::Done)
        }
        _ => Err(format!("more than one finding begins with `{id}`: give more of it").into()),
    }
}

/// The finding in the batch's first row, as a page of text.
fn page(batch: &RecordBatch) -> Result<String, Failure> {
    let options = FormatOptions::default().with_null("");
    let text = |name: &str| -> Result<String, Failure> {
        let column = batch.column_by_name(name).ok_or_else(|| format!("no column {name}"))?;
        Ok(plain(&ArrayFormatter::try_new(column, &options)?.value(0).to_string()))
    };
    let mut out = String::new();
    writeln!(out, "{}\n", text("sentence")?)?;
    let number = |name: &str| -> Result<f64, Failure> { Ok(text(name)?.parse().unwrap_or(0.0)) };
    let (observed, expected, upper) = (number("observed")?, number("expected")?, number("upper")?);
    out.push_str(&bars(&[
        ("observed", observed),
        ("expected", expected),
        ("ordinary up to", upper),
    ]));
    writeln!(out, "                 {}\n", text("unit")?)?;
    for (label, column) in [
        ("finding", "finding_id"),
        ("severity", "severity"),
        ("score", "score"),
        ("surprise", "surprise"),
        ("detector", "detector"),
        ("identity", "principal_id"),
        ("resolved by", "principal_source"),
        ("entity", "entity"),
        ("from", "window_start"),
        ("to", "window_end"),
        ("detected at", "detected_at"),
        ("baseline", "baseline_state"),
        ("otherwise", "counterfactual"),
        ("OWASP", "owasp"),
        ("ATT&CK, ATLAS", "attack"),
        ("models", "model_version"),
    ] {
        let value = text(column)?;
        if !value.is_empty() {
            writeln!(out, "{label:>15}  {value}")?;
        }
    }
    parts(&mut out, &text("contributors")?)?;
    evidence(&mut out, &text("evidence")?)?;
    writeln!(out, "\nTo see for yourself:\n  habitus query \"{}\"", text("evidence_sql")?)?;
    Ok(out)
}

/// Values as bars on a common scale; logarithmic when they differ by more than a hundred times.
fn bars(values: &[(&str, f64)]) -> String {
    const WIDTH: f64 = 44.0;
    let largest = values.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let smallest = values.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
    let logarithmic = largest > 100.0 * smallest.max(1e-9);
    let part = |value: f64| match (largest > 0.0, logarithmic) {
        (false, _) => 0.0,
        (true, true) => value.max(0.0).ln_1p() / largest.ln_1p(),
        (true, false) => value / largest,
    };
    let mut out = String::new();
    for (label, value) in values {
        let width = (part(*value).clamp(0.0, 1.0) * WIDTH).round() as usize;
        let bar = "█".repeat(width);
        let line = format!("{label:>15}  {bar}▏ {value:.1}\n");
        out.push_str(&line);
    }
    if logarithmic {
        out.push_str("                 (bars on a logarithmic scale)\n");
    }
    out
}

fn parts(out: &mut String, json: &str) -> Result<(), Failure> {
    let Ok(Value::Array(parts)) = serde_json::from_str::<Value>(json) else { return Ok(()) };
    if !parts.is_empty() {
        writeln!(out, "\nMost of it:")?;
    }
    for part in parts {
        let share = part.get("share").and_then(Value::as_f64).unwrap_or(0.0);
        let observed = part.get("observed").and_then(Value::as_f64).unwrap_or(0.0);
        let name = part.get("name").and_then(Value::as_str).unwrap_or("");
        writeln!(out, "  {:>5.1} %  {observed:>14.1}  {}", share * 100.0, plain(name))?;
    }
    Ok(())
}

fn evidence(out: &mut String, json: &str) -> Result<(), Failure> {
    let Ok(Value::Array(events)) = serde_json::from_str::<Value>(json) else { return Ok(()) };
    if !events.is_empty() {
        writeln!(out, "\nSample events:")?;
    }
    for event in events {
        let text = |key: &str| match event.get(key) {
            Some(Value::String(text)) => plain(text),
            Some(Value::Null) | None => "-".to_owned(),
            Some(other) => other.to_string(),
        };
        writeln!(
            out,
            "  {}  {}  {}  {} B  {}",
            text("time"),
            text("status"),
            text("client_address"),
            text("bytes_out"),
            text("request"),
        )?;
    }
    Ok(())
}

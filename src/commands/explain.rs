//! `habitus explain`: one finding with everything that it rests on.

use super::{Ended, Failure, Setting};
use crate::cli::{Explain, OutputFormat};
use crate::figures;
use crate::render::{self, plain};
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use store::{Answer, Question, Reader};

/// Characters of an id that a person types at least.
const PREFIX_CHARS_MIN: usize = 4;
/// Characters that the labels of a page take.
const LABEL_CHARS: usize = 17;
/// Significant digits of a score, a surprise and a span of history.
const DIGITS: usize = 3;

/// The lines of a page: what each is called, and its column.
const LINES: [(&str, &str); 20] = [
    ("finding", "finding_id"),
    ("severity", "severity"),
    ("risk score", "risk_score"),
    ("score", "score"),
    ("surprise", "surprise"),
    ("detector", "detector"),
    ("identity", "principal_id"),
    ("name", "principal_name"),
    ("resolved by", "principal_source"),
    ("entity", "entity"),
    ("from", "window_start"),
    ("to", "window_end"),
    ("first raised", "detected_at"),
    ("incident", "incident_id"),
    ("baseline", "baseline_state"),
    ("history", "history_days"),
    ("otherwise", "counterfactual"),
    ("OWASP", "owasp"),
    ("ATT&CK, ATLAS", "attack"),
    ("models", "model_version"),
];

/// Finds a finding by its id or the beginning of it: one row, with what was said of it.
pub(super) fn find(setting: &Setting, reader: &Reader, typed: &str) -> Result<Answer, Failure> {
    let id = prefix(typed)?;
    let values = vec![("prefix", id.as_str().into())];
    let (schema, batches) = setting.runtime.block_on(reader.ask(Question::Finding, values))?;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    match rows {
        0 => Err(format!("no finding begins with `{id}`; see `habitus findings`").into()),
        1 => Ok((schema, batches.into_iter().filter(|it| it.num_rows() > 0).collect())),
        _ => Err(format!("more than one finding begins with `{id}`: give more of it").into()),
    }
}

/// The beginning of an id, as it may be typed.
pub(super) fn prefix(typed: &str) -> Result<String, Failure> {
    let id = typed.to_ascii_lowercase();
    let fits =
        id.len() >= PREFIX_CHARS_MIN && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if fits {
        return Ok(id);
    }
    Err(format!(
        "`{}` is no finding id: give the first {PREFIX_CHARS_MIN} or more characters that \
         `habitus findings` shows",
        plain(typed),
    )
    .into())
}

/// Explains a finding by its id or the beginning of it.
pub(crate) fn run(setting: &Setting, args: &Explain) -> Result<Ended, Failure> {
    let (schema, batches) = find(setting, &setting.reader()?, &args.id)?;
    let mut out = std::io::stdout().lock();
    if setting.output == OutputFormat::Table {
        let batch = batches.first().ok_or("the answer has no row")?;
        let page = page(batch, &setting.store_argument(), render::line_chars())?;
        out.write_all(page.as_bytes())?;
    } else {
        render::rows(&mut out, setting.output, &schema, &batches)?;
    }
    Ok(Ended::Done)
}

/// What stands to the left of a value.
fn label(label: &str) -> String {
    format!("{label:>LABEL_CHARS$}  ")
}

/// The finding in the batch's first row, as a page of text of so many characters a line; but what is there to be
/// copied stays as it is.
fn page(batch: &RecordBatch, store: &str, chars: usize) -> Result<String, Failure> {
    let options = FormatOptions::default().with_null("");
    let text = |name: &str| -> Result<String, Failure> {
        let column = batch.column_by_name(name).ok_or_else(|| format!("no column {name}"))?;
        Ok(plain(&ArrayFormatter::try_new(column, &options)?.value(0).to_string()))
    };
    let number = |name: &str| -> Result<f64, Failure> { Ok(text(name)?.parse().unwrap_or(0.0)) };
    let count = |name: &str| -> Result<u64, Failure> { Ok(text(name)?.parse().unwrap_or(0)) };
    let unit = text("unit")?;
    let mut out = String::new();
    writeln!(out, "{}\n", render::beside("", &text("sentence")?, chars))?;
    let band = [
        ("observed", number("observed")?),
        ("expected", number("expected")?),
        ("99.9 % stay under", number("upper")?),
    ];
    out.push_str(&bars(&band, &unit));
    for (label, column) in LINES {
        let value = match column {
            "score" | "surprise" | "risk_score" => significant(number(column)?),
            "history_days" => format!(
                "{} d, {}, {}",
                significant(number(column)?),
                figures::counted(count("history_n")?, "call", "calls"),
                figures::counted(count("peers_n")?, "peer", "peers"),
            ),
            _ => text(column)?,
        };
        if !value.is_empty() {
            writeln!(out, "{}", render::beside(&self::label(label), &value, chars))?;
        }
        if column == "score" {
            let meaning = meaning(number("score")?);
            writeln!(out, "{}", render::beside(&self::label(""), &meaning, chars))?;
        }
    }
    said(&mut out, &text, chars)?;
    parts(&mut out, &text("contributors")?, &unit)?;
    evidence(&mut out, &text("evidence")?)?;
    let sql = super::word(&text("evidence_sql")?);
    writeln!(out, "\nTo see for yourself:\n  habitus query {sql}{store}")?;
    Ok(out)
}

/// What people say of it now, if anybody does.
fn said(
    out: &mut String,
    text: &impl Fn(&str) -> Result<String, Failure>,
    chars: usize,
) -> Result<(), Failure> {
    let verdict = text("verdict")?;
    if verdict.is_empty() {
        return Ok(());
    }
    let by = text("verdict_by")?;
    let at = text("verdict_at")?;
    writeln!(out, "{:>LABEL_CHARS$}  {verdict}, by {by} at {at}", "verdict")?;
    let scope = text("verdict_scope")?;
    let until = match (verdict.as_str(), text("suppressed_until")?) {
        ("benign", until) if until.is_empty() => ", suppressed for good".to_owned(),
        ("benign", until) => format!(", suppressed until {until}"),
        _ => String::new(),
    };
    writeln!(out, "{:>LABEL_CHARS$}  {scope}{until}", "covers")?;
    writeln!(out, "{}", render::beside(&label("because"), &text("verdict_reason")?, chars))?;
    Ok(())
}

/// What a score says, and how surprise and severity hang together with it.
fn meaning(score: f64) -> String {
    format!(
        "about once in {} windows of ordinary traffic, judged by the surprise; \
         severity = confidence from the score × danger of the detector and the outcome",
        significant(score),
    )
}

fn significant(value: f64) -> String {
    figures::grouped(&figures::significant(value, DIGITS))
}

/// Values as bars on a common scale; logarithmic when they differ by more than a hundred times.
fn bars(values: &[(&str, f64)], unit: &str) -> String {
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
        let value = figures::in_unit(*value, unit);
        let line = format!("{label:>LABEL_CHARS$}  {bar}▏ {value}\n");
        out.push_str(&line);
    }
    // A number of bytes has its unit beside it.
    let unit = if unit == "bytes" { "" } else { unit };
    let scale = if logarithmic { "(bars on a logarithmic scale)" } else { "" };
    for note in [scale, unit].into_iter().filter(|note| !note.is_empty()) {
        let line = format!("{:LABEL_CHARS$}  {note}\n", "");
        out.push_str(&line);
    }
    out.push('\n');
    out
}

fn parts(out: &mut String, json: &str, unit: &str) -> Result<(), Failure> {
    let Ok(Value::Array(parts)) = serde_json::from_str::<Value>(json) else { return Ok(()) };
    if !parts.is_empty() {
        writeln!(out, "\nMost of it:")?;
    }
    for part in parts {
        let share = part.get("share").and_then(Value::as_f64).unwrap_or(0.0);
        let observed = part.get("observed").and_then(Value::as_f64).unwrap_or(0.0);
        let observed = figures::in_unit(observed, unit);
        let name = part.get("name").and_then(Value::as_str).unwrap_or("");
        writeln!(out, "  {:>5.1} %  {observed:>14}  {}", share * 100.0, plain(name))?;
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
        let size = event.get("bytes_out").and_then(Value::as_f64);
        let agent = event.get("agent").and_then(Value::as_str);
        let agent = agent.map_or_else(String::new, |it| format!("agent {}  ", plain(it)));
        writeln!(
            out,
            "  {}{}  {}  {}  {}  {agent}{}",
            place(&event),
            text("time"),
            text("status"),
            text("client_address"),
            size.map_or_else(|| "-".to_owned(), figures::bytes),
            text("request"),
        )?;
    }
    Ok(())
}

/// Where an event was read, with what parts it from what follows; empty where nothing says.
///
/// It stands first, because whoever made the request wrote what stands last.
fn place(event: &Value) -> String {
    let name = event.get("input").and_then(Value::as_str);
    let number = event.get("source").and_then(Value::as_u64);
    let line = event.get("line").and_then(Value::as_u64);
    match (name, number, line) {
        (Some(name), _, Some(line)) => format!("{}:{line}  ", plain(name)),
        (None, Some(number), Some(line)) => format!("input {number} line {line}  "),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_beside_their_bars_as_people_write_them() {
        let values = [("observed", 2.31e9), ("expected", 3_100.0)];
        let shown = bars(&values, "bytes");
        assert!(shown.contains("▏ 2.3 GB\n") && shown.contains("▏ 3.1 kB\n"), "{shown}");
        assert!(shown.contains("logarithmic") && !shown.contains("bytes"), "{shown}");
        let shown = bars(&[("observed", 162.0), ("expected", 2.909_391)], "distinct objects");
        assert!(shown.contains("▏ 162\n") && shown.contains("▏ 2.91\n"), "{shown}");
        assert!(
            shown.contains("  distinct objects\n") && !shown.contains("logarithmic"),
            "{shown}"
        );
    }

    #[test]
    fn a_score_is_said_in_windows() {
        let said = meaning(12_345.6);
        assert!(said.starts_with("about once in 12\u{202f}300 windows of ordinary"), "{said}");
        assert!(said.contains("severity = confidence from the score × danger"), "{said}");
    }

    #[test]
    fn what_is_pasted_into_a_shell_is_one_word_of_it() {
        assert_eq!(super::super::word("id = '$(reboot)`x`'"), r"'id = '\''$(reboot)`x`'\'''");
        assert_eq!(super::super::word("\"b\" \\ $HOME"), "'\"b\" \\ $HOME'");
    }

    #[test]
    fn an_event_says_where_it_was_read_if_that_is_known() {
        let check = |json: &str, expected: &str| {
            assert_eq!(place(&serde_json::from_str(json).unwrap()), expected, "{json}");
        };
        check(r#"{"input":"a.log","line":7}"#, "a.log:7  ");
        check(r#"{"input":null,"source":2,"line":7}"#, "input 2 line 7  ");
        check(r#"{"input":null,"line":7}"#, "");
        check("{}", "");
    }

    #[test]
    fn sizes_of_sample_events_are_for_people() {
        let mut out = String::new();
        let events = r#"[{"time":"t","status":200,"client_address":null,"bytes_out":3100,
            "request":"GET /a","input":"a.log","line":7},{"time":"u","bytes_out":null,"agent":"copilot"}]"#;
        evidence(&mut out, events).unwrap();
        assert!(out.contains("  a.log:7  t  200  -  3.1 kB  GET /a\n"), "{out}");
        assert!(out.contains("  u  -  -  -  agent copilot  -\n"), "{out}");
    }
}

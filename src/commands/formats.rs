//! `habitus formats`: the log formats, and how a file would be read.

use super::{Ended, Failure, Setting, named_format, reject_lines};
use crate::cli::{Formats, FormatsAction, OutputFormat};
use crate::figures::counted;
use crate::render;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use ingest::format::FormatId;
use ingest::parse::Parsed;
use ingest::source::{Input, Reader, discover};
use ingest::{Chunk, explain};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Lists the formats, or explains a file.
///
/// `asked` is the output that was asked for; without it an explanation is text.
pub(crate) fn run(
    setting: &Setting,
    args: &Formats,
    asked: Option<OutputFormat>,
) -> Result<Ended, Failure> {
    match &args.action {
        None => list(setting),
        Some(FormatsAction::Explain { file, format }) => {
            let declared = format.as_deref().map(named_format).transpose()?;
            let is_json = matches!(asked, Some(OutputFormat::Json | OutputFormat::Ndjson));
            explain(setting, file, declared, is_json)
        }
    }
}

fn list(setting: &Setting) -> Result<Ended, Failure> {
    let mut out = std::io::stdout().lock();
    if setting.output == OutputFormat::Table {
        let mut table = render::new_table();
        table.set_header(["format", "what it reads"]);
        for format in FormatId::known() {
            table.add_row([format.as_str(), format.about()]);
        }
        writeln!(out, "{table}")?;
        return Ok(Ended::Done);
    }
    let column = |text: fn(FormatId) -> &'static str| -> ArrayRef {
        Arc::new(FormatId::known().map(|it| Some(text(it))).collect::<StringArray>())
    };
    let columns = [("format", column(FormatId::as_str)), ("about", column(FormatId::about))];
    let batch = RecordBatch::try_from_iter(columns)?;
    render::rows(&mut out, setting.output, &batch.schema(), std::slice::from_ref(&batch))?;
    Ok(Ended::Done)
}

fn explain(
    setting: &Setting,
    file: &str,
    declared: Option<FormatId>,
    is_json: bool,
) -> Result<Ended, Failure> {
    let input = one(file)?;
    let mut reader = Reader::open(&input).map_err(|error| error.to_string())?;
    let parser = setting.config.ingest.check(setting.fresh_key)?;
    let explanation = match explain::explain(reader.sample(), &parser, declared) {
        Ok(explanation) => explanation,
        Err(refusal) => {
            // Of what cannot be read as text at all, that is the better reason.
            let problem = reader.problem().filter(|it| !it.is_note() && refusal.records == 0);
            let problem = problem.map(ToString::to_string);
            if refusal.records > 0 && !is_json {
                let mut out = std::io::stdout().lock();
                write!(out, "{}", render_lines(&explain::refused(reader.sample(), &parser)))?;
            }
            return Err(problem.unwrap_or_else(|| format!("{file}: {refusal}")).into());
        }
    };
    let mut out = std::io::stdout().lock();
    if is_json {
        serde_json::to_writer(&mut out, &explanation)?;
        writeln!(out)?;
        return Ok(Ended::Done);
    }
    let bytes = reader.sample().to_vec();
    let sample = Chunk { first_line: 1, bytes, ..Chunk::default() };
    let parsed = parser.parse(&sample, Some(explanation.id));
    write!(out, "{}", render_lines(&explanation.to_string()))?;
    write!(out, "{}", render_lines(&others(&parsed, explanation.id)))?;
    Ok(Ended::Done)
}

/// The one input that an argument names.
fn one(file: &str) -> Result<Input, Failure> {
    let shown = file.escape_debug();
    if Path::new(file).is_dir() {
        return Err(format!("`{shown}` is a directory: name one file of it").into());
    }
    let mut found = discover(&[file])?;
    if found.inputs.len() > 1 {
        return Err(format!("`{shown}` stands for {} files: name one", found.inputs.len()).into());
    }
    let problem = found.problems.first().map(ToString::to_string);
    let nothing = || problem.unwrap_or_else(|| format!("`{shown}`: nothing to read"));
    Ok(found.inputs.pop().ok_or_else(nothing)?)
}

/// What the sample holds that is not of the format, a line each; empty if there is nothing.
fn others(parsed: &Parsed, format: FormatId) -> String {
    let mut lines = reject_lines(&parsed.rejects);
    let mut foreign: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for event in &parsed.batch.events {
        // A canonical event says what it was before.
        if format != FormatId::Canonical && event.source_format != format.as_str() {
            foreign.entry(event.source_format).or_insert((0, event.position.line)).0 += 1;
        }
    }
    lines.extend(foreign.iter().map(|(name, (count, line))| {
        format!("{count} in the format {name}, which is read too, the first in line {line}")
    }));
    if lines.is_empty() {
        return String::new();
    }
    let records = counted(parsed.records, "record", "records");
    format!("not of this format, of the first {records}:\n  {}\n", lines.join("\n  "))
}

/// Lines for a terminal, none of them wider than it.
fn render_lines(text: &str) -> String {
    let chars = render::line_chars();
    let line = |line: &str| {
        let line = render::plain(line);
        let text = line.trim_start_matches(' ');
        let head = line.strip_suffix(text).unwrap_or_default();
        render::beside(head, text, chars) + "\n"
    };
    text.lines().map(line).collect()
}

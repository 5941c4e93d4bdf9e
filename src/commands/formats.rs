//! `habitus formats`: the log formats, and how a file would be read.

use super::{Ended, Failure, Setting};
use crate::cli::{Formats, FormatsAction, OutputFormat};
use crate::render;
use ingest::format::FormatId;
use ingest::source::{Reader, discover};
use std::io::Write as _;

/// Lists the formats, or explains a file.
pub(crate) fn run(setting: &Setting, args: &Formats) -> Result<Ended, Failure> {
    match &args.action {
        None => list(setting),
        Some(FormatsAction::Explain { file }) => explain(file),
    }
}

fn list(setting: &Setting) -> Result<Ended, Failure> {
    let mut out = std::io::stdout().lock();
    if setting.output == OutputFormat::Table {
        let mut table = render::new_table();
        table.set_header(["format", "what it reads"]);
        for format in FormatId::ALL {
            table.add_row([format.as_str(), format.about()]);
        }
        writeln!(out, "{table}")?;
        return Ok(Ended::Done);
    }
    for format in FormatId::ALL {
        let line = serde_json::json!({ "format": format.as_str(), "about": format.about() });
        writeln!(out, "{line}")?;
    }
    Ok(Ended::Done)
}

fn explain(file: &str) -> Result<Ended, Failure> {
    let found = discover(&[file.to_owned()])?;
    let input = found.inputs.first().ok_or_else(|| format!("{file}: nothing to read"))?;
    let mut reader = Reader::open(input)?;
    match ingest::sniff::explain(reader.sample()) {
        Ok(explanation) => {
            write!(std::io::stdout().lock(), "{}", render_lines(&explanation.to_string()))?;
            Ok(Ended::Done)
        }
        Err(refusal) => Err(format!("{file}: {refusal}").into()),
    }
}

fn render_lines(text: &str) -> String {
    text.lines().map(|line| render::plain(line) + "\n").collect()
}

//! Results as people and programs read them: tables, JSON, CSV; every text made safe for where it goes.

use crate::cli::OutputFormat;
use crate::figures;
use arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array, RecordBatch, StringArray};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::{ArrayWriter, LineDelimitedWriter};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{ContentArrangement, Table, presets};
use std::io::{IsTerminal as _, Write};
use std::sync::Arc;

/// Characters of a cell beyond which a table cuts it.
const CELL_CHARS_MAX: usize = 240;
/// Significant digits of a fraction in a table; CSV and JSON have all of them.
const TABLE_DIGITS: usize = 4;

/// The format that was asked for, or what suits standard output.
pub(crate) fn format_or_default(asked: Option<OutputFormat>) -> OutputFormat {
    asked.unwrap_or_else(|| {
        if std::io::stdout().is_terminal() { OutputFormat::Table } else { OutputFormat::Ndjson }
    })
}

/// Writes rows to `out`.
pub(crate) fn rows(
    out: &mut dyn Write,
    format: OutputFormat,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<(), ArrowError> {
    match format {
        OutputFormat::Table => table(out, schema, batches),
        OutputFormat::Json => {
            let mut writer = ArrayWriter::new(&mut *out);
            writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
            writer.finish()?;
            Ok(writeln!(out)?)
        }
        OutputFormat::Ndjson => {
            let mut writer = LineDelimitedWriter::new(&mut *out);
            writer.write_batches(&batches.iter().collect::<Vec<_>>())?;
            writer.finish()
        }
        OutputFormat::Csv => csv(out, schema, batches),
    }
}

fn csv(out: &mut dyn Write, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(), ArrowError> {
    let mut writer = WriterBuilder::new().with_header(true).build(&mut *out);
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return writer.write(&RecordBatch::new_empty(Arc::clone(schema)));
    }
    for batch in batches {
        writer.write(&without_formulas(batch)?)?;
    }
    Ok(())
}

/// A spreadsheet runs a cell that begins with =, +, - or @ as a formula: such texts get a quote.
fn without_formulas(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let risky = |text: &str| text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let text = match field.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 | DataType::Utf8 => {
                Some(arrow::compute::cast(column, &DataType::Utf8)?)
            }
            _ => None,
        };
        let Some(text) = text else {
            fields.push(field.as_ref().clone());
            columns.push(Arc::clone(column));
            continue;
        };
        fields.push(Field::new(field.name(), DataType::Utf8, field.is_nullable()));
        match text.as_any().downcast_ref::<StringArray>() {
            Some(texts) => {
                let safe: StringArray = texts
                    .iter()
                    .map(|text| {
                        text.map(|it| if risky(it) { format!("'{it}") } else { it.to_owned() })
                    })
                    .collect();
                columns.push(Arc::new(safe));
            }
            None => columns.push(text),
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn table(
    out: &mut dyn Write,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<(), ArrowError> {
    let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if count == 0 {
        return Ok(writeln!(out, "0 rows")?);
    }
    let mut table = new_table();
    table.set_header(schema.fields().iter().map(|field| field.name().clone()));
    for batch in batches {
        let columns: Vec<Column<'_>> =
            batch.columns().iter().map(Column::new).collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            table.add_row(columns.iter().map(|column| cut(&plain(&column.cell(row)))));
        }
    }
    writeln!(out, "{table}")?;
    Ok(writeln!(out, "{count} {}", if count == 1 { "row" } else { "rows" })?)
}

/// A column as people read it: fractions with few digits, NULL as nothing.
enum Column<'a> {
    Floats(Float64Array),
    Others(ArrayFormatter<'a>),
}

impl<'a> Column<'a> {
    fn new(column: &'a ArrayRef) -> Result<Self, ArrowError> {
        if column.data_type().is_floating() {
            let floats = arrow::compute::cast(column, &DataType::Float64)?;
            if let Some(floats) = floats.as_primitive_opt::<Float64Type>() {
                return Ok(Self::Floats(floats.clone()));
            }
        }
        let options = FormatOptions::default().with_null("");
        Ok(Self::Others(ArrayFormatter::try_new(column, &options)?))
    }

    fn cell(&self, row: usize) -> String {
        match self {
            Self::Floats(floats) if floats.is_null(row) => String::new(),
            Self::Floats(floats) => figures::rounded(floats.value(row), TABLE_DIGITS),
            Self::Others(others) => others.value(row).to_string(),
        }
    }
}

/// One value as a table shows it, but neither cut nor made safe for a terminal.
pub(crate) fn cell(column: &ArrayRef, row: usize) -> Result<String, ArrowError> {
    Ok(Column::new(column)?.cell(row))
}

/// An empty table in the program's style, as wide as the terminal.
pub(crate) fn new_table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.set_width(160);
    }
    table
}

/// A text without anything that a terminal would obey: control characters, escapes, bidi overrides.
pub(crate) fn plain(text: &str) -> String {
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if obeyed(c) { '\u{fffd}' } else { c }).collect()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(CELL_CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or(text)),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(format: OutputFormat, texts: &[&str]) -> String {
        let schema = Arc::new(Schema::new(vec![Field::new("name", DataType::Utf8, true)]));
        let column = Arc::new(StringArray::from(texts.to_vec()));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
        let mut out = Vec::new();
        rows(&mut out, format, &schema, &[batch]).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        let text = shown(OutputFormat::Table, &["\u{1b}[2Jgone\u{202e}"]);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && text.contains("gone"));
    }

    #[test]
    fn a_spreadsheet_is_not_told_what_to_do() {
        assert_eq!(shown(OutputFormat::Csv, &["=1+1", "a,b"]), "name\n'=1+1\n\"a,b\"\n");
    }

    #[test]
    fn fractions_are_short_in_a_table_and_whole_elsewhere() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Float64, true)]));
        let column = Arc::new(Float64Array::from(vec![
            Some(0.008_804_635_934_144_812),
            Some(23_152.847_724_199_86),
            None,
        ]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
        let shown = |format| {
            let mut out = Vec::new();
            rows(&mut out, format, &schema, std::slice::from_ref(&batch)).unwrap();
            String::from_utf8(out).unwrap()
        };
        let table = shown(OutputFormat::Table);
        assert!(table.contains(" 0.008805 ") && table.contains(" 23153 "), "{table}");
        let csv = shown(OutputFormat::Csv);
        assert!(csv.starts_with("n\n0.008804635934144812\n23152.84772419986\n"), "{csv}");
    }

    #[test]
    fn a_table_without_rows_is_not_drawn() {
        assert_eq!(shown(OutputFormat::Table, &[]), "0 rows\n");
    }

    #[test]
    fn no_rows_are_an_empty_array_and_a_header() {
        assert_eq!(shown(OutputFormat::Json, &[]).trim(), "[]");
        assert_eq!(shown(OutputFormat::Csv, &[]), "name\n");
    }
}

//! Results as people and programs read them: tables, JSON, CSV; every text made safe for where it goes.

use crate::cli::OutputFormat;
use crate::figures;
use arrow::array::{Array as _, ArrayRef, AsArray as _, Float64Array, RecordBatch, StringArray};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::{ArrayWriter, LineDelimitedWriter};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use model::plain::cut;
pub(crate) use model::plain::plain;
use std::io::{IsTerminal as _, Write};
use std::sync::Arc;

/// Characters of a cell beyond which a table cuts it.
const CELL_CHARS_MAX: usize = 240;
/// The same for a finding's sentence, which is shown whole: this only bounds a hostile one.
const SENTENCE_CHARS_MAX: usize = 10_000;
/// Characters that a column of a table has at least; if it would have fewer, no table is drawn.
const COLUMN_CHARS_MIN: usize = 8;
/// The same where a text is long, which would else become a tower of words.
const PROSE_COLUMN_CHARS_MIN: usize = 24;
/// Characters from which on a text is long.
const PROSE_CHARS: usize = 160;
/// Characters that a table puts around each column.
const GUTTER_CHARS: usize = 3;
/// Characters of a column's name beyond which values no longer stand to the right of it.
const LABEL_CHARS_MAX: usize = 32;
/// Width of a table where no terminal says its own, in characters.
const WIDTH_CHARS: u16 = 160;
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
    let names: Vec<String> = schema.fields().iter().map(|field| plain(field.name())).collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for batch in batches {
        let columns: Vec<Column<'_>> =
            batch.columns().iter().map(Column::new).collect::<Result<_, _>>()?;
        let cell = |row: usize, (column, name): (&Column<'_>, &String)| {
            let chars_max = if name == "sentence" { SENTENCE_CHARS_MAX } else { CELL_CHARS_MAX };
            cut(&plain(&column.cell(row)), chars_max)
        };
        rows.extend((0..batch.num_rows()).map(|row| -> Vec<String> {
            columns.iter().zip(&names).map(|of| cell(row, of)).collect()
        }));
    }
    if !rows.is_empty() {
        let mut table = new_table();
        let width = usize::from(table.width().unwrap_or(WIDTH_CHARS));
        if is_cramped(&names, &rows, width) {
            upright(out, &names, &rows, width)?;
        } else {
            table.set_header(&names);
            table.add_rows(&rows);
            writeln!(out, "{table}")?;
        }
    }
    Ok(writeln!(out, "{}", figures::counted(rows.len() as u64, "row", "rows"))?)
}

/// Whether a table of so many characters would squeeze a column until nobody can read it.
fn is_cramped(names: &[String], rows: &[Vec<String>], width: usize) -> bool {
    let mut widths: Vec<usize> = names.iter().map(|name| name.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    widths.sort_unstable();
    let is_prose = widths.last().is_some_and(|longest| *longest >= PROSE_CHARS);
    let least = if is_prose { PROSE_COLUMN_CHARS_MIN } else { COLUMN_CHARS_MIN };
    // Columns that need less than their share get what they need; the others share what is left.
    let mut left = width.saturating_sub(GUTTER_CHARS * widths.len());
    for (index, wanted) in widths.iter().enumerate() {
        let share = left / (widths.len() - index);
        if *wanted > share {
            return share < least;
        }
        left -= wanted;
    }
    false
}

/// Writes each row below the one before it, a line for each column.
fn upright(
    out: &mut dyn Write,
    names: &[String],
    rows: &[Vec<String>],
    width: usize,
) -> Result<(), ArrowError> {
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let label = longest.min(LABEL_CHARS_MAX);
    let value_width = width.saturating_sub(label + 2).max(PROSE_COLUMN_CHARS_MIN);
    for (index, row) in rows.iter().enumerate() {
        writeln!(out, "row {}", index + 1)?;
        for (name, value) in names.iter().zip(row) {
            let value = wrapped(value, value_width).join(&format!("\n{:label$}  ", ""));
            writeln!(out, "{name:>label$}  {value}")?;
        }
    }
    Ok(())
}

/// A text in lines of at most so many characters, broken at spaces; a longer word stays whole.
fn wrapped(text: &str, chars: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut line_chars) = (String::new(), 0);
    for word in text.split(' ') {
        let word_chars = word.chars().count();
        if line_chars > 0 && line_chars + 1 + word_chars > chars {
            lines.push(std::mem::take(&mut line));
            line_chars = 0;
        }
        if line_chars > 0 {
            line.push(' ');
            line_chars += 1;
        }
        line.push_str(word);
        line_chars += word_chars;
    }
    lines.push(line);
    lines
}

/// Characters of a line on the terminal that standard output is; without one no line is too long.
pub(crate) fn line_chars() -> usize {
    if !std::io::stdout().is_terminal() {
        return usize::MAX;
    }
    new_table().width().map_or(usize::MAX, usize::from)
}

/// A text beside what stands before it, in lines of at most so many characters.
pub(crate) fn beside(head: &str, text: &str, chars: usize) -> String {
    let left = head.chars().count();
    let room = chars.saturating_sub(left).max(PROSE_COLUMN_CHARS_MIN);
    format!("{head}{}", wrapped(text, room).join(&format!("\n{:left$}", "")))
}

/// Sees to it that a table breaks no word of a column, which has these texts.
pub(crate) fn keep_words<'a>(
    table: &mut Table,
    column: usize,
    texts: impl IntoIterator<Item = &'a str>,
) {
    let words = texts.into_iter().flat_map(|text| text.split(' ').map(|it| it.chars().count()));
    // The table counts its spaces on both sides.
    let longest = u16::try_from(words.max().unwrap_or(0)).unwrap_or(u16::MAX).saturating_add(2);
    if let Some(column) = table.column_mut(column) {
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(longest)));
    }
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
        table.set_width(WIDTH_CHARS);
    }
    table
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

    /// A row of texts under these names, as a table.
    fn row(cells: &[(&str, &str)]) -> String {
        let fields: Vec<_> =
            cells.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, true)).collect();
        let columns = cells.iter().map(|(_, text)| {
            let column: ArrayRef = Arc::new(StringArray::from(vec![*text]));
            column
        });
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap();
        let mut out = Vec::new();
        rows(&mut out, OutputFormat::Table, &schema, &[batch]).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn many_columns_stand_below_each_other() {
        let names: Vec<String> = (0..40).map(|index| format!("column_{index}")).collect();
        let cells: Vec<_> = names.iter().map(|name| (name.as_str(), "a value of it")).collect();
        let few = row(&cells[..5]);
        assert!(
            !few.contains("row 1\n") && few.lines().all(|it| it.chars().count() <= 160),
            "{few}"
        );
        let many = row(&cells);
        assert!(many.starts_with("row 1\n column_0  a value of it\n"), "{many}");
        assert!(many.ends_with("\ncolumn_39  a value of it\n1 row\n"), "{many}");
    }

    #[test]
    fn a_sentence_is_shown_whole_and_wrapped() {
        let sentence = "and so on ".repeat(60);
        let short = row(&[("id", "7"), ("text", &sentence)]);
        assert!(short.contains('…'), "{short}");
        let whole = row(&[("id", "7"), ("sentence", &sentence)]);
        assert!(!whole.contains('…') && whole.matches("so").count() == 60, "{whole}");
        assert!(whole.lines().all(|line| line.chars().count() <= 160), "{whole}");
    }

    #[test]
    fn a_text_is_broken_at_its_spaces() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a-long-word b", 4), ["a-long-word", "b"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn a_long_value_goes_on_below_itself() {
        let text = "one two three four five six seven";
        assert_eq!(beside("by  ", text, usize::MAX), format!("by  {text}"));
        let lines = "by  one two three four five\n    six seven";
        assert_eq!(beside("by  ", text, 28), lines);
        assert_eq!(beside("by  ", text, 0), lines, "never so narrow that nobody can read it");
    }

    #[test]
    fn a_narrow_table_breaks_no_word_that_is_kept() {
        let mut table = new_table();
        table.set_width(40);
        let (name, story) =
            ("stolen_key_walks_customers (loud)", "somebody reads them all ".repeat(5));
        table.add_row([name, story.as_str()]);
        keep_words(&mut table, 0, [name]);
        assert!(table.to_string().contains("stolen_key_walks_customers"), "{table}");
    }

    #[test]
    fn a_plan_of_many_lines_has_spaces_between_them() {
        assert_eq!(
            plain("Projection: a\n\tTableScan: b\u{7}"),
            "Projection: a  TableScan: b\u{fffd}"
        );
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

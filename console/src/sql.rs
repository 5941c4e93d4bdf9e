//! The SQL box: a question that somebody types, and its rows as far as a page holds them.

use crate::ask::AskError;
use crate::page::{self, Here, Problem, Visitor};
use crate::server::Shared;
use crate::words;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Html;
use maud::{Markup, html};
use model::figures::counted;
use serde::Deserialize;
use store::{Answer, Reader};

/// Rows that are shown.
const ROWS_MAX: usize = 500;
/// Columns that are shown.
const COLUMNS_MAX: usize = 60;
/// Columns that a telephone shows beside each other.
const NARROW_COLUMNS_MAX: usize = 3;
/// Characters of a cell.
const CELL_CHARS_MAX: usize = 400;
/// Bytes of all cells.
const TABLE_BYTES_MAX: usize = 200_000;
/// Bytes that a cell takes besides its text.
const CELL_MARKUP_BYTES: usize = "<td></td>".len();
/// Bytes of one question's text.
const SQL_BYTES_MAX: usize = 16 * 1024;

/// What was typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Typed {
    q: String,
}

/// The page: that of a question without an answer says so in its status too.
pub(crate) async fn page(
    State(console): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Query(typed): Query<Typed>,
) -> Result<(StatusCode, Html<String>), Problem> {
    let sql = typed.q.trim();
    let answer = if sql.is_empty() {
        None
    } else if sql.len() > SQL_BYTES_MAX {
        let why = format!(
            "the SQL has {} bytes, and at most {SQL_BYTES_MAX}: ask for less at once",
            sql.len()
        );
        Some(Err(AskError::Refused(why)))
    } else {
        Some(console.asker.query(sql).await)
    };
    let status = match &answer {
        None | Some(Ok(_)) => StatusCode::OK,
        Some(Err(error)) => status_of(error),
    };
    let engine = match console.asker.reader() {
        Reader::Directory(_) => "The store is a directory: SQL of DataFusion.",
        Reader::Server(_) => "The store is a server: SQL of ClickHouse.",
    };
    let body = html! {
        form.sql method="get" action="/sql" {
            div.field.wide {
                label for="q" { "A question in SQL, which can change nothing" }
                textarea #q name="q" rows="8" spellcheck="false" data-testid="sql-box" {
                    (typed.q)
                }
            }
            button type="submit" data-testid="sql-run" { "Run" }
        }
        p.hint { (engine) " The tables and their columns stand in docs/tables.md." }
        @match &answer {
            None => {},
            Some(Err(why)) => p.notice role="alert" data-testid="sql-error" {
                (words::whole(&why.to_string()))
            },
            Some(Ok(answer)) => (shown(answer)),
        }
    };
    page::whole("SQL", Here::Sql, &visitor, &body).map(|page| (status, page))
}

/// Whose fault it is that a question has no answer: what was typed, unless it is the store's.
const fn status_of(error: &AskError) -> StatusCode {
    match error {
        AskError::Refused(_) => StatusCode::BAD_REQUEST,
        AskError::Slow => StatusCode::GATEWAY_TIMEOUT,
        AskError::Store(_) | AskError::Odd(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The rows of an answer, and what of it was left out.
fn shown(answer: &Answer) -> Markup {
    match Cells::of(answer) {
        Ok(cells) => cells.table(),
        Err(error) => {
            let why = format!("the answer cannot be shown ({error}): cast its columns to text");
            html! { p.notice role="alert" data-testid="sql-error" { (words::whole(&why)) } }
        }
    }
}

/// An answer as texts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Cells {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Rows and columns that there are in all.
    rows_all: usize,
    columns_all: usize,
    /// Whether a cell was cut.
    is_cut: bool,
}

impl Cells {
    fn of((schema, batches): &Answer) -> Result<Self, arrow::error::ArrowError> {
        let names = schema.fields().iter().take(COLUMNS_MAX);
        let mut cells = Self {
            names: names.map(|it| words::short(it.name(), words::NAME_CHARS_MAX)).collect(),
            rows_all: batches.iter().map(arrow::array::RecordBatch::num_rows).sum(),
            columns_all: schema.fields().len(),
            ..Self::default()
        };
        let options = FormatOptions::default().with_null("NULL");
        let mut bytes = 0;
        for batch in batches {
            let columns = batch.columns().iter().take(COLUMNS_MAX);
            let columns: Vec<_> = columns
                .map(|it| ArrayFormatter::try_new(it, &options))
                .collect::<Result<_, _>>()?;
            for row in 0..batch.num_rows() {
                if cells.rows.len() >= ROWS_MAX || bytes >= TABLE_BYTES_MAX {
                    return Ok(cells);
                }
                let texts: Vec<String> = columns
                    .iter()
                    .map(|it| it.value(row).to_string())
                    .inspect(|it| cells.is_cut |= it.chars().count() > CELL_CHARS_MAX)
                    .map(|it| words::short(&it, CELL_CHARS_MAX))
                    .collect();
                bytes += texts.iter().map(|it| it.len() + CELL_MARKUP_BYTES).sum::<usize>();
                cells.rows.push(texts);
            }
        }
        Ok(cells)
    }

    /// What is not shown, in words; nothing if all of it is.
    fn left_out(&self) -> Vec<String> {
        let mut said = Vec::new();
        let rows = self.rows_all - self.rows.len().min(self.rows_all);
        if rows > 0 {
            let why = if self.rows.len() < ROWS_MAX {
                format!("the cells of a page have {} kB at most", TABLE_BYTES_MAX / 1_000)
            } else {
                format!("a page has {ROWS_MAX} rows at most")
            };
            said.push(format!(
                "{} left out, since {why}: add a LIMIT, a WHERE, name fewer columns, or aggregate",
                counted(rows as u64, "row is", "rows are")
            ));
        }
        let columns = self.columns_all - self.names.len().min(self.columns_all);
        if columns > 0 {
            said.push(format!(
                "{} left out: name those that you want",
                counted(columns as u64, "column is", "columns are")
            ));
        }
        if self.is_cut {
            said.push(format!("cells are cut at {CELL_CHARS_MAX} characters"));
        }
        said
    }

    fn table(&self) -> Markup {
        let table = html! {
            table data-testid="sql-table" {
                thead { tr { @for name in &self.names { th scope="col" { (name) } } } }
                tbody {
                    @for row in &self.rows { tr { @for cell in row { td { (cell) } } } }
                }
            }
        };
        html! {
            p.count { (counted(self.rows_all as u64, "row", "rows")) }
            @if self.names.len() > NARROW_COLUMNS_MAX {
                p.sideways { "The table is wider than the screen: scroll it to the side." }
            }
            @for text in self.left_out() { (page::notice(&text)) }
            @if self.names.is_empty() { (page::empty("The answer has no columns.")) }
            @else { (page::scrolled("Rows of the answer", &table)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use std::sync::Arc;

    fn answer(columns: Vec<(String, ArrayRef)>) -> Answer {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        (batch.schema(), vec![batch])
    }

    #[test]
    fn hostile_names_and_values_are_shown_as_texts() {
        let hostile = "<script>alert(1)</script>\u{202e}<img src=x onerror=alert(1)>";
        let column: ArrayRef = Arc::new(StringArray::from(vec![hostile]));
        let page = shown(&answer(vec![(hostile.to_owned(), column)])).into_string();
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(!page.contains('\u{202e}') && page.contains("&lt;script&gt;alert(1)"), "{page}");
    }

    #[test]
    fn what_was_typed_wrong_is_no_page_like_another() {
        assert_eq!(status_of(&AskError::Refused("no SQL".into())), StatusCode::BAD_REQUEST);
        assert_eq!(status_of(&AskError::Slow), StatusCode::GATEWAY_TIMEOUT);
    }

    #[test]
    fn what_is_left_out_is_said() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS_MAX as i64 + 2));
        let columns = (0..=COLUMNS_MAX).map(|it| (format!("c{it}"), Arc::clone(&numbers)));
        let cells = Cells::of(&answer(columns.collect())).unwrap();
        assert_eq!(cells.names.len(), COLUMNS_MAX);
        let said = cells.left_out();
        assert!(said.iter().any(|it| it.starts_with("1 column is left out")), "{said:?}");
        let cells = Cells::of(&answer(vec![("n".into(), numbers)])).unwrap();
        assert_eq!(cells.rows.len(), ROWS_MAX);
        let said = cells.left_out();
        let rows = "2 rows are left out, since a page has 500 rows at most";
        assert!(said.iter().any(|it| it.starts_with(rows)), "{said:?}");
        let long: ArrayRef = Arc::new(StringArray::from(vec!["é".repeat(CELL_CHARS_MAX + 1)]));
        let cells = Cells::of(&answer(vec![("a".into(), long)])).unwrap();
        assert_eq!(cells.left_out(), ["cells are cut at 400 characters"]);
    }

    #[test]
    fn a_page_of_long_rows_has_an_end() {
        let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(CELL_CHARS_MAX); 400]));
        let columns: Vec<_> = (0..4).map(|it| (format!("c{it}"), Arc::clone(&long))).collect();
        let page = shown(&answer(columns)).into_string();
        assert!(page.len() < 300_000, "{}", page.len());
        assert!(page.contains("left out, since the cells of a page have 200 kB at most"), "{page}");
    }

    #[test]
    fn nothing_left_out_is_not_mentioned() {
        let one: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
        let schema = Arc::new(arrow::datatypes::Schema::new(vec![arrow::datatypes::Field::new(
            "n",
            arrow::datatypes::DataType::Int64,
            true,
        )]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![one]).unwrap();
        let page = shown(&(schema, vec![batch])).into_string();
        assert!(page.contains("<td>1</td>") && page.contains("<td>NULL</td>"), "{page}");
        assert!(page.contains("2 rows") && !page.contains("left out"), "{page}");
    }
}

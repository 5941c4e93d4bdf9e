//! Questions to the store: their answers as texts, how many are asked at once, how long they may take.
//!
//! Of a directory the answers of lists are kept until the next commit: to know the latest state of each
//! of 100 000 findings takes longer than a page should.

use crate::Commands;
use arrow::array::{Array as _, ArrayRef, RecordBatch};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use model::Time;
use model::time::NS_PER_MIN;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use store::{Answer, Mark, Question, Reader, StoreError, Values};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// How long a question may take; a server stops it by itself after a minute.
pub(crate) const TIME_MAX: Duration = Duration::from_secs(30);
/// Questions of pages that are asked at once; others wait.
const PAGES_MAX: usize = 4;
/// The same of what people type, so that the pages stay quick.
const TYPED_MAX: usize = 2;
/// Answers that are kept, and the rows of one.
const KEPT_MAX: usize = 64;
const KEPT_ROWS_MAX: usize = 200;
/// How long they are kept at most: what is suppressed until a time shows again without a commit.
const KEPT_NS: i64 = 4 * NS_PER_MIN;
/// For how long after somebody looked the first page is read again with every commit.
const WATCHED_NS: i64 = 10 * NS_PER_MIN;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The store says why.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It took too long.
    #[error("the store did not answer within {} s: ask for less, such as a shorter time", TIME_MAX.as_secs())]
    Slow,
    /// What was typed is no question, or one that takes too much: why, in words.
    #[error("{0}")]
    Refused(String),
    /// The answer is not what was asked for.
    #[error("the store's answer cannot be read ({0}); report this as a defect")]
    Odd(String),
}

/// Asks a store.
#[derive(Debug)]
pub(crate) struct Asker {
    reader: Reader,
    commands: Arc<dyn Commands>,
    pages: Arc<Semaphore>,
    typed: Semaphore,
    kept: watch::Sender<Kept>,
    /// When somebody opened a list last, in nanoseconds.
    looked_at: AtomicI64,
}

impl Asker {
    pub(crate) fn new(reader: Reader, commands: Arc<dyn Commands>) -> Self {
        Self {
            reader,
            commands,
            pages: Arc::new(Semaphore::new(PAGES_MAX)),
            typed: Semaphore::new(TYPED_MAX),
            kept: watch::Sender::new(Kept::default()),
            looked_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Where the store is.
    pub(crate) const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Answers a question of a page.
    pub(crate) async fn ask(&self, question: Question, values: Values) -> Result<Rows, AskError> {
        let asked = async {
            let _place = self.pages.acquire().await.map_err(|it| AskError::Odd(it.to_string()))?;
            Rows::of(&self.reader.ask(question, values).await?)
        };
        timeout(TIME_MAX, asked).await.unwrap_or(Err(AskError::Slow))
    }

    /// The same of a list, whose answer is kept until the store changes.
    pub(crate) async fn ask_list(
        &self,
        question: Question,
        values: Values,
    ) -> Result<Arc<Rows>, AskError> {
        let Some(mark) = self.reader.mark() else {
            return Ok(Arc::new(self.ask(question, values).await?));
        };
        let (name, now) = (format!("{question:?} {values:?}"), self.commands.now());
        let kept = self.kept.borrow().find(mark, &name, now);
        if let Some(rows) = kept {
            return Ok(rows);
        }
        let rows = Arc::new(self.ask(question, values).await?);
        self.kept.send_modify(|kept| kept.keep(mark, name, now, &rows));
        Ok(rows)
    }

    /// Notes that somebody looks.
    pub(crate) fn looked(&self) {
        self.looked_at.store(self.commands.now().ns(), Ordering::Relaxed);
    }

    /// Whether what is kept should be read again before somebody asks for it.
    pub(crate) fn is_behind(&self) -> bool {
        let Some(mark) = self.reader.mark() else { return false };
        let now = self.commands.now();
        let is_watched =
            now.ns().saturating_sub(self.looked_at.load(Ordering::Relaxed)) < WATCHED_NS;
        let kept = self.kept.borrow();
        kept.is_over(now) || (is_watched && kept.mark != Some(mark))
    }

    /// Answers what somebody typed.
    pub(crate) async fn query(&self, sql: &str) -> Result<Answer, AskError> {
        let asked = async {
            let _place = self.typed.acquire().await.map_err(|it| AskError::Odd(it.to_string()))?;
            self.commands.query(sql.to_owned()).await.map_err(AskError::Refused)
        };
        timeout(TIME_MAX, asked).await.unwrap_or(Err(AskError::Slow))
    }

    /// Does what waits for the store by itself. It has a place among the questions of pages until it is
    /// done, whether anybody still waits for it or not.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AskError> {
        let asked = async {
            let place = Arc::clone(&self.pages).acquire_owned().await;
            let place = place.map_err(|it| AskError::Odd(it.to_string()))?;
            let done = tokio::task::spawn_blocking(move || {
                let done = work();
                drop(place);
                done
            });
            done.await.map_err(|it| AskError::Odd(it.to_string()))
        };
        timeout(TIME_MAX, asked).await.unwrap_or(Err(AskError::Slow))
    }
}

/// Answers of one state of a store.
#[derive(Debug, Default)]
struct Kept {
    mark: Option<Mark>,
    /// Since when, in nanoseconds.
    since_ns: i64,
    answers: HashMap<String, Arc<Rows>>,
}

impl Kept {
    fn is_over(&self, now: Time) -> bool {
        now.ns().saturating_sub(self.since_ns) >= KEPT_NS
    }

    fn find(&self, mark: Mark, name: &str, now: Time) -> Option<Arc<Rows>> {
        if self.mark != Some(mark) || self.is_over(now) {
            return None;
        }
        self.answers.get(name).cloned()
    }

    fn keep(&mut self, mark: Mark, name: String, now: Time, rows: &Arc<Rows>) {
        if self.mark != Some(mark) || self.is_over(now) {
            *self = Self { mark: Some(mark), since_ns: now.ns(), answers: HashMap::new() };
        }
        if self.answers.len() >= KEPT_MAX {
            self.answers.clear();
        }
        if rows.len() <= KEPT_ROWS_MAX {
            self.answers.insert(name, Arc::clone(rows));
        }
    }
}

/// An answer, every value as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    places: HashMap<String, usize>,
    cells: Vec<Vec<Option<String>>>,
}

impl Rows {
    /// Reads an answer.
    pub(crate) fn of((schema, batches): &Answer) -> Result<Self, AskError> {
        let names = schema.fields().iter().enumerate();
        let places = names.map(|(place, field)| (field.name().clone(), place)).collect();
        let mut cells = Vec::new();
        for batch in batches {
            read(batch, &mut cells)?;
        }
        Ok(Self { places, cells })
    }

    /// Rows that a test makes up.
    #[cfg(test)]
    pub(crate) fn made_of(names: &[&str], rows: &[&[&str]]) -> Self {
        let places = names.iter().enumerate().map(|(place, name)| ((*name).to_owned(), place));
        let row = |row: &&[&str]| row.iter().map(|it| Some((*it).to_owned())).collect();
        Self { places: places.collect(), cells: rows.iter().map(row).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    pub(crate) fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.cells.iter().map(|cells| Row { places: &self.places, cells })
    }
}

fn read(batch: &RecordBatch, cells: &mut Vec<Vec<Option<String>>>) -> Result<(), AskError> {
    let odd = |error: ArrowError| AskError::Odd(error.to_string());
    let options = FormatOptions::default().with_null("");
    let columns = batch.columns().iter().map(|it| ArrayFormatter::try_new(it, &options));
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(odd)?;
    for row in 0..batch.num_rows() {
        let cell = |(column, text): (&ArrayRef, &ArrayFormatter<'_>)| {
            column.is_valid(row).then(|| text.value(row).to_string())
        };
        cells.push(batch.columns().iter().zip(&columns).map(cell).collect());
    }
    Ok(())
}

/// One row of an answer. A column that is not there is as one that is NULL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    places: &'a HashMap<String, usize>,
    cells: &'a [Option<String>],
}

impl<'a> Row<'a> {
    /// The text, if it is not NULL.
    pub(crate) fn some(&self, name: &str) -> Option<&'a str> {
        self.cells.get(*self.places.get(name)?)?.as_deref()
    }

    /// The text; NULL is the empty one.
    pub(crate) fn text(&self, name: &str) -> &'a str {
        self.some(name).unwrap_or_default()
    }

    /// The number, if it is one.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.some(name)?.parse().ok().filter(|it: &f64| it.is_finite())
    }

    /// The whole number; 0 if it is none.
    pub(crate) fn whole(&self, name: &str) -> i64 {
        self.some(name).and_then(|it| it.parse().ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, StringArray, TimestampMicrosecondArray};

    #[test]
    fn an_answer_is_read_by_the_names_of_its_columns() {
        let times = TimestampMicrosecondArray::from(vec![Some(1_772_445_600_000_000), None]);
        let batch = RecordBatch::try_from_iter_with_nullable([
            ("who", Arc::new(StringArray::from(vec![Some("a"), None])) as ArrayRef, true),
            ("score", Arc::new(Float64Array::from(vec![1.5, f64::NAN])), true),
            ("at", Arc::new(times.with_timezone("UTC")), true),
        ])
        .unwrap();
        let rows = Rows::of(&(batch.schema(), vec![batch])).unwrap();
        let seen = rows.iter().map(|row| (row.some("who"), row.number("score"), row.text("at")));
        assert_eq!(
            seen.collect::<Vec<_>>(),
            [(Some("a"), Some(1.5), "2026-03-02T10:00:00Z"), (None, None, "")]
        );
        assert_eq!(rows.first().unwrap().text("nothing"), "", "what is not there is NULL");
    }
}

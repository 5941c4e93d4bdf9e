//! The conformance kit of a store, and what it must survive.

mod batching;
mod compact;
mod crash;
mod feedback;
mod forgetting;
mod opening;
mod questions;
pub(crate) mod sample;
mod sql;
mod views;

use crate::{RunId, Store, StoreError};
use arrow::util::pretty::pretty_format_batches;
use model::tables::Table;
use sample::{finding, rows};
use std::path::Path;

/// The key of every store in these tests.
const KEY: [u8; 32] = [7; 32];

pub(crate) async fn store(dir: &Path) -> Store {
    Store::create(dir, None, KEY).await.unwrap()
}

pub(crate) fn run(name: &str) -> RunId {
    RunId::new(name).unwrap()
}

/// The answer as one line per row: cells in brackets, without a frame.
pub(crate) async fn answer(store: &Store, sql: &str) -> String {
    let (schema, batches) = store.query(sql).await.unwrap();
    let options = arrow::util::display::FormatOptions::default().with_null("NULL");
    let mut lines = Vec::new();
    for batch in &batches {
        assert_eq!(batch.schema(), schema, "every batch has the schema of the answer");
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| {
                let cells = arrow::util::display::ArrayFormatter::try_new(column, &options);
                cells.unwrap().value(row).to_string()
            });
            lines.push(cells.collect::<Vec<_>>().join(" "));
        }
    }
    lines.join("\n")
}

pub(crate) async fn count(store: &Store, table: &str) -> usize {
    answer(store, &format!("SELECT count(*) FROM {table}")).await.parse().unwrap()
}

/// Writes findings 1 to `last` in that revision, and as many signals.
pub(crate) async fn write(
    store: &Store,
    run: &RunId,
    last: u32,
    revision: u64,
) -> Result<(), StoreError> {
    let findings: Vec<_> = (1..=last).map(|number| finding(number, revision)).collect();
    let mut writer = store.writer(run);
    writer.findings(&findings).await?;
    writer.write(Table::Signals, rows(Table::Signals, 0, last as usize)).await?;
    let written = writer.commit().await?;
    assert_eq!(written.of(Table::Findings).rows, u64::from(last));
    assert_eq!(written.total().rows, 2 * u64::from(last));
    assert_eq!(written.of(Table::Windows).files, 0);
    Ok(())
}

/// What every store must do, in the order of a store's life.
async fn all(store: &Store) {
    for table in Table::ALL {
        assert_eq!(count(store, table.as_str()).await, 0, "an empty store can be asked");
        let (schema, _) = store.query(&format!("SELECT * FROM {}", table.as_str())).await.unwrap();
        assert_eq!(schema.fields(), table.schema().fields(), "and has the right columns");
    }
    write(store, &run("a"), 2, 1).await.unwrap();
    assert_eq!(count(store, "findings").await, 2, "what was written is there");
    assert_eq!(count(store, "signals").await, 2, "in every table");
    write(store, &run("a"), 3, 1).await.unwrap();
    assert_eq!(count(store, "findings").await, 3, "a replay is kept once");
    write(store, &run("b"), 3, 2).await.unwrap();
    assert_eq!(count(store, "findings").await, 6, "another run stands beside it");
    assert_eq!(count(store, "findings_current").await, 3, "the highest revision wins");
    assert_eq!(
        answer(store, "SELECT DISTINCT revision FROM findings_current").await,
        "2",
        "and it is the highest"
    );
    let writer = store.writer(&run("b"));
    assert_eq!(writer.commit().await.unwrap().total().rows, 0);
    assert_eq!(count(store, "findings").await, 3, "a replay without rows leaves none");
    for table in Table::ALL {
        let mut writer = store.writer(&run(&table.as_str().replace('_', "")));
        writer.write(table, rows(table, 0, 700)).await.unwrap();
        let before = count(store, table.as_str()).await;
        let written = writer.commit().await.unwrap();
        assert_eq!(written.of(table).rows, 700);
        assert_eq!(count(store, table.as_str()).await, before + 700, "{}", table.as_str());
        let (schema, batches) =
            store.query(&format!("SELECT * FROM {}", table.as_str())).await.unwrap();
        assert_eq!(schema.fields(), table.schema().fields(), "columns keep their types");
        assert!(pretty_format_batches(&batches).is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_does_what_every_store_must() {
    let dir = tempfile::tempdir().unwrap();
    all(&store(dir.path()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_may_have_any_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("über uns/50% #1?/[a]*{b}'\"\\ &=:;\u{1F511}");
    all(&store(&path).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_lived_store_sees_what_others_commit_later() {
    let dir = tempfile::tempdir().unwrap();
    let (reader, writer) = (store(dir.path()).await, store(dir.path()).await);
    assert_eq!(count(&reader, "findings").await, 0);
    write(&writer, &run("a"), 2, 1).await.unwrap();
    assert_eq!(count(&reader, "findings").await, 2);
    write(&writer, &run("b"), 5, 1).await.unwrap();
    assert_eq!(count(&reader, "findings").await, 7);
    write(&writer, &run("a"), 1, 1).await.unwrap();
    assert_eq!(count(&reader, "findings").await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_run_is_written_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let mut first = store.writer(&run("a"));
    first.findings(&[finding(1, 1)]).await.unwrap();
    let error = write(&store, &run("b"), 1, 1).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy(_)), "{error}");
    assert_eq!(count(&store, "findings").await, 0, "readers are not held up");
    first.commit().await.unwrap();
    write(&store, &run("b"), 1, 1).await.unwrap();
    assert_eq!(count(&store, "findings").await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_of_another_shape_is_refused_and_breaks_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let mut writer = store.writer(&run("a"));
    let error = writer.write(Table::Windows, rows(Table::Signals, 0, 3)).await.unwrap_err();
    assert!(error.to_string().contains("`windows`"), "{error}");
    let later = writer.write(Table::Signals, rows(Table::Signals, 0, 3)).await.unwrap_err();
    assert!(matches!(later, StoreError::Broken), "{later}");
    assert!(matches!(writer.commit().await.unwrap_err(), StoreError::Broken));
}

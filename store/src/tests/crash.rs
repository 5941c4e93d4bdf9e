//! Crashes at every step of a commit, and what they leave behind.

use super::batching::files;
use super::sample::{finding, rows};
use super::{answer, count, run, store, write};
use crate::manifest::Manifest;
use crate::{Store, layout, publish};
use model::tables::Table;
use std::fs;

const STATE: &str = "SELECT (SELECT count(*) FROM findings) AS findings, \
                     (SELECT count(*) FROM signals) AS signals, \
                     (SELECT max(revision) FROM findings) AS revision, \
                     (SELECT count(*) FROM windows) AS windows";

/// A replay of run `a` with other rows, stopped after that many steps; says whether all were taken.
async fn replay(store: &Store, steps_max: usize) -> bool {
    let mut writer = store.writer(&run("a"));
    writer.findings(&[finding(1, 9), finding(2, 9)]).await.unwrap();
    writer.write(Table::Signals, rows(Table::Signals, 0, 10)).await.unwrap();
    writer.write(Table::Windows, rows(Table::Windows, 0, 20)).await.unwrap();
    let staged = writer.finish().await.unwrap();
    let steps = publish::plan(store.dir(), &run("a"), &staged).unwrap();
    steps.iter().take(steps_max).for_each(|step| step.take(store.dir()).unwrap());
    steps_max >= steps.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_step_leaves_the_old_or_the_new_state() {
    let (old, new) = ("8 8 1 0", "7 15 9 20");
    let mut seen = Vec::new();
    for crash_after in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path()).await;
        write(&store, &run("a"), 3, 1).await.unwrap();
        write(&store, &run("b"), 5, 1).await.unwrap();
        let done = replay(&store, crash_after).await;
        let reader = Store::open(dir.path()).await.unwrap();
        let state = answer(&reader, STATE).await;
        assert!(state == old || state == new, "after {crash_after} steps: {state}");
        seen.push(state);

        // Whatever was left behind, the next commit removes it.
        write(&reader, &run("c"), 1, 1).await.unwrap();
        let manifest = Manifest::read(dir.path()).unwrap().unwrap();
        let listed: usize = Table::ALL.iter().map(|table| manifest.files(*table).count()).sum();
        let left = files(dir.path());
        assert_eq!(left.len(), listed + 4, "manifest, key, two locks: {:?}", left.keys());
        // And the replay can be done again.
        assert!(replay(&reader, usize::MAX).await);
        assert_eq!(answer(&reader, STATE).await, "8 16 9 20", "after {crash_after} steps");
        if done {
            break;
        }
    }
    let first_new = seen.iter().position(|state| state == new).unwrap();
    assert!(first_new > 3 && seen[first_new..].iter().all(|state| state == new), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_writer_leaves_nothing_visible() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    write(&store, &run("a"), 3, 1).await.unwrap();
    let before = files(dir.path());
    let mut writer = store.writer(&run("a"));
    // More than a row group, so that a file is open.
    writer.write(Table::Signals, rows(Table::Signals, 0, 100_000)).await.unwrap();
    writer.finish().await.unwrap();
    assert!(dir.path().join(layout::STAGING).is_dir());
    drop(writer);
    assert_eq!(count(&store, "signals").await, 3);
    write(&store, &run("a"), 3, 1).await.unwrap();
    assert!(files(dir.path()) == before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_written_manifest_is_not_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    write(&store, &run("a"), 3, 1).await.unwrap();
    fs::write(dir.path().join(layout::MANIFEST_NEW), "{\"version\": 1, \"ru").unwrap();
    assert_eq!(count(&Store::open(dir.path()).await.unwrap(), "findings").await, 3);
    write(&store, &run("b"), 3, 1).await.unwrap();
    assert_eq!(count(&store, "findings").await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_not_ours_are_neither_read_nor_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    write(&store, &run("a"), 3, 1).await.unwrap();
    let theirs = dir.path().join("findings/notes.parquet");
    fs::write(&theirs, "not Parquet").unwrap();
    write(&store, &run("b"), 3, 1).await.unwrap();
    assert_eq!(count(&store, "findings").await, 6);
    assert!(theirs.is_file());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_reader_needs_is_removed_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    write(&store, &run("a"), 3, 1).await.unwrap();
    let (manifest, reading) = store.visible().await.unwrap();
    write(&store, &run("a"), 3, 2).await.unwrap();
    manifest.check_files(dir.path()).unwrap();
    drop(reading);
    write(&store, &run("b"), 3, 1).await.unwrap();
    assert!(manifest.check_files(dir.path()).is_err());
    assert_eq!(answer(&store, "SELECT DISTINCT revision FROM findings ORDER BY 1").await, "1\n2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_never_sees_half_of_a_replay() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    write(&store, &run("a"), 1, 1).await.unwrap();
    let path = dir.path().to_owned();
    let writing = tokio::spawn(async move {
        let store = super::store(&path).await;
        for round in 0..30 {
            write(&store, &run("a"), 1 + round % 5, 1).await.unwrap();
        }
    });
    while !writing.is_finished() {
        // Sums, since counts alone need no file.
        let sql =
            "SELECT sum(history_n) = 9000 * (SELECT count(entity) FROM signals) FROM findings";
        assert_eq!(answer(&store, sql).await, "true");
    }
    writing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_lost_or_damaged_is_an_error_and_never_a_shorter_answer() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    write(&store, &run("a"), 3, 1).await.unwrap();
    write(&store, &run("b"), 3, 1).await.unwrap();
    let path = fs::read_dir(dir.path().join("findings")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&path).unwrap();
    for bytes in [&whole[..whole.len() / 2], b""] {
        fs::write(&path, bytes).unwrap();
        let fresh = Store::open(dir.path()).await.unwrap();
        let error = fresh.query("SELECT sum(score) FROM findings").await.unwrap_err().to_string();
        assert!(error.contains("damaged") && error.contains("bytes instead of"), "{error}");
    }
    fs::remove_file(&path).unwrap();
    let fresh = Store::open(dir.path()).await.unwrap();
    let error = fresh.query("SELECT sum(score) FROM findings").await.unwrap_err().to_string();
    assert!(error.contains("damaged (missing)") && error.contains(".parquet"), "{error}");
    write(&store, &run("a"), 3, 1).await.unwrap();
    write(&store, &run("b"), 3, 1).await.unwrap();
    assert_eq!(answer(&store, "SELECT sum(score) FROM findings").await, "6012.0", "healed");
}

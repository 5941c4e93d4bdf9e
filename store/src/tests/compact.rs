//! Compaction: no view changes, no crash loses anything, and what is too old goes in time.

use super::sample::{finding, rows};
use super::{answer, count, run, store, write};
use crate::compact::{EPOCHS_OPEN, Prepared, publish};
use crate::manifest::Manifest;
use crate::{Keep, Question, Reader, RunId, Store};
use arrow::array::{ArrayRef, AsArray as _, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::Int64Type;
use model::tables::Table;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Everything that the views say, to the byte.
async fn views(store: &Store) -> String {
    let mut all = String::new();
    for (view, order) in [("findings_current", " ORDER BY finding_id"), ("identity_timeline", "")] {
        all += &answer(store, &format!("SELECT * FROM {view}{order}")).await;
        all.push('\n');
    }
    all
}

/// An epoch with two findings, one of them revised in every epoch, and rows of each table.
async fn epoch(store: &Store, group: &str, number: u64) {
    let mut writer = store.writer(&RunId::epoch(group, number)).patient();
    writer.findings(&[finding(1, number), finding(number as u32 + 10, 1)]).await.unwrap();
    let from = number as usize * 20;
    for table in [Table::Signals, Table::Windows] {
        // A part of the rows was written before, as after a crash.
        writer.write(table, rows(table, from.saturating_sub(5), from + 20)).await.unwrap();
    }
    for table in [Table::Identities, Table::Endpoints] {
        writer.write(table, rows(table, 0, 30 + from)).await.unwrap();
    }
    writer.commit().await.unwrap();
}

async fn epochs(store: &Store, group: &str, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        epoch(store, group, number).await;
    }
}

/// An epoch that makes those long before it settled.
async fn settle(store: &Store, group: &str, number: u64) {
    epoch(store, group, number + EPOCHS_OPEN).await;
}

/// The time of the files, a moment from now.
pub(super) fn soon() -> SystemTime {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().metadata().unwrap().modified().unwrap() + Duration::from_mins(1)
}

fn runs(dir: &Path) -> usize {
    Manifest::read(dir).unwrap().unwrap().names().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_view_changes_and_files_become_few() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    write(&store, &run("replay"), 5, 1).await.unwrap();
    epochs(&store, "one", 1..=20).await;
    epochs(&store, "two", 1..=3).await;
    settle(&store, "one", 20).await;
    let before = views(&store).await;
    let done = store.compact(Keep::default(), soon(), false).await.unwrap();
    assert_eq!((done.merged, done.expired), (20, 0));
    assert_eq!(views(&store).await, before);
    // The merged, the one that is open, three of the other group, and the replay's.
    assert_eq!(runs(dir.path()), 6);
    // Only the newest revision is kept of the settled, and of equal rows one.
    let sql = "SELECT count(*) FROM findings WHERE finding_id LIKE '00000001-%'";
    assert_eq!(answer(&store, sql).await, "6", "the replay's, group two's, the merged, the last");
    let manifest = Manifest::read(dir.path()).unwrap().unwrap();
    let merged = RunId::merged(&group("one"), 1, 20).unwrap();
    let files = manifest.run(&merged);
    assert_eq!(files["windows"][0].rows, 405, "rows 15 to 419, once each");
    let again = store.compact(Keep::default(), soon(), false).await.unwrap();
    assert!(again.is_nothing(), "{again:?}");
    // Readers find a table in the order of time.
    let sql = "SELECT window_start FROM windows LIMIT 1";
    assert!(answer(&store, sql).await.starts_with("2026-03-01T10:00:00"));
}

fn group(name: &str) -> String {
    let span = crate::layout::Span::of(RunId::epoch(name, 0).as_str());
    span.unwrap().group
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_that_may_come_again_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    epochs(&store, "one", 1..=40).await;
    assert!(store.compact(Keep::default(), soon(), true).await.unwrap().is_nothing());
    assert_eq!(store.last_epoch("one").await.unwrap(), 40);
    assert_eq!(store.last_epoch("other").await.unwrap(), 0);
    settle(&store, "one", 20).await;
    assert_eq!(store.compact(Keep::default(), soon(), true).await.unwrap().merged, 20);
    let before = (views(&store).await, count(&store, "windows").await);
    // The last ones are judged again after a crash, and written again.
    epochs(&store, "one", 38..=40).await;
    assert_eq!((views(&store).await, count(&store, "windows").await), before);
    assert_eq!(store.last_epoch("one").await.unwrap(), 20 + EPOCHS_OPEN);
    // Even one that was merged already changes no view, and is merged away.
    epoch(&store, "one", 7).await;
    assert_eq!(views(&store).await, before.0);
    while !store.compact(Keep::default(), soon(), true).await.unwrap().is_nothing() {}
    assert_eq!((views(&store).await, count(&store, "windows").await), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_step_of_a_compaction_leaves_one_state() {
    let made = tempfile::tempdir().unwrap();
    let whole = store(made.path()).await;
    epochs(&whole, "one", 1..=9).await;
    settle(&whole, "one", 9).await;
    let before = views(&whole).await;
    for crash_after in 0.. {
        let Prepared { plan, writer, staged } =
            whole.prepare(Keep::default(), soon(), true).await.unwrap().unwrap();
        // Nothing is taken of the store itself: the steps are those for a copy.
        let dir = tempfile::tempdir().unwrap();
        copy(made.path(), dir.path());
        let staged: Vec<_> = staged
            .into_iter()
            .map(|mut it| {
                it.path = dir
                    .path()
                    .join(it.path.strip_prefix(made.path().canonicalize().unwrap()).unwrap());
                it
            })
            .collect();
        let steps = publish(dir.path(), &plan, &staged).unwrap();
        drop(writer);
        steps.iter().take(crash_after).for_each(|step| step.take(dir.path()).unwrap());
        let reader = Store::open(dir.path()).await.unwrap();
        assert_eq!(views(&reader).await, before, "after {crash_after} steps");
        // It can be done again, and the next commit removes what was left.
        while !reader.compact(Keep::default(), soon(), true).await.unwrap().is_nothing() {}
        epoch(&reader, "one", 9 + EPOCHS_OPEN).await;
        assert_eq!(views(&reader).await, before, "after {crash_after} steps and again");
        assert_eq!(runs(dir.path()), 2);
        let manifest = Manifest::read(dir.path()).unwrap().unwrap();
        // Nobody was forgotten or said anything.
        for table in Table::ALL.into_iter().filter(|it| !it.is_by_people()) {
            let there = std::fs::read_dir(dir.path().join(table.as_str()));
            // A table of which no epoch had rows has no folder.
            let there = there.map_or(0, Iterator::count);
            assert_eq!(there, manifest.files(table).count(), "{}", table.as_str());
        }
        if crash_after >= steps.len() {
            break;
        }
    }
}

/// The state of one identity that was seen last long ago, as it was stated in that hour.
fn state(hour: i64, group: i64) -> RecordBatch {
    let batch = rows(Table::Identities, 0, 1);
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| -> ArrayRef {
        match field.name().as_str() {
            "stated_at" => {
                let at = vec![1_772_359_200_000_000 + hour * 3_600_000_000];
                Arc::new(TimestampMicrosecondArray::from(at).with_timezone("UTC"))
            }
            "peer_group" => Arc::new(Int64Array::from(vec![group])),
            _ => Arc::clone(column),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

/// The peer group that the identity's profile says.
async fn group_of(store: &Store, who: &str) -> i64 {
    let reader = Reader::Directory(store.clone());
    let asked = reader.ask(Question::Profile, vec![("principal_id", who.into())]).await;
    let (_, batches) = asked.unwrap();
    let all: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(all, 1, "{who}");
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).unwrap();
    batch.column_by_name("peer_group").unwrap().as_primitive::<Int64Type>().value(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_who_is_silent_the_state_counts_that_was_stated_last() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    // The latest is neither the first nor the last one written, and has no larger group.
    for (number, hour, group) in [(1, 2, 3), (2, 3, 1), (3, 1, 7)] {
        let mut writer = store.writer(&RunId::epoch("one", number)).patient();
        writer.write(Table::Identities, state(hour, group)).await.unwrap();
        writer.commit().await.unwrap();
    }
    settle(&store, "one", 3).await;
    let who = "value 0 of column 1";
    assert_eq!(group_of(&store, who).await, 1);
    while !store.compact(Keep::default(), soon(), true).await.unwrap().is_nothing() {}
    let sql = format!("SELECT count(*) FROM identities WHERE principal_id = '{who}'");
    assert_eq!(answer(&store, &sql).await, "2", "the merged, and that of the epoch that is open");
    assert_eq!(group_of(&store, who).await, 1);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|it| (it.path(), it.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_and_an_epoch_during_a_compaction_are_not_disturbed() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    epochs(&store, "one", 1..=12).await;
    settle(&store, "one", 12).await;
    let sql = "SELECT count(DISTINCT finding_id), max(revision) FROM findings";
    let before = answer(&store, sql).await;
    let background = store.clone();
    let compacting =
        tokio::spawn(async move { background.compact(Keep::default(), soon(), false).await });
    let mut asked = 0;
    while !compacting.is_finished() || asked == 0 {
        assert_eq!(answer(&store, sql).await, before);
        write(&store, &run("other"), 1, 1).await.ok();
        asked += 1;
    }
    assert_eq!(compacting.await.unwrap().unwrap().merged, 12);
    assert_eq!(answer(&store, sql).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_go_so_many_days_after_they_were_written_however_old_the_log_is() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    // The rows are of a log from the past: that does not count.
    write(&store, &run("replay"), 3, 1).await.unwrap();
    epochs(&store, "one", 1..=3).await;
    let keep = Keep { signals_days: 30, findings_days: 0, ..Keep::default() };
    assert!(store.compact(keep, soon(), false).await.unwrap().is_nothing());
    let later = |days: u64| soon() + Duration::from_secs(days * 86_400);
    let done = store.compact(keep, later(31), false).await.unwrap();
    assert_eq!(done.expired, 4);
    assert_eq!(count(&store, "signals").await, 0);
    assert!(count(&store, "windows").await > 0);
    store.compact(keep, later(401), false).await.unwrap();
    assert_eq!(count(&store, "windows").await, 0);
    assert!(count(&store, "findings").await > 0, "0 days are for ever");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_about_the_pipeline_are_merged_and_stay_thirty_days() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let table = Table::PipelineHealth;
    for number in 1..=8 {
        let mut writer = store.writer(&RunId::epoch("one", number)).patient();
        let from = number as usize * 5;
        writer.write(table, rows(table, from, from + 5)).await.unwrap();
        writer.commit().await.unwrap();
    }
    settle(&store, "one", 8).await;
    let all = "SELECT count(*), max(\"offset\"), max(partition) FROM pipeline_health";
    let before = answer(&store, all).await;
    let keep = Keep { findings_days: 0, windows_days: 0, ..Keep::default() };
    assert_eq!(store.compact(keep, soon(), false).await.unwrap().merged, 8);
    assert_eq!(answer(&store, all).await, before);
    assert!(before.starts_with("40 "), "{before}");
    let later = soon() + Duration::from_hours(31 * 24);
    assert_eq!(store.compact(keep, later, false).await.unwrap().expired, 1);
    assert_eq!(count(&store, "pipeline_health").await, 0);
    assert!(count(&store, "windows").await > 0);
}

#[test]
fn both_stores_keep_rows_as_long() {
    let keep = Keep::default();
    for (text, days) in [
        (include_str!("../../migrations/0002_findings.sql"), keep.findings_days),
        (include_str!("../../migrations/0011_incidents.sql"), keep.findings_days),
        (include_str!("../../migrations/0003_signals.sql"), keep.signals_days),
        (include_str!("../../migrations/0004_windows.sql"), keep.windows_days),
        (include_str!("../../migrations/0005_identities.sql"), keep.states_days),
        (include_str!("../../migrations/0006_endpoints.sql"), keep.states_days),
        (
            include_str!("../../migrations/0009_pipeline_health.sql"),
            keep.days(Table::PipelineHealth),
        ),
    ] {
        assert!(text.contains(&format!("TTL written_at + INTERVAL {days} DAY\n")), "{text}");
    }
}

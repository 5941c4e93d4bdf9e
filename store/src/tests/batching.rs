//! However rows are batched, and however often they are written: the same bytes.

use super::sample::{finding, rows};
use super::{run, store};
use model::tables::Table;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tokio::runtime::Runtime;

/// Rows of the test's table: more than one row group of each.
const ROWS: usize = 70_000;
const FINDINGS: usize = 4_200;

/// Every file below `dir` with its content.
pub(crate) fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The store's files after a run whose signals came in batches of those sizes, over and over.
fn written(runtime: &Runtime, sizes: &[usize]) -> BTreeMap<String, Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    runtime.block_on(async {
        let store = store(dir.path()).await;
        let mut writer = store.writer(&run("a"));
        let all = rows(Table::Signals, 0, ROWS);
        let findings: Vec<_> = (0..FINDINGS as u32).map(|it| finding(it, 1)).collect();
        let mut sizes = sizes.iter().cycle();
        let (mut row, mut number) = (0, 0);
        while row < ROWS || number < FINDINGS {
            let size = *sizes.next().unwrap();
            let end = (row + size).min(ROWS);
            writer.write(Table::Signals, all.slice(row, end - row)).await.unwrap();
            row = end;
            let end = (number + size).min(FINDINGS);
            writer.findings(&findings[number..end]).await.unwrap();
            number = end;
        }
        let written = writer.commit().await.unwrap();
        assert_eq!(written.of(Table::Signals).rows, ROWS as u64);
        assert_eq!(written.of(Table::Findings).rows, FINDINGS as u64);
    });
    files(dir.path())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_batching_gives_the_same_bytes(
        sizes in prop::collection::vec(prop_oneof![0..20_usize, 300..3_000_usize, 60_000..80_000_usize], 1..6)
            .prop_filter("some rows", |sizes| sizes.iter().sum::<usize>() >= 200)
    ) {
        let runtime = Runtime::new().unwrap();
        let expected = written(&runtime, &[usize::MAX / 2]);
        let found = written(&runtime, &sizes);
        prop_assert!(found == expected, "batches of {sizes:?}: {:?}", found.keys());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_leaves_every_byte_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    super::write(&store, &run("a"), 50, 1).await.unwrap();
    super::write(&store, &run("b"), 20, 1).await.unwrap();
    let before = files(dir.path());
    super::write(&store, &run("a"), 50, 1).await.unwrap();
    assert!(files(dir.path()) == before);
    assert!(before.keys().all(|name| !name.contains("staging")), "{:?}", before.keys());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_run_is_many_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    let mut writer = store.writer(&run("a"));
    let batch = rows(Table::Endpoints, 0, 100_000);
    for _ in 0..11 {
        writer.write(Table::Endpoints, batch.clone()).await.unwrap();
    }
    let written = writer.commit().await.unwrap().of(Table::Endpoints);
    assert_eq!((written.rows, written.files), (1_100_000, 2));
    assert_eq!(super::count(&store, "endpoints").await, 1_100_000);
}

//! Creating and opening: what is there is kept, and what cannot work says so.

use super::{KEY, count, run, store, write};
use crate::Store;
use std::fs;

#[tokio::test]
async fn a_store_keeps_its_key_and_its_rows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/store");
    write(&store(&path).await, &run("a"), 2, 1).await.unwrap();
    let again = Store::create(&path, None, [9; 32]).await.unwrap();
    assert_eq!(again.key(), KEY);
    let opened = Store::open(&path).await.unwrap();
    assert_eq!(opened.key(), KEY);
    assert_eq!(count(&opened, "findings").await, 2);
    // Not a lone digit: the directory's random name may hold one.
    assert!(!format!("{opened:?}").contains("7, 7"), "the key is not printed");
}

#[tokio::test]
async fn a_commit_changes_the_mark_and_a_question_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let made = store(dir.path()).await;
    let empty = made.mark().unwrap();
    write(&made, &run("a"), 2, 1).await.unwrap();
    let filled = made.mark().unwrap();
    assert_ne!(filled, empty);
    assert_eq!(count(&made, "findings").await, 2);
    assert_eq!(made.mark().unwrap(), filled);
}

#[tokio::test]
async fn a_given_key_is_kept_and_no_other_is_taken_later() {
    let dir = tempfile::tempdir().unwrap();
    let made = Store::create(dir.path(), Some([3; 32]), KEY).await.unwrap();
    assert_eq!(made.key(), [3; 32]);
    assert!(Store::create(dir.path(), Some([3; 32]), KEY).await.is_ok());
    let error = Store::create(dir.path(), Some([4; 32]), KEY).await.unwrap_err().to_string();
    assert!(error.contains("another fingerprint key"), "{error}");
}

#[tokio::test]
async fn opening_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent");
    let error = Store::open(&absent).await.unwrap_err().to_string();
    assert!(error.contains("absent") && error.contains("`habitus replay`"), "{error}");
    assert!(Store::open(dir.path()).await.unwrap_err().to_string().contains("no store in"));
    let file = dir.path().join("file");
    fs::write(&file, "text").unwrap();
    for error in [Store::open(&file).await, Store::create(&file, None, KEY).await] {
        assert!(error.unwrap_err().to_string().contains("is not a directory"));
    }
    let below = Store::create(&file.join("below"), None, KEY).await.unwrap_err().to_string();
    assert!(below.contains("below"), "{below}");
}

#[tokio::test]
async fn a_store_that_lost_a_part_is_not_taken_for_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    write(&store(dir.path()).await, &run("a"), 2, 1).await.unwrap();
    let manifest = dir.path().join(crate::layout::MANIFEST);
    let text = fs::read(&manifest).unwrap();
    fs::remove_file(&manifest).unwrap();
    let error = Store::create(dir.path(), None, KEY).await.unwrap_err().to_string();
    assert!(error.contains("holds tables but no habitus-store.json"), "{error}");
    assert!(Store::open(dir.path()).await.is_err());

    fs::write(&manifest, &text).unwrap();
    fs::remove_file(dir.path().join(crate::layout::KEY)).unwrap();
    for lost in [Store::open(dir.path()).await, Store::create(dir.path(), None, KEY).await] {
        assert!(lost.unwrap_err().to_string().contains("damaged (missing)"));
    }
    fs::write(&manifest, "{\"version\": 7}").unwrap();
    let newer = Store::open(dir.path()).await.unwrap_err().to_string();
    assert!(newer.contains("version 7") && newer.contains("update habitus"), "{newer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_who_create_at_once_agree_on_the_key() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let tasks = (0..4_u8).map(|it| Store::create(dir.path(), None, [it; 32]));
        let stores = futures::future::join_all(tasks).await;
        let keys: Vec<_> = stores.into_iter().map(|store| store.unwrap().key()).collect();
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }
}

//! Forgetting: nobody of that name is left, everybody else is, and a crash changes neither.

use super::batching::files;
use super::sample::{finding, rows};
use super::{answer, count, run, store};
use crate::manifest::Manifest;
use crate::{Forgetting, Store, layout};
use model::tables::Table;
use model::{Finding, Time};
use std::fs;

/// The time of an audit: 2026-03-02T10:00:00Z.
const AT: Time = Time::from_ns(1_772_445_600_000_000_000);
const STATE: &str = "SELECT (SELECT count(*) FROM findings) AS findings, \
                     (SELECT count(*) FROM windows) AS windows, \
                     (SELECT count(*) FROM audit) AS audit";

fn who() -> Forgetting {
    Forgetting {
        id: "ann".to_owned(),
        name: Some("Ann Lee".to_owned()),
        at: AT,
        actor: "root".to_owned(),
        result: "done",
    }
}

/// Two findings of her, one of an address that names her, one of a namesake's beginning.
fn findings() -> Vec<Finding> {
    let of = |number, id: &str, sentence: &str| {
        let (principal_id, sentence) = (Some(id.to_owned()), sentence.to_owned());
        Finding { principal_id, sentence, ..finding(number, 1) }
    };
    let mut named = of(3, "203.0.113.7", "it failed 40 times, 1 followed, as Ann Lee.");
    named.evidence[0].request = "GET /users/ann".to_owned();
    named.evidence[0].agent = Some("ann".to_owned());
    named.contributors[0].name = "claimed ann".to_owned();
    vec![of(1, "ann", "she did"), of(2, "ann", "she did again"), named, of(4, "annex", "it did")]
}

async fn fill(store: &Store, is_with: bool) {
    for name in ["a", "b"] {
        let mut writer = store.writer(&run(name));
        let mut all = findings();
        if !is_with {
            all.retain(|it| it.principal_id.as_deref() != Some("ann"));
            all[0].sentence = "it failed 40 times, 1 followed, as [forgotten].".to_owned();
            all[0].evidence[0].request = "GET /users/[forgotten]".to_owned();
            all[0].evidence[0].agent = Some("[forgotten]".to_owned());
            all[0].contributors[0].name = "claimed [forgotten]".to_owned();
        }
        writer.findings(&all).await.unwrap();
        writer.write(Table::Windows, rows(Table::Windows, 0, 50)).await.unwrap();
        writer.commit().await.unwrap();
    }
}

/// Every row of every table as text.
async fn everything(store: &Store) -> String {
    let mut all = String::new();
    for table in Table::ALL {
        all += &answer(store, &format!("SELECT * FROM {}", table.as_str())).await;
        all.push('\n');
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_is_what_would_be_there_without_her() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, without) = (store(dir.path()).await, store(other.path()).await);
    fill(&store, true).await;
    fill(&without, false).await;
    let counted = store.count_forgotten(&who()).await.unwrap();
    let before = files(dir.path());
    assert_eq!(count(&store, "findings").await, 8, "counting changes nothing");
    let erased = store.forget(&who()).await.unwrap();
    assert_eq!(erased, counted);
    assert_eq!((erased[0].table, erased[0].removed, erased[0].changed), ("findings", 4, 2));
    assert!(erased.iter().skip(1).all(|it| it.removed + it.changed + it.left == 0), "{erased:?}");
    let ours: Vec<_> = files(dir.path()).into_keys().filter(|it| it.contains("parquet")).collect();
    let theirs = files(other.path()).into_keys().filter(|it| it.contains("parquet"));
    let ours: Vec<_> = ours.into_iter().filter(|it| !it.contains("audit")).collect();
    assert_eq!(ours, theirs.collect::<Vec<_>>(), "the same rows have the same files");
    assert!(before.keys().any(|it| it.contains("windows") && ours.contains(it)), "untouched");
    let left = everything(&store).await;
    let named = |word: &str| left.split(|c: char| !c.is_alphanumeric()).any(|it| it == word);
    assert!(!named("ann") && !named("Ann") && named("annex"), "{left}");
    let audit = "SELECT action, actor, rows_removed, rows_changed, result, fingerprint FROM audit";
    let print = crate::fingerprint(&store.key(), "ann");
    assert_eq!(answer(&store, audit).await, format!("forget root 4 2 done {print}"));
    let again = Forgetting { at: AT.plus(1_000_000), ..who() };
    let none = store.forget(&again).await.unwrap();
    assert!(none.iter().all(|it| it.removed + it.changed == 0));
    assert_eq!(count(&store, "audit").await, 2, "each time is written down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_step_of_forgetting_leaves_the_old_or_the_new_state() {
    let (old, new) = ("8 100 0", "4 100 1");
    let mut seen = Vec::new();
    for crash_after in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path()).await;
        fill(&store, true).await;
        let plan = store.plan_to_forget(&who()).await.unwrap();
        plan.steps.iter().take(crash_after).for_each(|step| step.take(dir.path()).unwrap());
        let done = crash_after >= plan.steps.len();
        drop(plan);
        let reader = Store::open(dir.path()).await.unwrap();
        let state = answer(&reader, STATE).await;
        assert!(state == old || state == new, "after {crash_after} steps: {state}");
        seen.push(state.clone());
        // Whoever starts again first removes what was left behind.
        reader.sweep().await.unwrap();
        assert_eq!(answer(&reader, STATE).await, state);
        reader.forget(&who()).await.unwrap();
        assert_eq!(answer(&reader, STATE).await, new, "the same moment is one row");
        let manifest = Manifest::read(dir.path()).unwrap().unwrap();
        let listed: usize = Table::ALL.iter().map(|table| manifest.files(*table).count()).sum();
        let left = files(dir.path());
        assert_eq!(left.len(), listed + 4, "manifest, key, two locks: {:?}", left.keys());
        assert!(!dir.path().join(layout::STAGING).exists());
        if done {
            break;
        }
    }
    let first_new = seen.iter().position(|state| state == new).unwrap();
    assert!(first_new > 3 && seen[first_new..].iter().all(|state| state == new), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_is_waited_for_before_old_files_go() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    fill(&store, true).await;
    let (manifest, reading) = store.visible().await.unwrap();
    let forgetting = tokio::spawn({
        let store = store.clone();
        async move { store.forget(&who()).await }
    });
    while count(&store, "findings").await == 8 {}
    manifest.check_files(dir.path()).unwrap();
    assert!(!forgetting.is_finished());
    drop(reading);
    forgetting.await.unwrap().unwrap();
    assert!(manifest.check_files(dir.path()).is_err());
    assert!(fs::read_dir(dir.path().join("findings")).unwrap().count() == 2);
}

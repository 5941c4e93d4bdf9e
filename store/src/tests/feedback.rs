//! Feedback: what it covers, for how long, and what of it a forgetting leaves.

use super::compact::soon;
use super::sample::finding;
use super::{answer, count, run, store};
use crate::compact::Keep;
use crate::{EPOCHS_OPEN, Feedback, Forgetting, RunId, Scope, Store, Verdict};
use model::time::NS_PER_D;
use model::{Detector, Finding, Time};

/// When it is said: 2026-03-02T10:00:00Z.
const AT: Time = Time::from_ns(1_772_445_600_000_000_000);
const HIDDEN: &str = "SELECT sentence FROM findings_current WHERE suppressed_by IS NOT NULL \
                      ORDER BY sentence";

/// Findings of two detectors about two identities, and one about none.
fn findings() -> Vec<Finding> {
    let of = |number, detector: Detector, id: Option<&str>, entity: &str| Finding {
        detector: detector.into(),
        principal_id: id.map(str::to_owned),
        entity: entity.to_owned(),
        sentence: format!("finding {number}"),
        ..finding(number, 1)
    };
    let (egress, writes) = (Detector::EgressSpike, Detector::WriteBurst);
    vec![
        of(1, egress, Some("ann"), "GET /export"),
        of(2, egress, Some("ann"), "GET /other"),
        of(3, egress, Some("bob"), "GET /export"),
        of(4, writes, Some("ann"), "GET /export"),
        of(5, egress, None, "GET /export"),
    ]
}

async fn filled(dir: &std::path::Path) -> Store {
    let store = store(dir).await;
    let mut writer = store.writer(&run("a"));
    writer.findings(&findings()).await.unwrap();
    writer.commit().await.unwrap();
    store
}

/// What is said of a finding with a scope, some seconds after `AT`.
fn said(number: usize, verdict: Verdict, scope: Scope, after_s: i64) -> Feedback {
    let of = findings().swap_remove(number - 1);
    Feedback {
        given_at: AT.plus(after_s * 1_000_000_000),
        given_by: "ops".to_owned(),
        finding_id: of.id.to_string(),
        tenant_id: of.tenant_id,
        verdict,
        reason: "it is meant to be".to_owned(),
        scope,
        detector: of.detector.as_str().to_owned(),
        principal_id: of.principal_id.filter(|_| scope.has_principal()),
        entity: scope.has_entity().then_some(of.entity),
        until: None,
        withdraws: None,
    }
}

/// The numbers of the findings that are left out.
async fn hidden(store: &Store) -> String {
    answer(store, HIDDEN).await.replace("finding ", "").replace('\n', " ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_covers_what_its_name_says() {
    for (number, scope, covered) in [
        (1, Scope::Finding, "1"),
        (1, Scope::Pattern, "1"),
        (1, Scope::Identity, "1 2"),
        (1, Scope::Entity, "1 3 5"),
        (1, Scope::Detector, "1 2 3 5"),
        (4, Scope::Detector, "4"),
        (5, Scope::Pattern, "5"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let store = filled(dir.path()).await;
        assert_eq!(hidden(&store).await, "");
        let (unsaid, _) = store.query("SELECT * FROM findings_current").await.unwrap();
        store.give(&[said(number, Verdict::Malicious, scope, 0)]).await.unwrap();
        assert_eq!(hidden(&store).await, "", "malicious leaves nothing out");
        let (given, _) = store.query("SELECT * FROM findings_current").await.unwrap();
        assert_eq!(unsaid, given, "columns are the same before and after");
        store.give(&[said(number, Verdict::Benign, scope, 1)]).await.unwrap();
        assert_eq!(hidden(&store).await, covered, "{number} {scope:?}");
        assert_eq!(count(&store, "findings_current").await, 5);
        assert_eq!(answer(&store, "SELECT count(*) FROM audit").await, "2");
        // Of another tenant nothing is covered; of this one, what comes later and is alike.
        let mut writer = store.writer(&run("b"));
        let later = |place: u32, tenant: &str| Finding {
            tenant_id: tenant.to_owned(),
            sentence: format!("{tenant} {place}"),
            id: finding(10 + place + 10 * u32::from(tenant == "other"), 1).id,
            ..findings().swap_remove(place as usize - 1)
        };
        let more: Vec<_> =
            (1..=5).flat_map(|it| [later(it, "default"), later(it, "other")]).collect();
        writer.findings(&more).await.unwrap();
        writer.commit().await.unwrap();
        let now = hidden(&store).await;
        assert!(!now.contains("other"), "{now}");
        let expected = if scope == Scope::Finding { 1 } else { 2 * covered.split(' ').count() };
        assert_eq!(
            count(&store, "findings_current WHERE suppressed_by IS NOT NULL").await,
            expected
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_narrowest_counts_and_of_one_scope_the_latest() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    store.give(&[said(3, Verdict::Malicious, Scope::Pattern, 0)]).await.unwrap();
    store.give(&[said(1, Verdict::Benign, Scope::Detector, 9)]).await.unwrap();
    assert_eq!(hidden(&store).await, "1 2 5", "a wide one does not hide what is malicious");
    store.give(&[said(3, Verdict::Benign, Scope::Pattern, 10)]).await.unwrap();
    assert_eq!(hidden(&store).await, "1 2 3 5");
    store.give(&[said(3, Verdict::Malicious, Scope::Finding, 5)]).await.unwrap();
    let verdicts = "SELECT verdict FROM findings_current ORDER BY sentence";
    let expected = "benign\nbenign\nmalicious\nNULL\nbenign";
    assert_eq!(answer(&store, verdicts).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_ends_when_it_is_over_and_when_it_is_withdrawn() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let mut over = said(1, Verdict::Benign, Scope::Identity, 0);
    over.until = Some(AT.plus(NS_PER_D));
    let mut lasting = said(3, Verdict::Benign, Scope::Finding, 0);
    lasting.until = Some(Time::from_ns(i64::MAX / 2));
    store.give(&[over.clone(), lasting.clone()]).await.unwrap();
    assert_eq!(hidden(&store).await, "3", "the other ended long ago");
    let until = "SELECT suppressed_by, suppressed_until IS NULL FROM findings_current \
                 WHERE suppressed_by IS NOT NULL";
    assert_eq!(answer(&store, until).await, format!("{} false", lasting.id()));
    let back = Feedback {
        verdict: Verdict::Withdrawn,
        withdraws: Some(lasting.id()),
        ..said(3, Verdict::Withdrawn, Scope::Finding, 7)
    };
    store.give(std::slice::from_ref(&back)).await.unwrap();
    assert_eq!(hidden(&store).await, "");
    store.give(&[back]).await.unwrap();
    assert_eq!(count(&store, "feedback").await, 3, "the same said again is one row");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgetting_takes_the_identity_out_and_leaves_what_is_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path()).await;
    let mut wide = said(1, Verdict::Benign, Scope::Entity, 0);
    wide.reason = "ann and bob export at night".to_owned();
    wide.given_by = "ann".to_owned();
    let own = [Scope::Finding, Scope::Pattern, Scope::Identity];
    let own = own.map(|scope| said(1, Verdict::Benign, scope, 1));
    store.give(&[&own[..], &[wide]].concat()).await.unwrap();
    let who = Forgetting {
        id: "ann".to_owned(),
        name: None,
        at: AT.plus(NS_PER_D),
        actor: "root".to_owned(),
        result: "done",
    };
    let counted = store.count_forgotten(&who).await.unwrap();
    let erased = store.forget(&who).await.unwrap();
    assert_eq!(erased, counted);
    let of = erased.iter().find(|it| it.table == "feedback").unwrap();
    assert_eq!((of.removed, of.changed), (3, 1));
    let left = "SELECT given_by, reason, entity, principal_id IS NULL FROM feedback";
    let expected = "[forgotten] [forgotten] and bob export at night GET /export true";
    assert_eq!(answer(&store, left).await, expected);
    assert_eq!(hidden(&store).await, "3 5", "it still holds for others");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compaction_neither_merges_nor_loses_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = store(dir.path()).await;
    for epoch in [0, 1, 2, 2 + EPOCHS_OPEN] {
        let mut writer = store.writer(&RunId::epoch("group", epoch));
        let all = findings();
        writer.findings(&all[epoch.min(3) as usize..=epoch.min(3) as usize]).await.unwrap();
        writer.commit().await.unwrap();
    }
    store.give(&[said(1, Verdict::Benign, Scope::Detector, 0)]).await.unwrap();
    let everything = "SELECT * FROM findings_current ORDER BY finding_id";
    let before = answer(&store, everything).await;
    let done = store.compact(Keep::default(), soon(), true).await.unwrap();
    assert!(done.merged > 1, "{done:?}");
    assert_eq!(answer(&store, everything).await, before);
    assert_eq!(hidden(&store).await, "1 2 3");
    assert_eq!(count(&store, "feedback").await, 1);
}

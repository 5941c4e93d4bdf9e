//! Chains of checkpoints: read back, damaged, lost and pruned.

use super::chain::KEPT;
use super::*;
use futures::TryStreamExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use std::collections::BTreeSet;
use std::sync::Arc;

fn head(epoch: u64) -> Head {
    let held = vec![(41, 0), (45, 2)];
    let place = Place { topic: "logs".to_owned(), next: Some(50), held, ..Place::default() };
    Head { epoch, places: vec![place], identities: 7, ..Head::default() }
}

/// Parts that do not shrink: what changes weighs a twentieth of the whole.
fn parts(epoch: u64, is_whole: bool) -> Vec<Vec<u8>> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&epoch.to_le_bytes());
    let mut bytes = vec![0; if is_whole { 100_000 } else { 5_000 }];
    hasher.finalize_xof().fill(&mut bytes);
    vec![bytes, Vec::new(), vec![3; 9]]
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A group with its checkpoints, and what each should hold.
struct Group {
    store: Arc<dyn ObjectStore>,
    checkpoints: Checkpoints,
    written: Vec<(Pointer, Vec<Vec<Vec<u8>>>)>,
}

impl Group {
    fn new() -> Self {
        let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
        let checkpoints = Checkpoints::new(Arc::clone(&store), "habitus");
        Self { store, checkpoints, written: Vec::new() }
    }

    async fn write(&mut self, epoch: u64) {
        let is_whole = self.checkpoints.is_whole_due();
        let raw = parts(epoch, is_whole);
        let packed: Vec<Part> = raw.iter().map(|part| pack(part).unwrap()).collect();
        let (pointer, _) = self.checkpoints.put(head(epoch), &packed).await.unwrap();
        let mut links = match self.written.last() {
            Some((_, links)) if !is_whole => links.clone(),
            _ => Vec::new(),
        };
        links.push(raw);
        self.written.push((pointer, links));
    }

    async fn keys(&self) -> BTreeSet<String> {
        let all: Vec<_> = self.store.list(None).try_collect().await.unwrap();
        all.into_iter().map(|object| object.location.to_string()).collect()
    }

    /// Which of what was written can be read, and is what was written.
    async fn readable(&self) -> Vec<usize> {
        let mut readable = Vec::new();
        for (number, (pointer, links)) in self.written.iter().enumerate() {
            match self.checkpoints.load(pointer).await {
                Ok(loaded) => {
                    assert_eq!(&loaded.links, links);
                    assert_eq!(loaded.head.epoch, number as u64 + 1);
                    readable.push(number);
                }
                Err(error) => assert!(error.is_loss(), "{error}"),
            }
        }
        readable
    }
}

#[test]
fn a_chain_is_one_whole_and_eight_changes() {
    block(async {
        let mut group = Group::new();
        for epoch in 1..=20 {
            group.write(epoch).await;
            let links = group.written.last().unwrap().1.len() as u64;
            assert_eq!(links, (epoch - 1) % 9 + 1, "epoch {epoch}");
        }
        assert_eq!(group.readable().await.len(), 20);
        let loaded = group.checkpoints.load(&group.written[12].0).await.unwrap();
        assert_eq!(
            loaded.head,
            Head { base: loaded.head.base.clone(), group: "habitus".to_owned(), ..head(13) }
        );
        // A new process begins a new chain, and does not build on what it did not write.
        group.checkpoints.forget();
        group.write(21).await;
        assert_eq!(group.written.last().unwrap().1.len(), 1);
    });
}

#[test]
fn changes_that_outweigh_the_whole_end_a_chain() {
    block(async {
        let mut group = Group::new();
        group.write(1).await;
        assert!(!group.checkpoints.is_whole_due());
        let heavy: Vec<Part> = parts(2, true).iter().map(|part| pack(part).unwrap()).collect();
        group.checkpoints.put(head(2), &heavy).await.unwrap();
        assert!(group.checkpoints.is_whole_due(), "one change as large as the whole");
    });
}

#[test]
fn the_last_checkpoints_keep_all_that_they_build_on() {
    block(async {
        let mut group = Group::new();
        for epoch in 1..=40 {
            group.write(epoch).await;
            group.checkpoints.prune().await.unwrap();
            let readable = group.readable().await;
            let count = group.written.len();
            let last: Vec<_> = (count.saturating_sub(KEPT)..count).collect();
            assert!(readable.ends_with(&last), "epoch {epoch}: {readable:?}");
            assert!(group.keys().await.len() <= 9 + KEPT, "epoch {epoch}");
        }
    });
}

#[test]
fn damage_to_any_object_costs_what_builds_on_it_alone() {
    block(async {
        let mut group = Group::new();
        for epoch in 1..=12 {
            group.write(epoch).await;
        }
        for hit in 0..12 {
            let path = Path::parse(&group.written[hit].0.key).unwrap();
            let bytes = group.store.get(&path).await.unwrap().bytes().await.unwrap();
            let mut flipped = bytes.to_vec();
            flipped[bytes.len() / 2] ^= 1;
            // Cut, flipped, empty, gone.
            let wrongs = [
                Some(bytes.slice(..bytes.len() - 1)),
                Some(flipped.into()),
                Some(Vec::new().into()),
                None,
            ];
            for wrong in wrongs {
                match wrong {
                    Some(wrong) => drop(group.store.put(&path, wrong.into()).await.unwrap()),
                    None => group.store.delete(&path).await.unwrap(),
                }
                let chain = if hit < 9 { 0..9 } else { 9..12 };
                let wanted: Vec<_> =
                    (0..12).filter(|it| !chain.contains(it) || *it < hit).collect();
                assert_eq!(group.readable().await, wanted, "object {hit}");
            }
            group.store.put(&path, bytes.into()).await.unwrap();
        }
    });
}

#[test]
fn a_branch_that_was_given_up_does_not_take_the_new_one_with_it() {
    block(async {
        let mut group = Group::new();
        for epoch in 1..=12 {
            group.write(epoch).await;
        }
        // The second chain is of no use: the service goes on after the first one's seventh.
        let mut again = Group {
            store: Arc::clone(&group.store),
            checkpoints: Checkpoints::new(Arc::clone(&group.store), "habitus"),
            written: group.written[..7].to_vec(),
        };
        for epoch in 8..=30 {
            again.write(epoch).await;
            again.checkpoints.prune().await.unwrap();
            let readable = again.readable().await;
            assert_eq!(readable.last(), Some(&(epoch as usize - 1)), "epoch {epoch}");
        }
        assert!(again.keys().await.len() <= 9 + KEPT, "the old branch is gone in the end");
    });
}

#[test]
fn an_object_of_another_name_is_left_alone() {
    block(async {
        let mut group = Group::new();
        let foreign = Path::from("state/habitus/notes.txt");
        group.store.put(&foreign, b"mine".to_vec().into()).await.unwrap();
        for epoch in 1..=30 {
            group.write(epoch).await;
            group.checkpoints.prune().await.unwrap();
        }
        assert!(group.keys().await.contains("state/habitus/notes.txt"));
        let name = Name { epoch: 3, first: 2, hash: "a".repeat(64) };
        assert_eq!(Name::read(&format!("state/x/{}", name.write())), Some(name.clone()));
        for other in ["", "3-2-a", "state/x", &Name { first: 4, ..name }.write()] {
            assert_eq!(Name::read(other), None, "{other}");
        }
    });
}

#[test]
fn other_versions_and_groups_are_refused_by_name() {
    block(async {
        let mut group = Group::new();
        group.write(1).await;
        let pointer = group.written[0].0.clone();
        let metadata = pointer.to_metadata();
        assert!(metadata.len() < 400, "{metadata}");
        assert_eq!(Pointer::from_metadata(&metadata).unwrap(), Some(pointer.clone()));
        for none in ["", "somebody else's", "habitus-v2|a", "habitus-v2|a|b|c"] {
            assert_eq!(Pointer::from_metadata(none).unwrap(), None, "{none}");
        }
        let error = Pointer::from_metadata("habitus-v3|a|b").unwrap_err();
        assert!(error.to_string().contains("version 3, this program writes 2"), "{error}");
        let other = Checkpoints::new(Arc::clone(&group.store), "others");
        let error = other.load(&pointer).await.unwrap_err().to_string();
        assert!(error.contains("of group habitus, not of others"), "{error}");
        // Another version's object, and another group's that was copied here.
        let path = Path::parse(&pointer.key).unwrap();
        let mut bytes = group.store.get(&path).await.unwrap().bytes().await.unwrap().to_vec();
        bytes[8] += 1;
        let newer = Pointer { hash: blake3::hash(&bytes).to_hex().to_string(), ..pointer.clone() };
        group.store.put(&path, bytes.clone().into()).await.unwrap();
        let error = group.checkpoints.load(&newer).await.unwrap_err();
        assert!(matches!(error, CheckpointError::Version { found: 3, .. }), "{error}");
        bytes[8] -= 1;
        let copied = Path::from("state/others/copy");
        group.store.put(&copied, bytes.into()).await.unwrap();
        let pointer = Pointer { key: copied.to_string(), ..pointer };
        let error = other.load(&pointer).await.unwrap_err();
        assert!(matches!(error, CheckpointError::Foreign { .. }), "{error}");
    });
}

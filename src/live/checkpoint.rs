//! Checkpoints: what was detected so far, kept as immutable objects that committed offsets point to.

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use std::io::Read as _;
use std::sync::Arc;

/// The version of [`State`] and of the pointer; one that is newer or older is refused.
pub(crate) const VERSION: u16 = 1;
/// Checkpoints that are kept: the one that is committed, and those to fall back to.
const KEPT: usize = 3;
/// zstd's level: the state is written every few seconds.
const LEVEL: i32 = 1;
/// Bytes of a checkpoint, unpacked: four times the largest state that detection keeps.
const STATE_BYTES_MAX: u64 = 4 << 30;
/// The first characters of a pointer.
const POINTER: &str = "habitus-v1";

/// Where one partition stands.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Place {
    pub(crate) topic: String,
    pub(crate) number: i32,
    /// The offset to read on from; `None` if nothing was read yet.
    pub(crate) resume: Option<i64>,
    /// The offset after the last record that was read.
    pub(crate) next: Option<i64>,
    /// Offsets from `resume` to `next` of which events are still to be judged, each with how many
    /// of the record's events were.
    pub(crate) held: Vec<(i64, u32)>,
    /// How far it was read in event time, in nanoseconds.
    pub(crate) front: Option<i64>,
}

/// Everything that detection knows, and up to where it has read.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct State {
    pub(crate) version: u16,
    /// Checkpoints so far.
    pub(crate) epoch: u64,
    pub(crate) places: Vec<Place>,
    /// The latest time of a released event, in nanoseconds.
    pub(crate) released: Option<i64>,
    pub(crate) engine: Vec<u8>,
    pub(crate) router: Vec<u8>,
    pub(crate) templates: Vec<u8>,
}

/// Why a checkpoint could not be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    /// The object store failed.
    #[error("checkpoints in {at}: {why}; check that the place is there, writable and has room")]
    Store {
        /// Where.
        at: String,
        /// Its words.
        why: String,
    },
    /// The object is not what the pointer says.
    #[error("checkpoint {key} is damaged: {why}")]
    Damaged {
        /// Which.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// It was written by another version.
    #[error(
        "checkpoint {key} has version {found}, this program writes {VERSION}: run the version that wrote it, or start anew with another source.group_id"
    )]
    Version {
        /// Which.
        key: String,
        /// Its version.
        found: u16,
    },
}

/// The name of a checkpoint and the hash of its bytes: what is committed beside the offsets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pointer {
    pub(crate) key: String,
    pub(crate) hash: String,
}

impl Pointer {
    /// The pointer as offset metadata.
    pub(crate) fn to_metadata(&self) -> String {
        format!("{POINTER}|{}|{}", self.key, self.hash)
    }

    /// A pointer from offset metadata; `None` if it is none.
    pub(crate) fn from_metadata(metadata: &str) -> Option<Self> {
        let mut parts = metadata.split('|');
        let (head, key, hash) = (parts.next()?, parts.next()?, parts.next()?);
        (head == POINTER && parts.next().is_none())
            .then(|| Self { key: key.to_owned(), hash: hash.to_owned() })
    }
}

/// Where the checkpoints of one group are.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    store: Arc<dyn ObjectStore>,
    /// The folder in the store.
    folder: Path,
}

impl Checkpoints {
    /// The checkpoints of `group` in a store.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, group: &str) -> Self {
        Self { store, folder: Path::from_iter(["state", group]) }
    }

    /// Writes a checkpoint under a name that nothing had before.
    pub(crate) async fn put(&self, state: &State) -> Result<Pointer, CheckpointError> {
        let plain = postcard::to_stdvec(state).map_err(|error| self.failed(&error))?;
        let bytes = zstd::bulk::compress(&plain, LEVEL).map_err(|error| self.failed(&error))?;
        let hash = blake3::hash(&bytes).to_hex().to_string();
        let short = hash.get(..16).unwrap_or_default();
        let path = self.folder.clone().join(format!("{:020}-{short}", state.epoch));
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&path, bytes.into(), options).await {
            // The name has the hash of the content: whoever wrote it wrote the same.
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(self.failed(&error)),
        }
        Ok(Pointer { key: path.to_string(), hash })
    }

    /// Reads the checkpoint that a pointer names.
    pub(crate) async fn get(&self, pointer: &Pointer) -> Result<State, CheckpointError> {
        let path = Path::from(pointer.key.as_str());
        let object = self.store.get(&path).await.map_err(|error| self.failed(&error))?;
        let bytes = object.bytes().await.map_err(|error| self.failed(&error))?;
        let damaged = |why: String| CheckpointError::Damaged { key: pointer.key.clone(), why };
        if blake3::hash(&bytes).to_hex().as_str() != pointer.hash {
            return Err(damaged("its bytes are not those that were written".to_owned()));
        }
        let mut plain = Vec::new();
        zstd::stream::read::Decoder::new(bytes.as_ref())
            .and_then(|reader| reader.take(STATE_BYTES_MAX).read_to_end(&mut plain))
            .map_err(|error| damaged(error.to_string()))?;
        // The version comes first, so that one that is not ours is said to be.
        let (found, _) =
            postcard::take_from_bytes::<u16>(&plain).map_err(|error| damaged(error.to_string()))?;
        if found != VERSION {
            return Err(CheckpointError::Version { key: pointer.key.clone(), found });
        }
        postcard::from_bytes(&plain).map_err(|error| damaged(error.to_string()))
    }

    /// Removes all checkpoints but the latest few.
    pub(crate) async fn prune(&self) -> Result<(), CheckpointError> {
        let listed: Vec<_> = self
            .store
            .list(Some(&self.folder))
            .map_ok(|object| object.location)
            .try_collect()
            .await
            .map_err(|error| self.failed(&error))?;
        let mut all = listed;
        all.sort();
        let old = all.len().saturating_sub(KEPT);
        for path in all.into_iter().take(old) {
            self.store.delete(&path).await.map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }

    /// Removes all checkpoints but one: the others hold what must be forgotten.
    pub(crate) async fn keep_only(&self, pointer: &Pointer) -> Result<(), CheckpointError> {
        let listed = self.store.list(Some(&self.folder)).map_ok(|object| object.location);
        let listed: Vec<_> = listed.try_collect().await.map_err(|error| self.failed(&error))?;
        for path in listed.into_iter().filter(|path| path.as_ref() != pointer.key) {
            self.store.delete(&path).await.map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }

    fn failed(&self, error: &dyn std::error::Error) -> CheckpointError {
        CheckpointError::Store { at: self.folder.to_string(), why: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    fn state(epoch: u64) -> State {
        let held = vec![(41, 0), (45, 2)];
        let place = Place { topic: "logs".to_owned(), next: Some(50), held, ..Place::default() };
        State {
            version: VERSION,
            epoch,
            places: vec![place],
            engine: vec![7; 999],
            ..State::default()
        }
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn a_checkpoint_is_read_back_and_old_ones_go() {
        runtime().block_on(async {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let checkpoints = Checkpoints::new(Arc::clone(&store), "habitus");
            let mut last = None;
            for epoch in 0..6 {
                last = Some(checkpoints.put(&state(epoch)).await.unwrap());
                checkpoints.prune().await.unwrap();
            }
            let again = checkpoints.put(&state(5)).await.unwrap();
            assert_eq!(Some(&again), last.as_ref(), "the same state has the same name");
            let metadata = again.to_metadata();
            assert_eq!(Pointer::from_metadata(&metadata), Some(again.clone()));
            assert_eq!(checkpoints.get(&again).await.unwrap(), state(5));
            let kept: Vec<_> = store.list(None).try_collect().await.unwrap();
            assert_eq!(kept.len(), KEPT);
        });
    }

    #[test]
    fn damage_and_other_versions_are_refused_by_name() {
        runtime().block_on(async {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let checkpoints = Checkpoints::new(Arc::clone(&store), "habitus");
            let newer = State { version: VERSION + 1, ..state(1) };
            let pointer = checkpoints.put(&newer).await.unwrap();
            let error = checkpoints.get(&pointer).await.unwrap_err().to_string();
            assert!(error.contains(&pointer.key) && error.contains("version 2"), "{error}");
            let path = Path::from(pointer.key.as_str());
            store.put(&path, b"rubbish".to_vec().into()).await.unwrap();
            let error = checkpoints.get(&pointer).await.unwrap_err().to_string();
            assert!(error.contains("is damaged"), "{error}");
            assert_eq!(Pointer::from_metadata("somebody else's"), None);
        });
    }
}

//! Requests to forget: objects beside the checkpoints, which the leader takes up at an epoch's end.
//!
//! A request is named by the fingerprint of who is to be forgotten and holds nothing else, so that
//! nothing of them lies there while no service runs. It is removed once a checkpoint without them is
//! committed and all older ones are gone; a leader that dies before takes it up again.

use super::checkpoint::{CheckpointError, Pointer};
use super::{Live, LiveError};
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Requests that are taken up at one epoch's end; more wait for the next.
const REQUESTS_MAX: usize = 256;
/// Digits of a fingerprint.
const DIGITS: usize = 32;

/// The requests of one group.
#[derive(Debug)]
pub(crate) struct Requests {
    store: Arc<dyn ObjectStore>,
    folder: Path,
}

impl Requests {
    /// The requests of `group`, in the store of its checkpoints.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, group: &str) -> Self {
        Self { store, folder: Path::from_iter(["forget", group]) }
    }

    /// Asks the service to forget.
    pub(crate) async fn put(&self, fingerprint: &str) -> Result<(), CheckpointError> {
        let path = self.folder.clone().join(fingerprint);
        let put = self.store.put(&path, Vec::new().into()).await;
        put.map(drop).map_err(|error| self.failed(&error))
    }

    /// Whether the service has not done yet what it was asked.
    pub(crate) async fn is_pending(&self, fingerprint: &str) -> Result<bool, CheckpointError> {
        match self.store.head(&self.folder.clone().join(fingerprint)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// The fingerprints of those who are to be forgotten.
    async fn pending(&self) -> Result<Vec<String>, CheckpointError> {
        let listed: Vec<_> = self
            .store
            .list(Some(&self.folder))
            .map_ok(|object| object.location)
            .try_collect()
            .await
            .map_err(|error| self.failed(&error))?;
        let mut names: Vec<_> =
            listed.iter().filter_map(|path| path.filename()).map(str::to_owned).collect();
        names.retain(|it| it.len() == DIGITS && it.bytes().all(|byte| byte.is_ascii_hexdigit()));
        names.sort();
        names.truncate(REQUESTS_MAX);
        Ok(names)
    }

    async fn remove(&self, fingerprint: &str) -> Result<(), CheckpointError> {
        match self.store.delete(&self.folder.clone().join(fingerprint)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &dyn std::error::Error) -> CheckpointError {
        CheckpointError::Store { at: self.folder.to_string(), why: error.to_string() }
    }
}

impl Live<'_> {
    /// Whether somebody is to be forgotten or something is ordered; looked at once in an epoch, since
    /// most have nothing.
    pub(super) fn is_asked(&mut self, now: Instant, every: Duration) -> Result<bool, LiveError> {
        if self.looked.is_some_and(|looked| now.saturating_duration_since(looked) < every) {
            return Ok(false);
        }
        self.looked = Some(now);
        let requests = &self.parts.requests;
        let is_asked =
            !self.parts.runtime.block_on(requests.pending())?.is_empty() || self.is_ordered()?;
        if is_asked {
            self.board.look_again();
        }
        Ok(is_asked)
    }

    /// Forgets, in memory, who is to be forgotten; their fingerprints.
    pub(super) fn forget_asked(&mut self) -> Result<Vec<String>, LiveError> {
        let Some(mind) = self.mind.as_mut() else { return Ok(Vec::new()) };
        let asked = self.parts.runtime.block_on(self.parts.requests.pending())?;
        if asked.is_empty() {
            return Ok(asked);
        }
        // What was written of them must not be built upon.
        self.parts.checkpoints.forget();
        let key = &self.parts.key;
        let is_meant = |id: &str| asked.contains(&store::fingerprint(key, id));
        for id in mind.detection.engine.named(&is_meant) {
            let gone = mind.detection.engine.forget(&id);
            mind.detection.router.forget(&id, &gone.hashes);
        }
        Ok(asked)
    }

    /// After the checkpoint was committed: older ones go, and then what was asked.
    pub(super) fn settle_forgotten(
        &mut self,
        asked: &[String],
        committed: &Pointer,
    ) -> Result<(), LiveError> {
        let (runtime, parts) = (self.parts.runtime.clone(), &mut self.parts);
        if asked.is_empty() {
            return Ok(runtime.block_on(parts.checkpoints.prune())?);
        }
        runtime.block_on(async {
            parts.checkpoints.keep_only(committed).await?;
            for fingerprint in asked {
                parts.requests.remove(fingerprint).await?;
            }
            Ok::<_, CheckpointError>(())
        })?;
        crate::note(&format!(
            "forgot as asked: {}",
            crate::figures::counted(asked.len() as u64, "identity", "identities")
        ));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    #[test]
    fn a_request_waits_until_it_is_removed_and_holds_nothing() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let requests = Requests::new(Arc::clone(&store), "habitus");
            let other = Requests::new(Arc::clone(&store), "another");
            let one = store::fingerprint(&[7; 32], "ann");
            requests.put(&one).await.unwrap();
            requests.put(&one).await.unwrap();
            store.put(&Path::from("forget/habitus/notes.txt"), vec![1].into()).await.unwrap();
            assert_eq!(requests.pending().await.unwrap(), [one.as_str()]);
            assert!(requests.is_pending(&one).await.unwrap());
            assert!(other.pending().await.unwrap().is_empty());
            let objects: Vec<_> = store.list(None).try_collect().await.unwrap();
            assert!(objects.iter().all(|it| !it.location.as_ref().contains("ann")));
            requests.remove(&one).await.unwrap();
            requests.remove(&one).await.unwrap();
            assert!(!requests.is_pending(&one).await.unwrap());
        });
    }
}

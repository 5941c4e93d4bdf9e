//! Learning under control: orders for baselines and announced changes, as objects beside the
//! checkpoints, which the leader takes up at an epoch's end.
//!
//! An order is removed once a checkpoint that obeys it is committed; a leader that dies before takes
//! it up again. An announced change stays until somebody takes it back.

use super::checkpoint::CheckpointError;
use super::{Live, LiveError, state};
use detect::{CHANGE_WINDOWS_MAX, ChangeWindow, Order};
use futures::TryStreamExt as _;
use model::Time;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Orders that are carried out at one epoch's end; more wait for the next.
const ORDERS_MAX: usize = 256;
/// Bytes of an object that is believed to be one of ours.
const OBJECT_BYTES_MAX: u64 = 256 * 1024;
/// Older states that are looked into for one that is old enough.
const STATES_MAX: usize = 16;

/// What is ordered for an identity's baseline.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Do {
    Freeze,
    Thaw,
    Reset,
    /// Back to what was known before a time, in nanoseconds since the epoch.
    RollBack(i64),
}

/// An order, as it is written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Ordered {
    pub(crate) principal_id: String,
    pub(crate) order: Do,
}

/// What is ordered and announced to one group.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    store: Arc<dyn ObjectStore>,
    orders: Path,
    changes: Path,
}

impl Control {
    /// That of `group`, in the store of its checkpoints.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, group: &str) -> Self {
        let folder = |name| Path::from_iter(["control", group, name]);
        Self { store, orders: folder("orders"), changes: folder("changes") }
    }

    /// Leaves an order; its name.
    pub(crate) async fn order(&self, ordered: &Ordered) -> Result<String, CheckpointError> {
        self.put(&self.orders, ordered).await
    }

    /// Whether an order was not carried out yet.
    pub(crate) async fn is_pending(&self, name: &str) -> Result<bool, CheckpointError> {
        match self.store.head(&self.orders.clone().join(name)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Announces a change; its name.
    pub(crate) async fn announce(&self, window: &ChangeWindow) -> Result<String, CheckpointError> {
        self.put(&self.changes, window).await
    }

    /// The changes that are announced, by their names.
    pub(crate) async fn changes(&self) -> Result<Vec<(String, ChangeWindow)>, CheckpointError> {
        self.all(&self.changes, CHANGE_WINDOWS_MAX).await
    }

    /// Takes an announced change back.
    pub(crate) async fn take_back(&self, name: &str) -> Result<(), CheckpointError> {
        self.remove(&self.changes, name).await
    }

    /// Takes an order back.
    pub(crate) async fn withdraw(&self, name: &str) -> Result<(), CheckpointError> {
        self.remove(&self.orders, name).await
    }

    async fn orders(&self) -> Result<Vec<(String, Ordered)>, CheckpointError> {
        self.all(&self.orders, ORDERS_MAX).await
    }

    /// Writes an object under the hash of what it says: saying it twice is saying it once.
    async fn put<T: Serialize>(&self, folder: &Path, it: &T) -> Result<String, CheckpointError> {
        let bytes = serde_json::to_vec(it).unwrap_or_default();
        let name: String = blake3::hash(&bytes).to_hex().chars().take(16).collect();
        let put = self.store.put(&folder.clone().join(name.as_str()), bytes.into()).await;
        put.map(|_| name).map_err(|error| self.failed(&error))
    }

    /// The objects of a folder that can be read, sorted by name.
    async fn all<T: for<'de> Deserialize<'de>>(
        &self,
        folder: &Path,
        most: usize,
    ) -> Result<Vec<(String, T)>, CheckpointError> {
        let listed: Result<Vec<_>, _> = self.store.list(Some(folder)).try_collect().await;
        let mut listed = listed.map_err(|error| self.failed(&error))?;
        listed.retain(|it| it.size <= OBJECT_BYTES_MAX);
        listed.sort_by(|a, b| a.location.cmp(&b.location));
        let mut all = Vec::new();
        for object in listed.iter().take(most) {
            let got = match self.store.get(&object.location).await {
                Ok(got) => got.bytes().await.map_err(|error| self.failed(&error))?,
                Err(object_store::Error::NotFound { .. }) => continue,
                Err(error) => return Err(self.failed(&error)),
            };
            match (object.location.filename(), serde_json::from_slice(&got)) {
                (Some(name), Ok(it)) => all.push((name.to_owned(), it)),
                _ => crate::note(&format!("{} is nothing that can be read", object.location)),
            }
        }
        Ok(all)
    }

    async fn remove(&self, folder: &Path, name: &str) -> Result<(), CheckpointError> {
        match self.store.delete(&folder.clone().join(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn failed(&self, error: &dyn std::error::Error) -> CheckpointError {
        CheckpointError::Store { at: self.orders.to_string(), why: error.to_string() }
    }
}

impl Live<'_> {
    /// Whether there is an order to carry out.
    pub(super) fn is_ordered(&self) -> Result<bool, LiveError> {
        Ok(!self.parts.runtime.block_on(self.parts.control.orders())?.is_empty())
    }

    /// Learns what is announced, and carries out what is ordered, in memory; the names of the orders.
    pub(super) fn obey(&mut self) -> Result<Vec<String>, LiveError> {
        let (runtime, control) = (self.parts.runtime.clone(), self.parts.control.clone());
        let changes = runtime.block_on(control.changes())?;
        let orders = runtime.block_on(control.orders())?;
        let Some(mind) = self.mind.as_mut() else { return Ok(Vec::new()) };
        mind.detection.engine.announce(changes.into_iter().map(|(_, it)| it).collect());
        for (_, Ordered { principal_id, order }) in &orders {
            let count = match order {
                Do::Freeze => self.carry_out(principal_id, Order::Freeze),
                Do::Thaw => self.carry_out(principal_id, Order::Thaw),
                Do::Reset => self.carry_out(principal_id, Order::Reset),
                Do::RollBack(to) => self.roll_back(principal_id, Time::from_ns(*to))?,
            };
            crate::note(&format!("baselines changed as ordered: {count} ({order:?})"));
        }
        Ok(orders.into_iter().map(|(name, _)| name).collect())
    }

    fn carry_out(&mut self, principal: &str, order: Order) -> usize {
        let mind = self.mind.as_mut();
        mind.map_or(0, |mind| mind.detection.engine.order(principal, order))
    }

    /// Takes a baseline back to the latest state that is from before a time, if one is still there.
    fn roll_back(&mut self, principal: &str, to: Time) -> Result<usize, LiveError> {
        let (runtime, parts) = (self.parts.runtime.clone(), &self.parts);
        let listed = runtime.block_on(parts.checkpoints.list())?;
        for (_, pointer) in listed.iter().take(STATES_MAX) {
            let loaded = match runtime.block_on(parts.checkpoints.load(pointer)) {
                Ok(loaded) => loaded,
                Err(error) if error.is_loss() => continue,
                Err(error) => return Err(error.into()),
            };
            if loaded.head.released.is_none_or(|at| at >= to.ns()) {
                continue;
            }
            let (older, _) = state::read(&loaded, parts.plan.clone(), parts.endpoints)?;
            let mind = self.mind.as_mut();
            return Ok(mind.map_or(0, |it| it.detection.engine.roll_back(principal, &older.engine)));
        }
        crate::note(&format!("no state from before {to} is there: nothing was rolled back"));
        Ok(0)
    }

    /// After the checkpoint was committed: what was ordered is done.
    pub(super) fn settle_orders(&mut self, orders: &[String]) -> Result<(), LiveError> {
        let control = &self.parts.control;
        Ok(self.parts.runtime.block_on(async {
            for name in orders {
                control.remove(&control.orders, name).await?;
            }
            Ok::<_, CheckpointError>(())
        })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    #[test]
    fn orders_and_changes_wait_until_they_are_removed() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let control = Control::new(Arc::clone(&store), "habitus");
            let ordered = Ordered { principal_id: "ann".into(), order: Do::RollBack(7) };
            let name = control.order(&ordered).await.unwrap();
            assert_eq!(control.order(&ordered).await.unwrap(), name);
            store.put(&control.orders.clone().join("x"), vec![1].into()).await.unwrap();
            assert_eq!(control.orders().await.unwrap(), [(name.clone(), ordered)]);
            assert!(control.is_pending(&name).await.unwrap());
            control.remove(&control.orders, &name).await.unwrap();
            assert!(!control.is_pending(&name).await.unwrap());
            let window = ChangeWindow {
                from: Time::from_ns(1),
                until: Time::from_ns(2),
                scope: detect::Scope::default(),
                reason: "a deployment".into(),
            };
            let name = control.announce(&window).await.unwrap();
            assert_eq!(control.changes().await.unwrap(), [(name.clone(), window)]);
            control.take_back(&name).await.unwrap();
            assert!(control.changes().await.unwrap().is_empty());
            assert!(Control::new(store, "other").orders().await.unwrap().is_empty());
        });
    }
}

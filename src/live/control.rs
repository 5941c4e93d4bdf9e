//! Learning under control: orders for baselines and announced changes, as objects beside the
//! checkpoints, which the leader takes up at an epoch's end.
//!
//! An order is removed once a checkpoint that obeys it is committed; a leader that dies before takes
//! it up again. An announced change stays until somebody takes it back, or it is long over.

use super::checkpoint::CheckpointError;
use super::{Live, LiveError, state};
use detect::{CHANGE_WINDOWS_MAX, ChangeWindow, Order};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use model::Time;
use model::time::NS_PER_D;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Orders that are carried out at one epoch's end; more wait for the next.
const ORDERS_MAX: usize = 256;
/// Bytes of an object that is believed to be one of ours.
const OBJECT_BYTES_MAX: u64 = 256 * 1024;
/// Older states that are looked into for one that is old enough.
const STATES_MAX: usize = 16;
/// Objects that are fetched at a time.
const FETCHES_MAX: usize = 8;
/// The time between two looks at what is ordered and announced: an epoch may last a quarter of a
/// second, and a bucket takes as long to answer a few questions.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After so long, in event time, no hour that a change touches can still be open anywhere.
const OVER_NS: i64 = 7 * NS_PER_D;

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

/// Announced changes as they were read, by where they lie; nothing of an object that is none.
type Known = BTreeMap<Path, (ObjectMeta, Option<ChangeWindow>)>;

/// What the service knows of its control.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// When it was looked last, unless the next epoch's end is to look.
    looked: Option<Instant>,
    known: Known,
}

impl Board {
    /// The next epoch's end looks, whenever that is.
    pub(super) fn look_again(&mut self) {
        self.looked = None;
    }

    fn is_due(&self, now: Instant) -> bool {
        self.looked.is_none_or(|at| now.saturating_duration_since(at) >= LOOK_EVERY)
    }
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
        self.changes_beside(&mut Known::new()).await
    }

    /// The same; what is known already and lies there unchanged is not fetched again.
    async fn changes_beside(
        &self,
        known: &mut Known,
    ) -> Result<Vec<(String, ChangeWindow)>, CheckpointError> {
        let listed = self.listed(&self.changes, CHANGE_WINDOWS_MAX).await?;
        known.retain(|_, (object, _)| listed.contains(object));
        let new: Vec<_> = listed.iter().filter(|it| !known.contains_key(&it.location)).collect();
        let fetches = new.iter().map(|object| self.fetch::<ChangeWindow>(object));
        let fetched: Vec<_> = stream::iter(fetches).buffered(FETCHES_MAX).try_collect().await?;
        for (object, it) in new.into_iter().zip(fetched) {
            known.insert(object.location.clone(), (object.clone(), it));
        }
        let named = known
            .iter()
            .filter_map(|(path, (_, it))| Some((path.filename()?.to_owned(), it.clone()?)));
        Ok(named.collect())
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
        let mut orders = Vec::new();
        for object in self.listed(&self.orders, ORDERS_MAX).await? {
            let ordered = self.fetch::<Ordered>(&object).await?;
            let name = object.location.filename().map(str::to_owned);
            orders.extend(name.zip(ordered));
        }
        Ok(orders)
    }

    /// Writes an object under the hash of what it says: saying it twice is saying it once.
    async fn put<T: Serialize>(&self, folder: &Path, it: &T) -> Result<String, CheckpointError> {
        let bytes = serde_json::to_vec(it).unwrap_or_default();
        let name: String = blake3::hash(&bytes).to_hex().chars().take(16).collect();
        let put = self.store.put(&folder.clone().join(name.as_str()), bytes.into()).await;
        put.map(|_| name).map_err(|error| self.failed(&error))
    }

    /// The objects of a folder that may be ours, sorted by name.
    async fn listed(&self, folder: &Path, most: usize) -> Result<Vec<ObjectMeta>, CheckpointError> {
        let listed: Result<Vec<_>, _> = self.store.list(Some(folder)).try_collect().await;
        let mut listed = listed.map_err(|error| self.failed(&error))?;
        listed.retain(|it| it.size <= OBJECT_BYTES_MAX);
        listed.sort_by(|a, b| a.location.cmp(&b.location));
        listed.truncate(most);
        Ok(listed)
    }

    /// What an object says; nothing if it is gone, or nothing that can be read.
    async fn fetch<T: for<'de> Deserialize<'de>>(
        &self,
        object: &ObjectMeta,
    ) -> Result<Option<T>, CheckpointError> {
        let got = match self.store.get(&object.location).await {
            Ok(got) => got.bytes().await.map_err(|error| self.failed(&error))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(self.failed(&error)),
        };
        let said = serde_json::from_slice(&got).ok();
        if said.is_none() {
            crate::note(&format!("{} is nothing that can be read", object.location));
        }
        Ok(said)
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

    /// Takes up what is announced, ordered, and asked to be forgotten, if it is time to look: the
    /// names of the orders, and the fingerprints of those who are forgotten. Between two looks what was
    /// announced holds as it was.
    pub(super) fn heed(&mut self, now: Instant) -> Result<(Vec<String>, Vec<String>), LiveError> {
        if !self.board.is_due(now) {
            return Ok((Vec::new(), Vec::new()));
        }
        let (orders, asked) = (self.obey()?, self.forget_asked()?);
        // There may be more than one look takes up.
        let is_all = orders.is_empty() && asked.is_empty();
        self.board.looked = is_all.then_some(now);
        Ok((orders, asked))
    }

    /// Learns what is announced, and carries out what is ordered, in memory; the names of the orders.
    fn obey(&mut self) -> Result<Vec<String>, LiveError> {
        let (runtime, control) = (self.parts.runtime.clone(), self.parts.control.clone());
        // In this order, so that a change which was announced before an order is known with it.
        let orders = runtime.block_on(control.orders())?;
        let changes = runtime.block_on(control.changes_beside(&mut self.board.known))?;
        let Some(mind) = self.mind.as_mut() else { return Ok(Vec::new()) };
        let released = mind.order.released();
        let (over, changes): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|(_, it)| is_over(it, released));
        mind.detection.engine.announce(changes.into_iter().map(|(_, it)| it).collect());
        for (name, _) in &over {
            runtime.block_on(control.take_back(name))?;
            crate::note(&format!("the change window {name} is long over: taken back"));
        }
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

/// Whether a change ended so long before the latest event that nobody needs to know of it.
fn is_over(window: &ChangeWindow, latest: Option<Time>) -> bool {
    latest.is_some_and(|latest| window.until.plus(OVER_NS) < latest)
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

    #[test]
    fn a_change_that_lies_there_as_it_did_is_not_fetched_again() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
            let control = Control::new(Arc::clone(&store), "habitus");
            let window = ChangeWindow {
                from: Time::from_ns(1),
                until: Time::from_ns(2),
                scope: detect::Scope::default(),
                reason: "a deployment".into(),
            };
            let name = control.announce(&window).await.unwrap();
            let mut known = Known::new();
            let changes = control.changes_beside(&mut known).await.unwrap();
            assert_eq!(changes, [(name.clone(), window.clone())]);
            for (_, it) in known.values_mut() {
                it.as_mut().unwrap().reason = "as it was read".into();
            }
            let changes = control.changes_beside(&mut known).await.unwrap();
            assert_eq!(changes[0].1.reason, "as it was read");
            // Written again it is another object, though it says the same.
            control.announce(&window).await.unwrap();
            let changes = control.changes_beside(&mut known).await.unwrap();
            assert_eq!(changes[0].1.reason, "a deployment");
            control.take_back(&name).await.unwrap();
            assert!(control.changes_beside(&mut known).await.unwrap().is_empty());
            assert!(known.is_empty());
        });
    }

    #[test]
    fn a_change_is_over_seven_days_after_its_end_by_the_time_of_events() {
        let window = ChangeWindow {
            from: Time::from_ns(0),
            until: Time::from_ns(NS_PER_D),
            scope: detect::Scope::default(),
            reason: "a deployment".into(),
        };
        let after = |days: i64, ns: i64| Some(Time::from_ns(days * NS_PER_D + ns));
        assert!(!is_over(&window, None) && !is_over(&window, after(8, 0)));
        assert!(is_over(&window, after(8, 1)));
    }

    #[test]
    fn a_look_is_due_every_five_seconds_and_when_something_was_ordered() {
        #[expect(clippy::disallowed_methods, reason = "any moment will do")]
        let start = Instant::now();
        let mut board = Board::default();
        assert!(board.is_due(start));
        board.looked = Some(start);
        assert!(!board.is_due(start + Duration::from_millis(4_999)));
        assert!(board.is_due(start + LOOK_EVERY));
        board.look_again();
        assert!(board.is_due(start));
    }
}

//! The objects of one group: chains that are written link by link, verified whole, and pruned.

use super::{CHANGES_MAX, CheckpointError, Head, Name, Part, Pointer, object};
use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The folder of all groups' checkpoints.
const STATE: &str = "state";

/// Checkpoints that are kept with all that they build on: the committed one, and those to fall back to.
pub(super) const KEPT: usize = 3;
/// Days of which one state is kept.
const DAYS_KEPT: i64 = 7;
const S_PER_DAY: i64 = 86_400;
/// A whole object is written when the changes together are larger than one part in so many of it.
const WHOLE_PART: u64 = 2;
/// Objects of a chain that are followed: other versions may write longer ones.
const CHAIN_OBJECTS_MAX: usize = 64;
/// Objects of a group that are listed; a few dozen are kept.
const LISTED_MAX: usize = 100_000;

/// What was written last, for the next object to build on.
#[derive(Debug)]
struct Tip {
    pointer: Pointer,
    /// The epoch of the chain's whole object.
    first: u64,
    changes: usize,
    whole_bytes: u64,
    changes_bytes: u64,
}

/// The checkpoints of one group.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    store: Arc<dyn ObjectStore>,
    group: String,
    /// The folder in the store.
    folder: Path,
    tip: Option<Tip>,
    /// What this process wrote last, [`KEPT`] at most.
    own: VecDeque<Name>,
}

/// A chain that was read and verified.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The head of its last object.
    pub(crate) head: Head,
    pub(crate) pointer: Pointer,
    /// The parts of each of its objects, the whole one first.
    pub(crate) links: Vec<Vec<Vec<u8>>>,
}

impl Checkpoints {
    /// The checkpoints of `group` in a store.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, group: &str) -> Self {
        let folder = Path::from_iter([STATE, group]);
        Self { store, group: group.to_owned(), folder, tip: None, own: VecDeque::new() }
    }

    /// Whose they are.
    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    /// Where they are, in the store.
    pub(crate) fn folder(&self) -> String {
        self.folder.to_string()
    }

    /// Whether the next object must hold the whole state.
    pub(crate) fn is_whole_due(&self) -> bool {
        self.tip.as_ref().is_none_or(|tip| {
            tip.changes >= CHANGES_MAX || tip.changes_bytes > tip.whole_bytes / WHOLE_PART
        })
    }

    /// Begins a new chain with the next object.
    pub(crate) fn forget(&mut self) {
        self.tip = None;
    }

    /// Writes the next object under a name that nothing had before; its parts are all of the state
    /// where [`Checkpoints::is_whole_due`], else what changed.
    pub(crate) async fn put(
        &mut self,
        head: Head,
        parts: &[Part],
    ) -> Result<(Pointer, u64), CheckpointError> {
        let base = if self.is_whole_due() { None } else { self.tip.take() };
        let group = self.group.clone();
        let head = Head { group, base: base.as_ref().map(|tip| tip.pointer.clone()), ..head };
        let bytes = object::write(&head, parts)?;
        let hash = blake3::hash(&bytes).to_hex().to_string();
        let first = base.as_ref().map_or(head.epoch, |tip| tip.first);
        let name = Name { epoch: head.epoch, first, hash: hash.clone() };
        let path = self.folder.clone().join(name.write());
        let len = bytes.len() as u64;
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&path, bytes.into(), options).await {
            // The name has the hash of the content: whoever wrote it wrote the same.
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(self.failed(&error)),
        }
        let pointer = Pointer { key: path.to_string(), hash };
        self.tip = Some(match base {
            None => Tip {
                pointer: pointer.clone(),
                first,
                changes: 0,
                whole_bytes: len,
                changes_bytes: 0,
            },
            Some(tip) => Tip {
                pointer: pointer.clone(),
                changes: tip.changes + 1,
                changes_bytes: tip.changes_bytes + len,
                ..tip
            },
        });
        if self.own.len() >= KEPT {
            self.own.pop_front();
        }
        self.own.push_back(name);
        Ok((pointer, len))
    }

    /// Reads the chain that a pointer names, back to its whole object.
    pub(crate) async fn load(&self, pointer: &Pointer) -> Result<Loaded, CheckpointError> {
        let (head, parts) = self.get(pointer).await?;
        let (mut links, mut base) = (vec![parts], head.base.clone());
        while let Some(before) = base {
            if links.len() >= CHAIN_OBJECTS_MAX {
                let why = format!("it builds on more than {CHAIN_OBJECTS_MAX} others");
                return Err(CheckpointError::Damaged { key: pointer.key.clone(), why });
            }
            let (older, parts) = self.get(&before).await?;
            links.push(parts);
            base = older.base;
        }
        links.reverse();
        Ok(Loaded { head, pointer: pointer.clone(), links })
    }

    /// Reads one object.
    async fn get(&self, pointer: &Pointer) -> Result<(Head, Vec<Vec<u8>>), CheckpointError> {
        let key = || pointer.key.clone();
        let path = Path::parse(&pointer.key)
            .map_err(|error| CheckpointError::Damaged { key: key(), why: error.to_string() })?;
        if !path.prefix_matches(&self.folder) {
            let mut parts = pointer.key.split('/');
            let found = parts.nth(1).unwrap_or_default().to_owned();
            let group = self.group.clone();
            return Err(CheckpointError::Foreign { key: key(), found, group });
        }
        let bytes = match self.store.get(&path).await {
            Ok(object) => object.bytes().await.map_err(|error| self.failed(&error))?,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(CheckpointError::Missing { key: key() });
            }
            Err(error) => return Err(self.failed(&error)),
        };
        if blake3::hash(&bytes).to_hex().as_str() != pointer.hash {
            let why = "its bytes are not those that were written".to_owned();
            return Err(CheckpointError::Damaged { key: key(), why });
        }
        let (head, parts) = object::read(&pointer.key, &bytes)?;
        if head.group != self.group {
            let group = self.group.clone();
            return Err(CheckpointError::Foreign { key: key(), found: head.group, group });
        }
        Ok((head, parts))
    }

    /// The groups that have checkpoints in a store, sorted.
    pub(crate) async fn groups(store: &dyn ObjectStore) -> Result<Vec<String>, CheckpointError> {
        let folder = Path::from(STATE);
        let listed = store.list_with_delimiter(Some(&folder)).await.map_err(|error| {
            CheckpointError::Store { at: folder.to_string(), why: error.to_string() }
        })?;
        let names = listed.common_prefixes.iter().filter_map(|it| it.filename());
        let mut names: Vec<_> = names.map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    /// The names of all objects with their pointers, the latest first; foreign names are left out.
    pub(crate) async fn list(&self) -> Result<Vec<(Name, Pointer)>, CheckpointError> {
        let listed = self.listed().await?;
        Ok(listed.into_iter().map(|(name, pointer, _)| (name, pointer)).collect())
    }

    /// The same, each with the day on which it was written, since the epoch.
    async fn listed(&self) -> Result<Vec<(Name, Pointer, i64)>, CheckpointError> {
        let mut objects = self.store.list(Some(&self.folder));
        let mut all = Vec::new();
        while let Some(object) = objects.try_next().await.map_err(|error| self.failed(&error))? {
            let day = object.last_modified.timestamp().div_euclid(S_PER_DAY);
            let key = String::from(object.location);
            if let Some(name) = Name::read(&key) {
                let hash = name.hash.clone();
                all.push((name, Pointer { key, hash }, day));
            }
            if all.len() >= LISTED_MAX {
                break;
            }
        }
        all.sort_by(|a, b| b.0.cmp(&a.0));
        Ok(all)
    }

    /// Removes the objects that none of the last checkpoints builds on, but of each of the last days
    /// its first whole one: a baseline may be taken back to it.
    ///
    /// This process's own come first, whatever others are there: those of a branch that was given up
    /// may have higher epochs. Of a chain all objects lie between its first and its last epoch.
    pub(crate) async fn prune(&self) -> Result<(), CheckpointError> {
        let listed = self.listed().await?;
        let today = listed.iter().map(|(_, _, day)| *day).max().unwrap_or_default();
        let mut of_days = BTreeMap::new();
        for (name, _, day) in listed.iter().filter(|(name, ..)| name.first == name.epoch) {
            if *day > today - DAYS_KEPT {
                // The latest come first, so that the first of a day is the last that is seen.
                of_days.insert(day, name);
            }
        }
        let is_of_day = |name: &Name| of_days.values().any(|it| *it == name);
        let others = listed.iter().map(|(name, ..)| name).filter(|name| !self.own.contains(name));
        let kept = self.own.iter().chain(others.take(KEPT.saturating_sub(self.own.len())));
        let Some(lowest) = kept.map(|name| name.first).min() else { return Ok(()) };
        let is_old = |name: &Name| name.epoch < lowest && !is_of_day(name);
        for (_, pointer, _) in listed.iter().filter(|(name, ..)| is_old(name)) {
            let Ok(path) = Path::parse(&pointer.key) else { continue };
            match self.store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Ok(())
    }

    /// Removes all checkpoints but one, which must be a whole one: the others hold what must be
    /// forgotten.
    pub(crate) async fn keep_only(&mut self, pointer: &Pointer) -> Result<(), CheckpointError> {
        for (name, other) in self.list().await? {
            if other.key == pointer.key {
                continue;
            }
            self.own.retain(|own| *own != name);
            let Ok(path) = Path::parse(&other.key) else { continue };
            match self.store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        Ok(())
    }

    fn failed(&self, error: &object_store::Error) -> CheckpointError {
        CheckpointError::Store { at: self.folder.to_string(), why: error.to_string() }
    }
}

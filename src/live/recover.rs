//! Where to go on: the checkpoint that the offsets name, an older one, or the beginning.

use super::LiveError;
use super::checkpoint::{CheckpointError, Checkpoints, Loaded, Place, Pointer};
use ingest::source::kafka::{Bounds, Committed, Partition};
use std::collections::BTreeMap;
use tokio::runtime::Handle;

/// Records of a partition that were removed before they were read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Gap {
    pub(super) partition: String,
    /// The first of them, and the first that is there.
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Gap {
    pub(super) fn records(&self) -> u64 {
        u64::try_from(self.to - self.from).unwrap_or_default()
    }
}

/// Where the partitions of the topics begin and end.
pub(super) type Ends = BTreeMap<Partition, Bounds>;

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    /// The group is new: it begins where its offsets say, or the settings.
    Fresh,
    /// A state to go on from, and the records that are gone since.
    Taken(Loaded, Vec<Gap>),
    /// There was a state, and it is lost.
    Cold(Cold),
}

/// A start without what was known before.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Cold {
    /// The checkpoint that should have been there, or what stands for it.
    pub(super) checkpoint: String,
    /// Why it is of no use, and nor is any other.
    pub(super) why: String,
    /// Identities that it knew, if that can be told.
    pub(super) identities: Option<u64>,
    /// The highest epoch so far: what was kept under it must not be written again.
    pub(super) epoch: u64,
    /// Begin at the committed offsets, rather than at the earliest.
    pub(super) is_at_committed: bool,
}

/// Finds where to go on.
///
/// # Errors
///
/// The store of checkpoints fails, or they are of another version or group, or the topics are not
/// those that were read.
pub(super) fn find(
    checkpoints: &Checkpoints,
    runtime: &Handle,
    committed: &[Committed],
    ends: &Ends,
) -> Result<Found, LiveError> {
    let mut pointer = None;
    for one in committed {
        pointer = pointer.or(Pointer::from_metadata(&one.metadata)?);
    }
    let search = Search { checkpoints, runtime, ends };
    if let Some(pointer) = pointer {
        return match runtime.block_on(checkpoints.load(&pointer)) {
            Ok(loaded) => {
                let gaps = gaps(&loaded, ends)?;
                Ok(Found::Taken(loaded, gaps))
            }
            Err(error) if error.is_loss() => search.walk_back(&pointer, &error),
            Err(error) => Err(error.into()),
        };
    }
    let listed = runtime.block_on(checkpoints.list())?;
    let Some((latest, newest)) = listed.first() else { return Ok(Found::Fresh) };
    if committed.iter().all(|one| one.offset.is_none()) {
        // Brokers forget the offsets of a group that is away for a week.
        let (loaded, tried) = search.any(&listed)?;
        return match loaded {
            Some(loaded) => {
                crate::note(
                    "the group's offsets are gone: the latest checkpoint says where it was",
                );
                let gaps = gaps(&loaded, ends)?;
                Ok(Found::Taken(loaded, gaps))
            }
            None => Ok(Found::Cold(Cold {
                checkpoint: newest.key.clone(),
                why: format!("its offsets are gone, and {}", none_of(tried)),
                identities: None,
                epoch: latest.epoch,
                is_at_committed: false,
            })),
        };
    }
    Ok(Found::Cold(Cold {
        checkpoint: newest.key.clone(),
        why: "its offsets were set by somebody else, and name no checkpoint".to_owned(),
        identities: None,
        epoch: latest.epoch,
        is_at_committed: true,
    }))
}

fn none_of(tried: usize) -> String {
    match tried {
        0 => "no older checkpoint is there".to_owned(),
        1 => "the one older checkpoint is of no use either".to_owned(),
        _ => format!("none of {tried} older checkpoints is of use"),
    }
}

struct Search<'a> {
    checkpoints: &'a Checkpoints,
    runtime: &'a Handle,
    ends: &'a Ends,
}

impl Search<'_> {
    /// The latest of older chains that is whole, if its records are still there.
    fn walk_back(&self, pointer: &Pointer, error: &CheckpointError) -> Result<Found, LiveError> {
        crate::note(&format!("{error}: looking for an older one"));
        let named = super::checkpoint::Name::read(&pointer.key);
        let mut listed = self.runtime.block_on(self.checkpoints.list())?;
        let highest = listed.first().map(|(name, _)| name.epoch);
        let epoch = named.as_ref().map(|name| name.epoch).max(highest).unwrap_or_default();
        // What came after the committed one was never committed: another process may have judged it.
        listed.retain(|(name, other)| {
            other.key != pointer.key && named.as_ref().is_none_or(|it| name.epoch <= it.epoch)
        });
        let (loaded, tried) = self.any(&listed)?;
        let cold = |why: String, identities| {
            let (checkpoint, is_at_committed) = (pointer.key.clone(), false);
            Found::Cold(Cold { checkpoint, why, identities, epoch, is_at_committed })
        };
        let Some(loaded) = loaded else {
            return Ok(cold(format!("{error}, and {}", none_of(tried)), None));
        };
        let gaps = gaps(&loaded, self.ends)?;
        if gaps.is_empty() {
            return Ok(Found::Taken(loaded, gaps));
        }
        // Its findings of then were said already, and could not be found again as they were.
        let lost: u64 = gaps.iter().map(Gap::records).sum();
        let why = format!(
            "{error}, and {lost} records since the older {} were removed from the topics",
            loaded.pointer.key,
        );
        Ok(cold(why, Some(loaded.head.identities)))
    }

    /// The first of some checkpoints that can be read, and how many cannot.
    fn any(
        &self,
        listed: &[(super::checkpoint::Name, Pointer)],
    ) -> Result<(Option<Loaded>, usize), LiveError> {
        for (tried, (_, pointer)) in listed.iter().enumerate() {
            match self.runtime.block_on(self.checkpoints.load(pointer)) {
                Ok(loaded) => return Ok((Some(loaded), tried)),
                Err(error) if error.is_loss() => crate::note(&format!("{error}")),
                Err(error) => return Err(error.into()),
            }
        }
        Ok((None, listed.len()))
    }
}

/// The records that were removed since a checkpoint.
fn gaps(loaded: &Loaded, ends: &Ends) -> Result<Vec<Gap>, LiveError> {
    let key = &loaded.pointer.key;
    let mut gaps = Vec::new();
    for place in &loaded.head.places {
        let Some(bounds) = ends.get(&partition_of(place)) else {
            let (topic, number) = (place.topic.clone(), place.number);
            return Err(LiveError::Partition { key: key.clone(), topic, number });
        };
        let Some(resume) = place.resume else { continue };
        let partition = format!("{}/{}", place.topic, place.number);
        if resume > bounds.high {
            let high = bounds.high;
            return Err(LiveError::Beyond { key: key.clone(), partition, resume, high });
        }
        if resume < bounds.low {
            gaps.push(Gap { partition, from: resume, to: bounds.low });
        }
    }
    Ok(gaps)
}

/// The partition of a place.
pub(super) fn partition_of(place: &Place) -> Partition {
    Partition { topic: place.topic.clone(), number: place.number }
}

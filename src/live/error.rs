//! Why the service stops.

use super::checkpoint::CheckpointError;
use super::feed::FeedError;
use crate::keeper::KeeperError;
use crate::pipeline::PipelineError;

/// Why the service stops.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LiveError {
    /// The source failed.
    #[error(transparent)]
    Source(#[from] FeedError),
    /// A checkpoint could not be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Detection or the store failed.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The store failed for good.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// State that is in order cannot be taken in.
    #[error(transparent)]
    Detect(#[from] detect::SnapshotError),
    /// The dead letters' topic failed.
    #[error(transparent)]
    DeadLetters(#[from] connect::ProducerError),
    /// The same, of templates.
    #[error(transparent)]
    Templates(#[from] ingest::endpoint::SnapshotError),
    /// The state could not be packed.
    #[error("the state cannot be packed ({0}): report this")]
    Pack(String),
    /// A partition that was read is no longer there, or no longer asked for.
    #[error(
        "checkpoint {key} is of partition {number} of topic {topic} too, which is not there or not in source.topics: name it, or take the state over to another group with `habitus reshard`"
    )]
    Partition {
        /// Which checkpoint.
        key: String,
        /// The topic.
        topic: String,
        /// The partition.
        number: i32,
    },
    /// A partition ends before what was read of it.
    #[error(
        "{partition} ends at offset {high}, but checkpoint {key} has read it up to {resume}: the topic was made anew or cut; take the state over to another group with `habitus reshard`"
    )]
    Beyond {
        /// Which checkpoint.
        key: String,
        /// Topic and number.
        partition: String,
        /// Up to where it was read.
        resume: i64,
        /// Where it ends.
        high: i64,
    },
}

impl LiveError {
    /// Whether trying again may help: brokers do not answer, or somebody else writes to the store.
    pub(crate) const fn is_passing(&self) -> bool {
        match self {
            Self::Source(error) => error.is_passing(),
            Self::DeadLetters(error) => error.is_passing(),
            Self::Keeper(error) => error.is_passing(),
            _ => false,
        }
    }
}

//! Where records come from: topics of a broker, or files that are followed.

use super::LiveError;
use super::files::{FileError, Files};
use ingest::source::kafka::{Bounds, Commit, Next, Partition, Source, SourceError};
use std::time::Duration;

/// A source of records.
#[derive(Debug)]
pub(crate) enum Feed {
    /// Kafka topics, of which one process of a group leads.
    Topics(Source),
    /// Files, which one process follows.
    Files(Files),
}

/// Why records cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// The broker.
    #[error(transparent)]
    Topics(#[from] SourceError),
    /// The files, or what is known of them.
    #[error(transparent)]
    Files(#[from] FileError),
}

impl FeedError {
    /// Whether trying again may help.
    pub(crate) const fn is_passing(&self) -> bool {
        match self {
            Self::Topics(error) => error.is_passing(),
            Self::Files(_) => false,
        }
    }
}

impl From<SourceError> for LiveError {
    fn from(error: SourceError) -> Self {
        Self::Source(error.into())
    }
}

impl Feed {
    /// Waits at most `wait` for what happens next.
    pub(crate) fn next(&mut self, wait: Duration) -> Result<Next, FeedError> {
        match self {
            Self::Topics(source) => Ok(source.next(wait)?),
            Self::Files(files) => Ok(files.next(wait)?),
        }
    }

    /// What comes next, taken while what came before is still being parsed; `None` for files, which say
    /// by what they were asked for how far they were read.
    pub(crate) fn next_ahead(&mut self) -> Result<Option<Next>, FeedError> {
        match self {
            Self::Topics(source) => Ok(Some(source.next(Duration::ZERO)?)),
            Self::Files(_) => Ok(None),
        }
    }

    /// Whether a partition of which nothing was read begins at its end. Files see to that themselves.
    pub(crate) fn starts_latest(&self) -> bool {
        matches!(self, Self::Topics(source) if source.starts_latest())
    }

    /// Starts reading each partition from an offset; where there is none, from its start.
    pub(crate) fn begin(&mut self, offsets: &[Option<i64>]) -> Result<(), FeedError> {
        match self {
            Self::Topics(source) => Ok(source.begin(offsets)?),
            Self::Files(files) => {
                files.begin(offsets);
                Ok(())
            }
        }
    }

    /// Commits where to read on, with `metadata` beside it.
    pub(crate) fn commit(
        &mut self,
        next: &[Option<i64>],
        metadata: &str,
    ) -> Result<Commit, FeedError> {
        match self {
            Self::Topics(source) => Ok(source.commit(next, metadata)?),
            Self::Files(files) => {
                files.commit(next, metadata)?;
                Ok(Commit::Done)
            }
        }
    }

    /// Whether a partition has nothing more.
    pub(crate) fn is_at_end(&mut self, place: usize, next: Option<i64>) -> Result<bool, FeedError> {
        match self {
            Self::Topics(source) => Ok(source.is_at_end(place, next)?),
            Self::Files(files) => Ok(files.follow().is_at_end(place)),
        }
    }

    /// Stops reading, until [`Feed::begin`] is called again.
    pub(crate) fn pause(&mut self) -> Result<(), FeedError> {
        match self {
            Self::Topics(source) => Ok(source.pause()?),
            // They are read only when they are asked for records.
            Self::Files(_) => Ok(()),
        }
    }

    /// Where each partition begins and ends; what is gone of a file is known when it is read.
    pub(crate) fn bounds(&self) -> Result<Vec<Bounds>, FeedError> {
        match self {
            Self::Topics(source) => Ok(source.bounds()?),
            Self::Files(_) => {
                let all = Bounds { low: 0, high: i64::MAX };
                Ok(vec![all; self.partitions().len()])
            }
        }
    }

    /// Puts partitions in an order; files have that in which they were committed.
    pub(crate) fn arrange(&mut self, first: &[Partition]) {
        if let Self::Topics(source) = self {
            source.arrange(first);
        }
    }

    /// What the group asked of this process could not be done yet: it says so again.
    pub(crate) fn ask_again(&mut self) {
        match self {
            Self::Topics(source) => source.ask_again(),
            Self::Files(files) => files.ask_again(),
        }
    }

    /// Looks whether topics have grown; files say so by themselves.
    pub(crate) fn look_again(&mut self) -> Result<bool, FeedError> {
        match self {
            Self::Topics(source) => Ok(source.look_again()?),
            Self::Files(_) => Ok(false),
        }
    }

    /// Whether a broker answered lately; files need none.
    pub(crate) fn has_answered(&mut self) -> bool {
        match self {
            Self::Topics(source) => source.has_answered(),
            Self::Files(_) => true,
        }
    }

    /// How often partitions were assigned to this process.
    pub(crate) fn assignments(&self) -> u64 {
        match self {
            Self::Topics(source) => source.assignments(),
            Self::Files(_) => 0,
        }
    }

    /// The offset after a partition's last record, as far as it is known.
    pub(crate) fn end(&self, place: usize) -> Option<i64> {
        match self {
            Self::Topics(source) => source.end(place),
            Self::Files(_) => None,
        }
    }

    /// Waits without reading; says whether another process leads now.
    pub(crate) fn stay(&mut self, wait: Duration) -> Result<Next, FeedError> {
        match self {
            Self::Topics(source) => Ok(source.stay(wait)?),
            Self::Files(_) => {
                std::thread::sleep(wait);
                Ok(Next::Records(Vec::new()))
            }
        }
    }

    /// All partitions: of topics, or a file each.
    pub(crate) fn partitions(&self) -> &[Partition] {
        match self {
            Self::Topics(source) => source.partitions(),
            Self::Files(files) => files.follow().partitions(),
        }
    }

    /// What partitions are called in evidence.
    pub(crate) fn names(&self) -> Vec<String> {
        let each = self.partitions().iter();
        match self {
            Self::Topics(_) => each.map(|it| format!("{}/{}", it.topic, it.number)).collect(),
            Self::Files(_) => each.map(|it| it.topic.clone()).collect(),
        }
    }

    /// Whether partitions came or changed since this was last asked.
    pub(crate) fn has_changed(&mut self) -> bool {
        match self {
            Self::Topics(_) => false,
            Self::Files(files) => files.follow_mut().has_changed(),
        }
    }

    /// What the source complains of, once.
    pub(crate) fn complaint(&mut self) -> Option<String> {
        match self {
            Self::Topics(source) => source.complaint().map(|it| format!("Kafka says: {it}")),
            Self::Files(files) => files.follow_mut().complaint(),
        }
    }

    /// Partitions that bring nothing more: they need not be waited for.
    pub(crate) fn ended(&self) -> Vec<usize> {
        match self {
            Self::Topics(_) => Vec::new(),
            Self::Files(files) => files.follow().resting().collect(),
        }
    }

    /// Reads no further in these partitions until others have caught up.
    pub(crate) fn hold_back(&mut self, ahead: &[usize]) {
        match self {
            // The client holds its queues back by itself.
            Self::Topics(_) => {}
            Self::Files(files) => files.follow_mut().hold_back(ahead),
        }
    }

    /// Nothing refers to the records of these partitions any more.
    pub(crate) fn release(&mut self, settled: &[usize]) {
        match self {
            Self::Topics(_) => {}
            Self::Files(files) => files.follow_mut().release(settled),
        }
    }
}

//! A slot: one file that is read or rests, and what it is known by.

use super::content::{Extent, Inode, Print};
use super::tail::Tail;
use crate::source::kafka::Partition;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Instant;

/// What a file is known by, and how far it was read.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Known {
    pub(super) inode: Inode,
    pub(super) head: Print,
    /// The bytes before the place that was read to.
    pub(super) last: Print,
    pub(super) position: u64,
    /// What the file system said when it was last closed.
    pub(super) extent: Extent,
    pub(super) is_packed: bool,
}

/// What a slot is doing.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// Its file is being read.
    Active,
    /// Its file rests; its lines may still be judged.
    Resting,
    /// It waits for a file.
    #[default]
    Free,
}

/// A slot as it is kept between two processes.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Kept {
    pub(super) path: PathBuf,
    pub(super) number: i32,
    /// Where it began with its file.
    pub(super) start: u64,
    pub(super) phase: Phase,
    pub(super) known: Known,
}

/// All that is known of files, to be kept beside the offsets.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Registry {
    /// Slots given so far.
    pub(super) count: i32,
    pub(super) slots: Vec<Kept>,
    pub(super) seen: Vec<Known>,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) kept: Kept,
    pub(super) tail: Option<Tail>,
    /// It was read to its end when it was last looked at.
    pub(super) is_at_end: bool,
    pub(super) is_held_back: bool,
    pub(super) looked: Option<Instant>,
    pub(super) grown: Instant,
}

impl Known {
    /// Whether nothing can have happened since it was closed.
    pub(super) fn is_as_it_was(&self, extent: Extent) -> bool {
        extent == self.extent
    }
}

impl Slot {
    /// A slot whose file is not open.
    pub(super) const fn closed(kept: Kept, now: Instant) -> Self {
        Self { kept, tail: None, is_at_end: true, is_held_back: false, looked: None, grown: now }
    }

    pub(super) fn partition(&self) -> Partition {
        Partition { topic: self.kept.path.to_string_lossy().into_owned(), number: self.kept.number }
    }

    pub(super) fn is_of(&self, inode: Inode) -> bool {
        self.kept.phase != Phase::Free && self.kept.known.inode == inode
    }

    pub(super) fn open(&mut self, tail: Tail, inode: Inode) {
        self.kept.phase = Phase::Active;
        self.kept.known.inode = inode;
        self.tail = Some(tail);
        self.is_at_end = false;
    }

    /// Closes the file.
    pub(super) fn rest(&mut self) {
        if let Some(tail) = self.tail.take() {
            self.kept.phase = Phase::Resting;
            let known = &mut self.kept.known;
            known.position = tail.position();
            known.last = tail.print();
            known.is_packed = tail.is_packed();
            known.extent = tail.extent();
        }
    }

    pub(super) fn kept(&self) -> Kept {
        let mut kept = self.kept.clone();
        if let Some(tail) = &self.tail {
            kept.known.position = tail.position();
            kept.known.last = tail.print();
            kept.known.is_packed = tail.is_packed();
        }
        kept
    }
}

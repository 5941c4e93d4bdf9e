//! Files that are followed as they grow: new lines in order, whatever is done to the files.
//!
//! A file is known by its inode and its first bytes, and not by its name: one that is renamed is
//! read to its end, one that is cut and written anew is another, and a copy, packed or not, goes on
//! where the file that it is a copy of ended. Each file that is being read has a *slot*, which
//! stands for a partition of a topic: positions are bytes, of the unpacked text where the file is
//! packed. A file that rests gives up its slot and stays known.

mod content;
mod search;
mod slot;
mod tail;

use super::kafka::{Fetched, Partition, Start};
use content::{Content, Extent, HEAD_BYTES};
pub use content::{Inode, Print};
pub use search::PatternError;
use search::Patterns;
pub use slot::Registry;
use slot::{Kept, Known, Phase, Slot};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tail::{Change, Tail};

/// How often a file that was read to its end is looked at again.
pub const POLL_EVERY: Duration = Duration::from_millis(200);
/// How often names are looked up: new files, and files that changed while they rested.
pub const DISCOVER_EVERY: Duration = Duration::from_secs(1);
/// A file that did not grow for so long is at rest: its last line is taken as it is, with or
/// without its end, and the file is closed until it grows.
pub const REST_AFTER: Duration = Duration::from_mins(1);
/// A compressed file that did not change for so long is whole.
const STABLE_AFTER: Duration = Duration::from_secs(2);
/// Bytes of one file that are handed on together.
const FILE_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a file that was not read yet: enough to see when it begins.
const FIRST_BYTES_MAX: usize = 16 * 1024;
/// Bytes of all files that are handed on together.
const ROUND_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Files that are read at the same time, or were within the last hours.
const SLOTS_MAX: usize = 1_024;
/// Files at rest that are remembered; of more, those that were seen first are forgotten.
const SEEN_MAX: usize = 4_096;
/// Complaints that wait to be said.
const COMPLAINTS_MAX: usize = 64;

/// A file of which it is not clear yet what it is, and its extent when it was looked at.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    extent: Extent,
    until: Until,
}

/// When it may be looked at again, if it does not change before.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// A while after this.
    Looked(Instant),
    /// When the file of this slot rests.
    Rests(usize),
}

/// Files that are followed.
#[derive(Debug)]
pub struct Follow {
    patterns: Patterns,
    slots: Vec<Slot>,
    partitions: Vec<Partition>,
    count: i32,
    /// Files at rest without a slot, the latest last.
    seen: VecDeque<Known>,
    /// Where files begin that are there at the very first look.
    start: Option<Start>,
    discovered: Option<Instant>,
    has_changed: bool,
    /// Whose turn it is.
    turn: usize,
    /// Files of which it is not clear yet what they are.
    waiting: BTreeMap<Inode, Waiting>,
    complaints: VecDeque<String>,
    /// What was complained about, so that it is said once.
    said: BTreeMap<PathBuf, String>,
}

impl Follow {
    /// Files and globs; nothing is opened yet.
    ///
    /// # Errors
    ///
    /// There is no pattern, or one that is none.
    pub fn new(patterns: &[String], start: Start) -> Result<Self, PatternError> {
        Ok(Self {
            patterns: Patterns::new(patterns)?,
            slots: Vec::new(),
            partitions: Vec::new(),
            count: 0,
            seen: VecDeque::new(),
            start: Some(start),
            discovered: None,
            has_changed: false,
            turn: 0,
            waiting: BTreeMap::new(),
            complaints: VecDeque::new(),
            said: BTreeMap::new(),
        })
    }

    /// Takes up what an earlier process knew; [`Follow::begin`] opens the files.
    pub fn resume(&mut self, registry: Registry, now: Instant) {
        self.start = None;
        self.count = registry.count;
        self.seen = registry.seen.into();
        let each = registry.slots.into_iter();
        self.slots = each.map(|kept| Slot::closed(kept, now)).collect();
        self.partitions = self.slots.iter().map(Slot::partition).collect();
    }

    /// What the next process must know.
    pub fn registry(&self) -> Registry {
        Registry {
            count: self.count,
            slots: self.slots.iter().map(Slot::kept).collect(),
            seen: self.seen.iter().cloned().collect(),
        }
    }

    /// Opens the files of all slots, each at its offset; where there is none, where it began.
    pub fn begin(&mut self, offsets: &[Option<i64>], now: Instant) {
        for index in 0..self.slots.len() {
            let offset = offsets.get(index).copied().flatten();
            let Some(slot) = self.slots.get_mut(index) else { continue };
            let from = offset.map_or(slot.kept.start, |offset| offset.max(0) as u64);
            let is_read = slot.kept.phase == Phase::Resting && from >= slot.kept.known.position;
            if slot.kept.phase == Phase::Free || is_read {
                continue;
            }
            slot.grown = now;
            if let Some((tail, inode)) = search::find_again(&slot.kept.path, &slot.kept.known, from)
            {
                slot.open(tail, inode);
                continue;
            }
            let path = slot.kept.path.clone();
            slot.kept.phase = Phase::Resting;
            let why =
                format!("is gone, and with it what was not judged yet, from its byte {from} on");
            self.complain(&path, &why);
        }
    }

    /// All slots, as partitions: of the file's name and how many files came before it.
    pub fn partitions(&self) -> &[Partition] {
        &self.partitions
    }

    /// Whether a slot was given to another file since this was last asked.
    pub fn has_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// What cannot be read and the like, each once.
    pub fn complaint(&mut self) -> Option<String> {
        self.complaints.pop_front()
    }

    /// Whether a slot's file was read to its end.
    pub fn is_at_end(&self, slot: usize) -> bool {
        self.slots.get(slot).is_none_or(|slot| slot.tail.is_none() || slot.is_at_end)
    }

    /// Slots whose file rests: they bring nothing more.
    pub fn resting(&self) -> impl Iterator<Item = usize> + '_ {
        (0..).zip(&self.slots).filter(|(_, slot)| slot.tail.is_none()).map(|(index, _)| index)
    }

    /// These slots, and no others, are not read from until this is called again: they are ahead.
    pub fn hold_back(&mut self, ahead: &[usize]) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.is_held_back = ahead.contains(&index);
        }
    }

    /// Gives up the slots among these whose files rest: nothing refers to them any more.
    pub fn release(&mut self, settled: &[usize]) {
        for index in settled {
            let Some(slot) = self.slots.get_mut(*index) else { continue };
            if slot.kept.phase == Phase::Resting {
                slot.kept.phase = Phase::Free;
                let known = slot.kept.known.clone();
                self.remember(known);
            }
        }
    }

    /// Lines that are there: of every file a few, beginning with another file each time.
    pub fn next(&mut self, now: Instant) -> Vec<Fetched> {
        let is_due = |last: Option<Instant>| {
            last.is_none_or(|last| now.saturating_duration_since(last) >= DISCOVER_EVERY)
        };
        if is_due(self.discovered) {
            self.discovered = Some(now);
            self.discover(now);
        }
        let (mut fetched, mut bytes) = (Vec::new(), 0);
        for step in 0..self.slots.len() {
            if bytes >= ROUND_BYTES_MAX {
                break;
            }
            let index = (self.turn + step) % self.slots.len();
            let (one, count) = self.poll(index, now);
            bytes += count;
            fetched.extend(one);
        }
        self.turn = self.turn.wrapping_add(1) % self.slots.len().max(1);
        fetched
    }

    /// Reads on in one file, if it is its time; what there was, and how many bytes that took.
    fn poll(&mut self, index: usize, now: Instant) -> (Option<Fetched>, usize) {
        let Some(slot) = self.slots.get_mut(index) else { return (None, 0) };
        let Some(tail) = slot.tail.as_mut() else { return (None, 0) };
        let since = |then: Instant| now.saturating_duration_since(then);
        let is_early = slot.is_at_end && slot.looked.is_some_and(|last| since(last) < POLL_EVERY);
        if slot.is_held_back || is_early {
            return (None, 0);
        }
        let is_first = slot.looked.replace(now).is_none();
        match tail.look(&mut slot.kept.known.head) {
            Ok(Change::None) => {}
            Ok(Change::Rewritten) => {
                self.rewritten(index);
                return (None, 0);
            }
            Err(error) => {
                let path = slot.kept.path.clone();
                self.cannot_read(&path, &error);
                return (None, 0);
            }
        }
        let mut one = Fetched::default();
        one.chunk.source = index as u32;
        let wanted = if is_first { FIRST_BYTES_MAX } else { FILE_BYTES_MAX };
        let (count, wrong) = tail.read(wanted, &mut one);
        slot.is_at_end = count < wanted;
        if count > 0 {
            slot.grown = now;
        }
        if let Some(error) = wrong {
            let path = slot.kept.path.clone();
            if tail.is_packed() {
                // What is packed cannot be read on; it is taken up again if it changes.
                slot.rest();
            }
            self.cannot_read(&path, &error);
        } else if count == 0 && (tail.is_packed() || since(slot.grown) >= REST_AFTER) {
            tail.take_rest(&mut one);
            slot.rest();
        }
        let has_lines = !one.offsets.is_empty();
        (has_lines.then_some(one), count)
    }

    /// A file was cut, or holds something else now: what was not read of it may be in a copy.
    fn rewritten(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let Some(tail) = slot.tail.take() else { return };
        let unfinished = tail.unfinished();
        slot.kept.known.position = tail.position();
        slot.kept.known.last = tail.print();
        let (path, known) = (slot.kept.path.clone(), slot.kept.known.clone());
        if let Some((tail, inode)) = search::find_copy(&path, &known, known.position) {
            slot.open(tail, inode);
            return;
        }
        // The inode has another file now, so that this one is known by its bytes only.
        slot.kept.known.inode = Inode::default();
        slot.kept.phase = Phase::Resting;
        if unfinished > 0 {
            self.complain(
                &path,
                &format!(
                    "was rewritten in the middle of a line, of which {unfinished} bytes are lost"
                ),
            );
        }
    }

    /// Looks for files that are new, or that changed while they rested.
    fn discover(&mut self, now: Instant) {
        let (found, problems) = self.patterns.find();
        for (path, why) in problems {
            self.complain(&path, &why);
        }
        let mut met: BTreeSet<Inode> = BTreeSet::new();
        for (path, metadata) in found {
            if path.to_str().is_none() {
                self.complain(&path, "has a name that is not UTF-8: rename it");
                continue;
            }
            let inode = Inode::of(&metadata);
            if !met.insert(inode) {
                continue;
            }
            match self.meet(&path, inode, Extent::of(&metadata), now) {
                Ok(()) => {}
                Err(error) => self.cannot_read(&path, &error),
            }
        }
        self.start = None;
        self.waiting.retain(|inode, _| met.contains(inode));
    }

    /// A name leads to this file: it is read, rests, is a copy, or is new.
    fn meet(&mut self, path: &Path, inode: Inode, extent: Extent, now: Instant) -> io::Result<()> {
        if let Some(index) = self.slots.iter().position(|slot| slot.is_of(inode)) {
            let Some(slot) = self.slots.get_mut(index) else { return Ok(()) };
            if slot.tail.is_some() || slot.kept.known.is_as_it_was(extent) {
                return Ok(());
            }
            if let Some(tail) = search::reopen(path, &slot.kept.known)? {
                slot.grown = now;
                slot.open(tail, inode);
                self.said.remove(path);
                return Ok(());
            }
            slot.kept.known.inode = Inode::default();
        }
        if let Some(at) = self.seen.iter().position(|known| known.inode == inode) {
            let Some(known) = self.seen.get(at) else { return Ok(()) };
            if known.is_as_it_was(extent) {
                return Ok(());
            }
            let tail = search::reopen(path, known)?;
            let Some(known) = self.seen.remove(at) else { return Ok(()) };
            if let Some(tail) = tail {
                self.give(path, tail, known, now);
                return Ok(());
            }
        }
        self.meet_new(path, inode, extent, now)
    }

    fn meet_new(
        &mut self,
        path: &Path,
        inode: Inode,
        extent: Extent,
        now: Instant,
    ) -> io::Result<()> {
        if self.is_waiting(inode, extent, now) {
            return Ok(());
        }
        let head = Content::head(path)?;
        if let Some(damage) = super::lines::not_text(&head) {
            self.complain(path, &format!("{damage}; {}", damage.cure()));
            return Ok(());
        }
        let (mut content, _) = Content::open(path)?;
        if content.is_packed() && self.start == Some(Start::Latest) {
            let head = Print::of(0, &head);
            self.remember(Known { inode, head, extent, is_packed: true, ..Known::default() });
            return Ok(());
        }
        if content.is_packed() && self.waiting.get(&inode).is_none_or(|it| it.extent != extent) {
            // It may be written still.
            self.waiting.insert(inode, Waiting { extent, until: Until::Looked(now) });
            return Ok(());
        }
        if let Some(index) = self.copied(path, &head) {
            // Once the original is gone or rests, it is clear which of them goes on.
            self.waiting.insert(inode, Waiting { extent, until: Until::Rests(index) });
            return Ok(());
        }
        let resting = self.slots.iter().filter(|slot| slot.kept.phase == Phase::Resting);
        let resting = resting.map(|slot| &slot.kept.known);
        let mut alike =
            resting.chain(&self.seen).filter(|known| search::begins_alike(known, &head));
        let original =
            alike.find(|it| search::ends_alike(path, it) || search::is_copy(path, &it.last));
        if content.is_packed() {
            content = Content::open(path)?.0;
        }
        let mut known = Known {
            inode,
            head: Print::of(0, head.get(..HEAD_BYTES).unwrap_or(&head)),
            is_packed: content.is_packed(),
            extent,
            ..Known::default()
        };
        if let Some(original) = original {
            known.position = original.position;
            known.last = original.last.clone();
            if search::ends_alike(path, original) {
                self.remember(known);
                return Ok(());
            }
        } else if self.start == Some(Start::Latest) {
            known.position = search::last_line(&content, extent.size)?;
        }
        self.waiting.remove(&inode);
        let Some(tail) = Tail::open(content, known.position)? else { return Ok(()) };
        if !self.give(path, tail, known, now) {
            self.complain(path, &format!("waits: {SLOTS_MAX} files are read already"));
        }
        Ok(())
    }

    /// Whether it is too early to say what a file is.
    fn is_waiting(&self, inode: Inode, extent: Extent, now: Instant) -> bool {
        self.waiting.get(&inode).is_some_and(|waiting| {
            waiting.extent == extent
                && match waiting.until {
                    Until::Looked(then) => now.saturating_duration_since(then) < STABLE_AFTER,
                    Until::Rests(slot) => self.slots.get(slot).is_some_and(|it| it.tail.is_some()),
                }
        })
    }

    /// The slot whose file, which is being read, the file at `path` is a copy of, whole or not yet.
    fn copied(&mut self, path: &Path, head: &[u8]) -> Option<usize> {
        let mut end = None;
        self.slots.iter_mut().position(|slot| {
            let Some(tail) = slot.tail.as_mut() else { return false };
            if !search::begins_alike(&slot.kept.known, head) {
                return false;
            }
            if search::is_copy(path, &tail.print()) {
                return true;
            }
            let end =
                end.get_or_insert_with(|| Content::open(path).and_then(|mut it| it.0.end()).ok());
            end.as_ref().is_some_and(|end| tail.has(end))
        })
    }

    /// Gives a file a slot; false if there is none left.
    fn give(&mut self, path: &Path, tail: Tail, known: Known, now: Instant) -> bool {
        let free = self.slots.iter().position(|slot| slot.kept.phase == Phase::Free);
        let index = match free {
            Some(index) => index,
            None if self.slots.len() < SLOTS_MAX => self.slots.len(),
            None => return false,
        };
        self.count = self.count.wrapping_add(1);
        let kept = Kept {
            path: path.to_owned(),
            number: self.count,
            start: known.position,
            phase: Phase::Active,
            known,
        };
        let inode = kept.known.inode;
        let mut slot = Slot::closed(kept, now);
        slot.open(tail, inode);
        let partition = slot.partition();
        if let (Some(old), Some(place)) =
            (self.slots.get_mut(index), self.partitions.get_mut(index))
        {
            *old = slot;
            *place = partition;
        } else {
            self.slots.push(slot);
            self.partitions.push(partition);
        }
        self.has_changed = true;
        self.said.remove(path);
        true
    }

    fn remember(&mut self, known: Known) {
        self.seen.push_back(known);
        if self.seen.len() > SEEN_MAX {
            self.seen.pop_front();
        }
    }

    fn cannot_read(&mut self, path: &Path, error: &io::Error) {
        let why = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "may not be read: give this user permission; it is tried again".to_owned()
            }
            io::ErrorKind::UnexpectedEof => {
                "is compressed and ends in the middle; it is taken up again when it changes"
                    .to_owned()
            }
            _ => format!("cannot be read ({error}); it is tried again"),
        };
        self.complain(path, &why);
    }

    /// Says what is wrong with a file, unless that was said last.
    fn complain(&mut self, path: &Path, why: &str) {
        if self.said.get(path).is_some_and(|said| said == why) {
            return;
        }
        if self.said.len() >= SEEN_MAX {
            self.said.clear();
        }
        self.said.insert(path.to_owned(), why.to_owned());
        if self.complaints.len() < COMPLAINTS_MAX {
            self.complaints.push_back(format!("`{}` {why}", path.display()));
        }
    }
}

#[cfg(test)]
mod tests;

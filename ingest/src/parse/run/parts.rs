//! Lines that come in parts, because a container's runtime cuts long ones: what waits for the rest.

use crate::envelope;
use model::Position;
use model::limit::LINE_BYTES_MAX;
use std::cell::OnceCell;

/// Lines that may wait at once. Where another one begins, that which waits longest waits in vain.
const WAITING_MAX: usize = 32;

/// Whose line a part is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Owner {
    /// A hash of what the carriers say of where it comes from; 0 where they say nothing.
    pub(super) carrier: u64,
    /// Which of a container's streams it is of.
    pub(super) stream: usize,
}

/// An object that a line stands in.
#[derive(Debug)]
pub(in crate::parse) struct Around<'a> {
    object: &'a str,
    outer: Option<&'a Around<'a>>,
    /// Asked only where there are parts, and then once for all lines in the object.
    carrier: OnceCell<u64>,
}

impl<'a> Around<'a> {
    pub(super) fn new(object: &'a str, outer: Option<&'a Self>) -> Self {
        Self { object, outer, carrier: OnceCell::new() }
    }

    /// A hash of what it and all objects around it say of where a line comes from; 0 where they say
    /// nothing.
    pub(super) fn carrier(&self) -> u64 {
        *self.carrier.get_or_init(|| {
            let outer = self.outer.map_or(0, Self::carrier);
            outer.rotate_left(1) ^ envelope::carrier(self.object)
        })
    }
}

/// The parts that wait, those of one line together; the line that waits longest is the first.
#[derive(Debug, Default)]
pub(super) struct Parts(Vec<(Owner, Waiting)>);

/// What there is of a line.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Waiting {
    /// Where its first part stands.
    pub(super) position: Position,
    pub(super) text: String,
}

impl Parts {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a part to its line; returns what had to make room for a new one.
    pub(super) fn add(&mut self, owner: Owner, position: Position, part: &str) -> Option<Waiting> {
        if let Some((_, line)) = self.0.iter_mut().find(|(it, _)| *it == owner) {
            // Of a line that gets too long no more is kept than shows that it is.
            if line.text.len() <= LINE_BYTES_MAX {
                line.text.push_str(part);
            }
            return None;
        }
        let given_up = (self.0.len() == WAITING_MAX).then(|| self.0.remove(0).1);
        self.0.push((owner, Waiting { position, text: part.to_owned() }));
        given_up
    }

    /// Takes out what waits for the end of an owner's line.
    pub(super) fn take(&mut self, owner: Owner) -> Option<Waiting> {
        let at = self.0.iter().position(|(it, _)| *it == owner)?;
        Some(self.0.remove(at).1)
    }

    /// Takes out all that waits.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Waiting> + use<> {
        std::mem::take(&mut self.0).into_iter().map(|(_, line)| line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(carrier: u64) -> Owner {
        Owner { carrier, stream: 0 }
    }

    fn line(line: u64) -> Position {
        Position { source: 0, line }
    }

    fn waiting(number: u64, text: &str) -> Waiting {
        Waiting { position: line(number), text: text.to_owned() }
    }

    #[test]
    fn parts_of_one_line_come_together_and_no_others() {
        let mut parts = Parts::default();
        for (number, (carrier, part)) in (1..).zip([(1, "a"), (2, "x"), (1, "b")]) {
            assert_eq!(parts.add(owner(carrier), line(number), part), None);
        }
        assert_eq!(parts.take(Owner { carrier: 1, stream: 1 }), None);
        assert_eq!(parts.take(owner(1)), Some(waiting(1, "ab")));
        assert_eq!(parts.take(owner(1)), None);
        assert_eq!(parts.take_all().next(), Some(waiting(2, "x")));
        assert!(parts.is_empty());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut parts = Parts::default();
        for carrier in 0..WAITING_MAX as u64 {
            assert_eq!(parts.add(owner(carrier), line(carrier), "a"), None);
        }
        let given_up = parts.add(owner(99), line(99), "b");
        assert_eq!(given_up, Some(waiting(0, "a")), "the oldest makes room");
        assert_eq!(parts.take(owner(0)), None);
        let part = "x".repeat(LINE_BYTES_MAX);
        for _ in 0..9 {
            parts.add(owner(99), line(99), &part);
        }
        let length = parts.take(owner(99)).map_or(0, |it| it.text.len());
        assert!((LINE_BYTES_MAX..=3 * LINE_BYTES_MAX).contains(&length), "{length}");
    }
}

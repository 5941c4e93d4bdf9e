//! A state that is written as changes on changes is the state.

use super::stream::{Run, events, plan};
use super::{SnapshotError, check_same, run};
use crate::{Engine, Extent, StatePart};

/// Changes that follow one whole state, at most.
const CHANGES_MAX: usize = 8;

/// What was written of an engine, the whole state first.
#[derive(Debug, Default)]
pub(super) struct Chain {
    whole: Vec<Vec<u8>>,
    changes: Vec<Vec<Vec<u8>>>,
    written: usize,
    /// The engine that was read back goes on, every so many times.
    swap_every: usize,
    /// Bytes of all whole states, and of all changes.
    bytes: [usize; 2],
}

impl Chain {
    fn link(engine: &Engine, extent: Extent) -> Vec<Vec<u8>> {
        engine.parts(extent).into_iter().map(StatePart::write).collect::<Result<_, _>>().unwrap()
    }

    pub(super) fn write(&mut self, engine: &mut Engine) {
        let is_whole = self.whole.is_empty() || self.changes.len() >= CHANGES_MAX;
        let link = Self::link(engine, if is_whole { Extent::Whole } else { Extent::Changes });
        self.bytes[usize::from(!is_whole)] += link.iter().map(Vec::len).sum::<usize>();
        if is_whole {
            (self.whole, self.changes) = (link, Vec::new());
        } else {
            self.changes.push(link);
        }
        engine.settle();
        self.written += 1;
        let again = Engine::restore(plan(), &self.whole, &self.changes).unwrap();
        let same = again.export().unwrap() == engine.export().unwrap();
        assert!(same, "link {} gives another state", self.written);
        if self.swap_every > 0 && self.written.is_multiple_of(self.swap_every) {
            *engine = again;
        }
    }
}

fn check_chain(part: usize, swap_every: usize, is_written: &dyn Fn(usize) -> bool) {
    let batch = events(30);
    let through = run(&batch, part, &|_| false);
    let mut chained = Run::new(&batch, is_written);
    chained.chain = Some(Chain { swap_every, ..Chain::default() });
    chained.through(part);
    let [whole, changes] = chained.chain.as_ref().unwrap().bytes;
    assert!(changes > 0 && whole > 0);
    check_same(&through, &chained.finish());
}

#[test]
fn changes_at_every_step_add_up_to_the_state() {
    check_chain(211, 0, &|_| true);
}

#[test]
fn changes_go_on_where_they_were_read_back() {
    check_chain(211, 3, &|step| step % 5 != 1);
    check_chain(97, 1, &|step| step % 11 == 0);
}

#[test]
fn nothing_changed_is_next_to_nothing() {
    let batch = events(3);
    let mut run = Run::new(&batch, &|_| false);
    run.through(500);
    run.engine.settle();
    let link = Chain::link(&run.engine, Extent::Changes);
    let bytes: usize = link.iter().map(Vec::len).sum();
    assert!(bytes < 200, "{bytes} bytes");
    assert_eq!(link.len(), Engine::PARTS);
}

#[test]
fn changes_of_another_state_are_refused() {
    let batch = events(3);
    let mut run = Run::new(&batch, &|_| false);
    run.through(500);
    let whole = Chain::link(&run.engine, Extent::Whole);
    let empty = Chain::link(&Engine::new(plan()), Extent::Whole);
    // All identities are new since the last export, of which there was none.
    let changes = Chain::link(&run.engine, Extent::Changes);
    assert!(Engine::restore(plan(), &empty, std::slice::from_ref(&changes)).is_ok());
    let mut late = Run::new(&batch, &|_| false);
    late.engine = Engine::restore(plan(), &whole, &[]).unwrap();
    late.engine.settle();
    for wrong in [&whole, &changes[1..].to_vec(), &Vec::new()] {
        let error = Engine::restore(plan(), &whole, std::slice::from_ref(wrong)).unwrap_err();
        assert!(
            matches!(error, SnapshotError::Foreign { .. } | SnapshotError::Corrupt { .. }),
            "{error}"
        );
    }
    let error = Engine::restore(plan(), &changes, &[]).unwrap_err();
    assert!(!matches!(error, SnapshotError::Version { .. }), "{error}");
}

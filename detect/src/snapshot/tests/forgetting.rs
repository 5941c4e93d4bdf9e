//! Who was forgotten is in no state that is written.

use super::stream::{Run, events, plan};
use crate::{Engine, Router};

/// Whether bytes hold a text.
fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|it| it == text.as_bytes())
}

#[test]
fn nothing_of_the_state_names_who_was_forgotten() {
    let batch = events(28);
    let mut run = Run::new(&batch, &|_| false);
    run.through(211);
    let mut engine = run.engine;
    let all = engine.named(&|_| true);
    assert!(all.len() > 20, "{}", all.len());
    for (index, id) in all.iter().enumerate().step_by(7) {
        assert!(holds(&engine.export().unwrap(), id));
        let before = engine.tally();
        let gone = engine.forget(id);
        assert_eq!(gone.hashes.len(), 1, "{id}");
        let bytes = engine.export().unwrap();
        let longer = all.iter().any(|it| it != id && it.contains(id.as_str()));
        assert!(longer || !holds(&bytes, id), "{id}, number {index}");
        assert_eq!(engine.tally().identities, before.identities - 1);
        assert!(engine.tally().state_bytes < before.state_bytes);
        assert!(engine.named(&|it| it == id).is_empty());
        // Everybody else is found where they were, also after an import.
        engine = Engine::import(plan(), &bytes).unwrap();
        assert_eq!(engine.export().unwrap(), bytes);
    }
    let left = engine.tally().identities;
    assert_eq!(left, (all.len() - all.len().div_ceil(7)) as u64);
}

#[test]
fn nothing_of_a_graph_names_an_agent_that_was_forgotten() {
    let batch = events(26);
    let mut run = Run::new(&batch, &|_| false);
    run.through(211);
    let mut engine = run.engine;
    for name in ["desk", "buyer"] {
        assert!(holds(&engine.export().unwrap(), name));
        engine.forget(name);
        assert!(!holds(&engine.export().unwrap(), name), "{name}");
    }
}

#[test]
fn who_is_not_known_changes_nothing() {
    let batch = events(3);
    let mut run = Run::new(&batch, &|_| false);
    run.through(500);
    let mut engine = run.engine;
    let before = engine.export().unwrap();
    assert!(engine.forget("nobody of that name").hashes.is_empty());
    assert_eq!(engine.export().unwrap(), before);
    let mut router = Router::default();
    router.forget("nobody of that name", &[]);
    assert_eq!(router.export().unwrap(), Router::default().export().unwrap());
}

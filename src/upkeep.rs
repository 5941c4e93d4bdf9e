//! Upkeep: while the service works, its directory is compacted in the background, a merge at a time.

use model::Time;
use model::time::NS_PER_S;
use std::time::{Duration, SystemTime};
use store::{Compacted, Keep, Store, StoreError};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// How long after a merge the next one is looked for.
const NEXT_AFTER_NS: i64 = 10 * NS_PER_S;
/// How long after there was nothing to do, or it failed.
const NOTHING_AFTER_NS: i64 = 60 * NS_PER_S;

/// The upkeep of a directory.
#[derive(Debug)]
pub(crate) struct Upkeep {
    keep: Keep,
    running: Option<JoinHandle<Result<Compacted, StoreError>>>,
    next_at: Option<Time>,
    /// What went wrong last, so that it is said once.
    wrong: Option<String>,
}

impl Upkeep {
    pub(crate) const fn new(keep: Keep) -> Self {
        Self { keep, running: None, next_at: None, wrong: None }
    }

    /// Looks after what is running, and starts the next if it is time; never waits for it.
    pub(crate) fn turn(&mut self, store: &Store, runtime: &Handle, wall: Time) {
        if let Some(running) = self.running.take_if(|it| it.is_finished()) {
            let pause = match runtime.block_on(running) {
                Ok(Ok(done)) if !done.is_nothing() => {
                    self.wrong = None;
                    NEXT_AFTER_NS
                }
                Ok(Ok(_)) => NOTHING_AFTER_NS,
                Ok(Err(error)) => {
                    self.say(error.to_string());
                    NOTHING_AFTER_NS
                }
                Err(error) => {
                    self.say(error.to_string());
                    NOTHING_AFTER_NS
                }
            };
            self.next_at = Some(wall.plus(pause));
        }
        let is_due = self.next_at.is_none_or(|at| wall >= at);
        if self.running.is_none() && is_due {
            let (store, keep) = (store.clone(), self.keep);
            let now = system_time(wall);
            self.running =
                Some(runtime.spawn(async move { store.compact(keep, now, false).await }));
        }
    }

    fn say(&mut self, why: String) {
        if self.wrong.as_ref() != Some(&why) {
            crate::note(&format!("the store was not compacted ({why}): it is tried again"));
            self.wrong = Some(why);
        }
    }
}

/// The same instant for the file system.
pub(crate) fn system_time(wall: Time) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(wall.ns().max(0) as u64)
}

//! The task that sends what waits on disk: one event after the other, again with growing pauses.

use super::endpoint::{Endpoint, Outcome};
use super::signature::Signer;
use super::spool::{Letter, Spool};
use super::{OutletError, Undelivered};
use model::Time;
use model::time::NS_PER_D;
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// How often the directory is looked at when nobody says that there is news: another process may
/// have put something there.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Tries after which an event lets the others pass.
const TRIES_IN_A_ROW_MAX: u32 = 10;
/// How long an event is tried, from when it was put on disk.
const AGE_NS_MAX: i64 = 3 * NS_PER_D;

/// The pauses between tries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The first.
    pub(super) first: Duration,
    /// The longest: each is twice the one before.
    pub(super) longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_mins(5) }
    }
}

/// What the task and the keeper both know.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) sent: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) given_up: AtomicU64,
    pub(super) pending: AtomicU64,
    is_failing: AtomicBool,
    pub(super) news: Notify,
}

impl Shared {
    /// Whether the last try failed.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }
}

/// The task.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) endpoint: Endpoint,
    pub(super) signer: Signer,
    pub(super) spool: Spool,
    pub(super) undelivered: Undelivered,
    pub(super) shared: std::sync::Arc<Shared>,
    pub(super) pace: Pace,
    pub(super) wall: fn() -> Time,
}

/// What waits, as the task sees it.
#[derive(Debug, Default)]
struct Turn {
    line: VecDeque<String>,
    /// Those that let the others pass.
    later: BTreeSet<String>,
    /// Failures in a row: the pause grows with them.
    failures: u32,
    /// Tries of the event at the head.
    tries: u32,
}

impl Sender {
    /// Sends until the task is ended.
    pub(super) async fn run(self) {
        let mut turn = Turn::default();
        let mut held = None;
        loop {
            if held.is_none() {
                held = self.spool.lock().unwrap_or_else(|error| {
                    self.complain(&error);
                    None
                });
            }
            let pause = match self.step(&mut turn, held.is_some()).await {
                Ok(pause) => pause,
                Err(error) => {
                    self.complain(&error);
                    LOOK_EVERY
                }
            };
            if turn.failures == 0 && turn.line.is_empty() {
                // Whoever is told of news looks at once.
                timeout(pause, self.shared.news.notified()).await.ok();
            } else {
                sleep(pause).await;
            }
        }
    }

    /// Tries the event at the head; how long to wait before the next.
    async fn step(&self, turn: &mut Turn, may_send: bool) -> Result<Duration, OutletError> {
        if turn.line.is_empty() {
            let (later, now): (Vec<_>, Vec<_>) =
                self.spool.names()?.into_iter().partition(|name| turn.later.contains(name));
            turn.line = now.into_iter().chain(later).collect();
            self.shared.pending.store(turn.line.len() as u64, Ordering::Relaxed);
        }
        let Some(name) = turn.line.front().filter(|_| may_send).cloned() else {
            turn.line.clear();
            return Ok(LOOK_EVERY);
        };
        let letter = match self.spool.get(&name)? {
            None => return self.done(turn, &name),
            Some(Ok(letter)) => letter,
            Some(Err(text)) => {
                self.give_up("the file was damaged", &text)?;
                return self.done(turn, &name);
            }
        };
        let now = (self.wall)();
        match self.endpoint.post(&letter, &self.signer, now).await {
            Outcome::Done => {
                self.shared.sent.fetch_add(1, Ordering::Relaxed);
                self.recovered(turn);
                self.done(turn, &name)
            }
            Outcome::GivenUp { why } => {
                self.give_up(&why, &letter.body)?;
                self.recovered(turn);
                self.done(turn, &name)
            }
            Outcome::Again { why, .. } if now.since(letter.since) > AGE_NS_MAX => {
                self.give_up(&format!("not taken in three days: {why}"), &letter.body)?;
                self.done(turn, &name)
            }
            Outcome::Again { why, after } => Ok(self.again(turn, &letter, &why, after)),
        }
    }

    /// The event at the head is done with.
    fn done(&self, turn: &mut Turn, name: &str) -> Result<Duration, OutletError> {
        self.spool.remove(name)?;
        turn.line.pop_front();
        turn.later.remove(name);
        turn.tries = 0;
        // Never below zero: the directory is counted at each turn.
        let less = |pending: u64| Some(pending.saturating_sub(1));
        self.shared.pending.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok();
        Ok(Duration::ZERO)
    }

    fn give_up(&self, why: &str, body: &str) -> Result<(), OutletError> {
        self.undelivered.append("webhook", why, body)?;
        self.shared.given_up.fetch_add(1, Ordering::Relaxed);
        crate::note(&format!(
            "webhook: {} will not have an event ({why}): it is in the dead-letter file",
            self.endpoint.host(),
        ));
        Ok(())
    }

    /// The pause before the next try; after many the others are let by.
    fn again(
        &self,
        turn: &mut Turn,
        letter: &Letter,
        why: &str,
        after: Option<Duration>,
    ) -> Duration {
        if !self.shared.is_failing.swap(true, Ordering::Relaxed) {
            crate::note(&format!(
                "webhook: {} did not take {} ({why}): it is tried again, {} wait",
                self.endpoint.host(),
                letter.id,
                self.shared.pending.load(Ordering::Relaxed),
            ));
        }
        self.shared.retries.fetch_add(1, Ordering::Relaxed);
        turn.failures = turn.failures.saturating_add(1);
        turn.tries += 1;
        let name = turn.line.front().cloned().unwrap_or_default();
        if turn.tries >= TRIES_IN_A_ROW_MAX || turn.later.contains(&name) {
            // The next turn begins with the others, and with those that came meanwhile.
            turn.later.insert(name);
            turn.line.clear();
            turn.tries = 0;
        }
        let doubled = self.pace.first.saturating_mul(1 << (turn.failures - 1).min(20));
        let pause = jittered(doubled.min(self.pace.longest));
        after.map_or(pause, |after| after.max(pause))
    }

    fn recovered(&self, turn: &mut Turn) {
        turn.failures = 0;
        if self.shared.is_failing.swap(false, Ordering::Relaxed) {
            crate::note(&format!("webhook: {} takes events again", self.endpoint.host()));
        }
    }

    /// Says once that the disk fails.
    fn complain(&self, error: &dyn std::fmt::Display) {
        if !self.shared.is_failing.swap(true, Ordering::Relaxed) {
            crate::note(&format!("webhook: {error}"));
        }
    }
}

/// From half of a pause to all of it, so that many senders do not come at once.
fn jittered(pause: Duration) -> Duration {
    let mut bytes = [0; 2];
    // Without randomness the pause is merely the whole one.
    let is_random = getrandom::fill(&mut bytes).is_ok();
    let share = if is_random { f64::from(u16::from_le_bytes(bytes)) / 65_536.0 } else { 1.0 };
    pause.mul_f64(0.5 + share / 2.0)
}

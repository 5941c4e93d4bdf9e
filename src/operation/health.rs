//! Whether the service lives, and whether it is ready.
//!
//! It lives while its main loop turns. A loop that waits for a store or a broker does not turn, but
//! it is not stuck either: to restart the process would help nobody. So every long wait is announced,
//! and has a limit of its own that is longer than what the clients allow.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// The main loop is stuck when it did not turn for so long, and waits for nothing.
const STUCK_AFTER: Duration = Duration::from_mins(1);
/// It is stuck when it waited for so long: the store's client gives up an insert, with all its tries,
/// after 17 minutes.
const WAIT_MAX: Duration = Duration::from_mins(30);
/// A broker answers when it sent anything within this time; a member of a group hears from its
/// coordinator every few seconds.
const BROKER_SILENT_MAX: Duration = Duration::from_secs(30);
/// How often a server is asked whether it answers.
pub(crate) const STORE_ASKED_EVERY: Duration = Duration::from_secs(5);
/// Nothing was heard yet.
const NEVER: i64 = i64::MIN;

/// What the service does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// It has not joined the group yet.
    Starting,
    /// Another process leads.
    StandingBy,
    /// It reads the partitions.
    Leading,
    /// It leads, and the store does not take what was found.
    WaitingForStore,
    /// Most of what came is no event: nothing is committed until it is set up rightly.
    HeldBack,
    /// It was told to stop.
    Stopping,
}

impl State {
    /// Every state.
    pub(crate) const ALL: [Self; 6] = [
        Self::Starting,
        Self::StandingBy,
        Self::Leading,
        Self::WaitingForStore,
        Self::HeldBack,
        Self::Stopping,
    ];

    /// Its name in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::StandingBy => "standing_by",
            Self::Leading => "leading",
            Self::WaitingForStore => "waiting_for_store",
            Self::HeldBack => "held_back",
            Self::Stopping => "stopping",
        }
    }
}

/// What is known about the main loop and those it speaks to.
#[derive(Debug)]
pub(crate) struct Health {
    now: fn() -> Instant,
    began: Instant,
    /// When the loop turned last, since the beginning.
    turned_ns: AtomicI64,
    waits: AtomicBool,
    state: AtomicU8,
    store_answers: AtomicBool,
    broker_ns: AtomicI64,
}

impl Health {
    /// Of a service that starts now, and whose store answered when it was opened.
    pub(crate) fn new(now: fn() -> Instant) -> Self {
        Self {
            now,
            began: now(),
            turned_ns: AtomicI64::new(0),
            waits: AtomicBool::new(false),
            state: AtomicU8::new(State::Starting as u8),
            store_answers: AtomicBool::new(true),
            broker_ns: AtomicI64::new(NEVER),
        }
    }

    fn elapsed_ns(&self) -> i64 {
        (self.now)().saturating_duration_since(self.began).as_nanos() as i64
    }

    /// The main loop turns.
    pub(crate) fn turn(&self) {
        self.turned_ns.store(self.elapsed_ns(), Ordering::Relaxed);
    }

    /// Does what may wait for others.
    pub(crate) fn waiting<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.turn();
        self.waits.store(true, Ordering::Relaxed);
        let outcome = wait();
        self.turn();
        self.waits.store(false, Ordering::Relaxed);
        outcome
    }

    /// A broker answered a moment ago.
    pub(crate) fn broker_answered(&self) {
        self.broker_ns.store(self.elapsed_ns(), Ordering::Relaxed);
    }

    /// The store answered, or did not.
    pub(crate) fn store(&self, answers: bool) {
        self.store_answers.store(answers, Ordering::Relaxed);
    }

    /// The service does something else now; what stops does not start again.
    pub(crate) fn enter(&self, state: State) {
        if self.state() != State::Stopping {
            self.state.store(state as u8, Ordering::Relaxed);
        }
    }

    pub(crate) fn state(&self) -> State {
        let number = usize::from(self.state.load(Ordering::Relaxed));
        State::ALL.get(number).copied().unwrap_or(State::Starting)
    }

    /// Why the service does not live, if it does not.
    pub(crate) fn is_live(&self) -> Result<(), String> {
        let since = Duration::from_nanos(
            (self.elapsed_ns() - self.turned_ns.load(Ordering::Relaxed)).max(0) as u64,
        );
        let (limit, what) = if self.waits.load(Ordering::Relaxed) {
            (WAIT_MAX, "waits for the store, the checkpoints or the broker")
        } else {
            (STUCK_AFTER, "has not turned")
        };
        if since <= limit {
            Ok(())
        } else {
            Err(format!("the main loop {what} for {} s", since.as_secs()))
        }
    }

    /// Why the service is not ready, if it is not.
    pub(crate) fn is_ready(&self) -> Result<(), String> {
        self.is_live()?;
        let no = |why: &str| Err(why.to_owned());
        match self.state() {
            State::Starting => no("the service is starting"),
            State::Stopping => no("the service is stopping"),
            State::WaitingForStore => no("the store takes nothing; it is tried again"),
            State::HeldBack => no(
                "most records are no events, more than run.poison_share_max: nothing is committed",
            ),
            State::Leading if !self.store_answers.load(Ordering::Relaxed) => {
                no("the store does not answer")
            }
            State::Leading => Ok(()),
            State::StandingBy => {
                let heard = self.broker_ns.load(Ordering::Relaxed);
                let silent = self.elapsed_ns().saturating_sub(heard);
                if heard != NEVER && silent <= BROKER_SILENT_MAX.as_nanos() as i64 {
                    Ok(())
                } else {
                    no("no broker answers")
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicU64;

    /// The tests' clock: each thread of the test runner shares it, so it only goes on.
    fn clock() -> Instant {
        static BEGAN: OnceLock<Instant> = OnceLock::new();
        *BEGAN.get_or_init(began) + Duration::from_secs(SECONDS.load(Ordering::Relaxed))
    }

    #[expect(clippy::disallowed_methods, reason = "the clock of a test begins somewhere")]
    fn began() -> Instant {
        Instant::now()
    }

    static SECONDS: AtomicU64 = AtomicU64::new(0);

    fn pass(time: Duration) {
        SECONDS.fetch_add(time.as_secs() + 1, Ordering::Relaxed);
    }

    /// One test, because its clock is shared.
    #[test]
    fn what_is_stuck_is_told_from_what_waits() {
        let health = Health::new(clock);
        assert!(health.is_live().is_ok());
        assert!(health.is_ready().unwrap_err().contains("starting"));
        health.enter(State::Leading);
        assert!(health.is_ready().is_ok());

        pass(STUCK_AFTER);
        assert!(health.is_live().unwrap_err().contains("has not turned for 6"));
        assert!(health.is_ready().is_err());
        health.turn();
        assert!(health.is_live().is_ok());

        health.waiting(|| {
            pass(STUCK_AFTER);
            assert!(health.is_live().is_ok());
            pass(WAIT_MAX);
            assert!(health.is_live().unwrap_err().contains("waits"));
        });
        assert!(health.is_live().is_ok());

        health.store(false);
        assert!(health.is_ready().unwrap_err().contains("does not answer"));
        health.store(true);
        health.enter(State::WaitingForStore);
        assert!(health.is_live().is_ok() && health.is_ready().is_err());

        health.enter(State::StandingBy);
        assert!(health.is_ready().unwrap_err().contains("no broker"));
        health.broker_answered();
        assert!(health.is_ready().is_ok());
        pass(BROKER_SILENT_MAX);
        health.turn();
        assert!(health.is_ready().unwrap_err().contains("no broker"));

        health.enter(State::Stopping);
        health.enter(State::Leading);
        assert!(health.is_live().is_ok() && health.is_ready().is_err());
    }
}

//! When each line is due: at once, so many a second, or at the moment that it tells of.

use crate::cli::Rate;
use crate::commands::Failure;
use model::Time;
use model::time::NS_PER_S;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long is slept before it is looked whether to stop.
const NAP_MAX: Duration = Duration::from_millis(100);
/// Less than this is not slept: waking up takes as long.
const AHEAD_MIN: Duration = Duration::from_millis(2);

/// Holds lines back until they are due.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    /// Where it becomes now.
    live: Option<Time>,
    begun: Option<Time>,
    stop: Arc<AtomicBool>,
}

impl Pace {
    pub(super) const fn new(rate: Rate, live: Option<Time>, stop: Arc<AtomicBool>) -> Self {
        Self { rate, live, begun: None, stop }
    }

    /// Whether somebody wants an end.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Waits until a line is due, with `lines` before it; false if it is to be no more. What was
    /// written so far is flushed before any wait.
    pub(super) fn wait(
        &mut self,
        time: Time,
        lines: u64,
        flush: &mut dyn FnMut() -> Result<(), Failure>,
    ) -> Result<bool, Failure> {
        if self.rate == Rate::Max {
            return Ok(!self.is_stopped());
        }
        let mut is_flushed = false;
        loop {
            if self.is_stopped() {
                return Ok(false);
            }
            let now = crate::commands::run::wall();
            let begun = *self.begun.get_or_insert(now);
            let due = match self.rate {
                Rate::PerSecond(rate) => {
                    let ns = u128::from(lines) * NS_PER_S as u128 / u128::from(rate.max(1));
                    begun.plus(i64::try_from(ns).unwrap_or(i64::MAX))
                }
                Rate::Realtime if self.live.is_none_or(|live| time >= live) => time,
                Rate::Realtime | Rate::Max => return Ok(true),
            };
            let ahead = Duration::from_nanos(u64::try_from(due.since(now)).unwrap_or(0));
            if ahead < AHEAD_MIN {
                return Ok(true);
            }
            if !is_flushed {
                flush()?;
                is_flushed = true;
            }
            std::thread::sleep(ahead.min(NAP_MAX));
        }
    }
}

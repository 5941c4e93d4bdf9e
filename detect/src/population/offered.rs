//! What the endpoints answered so far, in all.

use super::{EndpointHabit, Population};
use crate::snapshot::plain;
use model::time::NS_PER_H;
use model::{EndpointId, Time};
use serde::{Deserialize, Serialize};

/// What the endpoints answered so far, in all.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Offered {
    /// When the first of them was called.
    #[serde(with = "plain")]
    pub(super) since: Time,
    /// Calls answered 2xx.
    pub(crate) answered: f64,
    /// The share of those that were their endpoint's only one: the chance that the next is of a new one
    /// (Good, Biometrika 40, 1953), with half a call added.
    pub(crate) once_share: f64,
    /// The share of those that had no identity, with half a call added.
    pub(crate) unnamed_share: f64,
}

impl Offered {
    pub(super) fn of(endpoints: &[EndpointHabit]) -> Self {
        let sum = |of: fn(&EndpointHabit) -> u64| endpoints.iter().map(of).sum::<u64>() as f64;
        let answered = sum(|it| it.answered);
        let unnamed = answered - sum(|it| it.answered_named);
        let once = endpoints.iter().filter(|it| it.answered == 1).count() as f64;
        let share = |part: f64| (part + 0.5) / (answered + 1.0);
        let called = endpoints.iter().filter(|it| it.calls > 0);
        let since = called.map(|it| it.first_seen).min().unwrap_or_default();
        Self { since, answered, once_share: share(once), unnamed_share: share(unnamed) }
    }
}

impl Population {
    /// Whether an endpoint is new to everybody, in a log that is no longer new itself, and was called
    /// before this hour.
    pub(crate) fn is_released(&self, endpoint: EndpointId, now: Time) -> bool {
        self.endpoint(endpoint).is_some_and(|it| it.calls > 0) && self.is_new(endpoint, now)
    }

    /// The same, or nobody called it before this hour.
    pub(crate) fn is_new(&self, endpoint: EndpointId, now: Time) -> bool {
        /// Hours for which an endpoint is new, and hours of log before anything counts as that.
        const NEW_H: i64 = 24;
        const LOG_H: i64 = 12;
        let habit = self.endpoint(endpoint).filter(|it| it.calls > 0);
        let first = habit.map_or(now, |it| it.first_seen);
        now.since(first) < NEW_H * NS_PER_H && first.since(self.offered.since) >= LOG_H * NS_PER_H
    }
}

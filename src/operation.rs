//! What whoever operates the service sees of it: metrics, health, log lines, and what a reload changed.
//!
//! * `table` — every metric, with what it counts; there are no others.
//! * [`metrics`] — their values, and the text that Prometheus reads.
//! * [`health`] — whether the service lives, and whether it is ready.
//! * [`server`] — the small HTTP server that says both.
//! * [`log`] — lines on standard error.
//! * [`recorder`] — the metrics as rows of a server's table.
//! * [`reload`] — a configuration that is read again.
//! * [`probe`] — whether what the configuration names is there, asked without changing anything.
//!
//! The thread that detects sets a few atomics each round; nobody waits for anybody.

pub(crate) mod health;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod probe;
pub(crate) mod recorder;
pub(crate) mod reload;
pub(crate) mod server;
mod table;

use crate::response::Served;
use health::{Health, State};
use ingest::source::kafka::Commit;
use metrics::{Metric, Metrics, Outcome};
use model::Time;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use store::clickhouse::Client;
use tokio::runtime::Handle;

/// What is known of a running service.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    /// Whom to deny, where that is served.
    pub(crate) deny: OnceLock<Served>,
}

impl Operation {
    /// Of a service that starts now, by both clocks.
    pub(crate) fn new(now: fn() -> Instant, started: Time) -> Self {
        let metrics = Metrics::new();
        metrics.set(Metric::BuildInfo, &[0], 1);
        metrics.set(Metric::ProcessStart, &[], started.ns());
        Self { metrics, health: Health::new(now), deny: OnceLock::new() }
    }

    /// The store took all that it was given; `waited` if it did not at first.
    pub(crate) fn store_answered(&self, waited: bool) {
        self.health.store(true);
        if waited {
            self.health.enter(State::Leading);
        }
    }

    /// A checkpoint was written.
    pub(crate) fn checkpointed(&self, took: Duration, bytes: u64) {
        self.metrics.observe(Metric::CheckpointSeconds, took);
        self.metrics.set(Metric::CheckpointBytes, &[], bytes as i64);
    }

    /// Offsets were committed, or refused, or nobody knows.
    pub(crate) fn committed(&self, commit: Commit) {
        let outcome = match commit {
            Commit::Done => Outcome::Done,
            Commit::Refused => Outcome::Refused,
            Commit::Away => Outcome::Failed,
        };
        self.metrics.count(Metric::Commits, outcome);
    }
}

/// Asks a server every few seconds whether it answers, as long as the service runs.
pub(crate) fn watch_store(runtime: &Handle, client: Client, of: Arc<Operation>) {
    drop(runtime.spawn(async move {
        loop {
            tokio::time::sleep(health::STORE_ASKED_EVERY).await;
            of.health.store(client.ping().await.is_ok());
        }
    }));
}

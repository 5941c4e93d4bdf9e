//! The webhook: findings posted to an HTTP endpoint, signed as Standard Webhooks says.
//!
//! An event is on disk before the epoch's offsets are committed, and a task of its own sends it from
//! there, for days if it must: an endpoint that is down holds nothing back. What is not there yet
//! when the process dies is sent by the next one.
//!
//! * `endpoint` — the URL, checked, and one try of a post.
//! * `signature` — the secret, and what a receiver checks.
//! * `spool` — the files that wait, one an event.
//! * `sender` — the task: one event after the other, again with pauses.

mod endpoint;
mod sender;
mod signature;
mod spool;

#[cfg(test)]
mod tests;

use super::ocsf::Event;
use super::{Counts, OutletError, Undelivered};
use connect::{SecretError, SecretSource};
use endpoint::Endpoint;
use model::{Severity, Time};
use sender::{Pace, Sender, Shared};
use serde::{Deserialize, Serialize};
use signature::Signer;
use spool::Spool;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::{Erased, Forgetting};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Events that wait on disk; those beyond go to the dead-letter file.
const PENDING_MAX: usize = 10_000;
/// How long a service that ends waits for the endpoint.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// How often it looks meanwhile.
const CLOSE_LOOK: Duration = Duration::from_millis(20);
/// How long the endpoint may be given to answer, in milliseconds.
const TIMEOUT_MS_MAX: u64 = 300_000;

/// Where events are posted.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// The endpoint; empty for none.
    pub(crate) url: String,
    /// The name of a severity: what matters less is not posted.
    pub(crate) min_severity: String,
    /// How long the endpoint may take to answer, in milliseconds.
    pub(crate) timeout_ms: u64,
    /// Allows an unencrypted connection to an endpoint that is not on this machine.
    pub(crate) allow_plaintext: bool,
    /// Certificates of the authorities to believe, PEM; the system's where none is given.
    pub(crate) ca_file: Option<PathBuf>,
    /// Signs what is posted.
    pub(crate) secret: SecretSource,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            min_severity: Severity::Low.as_str().to_owned(),
            timeout_ms: 10_000,
            allow_plaintext: false,
            ca_file: None,
            secret: SecretSource::default(),
        }
    }
}

/// Why the webhook cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    /// The URL is none.
    #[error("outlets.webhook.url: {0}: write https://host/path")]
    Url(&'static str),
    /// Unencrypted to another machine.
    #[error(
        "outlets.webhook.url is http but {host} is not on this machine: use https, or set outlets.webhook.allow_plaintext = true"
    )]
    Plaintext {
        /// The host.
        host: String,
    },
    /// No such severity.
    #[error("outlets.webhook.min_severity: `{0}` is none of info, low, medium, high, critical")]
    Severity(String),
    /// The timeout makes no sense.
    #[error("outlets.webhook.timeout_ms must be from 1 to {TIMEOUT_MS_MAX}")]
    Timeout,
    /// The secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The secret is no good.
    #[error("outlets.webhook.secret {0}: take 24 to 64 random bytes, as `whsec_` and their Base64")]
    WeakSecret(&'static str),
    /// Nobody can be believed.
    #[error(
        "outlets.webhook: no certificates to believe ({why}): install ca-certificates, or name outlets.webhook.ca_file"
    )]
    Authorities {
        /// What was found instead.
        why: String,
    },
    /// The spool cannot be written or read.
    #[error("{} cannot be used ({source}): check that it is writable and has space left", .path.display())]
    Spool {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The directory of events that wait, in the store's.
const SPOOL: &str = "webhook";

/// The webhook, as the keeper sees it.
#[derive(Debug)]
pub(crate) struct Webhook {
    severity_min: Severity,
    spool: Spool,
    undelivered: Undelivered,
    /// Taken, and not on disk yet.
    waiting: Vec<Event>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    runtime: Handle,
    wall: fn() -> Time,
}

/// Forgets somebody in what waits for the endpoint, if anything ever did.
pub(crate) fn forget(
    home: &Path,
    who: &Forgetting,
    is_dry: bool,
    sum: &mut Erased,
) -> Result<(), OutletError> {
    let dir = home.join(SPOOL);
    if dir.is_dir() {
        Spool::open(&dir)?.forget(who, is_dry, sum)?;
    }
    Ok(())
}

impl Webhook {
    /// Checks the settings, and starts to send what was left in `home`.
    pub(crate) fn open(
        settings: &Settings,
        home: &Path,
        undelivered: Undelivered,
        runtime: &Handle,
        wall: fn() -> Time,
    ) -> Result<Self, WebhookError> {
        Self::with_pace(settings, home, undelivered, runtime, wall, Pace::default())
    }

    fn with_pace(
        settings: &Settings,
        home: &Path,
        undelivered: Undelivered,
        runtime: &Handle,
        wall: fn() -> Time,
        pace: Pace,
    ) -> Result<Self, WebhookError> {
        let severity_min = Severity::from_name(&settings.min_severity)
            .ok_or_else(|| WebhookError::Severity(settings.min_severity.clone()))?;
        if !(1..=TIMEOUT_MS_MAX).contains(&settings.timeout_ms) {
            return Err(WebhookError::Timeout);
        }
        let endpoint = Endpoint::open(settings)?;
        let signer = Signer::new(&settings.secret.read("outlets.webhook.secret")?)?;
        let spool = Spool::open(&home.join(SPOOL))?;
        let shared = Arc::new(Shared::default());
        shared.pending.store(spool.names()?.len() as u64, Ordering::Relaxed);
        let sender = Sender {
            endpoint,
            signer,
            spool: spool.clone(),
            undelivered: undelivered.clone(),
            shared: Arc::clone(&shared),
            pace,
            wall,
        };
        let task = runtime.spawn(sender.run());
        let runtime = runtime.clone();
        let waiting = Vec::new();
        Ok(Self { severity_min, spool, undelivered, waiting, shared, task, runtime, wall })
    }

    /// Takes an event, if it matters enough.
    pub(crate) fn take(&mut self, event: &Event) {
        if event.severity >= self.severity_min {
            self.waiting.push(event.clone());
        }
    }

    /// Brings what was taken to the disk.
    pub(crate) fn flush(&mut self) -> Result<(), OutletError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let names = self.spool.names()?;
        let room = PENDING_MAX.saturating_sub(names.len());
        let fresh = spool::without(&names, std::mem::take(&mut self.waiting));
        let (kept, beyond) = fresh.split_at(room.min(fresh.len()));
        self.spool.put(kept, (self.wall)())?;
        self.shared.pending.fetch_add(kept.len() as u64, Ordering::Relaxed);
        self.shared.news.notify_one();
        for event in beyond {
            let why = format!("{PENDING_MAX} events wait for the webhook already");
            self.undelivered.append("webhook", &why, &event.body)?;
            self.shared.given_up.fetch_add(1, Ordering::Relaxed);
        }
        if !beyond.is_empty() {
            let count = beyond.len();
            crate::note(&format!(
                "webhook: {count} events went to the dead-letter file: {PENDING_MAX} wait already"
            ));
        }
        Ok(())
    }

    /// Forgets what is not on disk.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// Waits a moment for the endpoint to take what is left, then ends the task.
    pub(crate) fn close(&mut self) {
        let shared = &self.shared;
        let drained = async {
            while shared.pending.load(Ordering::Relaxed) > 0 && !shared.is_failing() {
                tokio::time::sleep(CLOSE_LOOK).await;
            }
        };
        // What is left stays on disk.
        self.runtime.block_on(async { tokio::time::timeout(CLOSE_WAIT, drained).await.ok() });
        self.task.abort();
    }

    /// Adds what was done so far.
    pub(crate) fn count(&self, counts: &mut Counts) {
        let of = |it: &std::sync::atomic::AtomicU64| it.load(Ordering::Relaxed);
        counts.webhook_sent = of(&self.shared.sent);
        counts.webhook_retries = of(&self.shared.retries);
        counts.webhook_given_up = of(&self.shared.given_up);
        counts.webhook_pending = of(&self.shared.pending);
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.task.abort();
    }
}

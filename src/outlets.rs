//! Outlets: other ways for findings to leave than the store, as OCSF events.
//!
//! * [`ocsf`] — a finding revision as an OCSF Detection Finding.
//! * [`topic`] — to a Kafka topic: acknowledged before the epoch's offsets are committed.
//! * [`webhook`] — to an HTTP endpoint: on disk before the offsets are committed, sent from there.
//!
//! Both say everything at least once: whoever is told the same id and revision twice has been told
//! the same bytes twice.

pub(crate) mod ocsf;
pub(crate) mod topic;
pub(crate) mod webhook;

use crate::commands::{Failure, Setting};
use crate::response::Waker;
use model::{Finding, Severity, Time};
use ocsf::Event;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use store::clickhouse::DeadLetters;
use store::{Erased, Forgetting};
use topic::{Topic, TopicError};
use webhook::{Webhook, WebhookError};

/// The file of events that nobody took, beside the store.
const DEAD_LETTERS: &str = "outlet-dead-letters.ndjson";

/// Where findings go beside the store.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// A topic of the brokers of `[kafka]`.
    pub(crate) topic: topic::Settings,
    /// An HTTP endpoint.
    pub(crate) webhook: webhook::Settings,
}

/// Why findings could not leave.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutletError {
    /// The topic.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The webhook.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// An event was given up, and the file for such events cannot be written.
    #[error("{} cannot be written ({source}): check that the path is writable and has space left, or move a full file away", .path.display())]
    Undeliverable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OutletError {
    /// Whether it may be tried again.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::Topic(TopicError::Waiting { .. }))
    }
}

/// Forgets somebody in what waits or was given up; `is_dry` only counts.
pub(crate) fn forget(setting: &Setting, who: &Forgetting, is_dry: bool) -> Result<Erased, Failure> {
    let path = setting.store.join(DEAD_LETTERS);
    let mut sum = setting.runtime.block_on(store::forget_letters("outlets", &path, who, is_dry))?;
    webhook::forget(&setting.store, who, is_dry, &mut sum)?;
    Ok(sum)
}

/// What left since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Counts {
    /// Events that the topic's brokers acknowledged.
    pub(crate) topic_sent: u64,
    /// Events that they will not take.
    pub(crate) topic_refused: u64,
    /// Events that the webhook took.
    pub(crate) webhook_sent: u64,
    /// Tries that failed and are followed by another.
    pub(crate) webhook_retries: u64,
    /// Events that were given up: in the dead-letter file.
    pub(crate) webhook_given_up: u64,
    /// Events that wait on disk.
    pub(crate) webhook_pending: u64,
}

/// The outlets that are configured.
#[derive(Debug)]
pub(crate) struct Outlets {
    topic: Option<Topic>,
    webhook: Option<Webhook>,
    /// Hears that there is something critical.
    waker: Option<Waker>,
}

impl Outlets {
    /// Opens what is configured; spooled events are in `home`.
    ///
    /// # Errors
    ///
    /// A setting is refused, the topic is not there, or the directory cannot be written.
    pub(crate) fn open(
        setting: &Setting,
        home: &Path,
        wall: fn() -> Time,
    ) -> Result<Self, Failure> {
        let settings = &setting.config.outlets;
        let undelivered = Undelivered::new(home);
        let topic = if settings.topic.topic.is_empty() {
            None
        } else {
            let client = setting.config.kafka.client()?;
            Some(Topic::open(&settings.topic, &client, undelivered.clone())?)
        };
        let webhook = if settings.webhook.url.is_empty() {
            None
        } else {
            Some(Webhook::open(&settings.webhook, home, undelivered, &setting.runtime, wall)?)
        };
        Ok(Self { topic, webhook, waker: None })
    }

    /// The same, and somebody hears of what is critical.
    pub(crate) fn waking(self, waker: Option<Waker>) -> Self {
        Self { waker, ..self }
    }

    /// Takes findings that the store has; [`Self::flush`] brings them out.
    pub(crate) fn take(&mut self, findings: &[Finding]) {
        if let Some(waker) = &self.waker
            && findings.iter().any(|it| it.severity == Severity::Critical)
        {
            waker.wake();
        }
        if self.topic.is_none() && self.webhook.is_none() {
            return;
        }
        for event in findings.iter().map(Event::of) {
            if let Some(webhook) = &mut self.webhook {
                webhook.take(&event);
            }
            if let Some(topic) = &mut self.topic {
                topic.take(event);
            }
        }
    }

    /// Brings out what was taken: when it returns, the brokers have it, and the disk has what is for
    /// the webhook.
    pub(crate) fn flush(&mut self) -> Result<(), OutletError> {
        if let Some(webhook) = &mut self.webhook {
            webhook.flush()?;
        }
        if let Some(topic) = &mut self.topic {
            topic.flush()?;
        }
        Ok(())
    }

    /// Forgets what did not leave: it will be found again.
    pub(crate) fn forget(&mut self) {
        if let Some(topic) = &mut self.topic {
            topic.forget();
        }
        if let Some(webhook) = &mut self.webhook {
            webhook.forget();
        }
    }

    /// Gives the webhook a moment to take what waits; the rest stays on disk.
    pub(crate) fn close(&mut self) {
        if let Some(webhook) = &mut self.webhook {
            webhook.close();
        }
    }

    /// What was done so far.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        if let Some(topic) = &self.topic {
            (counts.topic_sent, counts.topic_refused) = topic.counts();
        }
        if let Some(webhook) = &self.webhook {
            webhook.count(&mut counts);
        }
        counts
    }
}

/// Where events go that nobody will take.
#[derive(Clone, Debug)]
pub(crate) struct Undelivered {
    path: PathBuf,
    letters: DeadLetters,
}

impl Undelivered {
    pub(crate) fn new(home: &Path) -> Self {
        let path = home.join(DEAD_LETTERS);
        Self { letters: DeadLetters::new(&path), path }
    }

    /// Appends an event with the reason; when this returns, it is on the disk.
    pub(crate) fn append(&self, outlet: &str, why: &str, body: &str) -> Result<(), OutletError> {
        let failed = |source| OutletError::Undeliverable { path: self.path.clone(), source };
        let why = serde_json::Value::from(why);
        // The body is one JSON object already, unless the disk damaged it.
        let body = match serde_json::from_str::<serde_json::Value>(body) {
            Ok(_) => body.trim_end().to_owned(),
            Err(_) => serde_json::Value::from(body).to_string(),
        };
        let line = format!("{{\"outlet\":\"{outlet}\",\"why\":{why},\"event\":{body}}}\n");
        match self.letters.write(line.as_bytes()) {
            Ok(true) => Ok(()),
            Ok(false) => Err(failed(io::Error::other("it is full"))),
            Err(error) => Err(failed(error)),
        }
    }
}

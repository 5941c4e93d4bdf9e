//! Response: what a program that enforces may be told. Nothing is, unless it is configured.
//!
//! * [`deny`] — whom to deny, worked out from critical findings.
//! * [`feed`] — the same as a compacted topic and over HTTP, kept up beside detection.

mod deny;
mod feed;

pub(crate) use feed::{Served, Waker, open};

use serde::{Deserialize, Serialize};

/// The setting that names the feed's topic.
pub(crate) const TOPIC: &str = "response.deny.topic";
/// How long an entry may last, in seconds.
const EXPIRE_SECONDS: std::ops::RangeInclusive<u32> = 60..=30 * 86_400;

/// What is told.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Whom to deny.
    pub(crate) deny: Deny,
}

/// How it is told whom to deny.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Deny {
    /// A topic; empty for none.
    pub(crate) topic: String,
    /// Whether it is served over HTTP.
    pub(crate) http: bool,
    /// After how long an entry expires, in seconds.
    pub(crate) expire_seconds: u32,
}

impl Default for Deny {
    fn default() -> Self {
        Self { topic: String::new(), http: false, expire_seconds: 3_600 }
    }
}

impl Deny {
    /// What is wrong with it, if anything is; what is told is of no use where names are pseudonyms.
    pub(crate) fn check(&self, is_pseudonymous: bool) -> Result<(), String> {
        if is_pseudonymous && !self.is_off() {
            return Err(
                "response.deny names whom a gateway is to refuse, and with ingest.pseudonymize that \
                 is a pseudonym, which no gateway knows: turn one of the two off"
                    .to_owned(),
            );
        }
        if EXPIRE_SECONDS.contains(&self.expire_seconds) {
            return Ok(());
        }
        Err(format!(
            "response.deny.expire_seconds is {}, but must be {} to {}",
            self.expire_seconds,
            EXPIRE_SECONDS.start(),
            EXPIRE_SECONDS.end()
        ))
    }

    /// Whether nobody is told.
    pub(crate) const fn is_off(&self) -> bool {
        self.topic.is_empty() && !self.http
    }
}

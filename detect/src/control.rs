//! Learning under control: change windows in which nothing is learned, and baselines that are frozen,
//! begun anew or taken back.

use crate::identity::Identity;
use crate::open_window::OpenWindow;
use crate::scope::Scope;
use crate::snapshot::plain;
use model::{Endpoints, Time};
use serde::{Deserialize, Serialize};

/// Change windows that hold at once.
pub const CHANGE_WINDOWS_MAX: usize = 256;
/// Bytes of a reason.
pub const REASON_BYTES_MAX: usize = 512;

/// A span in which whatever happens was announced: a deployment, a migration, a penetration test.
///
/// Findings are raised as ever; nothing is learned from the hours of identities that are meant.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ChangeWindow {
    /// From this time on.
    #[serde(with = "plain")]
    pub from: Time,
    /// Before this one.
    #[serde(with = "plain")]
    pub until: Time,
    /// Whom it is about; with endpoints, the hours in which one of those was called.
    pub scope: Scope,
    /// Why, in words.
    pub reason: String,
}

impl ChangeWindow {
    /// What is wrong with it.
    pub fn fault(&self) -> Option<String> {
        if self.until <= self.from {
            return Some(format!("ends at {}, before it begins at {}", self.until, self.from));
        }
        if self.reason.trim().is_empty() || self.reason.len() > REASON_BYTES_MAX {
            return Some(format!("needs a reason of 1 to {REASON_BYTES_MAX} bytes"));
        }
        self.scope.fault().map(|(list, why)| format!("{list} {why}"))
    }

    /// Whether it holds for an hour of an identity.
    fn holds(&self, identity: &Identity, open: &OpenWindow, endpoints: &Endpoints) -> bool {
        let is_then = open.start < self.until && self.from < open.end();
        let names = [&*identity.name, identity.label.as_deref().unwrap_or_default()];
        let calls_any = || {
            let mut called = open.endpoints.iter().map(|it| endpoints.name(it.endpoint));
            called.any(|name| self.scope.has_endpoint(name))
        };
        let is_any = self.scope.endpoints.is_empty() && self.scope.except_endpoints.is_empty();
        is_then && self.scope.has_identity(Some(names)) && (is_any || calls_any())
    }
}

/// Whether nothing is to be learned from an hour: it was announced, or the identity is frozen.
pub(crate) fn is_held<'a>(
    mut windows: impl Iterator<Item = &'a ChangeWindow>,
    (identity, open): (&Identity, &OpenWindow),
    endpoints: &Endpoints,
) -> bool {
    identity.is_frozen || windows.any(|it| it.holds(identity, open, endpoints))
}

/// What somebody orders for one identity's baseline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Nothing is learned of it any more.
    Freeze,
    /// It is learned of it again.
    Thaw,
    /// It is as if it were seen for the first time.
    Reset,
}

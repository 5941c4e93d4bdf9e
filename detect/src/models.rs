//! The fitted models: peer groups and the joint law of a window's features, swapped in whole; and
//! beside detection what verdicts say.

pub(crate) mod features;
pub mod joint;
pub(crate) mod peer_groups;
pub mod verdicts;

use joint::JointModel;
use serde::{Deserialize, Serialize};

/// The models in force; each is absent until it could be fitted.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Models {
    pub(crate) version: u32,
    /// The joint law of everyone's windows.
    pub(crate) everyone: Option<JointModel>,
    /// The joint law of each peer group's windows, where there are enough.
    pub(crate) by_group: Vec<Option<JointModel>>,
}

impl Models {
    /// The joint law for a member of `group`.
    pub(crate) fn joint(&self, group: Option<u8>) -> Option<&JointModel> {
        group
            .and_then(|group| self.by_group.get(usize::from(group)))
            .and_then(Option::as_ref)
            .or(self.everyone.as_ref())
    }

    /// Whether every law is of windows' features; one that was read back may be of others.
    pub(crate) fn is_sound(&self) -> bool {
        let mut laws = self.by_group.iter().chain([&self.everyone]).flatten();
        laws.all(|law| law.fits(features::FEATURES))
    }

    /// The version as findings carry it; empty before the first fit.
    pub(crate) fn version(&self) -> String {
        if self.version == 0 { String::new() } else { format!("linfa-0.8/{}", self.version) }
    }
}

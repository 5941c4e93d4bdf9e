//! Somebody else, forgotten in what an open hour has seen of them.

use super::{OpenWindow, Raised};
use crate::engine::scrub_evidence;
use model::mention::Mentions;

impl OpenWindow {
    /// Forgets somebody else, who is named in what was seen in this hour.
    pub(crate) fn forget(&mut self, mentions: &Mentions, hashes: &[u64]) {
        self.succeeded.remove(hashes);
        for names in [&mut self.succeeded_names, &mut self.claimed_names] {
            names.retain(|name| !mentions.are_in(name));
        }
        if let Some(secrets) = &mut self.secrets {
            secrets.forget(mentions);
        }
        for name in self.loops.iter_mut().flat_map(|loops| loops.names_mut()) {
            if let Some(without) = mentions.replaced(name) {
                *name = without.into();
            }
        }
        if let Some(flows) = &mut self.flows {
            flows.forget(mentions);
        }
        if let Some(origins) = &mut self.origins {
            origins.forget(mentions);
        }
        if let Some(acted) = &mut self.acted {
            acted.forget(mentions, hashes);
        }
        if let Some(tools) = &mut self.tools {
            tools.forget(mentions);
        }
        self.foreign_read.iter_mut().for_each(|it| scrub_evidence(it, mentions));
        forget_in(&mut self.raised, mentions);
    }
}

/// Forgets somebody else in the evidence of what was raised.
pub(crate) fn forget_in(raised: &mut [Raised], mentions: &Mentions) {
    for evidence in raised.iter_mut().flat_map(|raised| &mut raised.evidence) {
        scrub_evidence(evidence, mentions);
    }
}

//! Forgetting: one identity taken out of all state.
//!
//! What is only its own goes: habits, the open hour, rows and findings that have not left yet,
//! samples for the models, and its name where others' open hours or findings hold it. The counts of
//! members and of who uses an endpoint are taken back. What was summed over everybody stays: sums
//! of calls, bytes and objects, the calibration and the fitted models cannot be taken apart, and
//! name nobody.

use super::Engine;
use crate::partition::Partition;
use hashbrown::HashTable;
use model::Finding;
use model::mention::{FORGOTTEN, Mentions};

/// Who was forgotten.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Gone {
    /// The hashes by which a router may know it.
    pub hashes: Vec<u64>,
}

impl Engine {
    /// The ids of the identities that `is_meant` says yes to.
    pub fn named(&self, is_meant: &dyn Fn(&str) -> bool) -> Vec<String> {
        let all = self.partitions.iter().flat_map(|partition| &partition.identities);
        all.filter(|it| is_meant(&it.name)).map(|it| it.name.to_string()).collect()
    }

    /// Forgets the identity of that id, in every tenant; to be called between hours' tasks.
    ///
    /// An identity that is not known is looked for in what is known of others all the same. What
    /// comes of it later is judged as a stranger's.
    pub fn forget(&mut self, principal: &str) -> Gone {
        let mut gone = Gone::default();
        let mut names = vec![principal.to_owned()];
        for partition in &mut self.partitions {
            while let Some(slot) = partition.identities.iter().position(|it| &*it.name == principal)
            {
                let identity = partition.take_out(slot);
                gone.hashes.push(identity.hash);
                names.extend(identity.label.as_deref().map(str::to_owned));
                self.population.strike(&identity);
            }
        }
        self.keep_shared(principal, &mut names);
        let mentions = Mentions::of(names.iter().map(String::as_str));
        for partition in &mut self.partitions {
            partition.windows.forget(principal);
            partition.signals.forget(principal);
            partition.findings.retain(|it| it.principal_id.as_deref() != Some(principal));
            partition.findings.iter_mut().for_each(|finding| scrub(finding, &mentions));
            for identity in &mut partition.identities {
                if let Some(open) = &mut identity.open {
                    open.forget(&mentions, &gone.hashes);
                }
                if let Some(daily) = &mut identity.daily {
                    daily.forget(&mentions);
                }
            }
        }
        gone
    }

    /// A name that somebody else has too is theirs, and stays.
    fn keep_shared(&self, principal: &str, names: &mut Vec<String>) {
        let all = || self.partitions.iter().flat_map(|partition| &partition.identities);
        let is_shared = |name: &str| all().any(|it| it.label.as_deref() == Some(name));
        names.retain(|name| name == principal || !is_shared(name));
    }
}

impl Partition {
    /// Takes out the identity at `slot`: those behind it move up.
    fn take_out(&mut self, slot: usize) -> crate::identity::Identity {
        let identity = self.identities.remove(slot);
        self.state_bytes = self.state_bytes.saturating_sub(identity.state_bytes());
        let place = slot as u32;
        self.active.retain(|it| *it != place);
        self.sample.retain(|it| it.slot != place);
        let later = self.active.iter_mut().chain(self.sample.iter_mut().map(|it| &mut it.slot));
        later.filter(|it| **it > place).for_each(|it| *it -= 1);
        let identities = &self.identities;
        let hash = |slot: &u32| identities.get(*slot as usize).map_or(0, |identity| identity.hash);
        self.index = HashTable::with_capacity(identities.len());
        for slot in 0..identities.len() as u32 {
            self.index.insert_unique(hash(&slot), slot, hash);
        }
        identity
    }
}

/// Takes names out of a finding about somebody else.
fn scrub(finding: &mut Finding, mentions: &Mentions) {
    let texts = [&mut finding.sentence, &mut finding.counterfactual, &mut finding.evidence_sql];
    let parts = finding.contributors.iter_mut().map(|it| &mut it.name);
    let evidence = finding.evidence.iter_mut().map(|it| &mut it.request);
    for text in texts.into_iter().chain(parts).chain(evidence) {
        if let Some(without) = mentions.replaced(text) {
            *text = without;
        }
    }
    for it in &mut finding.evidence {
        if it.client_address.as_deref().is_some_and(|address| mentions.are_in(address)) {
            it.client_address = Some(FORGOTTEN.to_owned());
        }
    }
}

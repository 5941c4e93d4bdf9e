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
use model::mention::{FORGOTTEN, Mentions};
use model::{Evidence, Finding};

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
        // What is shared, and changes at an exchange alone otherwise, is written again.
        self.is_exchanged = true;
        let mut names = vec![principal.to_owned()];
        for partition in &mut self.partitions {
            while let Some(slot) = partition.identities.iter().position(|it| &*it.name == principal)
            {
                let identity = partition.take_out(slot);
                gone.hashes.push(identity.hash);
                names.extend(identity.label.as_deref().map(str::to_owned));
                self.incidents.forget(identity.tenant(), &identity.name);
                self.population.count(&identity, false);
            }
        }
        self.population.owners.forget(&gone.hashes);
        self.population.itself.forget(&gone.hashes);
        self.keep_shared(principal, &mut names);
        let mentions = Mentions::of(names.iter().map(String::as_str));
        for partition in &mut self.partitions {
            partition.windows.forget(principal, &mentions);
            partition.signals.forget(principal, &mentions);
            partition.findings.retain(|it| it.principal_id.as_deref() != Some(principal));
            partition.findings.iter_mut().for_each(|finding| scrub(finding, &mentions));
            partition.notes.forget(&mentions, &gone.hashes);
            partition.contribution.own.forget(&gone.hashes);
            for identity in &mut partition.identities {
                if let Some(open) = &mut identity.open {
                    open.forget(&mentions, &gone.hashes);
                }
                if let Some(acting) = &mut identity.acting {
                    acting.forget(&gone.hashes);
                }
                if let Some(tools) = &mut identity.tools {
                    tools.forget(&mentions);
                }
                if let Some(daily) = &mut identity.daily {
                    daily.forget(&mentions);
                }
            }
        }
        self.watch.forget(principal, &mentions, &gone.hashes);
        self.watch.findings.iter_mut().for_each(|finding| scrub(finding, &mentions));
        self.found.retain(|it| it.principal_id.as_deref() != Some(principal));
        self.found.iter_mut().for_each(|finding| scrub(finding, &mentions));
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
        self.active.iter_mut().filter(|it| **it > place).for_each(|it| *it -= 1);
        self.sample.take_out(place);
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
    // What an endpoint is called says what exists, and stays.
    let entity = finding.detector.names_somebody().then_some(&mut finding.entity);
    for text in texts.into_iter().chain(parts).chain(entity) {
        if let Some(without) = mentions.replaced(text) {
            *text = without;
        }
    }
    finding.evidence.iter_mut().for_each(|it| scrub_evidence(it, mentions));
}

/// Takes names out of a sample event.
pub(crate) fn scrub_evidence(evidence: &mut Evidence, mentions: &Mentions) {
    if let Some(without) = mentions.replaced(&evidence.request) {
        evidence.request = without;
    }
    if evidence.agent.as_deref().is_some_and(|agent| mentions.are_in(agent)) {
        evidence.agent = Some(FORGOTTEN.to_owned());
    }
    if evidence.client_address.as_deref().is_some_and(|address| mentions.are_in(address)) {
        evidence.client_address = Some(FORGOTTEN.to_owned());
    }
}

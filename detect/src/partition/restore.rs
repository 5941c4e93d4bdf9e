//! A partition that was read back: what a snapshot leaves out is made anew, and what it says is checked.

use super::Partition;
use crate::identity::Identity;
use hashbrown::HashTable;
use model::Detector;
use model::tables::Table;

impl Partition {
    /// Makes the index, and looks whether all places are there; the reason if they are not.
    pub(crate) fn restore(&mut self) -> Result<(), &'static str> {
        self.check()?;
        let identities = &self.identities;
        let hash = |slot: &u32| identities.get(*slot as usize).map_or(0, |identity| identity.hash);
        self.index = HashTable::with_capacity(identities.len());
        for slot in 0..identities.len() as u32 {
            self.index.insert_unique(hash(&slot), slot, hash);
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), &'static str> {
        if u32::try_from(self.identities.len()).is_err() {
            return Err("there are too many identities");
        }
        if !self.identities.iter().all(Identity::is_sound) {
            return Err("the habits of an identity are not in order");
        }
        if !self.admission.is_sound() {
            return Err("what is counted beyond the budget is of another size");
        }
        let mut active = self.active.clone();
        active.sort_unstable();
        let with_windows = self.identities.iter().enumerate().filter(|(_, it)| it.open.is_some());
        if !active.into_iter().eq(with_windows.map(|(slot, _)| slot as u32)) {
            return Err("the identities with open windows are not those said to have one");
        }
        if !self.sample.settle(self.identities.len()) {
            return Err("a sample is of an identity that is not there");
        }
        let kept = [&self.contribution.surprises, &self.contribution.said];
        if kept.iter().any(|it| it.len() != Detector::ALL.len()) {
            return Err("there are surprises of other detectors");
        }
        if !self.windows.is_of(Table::Windows) || !self.signals.is_of(Table::Signals) {
            return Err("rows are of another table");
        }
        Ok(())
    }
}

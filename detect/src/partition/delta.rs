//! What of a partition changed since its last export, as it is written and taken in again.

use super::Partition;
use super::admission::Admission;
use super::sample::Sample as Drawn;
use crate::identity::Identity;
use crate::population::Contribution;
use crate::rows::Rows;
use crate::snapshot::plain::Plain;
use crate::watch::Notes;
use model::Finding;
use serde::{Deserialize, Serialize};

/// A changed partition; its identities are borrowed on the way out, owned on the way in.
///
/// Whoever is new stands behind those that were there, at the next slot.
#[derive(Deserialize, Serialize)]
pub(crate) struct Delta<One, Beside, Noted, Sample, Room> {
    identities: Vec<(u32, One)>,
    /// Where the list of active identities goes on, and how.
    active: (u32, Vec<u32>),
    contribution: Beside,
    notes: Noted,
    /// `None` if the hour was not closed.
    sample: Option<Sample>,
    windows: <Rows as Plain>::As,
    signals: <Rows as Plain>::As,
    findings: <Vec<Finding> as Plain>::As,
    state_bytes: usize,
    /// `None` if nothing of it changed.
    admission: Option<Room>,
    day: i32,
}

/// What is read.
pub(crate) type Read = Delta<Identity, Contribution, Notes, Drawn, Admission>;

impl Partition {
    /// What changed since [`Partition::settle`]; `None` if nothing did.
    pub(crate) fn delta(
        &self,
    ) -> Option<Delta<&Identity, &Contribution, &Notes, &Drawn, &Admission>> {
        if !self.touched.is_any() {
            return None;
        }
        let slots = self.touched.slots(self.identities.len());
        let identities = slots.filter_map(|slot| Some((slot, self.identities.get(slot as usize)?)));
        // Within an hour the list of active identities only grows.
        let from = if self.touched.is_closed() { 0 } else { self.active_written };
        let tail = self.active.get(from..).unwrap_or_default();
        Some(Delta {
            identities: identities.collect(),
            active: (from as u32, tail.to_vec()),
            contribution: &self.contribution,
            notes: &self.notes,
            sample: self.touched.is_closed().then_some(&self.sample),
            windows: self.windows.to_plain(),
            signals: self.signals.to_plain(),
            findings: self.findings.to_plain(),
            state_bytes: self.state_bytes,
            admission: self.admission.is_touched.then_some(&self.admission),
            day: self.day,
        })
    }

    /// Takes in what changed; [`Partition::restore`] must follow. The reason if it does not fit.
    pub(crate) fn take_in(&mut self, delta: Read) -> Result<(), &'static str> {
        const NO_ROWS: &str = "rows are of no table";
        for (slot, identity) in delta.identities {
            let len = self.identities.len();
            match self.identities.get_mut(slot as usize) {
                Some(old) => *old = identity,
                None if slot as usize == len => self.identities.push(identity),
                None => return Err("an identity is changed that is not there"),
            }
        }
        let (from, tail) = delta.active;
        if from as usize > self.active.len() {
            return Err("the identities with open windows have a gap");
        }
        self.active.truncate(from as usize);
        self.active.extend(tail);
        self.contribution = delta.contribution;
        self.notes = delta.notes;
        if let Some(sample) = delta.sample {
            self.sample = sample;
        }
        self.windows = Rows::from_plain(delta.windows).ok_or(NO_ROWS)?;
        self.signals = Rows::from_plain(delta.signals).ok_or(NO_ROWS)?;
        self.findings = Plain::from_plain(delta.findings).ok_or("a finding is none")?;
        self.state_bytes = delta.state_bytes;
        if let Some(admission) = delta.admission {
            self.admission = admission;
        }
        self.day = delta.day;
        Ok(())
    }

    /// Everything so far was exported.
    pub(crate) fn settle(&mut self) {
        self.touched.clear();
        self.admission.is_touched = false;
        self.active_written = self.active.len();
    }
}

//! When the joint models fit no longer: where many are odd at once, the site has changed, or models were
//! fitted that never saw what is done at this hour, and it is not each of them.

use serde::{Deserialize, Serialize};

/// Identities that were told of in an hour from which on it is the models.
const TOLD_MIN: u32 = 5;
/// The share of the hour's judged windows from which on it is: fifty times what may be told at all.
const TOLD_SHARE: f64 = 0.005;
/// Hours with a log for which nobody is told of then; models that are fitted anew are not waited for.
const SILENT_H: u8 = 24;

/// How many windows were judged in an hour, and how many of them told.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct JointlyTold {
    judged: u32,
    told: u32,
}

impl JointlyTold {
    /// Adds an identity's hour.
    pub(crate) fn add(&mut self, is_told: bool) {
        self.judged = self.judged.saturating_add(1);
        self.told = self.told.saturating_add(u32::from(is_told));
    }

    pub(super) fn absorb(&mut self, other: Self) {
        self.judged = self.judged.saturating_add(other.judged);
        self.told = self.told.saturating_add(other.told);
    }
}

/// For how many hours more the models are not believed.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Misfits {
    silent_h: u8,
}

impl Misfits {
    /// Takes in an hour of all partitions.
    pub(super) fn absorb(&mut self, all: JointlyTold) {
        let is_misfit =
            all.told >= TOLD_MIN && f64::from(all.told) >= TOLD_SHARE * f64::from(all.judged);
        self.silent_h = if is_misfit { SILENT_H } else { self.silent_h.saturating_sub(1) };
    }

    /// Whether it is the models that are odd.
    pub(crate) const fn are_silent(&self) -> bool {
        self.silent_h > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(judged: u32, told: u32) -> JointlyTold {
        let mut hour = JointlyTold::default();
        (0..judged).for_each(|index| hour.add(index < told));
        hour
    }

    #[test]
    fn many_in_an_hour_are_the_models_for_a_day() {
        let mut misfits = Misfits::default();
        for (judged, told, is_misfit) in [(300, 4, false), (2_000, 9, false), (300, 5, true)] {
            misfits.absorb(hour(judged, told));
            assert_eq!(misfits.are_silent(), is_misfit, "{told} of {judged}");
        }
        for _ in 0..23 {
            misfits.absorb(JointlyTold::default());
        }
        assert!(misfits.are_silent());
        misfits.absorb(JointlyTold::default());
        assert!(!misfits.are_silent());
    }
}

//! How often calls out came after sensitive reads of an identity: kept of those that read such things.

use crate::open_window::{Flows, LastRead};
use model::Time;
use serde::{Deserialize, Serialize};

/// Hours with sensitive reads, and what came of them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Flowing {
    /// The last sensitive reads of the last hour with any, as far as a call out of the next one may belong
    /// to them: nearly always one or none.
    pub(crate) last: Box<[LastRead]>,
    /// Hours with any, and those of them with a call out after one; decayed.
    pub(crate) hours: f32,
    pub(crate) flows: f32,
}

impl Flowing {
    /// Takes in the flows of an hour that had sensitive reads, and its end.
    pub(crate) fn learn(&mut self, flows: &Flows, end: Time, is_learned: bool) {
        self.last = flows.carried(end);
        if is_learned {
            self.hours += 1.0;
            self.flows += f32::from(u8::from(flows.calls > 0));
        }
    }

    pub(crate) fn decay(&mut self, factor: f32) {
        self.hours *= factor;
        self.flows *= factor;
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.last)
    }
}

/// The same of all identities: 64 bits, where small additions would be lost.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct AllFlowing {
    pub(crate) hours: f64,
    pub(crate) flows: f64,
}

impl AllFlowing {
    pub(crate) fn learn(&mut self, flows: &Flows) {
        self.hours += 1.0;
        self.flows += f64::from(u8::from(flows.calls > 0));
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.hours += other.hours;
        self.flows += other.flows;
    }

    pub(crate) fn decay(&mut self, factor: f64) {
        self.hours *= factor;
        self.flows *= factor;
    }

    /// The chance that such an hour of an identity has a call out: its own hours, with everybody's at the
    /// weight of five, and half a flow added so that it is above 0.
    pub(crate) fn chance(&self, own: Option<&Flowing>) -> f64 {
        const PRIOR_HOURS: f64 = 5.0;
        let everyone = (self.flows + 0.5) / (self.hours + 1.0);
        let (hours, flows) =
            own.map_or((0.0, 0.0), |it| (f64::from(it.hours), f64::from(it.flows)));
        (flows + PRIOR_HOURS * everyone) / (hours + PRIOR_HOURS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chance_is_everybodys_until_there_is_an_own_one() {
        let everyone = AllFlowing { hours: 999.0, flows: 0.0 };
        assert!((everyone.chance(None) - 0.000_5).abs() < 1e-9);
        let often = Flowing { hours: 20.0, flows: 10.0, ..Flowing::default() };
        assert!(everyone.chance(Some(&often)) > 0.3);
        let never = Flowing { hours: 20.0, ..Flowing::default() };
        assert!(everyone.chance(Some(&never)) < everyone.chance(None));
    }
}

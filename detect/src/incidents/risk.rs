//! The risk of identities: what their findings weigh, the lesser the older they are.

use crate::snapshot::plain;
use model::time::NS_PER_D;
use model::{FindingId, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Days after which a finding weighs half.
const HALF_LIFE_D: f64 = 7.0;
/// Findings that an identity's risk rests on; the lightest makes room.
const SHARES_MAX: usize = 16;
/// Identities with a risk.
const IDENTITIES_MAX: usize = 65_536;
/// A share below this is nothing.
const SHARE_MIN: f64 = 0.05;

/// What one finding weighs.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Share {
    #[serde(with = "plain")]
    pub(crate) finding: FindingId,
    /// 0 to 100, when it was found.
    weight: f64,
    #[serde(with = "plain")]
    at: Time,
}

/// The findings of every identity that has any, by its key.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Risks {
    shares: BTreeMap<u64, Vec<Share>>,
    missed: u64,
}

impl Risks {
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    /// Adds a finding, or a later revision of it: the heaviest counts.
    pub(crate) fn add(&mut self, identity: u64, finding: FindingId, weight: f64, at: Time) {
        if self.shares.len() >= IDENTITIES_MAX && !self.shares.contains_key(&identity) {
            self.missed += 1;
            return;
        }
        let shares = self.shares.entry(identity).or_default();
        if let Some(share) = shares.iter_mut().find(|it| it.finding == finding) {
            share.weight = share.weight.max(weight);
            return;
        }
        shares.push(Share { finding, weight, at });
        if shares.len() > SHARES_MAX {
            let lightest = shares.iter().enumerate().min_by(|a, b| {
                let weight = |it: &Share| it.now(at);
                weight(a.1).total_cmp(&weight(b.1)).then(a.1.finding.cmp(&b.1.finding))
            });
            if let Some((lightest, _)) = lightest {
                shares.remove(lightest);
            }
        }
    }

    /// The risk of an identity as of `now`, and what each finding adds to it, the heaviest first.
    ///
    /// Σ rᵢ / i^1.5 over its findings by weight, each rᵢ 0 to 100 and halved in seven days: many small
    /// ones never outweigh a large one, since Σ 1 / i^1.5 converges (to ζ(1.5), about 2.6).
    pub(crate) fn of(&self, identity: u64, now: Time) -> (f64, Vec<(FindingId, f64)>) {
        let Some(shares) = self.shares.get(&identity) else { return (0.0, Vec::new()) };
        let mut weights: Vec<_> = shares.iter().map(|it| (it.finding, it.now(now))).collect();
        weights.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        for (index, (_, weight)) in weights.iter_mut().enumerate() {
            *weight /= ((index + 1) as f64).powf(1.5);
        }
        (weights.iter().map(|it| it.1).sum(), weights)
    }

    /// Drops what weighs nothing any more; whether there was any.
    pub(crate) fn age(&mut self, now: Time) -> bool {
        let mut is_any = false;
        self.shares.retain(|_, shares| {
            let before = shares.len();
            shares.retain(|it| it.now(now) >= SHARE_MIN);
            is_any |= shares.len() < before;
            !shares.is_empty()
        });
        is_any
    }

    pub(crate) fn forget(&mut self, identity: u64) {
        self.shares.remove(&identity);
    }
}

impl Share {
    fn now(&self, now: Time) -> f64 {
        let days = now.since(self.at).max(0) as f64 / NS_PER_D as f64;
        self.weight * (-days / HALF_LIFE_D).exp2()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(days: i64) -> Time {
        Time::from_ns(days * NS_PER_D)
    }

    #[test]
    fn a_finding_weighs_half_after_a_week_and_the_second_less_than_the_first() {
        let mut risks = Risks::default();
        risks.add(1, FindingId([1; 16]), 40.0, day(0));
        risks.add(1, FindingId([1; 16]), 80.0, day(0));
        let (risk, shares) = risks.of(1, day(7));
        assert!((risk - 40.0).abs() < 1e-9 && shares.len() == 1, "{risk}");
        risks.add(1, FindingId([2; 16]), 20.0, day(7));
        let (risk, shares) = risks.of(1, day(7));
        assert!((risk - (40.0 + 20.0 / 2.0_f64.powf(1.5))).abs() < 1e-9, "{risk}");
        assert!((shares.iter().map(|it| it.1).sum::<f64>() - risk).abs() < 1e-9);
        assert_eq!(risks.of(2, day(7)), (0.0, Vec::new()));
    }

    #[test]
    fn many_small_findings_do_not_outweigh_a_large_one_and_old_ones_go() {
        let mut risks = Risks::default();
        for index in 0..100 {
            risks.add(1, FindingId([index; 16]), 10.0, day(0));
        }
        let (risk, shares) = risks.of(1, day(0));
        assert!(risk < 26.2 && shares.len() == SHARES_MAX, "{risk}");
        assert!(!risks.age(day(1)), "each weighs something still");
        assert!(risks.age(day(70)));
        assert_eq!(risks.of(1, day(70)).1.len(), 0);
    }
}

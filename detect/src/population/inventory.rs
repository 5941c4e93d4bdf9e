//! What the tenant is known to offer: its hosts, and how often something new is answered.

use crate::statistics::moments::Sums;
use crate::statistics::{Moments, Predictive};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Hosts that are remembered.
const HOSTS_MAX: usize = 65_536;
/// Hosts of an hour with a finding that are remembered: a caller may write what it likes into `Host`.
const HOSTS_RAISED_MAX: usize = 64;
/// New hosts that such an hour counts for.
const HOSTS_RAISED_COUNTED: f64 = 1.0;
/// Days after which a host that was not called is forgotten.
const KEPT_DAYS: i32 = 400;
/// Hours of log before new things are counted: at first everything is new.
pub(crate) const SETTLED_H: u32 = 72;

/// The hosts, and the new things of each hour.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Inventory {
    /// The last day on which each host was called, by the hash of its name.
    hosts: BTreeMap<u64, i32>,
    /// New endpoints, and new hosts, per active hour.
    endpoints_new: Sums,
    hosts_new: Sums,
    /// New things so far, and those of them that spoke MCP.
    things: f64,
    things_mcp: f64,
    /// Hosts beyond the limit.
    missed: u64,
}

/// What an hour had that was new.
#[derive(Clone, Debug, Default)]
pub(crate) struct New {
    pub(crate) endpoints: u32,
    pub(crate) hosts: Vec<u64>,
    pub(crate) mcp: u32,
    pub(crate) day: i32,
    /// Hours with a log before it.
    pub(crate) logged_h: u32,
    /// As many new endpoints as it counts for at most, where it raised a finding: an alarm must not be
    /// what the next one is measured by.
    pub(crate) most: Option<f64>,
}

impl Inventory {
    pub(crate) fn is_known(&self, host: u64) -> bool {
        self.hosts.contains_key(&host)
    }

    /// New hosts beyond the limit.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    /// Takes in an hour.
    pub(crate) fn learn(&mut self, new: &New) {
        let (mut endpoints, mut hosts) = (f64::from(new.endpoints), new.hosts.len() as f64);
        let (mut mcp, mut remembered) = (f64::from(new.mcp), HOSTS_MAX);
        if let Some(most) = new.most {
            (endpoints, hosts) = (endpoints.min(most), hosts.min(HOSTS_RAISED_COUNTED));
            (mcp, remembered) = (mcp.min(endpoints + hosts), HOSTS_RAISED_MAX);
        }
        if new.logged_h >= SETTLED_H {
            self.endpoints_new.add(endpoints, 1.0);
            self.hosts_new.add(hosts, 1.0);
            self.things += endpoints + hosts;
            self.things_mcp += mcp;
        }
        self.missed += new.hosts.len().saturating_sub(remembered) as u64;
        for host in new.hosts.iter().take(remembered) {
            self.remember(*host, new.day);
        }
    }

    /// Notes which hosts were called in an hour; until new things are counted all of them are known from
    /// then on.
    pub(crate) fn call(&mut self, hosts: &[u64], new: &New) {
        for host in hosts {
            if let Some(last) = self.hosts.get_mut(host) {
                *last = new.day;
            } else if new.logged_h < SETTLED_H {
                self.remember(*host, new.day);
            }
        }
    }

    fn remember(&mut self, host: u64, day: i32) {
        if self.hosts.len() < HOSTS_MAX {
            self.hosts.insert(host, day);
        } else {
            self.missed += 1;
        }
    }

    pub(crate) fn age(&mut self, factor: f64, day: i32) {
        self.endpoints_new.decay(factor);
        self.hosts_new.decay(factor);
        self.things *= factor;
        self.things_mcp *= factor;
        self.hosts.retain(|_, last| day - *last < KEPT_DAYS);
    }

    /// The law of new endpoints in an hour in which Good and Turing expect `expected`.
    pub(crate) fn endpoints(&self, expected: f64) -> Predictive {
        let law = Predictive::of(&Moments::default(), &self.endpoints_new);
        let (mean, variance) = law.map_or((0.0, 0.0), |law| (law.mean, law.variance));
        let mean = mean.max(expected).max(1e-6);
        Predictive { mean, variance: variance.max(mean) }
    }

    /// New hosts that are expected in an hour: half a one more than there were, so that it is above 0.
    pub(crate) fn hosts_expected(&self) -> f64 {
        (self.hosts_new.sum + 0.5) / (self.hosts_new.n + 1.0)
    }

    /// The share of new things that speak MCP, above 0.
    pub(crate) fn mcp_share(&self) -> f64 {
        (self.things_mcp + 0.5) / (self.things + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_once_learned_and_forgotten_after_long() {
        let mut inventory = Inventory::default();
        let new = New { hosts: vec![7], day: 10, ..New::default() };
        inventory.learn(&new);
        assert!(inventory.is_known(7) && !inventory.is_known(8));
        assert!(inventory.hosts_new.n == 0.0, "at first everything is new");
        inventory.call(&[7, 8], &New { day: 20, logged_h: SETTLED_H, ..New::default() });
        inventory.age(1.0, 20 + KEPT_DAYS - 1);
        assert!(inventory.is_known(7));
        inventory.age(1.0, 20 + KEPT_DAYS);
        assert!(!inventory.is_known(7));
    }

    #[test]
    fn an_hour_with_a_finding_does_not_become_what_is_ordinary() {
        let mut inventory = Inventory::default();
        for _ in 0..200 {
            inventory.learn(&New { logged_h: 200, ..New::default() });
        }
        let raised = New {
            endpoints: 900,
            hosts: (0..1_024).collect(),
            mcp: 900,
            logged_h: 200,
            most: Some(3.0),
            ..New::default()
        };
        inventory.learn(&raised);
        assert!(inventory.hosts_expected() < 0.01, "{}", inventory.hosts_expected());
        assert!((inventory.endpoints_new.sum - 3.0).abs() < 1e-9);
        assert!((inventory.things - 4.0).abs() < 1e-9 && inventory.mcp_share() <= 1.0);
        assert_eq!(inventory.hosts.len(), HOSTS_RAISED_MAX);
        assert_eq!(inventory.missed() as usize, 1_024 - HOSTS_RAISED_MAX);
    }

    #[test]
    fn where_new_things_are_rare_one_is_odder() {
        let of = |each: u32| {
            let mut inventory = Inventory::default();
            for hour in 0..500 {
                let endpoints = if hour % 50 == 0 { each } else { 0 };
                inventory.learn(&New { endpoints, logged_h: 100, ..New::default() });
            }
            inventory.endpoints(0.001).surprise(12.0)
        };
        assert!(of(0) > of(1) && of(1) > of(20), "{} {} {}", of(0), of(1), of(20));
    }
}

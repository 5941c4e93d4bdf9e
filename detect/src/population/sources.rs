//! How many identities use a network, and a family of user agents: counts in buckets, never too few.

use serde::{Deserialize, Serialize};

/// Buckets that networks are counted in, and families of user agents; two in one bucket are counted
/// together, and so as less rare than they are.
const NETWORKS: usize = 4_096;
const AGENTS: usize = 512;
/// Hours with a new network that are supposed before any were seen, and how many of those had one that
/// is foreign: it may well be.
const FOREIGN_PRIOR: (f64, f64) = (2.0, 1.0);
/// The same, and how many of those had a new program, or calls going back and forth: a new place is often
/// a new device, or a tunnel that is switched on.
const SELDOM_PRIOR: (f64, f64) = (4.0, 1.0);

/// The users of networks and programs, of identities that are not addresses.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Sources {
    members: i64,
    networks: Vec<i32>,
    agents: Vec<i32>,
    /// Hours that brought an identity a new network, and what else those of them had.
    novel: f64,
    foreign: f64,
    programs: f64,
    overlaps: f64,
}

/// What an hour had that brought an identity a new network.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Novelty {
    /// Nobody else uses it, and the identity none that is near.
    pub(crate) is_foreign: bool,
    /// There was a new program, too.
    pub(crate) has_program: bool,
    /// Calls went back and forth between two networks.
    pub(crate) has_overlap: bool,
}

impl Sources {
    pub(crate) fn add_member(&mut self) {
        self.members += 1;
    }

    pub(crate) fn add_network(&mut self, key: u32, users: i32) {
        add(&mut self.networks, NETWORKS, key, users);
    }

    pub(crate) fn add_agent(&mut self, key: u32, users: i32) {
        add(&mut self.agents, AGENTS, key, users);
    }

    /// Notes an hour with a new network.
    pub(crate) fn add_novel(&mut self, novelty: Novelty) {
        let one = |is_so| f64::from(u8::from(is_so));
        self.novel += 1.0;
        self.foreign += one(novelty.is_foreign);
        self.programs += one(novelty.has_program);
        self.overlaps += one(novelty.has_overlap);
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.members += other.members;
        for (own, theirs) in
            [(&mut self.networks, &other.networks), (&mut self.agents, &other.agents)]
        {
            if own.len() < theirs.len() {
                own.resize(theirs.len(), 0);
            }
            own.iter_mut().zip(theirs).for_each(|(own, theirs)| *own += theirs);
        }
        self.novel += other.novel;
        self.foreign += other.foreign;
        self.programs += other.programs;
        self.overlaps += other.overlaps;
    }

    /// Adds what an identity counts for (`sign` 1), or takes it back (−1).
    pub(crate) fn count(
        &mut self,
        networks: impl Iterator<Item = u32>,
        agents: impl Iterator<Item = u32>,
        sign: i32,
    ) {
        self.members += i64::from(sign);
        networks.for_each(|key| self.add_network(key, sign));
        agents.for_each(|key| self.add_agent(key, sign));
    }

    pub(crate) fn decay(&mut self, factor: f64) {
        self.novel *= factor;
        self.foreign *= factor;
        self.programs *= factor;
        self.overlaps *= factor;
    }

    /// Identities of which any network was learned.
    pub(crate) fn members(&self) -> u32 {
        self.members.clamp(0, i64::from(u32::MAX)) as u32
    }

    /// How many of them use a network, at most.
    pub(crate) fn network_users(&self, key: u32) -> u32 {
        self.users(&self.networks, NETWORKS, key)
    }

    /// How many of them use a family of user agents, at most.
    pub(crate) fn agent_users(&self, key: u32) -> u32 {
        self.users(&self.agents, AGENTS, key)
    }

    fn users(&self, counts: &[i32], buckets: usize, key: u32) -> u32 {
        let users = counts.get(key as usize % buckets).copied().unwrap_or(0);
        u32::try_from(users).unwrap_or(0).min(self.members())
    }

    /// The share of identities that use it, above 0.
    pub(crate) fn share(&self, users: u32) -> f64 {
        (f64::from(users) + 1.0) / (f64::from(self.members()) + 2.0)
    }

    /// How often a new network is foreign.
    pub(crate) fn foreign_share(&self) -> f64 {
        self.of_novel(self.foreign, FOREIGN_PRIOR)
    }

    /// How often an hour with a new network also has a new program.
    pub(crate) fn program_share(&self) -> f64 {
        self.of_novel(self.programs, SELDOM_PRIOR)
    }

    /// How often an hour with a new network also goes back and forth.
    pub(crate) fn overlap_share(&self) -> f64 {
        self.of_novel(self.overlaps, SELDOM_PRIOR)
    }

    fn of_novel(&self, count: f64, (hours, supposed): (f64, f64)) -> f64 {
        (count + supposed) / (self.novel + hours)
    }
}

fn add(counts: &mut Vec<i32>, buckets: usize, key: u32, users: i32) {
    if users == 0 {
        return;
    }
    if counts.len() < buckets {
        counts.resize(buckets, 0);
    }
    if let Some(count) = counts.get_mut(key as usize % buckets) {
        *count = count.saturating_add(users);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_use_is_not_rare_and_the_forgotten_are_taken_back() {
        let (mut all, mut part) = (Sources::default(), Sources::default());
        for identity in 0..40 {
            part.add_member();
            part.add_network(if identity < 30 { 7 } else { identity }, 1);
            part.add_agent(3, 1);
        }
        all.absorb(&part);
        assert_eq!((all.members(), all.network_users(7), all.agent_users(3)), (40, 30, 40));
        assert!(all.share(all.network_users(7)) > 0.7);
        assert!(all.share(all.network_users(999)) < 0.03);
        all.count([7].into_iter(), [3].into_iter(), -1);
        assert_eq!((all.members(), all.network_users(7), all.agent_users(3)), (39, 29, 39));
    }

    #[test]
    fn what_new_networks_come_with_is_rarer_the_more_did_not() {
        let mut sources = Sources::default();
        assert!((sources.overlap_share() - 0.25).abs() < 1e-9);
        assert!((sources.foreign_share() - 0.5).abs() < 1e-9);
        (0..96).for_each(|_| {
            sources.add_novel(Novelty { is_foreign: true, ..Novelty::default() });
        });
        assert!((sources.overlap_share() - 0.01).abs() < 1e-9);
        assert!((sources.program_share() - 0.01).abs() < 1e-9);
        assert!(sources.foreign_share() > 0.97);
    }
}

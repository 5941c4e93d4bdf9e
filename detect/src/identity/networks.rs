//! From which networks, and with which programs, an identity's credentials were used.

use crate::snapshot::plain::{self, Plain};
use serde::{Deserialize, Serialize};

/// Networks of one identity, over all of its credentials; the one that was not used for longest goes.
const NETWORKS_MAX: usize = 16;
/// Families of user agents of one identity.
const AGENTS_MAX: usize = 8;
/// Hours of a credential from which on it has a history.
const HOURS_MIN: u32 = 3;
/// What stands for a credential's tag where a family of user agents is meant.
const AGENT: u8 = u8::MAX;

/// A network of a credential, or a family of user agents, as hashes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Seen {
    /// Of a network, the upper half is of the wider network that it is part of.
    key: u32,
    /// When it was seen last, in days since 1970.
    day: u16,
    /// Of which credential: few have many, and two with one tag are taken for one.
    of: u8,
    /// Learned hours with it, at most 255; 0 for what was only noted.
    hours: u8,
}

/// The networks and the programs of one identity.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Networks {
    #[serde(with = "plain")]
    seen: Seens,
    /// Learned hours, decayed, that brought a network that was not among those kept.
    pub(crate) novel: f32,
    /// Learned hours, decayed, in which calls went back and forth between two networks.
    pub(crate) overlaps: f32,
}

/// With no room to spare: most have one network and one program.
#[derive(Clone, Debug, Default)]
struct Seens(Box<[Seen]>);

/// What became of the networks when one was learned.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Learned {
    /// No credential of the identity had it before.
    pub(crate) is_new: bool,
    /// What made room, of no credential any more.
    pub(crate) dropped: Option<u32>,
}

/// The tag of a credential by its hash.
pub(crate) const fn tag(credential: u64) -> u8 {
    (credential % AGENT as u64) as u8
}

impl Networks {
    /// The first one: read before it is needed.
    pub(crate) fn glance(&self) -> u64 {
        self.seen.0.first().map_or(0, |seen| u64::from(seen.of))
    }

    fn of(&self, of: u8) -> impl Iterator<Item = &Seen> {
        self.seen.0.iter().filter(move |seen| seen.of == of)
    }

    /// Whether a credential was ever used from a network.
    pub(crate) fn knows(&self, of: u8, key: u32) -> bool {
        self.of(of).any(|seen| seen.key == key)
    }

    /// Whether any credential was learned to be used from a network of the same wider network.
    pub(crate) fn knows_near(&self, key: u32) -> bool {
        let learned = self.seen.0.iter().filter(|seen| seen.of != AGENT && seen.hours > 0);
        learned.into_iter().any(|seen| seen.key >> 16 == key >> 16)
    }

    /// Whether the identity ever used a program of that family, as far as it is kept: where there is
    /// no room for more, any may have been forgotten.
    pub(crate) fn may_know_agent(&self, key: u32) -> bool {
        self.knows(AGENT, key) || self.agents_kept() >= AGENTS_MAX
    }

    /// Whether a credential has a history: some hours were learned of it.
    pub(crate) fn has_history(&self, of: u8) -> bool {
        self.of(of).map(|seen| u32::from(seen.hours)).sum::<u32>() >= HOURS_MIN
    }

    /// The networks that are kept of a credential.
    pub(crate) fn kept(&self, of: u8) -> usize {
        self.of(of).count()
    }

    /// The families of user agents that are kept.
    pub(crate) fn agents_kept(&self) -> usize {
        self.kept(AGENT)
    }

    /// Whether a credential was learned to use any network.
    pub(crate) fn is_learned(&self, of: u8) -> bool {
        self.of(of).any(|seen| seen.hours > 0)
    }

    /// Whether anything was learned.
    pub(crate) fn is_used(&self) -> bool {
        self.networks().next().is_some()
    }

    /// The chance that an active hour brings a new network: Good–Turing's N1 / N over hours, or how
    /// often it did, if that is more (what made room is new again). `hours` were learned.
    pub(crate) fn p_new(&self, hours: f32) -> f64 {
        let once = self.seen.0.iter().filter(|seen| seen.of != AGENT && seen.hours == 1).count();
        chance((once as f64).max(f64::from(self.novel)), hours)
    }

    /// The chance of an hour in which it goes back and forth.
    pub(crate) fn p_overlap(&self, hours: f32) -> f64 {
        chance(f64::from(self.overlaps), hours)
    }

    /// The chance of an hour with a new program.
    pub(crate) fn p_program(&self, hours: f32) -> f64 {
        chance(self.of(AGENT).filter(|seen| seen.hours == 1).count() as f64, hours)
    }

    /// Learns an hour with a network of a credential.
    pub(crate) fn learn(&mut self, of: u8, key: u32, day: u16) -> Learned {
        self.add((of, key), day, 1)
    }

    /// Learns an hour with a family of user agents.
    pub(crate) fn learn_agent(&mut self, key: u32, day: u16) -> Learned {
        self.add((AGENT, key), day, 1)
    }

    /// Notes what was seen in an hour that is not learned: it is new no more.
    pub(crate) fn mark(&mut self, of: u8, key: u32, day: u16) {
        self.add((of, key), day, 0);
    }

    pub(crate) fn mark_agent(&mut self, key: u32, day: u16) {
        self.add((AGENT, key), day, 0);
    }

    fn add(&mut self, (of, key): (u8, u32), day: u16, hours: u8) -> Learned {
        let is_alike = |seen: &Seen| (seen.of == AGENT) == (of == AGENT);
        let is_counted = |all: &[Seen], key: u32| {
            all.iter().any(|seen| is_alike(seen) && seen.key == key && seen.hours > 0)
        };
        let was_counted = is_counted(&self.seen.0, key);
        if let Some(seen) = self.seen.0.iter_mut().find(|it| it.of == of && it.key == key) {
            seen.day = seen.day.max(day);
            seen.hours = seen.hours.saturating_add(hours);
            return Learned { is_new: hours > 0 && !was_counted, dropped: None };
        }
        let max = if of == AGENT { AGENTS_MAX } else { NETWORKS_MAX };
        let mut all = std::mem::take(&mut self.seen.0).into_vec();
        let mut dropped = None;
        if all.iter().filter(|seen| is_alike(seen)).count() >= max {
            // What is only noted takes no learned one's place: nobody can make a habit forgotten so.
            let may_go = |seen: &Seen| is_alike(seen) && (hours > 0 || seen.hours == 0);
            let oldest = all.iter().enumerate().filter(|(_, seen)| may_go(seen));
            let oldest = oldest.min_by_key(|(index, seen)| (seen.day, *index));
            let Some(index) = oldest.map(|(index, _)| index) else {
                self.seen.0 = all.into_boxed_slice();
                return Learned::default();
            };
            let gone = all.remove(index);
            let is_gone = gone.hours > 0 && !is_counted(&all, gone.key);
            dropped = is_gone.then_some(gone.key);
        }
        all.reserve_exact(1);
        all.push(Seen { key, day, of, hours });
        self.seen.0 = all.into_boxed_slice();
        Learned { is_new: hours > 0 && !was_counted, dropped }
    }

    /// Forgets a part of how often: the networks themselves stay.
    pub(crate) fn decay(&mut self, factor: f32) {
        self.novel *= factor;
        self.overlaps *= factor;
    }

    /// The networks that it counts as a user of, each once.
    pub(crate) fn networks(&self) -> impl Iterator<Item = u32> {
        self.distinct(false)
    }

    /// The families that it counts as a user of.
    pub(crate) fn agents(&self) -> impl Iterator<Item = u32> {
        self.distinct(true)
    }

    fn distinct(&self, is_agent: bool) -> impl Iterator<Item = u32> {
        let is_meant = move |seen: &Seen| (seen.of == AGENT) == is_agent && seen.hours > 0;
        let all = &self.seen.0;
        all.iter().enumerate().filter_map(move |(index, seen)| {
            let before = all.get(..index).unwrap_or_default();
            let is_first = !before.iter().any(|it| is_meant(it) && it.key == seen.key);
            (is_meant(seen) && is_first).then_some(seen.key)
        })
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.seen.0)
    }
}

/// The chance of what so many of the learned hours had; never 0 nor more than 1.
fn chance(count: f64, hours: f32) -> f64 {
    ((count + 0.5) / (f64::from(hours) + 1.0)).min(1.0)
}

impl Plain for Seens {
    type As = Vec<Seen>;

    fn to_plain(&self) -> Self::As {
        self.0.to_vec()
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        (plain.len() <= NETWORKS_MAX + AGENTS_MAX).then(|| Self(plain.into_boxed_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_expects_nothing_new_and_a_traveller_does() {
        let (mut office, mut traveller) = (Networks::default(), Networks::default());
        for day in 0..30 {
            office.learn(0, 7, day);
            traveller.learn(0, u32::from(day), day);
            traveller.novel += 1.0;
        }
        assert!(office.p_new(30.0) < 0.02, "{}", office.p_new(30.0));
        assert!(traveller.p_new(30.0) > 0.9, "{}", traveller.p_new(30.0));
        assert_eq!(traveller.kept(0), NETWORKS_MAX);
    }

    #[test]
    fn the_one_not_used_for_longest_makes_room() {
        let mut networks = Networks::default();
        for key in 0..16 {
            networks.learn(0, key, key as u16);
        }
        networks.learn(0, 0, 90);
        assert_eq!(networks.learn(0, 99, 91), Learned { is_new: true, dropped: Some(1) });
        assert!(networks.knows(0, 0) && !networks.knows(0, 1));
        assert_eq!(networks.networks().count(), NETWORKS_MAX);
    }

    #[test]
    fn credentials_have_their_own_networks_and_what_is_noted_is_no_habit() {
        let mut networks = Networks::default();
        assert!(networks.learn(1, 7, 1).is_new);
        assert!(!networks.learn(2, 7, 1).is_new, "the identity has it already");
        assert!(networks.knows(1, 7) && !networks.knows(1, 8) && !networks.has_history(1));
        networks.mark(1, 8, 2);
        assert!(networks.knows(1, 8) && !networks.knows_near(8 << 16));
        assert_eq!((networks.kept(1), networks.networks().count()), (2, 1));
        (100..200).for_each(|key| networks.mark(1, key, 9));
        assert!(networks.knows(1, 7), "what is only noted takes no learned one's place");
        networks.learn(1, 7, 3);
        networks.learn(1, 7, 4);
        assert!(networks.has_history(1) && !networks.has_history(2));
    }

    #[test]
    fn neighbours_share_the_upper_half_and_a_full_list_of_programs_knows_all() {
        let mut networks = Networks::default();
        networks.learn(1, 0x0007_0001, 1);
        assert!(networks.knows_near(0x0007_0002) && !networks.knows_near(0x0008_0001));
        (0..AGENTS_MAX as u32).for_each(|key| _ = networks.learn_agent(key, 1));
        assert!(networks.may_know_agent(99));
        assert_eq!(networks.agents_kept(), AGENTS_MAX);
    }

    #[test]
    fn one_network_and_one_program_take_sixteen_bytes_beside_the_identity() {
        let mut networks = Networks::default();
        networks.learn(1, 7, 1);
        networks.learn_agent(7, 1);
        assert_eq!((size_of::<Networks>(), networks.heap_bytes()), (24, 16));
    }
}

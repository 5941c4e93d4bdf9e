//! What is ordinary for everyone, for a peer group, and for an endpoint.
//!
//! Each partition adds to a [`Contribution`] of its own; at hour boundaries the contributions are
//! merged into the [`Population`] in the order of the partitions, so that threads and workers do
//! not change results.

mod agents;
mod answers;
mod breadths;
mod group;
mod inventory;
mod itself;
mod misfits;
mod offered;
mod owners;
mod sizes;
mod sources;
mod steps;
mod tools;

pub(crate) use agents::Agents;
pub(crate) use answers::Answers;
pub(crate) use breadths::Breadths;
pub(crate) use group::Group;
pub(crate) use inventory::{Inventory, New, SETTLED_H};
pub(crate) use itself::{Begun, Itself, OwnCalls};
pub(crate) use misfits::{JointlyTold, Misfits};
pub(crate) use offered::Offered;
pub(crate) use owners::{Access, Owners, Whose};
pub(crate) use sizes::{SizeHabit, SizeLaw};
pub(crate) use sources::{Novelty, Sources};
#[cfg(test)]
pub(crate) use steps::Skips;
pub(crate) use steps::{Seen, Usual};
pub(crate) use tools::ToolUsers;

use crate::calibration::Shared;
use crate::daily::drift::{Growth, Trend};
use crate::detectors::exposure_change::Lesson;
use crate::detectors::unauthenticated_success;
use crate::identity::{AllFlowing, Identity, forgetting};
use crate::silence::AllSilences;
use crate::snapshot::plain::{self, plain_unless_default};
use crate::statistics::moments::Sums;
use crate::statistics::{Moments, Predictive};
use crate::watch::Closed;
use model::time::NS_PER_D;
use model::{Detector, EndpointId, Endpoints, Time};
use serde::{Deserialize, Serialize};
use steps::Steps;

/// Counts that are kept per window for every identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Measure {
    /// Calls in an active window of 10 s.
    CallsPer10S,
    /// Calls in an active window of 1 min.
    CallsPerMin,
    /// Calls in an active window of 5 min.
    CallsPer5Min,
    /// Distinct endpoints refused in an active hour.
    DeniedPerHour,
    /// Failed authentications in an active hour.
    FailuresPerHour,
    /// Distinct objects changed or deleted in an active hour.
    ChangedPerHour,
    /// Distinct secrets read in an active hour.
    SecretsPerHour,
    /// The chance that a call of an agent brings nothing new, per session of an active hour.
    RepeatsPerSession,
    /// Distinct objects that somebody else alone had read, in an active hour.
    ForeignPerHour,
    /// −log2 of the chance of a step from endpoint to endpoint: the means of twenty steps.
    BitsPerStep,
    /// Calls by POST, PUT, PATCH or DELETE in an active hour.
    WritesPerHour,
}

impl Measure {
    pub(crate) const COUNT: usize = 11;
}

/// Fewest members of a peer group that may stand for the peers.
const MEMBERS_MIN: u32 = 20;
/// Calls in the tenant from which on everyone may stand for the peers.
const CALLS_MIN: u64 = 2_000;

/// What is known of one endpoint over all identities.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct EndpointHabit {
    #[serde(with = "plain")]
    pub(crate) first_seen: Time,
    #[serde(with = "plain")]
    pub(crate) last_seen: Time,
    pub(crate) calls: u64,
    /// Calls with a principal that is not merely an address.
    pub(crate) authenticated: u64,
    /// Calls answered 2xx, and those of them with such a principal. While an endpoint is guarded,
    /// successes without one count only once they are believed to be meant.
    pub(crate) answered: u64,
    pub(crate) answered_named: u64,
    /// Distinct objects answered 2xx, per identity and active hour.
    pub(crate) objects: Sums,
    /// Calls with signs of injection, per identity and active hour.
    pub(crate) probes: Sums,
    pub(crate) answers: Answers,
}

impl EndpointHabit {
    fn absorb(&mut self, other: &Self) {
        if other.calls > 0 {
            if self.calls == 0 || other.first_seen < self.first_seen {
                self.first_seen = other.first_seen;
            }
            self.last_seen = self.last_seen.max(other.last_seen);
        }
        self.calls += other.calls;
        self.authenticated += other.authenticated;
        self.answered += other.answered;
        self.answered_named += other.answered_named;
        self.objects.absorb(&other.objects);
        self.probes.absorb(&other.probes);
        self.answers.absorb(&other.answers);
    }
}

plain_unless_default!(EndpointHabit);

/// What one partition saw since the last exchange.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Contribution {
    pub(crate) calls: u64,
    pub(crate) windows: u64,
    pub(crate) everyone: Group,
    /// Members of everyone that made room for others.
    pub(crate) left: u32,
    pub(crate) groups: Vec<Group>,
    /// Learned calls per endpoint: the mix of everyone.
    pub(crate) mix: Vec<f64>,
    #[serde(with = "plain")]
    pub(crate) endpoints: Vec<EndpointHabit>,
    pub(crate) objects: Sums,
    pub(crate) silences: AllSilences,
    pub(crate) probes: Sums,
    pub(crate) steps: Seen,
    pub(crate) flowing: AllFlowing,
    /// Objects that identities read, a few each.
    pub(crate) accesses: Vec<Access>,
    /// Those beyond the limit.
    pub(crate) unnoted: u64,
    pub(crate) sources: Sources,
    pub(crate) agents: Agents,
    pub(crate) own: OwnCalls,
    pub(crate) tools: ToolUsers,
    pub(crate) surprises: Vec<Vec<f32>>,
    /// Rare ones of networks that others may have met in the same hour: they are counted when all are there.
    pub(crate) shared: Vec<Shared>,
    /// Those of windows that raised a finding, as they were.
    pub(crate) said: Vec<Vec<f32>>,
    /// Windows that the joint models judged in this hour, and those that they told of.
    pub(crate) jointly_told: JointlyTold,
    /// Windows in which each detector could have had something to read.
    pub(crate) judged: [u64; Detector::ALL.len()],
    /// How days that ended compare with their identities' references.
    pub(crate) growth: Growth,
}

impl Contribution {
    pub(crate) fn endpoint_mut(&mut self, endpoint: EndpointId) -> Option<&mut EndpointHabit> {
        let index = endpoint.0 as usize;
        grow(&mut self.endpoints, index + 1);
        self.endpoints.get_mut(index)
    }

    pub(crate) fn add_mix(&mut self, endpoint: EndpointId, calls: f64) {
        let index = endpoint.0 as usize;
        grow(&mut self.mix, index + 1);
        if let Some(mix) = self.mix.get_mut(index) {
            *mix += calls;
        }
    }

    pub(crate) fn group_mut(&mut self, group: Option<u8>) -> Option<&mut Group> {
        let index = usize::from(group?);
        if self.groups.len() <= index {
            self.groups.resize_with(index + 1, Group::default);
        }
        self.groups.get_mut(index)
    }

    /// Adds an identity's whole history to its group, after the groups were drawn anew.
    pub(crate) fn enrol(&mut self, identity: &Identity) {
        let Some(group) = self.group_mut(identity.group) else { return };
        group.members += 1;
        group.agents += u32::from(identity.is_agent());
        for (sums, own) in group.counts.iter_mut().zip(&identity.counts) {
            sums.merge(own, 1.0);
        }
        group.bytes.merge(&identity.bytes);
        for known in identity.profile.known().iter().filter(|known| known.is_used()) {
            group.add_users(known.endpoint, 1);
        }
    }
}

/// What is ordinary in the tenant, as of the last exchange.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Population {
    unnoted: u64,
    pub(crate) calls: u64,
    pub(crate) everyone: Group,
    pub(crate) groups: Vec<Group>,
    pub(crate) mix: Vec<f64>,
    pub(crate) mix_total: f64,
    pub(crate) mix_kinds: u32,
    #[serde(with = "plain")]
    pub(crate) endpoints: Vec<EndpointHabit>,
    pub(crate) objects: Sums,
    pub(crate) silences: AllSilences,
    /// How broad those are that are older than a day, as of the last fit.
    pub(crate) breadths: Option<Breadths>,
    /// Calls with signs of injection, per identity, endpoint and active hour.
    pub(crate) probes: Sums,
    /// How large the answers of each endpoint are.
    sizes: Vec<SizeHabit>,
    /// What is offered, and how often something new is.
    pub(crate) inventory: Inventory,
    pub(crate) offered: Offered,
    /// What follows sensitive reads.
    pub(crate) flowing: AllFlowing,
    /// Who reads which object.
    pub(crate) owners: Owners,
    /// From which endpoint to which everybody goes.
    pub(crate) steps: Steps,
    pub(crate) sources: Sources,
    pub(crate) agents: Agents,
    pub(crate) itself: Itself,
    /// What the days of everyone have in common.
    pub(crate) trend: Trend,
    pub(crate) misfits: Misfits,
    pub(crate) tools: ToolUsers,
    aged_day: Option<i64>,
}

impl Population {
    /// Merges and empties the contributions, in the order of the partitions.
    pub(crate) fn absorb<'a>(&mut self, contributions: impl Iterator<Item = &'a mut Contribution>) {
        let (mut seen, mut accesses) = (Vec::new(), Vec::new());
        let (mut growth, mut own) = (Growth::default(), OwnCalls::default());
        let mut jointly_told = JointlyTold::default();
        for contribution in contributions {
            seen.push(&mut contribution.steps);
            accesses.append(&mut contribution.accesses);
            self.unnoted += std::mem::take(&mut contribution.unnoted);
            self.flowing.absorb(&std::mem::take(&mut contribution.flowing));
            growth.absorb(&std::mem::take(&mut contribution.growth));
            jointly_told.absorb(std::mem::take(&mut contribution.jointly_told));
            self.calls += contribution.calls;
            self.everyone.absorb(&contribution.everyone);
            let left = std::mem::take(&mut contribution.left);
            self.everyone.members = self.everyone.members.saturating_sub(left);
            if self.groups.len() < contribution.groups.len() {
                self.groups.resize_with(contribution.groups.len(), Group::default);
            }
            for (own, theirs) in self.groups.iter_mut().zip(&contribution.groups) {
                own.absorb(theirs);
            }
            grow(&mut self.mix, contribution.mix.len());
            for (own, theirs) in self.mix.iter_mut().zip(&contribution.mix) {
                *own += theirs;
            }
            grow(&mut self.endpoints, contribution.endpoints.len());
            for (own, theirs) in self.endpoints.iter_mut().zip(&contribution.endpoints) {
                own.absorb(theirs);
            }
            self.objects.absorb(&contribution.objects);
            self.silences.absorb(&contribution.silences);
            contribution.silences = AllSilences::default();
            self.probes.absorb(&contribution.probes);
            self.sources.absorb(&contribution.sources);
            self.agents.absorb(&contribution.agents);
            own.append(&mut contribution.own);
            self.tools.absorb(&contribution.tools);
            contribution.calls = 0;
            contribution.windows = 0;
            contribution.everyone.clear();
            contribution.groups.iter_mut().for_each(Group::clear);
            contribution.mix.clear();
            contribution.endpoints.clear();
            contribution.objects = Sums::default();
            contribution.probes = Sums::default();
            contribution.sources = Sources::default();
            contribution.agents = Agents::default();
            contribution.tools = ToolUsers::default();
        }
        self.steps.absorb(seen.into_iter());
        self.owners.learn(accesses);
        self.unnoted += self.itself.learn(own);
        self.trend.absorb(&growth);
        self.misfits.absorb(jointly_told);
        self.mix_total = self.mix.iter().sum();
        self.mix_kinds = self.mix.iter().filter(|calls| **calls > 0.0).count() as u32;
    }

    /// Moves what is known of folded endpoints to the endpoints that they became part of.
    pub(crate) fn fold(&mut self, endpoints: &Endpoints) {
        self.steps.fold(endpoints);
        self.owners.fold(endpoints);
        self.itself.fold(endpoints);
        for index in 0..self.endpoints.len().max(self.mix.len()) {
            let old = EndpointId(index as u32);
            let new = endpoints.resolve(old);
            if new == old {
                continue;
            }
            let target = new.0 as usize;
            grow(&mut self.mix, target + 1);
            grow(&mut self.endpoints, target + 1);
            if let Some(calls) = self.mix.get_mut(index).map(std::mem::take)
                && let Some(slot) = self.mix.get_mut(target)
            {
                *slot += calls;
            }
            if let Some(sizes) = self.sizes.get_mut(index).map(std::mem::take) {
                self.sizes_mut(new).into_iter().for_each(|it| it.absorb(&sizes));
            }
            if let Some(habit) = self.endpoints.get_mut(index).map(std::mem::take)
                && let Some(slot) = self.endpoints.get_mut(target)
            {
                slot.absorb(&habit);
            }
        }
    }

    /// Counts anew who uses which endpoint: after a fold, the same members may have used several
    /// endpoints that are one now.
    pub(crate) fn recount<'a>(&mut self, identities: impl Iterator<Item = &'a Identity>) {
        for group in self.groups.iter_mut().chain([&mut self.everyone]) {
            group.users.clear();
        }
        for identity in identities {
            let group = identity.group.and_then(|group| self.groups.get_mut(usize::from(group)));
            let mut groups = [Some(&mut self.everyone), group];
            for known in identity.profile.known().iter().filter(|known| known.is_used()) {
                for group in groups.iter_mut().flatten() {
                    group.add_users(known.endpoint, 1);
                }
            }
        }
    }

    /// Forgets by the days that passed, as identities do, so that their shares stay comparable.
    pub(crate) fn age(&mut self, now: Time) {
        let today = now.ns().div_euclid(NS_PER_D);
        let factor = forgetting((today - self.aged_day.unwrap_or(today)) as f32);
        self.aged_day = Some(today);
        if factor >= 1.0 {
            return;
        }
        for group in self.groups.iter_mut().chain([&mut self.everyone]) {
            group.counts.iter_mut().for_each(|sums| sums.decay(f64::from(factor)));
            group.bytes.decay(factor);
            group.bytes_within.decay(f64::from(factor));
        }
        self.mix.iter_mut().for_each(|calls| *calls *= f64::from(factor));
        self.mix_total *= f64::from(factor);
        self.objects.decay(f64::from(factor));
        self.probes.decay(f64::from(factor));
        self.flowing.decay(f64::from(factor));
        self.inventory.age(f64::from(factor), today as i32);
        self.owners.age(today as i32);
        self.itself.age(today as i32);
        self.sizes.iter_mut().for_each(|sizes| sizes.decay(f64::from(factor)));
        self.steps.decay(factor);
        self.sources.decay(f64::from(factor));
        self.agents.decay(f64::from(factor));
        self.tools.decay(f64::from(factor));
        for habit in &mut self.endpoints {
            habit.objects.decay(f64::from(factor));
            habit.probes.decay(f64::from(factor));
            habit.answers.decay(f64::from(factor));
        }
    }

    /// Adds what an identity counts for as one, or takes it back: its membership, and what it uses.
    pub(crate) fn count(&mut self, identity: &Identity, is_in: bool) {
        let sign: i32 = if is_in { 1 } else { -1 };
        if let Some(acting) = identity.acting.as_ref().filter(|acting| acting.hours > 0) {
            let deepest = Some(acting.deepest);
            let (before, after) = if is_in { (None, deepest) } else { (deepest, None) };
            self.agents.deepen(before, after);
        }
        if let Some(tools) = identity.tools.as_ref().filter(|tools| tools.hours > 0.0) {
            self.tools.add_agent(i64::from(sign));
            let used = tools.known().iter().filter(|it| it.hours > 0.0);
            used.for_each(|it| self.tools.add(it.key.both(), sign));
        }
        if identity.networks.is_used() {
            let (networks, agents) = (identity.networks.networks(), identity.networks.agents());
            self.sources.count(networks, agents, sign);
        }
        let group = identity.group.and_then(|group| self.groups.get_mut(usize::from(group)));
        for group in [Some(&mut self.everyone), group].into_iter().flatten() {
            let add = |count: u32, is_one: bool| {
                if is_in {
                    count + u32::from(is_one)
                } else {
                    count.saturating_sub(u32::from(is_one))
                }
            };
            group.members = add(group.members, identity.learned > 0);
            group.agents = add(group.agents, identity.is_agent());
            for known in identity.profile.known().iter().filter(|known| known.is_used()) {
                group.add_users(known.endpoint, sign);
            }
        }
    }

    /// Forgets the groups: they are about to be drawn anew.
    pub(crate) fn disband(&mut self) {
        self.groups.clear();
        self.misfits = Misfits::default();
    }

    /// Whether enough is known of anyone to judge a newcomer.
    pub(crate) fn is_ready(&self) -> bool {
        self.everyone.members >= MEMBERS_MIN || self.calls >= CALLS_MIN
    }

    /// The peers of an identity: its group where that is large enough, else everyone.
    pub(crate) fn peers(&self, identity: &Identity) -> &Group {
        identity
            .group
            .and_then(|group| self.groups.get(usize::from(group)))
            .filter(|group| group.members >= MEMBERS_MIN)
            .unwrap_or(&self.everyone)
    }

    /// The share of an identity's peers that use an endpoint, above 0: its group's, drawn towards
    /// everyone's with the weight of a few members, so that a small group counts for what it is.
    pub(crate) fn usage(&self, identity: &Identity, endpoint: EndpointId) -> f64 {
        const EVERYONE_MEMBERS: f64 = 5.0;
        let of = |group: &Group| (f64::from(group.users_of(endpoint)), f64::from(group.members));
        let (users, members) = of(&self.everyone);
        let everyone = (users + 1.0) / (members + 2.0);
        let group = identity.group.and_then(|group| self.groups.get(usize::from(group)));
        group.map_or(everyone, |group| {
            let (users, members) = of(group);
            (users + EVERYONE_MEMBERS * everyone) / (members + EVERYONE_MEMBERS)
        })
    }

    /// What an identity's next window should count; `None` while there is too little to go by.
    pub(crate) fn predictive(&self, identity: &Identity, measure: Measure) -> Option<Predictive> {
        if !self.is_ready() {
            return None;
        }
        let peers = self.peers(identity).counts.get(measure as usize)?;
        Predictive::of(identity.counts.get(measure as usize)?, peers)
    }

    /// What an identity's next active hour should count of distinct objects at an endpoint.
    pub(crate) fn objects(&self, own: &Moments, endpoint: EndpointId) -> Option<Predictive> {
        /// Identity-hours from which on an endpoint speaks for itself.
        const HOURS_MIN: f64 = 20.0;
        if !self.is_ready() {
            return None;
        }
        let here = self.endpoints.get(endpoint.0 as usize).map(|habit| &habit.objects);
        let prior = here.filter(|sums| sums.n >= HOURS_MIN).unwrap_or(&self.objects);
        if prior.n < HOURS_MIN && own.n < HOURS_MIN as f32 {
            return None;
        }
        Predictive::of(own, prior)
    }

    /// How many calls with signs of injection an identity's next active hour should have at an endpoint.
    pub(crate) fn probes(&self, own: &Moments, endpoint: EndpointId) -> Option<Predictive> {
        /// Identity-hours from which on an endpoint speaks for itself.
        const HOURS_MIN: f64 = 20.0;
        /// Nearly all hours have none, so that half of one is imagined, and such calls come in threes.
        const IMAGINED: (f64, f64) = (0.5, 3.0);
        let here = self.endpoints.get(endpoint.0 as usize).map(|habit| &habit.probes);
        let mut prior = *here.filter(|sums| sums.n >= HOURS_MIN).unwrap_or(&self.probes);
        if !self.is_ready() || prior.n < HOURS_MIN {
            return None;
        }
        let (hours, calls) = IMAGINED;
        prior.add(calls, hours);
        Predictive::of(own, &prior)
    }

    /// The share of everyone's learned calls that go to an endpoint, `without` taken away; above 0.
    pub(crate) fn share(&self, endpoint: EndpointId, without: f64, without_total: f64) -> f64 {
        let calls = self.mix.get(endpoint.0 as usize).copied().unwrap_or(0.0);
        // One call is spread evenly over all kinds and one unseen kind, so that nothing is impossible.
        let unseen = 1.0 / (f64::from(self.mix_kinds) + 1.0);
        ((calls - without).max(0.0) + unseen) / ((self.mix_total - without_total).max(0.0) + 1.0)
    }

    /// Objects read of which it was not noted by whom, hosts that are not remembered, and identities with agents
    /// that are not followed, beyond the limits.
    pub(crate) const fn missed(&self) -> u64 {
        self.unnoted + self.inventory.missed()
    }

    /// Whether an endpoint has nearly always wanted an identity.
    pub(crate) fn is_guarded(&self, endpoint: EndpointId) -> bool {
        self.endpoint(endpoint).is_some_and(unauthenticated_success::is_guarded)
    }

    /// How large the answers of an endpoint are.
    pub(crate) fn sizes(&self, endpoint: EndpointId) -> Option<&SizeHabit> {
        self.sizes.get(endpoint.0 as usize)
    }

    pub(crate) fn sizes_mut(&mut self, endpoint: EndpointId) -> Option<&mut SizeHabit> {
        let index = endpoint.0 as usize;
        grow(&mut self.sizes, index + 1);
        self.sizes.get_mut(index)
    }

    /// Takes in what the hour taught of what is watched beside identities.
    pub(crate) fn learn_watched(&mut self, hour: Time, closed: Closed) {
        for (endpoint, calls) in closed.believed {
            if let Some(habit) = self.endpoints.get_mut(endpoint.0 as usize) {
                habit.answered += calls;
            }
        }
        self.inventory.learn(&closed.new);
        self.inventory.call(&closed.hosts, &closed.new);
        self.offered = Offered::of(&self.endpoints);
        for (endpoint, lesson) in closed.sizes {
            let Some(sizes) = self.sizes_mut(endpoint) else { continue };
            match lesson {
                Lesson::Learn(answers) => sizes.learn(hour, &answers),
                Lesson::Replace(answers) => {
                    *sizes = SizeHabit::default();
                    sizes.learn(hour, &answers);
                }
            }
        }
    }

    /// What is known of an endpoint.
    pub(crate) fn endpoint(&self, endpoint: EndpointId) -> Option<&EndpointHabit> {
        self.endpoints.get(endpoint.0 as usize).filter(|habit| habit.calls > 0)
    }
}

fn grow<T: Clone + Default>(values: &mut Vec<T>, len: usize) {
    if values.len() < len {
        values.resize(len, T::default());
    }
}

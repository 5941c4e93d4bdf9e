//! One identity's habits: what is kept of it between its windows.

mod acting;
mod estranged;
mod flowing;
mod foreign;
mod networks;
mod occasion;
mod operations;
mod probing;
mod recurrence;
mod tools;

pub(crate) use acting::{Acting, Far};
pub(crate) use estranged::Estranged;
pub(crate) use flowing::{AllFlowing, Flowing};
pub(crate) use foreign::{DAYS as FOREIGN_DAYS, Foreign};
pub(crate) use networks::{Networks, tag};
pub(crate) use occasion::RareOccasions;
pub(crate) use operations::{Operation, Operations};
pub(crate) use probing::Probing;
pub(crate) use recurrence::{Recurrence, Recurring};
pub(crate) use tools::{KnownTool, KnownTools, ToolKey, Used};

use crate::daily::Daily;
use crate::open_window::{OpenWindow, Speed};
use crate::population::Measure;
use crate::silence::Silence;
use crate::snapshot::plain::{self, Source};
use crate::statistics::{Moments, Sketch};
use model::{EndpointId, Endpoints, PrincipalType, Time};
use serde::{Deserialize, Serialize};

/// Endpoints that one identity's profile holds; the rarest make room for new ones.
const PROFILE_ENDPOINTS_MAX: usize = 512;
/// Endpoints of one identity whose objects are counted.
const OBJECT_ENDPOINTS_MAX: usize = 64;
/// Days after which half of what was learned is forgotten.
const HALF_LIFE_DAYS: f32 = 14.0;

/// The states of a baseline: before anything of the identity's own was learned, with a little of it,
/// with enough; and by order.
pub(crate) const BASELINE_STATES: [&str; 4] = ["prior", "young", "active", FROZEN];
/// Nothing is learned, by order.
const FROZEN: &str = "frozen";

/// What is left of what was learned `days` ago, 0 to 1.
pub(crate) fn forgetting(days: f32) -> f32 {
    (-days.max(0.0) / HALF_LIFE_DAYS).exp2()
}

/// What an identity did before on one endpoint.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Known {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    /// Learned calls, decayed; below zero while none was accepted: a flag that takes no room.
    weight: f32,
}

/// Learned calls from which on an endpoint counts as used; a mark is less.
const USED_CALLS_MIN: f32 = 1e-4;
/// What an endpoint weighs that was called in an hour that was not learned.
const MARK_CALLS: f32 = 1e-6;

impl Known {
    /// Whether anything was learned here: a mark only says that it is not new.
    pub(crate) fn is_used(self) -> bool {
        self.calls() >= USED_CALLS_MIN
    }

    /// Learned calls, decayed.
    pub(crate) const fn calls(self) -> f32 {
        self.weight.abs()
    }

    /// Whether any call was answered other than with an error.
    pub(crate) const fn is_accepted(self) -> bool {
        self.weight.is_sign_positive()
    }

    fn of(endpoint: EndpointId, calls: f32, accepted: bool) -> Self {
        Self { endpoint, weight: if accepted { calls } else { -calls } }
    }

    fn plus(self, calls: f32, accepted: bool) -> Self {
        Self::of(self.endpoint, self.calls() + calls, accepted || self.is_accepted())
    }
}

/// What became of a profile when calls were added to it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Added {
    /// The endpoint was not used before.
    pub(crate) is_new: bool,
    /// A used endpoint that made room.
    pub(crate) dropped: Option<EndpointId>,
}

/// The endpoints that an identity uses, sorted by number.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Profile {
    known: Vec<Known>,
    /// Learned calls over all endpoints, decayed.
    pub(crate) total: f64,
    /// Endpoints that made room for others.
    pub(crate) dropped: u32,
    folds_seen: u32,
}

impl Profile {
    pub(crate) fn known(&self) -> &[Known] {
        &self.known
    }

    pub(crate) fn calls(&self, endpoint: EndpointId) -> f64 {
        self.known
            .binary_search_by_key(&endpoint, |known| known.endpoint)
            .ok()
            .and_then(|index| self.known.get(index))
            .map_or(0.0, |known| f64::from(known.calls()))
    }

    /// Whether a call to the endpoint was ever accepted.
    pub(crate) fn was_accepted(&self, endpoint: EndpointId) -> bool {
        let found = self.known.binary_search_by_key(&endpoint, |known| known.endpoint);
        found.is_ok_and(|index| self.known.get(index).is_some_and(|known| known.is_accepted()))
    }

    /// Whether anything was learned of an endpoint.
    pub(crate) fn is_used(&self, endpoint: EndpointId) -> bool {
        self.calls(endpoint) >= f64::from(USED_CALLS_MIN)
    }

    /// Whether endpoints that were called may be missing from it: some made room, or found none.
    pub(crate) fn is_partial(&self) -> bool {
        self.dropped > 0 || self.known.len() >= PROFILE_ENDPOINTS_MAX
    }

    /// How many endpoints anything was learned of.
    pub(crate) fn used(&self) -> usize {
        self.known.iter().filter(|known| known.is_used()).count()
    }

    /// Adds learned calls, some of which may have been accepted.
    pub(crate) fn add(&mut self, endpoint: EndpointId, calls: f64, accepted: bool) -> Added {
        self.total += calls;
        let calls = calls as f32;
        let is_used = |calls: f32| calls >= USED_CALLS_MIN;
        match self.known.binary_search_by_key(&endpoint, |known| known.endpoint) {
            Ok(index) => {
                let Some(known) = self.known.get_mut(index) else { return Added::default() };
                let before = known.calls();
                *known = known.plus(calls, accepted);
                Added { is_new: !is_used(before) && is_used(known.calls()), dropped: None }
            }
            Err(index) => Added {
                is_new: is_used(calls),
                dropped: self.insert(index, Known::of(endpoint, calls, accepted)),
            },
        }
    }

    /// Notes that an endpoint was called in an hour that is not learned: it is new no more.
    pub(crate) fn mark(&mut self, endpoint: EndpointId, accepted: bool) {
        match self.known.binary_search_by_key(&endpoint, |known| known.endpoint) {
            Ok(index) => {
                if let Some(known) = self.known.get_mut(index) {
                    *known = known.plus(0.0, accepted);
                }
            }
            Err(index) if self.known.len() < PROFILE_ENDPOINTS_MAX => {
                self.insert(index, Known::of(endpoint, MARK_CALLS, accepted));
            }
            Err(_) => {}
        }
    }

    /// Inserts at `index`, and returns a used endpoint that made room.
    fn insert(&mut self, mut index: usize, known: Known) -> Option<EndpointId> {
        let mut dropped = None;
        if self.known.len() >= PROFILE_ENDPOINTS_MAX {
            let rarest = self
                .known
                .iter()
                .enumerate()
                .min_by(|(_, a), (_, b)| a.calls().total_cmp(&b.calls()));
            if let Some((rarest, _)) = rarest {
                let gone = self.known.remove(rarest);
                dropped = gone.is_used().then_some(gone.endpoint);
                index -= usize::from(rarest < index);
                self.dropped += 1;
            }
        } else if self.known.len() == self.known.capacity() {
            // Doubling would waste half of a small profile, and there are many of those.
            self.known.reserve_exact((self.known.len() / 4).max(2));
        }
        self.known.insert(index, known);
        dropped
    }

    /// The chance that a call goes to an endpoint not used before: Good–Turing, N1 / N.
    ///
    /// One imagined new endpoint keeps it above zero (Good, Biometrika 40, 1953).
    pub(crate) fn p_new(&self) -> f64 {
        let once = self.known.iter().filter(|known| known.is_used() && known.calls() < 1.5).count();
        ((once as f64 + 0.5) / (self.total + 1.0)).min(1.0)
    }

    /// Follows the folds of the learned templates; `true` if there were any since the last time.
    fn follow(&mut self, endpoints: &Endpoints) -> bool {
        if self.folds_seen == endpoints.folds() {
            return false;
        }
        self.folds_seen = endpoints.folds();
        for known in &mut self.known {
            known.endpoint = endpoints.resolve(known.endpoint);
        }
        self.known.sort_by_key(|known| known.endpoint);
        self.known.dedup_by(|later, kept| {
            let same = later.endpoint == kept.endpoint;
            if same {
                *kept = kept.plus(later.calls(), later.is_accepted());
            }
            same
        });
        true
    }

    fn decay(&mut self, factor: f32) {
        for known in &mut self.known {
            known.weight *= factor;
        }
        self.total *= f64::from(factor);
    }
}

/// Distinct objects per active hour at one endpoint.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct ObjectHabit {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    pub(crate) per_hour: Moments,
    pub(crate) most: u32,
}

/// One identity: its name, its habits and, while it is active, its open window.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Identity {
    /// The tenant, `None` for the default one: most are, and 16 bytes are 16 bytes.
    pub(crate) tenant: Option<Box<str>>,
    pub(crate) name: Box<str>,
    /// What people call it, where the log says and it is not the id.
    pub(crate) label: Option<Box<str>>,
    #[serde(with = "postcard::fixint::le")]
    pub(crate) hash: u64,
    #[serde(with = "plain")]
    pub(crate) kind: PrincipalType,
    #[serde(with = "plain")]
    pub(crate) source: Source,
    pub(crate) group: Option<u8>,
    /// Nothing is learned of it, until somebody says so.
    pub(crate) is_frozen: bool,
    #[serde(with = "plain")]
    pub(crate) first_seen: Time,
    #[serde(with = "plain")]
    pub(crate) last_seen: Time,
    pub(crate) calls: u64,
    /// What it was told beside its calls: successes after failures, calls that it made for others.
    pub(crate) heard: u64,
    pub(crate) days: u16,
    pub(crate) last_day: i32,
    pub(crate) decayed_day: i32,
    pub(crate) hours: u32,
    pub(crate) learned: u32,
    pub(crate) withheld: u32,
    pub(crate) recurrence: Recurrence,
    pub(crate) estranged: Estranged,
    /// Made by the first window that is rare for anybody's.
    pub(crate) rare: Option<Box<RareOccasions>>,
    pub(crate) silence: Silence,
    pub(crate) profile: Profile,
    pub(crate) counts: [Moments; Measure::COUNT],
    pub(crate) most: [u32; Measure::COUNT],
    /// Calls of the hours that were not learned.
    pub(crate) withheld_calls: u64,
    /// The most bytes of an hour that was learned.
    pub(crate) bytes_most: f32,
    /// The largest joint surprise that was learned.
    pub(crate) joint_most: f32,
    #[serde(with = "plain")]
    pub(crate) bytes: Sketch,
    pub(crate) objects: Vec<ObjectHabit>,
    /// Its days, once there is more than one or it is busy.
    pub(crate) daily: Option<Box<Daily>>,
    /// Made when a call with signs of injection is learned.
    pub(crate) probing: Option<Box<Probing>>,
    /// Objects of others that it read lately, if any.
    pub(crate) foreign: Option<Box<Foreign>>,
    /// What follows its sensitive reads, if it has any.
    pub(crate) flowing: Option<Box<Flowing>>,
    /// Of an identity that is no address.
    pub(crate) networks: Networks,
    /// Made when an hour is closed in which it acted for somebody else.
    pub(crate) acting: Option<Box<Acting>>,
    /// Made when an hour is closed in which it used a tool.
    pub(crate) tools: Option<Box<KnownTools>>,
    /// What it did at which endpoint on the day that is not over; of no use to detection.
    pub(crate) operations: Option<Box<Operations>>,
    pub(crate) open: Option<Box<OpenWindow>>,
}

impl Identity {
    pub(crate) fn new(name: &str, hash: u64, kind: PrincipalType, first_seen: Time) -> Self {
        Self {
            tenant: None,
            name: name.into(),
            label: None,
            hash,
            kind,
            source: "anonymous",
            group: None,
            is_frozen: false,
            first_seen,
            last_seen: first_seen,
            calls: 0,
            heard: 0,
            days: 0,
            last_day: i32::MIN,
            decayed_day: first_seen.day_number(),
            hours: 0,
            learned: 0,
            withheld: 0,
            recurrence: Recurrence::default(),
            estranged: Estranged::default(),
            rare: None,
            silence: Silence::new(),
            profile: Profile::default(),
            counts: [Moments::default(); Measure::COUNT],
            most: [0; Measure::COUNT],
            withheld_calls: 0,
            bytes_most: 0.0,
            joint_most: 0.0,
            bytes: Sketch::default(),
            objects: Vec::new(),
            daily: None,
            probing: None,
            foreign: None,
            flowing: None,
            networks: Networks::default(),
            acting: None,
            tools: None,
            operations: None,
            open: None,
        }
    }

    /// Whether any of its learned hours had sessions of an agent.
    pub(crate) fn is_agent(&self) -> bool {
        self.counts.get(Measure::RepeatsPerSession as usize).is_some_and(|runs| runs.n > 0.0)
    }

    pub(crate) fn tenant(&self) -> &str {
        self.tenant.as_deref().unwrap_or("default")
    }

    /// Takes its habits back to those of another state of it; without one it begins anew.
    ///
    /// Its calls go on being counted, so that revisions grow, and its open hour goes on.
    pub(crate) fn restore(&mut self, other: Option<&Self>) {
        let begun = || Self::new(&self.name, self.hash, self.kind, self.last_seen);
        let before = other.cloned().unwrap_or_else(begun);
        let learned = before.calls - before.withheld_calls.min(before.calls);
        let learned =
            learned - u64::from(before.open.as_ref().map_or(0, |it| it.calls)).min(learned);
        let now = std::mem::replace(self, before);
        let open_calls = now.open.as_ref().map_or(0, |it| u64::from(it.calls));
        self.withheld_calls = now.calls.saturating_sub(open_calls + learned);
        self.calls = now.calls;
        self.heard = now.heard;
        (self.tenant, self.label, self.group) = (now.tenant, now.label, now.group);
        (self.source, self.last_seen, self.last_day) = (now.source, now.last_seen, now.last_day);
        // It was not silent meanwhile, and its open hour may be one of an awakening.
        self.silence = now.silence.after(self.silence.kept);
        (self.is_frozen, self.open) = (now.is_frozen, now.open);
        self.operations = now.operations;
    }

    /// Whether it stands for all that there is no room for.
    pub(crate) fn is_overflow(&self) -> bool {
        self.hash == 0 && self.name.starts_with("{overflow-")
    }

    /// Follows the folds of the learned templates in all that is kept by endpoint.
    pub(crate) fn follow(&mut self, endpoints: &Endpoints) {
        if !self.profile.follow(endpoints) {
            return;
        }
        self.recurrence.follow(endpoints);
        let mut kept: Vec<ObjectHabit> = Vec::with_capacity(self.objects.len());
        for habit in &self.objects {
            let endpoint = endpoints.resolve(habit.endpoint);
            match kept.iter_mut().find(|it| it.endpoint == endpoint) {
                Some(same) => {
                    same.per_hour.merge(&habit.per_hour, 1.0);
                    same.most = same.most.max(habit.most);
                }
                None => kept.push(ObjectHabit { endpoint, ..*habit }),
            }
        }
        kept.shrink_to_fit();
        self.objects = kept;
        if let Some(daily) = &mut self.daily {
            daily.follow(endpoints);
        }
        if let Some(operations) = &mut self.operations {
            operations.follow(endpoints);
        }
        for last in self.flowing.iter_mut().flat_map(|it| &mut it.last) {
            last.endpoint = endpoints.resolve(last.endpoint);
        }
        if let Some(probing) = &mut self.probing {
            probing.follow(endpoints);
        }
    }

    /// Calls of hours that were learned, the open window's left out.
    pub(crate) fn calls_learned(&self, open: &OpenWindow) -> u64 {
        self.calls.saturating_sub(self.withheld_calls + u64::from(open.calls))
    }

    /// Whether it reads objects of more endpoints than are kept.
    pub(crate) fn is_full_of_objects(&self) -> bool {
        self.objects.len() >= OBJECT_ENDPOINTS_MAX
    }

    /// One of [`BASELINE_STATES`]: the last from three learned windows on.
    pub(crate) const fn baseline_state(&self) -> &'static str {
        if self.is_frozen { FROZEN } else { baseline_state_of(self.learned) }
    }

    pub(crate) fn objects_at(&self, endpoint: EndpointId) -> Option<&ObjectHabit> {
        self.objects.iter().find(|habit| habit.endpoint == endpoint)
    }

    pub(crate) fn objects_mut(&mut self, endpoint: EndpointId) -> Option<&mut ObjectHabit> {
        let index = match self.objects.iter().position(|habit| habit.endpoint == endpoint) {
            Some(index) => index,
            None if self.objects.len() < OBJECT_ENDPOINTS_MAX => {
                if self.objects.len() == self.objects.capacity() {
                    self.objects.reserve_exact((self.objects.len() / 4).max(1));
                }
                self.objects.push(ObjectHabit { endpoint, per_hour: Moments::default(), most: 0 });
                self.objects.len() - 1
            }
            None => return None,
        };
        self.objects.get_mut(index)
    }

    /// Forgets by the days that passed since the last time.
    pub(crate) fn age(&mut self, now: Time) {
        let today = now.day_number();
        let days = today - self.decayed_day;
        if days <= 0 {
            return;
        }
        self.decayed_day = today;
        let factor = forgetting(days as f32);
        self.profile.decay(factor);
        self.bytes.decay(factor);
        for moments in &mut self.counts {
            moments.decay(factor);
        }
        for habit in &mut self.objects {
            habit.per_hour.decay(factor);
        }
        if let Some(flowing) = &mut self.flowing {
            flowing.decay(factor);
        }
        if let Some(probing) = &mut self.probing {
            probing.decay(factor);
        }
        self.networks.decay(factor);
        if let Some(acting) = &mut self.acting {
            acting.decay(factor);
        }
        if let Some(tools) = &mut self.tools {
            tools.decay(factor);
        }
    }

    /// Whether what is searched is in order and within its limits, and what is added to is not near
    /// the end of numbers; what was read back may not be.
    pub(crate) fn is_sound(&self) -> bool {
        let known = self.profile.known();
        known.len() <= PROFILE_ENDPOINTS_MAX
            && known.is_sorted_by(|a, b| a.endpoint < b.endpoint)
            && self.objects.len() <= OBJECT_ENDPOINTS_MAX
            && self.estranged.is_sound()
            && self.daily.as_ref().is_none_or(|daily| daily.is_sound())
            && self.operations.as_ref().is_none_or(|it| it.is_sound())
            && self.open.as_ref().is_none_or(|open| {
                open.speeds.iter().all(Speed::is_sound)
                    && open.loops.as_ref().is_none_or(|loops| loops.is_sound())
            })
    }

    /// Bytes of memory that this identity takes, its open window left out.
    ///
    /// What lists keep free for more (a quarter at most) is left out: that depends on how they grew,
    /// and the memory budget must give the same findings after an import.
    pub(crate) fn state_bytes(&self) -> usize {
        size_of::<Self>()
            + self.name.len()
            + self.label.as_ref().map_or(0, |label| label.len())
            + self.profile.known.len() * size_of::<Known>()
            + self.objects.len() * size_of::<ObjectHabit>()
            + self.bytes.heap_bytes()
            + self.daily.as_ref().map_or(0, |daily| daily.state_bytes())
            + self.probing.as_ref().map_or(0, |probing| probing.bytes())
            + self.recurrence.bytes()
            + self.rare.as_ref().map_or(0, |it| size_of::<RareOccasions>() + it.bytes())
            + self.flowing.as_ref().map_or(0, |flowing| flowing.bytes())
            + self.foreign.as_ref().map_or(0, |foreign| foreign.bytes())
            + self.networks.heap_bytes()
            + self.acting.as_ref().map_or(0, |acting| acting.bytes())
            + self.tools.as_ref().map_or(0, |tools| tools.bytes())
            + self.operations.as_ref().map_or(0, |it| it.bytes())
    }
}

/// One of [`BASELINE_STATES`], by how many windows were learned.
pub(crate) const fn baseline_state_of(learned: u32) -> &'static str {
    let [prior, young, active, _] = BASELINE_STATES;
    match learned {
        0 => prior,
        1..=2 => young,
        _ => active,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::NS_PER_D;

    #[test]
    fn an_explorer_expects_new_things_and_a_routine_does_not() {
        let (mut explorer, mut routine) = (Profile::default(), Profile::default());
        for call in 0..100 {
            explorer.add(EndpointId(call), 1.0, true);
            routine.add(EndpointId(call % 3), 1.0, true);
        }
        assert!(explorer.p_new() > 0.9, "{}", explorer.p_new());
        assert!(routine.p_new() < 0.01, "{}", routine.p_new());
    }

    #[test]
    fn a_full_profile_lets_the_rarest_go() {
        let mut profile = Profile::default();
        for endpoint in 0..PROFILE_ENDPOINTS_MAX as u32 + 10 {
            profile.add(EndpointId(endpoint), 1.0 + f64::from(endpoint), true);
        }
        assert_eq!(profile.known().len(), PROFILE_ENDPOINTS_MAX);
        assert_eq!(profile.dropped, 10);
        assert!(profile.is_partial() && !Profile::default().is_partial());
        assert!(profile.calls(EndpointId(0)) < 0.5 && profile.calls(EndpointId(100)) > 1.0);
    }

    #[test]
    fn who_begins_anew_is_the_same_and_was_not_silent() {
        let mut identity = Identity::new("a", 1, PrincipalType::User, Time::from_ns(0));
        (identity.source, identity.calls, identity.heard) = ("kong.consumer.id", 7, 3);
        identity.silence.next(500);
        identity.restore(None);
        assert_eq!((identity.source, identity.silence.next(501)), ("kong.consumer.id", 1));
        assert_eq!((identity.calls, identity.heard), (7, 3), "revisions grow on");
    }

    #[test]
    fn half_is_forgotten_in_a_fortnight() {
        let start = Time::from_ns(NS_PER_D * 20_000);
        let mut identity = Identity::new("a", 1, PrincipalType::User, start);
        identity.profile.add(EndpointId(1), 100.0, true);
        identity.age(start.plus(14 * NS_PER_D));
        assert!((identity.profile.calls(EndpointId(1)) - 50.0).abs() < 0.01);
    }
}

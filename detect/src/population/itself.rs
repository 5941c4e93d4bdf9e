//! What those for whom agents act call themselves: so that what an agent does for somebody can be compared with
//! what that one does.
//!
//! Somebody is followed from the first hour on in which an agent acted for it. What it had called until then it
//! had called itself; from then on only calls that nobody made for it count. Refused calls count too: what
//! somebody tried itself is not what only its agent does.
//!
//! Names are made up easily, days are not: where there is no room, whoever called on the fewest days makes room
//! for somebody who did on more, or as many and later. All hours are taken in at once, so that the order of the
//! partitions decides nothing.

use crate::snapshot::plain::{self, Plain};
use model::{EndpointId, Endpoints};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Identities that are followed.
const SUBJECTS_MAX: usize = 16_384;
/// Endpoints that are kept of one of them: whoever calls more itself is not compared.
const ENDPOINTS_MAX: usize = 128;
/// Identities that a partition begins to follow in one hour; and those of them of their first day.
const BEGUN_MAX: usize = 1_024;
const BEGUN_NEW_MAX: usize = BEGUN_MAX / 2;
/// Days for which it is remembered that somebody called an endpoint itself.
const KEPT_DAYS: i32 = 60;
/// Days since somebody was seen first, and days on which it called, from which on it is known what it calls.
const KNOWN_DAYS_MIN: i32 = 7;
const ACTIVE_DAYS_MIN: u16 = 3;

/// An endpoint that somebody called itself, and the last day on which it did.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Own {
    #[serde(with = "plain")]
    endpoint: EndpointId,
    day: i32,
}

/// What somebody calls itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Habit {
    /// The day from which on all is known that it called itself.
    since: i32,
    /// Days on which it did, and the last of them.
    days: u16,
    last_day: i32,
    /// The last day on which it called, or an agent did for it.
    active_day: i32,
    /// Not all that it calls is kept.
    is_partial: bool,
    /// Sorted by endpoint.
    own: Vec<Own>,
}

/// Those who are followed, by their hashes.
#[derive(Clone, Debug, Default)]
struct Subjects(BTreeMap<u64, Habit>);

/// In the order of the hashes.
impl Plain for Subjects {
    type As = Vec<(u64, Habit)>;

    fn to_plain(&self) -> Self::As {
        self.0.iter().map(|(subject, habit)| (*subject, habit.clone())).collect()
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        let is_sound = plain.len() <= SUBJECTS_MAX
            && plain.is_sorted_by(|a, b| a.0 < b.0)
            && plain.iter().all(|(_, habit)| habit.is_sound());
        is_sound.then(|| Self(plain.into_iter().collect()))
    }
}

/// What those for whom agents act call themselves, as of the last exchange.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Itself {
    #[serde(with = "plain")]
    subjects: Subjects,
}

/// Somebody who is followed from now on, and what was known of it before.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Begun {
    pub(crate) subject: u64,
    /// The day on which it was seen first.
    pub(crate) since: i32,
    /// Days on which it called.
    pub(crate) days: u16,
    /// The open day.
    pub(crate) today: i32,
    /// Not all that it called is known.
    pub(crate) is_partial: bool,
}

/// An endpoint that somebody called itself on a day.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Called {
    subject: u64,
    #[serde(with = "plain")]
    endpoint: EndpointId,
    day: i32,
}

/// What the identities of a partition called themselves in an hour, of those for whom agents act.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct OwnCalls {
    begun: Vec<Begun>,
    called: Vec<Called>,
    /// Those of whom not all is known.
    lost: Vec<u64>,
    /// Who called, or had an agent call, on a day.
    active: Vec<(u64, i32)>,
    /// How many could not be begun.
    refused: u64,
}

impl OwnCalls {
    /// Begins to follow somebody who called these endpoints so far; `false` where there is no room.
    pub(crate) fn begin(&mut self, begun: Begun, called: impl Iterator<Item = EndpointId>) -> bool {
        let room = if begun.days > 1 { BEGUN_MAX } else { BEGUN_NEW_MAX };
        if self.begun.len() >= room {
            self.refused += 1;
            return false;
        }
        self.begun.push(begun);
        if !begun.is_partial {
            self.add(begun.subject, called, begun.today);
        }
        true
    }

    /// Adds endpoints that somebody called itself on a day: more than can be kept need not be told.
    pub(crate) fn add(&mut self, subject: u64, called: impl Iterator<Item = EndpointId>, day: i32) {
        let called = called.take(ENDPOINTS_MAX + 1);
        self.called.extend(called.map(|endpoint| Called { subject, endpoint, day }));
    }

    /// Not all is known that somebody called itself.
    pub(crate) fn lose(&mut self, subject: u64) {
        self.lost.push(subject);
    }

    /// Somebody called, or an agent did for it, on a day.
    pub(crate) fn see(&mut self, subject: u64, day: i32) {
        self.active.push((subject, day));
    }

    /// Takes in what another partition saw.
    pub(crate) fn append(&mut self, other: &mut Self) {
        self.begun.append(&mut other.begun);
        self.called.append(&mut other.called);
        self.lost.append(&mut other.lost);
        self.active.append(&mut other.active);
        self.refused += std::mem::take(&mut other.refused);
    }

    /// Forgets somebody by the hashes that it had.
    pub(crate) fn forget(&mut self, hashes: &[u64]) {
        self.active.retain(|(subject, _)| !hashes.contains(subject));
        self.begun.retain(|it| !hashes.contains(&it.subject));
        self.called.retain(|it| !hashes.contains(&it.subject));
        self.lost.retain(|subject| !hashes.contains(subject));
    }
}

impl Itself {
    /// Whether somebody is followed.
    pub(crate) fn follows(&self, subject: u64) -> bool {
        self.subjects.0.contains_key(&subject)
    }

    /// Whether it is noted already that somebody was active on a day, or of no use.
    pub(crate) fn has_seen(&self, subject: u64, day: i32) -> bool {
        self.subjects.0.get(&subject).is_none_or(|it| it.active_day >= day)
    }

    /// Whether it is noted already that somebody called an endpoint itself on a day, or of no use.
    pub(crate) fn has(&self, subject: u64, endpoint: EndpointId, day: i32) -> bool {
        let habit = self.subjects.0.get(&subject);
        habit.is_some_and(|it| it.is_partial || it.day_of(endpoint).is_some_and(|of| of >= day))
    }

    /// For how many days it is known that somebody did not call an endpoint itself, at most 60; 0 if it
    /// did, `None` where too little is known of it.
    pub(crate) fn days_without(
        &self,
        subject: u64,
        endpoint: EndpointId,
        today: i32,
    ) -> Option<u16> {
        let habit = self.subjects.0.get(&subject).filter(|it| it.is_known(today))?;
        match habit.day_of(endpoint) {
            Some(_) => Some(0),
            None => u16::try_from((today - habit.since).min(KEPT_DAYS)).ok(),
        }
    }

    /// Takes in what all partitions saw in an hour; how many could not be followed, or are no more.
    pub(crate) fn learn(&mut self, calls: OwnCalls) -> u64 {
        let OwnCalls { begun, called, lost, active, refused } = calls;
        for (subject, day) in active {
            if let Some(habit) = self.subjects.0.get_mut(&subject) {
                habit.active_day = habit.active_day.max(day);
            }
        }
        // First of those who are followed: what they did in this hour counts where room is made.
        self.call(&called);
        let mut missed = refused;
        if !begun.is_empty() {
            missed += self.begin(begun);
            // To note the same again changes nothing.
            self.call(&called);
        }
        for subject in lost {
            if let Some(habit) = self.subjects.0.get_mut(&subject) {
                habit.lose();
            }
        }
        missed
    }

    fn call(&mut self, called: &[Called]) {
        for it in called {
            if let Some(habit) = self.subjects.0.get_mut(&it.subject) {
                habit.add(it.endpoint, it.day);
            }
        }
    }

    /// Begins to follow, whoever called on the most days first; how many could not be followed, or are no more.
    fn begin(&mut self, mut begun: Vec<Begun>) -> u64 {
        begun.retain(|it| !self.follows(it.subject));
        begun.sort_by_key(|it| (Reverse(it.days), Reverse(it.today), it.subject));
        let mut weakest = Vec::new();
        if self.subjects.0.len() + begun.len() > SUBJECTS_MAX {
            let ranked = self.subjects.0.iter().map(|(subject, it)| (it.rank(), *subject));
            weakest.extend(ranked);
            weakest.sort_unstable();
        }
        let (mut weakest, mut missed) = (weakest.into_iter(), 0);
        for it in begun {
            let habit = Habit::of(&it);
            if self.subjects.0.len() >= SUBJECTS_MAX {
                missed += 1;
                // Whoever was begun in this hour is no weaker than who comes after it.
                let weaker = weakest.next().filter(|(rank, _)| *rank < habit.rank());
                let Some((_, other)) = weaker else { continue };
                self.subjects.0.remove(&other);
            }
            self.subjects.0.insert(it.subject, habit);
        }
        missed
    }

    /// Forgets what nobody called itself for long, and who was not there at all, also through no agent.
    pub(crate) fn age(&mut self, today: i32) {
        let is_kept = |day: i32| today - day <= KEPT_DAYS;
        self.subjects.0.retain(|_, habit| is_kept(habit.active_day));
        for habit in self.subjects.0.values_mut() {
            habit.own.retain(|own| is_kept(own.day));
        }
    }

    /// Follows the folds of the templates.
    pub(crate) fn fold(&mut self, endpoints: &Endpoints) {
        for habit in self.subjects.0.values_mut() {
            for own in &mut habit.own {
                own.endpoint = endpoints.resolve(own.endpoint);
            }
            habit.own.sort_by_key(|own| (own.endpoint, Reverse(own.day)));
            habit.own.dedup_by_key(|own| own.endpoint);
        }
    }

    /// Forgets somebody by the hashes that it had.
    pub(crate) fn forget(&mut self, hashes: &[u64]) {
        self.subjects.0.retain(|subject, _| !hashes.contains(subject));
    }
}

impl Habit {
    const fn of(begun: &Begun) -> Self {
        Self {
            since: begun.since,
            days: begun.days,
            last_day: begun.today,
            active_day: begun.today,
            is_partial: begun.is_partial,
            own: Vec::new(),
        }
    }

    fn is_sound(&self) -> bool {
        self.own.len() <= ENDPOINTS_MAX && self.own.is_sorted_by(|a, b| a.endpoint < b.endpoint)
    }

    /// Whether enough is known of what it calls to say what it does not.
    const fn is_known(&self, today: i32) -> bool {
        !self.is_partial && today - self.since >= KNOWN_DAYS_MIN && self.days >= ACTIVE_DAYS_MIN
    }

    /// How much speaks for its place: days on which it called, and when it was there last.
    const fn rank(&self) -> (u16, i32) {
        (self.days, self.active_day)
    }

    fn place_of(&self, endpoint: EndpointId) -> Result<usize, usize> {
        self.own.binary_search_by_key(&endpoint, |own| own.endpoint)
    }

    /// The last day on which it called an endpoint itself.
    fn day_of(&self, endpoint: EndpointId) -> Option<i32> {
        let place = self.place_of(endpoint).ok()?;
        self.own.get(place).map(|own| own.day)
    }

    fn add(&mut self, endpoint: EndpointId, day: i32) {
        self.active_day = self.active_day.max(day);
        if self.is_partial {
            return;
        }
        if day > self.last_day {
            self.last_day = day;
            self.days = self.days.saturating_add(1);
        }
        match self.place_of(endpoint) {
            Ok(place) => {
                if let Some(own) = self.own.get_mut(place) {
                    own.day = own.day.max(day);
                }
            }
            Err(place) if self.own.len() < ENDPOINTS_MAX => {
                self.own.insert(place, Own { endpoint, day });
            }
            Err(_) => self.lose(),
        }
    }

    /// Not all is known any more; it is followed anew once it was not there for long.
    fn lose(&mut self) {
        self.is_partial = true;
        self.own = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: u64 = 7;

    fn begun(subject: u64) -> Begun {
        Begun { subject, since: 100, days: 5, today: 110, is_partial: false }
    }

    fn at(numbers: impl IntoIterator<Item = u32>) -> impl Iterator<Item = EndpointId> {
        numbers.into_iter().map(EndpointId)
    }

    fn following(called: std::ops::Range<u32>) -> Itself {
        let (mut itself, mut calls) = (Itself::default(), OwnCalls::default());
        assert!(calls.begin(begun(ALICE), at(called)));
        assert_eq!(itself.learn(calls), 0);
        itself
    }

    #[test]
    fn what_somebody_never_called_is_known_after_a_week() {
        let itself = following(0..3);
        let days = |endpoint, today| itself.days_without(ALICE, EndpointId(endpoint), today);
        assert_eq!((days(1, 110), days(9, 110)), (Some(0), Some(10)));
        assert_eq!((days(9, 106), days(9, 300)), (None, Some(60)));
        assert_eq!(itself.days_without(8, EndpointId(9), 110), None, "nobody follows that one");
    }

    #[test]
    fn what_it_does_itself_is_its_own_until_it_is_long_ago() {
        let mut itself = following(0..3);
        let mut calls = OwnCalls::default();
        calls.add(ALICE, at([9]), 111);
        itself.learn(calls);
        assert!(itself.has(ALICE, EndpointId(9), 111) && !itself.has(ALICE, EndpointId(9), 112));
        itself.age(171);
        assert_eq!(itself.days_without(ALICE, EndpointId(9), 171), Some(0));
        assert_eq!(itself.days_without(ALICE, EndpointId(1), 171), Some(60));
        itself.age(172);
        assert!(!itself.follows(ALICE));
    }

    #[test]
    fn of_whoever_calls_too_much_nothing_is_said() {
        let mut itself = following(0..ENDPOINTS_MAX as u32);
        assert_eq!(itself.days_without(ALICE, EndpointId(900), 110), Some(10));
        let mut calls = OwnCalls::default();
        calls.add(ALICE, at([800]), 110);
        itself.learn(calls);
        assert_eq!(itself.days_without(ALICE, EndpointId(900), 110), None);
        assert!(itself.has(ALICE, EndpointId(900), 110), "it need not be noted");
        let mut itself = following(0..2);
        let mut calls = OwnCalls::default();
        calls.lose(ALICE);
        itself.learn(calls);
        assert_eq!(itself.days_without(ALICE, EndpointId(900), 110), None);
    }

    #[test]
    fn whoever_is_there_is_kept_however_little_it_calls_itself() {
        let mut itself = following(0..2);
        let mut calls = OwnCalls::default();
        assert!(!itself.has_seen(ALICE, 160) && itself.has_seen(8, 160), "nobody follows 8");
        calls.see(ALICE, 160);
        calls.lose(ALICE);
        itself.learn(calls);
        assert!(itself.has_seen(ALICE, 160));
        itself.age(220);
        assert!(itself.follows(ALICE), "lost, not gone: it would be begun with its agents' calls");
        itself.age(221);
        assert!(!itself.follows(ALICE));
    }

    /// So many of whom so many days are known, as partitions hand them in.
    fn crowd(from: u64, count: u64, days: u16, today: i32) -> OwnCalls {
        let mut all = OwnCalls::default();
        for chunk in 0..count.div_ceil(BEGUN_NEW_MAX as u64) {
            let mut calls = OwnCalls::default();
            let first = chunk * BEGUN_NEW_MAX as u64;
            for subject in first..count.min(first + BEGUN_NEW_MAX as u64) {
                let begun = Begun { days, today, ..begun(from + subject) };
                assert!(calls.begin(begun, at([1])));
            }
            all.append(&mut calls);
        }
        all
    }

    #[test]
    fn names_that_are_made_up_take_nobodys_place_for_long() {
        let mut itself = Itself::default();
        let full = SUBJECTS_MAX as u64;
        assert_eq!(itself.learn(crowd(0, 100, 5, 110)), 0);
        // Of as many as there are places some stay out, and none who has called on more days goes.
        assert_eq!(itself.learn(crowd(1_000, full, 1, 110)), 100);
        assert!((0..100).all(|subject| itself.follows(subject)));
        // More of them at once find no room, some of them the day after do, and so does who is no newcomer.
        assert_eq!(itself.learn(crowd(100_000, 10, 1, 110)), 10);
        assert!(!itself.follows(100_000));
        assert_eq!(itself.learn(crowd(200_000, 10, 1, 111)), 10);
        assert_eq!(itself.learn(crowd(300_000, 10, 3, 110)), 10);
        assert!((0..10).all(|it| itself.follows(200_000 + it) && itself.follows(300_000 + it)));
        assert!((0..100).all(|subject| itself.follows(subject)));
        assert_eq!(itself.subjects.0.len(), SUBJECTS_MAX);
    }

    #[test]
    fn the_order_of_the_partitions_decides_nothing() {
        let after = |parts: [u64; 3]| {
            let mut itself = Itself::default();
            itself.learn(crowd(0, SUBJECTS_MAX as u64 - 10, 2, 110));
            let mut all = OwnCalls::default();
            for part in parts {
                all.append(&mut crowd(part * 100_000, 20, part as u16, 110));
            }
            assert_eq!(itself.learn(all), 50);
            itself.subjects.0.into_keys().collect::<Vec<_>>()
        };
        let one = after([1, 2, 3]);
        assert_eq!(one, after([3, 1, 2]));
        assert!((300_000..300_020).all(|it| one.contains(&it)) && !one.contains(&100_000));
    }

    #[test]
    fn there_is_room_for_so_many_and_the_forgotten_go() {
        let mut itself = Itself::default();
        assert_eq!(itself.learn(crowd(0, SUBJECTS_MAX as u64 + 3, 5, 110)), 3);
        let written = itself.subjects.to_plain();
        assert_eq!(Subjects::from_plain(written).map(|it| it.0.len()), Some(SUBJECTS_MAX));
        itself.forget(&[ALICE]);
        assert!(!itself.follows(ALICE) && itself.follows(8));
        let mut calls = OwnCalls::default();
        assert!((0..BEGUN_MAX as u64).all(|subject| calls.begin(begun(subject), at([1]))));
        assert!(!calls.begin(begun(ALICE), at([1])));
        calls.see(ALICE, 110);
        assert_eq!(calls.refused, 1, "it is counted");
        calls.forget(&[ALICE]);
        assert_eq!((calls.begun.len(), calls.called.len()), (BEGUN_MAX - 1, BEGUN_MAX - 1));
        assert!(calls.active.is_empty());
        // Half of the places are not for those of whom nothing but today is known.
        let (mut calls, new) = (OwnCalls::default(), |subject| Begun { days: 1, ..begun(subject) });
        assert!((0..BEGUN_NEW_MAX as u64).all(|subject| calls.begin(new(subject), at([1]))));
        assert!(!calls.begin(new(9_000), at([1])) && calls.begin(begun(9_000), at([1])));
        assert_eq!(itself.learn(calls), 1, "but for the one all are followed");
        assert!(itself.follows(ALICE));
    }
}

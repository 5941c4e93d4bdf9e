//! What those for whom agents act call themselves: so that what an agent does for somebody can be compared with
//! what that one does.
//!
//! Somebody is followed from the first hour on in which an agent acted for it. What it had called until then it
//! had called itself; from then on only calls that nobody made for it count. Refused calls count too: what
//! somebody tried itself is not what only its agent does.

use crate::snapshot::plain::{self, Plain};
use model::{EndpointId, Endpoints};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Identities that are followed.
const SUBJECTS_MAX: usize = 16_384;
/// Endpoints that are kept of one of them: whoever calls more itself is not compared.
const ENDPOINTS_MAX: usize = 128;
/// Identities that a partition begins to follow in one hour.
const BEGUN_MAX: usize = 1_024;
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
}

impl OwnCalls {
    /// Begins to follow somebody who called these endpoints so far; `false` where there is no room.
    pub(crate) fn begin(&mut self, begun: Begun, called: impl Iterator<Item = EndpointId>) -> bool {
        if self.begun.len() >= BEGUN_MAX {
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

    /// Forgets somebody by the hashes that it had.
    pub(crate) fn forget(&mut self, hashes: &[u64]) {
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

    /// Takes in what a partition saw in an hour; how many could not be followed.
    pub(crate) fn learn(&mut self, calls: OwnCalls) -> u64 {
        let mut missed = 0;
        for it in calls.begun {
            if self.subjects.0.len() >= SUBJECTS_MAX && !self.follows(it.subject) {
                missed += 1;
                continue;
            }
            self.subjects.0.entry(it.subject).or_insert_with(|| Habit::of(&it));
        }
        for it in calls.called {
            if let Some(habit) = self.subjects.0.get_mut(&it.subject) {
                habit.add(it.endpoint, it.day);
            }
        }
        for subject in calls.lost {
            if let Some(habit) = self.subjects.0.get_mut(&subject) {
                habit.lose();
            }
        }
        missed
    }

    /// Forgets what nobody called itself for long, and who did not call at all.
    pub(crate) fn age(&mut self, today: i32) {
        let is_kept = |day: i32| today - day <= KEPT_DAYS;
        self.subjects.0.retain(|_, habit| is_kept(habit.last_day));
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
            habit.own.sort_by_key(|own| (own.endpoint, std::cmp::Reverse(own.day)));
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

    fn place_of(&self, endpoint: EndpointId) -> Result<usize, usize> {
        self.own.binary_search_by_key(&endpoint, |own| own.endpoint)
    }

    /// The last day on which it called an endpoint itself.
    fn day_of(&self, endpoint: EndpointId) -> Option<i32> {
        let place = self.place_of(endpoint).ok()?;
        self.own.get(place).map(|own| own.day)
    }

    fn add(&mut self, endpoint: EndpointId, day: i32) {
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

    /// Not all is known any more; it is followed anew once it was silent for long.
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
    fn there_is_room_for_so_many_and_the_forgotten_go() {
        let mut itself = Itself::default();
        for subject in 0..SUBJECTS_MAX as u64 + 3 {
            let mut calls = OwnCalls::default();
            assert!(calls.begin(begun(subject), at([1])));
            assert_eq!(itself.learn(calls), u64::from(subject >= SUBJECTS_MAX as u64));
        }
        let written = itself.subjects.to_plain();
        assert_eq!(Subjects::from_plain(written).map(|it| it.0.len()), Some(SUBJECTS_MAX));
        itself.forget(&[ALICE]);
        assert!(!itself.follows(ALICE) && itself.follows(8));
        let mut calls = OwnCalls::default();
        assert!((0..BEGUN_MAX as u64).all(|subject| calls.begin(begun(subject), at([1]))));
        assert!(!calls.begin(begun(ALICE), at([1])));
        calls.forget(&[ALICE]);
        assert_eq!((calls.begun.len(), calls.called.len()), (BEGUN_MAX - 1, BEGUN_MAX - 1));
    }
}

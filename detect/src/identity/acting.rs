//! For whom an agent acts: what is kept of it between its hours.

use crate::snapshot::plain::{self, Plain};
use crate::statistics::Moments;
use model::Time;
use serde::{Deserialize, Serialize};

/// Subjects that are kept of one agent; of those that were only noted, else of all, the one goes that it
/// did not act for for longest.
const SUBJECTS_MAX: usize = 512;
/// Hours that are kept of those that went farthest beyond what the others do themselves, and for how many days
/// one tells that the agent may go so far.
const FAR_MAX: usize = 4;
const FAR_DAYS: u16 = 60;

/// Somebody whom an agent acted for, as a hash.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Subject {
    key: u32,
    /// When it did last, in days since 1970.
    day: u16,
    /// In an hour that was learned; takes no room beside the day.
    is_learned: bool,
}

/// How far a learned hour went beyond what those do themselves whom the agent acted for.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Far {
    /// Pairs that went beyond, of those that were compared; none where there is no such hour.
    pub(crate) count: u32,
    pub(crate) compared: u32,
    /// In days since 1970.
    pub(crate) day: u16,
}

impl Far {
    /// Whether an hour went no farther than this one, neither by its count nor by its share.
    pub(crate) fn covers(&self, count: f64, compared: f64) -> bool {
        let (most, of) = (f64::from(self.count), f64::from(self.compared));
        count <= most && count * of <= most * compared
    }

    /// Whether it is not too long ago to tell.
    pub(crate) const fn tells(&self, today: u16) -> bool {
        self.count > 0 && today.saturating_sub(self.day) <= FAR_DAYS
    }
}

/// The habits of an agent that acts for others.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Acting {
    #[serde(with = "plain")]
    subjects: Subjects,
    /// Distinct subjects of a learned hour.
    pub(crate) per_hour: Moments,
    pub(crate) most: u32,
    /// Subjects of learned hours, decayed, and those of them that were new.
    pairs: f32,
    novel: f32,
    /// The share, in a learned hour, of what it did for others that those do not do themselves; and the most
    /// of that in one.
    pub(crate) beyond: Moments,
    pub(crate) beyond_most: u32,
    /// The hours that went farthest, in no order.
    pub(crate) far: [Far; FAR_MAX],
    /// Learned hours, and calls in them.
    pub(crate) hours: u32,
    pub(crate) calls: u64,
    /// Most actors in a chain that was learned.
    pub(crate) deepest: u8,
    #[serde(with = "plain")]
    pub(crate) first: Time,
}

#[derive(Clone, Debug, Default)]
struct Subjects(Vec<Subject>);

const fn key_of(subject: u64) -> u32 {
    // The high bits chose the partition: both halves.
    (subject ^ (subject >> 32)) as u32
}

impl Acting {
    pub(crate) fn new(first: Time) -> Self {
        Self {
            subjects: Subjects::default(),
            per_hour: Moments::default(),
            most: 0,
            pairs: 0.0,
            novel: 0.0,
            beyond: Moments::default(),
            beyond_most: 0,
            far: [Far::default(); FAR_MAX],
            hours: 0,
            calls: 0,
            deepest: 0,
            first,
        }
    }

    /// Whether it acted for somebody before, as far as that is kept.
    pub(crate) fn knows(&self, subject: u64) -> bool {
        let key = key_of(subject);
        self.subjects.0.iter().any(|it| it.key == key)
    }

    /// How many subjects are kept.
    pub(crate) fn kept(&self) -> usize {
        self.subjects.0.len()
    }

    /// The chance that a subject of an hour is new, from how often one was.
    pub(crate) fn p_new(&self) -> f64 {
        (f64::from(self.novel) + 0.5) / (f64::from(self.pairs) + 1.0)
    }

    /// Learns an hour's subjects.
    pub(crate) fn learn(&mut self, subjects: impl Iterator<Item = u64>, day: u16) {
        for subject in subjects {
            self.pairs += 1.0;
            self.novel += f32::from(u8::from(self.note(subject, day, true)));
        }
    }

    /// Notes a subject, of an hour that may not be learned: it is new no more, if there is room for it;
    /// whether it was.
    ///
    /// Who is only noted takes no learned one's place: nobody can make a habit forgotten so.
    pub(crate) fn note(&mut self, subject: u64, day: u16, is_learned: bool) -> bool {
        let (key, all) = (key_of(subject), &mut self.subjects.0);
        if let Some(known) = all.iter_mut().find(|it| it.key == key) {
            known.day = known.day.max(day);
            known.is_learned |= is_learned;
            return false;
        }
        if all.len() >= SUBJECTS_MAX {
            let may_go = |it: &Subject| is_learned || !it.is_learned;
            let oldest = all.iter().enumerate().filter(|(_, it)| may_go(it));
            let oldest = oldest.min_by_key(|(index, it)| (it.is_learned, it.day, *index));
            let Some(index) = oldest.map(|(index, _)| index) else { return true };
            all.remove(index);
        } else if all.len() == all.capacity() {
            all.reserve_exact((all.len() / 4).max(2));
        }
        all.push(Subject { key, day, is_learned });
        true
    }

    /// Learns how far an hour went beyond what the others do themselves.
    pub(crate) fn learn_far(&mut self, hour: Far) {
        self.beyond_most = self.beyond_most.max(hour.count);
        let is_less = |it: &Far| hour.covers(f64::from(it.count), f64::from(it.compared));
        for it in self.far.iter_mut().filter(|it| !it.tells(hour.day) || is_less(it)) {
            *it = Far::default();
        }
        let (count, compared) = (f64::from(hour.count), f64::from(hour.compared));
        if hour.count == 0 || self.far.iter().any(|it| it.covers(count, compared)) {
            return;
        }
        let least = self.far.iter_mut().min_by_key(|it| (it.count, it.day));
        if let Some(least) = least.filter(|it| it.count <= hour.count) {
            *least = hour;
        }
    }

    /// Forgets a part of how often; the subjects stay.
    pub(crate) fn decay(&mut self, factor: f32) {
        self.per_hour.decay(factor);
        self.beyond.decay(factor);
        self.pairs *= factor;
        self.novel *= factor;
    }

    /// Forgets somebody by the hashes that they had.
    pub(crate) fn forget(&mut self, hashes: &[u64]) {
        self.subjects.0.retain(|it| !hashes.iter().any(|hash| key_of(*hash) == it.key));
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.subjects.0.len() * size_of::<Subject>()
    }
}

impl Plain for Subjects {
    type As = Vec<Subject>;

    fn to_plain(&self) -> Self::As {
        self.0.clone()
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        (plain.len() <= SUBJECTS_MAX).then_some(Self(plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_help_desk_expects_new_people_and_an_assistant_does_not() {
        let (mut desk, mut assistant) =
            (Acting::new(Time::from_ns(0)), Acting::new(Time::from_ns(0)));
        for hour in 0..100_u64 {
            desk.learn((hour * 10..hour * 10 + 10).map(|it| it << 7), 1);
            assistant.learn([7, 8].into_iter(), 1);
        }
        assert!(desk.p_new() > 0.99 && assistant.p_new() < 0.02, "{}", assistant.p_new());
        assert_eq!((desk.kept(), assistant.kept()), (SUBJECTS_MAX, 2));
    }

    #[test]
    fn who_was_not_acted_for_for_longest_makes_room_and_the_forgotten_go() {
        let mut acting = Acting::new(Time::from_ns(0));
        for subject in 0..SUBJECTS_MAX as u64 {
            assert!(acting.note(subject, subject as u16, true));
        }
        assert!(!acting.note(0, 900, true) && acting.note(9_999, 901, true));
        assert!(acting.knows(0) && !acting.knows(1) && acting.knows(9_999));
        acting.forget(&[9_999]);
        assert!(!acting.knows(9_999));
    }

    #[test]
    fn how_far_it_went_is_a_count_and_a_share_for_a_while() {
        let mut acting = Acting::new(Time::from_ns(0));
        let told = |acting: &Acting, count, compared, today| {
            acting.far.iter().any(|it| it.tells(today) && it.covers(count, compared))
        };
        acting.learn_far(Far { count: 12, compared: 300, day: 10 });
        assert!(told(&acting, 12.0, 300.0, 70) && told(&acting, 9.0, 400.0, 70));
        assert!(!told(&acting, 12.0, 12.0, 10), "of all is more than of one in 25");
        assert!(!told(&acting, 13.0, 400.0, 10) && !told(&acting, 12.0, 300.0, 71));
        // An hour that went farther by its share stands beside it, one that went less far does not.
        acting.learn_far(Far { count: 6, compared: 6, day: 11 });
        acting.learn_far(Far { count: 5, compared: 200, day: 11 });
        assert!(told(&acting, 6.0, 6.0, 11) && told(&acting, 12.0, 300.0, 11));
        assert!(!told(&acting, 7.0, 7.0, 11));
        assert_eq!(acting.far.iter().filter(|it| it.count > 0).count(), 2);
        // There is room for so many: the one with the fewest pairs goes.
        for more in 1..9 {
            acting.learn_far(Far { count: 12 + more, compared: 300 * (1 + more), day: 12 });
        }
        assert!(told(&acting, 20.0, 2_700.0, 12) && !told(&acting, 6.0, 6.0, 12));
        assert_eq!(acting.beyond_most, 20);
        acting.learn_far(Far { count: 1, compared: 2, day: 100 });
        assert!(!told(&acting, 20.0, 2_700.0, 100) && told(&acting, 1.0, 2.0, 100));
    }

    #[test]
    fn those_of_an_attack_take_no_learned_ones_place() {
        let mut acting = Acting::new(Time::from_ns(0));
        acting.learn([7, 8].into_iter(), 1);
        (100..900).for_each(|subject| _ = acting.note(subject, 2, false));
        assert!(acting.knows(7) && acting.knows(8) && acting.kept() == SUBJECTS_MAX);
        acting.learn([9].into_iter(), 3);
        assert!(acting.knows(7) && acting.knows(9), "those that were noted go first");
        assert_eq!(size_of::<Subject>(), 8);
    }
}

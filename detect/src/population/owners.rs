//! Who reads which object: a bounded sample of all objects, and which endpoints' objects are private.

use crate::snapshot::plain::Plain;
use hashbrown::HashMap;
use model::{EndpointId, Endpoints};
use serde::{Deserialize, Serialize};

/// Objects that are kept.
const OBJECTS_MAX: usize = 262_144;
/// With fewer than this the sample is of twice as many objects again.
const OBJECTS_FEW: usize = OBJECTS_MAX / 4;
/// Days after which an object that was not read is forgotten.
const KEPT_DAYS: i32 = 30;
/// Hours of identities in which an object must have been read to say whose it is, and to be judged by.
const HOURS_OWNED_MIN: u8 = 2;
const HOURS_JUDGED_MIN: u8 = 3;
/// The share of an endpoint's objects that have one reader from which on they are private, and of how
/// many.
const PRIVATE_SHARE_MIN: f64 = 0.95;
const OBJECTS_JUDGED_MIN: u32 = 100;

/// One object: who read it first, and whether others did.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Owned {
    endpoint: u32,
    /// Half of the first reader's hash.
    reader: u32,
    last_day: i32,
    /// Hours of identities in which it was read, as far as 255.
    hours: u8,
    is_shared: bool,
}

/// Whose an object is, as far as is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Whose {
    /// Never seen, seen once, not in the sample, or everybody's.
    Unknown,
    /// Only the one who asks ever read it.
    Own,
    /// Somebody else alone read it: half of that one's hash.
    Foreign(u32),
}

/// An object that was read by an identity in an hour.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Access {
    key: u64,
    endpoint: u32,
    reader: u32,
    day: i32,
}

impl Access {
    pub(crate) fn new(endpoint: EndpointId, object: u64, reader: u64, day: i32) -> Self {
        Self { key: key_of(endpoint, object), endpoint: endpoint.0, reader: half(reader), day }
    }
}

/// How the objects of an endpoint are read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Privacy {
    /// Objects that were read often enough, and those of them that had one reader.
    pub(crate) objects: u32,
    pub(crate) single: u32,
    pub(crate) is_private: bool,
}

/// A sample of the objects of the tenant, by who reads them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Owners {
    #[serde(with = "crate::snapshot::plain")]
    table: Table,
    /// Only objects whose key ends in so many zeros are kept.
    thinned: u32,
    /// Only those whose key ends in so many are anybody's. They are fewer for a while after more are kept:
    /// who reads one first after that need not be who always read it.
    settled: u32,
    /// The day from which on the others are kept.
    widened_day: i32,
    by_endpoint: Vec<Privacy>,
}

/// Objects by their keys.
#[derive(Clone, Debug, Default)]
struct Table(HashMap<u64, Owned, foldhash::fast::FixedState>);

/// In the order of the keys.
impl Plain for Table {
    type As = Vec<(u64, Owned)>;

    fn to_plain(&self) -> Self::As {
        let mut all: Vec<_> = self.0.iter().map(|(key, owned)| (*key, *owned)).collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all
    }

    fn from_plain(plain: Self::As) -> Option<Self> {
        let is_sound = plain.len() <= OBJECTS_MAX && plain.is_sorted_by(|a, b| a.0 < b.0);
        is_sound.then(|| Self(plain.into_iter().collect()))
    }
}

impl Owners {
    /// Whether the endpoint's objects are read by one identity each.
    pub(crate) fn privacy(&self, endpoint: EndpointId) -> Option<Privacy> {
        self.by_endpoint.get(endpoint.0 as usize).copied().filter(|it| it.is_private)
    }

    /// 32 bits that stand for an object, whatever part of them the sample holds.
    pub(crate) fn mark(endpoint: EndpointId, object: u64) -> u32 {
        half(key_of(endpoint, object))
    }

    /// Whose an object of a private endpoint is, to `reader`.
    pub(crate) fn whose(&self, endpoint: EndpointId, object: u64, reader: u64) -> Whose {
        let key = key_of(endpoint, object);
        if key.trailing_zeros() < self.settled {
            return Whose::Unknown;
        }
        match self.table.0.get(&key) {
            Some(owned) if owned.is_shared || owned.hours < HOURS_OWNED_MIN => Whose::Unknown,
            Some(owned) if owned.reader == half(reader) => Whose::Own,
            Some(owned) => Whose::Foreign(owned.reader),
            None => Whose::Unknown,
        }
    }

    /// The share of objects of which it is known whose they are, 0 to 1.
    pub(crate) fn sampled_share(&self) -> f64 {
        (-f64::from(self.settled)).exp2()
    }

    /// Takes in who read what in an hour, in any order, and judges the endpoints anew.
    pub(crate) fn learn(&mut self, mut accesses: Vec<Access>) {
        // Whoever reads an object first in an hour owns it, whatever the partition: the lowest hash.
        accesses.sort_unstable_by_key(|it| (it.key, it.reader));
        for it in accesses {
            if !self.keeps(it.key) {
                continue;
            }
            while self.table.0.len() >= OBJECTS_MAX && !self.table.0.contains_key(&it.key) {
                self.thin();
            }
            if !self.keeps(it.key) {
                continue;
            }
            let owned = self.table.0.entry(it.key).or_insert(Owned {
                endpoint: it.endpoint,
                reader: it.reader,
                last_day: it.day,
                hours: 0,
                is_shared: false,
            });
            owned.is_shared |= owned.reader != it.reader;
            owned.hours = owned.hours.saturating_add(1);
            owned.last_day = owned.last_day.max(it.day);
        }
        self.judge();
    }

    /// Forgets what was not read for long, and keeps more again where that leaves room.
    pub(crate) fn age(&mut self, day: i32) {
        self.table.0.retain(|_, owned| day - owned.last_day < KEPT_DAYS);
        // Whoever did not read an object for so long would be forgotten as its reader: from then on what
        // was not in the sample is known as well as what was.
        if self.settled > self.thinned && day - self.widened_day >= KEPT_DAYS {
            self.settled = self.thinned;
            self.judge();
        }
        if self.settled == self.thinned && self.thinned > 0 && self.table.0.len() < OBJECTS_FEW {
            self.thinned -= 1;
            self.widened_day = day;
        }
    }

    /// Follows the folds of the templates: an object of a folded endpoint is another's.
    pub(crate) fn fold(&mut self, endpoints: &Endpoints) {
        self.table.0.retain(|_, it| endpoints.resolve(EndpointId(it.endpoint)).0 == it.endpoint);
        self.judge();
    }

    /// Forgets what an identity owned.
    pub(crate) fn forget(&mut self, hashes: &[u64]) {
        self.table.0.retain(|_, it| !hashes.iter().any(|hash| half(*hash) == it.reader));
    }

    fn keeps(&self, key: u64) -> bool {
        key.trailing_zeros() >= self.thinned
    }

    fn thin(&mut self) {
        self.thinned += 1;
        self.settled = self.settled.max(self.thinned);
        let thinned = self.thinned;
        self.table.0.retain(|key, _| key.trailing_zeros() >= thinned);
    }

    fn judge(&mut self) {
        self.by_endpoint.clear();
        let settled = self.settled;
        let is_known = |key: u64| key.trailing_zeros() >= settled;
        let known = self.table.0.iter().filter(|(key, _)| is_known(**key));
        for (_, owned) in known.filter(|(_, it)| it.hours >= HOURS_JUDGED_MIN) {
            let index = owned.endpoint as usize;
            if self.by_endpoint.len() <= index {
                self.by_endpoint.resize(index + 1, Privacy::default());
            }
            if let Some(privacy) = self.by_endpoint.get_mut(index) {
                privacy.objects += 1;
                privacy.single += u32::from(!owned.is_shared);
            }
        }
        for privacy in &mut self.by_endpoint {
            privacy.is_private = privacy.objects >= OBJECTS_JUDGED_MIN
                && f64::from(privacy.single) >= PRIVATE_SHARE_MIN * f64::from(privacy.objects);
        }
    }
}

/// An object's key: its own hash is keyed, so that nobody can choose what is in the sample.
fn key_of(endpoint: EndpointId, object: u64) -> u64 {
    let mut key = object ^ u64::from(endpoint.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

const fn half(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: EndpointId = EndpointId(3);

    fn reader(number: u64) -> u64 {
        number << 32
    }

    fn hours(owners: &mut Owners, objects: u64, hours: i32) {
        for _ in 0..hours {
            let each =
                (0..objects).map(|object| Access::new(AT, object, reader(object % 50 + 1), 1));
            owners.learn(each.collect());
        }
    }

    #[test]
    fn objects_with_one_reader_each_are_private_and_somebodys() {
        let mut owners = Owners::default();
        hours(&mut owners, 200, 2);
        assert!(owners.privacy(AT).is_none(), "read too seldom");
        hours(&mut owners, 200, 1);
        assert_eq!(owners.privacy(AT).map(|it| (it.objects, it.single)), Some((200, 200)));
        assert_eq!(owners.whose(AT, 7, reader(8)), Whose::Own);
        assert_eq!(owners.whose(AT, 7, reader(9)), Whose::Foreign(8));
        assert_eq!(owners.whose(AT, 999, reader(9)), Whose::Unknown);
        owners.learn(vec![Access::new(AT, 7, reader(9), 1)]);
        assert_eq!(owners.whose(AT, 7, reader(9)), Whose::Unknown, "it is shared now");
        owners.forget(&[reader(8)]);
        assert_eq!(owners.whose(AT, 57, reader(9)), Whose::Unknown);
        owners.age(31);
        assert!(owners.table.0.is_empty());
    }

    #[test]
    fn shared_objects_are_not_private() {
        let mut owners = Owners::default();
        for hour in 0..4 {
            let each = (0..200).map(|object| Access::new(AT, object, reader(object + hour), 1));
            owners.learn(each.collect());
        }
        assert!(owners.privacy(AT).is_none());
    }

    #[test]
    fn a_full_sample_is_thinned_and_the_order_of_partitions_changes_nothing() {
        let all: Vec<_> = (0..OBJECTS_MAX as u64 + 1_000)
            .map(|object| Access::new(AT, object, reader(object % 7), 1))
            .collect();
        let (mut forth, mut back) = (Owners::default(), Owners::default());
        forth.learn(all.clone());
        back.learn(all.into_iter().rev().collect());
        assert_eq!(forth.table.to_plain(), back.table.to_plain());
        assert!((forth.sampled_share() - 0.5).abs() < 1e-9 && forth.table.0.len() < 140_000);
    }

    #[test]
    fn what_was_not_in_the_sample_is_nobodys_until_its_reader_would_have_come() {
        let mut owners = Owners::default();
        owners.thin();
        let is_left_out = |object: &u64| key_of(AT, *object).trailing_zeros() == 0;
        let object = (0..1_000_000).find(is_left_out).unwrap();
        let read = |owners: &mut Owners, day| {
            owners.learn(vec![Access::new(AT, object, reader(9), day)]);
        };
        read(&mut owners, 1);
        assert!(owners.table.0.is_empty(), "half of the objects are kept");
        owners.age(2);
        assert!(owners.thinned == 0 && owners.settled == 1);
        read(&mut owners, 3);
        read(&mut owners, 20);
        assert_eq!(owners.whose(AT, object, reader(8)), Whose::Unknown, "it may be the other's");
        assert!((owners.sampled_share() - 0.5).abs() < 1e-9);
        owners.age(2 + KEPT_DAYS - 1);
        assert_eq!(owners.whose(AT, object, reader(8)), Whose::Unknown);
        owners.age(2 + KEPT_DAYS);
        assert_eq!(owners.whose(AT, object, reader(8)), Whose::Foreign(9));
        owners.thin();
        assert_eq!(owners.whose(AT, object, reader(8)), Whose::Unknown);
    }
}

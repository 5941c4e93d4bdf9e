//! From where an identity's credentials were used in the hour, and with which programs.

use super::{Call, Crossed};
use crate::identity::tag;
use crate::partition::text_hash;
use crate::snapshot::plain;
use model::mention::Mentions;
use model::time::NS_PER_MIN;
use model::{Detector, Time};
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Pairs of a credential and a network that are told apart in one hour.
const ORIGINS_MAX: usize = 32;
/// Families of user agents that are told apart in one hour.
const FAMILIES_MAX: usize = 16;
/// Bytes that are kept of a network's, a credential's and a program's name.
const NAME_BYTES_MAX: usize = 64;
/// Calls from two networks within this time of each other are at once.
pub(crate) const AT_ONCE_NS: i64 = 5 * NS_PER_MIN;
/// Switches between a new network and another from which on they are used at once: there and back.
const SWITCHES_MIN: u32 = 2;

/// The origins of one hour.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Origins {
    pub(crate) all: Vec<Origin>,
    /// Hashes of the families of the hour's user agents.
    pub(crate) families: Vec<u32>,
    /// The hash of where the last call came from, and where in `all` that is.
    #[serde(with = "postcard::fixint::le")]
    hash: u64,
    last: u32,
    /// Any two networks of one credential were used at once.
    pub(crate) has_overlap: bool,
}

/// A credential at a network.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Origin {
    #[serde(with = "plain")]
    last: Time,
    /// What is told of a network that the credential was never used from.
    new: Option<Box<NewOrigin>>,
    /// The network's hash, and the credential's tag.
    pub(crate) network: u32,
    pub(crate) of: u8,
}

/// A network that is new to a credential with a history.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct NewOrigin {
    pub(crate) network: Box<str>,
    /// `credential:` and the credential, or the network where the log names none.
    pub(crate) entity: Box<str>,
    /// The family of the first call's user agent, its hash, and whether it was new to the identity.
    pub(crate) family: Option<Box<str>>,
    pub(crate) family_key: u32,
    pub(crate) is_new_family: bool,
    pub(crate) calls: u32,
    pub(crate) sample: Call,
    /// Switches to another network of the same credential, or back, within [`AT_ONCE_NS`].
    pub(crate) switches: u32,
    #[serde(with = "plain")]
    pub(crate) switch_first: Time,
    #[serde(with = "plain")]
    pub(crate) switch_last: Time,
    /// The other network of the last switch back from here.
    pub(crate) other: Option<Box<str>>,
}

/// Where a call came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Whence<'a> {
    /// Hashes of its credential and its network.
    pub(crate) credential: u64,
    pub(crate) hash: u64,
    pub(crate) network: &'a str,
    pub(crate) at: Time,
}

impl Whence<'_> {
    pub(crate) const fn of(&self) -> u8 {
        tag(self.credential)
    }

    /// The network's key: the upper half is of its /16, or its /48.
    pub(crate) fn key(&self) -> u32 {
        let wide = wider(self.network).unwrap_or(self.hash);
        ((wide as u32) << 16) | (self.hash as u32 & 0xffff)
    }

    const fn both(&self) -> u64 {
        self.credential.rotate_left(32) ^ self.hash
    }
}

/// The hash of the /16 or the /48 that a network is part of.
fn wider(network: &str) -> Option<u64> {
    let address = network.split('/').next()?;
    if let Ok(four) = address.parse::<Ipv4Addr>() {
        let [a, b, ..] = four.octets();
        return Some(u64::from_le_bytes([a, b, 4, 0, 0, 0, 0, 0]).wrapping_mul(FAIR) >> 32);
    }
    let [a, b, c, d, e, f, ..] = address.parse::<Ipv6Addr>().ok()?.octets();
    Some(u64::from_le_bytes([a, b, c, d, e, f, 6, 0]).wrapping_mul(FAIR) >> 32)
}

/// An odd factor with its bits well spread (2^64 divided by the golden ratio).
const FAIR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Origins {
    /// The first one: read before it is needed.
    pub(crate) fn glance(&self) -> u64 {
        self.hash ^ self.all.first().map_or(0, |origin| u64::from(origin.network))
    }

    /// Whether a call is from where the one before it was: then it is counted, and nothing more.
    pub(crate) fn is_again(&mut self, from: &Whence<'_>) -> bool {
        if self.hash != from.both() {
            return false;
        }
        let Some(origin) = self.all.get_mut(self.last as usize) else { return false };
        origin.add(from.at);
        true
    }

    /// Adds a call from elsewhere than the one before it. `new` is asked once for a network that the
    /// hour had not seen: what is to be told of it, if it is new to the credential.
    pub(crate) fn add(
        &mut self,
        from: &Whence<'_>,
        new: impl FnOnce(u32) -> Option<Box<NewOrigin>>,
        crossed: &mut Crossed,
    ) {
        let (before, of, network) = (self.last as usize, from.of(), from.key());
        let found = self.all.iter().position(|it| it.of == of && it.network == network);
        let index = match found {
            Some(index) => index,
            None if self.all.len() < ORIGINS_MAX => {
                let new = new(network);
                if new.is_some() {
                    crossed.add(Detector::NewNetwork);
                }
                self.all.reserve_exact(1);
                self.all.push(Origin { last: from.at, new, network, of });
                self.all.len() - 1
            }
            None => return,
        };
        (self.hash, self.last) = (from.both(), index as u32);
        if self.all.get(before).is_some_and(|it| it.of == of) && before != index {
            self.switch((before, index), from, found.is_some(), crossed);
        }
        if let Some(origin) = self.all.get_mut(index) {
            origin.add(from.at);
        }
    }

    /// Notes that calls of one credential went from one network to another.
    fn switch(
        &mut self,
        (left, to): (usize, usize),
        from: &Whence<'_>,
        was_there: bool,
        crossed: &mut Crossed,
    ) {
        let is_recent = |at: Option<Time>| at.filter(|at| from.at.since(*at) <= AT_ONCE_NS);
        let Some(gone) = is_recent(self.all.get(left).map(|origin| origin.last)) else { return };
        // To where it had been within the same time: there and back.
        self.has_overlap |= was_there && is_recent(self.all.get(to).map(|it| it.last)).is_some();
        for (index, is_left) in [(left, true), (to, false)] {
            let Some(new) = self.all.get_mut(index).and_then(|it| it.new.as_mut()) else {
                continue;
            };
            if new.switches == 0 {
                new.switch_first = gone;
            }
            new.switches += 1;
            new.switch_last = from.at;
            if is_left && new.other.as_deref() != Some(cut(from.network)) {
                new.other = Some(cut(from.network).into());
            }
            if new.is_at_once() && new.switches.is_power_of_two() {
                crossed.add(Detector::NewNetwork);
            }
        }
    }

    /// Adds a family of user agents.
    pub(crate) fn add_family(&mut self, key: u32) {
        if self.families.len() < FAMILIES_MAX && !self.families.contains(&key) {
            self.families.reserve_exact(1);
            self.families.push(key);
        }
    }

    /// The first call from each new network.
    pub(crate) fn samples(&self) -> Vec<Call> {
        self.new_ones().map(|(_, new)| new.sample).collect()
    }

    /// Those that are new to their credentials.
    pub(crate) fn new_ones(&self) -> impl Iterator<Item = (&Origin, &NewOrigin)> {
        self.all.iter().filter_map(|origin| Some((origin, origin.new.as_deref()?)))
    }

    /// Forgets somebody who is named in it.
    pub(super) fn forget(&mut self, mentions: &Mentions) {
        for new in self.all.iter_mut().filter_map(|origin| origin.new.as_mut()) {
            let others = new.family.iter_mut().chain(&mut new.other);
            for text in [&mut new.network, &mut new.entity].into_iter().chain(others) {
                if let Some(without) = mentions.replaced(text) {
                    *text = without.into();
                }
            }
        }
    }
}

impl Origin {
    fn add(&mut self, at: Time) {
        self.last = at;
        if let Some(new) = &mut self.new {
            new.calls += 1;
        }
    }
}

impl NewOrigin {
    /// What is told of a network that a call brought; whether its program is new is still to be said.
    pub(crate) fn of(
        from: &Whence<'_>,
        credential: Option<&str>,
        family: Option<&str>,
        sample: Call,
    ) -> Box<Self> {
        let network = cut(from.network);
        Box::new(Self {
            network: network.into(),
            entity: credential
                .map_or_else(|| network.into(), |it| format!("credential:{}", cut(it)).into()),
            family: family.map(Into::into),
            family_key: family.map_or(0, family_key),
            is_new_family: false,
            calls: 0,
            sample,
            switches: 0,
            switch_first: from.at,
            switch_last: from.at,
            other: None,
        })
    }

    /// Whether another network of the same credential was used at the same time: it went there and back.
    pub(crate) fn is_at_once(&self) -> bool {
        self.switches >= SWITCHES_MIN && self.other.is_some()
    }

    pub(crate) fn credential(&self) -> Option<&str> {
        self.entity.strip_prefix("credential:")
    }
}

/// The beginning of a name.
fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(NAME_BYTES_MAX.min(name.len()))).unwrap_or("")
}

pub(crate) fn family_key(family: &str) -> u32 {
    text_hash(family) as u32
}

/// The family of a user agent: a browser's name, or a program's without its version.
pub(crate) fn family(agent: &str) -> &str {
    const BROWSERS: [&str; 8] =
        ["Edg", "OPR", "SamsungBrowser", "Firefox", "Chrome", "Safari", "MSIE", "Trident"];
    if agent.starts_with("Mozilla/") {
        let known = BROWSERS.iter().find(|name| agent.contains(**name));
        let bot = || agent.split_once("compatible; ").map(|(_, rest)| rest);
        return match (known, bot()) {
            (_, Some(bot)) => product(bot),
            (Some(known), None) => known,
            (None, None) => "Mozilla",
        };
    }
    product(agent)
}

fn product(text: &str) -> &str {
    let end = text.find(['/', ' ', '(', ';', ',']).unwrap_or(text.len());
    cut(text.get(..end).unwrap_or(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::NS_PER_S;
    use model::{EndpointId, Event, EventBatch};

    fn from(network: &str, at: Time) -> Whence<'_> {
        Whence { credential: 1, hash: text_hash(network), network, at }
    }

    /// Calls from networks at seconds; `b` is new. Switches and whether it was at once.
    #[track_caller]
    fn check(calls: &[(&str, i64)], expected: (u32, bool)) {
        let (mut origins, mut crossed) = (Origins::default(), Crossed::default());
        for (network, second) in calls {
            let at = Time::from_ns(second * NS_PER_S);
            let from = from(network, at);
            let sample = Call::of(&EventBatch::default(), &Event::at(at), EndpointId(0), at);
            let new = |_| (*network == "b").then(|| NewOrigin::of(&from, None, None, sample));
            if !origins.is_again(&from) {
                origins.add(&from, new, &mut crossed);
            }
        }
        let new = origins.new_ones().next().map(|(_, new)| (new.switches, new.is_at_once()));
        assert_eq!(new, Some(expected), "{calls:?}");
        let calls = calls.iter().filter(|(network, _)| *network == "b").count();
        assert_eq!(origins.new_ones().next().map(|(_, new)| new.calls as usize), Some(calls));
    }

    #[test]
    fn going_there_and_back_is_at_once_and_moving_is_not() {
        check(&[("a", 0), ("b", 60), ("b", 70), ("a", 90), ("b", 100)], (3, true));
        check(&[("a", 0), ("b", 60), ("b", 900)], (1, false));
        check(&[("a", 0), ("b", 1_000), ("a", 2_000), ("b", 3_000)], (0, false));
    }

    #[test]
    fn networks_of_one_wider_network_share_the_upper_half_of_their_keys() {
        let key = |network: &str| from(network, Time::from_ns(0)).key();
        for (a, b, is_near) in [
            ("203.0.113.0/24", "203.0.7.0/24", true),
            ("203.0.113.0/24", "203.1.113.0/24", false),
            ("2001:db8:1:2::/64", "2001:db8:1:3::/64", true),
            ("2001:db8:1:2::/64", "2001:db8:2:2::/64", false),
            ("office", "home", false),
        ] {
            assert_eq!(key(a) >> 16 == key(b) >> 16, is_near, "{a} {b}");
            assert_ne!(key(a), key(b));
        }
    }

    #[test]
    fn a_family_has_no_version() {
        assert_eq!(family("billing/2.1"), "billing");
        assert_eq!(family("python-requests/2.32.3"), "python-requests");
        assert_eq!(family("Mozilla/5.0 (X11; Linux x86_64) Firefox/137.0"), "Firefox");
        assert_eq!(family("Mozilla/5.0 (Macintosh) Safari/605.1.15"), "Safari");
        assert_eq!(family("Mozilla/5.0 (compatible; Googlebot/2.1; +http://x)"), "Googlebot");
        assert_eq!(family("curl"), "curl");
        assert_eq!(family(""), "");
    }
}

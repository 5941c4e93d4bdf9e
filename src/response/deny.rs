//! Whom to deny: identities, credentials and sources with an open critical finding.
//!
//! What failed to authenticate only ever names where it came from: anybody may claim any name.

use model::{Detector, PrincipalType, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Entries of the feed; beyond that those that expire first are left out, and counted.
pub(crate) const ENTRIES_MAX: usize = 10_000;
/// What an entity begins with that is a credential.
const CREDENTIAL: &str = "credential:";
/// Nanoseconds in one microsecond.
const NS_PER_US: i64 = 1_000;

/// What kind of thing is denied.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A principal, by its id.
    Identity,
    /// A credential, by its id or fingerprint.
    Credential,
    /// A client address, or a network.
    Source,
}

/// A critical finding, as far as it matters here.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) finding_id: String,
    pub(crate) tenant_id: String,
    /// Empty for nobody.
    pub(crate) principal_id: String,
    pub(crate) kind: Option<PrincipalType>,
    pub(crate) entity: String,
    pub(crate) detector: String,
    /// Microseconds since the epoch.
    pub(crate) detected_us: i64,
    pub(crate) sentence: String,
    /// The sample events of failed authentication, as JSON.
    pub(crate) evidence: String,
    /// Somebody said that it is benign.
    pub(crate) is_suppressed: bool,
}

/// Who is denied: kind, tenant, value.
pub(crate) type Key = (Kind, String, String);

/// Why, and until when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) reason: String,
    /// The finding that makes it last longest.
    pub(crate) finding_id: String,
    /// When the first of its open findings was detected, in microseconds.
    pub(crate) since_us: i64,
    pub(crate) expires_us: i64,
}

/// Whom to deny at a moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct List {
    pub(crate) entries: BTreeMap<Key, Entry>,
    /// Whose findings are over or said to be benign.
    pub(crate) gone: BTreeSet<Key>,
    /// How many there was no room for.
    pub(crate) left_out: usize,
}

/// An entry as it is written.
#[derive(Serialize)]
struct Written<'a> {
    kind: Kind,
    tenant: &'a str,
    value: &'a str,
    reason: &'a str,
    finding_id: &'a str,
    since: String,
    expires_at: String,
}

/// The list as it is written.
#[derive(Serialize)]
struct All<'a> {
    entries: Vec<Written<'a>>,
    left_out: usize,
}

fn written<'a>((kind, tenant, value): &'a Key, entry: &'a Entry) -> Written<'a> {
    let time = |us: i64| Time::from_ns(us.saturating_mul(NS_PER_US)).to_string();
    Written {
        kind: *kind,
        tenant,
        value,
        reason: &entry.reason,
        finding_id: &entry.finding_id,
        since: time(entry.since_us),
        expires_at: time(entry.expires_us),
    }
}

/// The key of a record: a JSON array, so that no two are written alike.
pub(crate) fn key_text((kind, tenant, value): &Key) -> Result<String, serde_json::Error> {
    serde_json::to_string(&(kind, tenant, value))
}

/// Whether a text is one that [`key_text`] writes: another's key in the topic is left alone.
pub(crate) fn is_key(text: &str) -> bool {
    serde_json::from_str::<Key>(text).is_ok()
}

/// The value of a record.
pub(crate) fn entry_text(key: &Key, entry: &Entry) -> Result<String, serde_json::Error> {
    serde_json::to_string(&written(key, entry))
}

impl List {
    /// Of findings at a moment, in microseconds; an entry lasts so long after its finding was detected.
    pub(crate) fn of(found: &[Found], now_us: i64, expire_us: i64) -> Self {
        let mut list = Self::default();
        for one in found {
            let expires_us = one.detected_us.saturating_add(expire_us);
            for key in one.names() {
                if one.is_suppressed || expires_us <= now_us {
                    list.gone.insert(key);
                    continue;
                }
                let entry = Entry {
                    reason: one.sentence.clone(),
                    finding_id: one.finding_id.clone(),
                    since_us: one.detected_us,
                    expires_us,
                };
                match list.entries.get_mut(&key) {
                    Some(old) => old.merge(entry),
                    None => drop(list.entries.insert(key, entry)),
                }
            }
        }
        list.make_room(ENTRIES_MAX);
        let Self { entries, gone, .. } = &mut list;
        gone.retain(|key| !entries.contains_key(key));
        list
    }

    /// Leaves out those that expire first, if there are more than so many.
    fn make_room(&mut self, entries_max: usize) {
        if self.entries.len() <= entries_max {
            return;
        }
        let mut order: Vec<_> =
            self.entries.iter().map(|(key, it)| (it.expires_us, key.clone())).collect();
        order.sort();
        self.left_out = order.len() - entries_max;
        for (_, key) in order.into_iter().take(self.left_out) {
            self.entries.remove(&key);
            self.gone.insert(key);
        }
    }

    /// All of it as one JSON object: the same list is the same bytes.
    pub(crate) fn json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let entries = self.entries.iter().map(|(key, entry)| written(key, entry)).collect();
        let mut bytes = serde_json::to_vec(&All { entries, left_out: self.left_out })?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

impl Entry {
    /// Takes in another finding of the same: what lasts longest is the reason.
    fn merge(&mut self, other: Self) {
        let since_us = self.since_us.min(other.since_us);
        if (other.expires_us, &other.finding_id) > (self.expires_us, &self.finding_id) {
            *self = other;
        }
        self.since_us = since_us;
    }
}

impl Found {
    /// Whom it is about.
    fn names(&self) -> Vec<Key> {
        let key = |kind, value: &str| (kind, self.tenant_id.clone(), value.to_owned());
        let is_source = self.kind == Some(PrincipalType::Ip);
        if self.detector == Detector::AuthFailures.as_str() && !is_source {
            return self.refused().iter().map(|address| key(Kind::Source, address)).collect();
        }
        if let Some(credential) = self.entity.strip_prefix(CREDENTIAL) {
            return vec![key(Kind::Credential, credential)];
        }
        if self.principal_id.is_empty() {
            return Vec::new();
        }
        match self.kind {
            Some(PrincipalType::Ip) => vec![key(Kind::Source, &self.principal_id)],
            Some(PrincipalType::ApiKey) => vec![key(Kind::Credential, &self.principal_id)],
            Some(PrincipalType::Anonymous) | None => Vec::new(),
            Some(_) => vec![key(Kind::Identity, &self.principal_id)],
        }
    }

    /// From where its sample events came that were refused.
    fn refused(&self) -> BTreeSet<String> {
        let events = serde_json::from_str::<serde_json::Value>(&self.evidence).unwrap_or_default();
        let events = events.as_array().map(Vec::as_slice).unwrap_or_default();
        let refused = events.iter().filter(|event| {
            matches!(event.get("status").and_then(serde_json::Value::as_u64), Some(401 | 407))
        });
        let address = |event: &serde_json::Value| {
            let address = event.get("client_address")?.as_str()?;
            address.parse::<std::net::IpAddr>().ok().map(|it| it.to_string())
        };
        refused.filter_map(address).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;

    fn found(number: u32, principal: &str, kind: PrincipalType, minute: i64) -> Found {
        Found {
            finding_id: format!("f{number}"),
            tenant_id: "default".into(),
            principal_id: principal.into(),
            kind: Some(kind),
            entity: String::new(),
            detector: "egress_spike".into(),
            detected_us: minute * 60_000_000,
            sentence: format!("{principal} did {number}"),
            evidence: String::new(),
            is_suppressed: false,
        }
    }

    fn named(found: &Found) -> Vec<(Kind, String)> {
        found.names().into_iter().map(|(kind, _, value)| (kind, value)).collect()
    }

    #[test]
    fn a_finding_names_an_identity_a_credential_or_a_source() {
        let mut one = found(1, "ann", PrincipalType::User, 0);
        assert_eq!(named(&one), [(Kind::Identity, "ann".into())]);
        one.entity = "credential:key-7".into();
        assert_eq!(named(&one), [(Kind::Credential, "key-7".into())]);
        let key = found(1, "key:0f", PrincipalType::ApiKey, 0);
        assert_eq!(named(&key), [(Kind::Credential, "key:0f".into())]);
        let source = found(1, "203.0.113.9", PrincipalType::Ip, 0);
        assert_eq!(named(&source), [(Kind::Source, "203.0.113.9".into())]);
        assert!(named(&found(1, "anonymous", PrincipalType::Anonymous, 0)).is_empty());
        assert!(named(&found(1, "", PrincipalType::User, 0)).is_empty());
    }

    #[test]
    fn failed_authentication_names_only_where_it_came_from() {
        let mut one = found(1, "victim", PrincipalType::Consumer, 0);
        one.detector = "auth_failures".into();
        assert!(named(&one).is_empty(), "without an address nobody is named");
        one.evidence = r#"[{"status":401,"client_address":"203.0.113.9"},
            {"status":200,"client_address":"198.51.100.1"},
            {"status":401,"client_address":"victim"},{"status":407,"client_address":"203.0.113.9"}]"#
            .into();
        assert_eq!(named(&one), [(Kind::Source, "203.0.113.9".into())]);
        one.entity = "credential:of-the-victim".into();
        assert_eq!(named(&one), [(Kind::Source, "203.0.113.9".into())]);
        let mut source = found(1, "203.0.113.9", PrincipalType::Ip, 0);
        source.detector = "auth_failures".into();
        assert_eq!(named(&source), [(Kind::Source, "203.0.113.9".into())]);
    }

    #[test]
    fn an_entry_lasts_as_long_as_the_last_of_its_findings() {
        let mut all = vec![
            found(1, "ann", PrincipalType::User, 0),
            found(2, "ann", PrincipalType::User, 30),
            found(3, "bob", PrincipalType::User, 10),
        ];
        let key = |name: &str| (Kind::Identity, "default".to_owned(), name.to_owned());
        let list = List::of(&all, 40 * 60_000_000, HOUR_US);
        let ann = &list.entries[&key("ann")];
        assert_eq!((ann.since_us, ann.expires_us), (0, 90 * 60_000_000));
        assert_eq!(ann.reason, "ann did 2");
        assert!(list.gone.is_empty());
        let list = List::of(&all, 75 * 60_000_000, HOUR_US);
        assert_eq!(list.entries.keys().collect::<Vec<_>>(), [&key("ann")]);
        assert_eq!(list.gone.iter().collect::<Vec<_>>(), [&key("bob")]);
        for it in &mut all {
            it.is_suppressed = true;
        }
        let list = List::of(&all, 40 * 60_000_000, HOUR_US);
        assert!(list.entries.is_empty());
        assert_eq!(list.gone.len(), 2);
    }

    #[test]
    fn what_expires_first_is_left_out_and_counted() {
        let all: Vec<_> = (0..7)
            .map(|number| found(number, &format!("u{number}"), PrincipalType::User, number.into()))
            .collect();
        let mut list = List::of(&all, 0, HOUR_US);
        list.make_room(5);
        assert_eq!((list.entries.len(), list.left_out, list.gone.len()), (5, 2, 2));
        assert!(list.gone.iter().all(|(_, _, value)| value == "u0" || value == "u1"));
    }

    #[test]
    fn no_two_keys_are_written_alike() {
        let key = |tenant: &str, value: &str| (Kind::Source, tenant.to_owned(), value.to_owned());
        let texts = [key("a", "b,c"), key("a,b", "c"), key("a\"", "b"), key("a", "\"b")]
            .map(|key| key_text(&key).unwrap());
        assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), 4, "{texts:?}");
        assert_eq!(key_text(&key("default", "::1")).unwrap(), r#"["source","default","::1"]"#);
        assert!(texts.iter().all(|text| is_key(text)));
        for other in ["", "app-7", "null", r#"["source","a"]"#, r#"["thing","a","b"]"#] {
            assert!(!is_key(other), "{other}");
        }
    }
}

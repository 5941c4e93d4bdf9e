//! Who a call is by: the first identity that counts, and how far the log may be believed about it.

use crate::endpoint::{SegmentKind, classify};
use crate::format::FormatId;
use crate::format::field::{How, OVERRIDE, Raw, Rule, Slot};
use crate::format::mapping::SOURCES;
use crate::format::record::Record;
use model::{ParseFlags, PrincipalTrust, PrincipalType, Text};

/// Names that stand for nobody; one of them must never become a giant principal.
const SENTINELS: [&str; 14] = [
    "-",
    "null",
    "(null)",
    "none",
    "nil",
    "undefined",
    "unknown",
    "n/a",
    "anonymous",
    "anonymoususer",
    "00000000",
    "system:anonymous",
    "system:unauthenticated",
    "<nil>",
];

/// The rule of a principal that a canonical event brings along.
const GIVEN: &str = "canonical.principal_id";
/// The rule of a client address.
pub(crate) const BY_ADDRESS: &str = "client_address";
/// The rule of a client network.
pub(crate) const BY_NETWORK: &str = "client_net";
/// The rule of a caller whose credentials were refused.
const CLAIMED: &str = "claimed";
/// The rule, and the name, of a caller of whom nothing is known.
pub(crate) const ANONYMOUS: &str = "anonymous";

/// Whether a name stands for nobody.
pub(crate) fn is_sentinel(name: &str) -> bool {
    name.is_empty() || SENTINELS.iter().any(|it| it.eq_ignore_ascii_case(name))
}

/// Whether a producer gives an identity to many callers: it says little about any of them.
pub(crate) fn is_shared(named: &Candidate<'_>) -> bool {
    const NAMES: [&str; 3] = ["guest", "public", "shared"];
    let Candidate { id, source, .. } = named;
    // API Management's subscription to all APIs.
    source.starts_with("azure_apim.") && *id == "master"
        // What pods have that ask for no account of their own.
        || id.starts_with("system:serviceaccount:") && id.ends_with(":default")
        // An AWS account's own credentials.
        || id.starts_with("arn:aws:iam::") && id.ends_with(":root")
        || NAMES.iter().any(|it| it.eq_ignore_ascii_case(id))
}

/// An identity that a record names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate<'r> {
    pub(crate) id: &'r str,
    /// Who issued the identity's token.
    pub(crate) issuer: Option<&'r str>,
    pub(crate) kind: PrincipalType,
    pub(crate) trust: PrincipalTrust,
    pub(crate) source: &'static str,
    /// Only its fingerprint may be kept.
    pub(crate) is_secret: bool,
}

/// Whom a record names, and whether the call is to be counted for that name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resolved<'r> {
    pub(crate) named: Option<Candidate<'r>>,
    /// The credentials were refused: the principal is the source, and this name is only claimed.
    pub(crate) is_claimed: bool,
}

impl Resolved<'_> {
    /// The type, trust and rule when the principal is the source address, if that is known.
    pub(crate) const fn by_source(
        &self,
        by: Option<&'static str>,
    ) -> (PrincipalType, PrincipalTrust, &'static str) {
        let kind = if by.is_some() { PrincipalType::Ip } else { PrincipalType::Anonymous };
        match by {
            _ if self.is_claimed => (kind, PrincipalTrust::Claimed, CLAIMED),
            Some(source) => (kind, PrincipalTrust::Inferred, source),
            None => (kind, PrincipalTrust::Inferred, ANONYMOUS),
        }
    }
}

/// Finds whom a record names.
pub(crate) fn resolve<'r>(
    record: &'r Record<'_>,
    status: Option<u16>,
    client: Option<&str>,
) -> Resolved<'r> {
    let mut named = given(record, client).or_else(|| candidate(record));
    // Where a caller's value broke out of its place, it may have written any other.
    if let Some(named) = &mut named
        && record.flags.contains(ParseFlags::REPAIRED_JSON)
        && named.trust == PrincipalTrust::Verified
    {
        named.trust = PrincipalTrust::Asserted;
    }
    let refused = matches!(status, Some(401 | 407));
    let is_believed = |it: Candidate<'_>| it.trust != PrincipalTrust::Asserted;
    let is_claimed = named.is_some_and(|it| record.is_claimed || refused && !is_believed(it));
    Resolved { named, is_claimed }
}

/// The principal that a canonical event brings along.
fn given<'r>(record: &'r Record<'_>, client: Option<&str>) -> Option<Candidate<'r>> {
    let id = record.text(Slot::Text(Text::PrincipalId))?;
    let text = |raw| record.text(Slot::Raw(raw));
    let kind = text(Raw::PrincipalType).and_then(PrincipalType::from_name);
    let is_nobody = id == ANONYMOUS && kind == Some(PrincipalType::Anonymous);
    if is_sentinel(id) && !is_nobody {
        return None;
    }
    let kind =
        kind.unwrap_or(if client == Some(id) { PrincipalType::Ip } else { PrincipalType::User });
    let trust = text(Raw::PrincipalTrust).and_then(PrincipalTrust::from_name);
    let trust = trust.unwrap_or(match kind {
        PrincipalType::Ip => PrincipalTrust::Inferred,
        _ => PrincipalTrust::Asserted,
    });
    let source = text(Raw::PrincipalSource).and_then(source_of).unwrap_or(match kind {
        PrincipalType::Ip => BY_ADDRESS,
        _ => GIVEN,
    });
    Some(Candidate { id, issuer: None, kind, trust, source, is_secret: false })
}

/// The best identity candidate of a record: the first that the gateway verified, else the first. What only
/// a header says must not hide whose certificate or token was checked.
///
/// The operator's own choice comes before all.
fn candidate<'r>(record: &'r Record<'_>) -> Option<Candidate<'r>> {
    let base = Slot::Raw(Raw::IdOverride).index();
    let mut first = None;
    let mut bits = record.present() >> base;
    while bits != 0 {
        let raw = *Raw::IDENTITIES.get(bits.trailing_zeros() as usize)?;
        bits &= bits - 1;
        let Some(filled) = record.filled(Slot::Raw(raw)) else { continue };
        let (Some(Rule { source, kind, trust }), Some(id)) =
            (filled.field.rule, record.text_of(filled.value))
        else {
            continue;
        };
        let trust = match record.text(Slot::Raw(Raw::CertificateVerify)) {
            Some(verify) if raw == Raw::IdCertificate => {
                if !verify.eq_ignore_ascii_case("success") {
                    continue;
                }
                PrincipalTrust::Verified
            }
            _ => trust,
        };
        let id = id.trim();
        if is_sentinel(id) {
            continue;
        }
        let is_secret = filled.field.how == How::Secret
            || raw == Raw::IdUser && trust == PrincipalTrust::Asserted && is_key(id);
        let issuer = record.text(Slot::Raw(Raw::Issuer)).filter(|_| raw == Raw::IdSubject);
        let found = Candidate { id, issuer, kind, trust, source, is_secret };
        if trust == PrincipalTrust::Verified || raw == Raw::IdOverride {
            return Some(found);
        }
        first = first.or(Some(found));
    }
    first
}

/// Whether a user's name is a key: some services take one in the place of the name.
pub(crate) fn is_key(name: &str) -> bool {
    /// Hexadecimal digits that a key has at least.
    const HEX_BYTES_MIN: usize = 32;
    let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
    name.bytes().all(is_part)
        && match classify(name) {
            SegmentKind::Token => true,
            SegmentKind::Hex => name.len() >= HEX_BYTES_MIN,
            _ => false,
        }
}

/// The rule of that id, if there is one.
fn source_of(id: &str) -> Option<&'static str> {
    let fixed = [GIVEN, BY_ADDRESS, BY_NETWORK, CLAIMED, ANONYMOUS];
    let rules = FormatId::ALL.iter().flat_map(|it| it.format().fields).chain([&OVERRIDE]);
    let rules = rules.filter_map(|field| field.rule).map(|rule| rule.source);
    fixed.into_iter().chain(SOURCES).chain(rules).find(|it| *it == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_place_of_a_name_is_not_shown() {
        for (user, is_key) in [
            ("Zx8Kq2LmP0vT9sWbR4yN7uEd", true),
            ("0123456789abcdef0123456789abcdef", true),
            ("jane", false),
            ("service-account-of-the-shop", false),
            ("3f9a6c1e-0000-4000-8000-0123456789ab", false),
        ] {
            let line =
                format!("1.2.3.4 - {user} [10/Mar/2026:03:36:59 +0000] \"GET / HTTP/1.1\" 200 5");
            let parsed = crate::format::check::parse(line.as_bytes(), Some(FormatId::Clf));
            let objects = crate::format::check::objects(&parsed.batch);
            let id = objects[0]["principal_id"].as_str().unwrap_or("");
            assert_eq!((id.starts_with("key:"), id == user), (is_key, !is_key), "{user}");
        }
    }

    #[test]
    fn nobody_has_many_names() {
        for name in ["", "-", "NULL", "Anonymous", "system:anonymous", "AnonymousUser", "N/A"] {
            assert!(is_sentinel(name), "{name}");
        }
        assert!(!is_sentinel("nobody-in-particular"));
    }

    #[test]
    fn an_identity_that_many_are_given_is_shared() {
        let check = |source, id, is| {
            let (kind, trust) = (PrincipalType::User, PrincipalTrust::Verified);
            let named = Candidate { id, issuer: None, kind, trust, source, is_secret: false };
            assert_eq!(is_shared(&named), is, "{id}");
        };
        check("azure_apim.properties.apimSubscriptionId", "master", true);
        check("kong.consumer.id", "master", false);
        check("k8s_audit.user.username", "system:serviceaccount:shop:default", true);
        check("k8s_audit.user.username", "system:serviceaccount:shop:cart", false);
        check("aws_cloudtrail.userIdentity.arn", "arn:aws:iam::111122223333:root", true);
        check("clf.remote_user", "Guest", true);
    }

    #[test]
    fn every_rule_is_found_by_its_id() {
        for id in ["kong.consumer.id", "claimed", "client_net", "settings.principal_field"] {
            assert_eq!(source_of(id), Some(id));
        }
        assert_eq!(source_of("made.up"), None);
    }
}

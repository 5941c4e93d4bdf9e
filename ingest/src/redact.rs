//! Secrets and personal data, taken out of texts before anything is kept.

mod detect;
mod json;
mod query;

pub(crate) use query::{is_credential_name, query};

use crate::endpoint::{SegmentKind, classify};

/// Bytes that a path segment has at least before it may be a random token.
const TOKEN_BYTES_MIN: usize = 16;

/// Hexadecimal digits that a token has at least; fewer, or elsewhere, they are an id.
const HEX_BYTES_MIN: usize = 32;
/// Segments behind which such digits are a token.
const SECRET_PLACES: [&str; 17] = [
    "activate",
    "activation",
    "confirm",
    "confirmation",
    "invitation",
    "invite",
    "magic",
    "magic-link",
    "password",
    "password-reset",
    "recover",
    "reset",
    "reset-password",
    "token",
    "unsubscribe",
    "verification",
    "verify",
];
/// What stands between the parameters of a segment.
const PARAMETERS: [char; 5] = [';', '#', '?', '&', ','];

/// The secret key of fingerprints and pseudonyms.
#[derive(Clone)]
pub(crate) struct Key([u8; 32]);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Key {
    pub(crate) const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Appends the fingerprint of a secret: `key:` and 16 hexadecimal digits.
    pub(crate) fn fingerprint(&self, secret: &str, out: &mut String) {
        let hash = blake3::keyed_hash(&self.0, secret.as_bytes());
        out.push_str("key:");
        hexadecimal(hash.as_bytes().first_chunk::<8>(), out);
    }

    /// Appends the pseudonym of a name: `pseudonym:` and 32 hexadecimal digits.
    pub(crate) fn pseudonym(&self, tenant: &str, kind: &str, name: &str, out: &mut String) {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in [tenant, kind, name] {
            hasher.update(part.as_bytes());
            hasher.update(&[0xff]);
        }
        out.push_str("pseudonym:");
        hexadecimal(hasher.finalize().as_bytes().first_chunk::<16>(), out);
    }
}

fn hexadecimal<const N: usize>(bytes: Option<&[u8; N]>, out: &mut String) {
    let digit = |it: u8| char::from_digit(u32::from(it), 16);
    for byte in bytes.into_iter().flatten() {
        out.extend(digit(byte >> 4).into_iter().chain(digit(byte & 15)));
    }
}

/// Whether a text has the form of a fingerprint.
fn is_fingerprint(text: &str) -> bool {
    text.strip_prefix("key:")
        .is_some_and(|it| it.len() == 16 && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether a text is a pseudonym already.
pub(crate) fn is_pseudonym(text: &str) -> bool {
    text.strip_prefix("pseudonym:").is_some_and(|it| it.len() == 32)
}

/// The beginning of a text, at most `bytes_max` bytes of whole characters, and whether it was cut.
pub(crate) fn cut(text: &str, bytes_max: usize) -> (&str, bool) {
    if text.len() <= bytes_max {
        return (text, false);
    }
    (text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(""), true)
}

/// Whether any detector matches.
pub(crate) fn is_clean(text: &str) -> bool {
    detect::next(text.as_bytes(), 0).is_none()
}

/// Whether a text is or holds a credential; e-mail addresses and card numbers are none.
pub(crate) fn holds_credential(text: &str) -> bool {
    detect::credential(text.as_bytes()).is_some()
}

/// Appends a text with what the detectors find replaced; returns whether they found anything.
pub(crate) fn text(text: &str, out: &mut String) -> bool {
    let (mut kept, mut found) = (0, false);
    while let Some(hit) = detect::next(text.as_bytes(), kept) {
        out.push_str(text.get(kept..hit.from).unwrap_or(""));
        out.push_str(hit.kind.placeholder());
        (kept, found) = (hit.to, true);
    }
    out.push_str(text.get(kept..).unwrap_or(""));
    found
}

/// Appends a path without what is secret in it by its place: the values of secret names, user and
/// password, a bot's token. Returns whether there was anything; if not, the path is as it was.
pub(crate) fn parameters(path: &str, out: &mut String) -> bool {
    if memchr::memchr2(b'=', b':', path.as_bytes()).is_none() {
        return false;
    }
    let mut changed = false;
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        let is_host = index == 0 || index == 2 && path.starts_with("//");
        let segment = match segment.rsplit_once('@') {
            Some((user, host)) if is_host && user.contains(':') => {
                changed = true;
                host
            }
            _ => segment,
        };
        if let Some(bot) = bot(segment) {
            out.push_str(bot);
            out.push_str(":REDACTED");
            changed = true;
            continue;
        }
        for part in segment.split_inclusive(PARAMETERS) {
            let bare = part.trim_end_matches(PARAMETERS);
            match bare.split_once('=') {
                Some((name, value))
                    if query::is_secret(name) && !matches!(value, "" | "REDACTED") =>
                {
                    out.push_str(name);
                    out.push_str("=REDACTED");
                    changed = true;
                }
                _ => out.push_str(bare),
            }
            out.push_str(part.get(bare.len()..).unwrap_or(""));
        }
    }
    changed
}

/// `bot123456789` of `bot123456789:token`.
fn bot(segment: &str) -> Option<&str> {
    let (bot, token) = segment.split_once(':')?;
    let number = bot.strip_prefix("bot")?;
    let is_number = number.len() >= 6 && number.bytes().all(|it| it.is_ascii_digit());
    let is_part = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_');
    (is_number && token.len() >= TOKEN_BYTES_MIN && token.bytes().all(is_part)).then_some(bot)
}

/// Appends a URL with what is secret or personal in each of its parts replaced; returns whether
/// anything was.
pub(crate) fn url(url: &str, key: &Key, keep_values: bool, out: &mut String) -> bool {
    let end = memchr::memchr2(b'?', b'#', url.as_bytes()).unwrap_or(url.len());
    let (page, tail) = url.split_at(end);
    let mut changed = false;
    match page.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, given) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            changed |= text(scheme, out);
            out.push_str("://");
            let host = match authority.rsplit_once('@') {
                Some((user, host)) => {
                    changed |= user != "{userinfo}";
                    out.push_str("{userinfo}@");
                    host
                }
                None => authority,
            };
            changed |= text(host, out);
            changed |= parameters_and_path(given, key, out);
        }
        None if page.starts_with('/') => changed |= parameters_and_path(page, key, out),
        None => changed |= text(page, out),
    }
    if let Some(mark) = tail.get(..1) {
        out.push_str(mark);
        changed |= query(tail.get(1..).unwrap_or(""), keep_values, out);
    }
    changed
}

fn parameters_and_path(given: &str, key: &Key, out: &mut String) -> bool {
    let mut clean = String::new();
    let changed = parameters(given, &mut clean);
    path(if changed { clean.as_str() } else { given }, key, out) || changed
}

/// Appends a decoded path with secret and personal segments replaced; returns whether it changed.
pub(crate) fn path(path: &str, key: &Key, out: &mut String) -> bool {
    let suspect = |segment: &str| {
        segment.len() >= TOKEN_BYTES_MIN || segment.starts_with('+') || segment.contains('@')
    };
    if !may_hold(path) {
        return text(path, out);
    }
    let mut changed = false;
    let mut before = "";
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        let follows_place = SECRET_PLACES.iter().any(|it| it.eq_ignore_ascii_case(before));
        before = segment;
        // `logo@2x.png` is a file.
        let is_file = ["@1x.", "@2x.", "@3x."].iter().any(|it| segment.contains(it));
        let is_open = suspect(segment) && !is_fingerprint(segment) && !is_file;
        let kind = if is_open { classify(segment) } else { SegmentKind::Literal };
        changed |= match kind {
            SegmentKind::Jwt | SegmentKind::Email | SegmentKind::Phone => {
                out.push_str(kind.placeholder());
                true
            }
            SegmentKind::Hex if !follows_place || segment.len() < HEX_BYTES_MIN => {
                text(segment, out)
            }
            SegmentKind::Token | SegmentKind::Hex => {
                // Random segments stay apart from each other without being shown.
                key.fingerprint(segment, out);
                true
            }
            _ => text(segment, out),
        };
    }
    changed
}

/// Whether a path has a segment that must be looked at: one pass, for every event.
fn may_hold(path: &str) -> bool {
    let mut length = 0;
    path.bytes().any(|byte| {
        length = if byte == b'/' { 0 } else { length + 1 };
        length >= TOKEN_BYTES_MIN || byte == b'@' || byte == b'+'
    })
}

/// Appends the beginning of a rejected record: detectors, and the values of all secret names; of JSON
/// hardly any value, because its names tell what it is and a secret may have any name.
pub(crate) fn excerpt(record: &str, out: &mut String) {
    let mut clean = String::new();
    text(record, &mut clean);
    let start = json::start(&clean).unwrap_or(clean.len());
    let (head, json) = clean.split_at(start);
    query::named_values(head, out);
    json::names_only(json, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let mut out = String::new();
        path(input, &Key::new([7; 32]), &mut out);
        assert_eq!(out, expected, "{input}");
    }

    #[test]
    fn a_path_keeps_its_words_and_ids() {
        check("/users/42/orders", "/users/42/orders");
        check("/files/report@2x.png", "/files/report@2x.png");
        check(
            "/users/3f9a6c1e-0000-4000-8000-0123456789ab",
            "/users/3f9a6c1e-0000-4000-8000-0123456789ab",
        );
        check("", "");
    }

    #[test]
    fn a_path_loses_its_secrets_and_persons() {
        check("/users/jane.doe@example.com/x", "/users/{email}/x");
        check("/verify/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln/x", "/verify/{jwt}/x");
        check("/call/+4915112345678", "/call/{phone}");
        check("/pay/4111111111111111", "/pay/{card}");
        check("/k/AKIAIOSFODNN7EXAMPLE.txt", "/k/{key}.txt");
    }

    #[test]
    fn a_random_segment_becomes_its_fingerprint() {
        let mut out = String::new();
        path("/reset/Zx8Kq2LmP0vT9sWbR4yN7uEd", &Key::new([7; 32]), &mut out);
        assert!(out.starts_with("/reset/key:") && out.len() == "/reset/key:".len() + 16, "{out}");
    }

    #[test]
    fn a_token_by_its_place_goes() {
        let hex = "0123456789abcdef0123456789abcdef";
        let key = Key::new([7; 32]);
        let mut out = String::new();
        path(&format!("/reset/{hex}"), &key, &mut out);
        assert!(out.starts_with("/reset/key:"), "{out}");
        check(&format!("/files/{hex}"), &format!("/files/{hex}"));
        let check = |path: &str, expected: &str| {
            let mut out = String::new();
            assert_eq!(parameters(path, &mut out), path != expected, "{path}");
            assert!(path == expected || out == expected, "{path}: {out}");
        };
        check("/a;jsessionid=x;v=1/b;sid=y", "/a;jsessionid=REDACTED;v=1/b;sid=REDACTED");
        check("/cb#access_token=x&state=y", "/cb#access_token=REDACTED&state=REDACTED");
        check("/bot123456789:AAF-abcdefghijklmnop_1/send", "/bot123456789:REDACTED/send");
        check("//bob:hunter2@h/x", "//h/x");
        for path in ["/a;v=1", "/v1/a:b@c", "/bot123456789:REDACTED/send", "/a;sid=REDACTED"] {
            check(path, path);
        }
    }

    #[test]
    fn every_part_of_a_url_is_looked_at() {
        let check = |input: &str, expected: &str| {
            let mut out = String::new();
            let changed = url(input, &Key::new([7; 32]), true, &mut out);
            assert_eq!((out.as_str(), changed), (expected, input != expected));
        };
        check(
            "https://a.example/x?a=1&token=t#b",
            "https://a.example/x?a=1&token=REDACTED#REDACTED",
        );
        check("https://tok@a.example/jane@b.example", "https://{userinfo}@a.example/{email}");
        check("/cb;sid=x", "/cb;sid=REDACTED");
        check("https://a.example/cb#id_token=x", "https://a.example/cb#id_token=REDACTED");
        check("https://{userinfo}@a.example/{email}", "https://{userinfo}@a.example/{email}");
        check("urn:isbn:1", "urn:isbn:1");
        check("file:///a/b", "file:///a/b");
    }

    #[test]
    fn a_pseudonym_depends_on_tenant_kind_and_key() {
        let of = |key: u8, tenant, kind| {
            let mut out = String::new();
            Key::new([key; 32]).pseudonym(tenant, kind, "jane", &mut out);
            assert!(is_pseudonym(&out), "{out}");
            out
        };
        let all =
            [of(1, "a", "user"), of(2, "a", "user"), of(1, "b", "user"), of(1, "a", "client")];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(format!("{:?}", Key::new([9; 32])), "Key(..)");
    }
}

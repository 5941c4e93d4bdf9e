//! Detectors of secrets and personal data by the looks of a value.
//!
//! Each detector is set off by a byte that is rare in ordinary texts, so that a clean text costs one
//! table look-up per byte.

/// What was detected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Secret {
    Jwt,
    /// A provider's API key, or a private key.
    Key,
    Card,
    Email,
    /// User and password in a URL.
    Userinfo,
}

impl Secret {
    pub(super) const fn placeholder(self) -> &'static str {
        match self {
            Self::Jwt => "{jwt}",
            Self::Key => "{key}",
            Self::Card => "{card}",
            Self::Email => "{email}",
            Self::Userinfo => "{userinfo}",
        }
    }

    const fn is_credential(self) -> bool {
        matches!(self, Self::Jwt | Self::Key | Self::Userinfo)
    }
}

/// A detected value: bytes `from` up to `to`, both at ASCII characters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Hit {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) kind: Secret,
}

/// Bytes around a trigger that are looked at: hostile text must not make each trigger a long scan.
const LOOK_BYTES_MAX: usize = 320;

/// The bytes that set a detector off.
const TRIGGERS: [bool; 256] = table(b"0123456789@JKSz-_.%");
/// Those of credentials alone.
const CREDENTIAL_TRIGGERS: [bool; 256] = table(b"@JKSz-_.");
/// Those of keys and tokens, without what may hold them.
const KEY_TRIGGERS: [bool; 256] = table(b"JKSz-_.");

const fn table(triggers: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut index = 0;
    while index < triggers.len() {
        table[triggers[index] as usize] = true;
        index += 1;
    }
    table
}

/// The first detected value at or after `from`.
pub(super) fn next(text: &[u8], from: usize) -> Option<Hit> {
    scan(text, from, &TRIGGERS)
}

/// The first credential; nothing else is looked for.
pub(super) fn credential(text: &[u8]) -> Option<Hit> {
    let mut from = 0;
    loop {
        let hit = scan(text, from, &CREDENTIAL_TRIGGERS)?;
        if hit.kind.is_credential() {
            return Some(hit);
        }
        // An address may hold a key on either side of its `@`.
        let inside = text.get(..hit.to).and_then(|it| scan(it, hit.from, &KEY_TRIGGERS));
        if inside.is_some() {
            return inside;
        }
        from = hit.to;
    }
}

#[inline]
fn scan(text: &[u8], from: usize, triggers: &[bool; 256]) -> Option<Hit> {
    let mut at = from;
    loop {
        let skipped = text.get(at..)?.iter().position(|it| triggers[usize::from(*it)])?;
        at += skipped;
        let byte = *text.get(at)?;
        let previous = if at > from { text.get(at - 1).copied().unwrap_or(0) } else { 0 };
        // Ids are full of triggers: what the neighbour rules out is passed over at once.
        if byte.is_ascii_digit() {
            let run = digits(text.get(at..).unwrap_or_default());
            if !may_be_card(byte, previous, run) {
                at += run;
                continue;
            }
        } else if !may_be_secret(byte, previous, text.get(at + 1)) {
            at += 1;
            continue;
        }
        let before = text.get(from.max(at.saturating_sub(LOOK_BYTES_MAX))..at).unwrap_or_default();
        let after = text.get(at + 1..).unwrap_or_default();
        let hit = match byte {
            b'0'..=b'9' => {
                let run = digits(text.get(at..).unwrap_or_default());
                let hit = card(text, at, run);
                if hit.is_none() {
                    at += run;
                    continue;
                }
                hit
            }
            b'@' => address(before, at, after, at + 1),
            b'%' if after.starts_with(b"40") => {
                address(before, at, after.get(2..).unwrap_or_default(), at + 3)
            }
            b'J' if before.ends_with(b"ey") => jwt(at, after),
            _ => provider_key(byte, before, after, at),
        };
        if hit.is_some() {
            return hit;
        }
        at += 1;
    }
}

/// Whether a run of digits may begin a card's number, by the byte before it.
const fn may_be_card(first: u8, previous: u8, run: usize) -> bool {
    let is_start = !previous.is_ascii_alphanumeric() && previous != b'.';
    is_start && matches!(first, b'2'..=b'6') && (run == 4 || (run >= 13 && run <= 19))
}

/// Whether a trigger may be part of something secret, by its neighbours.
const fn may_be_secret(byte: u8, previous: u8, next: Option<&u8>) -> bool {
    match byte {
        b'@' => true,
        b'%' => matches!(next, Some(b'4')),
        b'J' => previous == b'y',
        b'K' => previous == b'A',
        b'S' => previous == b'A' || matches!(next, Some(b'G')),
        b'.' => previous == b'9',
        b'z' => previous == b'I',
        b'_' => {
            matches!(previous, b'p' | b'o' | b'u' | b's' | b'r' | b'k' | b'f' | b'm' | b'b')
        }
        b'-' => previous.is_ascii_lowercase() || matches!(next, Some(b'-')),
        _ => false,
    }
}

fn run(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|it| !is(*it)).unwrap_or(bytes.len())
}

fn run_back(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().rev().position(|it| !is(*it)).unwrap_or(bytes.len())
}

fn digits(bytes: &[u8]) -> usize {
    run(bytes, |it| it.is_ascii_digit())
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// `eyJ…`, a dot, and more; or a long run without a dot.
fn jwt(at: usize, after: &[u8]) -> Option<Hit> {
    let header = run(after, is_token);
    let body = after.get(header..).unwrap_or_default();
    let dotted = body.strip_prefix(b".").map_or(0, |body| run(body, is_token));
    if (header < 2 || dotted == 0) && header < 32 {
        return None;
    }
    let length = run(after, |it| is_token(it) || it == b'.');
    Some(Hit { from: at - 2, to: at + 1 + length, kind: Secret::Jwt })
}

/// Keys that providers mark with a prefix.
fn provider_key(byte: u8, before: &[u8], rest: &[u8], at: usize) -> Option<Hit> {
    let after = rest.get(..LOOK_BYTES_MAX).unwrap_or(rest);
    let (prefix, length, digits_min) = match byte {
        // AKIA and ASIA, then 16 capitals and digits.
        b'K' | b'S' if before.ends_with(b"A") && after.starts_with(b"IA") => {
            let length = run(after, |it| it.is_ascii_uppercase() || it.is_ascii_digit());
            if length < 2 + 12 {
                return None;
            }
            (1, length, 0)
        }
        b'z' if before.ends_with(b"AI") && after.starts_with(b"a") => (2, run(after, is_token), 1),
        b'-' if before.ends_with(b"glpat") => (5, run(after, is_token), 1),
        b'-' if before.ends_with(b"sk") => (2, run(after, is_token), 1),
        b'_' if matches!(before, [.., b'g', b'h', b'p' | b'o' | b'u' | b's' | b'r']) => {
            (3, run(after, |it| it.is_ascii_alphanumeric()), 1)
        }
        b'-' if matches!(before, [.., b'x', b'o', b'x', b'a'..=b'z']) => {
            (4, run(after, is_token), 1)
        }
        b'_' if before.ends_with(b"github") && after.starts_with(b"pat_") => {
            (6, run(after, is_token), 1)
        }
        b'_' if matches!(before, [.., b's' | b'r' | b'p', b'k'])
            && (after.starts_with(b"live_") || after.starts_with(b"test_")) =>
        {
            (2, run(after, is_token), 1)
        }
        b'_' if before.ends_with(b"hf") => {
            (2, long(run(after, |it| it.is_ascii_alphanumeric()))?, 1)
        }
        b'_' if before.ends_with(b"npm") => {
            (3, long(run(after, |it| it.is_ascii_alphanumeric()))?, 1)
        }
        b'S' if after.starts_with(b"G.") => {
            (0, long(run(after, |it| is_token(it) || it == b'.'))?, 1)
        }
        b'.' if before.ends_with(b"ya29") => (4, run(after, |it| is_token(it) || it == b'.'), 1),
        b'-' if after.starts_with(b"----BEGIN") => (0, rest.len(), 0),
        _ => return None,
    };
    let is_word = before.len() > prefix
        && before.get(before.len() - prefix - 1).is_some_and(u8::is_ascii_alphanumeric);
    let value = rest.get(..length)?;
    let found = value.iter().filter(|it| it.is_ascii_digit()).count();
    if is_word || length < 12 || found < digits_min {
        return None;
    }
    Some(Hit { from: at - prefix, to: at + 1 + length, kind: Secret::Key })
}

/// A length that a key has whose prefix may be a word's.
fn long(length: usize) -> Option<usize> {
    (length >= 24).then_some(length)
}

/// 13 to 19 digits, also in groups of four, that pass Luhn's test and begin like a payment card.
///
/// The run of digits at `at` may begin one, as [`may_be_card`] says.
fn card(text: &[u8], at: usize, run: usize) -> Option<Hit> {
    let mut to = at + run;
    if run == 4 {
        for _ in 0..3 {
            let group = text.get(to..)?;
            if !matches!(group.first(), Some(b' ' | b'-' | b'+')) {
                return None;
            }
            let length = digits(group.get(1..)?);
            if !(1..=4).contains(&length) {
                return None;
            }
            to += 1 + length;
        }
    }
    let number = text.get(at..to)?;
    let count = number.iter().filter(|it| it.is_ascii_digit()).count();
    let ends = !text.get(to).is_some_and(u8::is_ascii_alphanumeric);
    (ends && (13..=19).contains(&count) && luhn(number)).then_some(Hit {
        from: at,
        to,
        kind: Secret::Card,
    })
}

fn luhn(number: &[u8]) -> bool {
    let digits =
        number.iter().rev().filter(|it| it.is_ascii_digit()).map(|it| u32::from(it - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(index, digit)| match (index % 2, digit * 2) {
            (0, _) => digit,
            (_, doubled @ 10..) => doubled - 9,
            (_, doubled) => doubled,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// An e-mail address, or the user and password of a URL, around an `@`.
fn address(before: &[u8], at: usize, after: &[u8], after_at: usize) -> Option<Hit> {
    let after = after.get(..LOOK_BYTES_MAX).unwrap_or(after);
    let authority =
        run_back(before, |it| it.is_ascii_graphic() && !matches!(it, b'/' | b'?' | b'#'));
    let user = before.get(before.len() - authority..)?;
    if before.get(..before.len() - authority)?.ends_with(b"://") && user.contains(&b':') {
        return Some(Hit { from: at - authority, to: at, kind: Secret::Userinfo });
    }
    let local = run_back(before, |it| it.is_ascii_alphanumeric() || b"._%+-".contains(&it));
    let domain = run(after, |it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-'));
    let domain = after.get(..domain)?.trim_ascii_end();
    let domain = domain.strip_suffix(b".").unwrap_or(domain);
    let dot = domain.iter().rposition(|it| *it == b'.')?;
    let top = domain.get(dot + 1..)?;
    // `logo@2x.png` is a file name.
    let is_scale = matches!(domain, [b'1'..=b'4', b'x', b'.', ..]);
    let is_mail = local > 0
        && dot > 0
        && !is_scale
        && top.len() >= 2
        && top.iter().all(u8::is_ascii_alphabetic);
    let to = after_at + domain.len();
    is_mail.then_some(Hit { from: at - local, to, kind: Secret::Email })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let mut out = String::new();
        super::super::text(input, &mut out);
        assert_eq!(out, expected, "{input}");
    }

    #[test]
    fn secrets_are_found_wherever_they_stand() {
        check("a eyJhbGciOi.J.x b", "a {jwt} b");
        check("key AKIAIOSFODNN7EXAMPLE.", "key {key}.");
        check("AIzaSyA1234567890abcdefghijklmnopqrstuvw", "{key}");
        check("sk-proj-abc123def456ghi789 x", "{key} x");
        check("t=ghp_16C7e42F292c6912E7710c838347Ae178B4a", "t={key}");
        check("xoxb-123456789012-abcdef", "{key}");
        check("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "{key}");
        check("card 4111 1111 1111 1111 and 4111111111111111", "card {card} and {card}");
        check("mail jane.doe+x@mail.example.com, jane%40example.com", "mail {email}, {email}");
        check("https://bob:hunter2@example.com/x", "https://{userinfo}@example.com/x");
    }

    #[test]
    fn keys_of_more_providers_are_found() {
        let long = "0aA1bB2cC3dD4eE5fF6gG7hH8iI9jJkKlL0m";
        for prefix in [
            "sk_live_",
            "rk_test_",
            "pk_live_",
            "github_pat_11AA_",
            "glpat-",
            "hf_",
            "npm_",
            "ya29.",
        ] {
            check(&format!("k={prefix}{long} x"), "k={key} x");
        }
        check("SG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf", "{key}");
        for text in [
            "npm_config_cache_1234",
            "MSG.a1b2c3d4e5f6a7b8c9d0e1f2a3",
            "self_1234567890123",
            "29.1234567890123456",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn a_key_in_an_address_is_a_credential() {
        for text in ["a@sk-proj-abc123def456.com", "ghp_16C7e42F292c6912E77@example.com"] {
            assert!(credential(text.as_bytes()).is_some(), "{text}");
        }
        assert!(credential(b"jane.doe-smith@mail-1.example.com").is_none());
    }

    #[test]
    fn ordinary_texts_stay() {
        for text in [
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
            "/task-force-2024-report/sk-learn/logo@2x.png",
            "3f9a6c1e-4111-4000-8000-0123456789ab",
            "1773113819123",
            "1234567890123456",
            "/@scope/package@1.2.3",
            "KEYJ eyJ eyJ.",
        ] {
            check(text, text);
        }
    }

    #[test]
    fn many_triggers_cost_no_more_than_a_scan() {
        // Each of these would be quadratic with a careless look-behind.
        for unit in ["@", "a@", "%40", "eyJ", "4111 ", "sk-", "1-"] {
            let text = unit.repeat(20_000);
            assert!(next(text.as_bytes(), text.len() - 8).is_none() || !unit.is_empty());
        }
    }
}

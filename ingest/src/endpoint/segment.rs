//! What one path segment is: a word of the API, or a value of a known type.

use super::seen::{
    self, AT, BRACE, COLON, COMMA, CONTROL, DASH, DIGIT, DOT, LOWER, OTHER, PERCENT, PLUS,
    UNDERSCORE, UPPER, WIDE,
};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Bytes of a segment that may still be a word; a longer one is a value.
const LITERAL_BYTES_MAX: usize = 128;
/// Bytes that a token has at least.
const TOKEN_BYTES_MIN: usize = 16;
/// Bytes of a token that are looked at: entropy does not change beyond.
const TOKEN_BYTES_READ_MAX: usize = 256;
/// Bits per byte above which a segment is no word.
const TOKEN_ENTROPY_MIN: f32 = 3.5;
/// Digits that a run of hexadecimal digits has at least.
const HEX_DIGITS_MIN: usize = 7;
/// Digits at a slug's end that make it a value: `post-123`, but not `oauth-2`.
const SLUG_DIGITS_MIN: usize = 3;

/// What a path segment is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SegmentKind {
    /// A word of the API.
    Literal,
    /// `v1`, `v2.3`: kept as a word.
    Version,
    /// 8-4-4-4-12 hexadecimal digits.
    Uuid,
    /// ASCII digits only.
    Int,
    /// `2024-02`, `2024-02-29`, with or without a time of day.
    Date,
    /// 26 characters of Crockford's alphabet.
    Ulid,
    /// At least seven hexadecimal digits, a decimal and an alphabetic one among them.
    Hex,
    /// A JSON web token: a secret.
    Jwt,
    /// An e-mail address: personal.
    Email,
    /// An IP address.
    Ip,
    /// A telephone number in the international form: personal.
    Phone,
    /// A signed or decimal number.
    Num,
    /// Values with commas between them.
    List,
    /// `usr_8f3k2q`: a short prefix and a value.
    PrefixedId,
    /// Something random: perhaps a secret.
    Token,
    /// Words with a number at their end.
    Slug,
    /// Bytes that are no text: broken escapes, control characters.
    Invalid,
}

impl SegmentKind {
    /// What stands for such a segment in a template; empty for those that stand for themselves.
    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::Literal | Self::Version => "",
            Self::Uuid => "{uuid}",
            Self::Int => "{int}",
            Self::Date => "{date}",
            Self::Ulid => "{ulid}",
            Self::Hex => "{hex}",
            Self::Jwt => "{jwt}",
            Self::Email => "{email}",
            Self::Ip => "{ip}",
            Self::Phone => "{phone}",
            Self::Num => "{num}",
            Self::List => "{list}",
            Self::PrefixedId => "{id}",
            Self::Token => "{token}",
            Self::Slug => "{slug}",
            Self::Invalid => "{invalid}",
        }
    }

    /// Whether such a segment is the value of a parameter.
    pub const fn is_parameter(self) -> bool {
        !matches!(self, Self::Literal | Self::Version | Self::Invalid)
    }
}

/// What a percent-decoded segment is.
pub fn classify(segment: &str) -> SegmentKind {
    classify_seen(segment, seen::of(segment))
}

/// What a segment is whose classes of bytes are known.
pub(super) fn classify_seen(segment: &str, seen: u16) -> SegmentKind {
    // Most segments are words or numbers; the rest of this function is for the others.
    if seen & !(LOWER | UPPER | DASH | UNDERSCORE) == 0 && segment.len() < TOKEN_BYTES_MIN {
        return SegmentKind::Literal;
    }
    if seen == DIGIT {
        return SegmentKind::Int;
    }
    if is_invalid(segment, seen) {
        return SegmentKind::Invalid;
    }
    if seen & BRACE != 0
        && let Some(inner) = braced(segment)
    {
        // A placeholder is a word: the template of a template is itself.
        return if is_uuid(inner) { SegmentKind::Uuid } else { SegmentKind::Literal };
    }
    let kind = if seen & DIGIT == 0 { without_digits(segment, seen) } else { typed(segment, seen) };
    if kind == SegmentKind::Literal && segment.len() > LITERAL_BYTES_MAX {
        return SegmentKind::Token;
    }
    kind
}

fn without_digits(segment: &str, seen: u16) -> SegmentKind {
    if seen & AT != 0 && is_email(segment) {
        SegmentKind::Email
    } else if seen & DOT != 0 && is_jwt(segment) {
        SegmentKind::Jwt
    } else if seen & COLON != 0 && is_ip(segment, seen) {
        SegmentKind::Ip
    } else if is_token(segment, seen) {
        SegmentKind::Token
    } else {
        SegmentKind::Literal
    }
}

/// A kind of value with a digit in it: the classes of which it has one or more, the classes
/// outside which it has none, and the check itself.
type Check = (u16, u16, fn(&str, u16) -> bool, SegmentKind);

const ANY: u16 = u16::MAX;
const WORD: u16 = LOWER | UPPER | DIGIT;

/// In the order in which they are tried.
static CHECKS: [Check; 15] = [
    (LOWER | UPPER, WORD | DOT, |it, _| is_version(it), SegmentKind::Version),
    (DASH, WORD | DASH | COLON, |it, _| is_uuid(it), SegmentKind::Uuid),
    (DASH, WORD | DASH | COLON | DOT | PLUS, |it, _| is_date(it), SegmentKind::Date),
    (LOWER | UPPER, WORD, is_ulid, SegmentKind::Ulid),
    (LOWER | UPPER, WORD, |it, _| is_hex(it), SegmentKind::Hex),
    (DOT, ANY, |it, _| is_jwt(it), SegmentKind::Jwt),
    (AT, ANY, |it, _| is_email(it), SegmentKind::Email),
    (DOT | COLON, ANY, is_ip, SegmentKind::Ip),
    (PLUS, ANY, |it, _| is_phone(it), SegmentKind::Phone),
    (DIGIT, DIGIT | DOT | DASH | PLUS, |it, _| is_number(it), SegmentKind::Num),
    (COMMA, ANY, |it, _| is_list(it), SegmentKind::List),
    (UPPER | DASH | UNDERSCORE, WORD | DASH | UNDERSCORE, |it, _| is_key(it), SegmentKind::Token),
    (DASH | UNDERSCORE, ANY, |it, _| is_prefixed_id(it), SegmentKind::PrefixedId),
    (ANY, WORD | DASH | UNDERSCORE | PLUS | OTHER, is_token, SegmentKind::Token),
    (DASH | UNDERSCORE, ANY, |it, _| is_slug(it), SegmentKind::Slug),
];

fn typed(segment: &str, seen: u16) -> SegmentKind {
    CHECKS
        .iter()
        .find(|(one_of, within, is, _)| {
            seen & one_of != 0 && seen & !within == 0 && is(segment, seen)
        })
        .map_or(SegmentKind::Literal, |(.., kind)| *kind)
}

/// Whether a segment has control characters, what stood for bytes that are not UTF-8, or an escape
/// that decoding leaves only if it is broken (`%2F` and `%25` are left on purpose).
fn is_invalid(segment: &str, seen: u16) -> bool {
    let escape_is_broken = |rest: &str| !matches!(rest.get(..2), Some("2F" | "2f" | "25"));
    seen & CONTROL != 0
        || (seen & PERCENT != 0 && segment.split('%').skip(1).any(escape_is_broken))
        || (seen & WIDE != 0 && segment.contains(char::REPLACEMENT_CHARACTER))
}

fn braced(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn all(text: &str, is: impl Fn(&u8) -> bool) -> bool {
    !text.is_empty() && text.as_bytes().iter().all(is)
}

fn is_version(segment: &str) -> bool {
    let Some(numbers) = segment.strip_prefix(['v', 'V']) else { return false };
    let mut parts = numbers.split('.');
    parts.next().is_some_and(|major| major.len() <= 3 && all(major, u8::is_ascii_digit))
        && parts.all(|part| part.len() <= 6 && all(part, u8::is_ascii_digit))
}

fn is_uuid(segment: &str) -> bool {
    let uuid = segment.strip_prefix("urn:uuid:").unwrap_or(segment).as_bytes();
    uuid.len() == 36
        && uuid.iter().enumerate().all(|(n, byte)| match n {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `yyyy-mm` or `yyyy-mm-dd`, and the latter with a time of day after a `T`.
fn is_date(segment: &str) -> bool {
    let (date, clock) = segment.split_once('T').map_or((segment, None), |(d, t)| (d, Some(t)));
    let mut parts = date.split('-');
    let mut within = |len: usize, from: u32, to: u32| {
        parts.next().is_some_and(|part| {
            part.len() == len
                && all(part, u8::is_ascii_digit)
                && part.parse().is_ok_and(|number: u32| (from..=to).contains(&number))
        })
    };
    let year_and_month = within(4, 1900, 2199) && within(2, 1, 12);
    let clock_is = |text: &str| {
        text.len() <= 24
            && all(text, |byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'Z' | b'+'))
    };
    match (date.len(), clock) {
        (7, None) => year_and_month,
        (10, None) => year_and_month && within(2, 1, 31),
        (10, Some(text)) => year_and_month && within(2, 1, 31) && clock_is(text),
        _ => false,
    }
}

fn is_ulid(segment: &str, seen: u16) -> bool {
    segment.len() == 26
        && seen & (LOWER | UPPER) != LOWER | UPPER
        && matches!(segment.as_bytes().first(), Some(b'0'..=b'7'))
        && all(segment, |byte| !matches!(byte.to_ascii_lowercase(), b'i' | b'l' | b'o' | b'u'))
}

/// `facade` and `deadbeef` are words, so a decimal digit is asked for.
fn is_hex(segment: &str) -> bool {
    let digits = segment.strip_prefix("0x").unwrap_or(segment);
    digits.len() >= HEX_DIGITS_MIN
        && all(digits, u8::is_ascii_hexdigit)
        && digits.bytes().any(|byte| byte.is_ascii_digit())
}

const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Three parts signed, five encrypted; the header is a JSON object, so it starts with `{"`.
fn is_jwt(segment: &str) -> bool {
    segment.starts_with("eyJ")
        && matches!(segment.split('.').count(), 3 | 5)
        && all(segment, |byte| is_base64url(*byte) || *byte == b'.')
}

fn is_email(segment: &str) -> bool {
    segment.rsplit_once('@').is_some_and(|(local, domain)| {
        let label = |label: &str| all(label, |byte| is_base64url(*byte) || *byte >= 0x80);
        !local.is_empty() && domain.contains('.') && domain.split('.').all(label)
    })
}

fn is_ip(segment: &str, seen: u16) -> bool {
    if seen & COLON == 0 {
        seen == DIGIT | DOT && segment.parse::<Ipv4Addr>().is_ok()
    } else {
        segment.parse::<Ipv6Addr>().is_ok()
    }
}

fn is_phone(segment: &str) -> bool {
    segment.strip_prefix('+').is_some_and(|number| {
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        (7..=15).contains(&digits)
            && all(number, |byte| {
                byte.is_ascii_digit() || matches!(byte, b' ' | b'-' | b'(' | b')')
            })
    })
}

fn is_number(segment: &str) -> bool {
    let unsigned = segment.strip_prefix(['-', '+']).unwrap_or(segment);
    let (whole, decimals) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    all(whole, u8::is_ascii_digit) && all(decimals, u8::is_ascii_digit)
}

fn is_list(segment: &str) -> bool {
    // The pieces have no comma, so this goes one level deep.
    segment.split(',').all(|piece| classify(piece).is_parameter())
}

/// How often letters and digits alternate: often in random text, once in `base64`, twice in
/// `scale11x`.
fn alternations(text: &str) -> usize {
    let alternate = |pair: &&[u8]| {
        let is_alphanumeric = pair.iter().all(u8::is_ascii_alphanumeric);
        is_alphanumeric && pair[0].is_ascii_digit() != pair[1].is_ascii_digit()
    };
    text.as_bytes().windows(2).filter(alternate).count()
}

/// A piece of a segment that no word has: many digits, or letters and digits mixed.
fn is_value(piece: &str) -> bool {
    let digits = piece.bytes().filter(u8::is_ascii_digit).count();
    all(piece, u8::is_ascii_alphanumeric)
        && ((digits >= SLUG_DIGITS_MIN && digits == piece.len())
            || is_hex(piece)
            || (piece.len() >= 6 && digits >= 2 && alternations(piece) >= 3)
            || (piece.len() >= 12 && alternations(piece) >= 2))
}

/// `usr_8f3k2q`, `sk_live_4eC39H`, `k_17`, `ORD-8F3K2Q`, `i-0abcd1234`.
fn is_prefixed_id(segment: &str) -> bool {
    let Some((prefix, value)) = segment.rsplit_once(['_', '-']) else { return false };
    let underscored = segment.as_bytes().get(prefix.len()) == Some(&b'_');
    let numbered = underscored && prefix.len() <= 4 && all(value, u8::is_ascii_digit);
    prefix.len() <= 12
        && all(prefix, |byte| byte.is_ascii_alphabetic() || (underscored && *byte == b'_'))
        && (numbered || (is_value(value) && (underscored || !all(value, u8::is_ascii_digit))))
}

/// Words of which a later one is no word: `red-shoes-12345`, `web-5d4f8c7b9-x2x7k`.
fn is_slug(segment: &str) -> bool {
    segment.split(['-', '_']).skip(1).any(is_value) && !is_locale(segment)
}

/// Locales that end with a region's number.
fn is_locale(segment: &str) -> bool {
    segment.len() == 6
        && matches!(segment.get(2..), Some("-001" | "-150" | "-419"))
        && all(segment.get(..2).unwrap_or_default(), u8::is_ascii_lowercase)
}

/// Prefixes by which the keys of well-known services are told apart.
const KEY_PREFIXES: [&str; 14] = [
    "AKIA", "ASIA", "AIza", "sk-", "sk_", "rk_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "xoxb-",
    "xoxp-", "eyJ",
];

fn is_key(segment: &str) -> bool {
    segment.len() >= TOKEN_BYTES_MIN
        && KEY_PREFIXES.iter().any(|prefix| segment.starts_with(prefix))
}

fn is_token(segment: &str, seen: u16) -> bool {
    if segment.len() < TOKEN_BYTES_MIN
        || !all(segment, |byte| is_base64url(*byte) || matches!(byte, b'+' | b'=' | b'~'))
    {
        return false;
    }
    let bytes = segment.as_bytes().get(..TOKEN_BYTES_READ_MAX).unwrap_or(segment.as_bytes());
    // How often a letter or digit follows one of another class: `getUserDetails` does it less than
    // once in three bytes, random text about twice in three.
    let changes = bytes
        .windows(2)
        .filter(|pair| {
            let [a, b] = [pair[0], pair[1]].map(|byte| seen::CLASS[byte as usize]);
            a != b && (a | b) & !WORD == 0
        })
        .count();
    let restless = match seen & WORD {
        set if set == WORD => changes * 3 >= bytes.len() && alternations(segment) >= 2,
        set if set == LOWER | UPPER => changes * 2 >= bytes.len(),
        set if set & DIGIT != 0 && set != DIGIT => changes * 4 >= bytes.len(),
        _ => false,
    };
    restless && entropy(bytes) > TOKEN_ENTROPY_MIN
}

/// Shannon's entropy of some bytes, in bits per byte.
fn entropy(bytes: &[u8]) -> f32 {
    let mut counts = [0_u16; 256];
    for byte in bytes {
        counts[*byte as usize] += 1;
    }
    let len = bytes.len() as f32;
    let bits = |count: &u16| f32::from(*count) * (len / f32::from(*count)).log2();
    counts.iter().filter(|count| **count > 0).map(bits).sum::<f32>() / len
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: SegmentKind, segments: &[&str]) {
        for segment in segments {
            assert_eq!(classify(segment), kind, "{segment}");
        }
    }

    #[test]
    fn a_word_is_kept_even_when_it_has_a_digit() {
        let words = [
            "",
            "me",
            "orders",
            "how-to-cook-rice",
            "base64",
            "oauth2",
            "sha-25",
            "us-central1",
            "us-east-1",
            "es-419",
            "facade",
            "deadbeef",
            "v1beta1",
            "utf-8",
            "@jane",
            "café",
            "getUserAccountDetailsV2",
            "oauth2TokenExchangeGrant",
            "logstash-scale11x",
            "icon-120x120",
            "{int}",
            "{anything}",
            "aVeryLongButReadableOperationName",
            "a%2Fb",
            "12a",
        ];
        check(SegmentKind::Literal, &words);
        check(SegmentKind::Version, &["v1", "v12", "V2", "v1.2.3"]);
    }

    #[test]
    fn a_value_is_known_by_its_looks() {
        use SegmentKind as Is;
        check(Is::Uuid, &["2461685a-80c9-4d9e-85e9-a3b0e9e3ea84"]);
        check(Is::Uuid, &["urn:uuid:2461685a-80c9-4d9e-85e9-a3b0e9e3ea84"]);
        check(Is::Int, &["0", "007", "99999999999999999999999999"]);
        check(Is::Date, &["2024-01", "2024-02-29", "2024-02-29T10:00:00.5Z"]);
        check(Is::Ulid, &["01ARZ3NDEKTSV4RRFFQ69G5FAV", "01arz3ndektsv4rrffq69g5fav"]);
        check(Is::Hex, &["507f1f77bcf86cd799439011", "0x1234abcd", "1e9abcd"]);
        check(Is::Ip, &["203.0.113.9", "::1", "2001:db8::2:1"]);
        check(Is::Num, &["12.50", "-5", "-33.86", "+1"]);
        check(Is::List, &["1,2,3", "-33.86,151.2", "usr_1,usr_2"]);
        check(Is::PrefixedId, &["usr_8f3k2q", "cus_9s6XKzkNRiz8i3", "k_17", "i-0abcd1234"]);
        check(Is::Slug, &["red-shoes-12345", "my-web-5d4f8c7", "post-123", "report_2024-10"]);
    }

    #[test]
    fn a_secret_or_a_personal_value_is_never_a_word() {
        use SegmentKind as Is;
        check(Is::Jwt, &["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "eyJhbGciOiJub25lIn0.eyJ9."]);
        check(Is::Email, &["jane.doe@example.com", "o'neil+x@mail.example.org", "a@b@c.example"]);
        check(Is::Phone, &["+6421555123", "+64 21 555-123"]);
        check(Is::Token, &["dGhpcyBpcyBhIHRva2Vu", "AKIAIOSFODNN7EXAMPLE", "sk_live_4eC39HqLyj"]);
        check(Is::Token, &["k3jx4h5wq9p2m7d1z8", &"long".repeat(40)]);
    }

    #[test]
    fn bytes_that_are_no_text_are_invalid() {
        check(
            SegmentKind::Invalid,
            &["%2e%2e", "100%", "a\u{0}b", "a\u{fffd}b", "%c0%af", "\u{7f}"],
        );
    }

    #[test]
    fn a_number_that_the_calendar_has_not_is_no_date() {
        check(SegmentKind::Slug, &["1024-768", "2024-133", "a-2024-13"]);
        check(SegmentKind::Literal, &["2024-13"]);
    }
}

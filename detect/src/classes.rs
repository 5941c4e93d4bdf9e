//! What names say: whether an endpoint or a resource is secret, sensitive, a way out or privileged.
//!
//! A name is looked at once, when its endpoint is first seen: whoever asks later looks up a number.

use crate::settings::SettingsError;
use model::{EndpointId, Endpoints};
use serde::{Deserialize, Serialize};

/// Patterns of one class.
const PATTERNS_MAX: usize = 256;
/// Words of one pattern.
const PATTERN_WORDS_MAX: usize = 3;
/// Bytes of one pattern.
const PATTERN_BYTES_MAX: usize = 64;
/// Words of one segment of a path: a longer one is a title, and a title may be about anything.
const SEGMENT_WORDS_MAX: usize = 3;
/// Words of one part of an operation's name.
const PART_WORDS_MAX: usize = 8;
/// Parts of a page, whatever they are called.
const ASSETS: [&str; 17] = [
    "css", "gif", "htm", "html", "ico", "jpeg", "jpg", "js", "map", "mjs", "png", "svg", "ttf",
    "webp", "woff", "woff2", "xhtml",
];
/// Words of an operation that reads.
const READING: [&str; 20] = [
    "access", "decrypt", "describe", "download", "dump", "export", "fetch", "find", "get", "list",
    "load", "lookup", "open", "query", "read", "retrieve", "reveal", "search", "show", "view",
];

/// What a name may say, by patterns: whole words of a path, an operation, a tool or a resource.
///
/// A pattern is one to three words that follow each other in one segment, without regard to case or
/// to what is between them: `api keys` is in `/api-keys`, in `/apiKeys` and in `list_api_keys`. A
/// leading dot belongs to the word, as in `.env`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Classes {
    /// Credentials and keys, and what holds them.
    pub secret: Vec<String>,
    /// What is about people or must stay inside.
    pub sensitive: Vec<String>,
    /// Ways out: messages, uploads, callbacks.
    pub egress: Vec<String>,
    /// Administration, access and bulk.
    pub privileged: Vec<String>,
}

/// The patterns of `secret`, unless the configuration has others.
const SECRET: [&str; 42] = [
    ".aws",
    ".env",
    ".htpasswd",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".ssh",
    "access key",
    "access keys",
    "access token",
    "access tokens",
    "api key",
    "api keys",
    "apikey",
    "apikeys",
    "credential",
    "credentials",
    "creds",
    "encryption key",
    "encryption keys",
    "htpasswd",
    "id ecdsa",
    "id ed25519",
    "id rsa",
    "keystore",
    "keyvault",
    "kubeconfig",
    "kv",
    "passwords",
    "pem",
    "pfx",
    "private key",
    "private keys",
    "secret",
    "secrets",
    "signing key",
    "signing keys",
    "ssh key",
    "ssh keys",
    "token",
    "tokens",
    "vault",
];
/// The patterns of `sensitive`, unless the configuration has others.
const SENSITIVE: [&str; 27] = [
    "confidential",
    "diagnoses",
    "diagnosis",
    "employee",
    "employees",
    "health record",
    "health records",
    "hr",
    "inbox",
    "legal",
    "mailbox",
    "medical",
    "passport",
    "passports",
    "patient",
    "patients",
    "payroll",
    "personal data",
    "pii",
    "prescriptions",
    "private",
    "salaries",
    "salary",
    "ssn",
    "tax",
    "taxes",
    "transcripts",
];
/// The patterns of `egress`, unless the configuration has others.
const EGRESS: [&str; 24] = [
    "callback",
    "callbacks",
    "email",
    "emails",
    "forward",
    "hooks",
    "mail",
    "navigate",
    "outbound",
    "post message",
    "publish",
    "relay",
    "send",
    "share",
    "shares",
    "slack",
    "sms",
    "tweet",
    "upload",
    "uploads",
    "web fetch",
    "webhook",
    "webhooks",
    "write file",
];
/// The patterns of `privileged`, unless the configuration has others.
const PRIVILEGED: [&str; 20] = [
    "admin",
    "admins",
    "apikey",
    "apikeys",
    "backup",
    "backups",
    "credential",
    "credentials",
    "dump",
    "export",
    "exports",
    "grants",
    "permission",
    "permissions",
    "policies",
    "role",
    "roles",
    "secret",
    "secrets",
    "tokens",
];

impl Default for Classes {
    fn default() -> Self {
        let of = |words: &[&str]| words.iter().map(|&it| it.to_owned()).collect();
        Self {
            secret: of(&SECRET),
            sensitive: of(&SENSITIVE),
            egress: of(&EGRESS),
            privileged: of(&PRIVILEGED),
        }
    }
}

/// What a name can be, one bit each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Class {
    Secret = 1,
    Sensitive = 1 << 1,
    Egress = 1 << 2,
    Privileged = 1 << 3,
}

/// The bit that says that an operation reads.
const READS: u8 = 1 << 7;

/// What one name says.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Marks(u8);

impl Marks {
    pub(crate) const fn has(self, class: Class) -> bool {
        self.0 & class as u8 != 0
    }

    /// Whether it is called to read: GET, a log without methods, or a word such as `get` or `reveal`.
    pub(crate) const fn reads(self) -> bool {
        self.0 & READS != 0
    }
}

/// One pattern: words that follow each other.
#[derive(Clone, Debug, PartialEq)]
struct Pattern {
    words: Box<[Box<str>]>,
    class: Class,
}

/// The patterns of all classes, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Patterns(Box<[Pattern]>);

impl Classes {
    /// Checks the patterns.
    pub(crate) fn check(&self) -> Result<Patterns, SettingsError> {
        let Self { secret, sensitive, egress, privileged } = self;
        let mut all = Vec::new();
        for (name, class, patterns) in [
            ("secret", Class::Secret, secret),
            ("sensitive", Class::Sensitive, sensitive),
            ("egress", Class::Egress, egress),
            ("privileged", Class::Privileged, privileged),
        ] {
            if patterns.len() > PATTERNS_MAX {
                return Err(SettingsError::TooManyPatterns {
                    class: name,
                    count: patterns.len(),
                    max: PATTERNS_MAX,
                });
            }
            for pattern in patterns {
                let words = Words::of(pattern);
                let is_sound = pattern.len() <= PATTERN_BYTES_MAX
                    && !pattern.contains(['/', '{', '}'])
                    && (1..=PATTERN_WORDS_MAX).contains(&words.len())
                    && !words.is_cut;
                if !is_sound {
                    let pattern = pattern.chars().take(PATTERN_BYTES_MAX).collect();
                    return Err(SettingsError::BadPattern { class: name, pattern });
                }
                let words = words.kept().iter().map(|&it| it.into()).collect();
                all.push(Pattern { words, class });
            }
        }
        Ok(Patterns(all.into()))
    }
}

impl Patterns {
    /// What an endpoint's name says.
    pub(crate) fn of_endpoint(&self, name: &str) -> Marks {
        let http = name.split_once(' ').filter(|(method, path)| {
            path.starts_with('/') && !method.bytes().any(|byte| byte.is_ascii_lowercase())
        });
        let Some((method, path)) = http else { return self.of_operation(name) };
        let last = Words::of(path.rsplit('/').next().unwrap_or_default());
        let reads = matches!(method, "GET" | "-") || (method == "POST" && last.has_any(&READING));
        Marks(self.of_segments(path) | if reads { READS } else { 0 })
    }

    /// What a resource's URI says.
    pub(crate) fn of_resource(&self, uri: &str) -> Marks {
        Marks(self.of_segments(uri.split(['?', '#']).next().unwrap_or_default()))
    }

    fn of_segments(&self, path: &str) -> u8 {
        let is_asset = |segment: &str| {
            let extension = segment.rsplit_once('.').map(|(_, extension)| extension);
            extension.is_some_and(|it| ASSETS.iter().any(|asset| it.eq_ignore_ascii_case(asset)))
        };
        let segments = path.split('/').filter(|segment| !is_asset(segment)).map(Words::of);
        let short = segments.filter(|words| words.len() <= SEGMENT_WORDS_MAX);
        short.fold(0, |bits, words| bits | self.of_words(&words))
    }

    fn of_operation(&self, name: &str) -> Marks {
        let parts = name.split([' ', '/', '.', ':', '#']).map(Words::of);
        parts.fold(Marks::default(), |marks, words| {
            let reads = if words.has_any(&READING) { READS } else { 0 };
            Marks(marks.0 | reads | self.of_words(&words))
        })
    }

    fn of_words(&self, words: &Words<'_>) -> u8 {
        let is_at = |pattern: &&Pattern| {
            words.kept().windows(pattern.words.len()).any(|window| {
                window.iter().zip(&pattern.words).all(|(a, b)| a.eq_ignore_ascii_case(b))
            })
        };
        self.0.iter().filter(is_at).fold(0, |bits, pattern| bits | pattern.class as u8)
    }
}

/// The words of one part of a name: runs of letters and digits, `camelCase` taken apart. What stands
/// in braces is no word, and nothing follows across it.
#[derive(Debug)]
struct Words<'a> {
    slots: [&'a str; PART_WORDS_MAX],
    len: usize,
    /// There are more words than are kept.
    is_cut: bool,
}

impl<'a> Words<'a> {
    fn of(part: &'a str) -> Self {
        let mut found = Self { slots: [""; PART_WORDS_MAX], len: 0, is_cut: false };
        let (mut start, mut before, mut in_braces) = (None, ' ', false);
        let mut chars = part.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if in_braces {
                in_braces = c != '}';
                continue;
            }
            let is_word = c.is_alphanumeric() || (c == '.' && at == 0);
            let is_last_capital = chars.peek().is_some_and(|(_, next)| next.is_lowercase());
            let is_hump = c.is_uppercase()
                && (before.is_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_uppercase() && is_last_capital));
            if (!is_word || is_hump)
                && let Some(start) = start.take()
            {
                found.push(part.get(start..at));
            }
            if is_word {
                start.get_or_insert(at);
            }
            if c == '{' {
                found.push(Some(""));
                in_braces = true;
            }
            before = c;
        }
        if let Some(start) = start {
            found.push(part.get(start..));
        }
        found
    }

    fn push(&mut self, word: Option<&'a str>) {
        match self.slots.get_mut(self.len) {
            Some(slot) => {
                *slot = word.unwrap_or_default();
                self.len += 1;
            }
            None => self.is_cut = true,
        }
    }

    fn kept(&self) -> &[&'a str] {
        self.slots.get(..self.len).unwrap_or_default()
    }

    /// How many there are, as far as that matters.
    const fn len(&self) -> usize {
        if self.is_cut { usize::MAX } else { self.len }
    }

    fn has_any(&self, words: &[&str]) -> bool {
        self.kept().iter().any(|word| words.iter().any(|it| word.eq_ignore_ascii_case(it)))
    }
}

/// What every endpoint's name says, by the endpoint's number. No state: it follows from the names.
#[derive(Debug, Default)]
pub(crate) struct ClassTable(Vec<Marks>);

impl ClassTable {
    /// Looks at the endpoints that are new.
    pub(crate) fn follow(&mut self, patterns: &Patterns, endpoints: &Endpoints) {
        for index in self.0.len()..endpoints.len() {
            self.0.push(patterns.of_endpoint(endpoints.name(EndpointId(index as u32))));
        }
    }

    pub(crate) fn of(&self, endpoint: EndpointId) -> Marks {
        self.0.get(endpoint.0 as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, classes: &[Class], reads: bool) {
        let patterns = Classes::default().check().unwrap();
        let marks = patterns.of_endpoint(name);
        let bits = classes.iter().fold(0, |bits, class| bits | *class as u8);
        assert_eq!((marks.0 & !READS, marks.reads()), (bits, reads), "{name}");
    }

    #[test]
    fn whole_words_say_what_a_path_is() {
        const BOTH: [Class; 2] = [Class::Secret, Class::Privileged];
        check("GET /v1/secret/data/{var}", &BOTH, true);
        check("GET /api/v1/namespaces/{slug}/secrets/{slug}", &BOTH, true);
        check("GET /.env", &[Class::Secret], true);
        check("GET /app/.env.production", &[Class::Secret], true);
        check("GET /actuator/env", &[], true);
        check("GET /home/{var}/id_rsa", &[Class::Secret], true);
        check("GET /users/{int}/api-keys", &[Class::Secret], true);
        check("GET /users/{int}/apiKeys", &[Class::Secret], true);
        check("GET /api/keys/{int}", &[], true);
        check("POST /admin/users/{int}/roles", &[Class::Privileged], false);
        check("GET /v1/export", &[Class::Privileged], true);
        check("GET /administrivia", &[], true);
        check("POST /hooks/{token}", &[Class::Egress], false);
        check("POST /v1/items/{int}/reveal", &[], true);
        check("- /v1/kv/{slug}", &[Class::Secret], true);
    }

    #[test]
    fn a_title_a_page_part_and_a_placeholder_say_nothing() {
        check("GET /blog/secrets-of-the-sea", &[], true);
        check("GET /static/exporter/config.js", &[], true);
        check("GET /assets/tokens.css", &[], true);
        check("GET /reset/{token}", &[], true);
        check("GET /api/{var}key/{int}", &[], true);
    }

    #[test]
    fn an_operation_reads_if_it_says_so() {
        const SECRET: [Class; 2] = [Class::Secret, Class::Privileged];
        check("mcp tools/call get_secret", &SECRET, true);
        check("mcp tools/call create_secret", &SECRET, false);
        check("mcp resources/read", &[], true);
        check("mcp tools/call send_email", &[Class::Egress], false);
        check("GetSecretValue", &SECRET, true);
        check("grpc google.cloud.SecretManagerService/AccessSecretVersion", &SECRET, true);
    }

    #[test]
    fn a_resource_is_looked_at_like_a_path() {
        let patterns = Classes::default().check().unwrap();
        for uri in ["file:///home/a/.ssh/config", "vault://kv/db", "file:///srv/.env?x=1"] {
            assert!(patterns.of_resource(uri).has(Class::Secret), "{uri}");
        }
        assert!(!patterns.of_resource("file:///srv/readme.md?token=1").has(Class::Secret));
    }

    #[test]
    fn a_pattern_of_no_words_or_many_is_refused() {
        for pattern in ["", "--", "a b c d", "a/b", "{token}"] {
            let classes = Classes { secret: vec![pattern.into()], ..Classes::default() };
            let error = classes.check().unwrap_err().to_string();
            assert!(error.contains("detect.classes.secret"), "{error}");
        }
        let classes = Classes { egress: vec!["a".into(); 257], ..Classes::default() };
        assert!(classes.check().unwrap_err().to_string().contains("257"));
    }

    #[test]
    fn names_of_any_bytes_are_taken() {
        let patterns = Classes::default().check().unwrap();
        for name in ["", " ", "GET ", "GET /", "{", "GET /{{/}", "É/Ünïcode Ω", "a{b}c", "\u{0}"]
        {
            patterns.of_endpoint(name);
            patterns.of_resource(name);
        }
    }
}

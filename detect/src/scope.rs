//! Which identities and endpoints a setting is about: patterns in which `*` stands for anything.

use serde::{Deserialize, Serialize};

/// Patterns of one list.
pub const PATTERNS_MAX: usize = 64;
/// Bytes of one pattern.
pub const PATTERN_BYTES_MAX: usize = 256;

/// Patterns of identities and of endpoints; an empty list of what is meant means all.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// Identities that are meant, by id or name.
    pub identities: Vec<String>,
    /// Those of them that are not.
    pub except_identities: Vec<String>,
    /// Endpoints that are meant, as `METHOD template`.
    pub endpoints: Vec<String>,
    /// Those of them that are not.
    pub except_endpoints: Vec<String>,
}

impl Scope {
    /// What is wrong with the patterns: the list and the reason.
    pub(crate) fn fault(&self) -> Option<(&'static str, String)> {
        let lists = [
            ("identities", &self.identities),
            ("except_identities", &self.except_identities),
            ("endpoints", &self.endpoints),
            ("except_endpoints", &self.except_endpoints),
        ];
        lists.into_iter().find_map(|(name, list)| {
            let is_bad = |it: &&String| it.is_empty() || it.len() > PATTERN_BYTES_MAX;
            if list.len() > PATTERNS_MAX {
                return Some((
                    name,
                    format!("has {} patterns, at most {PATTERNS_MAX}", list.len()),
                ));
            }
            let bad = list.iter().find(is_bad)?;
            Some((name, format!("has `{bad}`: a pattern has 1 to {PATTERN_BYTES_MAX} bytes")))
        })
    }

    /// Whether it is about everything.
    pub(crate) const fn is_all(&self) -> bool {
        self.identities.is_empty()
            && self.except_identities.is_empty()
            && self.endpoints.is_empty()
            && self.except_endpoints.is_empty()
    }

    /// Whether an identity is meant; `None` is what concerns none, which no pattern of names excludes.
    pub(crate) fn has_identity(&self, names: Option<[&str; 2]>) -> bool {
        let Some(names) = names else { return true };
        let any =
            |list: &[String]| list.iter().any(|it| names.iter().any(|name| matches(it, name)));
        (self.identities.is_empty() || any(&self.identities)) && !any(&self.except_identities)
    }

    /// Whether an endpoint is meant; empty is what concerns no endpoint.
    pub(crate) fn has_endpoint(&self, endpoint: &str) -> bool {
        let any = |list: &[String]| list.iter().any(|it| matches(it, endpoint));
        let is_meant = self.endpoints.is_empty() || endpoint.is_empty() || any(&self.endpoints);
        is_meant && !any(&self.except_endpoints)
    }
}

/// Whether a text is what a pattern says: `*` stands for any characters, or none; the rest for itself.
///
/// Each piece is looked for from the left, which is enough: if the text matches at all, then it does with
/// every piece as early as it can be (linear in the text for each piece).
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*').filter(|it| !it.is_empty()) {
        let Some(at) = memchr::memmem::find(text.as_bytes(), piece.as_bytes()) else {
            return false;
        };
        text = text.get(at + piece.len()..).unwrap_or_default();
    }
    text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text) in [
            ("svc-a", "svc-a"),
            ("svc-*", "svc-"),
            ("svc-*", "svc-report"),
            ("*", ""),
            ("*-bot", "billing-bot"),
            ("GET /orders/*/items*", "GET /orders/{int}/items/{int}"),
            ("a*b*c", "aXbYbc"),
            ("**", "x"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("svc-a", "svc-ab"), ("svc-*", "sv"), ("a*a", "a"), ("*x*y", "yx"), ("", "a")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_excepted_is_not_meant() {
        let list = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let scope = Scope {
            identities: list(&["svc-*"]),
            except_identities: list(&["svc-load*"]),
            endpoints: Vec::new(),
            except_endpoints: list(&["GET /health*"]),
        };
        assert!(scope.has_identity(Some(["svc-a", ""])) && scope.has_identity(None));
        assert!(scope.has_identity(Some(["17", "svc-a"])), "by its name");
        assert!(
            !scope.has_identity(Some(["svc-load1", ""])) && !scope.has_identity(Some(["x", ""]))
        );
        assert!(scope.has_endpoint("") && scope.has_endpoint("GET /a"));
        assert!(!scope.has_endpoint("GET /healthz"));
        assert!(Scope::default().is_all() && !scope.is_all());
    }
}

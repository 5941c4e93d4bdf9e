//! A suggestion as an HTTP filter of Envoy: `envoy.extensions.filters.http.rbac.v3.RBAC`, in YAML.
//!
//! Its action is DENY, so that it says nothing of anybody else: whoever is the identity, and asks for
//! what is not allowed, is refused.

use super::{NAMED_MAX, Suggestion, ascii};
use crate::cli::Who;
use std::collections::BTreeMap;

/// The text as a string of YAML, all of it ASCII.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            // Other than JSON, YAML has no pairs of halves.
            _ => out.extend([format!("\\U{:08x}", u32::from(c))]),
        }
    }
    out.push('"');
    out
}

impl Suggestion<'_> {
    /// The filter; `who` says where Envoy finds who calls.
    pub(crate) fn envoy(&self, who: &Who) -> String {
        let mut text = String::new();
        for line in self.words().into_iter().chain(self.unsaid()) {
            text += format!("# {line}").trim_end();
            text.push('\n');
        }
        text += "name: envoy.filters.http.rbac\ntyped_config:\n";
        text += "  \"@type\": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC\n";
        text += "  rules:\n    action: DENY\n    policies:\n";
        text.extend([format!("      {}:\n", quoted(&format!("habitus-{}", self.name())))]);
        text.extend([format!("        principals:\n        - {}\n", principal(who, self))]);
        text += "        permissions:\n";
        let rules = self.rules();
        if rules.is_empty() {
            text += "        - any: true\n";
        } else {
            text += "        - not_rule:\n            or_rules:\n              rules:\n";
            text += &rules;
        }
        text
    }

    /// What is allowed, apart by what is refused although it fits.
    fn rules(&self) -> String {
        let mut by_except: BTreeMap<Option<&str>, String> = BTreeMap::new();
        for it in &self.allow {
            if let (Some(method), Some(path)) = (it.method, &it.path) {
                // Behind an exception the rules stand deeper.
                let pad = " ".repeat(if it.except.is_some() { 22 } else { 14 });
                by_except.entry(it.except).or_default().extend([format!(
                    "{pad}- and_rules:\n{pad}    rules:\n\
                     {pad}    - header: {{name: \":method\", string_match: {{exact: {}}}}}\n\
                     {pad}    - {}\n",
                    quoted(method),
                    url_path(path),
                )]);
            }
        }
        let mut text = String::new();
        for (except, rules) in by_except {
            if let Some(except) = except {
                // An expression is of the whole path. It stays far below the 100 instructions that
                // Envoy's engine compiles by default.
                let except = url_path(&format!("(?s).*(?:{except}).*"));
                let pad = " ".repeat(14);
                text.extend([format!(
                    "{pad}- and_rules:\n{pad}    rules:\n\
                     {pad}    # What a server may take for another path.\n\
                     {pad}    - not_rule: {{{except}}}\n\
                     {pad}    - or_rules:\n{pad}        rules:\n",
                )]);
            }
            text += &rules;
        }
        text
    }

    /// What the filter cannot say, in words.
    fn unsaid(&self) -> Vec<String> {
        let names: Vec<_> = self.without_path().map(|it| ascii(it.operation)).collect();
        if names.is_empty() {
            return names;
        }
        let mut lines = vec![
            String::new(),
            format!("{} operations that it used are no method and path, so that", names.len()),
            "the filter refuses them unless a rule for their path is added by hand:".to_owned(),
        ];
        lines.extend(names.iter().take(NAMED_MAX).map(|name| format!("  {name}")));
        let rest = names.len().saturating_sub(NAMED_MAX);
        lines.extend((rest > 0).then(|| format!("  and {rest} others")));
        lines
    }
}

/// The paths that an expression fits.
fn url_path(pattern: &str) -> String {
    format!("url_path: {{path: {{safe_regex: {{regex: {}}}}}}}", quoted(pattern))
}

fn principal(who: &Who, of: &Suggestion<'_>) -> String {
    let id = quoted(&of.whose.principal_id);
    match who {
        Who::Header(name) => {
            format!("header: {{name: {}, string_match: {{exact: {id}}}}}", quoted(name))
        }
        Who::Metadata(filter, keys) => {
            let keys: Vec<_> = keys.iter().map(|key| format!("{{key: {}}}", quoted(key))).collect();
            format!(
                "metadata: {{filter: {}, path: [{}], value: {{string_match: {{exact: {id}}}}}}}",
                quoted(filter),
                keys.join(", "),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::is_path;
    use super::super::tests::{day, whose};
    use super::*;

    #[test]
    fn whoever_used_nothing_is_refused_everything() {
        let (whose, rows) = (whose("a\"b"), vec![day("mcp tools/call x", 10, (1, 1, 0))]);
        let made = Suggestion::of(&whose, &rows, &(0..11), &(0..11), is_path);
        let text = made.envoy(&Who::Header("x-user".into()));
        assert!(text.contains("\n        permissions:\n        - any: true\n"), "{text}");
        assert!(text.contains("#   mcp tools/call x\n"), "{text}");
        assert!(text.contains("# It would have blocked 1 of 1 calls"), "{text}");
        assert!(text.contains(r#"{name: "x-user", string_match: {exact: "a\"b"}}"#), "{text}");
    }

    #[test]
    fn a_path_with_room_for_anything_has_an_exception() {
        let rows = vec![
            day("GET /about", 10, (1, 1, 0)),
            day("GET /files/{var}", 10, (1, 1, 0)),
            day("PUT /files/{var}", 10, (1, 1, 0)),
        ];
        let whose = whose("app-7");
        let made = Suggestion::of(&whose, &rows, &(0..11), &(0..11), is_path);
        let text = made.envoy(&Who::Header("x-user".into()));
        let (fixed, open) = text.split_once("- not_rule: {url_path:").unwrap();
        assert!(
            fixed.contains("\n              - and_rules:\n") && fixed.contains("/about"),
            "{text}"
        );
        let rules = "\n                  - or_rules:\n                      rules:\n                      \
                     - and_rules:\n                          rules:\n                          \
                     - header:";
        assert!(open.contains(rules), "{text}");
        assert_eq!(open.matches("/files/").count(), 2, "{text}");
    }

    #[test]
    fn yaml_gets_whole_characters() {
        assert_eq!(quoted("\u{1f511}\n"), "\"\\U0001f511\\U0000000a\"");
    }
}

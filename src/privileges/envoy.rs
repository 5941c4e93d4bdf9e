//! A suggestion as an HTTP filter of Envoy: `envoy.extensions.filters.http.rbac.v3.RBAC`, in YAML.
//!
//! Its action is DENY, so that it says nothing of anybody else: whoever is the identity, and asks for
//! what is not allowed, is refused.

use super::{NAMED_MAX, Suggestion, ascii};
use crate::cli::Who;

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
        let mut rules = String::new();
        for allowed in &self.allow {
            if let (Some(method), Some(path)) = (allowed.method, &allowed.path) {
                rules.extend([format!(
                    "              - and_rules:\n                  rules:\n                  \
                     - header: {{name: \":method\", string_match: {{exact: {}}}}}\n                  \
                     - url_path: {{path: {{safe_regex: {{regex: {}}}}}}}\n",
                    quoted(method),
                    quoted(path),
                )]);
            }
        }
        if rules.is_empty() {
            text += "        - any: true\n";
        } else {
            text += "        - not_rule:\n            or_rules:\n              rules:\n";
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
    use super::super::tests::{day, whose};
    use super::*;

    #[test]
    fn whoever_used_nothing_is_refused_everything() {
        let (whose, rows) = (whose("a\"b"), vec![day("mcp tools/call x", 10, (1, 1, 0))]);
        let made = Suggestion::of(&whose, &rows, &(0..11), 11);
        let text = made.envoy(&Who::Header("x-user".into()));
        assert!(text.contains("\n        permissions:\n        - any: true\n"), "{text}");
        assert!(text.contains("#   mcp tools/call x\n"), "{text}");
        assert!(text.contains(r#"{name: "x-user", string_match: {exact: "a\"b"}}"#), "{text}");
    }

    #[test]
    fn yaml_gets_whole_characters() {
        assert_eq!(quoted("\u{1f511}\n"), "\"\\U0001f511\\U0000000a\"");
    }
}

//! A suggestion as a policy in Rego, for OPA 1.

use super::{Suggestion, quoted};
use std::collections::BTreeMap;

impl Suggestion<'_> {
    /// The policy: a package of its own that allows what the identity used, and nothing else.
    pub(crate) fn rego(&self) -> String {
        let mut text = String::new();
        for line in self.words() {
            text += format!("# {line}").trim_end();
            text.push('\n');
        }
        text += "#\n# input: principal (the id), tenant, method, path (as on the wire, without its \
                 query),\n# operation (of a call that is no method and path).\n";
        text.extend([format!("package habitus.privileges.{}\n\nimport rego.v1\n\n", self.name())]);
        text += "default allow := false\n\n";
        text.extend([format!("principal := {}\n\n", quoted(&self.whose.principal_id))]);
        text.extend([format!("tenant := {}\n\n", quoted(&self.whose.tenant_id))]);
        text += "operations := [";
        let mut operations = self.without_path().peekable();
        let end = if operations.peek().is_none() { "]\n\n" } else { "\n]\n\n" };
        for allowed in operations {
            text.extend([format!("\n\t{},", quoted(allowed.operation))]);
        }
        text += end;
        text += "is_meant if {\n\tinput.principal == principal\n\tinput.tenant == tenant\n}\n\n";
        for (number, (except, paths)) in self.paths().iter().enumerate() {
            text += &rule(number + 1, *except, paths);
        }
        text += "allow if {\n\tis_meant\n\tinput.operation in operations\n}\n";
        text
    }

    /// The expressions of paths by method, apart by what is refused although it fits.
    fn paths(&self) -> BTreeMap<Option<&'static str>, BTreeMap<&str, Vec<&str>>> {
        let mut paths: BTreeMap<_, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
        for allowed in &self.allow {
            if let (Some(method), Some(path)) = (allowed.method, &allowed.path) {
                paths.entry(allowed.except).or_default().entry(method).or_default().push(path);
            }
        }
        paths
    }
}

/// The rule for paths of which the same is refused; those of each kind have a name of their own.
fn rule(number: usize, except: Option<&str>, paths: &BTreeMap<&str, Vec<&str>>) -> String {
    let mut text = format!("paths_{number} := {{");
    for (method, patterns) in paths {
        text.extend([format!("\n\t{}: [", quoted(method))]);
        for pattern in patterns {
            text.extend([format!("\n\t\t{},", quoted(pattern))]);
        }
        text += "\n\t],";
    }
    text += "\n}\n\nallow if {\n\tis_meant\n";
    text.extend([format!("\tsome pattern in paths_{number}[input.method]\n")]);
    text += "\tregex.match(pattern, input.path)\n";
    if let Some(except) = except {
        text += "\n\t# What a server may take for another path.\n";
        text.extend([format!("\tnot regex.match({}, input.path)\n", quoted(except))]);
    }
    text + "}\n\n"
}

#[cfg(test)]
mod tests {
    use super::super::Suggestion;
    use super::super::tests::{day, whose};

    #[test]
    fn a_path_with_room_for_anything_has_an_exception() {
        let rows = vec![
            day("GET /about", 10, (1, 1, 0)),
            day("GET /files/{var}", 10, (1, 1, 0)),
            day("PUT /files/{var}", 10, (1, 1, 0)),
        ];
        let whose = whose("app-7");
        let text = Suggestion::of(&whose, &rows, &(0..11), &(0..11), |_, _| true).rego();
        let (fixed, open) = text.split_once("paths_2 := {").unwrap();
        assert!(fixed.contains("\"^/about/?$\"") && !fixed.contains("not regex"), "{text}");
        assert!(open.contains("\"GET\": [") && open.contains("\"PUT\": ["), "{text}");
        assert_eq!(text.matches("\tnot regex.match(\"").count(), 1, "{text}");
        assert!(!text.contains("paths_3"), "{text}");
    }

    #[test]
    fn whoever_used_no_path_has_no_rule_for_paths() {
        let (whose, rows) = (whose("app-7"), vec![day("mcp tools/call x", 10, (1, 1, 0))]);
        let text = Suggestion::of(&whose, &rows, &(0..11), &(0..11), |_, _| true).rego();
        assert!(!text.contains("paths_") && text.contains("\"mcp tools/call x\","), "{text}");
    }
}

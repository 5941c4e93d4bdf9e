//! A suggestion as a policy in Rego, for OPA 1.

use super::{Suggestion, quoted};
use std::collections::BTreeMap;

impl Suggestion<'_> {
    /// The policy: a package of its own that allows what the identity used, and nothing else.
    pub(crate) fn rego(&self) -> String {
        let mut paths: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for allowed in &self.allow {
            if let (Some(method), Some(path)) = (allowed.method, &allowed.path) {
                paths.entry(method).or_default().push(path);
            }
        }
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
        text += "paths := {";
        for (method, patterns) in &paths {
            text.extend([format!("\n\t{}: [", quoted(method))]);
            for pattern in patterns {
                text.extend([format!("\n\t\t{},", quoted(pattern))]);
            }
            text += "\n\t],";
        }
        text += if paths.is_empty() { "}\n\n" } else { "\n}\n\n" };
        text += "operations := [";
        let mut operations = self.without_path().peekable();
        let end = if operations.peek().is_none() { "]\n\n" } else { "\n]\n\n" };
        for allowed in operations {
            text.extend([format!("\n\t{},", quoted(allowed.operation))]);
        }
        text += end;
        text += "is_meant if {\n\tinput.principal == principal\n\tinput.tenant == tenant\n}\n\n";
        text += "allow if {\n\tis_meant\n\tsome pattern in paths[input.method]\n\
                 \tregex.match(pattern, input.path)\n}\n\n";
        text += "allow if {\n\tis_meant\n\tinput.operation in operations\n}\n";
        text
    }
}

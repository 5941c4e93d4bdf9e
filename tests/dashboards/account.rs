//! The account of one tenant's dashboards: it may read what they ask, and what the views ask in its name.

use super::committed;
use super::questions::{Place, questions};
use crate::habitus::root;
use std::collections::BTreeSet;

/// The dashboard whose rows name no tenant, and which that account may not read.
const OF_NOBODY: &str = "habitus-pipeline";
/// Tables and views that the other dashboards ask at least: that names are found.
const ASKED_MIN: usize = 10;

/// The tables and views behind `FROM` and `JOIN`, without functions and columns.
fn relations(sql: &str) -> BTreeSet<String> {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    let text: String = lines.flat_map(|line| [line, " "]).collect();
    let words: Vec<_> = text.split_ascii_whitespace().collect();
    let mut found = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        let is_array = at > 0 && words[at - 1] == "ARRAY";
        let next = words.get(at + 1).copied().unwrap_or_default();
        if is_array || !["FROM", "JOIN"].contains(&word.trim_start_matches('(')) {
            continue;
        }
        let is_in = |it: char| it.is_ascii_lowercase() || it == '_';
        let (name, rest) = next.split_at(next.find(|it: char| !is_in(it)).unwrap_or(next.len()));
        if !name.is_empty() && !rest.starts_with('(') {
            found.insert(name.to_owned());
        }
    }
    found
}

/// The names behind a word of migrations, with the text up to the end of the statement.
fn statements(text: &str, word: &str) -> Vec<(String, String)> {
    let all = text.split(';').filter_map(|it| it.split_once(word));
    let of = |(_, rest): (&str, &str)| {
        let end = rest.find(|it: char| !(it.is_ascii_lowercase() || it == '_'));
        let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
        (name.to_owned(), rest.to_owned())
    };
    all.map(of).collect()
}

/// Every migration.
fn migrations() -> String {
    let dir = root().join("store/migrations");
    let entries = std::fs::read_dir(dir).unwrap().map(|it| it.unwrap().path());
    entries.map(|path| std::fs::read_to_string(path).unwrap() + ";\n").collect()
}

#[test]
fn a_tenants_account_may_read_what_its_dashboards_ask() {
    let roles = root().join("store/migrations/roles_tenant.sql");
    let roles = std::fs::read_to_string(roles).unwrap();
    let granted: BTreeSet<_> =
        statements(&roles, "SELECT ON {database}.").into_iter().map(|(name, _)| name).collect();
    let mut asked = BTreeSet::new();
    for question in questions(&committed()) {
        if question.place == Place::Rule || question.board == OF_NOBODY {
            continue;
        }
        for name in relations(&question.sql) {
            assert!(granted.contains(&name), "{} reads {name}", question.name);
            asked.insert(name);
        }
    }
    assert!(asked.len() >= ASKED_MIN, "{asked:?}");
    // A view asks as its reader.
    let texts = migrations();
    let views: Vec<_> = ["VIEW IF NOT EXISTS ", "REPLACE VIEW "]
        .iter()
        .flat_map(|word| statements(&texts, word))
        .filter(|(name, _)| granted.contains(name))
        .collect();
    assert!(views.len() >= ASKED_MIN, "{} views", views.len());
    for (view, text) in &views {
        let missing: Vec<_> =
            relations(text).into_iter().filter(|it| !granted.contains(it)).collect();
        assert!(missing.is_empty(), "the view {view} reads {missing:?}");
    }
}

#[test]
fn relations_are_found_behind_their_words() {
    let sql = "SELECT (SELECT max(at) FROM one) -- FROM none\n FROM two AS it FINAL ARRAY JOIN three AS x\n\
               JOIN four USING (a) WHERE a IN (SELECT a\nFROM five) AND b IN (SELECT * FROM numbers(3)) FROM (";
    let found: Vec<_> = relations(sql).into_iter().collect();
    assert_eq!(found, ["five", "four", "one", "two"]);
    let text = "GRANT SELECT ON {database}.a_b TO x; CREATE VIEW IF NOT EXISTS v{on_cluster} AS;";
    assert_eq!(statements(text, "ON {database}.")[0].0, "a_b");
    assert_eq!(statements(text, "VIEW IF NOT EXISTS ")[0].0, "v");
}

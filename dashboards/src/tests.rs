//! What is committed is what is defined, and the definitions hold together.

use super::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana")
}

/// The paths of the files below a folder, from that folder on.
fn paths(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

#[test]
#[expect(clippy::disallowed_methods, reason = "tests are configured by the environment")]
fn the_committed_files_are_what_the_definitions_give() {
    let update = std::env::var("HABITUS_UPDATE_SNAPSHOTS").is_ok_and(|value| value == "1");
    let files = files();
    for file in &files {
        let path = committed().join(&file.path);
        if update {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &file.text).unwrap();
            continue;
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == file.text,
            "{} has changed; if that is right, run again with HABITUS_UPDATE_SNAPSHOTS=1",
            file.path
        );
    }
    let expected: BTreeSet<_> = files.into_iter().map(|file| file.path).collect();
    assert_eq!(paths(&committed()), expected, "files that nothing defines");
}

/// Calls `look` with every text under this key.
fn texts(value: &Value, key: &str, look: &mut impl FnMut(&str)) {
    match value {
        Value::Array(items) => items.iter().for_each(|it| texts(it, key, look)),
        Value::Object(entries) => {
            for (name, it) in entries {
                match it {
                    Value::String(text) if name == key => look(text),
                    it => texts(it, key, look),
                }
            }
        }
        _ => {}
    }
}

/// Every query of dashboards and rules.
fn queries() -> Vec<String> {
    let mut found = Vec::new();
    for file in files().iter().filter(|it| it.text.starts_with('{')) {
        let value: Value = serde_json::from_str(&file.text).unwrap();
        texts(&value, "rawSql", &mut |sql| found.push(sql.to_owned()));
        texts(&value, "definition", &mut |sql| found.push(sql.to_owned()));
    }
    assert!(found.len() > 60, "{}", found.len());
    found
}

#[test]
fn every_part_of_a_query_is_filled_in() {
    for sql in queries() {
        let parts = sql.split('{').skip(1).zip(sql.split('{'));
        for (inside, before) in parts {
            let name = inside.split('}').next().unwrap_or_default();
            assert!(before.ends_with('$'), "{{{name}}} is left in {sql}");
        }
    }
}

#[test]
fn every_query_in_the_folder_is_used() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources: String = paths(&dir.join("src"))
        .iter()
        .map(|path| std::fs::read_to_string(dir.join("src").join(path)).unwrap())
        .collect();
    for path in paths(&dir.join("queries")) {
        let name = path.strip_suffix(".sql").unwrap();
        assert!(sources.contains(&format!("query!(\"{name}\")")), "{name} is used nowhere");
    }
}

#[test]
fn no_query_sets_a_setting() {
    // The account that Grafana asks with may not, and would be refused.
    for sql in queries() {
        assert!(!sql.contains("SETTINGS"), "{sql}");
    }
}

#[test]
fn panels_are_told_apart_by_id_and_title() {
    for file in files().iter().filter(|it| it.path.starts_with("dashboards/")) {
        let board: Value = serde_json::from_str(&file.text).unwrap();
        let panels = board["panels"].as_array().unwrap();
        let ids: BTreeSet<_> = panels.iter().map(|it| it["id"].as_u64().unwrap()).collect();
        let titles: BTreeSet<_> = panels.iter().map(|it| it["title"].as_str().unwrap()).collect();
        assert_eq!((ids.len(), titles.len()), (panels.len(), panels.len()), "{}", file.path);
    }
}

#[test]
fn a_rule_shows_a_panel_that_is_there() {
    let files = files();
    let find = |path: &str| {
        let file = files.iter().find(|it| it.path == path).unwrap();
        serde_json::from_str::<Value>(&file.text).unwrap()
    };
    let rules = find("provisioning/alerting/habitus.yaml");
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 6);
    for rule in rules {
        let board = find(&format!("dashboards/{}.json", rule["dashboardUid"].as_str().unwrap()));
        let is_there =
            board["panels"].as_array().unwrap().iter().any(|it| it["id"] == rule["panelId"]);
        assert!(is_there, "{}", rule["title"]);
    }
    let sources = find_text(&files, "provisioning/datasources/habitus.yaml");
    assert!(sources.contains(&format!("uid: {}\n", provisioning::SOURCE_UID)));
    // Another Grafana has a default of its own.
    assert!(!sources.contains("isDefault"));
}

fn find_text<'a>(files: &'a [File], path: &str) -> &'a str {
    &files.iter().find(|it| it.path == path).unwrap().text
}

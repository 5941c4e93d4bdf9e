//! The committed Grafana dashboards: their form, and that every query of theirs answers on the real engine.
//!
//! Grafana is not started; what it and its plugin for ClickHouse would send is. [`variables`] does
//! with a query's text what Grafana does, [`macros`] what the plugin does.

mod account;
mod broken;
mod firing;
mod links;
mod lint;
mod macros;
mod queries;
mod questions;
mod results;
mod rules;
mod seed;
mod speed;
mod truth;
mod variables;

use crate::deploy::yaml;
use crate::habitus::root;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A committed file: its name, and what it holds.
#[derive(Clone, Debug)]
struct Committed {
    name: String,
    json: Value,
}

/// Everything below `dashboards/` that is JSON or YAML, by name.
fn committed() -> Vec<Committed> {
    let mut open = vec![root().join("dashboards")];
    let mut found: Vec<PathBuf> = Vec::new();
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found.iter().filter_map(|path| read(path)).collect()
}

/// A file that is JSON or YAML.
fn read(path: &Path) -> Option<Committed> {
    let ending = path.extension()?.to_str()?;
    let text = || std::fs::read_to_string(path).unwrap();
    let json = match ending {
        "json" => serde_json::from_str(&text()).map_err(|it| it.to_string()),
        "yaml" | "yml" => yaml::parse(&text()),
        _ => return None,
    };
    let name = path.strip_prefix(root()).unwrap().display().to_string();
    Some(Committed { json: json.unwrap_or_else(|why| panic!("{name}: {why}")), name })
}

/// Those that are dashboards.
fn boards(files: &[Committed]) -> Vec<Committed> {
    let is_board = |it: &&Committed| it.json["panels"].is_array();
    files.iter().filter(is_board).cloned().collect()
}

/// Those that hold alert rules.
fn rule_files(files: &[Committed]) -> Vec<Committed> {
    let has_rules = |it: &&Committed| it.json["groups"].is_array();
    files.iter().filter(has_rules).cloned().collect()
}

/// The uids of the datasources that are provisioned.
fn provisioned(files: &[Committed]) -> Vec<String> {
    let sources = files.iter().filter_map(|it| it.json["datasources"].as_array()).flatten();
    sources.filter_map(|it| it["uid"].as_str()).map(str::to_owned).collect()
}

/// The panels of a dashboard, those in rows too, and the rows.
fn panels(board: &Value) -> Vec<&Value> {
    let top = board["panels"].as_array().into_iter().flatten();
    top.flat_map(|it| [it].into_iter().chain(it["panels"].as_array().into_iter().flatten()))
        .collect()
}

/// A text in a value, empty where there is none.
fn text<'a>(json: &'a Value, field: &str) -> &'a str {
    json[field].as_str().unwrap_or_default()
}

/// Every text in a value with the key under which it stands; of a list's items it is the list's.
fn texts<'a>(json: &'a Value, key: &'a str, found: &mut Vec<(&'a str, &'a str)>) {
    match json {
        Value::String(it) => found.push((key, it)),
        Value::Array(items) => items.iter().for_each(|it| texts(it, key, found)),
        Value::Object(fields) => fields.iter().for_each(|(key, it)| texts(it, key, found)),
        _ => {}
    }
}

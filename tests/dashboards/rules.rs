//! The form of the alert rules: whom they ask, what they decide by, and where they send their reader.

use super::lint::PLUGIN;
use super::questions::rules;
use super::variables::references;
use super::{Committed, boards, committed, macros, panels, provisioned, rule_files, text};
use serde_json::Value;
use std::collections::BTreeSet;

/// What must be noticed, by words of the rules' titles.
const SUBJECTS: [&str; 6] = [
    "critical finding",
    "incident",
    "pipeline silent",
    "watermark",
    "dead letter",
    "identity explosion",
];
/// The datasource that computes with the answers of others.
const EXPRESSION: &str = "__expr__";
const UID_BYTES_MAX: usize = 40;

/// What is wrong with the rules of files, among dashboards and provisioned datasources.
fn complaints(files: &[Committed], all: &[Committed], sources: &[String]) -> Vec<String> {
    let rules: Vec<_> = files.iter().flat_map(|it| rules(&it.json)).collect();
    let mut said = Vec::new();
    let titles: Vec<_> = rules.iter().map(|it| text(it, "title").to_lowercase()).collect();
    for subject in SUBJECTS {
        if !titles.iter().any(|it| it.replace('-', " ").contains(subject)) {
            said.push(format!("no rule is about {subject}"));
        }
    }
    let mut uids = BTreeSet::new();
    for rule in rules {
        let (title, uid) = (text(rule, "title"), text(rule, "uid"));
        if uid.is_empty() || uid.len() > UID_BYTES_MAX || !uids.insert(uid) {
            said.push(format!("the rule {title:?} has no uid of its own"));
        }
        let own = of_rule(rule, sources).into_iter().chain(of_place(rule, all));
        said.extend(own.map(|it| format!("the rule {title:?} {it}")));
    }
    said
}

/// What is wrong with one rule, as the end of a sentence.
fn of_rule(rule: &Value, sources: &[String]) -> Vec<String> {
    let mut said = Vec::new();
    if text(rule, "title").is_empty() || text(rule, "for").is_empty() {
        said.push("has no title or no time that it waits".to_owned());
    }
    for state in ["execErrState", "noDataState"] {
        if text(rule, state).is_empty() {
            said.push(format!("has no {state}"));
        }
    }
    if text(&rule["annotations"], "summary").is_empty() {
        said.push("says nothing in its summary".to_owned());
    }
    if text(&rule["labels"], "severity").is_empty() {
        said.push("has no label severity".to_owned());
    }
    let queries: Vec<_> = rule["data"].as_array().into_iter().flatten().collect();
    let mut marks = BTreeSet::new();
    for query in &queries {
        let mark = text(query, "refId");
        if mark.is_empty() || !marks.insert(mark) {
            said.push(format!("has no refId of its own for a query ({mark:?})"));
        }
        let source = text(query, "datasourceUid");
        if source == EXPRESSION {
            continue;
        }
        if !sources.iter().any(|it| it == source) {
            said.push(format!("asks {source:?}, which is not provisioned"));
        }
        said.extend(of_query(query).iter().map(|it| format!("has a query {mark} that {it}")));
    }
    if !marks.contains(text(rule, "condition")) {
        said.push(format!("decides by {:?}, which is no query of it", text(rule, "condition")));
    }
    for query in queries.iter().filter(|it| text(it, "datasourceUid") == EXPRESSION) {
        let of = text(&query["model"], "expression");
        if !marks.contains(of) {
            said.push(format!("computes with {of:?}, which is no query of it"));
        }
    }
    said
}

/// What is wrong with one query, as the end of a sentence.
fn of_query(query: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let (model, range) = (&query["model"], &query["relativeTimeRange"]);
    let sql = text(model, "rawSql");
    if text(model, "editorType") != "sql" || sql.is_empty() || !model["format"].is_i64() {
        said.push("the plugin does not read: editorType, rawSql or format".to_owned());
    }
    if !model["datasource"].is_null() && text(&model["datasource"], "type") != PLUGIN {
        said.push(format!("is for {}", model["datasource"]));
    }
    let side = |it: &str| range[it].as_i64().unwrap_or(-1);
    if side("to") < 0 || side("from") <= side("to") {
        said.push(format!("looks back {range}"));
    }
    // No dashboard is there to replace a variable.
    let is_macro = |it: &str| it.strip_prefix("__").is_some_and(macros::is_macro);
    let unknown = references(sql).into_iter().filter(|it| !is_macro(it.name));
    said.extend(unknown.map(|it| format!("names {}, which nobody replaces", it.whole)));
    said
}

/// A panel that a rule points to and that is not there.
fn of_place(rule: &Value, all: &[Committed]) -> Option<String> {
    let notes = &rule["annotations"];
    let uid = notes["__dashboardUid__"].as_str().or_else(|| rule["dashboardUid"].as_str());
    let Some(board) = all.iter().find(|it| Some(text(&it.json, "uid")) == uid) else {
        return Some(format!("points to the dashboard {uid:?}, which is not there"));
    };
    let id = &notes["__panelId__"];
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let id = if id == "null" { rule["panelId"].to_string() } else { id };
    let is_there = panels(&board.json)
        .iter()
        .any(|it| id.parse().is_ok_and(|id: u64| it["id"].as_u64() == Some(id)));
    (!is_there).then(|| format!("points to the panel {id}, which is not there"))
}

#[test]
fn the_committed_rules_are_sound() {
    let files = committed();
    let said = complaints(&rule_files(&files), &boards(&files), &provisioned(&files));
    assert!(said.is_empty(), "{said:#?}");
}

/// A rule without a fault, and what it needs.
fn sound() -> (Value, Vec<Committed>, Vec<String>) {
    let rules: Vec<_> = SUBJECTS.iter().map(|subject| {
        serde_json::json!({
            "uid": subject.replace(' ', "-"),
            "title": subject,
            "for": "0s",
            "execErrState": "Error",
            "noDataState": "OK",
            "condition": "B",
            "labels": {"severity": "high"},
            "annotations": {"summary": "s", "__dashboardUid__": "u", "__panelId__": "1"},
            "data": [
                {"refId": "A", "datasourceUid": "habitus", "relativeTimeRange": {"from": 60, "to": 0},
                 "model": {"editorType": "sql", "format": 1, "rawSql": "SELECT $__timeFilter(at)"}},
                {"refId": "B", "datasourceUid": EXPRESSION, "model": {"expression": "A"}},
            ],
        })
    })
    .collect();
    let board = serde_json::json!({"uid": "u", "panels": [{"id": 1}]});
    let board = Committed { name: "b.json".to_owned(), json: board };
    (serde_json::json!({"groups": [{"rules": rules}]}), vec![board], vec!["habitus".to_owned()])
}

#[test]
fn what_is_wrong_with_a_rule_is_said() {
    let (file, all, sources) = sound();
    let said = |json: Value| {
        complaints(&[Committed { name: "r.json".to_owned(), json }], &all, &sources).join("; ")
    };
    assert_eq!(said(file.clone()), "");
    for (place, new, why) in [
        ("/uid", "", "no uid of its own"),
        ("/uid", "incident", "no uid of its own"),
        ("/title", "", "no rule is about critical finding"),
        ("/for", "", "no time that it waits"),
        ("/noDataState", "", "no noDataState"),
        ("/execErrState", "", "no execErrState"),
        ("/annotations/summary", "", "nothing in its summary"),
        ("/labels/severity", "", "no label severity"),
        ("/condition", "C", "decides by \"C\""),
        ("/data/0/refId", "B", "no refId of its own"),
        ("/data/0/datasourceUid", "other", "which is not provisioned"),
        ("/data/0/model/rawSql", "", "the plugin does not read"),
        ("/data/0/model/rawSql", "SELECT '$tenant'", "names $tenant"),
        ("/data/0/model/editorType", "builder", "the plugin does not read"),
        ("/data/0/model/format", "table", "the plugin does not read"),
        ("/data/0/model/datasource", "mysql", "is for"),
        ("/data/0/relativeTimeRange/from", "x", "looks back"),
        ("/data/1/model/expression", "C", "computes with \"C\""),
        ("/annotations/__dashboardUid__", "v", "which is not there"),
        ("/annotations/__panelId__", "2", "points to the panel 2"),
    ] {
        let mut broken = file.clone();
        let (object, field) = place.rsplit_once('/').unwrap();
        broken.pointer_mut(&format!("/groups/0/rules/0{object}")).unwrap()[field] = new.into();
        let said = said(broken);
        assert!(said.contains(why), "{place} {new:?}: {said:?} is not {why}");
    }
}

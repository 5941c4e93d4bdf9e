//! The form of a dashboard: what Grafana would take without a word, and what would then not work.

use super::links;
use super::macros::{self, conditional_all};
use super::questions::variable_sql;
use super::variables::{Reference, references};
use super::{Committed, boards, committed, panels, text, texts};
use crate::habitus::root;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The plugin that the queries are for.
pub(super) const PLUGIN: &str = "grafana-clickhouse-datasource";
const DATASOURCE: &str = "${datasource}";
/// What the dashboards are called.
const TITLES: [&str; 5] = ["Triage", "Identity", "Agents", "Detector quality", "Pipeline"];
const PANELS_MIN: usize = 35;
const COLUMNS: i64 = 24;
/// Versions of the classic form that Grafana 11 and 12 read without migrating it.
const SCHEMA_VERSIONS: std::ops::RangeInclusive<i64> = 39..=41;
const UID_BYTES_MAX: usize = 40;
/// Panels that come with Grafana and show numbers, which are nothing without a unit.
const WITH_UNIT: [&str; 13] = [
    "barchart",
    "bargauge",
    "gauge",
    "heatmap",
    "histogram",
    "piechart",
    "radialbar",
    "stat",
    "state-timeline",
    "status-history",
    "timeseries",
    "trend",
    "xychart",
];
/// Panels that come with Grafana and show rows or words: each column has a unit of its own.
const WITHOUT_UNIT: [&str; 5] = ["logs", "nodeGraph", "row", "table", "text"];
/// Panels that ask nothing.
pub(super) const WITHOUT_QUERY: [&str; 2] = ["row", "text"];
/// What the plugin's formats are called: time series, table, logs, traces.
const FORMATS: std::ops::RangeInclusive<i64> = 0..=3;
/// Datasources that are Grafana's own.
const BUILT_IN: [&str; 3] = ["-- Grafana --", "-- Dashboard --", "grafana"];
/// The variable with which every dashboard is narrowed to one tenant.
const TENANT: &str = "tenant";
/// Variables that nobody types into, and no URL sets.
pub(super) const FIXED: [&str; 3] = ["constant", "datasource", "interval"];
/// How a variable says that it is not shown.
const HIDDEN: i64 = 2;
/// Formats that leave nothing of a value that ClickHouse would take for more than a part of a text.
/// Those for SQL (`singlequote`, `sqlstring`) leave backslashes, with which ClickHouse escapes.
const SAFE_FORMATS: [&str; 2] = ["percentencode", "customqueryparam"];
/// What Grafana itself puts into a text.
const GRAFANAS: [&str; 18] = [
    "__all",
    "__all_variables",
    "__dashboard",
    "__data",
    "__field",
    "__from",
    "__interval",
    "__interval_ms",
    "__name",
    "__org",
    "__range",
    "__range_ms",
    "__range_s",
    "__series",
    "__timezone",
    "__to",
    "__url_time_range",
    "__value",
];
/// Of them those that it puts into a query.
const IN_QUERIES: [&str; 4] = ["__from", "__interval", "__interval_ms", "__to"];

/// What is wrong with dashboards together, and with each.
pub(super) fn complaints(all: &[Committed]) -> Vec<String> {
    let mut said = Vec::new();
    let (mut uids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for board in all {
        if !uids.insert(text(&board.json, "uid")) {
            said.push(format!("{}: its uid is another's too", board.name));
        }
        if !titles.insert(text(&board.json, "title")) {
            said.push(format!("{}: its title is another's too", board.name));
        }
    }
    for title in TITLES {
        if !titles.iter().any(|it| it.ends_with(title)) {
            said.push(format!("there is no dashboard {title}"));
        }
    }
    let asking = |it: &&&Value| !WITHOUT_QUERY.contains(&text(it, "type"));
    let count: usize = all.iter().map(|it| panels(&it.json).iter().filter(asking).count()).sum();
    if count < PANELS_MIN {
        said.push(format!("there are {count} panels, and should be {PANELS_MIN}"));
    }
    for board in all {
        let mut own = of_board(&board.json);
        own.extend(links::complaints(&board.json, all));
        said.extend(own.iter().map(|it| format!("{}: {it}", board.name)));
    }
    said
}

/// What is wrong with one dashboard.
fn of_board(board: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let uid = text(board, "uid");
    let is_plain = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
    if uid.is_empty() || uid.len() > UID_BYTES_MAX || !uid.chars().all(is_plain) {
        said.push(format!("its uid {uid:?} is none"));
    }
    if !board["id"].is_null() {
        said.push("its id is one of some server".to_owned());
    }
    if !board["schemaVersion"].as_i64().is_some_and(|it| SCHEMA_VERSIONS.contains(&it)) {
        said.push(format!("its schemaVersion is {}", board["schemaVersion"]));
    }
    let mut ids = BTreeSet::new();
    for panel in panels(board) {
        let title = text(panel, "title");
        if !panel["id"].as_i64().is_some_and(|it| it > 0 && ids.insert(it)) {
            said.push(format!("the panel {title:?} has no id of its own"));
        }
        said.extend(of_panel(panel).iter().map(|it| format!("the panel {title:?} {it}")));
    }
    for it in board["annotations"]["list"].as_array().into_iter().flatten() {
        let name = text(it, "name");
        let own = it.get("target").map(of_target).unwrap_or_default();
        said.extend(
            own.iter().map(|why| format!("the annotation {name:?} has a query that {why}")),
        );
    }
    said.extend(of_places(&board["panels"]));
    for row in panels(board) {
        said.extend(of_places(&row["panels"]));
    }
    said.extend(of_variables(board));
    said.extend(of_tenant(board));
    said.extend(of_datasources(board));
    said
}

/// What is wrong with one panel, as the end of a sentence.
fn of_panel(panel: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let kind = text(panel, "type");
    let (is_row, is_number) = (kind == "row", WITH_UNIT.contains(&kind));
    if !is_number && !WITHOUT_UNIT.contains(&kind) {
        said.push(format!("is of the type {kind:?}, which does not come with Grafana"));
    }
    if !is_said(text(panel, "title")) {
        said.push("has no title".to_owned());
    }
    if !is_row && !is_said(text(panel, "description")) {
        said.push("has no description".to_owned());
    }
    let units = ["/fieldConfig/defaults/unit", "/options/cellValues/unit", "/options/yAxis/unit"];
    let has_unit = |it: &str| panel.pointer(it).and_then(Value::as_str).is_some_and(is_said);
    if is_number && !units.iter().any(|it| has_unit(it)) {
        said.push("has no unit".to_owned());
    }
    let targets: Vec<_> = panel["targets"].as_array().into_iter().flatten().collect();
    if targets.is_empty() != WITHOUT_QUERY.contains(&kind) {
        said.push(format!("has {} queries", targets.len()));
    }
    let mut marks = BTreeSet::new();
    for target in &targets {
        let mark = text(target, "refId");
        if mark.is_empty() || !marks.insert(mark) {
            said.push(format!("has no refId of its own for a query ({mark:?})"));
        }
        said.extend(of_target(target).iter().map(|it| format!("has a query {mark} that {it}")));
    }
    said
}

fn is_said(text: &str) -> bool {
    !text.trim().is_empty()
}

/// What is wrong with one query, as the end of a sentence.
fn of_target(target: &Value) -> Vec<String> {
    let mut said = Vec::new();
    if text(target, "editorType") != "sql" {
        said.push("is not of the SQL editor".to_owned());
    }
    if !is_said(text(target, "rawSql")) {
        said.push("is empty".to_owned());
    }
    if !target["format"].as_i64().is_some_and(|it| FORMATS.contains(&it)) {
        said.push(format!("has the format {}", target["format"]));
    }
    if target["pluginVersion"].as_str().is_some_and(|it| !it.starts_with("4.")) {
        said.push(format!("is of the plugin {}", target["pluginVersion"]));
    }
    said
}

/// Panels of one level that are too wide or lie on each other.
fn of_places(panels: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let mut before: Vec<(&str, [i64; 4])> = Vec::new();
    for panel in panels.as_array().into_iter().flatten() {
        let title = text(panel, "title");
        let side = |it: &str| panel["gridPos"][it].as_i64().unwrap_or(-1);
        let [x, y, w, h] = ["x", "y", "w", "h"].map(side);
        if x < 0 || y < 0 || w < 1 || h < 1 || x + w > COLUMNS {
            said.push(format!("the panel {title:?} has no place on the grid: {x} {y} {w} {h}"));
        }
        let lies_on = |(_, [ox, oy, ow, oh]): &&(&str, [i64; 4])| {
            x < ox + ow && *ox < x + w && y < oy + oh && *oy < y + h
        };
        if let Some((other, _)) = before.iter().find(lies_on) {
            said.push(format!("the panel {title:?} lies on {other:?}"));
        }
        before.push((title, [x, y, w, h]));
    }
    said
}

/// The definitions of a dashboard's variables.
pub(super) fn definitions(board: &Value) -> Vec<&Value> {
    board["templating"]["list"].as_array().into_iter().flatten().collect()
}

/// Variables that are used and not there, there and not used, or used so that they end a text of SQL.
fn of_variables(board: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    for it in definitions(board) {
        if kinds.insert(text(it, "name"), text(it, "type")).is_some() {
            said.push(format!("the variable {} is there twice", text(it, "name")));
        }
    }
    for needed in ["datasource", TENANT] {
        if !kinds.contains_key(needed) {
            said.push(format!("there is no variable {needed}"));
        }
    }
    let mut used = BTreeSet::new();
    let mut found = Vec::new();
    for (key, part) in board.as_object().into_iter().flatten() {
        if key != "templating" {
            texts(part, key, &mut found);
        }
    }
    let mut own: Vec<(&str, Vec<(&str, &str)>)> = vec![("", found)];
    for it in definitions(board) {
        let mut found = Vec::new();
        texts(it, "", &mut found);
        own.push((text(it, "name"), found));
    }
    for (owner, found) in &own {
        for (key, it) in found {
            let is_repeat = *key == "repeat" && !it.is_empty();
            let names =
                references(it).into_iter().map(|it| it.name).chain(is_repeat.then_some(*it));
            for name in names {
                if let Some(why) = is_unknown(key, name, &kinds) {
                    said.push(why);
                }
                if name != *owner {
                    used.insert(name);
                }
            }
            if is_sql(key, owner) {
                said.extend(unquoted(it, &kinds));
            }
        }
    }
    for it in definitions(board) {
        // One that is not shown is there for links to carry it on.
        let name = text(it, "name");
        if !used.contains(name) && it["hide"].as_i64() != Some(HIDDEN) {
            said.push(format!("the variable {name} is not used"));
        }
    }
    said
}

/// Queries about every tenant, though who reads the dashboard chooses one.
fn of_tenant(board: &Value) -> Vec<String> {
    let is_chosen = |it: &Value| text(it, "name") == TENANT && it["hide"].as_i64() != Some(HIDDEN);
    if !definitions(board).into_iter().any(is_chosen) {
        return Vec::new();
    }
    let mut asked: Vec<(String, &str)> = Vec::new();
    for panel in panels(board) {
        let name = format!("the panel {:?}", text(panel, "title"));
        let targets = panel["targets"].as_array().into_iter().flatten();
        asked.extend(targets.map(|it| (name.clone(), text(it, "rawSql"))));
    }
    for it in board["annotations"]["list"].as_array().into_iter().flatten() {
        let sql = it["target"]["rawSql"].as_str();
        asked.extend(sql.map(|sql| (format!("the annotation {:?}", text(it, "name")), sql)));
    }
    for it in definitions(board) {
        if text(it, "type") == "query" && text(it, "name") != TENANT {
            asked.push((format!("the variable {}", text(it, "name")), variable_sql(it)));
        }
    }
    asked.retain(|(_, sql)| !references(sql).iter().any(|it| it.name == TENANT));
    asked.into_iter().map(|(name, _)| format!("{name} asks about every tenant")).collect()
}

/// Whether a text under this key is SQL; a variable's query may be a text by itself.
fn is_sql(key: &str, owner: &str) -> bool {
    key == "rawSql" || key == "rawQuery" || (key == "query" && !owner.is_empty())
}

/// Why a name can be replaced by nothing.
fn is_unknown(key: &str, name: &str, kinds: &BTreeMap<&str, &str>) -> Option<String> {
    let is_macro = || name.strip_prefix("__").is_some_and(macros::is_macro);
    let is_known = if kinds.contains_key(name) || is_macro() {
        true
    } else if key == "rawSql" {
        IN_QUERIES.contains(&name)
    } else {
        // `$1` is a part of what a regular expression has found.
        let is_part = name.bytes().all(|it| it.is_ascii_digit());
        is_part || GRAFANAS.contains(&name) || name.starts_with("__user")
    };
    (!is_known).then(|| format!("the variable {name} is used in {key} and is not there"))
}

/// Variables whose value could end the text of SQL in which it stands.
fn unquoted(sql: &str, kinds: &BTreeMap<&str, &str>) -> Vec<String> {
    let sql = match conditional_all(sql, |_| Some("some".to_owned())) {
        Ok(sql) => sql,
        Err(why) => return vec![why],
    };
    let is_safe = |it: &Reference<'_>| {
        let format = it.format.and_then(|it| it.split(':').next()).unwrap_or_default();
        let before = sql.get(..it.at).is_some_and(|it| it.ends_with('\''));
        let after = sql.get(it.at + it.whole.len()..).is_some_and(|it| it.starts_with('\''));
        SAFE_FORMATS.contains(&format) && before && after
    };
    references(&sql)
        .iter()
        .filter(|it| kinds.get(it.name).is_some_and(|kind| !FIXED.contains(kind)))
        .filter(|it| !is_safe(it))
        .map(|it| {
            format!(
                "{} reaches SQL so that a quote or a backslash in it ends the text: \
                 write decodeURLComponent('${{{}:percentencode}}')",
                it.whole, it.name
            )
        })
        .collect()
}

/// Datasources that are not the variable.
fn of_datasources(board: &Value) -> Vec<String> {
    let mut said = Vec::new();
    let is_right = |it: &Value| {
        let own = text(it, "type") == PLUGIN && text(it, "uid") == DATASOURCE;
        own || BUILT_IN.contains(&text(it, "uid"))
    };
    let mut look = |place: String, it: &Value| {
        if !is_right(&it["datasource"]) {
            said.push(format!("{place} has the datasource {}", it["datasource"]));
        }
    };
    for panel in panels(board) {
        if WITHOUT_QUERY.contains(&text(panel, "type")) {
            continue;
        }
        look(format!("the panel {:?}", text(panel, "title")), panel);
        for target in panel["targets"].as_array().into_iter().flatten() {
            look(format!("a query of the panel {:?}", text(panel, "title")), target);
        }
    }
    for it in board["annotations"]["list"].as_array().into_iter().flatten() {
        look(format!("the annotation {}", text(it, "name")), it);
    }
    for it in definitions(board) {
        match text(it, "type") {
            "query" => look(format!("the variable {}", text(it, "name")), it),
            "datasource" if text(it, "query") != PLUGIN => {
                look(format!("the variable {}", text(it, "name")), &json!({}));
            }
            _ => {}
        }
    }
    said
}

/// Metrics that the code publishes and the dashboard does not show, and the other way round.
/// `published` are the rows of `docs/metrics.md`: a name and whether it is a histogram, which the
/// store has as two counters.
pub(super) fn of_metrics(pipeline: &Value, published: &[(String, bool)]) -> Vec<String> {
    let mut shown = BTreeSet::new();
    let mut found = Vec::new();
    texts(&pipeline["panels"], "", &mut found);
    for (_, sql) in found.iter().filter(|(key, _)| *key == "rawSql") {
        let words = sql.split(|it: char| !(it.is_ascii_alphanumeric() || it == '_'));
        shown.extend(words.filter(|it| it.starts_with("habitus_") || it.starts_with("process_")));
    }
    let names = |(name, is_histogram): &(String, bool)| {
        let parts: &[&str] = if *is_histogram { &["_count", "_sum"] } else { &[""] };
        parts.iter().map(|part| format!("{name}{part}")).collect::<Vec<_>>()
    };
    let mut said = Vec::new();
    for metric in published {
        if !names(metric).iter().any(|it| shown.contains(it.as_str())) {
            said.push(format!("{} is published and not shown", metric.0));
        }
    }
    let all: BTreeSet<_> = published.iter().flat_map(names).collect();
    let unknown = shown.iter().filter(|it| !all.contains(**it));
    said.extend(unknown.map(|it| format!("{it} is shown and not published")));
    said
}

/// The table of `docs/metrics.md`, which a test of the metrics themselves keeps true.
pub(super) fn published() -> Vec<(String, bool)> {
    let document = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let (_, table) = document.split_once("## Every metric").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (name, rest) = row.split_once("` | ").unwrap();
        (name.to_owned(), rest.starts_with("histogram"))
    })
    .collect()
}

#[test]
fn the_committed_dashboards_are_sound() {
    let all = boards(&committed());
    let said = complaints(&all);
    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn every_metric_is_on_the_pipeline_and_nothing_else() {
    let all = boards(&committed());
    let pipeline = all.iter().find(|it| text(&it.json, "title").ends_with("Pipeline")).unwrap();
    let said = of_metrics(&pipeline.json, &published());
    assert!(said.is_empty(), "{said:#?}");
}

//! What the reader of a dashboard chooses at its top.

use crate::query::Query;
use crate::target::{PLUGIN, datasource};
use serde_json::{Value, json};

/// Which ClickHouse is asked.
pub(crate) fn source() -> Value {
    json!({
        "current": {},
        "hide": 0,
        "includeAll": false,
        "label": "Data source",
        "multi": false,
        "name": "datasource",
        "options": [],
        "query": PLUGIN,
        "refresh": 1,
        "regex": "",
        "skipUrlSync": false,
        "type": "datasource",
    })
}

/// One of what a query yields. A query is written as a text, which every version 4 of the plugin reads.
fn queried(name: &str, label: &str, query: Query) -> Value {
    let sql = query.sql();
    // Asked again with another time range only if that changes the answer.
    let refresh = if sql.contains("Time_ms") || sql.contains("$__timeFilter") { 2 } else { 1 };
    json!({
        "allowCustomValue": true,
        "current": {},
        "datasource": datasource(),
        "definition": sql,
        "hide": 0,
        "includeAll": false,
        "label": label,
        "multi": false,
        "name": name,
        "options": [],
        "query": sql,
        "refresh": refresh,
        "regex": "",
        "skipUrlSync": false,
        "sort": 0,
        "type": "query",
    })
}

/// One of what a query yields; the first, unless something else is chosen.
pub(crate) fn one(name: &str, label: &str, query: Query) -> Value {
    queried(name, label, query)
}

/// One of what a query yields, or all of it.
pub(crate) fn one_or_all(name: &str, label: &str, query: Query) -> Value {
    let mut variable = queried(name, label, query);
    variable["includeAll"] = json!(true);
    variable["current"] = json!({"selected": true, "text": "All", "value": "$__all"});
    variable
}

/// One of these texts.
pub(crate) fn choice(name: &str, label: &str, texts: &[&str], first: &str) -> Value {
    let options =
        texts.iter().map(|text| json!({"selected": *text == first, "text": text, "value": text}));
    json!({
        "allowCustomValue": false,
        "current": {"selected": true, "text": first, "value": first},
        "hide": 0,
        "includeAll": false,
        "label": label,
        "multi": false,
        "name": name,
        "options": options.collect::<Vec<_>>(),
        "query": texts.join(","),
        "skipUrlSync": false,
        "type": "custom",
    })
}

/// A text that is changed where the dashboard is, not by its reader.
pub(crate) fn constant(name: &str, label: &str, value: &str) -> Value {
    json!({
        "current": {"selected": true, "text": value, "value": value},
        "hide": 2,
        "label": label,
        "name": name,
        "options": [{"selected": true, "text": value, "value": value}],
        "query": value,
        "skipUrlSync": true,
        "type": "constant",
    })
}

/// The same, not shown: so that links carry the choice on.
pub(crate) fn unseen(mut variable: Value) -> Value {
    variable["hide"] = json!(2);
    variable
}

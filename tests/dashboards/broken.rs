//! That the lint of the dashboards says something of each fault: a sound dashboard, broken in one way each time.

use super::lint::{PLUGIN, complaints, of_metrics};
use super::{Committed, text};
use serde_json::{Value, json};

const TITLES: [&str; 5] = ["Triage", "Identity", "Agents", "Detector quality", "Pipeline"];

fn source() -> Value {
    json!({"type": PLUGIN, "uid": "${datasource}"})
}

/// A panel at a place, `number` counted from 0.
fn panel(number: i64) -> Value {
    json!({
        "id": number + 1,
        "type": "timeseries",
        "title": format!("Panel {number} of $tenant"),
        "description": "What it shows.",
        "datasource": source(),
        "gridPos": {"x": number % 2 * 12, "y": number / 2 * 8, "w": 12, "h": 8},
        "fieldConfig": {"defaults": {"unit": "short", "links": [{
            "url": "/d/identity?var-tenant=${__data.fields.tenant_id:percentencode}&${__url_time_range}"
        }]}},
        "targets": [{
            "refId": "A",
            "datasource": source(),
            "editorType": "sql",
            "format": 0,
            "pluginVersion": "4.3.2",
            "rawSql": "SELECT $__timeInterval(at) FROM t WHERE $__timeFilter(at) AND \
                       $__conditionalAll(a = decodeURLComponent('${tenant:percentencode}'), $tenant)",
        }],
    })
}

fn board(title: &str) -> Committed {
    let json = json!({
        "uid": title.to_lowercase().replace(' ', "-"),
        "title": title,
        "id": null,
        "schemaVersion": 41,
        "links": [{"title": "Identity", "url": "/d/identity", "keepTime": true, "includeVars": true}],
        "panels": (0..7).map(panel).collect::<Vec<_>>(),
        "annotations": {"list": [{"name": "built in", "datasource": {"uid": "-- Grafana --"}}]},
        "templating": {"list": [
            {"name": "datasource", "type": "datasource", "query": PLUGIN},
            {"name": "tenant", "type": "query", "datasource": source(), "query": "SELECT a FROM t"},
        ]},
    });
    Committed { name: format!("{title}.json"), json }
}

fn sound() -> Vec<Committed> {
    TITLES.map(board).into()
}

/// What is said where one value of the first dashboard is another.
fn said_of(place: &str, new: &Value) -> String {
    let mut all = sound();
    let (object, field) = place.rsplit_once('/').unwrap();
    let object = all[0].json.pointer_mut(object).unwrap();
    match object {
        Value::Array(items) => items[field.parse::<usize>().unwrap()] = new.clone(),
        object => object[field] = new.clone(),
    }
    complaints(&all).join("; ")
}

#[track_caller]
fn check(cases: &[(&str, Value, &str)]) {
    for (place, new, why) in cases {
        let said = said_of(place, new);
        assert!(said.contains(why), "{place} = {new}: {said:?} is not {why}");
    }
}

#[test]
fn nothing_is_said_of_sound_dashboards() {
    assert_eq!(complaints(&sound()), Vec::<String>::new());
}

#[test]
fn faults_of_a_dashboard_are_said() {
    let variable = |name: &str| json!({"name": name, "type": "textbox", "query": ""});
    let asking = json!({"name": "other", "type": "query", "query": "SELECT 1"});
    check(&[
        ("/uid", json!("pipeline"), "its uid is another's too"),
        ("/uid", json!(""), "is none"),
        ("/uid", json!("a b"), "is none"),
        ("/uid", json!("x".repeat(41)), "is none"),
        ("/title", json!("Pipeline"), "its title is another's too"),
        ("/title", json!("Something"), "there is no dashboard Triage"),
        ("/panels", json!([]), "there are 28 panels"),
        ("/id", json!(7), "is one of some server"),
        ("/schemaVersion", json!(38), "its schemaVersion is 38"),
        ("/schemaVersion", json!(42), "its schemaVersion is 42"),
        ("/templating/list/1", variable("datasource"), "datasource is there twice"),
        ("/templating/list/1", variable("other"), "there is no variable tenant"),
        ("/templating/list/1", variable("other"), "the variable other is not used"),
        ("/templating/list/0", asking, "the variable other asks about every tenant"),
        ("/templating/list/1/datasource", json!(null), "the variable tenant has the datasource"),
        ("/templating/list/0/query", json!("mysql"), "the variable datasource has the datasource"),
        ("/annotations/list/0/datasource", json!("x"), "the annotation built in has"),
        ("/annotations/list/0/target", json!({"rawSql": ""}), "\"built in\" has a query that is"),
        ("/annotations/list/0/target", json!({"rawSql": "SELECT 1"}), "asks about every tenant"),
        ("/templating/list/1/query", json!("SELECT '${none:csv}'"), "the variable none is used"),
        ("/links/0/keepTime", json!(false), "loses the time range or the variables"),
        ("/links/0/includeVars", json!(false), "loses the time range or the variables"),
        ("/links/0/url", json!("/d/nowhere"), "/d/nowhere leads to no dashboard"),
    ]);
}

#[test]
fn faults_of_a_panel_are_said() {
    let at = |x: i64, y: i64, w: i64| json!({"x": x, "y": y, "w": w, "h": 8});
    check(&[
        ("/panels/0/id", json!(2), "has no id of its own"),
        ("/panels/0/id", json!("1"), "has no id of its own"),
        ("/panels/0/title", json!(" "), "has no title"),
        ("/panels/0/title", json!("of $someone"), "the variable someone is used in title"),
        ("/panels/0/description", json!(""), "has no description"),
        ("/panels/0/fieldConfig/defaults/unit", json!(""), "has no unit"),
        ("/panels/0/type", json!("flowchart"), "which does not come with Grafana"),
        ("/panels/0/repeat", json!("someone"), "the variable someone is used in repeat"),
        ("/panels/0/datasource", json!(null), "has the datasource null"),
        ("/panels/0/datasource/uid", json!("abc"), "has the datasource"),
        ("/panels/0/gridPos", at(13, 0, 12), "has no place on the grid"),
        ("/panels/0/gridPos", json!({}), "has no place on the grid"),
        ("/panels/1/gridPos", at(11, 0, 12), "lies on"),
        ("/panels/0/targets", json!([]), "has 0 queries"),
    ]);
    // A row's panels lie beside each other too.
    let row = json!({"id": 99, "type": "row", "title": "Row", "gridPos": at(0, 90, 24),
        "panels": [panel(90), panel(90)]});
    let said = said_of("/panels/6", &row);
    assert!(said.contains("has no id of its own") && said.contains("lies on"), "{said}");
}

#[test]
fn faults_of_a_query_are_said() {
    let sql = "/panels/0/targets/0/rawSql";
    check(&[
        ("/panels/0/targets/0/refId", json!(""), "has no refId of its own"),
        ("/panels/0/targets/0/editorType", json!("builder"), "is not of the SQL editor"),
        ("/panels/0/targets/0/format", json!("table"), "has the format \"table\""),
        ("/panels/0/targets/0/pluginVersion", json!("3.3.0"), "is of the plugin \"3.3.0\""),
        ("/panels/0/targets/0/datasource", json!({"uid": "x"}), "a query of the panel"),
        (sql, json!(" "), "is empty"),
        (sql, json!("SELECT $__timeGroup(at)"), "the variable __timeGroup is used in rawSql"),
        (sql, json!("SELECT ${__data.fields.x}"), "the variable __data is used in rawSql"),
        (sql, json!("SELECT $none"), "the variable none is used in rawSql"),
        (sql, json!("SELECT 1"), "the panel \"Panel 0 of $tenant\" asks about every tenant"),
        (sql, json!("SELECT '$tenant'"), "$tenant reaches SQL"),
        (sql, json!("SELECT ${tenant:singlequote}"), "${tenant:singlequote} reaches SQL"),
        (sql, json!("SELECT ${tenant:sqlstring}"), "${tenant:sqlstring} reaches SQL"),
        (sql, json!("SELECT ${tenant:percentencode}"), "${tenant:percentencode} reaches SQL"),
        (sql, json!("SELECT '[[tenant:csv]]'"), "[[tenant:csv]] reaches SQL"),
        (sql, json!("$__conditionalAll(a)"), "takes 2 arguments"),
    ]);
}

#[test]
fn faults_of_a_link_are_said() {
    let url = "/panels/0/fieldConfig/defaults/links/0/url";
    let time = "${__url_time_range}";
    check(&[
        (url, json!("/d/identity?var-tenant=a"), "loses the time range"),
        (url, json!(format!("/d/identity?var-no=a&{time}")), "gives no, which"),
        (url, json!(format!("/d/identity?${{no:queryparam}}&{time}")), "gives no, which"),
        (url, json!(format!("/d/identity?var-tenant=$tenant&{time}")), "more than one part of it"),
        (url, json!(format!("/d/none?{time}")), "leads to no dashboard"),
        (url, json!("${tenant}/none"), "leads to no page of the console"),
        (url, json!("https://example.com/"), "leads to nobody known"),
    ]);
    let text = json!({"content": "see [it](/d/none) and [this](/d/identity?${__url_time_range})"});
    let said = said_of("/panels/0/options", &text);
    assert!(said.contains("/d/none leads to no dashboard"), "{said}");
    assert!(!said.contains("identity"), "{said}");
    let good = json!("${tenant}/findings/${__data.fields.id:percentencode}");
    assert_eq!(said_of(url, &good), "");
}

#[test]
fn metrics_that_are_missing_or_unknown_are_said() {
    let mut pipeline = board("Pipeline").json;
    pipeline["panels"][0]["targets"][0]["rawSql"] =
        json!("SELECT 'habitus_a_total', 'habitus_b_seconds_sum', 'process_old'");
    let published = [("habitus_a_total", false), ("habitus_b_seconds", true), ("habitus_c", false)];
    let published = published.map(|(name, is)| (name.to_owned(), is));
    assert_eq!(
        of_metrics(&pipeline, &published),
        ["habitus_c is published and not shown", "process_old is shown and not published"]
    );
    assert!(super::lint::published().len() > 40);
    assert_eq!(text(&pipeline, "title"), "Pipeline");
}

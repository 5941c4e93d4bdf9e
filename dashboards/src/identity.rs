//! *Identity*: who it is, and what it did.

use crate::column::{Column, HOURS, column, finding};
use crate::dashboard::{Dashboard, tenant};
use crate::feature;
use crate::link;
use crate::panel::Panel;
use crate::query::query;
use crate::target::Format::{Table, TimeSeries};
use crate::target::{datasource, target};
use crate::variable;
use serde_json::{Value, json};

/// What the bands of this dashboard are; every panel with one says so.
const BAND: &str = "Each UTC hour with a call (over a long time the highest of several), and of the identity's own hours of the 28 days before the time range what 5 %, half and 95 % stayed under. It is what was, not the model's expectation, which stands in the findings.";

pub(crate) fn identity() -> Dashboard {
    Dashboard {
        uid: "habitus-identity",
        description: "Who it is, what it usually does, and what it did. An identity that the list does not hold can be typed.",
        from: "now-7d",
        variables: vec![
            tenant(),
            variable::one("identity", "Identity", query!("variable_identity")),
            variable::one_or_all("finding", "Evidence of", query!("variable_finding")),
            variable::choice("feature", "Feature", &feature::names(), "objects_distinct"),
        ],
        annotations: vec![marks()],
        panels: [who(), features(), places(), endpoints(), findings()]
            .into_iter()
            .flatten()
            .collect(),
    }
}

/// The identity's findings on every time axis. Their sentences stay out: Grafana shows an
/// annotation's text as HTML, and a sentence holds what others wrote.
fn marks() -> Value {
    json!({
        "datasource": datasource(),
        "enable": true,
        "hide": false,
        "iconColor": "red",
        "name": "Findings",
        "target": target("annotation", Table, query!("identity_marks")),
    })
}

fn who() -> Vec<Panel> {
    vec![
        Panel::table(
            1,
            "Who it is",
            "What is kept of the identity: its latest state, its usual hours (UTC) and endpoints, its peer group (−1 without one) and how many hours were learned from. Where several tenants have an identity of this id, all are here, and what is below is of the first: choose a tenant.",
        )
        .size(24, 5)
        .columns([
            column("principal_id").width(260),
            column("first_seen").unit("dateTimeAsIso").width(170),
            column("last_seen").unit("dateTimeAsIso").width(170),
            column("active_hours").unit(HOURS),
            column("endpoints_usual").text().width(320),
            column("windows_learned").unit(HOURS),
            column("windows_withheld").unit(HOURS),
        ])
        .query(Table, query!("identity_profile")),
        Panel::lines(
            2,
            "Risk",
            "The identity's risk (0 to 260) at the end of each UTC day: its findings of 28 days, the heaviest first, halved every seven days.",
        )
        .unit("short")
        .interval("1d")
        .columns([column("risk").color("red")])
        .query(TimeSeries, query!("identity_risk")),
        Panel::table(
            3,
            "Peers",
            "Identities of the same peer group: itself first, then by risk, at most 50. Empty while there are no groups, which need 40 identities.",
        )
        .size(12, 8)
        .columns([
            column("principal_id").width(240).link("The identity", link::IDENTITY),
            column("requests_per_hour_mean").unit("short"),
            column("bytes_out_per_hour_median").unit("bytes"),
            column("risk").gauge(),
            column("last_seen").unit("dateTimeAsIso").width(170),
        ])
        .query(Table, query!("identity_peers")),
    ]
}

/// One feature over time, with the identity's own band.
fn band(id: u32, title: &'static str, unit: &str, value: &str) -> Panel {
    Panel::lines(id, title, BAND)
        .unit(unit)
        .interval("1h")
        .size(8, 7)
        .columns([
            column("observed").color("blue"),
            column("p05").color("gray").dashed(),
            column("p50").color("green").dashed(),
            column("p95").color("orange").dashed(),
        ])
        .query(TimeSeries, query!("identity_band").with("feature", value))
}

fn features() -> Vec<Panel> {
    let table = query!("identity_features")
        .with("features", &feature::all())
        .with("in_range", "window_start >= ($__fromTime_ms)");
    vec![
        band(4, "Calls an hour", "short", "toNullable(toFloat64(requests))"),
        band(5, "Bytes out an hour", "bytes", "toNullable(bytes_out)"),
        band(6, "Objects read an hour", "short", "toNullable(toFloat64(objects_distinct))"),
        band(7, "Endpoints an hour", "short", "toNullable(toFloat64(endpoints_distinct))"),
        band(8, "Busiest 10 seconds", "short", "toNullable(toFloat64(requests_per_10s_max))"),
        band(9, "The chosen feature", "short", &feature::chosen()),
        Panel::table(
            10,
            "Every feature against the identity's own band",
            "Of each feature of an hour: the middle and the highest of the time range, and what 5 %, half and 95 % of the identity's own hours of the 28 days before stayed under. One hour in twenty is above p95 by itself, so a maximum above it says little; a middle above it says a lot. Empty bands mean that there are no hours before.",
        )
        .size(24, 12)
        .columns([column("feature").width(240), column("unit").width(110)])
        .query(Table, table),
    ]
}

/// Sums or maxima of columns in an hour, a line for each.
fn counts(how: &str, columns: &[&str]) -> String {
    let columns: Vec<_> = columns.iter().map(|it| format!("{how}(hour.{it}) AS {it}")).collect();
    columns.join(",\n    ")
}

fn places() -> Vec<Panel> {
    let answers = [
        "status_2xx",
        "status_3xx",
        "status_401",
        "status_403",
        "status_404",
        "status_4xx_other",
        "status_5xx",
        "status_unknown",
    ];
    let networks = ["networks_distinct", "networks_new", "user_agents_distinct"];
    let objects = [
        "objects_distinct",
        "objects_new",
        "objects_foreign",
        "objects_changed_distinct",
        "objects_deleted_distinct",
        "secrets_read_distinct",
    ];
    let counted = |how: &str, columns: &[&str]| {
        query!("identity_counts").with("columns", &counts(how, columns))
    };
    vec![
        Panel::bars(11, "Answers", "The identity's calls by what was answered.")
            .unit("short")
            .interval("1h")
            .size(8, 8)
            .query(TimeSeries, counted("sum", &answers)),
        Panel::lines(
            12,
            "Networks and programs",
            "Networks and programs of an hour, and networks from which the credential was never used.",
        )
        .unit("short")
        .interval("1h")
        .size(8, 8)
        .query(TimeSeries, counted("max", &networks)),
        Panel::lines(
            13,
            "Objects touched",
            "Distinct objects of an hour: read, never read before, read before by one other identity alone, changed, deleted; and secrets read.",
        )
        .unit("short")
        .interval("1h")
        .size(8, 8)
        .query(TimeSeries, counted("max", &objects)),
    ]
}

fn endpoints() -> Vec<Panel> {
    let called = |which: &str, order: &str| {
        query!("identity_endpoints")
            .with("which", which)
            .with("order", order)
            .with("in_range", "(day_start >= toStartOfDay($__fromTime_ms, 'UTC'))")
    };
    vec![
        Panel::table(
            14,
            "Usual endpoints",
            "What the identity called most in the 28 days before the time range, and how often within it; those that it did not call before come last. The time range counts from the start of its first UTC day; days are written when they are over.",
        )
        .size(12, 9)
        .columns(endpoint())
        .query(Table, called("days > 0", "(requests_before, requests_in_range)")),
        Panel::table(
            15,
            "Novel endpoints",
            "What the identity called in the time range and not in the 28 days before it. The time range counts from the start of its first UTC day; days are written when they are over.",
        )
        .size(12, 9)
        .columns(endpoint())
        .query(
            Table,
            called("requests_before = 0 AND requests_in_range > 0", "requests_in_range"),
        ),
    ]
}

fn endpoint() -> [Column; 3] {
    [
        column("endpoint").width(320),
        column("last_day").unit("dateTimeAsIso").width(170),
        column("tenant_id").width(110),
    ]
}

fn findings() -> Vec<Panel> {
    vec![
        Panel::table(
            16,
            "Findings",
            "The identity's findings of the time range, whatever was said of them, the latest first. The sentence leads to that finding's evidence.",
        )
        .size(24, 10)
        .columns(finding().into_iter().chain([
            column("counterfactual").text(),
            column("verdict").width(90),
        ]))
        .query(Table, query!("identity_findings")),
        Panel::table(
            17,
            "Evidence",
            "The calls that the chosen finding, or all findings of the time range, rest on: when, what, the answer, from where, the AI agent that made it where the log names one, and where in the log it stands.",
        )
        .size(14, 10)
        .columns([
            column("time").unit("dateTimeAsIso").width(170),
            column("request").width(300),
            column("status").unit("none"),
            column("bytes_out").unit("bytes"),
            column("agent").width(140),
            column("line").unit("none"),
            column("finding_id").hidden(),
        ])
        .query(Table, query!("identity_evidence")),
        Panel::table(
            18,
            "Contributors",
            "What the chosen finding, or all findings of the time range, consist of: the mean share of each part.",
        )
        .size(10, 10)
        .columns([column("name").width(260), column("share").unit("percentunit").gauge()])
        .query(Table, query!("identity_contributors")),
        Panel::table(
            19,
            "Timeline",
            "Hour by hour what the identity did, and what was found; the latest first, at most 500 rows.",
        )
        .size(24, 10)
        .columns([
            column("at").unit("dateTimeAsIso").width(170),
            column("kind").width(80),
            column("detector").width(150),
            column("entity").width(220),
            column("headline").text(),
            column("bytes_out").unit("bytes"),
        ])
        .query(Table, query!("identity_timeline")),
    ]
}

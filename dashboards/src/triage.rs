//! *Triage*: what is burning.

use crate::column::{Column, column, finding, severities};
use crate::dashboard::{Dashboard, tenant};
use crate::link;
use crate::panel::Panel;
use crate::query::{Query, query};
use crate::target::Format::{Table, TimeSeries};
use crate::variable;
use serde_json::json;

pub(crate) fn triage() -> Dashboard {
    Dashboard {
        uid: "habitus-triage",
        description: "What is burning: findings and incidents nobody called benign, the identities at risk, and what was seen for the first time.",
        from: "now-24h",
        variables: vec![
            tenant(),
            variable::choice(
                "severity",
                "At least",
                &["info", "low", "medium", "high", "critical"],
                "medium",
            ),
        ],
        annotations: Vec::new(),
        panels: [numbers(), overview(), tables()].into_iter().flatten().collect(),
    }
}

fn numbers() -> Vec<Panel> {
    vec![
        Panel::stat(
            1,
            "Open critical findings",
            "Critical findings of the time range that nobody called benign.",
        )
        .unit("short")
        .thresholds(&[(1.0, "dark-red")])
        .query(Table, query!("triage_open").with("level", "critical")),
        Panel::stat(
            2,
            "Open high findings",
            "High findings of the time range that nobody called benign.",
        )
        .unit("short")
        .thresholds(&[(1.0, "red")])
        .query(Table, query!("triage_open").with("level", "high")),
        Panel::stat(
            3,
            "Open incidents",
            "Incidents that touch the time range and had a finding in the last six hours of event time.",
        )
        .unit("short")
        .thresholds(&[(1.0, "orange")])
        .query(Table, query!("triage_incidents_open")),
        Panel::stat(
            4,
            "Identities concerned",
            "Identities with a high or critical finding of the time range that nobody called benign.",
        )
        .unit("short")
        .thresholds(&[(1.0, "orange")])
        .query(Table, query!("triage_identities")),
    ]
}

fn overview() -> Vec<Panel> {
    vec![
        Panel::bars(
            5,
            "Findings by severity",
            "Findings by when they were detected, whatever was said of them since. Drag over a burst to look at it alone.",
        )
        .unit("short")
        .interval("10m")
        .columns(severities())
        .query(TimeSeries, query!("triage_severities")),
        Panel::heatmap(
            6,
            "OWASP × day",
            "Findings of each UTC day that the time range touches, whatever was said of them, by the OWASP risks they point at: API 2023, LLM 2025, agentic (ASI). A finding counts for each of its risks.",
        )
        .unit("short")
        .query(TimeSeries, query!("triage_owasp")),
        Panel::table(
            7,
            "Identities at risk",
            "The 15 identities with the highest risk (0 to 260) at the end of the time range, and what it was at the end of each UTC day. It halves every seven days without a finding, and is of all findings, whatever was said of them.",
        )
        .size(12, 10)
        .columns([
            column("tenant_id").width(110),
            column("principal_id").link("The identity", link::IDENTITY),
            column("Trend #A").width(260),
        ])
        .query(TimeSeries, query!("triage_risk"))
        .transform("prepareTimeSeries", &json!({"format": "multi"}))
        .transform("timeSeriesTable", &json!({"A": {"stat": "lastNotNull", "timeField": "time"}})),
        Panel::table(
            8,
            "Incidents",
            "Incidents that touch the time range: open ones first, then by severity. An incident closes six hours after its last finding.",
        )
        .size(12, 10)
        .columns([
            column("last_detected_at").unit("dateTimeAsIso").width(170),
            column("first_detected_at").unit("dateTimeAsIso").width(170),
            column("severity").severity(),
            column("status").width(80),
            column("findings").width(80),
            column("identities").width(90),
            column("detectors").text().width(160),
            column("connected_by").width(110),
            column("sentence").text(),
            column("tenant_id").width(110),
            column("incident_id").hidden(),
        ])
        .query(Table, query!("triage_incidents")),
    ]
}

fn tables() -> Vec<Panel> {
    let first_seen =
        |detectors: &str| -> Query { query!("detectors_findings").with("detectors", detectors) };
    let open: Vec<Column> = finding().into_iter().chain([column("verdict").width(90)]).collect();
    vec![
        Panel::table(
            9,
            "Open findings",
            "Findings from the chosen severity on that nobody called benign: the 200 most severe, of these the latest first. The identity leads to its page, the sentence to the evidence.",
        )
        .size(24, 14)
        .columns(open)
        .query(Table, query!("triage_findings")),
        Panel::table(
            10,
            "First-seen endpoints",
            "Endpoints that an identity called for the first time though its peers do not, and endpoints that nobody was answered by before: findings that nobody called benign.",
        )
        .size(12, 10)
        .columns(finding())
        .query(Table, first_seen("'first_seen_endpoint', 'inventory'")),
        Panel::table(
            11,
            "First-seen networks",
            "Credentials used from a network where they were never used before, and addresses from which many identities call: findings that nobody called benign.",
        )
        .size(12, 10)
        .columns(finding())
        .query(Table, first_seen("'new_network', 'key_fanout'")),
    ]
}

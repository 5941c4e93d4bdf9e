//! Alert rules, in the form that Grafana is provisioned with.

use crate::provisioning::SOURCE_UID;
use crate::query::{Query, query};
use crate::target::{Format, target};
use serde_json::{Value, json};

/// Where Grafana lists the rules, beside the dashboards.
const FOLDER: &str = "Habitus";
/// Data sources of Grafana that calculate with what others answered.
const EXPRESSION: &str = "__expr__";

/// A rule: a number for each row of a query, and the value beyond which it fires.
struct Rule {
    uid: &'static str,
    title: &'static str,
    summary: &'static str,
    description: &'static str,
    severity: &'static str,
    /// The dashboard and the panel that show more.
    panel: (&'static str, u32),
    query: Query,
    /// How far back the query looks, in seconds.
    range_s: u32,
    /// Fires above this; below it where `is_below`.
    value: f64,
    is_below: bool,
    /// How long it must hold.
    hold: &'static str,
    /// What an empty answer means: `OK` or `Alerting`.
    empty: &'static str,
}

/// All rules, in one group that is asked every minute.
pub(crate) fn rules() -> Value {
    let rules: Vec<_> = findings().into_iter().chain(health()).map(Rule::json).collect();
    json!({
        "apiVersion": 1,
        "groups": [{
            "folder": FOLDER,
            "interval": "1m",
            "name": "habitus",
            "orgId": 1,
            "rules": rules,
        }],
    })
}

fn findings() -> [Rule; 3] {
    [
        Rule {
            uid: "habitus-critical-finding",
            title: "Critical finding",
            summary: "{{ $labels.detector }} found something critical of {{ if $labels.principal_id }}{{ $labels.principal_id }}{{ else }}nobody in particular{{ end }}",
            description: "Findings that were written as critical within the last hour, by tenant, identity and detector: found or made graver then, though the event may be a week old. Nobody called them benign. Look: /d/habitus-identity?var-tenant={{ urlquery $labels.tenant_id }}&var-identity={{ urlquery $labels.principal_id }}&from=now-7d&to=now",
            severity: "critical",
            panel: ("habitus-triage", 9),
            query: query!("alert_critical_finding"),
            range_s: 3_600,
            value: 0.0,
            is_below: false,
            hold: "0s",
            empty: "OK",
        },
        Rule {
            uid: "habitus-incident-burst",
            title: "Incident burst",
            summary: "Many incidents began within an hour in the tenant {{ $labels.tenant_id }}",
            description: "More than five incidents began in the last hour of event time, whatever was written later: an attack on many, or a change of the site that nobody announced.",
            severity: "warning",
            panel: ("habitus-triage", 8),
            query: query!("alert_incident_burst"),
            range_s: 3_600,
            value: 5.0,
            is_below: false,
            hold: "0s",
            empty: "OK",
        },
        Rule {
            uid: "habitus-identity-explosion",
            title: "Identity explosion",
            summary: "Far more identities than ever in the tenant {{ $labels.tenant_id }}",
            description: "identity_explosion found, as was written within the last hour, that far more identities called than ever, and nobody called it benign: one caller with many names, or a rule that resolves identities wrongly. While it lasts nothing is learned from them.",
            severity: "critical",
            panel: ("habitus-pipeline", 13),
            query: query!("alert_identity_explosion"),
            range_s: 3_600,
            value: 0.0,
            is_below: false,
            hold: "0s",
            empty: "OK",
        },
    ]
}

fn health() -> [Rule; 3] {
    [
        Rule {
            uid: "habitus-pipeline-silent",
            title: "Pipeline silent",
            summary: "No epoch was committed for 15 minutes",
            description: "No partition was read and judged for 15 minutes: no process leads, the store takes nothing, or nothing is logged.",
            severity: "critical",
            panel: ("habitus-pipeline", 2),
            query: query!("alert_pipeline_silent"),
            range_s: 900,
            value: 1.0,
            is_below: true,
            hold: "2m",
            empty: "Alerting",
        },
        Rule {
            uid: "habitus-watermark-stalled",
            title: "Watermark stalled",
            summary: "{{ $labels.app }} is more than 15 minutes behind the clock, with records waiting",
            description: "The time up to which events were judged is more than 15 minutes behind the clock, though the broker has records that were not read: events come faster than they are judged, or something holds them up. Findings come late.",
            severity: "critical",
            panel: ("habitus-pipeline", 4),
            query: query!("alert_watermark_stalled"),
            range_s: 300,
            value: 900.0,
            is_below: false,
            hold: "5m",
            empty: "OK",
        },
        Rule {
            uid: "habitus-dead-letters",
            title: "Dead letters",
            summary: "The store refused rows of {{ $labels.app }}",
            description: "Rows that the store refused within the last hour and that were set aside: see dead-letters.ndjson. They are on no dashboard until they are written again.",
            severity: "warning",
            panel: ("habitus-pipeline", 12),
            query: query!("alert_dead_letters"),
            range_s: 3_600,
            value: 0.0,
            is_below: false,
            hold: "0s",
            empty: "OK",
        },
    ]
}

impl Rule {
    fn json(self) -> Value {
        let (dashboard, panel) = self.panel;
        let mut asked = target("A", Format::Table, self.query);
        asked["intervalMs"] = json!(60_000);
        asked["maxDataPoints"] = json!(43_200);
        let range = json!({"from": self.range_s, "to": 0});
        json!({
            "annotations": {
                "__dashboardUid__": dashboard,
                "__panelId__": panel.to_string(),
                "description": self.description,
                "summary": self.summary,
            },
            "condition": "C",
            "dashboardUid": dashboard,
            "data": [
                {"datasourceUid": SOURCE_UID, "model": asked, "refId": "A", "relativeTimeRange": range},
                {"datasourceUid": EXPRESSION, "model": reduce(), "refId": "B", "relativeTimeRange": range},
                {"datasourceUid": EXPRESSION, "model": threshold(self.value, self.is_below), "refId": "C", "relativeTimeRange": range},
            ],
            "execErrState": "Error",
            "for": self.hold,
            "isPaused": false,
            "labels": {"habitus": "true", "severity": self.severity},
            "noDataState": self.empty,
            "panelId": panel,
            "title": self.title,
            "uid": self.uid,
        })
    }
}

/// The query's number itself, as the threshold takes it.
fn reduce() -> Value {
    json!({
        "datasource": {"type": EXPRESSION, "uid": EXPRESSION},
        "expression": "A",
        "reducer": "last",
        "refId": "B",
        "settings": {"mode": "dropNN"},
        "type": "reduce",
    })
}

fn threshold(value: f64, is_below: bool) -> Value {
    let kind = if is_below { "lt" } else { "gt" };
    json!({
        "conditions": [{"evaluator": {"params": [value], "type": kind}}],
        "datasource": {"type": EXPRESSION, "uid": EXPRESSION},
        "expression": "B",
        "refId": "C",
        "type": "threshold",
    })
}

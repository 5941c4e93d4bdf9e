//! Ways from one dashboard to another, with what was looked at.

use serde_json::{Value, json};

/// The dashboards in the order of an analyst's questions: uid and title.
pub(crate) const DASHBOARDS: [(&str, &str); 5] = [
    ("habitus-triage", "Triage"),
    ("habitus-identity", "Identity"),
    ("habitus-agents", "Agents"),
    ("habitus-quality", "Detector quality"),
    ("habitus-pipeline", "Pipeline"),
];

/// From a row with `tenant_id` and `principal_id` to the identity, in the same time range.
pub(crate) const IDENTITY: &str = "/d/habitus-identity?${datasource:queryparam}\
    &var-tenant=${__data.fields.tenant_id:percentencode}\
    &var-identity=${__data.fields.principal_id:percentencode}&${__url_time_range}";
/// From a row with `finding_id` too to that finding's evidence.
pub(crate) const EVIDENCE: &str = "/d/habitus-identity?${datasource:queryparam}\
    &var-tenant=${__data.fields.tenant_id:percentencode}\
    &var-identity=${__data.fields.principal_id:percentencode}\
    &var-finding=${__data.fields.finding_id:percentencode}&${__url_time_range}";
/// From a row with `detector` to how good that detector is.
pub(crate) const QUALITY: &str = "/d/habitus-quality?${datasource:queryparam}&${tenant:queryparam}\
    &var-detector=${__data.fields.detector:percentencode}&${__url_time_range}";

/// Links at the top of a dashboard to the others; they carry data source, tenant and time range.
pub(crate) fn others(uid: &str) -> Vec<Value> {
    let others = DASHBOARDS.into_iter().filter(|(other, _)| *other != uid);
    others.map(|(other, title)| dashboard(other, title)).collect()
}

fn dashboard(uid: &str, title: &str) -> Value {
    json!({
        "asDropdown": false,
        "icon": "dashboard",
        "includeVars": false,
        "keepTime": true,
        "tags": [],
        "targetBlank": false,
        "title": title,
        "tooltip": "",
        "type": "link",
        "url": format!("/d/{uid}?${{datasource:queryparam}}&${{tenant:queryparam}}"),
    })
}

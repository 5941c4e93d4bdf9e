//! A whole dashboard, and its JSON.

use crate::link;
use crate::panel::{Panel, arrange};
use crate::query::query;
use crate::variable;
use serde_json::{Value, json};

/// The form of dashboards that this is: the last of the classic ones.
const SCHEMA_VERSION: u32 = 41;

/// A dashboard: what can be chosen, and what is shown.
#[derive(Debug)]
pub(crate) struct Dashboard {
    /// One of [`link::DASHBOARDS`].
    pub(crate) uid: &'static str,
    pub(crate) description: &'static str,
    /// How far back it looks at first, such as `now-24h`.
    pub(crate) from: &'static str,
    /// Besides the data source.
    pub(crate) variables: Vec<Value>,
    pub(crate) annotations: Vec<Value>,
    pub(crate) panels: Vec<Panel>,
}

impl Dashboard {
    pub(crate) fn json(self) -> Value {
        let title = link::DASHBOARDS.into_iter().find(|(uid, _)| *uid == self.uid);
        let title = title.map_or(self.uid, |(_, title)| title);
        let mut variables = vec![variable::source()];
        variables.extend(self.variables);
        json!({
            "annotations": {"list": self.annotations},
            "description": self.description,
            "editable": true,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            "id": null,
            "links": link::others(self.uid),
            "panels": arrange(self.panels),
            "preload": false,
            "refresh": "1m",
            "schemaVersion": SCHEMA_VERSION,
            "tags": ["habitus"],
            "templating": {"list": variables},
            "time": {"from": self.from, "to": "now"},
            "timepicker": {},
            "timezone": "utc",
            "title": format!("Habitus: {title}"),
            "uid": self.uid,
            "version": 1,
        })
    }
}

/// Whose rows are shown, of those that the account of Grafana may see.
pub(crate) fn tenant() -> Value {
    variable::one_or_all("tenant", "Tenant", query!("variable_tenant"))
}

/// Of which detector.
pub(crate) fn detector() -> Value {
    variable::one_or_all("detector", "Detector", query!("variable_detector"))
}

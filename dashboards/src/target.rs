//! Queries as the official ClickHouse plugin of Grafana takes them, version 4.

use crate::query::Query;
use serde_json::{Value, json};

/// The plugin, and the version that `compose.yaml` installs.
pub(crate) const PLUGIN: &str = "grafana-clickhouse-datasource";
const PLUGIN_VERSION: &str = "4.20.0";

/// What the plugin makes of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    /// A line for each text and number; needs a time, in order.
    TimeSeries,
    /// Rows and columns as they are.
    Table,
}

impl Format {
    const fn number(self) -> u8 {
        match self {
            Self::TimeSeries => 0,
            Self::Table => 1,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::TimeSeries => "timeseries",
            Self::Table => "table",
        }
    }
}

/// The data source that the reader of a dashboard chose.
pub(crate) fn datasource() -> Value {
    json!({"type": PLUGIN, "uid": "${datasource}"})
}

/// A query, named by a letter that its panel or rule has no second time.
pub(crate) fn target(name: &str, format: Format, query: Query) -> Value {
    json!({
        "editorType": "sql",
        "format": format.number(),
        "meta": {},
        "pluginVersion": PLUGIN_VERSION,
        "queryType": format.name(),
        "rawSql": query.sql(),
        "refId": name,
    })
}

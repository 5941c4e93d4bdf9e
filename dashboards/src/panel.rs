//! One panel of a dashboard, and its JSON.

use crate::column::Column;
use crate::query::Query;
use crate::target::{Format, datasource, target};
use serde_json::{Map, Value, json};

/// Columns of Grafana's grid.
const GRID_WIDTH: u32 = 24;
/// Names of a panel's queries, in order.
const NAMES: [&str; 4] = ["A", "B", "C", "D"];

/// A panel: what it asks, what it says of itself, and how large it is.
#[derive(Debug)]
pub(crate) struct Panel {
    id: u32,
    kind: &'static str,
    title: &'static str,
    description: &'static str,
    width: u32,
    height: u32,
    options: Value,
    defaults: Map<String, Value>,
    custom: Map<String, Value>,
    columns: Vec<Column>,
    queries: Vec<(Format, Query)>,
    transformations: Vec<Value>,
    interval: Option<&'static str>,
}

impl Panel {
    /// `id` stays with the panel wherever it moves, since addresses hold it.
    fn new(id: u32, kind: &'static str, title: &'static str, description: &'static str) -> Self {
        Self {
            id,
            kind,
            title,
            description,
            width: 12,
            height: 8,
            options: json!({}),
            defaults: Map::new(),
            custom: Map::new(),
            columns: Vec::new(),
            queries: Vec::new(),
            transformations: Vec::new(),
            interval: None,
        }
    }

    /// One number, with the colour of the highest threshold that it reached.
    pub(crate) fn stat(id: u32, title: &'static str, description: &'static str) -> Self {
        let mut panel = Self::new(id, "stat", title, description).size(6, 4);
        panel.options = json!({
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
            "textMode": "value",
            "wideLayout": true,
        });
        panel
    }

    /// Lines over time.
    pub(crate) fn lines(id: u32, title: &'static str, description: &'static str) -> Self {
        let mut panel = Self::new(id, "timeseries", title, description);
        panel.options = json!({
            "legend": {"calcs": ["max"], "displayMode": "list", "placement": "bottom", "showLegend": true},
            "tooltip": {"hideZeros": false, "mode": "multi", "sort": "desc"},
        });
        panel.setting("color", json!({"mode": "palette-classic"})).custom(json!({
            "drawStyle": "line",
            "fillOpacity": 8,
            "lineInterpolation": "linear",
            "lineWidth": 1,
            "showPoints": "auto",
            "spanNulls": false,
            "stacking": {"group": "A", "mode": "none"},
        }))
    }

    /// Bars over time, one upon the other.
    pub(crate) fn bars(id: u32, title: &'static str, description: &'static str) -> Self {
        Self::lines(id, title, description).custom(json!({
            "drawStyle": "bars",
            "fillOpacity": 80,
            "lineWidth": 0,
            "stacking": {"group": "A", "mode": "normal"},
        }))
    }

    /// Rows and columns.
    pub(crate) fn table(id: u32, title: &'static str, description: &'static str) -> Self {
        let mut panel = Self::new(id, "table", title, description).size(24, 9).unit("short");
        panel.options = json!({"cellHeight": "sm", "showHeader": true});
        panel.custom(json!({
            "align": "auto",
            "cellOptions": {"type": "auto"},
            "filterable": true,
            "inspect": false,
        }))
    }

    /// A row for each text and a column for each time, darker where there is more.
    pub(crate) fn heatmap(id: u32, title: &'static str, description: &'static str) -> Self {
        let mut panel = Self::new(id, "heatmap", title, description);
        panel.options = json!({
            "calculate": false,
            "cellGap": 1,
            "cellValues": {"unit": "short"},
            "color": {"exponent": 0.5, "fill": "dark-orange", "mode": "scheme", "reverse": false, "scale": "exponential", "scheme": "Oranges", "steps": 32},
            "filterValues": {"le": 1e-9},
            "legend": {"show": true},
            "rowsFrame": {"layout": "auto", "value": "findings"},
            "showValue": "auto",
            "tooltip": {"mode": "single", "showColorScale": false, "yHistogram": false},
            "yAxis": {"axisPlacement": "left", "reverse": true},
        });
        panel
    }

    /// Width of 24 columns, and height in rows of 30 pixels.
    pub(crate) fn size(mut self, width: u32, height: u32) -> Self {
        self.width = width;
        self.height = height;
        self
    }

    pub(crate) fn setting(mut self, name: &str, value: Value) -> Self {
        self.defaults.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn unit(self, unit: &str) -> Self {
        self.setting("unit", json!(unit))
    }

    /// Colours from these values on; below them all it is green.
    pub(crate) fn thresholds(self, steps: &[(f64, &str)]) -> Self {
        let base = json!({"color": "green", "value": null});
        let above = steps.iter().map(|(value, color)| json!({"color": color, "value": value}));
        let steps: Vec<_> = std::iter::once(base).chain(above).collect();
        self.setting("color", json!({"mode": "thresholds"}))
            .setting("thresholds", json!({"mode": "absolute", "steps": steps}))
    }

    /// Settings of the panel's kind; later ones replace earlier ones of the same name.
    pub(crate) fn custom(mut self, settings: Value) -> Self {
        if let Value::Object(settings) = settings {
            self.custom.extend(settings);
        }
        self
    }

    pub(crate) fn columns(mut self, columns: impl IntoIterator<Item = Column>) -> Self {
        self.columns.extend(columns);
        self
    }

    /// Asks this too; at most four queries.
    pub(crate) fn query(mut self, format: Format, query: Query) -> Self {
        self.queries.push((format, query));
        self
    }

    pub(crate) fn transform(mut self, id: &str, options: &Value) -> Self {
        self.transformations.push(json!({"id": id, "options": options}));
        self
    }

    /// The shortest step of time that means something.
    pub(crate) fn interval(mut self, interval: &'static str) -> Self {
        self.interval = Some(interval);
        self
    }

    fn json(self, x: u32, y: u32) -> Value {
        let queries = NAMES.into_iter().zip(self.queries);
        let targets: Vec<_> = queries
            .map(|(name, (format, query))| {
                let mut target = target(name, format, query);
                target["datasource"] = datasource();
                target
            })
            .collect();
        let mut defaults = self.defaults;
        defaults.insert("custom".to_owned(), Value::Object(self.custom));
        let mut panel = json!({
            "datasource": datasource(),
            "description": self.description,
            "fieldConfig": {
                "defaults": defaults,
                "overrides": self.columns.into_iter().map(Column::json).collect::<Vec<_>>(),
            },
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "id": self.id,
            "options": self.options,
            "targets": targets,
            "title": self.title,
            "transformations": self.transformations,
            "type": self.kind,
        });
        if let Some(interval) = self.interval {
            panel["interval"] = json!(interval);
        }
        panel
    }
}

/// Puts panels side by side as long as there is room, then below.
pub(crate) fn arrange(panels: Vec<Panel>) -> Vec<Value> {
    let (mut x, mut y, mut tallest) = (0, 0, 0);
    let mut placed = Vec::new();
    for panel in panels {
        if x + panel.width > GRID_WIDTH {
            (x, y, tallest) = (0, y + tallest, 0);
        }
        let (width, height) = (panel.width, panel.height);
        placed.push(panel.json(x, y));
        x += width;
        tallest = tallest.max(height);
    }
    placed
}

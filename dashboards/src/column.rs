//! How single columns of a panel look, and where they lead.

use crate::link;
use serde_json::{Map, Value, json};

/// Colours of severities, which are the same on every panel.
pub(crate) const SEVERITIES: [(&str, &str); 5] = [
    ("critical", "dark-red"),
    ("high", "red"),
    ("medium", "orange"),
    ("low", "yellow"),
    ("info", "blue"),
];

/// A count of hours: Grafana's own unit would make weeks of those that are not one after the other.
pub(crate) const HOURS: &str = "suffix:h";

/// What is said of the column of a name.
#[derive(Debug)]
pub(crate) struct Column {
    name: &'static str,
    properties: Vec<Value>,
}

/// The column of this name.
pub(crate) fn column(name: &'static str) -> Column {
    Column { name, properties: Vec::new() }
}

impl Column {
    fn with(mut self, id: &str, value: &Value) -> Self {
        self.properties.push(json!({"id": id, "value": value}));
        self
    }

    pub(crate) fn unit(self, unit: &str) -> Self {
        self.with("unit", &json!(unit))
    }

    pub(crate) fn color(self, color: &str) -> Self {
        self.with("color", &json!({"fixedColor": color, "mode": "fixed"}))
    }

    /// Width in pixels.
    pub(crate) fn width(self, pixels: u32) -> Self {
        self.with("custom.width", &json!(pixels))
    }

    /// A long text: broken into lines, and shown whole on demand.
    pub(crate) fn text(self) -> Self {
        self.with("custom.cellOptions", &json!({"type": "auto", "wrapText": true}))
            .with("custom.inspect", &json!(true))
    }

    /// Not shown; links may still read it.
    pub(crate) fn hidden(self) -> Self {
        self.with("custom.hideFrom.viz", &json!(true)).with("custom.hidden", &json!(true))
    }

    /// A line beside others that are filled.
    pub(crate) fn dashed(self) -> Self {
        self.with("custom.lineStyle", &json!({"dash": [6, 6], "fill": "dash"}))
            .with("custom.fillOpacity", &json!(0))
    }

    /// A line where the rest of the panel are bars.
    pub(crate) fn line(self) -> Self {
        self.with("custom.drawStyle", &json!("line"))
            .with("custom.lineWidth", &json!(2))
            .with("custom.fillOpacity", &json!(0))
    }

    /// Bars in the cell, as long as the number says.
    pub(crate) fn gauge(self) -> Self {
        self.with("custom.cellOptions", &json!({"mode": "basic", "type": "gauge"}))
            .with("min", &json!(0))
    }

    pub(crate) fn link(self, title: &str, url: &str) -> Self {
        self.with("links", &json!([{"targetBlank": false, "title": title, "url": url}]))
    }

    /// Texts of severities in their colours.
    pub(crate) fn severity(self) -> Self {
        let options = SEVERITIES.into_iter().enumerate().map(|(index, (text, color))| {
            (text.to_owned(), json!({"color": color, "index": index, "text": text}))
        });
        let options: Map<String, Value> = options.collect();
        self.with("mappings", &json!([{"options": options, "type": "value"}]))
            .with("custom.cellOptions", &json!({"type": "color-text"}))
            .width(90)
    }

    pub(crate) fn json(self) -> Value {
        json!({
            "matcher": {"id": "byName", "options": self.name},
            "properties": self.properties,
        })
    }
}

/// The columns that lists of findings have in common; all of them must be there.
pub(crate) fn finding() -> Vec<Column> {
    vec![
        column("severity").severity(),
        column("detected_at").unit("dateTimeAsIso").width(170),
        column("detector").width(150).link("How good this detector is", link::QUALITY),
        column("principal_id").width(240).link("The identity", link::IDENTITY),
        column("entity").width(220),
        column("sentence").text().link("The evidence", link::EVIDENCE),
        column("score").unit("sci").width(90),
        column("tenant_id").width(110),
        column("finding_id").hidden(),
    ]
}

/// Lines by severity, each in its colour.
pub(crate) fn severities() -> Vec<Column> {
    SEVERITIES.into_iter().map(|(name, color)| column(name).color(color)).collect()
}

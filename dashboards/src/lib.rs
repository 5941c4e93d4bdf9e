//! Grafana's dashboards, alert rules and provisioning, from one definition.
//!
//! What is defined here lies in `dashboards/grafana/` as Grafana reads it; a test compares the two,
//! and writes it anew where `HABITUS_UPDATE_SNAPSHOTS=1` is set.

mod agents;
mod alerts;
mod column;
mod dashboard;
mod feature;
mod identity;
mod link;
mod panel;
mod pipeline;
mod provisioning;
mod quality;
mod query;
mod target;
mod triage;
mod variable;

#[cfg(test)]
mod tests;

use serde_json::Value;

/// A file for Grafana.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// Where it lies, from `dashboards/grafana/` on.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// Every file, in the order of their paths.
pub fn files() -> Vec<File> {
    let boards = [
        triage::triage(),
        identity::identity(),
        agents::agents(),
        quality::quality(),
        pipeline::pipeline(),
    ];
    let mut files: Vec<_> = boards
        .into_iter()
        .map(|board| File {
            path: format!("dashboards/{}.json", board.uid),
            text: pretty(&board.json()),
        })
        .collect();
    files.extend([
        // Every JSON is YAML.
        File {
            path: "provisioning/alerting/habitus.yaml".to_owned(),
            text: pretty(&alerts::rules()),
        },
        File {
            path: "provisioning/dashboards/habitus.yaml".to_owned(),
            text: provisioning::dashboards(),
        },
        File {
            path: "provisioning/datasources/habitus.yaml".to_owned(),
            text: provisioning::datasource(),
        },
    ]);
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

/// With two spaces a level and a line's end at the end.
fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

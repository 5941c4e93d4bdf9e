//! Incidents: findings that belong together, as a list and one by one.

use crate::ask::{Row, Rows};
use crate::ids::Kind;
use crate::page::{self, Here, Links, Shown, Visitor};
use crate::server::Shared;
use crate::{findings, words};
use axum::Extension;
use axum::extract::{Path, State};
use maud::{Markup, html};
use store::{Question, Value};

/// Incidents of the list, the most severe and latest first.
const ROWS_MAX: usize = 200;
/// Findings of one incident.
const FINDINGS_MAX: usize = 200;

/// The list.
pub(crate) async fn page(
    State(console): State<Shared>,
    Extension(visitor): Extension<Visitor>,
) -> Shown {
    let values = vec![
        ("since_us", Value::Int(i64::MIN)),
        ("until_us", Value::Int(i64::MAX)),
        ("severity_min", Value::Int(1)),
        ("rows_max", Value::Int(ROWS_MAX as i64)),
    ];
    let rows = console.asker.ask_list(Question::Incidents, values).await?;
    let body = html! {
        @if rows.is_empty() { (page::empty("No incidents.")) } @else { (table(&rows)) }
        @if rows.len() >= ROWS_MAX {
            p { "These are the " (ROWS_MAX) " most severe; there may be more." }
        }
    };
    page::whole("Incidents", Here::Incidents, &visitor, &body)
}

fn table(rows: &Rows) -> Markup {
    let table = html! {
        table.cards data-testid="incidents-table" {
            thead { tr {
                th scope="col" { "Severity" } th scope="col" { "Incident" }
                th scope="col" { "Status" } th.number scope="col" { "Findings" }
                th scope="col" { "Identities" } th scope="col" { "Latest" }
            } }
            tbody { @for row in rows.iter() { (line(row)) } }
        }
    };
    page::scrolled("Incidents", &table)
}

fn line(row: Row<'_>) -> Markup {
    html! {
        tr data-testid="incident-row" {
            td data-label="Severity" { (page::severity(row.text("severity"))) }
            td.sentence {
                a href={ "/incidents/" (words::encoded(row.text("incident_id"))) } {
                    (words::short(row.text("sentence"), words::SENTENCE_CHARS_MAX))
                }
            }
            td data-label="Status" { (words::short(row.text("status"), words::NAME_CHARS_MAX)) }
            td.number data-label="Findings" { (words::whole_number(row.whole("findings"))) }
            td data-label="Identities" { (words::short(row.text("principals"), words::NAME_CHARS_MAX)) }
            td data-label="Latest" { (words::time(row.text("last_detected_at"))) }
        }
    }
}

/// One incident.
pub(crate) async fn one(
    State(console): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Shown {
    let which = vec![("prefix", Value::Text(Kind::Incident.prefix(&id)?))];
    let found = console.asker.ask(Question::Incident, which).await?;
    let row = Kind::Incident.chosen(&found, &id)?;
    let of = vec![
        ("incident_id", Value::from(row.text("incident_id"))),
        ("rows_max", Value::Int(FINDINGS_MAX as i64)),
    ];
    let findings = console.asker.ask(Question::IncidentFindings, of).await?;
    let body = html! {
        (facts(row))
        section {
            h2 { "Findings" }
            @if findings.is_empty() { (page::empty("The store has none of its findings any more.")) }
            @else { (findings::table(&findings, Links::Console)) }
            @if findings.len() >= FINDINGS_MAX { p { "These are the first " (FINDINGS_MAX) "." } }
        }
    };
    let title = format!("Incident {}", words::id(row.text("incident_id")));
    page::whole(&title, Here::Elsewhere, &visitor, &body)
}

fn facts(row: Row<'_>) -> Markup {
    let text = |name: &str| html! { (words::whole(row.text(name))) };
    let merged = row.some("merged_into").filter(|it| !it.is_empty());
    html! {
        p.lead { (words::whole(row.text("sentence"))) }
        (page::facts(&[
            ("Severity", page::severity(row.text("severity"))),
            ("Status", text("status")),
            ("Merged into", merged.map_or_else(|| html! {}, |it| Links::Console.incident(it))),
            ("First detected", words::time(row.text("first_detected_at"))),
            ("Last detected", words::time(row.text("last_detected_at"))),
            ("Findings", html! { (words::whole_number(row.whole("findings"))) }),
            ("Identities", html! { (words::whole_number(row.whole("identities"))) }),
            ("Detectors", text("detectors")),
            ("Connected by", text("connected_by")),
            ("Tenant", text("tenant_id")),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_of_an_incident_are_shown_as_texts() {
        let hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
        let names = ["incident_id", "sentence", "principals", "status", "detectors", "merged_into"];
        let rows = Rows::made_of(&names, &[&[hostile; 6]]);
        let shown = html! { (table(&rows)) (facts(rows.first().unwrap())) }.into_string();
        assert!(!shown.contains("<script") && !shown.contains("<img"), "{shown}");
        assert!(shown.contains("&lt;script&gt;alert(1)"), "{shown}");
    }
}

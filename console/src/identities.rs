//! Identities, the riskiest first, with a search.

use crate::ask::{Row, Rows};
use crate::page::{self, Here, Links, Shown, Visitor};
use crate::server::Shared;
use crate::words;
use axum::Extension;
use axum::extract::{Query, State};
use maud::{Markup, html};
use serde::Deserialize;
use store::{Question, Value};

/// Identities on a page.
const PAGE_ROWS: usize = 50;
/// The last page that can be asked for.
const PAGES_MAX: usize = 2_000;
/// Characters of a search.
const TEXT_CHARS_MAX: usize = 400;
/// The highest risk.
const RISK_MAX: f64 = 260.0;

/// What is looked for, as it was typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Search {
    text: String,
    page: String,
}

impl Search {
    /// The number of the page, from 1.
    fn place(&self) -> usize {
        self.page.parse().unwrap_or(1).clamp(1, PAGES_MAX)
    }

    fn address(&self, page: usize) -> String {
        let page = if page > 1 { page.to_string() } else { String::new() };
        format!("/identities{}", words::query(&[("text", &self.text), ("page", &page)]))
    }
}

/// The page.
pub(crate) async fn page(
    State(console): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Query(search): Query<Search>,
) -> Shown {
    let place = search.place();
    let text: String = search.text.trim().chars().take(TEXT_CHARS_MAX).collect();
    let values = vec![
        ("text", Value::Text(text.to_lowercase())),
        // One more than is shown says whether there is another page.
        ("rows_max", Value::Int(PAGE_ROWS as i64 + 1)),
        ("skip", Value::Int(((place - 1) * PAGE_ROWS) as i64)),
    ];
    let rows = console.asker.ask_list(Question::IdentitiesByRisk, values).await?;
    let body = html! {
        form.filters method="get" action="/identities" role="search" {
            div.field.wide {
                label for="text" { "Identity" }
                input #text name="text" type="search" value=(search.text)
                    placeholder="a part of its id or name" autocomplete="off";
            }
            button type="submit" { "Search" }
        }
        @if rows.is_empty() { (page::empty("No identities.")) } @else { (table(&rows)) }
        (ways(&search, place, rows.len() > PAGE_ROWS))
    };
    page::whole("Identities", Here::Identities, &visitor, &body)
}

fn ways(search: &Search, place: usize, is_more: bool) -> Markup {
    html! {
        @if place > 1 || is_more {
            nav.ways aria-label="Pages of identities" {
                @if place > 1 {
                    a href=(search.address(place - 1)) rel="prev" data-testid="previous-page" { "Previous" }
                }
                span { "Page " (place) }
                @if is_more {
                    a href=(search.address(place + 1)) rel="next" data-testid="next-page" { "Next" }
                }
            }
        }
    }
}

fn table(rows: &Rows) -> Markup {
    let table = html! {
        table data-testid="identities-table" {
            thead { tr {
                th scope="col" { "Identity" } th.number scope="col" { "Risk (0 to 260)" }
                th scope="col" { "Kind" } th scope="col" { "Baseline" } th.number scope="col" { "Calls" }
                th.number scope="col" { "Active hours" } th scope="col" { "Last seen" }
                th scope="col" { "Tenant" }
            } }
            tbody { @for row in rows.iter().take(PAGE_ROWS) { (line(row)) } }
        }
    };
    page::scrolled("Identities", &table)
}

fn line(row: Row<'_>) -> Markup {
    let (tenant, id) = (row.text("tenant_id"), row.text("principal_id"));
    let name = row.text("principal_name");
    let short = |name: &str| words::short(row.text(name), words::NAME_CHARS_MAX);
    let risk = row.number("risk").unwrap_or_default();
    html! {
        tr data-testid="identity-row" {
            td {
                (Links::Console.identity(tenant, id, name))
                @if !name.is_empty() { " " span.id { (words::short(id, words::NAME_CHARS_MAX)) } }
            }
            td.number {
                meter min="0" max=(RISK_MAX) value=(risk) aria-label="Risk" {} " "
                (words::number(Some(risk)))
            }
            td { (short("principal_type")) }
            td { (short("baseline_state")) }
            td.number { (words::whole_number(row.whole("requests"))) }
            td.number { (words::whole_number(row.whole("active_hours"))) }
            td { (words::time(row.text("last_seen"))) }
            td { (short("tenant_id")) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_shown_as_texts() {
        let hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
        let names = ["tenant_id", "principal_id", "principal_name", "principal_type", "risk"];
        let rows = Rows::made_of(&names, &[&[hostile; 5]]);
        let shown = table(&rows).into_string();
        assert!(!shown.contains("<script") && !shown.contains("<img"), "{shown}");
        assert!(shown.contains("&lt;script&gt;alert(1)"), "{shown}");
    }

    #[test]
    fn a_search_keeps_its_text_from_page_to_page() {
        let search = Search { text: "a&b".into(), page: "2".into() };
        let shown = ways(&search, search.place(), true).into_string();
        assert!(shown.contains("href=\"/identities?text=a%26b\""), "{shown}");
        assert!(shown.contains("href=\"/identities?text=a%26b&amp;page=3\""), "{shown}");
        assert_eq!(ways(&Search::default(), 1, false).into_string(), "");
    }
}

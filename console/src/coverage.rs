//! Coverage, as far as the store shows it: whose calls they are, what the calls say, and which detectors
//! read nothing lately.

use crate::ask::{AskError, Asker, Row, Rows};
use crate::chart;
use crate::page::{self, Here, Links, Shown, Visitor};
use crate::server::Shared;
use crate::words;
use axum::Extension;
use axum::extract::State;
use maud::{Markup, html};
use model::time::NS_PER_D;
use model::{Detector, Time};
use store::{Question, Value};

/// Days that are looked at, the last that the store has.
const DAYS: i64 = 30;
/// Ways to an identity that are shown.
const SOURCES_MAX: usize = 50;
/// Rows about detectors, and tenants whose last hour is looked at.
const ROWS_MAX: i64 = 1_000;
/// The way to an identity that is only an address.
const ADDRESS: &str = "client_address";

/// What hours say, and in which columns of the answer that stands: what is counted, and of what.
const FACTS: [(&str, &str, &str); 8] = [
    ("Calls with the size of the response", "with_size", "requests"),
    ("Calls with a status", "with_status", "requests"),
    ("Calls on behalf of others", "acted_requests", "requests"),
    ("Hours with a duration of calls", "with_duration", "hours"),
    ("Hours with objects", "with_objects", "hours"),
    ("Hours with networks", "with_networks", "hours"),
    ("Hours with programs (user agents)", "with_user_agents", "hours"),
    ("Hours with tools", "with_tools", "hours"),
];

/// The page.
pub(crate) async fn page(
    State(console): State<Shared>,
    Extension(visitor): Extension<Visitor>,
) -> Shown {
    let asker = &console.asker;
    let instant = |typed: &str| console.commands.instant(typed);
    let Some(last) = last_hour(asker, instant).await? else {
        let body = page::empty("The store has no hours of anybody yet.");
        return page::whole("Coverage", Here::Coverage, &visitor, &body);
    };
    let since_us = last.plus(-DAYS * NS_PER_D).ns().div_euclid(1_000);
    let since = ("since_us", Value::Int(since_us));
    let rows_max = |rows: i64| ("rows_max", Value::Int(rows));
    let (sources, hours, detectors) = tokio::try_join!(
        asker.ask_list(Question::CoverageSources, vec![rows_max(SOURCES_MAX as i64)]),
        asker.ask_list(Question::CoverageHours, vec![since.clone()]),
        asker.ask_list(Question::CoverageDetectors, vec![since, rows_max(ROWS_MAX)]),
    )?;
    let body = html! {
        p.lead {
            "This is what the store shows of its last " (DAYS) " days, up to "
            (words::time(&last.to_string())) ". It cannot tell what a log never said from what nobody \
            did: " code { "habitus coverage" } " reads a log itself, and says which setting would cure it."
        }
        (of_sources(&sources))
        @if let Some(row) = hours.first() { (of_hours(row)) }
        (of_detectors(&detectors))
    };
    page::whole("Coverage", Here::Coverage, &visitor, &body)
}

/// The last hour that the store has of anybody.
async fn last_hour(
    asker: &Asker,
    instant: impl Fn(&str) -> Option<Time>,
) -> Result<Option<Time>, AskError> {
    let rows = asker.ask_list(Question::Extents, vec![("rows_max", Value::Int(ROWS_MAX))]).await?;
    Ok(rows.iter().filter_map(|row| instant(row.text("last_at"))).max())
}

/// Whose calls they are.
fn of_sources(rows: &Rows) -> Markup {
    let all: i64 = rows.iter().map(|row| row.whole("requests")).sum();
    let named: i64 = rows
        .iter()
        .filter(|row| row.text("principal_source") != ADDRESS)
        .map(|row| row.whole("requests"))
        .sum();
    let bars: Vec<_> =
        rows.iter().map(|row| (source(row), share(row.whole("requests"), all))).collect();
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Identity taken from" } th scope="col" { "Identities" }
                th scope="col" { "Calls" } th scope="col" { "Share" }
            } }
            tbody {
                @for row in rows.iter() {
                    tr {
                        td { (source(row)) }
                        td.number { (words::whole_number(row.whole("identities"))) }
                        td.number { (words::whole_number(row.whole("requests"))) }
                        td.number { (words::percent(share(row.whole("requests"), all))) }
                    }
                }
            }
        }
    };
    html! {
        section {
            (page::heading(Links::Console, "Calls with an identity"))
            p {
                (words::percent(share(named, all))) " of all calls that the states of identities stand \
                for have an identity that is more than an address."
            }
            (chart::bars(&bars, "share"))
            (page::scrolled("Ways to an identity", &table))
        }
    }
}

fn source(row: Row<'_>) -> String {
    words::short(row.text("principal_source"), words::NAME_CHARS_MAX)
}

/// What the calls say.
fn of_hours(row: Row<'_>) -> Markup {
    let count = |name: &str| match name {
        "with_status" => row.whole("requests") - row.whole("without_status"),
        name => row.whole(name),
    };
    let table = html! {
        table data-testid="coverage-table" {
            thead { tr {
                th scope="col" { "What" } th scope="col" { "With it" } th scope="col" { "Of" }
                th scope="col" { "Share" }
            } }
            tbody {
                @for (text, part, whole) in FACTS {
                    tr {
                        td { (text) }
                        td.number { (words::whole_number(count(part))) }
                        td.number { (words::whole_number(count(whole))) }
                        td.number { (words::percent(share(count(part), count(whole)))) }
                    }
                }
            }
        }
    };
    html! {
        section {
            (page::heading(Links::Console, "What calls say"))
            (page::scrolled("What calls say", &table))
        }
    }
}

/// Which detectors read something in these days, and which did not.
fn of_detectors(rows: &Rows) -> Markup {
    let of = |detector: Detector| rows.iter().find(|row| row.text("detector") == detector.as_str());
    let silent = Detector::ALL.iter().filter(|it| of(**it).is_none()).count();
    let table = html! {
        table data-testid="detectors-table" {
            thead { tr {
                th scope="col" { "Detector" } th scope="col" { "Signals" }
                th scope="col" { "Findings" } th scope="col" { "Last" }
            } }
            tbody {
                @for detector in Detector::ALL {
                    tr {
                        td { (detector.as_str()) }
                        @match of(*detector) {
                            Some(row) => {
                                td.number { (words::whole_number(row.whole("signals"))) }
                                td.number { (words::whole_number(row.whole("findings"))) }
                                td { (last(row)) }
                            },
                            None => { td.number { "0" } td.number { "0" } td { "not in " (DAYS) " days" } },
                        }
                    }
                }
            }
        }
    };
    html! {
        section {
            (page::heading(Links::Console, "Detectors"))
            p {
                (silent) " of " (Detector::ALL.len()) " detectors had neither a signal nor a finding in these days. A \
                detector signals what is odd: one that is silent saw nothing odd, or is blind."
            }
            (page::scrolled("Detectors", &table))
        }
    }
}

fn last(row: Row<'_>) -> Markup {
    words::time(&Time::from_ns(row.whole("last_us").saturating_mul(1_000)).to_string())
}

/// A part of a whole; nothing is no part of nothing.
fn share(part: i64, whole: i64) -> f64 {
    if whole > 0 { part as f64 / whole as f64 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_no_identity() {
        let names = ["principal_source", "identities", "requests"];
        let rows = Rows::made_of(&names, &[&["jwt.sub", "3", "75"], &[ADDRESS, "9", "25"]]);
        let shown = of_sources(&rows).into_string();
        assert!(shown.contains("<p>75 % of all calls"), "{shown}");
    }

    #[test]
    fn a_detector_that_read_nothing_is_there() {
        let names = ["detector", "signals", "findings", "last_us"];
        let rows = Rows::made_of(&names, &[&["egress_spike", "7", "2", "1772445600000000"]]);
        let shown = of_detectors(&rows).into_string();
        let silent = "<td>not in 30 days</td>";
        assert_eq!(shown.matches(silent).count(), Detector::ALL.len() - 1, "{shown}");
        assert!(shown.contains("2026-03-02 10:00:00"), "{shown}");
    }

    #[test]
    fn nothing_of_nothing_is_nothing() {
        assert!(share(0, 0).abs() < f64::EPSILON);
        let row = Rows::made_of(&["hours"], &[&["0"]]);
        let shown = of_hours(row.first().unwrap()).into_string();
        assert!(shown.contains("<td class=\"number\">0 %</td>"), "{shown}");
    }
}

//! The list of findings: filters, pages of fifty, the most severe first.

use crate::ask::{AskError, Row, Rows};
use crate::page::{self, Here, Links, Problem, Shown, Visitor};
use crate::server::{Console, Shared};
use crate::words;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use model::figures::{counted, grouped};
use model::{Origin, Severity, Time};
use serde::Deserialize;
use std::sync::Arc;
use store::{Question, Value, Values};

/// Findings on a page.
pub(crate) const PAGE_ROWS: usize = 50;
/// The last page that can be asked for.
const PAGES_MAX: usize = 2_000;
/// Characters of a filter.
const FILTER_CHARS_MAX: usize = 400;
/// What a verdict may be asked for as, and what that is called.
const VERDICTS: [(&str, &str); 5] = [
    ("", "not suppressed"),
    ("none", "without a verdict"),
    ("malicious", "malicious"),
    ("benign", "benign"),
    ("all", "all"),
];
/// What the store calls all of them; whoever types it means the same.
const ANY: &str = "any";

/// Which findings are wanted, as it was typed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub(crate) struct Filter {
    pub(crate) since: String,
    pub(crate) until: String,
    pub(crate) severity: String,
    pub(crate) detector: String,
    pub(crate) identity: String,
    pub(crate) verdict: String,
    pub(crate) page: String,
}

impl Filter {
    /// The number of the page, from 1.
    fn place(&self) -> usize {
        self.page.parse().unwrap_or(1).clamp(1, PAGES_MAX)
    }

    /// The verdict by the name that the list of them has.
    fn verdict(&self) -> &str {
        if self.verdict == ANY { "all" } else { &self.verdict }
    }

    /// The parameters that both questions have.
    fn values(&self, instant: impl Fn(&str) -> Option<Time>) -> Result<Values, Problem> {
        let long = [&self.identity, &self.detector, &self.since, &self.until];
        if long.iter().any(|it| it.chars().count() > FILTER_CHARS_MAX) {
            return Err(wrong(&format!("A filter has at most {FILTER_CHARS_MAX} characters.")));
        }
        let severity_min = match self.severity.as_str() {
            "" => 1,
            name => {
                let place = (1..).zip(Severity::ALL).find(|(_, it)| it.as_str() == name);
                place.map(|(place, _)| place).ok_or_else(|| wrong("There is no such severity."))?
            }
        };
        if !self.detector.is_empty() && Origin::from_name(&self.detector).is_none() {
            return Err(wrong("There is no such detector."));
        }
        if !VERDICTS.iter().any(|(name, _)| *name == self.verdict()) {
            return Err(wrong("There is no such verdict."));
        }
        let verdict = if self.verdict() == "all" { ANY } else { self.verdict() };
        let bound = |name: &str, typed: &str, open: i64| match (typed.trim(), instant(typed.trim()))
        {
            ("", _) => Ok(open),
            (_, Some(time)) => Ok(micros(time)),
            (_, None) => Err(wrong(&format!(
                "{name} is no time: write 2026-03-02, 2026-03-02T14:00 or 2026-03-02T14:00:00Z."
            ))),
        };
        let since_us = bound("From", &self.since, i64::MIN)?;
        let until_us = bound("Before", &self.until, i64::MAX)?;
        if since_us >= until_us {
            return Err(wrong("From is not earlier than Before, which itself is left out."));
        }
        Ok(vec![
            ("since_us", Value::Int(since_us)),
            ("until_us", Value::Int(until_us)),
            ("severity_min", Value::Int(severity_min)),
            ("detector", Value::Text(self.detector.clone())),
            ("identity", Value::Text(self.identity.trim().to_lowercase())),
            ("verdict", Value::from(verdict)),
        ])
    }

    /// The address of the same list at another page.
    fn address(&self, page: usize) -> String {
        let page = if page > 1 { page.to_string() } else { String::new() };
        let query = words::query(&[
            ("since", &self.since),
            ("until", &self.until),
            ("severity", &self.severity),
            ("detector", &self.detector),
            ("identity", &self.identity),
            ("verdict", &self.verdict),
            ("page", &page),
        ]);
        format!("/{query}")
    }
}

/// The first microsecond of the store that is not before a time.
fn micros(time: Time) -> i64 {
    time.ns().div_euclid(1_000) + i64::from(time.ns().rem_euclid(1_000) > 0)
}

fn wrong(text: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "Not a filter", text)
}

/// Reads the first page of all findings, so that it is there when somebody opens it.
pub(crate) async fn read_first(console: &Console) -> Result<(), AskError> {
    let Ok(values) = Filter::default().values(|_| None) else { return Ok(()) };
    read(console, values, 1).await.map(drop)
}

/// How many findings a list has on all its pages.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    all: u64,
    severe: u64,
    /// Those that feedback suppresses, whether the list has them or not.
    suppressed: u64,
}

/// A page of rows, and how many there are on all pages.
async fn read(
    console: &Console,
    values: Values,
    place: usize,
) -> Result<(Arc<Rows>, Total), AskError> {
    let mut paged = values.clone();
    paged.push(("rows_max", Value::Int(PAGE_ROWS as i64)));
    paged.push(("skip", Value::Int(((place - 1) * PAGE_ROWS) as i64)));
    let asker = &console.asker;
    let rows = asker.ask_list(Question::FindingsPage, paged);
    let total = asker.ask_list(Question::FindingsTotal, values);
    let (rows, total) = tokio::try_join!(rows, total)?;
    let count = |name: &str| total.first().map_or(0, |it| it.whole(name).unsigned_abs());
    let total = Total { all: count("n"), severe: count("severe"), suppressed: count("suppressed") };
    Ok((rows, total))
}

/// The page.
pub(crate) async fn page(
    State(console): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Query(filter): Query<Filter>,
) -> Shown {
    console.asker.looked();
    let commands = &console.commands;
    let values = filter.values(|typed| commands.instant(typed));
    let values = values.map_err(|problem| problem.above(form(&filter)))?;
    let place = filter.place();
    let (rows, total) = read(&console, values, place).await?;
    let body = html! {
        (form(&filter))
        @if rows.is_empty() {
            (page::empty(if total.all > 0 { "This page has none: go back." } else { "No findings." }))
            (left_out(&filter, total))
        } @else {
            p.count { (in_all(total)) }
            (left_out(&filter, total))
            (table(&rows, Links::Console))
        }
        (ways(&filter, place, total.all as usize))
    };
    page::whole("Findings", Here::Findings, &visitor, &body)
}

/// How many findings there are on all pages, and how many of them are severe.
fn in_all(total: Total) -> String {
    let all = counted(total.all, "finding", "findings");
    match (total.all, total.severe) {
        (1, 1) => format!("{all}, high or critical"),
        (1, _) => format!("{all}, neither high nor critical"),
        (_, 0) => format!("{all}, none of them high or critical"),
        (_, severe) => format!("{all}, {} of them high or critical", grouped(&severe.to_string())),
    }
}

/// How many a list leaves out that nobody filtered by verdict, and the way to them.
fn left_out(filter: &Filter, total: Total) -> Markup {
    let benign = Filter { verdict: "benign".to_owned(), page: String::new(), ..filter.clone() };
    html! {
        @if filter.verdict.is_empty() && total.suppressed > 0 {
            p.note data-testid="left-out" {
                (counted(total.suppressed, "more was", "more were"))
                " called benign by people, and left out: "
                a href=(benign.address(1)) { "show those" } "."
            }
        }
    }
}

/// Ways to the pages before and after this one.
fn ways(filter: &Filter, place: usize, total: usize) -> Markup {
    let last = total.div_ceil(PAGE_ROWS).clamp(1, PAGES_MAX);
    html! {
        @if last > 1 || place > 1 {
            nav.ways aria-label="Pages of findings" {
                @if place > 1 {
                    a href=(filter.address(place.min(last + 1) - 1)) rel="prev" data-testid="previous-page" {
                        "Previous"
                    }
                }
                span {
                    @if place > last { "The last page is " (last) }
                    @else { "Page " (place) " of " (last) }
                }
                @if place < last {
                    a href=(filter.address(place + 1)) rel="next" data-testid="next-page" { "Next" }
                }
            }
        }
    }
}

/// The filters, as they are set.
fn form(filter: &Filter) -> Markup {
    let hint = "2026-03-02";
    html! {
        form.filters method="get" action="/" data-testid="filter-form" {
            div.field {
                label for="since" { "From" }
                input #since name="since" type="text" value=(filter.since) placeholder=(hint)
                    autocomplete="off";
            }
            div.field {
                label for="until" { "Before" }
                input #until name="until" type="text" value=(filter.until) placeholder=(hint)
                    autocomplete="off";
            }
            div.field {
                label for="severity" { "At least" }
                select #severity name="severity" data-testid="filter-severity" {
                    option value="" selected[filter.severity.is_empty()] { "any severity" }
                    @for it in Severity::ALL {
                        option value=(it.as_str()) selected[it.as_str() == filter.severity] {
                            (it.as_str())
                        }
                    }
                }
            }
            div.field {
                label for="detector" { "Detector" }
                select #detector name="detector" data-testid="filter-detector" {
                    option value="" selected[filter.detector.is_empty()] { "any detector" }
                    @for it in Origin::all() {
                        option value=(it.as_str()) selected[it.as_str() == filter.detector] {
                            (it.as_str())
                        }
                    }
                }
            }
            div.field {
                label for="identity" { "Identity" }
                input #identity name="identity" type="search" value=(filter.identity)
                    placeholder="id or name" autocomplete="off"
                    data-testid="filter-identity";
            }
            div.field {
                label for="verdict" { "Verdict" }
                select #verdict name="verdict" {
                    @for (name, text) in VERDICTS {
                        option value=(name) selected[name == filter.verdict()] { (text) }
                    }
                }
            }
            button type="submit" data-testid="filter-apply" { "Apply" }
        }
    }
}

/// A table of findings, of rows as `Question::FindingsPage` has them.
pub(crate) fn table(rows: &Rows, links: Links) -> Markup {
    named_table("Findings", rows.iter(), "", links)
}

/// The same of some rows, under a name of its own; `who` is what the identity is called of which all of
/// them are, where they do not say it.
pub(crate) fn named_table<'a>(
    name: &str,
    rows: impl Iterator<Item = Row<'a>>,
    who: &str,
    links: Links,
) -> Markup {
    let table = html! {
        table.findings data-testid="findings-table" {
            thead {
                tr {
                    th scope="col" { "Severity" }
                    th scope="col" { "Finding" }
                    th scope="col" { "Identity" }
                    th scope="col" { "Detector" }
                    th scope="col" { "Detected" }
                }
            }
            tbody { @for row in rows { (line(row, who, links)) } }
        }
    };
    page::scrolled(name, &table)
}

fn line(row: Row<'_>, who: &str, links: Links) -> Markup {
    let who = row.some("principal_name").filter(|it| !it.is_empty()).unwrap_or(who);
    let sentence = html! { (words::short(row.text("sentence"), words::SENTENCE_CHARS_MAX)) };
    html! {
        tr data-testid="finding-row" {
            td {
                (page::severity(row.text("severity")))
                @if let Some(verdict) = row.some("verdict").filter(|it| !it.is_empty()) {
                    span.verdict { (words::short(verdict, words::NAME_CHARS_MAX)) }
                }
            }
            td.sentence { (links.finding(row.text("finding_id"), &sentence)) }
            td {
                (links.identity(row.text("tenant_id"), row.text("principal_id"), who))
            }
            td { (words::short(row.text("detector"), words::NAME_CHARS_MAX)) }
            td { (words::time(row.text("detected_at"))) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

    fn check(filter: &Filter, expected: Result<&[(&'static str, Value)], &str>) {
        let noon = |typed: &str| (typed == "noon").then(|| Time::from_ns(43_200_000_000_500));
        match (filter.values(noon), expected) {
            (Ok(values), Ok(wanted)) => {
                for it in wanted {
                    assert!(values.contains(it), "{values:?}");
                }
            }
            (Err(problem), Err(words)) => assert!(problem.text.contains(words), "{problem:?}"),
            (found, wanted) => panic!("{found:?}, not {wanted:?}"),
        }
    }

    #[test]
    fn a_filter_is_a_list_of_values() {
        let filter = Filter {
            since: " noon ".into(),
            severity: "high".into(),
            identity: " O'Brien; -- ".into(),
            verdict: "any".into(),
            ..Filter::default()
        };
        let wanted = [
            ("since_us", Value::Int(43_200_000_001)),
            ("until_us", Value::Int(i64::MAX)),
            ("severity_min", Value::Int(4)),
            ("identity", Value::Text("o'brien; --".into())),
            ("verdict", Value::Text("any".into())),
        ];
        check(&filter, Ok(&wanted));
        for (filter, words) in [
            (Filter { since: "soon".into(), ..Filter::default() }, "From is no time"),
            (Filter { severity: "worst".into(), ..Filter::default() }, "severity"),
            (Filter { detector: HOSTILE.into(), ..Filter::default() }, "detector"),
            (Filter { verdict: "' OR 1=1".into(), ..Filter::default() }, "verdict"),
            (Filter { since: "noon".into(), until: "noon".into(), ..Filter::default() }, "earlier"),
            (Filter { identity: "a".repeat(401), ..Filter::default() }, "400 characters"),
        ] {
            check(&filter, Err(words));
        }
    }

    #[test]
    fn a_page_leads_to_the_one_before_and_the_one_after() {
        let filter = Filter { identity: "a b".into(), page: "2".into(), ..Filter::default() };
        let shown = ways(&filter, filter.place(), 101).into_string();
        assert!(shown.contains("href=\"/?identity=a%20b\""), "{shown}");
        assert!(shown.contains("href=\"/?identity=a%20b&amp;page=3\""), "{shown}");
        assert!(shown.contains("Page 2 of 3"), "{shown}");
        let last = ways(&filter, 3, 101).into_string();
        assert!(!last.contains("next-page"), "{last}");
        assert_eq!(ways(&Filter::default(), 1, 50).into_string(), "", "one page leads nowhere");
        let beyond = ways(&filter, 9, 101).into_string();
        assert!(beyond.contains("page=3\"") && !beyond.contains("next-page"), "{beyond}");
        assert!(beyond.contains("The last page is 3") && !beyond.contains("9 of 3"), "{beyond}");
    }

    #[test]
    fn one_finding_is_counted_as_one() {
        let said = |all, severe| in_all(Total { all, severe, suppressed: 0 });
        assert_eq!(said(1, 1), "1 finding, high or critical");
        assert_eq!(said(1, 0), "1 finding, neither high nor critical");
        assert_eq!(said(12, 3), "12 findings, 3 of them high or critical");
    }

    #[test]
    fn what_a_list_leaves_out_is_counted_and_led_to() {
        let shown = |verdict: &str, suppressed| {
            let filter = Filter {
                detector: "bola".into(),
                verdict: verdict.into(),
                page: "2".into(),
                ..Filter::default()
            };
            left_out(&filter, Total { suppressed, ..Total::default() }).into_string()
        };
        let one = shown("", 1);
        assert!(one.contains("1 more was called benign by people, and left out"), "{one}");
        assert!(one.contains("href=\"/?detector=bola&amp;verdict=benign\""), "{one}");
        assert!(shown("", 2).contains("2 more were called benign"));
        assert_eq!(shown("", 0), "");
        assert_eq!(shown("all", 1), "", "that list has them");
    }

    #[test]
    fn all_is_asked_for_as_it_is_called() {
        for verdict in ["all", "any"] {
            let filter = Filter { verdict: verdict.into(), ..Filter::default() };
            check(&filter, Ok(&[("verdict", Value::Text("any".into()))]));
            let shown = form(&filter).into_string();
            assert!(shown.contains("<option value=\"all\" selected>all</option>"), "{shown}");
        }
    }

    #[test]
    fn a_page_that_is_no_number_is_the_first() {
        for (typed, expected) in [
            ("", 1),
            ("0", 1),
            ("-4", 1),
            ("x", 1),
            ("7", 7),
            ("99999999999999999999", 1),
            ("5000", PAGES_MAX),
        ] {
            let filter = Filter { page: typed.into(), ..Filter::default() };
            assert_eq!(filter.place(), expected, "{typed}");
        }
    }

    #[test]
    fn hostile_texts_of_a_finding_are_shown_as_texts() {
        let names = ["finding_id", "tenant_id", "principal_id", "sentence", "severity", "verdict"];
        let rows = Rows::made_of(&names, &[&[HOSTILE; 6]]);
        for links in [Links::Console, Links::None] {
            let shown = table(&rows, links).into_string();
            assert!(!shown.contains("<script") && !shown.contains("<img"), "{shown}");
            assert!(shown.contains("&lt;script&gt;alert(1)"), "{shown}");
        }
        let filter =
            Filter { identity: HOSTILE.into(), since: HOSTILE.into(), ..Filter::default() };
        let shown = form(&filter).into_string();
        assert!(!shown.contains("<script") && !shown.contains("<img"), "{shown}");
    }
}

//! One identity: how risky it is, what it did and when, what was found, what is ordinary for it, and
//! which operations it used of those that its peers use.

use crate::ask::{AskError, Asker, Row, Rows};
use crate::chart::{self, Timeline};
use crate::page::{self, Here, Links, Problem, Shown, Visitor};
use crate::server::Shared;
use crate::{Operation, Privileges, findings, words};
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use maud::{Markup, html};
use model::figures::counted;
use serde::Deserialize;
use std::sync::Arc;
use store::{Question, Value};

/// Hours that are drawn, the latest: two weeks.
const HOURS_MAX: usize = 336;
/// Findings that are shown, the latest.
const FINDINGS_MAX: usize = 50;
/// Lines of the timeline, the latest.
const LINES_MAX: usize = 40;
/// Characters of an identity's id and of a tenant's.
const ID_CHARS_MAX: usize = 4_096;
/// Seconds of half an hour: an hour's calls stand in its middle.
const HALF_HOUR_S: i64 = 1_800;
/// Microseconds of a second.
const US_PER_S: i64 = 1_000_000;

/// Who is meant.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Which {
    tenant: String,
    id: String,
}

/// What is known of an identity.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    tenant: String,
    id: String,
    /// Its row of `identity_profile`; none before its first hour ended.
    habits: Rows,
    /// Its hours, the latest first.
    hours: Rows,
    /// Its findings, the latest first.
    findings: Rows,
    /// What it used of what its peers use, or why that is not known; none where it was not asked.
    privileges: Option<Result<Privileges, String>>,
}

/// Asks the store about an identity of a tenant.
pub(crate) async fn of(asker: &Asker, tenant: &str, id: &str) -> Result<Identity, AskError> {
    let who = vec![("tenant_id", Value::from(tenant)), ("principal_id", Value::from(id))];
    let few = |rows_max: usize| {
        let mut values = who.clone();
        values.push(("rows_max", Value::Int(rows_max as i64)));
        values
    };
    let (habits, hours, findings) = tokio::try_join!(
        asker.ask(Question::Habits, who.clone()),
        asker.ask(Question::Hours, few(HOURS_MAX)),
        asker.ask(Question::IdentityFindings, few(FINDINGS_MAX)),
    )?;
    let (tenant, id) = (tenant.to_owned(), id.to_owned());
    Ok(Identity { tenant, id, habits, hours, findings, privileges: None })
}

impl Identity {
    /// Whether the store knows nothing of it.
    pub(crate) fn is_unknown(&self) -> bool {
        self.habits.is_empty() && self.hours.is_empty() && self.findings.is_empty()
    }

    /// What it is called: its name where it has one.
    pub(crate) fn name(&self) -> &str {
        let name = self.habits.first().map(|it| it.text("principal_name")).unwrap_or_default();
        if name.is_empty() { &self.id } else { name }
    }
}

/// The page.
pub(crate) async fn page(
    State(console): State<Shared>,
    Extension(visitor): Extension<Visitor>,
    Query(which): Query<Which>,
) -> Shown {
    let missing = || {
        let text = "The store knows nobody of this id in this tenant: look under Identities.";
        Problem::new(StatusCode::NOT_FOUND, "No such identity", text)
    };
    if which.id.is_empty() || which.id.len().max(which.tenant.len()) > ID_CHARS_MAX {
        return Err(missing());
    }
    let mut known = of(&console.asker, &which.tenant, &which.id).await?;
    if known.is_unknown() {
        return Err(missing());
    }
    let commands = Arc::clone(&console.commands);
    // It asks the store as a command does, which waits: not where others are served.
    let asked = console.asker.work(move || commands.privileges(&which.tenant, &which.id));
    let privileges = asked.await.unwrap_or_else(|error| Err(error.to_string()));
    known.privileges = Some(privileges);
    page::whole(known.name(), Here::Elsewhere, &visitor, &body(&known, Links::Console))
}

/// All that there is to say of an identity.
pub(crate) fn body(of: &Identity, links: Links) -> Markup {
    let habits = of.habits.first();
    html! {
        (facts(of, habits))
        section {
            (page::heading(links, "Hours"))
            div data-testid="timeline-chart" { (hours(of, habits, links)) }
        }
        section data-testid="identity-timeline" {
            (page::heading(links, "Timeline"))
            (story(of, links))
        }
        section data-testid="identity-findings" {
            (page::heading(links, "Findings"))
            (found(of, links))
        }
        section data-testid="identity-habits" {
            (page::heading(links, "Habits"))
            @match habits {
                Some(row) => (usual(row)),
                None => p { "Nothing is known yet: habits are written where an hour of its calls ends." },
            }
        }
        @if let Some(privileges) = &of.privileges {
            section data-testid="identity-privileges" {
                (page::heading(links, "Used privilege"))
                @match privileges {
                    Ok(known) => (used(known)),
                    Err(why) => p { (words::whole(why)) },
                }
            }
        }
    }
}

fn facts(of: &Identity, habits: Option<Row<'_>>) -> Markup {
    let text = |name: &str| {
        habits.map_or_else(|| html! {}, |row| html! { (words::whole(row.text(name))) })
    };
    let time = |name: &str| habits.map_or_else(|| html! {}, |row| words::time(row.text(name)));
    let count = |name: &str| {
        habits.map_or_else(|| html! {}, |row| html! { (words::whole_number(row.whole(name))) })
    };
    let risk = habits.and_then(|row| row.number("risk"));
    page::facts(&[
        ("Identity", html! { code { (words::whole(&of.id)) } }),
        ("Name", text("principal_name")),
        ("Tenant", html! { (words::whole(&of.tenant)) }),
        ("Kind", text("principal_type")),
        ("Resolved by", text("principal_source")),
        ("Risk", risk.map_or_else(|| html! {}, |it| html! { (words::number(Some(it))) " of 260" })),
        ("Baseline", text("baseline_state")),
        ("First seen", time("first_seen")),
        ("Last seen", time("last_seen")),
        ("Calls", count("requests")),
        ("Active hours", count("active_hours")),
    ])
}

/// Its hours against where 90 % of them lie, with its findings.
fn hours(of: &Identity, habits: Option<Row<'_>>, links: Links) -> Markup {
    let mut points: Vec<(i64, f64)> = of
        .hours
        .iter()
        .map(|row| (row.whole("start_us").div_euclid(US_PER_S), row.number("requests")))
        .map(|(at, calls)| (at.saturating_add(HALF_HOUR_S), calls.unwrap_or_default()))
        .collect();
    points.sort_unstable_by_key(|(at, _)| *at);
    let first = points.first().map_or(i64::MAX, |(at, _)| at.saturating_sub(HALF_HOUR_S));
    let marks: Vec<(i64, &str, String)> = of
        .findings
        .iter()
        .map(|row| {
            let href = match links {
                Links::Console => format!("/findings/{}", words::encoded(row.text("finding_id"))),
                Links::None => String::new(),
            };
            (row.whole("detected_us").div_euclid(US_PER_S), row.text("severity"), href)
        })
        .filter(|(at, _, _)| *at >= first)
        .collect();
    let marks: Vec<(i64, &str, &str)> =
        marks.iter().map(|(at, severity, href)| (*at, *severity, href.as_str())).collect();
    let band = habits.and_then(|row| {
        let quantile = |name: &str| row.number(name);
        Some((quantile("requests_p05")?, quantile("requests_p50")?, quantile("requests_p95")?))
    });
    html! {
        @if points.is_empty() {
            p { "The store has no hours of it." }
        } @else {
            (chart::timeline(&Timeline {
                title: "Calls in each active hour",
                unit: "calls",
                points: &points,
                band,
                marks: &marks,
            }))
        }
    }
}

/// What is ordinary for it.
fn usual(row: Row<'_>) -> Markup {
    let text = |name: &str| html! { (words::whole(row.text(name))) };
    let count = |name: &str| {
        row.some(name)
            .map_or_else(|| html! {}, |_| html! { (words::whole_number(row.whole(name))) })
    };
    let band = |of: &str, unit: &str| {
        let of = |part: &str| row.number(&format!("{of}_{part}"));
        let (Some(low), Some(middle), Some(high)) = (of("p05"), of("p50"), of("p95")) else {
            return html! {};
        };
        html! {
            (words::measured(middle, unit)) " (90 % of hours: " (words::measured(low, unit))
            " to " (words::measured(high, unit)) ")"
        }
    };
    // Its own hours stand for it among them, once there are any: they are no peer's.
    let own = i64::from(row.whole("windows_learned") > 0);
    let others = row.whole("peers").saturating_sub(own).max(0).unsigned_abs();
    let stand = match others {
        1 => "1 other stands for its peers".to_owned(),
        _ => format!("{} stand for its peers", counted(others, "other", "others")),
    };
    let group = match row.whole("peer_group") {
        -1 => html! { "none; " (stand) },
        // Of a small group everyone stands for its peers.
        group => html! { (group) "; " (stand) },
    };
    page::facts(&[
        ("Usual endpoints", text("endpoints_usual")),
        ("Endpoints known", count("endpoints_known")),
        ("Usual hours (UTC)", text("hours_usual")),
        ("Calls in an active hour", band("requests", "calls")),
        ("Bytes received", band("bytes_out", "bytes")),
        ("Objects read", band("objects", "objects")),
        ("Networks in one hour, at most", count("networks_distinct_max")),
        ("Networks that were new", count("networks_new")),
        ("Programs in one hour, at most", count("user_agents_distinct_max")),
        ("Peer group", group),
        ("Hours learned", count("windows_learned")),
        ("Hours withheld", count("windows_withheld")),
    ])
}

/// What was found of it, the latest first.
fn found(of: &Identity, links: Links) -> Markup {
    let latest = of.findings.iter().take(page::OPEN_MAX);
    let earlier = of.findings.len().saturating_sub(page::OPEN_MAX);
    let who = of.habits.first().map(|it| it.text("principal_name")).unwrap_or_default();
    html! {
        @if of.findings.is_empty() { p { "Nothing was found of it." } }
        @else { (findings::named_table("Findings", latest, who, links)) }
        @if earlier > 0 {
            (page::folded(
                &counted(earlier as u64, "earlier finding", "earlier findings"),
                false,
                &findings::named_table(
                    "Earlier findings",
                    of.findings.iter().skip(page::OPEN_MAX),
                    who,
                    links,
                ),
            ))
        }
        @if of.findings.len() >= FINDINGS_MAX { p { "These are the latest " (FINDINGS_MAX) "." } }
    }
}

/// Which operations it used of those that its peers use.
fn used(known: &Privileges) -> Markup {
    let (used, unused): (Vec<&Operation>, Vec<&Operation>) =
        known.operations.iter().partition(|it| it.accepted > 0);
    html! {
        p { (words::whole(&known.sentence)) }
        (operations("Operations that it used", &used, ["operation that it used", "operations that it used"]))
        (operations(
            "Operations that it did not use",
            &unused,
            ["operation that it did not use", "operations that it did not use"],
        ))
        @if known.left_out > 0 {
            p { (counted(known.left_out, "operation is", "operations are")) " left out." }
        }
    }
}

/// Some of the operations, folded where they are many, and what one of them and several are called.
fn operations(name: &str, of: &[&Operation], [one, many]: [&str; 2]) -> Markup {
    let table = html! {
        table.cards {
            thead { tr {
                th scope="col" { "Operation" } th.number scope="col" { "Calls" }
                th.number scope="col" { "Not refused" } th.number scope="col" { "Days" }
                th scope="col" { "Last day" } th.number scope="col" { "Peers that use it" }
            } }
            tbody { @for it in of { (operation(it)) } }
        }
    };
    html! {
        @if !of.is_empty() {
            (page::folded(
                &counted(of.len() as u64, one, many),
                of.len() <= page::OPEN_MAX,
                &page::scrolled(name, &table),
            ))
        }
    }
}

fn operation(it: &Operation) -> Markup {
    let count = |it: u64| words::whole_number(i64::try_from(it).unwrap_or(i64::MAX));
    html! {
        tr {
            td { code { (words::short(&it.name, words::SENTENCE_CHARS_MAX)) } }
            td.number data-label="Calls" { (count(it.calls)) }
            td.number data-label="Not refused" { (count(it.accepted)) }
            td.number data-label="Days" { (count(it.days)) }
            td data-label="Last day" { (it.last_day) }
            td.number data-label="Peers that use it" { (count(it.peers)) }
        }
    }
}

/// Its hours and its findings in one list, the latest first.
fn story(of: &Identity, links: Links) -> Markup {
    let mut lines: Vec<(i64, Markup)> = Vec::new();
    for row in of.hours.iter().take(LINES_MAX) {
        lines.push((row.whole("start_us"), hour(row)));
    }
    for row in of.findings.iter().take(LINES_MAX) {
        let sentence = html! { (words::short(row.text("sentence"), words::SENTENCE_CHARS_MAX)) };
        let line = html! {
            tr {
                td { (words::time(row.text("detected_at"))) }
                td { (page::severity(row.text("severity"))) }
                td { (links.finding(row.text("finding_id"), &sentence)) }
            }
        };
        lines.push((row.whole("detected_us"), line));
    }
    // A finding stands above the hour that it was detected in.
    lines.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    lines.truncate(LINES_MAX);
    let table = |name: &str, lines: &[(i64, Markup)]| {
        let table = html! {
            table.cards {
                thead { tr {
                    th scope="col" { "Time" } th scope="col" { "What" } th scope="col" { "In words" }
                } }
                tbody { @for (_, line) in lines { (line) } }
            }
        };
        page::scrolled(name, &table)
    };
    let (latest, earlier) = lines.split_at(lines.len().min(page::OPEN_MAX));
    html! {
        @if latest.is_empty() { p { "The store has nothing of it." } }
        @else { (table("Timeline", latest)) }
        @if !earlier.is_empty() {
            (page::folded(
                &counted(earlier.len() as u64, "earlier line", "earlier lines"),
                false,
                &table("Earlier in the timeline", earlier),
            ))
        }
    }
}

fn hour(row: Row<'_>) -> Markup {
    let count = |name: &str| row.whole(name).unsigned_abs();
    let refused = count("refused");
    html! {
        tr {
            td { (words::time(row.text("window_start"))) }
            td { "hour" }
            td {
                (counted(count("requests"), "call", "calls")) " to "
                (counted(count("endpoints_distinct"), "endpoint", "endpoints")) ", "
                (count("endpoints_new")) " of them new; "
                (counted(count("objects_distinct"), "object", "objects")) ", "
                (words::measured(row.number("bytes_out").unwrap_or_default(), "bytes"))
                @if refused > 0 { "; " (counted(refused, "call", "calls")) " answered 401, 403 or 404" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

    fn hostile() -> Identity {
        let habits =
            ["principal_name", "principal_type", "endpoints_usual", "hours_usual", "peer_group"];
        let hours = ["start_us", "window_start", "requests", "bytes_out"];
        let found =
            ["finding_id", "tenant_id", "principal_id", "sentence", "severity", "detected_us"];
        let privileges = Privileges {
            sentence: HOSTILE.into(),
            operations: vec![Operation { name: HOSTILE.into(), calls: 2, ..Operation::default() }],
            left_out: 1,
        };
        Identity {
            tenant: HOSTILE.into(),
            id: HOSTILE.into(),
            habits: Rows::made_of(&habits, &[&[HOSTILE; 5]]),
            hours: Rows::made_of(
                &hours,
                &[
                    &["7200000000", "1970-01-01T02:00:00Z", "7", "1"],
                    &["3600000000", "1970-01-01T01:00:00Z", "5", "1"],
                ],
            ),
            findings: Rows::made_of(
                &found,
                &[&[HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, "7300000000"]],
            ),
            privileges: Some(Ok(privileges)),
        }
    }

    #[test]
    fn hostile_texts_of_an_identity_are_shown_as_texts() {
        for links in [Links::Console, Links::None] {
            let shown = body(&hostile(), links).into_string();
            assert!(!shown.contains("<script") && !shown.contains("<img"), "{shown}");
            assert!(shown.matches("&lt;script&gt;alert(1)").count() > 6, "{shown}");
        }
    }

    #[test]
    fn the_latest_stands_first() {
        let shown = story(&hostile(), Links::None).into_string();
        let at = |text: &str| shown.find(text).unwrap();
        assert!(
            at("&lt;script") < at("7 calls to") && at("7 calls to") < at("5 calls to"),
            "{shown}"
        );
    }

    #[test]
    fn rows_of_long_tables_are_cards_whose_numbers_have_names() {
        let shown = body(&hostile(), Links::Console).into_string();
        assert_eq!(shown.matches("<table class=\"cards\"").count(), 2, "{shown}");
        assert!(shown.contains("<td class=\"number\" data-label=\"Calls\">2</td>"), "{shown}");
        assert!(shown.contains("<th class=\"number\" scope=\"col\">Calls</th>"), "{shown}");
    }

    #[test]
    fn what_matters_stands_first_and_what_is_long_is_folded() {
        let mut one = hostile();
        let row = ["f", "high", "7300000000"];
        let rows: Vec<&[&str]> = (0..12).map(|_| &row[..]).collect();
        one.findings = Rows::made_of(&["finding_id", "severity", "detected_us"], &rows);
        let operation = |accepted: u64| Operation { accepted, ..Operation::default() };
        let operations = (0..33).map(|it| operation(u64::from(it < 2))).collect();
        one.privileges = Some(Ok(Privileges { operations, ..Privileges::default() }));
        let shown = body(&one, Links::Console).into_string();
        let parts = ["<dt>Identity", "\"timeline-chart\"", "\"identity-timeline\""];
        let parts = parts.into_iter().chain(["\"identity-findings\"", "\"identity-habits\""]);
        let places = parts.chain(["\"identity-privileges\""]).map(|it| shown.find(it).unwrap());
        assert!(places.is_sorted(), "{shown}");
        for folded in ["4 earlier lines", "2 earlier findings", "31 operations that it did not use"]
        {
            assert!(shown.contains(&format!("<details><summary>{folded}<")), "{folded}: {shown}");
        }
        let open = "<details open><summary>2 operations that it used<";
        assert!(shown.contains(open), "{shown}");
        assert!(!body(&hostile(), Links::Console).into_string().contains("<details>"));
    }

    #[test]
    fn an_hour_is_drawn_in_its_middle() {
        let one = hostile();
        let shown = hours(&one, None, Links::Console).into_string();
        assert!(shown.contains("at most 7 calls at 1970-01-01 02:30"), "{shown}");
        // What was found when the first hour began belongs to it.
        let names = ["finding_id", "severity", "detected_us"];
        let found = Rows::made_of(&names, &[&["f", "high", "3600000000"]]);
        let shown = hours(&Identity { findings: found, ..one }, None, Links::Console);
        assert!(shown.into_string().contains("1 finding marked"));
    }

    #[test]
    fn its_findings_are_of_it_by_its_name() {
        let mut one = hostile();
        one.habits = Rows::made_of(&["principal_name"], &[&["sales-022"]]);
        let names = ["finding_id", "tenant_id", "principal_id", "detected_us"];
        let row = ["f", "t", "6108eb7c", "7300000000"];
        let rows: Vec<&[&str]> = (0..12).map(|_| &row[..]).collect();
        one.findings = Rows::made_of(&names, &rows);
        let shown = found(&one, Links::Console).into_string();
        assert_eq!(shown.matches(">sales-022</a>").count(), 12, "{shown}");
        assert!(!shown.contains(">6108eb7c</a>"), "{shown}");
        one.habits = Rows::default();
        assert!(found(&one, Links::Console).into_string().contains(">6108eb7c</a>"));
    }

    #[test]
    fn who_stands_for_its_peers_is_somebody_else() {
        let names = ["peer_group", "peers", "windows_learned"];
        for (row, expected) in [
            (["3", "116", "5"], "3; 115 others stand for its peers"),
            (["-1", "2", "1"], "none; 1 other stands for its peers"),
            (["-1", "115", "0"], "none; 115 others stand for its peers"),
            (["-1", "0", "1"], "none; 0 others stand for its peers"),
        ] {
            let rows = Rows::made_of(&names, &[&row[..]]);
            let shown = usual(rows.first().unwrap()).into_string();
            assert!(shown.contains(&format!("<dd>{expected}</dd>")), "{expected}: {shown}");
        }
    }

    #[test]
    fn who_has_no_name_is_called_by_the_id() {
        let mut one = hostile();
        assert_eq!(one.name(), HOSTILE);
        one.habits = Rows::made_of(&["principal_name"], &[&["ann"]]);
        assert_eq!(one.name(), "ann");
        one.habits = Rows::default();
        assert_eq!(one.name(), HOSTILE);
        assert!(!one.is_unknown(), "it has hours");
    }
}

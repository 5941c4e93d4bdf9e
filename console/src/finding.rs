//! One finding: its sentence, what was seen against what is ordinary, what it rests on, and what people
//! say of it.

#[cfg(test)]
mod tests;

use crate::ask::{Row, Rows};
use crate::chart::{self, Band};
use crate::guard::Session;
use crate::ids::Kind;
use crate::page::{self, Here, Links, Problem, Shown, Visitor};
use crate::server::{Console, Shared};
use crate::verdict::Sent;
use crate::words;
use axum::Extension;
use axum::extract::{Path, Query, State};
use maud::{Markup, html};
use model::figures::{counted, in_unit};
use model::{Detector, PrincipalType};
use serde::Deserialize;
use serde_json::Value as Json;
use store::{Question, Scope, Value};

/// Contributors and events that are shown; a finding has at most five of each.
const PARTS_MAX: usize = 20;
/// Characters of a reason.
const REASON_CHARS_MAX: usize = 500;
/// What the page says once a verdict was kept, by the name of the verdict.
const DONE: [(&str, &str); 3] = [
    ("benign", "Kept: the finding is benign, and lists leave out what that covers."),
    ("malicious", "Kept: the finding is malicious."),
    ("withdraw", "Kept: what was said of the finding no longer holds."),
];

/// What the beginning of a counterfactual is that names a number from which on it is reported.
const BOUNDED: &str = "would not be reported at ";
/// Why that number and the one below which ordinary windows stay are two.
const TWO_BOUNDS: &str = "This is another number than the one that 99.9 % stay under, which says what is \
    ordinary. One in a thousand of so many windows would be too much to look at: what is reported lies \
    beyond a cut, which the budget of findings sets, and beyond the least number of the detector.";
/// Why the query of an address counts no success although some followed.
const SUCCEEDED: &str = "The failures are charged to the address, and a success to whoever succeeded: this \
    SQL, which is of the address alone, does not count the successes. They stand on the pages of the \
    identities that the sentence names.";

/// What was done just before.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct After {
    done: String,
}

/// The page.
pub(crate) async fn page(
    State(console): State<Shared>,
    Extension(session): Extension<Session>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
    Query(after): Query<After>,
) -> Shown {
    let rows = find(&console, &id).await?;
    let row = Kind::Finding.chosen(&rows, &id)?;
    let done = DONE.iter().find(|(name, _)| *name == after.done);
    let covered = match row.text("verdict_scope") {
        "" | "finding" => None,
        _ => {
            let which = vec![("feedback_id", Value::from(row.text("feedback_id")))];
            let answer = console.asker.ask(Question::Covered, which).await?;
            answer.first().map(|it| it.whole("n").unsigned_abs())
        }
    };
    let shown = html! {
        @if let Some((_, text)) = done { (page::notice(text)) }
        (body(row, Links::Console))
        (reach(row, covered))
        (form(row, &console.guard.form_mark(&session), &Sent::default()))
    };
    let title = format!("{} {}", words::id(row.text("finding_id")), row.text("detector"));
    page::whole(&format!("Finding {title}"), Here::Elsewhere, &visitor, &shown)
}

/// The findings whose ids begin so: up to two.
pub(crate) async fn find(console: &Console, id: &str) -> Result<Rows, Problem> {
    let which = vec![("prefix", Value::Text(Kind::Finding.prefix(id)?))];
    Ok(console.asker.ask(Question::Finding, which).await?)
}

/// All that there is to say of a finding, of a row as `Question::Finding` has it.
pub(crate) fn body(row: Row<'_>, links: Links) -> Markup {
    let unit = row.text("unit");
    let number = |name: &str| row.number(name).unwrap_or_default();
    let (observed, expected, upper) = (number("observed"), number("expected"), number("upper"));
    html! {
        p.lead data-testid="finding-sentence" { (words::whole(row.text("sentence"))) }
        div.columns {
            div {
                section {
                    (page::heading(links, "Observed against the ordinary"))
                    div data-testid="band-chart" {
                        (chart::band(&Band { observed, expected, upper, unit }))
                    }
                    @if !row.text("counterfactual").is_empty() {
                        p data-testid="counterfactual" {
                            strong { "Otherwise: " }
                            (words::whole(row.text("counterfactual")))
                        }
                        @if links == Links::Console && has_two_bounds(row) {
                            p.note data-testid="two-bounds" { (TWO_BOUNDS) }
                        }
                    }
                }
                (contributors(row, links))
            }
            (facts(row, links))
        }
        (evidence(row, links))
        (said(row, links))
    }
}

/// Whether what is ordinary and what is reported have a number each, which a reader may take for one.
fn has_two_bounds(row: Row<'_>) -> bool {
    let is_beyond = row
        .number("observed")
        .zip(row.number("upper"))
        .is_some_and(|(observed, upper)| observed > upper);
    is_beyond && row.text("counterfactual").starts_with(BOUNDED)
}

/// Whether some of the events of an address that failed to authenticate are successes.
fn has_succeeded(row: Row<'_>, events: &[Json]) -> bool {
    let is_success = |event: &Json| {
        let status = event.get("status").and_then(Json::as_u64);
        status.is_some_and(|it| (200..300).contains(&it))
    };
    row.text("detector") == Detector::AuthFailures.as_str()
        && row.text("principal_type") == PrincipalType::Ip.as_str()
        && events.iter().any(is_success)
}

fn facts(row: Row<'_>, links: Links) -> Markup {
    let text = |name: &str| html! { (words::whole(row.text(name))) };
    let count = |name: &str| row.whole(name).unsigned_abs();
    let (who, name) = (row.text("principal_id"), row.text("principal_name"));
    let identity = html! {
        (links.identity(row.text("tenant_id"), who, name))
        @if !name.is_empty() { " " span.muted { (words::short(who, words::NAME_CHARS_MAX)) } }
    };
    let history = format!(
        "{} d, {}, {}",
        words::number(row.number("history_days")),
        counted(count("history_n"), "call", "calls"),
        counted(count("peers_n"), "peer", "peers"),
    );
    let score = words::number(row.number("score"));
    let window = html! {
        (words::time(row.text("window_start"))) " to " (words::time(row.text("window_end")))
    };
    let incident = row.some("incident_id").filter(|it| !it.is_empty());
    page::facts(&[
        (
            "Severity",
            html! {
                (page::severity(row.text("severity")))
                " (confidence from the score × danger of the detector and the outcome)"
            },
        ),
        ("Score", html! { (score) " (about once in " (score) " windows of ordinary traffic)" }),
        ("Surprise", html! { (words::number(row.number("surprise"))) " (−log10 p)" }),
        ("Detector", text("detector")),
        ("Identity", identity),
        ("Resolved by", text("principal_source")),
        ("Tenant", text("tenant_id")),
        ("Entity", text("entity")),
        ("Window", window),
        ("First raised", words::time(row.text("detected_at"))),
        ("Baseline", text("baseline_state")),
        ("History", html! { (history) }),
        ("Incident", incident.map_or_else(|| html! {}, |it| links.incident(it))),
        ("OWASP", text("owasp")),
        ("ATT&CK, ATLAS", text("attack")),
        ("Models", text("model_version")),
        ("Finding", html! { code { (words::whole(row.text("finding_id"))) } }),
    ])
}

/// What most of it came from. What was observed of a part has no unit of its own: calls, where the finding
/// counts silent days or how much likelier others are.
fn contributors(row: Row<'_>, links: Links) -> Markup {
    let unit = row.text("unit");
    // What each counts is its own: only sizes are in the finding's unit.
    let amount = |part: &Json| in_unit(number_of(part, "observed"), unit);
    let head = match row.text("detector") {
        "machine_speed" => "Amount in the whole hour",
        _ => "Amount",
    };
    let parts = array(row.text("contributors"));
    let bars: Vec<_> =
        parts.iter().map(|it| (text_of(it, "name"), number_of(it, "share"))).collect();
    html! {
        @if !parts.is_empty() {
            section data-testid="contributors" {
                (page::heading(links, "Most of it"))
                (chart::bars(&bars, "share"))
                (page::scrolled("Contributors", &html! {
                    table {
                        thead { tr {
                            th scope="col" { "What" } th.number scope="col" { (head) }
                            th.number scope="col" { "Share" }
                        } }
                        tbody {
                            @for part in &parts {
                                tr {
                                    td { (text_of(part, "name")) }
                                    td.number { (amount(part)) }
                                    td.number { (words::percent(number_of(part, "share"))) }
                                }
                            }
                        }
                    }
                }))
            }
        }
    }
}

/// Sample events, and the SQL that shows all of it.
fn evidence(row: Row<'_>, links: Links) -> Markup {
    let mut events = array(row.text("evidence"));
    // All are in UTC and written alike but for fractions: without the Z their texts are in order.
    events.sort_by_key(|it| text_of(it, "time").trim_end_matches('Z').to_owned());
    let has_agent = events.iter().any(|it| !text_of(it, "agent").is_empty());
    let sql = row.text("evidence_sql");
    html! {
        section data-testid="evidence" {
            (page::heading(links, "Evidence"))
            @if events.is_empty() {
                p { "The finding has no sample events." }
            } @else {
                (page::scrolled("Sample events", &html! {
                    table.cards {
                        thead { tr {
                            th scope="col" { "Time" } th scope="col" { "Status" }
                            th scope="col" { "Address" }
                            @if has_agent { th scope="col" { "Agent" } }
                            th.number scope="col" { "Size" }
                            th scope="col" { "Request" } th scope="col" { "Read from" }
                        } }
                        tbody { @for it in &events { (event(it, has_agent)) } }
                    }
                }))
            }
            @if !sql.is_empty() {
                p { "This SQL shows the observed value:" }
                pre { code { (words::lines(sql)) } }
                @if has_succeeded(row, &events) {
                    p.note data-testid="charged-to-others" { (SUCCEEDED) }
                }
                @if links == Links::Console {
                    p { a href={ "/sql" (words::query(&[("q", sql)])) } { "Run it" } }
                }
            }
        }
    }
}

/// One of them, with a cell for its agent where any of them has one.
fn event(event: &Json, has_agent: bool) -> Markup {
    let size = event.get("bytes_out").and_then(Json::as_f64);
    let place = match (text_of(event, "input"), event.get("line").and_then(Json::as_u64)) {
        (input, Some(line)) if !input.is_empty() => format!("{input}:{line}"),
        (input, _) => input,
    };
    html! {
        tr {
            td data-label="Time" { (words::time(&text_of(event, "time"))) }
            td data-label="Status" { (text_of(event, "status")) }
            td data-label="Address" { (text_of(event, "client_address")) }
            @if has_agent { td data-label="Agent" { (text_of(event, "agent")) } }
            td.number data-label="Size" { (size.map_or_else(String::new, |it| words::measured(it, "bytes"))) }
            td.request data-label="Request" { code { (text_of(event, "request")) } }
            td data-label="Read from" { (place) }
        }
    }
}

/// What people say of it now.
fn said(row: Row<'_>, links: Links) -> Markup {
    let text = |name: &str| html! { (words::whole(row.text(name))) };
    let verdict = row.text("verdict");
    // In the words of the form that it was said with.
    let scope = Scope::from_name(row.text("verdict_scope")).map_or("", covers);
    let until = match (verdict, row.text("suppressed_until")) {
        ("benign", "") => html! { "for good" },
        ("benign", until) => words::time(until),
        _ => html! {},
    };
    html! {
        section {
            (page::heading(links, "Verdict"))
            div data-testid="verdict-current" {
                @if verdict.is_empty() {
                    p { "Nobody has said what it is." }
                } @else {
                    (page::facts(&[
                        ("It is", html! { strong { (words::whole(verdict)) } }),
                        ("Said by", text("verdict_by")),
                        ("At", words::time(row.text("verdict_at"))),
                        ("Covers", html! { (scope) }),
                        ("Left out until", until),
                        ("Because", text("verdict_reason")),
                    ]))
                }
            }
        }
    }
}

/// The finding of which somebody said what this one is, if that is another.
fn said_of(row: Row<'_>) -> Option<&str> {
    let own = row.text("finding_id");
    row.some("verdict_finding_id").filter(|it| !it.is_empty() && *it != own)
}

/// Under which id what was said of the finding is taken back: its own, or that of the feedback where
/// it was said of another.
pub(crate) fn withdrawn_id(row: Row<'_>) -> &str {
    row.text(if said_of(row).is_some() { "feedback_id" } else { "finding_id" })
}

/// Of which finding a verdict was said, and how many it covers.
fn reach(row: Row<'_>, covered: Option<u64>) -> Markup {
    html! {
        @if let Some(covered) = covered {
            p.note data-testid="verdict-reach" {
                "This verdict covers " (counted(covered, "finding", "findings"))
                " so far and those to come; Withdraw takes it back for all of them."
                @if let Some(other) = said_of(row) {
                    " It was given on the finding "
                    a href={ "/findings/" (words::encoded(other)) } { (words::id(other)) } "."
                }
            }
        }
    }
}

/// Where somebody says what it is; with what was typed before, if that was refused.
pub(crate) fn form(row: Row<'_>, mark: &str, typed: &Sent) -> Markup {
    let id = row.text("finding_id");
    html! {
        form.verdict method="post" action={ "/findings/" (words::encoded(id)) "/verdict" }
            data-testid="verdict-form" {
            input type="hidden" name="csrf" value=(mark);
            div.field.wide {
                label for="reason" { "Why (needed)" }
                input #reason name="reason" type="text" value=(typed.reason) required
                    maxlength=(REASON_CHARS_MAX) autocomplete="off";
            }
            div.field {
                label for="scope" { "Said of" }
                select #scope name="scope" {
                    @for scope in Scope::ALL {
                        option value=(scope.as_str()) selected[scope.as_str() == typed.scope] {
                            (covers(scope))
                        }
                    }
                }
            }
            div.field {
                label for="until" { "Benign until (else for good)" }
                input #until name="until" type="text" value=(typed.until)
                    placeholder="30d, 12h or 2026-03-02" autocomplete="off";
            }
            div.buttons {
                button type="submit" name="verdict" value="benign" data-testid="verdict-benign" {
                    "Benign"
                }
                button type="submit" name="verdict" value="malicious" data-testid="verdict-malicious" {
                    "Malicious"
                }
                @if !row.text("verdict").is_empty() {
                    button type="submit" name="verdict" value="withdraw" data-testid="verdict-withdraw" {
                        "Withdraw"
                    }
                }
            }
        }
    }
}

/// A scope in words.
const fn covers(scope: Scope) -> &'static str {
    match scope {
        Scope::Finding => "this finding",
        Scope::Pattern => "this detector, identity and entity",
        Scope::Identity => "this detector and identity",
        Scope::Entity => "this detector and entity",
        Scope::Detector => "this detector, whoever calls",
    }
}

/// A list in JSON; nothing of what is none.
fn array(json: &str) -> Vec<Json> {
    match serde_json::from_str(json) {
        Ok(Json::Array(mut parts)) => {
            parts.truncate(PARTS_MAX);
            parts
        }
        _ => Vec::new(),
    }
}

/// A value of an object as text; NULL is the empty one.
fn text_of(object: &Json, name: &str) -> String {
    match object.get(name) {
        Some(Json::String(text)) => words::short(text, words::SENTENCE_CHARS_MAX),
        Some(Json::Null) | None => String::new(),
        Some(other) => words::short(&other.to_string(), words::SENTENCE_CHARS_MAX),
    }
}

fn number_of(object: &Json, name: &str) -> f64 {
    object.get(name).and_then(Json::as_f64).unwrap_or_default()
}

//! The report: what a store found, as one HTML file that stands alone, for a ticket or a mail.
//!
//! It has the stylesheet in it and no script, asks no other host for anything, and says nothing that the
//! store does not: no clock, no machine, so that the same store gives the same bytes. What people said of
//! findings may end by itself, and with it what is left out.

#[cfg(test)]
mod tests;

use crate::ask::{AskError, Row, Rows};
use crate::page::{self, Links};
use crate::{chart, finding, words};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::figures::{counted, grouped};
use model::{Severity, Time, plain};
use store::{Question, Reader, Value, Values};

/// The stylesheet, which the file has in it.
const STYLE: &str = include_str!("../assets/style.css");
/// Bytes of findings after which no other is shown: mail servers refuse much larger files.
const FINDINGS_BYTES_MAX: usize = 3 << 20;
/// Incidents that are shown.
const INCIDENTS_MAX: usize = 25;
/// Incidents that are read, to find those of one identity among.
const INCIDENTS_READ_MAX: i64 = 1_000;
/// Identities that are shown.
const IDENTITIES_MAX: i64 = 12;
/// Rows of days and severities that are read: more than a century.
const DAYS_ROWS_MAX: i64 = 200_000;
/// Nanoseconds of a microsecond.
const NS_PER_US: i64 = 1_000;
/// Days of which a small line is drawn: more would only blur.
const TREND_DAYS_MAX: i64 = 3_660;

/// What a report is of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selection {
    /// Findings from this microsecond on, and before that one.
    pub span_us: (i64, i64),
    /// The place of the least severity, from 1.
    pub severity_min: i64,
    /// The identity; empty for all.
    pub principal_id: String,
    /// Findings that are shown at most, the most severe first.
    pub findings_max: i64,
}

/// A report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// The file.
    pub html: String,
    /// Findings that are shown in it.
    pub shown: u64,
    /// Findings that it is of.
    pub findings: u64,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReportError(AskError);

/// Makes a report of a store.
///
/// # Errors
///
/// What the store says.
pub async fn report(reader: &Reader, wanted: &Selection) -> Result<Report, ReportError> {
    let found = Found::read(reader, wanted).await.map_err(ReportError)?;
    Ok(found.report(wanted))
}

/// What the store says.
#[derive(Debug, Default)]
struct Found {
    days: Rows,
    identities: Rows,
    incidents: Rows,
    findings: Rows,
}

impl Found {
    async fn read(reader: &Reader, wanted: &Selection) -> Result<Self, AskError> {
        let values = |more: Values| {
            let mut values: Values = vec![
                ("since_us", Value::Int(wanted.span_us.0)),
                ("until_us", Value::Int(wanted.span_us.1)),
                ("severity_min", Value::Int(wanted.severity_min)),
            ];
            values.extend(more);
            values
        };
        let who = || ("principal_id", Value::Text(wanted.principal_id.clone()));
        let rows = |rows_max: i64| ("rows_max", Value::Int(rows_max));
        let days = values(vec![who(), rows(DAYS_ROWS_MAX)]);
        let identities = values(vec![who(), rows(IDENTITIES_MAX)]);
        let incidents = values(vec![rows(INCIDENTS_READ_MAX)]);
        let findings = values(vec![
            ("detector", Value::Text(String::new())),
            who(),
            ("with_suppressed", Value::Int(0)),
            rows(wanted.findings_max),
        ]);
        Ok(Self {
            days: ask(reader, Question::FindingsByDay, days).await?,
            identities: ask(reader, Question::IdentitiesFound, identities).await?,
            incidents: ask(reader, Question::Incidents, incidents).await?,
            findings: ask(reader, Question::FindingsNamed, findings).await?,
        })
    }

    fn report(&self, wanted: &Selection) -> Report {
        let total = Total::of(&self.days);
        let (parts, shown) = self.parts();
        let body = html! {
            (self.summary(wanted, &total))
            @if total.findings == 0 {
                (page::empty("There are no findings of this kind in the store."))
            } @else {
                section {
                    h2 { "By severity and day" }
                    (chart::days(&total.days))
                }
                (self.incidents(wanted))
                (self.identities())
                section {
                    h2 { "Findings" }
                    (left_out(&total, shown))
                    @for part in &parts { (part) }
                }
            }
        };
        Report { html: file(&total, &body).into_string(), shown, findings: total.findings }
    }

    /// The findings that there is room for, and how many these are.
    fn parts(&self) -> (Vec<Markup>, u64) {
        let mut parts = Vec::new();
        let mut bytes = 0;
        for (number, row) in (1..).zip(self.findings.iter()) {
            let part = part(number, row);
            bytes += part.0.len();
            if bytes > FINDINGS_BYTES_MAX && number > 1 {
                break;
            }
            parts.push(part);
        }
        let shown = parts.len() as u64;
        (parts, shown)
    }

    fn summary(&self, wanted: &Selection, total: &Total) -> Markup {
        let identities = self.identities.first().map_or(0, |row| row.whole("identities"));
        let who = self.identities.first().map_or("", |row| row.text("principal_name"));
        let mut of = String::new();
        if wanted.severity_min > 1 {
            of = format!(" of severity {} and above", severity_name(wanted.severity_min));
        }
        if !wanted.principal_id.is_empty() {
            let id = words::whole(&wanted.principal_id);
            of = format!("{of} about {id}");
            if !who.is_empty() && who != wanted.principal_id {
                of = format!("{of}, called {}", words::short(who, words::NAME_CHARS_MAX));
            }
        }
        html! {
            p class="lead" {
                (counted(total.findings, "finding", "findings")) (of)
                @if !total.first_at.is_empty() {
                    ", detected from " (total.first_at) " to " (total.last_at) " UTC"
                } @else {
                    (period(wanted.span_us))
                }
                "."
            }
            @if total.suppressed > 0 {
                p class="note" {
                    (counted(total.suppressed, "more was", "more were"))
                    " called benign by people, and left out."
                }
            }
            ul class="numbers" {
                @for (place, count) in total.by_severity.into_iter().enumerate().rev() {
                    li {
                        b { (grouped(&count.to_string())) }
                        (severity_name(place as i64 + 1))
                        (total.trend(place))
                    }
                }
                li {
                    b { (grouped(&identities.to_string())) }
                    (if identities == 1 { "identity" } else { "identities" })
                }
            }
        }
    }

    fn incidents(&self, wanted: &Selection) -> Markup {
        let rows: Vec<_> =
            self.incidents.iter().filter(|row| self.is_of(row, &wanted.principal_id)).collect();
        let more = rows.len().saturating_sub(INCIDENTS_MAX);
        html! {
            @if !rows.is_empty() {
                section {
                    h2 { "Incidents" }
                    (page::scrolled("Incidents", &html! {
                        table class="cards" {
                            thead {
                                tr {
                                    th scope="col" { "Severity" } th scope="col" { "From" }
                                    th scope="col" { "To" }
                                    th scope="col" class="number" { "Findings" }
                                    th scope="col" { "Incident" }
                                }
                            }
                            tbody { @for row in rows.iter().take(INCIDENTS_MAX) { (incident(row)) } }
                        }
                    }))
                    @if more > 0 {
                        p class="note" {
                            "And " (counted(more as u64, "incident more", "incidents more"))
                            ": " code { "habitus incidents" } " lists them."
                        }
                    }
                }
            }
        }
    }

    /// Whether an incident is one of the findings that are asked for: of all, or of one identity.
    fn is_of(&self, incident: &Row<'_>, principal_id: &str) -> bool {
        principal_id.is_empty()
            || incident.text("principals").split(", ").any(|it| it == principal_id)
            || self
                .findings
                .iter()
                .any(|row| row.text("incident_id") == incident.text("incident_id"))
    }

    fn identities(&self) -> Markup {
        let tenants: std::collections::BTreeSet<_> =
            self.identities.iter().map(|row| row.text("tenant_id")).collect();
        let risks: Vec<_> = self
            .identities
            .iter()
            .map(|row| (name(&row), row.number("risk").unwrap_or(0.0)))
            .collect();
        let all = self.identities.first().map_or(0, |row| row.whole("identities"));
        html! {
            @if !risks.is_empty() {
                section {
                    h2 { "Identities by risk" }
                    (chart::bars(&risks, ""))
                    (page::scrolled("Identities", &html! {
                        table class="cards" {
                            thead {
                                tr {
                                    th scope="col" { "Identity" }
                                    @if tenants.len() > 1 { th scope="col" { "Tenant" } }
                                    th scope="col" { "Kind" }
                                    th scope="col" class="number" { "Risk" }
                                    th scope="col" class="number" { "Findings" }
                                    th scope="col" { "Highest" } th scope="col" { "Last found" }
                                }
                            }
                            tbody {
                                @for row in self.identities.iter() { (identity(&row, tenants.len() > 1)) }
                            }
                        }
                    }))
                    @if all as usize > risks.len() {
                        p class="note" { "The riskiest " (risks.len()) " of " (grouped(&all.to_string())) "." }
                    }
                }
            }
        }
    }
}

/// When findings were to be detected, where none was.
fn period((since_us, until_us): (i64, i64)) -> String {
    let at = |us: i64| words::second(&Time::from_ns(us.saturating_mul(NS_PER_US)).to_string());
    let mut said = String::new();
    if since_us > i64::MIN {
        said = format!(" from {}", at(since_us));
    }
    if until_us < i64::MAX {
        said = format!("{said} until {}", at(until_us));
    }
    if said.is_empty() { said } else { format!(", asked for those detected{said} UTC") }
}

async fn ask(reader: &Reader, question: Question, values: Values) -> Result<Rows, AskError> {
    Rows::of(&reader.ask(question, values).await?)
}

/// All findings that a report is of, counted.
#[derive(Debug, Default)]
struct Total {
    findings: u64,
    suppressed: u64,
    /// By severity, the least severe first.
    by_severity: [u64; 5],
    days: Vec<chart::Day>,
    /// When the first was detected, to the second; empty without one.
    first_at: String,
    last_at: String,
}

impl Total {
    fn of(rows: &Rows) -> Self {
        let mut total = Self::default();
        for row in rows.iter() {
            let findings = row.whole("findings").max(0) as u64;
            total.findings += findings;
            total.suppressed += row.whole("suppressed").max(0) as u64;
            let mut day = chart::Day { number: row.whole("day"), counts: [0; 5] };
            let place = Severity::ALL.iter().position(|it| it.as_str() == row.text("severity"));
            for counts in [&mut day.counts, &mut total.by_severity] {
                if let Some(count) = counts.get_mut(place.unwrap_or(0)) {
                    *count += findings;
                }
            }
            total.days.push(day);
            let (first, last) =
                (words::second(row.text("first_at")), words::second(row.text("last_at")));
            // Without one, all of the day are suppressed.
            if !first.is_empty() && (total.first_at.is_empty() || first < total.first_at) {
                total.first_at = first;
            }
            total.last_at = total.last_at.max(last);
        }
        total
    }

    /// How many there were of a severity on each day, as a small line; nothing of one day, or of none.
    fn trend(&self, place: usize) -> Markup {
        let numbers = || self.days.iter().map(|it| it.number);
        let (first, last) = (numbers().min().unwrap_or(0), numbers().max().unwrap_or(0));
        let span = last.saturating_sub(first).saturating_add(1);
        let is_any = self.by_severity.get(place).is_some_and(|it| *it > 0);
        if !is_any || !(2..=TREND_DAYS_MAX).contains(&span) {
            return html! {};
        }
        let mut counts = vec![0.0; span as usize];
        for day in &self.days {
            let count = day.counts.get(place).copied().unwrap_or(0);
            if let Some(sum) = counts.get_mut((day.number - first) as usize) {
                *sum += count as f64;
            }
        }
        let name = severity_name(place as i64 + 1);
        chart::spark(&counts, &format!("Findings that are {name}, by day"))
    }
}

/// The whole file. Its policy allows the one stylesheet in it, and nothing else.
fn file(total: &Total, body: &Markup) -> Markup {
    let hash = STANDARD.encode(ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    );
    let dates = [&total.first_at, &total.last_at].map(|it| it.get(..10).unwrap_or_default());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title {
                    "Findings"
                    @if !total.first_at.is_empty() { " " (dates[0]) " to " (dates[1]) }
                    " · Habitus"
                }
                style { (PreEscaped(STYLE)) }
            }
            body class="report" {
                header class="top" { p class="brand" { "Habitus" } }
                main { h1 { "What was found" } (body) }
                footer {
                    p { "Made by Habitus " (env!("CARGO_PKG_VERSION")) ". All times are in UTC." }
                }
            }
        }
    }
}

/// How many findings are not shown, and where they are.
fn left_out(total: &Total, shown: u64) -> Markup {
    html! {
        @if shown < total.findings {
            p class="notice" {
                (counted(shown, "finding is", "findings are")) " shown, the most severe first, of "
                (grouped(&total.findings.to_string())) ": " code { "habitus findings" }
                " lists the others, " code { "--since" } " and " code { "--severity" }
                " make a report of fewer."
            }
        }
    }
}

/// A finding, under the number that it has in the report.
fn part(number: usize, row: Row<'_>) -> Markup {
    html! {
        article id={ "finding-" (number) } {
            h3 {
                (number) ". " (page::severity(row.text("severity"))) " "
                (words::short(row.text("detector"), words::NAME_CHARS_MAX))
            }
            (finding::body(row, Links::None))
        }
    }
}

fn incident(row: &Row<'_>) -> Markup {
    html! {
        tr {
            td data-label="Severity" { (page::severity(row.text("severity"))) }
            td data-label="From" { (words::time(row.text("first_detected_at"))) }
            td data-label="To" { (words::time(row.text("last_detected_at"))) }
            td data-label="Findings" class="number" { (words::whole_number(row.whole("findings"))) }
            td data-label="Incident" class="sentence" {
                (words::short(row.text("sentence"), words::SENTENCE_CHARS_MAX))
                " " span class="muted" { (words::short(row.text("principals"), words::NAME_CHARS_MAX)) }
            }
        }
    }
}

fn identity(row: &Row<'_>, with_tenant: bool) -> Markup {
    html! {
        tr {
            td data-label="Identity" {
                (name(row))
                @if !row.text("principal_name").is_empty() {
                    " " span class="muted" { (words::short(row.text("principal_id"), words::NAME_CHARS_MAX)) }
                }
            }
            @if with_tenant {
                td data-label="Tenant" { (words::short(row.text("tenant_id"), words::NAME_CHARS_MAX)) }
            }
            td data-label="Kind" { (plain::plain(row.text("principal_type"))) }
            td data-label="Risk" class="number" { (words::number(row.number("risk"))) }
            td data-label="Findings" class="number" { (words::whole_number(row.whole("findings"))) }
            td data-label="Highest" { (page::severity(severity_name(row.whole("place")))) }
            td data-label="Last found" { (words::time(row.text("last_at"))) }
        }
    }
}

/// What an identity is called: its name, or else its id.
fn name(row: &Row<'_>) -> String {
    let name = row.text("principal_name");
    words::short(
        if name.is_empty() { row.text("principal_id") } else { name },
        words::NAME_CHARS_MAX,
    )
}

/// The severity of a place, from 1.
fn severity_name(place: i64) -> &'static str {
    let at = usize::try_from(place - 1).unwrap_or(0);
    Severity::ALL.get(at).map_or("info", |it| it.as_str())
}

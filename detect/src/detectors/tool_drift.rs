//! Drifted or shadowed tool: a tool's requests change their size, a tool of a known name comes from
//! another server, or a new tool takes the place of one that is gone.
//!
//! Access logs have no definitions of tools: names and the sizes of requests stand in for them.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, whose, windows_sql};
use crate::explain::{bytes, history, number, percent, quote};
use crate::identity::{KnownTool, KnownTools, ToolKey};
use crate::open_window::{TOOL_CALLS_MIN, TOOL_HOURS_MIN, ToolUse, Tools};
use crate::statistics::Predictive;
use crate::statistics::tail::{largest_of, student};
use model::{Contributor, Detector, Finding};
use std::f64::consts::{LN_2, LOG10_2};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "new tools",
    danger: 0.6,
    owasp: &["API10:2023", "LLM03:2025", "ASI04", "ASI02"],
    attack: &["T1195", "AML.T0109", "AML.T0110"],
};
/// What is counted where requests changed.
pub(crate) const UNIT_SIZE: &str = "bytes of a request (geometric mean)";
/// A tool of a known name from another server.
const DANGER_SHADOW: f64 = 0.8;
/// Learned hours with a tool from which on the size of its requests is known.
const SIZE_HOURS_MIN: f32 = 10.0;
/// Hours differ by so much in ln(bytes), however alike they were: a tenth.
const SPREAD_MIN: f64 = 0.1;
/// A tool that was used in fewer of the hours than this is not missed.
const USUAL_MIN: f64 = 0.5;
/// Half of the surprise of a law is believed, and four fifths of that of a counted share: the one is
/// brought to the scale of the other.
const LAW_TRUST: f64 = 1.25 / 2.0;
/// A tool that nobody used yet is its server's novelty.
const DEPLOYED: f64 = 0.5;

/// What is odd about a tool.
enum Kind<'a> {
    /// Its requests have another size: the law of ln(1 + bytes) of an hour.
    Size { centre: f64, scale: f64, freedom: f64 },
    /// It is new; the same name is known from another server; it took the place of another.
    New { shadowed: Option<&'a KnownTool>, replaced: Option<(&'a KnownTool, f64)> },
}

struct Odd<'a> {
    used: &'a ToolUse,
    kind: Kind<'a>,
    surprise: f64,
}

/// The oddest of the hour's tools.
fn oddest<'a>(view: &View<'a>) -> Option<Odd<'a>> {
    let tools = view.open.tools.as_deref()?;
    let known = view.identity.tools.as_deref()?;
    if known.hours < TOOL_HOURS_MIN {
        return None;
    }
    let each = tools.all.iter().filter_map(|used| {
        if used.is_new {
            Some(newcomer(view, (known, tools), used))
        } else {
            changed((known, tools), used)
        }
    });
    each.reduce(|a, b| if b.surprise > a.surprise { b } else { a })
}

/// A known tool whose requests are more than twice, or less than half as large.
fn changed<'a>((known, tools): (&KnownTools, &Tools), used: &'a ToolUse) -> Option<Odd<'a>> {
    let before = known.get(used.key)?;
    let sizes = before.sizes;
    let size = used.size().filter(|_| used.sized >= TOOL_CALLS_MIN)?;
    if sizes.n < SIZE_HOURS_MIN {
        return None;
    }
    let (n, centre) = (f64::from(sizes.n), sizes.mean());
    // What was said is told again when it is twice as far off.
    let (now, said) = (size - centre, f64::from(before.said) - centre);
    if before.said > 0.0 && now * said > 0.0 && now.abs() < said.abs() + LN_2 {
        return None;
    }
    let spread = (f64::from(sizes.squares) / n - centre * centre).max(0.0) * n / (n - 1.0);
    let scale = ((spread + SPREAD_MIN * SPREAD_MIN) * (1.0 + 1.0 / n)).sqrt();
    let distance = (size - centre).abs();
    // Either way: two tails.
    let single = student(distance / scale, n - 1.0) - LOG10_2;
    let surprise = largest_of(single, tools.all.len() as f64) * LAW_TRUST;
    let kind = Kind::Size { centre, scale, freedom: n - 1.0 };
    (distance >= LN_2).then_some(Odd { used, kind, surprise })
}

/// A new tool: how seldom one is new, times how few use it, times how seldom the one is missing whose
/// place it takes.
fn newcomer<'a>(
    view: &View<'a>,
    (known, tools): (&'a KnownTools, &'a Tools),
    used: &'a ToolUse,
) -> Odd<'a> {
    let users = &view.population.tools;
    let (shadowed, replaced) = (known.elsewhere(used.key), replaced(known, tools, used));
    let is_deployed = users.users(used.key.both()) == 0 && shadowed.is_none();
    let share = if is_deployed { DEPLOYED } else { users.share(used.key.both()) };
    let name = if shadowed.is_some() { users.shadow_share() } else { 1.0 };
    let absent = replaced.map_or(1.0, |(_, chance)| chance);
    let surprise = -(known.p_new() * share * name * absent).log10();
    // The first chance is of an hour already.
    let surprise = largest_of(surprise, tools.new_ones() as f64);
    Odd { used, kind: Kind::New { shadowed, replaced }, surprise }
}

/// The tool of the same server that is usual, is missing in this hour, and had requests as large; and the
/// chance of that: that it is missing, and that any of the tools would be as large.
fn replaced<'a>(
    known: &'a KnownTools,
    tools: &Tools,
    used: &ToolUse,
) -> Option<(&'a KnownTool, f64)> {
    let size = used.size()?;
    let all = known.known();
    let is_like = |old: &KnownTool| {
        let (n, centre) = (f64::from(old.sizes.n), old.sizes.mean());
        let spread = (f64::from(old.sizes.squares) / n.max(1.0) - centre * centre).max(0.0);
        n >= 1.0 && (size - centre).abs() <= 2.0 * (spread + SPREAD_MIN * SPREAD_MIN).sqrt()
    };
    let is_missing = |old: &&KnownTool| {
        old.key.server == used.key.server
            && f64::from(old.hours) >= USUAL_MIN * f64::from(known.hours)
            && tools.all.iter().all(|it| it.key != old.key)
    };
    let hours = f64::from(known.hours);
    let chance = |old: &KnownTool| {
        let by_hours = (hours - f64::from(old.hours) + 0.5).max(0.5) / (hours + 1.0);
        // Early in an hour anything is missing.
        let share = (f64::from(old.calls) / f64::from(known.calls).max(1.0)).clamp(0.0, 0.99);
        by_hours.max((1.0 - share).powf(f64::from(tools.calls)))
    };
    let missing: Vec<_> = all.iter().filter(is_missing).collect();
    let alike = all.iter().filter(|old| is_like(old)).count() as f64;
    let alike = (alike + 1.0) / (all.len() as f64 + 2.0);
    let candidates = missing.len() as f64;
    let like = missing.into_iter().filter(|old| is_like(old));
    let best = like.map(|old| (old, chance(old))).reduce(|a, b| if b.1 < a.1 { b } else { a });
    best.map(|(old, chance)| (old, (chance * alike * candidates).min(1.0)))
}

pub(crate) fn could_read(view: &View<'_>) -> bool {
    view.open.tools.is_some()
        && view.population.is_ready()
        && view.identity.tools.as_ref().is_some_and(|known| known.hours >= TOOL_HOURS_MIN)
}

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    if !could_read(view) {
        return None;
    }
    let odd = oddest(view)?;
    let tools = view.open.tools.as_deref()?;
    let known = view.identity.tools.as_deref()?;
    let (observed, expected, law) = match odd.kind {
        Kind::Size { centre, scale, freedom } => {
            let size = odd.used.size()?;
            (size.exp_m1(), centre.exp_m1(), Law::Size { centre, scale, freedom })
        }
        Kind::New { .. } => {
            let expected = known.p_new();
            let poisson = Predictive { mean: expected, variance: expected };
            (tools.new_ones() as f64, expected, Law::Bound(poisson.quantile(UPPER_SURPRISE)))
        }
    };
    Some(Reading {
        detector: Detector::ToolDrift,
        entity: None,
        start: view.open.start,
        end: view.open.end(),
        observed,
        expected,
        surprise: odd.surprise,
        law,
    })
}

/// The new tool that a reading of the hour is about; `None` where it is about a size.
pub(crate) fn new_tool(view: &View<'_>) -> Option<ToolKey> {
    let odd = oddest(view)?;
    matches!(odd.kind, Kind::New { .. }).then_some(odd.used.key)
}

/// The tool: `server/tool`.
pub(crate) fn entity<'a>(view: &View<'a>) -> &'a str {
    oddest(view).map_or("", |odd| &odd.used.name)
}

pub(crate) fn unit(view: &View<'_>) -> &'static str {
    match oddest(view).map(|odd| odd.kind) {
        Some(Kind::Size { .. }) => UNIT_SIZE,
        _ => ABOUT.unit,
    }
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading) -> Words {
    let Some((odd, known)) = oddest(view).zip(view.identity.tools.as_deref()) else {
        return Words::none(ABOUT.danger);
    };
    match odd.kind {
        Kind::Size { .. } => of_size(view, reading, odd.used, known),
        Kind::New { shadowed, replaced } => of_new(view, odd.used, known, (shadowed, replaced)),
    }
}

fn of_size(view: &View<'_>, reading: &Reading, used: &ToolUse, known: &KnownTools) -> Words {
    let hours = known.get(used.key).map_or(0.0, |tool| f64::from(tool.sizes.n));
    Words {
        sentence: format!(
            "{} called the tool {} {} times with requests of {} (geometric mean of {}), {} times the {} that are \
             expected; 99.9 % of its hours stay under {}; this rests on {} hours with that tool, older ones \
             counting less; {}.",
            crate::explain::subject(view.identity),
            used.name,
            number(f64::from(used.calls)),
            bytes(reading.observed),
            number(f64::from(used.sized)),
            number(reading.observed / reading.expected.max(1.0)),
            bytes(reading.expected),
            bytes(reading.law.value_at(UPPER_SURPRISE)),
            number(hours),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported with requests of between {} and {} (geometric mean)",
            bytes((reading.expected - 1.0).max(0.0) / 2.0),
            bytes(reading.expected * 2.0),
        ),
        contributors: contributors(view),
        evidence_sql: format!(
            "SELECT window_start, observed, expected, surprise FROM signals WHERE detector = 'tool_drift' AND \
             {} AND entity = {} AND window_start <= TIMESTAMP '{}' ORDER BY window_start DESC LIMIT 48",
            whose(view),
            quote(&used.name),
            view.open.start,
        ),
        danger: ABOUT.danger,
    }
}

fn of_new(
    view: &View<'_>,
    used: &ToolUse,
    known: &KnownTools,
    (shadowed, replaced): (Option<&KnownTool>, Option<(&KnownTool, f64)>),
) -> Words {
    let users = &view.population.tools;
    let shadow = shadowed.map_or_else(String::new, |old| {
        format!("; a tool of the same name is one that it knows from elsewhere, {}", old.name)
    });
    let place = replaced.map_or_else(String::new, |(old, _)| {
        let calls = view.open.tools.as_ref().map_or(0, |tools| tools.calls);
        format!(
            "; {}, which it used in {} of such hours, is not among its {} calls of tools in this one, and had \
             requests as large ({} against {})",
            old.name,
            percent((f64::from(old.hours) / f64::from(known.hours).max(1.0)).min(1.0)),
            number(f64::from(calls)),
            bytes(old.sizes.mean().exp_m1()),
            bytes(used.size().unwrap_or(0.0).exp_m1()),
        )
    });
    let count = users.users(used.key.both());
    let at_most = if count > 0 { "at most " } else { "" };
    Words {
        sentence: format!(
            "{} called the tool {} at {}, not among the {} that are kept of it; {at_most}{} of {} agents use it\
             {shadow}{place}; a new tool is expected in {} of the hours in which it uses any; {}.",
            crate::explain::subject(view.identity),
            used.name,
            used.sample.at,
            number(known.known().len() as f64),
            number(f64::from(count)),
            number(f64::from(users.agents())),
            percent(known.p_new()),
            history(view),
        ),
        counterfactual: "would not be reported had it used this tool before".to_owned(),
        contributors: contributors(view),
        evidence_sql: windows_sql(view, "tools_new, tools_distinct, requests, acted_requests"),
        danger: if shadowed.is_some() { DANGER_SHADOW } else { ABOUT.danger },
    }
}

/// The hour's tools by calls.
fn contributors(view: &View<'_>) -> Vec<Contributor> {
    let Some(tools) = view.open.tools.as_deref() else { return Vec::new() };
    let mut all: Vec<_> = tools.all.iter().collect();
    all.sort_by_key(|used| std::cmp::Reverse(used.calls));
    all.truncate(Finding::CONTRIBUTORS_MAX);
    all.into_iter()
        .map(|used| Contributor {
            name: used.name.to_string(),
            observed: f64::from(used.calls),
            share: f64::from(used.calls) / f64::from(tools.calls.max(1)),
        })
        .collect()
}

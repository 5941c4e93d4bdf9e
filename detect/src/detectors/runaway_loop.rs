//! Runaway loop: an agent's session repeats one call, or a short cycle, and learns nothing new.
//!
//! Each call of a session repeats what was had with some chance q, so that a run has at least k
//! repeats with the chance qᵏ. Sessions differ in q: it is Beta distributed, with mean and variance
//! from the identity's own sessions, and from its peers' while there are few of its own. An agent
//! that polls has a q near one, and long runs say nothing of it.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, later, most, windows_sql};
use crate::explain::{history, number, own_most, span, subject};
use crate::open_window::OpenWindow;
use crate::population::{Group, Measure};
use crate::statistics::moments::beta_of;
use crate::statistics::tail::{largest_of, run, seen_before};
use model::{Contributor, Detector, EndpointId, Finding};
use std::f64::consts::LOG10_2;

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "calls in a row without news",
    danger: 0.5,
    owasp: &["API4:2023", "LLM10:2025", "ASI08"],
    attack: &["T1496", "AML.T0034"],
};

/// A shorter run is never a finding: whoever waits for something asks a few times.
pub(crate) const CALLS_MIN: u32 = 20;
/// Sessions of its own that stand in for peers.
const SESSIONS_MIN: f32 = 5.0;
/// Peers with sessions that stand in for sessions of its own.
const AGENTS_MIN: u32 = 5;

pub(crate) fn could_read(view: &View<'_>) -> bool {
    view.open.loops.is_some() && beta(view).is_some()
}

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    let loops = view.open.loops.as_ref()?;
    let calls = loops.most();
    if calls == 0 {
        return None;
    }
    let (a, b) = beta(view)?;
    // Each call that brings something new may begin a run, those still to come in the hour too.
    let usual = view.calls_per_hour() * b / (a + b);
    let n = f64::from(loops.news).max(usual).max(1.0);
    let mut surprise = largest_of(run(f64::from(calls), a, b), n);
    if calls <= most(view, Measure::RepeatsPerSession) {
        surprise = seen_before(surprise, f64::from(view.identity.learned));
    }
    let law = Law::Run { a, b, n };
    Some(Reading {
        detector: Detector::RunawayLoop,
        entity: None,
        start: view.open.start,
        end: view.open.end(),
        observed: f64::from(calls),
        expected: law.value_at(LOG10_2) - 1.0,
        surprise,
        law,
    })
}

/// The law of q, the chance that a call brings nothing new.
fn beta(view: &View<'_>) -> Option<(f64, f64)> {
    if !view.population.is_ready() {
        return None;
    }
    let measure = Measure::RepeatsPerSession as usize;
    let own = view.identity.counts.get(measure)?;
    let itself = u32::from(view.identity.is_agent());
    let has_agents = |group: &&Group| group.agents.saturating_sub(itself) >= AGENTS_MIN;
    let peers = [view.population.peers(view.identity), &view.population.everyone];
    let peers = peers.into_iter().find(has_agents).and_then(|group| group.counts.get(measure));
    let peers = peers.filter(|sums| sums.n > 0.0);
    if peers.is_none() && own.n < SESSIONS_MIN {
        return None;
    }
    Some(beta_of(own, peers))
}

pub(crate) fn may_raise(reading: &Reading) -> bool {
    reading.observed >= f64::from(CALLS_MIN)
}

pub(crate) fn raise_tripwire(open: &mut OpenWindow) {
    if let Some(loops) = &mut open.loops {
        loops.tripwire = later(loops.most());
    }
}

/// The session with the longest run; the agent where the log names no session.
pub(crate) fn entity(open: &OpenWindow) -> &str {
    open.loops.as_ref().map_or("", |loops| loops.longest_name())
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let longest = view.open.loops.as_ref().and_then(|loops| loops.longest());
    let (name, parts, lasted) = longest
        .map_or(("", Vec::new(), 0), |(name, run)| (name, run.parts, run.last.since(run.first)));
    let session = match (name.strip_prefix("session:"), name) {
        (Some(id), _) => format!("in session {id} "),
        (None, "") => String::new(),
        (None, agent) => format!("as agent {agent} "),
    };
    let different = match parts.len() {
        1 => "one call with one answer".to_owned(),
        some => format!("{} different calls with their answers", number(some as f64)),
    };
    let contributors = by_endpoint(view, &parts);
    let mostly = contributors.first().map_or_else(String::new, |first| {
        format!(", {} of them to {}", number(first.observed), first.name)
    });
    let most = number(f64::from(most(view, Measure::RepeatsPerSession)));
    Words {
        sentence: format!(
            "{} made {} calls in a row {session}that brought nothing new, over {}{mostly}: {different}, as far as \
             paths, queries, sizes and status tell, each of which it had before within the hour; half of such hours \
             are expected to have at most {} in a row, 99.9 % stay under {}, {}; {}.",
            subject(view.identity),
            number(reading.observed),
            span(lasted),
            number(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            own_most(view.identity, "its own longest", &most),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} calls in a row without news or fewer",
            number(reading.law.value_at(cut).max(f64::from(CALLS_MIN)) - 1.0),
        ),
        contributors,
        evidence_sql: windows_sql(view, "calls_repeated_max, requests"),
        danger: ABOUT.danger,
    }
}

/// The calls of a run by endpoint, the most first.
fn by_endpoint(view: &View<'_>, parts: &[(u32, u32)]) -> Vec<Contributor> {
    let total: u32 = parts.iter().map(|(_, calls)| calls).sum();
    let mut sums: Vec<(u32, u32)> = Vec::new();
    for (endpoint, calls) in parts {
        match sums.iter_mut().find(|(it, _)| it == endpoint) {
            Some((_, sum)) => *sum += calls,
            None => sums.push((*endpoint, *calls)),
        }
    }
    sums.sort_by(|(x, a), (y, b)| b.cmp(a).then(x.cmp(y)));
    sums.truncate(Finding::CONTRIBUTORS_MAX);
    sums.into_iter()
        .map(|(endpoint, calls)| Contributor {
            name: view.endpoints.name(EndpointId(endpoint)).to_owned(),
            observed: f64::from(calls),
            share: f64::from(calls) / f64::from(total.max(1)),
        })
        .collect()
}

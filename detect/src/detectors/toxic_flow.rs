//! Toxic flow: something sensitive is read, and soon after something is sent out.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, whose};
use crate::explain::{
    as_far_as_kept, bytes, counted, fine_percent, history, number, span, subject,
};
use crate::open_window::Agent;
use crate::statistics::Predictive;
use crate::statistics::tail::largest_of;
use model::{Contributor, Detector};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "calls out after sensitive reads",
    danger: 0.8,
    owasp: &["API6:2023", "LLM01:2025", "LLM02:2025", "ASI01", "ASI02"],
    attack: &["T1567", "AML.T0051", "AML.T0086"],
};

/// Hours with sensitive reads, over all identities, before anything is said of what follows them.
const HOURS_MIN: f64 = 50.0;

pub(crate) fn could_read(view: &View<'_>) -> bool {
    view.population.flowing.hours >= HOURS_MIN
        && view.open.flows.as_ref().is_some_and(|flows| flows.sent.is_some())
}

/// That an hour with such reads has a call out at all, and that it goes where it goes.
pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    if !could_read(view) {
        return None;
    }
    let flows = view.open.flows.as_ref()?;
    let sent = flows.sent.as_ref()?;
    let chance = view.population.flowing.chance(view.identity.flowing.as_deref());
    let mut surprise = -chance.min(1.0).log10();
    if sent.is_new {
        let somewhere = view.identity.profile.p_new();
        let usage = view.population.usage(view.identity, sent.endpoint);
        surprise += largest_of(-(somewhere * usage).log10(), view.calls_per_hour());
    }
    let law = Predictive { mean: chance, variance: chance * (1.0 + chance) };
    Some(Reading {
        detector: Detector::ToxicFlow,
        entity: Some(sent.endpoint),
        start: view.open.start,
        end: view.open.end(),
        observed: f64::from(flows.calls),
        expected: chance,
        surprise,
        law: Law::Bound(law.quantile(UPPER_SURPRISE)),
    })
}

/// Whoever sends where it always sends is not reported: only a new way out is.
pub(crate) fn may_raise(view: &View<'_>) -> bool {
    let sent = view.open.flows.as_ref().and_then(|flows| flows.sent.as_ref());
    sent.is_some_and(|sent| sent.is_new)
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading) -> Words {
    let endpoint = reading.entity.unwrap_or_default();
    let name = view.endpoints.name(endpoint);
    let everyone = &view.population.flowing;
    let own = view.identity.flowing.as_ref();
    let (own_hours, own_flows) = own.map_or((0.0, 0.0), |it| (it.hours, it.flows));
    let peers = view.population.peers(view.identity);
    let Some(sent) = view.open.flows.as_ref().and_then(|flows| flows.sent.as_ref()) else {
        return Words::none(ABOUT.danger);
    };
    let agent = match &sent.agent {
        Agent::One(name) => format!(", through the agent {name},"),
        Agent::Unknown => String::new(),
    };
    let session = sent.session.as_ref().map_or_else(String::new, |it| format!(" in session {it}"));
    let reads = if sent.read.reads == 0 {
        "a call".to_owned()
    } else {
        let at_least = if sent.is_part { "at least " } else { "" };
        let reads = counted(u64::from(sent.read.reads), "sensitive read");
        format!("the last of {at_least}{reads}")
    };
    let within = if sent.read.session == 0 { "" } else { " in one session" };
    let size =
        if sent.bytes == 0 { String::new() } else { format!(" with {}", bytes(sent.bytes as f64)) };
    // Calls of this hour may have come before it, without such a read or in vain.
    let seen = view.open.endpoints.iter().find(|seen| seen.endpoint == endpoint);
    let when = if seen.is_some_and(|seen| seen.calls > sent.calls) {
        ", which it never called before this hour,"
    } else {
        " for the first time"
    };
    Words {
        sentence: format!(
            "{}{agent} called {name} (of the class `egress`){when} at {}{session}{}, {} after \
             {reads} of {} (of the class `sensitive` or `secret`){within}: {}{size} so far; in {} of the {} \
             hours of identities with such reads a call out came within 30 min, in {} of its own {}; \
             it tries something new in {} of its calls, and {} of {} use that endpoint; {}.",
            subject(view.identity),
            sent.first,
            as_far_as_kept(view.identity),
            span(sent.first.since(sent.read.at)),
            view.endpoints.name(sent.read.endpoint),
            counted(u64::from(sent.calls), "call"),
            number(everyone.flows),
            number(everyone.hours),
            number(f64::from(own_flows)),
            number(f64::from(own_hours)),
            fine_percent(view.identity.profile.p_new()),
            number(f64::from(peers.users_of(endpoint))),
            counted(u64::from(super::peers_of(view)), "peer"),
            history(view),
        ),
        counterfactual:
            "would not be reported without a call out within 30 min of such a read, or with one to \
                         where it sent before"
                .to_owned(),
        contributors: vec![Contributor {
            name: name.to_owned(),
            observed: f64::from(sent.calls),
            share: f64::from(sent.calls) / reading.observed.max(1.0),
        }],
        evidence_sql: format!(
            "SELECT window_start, entity, observed, expected, surprise FROM signals WHERE detector = 'toxic_flow' \
             AND {} AND window_start <= TIMESTAMP '{}' ORDER BY window_start DESC LIMIT 48",
            whose(view),
            view.open.start,
        ),
        danger: ABOUT.danger,
    }
}

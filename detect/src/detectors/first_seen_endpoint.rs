//! First-time endpoint, rare among peers: how seldom this identity does new things, times how few
//! of its peers do this one.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, peers_of, ranked_sql};
use crate::classes::Class;
use crate::explain::{as_far_as_kept, fine_percent, history, number, subject};
use crate::open_window::Call;
use crate::statistics::Predictive;
use crate::statistics::tail::largest_of;
use model::time::NS_PER_D;
use model::{Contributor, Detector};

pub(crate) const ABOUT: About = About {
    version: 2,
    unit: "first calls",
    danger: 0.6,
    owasp: &["API5:2023", "LLM06:2025", "ASI03", "ASI10"],
    attack: &["T1078.004", "T1098"],
};

/// Calls of its own before novelty says anything.
const CALLS_MIN: u64 = 100;
/// Active days that stand in for peers.
const DAYS_MIN: u16 = 3;
/// How much likelier a second new endpoint is that peers do not use, once there was a first.
const COMPANY: f64 = 3.0;
/// Further first calls that add to the surprise of the oddest.
const FURTHER_MAX: usize = 3;
/// Peers that stand in for active days.
const PEERS_MIN: u32 = 20;

pub(crate) fn could_read(view: &View<'_>) -> bool {
    let identity = view.identity;
    let peers = view.population.peers(identity);
    identity.calls >= CALLS_MIN
        && (identity.days >= DAYS_MIN || (peers.members >= PEERS_MIN && identity.learned >= 3))
}

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    if !could_read(view) {
        return None;
    }
    let identity = view.identity;
    let p_new = identity.profile.p_new();
    let (oddest, single) = view
        .open
        .novel
        .iter()
        .map(|novel| (novel, -(p_new * rarity(view, novel)).log10()))
        .max_by(|(a, x), (b, y)| x.total_cmp(y).then(b.at.cmp(&a.at)))?;
    // Every call of the hour is a chance to do something new: of a whole hour, however young it is.
    let calls = view.calls_per_hour();
    let surprise = largest_of(single, calls) + further(view, oddest);
    let expected = p_new * calls;
    let poisson = Predictive { mean: expected.max(1e-6), variance: expected.max(1e-6) };
    Some(Reading {
        detector: Detector::FirstSeenEndpoint,
        entity: Some(oddest.endpoint),
        start: view.open.start,
        end: view.open.end(),
        observed: f64::from(view.open.novel_accepted),
        expected,
        surprise,
        law: Law::Bound(poisson.quantile(UPPER_SURPRISE)),
    })
}

/// What further first calls of the hour add, if they too are to administration, access or bulk.
///
/// Who does one new thing does another: that there are several says little. But each is as rare among
/// peers as the share of them that use it, and few do something new at several such places.
fn further(view: &View<'_>, oddest: &Call) -> f64 {
    if !is_grave(view, oddest) {
        return 0.0;
    }
    let others = view.open.novel.iter().filter(|it| it.endpoint != oddest.endpoint);
    let others = others.filter(|it| is_grave(view, it));
    let rarities = others.map(|novel| {
        let usage = view.population.usage(view.identity, novel.endpoint);
        -(COMPANY * usage).log10()
    });
    let mut rarities: Vec<_> = rarities.filter(|it| *it > 0.0).collect();
    rarities.sort_by(|a, b| b.total_cmp(a));
    rarities.iter().take(FURTHER_MAX).sum()
}

/// Whether a first call is to an endpoint of administration, access or bulk that is not itself new: what a
/// deploy brings comes in company.
fn is_grave(view: &View<'_>, novel: &Call) -> bool {
    let habit = view.population.endpoint(novel.endpoint);
    view.classes.of(novel.endpoint).has(Class::Privileged)
        && habit.is_some_and(|it| view.open.start.since(it.first_seen) >= NS_PER_D)
}

/// How rare the endpoint is among peers, times how little business anyone has there; ½ says nothing.
fn rarity(view: &View<'_>, novel: &Call) -> f64 {
    /// A call of administration, access or bulk is thirty times likelier to matter.
    const SENSITIVITY: f64 = 1.0 / 30.0;
    let is_sensitive = view.classes.of(novel.endpoint).has(Class::Privileged);
    if view.population.endpoint(novel.endpoint).is_none() && !is_sensitive {
        // A deploy brings endpoints that nobody used yet: that is the endpoint's novelty.
        return 0.5;
    }
    let usage = view.population.usage(view.identity, novel.endpoint);
    if is_sensitive { usage * SENSITIVITY } else { usage }
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading) -> Words {
    let endpoint = reading.entity.unwrap_or_default();
    let name = view.endpoints.name(endpoint);
    let peers = view.population.peers(view.identity);
    let novel = view.open.novel.iter().find(|novel| novel.endpoint == endpoint);
    let status = novel.map_or(0, |novel| novel.status);
    let answered = if status == 0 { String::new() } else { format!(" (answered {status})") };
    let at = novel.map_or(reading.start, |novel| novel.at);
    let several = match view.open.novel.iter().filter(|it| is_grave(view, it)).count() {
        0 | 1 => String::new(),
        count => format!(", {count} of them to endpoints of administration, access or bulk"),
    };
    let were = if reading.observed > 1.0 { "were" } else { "was" };
    // Whoever was refused there before did call.
    let was_refused =
        novel.is_some_and(|novel| novel.is_late) || view.identity.profile.calls(endpoint) > 0.0;
    let called = if was_refused {
        format!("was first accepted at {name} at {at}")
    } else {
        format!("called {name} for the first time at {at}")
    };
    Words {
        sentence: format!(
            "{} {called}{answered}{}, after {} calls learned in earlier hours, to {} other endpoints; \
             {} of {} peers use it; it tries something new in {} of its calls, so {} are expected in \
             an hour like this and {} {were} seen{several}; {}.",
            subject(view.identity),
            as_far_as_kept(view.identity),
            number(view.identity.calls_learned(view.open) as f64),
            number(view.identity.profile.used() as f64),
            number(f64::from(peers.users_of(endpoint))),
            number(f64::from(peers_of(view))),
            fine_percent(view.identity.profile.p_new()),
            number(reading.expected),
            number(reading.observed),
            history(view),
        ),
        counterfactual:
            "would not be reported had it, or several of its peers, used the endpoint before"
                .to_owned(),
        contributors: view
            .open
            .novel
            .iter()
            .take(model::Finding::CONTRIBUTORS_MAX)
            .map(|novel| Contributor {
                name: view.endpoints.name(novel.endpoint).to_owned(),
                observed: 1.0,
                share: 1.0 / f64::from(view.open.novel_accepted.max(1)),
            })
            .collect(),
        // Of the new endpoints those count that accepted a call.
        evidence_sql: ranked_sql(
            view,
            Detector::FirstSeenEndpoint,
            &["endpoints_new", "endpoints_distinct", "requests"],
        ),
        danger: match (view.classes.of(endpoint).has(Class::Privileged), status) {
            (true, 200..=299) => 0.9,
            (_, 200..=299) => 0.6,
            _ => 0.4,
        },
    }
}

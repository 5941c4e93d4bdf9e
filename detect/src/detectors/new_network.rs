//! Credential from a new network: how seldom it comes from new ones, times how seldom new ones are
//! foreign, come with a new program, or are used at once with another.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, windows_sql};
use crate::explain::{history, number, percent, span, subject};
use crate::identity::Identity;
use crate::open_window::{NewOrigin, OpenWindow, Origin};
use crate::population::Measure;
use crate::statistics::Predictive;
use crate::statistics::tail::largest_of;
use model::time::NS_PER_D;
use model::{Contributor, Detector, Finding, Time};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "new networks",
    danger: 0.5,
    owasp: &["API2:2023", "ASI03"],
    attack: &["T1078.004", "T1528", "T1550.001"],
};

/// With a program that it never used, with the networks at once, and with both.
const DANGER_PROGRAM: f64 = 0.65;
const DANGER_AT_ONCE: f64 = 0.8;
const DANGER_BOTH: f64 = 0.9;
/// Learned calls that stand in for days of history, and the days.
const CALLS_MIN: u64 = 200;
const HISTORY_NS_MIN: i64 = 7 * NS_PER_D;

/// Whether an identity has credentials that can be used from elsewhere: an address cannot.
pub(crate) const fn is_movable(identity: &Identity) -> bool {
    identity.kind.is_named()
}

/// Whether enough is known of an identity to call a network new to it.
pub(crate) fn has_history(identity: &Identity, open: &OpenWindow, now: Time) -> bool {
    now.since(identity.first_seen) >= HISTORY_NS_MIN || identity.calls_learned(open) >= CALLS_MIN
}

pub(crate) fn could_read(view: &View<'_>) -> bool {
    view.open.origins.is_some()
        && view.identity.networks.is_used()
        && view.population.is_ready()
        && has_history(view.identity, view.open, view.open.start)
}

fn hours(identity: &Identity) -> f32 {
    // Every learned hour adds one window to this measure.
    identity.counts.get(Measure::DeniedPerHour as usize).map_or(0.0, |hours| hours.n)
}

/// The product of chances: each after the first is of hours that have a new network already, so that what
/// goes together with moving, as a new device does, counts for as little as it says.
fn surprise(view: &View<'_>, origin: &Origin, new: &NewOrigin) -> f64 {
    let (networks, sources) = (&view.identity.networks, &view.population.sources);
    let hours = hours(view.identity);
    let mut p = networks.p_new(hours);
    if !networks.knows_near(origin.network) {
        let users = sources.network_users(origin.network);
        p *= sources.share(users).max(sources.foreign_share());
    }
    if new.is_new_family {
        p *= networks.p_program(hours).max(sources.program_share());
        p *= sources.share(sources.agent_users(new.family_key));
    }
    if new.is_at_once() {
        p *= networks.p_overlap(hours).max(sources.overlap_share());
    }
    -p.log10()
}

/// The oddest of the hour's new networks.
fn oddest<'a>(view: &View<'a>) -> Option<(&'a Origin, &'a NewOrigin, f64)> {
    let all = view.open.origins.as_ref()?.new_ones();
    all.map(|(origin, new)| (origin, new, surprise(view, origin, new)))
        .max_by(|(_, a, x), (_, b, y)| x.total_cmp(y).then(b.sample.at.cmp(&a.sample.at)))
}

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    if !view.population.is_ready() {
        return None;
    }
    let (_, _, single) = oddest(view)?;
    let count = view.open.origins.as_ref()?.new_ones().count() as f64;
    let expected = view.identity.networks.p_new(hours(view.identity));
    let poisson = Predictive { mean: expected, variance: expected };
    Some(Reading {
        detector: Detector::NewNetwork,
        entity: None,
        start: view.open.start,
        end: view.open.end(),
        observed: count,
        expected,
        surprise: largest_of(single, count),
        law: Law::Bound(poisson.quantile(UPPER_SURPRISE)),
    })
}

/// The hash of the network that the hour's reading is about.
pub(crate) fn network(view: &View<'_>) -> Option<u32> {
    oddest(view).map(|(origin, ..)| origin.network)
}

/// What it is about: the credential, or the network where the log names no credential.
pub(crate) fn entity<'a>(view: &View<'a>) -> &'a str {
    oddest(view).map_or("", |(_, new, _)| &new.entity)
}

/// How many identities use something: counted in buckets, and so never too few.
fn users(users: u32, members: u32) -> String {
    let at_most = if users > 0 { "at most " } else { "" };
    format!("{at_most}{} of {} identities", number(f64::from(users)), number(f64::from(members)))
}

fn program(view: &View<'_>, new: &NewOrigin) -> String {
    let sources = &view.population.sources;
    match new.family.as_ref().filter(|_| new.is_new_family) {
        Some(family) => format!(
            "; its program there is {family}, not among those that are kept of it ({}), and {} use that",
            number(view.identity.networks.agents_kept() as f64),
            users(sources.agent_users(new.family_key), sources.members()),
        ),
        None => String::new(),
    }
}

fn at_once(new: &NewOrigin) -> String {
    let Some(other) = new.other.as_ref().filter(|_| new.is_at_once()) else {
        return String::new();
    };
    format!(
        "; meanwhile it came from {other} too: {} switches between this network and others in {}, each within \
         5 min",
        number(f64::from(new.switches)),
        span(new.switch_last.since(new.switch_first)),
    )
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading) -> Words {
    let Some((origin, new, _)) = oddest(view) else { return Words::none(ABOUT.danger) };
    let (networks, sources) = (&view.identity.networks, &view.population.sources);
    let credential =
        new.credential().map_or_else(String::new, |it| format!(" with credential {it}"));
    let status = new.sample.status;
    let answered = if status == 0 { String::new() } else { format!(" (answered {status})") };
    let near = if networks.knows_near(origin.network) { ", though near one of them" } else { "" };
    Words {
        sentence: format!(
            "{} called{credential} from {} at {}{answered}, not among the networks that are kept of {} ({}){near}, \
             after {} calls learned in earlier hours; {} use it{}{}; a new network is expected in {} of its active hours, and this one had \
             {}; {}.",
            subject(view.identity),
            new.network,
            new.sample.at,
            if new.credential().is_some() { "that credential" } else { "it" },
            number(networks.kept(origin.of) as f64),
            number(view.identity.calls_learned(view.open) as f64),
            users(sources.network_users(origin.network), sources.members()),
            program(view, new),
            at_once(new),
            percent(reading.expected),
            number(reading.observed),
            history(view),
        ),
        counterfactual: "would not be reported had it been used from this network before"
            .to_owned(),
        contributors: contributors(view),
        evidence_sql: windows_sql(
            view,
            "networks_new, networks_distinct, user_agents_distinct, requests",
        ),
        danger: match (new.is_at_once(), new.is_new_family) {
            (true, true) => DANGER_BOTH,
            (true, false) => DANGER_AT_ONCE,
            (false, true) => DANGER_PROGRAM,
            (false, false) => ABOUT.danger,
        },
    }
}

fn contributors(view: &View<'_>) -> Vec<Contributor> {
    let origins = view.open.origins.as_ref();
    let new = origins.into_iter().flat_map(|origins| origins.new_ones());
    new.take(Finding::CONTRIBUTORS_MAX)
        .map(|(_, new)| Contributor {
            name: new.network.to_string(),
            observed: f64::from(new.calls),
            share: f64::from(new.calls) / f64::from(view.open.calls.max(1)),
        })
        .collect()
}

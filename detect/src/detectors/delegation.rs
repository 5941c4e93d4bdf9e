//! Delegation break: an agent acts for many in an hour, for many whom it never acted for, through a
//! longer chain than ever; or does for them what they never do themselves.

mod beyond;

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, later, windows_sql};
use crate::explain::{number, percent, span};
use crate::identity::{Acting, Identity};
use crate::open_window::{Acted, DISTINCT_MAX, OpenWindow};
use crate::statistics::Predictive;
use crate::statistics::moments::smallest;
use crate::statistics::tail::{binomial, seen_before, together};
use model::{Contributor, Detector};

pub(crate) const ABOUT: About = About {
    version: 2,
    unit: "identities acted for",
    danger: 0.7,
    owasp: &["API2:2023", "API5:2023", "LLM06:2025", "ASI03", "ASI07"],
    attack: &["T1550.001"],
};

/// Fewer subjects in an hour than this are never a finding: whoever is new to an agent may just have
/// begun to use it.
pub(crate) const SUBJECTS_MIN: u32 = 5;
/// Pairs of somebody and an endpoint that it never calls itself: fewer in an hour are never a finding.
pub(crate) const BEYOND_MIN: u32 = 5;
pub(crate) const BEYOND_UNIT: &str = "pairs of identity and endpoint";
/// Learned hours from which on somebody is new to an agent, and not only to the log.
const HOURS_MIN: u32 = 10;
/// Other agents that stand in for hours of one's own.
const AGENTS_MIN: u32 = 5;
/// With a longer chain than ever.
const DANGER_CHAIN: f64 = 0.85;

/// Agents beside this one.
fn others(view: &View<'_>) -> u32 {
    let itself = u32::from(hours(view.identity) > 0);
    view.population.agents.as_deep(0).0.saturating_sub(itself)
}

fn hours(identity: &Identity) -> u32 {
    identity.acting.as_ref().map_or(0, |acting| acting.hours)
}

pub(crate) fn could_read(view: &View<'_>) -> bool {
    view.open.acted.is_some() && law(view).is_some()
}

/// The law of the subjects of an hour in which it acts at all.
fn law(view: &View<'_>) -> Option<Predictive> {
    if hours(view.identity) < HOURS_MIN && others(view) < AGENTS_MIN {
        return None;
    }
    let own = view.identity.acting.as_ref().map(|acting| acting.per_hour).unwrap_or_default();
    Predictive::of(&own, &view.population.agents.subjects)
}

/// What the number of subjects says by itself.
fn of_count(view: &View<'_>, law: &Predictive, count: f64) -> f64 {
    let single = law.surprise(count);
    match view.identity.acting.as_deref() {
        Some(acting) if count <= f64::from(acting.most) => {
            seen_before(single, f64::from(acting.hours))
        }
        _ => single,
    }
}

/// What it says that some of them are new to it.
fn of_new(acting: &Acting, count: f64, new: f64) -> f64 {
    binomial(new, count, acting.p_new())
}

/// What a chain says that is longer than any before.
fn of_chain(view: &View<'_>, acting: &Acting, acted: &Acted) -> Option<f64> {
    if acted.depth <= acting.deepest {
        return None;
    }
    let (agents, as_deep) = view.population.agents.as_deep(acted.depth);
    let share = (f64::from(as_deep) + 1.0) / (f64::from(agents) + 2.0);
    Some(-(share * 0.5 / (f64::from(acting.hours) + 1.0)).log10())
}

fn surprise(view: &View<'_>, law: &Predictive, acted: &Acted) -> f64 {
    let count = f64::from(acted.subjects.served());
    let alone = of_count(view, law, count);
    let Some(acting) = view.identity.acting.as_deref().filter(|it| it.hours >= HOURS_MIN) else {
        return alone;
    };
    // Two oddities are less odd together than their product, and no less than either.
    let both = together(alone, of_new(acting, count, f64::from(acted.new)));
    let pairs = alone.max(both);
    let all = of_chain(view, acting, acted).map_or(0.0, |chain| together(pairs, chain));
    pairs.max(all)
}

pub(crate) fn read(view: &View<'_>, out: &mut Vec<Reading>) {
    out.extend(of_subjects(view));
    out.extend(beyond::read(view));
}

/// What the number of those says whom it acted for.
fn of_subjects(view: &View<'_>) -> Option<Reading> {
    let acted = view.open.acted.as_deref()?;
    let law = law(view)?;
    Some(Reading {
        detector: Detector::Delegation,
        entity: None,
        start: view.open.start,
        end: view.open.end(),
        observed: f64::from(acted.subjects.served()),
        expected: law.mean,
        surprise: surprise(view, &law, acted),
        law: Law::Bound(law.quantile(UPPER_SURPRISE)),
    })
}

pub(crate) fn may_raise(reading: &Reading) -> bool {
    let least = if reading.entity.is_some() { BEYOND_MIN } else { SUBJECTS_MIN };
    reading.observed >= f64::from(least)
}

pub(crate) fn raise_tripwire(open: &mut OpenWindow) {
    if let Some(acted) = &mut open.acted {
        acted.tripwire = later(acted.subjects.served()).max(SUBJECTS_MIN);
        acted.beyond.tripwire = later(acted.beyond.count).max(BEYOND_MIN);
    }
}

/// What a finding of it rests on: calls and hours in which it acted, and other agents.
pub(crate) fn rests_on(view: &View<'_>) -> (u64, u32, u32) {
    let acting = view.identity.acting.as_deref();
    (acting.map_or(0, |acting| acting.calls), hours(view.identity), others(view))
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    if reading.entity.is_some() {
        return beyond::explain(view, reading, cut).unwrap_or_else(|| Words::none(ABOUT.danger));
    }
    let Some((acted, law)) = view.open.acted.as_deref().zip(law(view)) else {
        return Words::none(ABOUT.danger);
    };
    let acting = view.identity.acting.as_deref();
    let is_deeper = acting.is_some_and(|acting| of_chain(view, acting, acted).is_some());
    let at_least = if reading.observed >= DISTINCT_MAX as f64 { "at least " } else { "" };
    let most = acting.map_or(0, |acting| acting.most);
    // Of identities that it acted for before, whose number alone would speak.
    let few = smallest(|count| of_count(view, &law, count) >= cut) - 1.0;
    Words {
        sentence: format!(
            "agent {} acted on behalf of {at_least}{} identities in {}{}{}; {} are expected in an hour in which it \
             acts for others, 99.9 % of such hours stay under {}, its own most in those that were learned is {}; {}.",
            view.identity.name,
            number(reading.observed),
            span(acted.last.since(acted.first)),
            novelty(acting, acted),
            chain(acting, acted, is_deeper),
            number(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            number(f64::from(most)),
            history(view, acting),
        ),
        counterfactual: format!(
            "would not be reported had it acted for {} identities or fewer, all of them known to it, through no \
             longer a chain than before",
            number(few.max(f64::from(SUBJECTS_MIN - 1))),
        ),
        contributors: acted
            .first_new
            .iter()
            .map(|served| Contributor {
                name: served.name.to_string(),
                observed: f64::from(served.calls),
                share: f64::from(served.calls) / f64::from(acted.calls.max(1)),
            })
            .collect(),
        evidence_sql: windows_sql(
            view,
            "subjects_distinct, subjects_new, acted_requests, chain_actors_max",
        ),
        danger: if is_deeper { DANGER_CHAIN } else { ABOUT.danger },
    }
}

fn novelty(acting: Option<&Acting>, acted: &Acted) -> String {
    let Some(acting) = acting else { return String::new() };
    format!(
        ", {} of whom are not among the {} that are kept of it (of those of an hour {} are expected to be new)",
        number(f64::from(acted.new)),
        number(acting.kept() as f64),
        percent(acting.p_new()),
    )
}

fn chain(acting: Option<&Acting>, acted: &Acted, is_deeper: bool) -> String {
    let (Some(acting), Some(chain), true) = (acting, &acted.chain, is_deeper) else {
        return String::new();
    };
    format!(
        ", through a chain of {} actors ({chain}) where it had at most {}",
        acted.depth, acting.deepest
    )
}

fn history(view: &View<'_>, acting: Option<&Acting>) -> String {
    let peers = format!("{} other agents that act for somebody", number(f64::from(others(view))));
    match acting.filter(|acting| acting.hours > 0) {
        Some(acting) => format!(
            "this rests on {} hours in which it did ({} calls over {}) and {peers}",
            number(f64::from(acting.hours)),
            number(acting.calls as f64),
            span(view.open.start.since(acting.first)),
        ),
        None => format!("none of its hours before was learned; {peers} stand for it"),
    }
}

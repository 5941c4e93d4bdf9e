//! Exposure change: an endpoint's answers grow for everybody who calls it.
//!
//! Page's cumulative sum (Biometrika 41, 1954; with the allowance of Hinkley, Biometrika 58, 1971) over
//! the minutes says since when; how odd it is says a law of the mean over callers, each counted once, so
//! that one of them who asks for more does not make a change.

use super::{About, UPPER_SURPRISE, Words};
use crate::engine::Context;
use crate::explain::{bytes, counted, number, quote, span};
use crate::population::{SizeHabit, SizeLaw};
use crate::snapshot::plain;
use crate::statistics::moments::Sums;
use crate::statistics::tail::{largest_of, student};
use crate::watch::{At, Closed, Seen, Subject, Told};
use model::time::{NS_PER_H, NS_PER_MIN};
use model::{Detector, EndpointId, Evidence, Finding, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "bytes of a middle answer",
    danger: 0.6,
    owasp: &["API3:2023", "LLM02:2025"],
    attack: &["T1530"],
};

/// Growth of ln(1 + bytes) per observation that the sum does not count.
const ALLOWANCE: f64 = 0.2;
/// A smaller growth is never a finding, nor one that fewer callers have seen.
const GROWTH_MIN: f64 = 1.5;
const CALLERS_MIN: usize = 5;
/// Callers that are told apart since a change began.
const CALLERS_MAX: usize = 256;
/// Endpoints whose changes are followed at once.
const CHANGES_MAX: usize = 4_096;
/// Hours in a row after which a change is what is ordinary.
const HOURS_MAX: i32 = 24;
/// Starting points of a change in an hour.
const LOOKS: f64 = 60.0;

/// What an endpoint answered in the open hour.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Hour {
    answers: Sums,
    /// The largest surprise of it.
    most: f64,
    /// How odd the change was that ended in it, and whether it was raised; of several, the oddest.
    ended: Option<(f64, bool)>,
}

/// A growth that may be a change.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Change {
    #[serde(with = "plain")]
    since: Time,
    #[serde(with = "plain")]
    last: Time,
    /// Page's sum: it ends when this comes back to 0.
    sum: f64,
    /// The observations since it began: they are learned if it ends.
    pending: Sums,
    /// Sum and number of each caller's observations.
    callers: BTreeMap<u64, (f64, u32)>,
    /// The hours in which it was raised first and said last, and with which size that was.
    raised: Option<i32>,
    said_hour: i32,
    said: f64,
    /// The largest surprise so far: its hours depend on each other, so that it is one observation for the
    /// calibration, when it is over.
    most: f64,
    #[serde(with = "plain")]
    evidence: Vec<Evidence>,
}

/// The sizes of the answers of every endpoint in the open hour, and the changes that go on.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Exposures {
    hours: BTreeMap<u32, Hour>,
    changes: BTreeMap<u32, Change>,
    missed: u64,
}

/// What an hour teaches of the sizes of an endpoint's answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lesson {
    /// These were ordinary.
    Learn(Sums),
    /// From now on these are.
    Replace(Sums),
}

impl Exposures {
    /// Takes in a minute's observations, in the order of the partitions, and raises what they show.
    pub(crate) fn take(&mut self, at: &At<'_>, seen: Vec<Seen>, findings: &mut Vec<Finding>) {
        let context = at.context;
        let mut minute: BTreeMap<u32, Vec<Seen>> = BTreeMap::new();
        for it in seen {
            let endpoint = context.endpoints.resolve(EndpointId(it.endpoint));
            minute.entry(endpoint.0).or_default().push(it);
        }
        for (endpoint, seen) in minute {
            let mut sizes = Sums::default();
            for it in &seen {
                sizes.add(f64::from(it.size), 1.0);
            }
            let habit = context.population.sizes(EndpointId(endpoint));
            let known = habit.and_then(|it| Some((it, it.law(context.hour)?)));
            if let Some((_, law)) = &known {
                self.follow(endpoint, law, seen);
            }
            let hour = self.hours.entry(endpoint).or_default();
            let Some(change) = self.changes.get_mut(&endpoint) else {
                hour.answers.absorb(&sizes);
                continue;
            };
            change.pending.absorb(&sizes);
            let Some((habit, law)) = known else { continue };
            let Some(told) = read(context, EndpointId(endpoint), change, (habit, &law)) else {
                continue;
            };
            hour.most = hour.most.max(told.surprise);
            change.most = change.most.max(told.surprise);
            if is_odd(context, &told) && change.is_due(&told) {
                let hour = context.hour.hour_number();
                let is_first = change.said_hour != hour;
                change.raised.get_or_insert(hour);
                change.said_hour = hour;
                change.said = told.observed;
                findings.push(finding(context, &told, change, &law, is_first));
            }
        }
    }

    /// Page's sum of one minute.
    fn follow(&mut self, endpoint: u32, law: &SizeLaw, seen: Vec<Seen>) {
        let excess: f64 = seen.iter().map(|it| f64::from(it.size) - law.centre - ALLOWANCE).sum();
        let has_room = self.changes.len() < CHANGES_MAX;
        let Some(first) = seen.first() else { return };
        if !self.changes.contains_key(&endpoint) {
            if excess <= 0.0 {
                return;
            }
            if !has_room {
                self.missed += 1;
                return;
            }
        }
        let change = self.changes.entry(endpoint).or_insert_with(|| Change {
            since: first.at.floor(NS_PER_MIN),
            last: first.at,
            sum: 0.0,
            pending: Sums::default(),
            callers: BTreeMap::new(),
            raised: None,
            said_hour: i32::MIN,
            said: 0.0,
            most: 0.0,
            evidence: Vec::new(),
        });
        change.sum += excess;
        if change.sum <= 0.0 {
            let ended = self.changes.remove(&endpoint);
            let hour = self.hours.entry(endpoint).or_default();
            if let Some(ended) = ended {
                hour.answers.absorb(&ended.pending);
                let (most, is_raised) = hour.ended.unwrap_or_default();
                hour.ended = Some((most.max(ended.most), is_raised || ended.raised.is_some()));
            }
            return;
        }
        for it in seen {
            change.last = change.last.max(it.at);
            let is_full = change.callers.len() >= CALLERS_MAX;
            if !is_full || change.callers.contains_key(&it.principal) {
                let caller = change.callers.entry(it.principal).or_default();
                caller.0 += f64::from(it.size);
                caller.1 += 1;
            }
            let room = Finding::EVIDENCE_MAX.saturating_sub(change.evidence.len());
            change.evidence.extend(it.evidence.into_iter().take(room));
        }
    }

    /// Judges the hour whole; what it teaches comes back in `closed`.
    pub(crate) fn close(&mut self, at: &At<'_>, closed: &mut Closed) {
        let context = at.context;
        let now = context.hour.hour_number();
        let mut judged = 0;
        for (endpoint, hour) in std::mem::take(&mut self.hours) {
            let id = EndpointId(endpoint);
            let habit = context.population.sizes(id);
            let law = habit.and_then(|habit| Some((habit, habit.law(context.hour)?)));
            judged += u64::from(law.is_some());
            if let Some(ended) = hour.ended {
                count(context, ended, closed);
            }
            if let (Some(change), Some((habit, law))) = (self.changes.get_mut(&endpoint), &law)
                && let Some(mut told) = read(context, id, change, (habit, law))
            {
                change.most = change.most.max(told.surprise);
                told.is_raised = change.raised.is_some();
                told.surprise = told.surprise.max(hour.most);
                if context.plan.is_enabled(told.detector) {
                    closed.said.push(told);
                }
            }
            closed.sizes.push((id, Lesson::Learn(hour.answers)));
        }
        // What went on for a day, or was not called for one, is no change any more.
        let is_over = |change: &Change| {
            now - change.since.hour_number() >= HOURS_MAX
                || context.hour.since(change.last) >= i64::from(HOURS_MAX) * NS_PER_H
        };
        for (endpoint, change) in self.changes.extract_if(.., |_, change| is_over(change)) {
            let lesson = match change.raised {
                Some(_) => Lesson::Replace(change.pending),
                None => Lesson::Learn(change.pending),
            };
            count(context, (change.most, change.raised.is_some()), closed);
            closed.sizes.push((EndpointId(endpoint), lesson));
        }
        closed.judged.push((Detector::ExposureChange, judged));
    }

    /// Growths of endpoints beyond the limit.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    pub(crate) fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        self.changes.values_mut().flat_map(|change| &mut change.evidence)
    }

    pub(crate) fn forget(&mut self, hashes: &[u64]) {
        for change in self.changes.values_mut() {
            change.callers.retain(|caller, _| !hashes.contains(caller));
        }
    }
}

impl Change {
    /// Whether it is time to say it: at first, and when it has grown by a half.
    fn is_due(&self, told: &Told) -> bool {
        self.raised.is_none() || told.observed >= GROWTH_MIN * self.said
    }
}

/// Counts a change that is over, if there was anything to read of it.
fn count(context: &Context<'_>, (most, is_raised): (f64, bool), closed: &mut Closed) {
    if most > 0.0 && context.plan.is_enabled(Detector::ExposureChange) {
        closed.occasions.push((Detector::ExposureChange, most, is_raised));
    }
}

fn is_odd(context: &Context<'_>, told: &Told) -> bool {
    context.plan.is_enabled(told.detector)
        && told.observed >= GROWTH_MIN * told.expected
        && told.may_raise(context)
}

fn read(
    context: &Context<'_>,
    endpoint: EndpointId,
    change: &Change,
    (habit, law): (&SizeHabit, &SizeLaw),
) -> Option<Told> {
    let callers = change.callers.len();
    if callers < CALLERS_MIN {
        return None;
    }
    let means = change.callers.values().map(|(sum, n)| sum / f64::from((*n).max(1)));
    let mean = means.sum::<f64>() / callers as f64;
    let t = (mean - law.centre) / law.scale(callers as f64);
    Some(Told {
        detector: Detector::ExposureChange,
        subject: Subject {
            tenant: Box::default(),
            address: None,
            entity: context.endpoints.name(endpoint).to_owned(),
        },
        start: context.hour,
        observed: mean.exp_m1(),
        expected: law.centre.exp_m1(),
        surprise: largest_of(student(t, law.freedom), LOOKS),
        upper: value_at(law, callers, UPPER_SURPRISE),
        since: habit.since,
        history_n: habit.answers.n as u64,
        peers_n: callers as u64,
        is_raised: false,
        goes_on: true,
    })
}

/// The size of a middle answer at which a stretch with so many callers has a surprise.
fn value_at(law: &SizeLaw, callers: usize, surprise: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if largest_of(student(middle, law.freedom), LOOKS) < surprise {
            low = middle;
        } else {
            high = middle;
        }
    }
    (law.centre + law.scale(callers as f64) * high).min(36.0).exp_m1()
}

fn finding(
    context: &Context<'_>,
    told: &Told,
    change: &Change,
    law: &SizeLaw,
    is_first: bool,
) -> Finding {
    let entity = &told.subject.entity;
    let callers = change.callers.len();
    let at_least = if callers >= CALLERS_MAX { "at least " } else { "" };
    let cut = context.calibration.surprise_at(told.detector, context.cut_of(told.detector));
    let least = value_at(law, callers, cut).max(GROWTH_MIN * told.expected);
    let words = Words {
        sentence: format!(
            "{entity} answers with {} since {}, {} times the {} that were in the middle before, over \
             {} and {}; {at_least}{} called it since, up to {}, and 99.9 % of stretches with as many \
             stay under {}.",
            bytes(told.observed),
            change.since,
            number(told.observed / told.expected.max(1.0)),
            bytes(told.expected),
            span(told.start.since(told.since)),
            counted(told.history_n, "answer"),
            counted(callers as u64, "identity"),
            change.last,
            bytes(told.upper),
        ),
        counterfactual: format!("would not be reported at {} or less", bytes(least)),
        contributors: Vec::new(),
        evidence_sql: format!(
            "SELECT window_start, observed, expected, surprise FROM signals \
             WHERE detector = 'exposure_change' AND tenant_id = {} AND entity = {} AND window_start <= TIMESTAMP '{}' \
             ORDER BY window_start DESC LIMIT 48",
            quote(told.tenant()),
            quote(entity),
            told.start,
        ),
        danger: ABOUT.danger,
    };
    let revision = (told.observed.max(1.0) as u64, is_first);
    told.finding(context, words, (change.last, &change.evidence), revision)
}

//! Injection with outcome: requests to an endpoint that have signs of injection, and what was answered.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, later, whose};
use crate::explain::{bytes, history, number, own_most, percent, quote, span, subject};
use crate::open_window::{OpenWindow, Probed, SOURCES_MAX, SPAN_NS};
use crate::population::Answers;
use crate::statistics::moments::smallest;
use crate::statistics::tail::{binomial, largest_of, seen_before, together};
use crate::statistics::{Moments, Predictive};
use model::{Contributor, Detector, Finding, InjectionClass};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "requests with signs of injection",
    danger: 0.35,
    owasp: &["API8:2023", "API7:2023", "LLM05:2025", "ASI05"],
    attack: &["T1190", "T1059"],
};

/// Some were answered with success, like any other call.
const DANGER_ANSWERED: f64 = 0.55;
/// The server fails on them.
const DANGER_FAILING: f64 = 0.75;
/// What came back is larger or slower than ever: likely effective.
const DANGER_EFFECTIVE: f64 = 0.95;
/// Fewer in an hour than this are no finding.
const CALLS_MIN: f64 = 5.0;
/// Nor are fewer than this where an answer shows an effect.
const EFFECTIVE_MIN: f64 = 2.0;
/// The surprise of an outcome from which on it is called an effect.
const EFFECT: f64 = 3.0;

/// What changed in the answers, as surprise, corrected for the number of looks.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    /// The oddest size or duration of a successful answer.
    answer: f64,
    /// The share of errors of the server.
    errors: f64,
}

impl Outcome {
    fn of(answered: u32, oddest: f64, (failed, calls): (u32, u32), answers: &Answers) -> Self {
        let errors = answers
            .error_share()
            .map_or(0.0, |share| binomial(f64::from(failed), f64::from(calls), share));
        Self {
            answer: largest_of(largest_of(oddest, f64::from(answered)), 2.0),
            errors: largest_of(errors, 2.0),
        }
    }

    fn surprise(self) -> f64 {
        self.answer.max(self.errors)
    }
}

/// The count by its law, alone or with the outcome: the odder of the two, as one of two looks.
fn surprise(law: &Predictive, count: f64, most: u32, hours: f64, outcome: f64) -> f64 {
    let mut alone = law.surprise(count);
    if count <= f64::from(most) {
        alone = seen_before(alone, hours);
    }
    largest_of(alone.max(together(alone, outcome)), 2.0)
}

/// What the identity did here before, and the law that follows.
fn law(view: &View<'_>, probed: &Probed) -> Option<(Predictive, u32, f64)> {
    let identity = view.identity;
    // Every learned hour adds one window to this measure.
    let hours = identity.counts.get(crate::population::Measure::DeniedPerHour as usize)?.n;
    let probing = identity.probing.as_ref();
    let none = (Moments { n: hours, ..Moments::default() }, 0);
    let (own, most) = probing.map_or(none, |probing| probing.at(probed.endpoint, hours));
    let law = view.population.probes(&own, probed.endpoint)?;
    Some((law, most, f64::from(identity.learned)))
}

fn answers(view: &View<'_>, probed: &Probed) -> Answers {
    view.population.endpoint(probed.endpoint).map(|habit| habit.answers).unwrap_or_default()
}

fn outcome(view: &View<'_>, probed: &Probed) -> Outcome {
    let calls = (probed.failed, probed.calls);
    Outcome::of(probed.answered, probed.oddest, calls, &answers(view, probed))
}

pub(crate) fn read(view: &View<'_>, out: &mut Vec<Reading>) {
    let sets = view.open.probes.as_ref().map(|probes| probes.sets.as_slice()).unwrap_or_default();
    for probed in sets {
        let Some((law, most, hours)) = law(view, probed) else { continue };
        let observed = f64::from(probed.calls);
        let outcome = outcome(view, probed).surprise();
        out.push(Reading {
            detector: Detector::Injection,
            entity: Some(probed.endpoint),
            start: view.open.start,
            end: view.open.end(),
            observed,
            expected: law.mean,
            surprise: surprise(&law, observed, most, hours, outcome),
            law: Law::Count(law, 1.0),
        });
    }
}

/// The same of every five minutes that had any, by the law of a whole hour: rows to rank by.
pub(crate) fn read_spans(view: &View<'_>, out: &mut Vec<Reading>) {
    let sets = view.open.probes.as_ref().map(|probes| probes.sets.as_slice()).unwrap_or_default();
    for probed in sets {
        let Some((law, most, hours)) = law(view, probed) else { continue };
        for (index, span) in probed.spans.iter().enumerate().filter(|(_, span)| span.calls > 0) {
            let start = view.open.start.plus(index as i64 * SPAN_NS);
            let observed = f64::from(span.calls);
            let outcome = largest_of(f64::from(span.oddest), observed);
            out.push(Reading {
                detector: Detector::Injection,
                entity: Some(probed.endpoint),
                start,
                end: start.plus(SPAN_NS),
                observed,
                expected: law.mean,
                surprise: surprise(&law, observed, most, hours, outcome),
                law: Law::Count(law, 1.0),
            });
        }
    }
}

pub(crate) fn may_raise(view: &View<'_>, reading: &Reading) -> bool {
    reading.observed >= calls_min(view, reading)
}

fn probed<'a>(view: &View<'a>, reading: &Reading) -> Option<&'a Probed> {
    view.open.probes.as_ref()?.at(reading.entity?)
}

fn calls_min(view: &View<'_>, reading: &Reading) -> f64 {
    let is_effective =
        probed(view, reading).is_some_and(|probed| outcome(view, probed).answer >= EFFECT);
    if is_effective { EFFECTIVE_MIN } else { CALLS_MIN }
}

pub(crate) fn raise_tripwire(open: &mut OpenWindow) {
    for set in open.probes.iter_mut().flat_map(|probes| &mut probes.sets) {
        if set.calls >= set.tripwire {
            set.tripwire = later(set.calls);
        }
    }
}

const fn name_of(class: InjectionClass) -> &'static str {
    match class {
        InjectionClass::Sql => "SQL",
        InjectionClass::Xss => "markup or script",
        InjectionClass::PathTraversal => "path traversal",
        InjectionClass::Command => "commands",
        InjectionClass::Template => "template expressions",
        InjectionClass::Ssrf => "inner URLs",
    }
}

/// The classes that any had, the most frequent first.
fn classes(probed: &Probed) -> Vec<(InjectionClass, u32)> {
    let all = InjectionClass::ALL.iter().copied().zip(probed.classes);
    let mut all: Vec<_> = all.filter(|(_, calls)| *calls > 0).collect();
    all.sort_by(|(a, x), (b, y)| y.cmp(x).then(a.cmp(b)));
    all
}

/// How they were answered: `4 were answered 2xx, 30 refused (4xx)`.
fn answered(probed: &Probed) -> String {
    let other = probed.calls.saturating_sub(probed.answered + probed.refused + probed.failed);
    let parts = [
        (probed.answered, "with success (2xx or no logged status)"),
        (probed.refused, "with a refusal (4xx)"),
        (probed.failed, "with an error (5xx)"),
        (other, "otherwise"),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(calls, _)| *calls > 0)
        .map(|(calls, how)| format!("{} {how}", number(f64::from(calls))))
        .collect();
    format!("answered: {}", parts.join(", "))
}

/// What the answers show, in words.
fn effect(probed: &Probed, outcome: Outcome, answers: &Answers) -> String {
    let mut said = Vec::new();
    if outcome.answer >= EFFECT {
        if let Some(usual) = answers.usual_bytes()
            && answers.size_oddness(probed.bytes_most) >= EFFECT
        {
            let most = probed.bytes_most as f64;
            said.push(format!(
                "the largest success had {} where this endpoint's ordinary ones have {} (geometric mean)",
                bytes(most),
                bytes(usual),
            ));
        }
        if let Some(usual) = answers.usual_ns()
            && answers.time_oddness(probed.ns_most) >= EFFECT
        {
            said.push(format!(
                "the slowest success took {} where this endpoint's ordinary ones take {} (geometric mean)",
                span(probed.ns_most as i64),
                span(usual as i64),
            ));
        }
    }
    let is_effective = !said.is_empty();
    if outcome.errors >= EFFECT
        && let Some(share) = answers.error_share()
    {
        said.push(format!(
            "{} of them ended in an error of the server, of this endpoint's ordinary calls {} do",
            percent(f64::from(probed.failed) / f64::from(probed.calls.max(1))),
            percent(share),
        ));
    }
    match (is_effective, said.is_empty()) {
        (true, _) => format!("{}: likely effective", said.join(", and ")),
        (false, false) => said.join(", and "),
        (false, true) if probed.answered == 0 => "none of them succeeded".to_owned(),
        (false, true) if answers.usual_bytes().or(answers.usual_ns()).is_none() => {
            "too little is known of this endpoint's ordinary answers to compare".to_owned()
        }
        (false, true) => {
            "the successes are no larger or slower than ordinary ones of this endpoint may be"
                .to_owned()
        }
    }
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let name = view.endpoints.name(reading.entity.unwrap_or_default());
    let probed = probed(view, reading);
    let answers = probed.map(|probed| answers(view, probed)).unwrap_or_default();
    let outcome = probed.map(|probed| outcome(view, probed)).unwrap_or_default();
    let classes = probed.map(classes).unwrap_or_default();
    let (law, most, hours) = probed.and_then(|probed| law(view, probed)).unwrap_or((
        Predictive { mean: 1.0, variance: 1.0 },
        0,
        0.0,
    ));
    let networks = match probed.map_or(0, |probed| probed.networks.len()) {
        0 | 1 => String::new(),
        some if some >= SOURCES_MAX => format!(" from at least {} networks", number(some as f64)),
        some => format!(" from {} networks", number(some as f64)),
    };
    let kinds: Vec<_> = classes
        .iter()
        .map(|(class, calls)| format!("{} in {}", name_of(*class), number(f64::from(*calls))))
        .collect();
    let at = smallest(|count| surprise(&law, count, most, hours, outcome.surprise()) >= cut);
    let at_most = (at - 1.0).max(calls_min(view, reading) - 1.0);
    Words {
        sentence: format!(
            "{} sent {} requests with signs of injection to {name} in {}{networks} ({}); {}; {}; {} are expected \
             of it here in an active hour, 99.9 % of such hours stay under {}, {}; {}.",
            subject(view.identity),
            number(reading.observed),
            span(probed.map_or(0, |it| it.last.since(it.first))),
            kinds.join(", "),
            probed.map(answered).unwrap_or_default(),
            probed.map(|it| effect(it, outcome, &answers)).unwrap_or_default(),
            number(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            own_most(view.identity, "its own most here", &number(f64::from(most))),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} such {} in the hour or fewer, answered like these",
            number(at_most),
            if at_most > 1.5 { "requests to this endpoint" } else { "request to this endpoint" },
        ),
        contributors: classes
            .iter()
            .take(Finding::CONTRIBUTORS_MAX)
            .map(|(class, calls)| Contributor {
                name: class.as_str().to_owned(),
                observed: f64::from(*calls),
                share: f64::from(*calls) / reading.observed.max(1.0),
            })
            .collect(),
        evidence_sql: format!(
            "SELECT window_start, entity, observed, expected, surprise FROM signals \
             WHERE detector = 'injection' AND {} AND entity = {} \
             AND window_start < TIMESTAMP '{}' ORDER BY window_start DESC LIMIT 48",
            whose(view),
            quote(name),
            view.open.end(),
        ),
        danger: danger(probed, outcome),
    }
}

fn danger(probed: Option<&Probed>, outcome: Outcome) -> f64 {
    match probed {
        Some(_) if outcome.answer >= EFFECT => DANGER_EFFECTIVE,
        Some(_) if outcome.errors >= EFFECT => DANGER_FAILING,
        Some(probed) if probed.answered > 0 => DANGER_ANSWERED,
        _ => ABOUT.danger,
    }
}

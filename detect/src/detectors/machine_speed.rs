//! Volume at machine speed: more calls in 10 s, 1 min or 5 min than this identity ever makes.

use super::newcomer;
use super::{
    About, Law, Reading, UPPER_SURPRISE, View, Words, by_endpoint, later, most, tripwire, whose,
};
use crate::explain::{history, number, own_most, span, subject};
use crate::open_window::{OpenWindow, SPAN_NS, SPEED_SPANS_NS};
use crate::population::Measure;
use crate::statistics::Predictive;
use crate::statistics::tail::{largest_of, seen_before};
use model::time::NS_PER_S;
use model::{Detector, Time};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "calls",
    danger: 0.55,
    owasp: &["API4:2023", "API6:2023", "LLM10:2025", "ASI08"],
    attack: &["T1499.003", "T1496"],
};

const MEASURES: [Measure; 3] = [Measure::CallsPer10S, Measure::CallsPerMin, Measure::CallsPer5Min];
/// Counts below these are never a finding, whatever the history: a page with its images makes as many.
const CALLS_MIN: [u32; 3] = [30, 60, 120];

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    let mut oddest: Option<Reading> = None;
    for ((speed, span), measure) in view.open.speeds.iter().zip(SPEED_SPANS_NS).zip(MEASURES) {
        let Some(law) = view.population.predictive(view.identity, measure) else { continue };
        let windows = f64::from(speed.closed.n) + if speed.calls > 0 { 1.0 } else { 0.0 };
        let n = looks(view, measure, windows);
        let surprise = surprise(view, measure, speed.peak, (&law, n));
        let reading = Reading {
            detector: Detector::MachineSpeed,
            entity: None,
            start: Time::from_ns(speed.peak_start),
            end: Time::from_ns(speed.peak_start + span),
            observed: f64::from(speed.peak),
            expected: law.mean,
            surprise,
            law: Law::Count(law, n),
        };
        // What may be raised comes before what may not, however odd.
        let rank = |it: &Reading| (may_raise(it), it.surprise);
        if oddest.as_ref().is_none_or(|oddest| rank(&reading) > rank(oddest)) {
            oddest = Some(reading);
        }
    }
    oddest
}

fn surprise(view: &View<'_>, measure: Measure, calls: u32, (law, n): (&Predictive, f64)) -> f64 {
    let surprise = largest_of(law.surprise(f64::from(calls)), n);
    if calls <= most(view, measure) {
        return seen_before(surprise, f64::from(view.identity.learned));
    }
    surprise
}

/// The same of every five minutes of the hour, each as one of them: rows to rank by.
pub(crate) fn read_spans(view: &View<'_>, out: &mut Vec<Reading>) {
    let measure = Measure::CallsPer5Min;
    let Some(law) = view.population.predictive(view.identity, measure) else { return };
    let spans = view.open.paces.active(view.open.start);
    let n = looks(view, measure, spans.count() as f64);
    for (start, pace) in view.open.paces.active(view.open.start) {
        let observed = f64::from(pace.calls);
        if observed <= law.mean {
            continue;
        }
        out.push(Reading {
            detector: Detector::MachineSpeed,
            entity: None,
            start,
            end: start.plus(SPAN_NS),
            observed,
            expected: law.mean,
            surprise: surprise(view, measure, pace.calls, (&law, n)),
            law: Law::Count(law, n),
        });
    }
}

/// Which of the lengths a reading is of.
fn index_of(reading: &Reading) -> Option<usize> {
    let length = reading.end.since(reading.start);
    SPEED_SPANS_NS.iter().position(|span| *span == length)
}

pub(crate) fn may_raise(reading: &Reading) -> bool {
    index_of(reading)
        .and_then(|index| CALLS_MIN.get(index))
        .is_some_and(|min| reading.observed >= f64::from(*min))
}

/// The calls in a reading's length from which on it has the surprise `cut` among an identity's peers.
pub(crate) fn among_peers(view: &View<'_>, reading: &Reading, cut: f64) -> Option<f64> {
    let measure = *MEASURES.get(index_of(reading)?)?;
    newcomer::counted(view, measure, (looks(view, measure, 0.0), cut))
}

/// How many windows a peak is the largest of: those that the hour had, or an ordinary one has if that is
/// more, of each of the lengths.
fn looks(view: &View<'_>, measure: Measure, windows: f64) -> f64 {
    windows.max(view.spans_per_hour(measure)).max(1.0) * MEASURES.len() as f64
}

pub(crate) fn trip(view: &View<'_>, open: &mut OpenWindow) {
    for ((speed, measure), min) in open.speeds.iter_mut().zip(MEASURES).zip(CALLS_MIN) {
        speed.tripwire = tripwire(view, measure, min);
    }
}

pub(crate) fn raise_tripwire(open: &mut OpenWindow) {
    for speed in &mut open.speeds {
        if speed.calls >= speed.tripwire {
            speed.tripwire = later(speed.calls);
        }
    }
}

/// A value with one significant digit, which is as much as half an octave tells.
fn one_digit(value: f64) -> f64 {
    let scale = 10_f64.powf(value.max(1.0).log10().floor());
    (value / scale).round() * scale
}

/// The most calls in each length that are not reported: fewer in one may still be too many in another.
fn ordinary(view: &View<'_>, cut: f64) -> String {
    let lengths = MEASURES.iter().zip(SPEED_SPANS_NS).zip(CALLS_MIN);
    let each = lengths.filter_map(|((measure, length), min)| {
        let law = view.population.predictive(view.identity, *measure)?;
        let n = looks(view, *measure, 0.0);
        let own = Law::Count(law, n).value_at(cut);
        let is_new = newcomer::is_newcomer(view);
        let among_peers = is_new.then(|| newcomer::counted(view, *measure, (n, cut))).flatten();
        let least = newcomer::larger(own, among_peers).max(f64::from(min));
        Some((number(least - 1.0), span(length)))
    });
    let each = each.enumerate().map(|(index, (most, length))| {
        let calls = if index == 0 { " calls" } else { "" };
        format!("{most}{calls} in {length}")
    });
    each.collect::<Vec<_>>().join(", ")
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let length = span(reading.end.since(reading.start));
    let measure = index_of(reading).and_then(|index| MEASURES.get(index));
    let most = measure.map_or(0, |measure| most(view, *measure));
    let gap = view.open.gaps.quantile(0.5).map_or_else(String::new, |ns| {
        // A bin holds half an octave, and the first one all that is shorter; two calls of the same whole
        // second may lie anywhere in it.
        let gap = match ns {
            ns if ns < 2e6 && view.open.is_coarse => "under 1 s".to_owned(),
            ns if ns < 2e6 => "under 2 ms".to_owned(),
            ns => format!("about {}", span(one_digit(ns) as i64)),
        };
        format!("; over the hour the middle gap between its calls is {gap}")
    });
    Words {
        sentence: format!(
            "{} made {} calls in {length} from {}; {} are expected in an active {length}, in 99.9 % of \
             hours the busiest {length} stay under {}, {}{gap}; {}.",
            subject(view.identity),
            number(reading.observed),
            reading.start,
            number(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            own_most(view.identity, "its own highest", &number(f64::from(most))),
            history(view),
        ),
        counterfactual: format!("would not be reported at {}, or fewer", ordinary(view, cut)),
        contributors: by_endpoint(view, |calls| f64::from(calls.calls)),
        evidence_sql: spans_sql(view, reading),
        danger: ABOUT.danger,
    }
}

/// A query over the identity's hours, each with its busiest span of the reading's length: a row of `windows`
/// has that of ten seconds and of a minute, and of five minutes `signals` has those that were odd. Of an hour
/// without such a row nothing is known: a server joins it with zeros, which are no numbers of calls.
fn spans_sql(view: &View<'_>, reading: &Reading) -> String {
    let seconds = reading.end.since(reading.start) / NS_PER_S;
    let observed = match seconds {
        10 => "windows.requests_per_10s_max",
        60 => "windows.requests_per_min_max",
        _ => "nullif(spans.most, 0.0)",
    };
    let whose = whose(view);
    format!(
        "SELECT windows.window_start AS window_start, {observed} AS observed, \
         nullif(spans.mean, 0.0) AS expected, {seconds} AS span_seconds, windows.requests AS requests, \
         windows.requests_per_10s_max AS requests_per_10s_max, \
         windows.requests_per_min_max AS requests_per_min_max FROM windows LEFT JOIN \
         (SELECT date_trunc('hour', window_start) AS hour_start, max(observed) AS most, \
         max(expected) AS mean FROM signals WHERE detector = '{}' AND {whose} \
         AND window_seconds = {seconds} GROUP BY date_trunc('hour', window_start)) AS spans \
         ON spans.hour_start = windows.window_start WHERE {whose} \
         AND windows.window_start <= TIMESTAMP '{}' ORDER BY window_start DESC LIMIT 48",
        Detector::MachineSpeed.as_str(),
        view.open.start,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::bare;
    use crate::identity::Identity;
    use crate::population::Population;
    use model::PrincipalType;

    #[test]
    fn of_an_hour_without_an_odd_span_its_query_shows_no_number() {
        let open = OpenWindow::new();
        let identity = Identity::new("it", 1, PrincipalType::User, open.start);
        for span in SPEED_SPANS_NS {
            let reading = Reading {
                detector: Detector::MachineSpeed,
                entity: None,
                start: open.start,
                end: open.start.plus(span),
                observed: 100.0,
                expected: 1.0,
                surprise: 9.0,
                law: Law::Bound(2.0),
            };
            let sql = bare::within((open.start, 0), &Population::default(), |context| {
                spans_sql(&context.view(&identity, &open), &reading)
            });
            // What is joined may be missing: one engine has NULL for it, the other a zero.
            let joined = sql.split_once(" FROM windows").map_or("", |(columns, _)| columns);
            assert!(joined.contains("nullif(spans.mean, 0.0) AS expected"), "{sql}");
            let bare = joined.matches("spans.").count() - joined.matches("nullif(spans.").count();
            assert_eq!(bare, 0, "{sql}");
        }
    }
}

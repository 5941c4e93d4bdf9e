//! Sequence: steps from endpoint to endpoint in an order that others do not take.
//!
//! Two statistics. Of twenty steps (ten at least, at the hour's end) the mean of −log2 P(next | previous),
//! P over everybody's sessions, against such means of the identity itself and of its peers: Student's
//! law around its own centre. And the step that nearly all take before an endpoint, left out: a hurdle
//! and then a geometric law (Mullahy, J. Econometrics 33, 1986), how seldom an hour has any such step,
//! and how many it then has.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, most, whose, windows_sql};
use crate::explain::{history, number, own_most, quote, span, subject};
use crate::open_window::OpenWindow;
use crate::population::{Measure, Usual};
use crate::statistics::tail::{largest_of, seen_before, student};
use model::{Contributor, Detector, EndpointId, Finding};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "bits per step",
    danger: 0.6,
    owasp: &["API6:2023", "ASI01", "ASI10"],
    attack: &[],
};

/// What a skipped step is counted in.
pub(crate) const SKIP_UNIT: &str = "steps from elsewhere";
/// A step that is required and was left out is worse than an odd order.
const DANGER_SKIPPED: f64 = 0.75;
/// Fewer steps from elsewhere than the usual place in an hour are never a finding.
const SKIPS_MIN: u32 = 5;
/// Blocks of its own that stand in for peers: together more than fifty steps.
const BLOCKS_MIN: f32 = 3.0;
/// Blocks of peers that stand in for its own.
const PEER_BLOCKS_MIN: f64 = 20.0;
/// Blocks of one's own that weigh as much as the peers; those weigh less the more there are.
const PRIOR_BLOCKS: f64 = 5.0;
/// Nobody is so regular that half a bit more is odd.
const SCALE_MIN: f64 = 0.5;
/// How finely the largest mean that an identity had is kept.
const MOST_UNITS: f64 = 100.0;

pub(crate) fn could_read(view: &View<'_>) -> bool {
    view.population.steps.is_ready() && !view.open.steps.pairs.is_empty()
}

pub(crate) fn read(view: &View<'_>, out: &mut Vec<Reading>) {
    if could_read(view) && view.population.is_ready() {
        out.extend(read_order(view));
        read_skips(view, out);
    }
}

fn read_order(view: &View<'_>) -> Option<Reading> {
    let steps = &view.open.steps;
    let observed = steps.oddest?.mean();
    let (centre, scale, freedom) = order(view)?;
    let usual = view.spans_per_hour(Measure::BitsPerStep);
    let n = f64::from(steps.blocks.n).max(usual).max(1.0);
    let mut surprise = largest_of(student((observed - centre) / scale, freedom), n);
    if (observed * MOST_UNITS).round() <= f64::from(most(view, Measure::BitsPerStep)) {
        surprise = seen_before(surprise, f64::from(view.identity.learned));
    }
    Some(Reading {
        detector: Detector::Sequence,
        entity: None,
        start: view.open.start,
        end: view.open.end(),
        observed,
        expected: centre,
        surprise,
        law: Law::Mean { centre, scale, freedom, n },
    })
}

/// Centre, scale and degrees of freedom of a block's bits per step.
fn order(view: &View<'_>) -> Option<(f64, f64, f64)> {
    let measure = Measure::BitsPerStep as usize;
    let own = view.identity.counts.get(measure)?;
    let groups = [view.population.peers(view.identity), &view.population.everyone];
    let mut peers = groups.into_iter().filter_map(|group| group.counts.get(measure));
    let peers = peers.find(|sums| sums.n >= PEER_BLOCKS_MIN);
    if peers.is_none() && own.n < BLOCKS_MIN {
        return None;
    }
    let blocks = f64::from(own.n);
    let prior = peers.map_or(0.0, |_| PRIOR_BLOCKS / (1.0 + blocks / PRIOR_BLOCKS));
    let (mean, square) = peers.map_or((0.0, 0.0), |it| (it.sum / it.n, it.squares / it.n));
    let n = blocks + prior;
    let centre = (f64::from(own.sum) + prior * mean) / n;
    let square = (f64::from(own.squares) + prior * square) / n;
    let variance = (square - centre * centre).max(SCALE_MIN * SCALE_MIN) * (1.0 + 1.0 / n);
    let freedom = 4.0 + blocks + peers.map_or(0.0, |it| it.n / 20.0);
    Some((centre, variance.sqrt(), freedom.min(30.0)))
}

fn read_skips(view: &View<'_>, out: &mut Vec<Reading>) {
    let skips = view.open.steps.skips(view.population);
    // Each endpoint with a usual step is a chance to leave it out.
    let n = skips.len() as f64;
    for (endpoint, count) in skips.into_iter().filter(|(_, count)| *count > 0) {
        let Some(usual) = view.population.steps.usual(endpoint) else { continue };
        let law = skip_law(&usual, n);
        let Law::Hurdle { first, each, n } = law else { continue };
        let observed = f64::from(count);
        out.push(Reading {
            detector: Detector::Sequence,
            entity: Some(endpoint),
            start: view.open.start,
            end: view.open.end(),
            observed,
            expected: f64::from(usual.skips.missing) / f64::from(usual.skips.hours).max(1.0),
            surprise: largest_of(first + (observed - 1.0) * each, n),
            law,
        });
    }
}

/// How odd the first step from elsewhere is in an hour, and each further one.
fn skip_law(usual: &Usual, n: f64) -> Law {
    let skips = &usual.skips;
    let (hours, skipping) = (f64::from(skips.hours), f64::from(skips.skipping));
    let any = ((skipping + 0.5) / (hours + 1.0)).min(1.0);
    // Before any was seen an hour with one is thought to have two.
    let mean = (f64::from(skips.missing) + 1.0) / (skipping + 0.5);
    Law::Hurdle { first: -any.log10(), each: -(1.0 - 1.0 / mean.max(1.001)).log10(), n }
}

pub(crate) fn may_raise(reading: &Reading) -> bool {
    reading.entity.is_none() || reading.observed >= f64::from(SKIPS_MIN)
}

pub(crate) fn trip(view: &View<'_>, open: &mut OpenWindow) {
    if !view.population.steps.is_ready() || !view.population.is_ready() {
        return;
    }
    open.steps.skips_tripwire = SKIPS_MIN;
    if let Some((centre, scale, _)) = order(view) {
        open.steps.bits_tripwire = (centre + 3.0 * scale) as f32;
    }
}

pub(crate) fn raise_tripwire(open: &mut OpenWindow) {
    let steps = &mut open.steps;
    // Only an odder block is another one; skips are looked at again when there is an eighth more.
    steps.bits_tripwire = steps.bits_tripwire.max(steps.oddest.map_or(0.0, |it| it.mean() as f32));
    let most = steps.pairs.iter().filter(|pair| pair.is_skip).map(|pair| pair.steps).max();
    steps.skips_tripwire = super::later(most.unwrap_or(0)).max(steps.skips_tripwire);
}

/// The largest mean of an hour, as an identity keeps it.
pub(crate) fn kept(open: &OpenWindow) -> u32 {
    open.steps.oddest.map_or(0, |oddest| (oddest.mean() * MOST_UNITS).round() as u32)
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    match reading.entity.and_then(|at| Some((at, view.population.steps.usual(at)?))) {
        Some((at, usual)) => explain_skip(view, reading, (at, &usual), cut),
        None => explain_order(view, reading, cut),
    }
}

fn explain_order(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let oddest = view.open.steps.oddest;
    let name = |endpoint| view.endpoints.name(endpoint);
    let step = oddest.map_or_else(String::new, |block| {
        let share = (-f64::from(block.odd)).exp2();
        format!(
            "; the oddest of them is {} after {}, which is expected in {} of the steps from there",
            name(block.to),
            name(block.from),
            percent(share),
        )
    });
    let lasted = oddest.map_or(0, |block| block.last.since(block.first));
    let most = f64::from(most(view, Measure::BitsPerStep)) / MOST_UNITS;
    Words {
        sentence: format!(
            "{} took {} steps from endpoint to endpoint in {} in an order that others seldom take: each is a surprise of \
             {} bits on average, {} are expected, in 99.9 % of hours the largest average of 10 to 20 steps stays under \
             {}, {}{step}; {}.",
            subject(view.identity),
            number(oddest.map_or(0.0, |block| f64::from(block.steps))),
            span(lasted),
            two_decimals(reading.observed),
            two_decimals(reading.expected),
            two_decimals(reading.law.value_at(UPPER_SURPRISE)),
            own_most(view.identity, "its own largest", &two_decimals(most)),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} bits per step or less",
            two_decimals((reading.law.value_at(cut) * 100.0).floor() / 100.0),
        ),
        contributors: oddest_pairs(view),
        evidence_sql: windows_sql(view, "step_bits_max, requests"),
        danger: ABOUT.danger,
    }
}

/// The steps of the hour that make up most of its bits.
fn oddest_pairs(view: &View<'_>) -> Vec<Contributor> {
    let known = |pair: &crate::open_window::Pair| {
        let bits = view.population.steps.bits(pair.from, pair.to)?;
        Some((bits * f64::from(pair.steps), pair.from, pair.to))
    };
    let mut parts: Vec<_> = view.open.steps.pairs.iter().filter_map(known).collect();
    let total: f64 = parts.iter().map(|(part, ..)| part).sum();
    parts.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    parts.truncate(Finding::CONTRIBUTORS_MAX);
    let name = |endpoint| view.endpoints.name(endpoint);
    parts
        .into_iter()
        .map(|(observed, from, to)| Contributor {
            name: format!("{} → {}", name(from), name(to)),
            observed,
            share: observed / total.max(f64::MIN_POSITIVE),
        })
        .collect()
}

fn explain_skip(
    view: &View<'_>,
    reading: &Reading,
    (at, usual): (EndpointId, &Usual),
    cut: f64,
) -> Words {
    let name = |endpoint| view.endpoints.name(endpoint);
    let pairs = &view.open.steps.pairs;
    let at_least = if view.open.steps.is_full() { "at least " } else { "" };
    let with: u32 = pairs.iter().filter(|it| it.to == at && !it.is_skip).map(|it| it.steps).sum();
    let mut from: Vec<_> = pairs.iter().filter(|it| it.to == at && it.is_skip).collect();
    from.sort_by(|a, b| b.steps.cmp(&a.steps).then(a.from.cmp(&b.from)));
    from.truncate(Finding::CONTRIBUTORS_MAX);
    let contributors = from.into_iter().map(|pair| Contributor {
        name: format!("{} → {}", name(pair.from), name(at)),
        observed: f64::from(pair.steps),
        share: f64::from(pair.steps) / reading.observed.max(1.0),
    });
    let hours = f64::from(usual.skips.hours);
    let clean = 1.0 - f64::from(usual.skips.skipping) / hours.max(1.0);
    let ordinary = reading.law.value_at(cut).max(f64::from(SKIPS_MIN)) - 1.0;
    Words {
        sentence: format!(
            "{} took {at_least}{} steps to {} in the hour from {} that come from elsewhere than {}, and {at_least}{} \
             from there (a step is from one call of a session to the next, without those that failed); {} of \
             everybody's {} steps to it come from there (older ones count less), and in {} of the hours of those who \
             go there all of their steps do; {} from elsewhere are expected in an hour, 99.9 % stay under {}; {}.",
            subject(view.identity),
            number(reading.observed),
            name(at),
            view.open.start,
            name(usual.from),
            number(f64::from(with)),
            percent(usual.share),
            number(usual.steps),
            percent(clean),
            two_decimals(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} such steps in the hour or fewer",
            number(ordinary),
        ),
        contributors: contributors.collect(),
        evidence_sql: format!(
            "SELECT window_start, entity, observed, expected, surprise FROM signals \
             WHERE detector = 'sequence' AND {} AND entity = {} \
             AND window_start <= TIMESTAMP '{}' ORDER BY window_start DESC LIMIT 48",
            whose(view),
            quote(name(at)),
            view.open.start,
        ),
        danger: DANGER_SKIPPED,
    }
}

/// Two decimals: `0.01`.
fn two_decimals(value: f64) -> String {
    format!("{value:.2}")
}

/// A share that may be very small, or nearly all: `0.02 %`, `99.7 %`.
fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent < 0.05 => format!("{percent:.3} %"),
        percent if percent > 99.0 && percent < 100.0 => {
            format!("{:.1} %", (percent * 10.0).floor() / 10.0)
        }
        _ => crate::explain::percent(share),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::Skips;

    /// The surprise of so many skips where, of 300 hours of identities, so many had so many.
    fn surprise(count: u32, skipping: f32, missing: f32) -> f64 {
        let skips = Skips { hours: 300.0, skipping, missing };
        let usual = Usual { from: EndpointId(0), share: 0.99, steps: 1_000.0, skips };
        match skip_law(&usual, 1.0) {
            Law::Hurdle { first, each, .. } => first + f64::from(count - 1) * each,
            _ => 0.0,
        }
    }

    #[test]
    fn many_skips_are_odd_unless_somebody_always_skips() {
        assert!(surprise(18, 0.0, 0.0) > 7.0, "{}", surprise(18, 0.0, 0.0));
        assert!(surprise(18, 9.0, 10.0) > 7.0, "a double click now and then");
        assert!(surprise(18, 10.0, 200.0) < 2.0, "{}", surprise(18, 10.0, 200.0));
        assert!(surprise(2, 0.0, 0.0) > surprise(1, 0.0, 0.0));
    }

    #[test]
    fn what_a_law_would_not_report_it_would_not() {
        let hurdle = Law::Hurdle { first: 2.0, each: 0.3, n: 1.0 };
        assert!((hurdle.value_at(3.0) - 5.0).abs() < 1e-9, "2, 2.3, 2.6, 2.9, 3.2");
        let mean = Law::Mean { centre: 1.0, scale: 0.5, freedom: 20.0, n: 3.0 };
        let value = mean.value_at(5.0);
        let again = largest_of(student((value - 1.0) / 0.5, 20.0), 3.0);
        assert!((again - 5.0).abs() < 1e-6, "{again}");
    }
}

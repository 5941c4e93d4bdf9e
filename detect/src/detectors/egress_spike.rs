//! Egress spike: more bytes leave to an identity in an hour than it, or its peers, ever receive.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, by_endpoint, windows_sql};
use super::{newcomer, not_itself};
use crate::explain::{bytes, history, own_most, percent, subject};
use crate::identity::Identity;
use crate::open_window::OpenWindow;
use crate::statistics::sketch::{Spread, View as Kept};
use crate::statistics::tail::{seen_before, student};
use model::Detector;

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "bytes",
    danger: 0.85,
    owasp: &["API3:2023", "API4:2023", "LLM02:2025", "ASI02"],
    attack: &["T1020", "T1567", "T1530", "AML.T0086"],
};

/// Less than this in an hour is never an egress finding.
const BYTES_MIN: f64 = 1_048_576.0;
/// Windows of one's own that weigh as much as the peers.
const PRIOR_WINDOWS: f64 = 5.0;
/// How seldom, as surprise, an hour is of somebody who works as others do, came back from leave or changed
/// jobs, as long as its calls do not say so; and where they do, because what is taken is told apart from them.
const TURN: f64 = 6.0;
const TURN_MIN: f64 = 4.0;
/// No identity is so regular that a third more is odd: the least scale of ln(1 + x).
const SCALE_MIN: f64 = 0.3;

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    if view.open.sized == 0 || !view.population.is_ready() {
        return None;
    }
    let at = view.open.bytes_out.ln_1p();
    // Both views, and the larger surprise counts: slow drift cannot launder itself.
    let readings = [Kept::Fast, Kept::Slow].map(|kept| {
        let (centre, scale, freedom) = law(view, kept)?;
        let surprise = student((at - centre) / scale, freedom);
        Some((surprise, Law::Size { centre, scale, freedom }, centre))
    });
    let (surprise, law, centre) =
        readings.into_iter().flatten().max_by(|a, b| a.0.total_cmp(&b.0))?;
    // An hour like this that it had before, however seldom, is its own.
    let like_this = view.identity.bytes.weight_from(view.open.bytes_out);
    let surprise = if like_this >= 0.5 {
        seen_before(surprise, view.identity.bytes.weight(Kept::Slow) / like_this)
    } else {
        surprise
    };
    let surprise = surprise.min(turned(view, view.open.bytes_out));
    Some(Reading {
        detector: Detector::EgressSpike,
        entity: None,
        start: view.open.start,
        end: view.open.end(),
        observed: view.open.bytes_out,
        expected: centre.exp_m1(),
        surprise,
        law,
    })
}

/// Surprise of an hour with at least so many bytes of somebody who began to work as others do.
///
/// Whoever turned to other work is one of all, and the share of everybody's hours with as many says how
/// common it is; beyond the largest of them, which is no work that anybody does, it falls as 1/bytes⁴. How likely it is that somebody turned is what
/// it is for anybody times the likelihood ratio of the hour's calls (Bayes), which is what the detector
/// [`not_itself`] tells.
fn turned(view: &View<'_>, bytes: f64) -> f64 {
    let everyone = &view.population.everyone.bytes;
    let beyond = (1.0 + bytes / BYTES_MIN).powi(-4);
    let share = (everyone.weight_from(bytes) + beyond) / (everyone.weight(Kept::Slow) + 1.0);
    let turned = (TURN - not_itself::of_hour(view.open).max(0.0)).max(TURN_MIN);
    turned - share.min(1.0).log10()
}

/// The bytes from which on that has the surprise `cut`.
fn least_turned(view: &View<'_>, cut: f64) -> f64 {
    let (mut low, mut high) = (0.0, BYTES_MIN);
    while turned(view, high) < cut && high < f64::from(f32::MAX) {
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if turned(view, middle) < cut { low = middle } else { high = middle }
    }
    high
}

pub(crate) fn may_raise(reading: &Reading) -> bool {
    reading.observed >= BYTES_MIN
}

/// Centre, scale and degrees of freedom of ln(1 + bytes per active hour).
///
/// The normal model with unknown mean (Gelman et al., Bayesian Data Analysis, 3rd ed., §5.4), made
/// robust: identities differ by a variance B, one identity's hours by W. An identity without
/// history is judged by B + W around its peers' median, one with history by W around its own. Variances
/// are of the side above the median, which is the one that is judged.
fn law(view: &View<'_>, kept: Kept) -> Option<(f64, f64, f64)> {
    let own = view.identity.bytes.spread(kept);
    law_of(view, own, kept)
}

/// The same of an identity with that history.
fn law_of(view: &View<'_>, own: Option<Spread>, kept: Kept) -> Option<(f64, f64, f64)> {
    let group = view.population.peers(view.identity);
    let peers = group.bytes.spread(kept)?;
    let total = peers.upper.powi(2).max(SCALE_MIN.powi(2));
    let sums = &group.bytes_within;
    let usual_within = if sums.n > 0.0 { sums.sum / sums.n } else { total };
    let own = own.unwrap_or(Spread { n: 0.0, ..peers });
    let own_within = own.upper.powi(2);
    let within = (own.n * own_within + PRIOR_WINDOWS * usual_within) / (own.n + PRIOR_WINDOWS);
    let within = within.max(SCALE_MIN.powi(2));
    let between = (total - within).max(within);
    let precision = 1.0 / between + own.n / within;
    let centre = (peers.median / between + own.n * own.median / within) / precision;
    let freedom = (4.0 + own.n + peers.n / 20.0).min(30.0);
    Some((centre, (within + 1.0 / precision).sqrt(), freedom))
}

/// The bytes from which on an hour has the surprise `cut` among an identity's peers.
pub(crate) fn among_peers(view: &View<'_>, cut: f64) -> Option<f64> {
    let each = [Kept::Fast, Kept::Slow].into_iter().filter_map(|kept| law_of(view, None, kept));
    // Whichever is the larger surprise counts, and so whichever is the lower bound.
    each.map(|(centre, scale, freedom)| Law::Size { centre, scale, freedom }.value_at(cut))
        .reduce(f64::min)
}

/// Squared distance of a window's ln(1 + bytes) above the identity's own median, held to 3 units; `None` of
/// one below it.
pub(crate) fn within(identity: &Identity, bytes: f64) -> Option<f64> {
    const HISTORY_MIN: f64 = 3.0;
    let own = identity.bytes.spread(Kept::Slow).filter(|own| own.n >= HISTORY_MIN)?;
    let above = bytes.ln_1p() - own.median;
    (above >= 0.0).then(|| above.min(3.0).powi(2))
}

pub(crate) fn trip(view: &View<'_>, open: &mut OpenWindow) {
    if view.population.is_ready()
        && let Some((centre, scale, _)) = law(view, Kept::Fast)
    {
        open.bytes_tripwire = (centre + 3.0 * scale).min(36.0).exp_m1().max(BYTES_MIN);
    }
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let contributors = by_endpoint(view, |calls| calls.bytes_out);
    let most = contributors.first().map_or_else(String::new, |first| {
        format!("; {} of it from {}", percent(first.share), first.name)
    });
    let peers = &view.population.peers(view.identity).bytes;
    let largest = bytes(f64::from(view.identity.bytes_most));
    let usual = own_most(view.identity, "its own largest hour", &largest);
    Words {
        sentence: format!(
            "{} received {} in the hour from {}, up to {}; an active hour is expected to have \
             {}, 99.9 % stay under {}, {usual}, and 99.9 % of its peers' hours stay under {}{most}; {}.",
            subject(view.identity),
            bytes(reading.observed),
            view.open.start,
            view.open.last,
            bytes(reading.expected),
            bytes(reading.law.value_at(UPPER_SURPRISE)),
            bytes(peers.quantile(Kept::Slow, 0.999)),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} in the hour or less",
            bytes(newcomer::least(view, reading, cut).max(least_turned(view, cut)).max(BYTES_MIN)),
        ),
        contributors,
        evidence_sql: windows_sql(view, "bytes_out, responses_with_size, requests"),
        danger: ABOUT.danger,
    }
}

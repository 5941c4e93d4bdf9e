//! Egress spike: more bytes leave to an identity in an hour than it, or its peers, ever receive.

use super::{About, Law, Reading, View, Words, by_endpoint, peers_of, windows_sql};
use crate::explain::{bytes, history, percent, subject};
use crate::open_window::OpenWindow;
use crate::statistics::sketch::{Sketch, Spread, View as Kept};
use crate::statistics::tail::student;
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
/// No identity is so regular that a third more is odd: the least scale of ln(1 + x).
const SCALE_MIN: f64 = 0.3;
/// MAD of a normal law times this is its standard deviation.
const MAD_TO_SIGMA: f64 = 1.482_6;

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    if view.open.sized == 0 || !view.population.is_ready() {
        return None;
    }
    let at = view.open.bytes_out.ln_1p();
    // Both views, and the larger surprise counts: slow drift cannot launder itself.
    let readings = [Kept::Fast, Kept::Slow].map(|kept| {
        let peers = view.population.peers(view.identity).bytes.spread(kept)?;
        let (centre, scale, freedom) = law(&view.identity.bytes, peers, kept);
        let surprise = student((at - centre) / scale, freedom);
        Some((surprise, Law::Size { centre, scale, freedom }, centre))
    });
    let (surprise, law, centre) =
        readings.into_iter().flatten().max_by(|a, b| a.0.total_cmp(&b.0))?;
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

pub(crate) fn may_raise(reading: &Reading) -> bool {
    reading.observed >= BYTES_MIN
}

/// Centre, scale and degrees of freedom of ln(1 + bytes per active hour).
fn law(own: &Sketch, peers: Spread, kept: Kept) -> (f64, f64, f64) {
    let own = own.spread(kept).unwrap_or(Spread { median: peers.median, mad: peers.mad, n: 0.0 });
    let n = own.n + PRIOR_WINDOWS;
    let centre = (own.n * own.median + PRIOR_WINDOWS * peers.median) / n;
    let own_sigma = own.mad * MAD_TO_SIGMA;
    let peer_sigma = peers.mad * MAD_TO_SIGMA;
    let away = peers.median - centre;
    let variance =
        (own.n * own_sigma.powi(2) + PRIOR_WINDOWS * (peer_sigma.powi(2) + away.powi(2))) / n;
    let freedom = (4.0 + own.n + peers.n / 20.0).min(30.0);
    (centre, variance.sqrt().max(SCALE_MIN), freedom)
}

pub(crate) fn trip(view: &View<'_>, open: &mut OpenWindow) {
    let Some(peers) = view.population.peers(view.identity).bytes.spread(Kept::Fast) else { return };
    if view.population.is_ready() {
        let (centre, scale, _) = law(&view.identity.bytes, peers, Kept::Fast);
        open.bytes_tripwire = (centre + 3.0 * scale).min(36.0).exp_m1().max(BYTES_MIN);
    }
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let contributors = by_endpoint(view, |calls| calls.bytes_out);
    let most = contributors.first().map_or_else(String::new, |first| {
        format!("; {} of it from {}", percent(first.share), first.name)
    });
    let upper = reading.law.value_at(3.0).unwrap_or(reading.expected);
    let peers = &view.population.peers(view.identity).bytes;
    let usual = if view.identity.learned == 0 {
        "it was never seen before".to_owned()
    } else {
        format!(
            "its own largest hour so far had {}",
            bytes(view.identity.bytes.quantile(Kept::Slow, 1.0))
        )
    };
    Words {
        sentence: format!(
            "{} received {} in the hour from {}, all of it by {}; an active hour is expected to have \
             {}, 99.9 % stay under {}, {usual}, and 99.9 % of its peers' hours stay under {}{most}; {}.",
            subject(view.identity),
            bytes(reading.observed),
            view.open.start,
            view.open.last,
            bytes(reading.expected),
            bytes(upper),
            bytes(peers.quantile(Kept::Slow, 0.999)),
            history(view.identity, peers_of(view)),
        ),
        counterfactual: format!(
            "would be ordinary at {} in the hour or less",
            bytes(reading.law.value_at(cut).unwrap_or(reading.observed)),
        ),
        contributors,
        evidence_sql: windows_sql(view, "bytes_out, responses_with_size, requests"),
        danger: ABOUT.danger,
    }
}

//! Secret harvesting: many different secrets read in an hour.

use super::{About, Reading, UPPER_SURPRISE, View, Words, hourly, later, most, windows_sql};
use crate::explain::{history, number, own_most, span, subject};
use crate::open_window::{Agent, DISTINCT_MAX, OpenWindow};
use crate::population::Measure;
use model::{Contributor, Detector, Finding};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "distinct secrets read",
    danger: 0.85,
    owasp: &["API8:2023", "LLM02:2025", "LLM06:2025", "ASI03"],
    attack: &["T1552", "T1555.006", "AML.T0098"],
};

/// Fewer different secrets in an hour than this are never a finding: a service that starts reads a few.
const SECRETS_MIN: u32 = 8;

/// How many different secrets were read.
fn count(open: &OpenWindow) -> u32 {
    open.secrets.as_ref().map_or(0, |secrets| secrets.resources.len() as u32)
}

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    hourly(view, Detector::SecretHarvesting, Measure::SecretsPerHour, count(view.open))
}

pub(crate) fn may_raise(reading: &Reading) -> bool {
    reading.observed >= f64::from(SECRETS_MIN)
}

/// The count at which the hour's first secret lets this detector be asked.
pub(crate) fn trip(view: &View<'_>) -> u32 {
    super::tripwire(view, Measure::SecretsPerHour, SECRETS_MIN)
}

pub(crate) fn raise_tripwire(open: &mut OpenWindow) {
    if let Some(secrets) = &mut open.secrets {
        secrets.tripwire = later(secrets.resources.len() as u32);
    }
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let secrets = view.open.secrets.as_deref();
    let at_least = if reading.observed >= DISTINCT_MAX as f64 { "at least " } else { "" };
    let length = secrets.map_or(0, |secrets| secrets.last.since(secrets.first));
    let agent = match secrets.map(|secrets| &secrets.agent) {
        Some(Agent::One(name)) => format!(", all through the agent {name}"),
        _ => String::new(),
    };
    let most = number(f64::from(most(view, Measure::SecretsPerHour)));
    Words {
        sentence: format!(
            "{} read {at_least}{} different secrets (resources of the class `secret`) in {}{agent}; {} are \
             expected in an active hour, 99.9 % stay under {}, {}; {}.",
            subject(view.identity),
            number(reading.observed),
            span(length),
            number(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            own_most(view.identity, "its own most", &most),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} different secrets in the hour or fewer",
            number((reading.law.value_at(cut) - 1.0).max(f64::from(SECRETS_MIN - 1))),
        ),
        contributors: contributors(view, reading),
        evidence_sql: windows_sql(view, "secrets_read_distinct, endpoints_distinct, requests"),
        danger: ABOUT.danger,
    }
}

/// The endpoints where most of them were read.
fn contributors(view: &View<'_>, reading: &Reading) -> Vec<Contributor> {
    let mut places =
        view.open.secrets.as_ref().map_or_else(Vec::new, |secrets| secrets.places.clone());
    places.sort_by_key(|place| (std::cmp::Reverse(place.secrets), place.endpoint));
    places.truncate(Finding::CONTRIBUTORS_MAX);
    let part = |place: crate::open_window::Place| Contributor {
        name: view.endpoints.name(place.endpoint).to_owned(),
        observed: f64::from(place.secrets),
        share: f64::from(place.secrets) / reading.observed,
    };
    places.into_iter().map(part).collect()
}

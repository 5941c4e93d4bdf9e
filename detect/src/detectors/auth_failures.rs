//! Authentication failures, and success after them; charged to the source, never to a claimed name.

use super::{About, Reading, UPPER_SURPRISE, View, Words, hourly, most, tripwire, windows_sql};
use crate::explain::{history, number, own_most, span, subject};
use crate::open_window::{CLAIMED_MAX, OpenWindow};
use crate::population::Measure;
use model::{Contributor, Detector, PrincipalType};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "failed authentications",
    danger: 0.6,
    owasp: &["API2:2023"],
    attack: &["T1110.001", "T1110.003", "T1110.004"],
};

/// Fewer failures in an hour than this are never a finding: people mistype.
const FAILURES_MIN: u32 = 10;

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    hourly(view, Detector::AuthFailures, Measure::FailuresPerHour, view.open.failures)
}

pub(crate) fn may_raise(reading: &Reading) -> bool {
    reading.observed >= f64::from(FAILURES_MIN)
}

pub(crate) fn trip(view: &View<'_>, open: &mut OpenWindow) {
    open.failures_tripwire = tripwire(view, Measure::FailuresPerHour, FAILURES_MIN);
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let open = view.open;
    let names = match open.claimed.len() {
        0 => String::new(),
        1 => " under one claimed name".to_owned(),
        CLAIMED_MAX.. => format!(" under at least {CLAIMED_MAX} claimed names"),
        some => format!(" under {some} claimed names"),
    };
    let most = number(f64::from(most(view, Measure::FailuresPerHour)));
    let contributors = open
        .claimed_names
        .iter()
        .map(|name| Contributor {
            name: format!("claimed {name}"),
            observed: 1.0,
            share: 1.0 / open.claimed.len().max(1) as f64,
        })
        .collect();
    Words {
        sentence: format!(
            "{} failed to authenticate {} times in {}{names}{}; {} are expected in an active \
             hour, 99.9 % stay under {}, {}; {}.",
            subject(view.identity),
            number(reading.observed),
            span(open.failures_last.since(open.failures_first)),
            after(view),
            number(reading.expected),
            number(reading.law.value_at(UPPER_SURPRISE)),
            own_most(view.identity, "its own most", &most),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} failures in the hour or fewer",
            number(reading.law.value_at(cut).max(f64::from(FAILURES_MIN)) - 1.0),
        ),
        contributors,
        evidence_sql: windows_sql(view, "status_401, requests, status_2xx"),
        danger: if open.successes_after > 0 { 0.95 } else { ABOUT.danger },
    }
}

/// What followed the failures, as far as that can be told.
fn after(view: &View<'_>) -> String {
    let (identity, open) = (view.identity, view.open);
    let is_seen = match identity.kind {
        PrincipalType::Ip => !open.is_unwatched,
        // Success comes under a name, and nothing ties it to somebody without an address.
        PrincipalType::Anonymous => false,
        // Elsewhere it may have succeeded all the time.
        _ => open.statuses.s2xx == 0,
    };
    let at_least = if open.is_unwatched { "at least " } else { "" };
    // All of an IPv6 network is one place to watch.
    let from = if identity.name.contains(':') && identity.kind == PrincipalType::Ip {
        " from its network"
    } else {
        ""
    };
    let count = number(f64::from(open.successes_after));
    let calls = if open.successes_after == 1 { "success" } else { "successes" };
    match (open.successes_after, open.succeeded.len()) {
        (0, _) if is_seen => format!(", no success followed{from} by {}", open.last),
        (0, _) => String::new(),
        (_, 0) => format!(", {at_least}{count} {calls} followed{from}"),
        (_, who) => {
            let names = open.succeeded_names.join(", ");
            let others = if who > open.succeeded_names.len() { " and others" } else { "" };
            // Its own hours, which the query shows, do not have them.
            let they = if open.successes_after == 1 { "it is" } else { "they are" };
            format!(
                ", {at_least}{count} {calls} followed{from}, as {names}{others}, to whom {they} charged"
            )
        }
    }
}

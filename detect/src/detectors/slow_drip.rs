//! Slow drip: a little more each day, in bytes, in objects never read before or in calls of an endpoint, for
//! many days.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, whose};
use crate::daily::drift::{Drifted, RUN_DAYS_MIN, Z_MAX, Z_MIN};
use crate::daily::{CallsAt, Daily, Drip};
use crate::explain::{bytes, day, number, percent, quote, subject};
use crate::statistics::tail::largest_of;
use model::time::NS_PER_D;
use model::{Contributor, Detector, EndpointId, Finding, Time};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "times its usual day",
    danger: 0.7,
    owasp: &["API1:2023", "API3:2023"],
    attack: &["T1030", "T1029"],
};

/// Time since the first call.
const AGE_MIN_NS: i64 = 6 * NS_PER_D;
/// Less growth than this over the days is never a finding, of objects, of which a day may have 20 beyond four
/// deviations, and of what is held to those alone, bytes and calls, ...
const RATIO_MIN: f64 = 1.4;
const HELD_RATIO_MIN: f64 = 1.25;
/// ... nor fewer bytes, objects or calls at an endpoint beyond what was expected of them.
const BYTES_MIN: f64 = 10_485_760.0;
const OBJECTS_MIN: f64 = 40.0;
const CALLS_MIN: f64 = 400.0;

/// What grows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum What {
    Bytes,
    Objects,
    Calls(EndpointId),
}

impl What {
    /// Less growth over the days is never a finding.
    const fn ratio_min(self) -> f64 {
        match self {
            Self::Objects => RATIO_MIN,
            Self::Bytes | Self::Calls(_) => HELD_RATIO_MIN,
        }
    }
}

/// The day, and what was taken on it.
fn parts<'a>(view: &View<'a>) -> Option<(&'a Daily, &'a Drip)> {
    let daily = view.identity.daily.as_deref()?;
    Some((daily, daily.drip.as_deref()?))
}

/// What a day is expected to have: of bytes, or of calls.
fn usual(view: &View<'_>, (daily, drip): (&Daily, &Drip), what: What) -> f64 {
    let trend = &view.population.trend;
    let usual = match what {
        What::Bytes => drip.bytes.usual(daily.day, &trend.bytes),
        What::Calls(endpoint) => calls_at(drip, endpoint).and_then(|it| it.usual(daily.day, trend)),
        What::Objects => None,
    };
    usual.unwrap_or(0.0)
}

fn calls_at(drip: &Drip, endpoint: EndpointId) -> Option<&CallsAt> {
    drip.calls.iter().find(|it| it.endpoint == endpoint)
}

/// How often it is looked at: bytes and objects, or each endpoint with many calls.
fn looks(drip: &Drip, what: What) -> f64 {
    match what {
        What::Bytes | What::Objects => 2.0,
        What::Calls(_) => drip.calls.len() as f64,
    }
}

fn of_bytes(view: &View<'_>, (daily, drip): (&Daily, &Drip)) -> Option<Drifted> {
    let bytes = drip.bytes_today.filter(|bytes| *bytes > 0.0)?;
    drip.bytes.read(daily.day, bytes, &view.population.trend.bytes)
}

fn of_objects(view: &View<'_>, (daily, drip): (&Daily, &Drip)) -> Option<Drifted> {
    let news = (f64::from(drip.news_today?), drip.seen.step());
    drip.news.read(daily.day, news, &view.population.trend.objects)
}

/// Of calls only days that are enough for a finding are read: there are many endpoints.
fn of_calls(view: &View<'_>, daily: &Daily, at: &CallsAt) -> Option<(What, Drifted)> {
    let drifted = at.read(daily.day, &view.population.trend)?;
    (drifted.run.days >= RUN_DAYS_MIN).then_some((What::Calls(at.endpoint), drifted))
}

/// The odder of bytes and objects, if one of them is above its floors that one.
fn taken(view: &View<'_>, daily: (&Daily, &Drip)) -> Option<(What, Drifted)> {
    let both = [(What::Bytes, of_bytes(view, daily)), (What::Objects, of_objects(view, daily))];
    let each = both.into_iter().filter_map(|(what, drifted)| Some((what, drifted?)));
    each.reduce(|best, next| odder(view, daily, best, next))
}

/// The same of the calls of all endpoints that the detector may speak about.
fn called(view: &View<'_>, daily: (&Daily, &Drip)) -> Option<(What, Drifted)> {
    let names = [&*view.identity.name, view.identity.label.as_deref().unwrap_or_default()];
    let is_within = |at: &&CallsAt| {
        view.plan.is_within(Detector::SlowDrip, Some(names), view.endpoints.name(at.endpoint))
    };
    let each = daily.1.calls.iter().filter(is_within);
    let each = each.filter_map(|at| of_calls(view, daily.0, at));
    each.reduce(|best, next| odder(view, daily, best, next))
}

fn odder(
    view: &View<'_>,
    daily: (&Daily, &Drip),
    best: (What, Drifted),
    next: (What, Drifted),
) -> (What, Drifted) {
    let rank = |it: &(What, Drifted)| (is_worth_it(view, daily, it), it.1.surprise);
    if rank(&next) > rank(&best) { next } else { best }
}

/// What a reading is of.
fn drifted(view: &View<'_>, daily: (&Daily, &Drip), reading: &Reading) -> Option<(What, Drifted)> {
    if reading.entity.is_some() { called(view, daily) } else { taken(view, daily) }
}

/// Whether it grew by enough, for long enough, to be worth a person's time.
fn is_worth_it(view: &View<'_>, daily: (&Daily, &Drip), (what, drifted): &(What, Drifted)) -> bool {
    let days = f64::from(drifted.run.days);
    let more = match what {
        What::Bytes => days * usual(view, daily, *what) * (drifted.ratio - 1.0) / BYTES_MIN,
        What::Calls(_) => days * usual(view, daily, *what) * (drifted.ratio - 1.0) / CALLS_MIN,
        What::Objects => f64::from(drifted.run.sum - drifted.run.expected) / OBJECTS_MIN,
    };
    drifted.is_above
        && drifted.run.days >= RUN_DAYS_MIN
        && drifted.ratio >= what.ratio_min()
        && more >= 1.0
}

/// Of bytes or objects, and of calls.
pub(crate) fn read(view: &View<'_>) -> [Option<Reading>; 2] {
    let Some(parts) = parts(view) else { return [None, None] };
    [taken(view, parts), called(view, parts)].map(|drifted| {
        let (what, drifted) = drifted?;
        let looks = looks(parts.1, what);
        let surprise = largest_of(drifted.surprise, looks);
        // What nobody is shown is not worth its time.
        let is_shown = surprise >= crate::partition::SIGNAL_SURPRISE_MIN;
        let upper = is_shown.then(|| drifted.law.ratio_below(UPPER_SURPRISE + looks.log10()));
        Some(Reading {
            detector: Detector::SlowDrip,
            entity: if let What::Calls(endpoint) = what { Some(endpoint) } else { None },
            start: parts.0.start(),
            end: parts.0.close(),
            observed: drifted.ratio,
            expected: 1.0,
            surprise,
            law: Law::Bound(upper.unwrap_or(drifted.ratio)),
        })
    })
}

/// Whether any reading of the day so far may raise, as far as that is seen without one.
pub(crate) fn could_raise(view: &View<'_>) -> bool {
    parts(view).is_some_and(|(daily, drip)| {
        is_old(view, daily) && drip.is_above(daily.day, &view.population.trend)
    })
}

fn is_old(view: &View<'_>, daily: &Daily) -> bool {
    daily.start().since(view.identity.first_seen) >= AGE_MIN_NS
}

pub(crate) fn may_raise(view: &View<'_>, reading: &Reading) -> bool {
    let Some(parts) = parts(view) else { return false };
    is_old(view, parts.0)
        && drifted(view, parts, reading).is_some_and(|it| is_worth_it(view, parts, &it))
}

/// Whether it was said within the last week.
pub(crate) fn goes_on(view: &View<'_>, reading: &Reading) -> bool {
    parts(view).is_some_and(|(daily, drip)| drip.goes_on(daily.day, reading.entity.is_some()))
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let Some(parts) = parts(view) else { return Words::none(ABOUT.danger) };
    let Some((what, drifted)) = drifted(view, parts, reading) else {
        return Words::none(ABOUT.danger);
    };
    let (daily, drip) = parts;
    let run = drifted.run;
    let from = day(Time::from_ns(i64::from(run.from) * NS_PER_D));
    let (subject, until) = (subject(view.identity), day(daily.start()));
    let days = number(f64::from(run.days));
    let sentence = match what {
        What::Bytes => format!(
            "{subject} received {} times as many bytes a day as is usual for it, over {days} active days from {from} to \
             {until} (the geometric mean, each day held to between {} deviations below and {} above); {} on {until}, by \
             {}, where {} is usual for such a day, everyone's change of {} in it; chance stays under {} times over as \
             many days in 999 of 1000; it is measured by {} days of its own.",
            number2(drifted.ratio),
            number(-Z_MIN),
            number(Z_MAX),
            bytes(drip.bytes_today.unwrap_or(0.0)),
            view.open.last,
            bytes(usual(view, parts, what)),
            percent(view.population.trend.bytes.growth.exp_m1()),
            number2(reading.law.value_at(UPPER_SURPRISE)),
            number(f64::from(drifted.reference)),
        ),
        What::Calls(endpoint) => format!(
            "{subject} made {} times as many calls of {} a day as is usual for it, refused ones and hours without an \
             answered one left out, over {days} active days with any from {from} to {until} (the geometric mean, each day held to between {} deviations \
             below and {} above); {} on {until}, by {}, where {} are usual for such a day, everyone's change of {} in \
             it; chance stays under {} times over as many days in 999 of 1000; it is measured by {} days of its own.",
            number2(drifted.ratio),
            view.endpoints.name(endpoint),
            number(-Z_MIN),
            number(Z_MAX),
            number(calls_at(drip, endpoint).map_or(0.0, |it| f64::from(it.today))),
            view.open.last,
            number(usual(view, parts, what)),
            percent(view.population.trend.calls.growth.exp_m1()),
            number2(reading.law.value_at(UPPER_SURPRISE)),
            number(f64::from(drifted.reference)),
        ),
        What::Objects => format!(
            "{subject} read {} {} objects with ids that are new to it since its second active day, over {days} active \
             days from {from} to {until}, where {} are expected; {} on {until}, by {}; chance stays under {} \
             over as many days in 999 of 1000; it is measured by {} days of its own, and has read about {} objects so \
             far.",
            if drip.seen.is_part() { "about" } else { "at least" },
            number(f64::from(run.sum)),
            number(f64::from(run.expected)),
            number(f64::from(drip.news_today.unwrap_or(0))),
            view.open.last,
            number((reading.law.value_at(UPPER_SURPRISE) * f64::from(run.expected)).ceil()),
            number(f64::from(drifted.reference)),
            number(drip.seen.count()),
        ),
    };
    let counterfactual = counterfactual((what, &drifted), cut + looks(drip, what).log10());
    Words {
        sentence,
        counterfactual,
        contributors: contributors(view, drip, what),
        evidence_sql: evidence_sql(view, reading, what),
        danger: ABOUT.danger,
    }
}

/// What would not have been reported; `cut` is the surprise from which on it is.
fn counterfactual((what, drifted): (What, &Drifted), cut: f64) -> String {
    // The floors count too: below them nothing is said, however odd.
    let (most, expected) = (drifted.law.ratio_below(cut), f64::from(drifted.run.expected));
    match what {
        What::Bytes | What::Calls(_) => {
            let most = floor2(most.max(what.ratio_min()));
            format!("would not be reported below {most:.2} times as many over these days")
        }
        What::Objects => {
            let below = |least: f64| least.ceil() - 1.0;
            let floors = below(RATIO_MIN * expected).max(below(expected + OBJECTS_MIN));
            let most = number((most * expected).floor().max(floors));
            format!("would not be reported at {most} such objects or fewer over these days")
        }
    }
}

/// The days in question: of bytes and objects from its hours, of calls from its operations.
fn evidence_sql(view: &View<'_>, reading: &Reading, what: What) -> String {
    match what {
        What::Calls(endpoint) => format!(
            "SELECT day_start AS day, requests_accepted, requests FROM operations WHERE {} AND endpoint = {} AND \
             day_start < TIMESTAMP '{}' ORDER BY 1 DESC LIMIT 48",
            whose(view),
            quote(view.endpoints.name(endpoint)),
            reading.end,
        ),
        What::Bytes | What::Objects => format!(
            "SELECT date_trunc('day', window_start) AS day, sum(bytes_out) AS bytes_out, sum(objects_new) AS \
             objects_new FROM windows WHERE {} AND window_start < TIMESTAMP '{}' GROUP BY 1 \
             ORDER BY 1 DESC LIMIT 48",
            whose(view),
            reading.end,
        ),
    }
}

/// The endpoints that had most of the day's.
fn contributors(view: &View<'_>, drip: &Drip, what: What) -> Vec<Contributor> {
    if what != What::Objects {
        return Vec::new();
    }
    let total = drip.news_today.unwrap_or(0).max(1);
    let mut parts = drip.news_at.clone();
    parts.sort_by(|a, b| b.news.cmp(&a.news).then(a.endpoint.cmp(&b.endpoint)));
    parts.truncate(Finding::CONTRIBUTORS_MAX);
    let each = parts.into_iter().map(|at| Contributor {
        name: view.endpoints.name(at.endpoint).to_owned(),
        observed: f64::from(at.news),
        share: f64::from(at.news) / f64::from(total),
    });
    each.collect()
}

/// Two decimals: `1.43`.
fn number2(value: f64) -> String {
    if value < 100.0 { format!("{value:.2}") } else { number(value) }
}

/// To two decimals, never more than it is.
fn floor2(value: f64) -> f64 {
    (value * 100.0).floor() / 100.0
}

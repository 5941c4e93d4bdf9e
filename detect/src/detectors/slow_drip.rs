//! Slow drip: a little more each day, in bytes or in objects never read before, for many days.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words, whose};
use crate::daily::drift::{Drifted, Z_MAX, Z_MIN};
use crate::daily::{Daily, Drip};
use crate::explain::{bytes, day, number, percent, subject};
use crate::statistics::tail::largest_of;
use model::time::NS_PER_D;
use model::{Contributor, Detector, Finding, Time};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "times its usual day",
    danger: 0.7,
    owasp: &["API1:2023", "API3:2023"],
    attack: &["T1030", "T1029"],
};

/// Fewer days in a row than this are no drip.
const DAYS_MIN: u16 = 5;
/// Time since the first call.
const AGE_MIN_NS: i64 = 6 * NS_PER_D;
/// Less growth than this over the days is never a finding, ...
const RATIO_MIN: f64 = 1.4;
/// ... nor fewer bytes or objects beyond what was expected of them.
const BYTES_MIN: f64 = 10_485_760.0;
const OBJECTS_MIN: f64 = 40.0;
/// It is looked at twice: bytes and objects.
const LOOKS: f64 = 2.0;

/// What grows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum What {
    Bytes,
    Objects,
}

/// The day, and what was taken on it.
fn parts<'a>(view: &View<'a>) -> Option<(&'a Daily, &'a Drip)> {
    let daily = view.identity.daily.as_deref()?;
    Some((daily, daily.drip.as_deref()?))
}

/// What a day of bytes is expected to have.
fn usual_bytes(view: &View<'_>, (daily, drip): (&Daily, &Drip)) -> f64 {
    drip.bytes.usual(daily.day, &view.population.trend).unwrap_or(0.0)
}

fn of_bytes(view: &View<'_>, (daily, drip): (&Daily, &Drip)) -> Option<Drifted> {
    let bytes = drip.bytes_today.filter(|bytes| *bytes > 0.0)?;
    drip.bytes.read(daily.day, bytes, &view.population.trend)
}

fn of_objects(view: &View<'_>, (daily, drip): (&Daily, &Drip)) -> Option<Drifted> {
    let news = (f64::from(drip.news_today?), drip.seen.step());
    drip.news.read(daily.day, news, &view.population.trend)
}

/// The odder of the two, among those above their floors first.
fn drifted(view: &View<'_>, daily: (&Daily, &Drip)) -> Option<(What, Drifted)> {
    let both = [(What::Bytes, of_bytes(view, daily)), (What::Objects, of_objects(view, daily))];
    let each = both.into_iter().filter_map(|(what, drifted)| Some((what, drifted?)));
    each.reduce(|best, next| {
        let rank = |it: &(What, Drifted)| (is_worth_it(view, daily, it), it.1.surprise);
        if rank(&next) > rank(&best) { next } else { best }
    })
}

/// Whether it grew by enough, for long enough, to be worth a person's time.
fn is_worth_it(view: &View<'_>, daily: (&Daily, &Drip), (what, drifted): &(What, Drifted)) -> bool {
    let days = f64::from(drifted.run.days);
    let more = match what {
        What::Bytes => days * usual_bytes(view, daily) * (drifted.ratio - 1.0) / BYTES_MIN,
        What::Objects => f64::from(drifted.run.sum - drifted.run.expected) / OBJECTS_MIN,
    };
    drifted.is_above && drifted.run.days >= DAYS_MIN && drifted.ratio >= RATIO_MIN && more >= 1.0
}

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    let parts = parts(view)?;
    let (daily, (_, drifted)) = (parts.0, drifted(view, parts)?);
    let surprise = largest_of(drifted.surprise, LOOKS);
    // What nobody is shown is not worth its time.
    let is_shown = surprise >= crate::partition::SIGNAL_SURPRISE_MIN;
    let upper = is_shown.then(|| drifted.law.ratio_below(UPPER_SURPRISE + LOOKS.log10()));
    Some(Reading {
        detector: Detector::SlowDrip,
        entity: None,
        start: daily.start(),
        end: daily.close(),
        observed: drifted.ratio,
        expected: 1.0,
        surprise,
        law: Law::Bound(upper.unwrap_or(drifted.ratio)),
    })
}

pub(crate) fn may_raise(view: &View<'_>) -> bool {
    let Some(parts) = parts(view) else { return false };
    parts.0.start().since(view.identity.first_seen) >= AGE_MIN_NS
        && drifted(view, parts).is_some_and(|it| is_worth_it(view, parts, &it))
}

/// Whether it was said within the last week.
pub(crate) fn goes_on(view: &View<'_>) -> bool {
    parts(view).is_some_and(|(daily, drip)| drip.goes_on(daily.day))
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let Some(parts) = parts(view) else { return Words::none(ABOUT.danger) };
    let Some((what, drifted)) = drifted(view, parts) else { return Words::none(ABOUT.danger) };
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
            bytes(usual_bytes(view, parts)),
            percent(view.population.trend.bytes.exp_m1()),
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
    // The floors count too: below them nothing is said, however odd.
    let (most, expected) = (drifted.law.ratio_below(cut + LOOKS.log10()), f64::from(run.expected));
    let counterfactual = match what {
        What::Bytes => {
            let most = floor2(most.max(RATIO_MIN));
            format!("would not be reported below {most:.2} times as many over these days")
        }
        What::Objects => {
            let below = |least: f64| least.ceil() - 1.0;
            let floors = below(RATIO_MIN * expected).max(below(expected + OBJECTS_MIN));
            let most = number((most * expected).floor().max(floors));
            format!("would not be reported at {most} such objects or fewer over these days")
        }
    };
    Words {
        sentence,
        counterfactual,
        contributors: contributors(view, drip, what),
        evidence_sql: format!(
            "SELECT date_trunc('day', window_start) AS day, sum(bytes_out) AS bytes_out, sum(objects_new) AS \
             objects_new FROM windows WHERE {} AND window_start < TIMESTAMP '{}' GROUP BY 1 \
             ORDER BY 1 DESC LIMIT 48",
            whose(view),
            reading.end,
        ),
        danger: ABOUT.danger,
    }
}

/// The endpoints that had most of the day's.
fn contributors(view: &View<'_>, drip: &Drip, what: What) -> Vec<Contributor> {
    if what == What::Bytes {
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

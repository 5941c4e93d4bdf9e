//! Cadence: calls like a clock, hour after hour, from somebody who never called like one.
//!
//! How steady a day's calls are is written down for everybody; regularity itself is nothing odd. A finding
//! is the turn from irregular to steady: half of the day's gaps lie closer to the middle gap than
//! half of the gaps did on the steadiest day before.

use super::{About, Law, Reading, UPPER_SURPRISE, View, Words};
use crate::daily::rhythm::{Of, Steadiness, half_within};
use crate::daily::{Beat, Daily};
use crate::explain::{day, number, percent, quote, seconds, subject};
use model::time::NS_PER_D;
use model::{Contributor, Detector};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "middle gap per deviation",
    danger: 0.5,
    owasp: &["API6:2023", "ASI10"],
    attack: &["T1071.001", "T1029"],
};

/// Days of one's own, and time since the first call, before a turn can be told.
const DAYS_MIN: u16 = 5;
const AGE_MIN_NS: i64 = 6 * NS_PER_D;
/// A person's calls have at least this jitter (the middle deviation as a share of the middle gap), ...
const HUMAN_JITTER_MIN: f64 = 0.15;
/// ... and a clock's at most this.
const CLOCK_JITTER_MAX: f64 = 0.1;
/// Hours that the beat must last in all, and its gaps.
const HOURS_MIN: f64 = 5.0;
const GAPS_MIN: f64 = 24.0;
/// The jitter of gaps without memory, for who never called often enough to tell.
const NO_MEMORY: f64 = 0.7;

/// How the day's steadiness compares with the steadiest day before.
fn turn(beat: Beat, day: &Steadiness, jitter: f64) -> f64 {
    // Half of the gaps lay within `own` then, so about this share of them within less.
    half_within((0.5 * jitter / own(beat)).min(1.0), day.effective)
}

fn own(beat: Beat) -> f64 {
    f64::from(beat.steadiest).min(NO_MEMORY)
}

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    let daily = view.identity.daily.as_deref()?;
    let day = daily.rhythm.steadiest()?;
    let surprise = turn(daily.beat, &day, day.jitter);
    // What nobody is shown is not worth its time.
    let is_shown = surprise >= crate::partition::SIGNAL_SURPRISE_MIN;
    let upper = if is_shown { jitter_at(daily.beat, &day, UPPER_SURPRISE) } else { day.jitter };
    Some(Reading {
        detector: Detector::Cadence,
        entity: None,
        start: daily.start(),
        end: daily.close(),
        observed: 1.0 / day.jitter,
        expected: 1.0 / own(daily.beat),
        surprise,
        law: Law::Bound(1.0 / upper),
    })
}

/// The row of a day's reading: how steady it was for anybody's, whoever it is.
pub(crate) fn as_signal(view: &View<'_>, reading: &Reading) -> Option<Reading> {
    let day = view.identity.daily.as_deref()?.rhythm.steadiest()?;
    Some(Reading { surprise: day.surprise, ..*reading })
}

/// The jitter at which the day's turn has at least a surprise: less has more.
fn jitter_at(beat: Beat, day: &Steadiness, surprise: f64) -> f64 {
    let (mut steady, mut loose) = (1e-6, NO_MEMORY);
    for _ in 0..50 {
        let middle = f64::midpoint(steady, loose);
        if turn(beat, day, middle) >= surprise { steady = middle } else { loose = middle }
    }
    steady
}

/// Whether it is known well enough, and as irregular enough, that it could turn steady. The days of all
/// others are no measure of such a turn: clocks on their first days would be most of it.
pub(crate) fn could_turn(view: &View<'_>) -> bool {
    let Some(daily) = view.identity.daily.as_deref() else { return false };
    let age = daily.start().since(view.identity.first_seen);
    daily.learned >= DAYS_MIN && age >= AGE_MIN_NS && own(daily.beat) >= HUMAN_JITTER_MIN
}

pub(crate) fn may_raise(view: &View<'_>) -> bool {
    let Some(daily) = view.identity.daily.as_deref() else { return false };
    could_turn(view)
        && daily.rhythm.steadiest().is_some_and(|it| {
            it.jitter <= CLOCK_JITTER_MAX && it.hours >= HOURS_MIN && it.gaps >= GAPS_MIN
        })
}

pub(crate) fn goes_on(view: &View<'_>) -> bool {
    let daily = view.identity.daily.as_deref();
    daily.is_some_and(|daily| daily.beat.goes_on(daily.day))
}

/// Hours of the day with calls, and those of them in which it was not seen on any day learned.
fn hours(daily: &Daily) -> (u32, usize) {
    let has = |hour: usize| daily.rhythm.hours & (1 << hour) != 0;
    let new = daily.hours.iter().enumerate().filter(|(hour, days)| has(*hour) && **days == 0);
    (daily.rhythm.hours.count_ones(), new.count())
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let (Some(daily), subject) = (view.identity.daily.as_deref(), subject(view.identity)) else {
        return Words::none(ABOUT.danger);
    };
    let Some(beat) = daily.rhythm.steadiest() else { return Words::none(ABOUT.danger) };
    let name = match (beat.of, &beat.server) {
        (Of::Endpoint(endpoint), _) => view.endpoints.name(endpoint).to_owned(),
        (Of::Server(_), Some(server)) => format!("server {server}"),
        (Of::Server(_), None) => "all endpoints together".to_owned(),
    };
    let before = match daily.beat.days {
        0 => "on no day learned before did it call often enough to tell a beat".to_owned(),
        days => format!(
            "on the steadiest of {} days learned with enough calls to tell, half lay within {} of it",
            number(f64::from(days)),
            percent(own(daily.beat)),
        ),
    };
    let (active, new) = hours(daily);
    let limit = jitter_at(daily.beat, &beat, cut).min(CLOCK_JITTER_MAX);
    Words {
        sentence: format!(
            "{subject} kept a steady beat of calls to {name} on {}, by {}: the middle gap is {}, and half of about \
             {} gaps lie within {} of it, clocks' rounding included ({}), {} hours in all; {before}; it was \
             active in {active} hours of the day, {new} of them hours of the day in which it never was on a day \
             learned; gaps under {} are left out as one occasion; this rests on {} days of its own.",
            day(daily.start()),
            view.open.last,
            seconds(beat.gap_s),
            number(beat.gaps),
            seconds(beat.jitter * beat.gap_s),
            percent(beat.jitter),
            number(beat.hours),
            seconds(beat.from_s),
            number(f64::from(daily.learned)),
        ),
        counterfactual: format!(
            "would not be reported if half of the gaps lay within more than {} of the middle gap, rounding included",
            percent(limit),
        ),
        contributors: vec![Contributor { name, observed: reading.observed, share: 1.0 }],
        evidence_sql: format!(
            "SELECT windows.window_start AS window_start, windows.requests AS requests, \
             windows.gap_p50_s AS gap_p50_s, signals.observed AS observed_of_day FROM windows \
             LEFT JOIN signals ON signals.tenant_id = windows.tenant_id \
             AND signals.principal_id = windows.principal_id \
             AND signals.detector = 'cadence' AND signals.window_start = TIMESTAMP '{start}' \
             WHERE windows.tenant_id = {} AND windows.principal_id = {} \
             AND windows.window_start >= TIMESTAMP '{start}' \
             AND windows.window_start < TIMESTAMP '{}' ORDER BY window_start",
            quote(view.identity.tenant()),
            quote(&view.identity.name),
            reading.end,
            start = reading.start,
        ),
        danger: ABOUT.danger,
    }
}

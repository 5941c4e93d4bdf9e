//! Dormant or newborn: silent for far longer than it ever is and then busy with something odd, or as
//! broad in its first day as hardly any peer in its life.

#[cfg(test)]
mod tests;

use super::{
    About, Law, Reading, UPPER_SURPRISE, View, Words, by_endpoint, hourly, later, ranked_sql,
    windows_sql,
};
use super::{egress_spike, machine_speed};
use crate::classes::{Class, Marks};
use crate::engine::Context;
use crate::explain::{as_far_as_kept, bytes, history, number, own_most, span, subject};
use crate::identity::Identity;
use crate::open_window::{First, OpenWindow};
use crate::population::{Contribution, Measure};
use crate::statistics::moments::smallest;
use model::time::NS_PER_H;
use model::{Detector, EndpointId, PrincipalType, Time};
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_10;

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "days silent",
    danger: 0.7,
    owasp: &["API9:2023", "ASI03"],
    attack: &["T1078"],
};
/// What is counted of a newborn.
pub(crate) const UNIT_NEWBORN: &str = "distinct endpoints in its first day";

/// Hours after it came back, or was born, in which an identity is looked at.
const HOURS_LOOKED_AT: i32 = 24;
/// Learned hours before a silence says anything.
const LEARNED_MIN: u32 = 3;
/// Hours with a log from which on whoever is new is new, and not only new to the log: 3 days.
const LOG_MIN_H: u32 = 72;
/// Fewer endpoints than this are never a finding.
const BREADTH_MIN: u32 = 20;
/// Fewest older identities that a newborn is compared with.
const PEERS_MIN: u32 = 20;
/// Silence and deed together must be this odd by themselves: there are few silences to calibrate by.
const SURPRISE_MIN: f64 = 3.5;
/// What it does must be this odd, however long it was silent.
const DEED_MIN: f64 = 1.0;
/// A call of administration, access or secrets is thirty times likelier to matter, a write five times.
const PRIVILEGED: f64 = 1.0 / 30.0;
const WRITES: f64 = 1.0 / 5.0;
/// Hours of silence from which on a program that does its privileged business again is odd: 60 days.
const LEAVE_MAX_H: u32 = 60 * 24;
/// Kinds of deeds that are looked for: where it called, what it changed, how much it was.
const LOOKS: f64 = 3.0;

/// Why an identity is looked at in this hour.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Why {
    /// It was not long silent, and it is not new.
    Nothing,
    /// It came back from a long silence.
    Woke,
    /// It is in its first day.
    Born,
}

/// What an open hour knows of the silence before it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct Waking {
    pub(crate) why: Why,
    /// Hours with a log since the active hour before; 0 for none.
    silent_h: u32,
    tripwire: u32,
}

impl Waking {
    pub(crate) const fn new() -> Self {
        Self { why: Why::Nothing, silent_h: 0, tripwire: u32::MAX }
    }

    /// Whether this call is a reason to look.
    pub(crate) fn asks(&self, calls: u32, first: First, marks: impl FnOnce() -> Marks) -> bool {
        self.why != Why::Nothing
            && (calls >= self.tripwire
                || (self.why == Why::Woke && first.accepted && matters(marks())))
    }
}

fn matters(marks: Marks) -> bool {
    marks.has(Class::Privileged) || marks.has(Class::Secret)
}

/// An hour begins, and nothing of it is counted yet.
pub(crate) fn begin(context: &Context<'_>, identity: &mut Identity, open: &mut OpenWindow) {
    if !identity.kind.is_given() || identity.is_overflow() {
        return;
    }
    let (now, before) = (context.hour.hour_number(), identity.last_seen.hour_number());
    let (is_first, learned) = (identity.hours == 0, identity.learned);
    let silence = &mut identity.silence;
    let silent_h = silence.next(context.logged_h);
    if now.saturating_sub(silence.woke_h) >= HOURS_LOOKED_AT {
        silence.settle();
    }
    if !is_first && learned >= LEARNED_MIN && silent_h >= silence.kept.long_from() {
        silence.wake((before, now), silent_h);
    } else if !is_first {
        open.waking.silent_h = silent_h;
    }
    let is_new = now - identity.first_seen.hour_number() < HOURS_LOOKED_AT;
    (open.waking.why, open.waking.tripwire) = if silence.is_said {
        (Why::Nothing, u32::MAX)
    } else if now.saturating_sub(silence.woke_h) < HOURS_LOOKED_AT {
        (Why::Woke, 1)
    } else if is_new && context.logged_h >= LOG_MIN_H {
        (Why::Born, BREADTH_MIN)
    } else {
        (Why::Nothing, u32::MAX)
    };
}

/// The hour is over: what was said is said, and a silence that was learned is one of its own, at once
/// or, if it was a long one, when its awakening went well.
pub(crate) fn learn(
    contribution: &mut Contribution,
    identity: &mut Identity,
    open: &OpenWindow,
    is_learned: bool,
) {
    let (silence, waking) = (&mut identity.silence, &open.waking);
    silence.is_said |= open.raised.iter().any(|it| it.detector == Detector::Dormant);
    silence.is_part |= open.told_of(Detector::Dormant).next().is_some();
    silence.is_withheld |= !is_learned;
    if !is_learned {
        return;
    }
    if waking.silent_h > 0 {
        silence.kept.add(waking.silent_h);
        contribution.silences.add(waking.silent_h);
    } else if waking.why == Why::Woke && open.start.hour_number() == silence.woke_h {
        contribution.silences.add(silence.slept_h());
    }
}

/// Whether an awakening, or a first day, may be a part of what comes together: it is the same one in each of
/// its hours, and is a part of one. It may still be told by itself, for what is done later may be graver.
pub(crate) const fn may_be_part(identity: &Identity) -> bool {
    !identity.silence.is_part
}

/// How many endpoints an identity ever used, if it is one to compare others with.
pub(crate) fn breadth_of(identity: &Identity, born_before: Time) -> Option<usize> {
    let is_peer = identity.kind.is_given()
        && !identity.is_overflow()
        && identity.learned > 0
        && identity.first_seen <= born_before;
    let known = identity.profile.known();
    is_peer.then(|| known.iter().filter(|known| known.is_accepted()).count())
}

pub(crate) fn read(view: &View<'_>) -> Option<Reading> {
    let reading = |observed, expected, surprise, law| Reading {
        detector: Detector::Dormant,
        entity: None,
        start: view.open.start,
        end: view.open.end(),
        observed,
        expected,
        surprise,
        law,
    };
    match view.open.waking.why {
        Why::Nothing => None,
        Why::Woke if !view.population.is_ready() => None,
        Why::Woke => {
            let (kept, everyone) = (&view.identity.silence.kept, &view.population.silences);
            let slept = view.identity.silence.slept_h();
            let silence = kept.surprise(everyone, slept);
            // 99.9 % of silences are shorter.
            let upper = smallest(|hours| kept.surprise(everyone, hours as u32) >= UPPER_SURPRISE);
            Some(reading(
                f64::from(slept) / 24.0,
                f64::from(kept.under(0.5)) / 24.0,
                both(silence, deed(view).map_or(0.0, |deed| deed.surprise)),
                Law::Bound(upper / 24.0),
            ))
        }
        Why::Born => {
            let breadths = view.population.breadths.as_ref()?;
            let law = breadths.law(PEERS_MIN)?;
            let count = f64::from(breadth(view));
            Some(reading(count, law.mean, law.surprise(count), Law::Count(law, 1.0)))
        }
    }
}

/// Surprise of two independent oddities: their product is less odd than it looks (Fisher, *Statistical
/// Methods for Research Workers*, 4th ed., §21.1).
fn both(a: f64, b: f64) -> f64 {
    let sum = a.max(0.0) + b.max(0.0);
    sum - (sum * LN_10).ln_1p() / LN_10
}

pub(crate) fn may_raise(view: &View<'_>, reading: &Reading) -> bool {
    match view.open.waking.why {
        Why::Nothing => false,
        Why::Woke => {
            reading.surprise >= SURPRISE_MIN
                && deed(view).is_some_and(|deed| deed.surprise >= DEED_MIN)
        }
        Why::Born => {
            let upper = view.population.breadths.as_ref().map_or(u32::MAX, |it| it.within(0.99));
            reading.observed >= f64::from(BREADTH_MIN) && reading.observed > f64::from(upper)
        }
    }
}

pub(crate) fn unit(view: &View<'_>) -> &'static str {
    if view.open.waking.why == Why::Born { UNIT_NEWBORN } else { ABOUT.unit }
}

pub(crate) fn raise_tripwire(open: &mut OpenWindow) {
    open.waking.tripwire = later(open.calls);
}

/// The endpoints that it and somebody else used: what is new to everyone is no breadth.
fn breadth(view: &View<'_>) -> u32 {
    let profile = &view.identity.profile;
    let others = |endpoint: EndpointId| {
        let own = u32::from(profile.is_used(endpoint));
        view.population.everyone.users_of(endpoint) > own
    };
    let before = profile.known().iter().filter(|known| known.is_accepted());
    let now = view.open.endpoints.iter().filter(|seen| seen.is_accepted);
    let new = now.filter(|seen| !profile.was_accepted(seen.endpoint));
    let all = before.map(|known| known.endpoint).chain(new.map(|seen| seen.endpoint));
    all.filter(|endpoint| others(*endpoint)).count() as u32
}

/// What an identity does after a silence, and how odd that is.
struct Deed {
    surprise: f64,
    what: What,
}

enum What {
    /// A call of administration, access or secrets; the first ever, or not.
    Privileged(EndpointId, bool),
    /// It writes where it never called.
    Writes(EndpointId),
    Changed(f64),
    Calls(f64, i64),
    Bytes(f64),
}

/// The oddest of what it did in this hour; of reads that are its habit, or anyone's, nothing.
fn deed(view: &View<'_>) -> Option<Deed> {
    let odd = |reading: Option<Reading>, what: fn(&Reading) -> What| {
        reading.map(|it| Deed { surprise: it.surprise, what: what(&it) })
    };
    let changed = view.open.changes.objects.len() as u32;
    let changed = hourly(view, Detector::WriteBurst, Measure::ChangedPerHour, changed);
    let calls = machine_speed::read(view).filter(machine_speed::may_raise);
    let sent = egress_spike::read(view).filter(egress_spike::may_raise);
    let volumes = [
        odd(changed, |it| What::Changed(it.observed)),
        odd(calls, |it| What::Calls(it.observed, it.end.since(it.start))),
        odd(sent, |it| What::Bytes(it.observed)),
    ];
    let places = view.open.endpoints.iter().filter(|seen| seen.is_accepted);
    let places = places.filter_map(|seen| at(view, seen.endpoint));
    let all = places.chain(volumes.into_iter().flatten());
    let oddest = all.reduce(|a, b| if b.surprise > a.surprise { b } else { a })?;
    Some(Deed { surprise: (oddest.surprise - LOOKS.log10()).max(0.0), ..oddest })
}

/// What a call that was accepted at an endpoint says.
fn at(view: &View<'_>, endpoint: EndpointId) -> Option<Deed> {
    let is_known = view.identity.profile.was_accepted(endpoint);
    let usage = view.population.usage(view.identity, endpoint);
    let writes = || {
        let method = view.endpoints.name(endpoint).split(' ').next();
        matches!(method, Some("POST" | "PUT" | "PATCH" | "DELETE"))
    };
    let (chance, what) = match (matters(view.classes.of(endpoint)), is_known) {
        // What it did before is its business; but only people take leave for months.
        (true, true)
            if view.identity.kind != PrincipalType::User
                && view.identity.silence.slept_h() >= LEAVE_MAX_H =>
        {
            (usage, What::Privileged(endpoint, false))
        }
        (true, false) => (usage * PRIVILEGED, What::Privileged(endpoint, true)),
        // A deploy brings endpoints that nobody used yet.
        (false, false) if writes() && view.population.endpoint(endpoint).is_some() => {
            (usage * WRITES, What::Writes(endpoint))
        }
        _ => return None,
    };
    Some(Deed { surprise: -chance.log10(), what })
}

pub(crate) fn explain(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    if view.open.waking.why == Why::Born { born(view, reading, cut) } else { woke(view) }
}

fn woke(view: &View<'_>) -> Words {
    let silence = &view.identity.silence;
    let hours = |hours: i32| span(i64::from(hours) * NS_PER_H);
    let passed = silence.woke_h.saturating_sub(silence.from_h);
    let logged = i32::try_from(silence.slept_h()).unwrap_or(i32::MAX);
    let gap = if passed - logged > 24 {
        format!(", {} of which have a log", hours(logged))
    } else {
        String::new()
    };
    let now = view.open.start.hour_number();
    let when = match now - silence.woke_h {
        0 => "in its first hour back".to_owned(),
        later => format!("in hour {} after its return", later + 1),
    };
    let deed = deed(view);
    let by = |part: &dyn Fn(&crate::open_window::EndpointCalls) -> f64| by_endpoint(view, part);
    let privileged = matches!(deed, Some(Deed { what: What::Privileged(..), .. }));
    let said = deed.map_or_else(String::new, |deed| did(view, &deed.what));
    let longest = span(i64::from(silence.kept.all_under()) * NS_PER_H);
    Words {
        sentence: format!(
            "{} was silent for {}{gap}, since the hour of {}, and {when} {said}; {}, as a rule it is under {}; {}.",
            subject(view.identity),
            hours(passed),
            Time::from_ns(i64::from(silence.from_h) * NS_PER_H),
            own_most(
                view.identity,
                "its longest silence between active hours",
                &format!("under {longest}")
            ),
            span(i64::from(silence.kept.under(0.5)) * NS_PER_H),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported after a silence of less than {} d with a log",
            number(f64::from(silence.kept.long_from() / 24)),
        ),
        contributors: by(&|calls| {
            let counts =
                !privileged || (calls.is_accepted && matters(view.classes.of(calls.endpoint)));
            if counts { f64::from(calls.calls) } else { 0.0 }
        }),
        evidence_sql: windows_sql(
            view,
            "requests, endpoints_distinct, objects_changed_distinct, secrets_read_distinct, bytes_out",
        ),
        danger: if privileged { 0.85 } else { ABOUT.danger },
    }
}

/// What it did, as the end of a sentence.
fn did(view: &View<'_>, what: &What) -> String {
    let used_by = |endpoint: &EndpointId| {
        let users = view.population.everyone.users_of(*endpoint);
        format!("{} of {} callers use", users, view.population.everyone.members)
    };
    let first = |verb: &str, endpoint: &EndpointId| {
        // Whoever was refused there before did call.
        let was_refused = view.identity.profile.calls(*endpoint) > 0.0;
        let verb = if was_refused { "was accepted at" } else { verb };
        let (name, kept) = (view.endpoints.name(*endpoint), as_far_as_kept(view.identity));
        format!("{verb} {name} for the first time{kept}, which {}", used_by(endpoint))
    };
    match what {
        What::Privileged(endpoint, true) => first("called", endpoint),
        What::Privileged(endpoint, false) => {
            format!("called {}, which {}", view.endpoints.name(*endpoint), used_by(endpoint))
        }
        What::Writes(endpoint) => first("wrote to", endpoint),
        What::Changed(count) => format!("changed or deleted {} different objects", number(*count)),
        What::Calls(count, length) => {
            format!("made {} calls in {}", number(*count), span(*length))
        }
        What::Bytes(size) => format!("received {}", bytes(*size)),
    }
}

fn born(view: &View<'_>, reading: &Reading, cut: f64) -> Words {
    let identity = view.identity;
    let breadths = view.population.breadths.as_ref();
    let (older, most) = breadths.map_or((0, 0), |it| (it.identities(), it.within(0.99)));
    Words {
        sentence: format!(
            "{} was first seen at {} and within {} used {} different endpoints that others use too; of {} \
             identities that are older than a day, 99 % ever used at most {} and the average {}; {}.",
            subject(identity),
            identity.first_seen,
            span(view.open.last.since(identity.first_seen)),
            number(reading.observed),
            number(f64::from(older)),
            number(f64::from(most)),
            number(reading.expected),
            history(view),
        ),
        counterfactual: format!(
            "would not be reported at {} different endpoints in its first day or fewer",
            number((reading.law.value_at(cut) - 1.0).max(f64::from(most.max(BREADTH_MIN - 1)))),
        ),
        contributors: by_endpoint(view, |calls| f64::from(u32::from(calls.is_accepted))),
        // Endpoints that nobody else uses are in a window's count and not in what was observed.
        evidence_sql: ranked_sql(
            view,
            Detector::Dormant,
            &["endpoints_distinct", "endpoints_new", "requests"],
        ),
        danger: ABOUT.danger,
    }
}

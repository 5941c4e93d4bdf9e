//! From a reading to a finding: scored on the common scale, cut by the budget, explained.

mod evidence;

pub(crate) use evidence::{add_evidence, evidence_of, object_link};

use crate::detectors::{
    self, Reading, UPPER_SURPRISE, View, Words, coincidence, newcomer, tool_drift,
};
use crate::engine::Context;
use crate::identity::{Identity, Recurring, ToolKey};
use crate::open_window::{Crossed, OpenWindow, Raised};
use evidence::{first_evidence, remembered};
use model::time::{NS_PER_D, NS_PER_H, NS_PER_S};
use model::{
    Detector, EndpointId, Event, EventBatch, Evidence, Finding, FindingId, Severity, Time,
};

/// Endpoints about which one detector may raise findings of an identity in one hour; further ones stay
/// signals. Each detector has its own room, so that a noisy one hides no graver one.
const RAISED_MAX: usize = 16;
/// The same over all detectors.
const RAISED_ALL_MAX: usize = RAISED_MAX * Detector::ALL.len();
/// Successes after failures that are shown as evidence.
const SUCCESSES_SHOWN: u32 = 3;

/// Growth of the surprise from which on a finding of a day is said again while the day goes on.
const DAY_GROWTH: f64 = 1.25;

/// The event that crossed a tripwire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alarm<'a> {
    pub(crate) batch: &'a EventBatch,
    pub(crate) event: &'a Event,
    pub(crate) endpoint: EndpointId,
    pub(crate) now: Time,
}

/// Asks the detectors whose tripwire was crossed, and raises what they find.
pub(crate) fn sound(
    context: &Context<'_>,
    identity: &Identity,
    open: &mut OpenWindow,
    crossed: Crossed,
    alarm: Option<&Alarm<'_>>,
    findings: &mut Vec<Finding>,
) {
    let mut readings = Vec::new();
    for detector in Detector::ALL {
        if !crossed.has(*detector) {
            continue;
        }
        readings.clear();
        let view = context.view(identity, open);
        detectors::read(*detector, &view, &mut readings);
        readings.retain(|reading| may_raise(&view, reading));
        for reading in &readings {
            if is_told(context, &context.view(identity, open), reading) {
                let now = alarm.map_or(open.last, |alarm| alarm.now);
                let evidence = first_evidence(context, open, alarm, reading);
                raise(context, identity, open, reading, (now, evidence), findings);
            }
        }
        if let (Detector::FirstSeenEndpoint, Some(alarm)) = (*detector, alarm) {
            add_first_call(open, alarm);
        }
        detectors::raise_tripwire(*detector, open);
    }
}

/// Whether a reading is rare enough to be told.
fn is_told(context: &Context<'_>, view: &View<'_>, reading: &Reading) -> bool {
    let cut = context.cut_of(reading.detector);
    context.calibration.score(reading.detector, reading.surprise) >= cut
        && newcomer::may_raise(view, reading, || {
            context.calibration.surprise_at(reading.detector, cut)
        })
}

/// Whether a reading is of what its detector may speak about, and matters.
pub(crate) fn may_raise(view: &View<'_>, reading: &Reading) -> bool {
    let identity = view.identity;
    let names = [&*identity.name, identity.label.as_deref().unwrap_or_default()];
    let endpoint = reading.entity.map_or("", |it| view.endpoints.name(it));
    view.plan.is_within(reading.detector, Some(names), endpoint)
        && detectors::may_raise(view, reading)
}

/// Adds a call on somebody's behalf to the findings that are about those: to that of what the one never does
/// itself only where it is such a call.
pub(crate) fn add_acted(
    open: &mut OpenWindow,
    (batch, event): (&EventBatch, &Event),
    is_beyond: bool,
) {
    let raised = open.raised.iter_mut().filter(|it| it.detector == Detector::Delegation);
    for raised in raised.filter(|it| it.entity.is_none() || is_beyond) {
        if raised.evidence.len() < Finding::EVIDENCE_MAX {
            raised.evidence.push(evidence_of(batch, event));
        }
    }
}

/// Puts the success before the failures that it followed.
pub(crate) fn add_success(open: &mut OpenWindow, batch: &EventBatch, event: &Event) {
    let raised = open.raised.iter_mut().find(|it| it.detector == Detector::AuthFailures);
    if let Some(raised) = raised.filter(|_| open.successes_after <= SUCCESSES_SHOWN) {
        let place = (open.successes_after as usize - 1).min(raised.evidence.len());
        raised.evidence.insert(place, evidence_of(batch, event));
        raised.evidence.truncate(Finding::EVIDENCE_MAX);
    }
}

/// What was raised, as far as a habit of it goes: of a coincidence its parts, as if each had been raised.
pub(crate) fn recurring(open: &OpenWindow, raised: &Raised) -> Vec<Recurring> {
    let is_part = raised.detector == Detector::Coincidence;
    let of = |detector, entity, magnitude| {
        let once = recurrence_of(detector, entity, magnitude);
        Recurring { is_silent: raised.is_silent, is_part, ..once }
    };
    if is_part {
        let parts = open.coincident.iter();
        return parts.map(|it| of(it.detector, it.entity, magnitude_of(it))).collect();
    }
    vec![of(raised.detector, raised.entity, raised.magnitude)]
}

/// Whether a reading only goes on with what was said of the hours before; a coincidence, if all of it does.
fn goes_on(identity: &Identity, open: &OpenWindow, reading: &Reading) -> bool {
    let hour = open.start.hour_number();
    if reading.detector == Detector::NotItself {
        return identity.estranged.goes_on(hour, magnitude_of(reading), open.calls);
    }
    let is_part = reading.detector == Detector::Coincidence;
    coincidence::made_of(open, reading).iter().all(|it| {
        let once = recurrence_of(it.detector, it.entity, magnitude_of(it));
        identity.recurrence.goes_on(Recurring { is_part, ..once }, hour)
    })
}

fn recurrence_of(detector: Detector, entity: Option<EndpointId>, magnitude: f64) -> Recurring {
    let is_kept = matches!(
        detector,
        Detector::ObjectEnumeration
            | Detector::ForeignObject
            | Detector::Sequence
            | Detector::Delegation
    );
    let endpoint = entity.filter(|_| is_kept);
    Recurring { detector, endpoint, magnitude, is_silent: false, is_part: false }
}

fn magnitude_of(reading: &Reading) -> f64 {
    reading.observed * NS_PER_S as f64 / reading.end.since(reading.start).max(NS_PER_S) as f64
}

/// Adds a first call to the finding that lists them.
fn add_first_call(open: &mut OpenWindow, alarm: &Alarm<'_>) {
    let raised = open.raised.iter_mut().find(|it| it.detector == Detector::FirstSeenEndpoint);
    if let Some(raised) = raised {
        let event = evidence_of(alarm.batch, alarm.event);
        if raised.evidence.len() < Finding::EVIDENCE_MAX && !raised.evidence.contains(&event) {
            raised.evidence.push(event);
        }
    }
}

/// At the hour's close: revises what was raised, and raises what only the whole hour shows.
pub(crate) fn settle(
    context: &Context<'_>,
    identity: &Identity,
    open: &mut OpenWindow,
    readings: &[Reading],
    findings: &mut Vec<Finding>,
) {
    for reading in readings {
        let view = context.view(identity, open);
        let is_told = may_raise(&view, reading) && is_told(context, &view, reading);
        let Some(whole) = of_whole(&view, reading, is_told) else { continue };
        let reading = &whole;
        if let Some(raised) = open.raised.iter_mut().find(|raised| is_of(raised, reading)) {
            // What recurs is the whole of it, not where it crossed the tripwire.
            raised.magnitude = raised.magnitude.max(magnitude_of(reading));
        }
        let raised = open.raised.iter().find(|raised| is_of(raised, reading) && !raised.is_silent);
        if let Some(raised) = raised {
            let mut last = finding(context, &context.view(identity, open), reading, raised);
            // It may have been raised by the very last call.
            last.revision += 1;
            last.is_first = false;
            findings.push(last);
        } else {
            let evidence = first_evidence(context, open, None, reading);
            raise(context, identity, open, reading, (open.last, evidence), findings);
        }
    }
}

/// A reading of the whole hour, if it is to be said. New things are the less odd the more calls there are,
/// and may be odd no longer: what was said of them stays as odd as it was, and says how many they became.
fn of_whole(view: &View<'_>, reading: &Reading, is_told: bool) -> Option<Reading> {
    if is_told {
        return Some(*reading);
    }
    let tool = new_tool(view, reading);
    let mut raised = view.open.raised.iter().filter(|it| !it.is_silent && is_of(it, reading));
    let said = raised.find(|it| stays(it, tool))?;
    let surprise = said.surprise.max(reading.surprise);
    Some(Reading { entity: said.entity, surprise, ..*reading })
}

/// Whether what was said stays as odd as it was, though more calls came: what is new. Of tools only where the
/// whole hour is about the same new `tool`; another one, or a size, is as odd as it is by itself.
fn stays(raised: &Raised, tool: Option<ToolKey>) -> bool {
    match raised.detector {
        Detector::FirstSeenEndpoint | Detector::NewNetwork => true,
        Detector::ToolDrift => tool.is_some() && raised.new_tool == tool,
        _ => false,
    }
}

/// The new tool that a reading is about, if it is about one.
fn new_tool(view: &View<'_>, reading: &Reading) -> Option<ToolKey> {
    let is_of_tool = reading.detector == Detector::ToolDrift;
    is_of_tool.then(|| tool_drift::new_tool(view)).flatten()
}

/// Raises a finding that was not raised yet in this hour, or says it again when it got worse in kind;
/// in silence if it only goes on with what was said of the hour before.
fn raise(
    context: &Context<'_>,
    identity: &Identity,
    open: &mut OpenWindow,
    reading: &Reading,
    (detected_at, evidence): (Time, Vec<Evidence>),
    findings: &mut Vec<Finding>,
) {
    let magnitude = magnitude_of(reading);
    let is_silent = goes_on(identity, open, reading);
    let new_tool = new_tool(&context.view(identity, open), reading);
    // Only endpoints are many; what is said of the identity as a whole is never crowded out.
    let is_full = reading.entity.is_some() && is_full(&open.raised, reading.detector);
    let notes = open.notes;
    let before = open.raised.iter().position(|raised| is_of(raised, reading));
    let (index, is_first) =
        match before.and_then(|index| Some((index, open.raised.get_mut(index)?))) {
            Some((_, raised))
                if is_silent || !(raised.is_silent || outgrows(raised, reading, notes)) =>
            {
                return;
            }
            Some((index, raised)) => {
                let is_first = raised.is_silent;
                if is_first {
                    (raised.detected_at, raised.evidence) = (detected_at, evidence);
                } else if reading.detector == Detector::FirstSeenEndpoint {
                    // What the revision is about comes first.
                    let before = std::mem::replace(&mut raised.evidence, evidence);
                    let room = Finding::EVIDENCE_MAX.saturating_sub(raised.evidence.len());
                    raised.evidence.extend(before.into_iter().take(room));
                }
                raised.is_silent = false;
                (raised.entity, raised.new_tool) = (reading.entity, new_tool);
                raised.surprise = raised.surprise.max(reading.surprise);
                raised.magnitude = raised.magnitude.max(magnitude);
                raised.notes = notes;
                (index, is_first)
            }
            None if is_full => return,
            None => {
                open.raised.push(Raised {
                    detector: reading.detector,
                    entity: reading.entity,
                    new_tool,
                    id: id_of(identity, context, reading, window_of(open, reading).0),
                    detected_at,
                    evidence,
                    surprise: reading.surprise,
                    magnitude,
                    is_silent,
                    notes,
                });
                (open.raised.len() - 1, true)
            }
        };
    if let Some(raised) = open.raised.get(index).filter(|raised| !raised.is_silent) {
        let said = finding(context, &context.view(identity, open), reading, raised);
        findings.push(Finding { is_first, ..said });
    }
}

/// Whether a detector has no room for a finding about one endpoint more.
fn is_full(raised: &[Raised], detector: Detector) -> bool {
    raised.len() >= RAISED_ALL_MAX
        || raised.iter().filter(|it| it.detector == detector).count() >= RAISED_MAX
}

/// Of a day that is open: raises what was not raised yet, and revises what has grown since; in silence if
/// it only goes on with what was said of a day before.
pub(crate) fn settle_day(
    context: &Context<'_>,
    identity: &Identity,
    open: &OpenWindow,
    raised: &mut Vec<Raised>,
    readings: &[Reading],
    findings: &mut Vec<Finding>,
) {
    let view = context.view(identity, open);
    for reading in readings {
        let score = context.calibration.score(reading.detector, reading.surprise);
        if score < context.cut_of(reading.detector) || !may_raise(&view, reading) {
            continue;
        }
        let index = raised.iter().position(|it| is_of(it, reading)).unwrap_or_else(|| {
            raised.push(Raised {
                detector: reading.detector,
                entity: reading.entity,
                new_tool: None,
                id: id_of(identity, context, reading, window_of(open, reading).0),
                detected_at: open.last,
                evidence: remembered(context, open, reading),
                surprise: 0.0,
                magnitude: magnitude_of(reading),
                is_silent: detectors::goes_on(&view, reading),
                notes: 0,
            });
            raised.len() - 1
        });
        let Some(raised) = raised.get_mut(index) else { continue };
        let is_first = raised.surprise <= 0.0;
        if !raised.is_silent && (is_first || reading.surprise >= DAY_GROWTH * raised.surprise) {
            raised.surprise = reading.surprise;
            findings.push(Finding { is_first, ..finding(context, &view, reading, raised) });
        }
    }
}

/// The window that a reading is of. What is oddest in an hour may have taken ten seconds, and the finding
/// is of the hour; what is longer than an hour is a window of its own.
fn window_of(open: &OpenWindow, reading: &Reading) -> (Time, Time) {
    if reading.end.since(reading.start) > NS_PER_H {
        (reading.start, reading.end)
    } else {
        (open.start, open.end())
    }
}

/// Whether a reading changes what was said: an odder first call or network, or a success after the failures.
fn outgrows(raised: &Raised, reading: &Reading, notes: u32) -> bool {
    match reading.detector {
        Detector::FirstSeenEndpoint => {
            raised.entity != reading.entity && reading.surprise > raised.surprise
        }
        Detector::NewNetwork | Detector::ToolDrift => reading.surprise > raised.surprise + 0.5,
        Detector::AuthFailures => notes > raised.notes,
        _ => false,
    }
}

/// Whether a reading is of what was raised.
pub(crate) fn is_of(raised: &Raised, reading: &Reading) -> bool {
    // A first-seen endpoint names the oddest of the hour, which may change: the finding stays one.
    raised.detector == reading.detector
        && (raised.entity == reading.entity || reading.detector == Detector::FirstSeenEndpoint)
}

/// The id says what is found, never how: detector, tenant, identity, entity and window.
fn id_of(identity: &Identity, context: &Context<'_>, reading: &Reading, start: Time) -> FindingId {
    let entity = match reading.detector {
        Detector::FirstSeenEndpoint => "",
        _ => reading.entity.map_or("", |endpoint| context.endpoints.name(endpoint)),
    };
    id_of_parts(reading.detector, [identity.tenant(), &identity.name, entity], start)
}

/// The id of what a detector says of a tenant's principal and an entity in a window from `start` on.
pub(crate) fn id_of_parts(detector: Detector, parts: [&str; 3], start: Time) -> FindingId {
    let [tenant, principal, entity] = parts;
    id_of_text([detector.as_str(), tenant, principal, entity], start)
}

/// An id that says what something is: words, and a time.
pub(crate) fn id_of_text<const N: usize>(parts: [&str; N], start: Time) -> FindingId {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.update(&start.ns().to_le_bytes());
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    FindingId(uuid::Builder::from_custom_bytes(bytes).into_uuid().into_bytes())
}

fn finding(context: &Context<'_>, view: &View<'_>, reading: &Reading, raised: &Raised) -> Finding {
    let about = detectors::about(reading.detector);
    let score = context.calibration.score(reading.detector, reading.surprise);
    let cut = context.calibration.surprise_at(reading.detector, context.cut_of(reading.detector));
    let words: Words = detectors::explain(view, reading, cut);
    let identity = view.identity;
    let (window_start, window_end) = window_of(view.open, reading);
    let (history_n, peers_n, baseline_state) = detectors::rests_on(reading.detector, view);
    Finding {
        id: raised.id,
        // Neither begins again, so that a finding of a day grows over its hours.
        revision: identity.calls + identity.heard,
        is_first: true,
        tenant_id: identity.tenant().to_owned(),
        principal_id: Some(identity.name.to_string()),
        principal_type: Some(identity.kind),
        principal_source: Some(identity.source),
        entity: detectors::entity(view, reading).to_owned(),
        detector: reading.detector.into(),
        detector_version: about.version,
        window_start,
        window_end,
        detected_at: raised.detected_at,
        severity: severity(score, words.danger),
        risk_score: 100.0 * weight(score, words.danger),
        score,
        surprise: reading.surprise,
        observed: reading.observed,
        expected: reading.expected,
        upper: reading.law.value_at(UPPER_SURPRISE),
        unit: detectors::unit(reading, view),
        history_days: view.open.start.since(identity.first_seen).max(0) as f64 / NS_PER_D as f64,
        history_n,
        peers_n: u64::from(peers_n),
        sentence: words.sentence,
        counterfactual: words.counterfactual,
        contributors: words.contributors,
        evidence: match reading.detector {
            // More may have been read since it was raised.
            Detector::ForeignObject => view.open.foreign_read.clone(),
            _ => raised.evidence.clone(),
        },
        evidence_sql: words.evidence_sql,
        owasp: about.owasp,
        attack: about.attack,
        baseline_state,
        model_version: view.models.version(),
        incident_id: None,
        config_hash: context.plan.config_hash.clone(),
    }
}

/// Confidence (the score) times danger (the detector and the outcome), 0 to 1.
pub(crate) fn weight(score: f64, danger: f64) -> f64 {
    // Once in 10⁴ windows is half sure, once in 10⁸ as sure as it gets.
    let confidence = (score.max(1.0).log10() / 8.0).min(1.0);
    confidence * danger
}

/// How much a finding matters, by its weight.
pub(crate) fn severity(score: f64, danger: f64) -> Severity {
    match weight(score, danger) {
        matter if matter >= 0.8 => Severity::Critical,
        matter if matter >= 0.55 => Severity::High,
        matter if matter >= 0.35 => Severity::Medium,
        matter if matter >= 0.2 => Severity::Low,
        _ => Severity::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised(detector: Detector, entity: Option<EndpointId>) -> Raised {
        Raised {
            detector,
            entity,
            new_tool: None,
            id: FindingId([0; 16]),
            detected_at: Time::from_ns(0),
            evidence: Vec::new(),
            surprise: 9.0,
            magnitude: 1.0,
            is_silent: false,
            notes: 0,
        }
    }

    #[test]
    fn a_detector_that_found_much_leaves_room_for_the_others() {
        let raised = |endpoint| raised(Detector::Injection, Some(EndpointId(endpoint)));
        let all: Vec<_> = (0..RAISED_MAX as u32).map(raised).collect();
        assert!(is_full(&all, Detector::Injection));
        assert!(!is_full(&all, Detector::ForeignObject) && !is_full(&all, Detector::ToxicFlow));
    }

    #[test]
    fn no_tool_is_as_odd_as_another_and_no_size_as_odd_as_it_was() {
        let tool = |tool| Some(ToolKey { server: 1, tool });
        let of = |new_tool| Raised { new_tool, ..raised(Detector::ToolDrift, None) };
        assert!(stays(&of(tool(2)), tool(2)));
        assert!(!stays(&of(tool(2)), tool(3)), "another new one");
        assert!(!stays(&of(tool(2)), None), "a size");
        assert!(!stays(&of(None), None), "the size of fewer calls");
        assert!(stays(&raised(Detector::NewNetwork, None), None));
        assert!(!stays(&raised(Detector::EgressSpike, None), None));
    }
}

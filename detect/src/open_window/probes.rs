//! Calls of the hour with signs of injection, by endpoint, and how they were answered.

use super::distinct::Distinct;
use super::{Call, Crossed, SOURCES_MAX, SPAN_NS, SPANS};
use crate::population::Answers;
use crate::snapshot::plain;
use model::{Detector, EndpointId, Event, Finding, InjectionClass, Int, Time};
use serde::{Deserialize, Serialize};

/// Endpoints whose probes are told apart in one hour.
const PROBED_MAX: usize = 32;
/// Calls with signs of injection at which the detector looks first.
const TRIPWIRE: u32 = 3;
/// The surprise of an answer that is worth a look at once.
const ODD_ANSWER: f64 = 4.0;

/// The calls with signs of injection of one hour.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Probes {
    pub(crate) sets: Vec<Probed>,
    /// All of them, also at endpoints that are not told apart.
    pub(crate) calls: u32,
    /// Those answered 2xx, or without a logged status.
    pub(crate) answered: u32,
}

/// Those at one endpoint.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Probed {
    #[serde(with = "plain")]
    pub(crate) endpoint: EndpointId,
    pub(crate) calls: u32,
    pub(crate) answered: u32,
    /// Answered 4xx, and 5xx.
    pub(crate) refused: u32,
    pub(crate) failed: u32,
    /// Calls with each class.
    pub(crate) classes: [u32; InjectionClass::ALL.len()],
    #[serde(with = "plain")]
    pub(crate) networks: Distinct,
    #[serde(with = "plain")]
    pub(crate) first: Time,
    #[serde(with = "plain")]
    pub(crate) last: Time,
    /// Of the answered: the largest, the slowest, and how much larger or slower than usual the oddest was,
    /// as surprise.
    pub(crate) bytes_most: u64,
    pub(crate) ns_most: u64,
    pub(crate) oddest: f64,
    pub(crate) spans: [Span; SPANS],
    /// The first of them, and the one with the oddest answer.
    pub(crate) samples: Vec<Call>,
    pub(crate) tripwire: u32,
}

/// Five minutes of it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Span {
    pub(crate) calls: u32,
    pub(crate) oddest: f32,
}

impl Probes {
    /// Adds a call with signs of injection; `answers` are the endpoint's ordinary ones.
    pub(crate) fn add(
        &mut self,
        event: &Event,
        (call, network): (Call, Option<u64>),
        (start, answers): (Time, Option<&Answers>),
        crossed: &mut Crossed,
    ) {
        self.calls = self.calls.saturating_add(1);
        let is_answered = matches!(call.status, 0 | 200..=299);
        self.answered = self.answered.saturating_add(u32::from(is_answered));
        let index = match self.sets.iter().position(|set| set.endpoint == call.endpoint) {
            Some(index) => index,
            None if self.sets.len() < PROBED_MAX => {
                self.sets.push(Probed::new(call.endpoint, call.at));
                self.sets.len() - 1
            }
            None => return,
        };
        let Some(set) = self.sets.get_mut(index) else { return };
        set.calls += 1;
        set.last = call.at;
        for class in event.injection_classes.iter() {
            if let Some(calls) = set.classes.get_mut(class as usize) {
                *calls += 1;
            }
        }
        if let Some(network) = network {
            set.networks.add(network, SOURCES_MAX);
        }
        match call.status {
            400..=499 => set.refused += 1,
            500..=599 => set.failed += 1,
            _ => {}
        }
        let mut odd = 0.0;
        if is_answered {
            set.answered += 1;
            let ns = event.int(Int::DurationNs).and_then(|ns| u64::try_from(ns).ok());
            set.bytes_most = set.bytes_most.max(call.bytes_out.unwrap_or(0));
            set.ns_most = set.ns_most.max(ns.unwrap_or(0));
            odd = answers.map_or(0.0, |answers| answers.oddness(call.bytes_out, ns));
        }
        set.sample(call, odd);
        set.oddest = set.oddest.max(odd);
        let span = call.at.since(start) / SPAN_NS;
        if let Some(span) = usize::try_from(span).ok().and_then(|span| set.spans.get_mut(span)) {
            span.calls += 1;
            span.oddest = span.oddest.max(odd as f32);
        }
        // An odd answer is looked at at once, but not each of very many.
        let is_odd = odd >= ODD_ANSWER && set.answered.is_power_of_two();
        if set.calls >= set.tripwire || is_odd {
            crossed.add(Detector::Injection);
        }
    }

    /// Those at an endpoint.
    pub(crate) fn at(&self, endpoint: EndpointId) -> Option<&Probed> {
        self.sets.iter().find(|set| set.endpoint == endpoint)
    }
}

impl Probed {
    fn new(endpoint: EndpointId, first: Time) -> Self {
        Self {
            endpoint,
            calls: 0,
            answered: 0,
            refused: 0,
            failed: 0,
            classes: [0; InjectionClass::ALL.len()],
            networks: Distinct::default(),
            first,
            last: first,
            bytes_most: 0,
            ns_most: 0,
            oddest: 0.0,
            spans: [Span::default(); SPANS],
            samples: Vec::new(),
            tripwire: TRIPWIRE,
        }
    }

    /// Remembers a call, while there is room or if no answer so far was odder.
    fn sample(&mut self, call: Call, odd: f64) {
        if self.samples.len() < Finding::EVIDENCE_MAX {
            self.samples.push(call);
        } else if odd > self.oddest
            && let Some(last) = self.samples.last_mut()
        {
            *last = call;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::NS_PER_MIN;
    use model::{Event, InjectionClasses};

    #[test]
    fn five_minutes_are_counted_apart_and_endpoints_are_bounded() {
        let start = Time::from_ns(7_200_000_000_000);
        let mut probes = Probes::default();
        let mut crossed = Crossed::default();
        for number in 0..100_u32 {
            let at = start.plus(i64::from(number % 10) * NS_PER_MIN);
            let mut event = Event::at(at);
            event.injection_classes = InjectionClasses::from_names("sql");
            event.set_int(Int::HttpResponseStatusCode, if number % 2 == 0 { 200 } else { 404 });
            let batch = model::EventBatch::default();
            let call = Call::of(&batch, &event, EndpointId(number % 50), at);
            probes.add(&event, (call, None), (start, None), &mut crossed);
        }
        assert_eq!((probes.calls, probes.answered), (100, 50));
        assert_eq!(probes.sets.len(), PROBED_MAX);
        let first = &probes.sets[0];
        assert_eq!((first.calls, first.classes[0], first.spans[0].calls), (2, 2, 2));
        assert!(crossed.is_empty(), "two at each endpoint are not looked at");
    }
}

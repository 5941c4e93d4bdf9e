//! How an endpoint answers ordinary calls: sizes, durations, and how often with an error.

use crate::statistics::moments::Sums;
use crate::statistics::tail::{largest_of, student};
use model::{Event, Int};
use serde::{Deserialize, Serialize};

/// Ordinary answers from which on another one can be compared with them.
const ANSWERS_MIN: f64 = 30.0;
/// The least spread of ln(1 + x): what is always the same may differ by a quarter.
const SPREAD_MIN: f64 = 0.25;
/// Calls of an hour that are all taken in; of those beyond, one in so many.
const CALLS_WHOLE: u64 = 64;
const CALLS_PER_SAMPLE: u64 = 8;

/// The ordinary answers of an endpoint: of calls without signs of injection.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Answers {
    /// Calls with a status, and those of them answered 5xx.
    pub(crate) calls: f64,
    pub(crate) errors: f64,
    /// ln(1 + bytes) and ln(1 + ns) of those answered 2xx or without a logged status.
    pub(crate) sizes: Sums,
    pub(crate) times: Sums,
}

impl Answers {
    /// Takes in a call, the `nth` of its endpoint since the last exchange: logarithms take a while, and
    /// of very many calls a sample says as much.
    pub(crate) fn add(&mut self, event: &Event, nth: u64) {
        if !event.injection_classes.is_empty()
            || (nth > CALLS_WHOLE && !nth.is_multiple_of(CALLS_PER_SAMPLE))
        {
            return;
        }
        let status = event.status();
        if let Some(status) = status {
            self.calls += 1.0;
            self.errors += f64::from(u8::from(status >= 500));
        }
        if matches!(status, None | Some(200..=299)) {
            if let Some(bytes) = event.bytes_out() {
                self.sizes.add(logarithm(bytes), 1.0);
            }
            if let Some(ns) = event.int(Int::DurationNs) {
                self.times.add(logarithm(ns.max(0) as u64), 1.0);
            }
        }
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.sizes.absorb(&other.sizes);
        self.times.absorb(&other.times);
    }

    pub(crate) fn decay(&mut self, factor: f64) {
        self.calls *= factor;
        self.errors *= factor;
        self.sizes.decay(factor);
        self.times.decay(factor);
    }

    /// How much larger or slower an answer is than usual, as surprise of the odder of the two.
    pub(crate) fn oddness(&self, bytes: Option<u64>, ns: Option<u64>) -> f64 {
        let of = |sums: &Sums, value: Option<u64>| {
            value.map_or(0.0, |value| surprise(sums, logarithm(value)))
        };
        largest_of(of(&self.sizes, bytes).max(of(&self.times, ns)), 2.0)
    }

    /// The same of one size, and of one duration.
    pub(crate) fn size_oddness(&self, bytes: u64) -> f64 {
        surprise(&self.sizes, logarithm(bytes))
    }

    pub(crate) fn time_oddness(&self, ns: u64) -> f64 {
        surprise(&self.times, logarithm(ns))
    }

    /// The usual size and the usual duration (geometric means), where enough is known.
    pub(crate) fn usual_bytes(&self) -> Option<f64> {
        usual(&self.sizes)
    }

    pub(crate) fn usual_ns(&self) -> Option<f64> {
        usual(&self.times)
    }

    /// The share of calls that are answered 5xx, above 0; `None` where too little is known.
    pub(crate) fn error_share(&self) -> Option<f64> {
        (self.calls >= ANSWERS_MIN).then(|| (self.errors + 0.5) / (self.calls + 1.0))
    }
}

fn logarithm(value: u64) -> f64 {
    (1.0 + value as f64).ln()
}

fn usual(sums: &Sums) -> Option<f64> {
    (sums.n >= ANSWERS_MIN).then(|| (sums.sum / sums.n).exp_m1())
}

/// Surprise of a logarithm that is this large or larger: Student's law about the usual ones.
fn surprise(sums: &Sums, x: f64) -> f64 {
    const FREEDOM_MAX: f64 = 30.0;
    if sums.n < ANSWERS_MIN {
        return 0.0;
    }
    let mean = sums.sum / sums.n;
    let variance = (sums.squares / sums.n - mean * mean).max(0.0);
    let scale = variance.sqrt().max(SPREAD_MIN) * (1.0 + 1.0 / sums.n).sqrt();
    if x <= mean { 0.0 } else { student((x - mean) / scale, (sums.n - 1.0).min(FREEDOM_MAX)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{InjectionClasses, Time};

    fn answers() -> Answers {
        let mut answers = Answers::default();
        for number in 0..60 {
            let mut event = Event::at(Time::from_ns(0));
            event.set_int(Int::HttpResponseStatusCode, if number == 7 { 500 } else { 200 });
            event.set_int(Int::HttpResponseBodySize, 900 + number * 3);
            event.set_int(Int::DurationNs, 40_000_000);
            answers.add(&event, number as u64);
        }
        answers
    }

    #[test]
    fn an_ordinary_answer_is_no_surprise_and_a_large_or_slow_one_is() {
        let answers = answers();
        assert!(answers.oddness(Some(1_000), Some(41_000_000)) < 0.5);
        assert!(answers.oddness(Some(90_000), None) > 6.0);
        assert!(answers.oddness(None, Some(5_000_000_000)) > 6.0);
        assert!((answers.usual_bytes().unwrap_or(0.0) - 988.0).abs() < 5.0);
        assert!(answers.error_share().is_some_and(|share| (0.02..0.03).contains(&share)));
    }

    #[test]
    fn nothing_is_compared_with_a_few_answers_and_probes_teach_nothing() {
        let mut few = Answers::default();
        let mut event = Event::at(Time::from_ns(0));
        event.set_int(Int::HttpResponseStatusCode, 200);
        event.set_int(Int::HttpResponseBodySize, 10);
        few.add(&event, 1);
        assert!(few.oddness(Some(1 << 30), None) <= 0.0);
        event.injection_classes = InjectionClasses::from_names("sql");
        few.add(&event, 2);
        assert!((few.calls - 1.0).abs() < 1e-9);
    }
}

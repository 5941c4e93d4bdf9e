//! How long a running service waits for a Kafka that refuses, and how often it says so.
//!
//! Brokers that are away come back: they are waited for without an end. A password that was revoked
//! or a certificate that has expired needs a person, and a new start that reads the new one: when
//! no broker lets us in for a while, the service stops.

use super::context::Context;
use super::{ASK_WAIT, SourceError};
use connect::kafka::{Client, Kind, Trouble};
use rdkafka::consumer::Consumer as _;
use rdkafka::consumer::base_consumer::BaseConsumer;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long all brokers may refuse: a cluster that restarts does so for some seconds.
const REFUSED_WAIT: Duration = Duration::from_secs(30);
/// How long the same complaint is not repeated.
const COMPLAINT_EVERY: Duration = Duration::from_mins(1);
/// Complaints that are remembered, and that wait to be said.
const COMPLAINTS_MAX: usize = 16;
/// For how long nobody is asked again who did not answer.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What troubles there are, and since when.
#[derive(Debug)]
pub(super) struct Patience {
    client: Client,
    /// Since when somebody refuses us, and what they say.
    refused: Option<(Instant, Trouble)>,
    /// When it was last asked whether they still do.
    asked: Option<Instant>,
    asked_in_vain: Option<Instant>,
    said: VecDeque<(Instant, String)>,
    to_say: VecDeque<String>,
    /// Complaints since the last that was said.
    unsaid: u64,
}

impl Patience {
    pub(super) fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            refused: None,
            asked: None,
            asked_in_vain: None,
            said: VecDeque::new(),
            to_say: VecDeque::new(),
            unsaid: 0,
        }
    }

    /// Notes a trouble.
    pub(super) fn take(&mut self, trouble: Trouble) {
        let now = now();
        self.complain(trouble.to_string(), now);
        if trouble.is_nobody_there() {
            // Whoever refused us before is gone, and may come back with other words.
            self.refused = None;
        }
        if trouble.kind.is_lasting() {
            let since = self.refused.as_ref().map_or(now, |(since, _)| *since);
            self.refused = Some((since, trouble));
        }
    }

    /// Somebody let us in.
    pub(super) fn reset(&mut self) {
        self.refused = None;
        self.asked_in_vain = None;
    }

    /// Nobody answered a question.
    pub(super) fn asked_in_vain(&mut self) {
        self.asked_in_vain = Some(now());
    }

    /// Whether nobody answered a moment ago.
    pub(super) fn is_asked_in_vain(&self) -> bool {
        self.asked_in_vain.is_some_and(|at| now().saturating_duration_since(at) < ASK_AGAIN_AFTER)
    }

    /// What to stop with, if we were refused for so long and still are.
    pub(super) fn is_over(&mut self, clients: &[&BaseConsumer<Context>]) -> Option<SourceError> {
        let (since, trouble) = self.refused.as_ref()?;
        let now = now();
        if now.saturating_duration_since(*since) < REFUSED_WAIT {
            return None;
        }
        if self.asked.is_some_and(|at| now.saturating_duration_since(at) < ASK_AGAIN_AFTER) {
            return None;
        }
        self.asked = Some(now);
        // Rights are not seen in what the brokers say of themselves.
        if trouble.kind != Kind::Forbidden
            && clients.iter().all(|it| it.fetch_metadata(None, ASK_WAIT).is_ok())
        {
            self.refused = None;
            return None;
        }
        Some(SourceError::unreachable(&self.client, trouble.clone().examined(&self.client)))
    }

    fn complain(&mut self, text: String, now: Instant) {
        let is_fresh = |at: &Instant| now.saturating_duration_since(*at) < COMPLAINT_EVERY;
        self.said.retain(|(at, _)| is_fresh(at));
        let is_said = self.said.iter().any(|(_, said)| *said == text);
        if is_said || self.said.len() >= COMPLAINTS_MAX {
            self.unsaid += 1;
            return;
        }
        let more = match std::mem::take(&mut self.unsaid) {
            0 => String::new(),
            unsaid => format!(" (and {unsaid} complaints since the last that was shown)"),
        };
        self.to_say.push_back(format!("{text}{more}"));
        self.said.push_back((now, text));
    }

    /// The next complaint that is to be said.
    pub(super) fn complaint(&mut self) -> Option<String> {
        self.to_say.pop_front()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a broker refuses is no matter of event time, and reaches no output"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience() -> Patience {
        let kafka = connect::kafka::Settings {
            bootstrap_servers: vec!["localhost:9092".to_owned()],
            ..connect::kafka::Settings::default()
        };
        Patience::new(&kafka.client().unwrap())
    }

    #[test]
    fn a_complaint_is_said_once_a_minute_and_the_rest_is_counted() {
        let (mut patience, start) = (patience(), now());
        for second in 0..59 {
            patience.complain("away".to_owned(), start + Duration::from_secs(second));
        }
        patience.complain("away".to_owned(), start + COMPLAINT_EVERY);
        let said: Vec<_> = std::iter::from_fn(|| patience.complaint()).collect();
        let more = "away (and 58 complaints since the last that was shown)";
        assert_eq!(said, ["away", more]);
    }

    #[test]
    fn a_flood_of_different_complaints_is_bounded() {
        let (mut patience, start) = (patience(), now());
        for number in 0..100_000 {
            patience.complain(format!("trouble {number}"), start);
        }
        assert_eq!(std::iter::from_fn(|| patience.complaint()).count(), COMPLAINTS_MAX);
        assert_eq!(patience.unsaid, 100_000 - COMPLAINTS_MAX as u64);
    }

    #[test]
    fn only_a_refusal_is_held_against_a_broker_and_a_success_ends_it() {
        let mut patience = patience();
        let trouble = |kind| Trouble { kind, said: "so it is".to_owned() };
        patience.take(trouble(Kind::Away));
        assert!(patience.refused.is_none());
        patience.take(trouble(Kind::Refused));
        let since = patience.refused.as_ref().unwrap().0;
        patience.take(trouble(Kind::Expired));
        let refused = patience.refused.clone().unwrap();
        assert_eq!((refused.0, refused.1.kind), (since, Kind::Expired));
        patience.reset();
        assert!(patience.refused.is_none());
        patience.take(trouble(Kind::Refused));
        let said =
            "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused".to_owned();
        patience.take(Trouble { kind: Kind::Away, said });
        assert!(patience.refused.is_none(), "nobody is there who refuses");
    }
}

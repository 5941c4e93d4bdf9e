//! Dead letters: records that are no events go to a topic of their own before their offsets are committed.

use connect::{Producer, ProducerError, Record};
use ingest::reject::Sample;
use ingest::source::kafka::Partition;

/// Letters that may wait; with more the epoch ends.
const WAITING_MAX: usize = 10_000;

/// Records that are no events.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    producer: Option<Producer>,
    waiting: Vec<Letter>,
    sent: u64,
}

#[derive(Debug)]
struct Letter {
    partition: Partition,
    sample: Sample,
}

impl DeadLetters {
    /// Dead letters that go to a producer; without one they are only counted.
    pub(crate) fn new(producer: Option<Producer>) -> Self {
        Self { producer, waiting: Vec::new(), sent: 0 }
    }

    /// Takes in the rejects of one partition.
    pub(super) fn add(&mut self, partition: &Partition, samples: Vec<Sample>) {
        if self.producer.is_some() {
            let letter = |sample| Letter { partition: partition.clone(), sample };
            self.waiting.extend(samples.into_iter().map(letter));
        }
    }

    /// Whether the epoch must end, so that no more wait.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= WAITING_MAX
    }

    /// Sends all that wait; what could not be sent waits on.
    pub(super) fn send(&mut self) -> Result<(), ProducerError> {
        let Some(producer) = &self.producer else { return Ok(()) };
        if self.waiting.is_empty() {
            return Ok(());
        }
        producer.send(self.waiting.iter().map(Letter::record))?;
        self.sent += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Forgets what waits: it will be read again.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }

    /// How many were sent.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }
}

impl Letter {
    fn record(&self) -> Record<'_> {
        Record {
            key: None,
            value: self.sample.excerpt.as_bytes(),
            headers: headers(&self.partition, &self.sample),
            ..Record::default()
        }
    }
}

/// Where a dead letter comes from, and why it is one.
pub(crate) fn headers(partition: &Partition, sample: &Sample) -> Vec<(&'static str, String)> {
    vec![
        ("habitus.topic", partition.topic.clone()),
        ("habitus.partition", partition.number.to_string()),
        ("habitus.offset", sample.position.line.to_string()),
        ("habitus.error", sample.reason.as_str().to_owned()),
        ("habitus.cure", sample.reason.cure().to_owned()),
        ("habitus.version", env!("CARGO_PKG_VERSION").to_owned()),
    ]
}

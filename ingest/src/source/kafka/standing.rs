//! What the client knows of the brokers without asking them: whether one answers, where partitions end.

use super::{Partition, Source};
use rdkafka::Statistics;

/// How often the client says what it knows, in milliseconds.
pub(super) const EVERY_MS: &str = "2000";
/// A broker that sent nothing for so long does not answer, in microseconds; a member of a group
/// hears from its coordinator every few seconds.
const SILENT_MAX_US: i64 = 20_000_000;

/// What one client said.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Whether a broker answers.
    pub(super) answers: bool,
    /// The offset after the last record of each partition that it reads.
    pub(super) ends: Vec<(Partition, i64)>,
}

impl From<Statistics> for Said {
    fn from(statistics: Statistics) -> Self {
        let mut brokers = statistics.brokers.values();
        let answers = brokers.any(|it| it.state == "UP" && (0..SILENT_MAX_US).contains(&it.rxidle));
        let mut ends = Vec::new();
        for topic in statistics.topics.into_values() {
            // The client numbers a partition of its own −1, and an end that it does not know −1001.
            let known =
                topic.partitions.values().filter(|it| it.partition >= 0 && it.hi_offset >= 0);
            let end = |it: &rdkafka::statistics::Partition| {
                let partition = Partition { topic: topic.topic.clone(), number: it.partition };
                (partition, it.hi_offset)
            };
            ends.extend(known.map(end));
        }
        Self { answers, ends }
    }
}

/// What both clients of a source said so far.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// A broker answered, and nobody has asked since.
    pub(super) has_answered: bool,
    /// The end of each place.
    pub(super) ends: Vec<Option<i64>>,
    /// Assignments of the group.
    pub(super) assignments: u64,
}

impl Source {
    /// Whether a broker answered since this was asked last.
    pub fn has_answered(&mut self) -> bool {
        std::mem::take(&mut self.standing.has_answered)
    }

    /// The offset after the last record of a partition, as the client saw it a moment ago.
    pub fn end(&self, place: usize) -> Option<i64> {
        self.standing.ends.get(place).copied().flatten()
    }

    /// How often the group assigned partitions to this process, or none.
    pub const fn assignments(&self) -> u64 {
        self.standing.assignments
    }

    pub(super) fn stands(&mut self, said: Said) {
        self.standing.has_answered |= said.answers;
        self.standing.ends.resize(self.partitions.len(), None);
        for (partition, end) in said.ends {
            let place = self.places.get(&partition.topic, partition.number).map(|it| it as usize);
            if let Some(slot) = place.and_then(|place| self.standing.ends.get_mut(place)) {
                *slot = (*slot).max(Some(end));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a broker, and of partition 0 that ends at `end`.
    fn said(state: &str, silent_us: i64, end: i64) -> Said {
        let mut statistics = Statistics::default();
        let broker = rdkafka::statistics::Broker {
            state: state.to_owned(),
            rxidle: silent_us,
            ..rdkafka::statistics::Broker::default()
        };
        statistics.brokers.insert("b".to_owned(), broker);
        let mut topic =
            rdkafka::statistics::Topic { topic: "logs".to_owned(), ..Default::default() };
        for (number, hi_offset) in [(0, end), (-1, 7)] {
            let partition = rdkafka::statistics::Partition {
                partition: number,
                hi_offset,
                ..rdkafka::statistics::Partition::default()
            };
            topic.partitions.insert(number, partition);
        }
        statistics.topics.insert("logs".to_owned(), topic);
        Said::from(statistics)
    }

    #[test]
    fn a_broker_answers_while_it_is_up_and_not_silent() {
        assert!(said("UP", 0, 0).answers && said("UP", SILENT_MAX_US - 1, 0).answers);
        assert!(!said("UP", SILENT_MAX_US, 0).answers && !said("UP", -1, 0).answers);
        assert!(!said("TRY_CONNECT", 0, 0).answers);
    }

    #[test]
    fn an_end_is_that_of_a_partition_which_has_one() {
        let partition = Partition { topic: "logs".to_owned(), number: 0 };
        assert_eq!(said("UP", 0, 12).ends, [(partition, 12)]);
        assert_eq!(said("UP", 0, -1001).ends, []);
    }
}

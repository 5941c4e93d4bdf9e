//! What can go wrong with topics, and what the client's codes mean.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Why a topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No topic is named.
    #[error("source.topics is empty: name at least one topic, or files with --source")]
    NoTopic,
    /// Nobody answers, or they do not let us in.
    #[error("no Kafka broker of {servers} answers: {why}")]
    Unreachable {
        /// The brokers.
        servers: String,
        /// What was tried last.
        why: String,
    },
    /// A topic is not there, or we may not see it.
    #[error(
        "topic {topic} is not there: create it, name another in source.topics, or allow this user to describe it ({why})"
    )]
    NoSuchTopic {
        /// The topic.
        topic: String,
        /// The broker's words.
        why: String,
    },
    /// A topic has fewer partitions than it had.
    #[error(
        "partition {number} of topic {topic} is no longer there, so the topic was made anew: take the state over to another group with `habitus reshard`"
    )]
    NoSuchPartition {
        /// The topic.
        topic: String,
        /// The partition.
        number: i32,
    },
    /// A partition ends before what was read of it.
    #[error(
        "partition {number} of topic {topic} ends at offset {high}, but was read up to {next}: the topic was made anew or cut; take the state over to another group with `habitus reshard`"
    )]
    Cut {
        /// The topic.
        topic: String,
        /// The partition.
        number: i32,
        /// Where it ends.
        high: i64,
        /// Up to where it was read.
        next: i64,
    },
    /// Anything else that the client says.
    #[error("Kafka: {what}: {why}")]
    Client {
        /// What was being done.
        what: &'static str,
        /// The client's words.
        why: String,
    },
}

impl SourceError {
    /// Whether it may be over in a moment: nobody answers.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

pub(super) fn client_error(what: &'static str, error: &KafkaError) -> SourceError {
    SourceError::Client { what, why: error.to_string() }
}

/// Whether the coordinator refused, because somebody else leads.
pub(super) fn is_refusal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        AssignmentLost, FencedInstanceId, IllegalGeneration, RebalanceInProgress, UnknownMemberId,
    };
    let refused =
        [AssignmentLost, FencedInstanceId, IllegalGeneration, RebalanceInProgress, UnknownMemberId];
    error.rdkafka_error_code().is_some_and(|code| refused.contains(&code))
}

/// Whether reading on makes no sense.
pub(super) fn is_fatal(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        AutoOffsetReset, Fatal, OffsetOutOfRange, TopicAuthorizationFailed, UnknownPartition,
        UnknownTopic, UnknownTopicOrPartition,
    };
    let fatal = [
        AutoOffsetReset,
        Fatal,
        OffsetOutOfRange,
        TopicAuthorizationFailed,
        UnknownPartition,
        UnknownTopic,
        UnknownTopicOrPartition,
    ];
    error.rdkafka_error_code().is_some_and(|code| fatal.contains(&code))
}

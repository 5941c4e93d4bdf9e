//! Why a topic cannot be read, and which of the client's errors mean what.

use connect::kafka::{Client, Trouble};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Why a topic cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No topic is named.
    #[error("source.topics is empty: name at least one topic, or files with --source")]
    NoTopic,
    /// Nobody answers, or they do not let us in.
    #[error("{}", .trouble.line(.servers, .who))]
    Unreachable {
        /// The brokers.
        servers: String,
        /// Who we say we are.
        who: String,
        /// What is wrong.
        trouble: Trouble,
    },
    /// We may not read a topic.
    #[error("{who} may not read topic {topic}: allow it to DESCRIBE and READ the topic")]
    Forbidden {
        /// The topic.
        topic: String,
        /// Who we say we are.
        who: String,
    },
    /// A broker is elsewhere, and would be spoken to without encryption.
    #[error(
        "kafka.bootstrap_servers are on this machine, but send on to {broker}, which is not: use ssl or sasl_ssl, let the brokers advertise localhost, or set kafka.allow_plaintext = true"
    )]
    Elsewhere {
        /// The broker.
        broker: String,
    },
    /// A topic was removed while it was read.
    #[error(
        "a topic was removed while it was read ({why}): create it, or take it out of source.topics"
    )]
    Gone {
        /// What was being done, and the broker's words.
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
        /// The client's words, and what to do.
        why: String,
    },
}

impl SourceError {
    /// The brokers cannot be spoken to.
    pub(super) fn unreachable(client: &Client, trouble: Trouble) -> Self {
        let (servers, who) = (client.servers().to_owned(), client.who.clone());
        Self::Unreachable { servers, who, trouble }
    }

    /// Whether it may be over in a moment: nobody answers.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { trouble, .. } if !trouble.kind.is_lasting())
    }
}

pub(super) fn client_error(what: &'static str, error: &KafkaError) -> SourceError {
    let trouble = Trouble::from_error(error);
    if is_gone(error) {
        return SourceError::Gone { why: format!("{what}: {}", trouble.said) };
    }
    SourceError::Client { what, why: trouble.to_string() }
}

/// Whether a topic or a partition is not there.
pub(super) fn is_gone(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    let gone = [UnknownPartition, UnknownTopic, UnknownTopicOrPartition];
    error.rdkafka_error_code().is_some_and(|code| gone.contains(&code))
}

/// Whether waiting may help: nobody answers, or the one who answers is not the one to ask.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        AllBrokersDown, Authentication, BrokerTransportFailure, CoordinatorLoadInProgress,
        CoordinatorNotAvailable, LeaderNotAvailable, NetworkException, NotCoordinator,
        NotLeaderForPartition, OperationTimedOut, RequestTimedOut, Resolve, SSL, TimedOutQueue,
        WaitingForCoordinator,
    };
    let passing = [
        AllBrokersDown,
        // A refusal may pass too; how long it is waited for is the matter of `patience`.
        Authentication,
        SSL,
        BrokerTransportFailure,
        CoordinatorLoadInProgress,
        CoordinatorNotAvailable,
        LeaderNotAvailable,
        NetworkException,
        NotCoordinator,
        NotLeaderForPartition,
        OperationTimedOut,
        RequestTimedOut,
        Resolve,
        TimedOutQueue,
        WaitingForCoordinator,
    ];
    error.rdkafka_error_code().is_some_and(|code| passing.contains(&code))
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

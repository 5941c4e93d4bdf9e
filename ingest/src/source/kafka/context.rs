//! What the Kafka client's callbacks say, and the tokens that it asks for.

use super::Partition;
use super::standing::Said;
use connect::kafka::{Bearer, Trouble};
use rdkafka::Statistics;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::consumer::base_consumer::BaseConsumer;
use rdkafka::consumer::{Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::error::Error;
use std::sync::mpsc::SyncSender;

/// What a callback says.
#[derive(Debug)]
pub(super) enum Told {
    Assigned(Vec<Partition>),
    Revoked(Vec<Partition>),
    Trouble(Trouble),
    Stands(Said),
}

/// What the client's callbacks have.
pub(super) struct Context {
    tell: SyncSender<Told>,
    bearer: Bearer,
    /// It only holds its place in the group, and reads nothing.
    holds_only: bool,
}

impl Context {
    pub(super) const fn new(tell: SyncSender<Told>, bearer: Bearer, holds_only: bool) -> Self {
        Self { tell, bearer, holds_only }
    }

    fn say(&self, told: Told) {
        // Whoever no longer listens has stopped reading.
        self.tell.try_send(told).ok();
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn error(&self, error: KafkaError, reason: &str) {
        // The one before says why; and the member, which reads nothing, needs no offset to begin at.
        let is_no_offset = error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset);
        if !is_no_offset && !Trouble::is_summary(&error) {
            self.say(Told::Trouble(Trouble::of(&error, reason)));
        }
    }

    fn stats(&self, statistics: Statistics) {
        self.say(Told::Stands(Said::from(statistics)));
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.bearer.token()
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(list) = rebalance {
            self.say(Told::Revoked(partitions(list)));
        }
    }

    fn post_rebalance(&self, member: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(list) = rebalance {
            if self.holds_only
                && let Err(error) = member.pause(list)
            {
                self.say(Told::Trouble(Trouble::from_error(&error)));
            }
            self.say(Told::Assigned(partitions(list)));
        }
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<Partition> {
    let each = list.elements().into_iter();
    each.map(|it| Partition { topic: it.topic().to_owned(), number: it.partition() }).collect()
}

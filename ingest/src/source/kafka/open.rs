//! The first question to a cluster: are the topics there, and may we read them?

use super::context::{Context, Told};
use super::{Partition, SourceError};
use connect::kafka::{Client, Kind, Trouble};
use rdkafka::consumer::Consumer as _;
use rdkafka::consumer::base_consumer::BaseConsumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::topic_partition_list::TopicPartitionList;
use std::sync::mpsc::Receiver;
use std::time::Duration;

/// How often it is asked, and how long each time: 10 s in all.
const TRIES_MAX: u32 = 10;
const TRY_WAIT: Duration = Duration::from_secs(1);
/// After how many tries a refusal is one: another broker may let us in.
const REFUSED_TRIES_MAX: u32 = 3;
/// How long the callbacks are listened to between two tries.
const LISTEN: Duration = Duration::from_millis(20);
/// How long the coordinator may take to say that it lets us read.
const GROUP_WAIT: Duration = Duration::from_secs(3);

/// All partitions of the topics, sorted.
pub(super) fn partitions(
    member: &BaseConsumer<Context>,
    topics: &[String],
    client: &Client,
    told: &Receiver<Told>,
) -> Result<Vec<Partition>, SourceError> {
    let mut all = Vec::new();
    for topic in topics {
        let metadata = ask(member, topic, client, told)?;
        let missing = |why: String| SourceError::NoSuchTopic { topic: topic.clone(), why };
        let found = metadata.topics().iter().find(|it| it.name() == topic);
        let found = found.ok_or_else(|| missing("the broker does not know it".to_owned()))?;
        match found.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                let (topic, who) = (topic.clone(), client.who.clone());
                return Err(SourceError::Forbidden { topic, who });
            }
            Some(code) => return Err(missing(code.to_string())),
        }
        if client.is_local_only
            && let Some(broker) = metadata.brokers().iter().find(|it| !is_here(it.host()))
        {
            let broker = format!("{}:{}", broker.host(), broker.port());
            return Err(SourceError::Elsewhere { broker });
        }
        let each = found.partitions().iter();
        all.extend(each.map(|it| Partition { topic: topic.clone(), number: it.id() }));
    }
    all.sort();
    Ok(all)
}

fn is_here(host: &str) -> bool {
    connect::is_loopback(host)
}

/// What the brokers say of a topic. They are asked until one answers, or it is clear why none does.
fn ask(
    member: &BaseConsumer<Context>,
    topic: &str,
    client: &Client,
    told: &Receiver<Told>,
) -> Result<Metadata, SourceError> {
    let mut worst: Option<Trouble> = None;
    let mut last = None;
    for number in 1..=TRIES_MAX {
        // A token is asked for in a callback, and what is wrong is said in another.
        drop(member.poll(LISTEN));
        match member.fetch_metadata(Some(topic), TRY_WAIT) {
            Ok(metadata) if is_settled(&metadata) => return Ok(metadata),
            Ok(_) => {}
            Err(error) => last = last.or_else(|| Some(Trouble::from_error(&error))),
        }
        drop(member.poll(LISTEN));
        for told in told.try_iter() {
            let Told::Trouble(trouble) = told else { continue };
            if trouble.kind.is_lasting() {
                worst = Some(trouble);
            } else {
                last = Some(trouble);
            }
        }
        if worst.is_some() && number >= REFUSED_TRIES_MAX {
            break;
        }
    }
    let silent = || Trouble { kind: Kind::Away, said: "nothing came back".to_owned() };
    let trouble = worst.or(last).unwrap_or_else(silent).examined(client);
    Err(SourceError::unreachable(client, trouble))
}

/// Whether the brokers have made up their mind: a young topic has no leaders yet.
fn is_settled(metadata: &Metadata) -> bool {
    let errors = metadata.topics().iter().filter_map(MetadataTopic::error);
    let mut codes = errors.map(RDKafkaErrorCode::from);
    !codes.any(|code| code == RDKafkaErrorCode::LeaderNotAvailable)
}

/// Fails if the group is not ours to read in. A coordinator that is not there yet says so later.
pub(super) fn check_group(
    member: &BaseConsumer<Context>,
    partitions: &[Partition],
    client: &Client,
) -> Result<(), SourceError> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition(&partition.topic, partition.number);
    }
    let Err(error) = member.committed_offsets(list, GROUP_WAIT) else { return Ok(()) };
    let trouble = Trouble::from_error(&error);
    if is_forbidden(&error) {
        return Err(SourceError::unreachable(client, trouble));
    }
    Ok(())
}

fn is_forbidden(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed)
}

//! A producer for one topic: what it was given is with the brokers when it says so.

use crate::kafka::{Bearer, Client, Trouble};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How long the brokers may take to say what a topic has.
const METADATA_WAIT: Duration = Duration::from_secs(10);
/// How long the brokers may take for a record, retries included.
const DELIVERY_WAIT_MS: &str = "10000";
/// How long all that is on its way is waited for: longer than the brokers may take.
const FLUSH_WAIT: Duration = Duration::from_secs(15);
/// How long room in the queue is waited for, between two tries.
const ROOM_WAIT: Duration = Duration::from_millis(50);
/// Bytes of records that are on their way, in kilobytes.
const QUEUED_KBYTES_MAX: &str = "65536";

/// A record to be produced.
#[derive(Clone, Debug, Default)]
pub struct Record<'a> {
    /// The partition is chosen by its hash; without one they take turns.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: &'a [u8],
    /// There is no value: of a compacted topic the key is to go.
    pub is_tombstone: bool,
    /// Names and values beside it.
    pub headers: Vec<(&'static str, String)>,
}

/// Why records could not be produced.
#[derive(Debug, thiserror::Error)]
pub enum ProducerError {
    /// The settings are refused.
    #[error("Kafka: the producer for topic {topic}: {why}")]
    Settings {
        /// The topic.
        topic: String,
        /// The client's words.
        why: String,
    },
    /// Nobody answers.
    #[error("{}", .trouble.line(.servers, .who))]
    Unreachable {
        /// The brokers.
        servers: String,
        /// Who we say we are.
        who: String,
        /// What is wrong.
        trouble: Trouble,
    },
    /// The topic is not there.
    #[error("topic {topic} is not there: create it, or name another as {setting} ({why})")]
    NoSuchTopic {
        /// The topic.
        topic: String,
        /// The setting that names it.
        setting: &'static str,
        /// The broker's words.
        why: String,
    },
    /// Some records were not taken.
    #[error("topic {topic} did not take {count} records: {why}")]
    Undelivered {
        /// The topic.
        topic: String,
        /// How many are not there for certain.
        count: usize,
        /// The client's words.
        why: String,
    },
}

pub(crate) fn unreachable(client: &Client, error: &KafkaError) -> ProducerError {
    ProducerError::Unreachable {
        servers: client.servers().to_owned(),
        who: client.who.clone(),
        trouble: Trouble::from_error(error).examined(client),
    }
}

impl ProducerError {
    /// Whether trying again may help.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Undelivered { .. })
    }
}

/// Counts what the brokers did not take.
#[derive(Debug)]
struct Failed {
    count: AtomicUsize,
    bearer: Bearer,
}

impl ClientContext for Failed {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.bearer.token()
    }
}

impl ProducerContext for Failed {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.count.fetch_add(usize::from(result.is_err()), Ordering::Relaxed);
    }
}

/// A producer for one topic.
pub struct Producer {
    producer: BaseProducer<Failed>,
    topic: String,
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl Producer {
    /// Connects and sees that the topic is there; `setting` is what named it.
    ///
    /// # Errors
    ///
    /// No broker answers within 10 s, the topic is missing, or a setting is refused.
    pub fn open(
        client: &Client,
        topic: &str,
        setting: &'static str,
    ) -> Result<Self, ProducerError> {
        let topic = topic.to_owned();
        let refused = |error: KafkaError| ProducerError::Settings {
            topic: topic.clone(),
            why: error.to_string(),
        };
        let producer: BaseProducer<Failed> = client
            .config
            .clone()
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "5")
            .set("compression.type", "zstd")
            .set("message.timeout.ms", DELIVERY_WAIT_MS)
            .set("queue.buffering.max.kbytes", QUEUED_KBYTES_MAX)
            .create_with_context(Failed { count: AtomicUsize::new(0), bearer: client.bearer() })
            .map_err(refused)?;
        client.listen(|wait| producer.poll(wait));
        let metadata = producer
            .client()
            .fetch_metadata(Some(&topic), METADATA_WAIT)
            .map_err(|error| unreachable(client, &error))?;
        let found = metadata.topics().iter().find(|it| it.name() == topic);
        let why = match found.map(|it| it.error().map(RDKafkaErrorCode::from)) {
            Some(None) => None,
            Some(Some(code)) => Some(format!("{code:?}")),
            None => Some("the broker does not know it".to_owned()),
        };
        match why {
            None => Ok(Self { producer, topic }),
            Some(why) => Err(ProducerError::NoSuchTopic { topic, setting, why }),
        }
    }

    /// Produces records, and waits until the brokers have them all.
    ///
    /// # Errors
    ///
    /// Some of them are not there for certain; sending all of them again may write some twice.
    pub fn send<'a>(
        &self,
        records: impl IntoIterator<Item = Record<'a>>,
    ) -> Result<(), ProducerError> {
        let undelivered = |count, why: String| ProducerError::Undelivered {
            topic: self.topic.clone(),
            count,
            why,
        };
        self.producer.context().count.store(0, Ordering::Relaxed);
        for record in records {
            let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
            for (key, value) in &record.headers {
                headers = headers.insert(Header { key, value: Some(value.as_str()) });
            }
            let mut ready = BaseRecord::<[u8], [u8]>::to(&self.topic).headers(headers);
            ready.payload = (!record.is_tombstone).then_some(record.value);
            ready.key = record.key;
            while let Err((error, back)) = self.producer.send(ready) {
                if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                    return Err(undelivered(1, error.to_string()));
                }
                ready = back;
                self.producer.poll(ROOM_WAIT);
            }
        }
        let flushed = self.producer.flush(FLUSH_WAIT);
        let left = self.producer.in_flight_count().max(0) as usize;
        let count = self.producer.context().count.load(Ordering::Relaxed) + left;
        match flushed {
            Err(error) => Err(undelivered(count.max(1), error.to_string())),
            Ok(()) if count > 0 => Err(undelivered(count, "the brokers did not answer".to_owned())),
            Ok(()) => Ok(()),
        }
    }
}

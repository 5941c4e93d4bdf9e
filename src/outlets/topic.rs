//! Findings to a Kafka topic: an idempotent producer, and no commit before every record is acknowledged.

use super::ocsf::Event;
use super::{OutletError, Undelivered};
use connect::kafka::{Bearer, Client, Trouble};
use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// How long the brokers may take to say what the topic is.
const METADATA_WAIT: Duration = Duration::from_secs(10);
/// Records on their way to the brokers at once.
const FLYING_MAX: usize = 1_000;
/// How long news of them is waited for, and how often in a row nothing may come of it before the
/// caller hears of it.
const NEWS_WAIT: Duration = Duration::from_millis(100);
const SILENT_MAX: u32 = 30;
/// Complaints of the client that are kept until they are asked for.
const COMPLAINTS_MAX: usize = 64;

/// Which topic.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Its name; empty for none. It must exist.
    pub(crate) topic: String,
}

/// Why the topic did not take findings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TopicError {
    /// Nobody answers, or they do not let us in.
    #[error("outlets.topic: {}", .trouble.line(.servers, .who))]
    Unreachable {
        /// The brokers.
        servers: String,
        /// Who we say we are.
        who: String,
        /// What is wrong.
        trouble: Trouble,
    },
    /// The topic is not there, or we may not see it.
    #[error(
        "outlets.topic: {topic} is not there: create it, name another, or allow this user to describe it ({why})"
    )]
    NoSuchTopic {
        /// The topic.
        topic: String,
        /// The broker's words.
        why: String,
    },
    /// The brokers do not acknowledge, for now.
    #[error(
        "outlets.topic: {left} findings are not acknowledged by {topic} yet ({why}): they are kept and tried again; check the brokers"
    )]
    Waiting {
        /// The topic.
        topic: String,
        /// Findings that wait.
        left: usize,
        /// The client's last words.
        why: String,
    },
    /// We may not write.
    #[error(
        "outlets.topic: this user may not write to {topic} ({why}): allow it, or leave outlets.topic empty"
    )]
    Denied {
        /// The topic.
        topic: String,
        /// The broker's words.
        why: String,
    },
    /// Anything else that the client says.
    #[error("outlets.topic: {0}")]
    Client(#[from] KafkaError),
}

/// What became of a record, by its number.
type News = (usize, Option<KafkaError>);

struct Context {
    news: SyncSender<News>,
    complaints: SyncSender<Trouble>,
    bearer: Bearer,
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.bearer.token()
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // Whoever has heard that many needs no more.
        if !Trouble::is_summary(&error) {
            self.complaints.try_send(Trouble::of(&error, reason)).ok();
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let error = result.as_ref().err().map(|(error, _)| error.clone());
        // There is room for all that fly; a producer that was replaced is no longer listened to.
        self.news.try_send((number, error)).ok();
    }
}

/// The producer, with the ends of what it tells.
struct Line {
    producer: BaseProducer<Context>,
    news: Receiver<News>,
    complaints: Receiver<Trouble>,
}

/// The topic, and what it does not have yet.
pub(crate) struct Topic {
    name: String,
    client: Client,
    config: ClientConfig,
    line: Line,
    /// Not sent yet, in the order in which it was found.
    waiting: VecDeque<Event>,
    /// Sent and not acknowledged.
    flying: BTreeMap<usize, Event>,
    number: usize,
    /// The producer holds records that nobody waits for any more.
    is_stale: bool,
    sent: u64,
    refused: u64,
    undelivered: Undelivered,
}

impl std::fmt::Debug for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topic").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Topic {
    /// Connects, and sees that the topic is there.
    ///
    /// # Errors
    ///
    /// No broker answers within 10 s, the topic is missing, or a setting is refused.
    pub(crate) fn open(
        settings: &Settings,
        client: &Client,
        undelivered: Undelivered,
    ) -> Result<Self, TopicError> {
        let mut config = client.config.clone();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "zstd")
            .set("linger.ms", "5");
        let line = Line::open(&config, client)?;
        let name = settings.topic.clone();
        line.check(&name, client)?;
        Ok(Self {
            name,
            client: client.clone(),
            config,
            line,
            waiting: VecDeque::new(),
            flying: BTreeMap::new(),
            number: 0,
            is_stale: false,
            sent: 0,
            refused: 0,
            undelivered,
        })
    }

    pub(crate) fn take(&mut self, event: Event) {
        self.waiting.push_back(event);
    }

    /// Sends what waits; when it returns, the brokers have acknowledged all of it.
    ///
    /// # Errors
    ///
    /// [`TopicError::Waiting`] when nothing was acknowledged for 3 s: call it again.
    pub(crate) fn flush(&mut self) -> Result<(), OutletError> {
        if self.is_stale {
            self.begin_anew()?;
        }
        let mut silent = 0;
        while !self.waiting.is_empty() || !self.flying.is_empty() {
            self.send()?;
            self.line.producer.poll(NEWS_WAIT);
            let acknowledged = self.sent;
            let trouble = self.hear()?;
            silent = if self.sent > acknowledged { 0 } else { silent + 1 };
            if let Some((_, why)) = self.line.producer.client().fatal_error() {
                crate::note(&format!("outlets.topic: the producer is made anew: {why}"));
                self.begin_anew()?;
            }
            if silent >= SILENT_MAX {
                let said = self.line.complaints.try_iter().last().map(|it| it.said);
                let why = trouble.or(said).unwrap_or_else(|| "no answer".to_owned());
                let left = self.waiting.len() + self.flying.len();
                return Err(TopicError::Waiting { topic: self.name.clone(), left, why }.into());
            }
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), TopicError> {
        while self.flying.len() < FLYING_MAX
            && let Some(event) = self.waiting.pop_front()
        {
            let revision = event.revision.to_string();
            let headers = OwnedHeaders::new()
                .insert(Header { key: "content-type", value: Some("application/json") })
                .insert(Header { key: "finding-revision", value: Some(&revision) });
            let record = BaseRecord::with_opaque_to(&self.name, self.number)
                .key(&event.id)
                .payload(&event.body)
                .headers(headers);
            match self.line.producer.send(record).map_err(|(error, _)| error) {
                Ok(()) => {
                    self.flying.insert(self.number, event);
                    self.number += 1;
                }
                Err(error) => {
                    self.waiting.push_front(event);
                    let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                    // A fatal error is looked at by the caller.
                    let is_fatal = self.line.producer.client().fatal_error().is_some();
                    return if is_full || is_fatal { Ok(()) } else { Err(error.into()) };
                }
            }
        }
        Ok(())
    }

    /// Takes in what became of records; the last trouble, if there was any that will pass.
    fn hear(&mut self) -> Result<Option<String>, OutletError> {
        let (mut again, mut trouble) = (BTreeMap::new(), None);
        let mut denied = None;
        for (number, error) in self.line.news.try_iter() {
            let Some(event) = self.flying.remove(&number) else { continue };
            let Some(error) = error else {
                self.sent += 1;
                continue;
            };
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidRecord) => {
                    self.refused += 1;
                    self.undelivered.append("topic", &error.to_string(), &event.body)?;
                }
                Some(
                    RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed,
                ) => {
                    denied = Some(error.to_string());
                    again.insert(number, event);
                }
                _ => {
                    trouble = Some(error.to_string());
                    again.insert(number, event);
                }
            }
        }
        for event in again.into_values().rev() {
            self.waiting.push_front(event);
        }
        match denied {
            Some(why) => Err(TopicError::Denied { topic: self.name.clone(), why }.into()),
            None => Ok(trouble),
        }
    }

    /// A producer that cannot go on is replaced; what it had not brought there is sent again.
    fn begin_anew(&mut self) -> Result<(), TopicError> {
        self.line = Line::open(&self.config, &self.client)?;
        self.is_stale = false;
        for event in std::mem::take(&mut self.flying).into_values().rev() {
            self.waiting.push_front(event);
        }
        Ok(())
    }

    /// Forgets what is not acknowledged; some of it may arrive all the same.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
        self.is_stale |= !self.flying.is_empty();
        self.flying.clear();
    }

    /// Events that were acknowledged, and that were refused.
    pub(crate) const fn counts(&self) -> (u64, u64) {
        (self.sent, self.refused)
    }
}

impl Line {
    fn open(config: &ClientConfig, client: &Client) -> Result<Self, KafkaError> {
        let (tell_news, news) = sync_channel(2 * FLYING_MAX);
        let (tell_complaints, complaints) = sync_channel(COMPLAINTS_MAX);
        let bearer = client.bearer();
        let context = Context { news: tell_news, complaints: tell_complaints, bearer };
        let producer: BaseProducer<Context> = config.create_with_context(context)?;
        client.listen(|wait| producer.poll(wait));
        Ok(Self { producer, news, complaints })
    }

    fn check(&self, topic: &str, client: &Client) -> Result<(), TopicError> {
        let metadata = self.producer.client().fetch_metadata(Some(topic), METADATA_WAIT);
        let metadata = metadata.map_err(|error| {
            self.producer.poll(Duration::ZERO);
            let said = self.complaints.try_iter().last();
            TopicError::Unreachable {
                servers: client.servers().to_owned(),
                who: client.who.clone(),
                trouble: said.unwrap_or_else(|| Trouble::from_error(&error)).examined(client),
            }
        })?;
        let found = metadata.topics().iter().find(|it| it.name() == topic);
        let why = match found {
            Some(found) if found.error().is_none() && !found.partitions().is_empty() => {
                return Ok(());
            }
            Some(found) => found.error().map(RDKafkaErrorCode::from),
            None => None,
        };
        let why = why.unwrap_or(RDKafkaErrorCode::UnknownTopicOrPartition).to_string();
        Err(TopicError::NoSuchTopic { topic: topic.to_owned(), why })
    }
}

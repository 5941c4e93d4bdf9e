//! Where simulated lines go: a file, standard output, or a topic.

use crate::cli::Simulate;
use crate::commands::{Failure, Setting};
use connect::kafka::{Bearer, Trouble};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Stdout, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// zstd's level: lines come quickly.
const LEVEL: i32 = 1;
/// How long a broker may take to say what a topic has.
const METADATA_WAIT: Duration = Duration::from_secs(10);
/// How long a broker may take to have a record, in milliseconds.
const DELIVERY_MS_MAX: &str = "60000";
/// Records that wait for a broker, in kilobytes.
const QUEUED_KBYTES_MAX: &str = "65536";
/// How long is waited for room among them.
const QUEUE_NAP: Duration = Duration::from_millis(10);
/// How long everything may take to arrive at the end.
const FLUSH_WAIT: Duration = Duration::from_secs(65);

/// Where lines go.
pub(super) enum Destination {
    Plain(BufWriter<File>, PathBuf),
    Packed(Box<zstd::Encoder<'static, BufWriter<File>>>, PathBuf),
    Stdout(BufWriter<Stdout>),
    Topic(Box<Topic>),
}

/// A topic, whose partitions take turns, as gateways have it that do not key their records.
pub(super) struct Topic {
    producer: ThreadedProducer<Deliveries>,
    name: String,
    partitions: i32,
    next: i32,
}

/// What became of records.
struct Deliveries {
    lost: AtomicU64,
    why: OnceLock<String>,
    bearer: Bearer,
}

impl ClientContext for Deliveries {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.bearer.token()
    }

    // What matters comes with the deliveries.
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, _: KafkaError, _: &str) {}
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.lost.fetch_add(1, Ordering::Relaxed);
            self.why.get_or_init(|| error.to_string());
        }
    }
}

impl Destination {
    /// Opens what the command line names.
    pub(super) fn open(setting: &Setting, args: &Simulate) -> Result<Self, Failure> {
        if let Some(topic) = &args.topic {
            return Ok(Self::Topic(Box::new(Topic::open(setting, topic)?)));
        }
        let Some(path) = args.out.as_deref().filter(|path| *path != Path::new("-")) else {
            return Ok(Self::Stdout(BufWriter::new(std::io::stdout())));
        };
        let extension = path.extension().and_then(std::ffi::OsStr::to_str);
        if extension == Some("gz") {
            return Err(format!("{}: gzip is not written: name it .zst", path.display()).into());
        }
        let file = BufWriter::new(File::create(path).map_err(|error| cannot(path, &error))?);
        if extension == Some("zst") {
            let packed = zstd::Encoder::new(file, LEVEL).map_err(|error| cannot(path, &error))?;
            return Ok(Self::Packed(Box::new(packed), path.to_owned()));
        }
        Ok(Self::Plain(file, path.to_owned()))
    }

    /// What it is called.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Plain(_, path) | Self::Packed(_, path) => path.display().to_string(),
            Self::Stdout(_) => "standard output".to_owned(),
            Self::Topic(topic) => format!("topic {}", topic.name),
        }
    }

    /// Writes a line, which ends in a newline.
    pub(super) fn put(&mut self, line: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Plain(out, path) => out.write_all(line).map_err(|error| cannot(path, &error)),
            Self::Packed(out, path) => out.write_all(line).map_err(|error| cannot(path, &error)),
            // As it is: whoever reads may have seen enough, which is no failure.
            Self::Stdout(out) => Ok(out.write_all(line)?),
            Self::Topic(topic) => topic.put(line.strip_suffix(b"\n").unwrap_or(line)),
        }
    }

    /// Lets everybody see what was written so far.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        match self {
            Self::Plain(out, path) => out.flush().map_err(|error| cannot(path, &error)),
            Self::Packed(out, path) => out.flush().map_err(|error| cannot(path, &error)),
            Self::Stdout(out) => Ok(out.flush()?),
            // It sends by itself.
            Self::Topic(topic) => topic.complain(),
        }
    }

    /// Ends it, with everything where it belongs.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Packed(out, path) => {
                out.finish().and_then(|mut out| out.flush()).map_err(|error| cannot(&path, &error))
            }
            Self::Topic(topic) => topic.finish(),
            mut other => other.flush(),
        }
    }
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    format!("cannot write {}: {error}; name another file with --out", path.display()).into()
}

impl Topic {
    fn open(setting: &Setting, name: &str) -> Result<Self, Failure> {
        let kafka = setting.config.kafka.client()?;
        let mut client = kafka.config.clone();
        // Every record is on all replicas in sync, once and in order, or the command fails.
        client
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "20")
            .set("message.timeout.ms", DELIVERY_MS_MAX)
            .set("queue.buffering.max.kbytes", QUEUED_KBYTES_MAX);
        let (lost, why) = (AtomicU64::new(0), OnceLock::new());
        let deliveries = Deliveries { lost, why, bearer: kafka.bearer() };
        let producer: ThreadedProducer<Deliveries> = client
            .create_with_context(deliveries)
            .map_err(|error| format!("Kafka: the settings in [kafka] are refused: {error}"))?;
        let metadata = producer
            .client()
            .fetch_metadata(Some(name), METADATA_WAIT)
            .map_err(|error| Trouble::from_error(&error).examined(&kafka))
            .map_err(|trouble| trouble.line(kafka.servers(), &kafka.who))?;
        let topic = metadata.topics().first();
        let partitions = topic.map_or(0, |topic| topic.partitions().len());
        if let Some(error) = topic.and_then(rdkafka::metadata::MetadataTopic::error) {
            let why = RDKafkaErrorCode::from(error);
            return Err(
                format!("topic {name} is not there: create it, or name another ({why})").into()
            );
        }
        let partitions = i32::try_from(partitions).unwrap_or(i32::MAX);
        if partitions == 0 {
            return Err(format!("topic {name} has no partitions: create it anew").into());
        }
        Ok(Self { producer, name: name.to_owned(), partitions, next: 0 })
    }

    fn put(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.name).payload(payload);
        record.partition = Some(self.next);
        self.next = (self.next + 1) % self.partitions;
        loop {
            self.complain()?;
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((error, back)) => {
                    if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                        return Err(format!("topic {} takes no more: {error}", self.name).into());
                    }
                    record = back;
                    std::thread::sleep(QUEUE_NAP);
                }
            }
        }
    }

    /// Fails if a record was lost.
    fn complain(&self) -> Result<(), Failure> {
        let deliveries = self.producer.context();
        match deliveries.lost.load(Ordering::Relaxed) {
            0 => Ok(()),
            lost => Err(format!(
                "{lost} records did not reach topic {}: {}; check that its brokers are there and \
                 that this user may write it",
                self.name,
                deliveries.why.get().map_or("no reason was given", String::as_str),
            )
            .into()),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        let flushed = self.producer.flush(FLUSH_WAIT);
        self.complain()?;
        flushed.map_err(|error| format!("topic {} has not got all: {error}", self.name).into())
    }
}

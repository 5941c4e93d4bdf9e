//! Apache Kafka of Maven Central: one broker, which is its own controller, on the loopback.

use super::install;
use super::watchdog::Watched;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _, OwnedMessage};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// The newest release whose artefacts were all to be had.
pub(super) const VERSION: &str = "4.3.1";
/// Starts that may fail, because somebody else took the ports.
pub(super) const STARTS_MAX: usize = 3;
/// Looks at a starting broker, and the time between two.
const LOOKS_MAX: usize = 1200;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a request for metadata may take, and any other.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(30);
/// Small and quick to start; the tests send little.
pub(super) const JAVA: [&str; 3] = ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
/// Makes the log of the controller, then becomes the broker; without the property a broker that
/// cannot start says nothing.
const SCRIPT: &str = r#"
class_path=$1; properties=$2; more=$3; shift 3
java "$@" -cp "$class_path" kafka.tools.StorageTool format $more \
    --standalone -t habitusTestsCluster000 -c "$properties" &&
exec java "$@" -cp "$class_path" -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
    kafka.Kafka "$properties"
"#;

/// A broker that answers.
#[derive(Debug)]
pub(crate) struct Kafka {
    /// `host:port`, for `bootstrap.servers`.
    pub(crate) bootstrap: String,
    /// Its release, or that it is somebody else's.
    pub(crate) version: String,
    /// Where it keeps its records; nothing where it is somebody else's.
    pub(crate) data: Option<PathBuf>,
    /// Held so that it runs as long as the tests.
    process: Option<Watched>,
}

/// A record to be produced.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Record<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) payload: &'a [u8],
    /// By the key's hash where it is nothing.
    pub(crate) partition: Option<i32>,
    /// In ms since 1970; the producer's clock where it is nothing.
    pub(crate) timestamp_ms: Option<i64>,
}

/// What a group has committed for a partition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Committed {
    pub(crate) partition: i32,
    /// The next offset to read; nothing where none was committed.
    pub(crate) offset: Option<i64>,
    pub(crate) metadata: String,
}

impl Kafka {
    /// Uses a broker that somebody else has started.
    pub(super) fn connect(bootstrap: String) -> Result<Self, String> {
        if !answers(&bootstrap) {
            return Err(format!(
                "nothing answers at {bootstrap}: start it, or unset KAFKA_BOOTSTRAP_SERVERS"
            ));
        }
        Ok(Self { bootstrap, version: "as given".to_owned(), data: None, process: None })
    }

    /// Installs it where it is missing, and starts it.
    pub(super) fn start() -> Result<Self, String> {
        let mut failed = String::new();
        for _ in 0..STARTS_MAX {
            // Both are taken at once, so that they differ.
            let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
            let [broker, controller] = listeners.map(|it| it.local_addr().unwrap().to_string());
            let properties = configuration(&broker, &controller);
            match Self::start_as(directory()?, &broker, &properties, "") {
                Ok(kafka) => return Ok(kafka),
                Err(reason) => failed = reason,
            }
        }
        Err(failed)
    }

    /// The folder of its jars, installed where it is missing, and its release.
    pub(crate) fn libraries() -> Result<(PathBuf, &'static str), String> {
        let home = install::installed(&format!("kafka-{VERSION}"), fill)?;
        Ok((home.join("libs"), VERSION))
    }

    /// Starts it in a directory, which goes with it, with these properties, to which the place of
    /// its data is added, and with more words for the making of its log. `broker` is a listener
    /// that wants nothing of clients.
    pub(super) fn start_as(
        dir: TempDir,
        broker: &str,
        properties: &str,
        more: &str,
    ) -> Result<Self, String> {
        let class_path = format!("{}/*", Self::libraries()?.0.display());
        let text = format!("{properties}log.dirs={}/data\n", dir.path().display());
        let properties = dir.path().join("server.properties");
        std::fs::write(&properties, text).map_err(|err| err.to_string())?;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "kafka", &class_path]).arg(&properties).arg(more).args(JAVA);
        // From here on the watchdog removes the directory.
        let dir = dir.keep();
        let process = Watched::start(&dir, &mut command)?;
        for _ in 0..LOOKS_MAX {
            if TcpStream::connect(broker).is_ok() && answers(broker) {
                let (bootstrap, version) = (broker.to_owned(), VERSION.to_owned());
                let data = Some(dir.join("data"));
                return Ok(Self { bootstrap, version, data, process: Some(process) });
            }
            if process.has_ended() {
                break;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err(format!(
            "the broker at {broker} does not answer; it needs Java 17 (apt-get install \
             openjdk-17-jre-headless) and 512 MiB, and says\n{}",
            process.log()
        ))
    }

    /// A client's configuration, to which the test adds what it needs.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// Creates a topic with settings of its own.
    #[track_caller]
    pub(crate) fn create_topic(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        topic.config = configs.to_vec();
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let created = alone(admin.create_topics([&topic], &options));
        assert_eq!(created.unwrap(), [Ok(name.to_owned())]);
        // The controller answers before the broker knows who leads the partitions.
        for _ in 0..LOOKS_MAX {
            let metadata = admin.inner().fetch_metadata(Some(name), PATIENCE).unwrap();
            let all = metadata.topics().iter().flat_map(MetadataTopic::partitions);
            if all.filter(|it| it.leader() >= 0).count() == partitions as usize {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("{name} has partitions without a leader");
    }

    /// Gives a topic more partitions, so many altogether.
    #[track_caller]
    pub(crate) fn grow_topic(&self, name: &str, partitions: usize) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let wanted = NewPartitions::new(name, partitions);
        let grown = alone(admin.create_partitions([&wanted], &options));
        assert_eq!(grown.unwrap(), [Ok(name.to_owned())]);
        for _ in 0..LOOKS_MAX {
            let metadata = admin.inner().fetch_metadata(Some(name), PATIENCE).unwrap();
            let all = metadata.topics().iter().flat_map(MetadataTopic::partitions);
            if all.filter(|it| it.leader() >= 0).count() == partitions {
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
        panic!("{name} does not grow");
    }

    /// Removes the records of a partition before `offset`; all of them where that is -1.
    #[track_caller]
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, offset: i64) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let offset = if offset < 0 { Offset::End } else { Offset::Offset(offset) };
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, offset).unwrap();
        let deleted = alone(admin.delete_records(&list, &options)).unwrap();
        deleted.elements()[0].error().unwrap();
    }

    /// Lets it stand still, as a machine that hangs, or go on. Only for a broker of the test's own.
    #[track_caller]
    pub(crate) fn freeze(&self, is_frozen: bool) {
        self.process.as_ref().unwrap().signal(if is_frozen { "STOP" } else { "CONT" });
    }

    /// Removes a topic.
    #[track_caller]
    pub(crate) fn delete_topic(&self, name: &str) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        assert_eq!(alone(admin.delete_topics(&[name], &options)).unwrap(), [Ok(name.to_owned())]);
    }

    /// Produces records; returns once the broker has them all.
    #[track_caller]
    pub(crate) fn produce<'a>(&self, topic: &str, records: impl IntoIterator<Item = Record<'a>>) {
        let mut config = self.client();
        config.set("enable.idempotence", "true").set("linger.ms", "5");
        let producer: BaseProducer<Lost> = config.create_with_context(Lost::default()).unwrap();
        for record in records {
            let mut ready = BaseRecord::<[u8], [u8]>::to(topic).payload(record.payload);
            ready.key = record.key;
            ready.partition = record.partition;
            ready.timestamp = record.timestamp_ms;
            while let Err((err, back)) = producer.send(ready) {
                assert_eq!(err.rdkafka_error_code(), Some(RDKafkaErrorCode::QueueFull));
                ready = back;
                producer.poll(LOOK_EVERY);
            }
        }
        producer.flush(PATIENCE).unwrap();
        assert_eq!(producer.context().0.load(Ordering::Relaxed), 0, "records were not delivered");
    }

    /// What a group has committed, for each partition of a topic.
    #[track_caller]
    pub(crate) fn committed(&self, group: &str, topic: &str) -> Vec<Committed> {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().unwrap();
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_range(topic, 0, self.partitions(&consumer, topic) - 1);
        let mut tries = 0;
        // A young broker may still be looking for the group's coordinator.
        let committed = loop {
            match consumer.committed_offsets(wanted.clone(), PATIENCE) {
                Ok(committed) => break committed,
                Err(error) => assert!(tries < 100, "{error}"),
            }
            tries += 1;
            std::thread::sleep(LOOK_EVERY);
        };
        let of = |it: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| Committed {
            partition: it.partition(),
            offset: if let Offset::Offset(offset) = it.offset() { Some(offset) } else { None },
            metadata: it.metadata().to_owned(),
        };
        committed.elements().iter().map(of).collect()
    }

    /// The offsets after the last record of a topic's partitions, summed.
    #[track_caller]
    pub(crate) fn ends(&self, topic: &str) -> i64 {
        self.ends_of(topic, "read_uncommitted")
    }

    /// Whether a transaction of this topic is open.
    #[track_caller]
    pub(crate) fn is_open(&self, topic: &str) -> bool {
        self.ends_of(topic, "read_committed") < self.ends(topic)
    }

    #[track_caller]
    fn ends_of(&self, topic: &str, isolation: &str) -> i64 {
        let consumer: BaseConsumer =
            self.client().set("isolation.level", isolation).create().unwrap();
        let end = |it| consumer.fetch_watermarks(topic, it, PATIENCE).unwrap().1;
        (0..self.partitions(&consumer, topic)).map(end).sum()
    }

    /// The values of all committed records of a topic.
    #[track_caller]
    pub(crate) fn values(&self, topic: &str) -> Vec<Vec<u8>> {
        let value = |it: &OwnedMessage| it.payload().unwrap_or_default().to_vec();
        self.read_all(topic).iter().map(value).collect()
    }

    /// Every committed record of a topic, ordered within its partition.
    #[track_caller]
    pub(crate) fn read_all(&self, topic: &str) -> Vec<OwnedMessage> {
        let mut config = self.client();
        config.set("group.id", "reads-all").set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().unwrap();
        let partitions = self.partitions(&consumer, topic);
        let mut wanted = TopicPartitionList::new();
        for partition in 0..partitions {
            wanted.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&wanted).unwrap();
        let (mut records, mut ended) = (Vec::new(), BTreeSet::new());
        while ended.len() < partitions as usize {
            match consumer.poll(PATIENCE) {
                Some(Ok(record)) => records.push(record.detach()),
                // The end of a transaction makes a partition end twice.
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    ended.insert(partition);
                }
                Some(Err(err)) => panic!("{topic}: {err}"),
                None => panic!("{topic}: neither a record nor the end came"),
            }
        }
        records
    }

    #[track_caller]
    fn partitions(&self, consumer: &BaseConsumer, topic: &str) -> i32 {
        let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).unwrap();
        let count = metadata.topics()[0].partitions().len();
        assert!(count > 0, "{} has no topic {topic}", self.bootstrap);
        i32::try_from(count).unwrap()
    }
}

/// Waits on a thread of its own, because the test may be in a runtime already.
fn alone<T: Send>(future: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let wait = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(future)
        };
        scope.spawn(wait).join().unwrap()
    })
}

/// Whether a broker answers there within some seconds.
fn answers(bootstrap: &str) -> bool {
    let client: Result<BaseConsumer, _> =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create();
    let metadata = client.and_then(|client| client.fetch_metadata(None, ANSWERS_WITHIN));
    metadata.is_ok_and(|metadata| !metadata.brokers().is_empty())
}

/// Counts the records that could not be delivered.
#[derive(Default)]
struct Lost(AtomicUsize);

impl ClientContext for Lost {}

impl ProducerContext for Lost {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.0.fetch_add(usize::from(result.is_err()), Ordering::Relaxed);
    }
}

/// A new directory for a broker.
pub(super) fn directory() -> Result<TempDir, String> {
    let dir = tempfile::Builder::new().prefix("habitus-kafka-").tempdir();
    dir.map_err(|err| format!("no temporary directory: {err}"))
}

/// Fetches the broker's jars into `libs`.
pub(super) fn fill(home: &Path) -> Result<(), String> {
    let pom = home.join("pom.xml");
    std::fs::write(&pom, project()).map_err(|err| err.to_string())?;
    install::run(&[
        "mvn",
        "--batch-mode",
        "--quiet",
        "-f",
        pom.to_str().unwrap(),
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        &format!("-DoutputDirectory={}/libs", home.display()),
    ])
}

/// A Maven project that is nothing but what the broker needs.
fn project() -> String {
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>habitus</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <packaging>pom</packaging>
  <build><plugins><plugin>
    <groupId>org.apache.maven.plugins</groupId>
    <artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>
  </plugin></plugins></build>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"#
    )
}

/// One node that is broker and controller, with one listener.
fn configuration(broker: &str, controller: &str) -> String {
    format!(
        "{}listeners=PLAINTEXT://{broker},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{broker}
",
        common(controller)
    )
}

/// What all brokers have in common: records live as long as they do, whatever their time.
pub(super) fn common(controller: &str) -> String {
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={controller}
controller.listener.names=CONTROLLER
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=4194304
log.message.timestamp.after.max.ms=9223372036854775807
log.retention.ms=-1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
"
    )
}

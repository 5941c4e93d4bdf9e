//! The services themselves: what the other tests, and the product, take for granted of them.

use super::{ClickHouse, Fault, Kafka, Record, kafka, unique};
use clickhouse::{Client, Row};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long the broker may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A new topic of two partitions.
fn topic(kafka: &Kafka, name: &str) -> String {
    let name = unique(name);
    kafka.create_topic(&name, 2, &[("cleanup.policy", "delete")]);
    name
}

/// One offset with its metadata.
fn position(topic: &str, partition: i32, offset: i64, metadata: &str) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(topic, partition);
    element.set_offset(Offset::Offset(offset)).unwrap();
    element.set_metadata(metadata);
    list
}

/// A member of `group` that has been given all partitions of `topic`.
fn member(kafka: &Kafka, group: &str, topic: &str) -> BaseConsumer {
    let mut config = kafka.client();
    config.set("group.id", group).set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    while consumer.assignment().unwrap().count() == 0 {
        if let Some(Err(err)) = consumer.poll(Duration::from_millis(100)) {
            panic!("{err}");
        }
    }
    consumer
}

#[test]
fn kafka_keeps_what_is_produced() {
    let Some(kafka) = kafka("kafka_keeps_what_is_produced") else { return };
    let topic = topic(kafka, "round_trip");
    let payloads: Vec<_> = (0..100).map(|n| format!("record {n}")).collect();
    kafka.produce(
        &topic,
        payloads.iter().zip(0..).map(|(payload, n)| Record {
            key: Some(b"one"),
            payload: payload.as_bytes(),
            partition: Some((n % 2) as i32),
            timestamp_ms: Some(1_000 + n),
        }),
    );
    let mut read: Vec<_> = kafka
        .read_all(&topic)
        .iter()
        .map(|it| {
            (it.timestamp().to_millis().unwrap(), it.partition(), it.payload().map(<[u8]>::to_vec))
        })
        .collect();
    read.sort();
    let wanted: Vec<_> = payloads
        .iter()
        .zip(0..)
        .map(|(payload, n)| (1_000 + n, (n % 2) as i32, Some(payload.as_bytes().to_vec())))
        .collect();
    assert_eq!(read, wanted);
}

#[test]
fn kafka_shows_a_transaction_when_it_is_committed() {
    let Some(kafka) = kafka("kafka_shows_a_transaction_when_it_is_committed") else { return };
    let topic = topic(kafka, "transaction");
    let producer: BaseProducer =
        kafka.client().set("transactional.id", unique("tx")).create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    for (payload, is_committed) in [("kept", true), ("dropped", false), ("kept too", true)] {
        producer.begin_transaction().unwrap();
        let record = BaseRecord::<str, str>::to(&topic).payload(payload).partition(0);
        producer.send(record).map_err(|(err, _)| err).unwrap();
        producer.flush(PATIENCE).unwrap();
        if is_committed {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
    let read: Vec<_> =
        kafka.read_all(&topic).iter().map(|it| it.payload().unwrap().to_vec()).collect();
    assert_eq!(read, [b"kept".to_vec(), b"kept too".to_vec()]);
}

#[test]
fn kafka_gives_back_what_was_committed_with_its_metadata() {
    let Some(kafka) = kafka("kafka_gives_back_what_was_committed_with_its_metadata") else {
        return;
    };
    let (topic, group) = (topic(kafka, "commit"), unique("group"));
    kafka.produce(&topic, [Record { payload: b"x", partition: Some(1), ..Record::default() }]);
    let consumer = member(kafka, &group, &topic);
    consumer.commit(&position(&topic, 1, 1, "v1|key|hash|7"), CommitMode::Sync).unwrap();
    let committed: Vec<_> = kafka
        .committed(&group, &topic)
        .into_iter()
        .map(|it| (it.partition, it.offset, it.metadata))
        .collect();
    assert_eq!(committed, [(0, None, String::new()), (1, Some(1), "v1|key|hash|7".to_owned())]);
}

#[test]
fn kafka_refuses_the_commit_of_one_who_is_no_member() {
    let Some(kafka) = kafka("kafka_refuses_the_commit_of_one_who_is_no_member") else { return };
    let (topic, group) = (topic(kafka, "fence"), unique("group"));
    let consumer = member(kafka, &group, &topic);
    consumer.commit(&position(&topic, 0, 5, "of the member"), CommitMode::Sync).unwrap();
    let stranger: BaseConsumer = kafka.client().set("group.id", &group).create().unwrap();
    let refused = stranger.commit(&position(&topic, 0, 9, "of a stranger"), CommitMode::Sync);
    let wanted = KafkaError::ConsumerCommit(RDKafkaErrorCode::UnknownMemberId);
    assert_eq!(refused, Err(wanted));
    assert_eq!(kafka.committed(&group, &topic)[0].metadata, "of the member");
}

/// A row of the tests' table.
#[derive(Debug, Deserialize, Eq, PartialEq, Row, Serialize)]
struct Line {
    id: u64,
    text: String,
}

/// The client that the product uses too, in a new database with the table `lines`.
fn client(server: &ClickHouse) -> Client {
    let database = server.database("lines");
    server.query(&format!(
        "CREATE TABLE {database}.lines (id UInt64, text String) ENGINE = MergeTree ORDER BY id
         SETTINGS non_replicated_deduplication_window = 100"
    ));
    Client::default()
        .with_url(&server.url)
        .with_database(database)
        .with_setting("async_insert", "0")
}

/// Inserts lines under a token.
async fn insert(
    client: &Client,
    token: &str,
    lines: &[Line],
) -> Result<(), clickhouse::error::Error> {
    let client = client.clone().with_setting("insert_deduplication_token", token);
    let mut insert = client.insert::<Line>("lines").await?;
    for line in lines {
        insert.write(line).await?;
    }
    insert.end().await
}

/// All lines, in order.
async fn lines(client: &Client) -> Vec<Line> {
    client.query("SELECT ?fields FROM lines ORDER BY id").fetch_all().await.unwrap()
}

#[tokio::test]
async fn clickhouse_keeps_what_is_inserted_and_drops_a_second_insert_of_the_same_token() {
    let name = "clickhouse_keeps_what_is_inserted_and_drops_a_second_insert_of_the_same_token";
    let Some(server) = super::clickhouse(name) else { return };
    let client = client(server);
    let rows =
        [Line { id: 1, text: "'\\\n\u{1f600}".to_owned() }, Line { id: 2, text: String::new() }];
    insert(&client, "once", &rows).await.unwrap();
    insert(&client, "once", &rows).await.unwrap();
    assert_eq!(lines(&client).await, rows);
    let more = [Line { id: 3, text: "x".repeat(1 << 20) }];
    insert(&client, "another", &more).await.unwrap();
    let query =
        client.query("SELECT length(text) FROM lines WHERE id = {id:UInt64}").param("id", 3);
    assert_eq!(query.fetch_one::<u64>().await.unwrap(), 1 << 20);
}

#[tokio::test]
async fn clickhouse_says_the_code_of_an_exception() {
    let Some(server) = super::clickhouse("clickhouse_says_the_code_of_an_exception") else {
        return;
    };
    let client = client(server);
    let check = async |sql: &str, code: &str| {
        let refused = client.query(sql).execute().await.unwrap_err().to_string();
        assert!(refused.contains(code), "{sql}: {refused}");
    };
    check("SELECT * FROM absent", "Code: 60.").await;
    check("SELECT 1; SELECT 2", "Code: 62.").await;
    check("SELECT 1 SETTINGS no_such_setting = 1", "Code: 115.").await;
    assert!(server.try_query("SELECT * FROM absent").unwrap_err().starts_with("Code: 60."));
}

#[tokio::test]
async fn clickhouse_fails_as_ordered_and_a_token_makes_the_retry_safe() {
    let name = "clickhouse_fails_as_ordered_and_a_token_makes_the_retry_safe";
    let Some(mut server) = ClickHouse::start_own(name) else { return };
    let client = client(&server);
    let faults = [
        (Fault::Delay(Duration::from_millis(20)), true, ""),
        (Fault::Status500(0), false, "asked for by the test"),
        (Fault::Status500(252), false, "Code: 252."),
        (Fault::CommitThenClose, false, "network"),
        (Fault::Refuse, false, "network"),
    ];
    for (id, (fault, is_good, said)) in (0..).zip(faults) {
        let rows = [Line { id, text: format!("{fault:?}") }];
        server.fault(1, fault, "INSERT INTO");
        let inserted = insert(&client, &format!("token {id}"), &rows).await;
        assert_eq!(server.faults(), 1, "{fault:?}");
        assert_eq!(inserted.is_ok(), is_good, "{fault:?}: {inserted:?}");
        if let Err(err) = inserted {
            assert!(err.to_string().contains(said), "{fault:?}: {err}");
        }
        insert(&client, &format!("token {id}"), &rows).await.unwrap();
    }
    let read = lines(&client).await;
    assert_eq!(read.iter().map(|line| line.id).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn clickhouse_lets_go_whoever_hangs() {
    let Some(mut server) = ClickHouse::start_own("clickhouse_lets_go_whoever_hangs") else {
        return;
    };
    let client = client(&server);
    server.fault(1, Fault::Hang, "INSERT INTO");
    let rows = [Line { id: 1, text: String::new() }];
    let mut hanging = std::pin::pin!(insert(&client, "token", &rows));
    while server.faults() == 0 {
        let waited = tokio::time::timeout(Duration::from_millis(20), &mut hanging).await;
        assert!(waited.is_err(), "{waited:?}");
    }
    server.fault(0, Fault::Hang, "");
    assert!(hanging.await.is_err());
    assert_eq!(lines(&client).await, []);
}

#[tokio::test]
async fn clickhouse_has_its_data_again_after_it_was_killed() {
    let name = "clickhouse_has_its_data_again_after_it_was_killed";
    let Some(mut server) = ClickHouse::start_own(name) else { return };
    let client = client(&server);
    let rows = [Line { id: 1, text: "kept".to_owned() }];
    insert(&client, "token", &rows).await.unwrap();
    server.kill();
    insert(&client, "token", &rows).await.unwrap_err();
    server.restart();
    insert(&client, "token", &rows).await.unwrap();
    assert_eq!(lines(&client).await, rows, "the tokens are kept too");
}

#[test]
fn the_report_names_the_services_and_who_used_them() {
    let name = "the_report_names_the_services_and_who_used_them";
    let is_there = super::clickhouse(name).is_some();
    let text = std::fs::read_to_string(super::report::path()).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let section = if is_there { "services" } else { "skipped" };
    let mine = report[section].as_array().unwrap().iter().find(|it| {
        it["tests"].as_array().is_some_and(|tests| tests.iter().any(|test| test == name))
    });
    let key = if is_there { "version" } else { "reason" };
    assert!(mine.unwrap()[key].as_str().is_some_and(|it| !it.is_empty()), "{report:#}");
}

//! Findings on their other ways out: a topic of the real broker, a webhook, and OCSF's own schemas.

use crate::habitus::{Place, is_full, root};
use crate::live::{log, topic};
use crate::service::{Service, wait_until_read};
use crate::services::{self, Kafka, Record};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Headers as _, Message as _};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// How long a test waits for what it wants to see.
const PATIENCE: Duration = Duration::from_mins(2);

/// An id and a revision.
type Said = (String, u64);

/// A service that reads `topic` and has the outlets that `more` says.
fn configure(place: &Place, kafka: &Kafka, topic: &str, more: &str) {
    let text = format!(
        "[source]\ntopics = [\"{topic}\"]\ngroup_id = \"{topic}\"\nsession_timeout_ms = 6000\n\
         [kafka]\nbootstrap_servers = [\"{}\"]\n[run]\nepoch_seconds = 1\nepoch_events = 2000\n{more}",
        kafka.bootstrap,
    );
    place.write("habitus.toml", text);
}

/// Every revision in the store.
fn stored(place: &Place) -> BTreeSet<Said> {
    let sql = "SELECT finding_id, revision FROM findings";
    rows(&place.query("store", sql))
}

fn rows(csv: &str) -> BTreeSet<Said> {
    let of = |line: &str| {
        let (id, revision) = line.split_once(',').unwrap();
        (id.to_owned(), revision.parse().unwrap())
    };
    csv.lines().skip(1).map(of).collect()
}

/// What a topic holds, each payload once; fails where one revision has two.
#[track_caller]
fn told(kafka: &Kafka, topic: &str) -> BTreeMap<Said, Value> {
    let mut told = BTreeMap::new();
    for record in kafka.read_all(topic) {
        let event: Value = serde_json::from_slice(record.payload().unwrap()).unwrap();
        let id = String::from_utf8(record.key().unwrap().to_vec()).unwrap();
        let headers = record.headers().unwrap();
        let header = |name: &str| {
            let found = headers.iter().find(|it| it.key == name).unwrap();
            String::from_utf8(found.value.unwrap().to_vec()).unwrap()
        };
        assert_eq!(header("content-type"), "application/json");
        let revision = header("finding-revision").parse().unwrap();
        assert_eq!(event["finding_info"]["uid"], id);
        assert_eq!(event["unmapped"]["revision"], revision);
        let before = told.insert((id, revision), event.clone());
        assert!(before.is_none_or(|before| before == event), "two payloads: {event}");
    }
    told
}

/// A finding is created once and updated after that.
#[track_caller]
fn check_activities(told: &BTreeMap<Said, Value>) {
    let mut ids = BTreeSet::new();
    let mut updates = 0;
    for ((id, _), event) in told {
        let is_first = ids.insert(id.clone());
        assert_eq!(event["activity_id"], if is_first { 1 } else { 2 }, "{event}");
        updates += u32::from(!is_first);
    }
    assert!(updates > 0, "no finding was revised");
}

fn lines<'a>(events: impl Iterator<Item = &'a Value>) -> String {
    let lines: Vec<_> = events.map(Value::to_string).collect();
    lines.join("\n") + "\n"
}

#[test]
fn outlets_events_are_those_of_the_published_schemas() {
    const TEST: &str = "outlets_events_are_those_of_the_published_schemas";
    let mut events = Vec::new();
    for entry in std::fs::read_dir(root().join("tests/snapshots/ocsf")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        events.push(serde_json::from_str::<Value>(&text).unwrap());
    }
    assert_eq!(events.len(), model::Detector::ALL.len() + 1, "one a detector, and an agent");
    let Some(problems) = services::ocsf::problems(TEST, &lines(events.iter())) else { return };
    assert!(problems.is_empty(), "{problems:#?}");
    // The schemas are looked at: they refuse what is wrong.
    events[0]["severity_id"] = Value::from(7);
    events[0]["evidences"][0]["actor"] = serde_json::json!({"nobody": 1});
    let problems = services::ocsf::problems(TEST, &lines(events.iter())).unwrap();
    assert!(problems.iter().any(|it| it.contains("severity_id")), "{problems:#?}");
    assert!(problems.iter().any(|it| it.contains("nobody")), "{problems:#?}");
}

#[test]
fn crash_leaves_no_finding_untold_to_the_topic() {
    const TEST: &str = "crash_leaves_no_finding_untold_to_the_topic";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines_read = log(9);
    let (place, source) = (Place::new(), topic(kafka, &lines_read));
    let out = services::unique("findings");
    kafka.create_topic(&out, 3, &[]);
    configure(&place, kafka, &source, &format!("[outlets.topic]\ntopic = \"{out}\"\n"));
    for point in ["stored", "delivered", "checkpointed", "committed"] {
        let mut service = Service::start(&place, "store", Some(point));
        service.wait_for(&format!("held at {point}"));
        service.kill();
    }
    for number in 0..if is_full() { 50 } else { 4 } {
        let service = Service::start(&place, "store", None);
        std::thread::sleep(Duration::from_millis(400 + number * 7_919 % 2_500));
        service.kill();
    }
    let service = Service::start(&place, "store", None);
    wait_until_read(kafka, &source, lines_read.len() as i64);
    service.stop();
    let told = told(kafka, &out);
    assert!(!told.is_empty());
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), stored(&place));
    check_activities(&told);
    let Some(problems) = services::ocsf::problems(TEST, &lines(told.values())) else { return };
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn outlets_topic_that_does_not_acknowledge_is_waited_for() {
    const TEST: &str = "outlets_topic_that_does_not_acknowledge_is_waited_for";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines_read = log(9);
    let (place, source) = (Place::new(), services::unique("later"));
    kafka.create_topic(&source, 1, &[]);
    let out = services::unique("unheard");
    kafka.create_topic(&out, 1, &[]);
    configure(&place, kafka, &source, &format!("[outlets.topic]\ntopic = \"{out}\"\n"));
    let mut service = Service::start(&place, "store", None);
    service.wait_for("leading");
    delete(kafka, &out);
    let records =
        lines_read.iter().map(|line| Record { payload: line.as_bytes(), ..Record::default() });
    kafka.produce(&source, records);
    service.wait_for("are not acknowledged");
    let read: i64 = kafka.committed(&source, &source).iter().filter_map(|it| it.offset).sum();
    assert!(read < lines_read.len() as i64, "nothing is committed that was not told");
    kafka.create_topic(&out, 1, &[]);
    wait_until_read(kafka, &source, lines_read.len() as i64);
    service.stop();
    let told = told(kafka, &out);
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), stored(&place));
}

fn delete(kafka: &Kafka, topic: &str) {
    let admin: AdminClient<DefaultClientContext> = kafka.client().create().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let deleted = runtime.block_on(admin.delete_topics(&[topic], &AdminOptions::new())).unwrap();
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
}

#[test]
fn outlets_topic_that_refuses_an_event_leaves_it_in_the_file() {
    const TEST: &str = "outlets_topic_that_refuses_an_event_leaves_it_in_the_file";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines_read = log(9);
    let (place, source) = (Place::new(), topic(kafka, &lines_read));
    let out = services::unique("narrow");
    kafka.create_topic(&out, 1, &[("max.message.bytes", "300")]);
    configure(&place, kafka, &source, &format!("[outlets.topic]\ntopic = \"{out}\"\n"));
    let service = Service::start(&place, "store", None);
    wait_until_read(kafka, &source, lines_read.len() as i64);
    service.stop();
    assert!(kafka.read_all(&out).is_empty());
    let text = std::fs::read_to_string(place.path("store/outlet-dead-letters.ndjson")).unwrap();
    let dead = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let dead: BTreeSet<Said> = dead
        .map(|it| {
            assert_eq!(it["outlet"], "topic");
            let id = it["event"]["finding_info"]["uid"].as_str().unwrap().to_owned();
            (id, it["event"]["unmapped"]["revision"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(dead, stored(&place));
}

#[test]
fn outlets_topic_that_is_missing_is_said_in_one_line() {
    const TEST: &str = "outlets_topic_that_is_missing_is_said_in_one_line";
    let Some(kafka) = services::kafka(TEST) else { return };
    let (place, source) = (Place::new(), services::unique("source"));
    kafka.create_topic(&source, 1, &[]);
    let out = services::unique("missing");
    configure(&place, kafka, &source, &format!("[outlets.topic]\ntopic = \"{out}\"\n"));
    let (code, said) = Service::start(&place, "store", None).ended();
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(&format!("outlets.topic: {out} is not there: create it")), "{said}");
}

#[test]
fn outlets_get_what_a_server_was_given() {
    const TEST: &str = "outlets_get_what_a_server_was_given";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(server) = services::clickhouse(TEST) else { return };
    let lines_read = log(9);
    let (place, source) = (Place::new(), topic(kafka, &lines_read));
    let out = services::unique("served");
    kafka.create_topic(&out, 1, &[]);
    configure(&place, kafka, &source, &format!("[outlets.topic]\ntopic = \"{out}\"\n"));
    let database = server.database("outlets");
    let host = server.url.strip_prefix("http://").unwrap().trim_end_matches('/');
    let store = format!("clickhouse://{host}/{database}");
    let migrate = Command::new(env!("CARGO_BIN_EXE_habitus"))
        .args(["migrate", "--store", &store])
        .output()
        .unwrap();
    assert!(migrate.status.success(), "{migrate:?}");
    let service = Service::start(&place, &store, None);
    wait_until_read(kafka, &source, lines_read.len() as i64);
    service.stop();
    let kept = server.query(&format!("SELECT finding_id, revision FROM {database}.findings"));
    let kept = rows(&format!("id,revision\n{}", kept.replace('\t', ",")));
    let told = told(kafka, &out);
    assert!(!kept.is_empty());
    // The server keeps the highest revision of each; the later of a map's keys counts.
    let highest: BTreeMap<String, u64> = told.into_keys().collect();
    assert_eq!(highest.into_iter().collect::<BTreeSet<_>>(), kept);
}

/// Takes posts: their ids and bodies.
fn receiver(listener: TcpListener) -> Receiver<(String, Value)> {
    let (send, receive) = sync_channel(10_000);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let Some(post) = take(stream) else { continue };
            if send.send(post).is_err() {
                return;
            }
        }
    });
    receive
}

fn take(mut stream: TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut id, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("webhook-id", value)) => id = Some(value.to_owned()),
            Some(("content-length", value)) => length = value.parse().ok()?,
            None if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    stream.write_all(b"HTTP/1.1 204 x\r\nConnection: close\r\n\r\n").ok()?;
    Some((id?, serde_json::from_slice(&body).ok()?))
}

#[test]
fn crash_between_store_and_webhook_is_made_good() {
    const TEST: &str = "crash_between_store_and_webhook_is_made_good";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines_read = log(9);
    let (place, source) = (Place::new(), topic(kafka, &lines_read));
    place.write("secret", "0123456789abcdef0123456789abcdef\n");
    // Nobody listens for now.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    configure(
        &place,
        kafka,
        &source,
        &format!(
            "[outlets.webhook]\nurl = \"http://127.0.0.1:{port}/\"\nmin_severity = \"info\"\n\
             [outlets.webhook.secret]\nfile = \"secret\"\n",
        ),
    );
    for point in ["stored", "delivered", "checkpointed"] {
        let mut service = Service::start(&place, "store", Some(point));
        service.wait_for(&format!("held at {point}"));
        service.kill();
    }
    // It is down for all of the log, which holds nothing back.
    let service = Service::start(&place, "store", None);
    wait_until_read(kafka, &source, lines_read.len() as i64);
    service.stop();
    let text = std::fs::read_to_string(place.path("run.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    let stored = stored(&place);
    assert!(!stored.is_empty());
    assert_eq!(summary["outlets"]["webhook_pending"], stored.len(), "{summary}");
    let posts = receiver(TcpListener::bind(("127.0.0.1", port)).unwrap());
    let mut service = Service::start(&place, "store", None);
    service.wait_for("taking up checkpoint");
    let mut told = BTreeMap::new();
    while told.len() < stored.len() {
        let (id, event) = posts.recv_timeout(PATIENCE).unwrap();
        let revision = event["unmapped"]["revision"].as_u64().unwrap();
        let finding = event["finding_info"]["uid"].as_str().unwrap().to_owned();
        assert_eq!(id, format!("{finding}_{revision}"));
        let before = told.insert((finding, revision), event.clone());
        assert!(before.is_none_or(|before| before == event), "two payloads: {event}");
    }
    service.stop();
    check_activities(&told);
    assert_eq!(told.into_keys().collect::<BTreeSet<_>>(), stored);
    let left = std::fs::read_dir(place.path("store/webhook")).unwrap();
    assert_eq!(left.count(), 1, "nothing but the lock is left");
}

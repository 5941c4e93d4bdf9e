//! A service that runs is told to forget, does so at its next epoch, and does not remember later.

use super::{call, everything, log, names};
use crate::habitus::Place;
use crate::service::Service;
use crate::services::{self, Kafka, Record};
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long the service may take for anything, and the time between two looks.
const PATIENCE: Duration = Duration::from_mins(3);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Looks until it is so.
#[track_caller]
fn wait(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..PATIENCE.as_millis() / LOOK_EVERY.as_millis() {
        if is_so() {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    panic!("not so after {PATIENCE:?}: {what}");
}

fn produce(kafka: &Kafka, topic: &str, lines: &str) {
    let records = lines.lines().map(|line| Record {
        payload: line.as_bytes(),
        partition: Some(0),
        ..Record::default()
    });
    kafka.produce(topic, records);
}

fn wait_until_read(kafka: &Kafka, topic: &str, records: usize) {
    wait("all records are committed", || {
        let committed = kafka.committed(topic, topic);
        committed.iter().filter_map(|it| it.offset).sum::<i64>() >= records as i64
    });
}

fn start(place: &Place, hold: Option<&str>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_habitus"));
    command.args(["run", "--store"]).arg(place.path("store")).current_dir(place.path("."));
    if let Some(point) = hold {
        command.env("HABITUS_HOLD_AT", point);
    }
    command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

fn stop(mut child: Child) {
    assert!(
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success()
    );
    assert!(child.wait().unwrap().success());
}

/// A checkpoint with each of its packed parts unpacked behind it.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
    let mut all = bytes.to_vec();
    let (mut parts, mut at) = (0, 0);
    while let Some(next) = bytes[at..].windows(4).position(|it| it == MAGIC) {
        at += next;
        let reader = zstd::stream::read::Decoder::with_buffer(&bytes[at..]).unwrap();
        // What looks like a beginning by chance is none.
        let read = reader.single_frame().read_to_end(&mut all);
        parts += usize::from(read.is_ok());
        at += 4;
    }
    assert!(parts > 0, "a checkpoint has packed parts");
    all
}

/// The checkpoints, unpacked, one after the other.
fn checkpoints(place: &Place, group: &str) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(place.path("store/checkpoints/state").join(group)).unwrap() {
        let Ok(bytes) = std::fs::read(entry.unwrap().path()) else { continue };
        all.extend(unpacked(&bytes));
    }
    all
}

fn holds(place: &Place, group: &str, who: &str) -> bool {
    names(&String::from_utf8_lossy(&checkpoints(place, group)), who)
}

#[test]
fn forget_reaches_a_service_that_runs_and_stays_so_after_a_restart() {
    const TEST: &str = "forget_reaches_a_service_that_runs_and_stays_so_after_a_restart";
    let Some(kafka) = services::kafka(TEST) else { return };
    let (place, topic) = (Place::new(), services::unique("forget"));
    kafka.create_topic(&topic, 1, &[]);
    place.write(
        "habitus.toml",
        format!(
            "[source]\ntopics = [\"{topic}\"]\ngroup_id = \"{topic}\"\nsession_timeout_ms = 6000\n\
             [kafka]\nbootstrap_servers = [\"{}\"]\n[run]\nepoch_seconds = 1\n",
            kafka.bootstrap,
        ),
    );
    let lines = log();
    let mut records = lines.lines().count();
    produce(kafka, &topic, &lines);
    let child = start(&place, None);
    wait_until_read(kafka, &topic, records);
    assert!(holds(&place, &topic, "zoe-77"), "the service knows her");
    let said = place.run(&["forget", "zoe-77", "--yes", "--wait", "120"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(!said.err.contains("no service"), "{}", said.err);
    assert!(!holds(&place, &topic, "zoe-77") && holds(&place, &topic, "zoe-771"));
    assert!(!names(&everything(&place), "zoe-77"));
    stop(child);

    // The next start is told of somebody while it is down, and dies as it forgets.
    let said = place.run(&["forget", "max-1", "--yes", "--wait", "0"]);
    assert!(said.code == 0 && said.err.contains("no service has taken it up"), "{}", said.err);
    assert!(!names(&requests(&place, &topic), "max-1"), "the request names nobody");
    let mut service = Service::start(&place, "store", Some("forgotten"));
    service.wait_for("held at forgotten");
    service.kill();
    let child = start(&place, None);
    wait("no older checkpoint is left", || !holds(&place, &topic, "max-1"));
    // Hours end, and everybody who is known is written down.
    let later = (240..420).map(|minute| call("zoe-771", minute, "/orders", 200));
    let later = later.collect::<String>();
    records += later.lines().count();
    produce(kafka, &topic, &later);
    wait_until_read(kafka, &topic, records);
    stop(child);
    let all = everything(&place);
    assert!(!names(&all, "zoe-77") && !names(&all, "max-1") && names(&all, "zoe-771"));
    assert!(!holds(&place, &topic, "zoe-77") && !holds(&place, &topic, "max-1"));
    let results = place.query("store", "SELECT result FROM audit ORDER BY at");
    assert_eq!(results, "result\ndone\nservice_pending\n");
}

#[test]
fn forget_reaches_the_second_of_two_stages() {
    const TEST: &str = "forget_reaches_the_second_of_two_stages";
    let Some(kafka) = services::kafka(TEST) else { return };
    let (place, topic) = (Place::new(), services::unique("forget_stages"));
    kafka.create_topic(&topic, 1, &[]);
    kafka.create_topic(&format!("{topic}.events"), 1, &[]);
    place.write(
        "habitus.toml",
        format!(
            "[source]\ntopics = [\"{topic}\"]\ngroup_id = \"{topic}\"\nsession_timeout_ms = 6000\n\
             [kafka]\nbootstrap_servers = [\"{}\"]\n[run]\nepoch_seconds = 1\n",
            kafka.bootstrap,
        ),
    );
    let key = place.write("key", "00".repeat(32));
    produce(kafka, &topic, &log());
    let stages = ["detect", "normalize"].map(|stage| {
        Service::start_with(&place, "store", None, &["--stage", stage, "--key-file", &key])
    });
    let second = format!("{topic}-detect");
    let state = place.path("store/checkpoints/state").join(&second);
    wait("the second stage knows her", || state.is_dir() && holds(&place, &second, "zoe-77"));
    let arguments = ["forget", "zoe-77", "--yes", "--wait", "120", "--key-file", &key];
    let said = place.run(&arguments);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(!holds(&place, &second, "zoe-77") && holds(&place, &second, "zoe-771"));
    for stage in stages {
        stage.stop();
    }
}

/// What lies there for the service to forget.
fn requests(place: &Place, group: &str) -> String {
    let dir = place.path("store/checkpoints/forget").join(group);
    let all = std::fs::read_dir(dir).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        format!("{} {}", path.display(), String::from_utf8_lossy(&bytes))
    });
    let all: Vec<String> = all.collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all.concat()
}

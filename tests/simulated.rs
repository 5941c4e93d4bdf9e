//! `habitus simulate`: the same bytes each time, lines that are all read, and a topic that has them all.

use crate::habitus::{Place, Said, count};
use crate::services;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A few hours of few callers, so that it is quick.
const SMALL: [&str; 6] = ["--people", "30", "--services", "8", "--agents", "8"];

#[track_caller]
fn simulate(place: &Place, more: &[&str]) -> Said {
    let said = place.run(&[&["simulate"], &SMALL[..], more].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    said
}

/// The number in the line of summary.
fn calls(said: &Said) -> usize {
    let words = said.err.split_once("simulated ").unwrap().1;
    let number: String =
        words.split(" call").next().unwrap().chars().filter(char::is_ascii_digit).collect();
    number.parse().unwrap()
}

#[test]
fn the_same_seed_and_start_give_the_same_bytes() {
    let place = Place::new();
    let at = ["--start", "2026-05-04T06:00", "--duration", "90m"];
    let first = simulate(&place, &at);
    assert_eq!(calls(&first), first.out.lines().count());
    assert!(first.out.lines().count() > 500, "{}", first.err);
    assert!(simulate(&place, &at).out == first.out);
    let file = place.write("log.ndjson", "");
    simulate(&place, &[&at[..], &["--out", &file]].concat());
    assert!(std::fs::read_to_string(&file).unwrap() == first.out, "a file holds something else");
    assert!(simulate(&place, &[&at[..], &["--seed", "2"]].concat()).out != first.out);
    let later = ["--start", "2026-05-04T07:00", "--duration", "90m"];
    assert!(simulate(&place, &later).out != first.out);
}

#[test]
fn simulated_lines_are_all_read_and_lie_in_their_time() {
    let place = Place::new();
    for (format, name) in
        [("kong", "log.zst"), ("ndjson", "log.ndjson"), ("combined", "access.log")]
    {
        let file = place.path(name);
        let file = file.to_str().unwrap();
        let said = simulate(&place, &["--format", format, "--duration", "150m", "--out", file]);
        let (_, summary) = place.replay(&[file], &[]);
        assert_eq!(count(&summary, "records") as usize, calls(&said), "{summary}");
        assert_eq!(count(&summary, "rejected"), 0, "{summary}");
        let span = place.query("store", "SELECT min(window_start), max(window_start) FROM windows");
        assert!(
            span.contains("2026-03-02T00:00:00") && span.contains("2026-03-02T02:00:00"),
            "{span}"
        );
    }
}

#[test]
fn every_form_is_read_as_what_it_is() {
    let place = Place::new();
    let forms =
        ["ndjson", "kong", "canonical", "nginx-json", "envoy-json", "envoy", "combined", "common"];
    for form in forms {
        let at = ["--start", "2026-05-04T06:00", "--duration", "30m", "--format", form];
        let lines = simulate(&place, &at).out;
        let file = place.write("some.log", lines.lines().take(50).collect::<Vec<_>>().join("\n"));
        let said = place.run(&["normalize", &file]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert_eq!(said.out.lines().count(), 50, "{form}");
        for line in said.out.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            for column in ["http_request_method", "http_response_status_code", "url_path"] {
                assert!(!event[column].is_null(), "{form} has no {column}: {event}");
            }
        }
    }
}

#[test]
fn the_truth_stands_beside_the_lines_and_not_in_them() {
    let place = Place::new();
    let truth = place.path("truth.json");
    let with = ["--days", "1", "--truth", truth.to_str().unwrap()];
    let said = simulate(&place, &with);
    let text = std::fs::read_to_string(&truth).unwrap();
    let truth: Value = serde_json::from_str(&text).unwrap();
    let attacks = truth["attacks"].as_array().unwrap();
    assert!(attacks.len() >= 6, "{truth}");
    assert_eq!(said.err.matches(&format!("{} attacks", attacks.len())).count(), 1, "{}", said.err);
    for attack in attacks {
        let name = attack["name"].as_str().unwrap();
        assert!(!said.out.contains(name), "{name} stands in the lines");
        let principal = attack["principal"].as_str().unwrap();
        assert!(said.out.contains(principal), "{name}: {principal} does not call");
        let (start, end) = (attack["start"].as_str().unwrap(), attack["end"].as_str().unwrap());
        assert!("2026-03-02T12" < start && start < end && end < "2026-03-03", "{attack}");
    }
    assert_eq!(truth["twins"].as_array().map(Vec::len), Some(4));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "real time is compared with the clock on the wall")]
fn real_time_takes_its_time_and_tells_of_now() {
    let place = Place::new();
    let started = std::time::SystemTime::now();
    let said = simulate(&place, &["--rate", "realtime", "--duration", "3s", "--history", "10m"]);
    assert!(started.elapsed().unwrap().as_secs() >= 2, "{}", said.err);
    let since = started.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let times: Vec<_> = said.rows().iter().map(|row| row["started_at"].as_i64().unwrap()).collect();
    let first = times.first().unwrap() - since;
    assert!((-605_000..-540_000).contains(&first), "{first} ms");
    assert!(times.is_sorted());
    assert!(times.last().unwrap() - since < 60_000);
    let paced = simulate(&place, &["--rate", "200", "--duration", "5m"]);
    let seconds: f64 =
        paced.err.split(" in ").last().unwrap().split(' ').next().unwrap().parse().unwrap();
    let least = (calls(&paced) as f64 - 1.0) / 200.0;
    assert!(seconds + 0.1 >= least, "{seconds} s, at least {least} s");
}

#[test]
fn who_is_told_to_stop_ends_its_line_and_its_truth() {
    let place = Place::new();
    let (file, truth) = (place.path("log.ndjson"), place.path("truth.json"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_habitus"))
        .args(["simulate", "--rate", "realtime", "--duration", "2d"])
        .args(SMALL)
        .arg("--out")
        .arg(&file)
        .arg("--truth")
        .arg(&truth)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let attacks = || -> usize {
        let text = std::fs::read_to_string(&truth).unwrap_or_default();
        let truth: Value = serde_json::from_str(&text).unwrap_or_default();
        truth["attacks"].as_array().map_or(0, Vec::len)
    };
    // Those of the coming day stand there before its first call, which is seen once it is made.
    for look in 0.. {
        assert!(look < 600, "nothing is written");
        if attacks() > 0 && std::fs::metadata(&file).is_ok_and(|it| it.len() > 0) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success() && child.wait().unwrap().success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    assert!(said.contains(&format!("simulated {} call", lines.count())), "{said}");
    assert!(text.ends_with('\n') && said.contains("; 0 attacks"), "{said}");
    assert_eq!(attacks(), 0, "attacks are told that did not happen");
}

#[test]
fn a_topic_has_every_line_dealt_out_over_its_partitions() {
    const TEST: &str = "a_topic_has_every_line_dealt_out_over_its_partitions";
    let Some(kafka) = services::kafka(TEST) else { return };
    let (place, topic) = (Place::new(), services::unique("simulated"));
    kafka.create_topic(&topic, 3, &[]);
    let config = format!("[kafka]\nbootstrap_servers = [\"{}\"]\n", kafka.bootstrap);
    let config = place.write("habitus.toml", config);
    let at = ["--start", "2026-05-04T06:00", "--duration", "90m"];
    let said = simulate(&place, &[&at[..], &["--topic", &topic, "--config", &config]].concat());
    let printed = simulate(&place, &at).out;
    let mut read: BTreeMap<(i64, i32), String> = BTreeMap::new();
    for record in kafka.read_all(&topic) {
        use rdkafka::Message as _;
        assert_eq!(record.key(), None);
        let line = String::from_utf8(record.payload().unwrap().to_vec()).unwrap();
        read.insert((record.offset(), record.partition()), line);
    }
    assert_eq!(read.len(), calls(&said));
    // The turns of the partitions are the order of the lines.
    assert!(read.values().map(String::as_str).eq(printed.lines()), "not the lines, or not in turn");
    let absent = place.run(&["simulate", "--topic", "absent", "--config", &config]);
    assert_eq!((absent.code, absent.err.lines().count()), (1, 1), "{}", absent.err);
    assert!(absent.err.contains("topic absent is not there"), "{}", absent.err);
}

#[test]
fn the_service_finds_attacks_that_are_simulated_into_its_topic() {
    const TEST: &str = "the_service_finds_attacks_that_are_simulated_into_its_topic";
    let Some(kafka) = services::kafka(TEST) else { return };
    let (place, topic) = (Place::new(), services::unique("simulated"));
    kafka.create_topic(&topic, 6, &[]);
    let config = format!(
        "[source]\ntopics = [\"{topic}\"]\ngroup_id = \"{topic}\"\n\
         [kafka]\nbootstrap_servers = [\"{}\"]\n[run]\nlisten = \"\"\nepoch_seconds = 1\n",
        kafka.bootstrap,
    );
    let config = place.write("habitus.toml", config);
    let truth = place.path("truth.json");
    let to = ["--topic", &topic, "--config", &config, "--truth", truth.to_str().unwrap()];
    let sizes = ["--people", "60", "--services", "12", "--agents", "12"];
    let said = place.run(&[&["simulate"], &sizes[..], &to].concat());
    assert_eq!(said.code, 0, "{}", said.err);
    let mut service = Command::new(env!("CARGO_BIN_EXE_habitus"))
        .args(["run", "--config", &config, "--store"])
        .arg(place.path("store"))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for look in 0.. {
        let committed = kafka.committed(&topic, &topic);
        let sum: i64 = committed.iter().filter_map(|it| it.offset).sum();
        if sum >= calls(&said) as i64 {
            break;
        }
        assert!(look < 600, "{sum} of {} records are committed", calls(&said));
        assert!(service.try_wait().unwrap().is_none(), "the service has ended");
        std::thread::sleep(Duration::from_millis(500));
    }
    let told = Command::new("kill").args(["-TERM", &service.id().to_string()]).status().unwrap();
    assert!(told.success() && service.wait().unwrap().success());
    let found = place.query("store", "SELECT DISTINCT principal_id FROM findings_current");
    let truth: Value = serde_json::from_str(&std::fs::read_to_string(&truth).unwrap()).unwrap();
    let attacks = truth["attacks"].as_array().unwrap();
    let caught = |it: &&Value| found.contains(it["principal"].as_str().unwrap());
    let names: Vec<_> = attacks.iter().filter(caught).map(|it| &it["name"]).collect();
    // The same traffic replayed: 6 of 11.
    assert!(names.len() >= 5, "{names:?} of {}", attacks.len());
}

#[test]
fn what_cannot_be_written_is_said_in_a_line() {
    let place = Place::new();
    let nowhere = place.write("nowhere.toml", "[kafka]\nbootstrap_servers = [\"127.0.0.1:1\"]\n");
    for (more, said) in [
        (&["--topic", "x"][..], "kafka.bootstrap_servers is empty"),
        (&["--topic", "x", "--config", &nowhere], "no Kafka broker of 127.0.0.1:1 answers"),
        (&["--out", "absent/log"], "cannot write absent/log"),
        (&["--out", "log.gz"], "name it .zst"),
        (&["--truth", "absent/truth", "--out", "log"], "cannot write --truth absent/truth"),
    ] {
        let ended = place.run(&[&["simulate"], more].concat());
        assert_eq!((ended.code, ended.err.lines().count()), (1, 1), "{more:?}: {}", ended.err);
        assert!(ended.err.contains(said), "{more:?}: {}", ended.err);
    }
}

mod health {
    //! `habitus health` against whoever answers.

    use crate::habitus::{Place, Said};
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    /// Asks somebody who answers so, and says what was asked; nothing is answered for `None`.
    fn ask(answer: Option<&'static str>, more: &[&str]) -> (Said, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let place = Place::new();
        place.write("habitus.toml", format!("[run]\nlisten = \"{address}\"\n"));
        std::thread::scope(|scope| {
            let served = scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = [0; 1_024];
                let count = stream.read(&mut asked).unwrap();
                match answer {
                    Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                    // Until the other side gives up.
                    None => drop(stream.read(&mut [0; 8])),
                }
                String::from_utf8_lossy(&asked[..count]).into_owned()
            });
            let said = place.run(&[&["health"], more].concat());
            (said, served.join().unwrap())
        })
    }

    #[test]
    fn a_service_that_is_well_is_said_to_be() {
        let (said, asked) = ask(Some("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), &[]);
        assert_eq!((said.code, said.out.as_str()), (0, "live\n"), "{}", said.err);
        assert!(asked.starts_with("GET /health/live HTTP/1.1\r\nHost: 127.0.0.1:"), "{asked}");
        let (said, asked) = ask(Some("HTTP/1.1 200 OK\r\n\r\n"), &["--ready"]);
        assert_eq!((said.code, said.out.as_str()), (0, "ready\n"), "{}", said.err);
        assert!(asked.starts_with("GET /health/ready HTTP/1.1\r\n"), "{asked}");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "patience is measured")]
    fn a_service_that_is_not_well_fails_in_a_line() {
        let check = |answer: Option<&'static str>, wanted: &str| {
            let started = Instant::now();
            let (said, _) = ask(answer, &[]);
            assert_eq!((said.code, said.err.lines().count()), (1, 1), "{}", said.err);
            assert!(said.err.contains(wanted) && !said.err.contains('\u{1b}'), "{}", said.err);
            assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
        };
        check(
            Some("HTTP/1.1 503 no\r\n\r\nthe store \u{1b}[31m is away"),
            "answers 503: the store",
        );
        check(Some("SSH-2.0-OpenSSH\r\n"), "speaks no HTTP");
        check(Some(""), "speaks no HTTP");
        check(None, "within 3 s");
    }

    #[test]
    fn where_nobody_listens_it_fails() {
        let place = Place::new();
        for (listen, wanted) in [("127.0.0.1:1", "nobody answers"), ("", "run.listen is empty")] {
            place.write("habitus.toml", format!("[run]\nlisten = \"{listen}\"\n"));
            let said = place.run(&["health"]);
            assert_eq!(said.code, 1);
            assert!(said.err.contains(wanted), "{}", said.err);
        }
    }
}

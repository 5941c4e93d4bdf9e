//! The service as an operator sees it, against a real broker: metrics, health, check, reload.

mod recorded;
pub(crate) mod service;

use crate::habitus::{Place, Said, root};
use crate::services::{self, ClickHouse, Fault, Kafka, Record};
use serde_json::Value;
use service::{Metrics, Service, configure, until};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Connections that an attacker opens, and how many the attacker holds at a time.
const ATTACKS: usize = 10_000;
const HELD: usize = 500;
/// Descriptors that the service may hold more than before: its connections, and some for its work.
const DESCRIPTORS_MAX: usize = 64 + 40;

/// A topic of three partitions with lines dealt out over them.
fn topic(kafka: &Kafka, lines: &[String]) -> String {
    let name = services::unique("operation");
    kafka.create_topic(&name, 3, &[]);
    produce(kafka, &name, lines);
    name
}

fn produce(kafka: &Kafka, topic: &str, lines: &[String]) {
    let records = (0..).zip(lines).map(|(number, line): (i32, &String)| Record {
        payload: line.as_bytes(),
        partition: Some(number % 3),
        ..Record::default()
    });
    kafka.produce(topic, records);
}

/// The names of the metrics in the document.
fn documented() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let names = rows.filter(|it| it.starts_with("habitus_") || it.starts_with("process_"));
    names.filter(|it| !it.contains([' ', '(', '['])).map(str::to_owned).collect()
}

/// The names of the metrics that are served, each with its help and its kind.
fn served(text: &str) -> BTreeSet<String> {
    let named = |what: &str| -> BTreeSet<String> {
        let lines = text.lines().filter_map(|line| line.strip_prefix(what));
        lines.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    };
    let (helped, typed) = (named("# HELP "), named("# TYPE "));
    assert_eq!(helped, typed);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let of_histogram = ["_bucket", "_sum", "_count"];
        let stem = of_histogram.iter().find_map(|it| name.strip_suffix(it)).unwrap_or(name);
        assert!(typed.contains(name) || typed.contains(stem), "{line}");
        assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
    }
    typed
}

/// The metrics of a topic with so many good lines and seven bad ones.
#[track_caller]
fn check_counts(metrics: &Metrics, lines: i64) {
    let is = |name: &str, expected: i64| assert_eq!(metrics.sum(name), expected, "{name}");
    is("habitus_source_records_total", lines + 7);
    is("habitus_events_total", lines);
    is("habitus_rejects_total{reason=\"malformed_json\"}", 3);
    is("habitus_rejects_total{reason=\"no_value\"}", 2);
    is("habitus_rejects_total{reason=\"line_too_long\"}", 1);
    is("habitus_rejects_total", 6);
    is("habitus_events_ahead_total", 1);
    is("habitus_is_leader", 1);
    is("habitus_state{state=\"leading\"}", 1);
    is("habitus_state", 1);
    is("habitus_identities", 20);
    is("habitus_waiting_parcels", 0);
    is("habitus_build_info", 1);
    is("habitus_commits_total{result=\"refused\"}", 0);
    assert!(metrics.sum("habitus_commits_total{result=\"done\"}") >= 1);
    let epochs = metrics.sum("habitus_epochs_total");
    is("habitus_epoch_duration_seconds_count", epochs);
    is("habitus_checkpoint_duration_seconds_count", epochs);
    for name in [
        "process_start_time_seconds",
        "process_resident_memory_bytes",
        "habitus_identity_state_bytes",
        "habitus_checkpoint_bytes",
        "habitus_watermark_delay_seconds",
        "habitus_rebalances_total",
        "habitus_windows_total",
    ] {
        assert!(metrics.sum(name) > 0, "{name} in\n{}", metrics.text);
    }
}

/// What the store has is what was counted.
#[track_caller]
fn check_store(place: &Place, metrics: &Metrics) {
    let is = |name: &str, expected: i64| assert_eq!(metrics.sum(name), expected, "{name}");
    let counted = |sql: &str| -> BTreeMap<String, i64> {
        let said = place.run(&["query", sql, "--output", "ndjson"]);
        assert_eq!(said.code, 0, "{}", said.err);
        let row = |row: &Value| {
            (row["detector"].as_str().unwrap().to_owned(), row["n"].as_i64().unwrap())
        };
        said.rows().iter().map(row).collect()
    };
    let findings =
        counted("SELECT detector, count(DISTINCT finding_id) AS n FROM findings GROUP BY detector");
    assert!(findings.contains_key("object_enumeration"), "{findings:?}");
    for (detector, n) in &findings {
        is(&format!("habitus_findings_total{{detector=\"{detector}\""), *n);
    }
    is("habitus_findings_total", findings.values().sum());
    let revisions = counted("SELECT detector, count(*) AS n FROM findings GROUP BY detector");
    is("habitus_finding_revisions_total", revisions.values().sum());
    is("habitus_store_rows_total{table=\"findings\"}", revisions.values().sum());
    let sql = "SELECT sum(events) AS events, sum(rejected) AS rejected, \
               count(DISTINCT partition) AS partitions, count(DISTINCT worker) AS workers \
               FROM pipeline_health";
    let said = place.run(&["query", sql, "--output", "ndjson"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let rows = said.rows();
    let [health] = rows.as_slice() else { panic!("{}", said.out) };
    is("habitus_events_total", health["events"].as_i64().unwrap());
    is("habitus_rejects_total", health["rejected"].as_i64().unwrap());
    let told = ["partitions", "workers"].map(|it| health[it].as_i64());
    assert_eq!(told, [Some(3), Some(1)], "{health}");
}

#[test]
fn metrics_of_a_known_topic_are_exact() {
    const TEST: &str = "metrics_of_a_known_topic_are_exact";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = crate::live::log_of(2, 9);
    let mut all = lines.clone();
    all.extend(["{broken".to_owned(), "{\"a\":".to_owned(), "{broken too".to_owned()]);
    all.extend([String::new(), String::new()]);
    all.push("x".repeat(70_000));
    let ahead = lines[0].replace("2026-04-01", "2099-04-01");
    all.push(ahead);
    let (place, topic) = (Place::new(), topic(kafka, &all));
    configure(&place, kafka, &topic, "");
    let service = Service::start(&place, &[]);
    let records = lines.len() as i64 + 7;
    until("all is read", || {
        let metrics = service.metrics();
        let read = metrics.sum("habitus_source_records_total");
        let lag = metrics.values("habitus_source_lag_records");
        let idle = lag.len() == 3 && lag.iter().all(|it| *it == 0);
        let open = ["habitus_held_events", "habitus_waiting_parcels"];
        let open: i64 = open.iter().map(|it| metrics.sum(it)).sum();
        (read >= records && idle && open == 0).then_some(()).ok_or_else(|| metrics.text.clone())
    });
    let metrics = service.metrics();
    assert_eq!(served(&metrics.text), documented());
    check_counts(&metrics, lines.len() as i64);
    assert_eq!(service.get("/health/live"), (200, "live\n".to_owned()));
    assert_eq!(service.get("/health/ready"), (200, "ready\n".to_owned()));
    service.stop();
    check_store(&place, &metrics);
}

#[test]
fn a_second_process_stands_by_and_is_ready() {
    const TEST: &str = "a_second_process_stands_by_and_is_ready";
    let Some(kafka) = services::kafka(TEST) else { return };
    let (place, topic) = (Place::new(), topic(kafka, &[]));
    configure(&place, kafka, &topic, "");
    let both = [Service::start(&place, &[]), Service::start(&place, &[])];
    until("one leads, the other stands by, both are ready", || {
        let leaders: i64 = both.iter().map(|it| it.metrics().sum("habitus_is_leader")).sum();
        let standing = "habitus_state{state=\"standing_by\"}";
        let standing: i64 = both.iter().map(|it| it.metrics().sum(standing)).sum();
        let ready = both.iter().all(|it| it.get("/health/ready").0 == 200);
        (leaders == 1 && standing == 1 && ready)
            .then_some(())
            .ok_or_else(|| both.iter().map(Service::said).collect())
    });
    both.into_iter().for_each(Service::stop);
}

#[test]
fn hostile_requests_are_bounded() {
    const TEST: &str = "hostile_requests_are_bounded";
    let Some(kafka) = services::kafka(TEST) else { return };
    let (place, topic) = (Place::new(), topic(kafka, &[]));
    configure(&place, kafka, &topic, "");
    let service = Service::start(&place, &[]);
    until("it leads", || {
        let (status, why) = service.get("/health/ready");
        (status == 200).then_some(()).ok_or(why)
    });
    for (request, expected) in [
        ("GET /metrics HTTP/1.1\r\n\r\n".to_owned(), 200),
        ("HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 200),
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 404),
        ("GET /metrics/../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 404),
        ("POST /metrics HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999\r\n\r\n".to_owned(), 405),
        (format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000)), 431),
        (format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(500)), 431),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)), 431),
        ("\u{0}\u{1b}[31m\r\n\r\n".to_owned(), 400),
    ] {
        let answer = service.exchange(request.as_bytes());
        let shown: String = request.chars().take(60).collect();
        // Who sends too much may find the connection reset before the answer is read.
        let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
        let is_cut = request.len() > 10_000 && status == 0;
        assert!(is_cut || status == expected, "{shown}: {answer}");
        assert!(!answer.contains('\u{1b}'), "{shown}");
    }
    // Somebody who says a byte now and then is hung up on.
    let mut slow = service.connect();
    until("the slow one is hung up on", || {
        let is_cut = slow.write_all(b"G").is_err() || {
            slow.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            matches!(slow.read(&mut [0; 512]), Ok(0 | 1..))
        };
        is_cut.then_some(()).ok_or_else(String::new)
    });
    let before = service.descriptors();
    let mut held: std::collections::VecDeque<TcpStream> = std::collections::VecDeque::new();
    let mut most = 0;
    for number in 0..ATTACKS {
        if held.len() >= HELD {
            held.pop_front();
        }
        held.push_back(service.connect());
        if number % 200 == 0 {
            most = most.max(service.descriptors());
        }
    }
    assert!(most <= before + DESCRIPTORS_MAX, "{before} descriptors became {most}");
    drop(held);
    until("it answers again", || {
        let answer = service.try_exchange(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap_or_default();
        let refused = answer.lines().find(|it| it.starts_with("habitus_http_refused_total "));
        let refused = refused.and_then(|it| it.split(' ').nth(1)?.parse::<usize>().ok());
        let refused = refused.filter(|it| *it > ATTACKS / 2);
        refused.map(|it| println!("{it} of {ATTACKS} connections were closed at once, {before} descriptors became {most} at most")).ok_or(answer)
    });
    assert_eq!(service.get("/health/live").0, 200);
    service.stop();
}

#[test]
fn an_address_that_cannot_be_had_is_an_error_in_the_logs_format() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for listen in [taken.as_str(), "nowhere"] {
        let config = place.write(
            "habitus.toml",
            format!(
                "[source]\ntopics = [\"a\"]\n[kafka]\nbootstrap_servers = [\"127.0.0.1:1\"]\n\
                 [run]\nlisten = \"{listen}\"\nlog_format = \"json\"\n"
            ),
        );
        let said = place.run(&["run", "--config", &config]);
        assert_eq!((said.code, said.err.lines().count()), (1, 1), "{}", said.err);
        let line: Value = serde_json::from_str(&said.err).unwrap();
        assert_eq!(line["level"], "error");
        let message = line["message"].as_str().unwrap();
        let expected = format!("run.listen: cannot listen on {listen}: ");
        assert!(
            message.starts_with(&expected) && message.contains("or leave it empty"),
            "{message}"
        );
    }
}

/// Lines of the hours of a day from `hour` on.
fn hours(from: usize, to: usize) -> Vec<String> {
    let is_within =
        |line: &&String| (from..to).any(|hour| line.contains(&format!("2026-04-01T{hour:02}:")));
    let day = crate::live::log_of(1, 9);
    day.iter().filter(is_within).cloned().collect()
}

/// A user who may write, and not ask what the deny feed does, is told of before the service starts.
#[track_caller]
fn the_deny_feed_is_tried(server: &mut ClickHouse, check: impl Fn(&str) -> Said) {
    const NO_GRANT: Fault = Fault::Says(
        497,
        "Code: 497. DB::Exception: habitus: Not enough privileges. To execute this query, it's \
         necessary to have the grant SELECT ON findings_current. (ACCESS_DENIED)",
    );
    let wished = "[response.deny]\nhttp = true\n";
    server.fault(1, NO_GRANT, "found.severity = 'critical'");
    let said = check(wished);
    assert_eq!((said.code, server.faults()), (1, 1), "{}{}", said.out, said.err);
    assert!(said.out.contains("grant habitus_writer"), "{}", said.out);
    let said = check(wished);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("GET /deny, the store answers"), "{}", said.out);
    let said = check("");
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(!said.out.contains("deny feed"), "{}", said.out);
}

#[test]
fn a_store_that_is_away_makes_it_unready_and_not_dead() {
    const TEST: &str = "a_store_that_is_away_makes_it_unready_and_not_dead";
    let Some(kafka) = services::kafka(TEST) else { return };
    let Some(mut server) = ClickHouse::start_own(TEST) else { return };
    let database = server.database("operation");
    let url = format!("clickhouse://{}/{database}", server.url.trim_start_matches("http://"));
    let (place, topic) = (Place::new(), topic(kafka, &hours(0, 6)));
    configure(&place, kafka, &topic, "");
    let config = place.path("habitus.toml");
    let config = config.to_str().unwrap();
    // Before the tables are there the check says so, and leaves nothing behind.
    let check = || place.run_on(&url, &["check", "--config", config]);
    let said = check();
    assert_eq!(said.code, 1, "{}", said.out);
    assert!(said.out.contains("habitus migrate"), "{}", said.out);
    assert!(!place.path("habitus-data").exists());
    assert_eq!(place.run_on(&url, &["migrate"]).code, 0);
    let said = check();
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("its tables are of this version"), "{}", said.out);
    the_deny_feed_is_tried(&mut server, |more| {
        configure(&place, kafka, &topic, more);
        check()
    });

    let service = Service::start(&place, &["--store", &url]);
    let ready = |what: &str, expected: u16| {
        until(what, || {
            let (status, why) = service.get("/health/ready");
            (status == expected).then_some(()).ok_or(why)
        });
    };
    ready("it is ready", 200);
    until("rows are in the store", || {
        let metrics = service.metrics();
        (metrics.sum("habitus_store_rows_total{table=\"windows\"}") > 0)
            .then_some(())
            .ok_or(metrics.text)
    });
    server.kill();
    produce(kafka, &topic, &hours(6, 12));
    ready("the store is missed", 503);
    until("rows wait and tries fail", || {
        let metrics = service.metrics();
        let is_waiting = metrics.sum("habitus_waiting_parcels") > 0
            && metrics.sum("habitus_store_retries_total") > 0
            && metrics.sum("habitus_store_failures_total") > 0
            && metrics.sum("habitus_state{state=\"waiting_for_store\"}") == 1;
        is_waiting.then_some(()).ok_or(metrics.text)
    });
    assert_eq!(service.get("/health/live").0, 200);
    server.restart();
    ready("it is ready again", 200);
    until("nothing waits", || {
        let metrics = service.metrics();
        (metrics.sum("habitus_waiting_parcels") == 0).then_some(()).ok_or(metrics.text)
    });
    let rows = "habitus_store_rows_total{table=\"windows\"}";
    assert!(service.metrics().sum(rows) > 0);
    // And it stops in time although the store is away and something waits for it.
    server.kill();
    produce(kafka, &topic, &hours(12, 18));
    ready("the store is missed again", 503);
    until("rows wait", || {
        let metrics = service.metrics();
        (metrics.sum("habitus_waiting_parcels") > 0).then_some(()).ok_or(metrics.text)
    });
    service.stop();
    let said = check();
    assert_eq!(said.code, 1, "{}", said.out);
}

#[test]
fn check_says_what_cannot_be_had() {
    const TEST: &str = "check_says_what_cannot_be_had";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = hours(0, 1);
    let (place, topic) = (Place::new(), topic(kafka, &lines));
    let check = |more: &str, code: i32, words: &[&str]| {
        configure(&place, kafka, &topic, more);
        let config = place.path("habitus.toml");
        let said = place.run(&["check", "--config", config.to_str().unwrap()]);
        assert_eq!(said.code, code, "{more}: {}{}", said.out, said.err);
        for word in words {
            assert!(said.out.contains(word), "{more}: {word} is not in {}", said.out);
        }
        assert!(!place.path("store").exists(), "{more}");
        said.out
    };
    let records = format!("{topic} with 3 partitions and {}", lines.len());
    let good = check("", 0, &["source         ok, ", &records, "has committed nothing yet"]);
    assert!(good.contains("checkpoints    ok, "), "{good}");
    let file = place.write("file", "");
    let wrong = format!("[run]\ncheckpoints = \"{file}/c\"\n");
    check(&wrong, 1, &["source         ok, ", "cannot write to", "run.checkpoints"]);
    let config = place.path("habitus.toml");
    for (bootstrap, topic, word) in [
        (kafka.bootstrap.as_str(), "no-such-topic", "no-such-topic is not there"),
        ("127.0.0.1:1", topic.as_str(), "no Kafka broker of 127.0.0.1:1 answers"),
    ] {
        let text = format!(
            "[source]\ntopics = [\"{topic}\"]\n[kafka]\nbootstrap_servers = [\"{bootstrap}\"]\n"
        );
        std::fs::write(&config, text).unwrap();
        let said = place.run(&["check", "--config", config.to_str().unwrap()]);
        assert_eq!(said.code, 1, "{}", said.out);
        assert!(said.out.contains(word), "{}", said.out);
        assert!(said.out.contains("checkpoints    ok"), "the rest is checked: {}", said.out);
    }
    // Nothing was committed, and nobody joined the group.
    assert!(kafka.committed(&topic, &topic).iter().all(|it| it.offset.is_none()));
}

#[test]
fn a_reload_is_applied_whole_or_not_at_all() {
    const TEST: &str = "a_reload_is_applied_whole_or_not_at_all";
    let Some(kafka) = services::kafka(TEST) else { return };
    let lines = crate::live::log_of(2, 9);
    // The sweep is among the last lines; another test sees that it is found.
    let (first, rest) = lines.split_at(lines.len() - 2_000);
    assert!(!first.iter().any(|it| it.contains("/orders/50")));
    let (place, topic) = (Place::new(), topic(kafka, first));
    configure(&place, kafka, &topic, "");
    let service = Service::start(&place, &[]);
    until("it leads", || {
        let (status, why) = service.get("/health/ready");
        (status == 200).then_some(()).ok_or(why)
    });
    let reload = |more: &str, words: &[&str]| {
        configure(&place, kafka, &topic, more);
        service.signal("-HUP");
        until("the reload is said", || {
            let said = service.said();
            words.iter().all(|word| said.contains(word)).then_some(()).ok_or(said)
        });
    };
    reload(
        "[detect]\nfindings_per_day = 3\n[source]\nstart = \"latest\"\n[kafka.sasl_password]\nfile = \"/run/tiger\"\n",
        &[
            "a restart is needed for",
            "source.start: \"earliest\" -> \"latest\"",
            "kafka.sasl_password.file: changed",
        ],
    );
    reload("[detect\n", &["was not reloaded", "habitus.toml"]);
    reload(
        "[detect]\ndisabled = [\"object_enumeration\"]\n[run]\nlog_format = \"json\"\n",
        &["reloaded: detect.disabled: [] ->"],
    );
    let said = service.said();
    assert!(!said.contains("tiger") && !said.contains("findings_per_day"), "{said}");
    let last: Value =
        serde_json::from_str(said.lines().find(|it| it.contains("reloaded: detect")).unwrap())
            .unwrap();
    assert!(last["message"].as_str().unwrap().contains("reloaded") && last["level"] == "info");
    let metrics = service.metrics();
    for (result, count) in [("done", 1), ("refused", 1), ("failed", 1)] {
        let name = format!("habitus_reloads_total{{result=\"{result}\"}}");
        assert_eq!(metrics.sum(&name), count, "{name}");
    }
    // What was learned stays, and the detector that was switched off is silent.
    let identities = metrics.sum("habitus_identities");
    produce(kafka, &topic, rest);
    until("all is read", || {
        let metrics = service.metrics();
        let events = metrics.sum("habitus_events_total");
        (events >= lines.len() as i64 && metrics.sum("habitus_held_events") == 0)
            .then_some(())
            .ok_or(metrics.text)
    });
    let metrics = service.metrics();
    assert!(metrics.sum("habitus_identities") >= identities);
    let silent = "habitus_finding_revisions_total{detector=\"object_enumeration\"";
    assert_eq!(metrics.sum(silent), 0, "{}", metrics.text);
    service.stop();
}

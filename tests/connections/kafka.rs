//! Kafka: each way of saying who we are, each refusal, and what becomes of a service that is refused later.

use super::{
    LOOK_EVERY, PATIENCE, clock, closed_port, other_service, output, refused, start, wait,
};
use crate::habitus::Place;
use crate::services::{self, Kafka, PASSWORD, Record, SecureKafka};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The part of a configuration with a user's name and the password in a file.
fn scram(kafka: &SecureKafka, place: &Place, listener: &str, user: &str, more: &str) -> String {
    let password = place.write("password", PASSWORD);
    let protocol = if listener == "SECURE" { "sasl_ssl" } else { "sasl_plaintext" };
    let ca = kafka.file("ca.pem").display().to_string();
    let ca = if listener == "SECURE" { format!("ssl_ca_file = \"{ca}\"\n") } else { String::new() };
    format!(
        "bootstrap_servers = [\"{}\"]\nsecurity_protocol = \"{protocol}\"\n\
         sasl_username = \"{user}\"\n{ca}{more}\n[kafka.sasl_password]\nfile = \"{password}\"\n",
        kafka.server(listener),
    )
}

/// The part of a configuration for TLS, with this authority and perhaps a certificate.
fn tls(kafka: &SecureKafka, listener: &str, ca: &str, client: Option<&str>) -> String {
    let path = |name: &str| kafka.file(name).display().to_string();
    let client = client.map_or_else(String::new, |name| {
        format!(
            "ssl_certificate_file = \"{}\"\nssl_key_file = \"{}\"\n",
            path(&format!("{name}.pem")),
            path(&format!("{name}.key"))
        )
    });
    format!(
        "bootstrap_servers = [\"{}\"]\nsecurity_protocol = \"ssl\"\nssl_ca_file = \"{}\"\n{client}",
        kafka.server(listener),
        path(ca)
    )
}

fn plain(server: &str) -> String {
    format!("bootstrap_servers = [\"{server}\"]\n")
}

fn configure(place: &Place, topic: &str, kafka: &str) {
    let text = format!(
        "[source]\ntopics = [\"{topic}\"]\ngroup_id = \"{topic}\"\nsession_timeout_ms = 6000\n\
         [run]\nepoch_seconds = 1\n[kafka]\n{kafka}"
    );
    place.write("habitus.toml", text);
}

fn lines(count: usize) -> Vec<String> {
    let line = |number: usize| {
        format!(
            "{{\"time\":\"2026-04-01T00:{:02}:{:02}Z\",\"consumer\":\"shop\",\"method\":\"GET\",\
             \"path\":\"/orders\",\"status\":200,\"ip\":\"192.0.2.7\"}}",
            number / 60,
            number % 60
        )
    };
    (0..count).map(line).collect()
}

fn wait_until_committed(kafka: &SecureKafka, topic: &str, child: &mut Child, records: i64) {
    wait_until_committed_at(&kafka.open, topic, child, records);
}

fn wait_until_committed_at(kafka: &Kafka, topic: &str, child: &mut Child, records: i64) {
    for _ in 0..PATIENCE.as_millis() / LOOK_EVERY.as_millis() {
        let committed = kafka.committed(topic, topic);
        if committed.iter().filter_map(|it| it.offset).sum::<i64>() >= records {
            return;
        }
        let has_ended = child.try_wait().unwrap().is_some();
        assert!(!has_ended, "the service ended: {}", output(child).1);
        std::thread::sleep(LOOK_EVERY);
    }
    child.kill().unwrap();
    panic!("{records} records were not committed: {}", output(child).1);
}

fn stop(child: &mut Child) -> String {
    let done = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
    let code = wait(child, PATIENCE);
    let (_, err) = output(child);
    assert_eq!(code, 0, "{err}");
    assert!(!err.contains(PASSWORD), "{err}");
    err
}

/// A service with this configuration reads all of a topic.
fn reads(kafka: &SecureKafka, name: &str, config: impl Fn(&Place) -> String) {
    let place = Place::new();
    let topic = kafka.topic(name, &lines(50));
    configure(&place, &topic, &config(&place));
    let mut child = start(&place, &["run"]);
    wait_until_committed(kafka, &topic, &mut child, 50);
    let said = stop(&mut child);
    assert!(said.contains("50 events"), "{said}");
}

/// A service with this configuration says one line and ends.
fn says(topic: &str, words: &[&str], config: impl Fn(&Place) -> String) {
    let place = Place::new();
    configure(&place, topic, &config(&place));
    let said = refused(&place, &["run"], words);
    println!("{}", said.line);
}

#[test]
fn a_password_opens_a_cluster_in_each_of_its_ways() {
    const TEST: &str = "a_password_opens_a_cluster_in_each_of_its_ways";
    let Some(kafka) = services::secure_kafka(TEST) else { return };
    for (listener, mechanism) in [
        ("SCRAM", "SCRAM-SHA-256"),
        ("SCRAM", "SCRAM-SHA-512"),
        ("SCRAM", "PLAIN"),
        ("SECURE", "SCRAM-SHA-512"),
        ("SECURE", "PLAIN"),
    ] {
        let more = format!("sasl_mechanism = \"{mechanism}\"");
        reads(kafka, "password", |place| scram(kafka, place, listener, "habitus", &more));
    }
}

#[test]
fn a_certificate_opens_a_cluster_and_its_key_may_have_a_password() {
    const TEST: &str = "a_certificate_opens_a_cluster_and_its_key_may_have_a_password";
    let Some(kafka) = services::secure_kafka(TEST) else { return };
    reads(kafka, "tls", |_| tls(kafka, "TLS", "ca.pem", None));
    reads(kafka, "mtls", |_| tls(kafka, "MTLS", "ca.pem", Some("client")));
    reads(kafka, "mtls_key", |place| {
        let secret = place.write("password", PASSWORD);
        let (key, locked) = (kafka.file("client.key"), place.path("locked.key"));
        let made = Command::new("openssl")
            .args(["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout"])
            .arg(format!("file:{secret}"))
            .arg("-in")
            .arg(&key)
            .arg("-out")
            .arg(&locked)
            .status()
            .expect("openssl is needed: apt-get install openssl");
        assert!(made.success());
        let text = tls(kafka, "MTLS", "ca.pem", Some("client"));
        let text = text.replace(key.to_str().unwrap(), locked.to_str().unwrap());
        format!("{text}[kafka.ssl_key_password]\nfile = \"{secret}\"\n")
    });
}

#[test]
fn whoever_is_refused_says_so_in_one_line() {
    const TEST: &str = "whoever_is_refused_says_so_in_one_line";
    let Some(kafka) = services::secure_kafka(TEST) else { return };
    let topic = kafka.topic("refused", &lines(1));
    let wrong = |place: &Place, listener: &str, mechanism: &str| {
        let text = format!("sasl_mechanism = \"{mechanism}\"");
        let text = scram(kafka, place, listener, "habitus", &text);
        place.write("password", "lion");
        text
    };
    let words = ["refuses user habitus", "kafka.sasl_password"];
    says(&topic, &words, |place| wrong(place, "SCRAM", "SCRAM-SHA-512"));
    says(&topic, &words, |place| wrong(place, "SECURE", "PLAIN"));
    says(&topic, &["user stranger may not read topic", "DESCRIBE and READ"], |place| {
        scram(kafka, place, "SCRAM", "stranger", "")
    });
    says("nowhere", &["topic nowhere is not there", "create it"], |place| {
        scram(kafka, place, "SCRAM", "habitus", "")
    });
    says(&topic, &["refuses a client without a name", "kafka.ssl_certificate_file"], |_| {
        tls(kafka, "MTLS", "ca.pem", None)
    });
    says(&topic, &["refuses this certificate", "kafka.ssl_certificate_file"], |_| {
        tls(kafka, "MTLS", "ca.pem", Some("stranger"))
    });
}

#[test]
fn a_broker_that_is_not_believed_is_named_in_one_line() {
    const TEST: &str = "a_broker_that_is_not_believed_is_named_in_one_line";
    let Some(kafka) = services::secure_kafka(TEST) else { return };
    let topic = kafka.topic("unbelieved", &lines(1));
    let words = ["nobody believed signed the certificate", "kafka.ssl_ca_file"];
    says(&topic, &words, |_| tls(kafka, "TLS", "other-ca.pem", None));
    let words = ["the certificate of localhost", "has expired", "clock"];
    says(&topic, &words, |_| tls(kafka, "EXPIRED", "ca.pem", None));
    let words = ["is of another name", "kafka.bootstrap_servers"];
    says(&topic, &words, |_| tls(kafka, "OTHER", "ca.pem", None));
}

#[test]
fn a_port_that_speaks_otherwise_is_named_in_one_line() {
    const TEST: &str = "a_port_that_speaks_otherwise_is_named_in_one_line";
    let Some(kafka) = services::secure_kafka(TEST) else { return };
    let topic = kafka.topic("otherwise", &lines(1));
    let words = ["no Kafka broker of localhost", "kafka.bootstrap_servers"];
    says(&topic, &words, |_| plain(&format!("localhost:{}", closed_port())));
    let mute = other_service(b"");
    says(&topic, &words, |_| plain(&format!("localhost:{mute}")));
    says(&topic, &["no Kafka broker of nobody.invalid:9092"], |_| {
        format!("{}allow_plaintext = true\n", plain("nobody.invalid:9092"))
    });
    let http = other_service(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    says(&topic, &["is no Kafka broker", "check the port"], |_| {
        plain(&format!("localhost:{http}"))
    });
    says(&topic, &["no TLS is spoken at localhost", "kafka.security_protocol"], |_| {
        tls(kafka, "LOCAL", "ca.pem", None)
    });
    let words = ["wants more than plaintext", "kafka.security_protocol"];
    says(&topic, &words, |_| plain(&kafka.server("TLS")));
    says(&topic, &words, |_| plain(&kafka.server("SCRAM")));
}

/// An unsigned token, as a broker for tests takes it, that lasts so many seconds from now.
#[expect(clippy::disallowed_methods, reason = "a token ends by the clock on the wall")]
fn token(seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let claims = format!("{{\"sub\":\"habitus\",\"iat\":{now},\"exp\":{}}}", now + seconds);
    format!("{}.{}.", base64_url("{\"alg\":\"none\"}"), base64_url(&claims))
}

fn base64_url(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    let mut encoded = String::new();
    for three in text.as_bytes().chunks(3) {
        let byte = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digits = [digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)];
        encoded.extend(&digits[..=three.len()]);
    }
    encoded
}

/// A provider whose tokens last so many seconds, or that gives none; where it is, and how often it
/// was asked.
fn provider(seconds: Option<u64>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut request, mut piece) = (Vec::new(), [0; 4096]);
            while !String::from_utf8_lossy(&request).contains("grant_type=client_credentials") {
                let read = stream.read(&mut piece).unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&request));
                request.extend_from_slice(&piece[..read]);
            }
            count.fetch_add(1, Ordering::Relaxed);
            let (status, body) = match seconds {
                Some(seconds) => ("200 OK", format!("{{\"access_token\":\"{}\"}}", token(seconds))),
                None => ("401 Unauthorized", "{\"error\":\"invalid_client\"}".to_owned()),
            };
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (url, asked)
}

fn bearer(kafka: &SecureKafka, oauth: &str) -> String {
    format!(
        "bootstrap_servers = [\"{}\"]\nsecurity_protocol = \"sasl_ssl\"\n\
         sasl_mechanism = \"OAUTHBEARER\"\nssl_ca_file = \"{}\"\n[kafka.oauth]\n{oauth}",
        kafka.server("SECURE"),
        kafka.file("ca.pem").display(),
    )
}

/// A provider with a client's name and secret.
fn client(place: &Place, url: &str) -> String {
    let secret = place.write("secret", PASSWORD);
    format!(
        "token_url = \"{url}\"\nclient_id = \"habitus\"\nscope = \"kafka\"\n\
         [kafka.oauth.client_secret]\nfile = \"{secret}\"\n"
    )
}

#[test]
fn a_token_opens_a_cluster_and_is_renewed_before_it_ends() {
    const TEST: &str = "a_token_opens_a_cluster_and_is_renewed_before_it_ends";
    let Some(kafka) = services::secure_kafka(TEST) else { return };
    reads(kafka, "token_command", |place| {
        let file = place.write("token", token(3_600));
        bearer(kafka, &format!("[kafka.oauth.token]\ncommand = [\"cat\", \"{file}\"]\n"))
    });
    let (url, asked) = provider(Some(5));
    let (place, topic) = (Place::new(), kafka.topic("token_endpoint", &lines(50)));
    configure(&place, &topic, &bearer(kafka, &client(&place, &url)));
    let mut child = start(&place, &["run"]);
    wait_until_committed(kafka, &topic, &mut child, 50);
    // The group's member and the reader have had one each; sessions of 4 s need new ones.
    for _ in 0..PATIENCE.as_millis() / LOOK_EVERY.as_millis() {
        if asked.load(Ordering::Relaxed) >= 6 {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    assert!(asked.load(Ordering::Relaxed) >= 6);
    let late = lines(60);
    let late =
        late.iter().skip(50).map(|line| Record { payload: line.as_bytes(), ..Record::default() });
    kafka.open.produce(&topic, late);
    wait_until_committed(kafka, &topic, &mut child, 60);
    let said = stop(&mut child);
    assert!(said.contains("60 events"), "{said}");
}

#[test]
fn a_token_that_is_not_to_be_had_is_named_in_one_line() {
    const TEST: &str = "a_token_that_is_not_to_be_had_is_named_in_one_line";
    let Some(kafka) = services::secure_kafka(TEST) else { return };
    let topic = kafka.topic("token_refused", &lines(1));
    let (url, _) = provider(None);
    says(&topic, &["no token", "invalid_client", "client_secret"], |place| {
        bearer(kafka, &client(place, &url))
    });
    let gone = format!("http://127.0.0.1:{}/token", closed_port());
    says(&topic, &["no token", "does not answer"], |place| bearer(kafka, &client(place, &gone)));
    says(&topic, &["no token", "kafka.oauth.token", "exit status: 1"], |_| {
        bearer(kafka, "[kafka.oauth.token]\ncommand = [\"false\"]\n")
    });
    says(&topic, &["refuses the bearer of this token"], |_| {
        bearer(kafka, "[kafka.oauth.token]\ncommand = [\"echo\", \"nonsense\"]\n")
    });
}

#[test]
fn a_password_that_is_taken_away_stops_the_service_after_a_while() {
    const TEST: &str = "a_password_that_is_taken_away_stops_the_service_after_a_while";
    let Some(kafka) = services::secure_kafka(TEST) else { return };
    let (place, topic) = (Place::new(), kafka.topic("revoked", &lines(20)));
    let more = "sasl_mechanism = \"SCRAM-SHA-256\"";
    configure(&place, &topic, &scram(kafka, &place, "SCRAM", "leaver", more));
    let mut child = start(&place, &["run"]);
    wait_until_committed(kafka, &topic, &mut child, 20);
    kafka.remove("leaver");
    let code = wait(&mut child, PATIENCE);
    let (_, err) = output(&mut child);
    assert_eq!(code, 1, "{err}");
    let last = err.lines().last().unwrap();
    assert!(last.contains(" error: ") && last.contains("refuses user leaver"), "{err}");
    // What it complained of meanwhile is bounded, and shows no secret.
    assert!(err.lines().count() < 30 && !err.contains(PASSWORD), "{err}");
}

#[test]
fn a_topic_that_is_removed_stops_the_service() {
    const TEST: &str = "a_topic_that_is_removed_stops_the_service";
    let Some(kafka) = services::secure_kafka(TEST) else { return };
    let (place, topic) = (Place::new(), kafka.topic("removed", &lines(20)));
    configure(&place, &topic, &plain(&kafka.server("LOCAL")));
    let mut child = start(&place, &["run"]);
    wait_until_committed(kafka, &topic, &mut child, 20);
    kafka.open.delete_topic(&topic);
    let code = wait(&mut child, PATIENCE + Duration::from_mins(1));
    let (_, err) = output(&mut child);
    assert_eq!(code, 1, "{err}");
    let last = err.lines().last().unwrap();
    assert!(last.contains(" error: a topic was removed while it was read"), "{err}");
}

#[test]
fn a_broker_that_stands_still_is_waited_for_and_nothing_is_lost() {
    const TEST: &str = "a_broker_that_stands_still_is_waited_for_and_nothing_is_lost";
    let Some(kafka) = Kafka::start_own(TEST) else { return };
    let (place, topic, lines) = (Place::new(), services::unique("still"), lines(300));
    kafka.create_topic(&topic, 2, &[]);
    let produce = |from: usize, to: usize| {
        let some = lines.iter().skip(from).take(to - from);
        kafka.produce(
            &topic,
            some.map(|line| Record { payload: line.as_bytes(), ..Record::default() }),
        );
    };
    configure(&place, &topic, &plain(&kafka.bootstrap));
    let mut child = start(&place, &["run"]);
    produce(0, 100);
    wait_until_committed_at(&kafka, &topic, &mut child, 100);
    // What is read now is to be committed while nobody answers, for longer than a session lasts.
    produce(100, 200);
    kafka.freeze(true);
    std::thread::sleep(Duration::from_secs(25));
    let has_ended = child.try_wait().unwrap();
    kafka.freeze(false);
    assert_eq!(has_ended, None, "{}", output(&mut child).1);
    produce(200, 300);
    wait_until_committed_at(&kafka, &topic, &mut child, 300);
    let said = stop(&mut child);
    assert!(said.lines().count() < 30, "{said}");
    // One that was replaced meanwhile has read some again; none was left out.
    let last = said.lines().last().unwrap();
    let events = last.split(" events").next().unwrap().rsplit(' ').next().unwrap();
    assert!(events.parse::<u64>().unwrap() >= 300, "{said}");
}

#[test]
fn a_service_stops_in_time_though_its_broker_stands_still() {
    const TEST: &str = "a_service_stops_in_time_though_its_broker_stands_still";
    let Some(kafka) = Kafka::start_own(TEST) else { return };
    let (place, topic, lines) = (Place::new(), services::unique("stop"), lines(200));
    kafka.create_topic(&topic, 1, &[]);
    let produce = |some: &[String]| {
        let record = |line: &'_ String| line.clone().into_bytes();
        let all: Vec<_> = some.iter().map(record).collect();
        kafka.produce(&topic, all.iter().map(|it| Record { payload: it, ..Record::default() }));
    };
    configure(&place, &topic, &plain(&kafka.bootstrap));
    let mut child = start(&place, &["run"]);
    produce(&lines[..100]);
    wait_until_committed_at(&kafka, &topic, &mut child, 100);
    // Read, and to be committed when nobody answers any more.
    produce(&lines[100..]);
    std::thread::sleep(Duration::from_millis(300));
    kafka.freeze(true);
    let started = clock();
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let code = wait(&mut child, PATIENCE);
    let took = started.elapsed();
    kafka.freeze(false);
    let (_, err) = output(&mut child);
    assert!(code == 0 && took < Duration::from_secs(10), "{code} after {took:?}: {err}");
    // The next start goes on from the last commit.
    let mut child = start(&place, &["run"]);
    wait_until_committed_at(&kafka, &topic, &mut child, 200);
    stop(&mut child);
}

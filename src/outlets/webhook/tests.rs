//! The webhook against a small server that answers as it is told.

use super::*;
use ring::hmac;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;
use tempfile::TempDir;

const SECRET: &str = "a secret of more than 24 bytes";
/// How long a test waits for what it wants to see.
const PATIENCE: Duration = Duration::from_mins(1);
const PACE: Pace = Pace { first: Duration::from_millis(20), longest: Duration::from_millis(100) };

/// What the server does with a request, after it has read all of it.
#[derive(Clone, Copy, Debug)]
enum Reply {
    /// A status, and a header line or none.
    Says(u16, &'static str),
    /// Closes the connection.
    Hangs,
    /// Answers nothing for a second.
    Sleeps,
}

const TAKEN: Reply = Reply::Says(204, "");

/// A request as it came, and when.
#[derive(Debug)]
struct Request {
    at: Instant,
    line: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Request {
    #[track_caller]
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|it| it.0 == name);
        &found.unwrap_or_else(|| panic!("no {name} in {:?}", self.headers)).1
    }
}

/// Serves the replies in turn, one request each, and then 204 for ever.
fn serve(replies: &[Reply]) -> (u16, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, serve_on(listener, replies))
}

fn serve_on(listener: TcpListener, replies: &[Reply]) -> Receiver<Request> {
    let (send, receive) = sync_channel(1_024);
    let replies = replies.to_vec();
    std::thread::spawn(move || {
        let mut replies = replies.into_iter();
        while let Ok((mut stream, _)) = listener.accept() {
            let Some(request) = read(&stream) else { continue };
            if send.send(request).is_err() {
                return;
            }
            match replies.next().unwrap_or(TAKEN) {
                Reply::Hangs => {}
                Reply::Sleeps => std::thread::sleep(Duration::from_secs(1)),
                Reply::Says(status, header) => {
                    let head = format!(
                        "HTTP/1.1 {status} x\r\n{header}Connection: close\r\nContent-Length: 0\r\n\r\n"
                    );
                    // Whoever has run out of patience is gone.
                    stream.write_all(head.as_bytes()).ok();
                }
            }
        }
    });
    receive
}

#[expect(clippy::disallowed_methods, reason = "the pauses of the sender are measured")]
fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let line = |reader: &mut BufReader<&TcpStream>| {
        let mut line = String::new();
        reader.read_line(&mut line).ok().map(|_| line.trim_end().to_owned())
    };
    let first = line(&mut reader).filter(|it| !it.is_empty())?;
    let mut headers = Vec::new();
    while let Some((name, value)) = line(&mut reader)?.split_once(": ") {
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|it| it.0 == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    Some(Request { at: Instant::now(), line: first, headers, body })
}

/// A webhook with its own runtime and directory.
struct Bench {
    home: TempDir,
    runtime: tokio::runtime::Runtime,
}

/// 2026-03-01T10:00:00Z.
fn wall() -> Time {
    Time::from_ns(1_772_359_200_000_000_000)
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        Self { home: tempfile::tempdir().unwrap(), runtime }
    }

    fn open(&self, port: u16) -> Webhook {
        self.open_at(port, wall)
    }

    fn open_at(&self, port: u16, wall: fn() -> Time) -> Webhook {
        let file = self.home.path().join("secret");
        std::fs::write(&file, SECRET).unwrap();
        let settings = Settings {
            url: format!("http://127.0.0.1:{port}/hook?room=1"),
            timeout_ms: 400,
            secret: SecretSource { file: Some(file), command: Vec::new() },
            ..Settings::default()
        };
        let undelivered = Undelivered::new(self.home.path());
        let handle = self.runtime.handle();
        Webhook::with_pace(&settings, self.home.path(), undelivered, handle, wall, PACE).unwrap()
    }

    /// The lines of the dead-letter file.
    fn dead(&self) -> Vec<serde_json::Value> {
        let path = self.home.path().join("outlet-dead-letters.ndjson");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn event(number: u64) -> Event {
    let body = format!("{{\"number\":{number}}}");
    Event { id: format!("id-{number}"), revision: 1, severity: Severity::High, body }
}

fn say(webhook: &mut Webhook, events: &[Event]) {
    for event in events {
        webhook.take(event);
    }
    webhook.flush().unwrap();
}

fn counts(webhook: &Webhook) -> Counts {
    let mut counts = Counts::default();
    webhook.count(&mut counts);
    counts
}

/// Waits until nothing is pending.
#[track_caller]
fn drained(webhook: &Webhook) -> Counts {
    let look = Duration::from_millis(10);
    for _ in 0..PATIENCE.as_millis() / look.as_millis() {
        if counts(webhook).webhook_pending == 0 {
            return counts(webhook);
        }
        std::thread::sleep(look);
    }
    panic!("{:?}", counts(webhook));
}

fn ids(asked: &Receiver<Request>) -> Vec<String> {
    asked.try_iter().map(|it| it.header("webhook-id").to_owned()).collect()
}

#[test]
fn outlets_webhook_signs_what_it_posts() {
    let bench = Bench::new();
    let (port, asked) = serve(&[]);
    let mut webhook = bench.open(port);
    say(&mut webhook, &[event(7)]);
    let request = asked.recv_timeout(PATIENCE).unwrap();
    assert_eq!(request.line, "POST /hook?room=1 HTTP/1.1");
    assert_eq!(request.body, "{\"number\":7}");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("webhook-id"), "id-7_1");
    assert_eq!(request.header("webhook-timestamp"), "1772359200");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = request.header("webhook-signature").strip_prefix("v1,").unwrap();
    let tag = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, signature);
    hmac::verify(&key, b"id-7_1.1772359200.{\"number\":7}", &tag.unwrap()).unwrap();
    assert_eq!(drained(&webhook), Counts { webhook_sent: 1, ..Counts::default() });
    assert!(bench.dead().is_empty());
}

#[test]
fn outlets_webhook_tries_again_until_it_is_taken() {
    let bench = Bench::new();
    let replies =
        [Reply::Says(500, ""), Reply::Sleeps, Reply::Hangs, Reply::Says(302, "Location: /x\r\n")];
    let (port, asked) = serve(&replies);
    let mut webhook = bench.open(port);
    say(&mut webhook, &[event(1), event(2)]);
    let counts = drained(&webhook);
    assert_eq!((counts.webhook_sent, counts.webhook_given_up), (2, 0));
    assert!(counts.webhook_retries >= 4, "{counts:?}");
    let requests: Vec<_> = asked.try_iter().collect();
    assert!(requests.iter().all(|it| it.line.starts_with("POST /hook")), "no redirect is followed");
    let ids: Vec<_> = requests.iter().map(|it| it.header("webhook-id")).collect();
    let (last, before) = ids.split_last().unwrap();
    assert_eq!(*last, "id-2_1", "in their order");
    assert!(before.len() >= 4 && before.iter().all(|id| *id == "id-1_1"), "{ids:?}");
}

#[test]
fn outlets_webhook_waits_as_long_as_it_is_asked_to() {
    let bench = Bench::new();
    let (port, asked) = serve(&[Reply::Says(429, "Retry-After: 1\r\n")]);
    let mut webhook = bench.open(port);
    say(&mut webhook, &[event(1)]);
    let first = asked.recv_timeout(PATIENCE).unwrap();
    let second = asked.recv_timeout(PATIENCE).unwrap();
    assert!(second.at - first.at >= Duration::from_millis(950), "{:?}", second.at - first.at);
    assert_eq!(drained(&webhook).webhook_sent, 1);
}

#[test]
fn outlets_webhook_keeps_what_is_refused() {
    let bench = Bench::new();
    let (port, asked) = serve(&[Reply::Says(400, "")]);
    let mut webhook = bench.open(port);
    say(&mut webhook, &[event(1), event(2)]);
    let counts = drained(&webhook);
    assert_eq!((counts.webhook_sent, counts.webhook_given_up, counts.webhook_retries), (1, 1, 0));
    let dead = bench.dead();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0]["outlet"], "webhook");
    assert_eq!(dead[0]["why"], "it answered 400");
    assert_eq!(dead[0]["event"]["number"], 1);
    assert_eq!(ids(&asked), ["id-1_1", "id-2_1"]);
}

#[test]
fn outlets_webhook_goes_on_where_another_process_ended() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut webhook = bench.open(port);
    say(&mut webhook, &[event(1), event(2)]);
    // The same epoch again, as after a crash: what waits already is not put there twice.
    say(&mut webhook, &[event(2), event(3)]);
    webhook.close();
    drop(webhook);
    let asked = serve_on(TcpListener::bind(("127.0.0.1", port)).unwrap(), &[]);
    let webhook = bench.open(port);
    assert_eq!(drained(&webhook).webhook_sent, 3);
    assert_eq!(ids(&asked), ["id-1_1", "id-2_1", "id-3_1"]);
}

#[test]
fn outlets_webhook_lets_others_pass_one_that_always_fails() {
    let bench = Bench::new();
    let replies = [Reply::Says(500, ""); 10];
    let (port, asked) = serve(&replies);
    let mut webhook = bench.open(port);
    say(&mut webhook, &[event(1), event(2)]);
    assert_eq!(drained(&webhook).webhook_sent, 2);
    let ids = ids(&asked);
    assert_eq!(ids.len(), 12);
    assert_eq!(ids[9..], ["id-1_1", "id-2_1", "id-1_1"]);
}

#[test]
fn outlets_webhook_gives_up_after_three_days() {
    let bench = Bench::new();
    let (port, _asked) = serve(&[Reply::Says(503, "Retry-After: 3600\r\n")]);
    let mut webhook = bench.open(port);
    say(&mut webhook, &[event(1)]);
    let tried = || counts(&webhook).webhook_retries > 0;
    for _ in 0..PATIENCE.as_millis() / 10 {
        if tried() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(tried());
    drop(webhook);
    let (port, _asked) = serve(&[Reply::Says(503, "")]);
    let later = || wall().plus(4 * model::time::NS_PER_D);
    let webhook = bench.open_at(port, later);
    assert_eq!(drained(&webhook).webhook_given_up, 1);
    assert_eq!(bench.dead()[0]["why"], "not taken in three days: it answered 503");
}

#[test]
fn outlets_webhook_is_bounded_on_disk() {
    let bench = Bench::new();
    let (port, _asked) = serve(&[Reply::Says(503, "Retry-After: 3600\r\n")]);
    // All are there before anybody reads them: a file that is half written is no event.
    let dir = bench.home.path().join("webhook");
    std::fs::create_dir(&dir).unwrap();
    for number in 0..PENDING_MAX - 1 {
        let name = format!("{number:020}.old-{number}_1.json");
        std::fs::write(dir.join(name), format!("{}\n{{}}\n", wall().ns())).unwrap();
    }
    let mut webhook = bench.open(port);
    say(&mut webhook, &[event(1), event(2)]);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), PENDING_MAX + 1, "and the lock");
    let dead = bench.dead();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0]["event"]["number"], 2);
    assert!(dead[0]["why"].as_str().unwrap().contains("10000 events wait"));
    assert_eq!(counts(&webhook).webhook_given_up, 1);
}

#[test]
fn outlets_webhook_leaves_out_what_matters_little() {
    let bench = Bench::new();
    let (port, asked) = serve(&[]);
    let mut webhook = bench.open(port);
    let little = Event { severity: Severity::Info, ..event(1) };
    say(&mut webhook, &[little, event(2)]);
    assert_eq!(drained(&webhook).webhook_sent, 1);
    assert_eq!(ids(&asked), ["id-2_1"]);
}

//! Mutations of all samples, canaries in all of their fields, and lines that would take a careless
//! parser quadratic time.

use super::{Sample, own, shared};
use crate::format::check::{objects, parse, parser};
use crate::{Chunk, FormatId, Settings, sniff};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Mutations of each record.
const MUTATIONS: u64 = 40;
/// Records of one sample that are looked at.
const RECORDS_MAX: usize = 40;

/// A small generator of numbers (splitmix64): the same ones in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

fn all() -> impl Iterator<Item = Sample> {
    shared().into_iter().chain(own())
}

/// Changes a record in one way or another.
fn mutate(line: &mut Vec<u8>, numbers: &mut Numbers) {
    const PIECES: [&[u8]; 14] = [
        b"\"",
        b"\\",
        b" ",
        b"[",
        b"]",
        b"{",
        b"}",
        b"\t",
        b"|",
        b"-",
        b"\xff\xfe",
        b"\\\"",
        b",",
        b"99999999999999999999",
    ];
    let at = numbers.below(line.len() + 1);
    match numbers.below(6) {
        0 => line.truncate(at),
        1 => {
            let end = (at + numbers.below(12)).min(line.len());
            line.drain(at..end);
        }
        2 => {
            let piece = PIECES[numbers.below(PIECES.len())];
            line.splice(at..at, piece.iter().copied());
        }
        3 => {
            let end = (at + numbers.below(60)).min(line.len());
            let piece = line[at..end].to_vec();
            let to = numbers.below(line.len() + 1);
            line.splice(to..to, piece);
        }
        4 => {
            if let Some(byte) = line.get_mut(at) {
                *byte = numbers.next() as u8;
            }
        }
        _ => {
            let piece = PIECES[numbers.below(PIECES.len())].repeat(30);
            line.splice(at..at, piece);
        }
    }
}

#[test]
fn a_changed_record_is_an_event_or_a_reject() {
    let mut numbers = Numbers(5);
    let mut count = 0;
    for sample in all() {
        for number in sample.records().take(RECORDS_MAX).collect::<Vec<_>>() {
            let format = sniff::record(&sample.alone(number));
            for _ in 0..MUTATIONS {
                let mut line = sample.alone(number);
                for _ in 0..=numbers.below(3) {
                    mutate(&mut line, &mut numbers);
                }
                for format in [None, format] {
                    let parsed = parse(&line, format);
                    let events = parsed.batch.events.len() as u64;
                    let shown = String::from_utf8_lossy(&line);
                    assert_eq!(parsed.records, events + parsed.rejects.total(), "{shown}");
                    // What is written is read again.
                    let again: Vec<u8> = objects(&parsed.batch)
                        .into_iter()
                        .flat_map(|it| {
                            Value::Object(it).to_string().into_bytes().into_iter().chain(*b"\n")
                        })
                        .collect();
                    let again = parse(&again, Some(FormatId::Canonical));
                    assert_eq!(again.rejects.total(), 0, "{shown}: {:?}", again.rejects);
                    assert_eq!(again.batch.events.len() as u64, events, "{shown}");
                    count += 1;
                }
            }
        }
    }
    println!("{count} changed records");
}

/// Secrets of which no byte may be kept, whatever field they stand in.
const CANARIES: [&str; 4] = [
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjNG40cnkifQ.c2lnbmF0dXJl",
    "AKIAC4N4RYC4N4RYC4N4",
    "ghp_c4n4ryc4n4ryc4n4ryc4n4ryc4n4ry0000",
    "sk-c4n4ryc4n4ryc4n4ryc4n4ry",
];

/// The line with the canary in the place of each value in turn.
fn planted(line: &str, canary: &str) -> Vec<String> {
    let mut out = Vec::new();
    if let Ok(value) = serde_json::from_str::<Value>(line) {
        plant(&value, &mut |planted: Value| out.push(planted.to_string()), canary);
        return out;
    }
    let is_part = |it: char| it.is_alphanumeric();
    let mut start = None;
    for (at, it) in line.char_indices().chain([(line.len(), ' ')]) {
        match (start, is_part(it)) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                let (before, after) = (line.get(..from), line.get(at..));
                out.push([before.unwrap_or(""), canary, after.unwrap_or("")].concat());
                start = None;
            }
            _ => {}
        }
    }
    out
}

/// Calls `each` with the value, one of its leaves replaced, for every leaf.
fn plant(value: &Value, each: &mut dyn FnMut(Value), canary: &str) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                plant(
                    inner,
                    &mut |planted| {
                        let mut copy = members.clone();
                        copy.insert(name.clone(), planted);
                        each(Value::Object(copy));
                    },
                    canary,
                );
            }
        }
        Value::Array(elements) => {
            for (index, inner) in elements.iter().enumerate().take(4) {
                plant(
                    inner,
                    &mut |planted| {
                        let mut copy = elements.clone();
                        copy[index] = planted;
                        each(Value::Array(copy));
                    },
                    canary,
                );
            }
        }
        Value::String(text) => {
            each(Value::from(canary));
            each(Value::from(format!("{text} {canary}")));
        }
        _ => each(Value::from(canary)),
    }
}

#[test]
fn no_canary_in_any_field_of_any_sample_is_kept() {
    let mut count = 0;
    let keeping = parser(&Settings::default()).keeping_rejects();
    for sample in all() {
        for number in sample.records().take(RECORDS_MAX / 4).collect::<Vec<_>>() {
            let Ok(line) = String::from_utf8(sample.alone(number)) else { continue };
            let (head, line) = line.rsplit_once('\n').unwrap_or(("", &line));
            let canary = CANARIES[count % CANARIES.len()];
            let format = sniff::record(&sample.alone(number));
            for planted in planted(line, canary) {
                let bytes = format!("{head}\n{planted}").into_bytes();
                let chunk = Chunk { bytes, ..Chunk::default() };
                let parsed = keeping.parse(&chunk, format);
                let kept = format!("{:?}{:?}", objects(&parsed.batch), parsed.rejects);
                assert!(!kept.contains(canary), "{}:{number}: {planted}: {kept}", sample.name);
                let said = crate::explain::explain(&chunk.bytes, &keeping, None);
                let said =
                    said.map_or_else(|it| format!("{it} {it:?}"), |it| format!("{it} {it:?}"));
                assert!(!said.contains(canary), "{}:{number}: {said}", sample.name);
                count += 1;
            }
        }
    }
    println!("{count} planted canaries");
}

/// Lines of what is no access log: other programs, other formats, and messages of the same gateways.
const FOREIGN: &str = r#"
2026/03/10 03:36:59 [error] 31#31: *1 open() "/x" failed (2: No such file or directory), client: 1.2.3.4, server: a, request: "GET /x HTTP/1.1", host: "a"
2026/03/10 03:36:59 [warn] 31#31: 1024 worker_connections exceed open file resource limit: 512
2026/03/10 03:36:59 [crit] 1#0: *7 SSL_do_handshake() failed (SSL: error:0A00006C) while SSL handshaking, client: 1.2.3.4, server: 0.0.0.0:443
[Tue Mar 10 03:36:59.123456 2026] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187] File does not exist: /x
[Tue Mar 10 03:36:59 2026] [notice] Apache/2.4.1 (Unix) configured -- resuming normal operations
[2026-03-10 03:36:59.123][1][info][main] [source/server/server.cc:867] starting main dispatch loop
[2026-03-10 03:36:59.123][14][debug][http] [source/common/http/conn_manager_impl.cc:1100] [C1][S2] request end stream
2026-03-10T03:36:59.123456Z	info	xdsproxy	connected to upstream XDS server: istiod.istio-system.svc:15012
2026/03/10 03:36:59 [notice] 1270#0: *3 [kong] handler.lua:52 [acme] starting, context: ngx.timer
{"level":"info","time":"2026-03-10T03:36:59Z","message":"Configuration loaded from file: /etc/traefik/traefik.yml"}
{"level":"error","entryPointName":"web","routerName":"a@file","error":"x","time":"2026-03-10T03:36:59Z","message":"build router"}
{"level":"info","ts":1773113819.1,"logger":"admin","msg":"admin endpoint started","address":"localhost:2019"}
{"level":"info","ts":1773113819.1,"logger":"tls.obtain","msg":"certificate obtained successfully","identifier":"a.example"}
Mar 10 03:36:59 lb haproxy[12]: Proxy http-in started.
Mar 10 03:36:59 lb haproxy[12]: Server app/srv1 is DOWN, reason: Layer4 timeout, check duration: 2001ms. 0 active and 0 backup servers left.
[GIN-debug] GET    /ping                     --> main.main.func1 (3 handlers)
[GIN-debug] Listening and serving HTTP on :8080
 ▶ INFO [SERVICE: Gin] Listening on port: 8080
2026-03-10T03:36:59.123Z  INFO 1 --- [           main] o.s.b.w.embedded.netty.NettyWebServer    : Netty started on port 8080
2026-03-10 03:36:59,123 [main] ERROR com.acme.Orders - failed to call http://a.example/orders: 500
java.lang.IllegalStateException: GET /orders returned 500
	at com.acme.Orders.call(Orders.java:42) ~[app.jar:1.0]
Traceback (most recent call last):
  File "/app/main.py", line 7, in <module>
ERROR:    Exception in ASGI application
INFO:     Started server process [1]
panic: runtime error: invalid memory address or nil pointer dereference
I0310 03:36:59.123456       1 controller.go:119] Starting workers
E0310 03:36:59.123456       1 reflector.go:147] failed to list *v1.Pod: Get "https://10.0.0.1:443/api/v1/pods": dial tcp: i/o timeout
2026-03-10 03:36:59.123 UTC [42] LOG:  statement: SELECT status FROM orders WHERE id = 200
2026-03-10T03:36:59.123456Z 12 [Note] [MY-010051] [Server] Event Scheduler: scheduler thread started
1:M 10 Mar 2026 03:36:59.123 * Ready to accept connections
time="2026-03-10T03:36:59Z" level=info msg="shim disconnected" id=abc
ts=2026-03-10T03:36:59.123Z caller=main.go:563 level=info msg="Server is ready to receive web requests."
{"kind":"Event","apiVersion":"v1","metadata":{"name":"a.1"},"involvedObject":{"kind":"Pod","name":"a"},"reason":"Pulled","message":"x","firstTimestamp":"2026-03-10T03:36:59Z","count":1,"type":"Normal"}
{"kind":"Status","apiVersion":"v1","status":"Failure","message":"x","reason":"NotFound","code":404}
{"name":"app","hostname":"h","pid":1,"level":30,"msg":"listening","time":"2026-03-10T03:36:59.123Z","v":0}
{"@timestamp":"2026-03-10T03:36:59.123Z","log.level":"INFO","message":"started","ecs.version":"1.2.0","service.name":"a"}
{"timestamp":"2026-03-10T03:36:59Z","severity":"ERROR","textPayload":"connection refused","logName":"projects/p/logs/x","resource":{"type":"k8s_container"}}
{"metric":"cpu","time":1773113819,"value":0.7,"host":"a"}
{"eventVersion":"2.1","eventSource":"aws:s3","eventTime":"2026-03-10T03:36:59.123Z","eventName":"ObjectCreated:Put","s3":{"object":{"key":"a"}}}
{"version":"0","id":"x","detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","time":"2026-03-10T03:36:59Z","detail":{"instance-id":"i-1","state":"running"}}
{"records":[{"time":"2026-03-10T03:36:59Z","category":"AllMetrics","metricName":"Requests","total":7}]}
{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"http.server.request.duration"}]}]}]}
{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1773113819000000000","body":{"stringValue":"started"}}]}]}]}
{"timestamp":1773113819.123456,"flow_id":1,"event_type":"alert","src_ip":"1.2.3.4","dest_ip":"10.0.0.1","alert":{"signature":"x"}}
{"user":"jo","action":"login","result":"ok"}
{"type":"log","log":{"level":"info"},"time":"2026-03-10T03:36:59Z"}
<134>Mar 10 03:36:59 fw-1 kernel: [UFW BLOCK] IN=eth0 OUT= SRC=1.2.3.4 DST=10.0.0.1 LEN=40 PROTO=TCP SPT=1 DPT=22
<86>1 2026-03-10T03:36:59Z host sshd 12 - - Failed password for root from 1.2.3.4 port 22 ssh2
CEF:0|Acme|IDS|1.0|100|worm stopped|10|src=10.0.0.1 dst=2.1.2.2 spt=1232 rt=1773113819000
LEEF:1.0|Acme|IDS|1.0|100|src=10.0.0.1	dst=2.1.2.2	devTime=Mar 10 2026 03:36:59
date,client,status,path
2026-03-10,1.2.3.4,200,/a
<?xml version="1.0" encoding="UTF-8"?>
<html><head><title>502 Bad Gateway</title></head></html>
---
key: value
GET /a HTTP/1.1
Host: a.example
HTTP/1.1 200 OK
curl -s http://a.example/orders/7
[]x
{}
null
42
"a line"
-----BEGIN CERTIFICATE-----
"#;

#[test]
fn what_is_no_access_is_refused_with_a_reason() {
    let mut wrong = Vec::new();
    for line in FOREIGN.lines().filter(|it| !it.trim().is_empty()) {
        let formats = FormatId::ALL.iter().copied().filter(|it| *it != FormatId::Canonical);
        for format in formats.map(Some).chain([None]) {
            let parsed = parse(line.as_bytes(), format);
            if !parsed.batch.events.is_empty() || parsed.rejects.total() == 0 {
                wrong.push(format!("{format:?}: {line}: {:?}", objects(&parsed.batch)));
                break;
            }
        }
        if let Ok(format) = sniff::stream(format!("{line}\n").as_bytes()) {
            wrong.push(format!("it looks like {format}: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How long the quickest of a few readings takes.
#[expect(clippy::disallowed_methods, reason = "what is measured here is time")]
fn quickest(bytes: &[u8], format: Option<FormatId>) -> Duration {
    let time = |_| {
        let start = Instant::now();
        let parsed = parse(bytes, format);
        assert!(parsed.records <= 1 + parsed.batch.events.len() as u64);
        start.elapsed()
    };
    (0..3).map(time).min().unwrap_or_default()
}

/// How lines begin.
const HEADS: [&str; 10] = [
    "[2026-03-10T03:36:59.409Z] \"GET /",
    "https 2026-03-10T03:36:59.186641Z app/my-lb/50dc 192.0.2.9:2817 10.0.0.1:80 0 0 0 200 200 5 5 \"GET /",
    "2026-03-10T03:36:59.186641Z my-lb 192.0.2.9:2817 10.0.0.1:80 0 0 0 200 200 5 5 \"GET /",
    "2026-03-10 03:36:59 10.0.2.10 GET /",
    "203.0.113.9:39759 [10/Mar/2026:03:36:59.633] web shop/s 0/0/0/1/1 200 5 ",
    "CEF:0|a|b|1|2|c|3|start=1773113819123 request=/",
    "LEEF:1.0|a|b|1|2|url=/",
    "[GIN] 2026/03/10 - 03:36:59 | 200 | 1ms | 203.0.113.9 | GET \"/",
    "<request id=\"c6af9ac6-7b61-11e6-9a41-93e8deadbeef\"> <ip>",
    "203.0.113.9 - - [10/Mar/2026:03:36:59 +0000] \"GET /",
];

/// Lines of a length that are bad for whoever looks back or calls itself.
fn traps(bytes: usize) -> Vec<String> {
    let fill = |unit: &str| unit.repeat(bytes / unit.len());
    let mut traps: Vec<String> = [
        "\"", "\\", "[", "]", "{", "}", "\\\"", "\" ", "\" \"", "] \"", "(", "|", "\\|", "=",
        "\\=", "\t", " - ", "a=", "<", "%", ": ", ",",
    ]
    .iter()
    .map(|it| fill(it))
    .collect();
    let query: String = (0..bytes / 8).fold(String::new(), |all, it| all + &format!("k{it}=1&"));
    let query = query.get(..bytes).unwrap_or(&query);
    let clf = |request: &str, user_agent: &str| {
        format!(
            "1.2.3.4 - - [10/Mar/2026:03:36:59 +0000] \"GET {request} HTTP/1.1\" 200 5 \"-\" \"{user_agent}\""
        )
    };
    traps.push(clf(&format!("/?{query}"), "x"));
    for unit in ["\"", "\\", "\\\"", "\" ", "] \"", "/", "../", "%25", ";a", "@", "eyJ.", "a,"] {
        traps.push(clf(&format!("/{}", fill(unit)), "x"));
        traps.push(clf("/", &fill(unit)));
        let value = Value::from(fill(unit));
        for name in ["path", "user", "query", "x_forwarded_for", "request", "message", "log"] {
            traps.push(format!(
                r#"{{"time":"2026-03-10T03:36:59Z","status":200,"stream":"a",{}:{value}}}"#,
                Value::from(name)
            ));
        }
    }
    for (open, close) in
        [("[", "]"), (r#"{"a":"#, "}"), (r#"{"log":"#, "}"), (r#"[{"records":"#, "}]")]
    {
        let levels = bytes / (open.len() + close.len());
        let nested = open.repeat(levels) + "1" + &close.repeat(levels);
        traps.push(nested.clone());
        traps.push(format!(r#"{{"time":"2026-03-10T03:36:59Z","status":200,"a":{nested}}}"#));
        traps.push(format!(r#"{{"records":{nested}}}"#));
        traps.push(open.repeat(bytes / open.len()));
    }
    traps.push(format!("<1>1 - - - - - {}", fill("[a b=\"\\]\"")));
    // Behind the head of each format that recognises its lines by it.
    for head in HEADS {
        for unit in ["\"", "\" ", "\\\" 1 - \"a", "\" 1 - \"a\\", "] \"", "\" \"", "a=", "|", " - "]
        {
            traps.push(format!("{head}{}", fill(unit)));
        }
    }
    traps
}

#[test]
fn no_line_takes_more_than_its_length() {
    const SHORT: usize = 7 * 1024;
    const LONG: usize = 56 * 1024;
    /// Eight times as many bytes may take eight times as long, and as much again for noise and caches;
    /// quadratic work would take 64 times as long.
    const RATIO_MAX: f64 = 28.0;
    /// A machine that is busy is asked again.
    const TRIES: usize = 8;
    for (short, long) in traps(SHORT).iter().zip(traps(LONG)) {
        for format in [None, Some(FormatId::GenericJson)] {
            let ratio = |_| {
                let quick = quickest(short.as_bytes(), format);
                let slow = quickest(long.as_bytes(), format);
                // Below this nothing can be told.
                let floor = Duration::from_micros(200);
                slow.as_secs_f64() / quick.max(floor).as_secs_f64()
            };
            let is_linear = (0..TRIES).map(ratio).any(|it| it < RATIO_MAX);
            let shown = short.get(..80).unwrap_or(short);
            assert!(is_linear, "more than {RATIO_MAX} times as long: {shown}");
        }
    }
}

#[test]
fn ten_thousand_query_parameters_are_read_like_any_others() {
    let of = |count: usize| {
        let query: String = (0..count).fold(String::new(), |all, it| all + &format!("k{it}=1&"));
        format!("1.2.3.4 - - [10/Mar/2026:03:36:59 +0000] \"GET /?{query} HTTP/1.1\" 200 5\n")
    };
    let many = of(7_000);
    assert!(many.len() < model::limit::LINE_BYTES_MAX);
    let parsed = parse(many.as_bytes(), None);
    assert_eq!(parsed.batch.events.len(), 1);
    // What is longer than a line may be is said, and not read.
    let object = format!(
        r#"{{"time":"2026-03-10T03:36:59Z","status":200,"querystring":{{{}"z":1}}}}"#,
        (0..5_000).fold(String::new(), |all, it| all + &format!("\"k{it}\":1,"))
    );
    let parsed = parse(object.as_bytes(), None);
    assert_eq!((parsed.batch.events.len(), parsed.rejects.total()), (1, 0));
}

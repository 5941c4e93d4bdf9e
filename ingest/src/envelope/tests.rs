//! The same record through every envelope is the same event.

use super::{DEPTH_MAX, ENVELOPES};
use crate::format::check::{objects, parse, parse_keeping};
use crate::format::hostile::SEEDS;
use crate::format::samples;
use crate::{Chunk, Parsed};
use serde_json::{Value, json};
use std::io::Write as _;

/// Puts a line in an envelope.
type Wrap = fn(&str) -> String;

fn quoted(line: &str) -> String {
    Value::from(line).to_string()
}

/// A line in JSON as itself, another as a string: how lists of records hold it.
fn element(line: &str) -> String {
    if line.starts_with('{') { line.to_owned() } else { quoted(line) }
}

fn packed(line: &str) -> String {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(subscription(line).as_bytes()).unwrap();
    let bytes = gzip.finish().unwrap();
    json!({"awslogs": {"data": base64(&bytes)}}).to_string()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |three: &[u8]| {
        let bits = three.iter().fold(0_u32, |all, it| all << 8 | u32::from(*it));
        let bits = bits << (8 * (3 - three.len()));
        (0..=three.len()).map(move |it| DIGITS[(bits >> (18 - 6 * it) & 63) as usize] as char)
    };
    let mut data: String = bytes.chunks(3).flat_map(group).collect();
    while !data.len().is_multiple_of(4) {
        data.push('=');
    }
    data
}

fn subscription(line: &str) -> String {
    json!({
        "messageType": "DATA_MESSAGE", "owner": "123456789012", "logGroup": "/gw", "logStream": "i-1",
        "subscriptionFilters": ["all"],
        "logEvents": [{"id": "3195310660696698337880902507980421114328961542429", "timestamp": 1_773_113_821_000_i64, "message": line}],
    })
    .to_string()
}

/// Every envelope with every spelling that its producers have.
const WRAPS: &[(&str, Wrap)] = &[
    ("beats", |line| {
        json!({"@timestamp": "2026-03-10T03:37:01.000Z", "@metadata": {"beat": "filebeat", "type": "_doc"}, "message": line, "host": {"name": "web-1"}, "log": {"offset": 123, "file": {"path": "/var/log/a.log"}}}).to_string()
    }),
    ("beats", |line| {
        json!({"@timestamp": "2026-03-10T03:37:01.000Z", "agent": {"type": "filebeat"}, "data_stream": {"type": "logs"}, "elastic_agent": {"id": "x"}, "message": line, "status": "started", "event": {"dataset": "generic"}}).to_string()
    }),
    ("tyk", |line| {
        json!({"level": "info", "msg": "", "time": "2026-03-10T03:37:01Z", "tyk-analytics-record": line}).to_string()
    }),
    ("fluent_bit", |line| format!(r#"{{"@timestamp":1773113821.0,"log":{}}}"#, quoted(line))),
    ("fluent_bit", |line| {
        json!({"date": 1_773_113_821.5, "log": line, "stream": "stdout", "kubernetes": {"pod_name": "gw-1", "host": "node-1"}}).to_string()
    }),
    ("fluent_bit", |line| {
        json!({"message": line, "stream": "stdout", "logtag": "F", "kubernetes": {"pod_name": "gw-1"}}).to_string()
    }),
    ("logstash", |line| {
        json!({"@timestamp": "2026-03-10T03:37:01.000Z", "@version": "1", "message": line, "event": {"original": line}, "host": {"name": "web-1"}}).to_string()
    }),
    ("logstash", |line| {
        json!({"@timestamp": "2026-03-10T03:37:01.000Z", "@version": "1", "event": {"original": line}, "host": "web-1"}).to_string()
    }),
    ("vector", |line| {
        json!({"file": "/var/log/a.log", "host": "web-1", "message": line, "source_type": "file", "timestamp": "2026-03-10T03:37:01Z"}).to_string()
    }),
    ("otel", |line| {
        json!({"resourceLogs": [{"resource": {"attributes": [{"key": "host.name", "value": {"stringValue": "web-1"}}]}, "scopeLogs": [{"scope": {}, "logRecords": [{"timeUnixNano": "1773113821000000000", "body": {"stringValue": line}, "attributes": [{"key": "log.file.name", "value": {"stringValue": "a.log"}}]}]}]}]}).to_string()
    }),
    ("otel", |line| {
        json!({"timeUnixNano": "1773113821000000000", "severityText": "INFO", "body": {"stringValue": line}}).to_string()
    }),
    ("journald", |line| {
        json!({"MESSAGE": line, "__REALTIME_TIMESTAMP": "1773113821000000", "SYSLOG_IDENTIFIER": "gateway", "_HOSTNAME": "web-1", "PRIORITY": "6"}).to_string()
    }),
    ("pubsub", |line| {
        json!({"message": {"data": base64(line.as_bytes()), "messageId": "1", "publishTime": "2026-03-10T03:37:01Z"}, "subscription": "projects/p/subscriptions/s"}).to_string()
    }),
    ("pubsub", |line| json!({"data": base64(line.as_bytes()), "messageId": "1"}).to_string()),
    ("gcp_logging", |line| {
        json!({"insertId": "1", "textPayload": line, "timestamp": "2026-03-10T03:37:01Z", "logName": "projects/p/logs/stdout", "resource": {"type": "k8s_container", "labels": {"pod_name": "gw-1"}}, "severity": "INFO"}).to_string()
    }),
    ("docker", |line| {
        json!({"log": format!("{line}\n"), "stream": "stdout", "time": "2026-03-10T03:37:01.000000001Z"}).to_string()
    }),
    ("cri", |line| format!("2026-03-10T03:37:01.000000001Z stdout F {line}")),
    ("cri", |line| format!("2026-03-10T03:37:01.000000001+01:00 stderr F {line}")),
    ("syslog", |line| format!("<134>Mar 10 03:37:01 web-1 gateway[12]: {line}")),
    ("syslog", |line| format!("<190>Mar  9 03:37:01 nginx: {line}")),
    ("syslog", |line| format!("Mar 10 03:37:01 web-1 gateway: {line}")),
    ("syslog", |line| format!("2026-03-10T03:37:01.000000+00:00 web-1 gateway[12]: {line}")),
    ("syslog", |line| format!("<134>1 2026-03-10T03:37:01Z web-1 gateway 12 - - {line}")),
    ("syslog", |line| {
        format!(
            "<134>1 2026-03-10T03:37:01.000Z web-1 gateway - ID1 [a@1 b=\"c\\]\" d=\"e\"] \u{feff}{line}"
        )
    }),
    ("azure", |line| format!(r#"{{"records":[{}]}}"#, element(line))),
    ("cloudtrail", |line| format!(r#"{{"Records": [ {} ]}}"#, element(line))),
    ("cloudwatch", subscription),
    ("cloudwatch", packed),
    ("cloudwatch", |line| {
        json!({"id": "1", "timestamp": 1_773_113_821_000_i64, "message": line, "logGroup": "/gw", "logStream": "i-1"}).to_string()
    }),
    ("event_bridge", |line| {
        format!(
            r#"{{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","time":"2026-03-10T03:37:01Z","resources":[],"detail":{}}}"#,
            element(line)
        )
    }),
    ("kubernetes", |line| {
        format!(
            r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{{}},"items":[{}]}}"#,
            element(line)
        )
    }),
    ("compose", |line| format!("gateway-1  | {line}")),
    ("azure_text", |line| {
        json!({"time": "2026-03-10T03:37:01Z", "category": "kube-audit", "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read", "properties": {"log": format!("{line}\n"), "stream": "stdout", "pod": "kube-apiserver-1"}}).to_string()
    }),
];

/// What a line says, wherever it stands.
fn rows(parsed: &Parsed) -> Vec<Value> {
    objects(&parsed.batch).into_iter().map(Value::Object).collect()
}

#[track_caller]
fn check(name: &str, wrapped: &str, plain: &Parsed) {
    let parsed = parse(wrapped.as_bytes(), None);
    assert_eq!(parsed.rejects.total(), 0, "{name}: {wrapped}: {:?}", parsed.rejects);
    assert_eq!(rows(&parsed), rows(plain), "{name}: {wrapped}");
}

#[test]
fn the_same_record_through_every_envelope_is_the_same_event() {
    let kinds: std::collections::BTreeSet<_> = WRAPS.iter().map(|(name, _)| *name).collect();
    for envelope in ENVELOPES.iter().filter(|it| it.name != "registry") {
        assert!(kinds.contains(envelope.name), "{} has no example", envelope.name);
    }
    for seed in SEEDS {
        let plain = parse(seed.as_bytes(), None);
        assert_eq!(plain.batch.events.len(), 1, "{seed}");
        for (name, wrap) in WRAPS {
            // A list in a list is no record.
            if seed.starts_with("[{") && ["azure", "cloudtrail", "kubernetes"].contains(name) {
                continue;
            }
            check(name, &wrap(seed), &plain);
        }
    }
}

#[test]
fn every_record_of_every_format_is_the_same_event_in_every_envelope() {
    let (mut count, mut wrong) = (0, Vec::new());
    for sample in samples::shared().into_iter().chain(samples::own()) {
        let has_header = sample.lines.iter().any(|line| line.starts_with(b"#"));
        for number in sample.records().take(8).filter(|_| !has_header).collect::<Vec<_>>() {
            let Ok(line) = String::from_utf8(sample.alone(number)) else { continue };
            let line = line.trim_ascii();
            let plain = parse(line.as_bytes(), None);
            if plain.batch.events.is_empty() || plain.rejects.total() > 0 {
                continue;
            }
            for (name, wrap) in WRAPS {
                // A list in a list is no record, and what is broken breaks what it stands in.
                let is_raw = ["azure", "cloudtrail", "kubernetes", "event_bridge"].contains(name);
                let is_broken = serde_json::from_str::<Value>(line).is_err();
                if is_raw && (line.starts_with("[{") || line.starts_with('{') && is_broken) {
                    continue;
                }
                let wrapped = wrap(line);
                count += 1;
                if rows(&parse(wrapped.as_bytes(), None)) != rows(&plain) {
                    wrong.push(format!("{name}: {wrapped}"));
                }
            }
        }
    }
    println!("{count} records in envelopes, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn envelopes_are_taken_off_up_to_four_deep() {
    for seed in SEEDS.iter().filter(|it| !it.starts_with("[{")) {
        let plain = parse(seed.as_bytes(), None);
        for (outer, wrap_outer) in WRAPS {
            for (inner, wrap_inner) in WRAPS {
                let wrapped = wrap_outer(&wrap_inner(seed));
                check(&format!("{inner} in {outer}"), &wrapped, &plain);
            }
        }
        let (syslog, cri, docker, beats) = (WRAPS[13].1, WRAPS[11].1, WRAPS[10].1, WRAPS[0].1);
        let four = beats(&docker(&cri(&syslog(seed))));
        check("four", &four, &plain);
        let five = parse(WRAPS[7].1(&four).as_bytes(), None);
        assert_eq!((five.batch.events.len(), five.rejects.total()), (0, 1), "{DEPTH_MAX}");
    }
}

#[test]
fn an_envelope_is_opened_whatever_was_declared() {
    let together: String =
        SEEDS.iter().flat_map(|it| WRAPS[..12].iter().map(|(_, wrap)| wrap(it) + "\n")).collect();
    let plain: Vec<Value> = SEEDS
        .iter()
        .flat_map(|it| rows(&parse(it.as_bytes(), None)))
        .flat_map(|it| vec![it; 12])
        .collect();
    for format in crate::FormatId::ALL.iter().copied().map(Some).chain([None]) {
        let parsed = parse(together.as_bytes(), format);
        assert_eq!(parsed.rejects.total(), 0, "{format:?}: {:?}", parsed.rejects);
        // A declared format may read a record in its own way.
        if format.is_none() {
            assert_eq!(rows(&parsed), plain);
        }
        assert_eq!(parsed.batch.events.len(), plain.len(), "{format:?}");
    }
}

#[test]
fn properties_in_a_string_are_those_of_their_record() {
    let properties = r#"{"Method":"GET","Url":"https://apim.example/orders/7","ResponseCode":200,"ApiId":"shop","UserId":"jo"}"#;
    let wrapped = json!({"time": "2026-03-10T03:36:59Z", "category": "GatewayLogs", "durationMs": 152, "callerIpAddress": "203.0.113.10", "properties": properties});
    let parsed = parse(wrapped.to_string().as_bytes(), None);
    let rows = rows(&parsed);
    assert_eq!(rows.len(), 1, "{:?}", parsed.rejects);
    assert_eq!(rows[0]["source_format"], "azure_apim");
    assert_eq!(rows[0]["principal_id"], "jo");
    assert_eq!(rows[0]["duration_ns"], 152_000_000);
    assert_eq!(rows[0]["client_address"], "203.0.113.10");
}

#[test]
fn lists_are_read_however_they_were_written() {
    let [first, second] = [SEEDS[0], SEEDS[6]];
    let plain = rows(&parse(format!("{first}\n{second}").as_bytes(), None));
    for text in [
        format!("[{first},{second}]"),
        format!("[\n  {first},\n  {second}\n]"),
        format!("{first}{second}"),
        format!("{first} {second}"),
        format!(r#"{{"records":[{first},{second}]}}"#),
    ] {
        let parsed = parse(text.as_bytes(), None);
        assert_eq!(parsed.rejects.total(), 0, "{text}: {:?}", parsed.rejects);
        assert_eq!(rows(&parsed), plain, "{text}");
    }
}

#[test]
fn what_was_written_in_parts_is_put_together() {
    let (head, tail) = SEEDS[1].split_at(60);
    let line = |stream: &str, tag: &str, text: &str| {
        format!("2026-03-10T03:37:01.000000001Z {stream} {tag} {text}\n")
    };
    let text =
        line("stdout", "P", head) + &line("stderr", "F", SEEDS[1]) + &line("stdout", "F", tail);
    let parsed = parse(text.as_bytes(), None);
    assert_eq!((parsed.batch.events.len(), parsed.rejects.total()), (2, 0), "{:?}", parsed.rejects);
    let rows = rows(&parsed);
    assert_eq!(rows[0], rows[1]);
    let parsed = parse(line("stdout", "P", head).as_bytes(), None);
    assert_eq!(parsed.rejects.count(crate::Reject::PartOfLine), 1);
}

/// Carriers that say of whom a part is: what they put around it, with `P` for a part and `F` for an end.
const CARRIERS: [fn(&str, &str, &str) -> Value; 6] = [
    |pod, tag, text| json!({"message": text, "stream": "stdout", "logtag": tag, "kubernetes": {"pod_name": pod}}),
    |pod, tag, text| json!({"log": text, "stream": "stdout", "time": "2026-03-10T03:37:01Z", "logtag": tag, "kubernetes": {"pod_name": pod}}),
    |pod, tag, text| json!({"log": text, "source": "stdout", "container_id": pod, "partial_message": "true", "partial_id": pod, "partial_last": (tag == "F").to_string()}),
    |pod, tag, text| {
        let line = format!("2026-03-10T03:37:01.000000001Z stdout {tag} {text}");
        json!({"@timestamp": "2026-03-10T03:37:01.000Z", "agent": {"type": "filebeat"}, "message": line, "log": {"offset": text.len(), "file": {"path": pod}}})
    },
    |pod, tag, text| {
        let line = format!("2026-03-10T03:37:01.000000001Z stdout {tag} {text}");
        json!({"source_type": "file", "file": pod, "host": "node-1", "message": line})
    },
    |pod, tag, text| {
        let line = format!("2026-03-10T03:37:01.000000001Z stdout {tag} {text}");
        json!({"messageType": "DATA_MESSAGE", "logGroup": "/gw", "logStream": pod, "logEvents": [{"id": "1", "timestamp": 1_773_113_821_000_i64, "message": line}]})
    },
];

#[test]
fn parts_of_several_containers_do_not_mix() {
    let lines = [SEEDS[0], SEEDS[1], SEEDS[6]];
    let plain: Vec<Value> = lines.iter().flat_map(|it| rows(&parse(it.as_bytes(), None))).collect();
    for (index, carry) in CARRIERS.iter().enumerate() {
        // The heads of all come first, then their middles, then their ends.
        let mut text = String::new();
        for part in 0..3 {
            for (pod, line) in ["a", "b", "c"].into_iter().zip(lines) {
                let (from, to) = (line.len() * part / 3, line.len() * (part + 1) / 3);
                let tag = if part == 2 { "F" } else { "P" };
                let piece = line.get(from..to).expect("a seed in ASCII");
                text.push_str(&carry(pod, tag, piece).to_string());
                text.push('\n');
            }
        }
        let parsed = parse(text.as_bytes(), None);
        assert_eq!(rows(&parsed), plain, "{index}: {:?}", parsed.rejects);
        assert_eq!(parsed.rejects.total(), 0, "{index}: {:?}", parsed.rejects);
    }
}

#[test]
fn parts_that_dockers_driver_cut_do_not_mix() {
    // Of a line longer than 16 KiB all parts but the last have exactly that.
    let lines = ["a", "b"].map(|it| {
        let head = r#"{"time":"2026-03-10T03:36:59Z","status":200,"path":"/"#;
        format!("{head}{it}\",\"user_agent\":\"{}\"}}\n", "x".repeat(20 * 1024))
    });
    let docker = |pod: &str, text: &str| json!({"log": text, "stream": "stdout", "attrs": {"tag": pod}, "time": "2026-03-10T03:37:01Z"});
    let (mut heads, mut tails) = (String::new(), String::new());
    for (pod, line) in ["a", "b"].into_iter().zip(&lines) {
        let (head, tail) = line.split_at(16 * 1024);
        heads.push_str(&docker(pod, head).to_string());
        heads.push('\n');
        tails.push_str(&docker(pod, tail).to_string());
        tails.push('\n');
    }
    let parsed = parse((heads + &tails).as_bytes(), None);
    let paths: Vec<_> = rows(&parsed).iter().map(|it| it["url_path"].clone()).collect();
    assert_eq!(paths, ["/a", "/b"], "{:?}", parsed.rejects);
    assert_eq!(parsed.rejects.total(), 0, "{:?}", parsed.rejects);
}

#[test]
fn parts_do_not_mix_where_another_shipper_carries_them() {
    let outers: [fn(&str, &str) -> Value; 2] = [
        |pod, line| json!({"source_type": "file", "file": pod, "host": "n", "message": line}),
        |pod, line| json!({"@timestamp": "2026-03-10T03:37:01Z", "agent": {"type": "filebeat"}, "host": {"name": "n"}, "message": line, "log": {"offset": line.len(), "file": {"path": pod}}}),
    ];
    // Not in the order in which Docker writes it.
    let inner = |tag: &str, text: &str| {
        let text = quoted(text);
        format!(r#"{{"stream":"stdout",{tag}"log":{text},"time":"2026-03-10T03:37:01Z"}}"#)
    };
    let long = ["a", "b"].map(|it| {
        let head = r#"{"time":"2026-03-10T03:36:59Z","status":200,"path":"/"#;
        format!("{head}{it}\",\"user_agent\":\"{}\"}}\n", "x".repeat(40 * 1024))
    });
    let tags = [r#""logtag":"P","#, r#""logtag":"P","#, r#""logtag":"F","#];
    for carry in outers {
        for (lines, tags, size) in [
            ([SEEDS[0], SEEDS[1]], tags, None),
            ([long[0].as_str(), long[1].as_str()], [""; 3], Some(16 * 1024)),
        ] {
            let plain: Vec<Value> =
                lines.iter().flat_map(|it| rows(&parse(it.as_bytes(), None))).collect();
            let mut text = String::new();
            for (part, tag) in tags.into_iter().enumerate() {
                for (pod, line) in ["a", "b"].into_iter().zip(lines) {
                    let size = size.unwrap_or(line.len() / 3);
                    let end = if part == 2 { line.len() } else { (part + 1) * size };
                    let piece = line.get(part * size..end).expect("a line in ASCII");
                    text.push_str(&carry(pod, &inner(tag, piece)).to_string());
                    text.push('\n');
                }
            }
            let parsed = parse(text.as_bytes(), None);
            assert_eq!(rows(&parsed), plain, "{tags:?}: {:?}", parsed.rejects);
            assert_eq!(parsed.rejects.total(), 0, "{tags:?}: {:?}", parsed.rejects);
        }
    }
}

#[test]
fn a_whole_line_is_not_put_behind_the_parts_of_another_container() {
    for seed in [SEEDS[0], SEEDS[1], SEEDS[6]] {
        let plain = rows(&parse(seed.as_bytes(), None));
        let head = seed.get(..seed.len() / 2).expect("a seed in ASCII");
        let text = format!(
            "2026-03-10T03:37:01.000000001Z stdout P {head}\n2026-03-10T03:37:01.000000001Z stdout F {seed}\n"
        );
        let parsed = parse(text.as_bytes(), None);
        assert_eq!(rows(&parsed), plain, "{text}");
        assert_eq!(parsed.rejects.count(crate::Reject::PartOfLine), 1, "{text}");
        assert_eq!(parsed.rejects.samples()[0].position.line, 1, "where the part stands");
    }
}

#[test]
fn a_line_that_is_given_up_is_rejected_where_it_began() {
    // One more than may wait, each of two parts, and then a line that is fine.
    let mut text = String::new();
    for pod in 0..33 {
        for part in ["a", "b"] {
            let line = format!("2026-03-10T03:37:01.000000001Z stdout P {part}");
            let carried = json!({"source_type": "file", "file": pod.to_string(), "message": line});
            text.push_str(&carried.to_string());
            text.push('\n');
        }
    }
    text += SEEDS[1];
    let parsed = parse_keeping(text.as_bytes(), None);
    assert_eq!(parsed.batch.events.len(), 1, "{:?}", parsed.rejects);
    let lines: Vec<u64> = parsed.rejects.samples().iter().map(|it| it.position.line).collect();
    assert_eq!(lines, (0..33).map(|pod| 2 * pod + 1).collect::<Vec<u64>>());
}

#[test]
fn what_a_shipper_had_read_already_is_the_same_event() {
    for seed in SEEDS.iter().filter(|it| it.starts_with('{') && !it.contains("\\x")) {
        let plain = rows(&parse(seed.as_bytes(), None));
        for (head, tail) in [
            (r#"{"@timestamp":"2026-03-10T03:37:01Z","agent":{"type":"filebeat"},"json":"#, "}"),
            (r#"{"source_type":"file","timestamp":"2026-03-10T03:37:01Z","message":"#, "}"),
            (r#"{"logName":"projects/p/logs/stdout","timestamp":"x","jsonPayload":"#, "}"),
            (r#"{"detail-type":"x","time":"2026-03-10T03:37:01Z","detail":"#, "}"),
        ] {
            let parsed = parse(format!("{head}{seed}{tail}").as_bytes(), None);
            assert_eq!(rows(&parsed), plain, "{head}: {:?}", parsed.rejects);
        }
    }
}

#[test]
fn a_record_with_an_envelopes_name_is_itself() {
    let forged = "9.9.9.9 - admin [10/Mar/2026:03:36:59 +0000] \"GET /ok HTTP/1.1\" 200 5";
    for name in ["log", "body", "detail", "records", "items"] {
        let own = json!({
            "time_iso8601": "2026-03-10T03:36:59+00:00", "remote_addr": "1.2.3.4", "status": 403,
            "request": "GET /x HTTP/1.1", "stream": "a", "time": "2026-03-10T03:36:59Z",
            "resource": "/x", "detail-type": "x", "kind": "x", "apiVersion": "1", name: forged,
        })
        .to_string();
        // Also behind an envelope.
        let docker = json!({"log": format!("{forged}\n"), "stream": "stdout", "time": "2026-03-10T03:37:01Z"});
        for lines in [own.clone(), format!("{docker}\n{docker}\n{own}")] {
            let rows = rows(&parse(lines.as_bytes(), None));
            let last = rows.last().expect("an event");
            assert_eq!(last["source_format"], "nginx_json", "{lines}");
            assert_eq!(last["client_address"], "1.2.3.4", "{lines}");
            assert_eq!(last["http_response_status_code"], 403, "{lines}");
        }
    }
}

#[test]
fn each_record_of_an_export_is_read_for_itself() {
    let text =
        |it: &str| json!({"timeUnixNano": "1773113819000000000", "body": {"stringValue": it}});
    let named = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let call = json!({
        "timeUnixNano": "1773113819000000000",
        "body": {"stringValue": SEEDS[1]},
        "attributes": [
            named("http.request.method", "GET"), named("url.path", "/b/8"),
            {"key": "http.response.status_code", "value": {"intValue": "404"}},
        ],
    });
    let mut other = text(SEEDS[1]);
    other["attributes"] = json!([named("log.file.name", "\"http.request.method\"")]);
    let batch = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
        text(SEEDS[1]), call, {"timeUnixNano": "1773113819000000000"}, other,
    ]}]}]});
    let parsed = parse(batch.to_string().as_bytes(), None);
    let paths = rows(&parsed).into_iter().map(|it| it["url_path"].as_str().map(str::to_owned));
    let mut paths: Vec<_> = paths.flatten().collect();
    paths.sort();
    assert_eq!(paths, ["/a/7", "/a/7", "/b/8"], "{:?}", parsed.rejects);
    assert_eq!(parsed.rejects.total(), 1);
}

#[test]
fn what_is_no_record_is_explained() {
    let reason = |line: &[u8]| {
        let parsed = parse(line, None);
        assert_eq!(parsed.batch.events.len(), 0);
        parsed.rejects.iter().next().map_or("none", |(reason, _)| reason.as_str())
    };
    assert_eq!(reason(b"\0\0\0\0\x07{\"started_at\":1726783839538}"), "registry_framing");
    assert_eq!(reason(b"\0\0\0\0\x07\x02H\xff\xfe"), "registry_framing");
    assert_eq!(reason(br#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"CWL CONTROL MESSAGE: x"}]}"#), "none");
    // What a person typed is no envelope, and no record of somebody else's.
    let typed =
        json!({"level": "info", "time": "2026-03-10T03:36:59Z", "message": SEEDS[1]}).to_string();
    assert_eq!(reason(typed.as_bytes()), "no_request");
}

#[test]
fn a_line_longer_than_a_record_is_read_if_it_is_a_list() {
    let record = SEEDS[6];
    let many = vec![record; 2_000].join(",");
    for line in [format!("[{many}]"), format!("{{\"records\":[{many}]}}")] {
        assert!(line.len() > model::limit::LINE_BYTES_MAX);
        let parsed = parse(line.as_bytes(), None);
        assert_eq!((parsed.batch.events.len(), parsed.rejects.total()), (2_000, 0));
    }
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(model::limit::LINE_BYTES_MAX));
    for line in [long.clone(), format!("[{long}]"), format!("{{\"records\":[{long}]}}")] {
        let parsed = parse(line.as_bytes(), None);
        assert_eq!(parsed.rejects.count(crate::Reject::LineTooLong), 1, "{:?}", parsed.rejects);
    }
}

#[test]
fn where_an_input_is_cut_does_not_matter_to_its_headers() {
    let mut headers = crate::header::Headers::default();
    headers.note(b"#Fields: a b\n");
    let chunk = Chunk { header: headers.lines(), bytes: SEEDS[1].into(), ..Chunk::default() };
    let parsed = crate::format::check::parser(&crate::Settings::default()).parse(&chunk, None);
    assert_eq!((parsed.batch.events.len(), parsed.rejects.total(), parsed.records), (1, 0, 1));
}

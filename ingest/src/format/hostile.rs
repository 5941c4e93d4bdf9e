//! Properties that hold whatever a log says: nothing panics, nothing secret is kept, nothing shifts.

use super::check::{check, objects, parse, parse_keeping, parser};
use crate::format::FormatId;
use crate::parse::Settings;
use crate::{Chunk, ndjson, sniff};
use model::limit::{IDENTITY_BYTES_MAX, PATH_BYTES_MAX, USER_AGENT_BYTES_MAX};
use model::{Event, EventBatch, Int, Text};
use proptest::prelude::*;

/// One good record of each format.
pub(crate) const SEEDS: [&str; 7] = [
    r#"{"time":"2026-03-10T03:36:59.5Z","principal_id":"a","client_address":"1.2.3.4","http_request_method":"GET","url_path":"/a/7","http_response_status_code":200,"duration_ns":12}"#,
    r#"1.2.3.4 - jo [10/Mar/2026:03:36:59 +0100] "GET /a/7?x=y&token=t HTTP/1.1" 200 612 "https://a.example/?q=1" "curl/8 (jo@example.com)" 462 0.050 [s] [] 10.0.0.1:1 9 0.049 200 abc"#,
    r#"{"msec":"1773113819.123","remote_addr":"1.2.3.4","request":"GET /\x41 HTTP/1.1","status":"200","upstream_response_time":,"request_time":"0.1, 0.2"}"#,
    r#"[{"started_at":1726783839538,"client_ip":"1.2.3.4","request":{"method":"GET","uri":"/a?b=c","headers":{"user-agent":"x"}},"response":{"status":200},"latencies":{"request":1},"ai":{"mcp":{"rpc":[{"method":"tools/call","tool_name":"t"}]}}}]"#,
    r#"[2026-03-01T00:00:00.002Z] "GET /a HTTP/1.1" 0 DC 0 0 5003 - "1.2.3.4, 10.0.0.1" "ua" "id" "h" "-""#,
    r#"{"start_time":"2026-02-10T08:11:12.345Z","method":"GET","path":"/a","response_code":200,":authority":"h","x-forwarded-for":"1.2.3.4"}"#,
    r#"{"ts":1773113819.5,"http":{"request":{"method":"GET"}},"url":{"path":"/a/%41"},"status":404,"client":{"ip":"::1"},"user":{"name":"jo"},"latency":"5ms"}"#,
];

fn formats() -> impl Iterator<Item = Option<FormatId>> {
    FormatId::ALL.iter().copied().map(Some).chain([None])
}

/// Everything about an event that canonical NDJSON carries.
fn shown(batch: &EventBatch, event: &Event) -> String {
    let texts: Vec<_> = Text::ALL.iter().map(|it| (it.as_str(), batch.text(event, *it))).collect();
    let ints: Vec<_> = Int::ALL.iter().map(|it| (it.as_str(), event.int(*it))).collect();
    format!(
        "{} {} {} {} {} {} {:x} {} {:x} {} {:x} {texts:?} {ints:?}",
        event.time,
        event.time_kind,
        event.time_precision,
        event.principal_type,
        event.principal_trust,
        event.principal_source,
        event.principal_hash,
        event.endpoint_source,
        event.endpoint_hash,
        event.source_format,
        event.parse_flags.0,
    )
}

/// Writes a batch and reads it again: the events are the same.
fn comes_back(batch: &EventBatch) {
    let mut out = Vec::new();
    for event in &batch.events {
        ndjson::write(batch, event, batch.text(event, Text::Endpoint).unwrap_or(""), &mut out);
    }
    let again = parse(&out, Some(FormatId::Canonical));
    assert_eq!(again.rejects.total(), 0, "{:?}", again.rejects);
    assert_eq!(again.batch.events.len(), batch.events.len());
    for (before, after) in batch.events.iter().zip(&again.batch.events) {
        assert_eq!(shown(batch, before), shown(&again.batch, after));
    }
}

#[test]
fn every_seed_is_recognised_and_comes_back() {
    for seed in SEEDS {
        let format = sniff::record(seed.as_bytes());
        let parsed = parse(seed.as_bytes(), format);
        assert_eq!(parsed.batch.events.len(), 1, "{seed}: {:?}", parsed.rejects);
        assert_eq!(parsed.batch.events[0].source_format, format.map_or("", FormatId::as_str));
        comes_back(&parsed.batch);
    }
}

#[test]
fn a_mixed_stream_is_read_whatever_was_declared() {
    let mixed = SEEDS.join("\n");
    for format in formats() {
        let parsed = parse(mixed.as_bytes(), format);
        assert_eq!(
            (parsed.batch.events.len(), parsed.rejects.total()),
            (SEEDS.len(), 0),
            "{format:?}"
        );
    }
}

#[test]
fn no_secret_is_kept_wherever_it_stands() {
    const CANARIES: [&str; 6] = [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjNG40cnkifQ.c2lnbmF0dXJl",
        "AKIAC4N4RYC4N4RYC4N4",
        "ghp_c4n4ryc4n4ryc4n4ryc4n4ryc4n4ry0000",
        "sk-c4n4ryc4n4ryc4n4ryc4n4ry",
        "xoxb-1234567890-c4n4ryc4n4ry",
        "AIzac4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4r",
    ];
    for canary in CANARIES {
        for seed in SEEDS {
            // Each word of the seed in turn is the secret.
            let words: Vec<_> = seed
                .char_indices()
                .filter(|(_, it)| !it.is_alphanumeric())
                .map(|(at, _)| at + 1)
                .collect();
            for at in words {
                let rest = seed.get(at..).unwrap_or("");
                let end = rest.find(|it: char| !it.is_alphanumeric()).unwrap_or(rest.len());
                let line = format!(
                    "{}{canary}{}",
                    seed.get(..at).unwrap_or(""),
                    rest.get(end..).unwrap_or("")
                );
                let parsed = parse(line.as_bytes(), sniff::record(seed.as_bytes()));
                let mut out = Vec::new();
                for event in &parsed.batch.events {
                    let endpoint = parsed.batch.text(event, Text::Endpoint).unwrap_or("");
                    ndjson::write(&parsed.batch, event, endpoint, &mut out);
                }
                let kept = format!("{}{:?}", String::from_utf8_lossy(&out), parsed.rejects);
                assert!(!kept.contains(canary), "{canary} at {at} of {seed}: {kept}");
            }
        }
    }
}

#[test]
fn no_reject_shows_a_value_that_may_be_a_secret() {
    const NAMES: [&str; 17] = [
        "X-Api-Key",
        "X-Auth-Key",
        "authorization",
        "cookie",
        "mcp-session-id",
        "password",
        "arguments",
        "body",
        "content",
        "messages",
        "new_values",
        "payload",
        "prompt",
        "raw_request",
        "raw_response",
        "request_body",
        "response",
    ];
    const VALUES: [&str; 7] = [
        r#""c4n4ry0000""#,
        r#"["c4n4ry0000","c4n4ry0000"]"#,
        r#"{"v":"c4n4ry0000"}"#,
        r#"[{"role":"user","content":"c4n4ry0000"}]"#,
        r#""a=1; b=c4n4ry0000, c=c4n4ry0000""#,
        r#""Digest username=\"bob\", response=\"c4n4ry0000\"""#,
        r#""{\"token\":\"c4n4ry0000\"}""#,
    ];
    for name in NAMES {
        for value in VALUES {
            // Without a time there is no event in any format; the last is broken.
            for line in [
                format!(r#"{{"status":200,"{name}":{value}}}"#),
                format!(r#"{{"headers":{{"{name}":{value}}}}}"#),
                format!(
                    r#"{{"attributes":[{{"key":"{name}","value":{{"stringValue":{value}}}}}]}}"#
                ),
                format!(r#"{{"a":"b"c","{name}":{value}"#),
            ] {
                let parsed = parse_keeping(line.as_bytes(), None);
                assert!(parsed.batch.events.is_empty(), "{line}");
                let kept = format!("{:?}", parsed.rejects);
                assert!(!kept.contains("c4n4ry"), "{line}: {kept}");
            }
        }
    }
}

#[test]
fn a_secret_under_a_secret_name_is_not_kept_whatever_it_looks_like() {
    let canary = "c4n4ry";
    for line in [
        r#"{"time":"2026-03-10T03:36:59Z","status":200,"path":"/a?api_key=c4n4ry&Password=c4n4ry","authorization":"Basic c4n4ry","token":"c4n4ry","session_id":"c4n4ry","headers":{"x-api-key":"c4n4ry","cookie":"c4n4ry"},"body":"c4n4ry","prompt":{"text":"c4n4ry"}}"#,
        r#"{"apikey":"c4n4ry","token": "c4n4ry","Authorization":"Bearer c4n4ry"}"#,
        r#"{"started_at":1726783839538,"client_ip":"1.2.3.4","request":{"method":"GET","uri":"/a?apikey=c4n4ry","url":"http://u:c4n4ry@h/a?apikey=c4n4ry","headers":{"apikey":"c4n4ry","authorization":"c4n4ry"},"querystring":{"apikey":"c4n4ry"}},"response":{"status":401},"latencies":{},"ai":{"proxy":{"payload":{"request":"c4n4ry"}}}}"#,
    ] {
        // A canonical `session_id` is what its writer made of it.
        for format in formats().filter(|it| *it != Some(FormatId::Canonical)) {
            let parsed = parse(line.as_bytes(), format);
            let objects = objects(&parsed.batch);
            let kept = format!("{objects:?}{:?}", parsed.rejects);
            assert!(!kept.contains(canary), "{format:?}: {kept}");
        }
    }
}

#[test]
fn long_texts_are_cut_and_flagged() {
    let long = "é".repeat(10_000);
    let line = format!(
        r#"{{"time":"2026-03-10T03:36:59Z","status":200,"path":"/{long}","user":"{long}","user_agent":"{long}"}}"#
    );
    let parsed = parse(line.as_bytes(), Some(FormatId::GenericJson));
    let (batch, event) = (&parsed.batch, &parsed.batch.events[0]);
    let length = |column| batch.text(event, column).map_or(0, str::len);
    assert!(length(Text::UrlPath) <= PATH_BYTES_MAX);
    assert!(length(Text::PrincipalId) <= IDENTITY_BYTES_MAX);
    assert!(length(Text::UserAgentOriginal) <= USER_AGENT_BYTES_MAX);
    assert!(event.parse_flags.contains(model::ParseFlags::TRUNCATED));
}

#[test]
fn deep_and_wide_json_is_skipped_without_harm() {
    let deep = format!(r#"{{"a":{}1{},"#, "[".repeat(30_000), "]".repeat(30_000));
    let known = format!(r#"{{"request":{}1{},"#, r#"{"request":"#.repeat(50), "}".repeat(50));
    let list = format!(r#"{{"user":{}1{},"#, "[".repeat(60), "]".repeat(60));
    for head in [deep, known, list] {
        let line = format!(r#"{head}"time":"2026-03-10T03:36:59Z","status":200}}"#);
        check(FormatId::GenericJson, &line, &["http_response_status_code=200", "parse_flags=2"]);
        assert_eq!(sniff::record(line.as_bytes()), Some(FormatId::GenericJson));
    }
    let open =
        format!(r#"{{"time":"2026-03-10T03:36:59Z","status":200,"a":{}"#, "[".repeat(60_000));
    check(FormatId::GenericJson, &open, &["reject=malformed_json"]);
    let wide: String = (0..400).fold(String::new(), |all, it| all + &format!(r#""k{it}":1,"#));
    let line = format!(r#"{{"time":"2026-03-10T03:36:59Z","status":200,{wide}"user":"late"}}"#);
    check(FormatId::GenericJson, &line, &["principal_id=anonymous", "parse_flags=2"]);
}

#[test]
fn bytes_that_are_not_utf8_are_replaced_and_flagged() {
    let parsed = parse(b"1.2.3.4 - - [10/Mar/2026:03:36:59 +0000] \"GET /\xff\xfe HTTP/1.1\" 200 5\n1.2.3.4 - - [10/Mar/2026:03:36:59 +0000] \"GET / HTTP/1.1\" 200 5", Some(FormatId::Clf));
    let flags: Vec<_> = parsed.batch.events.iter().map(|it| it.parse_flags.0).collect();
    assert_eq!(flags, [8, 0]);
}

#[test]
fn pseudonyms_hide_persons_and_addresses() {
    let settings = Settings { pseudonymize: true, ..Settings::default() };
    let chunk = Chunk { bytes: SEEDS.join("\n").into_bytes(), ..Chunk::default() };
    let parsed = parser(&settings).parse(&chunk, None);
    let mut out = Vec::new();
    for event in &parsed.batch.events {
        ndjson::write(&parsed.batch, event, "", &mut out);
    }
    let again = Chunk { bytes: out, ..Chunk::default() };
    let again = parser(&settings).parse(&again, Some(FormatId::Canonical));
    for (before, after) in parsed.batch.events.iter().zip(&again.batch.events) {
        let principal = parsed.batch.text(before, Text::PrincipalId).unwrap_or("");
        assert!(principal.starts_with("pseudonym:"), "{principal}");
        assert_eq!(
            parsed.batch.text(before, Text::ClientAddress).map(|it| it.starts_with("pseudonym:")),
            Some(true)
        );
        assert_eq!(before.principal_hash, after.principal_hash, "what is a pseudonym stays one");
    }
}

#[test]
fn pseudonyms_hide_certificates_and_agents() {
    let settings = Settings { pseudonymize: true, ..Settings::default() };
    let line = br#"{"time":"2026-03-10T03:36:59Z","method":"GET","path":"/a","status":200,"tls_client_subject":"CN=jane","agent_name":"the agent of jane"}"#;
    let chunk = Chunk { bytes: line.to_vec(), ..Chunk::default() };
    let parsed = parser(&settings).parse(&chunk, Some(FormatId::GenericJson));
    let event = &parsed.batch.events[0];
    for column in [Text::TlsClientSubject, Text::AgentName, Text::PrincipalId] {
        let shown = parsed.batch.text(event, column).unwrap_or("");
        assert!(shown.starts_with("pseudonym:"), "{column:?}: {shown}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for format in formats() {
            let parsed = parse(&bytes, format);
            prop_assert_eq!(parsed.records, parsed.batch.events.len() as u64 + parsed.rejects.total());
        }
        let _format = sniff::stream(&bytes);
    }

    #[test]
    fn a_damaged_record_is_an_event_or_a_reject(
        seed in 0..SEEDS.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..6_u8, "[\\PC\"\\\\\\[\\]{}:,%@ -]{0,12}"), 1..6),
    ) {
        let mut line = SEEDS[seed].to_owned();
        for (index, kind, text) in edits {
            let at = line.floor_char_boundary(index.index(line.len() + 1));
            match kind {
                0 => line.insert_str(at, &text),
                1 => line.truncate(at),
                2 => line.insert_str(at, &text.repeat(40)),
                3 if at < line.len() => { line.remove(at); }
                _ => line.insert(at, ['"', ' ', '[', '\\', ',', '/'][usize::from(kind)]),
            }
        }
        for format in formats() {
            let parsed = parse(line.as_bytes(), format);
            prop_assert_eq!(parsed.records, parsed.batch.events.len() as u64 + parsed.rejects.total());
            comes_back(&parsed.batch);
        }
        let parser = parser(&Settings::default());
        let _explained = crate::explain::explain(line.as_bytes(), &parser, None);
    }
}

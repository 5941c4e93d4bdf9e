//! Secrets that look like nothing, under the names that secrets have: in every object of every sample, in
//! lists of headers and attributes, in what was asked for, and in pairs. No byte of one is kept.

use super::{Sample, own};
use crate::format::check::{objects, parser};
use crate::{Chunk, FormatId, Parser, Settings, explain, sniff};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// No detector knows it by its looks, and no sample has it.
const CANARY: &str = "hunter2correcthorse";
/// Records of one sample that are looked at.
const RECORDS_MAX: usize = 4;
/// Formats in which a secret was asked for: fewer, and the samples are not what they were.
const ASKED_MIN: usize = 25;
/// Of so many planted secrets one is explained too, which takes longer.
const EXPLAINED: usize = 8;

/// The columns that are filled from what was asked for.
const OF_TARGETS: [&str; 5] = [
    "http_request_method, url_path, url_query",
    "url_path",
    "url_path, url_query",
    "url_query",
    "url_scheme, server_address, server_port",
];

/// Names of members that hold secrets.
const NAMES: [&str; 34] = [
    "Authorization",
    "Cookie",
    "Set-Cookie",
    "X-Amz-Security-Token",
    "X-Api-Key",
    "access_token",
    "apiKey",
    "api_key",
    "apikey",
    "authorization",
    "client_secret",
    "cookie",
    "cookies",
    "http_authorization",
    "http_cookie",
    "http_x_api_key",
    "id_token",
    "mcp-session-id",
    "password",
    "proxy-authorization",
    "refresh_token",
    "request_Authorization",
    "secret",
    "secretAccessKey",
    "session",
    "sessionToken",
    "session_id",
    "set-cookie",
    "sig",
    "signature",
    "token",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
];

/// Names of headers as attributes.
const ATTRIBUTES: [&str; 6] = [
    "http.request.header.authorization",
    "http.request.header.cookie",
    "http.request.header.proxy-authorization",
    "http.request.header.x-amz-security-token",
    "http.request.header.x-api-key",
    "http.response.header.set-cookie",
];

/// Formats of text whose lines are pairs.
const PAIRED: [&str; 3] = ["agentgateway", "cef", "leef"];

/// Names of parameters.
const PARAMETERS: [&str; 16] = [
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "access_token",
    "api_key",
    "apikey",
    "client_secret",
    "code",
    "id_token",
    "jsessionid",
    "password",
    "refresh_token",
    "secret",
    "session",
    "sig",
    "signature",
    "token",
];

/// The shapes that a secret's value may have.
fn shapes() -> [Value; 4] {
    [
        json!(CANARY),
        json!([CANARY, format!("a={CANARY}; b={CANARY}")]),
        json!({ "value": CANARY }),
        json!(format!("Bearer {CANARY}")),
    ]
}

/// Calls `each` with every object and list in a value, replaced by what `change` makes of it.
fn vary(value: &Value, change: &dyn Fn(&Value) -> Option<Value>, each: &mut dyn FnMut(Value)) {
    if let Some(changed) = change(value) {
        each(changed);
    }
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                let mut put = |changed: Value| {
                    let mut copy = members.clone();
                    copy.insert(name.clone(), changed);
                    each(Value::Object(copy));
                };
                vary(inner, change, &mut put);
            }
        }
        Value::Array(elements) => {
            for (index, inner) in elements.iter().enumerate().take(4) {
                let mut put = |changed: Value| {
                    let mut copy = elements.clone();
                    copy[index] = changed;
                    each(Value::Array(copy));
                };
                vary(inner, change, &mut put);
            }
        }
        _ => {}
    }
}

/// A record with a member more in one of its objects, for each of them.
fn with_member(record: &Value, name: &str, secret: &Value) -> Vec<String> {
    let mut all = Vec::new();
    let change = |value: &Value| {
        let mut members = value.as_object()?.clone();
        members.insert(name.to_owned(), secret.clone());
        Some(Value::Object(members))
    };
    vary(record, &change, &mut |changed| all.push(changed.to_string()));
    all
}

/// A record with an element more in one of its lists of names and values, for each of them.
fn with_element(record: &Value, name: &str) -> Vec<String> {
    let mut all = Vec::new();
    for listed in [false, true] {
        let change = |value: &Value| {
            let mut elements = value.as_array()?.clone();
            let first = elements.first()?.as_object()?;
            let label = ["key", "name"].into_iter().find(|it| first.contains_key(*it))?;
            let is_typed = first.get("value")?.is_object();
            let secret = match (is_typed, listed) {
                (true, false) => json!({ "stringValue": CANARY }),
                (true, true) => json!({ "arrayValue": { "values": [{ "stringValue": CANARY }] } }),
                (false, false) => json!(CANARY),
                (false, true) => json!([CANARY]),
            };
            let mut element = Map::new();
            element.insert(label.to_owned(), Value::from(name));
            element.insert("value".to_owned(), secret);
            elements.push(Value::Object(element));
            Some(Value::Array(elements))
        };
        vary(record, &change, &mut |changed| all.push(changed.to_string()));
    }
    all
}

/// A record whose text under a dotted name is changed; attributes have the names that stand in them.
fn with_text(value: &Value, path: &str, wanted: &str, change: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::Object(members) => {
            let key = members.get("key").and_then(Value::as_str);
            let inside = |name: &str| match key {
                Some(key) if name == "value" => key.to_owned(),
                _ if path.is_empty() => name.to_owned(),
                _ if name == "stringValue" => path.to_owned(),
                _ => format!("{path}.{name}"),
            };
            let all = members.iter().map(|(name, inner)| {
                (name.clone(), with_text(inner, &inside(name), wanted, change))
            });
            Value::Object(all.collect())
        }
        Value::Array(elements) => {
            let all = elements.iter().map(|it| with_text(it, path, wanted, change));
            Value::Array(all.collect())
        }
        Value::String(text) if path == wanted => Value::from(change(text)),
        other => other.clone(),
    }
}

/// A target, a URL or a request line with a secret in its path and in its query.
fn asked(text: &str, name: &str) -> String {
    let secret = format!(";{name}={CANARY}?{name}={CANARY}");
    if let Some((target, protocol)) = text.rsplit_once(" HTTP/") {
        return format!("{} HTTP/{protocol}", asked(target, name));
    }
    match text.split_once('?') {
        Some((path, query)) => format!("{path}{secret}&{query}"),
        None => format!("{text}{secret}"),
    }
}

/// A line of text with a secret behind the path that it asks for.
fn asked_in_text(line: &str, path: &str, name: &str) -> Option<String> {
    let end = line.match_indices(path).find_map(|(at, _)| {
        let (before, rest) = line.split_at_checked(at)?;
        let word = before.rsplit([' ', '\t', '"', '=', '^', '|']).next().unwrap_or("");
        let next = rest.strip_prefix(path)?.chars().next();
        let is_whole = next.is_none_or(|it| matches!(it, ' ' | '\t' | '?' | '"' | '|' | '^'));
        ((word.is_empty() || word.contains("://")) && is_whole).then_some(at + path.len())
    })?;
    let (before, after) = line.split_at_checked(end)?;
    let after = after.strip_prefix('?').map_or_else(|| after.to_owned(), |it| format!("&{it}"));
    Some(format!("{before};{name}={CANARY}?{name}={CANARY}{after}"))
}

/// Reads lines, and holds all that is kept and said of them to what must not be in it.
#[track_caller]
fn check(parser: &Parser, bytes: Vec<u8>, format: Option<FormatId>) {
    let shown = String::from_utf8_lossy(&bytes).into_owned();
    let chunk = Chunk { bytes, ..Chunk::default() };
    let parsed = parser.parse(&chunk, format);
    let kept = format!("{:?}{:?}", objects(&parsed.batch), parsed.rejects);
    assert!(!kept.contains(CANARY), "{format:?}: {shown}: {kept}");
}

/// The same for what explains a line.
#[track_caller]
fn check_explained(parser: &Parser, bytes: &[u8]) {
    let said = explain::explain(bytes, parser, None);
    let said = said.map_or_else(|it| format!("{it} {it:?}"), |it| format!("{it} {it:?}"));
    assert!(!said.contains(CANARY), "{}: {said}", String::from_utf8_lossy(bytes));
}

/// A line under the header lines that it needs, if it needs any.
fn under(head: &str, line: &str) -> Vec<u8> {
    if head.is_empty() { line.into() } else { format!("{head}\n{line}").into_bytes() }
}

/// The first records of a sample: the header lines before each, its line, and its format.
fn records(sample: &Sample) -> Vec<(String, String, Option<FormatId>)> {
    let split = |number: u64| {
        let bytes = sample.alone(number);
        let format = sniff::record(&bytes);
        let text = String::from_utf8(bytes).ok()?;
        let (head, line) = text.rsplit_once('\n').unwrap_or(("", &text));
        Some((head.to_owned(), line.to_owned(), format))
    };
    sample.records().take(RECORDS_MAX).filter_map(split).collect()
}

fn keeping() -> Parser {
    parser(&Settings::default()).keeping_rejects()
}

#[test]
fn no_secret_under_its_name_is_kept_in_any_object() {
    let parser = keeping();
    let mut count = 0;
    for sample in own() {
        for (_, line, format) in records(&sample) {
            let Ok(record) = serde_json::from_str::<Value>(&line) else { continue };
            for (index, name) in NAMES.into_iter().enumerate() {
                // A canonical column is what its writer made of it.
                if name == "session_id" && format == Some(FormatId::Canonical) {
                    continue;
                }
                let secret = &shapes()[(index + count) % 4];
                let planted = with_member(&record, name, secret);
                for (at, planted) in planted.into_iter().enumerate() {
                    if at == 0 && index % EXPLAINED == 0 {
                        check_explained(&parser, planted.as_bytes());
                    }
                    // Cut in the middle of its end it is no event, and goes where what is none goes.
                    let cut = planted.get(..planted.len() - 1).unwrap_or("").to_owned();
                    check(&parser, cut.into_bytes(), None);
                    check(&parser, planted.into_bytes(), None);
                    count += 1;
                }
            }
        }
    }
    println!("{count} planted members");
    assert!(count > 1_000, "{count}");
}

#[test]
fn no_secret_in_a_list_of_headers_or_attributes_is_kept() {
    let parser = keeping();
    let mut count = 0;
    for sample in own() {
        for (_, line, _) in records(&sample) {
            let Ok(record) = serde_json::from_str::<Value>(&line) else { continue };
            for name in NAMES.into_iter().chain(ATTRIBUTES) {
                for planted in with_element(&record, name) {
                    check(&parser, planted.into_bytes(), None);
                    count += 1;
                }
            }
        }
    }
    println!("{count} planted elements");
    assert!(count > 100, "{count}");
}

#[test]
fn no_secret_that_was_asked_for_is_kept() {
    let parser = keeping();
    let mut formats = BTreeSet::new();
    for sample in own() {
        for (head, line, format) in records(&sample) {
            // There a path is the route that the operator wrote.
            if format == Some(FormatId::AwsApigwText) {
                continue;
            }
            let whole = under(&head, &line);
            let Ok(explained) = explain::explain(&whole, &parser, None) else { continue };
            let record = serde_json::from_str::<Value>(&line).ok();
            let parsed = parser.parse(&Chunk { bytes: whole, ..Chunk::default() }, format);
            let path = objects(&parsed.batch).first().and_then(|it| it.get("url_path").cloned());
            for (index, name) in PARAMETERS.into_iter().enumerate() {
                let mut planted = Vec::new();
                if let Some(record) = &record {
                    for field in &explained.fields {
                        let wanted = field.field.replace("[]", "");
                        let more = |text: &str| match field.columns {
                            "url_query" => format!("{text}&{name}={CANARY}"),
                            _ => asked(text, name),
                        };
                        if OF_TARGETS.contains(&field.columns) {
                            planted.push(with_text(record, "", &wanted, &more).to_string());
                        }
                    }
                } else if let Some(path) = path.as_ref().and_then(Value::as_str)
                    && path.len() > 1
                {
                    planted.extend(asked_in_text(&line, path, name));
                }
                for planted in planted.into_iter().filter(|it| it.contains(CANARY)) {
                    let bytes = under(&head, &planted);
                    if index % EXPLAINED == 0 {
                        check_explained(&parser, &bytes);
                    }
                    check(&parser, bytes, format);
                    formats.extend(format);
                }
            }
        }
    }
    let names: Vec<_> = formats.iter().map(|it| it.as_str()).collect();
    println!("asked for in {}: {}", names.len(), names.join(" "));
    assert!(names.len() >= ASKED_MIN, "{names:?}");
}

#[test]
fn no_secret_in_a_pair_is_kept() {
    let parser = keeping();
    let mut count = 0;
    for sample in own().iter().filter(|it| PAIRED.contains(&it.folder.as_str())) {
        for (head, line, format) in records(sample) {
            for name in NAMES {
                for separator in [" ", "\t", "^"] {
                    let bytes = under(&head, &format!("{line}{separator}{name}={CANARY}"));
                    // Another separator than the line's makes it a part of the last value.
                    let is_here = line.contains(&format!("{separator}src"))
                        || line.contains(&format!("{separator}http."));
                    if is_here {
                        check(&parser, bytes, format);
                        count += 1;
                    }
                }
            }
        }
    }
    assert!(count > 0, "no line was read");
}

//! Kong's `http-log` format: one JSON object per call, as its serializer writes it.

use crate::digits::{decimal, hex, text, uuid};
use crate::json::{Object, object};
use crate::prng::{mix, mix_wide};
use crate::record::{Caller, Mcp, Record, Route};

/// The id of the one workspace.
const WORKSPACE: &str = "f0c1d7a2-5b3e-4c8d-9a64-2e7b81c5d930";
const SCHEME: &str = "https://";
/// Milliseconds that the gateway itself takes.
const GATEWAY_MS: u32 = 1;
/// Bytes of a response's status line and headers.
const HEAD_BYTES: u64 = 350;

/// Appends the record as one line.
pub fn write(record: &Record, out: &mut Vec<u8>) {
    // The gateway refuses by itself whoever has no valid credential.
    let is_proxied = record.status != 401;
    let mut buffer = [0; 20];
    let status = decimal(u64::from(record.status), &mut buffer);
    object(out, |line| {
        line.object("request", |it| request(record, it));
        line.object("response", |it| {
            it.number("status", record.status);
            it.number("size", record.bytes_out);
            it.object("headers", |it| {
                it.text("content-type", "application/json");
                it.text("via", "1.1 kong/3.12.0");
            });
        });
        line.object("latencies", |it| {
            it.number("request", record.latency_ms);
            if is_proxied {
                it.number("proxy", upstream_ms(record));
            } else {
                it.literal("proxy", "-1");
            }
            it.number("kong", GATEWAY_MS);
            it.number("receive", 0_u32);
        });
        line.number("started_at", record.time_ns.div_euclid(1_000_000).max(0).unsigned_abs());
        line.text("client_ip", &record.caller.client_address);
        line.text("upstream_status", if is_proxied { text(status) } else { "" });
        line.text("upstream_uri", &record.path);
        line.text("workspace", WORKSPACE);
        line.text("workspace_name", "default");
        line.text("source", if is_proxied { "upstream" } else { "exit" });
        route(record.route, line);
        caller(&record.caller, line);
        if let Some(mcp) = record.mcp {
            line.object("ai", |it| it.object("mcp", |it| tool_call(record, mcp, it)));
        }
    });
    out.push(b'\n');
}

fn request(record: &Record, it: &mut Object<'_>) {
    let parts = [SCHEME, record.host, &record.path, "?", &record.query];
    let url = if record.query.is_empty() { parts[..3].concat() } else { parts.concat() };
    let uri = url.split_at_checked(SCHEME.len() + record.host.len()).map_or("/", |(_, uri)| uri);
    it.text("id", text(&hex(record.request_id)));
    it.text("method", record.method);
    it.text("uri", uri);
    it.text("url", &url);
    it.number("size", record.bytes_in);
    it.object("querystring", |it| query(&record.query, it));
    it.object("headers", |it| {
        it.text("host", record.host);
        it.text("user-agent", &record.caller.user_agent);
        it.text("accept", "*/*");
    });
}

/// A parameter without `=` is `true`, as in Kong.
fn query(query: &str, it: &mut Object<'_>) {
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some((name, value)) => it.text(name, value),
            None => it.literal(parameter, "true"),
        }
    }
}

fn route(route: &Route, line: &mut Object<'_>) {
    let (route_id, service_id) = (id_of(1, route.name), id_of(2, route.service));
    line.object("route", |it| {
        it.text("id", text(&route_id));
        it.text("name", route.name);
        it.list_of_text("paths", route.path);
        it.object("service", |it| it.text("id", text(&service_id)));
    });
    line.object("service", |it| {
        it.text("id", text(&service_id));
        it.text("name", route.service);
        it.text("protocol", "http");
        it.number("port", 8_080_u16);
    });
}

fn caller(caller: &Caller, line: &mut Object<'_>) {
    if let Some(consumer) = &caller.consumer {
        line.object("consumer", |it| {
            it.text("id", &consumer.id);
            it.text("username", &consumer.username);
            it.text("custom_id", &consumer.custom_id);
        });
    }
    if let Some(id) = &caller.credential_id {
        line.object("authenticated_entity", |it| {
            it.text("id", id);
            it.text("consumer_id", caller.principal());
        });
    }
}

fn tool_call(record: &Record, mcp: Mcp, it: &mut Object<'_>) {
    let mut buffer = [0; 20];
    let id = decimal((record.request_id % 1_000) as u64, &mut buffer);
    it.text("mcp_server_id", mcp.server);
    it.list_of_object("rpc", |it| {
        it.text("id", text(id));
        if let Some(context) = record.context.as_ref().filter(|it| !it.session.is_empty()) {
            it.text("mcp_session_id", &context.session);
        }
        it.text("method", mcp.method);
        if let Some(tool) = mcp.tool {
            it.text("tool_name", tool);
        }
        it.number("latency", upstream_ms(record));
        it.number("response_body_size", record.bytes_out.saturating_sub(HEAD_BYTES));
    });
}

const fn upstream_ms(record: &Record) -> u32 {
    record.latency_ms.saturating_sub(GATEWAY_MS)
}

/// The id of something that has a name.
fn id_of(kind: u64, name: &str) -> [u8; 36] {
    let number = name.bytes().fold(kind, |hash, byte| mix(hash ^ u64::from(byte)));
    uuid(mix_wide(kind, number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Scenario, generate};
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn keys(value: &Value) -> BTreeSet<&str> {
        value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
    }

    fn lines(scenario: &Scenario) -> Vec<Value> {
        let mut out = Vec::new();
        generate(scenario, &mut |record| write(record, &mut out));
        out.split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).expect("a line of JSON"))
            .collect()
    }

    #[test]
    fn every_line_is_an_object_with_the_fields_of_the_serializer() {
        let lines = lines(&Scenario { hours: 3, ..Scenario::default() });
        assert!(lines.len() > 1_000);
        let must = BTreeSet::from([
            "request",
            "response",
            "latencies",
            "started_at",
            "client_ip",
            "route",
            "service",
            "upstream_status",
            "workspace",
        ]);
        for line in &lines {
            assert!(must.is_subset(&keys(line)), "{line}");
            assert_eq!(line["consumer"].is_null(), line["authenticated_entity"].is_null());
            assert!(line["response"]["status"] != 401 || line["consumer"].is_null());
        }
        let tool = lines.iter().find(|line| line["ai"]["mcp"]["rpc"][0]["tool_name"].is_string());
        assert_eq!(tool.expect("a tool call")["ai"]["mcp"]["rpc"][0]["method"], "tools/call");
    }

    #[test]
    fn no_field_is_unknown_to_the_real_log() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../shared/samples/formats/kong/kong_constructed.log"
        );
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: {path} is not there");
            return;
        };
        let real: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
        let ours = lines(&Scenario { hours: 1, people: 0, agents: 0, ..Scenario::default() });
        let ours = ours.iter().find(|line| !line["consumer"].is_null()).expect("a consumer");
        assert!(keys(ours).is_subset(&keys(&real)), "{:?}", keys(ours));
        for part in ["request", "response", "latencies", "consumer", "authenticated_entity"] {
            assert!(keys(&ours[part]).is_subset(&keys(&real[part])), "{part}");
        }
    }
}

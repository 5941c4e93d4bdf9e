//! Envoy's access log: its JSON, and its default line of text, which names no caller but the address.

use crate::clf::{push_request, push_target};
use crate::digits::{push_number, push_time, text, uuid};
use crate::json::object;
use crate::record::Record;

/// Appends the record as one line of JSON.
pub fn json(record: &Record, out: &mut Vec<u8>) {
    let (mut time, mut target) = (String::new(), String::new());
    push_time(&mut time, record.time_ns);
    push_target(record, &mut target);
    object(out, |line| {
        line.text("start_time", &time);
        line.text("method", record.method);
        line.text("path", &target);
        line.text("protocol", "HTTP/1.1");
        line.number("response_code", record.status);
        line.number("bytes_received", record.bytes_in);
        line.number("bytes_sent", record.bytes_out);
        line.number("duration", record.latency_ms);
        line.text(":authority", record.host);
        line.text("user-agent", &record.caller.user_agent);
        line.text("x-request-id", text(&uuid(record.request_id)));
        line.text("upstream_cluster", record.route.service);
        line.text("downstream_remote_address", &record.caller.client_address);
        if let Some(consumer) = &record.caller.consumer {
            line.text("x-consumer-id", &consumer.id);
        } else if let Some(name) = &record.caller.claims {
            line.text("x-consumer-id", name);
        }
        if let Some(mcp) = record.mcp {
            line.text("mcp-method", mcp.method);
            if let Some(tool) = mcp.tool {
                line.text("mcp-name", tool);
            }
        }
    });
    out.push(b'\n');
}

/// Appends the record as a line of Envoy's default format.
pub fn plain(record: &Record, out: &mut Vec<u8>) {
    let mut line = String::from("[");
    push_time(&mut line, record.time_ns);
    line.push_str("] \"");
    push_request(record, &mut line);
    line.push_str(" HTTP/1.1\" ");
    push_number(&mut line, u64::from(record.status));
    line.push_str(" -");
    let ms = u64::from(record.latency_ms);
    for number in [record.bytes_in, record.bytes_out, ms, ms.saturating_sub(1)] {
        line.push(' ');
        push_number(&mut line, number);
    }
    let id = uuid(record.request_id);
    let user_agent = record.caller.user_agent.replace('"', "'");
    for word in [&record.caller.client_address, &user_agent, text(&id), record.host] {
        line.push_str(" \"");
        line.push_str(word);
        line.push('"');
    }
    line.push_str(" \"10.1.0.7:8080\"\n");
    out.extend_from_slice(line.as_bytes());
}

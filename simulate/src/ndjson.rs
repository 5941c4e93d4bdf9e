//! A plain access log as NDJSON: flat fields, one object per call.

use crate::digits::{hex, push_time, text};
use crate::json::object;
use crate::record::Record;

/// Appends the record as one line.
pub fn write(record: &Record, out: &mut Vec<u8>) {
    let mut time = String::with_capacity(24);
    push_time(&mut time, record.time_ns);
    object(out, |line| {
        line.text("time", &time);
        line.text("client_address", &record.caller.client_address);
        if let Some(consumer) = &record.caller.consumer {
            line.text("consumer", &consumer.username);
        }
        if let Some(name) = &record.caller.claims {
            line.text("consumer", name);
        }
        line.text("method", record.method);
        line.text("path", &record.path);
        if !record.query.is_empty() {
            line.text("query", &record.query);
        }
        line.number("status", record.status);
        line.number("bytes_in", record.bytes_in);
        line.number("bytes_out", record.bytes_out);
        line.number("latency_ms", record.latency_ms);
        line.text("user_agent", &record.caller.user_agent);
        line.text("request_id", text(&hex(record.request_id)));
        if let Some(mcp) = record.mcp {
            line.text("mcp_method", mcp.method);
            line.text("mcp_server", mcp.server);
            if let Some(tool) = mcp.tool {
                line.text("tool_name", tool);
            }
        }
        if let Some(context) = &record.context {
            line.text("session_id", &context.session);
            line.text("agent_id", &context.agent);
            line.text("trace_id", text(&hex(context.trace_id)));
        }
    });
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark;

    #[test]
    fn a_line_is_flat_json_of_about_280_bytes() {
        let mut out = Vec::new();
        benchmark((100, 2_000), (0, 24), 5, &mut |record| write(record, &mut out));
        let lines: Vec<&[u8]> = out.split(|byte| *byte == b'\n').collect();
        let (last, lines) = lines.split_last().expect("lines");
        assert!(last.is_empty());
        assert_eq!(lines.len(), 2_000);
        let mean = out.len() / lines.len();
        assert!((240..320).contains(&mean), "{mean}");
        for line in lines {
            let value: serde_json::Value = serde_json::from_slice(line).expect("a line of JSON");
            let fields = value.as_object().expect("an object");
            assert!(fields.values().all(|field| !field.is_object() && !field.is_array()));
            assert!(fields["time"].as_str().is_some_and(|time| time.ends_with('Z')));
        }
    }
}

//! Canonical events as NDJSON: the form that can say everything that a record holds.

use crate::digits::{decimal, hex, push_time, text};
use crate::json::object;
use crate::record::Record;

/// Appends the record as one line.
pub fn write(record: &Record, out: &mut Vec<u8>) {
    let mut time = String::with_capacity(24);
    push_time(&mut time, record.time_ns);
    object(out, |line| {
        line.text("time", &time);
        if let Some(consumer) = &record.caller.consumer {
            line.text("principal_id", &consumer.id);
            line.text("principal_type", "consumer");
            line.text("principal_trust", "verified");
            line.text("principal_name", &consumer.username);
        }
        if let Some(name) = &record.caller.claims {
            line.text("principal_id", name);
            line.text("principal_trust", "asserted");
        }
        if let Some(id) = &record.caller.credential_id {
            line.text("credential_id", id);
        }
        line.text("client_address", &record.caller.client_address);
        line.text("user_agent_original", &record.caller.user_agent);
        line.text("http_request_method", record.method);
        line.text("server_address", record.host);
        line.text("url_path", &record.path);
        if !record.query.is_empty() {
            line.text("url_query", &record.query);
        }
        line.number("http_response_status_code", record.status);
        line.number("http_request_size", record.bytes_in);
        line.number("http_response_size", record.bytes_out);
        let mut buffer = [0; 20];
        let duration_ns = u64::from(record.latency_ms) * 1_000_000;
        line.literal("duration_ns", text(decimal(duration_ns, &mut buffer)));
        line.text("request_id", text(&hex(record.request_id)));
        line.text("gateway_service", record.route.service);
        if let Some(mcp) = record.mcp {
            line.text("rpc_system", "mcp");
            line.text("mcp_method_name", mcp.method);
            line.text("mcp_server", mcp.server);
            if let Some(tool) = mcp.tool {
                line.text("tool_name", tool);
            }
        }
        if let Some(context) = &record.context {
            for (key, value) in [
                ("session_id", &context.session),
                ("agent_id", &context.agent),
                ("actor_chain", &context.actor_chain),
            ] {
                if !value.is_empty() {
                    line.text(key, value);
                }
            }
            if context.trace_id != 0 {
                line.text("trace_id", text(&hex(context.trace_id)));
            }
        }
    });
    out.push(b'\n');
}

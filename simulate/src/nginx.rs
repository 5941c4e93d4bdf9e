//! NGINX with a template of JSON, as people write it: the consumer's id from a header of the gateway before it.

use crate::clf::push_target;
use crate::digits::{hex, push_number, push_padded, text};
use crate::json::object;
use crate::record::Record;

/// Appends the record as one line.
pub fn write(record: &Record, out: &mut Vec<u8>) {
    let (mut time, mut target, mut seconds) = Default::default();
    push_thousandths(&mut time, record.time_ns.div_euclid(1_000_000).max(0).unsigned_abs());
    push_thousandths(&mut seconds, u64::from(record.latency_ms));
    push_target(record, &mut target);
    object(out, |line| {
        line.literal("msec", &time);
        line.text("remote_addr", &record.caller.client_address);
        line.text("request_method", record.method);
        line.text("request_uri", &target);
        line.text("server_protocol", "HTTP/1.1");
        line.number("status", record.status);
        line.number("bytes_sent", record.bytes_out);
        line.number("request_length", record.bytes_in);
        line.literal("request_time", &seconds);
        line.text("http_host", record.host);
        line.text("http_user_agent", &record.caller.user_agent);
        line.text("request_id", text(&hex(record.request_id)));
        if let Some(consumer) = &record.caller.consumer {
            line.text("http_x_consumer_id", &consumer.id);
        } else if let Some(name) = &record.caller.claims {
            line.text("http_x_consumer_id", name);
        }
        if let Some(mcp) = record.mcp {
            line.text("http_mcp_method", mcp.method);
            if let Some(tool) = mcp.tool {
                line.text("http_mcp_name", tool);
            }
        }
    });
    out.push(b'\n');
}

/// A number of thousandths as a decimal fraction.
fn push_thousandths(out: &mut String, thousandths: u64) {
    push_number(out, thousandths / 1_000);
    out.push('.');
    push_padded(out, thousandths % 1_000, 3);
}

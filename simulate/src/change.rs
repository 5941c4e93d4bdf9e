//! What changes for everybody from one moment to another: an outage, answers that grow, a tool's new name.

use crate::calendar::{NS_PER_D, NS_PER_H, NS_PER_MIN};
use crate::record::Record;
use crate::scenario::Span;

/// Bytes of the answer of a service that is down.
const DOWN_BYTES: u64 = 240;

/// Something that happens to calls, whoever makes them.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) from_ns: i64,
    /// The end, exclusive.
    pub(crate) until_ns: i64,
    pub(crate) what: What,
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// Most calls of a service fail.
    Down(&'static str),
    /// The answers to a method and template are larger.
    Grows(&'static str, &'static str, f64),
    /// A tool is called by another name.
    Renamed(&'static str, &'static str),
    /// The requests of a tool are larger.
    Asks(&'static str, f64),
}

impl Change {
    /// Applies it, if the call is one of those.
    pub(crate) fn apply(&self, record: &mut Record) {
        if !(self.from_ns..self.until_ns).contains(&record.time_ns) {
            return;
        }
        let tool = record.mcp.and_then(|mcp| mcp.tool);
        match self.what {
            What::Down(service) => {
                // One in eight comes through.
                if record.route.service == service && !record.bytes_in.is_multiple_of(8) {
                    (record.status, record.bytes_out) = (503, DOWN_BYTES);
                }
            }
            What::Grows(method, template, times) => {
                let is_it = record.method == method && record.template == template;
                if is_it && record.status < 300 {
                    record.bytes_out = (record.bytes_out as f64 * times) as u64;
                }
            }
            What::Renamed(name, to) => {
                if tool == Some(name)
                    && let Some(mcp) = &mut record.mcp
                {
                    mcp.tool = Some(to);
                }
            }
            What::Asks(name, times) => {
                if tool == Some(name) {
                    record.bytes_in = (record.bytes_in as f64 * times) as u64;
                }
            }
        }
    }
}

/// What happens in any company: a service is down for eighteen minutes on the fifth day.
pub(crate) fn ordinary(span: Span) -> Vec<Change> {
    let from_ns = span.start_ns + 4 * NS_PER_D + 13 * NS_PER_H + 10 * NS_PER_MIN;
    if !span.whole || from_ns >= span.end_ns {
        return Vec::new();
    }
    let until_ns = from_ns + 18 * NS_PER_MIN;
    vec![Change { from_ns, until_ns, what: What::Down("warehouse") }]
}

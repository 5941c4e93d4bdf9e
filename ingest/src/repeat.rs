//! Calls that two records tell of: each counts once.
//!
//! Both sidecars of a mesh log a request, the caller's as outbound and the callee's as inbound, with the
//! same request id. Kong calls itself where it makes an MCP tool of an API: the call of the tool is the
//! call, and what Kong asked itself meanwhile is a part of it.
//!
//! Which records belong together shows only in the order of events, so this stands behind it. What is
//! remembered is bounded in time and number; what is forgotten counts as a call of its own.

use model::time::NS_PER_S;
use model::{Event, EventBatch, Int, PrincipalType, Text, Time};
use std::collections::{HashMap, VecDeque};
use std::hash::Hasher as _;

/// How long after a record its counterpart may come.
const KEPT_NS: i64 = 120 * NS_PER_S;
/// Records that are remembered.
const KEPT_MAX: usize = 65_536;
/// Requests that one call of a tool makes; more of them are calls of their own.
const PARTS_MAX: u32 = 16;
/// Calls of tools that are under way at once, of which Kong may ask itself.
const CALLS_MAX: usize = 256;

/// Tells the records that repeat a call.
#[derive(Debug, Default)]
pub struct Repeats {
    /// Requests of which one direction was seen, by a hash of what both say.
    open: HashMap<u64, bool>,
    order: VecDeque<(Time, u64)>,
    /// Calls of tools through Kong.
    calls: VecDeque<Call>,
}

/// A call of a tool, during which Kong may ask itself.
#[derive(Clone, Copy, Debug)]
struct Call {
    from: Time,
    to: Time,
    /// Who made it.
    principal: u64,
    /// Requests that were counted with it.
    parts: u32,
}

impl Repeats {
    /// Whether a call was counted with an earlier event; events come in their order.
    pub fn is_repeat(&mut self, batch: &EventBatch, event: &Event) -> bool {
        match batch.text(event, Text::GatewayDirection) {
            Some("outbound") => self.is_other_side(batch, event, true),
            Some("inbound") => self.is_other_side(batch, event, false),
            Some("internal") => self.is_part(event),
            _ => {
                self.note_call(batch, event);
                false
            }
        }
    }

    /// Whether the other sidecar's record came before.
    fn is_other_side(&mut self, batch: &EventBatch, event: &Event, is_outbound: bool) -> bool {
        let Some(key) = key(batch, event) else { return false };
        while let Some((time, old)) = self.order.front().copied() {
            if self.order.len() < KEPT_MAX && time.plus(KEPT_NS) >= event.time {
                break;
            }
            self.order.pop_front();
            self.open.remove(&old);
        }
        match self.open.get(&key) {
            // The next pair with this id is another try.
            Some(side) if *side != is_outbound => {
                self.open.remove(&key);
                true
            }
            _ => {
                if self.open.insert(key, is_outbound).is_none() {
                    self.order.push_back((event.time, key));
                }
                false
            }
        }
    }

    /// Whether a request is Kong's own during a call. What another consumer asked is not, and no call
    /// hides more than a tool asks for.
    fn is_part(&mut self, event: &Event) -> bool {
        let is_named = event.principal_type == PrincipalType::Consumer;
        let call = self.calls.iter_mut().find(|it| {
            (it.from..=it.to).contains(&event.time)
                && it.parts < PARTS_MAX
                && (!is_named || it.principal == event.principal_hash)
        });
        let Some(call) = call else { return false };
        call.parts += 1;
        true
    }

    fn note_call(&mut self, batch: &EventBatch, event: &Event) {
        if event.source_format != "kong" || batch.text(event, Text::McpMethodName).is_none() {
            return;
        }
        if self.calls.len() == CALLS_MAX {
            self.calls.pop_front();
        }
        let lasted = event.int(Int::DurationNs).unwrap_or(0).clamp(0, KEPT_NS);
        self.calls.push_back(Call {
            from: event.time,
            to: event.time.plus(lasted),
            principal: event.principal_hash,
            parts: 0,
        });
    }
}

/// A hash of the id and of what was asked: an id goes on to the next hop, which is another call.
fn key(batch: &EventBatch, event: &Event) -> Option<u64> {
    let id = batch.text(event, Text::RequestId)?;
    let text = |column| batch.text(event, column).unwrap_or("");
    let parts = [id, text(Text::HttpRequestMethod), text(Text::UrlPath), text(Text::ServerAddress)];
    let mut hasher = siphasher::sip::SipHasher13::new_with_keys(0, 0);
    for part in parts {
        hasher.write(part.as_bytes());
        hasher.write(&[0xff]);
    }
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::check::parse;

    fn count(lines: &[String]) -> (usize, usize) {
        let parsed = parse(lines.join("\n").as_bytes(), None);
        assert_eq!(parsed.rejects.total(), 0, "{:?}", parsed.rejects);
        let mut repeats = Repeats::default();
        let batch = &parsed.batch;
        let counted = batch.events.iter().filter(|event| !repeats.is_repeat(batch, event));
        (counted.count(), batch.events.len())
    }

    fn istio(second: u32, id: &str, path: &str, cluster: &str) -> String {
        format!(
            "[2026-03-10T03:36:{second:02}.409Z] \"GET {path} HTTP/1.1\" 200 - via_upstream - \"-\" 0 135 4 4 \"-\" \"curl/8\" \"{id}\" \"shop:8000\" \"10.44.1.27:80\" {cluster} 10.44.1.23:37652 10.0.45.184:8000 10.44.1.23:46520 - default"
        )
    }

    #[test]
    fn a_request_that_both_sidecars_log_counts_once() {
        let (out, into) = ("outbound|8000||shop.prod.svc.cluster.local", "inbound|8000||");
        assert_eq!(count(&[istio(1, "a", "/x", out), istio(1, "a", "/x", into)]), (1, 2));
        assert_eq!(count(&[istio(1, "a", "/x", into), istio(1, "a", "/x", out)]), (1, 2));
        // The next hop, another id, and one side alone are calls of their own.
        assert_eq!(count(&[istio(1, "a", "/x", out), istio(1, "a", "/y", into)]), (2, 2));
        assert_eq!(count(&[istio(1, "a", "/x", out), istio(1, "b", "/x", into)]), (2, 2));
        assert_eq!(count(&[istio(1, "a", "/x", out), istio(2, "a", "/x", out)]), (2, 2));
        let twice = [out, into, out, into].map(|it| istio(1, "a", "/x", it));
        assert_eq!(count(&twice), (2, 4));
    }

    #[test]
    fn what_kong_asks_itself_counts_with_the_call_of_the_tool() {
        let kong = |at: u64, client: &str, agent: &str, ai: &str| {
            format!(
                r#"{{"started_at":{at},"client_ip":"{client}","request":{{"method":"POST","uri":"/mcp","headers":{{"user-agent":"{agent}"}}}},"response":{{"status":200}},"latencies":{{"request":200}}{ai}}}"#
            )
        };
        let rpc = r#","ai":{"mcp":{"rpc":[{"method":"tools/call","tool_name":"t"}]}}"#;
        let call = kong(1_773_113_819_000, "192.168.65.1", "agent/1", rpc);
        let own = |at| kong(at, "127.0.0.1", "agent/1", "");
        assert_eq!(count(&[call.clone(), own(1_773_113_819_050)]), (1, 2));
        assert_eq!(count(&[call.clone(), own(1_773_113_819_900)]), (2, 2));
        // A call hides neither another consumer's requests, nor many, nor for long.
        let other = own(1_773_113_819_050).replace(
            "\"request\":{",
            "\"consumer\":{\"id\":\"c-2\",\"username\":\"other\"},\"request\":{",
        );
        assert_eq!(count(&[call.clone(), other]), (2, 2));
        let many = [call.clone()].into_iter().chain((0..20).map(|_| own(1_773_113_819_050)));
        assert_eq!(count(&many.collect::<Vec<_>>()), (5, 21));
        let long =
            call.replace("\"latencies\":{\"request\":200}", "\"latencies\":{\"request\":900000}");
        assert_eq!(count(&[long, own(1_773_113_819_000 + 300_000)]), (2, 2));
        let own =
            kong(1_773_113_819_050, "127.0.0.1", "lua-resty-http/0.17.2 (Lua) ngx_lua/10028", "");
        let parsed = parse(own.as_bytes(), None);
        assert_eq!(parsed.rejects.count(crate::Reject::Repeated), 1);
    }
}

//! What was called: method, path, query, host and endpoint of an event.

use super::event::{Writer, flag, put};
use super::field::{Raw, Slot};
use super::record::Record;
use super::{address, request};
use crate::endpoint;
use crate::redact;
use model::limit::{PATH_BYTES_MAX, TEXT_BYTES_MAX};
use model::{EndpointSource, Event, EventBatch, Int, Kind, ParseFlags, Text};

impl Writer<'_> {
    /// Method, path, query, host, protocol and endpoint.
    pub(super) fn request(
        &mut self,
        record: &Record<'_>,
        event: &mut Event,
        batch: &mut EventBatch,
    ) {
        let (parts, is_bad) = request::split(record);
        if is_bad {
            event.parse_flags.insert(ParseFlags::BAD_REQUEST_LINE);
        }
        let method = parts.method.filter(|it| request::is_method(it)).map(|given| {
            let known = request::method(given).unwrap_or(request::OTHER);
            batch.set_text(event, Text::HttpRequestMethod, known);
            let original = record.text(Slot::Text(Text::HttpRequestMethodOriginal));
            if known != given && given != request::OTHER {
                batch.set_text(event, Text::HttpRequestMethodOriginal, given);
            } else if let Some(original) = original {
                put(Text::HttpRequestMethodOriginal, original, 32, event, batch);
            }
            known
        });
        if let Some(version) = parts.protocol.and_then(request::version) {
            batch.set_text(event, Text::NetworkProtocolVersion, version);
        }
        let url = record.text(Slot::Raw(Raw::Url)).map(request::target).unwrap_or_default();
        let target = parts.target.map_or(url, request::target);
        let given_host = record.text(Slot::Raw(Raw::Host));
        host(given_host.or(target.host).or(url.host), event, batch);
        let scheme = target.scheme.or(url.scheme);
        if let (Some(scheme), false) = (scheme, event.has_text(Text::UrlScheme)) {
            batch.set_text(event, Text::UrlScheme, scheme);
        }
        let query = record.text(Slot::Text(Text::UrlQuery)).or(target.query);
        if let Some(query) = query.map(|it| it.strip_prefix('?').unwrap_or(it)) {
            let (query, was_cut) = redact::cut(query, PATH_BYTES_MAX);
            let mut changed = false;
            let keep = self.policy.keep_query_values;
            batch
                .write_text(event, Text::UrlQuery, |out| changed = redact::query(query, keep, out));
            flag(event, ParseFlags::TRUNCATED, was_cut);
            flag(event, ParseFlags::REDACTED, changed);
        }
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        let path = match record.text(Slot::Text(Text::UrlPath)) {
            // The canonical path is decoded already.
            Some(path) => path,
            None if target.path.contains('%') => {
                request::decode(target.path, &mut decoded);
                decoded.as_str()
            }
            None => target.path,
        };
        self.endpoint(record, method, path, event, batch);
        self.decoded = decoded;
    }

    /// The path and the endpoint; the object comes from the path before it is redacted.
    fn endpoint(
        &mut self,
        record: &Record<'_>,
        method: Option<&str>,
        path: &str,
        event: &mut Event,
        batch: &mut EventBatch,
    ) {
        let (path, was_cut) = redact::cut(path, PATH_BYTES_MAX);
        flag(event, ParseFlags::TRUNCATED, was_cut);
        let mut changed = false;
        let key = &self.policy.key;
        batch.write_text(event, Text::UrlPath, |out| changed = redact::path(path, key, out));
        flag(event, ParseFlags::REDACTED, changed);

        let mut name = std::mem::take(&mut self.endpoint);
        name.clear();
        let source = self.endpoint_name(record, method, path, event, batch, &mut name);
        if (changed || !matches!(source, EndpointSource::Lexical)) && !redact::is_clean(&name) {
            self.scratch.clear();
            redact::text(&name, &mut self.scratch);
            std::mem::swap(&mut name, &mut self.scratch);
        }
        event.endpoint_source = source;
        let (kept, was_cut) = redact::cut(&name, TEXT_BYTES_MAX);
        flag(event, ParseFlags::TRUNCATED, was_cut);
        event.endpoint_hash = endpoint::hash(kept);
        batch.set_text(event, Text::Endpoint, kept);
        self.endpoint = name;
    }

    #[expect(clippy::too_many_arguments, reason = "splits one function where it would be too long")]
    fn endpoint_name(
        &self,
        record: &Record<'_>,
        method: Option<&str>,
        path: &str,
        event: &mut Event,
        batch: &EventBatch,
        name: &mut String,
    ) -> EndpointSource {
        if let Some(given) = record.text(Slot::Text(Text::Endpoint)) {
            let source = record.text(Slot::Raw(Raw::EndpointSource));
            let source =
                source.and_then(EndpointSource::from_name).unwrap_or(EndpointSource::Operation);
            if matches!(source, EndpointSource::Route | EndpointSource::Operation) {
                (event.object, event.object_kind) = endpoint::route_object(given, path);
            } else if source != EndpointSource::Rpc && !path.is_empty() {
                object(endpoint::template(path, name), event);
                name.clear();
            }
            name.push_str(given);
            return source;
        }
        if let Some(system) = batch.text(event, Text::RpcSystem) {
            let operation =
                batch.text(event, Text::McpMethodName).or(batch.text(event, Text::RpcMethod));
            if let Some(operation) = operation {
                for part in [system, " ", operation] {
                    name.push_str(part);
                }
                if let Some(tool) = batch.text(event, Text::ToolName) {
                    name.push(' ');
                    name.push_str(tool);
                }
                return EndpointSource::Rpc;
            }
        }
        name.push_str(method.unwrap_or("-"));
        name.push(' ');
        let route = batch.text(event, Text::HttpRoute).map(|it| {
            // A route may be logged with its method.
            it.split_once(' ').filter(|(head, _)| request::is_method(head)).map_or(it, |(_, it)| it)
        });
        if let Some(route) = route.filter(|it| !is_catch_all(it)) {
            name.push_str(route);
            (event.object, event.object_kind) = endpoint::route_object(route, path);
            return EndpointSource::Route;
        }
        if path.is_empty() {
            name.push('-');
        } else {
            object(endpoint::template(path, name), event);
        }
        EndpointSource::Lexical
    }
}

fn object(lexical: endpoint::Lexical, event: &mut Event) {
    event.object = lexical.object;
    event.object_kind = if lexical.params == 0 { Kind::None } else { lexical.object_kind };
    flag(event, ParseFlags::PATH_NORMALIZED, lexical.changed);
}

/// Whether a route says nothing about the path.
fn is_catch_all(route: &str) -> bool {
    matches!(route, "/" | "$default" | "default")
        || route.ends_with('*')
        || route.contains("{proxy+}")
}

/// A host, in lower case, and its port.
fn host(text: Option<&str>, event: &mut Event, batch: &mut EventBatch) {
    let Some(address) = text.and_then(address::parse) else { return };
    batch.write_text(event, Text::ServerAddress, |out| {
        out.extend(address.host.trim().chars().map(|it| it.to_ascii_lowercase()));
    });
    if let (Some(port), None) = (address.port, event.int(Int::ServerPort)) {
        event.set_int(Int::ServerPort, i64::from(port));
    }
}

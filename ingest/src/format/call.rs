//! What was called: method, path, query, host and endpoint of an event.

use super::event::{Draft, Writer};
use super::field::{Raw, Slot};
use super::record::Record;
use super::{address, request};
use crate::endpoint;
use crate::redact;
use model::limit::{PATH_BYTES_MAX, TEXT_BYTES_MAX};
use model::{EndpointSource, Int, Kind, ParseFlags, Text};

impl Writer<'_> {
    /// Method, path, query, host, protocol and endpoint.
    pub(super) fn request(&mut self, record: &Record<'_>, draft: &mut Draft<'_>) {
        let (parts, is_bad) = request::split(record);
        if is_bad {
            draft.flag(ParseFlags::BAD_REQUEST_LINE, true);
        }
        let method = parts.method.filter(|it| request::is_method(it)).map(|given| {
            let known = request::method(given).unwrap_or(request::OTHER);
            draft.set(Text::HttpRequestMethod, known);
            let original = record.text(Slot::Text(Text::HttpRequestMethodOriginal));
            if known != given && given != request::OTHER {
                draft.set(Text::HttpRequestMethodOriginal, given);
            } else if let Some(original) = original {
                draft.put(Text::HttpRequestMethodOriginal, original, 32);
            }
            known
        });
        if let Some(version) = parts.protocol.and_then(request::version) {
            draft.set(Text::NetworkProtocolVersion, version);
        }
        let url = record.text(Slot::Raw(Raw::Url)).map(request::target).unwrap_or_default();
        let target = parts.target.map_or(url, request::target);
        let given_host = record.text(Slot::Raw(Raw::Host));
        host(given_host.or(target.host).or(url.host), draft);
        let scheme = target.scheme.or(url.scheme);
        if let (Some(scheme), false) = (scheme, draft.event.has_text(Text::UrlScheme)) {
            draft.set(Text::UrlScheme, scheme);
        }
        let query = record.text(Slot::Text(Text::UrlQuery)).or(target.query);
        // All of them: what is written is read again as it is.
        let query = query.map(|it| it.trim_start_matches('?'));
        let given_path = record.text(Slot::Text(Text::UrlPath));
        let own = draft.text(Text::ServerAddress);
        let classes =
            self.target.classes(given_path.unwrap_or(target.path), query.unwrap_or(""), own);
        draft.event.injection_classes = draft.event.injection_classes.with(classes);
        if let Some(query) = query {
            let (query, was_cut) = redact::cut(query, PATH_BYTES_MAX);
            let mut changed = false;
            let keep = self.policy.keep_query_values;
            draft.write(Text::UrlQuery, |out| changed = redact::query(query, keep, out));
            draft.flag(ParseFlags::TRUNCATED, was_cut);
            draft.flag(ParseFlags::REDACTED, changed);
        }
        let mut decoded = std::mem::take(&mut self.decoded);
        decoded.clear();
        let path = match given_path {
            // The canonical path is decoded already.
            Some(path) => path,
            None if target.path.contains('%') => {
                request::decode(target.path, &mut decoded);
                decoded.as_str()
            }
            None => target.path,
        };
        self.endpoint(record, method, path, draft);
        self.decoded = decoded;
    }

    /// The path and the endpoint; the object comes from the path before it is redacted.
    fn endpoint(
        &mut self,
        record: &Record<'_>,
        method: Option<&str>,
        path: &str,
        draft: &mut Draft<'_>,
    ) {
        let (path, was_cut) = redact::cut(path, PATH_BYTES_MAX);
        draft.flag(ParseFlags::TRUNCATED, was_cut);
        let mut clean = String::new();
        let has_parameters = redact::parameters(path, &mut clean);
        draft.flag(ParseFlags::REDACTED, has_parameters);
        let path = if has_parameters { clean.as_str() } else { path };
        let mut changed = false;
        let key = &self.policy.key;
        draft.write(Text::UrlPath, |out| changed = redact::path(path, key, out));
        draft.flag(ParseFlags::REDACTED, changed);

        let mut name = std::mem::take(&mut self.endpoint);
        name.clear();
        let source = Self::endpoint_name(record, method, path, draft, &mut name);
        // A template of a clean path is clean; what the log named may hold anything.
        let is_ours = !changed
            && source == EndpointSource::Lexical
            && !record.has(Slot::Text(Text::Endpoint));
        if !is_ours {
            // A subresource that a caller named may have parameters behind it.
            self.scratch.clear();
            let has_value = memchr::memchr(b'=', name.as_bytes()).is_some();
            if has_value && redact::parameters(&name, &mut self.scratch) {
                draft.flag(ParseFlags::REDACTED, true);
                std::mem::swap(&mut name, &mut self.scratch);
            }
            if !self.is_clean(&name) {
                self.scratch.clear();
                redact::text(&name, &mut self.scratch);
                std::mem::swap(&mut name, &mut self.scratch);
            }
        }
        draft.event.endpoint_source = source;
        let (kept, was_cut) = redact::cut(&name, TEXT_BYTES_MAX);
        draft.flag(ParseFlags::TRUNCATED, was_cut);
        draft.event.endpoint_hash = endpoint::hash(kept);
        draft.set(Text::Endpoint, kept);
        self.endpoint = name;
    }

    /// Appends the endpoint's name; says where it comes from, and notes the object.
    fn endpoint_name(
        record: &Record<'_>,
        method: Option<&str>,
        path: &str,
        draft: &mut Draft<'_>,
        name: &mut String,
    ) -> EndpointSource {
        if let Some(given) = record.text(Slot::Text(Text::Endpoint)) {
            let source = record.text(Slot::Raw(Raw::EndpointSource));
            let source =
                source.and_then(EndpointSource::from_name).unwrap_or(EndpointSource::Operation);
            if matches!(source, EndpointSource::Route | EndpointSource::Operation) {
                (draft.event.object, draft.event.object_kind) = endpoint::route_object(given, path);
            } else if source != EndpointSource::Rpc && !path.is_empty() {
                object(endpoint::template(path, name), draft);
                name.clear();
            }
            name.push_str(given);
            return source;
        }
        if let Some(system) = draft.text(Text::RpcSystem) {
            let operation = draft.text(Text::McpMethodName).or(draft.text(Text::RpcMethod));
            if let Some(operation) = operation {
                for part in [system, " ", operation] {
                    name.push_str(part);
                }
                if let Some(tool) = draft.text(Text::ToolName) {
                    name.push(' ');
                    name.push_str(tool);
                }
                return EndpointSource::Rpc;
            }
        }
        name.push_str(method.unwrap_or("-"));
        name.push(' ');
        let route = draft.text(Text::HttpRoute).map(|it| {
            // A route may be logged with its method.
            it.split_once(' ').filter(|(head, _)| request::is_method(head)).map_or(it, |(_, it)| it)
        });
        if let Some(route) = route.filter(|it| !is_catch_all(it)) {
            name.push_str(route);
            let found = endpoint::route_object(route, path);
            (draft.event.object, draft.event.object_kind) = found;
            return EndpointSource::Route;
        }
        if path.is_empty() {
            name.push('-');
        } else {
            object(endpoint::template(path, name), draft);
        }
        EndpointSource::Lexical
    }
}

fn object(lexical: endpoint::Lexical, draft: &mut Draft<'_>) {
    draft.event.object = lexical.object;
    draft.event.object_kind = if lexical.params == 0 { Kind::None } else { lexical.object_kind };
    draft.flag(ParseFlags::PATH_NORMALIZED, lexical.changed);
}

/// Whether a route says nothing about the path.
fn is_catch_all(route: &str) -> bool {
    matches!(route, "/" | "$default" | "default")
        || route.ends_with('*')
        || route.contains("{proxy+}")
}

/// A host, in lower case, and its port.
fn host(text: Option<&str>, draft: &mut Draft<'_>) {
    let Some(address) = text.and_then(address::parse) else { return };
    if address.ip.is_none() && redact::holds_credential(address.host) {
        draft.flag(ParseFlags::REDACTED, true);
        return;
    }
    draft.write(Text::ServerAddress, |out| {
        out.extend(address.host.trim().chars().map(|it| it.to_ascii_lowercase()));
    });
    if let (Some(port), None) = (address.port, draft.event.int(Int::ServerPort)) {
        draft.event.set_int(Int::ServerPort, i64::from(port));
    }
}

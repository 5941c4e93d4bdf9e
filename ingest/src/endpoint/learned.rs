//! The endpoints of one run: templates by number, learned from answered calls in their order.

mod state;

use super::fold::{Group, groups};
use super::lexical::{Object, hash};
use super::trie::{NodeId, Refused, Trie, segments};
use hashbrown::HashMap;
use model::limit::{ENDPOINTS_MAX, PATH_SEGMENTS_MAX};
use model::{EndpointId, EndpointSource, Endpoints, Event, Kind};
use serde::{Deserialize, Serialize};

/// Endpoints of [`ENDPOINTS_MAX`] that are kept free for folded and shared ones.
const ENDPOINTS_RESERVED: usize = 8_192;
/// Bytes of all endpoints' names together.
const NAMES_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Templates whose endpoint is remembered; further ones are looked up segment by segment.
const KNOWN_MAX: usize = 4 * ENDPOINTS_MAX;
/// Methods that have shared endpoints and a tree of their own; any other one is `_OTHER`.
const METHODS: [&str; 13] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE", "rpc",
    "-", "_OTHER",
];

/// When segments that vary are folded into one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How many different words may stand in one place of a path before they count as values.
    pub children_max: u32,
    /// The share of those words, 0 to 1, that must be followed by the same.
    pub alike_share_min: f64,
    /// The share of calls, 0 to 1, above which one of the words keeps all of them from being folded.
    pub child_share_max: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { children_max: 50, alike_share_min: 0.8, child_share_max: 0.2 }
    }
}

/// The endpoints seen so far, and what is known about which segments vary.
///
/// An endpoint is learned from an answered call only (any status but 4xx): scanners ask for what
/// does not exist, and must neither fill the memory nor fold what does.
#[derive(Debug)]
pub struct Templates {
    settings: Settings,
    endpoints: Endpoints,
    /// By endpoint: calls, and the positions of its folded segments.
    calls: Vec<u64>,
    vars: Vec<u32>,
    /// By the hash of a template; only looked up, never iterated.
    known: HashMap<u64, EndpointId, foldhash::fast::RandomState>,
    trie: Trie,
    unrouted: [Option<EndpointId>; METHODS.len()],
    overflow: [Option<EndpointId>; METHODS.len()],
    names_bytes: usize,
    overflowed: u64,
    untracked: u64,
    /// Anything but a count changed since the last export; no part of the state.
    is_changed: bool,
}

/// What became of a template that was not known.
enum Place {
    /// It has an endpoint; with `true` the template may be remembered.
    Known(EndpointId, bool),
    Unrouted,
    Overflow,
}

impl Templates {
    /// No endpoints yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            endpoints: Endpoints::default(),
            calls: Vec::new(),
            vars: Vec::new(),
            known: HashMap::default(),
            trie: Trie::new(settings.children_max as usize),
            unrouted: [None; METHODS.len()],
            overflow: [None; METHODS.len()],
            names_bytes: 0,
            overflowed: 0,
            untracked: 0,
            is_changed: false,
        }
    }

    /// Gives an event its endpoint; events must come in order.
    ///
    /// `name` is the event's endpoint as the parser wrote it, `event.endpoint_hash` its hash.
    /// Where segments of it were found to vary, the object takes them in.
    pub fn assign(&mut self, event: &mut Event, name: &str) {
        let id = match self.known.get_mut(&event.endpoint_hash) {
            Some(known) => {
                *known = self.endpoints.resolve(*known);
                *known
            }
            None => self.look_up(event, name),
        };
        event.endpoint_id = id;
        event.endpoint_source = self.endpoints.source(id);
        if let Some(calls) = self.calls.get_mut(id.0 as usize) {
            *calls += 1;
        }
        let vars = self.vars.get(id.0 as usize).copied().unwrap_or_default();
        if vars != 0 {
            add_to_object(event, name, vars);
        }
    }

    /// The endpoints seen so far.
    pub const fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Events whose endpoint is none of its own, because there are too many.
    pub const fn overflowed(&self) -> u64 {
        self.overflowed
    }

    /// Endpoints that will not be folded, because too many segments are tracked.
    pub const fn untracked(&self) -> u64 {
        self.untracked
    }

    fn look_up(&mut self, event: &Event, name: &str) -> EndpointId {
        let (method, _) = name.split_once(' ').unwrap_or((name, ""));
        let place = match event.endpoint_source {
            EndpointSource::Unrouted => Place::Unrouted,
            EndpointSource::Overflow => Place::Overflow,
            source => {
                let is_answered = !matches!(event.status(), Some(400..=499));
                self.place(name, source, is_answered)
            }
        };
        let method = match event.endpoint_source {
            EndpointSource::Rpc => "rpc",
            _ => method,
        };
        match place {
            Place::Known(id, may_remember) => {
                if may_remember && self.known.len() < KNOWN_MAX {
                    self.is_changed = true;
                    self.known.insert(event.endpoint_hash, id);
                }
                id
            }
            Place::Unrouted => self.shared(method, EndpointSource::Unrouted),
            Place::Overflow => {
                self.overflowed += 1;
                self.shared(method, EndpointSource::Overflow)
            }
        }
    }

    fn place(&mut self, name: &str, source: EndpointSource, is_answered: bool) -> Place {
        let Some((method, template)) = lexical(name, source) else {
            let id = is_answered.then(|| self.intern(name, source, 0));
            return id.map_or(Place::Unrouted, |id| {
                id.map_or(Place::Overflow, |id| Place::Known(id, true))
            });
        };
        let roots = self.trie.roots();
        let root = self.trie.root(method);
        self.is_changed |= self.trie.roots() != roots;
        let found = self.trie.find(root, template);
        if let Some(id) = found.and_then(|node| self.trie.endpoint(node)) {
            return Place::Known(id, is_answered);
        }
        if !is_answered {
            return Place::Unrouted;
        }
        if !self.has_room() {
            return Place::Overflow;
        }
        self.is_changed = true;
        let id = match self.trie.grow(root, template) {
            Ok(node) => self.endpoint_of(node),
            Err(Refused::Variable) => return Place::Unrouted,
            Err(Refused::Crowded) => None,
            Err(Refused::Full) => {
                self.untracked += 1;
                self.intern(name, source, 0)
            }
        };
        id.map_or(Place::Overflow, |id| Place::Known(id, true))
    }

    fn has_room(&self) -> bool {
        self.endpoints.len() < ENDPOINTS_MAX - ENDPOINTS_RESERVED
            && self.names_bytes < NAMES_BYTES_MAX
    }

    /// The endpoint of a name, made if there is room.
    fn intern(&mut self, name: &str, source: EndpointSource, vars: u32) -> Option<EndpointId> {
        let hash = hash(name);
        if let Some(known) = self.known.get(&hash) {
            return Some(self.endpoints.resolve(*known));
        }
        // Folds make room elsewhere, so they may use what is kept free.
        let room = self.has_room() || (vars != 0 && self.endpoints.len() < ENDPOINTS_MAX);
        let id = room.then(|| self.push(name, source, vars))?;
        self.is_changed = true;
        self.known.insert(hash, id);
        Some(id)
    }

    fn push(&mut self, name: &str, source: EndpointSource, vars: u32) -> EndpointId {
        self.is_changed = true;
        let id = self.endpoints.push(name, source);
        self.names_bytes += name.len();
        self.calls.push(0);
        self.vars.push(vars);
        id
    }

    /// The endpoint that all such paths of a method share.
    fn shared(&mut self, method: &str, source: EndpointSource) -> EndpointId {
        let at = METHODS.iter().position(|it| *it == method).unwrap_or(METHODS.len() - 1);
        let of = |this: &mut Self| match source {
            EndpointSource::Overflow => this.overflow.get(at).copied().flatten(),
            _ => this.unrouted.get(at).copied().flatten(),
        };
        if let Some(id) = of(self) {
            return id;
        }
        let method = METHODS.get(at).copied().unwrap_or("_OTHER");
        let id = self.push(&format!("{method} {{{source}}}"), source, 0);
        let slots = match source {
            EndpointSource::Overflow => &mut self.overflow,
            _ => &mut self.unrouted,
        };
        if let Some(slot) = slots.get_mut(at) {
            *slot = Some(id);
        }
        id
    }

    /// The endpoint of a node, made if there is room.
    fn endpoint_of(&mut self, node: NodeId) -> Option<EndpointId> {
        if let Some(id) = self.trie.endpoint(node) {
            return Some(id);
        }
        let vars = self.trie.vars(node);
        let source = if vars == 0 { EndpointSource::Lexical } else { EndpointSource::Learned };
        let id = self.intern(&self.trie.name(node), source, vars)?;
        self.trie.set_endpoint(node, id);
        Some(id)
    }

    /// Folds the segments that were found to vary; returns how many endpoints became part of
    /// another.
    ///
    /// The pipeline calls this at the hours of event time, so that what is folded depends on the
    /// events alone. What was folded stays folded.
    pub fn apply_folds(&mut self) -> usize {
        let mut folded = 0;
        // A fold brings together what follows the folded words, which may be crowded then.
        for _ in 0..PATH_SEGMENTS_MAX {
            let before = folded;
            for node in self.trie.crowded() {
                for group in groups(&self.trie, node, &self.calls, &self.settings) {
                    folded += self.fold(node, &group);
                }
            }
            if folded == before {
                break;
            }
        }
        folded
    }

    fn fold(&mut self, parent: NodeId, group: &Group) -> usize {
        self.is_changed = true;
        let variable = self.trie.add(parent, &group.label, true);
        let mut folded = 0;
        for member in &group.members {
            folded += self.merge(*member, variable);
            self.trie.remove(*member);
        }
        folded
    }

    /// Makes the endpoints at and below one node part of those at and below another.
    fn merge(&mut self, from: NodeId, into: NodeId) -> usize {
        let mut folded = 0;
        if let Some(old) = self.trie.endpoint(from)
            && let Some(new) = self.endpoint_of(into)
        {
            self.endpoints.fold(old, new);
            let calls = self.calls.get_mut(old.0 as usize).map(std::mem::take).unwrap_or_default();
            if let Some(sum) = self.calls.get_mut(new.0 as usize) {
                *sum = sum.saturating_add(calls);
            }
            folded += 1;
        }
        for child in self.trie.children(from).to_vec() {
            let label = self.trie.label(child).to_owned();
            let is_variable = self.trie.is_variable(child);
            let target = self.trie.descend(into, &label);
            let target = target.unwrap_or_else(|| self.trie.add(into, &label, is_variable));
            folded += self.merge(child, target);
        }
        folded
    }
}

/// The method and the template of a name that comes from a path, if it may be folded.
fn lexical(name: &str, source: EndpointSource) -> Option<(&'static str, &str)> {
    let (method, template) = name.split_once(' ')?;
    let method = METHODS.iter().find(|it| **it == method)?;
    (source == EndpointSource::Lexical && template.starts_with('/')).then_some((method, template))
}

/// Adds what stands in the folded segments to an event's object.
fn add_to_object(event: &mut Event, name: &str, vars: u32) {
    let Some((_, template)) = name.split_once(' ') else { return };
    let mut object = Object::new();
    let mut last_is_folded = false;
    for (position, segment) in segments(template).take(PATH_SEGMENTS_MAX).enumerate() {
        if vars & (1 << position) != 0 {
            object.add(segment);
            last_is_folded = true;
        } else if segment.contains('{') {
            last_is_folded = false;
        }
    }
    if let Some(typed) = event.object {
        object.add_fingerprint(typed);
    }
    event.object = object.finish().0;
    if last_is_folded {
        event.object_kind = Kind::Opaque;
    }
}

#[cfg(test)]
mod tests;

//! Agent graph: an agent calls whom it never called, deeper than ever or in a circle; and errors that go
//! from one agent to others.
//!
//! Edges are learned as hashes; only the open hour has names, of what is new in it.

mod fresh;
mod known;
mod spread;
mod words;

pub(crate) use known::KnownGraph;

use super::About;
use crate::engine::Context;
use crate::partition::text_hash;
use crate::snapshot::plain::{self, Source};
use crate::statistics::Moments;
use crate::watch::{At, Closed, Failure, Path, Paths, Subject, Told};
use fresh::{Fresh, Novel, Said};
use known::{CallerHour, Edge, HourOf, Node, Novelty};
use model::mention::Mentions;
use model::{Detector, Evidence, Finding, PrincipalType};
use serde::{Deserialize, Serialize};
use spread::{Past, SPAN_NS, Spread};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const ABOUT: About = About {
    version: 1,
    unit: "first-seen edges",
    danger: 0.75,
    owasp: &["API10:2023", "ASI07", "ASI08"],
    attack: &["T1199"],
};
/// What is counted where errors spread.
const UNIT_ERRORS: &str = "errors on other edges in ten minutes";
/// Hours of log before anything is called new, or errors too many.
const LOGGED_H_MIN: u32 = 7 * 24;
/// Edges of an hour that are counted, and those of them that are new and have names.
const EDGES_MAX: usize = 8_192;
const FRESH_MAX: usize = 1_024;
/// Agents of an hour of which it is noted how deep the paths are that they begin.
const HEADS_MAX: usize = 8_192;
/// Findings of an hour.
const RAISED_MAX: usize = 64;
/// Half of the surprise of a law is believed, and four fifths of that of a counted share: the one is
/// brought to the scale of the other.
const LAW_TRUST: f64 = 1.25 / 2.0;

/// An edge with its names.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Step {
    tenant: Box<str>,
    caller: Box<str>,
    callee: Box<str>,
    /// What kind of identity the caller is, and how that is known.
    #[serde(with = "plain")]
    kind: PrincipalType,
    #[serde(with = "plain")]
    source: Source,
}

impl Step {
    /// `caller→callee`.
    fn entity(&self) -> String {
        format!("{}→{}", self.caller, self.callee)
    }

    fn mentions(&self, mentions: &Mentions) -> bool {
        mentions.are_in(&self.caller) || mentions.are_in(&self.callee)
    }
}

/// What the open hour has of an edge.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct HourEdge {
    calls: u64,
    is_answered: bool,
    is_new: bool,
    /// Of the open ten minutes, and of each before.
    span_calls: u64,
    span_errors: u64,
    errors: Moments,
}

/// Who called whom in the open hour.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Graph {
    edges: BTreeMap<Edge, HourEdge>,
    /// Most agents on a path, by the one that began it.
    depths: BTreeMap<Node, u32>,
    /// How many began to call each in this hour.
    newcomers: BTreeMap<Node, u32>,
    fresh: BTreeMap<Edge, Fresh>,
    said: BTreeMap<Edge, Said>,
    /// Something new came since it was looked at.
    is_due: bool,
    /// The open ten minutes, by their number.
    span: i64,
    spread: Spread,
    past: BTreeMap<Edge, Past>,
    missed: u64,
}

/// The edges of a path, in order: the number of the caller in it, and the edge.
fn edges_of(path: &Path) -> impl Iterator<Item = (usize, Edge)> {
    let tenant = if path.tenant.is_empty() { 0 } else { text_hash(&path.tenant) };
    let names: Vec<u64> = path.names().map(text_hash).collect();
    let pairs: Vec<_> = names
        .windows(2)
        .enumerate()
        .filter_map(|(index, pair)| match pair {
            // An agent and a server of one name are two things, and say nothing.
            [caller, callee] if caller != callee => {
                let caller = Node { tenant, name: *caller };
                Some((index, Edge { caller, callee: *callee }))
            }
            _ => None,
        })
        .collect();
    pairs.into_iter()
}

/// The last edge of a path, where its calls went.
fn edge_of(path: &Path) -> Option<(Edge, Step)> {
    let last = path.names().count().checked_sub(2)?;
    let (index, edge) = edges_of(path).last().filter(|(index, _)| *index == last)?;
    Some((edge, step_of(path, index)?))
}

fn step_of(path: &Path, index: usize) -> Option<Step> {
    let is_own = path.agents.len() == 1;
    Some(Step {
        tenant: path.tenant.clone(),
        caller: path.agents.get(index)?.clone(),
        callee: path.names().nth(index + 1)?.into(),
        kind: if is_own { path.kind } else { PrincipalType::Service },
        source: if is_own { path.source } else { "actor" },
    })
}

impl Graph {
    /// Takes in what partitions noted in a minute, in their order.
    pub(crate) fn take(
        &mut self,
        at: &At<'_>,
        known: &KnownGraph,
        notes: &[Paths],
        findings: &mut Vec<Finding>,
    ) {
        let all = || notes.iter().flat_map(|it| it.all.values());
        let Some(last) = all().map(|path| path.last).max() else { return };
        self.turn(at, known, last.ns().div_euclid(SPAN_NS), findings);
        let mut failures = Vec::new();
        for it in notes {
            self.missed += it.missed;
            for (id, path) in &it.all {
                self.add(at.context, known, *id, path);
            }
            let of = |failure: &Failure| Some((failure.clone(), it.all.get(&failure.path)?));
            failures.extend(it.failures.iter().filter_map(of));
        }
        failures.sort_by_key(|(failure, _)| (failure.at, failure.order, failure.path));
        self.spread.take(failures);
    }

    fn add(&mut self, context: &Context<'_>, known: &KnownGraph, id: u64, path: &Path) {
        let steps: Vec<_> = edges_of(path).collect();
        let Some((_, first)) = steps.first() else { return };
        let (head, depth) = (first.caller, path.agents.len() as u32);
        let last = path.names().count().saturating_sub(2);
        let is_answered = |index: usize| index < last || path.answered > 0;
        let is_new = |(index, edge): &(usize, Edge)| !known.knows(*edge, is_answered(*index));
        let new = steps.iter().filter(|step| is_new(step)).count();
        self.note_depth(head, depth);
        for (index, edge) in steps {
            if self.edges.len() >= EDGES_MAX && !self.edges.contains_key(&edge) {
                self.missed += path.calls;
                continue;
            }
            let errors = if index == last { path.errors } else { 0 };
            let hour = self.edges.entry(edge).or_default();
            hour.calls += path.calls;
            hour.is_answered |= is_answered(index);
            hour.span_calls += path.calls;
            hour.span_errors += errors;
            self.spread.count(errors);
            if !is_new(&(index, edge)) {
                continue;
            }
            if !hour.is_new {
                hour.is_new = true;
                *self.newcomers.entry(edge.to()).or_default() += 1;
            }
            if known.settled(edge.caller, context.hour).is_some() {
                let deeper_than = known.deepest(head, context.hour).filter(|it| *it < depth);
                let of = Novel { index, edge, head, deeper_than, is_several: new > 1 };
                self.add_fresh(&of, (id, path), index == last);
            }
        }
    }

    /// Notes how many agents a path has that somebody began.
    fn note_depth(&mut self, head: Node, depth: u32) {
        if self.depths.len() < HEADS_MAX || self.depths.contains_key(&head) {
            let deepest = self.depths.entry(head).or_default();
            *deepest = depth.max(*deepest);
        }
    }

    /// Raises what may be raised while the hour is open.
    pub(crate) fn look(&mut self, at: &At<'_>, known: &KnownGraph, findings: &mut Vec<Finding>) {
        if !is_ready(at.context) {
            return;
        }
        if std::mem::take(&mut self.is_due) {
            self.say_new(at.context, known, 0, findings);
        }
        self.say_spread(at.context, known, findings);
    }

    /// Judges the hour whole, and learns from it.
    pub(crate) fn close(
        &mut self,
        at: &At<'_>,
        known: &mut KnownGraph,
        findings: &mut Vec<Finding>,
        closed: &mut Closed,
    ) {
        let context = at.context;
        self.turn(at, known, i64::MAX, findings);
        if is_ready(context) {
            self.say_new(context, known, 1, findings);
            self.tell(context, known, closed);
        }
        self.learn(context, known);
        let missed = self.missed;
        *self = Self { missed, ..Self::default() };
    }

    /// Says what the hour was, for the calibration: of each caller the new edge that was raised, else the
    /// oddest.
    fn tell(&self, context: &Context<'_>, known: &KnownGraph, closed: &mut Closed) {
        let callers: BTreeSet<_> = self.edges.keys().map(|edge| edge.caller).collect();
        let settled = callers.iter().filter(|it| known.settled(**it, context.hour).is_some());
        closed.judged.push((Detector::AgentGraph, settled.count() as u64));
        for caller in callers {
            let Some((edge, fresh, odd)) = self.oddest_of(context, known, caller) else { continue };
            let Some(mut told) = self.told_new(context, known, (edge, fresh, odd)) else {
                continue;
            };
            told.is_raised = self.said.contains_key(&edge) || told.may_raise(context);
            closed.said.push(told);
        }
        for past in self.past.values() {
            let is_raised = past.origin.raised.said_at > 0;
            closed.said.push(Told { is_raised, ..past.told(context, known) });
        }
    }

    /// What an hour with a finding had of new edges is only noted.
    fn learn(&self, context: &Context<'_>, known: &mut KnownGraph) {
        let now = context.hour;
        let paths: BTreeSet<_> = self.said.values().map(|said| said.path).collect();
        let mut odd: BTreeSet<Node> = self.said.keys().map(|edge| edge.caller).collect();
        for (edge, fresh) in self.fresh.iter().filter(|(_, it)| paths.contains(&it.path)) {
            odd.extend([edge.caller, fresh.head]);
        }
        let mut novelty = Novelty::default();
        for (edge, fresh) in self.fresh.iter().filter(|(edge, _)| !odd.contains(&edge.caller)) {
            let Some(it) = self.odd(context, known, *edge, fresh) else { continue };
            let one = |is: bool| f64::from(u8::from(is));
            novelty.absorb(Novelty {
                all: 1.0,
                strangers: one(it.is_stranger),
                circles: one(fresh.is_circle),
                several: one(fresh.is_several),
            });
        }
        let mut callers: BTreeMap<Node, CallerHour> = BTreeMap::new();
        for (edge, hour) in &self.edges {
            let caller = callers.entry(edge.caller).or_insert_with(|| CallerHour {
                calls: 0,
                is_novel: self.new_of(edge.caller) > 0.0,
                depth: self.depths.get(&edge.caller).copied().unwrap_or(0),
                is_learned: !odd.contains(&edge.caller),
            });
            caller.calls += hour.calls;
        }
        for (node, hour) in callers {
            known.learn_caller(node, hour, now);
        }
        for (edge, hour) in &self.edges {
            let is_learned = !odd.contains(&edge.caller);
            let (is_answered, errors) = (hour.is_answered, hour.errors);
            let errors = if is_learned { errors } else { Moments::default() };
            let of = HourOf { is_answered, errors, is_learned };
            known.learn_edge(*edge, of, now.day_number());
        }
        known.novelty.absorb(novelty);
        known.settle(now);
    }

    /// Calls that were not counted, beyond one of the limits.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed + self.spread.missed()
    }

    pub(crate) fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        let fresh = self.fresh.values_mut().flat_map(|it| &mut it.evidence);
        let past = self.past.values_mut().flat_map(|it| &mut it.origin.evidence);
        fresh.chain(past).chain(self.spread.evidence_mut())
    }

    /// Forgets somebody, by all names and by the hash of the id.
    pub(crate) fn forget(&mut self, mentions: &Mentions, name: u64) {
        self.edges.retain(|edge, _| !edge.is_of(name));
        self.said.retain(|edge, _| !edge.is_of(name));
        self.depths.retain(|node, _| node.name != name);
        self.newcomers.retain(|node, _| node.name != name);
        self.fresh.retain(|_, it| {
            !it.step.mentions(mentions) && !it.agents.iter().any(|name| mentions.are_in(name))
        });
        self.past.retain(|_, past| !past.origin.step.mentions(mentions));
        self.past.values_mut().for_each(|past| past.origin.forget(mentions, name));
        self.spread.forget(mentions, name);
    }
}

fn subject_of(step: &Step) -> Subject {
    Subject {
        tenant: step.tenant.clone(),
        address: Some(step.caller.clone()),
        entity: step.entity(),
    }
}

/// Whether there is enough of a log to say what agents usually do.
fn is_ready(context: &Context<'_>) -> bool {
    context.logged_h >= LOGGED_H_MIN && context.plan.is_enabled(Detector::AgentGraph)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Time;

    /// A path through agents, of which the last name is the callee.
    pub(crate) fn path_of(names: &[&str]) -> Path {
        let (callee, agents) = names.split_last().unwrap();
        Path {
            tenant: Box::default(),
            agents: agents.iter().map(|name| (*name).into()).collect(),
            callee: Some((*callee).into()),
            kind: PrincipalType::Service,
            source: "actor",
            calls: 1,
            answered: 1,
            errors: 0,
            first: Time::from_ns(0),
            last: Time::from_ns(0),
            evidence: Evidence::at(Time::from_ns(0)),
        }
    }

    #[test]
    fn many_first_agents_do_not_fill_the_memory() {
        let mut graph = Graph::default();
        for head in 0..HEADS_MAX as u64 + 40 {
            let name = Node { tenant: 0, name: head };
            graph.note_depth(name, 1);
            graph.note_depth(name, 3);
        }
        let deepest = graph.depths.get(&Node { tenant: 0, name: 7 });
        assert_eq!((graph.depths.len(), deepest), (HEADS_MAX, Some(&3)));
    }

    #[test]
    fn a_path_has_an_edge_for_each_step_but_none_to_itself() {
        let edges = |names: &[&str]| edges_of(&path_of(names)).count();
        assert_eq!(
            (edges(&["a", "b", "c"]), edges(&["a", "b", "a"]), edges(&["a", "a"])),
            (2, 2, 0)
        );
        let (_, step) = edge_of(&path_of(&["a", "b", "c"])).unwrap();
        assert_eq!(step.entity(), "b→c");
        assert!(edge_of(&path_of(&["b", "a", "a"])).is_none(), "it went nowhere");
    }
}

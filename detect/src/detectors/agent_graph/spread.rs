//! Errors that go from one edge to others: where they began, and what followed in the same traces.

use super::known::{Edge, KnownGraph};
use super::{Graph, LAW_TRUST, Step, edge_of, is_ready, subject_of, words};
use crate::detectors::UPPER_SURPRISE;
use crate::engine::Context;
use crate::snapshot::plain;
use crate::statistics::Predictive;
use crate::statistics::tail::largest_of;
use crate::watch::{At, Failure, Path, Raised, Told};
use model::mention::Mentions;
use model::time::NS_PER_MIN;
use model::{Detector, Evidence, Finding, Time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The span in which errors are counted.
pub(super) const SPAN_NS: i64 = 10 * NS_PER_MIN;
/// Spans of an hour.
const SPANS: f64 = 6.0;
/// Traces with errors, places where errors began, and edges that they went to, that are told apart in a
/// span.
const THREADS_MAX: usize = 8_192;
const ORIGINS_MAX: usize = 128;
const FOLLOWERS_MAX: usize = 64;
/// Fewer errors than this elsewhere are no growth, nor fewer than so many for each one where they began:
/// each agent on the way back reports a failure of its own.
const FOLLOWING_MIN: u64 = 20;
const GROWTH_MIN: u64 = 5;
/// Agents that must have had them: one agent that fails everywhere is not many.
const CALLERS_MIN: usize = 2;

/// An edge that errors went to.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Follower {
    pub(super) name: Box<str>,
    pub(super) errors: u64,
}

/// Where the errors of some traces began, and what followed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Origin {
    pub(super) step: Step,
    /// Errors of whom the edge goes to, by any caller, in the traces that began here.
    pub(super) errors: u64,
    /// Errors on other edges, to others.
    pub(super) following: u64,
    pub(super) followers: BTreeMap<Edge, Follower>,
    #[serde(with = "plain")]
    pub(super) first: Time,
    #[serde(with = "plain")]
    pub(super) first_following: Option<Time>,
    #[serde(with = "plain")]
    pub(super) last_following: Time,
    #[serde(with = "plain")]
    pub(super) last: Time,
    #[serde(with = "plain")]
    pub(super) evidence: Vec<Evidence>,
    /// The log has traces, and not only chains.
    pub(super) has_traces: bool,
    pub(super) raised: Raised,
}

impl Origin {
    /// Agents that had errors on other edges.
    pub(super) fn callers(&self) -> usize {
        let mut callers: Vec<_> = self.followers.keys().map(|edge| edge.caller).collect();
        // The edges are in order, and their callers come first in it.
        callers.dedup();
        callers.len()
    }

    /// The errors elsewhere from which on it is worth a word.
    pub(super) const fn floor(&self) -> u64 {
        let grown = GROWTH_MIN * self.errors;
        if grown > FOLLOWING_MIN { grown } else { FOLLOWING_MIN }
    }

    /// Forgets one of those whose errors followed.
    pub(super) fn forget(&mut self, mentions: &Mentions, name: u64) {
        self.followers.retain(|edge, it| !edge.is_of(name) && !mentions.are_in(&it.name));
        self.following = self.followers.values().map(|it| it.errors).sum();
    }

    pub(super) fn is_spread(&self) -> bool {
        self.following >= self.floor() && self.callers() >= CALLERS_MIN
    }

    /// Whether more edges than these had errors.
    pub(super) fn is_full(&self) -> bool {
        self.followers.len() >= FOLLOWERS_MAX
    }
}

/// The errors of the open span.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Spread {
    /// Where each trace had its first error.
    threads: BTreeMap<u64, Edge>,
    pub(super) origins: BTreeMap<Edge, Origin>,
    /// Errors of agents' calls that were looked at.
    errors: u64,
    missed: u64,
}

impl Spread {
    /// Takes in the failures of a minute, in order, with their paths.
    pub(super) fn take(&mut self, failures: Vec<(Failure, &Path)>) {
        for (failure, path) in failures {
            let Some((edge, step)) = edge_of(path) else { continue };
            let thread = failure.thread ^ edge.caller.tenant;
            let origin = match self.threads.get(&thread) {
                Some(origin) => *origin,
                None if self.threads.len() < THREADS_MAX => {
                    self.threads.insert(thread, edge);
                    edge
                }
                None => {
                    self.missed += 1;
                    continue;
                }
            };
            if !self.origins.contains_key(&origin) {
                if self.origins.len() >= ORIGINS_MAX {
                    self.missed += 1;
                    continue;
                }
                self.origins.insert(origin, Origin::of(step.clone(), &failure));
            }
            if let Some(at) = self.origins.get_mut(&origin) {
                at.add((origin, edge), &step, failure);
            }
        }
    }

    /// Notes errors that agents had, whatever they belong to.
    pub(super) const fn count(&mut self, errors: u64) {
        self.errors += errors;
    }

    /// The law of the errors on the edges that those of an origin went to, in ten minutes: as many as they
    /// ordinarily have, and more where all agents have more.
    pub(super) fn law(
        &self,
        known: &KnownGraph,
        origin: &Origin,
        active: impl Iterator<Item = Edge>,
    ) -> Option<Predictive> {
        let usual = errors_of(known, origin.followers.keys().copied())?;
        let everywhere = errors_of(known, active)?;
        let others = self.errors.saturating_sub(origin.errors + origin.following) as f64;
        let factor = ((others + 1.0) / (everywhere.mean + 1.0)).max(1.0);
        Some(Predictive { mean: usual.mean * factor, variance: usual.variance * factor * factor })
    }

    pub(super) const fn missed(&self) -> u64 {
        self.missed
    }

    /// Ends the span.
    pub(super) fn clear(&mut self) {
        let missed = self.missed;
        *self = Self { missed, ..Self::default() };
    }

    pub(super) fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        self.origins.values_mut().flat_map(|origin| &mut origin.evidence)
    }

    pub(super) fn forget(&mut self, mentions: &Mentions, name: u64) {
        self.threads.retain(|_, edge| !edge.is_of(name));
        self.origins.retain(|edge, _| !edge.is_of(name));
        self.origins.values_mut().for_each(|origin| origin.forget(mentions, name));
    }
}

impl Origin {
    fn of(step: Step, failure: &Failure) -> Self {
        Self {
            step,
            errors: 0,
            following: 0,
            followers: BTreeMap::new(),
            first: failure.at,
            first_following: None,
            last_following: failure.at,
            last: failure.at,
            evidence: Vec::new(),
            has_traces: failure.is_trace,
            raised: Raised::default(),
        }
    }

    /// Adds an error of one of its traces.
    fn add(&mut self, (origin, edge): (Edge, Edge), step: &Step, failure: Failure) {
        self.last = self.last.max(failure.at);
        let room = Finding::EVIDENCE_MAX.saturating_sub(self.evidence.len());
        if edge.to() == origin.to() {
            self.errors += 1;
            // Half of the room is for what follows.
            let begun = self.errors as usize <= Finding::EVIDENCE_MAX / 2;
            self.evidence.extend(failure.evidence.into_iter().take(room.min(usize::from(begun))));
            return;
        }
        let is_full = self.is_full();
        match self.followers.get_mut(&edge) {
            Some(follower) => follower.errors += 1,
            // Counted where it can be named alone, so that every number has its edges.
            None if is_full => return,
            None => {
                let name = step.entity().into();
                self.followers.insert(edge, Follower { name, errors: 1 });
            }
        }
        self.following += 1;
        self.first_following.get_or_insert(failure.at);
        self.last_following = failure.at;
        self.evidence.extend(failure.evidence.into_iter().take(room));
    }
}

/// Errors that spread, once their span was over.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Past {
    pub(super) origin: Origin,
    pub(super) edge: Edge,
    pub(super) mean: f64,
    pub(super) variance: f64,
    pub(super) looks: f64,
}

impl Graph {
    /// Ends the ten minutes that are open if `span` is later.
    pub(super) fn turn(
        &mut self,
        at: &At<'_>,
        known: &KnownGraph,
        span: i64,
        findings: &mut Vec<Finding>,
    ) {
        if span <= self.span {
            return;
        }
        self.span = span;
        let context = at.context;
        let (mut raised, mut over) = (BTreeSet::new(), Vec::new());
        for (edge, origin) in self.spread.origins.iter().filter(|(_, it)| it.is_spread()) {
            if !is_ready(context) {
                break;
            }
            let Some((told, mut past)) = self.read_spread(context, known, (*edge, origin)) else {
                continue;
            };
            past.origin.raised = self.raised_of(*edge, origin);
            let said_at = past.origin.raised.said_at;
            if said_at > 0 {
                raised.extend(origin.followers.keys().copied().chain([*edge]));
            }
            // What was said last is said again as the whole of the span.
            if said_at > 0 && origin.following > said_at {
                let revision = (origin.following + 1, false);
                findings.push(words::of_spread(context, known, (&told, &past), revision));
            }
            let before = self.past.get(edge).map_or(0, |it| it.origin.following);
            if before < origin.following {
                over.push((*edge, past));
            }
        }
        self.past.extend(over);
        for (edge, hour) in &mut self.edges {
            if hour.span_calls > 0 && !raised.contains(edge) {
                hour.errors.add(hour.span_errors as f64, 1.0);
            }
            (hour.span_calls, hour.span_errors) = (0, 0);
        }
        self.spread.clear();
    }

    /// Raises errors that spread.
    pub(super) fn say_spread(
        &mut self,
        context: &Context<'_>,
        known: &KnownGraph,
        findings: &mut Vec<Finding>,
    ) {
        let spread: Vec<_> = self.spread.origins.iter().filter(|(_, it)| it.is_spread()).collect();
        let mut due = Vec::new();
        for (edge, origin) in spread {
            let raised = self.raised_of(*edge, origin);
            if self.said.contains_key(edge) || !raised.is_due(origin.following) {
                continue;
            }
            let Some((told, past)) = self.read_spread(context, known, (*edge, origin)) else {
                continue;
            };
            if told.may_raise(context) {
                let revision = (origin.following, raised.said_at == 0);
                findings.push(words::of_spread(context, known, (&told, &past), revision));
                due.push(*edge);
            }
        }
        for edge in due {
            if let Some(origin) = self.spread.origins.get_mut(&edge) {
                origin.raised.said_at = origin.following;
            }
        }
    }

    /// What was said of an origin in this hour.
    fn raised_of(&self, edge: Edge, origin: &Origin) -> Raised {
        let before = self.past.get(&edge).map_or(Raised::default(), |past| past.origin.raised);
        if origin.raised.said_at > 0 { origin.raised } else { before }
    }

    fn read_spread(
        &self,
        context: &Context<'_>,
        known: &KnownGraph,
        (edge, origin): (Edge, &Origin),
    ) -> Option<(Told, Past)> {
        let active = self.edges.iter().filter(|(_, hour)| hour.span_calls > 0);
        let law = self.spread.law(known, origin, active.map(|(edge, _)| *edge))?;
        let past = Past {
            origin: origin.clone(),
            edge,
            mean: law.mean,
            variance: law.variance,
            looks: SPANS * self.spread.origins.len().max(1) as f64,
        };
        Some((past.told(context, known), past))
    }
}

impl Past {
    pub(super) const fn law(&self) -> Predictive {
        Predictive { mean: self.mean, variance: self.variance }
    }

    /// What so many errors say.
    pub(super) fn surprise(&self, errors: f64) -> f64 {
        (largest_of(self.law().surprise(errors), self.looks) * LAW_TRUST).max(0.0)
    }

    pub(super) fn told(&self, context: &Context<'_>, known: &KnownGraph) -> Told {
        let caller = known.caller(self.edge.caller);
        let following = self.origin.following as f64;
        Told {
            detector: Detector::AgentGraph,
            subject: subject_of(&self.origin.step),
            start: context.hour,
            observed: following,
            expected: self.mean,
            surprise: self.surprise(following),
            upper: self.law().quantile(UPPER_SURPRISE),
            since: caller.map_or(context.hour, |caller| caller.first),
            history_n: caller.map_or(0, |caller| caller.calls),
            peers_n: u64::from(known.agents_beside(self.edge.caller)),
            is_raised: false,
            goes_on: false,
        }
    }
}

/// The law of the errors of all of some edges.
fn errors_of(known: &KnownGraph, mut edges: impl Iterator<Item = Edge>) -> Option<Predictive> {
    edges.try_fold(Predictive { mean: 0.0, variance: 0.0 }, |sum, edge| {
        let law = known.errors_of(edge)?;
        Some(Predictive { mean: sum.mean + law.mean, variance: sum.variance + law.variance })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::agent_graph::tests::path_of;

    fn failure(at: i64, thread: u64) -> Failure {
        let at = Time::from_ns(at);
        Failure { at, order: 0, thread, is_trace: true, path: 0, evidence: Vec::new() }
    }

    /// Errors of traces on edges: (trace, agent, callee).
    fn spread(errors: &[(u64, &str, &str)]) -> Spread {
        let mut spread = Spread::default();
        for (at, (thread, agent, callee)) in errors.iter().enumerate() {
            let path = path_of(&[agent, callee]);
            spread.count(1);
            spread.take(vec![(failure(at as i64, *thread), &path)]);
        }
        spread
    }

    #[test]
    fn what_follows_in_a_trace_belongs_to_where_its_errors_began() {
        let mut errors = vec![(1, "planner", "search"), (2, "planner", "search")];
        for trace in [1, 2] {
            errors.extend([(trace, "buyer", "crm"); 12]);
            errors.extend([(trace, "payer", "bank"); 3]);
        }
        errors.push((9, "desk", "mail"));
        let spread = spread(&errors);
        let origin = spread.origins.values().find(|it| it.errors == 2).unwrap();
        assert_eq!((origin.following, origin.followers.len(), origin.callers()), (30, 2, 2));
        assert!(origin.is_spread());
        assert_eq!(spread.origins.len(), 2, "another trace begins elsewhere");
    }

    #[test]
    fn one_server_that_fails_for_all_does_not_spread() {
        let errors = (0..90).map(|it| (it % 5, ["a", "b", "c"][it as usize % 3], "crm"));
        let errors: Vec<_> = errors.collect();
        assert!(spread(&errors).origins.values().all(|it| it.following == 0));
    }

    #[test]
    fn one_agent_that_fails_everywhere_is_not_many() {
        let mut errors = vec![(1, "a", "crm")];
        errors.extend((0..60).map(|it| (1, "a", ["mail", "bank"][it % 2])));
        let spread = spread(&errors);
        let origin = spread.origins.values().next().unwrap();
        assert!(origin.following == 60 && !origin.is_spread());
    }

    #[test]
    fn where_all_agents_have_errors_more_are_expected_on_each_edge() {
        use super::super::known::{CallerHour, HourOf};
        use crate::statistics::Moments;
        let mut errors = vec![(1, "planner", "search"), (1, "planner", "search")];
        errors.extend([(1, "buyer", "crm"); 30]);
        errors.extend([(1, "payer", "bank"); 30]);
        let mut spread = spread(&errors);
        let edges: Vec<_> = [["planner", "search"], ["buyer", "crm"], ["payer", "bank"]]
            .iter()
            .filter_map(|names| edge_of(&path_of(names)).map(|(edge, _)| edge))
            .collect();
        let mut known = KnownGraph::default();
        let mut spans = Moments::default();
        (0..200).for_each(|span| spans.add(f64::from(u8::from(span % 50 == 0)), 1.0));
        let hour = CallerHour { calls: 200, is_novel: false, depth: 1, is_learned: true };
        for edge in &edges {
            known.learn_caller(edge.caller, hour, Time::from_ns(0));
            let of = HourOf { is_answered: true, errors: spans, is_learned: true };
            known.learn_edge(*edge, of, 0);
        }
        let law = |spread: &Spread| {
            let origin = spread.origins.values().next().unwrap();
            spread.law(&known, origin, edges.iter().copied()).unwrap()
        };
        let alone = law(&spread);
        spread.count(5_000);
        let among = law(&spread);
        assert!(alone.mean < 0.2 && alone.surprise(60.0) > 5.0, "{alone:?}");
        assert!(among.mean > 60.0 && among.surprise(60.0) <= 0.0, "{among:?}");
    }
}

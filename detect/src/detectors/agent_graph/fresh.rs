//! Edges that are new: how odd each is, and when it is said.

use super::known::{Edge, KnownGraph, Node};
use super::{FRESH_MAX, Graph, RAISED_MAX, Step, step_of, subject_of};
use crate::detectors::UPPER_SURPRISE;
use crate::engine::Context;
use crate::snapshot::plain;
use crate::statistics::Predictive;
use crate::statistics::tail::largest_of;
use crate::watch::{Path, Raised, Told};
use model::{Detector, Evidence, Finding, Time};
use serde::{Deserialize, Serialize};

/// An edge that the caller never had before this hour.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Fresh {
    pub(super) step: Step,
    /// The agents of the first path that it was on, and that path's number.
    pub(super) agents: Vec<Box<str>>,
    pub(super) path: u64,
    pub(super) head: Node,
    /// The callee is one that the calls went to, and no agent in between.
    pub(super) is_last: bool,
    pub(super) calls: u64,
    pub(super) answered: u64,
    #[serde(with = "plain")]
    pub(super) first: Time,
    #[serde(with = "plain")]
    pub(super) last: Time,
    /// The path has more agents than any that its first agent ever began: as many as those had.
    pub(super) deeper_than: Option<u32>,
    pub(super) is_circle: bool,
    /// Another edge of the path is new too.
    pub(super) is_several: bool,
    #[serde(with = "plain")]
    pub(super) evidence: Vec<Evidence>,
}

/// A step of a path that is new to its caller.
pub(super) struct Novel {
    pub(super) index: usize,
    pub(super) edge: Edge,
    pub(super) head: Node,
    pub(super) deeper_than: Option<u32>,
    pub(super) is_several: bool,
}

/// A finding of the open hour, and the path that it is about.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Said {
    pub(super) raised: Raised,
    pub(super) path: u64,
}

/// What is odd about a new edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Odd {
    pub(super) p_new: f64,
    /// Other agents that call the callee, and all others; and how many began to in this hour.
    pub(super) users: u32,
    pub(super) others: u32,
    pub(super) newcomers: u32,
    /// Nobody called the callee before.
    pub(super) is_stranger: bool,
    pub(super) surprise: f64,
}

impl Graph {
    pub(super) fn add_fresh(&mut self, of: &Novel, (id, path): (u64, &Path), is_last: bool) {
        self.is_due = true;
        if let Some(fresh) = self.fresh.get_mut(&of.edge) {
            fresh.calls += path.calls;
            fresh.answered += path.answered;
            fresh.first = fresh.first.min(path.first);
            fresh.last = fresh.last.max(path.last);
            if fresh.evidence.len() < Finding::EVIDENCE_MAX {
                fresh.evidence.push(path.evidence.clone());
            }
            return;
        }
        if self.fresh.len() >= FRESH_MAX {
            self.missed += path.calls;
            return;
        }
        let Some(step) = step_of(path, of.index) else { return };
        let before = path.agents.iter().take(of.index);
        let is_circle = before.into_iter().any(|name| *name == step.callee);
        let fresh = Fresh {
            step,
            agents: path.agents.clone(),
            path: id,
            head: of.head,
            is_last,
            calls: path.calls,
            answered: path.answered,
            first: path.first,
            last: path.last,
            deeper_than: of.deeper_than,
            is_circle,
            is_several: of.is_several,
            evidence: vec![path.evidence.clone()],
        };
        self.fresh.insert(of.edge, fresh);
    }

    /// Raises new edges: the oddest first, and one for a caller, for a callee and for a path.
    pub(super) fn say_new(
        &mut self,
        context: &Context<'_>,
        known: &KnownGraph,
        more: u64,
        findings: &mut Vec<Finding>,
    ) {
        let mut odd: Vec<_> = self
            .fresh
            .iter()
            .filter_map(|(edge, fresh)| {
                let odd = self.odd(context, known, *edge, fresh)?;
                let told = self.told_new(context, known, (*edge, fresh, odd))?;
                told.may_raise(context).then_some((*edge, odd, told))
            })
            .collect();
        odd.sort_by(|a, b| b.1.surprise.total_cmp(&a.1.surprise).then(a.0.cmp(&b.0)));
        for (edge, odd, told) in odd {
            let Some(fresh) = self.fresh.get(&edge) else { continue };
            let is_of_another = |(other, said): (&Edge, &Said)| {
                *other != edge
                    && (other.caller == edge.caller
                        || other.to() == edge.to()
                        || said.path == fresh.path)
            };
            let is_full = self.said.len() >= RAISED_MAX && !self.said.contains_key(&edge);
            if is_full || self.is_origin(edge) || self.said.iter().any(is_of_another) {
                continue;
            }
            let said = self.said.entry(edge);
            let said = said.or_insert(Said { raised: Raised::default(), path: fresh.path });
            if more == 0 && !said.raised.is_due(fresh.calls) {
                continue;
            }
            let is_first = said.raised.said_at == 0;
            said.raised.said_at = fresh.calls;
            let revision = (fresh.calls + more, is_first);
            let about = (edge, fresh, odd, &told);
            findings.push(self.new_finding(context, known, about, revision));
        }
    }

    /// How odd a new edge is: how seldom its caller has one, times how few others have the same, times what
    /// else is rare of such edges.
    pub(super) fn odd(
        &self,
        context: &Context<'_>,
        known: &KnownGraph,
        edge: Edge,
        fresh: &Fresh,
    ) -> Option<Odd> {
        let caller = known.settled(edge.caller, context.hour)?;
        let callee = known.callee(edge.to());
        let users = callee.map_or(0, |callee| callee.users);
        let newcomers = self.newcomers.get(&edge.to()).copied().unwrap_or(1).max(1);
        let others = known.agents_beside(edge.caller);
        // Who began to in this hour counts too: what many begin at once was meant.
        let mut share = (f64::from(users + newcomers) / (f64::from(others) + 2.0)).min(1.0);
        let is_stranger = callee.is_none() && !known.calls(edge.to());
        if is_stranger {
            share = share.max(known.novelty.strangers_share());
        }
        let novelty = &known.novelty;
        let kinds = [(fresh.is_circle, novelty.circles), (fresh.is_several, novelty.several)];
        let rare: f64 =
            kinds.iter().filter(|(is, _)| *is).map(|(_, of)| novelty.share(*of)).product();
        let as_deep = fresh.deeper_than.map(|_| known.as_deep(fresh.head, fresh.agents.len()));
        let rare =
            rare * as_deep.map_or(1.0, |few| (f64::from(few) + 1.0) / (f64::from(others) + 2.0));
        let p_new = known.p_new(edge.caller, caller);
        let surprise = largest_of(-(p_new * share * rare).log10(), self.new_of(edge.caller));
        Some(Odd { p_new, users, others, newcomers, is_stranger, surprise: surprise.max(0.0) })
    }

    /// How many new edges a caller has in this hour.
    pub(super) fn new_of(&self, caller: Node) -> f64 {
        let all = Edge { caller, callee: 0 }..=Edge { caller, callee: u64::MAX };
        self.fresh.range(all).count() as f64
    }

    /// Of a caller's new edges the one that was raised, else the oddest.
    pub(super) fn oddest_of(
        &self,
        context: &Context<'_>,
        known: &KnownGraph,
        caller: Node,
    ) -> Option<(Edge, &Fresh, Odd)> {
        let all = Edge { caller, callee: 0 }..=Edge { caller, callee: u64::MAX };
        let each = self.fresh.range(all).filter_map(|(edge, fresh)| {
            let odd = self.odd(context, known, *edge, fresh)?;
            Some(((self.said.contains_key(edge), odd.surprise), (*edge, fresh, odd)))
        });
        each.reduce(|a, b| if b.0 > a.0 { b } else { a }).map(|(_, oddest)| oddest)
    }

    pub(super) fn told_new(
        &self,
        context: &Context<'_>,
        known: &KnownGraph,
        (edge, fresh, odd): (Edge, &Fresh, Odd),
    ) -> Option<Told> {
        let caller = known.settled(edge.caller, context.hour)?;
        let expected = Predictive { mean: odd.p_new, variance: odd.p_new };
        Some(Told {
            detector: Detector::AgentGraph,
            subject: subject_of(&fresh.step),
            start: context.hour,
            observed: self.new_of(edge.caller),
            expected: odd.p_new,
            surprise: odd.surprise,
            upper: expected.quantile(UPPER_SURPRISE),
            since: caller.first,
            history_n: caller.calls,
            peers_n: u64::from(odd.others),
            is_raised: false,
            goes_on: false,
        })
    }

    /// Whether errors that spread from there were told: a finding's entity stands for one thing.
    fn is_origin(&self, edge: Edge) -> bool {
        let open = self.spread.origins.get(&edge).is_some_and(|it| it.raised.said_at > 0);
        open || self.past.contains_key(&edge)
    }
}

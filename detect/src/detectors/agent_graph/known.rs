//! Who calls whom among agents, as the hours before have taught it.

use crate::snapshot::plain;
use crate::statistics::moments::Sums;
use crate::statistics::{Moments, Predictive};
use model::Time;
use model::time::NS_PER_D;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Edges and callers that are kept, and edges of one caller.
const EDGES_MAX: usize = 16_384;
const CALLERS_MAX: usize = 8_192;
const CALLEES_MAX: usize = 256;
/// Days without a call after which an edge or a caller is dropped.
pub(super) const KEPT_DAYS: i32 = 60;
/// What a caller must have behind it before anything of it is called new.
const AGE_MIN_NS: i64 = 7 * NS_PER_D;
const HOURS_MIN: u32 = 10;
/// Hours of one's own that weigh as much as what all callers show.
const EVERYONE_HOURS: f64 = 5.0;
/// Errors come in bursts: so many in a part of a span are imagined for each edge, because most have none.
const BURST: f64 = 10.0;
const BURST_WEIGHT: f64 = 0.1;
/// First-seen edges that are supposed before any were learned, and how many of those were of each kind:
/// nothing is rare before it was looked for.
const SUPPOSED: f64 = 4.0;
const SUPPOSED_STRANGERS: f64 = 2.0;
const SUPPOSED_OTHER: f64 = 1.0;

/// An agent, or whom agents call, of a tenant; as hashes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Node {
    pub(super) tenant: u64,
    pub(super) name: u64,
}

/// One calls another.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Edge {
    pub(super) caller: Node,
    pub(super) callee: u64,
}

impl Edge {
    pub(super) const fn to(self) -> Node {
        Node { tenant: self.caller.tenant, name: self.callee }
    }

    /// Whether it leads from or to a name, by its hash.
    pub(super) const fn is_of(self, name: u64) -> bool {
        self.caller.name == name || self.callee == name
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
struct KnownEdge {
    /// Hours of it that were learned.
    hours: u32,
    last_day: i32,
    /// A call over it was answered; refused ones alone make no edge.
    is_answered: bool,
    /// Errors in each ten minutes in which it was called.
    errors: Moments,
}

/// A node that calls.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Caller {
    #[serde(with = "plain")]
    pub(super) first: Time,
    last_day: i32,
    /// Learned hours in which it called; the same decayed, and those of them that brought a new edge.
    pub(super) hours: u32,
    weight: f64,
    novel: f64,
    pub(super) calls: u64,
    /// Most agents on a path that it began.
    pub(super) deepest: u32,
    /// Edges that are kept of it.
    pub(super) edges: u32,
}

/// What is known of a node as somebody who is called.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct Callee {
    /// Callers that it is learned to have answered, and all.
    pub(super) users: u32,
    noted: u32,
}

/// How first-seen edges were, over all callers, decayed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(super) struct Novelty {
    pub(super) all: f64,
    /// To whom nobody called before.
    pub(super) strangers: f64,
    /// Back to an agent of the same path.
    pub(super) circles: f64,
    /// With another one on the same path.
    pub(super) several: f64,
}

impl Novelty {
    pub(super) fn strangers_share(&self) -> f64 {
        (self.strangers + SUPPOSED_STRANGERS) / (self.all + SUPPOSED)
    }

    /// How often one of a kind is seen, of first-seen edges.
    pub(super) fn share(&self, of_kind: f64) -> f64 {
        (of_kind + SUPPOSED_OTHER) / (self.all + SUPPOSED)
    }

    const fn parts(&mut self) -> [&mut f64; 4] {
        [&mut self.all, &mut self.strangers, &mut self.circles, &mut self.several]
    }

    pub(super) fn absorb(&mut self, mut other: Self) {
        self.parts().into_iter().zip(other.parts()).for_each(|(own, theirs)| *own += *theirs);
    }
}

/// The edges, the callers, and what they have in common.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct KnownGraph {
    edges: BTreeMap<Edge, KnownEdge>,
    callers: BTreeMap<Node, Caller>,
    /// Made anew of the edges at each hour's end.
    callees: BTreeMap<Node, Callee>,
    /// Callers with a learned hour, by tenant.
    agents: BTreeMap<u64, u32>,
    /// How often an hour of any caller brings a new edge.
    novel_share: f64,
    /// Errors in ten minutes of an edge, over all edges.
    errors: Sums,
    pub(super) novelty: Novelty,
    aged_day: Option<i32>,
    /// Edges and callers beyond the limits.
    missed: u64,
}

/// What an hour had of an edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct HourOf {
    pub(super) is_answered: bool,
    pub(super) errors: Moments,
    pub(super) is_learned: bool,
}

/// What an hour had of a caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallerHour {
    pub(super) calls: u64,
    pub(super) is_novel: bool,
    pub(super) depth: u32,
    pub(super) is_learned: bool,
}

impl KnownGraph {
    /// Whether an edge was there before this hour: that it was refused says nothing once it is not.
    pub(super) fn knows(&self, edge: Edge, is_answered: bool) -> bool {
        self.edges.get(&edge).is_some_and(|known| known.is_answered || !is_answered)
    }

    /// A caller of which enough is known that something can be new to it, and of which a new edge would
    /// be kept: else it would be new again in every hour.
    pub(super) fn settled(&self, node: Node, now: Time) -> Option<&Caller> {
        self.callers.get(&node).filter(|caller| {
            caller.hours >= HOURS_MIN
                && now.since(caller.first) >= AGE_MIN_NS
                && (caller.edges as usize) < CALLEES_MAX
                && self.edges.len() < EDGES_MAX
        })
    }

    /// The chance that an hour of a caller brings a new edge: Good and Turing's of its own (Biometrika
    /// 40, 1953), or how often one did if that is more, drawn to how often those of all callers do.
    pub(super) fn p_new(&self, node: Node, caller: &Caller) -> f64 {
        let last = Edge { caller: node, callee: u64::MAX };
        let own = self.edges.range(Edge { caller: node, callee: 0 }..=last);
        let once = own.filter(|(_, known)| known.hours == 1).count() as f64;
        let own = once.max(caller.novel) + 0.5 + EVERYONE_HOURS * self.novel_share;
        (own / (caller.weight + 1.0 + EVERYONE_HOURS)).min(1.0)
    }

    pub(super) fn caller(&self, node: Node) -> Option<&Caller> {
        self.callers.get(&node)
    }

    /// Callers of a tenant with a learned hour, but for one.
    pub(super) fn agents_beside(&self, node: Node) -> u32 {
        let all = self.agents.get(&node.tenant).copied().unwrap_or(0);
        let is_one = self.caller(node).is_some_and(|caller| caller.hours > 0);
        all.saturating_sub(u32::from(is_one))
    }

    /// What is known of a node as one that is called; `None` if nobody ever called it.
    pub(super) fn callee(&self, node: Node) -> Option<Callee> {
        self.callees.get(&node).copied()
    }

    /// Whether a node is known to call others.
    pub(super) fn calls(&self, node: Node) -> bool {
        self.callers.contains_key(&node)
    }

    /// The most agents on a path that a node ever began; `None` if too little is known of it.
    pub(super) fn deepest(&self, head: Node, now: Time) -> Option<u32> {
        self.settled(head, now).map(|caller| caller.deepest).filter(|depth| *depth > 0)
    }

    /// Other agents of a tenant that ever began a path with so many agents.
    pub(super) fn as_deep(&self, head: Node, depth: usize) -> u32 {
        let first = Node { tenant: head.tenant, name: 0 };
        let all = self.callers.range(first..=Node { name: u64::MAX, ..first });
        let is_deep = |(node, caller): &(&Node, &Caller)| {
            **node != head && caller.hours > 0 && caller.deepest as usize >= depth
        };
        u32::try_from(all.filter(is_deep).count()).unwrap_or(u32::MAX)
    }

    /// The law of an edge's errors in ten minutes in which it is called.
    pub(super) fn errors_of(&self, edge: Edge) -> Option<Predictive> {
        let mut own = self.edges.get(&edge).map_or_else(Moments::default, |known| known.errors);
        own.add(BURST, BURST_WEIGHT);
        Predictive::of(&own, &self.errors).filter(|_| self.errors.n > 0.0)
    }

    /// Edge-spans of ten minutes that the law of errors rests on, decayed.
    pub(super) fn spans(&self) -> f64 {
        self.errors.n
    }

    /// Learns an hour of an edge, or only notes it: then it is new no more.
    pub(super) fn learn_edge(&mut self, edge: Edge, hour: HourOf, day: i32) {
        if !self.edges.contains_key(&edge) {
            let kept = self.callers.get(&edge.caller).map_or(0, |caller| caller.edges as usize);
            let has_caller = self.callers.contains_key(&edge.caller);
            if !has_caller || self.edges.len() >= EDGES_MAX || kept >= CALLEES_MAX {
                self.missed += 1;
                return;
            }
            if let Some(caller) = self.callers.get_mut(&edge.caller) {
                caller.edges += 1;
            }
        }
        let known = self.edges.entry(edge).or_default();
        known.last_day = day;
        known.is_answered |= hour.is_answered;
        known.errors.merge(&hour.errors, 1.0);
        self.errors.merge(&hour.errors, 1.0);
        known.hours = known.hours.saturating_add(u32::from(hour.is_learned));
    }

    /// Learns an hour of a caller; before its edges.
    pub(super) fn learn_caller(&mut self, node: Node, hour: CallerHour, now: Time) {
        if !self.callers.contains_key(&node) && self.callers.len() >= CALLERS_MAX {
            self.missed += 1;
            return;
        }
        let caller = self.callers.entry(node).or_insert_with(|| Caller {
            first: now,
            last_day: 0,
            hours: 0,
            weight: 0.0,
            novel: 0.0,
            calls: 0,
            deepest: 0,
            edges: 0,
        });
        caller.last_day = now.day_number();
        if !hour.is_learned {
            return;
        }
        caller.hours = caller.hours.saturating_add(1);
        caller.weight += 1.0;
        caller.novel += f64::from(u8::from(hour.is_novel));
        caller.calls += hour.calls;
        caller.deepest = caller.deepest.max(hour.depth);
    }

    /// Forgets by the days that passed, and counts who is called by how many.
    pub(super) fn settle(&mut self, now: Time) {
        let today = now.day_number();
        let days = today - self.aged_day.replace(today).unwrap_or(today);
        if days > 0 {
            let factor = crate::identity::forgetting(days as f32);
            self.errors.decay(f64::from(factor));
            self.novelty.parts().into_iter().for_each(|part| *part *= f64::from(factor));
            self.edges.retain(|_, known| {
                known.errors.decay(factor);
                today - known.last_day < KEPT_DAYS
            });
            self.callers.retain(|_, caller| {
                caller.weight *= f64::from(factor);
                caller.novel *= f64::from(factor);
                today - caller.last_day < KEPT_DAYS
            });
        }
        self.count();
    }

    /// Counts anew what is counted of the edges.
    fn count(&mut self) {
        self.callees.clear();
        self.agents.clear();
        self.callers.values_mut().for_each(|caller| caller.edges = 0);
        for (edge, known) in &self.edges {
            let callee = self.callees.entry(edge.to()).or_default();
            callee.users += u32::from(known.hours > 0 && known.is_answered);
            callee.noted += 1;
            if let Some(caller) = self.callers.get_mut(&edge.caller) {
                caller.edges += 1;
            }
        }
        let (novel, hours) = self.callers.values().fold((0.0, 0.0), |(novel, hours), caller| {
            (novel + caller.novel, hours + caller.weight)
        });
        self.novel_share = (novel + 0.5) / (hours + 1.0);
        for (node, _) in self.callers.iter().filter(|(_, caller)| caller.hours > 0) {
            *self.agents.entry(node.tenant).or_default() += 1;
        }
    }

    /// Edges and callers that were not kept, beyond one of the limits.
    pub(crate) const fn missed(&self) -> u64 {
        self.missed
    }

    /// Forgets a node, by its hash.
    pub(crate) fn forget(&mut self, name: u64) {
        let before = self.edges.len() + self.callers.len();
        self.edges.retain(|edge, _| !edge.is_of(name));
        self.callers.retain(|node, _| node.name != name);
        if self.edges.len() + self.callers.len() < before {
            self.count();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::time::NS_PER_H;

    fn node(name: u64) -> Node {
        Node { tenant: 0, name }
    }

    /// So many hours in which a caller calls each of its callees.
    fn teach(graph: &mut KnownGraph, caller: u64, callees: impl Fn(u64) -> Vec<u64>, hours: u64) {
        for hour in 0..hours {
            let now = Time::from_ns(hour as i64 * NS_PER_H);
            let novel = hour > 0 && callees(hour) != callees(hour - 1);
            let of = CallerHour { calls: 9, is_novel: novel, depth: 1, is_learned: true };
            graph.learn_caller(node(caller), of, now);
            for callee in callees(hour) {
                let of = HourOf { is_answered: true, errors: Moments::default(), is_learned: true };
                graph.learn_edge(Edge { caller: node(caller), callee }, of, now.day_number());
            }
            graph.settle(now);
        }
    }

    #[test]
    fn who_always_calls_somebody_new_is_expected_to() {
        let mut graph = KnownGraph::default();
        teach(&mut graph, 1, |_| vec![100, 101], 200);
        let now = Time::from_ns(200 * NS_PER_H);
        let steady = graph.p_new(node(1), graph.settled(node(1), now).unwrap());
        assert!(steady < 0.01, "{steady}");
        teach(&mut graph, 2, |hour| vec![200 + hour], 200);
        let explorer = graph.p_new(node(2), graph.settled(node(2), now).unwrap());
        assert!(explorer > 0.9, "{explorer}");
        let beside = graph.p_new(node(1), graph.settled(node(1), now).unwrap());
        assert!(beside > steady, "where others explore, it is less odd: {beside}");
    }

    #[test]
    fn nothing_is_new_to_a_caller_within_a_week() {
        let mut graph = KnownGraph::default();
        teach(&mut graph, 1, |_| vec![100], 100);
        assert!(graph.settled(node(1), Time::from_ns(6 * NS_PER_D)).is_none());
        assert!(graph.settled(node(1), Time::from_ns(7 * NS_PER_D)).is_some());
        assert_eq!(
            (graph.agents_beside(node(9)), graph.callee(node(100)).map(|it| it.users)),
            (1, Some(1))
        );
        graph.forget(1);
        assert!(graph.agents_beside(node(9)) == 0 && graph.callee(node(100)).is_none());
    }

    #[test]
    fn a_refused_edge_is_new_once_it_is_answered() {
        let mut graph = KnownGraph::default();
        let edge = Edge { caller: node(1), callee: 7 };
        let of = CallerHour { calls: 1, is_novel: false, depth: 1, is_learned: true };
        graph.learn_caller(node(1), of, Time::from_ns(0));
        let refused = HourOf { is_answered: false, errors: Moments::default(), is_learned: true };
        graph.learn_edge(edge, refused, 0);
        assert!(graph.knows(edge, false) && !graph.knows(edge, true));
        graph.learn_edge(edge, HourOf { is_answered: true, ..refused }, 0);
        assert!(graph.knows(edge, true));
    }

    #[test]
    fn nothing_is_new_where_it_could_not_be_kept() {
        let mut graph = KnownGraph::default();
        teach(&mut graph, 1, |_| vec![100], 200);
        let now = Time::from_ns(200 * NS_PER_H);
        assert!(graph.settled(node(1), now).is_some());
        for callee in 0..EDGES_MAX as u64 {
            graph.edges.entry(Edge { caller: node(2 + callee / 200), callee }).or_default();
        }
        assert!(graph.settled(node(1), now).is_none());
    }

    #[test]
    fn one_caller_cannot_fill_the_table() {
        let mut graph = KnownGraph::default();
        let callees = CALLEES_MAX as u64 + 40;
        teach(&mut graph, 1, |_| (0..callees).collect(), 1);
        assert_eq!((graph.edges.len(), graph.missed), (CALLEES_MAX, 40));
    }
}

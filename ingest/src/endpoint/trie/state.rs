//! The tree in a snapshot: what cannot be told from the rest, and the tree made from it again.

use super::{Node, NodeId, Trie, is_word};
use crate::endpoint::lexical::hash;
use model::EndpointId;
use model::limit::PATH_SEGMENTS_MAX;
use serde::{Deserialize, Serialize};

/// Levels below a root, at most: a path's segments, what stands for the rest, and as many again.
const DEPTH_MAX: usize = 2 * PATH_SEGMENTS_MAX;

/// A node, or what was one.
#[derive(Debug, Deserialize, Serialize)]
struct Place<'a> {
    label: &'a str,
    children: Vec<u32>,
    is_variable: bool,
    /// Whether its parent finds it: of two labels with one hash, one is never found.
    is_found: bool,
    endpoint: Option<u32>,
}

/// What is written of a tree; the children, the free places and the roots are in their order.
#[derive(Debug, Deserialize, Serialize)]
pub(in crate::endpoint) struct State<'a> {
    #[serde(borrow)]
    places: Vec<Place<'a>>,
    free: Vec<u32>,
    roots: Vec<u32>,
}

fn numbers(ids: &[NodeId]) -> Vec<u32> {
    ids.iter().map(|id| id.0).collect()
}

impl Trie {
    pub(in crate::endpoint) fn state(&self) -> State<'_> {
        let places = (0_u32..).zip(&self.nodes).map(|(index, node)| {
            let found = |parent| self.places.get(&(parent, hash(&node.label)));
            Place {
                label: &node.label,
                children: numbers(&node.children),
                is_variable: node.is_variable,
                is_found: node.parent.and_then(found) == Some(&NodeId(index)),
                endpoint: node.endpoint.map(|id| id.0),
            }
        });
        State { places: places.collect(), free: numbers(&self.free), roots: numbers(&self.roots) }
    }

    /// The tree of a state; the reason if it is none.
    ///
    /// A node with more than `words_max` words below it is crowded; there are `endpoints` endpoints.
    pub(in crate::endpoint) fn restore(
        state: &State<'_>,
        words_max: usize,
        endpoints: usize,
    ) -> Result<Self, &'static str> {
        let mut trie = Self::new(words_max);
        let ids = |numbers: &[u32]| numbers.iter().copied().map(NodeId).collect::<Vec<_>>();
        (trie.free, trie.roots) = (ids(&state.free), ids(&state.roots));
        for place in &state.places {
            let endpoint = place.endpoint.map(EndpointId);
            if endpoint.is_some_and(|id| id.0 as usize >= endpoints) {
                return Err("a template's endpoint is not there");
            }
            trie.nodes.push(Node {
                label: place.label.into(),
                children: ids(&place.children),
                is_variable: place.is_variable,
                endpoint,
                ..Node::default()
            });
        }
        trie.grow_from_roots(&state.places)?;
        Ok(trie)
    }

    /// Sets what follows from a node's way to its root, once for each node.
    fn grow_from_roots(&mut self, places: &[Place<'_>]) -> Result<(), &'static str> {
        let mut seen = vec![false; self.nodes.len()];
        let mut see = |id: NodeId| match seen.get_mut(id.0 as usize) {
            Some(seen) if !*seen => {
                *seen = true;
                Ok(())
            }
            _ => Err("a template's place is not there, or taken twice"),
        };
        for id in &self.free {
            see(*id)?;
        }
        let mut open = self.roots.clone();
        for root in &open {
            see(*root)?;
        }
        while let Some(id) = open.pop() {
            let Some(node) = self.node(id) else { continue };
            let (depth, vars) = (node.depth, node.vars);
            if depth > DEPTH_MAX {
                return Err("a template has too many segments");
            }
            let children = node.children.clone();
            for child in &children {
                see(*child)?;
                let is_found = places.get(child.0 as usize).is_some_and(|place| place.is_found);
                self.adopt(id, *child, is_found);
                if let Some(node) = self.node_mut(*child) {
                    (node.depth, node.vars) = (depth + 1, vars | node.variable_at(depth));
                }
            }
            let words = children.iter().filter(|child| is_word(self.label(**child))).count();
            if words > self.words_max {
                self.crowded.insert(id);
            }
            if let Some(node) = self.node_mut(id) {
                node.words = words;
            }
            open.extend(children);
        }
        if seen.contains(&false) { Err("a template hangs on no tree") } else { Ok(()) }
    }

    fn adopt(&mut self, parent: NodeId, child: NodeId, is_found: bool) {
        if is_found {
            let place = (parent, hash(self.label(child)));
            self.places.insert(place, child);
        }
        if let Some(node) = self.node_mut(child) {
            node.parent = Some(parent);
        }
    }
}

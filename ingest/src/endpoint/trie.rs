//! The tree of path templates under each method, in which the segments that vary are found.

mod state;

pub(super) use state::State;

use super::lexical::hash;
use hashbrown::HashMap;
use model::EndpointId;
use model::limit::PATH_SEGMENTS_MAX;
use std::collections::BTreeSet;

/// Nodes that are kept; beyond that a template has an endpoint of its own and is never folded.
pub(super) const TRIE_NODES_MAX: usize = 131_072;
/// Children of one node; beyond that a path is counted as overflow until the node is folded.
pub(super) const SIBLINGS_MAX: usize = 4_096;
/// Letters of a file name's extension, at most.
const EXTENSION_BYTES_MAX: usize = 5;
/// The label of the child that stands for any word.
const VARIABLE: &str = "{var}";

/// Words that have a meaning of their own wherever they stand, so they are never folded.
const RESERVED: [&str; 14] = [
    "all", "batch", "count", "current", "export", "health", "import", "latest", "list", "me",
    "new", "search", "self", "status",
];

/// The place of a node in its tree.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct NodeId(u32);

/// One segment in its place.
#[derive(Debug, Default)]
pub(super) struct Node {
    label: Box<str>,
    parent: Option<NodeId>,
    children: Vec<NodeId>,
    /// How many of the children are words that may be folded.
    words: usize,
    /// The positions of folded segments down to here, as bits.
    vars: u32,
    depth: usize,
    is_variable: bool,
    endpoint: Option<EndpointId>,
}

impl Node {
    /// The bit of this segment's position, if it is a folded one.
    const fn variable_at(&self, position: usize) -> u32 {
        if self.is_variable && position < PATH_SEGMENTS_MAX { 1 << position } else { 0 }
    }
}

/// The templates of all methods.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    free: Vec<NodeId>,
    roots: Vec<NodeId>,
    /// By parent and hash of the label; only looked up, never iterated.
    places: HashMap<(NodeId, u64), NodeId, foldhash::fast::RandomState>,
    words_max: usize,
    crowded: BTreeSet<NodeId>,
}

/// Why a template has no place in the tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    /// The tree has [`TRIE_NODES_MAX`] nodes.
    Full,
    /// A node has [`SIBLINGS_MAX`] children.
    Crowded,
    /// Somebody sent what only a fold may make.
    Variable,
}

/// Whether a segment of a template may be folded: no placeholder and no reserved word.
pub(super) fn is_word(label: &str) -> bool {
    !label.contains('{') && RESERVED.binary_search(&label).is_err()
}

/// What a word is folded into: `{var}`, or with `files` its extension too: `{var}.png`.
pub(super) fn variable(word: &str, files: bool) -> String {
    let is_extension = |text: &str| {
        (1..=EXTENSION_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    match word.rsplit_once('.').filter(|(_, extension)| files && is_extension(extension)) {
        Some((_, extension)) => [VARIABLE, ".", extension].concat(),
        None => VARIABLE.to_owned(),
    }
}

/// Whether a learned template stands for what had this name before it was learned: both are methods
/// and paths of the same length, and only words differ, which the template has as variables.
pub fn stands_for(template: &str, name: &str) -> bool {
    let (Some((method, path)), Some((of, named))) =
        (template.split_once(' '), name.split_once(' '))
    else {
        return false;
    };
    let is_folded = |label: &str, word: &str| {
        label.starts_with(VARIABLE)
            && is_word(word)
            && (variable(word, true) == label || variable(word, false) == label)
    };
    method == of
        && path != named
        && segments(path).count() == segments(named).count()
        && segments(path)
            .zip(segments(named))
            .all(|(label, word)| label == word || is_folded(label, word))
}

/// The segments of a template that starts with a slash.
pub(super) fn segments(template: &str) -> impl Iterator<Item = &str> + Clone {
    template.split('/').skip(1).filter(|segment| !segment.is_empty())
}

impl Trie {
    /// An empty tree; a node with more than `words_max` words below it is crowded.
    pub(super) fn new(words_max: usize) -> Self {
        Self {
            nodes: Vec::new(),
            free: Vec::new(),
            roots: Vec::new(),
            places: HashMap::default(),
            words_max,
            crowded: BTreeSet::new(),
        }
    }

    /// How many methods have a tree.
    pub(super) const fn roots(&self) -> usize {
        self.roots.len()
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize)
    }

    fn node_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize)
    }

    pub(super) fn endpoint(&self, id: NodeId) -> Option<EndpointId> {
        self.node(id)?.endpoint
    }

    pub(super) fn set_endpoint(&mut self, id: NodeId, endpoint: EndpointId) {
        if let Some(node) = self.node_mut(id) {
            node.endpoint = Some(endpoint);
        }
    }

    pub(super) fn label(&self, id: NodeId) -> &str {
        self.node(id).map_or("", |node| &node.label)
    }

    pub(super) fn children(&self, id: NodeId) -> &[NodeId] {
        self.node(id).map_or(&[], |node| &node.children)
    }

    /// The positions of folded segments on the way to a node, the first segment in the lowest bit.
    pub(super) fn vars(&self, id: NodeId) -> u32 {
        self.node(id).map_or(0, |node| node.vars)
    }

    pub(super) fn is_variable(&self, id: NodeId) -> bool {
        self.node(id).is_some_and(|node| node.is_variable)
    }

    /// The nodes with too many words below them, in the order in which they were made.
    pub(super) fn crowded(&self) -> Vec<NodeId> {
        self.crowded.iter().copied().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    /// The tree of a method, made when it is first asked for; the caller keeps the methods few.
    pub(super) fn root(&mut self, method: &str) -> NodeId {
        let known = self.roots.iter().copied().find(|root| self.label(*root) == method);
        known.unwrap_or_else(|| {
            let root = self.place(Node { label: method.into(), ..Node::default() });
            self.roots.push(root);
            root
        })
    }

    fn place(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.free.pop()
            && let Some(slot) = self.node_mut(id)
        {
            *slot = node;
            return id;
        }
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(node);
        id
    }

    pub(super) fn child(&self, parent: NodeId, label: &str) -> Option<NodeId> {
        // Two labels of one hash are possible; the second one is then never found.
        self.places.get(&(parent, hash(label))).copied().filter(|id| self.label(*id) == label)
    }

    /// The child that a segment belongs to: its own, or the variable one.
    pub(super) fn descend(&self, parent: NodeId, label: &str) -> Option<NodeId> {
        self.child(parent, label).or_else(|| {
            let folded = |files| {
                self.child(parent, &variable(label, files)).filter(|id| self.is_variable(*id))
            };
            is_word(label).then(|| folded(true).or_else(|| folded(false))).flatten()
        })
    }

    /// The node of a template, if every segment of it has one.
    pub(super) fn find(&self, root: NodeId, template: &str) -> Option<NodeId> {
        segments(template).try_fold(root, |node, label| self.descend(node, label))
    }

    /// The node of a template; what is missing is made.
    pub(super) fn grow(&mut self, root: NodeId, template: &str) -> Result<NodeId, Refused> {
        let mut node = root;
        let mut missing = segments(template).peekable();
        while let Some(next) = missing.peek().and_then(|label| self.descend(node, label)) {
            node = next;
            missing.next();
        }
        let may_have_more = self.children(node).len() < SIBLINGS_MAX;
        if missing.clone().any(|label| label.starts_with(VARIABLE)) {
            return Err(Refused::Variable);
        } else if self.len() + missing.clone().count() > TRIE_NODES_MAX {
            return Err(Refused::Full);
        } else if missing.peek().is_some() && !may_have_more {
            return Err(Refused::Crowded);
        }
        Ok(missing.fold(node, |node, label| self.add(node, label, false)))
    }

    /// Adds a child, or finds it.
    pub(super) fn add(&mut self, parent: NodeId, label: &str, is_variable: bool) -> NodeId {
        if let Some(known) = self.child(parent, label) {
            return known;
        }
        let (depth, vars) = self.node(parent).map_or((0, 0), |node| (node.depth, node.vars));
        let node = Node { label: label.into(), is_variable, ..Node::default() };
        let vars = vars | node.variable_at(depth);
        let child = self.place(Node { parent: Some(parent), vars, depth: depth + 1, ..node });
        self.places.insert((parent, hash(label)), child);
        let words_max = self.words_max;
        if let Some(node) = self.node_mut(parent) {
            node.children.push(child);
            node.words += usize::from(is_word(label));
            if node.words > words_max {
                self.crowded.insert(parent);
            }
        }
        child
    }

    /// Removes a child and all below it.
    pub(super) fn remove(&mut self, child: NodeId) {
        let Some(parent) = self.node(child).and_then(|node| node.parent) else { return };
        let was_word = is_word(self.label(child));
        let words_max = self.words_max;
        if let Some(node) = self.node_mut(parent) {
            node.children.retain(|other| *other != child);
            node.words -= usize::from(was_word);
            if node.words <= words_max {
                self.crowded.remove(&parent);
            }
        }
        let mut doomed = vec![child];
        while let Some(id) = doomed.pop() {
            let Some(slot) = self.node_mut(id) else { continue };
            let node = std::mem::take(slot);
            if let Some(parent) = node.parent {
                self.places.remove(&(parent, hash(&node.label)));
            }
            self.crowded.remove(&id);
            self.free.push(id);
            doomed.extend(node.children);
        }
    }

    /// The endpoint's name of a node: `GET /blog/{var}`.
    pub(super) fn name(&self, id: NodeId) -> String {
        let mut labels = Vec::new();
        let mut next = Some(id);
        while let Some(node) = next.and_then(|id| self.node(id)) {
            labels.push(&*node.label);
            next = node.parent;
        }
        let mut name = labels.pop().unwrap_or_default().to_owned() + " ";
        if labels.is_empty() {
            name.push('/');
        }
        for label in labels.iter().rev() {
            name.push('/');
            name.push_str(label);
        }
        name
    }
}

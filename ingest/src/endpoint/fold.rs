//! Which words below one node are values: many, alike in what follows them, none of them usual.

use super::learned::Settings;
use super::trie::{NodeId, Trie, is_word, variable};
use model::EndpointId;
use std::collections::BTreeMap;

/// Words that become one variable segment.
#[derive(Debug, PartialEq)]
pub(super) struct Group {
    /// What they become: `{var}` or `{var}.png`.
    pub(super) label: String,
    pub(super) members: Vec<NodeId>,
}

/// The groups of words below `node` that are to be folded; `counts` are the calls by endpoint.
///
/// File names are grouped by extension first. A group is folded when it has more than
/// `children_max` words, most of which look alike ([`alike`]), and no word that has a large share
/// of the node's calls: `/users/list` among ten thousand names is no name.
pub(super) fn groups(trie: &Trie, node: NodeId, counts: &[u64], settings: &Settings) -> Vec<Group> {
    let mut by_label: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
    for child in trie.children(node) {
        let label = trie.label(*child);
        if is_word(label) {
            by_label.entry(variable(label, true)).or_default().push(*child);
        }
    }
    let words_max = settings.children_max as usize;
    // Extensions that few files have are no files: `jane.doe`.
    let few: Vec<String> = by_label
        .iter()
        .filter(|(_, members)| members.len() <= words_max)
        .map(|(label, _)| label.clone())
        .collect();
    for label in few {
        let members = by_label.remove(&label).unwrap_or_default();
        by_label.entry(variable("", false)).or_default().extend(members);
    }
    let calls = calls(trie, node, counts);
    by_label
        .into_iter()
        .filter_map(|(label, mut members)| {
            members.sort_unstable();
            let largest = members.iter().map(|member| self::calls(trie, *member, counts)).max()?;
            let is_usual = largest as f64 > settings.child_share_max * calls as f64;
            let alike = alike(trie, &members, settings.alike_share_min);
            let are_alike = alike.len() as f64 >= settings.alike_share_min * members.len() as f64;
            (members.len() > words_max && are_alike && !is_usual)
                .then_some(Group { label, members: alike })
        })
        .collect()
}

/// Calls of all endpoints at and below a node.
fn calls(trie: &Trie, node: NodeId, counts: &[u64]) -> u64 {
    let of = |id: EndpointId| counts.get(id.0 as usize).copied().unwrap_or_default();
    let mut sum = 0_u64;
    let mut open = vec![node];
    while let Some(id) = open.pop() {
        sum = sum.saturating_add(trie.endpoint(id).map_or(0, of));
        open.extend(trie.children(id));
    }
    sum
}

/// The members whose sub-trees are of the commonest shape.
///
/// A member with children is like the others if nearly all of its children's labels are
/// placeholders or common among the members; one without children is like the other such ones, and
/// like those with children if some of these are endpoints too (`/users/jane`,
/// `/users/joe/repos`). So the operations of fifty services are not mixed up.
fn alike(trie: &Trie, members: &[NodeId], share_min: f64) -> Vec<NodeId> {
    let (leaves, inner): (Vec<NodeId>, Vec<NodeId>) =
        members.iter().partition(|member| trie.children(**member).is_empty());
    let mut users: BTreeMap<&str, usize> = BTreeMap::new();
    for child in inner.iter().flat_map(|member| trie.children(*member)) {
        *users.entry(trie.label(*child)).or_default() += 1;
    }
    let common = (inner.len() / 10).max(2);
    let is_common = |child: &&NodeId| {
        let label = trie.label(**child);
        !is_word(label) || users.get(label).is_some_and(|count| *count >= common)
    };
    let inner: Vec<NodeId> = inner
        .into_iter()
        .filter(|member| {
            let children = trie.children(*member);
            children.iter().filter(is_common).count() as f64 >= share_min * children.len() as f64
        })
        .collect();
    let mixes = inner.iter().any(|member| trie.endpoint(*member).is_some());
    let mut alike = match (mixes, leaves.len() > inner.len()) {
        (true, _) => [leaves, inner].concat(),
        (false, true) => leaves,
        (false, false) => inner,
    };
    alike.sort_unstable();
    alike
}

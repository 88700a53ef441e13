use std::collections::HashMap;
use std::hash::{Hash, Hasher};

use foldhash::fast::RandomState;
use pintle_mqtt::{TopicFilter, TopicName};
use smallvec::SmallVec;

use crate::filter_entry::FilterEntry;
use crate::level_names::{LevelName, LevelNames};

const ROOT: u32 = 0;
/// The root is nobody's child, so its number can say "none".
const NONE: u32 = ROOT;

/// The filters that hold wildcards, as a tree of levels.
///
/// Nodes are numbers in one vector and the named edges between them entries of one hash map, so
/// that a node takes 24 bytes, and neither matching nor dropping the tree recurses.
#[derive(Debug)]
pub(crate) struct WildcardTree<S> {
    nodes: Vec<Node<S>>,
    free: Vec<u32>,
    edges: HashMap<Edge, u32, RandomState>,
    names: LevelNames,
}

#[derive(Debug)]
struct Node<S> {
    /// The filter that ends at this level.
    here: Option<Box<FilterEntry<S>>>,
    /// The filter that goes on with `#`.
    below: Option<Box<FilterEntry<S>>>,
    /// The child for `+`.
    plus: u32,
    /// How many edges with a name lead on from here.
    named: u32,
}

#[derive(Debug, PartialEq, Eq)]
struct Edge {
    parent: u32,
    name: LevelName,
}

impl Hash for Edge {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(u64::from(self.parent) << 32 | u64::from(self.name.0));
    }
}

impl<S> Default for Node<S> {
    fn default() -> Self {
        Self { here: None, below: None, plus: NONE, named: 0 }
    }
}

impl<S> Node<S> {
    fn is_vacant(&self) -> bool {
        self.here.is_none() && self.below.is_none() && self.plus == NONE && self.named == 0
    }

    fn slot(&mut self, multi_level: bool) -> &mut Option<Box<FilterEntry<S>>> {
        if multi_level { &mut self.below } else { &mut self.here }
    }
}

/// The levels of a topic as names, looked up once and only as deep as the tree is walked.
struct TopicLevels<'t, L> {
    names: &'t LevelNames,
    texts: L,
    seen: SmallVec<[Option<LevelName>; 16]>,
}

enum TopicLevel {
    End,
    /// No filter names this level; wildcards may still take it.
    Unnamed,
    Named(LevelName),
}

impl<'t, L: Iterator<Item = &'t str>> TopicLevels<'t, L> {
    fn at(&mut self, depth: usize) -> TopicLevel {
        while self.seen.len() <= depth {
            match self.texts.next() {
                Some(text) => self.seen.push(self.names.get(text)),
                None => return TopicLevel::End,
            }
        }
        match self.seen.get(depth) {
            Some(&Some(name)) => TopicLevel::Named(name),
            Some(None) => TopicLevel::Unnamed,
            None => TopicLevel::End,
        }
    }
}

impl<S: Clone + Eq + Hash> WildcardTree<S> {
    pub(crate) fn new() -> Self {
        Self {
            nodes: vec![Node::default()],
            free: Vec::new(),
            edges: HashMap::default(),
            names: LevelNames::default(),
        }
    }

    /// How many nodes there are beside the root.
    pub(crate) fn node_count(&self) -> usize {
        self.nodes.len() - 1 - self.free.len()
    }

    /// Calls `found` with the entry of every filter that matches `topic`.
    ///
    /// A node is reached over one path only, so the work is bounded by the nodes of the tree
    /// however many wildcards overlap.
    pub(crate) fn for_each_match<'t>(
        &'t self,
        topic: TopicName<'t>,
        mut found: impl FnMut(&'t FilterEntry<S>),
    ) {
        let mut levels =
            TopicLevels { names: &self.names, texts: topic.levels(), seen: SmallVec::new() };
        let mut waiting: SmallVec<[(u32, usize); 32]> = SmallVec::new();
        waiting.push((ROOT, 0));
        while let Some((number, depth)) = waiting.pop() {
            let Some(node) = self.nodes.get(number as usize) else {
                continue;
            };
            let wildcards_apply = depth > 0 || !topic.is_dollar();
            if wildcards_apply && let Some(entry) = &node.below {
                found(entry);
            }
            let name = match levels.at(depth) {
                TopicLevel::End => {
                    if let Some(entry) = &node.here {
                        found(entry);
                    }
                    continue;
                }
                TopicLevel::Unnamed => None,
                TopicLevel::Named(name) => Some(name),
            };
            if wildcards_apply && node.plus != NONE {
                waiting.push((node.plus, depth + 1));
            }
            if node.named > 0
                && let Some(name) = name
                && let Some(&child) = self.edges.get(&Edge { parent: number, name })
            {
                waiting.push((child, depth + 1));
            }
        }
    }

    /// The entry of `filter`.
    pub(crate) fn find(&self, filter: TopicFilter<'_>) -> Option<&FilterEntry<S>> {
        let (path, multi_level) = split(filter);
        let mut number = ROOT;
        for level in path {
            number = self.child(number, level)?;
        }
        let node = self.nodes.get(number as usize)?;
        if multi_level { node.below.as_deref() } else { node.here.as_deref() }
    }

    /// The entry of `filter`, made if there is none.
    pub(crate) fn entry(&mut self, filter: TopicFilter<'_>) -> &mut FilterEntry<S> {
        let (path, multi_level) = split(filter);
        let mut number = ROOT;
        for level in path {
            number = match self.child(number, level) {
                Some(child) => child,
                None => self.add_child(number, level),
            };
        }
        self.node_mut(number).slot(multi_level).get_or_insert_default()
    }

    /// Lets `end` take a subscription out of the entry of `filter`, and prunes what that leaves
    /// empty; false if there is no entry or `end` says so.
    pub(crate) fn remove(
        &mut self,
        filter: TopicFilter<'_>,
        end: impl FnOnce(&mut FilterEntry<S>) -> bool,
    ) -> bool {
        let (levels, multi_level) = split(filter);
        let mut steps: SmallVec<[(u32, &str); 16]> = SmallVec::new();
        let mut number = ROOT;
        for level in levels {
            steps.push((number, level));
            match self.child(number, level) {
                Some(child) => number = child,
                None => return false,
            }
        }
        let slot = self.node_mut(number).slot(multi_level);
        let Some(entry) = slot else {
            return false;
        };
        let removed = end(entry);
        if entry.is_empty() {
            *slot = None;
            self.prune(number, &steps);
        }
        removed
    }

    fn child(&self, parent: u32, level: &str) -> Option<u32> {
        if level == "+" {
            let plus = self.nodes.get(parent as usize)?.plus;
            return (plus != NONE).then_some(plus);
        }
        let name = self.names.get(level)?;
        self.edges.get(&Edge { parent, name }).copied()
    }

    fn add_child(&mut self, parent: u32, level: &str) -> u32 {
        let child = self.add_node();
        if level == "+" {
            self.node_mut(parent).plus = child;
        } else {
            let name = self.names.acquire(level);
            self.edges.insert(Edge { parent, name }, child);
            self.node_mut(parent).named += 1;
        }
        child
    }

    #[expect(
        clippy::expect_used,
        reason = "2^32 nodes and their edges are more than 200 GiB; bounds on subscriptions come first"
    )]
    fn add_node(&mut self) -> u32 {
        if let Some(number) = self.free.pop() {
            return number;
        }
        let number = u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes");
        self.nodes.push(Node::default());
        number
    }

    /// Removes the node `number` and then its parents, as long as they are vacant; `steps` are
    /// the parents on the way to it, each with the level that leads on.
    fn prune(&mut self, mut number: u32, steps: &[(u32, &str)]) {
        for &(parent, level) in steps.iter().rev() {
            if !self.node_mut(number).is_vacant() {
                return;
            }
            if level == "+" {
                self.node_mut(parent).plus = NONE;
            } else if let Some(name) = self.names.get(level) {
                self.edges.remove(&Edge { parent, name });
                self.names.release(level);
                self.node_mut(parent).named -= 1;
            }
            self.free.push(number);
            number = parent;
        }
        if self.node_count() == 0 && self.node_mut(ROOT).is_vacant() {
            *self = Self::new();
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "numbers come from add_node, and nodes are never taken out of the vector"
    )]
    fn node_mut(&mut self, number: u32) -> &mut Node<S> {
        &mut self.nodes[number as usize]
    }
}

/// The levels of a filter before its `#`, and whether it has one.
fn split<'f>(filter: TopicFilter<'f>) -> (impl Iterator<Item = &'f str>, bool) {
    let multi_level = filter.as_str().ends_with('#');
    (filter.levels().take_while(|&level| level != "#"), multi_level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Member, SubscriptionOptions};

    #[test]
    fn level_names_go_with_the_last_edge_that_uses_them() {
        let mut tree = WildcardTree::new();
        let member = Member { subscriber: 1_u64, options: SubscriptionOptions::default() };
        for text in ["a/+", "a/b/+", "c/b/#"] {
            tree.entry(TopicFilter::trusted(text)).insert(None, member);
        }

        for text in ["a/b/+", "c/b/#"] {
            let filter = TopicFilter::trusted(text);
            assert!(tree.remove(filter, |entry| entry.remove(None, &1)));
        }

        assert!(tree.names.get("a").is_some());
        assert_eq!(tree.names.get("b"), None);
        assert_eq!(tree.names.get("c"), None);
        assert_eq!(tree.edges.len(), 1);
    }
}

//! What the tree costs, counted in comparisons, hashes and copies of subscribers, and in nodes.

use std::cell::Cell;
use std::hash::{Hash, Hasher};

use pintle_router::{SubscriptionOptions, TopicTree};

use crate::shorthand::{filter, share, topic};

thread_local! {
    static OPERATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    OPERATIONS.set(OPERATIONS.get() + 1);
}

/// How often subscribers are compared, hashed or cloned while `work` runs.
fn operations(work: impl FnOnce()) -> usize {
    OPERATIONS.set(0);
    work();
    OPERATIONS.get()
}

#[derive(Debug, Eq)]
struct Counted(u64);

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        count();
        self.0 == other.0
    }
}

impl Hash for Counted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        count();
        self.0.hash(state);
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        count();
        Self(self.0)
    }
}

const MANY: u64 = 10_000;

fn tree_of(filters: &[&str]) -> TopicTree<Counted> {
    let mut tree = TopicTree::new();
    for text in filters {
        for subscriber in 0..MANY {
            tree.subscribe(filter(text), &Counted(subscriber), SubscriptionOptions::default());
        }
    }
    tree
}

#[test]
fn subscribing_ten_thousand_to_one_filter_is_linear() {
    let operations = operations(|| {
        tree_of(&["a/+"]);
    });

    assert!(operations < 20 * MANY as usize, "{operations} operations");
}

#[test]
fn unsubscribing_ten_thousand_from_one_filter_is_linear() {
    let mut tree = tree_of(&["a/+"]);

    let operations = operations(|| {
        for subscriber in 0..MANY {
            assert!(tree.unsubscribe(filter("a/+"), &Counted(subscriber)));
        }
    });

    assert!(operations < 20 * MANY as usize, "{operations} operations");
    assert_eq!(tree.node_count(), 0);
}

#[test]
fn a_route_of_one_filter_copies_each_subscriber_once_and_compares_none() {
    let tree = tree_of(&["a/b"]);

    let operations = operations(|| {
        assert_eq!(tree.route(topic("a/b")).targets.len(), MANY as usize);
    });

    assert_eq!(operations, MANY as usize);
}

#[test]
fn a_route_of_overlapping_filters_is_linear() {
    let tree = tree_of(&["a/b", "a/+", "#"]);

    let operations = operations(|| {
        assert_eq!(tree.route(topic("a/b")).targets.len(), MANY as usize);
    });

    assert!(operations < 30 * MANY as usize, "{operations} operations");
}

#[test]
fn joining_and_leaving_a_shared_group_is_linear() {
    let mut tree = TopicTree::new();

    let operations = operations(|| {
        for member in (0..MANY).map(Counted) {
            tree.subscribe_shared(share("g"), filter("a"), &member, SubscriptionOptions::default());
        }
        for member in (0..MANY).map(Counted) {
            assert!(tree.unsubscribe_shared(share("g"), filter("a"), &member));
        }
    });

    assert!(operations < 30 * MANY as usize, "{operations} operations");
}

#[test]
fn joining_a_group_that_routes_hold_copies_a_bounded_part_of_it() {
    let mut tree = TopicTree::new();
    let mut route = tree.route(topic("a"));

    let operations = operations(|| {
        for member in (0..MANY).map(Counted) {
            tree.subscribe_shared(share("g"), filter("a"), &member, SubscriptionOptions::default());
            route = tree.route(topic("a"));
        }
    });

    assert_eq!(route.groups[0].len(), MANY as usize);
    assert!(operations < 300 * MANY as usize, "{operations} operations");
}

#[test]
fn a_tree_of_many_filters_has_a_node_for_each_level_that_differs() {
    let mut tree = TopicTree::new();
    for device in 0..10_000 {
        let text = format!("fleet/{device}/+/temp");
        tree.subscribe(filter(&text), &device, SubscriptionOptions::default());
    }

    assert_eq!(tree.node_count(), 1 + 3 * 10_000);
}

#[test]
fn nodes_that_were_pruned_are_used_again() {
    let mut tree = TopicTree::new();
    tree.subscribe(filter("+/stays"), &0_u64, SubscriptionOptions::default());

    for round in 0..1000 {
        let text = format!("a/{round}/+");
        tree.subscribe(filter(&text), &1, SubscriptionOptions::default());
        assert_eq!(tree.route(topic(&format!("a/{round}/x"))).targets.len(), 1);
        assert!(tree.unsubscribe(filter(&text), &1));
        assert_eq!(tree.node_count(), 2);
    }

    assert_eq!(tree.route(topic("any/stays")).targets.len(), 1);
}

/// Every filter over two choices a level: all of them match, each through nodes of its own.
#[test]
fn all_of_a_thousand_overlapping_wildcard_filters_are_found() {
    let mut tree = TopicTree::new();
    for choice in 0..1024_u64 {
        let levels = (0..10).map(|bit| if choice >> bit & 1 == 0 { "a" } else { "+" });
        let text = levels.collect::<Vec<_>>().join("/");
        tree.subscribe(filter(&text), &choice, SubscriptionOptions::default());
    }

    assert_eq!(tree.route(topic("a/a/a/a/a/a/a/a/a/a")).targets.len(), 1024);
    assert_eq!(tree.route(topic("a/a/a/a/a/a/a/a/a/b")).targets.len(), 512);
    assert!(tree.route(topic("a/a/a/a/a/a/a/a/a")).is_empty());
}

#[test]
fn topics_and_filters_of_thousands_of_levels_are_served() {
    let deep = "/".repeat(65_535);
    let plus = "+/".repeat(32_767);
    let mut tree = TopicTree::new();
    for (subscriber, text) in [(1_u64, format!("{}#", &deep[..60_000])), (2, format!("{plus}#"))] {
        tree.subscribe(filter(&text), &subscriber, SubscriptionOptions::default());
    }

    assert_eq!(tree.route(topic(&deep)).targets.len(), 2);
    assert!(tree.unsubscribe(filter(&format!("{plus}#")), &2));
    assert_eq!(tree.route(topic(&deep)).targets.len(), 1);
}

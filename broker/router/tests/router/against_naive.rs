//! The tree against its definition, over random sequences of subscribing and unsubscribing.

use pintle_router::naive::NaiveMatcher;
use pintle_router::{SubscriptionOptions, TopicTree};
use proptest::prelude::*;

use crate::shorthand::{filter, groups, share, targets, topic};
use crate::strategies::{any_filter, any_options, any_topic};

#[derive(Clone, Debug)]
struct Change {
    ends: bool,
    share: Option<&'static str>,
    filter: String,
    subscriber: u64,
    options: SubscriptionOptions,
}

fn any_change() -> impl Strategy<Value = Change> {
    let share = prop::sample::select(vec![None, None, Some("g"), Some("h")]);
    let ends = prop::bool::weighted(0.3);
    (ends, share, any_filter(), 0..4_u64, any_options()).prop_map(
        |(ends, share, filter, subscriber, options)| Change {
            ends,
            share,
            filter,
            subscriber,
            options,
        },
    )
}

/// The tree and the list say the same of every change and hold the same afterwards.
struct Both {
    tree: TopicTree<u64>,
    naive: NaiveMatcher<u64>,
    subscriptions: usize,
    shared_subscriptions: usize,
}

impl Both {
    fn new() -> Self {
        Self {
            tree: TopicTree::new(),
            naive: NaiveMatcher::new(),
            subscriptions: 0,
            shared_subscriptions: 0,
        }
    }

    fn apply(&mut self, change: &Change) {
        let (filter, who, options) = (filter(&change.filter), &change.subscriber, change.options);
        let (tree, naive) = (&mut self.tree, &mut self.naive);
        let (count, by_tree, by_list) = match change.share.map(share) {
            None if change.ends => {
                let said = (tree.unsubscribe(filter, who), naive.unsubscribe(filter, who));
                (&mut self.subscriptions, said.0, said.1)
            }
            None => {
                let by_tree = tree.subscribe(filter, who, options);
                let by_list = naive.subscribe(filter, who, options);
                (&mut self.subscriptions, by_tree, by_list)
            }
            Some(share) if change.ends => {
                let by_tree = tree.unsubscribe_shared(share, filter, who);
                let by_list = naive.unsubscribe_shared(share, filter, who);
                (&mut self.shared_subscriptions, by_tree, by_list)
            }
            Some(share) => {
                let by_tree = tree.subscribe_shared(share, filter, who, options);
                let by_list = naive.subscribe_shared(share, filter, who, options);
                (&mut self.shared_subscriptions, by_tree, by_list)
            }
        };
        assert_eq!(by_tree, by_list, "{change:?}");
        match change.ends {
            true => *count -= usize::from(by_list),
            false => *count += usize::from(!by_list),
        }
    }

    fn check_counts(&self) {
        assert_eq!(self.tree.subscription_count(), self.subscriptions);
        assert_eq!(self.tree.shared_subscription_count(), self.shared_subscriptions);
    }

    fn check_route(&self, name: &str) {
        let (by_tree, by_list) = (self.tree.route(topic(name)), self.naive.route(topic(name)));
        assert_eq!(targets(&by_tree), targets(&by_list), "targets of {name}");
        assert_eq!(groups(&by_tree), groups(&by_list), "groups of {name}");
    }
}

proptest! {
    /// [MQTT-3.8.4-3] [MQTT-3.10.4-1] [MQTT-4.7.2-1] [MQTT-4.7.3-4]
    #[test]
    fn the_tree_routes_as_its_definition_after_any_changes(
        changes in prop::collection::vec(any_change(), 0..80),
        topics in prop::collection::vec(any_topic(), 1..30),
    ) {
        let mut both = Both::new();
        for change in &changes {
            both.apply(change);
        }
        both.check_counts();
        for topic in &topics {
            both.check_route(topic);
        }
    }

    #[test]
    fn a_tree_whose_subscriptions_all_end_has_no_nodes_left(
        changes in prop::collection::vec(any_change(), 0..80),
        topic in any_topic(),
    ) {
        let mut both = Both::new();
        for change in &changes {
            both.apply(change);
        }
        for change in &changes {
            both.apply(&Change { ends: true, ..change.clone() });
        }
        both.check_counts();
        prop_assert_eq!(both.tree.node_count(), 0);
        both.check_route(&topic);
    }

    /// Many subscribers on few filters, so that lists are indexed and merged by hash.
    #[test]
    fn long_lists_of_subscribers_are_merged_as_short_ones(
        subscriptions in prop::collection::vec(
            (prop::sample::select(vec!["a/b", "a/+", "+/b", "#"]), 0..60_u64, any_options()),
            0..300,
        ),
        ends in prop::collection::vec(
            (prop::sample::select(vec!["a/b", "a/+", "+/b", "#"]), 0..60_u64),
            0..150,
        ),
    ) {
        let mut both = Both::new();
        let change = |ends, filter: &str, subscriber, options| Change {
            ends,
            share: None,
            filter: filter.to_owned(),
            subscriber,
            options,
        };
        for &(filter, subscriber, options) in &subscriptions {
            both.apply(&change(false, filter, subscriber, options));
        }
        for &(filter, subscriber) in &ends {
            both.apply(&change(true, filter, subscriber, SubscriptionOptions::default()));
        }
        both.check_counts();
        both.check_route("a/b");
        both.check_route("a/c");
    }
}

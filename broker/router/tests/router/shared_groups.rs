//! Shared groups: rotation, membership, and how long a route stays valid.

use std::collections::HashMap;
use std::sync::Arc;

use pintle_mqtt::QoS;
use pintle_router::{SharedGroup, SubscriptionOptions, TopicTree};

use crate::shorthand::{at, filter, groups, share, topic, with_identifier};

fn join(tree: &mut TopicTree<u64>, members: impl IntoIterator<Item = u64>) {
    for member in members {
        tree.subscribe_shared(share("g"), filter("a/+"), &member, SubscriptionOptions::default());
    }
}

fn group(tree: &TopicTree<u64>) -> Arc<SharedGroup<u64>> {
    let mut groups = tree.route(topic("a/b")).groups;
    assert_eq!(groups.len(), 1);
    groups.remove(0)
}

/// How often each member comes up in so many picks.
fn picks(
    group: &SharedGroup<u64>,
    count: usize,
    usable: impl Fn(&u64) -> bool,
) -> HashMap<u64, usize> {
    let mut picks = HashMap::new();
    for _ in 0..count {
        *picks.entry(group.pick(&usable).unwrap().subscriber).or_default() += 1;
    }
    picks
}

#[test]
fn every_member_gets_the_same_number_of_messages() {
    for members in [1, 2, 3, 8, 256, 257, 1000] {
        let mut tree = TopicTree::new();
        join(&mut tree, 0..members);

        let picks = picks(&group(&tree), 5 * members as usize, |_| true);

        assert_eq!(picks, (0..members).map(|member| (member, 5)).collect());
    }
}

#[test]
fn members_that_are_not_usable_are_passed_over_and_the_others_share_evenly() {
    let mut tree = TopicTree::new();
    join(&mut tree, 0..6);

    let picks = picks(&group(&tree), 30, |member| !(1..4).contains(member));

    assert_eq!(picks, HashMap::from([(0, 10), (4, 10), (5, 10)]));
}

#[test]
fn when_no_member_is_usable_the_turns_still_go_round() {
    let mut tree = TopicTree::new();
    join(&mut tree, 0..3);

    let picks = picks(&group(&tree), 9, |_| false);

    assert_eq!(picks, HashMap::from([(0, 3), (1, 3), (2, 3)]));
}

#[test]
fn routes_of_one_group_go_on_with_the_same_rotation() {
    let mut tree = TopicTree::new();
    join(&mut tree, 0..3);

    let mut turns: Vec<_> =
        (0..3).map(|_| group(&tree).pick(|_| true).unwrap().subscriber).collect();

    turns.sort_unstable();
    assert_eq!(turns, [0, 1, 2]);
}

#[test]
fn a_member_that_leaves_is_out_of_the_rotation_of_new_routes() {
    let mut tree = TopicTree::new();
    join(&mut tree, 0..4);

    assert!(tree.unsubscribe_shared(share("g"), filter("a/+"), &1));
    assert!(!tree.unsubscribe_shared(share("g"), filter("a/+"), &1));

    assert_eq!(picks(&group(&tree), 9, |_| true), HashMap::from([(0, 3), (2, 3), (3, 3)]));
    assert_eq!(tree.shared_subscription_count(), 3);
}

#[test]
fn a_route_made_before_keeps_the_members_it_had() {
    let mut tree = TopicTree::new();
    join(&mut tree, 0..300);
    let before = group(&tree);

    join(&mut tree, 300..400);
    for member in 0..200 {
        tree.unsubscribe_shared(share("g"), filter("a/+"), &member);
    }

    let members = |group: &SharedGroup<u64>| {
        let mut members: Vec<_> = group.members().map(|m| m.subscriber).collect();
        members.sort_unstable();
        members
    };
    assert_eq!(members(&before), (0..300).collect::<Vec<_>>());
    assert_eq!(before.len(), 300);
    assert_eq!(members(&group(&tree)), (200..400).collect::<Vec<_>>());
    assert_eq!(picks(&group(&tree), 400, |_| true), (200..400).map(|m| (m, 2)).collect());
}

#[test]
fn members_leave_in_any_order_without_taking_others_with_them() {
    let mut tree = TopicTree::new();
    join(&mut tree, 0..600);

    for step in 0..599 {
        let member = step * 251 % 600;
        assert!(tree.unsubscribe_shared(share("g"), filter("a/+"), &member));
        assert!(group(&tree).members().all(|left| left.subscriber != member));
    }

    let left: Vec<_> = group(&tree).members().map(|m| m.subscriber).collect();
    assert_eq!(left, [599 * 251 % 600]);
}

#[test]
fn a_group_without_members_disappears() {
    for text in ["a/b", "a/+", "#"] {
        let mut tree = TopicTree::new();
        tree.subscribe_shared(share("g"), filter(text), &1_u64, at(QoS::AtLeastOnce));
        let before = tree.route(topic("a/b"));

        tree.unsubscribe_shared(share("g"), filter(text), &1);

        assert!(tree.route(topic("a/b")).is_empty());
        assert_eq!(tree.node_count(), 0);
        assert_eq!(before.groups[0].pick(|_| true).map(|m| m.subscriber), Some(1));
    }
}

#[test]
fn a_group_is_told_by_its_share_name_and_its_filter() {
    let mut tree = TopicTree::new();
    let subscriptions = [("g", "a/+", 1_u64), ("g", "a/b", 2), ("h", "a/b", 3), ("h", "a/b", 4)];
    for (name, text, member) in subscriptions {
        tree.subscribe_shared(share(name), filter(text), &member, SubscriptionOptions::default());
    }

    let members: Vec<Vec<u64>> = groups(&tree.route(topic("a/b")))
        .into_iter()
        .map(|group| group.into_iter().map(|(member, _)| member).collect())
        .collect();

    assert_eq!(members, [vec![1], vec![2], vec![3, 4]]);
}

#[test]
fn an_ordinary_subscription_is_independent_of_a_shared_one_to_the_same_filter() {
    let mut tree = TopicTree::new();
    tree.subscribe(filter("a/b"), &1_u64, with_identifier(1));
    tree.subscribe_shared(share("g"), filter("a/b"), &1, with_identifier(2));

    let route = tree.route(topic("a/b"));

    assert_eq!(route.targets.len(), 1);
    assert_eq!(route.targets[0].grant.identifiers.as_slice(), [1]);
    assert_eq!(route.groups[0].pick(|_| true).unwrap().options, with_identifier(2));
    assert!(tree.unsubscribe(filter("a/b"), &1));
    assert_eq!(tree.route(topic("a/b")).groups.len(), 1);
}

#[test]
fn joining_again_changes_the_options_of_the_member() {
    let mut tree = TopicTree::new();
    join(&mut tree, 0..3);

    let replaced = tree.subscribe_shared(share("g"), filter("a/+"), &1, at(QoS::ExactlyOnce));

    assert!(replaced);
    assert_eq!(tree.shared_subscription_count(), 3);
    let qos: Vec<_> = groups(&tree.route(topic("a/b")))[0].iter().map(|(_, o)| o.qos).collect();
    assert_eq!(qos, [QoS::AtMostOnce, QoS::ExactlyOnce, QoS::AtMostOnce]);
}

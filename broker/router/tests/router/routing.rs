//! The rules of matching and of overlapping subscriptions, one by one.

use pintle_mqtt::QoS;
use pintle_router::{Grant, OwnGrant, Route, SubscriptionOptions, TopicTree};

use crate::shorthand::{at, filter, no_local, targets, topic, with_identifier};

fn tree(subscriptions: &[(&str, u64, SubscriptionOptions)]) -> TopicTree<u64> {
    let mut tree = TopicTree::new();
    for (text, subscriber, options) in subscriptions {
        tree.subscribe(filter(text), subscriber, *options);
    }
    tree
}

/// A tree of these filters has exactly these among them for the topic.
#[track_caller]
fn check(filters: &[&str], name: &str, matching: &[&str]) {
    let mut tree = TopicTree::new();
    for text in filters {
        tree.subscribe(filter(text), text, SubscriptionOptions::default());
    }
    let found: Vec<_> = targets(&tree.route(topic(name))).into_iter().map(|t| t.0).collect();
    let mut expected = matching.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[track_caller]
fn only(route: &Route<u64>) -> (Grant, OwnGrant) {
    assert_eq!(route.targets.len(), 1);
    let target = &route.targets[0];
    (target.grant.clone(), target.own.clone())
}

#[test]
fn a_filter_without_wildcards_matches_its_own_topic_only() {
    check(&["a", "a/b", "a/b/c", "A/b"], "a/b", &["a/b"]);
}

#[test]
fn a_plus_takes_exactly_one_level_which_may_be_empty() {
    check(&["+", "a/+", "+/+", "a/+/c", "+/+/+"], "a/b", &["a/+", "+/+"]);
    check(&["a/+", "a", "+", "a/+/+"], "a/", &["a/+"]);
}

#[test]
fn a_number_sign_takes_any_number_of_levels_and_the_parent() {
    check(&["#", "a/#", "a/b/#", "a/b/c/#", "b/#"], "a/b", &["#", "a/#", "a/b/#"]);
    check(&["+/#", "+/+/#", "+/+/+/#"], "a/b", &["+/#", "+/+/#"]);
}

/// [MQTT-4.7.3-4]
#[test]
fn levels_are_not_normalised() {
    check(&["/a", "a", "a/", "//a", "+/a", "/+", "+"], "/a", &["/a", "+/a", "/+"]);
    check(&["é", "e\u{301}"], "é", &["é"]);
}

/// [MQTT-4.7.2-1]
#[test]
fn a_leading_wildcard_does_not_match_topics_that_begin_with_a_dollar() {
    let filters = ["#", "+/#", "+/b", "$SYS/#", "$SYS/+", "$SYS/b"];
    check(&filters, "$SYS/b", &["$SYS/#", "$SYS/+", "$SYS/b"]);
    check(&["a/+", "a/#", "#", "+/+"], "a/$b", &["a/+", "a/#", "#", "+/+"]);
}

/// [MQTT-3.8.4-3]
#[test]
fn a_repeated_subscription_replaces_the_one_before() {
    for text in ["a/b", "a/+"] {
        let mut tree = tree(&[(text, 1, at(QoS::ExactlyOnce))]);

        let replaced = tree.subscribe(filter(text), &1, at(QoS::AtMostOnce));

        assert!(replaced);
        assert_eq!(tree.subscription_count(), 1);
        assert_eq!(only(&tree.route(topic("a/b"))).0.qos, QoS::AtMostOnce);
    }
}

/// [MQTT-3.10.4-1]
#[test]
fn unsubscribing_ends_the_identical_filter_only() {
    let mut tree = tree(&[("a/+", 1, at(QoS::AtMostOnce)), ("a/+", 2, at(QoS::AtMostOnce))]);

    assert!(!tree.unsubscribe(filter("a/b"), &1));
    assert!(!tree.unsubscribe(filter("a/#"), &1));
    assert!(!tree.unsubscribe(filter("a/+/c"), &1));
    assert!(tree.unsubscribe(filter("a/+"), &1));
    assert!(!tree.unsubscribe(filter("a/+"), &1));

    let left: Vec<_> = targets(&tree.route(topic("a/b"))).into_iter().map(|t| t.0).collect();
    assert_eq!(left, [2]);
}

/// [MQTT-3.3.4-2]
#[test]
fn overlapping_subscriptions_make_one_target_of_the_highest_qos() {
    let tree = tree(&[
        ("a/b", 1, at(QoS::AtMostOnce)),
        ("a/+", 1, at(QoS::ExactlyOnce)),
        ("a/#", 1, at(QoS::AtLeastOnce)),
    ]);

    let (grant, own) = only(&tree.route(topic("a/b")));

    assert_eq!(grant.qos, QoS::ExactlyOnce);
    assert_eq!(own, OwnGrant::Same);
}

#[test]
fn one_overlapping_subscription_with_retain_as_published_is_enough() {
    let as_published =
        SubscriptionOptions { retain_as_published: true, ..SubscriptionOptions::default() };
    let tree = tree(&[("a/b", 1, as_published), ("a/+", 1, at(QoS::AtLeastOnce))]);

    assert!(only(&tree.route(topic("a/b"))).0.retain_as_published);
    assert!(!only(&tree.route(topic("a/c"))).0.retain_as_published);
}

/// [MQTT-3.3.4-3] [MQTT-3.3.4-4]
#[test]
fn a_merged_target_carries_the_identifiers_of_all_its_subscriptions() {
    let tree = tree(&[
        ("a/b", 1, with_identifier(70_000)),
        ("a/+", 1, with_identifier(3)),
        ("a/#", 1, at(QoS::AtMostOnce)),
        ("+/b", 1, with_identifier(3)),
        ("+/c", 1, with_identifier(9)),
    ]);

    let identifiers = only(&tree.route(topic("a/b"))).0.identifiers;

    assert_eq!(identifiers.as_slice(), [3, 3, 70_000]);
}

/// [MQTT-3.8.3-3]
#[test]
fn a_subscriber_gets_nothing_of_its_own_when_all_its_subscriptions_are_no_local() {
    let tree = tree(&[("a/b", 1, no_local(QoS::AtMostOnce)), ("#", 1, no_local(QoS::ExactlyOnce))]);

    let (grant, own) = only(&tree.route(topic("a/b")));

    assert_eq!(grant.qos, QoS::ExactlyOnce);
    assert_eq!(own, OwnGrant::Nothing);
}

/// [MQTT-3.8.3-3]
#[test]
fn no_local_takes_its_part_out_of_what_a_subscriber_gets_of_its_own() {
    let local =
        SubscriptionOptions { no_local: true, retain_as_published: true, ..with_identifier(7) };
    let tree = tree(&[
        ("a/b", 1, SubscriptionOptions { qos: QoS::ExactlyOnce, ..local }),
        ("a/+", 1, SubscriptionOptions { qos: QoS::AtLeastOnce, ..with_identifier(2) }),
    ]);

    let (grant, own) = only(&tree.route(topic("a/b")));

    assert_eq!(grant.identifiers.as_slice(), [2, 7]);
    let rest = Grant {
        qos: QoS::AtLeastOnce,
        retain_as_published: false,
        identifiers: [2].into_iter().collect(),
    };
    assert_eq!(own, OwnGrant::Other(Box::new(rest)));
}

/// [MQTT-3.8.3-3]
#[test]
fn no_local_beside_a_subscription_that_grants_as_much_changes_nothing() {
    let tree = tree(&[("a/b", 1, no_local(QoS::AtLeastOnce)), ("#", 1, at(QoS::AtLeastOnce))]);

    assert_eq!(only(&tree.route(topic("a/b"))).1, OwnGrant::Same);
}

#[test]
fn a_topic_nobody_subscribed_to_has_an_empty_route() {
    let tree = tree(&[("a/b", 1, at(QoS::AtMostOnce)), ("b/#", 1, at(QoS::AtMostOnce))]);

    assert!(tree.route(topic("a")).is_empty());
    assert!(!tree.route(topic("b")).is_empty());
}

#[test]
fn the_options_of_a_subscription_are_those_it_was_made_with_last() {
    let share = pintle_mqtt::ShareName::new("g").unwrap();
    for text in ["a/b", "a/+/c", "a/#", "#"] {
        let mut tree = TopicTree::new();
        for subscriber in 0..40_u64 {
            tree.subscribe(filter(text), &subscriber, at(QoS::AtMostOnce));
            tree.subscribe_shared(share, filter(text), &subscriber, at(QoS::AtLeastOnce));
        }
        tree.subscribe(filter(text), &7, at(QoS::ExactlyOnce));
        let options = |share, filter, who| tree.options_of(share, filter, &who);

        assert_eq!(options(None, filter(text), 7), Some(at(QoS::ExactlyOnce)));
        assert_eq!(options(None, filter(text), 8), Some(at(QoS::AtMostOnce)));
        assert_eq!(options(Some(share), filter(text), 7), Some(at(QoS::AtLeastOnce)));
        assert_eq!(options(None, filter(text), 40), None);
        assert_eq!(options(None, filter("b"), 7), None);
        assert_eq!(options(None, filter("a/+"), 7), None);
    }
}

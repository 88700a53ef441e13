//! Subscription Identifiers (3.8.2.1.2).

use pintle_tests::wire::{Connect, Prop, Publish, Subscribe};
use pintle_tests::{Client, V5, V311};

use crate::broker;

fn subscribes_as(client: &mut Client, filter: &str, identifier: u32) {
    let subscribe = Subscribe::to(filter, 1).with(Prop::SubscriptionIdentifier(identifier));
    assert_eq!(client.subscribe(&subscribe), [1]);
}

/// [MQTT-3.3.4-3]
#[test]
fn the_identifier_of_a_subscription_comes_with_its_messages() {
    let broker = broker();
    let mut client = broker.v5("s");
    for (filter, identifier) in [("a", 1), ("b", 127), ("c", 128), ("d", 268_435_455)] {
        subscribes_as(&mut client, filter, identifier);
        broker.v5("p").publishes_at(1, filter, "x");
        assert_eq!(client.receives(filter, "x").subscription_identifiers(), [identifier]);
    }
    client.subscribes("e", 0);
    broker.v5("p").publishes("e", "x");
    assert_eq!(client.receives("e", "x").subscription_identifiers(), []);
}

/// [MQTT-3.3.4-4] [MQTT-3.3.4-5]
#[test]
fn every_matching_identifier_is_delivered() {
    let broker = broker();
    let mut client = broker.v5("s");
    subscribes_as(&mut client, "a/b", 1);
    subscribes_as(&mut client, "a/#", 2);
    subscribes_as(&mut client, "+/b", 3);
    subscribes_as(&mut client, "c", 4);
    client.subscribes("+/+", 0);
    broker.v5("p").publishes_at(1, "a/b", "x");
    let mut identifiers = Vec::new();
    while identifiers.len() < 3 {
        identifiers.extend(client.receives("a/b", "x").subscription_identifiers());
    }
    identifiers.sort_unstable();
    assert_eq!(identifiers, [1, 2, 3]);
}

#[test]
fn several_filters_may_share_an_identifier() {
    let broker = broker();
    let mut client = broker.v5("s");
    let subscribe = Subscribe::to("a", 0).and("b", 0).with(Prop::SubscriptionIdentifier(9));
    client.subscribe(&subscribe);
    let mut publisher = broker.v5("p");
    for topic in ["a", "b"] {
        publisher.publishes(topic, "x");
        assert_eq!(client.receives(topic, "x").subscription_identifiers(), [9]);
    }
}

#[test]
fn subscribing_again_replaces_or_removes_it() {
    let broker = broker();
    let mut client = broker.v5("s");
    let mut publisher = broker.v5("p");
    subscribes_as(&mut client, "t", 1);
    subscribes_as(&mut client, "t", 2);
    publisher.publishes_at(1, "t", "x");
    assert_eq!(client.receives("t", "x").subscription_identifiers(), [2]);
    client.subscribes("t", 1);
    publisher.publishes_at(1, "t", "y");
    assert_eq!(client.receives("t", "y").subscription_identifiers(), []);
}

#[test]
fn it_outlives_the_connection_and_comes_with_waiting_messages() {
    let broker = broker();
    let keeping = Connect::new("s").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    subscribes_as(&mut client, "t", 7);
    client.disconnects();
    let mut publisher = broker.v5("p");
    publisher.publishes_at(1, "t", "waits");
    let mut client = broker.connect(V5, &keeping);
    assert_eq!(client.receives("t", "waits").subscription_identifiers(), [7]);
    publisher.publishes_at(1, "t", "live");
    assert_eq!(client.receives("t", "live").subscription_identifiers(), [7]);
}

#[test]
fn it_comes_with_retained_messages() {
    let broker = broker();
    broker.v5("p").retains("t", "kept");
    let mut client = broker.v5("s");
    subscribes_as(&mut client, "t", 3);
    assert_eq!(client.receives("t", "kept").subscription_identifiers(), [3]);
}

#[test]
fn it_comes_with_messages_of_a_shared_subscription() {
    let broker = broker();
    let mut client = broker.v5("s");
    subscribes_as(&mut client, "$share/g/t", 5);
    broker.v5("p").publishes_at(1, "t", "x");
    assert_eq!(client.receives("t", "x").subscription_identifiers(), [5]);
}

#[test]
fn identifiers_of_one_client_do_not_reach_another() {
    let broker = broker();
    let mut one = broker.v5("one");
    let mut two = broker.v5("two");
    let mut v3 = broker.client(V311, "v3");
    subscribes_as(&mut one, "t", 1);
    subscribes_as(&mut two, "t", 2);
    v3.subscribes("t", 1);
    let mut plain = broker.v5("plain");
    plain.subscribes("t", 1);
    broker.v5("p").publish(&Publish::new("t", "x").qos(1).with(Prop::user("k", "v")));
    assert_eq!(one.receives("t", "x").subscription_identifiers(), [1]);
    assert_eq!(two.receives("t", "x").subscription_identifiers(), [2]);
    assert_eq!(plain.receives("t", "x").subscription_identifiers(), []);
    v3.receives("t", "x");
}

#[test]
fn identifier_0_ends_the_connection() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.send(&Subscribe::to("t", 0).id(1).with(Prop::SubscriptionIdentifier(0)));
    client.is_refused_with(0x82);
}

#[test]
fn two_identifiers_in_one_subscribe_end_the_connection() {
    let broker = broker();
    let mut client = broker.v5("c");
    let subscribe = Subscribe::to("t", 0)
        .id(1)
        .with(Prop::SubscriptionIdentifier(1))
        .with(Prop::SubscriptionIdentifier(2));
    client.send(&subscribe);
    client.is_refused_with(0x82);
}

/// [MQTT-3.3.4-6]
#[test]
fn an_identifier_in_a_clients_publish_ends_the_connection() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.send(&Publish::new("t", "x").with(Prop::SubscriptionIdentifier(1)));
    client.is_refused_with(0x82);
}

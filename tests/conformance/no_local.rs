//! No Local (3.8.3.1).

use pintle_tests::V5;
use pintle_tests::wire::{Connect, Publish, Subscribe};

use crate::broker;

/// [MQTT-3.8.3-3]
#[test]
fn own_messages_do_not_come_back() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.subscribe(&Subscribe::to("t", 2 | Subscribe::NO_LOCAL));
    for qos in 0..=2 {
        client.publishes_at(qos, "t", "own");
    }
    client.receives_nothing();
    broker.v5("other").publishes_at(1, "t", "another's");
    client.receives("t", "another's");
    client.receives_nothing();
}

/// [MQTT-3.8.3-3]
#[test]
fn each_subscription_decides_for_itself() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.subscribe(&Subscribe::to("a/+", 2 | Subscribe::NO_LOCAL).and("a/b", 1));
    client.publishes_at(2, "a/b", "by the other subscription");
    client.publishes_at(2, "a/c", "by none");
    assert_eq!(client.receives("a/b", "by the other subscription").qos, 1);
    client.receives_nothing();
}

/// [MQTT-3.8.3-3]
#[test]
fn a_resumed_session_still_knows_it() {
    let broker = broker();
    let keeping = Connect::new("c").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.subscribe(&Subscribe::to("t", 1 | Subscribe::NO_LOCAL));
    client.disconnects();
    let mut client = broker.connect(V5, &keeping);
    client.publishes_at(1, "t", "own");
    client.receives_nothing();
}

#[test]
fn it_goes_with_the_client_identifier_and_not_with_the_connection() {
    let broker = broker();
    let keeping = Connect::new("c").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.subscribe(&Subscribe::to("t", 1 | Subscribe::NO_LOCAL));
    let mut other = broker.v5("other");
    other.subscribes("t", 1);
    client.publishes_at(1, "t", "x");
    other.receives("t", "x");
    other.publish(&Publish::new("t", "y").qos(1));
    client.receives("t", "y");
    other.receives("t", "y");
    client.receives_nothing();
}

#[test]
fn it_may_be_switched_off_by_subscribing_again() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.subscribe(&Subscribe::to("t", 1 | Subscribe::NO_LOCAL));
    client.publishes("t", "hidden");
    client.subscribe(&Subscribe::to("t", 1));
    client.publishes("t", "seen");
    client.receives("t", "seen");
    client.receives_nothing();
}

#[test]
fn a_retained_message_of_its_own_comes_at_subscribe() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.retains("t", "own");
    let code = client.subscribe(&Subscribe::to("t", Subscribe::NO_LOCAL));
    assert_eq!(code, [0]);
    client.is_heard();
}

/// [MQTT-3.8.3-4]
#[test]
fn with_a_shared_subscription_it_ends_the_connection() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.send(&Subscribe::to("$share/g/t", 1 | Subscribe::NO_LOCAL).id(1));
    client.is_refused_with(0x82);
}

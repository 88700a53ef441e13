//! Message Expiry Interval (3.3.2.3.3).

use pintle_tests::wire::{Ack, AckKind, Connect, Prop, Publish, Will};
use pintle_tests::{V5, V311};

use crate::broker;

fn message(payload: &str, secs: u32) -> Publish {
    Publish::new("t", payload).qos(1).with(Prop::MessageExpiry(secs))
}

#[test]
fn a_message_delivered_at_once_has_its_whole_interval() {
    let broker = broker();
    let mut client = broker.v5("s");
    client.subscribes("t", 1);
    broker.v5("p").publish(&message("x", 1000));
    let left = client.takes().expiry().expect("the interval is passed on");
    assert!((990..=1000).contains(&left), "{left}");
}

/// [MQTT-3.3.2-6]
#[test]
fn the_interval_counts_down_while_a_message_waits() {
    let broker = broker();
    let keeping = Connect::new("s").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.subscribes("t", 1);
    client.disconnects();
    let mut publisher = broker.v5("p");
    publisher.publish(&message("waits", 1000));
    publisher.publish(&message("retained", 1000).retained());
    broker.lets_seconds_pass(2);

    let mut client = broker.connect(V5, &keeping);
    for payload in ["waits", "retained"] {
        let left = client.receives("t", payload).expiry().expect("an interval");
        assert!((900..=998).contains(&left), "{payload}: {left}");
    }
    client.subscribes("t", 1);
    let left = client.receives("t", "retained").expiry().expect("an interval");
    assert!((900..=998).contains(&left), "from the store: {left}");
}

/// [MQTT-3.3.2-5]
#[test]
fn an_expired_message_is_not_delivered_to_a_session_that_comes_back() {
    let broker = broker();
    for version in [V311, V5] {
        let keeping = Connect::new("s").keeping_its_session();
        let mut client = broker.connect(version, &keeping);
        client.subscribes("t", 2);
        client.disconnects();
        let mut publisher = broker.v5("p");
        publisher.publish(&message("expires", 1));
        publisher.publish(&message("expires too", 1).qos(2));
        publisher.publish(&message("stays", 1000));
        broker.lets_seconds_pass(2);
        let mut client = broker.connect(version, &keeping);
        client.receives("t", "stays");
        client.receives_nothing();
        client.disconnects();
        broker.client(version, "s").disconnects();
    }
}

/// [MQTT-3.3.2-5]
#[test]
fn an_expired_retained_message_is_gone() {
    let broker = broker();
    let mut publisher = broker.v5("p");
    publisher.publish(&message("expires", 1).retained());
    publisher.publish(&Publish::new("other", "stays").retained().with(Prop::MessageExpiry(1000)));
    broker.lets_seconds_pass(2);
    let mut client = broker.v5("s");
    client.subscribes("#", 1);
    client.receives("other", "stays");
    client.receives_nothing();
}

#[test]
fn what_waits_behind_a_full_quota_expires_too() {
    let broker = broker();
    let mut client = broker.connect(V5, &Connect::new("s").with(Prop::ReceiveMaximum(1)));
    client.subscribes("t", 1);
    let mut publisher = broker.v5("p");
    publisher.publish(&message("in flight", 1));
    publisher.publish(&message("expires", 1));
    publisher.publish(&message("stays", 1000));
    let first = client.expect_publish();
    broker.lets_seconds_pass(2);
    client.acknowledges(&first);
    client.receives("t", "stays");
    client.receives_nothing();
}

/// [MQTT-4.3.3-7] [MQTT-4.3.3-13]
#[test]
fn an_exchange_that_has_begun_is_finished_though_its_message_has_expired() {
    let broker = broker();
    let mut client = broker.v5("s");
    client.subscribes("t", 2);
    broker.v5("p").publish(&message("x", 1).qos(2));
    let id = client.expect_publish().packet_id();
    broker.lets_seconds_pass(2);
    client.send(&Ack::new(AckKind::PubRec, id));
    assert_eq!(client.expect_ack(AckKind::PubRel).id, id);
    client.send(&Ack::new(AckKind::PubComp, id));
    client.receives_nothing();
}

#[test]
fn expired_messages_make_room_in_the_queue() {
    let broker = broker();
    let keeping = Connect::new("s").keeping_its_session();
    let mut client = broker.connect(V5, &keeping);
    client.subscribes("t", 1);
    client.disconnects();
    let mut publisher = broker.v5("p");
    publisher.publish(&message("first", 1000));
    for _ in 0..999 {
        publisher.publish(&message("expires", 1));
    }
    broker.lets_seconds_pass(2);
    for number in 0..999 {
        publisher.publish(&message(&number.to_string(), 1000));
    }
    let mut client = broker.connect(V5, &keeping);
    client.receives("t", "first");
    for number in 0..999 {
        client.receives("t", &number.to_string());
    }
    client.receives_nothing();
}

#[test]
fn a_will_has_its_own_interval_from_when_it_is_sent() {
    let broker = broker();
    let mut client = broker.v5("s");
    client.subscribes("t", 0);
    let will = Will::new("t", "gone").with(Prop::MessageExpiry(50)).with(Prop::WillDelay(2));
    let connect = Connect::new("c").with(Prop::SessionExpiry(100)).will(will);
    broker.connect(V5, &connect).drops();
    assert_eq!(client.receives("t", "gone").expiry(), Some(50));
}

#[test]
fn an_expired_will_is_not_delivered_later() {
    let broker = broker();
    let will = Will::new("t", "gone").retained().with(Prop::MessageExpiry(1));
    broker.connect(V5, &Connect::new("c").will(will)).drops();
    broker.lets_seconds_pass(2);
    let mut client = broker.v5("s");
    client.subscribes("t", 0);
    client.receives_nothing();
}

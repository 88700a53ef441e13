//! Receive Maximum, both ways (4.9).

use pintle_tests::wire::{Ack, AckKind, Connect, Prop, Publish};
use pintle_tests::{V5, V311};

use crate::{broker, broker_with};

/// [MQTT-3.3.4-9] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.9.0-3]
#[test]
fn qos_1_and_2_share_the_clients_receive_maximum() {
    let broker = broker();
    let mut client = broker.connect(V5, &Connect::new("s").with(Prop::ReceiveMaximum(2)));
    client.subscribes("t", 2);
    let mut publisher = broker.v5("p");
    publisher.publishes_at(1, "t", "1");
    publisher.publishes_at(2, "t", "2");
    publisher.publishes_at(1, "t", "3");
    publisher.publishes_at(2, "t", "4");
    let (first, second) = (client.expect_publish(), client.expect_publish());
    client.receives_nothing();

    client.acknowledges(&first);
    let third = client.expect_publish();
    assert_eq!(third.text(), "3");
    client.receives_nothing();

    client.send(&Ack::new(AckKind::PubRec, second.packet_id()));
    client.expect_ack(AckKind::PubRel);
    client.receives_nothing();
    client.send(&Ack::new(AckKind::PubComp, second.packet_id()));
    assert_eq!(client.expect_publish().text(), "4");
    client.receives_nothing();
}

/// [MQTT-3.3.4-9]
#[test]
fn messages_of_qos_0_pass_a_full_quota() {
    let broker = broker();
    let mut client = broker.connect(V5, &Connect::new("s").with(Prop::ReceiveMaximum(1)));
    client.subscribes("t", 1);
    let mut publisher = broker.v5("p");
    publisher.publishes_at(1, "t", "1");
    publisher.publishes_at(1, "t", "2");
    publisher.publishes("t", "now");
    let first = client.expect_publish();
    let second = client.expect_publish();
    assert_eq!((first.text(), second.text()), ("1".to_owned(), "now".to_owned()));
    client.acknowledges(&first);
    client.receives("t", "2");
    client.receives_nothing();
}

#[test]
fn the_quota_is_fresh_after_a_reconnect() {
    let broker = broker();
    let connect = Connect::new("s").keeping_its_session();
    let mut client = broker.connect(V5, &connect.clone().with(Prop::ReceiveMaximum(3)));
    client.subscribes("t", 1);
    let mut publisher = broker.v5("p");
    for number in 1..=4 {
        publisher.publishes_at(1, "t", &number.to_string());
    }
    for _ in 0..3 {
        client.expect_publish();
    }
    client.receives_nothing();
    client.drops();

    let mut client = broker.connect(V5, &connect.with(Prop::ReceiveMaximum(2)));
    let first = client.expect_publish();
    let second = client.expect_publish();
    assert_eq!((first.text(), first.dup), ("1".to_owned(), true));
    assert_eq!((second.text(), second.dup), ("2".to_owned(), true));
    client.receives_nothing();
    client.acknowledges(&first);
    client.acknowledges(&second);
    client.receives("t", "3");
    client.receives("t", "4");
    client.receives_nothing();
}

#[test]
fn without_a_receive_maximum_many_messages_may_be_under_way() {
    let broker = broker();
    for version in [V311, V5] {
        let mut client = broker.client(version, "s");
        client.subscribes("t", 1);
        let mut publisher = broker.v5("p");
        for number in 0..900 {
            publisher.send(&Publish::new("t", number.to_string()).qos(1).id(number + 1));
        }
        publisher.is_heard();
        let deliveries: Vec<_> = (0..900).map(|_| client.expect_publish()).collect();
        for (number, delivery) in deliveries.iter().enumerate() {
            assert_eq!(delivery.text(), number.to_string());
            client.acknowledges(delivery);
        }
        client.receives_nothing();
        client.disconnects();
        publisher.disconnects();
    }
}

#[test]
fn a_receive_maximum_of_0_is_refused() {
    let broker = broker();
    let mut client = broker.open(V5);
    client.send(&Connect::new("c").with(Prop::ReceiveMaximum(0)));
    client.is_not_let_in_with(0x82);
}

/// [MQTT-3.3.4-7]
#[test]
fn a_client_that_exceeds_the_brokers_receive_maximum_is_told_so() {
    let broker = broker_with("receive_maximum = 2");
    let mut client = broker.open(V5);
    let connack = client.connects(&Connect::new("c"));
    assert!(connack.props.contains(&Prop::ReceiveMaximum(2)), "{connack:?}");
    for id in 1..=2 {
        client.send(&Publish::new("t", "x").qos(2).id(id));
        client.expect_ack(AckKind::PubRec);
    }
    client.send(&Publish::new("t", "x").qos(2).id(3));
    client.is_refused_with(0x93);
}

#[test]
fn a_client_within_the_brokers_receive_maximum_may_go_on_for_ever() {
    let broker = broker_with("receive_maximum = 2");
    let mut client = broker.v5("c");
    for _ in 0..5 {
        client.publishes_at(2, "t", "x");
        client.publishes_at(1, "t", "x");
    }
    client.send(&Publish::new("t", "x").qos(2).id(101));
    client.expect_ack(AckKind::PubRec);
    client.send(&Publish::new("t", "x").qos(2).id(101).dup());
    client.expect_ack(AckKind::PubRec);
    client.publishes_at(1, "t", "shares the quota");
    client.receives_nothing();
}

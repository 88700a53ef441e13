//! QoS 2 from a client to the broker (4.3.3).

use pintle_tests::wire::{Ack, AckKind, Connect, Publish};
use pintle_tests::{V5, V311, Version};

use crate::broker;

/// [MQTT-4.3.3-10]
#[test]
fn the_same_identifier_again_before_pubrel_is_one_message() {
    let broker = broker();
    let mut subscriber = broker.v5("s");
    subscriber.subscribes("t", 2);
    for version in Version::ALL {
        let mut publisher = broker.client(version, "p");
        let publish = Publish::new("t", "once").qos(2).id(5);
        publisher.send(&publish);
        publisher.expect_ack(AckKind::PubRec);
        for _ in 0..3 {
            publisher.send(&publish.clone().dup());
            assert_eq!(publisher.expect_ack(AckKind::PubRec).id, 5);
        }
        publisher.send(&Ack::new(AckKind::PubRel, 5));
        assert_eq!(publisher.expect_ack(AckKind::PubComp).id, 5);
        subscriber.receives("t", "once");
        subscriber.receives_nothing();
        publisher.disconnects();
    }
}

/// [MQTT-4.3.3-12] [MQTT-4.3.3-11]
#[test]
fn the_same_identifier_after_pubcomp_is_a_new_message() {
    let broker = broker();
    for version in Version::ALL {
        let mut client = broker.client(version, "c");
        client.subscribes("t", 0);
        client.publish(&Publish::new("t", "one").qos(2).id(9));
        client.publish(&Publish::new("t", "two").qos(2).id(9).dup());
        client.receives("t", "one");
        client.receives("t", "two");
        client.receives_nothing();
    }
}

/// [MQTT-4.3.3-10]
#[test]
fn another_message_under_an_identifier_in_use_does_not_corrupt_the_first() {
    let broker = broker();
    let mut subscriber = broker.v5("s");
    subscriber.subscribes("#", 2);
    let mut publisher = broker.v5("p");
    publisher.send(&Publish::new("first", "1").qos(2).id(3));
    publisher.expect_ack(AckKind::PubRec);
    publisher.send(&Publish::new("second", "2").qos(2).id(3));
    publisher.expect_ack(AckKind::PubRec);
    publisher.send(&Ack::new(AckKind::PubRel, 3));
    publisher.expect_ack(AckKind::PubComp);
    subscriber.receives("first", "1");
    subscriber.receives_nothing();
}

#[test]
fn exchanges_may_be_finished_in_any_order() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.subscribes("t", 0);
    for id in 1..=20 {
        client.send(&Publish::new("t", id.to_string()).qos(2).id(id));
    }
    for id in 1..=20 {
        client.awaits_ack(AckKind::PubRec, id);
    }
    for id in (1..=20).rev() {
        client.send(&Ack::new(AckKind::PubRel, id));
        client.awaits_ack(AckKind::PubComp, id);
    }
    for id in 1..=20 {
        client.receives("t", &id.to_string());
    }
    client.receives_nothing();
}

/// [MQTT-4.4.0-1]
#[test]
fn an_open_exchange_is_finished_after_a_reconnect() {
    let broker = broker();
    let mut subscriber = broker.v5("s");
    subscriber.subscribes("t", 2);
    for version in Version::ALL {
        let keeping = Connect::new("p").keeping_its_session();
        let mut publisher = broker.connect(version, &keeping);
        publisher.send(&Publish::new("t", "once").qos(2).id(1));
        publisher.expect_ack(AckKind::PubRec);
        publisher.drops();

        let mut publisher = broker.connect(version, &keeping);
        publisher.send(&Publish::new("t", "once").qos(2).id(1).dup());
        publisher.expect_ack(AckKind::PubRec);
        publisher.send(&Ack::new(AckKind::PubRel, 1));
        publisher.expect_ack(AckKind::PubComp);
        subscriber.receives("t", "once");
        subscriber.receives_nothing();
        publisher.disconnects();
        broker.client(version, "p").disconnects();
    }
}

#[test]
fn a_clean_start_forgets_open_exchanges() {
    let broker = broker();
    let mut subscriber = broker.v5("s");
    subscriber.subscribes("t", 0);
    let keeping = Connect::new("p").keeping_its_session();
    let mut publisher = broker.connect(V5, &keeping);
    publisher.send(&Publish::new("t", "one").qos(2).id(1));
    publisher.expect_ack(AckKind::PubRec);
    publisher.drops();
    broker.v5("p").publish(&Publish::new("t", "two").qos(2).id(1));
    subscriber.receives("t", "one");
    subscriber.receives("t", "two");
    subscriber.receives_nothing();
}

#[test]
fn pubrel_out_of_nowhere_is_answered() {
    let broker = broker();
    let mut client = broker.v5("c");
    client.send(&Ack::new(AckKind::PubRel, 77));
    let pubcomp = client.expect_ack(AckKind::PubComp);
    assert_eq!((pubcomp.id, pubcomp.code), (77, 0x92));
    for version in Version::V3 {
        let mut client = broker.client(version, "c3");
        client.send(&Ack::new(AckKind::PubRel, 77));
        assert_eq!(client.expect_ack(AckKind::PubComp).id, 77);
        client.receives_nothing();
    }
}

#[test]
fn identifiers_of_qos_1_and_of_the_broker_are_spaces_of_their_own() {
    let broker = broker();
    let mut client = broker.client(V311, "c");
    client.subscribes("t", 2);
    client.send(&Publish::new("t", "mine").qos(2).id(1));
    client.awaits_ack(AckKind::PubRec, 1);
    let delivery = client.expect_publish();
    assert_eq!(delivery.id, Some(1), "the broker counts for itself");
    client.send(&Ack::new(AckKind::PubRec, 1));
    client.awaits_ack(AckKind::PubRel, 1);
    client.send(&Ack::new(AckKind::PubRel, 1));
    client.awaits_ack(AckKind::PubComp, 1);
    client.send(&Ack::new(AckKind::PubComp, 1));
    client.receives_nothing();
}
